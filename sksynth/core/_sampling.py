"""Sampling with trained weights: blocks of rows that fit the processor's cache, drawn by numpy in parallel threads.

One step of a block is a few matrix products and a few passes over small arrays; numpy does them as fast as a compiled graph,
without the time that tracing one takes, so that a few rows cost little and a million no more than they must.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from typing import NamedTuple

import numpy as np
from threadpoolctl import ThreadpoolController

from .._grammar import Grammar
from ._layout import ILLEGAL, Layout

BLOCK_ROWS = 512  # drawn together: few enough for a core's cache, enough that threads seldom wait for the interpreter
MOST_OVER = 0.2  # of a block's rows that may be at their end before they are left out, as copying what goes on takes time
SAFE_LOGIT = 40.0  # exp of sums below this in magnitude neither overflows nor vanishes


class _Place(NamedTuple):
    """What is looked up at one time of the reading order."""

    inputs: np.ndarray  # into the gates, by the token said before, shape (4, n_tokens_before, units)
    head: np.ndarray  # shape (units, n_tokens)
    logits: np.ndarray  # to start from, by state; -inf where a token is not to be drawn, shape (n_states, n_tokens)
    safe: bool  # whether logits stay within SAFE_LOGIT whatever the hidden state
    transitions: np.ndarray  # next states, shape (n_states, n_tokens)
    starts: bool  # whether a run begins here
    ends: np.ndarray  # by state: the token that can only be followed by itself, up to the row's end; -1 where there is none


@dataclass(frozen=True)
class Draw:
    """How tokens are drawn.

    Parameters
    ----------
    temperature : float, default=1.0
        What logits are divided by.
    top_k : int, default=None
        Draw among so many of the likeliest tokens only.
    top_p : float, default=None
        Draw among the likeliest tokens only that have this probability together.
    first : sequence of int, default=()
        Runs of the grammar that are read before all others.
    given : ndarray of int, default=None
        Their tokens, in their order, shape (n_rows, n_given), or (1, n_given) for all rows. None: they are drawn.
    allowed : callable, default=None
        ``allowed(time, tokens, rows)`` returns which tokens may follow those of each row so far, shape (n_rows, n_tokens), or
        None where all may; `tokens` has shape (n_rows, time), `rows` are the numbers of the rows. Of each row one token at
        least that the grammar allows must be among them.
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    first: tuple[int, ...] = ()
    given: np.ndarray | None = None
    allowed: Callable | None = None

    def tokens_at(self, time: int, rows: np.ndarray) -> np.ndarray | None:
        """Return the tokens of rows that are given at a time; None where they are to be drawn."""
        if self.given is None or time >= self.given.shape[1]:
            return None
        return self.given[np.minimum(rows, len(self.given) - 1), time]

    @property
    def is_plain(self) -> bool:
        """Whether tokens are drawn with the probabilities that the network gives."""
        return self.temperature == 1.0 and self.top_k is None and self.top_p is None


UNCHANGED = Draw()


