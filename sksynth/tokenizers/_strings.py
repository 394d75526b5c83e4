"""Columns of strings as code points and back, without a loop over rows."""

import re

import numpy as np
import pandas as pd

from .._state import check_keys, dtype_to_text, marker_to_text, take_dtype, take_marker

__all__ = ["StringColumn", "count_codes", "frequent_codes", "from_codes", "to_codes", "to_grid"]

N_CODES = 0x110000  # one more than the last code point of Unicode
PAD = N_CODES  # fills a grid behind the end of a text
LONE_SURROGATE = re.compile("[\ud800-\udfff]")


def to_codes(texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the code points of all texts, one after the other, and the length of each text."""
    codes = np.frombuffer("".join(texts).encode("utf-32-le", "surrogatepass"), "<u4")
    return codes, np.fromiter(map(len, texts), np.int64, len(texts))


def from_codes(codes: np.ndarray, lengths: np.ndarray) -> list[str]:
    """Return the texts of which `to_codes` made `codes` and `lengths`."""
    text = codes.astype("<u4").tobytes().decode("utf-32-le", "surrogatepass")
    ends = np.cumsum(lengths)
    return list(map(text.__getitem__, map(slice, (ends - lengths).tolist(), ends.tolist())))


def to_grid(codes: np.ndarray, lengths: np.ndarray, width: int) -> np.ndarray:
    """Return code points as a table, shape (n_texts, width), cut at `width` and filled with `PAD`."""
    positions = np.arange(len(codes)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
    grid = np.full((len(lengths), width), PAD, np.uint32)
    grid[np.arange(width) < lengths[:, None]] = codes[positions < width]
    return grid


def frequent_codes(codes: np.ndarray, lengths: np.ndarray, min_frequency: int) -> np.ndarray:
    """Return the sorted code points that at least `min_frequency` of the texts hold; arguments as of `to_codes`."""
    counts = np.zeros(N_CODES, np.int64)
    count_codes(counts, codes, lengths)
    return np.flatnonzero(counts >= min_frequency).astype(np.uint32)


def count_codes(counts: np.ndarray, codes: np.ndarray, lengths: np.ndarray) -> None:
    """Add to `counts`, shape (N_CODES,), how many of the texts hold each code point; arguments as of `to_codes`."""
    text = np.repeat(np.arange(len(lengths)), lengths)
    held, n_texts = np.unique(np.unique(text * N_CODES + codes) % N_CODES, return_counts=True)
    counts[held] += n_texts


class StringColumn:
    """What a column of strings is apart from its strings: name, dtype, and what stands for a missing cell.

    Parameters
    ----------
    values : Series
        The training column.
    dtype : str or None
        Name of the dtype in which to restore the column; None: its own.
    name : str
        For messages.
    """

    def __init__(self, values: pd.Series, dtype: str | None, name: str):
        own = "category" if isinstance(values.dtype, pd.CategoricalDtype) else values.dtype
        self.name = name
        self.dtype = own if dtype is None or dtype.startswith("category") or dtype == str(own) else dtype
        missing = values.to_numpy(object)[values.isna().to_numpy()]
        self.missing = missing[0] if len(missing) and values.dtype == object else np.nan

    def to_state(self) -> dict:
        """Return the state of what the column is."""
        return {"dtype": dtype_to_text(self.dtype), "marker": marker_to_text(self.missing)}

    @classmethod
    def from_state(cls, state: dict, name: str) -> "StringColumn":
        """Return the column that wrote `state`; ValueError if none did."""
        check_keys(state, "dtype", "marker")
        self = cls.__new__(cls)
        self.name, self.dtype, self.missing = name, take_dtype(state, "dtype"), take_marker(state, "marker")
        return self

    def read(self, values: pd.Series) -> tuple[list[str], np.ndarray]:
        """Return the cells that are not missing, and a mask of those that are.

        Raises
        ------
        TypeError
            If a cell is not a string.
        """
        missing = pd.isna(values).to_numpy()
        cells = values.to_numpy(object)[~missing].tolist()
        if not all(issubclass(kind, str) for kind in set(map(type, cells))):
            wrong = next(cell for cell in cells if not isinstance(cell, str))
            raise TypeError(
                f"column {self.name!r}: got {wrong!r} of type {type(wrong).__name__}, expected strings; "
                f"convert them with X[{self.name!r}] = X[{self.name!r}].map(str, na_action='ignore')"
            )
        return cells, missing

    def restore(self, cells: list[str], missing: np.ndarray) -> pd.Series:
        """Return the column of `cells`, a string for every row, in which the rows of the mask are missing.

        Lone surrogates become U+FFFD where the dtype cannot hold them, as those of pyarrow cannot.
        """
        values = np.fromiter(cells, object, len(cells))
        values[missing] = self.missing
        try:
            return pd.Series(values, dtype=self.dtype, name=self.name)
        except UnicodeEncodeError:
            values = [LONE_SURROGATE.sub("\ufffd", cell) if isinstance(cell, str) else cell for cell in values]
            return pd.Series(values, dtype=self.dtype, name=self.name)
