"""Cells of a private fit: no cell depends on how others are read, and none raises an error that tells of it."""

from collections.abc import Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from .._coerce import coerced
from .._formats import parse_dates
from .._validation import is_plain
from .._values import nullable_dtype

FIRST, LAST = "-100000-01-01", "100000-12-31"  # dates that can be computed with
ZONED = "0001-01-03", "9999-12-29"  # those whose clock can be told
MOST = 2.0**1_023  # of numbers that may be categories
NANOSECONDS = "1677-09-23", "2262-04-09"


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


def readable(X: Any, schema: Any) -> Any:
    """Return a table, an array as a frame, without the cells that no column of its dtype and field can hold; its dtypes stay.

    Raises
    ------
    TypeError
        If it has no dtypes.
    """
    check_typed(X)
    if isinstance(X, np.ndarray) and X.ndim == 2 and X.dtype.kind in "Of":
        X = pd.DataFrame(X, dtype=X.dtype)
    return cell_by_cell(X, schema) if isinstance(X, pd.DataFrame) and X.columns.is_unique else X


def _read_column(values, field):
    kind, dtype = getattr(field, "kind", None), values.dtype
    if types.is_object_dtype(dtype) or (kind == "datetime" and types.is_string_dtype(dtype)):
        return pd.Series(_read_cells(values, field), values.index, dtype=object).astype(dtype)
    if isinstance(dtype, pd.CategoricalDtype):
        return _read_levels(values, field)
    if types.is_datetime64_any_dtype(dtype):
        return _within_reach(values)
    if kind == "datetime" and field.coerce and types.is_numeric_dtype(dtype):
        return coerced(values.astype(nullable_dtype(str(dtype))), field)  # of one dtype, whatever the cells are
    return _finite(values, field) if types.is_float_dtype(dtype) else values


def _read_cells(values, field):
    """Return the cells of a column of objects, None where they are missing or cannot be read."""
    kind = getattr(field, "kind", None)
    read = _READ.get(kind, _plain)
    cells = pd.Series([read(cell, field) for cell in values], dtype=object)
    if kind == "datetime" and field.format is not None:
        cells = cells.where(parse_dates(cells, field.format).notna().to_numpy(), None)
    return cells.to_numpy()


def _read_levels(values, field):
    """Return a categorical column whose levels are read one by one, whatever their dtype, which one cell can change."""
    levels = [_whole(level) for level in _read_cells(values.cat.categories.astype(object), field)]
    kept = list(dict.fromkeys(level for level in levels if level is not None))
    places = {level: place for place, level in enumerate(kept)}
    codes = np.array([*(places.get(level, -1) for level in levels), -1])[values.cat.codes]
    return pd.Series(pd.Categorical.from_codes(codes, pd.Index(kept), ordered=values.cat.ordered), values.index)


def _whole(level):
    return int(level) if isinstance(level, float | np.floating) and level == np.rint(level) else level


def _within_reach(values):
    """Return dates, those nearest that can be computed with in place of any that are too far off."""
    unit, zone = values.dt.unit, values.dt.tz
    ends = NANOSECONDS if unit == "ns" else ZONED if zone is not None else (FIRST, LAST)
    low, high = (pd.Timestamp(np.datetime64(end, unit)) for end in ends)
    if zone is not None:
        low, high = (end.tz_localize("UTC").tz_convert(zone) for end in (low, high))
    return values.mask(values < low, low).mask(values > high, high)


def _finite(values, field):
    """Return floats, the bounds in place of infinity; of an identifier, those that are whole and exact."""
    low, high = _ends(field)
    values = values.mask(values == np.inf, high).mask(values == -np.inf, low)
    if getattr(field, "kind", None) != "identifier":
        return values
    largest = 2 ** (np.finfo(getattr(values.dtype, "numpy_dtype", values.dtype)).nmant + 1)
    return values.where((values == values.round()) & (values.abs() <= largest))


def _ends(field):
    """Return what stands for infinities: the bounds, or missing where there are none."""
    bounds = (getattr(field, name, None) for name in ("low", "high"))
    return [float(bound) if isinstance(bound, Real) else np.nan for bound in bounds]


def _real(cell):
    return isinstance(cell, Real | Decimal) and not isinstance(cell, bool | np.bool_ | np.timedelta64)


def _float(cell):
    try:
        return float(cell)
    except OverflowError:
        return np.inf if cell > 0 else -np.inf
    except ValueError:  # what signals that it is no number
        return np.nan


def _plain(cell, field):
    """A value that a category may be; moments and durations as text."""
    if isinstance(cell, str):
        return str.__str__(cell)
    if isinstance(cell, bool | np.bool_):
        return cell
    if _real(cell):
        number = _float(cell)
        return (cell if is_plain(type(cell)) else number) if -MOST < number < MOST else None
    return str(cell) if isinstance(cell, _TIMES) and not pd.isna(cell) else None


def _number(cell, field):
    if not _real(cell):
        return None
    number = _float(cell)
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
    plain = _plain(cell, field)
    return str(plain) if plain is not None and (field.kind == "text" or isinstance(plain, Integral)) else None


_TIMES = (date, time, timedelta, np.datetime64, np.timedelta64, pd.Period)
_READ = {
    "boolean": lambda cell, field: bool(cell) if isinstance(cell, bool | np.bool_) else None,
    "number": _number,
    "datetime": _date,
    "text": _word,
    "identifier": _word,
}
