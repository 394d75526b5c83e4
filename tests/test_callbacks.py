"""Promises about callbacks: who is called with what, where, and what becomes of a fit that one of them ends."""

import contextlib
import io
import json
import pickle
import re
from pathlib import Path

import keras
import numpy as np
import pytest
from joblib import parallel_config
from sklearn.exceptions import NotFittedError

from sksynth import BatchLSTMSynthesizer, ColumnClusterer, LSTMTextModel
from sksynth.fields import Boolean

TOLD = ["batch", "epoch", "loss", "accuracy", "val_loss", "val_accuracy", "epsilon", "delta", "seconds"]
EPOCHS = 3


@pytest.fixture(scope="module")
def make(synthesizer, template):
    """Return a function that makes a synthesizer of two batches; parameters of either kind may be changed."""

    def make(of_template=None, **parameters):
        text_model = template(**{"epochs": EPOCHS, "validation_fraction": 0.25} | (of_template or {}))
        return synthesizer(clusterer=ColumnClusterer(batches=[["a", "b"], ["c", "d"]]), text_model=text_model, **parameters)

    return make


class Diary:
    """Notes what it is told in memory, and in a file, which is seen from any process; refuses to be deep-copied."""

    def __init__(self, path):
        self.path, self.seen = path, []

    def __call__(self, state):
        self.seen.append({name: getattr(state, name) for name in [*TOLD, "n_epochs", "last"]})
        with open(self.path, "a") as file:
            file.write(json.dumps(self.seen[-1]) + "\n")

    def __deepcopy__(self, memo):
        raise TypeError("a diary is not copied")

    def read(self):
        """Return what is in the file, by batch and epoch."""
        notes = [json.loads(line) for line in Path(self.path).read_text().splitlines()]
        return sorted(notes, key=lambda note: (note["batch"], note["epoch"]))


@pytest.mark.parametrize(("n_jobs", "backend"), [(1, "loky"), (2, "loky"), (2, "threading")])
def test_callables_are_told_of_every_epoch(make, table, tmp_path, n_jobs, backend):
    """A callable is told the figures of history_ after every epoch: the very object in this process, its copy in a worker."""
    diary = Diary(tmp_path / "diary")
    with parallel_config(backend):
        fitted = make(callbacks=[diary], n_jobs=n_jobs).fit(table)

    assert fitted.history_[TOLD].to_dict("records") == [{name: note[name] for name in TOLD} for note in diary.read()]
    assert [False, False, True] * 2 == [note["last"] for note in diary.read()]
    assert {EPOCHS} == {note["n_epochs"] for note in diary.read()}
    assert (2 * EPOCHS if (n_jobs, backend) != (2, "loky") else 0) == len(diary.seen)
    assert diary is fitted.callbacks[0]
    assert [[], []] == fitted.callbacks_


def test_callbacks_of_the_template_and_of_the_synthesizer_are_called(make, table):
    """Callables of the template and of the synthesizer are told of every epoch of every batch, the template's first."""
    told = []
    theirs, own = (lambda state, who=who: told.append((who, state.batch)) for who in ("template", "synthesizer"))
    make({"callbacks": [theirs], "epochs": 1}, callbacks=[own]).fit(table)

    assert [(who, batch) for batch in (0, 1) for who in ("template", "synthesizer")] == told


def test_a_model_of_its_own_is_batch_0(table):
    """A model that is fitted alone tells of batch 0, and its history says so."""
    told = []
    model = LSTMTextModel(rnn_units=4, embedding_dim=4, epochs=2, batch_size=32, callbacks=[told.append])
    model.fit(table[["a", "b"]])

    assert [(0, 0), (0, 1)] == [(state.batch, state.epoch) for state in told]
    assert [0, 0] == model.history_["batch"].tolist()


class Counter(keras.callbacks.Callback):
    """Counts steps and epochs."""

    def __init__(self):
        super().__init__()
        self.n_steps, self.epochs = 0, []

    def on_train_batch_end(self, batch, logs=None):
        """Count a step."""
        self.n_steps += 1

    def on_epoch_end(self, epoch, logs=None):
        """Note the number of an epoch."""
        self.epochs.append(epoch)


