"""The pictures of a report, drawn by matplotlib, as data that a page holds in itself."""

import base64
import io
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .._bins import Bins, find_bins
from .._displays._drawing import mark_dates, name_ticks, need_matplotlib, shown, take_literally

LOOKS = {"font.size": 9.0, "svg.fonttype": "none", "svg.hashsalt": "sksynth", "hatch.linewidth": 0.5, "axes.linewidth": 0.6}
N_CELLS = 12  # bins of a quantity beside another column
KEPT = {"Date": None, "Creator": None, "Format": None, "Type": None}  # of the metadata of a picture: nothing


@dataclass(frozen=True)
class PairComparison:
    """Two columns of a real and of a synthetic table.

    Parameters
    ----------
    names : tuple of two column names
    bins : tuple of two Bins
    real, synthetic : ndarray, shape (n_bins_1, n_bins_2)
        Shares of the rows in which neither cell is missing.
    """

    names: tuple
    bins: tuple[Bins, Bins]
    real: np.ndarray
    synthetic: np.ndarray

    def plot(self, figure: Any) -> None:
        """Draw two heat maps of the same scale beside each other."""
        from matplotlib.colors import PowerNorm

        axes = figure.subplots(1, 2, sharex=True, sharey=True)
        norm = PowerNorm(0.5, 0.0, max(self.real.max(), self.synthetic.max(), 1e-9))
        edges = [_edges(bins) for bins in self.bins]
        for ax, shares, title in zip(axes, (self.real, self.synthetic), ("real", "synthetic"), strict=True):
            ax.pcolormesh(*edges, shares.T, cmap="Greys", norm=norm, linewidth=0)
            ax.set_title(title, fontsize="medium")
            _scale(ax.xaxis, self.bins[0], rotation=90)
            take_literally(ax.set_xlabel(shown(self.names[0])))
        _scale(axes[0].yaxis, self.bins[1])
        axes[1].tick_params(labelleft=False)
        take_literally(axes[0].set_ylabel(shown(self.names[1])))


def compare_pair(names: tuple, real: pd.DataFrame, synthetic: pd.DataFrame, kinds: pd.Series, dates: set) -> PairComparison:
    """Return the comparison of two columns of plain tables; `dates` are the columns that hold some."""
    bins = tuple(find_bins(real[name], synthetic[name], kinds[name], N_CELLS, is_date=name in dates) for name in names)
    return PairComparison(names, bins, *(_shares(names, bins, table) for table in (real, synthetic)))


def _shares(names, bins, table):
    first, second = (own.codes(table[name]) for own, name in zip(bins, names, strict=True))
    known = (first >= 0) & (second >= 0)
    shape = tuple(len(own.index) for own in bins)
    counts = np.bincount(np.ravel_multi_index((first[known], second[known]), shape), minlength=np.prod(shape))
    return counts.reshape(shape) / max(known.sum(), 1)


def _edges(bins):
    if bins.edges is None:
        return np.arange(len(bins.index) + 1) - 0.5
    if isinstance(bins.index.left, pd.DatetimeIndex):
        from matplotlib.dates import date2num

        return date2num(bins.index.left.append(bins.index.right[-1:]).to_numpy())
    return bins.edges


def _scale(axis, bins, **looks):
    """Name the categories, or the scale of quantities."""
    if bins.edges is None:
        name_ticks(axis, range(len(bins.index)), [shown(name, 16) for name in bins.index], fontsize="small", **looks)
    elif isinstance(bins.index.left, pd.DatetimeIndex):
        mark_dates(axis, 5)
    else:
        from matplotlib.ticker import MaxNLocator

        axis.set_major_locator(MaxNLocator(4))


def as_data(draw: Callable, width: float, height: float) -> str:
    """Return what `draw` draws on a figure of so many inches, as the address of an SVG picture that is its own data."""
    need_matplotlib("the page of a report")
    from matplotlib import style
    from matplotlib.figure import Figure

    file = io.BytesIO()
    with style.context(["default", LOOKS]), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # the browser has fonts of its own
        figure = Figure(figsize=(width, height), layout="constrained")
        draw(figure)
        figure.savefig(file, format="svg", transparent=True, metadata=KEPT)
    return "data:image/svg+xml;base64," + base64.b64encode(file.getvalue()).decode("ascii")
