"""Records <-> token ids: one tokenizer per kind of record, one codec per kind of field.

`Tokenizer` says what a tokenizer of one's own has to do, `check_tokenizer` whether it does; its grammar is made of `Slot`,
`Run` and `Grammar`, or by `compile_slots`, and a `Place` tells where in a row a column stands.
"""

from .._grammar import Grammar, Run, Slot, compile_slots
from ._base import Tokenizer
from ._char import CharTokenizer
from ._check import TokenizerError, check_tokenizer
from ._conditions import Place
from ._sentencepiece import SentencePieceTokenizer
from ._stream import StreamTokenizer
from ._table import TableTokenizer

__all__ = [
    "CharTokenizer",
    "Grammar",
    "Place",
    "Run",
    "SentencePieceTokenizer",
    "Slot",
    "StreamTokenizer",
    "TableTokenizer",
    "Tokenizer",
    "TokenizerError",
    "check_tokenizer",
    "compile_slots",
]

TOKENIZERS = (TableTokenizer, CharTokenizer, SentencePieceTokenizer, StreamTokenizer)
"""Those that files of models may name."""
