"""What of a table's values, missing cells and dtypes a synthetic table has."""

from typing import Any

import numpy as np
import pandas as pd

from ._kinds import codes, compared, is_measured, quantity, same_columns


def coverage(real: Any, synthetic: Any, *, reference: Any = None) -> pd.Series:
    """Return how much of what a column holds is found in the synthetic table.

    Parameters
    ----------
    real, synthetic : DataFrame or ndarray, shape (n_rows, n_columns)
        Of the same columns.
    reference : DataFrame or ndarray, default=None
        The table that decides what is a number, as in `column_kinds`; None: `real`.

    Returns
    -------
    coverage : Series of float, shape (n_columns,)
        By the name of the column, from 0 to 1. Numbers, dates, durations: the share of the range of `real` that lies
        between the smallest and the largest value of `synthetic`. Categories: the share of the categories of `real` that
        `synthetic` has. 0 where `synthetic` has no value; NaN for kind "unique", for numbers of one value, and where
        `real` has no value.

    Raises
    ------
    TypeError, ValueError
        If a table is none, or the columns differ; the message names the column.

    Notes
    -----
    RangeCoverage and CategoryCoverage of SDMetrics [1]_. Full coverage is no aim of its own: the largest and the rarest
    values belong to single people, and a table that does not show them is the safer one.

    References
    ----------
    .. [1] DataCebo, Inc. (2023). SDMetrics. https://docs.sdv.dev/sdmetrics

    Examples
    --------
    >>> import pandas as pd
    >>> from sksynth.evaluation import coverage
    >>> real = pd.DataFrame({"size": range(21), "colour": ["red", "blue", "green"] * 7})
    >>> coverage(real, real[(real["size"] > 4) & (real.colour != "red")]).round(3).to_dict()
    {'size': 0.75, 'colour': 0.667}
    """
    _, kinds, (real, synthetic) = compared(reference, real=real, synthetic=synthetic)
    covers = {"number": _range_coverage, "category": _category_coverage, "unique": lambda real, synthetic: np.nan}
    shares = [covers[kind](real[column].dropna(), synthetic[column].dropna()) for column, kind in kinds.items()]
    return pd.Series(shares, index=kinds.index, dtype=float, name="coverage")


def _range_coverage(real, synthetic):
    low, high = real.min(), real.max()
    if not low < high:
        return np.nan
    if len(synthetic) == 0:
        return 0.0
    beneath, above = synthetic.min() - low, high - synthetic.max()
    return max(1.0 - (max(beneath, 0.0) + max(above, 0.0)) / (high - low), 0.0)


def _category_coverage(real, synthetic):
    known, found = map(np.unique, codes(real, synthetic))  # no Series.isin: with "\0" pandas 2 misses values that are there
    return np.isin(known, found).mean() if len(known) else np.nan


def missing_values(real: Any, synthetic: Any) -> pd.DataFrame:
    """Return the shares of missing cells.

    Parameters
    ----------
    real, synthetic : DataFrame or ndarray, shape (n_rows, n_columns)
        Of the same columns.

    Returns
    -------
    shares : DataFrame, shape (n_columns, 3)
        By the name of the column: `real`, `synthetic`, and `difference`, by how much the second is the larger.

    Raises
    ------
    TypeError, ValueError
        If a table is none, or the columns differ; the message names the column.

    Examples
    --------
    >>> import pandas as pd
    >>> from sksynth.evaluation import missing_values
    >>> missing_values(pd.DataFrame({"size": [1, None]}), pd.DataFrame({"size": [1, 2]}))
          real  synthetic  difference
    size   0.5        0.0        -0.5
    """
    real, synthetic = same_columns(real=real, synthetic=synthetic)
    shares = pd.DataFrame({"real": real.isna().mean(), "synthetic": synthetic.isna().mean()})
    return shares.assign(difference=shares["synthetic"] - shares["real"])


def dtype_changes(real: Any, synthetic: Any) -> pd.DataFrame:
    """Return the columns whose dtype differs.

    Parameters
    ----------
    real, synthetic : DataFrame or ndarray, shape (n_rows, n_columns)
        Of the same columns.

    Returns
    -------
    changes : DataFrame, shape (n_changed, 2)
        By the name of the column, the dtypes in `real` and in `synthetic` as strings; no rows where all are the same.
        Categorical dtypes are the same whichever categories they list.

    Raises
    ------
    TypeError, ValueError
        If a table is none, or the columns differ; the message names the column.

    Examples
    --------
    >>> import pandas as pd
    >>> from sksynth.evaluation import dtype_changes
    >>> dtype_changes(pd.DataFrame({"size": [1], "height": [2]}), pd.DataFrame({"size": [1.0], "height": [3]}))
           real synthetic
    size  int64   float64
    """
    real, synthetic = same_columns(real=real, synthetic=synthetic)
    changed = [column for column in real if not _same_dtype(real[column].dtype, synthetic[column].dtype)]
    pairs = [(str(real[column].dtype), str(synthetic[column].dtype)) for column in changed]
    return pd.DataFrame(pairs, index=pd.Index(changed, dtype=object), columns=["real", "synthetic"], dtype=object)


def _same_dtype(one, other):
    if isinstance(one, pd.CategoricalDtype) and isinstance(other, pd.CategoricalDtype):
        return one.ordered == other.ordered and one.categories.dtype == other.categories.dtype
    return one == other


def valid_share(real: Any, synthetic: Any) -> float:
    """Return the share of synthetic rows every value of which the real table would allow.

    Parameters
    ----------
    real, synthetic : DataFrame or ndarray, shape (n_rows, n_columns)
        Of the same columns.

    Returns
    -------
    share : float
        Of rows in which every number lies within the range of its column in `real`, and is whole where all of these are;
        every other value occurs there (anything goes in a column of which more than half of the values differ); and
        cells are missing only in columns that have missing cells in `real`.

    Raises
    ------
    TypeError, ValueError
        If a table is none, or the columns differ; the message names the column.

    Examples
    --------
    >>> import pandas as pd
    >>> from sksynth.evaluation import valid_share
    >>> real = pd.DataFrame({"size": range(6), "colour": ["red", "blue"] * 3})
    >>> valid_share(real, pd.DataFrame({"size": [0, 2.5, 3, 9], "colour": ["red", "red", "green", "red"]}))
    0.25
    """
    real, synthetic = same_columns(real=real, synthetic=synthetic)
    valid = [_is_valid(real[column], synthetic[column]) for column in real]
    return float(np.all(valid, axis=0).mean())


def _is_valid(real, synthetic):
    missing = synthetic.isna().to_numpy()
    if not is_measured(real):
        good = ~missing
        if real.nunique() <= 0.5 * len(real):
            known, found = codes(real.astype(object), synthetic.astype(object))
            good &= np.isin(found, known)
    else:
        values, known = quantity(synthetic), quantity(real)
        known = known[~np.isnan(known)]
        good = (values >= known.min(initial=np.inf)) & (values <= known.max(initial=-np.inf))
        if (known % 1 == 0).all():
            good &= values % 1 == 0
    return good | (missing & real.isna().any())
