"""What gradient boosting makes of a synthetic table: can it be told from the real one, and can it teach as much."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ._kinds import kinds_of, plain_tables


@dataclass(frozen=True, eq=False)
class C2ST:
    """What a classifier two-sample test found.

    Attributes
    ----------
    auc : float
        Area under the ROC curve of a classifier that tells synthetic rows from real ones, in cross-validation: 0.5 is
        guessing, 1 is telling every row.
    columns : Series of float, shape (n_columns,)
        By the name of the column, the one that gives the table away most first: the AUC of a classifier that sees this
        column alone.
    """

    auc: float
    columns: pd.Series


def c2st(real: Any, synthetic: Any, *, reference: Any = None, n_samples: int = 6_000, random_state: Any = 0) -> C2ST:
    """Test whether a classifier can tell synthetic rows from real ones.

    Gradient boosting with the defaults of scikit-learn learns to, on as many rows of either table, in three folds. Where
    `real` is what the synthesizer was fitted on, copied rows pass for real ones: a holdout is the harder judge.

    Parameters
    ----------
    real, synthetic : DataFrame or ndarray, shape (n_rows, n_columns)
        Of the same columns, three rows or more.
    reference : DataFrame or ndarray, default=None
        The table that decides what is a number, and which fifty categories of a column are told apart; None: `real`.
        For columns of kind "unique" the classifier sees the lengths of texts.
    n_samples : int, default=6_000
        Rows drawn of either table, if both have as many.
    random_state : int, Generator or None, default=0
        Of the draw and the classifier.

    Returns
    -------
    found : C2ST
        `auc`, and `columns`, what each column alone gives away.

    Raises
    ------
    TypeError, ValueError
        If a table is none or has fewer than three rows, or the columns differ; the message names the column.

    References
    ----------
    .. [1] Lopez-Paz, D. and Oquab, M. (2017). Revisiting classifier two-sample tests. ICLR.

    Examples
    --------
    >>> from sksynth.datasets import load_adult
    >>> from sksynth.evaluation import c2st
    >>> adult = load_adult()[["age", "sex", "hours-per-week"]]
    >>> found = c2st(adult[:500], adult[500:1000].assign(age=40))
    >>> found.auc > 0.9, found.columns.index[0]
    (True, 'age')
    """
    raise NotImplementedError


def utility(train: Any, test: Any, target: Any, *, reference: Any = None, random_state: Any = 0) -> float:
    """Return how well a column of one table is predicted by gradient boosting that was trained on another.

    ``utility(synthetic, holdout, target, reference=real)`` is TSTR, train on synthetic, test on real; what it could reach is
    TRTR, ``utility(real, holdout, target)``.

    Parameters
    ----------
    train, test : DataFrame or ndarray, shape (n_rows, n_columns)
        Of the same columns.
    target : column name
        What is predicted from all other columns.
    reference : DataFrame or ndarray, default=None
        The table that decides what is a number, and which fifty categories of a column are told apart; None: `train`.
    random_state : int, Generator or None, default=0
        Of gradient boosting.

    Returns
    -------
    score : float
        On `test`: R2 for a number, else the area under the ROC curve, the mean of one class against the rest where there
        are more than two. NaN where `train` or `test` has one class or no value.

    Raises
    ------
    TypeError, ValueError
        If a table is none, the columns differ, or `target` is not among them or of kind "unique".

    References
    ----------
    .. [1] Esteban, C., Hyland, S. L. and Ratsch, G. (2017). Real-valued (medical) time series generation with recurrent
       conditional GANs. arXiv:1706.02633.

    Examples
    --------
    >>> from sksynth.datasets import load_adult
    >>> from sksynth.evaluation import utility
    >>> adult = load_adult()[["age", "education-num", "income"]]
    >>> 0.7 < utility(adult[:1000], adult[1000:2000], "income") < 0.9
    True
    """
    raise NotImplementedError
