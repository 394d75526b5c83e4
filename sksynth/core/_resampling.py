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
            rng = np.random.default_rng(stream(seed, "kept", blocks[index]))
            return kept(log_p - log_q[index], rng.random(), self._n_kept)

        found, start = self._goes_on.finish(seed, blocks, own, choose, self._n_kept), blocks.start * self._n_kept
        return found[rows.start - start : rows.stop - start]


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
