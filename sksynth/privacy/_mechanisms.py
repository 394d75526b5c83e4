"""Mechanisms that release counts: whole numbers, with noise from the operating system's entropy.

Each enters in the ledger what it spends, from the very numbers that its noise is made of.
"""

import numpy as np

from ._ledger import Ledger, gaussian_event, laplace_event


def system_generator() -> np.random.Generator:
    """Return a generator of its own entropy, from the operating system, that no seed decides."""
    return np.random.Generator(np.random.PCG64DXSM(np.random.SeedSequence()))


def noisy_counts(counts: np.ndarray, scale: float, rng: np.random.Generator) -> np.ndarray:
    """Return counts with Gaussian noise, rounded: whole numbers, whose last digits tell nothing.

    Parameters
    ----------
    counts : ndarray of int
    scale : float
        Standard deviation: the noise multiplier times the square root of the number of counts that one row is in.
    rng : Generator
        See `system_generator`.

    Returns
    -------
    noisy : ndarray of float, of the shape of `counts`
        Not clipped at 0.
    """
    return np.asarray(counts) + np.rint(scale * rng.standard_normal(np.shape(counts)))


class GaussianCounts:
    """Histograms that are released together with Gaussian noise, and their entry in the ledger.

    Parameters
    ----------
    noise_multiplier : float
    counts_per_row : int
        Histograms that one row is counted in, once in each.
    rng : Generator
        See `system_generator`.

    Attributes
    ----------
    scale : float
        Standard deviation of the noise of every count.
    """

    def __init__(self, noise_multiplier: float, counts_per_row: int, rng: np.random.Generator):
        self.noise_multiplier, self.counts_per_row, self._rng = noise_multiplier, counts_per_row, rng
        self.scale = noise_multiplier * np.sqrt(max(counts_per_row, 1))

    def noisy(self, counts: np.ndarray) -> np.ndarray:
        """Return a histogram, or several of disjoint rows, with noise."""
        return noisy_counts(counts, self.scale, self._rng)

    def enter(self, ledger: Ledger, step: str, covers: str, delta: float = 0.0, **parameters) -> None:
        """Enter in the ledger what all histograms spend together; `parameters` and `delta` are those of a threshold."""
        if not self.counts_per_row:
            return
        ledger.add(
            step, "Gaussian mechanism" + ", thresholded" * bool(delta), gaussian_event(self.noise_multiplier),
            covers=covers, delta=delta, noise_multiplier=self.noise_multiplier, counts_per_row=self.counts_per_row,
            **parameters,
        )  # fmt: skip


def noisy_total(count: int, epsilon: float, ledger: Ledger, rng: np.random.Generator) -> int:
    """Return a number of rows with Laplace noise of scale 1 / `epsilon`, rounded; at least 1. Enter it in the ledger."""
    ledger.add("number of rows", "Laplace mechanism", laplace_event(epsilon), covers="the number of rows", epsilon=epsilon)
    return max(1, int(count + np.rint(rng.laplace(scale=1.0 / epsilon))))


def selection_threshold(scale: float, delta: float, n_columns: int) -> float:
    """Return the noisy count from which a value may be shown that is not known to be in the domain.

    A row that is the only one with its value, in all of `n_columns` columns, is betrayed with probability `delta` at most,
    rounding of the noise included.

    Parameters
    ----------
    scale : float
        Standard deviation of the noise of the counts.
    delta : float
    n_columns : int
        Columns whose values are selected.
    """
    from scipy.special import ndtri

    return 1.5 - scale * float(ndtri(-np.expm1(np.log1p(-delta) / n_columns)))


def nonnegative(counts: np.ndarray, total: float) -> np.ndarray:
    """Return the counts nearest to noisy ones that are not negative and have the given total (least squares).

    Parameters
    ----------
    counts : ndarray of float, shape (n_counts,)
    total : float
    """
    total = max(float(total), 0.0)
    descending = np.sort(counts)[::-1]
    shifts = (np.cumsum(descending) - total) / np.arange(1, len(counts) + 1)
    last = int(np.flatnonzero(descending - shifts > 0).max(initial=0))
    return np.maximum(counts - shifts[last], 0.0)
