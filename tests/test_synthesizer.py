"""Promises of BatchLSTMSynthesizer: every kind of column in and out, sampling, scoring, bad input, progress."""

import itertools
import logging
import re
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from sklearn.base import clone

import sksynth._progress
from sksynth import BatchLSTMSynthesizer, ColumnClusterer, LSTMTextModel
from sksynth.core._quiet import _is_no_false_alarm
from sksynth.fields import Boolean, Category, Number, Schema

HISTORY = ["batch", "epoch", "loss", "accuracy", "val_loss", "val_accuracy", "epsilon", "delta", "seconds", "best"]


# ---------------------------------------------------------------- columns

N = 120
PICK = np.random.default_rng(0).integers(0, 40, N)  # a value of 40 for every row
FEW = PICK % 5
WORDS = np.array(["red", "green", "blue", "violet", "grey"], object)
DAYS = np.datetime64("2020-01-01", "D") + PICK * 11
STAMPS = DAYS.astype("datetime64[ns]") + (PICK * 7919).astype("timedelta64[s]")
MISSING = PICK % 7 == 0

COLUMNS = {
    "int8": pd.Series(PICK - 20, dtype="int8"),
    "int16": pd.Series(PICK * 100, dtype="int16"),
    "int32": pd.Series(PICK - 20, dtype="int32"),
    "int64": pd.Series(PICK**3),
    "uint8": pd.Series(PICK * 6, dtype="uint8"),
    "uint64": pd.Series(PICK.astype("uint64") + np.uint64(2**63)),
    "Int64": pd.Series(PICK, dtype="Int64").mask(MISSING),
    "UInt8, none missing": pd.Series(PICK, dtype="UInt8"),
    "beyond 2**53": pd.Series(PICK * 3 + 2**60 + 1),
    "float32": pd.Series(PICK / 8, dtype="float32"),
    "float64": pd.Series(np.sqrt(PICK + 0.1)).mask(MISSING),
    "Float64": pd.Series(PICK / 10, dtype="Float64").mask(MISSING),
    "whole floats": pd.Series(PICK * 1.0).mask(MISSING),
    "negative": pd.Series(-np.round(PICK * 1.7, 1)),
    "skewed": pd.Series(np.exp(PICK / 2.0)),
    "bool": pd.Series(PICK % 3 == 0),
    "boolean": pd.Series(PICK % 3 == 0, dtype="boolean").mask(MISSING),
    "object": pd.Series(WORDS[FEW], dtype=object).mask(MISSING, None),
    "str": pd.Series(list(WORDS[FEW])),
    "string": pd.Series(list(WORDS[FEW]), dtype="string").mask(MISSING),
    "category": pd.Series(pd.Categorical(WORDS[FEW], categories=sorted(WORDS))).mask(MISSING),
    "ordered, a level unused": pd.Series(pd.Categorical(FEW, categories=[4, 3, 9, 2, 1, 0], ordered=True)),
    "datetime64[s]": pd.Series(STAMPS.astype("datetime64[s]")),
    "datetime64[ms]": pd.Series(STAMPS.astype("datetime64[ms]") + (PICK * 3).astype("timedelta64[ms]")),
    "datetime64[us]": pd.Series(STAMPS.astype("datetime64[us]")).mask(MISSING),
    "datetime64[ns]": pd.Series(STAMPS + PICK.astype("timedelta64[ns]")),
    "time zone": pd.Series(STAMPS).dt.tz_localize("UTC").dt.tz_convert("Europe/Vienna").mask(MISSING),
    "dates": pd.Series(DAYS.astype("datetime64[ns]")),
    "written dates": pd.Series(DAYS.astype(str).tolist()),
    "timedelta64[s]": pd.Series((PICK * 60).astype("timedelta64[s]")).mask(MISSING),
    "timedelta64[ns]": pd.Series((PICK * 1001).astype("timedelta64[ns]")),
    "constant number": pd.Series(np.full(N, 7.5)),
    "constant text": pd.Series(["same"] * N),
    "all missing": pd.Series(np.full(N, np.nan)),
    "all None": pd.Series([None] * N, dtype=object),
    "all NaT": pd.Series(np.full(N, "NaT", "datetime64[ns]")),
    "key": pd.Series([f"ID-{i:05d}" for i in np.random.default_rng(1).permutation(3 * N)[:N]]),
    "number as key": pd.Series(np.random.default_rng(2).permutation(N) + 1000),
    "text": pd.Series([f"{WORDS[i % 5]} {WORDS[i // 8]}{'!' * (i % 4)} {i}" for i in PICK]),
}


