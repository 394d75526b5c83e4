"""Samples as files, in chunks: formats, what is left of a call that was broken off, and the loop that writes."""

from ._formats import check_texts
from ._settings import settings_of
from ._writing import write_rows

__all__ = ["check_texts", "settings_of", "write_rows"]
