"""Records <-> token ids: one tokenizer per kind of record, one codec per kind of field."""

from ._char import CharTokenizer
from ._sentencepiece import SentencePieceTokenizer
from ._stream import StreamTokenizer
from ._table import TableTokenizer

__all__ = ["CharTokenizer", "SentencePieceTokenizer", "StreamTokenizer", "TableTokenizer"]

TOKENIZERS = (TableTokenizer, CharTokenizer, SentencePieceTokenizer, StreamTokenizer)
"""Those that files of models may name."""
