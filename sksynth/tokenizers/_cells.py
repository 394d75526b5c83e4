"""Cells: a line of numbers cut into pieces of about equal mass, in two levels, that a network can tell apart.

Positions on the line are uint64 (*ticks*: every whole number is a value) or float64 (a continuum). A *leaf* is what a row's
two tokens say; where in the leaf a value lies is uniform.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .._grammar import MISSING, OTHER, Run, Slot
from .._state import check_keys, expect, take_array

MAX_CELLS = 120  # first-level cells of a column, about: with MISSING and OTHER no more than 128 tokens as a rule
MIN_CELLS = 16
ROWS_PER_CELL = 40
MAX_SUBCELLS = 28  # second-level cells of a first-level cell, about: no more than 32 tokens as a rule
NOTHING, ELSEWHERE = 0, 1  # tokens of the second slot; its sub-cells follow
FIRST = 2  # token of the first cell, in both slots
NEAR = 20  # values on either side by which it is told whether a hole between them is wide
WIDE = 3.0  # times as wide as those values lie apart
MAX_HOLES = 8


@dataclass(frozen=True, eq=False)
class Partition:
    """Disjoint cells in ascending order, both ends included; what lies between them holds no rows.

    Parameters
    ----------
    first, last : ndarray, shape (n_cells,)
    single : ndarray of bool, shape (n_cells,)
        Cells of one value that many rows share.
    """

    first: np.ndarray
    last: np.ndarray
    single: np.ndarray

    def __len__(self):
        return len(self.first)

    def only(self, which) -> "Partition":
        """Return the cell at an index, or the cells of a slice."""
        which = slice(which, which + 1) if isinstance(which, int) else which
        return Partition(self.first[which], self.last[which], self.single[which])

    def to_state(self) -> dict:
        """Return the state of the cells."""
        return {"first": self.first, "last": self.last, "single": self.single}

    @classmethod
    def from_state(cls, state: dict, low, high) -> "Partition":
        """Return the cells that wrote `state`, between `low` and `high`; ValueError if they are none."""
        check_keys(state, "first", "last", "single")
        first = take_array(state, "first", low.dtype, (None,))
        last = take_array(state, "last", low.dtype, first.shape)
        single = take_array(state, "single", bool, first.shape)
        expect((first <= last).all() and (last[:-1] < first[1:]).all(), "the row of cells", first, "ascending, disjoint ones")
        expect(((low <= first) & (last <= high)).all(), "the row of cells", first, f"cells from {low} to {high}")
        expect((first == last)[single].all(), "'single'", single, "cells of one value")
        return cls(first, last, single)


def _after(position):
    return np.nextafter(position, np.inf) if position.dtype.kind == "f" else position + np.uint64(1)


def _before(position):
    return np.nextafter(position, -np.inf) if position.dtype.kind == "f" else position - np.uint64(1)


def _between(left, right):
    """Return the last position that belongs to `left` where the line is cut halfway to `right`."""
    if left.dtype.kind == "f":
        return np.minimum(left + (right - left) / 2, np.nextafter(right, -np.inf))
    return left + (right - left - np.uint64(1)) // np.uint64(2)


def size(first, last):
    """Return the number of ticks (float64), or the width, from `first` to `last`."""
    width = (last - first).astype(np.float64)
    return width if first.dtype.kind == "f" else width + 1.0


def gap(cells: Partition, first, last) -> float:
    """Return the size of what the cells leave out between `first` and `last`; 0.0 where they leave out nothing."""
    if len(cells) == 0:
        return float(size(first, last))
    before, after = cells.last[:-1], cells.first[1:]
    hole = _after(before) < after
    found = size(_after(before[hole]), _before(after[hole])).sum()
    if first < cells.first[0]:
        found += size(first, _before(cells.first[0]))
    if cells.last[-1] < last:
        found += size(_after(cells.last[-1]), last)
    holes = hole.any() or first < cells.first[0] or cells.last[-1] < last
    return float(max(found, np.finfo(float).tiny)) if holes else 0.0


def clusters(values: np.ndarray, counts: np.ndarray, min_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the index of the first and of the last value of each cluster: what lies between wide holes.

    A hole is wide where `NEAR` values on either side lie close together beside it: that before 9999-12-31, as a rule. As the
    domain at its bounds, a cluster ends at a hole with the `min_rows`-th of its rows, so that no single row says where.

    Parameters
    ----------
    values : ndarray of uint64 or float64, shape (n_values,)
        Distinct, ascending.
    counts : ndarray of int, shape (n_values,)
        Rows per value.
    min_rows : int
    """
    left, right = np.arange(len(values) - 1), np.arange(1, len(values))
    before = values[left] - values[np.maximum(left - NEAR + 1, 0)]
    after = values[np.minimum(right + NEAR - 1, len(values) - 1)] - values[right]
    width = (values[right] - values[left]).astype(np.float64)
    wide = right[width / WIDE > np.maximum(before, after)]
    total = np.concatenate([[0], np.cumsum(counts)])
    cuts: list[int] = []
    found = _ends(total, cuts, min_rows)
    for hole in wide[np.argsort(-width[wide - 1], kind="stable")][:MAX_HOLES].tolist():
        ends = _ends(total, sorted([*cuts, hole]), min_rows)
        if (ends[0] <= ends[1]).all():
            cuts, found = sorted([*cuts, hole]), ends
    return found


