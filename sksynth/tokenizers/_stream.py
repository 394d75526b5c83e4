"""Lines of text in one stream, cut into sequences of one length for training."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import copy
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from .._grammar import MISSING, Grammar, Run, Slot
from .._state import check_keys, expect, reading_state, take, take_int
from .._validation import check_int
from ._base import Tokenizer
from ._char import CharTokenizer
from ._lines import LineTokenizer, check_lines, line_source
from ._sentencepiece import SentencePieceTokenizer
from ._text import END

__all__ = ["StreamTokenizer"]

BEGIN, START, RUNNING, ENDED = range(4)  # states: before the first token, at the start of a line, within one, behind it
SPELLERS = {cls.__name__: cls for cls in (CharTokenizer, SentencePieceTokenizer)}


class StreamTokenizer(Tokenizer):
    """Lines of text <-> token ids, as another tokenizer has them; for training, sequences of one length cut from all lines.

    All lines are one stream, an end after each; it is cut into sequences of `sequence_length` tokens, each of which begins
    with the last token of the one before it. So nothing is padded, nothing is cut off, and what is learned within a line
    reaches over as many tokens. A line that is scored or sampled begins with the end of another.

    Parameters
    ----------
    tokenizer : CharTokenizer or SentencePieceTokenizer
        Its `max_length` bounds what is scored and sampled, not what is learned from.
    sequence_length : int, default=128
        Tokens that the network reads in one go in training.

    Attributes
    ----------
    tokenizer_ : tokenizer
        The fitted clone of `tokenizer`.
    vocabulary_ : list of str
        That of `tokenizer_`.
    grammar_ : Grammar
        Of a line: an end, then what `tokenizer_` says.
    training_grammar_ : Grammar
        Of a sequence.
    n_cut_ : int
        Number of lines that are longer than what is sampled.
    has_empty_ : bool
        Whether a line of fit is empty; where none is, none is sampled.
    """

    def __init__(self, tokenizer: LineTokenizer, sequence_length: int = 128):
        self.tokenizer = tokenizer
        self.sequence_length = sequence_length

    def fit(self, lines: Sequence[str], y: None = None) -> "StreamTokenizer":
        """Fit the other tokenizer.

        Parameters
        ----------
        lines : sequence of str, shape (n_lines,)
        y : ignored

        Returns
        -------
        self : StreamTokenizer

        Raises
        ------
        ValueError, TypeError
            As the other tokenizer; if it is none of lines.
        """
        check_int(self, "sequence_length", low=2)
        if not isinstance(self.tokenizer, LineTokenizer):
            raise TypeError(
                f"packing='stream' is for lines that CharTokenizer or SentencePieceTokenizer reads, got {self.tokenizer!r}: "
                "pass one of them as tokenizer, or leave packing='rows'"
            )
        source = line_source(lines)
        return self._set_tokenizer(clone(self.tokenizer).fit(source), _has_empty(source))

    def _set_tokenizer(self, tokenizer: LineTokenizer, has_empty: bool) -> "StreamTokenizer":
        self.tokenizer_, self.vocabulary_ = tokenizer, tokenizer.vocabulary_
        self.n_cut_, self.has_empty_ = tokenizer.n_cut_, has_empty
        (slot,) = tokenizer.grammar_.slots
        self.grammar_ = _grammar(slot, slot.repeat + 1, after_end=ENDED)
        self.training_grammar_ = _grammar(slot, self.sequence_length, after_end=START)
        return self

    def training_parts(self, chunks: Iterable[Sequence[str]]) -> Iterator[np.ndarray]:
        """Yield the sequences that are cut from chunks of lines, one after the other.

        The last sequence is filled up from the first line on, which comes behind the end of the last one.

        Parameters
        ----------
        chunks : iterable of sequences of str

        Yields
        ------
        ids : ndarray of int32, shape (n_sequences, sequence_length)
        """
        step, beginning = self.sequence_length - 1, np.array([END], np.int32)
        rest = beginning
        for lines in chunks:
            tokens, lengths = self.tokenizer_.codec_.spelling.spell(check_lines(lines).tolist())
            more = np.insert(tokens, np.cumsum(lengths), END).astype(np.int32)
            if len(beginning) <= step:
                beginning = np.append(beginning, more)[: step + 1]
            rest = np.append(rest, more)
            n_whole = (len(rest) - 1) // step
            if n_whole:
                yield sliding_window_view(rest, step + 1)[::step][:n_whole]
            rest = rest[n_whole * step :]
        if len(rest) > 1:
            yield np.append(rest, np.resize(beginning[1:], step + 1 - len(rest)))[None]

    def admit(self, lines: Sequence[str]) -> "StreamTokenizer":
        """Return this tokenizer, see `CharTokenizer.admit`; or a copy that samples empty lines too, where some of these are.

        Parameters
        ----------
        lines : sequence of str, shape (n_lines,)

        Returns
        -------
        tokenizer : StreamTokenizer
        """
        check_is_fitted(self, "tokenizer_")
        source = line_source(lines)
        self.tokenizer_.admit(source)
        if self.has_empty_ or not _has_empty(source):
            return self
        grown = copy(self)
        grown.has_empty_ = True
        return grown

    def encode(self, lines: Sequence[str], *, cut: bool = False) -> np.ndarray:
        """Return the token ids of lines, see `CharTokenizer.encode`.

        Parameters
        ----------
        lines : sequence of str, shape (n_lines,)
        cut : bool, default=False

        Returns
        -------
        ids : ndarray of int32, shape (n_lines, n_positions)
        """
        check_is_fitted(self, "tokenizer_")
        return np.pad(self.tokenizer_.encode(lines, cut=cut), [(0, 0), (1, 0)], constant_values=END)

    def log_outside(self, lines: Sequence[str]) -> np.ndarray:
        """Return what lines lose of their score, see `CharTokenizer.log_outside`.

        Parameters
        ----------
        lines : sequence of str, shape (n_lines,)

        Returns
        -------
        losses : ndarray of float, shape (n_lines,)
        """
        check_is_fitted(self, "tokenizer_")
        return self.tokenizer_.log_outside(lines)

    def decode(self, ids: np.ndarray) -> list[str]:
        """Return the lines of token ids.

        Parameters
        ----------
        ids : ndarray of int, shape (n_lines, n_positions)

        Returns
        -------
        lines : list of str
        """
        check_is_fitted(self, "tokenizer_")
        return self.tokenizer_.decode(np.asarray(ids)[:, 1:])

    def guides(self, prefixes: Sequence[str] | None = None, max_length: int | None = None) -> list:
        """Return what tells which tokens may come next, see `CharTokenizer.guides`; no empty line where fit had none.

        Parameters
        ----------
        prefixes : sequence of str, default=None
        max_length : int, default=None

        Returns
        -------
        guides : list of callable
        """
        check_is_fitted(self, "tokenizer_")
        guides = self.tokenizer_.guides(prefixes, max_length) + ([] if self.has_empty_ else [self._not_empty])
        return [_Behind(guide) for guide in guides]

    def _not_empty(self, time: int, tokens: np.ndarray, rows: np.ndarray) -> Any:
        """Let no line end before its first token."""
        return np.tile(np.arange(len(self.vocabulary_)) != END, (len(rows), 1)) if time == 0 else None

    def to_state(self) -> dict:
        """Return the fitted tokenizer as plain data, from which `from_state` makes it again."""
        check_is_fitted(self, "tokenizer_")
        return {
            "tokenizer": type(self.tokenizer_).__name__,
            "state": self.tokenizer_.to_state(),
            "sequence_length": int(self.sequence_length),
            "has_empty": self.has_empty_,
        }

    @classmethod
    def from_state(cls, state: dict) -> "StreamTokenizer":
        """Return the fitted tokenizer that wrote a state; ValueError if none did."""
        with reading_state(cls.__name__):
            check_keys(state, "tokenizer", "state", "sequence_length", "has_empty")
            name = take(state, "tokenizer", str)
            expect(name in SPELLERS, "'tokenizer'", name, f"one of {', '.join(SPELLERS)}")
            tokenizer = SPELLERS[name].from_state(state["state"])
            stream = cls(clone(tokenizer), take_int(state, "sequence_length", 2))
            return stream._set_tokenizer(tokenizer, take(state, "has_empty", bool))


def _has_empty(lines: Iterable[str]) -> bool:
    return any(not line for line in lines)


class _Behind:
    """A guide of texts that begin one position later."""

    def __init__(self, guide: Callable):
        self.guide = guide

    def __call__(self, time: int, tokens: np.ndarray, rows: np.ndarray) -> Any:
        return None if time == 0 else self.guide(time - 1, tokens[:, 1:], rows)


def _grammar(slot: Slot, length: int, after_end: int) -> Grammar:
    """Return the grammar of so many tokens, of which all behind an end are ends too, or of other lines."""
    transitions = np.full((4, slot.n_tokens), RUNNING, np.int16)
    transitions[:, MISSING] = -1
    transitions[BEGIN, END] = START
    transitions[[START, RUNNING], END] = after_end
    if after_end == ENDED:
        transitions[BEGIN, np.arange(slot.n_tokens) != END] = -1
    transitions[ENDED] = np.where(np.arange(slot.n_tokens) == END, ENDED, -1)
    return Grammar((Run((Slot(slot.name, transitions, slot.unsampled, repeat=length),)),))
