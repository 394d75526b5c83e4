"""Tables in CSV files."""

import os
import warnings
import zlib
from collections.abc import Iterator, Sequence
from functools import partial
from gzip import BadGzipFile
from typing import Any

import pandas as pd
from pandas.api import types

from .._validation import listed, refuse_duplicates
from ._table_source import STRINGS, TableSource, common_dtype, rows_per_chunk

__all__ = ["CSVTable"]


class CSVTable(TableSource):
    """CSV files with a line of column names, plain or compressed, read as `pandas.read_csv` would read them together.

    They are read once to find the dtypes, and once for every use.

    Parameters
    ----------
    paths : sequence of path
        Of files with the same columns.
    name : str

    Raises
    ------
    ValueError
        If a file has other columns than the first, a row too many cells, or a file is damaged.
    """

    def __init__(self, paths: Sequence, name: str):
        self.name, self._paths = name, [os.fspath(path) for path in paths]
        self.dtypes = {}
        headers = [self._header(path) for path in self._paths]
        for path, header in zip(self._paths, headers, strict=True):
            if header != headers[0]:
                raise ValueError(
                    f"{path} is not as the other files of {name}: its columns are {listed(header)}, expected "
                    f"{listed(headers[0])}; write it anew with the columns of the others"
                )
        self._set_dtypes(headers[0])
        self._check()

    def _header(self, path):
        header = next(self._frames(path, header=None, nrows=1, dtype=str), pd.DataFrame()).astype(object)
        names = header.iloc[0].tolist() if len(header) else []
        refuse_duplicates([name for name in names if not pd.isna(name)], path)
        return list(next(self._frames(path, nrows=0), pd.DataFrame()).columns)

    def _set_dtypes(self, columns):
        """Read all rows for their number and the dtypes of the columns."""
        dtypes, n_missing, self.n_rows = dict.fromkeys(columns), dict.fromkeys(columns, 0), 0
        for frame in self._all_frames(columns, None):
            self.n_rows += len(frame)
            for column, values in frame.items():
                missing = int(values.isna().sum())
                n_missing[column] += missing
                dtypes[column] = common_dtype(dtypes[column], _dtype_of(values.dropna() if missing else values))
        self.dtypes = {column: _with_missing(dtype, n_missing[column] > 0) for column, dtype in dtypes.items()}

    def _read(self, columns: list) -> Iterator[pd.DataFrame]:
        yield from self._all_frames(columns, {column: self.dtypes[column] for column in columns})

    def _all_frames(self, columns, dtypes):
        for path in self._paths:
            for frame in self._frames(path, usecols=columns, dtype=dtypes, chunksize=rows_per_chunk(len(columns))):
                yield frame[columns]

    def _frames(self, path, *, chunksize=None, usecols=None, **options):
        """Yield what pandas reads of a file; errors say which it is."""
        own = usecols if self.dtypes else None  # of all columns at first: else cells too many are not noticed
        try:
            read = partial(pd.read_csv, path, index_col=False, usecols=own, low_memory=False, **options)
            if chunksize is None:
                yield _strictly(read)
                return
            with _strictly(partial(read, chunksize=chunksize)) as frames:
                while (frame := _strictly(partial(next, frames, None))) is not None:
                    yield frame
        except pd.errors.EmptyDataError:
            return
        except (pd.errors.ParserError, pd.errors.ParserWarning, zlib.error, BadGzipFile, EOFError, ValueError) as error:
            said = str(error).strip().removeprefix("Error tokenizing data. C error: ")
            raise ValueError(f"{path} cannot be read as CSV: {said}; mend that row, or write the file anew") from error


def _strictly(call):
    """Call what reads, and raise where it would only warn that cells are lost; whoever takes its rows may warn as ever."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)
        return call()


def _dtype_of(values) -> Any:
    """Return the dtype of a stretch of a column without its missing cells; None if it has no values."""
    if not len(values):
        return None
    if types.is_object_dtype(values.dtype) and types.infer_dtype(values) == "boolean":
        return types.pandas_dtype(bool)
    return STRINGS if types.is_object_dtype(values.dtype) else values.dtype


def _with_missing(dtype, missing):
    """Return the dtype that a column has if some of its cells may be missing."""
    if dtype is None:
        return types.pandas_dtype("float64")
    if missing and types.is_bool_dtype(dtype):
        return pd.BooleanDtype()
    return types.pandas_dtype("float64") if missing and types.is_integer_dtype(dtype) else dtype
