"""What two columns say of each other, in two tables."""

from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binom

from ._kinds import codes, compared

STRONG_CORRELATION, STRONG_ASSOCIATION = 0.5, 0.3  # pairs of the real table beyond these count in the quality
N_BINS = 10  # of numbers
FIELDS = ["column_1", "column_2", "score", "noise", "shortfall", "association", "strong", "sdmetrics"]


def pair_trends(real: Any, synthetic: Any, *, reference: Any = None) -> pd.DataFrame:
    """Return how alike the dependence of every two columns is in two tables.

    Columns are cut into bins: numbers (dates, durations) at the deciles of the reference, for both tables; categories are
    bins of their own, as are missing cells. The score of two columns is one minus the total variation distance of the
    shares of the combinations of their bins.

    Parameters
    ----------
    real, synthetic : DataFrame or ndarray, shape (n_rows, n_columns)
        Of the same columns.
    reference : DataFrame or ndarray, default=None
        The table that decides what is a number, as in `column_kinds`, and whose deciles are taken; None: `real`.

    Returns
    -------
    pairs : DataFrame, shape (n_pairs, 8)
        A row for every two columns that are neither of kind "unique" nor constant in the reference:

        - column_1, column_2: their names, in the order of `real`;
        - score: from 0 to 1 (alike);
        - noise: by how much the score of two samples of one distribution, of so many rows, is below 1 on average;
        - shortfall: what the score lacks beyond that, ``1 - noise - score``; 0 on average where nothing is lost;
        - association: in `real`: Pearson's correlation of two numbers, Cramer's V otherwise; NaN where one is constant;
        - strong: whether the association exceeds 0.5 for two numbers (in absolute value), 0.3 otherwise, so that the pair
          counts in `quality`;
        - sdmetrics: the score that SDMetrics gives the pair, see the notes; NaN for two numbers of which one is constant in
          a table.

    Raises
    ------
    TypeError, ValueError
        If a table is none, or the columns differ; the message names the column.

    Notes
    -----
    The score of SDMetrics [1]_ is CorrelationSimilarity for two numbers, one minus half the difference of Pearson's
    correlations, else ContingencySimilarity, which cuts the numbers of each table into ten bins of equal width between its
    own smallest and largest value: a single value far out moves all bins of a table. Its QualityReport leaves pairs out that
    are not strong.

    References
    ----------
    .. [1] DataCebo, Inc. (2023). SDMetrics. https://docs.sdv.dev/sdmetrics

    Examples
    --------
    >>> import pandas as pd
    >>> from sksynth.evaluation import pair_trends
    >>> real = pd.DataFrame({"x": range(20), "y": range(20)})
    >>> turned = real.assign(y=real.y[::-1].values)
    >>> pair_trends(real, turned)[["score", "sdmetrics", "strong"]].to_dict("records")
    [{'score': 0.0, 'sdmetrics': 0.0, 'strong': True}]
    """
    reference, kinds, (real, synthetic) = compared(reference, real=real, synthetic=synthetic)
    return pairs_of(real, synthetic, kinds, reference)


def pairs_of(real: pd.DataFrame, synthetic: pd.DataFrame, kinds: pd.Series, reference: pd.DataFrame) -> pd.DataFrame:
    """Return the pair trends of plain tables."""
    numbers = [column for column, kind in kinds.items() if kind == "number"]
    names = [column for column, kind in kinds.items() if kind != "unique" and _varies(reference[column])]
    real_r, synthetic_r = (table.loc[:, (kinds == "number").to_numpy()].corr().to_numpy() for table in (real, synthetic))
    widths = {column: _levels(real[column], synthetic[column], kinds[column]) for column in names}
    deciles = {
        column: _in_deciles(real[column], synthetic[column], reference[column]) if column in numbers else widths[column]
        for column in names
    }
    places = {column: place for place, column in enumerate(numbers)}
    rows = []
    for one, other in combinations(names, 2):
        score, noise, v = _contingency(deciles[one], deciles[other], len(real))
        if one in places and other in places:
            r, s = (table[places[one], places[other]] for table in (real_r, synthetic_r))
            known = r, abs(r) > STRONG_CORRELATION, 1.0 - abs(r - s) / 2
        elif one in places or other in places:
            similarity, _, v = _contingency(widths[one], widths[other], len(real))
            known = v, v > STRONG_ASSOCIATION, similarity
        else:
            known = v, v > STRONG_ASSOCIATION, score
        rows.append((one, other, score, noise, 1.0 - noise - score, *known))
    pairs = pd.DataFrame(rows, columns=FIELDS, dtype=object)  # so that a column may be called None
    return pairs.astype(dict.fromkeys(FIELDS[2:], float) | {"strong": bool})


