"""Stretches of a line: which of its positions a condition allows."""

import numpy as np

__all__ = ["Stretches"]


class Stretches:
    """Disjoint stretches in ascending order, both ends included.

    Parameters
    ----------
    stretches : list of pairs, or array of shape (n, 2)
        First and last position each, in any order; they may overlap.
    continuous : bool
        Whether positions are float64; otherwise they are uint64, and each is one value.
    point : float, default=0.0
        On a continuum, the width of what is narrower, such as a single value.

    Attributes
    ----------
    first, last : ndarray of uint64 or float64, shape (n_stretches,)
    point : float
    """

    def __init__(self, stretches, continuous: bool, point: float = 0.0):
        ends = np.array(stretches, np.float64 if continuous else np.uint64).reshape(-1, 2)
        ends = ends[np.argsort(ends[:, 0], kind="stable")]
        reach = np.maximum.accumulate(ends[:, 1])
        opens = np.flatnonzero(np.append(True, ends[1:, 0] > reach[:-1])) if len(ends) else np.zeros(0, np.intp)
        self.first, self.last = ends[opens, 0], reach[np.append(opens[1:], len(ends)) - 1] if len(ends) else reach
        self._one = ends.dtype.type(0 if continuous else 1)
        self.point = point
        sizes = self._extent(self.first, self.last) + self._one
        self._before = np.cumsum(sizes) - sizes  # what lies before each stretch; modulo 2**64

    def __len__(self):
        return len(self.first)

    def _extent(self, first, last):
        """Return the number of ticks less one, or the width."""
        return np.maximum(last - first, self.point) if self._one == 0 else last - first

    def _met(self, first, last):
        """Return the numbers of the first and the last stretch that positions from `first` to `last` meet."""
        return np.searchsorted(self.last, first), np.searchsorted(self.first, last, "right") - 1

    def meets(self, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """Return whether any position from `first` to `last` is allowed."""
        start, stop = self._met(first, last)
        return start <= stop

    def covers(self, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """Return whether all positions from `first` to `last` are allowed."""
        if not len(self):
            return np.zeros(len(first), bool)
        start, stop = self._met(first, last)
        inside = np.minimum(start, len(self) - 1)
        return (start == stop) & (self.first[inside] <= first) & (last <= self.last[inside])

    def extent(self, first: np.ndarray, last: np.ndarray) -> np.ndarray:
        """Return the number of allowed ticks less one, or their width, from `first` to `last`, which meet a stretch."""
        start, stop = self._met(first, last)
        one = self._extent(np.maximum(self.first[start], first), np.minimum(self.last[stop], last))
        after = np.minimum(start + 1, len(self) - 1)
        head = self._extent(np.maximum(self.first[start], first), self.last[start])
        tail = self._extent(self.first[stop], np.minimum(self.last[stop], last))
        return np.where(start == stop, one, head + self._one + (self._before[stop] - self._before[after]) + tail)

    def share(self, first: np.ndarray, last: np.ndarray, size: np.ndarray) -> np.ndarray:
        """Return the log of the part of `size` (float64) that is allowed from `first` to `last`; -inf for nothing."""
        share = np.full(len(first), -np.inf, np.float32)
        some = self.meets(first, last)
        allowed = self.extent(first[some], last[some]).astype(np.float64) + float(self._one)
        share[some] = np.minimum(np.log(allowed) - np.log(size[some]), 0.0)
        return share

    def at(self, first: np.ndarray, last: np.ndarray, place: np.ndarray) -> np.ndarray:
        """Return the allowed position from `first` to `last` that has `place` of them before it: 0 to `extent`."""
        start, stop = self._met(first, last)
        begin = np.maximum(self.first[start], first)
        head = self._extent(begin, np.minimum(self.last[start], last))
        beyond = (place > head) & (start < stop)
        after = np.minimum(start + 1, len(self) - 1)
        place = np.where(beyond, place - head - self._one, place)
        rank = place + self._before[after]
        found = np.clip(np.searchsorted(self._before, rank, "right") - 1, after, np.maximum(stop, after))
        found, begin = np.where(beyond, found, start), np.where(beyond, self.first[found], begin)
        place = np.where(beyond, rank - self._before[found], place)
        return np.clip(begin + place, begin, np.minimum(self.last[found], last))

    def snap(self, positions: np.ndarray) -> np.ndarray:
        """Return the nearest allowed position to each."""
        right = np.minimum(np.searchsorted(self.last, positions), len(self) - 1)
        left = np.maximum(right - 1, 0)
        ends = [np.clip(positions, self.first[at], self.last[at]) for at in (left, right)]
        return np.where(np.abs(ends[0] - positions) < np.abs(ends[1] - positions), *ends)
