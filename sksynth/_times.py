"""Columns of dates, times and durations as whole ticks, and back: shared by schema inference and the codecs.

A *tick* is one step of the field's resolution. Ticks of a column with a time zone count in UTC; those of whole days on its
own calendar.
"""

import re
from datetime import UTC, datetime

import numpy as np
import pandas as pd
from pandas.api import types

from ._formats import digits_of_dates, distinct_texts, find_date_format, parse_dates, write_dates
from ._plain import ZONE
from ._values import NANOSECONDS, column_of

WRITTEN = "dates written as "
MOMENTS = [datetime(year, month, 1, tzinfo=UTC) for year in (1950, 1985, 2020) for month in (1, 7)]


def is_zone(name) -> bool:
    """Say whether something is the name of a time zone."""
    try:
        return ZONE.fullmatch(name) is not None and pd.DatetimeTZDtype("s", name).tz is not None
    except Exception:  # of any library of time zones
        return False


def has_name(tz) -> bool:
    """Say whether a time zone has a name by which pandas finds it again."""
    if not is_zone(str(tz)):
        return False
    again = pd.DatetimeTZDtype("s", str(tz)).tz
    return all(moment.astimezone(again).utcoffset() == moment.astimezone(tz).utcoffset() for moment in MOMENTS)


def unit_of(field) -> str:
    """Return the unit in which a column of stamps or durations is stored: s, ms, us or ns."""
    found = re.match(r"(datetime|timedelta)64\[(\w+)", field.dtype)
    if found:
        return found[2]
    return "us" if re.search("%3?f", field.format) else "s"


