"""How much two columns say about each other, on one scale for every pair of kinds.

Cramer's V on the same codes is not on one scale: two normal numbers of correlation 0.5 show 0.16, but 0.40 where one of them
is cut into two categories; mutual information shows 0.49 and 0.46, and finds groups of mixed columns in fewer rows.
"""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils import check_random_state

from ._values import factorize
from .privacy._mechanisms import noisy_counts, system_generator

__all__ = [
    "association",
    "codes_of",
    "measured_association",
    "noisy_association",
    "public_codes",
    "rows_to_measure",
    "signs_of",
]

SAMPLE_ROWS = 10_000  # rows that the association is measured on
WEAK = 0.1  # an association below this is no reason to keep columns together
MAX_OWN = 12  # levels of a column that keep a code of their own
MAX_BINS = 12  # codes for the other levels, of about equal mass each, in sorted order
MIN_ROWS = 5  # expected rows in a cell of a table of two columns; fewer rows, fewer codes
SIGN_ROUNDS = 2  # in which the codes of columns without an order are ordered by other columns
BLOCK = 64  # columns whose tables are counted in one matrix product


def rows_to_measure(frame: pd.DataFrame, random_state: Any) -> pd.DataFrame:
    """Return the rows of a table that the association is measured on; `random_state` draws them from a longer one."""
    if len(frame) <= SAMPLE_ROWS:
        return frame
    random = check_random_state(random_state)
    return frame.iloc[np.sort(random.choice(len(frame), SAMPLE_ROWS, replace=False))]


