"""Completing rows of which each has other cells given: every row is read in an order of its own, by numpy in parallel threads.

At each time every lane reads its own slot. The recurrent step is one for all lanes; the heads are asked slot by slot, and only
where a token is drawn or weighed. All products are made in tiles of one size, so that a row has the same bits whatever others
stand beside it.
"""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from .._grammar import MISSING, Grammar
from .._random import blocks_of
from ._layout import Layout
from ._products import TILE, product
from ._steps import BLOCK_ROWS, MOST_OVER, Head, Steps, pick, uniform_numbers
from ._threads import n_threads, products_alone

MOST_BLOCKS = 4  # of rows that are read together: enough of them ask a slot at a time that asking costs little
DRAWN, FORCED, GUIDED = range(3)  # what is asked of a head


class _Plan(NamedTuple):
    """What each row of a block reads."""

    positions: np.ndarray  # in the order of reading, shape (n_times, n_rows)
    keys: np.ndarray  # what is asked of the head then: equal keys are asked together; -1 for nothing, shape (n_times, n_rows)

    @property
    def stop(self):
        """The time from which nothing is asked, by row."""
        asked = self.keys[::-1] >= 0
        return np.where(asked.any(axis=0), len(asked) - asked.argmax(axis=0), 0)


class _Question(NamedTuple):
    """What some rows ask of one head at one time."""

    kind: int  # DRAWN, FORCED or GUIDED
    time: int
    rows: np.ndarray  # their numbers in the block; some are there twice, to fill a tile
    positions: np.ndarray  # where each of them reads
    head: Head
    state: np.ndarray
    scores: np.ndarray  # what the head says to them, without the logits to start from, shape (n_rows, n_tokens)


class _How(NamedTuple):
    """The arguments of `Completer.complete` that hold for all rows."""

    temperature: np.float32
    guided: Mapping[int, Callable]
    weighed: np.ndarray
    only_first: bool
    present: bool


