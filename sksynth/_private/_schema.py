"""Fields completed from what is public: what the user says of a column, and its dtype; never from the column's values."""

from collections.abc import Hashable, Mapping
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from .._infer import infer_field
from ..fields import Boolean, Category, Datetime, Field, Number, Schema

PRIVATE = "private"
PRINTABLE = "".join(map(chr, range(32, 127)))  # the public alphabet of a text, unless its field names another
HOW = "say what is public of it, or allow its domain to be inferred privately with {column!r}: 'private'"


def split_schema(frame: pd.DataFrame, schema: Any) -> dict[Hashable, Field | None]:
    """Return the public field of every column, complete; None where the column is to be inferred privately.

    Parameters
    ----------
    frame : DataFrame
        Of which nothing is read but names and dtypes.
    schema : mapping of column to Field or "private", "private", or None

    Raises
    ------
    ValueError
        If a column is neither, its field leaves something to the data, or the schema names unknown columns.
    """
    if schema is None:
        raise ValueError(
            "epsilon is set, so every column's domain has to be public or inferred privately: pass schema, a dict such as "
            f"{{{_example(frame)}}}, or schema='private' to infer all of it within epsilon"
        )
    if isinstance(schema, str):
        if schema != PRIVATE:
            raise ValueError(f"schema must be a mapping of columns to fields, or 'private', got {schema!r}")
        return dict.fromkeys(frame.columns)
    if not isinstance(schema, Mapping):
        raise TypeError(f"schema must be a mapping of columns to fields, or 'private', got {schema!r}")
    unknown = [column for column in schema if column not in frame.columns]
    if unknown:
        raise ValueError(f"schema names columns that the table has not: {unknown}; its columns are {list(frame.columns)[:20]}")
    return {column: _field_of(frame[column].dtype, schema.get(column), column) for column in frame.columns}


def _field_of(dtype, field, column):
    if isinstance(field, str) and field == PRIVATE:
        return None
    if field is None:
        raise ValueError(
            f"epsilon is set, but schema has no field for column {column!r}: add {column!r}: {guess(dtype)}, "
            f"or {column!r}: 'private' to infer it within epsilon"
        )
    Schema({column: field})
    return complete_publicly(field, dtype, column)


def guess(dtype: Any) -> str:
    """Return how a field for a column of this dtype could be written, as an example."""
    if types.is_bool_dtype(dtype):
        return "fields.Boolean()"
    if types.is_datetime64_any_dtype(dtype):
        return "fields.Datetime('1900-01-01', '2029-12-31', resolution='D')"
    if types.is_numeric_dtype(dtype):
        return "fields.Number(0, 100)"
    return "fields.Category(['a', 'b'])"


def _example(frame):
    return ", ".join(f"{column!r}: {guess(frame[column].dtype)}" for column in frame.columns[:3])


def private_kind(dtype: Any, column: Hashable) -> Field:
    """Return the empty field of a column whose domain is to be inferred privately: its kind follows from the dtype alone.

    Raises
    ------
    ValueError
        If there is no private inference for the dtype.
    """
    if types.is_timedelta64_dtype(dtype):
        raise ValueError(
            f"column {column!r}: durations have no private inference; give fields.Number with two Timedeltas and a precision"
        )
    if types.is_bool_dtype(dtype):
        return Boolean()
    if types.is_datetime64_any_dtype(dtype):
        return Datetime()
    return Number() if types.is_numeric_dtype(dtype) else Category()


