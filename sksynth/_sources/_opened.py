"""What is lines of text, but no list of them."""

import io
import os
from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from typing import Any

from ._source import LineSource, RepeatedLines
from ._spool import Spool
from ._text_file import TextFile

__all__ = ["opened"]

IN_MEMORY = (list, tuple, bytes, bytearray, Mapping, Set)  # iterables that are in memory, or no lines


@contextmanager
def opened(X: Any) -> Iterator[Any]:
    """Yield a path or an iterable as a source of lines, for the block; anything else as it is.

    Raises
    ------
    OSError
        If there is no file of that path.
    TypeError
        If it is an open file.
    """
    if isinstance(X, str | os.PathLike):
        source: LineSource = TextFile(X)
    elif isinstance(X, io.IOBase):
        raise TypeError(f"got an open file, {X!r:.99}, expected the path of one: pass its path, or the list of its lines")
    elif _is_read_line_by_line(X):
        source = Spool(X) if iter(X) is X else RepeatedLines(X)
    else:
        yield X
        return
    with source:
        yield source


def _is_read_line_by_line(X):
    """Tell an iterable from lists, and from tables and arrays, all of which have a shape."""
    return isinstance(X, Iterable) and not isinstance(X, IN_MEMORY) and not hasattr(X, "shape")
