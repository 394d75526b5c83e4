"""Columns that are given: what the others are drawn in the context of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd


@dataclass(frozen=True, eq=False)
class Given:
    """Given columns, as the sampler and as the caller wants them.

    Parameters
    ----------
    first : tuple of int
        Their runs.
    tokens : ndarray of int, shape (n_rows or 1, n_tokens)
    columns : DataFrame, shape (n_rows or 1, n_columns)
        Their cells as they are returned.
    """

    first: tuple[int, ...]
    tokens: np.ndarray
    columns: pd.DataFrame

    def put_into(self, frame: pd.DataFrame, start: int) -> pd.DataFrame:
        """Return sampled rows, the first of which has the number `start`, with the given cells."""
        at = np.minimum(np.arange(start, start + len(frame)), len(self.columns) - 1)
        given = self.columns.take(at).set_axis(frame.index)
        return pd.concat([given.get(column, frame[column]) for column in frame.columns], axis=1)


def frame_of_given(given: Any) -> pd.DataFrame:
    """Return what is given as a frame, of one row where it is the same for all rows.

    Raises
    ------
    TypeError, ValueError
        If it is neither a mapping of column to value nor a frame, or holds nothing.
    """
    if isinstance(given, pd.DataFrame):
        frame = given
    elif isinstance(given, Mapping):
        for column, value in given.items():
            if not pd.api.types.is_scalar(value):
                raise TypeError(
                    f"given[{column!r}] must be one value, got {value!r}: for a value per row pass a DataFrame with as many "
                    "rows as you want samples"
                )
        frame = pd.DataFrame({column: pd.Series([value]) for column, value in given.items()})
    else:
        raise TypeError(f"given must be a dict of column to value, a DataFrame or None, got {given!r}")
    if not frame.size:
        raise ValueError(f"given holds no value (shape {frame.shape}): name at least one column and one row, or leave it None")
    if not frame.columns.is_unique:
        raise ValueError(f"given names {list(frame.columns[frame.columns.duplicated()])} twice: leave one of each")
    return frame
