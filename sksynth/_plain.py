"""Scalars as plain JSON values and back, exactly."""

import numpy as np
import pandas as pd


def to_plain(value):
    """Return `value` as what JSON knows: numbers, text, lists; anything else as a dict with one key that names the type."""
    value = value.item() if isinstance(value, np.generic) else value
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple):
        return {"tuple": [to_plain(item) for item in value]}
    if isinstance(value, pd.Timestamp):
        naive = value if value.tz is None else value.tz_convert("UTC").tz_localize(None)
        return {"timestamp": [str(naive.asm8), value.unit, None if value.tz is None else str(value.tz)]}
    if isinstance(value, pd.Timedelta):
        return {"timedelta": [int(value.asm8.astype("int64")), value.unit]}
    raise TypeError(f"a schema cannot hold {value!r} of type {type(value).__name__}; expected text or a number")


def from_plain(value):
    """Return the value from which `to_plain` made `value`."""
    if isinstance(value, list):
        return [from_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "tuple":
        return tuple(from_plain(item) for item in content)
    if kind == "timestamp":
        text, unit, tz = content
        stamp = pd.Timestamp(np.datetime64(text, unit))
        return stamp if tz is None else stamp.tz_localize("UTC").tz_convert(tz)
    if kind == "timedelta":
        ticks, unit = content
        return pd.Timedelta(ticks, unit=unit).as_unit(unit)
    raise ValueError(f"expected a tuple, timestamp or timedelta, got {kind!r}")
