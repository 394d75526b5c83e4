"""What two columns say of each other, in two tables."""

from typing import Any

import numpy as np
import pandas as pd

from ._kinds import kinds_of, plain_tables

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
    raise NotImplementedError


def pairs_of(real: pd.DataFrame, synthetic: pd.DataFrame, kinds: pd.Series) -> pd.DataFrame:
    """Return the pair trends of plain tables."""
    raise NotImplementedError
