"""What is a table, but no frame: the paths of files, and tables of other libraries."""

import errno
import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ._table_source import TableSource

__all__ = ["opened_table"]

PARQUET, CSV = (".parquet", ".pq"), (".csv", ".tsv")  # how the names of files end
COMPRESSED = (".gz", ".bz2", ".xz", ".zst", ".zip")  # after that, of CSV


@contextmanager
def opened_table(X: Any, texts: Collection | None = ()) -> Iterator[Any]:
    """Yield what holds a table outside of memory as a source, for the block; anything else as it is.

    Parameters
    ----------
    X : path of a Parquet or CSV file, or of a folder of such files; or dataset of pyarrow, or DataFrame of Dask
    texts : collection of column or None, default=()
        Columns that are read as text from CSV, whatever they look like; None: all.

    Raises
    ------
    OSError
        If there is no file of that path.
    ValueError
        If it is no table, or damaged.
    ImportError
        If what reads it is not installed.
    """
    source = _table_of(X, texts)
    if source is None:
        yield X
        return
    with source:
        yield source


def _table_of(X, texts) -> TableSource | None:
    kinds = {f"{kind.__module__.split('.')[0]}.{kind.__name__}" for kind in type(X).__mro__}
    if isinstance(X, str | os.PathLike):
        return _table_at(X, texts)
    if "pyarrow.Dataset" in kinds:
        from ._arrow import ArrowTable

        return ArrowTable(X, "X (dataset of pyarrow)")
    if kinds & {"dask.DataFrame", "dask_expr.DataFrame"}:
        from ._dask import DaskTable

        return DaskTable(X)
    return None


def _table_at(path, texts):
    """Return the table of a file, or of a folder of files of one kind."""
    name = os.fsdecode(path)
    if not os.path.exists(path):
        raise FileNotFoundError(errno.ENOENT, f"there is no file {name!r:.200}; a str is the path of a table")
    if not (os.path.isfile(name) or os.path.isdir(name)):
        raise OSError(
            errno.EINVAL,
            f"{name!r:.200} is no regular file and cannot be read twice; write what it gives to a file, or pass "
            "a DataFrame; the command line takes CSV from standard input as -",
        )
    files = sorted(file for file in Path(name).rglob("*") if _kind(file)) if os.path.isdir(name) else [Path(name)]
    kinds = {_kind(file) for file in files}
    if kinds == {"parquet"}:
        from ._arrow import ArrowTable, parquet_dataset

        return ArrowTable(parquet_dataset(name), name, f"pd.read_parquet({name!r})")
    if kinds == {"csv"}:
        from ._csv import CSVTable

        return CSVTable(files, name, texts)
    found = "no such file" if not files else "both" if len(kinds) > 1 else f"{files[0].name!r}"
    raise ValueError(
        f"{name}: got {found}, expected a table in Parquet or CSV, the names of whose files end on {', '.join(PARQUET + CSV)} "
        "(CSV compressed or not); rename or convert it"
    )


def _kind(path):
    """Return what the name of a file says that it holds: "parquet", "csv" or None."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in PARQUET:
        return "parquet"
    if suffixes and suffixes[-1] in COMPRESSED:
        suffixes.pop()
    return "csv" if suffixes and suffixes[-1] in CSV else None
