"""Tables of Apache Arrow: Parquet files, and whatever else is a dataset of pyarrow."""

import os
import re
from collections.abc import Iterator
from functools import reduce
from pathlib import Path
from typing import Any

import pandas as pd
from pandas.api import types

from .._validation import listed, refuse_duplicates
from .._values import nullable_dtype
from ._table_source import TableSource, common_dtype, rows_per_chunk

__all__ = ["ArrowTable", "parquet_dataset"]

NAMELESS = re.compile("__index_level_[0-9]+__")  # what pandas calls an index without a name


def parquet_dataset(path: Any) -> Any:
    """Return a file, or a folder of files, of Parquet as a dataset of pyarrow.

    Raises
    ------
    ImportError
        Where pyarrow is not installed.
    ValueError
        If it is damaged.
    """
    try:
        import pyarrow as pa
        import pyarrow.dataset
    except ImportError as error:
        raise ImportError("Parquet is read by pyarrow: pip install 'sksynth[parquet]'") from error
    name = os.fsdecode(path)
    try:
        return pa.dataset.dataset(name, format="parquet", partitioning="hive" if Path(path).is_dir() else None)
    except (pa.ArrowInvalid, OSError) as error:
        raise _damaged(name, error) from error


def _damaged(name, error):
    return ValueError(f"{name} cannot be read as Parquet, it is damaged or cut off: {error}; copy or write it anew")


class ArrowTable(TableSource):
    """A dataset of pyarrow, read as `pandas.read_parquet` would; dates without a time become datetimes, decimals floats.

    Parameters
    ----------
    dataset : pyarrow.dataset.Dataset
    name : str
    as_pandas : str, default="X.to_table().to_pandas()"
        How pandas reads it, in Python.

    Raises
    ------
    ValueError
        If a file is damaged, or has other columns than the first.
    """

    def __init__(self, dataset: Any, name: str, as_pandas: str = "X.to_table().to_pandas()"):
        self.name, self._dataset = name, dataset
        refuse_duplicates(dataset.schema.names, name)
        self._index = _index_columns(dataset.schema)
        self.index, self.with_index = _told_index(dataset.schema, self._index), f"X = {as_pandas}.reset_index()"
        self._fields = {field.name: field for field in dataset.schema if field.name not in self._index}
        self.n_rows = sum(map(self._checked, self._files()))
        self.dtypes = self._whole_dtypes()
        self._check()

    def _files(self):
        """Return the files of a dataset, or where it does not tell them, as rows of it were chosen, what stands for all."""
        try:
            return list(self._dataset.get_fragments())
        except ValueError:
            return [_Chosen(self._dataset)]

    def _checked(self, fragment):
        """Return the number of rows of a file that has the columns of the dataset."""
        name = getattr(fragment, "path", self.name)
        try:
            schema, n_rows = fragment.physical_schema, fragment.count_rows()
        except (ValueError, OSError) as error:  # pyarrow.ArrowInvalid is a ValueError
            raise _damaged(name, error) from error
        keys = _keys_of(fragment)
        expected = {name: field.type for name, field in self._fields.items() if name not in keys}
        found = {field.name: field.type for field in schema if field.name not in self._index}
        if found != expected:
            raise ValueError(f"{name} is not as the other files of {self.name}: {_differences(found, expected)}")
        return n_rows

    def _whole_dtypes(self):
        """Return the dtype of every column of the whole table; those of which the schema does not say it are read for that."""
        plain = self._frame(self._dataset.schema.empty_table().select(list(self._fields))).dtypes.to_dict()
        open_ones = [name for name, dtype in plain.items() if _depends_on_cells(dtype)]
        found = [frame.dtypes.to_dict() for frame in self._read(open_ones)] if open_ones else []
        for name in open_ones:
            dtypes = [dtypes[name] for dtypes in found] or [plain[name]]
            with_object = any(types.is_object_dtype(dtype) for dtype in dtypes)  # booleans among which some are missing
            plain[name] = pd.BooleanDtype() if with_object else reduce(common_dtype, dtypes)
        return plain

    def _read(self, columns: list) -> Iterator[pd.DataFrame]:
        batches = self._dataset.to_batches(
            columns=columns, batch_size=rows_per_chunk(len(columns)), batch_readahead=2, fragment_readahead=1
        )
        try:
            for batch in batches:
                if len(batch):
                    yield self._frame(batch)[columns]
        except (ValueError, OSError) as error:
            raise _damaged(self.name, error) from error

    def whole_publicly(self) -> pd.DataFrame:
        """Return the table in memory; whole numbers and booleans are nullable, whether cells are missing or not."""
        import pyarrow as pa

        dtypes = {
            pa.from_numpy_dtype(f"{sign}int{bits}"): f"{sign}int{bits}" for sign in ("u", "") for bits in (8, 16, 32, 64)
        }
        nullable = {kind: pd.array([], nullable_dtype(name)).dtype for kind, name in (dtypes | {pa.bool_(): "bool"}).items()}
        try:
            return self._frame(self._dataset.to_table(columns=list(self._fields)), nullable.get)[list(self._fields)]
        except (ValueError, OSError) as error:
            raise _damaged(self.name, error) from error

    def _frame(self, batch, types_mapper=None):
        """Return rows of Arrow as pandas has them."""
        import pyarrow as pa

        table = pa.Table.from_batches([batch]) if isinstance(batch, pa.RecordBatch) else batch
        for place, field in enumerate(table.schema):
            if pa.types.is_decimal(field.type):
                table = table.set_column(place, field.name, table.column(place).cast(pa.float64()))
        return table.to_pandas(date_as_object=False, types_mapper=types_mapper).reset_index(drop=True)


class _Chosen:
    """Rows that were chosen of a dataset, as if they were one file."""

    def __init__(self, dataset):
        self.physical_schema, self.count_rows = dataset.schema, dataset.count_rows


def _index_columns(schema):
    """Return the columns in which pandas keeps an index, which is none of the table's."""
    described = (schema.pandas_metadata or {}).get("index_columns", [])
    return {name for name in described if isinstance(name, str)}


def _told_index(schema, names):
    """Return the names of an index; none for one that only counts rows, or did before some were left out."""
    import pyarrow as pa

    nameless = {name for name in names if NAMELESS.fullmatch(name)}
    if len(nameless) == len(names) == 1 and all(pa.types.is_integer(schema.field(name).type) for name in names):
        return []
    return sorted("without a name" if name in nameless else repr(name) for name in names)


def _keys_of(fragment):
    """Return the columns that the names of folders say."""
    from pyarrow.dataset import get_partition_keys

    return set() if isinstance(fragment, _Chosen) else set(get_partition_keys(fragment.partition_expression))


def _depends_on_cells(dtype):
    """Say whether missing cells, or levels that other stretches lack, change what pandas makes of a column."""
    plain = not types.is_extension_array_dtype(dtype) and (types.is_integer_dtype(dtype) or types.is_bool_dtype(dtype))
    return plain or isinstance(dtype, pd.CategoricalDtype)


def _differences(found, expected):
    lacking, more = (listed(sorted(one.keys() - other.keys())) for one, other in ((expected, found), (found, expected)))
    parts = [f"lacks {lacking}"] * (lacking != "[]") + [f"has {more} besides"] * (more != "[]")
    for name in expected.keys() & found.keys():
        if expected[name] != found[name]:
            parts.append(f"column {name!r} is {found[name]}, expected {expected[name]}")
    return "; ".join(parts) + ": write it anew with the columns and types of the others"
