"""Promises about how a fit ends before its time: by its own figures, by the clock, by Ctrl-C; and what is left then."""

import json
import os
import pickle
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError

from sksynth import ColumnClusterer, LSTMTextModel
from sksynth._training._history import summary
from sksynth._training._watch import INTERRUPTED, Watch, shared_board, shares_of_time

ENDLESS = 100_000  # epochs: minutes or hours
SLACK = 30.0  # seconds by which a machine that is busy with other things may be late


@pytest.fixture(scope="module")
def table(few_valued):
    """Return a table of six columns of two values; not to be changed."""
    return few_valued(64, list("abcdef"))


@pytest.fixture(scope="module")
def make(synthesizer, template):
    """Return a function that makes a synthesizer of three batches that never ends; parameters may be changed."""

    def make(of_template=None, **parameters):
        batches = [["a", "b"], ["c", "d"], ["e", "f"]]
        text_model = template(**{"epochs": ENDLESS} | (of_template or {}))
        return synthesizer(**{"clusterer": ColumnClusterer(batches=batches), "text_model": text_model} | parameters)

    return make


def n_epochs(fitted):
    """Return the number of epochs in history_ by batch."""
    return fitted.history_.groupby("batch").size().to_dict()


@pytest.mark.parametrize("monitor", ["val_loss", "val_accuracy", "loss", "accuracy"])
def test_the_best_epoch_is_told_by_the_figure_of_choice(make, table, monitor):
    """The best epoch is the first with the lowest loss, or highest accuracy, of `monitor`; training ends `patience` later."""
    of_template = {"epochs": 30, "monitor": monitor, "patience": 2, "learning_rate": 0.1, "validation_fraction": 0.25}
    history = make(of_template, clusterer=ColumnClusterer(batches=[["a", "b", "c", "d", "e", "f"]])).fit(table).history_
    figures = history[monitor].to_numpy() * (-1 if monitor.endswith("accuracy") else 1)
    best = int(figures.argmin())

    assert [best] == np.flatnonzero(history["best"]).tolist()
    assert len(history) == min(best + 1 + 2, 30)


ENDS = {
    "plan": {"epochs": 2, "early_stopping": False},
    "early stopping": {"epochs": 30, "early_stopping": True, "patience": 2, "min_delta": 100.0},
    "time": {"epochs": 5, "max_time": 1e-9},
    "callback": {"epochs": 5, "callbacks": [lambda state: state.stop()]},
}


@pytest.mark.parametrize("why", ENDS)
def test_the_history_says_why_training_ended(template, table, caplog, capsys, why):
    """The last row of `history_`, a line of the log and, if verbose, of standard error say why training ended."""
    with caplog.at_level("INFO", logger="sksynth"):
        history = template(monitor="loss", verbose=1, **ENDS[why]).fit(table).history_
    (line,) = [record.getMessage() for record in caplog.records if "training ended" in record.getMessage()]

    assert [""] * (len(history) - 1) + [why] == history["ended"].tolist()
    assert line.startswith(f"training ended: {why} (1 batch)")
    assert line in capsys.readouterr().err.splitlines()


def test_the_last_line_says_where_losses_still_fell():
    """The line names the batches, how fast their losses fell to the last epoch, and what to set; not where none fell."""

    def history(ended, *losses):
        return pd.DataFrame({"val_loss": losses, "loss": losses, "ended": [""] * (len(losses) - 1) + [ended]})

    falling, still = history("plan", 9.0, 7.0, 6.0), history("plan", 6.0, 6.0, 6.0)
    assert summary([still, still]) == "training ended: plan (2 batches)"
    assert summary([still, falling]).endswith("in 1 batch, by up to 1.50 nats a row and epoch: set LSTMTextModel(epochs=6)")
    assert summary([history("time", 9.0, 7.0)]).endswith("give it more time")
    assert summary([history("early stopping", 9.0, 5.0, 5.5, 5.6)]) == "training ended: early stopping (1 batch)"


