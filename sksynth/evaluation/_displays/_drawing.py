"""What all pictures share: matplotlib on demand, names as they are, looks that can be told apart without colour."""

from collections.abc import Sequence
from typing import Any

REAL = {"facecolor": "0.83", "edgecolor": "0.45", "linewidth": 0.6}  # of bars and steps of the real table
SYNTHETIC = "#0b5394"  # of those of the synthetic one, which are lines or hatched
NOTES = {"fontsize": "small", "frameon": False}  # of a legend


def new_axes(ax: Any, owner: Any, width: float, height: float) -> Any:
    """Return `ax`, or the axes of a new figure of pyplot, in inches.

    Raises
    ------
    ImportError
        Without matplotlib; `owner` is the object that needs it.
    """
    if ax is not None:
        return ax
    need_matplotlib(type(owner).__name__)
    from matplotlib import pyplot

    return pyplot.subplots(figsize=(width, height), layout="constrained")[1]


def need_matplotlib(what: str) -> None:
    """Raise an ImportError that says what to install, where matplotlib is not there."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(f"{what} needs matplotlib: pip install 'sksynth[report]'") from error


def shown(name: Any, width: int = 24) -> str:
    """Return a name or a value as one short line that a picture can hold: what cannot be printed becomes a question mark."""
    text = "".join(character if _is_visible(character) else "\N{REPLACEMENT CHARACTER}" for character in _one_line(name))
    return text if len(text) <= width else text[: width - 1] + "…"


def _one_line(name: Any) -> str:
    return " ".join(str(name).split()) or repr(name)


def _is_visible(character: str) -> bool:
    return character.isprintable() or character == "\N{ZERO WIDTH JOINER}"  # which holds emoji together


def name_ticks(axis: Any, places: Sequence, names: Sequence[str], **looks: Any) -> None:
    """Name places on an axis, the names taken as they are."""
    axis.set_ticks(places, names, **looks)
    take_literally(*axis.get_ticklabels())


def mark_dates(axis: Any, n_ticks: int) -> None:
    """Mark moments on an axis by at most so many ticks, of which half are enough: between more no interval may fit."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=n_ticks // 2, maxticks=n_ticks)
    axis.set_major_locator(locator)
    axis.set_major_formatter(ConciseDateFormatter(locator))


def take_literally(*texts: Any) -> None:
    """Have texts drawn as they are, without formulas between dollars."""
    for text in texts:
        text.set_parse_math(False)
        text.set_usetex(False)