class Sampler:
    """Draws rows from trained weights.

    Parameters
    ----------
    grammar : Grammar
    weights : dict of str to ndarray
        As returned by `train`.
    shape : NetworkShape
    first : sequence of int, default=()
        Runs that are read before all others.
    """

    def __init__(self, grammar: Grammar, weights: dict, shape, first: Sequence[int] = ()):
        self._units = shape.rnn_units
        gates = {name: _by_gate(weights[name], self._units) for name in weights if "kernel" in name or name.startswith("bias")}
        names = ("kernel", "bias", "recurrent_kernel")
        self._layers = [[gates[f"{name}_{layer}"] for name in names] for layer in range(shape.n_layers)]
        said, asked = (weights[name] @ gates["kernel_0"] for name in ("embedding", "slot_embedding"))
        self._positions = Layout(grammar).positions(first)
        self._places = list(_places(Layout(grammar), weights, said, asked + gates["bias_0"], self._positions))
        self._blas = ThreadpoolController()

    def draw(self, seed: np.random.SeedSequence, rows: range, how: Draw = UNCHANGED) -> np.ndarray:
        """Draw some rows of an endless sample: token ids of shape (n_rows, n_positions), int32.

        Every block of rows has a stream of its own, so that a row does not depend on which others are asked for.
        """
        blocks = range(rows.start // BLOCK_ROWS, -(-rows.stop // BLOCK_ROWS))
        uniform = np.stack([self._uniform(seed, block) for block in blocks])
        tokens = np.empty((len(blocks), BLOCK_ROWS, len(self._places)), np.int32)
        with self._blas.limit(limits=1, user_api="blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
            time, trunk, starts = self._draw_trunk(tokens, uniform, how, blocks)

            def draw(block, start, tokens, uniform):
                self._draw_block(time, trunk.descend(*start, fill=True), tokens, uniform, how, block * BLOCK_ROWS)

            list(pool.map(draw, blocks, starts, tokens, uniform))
        first = blocks.start * BLOCK_ROWS
        read = tokens.reshape(-1, len(self._places))[rows.start - first : rows.stop - first]
        return read if (self._positions[1:] > self._positions[:-1]).all() else read[:, np.argsort(self._positions)]

    def _uniform(self, seed, block):
        """Return the random numbers of a block, shape (n_positions, BLOCK_ROWS)."""
        child = np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, block))
        return np.random.default_rng(child).random((len(self._places), BLOCK_ROWS), dtype=np.float32)

    def _draw_trunk(self, tokens, uniform, how, blocks):
        """Draw the first tokens of all blocks: as long as rows differ in few ways, each way is computed once.

        Returns the time from which every block goes on alone, the lanes then, and for each block how it descends from them.
        """
        lanes, way = _Lanes(self._units, len(self._layers)), np.zeros(tokens.shape[:2], int)
        for time, place in enumerate(self._places):
            if (lanes.ends(place) >= 0).all() or len(tokens) == 1 or how.allowed is not None:
                return time, lanes, list(zip(way, strict=True))
            tokens[:, :, time] = self._next_of_ways(lanes, place, way, uniform[:, time], how, time, blocks)
            token, n_tokens = tokens[:, :, time], place.head.shape[1]
            ways, next_way = np.unique(way * n_tokens + token, return_inverse=True)
            if len(ways) > BLOCK_ROWS or time + 1 == len(self._places):
                return time + 1, lanes, list(zip(way, token, repeat(place)))
            lanes = lanes.descend(ways // n_tokens, ways % n_tokens, place, fill=True)
            way = next_way.reshape(way.shape)

    def _next_of_ways(self, lanes, place, way, uniform, how, time, blocks):
        """Return the next token of every row of all blocks, shape (n_blocks, BLOCK_ROWS); `way` is the lane of each."""
        given = how.tokens_at(time, np.arange(blocks.start * BLOCK_ROWS, blocks.stop * BLOCK_ROWS))
        if given is not None:
            self._read(lanes, place)
            return given.reshape(way.shape)
        cumulative = self._cumulative(lanes, place, how)
        return np.stack([_pick(cumulative[own], block) for own, block in zip(way, uniform, strict=True)])

    def _draw_block(self, time, lanes, tokens, uniform, how, first_row):
        """Draw the rest of a block in place; rows that are at their end are left out as soon as they are many."""
        going = np.arange(BLOCK_ROWS)
        for now, place in enumerate(self._places[time:], start=time):
            ends = lanes.ends(place)
            over = ends >= 0
            if over.mean() > MOST_OVER or over.all():
                tokens[going[over], now:] = ends[over, None]
                going, lanes = going[~over], lanes.descend(np.flatnonzero(~over))
                if not len(going):
                    break
            given = how.tokens_at(now, going + first_row)
            if given is None:
                allowed = None if how.allowed is None else how.allowed(now, tokens[going, :now], going + first_row)
                lanes.token = _pick(self._cumulative(lanes, place, how, allowed), uniform[now, going])
            else:
                self._read(lanes, place)
                lanes.token = given
            tokens[going, now] = lanes.token
            lanes.state = place.transitions[lanes.state, lanes.token]

    def _cumulative(self, lanes, place, how, allowed=None):
        """Read the lanes' last tokens and return the cumulative weights of the next, shape (n_lanes, n_tokens)."""
        logits = np.matmul(self._read(lanes, place), place.head, out=lanes.logits(place.head.shape[1]))
        logits += place.logits if len(place.logits) == 1 else place.logits.take(lanes.state, axis=0)
        if allowed is not None:
            logits[~allowed] = -np.inf
        if not place.safe or not how.is_plain or allowed is not None:
            logits -= logits.max(axis=1, keepdims=True)
            logits /= np.float32(max(how.temperature, 1e-6))
        _keep_likeliest(logits, how)
        return np.cumsum(np.exp(logits, out=logits), axis=1, out=logits)

    def _read(self, lanes, place):
        """Read the lanes' last tokens at a place, in every layer; return the last one's output."""
        for gate, inputs in enumerate(place.inputs):
            np.take(inputs, lanes.token, axis=0, out=lanes.z[gate], mode="clip")
        return self._step(lanes)

    def _step(self, lanes):
        """Take one step in every layer, in place; `lanes.z` has the first layer's inputs. Return the last's output."""
        z = lanes.z
        for layer, (kernel, bias, recurrent_kernel) in enumerate(self._layers):
            h, c = lanes.hidden[layer], lanes.cells[layer]
            if layer:
                np.matmul(lanes.hidden[layer - 1], kernel, out=z)
                z += bias
            z += np.matmul(h, recurrent_kernel, out=lanes.recurrent)
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
        return h


def _keep_likeliest(logits, how):
    """Rule out all tokens but the likeliest, in place: ties with the last that is kept are kept."""
    least = np.full((len(logits), 1), -np.inf, np.float32)
    if how.top_k is not None and how.top_k < logits.shape[1]:
        least = np.partition(logits, -how.top_k, axis=1)[:, -how.top_k, None]
    if how.top_p is not None:
        ordered = -np.sort(-np.where(logits < least, -np.inf, logits), axis=1)
        shares = np.exp(ordered - ordered[:, :1])
        before = np.cumsum(shares, axis=1) - shares
        n_kept = (before < how.top_p * shares.sum(axis=1, keepdims=True)).sum(axis=1)
        least = ordered[np.arange(len(ordered)), n_kept - 1, None]
    if how.top_k is not None or how.top_p is not None:
        logits[logits < least] = -np.inf


class _Lanes:
    """Rows that are drawn together, and the arrays to do it in: fresh memory at every step would cost more than the work."""

    def __init__(self, units, n_layers, n_lanes=BLOCK_ROWS):
        self.token = self.state = np.zeros(n_lanes, int)
        self.hidden, self.cells = ([np.zeros((n_lanes, units), np.float32) for _ in range(n_layers)] for _ in range(2))
        self.z, self.recurrent = (np.empty((4, n_lanes, units), np.float32) for _ in range(2))
        self._logits: dict[int, np.ndarray] = {}

    def logits(self, n_tokens):
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
        lanes = _Lanes(self.hidden[0].shape[1], len(self.hidden), BLOCK_ROWS if fill else n)
        for new, old in zip(lanes.hidden + lanes.cells, self.hidden + self.cells, strict=True):
            new[:n] = old[parents]
        lanes.token, lanes.state = np.zeros((2, len(lanes.token)), int)
        lanes.token[:n] = self.token[parents] if token is None else token
        lanes.state[:n] = self.state[parents] if token is None else place.transitions[self.state[parents], token]
        return lanes


def _by_gate(weight, units):
    """Return a layer's weight gate by gate, shape (4, inputs or 1, units), so scaled that one exp serves all gates.

    sigmoid(x) is 1 / (1 + exp(-x)), tanh(x) is 2 / (1 + exp(-2 x)) - 1.
    """
    gates = np.moveaxis(weight.reshape(-1, 4, units), 1, 0)
    return np.ascontiguousarray(gates * np.float32([-1, -1, -2, -1])[:, None, None])


def _places(layout: Layout, weights, said, asked, positions) -> Iterator[_Place]:
    """Yield the look-ups of every time of the reading order, blocks without their padding."""
    grammar, order = layout.grammar, layout.grammar.slot_of_position[positions]
    places = {layout.slots[place]: place for place in range(len(layout.slots))}
    sizes = [group.n_tokens for group in layout.groups for _ in range(group.n_slots)]
    first, tables = np.cumsum([0, *sizes]), {}

    def inputs(before, slot):
        """Of a slot that follows another; the same for every place of a repeated slot."""
        if (before, slot) not in tables:
            own = asked[:, places[slot]][:, None]
            start = first[places[before]] if before is not None else 0
            spoken = said[:, start : start + grammar.slots[before].n_tokens] if before is not None else 0.0
            tables[before, slot] = np.ascontiguousarray(own + spoken, np.float32)
        return tables[before, slot]

    heads = _heads(layout, weights)
    for before, slot, starts in zip([None, *order[:-1]], order, grammar.run_starts[positions], strict=True):
        head, logits, safe = heads[slot]
        transitions = grammar.slots[slot].transitions
        ends = np.full(len(logits), -1)
        if slot == order[-1] and grammar.slots[slot].repeat > 1:
            ends = _ends(logits > -np.inf, transitions)
        yield _Place(inputs(before, slot), head, logits, safe, transitions, bool(starts), ends)


def _heads(layout, weights):
    """Return kernel and starting logits of every slot's head, and whether its logits are safe."""
    heads, place = {}, 0
    for index, group in enumerate(layout.groups):
        for member in range(group.n_slots):
            slot = layout.grammar.slots[layout.slots[place]]
            size = (slice(slot.n_states), slice(slot.n_tokens))
            logits = weights[f"prior_{index}"][member][size] + weights[f"head_bias_{index}"][member][size[1]]
            logits = np.where((slot.transitions < 0) | slot.unsampled | (logits < ILLEGAL / 2), -np.inf, logits)
            kernel = np.ascontiguousarray(weights[f"head_{index}"][member][:, size[1]])
            reach = np.abs(kernel).sum(axis=0).max()  # hidden states lie within -1 and 1
            safe = bool(reach + np.abs(logits.max(axis=1)).max() < SAFE_LOGIT)
            heads[layout.slots[place]] = (kernel, logits.astype(np.float32), safe)
            place += 1
    return heads


def _ends(allowed, transitions):
    """Return by state the one token that is allowed and leads back to the state; -1 where there is no such token."""
    token, states = allowed.argmax(axis=1), np.arange(len(allowed))
    final = (allowed.sum(axis=1) == 1) & (transitions[states, token] == states)
    return np.where(final, token, -1)


def _pick(cumulative, uniform):
    """Draw a token per row: the first whose cumulative weight exceeds a uniform share of the whole."""
    total = cumulative[:, -1]
    target = np.minimum(uniform * total, np.nextafter(total, np.float32(0)))
    return (cumulative > target[:, None]).argmax(axis=1)
