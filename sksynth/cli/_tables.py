"""Tables that commands read and write."""

import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

STANDARD = "-"  # the name of standard input and output


def read_table(path: str) -> Any:
    """Return the table in a file as a DataFrame: Parquet by its name, else CSV, plain or compressed; ``-`` is standard input.

    Raises
    ------
    ValueError
        If it is no table; the message names the file.
    OSError
        If it cannot be read.
    """
    import pandas as pd

    try:
        if path.lower().endswith(".parquet"):
            with open(path, "rb") as file:
                return pd.read_parquet(file)
        return pd.read_csv(sys.stdin.buffer if path == STANDARD else path, low_memory=False)
    except OSError as error:
        if error.errno is None:  # what pyarrow says of a file that is damaged
            raise ValueError(f"{path}: {error}") from error
        raise
    except ValueError as error:
        raise ValueError(f"{'standard input' if path == STANDARD else path}: {error}") from error


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