class Hoarder(keras.callbacks.Callback):
    """Keeps the network and a file."""

    def __init__(self, path):
        super().__init__()
        self.path, self.network, self.file = path, None, None

    def on_train_begin(self, logs=None):
        """Take what cannot be pickled."""
        self.network, self.file = self.model, open(self.path, "w")

    def on_train_end(self, logs=None):
        """Close the file."""
        self.file.close()


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras' own, where it saves weights
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_callbacks_of_keras_work(make, table, tmp_path, n_jobs):
    """Each batch uses a copy of every Keras callback, which says what happened; the originals know of nothing."""
    callbacks = [
        keras.callbacks.EarlyStopping(min_delta=100.0, patience=1, restore_best_weights=True),
        keras.callbacks.ModelCheckpoint(str(tmp_path / "{epoch}_{val_loss:.9f}.weights.h5"), save_weights_only=True),
        keras.callbacks.CSVLogger(str(tmp_path / "log.csv")),
        keras.callbacks.TerminateOnNaN(),
        keras.callbacks.LambdaCallback(on_train_end=lambda logs: None),
        keras.callbacks.History(),
        Counter(),
        Hoarder(tmp_path / "hoard"),
    ]
    fitted = make(callbacks=callbacks, n_jobs=n_jobs).fit(table)
    pickle.loads(pickle.dumps(fitted.set_params(callbacks=None).callbacks_[0][-2:]))

    assert {0: 2, 1: 2} == fitted.history_.groupby("batch").size().to_dict()
    for batch, (stopping, checkpoint, logger, _, _, history, counter, hoarder) in enumerate(fitted.callbacks_):
        losses = fitted.history_.loc[fitted.history_["batch"] == batch, "val_loss"].tolist()
        assert losses == history.history["val_loss"]
        assert (1, losses[0]) == (stopping.stopped_epoch, stopping.best)
        assert all(Path(checkpoint.filepath.format(epoch=i + 1, val_loss=loss)).exists() for i, loss in enumerate(losses))
        assert (2, [0, 1]) == (counter.n_steps, counter.epochs)
        assert (None, None, None) == (hoarder.network, hoarder.file, logger.csv_file)
        assert all(callback.model is None for callback in fitted.callbacks_[batch])
    assert "epoch,accuracy,loss,val_accuracy,val_loss" in (tmp_path / "log.csv").read_text()
    assert (0, []) == (callbacks[-2].n_steps, callbacks[-2].epochs)
    assert {} == callbacks[-3].history


def test_a_model_whose_callbacks_had_files_is_pickled(make, table, tmp_path):
    """A fitted synthesizer whose callbacks wrote files can be pickled, and samples afterwards."""
    fitted = make(callbacks=[keras.callbacks.CSVLogger(str(tmp_path / "log.csv"))]).fit(table)

    assert (3, 4) == pickle.loads(pickle.dumps(fitted)).sample(3).shape


def test_callbacks_take_the_learning_rate_over(make, table):
    """A callback that sets the learning rate has it from then on: at 0 nothing is learned; the next fit has the plan again."""
    same = {"dropout": 0.0, "validation_fraction": 0.0, "any_order": False}  # so that every epoch reads the same
    callbacks = [keras.callbacks.LearningRateScheduler(lambda epoch, rate: 0.0 if epoch else rate), keras.callbacks.History()]
    held = make(same, callbacks=callbacks).fit(table)
    free = make(same, callbacks=[keras.callbacks.History()]).fit(table)
    rates, losses = held.callbacks_[0][1].history["learning_rate"], held.history_["loss"].to_numpy().reshape(2, EPOCHS)

    assert rates[0] > 0
    assert [0.0, 0.0] == rates[1:]
    np.testing.assert_allclose(losses[:, 1], losses[:, 2], rtol=1e-6)
    assert (free.history_["loss"].diff()[[2, 5]].abs() > 1e-4).all()


def test_the_learning_rate_falls_on_a_plateau(make, table):
    """ReduceLROnPlateau divides the rate after every epoch that is no better."""
    callbacks = [keras.callbacks.ReduceLROnPlateau(factor=0.1, patience=1, min_delta=100.0), keras.callbacks.History()]
    fitted = make(callbacks=callbacks).fit(table)

    for _, history in fitted.callbacks_:
        rates = history.history["learning_rate"]
        assert rates[1] > 0
        assert rates[2] == pytest.approx(0.1 * rates[1], rel=1e-5)


def test_keras_cannot_save_the_whole_network(make, table, tmp_path):
    """A ModelCheckpoint that would save more than weights is refused with the remedy."""
    callback = keras.callbacks.ModelCheckpoint(str(tmp_path / "whole.keras"))
    with pytest.raises(RuntimeError, match=r"ModelCheckpoint failed in epoch 0 of batch 0.*save_weights_only=True"):
        make(callbacks=[callback]).fit(table)


class Failing(keras.callbacks.Callback):
    """Fails in the second epoch of a batch."""

    def on_epoch_end(self, epoch, logs=None):
        """Fail."""
        if epoch == 1:
            raise KeyError("spilled coffee")


def failing(state):
    """Fail in the second epoch of a batch."""
    if state.epoch == 1:
        raise KeyError("spilled coffee")