@pytest.fixture(scope="module")
def fitted_columns(synthesizer, template):
    """Return the table of `COLUMNS`, a synthesizer fitted on it in one batch but for the text, and a sample."""
    table = pd.DataFrame(COLUMNS)
    names = list(table.columns)
    clusterer = ColumnClusterer(batches=[names[:-1], names[-1:]])
    fitted = synthesizer(clusterer=clusterer, text_model=template(batch_size=64)).fit(table)
    return table, fitted, fitted.sample(300, random_state=0)


def assert_legal(values, field, given):
    """Check that sampled values are what their field admits, and that some are missing only where some were."""
    present = values.dropna()
    assert field.nullable or len(present) == len(values)
    if field.kind in ("category", "boolean"):
        known = [False, True] if field.kind == "boolean" else list(field.categories)
        assert set(present) <= set(known) & set(given.dropna())
    elif field.kind in ("number", "datetime") and len(given.dropna()):
        stamps = pd.to_datetime(present) if field.kind == "datetime" else present
        assert (stamps >= field.low).all()
        assert (stamps <= field.high).all()
    elif field.kind == "identifier":
        assert values.is_unique
        assert not set(values) & set(given)
        pattern = re.compile(field.pattern)
        assert all(pattern.fullmatch(str(value)) for value in values)
    elif field.kind == "text":
        assert (present.str.len() <= field.max_length).all()
        assert set("".join(present)) <= set("".join(given.dropna()))


@pytest.mark.parametrize("name", COLUMNS)
def test_every_kind_of_column_comes_back(fitted_columns, name):
    """A sampled column has the dtype of fit's, categories and levels included, and holds legal values alone."""
    table, fitted, sample = fitted_columns
    assert table[name].dtype == sample[name].dtype
    if name.startswith("all "):
        assert sample[name].isna().all()
    if name.startswith("constant"):
        assert set(table[name]) == set(sample[name])
    assert_legal(sample[name], fitted.schema_[name], table[name])


def test_a_sample_is_a_table_like_fits(fitted_columns):
    """The columns come in fit's order, whatever their batches, exactly n rows, with a fresh index."""
    table, _, sample = fitted_columns
    assert list(table) == list(sample)
    pd.testing.assert_index_equal(pd.RangeIndex(300), sample.index)


def test_decimals_are_as_fine_as_fits(fitted_columns):
    """Numbers with a decimal precision are sampled with that precision, integers beyond 2**53 exactly."""
    _, fitted, sample = fitted_columns
    np.testing.assert_array_equal(sample["negative"], sample["negative"].round(1))
    np.testing.assert_array_equal(sample["float32"], (sample["float32"] * 1000).round() / 1000)
    assert (sample["beyond 2**53"] % 2 == 1).any()
    assert (sample["beyond 2**53"] % 2 == 0).any()
    assert 0 == fitted.schema_["beyond 2**53"].precision


def test_sampled_orders_are_legal(orders, fitted_orders):
    """In a table of every kind with missing values, all that is sampled is what the schema admits."""
    sample = fitted_orders.sample(500, random_state=0)
    assert_frame_equal(orders.iloc[:0], sample.iloc[:0])
    for name, field in fitted_orders.schema_.items():
        assert_legal(sample[name], field, orders[name])


def test_schema_says_what_was_learned(orders, fitted_orders):
    """schema_ has every column in order, prints, and comes back from JSON; an identifier's pattern is in it."""
    schema = fitted_orders.schema_
    assert list(orders) == list(schema)
    assert schema == Schema.from_json(schema.to_json())
    assert schema["order"].pattern in str(schema)
    assert re.fullmatch(schema["order"].pattern, orders["order"].iloc[0])


def few_valued(n_rows, names):
    """Return a table of columns of two values: every such table of one width shares its compilation."""
    return pd.DataFrame({name: np.arange(n_rows) % 2 == i % 2 for i, name in enumerate(names)})


