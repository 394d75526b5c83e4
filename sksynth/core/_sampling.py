"""Sampling with trained weights: blocks of rows that fit the processor's cache, drawn by numpy in parallel threads.

One step of a block is two matrix products and a few passes over small arrays; numpy does them as fast as a compiled graph,
without the time that tracing one takes, so that a few rows cost little and a million no more than they must.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from threadpoolctl import ThreadpoolController

from .._grammar import Grammar
from ._layout import ILLEGAL, Layout

BLOCK_ROWS = 256  # drawn together: their gates fit a core's cache


class _Place(NamedTuple):
    """What is looked up at one time of the reading order."""

    asked: np.ndarray  # projection of the slot that is asked for, shape (4 * units,)
    head: np.ndarray  # shape (units, n_tokens)
    logits: np.ndarray  # to start from, by state; -inf where a token is not to be drawn, shape (n_states, n_tokens)
    transitions: np.ndarray  # next states, shape (n_states, n_tokens)
    first_token: int  # row of the block's first token in the table of what was said
    starts: bool  # whether a run begins here
    ends: np.ndarray  # by state: the token that can only be followed by itself, up to the row's end; -1 where there is none


class Sampler:
    """Draws rows from trained weights.

    Parameters
    ----------
    grammar : Grammar
    weights : dict of str to ndarray
        As returned by `train`.
    shape : NetworkShape
    """

    def __init__(self, grammar: Grammar, weights: dict, shape):
        self._layout, self._units = Layout(grammar), shape.rnn_units
        scaled = _scale_gates(weights, shape)
        said = weights["embedding"] @ scaled["kernel_0"]
        self._said = np.vstack([said, np.zeros_like(said[:1])])  # the last row: nothing was said yet
        self._layers = [
            [scaled[f"{name}_{layer}"] for name in ("kernel", "bias", "recurrent_kernel")] for layer in range(shape.n_layers)
        ]
        asked = weights["slot_embedding"] @ scaled["kernel_0"] + scaled["bias_0"]
        self._places = list(_places(self._layout, weights, asked))
        self._blas = ThreadpoolController()

    def draw(self, seed: np.random.SeedSequence, n_rows: int, temperature: float = 1.0) -> np.ndarray:
        """Draw token ids of shape (n_rows, n_positions), int32.

        Every block of rows has a stream of its own, so that fewer rows are the first of more.
        """
        children = np.random.SeedSequence(seed.entropy, spawn_key=seed.spawn_key).spawn(-(-n_rows // BLOCK_ROWS))
        with self._blas.limit(limits=1, user_api="blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
            blocks = list(pool.map(lambda child: self._draw_block(np.random.default_rng(child), temperature), children))
        return np.concatenate(blocks)[:n_rows]

    def _draw_block(self, rng, temperature):
        scratch = _Scratch(self._units, len(self._layers))
        tokens = np.empty((BLOCK_ROWS, len(self._places)), np.int32)
        uniform = rng.random((len(self._places), BLOCK_ROWS), dtype=np.float32)
        previous, state = np.full(BLOCK_ROWS, len(self._said) - 1), np.zeros(BLOCK_ROWS, np.int64)
        for time, place in enumerate(self._places):
            np.take(self._said, previous, axis=0, out=scratch.z, mode="clip")
            scratch.z += place.asked
            state = np.zeros_like(state) if place.starts else state
            if (place.ends[state] >= 0).all():
                tokens[:, time:] = place.ends[state][:, None]
                break
            logits = np.matmul(self._step(scratch), place.head, out=scratch.logits(place.head.shape[1]))
            logits += place.logits if len(place.logits) == 1 else place.logits.take(state, axis=0)
            token = _inverse_cdf(logits, uniform[time], temperature)
            previous, state = token + place.first_token, place.transitions[state, token]
            tokens[:, time] = token
        return tokens

    def _step(self, scratch):
        """Take one step in every layer, in place; `scratch.z` has the first layer's projections. Return the last's output."""
        z, units = scratch.z, self._units
        for layer, (kernel, bias, recurrent_kernel) in enumerate(self._layers):
            h, c = scratch.hidden[layer], scratch.cells[layer]
            if layer:
                np.matmul(scratch.hidden[layer - 1], kernel, out=z)
                z += bias
            z += np.matmul(h, recurrent_kernel, out=scratch.recurrent)
            with np.errstate(over="ignore"):  # exp(88.8) is infinite, and the gate 0, as it should be
                np.exp(z, out=z)
            z += 1.0
            np.reciprocal(z, out=z)
            i, f, g, o = (z[:, gate * units : (gate + 1) * units] for gate in range(4))
            g *= 2.0
            g -= 1.0
            i *= g
            c *= f
            c += i
            np.tanh(c, out=h)
            h *= o
        return h


class _Scratch:
    """The arrays of a block, made once: fresh memory at every step would cost more than the arithmetic."""

    def __init__(self, units, n_layers):
        self.z, self.recurrent = (np.empty((BLOCK_ROWS, 4 * units), np.float32) for _ in range(2))
        self.hidden, self.cells = ([np.zeros((BLOCK_ROWS, units), np.float32) for _ in range(n_layers)] for _ in range(2))
        self._logits: dict[int, np.ndarray] = {}

    def logits(self, n_tokens):
        if n_tokens not in self._logits:
            self._logits[n_tokens] = np.empty((BLOCK_ROWS, n_tokens), np.float32)
        return self._logits[n_tokens]


def _scale_gates(weights, shape):
    """Scale what goes into the gates: sigmoid(x) is 1 / (1 + exp(-x)), tanh(x) is 2 / (1 + exp(-2 x)) - 1: one exp for all."""
    factors = np.repeat(np.float32([-1.0, -1.0, -2.0, -1.0]), shape.rnn_units)
    names = [f"{name}_{layer}" for name in ("kernel", "bias", "recurrent_kernel") for layer in range(shape.n_layers)]
    return {name: weights[name] * factors for name in names}


def _places(layout, weights, asked):
    """Yield the look-ups of every time of the reading order, blocks without their padding."""
    grammar, first = layout.grammar, 0
    of_slot, slot = {}, 0
    for index, group in enumerate(layout.groups):
        for member in range(group.n_slots):
            known = grammar.slots[layout.slots[slot]]
            size = (slice(known.n_states), slice(known.n_tokens))
            logits = weights[f"prior_{index}"][member][size] + weights[f"head_bias_{index}"][member][size[1]]
            logits = np.where((known.transitions < 0) | known.unsampled | (logits < ILLEGAL / 2), -np.inf, logits)
            head = np.ascontiguousarray(weights[f"head_{index}"][member][:, size[1]])
            of_slot[layout.slots[slot]] = (asked[slot], head, logits.astype(np.float32), known.transitions, first)
            first, slot = first + group.n_tokens, slot + 1
    last = grammar.slot_of_position[-1]
    for slot, starts in zip(grammar.slot_of_position, grammar.run_starts, strict=True):
        logits, transitions = of_slot[slot][2:4]
        ends = np.full(len(logits), -1)
        if slot == last and grammar.slots[slot].repeat > 1:
            ends = _ends(logits > -np.inf, transitions)
        yield _Place(*of_slot[slot], bool(starts), ends)


def _ends(allowed, transitions):
    """Return by state the one token that is allowed and leads back to the state; -1 where there is no such token."""
    token, states = allowed.argmax(axis=1), np.arange(len(allowed))
    final = (allowed.sum(axis=1) == 1) & (transitions[states, token] == states)
    return np.where(final, token, -1)


def _inverse_cdf(logits, uniform, temperature):
    """Draw a token per row, in place: the first whose cumulative weight exceeds a uniform share of the whole."""
    logits -= logits.max(axis=1, keepdims=True)
    logits /= np.float32(max(temperature, 1e-6))
    np.exp(logits, out=logits)
    cumulative = np.cumsum(logits, axis=1, out=logits)
    total = cumulative[:, -1]
    target = np.minimum(uniform * total, np.nextafter(total, np.float32(0)))
    return (cumulative > target[:, None]).argmax(axis=1)
