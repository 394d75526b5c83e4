"""Promises of BatchLSTMSynthesizer about likelihoods: they are those of a distribution over all rows there can be."""

import itertools

import numpy as np
import pandas as pd
import pytest

from sksynth import ColumnClusterer

N = 120
PICK = np.random.default_rng(0).integers(0, 40, N)  # a value of 40 for every row
MISSING = PICK % 7 == 0


def test_the_scores_of_all_rows_sum_to_one(fitted_small):
    """Over every row there can be, other and missing included, the probabilities of a fitted table sum to 1."""
    number = fitted_small.schema_["count"]
    values = ["red", "blue", "never seen", None], [True, False, None], [*range(number.low, number.high + 1), None]
    rows = pd.DataFrame(list(itertools.product(*values)), columns=["colour", "flag", "count"])
    rows = rows.astype({"flag": "boolean", "count": "Int64"})

    assert np.exp(fitted_small.score_samples(rows)).sum() == pytest.approx(1, abs=1e-5)


NUMBERS = {
    "whole": (PICK**2, 0),
    "two decimals": (np.round(np.exp(PICK / 8.0), 2), 2),
    "spikes": (np.where(PICK % 2, 0, PICK * 10), 0),
    "hundreds": (PICK * 100.0, -2),
}


@pytest.mark.parametrize("min_frequency", [1, 12])
@pytest.mark.parametrize("case", NUMBERS)
def test_the_scores_of_all_numbers_sum_to_one(synthesizer, case, min_frequency):
    """Over every number of the column's precision within its bounds, and missing, probabilities sum to 1 for any bins."""
    values, decimals = NUMBERS[case]
    table = pd.DataFrame({"x": pd.Series(values).astype("Float64").mask(MISSING)})
    fitted = synthesizer(min_frequency=min_frequency).fit(table)
    field = fitted.schema_["x"]
    assert field.precision in (decimals, 0)

    ticks = np.arange(round(field.low * 10**field.precision), round(field.high * 10**field.precision) + 1)
    every = pd.DataFrame({"x": pd.array([*(ticks / 10**field.precision), None], dtype="Float64")})
    assert np.exp(fitted.score_samples(every)).sum() == pytest.approx(1, abs=1e-5)


def test_the_density_of_a_continuous_number_integrates_to_one(synthesizer):
    """A number without a decimal precision scores a density: its integral over the bounds is 1."""
    table = pd.DataFrame({"x": np.random.default_rng(0).normal(size=N)})
    fitted = synthesizer().fit(table)
    field = fitted.schema_["x"]
    grid = np.linspace(field.low, field.high, 40_001)
    density = np.exp(fitted.score_samples(pd.DataFrame({"x": (grid[1:] + grid[:-1]) / 2})))

    assert "continuous" == field.precision
    assert density.mean() * (field.high - field.low) == pytest.approx(1, abs=0.02)


def test_unseen_and_folded_categories_score_as_other(small, fitted_small):
    """A category that fit has not seen scores as one that was too rare to be kept."""
    rare, unseen = small.head(3).copy(), small.head(3).copy()
    rare["colour"], unseen["colour"] = "rare", "never seen"

    np.testing.assert_array_equal(fitted_small.score_samples(rare), fitted_small.score_samples(unseen))
    assert np.isfinite(fitted_small.score_samples(unseen)).all()


def test_every_legal_row_has_a_finite_score(orders, fitted_orders):
    """Sampled rows, training rows, and rows with missing cells where fit had none have finite scores."""
    holes = orders.astype({"age": "Int64", "points": "Int32", "member": "boolean"})
    for name in set(holes) - {"order"}:
        holes[name] = holes[name].mask(np.arange(len(holes)) % 7 == list(holes).index(name) % 7)
    for rows in (orders, fitted_orders.sample(100, random_state=0), holes):
        assert np.isfinite(fitted_orders.score_samples(rows)).all()


def test_numbers_beyond_the_bounds_score_as_at_them(fitted_small, small):
    """A number that fit folded into its bounds scores finite, as the bound does."""
    field = fitted_small.schema_["count"]
    beyond, at = small.head(2).copy(), small.head(2).copy()
    beyond["count"], at["count"] = [-1000, 1000], [field.low, field.high]

    np.testing.assert_array_equal(fitted_small.score_samples(at), fitted_small.score_samples(beyond.astype(at.dtypes)))


def test_a_row_scores_alone_as_among_others(orders, fitted_orders):
    """The score of a row does not depend on its company or place, to the bit, across the chunks that are scored at once."""
    many = pd.concat([orders] * 3, ignore_index=True)
    scores = fitted_orders.score_samples(many)

    for row in (0, 1, len(orders) - 1, 511, 512, len(many) - 1):
        assert scores[row] == fitted_orders.score_samples(many.iloc[[row]])[0]
    np.testing.assert_array_equal(scores[::-1], fitted_orders.score_samples(many.iloc[::-1]))


def test_score_is_the_mean_and_the_sum_of_the_batches(small, synthesizer):
    """The score is the mean of score_samples, which is the sum over the models of batches that are not linked."""
    fitted = synthesizer(clusterer=ColumnClusterer(batches=[["count", "colour"], ["flag"]]), linked=False).fit(small)
    scores = fitted.score_samples(small)
    parts = [model.score_samples(small[model.columns_]) for model in fitted.models_]

    assert scores.mean() == fitted.score(small)
    np.testing.assert_allclose(np.sum(parts, axis=0), scores)
