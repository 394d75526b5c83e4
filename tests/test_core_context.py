"""Promises of context in the core: runs that are read before the others, and neither learned nor scored."""

from dataclasses import replace

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logsumexp

from sksynth import core
from sksynth._grammar import Grammar, Run, Slot, compile_slots
from sksynth.core import _network, _training
from sksynth.core._layout import Layout

SETTINGS = core.Settings(
    embedding_dim=4, rnn_units=8, n_layers=1, dropout=0.0, averaging=1.0, context=0.0, epochs=6,
    batch_size=32, learning_rate=0.03, validation_fraction=0.25, monitor="val_loss", patience=None, min_delta=0.0,
    steps_per_execution=4, loops="graph", n_context=1,
)  # fmt: skip
CITY = compile_slots(["city"], [3], lambda *_: 0)
PAIR = compile_slots(["part", "rest"], [2, 3], lambda index, state, token: token if index == 0 or token <= state else None)
NOTE = Run((Slot("note", np.array([[1, 0, 0], [1, -1, -1]], np.int16), repeat=2),))  # token 0 ends the note
GRAMMAR = Grammar((CITY, PAIR, NOTE))
TEXT_FIRST = Grammar((NOTE, CITY, PAIR))


def legal_rows(grammar):
    """Return every legal row of a grammar."""
    sizes = [grammar.slots[index].n_tokens for index in grammar.slot_of_position]
    rows = []
    for row in np.ndindex(*sizes):
        try:
            grammar.states(np.array([row]))
        except ValueError:
            continue
        rows.append(row)
    return np.array(rows, np.int32)


EVERY = {grammar: legal_rows(grammar) for grammar in (GRAMMAR, TEXT_FIRST)}
ROWS = EVERY[GRAMMAR][np.random.default_rng(0).integers(len(EVERY[GRAMMAR]), size=160)]


def train(**changes):
    """Train on the rows of this file; return weights and history."""
    run = core.Run(lambda state: None)
    return core.train(GRAMMAR, ROWS, replace(SETTINGS, **changes), np.random.SeedSequence(0), run), run.records


def made(grammar, n_context, n_layers=1, seed=0, recalls=False):
    """Return shape, weights and rows of a network that says something of everything."""
    rng, layout = np.random.default_rng(seed), Layout(grammar)
    shape = core.network_shape(grammar, replace(SETTINGS, n_layers=n_layers, n_context=n_context))._replace(recalls=recalls)
    rows = layout.rows(EVERY[grammar]).astype(np.int32)
    weights = _training.initial_weights(shape, layout.priors(rows), rng)
    moved = {name: value + 0.3 * rng.standard_normal(value.shape) for name, value in weights.items() if name[:5] != "prior"}
    return shape, weights | {name: value.astype(np.float32) for name, value in moved.items()}, rows


@pytest.mark.parametrize("n_context", [1, 2])
@pytest.mark.parametrize("grammar", EVERY, ids=["text last", "text first"])
def test_the_score_in_context_is_a_conditional_likelihood(grammar, n_context):
    """The likelihood of what follows some runs is that of the whole row over that of these runs, and sums to 1 for each."""
    shape, weights, _ = made(grammar, 0)
    rows = EVERY[grammar]
    whole = core.log_likelihood(grammar, weights, shape, rows)
    own = core.log_likelihood(grammar, weights, shape, rows, n_context)
    _, context = np.unique(rows[:, Layout(grammar).run_of_position < n_context], axis=0, return_inverse=True)
    context = context.ravel()
    marginal = np.array([logsumexp(whole[context == number]) for number in range(context.max() + 1)])

    np.testing.assert_allclose(own, whole - marginal[context], atol=1e-5)
    np.testing.assert_allclose([np.exp(own[context == number]).sum() for number in range(context.max() + 1)], 1, rtol=1e-5)


