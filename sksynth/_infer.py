"""What each column of a table is: the rules behind `fields.infer_schema`."""

import numpy as np
import pandas as pd
from pandas.api import types

from . import _values
from ._coerce import coerced, coerced_table
from ._complete import COMPLETE
from ._doubts import field_notes, table_notes
from ._guess import guess_strings
from ._guess_numbers import guess_floats, guess_mixed, guess_whole
from ._notes import Notes
from ._validation import check_table
from .fields import Boolean, Category, Datetime, Number, Schema


def infer(X, *, min_frequency, schema) -> Schema:
    """Do what `fields.infer_schema` says."""
    X = check_table(X)
    given = given_fields(schema, X.columns)
    if isinstance(min_frequency, bool) or not isinstance(min_frequency, int | np.integer) or min_frequency < 1:
        raise ValueError(f"min_frequency must be a number of rows, at least 1, got {min_frequency!r}")
    found = {column: infer_field(X[column], column, given.get(column), min_frequency) for column in X.columns}
    return schema_of(found, X, len(X), given, min_frequency)


def schema_of(found, sample, n_rows, given, min_frequency) -> Schema:
    """Return the schema of completed fields, with the notes on them and on the table.

    Parameters
    ----------
    found : dict of column to pair of Field and list of Note
        What `infer_field` returned.
    sample : DataFrame
        The table, or some of its rows.
    n_rows : int
        Of the table.
    given : Schema
        What was known before.
    min_frequency : int
    """
    schema = Schema({column: field for column, (field, _) in found.items()})
    notes = [*table_notes(coerced_table(sample, schema), schema)]
    for column, (field, own) in found.items():
        notes += own + field_notes(field, given.get(column), column, n_rows, min_frequency)
    schema.notes = Notes(notes)
    return schema


def given_fields(schema, columns) -> Schema:
    """Return what is known of a table of these columns, or say why it is not of this table."""
    if isinstance(schema, str):
        raise ValueError(f"schema must be a mapping of columns to fields, got {schema!r}; 'private' is for fits with epsilon")
    given = Schema(schema or {})
    unknown = [column for column in given if column not in columns]
    if unknown:
        raise ValueError(f"schema names columns that the table has not: {unknown}; its columns are {list(columns)[:20]}")
    return given


def infer_field(values: pd.Series, column, field, min_frequency, n_present=None):
    """Return the completed field of one column, and the notes on it; `field` is what is known of it, or None.

    Where `values` are but some of the column's, `n_present` is the number of its cells that are not missing.
    """
    known, notes = guess(values, column, min_frequency, n_present) if field is None else (field, [])
    values = coerced(values, known)
    missing = bool(values.isna().any())
    refuse_missing(known, missing, column)
    known = known.replace(nullable=missing if known.nullable is None else known.nullable)
    known = COMPLETE[known.kind](known, values, column, min_frequency)
    known = known.replace(dtype=_values.nullable_dtype(known.dtype)) if known.nullable else known
    return known, notes


def refuse_missing(field, missing, column):
    """Refuse missing cells in a column whose field rules them out."""
    if field.nullable is False and missing and field.n_folded is None:
        raise ValueError(f"column {column!r}: has missing cells, but its field says nullable=False; fill them, or drop that")


def guess(values: pd.Series, column, min_frequency, n_present=None):
    """Return an empty field of the kind that fits the column best, and notes on that choice."""
    dtype = values.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        return Category(), []
    if types.is_bool_dtype(dtype):
        return Boolean(), []
    if types.is_integer_dtype(dtype):
        return guess_whole(values.dropna(), column, n_present)
    if types.is_float_dtype(dtype):
        return guess_floats(values, column, n_present)
    if types.is_timedelta64_dtype(dtype):
        return Number(), []
    if types.is_datetime64_any_dtype(dtype):
        return Datetime(), []
    kind = types.infer_dtype(values, skipna=True)
    if kind == "string":
        return guess_strings(values.dropna(), column, min_frequency)
    if kind in _values.NUMERIC_KINDS:
        return Number(), []
    if kind == "boolean":
        return Boolean(), []
    return guess_mixed(values.dropna(), column, min_frequency)
