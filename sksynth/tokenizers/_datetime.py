"""The codec of dates and times: calendar parts."""

import numpy as np
import pandas as pd

from .._grammar import MISSING, OTHER, compile_slots
from .._state import check_keys, marker_to_text, take_marker
from .._times import stamps_of
from .._values import NANOSECONDS, missing_marker
from ._codec import FREE_BITS, FieldCodec
from ._digits import digits_of, remainder_of
from ._number import SPARE_BITS, NumberCodec
from ._scale import Stamps, checked_scale, log_outside

NOTHING = 0  # token of the later parts of a missing value; real parts follow
FIRST_YEAR = 2  # token of the first year
MAX_YEARS = 400
CLOCK = (("hour", 24, "h"), ("minute", 60, "min"), ("second", 60, "s"))


class DatetimeCodec(FieldCodec):
    """Dates <-> year, month, day, and as far as the resolution needs them hour, minute, second; parts of a second are free.

    Bounds hold at every part: an automaton carries whether all parts so far are those of a bound.

    Parameters
    ----------
    scale : Stamps
        Column <-> ticks.
    name : str
    nullable : bool
    """

    def __init__(self, scale, name, nullable):
        self.scale = scale
        resolution = scale.field.resolution
        size = NANOSECONDS[resolution]
        self.clock = [part for part in CLOCK if NANOSECONDS[part[2]] >= size]
        self._per_second = max(1, NANOSECONDS["s"] // size)
        self.n_free = 0 if self._per_second == 1 else -(-(self._per_second.bit_length() + SPARE_BITS) // FREE_BITS)
        self.low, self.high = (self._parts(np.array([tick]))[0][0].tolist() for tick in (scale.low, scale.high))
        names = ["year", "month", "day", *(part[0] for part in self.clock)]
        sizes = [self.high[0] - self.low[0] + 1 + FIRST_YEAR, 13, 32, *(part[1] + 1 for part in self.clock)]
        never = {0: [OTHER] if nullable else [MISSING, OTHER]}
        self.run = compile_slots([f"{name}.{part}" for part in names], sizes, self._step, unsampled=never)

    @classmethod
    def fit(cls, values: pd.Series, field, *, name: str, min_frequency: int, holes: bool = True) -> FieldCodec:
        """Return the codec of a completed field: of calendar parts, or of a number where the bounds are centuries apart."""
        scale = Stamps(field, name, missing_marker(values))
        if _spans_centuries(field):
            return NumberCodec.of_scale(scale, values, field, name=name, min_frequency=min_frequency, holes=holes)
        return cls(scale, name, bool(field.nullable))

    def to_state(self) -> dict:
        """Return the state: what stands for a missing cell."""
        return {"marker": marker_to_text(self.scale.marker)}

    @classmethod
    def from_state(cls, state: dict, field, name: str) -> FieldCodec:
        """Return the codec that `fit` chose, which wrote `state`."""
        if _spans_centuries(field):
            return NumberCodec.from_state(state, field, name)
        check_keys(state, "marker")
        return cls(checked_scale(field, name, take_marker(state, "marker")), name, field.nullable)

    def _parts(self, ticks):
        """Return the values of all parts, shape (n_rows, n_parts), and what is left of the second in ticks."""
        resolution = self.scale.field.resolution
        per_day = NANOSECONDS["D"] // NANOSECONDS[resolution]
        day, rest = ticks // per_day, ticks % per_day
        days = day.astype("datetime64[D]")
        months = days.astype("datetime64[M]")
        month = months.astype(np.int64)
        parts = [month // 12 + 1970, month % 12 + 1, (days - months.astype("datetime64[D]")).astype(np.int64) + 1]
        for _, _, unit in self.clock:
            size = NANOSECONDS[unit] // NANOSECONDS[resolution]
            parts.append(rest // size)
            rest = rest % size
        return np.stack(parts, axis=1), rest

    def ticks_of(self, parts: np.ndarray, rest: np.ndarray) -> np.ndarray:
        """Return the ticks of parts, shape (n_rows, n_parts), and of what is left of the second."""
        resolution = self.scale.field.resolution
        months = ((parts[:, 0] - 1970) * 12 + parts[:, 1] - 1).astype("datetime64[M]")
        days = months.astype("datetime64[D]").astype(np.int64) + parts[:, 2] - 1
        ticks = days * (NANOSECONDS["D"] // NANOSECONDS[resolution])
        for column, (_, _, unit) in enumerate(self.clock, 3):
            ticks += parts[:, column] * (NANOSECONDS[unit] // NANOSECONDS[resolution])
        return ticks + rest

    def _step(self, part, state, token):
        """Follow the automaton; a state says whether all parts so far are those of low, of high, and what the day needs."""
        if part == 0:
            if token == MISSING:
                return "missing"
            if token == OTHER:
                return None
            year = self.low[0] + token - FIRST_YEAR
            leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
            return year == self.low[0], year == self.high[0], leap
        if state == "missing":
            return state if token == NOTHING else None
        at_low, at_high, context = state
        value = token - 1 + (part < 3)
        last = context if part == 2 else value
        if token == NOTHING or value > last or (at_low and value < self.low[part]) or (at_high and value > self.high[part]):
            return None
        after = 0 if part != 1 else 28 + context if value == 2 else 30 if value in (4, 6, 9, 11) else 31
        return at_low and value == self.low[part], at_high and value == self.high[part], after

    def encode(self, values: pd.Series) -> tuple[np.ndarray, np.ndarray]:
        """Return tokens and free digits; values beyond the bounds are clipped."""
        ticks, missing = self.scale.ticks(values)
        parts, rest = self._parts(ticks)
        ids = parts - self.offsets()
        ids[missing] = NOTHING
        first, _ = self.second_bounds(parts)
        within = np.where(missing, 0, rest - first).astype(np.uint64)
        return ids.astype(np.int32), digits_of(within, self.n_free)

    def decode(self, ids: np.ndarray, free: np.ndarray) -> pd.Series:
        """Return the column."""
        missing = ids[:, 0] == MISSING
        parts = self._read(ids, missing)
        first, count = self.second_bounds(parts)
        rest = first + remainder_of(free, (count - 1).astype(np.uint64)).astype(np.int64)
        return stamps_of(self.ticks_of(parts, rest), missing, self.scale.field, self.scale.marker)

    def log_outside(self, values: pd.Series) -> np.ndarray:
        """Return what values beyond the bounds, or not of the precision, lose of their score: their cell has no size."""
        losses, beyond = log_outside(self.scale, values)
        return losses - np.where(beyond, self.log_cell_size(self.encode(values)[0]), 0.0)

    def log_cell_size(self, ids: np.ndarray) -> np.ndarray:
        """Return the log of the number of ticks in each row's second; 0 where a second is at most one tick."""
        missing = ids[:, 0] == MISSING
        return np.where(missing, 0.0, np.log(self.second_bounds(self._read(ids, missing))[1]))

    def _read(self, ids, missing):
        return np.where(missing[:, None], self.low, ids + self.offsets())

    def offsets(self) -> np.ndarray:
        """Return value minus token, by part."""
        return np.array([self.low[0] - FIRST_YEAR, 0, 0, *(-1 for _ in self.clock)])

    def second_bounds(self, parts):
        """Return the first tick within each row's second that the bounds allow, and the number of them."""
        low, high = (self._parts(np.array([tick])) for tick in (self.scale.low, self.scale.high))
        first = np.where((parts == low[0]).all(axis=1), low[1], 0)
        last = np.where((parts == high[0]).all(axis=1), high[1], self._per_second - 1)
        return first, last - first + 1


def _spans_centuries(field):
    return field.high.year - field.low.year > MAX_YEARS
