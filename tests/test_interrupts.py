"""Promises about Ctrl-C: what was learned stays, and KeyboardInterrupt reaches whoever called fit."""

import os
import signal
import warnings
from contextlib import suppress

import joblib
import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score

from sksynth import BatchLSTMSynthesizer, ColumnClusterer, LSTMTextModel

pytestmark = pytest.mark.usefixtures("sigint")


class Ctrl:
    """A callback that sends Ctrl-C to this process, once; copies are the same.

    Parameters
    ----------
    batch, epoch : int
        After which epoch of which batch.
    """

    def __init__(self, batch=0, epoch=0):
        self.where, self.seen, self.pressed = (batch, epoch), [], False

    def __call__(self, state):
        self.seen.append((state.batch, state.epoch))
        if (state.batch, state.epoch) == self.where and not self.pressed:
            self.pressed = True
            signal.raise_signal(signal.SIGINT)

    def __deepcopy__(self, memo):
        return self


class Early(keras.callbacks.Callback):
    """A callback that sends Ctrl-C in the middle of the first epoch."""

    def on_train_batch_end(self, batch, logs=None):
        """Send it after the first step."""
        if batch == 0:
            signal.raise_signal(signal.SIGINT)


@pytest.fixture(scope="module")
def make(synthesizer, template):
    """Return a function that makes a synthesizer of two batches of a few epochs; parameters may be changed."""

    def make(of_template=None, **parameters):
        text_model = template(**{"epochs": 4, "batch_size": 8} | (of_template or {}))
        return synthesizer(
            **{"clusterer": ColumnClusterer(batches=[["a", "b"], ["c", "d"]]), "text_model": text_model, "linked": False}
            | parameters
        )

    return make


def model(**parameters):
    """Return a model of a few epochs."""
    return LSTMTextModel(
        **{"embedding_dim": 4, "rnn_units": 4, "epochs": 4, "batch_size": 8, "validation_fraction": 0.0, "random_state": 0}
        | parameters
    )


def state_of(estimator):
    """Return a digest of all that an estimator knows but for its callbacks."""
    return joblib.hash({name: value for name, value in vars(estimator).items() if name != "callbacks"})


@pytest.mark.parametrize("error_score", [np.nan, "raise"])
def test_a_grid_search_ends(make, table, error_score):
    """Ctrl-C in a fit of a grid search ends the search: no fit that was cut short is scored, and none is begun after it."""
    ctrl = Ctrl(batch=1)
    search = GridSearchCV(
        make(callbacks=[ctrl]), {"text_model__learning_rate": [0.01, 0.02]}, cv=2, error_score=error_score, refit=False
    )
    with pytest.raises(KeyboardInterrupt, match="the fit was interrupted"):
        search.fit(table)

    assert not hasattr(search, "cv_results_")
    assert 1 == ctrl.seen.count((0, 0))


def test_a_grid_search_in_processes_ends(make, table):
    """So does one whose fits are in other processes, where one of them gets Ctrl-C."""

    def press(state):
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # where the tests run in the background
            signal.signal(signal.SIGINT, signal.default_int_handler)
        signal.raise_signal(signal.SIGINT)

    search = GridSearchCV(make(callbacks=[press]), {"text_model__learning_rate": [0.01, 0.02]}, cv=2, n_jobs=2, refit=False)
    with pytest.raises(KeyboardInterrupt):
        search.fit(table)
    assert not hasattr(search, "cv_results_")


@pytest.mark.parametrize("pressed", [Ctrl(), Ctrl(epoch=3), Early()], ids=["epoch", "last epoch", "within the first"])
def test_cross_validation_ends(table, pressed):
    """cross_val_score ends with KeyboardInterrupt whenever in a fit Ctrl-C is pressed, in its last epoch too."""
    with pytest.raises(KeyboardInterrupt, match="the fit was interrupted"):
        cross_val_score(model(callbacks=[pressed]), table, cv=2, error_score=np.nan)


