"""Seeds passed down: every stream of random numbers is a function of a root seed and of what it is for."""

import zlib
from collections.abc import Callable
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


BLOCK = 1_024  # records whose numbers have a stream of their own


def blocks_of(rows: range, size: int) -> range:
    """Return the numbers of the blocks of so many records each in which some records lie."""
    return range(rows.start // size, -(-rows.stop // size))


def by_block(rows: range, seed: np.random.SeedSequence, purpose: str, draw: Callable) -> np.ndarray:
    """Return what is drawn for some records of an endless sample, the same whichever others are asked for.

    Parameters
    ----------
    rows : range
        Numbers of the records.
    seed : SeedSequence
    purpose : str
    draw : callable
        ``draw(block, rng)`` returns an array for all records of a block, a range.
    """
    blocks = blocks_of(rows, BLOCK)
    parts = [
        draw(range(block * BLOCK, (block + 1) * BLOCK), np.random.default_rng(stream(seed, purpose, block)))
        for block in blocks
    ]
    return np.concatenate(parts)[rows.start - blocks.start * BLOCK : rows.stop - blocks.start * BLOCK]