def test_training_rows_can_be_watched(make, table):
    """Without held-out rows early stopping works by the figures of the training rows, and an unreachable min_delta ends it."""
    of_template = {"validation_fraction": 0.0, "early_stopping": True, "monitor": "loss", "patience": 3, "min_delta": 100.0}
    fitted = make(of_template).fit(table)

    assert {0: 4, 1: 4, 2: 4} == n_epochs(fitted)
    assert [0, 0, 0] == fitted.history_.loc[fitted.history_["best"], "epoch"].tolist()


def test_a_loss_that_is_no_number_ends_the_fit(make, table):
    """A fit that diverges ends with an error that names batch and columns and says what to lower; nothing samples."""
    diverging = make({"learning_rate": 1e30, "epochs": 5})
    message = r"loss of epoch \d is (nan|inf): lower learning_rate \(it is 1e\+30\)"
    with pytest.raises(FloatingPointError, match=message) as caught:
        diverging.fit(table)

    assert ["while fitting batch 0, columns ['a', 'b']"] == caught.value.__notes__
    assert hasattr(diverging, "history_")
    with pytest.raises(NotFittedError):
        diverging.sample()


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_max_time_ends_the_whole_fit(make, table, n_jobs):
    """A fit that would take hours is over in time, every batch has had a share and samples, and nothing was interrupted."""
    seconds, started = 2.0 * n_jobs, time.monotonic()  # workers take a few seconds to start
    fitted = make(max_time=seconds, n_jobs=n_jobs).fit(table)

    assert time.monotonic() - started < seconds + SLACK
    assert {0, 1, 2} == set(n_epochs(fitted))
    assert ENDLESS > max(n_epochs(fitted).values())
    assert (10, 6) == fitted.sample(10).shape
    assert np.isfinite(fitted.score(table))
    assert fitted.interrupted_ is False
    assert (fitted.history_.groupby("batch")["best"].sum() == 1).all()


def test_max_time_of_the_template_holds_for_each_batch(make, table):
    """max_time on the template ends every batch after that time, and the fit goes on with the next."""
    started = time.monotonic()
    fitted = make({"max_time": 1.0}).fit(table)

    assert 2.0 < time.monotonic() - started < 3.0 + SLACK
    assert {0, 1, 2} == set(n_epochs(fitted))


def test_the_shortest_time_is_enough_for_a_step(make, table):
    """However short the time, every batch takes one compiled call, so that all sample; history_ has that epoch, cut short."""
    fitted = make(max_time=1e-6).fit(table)

    assert {0: 1, 1: 1, 2: 1} == n_epochs(fitted)
    assert fitted.history_["best"].all()
    assert [1, 1, 1] == [model._n_steps for model in fitted.models_]
    assert (10, 6) == fitted.sample(10).shape


def test_a_model_of_its_own_ends_in_time(table):
    """max_time of a model that is fitted alone ends its fit."""
    started = time.monotonic()
    model = LSTMTextModel(rnn_units=4, embedding_dim=4, batch_size=32, epochs=ENDLESS, max_time=2.0).fit(table[["a", "b"]])

    assert time.monotonic() - started < 2.0 + SLACK
    assert (3, 2) == model.sample(3).shape


@given(st.lists(st.integers(1, 100), min_size=1, max_size=12))
def test_time_is_divided_by_what_batches_cost(costs):
    """Batches that are trained one after another and take up their shares get all the time, each in proportion to its cost."""
    left, taken = 1.0, []
    for share in shares_of_time(costs, 1):
        taken.append(share * left)
        left -= taken[-1]

    np.testing.assert_allclose(taken, np.array(costs) / sum(costs))


@given(st.integers(1, 12), st.integers(1, 5))
def test_workers_divide_their_own_time(n_batches, n_workers):
    """Equal batches in several workers: no worker's batches ask for more than all the time, the last for all that is left."""
    shares = shares_of_time([1] * n_batches, n_workers)

    assert all(0 < share <= 1 for share in shares)
    assert {1.0} == set(shares[-min(n_workers, n_batches) :])
    for worker in range(n_workers):
        left = 1.0
        for share in shares[worker::n_workers]:
            left -= share * left
        assert left >= 0


