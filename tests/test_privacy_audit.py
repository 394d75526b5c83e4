"""Promises of audits by canaries: what is put in, what is compared, and bounds that are known."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy.special import log_ndtr, logit, ndtr, ndtri
from scipy.stats import beta, binom

from sksynth.privacy import Audit, audit, audit_mechanism
from sksynth.privacy._audit import _chance, assess, epsilon_of_gaussian, gaussian_epsilon, one_run_epsilon

N = 100
TABLE = pd.DataFrame({"a": np.arange(N), "b": [f"b{i}" for i in range(N)], "c": np.arange(N) / 4}, index=range(40, 40 + N))


class Memory:
    """An estimator that learns by heart: the score of a row is how often it was seen, and what any fit gives it."""

    def __init__(self, delta):
        self.delta_ = delta

    def fit(self, X):
        self.seen = X
        return self

    def score_samples(self, X):
        self.scored = X
        seen = Counter(self.seen.itertuples(index=False, name=None))
        return np.array([float(seen[row] - 9 * row[0]) for row in X.itertuples(index=False, name=None)])


@pytest.fixture
def audited():
    """Return a function that audits `Memory`; it returns what was found, and both estimators."""

    def run(**parameters):
        made = [Memory(1e-3), Memory(0.5)]
        waiting = iter(made)
        return audit(lambda: next(waiting), TABLE, **parameters), *made

    return run


def test_an_audit_compares_fits_with_and_without_canaries(audited):
    """Half of the canaries are put in behind the rows, none into the second fit; the score is the difference of the two."""
    found, attacked, reference = audited(n_canaries=300, confidence=0.9, random_state=0)
    assert reference.seen is TABLE
    assert list(attacked.seen.index) == list(range(len(attacked.seen)))
    pd.testing.assert_frame_equal(attacked.seen.head(N), TABLE.reset_index(drop=True))
    put_in = set(attacked.seen.iloc[N:].itertuples(index=False, name=None))
    included = np.array([row in put_in for row in attacked.scored.itertuples(index=False, name=None)])
    assert 100 < included.sum() == len(attacked.seen) - N < 200
    scores = attacked.score_samples(attacked.scored) - reference.score_samples(attacked.scored)
    assert found == assess(scores, included, 1e-3, 0.9)
    assert (found.auc, found.n_canaries, found.confidence) == (1.0, 300, 0.9)


def test_canaries_are_made_of_cells_of_their_columns(audited):
    """Every cell of a column can be in a canary, beside any of the other columns; both fits score the same canaries."""
    _, attacked, reference = audited(n_canaries=2000, random_state=0)
    canaries = attacked.scored
    assert reference.scored is canaries
    assert list(canaries.index) == list(range(2000))
    assert (canaries.dtypes == TABLE.dtypes).all()
    for column in TABLE:
        assert set(canaries[column]) == set(TABLE[column])
    places = [canaries[column].map(dict(zip(TABLE[column], range(N), strict=True))) for column in TABLE]
    for one, other in pairwise(places):
        assert (one == other).mean() < 0.03


def test_canaries_follow_from_the_seed(audited):
    """The same random_state makes and puts in the same canaries, another one others; by default there are 200."""
    (first, one, _), (again, two, _), (_, other, _) = (audited(random_state=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(one.seen, two.seen)
    assert not one.scored.equals(other.scored)
    assert first == again
    assert (first.n_canaries, first.confidence) == (200, 0.95)


def test_one_in_a_hundred_others_is_taken_for_inserted():
    """The share found is counted where one in a hundred of the others lies above the threshold, and ties are not found."""
    scores = np.concatenate([np.arange(300), [296.0, 296.5, 297.5, 298.5]])
    included = np.arange(304) >= 300
    assert assess(scores, included, 1e-5).tpr_at_1 == 0.75
    assert assess(scores[100:], included[100:], 1e-5).tpr_at_1 == 0.5  # two of two hundred
    assert assess(scores[201:], included[201:], 1e-5).tpr_at_1 == 0.0  # none of 99


@pytest.mark.parametrize("everything", [True, False])
def test_canaries_that_are_all_in_or_all_out_tell_nothing(everything):
    """Where there is nothing to compare, the figures are those of guessing."""
    found = assess(np.arange(20.0), np.full(20, everything), 1e-5)
    assert (found.auc, found.tpr_at_1, found.gaussian_epsilon_lower) == (0.5, 0.0, 0.0)


@pytest.mark.parametrize("inside", [[9], range(1, 10)])
def test_one_canary_on_either_side_is_enough_to_compare(inside):
    """A single canary that is in, or out, is compared with the others."""
    found = assess(np.arange(10.0), np.isin(np.arange(10), inside), 1e-5)
    assert (found.auc, found.tpr_at_1) == (1.0, 1.0)


@pytest.mark.parametrize(
    ("epsilon", "delta", "ceiling"),
    [(0.0, 0.0, 0.01), (1.0, 1e-3, 0.028183), (3.0, 0.0, 0.200855), (8.0, 0.01, 0.999671)],
)
def test_the_ceiling_is_the_known_one(epsilon, delta, ceiling):
    """Under (epsilon, delta)-privacy no more is found than the trade-off of errors allows, from either side."""
    found = Audit(0.0, 0.0, 0.0, 0.5, 1, 0.95).ceiling(epsilon, delta)
    assert found == pytest.approx(ceiling, abs=1e-6)


def test_an_audit_of_a_mechanism_passes_on_what_it_is_told():
    """The seed decides which canaries are put in, scores may be any numbers, and confidence is that of the bounds."""
    seen = []

    def run(included):
        seen.append(included)
        return included.tolist()  # every canary is found

    first = audit_mechanism(run, 200, 1e-5, confidence=0.8, random_state=3)
    assert audit_mechanism(run, 200, 1e-5, confidence=0.8, random_state=3) == first
    audit_mechanism(run, 200, 1e-5, random_state=4)
    assert np.array_equal(seen[0], seen[1])
    assert not np.array_equal(seen[0], seen[2])
    assert 70 < seen[0].sum() < 130
    assert first == assess(seen[0].astype(float), seen[0], 1e-5, 0.8)
    assert first.confidence == 0.8


# Bounds from one run


@pytest.mark.parametrize(
    ("n_canaries", "n_guesses", "right", "epsilon"),
    [
        (50, 10, 10, 1.0),
        (50, 10, 9, 2.0),
        (50, 10, 5, 0.0),
        (1000, 200, 180, 1.5),
        (4, 2, 1, 0.1),
        (30, 6, 0, 1.0),
        (9, 9, 7, 0.2),
    ],
)
@pytest.mark.parametrize("delta", [0.0, 1e-5, 1e-3, 0.1])
def test_the_chance_of_right_guesses_is_that_of_the_theorem(n_canaries, n_guesses, right, epsilon, delta):
    """So many right guesses are as likely as Steinke et al. say: a binomial tail, and delta times the steepest way to it."""
    share = np.exp(epsilon) / (1 + np.exp(epsilon))
    tails = [binom.pmf(range(least, n_guesses + 1), n_guesses, share).sum() for least in range(right + 1)]
    steepest = max([(tails[right - fewer] - tails[right]) / fewer for fewer in range(1, right + 1)], default=0.0)
    expected = min(1.0, tails[right] + 2 * n_canaries * delta * steepest)
    assert _chance(n_canaries, n_guesses, right, epsilon, delta) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(("n", "n_wrong", "confidence"), [(1000, 0, 0.95), (1000, 3, 0.95), (1009, 20, 0.99), (5, 0, 0.5)])
def test_the_bound_of_one_run_is_that_of_a_binomial_share(n, n_wrong, confidence):
    """Without delta the bound is that of the share of right guesses among the lowest and the highest tenth, exactly."""
    each = max(n // 10, 1)
    included = np.arange(n) >= n // 2
    included[:n_wrong] = True  # are among the lowest
    included[each] = included[-each - 1] = False  # are not guessed
    expected = logit(beta.ppf(1 - confidence, 2 * each - n_wrong, n_wrong + 1))
    assert one_run_epsilon(np.arange(n) / 7, included, 0.0, confidence) == pytest.approx(expected, abs=2e-4)


@pytest.mark.parametrize(("n_out", "n_in"), [(250, 150), (40_000, 1)])
def test_the_bound_of_gaussian_noise_is_that_of_no_errors_at_all(n_out, n_in):
    """Where a threshold between the two tells all canaries apart, either rate of errors is surely below its binomial bound."""
    included = np.repeat([False, True], [n_out, n_in])
    level = 0.1 / 40  # of twenty thresholds, both sides
    mu = -ndtri(1 - level ** (1 / n_out)) - ndtri(1 - level ** (1 / n_in))
    expected = epsilon_of_gaussian(mu, 1e-5)
    assert expected > 1.0
    assert gaussian_epsilon(included.astype(float), included, 1e-5, 0.9) == pytest.approx(expected, rel=1e-6)


def test_the_bound_of_gaussian_noise_counts_errors_on_both_sides():
    """Canaries on the wrong side of the best threshold raise the binomial bounds of their errors."""
    scores = np.repeat([0.0, 1.0], [300, 100])
    included = np.arange(400) >= 300
    included[:3], included[-2:] = True, False
    n_in, n_out = included.sum(), (~included).sum()
    bounds = beta.ppf(1 - 0.05 / 40, [3, 4], [n_out - 2, n_in - 3])
    expected = epsilon_of_gaussian(-ndtri(bounds).sum(), 1e-5)
    assert gaussian_epsilon(scores, included, 1e-5, 0.95) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("mu", [0.01, 1.0, 40.0])
@pytest.mark.parametrize("delta", [1e-12, 1e-5])
def test_epsilon_of_gaussian_noise_is_where_its_delta_is_met(mu, delta):
    """At epsilon the Gaussian mechanism spends delta, as Balle and Wang have it; delta 0 is taken for 1e-12."""
    epsilon = epsilon_of_gaussian(mu, delta)
    spent = ndtr(mu / 2 - epsilon / mu) - np.exp(epsilon + log_ndtr(-mu / 2 - epsilon / mu))
    assert spent == pytest.approx(delta, rel=1e-3)
    assert epsilon_of_gaussian(mu, 0.0) == epsilon_of_gaussian(mu, 1e-12)


@pytest.mark.parametrize("mu", [-1.0, 0.0, 1e-6])
def test_noise_that_hides_everything_has_epsilon_zero(mu):
    """Nothing is spent where a row changes nothing, or so little that delta pays for it."""
    assert epsilon_of_gaussian(mu, 1e-5) == 0.0