NAMES = {
    "numbers": [3, 1, 2],
    "tuples": pd.Index([("a", 1), ("a", 2), ("b", 1)], tupleize_cols=False),
    "mixed": ["a", 1, None],
    "dates": pd.date_range("2020", periods=3),
}


@pytest.mark.parametrize("case", NAMES)
def test_names_that_are_no_strings_are_kept(synthesizer, case):
    """Column names of any kind come back as they are, their index's type included."""
    table = few_valued(40, range(3)).set_axis(NAMES[case], axis=1)
    fitted = synthesizer().fit(table)

    pd.testing.assert_index_equal(table.columns, fitted.sample(3).columns)
    assert list(table.columns) == fitted.columns_
    assert not hasattr(fitted, "feature_names_in_")
    assert np.isfinite(fitted.score(table))


SHAPES = {"one column": (40, 1), "two rows": (2, 3), "one row": (1, 3), "200 columns": (40, 200)}


@pytest.mark.parametrize("case", SHAPES)
def test_tables_of_any_shape_are_taken(synthesizer, case):
    """One column, one or two rows, and 200 columns can be learned, sampled and scored."""
    n_rows, n_columns = SHAPES[case]
    table = few_valued(n_rows, [f"c{i}" for i in range(n_columns)])
    fitted = synthesizer(min_frequency=1).fit(table)
    sample = fitted.sample(7)

    assert (7, n_columns) == sample.shape
    assert (table.dtypes == sample.dtypes).all()
    assert np.isfinite(fitted.score(table))
    assert sorted(table.columns) == sorted(itertools.chain(*fitted.batches_))


def test_tables_with_nothing_to_model_are_taken(synthesizer):
    """A table of identifiers alone is sampled from its pattern; its history is empty, its score 0."""
    table = pd.DataFrame({"id": COLUMNS["key"]})
    fitted = synthesizer().fit(table)

    assert fitted.sample(5)["id"].is_unique
    assert 0 == fitted.score(table)
    assert HISTORY == list(fitted.history_)
    assert 0 == len(fitted.history_)


ARRAYS = {
    "float64": np.stack([PICK / 2.0, FEW], axis=1),
    "float32": np.stack([PICK / 2.0, FEW], axis=1).astype("float32"),
    "int64": np.stack([PICK, FEW], axis=1),
    "bool": np.stack([FEW > 1, FEW > 2], axis=1),
    "object": np.stack([WORDS[FEW], PICK], axis=1),
    "U": np.stack([WORDS[FEW], WORDS[FEW - 1]], axis=1).astype(str),
}


@pytest.mark.parametrize("case", ARRAYS)
def test_an_array_in_gives_an_array_out(synthesizer, case):
    """Who fits an array samples an array of its dtype, and scores arrays."""
    fitted = synthesizer().fit(ARRAYS[case])
    sample = fitted.sample(6)

    assert isinstance(sample, np.ndarray)
    assert (6, 2) == sample.shape
    assert ARRAYS[case].dtype.kind == sample.dtype.kind
    assert case == "U" or ARRAYS[case].dtype == sample.dtype
    assert np.isfinite(fitted.score_samples(ARRAYS[case])).all()


def test_rare_categories_are_neither_stored_nor_sampled(small, fitted_small):
    """A category in fewer than min_frequency rows is not in the schema and never drawn, not even for a label."""
    assert 2 == (small["colour"] == "rare").sum()
    assert {"red", "blue"} == set(fitted_small.schema_["colour"].categories)
    assert {"red", "blue"} == set(fitted_small.sample(500)["colour"].dropna())


# ---------------------------------------------------------------- sampling


def test_a_seed_decides_the_rows(fitted_orders):
    """The same seed gives the same rows, another gives others, and no seed gives others each time."""
    first = fitted_orders.sample(30, random_state=1)

    assert_frame_equal(first, fitted_orders.sample(30, random_state=1))
    assert_frame_equal(first, fitted_orders.sample(30, random_state=np.int64(1)))
    assert not first.equals(fitted_orders.sample(30, random_state=2))
    assert not fitted_orders.sample(30).equals(fitted_orders.sample(30))


