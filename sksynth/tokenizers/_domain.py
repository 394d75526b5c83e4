"""Given cells: whether a column can hold them, and by which tokens; and what else may be given of a column."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from .._coerce import coerced
from .._formats import parse_dates
from .._grammar import MISSING
from .._interval import Interval
from .._values import inferred
from ..fields import Field
from ._category import CategoryCodec
from ._codec import FieldCodec
from ._datetime import DatetimeCodec
from ._number import NumberCodec
from ._text import TextCodec

__all__ = ["Wanted", "given_cells", "nearest_cells", "wanted_of"]

CLOSE = 1e-9  # relative difference of floats that are the same
COERCED = "fit read such cells as missing, so give None for them"
LISTS = (list, tuple, set, frozenset, range, np.ndarray, pd.Series, pd.Index, pd.api.extensions.ExtensionArray)


@dataclass(frozen=True, eq=False)
class Wanted:
    """What is given of a column, any of it.

    Parameters
    ----------
    cells : Series
        Exact values, as the column holds them.
    within : list
        What lies in intervals: first and last position each on the scale of the codec, or the tokens of categories.
    missing : bool
        Whether the cell may be missing.
    """

    cells: pd.Series
    within: list
    missing: bool


def wanted_of(given: Any, field: Field, codec: FieldCodec, column: Any) -> Wanted:
    """Return what a value, an `Interval`, a missing value or a list of these asks of a column.

    Raises
    ------
    ValueError, TypeError
        If there is nothing in it, or something that the column cannot hold.
    """
    values, intervals = _split(given, column)
    missing = values.isna()
    if missing.any():
        _check_nullable(field, column)
    values = values[~missing].reset_index(drop=True)
    if not isinstance(codec, CategoryCodec):  # where 1 and 1.0 may be two
        values = inferred(values)
    cells = given_cells(values, field, codec, column)[1] if len(values) else values
    within = [place for interval in intervals for place in _within(interval, field, codec, column)]
    return Wanted(cells, within, bool(missing.any()))


def _split(given, column):
    """Return the exact and the missing values in what is given, and the intervals."""
    given = given[()] if isinstance(given, np.ndarray) and not given.ndim else given
    items = list(given) if isinstance(given, LISTS) and given is not np.ma.masked else [given]
    items = [None if item is np.ma.masked else item for item in items]
    if not items:
        raise ValueError(f"given[{column!r}] is empty, {given!r}, so that no row can be drawn: list at least one value")
    intervals = [item for item in items if isinstance(item, Interval)]
    others = [item for item in items if not isinstance(item, Interval)]
    nested = next((item for item in others if not types.is_scalar(item)), None)
    if nested is not None:
        raise TypeError(f"given[{column!r}] holds {nested!r}: list values, Interval and missing values only")
    typed = isinstance(given, LISTS) and hasattr(given, "dtype") and given is not np.ma.masked and not intervals
    return pd.Series(given) if typed else pd.Series(others, dtype=object), intervals


def _check_nullable(field, column):
    if not field.nullable:
        raise ValueError(f"given[{column!r}] is missing, but no cell of that column can be: give a value")


def _within(interval, field, codec, column):
    """Return what of a column lies in an interval; see `Wanted`."""
    if isinstance(codec, CategoryCodec):
        found = _tokens_within(interval, field, codec, column)
    elif isinstance(codec, NumberCodec | DatetimeCodec):
        span = codec.scale.span(*(_end(end, interval, field, column) for end in (interval.low, interval.high)))
        found = [] if span is None else [span]
    else:
        raise ValueError(
            f"given[{column!r}] is {interval!r}, but intervals are for numbers, dates, durations, categories and booleans, "
            f"and that column is of kind {field.kind!r}: give a value, a list of values, or missing"
        )
    if not found:
        raise ValueError(
            f"given[{column!r}] is {interval!r}, in which no value of that column lies; its domain is "
            f"{field.describe_domain()}"
        )
    return found


def _tokens_within(interval, field, codec, column):
    """Return the tokens of the categories in an interval; those that cannot be compared with its ends are not."""
    if not getattr(field, "ordered", False):
        return [token for value, token in codec.sampled if _holds(interval, value)]
    levels = list(field.levels or field.categories)
    for end in (interval.low, interval.high):
        if end is not None and end not in levels:
            raise ValueError(f"given[{column!r}] is {interval!r}, but {end!r} is none of the ordered levels {levels}")
    low, high = (None if end is None else levels.index(end) for end in (interval.low, interval.high))
    return [token for value, token in codec.sampled if value in levels and _holds_place(low, levels.index(value), high)]


def _holds(interval, value):
    try:
        return value in interval
    except TypeError:
        return False


def _holds_place(low, place, high):
    return (low is None or low <= place) and (high is None or place <= high)


def _end(end, interval, field, column):
    """Return an end of an interval as a value of the column; None where there is none."""
    try:
        return None if end is None else _moment_or_number(end, field)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"given[{column!r}] is {interval!r}, but {end!r} is no value of that column of dtype {field.dtype}: {error}"
        ) from error


def _moment_or_number(end, field):
    is_number = types.is_number(end) or types.is_bool(end)
    is_duration = isinstance(field.low, pd.Timedelta)
    if is_number != (field.kind == "number" and not is_duration) or types.is_bool(end):
        raise TypeError(f"got a value of type {type(end).__name__}")
    if is_number:
        return end.item() if isinstance(end, np.generic) else end
    if is_duration:
        return pd.Timedelta(end)
    stamp = parse_dates(pd.Series([end]), field.format)[0] if isinstance(end, str) and field.format else pd.Timestamp(end)
    if stamp is pd.NaT:
        raise ValueError(f"it is not written as {field.format}")
    if field.tz is None and stamp.tz is not None:
        raise ValueError("the column has no time zone")
    return stamp.tz_localize(field.tz) if field.tz is not None and stamp.tz is None else stamp


def given_cells(values: pd.Series, field: Field, codec: FieldCodec, column: Any) -> tuple[np.ndarray, pd.Series]:
    """Return the tokens in whose context other columns are drawn, and the cells as the column holds them.

    Raises
    ------
    ValueError
        If one is missing where none can be, is no value of such a column, or outside its domain.
    """
    tokens, cells, values, outside, other = _read(values, field, codec, column)
    _refuse(outside, values, column, lambda _: f"outside the domain of that column: {field.describe_domain()}")
    _refuse(other, values, column, lambda place: f"which that column cannot hold; the nearest value is {cells.iloc[place]!r}")
    return tokens, cells


def nearest_cells(values: pd.Series, field: Field, codec: FieldCodec, column: Any) -> tuple[np.ndarray, pd.Series, np.ndarray]:
    """Return the same of values that may be rare or extreme, as rows of fit may be, and which of them are read as another.

    Those have the tokens of the nearest value, of rare ones, or of missing cells where their field reads them so; the cells
    are as they were given where the dtype of the column holds them, else the nearest.
    """
    given = values.reset_index(drop=True)
    read = coerced(given, field)
    odd = (read.isna() & given.notna()).to_numpy()
    tokens, cells, values, outside, other = _read(read, field, codec, column)
    replaced = outside | other | odd
    values = values.astype(object).where(~odd, given.astype(object)) if odd.any() else values
    return tokens, _with_given(cells, values, replaced), replaced


def _read(values, field, codec, column):
    """Return tokens, cells as the column holds them, converted values, and which are outside its domain or other values."""
    given = values = values.reset_index(drop=True)
    missing = values.isna().to_numpy()
    if missing.any():
        _check_nullable(field, column)
    try:
        values = _converted(values, field)
        ids, free = codec.encode(values)
        cells = codec.decode(codec.encode_whole(values) if isinstance(codec, TextCodec) else ids, free)
        outside = _is_outside(values, field, codec, ids) & ~missing
    except (TypeError, ValueError, OverflowError) as error:
        shown, why = _first_wrong(given[~missing], field, codec), str(error)
        if getattr(field, "coerce", False):
            why = COERCED
        raise ValueError(
            f"given[{column!r}] is {shown!r} of type {type(shown).__name__}, which is no value of that column of dtype "
            f"{field.dtype}: {why}"
        ) from error
    if isinstance(codec, NumberCodec) and codec.scale.continuous:
        cells = _with_floats(cells, values, missing)  # what digits round is not lost
    other = ~_are_same(values, cells) & ~missing
    return codec.context(values), _with_floats(cells, values, missing), values, outside, other


def _with_given(cells, values, replaced):
    """Return cells with the values that were given in place of those that stand for them, where the dtype holds them."""
    if not replaced.any():
        return cells
    whole = cells.astype(object).where(~replaced, values.astype(object))
    dtypes = [cells.dtype] if str(values.dtype).lower() != str(cells.dtype).lower() else [values.dtype, cells.dtype]
    for dtype in dtypes:
        try:
            kept = whole.astype(dtype)
        except (TypeError, ValueError, OverflowError):
            continue
        if _are_same(whole, kept).all():
            return kept
    return cells


def _first_wrong(values, field, codec):
    """Return the first value that is none of the column by itself; the first of all if none is."""
    for place in range(len(values)):
        try:
            one = inferred(values.iloc[[place]].reset_index(drop=True))
            codec.encode(_converted(one, field))
        except (TypeError, ValueError, OverflowError):
            return one.iloc[0]
    return values.iloc[0] if len(values) else None


def _with_floats(cells, values, missing):
    """Return cells with the very floats that were given, which differ from those of the column by rounding."""
    if types.is_float_dtype(cells.dtype):
        return values.astype(cells.dtype)
    if types.is_object_dtype(cells.dtype) and types.infer_dtype(cells, skipna=True) == "floating":
        return cells.where(missing, pd.Series(values.to_numpy(np.float64, na_value=np.nan), dtype=object))
    return cells


def _refuse(wrong, values, column, why):
    if wrong.any():
        place = int(wrong.argmax())
        raise ValueError(f"given[{column!r}] is {values.iloc[place]!r}, {why(place)}")


def _converted(values, field):
    """Return values as such of the column where they are written in another way: categories, and dates as text."""
    if isinstance(values.dtype, pd.CategoricalDtype) and field.kind in ("number", "datetime"):
        values = inferred(values.astype(object))
    kind = types.infer_dtype(values, skipna=True)
    if field.kind == "datetime" and field.format is None and kind in ("string", "date", "datetime", "datetime64"):
        values = _moments(values)
        if field.tz is not None and values.dt.tz is None:
            values = values.dt.tz_localize(field.tz)
    if isinstance(getattr(field, "low", None), pd.Timedelta) and kind == "string":
        values = pd.to_timedelta(values)
    return values


def _moments(values):
    """Return values as moments, those too that pandas before 3 finds too far away to be counted in nanoseconds."""
    try:
        return pd.to_datetime(values)
    except pd.errors.OutOfBoundsDatetime:
        stamps = [pd.NaT if pd.isna(value) else pd.Timestamp(value) for value in values]
        if any(stamp.tz is not None for stamp in stamps):
            raise
        return pd.Series(np.array([stamp.to_datetime64() for stamp in stamps], "M8[us]"), index=values.index)


def _is_outside(values, field, codec, ids):
    """Return which values are never sampled."""
    outside = np.zeros(len(values), bool)
    if codec.run is not None and not isinstance(codec, TextCodec | NumberCodec):
        outside = codec.run.slots[0].unsampled[ids[:, 0]] & (ids[:, 0] != MISSING)
    low, high = getattr(field, "low", None), getattr(field, "high", None)
    if low is None or high is None or getattr(field, "format", None) is not None:
        return outside
    within = (values >= low) & (values <= high)
    return outside | ~within.fillna(False).to_numpy(bool)


def _are_same(values, cells):
    """Return which cells are what was given; floats to within rounding."""
    if types.is_numeric_dtype(values.dtype) and types.is_numeric_dtype(cells.dtype) and not types.is_bool_dtype(values.dtype):
        one, other = (column.to_numpy(np.float64, na_value=np.nan) for column in (values, cells))
        narrow = {"float16": np.float16, "float32": np.float32}.get(str(cells.dtype).lower(), np.float64)
        return np.isclose(one, other, rtol=max(CLOSE, np.finfo(narrow).eps), atol=0.0, equal_nan=True)
    pairs = zip(values.astype(object), cells.astype(object), strict=True)
    return np.fromiter((bool(pd.isna(one)) or one == other for one, other in pairs), bool, len(values))
