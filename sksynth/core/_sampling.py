"""Sampling and scoring with trained weights, in chunks of one fixed shape."""

from functools import lru_cache

import numpy as np
import tensorflow as tf

from .._grammar import Grammar
from ._engine import Weights
from ._layout import ILLEGAL, Layout
from ._network import NetworkShape, first_token_of_slot, row_losses, slot_of_place
from ._training import scoring_chunks

MAX_SAMPLING_ROWS = 4096
MAX_LOGITS = 2**23  # rows times the largest block, at most


def sampling_rows(shape: NetworkShape) -> int:
    """Return the rows of a sampling chunk: thousands, fewer where a block of tokens is very large."""
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

    def __init__(self, grammar: Grammar, weights: Weights, shape: NetworkShape, n_rows: int):
        self.n_rows, self._layout = n_rows, Layout(grammar)
        self._draw = _compiled_draw(shape, n_rows)
        self._tables = _tables(self._layout, weights, shape)

    def draw(self, seed: np.random.SeedSequence, temperature: float = 1.0) -> np.ndarray:
        """Draw one chunk: token ids of shape (n_rows, n_positions), int32, a function of the seed alone."""
        layout, order = self._layout, self._layout.order
        starts = np.append(True, layout.runs[order][1:] != layout.runs[order][:-1])
        key = seed.generate_state(2).astype(np.uint32).view(np.int32)
        tokens = self._draw(
            self._tables,
            tf.constant(order),
            tf.constant(starts),
            tf.constant(key),
            tf.constant(max(temperature, 1e-6), tf.float32),
        )
        return tokens.numpy()[:, order]


def log_likelihood(grammar: Grammar, weights: Weights, shape: NetworkShape, ids: np.ndarray) -> np.ndarray:
    """Return the log-likelihood of each row of token ids, in nats, shape (n_rows,)."""
    layout, score = Layout(grammar), _compiled_score(shape)
    rows, tensors = layout.rows(ids).astype(np.int32), {name: tf.constant(value) for name, value in weights.items()}
    parts = [
        -score(tensors, tf.constant(chunk), tf.constant(order)).numpy().astype(np.float64)
        for chunk, order, _ in scoring_chunks(layout, rows)
    ]
    return np.concatenate([np.empty(0), *parts])[: len(ids)]


@lru_cache(maxsize=32)
def _compiled_score(shape):
    return tf.function(lambda weights, rows, order: row_losses(shape, weights, rows, order)[0])


@lru_cache(maxsize=32)
def _compiled_draw(shape, n_rows):
    return tf.function(lambda *args: _draw(shape, n_rows, *args))


def _tables(layout: Layout, weights: Weights, shape: NetworkShape) -> dict:
    """All that a step of sampling looks up: projected inputs, heads, logits to start from, next states."""
    said = weights["embedding"] @ weights["kernel_0"]
    masks = zip(layout.unsampled(), range(len(shape.groups)), strict=True)
    tables = {
        "said": [np.vstack([said, np.zeros_like(said[:1])])],  # the last row: nothing was said yet
        "asked": [weights["slot_embedding"] @ weights["kernel_0"] + weights["bias_0"]],
        "layers": [
            [weights[f"{name}_{layer}"] for name in ("kernel", "bias", "recurrent_kernel")] for layer in range(shape.n_layers)
        ],
        "heads": [weights[f"head_{index}"] for index in range(len(shape.groups))],
        "logits": [weights[f"prior_{i}"] + weights[f"head_bias_{i}"][:, None] + mask for mask, i in masks],
        "transitions": layout.transitions(),
    }
    return tf.nest.map_structure(tf.constant, tables)


def _draw(shape, n_rows, tables, order, starts, seed, temperature):
    """Draw tokens place by place in `order`; return them in canonical order, shape (n_rows, n_positions).

    A token is the argmax of its logits plus Gumbel noise, which draws it with the probability that softmax gives it.
    """
    group_of_slot = np.repeat(np.arange(len(shape.groups)), [g.n_slots for g in shape.groups]).astype(np.int32)
    place_in_group = np.concatenate([np.arange(g.n_slots) for g in shape.groups]).astype(np.int32)
    slot_of, offset_of = slot_of_place(shape.groups), first_token_of_slot(shape.groups)

    def branch(index, member, hidden, state, key):
        def choose():
            bias = tf.gather(tf.gather(tables["logits"][index], member), state)
            logits = (tf.matmul(hidden, tf.gather(tables["heads"][index], member)) + bias) / temperature
            logits = tf.where(bias < ILLEGAL / 2, bias, logits)
            uniform = tf.random.stateless_uniform(tf.shape(logits), key, minval=1e-7)
            token = tf.argmax(logits - tf.math.log(-tf.math.log(uniform)), axis=1, output_type=tf.int32)
            return token, tf.gather_nd(tf.gather(tables["transitions"][index], member), tf.stack([state, token], 1))

        return choose

    def body(t, previous, state, hs, cs, tokens):
        place, state = order[t], tf.where(starts[t], 0, state)
        slot = tf.gather(slot_of, place)
        hs, cs = _step(tables, tf.gather(tables["said"][0], previous) + tf.gather(tables["asked"][0], slot), hs, cs)
        key, member = tf.random.experimental.stateless_fold_in(seed, place), tf.gather(place_in_group, slot)
        branches = [branch(index, member, hs[-1], state, key) for index in range(len(shape.groups))]
        token, state = tf.switch_case(tf.gather(group_of_slot, slot), branches)
        return t + 1, token + tf.gather(offset_of, slot), state, hs, cs, tokens.write(place, token)

    zeros = tuple(tf.zeros((n_rows, shape.rnn_units)) for _ in range(shape.n_layers))
    nothing_said, state = tf.fill((n_rows,), shape.n_tokens), tf.zeros((n_rows,), tf.int32)
    tokens = tf.TensorArray(tf.int32, shape.n_positions, element_shape=(n_rows,))
    start = (0, nothing_said, state, zeros, zeros, tokens)
    end = tf.while_loop(lambda t, *_: t < shape.n_positions, body, start, maximum_iterations=shape.n_positions)
    return tf.transpose(end[-1].stack())


def _step(tables, inputs, hs, cs):
    """Take one step in every layer; `inputs` are the first layer's projections."""
    new_h, new_c = [], []
    for (kernel, bias, recurrent_kernel), h, c in zip(tables["layers"], hs, cs, strict=True):
        z = (tf.matmul(new_h[-1], kernel) + bias if new_h else inputs) + tf.matmul(h, recurrent_kernel)
        i, f, g, o = tf.split(z, 4, axis=1)
        new_c.append(tf.sigmoid(f) * c + tf.sigmoid(i) * tf.tanh(g))
        new_h.append(tf.sigmoid(o) * tf.tanh(new_c[-1]))
    return tuple(new_h), tuple(new_c)