def test_generators_as_seeds_move_on(fitted_small):
    """A generator of a given state decides the rows, and the next sample from it has others."""
    for make in (np.random.default_rng, np.random.RandomState):
        seed = make(5)
        first = fitted_small.sample(50, random_state=seed)
        assert_frame_equal(first, fitted_small.sample(50, random_state=make(5)))
        assert not first.equals(fitted_small.sample(50, random_state=seed))


@pytest.mark.parametrize("n", [1, 7, 4096, 4097])
def test_a_short_sample_is_the_start_of_a_long_one(fitted_orders, n):
    """The rows of sample(n) are the first n of sample(m), across the chunks in which they are drawn."""
    assert_frame_equal(fitted_orders.sample(5000, random_state=1).head(n), fitted_orders.sample(n, random_state=1))


@pytest.mark.parametrize("chunk_size", [1700, 5000, 100_000])
def test_chunks_together_are_the_sample(fitted_orders, chunk_size):
    """sample_iter gives the rows of sample whatever chunk_size is; identifiers are unique over the chunks and fresh."""
    chunks = list(fitted_orders.sample_iter(5000, chunk_size=chunk_size, random_state=1))
    together = pd.concat(chunks, ignore_index=True)

    assert all(len(chunk) == chunk_size for chunk in chunks[:-1])
    assert_frame_equal(fitted_orders.sample(5000, random_state=1), together)
    assert together["order"].is_unique


def test_sampled_identifiers_are_none_of_the_training_rows(orders, fitted_orders):
    """Identifiers have the pattern of the training's and copy none, even where they are most of the pattern's space."""
    sample = fitted_orders.sample(5000, random_state=1)["order"]
    assert not set(sample) & set(orders["order"])


def test_fits_do_not_depend_on_n_jobs(small, fitted_small, capfd):
    """Batches trained in two processes give the weights, history and samples of those trained in one, and as quietly."""
    other = clone(fitted_small).set_params(n_jobs=2).fit(small)

    assert_frame_equal(fitted_small.sample(50, random_state=1), other.sample(50, random_state=1))
    np.testing.assert_array_equal(fitted_small.score_samples(small), other.score_samples(small))
    assert_frame_equal(fitted_small.history_.drop(columns="seconds"), other.history_.drop(columns="seconds"))
    assert ("", "") == capfd.readouterr()


def test_a_seed_decides_the_fit(small, synthesizer):
    """The same seed gives the same fit, another seed another."""
    scores = [synthesizer(random_state=seed).fit(small[["flag"]]).score(small[["flag"]]) for seed in (1, 1, 2)]

    assert scores[0] == scores[1] != scores[2]


def test_temperature_sharpens_and_flattens(small, fitted_small):
    """A low temperature draws the likeliest values, a high one all values alike."""
    assert small["colour"].value_counts(normalize=True, dropna=False)["red"] > 0.4
    share = [(fitted_small.sample(2000, temperature=t, random_state=0)["colour"] == "red").mean() for t in (0.01, 1, 1e6)]

    assert share[0] == 1
    assert 0.4 < share[1] < 0.9
    assert share[2] == pytest.approx(1 / 3, abs=0.04)


def test_one_row_is_the_default(fitted_small):
    """sample() draws one row."""
    assert (1, 3) == fitted_small.sample().shape


# ---------------------------------------------------------------- scoring


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


def test_score_is_the_mean_and_the_sum_of_the_batches(orders, fitted_orders):
    """The score is the mean of score_samples, which is the sum over the models of the batches."""
    scores = fitted_orders.score_samples(orders)
    parts = [m.score_samples(orders[b]) for m, b in zip(fitted_orders.models_, fitted_orders.batches_, strict=True)]

    assert scores.mean() == fitted_orders.score(orders)
    np.testing.assert_allclose(np.sum(parts, axis=0), scores)


# ---------------------------------------------------------------- history


def test_history_has_one_row_per_batch_and_epoch(fitted_orders):
    """history_ has the columns that it says, its epochs counted from 0, and exactly one best epoch for each batch."""
    history = fitted_orders.history_

    assert HISTORY == list(history)
    assert [(batch, epoch) for batch in range(3) for epoch in range(2)] == list(zip(history.batch, history.epoch, strict=True))
    assert history.notna().all(axis=None)
    assert (history.groupby("batch")["best"].sum() == 1).all()
    assert (history.loc[history["best"], "val_loss"].to_numpy() == history.groupby("batch")["val_loss"].min()).all()
    assert (history["epsilon"] == np.inf).all()
    assert (history["delta"] == 0).all()
    assert (np.inf, 0.0) == (fitted_orders.epsilon_, fitted_orders.delta_)


