"""Conditions on columns whose values lie on a line: numbers, durations and dates."""

import numpy as np
import pandas as pd

from .._grammar import MISSING
from .._values import NANOSECONDS
from ._category import CategoryCodec
from ._cells import FIRST
from ._codec import FieldCodec
from ._conditions import Condition, IdentifierCondition, ListCondition, Place, TextCondition
from ._datetime import DatetimeCodec
from ._digits import digits_of, remainder_of, share_of
from ._domain import Wanted
from ._identifier import IdentifierCodec
from ._number import NumberCodec
from ._stretches import Stretches
from ._text import TextCodec

__all__ = ["CalendarCondition", "LineCondition", "condition_of"]


def _stretches(scale, wanted):
    """Return the positions that are wanted."""
    points = scale.positions(wanted.cells)[0] if len(wanted.cells) else []
    ends = wanted.within + [(point, point) for point in points]
    point = np.spacing(max(abs(scale.first), abs(scale.last))) if scale.continuous else 0.0
    return Stretches(ends, scale.continuous, point)


class LineCondition(Condition):
    """Numbers, durations, or dates that are centuries apart, in cells.

    Where no cell meets the condition, rows have the tokens of the nearest one until they are settled: then they have those of
    what lies elsewhere.

    Parameters
    ----------
    place, codec, wanted
        See `Condition`.
    """

    def __init__(self, place: Place, codec: NumberCodec, wanted: Wanted):
        super().__init__(place, codec, wanted)
        cells, self._wanted = codec.cells, _stretches(codec.scale, wanted)
        self._first, self._last = cells.first.copy(), cells.last.copy()  # where the values of each leaf are taken from
        shares, seen = np.full(len(cells.size), -np.inf, np.float32), slice(0, cells.n_cells)
        size = np.maximum(cells.size[seen], self._wanted.point)
        shares[seen] = self._wanted.share(self._first[seen], self._last[seen], size)
        if len(self._wanted) and np.isneginf(shares).all():
            self._take_nearest(shares)
        self._first_weights, self._second_weights = self._by_token(shares)

    def _take_nearest(self, shares):
        """Let the cell that is nearest to each stretch stand for it."""
        stretches = self._wanted
        leaf = self.codec.cells.nearest(stretches.first, stretches.last)
        found, opens = np.unique(leaf, return_index=True)
        closes = np.append(opens[1:], len(leaf)) - 1
        self._first[found], self._last[found], shares[found] = stretches.first[opens], stretches.last[closes], 0.0

    def _by_token(self, shares):
        """Return the weights of first tokens, and of second tokens by the first."""
        cells, leaf = self.codec.cells, np.flatnonzero(shares > -np.inf)
        second = np.full(cells.n_tokens, -np.inf, np.float32)
        first, is_part = second[:, 0].copy(), cells.token2[leaf] >= FIRST
        first[cells.token1[leaf]] = np.where(is_part, 0.0, shares[leaf])
        second[cells.token1[leaf], cells.token2[leaf]] = np.where(is_part, shares[leaf], 0.0)
        if self.missing:
            first[MISSING] = second[MISSING, MISSING] = 0.0
        return first, second

    def log_weights(self, tokens: np.ndarray) -> np.ndarray:
        if tokens.shape[1]:
            return self._second_weights[tokens[:, 0]]
        return np.tile(self._first_weights, (len(tokens), 1))

    def settled(self, ids: np.ndarray) -> np.ndarray:
        ids, codec = super().settled(ids), self.codec
        leaf, missing = codec.leaf(ids[:, self.positions])
        first, last = self._first[leaf], self._last[leaf]
        rows = np.flatnonzero(~missing & self._wanted.meets(first, last))
        first, last = first[rows], last[rows]
        extent, digits = self._wanted.extent(first, last), ids[rows, self.free]
        place = share_of(digits) * extent if codec.scale.continuous else remainder_of(digits, extent)
        ids[rows, self.positions], ids[rows, self.free] = codec.ids_at(self._wanted.at(first, last, place))
        return ids

    def put_into(self, column: pd.Series) -> pd.Series:
        """Return the decoded column with the exact values that were given; on a continuum others may miss it by rounding."""
        if self._only is not None or not self.codec.scale.continuous or not len(self._wanted):
            return super().put_into(column)
        positions, missing = self.codec.scale.positions(column)
        cells = self.codec.scale.column(self._wanted.snap(positions), missing)
        return cells.set_axis(column.index).rename(column.name)


