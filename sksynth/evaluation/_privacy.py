"""How near synthetic rows lie to the real rows that they were learned from: distances, and an attack by distance.

None of these figures is a guarantee: they show what is wrong, never that all is well.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score, roc_curve
from sklearn.neighbors import NearestNeighbors

from ._draws import check_count, check_share, draw, seed_of
from ._features import metric_space
from ._kinds import kinds_of, plain_tables


def dcr_share(real: Any, synthetic: Any, holdout: Any, *, n_samples: int = 6_000, random_state: Any = 0) -> float:
    """Return the share of synthetic rows that lie nearer to a real row than to a row of the holdout.

    Distance is Euclidean: quantities by their quantiles (missing ones at the median), every other column by the indicators
    of its fifty commonest values; columns of kind "unique" are left out.

    Parameters
    ----------
    real, synthetic, holdout : DataFrame or ndarray, shape (n_rows, n_columns)
        Of the same columns; `real` is what the synthesizer was fitted on, `holdout` other rows of the same kind.
    n_samples : int, default=6_000
        Rows drawn of each table, if all have as many.
    random_state : int, Generator or None, default=0
        Of the draw.

    Returns
    -------
    share : float
        0.5 says that rows were not learned by heart, 1 that they were. Of rows that are equally far from both, one half
        counts. NaN where there is no column to measure by.

    Raises
    ------
    TypeError, ValueError
        If a table is none, or the columns differ; the message names the column.

    References
    ----------
    .. [1] Platzer, M. and Reutterer, T. (2021). Holdout-based empirical assessment of mixed-type synthetic data. Frontiers
       in Big Data 4.

    Examples
    --------
    >>> from sksynth.datasets import load_adult
    >>> from sksynth.evaluation import dcr_share
    >>> adult = load_adult()
    >>> dcr_share(adult[:300], adult[:300], adult[300:600]) > 0.9
    True
    """
    check_count("n_samples", n_samples)
    real, synthetic, holdout = plain_tables(real=real, synthetic=synthetic, holdout=holdout)
    n, seed = min(n_samples, len(real), len(synthetic), len(holdout)), seed_of(random_state)
    drawn = [draw(frame, n, seed) for frame in (real, holdout, synthetic)]
    points = metric_space(real, kinds_of(real), pd.concat(drawn[:2]))
    if points is None:
        return np.nan
    real, holdout, synthetic = map(points, drawn)
    to_real, to_holdout = (NearestNeighbors(n_neighbors=1).fit(known).kneighbors(synthetic)[0] for known in (real, holdout))
    return float(np.mean(to_real < to_holdout) + np.mean(to_real == to_holdout) / 2)


def _nearest(rows: np.ndarray, known: np.ndarray, n_neighbours: int) -> np.ndarray:
    """Return the distances of points to their nearest ones among others, shape (n_rows, n_neighbours), nearest first."""
    places = NearestNeighbors(n_neighbors=n_neighbours).fit(known).kneighbors(rows, return_distance=False)
    exact = [np.linalg.norm(rows - known[places[:, rank]], axis=1) for rank in range(n_neighbours)]
    return np.sort(np.column_stack(exact), axis=1)  # those that scikit-learn returns are none of rows that are equal


def nearest_neighbour_ratio(real: Any, synthetic: Any, *, n_samples: int = 2_000, random_state: Any = 0) -> pd.Series:
    """Return how much nearer each synthetic row lies to one real row than to any other.

    The distance to the nearest row of `real` over that to the second nearest, NNDR; distances as in `dcr_share`. A row near
    0 points at one real row. Compare its quantiles with those of ``nearest_neighbour_ratio(real, holdout)``.

    Parameters
    ----------
    real, synthetic : DataFrame or ndarray, shape (n_rows, n_columns)
        Of the same columns; two rows or more of `real`.
    n_samples : int, default=2_000
        Synthetic rows that are drawn, if there are as many. All of `real` is searched.
    random_state : int, Generator or None, default=0
        Of the draw.

    Returns
    -------
    ratios : Series of float, shape (min(n_samples, n_rows),)
        From 0 to 1 by the place of the synthetic row, a number from 0 on; 1 where both distances are 0. No row, where
        there is no column to measure by.

    Raises
    ------
    TypeError, ValueError
        If a table is none, or the columns differ; the message names the column.

    References
    ----------
    .. [1] Zhao, Z., Kunar, A., Birke, R. and Chen, L. Y. (2021). CTAB-GAN: Effective table data synthesizing. ACML.

    Examples
    --------
    >>> import pandas as pd
    >>> from sksynth.evaluation import nearest_neighbour_ratio
    >>> real = pd.DataFrame({"size": range(101)})
    >>> nearest_neighbour_ratio(real, pd.DataFrame({"size": [50, 20.25]})).round(3).tolist()
    [0.0, 0.333]
    """
    check_count("n_samples", n_samples)
    real, synthetic = plain_tables(real=real, synthetic=synthetic)
    if len(real) < 2:
        raise ValueError(f"nearest_neighbour_ratio needs two rows of real, got {len(real)}")
    drawn = draw(synthetic, min(n_samples, len(synthetic)), seed_of(random_state))
    points = metric_space(real, kinds_of(real), real)
    if points is None:
        return pd.Series([], name="ratio", dtype=float)
    first, second = _nearest(points(drawn), points(real), 2).T
    ratios = np.divide(first, second, out=np.ones(len(drawn)), where=second > 0)
    return pd.Series(ratios, index=drawn.index, name="ratio").sort_index()


@dataclass(frozen=True)
class MembershipInference:
    """What an attack found that guesses which rows a synthesizer was fitted on.

    Attributes
    ----------
    auc : float
        Area under the ROC curve of the guesses; 0.5 is guessing blindly.
    tpr : float
        Share of the members that are found where a share `fpr` of the others is taken for one; of rows between which the
        attack sees no difference, as many are taken at random as that allows.
    tpr_low, tpr_high : float
        Confidence interval of `tpr` (Clopper and Pearson).
    fpr : float
        What was allowed.
    fpr_high : float
        Upper end of the confidence interval of what was really taken, as the threshold was chosen by few rows. A `tpr_low`
        above `fpr_high` says that some rows can be told.
    n_members, n_others : int
        Rows that were attacked.
    """

    auc: float
    tpr: float
    tpr_low: float
    tpr_high: float
    fpr: float
    fpr_high: float
    n_members: int
    n_others: int


def membership_inference(
    real: Any,
    synthetic: Any,
    holdout: Any,
    *,
    fpr: float = 0.01,
    confidence: float = 0.95,
    n_samples: int = 2_000,
    random_state: Any = 0,
) -> MembershipInference:
    """Attack a synthetic table: guess which rows the synthesizer was fitted on.

    The attacker knows the synthetic table, and rows of the same kind that were not fitted on: the holdout. A row that lies
    nearer to a synthetic row than to any row of the holdout but itself is taken for a member, the likelier the smaller the
    ratio of both distances (distance calibrated by a reference [1]_); distances as in `dcr_share`. A better attack may find
    more.

    Parameters
    ----------
    real, synthetic, holdout : DataFrame or ndarray, shape (n_rows, n_columns)
        Of the same columns; `real` is what the synthesizer was fitted on, its rows are the members; `holdout` other rows of
        the same kind.
    fpr : float in (0, 1), default=0.01
        Share of the holdout's rows that may be taken for members.
    confidence : float in (0, 1), default=0.95
    n_samples : int, default=2_000
        Rows drawn of `real` and of `holdout`, if both have as many. All of `synthetic` is searched.
    random_state : int, Generator or None, default=0
        Of the draw.

    Returns
    -------
    found : MembershipInference
        With NaN where there is no column to measure by.

    Raises
    ------
    TypeError, ValueError
        If a table is none or the columns differ (the message names the column), `holdout` or `real` has one row only, or a
        share is none.

    References
    ----------
    .. [1] Chen, D., Yu, N., Zhang, Y. and Fritz, M. (2020). GAN-Leaks: A taxonomy of membership inference attacks against
       generative models. CCS.
    .. [2] Carlini, N. et al. (2022). Membership inference attacks from first principles. IEEE S&P.

    Examples
    --------
    >>> from sksynth.datasets import load_adult
    >>> from sksynth.evaluation import membership_inference
    >>> adult = load_adult()
    >>> found = membership_inference(adult[:300], adult[:300], adult[300:600])
    >>> found.auc > 0.9, found.tpr_low > found.fpr_high
    (True, True)
    """
    check_share("fpr", fpr)
    check_share("confidence", confidence)
    check_count("n_samples", n_samples, 2)
    real, synthetic, holdout = plain_tables(real=real, synthetic=synthetic, holdout=holdout)
    n, seed = min(n_samples, len(real), len(holdout)), seed_of(random_state)
    if n < 2:
        raise ValueError(f"membership_inference needs two rows of real and of holdout, got {len(real)} and {len(holdout)}")
    members, others = (draw(frame, n, seed) for frame in (real, holdout))
    points = metric_space(real, kinds_of(real), pd.concat([members, others]))
    if points is None:
        return MembershipInference(np.nan, np.nan, np.nan, np.nan, fpr, np.nan, n, n)
    scores = _nearness(points(members), points(others), points(synthetic))
    is_member = np.repeat([True, False], n)
    rates, found, _ = roc_curve(is_member, scores, drop_intermediate=False)
    tpr = float(np.interp(fpr, rates, found))
    auc = float(roc_auc_score(is_member, scores))
    (tpr_low, tpr_high), (_, fpr_high) = (_bounds(share, n, confidence) for share in (tpr, fpr))
    return MembershipInference(auc, tpr, tpr_low, tpr_high, fpr, fpr_high, n, n)


def _bounds(share, n, confidence):
    bounds = binomtest(round(share * n), n).proportion_ci(confidence, method="exact")
    return float(bounds.low), float(bounds.high)


def _nearness(members, others, synthetic):
    """Return how much nearer each row lies to a synthetic row than to a row of the holdout that is not itself, 0 to 1."""
    to_synthetic = _nearest(np.concatenate([members, others]), synthetic, 1)[:, 0]
    to_others = np.concatenate([_nearest(members, others, 1)[:, 0], _nearest(others, others, 2)[:, 1]])
    both = to_synthetic + to_others
    return np.divide(to_others, both, out=np.full(len(both), 0.5), where=both > 0)
