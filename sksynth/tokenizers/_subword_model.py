"""SentencePiece models: read, written in one plain form, and learned from lines.

A model is a protobuf message. It may come from a file that is damaged or made to do harm, so it is read here, checked, and
written anew before SentencePiece sees it: pieces with their scores and kinds, and nothing that changes a text.
"""

import io
import re
import struct
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, compress, islice
from typing import Any

import numpy as np

from .._state import expect, reading
from ._escapes import MARK, escaper, without_pairs

__all__ = ["BYTE", "BYTES", "MAX_LINES", "NORMAL", "USER_DEFINED", "SubwordModel", "VocabularyTooSmall", "learn_model"]

MAX_LINES = 100_000  # from which a model is learned; of more lines these many are taken evenly
KINDS = {"unigram": 1, "bpe": 2}  # by the name of the kind of model
NORMAL, UNKNOWN, USER_DEFINED, BYTE = 1, 2, 4, 6  # kinds of pieces
KEPT = (NORMAL, USER_DEFINED, BYTE)
BYTES = [f"<0x{value:02X}>" for value in range(256)]  # how SentencePiece writes a piece that is one byte
NAMES = frozenset(BYTES)
UNKNOWN_PIECE = "< >"  # no text holds a space once it is escaped
MAX_SCORE = 1e9
LONGEST = 2**30  # bytes of a line that SentencePiece takes
LARGEST = 10**7  # pieces: more than any lines hold, and few enough for SentencePiece to count to
WIDTHS = {1: 8, 5: 4}  # bytes of the numbers of protobuf, by wire type


class VocabularyTooSmall(ValueError):
    """A vocabulary that cannot hold every character; `needed` pieces can."""

    def __init__(self, needed: int):
        super().__init__(f"{needed} pieces are needed")
        self.needed = needed


@dataclass(frozen=True, eq=False)
class SubwordModel:
    """The pieces of a SentencePiece model, escaped as texts are, and how they are put together.

    Parameters
    ----------
    model_type : {"unigram", "bpe"}
    pieces : list of str
        Distinct; a byte is written as in `BYTES`.
    scores : list of float
    kinds : list of int
        `NORMAL`, `USER_DEFINED` or `BYTE`.
    """

    model_type: str
    pieces: list[str]
    scores: list[float]
    kinds: list[int]

    @classmethod
    def from_bytes(cls, content: bytes) -> "SubwordModel":
        """Return the model in a file of SentencePiece, without what it does to a text before it cuts it into pieces.

        Raises
        ------
        ValueError
            If it is no such file, or a model of another kind.
        """
        with reading("no SentencePiece model"):
            message = list(_fields(content))
            spec = dict(_fields(dict(message).get(2, b"")))
            names = {number: name for name, number in KINDS.items()}
            number = spec.get(3, KINDS["unigram"])
            expect(number in names, "the kind of model", number, f"one of {names}")
            pieces = [_piece_of(value) for key, value in message if key == 1]
            kept = [part for part in pieces if part[2] in KEPT and (part[2] == BYTE or part[0] not in NAMES)]
            expect(kept, "the list of pieces", pieces, "at least one that can be drawn")
            model = cls(names[number], *map(list, zip(*kept, strict=True)))
            model._check()
            return model

    def _check(self) -> None:
        written = [piece for piece, _, kind in self._parts() if kind != BYTE]
        as_bytes = [piece for piece, _, kind in self._parts() if kind == BYTE]
        expect(written and all(written), "the list of pieces", written, "at least one, none of them empty")
        expect(len(set(written)) == len(written), "the list of pieces", written, "distinct ones")
        expect(sorted(as_bytes) in ([], BYTES), "the list of bytes", as_bytes, "each of 256 once, or none")
        expect(np.abs(self.scores).max() <= MAX_SCORE, "the list of scores", self.scores, f"numbers up to {MAX_SCORE:g}")

    def to_bytes(self) -> bytes:
        """Return a file of SentencePiece: the unknown piece, then these, and no normalisation."""
        pieces = [(UNKNOWN_PIECE, 0.0, UNKNOWN), *self._parts()]
        trainer = _number(3, KINDS[self.model_type]) + _number(35, BYTE in self.kinds)
        normalizer = _text(1, b"identity") + _number(3, 0) + _number(4, 0) + _number(5, 0)
        return b"".join(_written(*part) for part in pieces) + _text(2, trainer) + _text(3, normalizer)

    def with_bytes(self) -> "SubwordModel":
        """Return the model with a piece for every byte."""
        n = len(BYTES)
        return replace(self, pieces=self.pieces + BYTES, scores=self.scores + [0.0] * n, kinds=self.kinds + [BYTE] * n)

    def with_held(self, texts: list[str], n_texts: int) -> "SubwordModel":
        """Return the model with those learned pieces that at least `n_texts` of some texts hold."""
        parts = [part for part in self._parts() if part[2] != NORMAL or _is_held(part[0], texts, n_texts)]
        return SubwordModel(self.model_type, *map(list, zip(*parts, strict=True)))

    def _parts(self) -> Iterator[tuple[str, float, int]]:
        """Return piece, score and kind of every piece."""
        return zip(self.pieces, self.scores, self.kinds, strict=True)


