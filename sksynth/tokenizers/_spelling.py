"""Spellings: what a text is written with, one token per character or per piece of several."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import cached_property, partial
from itertools import chain, pairwise
from typing import Any

import numpy as np

from .._grammar import OTHER
from .._state import expect, reading, take_array
from ._escapes import AWKWARD, MARK, STAND_INS, escaper, unescape
from ._strings import N_CODES, count_codes, from_codes, to_codes
from ._subword_model import BYTE, BYTES, SubwordModel, VocabularyTooSmall, learn_model

__all__ = ["END", "N_SPECIAL", "Characters", "Spelling", "Subwords"]

END = 2  # the token behind the last one of a text
N_SPECIAL = 3  # MISSING, OTHER and END: no text is spelled with the first and the last
REPLACEMENT = "\ufffd"  # what OTHER comes back as
CHARACTERS_PER_PIECE, N_PIECES = 100, (64, 2000)  # of the texts that subwords are learned from, and how many there may be


class Spelling(ABC):
    """Texts <-> the tokens that they are spelled with.

    Attributes
    ----------
    pieces : list of str
        The text of every token but the special ones, in the order of their numbers.
    keys : tuple of str
        Those of the state.
    """

    pieces: list[str]
    keys: tuple[str, ...]

    @property
    def n_pieces(self) -> int:
        """Return the number of tokens beyond the special ones."""
        return len(self.pieces)

    @property
    def byte_tokens(self) -> list[int]:
        """Return the tokens that write one byte of a character that is no piece."""
        return []

    @abstractmethod
    def spell(self, cells: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """Return the tokens of all texts, one after the other, and the number of tokens of each; the unknown is OTHER."""

    @abstractmethod
    def read(self, tokens: np.ndarray, lengths: np.ndarray) -> list[str]:
        """Return the texts of tokens as `spell` returns them; OTHER is U+FFFD."""

    @property
    @abstractmethod
    def written(self) -> list[bytes]:
        """What every token writes, the special ones included, as bytes; those of the tokens of a text are `to_bytes` of it."""

    @abstractmethod
    def to_bytes(self, text: str) -> bytes:
        """Return a text as the bytes that its tokens write."""

    @abstractmethod
    def to_state(self) -> dict:
        """Return the state, of which `keys` are the keys."""

    @classmethod
    @abstractmethod
    def from_state(cls, state: dict) -> "Spelling":
        """Return the spelling whose state is part of `state`; ValueError if there is none."""


class Characters(Spelling):
    """One token per character.

    Parameters
    ----------
    alphabet : ndarray of uint32, shape (n_characters,)
        Sorted code points.
    """

    keys = ("alphabet",)

    def __init__(self, alphabet: np.ndarray):
        self.alphabet = alphabet

    @classmethod
    def of(cls, alphabet: str) -> "Characters":
        """Return the spelling with these characters."""
        return cls(np.unique(to_codes([alphabet])[0]))

    @classmethod
    def fit(cls, chunks: Iterable[list[str]], min_frequency: int) -> tuple["Characters", np.ndarray]:
        """Return the spelling with what at least `min_frequency` of the texts hold, and the length of every text."""
        counts, lengths = np.zeros(N_CODES, np.int64), []
        for texts in chunks:
            codes, found = to_codes(texts)
            count_codes(counts, codes, found)
            lengths.append(found.astype(np.int32))
        return cls(np.flatnonzero(counts >= min_frequency).astype(np.uint32)), np.concatenate(lengths)

    @property
    def pieces(self) -> list[str]:
        return list(map(chr, self.alphabet.tolist()))

    @property
    def n_pieces(self) -> int:
        return len(self.alphabet)

    def spell(self, cells: list[str]) -> tuple[np.ndarray, np.ndarray]:
        codes, lengths = to_codes(cells)
        index = np.searchsorted(self.alphabet, codes)
        known = np.append(self.alphabet, np.uint32(2**32 - 1))[index] == codes
        return np.where(known, index + N_SPECIAL, OTHER), lengths

    def read(self, tokens: np.ndarray, lengths: np.ndarray) -> list[str]:
        codes = np.concatenate([[0, ord(REPLACEMENT), 0], self.alphabet])
        return from_codes(codes[tokens], lengths)

    @cached_property
    def written(self) -> list[bytes]:
        return [b"", self.to_bytes(REPLACEMENT), b"", *map(self.to_bytes, self.pieces)]

    def to_bytes(self, text: str) -> bytes:
        return text.encode("utf-8", "surrogatepass")

    def to_state(self) -> dict:
        return {"alphabet": self.alphabet.astype(np.uint32)}

    @classmethod
    def from_state(cls, state: dict) -> "Characters":
        alphabet = take_array(state, "alphabet", np.uint32, (None,))
        expect((alphabet[:-1] < alphabet[1:]).all(), "'alphabet'", alphabet, "ascending code points")
        expect((alphabet < N_CODES).all(), "'alphabet'", alphabet, f"code points below {N_CODES:#x}")
        return cls(alphabet)


class Subwords(Spelling):
    """One token per piece of a SentencePiece model, or per byte of what no piece writes, where the model has bytes.

    A byte is written ``"<0x41>"`` among the pieces; no other piece is.

    Parameters
    ----------
    model : SubwordModel
    """

    keys = ("model",)

    def __init__(self, model: SubwordModel):
        self.model = model
        self.pieces = list(map(unescape, model.pieces))

    @classmethod
    def fit(cls, cells: list[str], min_frequency: int) -> "Subwords":
        """Return the spelling with pieces, each in at least `min_frequency` texts, in number as suits the texts; and bytes."""
        n_pieces = int(np.clip(sum(map(len, cells)) // CHARACTERS_PER_PIECE, *N_PIECES))
        learn = partial(
            learn_model, cells, model_type="unigram", character_coverage=1.0, symbols=(), byte_fallback=True,
            min_frequency=min_frequency,
        )  # fmt: skip
        try:
            return cls(learn(vocab_size=n_pieces + len(BYTES)))
        except VocabularyTooSmall as error:
            return cls(learn(vocab_size=error.needed))

    @classmethod
    def of(cls, content: bytes) -> "Subwords":
        """Return the spelling of a file of SentencePiece; ValueError if it is none."""
        self = cls(SubwordModel.from_bytes(content))
        with reading("no SentencePiece model"):
            n_found = self._processor.get_piece_size()
            expect(n_found == self.n_pieces + 1, "the number of pieces", n_found, f"{self.n_pieces + 1}")
        return self

    def __reduce__(self) -> tuple:
        return Subwords, (self.model,)  # without what SentencePiece made of it

    @property
    def is_blank(self) -> bool:
        """Whether no piece but bytes writes anything but space."""
        return not any(piece.strip() for piece, kind in zip(self.pieces, self.model.kinds, strict=True) if kind != BYTE)

    @property
    def byte_tokens(self) -> list[int]:
        return [token for token, kind in enumerate(self.model.kinds, N_SPECIAL) if kind == BYTE]

    @cached_property
    def _processor(self) -> Any:
        from sentencepiece import SentencePieceProcessor

        return SentencePieceProcessor(model_proto=self.model.to_bytes())

    @cached_property
    def _escape(self) -> Any:
        """What escapes a text; stand-ins are used where the model knows them, and always for what is no space."""
        known = set("".join(self.model.pieces))
        return escaper("".join(character for character in AWKWARD if character == MARK or STAND_INS[character] in known))

    @cached_property
    def written(self) -> list[bytes]:
        kinds = zip(self.model.pieces, self.model.kinds, strict=True)
        pieces = [bytes([BYTES.index(piece)]) if kind == BYTE else piece.encode() for piece, kind in kinds]
        return [b"", REPLACEMENT.encode(), b"", *pieces]

    def spell(self, cells: list[str]) -> tuple[np.ndarray, np.ndarray]:
        found = self._processor.encode(list(map(self._escape, cells)))
        lengths = np.fromiter(map(len, found), np.int64, len(found))
        numbers = np.fromiter(chain.from_iterable(found), np.int64, lengths.sum())  # 0 is unknown, 1 the first piece
        return np.where(numbers == 0, OTHER, numbers + (N_SPECIAL - 1)), lengths

    def read(self, tokens: np.ndarray, lengths: np.ndarray) -> list[str]:
        text = b"".join(map(self.written.__getitem__, tokens.tolist()))
        ends_of_tokens = np.cumsum(np.append(0, np.array(list(map(len, self.written)))[tokens]))
        ends = ends_of_tokens[np.cumsum(np.append(0, lengths))].tolist()
        return [unescape(text[start:end].decode("utf-8", "replace")) for start, end in pairwise(ends)]

    def to_bytes(self, text: str) -> bytes:
        return self._escape(text).encode()

    def to_state(self) -> dict:
        return {"model": np.frombuffer(self.model.to_bytes(), np.uint8)}

    @classmethod
    def from_state(cls, state: dict) -> "Subwords":
        model = take_array(state, "model", np.uint8, (None,))
        with reading("'model'"):
            return cls.of(model.tobytes())
