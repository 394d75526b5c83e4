"""Promises about what is shown while fitting and sampling, and that it is nothing unless asked for."""

import logging
import re
import subprocess
import sys
import time

import numpy as np
import pytest
from sklearn.base import clone

from sksynth import BatchLSTMSynthesizer
from sksynth._training import _progress, _watch
from sksynth._training._watch import COMPILING, DONE, TRAINING, shared_board
from sksynth.core._quiet import _is_no_false_alarm


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_one_bar_shows_batches_and_epochs(small, fitted_small, capfd, n_jobs):
    """verbose=1 writes one bar to standard error, over all epochs of all batches, with the loss; nothing to the other."""
    shown = clone(fitted_small).set_params(n_jobs=n_jobs, verbose=1).fit(small)
    out, err = capfd.readouterr()

    assert "" == out
    assert 2 == err.count("\n")  # behind the bar, and behind why training ended
    assert re.search(r"fit: 100%\|.*\| 2/2 epochs \[[0-9:]+, batches=2/2, loss=\d+\.\d+\]", err.split("\r")[-1])
    assert f"loss={shown.history_['loss'].mean():.3f}" in err


def shown_by(err):
    """Return what was shown on standard error, in its order, each stage once."""
    stages = re.findall(r"fit: ([a-z]+|epoch \d+)(?::|\s*\r| *$)", err)
    return [name for name, before in zip(stages, ["", *stages], strict=False) if name != before]


def test_stages_are_shown_in_their_order(small, template, capfd, monkeypatch):
    """The line says what is done: reading, clustering, tokenising, compiling, and which epoch; it ends at those trained."""
    monkeypatch.setattr(_progress, "LOOK_EVERY", 0.001)
    of_template = {"epochs": 30, "early_stopping": True, "monitor": "loss", "patience": 2, "min_delta": 100.0}
    synthesizer = BatchLSTMSynthesizer(
        text_model=template(**of_template), callbacks=[lambda state: time.sleep(0.3)], random_state=0, verbose=1
    )
    synthesizer.fit(small)
    err = capfd.readouterr().err

    stages = shown_by(err)
    assert ["reading", "clustering", "tokenising"] == stages[:3]
    assert ["compiling", "epoch 1", "epoch 2", "epoch 3"] == stages[-4:]
    assert 3 == len(synthesizer.history_)
    assert "fit: 100%" in err.split("\r")[-1] and "| 3/3 epochs [" in err.split("\r")[-1]


def test_the_bar_moves_within_an_epoch(template, few_valued, capfd, monkeypatch):
    """Parts of an epoch are shown, and none is over before its validation."""
    monkeypatch.setattr(_progress, "LOOK_EVERY", 0.001)
    monkeypatch.setattr(_watch, "WRITE_EVERY", 0.0)
    template(epochs=2, batch_size=4, validation_fraction=0.2, verbose=1).fit(few_valued(64, list("ab")))
    err = capfd.readouterr().err

    parts = [float(part) for part in re.findall(r"\| ([0-9.]+)/2 epochs", err)]
    assert parts == sorted(parts)
    assert len({part for part in parts if 0 < part < 1}) > 2
    assert 2.0 == parts[-1]


def test_private_fits_move_too(template, capfd, monkeypatch):
    """Parts of an epoch of a private fit are shown, and no loss, which is not measured."""
    monkeypatch.setattr(_progress, "LOOK_EVERY", 0.001)
    monkeypatch.setattr(_watch, "WRITE_EVERY", 0.0)
    template(epochs=2, batch_size=8, noise_multiplier=0.5, delta=1e-4, verbose=1).fit(["ab", "ba"] * 128)
    err = capfd.readouterr().err

    assert re.search(r"epoch 1: .*\| 0\.\d/2 epochs", err)
    assert "loss" not in err.replace("the loss", "")
    assert "| 2/2 epochs [" in err


@pytest.mark.parametrize("n_batches", [1, 3])
def test_no_estimate_has_compilation_in_it(n_batches):
    """Time that is left is told from the second epoch on, by what epochs take without the first; the rest as it was."""
    clock, cells = _progress._Clock(n_batches), np.zeros((n_batches, 2))
    planned = np.full(n_batches, 10.0)

    def left(now, stage, epochs):
        cells[0] = stage, epochs
        return clock.left(now, *cells.T, planned)

    later = (n_batches - 1) * (100.0 + 9 * 2.0)  # each of the others: compilation with the first epoch, then nine more
    assert [None, None, None] == [left(0, COMPILING, 0), left(60, TRAINING, 0.1), left(90, TRAINING, 0.9)]
    assert left(100, TRAINING, 1) is None
    assert left(101, TRAINING, 1.5) == pytest.approx(8.5 * 2 + later)
    assert left(106, TRAINING, 4) == pytest.approx(6 * 2 + later)
    assert (left(107, DONE, 4) is None) is (n_batches == 1)


def test_workers_share_the_time_that_is_left():
    """Of two batches that are trained at a time each takes half of what is left."""
    clock, planned = _progress._Clock(2), np.full(2, 11.0)
    for now, epochs in [(0, 0), (10, 1), (12, 2)]:
        left = clock.left(now, np.full(2, TRAINING), np.full(2, float(epochs)), planned)
    assert left == pytest.approx(9 * 2.0)


def test_a_bar_is_drawn_only_when_something_has_changed(monkeypatch):
    """However long nothing moves, the bar is not drawn again, but every second on a terminal."""
    monkeypatch.setattr(_progress, "LOOK_EVERY", 0.001)
    drawn = []
    monkeypatch.setattr(_progress._Meter, "line", lambda meter, cells: drawn.append(cells[:, 1].tolist()) or "")
    with shared_board(2) as board, _progress.progress_bar(1, board, [4, 4]):
        drawn.clear()
        for batch in (0, 1):
            board.write(batch, TRAINING, 1, 4, 1.5)
            waited = time.monotonic() + 5
            while len(drawn) <= batch and time.monotonic() < waited:
                time.sleep(0.01)
        time.sleep(0.05)
    assert [[1, 0], [1, 1]] == drawn

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with shared_board(1) as board, _progress.progress_bar(1, board, [4]):
        drawn.clear()
        time.sleep(1.5)
        assert drawn


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

    monkeypatch.setattr(_progress, "SAMPLING_DELAY", 0)
    verbose.sample(5000)
    assert "sample: 100%" in capsys.readouterr().err
    verbose.sample(40_000)
    shown = re.findall(r"sample: +(\d+)%", capsys.readouterr().err)
    assert 1 < len(set(shown)) and "100" == shown[-1]


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