def measured_association(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the association of every two columns of a table."""
    codes = [codes_of(frame.iloc[:, position]) for position in range(frame.shape[1])]
    return pd.DataFrame(association(np.column_stack(codes)), index=frame.columns, columns=frame.columns)


def signs_of(frame: pd.DataFrame, association: np.ndarray) -> np.ndarray:
    """Return 1 or -1 for every two columns of a table: whether one rises or falls with the other.

    Numbers, dates and durations are ordered by themselves. The codes of each other column are ordered by the mean of the
    column that it is most associated with, then by that of all columns, each with its sign and weighed by the square of its
    association.

    Parameters
    ----------
    frame : DataFrame
        The rows that the association was measured on.
    association : ndarray of float, shape (n_columns, n_columns)
    """
    columns = [frame.iloc[:, place] for place in range(frame.shape[1])]
    ordered = [_is_ordered(column) for column in columns]
    parts = [_ranks_of(column) if own else codes_of(column) for column, own in zip(columns, ordered, strict=True)]
    scores = np.column_stack([_standardized(part) for part in parts])
    weights = np.square(association) * (1.0 - np.eye(len(association)))
    unordered = np.flatnonzero(~np.array(ordered))
    strongest = np.where(ordered, weights, weights * 1e-3)[unordered].argmax(axis=1)
    said = scores[:, strongest]
    for _ in range(SIGN_ROUNDS):
        for place, target in zip(unordered, said.T, strict=True):
            means = np.bincount(parts[place], target) / np.bincount(parts[place])
            scores[:, place] = _standardized(means[parts[place]])
        said = scores @ (weights[:, unordered] * np.sign(scores.T @ scores[:, unordered]))
    return np.where(scores.T @ scores < 0, -1.0, 1.0)


def _ranks_of(column):
    """Return the rank of every cell, NaN where it is missing."""
    levels = pd.Series(_levels_of(column)[0], dtype=float)
    return levels.where(levels >= 0).rank().to_numpy()


def _standardized(values):
    """Return values less their mean, over their deviation; 0 where they are missing."""
    centred = np.nan_to_num(values - np.nanmean(values)) if np.isfinite(values).any() else np.zeros(len(values))
    return centred / max(centred.std(), 1e-12)


def codes_of(column: pd.Series) -> np.ndarray:
    """Return a column as a few codes, missing cells with one of their own.

    The most frequent levels keep their own code (of numbers, dates and durations only those that many rows share, such as
    zero); the others are binned by their rank, strings too: equal beginnings stay together, so that ISO dates, postcodes
    and keys keep what they say about other columns.

    Parameters
    ----------
    column : Series, shape (n_rows,)

    Returns
    -------
    ndarray of int, shape (n_rows,)
        Codes ``0 .. n_codes - 1``, all of which occur.
    """
    levels, values = _levels_of(column)
    counts = np.bincount(levels[levels >= 0], minlength=len(values))
    min_own = max(MIN_ROWS, len(levels) / MAX_BINS) if _is_ordered(column) else MIN_ROWS
    code_of_level = np.append(_codes_of_levels(counts, min_own), -1)  # -1, missing, finds the last
    return np.unique(code_of_level[levels], return_inverse=True)[1]


def _levels_of(column: pd.Series) -> tuple[np.ndarray, Any]:
    """Return the level of every cell, -1 where it is missing, and the values in order, if need be that of their text."""
    try:
        return factorize(column, sort=True)
    except (TypeError, ValueError):  # values that cannot be compared, or hashed
        texts = column.map(lambda value: f"{type(value).__name__} {value}", na_action="ignore")
        return factorize(texts, sort=True)


def _is_ordered(column: pd.Series) -> bool:
    types = pd.api.types
    if types.is_object_dtype(column.dtype):
        return types.infer_dtype(column, skipna=True) in ("integer", "floating", "mixed-integer-float")
    is_number = types.is_numeric_dtype(column.dtype) and not types.is_bool_dtype(column.dtype)
    return is_number or getattr(column.dtype, "kind", "O") in "mM"


def _codes_of_levels(counts: np.ndarray, min_own: float) -> np.ndarray:
    """Return the code of every level, given the rows of the levels in sorted order."""
    codes = np.empty(len(counts), np.int64)
    own = np.argsort(-counts, kind="stable")[:MAX_OWN]
    own = own[counts[own] >= min_own]
    codes[own] = np.arange(len(own))
    rest = np.ones(len(counts), bool)
    rest[own] = False
    n_rest = counts[rest].sum()
    n_bins = np.clip(int(np.sqrt(n_rest / MIN_ROWS)), 1, MAX_BINS)
    middle = np.cumsum(counts[rest]) - counts[rest] / 2
    codes[rest] = len(own) + (middle * n_bins / max(n_rest, 1)).astype(np.int64)
    return codes


def association(codes: np.ndarray) -> np.ndarray:
    """Return the association of every two columns of codes.

    It is the mutual information I of the two, in nats, less what independent columns of as many codes and rows show on
    average, brought to the scale of a correlation: ``sqrt(1 - exp(-2 I))`` (Linfoot, 1957), divided by its greatest
    possible value for the two columns. On two normal columns it is close to the absolute
    correlation; it is 1 where one column's codes follow from the other's, 0 where nothing is left beyond chance. A constant
    column has none with any.

    Parameters
    ----------
    codes : ndarray of int, shape (n_rows, n_columns)
        ``codes[:, j]`` holds ``0 .. n_codes_j - 1``, all of which occur.

    Returns
    -------
    ndarray of float, shape (n_columns, n_columns)
        Symmetric, in [0, 1], 1 on the diagonal.

    References
    ----------
    E. H. Linfoot, "An informational measure of correlation", Information and Control 1 (1957), 85-89.
    """
    n_rows = len(codes)
    joint = _joint_entropies(codes)
    entropy = np.diag(joint)
    n_free = np.multiply.outer(*[codes.max(axis=0)] * 2)  # degrees of freedom of the table: (codes - 1) x (codes - 1)
    chance = n_free / (2 * n_rows)  # the mean of I under independence
    most = np.minimum.outer(entropy, entropy)
    information = np.add.outer(entropy, entropy) - joint
    with np.errstate(divide="ignore", invalid="ignore"):
        share = np.where((n_free > 0) & (most > chance), (information - chance) / (most - chance), 0).clip(0, 1)
        result = np.where(share > 0, np.sqrt(np.expm1(-2 * share * most) / np.expm1(-2 * most)), 0)
    np.fill_diagonal(result, 1)
    return result


def _joint_entropies(codes: np.ndarray) -> np.ndarray:
    """Return the entropy in nats of every pair of columns, from all contingency tables by matrix products."""
    n_rows, n_columns = codes.shape
    result = np.empty((n_columns, n_columns))
    blocks = [np.arange(start, min(start + BLOCK, n_columns)) for start in range(0, n_columns, BLOCK)]
    for i, rows in enumerate(blocks):
        left, left_starts = _one_hot(codes[:, rows])
        for columns in blocks[i:]:
            right, right_starts = _one_hot(codes[:, columns])
            counts = left.T @ right
            counts *= np.log(np.maximum(counts, 1))
            sums = np.add.reduceat(counts, left_starts, axis=0, dtype=np.float64)
            sums = np.add.reduceat(sums, right_starts, axis=1)
            result[np.ix_(rows, columns)] = np.log(n_rows) - sums / n_rows
            result[np.ix_(columns, rows)] = result[np.ix_(rows, columns)].T
    return (result + result.T) / 2


def _one_hot(codes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the indicators of all codes side by side, float32, and the position of each column's first."""
    ends = np.cumsum(codes.max(axis=0) + 1)
    starts = np.append(0, ends[:-1])
    indicators = np.zeros((len(codes), ends[-1]), np.float32)
    indicators[np.arange(len(codes))[:, None], codes + starts] = 1
    return indicators, starts


def public_codes(column: pd.Series) -> tuple[np.ndarray, int]:
    """Return a categorical or boolean column as codes, and their number: from its dtype alone, missing cells with the last.

    Raises
    ------
    ValueError
        If the dtype does not say which values there may be.
    """
    if pd.api.types.is_bool_dtype(column.dtype):
        column = column.astype(pd.CategoricalDtype([False, True]))
    if not isinstance(column.dtype, pd.CategoricalDtype):
        raise ValueError(
            f"column {column.name!r}: noise_multiplier needs columns whose values are public, categorical or boolean, got "
            f"{column.dtype}; cut it at public edges first with pandas.cut, or pass batches of your own"
        )
    codes, n_levels = column.cat.codes.to_numpy().astype(np.int64), len(column.dtype.categories)
    return np.where(codes < 0, n_levels, codes), n_levels + 1


def noisy_association(columns: list[tuple[np.ndarray, int]], noise_multiplier: float) -> np.ndarray:
    """Return the association of every two columns of public codes with differential privacy.

    A row is a vector of indicators over the square root of the number of columns, of length 1, and adds its outer product to
    the sum: a change of length 1, whatever the number of columns (Dwork et al. 2014, "Analyze Gauss"). The association is
    Cramér's V of the noisy tables, less what the noise and independence would show.

    Parameters
    ----------
    columns : list of (ndarray of int, shape (n_rows,), int)
        Codes, and how many there may be.
    noise_multiplier : float

    Returns
    -------
    ndarray of float, shape (n_columns, n_columns)
        Symmetric, in [0, 1], 1 on the diagonal.
    """
    starts = np.cumsum([0] + [n_codes for _, n_codes in columns])
    indicators = np.zeros((len(columns[0][0]), starts[-1]), np.float32)
    for (codes, _), start in zip(columns, starts, strict=False):
        indicators[np.arange(len(codes)), codes + start] = 1
    counts = np.rint(indicators.T.astype(np.float64) @ indicators)
    scale = noise_multiplier * len(columns)
    noisy = np.triu(noisy_counts(counts, scale, system_generator()))
    noisy += np.triu(noisy, 1).T
    result = np.eye(len(columns))
    for i, j in zip(*np.triu_indices(len(columns), 1), strict=True):
        table = noisy[starts[i] : starts[i + 1], starts[j] : starts[j + 1]]
        result[i, j] = result[j, i] = _cramers_v(table, scale)
    return result


def _cramers_v(table: np.ndarray, scale: float) -> float:
    """Return Cramér's V of a table with noise of standard deviation `scale` in every cell."""
    total = max(table.sum(), 1.0)
    rows, columns = (np.maximum(table.sum(axis=axis), 0.0) for axis in (1, 0))
    expected = np.outer(rows, columns) / total
    weights = 1.0 / np.maximum(expected, max(scale, 1.0))  # cells in which nothing is expected say nothing
    n_free = max((np.count_nonzero(rows) - 1) * (np.count_nonzero(columns) - 1), 0)
    excess = (weights * (table - expected) ** 2).sum() - scale**2 * weights.sum() - n_free
    most = total * max(min(np.count_nonzero(rows), np.count_nonzero(columns)) - 1, 1)
    return float(np.sqrt(np.clip(excess / most, 0.0, 1.0)))
