"""What must hold with every release of every library that is declared, the oldest and the newest: one fit of each kind."""

import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from pandas.testing import assert_frame_equal

from sksynth import BatchLSTMSynthesizer, ColumnClusterer, LSTMTextModel, evaluation, fields
from sksynth.cli import main
from sksynth.datasets import make_mixed
from sksynth.tokenizers import TableTokenizer

pytestmark = pytest.mark.smoke


@pytest.fixture(scope="module")
def mixed():
    """Return a table of numbers, dates, text, identifiers, durations and missing cells; not to be changed."""
    return make_mixed(240, random_state=3)


@pytest.fixture(scope="module")
def fitted(mixed):
    """Return a synthesizer that was fitted on `mixed` for three epochs; not to be changed."""
    return BatchLSTMSynthesizer(text_model=LSTMTextModel(rnn_units=8, epochs=3), random_state=1).fit(mixed)


def test_a_mixed_table_is_learned_and_sampled(mixed, fitted, tmp_path):
    """Losses fall and are numbers, samples have the table's dtypes, and a synthesizer from a file draws the same rows."""
    history = fitted.history_
    assert np.isfinite(history[["loss", "val_loss"]]).all(axis=None)
    for _, losses in history.groupby("batch")["loss"]:
        assert len(losses) == 3
        assert losses.iloc[-1] < losses.iloc[0]
    assert np.isfinite(fitted.score(mixed))

    rows = fitted.sample(100, random_state=2)
    assert_frame_equal(mixed.iloc[:0], rows.iloc[:0])
    assert rows["order"].is_unique

    fitted.save(tmp_path / "model")
    assert_frame_equal(rows, BatchLSTMSynthesizer.load(tmp_path / "model").sample(100, random_state=2))


def test_a_sample_is_reported_and_written(mixed, fitted, tmp_path):
    """A report of samples becomes a page with its pictures, and samples in files of Parquet and CSV can be learned from."""
    rows = fitted.sample(120, random_state=0)
    evaluation.report(mixed, rows, random_state=0).to_html(tmp_path / "report.html")
    assert "data:image/svg+xml" in (tmp_path / "report.html").read_text(encoding="utf-8")

    for name in ("rows.parquet", "rows.csv"):
        fitted.sample_to(tmp_path / name, 120, random_state=0)
        again = BatchLSTMSynthesizer(text_model=LSTMTextModel(rnn_units=4, epochs=1), random_state=0).fit(tmp_path / name)
        assert list(again.sample(3, random_state=0)) == list(mixed)


def test_the_best_epoch_is_kept(mixed):
    """After more epochs than are needed the model scores rows as it scored the held-out ones in its best epoch."""
    table = mixed[["country", "currency", "status"]]
    model = LSTMTextModel(rnn_units=4, epochs=12, learning_rate=0.3, validation_fraction=0.4, patience=12, random_state=0)
    history = model.fit(table).history_

    assert np.flatnonzero(history["best"]).tolist() == [int(history["val_loss"].argmin())]
    assert -model.score(table) == pytest.approx(history["val_loss"].min(), abs=0.15)
    assert history["val_loss"].iloc[0] > history["val_loss"].min() + 0.3


@pytest.mark.parametrize("lines", [["aaaaaaaa"] * 40, ["the mill is old", "the well is deep", "no mill, no well"] * 20])
def test_lines_are_learned_in_pieces_of_words(lines):
    """Lines, also those of one character alone, are learned by SentencePiece and sampled again."""
    model = LSTMTextModel(rnn_units=16, epochs=3, random_state=0).fit(lines)

    assert np.isfinite(model.history_["loss"]).all()
    texts = model.sample(20, random_state=0)
    assert set("".join(lines)) & set("".join(texts))


def test_a_private_fit_spends_what_it_was_given(mixed):
    """A private fit of several epochs spends no more than its epsilon, and scores and draws rows of the public domains."""
    table = mixed[["country", "age", "member"]]
    countries = sorted(set(table["country"]))
    schema = {"country": fields.Category(countries), "age": fields.Number(0, 120), "member": fields.Boolean()}
    private = BatchLSTMSynthesizer(text_model=LSTMTextModel(rnn_units=4, epochs=2), epsilon=5.0, schema=schema)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "noise drowns the signal", UserWarning)
        private.fit(table)

    assert 0 < private.epsilon_ <= 5.0
    assert np.isfinite(private.score(table))
    rows = private.sample(50, random_state=0)
    assert set(rows["country"]) <= set(countries)
    assert rows["age"].between(0, 120).all()


