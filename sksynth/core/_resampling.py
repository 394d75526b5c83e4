"""Sampling of rows of which some columns are given, as the network has them in its own order.

Read first, what is given tells all other columns what to be. But a network is trained in one order of columns more than in any
other, and there knows best which go together. So more rows are begun than are wanted, up to the last given column in that
order, and those go on that are likelier there than in the order they were drawn in: importance sampling without replacement.
As no row goes on twice, none counts for more than the rows that are begun for each: what was far too seldom begun stays rare.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .._grammar import Grammar
from .._random import blocks_of, stream
from ._sampling import UNCHANGED, Draw, Sampler
from ._steps import BLOCK_ROWS

LATEST = 0.9  # of a row's positions: what is given behind takes too long to look ahead to, and is what the others hardly tell
KEPT = 0.6  # of the rows begun, at least
KEPT_LATE = 0.22, 0.8  # and so many, and so many more by the share of the positions that are read twice: that takes time
MOST_EACH = 16  # rows begun for each, where rows differ in what is given; a power of 2
MOST_READ = 1_024  # positions of them together
TOGETHER = 64  # blocks that are drawn together then, so that memory stays small
ROUNDING = 1e-9  # more than sums of as many weights as a block has rows are out by


class Resampler:
    """Draws rows of which some columns are given.

    Parameters
    ----------
    grammar : Grammar
    weights : dict of str to ndarray
        As returned by `train`, of a network that reads columns in any order.
    shape : NetworkShape
    given : sequence of int
        Runs whose tokens `Draw.given` has: the same for all rows, or drawn for each from the distribution that the network has
        of them where they are read first.

    References
    ----------
    .. [1] Rubin, D. B. (1988). Using the SIR algorithm to simulate posterior distributions. Bayesian Statistics 3.
    .. [2] Madow, W. G. (1949). On the theory of systematic sampling, II. Annals of Mathematical Statistics 20.
    """

    def __init__(self, grammar: Grammar, weights: dict, shape, given: Sequence[int]):
        self._begins = Sampler(grammar, weights, shape, given, given)
        self._goes_on = self._begins.ordered((), given)
        self._n_begun = positions_of(grammar, given)
        least, more = KEPT_LATE
        self._n_kept = round(max(KEPT, least + more * self._n_begun / grammar.n_positions) * BLOCK_ROWS)
        self._order = np.argsort(self._begins.positions[: self._n_begun])

    @staticmethod
    def pays(grammar: Grammar, given: Sequence[int]) -> bool:
        """Say whether it makes a difference that is worth its time: not where what is given comes first anyway, nor late."""
        n_begun = positions_of(grammar, given)
        return sum(grammar.runs[run].n_positions for run in given) < n_begun <= LATEST * grammar.n_positions

    def begun(self, rows: range) -> range:
        """Return the numbers of the rows that are begun for some rows."""
        blocks = blocks_of(rows, self._n_kept)
        return range(blocks.start * BLOCK_ROWS, blocks.stop * BLOCK_ROWS)

    def draw(self, seed: np.random.SeedSequence, rows: range, how: Draw = UNCHANGED) -> np.ndarray:
        """Draw some rows of an endless sample: token ids of shape (n_rows, n_positions), int32.

        Parameters
        ----------
        seed : SeedSequence
        rows : range
        how : Draw
            What it gives is for the rows of `begun`.
        """
        blocks = blocks_of(rows, self._n_kept)
        tokens, log_q = self._begins.begin(seed, blocks, how, self._n_begun)
        own = replace(how, given=tokens[:, self._order], start=blocks.start * BLOCK_ROWS)

        def choose(index, log_p):
            return self._kept(log_p - log_q[index], np.random.default_rng(stream(seed, "kept", blocks[index])))

        found, start = self._goes_on.finish(seed, blocks, own, choose, self._n_kept), blocks.start * self._n_kept
        return found[rows.start - start : rows.stop - start]

    def _kept(self, log_weights, rng):
        """Return which rows of a block go on."""
        return kept(log_weights, rng.random(), self._n_kept)


class RowResampler(Resampler):
    """Draws rows that differ in what is given: several are begun for each, of which one goes on, by its weight.

    Parameters
    ----------
    grammar, weights, shape, given
        See `Resampler`.
    """

    def __init__(self, grammar: Grammar, weights: dict, shape, given: Sequence[int]):
        super().__init__(grammar, weights, shape, given)
        self._n_each = begun_for_each(grammar, given)
        self._n_kept = BLOCK_ROWS // self._n_each

    @staticmethod
    def pays(grammar: Grammar, given: Sequence[int]) -> bool:
        """Say whether it makes a difference, and more than one can be begun for each row."""
        is_first = sum(grammar.runs[run].n_positions for run in given) == positions_of(grammar, given)
        return not is_first and begun_for_each(grammar, given) > 1

    def begun(self, rows: range) -> range:
        """Return the numbers of the rows whose given tokens are needed for some rows."""
        blocks = blocks_of(rows, self._n_kept)
        return range(blocks.start * self._n_kept, blocks.stop * self._n_kept)

    def draw(self, seed: np.random.SeedSequence, rows: range, how: Draw = UNCHANGED) -> np.ndarray:
        """Draw some rows, see `Resampler`; `how` has the given tokens of each row of `begun`."""
        parts, size = [], self._n_kept * TOGETHER
        for start in range(rows.start // size * size, rows.stop, size):
            own = range(max(start, rows.start), min(start + size, rows.stop))
            begun = self.begun(own)
            given = np.repeat(how.given[begun.start - how.start : begun.stop - how.start], self._n_each, axis=0)
            parts.append(super().draw(seed, own, replace(how, given=given, start=begun.start * self._n_each)))
        return np.concatenate(parts)

    def _kept(self, log_weights, rng):
        weights = log_weights.reshape(-1, self._n_each)
        return np.argmax(weights + rng.gumbel(size=weights.shape), axis=1) + np.arange(0, BLOCK_ROWS, self._n_each)


def begun_for_each(grammar: Grammar, given: Sequence[int]) -> int:
    """Return how many rows are begun for each that differs from others in what is given: fewer of long ones."""
    n_each = MOST_EACH
    while n_each > 1 and n_each * positions_of(grammar, given) > MOST_READ:
        n_each //= 2
    return n_each


def positions_of(grammar: Grammar, given: Sequence[int]) -> int:
    """Return how many positions there are up to the last of some runs."""
    return sum(run.n_positions for run in grammar.runs[: max(given, default=-1) + 1])


def kept(log_weights: np.ndarray, uniform: float, n: int) -> np.ndarray:
    """Return which rows go on, as likely as they weigh, but none twice.

    Parameters
    ----------
    log_weights : ndarray, shape (n_rows,)
    uniform : float
        A uniform random number.
    n : int
        How many go on, fewer than there are.

    Returns
    -------
    rows : ndarray of int, shape (n,)
        Their numbers, ascending.
    """
    weights = np.maximum(np.exp(log_weights - log_weights.max()), 1e-200)
    ordered = -np.sort(-weights)
    rest = np.cumsum(ordered[::-1])[::-1]  # of each and those that weigh less
    certain = int(np.argmax(ordered * (n - np.arange(len(ordered))) <= rest))  # so many go on whatever is drawn
    bounds = np.cumsum(np.minimum(weights * ((n - certain) / rest[certain]), 1.0))
    uniform = np.clip(uniform, ROUNDING, 1 - ROUNDING)
    return np.searchsorted(bounds * (n / bounds[-1]), np.arange(n) + uniform, "right")
