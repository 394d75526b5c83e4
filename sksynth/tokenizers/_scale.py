"""Scales: columns of numbers or durations <-> positions on a line, ticks (uint64, counted from low) or floats."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from .._state import expect
from .._times import (
    duration_at,
    duration_tick,
    duration_units,
    durations_of,
    stamp_at,
    stamp_units,
    stamps_of,
    tick_of,
    ticks_per,
    unit_of,
)
from .._values import are_rounded, column_of, integers_between, numbers
from ._codec import LOG_OUTSIDE


@dataclass(frozen=True)
class Whole:
    """Integers: one tick each.

    Parameters
    ----------
    low, high : int
    dtype : str
    name : hashable
        Of the column, for messages.
    places : int
        Decimal places of a tick; 0 for columns of integers and floats without decimals.
    floats : bool
        Whether the column's values are floats.
    marker : object
        What stands for a missing cell in an object column.
    """

    low: int
    high: int
    dtype: str
    name: object
    places: int = 0
    floats: bool = False
    marker: object = np.nan

    continuous = False
    first = np.uint64(0)

    @property
    def last(self):
        return np.uint64(self.high - self.low)

    @property
    def unit(self) -> float:
        """Count of a tick in `log_cell_size`: a tick is one value."""
        return 1.0

    def positions(self, values: pd.Series) -> tuple[np.ndarray, np.ndarray]:
        """Return the offsets from low of the clipped values (uint64), and where they are missing."""
        array, missing = numbers(values, self.name)
        array = np.where(missing, 0, array)
        if self.places:
            array = array.astype(np.float64) * 10.0**self.places
        return integers_between(array, self.low, self.high).astype(np.uint64) - np.uint64(self.low % 2**64), missing

    def outside(self, values: pd.Series) -> tuple[np.ndarray, np.ndarray]:
        """Return how far values lie beyond the bounds, in ticks, and which have more decimals than a tick."""
        array, missing = numbers(values, self.name)
        array = np.where(missing, np.asarray(self.low / 10.0**self.places).astype(array.dtype), array)
        exact = array.astype(np.float64) * 10.0**self.places if self.places else array
        if exact.dtype.kind != "f":
            return _beyond(exact, self.low, self.high), np.zeros(len(exact), bool)
        narrow = {"float16": np.float16, "float32": np.float32}.get(self.dtype.lower(), np.float64)
        whole = np.rint(exact)
        broken = (narrow(whole / 10.0**self.places) != narrow(array)) & ~are_rounded(array, self.places)
        return np.where(missing, 0.0, _beyond(whole, self.low, self.high)), broken & ~missing

    def column(self, positions: np.ndarray, missing: np.ndarray) -> pd.Series:
        """Return the column at the positions."""
        ticks = positions + np.uint64(self.low % 2**64)
        ticks = ticks.view(np.int64) if self.low < 0 else ticks
        values = ticks / 10.0**self.places if self.floats else ticks
        return column_of(values, missing, self.dtype, self.marker)

    def value(self, position: int) -> float:
        """Return the value at a position."""
        return self.column(np.array([position], np.uint64), np.zeros(1, bool)).tolist()[0]

    def span(self, low, high) -> tuple | None:
        """Return the first and the last position whose values lie from `low` to `high`; None if none does."""
        return _span(self, low, high)


@dataclass(frozen=True)
class Continuous:
    """Floats on a continuum; scaled down where their range would overflow.

    Parameters
    ----------
    low, high : float
    dtype : str
    name : hashable
    marker : object
        What stands for a missing cell in an object column.
    """

    low: float
    high: float
    dtype: str
    name: object
    marker: object = np.nan

    continuous = True

    @property
    def unit(self) -> float:
        """Width of a unit of position."""
        return 16.0 if max(abs(self.low), abs(self.high)) > 1e307 else 1.0

    @property
    def first(self):
        return np.float64(self.low / self.unit)

    @property
    def last(self):
        return np.float64(self.high / self.unit)

    def positions(self, values: pd.Series) -> tuple[np.ndarray, np.ndarray]:
        """Return the clipped values, and where they are missing."""
        array, missing = numbers(values, self.name)
        return np.clip(np.where(missing, self.low, array), self.low, self.high) / self.unit, missing

    def outside(self, values: pd.Series) -> tuple[np.ndarray, np.ndarray]:
        """Return how far values lie beyond the bounds, in units of position; none has too many decimals."""
        array, missing = numbers(values, self.name)
        beyond = _beyond(np.where(missing, self.low, array) / self.unit, self.first, self.last)
        return beyond, np.zeros(len(array), bool)

    def column(self, positions: np.ndarray, missing: np.ndarray) -> pd.Series:
        """Return the column at the positions."""
        return column_of(positions * self.unit, missing, self.dtype, self.marker)

    def span(self, low, high) -> tuple | None:
        """Return the first and the last position whose values lie from `low` to `high`; None if none does."""
        low = self.low if low is None or low < self.low else low
        high = self.high if high is None or high > self.high else high
        if low > self.high or high < self.low:
            return None
        narrow = {"float16": np.float16, "float32": np.float32}.get(self.dtype.lower(), np.float64)
        first, last = narrow(low), narrow(high)
        first = np.nextafter(first, narrow(np.inf)) if float(first) < low else first
        last = np.nextafter(last, narrow(-np.inf)) if float(last) > high else last
        return None if first > last else (np.float64(first) / self.unit, np.float64(last) / self.unit)


class Ticks:
    """Times: one tick per step of the field's resolution.

    Parameters
    ----------
    field : Datetime or Number
        Completed.
    name : hashable
        Of the column, for messages.
    marker : object
        What stands for a missing cell in an object column.

    Attributes
    ----------
    low, high : int
        The bounds in ticks since 1970, or since zero.
    """

    continuous = False
    first = np.uint64(0)
    unit = 1.0

    def __init__(self, field, name, marker=np.nan):
        self.field, self.name, self.marker = field, name, marker
        self.low = self._tick(field.low, up=True)
        self.high = self._tick(field.high, up=False)

    @property
    def last(self):
        """Position of high."""
        return np.uint64(self.high - self.low)

    def ticks(self, values: pd.Series) -> tuple[np.ndarray, np.ndarray]:
        """Return the clipped values in ticks (int64), and where they are missing."""
        units, missing = self._units(values)
        return np.where(missing, self.low, np.clip(units // self._per_tick, self.low, self.high)), missing

    def positions(self, values: pd.Series) -> tuple[np.ndarray, np.ndarray]:
        """Return the offsets from low of the clipped values (uint64), and where they are missing."""
        ticks, missing = self.ticks(values)
        return ticks.astype(np.uint64) - np.uint64(self.low % 2**64), missing

    def outside(self, values: pd.Series) -> tuple[np.ndarray, np.ndarray]:
        """Return how far times lie beyond the bounds, in ticks, and which lie between two ticks."""
        units, missing = self._units(values)
        beyond = _beyond(np.where(missing, self.low, units // self._per_tick), self.low, self.high)
        return beyond, (units % self._per_tick != 0) & ~missing

    def column(self, positions: np.ndarray, missing: np.ndarray) -> pd.Series:
        """Return the column at the positions."""
        return self._restore((positions + np.uint64(self.low % 2**64)).view(np.int64), missing)

    def span(self, low, high) -> tuple | None:
        """Return the first and the last position whose values lie from `low` to `high`; None if none does."""
        return _span(self, low, high)


class Stamps(Ticks):
    """Dates and times."""

    def _tick(self, bound, up):
        return tick_of(bound, self.field, up=up)

    @property
    def _per_tick(self):
        return ticks_per(unit_of(self.field), self.field.resolution)

    def _units(self, values):
        return stamp_units(values, self.field, self.name)

    def _restore(self, ticks, missing):
        return stamps_of(ticks, missing, self.field, self.marker)

    def value(self, position: int) -> pd.Timestamp:
        """Return the Timestamp at a position."""
        return stamp_at(self.low + position, self.field)


class Durations(Ticks):
    """Timedeltas, whose field is a Number."""

    def _tick(self, bound, up):
        return duration_tick(bound, self.field, up=up)

    @property
    def _per_tick(self):
        return ticks_per(unit_of(self.field), self.field.precision)

    def _units(self, values):
        return duration_units(values, self.field, self.name)

    def _restore(self, ticks, missing):
        return durations_of(ticks, missing, self.field)

    def value(self, position: int) -> pd.Timedelta:
        """Return the Timedelta at a position."""
        return duration_at(self.low + position, self.field)


def log_outside(scale, values: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return what values beyond the bounds or between two ticks lose of their score, and where they are beyond.

    What lies beyond a bound shares a millionth of the mass of the bound's cell, the less the farther out: the density falls
    with the square of the distance, counted from one width of the domain inside.
    """
    beyond, between = scale.outside(values)
    width = max(float(scale.last) - float(scale.first), 1.0 if not scale.continuous else 0.0) or abs(float(scale.last)) or 1.0
    distance = np.minimum(beyond / width, 1e300)
    spread = LOG_OUTSIDE + np.log(width * scale.unit) + 2 * np.log1p(distance)
    return np.where(beyond > 0, spread, 0.0) + np.where(between, LOG_OUTSIDE, 0.0), beyond > 0