def test_the_command_line_fits_and_samples(mixed, tmp_path):
    """`fit`, `info` and `sample` pass a table from file to file, and what is wrong is one line of standard error."""
    table, model, rows = (str(tmp_path / name) for name in ("table.csv", "model", "rows.csv"))
    mixed[["country", "age", "price"]].to_csv(table, index=False)
    run = CliRunner().invoke

    for args in (["fit", table, "-o", model, "--epochs", "2"], ["info", model], ["sample", model, "-n", "7", "-o", rows]):
        done = run(main, args)
        assert done.exit_code == 0, done.stderr
    assert pd.read_csv(rows).shape == (7, 3)

    failed = run(main, ["sample", str(tmp_path / "nothing"), "-n", "3", "-o", rows, "--overwrite"])
    assert failed.exit_code != 0
    assert "nothing" in failed.stderr
    assert failed.stdout == ""


def test_batches_are_learned_by_workers(mixed):
    """Two workers of joblib learn what one learns, to the same samples."""
    table = mixed[["country", "currency", "size", "status"]]
    one, two = (
        BatchLSTMSynthesizer(
            ColumnClusterer(max_columns=2), LSTMTextModel(rnn_units=4, epochs=2), random_state=0, n_jobs=n_jobs
        )
        .fit(table)
        .sample(20, random_state=0)
        for n_jobs in (1, 2)
    )
    assert_frame_equal(one, two)


def test_odd_cells_come_back():
    """What older releases of pandas and NumPy confuse comes back as it was: see the names of the columns."""
    n = 30
    table = pd.DataFrame(
        {
            "large": pd.Series([1, 2**64 - 1, None] * n, dtype=object),
            "cut at a NUL": pd.Series(["a\0b", "a\0c", "a"] * n, dtype=object),
            "half a pair": pd.Series(["\ud800", "\udfff", "b"] * n, dtype="string[python]"),
            "far away": pd.Series(["9999-12-31", "2020-01-05", "1492-10-12"] * n, dtype=object),
            "zone": pd.Series(pd.date_range("2020-03-28", periods=3 * n, tz="Europe/Vienna")),
        }
    )
    tokenizer = TableTokenizer(min_frequency=1).fit(table)

    assert tokenizer.schema_["far away"].kind == "datetime"
    assert_frame_equal(table, tokenizer.decode(tokenizer.encode(table)))


def test_negative_numbers_never_become_large_ones():
    """Whole numbers that neither int64 nor uint64 holds together are refused, whichever comes first."""
    for cells in ([-1, 2**63], [2**64 - 1, -2, 5]):
        with pytest.raises(ValueError, match=r"'n'.*64 bits hold together"):
            TableTokenizer().fit(pd.DataFrame({"n": pd.Series(cells * 30, dtype=object)}))


def test_nan_among_nullable_numbers_is_missing():
    """NaN that a division left in a nullable column is a missing cell, to inference, encoding and evaluation; X stays."""
    part, whole = (pd.Series(cells * 20, dtype="Float64") for cells in ([0.0, 1.5, 2.5], [0.0, 1.0, 2.0]))
    table = pd.DataFrame({"share": part / whole})
    before = table["share"].to_numpy(float, na_value=-1.0)
    tokenizer = TableTokenizer().fit(table)

    assert tokenizer.schema_["share"].nullable
    assert tokenizer.decode(tokenizer.encode(table))["share"].isna().tolist() == [True, False, False] * 20
    assert evaluation.missing_values(table, table)["real"].tolist() == [pytest.approx(1 / 3)]
    np.testing.assert_array_equal(before, table["share"].to_numpy(float, na_value=-1.0))


STARTED = """
import numpy as np, pandas as pd, tensorflow as tf
tf.reduce_sum(tf.random.normal((100, 100)) @ tf.random.normal((100, 100)))
from sksynth import LSTMTextModel
model = LSTMTextModel(rnn_units=4, epochs=2).fit(pd.DataFrame({"a": ["x", "y", "z"] * 20}))
print("fine:", np.isfinite(model.history_["loss"]).all())
"""


def test_where_tensorflow_runs_already_a_fit_goes_on():
    """A process whose own code has started TensorFlow can fit."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", STARTED], capture_output=True, text=True, timeout=900)

    assert "fine: True" in done.stdout, done.stderr
