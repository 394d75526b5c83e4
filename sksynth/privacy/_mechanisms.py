"""Mechanisms that release counts: whole numbers, with noise from the operating system's entropy."""

import numpy as np


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


def noisy_total(count: int, epsilon: float, rng: np.random.Generator) -> int:
    """Return a number of rows with Laplace noise of scale 1 / `epsilon`, rounded; at least 1."""
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
