"""Tables that commands read and write."""

import errno
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

STANDARD = "-"  # the name of standard input and output


@contextmanager
def table_in(path: str) -> Iterator[str]:
    """Lend, for the block, the path of a table; what is on standard input, CSV, is copied into a file first.

    Raises
    ------
    ValueError
        If there is nothing, or what is read is no table.
    """
    if path != STANDARD:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="sksynth-") as folder:
        copied = Path(folder) / "stdin.csv"
        with open(copied, "wb") as file:
            if sys.stdin is not None:
                shutil.copyfileobj(sys.stdin.buffer, file)
        if not copied.stat().st_size:
            raise ValueError("standard input: got nothing, expected a table as CSV")
        try:
            yield os.fspath(copied)
        except ValueError as error:
            raise ValueError(str(error).replace(os.fspath(copied), "standard input")) from error


def read_table(path: str, like: Any = None) -> Any:
    """Return the table in a file, or on standard input, as a DataFrame.

    Parameters
    ----------
    path : str
    like : DataFrame, optional
        Its columns of text are read as text.

    Raises
    ------
    ValueError, TypeError
        If it is none; the message names the file.
    OSError
        If it cannot be read.
    """
    from .._tables import in_memory
    from ..fields import Text

    texts = {} if like is None else {column: Text() for column in like if like[column].dtype in ("object", "str")}
    with table_in(path) as name:
        return in_memory(name, texts)


def write_csv(chunks: Iterator[Any], columns: list) -> None:
    """Write chunks of rows to standard output, in UTF-8."""
    import pandas as pd

    if sys.stdout is None:
        raise OSError(errno.EBADF, "standard output is closed; write to a file with -o")
    stream = sys.stdout.buffer
    for place, chunk in enumerate(chunks):
        text = pd.DataFrame(chunk, columns=columns).to_csv(index=False, header=place == 0, lineterminator="\n")
        stream.write(text.encode())
    stream.flush()


def check_output(path: str, overwrite: bool) -> None:
    """Refuse, before any work, a file that cannot be written or may not be replaced.

    Raises
    ------
    OSError
    """
    target = Path(os.path.abspath(path))
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, "is a folder, expected the name of a file", path)
    if target.exists() and not overwrite:
        raise FileExistsError(errno.EEXIST, "is there already: pass --overwrite, or choose another name", path)
    if not target.parent.is_dir():
        raise FileNotFoundError(errno.ENOENT, f"there is no folder {target.parent}", path)
    if not os.access(target.parent, os.W_OK):
        raise PermissionError(errno.EACCES, f"cannot write in {target.parent}", path)
