"""Tables of Dask."""

from collections.abc import Iterator
from functools import reduce
from typing import Any

import pandas as pd
from pandas.api import types

from .._validation import refuse_duplicates
from ._table_source import TableSource, common_dtype, rows_per_chunk

__all__ = ["DaskTable"]


class DaskTable(TableSource):
    """A DataFrame of Dask, of which one partition is computed at a time; once for its length and dtypes, and for every use.

    Parameters
    ----------
    frame : dask.dataframe.DataFrame

    Raises
    ------
    ValueError
        If partitions do not have the columns and dtypes that the frame says, but for levels of categories.
    """

    name = "X (DataFrame of Dask)"

    def __init__(self, frame: Any):
        refuse_duplicates(list(frame.columns), self.name)
        self._dask, self.n_rows = frame, 0
        label = "without a name" if frame.index.name is None else repr(frame.index.name)
        self.index = [] if frame.index.name is None and types.is_integer_dtype(frame.index.dtype) else [label]
        said, found = frame.dtypes.to_dict(), []
        for number in range(frame.npartitions):
            part = self._part(number, list(said))
            self.n_rows += len(part)
            found.append({column: _checked(part[column].dtype, dtype, column, number) for column, dtype in said.items()})
        self.dtypes = {column: reduce(common_dtype, [dtypes[column] for dtypes in found]) for column in said}
        self._check()

    def _part(self, number, columns):
        return self._dask.partitions[number][columns].compute()

    def _read(self, columns: list) -> Iterator[pd.DataFrame]:
        for number in range(self._dask.npartitions):
            part, size = self._part(number, columns), rows_per_chunk(len(columns))
            for start in range(0, len(part), size):
                yield part.iloc[start : start + size]


def _checked(dtype, said, column, number):
    """Return the dtype of a column of one partition, if it is what the frame says."""
    if dtype != said and not (isinstance(dtype, pd.CategoricalDtype) and isinstance(said, pd.CategoricalDtype)):
        raise ValueError(
            f"column {column!r} of X is {dtype} in partition {number}, but the DataFrame of Dask says {said}: make that true "
            f"with .astype({{{column!r}: {str(said)!r}}})"
        )
    return dtype
