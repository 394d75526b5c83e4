"""Promises of the settings that None and "auto" stand for."""

import numpy as np
import pandas as pd
import pytest

from sksynth import LSTMTextModel
from sksynth._grammar import Grammar, compile_slots
from sksynth._training._defaults import CALL_SECONDS, FLOPS, choose_settings
from sksynth.fields import Text
from sksynth.tokenizers._text import END, TextCodec

SIZES = [50, 1_000, 3_000, 10_000, 30_000, 100_000, 1_000_000]


def grammar(n_slots=16):
    """Return a grammar of equal slots."""
    return Grammar(tuple(compile_slots([f"c{i}"], [8], lambda *_: 0) for i in range(n_slots)))


def settings(n_rows=10_000, n_slots=16, gpu=False, **parameters):
    """Return what is chosen for a model of these parameters."""
    return choose_settings(LSTMTextModel(**parameters), np.zeros((n_rows, n_slots), np.int8), grammar(n_slots), gpu)


def text_settings(n_lines, n_tokens, n_positions=100):
    """Return what is chosen for lines of so many tokens each."""
    codec = TextCodec.fit(pd.Series(["ab" * 50] * 2), Text(n_positions, alphabet="ab"), name="text", min_frequency=1)
    ids = np.full((n_lines, n_positions), END, np.int8)
    ids[:, :n_tokens] = np.arange(n_tokens) % 2 + 3
    return choose_settings(LSTMTextModel(), ids, Grammar((codec.run,)))


def test_what_is_given_is_taken():
    """Parameters that are not None are used as they are, at any size of the table."""
    given = {"embedding_dim": 7, "rnn_units": 9, "dropout": 0.3, "epochs": 3, "batch_size": 5, "learning_rate": 0.1}

    for n_rows in SIZES:
        chosen = settings(n_rows, validation_fraction=0.2, **given)
        assert given | {"validation_fraction": 0.2} == {name: chosen[name] for name in [*given, "validation_fraction"]}


def test_more_rows_want_fewer_epochs_and_less_dropout():
    """The larger the table, the fewer epochs, the less dropout and the more rows per step, and steps in all the more."""
    chosen = [settings(n_rows) for n_rows in SIZES]

    for name, sign in (("epochs", -1), ("dropout", -1), ("batch_size", 1)):
        values = [sign * one[name] for one in chosen]
        assert values == sorted(values)
        assert values[0] < values[-1]


def test_small_tables_are_not_stopped_on_the_first_plateau():
    """The more epochs are planned, the more of them may pass without a better loss; what is given is taken."""
    assert [15, 10, 4] == [settings(epochs=epochs)["patience"] for epochs in (90, 60, 10)]
    assert settings(130)["patience"] >= 10
    assert 4 == settings(30_000)["patience"]
    assert 2 == settings(130, patience=2)["patience"]
    assert settings(130, early_stopping=False)["patience"] is None


def test_plans_of_the_default_may_grow():
    """Only a number of epochs that was not given may grow, to twice as many, and only where held-out rows tell of it."""
    chosen = settings(10_000)
    assert chosen["most_epochs"] == 2 * chosen["epochs"]
    for given in ({"epochs": 7}, {"validation_fraction": 0.0}, {"early_stopping": False}):
        chosen = settings(10_000, **given)
        assert chosen["most_epochs"] == chosen["epochs"]


def test_a_hundred_rows_are_all_trained_on():
    """Below 120 rows none is held out, and the plan is trained to its end; above, a tenth is; what is given is taken."""
    assert [0.0, 0.0, 0.1] == [settings(n_rows)["validation_fraction"] for n_rows in (60, 119, 120)]
    assert [None, None] == [settings(n_rows)["patience"] for n_rows in (60, 119)]
    assert 0.2 == settings(60, validation_fraction=0.2)["validation_fraction"]


def test_more_text_wants_fewer_epochs_and_less_dropout():
    """Of text the tokens count: as many of them, in more or in longer lines, want the same epochs, dropout and units."""
    short, long = text_settings(50_000, 20), text_settings(25_000, 41)
    assert {name: short[name] for name in ("epochs", "rnn_units")} == {name: long[name] for name in ("epochs", "rnn_units")}
    assert short["dropout"] == pytest.approx(long["dropout"], abs=0.01)
    chosen = [text_settings(n_lines, 40) for n_lines in (100, 2_000, 50_000, 500_000)]
    for name, sign in (("epochs", -1), ("dropout", -1), ("rnn_units", 1)):
        values = [sign * one[name] for one in chosen]
        assert values == sorted(values)
        assert values[0] < values[-1]
    assert text_settings(5_000, 20, n_positions=30)["epochs"] == settings(5_000)["epochs"]  # names are like other columns


@pytest.mark.parametrize("rnn_units", [16, 128, 512, 4096])
def test_a_call_is_not_long(rnn_units):
    """However large the network, a compiled call holds about half a second of work, or a single step."""
    chosen = settings(n_slots=100, rnn_units=rnn_units, batch_size=256)

    seconds = 24 * rnn_units**2 * 100 * 256 / FLOPS
    assert 1 <= chosen["steps_per_execution"] <= 16
    assert chosen["steps_per_execution"] == 1 or chosen["steps_per_execution"] * seconds <= CALL_SECONDS
    assert 16 == settings(n_slots=2, rnn_units=8)["steps_per_execution"]


def test_xla_is_used_where_it_is_repaid():
    """XLA compiles long trainings, not short ones; on a GPU Keras' layer runs; what is asked for is done."""
    assert ["graph", "xla"] == [settings(n_rows)["loops"] for n_rows in (50, 1_000_000)]
    assert ["keras", "keras"] == [settings(n_rows, gpu=True)["loops"] for n_rows in (50, 1_000_000)]
    for gpu in (True, False):
        assert ["graph", "xla"] == [settings(1_000, gpu=gpu, jit_compile=jit)["loops"] for jit in (False, True)]
