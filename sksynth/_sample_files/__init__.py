"""Samples as files, in chunks: formats, what is left of a call that was broken off, and the loop that writes."""

from ._settings import settings_of
from ._writing import write_rows

__all__ = ["settings_of", "write_rows"]
