"""Empirical audits: what somebody who looks for inserted rows, canaries, can tell, as a lower bound of epsilon.

A bound that exceeds the claimed epsilon refutes the claim; one below proves nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

N_THRESHOLDS = 20  # at which false and true positives are counted
LARGEST = 100.0  # no bound beyond this is looked for


@dataclass(frozen=True)
class Audit:
    """What an audit found.

    Attributes
    ----------
    epsilon_lower : float
        Lower bound of epsilon from one run (Steinke, Nasr and Jagielski 2023), at the confidence of the audit.
    gaussian_epsilon_lower : float
        The same if what was attacked behaves like Gaussian noise (Nasr et al. 2023): sharper, but a bound only then.
    tpr_at_1 : float
        Share of the inserted canaries that are found where one in a hundred of the others is taken for inserted.
    auc : float
        Area under the ROC curve of the scores; 0.5 is guessing.
    n_canaries : int
    confidence : float
    """

    epsilon_lower: float
    gaussian_epsilon_lower: float
    tpr_at_1: float
    auc: float
    n_canaries: int
    confidence: float

    def ceiling(self, epsilon: float, delta: float, fpr: float = 0.01) -> float:
        """Return the largest share that could be found at a false positive rate under (epsilon, delta)-privacy.

        Parameters
        ----------
        epsilon, delta : float
        fpr : float, default=0.01
            The false positive rate.

        Returns
        -------
        tpr : float
            After Kairouz, Oh and Viswanath (2015): ``e**epsilon * fpr + delta`` or less, and the
            same for false negatives.
        """
        return float(min(np.exp(epsilon) * fpr + delta, 1.0 - np.exp(-epsilon) * (1.0 - delta - fpr)))


def audit_mechanism(
    run: Callable[[np.ndarray], np.ndarray],
    n_canaries: int,
    delta: float,
    *,
    confidence: float = 0.95,
    random_state: Any = None,
) -> Audit:
    """Audit a mechanism in one run: put in a random half of the canaries, and guess from scores which.

    Parameters
    ----------
    run : callable
        ``run(included)`` runs the mechanism with the canaries of a bool array of shape (n_canaries,), and returns a score for
        each canary, of that shape: the higher, the likelier it was put in.
    n_canaries : int
    delta : float in [0, 1)
    confidence : float, default=0.95
    random_state : int, Generator or None, default=None
        Of the choice of canaries.

    Returns
    -------
    audit : Audit

    Raises
    ------
    ValueError
        If `run` returns anything but one score for each canary.
    """
    included = np.random.default_rng(random_state).random(n_canaries) < 0.5
    scores = np.asarray(run(included), float)
    if scores.shape != (n_canaries,):
        raise ValueError(f"run must return one score per canary, shape ({n_canaries},), got {scores.shape}")
    return assess(scores, included, delta, confidence)


def audit(
    estimator_factory: Callable[[], Any],
    X: Any,
    *,
    n_canaries: int = 200,
    confidence: float = 0.95,
    random_state: Any = None,
) -> Audit:
    """Audit an estimator on a table of one's own: insert canary rows, fit, and see how much likelier they have become.

    Canaries are rows whose cells are drawn from the columns of `X` independently, so that each is odd as a whole. One
    estimator is fitted on `X` with a random half of them, one on `X` alone; the score of a canary is the difference of its
    log-likelihoods.

    Parameters
    ----------
    estimator_factory : callable
        Returns a new estimator with `fit`, `score_samples` and, after fit, `delta_`. Called twice.
    X : DataFrame, shape (n_rows, n_columns)
    n_canaries : int, default=200
    confidence : float, default=0.95
    random_state : int, Generator or None, default=None

    Returns
    -------
    audit : Audit

    Notes
    -----
    The audit itself is not private: its figures, and both fits, depend on `X` beyond any budget.

    Examples
    --------
    >>> from sksynth import BatchLSTMSynthesizer, LSTMTextModel
    >>> from sksynth.datasets import load_adult
    >>> from sksynth.privacy import audit
    >>> model = LSTMTextModel(rnn_units=8, epochs=1)
    >>> found = audit(lambda: BatchLSTMSynthesizer(text_model=model), load_adult().head(300)[["age", "sex"]], n_canaries=20)
    >>> 0 <= found.auc <= 1
    True
    """
    import pandas as pd

    rng = np.random.default_rng(random_state)
    picks = [rng.integers(0, len(X), n_canaries) for _ in X.columns]
    cells = [X.iloc[pick, place].reset_index(drop=True) for place, pick in enumerate(picks)]
    canaries = pd.concat(cells, axis=1)
    included = rng.random(n_canaries) < 0.5
    with_canaries = pd.concat([X, canaries[included]], ignore_index=True)
    attacked, reference = (estimator_factory().fit(table) for table in (with_canaries, X))
    scores = attacked.score_samples(canaries) - reference.score_samples(canaries)
    return assess(scores, included, attacked.delta_, confidence)


def assess(scores: np.ndarray, included: np.ndarray, delta: float, confidence: float = 0.95) -> Audit:
    """Return what scores of canaries tell of those that were put in.

    Parameters
    ----------
    scores : ndarray of float, shape (n_canaries,)
    included : ndarray of bool, shape (n_canaries,)
    delta : float
    confidence : float, default=0.95
    """
    from sklearn.metrics import roc_auc_score

    outside = np.sort(scores[~included])
    threshold = outside[-1 - len(outside) // 100] if len(outside) else -np.inf
    both = 0 < included.sum() < len(included)
    return Audit(
        epsilon_lower=one_run_epsilon(scores, included, delta, confidence),
        gaussian_epsilon_lower=gaussian_epsilon(scores, included, delta, confidence),
        tpr_at_1=float((scores[included] > threshold).mean()) if both else 0.0,
        auc=float(roc_auc_score(included, scores)) if both else 0.5,
        n_canaries=len(scores),
        confidence=confidence,
    )


def one_run_epsilon(scores: np.ndarray, included: np.ndarray, delta: float, confidence: float) -> float:
    """Return the lower bound of Steinke et al.: the tenth of highest scores is guessed in, the lowest out, the rest left."""
    from scipy.optimize import brentq

    n, each = len(scores), max(len(scores) // 10, 1)
    order = np.argsort(scores, kind="stable")
    right = int((~included[order[:each]]).sum() + included[order[-each:]].sum())

    def excess(epsilon):
        return _chance(n, 2 * each, right, epsilon, delta) - (1.0 - confidence)

    if excess(0.0) >= 0:
        return 0.0
    return float(brentq(excess, 0.0, LARGEST, xtol=1e-4))


def _chance(n, n_guesses, right, epsilon, delta):
    """Greatest probability of so many right guesses under (epsilon, delta)-privacy."""
    from scipy.special import expit
    from scipy.stats import binom

    share = expit(epsilon)
    tail = binom.sf(right - 1, n_guesses, share)
    fewer = np.arange(1, right + 1)
    slack = np.max((binom.sf(right - fewer - 1, n_guesses, share) - tail) / fewer, initial=0.0)
    return min(1.0, tail + 2.0 * n * delta * slack)


def gaussian_epsilon(scores: np.ndarray, included: np.ndarray, delta: float, confidence: float) -> float:
    """Return the epsilon of the Gaussian mechanism whose trade-off of errors the scores surely exceed, over thresholds."""
    from scipy.special import ndtri
    from scipy.stats import beta

    n_in, n_out = int(included.sum()), int((~included).sum())
    thresholds = np.quantile(scores, (np.arange(N_THRESHOLDS) + 0.5) / N_THRESHOLDS)
    level = (1.0 - confidence) / (2 * N_THRESHOLDS)
    errors = []
    for wrong, n in (
        ((scores[~included][:, None] > thresholds).sum(0), n_out), ((scores[included][:, None] <= thresholds).sum(0), n_in)
    ):  # fmt: skip
        errors.append(np.where(wrong < n, beta.ppf(1.0 - level, wrong + 1, np.maximum(n - wrong, 1)), 1.0))
    mu = float(np.max(-ndtri(errors[0]) - ndtri(errors[1])))
    return epsilon_of_gaussian(mu, delta)


def epsilon_of_gaussian(mu: float, delta: float) -> float:
    """Return the epsilon, at delta, of one Gaussian release whose noise is 1 / `mu` times what a row can change."""
    from scipy.optimize import brentq
    from scipy.special import log_ndtr, ndtr

    if mu <= 0:
        return 0.0

    def excess(epsilon):
        return ndtr(mu / 2 - epsilon / mu) - np.exp(epsilon + log_ndtr(-mu / 2 - epsilon / mu)) - max(delta, 1e-12)

    if excess(0.0) <= 0:
        return 0.0
    high = 1.0
    while excess(high) > 0:
        high *= 2.0
    return float(brentq(excess, 0.0, high))
