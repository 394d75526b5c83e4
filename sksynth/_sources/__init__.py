"""Lines of text and tables that need not fit into memory, and what is made of them on disk."""

from ._opened import opened
from ._opened_table import opened_table
from ._source import LinesInMemory, LineSource, checked
from ._table_source import TableSource
from ._token_ids import token_ids

__all__ = ["LineSource", "LinesInMemory", "TableSource", "checked", "opened", "opened_table", "token_ids"]