def test_a_loop_of_fits_ends(table):
    """Ctrl-C in the second of a loop of fits ends the loop there; the first model is whole, the second as far as it came."""
    ctrl, fitted = Ctrl(), []
    with pytest.raises(KeyboardInterrupt):
        for callbacks in (None, [ctrl], None):
            fitted.append(model(callbacks=callbacks))
            fitted[-1].fit(table)

    assert [False, True] == [one.interrupted_ for one in fitted]
    assert [4, 2] == [len(one.history_) for one in fitted]
    assert ["plan", "interrupt"] == [one.history_["ended"].iloc[-1] for one in fitted]


def test_what_was_learned_is_kept(table):
    """A model that Ctrl-C has stopped has the weights of its best epoch: it samples, scores, and is trained further."""
    stopped = model(epochs=1000, callbacks=[Ctrl(epoch=3)])
    with pytest.raises(KeyboardInterrupt, match="this estimator is fitted, as far as history_ says"):
        stopped.fit(table)

    assert (10, 4) == stopped.sample(10).shape
    assert stopped.score(table) > model(epochs=1).fit(table).score(table)
    assert 1 == stopped.history_["best"].sum()
    n_epochs = len(stopped.history_)
    assert n_epochs + 1 == len(stopped.set_params(callbacks=None).partial_fit(table).history_)
    assert stopped.interrupted_ is False


@pytest.mark.parametrize("private", [False, True])
def test_nothing_is_learned_within_the_first_epoch(table, private, monkeypatch):
    """Ctrl-C within the first epoch leaves a model unfitted, and one that was fitted as it was."""
    how = {"noise_multiplier": 1.0, "delta": 1e-4, "batch_size": 16, "epochs": 4} if private else {}
    data = ["ab", "ba"] * 32 if private else table
    fitted = model(**how).fit(data)
    before, n_asked = state_of(fitted), []

    def must_stop(watch, seconds):
        n_asked.append(seconds)
        if len(n_asked) == 1:
            signal.raise_signal(signal.SIGINT)
        return watch.was_asked()

    monkeypatch.setattr("sksynth._training._watch.Watch.must_stop", must_stop)
    new = model(**how)
    with pytest.raises(KeyboardInterrupt, match="before every batch had trained for an epoch"):
        new.fit(data)
    with pytest.raises(NotFittedError):
        new.sample()
    assert 0 == len(new.history_)
    assert not private or [1] == [row["steps_taken"] for row in new.privacy_ledger_["parameters"] if "steps_taken" in row]

    n_asked.clear()
    with pytest.raises(KeyboardInterrupt, match="what it was before"):
        fitted.fit(data)
    assert before == state_of(fitted)


def test_a_synthesizer_that_was_fitted_stays_as_it_was(make, table):
    """Ctrl-C before all batches have trained leaves what an earlier fit learned, all of it."""
    fitted = make({"epochs": 1}).fit(table)
    before = state_of(fitted)
    with pytest.raises(KeyboardInterrupt, match="what it was before"):
        fitted.set_params(callbacks=[Ctrl(batch=0)]).fit(table)

    assert before == state_of(fitted)


def test_further_training_keeps_what_it_has(make, table):
    """Ctrl-C between the batches of further training keeps the first as far as it came, the second as it was."""
    fitted = make({"epochs": 1}).fit(table)
    with pytest.raises(KeyboardInterrupt, match="what was learned is kept"):
        fitted.set_params(callbacks=[Ctrl(batch=0, epoch=1)]).partial_fit(table)

    assert {0: 2, 1: 1} == fitted.history_.groupby("batch").size().to_dict()
    assert fitted.interrupted_ is True
    assert (10, 4) == fitted.sample(10).shape


def test_further_training_that_learned_nothing_changes_nothing(make, table):
    """Ctrl-C within the first epoch of further training, or of a batch anew, leaves a synthesizer as it was."""
    fitted = make({"epochs": 1}).fit(table)
    before = state_of(fitted)
    fitted.set_params(callbacks=[Early()])
    for train in (fitted.partial_fit, lambda X: fitted.fit_batch(1, X)):
        with pytest.raises(KeyboardInterrupt, match="what it was before"):
            train(table)
        assert before == state_of(fitted)


