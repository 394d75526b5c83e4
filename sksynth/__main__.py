"""``python -m sksynth``: the command line."""

from .cli import main

main(prog_name="sksynth")