def test_batches_have_models_of_their_own(fitted_orders):
    """Every batch has its own clone of the template, with the settings that were used."""
    assert fitted_orders.batches_ == [model.columns_ for model in fitted_orders.models_]
    assert 3 == len({id(model) for model in fitted_orders.models_})
    assert all({"rnn_units": 4, "epochs": 2}.items() <= model.training_.items() for model in fitted_orders.models_)


# ---------------------------------------------------------------- bad input

GOOD = pd.DataFrame({"a": [1.5, 2.5], "b": ["x", "y"]})
BAD_TABLES = {
    "no rows": (GOOD.iloc[:0], ValueError, r"0 sample\(s\).*at least one row"),
    "no columns": (GOOD.iloc[:, :0], ValueError, r"0 feature\(s\).*at least one column"),
    "duplicate names": (GOOD.set_axis(["a", "a"], axis=1), ValueError, r"duplicate column names \['a'\]: rename"),
    "infinity": (GOOD.assign(a=[1.0, np.inf]), ValueError, "'a'.*infinity in 1 of 2 rows.*replace"),
    "complex": (GOOD.assign(a=[1j, 2]), ValueError, "(?s)Complex.*'a'.*split"),
    "sparse": (GOOD.assign(a=pd.arrays.SparseArray([1, 0])), TypeError, "'a'.*sparse.*to_dense"),
    "a list in a cell": (GOOD.assign(b=[[1], [2]]), TypeError, "'b'.*list.*columns of their own"),
    "a dict in a cell": (GOOD.assign(b=[{}, {}]), TypeError, "'b'.*dict.*columns of their own"),
    "bytes": (GOOD.assign(b=[b"x", b"y"]), TypeError, "'b'.*bytes.*decode"),
    "one dimension": (np.arange(3.0), ValueError, "Reshape your data"),
    "nested names": (pd.concat({"u": GOOD}, axis=1), ValueError, "nested column names.*flatten"),
}


@pytest.mark.parametrize("case", BAD_TABLES)
def test_bad_tables_are_refused(case):
    """A table that cannot be learned is refused with an error that names the column and the remedy."""
    table, error, message = BAD_TABLES[case]
    with pytest.raises(error, match=message):
        BatchLSTMSynthesizer().fit(table)


BAD_SCHEMAS = {
    "an unknown column": ({"c": Number()}, r"\['c'\]"),
    "words as numbers": ({"b": Number()}, "'b'"),
    "numbers as truth": ({"a": Boolean()}, "'a'.*fields.Category"),
    "beyond a bound": ({"a": Number(high=2)}, "'a'.*2.5.*high.*change high"),
    "missing where it may not": ({"m": Number(nullable=False)}, "'m'.*nullable=False.*fill"),
    "not a category": ({"b": Category(["x"])}, "'b'.*'y'"),
}


@pytest.mark.parametrize("case", BAD_SCHEMAS)
def test_schemas_that_do_not_fit_are_refused(case):
    """A schema that the data contradicts is refused with an error that names the column."""
    schema, message = BAD_SCHEMAS[case]
    with pytest.raises(ValueError, match=message):
        BatchLSTMSynthesizer(schema=schema, min_frequency=1).fit(GOOD.assign(m=[1, None]))