def _is_held(piece: str, texts: list[str], n_texts: int) -> bool:
    return len(list(islice((text for text in texts if piece in text), n_texts))) == n_texts


def _varint(message: bytes, place: int) -> tuple[int, int]:
    """Return the whole number at a place of a message, and the place behind it."""
    value = 0
    for shift in range(0, 70, 7):
        byte = message[place]
        value, place = value | (byte & 127) << shift, place + 1
        if byte < 128:
            return value, place
    raise ValueError("a number of more than 64 bits")


def _fields(message: bytes) -> Iterator[tuple[int, Any]]:
    """Yield number and value of the fields of a protobuf message."""
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        if key & 7 == 0:
            value, place = _varint(message, place)
        else:
            size, place = _varint(message, place) if key & 7 == 2 else (WIDTHS[key & 7], place)
            expect(place + size <= len(message), "the length of a field", size, f"at most {len(message) - place}")
            value, place = message[place : place + size], place + size
        yield key >> 3, value


def _piece_of(message: bytes) -> tuple[str, float, int]:
    part = dict(_fields(message))
    return part[1].decode("utf-8"), struct.unpack("<f", part.get(2, bytes(4)))[0], part.get(3, NORMAL)


def _number(field: int, value: int) -> bytes:
    return _unsigned(field << 3) + _unsigned(value)


def _text(field: int, value: bytes) -> bytes:
    return _unsigned(field << 3 | 2) + _unsigned(len(value)) + value


def _unsigned(value: int) -> bytes:
    digits = bytearray()
    while value >= 128:
        digits.append(value & 127 | 128)
        value >>= 7
    return bytes([*digits, value])


def _written(piece: str, score: float, kind: int) -> bytes:
    return _text(1, _text(1, piece.encode()) + _unsigned(2 << 3 | 5) + struct.pack("<f", score) + _number(3, kind))


def learn_model(
    lines: Collection[str],
    *,
    vocab_size: int,
    model_type: str,
    character_coverage: float,
    symbols: Sequence[str],
    byte_fallback: bool,
    min_frequency: int,
) -> SubwordModel:
    """Learn a model of at most `vocab_size` pieces, bytes included; the same lines give the same model.

    What fewer than `min_frequency` lines hold becomes no piece, unless it is one of the symbols.

    Raises
    ------
    VocabularyTooSmall
        If not every character can be a piece.
    """
    escape, n_bytes = escaper(), len(BYTES) if byte_fallback else 0
    symbols, texts = list(map(escape, symbols)), list(map(escape, _evenly(lines, MAX_LINES)))
    parts = _without_rare(texts, min_frequency)
    try:
        if _says_more(parts, symbols):
            model = _trained(parts, max(1, vocab_size - n_bytes), model_type, character_coverage, symbols)
        else:
            model = _untrained(vocab_size - n_bytes, model_type, symbols)
    except VocabularyTooSmall as error:
        raise VocabularyTooSmall(error.needed + n_bytes) from error
    if min_frequency > 1 and NORMAL in model.kinds and parts:
        model = model.with_held(texts, min_frequency)
    return model.with_bytes() if byte_fallback else model