def _ends(total, cuts, min_rows):
    """Return the first and the last value of clusters that begin at `cuts`; where they have too few rows, last < first."""
    first = np.searchsorted(total, total[cuts] + min_rows) - 1
    last = np.searchsorted(total, total[cuts] - min_rows, "right") - 1
    return np.append(0, first).astype(np.intp), np.append(last, len(total) - 2).astype(np.intp)


def partition(values: np.ndarray, counts: np.ndarray, first, last, n_cells: int, min_rows: int, opens=()) -> Partition:
    """Cut the line from `first` to `last` into about `n_cells` cells.

    Values that many rows share become cells of their own. The stretches between them are cut into cells of about equal
    mass, halfway between neighbouring values; a stretch without rows becomes no cell. No cell reaches into the holes between
    clusters of values.

    Parameters
    ----------
    values : ndarray of uint64 or float64, shape (n_values,)
        Distinct, ascending, within [first, last].
    counts : ndarray of int, shape (n_values,)
        Rows per value.
    first, last : scalar of the same dtype
    n_cells : int
    min_rows : int
        Rows that a cell should have at least.
    opens : sequence of int
        Indices of the values at which clusters begin, but for the first one.
    """
    target = max(min_rows, counts.sum() / n_cells)
    single = counts >= (min_rows if len(values) <= n_cells else target)
    rest = np.flatnonzero(~single)
    is_hole = np.isin(np.arange(len(values) + 1), opens)  # in front of a value
    stretch = np.cumsum(single + is_hole[:-1])[rest]
    starts = _cell_starts(counts[rest], stretch, target, min_rows)
    closes = np.append(starts[1:], len(rest)) - 1
    spikes, head, tail = values[single], rest[starts], rest[closes[: len(starts)]]
    starts = np.full(len(head), first, values.dtype)
    ends = np.full(len(head), last, values.dtype)
    cut = head > 0
    before = head[cut] - 1
    nearest = _after(np.where(single[before], values[before], _between(values[before], values[head[cut]])))
    starts[cut] = np.where(is_hole[head[cut]], values[head[cut]], nearest)
    cut = tail < len(values) - 1
    after = tail[cut] + 1
    nearest = np.where(single[after], _before(values[after]), _between(values[tail[cut]], values[after]))
    ends[cut] = np.where(is_hole[after], values[tail[cut]], nearest)
    order = np.argsort(np.concatenate([spikes, starts]), kind="stable")
    pick = [np.concatenate(pair)[order] for pair in ((spikes, starts), (spikes, ends))]
    return Partition(*pick, (np.arange(len(order)) < len(spikes))[order])


def most_cells(n_cells: int) -> int:
    """Return the largest number of cells that `partition` makes: values that many rows share have stretches between them."""
    return 2 * n_cells + 1


