"""Sampling and scoring with trained weights, in chunks of one fixed shape."""

import numpy as np
import tensorflow as tf

from .._grammar import Grammar
from . import _engine
from ._layout import Layout
from ._network import NetworkShape
from ._training import scoring_chunks

MAX_SAMPLING_ROWS = 4096
MAX_LOGITS = 2**23  # rows times the largest block, at most


def sampling_rows(shape: NetworkShape) -> int:
    """Rows of a sampling chunk: thousands, fewer where a block of tokens is very large."""
    largest = max((group.n_tokens for group in shape.groups), default=1)
    return int(min(MAX_SAMPLING_ROWS, max(64, 1 << ((MAX_LOGITS // largest).bit_length() - 1))))


class Sampler:
    """Draws chunks of rows from trained weights.

    Parameters
    ----------
    grammar : Grammar
    weights : dict of str to ndarray
        As returned by `train`.
    shape : NetworkShape
    n_rows : int
        Rows per chunk, such as `sampling_rows` gives.
    """

    def __init__(self, grammar: Grammar, weights: _engine.Weights, shape: NetworkShape, n_rows: int):
        self.layout, self.weights, self.shape, self.n_rows = Layout(grammar), weights, shape, n_rows

    def draw(self, seed: np.random.SeedSequence, temperature: float = 1.0) -> np.ndarray:
        """Draw one chunk: token ids of shape (self.n_rows, n_positions), int32, a function of the seed alone."""
        layout = self.layout
        order = layout.order
        starts = np.append(True, layout.runs[order][1:] != layout.runs[order][:-1])
        tables = [(a + b) for a, b in zip(layout.legal(), layout.unsampled(), strict=True)]
        key = seed.generate_state(2).astype(np.uint32).view(np.int32)
        with _engine.borrowed(self.shape) as model:
            _engine.load(model, self.weights)
            tokens = _compiled_draw(model, self.n_rows)(
                tf.constant(order), tf.constant(starts), tf.constant(key), tf.constant(temperature, tf.float32),
                [tf.constant(table) for table in tables], [tf.constant(table) for table in layout.transitions()],
            )  # fmt: skip
        return tokens.numpy()[:, layout.order]


def log_likelihood(grammar: Grammar, weights: _engine.Weights, shape: NetworkShape, ids: np.ndarray) -> np.ndarray:
    """Return the log-likelihood of each row of token ids, in nats, shape (n_rows,)."""
    layout = Layout(grammar)
    rows = layout.rows(ids).astype(np.int32)
    parts = []
    with _engine.borrowed(shape) as model:
        _engine.load(model, weights)
        score = _compiled_score(model)
        for chunk, order, _ in scoring_chunks(layout, rows):
            parts.append(-score(tf.constant(chunk), tf.constant(order)).numpy().astype(np.float64))
    return np.concatenate(parts)[: len(ids)] if parts else np.empty(0)


def _compiled_score(model):
    if model.compiled_score is None:
        model.compiled_score = tf.function(lambda rows, order: model.nll(rows, order)[0])
    return model.compiled_score


def _compiled_draw(model, n_rows):
    if n_rows not in model.compiled_draws:
        model.compiled_draws[n_rows] = tf.function(lambda *args: _draw(model, n_rows, *args))
    return model.compiled_draws[n_rows]


def _draw(model, n_rows, order, starts, seed, temperature, masks, transitions):
    """Draw tokens place by place in `order`; return them in canonical order, shape (n_rows, n_positions)."""
    shape, units = model.shape, model.shape.rnn_units
    group_of_slot = np.repeat(np.arange(len(shape.groups)), [g.n_slots for g in shape.groups]).astype(np.int32)
    place_in_group = np.concatenate([np.arange(g.n_slots) for g in shape.groups]).astype(np.int32)
    kernel = model.kernels[0].value
    table = tf.pad(tf.matmul(model.embedding.value, kernel), [[0, 1], [0, 0]])
    here = tf.matmul(model.slot_embedding.value, kernel) + model.biases[0].value
    biases = [mask + model.priors[i].value + model.head_biases[i].value[:, None] for i, mask in enumerate(masks)]

    def branch(index, member, hidden, state, uniform):
        def choose():
            bias = tf.gather(tf.gather(biases[index], member), state)
            logits = tf.matmul(hidden, tf.gather(model.heads[index].value, member)) + bias
            token = _inverse_cdf(logits / temperature, uniform)
            return token, tf.gather_nd(tf.gather(transitions[index], member), tf.stack([state, token], 1))

        return choose

    def body(t, previous, state, hs, cs, tokens):
        place = order[t]
        slot = tf.gather(model._place_slot, place)
        inputs = tf.gather(table, previous) + tf.gather(here, slot)
        hs, cs = _step(model, inputs, hs, cs)
        state = tf.where(starts[t], 0, state)
        uniform = tf.random.stateless_uniform((n_rows, 1), tf.random.experimental.stateless_fold_in(seed, place))
        member = tf.gather(place_in_group, slot)
        branches = [branch(i, member, hs[-1], state, uniform) for i in range(len(shape.groups))]
        token, state = tf.switch_case(tf.gather(group_of_slot, slot), branches) if len(branches) > 1 else branches[0]()
        return t + 1, token + tf.gather(model._place_offset, place), state, hs, cs, tokens.write(place, token)

    zeros = tuple(tf.zeros((n_rows, units)) for _ in range(shape.n_layers))
    first = tf.fill((n_rows,), shape.n_tokens)
    tokens = tf.TensorArray(tf.int32, shape.n_positions, element_shape=(n_rows,))
    start = (0, first, tf.zeros((n_rows,), tf.int32), zeros, zeros, tokens)
    end = tf.while_loop(lambda t, *_: t < shape.n_positions, body, start, maximum_iterations=shape.n_positions)
    return tf.transpose(end[-1].stack())


def _step(model, inputs, hs, cs):
    """One step of every layer; `inputs` are the first layer's projections."""
    units, new_h, new_c = model.shape.rnn_units, [], []
    for layer, (h, c) in enumerate(zip(hs, cs, strict=True)):
        if layer:
            inputs = tf.matmul(new_h[-1], model.kernels[layer].value) + model.biases[layer].value
        z = inputs + tf.matmul(h, model.recurrent_kernels[layer].value)
        i, f, g, o = z[:, :units], z[:, units : 2 * units], z[:, 2 * units : 3 * units], z[:, 3 * units :]
        c = tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g)
        new_c.append(c)
        new_h.append(tf.sigmoid(o) * tf.tanh(c))
    return tuple(new_h), tuple(new_c)


def _inverse_cdf(logits, uniform):
    """Draw one token per row from its logits, given one uniform number per row; illegal tokens have no mass."""
    weights = tf.exp(logits - tf.reduce_max(logits, axis=1, keepdims=True))
    cumulative = tf.cumsum(weights, axis=1)
    total = cumulative[:, -1:]
    below = tf.reduce_sum(tf.cast(cumulative <= uniform * total, tf.int32), axis=1)
    last = tf.cast(logits.shape[1] - 1 - tf.argmax(tf.reverse(weights, [1]) > 0, axis=1), tf.int32)
    return tf.minimum(below, last)
