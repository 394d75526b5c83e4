"""Tables that commands read and write."""

import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

STANDARD = "-"  # the name of standard input and output


def table_in(path: str) -> Any:
    """Return what `fit` takes for the table in a file: its path, or what is read from standard input as CSV.

    Raises
    ------
    ValueError
        If what is read is no table.
    """
    if path != STANDARD:
        return path
    import pandas as pd

    try:
        return pd.read_csv(sys.stdin.buffer, low_memory=False)
    except ValueError as error:
        raise ValueError(f"standard input: {error}") from error


def read_table(path: str) -> Any:
    """Return the table in a file, or on standard input, as a DataFrame.

    Raises
    ------
    ValueError, TypeError
        If it is none; the message names the file.
    OSError
        If it cannot be read.
    """
    from .._tables import in_memory

    return in_memory(table_in(path))


def write_csv(chunks: Iterator[Any], columns: list) -> None:
    """Write chunks of rows to standard output, in UTF-8."""
    import pandas as pd

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