def _varies(column):
    return column.nunique() + column.isna().any() > 1


def _in_deciles(real, synthetic, reference):
    """Return the bin of every cell of both tables between the deciles of the reference, missing ones in the last."""
    known = reference.dropna().to_numpy()
    edges = np.unique(np.quantile(known, np.arange(1, N_BINS) / N_BINS)) if len(known) else np.empty(0)
    values = np.concatenate([real.to_numpy(), synthetic.to_numpy()])
    return np.where(np.isnan(values), len(edges) + 1, np.searchsorted(edges, values, side="left"))


def _levels(real, synthetic, kind):
    """Return the level of every cell of both tables, the synthetic one below: 0, 1, ..."""
    if kind == "category":
        return np.concatenate(codes(real, synthetic)) + 1
    return np.concatenate([_bins(real.to_numpy()), _bins(synthetic.to_numpy())])


def _bins(values):
    edges = np.histogram_bin_edges(values[~np.isnan(values)], N_BINS)
    return np.digitize(values, edges)  # nan finds the bin beyond the last edge


def _contingency(one: np.ndarray, other: np.ndarray, n_real: int) -> tuple[float, float, float]:
    """Return the complement of the total variation distance of two columns' combinations, its noise, and real Cramer's V."""
    width = other.max() + 1
    cells, values = one * width + other, np.arange((one.max() + 1) * width)
    if len(values) > len(cells):
        cells, values = pd.factorize(cells)
    real, synthetic = (np.bincount(part, minlength=len(values)) for part in (cells[:n_real], cells[n_real:]))
    n_synthetic = len(cells) - n_real
    score = max(1.0 - np.abs(real / n_real - synthetic / n_synthetic).sum() / 2, 0.0)
    noise = _noise(real + synthetic, n_real, n_synthetic)
    return score, noise, _cramers_v(real, *np.divmod(values, width), np.bincount(one[:n_real]), np.bincount(other[:n_real]))


def _noise(counts, n_real, n_synthetic):
    """Return the total variation distance that cells of so many rows in all have on average, where rows fall at random."""
    n, share = n_real + n_synthetic, n_real / (n_real + n_synthetic)
    sizes, times = np.unique(counts[counts > 0], return_counts=True)
    above = np.floor(sizes * share) + 1
    deviations = 2 * above * (1 - share) * binom.pmf(above, sizes, share)  # of a binomial count, on average: De Moivre
    deviations *= np.sqrt(1 - sizes / n)  # as rows are drawn without replacement
    return (times * deviations).sum() * n / (n_real * n_synthetic) / 2


def _cramers_v(counts, rows, columns, of_rows, of_columns):
    """Return Cramer's V of counted cells, each in a row and a column of the table whose sums are given."""
    freedom = min(np.count_nonzero(of_rows), np.count_nonzero(of_columns)) - 1
    if freedom == 0:
        return np.nan
    occurs = counts > 0
    expected = of_rows[rows[occurs]] * (of_columns[columns[occurs]] / of_rows.sum())
    phi = (counts[occurs] ** 2 / expected).sum() / of_rows.sum() - 1.0
    return np.sqrt(max(phi, 0.0) / freedom)