def test_threads_of_a_fit_that_is_over_stop():
    """A batch that a fit leaves behind in a thread, as a second Ctrl-C does, is told to stop though nobody asked."""
    with shared_board(1) as board:
        watch = Watch(board, 0).begin(None)
        assert not watch.must_stop(0.0)
    assert watch.must_stop(0.0)
    assert INTERRUPTED == watch.asked


def test_a_board_is_a_file_only_for_other_processes(tmp_path, monkeypatch):
    """What batches tell each other is in memory until a worker is sent it; then both sides see the same, and no file stays."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(KeyboardInterrupt), shared_board(2) as board:
        board.write(0, 2, 1, 3, 0.5)
        assert not list(tmp_path.iterdir())
        one, other = (pickle.loads(pickle.dumps(board)) for _ in range(2))
        assert len(list(tmp_path.iterdir())) == 1
        assert not other.asked_to_stop()
        one.write(1, 2, 2, 3, 0.25)
        board.ask_to_stop(INTERRUPTED)
        assert [[2, 1, 3, 0.5], [2, 2, 3, 0.25]] == board.read().tolist() == other.read().tolist()
        assert INTERRUPTED == one.asked_to_stop() == other.asked_to_stop() == board.asked_to_stop()
        raise KeyboardInterrupt

    assert not list(tmp_path.iterdir())


def test_a_fit_in_one_process_makes_no_temporary_file(make, table, tmp_path, monkeypatch):
    """Neither while nor after it trains, not even where the batches show bars of their own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen = []
    callbacks = [lambda state: seen.append(list(tmp_path.iterdir()))]
    make({"epochs": 1, "verbose": 1}, verbose=1, callbacks=callbacks).fit(table)

    assert [[]] * 3 == seen
    assert not list(tmp_path.iterdir())


@pytest.fixture
def interrupt(sigint):
    """Return a function that makes a callable, which sends Ctrl-C to this process in the first epoch of a batch."""
    return lambda batch: lambda state: signal.raise_signal(signal.SIGINT) if (state.batch, state.epoch) == (batch, 0) else None


def test_interrupted_after_all_batches_have_trained(make, table, interrupt):
    """Ctrl-C in the last batch is a KeyboardInterrupt that leaves the synthesizer fitted with what there is."""
    fitted = make(callbacks=[lambda state: state.stop() if state.batch < 2 else None, interrupt(2)])
    with pytest.raises(KeyboardInterrupt, match="what was learned is kept: this estimator is fitted"):
        fitted.fit(table)

    assert fitted.interrupted_ is True
    assert "interrupt" == fitted.history_["ended"].iloc[-1]
    assert ENDLESS > n_epochs(fitted)[2] > 0
    assert (10, 6) == fitted.sample(10).shape
    assert signal.default_int_handler is signal.getsignal(signal.SIGINT)
    assert fitted.set_params(callbacks=None, max_time=1e-6).fit(table).interrupted_ is False


def test_interrupted_before_all_batches_have_trained(make, table, interrupt, tmp_path):
    """Ctrl-C in the second of three batches leaves a synthesizer unfitted; history and checkpoints are there, to go on."""
    stopped = make({"epochs": 3}, callbacks=[interrupt(1)], checkpoint_dir=tmp_path)
    with pytest.raises(KeyboardInterrupt, match="before every batch had trained for an epoch"):
        stopped.fit(table)

    assert 3 == n_epochs(stopped)[0]
    assert n_epochs(stopped)[1] in (1, 2)
    assert 2 not in n_epochs(stopped)
    assert (tmp_path / "batch_1" / "epoch_0001.npz").exists()
    with pytest.raises(NotFittedError):
        stopped.sample()
    assert {0: 3, 1: 3, 2: 3} == n_epochs(make({"epochs": 3}, checkpoint_dir=tmp_path).fit(table))


