"""Records <-> token ids: one tokenizer per kind of record, one codec per kind of field."""

from ._char import CharTokenizer
from ._sentencepiece import SentencePieceTokenizer
from ._table import TableTokenizer

__all__ = ["CharTokenizer", "SentencePieceTokenizer", "TableTokenizer"]

TOKENIZERS = (TableTokenizer, CharTokenizer, SentencePieceTokenizer)
"""Those that files of models may name."""
