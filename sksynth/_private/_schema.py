"""Fields completed from what is public: what the user says of a column, and its dtype; never from the column's values."""

from collections.abc import Hashable, Mapping
from datetime import date
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from .._formats import parse_dates
from .._infer import infer_field
from .._validation import is_plain
from ..fields import Boolean, Category, Datetime, Field, Number, Schema

PRIVATE = "private"
MOST = 2.0**1_023  # of numbers that may be categories
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
    if field.kind == "text" and not (types.is_object_dtype(dtype) or types.is_string_dtype(dtype) or _is_category(dtype)):
        raise ValueError(
            f"column {column!r}: its field is Text, but its dtype is {dtype}; convert it with "
            f"X[{column!r}] = X[{column!r}].map(str, na_action='ignore')"
        )
    if field.kind == "number" and field.precision is None:
        whole = types.is_integer_dtype(dtype) or (types.is_object_dtype(dtype) and isinstance(field.low, int))
        field = field.replace(precision=0 if whole else "continuous")
    if field.kind == "text" and field.alphabet is None:
        field = field.replace(alphabet=PRINTABLE)
    nullable = holds_missing(dtype) if field.nullable is None else field.nullable
    return infer_field(_empty(field, dtype), column, field.replace(nullable=nullable, n_folded=0), 1)[0]


def check_typed(X: Any) -> None:
    """Refuse a table without dtypes of its own: they would be read from the rows.

    Raises
    ------
    TypeError
    """
    if not hasattr(X, "dtypes") and not hasattr(X, "dtype"):
        raise TypeError(
            f"X is a {type(X).__name__}, whose dtypes would be read from its rows, but with epsilon they are public: pass a "
            "DataFrame or an array"
        )


def cell_by_cell(frame: pd.DataFrame, schema: Any) -> pd.DataFrame:
    """Return the table such that no cell depends on how others are read, and none raises an error that tells of it.

    A cell that its field cannot hold at all, such as a word among numbers, is missing; infinity is the bound. Numbers of
    object columns are floats, as one float among whole numbers would make floats of all.

    Parameters
    ----------
    frame : DataFrame
        Never written to.
    schema : mapping of column to Field, "private" or None; anything else tells of no field
    """
    schema = schema if isinstance(schema, Mapping) else {}
    copy = frame.copy(deep=False)
    for column in frame.columns:
        copy[column] = _read_column(frame[column], schema.get(column))
    return copy


def readable(frame: Any, schema: Any) -> Any:
    """Return a table without the cells that no column of its dtype and field can hold; its dtypes stay."""
    if not isinstance(frame, pd.DataFrame) or not frame.columns.is_unique:
        return frame
    read = cell_by_cell(frame, schema)
    for column in frame.columns:
        if read[column].dtype != frame[column].dtype:
            read[column] = frame[column]
    return read


def _read_column(values, field):
    kind, dtype = getattr(field, "kind", None), values.dtype
    if types.is_object_dtype(dtype) or (kind == "datetime" and types.is_string_dtype(dtype)):
        read = _READ.get(kind, _plain)
        cells = pd.Series([read(cell, field) for cell in values], values.index, dtype=object)
        if kind == "datetime" and field.format is not None:
            cells = cells.where(parse_dates(cells, field.format).notna(), None)
        return cells.astype(dtype)
    if kind == "boolean" and types.is_numeric_dtype(dtype) and not types.is_bool_dtype(dtype):
        return values.astype(object).where(values.isin([0, 1]), None)
    if types.is_float_dtype(dtype):
        low, high = _ends(field)
        values = values.mask(values == np.inf, high).mask(values == -np.inf, low)
        return values.where(values == values.round()) if kind == "identifier" else values
    return values


def _ends(field):
    """Return what stands for infinities: the bounds, or missing where there are none."""
    bounds = (getattr(field, name, None) for name in ("low", "high"))
    return [float(bound) if isinstance(bound, Real) else np.nan for bound in bounds]


def _real(cell):
    return isinstance(cell, Real | Decimal) and not isinstance(cell, bool | np.bool_) and not pd.isna(cell)


def _plain(cell, field):
    """A value that a category may be."""
    if isinstance(cell, str):
        return str.__str__(cell)
    if isinstance(cell, bool | np.bool_):
        return cell
    if not _real(cell) or not -MOST < cell < MOST:
        return None
    return cell if is_plain(type(cell)) else float(cell)


def _number(cell, field):
    if not _real(cell):
        return None
    try:
        number = float(cell)
    except OverflowError:
        number = np.inf if cell > 0 else -np.inf
    low, high = _ends(field)
    return {np.inf: high, -np.inf: low}.get(number, number)


def _date(cell, field):
    """A text, written as the field says where it is a date."""
    if isinstance(cell, date) and cell is not pd.NaT and field.format is not None:
        return cell.strftime(field.format)
    return cell if isinstance(cell, str) else None


def _word(cell, field):
    if isinstance(cell, str):
        return str.__str__(cell)
    return str(cell) if _plain(cell, field) is not None and (field.kind == "text" or isinstance(cell, Integral)) else None


_READ = {
    "boolean": lambda cell, field: bool(cell) if isinstance(cell, bool | np.bool_) else None,
    "number": _number,
    "datetime": _date,
    "text": _word,
    "identifier": _word,
}


def _is_category(dtype):
    return isinstance(dtype, pd.CategoricalDtype)


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
        named = list(getattr(field, "categories", None) or ())
        levels = pd.Index(named, dtype=dtype.categories.dtype if named else None)
        dtype = pd.CategoricalDtype(levels, dtype.ordered)
    return pd.Series([], dtype=dtype)
