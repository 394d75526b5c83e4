"""One column of a real and of a synthetic table."""

from typing import Any

import numpy as np
import pandas as pd

from ..._validation import is_int, listed
from .._bins import find_bins, is_date
from .._kinds import column_kinds, plain_tables
from ._drawing import NOTES, REAL, SYNTHETIC, mark_dates, name_ticks, new_axes, shown, take_literally


class ColumnComparisonDisplay:
    """Picture of one column of a real and of a synthetic table.

    Numbers, dates and the lengths of texts are histograms, the real one filled, the synthetic one a line; categories are
    bars, the synthetic ones hatched. Make it with `from_predictions`.

    Parameters
    ----------
    column : str or other name
    real, synthetic : Series of float
        Shares of all rows. The same index: an IntervalIndex of numbers or moments, or the labels of categories. What is
        lacking to 1 is missing.
    unit : str, default=None
        What the numbers are, where they are not the values of the column.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    real_, synthetic_ : matplotlib artist
        StepPatch of a histogram, BarContainer of bars.
    missing : tuple of two floats
        Share of the rows of the real and of the synthetic table in which the cell is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> from sksynth.evaluation import ColumnComparisonDisplay
    >>> real, synthetic = pd.Series([0.5, 0.5], ["a", "b"]), pd.Series([0.4, 0.5], ["a", "b"])
    >>> ColumnComparisonDisplay("letter", real, synthetic).missing
    (0.0, 0.1)
    """

    def __init__(self, column: Any, real: pd.Series, synthetic: pd.Series, *, unit: str | None = None):
        if not real.index.equals(synthetic.index):
            raise ValueError(
                f"real and synthetic of column {column!r} must have the same index, got {real.index} and {synthetic.index}"
            )
        self.column = column
        self.real = real
        self.synthetic = synthetic
        self.unit = unit

    @property
    def missing(self) -> tuple[float, float]:
        """Share of the rows of the real and of the synthetic table in which the cell is missing."""
        real, synthetic = (round(abs(1.0 - float(shares.sum())), 9) for shares in (self.real, self.synthetic))
        return real, synthetic

    @classmethod
    def from_predictions(
        cls, real: Any, synthetic: Any, column: Any, *, n_bins: int = 20, ax: Any = None
    ) -> "ColumnComparisonDisplay":
        """Draw a column of two tables.

        Parameters
        ----------
        real, synthetic : DataFrame or ndarray, shape (n_rows, n_columns)
        column : str or other name
        n_bins : int, default=20
            The most bins of a histogram. Of categories, the commonest of `real`, twelve at most, have a bar each.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        ColumnComparisonDisplay

        Raises
        ------
        ValueError
            One of the tables has no such column.
        ImportError
            Without matplotlib.
        """
        if not is_int(n_bins) or n_bins < 2:
            raise ValueError(f"n_bins must be an int >= 2, got {n_bins!r}")
        frames = {
            name: table if isinstance(table, pd.DataFrame) else pd.DataFrame(np.asarray(table))
            for name, table in (("real", real), ("synthetic", synthetic))
        }
        for name, frame in frames.items():
            if column not in frame.columns:
                raise ValueError(f"column must be one of {name}, {listed(list(frame.columns))}, got {column!r}")
        own = {name: frame.iloc[:, [frame.columns.get_loc(column)]] for name, frame in frames.items()}
        plain = (table[column] for table in plain_tables(**own))
        kind = column_kinds(own["real"])[column]
        return compare_columns(column, *plain, kind, n_bins, is_date(own["real"][column])).plot(ax)

    def plot(self, ax: Any = None) -> "ColumnComparisonDisplay":
        """Draw the column.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.

        Returns
        -------
        ColumnComparisonDisplay
            This very object.

        Raises
        ------
        ImportError
            Without matplotlib.
        """
        is_histogram = isinstance(self.real.index, pd.IntervalIndex)
        ax = new_axes(ax, self, 5.0, 3.2 if is_histogram else 1.2 + 0.3 * len(self.real))
        (self._histogram if is_histogram else self._bars)(ax)
        take_literally(ax.set_title(shown(self.column, 40), fontsize="medium", loc="left"))
        ax.legend(loc="best" if is_histogram else "lower right", **NOTES)
        ax.spines[["top", "right"]].set_visible(False)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _histogram(self, ax: Any) -> None:
        bins, is_time = self.real.index, False
        edges = bins.left.append(bins.right[-1:])
        if isinstance(edges, pd.DatetimeIndex):
            from matplotlib.dates import date2num

            edges, is_time = date2num(edges.to_numpy()), True
            mark_dates(ax.xaxis, 7)
        names = [
            f"{name}, {share:.1%} missing" if max(self.missing) else name
            for name, share in zip(("real", "synthetic"), self.missing, strict=True)
        ]
        self.real_ = ax.stairs(self.real, edges, fill=True, label=names[0], **REAL)
        self.synthetic_ = ax.stairs(self.synthetic, edges, color=SYNTHETIC, linewidth=1.6, label=names[1])
        ax.set(xlabel=self.unit, ylabel="share of rows")
        if not is_time:
            ax.locator_params(axis="x", nbins=6)

    def _bars(self, ax: Any) -> None:
        names = [shown(label) for label in self.real.index]
        lengths = [list(shares) for shares in (self.real, self.synthetic)]
        if max(self.missing):
            names.append("(missing)")
            lengths = [[*shares, share] for shares, share in zip(lengths, self.missing, strict=True)]
        places = np.arange(len(names))
        self.real_ = ax.barh(places - 0.2, lengths[0], 0.4, label="real", **REAL)
        looks = {"facecolor": "white", "edgecolor": SYNTHETIC, "hatch": "//////", "linewidth": 1.0}
        self.synthetic_ = ax.barh(places + 0.2, lengths[1], 0.4, label="synthetic", **looks)
        name_ticks(ax.yaxis, places, names)
        ax.invert_yaxis()
        ax.set_xlim(0.0, 1.4 * max(*lengths[0], *lengths[1], 0.01))  # room for the legend
        ax.set_xlabel("share of rows")


def compare_columns(
    column: Any, real: pd.Series, synthetic: pd.Series, kind: str, n_bins: int, is_date: bool
) -> ColumnComparisonDisplay:
    """Return the display of a column of two plain tables, not yet drawn."""
    bins = find_bins(real, synthetic, kind, n_bins, is_date=is_date)
    unit = "characters" if bins.is_text else None
    return ColumnComparisonDisplay(column, bins.shares(real), bins.shares(synthetic), unit=unit)
