"""Promises of BatchLSTMSynthesizer: every kind of column in and out, sampling, history."""

import itertools
import os
import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from joblib import Parallel, delayed
from pandas.testing import assert_frame_equal
from sklearn.base import clone

from sksynth import ColumnClusterer
from sksynth.fields import Schema

HISTORY = ["batch", "epoch", "loss", "accuracy", "val_loss", "val_accuracy", "epsilon", "delta", "seconds", "best", "ended"]


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
    return table, fitted, fitted.sample(250, random_state=0)


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
    pd.testing.assert_index_equal(pd.RangeIndex(250), sample.index)


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


NAMES = {
    "numbers": [3, 1, 2],
    "tuples": pd.Index([("a", 1), ("a", 2), ("b", 1)], tupleize_cols=False),
    "mixed": ["a", 1, None],
    "dates": pd.date_range("2020", periods=3),
}


@pytest.mark.parametrize("case", NAMES)
def test_names_that_are_no_strings_are_kept(few_valued, synthesizer, case):
    """Column names of any kind come back as they are, their index's type included."""
    table = few_valued(40, range(3)).set_axis(NAMES[case], axis=1)
    fitted = synthesizer().fit(table)

    pd.testing.assert_index_equal(table.columns, fitted.sample(3).columns)
    assert list(table.columns) == fitted.columns_
    assert not hasattr(fitted, "feature_names_in_")
    assert np.isfinite(fitted.score(table))


SHAPES = {"one column": (40, 1), "two rows": (2, 3), "one row": (1, 3), "200 columns": (40, 200)}


@pytest.mark.parametrize("case", SHAPES)
def test_tables_of_any_shape_are_taken(few_valued, synthesizer, case):
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


def test_workers_keep_to_the_threads_that_joblib_grants():
    """TensorFlow in a worker takes its share of the cores, not all of them."""

    def threads():
        import sksynth.core  # noqa: F401  it starts TensorFlow

        # isort: split
        import tensorflow as tf

        own = tf.config.threading
        taken = own.get_inter_op_parallelism_threads(), own.get_intra_op_parallelism_threads()
        return taken, int(os.environ["OMP_NUM_THREADS"])

    taken, granted = Parallel(n_jobs=2)([delayed(threads)()])[0]

    assert (granted, granted) == taken


def test_workers_keep_to_their_threads_where_keras_came_first():
    """So it is too where TensorFlow was loaded before the core, as by a callback of Keras that a worker was sent."""
    code = "import keras, sksynth.core, tensorflow; print(tensorflow.config.threading.get_intra_op_parallelism_threads())"
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True
    )

    assert "1" == done.stdout.strip()


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


def test_the_highest_temperature_draws_all_values_alike(small, fitted_small):
    """Up to the highest temperature rows hold values of their columns, and no more missing ones than can be."""
    rows = fitted_small.sample(600, temperature=3e38, random_state=0)

    assert (rows["colour"] == "red").mean() == pytest.approx(1 / 3, abs=5 * np.sqrt(2 / 9 / 600))
    assert all(small[column].isna().any() or not rows[column].isna().any() for column in small)


@pytest.mark.parametrize("n_others", [0, 1])
def test_few_columns_keep_what_ties_them(synthesizer, template, n_others):
    """Rows of a table of two or three columns keep the tie of the first two, whichever of them is read first."""
    rng = np.random.default_rng(0)
    x, noise = rng.choice(list("abcdef"), 600), {f"noise_{i}": rng.choice(list("uv"), 600) for i in range(n_others)}
    table = pd.DataFrame({"x": x, "y": np.char.upper(x), **noise})
    model = synthesizer(text_model=template(rnn_units=16, embedding_dim=8, epochs=20, learning_rate=0.02, any_order=True))
    rows = model.fit(table).sample(600, random_state=1)

    assert (rows["y"] == rows["x"].str.upper()).mean() > 0.95


def test_one_row_is_the_default(fitted_small):
    """sample() draws one row."""
    assert (1, 3) == fitted_small.sample().shape


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
    parts = zip(fitted_orders.models_, fitted_orders.links_, fitted_orders.batches_, strict=True)
    assert all(sorted(model.columns_) == sorted(context + batch) for model, context, batch in parts)
    assert 3 == len({id(model) for model in fitted_orders.models_})
    assert all({"rnn_units": 4, "epochs": 2}.items() <= model.training_.items() for model in fitted_orders.models_)
