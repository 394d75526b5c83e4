"""Arrays on disk that are read as if they were in memory, of which little is in memory at a time."""

import mmap
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["in_blocks", "let_go", "written"]

BLOCK_ROWS = 8_192  # that are looked at together


def written(path: Path, parts: Iterable[np.ndarray], dtype: Any) -> np.ndarray:
    """Write the rows of arrays of one width to a file, part by part, and return them as one memory map to read.

    Rows without cells, of which no map can be made, are an array.
    """
    n_rows, width = 0, 0
    with open(path, "wb") as file:
        for part in parts:
            file.write(np.ascontiguousarray(part, dtype).data)
            n_rows, width = n_rows + len(part), part.shape[1]
    return np.memmap(path, dtype, "r", shape=(n_rows, width)) if n_rows * width else np.zeros((n_rows, width), dtype)


def in_blocks(rows: Any) -> Iterator[Any]:
    """Yield the rows of an array from the first to the last, some at a time."""
    for start in range(0, len(rows), BLOCK_ROWS):
        yield rows[start : start + BLOCK_ROWS]
        let_go(rows)


def let_go(array: Any) -> None:
    """Free the memory that holds what was read of a memory map; it is read from disk again where it is needed.

    Without this, what a process holds grows up to the size of the file as long as nothing else wants the memory.
    """
    base = array
    while isinstance(base, np.ndarray):
        base = base.base
    is_for_reading = getattr(array, "mode", None) == "r"  # another might lose what was changed in memory
    if is_for_reading and isinstance(base, mmap.mmap) and hasattr(mmap, "MADV_DONTNEED"):
        base.madvise(mmap.MADV_DONTNEED)