BAD_PARAMETERS = {
    "min_frequency": ({"min_frequency": 0}, ValueError, "'min_frequency' parameter of BatchLSTMSynthesizer must be an int"),
    "verbose": ({"verbose": "no"}, TypeError, "'verbose' parameter of BatchLSTMSynthesizer"),
    "text_model": ({"text_model": ColumnClusterer()}, TypeError, "'text_model' parameter.*must be a LSTMTextModel or None"),
    "clusterer": ({"clusterer": LSTMTextModel}, TypeError, "'clusterer' parameter.*must be a ColumnClusterer or None"),
    "of the template": ({"text_model": LSTMTextModel(epochs=0)}, ValueError, "'epochs' parameter of LSTMTextModel"),
    "random_state twice": (
        {"text_model": LSTMTextModel(random_state=1), "random_state": 2},
        ValueError,
        r"random_state is set on text_model \(1\).*belongs to the synthesizer \(random_state=2\)",
    ),
    "tokenizer": ({"text_model": LSTMTextModel(tokenizer="x")}, ValueError, "tokenizer is set on text_model.*schema"),
    "random_state": ({"random_state": -1}, ValueError, "random_state must be an int >= 0"),
    "random_state by type": ({"random_state": "x"}, TypeError, "random_state must be an int >= 0"),
}


@pytest.mark.parametrize("case", BAD_PARAMETERS)
def test_bad_parameters_are_refused(case):
    """A parameter that is not what it may be is refused in fit, by name, the template's included."""
    parameters, error, message = BAD_PARAMETERS[case]
    with pytest.raises(error, match=message):
        BatchLSTMSynthesizer(**parameters).fit(GOOD)


BAD_DRAWS = {
    "no rows": ({"n_samples": 0}, ValueError, "n_samples must be an int >= 1, got 0"),
    "half a row": ({"n_samples": 1.5}, TypeError, "n_samples must be an int >= 1, got 1.5"),
    "truth": ({"n_samples": True}, TypeError, "n_samples must be an int >= 1, got True"),
    "no temperature": ({"n_samples": 1, "temperature": 0}, ValueError, "temperature must be a number > 0, got 0"),
    "cold": ({"n_samples": 1, "temperature": -1.0}, ValueError, "temperature must be a number > 0, got -1.0"),
    "no number": ({"n_samples": 1, "temperature": np.nan}, ValueError, "temperature must be a number > 0, got nan"),
    "warm": ({"n_samples": 1, "temperature": "warm"}, TypeError, "temperature must be a number > 0, got 'warm'"),
    "seed": ({"n_samples": 1, "random_state": -3}, ValueError, "random_state must be an int >= 0"),
}


@pytest.mark.parametrize("case", BAD_DRAWS)
def test_bad_draws_are_refused(fitted_small, case):
    """What cannot be drawn is refused at once, by sample and by sample_iter."""
    arguments, error, message = BAD_DRAWS[case]
    for draw in (fitted_small.sample, fitted_small.sample_iter):
        with pytest.raises(error, match=message):
            draw(**arguments)


def test_bad_chunk_sizes_are_refused(fitted_small):
    """A chunk has at least one row."""
    with pytest.raises(ValueError, match="chunk_size must be an int >= 1, got 0"):
        fitted_small.sample_iter(3, chunk_size=0)


BAD_SCORES = {
    "unseen": (lambda X: X.assign(new=1), "(?s)unseen at fit time.*new"),
    "lacking": (lambda X: X.drop(columns="flag"), "(?s)missing.*flag"),
    "another order": (lambda X: X[["flag", "count", "colour"]], "(?s)order"),
    "words as numbers": (lambda X: X.assign(count="x"), "'count'"),
}


@pytest.mark.parametrize("case", BAD_SCORES)
def test_tables_that_fit_has_not_seen_are_refused_at_score(small, fitted_small, case):
    """Scoring takes the columns of fit and says which are others."""
    change, message = BAD_SCORES[case]
    with pytest.raises(ValueError, match=message):
        fitted_small.score(change(small))


def test_unseen_names_that_are_no_strings_are_refused_at_score(synthesizer):
    """Columns named by numbers are compared with fit's as well."""
    table = few_valued(40, range(3))
    fitted = synthesizer().fit(table)
    with pytest.raises(ValueError, match=r"unseen in fit: \[7\]; lacking: \[2\]"):
        fitted.score(table.rename(columns={2: 7}))


# ---------------------------------------------------------------- progress


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_one_bar_shows_batches_and_epochs(small, fitted_small, capsys, n_jobs):
    """verbose=1 writes one bar to standard error, over all epochs of all batches, with the loss; nothing to the other."""
    shown = clone(fitted_small).set_params(n_jobs=n_jobs, verbose=1).fit(small)
    out, err = capsys.readouterr()

    assert "" == out
    assert 1 == err.count("\n")
    assert re.search(r"fit: 100%\|.*\| 2/2 \[.*batches=2/2, loss=\d+\.\d+\]", err.split("\r")[-1])
    assert f"loss={shown.history_['loss'].mean():.3f}" in err


