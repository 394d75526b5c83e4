"""Lines of text that need not fit into memory: files and iterables, and what is made of them on disk."""

from ._opened import opened
from ._source import LinesInMemory, LineSource
from ._token_ids import token_ids

__all__ = ["LineSource", "LinesInMemory", "opened", "token_ids"]
