"""Promises about what is shown while fitting and sampling, and that it is nothing unless asked for."""

import logging
import re
import subprocess
import sys
import time

import pytest
from sklearn.base import clone

from sksynth import BatchLSTMSynthesizer
from sksynth._training import _progress
from sksynth._training._watch import shared_board
from sksynth.core._quiet import _is_no_false_alarm


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_one_bar_shows_batches_and_epochs(small, fitted_small, capfd, n_jobs):
    """verbose=1 writes one bar to standard error, over all epochs of all batches, with the loss; nothing to the other."""
    shown = clone(fitted_small).set_params(n_jobs=n_jobs, verbose=1).fit(small)
    out, err = capfd.readouterr()

    assert "" == out
    assert 2 == err.count("\n")  # behind the bar, and behind why training ended
    assert re.search(r"fit: 100%\|.*\| 2/2 \[.*batches=2/2, loss=\d+\.\d+\]", err.split("\r")[-1])
    assert f"loss={shown.history_['loss'].mean():.3f}" in err


def test_a_bar_is_drawn_only_when_something_has_changed(monkeypatch):
    """However long nothing moves, the bar is not drawn again."""
    monkeypatch.setattr(_progress, "LOOK_EVERY", 0.001)
    drawn = []
    monkeypatch.setattr(_progress, "_show", lambda *args: drawn.append(args[0].tolist()))
    with shared_board(2) as board, _progress.progress_bar(1, board, [4, 4]):
        for batch in (0, 1):
            board.write(batch, 1, 1.5)
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

    monkeypatch.setattr(_progress, "SAMPLING_DELAY", 0)
    verbose.sample(5000)
    assert "sample: 100%" in capsys.readouterr().err


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
