"""Promises of audits by canaries: what is put in, what is compared, and bounds that are known."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from sksynth.privacy import Audit, audit
from sksynth.privacy._audit import assess

N = 100
TABLE = pd.DataFrame({"a": np.arange(N), "b": [f"b{i}" for i in range(N)], "c": np.arange(N) / 4}, index=range(40, 40 + N))


class Memory:
    """An estimator that learns by heart: the score of a row is how often it was seen."""

    def __init__(self, delta):
        self.delta_ = delta

    def fit(self, X):
        self.seen = X
        return self

    def score_samples(self, X):
        self.scored = X
        seen = Counter(self.seen.itertuples(index=False, name=None))
        return np.array([float(seen[row]) for row in X.itertuples(index=False, name=None)])


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


@pytest.mark.parametrize(
    ("epsilon", "delta", "ceiling"),
    [(0.0, 0.0, 0.01), (1.0, 1e-3, 0.028183), (3.0, 0.0, 0.200855), (8.0, 0.01, 0.999671)],
)
def test_the_ceiling_is_the_known_one(epsilon, delta, ceiling):
    """Under (epsilon, delta)-privacy no more is found than the trade-off of errors allows, from either side."""
    found = Audit(0.0, 0.0, 0.0, 0.5, 1, 0.95).ceiling(epsilon, delta)
    assert found == pytest.approx(ceiling, abs=1e-6)