@pytest.mark.usefixtures("interrupt")
def test_a_second_interruption_raises_at_once(make, table):
    """A second Ctrl-C, while a callback takes long, raises KeyboardInterrupt there; history_ has what was learned."""

    def impatient(state):
        if state.epoch == 1:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            raise AssertionError("a second Ctrl-C is not heard")

    stopped = make(callbacks=[impatient])
    with pytest.raises(KeyboardInterrupt):
        stopped.fit(table)
    assert {0: 2} == n_epochs(stopped)
    assert signal.default_int_handler is signal.getsignal(signal.SIGINT)


def test_a_model_of_its_own_is_interrupted(table, interrupt):
    """A model that is fitted alone keeps, at Ctrl-C, what it has learned, and passes the KeyboardInterrupt on."""
    model = LSTMTextModel(rnn_units=4, embedding_dim=4, batch_size=32, epochs=ENDLESS, callbacks=[interrupt(0)])
    with pytest.raises(KeyboardInterrupt, match="what was learned is kept"):
        model.fit(table[["a", "b"]])

    assert model.interrupted_ is True
    assert (3, 2) == model.sample(3).shape


def test_private_training_that_is_interrupted_costs_what_was_planned(table, interrupt):
    """Ctrl-C in private training leaves epsilon_ that of the planned steps; the ledger has those that were taken."""
    model = LSTMTextModel(
        rnn_units=4, embedding_dim=4, batch_size=16, epochs=50, noise_multiplier=1.0, delta=1e-4, callbacks=[interrupt(0)]
    )
    with pytest.raises(KeyboardInterrupt, match="what was learned is kept"):
        model.fit(["ab", "ba"] * 32)
    (training,) = [row for row in model.privacy_ledger_["parameters"] if "steps_planned" in row]

    assert 0 < training["steps_taken"] == model._n_steps < training["steps_planned"]
    assert model.history_["epsilon"].max() < model.epsilon_
    assert 3 == len(model.sample(3))


# Ctrl-C as a terminal sends it: to all processes of the fit, workers included

SCRIPT = """
import json, os, signal, sys, time
signal.signal(signal.SIGINT, signal.default_int_handler)
import joblib, numpy as np, pandas as pd
from sksynth import BatchLSTMSynthesizer, ColumnClusterer, LSTMTextModel

n_jobs, backend, deed = int(sys.argv[1]), sys.argv[2], sys.argv[3]

def say(*words):
    os.write(1, (" ".join(map(str, words)) + chr(10)).encode())  # in one piece, whoever else is writing

def tell(state):
    say("epoch", state.batch, state.epoch, os.getpid())
    if deed == "stop batch 0" and state.batch == 0:
        time.sleep(1)  # so that another worker gets the other batch
        state.stop()
    if deed == "sleep" and state.epoch == 1:
        time.sleep(120)

table = pd.DataFrame({name: np.arange(64) % 2 == i % 2 for i, name in enumerate("abcd")})
model = LSTMTextModel(embedding_dim=4, rnn_units=4, epochs=100_000, batch_size=32, validation_fraction=0.0)
clusterer = ColumnClusterer(batches=[["a", "b"], ["c", "d"]])
fitted = BatchLSTMSynthesizer(clusterer, model, callbacks=[tell], linked=False, n_jobs=n_jobs, random_state=0)
say("begin")
with joblib.parallel_config(backend):
    try:
        fitted.fit(table)
        raised = message = None
    except BaseException as error:
        raised, message = type(error).__name__, str(error)
said = {
    "raised": raised, "message": message, "interrupted": getattr(fitted, "interrupted_", None),
    "epochs": fitted.history_.groupby("batch").size().tolist(),
    "rows": len(fitted.sample(5)) if hasattr(fitted, "models_") else 0,
}
say("end", json.dumps(said))
"""


