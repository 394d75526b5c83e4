"""Tables in CSV files."""

import os
import warnings
import zlib
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from gzip import BadGzipFile
from typing import Any

import pandas as pd
from pandas.api import types

from .._validation import listed, refuse_duplicates
from ._csv_form import NotCSV, csv_form
from ._encoding import refuse_other_formats
from ._table_source import STRINGS, TableSource, common_dtype, rows_per_chunk

__all__ = ["CSVTable"]

CHANGED = r"\+\d+|0\d+"  # a number that would lose its plus or its zeros
CODE = r"\+?\d+"
USUAL = {"sep": ",", "decimal": "."}
LETTERS = r"[A-Z]{2}"  # of countries and states, one of which is NA
MOST, LOOKED_AT = 0.9, 1_000  # share of the cells that are such codes where a column is of them, and cells of a chunk to tell


class CSVTable(TableSource):
    """CSV files with a line of column names, plain or compressed, read as `pandas.read_csv` would read them together.

    Cells may be separated by commas, semicolons, tabs or bars, or by what a first line such as ``sep=;`` says; in files named
    .tsv they are by tabs. Codes with leading zeros or a plus, such as 01001 and +491003, stay text. The files are read once to
    find the dtypes, once more for columns that may be such codes, and once for every use.

    Parameters
    ----------
    paths : sequence of path
        Of files with the same columns.
    name : str
    texts : collection of column or None, default=()
        Columns that are text whatever they look like; others than the files' own are ignored. None: all.

    Raises
    ------
    ValueError
        If a file has other columns than the first, a row too many cells, or a file is damaged.
    """

    def __init__(self, paths: Sequence, name: str, texts: Collection | None = ()):
        self.name, self._paths = name, [os.fspath(path) for path in paths]
        self.dtypes, self._texts, self._forms = {}, texts, {}
        for path in self._paths:
            refuse_other_formats(path)
            with _errors_of(path):
                self._forms[path] = csv_form(path)
        headers = [self._header(path) for path in self._paths]
        for path, header in zip(self._paths, headers, strict=True):
            if header != headers[0]:
                raise ValueError(
                    f"{path} is not as the other files of {name}: its columns are {listed(header)}, expected "
                    f"{listed(headers[0])}; write it anew with the columns of the others"
                )
        self._set_dtypes(headers[0])
        self._check()

    has_dtypes = False

    def _header(self, path):
        header = next(self._frames(path, header=None, nrows=1, dtype=str), pd.DataFrame()).astype(object)
        names = header.iloc[0].tolist() if len(header) else []
        refuse_duplicates([name for name in names if not pd.isna(name)], path)
        return list(next(self._frames(path, nrows=0), pd.DataFrame()).columns)

    def _set_dtypes(self, columns):
        """Read all rows for their number and the dtypes of the columns."""
        dtypes, n_missing, self.n_rows = dict.fromkeys(columns), dict.fromkeys(columns, 0), 0
        texts = set(columns if self._texts is None else self._texts) & set(columns)
        whole, letters = set(columns) - texts, set(columns if self._texts is not None else ())
        for frame in self._all_frames(columns, dict.fromkeys(texts, STRINGS)):
            self.n_rows += len(frame)
            for column, values in frame.items():
                missing = int(values.isna().sum())
                n_missing[column] += missing
                present = values.dropna() if missing else values
                dtypes[column] = common_dtype(dtypes[column], _dtype_of(present))
                if column in whole and not _are_whole(present):
                    whole.remove(column)
                if column in letters and not _are_letters(present.iloc[:LOOKED_AT]):
                    letters.remove(column)
        letters = [column for column in columns if column in letters and n_missing[column] and dtypes[column] == STRINGS]
        dtypes = {column: _with_missing(dtype, n_missing[column] > 0) for column, dtype in dtypes.items()}
        texts |= self._codes([column for column in columns if column in whole])
        self.read_as_missing = self._cells_of_na(letters)
        self.with_na = f"X = {self._with_na(texts)}" if self.read_as_missing else ""
        self.dtypes = dtypes | dict.fromkeys(texts, STRINGS)

    def _cells_of_na(self, columns):
        """Return how many cells say NA, for those of some columns where any does."""
        counts = dict.fromkeys(columns, 0)
        for frame in self._all_frames(columns, STRINGS, keep_default_na=False) if columns else ():
            for column in columns:
                counts[column] += int((frame[column] == "NA").sum())
        return {column: count for column, count in counts.items() if count}

    def _with_na(self, texts):
        """Return how pandas reads the table, in Python, with the cells that say NA."""
        kept, strings = list(self.read_as_missing), dict.fromkeys(sorted(texts - set(self.read_as_missing), key=str), "str")
        calls = []
        for path in self._paths:
            form = {name: value for name, value in self._forms[path].items() if USUAL.get(name) != value}
            told, again = form | ({"dtype": strings} if strings else {}), form | {"usecols": kept, "dtype": "str"}
            again |= {"keep_default_na": False, "na_values": [""]}
            calls.append(f"{_call(path, told)}.assign(**{_call(path, again)})")
        return calls[0] if len(calls) == 1 else f"pd.concat([{', '.join(calls)}], ignore_index=True)"

    def _codes(self, columns):
        """Return those of some columns of whole numbers that are codes with leading zeros or a plus."""
        codes, remaining = set(), columns
        if columns:
            for frame in self._all_frames(columns, STRINGS):
                codes |= {column for column in remaining if _are_codes(frame[column])}
                remaining = [column for column in remaining if column not in codes]
                if not remaining:
                    break
        return codes

    def _read(self, columns: list) -> Iterator[pd.DataFrame]:
        yield from self._all_frames(columns, {column: self.dtypes[column] for column in columns})

    def _all_frames(self, columns, dtypes, **options):
        for path in self._paths:
            for frame in self._frames(path, usecols=columns, dtype=dtypes, chunksize=rows_per_chunk(len(columns)), **options):
                yield frame[columns]

    def _frames(self, path, *, chunksize=None, usecols=None, **options):
        """Yield what pandas reads of a file; errors say which it is."""
        own = usecols if self.dtypes else None  # of all columns at first: else cells too many are not noticed
        with _errors_of(path):
            read = partial(pd.read_csv, path, index_col=False, usecols=own, low_memory=False, **self._forms[path], **options)
            if chunksize is None:
                yield _strictly(read)
                return
            with _strictly(partial(read, chunksize=chunksize)) as frames:
                while (frame := _strictly(partial(next, frames, None))) is not None:
                    yield frame


