"""Records <-> token ids: one tokenizer per kind of record, one codec per kind of field."""

from ._char import CharTokenizer
from ._table import TableTokenizer

__all__ = ["CharTokenizer", "TableTokenizer"]
