"""Lines of text in a private fit: their number, the alphabet and the length are public."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.base import clone

from .._sources import LineSource, checked
from ..tokenizers import CharTokenizer, SentencePieceTokenizer
from ._schema import PRINTABLE

LENGTH = 128  # characters of a line that are read, unless the tokenizer says otherwise


@dataclass(frozen=True)
class Lines:
    """What `statement_of` tells of lines, in place of what was released of a table."""

    n_rows: int
    public_rows: bool = True
    public_columns: tuple = ()
    schema: tuple = ()
    also: str = "the alphabet, or the pieces, and the length of the tokenizer"


def readable_lines(lines: Any) -> Any:
    """Return lines of which none raises an error that tells of it: one that is no text is empty."""
    if isinstance(lines, LineSource):
        lines.errors = "replace"
        return lines
    return list(checked(lines, "replace"))


def fit_to_alphabet(tokenizer: Any) -> tuple[Any, np.ndarray]:
    """Return a tokenizer of lines that was fitted without a line, and token ids that say nothing of them.

    Parameters
    ----------
    tokenizer : CharTokenizer, SentencePieceTokenizer or None
        With `max_length`, and `alphabet` or `model`. None: 128 printable characters of ASCII.

    Raises
    ------
    ValueError
        If it would take length, alphabet or pieces from the lines.
    """
    tokenizer = CharTokenizer(LENGTH, alphabet=PRINTABLE) if tokenizer is None else clone(tokenizer)
    spelled_by = "model" if isinstance(tokenizer, SentencePieceTokenizer) else "alphabet"
    lacking = [name for name in ("max_length", spelled_by) if getattr(tokenizer, name, None) is None]
    if lacking:
        raise ValueError(
            f"epsilon is set, but tokenizer {tokenizer!r} would take {' and '.join(lacking)} from the lines: pass "
            "CharTokenizer(max_length=..., alphabet=...) or SentencePieceTokenizer(max_length=..., model=...), both public"
        )
    tokenizer.fit([getattr(tokenizer, "alphabet", "")])
    return tokenizer, tokenizer.encode([""])[:0]
