"""The values of a pattern as numbers: every value has a rank, every rank a value.

A *space* holds the values of a pattern and, behind them, those of the same pattern with a longer variable part. A rank is one
number or, where there are more values than 2**60, one number for each of a few groups of segments.
"""

import numpy as np
import pandas as pd

from .._pattern import Choice, Class, Pattern, expression_of, longest_tail
from ._permutation import MASK, mix
from ._strings import from_codes, to_codes

__all__ = ["IntegerSpace", "StringSpace"]

MAX_GROUP = 1 << 60
KEY = 0x736B73796E7468  # of the digests; no secret: who holds a digest can test a value against it
HASH_KEY = "sksynth.digests."


class StringSpace:
    """The strings of a pattern.

    Parameters
    ----------
    pattern : Pattern

    Attributes
    ----------
    capacities : list of int
        Number of ranks of each group.
    permuted : int
        The largest group: the one in which sampled values differ for sure.
    ends : list of int
        Ranks of that group below ``ends[0]`` belong to the pattern, those below ``ends[k]`` to it widened by k characters.
    """

    def __init__(self, pattern: Pattern):
        segments = [piece for segment in pattern.segments for piece in _pieces(segment)]
        sizes = [segment.size for segment in segments]
        groups = _groups(sizes)
        self.capacities = [_product(sizes[index] for index in group) for group in groups]
        self.permuted = int(np.argmax(self.capacities))
        self.ends = [self.capacities[self.permuted]]
        widened = _widest(segments, self.ends[0]) if len(groups) == 1 else None
        if widened is not None:
            place, (segments[place], self.ends) = widened
            self.capacities = [self.ends[-1]]
            groups = [[place] + [index for index in groups[0] if index != place]]  # it counts most: longer values rank higher
        self._groups = groups
        self._segments = [_ClassRanker(one) if isinstance(one, Class) else _ChoiceRanker(one) for one in segments]
        self._expression = r"\A" + "".join(f"({segment})" for segment in map(expression_of, segments)) + r"\Z"

    def ranks(self, cells: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return ranks, shape (n_cells, n_groups), and which cells have one, shape (n_cells,)."""
        parts = pd.Series(cells, dtype=object).str.extract(self._expression)
        known = parts[0].notna().to_numpy()
        ranks = np.zeros((len(cells), len(self._groups)), np.uint64)
        for column, group in enumerate(self._groups):
            for index in group:
                segment = self._segments[index]
                digit = segment.ranks(parts.loc[known, index].tolist())
                ranks[known, column] = ranks[known, column] * np.uint64(segment.size) + digit
        return ranks, known

    def values(self, ranks: np.ndarray) -> list[str]:
        """Return the strings of ranks, shape (n_cells, n_groups)."""
        grids: list = [None] * len(self._segments)
        for column, group in enumerate(self._groups):
            rest = ranks[:, column]
            for index in reversed(group):
                size = np.uint64(self._segments[index].size)
                grids[index] = self._segments[index].grid(rest % size)
                rest = rest // size
        codes = np.concatenate([grid for grid, _ in grids], axis=1)
        written = np.concatenate([np.arange(grid.shape[1]) < lengths[:, None] for grid, lengths in grids], axis=1)
        return from_codes(codes[written], written.sum(axis=1))

    @staticmethod
    def digests(cells: list[str]) -> np.ndarray:
        """Return a 64-bit hash of every string."""
        data = np.fromiter((cell.encode("utf-8", "surrogatepass") for cell in cells), object, len(cells))
        return pd.util.hash_array(data, hash_key=HASH_KEY, categorize=False)


class IntegerSpace:
    """The integers of some numbers of decimal digits.

    Parameters
    ----------
    low, high : int
        The smallest and largest number of digits, behind those that they begin with.
    signed : bool
        Whether negative numbers belong to it; then they begin with anything, and `low` is of no account.
    largest : int
        The largest integer that the column can hold.
    first, last : int, default=0
        They begin with one of the numbers from `first` to `last`, of the same number of digits; 0 and 0: with anything.

    Attributes
    ----------
    capacities, permuted, ends
        As those of `StringSpace`; widened by one digit at a time.

    Raises
    ------
    ValueError
        If no such integer fits the column.
    """

    permuted = 0

    def __init__(self, low: int, high: int, signed: bool, largest: int, first: int = 0, last: int = 0):
        self.signed = signed
        starts, stops, n_pattern = [], [], 0
        for n_digits in range(1 if signed else low, len(str(largest)) + 1):
            start, stop = self._extent(first, last, n_digits)
            if start > largest:
                break
            starts.append(start)
            stops.append(min(stop, largest + 1))
            n_pattern += n_digits <= high
        if not starts:
            n_least = low + (len(str(first)) if first else 0)
            raise ValueError(f"got integers of {n_least} digits or more, expected at most {largest}; allow fewer digits")
        self._starts = np.array(starts, np.uint64)
        counts = np.cumsum([stop - start for start, stop in zip(starts, stops, strict=True)], dtype=object)
        self._before = np.array([0, *(min(count, MASK) for count in counts[:-1])], np.uint64)
        self.ends = [min(2 * count - 1 if signed else count, MASK) for count in counts[n_pattern - 1 :]]
        self.capacities = [self.ends[-1]]

    @staticmethod
    def _extent(first, last, n_digits):
        """Return the first integer of so many digits behind the beginning, and the one after the last."""
        if first:
            return first * 10**n_digits, (last + 1) * 10**n_digits
        return (0 if n_digits == 1 else 10 ** (n_digits - 1)), 10**n_digits

    def ranks(self, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return ranks, shape (n_cells, 1), and which cells have one, shape (n_cells,)."""
        bits = cells.astype(np.uint64)
        negative = cells < 0
        if self.signed:  # 0, -1, 1, -2, 2, ...
            ranks = np.where(negative, (~bits << np.uint64(1)) | np.uint64(1), bits << np.uint64(1))
            known = ranks < np.uint64(self.ends[-1])
        else:
            part = np.searchsorted(self._starts, bits, side="right") - 1
            ranks = bits - self._starts[part] + self._before[part]
            after = np.append(self._before[1:], np.uint64(self.ends[-1]))[part]
            known = ~negative & (part >= 0) & (ranks < after)
        return np.where(known, ranks, np.uint64(0))[:, None], known

    def values(self, ranks: np.ndarray) -> np.ndarray:
        """Return the integers of ranks, shape (n_cells, 1): int64 where the space is signed, else uint64."""
        ranks = ranks[:, 0]
        if not self.signed:
            part = np.searchsorted(self._before, ranks, side="right") - 1
            return ranks - self._before[part] + self._starts[part]
        half = ranks >> np.uint64(1)
        return np.where(ranks & np.uint64(1), ~half, half).astype(np.int64)

    @staticmethod
    def digests(cells: np.ndarray) -> np.ndarray:
        """Return a 64-bit hash of every integer."""
        return mix(mix(cells.astype(np.uint64), KEY), KEY + 1)


class _ClassRanker:
    """Texts of a class, the shorter first, then in alphabetical order."""

    def __init__(self, segment: Class):
        self.size = segment.size
        self.low, self.high = segment.low, segment.high
        self.codes = to_codes([segment.characters])[0]
        counts = [len(self.codes) ** length for length in range(self.low, self.high + 1)]
        self.starts = np.array([sum(counts[:index]) for index in range(len(counts))], np.uint64)

    def ranks(self, texts: list[str]) -> np.ndarray:
        codes, lengths = to_codes(texts)
        digits = np.searchsorted(self.codes, codes).astype(np.uint64)
        ends = np.cumsum(lengths)
        ranks = np.zeros(len(texts), np.uint64)
        for position in range(self.high):
            rows = np.flatnonzero(lengths > position)
            ranks[rows] = ranks[rows] * np.uint64(len(self.codes)) + digits[(ends - lengths)[rows] + position]
        return ranks + self.starts[lengths - self.low]

    def grid(self, ranks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        index = np.searchsorted(self.starts, ranks, side="right") - 1
        lengths, rest = index + self.low, ranks - self.starts[index]
        grid = np.zeros((len(ranks), self.high), np.uint32)
        n_characters = np.uint64(len(self.codes))
        for position in reversed(range(self.high)):
            written = position < lengths
            grid[:, position] = self.codes[np.where(written, rest % n_characters, np.uint64(0))]
            rest = np.where(written, rest // n_characters, rest)
        return grid, lengths


class _ChoiceRanker:
    """Options, in the order given."""

    def __init__(self, segment: Choice):
        self.size = segment.size
        self.options = pd.Index(segment.options, dtype=object)
        codes, self.lengths = to_codes(list(segment.options))
        self.table = np.zeros((self.size, self.lengths.max()), np.uint32)
        self.table[np.arange(self.table.shape[1]) < self.lengths[:, None]] = codes

    def ranks(self, texts: list[str]) -> np.ndarray:
        return self.options.get_indexer(pd.Index(texts, dtype=object)).astype(np.uint64)

    def grid(self, ranks: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self.table[ranks], self.lengths[ranks]


def _pieces(segment: Choice | Class) -> list[Choice | Class]:
    """Split a segment of too many values into pieces of fixed length and what is left."""
    if isinstance(segment, Choice):
        return [segment]
    tail = longest_tail(len(segment.characters))
    fixed = max(0, segment.high - tail)
    lengths = [length for length in [fixed % tail] + [tail] * (fixed // tail) if length]
    pieces = [Class(segment.characters, length, length) for length in lengths]
    return [*pieces, Class(segment.characters, segment.low - fixed, segment.high - fixed)]


def _groups(sizes: list[int]) -> list[list[int]]:
    """Return consecutive places, grouped from the end so that the product of a group's sizes is below `MAX_GROUP`."""
    groups: list[list[int]] = [[]]
    for index in reversed(range(len(sizes))):
        if _product(sizes[other] for other in groups[0]) * sizes[index] >= MAX_GROUP:
            groups.insert(0, [])
        groups[0].insert(0, index)
    return groups


def _widest(segments: list[Choice | Class], size: int) -> tuple[int, tuple[Class, list[int]]] | None:
    """Return the place of the segment that may grow, that segment grown as far as possible, and `ends`; None if none may."""
    for place in reversed(range(len(segments))):
        segment = segments[place]
        if not isinstance(segment, Class):
            continue
        others = size // segment.size
        grown, ends = segment, [size]
        while len(ends) < 60:
            longer = Class(segment.characters, segment.low, grown.high + 1)
            if longer.size * others >= MAX_GROUP:
                break
            grown, ends = longer, [*ends, longer.size * others]
        if len(ends) > 1 and _is_unambiguous([*segments[:place], grown, *segments[place + 1 :]]):
            return place, (grown, ends)
    return None


def _is_unambiguous(segments: list[Choice | Class]) -> bool:
    try:
        Pattern(tuple(segments))
    except ValueError:
        return False
    return True


def _product(sizes) -> int:
    product = 1
    for size in sizes:
        product *= size
    return product
