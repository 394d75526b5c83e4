"""The command line: ``sksynth schema``, ``fit``, ``sample``, ``info``, ``report``. Each imports what it needs when called."""

from ._commands import main

__all__ = ["main"]
