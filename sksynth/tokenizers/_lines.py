"""What tokenizers of lines of text have in common."""

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from .._grammar import Grammar
from .._sources import LinesInMemory, LineSource
from .._state import check_keys, reading_state, take, take_int
from .._validation import check_int
from ..fields import Text
from ._base import Tokenizer
from ._prefix import LengthGuide, PrefixGuide
from ._spelling import Spelling
from ._strings import StringColumn
from ._text import MANY_TOKENS, Cut, TextCodec

__all__ = ["MAX_LENGTH", "LineTokenizer", "check_lines", "line_source"]

MAX_LENGTH = 1_000


class LineTokenizer(Tokenizer):
    """Lines of text <-> token ids; a subclass says what lines are spelled with.

    Its parameters are `max_length`, `min_frequency`, and those that `_own_state` writes.
    """

    _spelling: type[Spelling]

    @abstractmethod
    def _own_state(self) -> dict:
        """Return the state of the parameters that are the subclass's own."""

    @classmethod
    @abstractmethod
    def _own_params(cls, state: dict) -> dict:
        """Return the parameters of which `_own_state` wrote the state."""

    def _field(self) -> Text:
        """Return the field of which every line is a cell."""
        return Text(max_length=self.max_length, nullable=False)

    def _check_parameters(self) -> None:
        check_int(self, "max_length", low=1, optional=True)
        check_int(self, "min_frequency", low=1)

    def _fit_codec(self, lines: LineSource, spelling: Spelling | None = None) -> Any:
        """Learn the length, and the characters where no spelling is given; return this tokenizer."""
        return self._set_codec(
            TextCodec.fit_chunks(
                StringColumn(pd.Series([], dtype=object), None, "text"),
                lines.chunks(),
                self._field(),
                nullable=False,
                min_frequency=self.min_frequency,
                max_length=MAX_LENGTH,
                spelling=spelling,
            )
        )

    def _set_codec(self, codec: TextCodec) -> Any:
        """Set the fitted attributes; return this tokenizer."""
        codec.forbid_missing()
        self.codec_ = codec
        self.vocabulary_ = ["<missing>", "<other>", "<end>", *codec.spelling.pieces]
        self.grammar_ = Grammar((codec.run,))
        self.n_cut_ = codec.n_cut
        return self

    def told_cut(self, lines: Any = None) -> str:
        """Return what is to be said of lines that are longer than what is learned; nothing where that is little, or wanted.

        Parameters
        ----------
        lines : sequence of str, shape (n_lines,), default=None
            Those of further training. None: those of fit, if they are known.

        Returns
        -------
        text : str
        """
        cut, length = self.codec_.cut, self.codec_.length
        if lines is not None:
            chunks = line_source(lines).chunks()
            cut = Cut.of(np.concatenate([self.codec_.spelling.spell(chunk)[1] for chunk in chunks]), length)
        if cut is None or cut.token_share <= MANY_TOKENS or self.max_length is not None:
            return ""
        are = "is" if cut.n_texts == 1 else "are"
        longer = " ".join(repr(clone(self).set_params(max_length=cut.n_tokens)).split())
        return (
            f"{cut.n_texts:,} of the lines {are} longer than {length:,} tokens, where lines are cut: {cut.token_share:.1%} of "
            "the text is not learned. Split long lines, or fit with packing='stream', which learns all of every line, or with "
            f"tokenizer={longer}"
        )

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
        return self._own_state() | {
            "max_length": None if self.max_length is None else int(self.max_length),
            "min_frequency": int(self.min_frequency),
            "codec": self.codec_.to_state(),
        }

    @classmethod
    def from_state(cls, state: dict) -> Any:
        """Return the fitted tokenizer that wrote a state.

        Parameters
        ----------
        state : dict
            Of `to_state`; all of it is checked, so it may come from anywhere.

        Returns
        -------
        tokenizer : of this class

        Raises
        ------
        ValueError
            If no tokenizer wrote the state.
        """
        with reading_state(cls.__name__):
            check_keys(state, *cls._get_param_names(), "codec")
            self = cls(
                max_length=take(state, "max_length", int, type(None)),
                min_frequency=take_int(state, "min_frequency", 1),
                **cls._own_params(state),
            )
            return self._set_codec(TextCodec.from_state(state["codec"], self._field(), "text", cls._spelling))

    def admit(self, lines: Sequence[str]) -> Any:
        """Return this tokenizer: other characters are *other* in any lines, and longer ones are cut.

        Parameters
        ----------
        lines : sequence of str, shape (n_lines,)

        Returns
        -------
        tokenizer : of this class
            This very object.

        Raises
        ------
        ValueError, TypeError
            As `fit`.
        """
        check_is_fitted(self, "codec_")
        line_source(lines)
        return self

    def encode(self, lines: Sequence[str], *, cut: bool = False) -> np.ndarray:
        """Return the token ids of lines.

        Parameters
        ----------
        lines : sequence of str, shape (n_lines,)
        cut : bool, default=False
            Cut lines that are longer than `grammar_` has positions, as is done for training.

        Returns
        -------
        ids : ndarray of int32, shape (n_lines, n_positions)
            Of more positions where a line needs them and is not cut.

        Raises
        ------
        ValueError, TypeError
            As `fit`.
        """
        check_is_fitted(self, "codec_")
        lines = check_lines(lines)
        return self.codec_.encode(lines)[0] if cut else self.codec_.encode_whole(lines)

    def log_outside(self, lines: Sequence[str]) -> np.ndarray:
        """Return what lines lose of their score for each character that was not learned, and for what is cut.

        Parameters
        ----------
        lines : sequence of str, shape (n_lines,)

        Returns
        -------
        losses : ndarray of float, shape (n_lines,)
            In nats.
        """
        check_is_fitted(self, "codec_")
        return self.codec_.log_outside(check_lines(lines))

    def decode(self, ids: np.ndarray) -> list[str]:
        """Return the lines of token ids.

        Parameters
        ----------
        ids : ndarray of int, shape (n_lines, n_positions)
            Or of more positions.

        Returns
        -------
        lines : list of str

        Raises
        ------
        ValueError
            If `ids` is not of that shape.
        """
        check_is_fitted(self, "codec_")
        ids = np.asarray(ids)
        if ids.ndim != 2 or ids.shape[1] < self.codec_.length:
            raise ValueError(f"got ids of shape {ids.shape}, expected (n_lines, {self.codec_.length}), as encode returns")
        return self.codec_.texts(ids)

    def guides(self, prefixes: Sequence[str] | None = None, max_length: int | None = None) -> list:
        """Return what tells which tokens may come next where lines begin, or end, in a given way.

        Parameters
        ----------
        prefixes : sequence of str, optional
            One for each line, or one for all.
        max_length : int, optional
            Tokens that a line may have.

        Returns
        -------
        guides : list of callable
            Each takes the number of tokens of the lines so far, these tokens, shape (n_lines, n_so_far), and the numbers of
            the lines; it returns which tokens may come next, shape (n_lines, n_tokens), or None where all may.

        Raises
        ------
        ValueError
            If no line can begin with a prefix.
        """
        check_is_fitted(self, "codec_")
        spelling, length = self.codec_.spelling, self.codec_.length
        guides = [] if prefixes is None else [PrefixGuide(spelling, list(prefixes), length)]
        return guides + ([] if max_length is None else [LengthGuide(max_length, len(self.vocabulary_))])


def line_source(lines: Any) -> LineSource:
    """Return lines as a source: that of a list of them, once they are checked, or the one that they are."""
    return lines if isinstance(lines, LineSource) else LinesInMemory(check_lines(lines).tolist())


def check_lines(lines: Sequence[str]) -> pd.Series:
    """Return lines of text as a Series, or say what stands against them."""
    if isinstance(lines, str | bytes):
        raise TypeError(f"got one {type(lines).__name__}, expected a sequence of lines; put it in a list")
    if isinstance(lines, np.ma.MaskedArray):
        raise TypeError("got a masked array, whose masked lines would be learned: leave them out with X = X.compressed()")
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
