"""Lines of text, one token per character."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from .._grammar import Grammar
from .._state import check_keys, reading_state, take, take_int
from .._validation import check_int
from ..fields import Text
from ._text import TextCodec

__all__ = ["CharTokenizer"]

MAX_LENGTH = 1_000


class CharTokenizer(BaseEstimator):
    """Lines of text <-> token ids, one token per character.

    Parameters
    ----------
    max_length : int, optional
        Number of positions; longer lines are cut. None: the longest line (the `min_frequency`-th longest), at most 1,000.
    alphabet : str, optional
        The characters that are learned; others are *other*. None: those of the lines.
    min_frequency : int, default=1
        A character in fewer lines than this is *other*: scored, but never sampled.

    Attributes
    ----------
    vocabulary_ : list of str
        The token of every id: ``"<missing>"`` (never used for lines), ``"<other>"``, ``"<end>"``, then the characters.
    grammar_ : Grammar
        One run of `max_length` positions.
    n_cut_ : int
        Number of lines that were cut in fit.
    n_free_ : int
        Number of free digits: 0.

    Examples
    --------
    >>> tokenizer = CharTokenizer().fit(["abba", "ab"])
    >>> tokenizer.encode(["ba"])
    array([[4, 3, 2, 2]], dtype=int32)
    >>> tokenizer.decode([[4, 3, 2, 2]])
    ['ba']
    """

    def __init__(self, max_length: int | None = None, *, alphabet: str | None = None, min_frequency: int = 1):
        self.max_length = max_length
        self.alphabet = alphabet
        self.min_frequency = min_frequency

    def fit(self, lines: Sequence[str], y: None = None) -> "CharTokenizer":
        """Learn the characters and the length.

        Parameters
        ----------
        lines : sequence of str, shape (n_lines,)
        y : ignored

        Returns
        -------
        self : CharTokenizer

        Raises
        ------
        ValueError
            If there are no lines, numbers, missing lines, or more than one dimension.
        TypeError
            If a line is not a string.
        """
        check_int(self, "max_length", low=1, optional=True)
        check_int(self, "min_frequency", low=1)
        lines = _check_lines(lines)
        field = Text(max_length=self.max_length, alphabet=self.alphabet, nullable=False)
        return self._set_codec(
            TextCodec.fit(lines, field, name="text", min_frequency=self.min_frequency, max_length=MAX_LENGTH)
        )

    def _set_codec(self, codec: TextCodec) -> "CharTokenizer":
        """Set the fitted attributes."""
        codec.forbid_missing()
        self.codec_ = codec
        self.vocabulary_ = ["<missing>", "<other>", "<end>", *map(chr, self.codec_.alphabet.tolist())]
        self.grammar_ = Grammar((self.codec_.run,))
        self.n_cut_ = self.codec_.n_cut
        self.n_free_ = 0
        return self

    def to_state(self) -> dict:
        """Return the fitted tokenizer as plain data, from which `from_state` makes it again.

        Returns
        -------
        state : dict
            Of strings, numbers, lists and arrays of numbers.

        Raises
        ------
        NotFittedError
            Before `fit`.
        """
        check_is_fitted(self, "codec_")
        return {
            "max_length": None if self.max_length is None else int(self.max_length),
            "alphabet": self.alphabet,
            "min_frequency": int(self.min_frequency),
            "codec": self.codec_.to_state(),
        }

    @classmethod
    def from_state(cls, state: dict) -> "CharTokenizer":
        """Return the fitted tokenizer that wrote a state.

        Parameters
        ----------
        state : dict
            Of `to_state`; all of it is checked, so it may come from anywhere.

        Returns
        -------
        tokenizer : CharTokenizer

        Raises
        ------
        ValueError
            If no tokenizer wrote the state.
        """
        with reading_state(cls.__name__):
            check_keys(state, "max_length", "alphabet", "min_frequency", "codec")
            max_length, alphabet = take(state, "max_length", int, type(None)), take(state, "alphabet", str, type(None))
            self = cls(max_length, alphabet=alphabet, min_frequency=take_int(state, "min_frequency", 1))
            field = Text(max_length=max_length, alphabet=alphabet, nullable=False)
            return self._set_codec(TextCodec.from_state(state["codec"], field, "text"))

    def admit(self, lines: Sequence[str]) -> "CharTokenizer":
        """Return this tokenizer: other characters are *other* in any lines, and longer ones are cut.

        Raises
        ------
        ValueError, TypeError
            As `fit`.
        """
        check_is_fitted(self, "codec_")
        _check_lines(lines)
        return self

    def encode(self, lines: Sequence[str]) -> np.ndarray:
        """Return the token ids of lines, shape (n_lines, n_positions), int32.

        Raises
        ------
        ValueError, TypeError
            As `fit`.
        """
        check_is_fitted(self, "codec_")
        return self.codec_.encode(_check_lines(lines))[0]

    def decode(self, ids: np.ndarray) -> list[str]:
        """Return the lines of token ids, shape (n_lines, n_positions).

        Raises
        ------
        ValueError
            If `ids` is not of that shape.
        """
        check_is_fitted(self, "codec_")
        ids = np.asarray(ids)
        if ids.ndim != 2 or ids.shape[1] != self.codec_.length:
            raise ValueError(f"got ids of shape {ids.shape}, expected (n_lines, {self.codec_.length}), as encode returns")
        return self.codec_.texts(ids)

    def log_cell_size(self, ids: np.ndarray) -> np.ndarray:
        """Return zeros, shape (n_lines,): tokens say everything about a line."""
        return np.zeros(len(ids))

    def draw_free(self, rows: range, rng: np.random.Generator, key: int) -> np.ndarray:
        """Return no free digits, shape (n_rows, 0)."""
        return np.zeros((len(rows), 0), np.int32)


def _check_lines(lines: Sequence[str]) -> pd.Series:
    """Return lines of text as a Series, or say what stands against them."""
    if isinstance(lines, str | bytes):
        raise TypeError(f"got one {type(lines).__name__}, expected a sequence of lines; put it in a list")
    values = np.fromiter(lines, object, len(lines)) if isinstance(lines, list | tuple) else np.asarray(lines)
    if values.ndim != 1:
        raise ValueError(f"got {values.ndim} dimension(s), expected lines of text in 1; pass one column as X['name']")
    if not len(values):
        raise ValueError("got 0 lines, expected at least one; pass some text")
    if values.dtype.kind in "biufc":
        raise ValueError(f"got {values.dtype} numbers in 1 dimension, expected lines of text; pass strings, or a table of 2")
    series = pd.Series(values, dtype=object)
    missing = series.isna().to_numpy()
    if missing.any():
        raise ValueError(f"line {int(missing.argmax())} is missing, expected text; drop missing lines or replace them by ''")
    kinds = {type(cell) for cell in series.to_numpy() if not isinstance(cell, str)}
    if kinds:
        _refuse_cells(series, kinds)
    return series


def _refuse_cells(series: pd.Series, kinds: set[type]) -> None:
    position = next(i for i, cell in enumerate(series) if not isinstance(cell, str))
    cell = series.iloc[position]
    message = f"line {position} is {cell!r} of type {type(cell).__name__}, expected a string"
    if issubclass(type(cell), bytes):
        raise TypeError(f"{message}; decode it with .decode('utf-8')")
    if isinstance(cell, list | tuple | np.ndarray):
        raise ValueError(f"{message}; pass lines of text in 1 dimension")
    error = ValueError if all(np.issubdtype(kind, np.number) or issubclass(kind, bool) for kind in kinds) else TypeError
    raise error(f"{message}; convert the lines with str, or pass a table of 2 dimensions")
