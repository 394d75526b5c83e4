"""Free digits <-> whole numbers and shares: where in its leaf a value lies. The first digit of whole numbers counts least."""

import numpy as np

from ._codec import FREE_BITS

__all__ = ["digits_of", "digits_of_share", "remainder_of", "share_of"]


def digits_of(places: np.ndarray, n_digits: int) -> np.ndarray:
    """Return whole numbers (uint64) as digits, shape (n_rows, n_digits)."""
    digits = np.zeros((len(places), n_digits), np.int32)
    for i in range(n_digits):
        digits[:, i] = places & np.uint64((1 << FREE_BITS) - 1)
        places = places >> np.uint64(FREE_BITS)
    return digits


def remainder_of(digits: np.ndarray, largest: np.ndarray) -> np.ndarray:
    """Return the whole number of digits modulo (largest + 1); all uint64."""
    n_digits = digits.shape[1]
    places = np.zeros(len(digits), np.uint64)
    for i in reversed(range(min(n_digits, 2))):
        places = (places << np.uint64(FREE_BITS)) | digits[:, i].astype(np.uint64)
    if n_digits <= 2:
        return places % (largest + np.uint64(1))
    return _wide_remainder(places, digits[:, 2:], largest)


def _wide_remainder(low, high_digits, largest):
    """Return (low + high digits * 2**60) modulo (largest + 1), in Python's integers where uint64 would overflow."""
    total, scale = low.astype(object), 1 << (2 * FREE_BITS)
    for digit in high_digits.T:
        total = total + digit.astype(object) * scale
        scale <<= FREE_BITS
    return (total % (largest.astype(object) + 1)).astype(np.uint64)


def digits_of_share(share: np.ndarray, n_digits: int) -> np.ndarray:
    """Return shares in [0, 1) as digits, shape (n_rows, n_digits), of which the first counts most."""
    digits = np.zeros((len(share), n_digits), np.int32)
    for i in range(n_digits):
        share = share * 2.0**FREE_BITS
        digits[:, i] = share
        share = share - digits[:, i]
    return digits


def share_of(digits: np.ndarray) -> np.ndarray:
    """Return the share in [0, 1] that digits say."""
    share = np.zeros(len(digits))
    for i in reversed(range(digits.shape[1])):
        share = (share + digits[:, i]) * 2.0**-FREE_BITS
    return share
