"""What one reading of a table that need not fit into memory tells: some of its rows, and what these may not show.

The rows are a uniform sample, which keeps what columns say about each other. Beside it stand, of every column, what a sample
cannot be sure of and domains are made of: the smallest and the largest values, the number of rows of every value of a
category, and whether any cell is missing. Numbers of rows are exact as long as a column has few distinct values; of more, the
frequent ones are kept with a lower bound that is less than n_rows / `MOST_VALUES` too low [1]_. A quantile of the sample is
one of the table but for less than 0.003 of the rows, with a probability of 95 % [2]_.

References
----------
.. [1] Misra, J. and Gries, D. (1982). Finding repeated elements. Agarwal, P. et al. (2013). Mergeable summaries.
.. [2] Massart, P. (1990). The tight constant in the Dvoretzky-Kiefer-Wolfowitz inequality.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from ._infer import given_fields, infer_field, schema_of
from ._notes import Note
from ._sources import TableSource
from ._validation import check_table
from ._values import positions_of, typed_counts
from .fields import Field, Schema

__all__ = ["Survey", "rows_to_survey"]

SURVEY_ROWS = 2**18  # of the sample, at most
SURVEY_CELLS = 2**26  # of the sample, at most, where there are many columns
MOST_VALUES = 2**16  # distinct values of a column whose rows are counted


def rows_to_survey(n_columns: int) -> int:
    """Return how many rows of a table of so many columns are sampled; shorter ones are read into memory."""
    return min(SURVEY_ROWS, max(SURVEY_CELLS // n_columns, 1))


class Survey:
    """A table, read once.

    Parameters
    ----------
    source : TableSource
        Of more rows than `rows_to_survey` says.
    given : mapping of column to Field
        What is known of some columns.
    min_frequency : int
    seed : SeedSequence
        Of the sample.

    Attributes
    ----------
    sample : DataFrame
        Rows in their order.
    n_rows : int
        Of the table.
    """

    def __init__(self, source: TableSource, given: Mapping, min_frequency: int, seed: np.random.SeedSequence):
        self.n_rows, self._given, self._min_frequency = source.n_rows, given_fields(given, source.columns), min_frequency
        n_wanted, rng = rows_to_survey(len(source.columns)), np.random.default_rng(seed)
        wanted = np.sort(rng.choice(source.n_rows, n_wanted, replace=False, shuffle=False))
        self._tallies = {column: self._tally(column, dtype) for column, dtype in source.dtypes.items()}
        self._n_missing, parts = dict.fromkeys(source.columns, 0), []
        for chunk in source.chunks():
            check_table(chunk, name=source.name)
            start, stop = np.searchsorted(wanted, (chunk.index[0], chunk.index[-1] + 1))
            parts.append(chunk.loc[wanted[start:stop]])
            for column, tally in self._tallies.items():
                present = chunk[column].dropna()
                self._n_missing[column] += len(chunk) - len(present)
                tally.add(present)
        self.sample = pd.concat(parts, ignore_index=True)

    def schema(self) -> Schema:
        """Return the completed field of every column, as `infer_schema` would of the whole table."""
        found = {column: self._field(column) for column in self.sample.columns}
        return schema_of(found, self.sample, self.n_rows, self._given, self._min_frequency)

    def _tally(self, column, dtype):
        known = self._given.get(column)
        if known is not None and known.kind == "category":
            return _Counts(self._min_frequency)
        if types.is_bool_dtype(dtype):
            return _Presence()
        return (_Extremes if _is_ordered(dtype) else _Counts)(self._min_frequency)

    def _field(self, column: Any) -> tuple[Field, list[Note]]:
        known, tally = self._given.get(column), self._tallies[column]
        n_present = self.n_rows - self._n_missing[column]
        values = tally.completed(self.sample[column].dropna(), all_values=known is not None)
        if self._n_missing[column]:
            values = pd.concat([values, pd.Series([None]).astype(values.dtype)])
        field, notes = infer_field(values.reset_index(drop=True), column, known, self._min_frequency, n_present)
        return tally.with_counts(field), notes


class _Presence:
    """Counts nothing: of columns whose every value the sample may be trusted to show, such as booleans."""

    def add(self, values: pd.Series) -> None:
        """Take note of a stretch of the column, without its missing cells."""

    def completed(self, sample: pd.Series, all_values: bool) -> pd.Series:
        """Return the sampled values, and others of the column, as domains are made from; of all values if that is wanted."""
        return sample

    def with_counts(self, field: Field) -> Field:
        """Return the field with the numbers of rows of the whole column."""
        return field


class _Extremes(_Presence):
    """Keeps the smallest and the largest values of numbers, dates and durations, as many as bounds depend on."""

    def __init__(self, n_kept: int):
        self._n_kept, self._low, self._high = n_kept, None, None

    def add(self, values: pd.Series) -> None:
        low, high = (values if kept is None else pd.concat([kept, values]) for kept in (self._low, self._high))
        self._low, self._high = self._first(low, 1), self._first(high, -1)

    def _first(self, values, sign):
        """Return the values that come first, in that direction, in ascending order."""
        keys = _keys(values)
        if len(values) > self._n_kept:
            at = np.argpartition(keys, self._n_kept - 1 if sign > 0 else len(keys) - self._n_kept)
            at = at[: self._n_kept] if sign > 0 else at[-self._n_kept :]
            values, keys = values.iloc[at], keys[at]
        return values.iloc[np.argsort(keys, kind="stable")]

    def completed(self, sample: pd.Series, all_values: bool) -> pd.Series:
        if self._low is None or not len(self._low):
            return sample
        keys, low, high = _keys(sample), _keys(self._low), _keys(self._high)
        first, last = low[-1], high[0]
        if len(low) < self._n_kept or first > last:
            return sample
        parts = [self._low[low < first], sample[(keys >= first) & (keys <= last)], self._high[high > last]]
        for kept, own, edge in ((self._low, low, first), (self._high, high, last)):
            lacking = (own == edge).sum() - (keys == edge).sum()
            parts.append(kept[own == edge].iloc[: max(lacking, 0)])
        return pd.concat(parts)


class _Counts(_Presence):
    """Counts the rows of every value; of the frequent ones, where there are too many."""

    def __init__(self, min_frequency: int):
        self._min_frequency, self._counts, self._n_lost = min_frequency, {}, 0

    def add(self, values: pd.Series) -> None:
        counts = self._counts
        for value, count in zip(*typed_counts(values), strict=True):
            key = type(value), value  # 1 and True are two
            counts[key] = counts.get(key, 0) + int(count)
        if len(counts) > MOST_VALUES:
            lost = sorted(counts.values(), reverse=True)[MOST_VALUES]
            self._counts = {key: count - lost for key, count in counts.items() if count > lost}
            self._n_lost += lost

    def completed(self, sample: pd.Series, all_values: bool) -> pd.Series:
        found = dict.fromkeys(self._counts, 0)
        found |= {(type(value), value): count for value, count in zip(*typed_counts(sample), strict=True)}
        enough, more = self._min_frequency, []
        for key, count in self._counts.items():
            wanted = enough if count >= enough else count if all_values else 0
            more += [key[1]] * max(wanted - found[key], 0)
        return pd.concat([sample, pd.Series(more, dtype=object).astype(sample.dtype)])

    def with_counts(self, field: Field) -> Field:
        if field.kind != "category" or self._n_lost:
            return field
        values = pd.Series([value for _, value in self._counts], dtype=object)
        rows = np.fromiter(self._counts.values(), int, len(values))
        folded = rows[positions_of(values, field.categories) < 0]
        return field.replace(n_folded=int(folded.sum()), n_folded_values=len(folded), n_folded_most=int(folded.max(initial=0)))


def _is_ordered(dtype):
    """Say whether a column holds numbers, dates or durations, whose domains are ranges."""
    return types.is_numeric_dtype(dtype) or _is_time(dtype)


def _is_time(dtype):
    return types.is_datetime64_any_dtype(dtype) or types.is_timedelta64_dtype(dtype)


def _keys(values):
    """Return values of one dtype, none of them missing, as numbers of the same order."""
    if _is_time(values.dtype):
        return values.astype("int64").to_numpy()
    return values.to_numpy(values.dtype.numpy_dtype if types.is_extension_array_dtype(values.dtype) else values.dtype)
