"""Lines of text, one token per piece of a SentencePiece model."""

import logging
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from .._sources import LineSource
from .._state import expect, take, take_array, take_choice, take_int
from .._validation import check_choice, check_int, check_real
from ._lines import LineTokenizer, line_source
from ._spelling import Subwords
from ._subword_model import BYTES, VocabularyTooSmall, learn_model
from ._text import TextCodec

__all__ = ["SentencePieceTokenizer"]

MODEL_TYPES = ("unigram", "bpe")
LEAST_COVERAGE = 0.98  # that SentencePiece takes

logger = logging.getLogger(__name__)


class SentencePieceTokenizer(LineTokenizer):
    """Lines of text <-> token ids, one token per piece of a word, as SentencePiece learns them from the lines.

    A line has several times fewer tokens than characters, which a network reads and samples faster, and remembers further
    back. No text is changed: whatever is encoded is decoded to the same characters, where `byte_fallback` is True and the
    line is not cut.

    Parameters
    ----------
    vocab_size : int, default=2000
        Number of pieces, of which 256 are bytes where `byte_fallback` is True; fewer where the lines hold no more.
    model_type : {"unigram", "bpe"}, default="unigram"
        How pieces are chosen: the likeliest ones, or by joining the most frequent pair over and over.
    character_coverage : float in [0.98, 1], default=1.0
        Share of the characters of the lines that become pieces, frequent ones first.
    user_defined_symbols : sequence of str, default=()
        Texts that are always one token.
    byte_fallback : bool, default=True
        Spell characters that are no piece by the bytes of their UTF-8; sampled bytes that are no UTF-8 are decoded as U+FFFD.
        False: such characters are *other*, scored but never sampled, and decoded as U+FFFD.
    max_length : int, optional
        Number of positions, in tokens; longer lines are cut, if need be between the bytes of a character. None: the longest
        line (the `min_frequency`-th longest), at most 1,000.
    model : bytes or path, optional
        A SentencePiece model, such as one of public text: then nothing is learned but the length, and the parameters above
        it, apart from `max_length`, do not matter. What it does to a text before it cuts it, such as NFKC, is left out.
        None: the model is learned from the lines (from 100,000 of them, taken evenly, if there are more).
    min_frequency : int, default=1
        What fewer lines hold, a character or several, becomes no piece.

    Attributes
    ----------
    vocabulary_ : list of str
        The token of every id: ``"<missing>"`` (never used for lines), ``"<other>"``, ``"<end>"``, then the pieces, in which
        a space is a space; a byte is written ``"<0x41>"``.
    n_vocab_ : int
        Number of pieces, at most `vocab_size`.
    grammar_ : Grammar
        One run of `max_length` positions.
    n_cut_ : int
        Number of lines that were cut in fit.
    n_free_ : int
        Number of free digits: 0.

    Examples
    --------
    >>> lines = ["the cat", "the hat", "the cat and the hat"]
    >>> tokenizer = SentencePieceTokenizer(vocab_size=270, model_type="bpe").fit(lines)
    >>> ids = tokenizer.encode(["the hat"])
    >>> [tokenizer.vocabulary_[token] for token in ids[0] if token != 2]
    ['the', ' h', 'at']
    >>> tokenizer.decode(ids)
    ['the hat']
    """

    _spelling = Subwords

    def __init__(
        self,
        vocab_size: int = 2000,
        *,
        model_type: str = "unigram",
        character_coverage: float = 1.0,
        user_defined_symbols: Sequence[str] = (),
        byte_fallback: bool = True,
        max_length: int | None = None,
        model: Any = None,
        min_frequency: int = 1,
    ):
        self.vocab_size = vocab_size
        self.model_type = model_type
        self.character_coverage = character_coverage
        self.user_defined_symbols = user_defined_symbols
        self.byte_fallback = byte_fallback
        self.max_length = max_length
        self.model = model
        self.min_frequency = min_frequency

    def fit(self, lines: Sequence[str], y: None = None) -> "SentencePieceTokenizer":
        """Learn the pieces and the length.

        Parameters
        ----------
        lines : sequence of str, shape (n_lines,)
        y : ignored

        Returns
        -------
        self : SentencePieceTokenizer

        Raises
        ------
        ValueError
            If there are no lines, numbers, missing lines, or more than one dimension; if `vocab_size` is too small for the
            characters; if `model` is no SentencePiece model.
        TypeError
            If a line is not a string.
        """
        self._check_parameters()
        lines = line_source(lines)
        return self._fit_codec(lines, self._learned(lines) if self.model is None else self._given())

    def _check_parameters(self) -> None:
        super()._check_parameters()
        check_int(self, "vocab_size", low=1)
        check_choice(self, "model_type", MODEL_TYPES)
        check_real(self, "character_coverage", low=LEAST_COVERAGE, high=1.0, closed="both")
        check_choice(self, "byte_fallback", (True, False))
        _check_symbols(self.user_defined_symbols)
        if not isinstance(self.model, bytes | str | os.PathLike | None):
            raise TypeError(
                "The 'model' parameter of SentencePieceTokenizer must be the bytes or the path of a SentencePiece model, or "
                f"None, got {type(self.model).__name__}: pass what SentencePiece wrote, or its file's name"
            )

    def _learned(self, lines: LineSource) -> Subwords:
        """Return the pieces that are learned from lines."""
        try:
            model = learn_model(
                lines,
                vocab_size=int(self.vocab_size),
                model_type=self.model_type,
                character_coverage=float(self.character_coverage),
                symbols=list(self.user_defined_symbols),
                byte_fallback=self.byte_fallback,
                min_frequency=int(self.min_frequency),
            )
        except VocabularyTooSmall as error:
            rest = f", beside {len(BYTES)} bytes" if self.byte_fallback else ""
            raise ValueError(
                f"The 'vocab_size' parameter of SentencePieceTokenizer must be an int >= {error.needed} for these lines, as "
                f"every character and every symbol is a piece{rest}, got {self.vocab_size}: raise it, or lower "
                "character_coverage"
            ) from error
        if len(model.pieces) < self.vocab_size:
            logger.info(
                "vocab_size of SentencePieceTokenizer is reduced from %d to %d: these lines hold no more pieces",
                self.vocab_size,
                len(model.pieces),
            )
        return Subwords(model)

    def _given(self) -> Subwords:
        """Return the pieces of the model that was passed."""
        shown = f"{len(self.model)} bytes" if isinstance(self.model, bytes) else repr(os.fspath(self.model))
        try:
            return Subwords.of(_content_of(self.model))
        except (OSError, ValueError) as error:
            raise ValueError(
                f"The 'model' parameter of SentencePieceTokenizer must be a SentencePiece model of kind unigram or bpe, got "
                f"{shown}: {error}; pass its bytes, or the name of the file ('*.model') that SentencePiece wrote"
            ) from error

    def _set_codec(self, codec: TextCodec) -> "SentencePieceTokenizer":
        self.n_vocab_ = codec.spelling.n_pieces
        return super()._set_codec(codec)

    def _own_state(self) -> dict:
        model = self.model
        return {
            "vocab_size": int(self.vocab_size),
            "model_type": self.model_type,
            "character_coverage": float(self.character_coverage),
            "user_defined_symbols": list(self.user_defined_symbols),
            "byte_fallback": bool(self.byte_fallback),
            "model": np.frombuffer(model, np.uint8) if isinstance(model, bytes) else model and os.fspath(model),
        }

    @classmethod
    def _own_params(cls, state: dict) -> dict:
        symbols, coverage = take(state, "user_defined_symbols", list), take(state, "character_coverage", float)
        _check_symbols(symbols)
        expect(LEAST_COVERAGE <= coverage <= 1, "'character_coverage'", coverage, f"a number from {LEAST_COVERAGE} to 1")
        model = take(state, "model", str, np.ndarray, type(None))
        return {
            "vocab_size": take_int(state, "vocab_size", 1),
            "model_type": take_choice(state, "model_type", MODEL_TYPES),
            "character_coverage": coverage,
            "user_defined_symbols": tuple(symbols),
            "byte_fallback": take(state, "byte_fallback", bool),
            "model": take_array(state, "model", np.uint8, (None,)).tobytes() if isinstance(model, np.ndarray) else model,
        }


def _content_of(model: Any) -> bytes:
    if isinstance(model, bytes):
        return model
    with open(model, "rb") as file:
        return file.read()


def _check_symbols(symbols: Any) -> None:
    """Refuse what is no sequence of distinct texts, and the names of bytes."""
    name = "The 'user_defined_symbols' parameter of SentencePieceTokenizer must be"
    if isinstance(symbols, str) or not isinstance(symbols, Sequence) or not all(isinstance(text, str) for text in symbols):
        raise TypeError(f"{name} a list or tuple of str, got {symbols!r:.99}: put texts into a list")
    if not all(symbols) or len(set(symbols)) < len(symbols):
        raise ValueError(f"{name} distinct texts, none of them empty, got {symbols!r:.99}: leave out what is double or empty")
    names = sorted(set(symbols) & set(BYTES))
    if names:
        raise ValueError(f"{name} no names of bytes, got {names[0]!r}: choose another symbol, such as {names[0].lower()!r}")
