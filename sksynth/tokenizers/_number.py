"""The codec of numbers."""

import numpy as np
import pandas as pd

from .._grammar import MISSING
from .._state import check_keys, marker_to_text, take_marker
from .._values import missing_marker
from ._cells import Cells
from ._codec import FREE_BITS, FieldCodec
from ._digits import digits_of, digits_of_share, remainder_of, share_of
from ._scale import checked_scale, log_outside, scale_of

CONTINUOUS_DIGITS = 3  # free digits of a continuous column: 90 bits of its place in the leaf
SPARE_BITS = 10  # beyond the largest leaf's: what reducing the digits modulo its size may skew, 2**-SPARE_BITS


class NumberCodec(FieldCodec):
    """Numbers <-> at most two tokens, and free digits for the place in the leaf.

    Parameters
    ----------
    scale : Scale
        Column <-> positions on the line.
    cells : Cells
    name : str
    nullable : bool
    """

    def __init__(self, scale, cells, name, nullable):
        self.scale, self.cells = scale, cells
        self.run = cells.run(name, nullable)
        wide = (cells.last - cells.first)[~cells.single & (cells.size > 0)]
        if scale.continuous:
            self.n_free = CONTINUOUS_DIGITS * bool(len(wide))
        else:
            largest = int(wide.max(initial=0)) + 1
            self.n_free = 0 if largest == 1 else -(-(largest.bit_length() + SPARE_BITS) // FREE_BITS)

    @classmethod
    def fit(cls, values: pd.Series, field, *, name: str, min_frequency: int, holes: bool = True) -> "NumberCodec":
        """Learn the cells of a column, whose `field` is complete; whether `holes` are left out of them, see `Cells`."""
        scale = scale_of(field, name, missing_marker(values))
        return cls.of_scale(scale, values, field, name=name, min_frequency=min_frequency, holes=holes)

    @classmethod
    def of_scale(cls, scale, values: pd.Series, field, *, name: str, min_frequency: int, holes: bool) -> "NumberCodec":
        """Learn the cells of a column on a scale of its own."""
        positions, missing = scale.positions(values)
        cells = Cells(positions[~missing], scale.first, scale.last, min_frequency, holes)
        return cls(scale, cells, name, bool(field.nullable))

    def to_state(self) -> dict:
        """Return the state: the cells, and what stands for a missing one."""
        return {"marker": marker_to_text(self.scale.marker), "cells": self.cells.to_state()}

    @classmethod
    def from_state(cls, state: dict, field, name: str) -> "NumberCodec":
        """Return the codec that wrote `state`; `field` is a completed Number or Datetime."""
        check_keys(state, "marker", "cells")
        scale = checked_scale(field, name, take_marker(state, "marker"))
        return cls(scale, Cells.from_state(state["cells"], scale.first, scale.last), name, field.nullable)

    def encode(self, values: pd.Series) -> tuple[np.ndarray, np.ndarray]:
        """Return tokens and free digits; values beyond the bounds are clipped."""
        positions, missing = self.scale.positions(values)
        ids, within = self.ids_at(positions)
        ids[missing] = MISSING
        within[missing] = 0
        return ids, within

    def ids_at(self, positions: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the tokens and free digits of positions on the line."""
        leaf = self.cells.find(positions)
        first, last = self.cells.first[leaf], self.cells.last[leaf]
        if self.scale.continuous:
            width = last - first
            share = np.clip((positions - first) / np.where(width > 0, width, 1.0), 0.0, np.nextafter(1.0, 0.0))
            return self._tokens(leaf), digits_of_share(share, self.n_free)
        return self._tokens(leaf), digits_of(positions - first, self.n_free)

    def context(self, values: pd.Series) -> np.ndarray:
        """Return tokens that rows may hold: those of the nearest cell for values that lie in none."""
        positions, missing = self.scale.positions(values)
        leaf = self.cells.find(positions)
        ids = self._tokens(np.where(leaf < self.cells.n_cells, leaf, self.cells.nearest(positions, positions)))
        ids[missing] = MISSING
        return ids

    def _tokens(self, leaf):
        tokens = np.stack([self.cells.token1[leaf], self.cells.token2[leaf]], axis=1)
        return tokens[:, : self.n_positions].astype(np.int32)

    def decode(self, ids: np.ndarray, free: np.ndarray) -> pd.Series:
        """Return the column."""
        leaf, missing = self.leaf(ids)
        return self.scale.column(self._positions(leaf, free), missing)

    def log_outside(self, values: pd.Series) -> np.ndarray:
        """Return what values beyond the bounds, or not of the precision, lose of their score: their cell has no size."""
        losses, beyond = log_outside(self.scale, values)
        return losses - np.where(beyond, self.log_cell_size(self.encode(values)[0]), 0.0)

    def log_cell_size(self, ids: np.ndarray) -> np.ndarray:
        """Return the log of the ticks in each row's leaf, or of its width; 0 for a single value."""
        leaf, missing = self.leaf(ids)
        exact = missing | self.cells.single[leaf] | (self.cells.size[leaf] <= 0)
        return np.where(exact, 0.0, np.log(np.where(exact, 1.0, self.cells.size[leaf])) + np.log(self.scale.unit))

    def leaf(self, ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the leaf of tokens, and where they say that a cell is missing."""
        missing = ids[:, 0] == MISSING
        second = ids[:, 1] if ids.shape[1] > 1 else np.zeros(len(ids), np.int32)
        leaf = self.cells.leaf[ids[:, 0], second]
        return np.where(missing, 0, leaf), missing

    def _positions(self, leaf, free):
        first, last = self.cells.first[leaf], self.cells.last[leaf]
        if self.scale.continuous:
            return np.clip(first + share_of(free) * (last - first), first, last)
        return first + remainder_of(free, last - first)
