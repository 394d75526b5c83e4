"""Promises of BatchLSTMSynthesizer about likelihoods: they are those of a distribution over all rows there can be."""

import itertools

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV, KFold

from sksynth import BatchLSTMSynthesizer, ColumnClusterer
from sksynth.fields import Identifier, Text
from sksynth.tokenizers import CharTokenizer, TableTokenizer

N = 120
PICK = np.random.default_rng(0).integers(0, 40, N)  # a value of 40 for every row
MISSING = PICK % 7 == 0


def test_the_scores_of_all_rows_sum_to_one(fitted_small):
    """Over every row there can be, other and missing included, the probabilities of a fitted table sum to 1."""
    number = fitted_small.schema_["count"]
    values = ["red", "blue", "never seen", None], [True, False, None], [*range(number.low, number.high + 1), None]
    rows = pd.DataFrame(list(itertools.product(*values)), columns=["colour", "flag", "count"])
    rows = rows.astype({"flag": "boolean", "count": "Int64"})
    stands_for = np.where(rows["colour"] == "never seen", 1e6, 1)  # so many values that fit did not keep

    assert (stands_for * np.exp(fitted_small.score_samples(rows))).sum() == pytest.approx(1, abs=1e-5)


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


FLOOR = np.log(1e6)


def test_unseen_and_folded_categories_score_as_a_millionth_of_other(small, fitted_small):
    """A category that fit has not kept loses 13.8 nats, whichever it is."""
    rare, unseen = small.head(3).copy(), small.head(3).copy()
    rare["colour"], unseen["colour"] = "rare", "never seen"
    labelled = fitted_small.models_[0].tokenizer_

    np.testing.assert_array_equal(fitted_small.score_samples(rare), fitted_small.score_samples(unseen))
    assert np.isfinite(fitted_small.score_samples(unseen)).all()
    np.testing.assert_allclose(labelled.log_outside(unseen[labelled.columns_]), FLOOR)


def test_every_legal_row_has_a_finite_score(orders, fitted_orders):
    """Sampled rows, training rows, and rows with missing cells where fit had none have finite scores."""
    holes = orders.astype({"age": "Int64", "points": "Int32", "member": "boolean"})
    for name in set(holes) - {"order"}:
        holes[name] = holes[name].mask(np.arange(len(holes)) % 7 == list(holes).index(name) % 7)
    for rows in (orders, fitted_orders.sample(100, random_state=0), holes):
        assert np.isfinite(fitted_orders.score_samples(rows)).all()


def test_numbers_beyond_the_bounds_score_the_lower_the_farther(fitted_small, small):
    """A number beyond the bounds scores finite, at least 13.8 nats below the bound, and less the farther it lies outside."""
    field = fitted_small.schema_["count"]
    rows = pd.concat([small.head(1)] * 6, ignore_index=True)
    rows["count"] = pd.array([field.high, field.high + 1, field.high + 2, 1000, 10**12, 2**62], dtype="Int64")
    scores = fitted_small.score_samples(rows)

    assert np.isfinite(scores).all() and (np.diff(scores) < 0).all()
    assert scores[1] < scores[0] - FLOOR
    rows["count"] = pd.array([field.low, field.low - 1, field.low - 2, -1000, -(10**12), -(2**62)], dtype="Int64")
    assert (np.diff(fitted_small.score_samples(rows)) < 0).all()


WRONG = {
    "price": [1e9, 10.123],
    "when": [pd.Timestamp("1700-01-01"), pd.Timestamp("2020-06-15 10:00:01")],
    "city": ["Atlantis", ""],
    "note": ["\u3042\u3042", "ab" * 300],
    "level": [-1e6, 1e300],
}