class Interrupted:
    """A fit in a process group of its own, to which SIGINT is sent.

    Parameters
    ----------
    n_jobs, backend, deed
        Of the script.
    awaited : set of str
        What the script has to say before.
    wait : float
        Seconds to wait after that.
    times : int
        How often it is sent.
    """

    def __init__(self, n_jobs, backend, deed, awaited, wait=0.0, times=1):
        self.workers, self.end, said = set(), None, set()
        command = [sys.executable, "-c", SCRIPT, str(n_jobs), backend, deed]
        errors = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True)
        try:
            for line in self.process.stdout:
                if line.isspace():  # of a worker that is told to end while Python starts in it
                    continue
                word, *rest = line.split()
                if word == "end":
                    self.end, self.seconds = json.loads(line.removeprefix("end ")), time.monotonic() - self.sent
                if word == "epoch":
                    self.workers |= {int(rest[-1])} - {self.process.pid}
                said.add(" ".join([word, *rest[:2]]))
                if awaited <= said:
                    awaited = {"nothing more"}
                    time.sleep(wait)
                    self._send(times)
            self.process.wait(SLACK)
        finally:
            self._kill()
            errors.seek(0)
            written = errors.read()
            errors.close()
        assert self.end is not None, written

    def _send(self, times):
        self.sent = time.monotonic()
        for _ in range(times):
            os.killpg(self.process.pid, signal.SIGINT)
            time.sleep(0.3)

    def _kill(self):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()

    def workers_end(self):
        """Return whether no worker is left within reasonable time."""
        until = time.monotonic() + SLACK
        while any(map(_runs, self.workers)) and time.monotonic() < until:
            time.sleep(0.1)
        return not any(map(_runs, self.workers))


def _runs(process):
    """Return whether a process is there and not just waiting for its parent to take note of its end."""
    try:
        with open(f"/proc/{process}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


signals = [pytest.mark.slow, pytest.mark.skipif(not os.path.exists("/proc/self"), reason="looks at processes in /proc")]


def with_signals(function):
    """Mark a test that starts processes and sends signals to them."""
    for mark in signals:
        function = mark(function)
    return function


@with_signals
@pytest.mark.parametrize(
    ("backend", "deed"),
    [("loky", "nothing"), ("threading", "nothing"), ("loky", "stop batch 0")],
    ids=["workers", "threads", "one of two workers is idle"],
)
def test_ctrl_c_ends_a_fit_with_what_it_has(backend, deed):
    """Ctrl-C after all batches have trained leaves a fitted synthesizer in time: workers ignore the signal itself."""
    awaited = {"epoch 0 0" if deed == "stop batch 0" else "epoch 0 1", "epoch 1 1"}
    fit = Interrupted(2, backend, deed, awaited, wait=0.5)

    assert ("KeyboardInterrupt", True, 5) == (fit.end["raised"], fit.end["interrupted"], fit.end["rows"])
    assert "what was learned is kept" in fit.end["message"]
    assert fit.seconds < SLACK
    assert 2 == len(fit.end["epochs"])
    assert fit.workers_end()


@with_signals
@pytest.mark.parametrize("wait", [0.3, 1.0])
def test_ctrl_c_while_workers_start(wait):
    """Ctrl-C that finds workers before they can ignore it is a KeyboardInterrupt, and no error of joblib's."""
    assert "KeyboardInterrupt" == Interrupted(2, "loky", "nothing", {"begin"}, wait).end["raised"]


@with_signals
@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_a_second_ctrl_c_raises_at_once(backend):
    """Where a step, or a callback, takes long, a second Ctrl-C raises KeyboardInterrupt at once; no worker is left."""
    fit = Interrupted(2, backend, "sleep", {"epoch 0 1"}, wait=0.5, times=2)

    assert "KeyboardInterrupt" == fit.end["raised"]
    assert fit.seconds < SLACK
    assert 0 == fit.end["rows"]
    assert fit.workers_end()