def complete_publicly(field: Field, dtype: Any, column: Hashable) -> Field:
    """Return the field with all that its codec needs, from nothing but the field and the column's dtype.

    Raises
    ------
    ValueError
        If the field leaves something to the data.
    """
    _check_dtype(field, dtype, column)
    lacking = [name for name in _NEEDED.get(field.kind, ()) if getattr(field, name) is None]
    if field.kind == "datetime" and not types.is_datetime64_any_dtype(dtype) and field.format is None:
        lacking.append("format")
    if types.is_timedelta64_dtype(dtype) and field.kind == "number" and field.precision is None:
        lacking.append("precision")
    if lacking:
        raise ValueError(
            f"column {column!r}: epsilon is set, but its field leaves {' and '.join(lacking)} to the data; "
            + HOW.format(column=column)
        )
    if field.kind == "number" and field.precision is None:
        said = types.pandas_dtype(field.dtype or dtype)
        whole = types.is_integer_dtype(said) or (types.is_object_dtype(said) and isinstance(field.low, int))
        field = field.replace(precision=0 if whole else "continuous")
    if field.kind == "text" and field.alphabet is None:
        field = field.replace(alphabet=PRINTABLE)
    can_miss = holds_missing(dtype) or getattr(field, "coerce", False)
    nullable = can_miss if field.nullable is None else field.nullable
    field = field.replace(nullable=nullable, n_folded=0)
    if field.kind == "number" and types.is_object_dtype(dtype) and field.precision != 0:  # an empty column tells of no floats
        found = infer_field(pd.Series([], dtype=float), column, field, 1)[0]
        return found.replace(dtype=field.dtype or "object")
    return infer_field(_empty(field, dtype), column, field, 1)[0]


def _check_dtype(field, dtype, column):
    """Refuse a field that no cell of a column of this dtype can be."""
    suits, remedy = _SUITED[field.kind]
    if not (types.is_object_dtype(dtype) or suits(dtype)):
        what, remedy = type(field).__name__, f"convert it with X[{column!r}] = X[{column!r}]{remedy}"
    elif field.kind == "category" and field.categories and not any(_may_be(value, dtype) for value in field.categories):
        what = f"Category of {type(field.categories[0]).__name__}"
        remedy = "give categories of that dtype, or convert the column"
    else:
        return
    raise ValueError(f"column {column!r}: its field is {what}, but its dtype is {dtype}; {remedy}")


def _may_be(value, dtype):
    """Say whether a column of this dtype may hold a value."""
    if types.is_object_dtype(dtype) or _is_category(dtype):
        return True
    if types.is_bool_dtype(dtype) or types.is_string_dtype(dtype):
        return isinstance(value, bool | np.bool_ if types.is_bool_dtype(dtype) else str)
    return isinstance(value, Real) if types.is_numeric_dtype(dtype) else not isinstance(value, str | Real)


def _is_number(dtype):
    return types.is_timedelta64_dtype(dtype) or (types.is_numeric_dtype(dtype) and not types.is_bool_dtype(dtype))


def _is_words(dtype):
    return types.is_string_dtype(dtype) or _is_category(dtype)


def _is_category(dtype):
    return isinstance(dtype, pd.CategoricalDtype)


_SUITED = {  # by the kind of a field, which dtypes suit it beside object, and what to do
    "category": (lambda dtype: True, ""),
    "number": (_is_number, ".astype(float)"),
    "boolean": (lambda dtype: types.is_bool_dtype(dtype) or _is_category(dtype), ".astype('boolean')"),
    "datetime": (
        lambda dtype: types.is_datetime64_any_dtype(dtype) or types.is_integer_dtype(dtype) or types.is_string_dtype(dtype),
        ".astype('datetime64[s]')",
    ),
    "text": (_is_words, ".map(str, na_action='ignore')"),
    "identifier": (lambda dtype: _is_words(dtype) or _is_number(dtype), ".map(str, na_action='ignore')"),
}  # fmt: skip


_NEEDED = {
    "category": ("categories",),
    "number": ("low", "high"),
    "datetime": ("low", "high", "resolution"),
    "text": ("max_length",),
    "identifier": ("pattern",),
}


def holds_missing(dtype: Any) -> bool:
    """Say whether a column of this dtype can have missing cells at all."""
    return not (isinstance(dtype, np.dtype) and dtype.kind in "iub")


def _empty(field, dtype):
    """Return a column without cells; the levels of a categorical dtype, which may be the data's, are left out."""
    if isinstance(dtype, pd.CategoricalDtype):
        dtype = pd.CategoricalDtype(pd.Index(list(getattr(field, "categories", None) or ())), dtype.ordered)
    return pd.Series([], dtype=dtype)
