"""Seeds passed down: every stream of random numbers is a function of a root seed and of what it is for."""

import zlib
from typing import Any

import numpy as np


def seed_sequence(random_state: Any) -> np.random.SeedSequence:
    """Return the root of all streams for a `random_state` of any kind.

    Parameters
    ----------
    random_state : int, RandomState, Generator, SeedSequence or None
        None takes entropy from the operating system; a generator gives one number of its own.

    Raises
    ------
    ValueError, TypeError
        If it is none of these, or a negative int.
    """
    if isinstance(random_state, np.random.SeedSequence):  # a copy: spawning from it leaves the caller's as it is
        return np.random.SeedSequence(random_state.entropy, spawn_key=random_state.spawn_key)
    if isinstance(random_state, np.random.Generator):
        return np.random.SeedSequence(int(random_state.integers(2**63)))
    if isinstance(random_state, np.random.RandomState):
        return np.random.SeedSequence(int(random_state.randint(2**31 - 1)))
    if random_state is None:
        return np.random.SeedSequence()
    if isinstance(random_state, bool) or not isinstance(random_state, int | np.integer):
        raise TypeError(f"random_state must be an int >= 0, a RandomState, a Generator or None, got {random_state!r}")
    if random_state < 0:
        raise ValueError(f"random_state must be an int >= 0, a RandomState, a Generator or None, got {random_state!r}")
    return np.random.SeedSequence(int(random_state))


def stream(root: np.random.SeedSequence, purpose: str, *numbers: int) -> np.random.SeedSequence:
    """Return the stream of `root` for a purpose and any numbers (batch, chunk): no draw from one moves another."""
    return np.random.SeedSequence(root.entropy, spawn_key=(*root.spawn_key, zlib.crc32(purpose.encode()), *numbers))
