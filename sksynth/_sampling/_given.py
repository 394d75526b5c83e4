"""What is given, as the caller says it."""

from collections.abc import Mapping
from typing import Any

import pandas as pd


def read_given(given: Any) -> pd.DataFrame | dict:
    """Return what is given as a frame with a row for each sample, or as a dict that holds for all.

    Raises
    ------
    TypeError, ValueError
        If it is neither, or holds nothing.
    """
    if isinstance(given, Mapping):
        read: Any = dict(given)
    elif isinstance(given, pd.DataFrame):
        read = given
    else:
        raise TypeError(f"given must be a dict of column to value, a DataFrame or None, got {given!r}")
    if not (len(read) if isinstance(read, dict) else read.size):
        shape = f" (shape {read.shape})" if isinstance(read, pd.DataFrame) else ""
        raise ValueError(f"given holds no value{shape}: name at least one column and one row, or leave it None")
    if isinstance(read, pd.DataFrame) and not read.columns.is_unique:
        raise ValueError(f"given names {list(read.columns[read.columns.duplicated()])} twice: leave one of each")
    return read