class Completer:
    """Draws what is not known of rows, each in the context of what is.

    The known runs of a row are read first, then the others, both in the grammar's order.

    Parameters
    ----------
    grammar : Grammar
    weights : dict of str to ndarray
        As returned by `train`.
    shape : NetworkShape
    """

    def __init__(self, grammar: Grammar, weights: dict, shape):
        layout = Layout(grammar)
        self._grammar, self._run_of_position = grammar, layout.run_of_position
        self._steps = Steps(layout, weights, shape)
        nothing = np.zeros_like(self._steps.said[:, :1])  # what was said before the first token
        self._said = np.ascontiguousarray(np.concatenate([self._steps.said, nothing], axis=1), np.float32)
        self._asked = np.ascontiguousarray(self._steps.asked[:, self._steps.place], np.float32)
        self._n_tokens = np.array([slot.n_tokens for slot in grammar.slots], int)
        transitions = [slot.transitions for slot in grammar.slots]
        self._transitions, self._first_transition = _joined([table.ravel() for table in transitions])
        self._ends, self._first_state = _joined([self._steps.heads[slot].ends for slot in range(len(transitions))])
        self._first_token = self._steps.first_token

    def complete(
        self,
        tokens: np.ndarray,
        known: np.ndarray,
        seed: np.random.SeedSequence,
        rows: range,
        *,
        temperature: float = 1.0,
        guided: Mapping[int, Callable] | None = None,
        weighed: np.ndarray | None = None,
        only_first: bool = False,
        present: bool = False,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draw the unknown runs of rows.

        Every row has random numbers of its own, so that it does not depend on which others are completed with it. They are
        those with which `Sampler` draws the row of this number.

        Parameters
        ----------
        tokens : ndarray of int, shape (n_rows, n_positions)
            Those of unknown runs are not looked at.
        known : ndarray of bool, shape (n_rows, n_runs)
            Runs whose tokens are kept. They must be legal, and may be such as are never drawn.
        seed : SeedSequence
        rows : range
            The numbers of the rows in an endless sample, one after another.
        temperature : float, default=1.0
            What logits of drawn tokens are divided by.
        guided : dict of int to callable, optional
            Runs that are read among the known ones, but drawn where they are not known: ``guide(tokens)``, of those of the run
            so far, shape (n, n_read), returns logarithms of what each token's probability is multiplied by, shape
            (n, n_tokens) or (n_tokens,); -inf forbids it. Nothing else rules out legal tokens, not even those that are never
            drawn otherwise. A row whose legal tokens are all forbidden gets weight -inf and some legal token. Called in
            several threads.
        weighed : ndarray of bool, shape (n_runs,), default=all
            The runs that `log_weights` tells of, where they are known or guided.
        only_first : bool, default=False
            Stop after the known and guided runs; the tokens of the others are 0.
        present : bool, default=False
            Do not draw missing values, but where there are no others.

        Returns
        -------
        tokens : ndarray of int32, shape (n_rows, n_positions)
        log_weights : ndarray of float, shape (n_rows,)
            Logarithm of the probability that the network gives to the tokens known and, at each guided position, of the
            mean of what the guide multiplies with; at that temperature, tokens included that are never drawn.
        """
        weighed = np.ones(len(self._grammar.runs), bool) if weighed is None else weighed
        how = _How(np.float32(max(temperature, 1e-6)), guided or {}, weighed, only_first, present)
        written = np.where(known[:, self._run_of_position], tokens, 0).astype(np.int32)
        log_weights = np.zeros(len(written))

        def complete(part):
            numbers = range(rows.start + part.start, rows.start + part.stop)
            self._complete_part(written[part], known[part], self._uniform(seed, numbers), how, log_weights[part])

        self._in_threads(complete, rows)
        return written, log_weights

    def probabilities(self, tokens: np.ndarray, known: np.ndarray, run: int) -> np.ndarray:
        """Return the distribution of a run's first token, read right after the known runs of each row.

        Parameters
        ----------
        tokens, known
            As in `complete`; whether the run itself is known does not matter.
        run : int

        Returns
        -------
        probabilities : ndarray of float, shape (n_rows, n_tokens)
            0 for tokens that are never drawn.
        """
        slot = self._grammar.slot_of_position[self._run_of_position == run][0]
        found = np.zeros((len(tokens), self._n_tokens[slot]))
        known = known & (np.arange(known.shape[1]) != run)
        written = np.where(known[:, self._run_of_position], tokens, 0).astype(np.int32)

        def answer(part):
            for question in self._walk(self._plan_of_run(known[part], run), written[part]):
                logits = question.scores + question.head.drawn[question.state]
                shares = np.exp(logits - logits.max(axis=1, keepdims=True), dtype=float)
                found[part][question.rows] = shares / shares.sum(axis=1, keepdims=True)

        self._in_threads(answer, range(len(tokens)))
        return found

    def _in_threads(self, function, rows):
        """Call a function of a slice of the rows for all parts that they are read in, at whole blocks of random numbers."""
        blocks = blocks_of(rows, BLOCK_ROWS)
        together = min(max(len(blocks) // n_threads(), 1), MOST_BLOCKS)
        bounds = [max(block * BLOCK_ROWS - rows.start, 0) for block in blocks[::together]]
        parts = [slice(*pair) for pair in zip(bounds, [*bounds[1:], len(rows)], strict=True)] if len(rows) else []
        with products_alone(), ThreadPoolExecutor(n_threads()) as pool:
            list(pool.map(function, parts))

    def _uniform(self, seed, numbers):
        """Return the random numbers of some rows, shape (n_positions, n_rows)."""
        blocks = blocks_of(numbers, BLOCK_ROWS)
        uniform = np.concatenate([uniform_numbers(seed, block, self._grammar.n_positions) for block in blocks], axis=1)
        start = numbers.start - blocks.start * BLOCK_ROWS
        return uniform[:, start : start + len(numbers)]

    # In which order a row is read

    def _order(self, rank):
        """Return the positions of each row by the rank of their runs, and their slots, shape (n_times, n_rows) both."""
        order = np.argsort(rank[:, self._run_of_position], axis=1, kind="stable").T
        return np.ascontiguousarray(order), self._grammar.slot_of_position[order]

    def _plan(self, known, how):
        guided = np.isin(np.arange(known.shape[1]), list(how.guided))
        positions, slots = self._order(~(known | guided))
        runs, n = self._run_of_position[positions], self._grammar.n_positions
        forced, first = known[np.arange(len(known)), runs], guided[runs]
        keys = np.where(first, GUIDED * n + positions, slots if not how.only_first else -1)
        keys = np.where(forced, np.where(how.weighed[runs], FORCED * n + slots, -1), keys)
        return _Plan(positions, keys.astype(np.min_scalar_type(-3 * n)))

    def _plan_of_run(self, known, run):
        rank = np.where(known, 0, 2).astype(np.int8)
        rank[:, run] = 1
        positions, slots = self._order(rank)
        asked = positions == np.flatnonzero(self._run_of_position == run)[0]
        return _Plan(positions, np.where(asked, slots, -1))

    # How rows are read

    def _complete_part(self, tokens, known, uniform, how, log_weights):
        """Complete some rows in place."""
        for question in self._walk(self._plan(known, how), tokens):
            rows, positions = question.rows, question.positions
            if question.kind == FORCED:
                log_weights[rows] += _log_likelihood(question, tokens[rows, positions], how.temperature)
            elif question.kind == DRAWN:
                barred = how.present & self._grammar.run_starts[positions]
                tokens[rows, positions] = _drawn(question, uniform[question.time, rows], how.temperature, barred)
            else:
                run = self._run_of_position[positions[0]]
                start = np.searchsorted(self._run_of_position, run)
                guide = how.guided[run](tokens[rows, start : positions[0]])
                token, weight = _guided(question, guide, uniform[question.time, rows], how.temperature)
                tokens[rows, positions] = token
                if how.weighed[run]:
                    log_weights[rows] += weight

    def _walk(self, plan, tokens) -> Iterator[_Question]:
        """Read some rows; yield what they ask, and go on with the tokens that they are given then."""
        stop, last_slot = plan.stop, self._grammar.slot_of_position[plan.positions[-1]]
        going = _in_tiles(np.arange(len(tokens)))  # the row of every lane
        lanes = self._steps.lanes(len(going))
        lanes.token = np.full(len(going), self._said.shape[1] - 1)
        for time in range(stop.max()):
            position, key = plan.positions[time, going], plan.keys[time, going]
            slot = self._grammar.slot_of_position[position]
            lanes.state[self._grammar.run_starts[position]] = 0
            ends = self._ends[self._first_state[slot] + lanes.state]
            ends[(slot != last_slot[going]) | (key < 0) | (key >= GUIDED * len(plan.keys))] = -1
            over = (stop[going] <= time) | (ends >= 0)
            if over.mean() > MOST_OVER or over.all():
                self._end(tokens, going, position, ends)
                if over.all():
                    return
                keep = _in_tiles(np.flatnonzero(~over))
                going, position, key, slot, lanes = going[keep], position[keep], key[keep], slot[keep], lanes.descend(keep)
            hidden = self._read(lanes, slot)
            for which, own in _groups(key):
                own = _in_tiles(own)
                head = self._steps.heads[slot[own[0]]]
                scores, kind = product(hidden[own], head.kernel), which // len(plan.keys)
                yield _Question(kind, time, going[own], position[own], head, lanes.state[own], scores)
            token = tokens[going, position]
            transition = self._first_transition[slot] + lanes.state * self._n_tokens[slot] + token
            lanes.token, lanes.state = self._first_token[slot] + token, self._transitions.take(transition, mode="clip")

    def _read(self, lanes, slot):
        """Read the lanes' last tokens where each is asked for a slot; return the last layer's output."""
        for gate, (said, asked) in enumerate(zip(self._said, self._asked, strict=True)):
            np.take(said, lanes.token, axis=0, out=lanes.z[gate], mode="clip")
            np.take(asked, slot, axis=0, out=lanes.recurrent[gate], mode="clip")
        lanes.z += lanes.recurrent
        return self._steps.take(lanes, lanes.token, product)

    def _end(self, tokens, rows, position, ends):
        """Write the token that rows end with from their positions on, where there is such a token."""
        which = np.flatnonzero(ends >= 0)
        slots, rows = self._grammar.slot_of_position, rows[which]
        rest = (slots == slots[position[which], None]) & (np.arange(len(slots)) >= position[which, None])
        tokens[rows] = np.where(rest, ends[which, None], tokens[rows])


def _joined(arrays):
    """Return arrays as one, and where each of them starts in it."""
    return np.concatenate(arrays), np.cumsum([0, *map(len, arrays[:-1])])


def _in_tiles(numbers):
    """Return numbers filled up to whole tiles, with some of them again: what is computed twice is the same."""
    return np.resize(numbers, -(-len(numbers) // TILE) * TILE)


def _groups(keys):
    """Yield every key but -1, and the lanes that have it."""
    asked = np.flatnonzero(keys >= 0)
    if len(asked):
        ordered = asked[np.argsort(keys[asked], kind="stable")]
        for own in np.split(ordered, np.flatnonzero(np.diff(keys[ordered])) + 1):
            yield int(keys[own[0]]), own


def _log_likelihood(question, tokens, temperature):
    """Return the logarithm of the probability of a token for each row."""
    logits = question.scores
    logits += question.head.logits[question.state]
    logits /= temperature
    said = logits[np.arange(len(tokens)), tokens].astype(float)
    if question.head.safe and temperature == 1:
        return said - np.log(np.exp(logits, out=logits).sum(axis=1, dtype=float))
    return said - _log_sum(logits)


def _drawn(question, uniform, temperature, barred):
    """Return a token for each row, drawn from what the network says; where that is barred, missing only if nothing else is."""
    logits = question.scores
    logits += question.head.drawn[question.state]
    logits[barred & (logits[:, MISSING + 1 :].max(axis=1, initial=-np.inf) > -np.inf), MISSING] = -np.inf
    if not question.head.safe or temperature != 1:
        logits -= logits.max(axis=1, keepdims=True)
        logits /= temperature
    return pick(np.cumsum(np.exp(logits, out=logits), axis=1, out=logits), uniform)


def _guided(question, guide, uniform, temperature):
    """Return a token for each row, drawn from what network and guide say, and the row's logarithmic weight."""
    logits = question.scores + question.head.logits[question.state]
    logits -= logits.max(axis=1, keepdims=True)
    logits /= temperature
    weights = _log_sum(logits + guide) - _log_sum(logits)
    logits = np.where(np.isneginf(weights)[:, None], logits, logits + guide)
    logits -= logits.max(axis=1, keepdims=True)
    return pick(np.cumsum(np.exp(logits, dtype=np.float32), axis=1), uniform), weights


def _log_sum(logits):
    """Return the logarithms of the sums of exponentials by row; -inf where all are."""
    most = np.maximum(logits.max(axis=1, keepdims=True), np.finfo(np.float32).min)
    with np.errstate(divide="ignore"):
        return most[:, 0] + np.log(np.exp(logits - most, dtype=float).sum(axis=1))
