"""Sources of records: what can be read any number of times, and need not fit into memory."""

import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path
from typing import Any

__all__ = ["LineSource", "LinesInMemory", "RepeatedLines", "Source"]

CHUNK_LINES, CHUNK_CHARACTERS = 4_096, 2**20  # of lines that are held together


class Source(ABC):
    """Records that are read anew whenever they are asked for; a context manager that removes what was put on disk for them.

    Attributes
    ----------
    name : str
        What messages call it.
    """

    name = "X"
    _temporary: Any = None

    @abstractmethod
    def chunks(self) -> Iterator[Any]:
        """Yield the records from the first to the last, so many at a time that they can be worked on."""

    @cached_property
    def folder(self) -> Path:
        """A folder for whatever is made of the records, which is removed when the source is closed, or the process ends."""
        self._temporary = tempfile.TemporaryDirectory(prefix="sksynth-", ignore_cleanup_errors=True)
        return Path(self._temporary.name)

    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: Any) -> None:
        if self._temporary is not None:
            self._temporary.cleanup()


class LineSource(Source):
    """Lines of text; iterating over it yields them, its length is their number, for which it is read once.

    Attributes
    ----------
    errors : {"strict", "replace"}
        What becomes of a line that is no text: an error, or what there is of it.
    """

    errors = "strict"

    _n_lines: int | None = None

    @abstractmethod
    def _read(self) -> Iterator[str]:
        """Yield the lines from the first to the last."""

    def __iter__(self) -> Iterator[str]:
        n_lines = 0
        for line in self._read():
            n_lines += 1
            yield line
        self._check_number(n_lines)

    def _check_number(self, n_lines):
        """Refuse a source without lines, or with more or fewer of them than before."""
        if self._n_lines is None:
            self._n_lines = n_lines
        if n_lines != self._n_lines:
            raise ValueError(
                f"{self.name} has {n_lines:,} lines now, but had {self._n_lines:,} when it was read before: leave it as it is "
                "during the call, or pass an iterator, whose lines are copied to disk first"
            )
        if not n_lines:
            raise ValueError(f"{self.name} is empty: got 0 lines, expected at least one; pass some text")

    def __len__(self) -> int:
        if self._n_lines is None:
            for _ in self:
                pass
        return self._n_lines

    def chunks(self) -> Iterator[list[str]]:
        """Yield the lines as lists, none of them too large to work on."""
        chunk, n_characters = [], 0
        for line in self:
            chunk.append(line)
            n_characters += len(line)
            if len(chunk) == CHUNK_LINES or n_characters >= CHUNK_CHARACTERS:
                yield chunk
                chunk, n_characters = [], 0
        if chunk:
            yield chunk


class LinesInMemory(LineSource):
    """Lines of a list, all of them strings."""

    def __init__(self, lines: list[str]):
        self._lines = lines

    def _read(self) -> Iterator[str]:
        return iter(self._lines)


class RepeatedLines(LineSource):
    """Lines of something that can be iterated over again and again."""

    def __init__(self, lines: Iterable[str]):
        self._lines = lines
        self.name = f"X ({type(lines).__name__})"

    def _read(self) -> Iterator[str]:
        return checked(self._lines, self.errors)


def checked(lines: Iterable[str], errors: str = "strict") -> Iterator[str]:
    """Yield what an iterable yields as long as it is text; if errors are replaced, empty lines for what is none.

    Raises
    ------
    TypeError
    """
    for number, line in enumerate(lines):
        if not isinstance(line, str) and errors == "replace":
            line = ""
        if not isinstance(line, str):
            remedy = "decode it with .decode('utf-8')" if isinstance(line, bytes) else "convert the lines with str, or drop it"
            raise TypeError(f"line {number} is {line!r:.99} of type {type(line).__name__}, expected a string; {remedy}")
        yield line
