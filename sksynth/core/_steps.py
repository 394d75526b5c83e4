"""What all reading of trained weights by numpy is made of: steps of many rows at once, and the heads of all slots.

A step is a few matrix products and a few passes over small arrays; numpy does them as fast as a compiled graph, without the
time that tracing one takes.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ._layout import ILLEGAL, RECALL_SCALE, Layout

BLOCK_ROWS = 512  # drawn together: few enough for a core's cache, enough that threads seldom wait for the interpreter
MOST_OVER = 0.2  # of a block's rows that may be at their end before they are left out, as copying what goes on takes time
SAFE_LOGIT = 40.0  # exp of sums below this in magnitude neither overflows nor vanishes


class Lanes:
    """Rows that are drawn together, and the arrays to do it in: fresh memory at every step would cost more than the work."""

    def __init__(self, units, n_layers, n_lanes=BLOCK_ROWS, product=np.matmul):
        self.product = product
        self.token = self.state = np.zeros(n_lanes, int)
        self.hidden, self.cells = ([np.zeros((n_lanes, units), np.float32) for _ in range(n_layers)] for _ in range(2))
        self.z, self.recurrent = (np.empty((4, n_lanes, units), np.float32) for _ in range(2))
        self.recalled = np.zeros((n_lanes, units), np.float32)
        self._logits: dict[int, np.ndarray] = {}

    def logits(self, n_tokens):
        """Return an array for the logits of a slot."""
        if n_tokens not in self._logits:
            self._logits[n_tokens] = np.empty((len(self.token), n_tokens), np.float32)
        return self._logits[n_tokens]

    def ends(self, place):
        """Enter a place, whose run begins in state 0; return by lane the token up to the row's end, -1 where it is open."""
        if place.starts:
            self.state = np.zeros_like(self.state)
        return place.ends[self.state]

    def descend(self, parents, token=None, place=None, fill=False):
        """Return new lanes that go on where those of these numbers stand, after another token if one is given.

        Filled up, they are as many as a block has rows, so that products have the same bits whatever else is drawn.
        """
        n = len(parents)
        size = (BLOCK_ROWS, self.product) if fill else (n,)
        lanes = Lanes(self.hidden[0].shape[1], len(self.hidden), *size)
        for new, old in zip(lanes.hidden + lanes.cells, self.hidden + self.cells, strict=True):
            new[:n] = old[parents]
        lanes.recalled[:n] = self.recalled[parents]
        lanes.token, lanes.state = np.zeros((2, len(lanes.token)), int)
        lanes.token[:n] = self.token[parents] if token is None else token
        lanes.state[:n] = self.state[parents] if token is None else place.transitions[self.state[parents], token]
        return lanes


class Head(NamedTuple):
    """What a slot's token is drawn by."""

    kernel: np.ndarray  # shape (units, n_tokens)
    logits: np.ndarray  # to start from, by state; -inf where the state forbids a token, shape (n_states, n_tokens)
    drawn: np.ndarray  # the same, and -inf for tokens that are never drawn
    safe: bool  # whether the greatest logits stay within SAFE_LOGIT whatever the hidden state
    ends: np.ndarray  # by state: the only token that is legal up to the slot's last position; -1 where there are others


