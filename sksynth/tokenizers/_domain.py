"""Whether given values are in the domain of their column."""

from typing import Any

import numpy as np
import pandas as pd

from .._grammar import MISSING
from ..fields import Field
from ._codec import FieldCodec

__all__ = ["check_domain"]


def check_domain(values: pd.Series, field: Field, codec: FieldCodec, column: Any) -> None:
    """Refuse values that are never sampled.

    Raises
    ------
    ValueError
        If one is missing where none can be, is no category, or lies beyond the bounds.
    """
    missing = values.isna().to_numpy()
    if missing.any() and not field.nullable:
        raise ValueError(f"given[{column!r}] is missing, but no cell of that column can be: give a value")
    outside = _beyond_bounds(values[~missing], field)
    if not outside.any() and codec.run is not None and field.kind != "text":
        tokens = codec.encode(values)[0][:, 0]
        outside = codec.run.slots[0].unsampled[tokens[~missing]] & (tokens[~missing] != MISSING)
    if outside.any():
        value = values[~missing].iloc[int(outside.argmax())]
        raise ValueError(f"given[{column!r}] is {value!r}, outside the domain of that column: {field.describe_domain()}")


def _beyond_bounds(values, field):
    low, high = getattr(field, "low", None), getattr(field, "high", None)
    if low is None or high is None or getattr(field, "format", None) is not None:
        return np.zeros(len(values), bool)
    return ~((values >= low) & (values <= high)).to_numpy(bool)