def _beyond(values, low, high):
    """Return the distance of values to the nearer of two bounds as float64, 0 within; exact about whether there is any."""
    under, over = values < low, values > high
    as_floats = values.astype(np.float64)
    distance = np.where(under, float(low) - as_floats, np.where(over, as_floats - float(high), 0.0))
    least = np.finfo(np.float64).tiny if values.dtype.kind == "f" else 1.0
    return np.where(under | over, np.maximum(distance, least), 0.0)


def _span(scale, low, high):
    n_ticks = scale.high - scale.low + 1
    first = 0 if low is None else _count(n_ticks, lambda position: scale.value(position) < low)
    last = n_ticks - 1 if high is None else _count(n_ticks, lambda position: scale.value(position) <= high) - 1
    return None if first > last else (np.uint64(first), np.uint64(last))


def _count(n_ticks, is_before):
    """Return the number of positions, all at the start of the line, that are before something; by bisection."""
    start, stop = 0, n_ticks
    while start < stop:
        middle = (start + stop) // 2
        start, stop = (middle + 1, stop) if is_before(middle) else (start, middle)
    return start


def scale_of(field, name, marker):
    """Return the scale of a completed `Number` or `Datetime`."""
    if field.kind == "datetime":
        return Stamps(field, name, marker)
    if field.dtype.startswith("timedelta64"):
        return Durations(field, name)
    if field.precision == "continuous":
        return Continuous(float(field.low), float(field.high), field.dtype, name, marker)
    places, floats = field.precision, isinstance(field.low, float)
    low, high = (int(np.rint(bound * 10.0**places)) if floats else bound for bound in (field.low, field.high))
    return Whole(low, high, field.dtype, name, places, floats, marker)


def checked_scale(field, name, marker):
    """Return the scale of a field that nobody vouches for.

    Raises
    ------
    ValueError, TypeError
        If the bounds are none, lie beyond what 64 bits hold, or the column cannot be of the field's dtype.
    """
    scale = scale_of(field, name, marker)
    if not scale.continuous:
        ends, unsigned = [scale.low, scale.high], isinstance(scale, Whole) and scale.low >= 0
        low, high = (0, 2**64) if unsigned else (-(2**63), 2**63)
        expect(low <= ends[0] <= ends[1] < high, "the range of the field", ends, "low <= high in 64 bits")
    scale.column(np.array([scale.first, scale.last]), np.array([False, field.nullable]))
    return scale
