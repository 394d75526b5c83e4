"""Files of text, plain or compressed by gzip, one line per record."""

import errno
import gzip
import io
import os
import zlib
from codecs import BOM_UTF8 as BYTE_ORDER
from collections.abc import Iterator
from typing import Any

from ._encoding import LOOKED_AT, refuse_utf16
from ._source import LineSource

__all__ = ["TextFile"]

GZIP = b"\x1f\x8b"  # what such a file begins with, and no text in UTF-8
BYTES = "latin-1"  # a character for every byte


class TextFile(LineSource):
    r"""The lines of a file in UTF-8, each ended by "\n", "\r\n" or "\r", and by nothing else.

    The end of the last line may be missing. A byte order mark at the beginning is no part of the text.

    Parameters
    ----------
    path : str or path

    Raises
    ------
    OSError
        If there is no such file.
    """

    def __init__(self, path: Any):
        self.name = os.fsdecode(path)
        if not os.path.isfile(self.name):
            raise _no_file(path)

    def _read(self) -> Iterator[str]:
        number = 0
        try:
            with self._open() as file:
                head = file.read(LOOKED_AT)
                refuse_utf16(self.name, head)
                file.seek(len(BYTE_ORDER) if head.startswith(BYTE_ORDER) else 0)
                with io.TextIOWrapper(file, BYTES, newline=None) as lines:  # all ends become "\n"
                    for number, line in enumerate(lines, 1):
                        yield self._decoded(line.removesuffix("\n").encode(BYTES), number)
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(
                f"{self.name}: gzip is damaged or cut off within line {number + 1:,}: {error}; copy or compress the file anew"
            ) from error

    def _open(self):
        with open(self.name, "rb") as file:
            is_gzip = file.read(len(GZIP)) == GZIP
        return gzip.open(self.name, "rb") if is_gzip else open(self.name, "rb")

    def _decoded(self, line, number):
        """Return the text of a line."""
        try:
            return line.decode("utf-8", self.errors)
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{self.name}: line {number:,} is not UTF-8: got 0x{line[error.start]:02x} as byte {error.start + 1:,} of the "
                f"line ({error.reason}); write the file anew as UTF-8, such as with iconv -f LATIN1 -t UTF-8 (or -f UTF-16)"
            ) from error


def _no_file(path):
    """Return the error of a path that is no file."""
    shown = f"{os.fspath(path)!r:.200}"
    if os.path.isdir(path):
        return IsADirectoryError(errno.EISDIR, f"{shown} is a folder, expected a file of text; pass the path of one file")
    if os.path.exists(path):
        return OSError(errno.EINVAL, f"{shown} is no regular file and cannot be read twice; pass an iterator over its lines")
    remedy = "; a str is the path of a file: put one line of text in a list" if isinstance(path, str) else ""
    return FileNotFoundError(errno.ENOENT, f"there is no file {shown}{remedy}")
