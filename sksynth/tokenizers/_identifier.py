"""Identifiers: values of their own in every row, of which only the pattern is learned."""

import zlib
from collections.abc import Iterable
from copy import copy
from itertools import compress
from typing import Any

import numpy as np
import pandas as pd

from .._grammar import MISSING, OTHER, Run, Slot
from .._pattern import Pattern, check_extent, integer_parts
from .._state import check_keys, dtype_to_text, expect, reading, take, take_array, take_dtype
from ..fields import Identifier
from ._codec import FREE_BITS, LOG_OUTSIDE, FieldCodec
from ._pattern_learning import learn_first_digits, learn_lengths, learn_pattern
from ._permutation import MASK, mix, permute
from ._ranking import IntegerSpace, StringSpace
from ._strings import StringColumn

__all__ = ["IdentifierCodec"]

PRESENT = 2
BLOCK = 1 << 16  # places of the sequence that are looked at in one go
DIGIT = (1 << FREE_BITS) - 1


class IdentifierCodec(FieldCodec):
    """Identifiers <-> free digits: the rank of a value in the space of the column's pattern.

    Nothing is modelled but, in a nullable column, whether the cell is missing. Sampled values are the space in an order of
    its own for every key, without the values of the training rows: row r of a sample gets the r-th of them, so that no value
    comes twice, and a longer sample begins with the shorter one. Behind the values of the pattern come those with a longer
    variable part.

    A value outside the pattern stands, where the column is nullable, as *other*; it decodes to some value of the pattern.

    Parameters
    ----------
    column : StringColumn or _IntegerColumn
        What restores the column.
    space : StringSpace or IntegerSpace
    pattern : str
    cells : list of str or ndarray
        Training values; a sorted digest of them is kept, of 64 bits each.
    unsampled : list of int, optional
        Tokens of the slot *missing, other, present* that are never drawn; None where nothing is modelled.

    Attributes
    ----------
    pattern : str
        As `fields.Identifier` reads it.
    digest : ndarray of uint64, shape (n_values,)
    """

    def __init__(self, column, space, pattern: str, cells, unsampled: list[int] | None = None):
        self.column = column
        self.space = space
        self.pattern = pattern
        self.digest = np.unique(space.digests(cells))
        self.n_digits = [max(1, -(-capacity.bit_length() // FREE_BITS)) for capacity in space.capacities]
        self.n_free = sum(self.n_digits)
        self.run = None if unsampled is None else _presence_run(column.name, unsampled)
        self._place = (0, 0, 0)  # key, and how far its sequence has been read: place in it, row of the sample

    def __getstate__(self) -> dict:
        return {**self.__dict__, "_place": (0, 0, 0)}

    @classmethod
    def fit(
        cls, values: pd.Series, field: Identifier, *, name: str, min_frequency: int, share: float = 1.0
    ) -> "IdentifierCodec":
        """Learn the pattern of a column, or take it from the field, and keep a digest of the values.

        Parameters
        ----------
        values : Series of strings or whole numbers, shape (n_rows,)
        field : Identifier
        name : str
        min_frequency : int
            What fewer rows show has no part in the pattern.
        share : float, default=1.0
            Of the table's rows, those that `values` are.

        Raises
        ------
        ValueError, TypeError
            If the values are neither strings nor whole numbers, or if the field's pattern is none.
        """
        numeric = pd.api.types.is_numeric_dtype(values.dtype) and not pd.api.types.is_bool_dtype(values.dtype)
        column = _IntegerColumn(values.dtype, name) if numeric else StringColumn(values, field.dtype, name)
        cells, missing = column.read(values)
        try:
            space, pattern = (_integer_space if numeric else _string_space)(cells, field.pattern, min_frequency, column, share)
        except ValueError as error:
            raise ValueError(f"column {name!r}: {error}") from None
        nullable = missing.any() if field.nullable is None else field.nullable
        kept = _chosen(cells, space.ranks(cells)[1])
        return cls(column, space, pattern, kept, _never_drawn(not len(cells)) if nullable else None)

    def to_state(self) -> dict:
        """Return the state: what the column is, whether fit saw no value of it, and the digest of the values."""
        with reading(f"column {self.column.name!r}"):
            check_extent(self.pattern)
        numeric = isinstance(self.column, _IntegerColumn)
        is_empty = self.run is not None and bool(self.run.slots[0].unsampled[PRESENT])
        return {"column": self.column.to_state(), "numeric": numeric, "is_empty": is_empty, "digest": self.digest}

    @classmethod
    def from_state(cls, state: dict, field: Identifier, name: str) -> "IdentifierCodec":
        """Return the codec that wrote `state`, of a field whose pattern is that of the codec."""
        check_keys(state, "column", "numeric", "is_empty", "digest")
        digest, is_empty = take_array(state, "digest", np.uint64, (None,)), take(state, "is_empty", bool)
        expect((digest[:-1] < digest[1:]).all(), "'digest'", digest, "ascending digests")
        expect(not is_empty or field.nullable, "'is_empty'", is_empty, "False where no cell is missing")
        expect(not is_empty or not len(digest), "'digest'", digest, "none where fit saw no value")
        numeric = take(state, "numeric", bool)
        column = (_IntegerColumn if numeric else StringColumn).from_state(state["column"], name)
        check_extent(field.pattern)
        empty = np.zeros(0, np.int64) if numeric else []
        space, pattern = (_integer_space if numeric else _string_space)(empty, field.pattern, 1, column)
        expect(pattern == field.pattern, "the pattern", field.pattern, f"{pattern!r}, as a codec writes it")
        self = cls(column, space, pattern, empty, _never_drawn(is_empty) if field.nullable else None)
        self.digest = digest
        return self

    def admit(self, values: pd.Series, field: Identifier) -> "IdentifierCodec":
        """Return a codec that samples none of these values either; itself where it knows them all."""
        return self.avoiding([values])

    def avoiding(self, parts: Iterable[pd.Series]) -> "IdentifierCodec":
        """Return a codec that samples none of the values of some stretches of the column either."""
        digests = [self.digest]
        for values in parts:
            cells, _ = self.column.read(values)
            digests.append(self.space.digests(_chosen(cells, self.space.ranks(cells)[1])))
        digest = np.unique(np.concatenate(digests))
        if len(digest) == len(self.digest):
            return self
        grown = copy(self)
        grown.digest = digest
        return grown

    def encode(self, values: pd.Series) -> tuple[np.ndarray, np.ndarray]:
        """Return tokens, shape (n_rows, 1 or 0), and the ranks as free digits, shape (n_rows, n_free)."""
        cells, missing = self.column.read(values)
        ranks, known = self.space.ranks(cells)
        if not known.all():
            hashes = self.space.digests(_chosen(cells, ~known))
            ranks[~known] = 0
            ranks[~known, self.space.permuted] = hashes % np.uint64(self.space.ends[0])
        free = np.zeros((len(missing), self.n_free), np.int32)
        free[~missing] = self._to_digits(ranks)
        ids = np.full((len(missing), self.n_positions), MISSING, np.int32)
        ids[~missing] = np.where(known, PRESENT, OTHER)[:, None]
        return ids, free

    def log_outside(self, values: pd.Series) -> np.ndarray:
        """Return what values lose of their score that are not of the pattern."""
        cells, missing = self.column.read(values)
        losses = np.zeros(len(missing))
        losses[~missing] = np.where(self.space.ranks(cells)[1], 0.0, LOG_OUTSIDE)
        return losses

    def decode(self, ids: np.ndarray, free: np.ndarray) -> pd.Series:
        """Return the column."""
        ranks = self._from_digits(free) % np.array(self.space.capacities, np.uint64)
        return self.column.restore(self.space.values(ranks), self._is_missing(ids))

    def _is_missing(self, ids: np.ndarray) -> np.ndarray:
        return ids[:, 0] == MISSING if self.run is not None else np.zeros(len(ids), bool)

    def check_drawn(self, ids: np.ndarray, free: np.ndarray, known: Any) -> None:
        """Refuse rows for which `draw_free` had no value, unless they are missing or among those that are `known`."""
        lacking = self._from_digits(free)[:, self.space.permuted] == np.uint64(self.space.ends[-1])
        if (lacking & ~self._is_missing(ids) & ~np.asarray(known)).any():
            raise ValueError(self._too_few("more rows"))

    @property
    def n_fresh(self) -> int:
        """Number of values that can be sampled."""
        return self.space.ends[-1] - len(self.digest)

    def check_fresh(self, n_rows: int) -> None:
        """Refuse a sample of more rows than there are values for."""
        if n_rows > self.n_fresh:
            raise ValueError(self._too_few(f"{n_rows:,} rows"))

    def _too_few(self, asked: str) -> str:
        return (
            f"column {self.column.name!r}: got a request for {asked}, expected at most {self.n_fresh}: all other values of "
            f"{self.pattern} are in use; give fields.Identifier a longer pattern, give the column a wider dtype, or drop it"
        )

    def draw_free(self, rows: range, rng: np.random.Generator, key: int) -> np.ndarray:
        """Return the free digits of the sampled rows `rows`, which depend on nothing but `rows` and `key`.

        Rows behind the last fresh value get digits that `check_drawn` refuses: more rows may be drawn than are wanted.
        """
        key = (key + zlib.crc32(self.column.name.encode("utf-8", "surrogatepass"))) & MASK  # columns of one pattern differ
        _, place, row = self._place if self._place[0] == key and self._place[2] <= rows.start else (key, 0, 0)
        found = [np.zeros((0, len(self.space.capacities)), np.uint64)]
        while row < rows.stop:
            stop = min(place + min(max(rows.stop - row, 1024), BLOCK), self.space.ends[-1])
            if stop == place:
                found.append(self._lacking(rows.stop - max(row, rows.start)))
                break
            ranks = self._draw(place, stop, key)
            fresh = np.flatnonzero(~self._is_training(ranks))[: rows.stop - row]
            found.append(ranks[fresh[max(0, rows.start - row) :]])
            row += len(fresh)
            place = place + int(fresh[-1]) + 1 if row == rows.stop else stop
        self._place = (key, place, row)
        return self._to_digits(np.concatenate(found))

    def _lacking(self, n_rows: int) -> np.ndarray:
        ranks = np.zeros((n_rows, len(self.space.capacities)), np.uint64)
        ranks[:, self.space.permuted] = self.space.ends[-1]
        return ranks

    def _draw(self, start: int, stop: int, key: int) -> np.ndarray:
        """Return the ranks at places `start` to `stop` of the sequence, shape (stop - start, n_groups)."""
        places = np.arange(stop - start, dtype=np.uint64) + np.uint64(start)
        ranks = np.empty((len(places), len(self.space.capacities)), np.uint64)
        for column, capacity in enumerate(self.space.capacities):
            ranks[:, column] = mix(mix(places, key), column + 1) % np.uint64(capacity)
        for k, (low, high) in enumerate(zip([0, *self.space.ends[:-1]], self.space.ends, strict=True)):
            part = slice(max(low - start, 0), max(high - start, 0))
            if part.start < min(part.stop, len(places)):
                inside = permute(places[part] - np.uint64(low), high - low, key * 64 + k)
                ranks[part, self.space.permuted] = inside + np.uint64(low)
        return ranks

    def _is_training(self, ranks: np.ndarray) -> np.ndarray:
        if not len(self.digest):
            return np.zeros(len(ranks), bool)
        digests = self.space.digests(self.space.values(ranks))
        nearest = np.searchsorted(self.digest, digests)
        return self.digest[np.minimum(nearest, len(self.digest) - 1)] == digests

    def _to_digits(self, ranks: np.ndarray) -> np.ndarray:
        digits = [
            (ranks[:, group] >> np.uint64(FREE_BITS * place)) & np.uint64(DIGIT)
            for group, n_digits in enumerate(self.n_digits)
            for place in range(n_digits)
        ]
        return np.stack(digits, axis=1).astype(np.int32)

    def _from_digits(self, free: np.ndarray) -> np.ndarray:
        ranks, column = np.zeros((len(free), len(self.n_digits)), np.uint64), 0
        for group, n_digits in enumerate(self.n_digits):
            for place in range(n_digits):
                ranks[:, group] |= free[:, column].astype(np.uint64) << np.uint64(FREE_BITS * place)
                column += 1
        return ranks


def example_identifier(pattern: str, dtype: Any) -> str | int:
    """Return the first value of a pattern, for a column of this dtype."""
    if pd.api.types.is_numeric_dtype(dtype):
        column = _IntegerColumn(pd.api.types.pandas_dtype(dtype), "identifier")
        space, _ = _integer_space(np.zeros(0, np.int64), pattern, 1, column)
    else:
        space, _ = _string_space([], pattern, 1, None)
    return space.values(np.zeros((1, len(space.capacities)), np.uint64))[0]


class _IntegerColumn:
    """A column of whole numbers: name, dtype, and the largest number that it can hold."""

    def __init__(self, dtype: Any, name: str):
        self.name = name
        self.dtype = dtype
        numpy_dtype = getattr(dtype, "numpy_dtype", dtype)
        self.is_float = numpy_dtype.kind == "f"
        self.largest = (1 << (np.finfo(numpy_dtype).nmant + 1)) if self.is_float else int(np.iinfo(numpy_dtype).max)
        self.container = np.uint64 if numpy_dtype == np.uint64 else np.int64

    def to_state(self) -> dict:
        """Return the state of what the column is."""
        return {"dtype": dtype_to_text(self.dtype)}

    @classmethod
    def from_state(cls, state: dict, name: str) -> "_IntegerColumn":
        """Return the column that wrote `state`; ValueError if none did."""
        check_keys(state, "dtype")
        dtype = take_dtype(state, "dtype")
        kind = getattr(dtype, "numpy_dtype", dtype).kind
        expect(kind in "iuf", "'dtype'", str(dtype), "a dtype of numbers")
        return cls(dtype, name)

    def read(self, values: pd.Series) -> tuple[np.ndarray, np.ndarray]:
        """Return the numbers that are not missing, int64 or uint64, and a mask of those that are.

        Raises
        ------
        TypeError
            If the values are not numbers.
        ValueError
            If a number is not whole, or too large for a float to be exact.
        """
        missing = pd.isna(values).to_numpy()
        if not pd.api.types.is_numeric_dtype(values.dtype):
            raise TypeError(
                f"column {self.name!r}: got dtype {values.dtype}, expected numbers as in fit: convert it with "
                f"X[{self.name!r}] = pd.to_numeric(X[{self.name!r}])"
            )
        present = values[~missing]
        if pd.api.types.is_float_dtype(values.dtype):
            numbers = present.to_numpy(np.float64)
            wrong = numbers[(numbers != np.rint(numbers)) | (np.abs(numbers) > self.largest)]
            if len(wrong):
                raise ValueError(
                    f"column {self.name!r}: got {wrong[0]!r}, expected whole numbers up to {self.largest} for an identifier; "
                    f"give it another field with schema={{{self.name!r}: fields.Number()}}"
                )
        return present.to_numpy(self.container), missing

    def restore(self, cells: np.ndarray, missing: np.ndarray) -> pd.Series:
        """Return the column of `cells`, a number for every row, in which the rows of the mask are missing."""
        column = pd.Series(cells.astype(self.container), name=self.name).astype(self.dtype)
        return column.mask(missing) if missing.any() else column


def _chosen(cells: list[str] | np.ndarray, mask: np.ndarray) -> list[str] | np.ndarray:
    return list(compress(cells, mask)) if isinstance(cells, list) else cells[mask]


def _never_drawn(is_empty: bool) -> list[int]:
    return [OTHER] + ([PRESENT] if is_empty else [])


def _presence_run(name: str, unsampled: list[int]) -> Run:
    never = np.zeros(3, bool)
    never[unsampled] = True
    return Run((Slot(name, np.zeros((1, 3), np.int16), never),))


def _string_space(cells: list[str], pattern: str | None, min_frequency: int, column, share=1.0) -> tuple[StringSpace, str]:
    found = learn_pattern(cells, min_frequency, share) if pattern is None else Pattern.parse(pattern)
    return StringSpace(found), str(found)


def _integer_space(cells, pattern: str | None, min_frequency: int, column, share=1.0) -> tuple[IntegerSpace, str]:
    """Return the space of whole numbers, and its pattern: see `_pattern.integer_parts`."""
    first = last = 0
    if pattern is not None:
        parts = integer_parts(pattern)
        if parts is None:
            raise ValueError(
                f"got pattern {pattern!r}, expected [0-9]{{low,high}} or -?[0-9]{{low,high}} with 1 to 20 digits, or digits "
                "and [0-9]{low,high}, such as 978[0-9]{10}, the patterns of whole numbers; convert the column to strings for "
                "another one"
            )
        first, last, low, high, signed = parts
    elif len(cells) < min_frequency:
        low, high, signed = 1, min(9, len(str(column.largest))), False
    else:
        signed = bool((cells < 0).sum() >= min_frequency)
        low, high = learn_lengths(_n_digits(cells), min_frequency)
        low = 1 if signed else low
        if low == high > 1 and not signed:
            first, last, high = learn_first_digits(cells, high, min_frequency, share)
            low = high
    begin = str(first) if first else ""
    if first != last:
        begin = f"{begin[:-1]}[{begin[-1]}-{str(last)[-1]}]"
    repeat = f"{{{low}}}" if low == high else f"{{{low},{high}}}"
    space = IntegerSpace(low, high, signed, column.largest, first, last)
    return space, ("-?" if signed else "") + f"{begin}[0-9]{repeat}"


def _n_digits(numbers: np.ndarray) -> np.ndarray:
    """Return the number of decimal digits of each number, the sign left out."""
    size = np.where(numbers < 0, ~numbers.astype(np.uint64) + np.uint64(1), numbers.astype(np.uint64))
    powers = np.array([10**power for power in range(1, 20)], np.uint64)
    return np.searchsorted(powers, size, side="right") + 1
