"""What is given of columns, as it is written on the command line."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import click

WORDS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
RANGES = ("number", "datetime")  # kinds of field of which A..B is an interval; and categories that have an order
EXAMPLES = {
    "number": "age=30 or age=20..40",
    "datetime": "day=2020-01-31 or day=2020-01-01..2020-12-31",
    "boolean": "member=true",
}


def parse_given(texts: Sequence[str], schema: Mapping) -> dict | None:
    """Return what is given as `sample` takes it; None where nothing is.

    Parameters
    ----------
    texts : sequence of str
        ``column=value``, ``column=low..high`` with one end or both, or ``column=`` for a missing cell. Of several of one
        column any may hold.
    schema : mapping of column to field
        Of the fitted model.

    Raises
    ------
    click.BadParameter
        If there is no such column, or the text is none of its values; the message names the column.
    """
    given: dict[Any, list] = {}
    for text in texts:
        column, value = _split(text, schema)
        given.setdefault(column, []).append(_parse(value, schema[column], column))
    return {column: values[0] if len(values) == 1 else values for column, values in given.items()} or None


def _split(text, schema):
    """Return column and value; a column's name may hold the sign between them."""
    if "=" not in text:
        raise _wrong(f"expected COLUMN=VALUE, got {text!r}")
    known = [column for column in schema if text.startswith(f"{column}=")]
    if not known:
        name = text.partition("=")[0]
        raise _wrong(f"there is no column {name!r}: the columns are {', '.join(map(str, schema))}")
    column = max(known, key=lambda known: len(str(known)))
    return column, text[len(str(column)) + 1 :]


def _parse(text, field, column):
    """Return a value, an interval, or None for a missing cell."""
    from ..fields import Interval

    if text == "":
        return None
    labels = _labels(field)
    if text in labels:
        return labels[text]
    if ".." in text and (field.kind in RANGES or getattr(field, "ordered", False)):
        ends = [_scalar(end, field, column) if end else None for end in text.split("..", 1)]
        try:
            return Interval(*ends)
        except (TypeError, ValueError) as error:
            raise _wrong(f"column {column!r}: {error}") from None
    return _scalar(text, field, column)


def _labels(field):
    """Return the values of a category by how they are written."""
    if field.kind != "category":
        return {}
    values = [*(field.levels or ()), *(field.categories or ()), field.other]
    return {str(value): value for value in values if value is not None}


def _scalar(text, field, column):
    """Return one value of a column."""
    import pandas as pd

    try:
        if field.kind == "category":
            return _labels(field).get(text, text)
        if field.kind == "boolean":
            return WORDS[text.lower()]
        if field.kind == "datetime":
            return _present(pd.Timestamp(text)) if field.format is None else text
        if field.kind == "number":
            return _present(pd.Timedelta(text) if field.dtype.startswith("timedelta") else _number(text))
    except (KeyError, ValueError):
        raise _wrong(f"column {column!r} is a {field.kind}, got {text!r}; write it as in {EXAMPLES[field.kind]}") from None
    return text


def _number(text):
    """Return a number, whole where it is written so."""
    try:
        return int(text)
    except ValueError:
        return float(text)


def _present(value):
    """Return a value; ValueError where it is none, or infinite."""
    if value != value or value in (math.inf, -math.inf):
        raise ValueError(value)
    return value


def _wrong(message):
    return click.BadParameter(message, param_hint="--given")