def ticks_per(unit: str, resolution: str) -> int:
    """Return the number of units in a tick."""
    return max(1, NANOSECONDS[resolution] // NANOSECONDS[unit])


def coarsest(units: np.ndarray, unit: str) -> str:
    """Return the coarsest resolution at which all counts of units are whole."""
    return next(name for name in NANOSECONDS if ticks_per(unit, name) == 1 or not (units % ticks_per(unit, name)).any())


def stamp_units(values: pd.Series, field, column) -> tuple[np.ndarray, np.ndarray]:
    """Return stamps as int64 counts of the column's unit since 1970, and where they are missing.

    Parameters
    ----------
    values : Series
        Of dates, or of strings or whole numbers in ``field.format``.
    field : Datetime
        With its dtype, time zone and resolution and, for strings, its format.
    column : hashable
        For messages.

    Raises
    ------
    ValueError
        If a cell is not a date.
    """
    missing = values.isna().to_numpy()
    stamps = values
    if missing.all():
        return np.zeros(len(values), np.int64), missing
    if not types.is_datetime64_any_dtype(values.dtype):
        if field.format is None:
            _refuse(values, ~missing, column, "dates")
        stamps = _read_texts(values, missing, field, column)
    if (field.tz is None) != (stamps.dt.tz is None):
        as_is = f"X[{column!r}] = X[{column!r}].dt.tz_localize(None)"
        expected, remedy = f"in the time zone {field.tz}, got none", f"schema={{{column!r}: fields.Datetime()}}"
        if field.tz is None:
            expected, remedy = f"with no time zone, got {stamps.dt.tz}", as_is
        raise ValueError(f"column {column!r}: expected dates {expected}; take them as they are with {remedy}")
    if field.tz is not None:
        stamps = stamps.dt.tz_convert(field.tz if field.resolution == "D" else "UTC").dt.tz_localize(None)
    counts = stamps.dt.as_unit(unit_of(field)).to_numpy().view(np.int64)
    return np.where(missing, 0, counts), missing


def _read_texts(values, missing, field, column):
    """Return the moments that strings, or whole numbers, in the format of a field stand for."""
    expected = WRITTEN + field.format
    texts, is_float = values.astype(object), types.is_float_dtype(values.dtype)
    if types.is_integer_dtype(values.dtype) or (is_float and (values.dropna() % 1 == 0).all()):
        texts = digits_of_dates(values, field.format)
    elif types.infer_dtype(values, skipna=True) != "string":
        _refuse(values, ~missing & ~values.map(lambda cell: isinstance(cell, str)).to_numpy(bool), column, expected)
    stamps = parse_dates(texts, field.format)
    _refuse(values, stamps.isna().to_numpy() & ~missing, column, expected)
    return stamps


def duration_units(values: pd.Series, field, column) -> tuple[np.ndarray, np.ndarray]:
    """Return durations as int64 counts of the column's unit, and where they are missing; as `stamp_units`."""
    missing = values.isna().to_numpy()
    if missing.all():
        return np.zeros(len(values), np.int64), missing
    if not types.is_timedelta64_dtype(values.dtype):
        _refuse(values, ~missing, column, "durations")
    counts = values.dt.as_unit(unit_of(field)).to_numpy().view(np.int64)
    return np.where(missing, 0, counts), missing


def _refuse(values, bad, column, expected):
    if bad.any():
        example = values[bad].tolist()[0]
        remedy = "remove it" + (", read it as missing with coerce=True in its field" if expected.startswith(WRITTEN) else "")
        raise ValueError(
            f"column {column!r}: expected {expected}, got {example!r:.99}; {remedy}, or give the column another field with "
            f"schema={{{column!r}: {other_field(values)}}}"
        )


def other_field(values: pd.Series) -> str:
    """Return in Python a field that takes whatever a column holds: of dates, if all are of one format."""
    is_number = types.is_numeric_dtype(values.dtype) and not types.is_bool_dtype(values.dtype)
    if not is_number and types.infer_dtype(values, skipna=True) != "string":
        return "fields.Category()"
    whole = values.astype("Int64") if is_number and (values.dropna() % 1 == 0).all() else values
    found = find_date_format(distinct_texts(whole))
    if found is not None and found.fits.all():
        return f"fields.Datetime(format={found.format!r})"
    return "fields.Number()" if is_number else "fields.Text()"


def stamps_of(ticks: np.ndarray, missing: np.ndarray, field, marker=np.nan) -> pd.Series:
    """Return the column of dates at `ticks`; the inverse of `stamp_units` where these are whole ticks.

    Local midnights that a change of the clock skips or repeats become the first instant of their day.
    """
    unit = unit_of(field)
    stamps = pd.Series((ticks * ticks_per(unit, field.resolution)).astype(f"datetime64[{unit}]"))
    if field.format is not None:
        codes, distinct = pd.factorize(stamps)
        written = write_dates(pd.Series(distinct), field.format).to_numpy(object)
        written = written.astype(np.int64) if re.search("int|float", field.dtype.lower()) else written
        return column_of(written[codes], missing, field.dtype, marker)
    if field.tz is not None and field.resolution == "D":
        ambiguous = np.ones(len(stamps), bool)
        stamps = stamps.dt.tz_localize(field.tz, ambiguous=ambiguous, nonexistent="shift_forward")
    elif field.tz is not None:
        stamps = stamps.dt.tz_localize("UTC").dt.tz_convert(field.tz)
    return stamps.mask(missing).astype(field.dtype)


def durations_of(ticks: np.ndarray, missing: np.ndarray, field) -> pd.Series:
    """Return the column of durations at `ticks`."""
    unit = unit_of(field)
    durations = pd.Series((ticks * ticks_per(unit, field.precision)).astype(f"timedelta64[{unit}]"))
    return durations.mask(missing).astype(field.dtype)


def duration_at(tick: int, field) -> pd.Timedelta:
    """Return one tick as a Timedelta."""
    return durations_of(np.array([tick]), np.zeros(1, bool), field)[0]


def stamp_at(tick: int, field) -> pd.Timestamp:
    """Return one tick as a Timestamp, in the field's time zone."""
    plain = field.replace(format=None, dtype=f"datetime64[{unit_of(field)}{', ' + field.tz if field.tz else ''}]")
    return stamps_of(np.array([tick]), np.zeros(1, bool), plain)[0]


def tick_of(stamp: pd.Timestamp, field, *, up: bool) -> int:
    """Return the tick of a Timestamp, rounded up or down where it lies between two."""
    if field.tz is not None:
        stamp = stamp.tz_localize(field.tz) if stamp.tz is None else stamp
        stamp = stamp.tz_convert(field.tz if field.resolution == "D" else "UTC").tz_localize(None)
    elif stamp.tz is not None:
        stamp = stamp.tz_localize(None)
    return _round(stamp, unit_of(field), field.resolution, up)


def duration_tick(duration: pd.Timedelta, field, *, up: bool) -> int:
    """Return the tick of a Timedelta, rounded up or down where it lies between two."""
    return _round(duration, unit_of(field), field.precision, up)


def _round(moment, unit, resolution, up):
    """Return moment in ticks, by way of Python's integers so that nothing overflows."""
    count = int(moment.asm8.astype(np.int64)) * NANOSECONDS[moment.unit]
    size = NANOSECONDS[resolution]
    return -(-count // size) if up else count // size
