"""Promises of the training core, on one tiny grammar whose every row can be enumerated."""

import threading
from collections import Counter
from dataclasses import replace
from functools import cache
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from sksynth import core
from sksynth._grammar import Grammar, Run, Slot, compile_slots
from sksynth.core import _engine, _layout, _network, _recurrence, _training

tf = pytest.importorskip("tensorflow")

EPS = float(np.finfo(np.float32).eps)
SETTINGS = core.Settings(
    embedding_dim=8, rnn_units=16, n_layers=1, dropout=0.1, token_dropout=0.0, weight_decay=0.0, epochs=25, batch_size=64,
    learning_rate=0.02, validation_fraction=0.2, patience=None, min_delta=0.0, random_order=0.0, jit_compile=False,
    steps_per_execution=8,
)  # fmt: skip
N_ROWS = 640  # 512 of them for training: eight steps an epoch


def _date(index, state, token):
    """Step of a date: missing (0), other (1) or one of two months, then a day that the month allows."""
    if index == 0:
        return ("missing", "other", "short", "long")[token]
    return 0 if token in {"missing": (0,), "other": (1,), "short": (2, 3), "long": (1, 2, 3)}[state] else None


TEXT = Slot("note", np.array([[1, 0, 0], [1, -1, -1]], np.int16), repeat=2)  # token 0 ends it
RUNS = (
    compile_slots(["city"], [9], lambda *_: 0, unsampled={0: [1]}),
    compile_slots(["date.month", "date.day"], [4, 4], _date, unsampled={0: [1]}),
    Run((TEXT,)),
)
GRAMMAR = Grammar(RUNS)
CITY, MONTH, DAY, FIRST, SECOND = range(GRAMMAR.n_positions)
SHAPE = core.network_shape(GRAMMAR, SETTINGS)


def made_rows(n_rows, rng):
    """Return ids in which the city implies the month and the note's first token; the rest is noise."""
    city = rng.integers(2, 9, n_rows)
    day, second = rng.integers(2, 4, n_rows), rng.integers(0, 2, n_rows)
    return np.column_stack([city, 2 + city % 2, day, 1 + (city > 5), second]).astype(np.int32)


def legal_rows(grammar):
    """Return every legal row of a grammar."""
    sizes = [grammar.slots[index].n_tokens for index in grammar.slot_of_position]
    return np.array([row for row in product(*map(range, sizes)) if is_legal(grammar, np.array([row]))])


def is_legal(grammar, ids):
    try:
        grammar.states(ids)
    except ValueError:
        return False
    return True


LEGAL = legal_rows(GRAMMAR)
MADE = made_rows(N_ROWS, np.random.default_rng(0))


def train(ids=MADE, seed=0, grammar=GRAMMAR, on_epoch=lambda state: None, **changes):
    """Train on ids with the settings of this file, some of them changed."""
    return core.train(grammar, ids, replace(SETTINGS, **changes), np.random.SeedSequence(seed), on_epoch)


def assert_same_weights(a, b):
    assert a.keys() == b.keys()
    assert all(np.array_equal(a[name], b[name]) for name in a)


@pytest.fixture(scope="module", params=[1, 2], ids=["one layer", "two layers"])
def trained(request):
    """Return (weights, shape, history) of a network trained on the made rows."""
    weights, history = train(n_layers=request.param)
    return weights, core.network_shape(GRAMMAR, replace(SETTINGS, n_layers=request.param)), history


@pytest.fixture(scope="module")
def weights():
    """Return the weights of a one-layer network trained on the made rows."""
    return train()[0]


# ---- the recurrence


def gradients_of(layer, projected, kernel, upstream):
    """Return hidden states, and the gradients of their product with `upstream`."""
    with tf.GradientTape() as tape:
        tape.watch([projected, kernel])
        hidden = layer(projected, kernel)
        total = tf.reduce_sum(hidden * upstream)
    return hidden, *tape.gradient(total, [projected, kernel])


def keras_recurrence(projected, kernel):
    """Run `keras.layers.LSTM` on projections: its own kernel is the identity, its bias zero."""
    import keras

    units = kernel.shape[0]
    cell = keras.layers.LSTMCell(units, use_bias=False)
    cell.build((None, 4 * units))
    cell.kernel.assign(np.eye(4 * units))
    cell.kernel, cell.recurrent_kernel = tf.eye(4 * units), kernel
    return cell
