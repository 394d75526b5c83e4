"""Doubtful decisions on columns, with what changes them in Python and on the command line."""

import ast
import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

__all__ = ["notes_as_lines"]


def notes_as_lines(notes: Sequence) -> list[str]:
    """Return lines that tell of notes: each decision, and below it what changes it.

    Parameters
    ----------
    notes : sequence of Note
    """
    if not notes:
        return ["no doubtful decisions"]
    lines = [f"{len(notes)} doubtful decision{'s' if len(notes) > 1 else ''}:"]
    for note in notes:
        lines.append(f"- {replace(note, remedy='')}")
        if note.remedy:
            lines.append(f"    to change it in Python: {note.remedy}")
        lines += [f"    or in `sksynth fit`: {options}" for options in [_as_options(note.remedy)] if options]
    return lines


def _as_options(remedy: str) -> str:
    """Return the options of `sksynth fit` that do what arguments of the estimator do; nothing where there are none."""
    try:
        call: Any = ast.parse(f"fit({remedy})", mode="eval").body
        options = [_OPTIONS[keyword.arg](keyword.value) for keyword in call.keywords]
    except (SyntaxError, ValueError, TypeError, KeyError, AttributeError, RecursionError, MemoryError):  # it changes the table
        return ""
    return " ".join(options) if not call.args else ""


def _schema_option(node: Any) -> str:
    """Return what has to be in a schema file, by a dict of fields as Python has it."""
    from ..fields import KINDS, Schema

    classes = {cls.__name__: cls for cls in KINDS.values()}
    schema = Schema()
    for column, field in zip(node.keys, node.values, strict=True):
        arguments = map(ast.literal_eval, field.args)
        named = {keyword.arg: ast.literal_eval(keyword.value) for keyword in field.keywords}
        schema[ast.literal_eval(column)] = classes[field.func.attr](*arguments, **named)
    return f"--schema FILE, with {json.dumps(schema.to_plain())} in FILE"


_OPTIONS = {
    "schema": _schema_option,
    "min_frequency": lambda node: f"--min-frequency {ast.literal_eval(node)}",
}