def _evenly(lines: Collection[str], n_lines: int) -> list[str]:
    taken = np.zeros(len(lines), bool)
    taken[np.linspace(0, len(lines) - 1, min(n_lines, len(lines))).astype(int)] = True
    return list(compress(lines, taken.tobytes()))  # a byte for each line, 0 or 1


def _without_rare(texts: list[str], min_frequency: int) -> list[str]:
    """Return texts that are cut where a pair of the escape stands, or a character that fewer than `min_frequency` hold."""
    parts_of = list(map(without_pairs, texts))
    counts = Counter(chain.from_iterable(set("".join(parts)) for parts in parts_of))
    rare = "".join(sorted(character for character, count in counts.items() if count < min_frequency))
    parts = chain.from_iterable(parts_of)
    parts = chain.from_iterable(map(re.compile(f"[{re.escape(rare)}]").split, parts)) if rare else parts
    return list(filter(None, parts))


def _says_more(parts: list[str], symbols: list[str]) -> bool:
    """Say whether there is text beside the symbols, which SentencePiece needs to learn anything."""
    if not symbols:
        return bool(parts)
    pattern = re.compile("|".join(map(re.escape, sorted(symbols, key=len, reverse=True))))
    return any(pattern.sub("", part) for part in parts)


def _untrained(n_pieces: int, model_type: str, symbols: list[str]) -> SubwordModel:
    """Return the model of the symbols alone, or of a space, as no model is empty."""
    pieces, kind = (symbols, USER_DEFINED) if symbols else ([MARK], NORMAL)
    if n_pieces < len(pieces):
        raise VocabularyTooSmall(len(pieces))
    return SubwordModel(model_type, pieces, [0.0] * len(pieces), [kind] * len(pieces))


def _of_characters(texts: list[str], n_pieces: int, model_type: str, symbols: list[str]) -> SubwordModel:
    """Return the model of the characters and the symbols."""
    characters = sorted(set("".join(texts)).difference(symbols))
    if n_pieces < len(characters) + len(symbols):
        raise VocabularyTooSmall(len(characters) + len(symbols))
    kinds = [NORMAL] * len(characters) + [USER_DEFINED] * len(symbols)
    return SubwordModel(model_type, characters + symbols, [0.0] * len(kinds), kinds)


def _trained(texts: list[str], n_pieces: int, model_type: str, coverage: float, symbols: list[str]) -> SubwordModel:
    """Return what SentencePiece learns; bytes are added later, as it fails on text that is written like one of them."""
    from sentencepiece import SentencePieceTrainer

    content = io.BytesIO()
    try:
        SentencePieceTrainer.train(
            sentence_iterator=iter(texts), model_writer=content, model_type=model_type, vocab_size=min(n_pieces + 1, LARGEST),
            hard_vocab_limit=False, character_coverage=coverage, user_defined_symbols=symbols,
            normalization_rule_name="identity", add_dummy_prefix=False, remove_extra_whitespaces=False,
            split_by_whitespace=True, allow_whitespace_only_pieces=True, max_sentence_length=LONGEST,
            shuffle_input_sentence=False, num_threads=1, unk_id=0, bos_id=-1, eos_id=-1, pad_id=-1,
            unk_piece=UNKNOWN_PIECE, minloglevel=2,
        )  # fmt: skip
    except RuntimeError as error:
        if "no pieces are loaded" in str(error):  # as of a single character that is repeated
            return _of_characters(texts, n_pieces, model_type, symbols)
        sizes = re.search(r"smaller than required_chars\. (\d+) vs (\d+)", str(error))
        if sizes is None:
            raise
        raise VocabularyTooSmall(int(sizes[2]) - 1) from error
    return SubwordModel.from_bytes(content.getvalue())
