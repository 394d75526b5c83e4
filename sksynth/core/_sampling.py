"""Sampling with trained weights: blocks of rows that fit the processor's cache, drawn by numpy in parallel threads.

Nothing is traced, so that a few rows cost little and a million no more than they must.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from typing import NamedTuple

import numpy as np
from threadpoolctl import ThreadpoolController

from .._grammar import Grammar
from ._layout import Layout
from ._quiet import n_threads
from ._steps import BLOCK_ROWS, MOST_OVER, Steps, pick, uniform_numbers


class _Place(NamedTuple):
    """What is looked up at one time of the reading order."""

    first_said: int | None  # where the tokens that are said before start among those of all slots; None before the first
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
    start : int, default=0
        Number of the row that the first of these is for.
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
    start: int = 0
    allowed: Callable | None = None

    def tokens_at(self, time: int, rows: np.ndarray) -> np.ndarray | None:
        """Return the tokens of rows that are given at a time; None where they are to be drawn."""
        if self.given is None or time >= self.given.shape[1]:
            return None
        return self.given[np.clip(rows - self.start, 0, len(self.given) - 1), time]

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
        layout = Layout(grammar)
        self._steps = Steps(layout, weights, shape)
        self._positions = layout.positions(first)
        self._places = list(_places(layout, self._steps, self._positions))
        self._blas = ThreadpoolController()

    def draw(self, seed: np.random.SeedSequence, rows: range, how: Draw = UNCHANGED) -> np.ndarray:
        """Draw some rows of an endless sample: token ids of shape (n_rows, n_positions), int32.

        Every block of rows has a stream of its own, so that a row does not depend on which others are asked for.
        """
        blocks = range(rows.start // BLOCK_ROWS, -(-rows.stop // BLOCK_ROWS))
        uniform = np.stack([uniform_numbers(seed, block, len(self._places)) for block in blocks])
        tokens = np.empty((len(blocks), BLOCK_ROWS, len(self._places)), np.int32)
        with self._blas.limit(limits=1, user_api="blas"), ThreadPoolExecutor(n_threads()) as pool:
            time, trunk, starts = self._draw_trunk(tokens, uniform, how, blocks)

            def draw(block, start, tokens, uniform):
                self._draw_block(time, trunk.descend(*start, fill=True), tokens, uniform, how, block * BLOCK_ROWS)

            list(pool.map(draw, blocks, starts, tokens, uniform))
        first = blocks.start * BLOCK_ROWS
        read = tokens.reshape(-1, len(self._places))[rows.start - first : rows.stop - first]
        return read if (self._positions[1:] > self._positions[:-1]).all() else read[:, np.argsort(self._positions)]

    def _draw_trunk(self, tokens, uniform, how, blocks):
        """Draw the first tokens of all blocks: as long as rows differ in few ways, each way is computed once.

        Returns the time from which every block goes on alone, the lanes then, and for each block how it descends from them.
        """
        lanes, way = self._steps.lanes(), np.zeros(tokens.shape[:2], int)
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
        return np.stack([pick(cumulative[own], block) for own, block in zip(way, uniform, strict=True)])

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
                lanes.token = pick(self._cumulative(lanes, place, how, allowed), uniform[now, going])
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
        return self._steps.take(lanes, None if place.first_said is None else lanes.token + place.first_said)


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


def _places(layout: Layout, steps: Steps, positions) -> Iterator[_Place]:
    """Yield the look-ups of every time of the reading order, blocks without their padding."""
    grammar, order, tables = layout.grammar, layout.grammar.slot_of_position[positions], {}

    def inputs(before, slot):
        """Of a slot that follows another; the same for every place of a repeated slot."""
        if (before, slot) not in tables:
            own = steps.asked[:, steps.place[slot]][:, None]
            start = steps.first_token[before] if before is not None else 0
            spoken = steps.said[:, start : start + grammar.slots[before].n_tokens] if before is not None else 0.0
            tables[before, slot] = np.ascontiguousarray(own + spoken, np.float32)
        return tables[before, slot]

    for before, slot, starts in zip([None, *order[:-1]], order, grammar.run_starts[positions], strict=True):
        head, transitions = steps.heads[slot], grammar.slots[slot].transitions
        ends = head.ends if slot == order[-1] else np.full(len(transitions), -1)
        first_said = None if before is None else steps.first_token[before]
        yield _Place(first_said, inputs(before, slot), head.kernel, head.drawn, head.safe, transitions, bool(starts), ends)