def _cell_starts(counts, stretch, target, min_rows):
    """Return the indices of the values at which cells open, so that the cells of a stretch have about equal mass."""
    if len(counts) == 0:
        return np.zeros(0, np.intp)
    mass = np.bincount(stretch, counts)
    n_parts = np.maximum(1, np.minimum(np.rint(mass / target), mass // min_rows))
    centre = np.cumsum(counts) - counts / 2 - (np.cumsum(mass) - mass)[stretch]
    part = np.floor(centre * n_parts[stretch] / mass[stretch])
    opens = [0]
    filled, total = 0, np.cumsum(counts)
    for i in np.flatnonzero((np.diff(stretch) > 0) | (np.diff(part) > 0)) + 1:
        new_stretch = stretch[i] > stretch[i - 1]
        left = total[np.searchsorted(stretch, stretch[i], "right") - 1] - total[i - 1]
        if new_stretch or (total[i - 1] - filled >= min_rows and left >= min_rows):
            opens.append(i)
            filled = total[i - 1]
    return np.array(opens)


class Cells:
    """The two-level cells of a column: positions <-> two tokens and a leaf.

    Parameters
    ----------
    positions : ndarray of uint64 or float64, shape (n_rows,)
        The training column, without missing cells.
    first, last : scalar of the same dtype
        The domain.
    min_rows : int
        Rows that a cell should have at least.
    holes : bool, default=True
        Whether wide holes between values are left out.

    Attributes
    ----------
    n_cells : int
        Number of leaves that are cells. They come first in the arrays below; what is elsewhere in the domain follows, then
        what is elsewhere in each divided first-level cell.
    first, last : ndarray of uint64 or float64, shape (n_leaves,)
        Both ends of the leaves, included.
    size : ndarray of float64, shape (n_leaves,)
        Ticks, or width; of *elsewhere* only those outside of the cells: 0.0 where there are none.
    single : ndarray of bool, shape (n_leaves,)
    token1, token2 : ndarray of int, shape (n_leaves,)
    """

    def __init__(self, positions, first, last, min_rows, holes=True):
        values, counts = np.unique(positions, return_counts=True)
        n_cells = int(np.clip(len(positions) / ROWS_PER_CELL, MIN_CELLS, MAX_CELLS))
        low, high = _core(positions, first, last, min_rows)
        inside = (values >= low) & (values <= high)
        values, counts = values[inside], counts[inside]
        opens = []
        if holes:
            heads, tails = clusters(values, counts, min_rows)
            kept = np.concatenate([np.arange(head, tail + 1) for head, tail in zip(heads, tails, strict=True)])
            opens = np.searchsorted(kept, heads[1:])
            values, counts = values[kept], counts[kept]
        top = partition(values, counts, low, high, n_cells, min_rows, opens)
        subs = [_subdivide(values, counts, *cell, min_rows) for cell in zip(top.first, top.last, top.single, strict=True)]
        self._collect(top, subs, positions.dtype.type(first), positions.dtype.type(last))

    def _collect(self, top, subs, first, last):
        """Set the leaves: all cells in ascending order, then what is elsewhere: in the domain, and in each divided cell."""
        divided = np.array([sub is not None for sub in subs], bool)
        parts = [top.only(i) if sub is None else sub for i, sub in enumerate(subs)]
        lengths = np.array([len(part) for part in parts], int)
        none = top.only(slice(0))  # there may be no cell at all
        leaves = [np.concatenate([getattr(part, name) for part in [none, *parts]]) for name in ("first", "last", "single")]
        gaps = [gap(part, *ends) for part, *ends in zip(parts, top.first, top.last, strict=True)]
        token1 = np.arange(len(top)) + FIRST
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths) + FIRST
        self.n_cells = len(within)
        self.first = np.concatenate([leaves[0], [first], top.first[divided]])
        self.last = np.concatenate([leaves[1], [last], top.last[divided]])
        self.single = np.concatenate([leaves[2], np.zeros(1 + divided.sum(), bool)])
        self.size = np.concatenate([size(*leaves[:2]), [gap(top, first, last)], np.array(gaps)[divided]])
        self.token1 = np.concatenate([np.repeat(token1, lengths), [OTHER], token1[divided]])
        second = np.where(np.repeat(divided, lengths), within, NOTHING)
        self.token2 = np.concatenate([second, [NOTHING], np.full(divided.sum(), ELSEWHERE)])

    def to_state(self) -> dict:
        """Return the state of the cells: those of the first level, and those into which some of them are divided."""
        whole = (self.token1 >= FIRST) & (self.token2 < FIRST)
        top = np.flatnonzero(whole)[np.argsort(self.token1[whole])]
        deep = self.token2 >= FIRST
        n_parts = np.bincount(self.token1[deep] - FIRST, minlength=len(top))
        leaves = Partition(self.first, self.last, self.single)
        return {"top": leaves.only(top).to_state(), "parts": leaves.only(deep).to_state(), "n_parts": n_parts.astype(np.int64)}

    @classmethod
    def from_state(cls, state: dict, first, last) -> "Cells":
        """Return the cells that wrote `state`, of the domain from `first` to `last`.

        Raises
        ------
        ValueError
            If the state is none of cells within the domain.
        """
        check_keys(state, "top", "parts", "n_parts")
        top, parts = (Partition.from_state(state[level], first, last) for level in ("top", "parts"))
        n_parts = take_array(state, "n_parts", np.int64, (len(top),))
        n_most, n_most_parts = most_cells(MAX_CELLS) + MAX_HOLES, most_cells(MAX_SUBCELLS)
        expect(len(top) <= n_most, "the number of cells", len(top), f"at most {n_most}")
        expect((n_parts == 0)[top.single].all(), "'single'", top.single, "divided cells of many values")
        counts = np.isin(n_parts, [0, *range(2, n_most_parts + 1)]).all() and n_parts.sum() == len(parts)
        expect(counts, "'n_parts'", n_parts, f"none or 2 to {n_most_parts} for each cell, {len(parts)} in all")
        ends = np.cumsum(n_parts)
        subs = [parts.only(slice(end - n, end)) if n else None for end, n in zip(ends, n_parts, strict=True)]
        cell = np.repeat(np.arange(len(top)), n_parts)
        inside = (top.first[cell] <= parts.first) & (parts.last <= top.last[cell])
        expect(inside.all(), "'parts'", parts.first, "parts that lie in their cells")
        self = cls.__new__(cls)
        self._collect(top, subs, first, last)
        return self

    @property
    def n_tokens(self) -> tuple[int, int]:
        """Tokens in the first and in the second slot; the second is 1 where there is nothing to say."""
        return max(self.token1.max() + 1, FIRST), self.token2.max() + 1

    @cached_property
    def leaf(self) -> np.ndarray:
        """Index of the leaf by tokens; -1 where there is none: shape (n_first, n_second)."""
        table = np.full(self.n_tokens, -1)
        table[self.token1, self.token2] = np.arange(len(self.first))
        return table

    def find(self, positions: np.ndarray) -> np.ndarray:
        """Return the leaf of every position, shape (n_rows,)."""
        cells, divided = slice(0, self.n_cells), slice(self.n_cells + 1, None)
        at, hit = _locate(self.first[cells], self.last[cells], positions)
        deep, between = _locate(self.first[divided], self.last[divided], positions)
        return np.where(hit, at, np.where(between, deep + self.n_cells + 1, self.n_cells))

    def nearest(self, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """Return the nearest cells to stretches that meet none; what is elsewhere, where there are no cells."""
        if not self.n_cells:
            return np.zeros(len(first), np.intp)
        right = np.searchsorted(self.first[: self.n_cells], first)
        left, right = np.maximum(right - 1, 0), np.minimum(right, self.n_cells - 1)
        is_left = (right == left) | (first - self.last[left] <= self.first[right] - last)
        return np.where((self.first[left] < first) & is_left, left, right)

    def run(self, name: str, nullable: bool) -> Run:
        """Return the slots: the first token, and the second where any cell is divided. What has no size is forbidden."""
        n_first, n_second = self.n_tokens
        empty = self.size <= 0
        transitions = np.zeros((1, n_first), np.int16)
        if empty[self.n_cells] and self.n_cells:
            transitions[0, OTHER] = -1
        unsampled = np.zeros(n_first, bool)
        unsampled[[MISSING, OTHER]] = not nullable and self.n_cells > 0, True
        slots = [Slot(name, transitions, unsampled)]
        if n_second > 1:
            divided = self.token1[self.n_cells + 1 :]
            transitions[0, divided] = np.arange(1, len(divided) + 1)
            second = np.full((len(divided) + 1, n_second), -1, np.int16)
            second[0, NOTHING] = 0
            legal = (self.token2 > NOTHING) & (~empty | (self.token2 >= FIRST))
            second[transitions[0, self.token1[legal]], self.token2[legal]] = 0
            slots.append(Slot(f"{name}.part", second, np.arange(n_second) == ELSEWHERE))
        return Run(tuple(slots))


def _locate(first, last, positions):
    """Return the interval in which each position lies, and whether it lies in any."""
    at = np.searchsorted(first, positions, "right") - 1
    return at, (at >= 0) & (positions <= np.append(last, last[-1:] if len(last) else positions[:1])[at])


def _core(positions, first, last, min_rows):
    """Return the part of the domain that is cut into cells: from the `min_rows`-th smallest value to the largest such."""
    if len(positions) < 2 * min_rows:
        return positions.dtype.type(first), positions.dtype.type(last)
    order = np.partition(positions, (min_rows - 1, len(positions) - min_rows))
    return order[min_rows - 1], order[len(positions) - min_rows]


def _subdivide(values, counts, first, last, single, min_rows):
    if single:
        return None
    inside = slice(np.searchsorted(values, first), np.searchsorted(values, last, "right"))
    values, counts = values[inside], counts[inside]
    if len(values) < 2 or counts.sum() < 2 * min_rows:
        return None
    parts = partition(values, counts, first, last, MAX_SUBCELLS, min_rows)
    return parts if len(parts) > 1 else None