@pytest.mark.parametrize("callback", [failing, Failing()], ids=["callable", "Keras"])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_callback_that_raises_ends_the_fit(make, table, tmp_path, n_jobs, callback):
    """The error names callback, batch and epoch; history and checkpoints stay, and a fit without the error goes on there."""
    broken = make(callbacks=[callback], n_jobs=n_jobs, checkpoint_dir=tmp_path)
    name = getattr(callback, "__name__", "Failing")
    message = rf"callback {name} failed in epoch 1 of batch [01]: KeyError: 'spilled coffee'.*history_.*call fit again"
    with pytest.raises(RuntimeError, match=message) as caught:
        broken.fit(table)
    failed = int(re.search("batch ([01])", str(caught.value))[1])

    assert any(f"batch {failed}, columns" in note for note in caught.value.__notes__)
    assert [0, 1] == broken.history_.loc[broken.history_["batch"] == failed, "epoch"].tolist()
    assert (tmp_path / f"batch_{failed}" / "epoch_0002.npz").exists()
    with pytest.raises(NotFittedError):
        broken.sample()

    mended = make(checkpoint_dir=tmp_path).fit(table)
    kept = mended.history_.loc[lambda history: (history["batch"] == failed) & (history["epoch"] < 2)]
    assert 2 * EPOCHS == len(mended.history_)
    assert broken.history_.loc[lambda history: history["batch"] == failed, "seconds"].tolist() == kept["seconds"].tolist()


def test_the_first_fit_of_a_model_that_fails_keeps_its_history(table):
    """A model that is fitted alone keeps the history of a fit that a callback ended, and cannot sample."""
    model = LSTMTextModel(rnn_units=4, embedding_dim=4, epochs=3, batch_size=32, callbacks=[failing])
    with pytest.raises(RuntimeError, match="failed in epoch 1 of batch 0"):
        model.fit(table[["a", "b"]])

    assert [0, 1] == model.history_["epoch"].tolist()
    with pytest.raises(NotFittedError):
        model.sample()


def stop_the_first_batch(state):
    """Stop the first batch after one epoch."""
    if state.batch == 0:
        state.stop()


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_callback_can_stop_its_batch(make, table, capfd, n_jobs):
    """state.stop() ends the training of its batch alone; the fit is complete, and the bar says that all batches are done."""
    fitted = make(callbacks=[stop_the_first_batch], n_jobs=n_jobs, verbose=1).fit(table)

    assert {0: 1, 1: EPOCHS} == fitted.history_.groupby("batch").size().to_dict()
    assert fitted.interrupted_ is False
    assert (5, 4) == fitted.sample(5).shape
    assert "batches=2/2" in capfd.readouterr().err.split("\r")[-1]


@pytest.mark.parametrize(
    ("callbacks", "message"),
    [
        (failing, "must be a list or None"),
        ("loud", "must be a list or None"),
        ([Counter], "must hold callables and Keras callbacks"),
        ([3], "must hold callables and Keras callbacks"),
    ],
)
def test_what_is_no_callback_is_refused(make, table, callbacks, message):
    """What cannot be called back is refused before anything is read, on the template too."""
    for estimator in (make(callbacks=callbacks), make({"callbacks": callbacks})):
        with pytest.raises(TypeError, match=f"'callbacks' parameter .*{message}"):
            estimator.fit(table)


@pytest.fixture(scope="module")
def private(make, table):
    """Return a private synthesizer whose first batch was stopped after an epoch, what was told of it, and what was shown."""
    counter, told, shown = Counter(), [], io.StringIO()

    def tell(state):
        told.append(state)
        stop_the_first_batch(state)

    with contextlib.redirect_stderr(shown):
        fitted = make(
            {"validation_fraction": None}, schema=dict.fromkeys(table, Boolean()), epsilon=3.0, delta=1e-4,
            callbacks=[tell, counter], verbose=1,
        ).fit(table)  # fmt: skip
    return fitted, told, shown.getvalue()


def test_private_training_shows_no_figure_of_the_rows(private):
    """Loss and accuracy of private training are NaN in what is told and in history_, and not on the bar."""
    fitted, told, shown = private

    assert all(np.isnan(getattr(state, name)) for state in told for name in ("loss", "accuracy", "val_loss", "val_accuracy"))
    assert fitted.history_[["loss", "accuracy", "val_loss", "val_accuracy"]].isna().all(axis=None)
    assert "epochs [" in shown
    assert "loss=" not in shown


def test_private_training_tells_what_it_spends(private):
    """Each batch is told of what itself has spent so far, which rises; epsilon_ composes all batches, as planned."""
    fitted, told, _ = private
    history = fitted.history_

    assert history["epsilon"].tolist() == [state.epsilon for state in told]
    assert (history["delta"] == 1e-4).all()
    assert (history.groupby("batch")["epsilon"].diff().dropna() > 0).all()
    assert history["epsilon"].max() < fitted.epsilon_ <= 3.0
    assert fitted.epsilon_ > 2.9


def test_private_training_that_is_stopped_costs_what_was_planned(private):
    """Where a callback stopped private training, epsilon_ stays, and the ledger shows the steps planned and taken."""
    fitted, *_ = private
    training = [row for row in fitted.privacy_ledger_["parameters"] if "steps_planned" in row]
    planned, taken = ([row[name] for row in training] for name in ("steps_planned", "steps_taken"))

    assert {0: 1, 1: EPOCHS} == fitted.history_.groupby("batch").size().to_dict()
    assert planned[0] == planned[1] == taken[1] == EPOCHS * taken[0]
    assert [[0], [0, 1, 2]] == [counter.epochs for (counter,) in fitted.callbacks_]
    assert isinstance(fitted, BatchLSTMSynthesizer)
