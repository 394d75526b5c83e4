"""What gradient boosting makes of a synthetic table: can it be told from the real one, and can it teach as much."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.inspection import permutation_importance
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold

from .._validation import listed
from ._draws import check_count, draw, seed_of
from ._features import features, texts
from ._kinds import compared

N_FOLDS = 3


@dataclass(frozen=True, eq=False)
class C2ST:
    """What a classifier two-sample test found.

    Attributes
    ----------
    auc : float
        Area under the ROC curve of a classifier that tells synthetic rows from real ones, in cross-validation: 0.5 is
        guessing, 1 is telling every row.
    columns : Series of float, shape (n_columns,)
        By the name of the column, the one that gives the table away most first: by how much the AUC falls when its values
        are shuffled among the rows that the classifier is tested on (permutation importance, the mean of the folds). Of
        columns that give the same away, each may seem to give little.
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
        `auc`, and `columns`, what each column gives away.

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
    check_count("n_samples", n_samples, N_FOLDS)
    reference, kinds, (real, synthetic) = compared(reference, real=real, synthetic=synthetic)
    n, seed = min(n_samples, len(real), len(synthetic)), seed_of(random_state)
    if n < N_FOLDS:
        raise ValueError(f"c2st needs {N_FOLDS} rows of each table, got {len(real)} real and {len(synthetic)} synthetic ones")
    both = pd.concat([draw(real, n, seed), draw(synthetic, n, seed + 1)])
    seen = features(both, reference, kinds)
    auc, falls = _told_apart(seen.to_numpy(), np.repeat([0, 1], n), seed)
    columns = pd.Series(falls, index=seen.columns, name="auc_fall")
    return C2ST(auc, columns.sort_values(ascending=False, kind="stable"))


def _told_apart(x, label, seed):
    """Return the AUC over all folds, and by how much it falls when a column is shuffled, shape (n_columns,)."""
    shares, falls = np.empty(len(label)), []
    for train, test in StratifiedKFold(N_FOLDS).split(x, label):
        seen, asked = _learnable(x[train], x[test])
        model = HistGradientBoostingClassifier(random_state=seed).fit(seen, label[train])
        shares[test] = model.predict_proba(asked)[:, 1]
        shuffled = permutation_importance(model, asked, label[test], scoring="roc_auc", n_repeats=1, random_state=seed)
        falls.append(shuffled.importances_mean)
    return float(roc_auc_score(label, shares)), np.mean(falls, axis=0)


def _learnable(*tables):
    """Return tables in which columns that have no value in the first are 0, as gradient boosting refuses them."""
    empty = np.isnan(tables[0]).all(axis=0)
    return [np.where(empty, 0.0, table) for table in tables]


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
    reference, kinds, (train, test) = compared(reference, train=train, test=test)
    if target not in reference.columns:
        raise ValueError(f"target must be a column of the tables, got {target!r}; they have {listed(list(reference.columns))}")
    if kinds[target] == "unique":
        raise ValueError(f"target {target!r} is a column of identifiers or text, expected a number or a category")
    place = reference.columns.get_loc(target)
    x, xt = (np.delete(features(table, reference, kinds).to_numpy(), place, axis=1) for table in (train, test))
    score = _r2 if kinds[target] == "number" else _class_auc
    return score(x, train[target], xt, test[target], seed_of(random_state))


def _r2(x, y, xt, yt, seed):
    known, asked = y.notna().to_numpy(), yt.notna().to_numpy()
    if not known.any() or asked.sum() < 2:
        return np.nan
    seen, xt = _learnable(x[known], xt[asked])
    model = HistGradientBoostingRegressor(random_state=seed).fit(seen, y[known])
    return float(r2_score(yt[asked], model.predict(xt)))


def _class_auc(x, y, xt, yt, seed):
    y, yt = texts(y), texts(yt)
    ranks = {value: rank for rank, value in enumerate(sorted({*y, *yt}))}
    y, yt = y.map(ranks.get), yt.map(ranks.get)
    classes = sorted(yt.unique())
    if y.nunique() < 2 or len(classes) < 2:
        return np.nan
    stopping = "auto" if y.value_counts().min() > 1 else False  # the rows that it looks at are drawn within classes
    x, xt = _learnable(x, xt)
    model = HistGradientBoostingClassifier(random_state=seed, early_stopping=stopping).fit(x, y)
    shares = pd.DataFrame(model.predict_proba(xt), columns=model.classes_).reindex(columns=classes, fill_value=0.0) + 1e-12
    shares = shares.div(shares.sum(axis=1), axis=0)
    if len(classes) == 2:
        return float(roc_auc_score(yt == classes[1], shares[classes[1]]))
    return float(roc_auc_score(yt, shares, multi_class="ovr", labels=classes))
