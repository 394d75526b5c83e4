"""Given cells: whether a column can hold them, and by which tokens."""

from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from .._grammar import MISSING
from ..fields import Field
from ._codec import FieldCodec
from ._text import TextCodec

__all__ = ["given_cells"]

CLOSE = 1e-9  # relative difference of floats that are the same


def given_cells(values: pd.Series, field: Field, codec: FieldCodec, column: Any) -> tuple[np.ndarray, pd.Series]:
    """Return the tokens of given cells, and the cells as the column holds them.

    Raises
    ------
    ValueError
        If one is missing where none can be, is no value of such a column, or outside its domain.
    """
    values = values.reset_index(drop=True)
    missing = values.isna().to_numpy()
    if missing.any() and not field.nullable:
        raise ValueError(f"given[{column!r}] is missing, but no cell of that column can be: give a value")
    try:
        values = _converted(values, field)
        ids, free = codec.encode(values)
        cells = codec.decode(codec.encode_whole(values) if isinstance(codec, TextCodec) else ids, free)
        outside = _is_outside(values, field, codec, ids) & ~missing
    except (TypeError, ValueError, OverflowError) as error:
        shown = values[~missing].iloc[0] if not missing.all() else None
        raise ValueError(
            f"given[{column!r}] is {shown!r} of type {type(shown).__name__}, which is no value of that column of dtype "
            f"{field.dtype}: {error}"
        ) from error
    other = ~_are_same(values, cells) & ~missing
    _refuse(outside, values, column, lambda _: f"outside the domain of that column: {field.describe_domain()}")
    _refuse(other, values, column, lambda place: f"which that column cannot hold, but {cells.iloc[place]!r}")
    return ids, values.astype(cells.dtype) if types.is_float_dtype(cells.dtype) else cells


def _refuse(wrong, values, column, why):
    if wrong.any():
        place = int(wrong.argmax())
        raise ValueError(f"given[{column!r}] is {values.iloc[place]!r}, {why(place)}")


def _converted(values, field):
    """Return values as such of the column where they are written in another way: categories, and dates as text."""
    if isinstance(values.dtype, pd.CategoricalDtype) and field.kind in ("number", "datetime"):
        values = values.astype(object).infer_objects()
    kind = types.infer_dtype(values, skipna=True)
    if field.kind == "datetime" and field.format is None and kind in ("string", "date", "datetime", "datetime64"):
        values = pd.to_datetime(values)
        if field.tz is not None and values.dt.tz is None:
            values = values.dt.tz_localize(field.tz)
    if isinstance(getattr(field, "low", None), pd.Timedelta) and kind == "string":
        values = pd.to_timedelta(values)
    return values


def _is_outside(values, field, codec, ids):
    """Return which values are never sampled."""
    outside = np.zeros(len(values), bool)
    if codec.run is not None and field.kind != "text":
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
        return np.isclose(one, other, rtol=CLOSE, atol=0.0, equal_nan=True)
    pairs = zip(values.astype(object), cells.astype(object), strict=True)
    return np.fromiter((bool(pd.isna(one)) or one == other for one, other in pairs), bool, len(values))
