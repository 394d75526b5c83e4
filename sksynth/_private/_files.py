"""Tables in files, in a private fit: their dtypes are those of the files, or follow from the schema; never from the rows."""

from collections.abc import Mapping
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from .._sources import TableSource
from .._values import nullable_dtype

BOOLEANS = {"true": True, "false": False}


def in_public_dtypes(source: TableSource, schema: Any) -> pd.DataFrame:
    """Return a table in memory; a cell of CSV that is not what its field says is missing.

    Parameters
    ----------
    source : TableSource
        CSV with all columns as text.
    schema : mapping of column to Field or "private", or "private", or None

    Raises
    ------
    ValueError
        If nothing says the dtype of a column of CSV.
    """
    frame = source.whole_publicly()
    if source.has_dtypes or not isinstance(schema, Mapping | str):
        return frame
    for column in frame.columns:
        field = schema.get(column) if isinstance(schema, Mapping) else "private"
        if field is not None:
            frame[column] = _parsed(frame[column], field, column, source.name)
    return frame


def _parsed(texts, field, column, name):
    """Return a column of texts in the dtype that its field says; what has a format, and what is text, stays."""
    kind = getattr(field, "kind", None)
    dtype = _dtype_of(field, kind)
    if dtype is None:
        example = "fields.Number(0, 100, dtype='int64')" if kind in (None, "number") else "dtype="
        raise ValueError(
            f"column {column!r} of {name}: CSV says no dtypes, and with epsilon they are not taken from the rows: give it a "
            f"field that says one, such as {example}, or pass a frame, pandas.read_csv(path, dtype=...)"
        )
    if dtype.startswith(("category", "datetime")):
        return texts
    dtype = types.pandas_dtype(nullable_dtype(dtype))
    if types.is_bool_dtype(dtype):
        return texts.map(lambda cell: BOOLEANS.get(cell.lower(), pd.NA), na_action="ignore").astype("boolean")
    if types.is_integer_dtype(dtype):
        limits = np.iinfo(dtype.numpy_dtype)
        return pd.Series(pd.array([_whole(cell, limits) for cell in texts], dtype), texts.index)
    return texts.map(_float, na_action="ignore").astype(dtype) if types.is_float_dtype(dtype) else texts


def _dtype_of(field, kind):
    """Return the name of a dtype that a field says, None where the rows would have to."""
    if getattr(field, "dtype", None) is not None:
        return field.dtype
    if kind == "boolean":
        return "bool"
    if kind == "category" and field.categories and not any(isinstance(value, str) for value in field.categories):
        return next((name for cls, name in _DTYPES if all(isinstance(value, cls) for value in field.categories)), None)
    if kind == "number":
        ends = isinstance(field.low, int) and isinstance(field.high, int)
        return {None: None, 0: "int64" if ends else "float64"}.get(field.precision, "float64")
    return "str" if kind is not None else None


_DTYPES = ((bool, "bool"), (Integral, "int64"), (int | float, "float64"))


def _float(text):
    try:
        return float(text)
    except ValueError:
        return np.nan


def _whole(text, limits):
    """Return a text as a whole number that the dtype can hold, missing where it is none."""
    try:
        number = int(text)
    except (TypeError, ValueError):
        number = _float(text) if isinstance(text, str) else np.nan
        if number != np.rint(number):  # nor is what is no number equal to itself
            return pd.NA
    return int(min(max(number, int(limits.min)), int(limits.max)))
