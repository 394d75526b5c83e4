"""Sampling with trained weights: blocks of rows that fit the processor's cache, drawn by numpy in parallel threads.

Nothing is traced, so that a few rows cost little and a million no more than they must.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass
from itertools import repeat
from typing import NamedTuple

import numpy as np

from .._grammar import Grammar
from .._random import blocks_of
from ._layout import Layout
from ._products import product
from ._steps import BLOCK_ROWS, MOST_OVER, Steps, pick, uniform_numbers
from ._threads import n_threads, products_alone

LEAST_LOG = -1e9  # of the share of a token that is given, where nothing says so


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
    given: bool  # whether tokens are never drawn here


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
    given : ndarray of int, default=None
        The tokens that are read first, shape (n_rows, n_given), or (1, n_given) for all rows. None: they are drawn. A
        `Resampler` wants those of all rows that it begins.
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


class _Work(NamedTuple):
    """Blocks of rows that are drawn beside each other, and the arrays that are written to."""

    how: Draw
    blocks: range
    uniform: np.ndarray  # shape (n_blocks, n_times, BLOCK_ROWS)
    tokens: np.ndarray  # by time of reading, shape (n_blocks, BLOCK_ROWS, n_times)
    stop: int  # the time up to which all rows of a block are read together
    log_p: np.ndarray | None  # of what was read so far, shape (n_blocks, BLOCK_ROWS); None: not asked for

    def rows(self, index=None):
        """Return the numbers of the rows of one block, or of all."""
        blocks = self.blocks if index is None else self.blocks[index : index + 1]
        return np.arange(blocks.start * BLOCK_ROWS, blocks.stop * BLOCK_ROWS)


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
    given : sequence of int, default=()
        Runs that are never drawn: their tokens may be such as never are.

    Attributes
    ----------
    positions : ndarray of int, shape (n_positions,)
        The grammar's position that is read at each time.
    """

    def __init__(self, grammar: Grammar, weights: dict, shape, first: Sequence[int] = (), given: Sequence[int] = ()):
        self._layout = Layout(grammar)
        self._steps, self._tables = Steps(self._layout, weights, shape), {}
        self._set_order(first, given)

    def _set_order(self, first, given):
        self.positions = self._layout.positions(first)
        is_given = np.isin(self._layout.run_of_position, given)
        self._places = list(_places(self._layout, self._steps, self.positions, is_given, self._tables))

    def draw(self, seed: np.random.SeedSequence, rows: range, how: Draw = UNCHANGED) -> np.ndarray:
        """Draw some rows of an endless sample: token ids of shape (n_rows, n_positions), int32.

        Every block of rows has a stream of its own, so that a row does not depend on which others are asked for.
        """
        blocks = blocks_of(rows, BLOCK_ROWS)
        work = self._work(seed, blocks, how, stop=len(self._places))
        self._in_threads(work)
        return self._rows(work.tokens, rows, BLOCK_ROWS)

    @staticmethod
    def begun(rows: range) -> range:
        """Return the numbers of the rows that are begun for some rows: the same."""
        return rows

    def ordered(self, first: Sequence[int], given: Sequence[int] = ()) -> "Sampler":
        """Return what draws rows in another order, see the constructor."""
        other = copy(self)
        other._set_order(first, given)
        return other

    def begin(self, seed: np.random.SeedSequence, blocks: range, how: Draw, n_times: int) -> tuple[np.ndarray, np.ndarray]:
        """Draw the first tokens of whole blocks of rows.

        Parameters
        ----------
        seed : SeedSequence
        blocks : range
            Their numbers.
        how : Draw
        n_times : int
            How many tokens.

        Returns
        -------
        tokens : ndarray of int32, shape (n_blocks * BLOCK_ROWS, n_times)
            In the order of reading.
        log_p : ndarray of float, shape (n_blocks, BLOCK_ROWS)
            Logarithm of their probability, of those that are given too.
        """
        work = self._work(seed, blocks, how, n_times, weighed=True)
        self._in_threads(work)
        return work.tokens[:, :, :n_times].reshape(-1, n_times), work.log_p

    def finish(self, seed: np.random.SeedSequence, blocks: range, how: Draw, choose: Callable, n_chosen: int) -> np.ndarray:
        """Read the given tokens of whole blocks of rows, and draw the rest of some of each.

        Parameters
        ----------
        seed, blocks
            See `begin`.
        how : Draw
            With what is given.
        choose : callable
            ``choose(index, log_p)`` returns which rows of a block go on; `log_p` has the logarithms of the probabilities of
            their given tokens, shape (BLOCK_ROWS,). Called in several threads.
        n_chosen : int
            How many.

        Returns
        -------
        tokens : ndarray of int32, shape (n_blocks * n_chosen, n_positions)
        """
        work = self._work(seed, blocks, how, how.given.shape[1], weighed=True)
        tokens = np.empty((len(blocks), n_chosen, len(self._places)), np.int32)

        def go_on(index, lanes):
            rows = choose(index, work.log_p[index])
            tokens[index] = work.tokens[index, rows]
            if work.stop == len(self._places):  # nothing is left to read, and rows that were at their end have no lane
                return
            uniform, numbers = work.uniform[index][:, rows], work.rows(index)[rows]
            self._read_rows(work.stop, lanes.descend(rows), tokens[index], uniform, how, numbers)

        self._in_threads(work, go_on)
        return self._rows(tokens, range(len(blocks) * n_chosen), n_chosen)

    def _work(self, seed, blocks, how, stop, weighed=False):
        uniform = np.stack([uniform_numbers(seed, block, len(self._places)) for block in blocks])
        log_p = np.zeros((len(blocks), BLOCK_ROWS)) if weighed else None
        return _Work(how, blocks, uniform, np.empty((*uniform.shape[::2], len(self._places)), np.int32), stop, log_p)

    def _in_threads(self, work, then=lambda index, lanes: None):
        """Read all blocks as far as their rows are read together; call ``then(index, lanes)`` of each."""
        with products_alone(), ThreadPoolExecutor(n_threads()) as pool:
            time, trunk, starts = self._draw_trunk(work)

            def draw(index, start):
                lanes = trunk.descend(*start, fill=True)
                parts = work.tokens[index], work.uniform[index], work.how, work.rows(index)
                log_p = None if work.log_p is None else work.log_p[index]
                then(index, self._read_rows(time, lanes, *parts, work.stop, log_p))

            list(pool.map(draw, range(len(work.blocks)), starts))

    def _rows(self, tokens, rows, n_rows):
        """Return some rows of blocks of so many, in the order of the grammar."""
        start = rows.start // n_rows * n_rows
        read = tokens.reshape(-1, len(self._places))[rows.start - start : rows.stop - start]
        return read if (self.positions[1:] > self.positions[:-1]).all() else read[:, np.argsort(self.positions)]

    def _draw_trunk(self, work):
        """Draw the first tokens of all blocks: as long as rows differ in few ways, each way is computed once.

        Returns the time from which every block goes on alone, the lanes then, and for each block how it descends from them.
        """
        lanes = self._steps.lanes(product=np.matmul if work.log_p is None else product)  # weights are compared to the bit
        way, tokens = np.zeros(work.tokens.shape[:2], int), work.tokens
        for time, place in enumerate(self._places):
            if (lanes.ends(place) >= 0).all() or len(tokens) == 1 or work.how.allowed is not None:
                return time, lanes, list(zip(way, strict=True))
            tokens[:, :, time] = self._next_of_ways(lanes, place, way, time, work)
            token, n_tokens = tokens[:, :, time], place.head.shape[1]
            ways, next_way = np.unique(way * n_tokens + token, return_inverse=True)
            if len(ways) > BLOCK_ROWS or time + 1 == work.stop:
                return time + 1, lanes, list(zip(way, token, repeat(place)))
            lanes = lanes.descend(ways // n_tokens, ways % n_tokens, place, fill=True)
            way = next_way.reshape(way.shape)

    def _next_of_ways(self, lanes, place, way, time, work):
        """Return the next token of every row of all blocks, shape (n_blocks, BLOCK_ROWS); `way` is the lane of each."""
        given = work.how.tokens_at(time, work.rows())
        if given is not None and work.log_p is None:
            self._read(lanes, place)
            return given.reshape(way.shape)
        logits = self._logits(lanes, place, work.how)
        if given is not None:
            token = given.reshape(way.shape)
            log_p = _log_share_of_given(logits, way, token)
        else:
            cumulative = np.cumsum(np.exp(logits, out=logits), axis=1, out=logits)
            token = np.stack([pick(cumulative[own], block) for own, block in zip(way, work.uniform[:, time], strict=True)])
            log_p = None if work.log_p is None else _log_share(cumulative, way, token)
        if log_p is not None:
            work.log_p[:] += log_p
        return token

    def _read_rows(self, time, lanes, tokens, uniform, how, numbers, stop=None, log_p=None):
        """Draw tokens of rows from a time on, in place; rows that are at their end are left out as soon as they are many."""
        going = np.arange(len(numbers))
        for now, place in enumerate(self._places[time:stop], start=time):
            ends = lanes.ends(place)
            over = ends >= 0
            if over.mean() > MOST_OVER or over.all():
                tokens[going[over], now:] = ends[over, None]
                going, lanes = going[~over], lanes.descend(np.flatnonzero(~over))
                if not len(going):
                    break
            given = how.tokens_at(now, numbers[going])
            if given is not None and log_p is None:
                self._read(lanes, place)
                lanes.token = given
            else:
                allowed = None if how.allowed is None else how.allowed(now, tokens[going, :now], numbers[going])
                logits = self._logits(lanes, place, how, allowed)
                if given is not None:
                    lanes.token = given
                    log_p[going] += _log_share_of_given(logits, np.arange(len(going)), given)
                else:
                    cumulative = np.cumsum(np.exp(logits, out=logits), axis=1, out=logits)
                    lanes.token = pick(cumulative, uniform[now, going])
                    if log_p is not None:
                        log_p[going] += _log_share(cumulative, np.arange(len(going)), lanes.token)
            tokens[going, now] = lanes.token
            lanes.state = place.transitions[lanes.state, lanes.token]
        return lanes

    def _logits(self, lanes, place, how, allowed=None):
        """Read the lanes' last tokens and return logits of the next, whose exponentials are finite; (n_lanes, n_tokens)."""
        logits = lanes.product(self._read(lanes, place), place.head, out=lanes.logits(place.head.shape[1]))
        logits += place.logits if len(place.logits) == 1 else place.logits.take(lanes.state, axis=0)
        if allowed is not None:
            logits[~allowed] = -np.inf
        if not place.safe or not how.is_plain or allowed is not None:
            logits -= np.maximum(logits.max(axis=1, keepdims=True), np.finfo(np.float32).min)
            logits /= np.float32(max(how.temperature, 1e-6))
        if not place.given:
            _keep_likeliest(logits, how)
        return logits

    def _read(self, lanes, place):
        """Read the lanes' last tokens at a place, in every layer; return the last one's output."""
        for gate, inputs in enumerate(place.inputs):
            np.take(inputs, lanes.token, axis=0, out=lanes.z[gate], mode="clip")
        said = None if place.first_said is None else lanes.token + place.first_said
        return self._steps.take(lanes, said, lanes.product)


def _log_share(cumulative, lane, token):
    """Return the logarithms of the shares of drawn tokens, by the cumulative weights of the lanes that they were drawn in."""
    before = np.where(token > 0, cumulative[lane, token - 1], 0.0)
    return np.log((cumulative[lane, token] - before) / cumulative[lane, -1])


def _log_share_of_given(logits, lane, token):
    """Return the same of given tokens, by the logits of their lanes, which are written over."""
    said = logits[lane, token]
    total = np.log(np.maximum(np.exp(logits, out=logits).sum(axis=1), np.finfo(np.float32).tiny))
    return np.maximum(said - total[lane], LEAST_LOG)


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


def _places(layout: Layout, steps: Steps, positions, given, tables: dict) -> Iterator[_Place]:
    """Yield the look-ups of every time of the reading order, blocks without their padding; `tables` has those made before."""
    grammar, order = layout.grammar, layout.grammar.slot_of_position[positions]

    def inputs(before, slot):
        """Of a slot that follows another; the same for every place of a repeated slot."""
        if (before, slot) not in tables:
            own = steps.asked[:, steps.place[slot]][:, None]
            start = steps.first_token[before] if before is not None else 0
            spoken = steps.said[:, start : start + grammar.slots[before].n_tokens] if before is not None else 0.0
            tables[before, slot] = np.ascontiguousarray(own + spoken, np.float32)
        return tables[before, slot]

    for before, slot, starts, is_given in zip(
        [None, *order[:-1]], order, grammar.run_starts[positions], given[positions], strict=True
    ):
        head, transitions = steps.heads[slot], grammar.slots[slot].transitions
        ends = head.ends if slot == order[-1] else np.full(len(transitions), -1)
        first_said = None if before is None else steps.first_token[before]
        logits = head.logits if is_given else head.drawn
        yield _Place(
            first_said, inputs(before, slot), head.kernel, logits, head.safe, transitions, bool(starts), ends, is_given
        )
