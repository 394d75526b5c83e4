"""Whether a tokenizer keeps the protocol that `Tokenizer` describes."""

from ._check import check_tokenizer
from ._error import TokenizerError

__all__ = ["TokenizerError", "check_tokenizer"]
