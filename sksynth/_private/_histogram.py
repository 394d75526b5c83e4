"""Noisy histograms of a line of numbers, finer where rows crowd: a column's shape, and the values that many rows share."""

from typing import NamedTuple

import numpy as np

from ..privacy._mechanisms import GaussianCounts, nonnegative

FEW_TICKS = 256  # a line of so few values is counted value by value
BRANCHES = 64  # parts into which a cell is divided
MAX_LEVELS = 4
FLOOR = 0.1  # standard deviations of noise that a value of a public domain has at least, so that none is taken for impossible
END_STANDS_OUT = 3.0  # standard deviations that the rows of an end of the line have to exceed
STANDS_OUT = 4.0  # standard deviations of noise from which a part of a cell is told from the rest of the cell


class Leaves(NamedTuple):
    """Disjoint stretches of a line of ticks, both ends included, and about how many rows lie in each."""

    first: np.ndarray  # int64
    last: np.ndarray
    count: np.ndarray  # float64, not negative


def n_levels(n_ticks: int) -> int:
    """Return the number of histograms that `noisy_leaves` counts every row in, for a line of so many ticks."""
    if n_ticks <= FEW_TICKS:
        return 1
    return int(min(np.ceil(np.log(n_ticks) / np.log(BRANCHES)), MAX_LEVELS))


def noisy_leaves(ticks: np.ndarray, n_ticks: int, counted: GaussianCounts, total: float, trim: bool = False) -> Leaves:
    """Count rows by stretches of the line ``0 .. n_ticks - 1``, with noise.

    The line is divided into equal parts; each part that stands out of the noise is divided again. Every row is counted once
    on each of `n_levels(n_ticks)` levels.

    Parameters
    ----------
    ticks : ndarray of int64, shape (n_present,)
    n_ticks : int
    counted : GaussianCounts
        Makes the noise.
    total : float
        About the number of rows; public, or released already.
    trim : bool, default=False
        Leave out both ends of the line as far as their counts may be nothing but noise; else every value of a line of few
        has some rows.
    """
    scale, levels, branches = counted.scale, n_levels(n_ticks), n_ticks if n_ticks <= FEW_TICKS else BRANCHES
    first, last = np.zeros(1, np.int64), np.full(1, n_ticks - 1, np.int64)
    counts = np.array([total])
    done: list[Leaves] = []
    for level in range(levels):
        edges = _edges(first, last, branches)  # (n_nodes, branches + 1): parts begin here, the last is where the node ends
        noisy = counted.noisy(_count(ticks, edges))
        if level == 0:
            inside = _inside(noisy[0], scale) if trim else slice(None)
            found = np.zeros_like(noisy)
            found[0, inside] = nonnegative(noisy[0, inside], total)
            found = np.maximum(found, FLOOR * scale * (levels == 1 and not trim))
            apart = found > 0
        else:
            apart = (noisy > STANDS_OUT * scale) & (np.diff(edges, axis=1) > 0)
            found = np.where(apart, noisy, 0.0)
            done.append(_background(edges, apart, counts - found.sum(axis=1)))
        parts = Leaves(edges[:, :-1][apart], edges[:, 1:][apart] - 1, found[apart])
        divisible = (parts.last > parts.first) & (parts.count > STANDS_OUT * scale) & (level + 1 < levels)
        done.append(Leaves(*(side[~divisible] for side in parts)))
        first, last, counts = (side[divisible] for side in parts)
        if not len(first):
            break
    return Leaves(*(np.concatenate(sides) for sides in zip(*done, strict=True)))


def _inside(noisy, scale):
    """Return the parts that are left when both ends are cut as far as the rows in them may be noise."""
    noise = END_STANDS_OUT * scale * np.sqrt(np.arange(1, len(noisy) + 1))
    sides = noisy, noisy[::-1]
    first, last = (np.flatnonzero((np.cumsum(side) > noise) | (side > STANDS_OUT * scale)) for side in sides)
    crossed = not len(first) or not len(last) or first[0] + last[0] >= len(noisy)  # nothing is left between the ends
    return slice(None) if crossed else slice(first[0], len(noisy) - last[0])


def _edges(first, last, branches):
    size = last - first + 1
    steps = np.arange(branches + 1)
    return first[:, None] + (size[:, None] // branches) * steps + np.minimum((size[:, None] % branches), steps)


def _count(ticks, edges):
    """Rows in every part of every node, shape (n_nodes, branches)."""
    order = np.sort(ticks)
    return np.diff(np.searchsorted(order, edges.ravel()).reshape(edges.shape), axis=1)


def _background(edges, apart, left):
    """Spread what is left of each node evenly over its parts that do not stand out."""
    size = np.where(apart, 0, np.diff(edges, axis=1))
    whole = np.maximum(size.sum(axis=1, keepdims=True), 1)
    spread = np.maximum(left, 0.0)[:, None] * size / whole
    rest = size > 0
    return Leaves(edges[:, :-1][rest], edges[:, 1:][rest] - 1, spread[rest])


def ticks_like(leaves: Leaves, n_rows: int) -> np.ndarray:
    """Return `n_rows` ticks that lie in the leaves in proportion to their counts, evenly within each."""
    ends = np.cumsum(leaves.count)
    if not len(ends) or ends[-1] <= 0:
        leaf = np.zeros(n_rows, int)
        ends, leaves = np.ones(1), Leaves(leaves.first[:1], leaves.last[:1], np.ones(1))
    at = (np.arange(n_rows) + 0.5) / n_rows * ends[-1]
    leaf = np.searchsorted(ends, at, "right").clip(max=len(ends) - 1)
    within = (at - (ends - leaves.count)[leaf]) / np.maximum(leaves.count[leaf], 1e-300)
    size = leaves.last[leaf] - leaves.first[leaf] + 1
    return leaves.first[leaf] + np.minimum((within * size).astype(np.int64), size - 1)
