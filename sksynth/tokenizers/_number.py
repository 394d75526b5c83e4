"""The codec of numbers."""

import numpy as np
import pandas as pd

from .._grammar import MISSING
from .._state import check_keys, marker_to_text, take_marker
from .._values import missing_marker
from ._cells import Cells
from ._codec import FREE_BITS, FieldCodec
from ._scale import checked_scale, scale_of

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
        self._scale, self._cells = scale, cells
        self.run = cells.run(name, nullable)
        wide = (cells.last - cells.first)[~cells.single & (cells.size > 0)]
        if scale.continuous:
            self.n_free = CONTINUOUS_DIGITS * bool(len(wide))
        else:
            largest = int(wide.max(initial=0)) + 1
            self.n_free = 0 if largest == 1 else -(-(largest.bit_length() + SPARE_BITS) // FREE_BITS)

    @classmethod
    def fit(cls, values: pd.Series, field, *, name: str, min_frequency: int) -> "NumberCodec":
        """Learn the cells of a column, whose `field` is complete."""
        scale = scale_of(field, name, missing_marker(values))
        return cls.of_scale(scale, values, field, name=name, min_frequency=min_frequency)

    @classmethod
    def of_scale(cls, scale, values: pd.Series, field, *, name: str, min_frequency: int) -> "NumberCodec":
        """Learn the cells of a column on a scale of its own."""
        positions, missing = scale.positions(values)
        cells = Cells(positions[~missing], scale.first, scale.last, min_frequency)
        return cls(scale, cells, name, bool(field.nullable))

    def to_state(self) -> dict:
        """Return the state: the cells, and what stands for a missing one."""
        return {"marker": marker_to_text(self._scale.marker), "cells": self._cells.to_state()}

    @classmethod
    def from_state(cls, state: dict, field, name: str) -> "NumberCodec":
        """Return the codec that wrote `state`; `field` is a completed Number or Datetime."""
        check_keys(state, "marker", "cells")
        scale = checked_scale(field, name, take_marker(state, "marker"))
        return cls(scale, Cells.from_state(state["cells"], scale.first, scale.last), name, field.nullable)

    def encode(self, values: pd.Series) -> tuple[np.ndarray, np.ndarray]:
        """Return tokens and free digits; values beyond the bounds are clipped."""
        positions, missing = self._scale.positions(values)
        leaf = self._cells.find(positions)
        ids = np.stack([self._cells.token1[leaf], self._cells.token2[leaf]], axis=1)[:, : self.n_positions]
        ids[missing] = MISSING
        within = self._digits(positions, leaf)
        within[missing] = 0
        return ids.astype(np.int32), within

    def decode(self, ids: np.ndarray, free: np.ndarray) -> pd.Series:
        """Return the column."""
        leaf, missing = self._leaf(ids)
        return self._scale.column(self._positions(leaf, free), missing)

    def log_cell_size(self, ids: np.ndarray) -> np.ndarray:
        """Return the log of the ticks in each row's leaf, or of its width; 0 for a single value."""
        leaf, missing = self._leaf(ids)
        exact = missing | self._cells.single[leaf] | (self._cells.size[leaf] <= 0)
        return np.where(exact, 0.0, np.log(np.where(exact, 1.0, self._cells.size[leaf])) + np.log(self._scale.unit))

    def _leaf(self, ids):
        missing = ids[:, 0] == MISSING
        second = ids[:, 1] if ids.shape[1] > 1 else np.zeros(len(ids), np.int32)
        leaf = self._cells.leaf[ids[:, 0], second]
        return np.where(missing, 0, leaf), missing

    def _digits(self, positions, leaf):
        first, last = self._cells.first[leaf], self._cells.last[leaf]
        digits = np.zeros((len(positions), self.n_free), np.int32)
        if self._scale.continuous:
            width = last - first
            rest = np.clip((positions - first) / np.where(width > 0, width, 1.0), 0.0, np.nextafter(1.0, 0.0))
            for i in range(self.n_free):
                rest = rest * 2.0**FREE_BITS
                digits[:, i] = rest
                rest = rest - digits[:, i]
            return digits
        rest = positions - first
        for i in range(self.n_free):
            digits[:, i] = rest & np.uint64((1 << FREE_BITS) - 1)
            rest = rest >> np.uint64(FREE_BITS)
        return digits

    def _positions(self, leaf, free):
        first, last = self._cells.first[leaf], self._cells.last[leaf]
        if self._scale.continuous:
            share = np.zeros(len(leaf))
            for i in reversed(range(self.n_free)):
                share = (share + free[:, i]) * 2.0**-FREE_BITS
            return np.clip(first + share * (last - first), first, last)
        within = np.zeros(len(leaf), np.uint64)
        for i in reversed(range(min(self.n_free, 2))):
            within = (within << np.uint64(FREE_BITS)) | free[:, i].astype(np.uint64)
        if self.n_free <= 2:
            return first + within % (last - first + np.uint64(1))
        return first + _wide_remainder(within, free[:, 2:], last - first)


def _wide_remainder(low, high_digits, largest):
    """Return (low + high digits * 2**60) modulo (largest + 1), in Python's integers where uint64 would overflow."""
    total, scale = low.astype(object), 1 << (2 * FREE_BITS)
    for digit in high_digits.T:
        total = total + digit.astype(object) * scale
        scale <<= FREE_BITS
    return (total % (largest.astype(object) + 1)).astype(np.uint64)
