"""Scalars as plain JSON values and back, exactly."""

import math
import re
from datetime import date, datetime

import numpy as np
import pandas as pd

SPECIAL = {str(value): value for value in (math.nan, math.inf, -math.inf, pd.NA, pd.NaT)}  # what JSON has no word for
UNITS = ("s", "ms", "us", "ns")  # of times in pandas
STAMP = re.compile(r"-?[0-9]+-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{3,9})?")
HALVES = re.compile("[\ud800-\udbff][\udc00-\udfff]")  # of a surrogate pair, which JSON would join
ZONE = re.compile(r"(?!dateutil/)[\w+\-/:]{1,64}")  # a time zone by its name; pandas takes what follows dateutil/ for a path


def to_plain(value):
    """Return `value` as what JSON knows: numbers, text, lists; anything else as a dict with one key that names the type."""
    is_time = isinstance(value, np.datetime64 | np.timedelta64)  # nanoseconds would become an int
    value = value.item() if isinstance(value, np.generic) and not is_time else value
    if value is pd.NA or value is pd.NaT or (isinstance(value, float) and not math.isfinite(value)):
        return {"special": str(value)}
    if isinstance(value, str) and HALVES.search(value):
        return {"codes": list(map(ord, value))}
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple):
        return {"tuple": [to_plain(item) for item in value]}
    if isinstance(value, pd.Timestamp):
        naive = value if value.tz is None else value.tz_convert("UTC").tz_localize(None)
        return {"timestamp": [str(naive.asm8), value.unit, None if value.tz is None else str(value.tz)]}
    if isinstance(value, pd.Timedelta):
        return {"timedelta": [int(value.asm8.astype("int64")), value.unit]}
    if type(value) in (date, datetime) and getattr(value, "tzinfo", None) is None:
        return {type(value).__name__: value.isoformat()}
    raise TypeError(
        f"cannot write {value!r} of type {type(value).__name__}, expected text, a number, a date or a tuple of these; "
        "rename the column, or convert the value with str"
    )


def from_plain(value):
    """Return the value from which `to_plain` made `value`."""
    if isinstance(value, list):
        return [from_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if not isinstance(value, dict) or len(value) != 1:
        raise ValueError(f"expected text, a number, a list or a dict with one key, got {value!r:.99}")
    ((kind, content),) = value.items()
    if kind == "tuple" and isinstance(content, list):
        return tuple(from_plain(item) for item in content)
    if kind == "codes" and isinstance(content, list):
        return "".join(map(chr, content))
    if kind == "timestamp":
        return _stamp(*content)
    if kind == "timedelta":
        ticks, unit = content
        if type(ticks) is not int or unit not in UNITS:
            raise ValueError(f"expected a whole number of {', '.join(UNITS)}, got {ticks!r} of {unit!r}")
        return pd.Timedelta(ticks, unit=unit).as_unit(unit)
    if kind == "special" and content in SPECIAL:
        return SPECIAL[content]
    if kind in ("date", "datetime"):
        return {"date": date, "datetime": datetime}[kind].fromisoformat(content)
    raise ValueError(f"expected codes, a tuple, timestamp, timedelta, date, datetime or special value, got {kind!r}")


def _stamp(text, unit, zone):
    if not STAMP.fullmatch(text) or unit not in UNITS:
        raise ValueError(f"expected a time such as '2020-01-31T12:00:00' and one of {', '.join(UNITS)}, got {text!r} {unit!r}")
    stamp = pd.Timestamp(np.datetime64(text, unit))
    try:
        return stamp if zone is None else stamp.tz_localize("UTC").tz_convert(_zone(zone))
    except (KeyError, OSError) as error:  # no time zone, or the folder of some
        raise ValueError(f"expected the name of a time zone such as 'Europe/Berlin', got {zone!r}") from error


def _zone(name):
    if not ZONE.fullmatch(name):
        raise ValueError(f"expected the name of a time zone such as 'Europe/Berlin', got {name!r}")
    return name
