"""Text: the tokens that it is spelled with, up to an end."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .._grammar import MISSING, OTHER, Run, Slot
from .._state import MAX_POSITIONS, check_keys, expect, take, take_int
from ..fields import Text
from ._codec import LOG_OUTSIDE, FieldCodec
from ._spelling import END, N_SPECIAL, Characters, Spelling, Subwords
from ._strings import StringColumn, to_grid

__all__ = ["END", "Cut", "TextCodec"]

MAX_LENGTH = 200  # positions, unless the field says otherwise
MANY_TEXTS, MANY_TOKENS = 0.05, 0.02  # shares of which being cut off is worth a word
START, RUNNING, ENDED = range(3)


@dataclass(frozen=True)
class Cut:
    """What of some texts lies beyond the tokens that are learned.

    Attributes
    ----------
    text_share, token_share : float
        Of the texts, those that are cut; of all tokens, those that are cut off.
    n_texts, n_tokens : int
        Number of texts that are cut; that of the tokens of the longest.
    """

    text_share: float
    token_share: float
    n_texts: int
    n_tokens: int

    @classmethod
    def of(cls, lengths: np.ndarray, length: int) -> "Cut":
        """Return what is cut of texts of so many tokens after `length` of them."""
        beyond = np.maximum(lengths - length, 0)
        n_texts, n_beyond = int((beyond > 0).sum()), int(beyond.sum(dtype=np.int64))
        n_tokens = int(lengths.sum(dtype=np.int64))
        shares = n_texts / max(len(lengths), 1), n_beyond / max(n_tokens, 1)
        return cls(*shares, n_texts, int(lengths.max(initial=0)))


class TextCodec(FieldCodec):
    """Text <-> the tokens that it is spelled with, one per character unless another spelling is given.

    The first position may be *missing*; a text that is shorter than the run is followed by *end* tokens up to the last
    position, one that fills the run by none. What the spelling does not know is *other*: scored, never drawn, and decoded
    as U+FFFD.

    Parameters
    ----------
    column : StringColumn
    spelling : Spelling
    length : int
        Number of positions; longer texts are cut.
    unsampled : list of int
        Tokens that are never drawn.
    n_cut : int, default=0
        Number of training rows that were cut.

    Attributes
    ----------
    spelling, length, n_cut
        See the parameters.
    cut : Cut or None
        What is cut of the training rows; None where the codec comes from a state.
    """

    cut: Cut | None = None

    def __init__(self, column: StringColumn, spelling: Spelling, length: int, unsampled: list[int], n_cut: int = 0):
        self.column = column
        self.spelling = spelling
        self.length = length
        self.n_cut = n_cut
        self.run = _text_run(column.name, N_SPECIAL + spelling.n_pieces, length, unsampled)

    @classmethod
    def fit(
        cls,
        values: pd.Series,
        field: Text,
        *,
        name: str,
        min_frequency: int,
        max_length: int = MAX_LENGTH,
        spelling: Spelling | None = None,
        draw_bytes: bool = True,
    ) -> "TextCodec":
        """Learn the length of a column, and its alphabet where no spelling is given.

        Parameters
        ----------
        values : Series of strings, shape (n_rows,)
        field : Text
            Its ``max_length`` is the number of positions; None: as many as the ``min_frequency``-th longest text needs, at
            most `max_length`.
            Its ``alphabet`` is what is learned of characters; None: those in at least ``min_frequency`` rows.
        name : str
        min_frequency : int
            Characters in fewer rows are *other*.
        max_length : int, default=200
        spelling : Spelling, optional
            What texts are spelled with. None: characters.
        draw_bytes : bool, default=True
            Whether tokens of single bytes may be drawn, which stand for characters that are no piece.

        Raises
        ------
        TypeError
            If a cell is not a string.
        """
        column = StringColumn(values, field.dtype, name)
        cells, missing = column.read(values)
        nullable = missing.any() if field.nullable is None else field.nullable
        return cls.fit_chunks(
            column, [cells], field,
            nullable=nullable, min_frequency=min_frequency, max_length=max_length, spelling=spelling, draw_bytes=draw_bytes,
        )  # fmt: skip

    @classmethod
    def fit_chunks(
        cls,
        column: StringColumn,
        chunks: Iterable[list[str]],
        field: Text,
        *,
        nullable: bool,
        min_frequency: int,
        max_length: int,
        spelling: Spelling | None = None,
        draw_bytes: bool = True,
    ) -> "TextCodec":
        """Learn the same from texts of which only a chunk is in memory at a time; none of them is missing.

        Parameters
        ----------
        column : StringColumn
        chunks : iterable of list of str
            Read once.
        field, min_frequency, max_length, spelling, draw_bytes
            See `fit`.
        nullable : bool
            Whether texts may be missing.
        """
        if spelling is None and field.alphabet is None:
            spelling, lengths = Characters.fit(chunks, min_frequency)
        else:
            spelling = Characters.of(field.alphabet) if spelling is None else spelling
            lengths = np.concatenate([spelling.spell(texts)[1].astype(np.int32) for texts in chunks])
        length = _run_length(lengths, field.max_length, min_frequency, max_length)
        never = _never_drawn(nullable, not len(lengths), [] if draw_bytes else spelling.byte_tokens)
        codec, cut = cls(column, spelling, length, never), Cut.of(lengths, length)
        codec.n_cut, codec.cut = cut.n_texts, cut
        return codec

    def to_state(self) -> dict:
        """Return the state: the spelling, the length, and what was seen of the column."""
        return self.spelling.to_state() | {
            "column": self.column.to_state(),
            "length": int(self.length),
            "n_cut": int(self.n_cut),
            "is_empty": bool(self.run.slots[0].unsampled[END]),
            "draw_bytes": not self.run.slots[0].unsampled[self.spelling.byte_tokens].any(),
        }

    @classmethod
    def from_state(cls, state: dict, field: Text, name: str, spelling: type[Spelling] | None = None) -> "TextCodec":
        """Return the codec that wrote `state`, before `forbid_missing`; spelled by this class, if one is given."""
        spelling = spelling or (Subwords if "model" in state else Characters)
        check_keys(state, *spelling.keys, "column", "length", "n_cut", "is_empty", "draw_bytes")
        length, n_cut = take_int(state, "length", 1, MAX_POSITIONS), take_int(state, "n_cut", 0)
        is_empty = take(state, "is_empty", bool)
        wanted = 1 if is_empty else field.max_length
        expect(wanted in (None, length), "'length'", length, f"{wanted}, that of the field")
        column = StringColumn.from_state(state["column"], name)
        spelling, draw_bytes = spelling.from_state(state), take(state, "draw_bytes", bool)
        never = _never_drawn(field.nullable, is_empty, [] if draw_bytes else spelling.byte_tokens)
        return cls(column, spelling, length, never, n_cut)

    def forbid_missing(self) -> None:
        """Make MISSING illegal, not only never drawn: where no text can be missing, no probability is lost on it."""
        self.run.slots[0].transitions[START, MISSING] = -1

    def encode(self, values: pd.Series) -> tuple[np.ndarray, np.ndarray]:
        """Return tokens, shape (n_rows, length), and no free digits; longer texts are cut."""
        return self._encode(values, cut=True), np.zeros((len(values), 0), np.int32)

    def encode_whole(self, values: pd.Series) -> np.ndarray:
        """Return tokens of texts that are not cut, shape (n_rows, `length` or what the longest of them needs)."""
        return self._encode(values, cut=False)

    def _encode(self, values, cut):
        cells, missing = self.column.read(values)
        tokens, lengths = self.spelling.spell(cells)
        width = self.length if cut else max(self.length, lengths.max(initial=0))
        tokens = to_grid(tokens, lengths, width)
        ids = np.full((len(missing), width), END, np.int32)
        ids[missing, 0] = MISSING
        ids[~missing] = np.where(np.arange(width) < lengths[:, None], tokens, END)
        return ids

    def log_outside(self, values: pd.Series) -> np.ndarray:
        """Return what texts lose of their score for each unknown character, which is one of a million, and for what is cut."""
        cells, missing = self.column.read(values)
        tokens, lengths = self.spelling.spell(cells)
        unknown = np.bincount(np.repeat(np.arange(len(cells)), lengths)[tokens == OTHER], minlength=len(cells))
        n_beyond = np.maximum(lengths - self.length, 0)
        per_token = np.log(N_SPECIAL + self.spelling.n_pieces)
        losses = np.zeros(len(missing))
        losses[~missing] = unknown * LOG_OUTSIDE + n_beyond * per_token + np.where(n_beyond > 0, LOG_OUTSIDE, 0.0)
        return losses

    def decode(self, ids: np.ndarray, free: np.ndarray) -> pd.Series:
        """Return the column."""
        return self.column.restore(self.texts(ids), ids[:, 0] == MISSING)

    def texts(self, ids: np.ndarray) -> list[str]:
        """Return one string per row; that of a missing cell is empty."""
        written = (ids != MISSING) & (ids != END)
        return self.spelling.read(ids[written], written.sum(axis=1))


def _never_drawn(nullable: bool, is_empty: bool, of_bytes: list[int]) -> list[int]:
    return [OTHER, *of_bytes] + ([] if nullable else [MISSING]) + ([END] if is_empty else [])


def _run_length(lengths: np.ndarray, wanted: int | None, min_frequency: int, max_length: int) -> int:
    """Return the number of positions, such that no single row determines it."""
    if not len(lengths):
        return 1
    if wanted is not None:
        return int(wanted)
    longest_first = np.sort(lengths)[::-1]
    return int(np.clip(longest_first[min(min_frequency - 1, len(lengths) // 2)], 1, max_length))


def _text_run(name: str, n_tokens: int, length: int, unsampled: list[int]) -> Run:
    transitions = np.full((3, n_tokens), -1, np.int16)
    transitions[START] = transitions[RUNNING] = RUNNING
    transitions[START, [MISSING, END]] = ENDED
    transitions[RUNNING, MISSING] = -1
    transitions[RUNNING, END] = ENDED
    transitions[ENDED, END] = ENDED
    never = np.zeros(n_tokens, bool)
    never[unsampled] = True
    return Run((Slot(name, transitions, never, repeat=length),))