def test_a_bar_is_drawn_only_when_something_has_changed(monkeypatch):
    """However long nothing moves, the bar is not drawn again."""
    monkeypatch.setattr(sksynth._progress, "LOOK_EVERY", 0.001)
    drawn = []
    monkeypatch.setattr(sksynth._progress, "_show", lambda *args: drawn.append(args[0].tolist()))
    state = sksynth.core.EpochState(0, 4, 1.5, 0.5, np.nan, np.nan, 0.1, False)
    with sksynth._progress.progress_bar(1, [4, 4]) as board:
        for batch in (0, 1):
            board.watch(batch)(state)
            waited = time.monotonic() + 5
            while len(drawn) <= batch and time.monotonic() < waited:
                time.sleep(0.01)
        time.sleep(0.05)

    assert [[[1, 1.5], [0, 0]], [[1, 1.5], [1, 1.5]]] == drawn


def test_a_template_that_is_verbose_shows_a_bar_per_batch(small, template, capsys):
    """verbose=1 on the template shows each batch's own bar."""
    BatchLSTMSynthesizer(text_model=template(verbose=1), random_state=0).fit(small[["flag"]])

    assert "batch 0: 100%" in capsys.readouterr().err


def test_long_sampling_shows_a_bar(fitted_small, capsys, monkeypatch):
    """Sampling shows a bar over its rows where it takes longer than a few seconds, and none before."""
    verbose = BatchLSTMSynthesizer(verbose=1)
    vars(verbose).update(vars(fitted_small), verbose=1)
    verbose.sample(5000)
    assert "" == capsys.readouterr().err

    monkeypatch.setattr(sksynth._progress, "SAMPLING_DELAY", 0)
    verbose.sample(5000)
    assert "sample: 100%" in capsys.readouterr().err


@pytest.mark.parametrize("n_jobs", [1, 2])  # the last with workers: joblib ends them after an error
def test_an_error_names_its_batch_and_columns(small, fitted_small, n_jobs):
    """What goes wrong in a worker keeps its type and says in which batch, of which columns."""
    diverging = clone(fitted_small)
    diverging.set_params(n_jobs=n_jobs, text_model__learning_rate=1e30, text_model__epochs=4)
    with pytest.raises(FloatingPointError, match="lower learning_rate") as caught:
        diverging.fit(small)

    assert re.fullmatch(r"while fitting batch [01], columns \[.*'(count|flag)'.*\]", caught.value.__notes__[0])


def test_quiet_is_quiet():
    """With verbose=0 a fresh process that fits, scores and samples writes nothing at all."""
    code = (
        "import numpy as np, pandas as pd\n"
        "from sksynth import BatchLSTMSynthesizer, LSTMTextModel\n"
        "table = pd.DataFrame({'a': np.arange(40) % 2 == 0, 'b': np.arange(40) % 3 == 0})\n"
        "model = LSTMTextModel(rnn_units=4, embedding_dim=4, epochs=1)\n"
        "synthesizer = BatchLSTMSynthesizer(text_model=model).fit(table)\n"
        "synthesizer.sample(3), synthesizer.score(table)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)

    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)


def test_retracing_is_no_matter_for_warnings_in_here_alone():
    """TensorFlow's warnings of retracing are held back where our core calls it, and nowhere else; all others pass."""
    logger, records = logging.getLogger("tensorflow"), []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())
    logger.addHandler(handler)
    speak = "def speak(text):\n    logger.warning(text)"
    ours, others = {"__name__": "sksynth.core._training", "logger": logger}, {"__name__": "other", "logger": logger}
    try:
        for scope in (ours, others):
            exec(speak, scope)
            scope["speak"](f"triggered retracing by {scope['__name__']}")
            scope["speak"](f"trouble in {scope['__name__']}")
    finally:
        logger.removeHandler(handler)

    assert _is_no_false_alarm in logger.filters
    assert ["trouble in sksynth.core._training", "triggered retracing by other", "trouble in other"] == records
