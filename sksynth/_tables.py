"""The table that a fit learns, in memory or not: what its columns are, and the token ids of its rows."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from ._notes import Note, Notes
from ._random import seed_sequence, stream
from ._sources import TableSource, opened_table
from ._survey import Survey, rows_to_survey
from ._validation import check_table
from .fields import Field, Schema, infer_schema
from .tokenizers import TableTokenizer

__all__ = ["Table", "TableInMemory", "in_memory", "schema_before_fit", "table_of", "texts_of"]

TEXT_DTYPES = ("str", "string", "object")


class Table(ABC):
    """A table to learn.

    Attributes
    ----------
    came_as : object
        What the caller passed, or a frame like the one that pandas would have read.
    sample : DataFrame
        Its rows, or some of them, from which it is found out which columns belong together.
    schema : Schema
        The completed field of every column, with the notes on them and on the table.
    """

    came_as: Any
    sample: pd.DataFrame
    schema: Schema

    @abstractmethod
    def kinds(self) -> dict:
        """Return what kind of field every column has."""

    @abstractmethod
    def fitted(self, tokenizer: TableTokenizer, columns: Sequence) -> TableTokenizer:
        """Fit a tokenizer on some columns; it is told what is known of them."""

    @abstractmethod
    def records(self, columns: Sequence) -> Any:
        """Return all rows of some columns, for `token_ids`."""


class TableInMemory(Table):
    """A frame, or what can be made one; `read` makes it what `check_table` takes."""

    def __init__(self, X: Any, given: Any, min_frequency: int, notes: Sequence = (), read: Callable[[Any], Any] = lambda X: X):
        self.came_as, self.sample, self._given, self._min_frequency = X, check_table(read(X)), given, min_frequency
        self._notes = notes

    def kinds(self) -> dict:
        return {column: field.kind for column, field in self.schema.items()}

    @cached_property
    def schema(self) -> Schema:
        found = infer_schema(self.sample, min_frequency=self._min_frequency, schema=self._given)
        return Schema(found, [*self._notes, *found.notes])

    def fitted(self, tokenizer: TableTokenizer, columns: Sequence) -> TableTokenizer:
        return tokenizer.fit(self.sample[list(columns)])

    def records(self, columns: Sequence) -> pd.DataFrame:
        return self.sample[list(columns)]


class TableOnDisk(Table):
    """A table of which some rows are in memory at a time; it is read once to be surveyed, and once for every use."""

    def __init__(self, source: TableSource, given: Any, min_frequency: int, seed: np.random.SeedSequence):
        self._source, survey = source, Survey(source, given, min_frequency, seed)
        self.came_as, self.sample, found = survey.sample, survey.sample, survey.schema()
        self.schema = Schema(found, [*_source_notes(source), *found.notes])

    def kinds(self) -> dict:
        return {column: field.kind for column, field in self.schema.items()}

    def fitted(self, tokenizer: TableTokenizer, columns: Sequence) -> TableTokenizer:
        schema = Schema({column: self.schema[column] for column in columns}, self.schema.notes.of(columns))
        return tokenizer.fit_sample(self.sample[list(columns)], schema, self._source.chunks, self._source.n_rows)

    def records(self, columns: Sequence) -> Any:
        return self._source.select(columns)


def table_of(X: Any, given: Any, min_frequency: int, seed: np.random.SeedSequence) -> Table:
    """Return a table to learn; a source whose rows are few as a frame.

    Parameters
    ----------
    X : TableSource, or what `check_table` takes
    given : mapping of column to Field, or None
        What is known of some columns.
    min_frequency : int
    seed : SeedSequence
        Of the sample.

    Raises
    ------
    ValueError, TypeError
        If X is no table, or a column none that can be learned.
    """
    if not isinstance(X, TableSource):
        return TableInMemory(X, given, min_frequency)
    if X.n_rows > rows_to_survey(len(X.columns)):
        return TableOnDisk(X, given, min_frequency, seed)
    return TableInMemory(X.whole(), given, min_frequency, _source_notes(X))


def _source_notes(source):
    """Return the notes on an index that is none of the columns, and on codes that are read as missing."""
    notes = []
    if source.index:
        reason, loss = f"its index {', '.join(source.index)} is no column", "what the index says of rows"
        notes.append(Note(None, "the index is dropped", reason, None, loss, source.with_index))
    for column, n_cells in source.read_as_missing.items():
        decision = f"cells of column {column!r} that say NA are taken as missing"
        reason, loss = "CSV has NA for that, but the others are codes of two letters", "NA as a code, such as Namibia's"
        notes.append(Note(None, decision, reason, n_cells / source.n_rows, loss, source.with_na))
    return notes


def in_memory(X: Any, schema: Any = None) -> Any:
    """Return a table that is in files, or of Dask, as a frame; anything else as it is; a schema says what is text in CSV."""
    with opened_table(X, texts_of(schema)) as opened:
        return opened.whole() if isinstance(opened, TableSource) else opened


def schema_before_fit(X: Any, given: Any, min_frequency: int, random_state: Any = None) -> Schema:
    """Return the schema, and the notes, that a fit of a table would come to.

    How many tokens of a text are learned depends on the other texts of its batch; here all are taken as one batch, and the
    fields leave it open.

    Parameters
    ----------
    X : what a fit takes
    given : mapping of column to Field, or None
    min_frequency : int
    random_state : int, RandomState, Generator or None, default=None
        Of the rows that are looked at, where there are many.

    Raises
    ------
    ValueError, TypeError, OSError
        As a fit.
    """
    with opened_table(X, texts_of(given)) as opened:
        table = table_of(opened, given, min_frequency, stream(seed_sequence(random_state), "survey"))
        schema = table.schema.copy()
        texts = {column: field for column, field in schema.items() if field.kind == "text"}
        if texts:
            fitted = table.fitted(TableTokenizer(texts, min_frequency=min_frequency), list(texts))
            schema.notes = Notes([*schema.notes, *fitted.schema_.notes.of(texts)])
        return schema


def texts_of(schema: Any) -> set:
    """Return the columns that a schema says to hold text, whatever it looks like; none if it is no mapping."""
    return {column for column, field in schema.items() if _is_text(field)} if isinstance(schema, Mapping) else set()


def _is_text(field):
    """Tell fields of text; what is left open is as CSV has it."""
    if not isinstance(field, Field):
        return field in ("text", "identifier")
    if field.dtype is not None:
        return field.dtype in TEXT_DTYPES or (field.dtype == "category" and _are_texts(field.categories or field.levels))
    if field.kind == "category":
        return _are_texts(field.categories)
    if field.kind == "datetime":
        return field.format is not None
    return field.kind == "text" or (field.kind == "identifier" and field.pattern is not None)


def _are_texts(values):
    return bool(values) and all(isinstance(value, str) for value in values)