def test_a_batch_anew_is_kept(make, table):
    """Ctrl-C while a batch is trained anew keeps it as far as it came."""
    fitted = make({"epochs": 1}).fit(table).set_params(text_model__epochs=4, callbacks=[Ctrl(batch=1)])
    with pytest.raises(KeyboardInterrupt, match="what was learned is kept"):
        fitted.fit_batch(1, table)

    assert {0: 1, 1: 2} == fitted.history_.groupby("batch").size().to_dict()


@pytest.mark.parametrize("n_batches", [2, 4])
def test_workers_stop(make, table, n_batches, tmp_path):
    """With n_jobs=2, what batches learned is kept if each has trained for an epoch; otherwise nothing is."""
    parent = os.getpid()

    def press(state):
        (tmp_path / str(state.batch)).touch()
        if {"0", "1"} <= set(os.listdir(tmp_path)):
            (tmp_path / "pressed").touch(exist_ok=False)  # once: of two workers that are here one fails
            os.kill(parent, signal.SIGINT)

    def press_once(state):
        with suppress(FileExistsError):
            press(state)

    batches = [["a", "b"], ["c", "d"]] if n_batches == 2 else [[name] for name in "abcd"]
    stopped = make({"epochs": 100_000}, clusterer=ColumnClusterer(batches=batches), callbacks=[press_once], n_jobs=2)
    with pytest.raises(KeyboardInterrupt, match="what was learned" if n_batches == 2 else "before every batch had trained"):
        stopped.fit(table)
    assert (n_batches == 2) is hasattr(stopped, "models_")
    if n_batches == 2:
        assert stopped.interrupted_ is True
        assert (10, 4) == stopped.sample(10).shape


def test_checkpoints_go_on_to_the_same_end(make, table, tmp_path):
    """A fit with checkpoint_dir that Ctrl-C has ended, twice, ends as one that was never stopped."""
    whole = make().fit(table)
    for ctrl, kept in [(Ctrl(0, 1), False), (Ctrl(1, 0), True)]:
        stopped = make(callbacks=[ctrl], checkpoint_dir=tmp_path)
        with pytest.raises(KeyboardInterrupt):
            stopped.fit(table)
        assert kept is hasattr(stopped, "models_")

    resumed = make(checkpoint_dir=tmp_path).fit(table)
    assert ["plan", "plan"] == resumed.history_["ended"][resumed.history_["ended"] != ""].tolist()
    pd.testing.assert_frame_equal(whole.sample(50, random_state=0), resumed.sample(50, random_state=0))


def test_an_error_after_ctrl_c_does_not_hide_it(make, table):
    """Where Ctrl-C was pressed and a batch fails then, KeyboardInterrupt is raised, from the error."""

    def fail(state):
        signal.raise_signal(signal.SIGINT)
        raise ValueError("no paper left")

    for estimator in (make(callbacks=[fail]), model(callbacks=[fail])):
        with pytest.raises(KeyboardInterrupt) as caught:
            estimator.fit(table)
        assert "no paper left" in str(caught.value.__cause__)


def test_notes_that_are_errors_do_not_hide_it():
    """Where doubtful decisions are told as errors, KeyboardInterrupt is raised all the same."""
    unsure = pd.DataFrame({"a": ["x", "y"] * 32, "b": [0.5, 1.5] * 32}).rename_axis("key")
    stopped = BatchLSTMSynthesizer(text_model=model(random_state=None), callbacks=[Ctrl()], random_state=0)
    with warnings.catch_warnings(), pytest.raises(KeyboardInterrupt):
        warnings.simplefilter("error")
        stopped.fit(unsure)
    assert len(stopped.schema_.notes)
    assert (5, 2) == stopped.sample(5).shape
