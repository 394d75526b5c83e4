"""Formats of files of rows: a chunk as bytes that are appended to those before it, and what makes them the file at the end."""

import gzip
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

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
    """Return the format that the end of a path's name tells.

    Raises
    ------
    ValueError
        If it tells none.
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
    return ParquetFormat(fields)


def of_one_dtype(frame: pd.DataFrame, fields: Mapping) -> pd.DataFrame:
    """Return a chunk whose whole numbers and booleans, if they may be missing, are of the dtype that can, in every chunk."""
    wanted = {column: nullable_dtype(field.dtype) for column, field in fields.items() if field.nullable}
    return frame.astype({column: dtype for column, dtype in wanted.items() if dtype != fields[column].dtype})


def arrow_schema(frame: pd.DataFrame, fields: Mapping) -> Any:
    """Return the types of all chunks by the first one, and by what the fields may hold, which the first may lack.

    Raises
    ------
    TypeError
        If a column's values are of more than one type, or its name is that of another when both are text.
    """
    import pyarrow as pa

    schema = pa.Schema.from_pandas(frame.head(0), preserve_index=False)
    if len(set(schema.names)) < len(schema.names):
        raise TypeError(f"columns {list(frame.columns)} have one name twice as text, which Parquet needs: write CSV")
    for place, (column, field) in enumerate(fields.items()):
        schema = schema.set(place, schema.field(place).with_type(_arrow_type(frame.iloc[:, place], field, column)))
    return schema


def _arrow_type(values, field, column):
    """Return the type of Arrow of a column."""
    import pyarrow as pa

    try:
        if isinstance(values.dtype, pd.CategoricalDtype):
            levels = pa.array(values.cat.categories, from_pandas=True).type
            levels = pa.string() if levels in (pa.null(), pa.large_string()) else levels  # texts, of which there may be none
            return pa.dictionary(pa.int32(), levels, ordered=bool(values.cat.ordered))
        if values.dtype == object:
            return _type_of_cells(values, field)
        return pa.array(values.head(0), from_pandas=True).type
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise TypeError(
            f"column {column!r} holds values of more than one type, which Parquet cannot: {error}. Write CSV, or convert "
            "the column before fit"
        ) from error


def _type_of_cells(values, field):
    """Return the type of a column of objects by what its field may hold."""
    import pyarrow as pa

    if field.kind in ("text", "identifier", "datetime"):
        return pa.string()
    known = {
        "category": lambda: [*(field.categories or ()), field.other],
        "number": lambda: [field.low, field.high, *([] if field.precision == 0 else [0.5])],
        "boolean": lambda: [True],
    }[field.kind]()
    return pa.array([cell for cell in [*known, *values.dropna()] if cell is not None], from_pandas=True).type