class CalendarCondition(Condition):
    """Dates of calendar parts, each of which tells how much may follow.

    Parameters
    ----------
    place, codec, wanted
        See `Condition`.
    """

    def __init__(self, place: Place, codec: DatetimeCodec, wanted: Wanted):
        super().__init__(place, codec, wanted)
        self._wanted = _stretches(codec.scale, wanted)
        per_tick = NANOSECONDS[codec.scale.field.resolution]
        self._lengths = [NANOSECONDS[unit] // per_tick for unit in ("D", *(unit for _, _, unit in codec.clock))]

    def log_weights(self, tokens: np.ndarray) -> np.ndarray:
        if not tokens.shape[1]:
            return np.repeat(self._after(tokens[:1], np.zeros(len(tokens[:1]), np.int16)), len(tokens), axis=0)
        begun, lane = np.unique(tokens, axis=0, return_inverse=True)
        state = np.zeros(len(begun), np.int16)
        for slot, token in zip(self._slots, begun.T, strict=False):
            state = slot.transitions[state, token]
        return self._after(begun, state)[lane.ravel()]

    def _after(self, begun, state):
        """Return the weights of the tokens that come next, by the tokens so far and the state that these lead to."""
        n_read = begun.shape[1]
        slot, is_last = self._slots[n_read], n_read == len(self._slots) - 1
        allowed = slot.transitions[state] >= 0
        weights = np.where(allowed, 0.0, -np.inf).astype(np.float32)
        gone = begun[:, 0] == MISSING if n_read else np.zeros(len(begun), bool)
        if not n_read:
            weights[:, MISSING], allowed[:, MISSING] = 0.0 if self.missing else -np.inf, False
        else:
            open_ = np.flatnonzero(~gone)
            inside = self._wanted.covers(*self._range(begun[open_]))
            allowed[np.concatenate([np.flatnonzero(gone), open_[inside]])] = False
        row, token = np.nonzero(allowed)
        first, last = self._range(np.concatenate([begun[row], token[:, None]], axis=1))
        if is_last:
            weights[row, token] = self._wanted.share(first, last, (last - first).astype(np.float64) + 1.0)
        else:
            weights[row, token] = np.where(self._wanted.meets(first, last), 0.0, -np.inf)
        return weights

    def _range(self, tokens):
        """Return the first and the last position of what begins with tokens, which are all of dates."""
        codec, n_read = self.codec, tokens.shape[1]
        parts = np.tile([0, 1, 1, *(0 for _ in codec.clock)], (len(tokens), 1))
        parts[:, :n_read] = tokens + codec.offsets()[:n_read]
        at_low, at_high = ((parts[:, :n_read] == bound[:n_read]).all(axis=1) for bound in (codec.low, codec.high))
        start = codec.ticks_of(parts, 0)
        if n_read > 2:
            stop = start + self._lengths[n_read - 3]
        else:
            parts[:, n_read - 1] += 1
            stop = codec.ticks_of(parts, 0)
        origin = np.uint64(codec.scale.low % 2**64)
        first, last = start.astype(np.uint64) - origin, stop.astype(np.uint64) - np.uint64(1) - origin
        return np.where(at_low, codec.scale.first, first), np.where(at_high, codec.scale.last, last)

    def settled(self, ids: np.ndarray) -> np.ndarray:
        ids = super().settled(ids)
        own = ids[:, self.positions]
        rows = np.flatnonzero(own[:, 0] != MISSING)
        first, last = self._range(own[rows])
        met = self._wanted.meets(first, last)
        rows, first, last = rows[met], first[met], last[met]
        place = remainder_of(ids[rows, self.free], self._wanted.extent(first, last))
        ids[rows, self.free] = digits_of(self._wanted.at(first, last, place) - first, self.codec.n_free)
        return ids


CONDITIONS = {
    CategoryCodec: ListCondition,
    TextCodec: TextCondition,
    IdentifierCodec: IdentifierCondition,
    NumberCodec: LineCondition,
    DatetimeCodec: CalendarCondition,
}


def condition_of(place: Place, codec: FieldCodec, wanted: Wanted) -> Condition:
    """Return the condition on a column of which something is given."""
    return CONDITIONS[type(codec)](place, codec, wanted)
