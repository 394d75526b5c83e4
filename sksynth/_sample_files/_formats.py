"""Formats of files of rows: a chunk as bytes that are appended to those before it, and what makes them the file at the end."""

import gzip
import os
from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd

from .._remedies import HALF, MEND
from .._values import nullable_dtype


class CsvFormat:
    """CSV as pandas writes it: UTF-8, a header, a missing cell empty. Members of gzip may follow one another.

    Parameters
    ----------
    compressed : bool
        By gzip.
    """

    def __init__(self, compressed: bool):
        self._compressed = compressed

    def encoded(self, frame: pd.DataFrame, rows: Path, is_first: bool) -> bytes:
        """Return a chunk as the bytes that follow those of the chunks before it, which are in `rows`."""
        text = frame.to_csv(index=False, header=is_first, lineterminator="\n").encode()
        return gzip.compress(text, mtime=0) if self._compressed else text

    def finished(self, rows: Path) -> Path:
        """Return the file that the bytes of all chunks make."""
        return rows


class ParquetFormat:
    """Parquet, a row group per chunk; until then a stream of Arrow per chunk, as a file of Parquet cannot be added to.

    Parameters
    ----------
    fields : dict of column to field
        Of the table.
    """

    def __init__(self, fields: Mapping):
        self._fields = fields
        self._schema: Any = None

    def encoded(self, frame: pd.DataFrame, rows: Path, is_first: bool) -> bytes:
        """Return a chunk as the bytes that follow those of the chunks before it; it has the types of the first."""
        import pyarrow as pa
        from pyarrow import ipc

        if self._schema is None:
            self._schema = arrow_schema(frame, self._fields) if is_first else schema_in(rows)
        table = pa.Table.from_pandas(frame.set_axis(self._schema.names, axis=1), schema=self._schema, preserve_index=False)
        sink = pa.BufferOutputStream()
        with ipc.new_stream(sink, self._schema, options=ipc.IpcWriteOptions(compression="lz4")) as stream:
            stream.write_table(table)
        return sink.getvalue().to_pybytes()

    def finished(self, rows: Path) -> Path:
        """Return a new file beside that of the chunks."""
        import pyarrow as pa
        from pyarrow import ipc, parquet

        whole = rows.with_name("whole")
        with pa.OSFile(os.fspath(rows)) as file, parquet.ParquetWriter(whole, schema_in(rows)) as writer:
            while file.tell() < file.size():
                table = ipc.open_stream(file).read_all()
                writer.write_table(table, row_group_size=len(table))
        with open(whole, "rb") as written:
            os.fsync(written.fileno())
        return whole


def schema_in(rows: Path) -> Any:
    """Return the schema of the first stream in a file."""
    import pyarrow as pa
    from pyarrow import ipc

    with pa.OSFile(os.fspath(rows)) as file:
        return ipc.open_stream(file).schema


def format_of(path: Path, fields: Mapping) -> Any:
    """Return the format that the end of a path's name tells, once it can hold what the fields do.

    Raises
    ------
    ValueError
        If it tells none.
    TypeError
        If it is Parquet, which cannot hold a column.
    ImportError
        If it is Parquet, and pyarrow is not there.
    """
    name = path.name.lower()
    if name.endswith((".csv", ".csv.gz")):
        return CsvFormat(name.endswith(".gz"))
    if not name.endswith(".parquet"):
        raise ValueError(f"path must end in .parquet, .csv or .csv.gz, got {os.fspath(path)!r}")
    try:
        import pyarrow.parquet  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"path: {path} needs pyarrow: pip install 'sksynth[parquet]', or choose a path that ends in .csv"
        ) from error
    check_types(fields)
    return ParquetFormat(fields)


def check_texts(texts: Mapping[Any, Iterable]) -> None:
    """Refuse columns of which what cells are, or are put together from, has no UTF-8.

    Raises
    ------
    ValueError
    """
    for column, cells in texts.items():
        wrong = next((cell for cell in cells if isinstance(cell, str) and HALF.search(cell)), None)
        if wrong is not None:
            raise ValueError(
                f"column {column!r}: {wrong!r:.99} holds half of a surrogate pair, which no file can: sample into memory, or "
                f"mend the column before fit with X[{column!r}] = X[{column!r}].map(lambda cell: "
                f"cell{MEND} if isinstance(cell, str) else cell)"
            )


def check_types(fields: Mapping) -> None:
    """Refuse columns that Parquet cannot hold; TypeError."""
    if len(set(map(str, fields))) < len(fields):
        raise TypeError(
            f"columns {list(fields)} have one name twice as text, which Parquet needs: write CSV, or rename them before fit"
        )
    for column, field in fields.items():
        if field.dtype == "object" or field.dtype.startswith("category"):
            with _of_one_type(column):
                _type_of(field.levels or () if field.dtype != "object" else _cells_of(field))


@contextmanager
def _of_one_type(column):
    """Have what pyarrow refuses name the column."""
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError) as error:
        raise TypeError(
            f"column {column!r} holds values of more than one type, or too large for any, which Parquet cannot: {error}. "
            f"Write CSV, or convert the column before fit with X[{column!r}] = X[{column!r}].astype(object).map(str, "
            "na_action='ignore')"
        ) from error


def of_one_dtype(frame: pd.DataFrame, fields: Mapping) -> pd.DataFrame:
    """Return a chunk whose whole numbers and booleans, if they may be missing, are of the dtype that can, in every chunk."""
    wanted = {column: nullable_dtype(field.dtype) for column, field in fields.items() if field.nullable}
    return frame.astype({column: dtype for column, dtype in wanted.items() if dtype != fields[column].dtype})


def arrow_schema(frame: pd.DataFrame, fields: Mapping) -> Any:
    """Return the types of all chunks by the first one, and by what the fields may hold, which the first may lack."""
    import pyarrow as pa

    schema = pa.Schema.from_pandas(frame.head(0), preserve_index=False)
    for place, field in enumerate(fields.values()):
        schema = schema.set(place, schema.field(place).with_type(_arrow_type(frame.iloc[:, place], field)))
    return schema


def _arrow_type(values, field):
    """Return the type of Arrow of a column."""
    import pyarrow as pa

    if isinstance(values.dtype, pd.CategoricalDtype):
        known = values.cat.categories
        levels = _type_of(known) if known.dtype == object else pa.array(known, from_pandas=True).type
        levels = pa.string() if levels in (pa.null(), pa.large_string()) else levels  # texts, of which there may be none
        return pa.dictionary(pa.int32(), levels, ordered=bool(values.cat.ordered))
    return _type_of(_cells_of(field)) if values.dtype == object else pa.array(values.head(0), from_pandas=True).type


def _type_of(cells):
    """Return the one type of some cells; whole numbers beyond 63 bits have no sign."""
    import pyarrow as pa

    cells = [cell for cell in cells if cell is not None]
    whole = cells and all(type(cell) is int for cell in cells)
    kind = pa.uint64() if whole and max(cells) >= 2**63 else None
    return pa.array(cells, kind, from_pandas=True).type


def _cells_of(field):
    """Return cells of a column of objects that are of all types that it may hold."""
    return {
        "category": lambda: [*(field.categories or ()), field.other],
        "number": lambda: [field.low, field.high, *([] if field.precision == 0 else [0.5])],
        "boolean": lambda: [True],
    }.get(field.kind, lambda: [""])()
