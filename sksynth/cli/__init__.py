"""The command line: ``sksynth schema``, ``fit``, ``sample``, ``info``, ``report``. A command imports what it needs when called."""

from ._commands import main

__all__ = ["main"]
