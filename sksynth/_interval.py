"""Intervals, in which a given column may lie."""

from dataclasses import dataclass
from typing import Any

import pandas as pd

__all__ = ["Interval"]


@dataclass(frozen=True, repr=False)
class Interval:
    """All values from `low` to `high`, both included; never a missing one.

    Parameters
    ----------
    low, high : scalar, optional
        A number, Timestamp, Timedelta or category. None: no bound on that side.

    Examples
    --------
    >>> from sksynth.fields import Interval
    >>> adult = Interval(low=18)
    >>> adult
    Interval(low=18)
    >>> 17 in adult, 18 in adult, None in adult
    (False, True, False)
    >>> Interval(1, 5)
    Interval(1, 5)
    """

    low: Any = None
    high: Any = None

    def __post_init__(self):
        for name in ("low", "high"):
            end = getattr(self, name)
            if not pd.api.types.is_scalar(end):
                raise TypeError(f"Interval: {name} must be one value or None, got {end!r}")
            if end is not None and pd.isna(end):
                raise ValueError(f"Interval: got {name}={end!r}, expected a value; leave it None where there is no bound")
        if self.low is None or self.high is None or isinstance(self.low, str) or isinstance(self.high, str):
            return  # the order of texts is that of the column: dates are written in many ways, and levels have their own
        try:
            swapped = self.low > self.high
        except TypeError:
            raise TypeError(
                f"Interval: low={self.low!r} and high={self.high!r} cannot be compared; make them of one type"
            ) from None
        if swapped:
            raise ValueError(f"Interval: got low={self.low!r} above high={self.high!r}, expected low <= high; swap them")

    def __contains__(self, value: Any) -> bool:
        if pd.isna(value):
            return False
        return bool((self.low is None or value >= self.low) and (self.high is None or value <= self.high))

    def __repr__(self):
        ends = {name: getattr(self, name) for name in ("low", "high") if getattr(self, name) is not None}
        shown = map(repr, ends.values()) if len(ends) == 2 else (f"{name}={end!r}" for name, end in ends.items())
        return f"Interval({', '.join(shown)})"
