"""Rows into a file, chunk by chunk: whole or not at all, and from where an earlier call stood."""

import errno
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .. import persistence
from .._sampling import SamplingError, Tally, joined
from ._formats import format_of, of_one_dtype
from ._partial import Partial

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}  # what an operating system says where there is no room


def write_rows(
    path: Any,
    draw: Callable,
    fields: Mapping,
    settings: Mapping,
    seed: np.random.SeedSequence,
    *,
    chunk_size: int,
    **how: bool,
) -> None:
    """Write the rows of a sample to a file, or go on with the call of the same settings that was broken off.

    Parameters
    ----------
    path : str or path
    draw : callable
        ``draw(seed, tally)`` yields the rows after those that the tally counts, as frames, and counts them.
    fields : dict of column to field
        In the order of the columns.
    settings : dict
        Plain data: what the rows follow from, but for the seed; "n_samples" is one of them.
    seed : SeedSequence
    chunk_size : int
        Rows, at least, that are written together.
    **how : bool
        `any_seed`, whether a call of another seed may be gone on with, and `overwrite`, whether what is there may be lost.
    """
    named, path = path, persistence.real_path(path)
    form = format_of(Path(named), fields)
    _check_target(path, how["overwrite"])
    partial = Partial(path)
    with _as_error_of(path), partial.locked():
        seed, tally = _taken_up(partial, settings, seed, **how)
        with _kept(partial, tally, settings["n_samples"]) as written:
            for frame, reached in _in_chunks(draw(seed, tally), tally, chunk_size):
                is_first = written.valid == 0
                partial.append(form.encoded(of_one_dtype(frame, fields), partial.rows, is_first), reached)
                vars(written).update(vars(reached))
            whole = form.finished(partial.rows)
        persistence.put_in_place(whole, path)
        partial.clear()


def _check_target(path, overwrite):
    """Refuse a path under which there is something that may not be lost."""
    if path.is_dir():
        raise IsADirectoryError(errno.EISDIR, f"path: {path} is a folder, expected the name of a file")
    if path.exists() and not overwrite:
        raise FileExistsError(errno.EEXIST, f"path: {path} is there already: pass overwrite=True, or choose another path")


def _taken_up(partial, settings, seed, any_seed, overwrite):
    """Return the seed of the rows, and how many of them are there."""
    asked = {**settings, "random_state": _plain_seed(seed)}
    found = partial.settings()
    if found is None or not partial.rows.exists():  # it is gone where a process was killed after the last of its work
        return seed, partial.begin(asked)
    if any_seed:
        asked["random_state"] = found.get("random_state")
    differ = [name for name in {**found, **asked} if found.get(name) != asked.get(name)]
    if not differ:
        return np.random.SeedSequence(**asked["random_state"]), partial.go_on()
    if not overwrite:
        raise ValueError(
            f"path: {partial.path} holds rows of a call that was broken off, with another {', another '.join(differ)}: "
            "pass overwrite=True to start afresh, or remove that folder"
        )
    return seed, partial.begin(asked)


def _plain_seed(seed):
    """Return a seed as JSON has it; its entropy may be several numbers."""
    entropy = np.asarray(seed.entropy, dtype=object)
    return {
        "entropy": list(map(int, entropy)) if entropy.ndim else int(seed.entropy),
        "spawn_key": list(map(int, seed.spawn_key)),
    }


def _in_chunks(portions: Iterator[pd.DataFrame], tally: Tally, size: int) -> Iterator[tuple[pd.DataFrame, Tally]]:
    """Yield portions together until they have so many rows, with what was counted by then."""
    held: list[pd.DataFrame] = []
    try:
        for portion in portions:
            held.append(portion)
            if sum(map(len, held)) >= size:
                yield joined(held), copy(tally)
                held = []
    except SamplingError as error:
        error.valid = joined([*held, error.valid])
        raise
    if held:
        yield joined(held), copy(tally)


@contextmanager
def _kept(partial, tally, n_samples):
    """Lend a count of the rows that are written; where the block fails, keep them and say so, unless the disk is full."""
    written = copy(tally)
    try:
        yield written
    except BaseException as error:
        if not written.valid or (isinstance(error, OSError) and error.errno in FULL):
            partial.clear()
        else:
            error.add_note(
                f"sample_to: {written.valid:,} of {n_samples:,} rows are in {partial.path}; the same call goes on from there. "
                "Remove that folder to free the space"
            )
        raise


@contextmanager
def _as_error_of(path):
    """Have what the operating system refuses name the path that was asked for."""
    try:
        yield
    except OSError as error:
        why = os.strerror(error.errno) if error.errno else str(error)
        gone = "Nothing is left of it: make room" if error.errno in FULL else "Allow writing there"
        told = OSError(error.errno, f"path: cannot write {path}: {why}. {gone}, or choose another path")
        for note in getattr(error, "__notes__", ()):
            told.add_note(note)
        raise told from error
