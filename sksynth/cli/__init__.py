"""The command line: ``sksynth fit``, ``sample``, ``info`` and ``report``. Imports what a command needs when it is called."""

from ._commands import main

__all__ = ["main"]
