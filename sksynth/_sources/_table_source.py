"""Tables that need not fit into memory, read some rows at a time."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types
from pandas.api.types import union_categoricals

from ._source import Source

__all__ = ["Columns", "TableSource", "common_dtype", "rows_per_chunk"]

CHUNK_CELLS, CHUNK_ROWS = 2**20, 2**16  # that are held together, at most; of very wide tables, `FEWEST_ROWS`
FEWEST_ROWS = 1_024
STRINGS = pd.Series([""]).dtype  # of pandas, which depends on its version


def rows_per_chunk(n_columns: int) -> int:
    """Return how many rows of so many columns are read together."""
    return max(FEWEST_ROWS, min(CHUNK_ROWS, CHUNK_CELLS // max(n_columns, 1)))


class TableSource(Source):
    """A table that is read anew, some rows at a time, whenever it is asked for; every reading gives the same dtypes.

    Attributes
    ----------
    name : str
        What messages call it.
    dtypes : dict of column to dtype
        Those of the whole table, as pandas would read it.
    n_rows : int
    has_dtypes : bool
        Whether the source itself says which they are, and they are not found from the cells.
    index : list of str
        Names of what is an index of pandas in the table, and no column; but of one without a name that counts rows.
    with_index : str
        A line of Python that makes columns of these.
    read_as_missing : dict of column to int
        Cells that say NA among codes of two letters, and are read as missing.
    with_na : str
        A line of Python that keeps them.
    """

    dtypes: dict[Any, Any]
    n_rows: int
    has_dtypes = True
    index: Sequence[str] = ()
    with_index: str = "X = X.reset_index()"
    read_as_missing: Mapping[Any, int] = MappingProxyType({})
    with_na: str = ""

    @abstractmethod
    def _read(self, columns: list) -> Iterator[pd.DataFrame]:
        """Yield some columns, in that order, from the first row to the last."""

    @property
    def columns(self) -> list:
        """The names of the columns."""
        return list(self.dtypes)

    def chunks(self, columns: Sequence | None = None) -> Iterator[pd.DataFrame]:
        """Yield the rows from the first to the last, as frames with an index that counts them; None: of all columns.

        Raises
        ------
        ValueError
            If there are more or fewer rows than before, or the table cannot be read.
        """
        columns = self.columns if columns is None else list(columns)
        dtypes = {column: self.dtypes[column] for column in columns}
        start = 0
        for frame in self._read(columns):
            stop = start + len(frame)
            yield frame.astype(dtypes).set_axis(pd.RangeIndex(start, stop))
            start = stop
        if start != self.n_rows:
            raise ValueError(
                f"{self.name} has {start:,} rows now, but had {self.n_rows:,} when it was read before: leave it as it is "
                "during the call"
            )

    def whole(self) -> pd.DataFrame:
        """Return the table in memory."""
        return pd.concat(list(self.chunks()))

    def whole_publicly(self) -> pd.DataFrame:
        """Return the table in memory, with dtypes that do not depend on the cells; text where there are none."""
        return self.whole()

    def select(self, columns: Sequence) -> "Columns":
        """Return some of the columns as a source of their own."""
        return Columns(self, columns)

    def _check(self) -> None:
        """Refuse a table without columns, rows or unique names."""
        if not self.dtypes or not self.n_rows:
            what = "0 rows" if self.dtypes else "0 columns"
            raise ValueError(f"{self.name} is empty: got {what}, expected at least one; pass a table that has some")


class Columns(Source):
    """Some columns of a table, which share its folder."""

    def __init__(self, table: TableSource, columns: Sequence):
        self.name, self._table, self.columns = table.name, table, list(columns)

    def chunks(self) -> Iterator[pd.DataFrame]:
        """Yield the rows from the first to the last."""
        return self._table.chunks(self.columns)

    @property
    def folder(self) -> Path:  # type: ignore[override]
        """The folder of the table."""
        return self._table.folder


def common_dtype(first: Any, second: Any) -> Any:
    """Return the dtype of two stretches of a column as pandas would read them together; None: of a stretch without values."""
    if first is None or second is None or first == second:
        return first if second is None else second
    if isinstance(first, pd.CategoricalDtype) and isinstance(second, pd.CategoricalDtype):
        empty = [pd.Categorical([], dtype=dtype) for dtype in (first, second)]
        return union_categoricals(empty).dtype
    both = [types.pandas_dtype(dtype) for dtype in (first, second)]
    numeric = [types.is_numeric_dtype(dtype) and not types.is_bool_dtype(dtype) for dtype in both]
    return np.result_type(*both) if all(numeric) else STRINGS
