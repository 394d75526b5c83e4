"""Promises of BatchLSTMSynthesizer about what it refuses, and how."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from joblib import parallel_config
from sklearn.base import clone

from sksynth import BatchLSTMSynthesizer, ColumnClusterer, LSTMTextModel, _forks
from sksynth.fields import Boolean, Category, Number

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
    "too hot": (
        {"n_samples": 1, "temperature": 1e39},
        ValueError,
        "must be .* of at most 3.4e.38, got 1e.39",
    ),
    "infinite": (
        {"n_samples": 1, "temperature": np.inf},
        ValueError,
        "must be .* of at most 3.4e.38, got inf",
    ),
    "too long": (
        {"n_samples": 1, "temperature": 10**5_000},
        ValueError,
        "must be .* of at most 3.4e.38, got a larger",
    ),
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


def test_unseen_names_that_are_no_strings_are_refused_at_score(few_valued, synthesizer):
    """Columns named by numbers are compared with fit's as well."""
    table = few_valued(40, range(3))
    fitted = synthesizer().fit(table)
    with pytest.raises(ValueError, match=r"unseen in fit: \[7\]; lacking: \[2\]"):
        fitted.score(table.rename(columns={2: 7}))


@pytest.mark.parametrize("n_jobs", [1, 2])  # the last with workers: joblib ends them after an error
def test_an_error_names_its_batch_and_columns(small, fitted_small, n_jobs):
    """What goes wrong in a worker keeps its type and says in which batch, of which columns."""
    diverging = clone(fitted_small)
    diverging.set_params(n_jobs=n_jobs, text_model__learning_rate=1e30, text_model__epochs=4)
    with pytest.raises(FloatingPointError, match="lower learning_rate") as caught:
        diverging.fit(small)

    assert re.fullmatch(r"while fitting batch [01], columns \[.*'(count|flag)'.*\]", caught.value.__notes__[0])


def test_a_backend_that_forks_is_refused(small, synthesizer):
    """Joblib's multiprocessing backend is refused with the reason and the remedy, before anything is trained."""
    unfitted = synthesizer(n_jobs=2)

    with (
        parallel_config("multiprocessing"),
        pytest.raises(ValueError, match=r"'multiprocessing' forks.*parallel_config\('loky'"),
    ):
        unfitted.fit(small)

    assert not hasattr(unfitted, "models_")


def test_a_fork_of_a_process_with_tensorflow_is_refused(monkeypatch, small, synthesizer, fitted_small):
    """In a process that was forked after TensorFlow was started, training and scoring say so instead of hanging."""
    monkeypatch.setattr(_forks, "_is_lost", True)

    for call in (synthesizer().fit, fitted_small.score):
        with pytest.raises(RuntimeError, match=r"is a fork.*'loky'"):
            call(small)


def test_a_second_fit_that_fails_leaves_the_first(few_valued, synthesizer):
    """A table that cannot be learned leaves a fitted synthesizer as it was."""
    model = synthesizer().fit(few_valued(40, ["a", "b"]))
    before = model.sample(10, random_state=0)
    with pytest.raises((TypeError, ValueError)):
        model.fit(pd.DataFrame({"other": [b"1", {}] * 20}))
    pd.testing.assert_frame_equal(before, model.sample(10, random_state=0))


@pytest.mark.parametrize("made", [BatchLSTMSynthesizer, LSTMTextModel])
def test_an_empty_checkpoint_dir_is_refused(made, few_valued):
    """An empty checkpoint_dir, which would be the working directory, is refused by name."""
    with pytest.raises(ValueError, match=r"'checkpoint_dir' parameter of .* got ''"):
        made(checkpoint_dir="").fit(few_valued(40, ["a", "b"]))


FORK = """
import multiprocessing as mp, queue
import tensorflow as tf

def work(answers):
    import pandas as pd
    from sksynth import BatchLSTMSynthesizer
    try:
        BatchLSTMSynthesizer(random_state=0).fit(pd.DataFrame({"a": ["x", "y", "z"] * 20}))
    except RuntimeError as error:
        answers.put(str(error))

tf.reduce_sum(tf.random.normal((100, 100)))
context = mp.get_context("fork")
answers = context.Queue()
child = context.Process(target=work, args=(answers,), daemon=True)
child.start()
print(answers.get(timeout=120))
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads of a process are listed on Linux alone")
def test_a_fork_of_a_process_in_which_others_started_tensorflow_is_refused():
    """Where the user's own code started TensorFlow before the fork, fit says so in the child instead of hanging."""
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", FORK], capture_output=True, text=True, timeout=900)

    assert "is a fork" in done.stdout, done.stderr


FORKS = """
import os
import tensorflow as tf

def start():
    tf.reduce_sum(tf.random.normal((10, 10)))

def told(begins=lambda: None):
    begins()
    from sksynth._forks import refuse_fork
    try:
        return refuse_fork() or "fine"
    except RuntimeError:
        return "refused"

def of_fork(*begins):
    read, write = os.pipe()
    if not os.fork():
        os.write(write, told(*begins).encode())
        os._exit(0)
    os.wait()
    return os.read(read, 9).decode()

print("starts it in the fork:", of_fork(start))
start()
print("imports sksynth in the fork:", of_fork())
print("no fork:", told())
print("imports sksynth before:", of_fork())
print("fork of a fork:", of_fork(lambda: print("its fork:", of_fork())))
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads of a process are listed on Linux alone")
def test_only_forks_of_a_process_with_tensorflow_are_refused():
    """What is refused is a fork that comes after TensorFlow was started, and neither where it was started nor other forks."""
    done = subprocess.run([sys.executable, "-u", "-W", "ignore", "-c", FORKS], capture_output=True, text=True, timeout=900)

    assert done.stdout.splitlines() == [
        "starts it in the fork: fine",
        "imports sksynth in the fork: refused",
        "no fork: fine",
        "imports sksynth before: refused",
        "its fork: refused",
        "fork of a fork: refused",
    ], done.stderr


def test_parameters_of_the_text_model_are_told_from_those_of_the_synthesizer():
    """A parameter of the template given to the synthesizer is rejected with the line that sets it."""
    with pytest.raises(TypeError, match=r"unexpected arguments: epochs; pass text_model=LSTMTextModel\(epochs=3\)"):
        BatchLSTMSynthesizer(epochs=3)
    with pytest.raises(TypeError, match=r"unexpected arguments: colour$"):
        BatchLSTMSynthesizer(colour="red")

    assert BatchLSTMSynthesizer(text_model=LSTMTextModel(epochs=3)).text_model.epochs == 3


class Loud(LSTMTextModel):
    """A subclass with parameters of its own."""

    def __init__(self, rnn_units=4, epochs=1):
        super().__init__(rnn_units=rnn_units, epochs=epochs, embedding_dim=4, validation_fraction=0.0)


def test_a_subclass_given_as_template_stays_one(small, tmp_path):
    """Models of the batches are clones of the template, of its class, also after more training and from a file."""
    fitted = BatchLSTMSynthesizer(text_model=Loud(rnn_units=3), random_state=0).fit(small)
    fitted.partial_fit(small.head(20))
    fitted.save(tmp_path / "model")

    loaded = BatchLSTMSynthesizer.load(tmp_path / "model", trusted=[Loud])

    for synthesizer in (fitted, loaded):
        assert [type(model) for model in synthesizer.models_] == [Loud]
        assert synthesizer.models_[0].training_["rnn_units"] == 3
        assert len(synthesizer.sample(5, random_state=0)) == 5
