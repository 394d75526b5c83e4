"""What two columns say of each other, in two tables."""

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from ._kinds import codes, compared

STRONG_CORRELATION, STRONG_ASSOCIATION = 0.5, 0.3  # pairs of the real table beyond these count in the quality
N_BINS = 10  # of numbers beside categories


def pair_trends(real: Any, synthetic: Any, *, reference: Any = None) -> pd.DataFrame:
    """Return how alike the dependence of every two columns is in two tables.

    Two numbers (dates, durations): one minus half the difference of Pearson's correlation, over the rows where neither is
    missing. Two categories: one minus the total variation distance of the shares of their combinations, missing being one
    more category. A number beside a category is cut into ten bins of equal width between the smallest and largest value of
    its own table; the largest value and missing cells have a bin of their own.

    Parameters
    ----------
    real, synthetic : DataFrame or ndarray, shape (n_rows, n_columns)
        Of the same columns.
    reference : DataFrame or ndarray, default=None
        The table that decides what is a number, as in `column_kinds`; None: `real`.

    Returns
    -------
    pairs : DataFrame, shape (n_pairs, 5)
        A row for every two columns that are not of kind "unique":

        - column_1, column_2: their names, in the order of `real`;
        - score: from 0 to 1 (alike); NaN for two numbers of which one is constant in a table;
        - association: in `real`: Pearson's correlation of two numbers, Cramer's V otherwise; NaN where one is constant;
        - strong: whether the association exceeds 0.5 for two numbers (in absolute value), 0.3 otherwise, so that the pair
          counts in `quality`.

    Raises
    ------
    TypeError, ValueError
        If a table is none, or the columns differ; the message names the column.

    Notes
    -----
    CorrelationSimilarity and ContingencySimilarity of SDMetrics [1]_ as its QualityReport uses them, which leaves pairs out
    that are not strong.

    References
    ----------
    .. [1] DataCebo, Inc. (2023). SDMetrics. https://docs.sdv.dev/sdmetrics

    Examples
    --------
    >>> import pandas as pd
    >>> from sksynth.evaluation import pair_trends
    >>> real = pd.DataFrame({"x": range(20), "y": range(20)})
    >>> pair_trends(real, real.assign(y=real.y[::-1].values)).to_dict("records")
    [{'column_1': 'x', 'column_2': 'y', 'score': 0.0, 'association': 1.0, 'strong': True}]
    """
    _, kinds, (real, synthetic) = compared(reference, real=real, synthetic=synthetic)
    return pairs_of(real, synthetic, kinds)


def pairs_of(real: pd.DataFrame, synthetic: pd.DataFrame, kinds: pd.Series) -> pd.DataFrame:
    """Return the pair trends of plain tables."""
    names = [column for column, kind in kinds.items() if kind != "unique"]
    numbers = [column for column in names if kinds[column] == "number"]
    real_r, synthetic_r = (table.loc[:, (kinds == "number").to_numpy()].corr().to_numpy() for table in (real, synthetic))
    levels = {column: _levels(real[column], synthetic[column], kinds[column]) for column in names}
    places = {column: place for place, column in enumerate(numbers)}
    rows = []
    for one, other in combinations(names, 2):
        if one in places and other in places:
            r, s = (table[places[one], places[other]] for table in (real_r, synthetic_r))
            rows.append((one, other, 1.0 - abs(r - s) / 2, r, abs(r) > STRONG_CORRELATION))
        else:
            score, v = _contingency(levels[one], levels[other], len(real))
            rows.append((one, other, score, v, v > STRONG_ASSOCIATION))
    return _as_table(rows)


def _as_table(rows):
    pairs = pd.DataFrame(rows, columns=["column_1", "column_2", "score", "association", "strong"], dtype=object)
    return pairs.astype({"score": float, "association": float, "strong": bool})


def _levels(real, synthetic, kind):
    """Return the level of every cell of both tables, the synthetic one below: 0, 1, ..."""
    if kind == "category":
        return np.concatenate(codes(real, synthetic)) + 1
    return np.concatenate([_bins(real.to_numpy()), _bins(synthetic.to_numpy())])


def _bins(values):
    edges = np.histogram_bin_edges(values[~np.isnan(values)], N_BINS)
    return np.digitize(values, edges)  # nan finds the bin beyond the last edge


def _contingency(one: np.ndarray, other: np.ndarray, n_real: int) -> tuple[float, float]:
    """Return the complement of the total variation distance of two columns' combinations, and Cramer's V in the first rows."""
    width = other.max() + 1
    cells, values = one * width + other, np.arange((one.max() + 1) * width)
    if len(values) > len(cells):
        cells, values = pd.factorize(cells)
    real, synthetic = (np.bincount(part, minlength=len(values)) for part in (cells[:n_real], cells[n_real:]))
    score = 1.0 - np.abs(real / n_real - synthetic / (len(cells) - n_real)).sum() / 2
    return score, _cramers_v(real, *np.divmod(values, width), np.bincount(one[:n_real]), np.bincount(other[:n_real]))


def _cramers_v(counts, rows, columns, of_rows, of_columns):
    """Return Cramer's V of counted cells, each in a row and a column of the table whose sums are given."""
    freedom = min(np.count_nonzero(of_rows), np.count_nonzero(of_columns)) - 1
    if freedom == 0:
        return np.nan
    occurs = counts > 0
    expected = of_rows[rows[occurs]] * (of_columns[columns[occurs]] / of_rows.sum())
    phi = (counts[occurs] ** 2 / expected).sum() / of_rows.sum() - 1.0
    return np.sqrt(max(phi, 0.0) / freedom)