@pytest.mark.parametrize("column", WRONG)
def test_rows_with_values_outside_score_below_all_real_rows(synthesizer, column):
    """A value outside of what fit kept, of any kind of column, ranks below every row that fit kept whole, and is finite."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({
        "price": rng.integers(100, 9000, N) / 100,
        "when": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 365, N), "D"),
        "city": rng.choice(["Bonn", "Köln"], N),
        "note": rng.choice(["aab", "abba", "baa"], N),
        "level": rng.normal(size=N),
    })  # fmt: skip
    table["note"] = table["note"].astype("string")
    fitted = synthesizer(min_frequency=1, schema={"note": Text()}).fit(table)
    wrong = pd.concat([table.head(5).assign(**{column: value}) for value in WRONG[column]]).astype(table.dtypes)
    scores = fitted.score_samples(wrong)

    assert np.isfinite(scores).all()
    assert scores.max() < fitted.score_samples(table).min()


def test_many_cells_that_fit_has_not_kept_are_told(small, fitted_small):
    """Where more than a fifth of a column's cells are outside, `score` warns, with columns and remedy; not of a few."""
    many = pd.concat([small.head(40), small.head(24).assign(count=10**6, colour="never seen")]).astype({"count": "Int64"})
    with pytest.warns(UserWarning, match=r"(?s)not kept .*'colour' \(41%\), 'count' \(38%\).*min_frequency"):
        assert np.isfinite(fitted_small.score(many))

    fitted_small.score(pd.concat([small.head(60), small.head(4).assign(count=10**6)]).astype({"count": "Int64"}))


def test_missing_cells_where_fit_had_none_score_low():
    """A missing cell of a column that had none in fit loses 13.8 nats; where fit had some, nothing."""
    table = pd.DataFrame({"price": np.arange(N) % 9 / 2, "kind": np.where(PICK % 2, "a", "b"), "rate": np.arange(N) % 7 * 1.0})
    table.loc[::5, "rate"] = np.nan
    tokenizer = TableTokenizer(min_frequency=1).fit(table)
    for column, loss in (("price", FLOOR), ("kind", FLOOR), ("rate", 0.0)):
        np.testing.assert_allclose(tokenizer.log_outside(table.assign(**{column: None}).astype(table.dtypes)), loss)


def test_lines_with_characters_and_lengths_that_were_not_learned_score_low(template):
    """Each unknown character costs a line 13.8 nats, as being cut does once, beside a token's share for each that is cut."""
    model = template(tokenizer=CharTokenizer(max_length=8), random_state=0).fit(["abba", "abab", "ba", "abbaabba"] * 10)
    known, unknown, whole, cut = model.score_samples(["abba", "ab\u3042\u3042", "abbaabba", "abbaabbaabba"])

    assert unknown < known - 2 * FLOOR + 5
    assert whole - cut == pytest.approx(FLOOR + 4 * np.log(len(model.tokenizer_.vocabulary_)), abs=1e-4)


def test_identifiers_of_another_pattern_score_low(synthesizer):
    """An identifier that fit has seen, or one like it, costs nothing; one of another pattern 13.8 nats."""
    table = pd.DataFrame({"key": [f"K-{i:04}" for i in range(N)], "flag": PICK % 2 == 0})
    fitted = synthesizer(schema={"key": Identifier()}).fit(table)
    seen, new, other = fitted.score_samples(table.head(1).loc[[0, 0, 0]].assign(key=["K-0000", "K-0777", "somebody"]))

    assert seen == new
    assert new - other == pytest.approx(FLOOR)


@pytest.mark.filterwarnings("ignore:column 'city'", "ignore:score")
def test_a_search_over_min_frequency_prefers_the_finer_model(template):
    """A coarser schema does not score better over folds: what it folds or clips counts by what it stands for."""
    rng, n = np.random.default_rng(0), 400
    shares = np.r_[np.full(5, 0.12), np.full(10, 0.04)]
    table = pd.DataFrame({"city": [f"c{i}" for i in rng.choice(15, n, p=shares)], "age": rng.integers(18, 80, n)})
    grid = {"min_frequency": [1, 40, 150]}
    estimator = BatchLSTMSynthesizer(text_model=template(), random_state=0)
    search = GridSearchCV(estimator, grid, cv=KFold(2, shuffle=True, random_state=0)).fit(table)

    assert search.best_params_ == {"min_frequency": 1}
    assert (np.diff(search.cv_results_["mean_test_score"]) < 0).all()
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


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