class Steps:
    """The recurrent layers of a network, and what they read.

    Parameters
    ----------
    layout : Layout
    weights : dict of str to ndarray
    shape : NetworkShape

    Attributes
    ----------
    said : ndarray, shape (4, n_tokens, units)
        Inputs of the first layer, by gate, for every token that was said, in the order of the layout.
    asked : ndarray, shape (4, n_slots, units)
        What is added to them for the slot that is asked for, in the order of the layout.
    heads : dict of int to Head
        By slot of the grammar.
    place : ndarray of int, shape (n_slots,)
        Where a slot of the grammar stands in `asked`.
    first_token : ndarray of int, shape (n_slots,)
        Where its tokens start in `said`.
    """

    def __init__(self, layout: Layout, weights: dict, shape):
        self._units = shape.rnn_units
        gates = {name: _by_gate(weights[name], self._units) for name in weights if "kernel" in name or name.startswith("bias")}
        names = ("kernel", "bias", "recurrent_kernel")
        self._layers = [[gates[f"{name}_{layer}"] for name in names] for layer in range(shape.n_layers)]
        self.said, asked = (weights[name] @ gates["kernel_0"] for name in ("embedding", "slot_embedding"))
        self.asked = asked + gates["bias_0"]
        self._recall = None
        if shape.recalls:
            self._recall = np.pad(RECALL_SCALE * weights["recall"], [(0, 1), (0, 0)])  # last nothing, before the first
        self.heads = _heads(layout, weights)
        self.place = np.argsort(layout.slots)
        sizes = [group.n_tokens for group in layout.groups for _ in range(group.n_slots)]
        self.first_token = np.cumsum([0, *sizes], dtype=int)[self.place]

    def lanes(self, n_lanes: int = BLOCK_ROWS, product: Callable = np.matmul) -> Lanes:
        """Return lanes that have read nothing, and the function that multiplies for as long as they are so many."""
        return Lanes(self._units, len(self._layers), n_lanes, product)

    def take(self, lanes: Lanes, said: np.ndarray | None, product: Callable = np.matmul) -> np.ndarray:
        """Take one step in every layer, in place; return what heads see.

        Parameters
        ----------
        lanes : Lanes
            With the first layer's inputs in `z`.
        said : ndarray of int, shape (n_lanes,), or None
            Row of `said` of the token that each has read last; None before the first.
        product : callable, default=numpy.matmul
        """
        z = lanes.z
        for layer, (kernel, bias, recurrent_kernel) in enumerate(self._layers):
            h, c = lanes.hidden[layer], lanes.cells[layer]
            if layer:
                product(lanes.hidden[layer - 1], kernel, out=z)
                z += bias
            z += product(h, recurrent_kernel, out=lanes.recurrent)
            with np.errstate(over="ignore"):  # exp(88.8) is infinite, and the gate 0, as it should be
                np.exp(z, out=z)
            z += 1.0
            i, f, g, o = np.reciprocal(z, out=z)
            g *= 2.0
            g -= 1.0
            i *= g
            c *= f
            c += i
            np.tanh(c, out=h)
            h *= o
        if self._recall is None:
            return h
        if said is not None:
            lanes.recalled += self._recall.take(said, axis=0, mode="clip")
        seen = h + 1.0
        seen *= lanes.recalled
        seen += h
        return seen


def pick(cumulative: np.ndarray, uniform: np.ndarray) -> np.ndarray:
    """Draw a token per row: the first whose cumulative weight exceeds a uniform share of the whole."""
    total = cumulative[:, -1]
    target = np.minimum(uniform * total, np.nextafter(total, np.float32(0)))
    return (cumulative > target[:, None]).argmax(axis=1)


def uniform_numbers(seed: np.random.SeedSequence, block: int, n_times: int) -> np.ndarray:
    """Return the random numbers of a block of rows, shape (n_times, BLOCK_ROWS)."""
    child = np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, block))
    return np.random.default_rng(child).random((n_times, BLOCK_ROWS), dtype=np.float32)


def _by_gate(weight, units):
    """Return a layer's weight gate by gate, shape (4, inputs or 1, units), so scaled that one exp serves all gates.

    sigmoid(x) is 1 / (1 + exp(-x)), tanh(x) is 2 / (1 + exp(-2 x)) - 1.
    """
    gates = np.moveaxis(weight.reshape(-1, 4, units), 1, 0)
    return np.ascontiguousarray(gates * np.float32([-1, -1, -2, -1])[:, None, None])


def _heads(layout, weights):
    """Return the head of every slot of the grammar."""
    heads, place = {}, 0
    for index, group in enumerate(layout.groups):
        for member in range(group.n_slots):
            slot = layout.grammar.slots[layout.slots[place]]
            size = (slice(slot.n_states), slice(slot.n_tokens))
            logits = weights[f"prior_{index}"][member][size] + weights[f"head_bias_{index}"][member][size[1]]
            logits = np.where((slot.transitions < 0) | (logits < ILLEGAL / 2), -np.inf, logits).astype(np.float32)
            drawn = np.where(slot.unsampled, np.float32(-np.inf), logits)
            kernel = np.ascontiguousarray(weights[f"head_{index}"][member][:, size[1]])
            reach = np.abs(kernel).sum(axis=0).max()  # hidden states lie within -1 and 1
            safe = "recall" not in weights and all(
                reach + np.abs(table.max(axis=1)).max() < SAFE_LOGIT for table in (logits, drawn)
            )
            ends = _ends(logits > -np.inf, slot.transitions) if slot.repeat > 1 else np.full(slot.n_states, -1)
            heads[int(layout.slots[place])] = Head(kernel, logits, drawn, safe, ends)
            place += 1
    return heads


def _ends(allowed, transitions):
    """Return by state the one token that is allowed and leads back to the state; -1 where there is no such token."""
    token, states = allowed.argmax(axis=1), np.arange(len(allowed))
    final = (allowed.sum(axis=1) == 1) & (transitions[states, token] == states)
    return np.where(final, token, -1)
