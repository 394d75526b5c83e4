"""Cells that are none of what their column is, such as words among numbers: read as missing where the field says so."""

import re
from collections.abc import Mapping
from numbers import Integral
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from ._formats import digits_of_dates, parse_dates
from ._values import missing_marker, nullable_dtype

__all__ = ["coerced", "coerced_table", "read_dates", "read_numbers"]

NUMERAL = re.compile(r"[+-]?(0|[1-9][0-9]*)(\.[0-9]+)?")  # codes such as 007 are none
OFFSET = re.compile("%[zZ]")
WIDE = 2**63  # from which whole numbers are read as floats


def coerced_table(X: pd.DataFrame, schema: Mapping) -> pd.DataFrame:
    """Return a table of which every column is read by its field; the same one where no field has ``coerce=True``."""
    read = {column: coerced(X[column], schema[column]) for column in X.columns if getattr(schema[column], "coerce", False)}
    if not read:
        return X
    copy = X.copy(deep=False)
    for column, values in read.items():
        copy[column] = values
    return copy


def coerced(values: pd.Series, field: Any) -> pd.Series:
    """Return a column in which cells are missing that are none of what its field holds, if it has ``coerce=True``.

    How a cell is read never depends on other cells.
    """
    if not getattr(field, "coerce", False):
        return values
    if field.kind == "number":
        return read_numbers(values)
    is_readable = field.format is not None and not OFFSET.search(field.format)  # else it is refused
    return read_dates(values, field.format) if is_readable else values


def read_numbers(values: pd.Series) -> pd.Series:
    """Return a column of objects or strings as numbers, those written as text included; what is none is missing."""
    if not (types.is_object_dtype(values.dtype) or types.is_string_dtype(values.dtype)):
        return values
    cells = pd.Series([_number(cell) for cell in values], values.index, dtype=object, name=values.name)
    return cells.where(cells.notna(), missing_marker(values))


def _number(cell):
    if isinstance(cell, bool | np.bool_) or (isinstance(cell, str) and not NUMERAL.fullmatch(cell)) or pd.isna(cell):
        return None
    near = float(cell)
    if isinstance(cell, float | np.floating) or (isinstance(cell, str) and "." in cell) or abs(near) >= WIDE:
        return near if np.isfinite(near) else None
    return int(cell)


def read_dates(values: pd.Series, format: str) -> pd.Series:
    """Return a column of strings or whole numbers in which cells are missing that are no dates so written."""
    dtype, is_float = values.dtype, types.is_float_dtype(values.dtype)
    if is_float or types.is_integer_dtype(dtype):
        values = values.where((values % 1 == 0) & (values.abs() < WIDE)) if is_float else values
        fits = parse_dates(digits_of_dates(values, format), format).notna()
        return values if fits.all() else values.astype(nullable_dtype(str(dtype))).where(fits)
    if not (types.is_object_dtype(dtype) or types.is_string_dtype(dtype)):
        return values
    texts = pd.Series([_text(cell) for cell in values], values.index, dtype=object, name=values.name)
    fits = parse_dates(texts, format).notna()
    return texts.where(fits, missing_marker(values)).astype(dtype)


def _text(cell):
    """Return a cell as text, if it is text or a whole number; numbers of dates may be either."""
    if isinstance(cell, str):
        return str.__str__(cell)
    return str(int(cell)) if isinstance(cell, Integral) and not isinstance(cell, bool) else None