@pytest.mark.parametrize("loops", core._training.LOOPS)
@settings(max_examples=8, deadline=None)
@given(st.sampled_from(list(EVERY)), st.integers(1, 2), st.integers(1, 2), st.integers(0, 2**20), st.booleans())
def test_gradients_are_those_of_the_scored_loss(loops, grammar, n_context, n_layers, seed, recalls):
    """Training follows the gradient of what is scored: none of it is that of the context's heads."""
    shape, weights, rows = made(grammar, n_context, n_layers, seed, recalls)
    shape = shape._replace(loops=loops)
    _network.prepare(shape)
    layout, order = Layout(grammar), tf.constant(Layout(grammar).order)
    tensors = {name: tf.constant(value) for name, value in weights.items()} | {"scored": tf.constant(layout.scored(n_context))}
    trained = [name for name in weights if not name.startswith("prior")]
    with tf.GradientTape() as tape:
        tape.watch([tensors[name] for name in trained])
        losses, hits = _network.row_losses(shape._replace(loops="graph"), tensors, rows, order)
        total = tf.reduce_sum(losses)
    expected = tape.gradient(total, {name: tensors[name] for name in trained})
    noise = _network.Noise(tf.zeros(2, tf.int32), tf.constant(0.0))
    known = _network.tables(shape, tensors)
    found, found_losses, found_hits = _network.row_gradients(shape, known, rows, order, noise)
    found = _network.through_tables(shape, known, found)

    np.testing.assert_allclose(found_losses, losses, rtol=1e-4)
    np.testing.assert_allclose(found_hits, hits, rtol=1e-6)
    assert found.keys() == set(trained)
    for name in trained:
        np.testing.assert_allclose(found[name], tf.convert_to_tensor(expected[name]), atol=2e-3, err_msg=name)


def test_context_is_read_and_not_learned():
    """Training leaves the heads of context where they began, and moves what reads it; what follows is learned."""
    weights, _ = train()
    layout, heads = Layout(GRAMMAR), weights["head_bias_0"]  # of city and part, in canonical order
    learned = dict(zip([GRAMMAR.slots[index].name for index in layout.slots], np.abs(heads).max(axis=1) > 0, strict=False))
    begun = _training.initial_weights(core.network_shape(GRAMMAR, SETTINGS), layout.priors(layout.rows(ROWS)), drawing())

    assert learned == {"city": False, "part": True}
    np.testing.assert_array_equal(weights["head_0"][0], begun["head_0"][0])
    assert (weights["embedding"][:3] != begun["embedding"][:3]).any(axis=1).all()  # the city's tokens


def drawing():
    """Return the generator that `train` draws initial weights from."""
    return np.random.default_rng(np.random.SeedSequence(0).spawn(3)[1])


def test_figures_are_those_of_what_is_scored():
    """Validation loss is that of the runs behind the context; foreseen tokens are a share of theirs, none of it context."""
    weights, records = train()
    splitting = np.random.default_rng(np.random.SeedSequence(0).spawn(3)[0])
    _, held_out = _training.split_rows(len(ROWS), SETTINGS.validation_fraction, splitting)
    own = core.log_likelihood(GRAMMAR, weights, core.network_shape(GRAMMAR, SETTINGS), ROWS[held_out], 1)
    assert min(record["val_loss"] for record in records) == pytest.approx(-own.mean(), rel=1e-5)

    shape, weights, rows = made(GRAMMAR, 2)
    layout = Layout(GRAMMAR)
    known = {name: tf.constant(value) for name, value in weights.items()} | {"scored": tf.constant(layout.scored(2))}
    shares = _network.row_losses(shape, known, rows, tf.constant(layout.order))[1].numpy()
    assert set(np.round(shares * 2).tolist()) <= {0.0, 1.0, 2.0}  # of the note's two places
    np.testing.assert_allclose(shares * 2, np.round(shares * 2), atol=1e-6)


def test_training_in_any_order_scores_everything():
    """Where columns are read in any order, context is learned like all others: nothing differs from training without."""
    one, other = (train(context=0.5, epochs=2, n_context=n_context)[0] for n_context in (0, 1))
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_contexts_share_one_compilation():
    """Which runs are context is data: networks differ in shape only by whether there is any."""
    shapes = [core.network_shape(GRAMMAR, replace(SETTINGS, n_context=n_context)) for n_context in range(3)]
    assert shapes[1] == shapes[2] != shapes[0]
    in_any_order = [core.network_shape(GRAMMAR, replace(SETTINGS, context=0.5, n_context=n_context)) for n_context in (0, 1)]
    assert in_any_order[0] == in_any_order[1]


def test_a_number_of_runs_is_checked():
    """Settings from a file may have no context, but not less."""
    values = {name: getattr(SETTINGS, name) for name in SETTINGS.__dataclass_fields__}
    assert core.checked_settings(values | {"n_context": 0}, 9).n_context == 0
    with pytest.raises(ValueError, match="got n_context=-1, expected a number of at least 0"):
        core.checked_settings(values | {"n_context": -1}, 9)