@contextmanager
def _errors_of(path):
    """Have whatever pandas refuses name the file, and say what to do."""
    try:
        yield
    except pd.errors.EmptyDataError:
        return
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path} is not UTF-8: got 0x{error.object[error.start]:02x} ({error.reason}); write it anew as UTF-8, such as "
            "with iconv -f LATIN1 -t UTF-8 (or -f UTF-16), or pass pandas.read_csv(path, encoding='latin-1') (or 'utf-16')"
        ) from error
    except NotCSV as error:
        raise ValueError(f"{path} {error}") from None
    except (pd.errors.ParserError, pd.errors.ParserWarning, zlib.error, BadGzipFile, EOFError, ValueError) as error:
        said = str(error).strip().removeprefix("Error tokenizing data. C error: ")
        if said.startswith("Length of header"):
            said = "its rows have more cells than its first line, which has to be that of the column names"
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


def _are_whole(values) -> bool:
    """Tell whether all values of a stretch are whole numbers."""
    if types.is_float_dtype(values.dtype):
        return bool((values % 1 == 0).all())
    return types.is_integer_dtype(values.dtype) or not len(values)


def _call(path, options):
    """Return the call of pandas that reads a file, in Python."""
    return f"pd.read_csv({', '.join([repr(path), *(f'{name}={value!r}' for name, value in options.items())])})"


def _are_letters(values) -> bool:
    """Tell whether most values of a stretch are codes of two letters, if it has any."""
    if not len(values):
        return True
    return _dtype_of(values) == STRINGS and values.astype(str).str.fullmatch(LETTERS).mean() >= MOST


def _are_codes(texts) -> bool:
    """Tell whether whole numbers, as they are written, are codes: none is negative, some begin with zero or a plus."""
    texts = texts.dropna().str.strip()
    return bool(texts.str.fullmatch(CHANGED).any() and texts.str.fullmatch(CODE).all())
