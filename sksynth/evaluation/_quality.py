"""Shapes of single columns, and the overall quality."""

from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import ks_2samp

from ._kinds import codes, compared
from ._pairs import pairs_of

DECIMALS = 14  # numbers are compared at, as SDMetrics does: what differs beyond is rounding


def column_shapes(real: Any, synthetic: Any, *, reference: Any = None) -> pd.Series:
    """Return how alike the distribution of each column is in two tables.

    The score of numbers, dates and durations is one minus the two-sample Kolmogorov-Smirnov statistic, that of categories
    one minus the total variation distance of the shares. Missing cells are left out: `missing_values` compares them.

    Parameters
    ----------
    real, synthetic : DataFrame or ndarray, shape (n_rows, n_columns)
        Of the same columns.
    reference : DataFrame or ndarray, default=None
        The table that decides what is a number, as in `column_kinds`; None: `real`.

    Returns
    -------
    shapes : Series of float, shape (n_columns,)
        By the name of the column, from 0 (nothing in common) to 1 (alike); NaN for columns of kind "unique", and where one
        of the tables has no value.

    Raises
    ------
    TypeError, ValueError
        If a table is none, or the columns differ; the message names the column.

    Notes
    -----
    KSComplement and TVComplement of SDMetrics [1]_, also in their treatment of missing cells.

    References
    ----------
    .. [1] DataCebo, Inc. (2023). SDMetrics. https://docs.sdv.dev/sdmetrics

    Examples
    --------
    >>> import pandas as pd
    >>> from sksynth.evaluation import column_shapes
    >>> real = pd.DataFrame({"size": range(20), "colour": ["red", "blue"] * 10})
    >>> synthetic = pd.DataFrame({"size": range(5, 25), "colour": ["red"] * 20})
    >>> column_shapes(real, synthetic).to_dict()
    {'size': 0.75, 'colour': 0.5}
    """
    _, kinds, (real, synthetic) = compared(reference, real=real, synthetic=synthetic)
    return shapes_of(real, synthetic, kinds)


def shapes_of(real: pd.DataFrame, synthetic: pd.DataFrame, kinds: pd.Series) -> pd.Series:
    """Return the shapes of the columns of plain tables."""
    alike = {"number": _ks_complement, "category": _tv_complement, "unique": lambda real, synthetic: np.nan}
    scores = [alike[kind](real[column], synthetic[column]) for column, kind in kinds.items()]
    return pd.Series(scores, index=kinds.index, dtype=float, name="shape")


def _ks_complement(real, synthetic):
    values = [_rounded(column.dropna().to_numpy()) for column in (real, synthetic)]
    return 1.0 - ks_2samp(*values, method="asymp").statistic if all(map(len, values)) else np.nan


def _rounded(values):
    with np.errstate(over="ignore"):
        rounded = np.round(values, DECIMALS)
    return np.where(np.isfinite(rounded), rounded, values)


def _tv_complement(real, synthetic):
    places = [column[column >= 0] for column in codes(real, synthetic)]
    if not all(map(len, places)):
        return np.nan
    n_codes = 1 + max(column.max() for column in places)
    real, synthetic = (np.bincount(column, minlength=n_codes) / len(column) for column in places)
    return 1.0 - np.abs(real - synthetic).sum() / 2


def quality(real: Any, synthetic: Any, *, reference: Any = None) -> float:
    """Return how alike two tables are in their columns and pairs of columns: one figure.

    Parameters
    ----------
    real, synthetic : DataFrame or ndarray, shape (n_rows, n_columns)
        Of the same columns.
    reference : DataFrame or ndarray, default=None
        The table that decides what is a number, as in `column_kinds`; None: `real`.

    Returns
    -------
    quality : float
        From 0 to 1: the mean of two means, that of `column_shapes` and that of the column "sdmetrics" of `pair_trends`
        over the pairs that are strong in `real`. NaN scores are left out; where there is no strong pair, the mean of shapes
        alone.

    Raises
    ------
    TypeError, ValueError
        If a table is none, or the columns differ; the message names the column.

    Notes
    -----
    The overall score of SDMetrics' QualityReport [1]_. What real rows reach against other real rows is its ceiling.

    References
    ----------
    .. [1] DataCebo, Inc. (2023). SDMetrics. https://docs.sdv.dev/sdmetrics

    Examples
    --------
    >>> from sksynth.datasets import load_adult
    >>> from sksynth.evaluation import quality
    >>> adult = load_adult()
    >>> quality(adult[:1000], adult[:1000])
    1.0
    """
    reference, kinds, (real, synthetic) = compared(reference, real=real, synthetic=synthetic)
    return overall(shapes_of(real, synthetic, kinds), pairs_of(real, synthetic, kinds, reference))


def overall(shapes: pd.Series, pairs: pd.DataFrame) -> float:
    """Return the quality, given the scores of columns and of pairs."""
    means = [shapes.mean(), pairs.loc[pairs["strong"], "sdmetrics"].mean()]
    return float(pd.Series(means).mean())
