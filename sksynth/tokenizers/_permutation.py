"""A keyed permutation of [0, size), computed place by place."""

import numpy as np

__all__ = ["MASK", "mix", "permute"]

MASK = (1 << 64) - 1
N_ROUNDS = 8


def mix(values: np.ndarray, key: int) -> np.ndarray:
    """Return a keyed hash of uint64 values, by the finaliser of SplitMix64; another one for every key."""
    with np.errstate(over="ignore"):
        z = values + np.uint64((key * 0x9E3779B97F4A7C15 + 0x632BE59BD9B4E019) & MASK)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def permute(places: np.ndarray, size: int, key: int) -> np.ndarray:
    """Return the values at `places` of a permutation of ``range(size)`` that is determined by `key`.

    A Feistel network permutes the next power of four; a value that falls outside is permuted again until it is inside.

    Parameters
    ----------
    places : ndarray of uint64, shape (n,)
        Each below `size`.
    size : int
        At most ``2**64 - 1``.
    key : int

    Returns
    -------
    values : ndarray of uint64, shape (n,)
    """
    n_bits = max(1, ((size - 1).bit_length() + 1) // 2)
    keys = mix(np.arange(N_ROUNDS, dtype=np.uint64), key).tolist()
    values = _feistel(places, n_bits, keys)
    outside = np.flatnonzero(values >= np.uint64(size))
    while len(outside):
        values[outside] = _feistel(values[outside], n_bits, keys)
        outside = outside[values[outside] >= np.uint64(size)]
    return values


def _feistel(values: np.ndarray, n_bits: int, keys: list[int]) -> np.ndarray:
    shift, half = np.uint64(n_bits), np.uint64((1 << n_bits) - 1)
    left, right = values >> shift, values & half
    for key in keys:
        left, right = right, left ^ (mix(right, key) & half)
    return (left << shift) | right
