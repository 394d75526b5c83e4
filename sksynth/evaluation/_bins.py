"""Bins and labels that the cells of a column fall into, for pictures: few, and the same for both tables."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

TAIL = 0.005  # share of the real values beyond either end, where a few values far out would leave the rest in one bin
DAY = 86_400  # seconds
N_LABELS = 12  # categories that are shown, at most


@dataclass(frozen=True)
class Bins:
    """Where the cells of a plain column fall.

    Parameters
    ----------
    index : IntervalIndex or Index of labels
    values : tuple
        Of categories, those that have a label of their own; all others share the last label, where there is one more.
    edges : ndarray of float, optional
        Of quantities: of dates in days, of texts in characters.
    is_text : bool, default=False
        Whether it is lengths that are counted.
    """

    index: pd.Index
    values: tuple = ()
    edges: np.ndarray | None = None
    is_text: bool = False

    def codes(self, column: pd.Series) -> np.ndarray:
        """Return the place in `index` of every cell, -1 where it is missing; what lies beyond the ends is in the end bins."""
        if self.edges is None:
            found = pd.Index(self.values, dtype=object, tupleize_cols=False).get_indexer(column.astype(object))
            return np.where(column.isna(), -1, np.where(found < 0, len(self.index) - 1, found))
        numbers = to_lengths(column) if self.is_text else column.to_numpy(float)
        codes = np.clip(np.searchsorted(self.edges, numbers, side="right") - 1, 0, len(self.index) - 1)
        return np.where(np.isnan(numbers), -1, codes)

    def shares(self, column: pd.Series) -> pd.Series:
        """Return the share of all cells of a column that fall into each bin; what is lacking to 1 is missing."""
        counts = np.bincount(self.codes(column) + 1, minlength=len(self.index) + 1)[1:]
        return pd.Series(counts / len(column), index=self.index)


def find_bins(real: pd.Series, synthetic: pd.Series, kind: str, n_bins: int, *, is_date: bool = False) -> Bins:
    """Return at most `n_bins` bins for a column of two plain tables, of one of the kinds of `column_kinds`."""
    if kind == "category":
        return _labels(real, synthetic, min(n_bins, N_LABELS))
    own, others = (to_lengths(column) if kind == "unique" else column.to_numpy(float) for column in (real, synthetic))
    edges = _edges(own[~np.isnan(own)], others[~np.isnan(others)], n_bins)
    if kind == "number" and is_date:
        breaks = pd.DatetimeIndex(np.round(edges * DAY).astype("datetime64[s]"))
    else:
        breaks = edges
    return Bins(pd.IntervalIndex.from_breaks(breaks, closed="left"), edges=edges, is_text=kind == "unique")


def to_lengths(column: pd.Series) -> np.ndarray:
    """Return the number of characters of every cell, NaN where it is missing."""
    return np.where(column.isna(), np.nan, [len(str(cell)) for cell in column])


def is_date(column: pd.Series) -> bool:
    """Tell whether a quantity, as it stands in the caller's table, is a date rather than a number or a duration."""
    return not pd.api.types.is_numeric_dtype(column.dtype) and column.infer_objects().dtype.kind != "m"


def label(value: Any) -> str:
    """Return a category as text, whole numbers without a point."""
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _labels(real, synthetic, n_labels):
    values = list(dict.fromkeys(value for column in (real, synthetic) for value in column.dropna().value_counts().index))
    shown = values if len(values) <= n_labels + 1 else values[:n_labels]
    if all(isinstance(value, float) for value in shown):
        shown = sorted(shown)
    rest = [f"({len(values) - len(shown):,} others)"] if len(values) > len(shown) else []
    names = [*map(label, shown), *rest] or ["(no value)"]
    return Bins(pd.Index(names, dtype=object), tuple(shown))


def _edges(own, others, n_bins):
    """Return edges of bins of one width, whole where all numbers are; `own`, real ones, are never none."""
    both = np.concatenate([own, others])
    low, high = both.min(), both.max()
    ends = np.quantile(own, [TAIL, 1 - TAIL])
    if 0 < 3 * (ends[1] - ends[0]) < high - low:
        low, high = ends
    if (both % 1 == 0).all():
        low, high = np.floor(low), np.ceil(high)
        width = max(1.0, np.ceil((high - low + 1) / n_bins))
        return low - 0.5 + width * np.arange(np.ceil((high - low + 1) / width) + 1)
    return np.linspace(low, high, n_bins + 1)
