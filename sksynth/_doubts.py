"""Which decisions of a completed schema are doubtful: notes on columns, and on the table as a whole."""

from itertools import islice

import numpy as np
import pandas as pd

from ._notes import Note, Notes
from ._values import factorize
from .fields import Field, Schema

MANY_FOLDED = 0.05  # share of the rows from which what a field does not hold is worth a note
MIN_ROWS = 20  # from which a table can look like sequences
MIN_PER_GROUP = 3  # rows of a group, on average
BY_CHANCE = 10.0  # pairs of equal rows to expect from which having none is no chance
MOST_ROWS, MOST_PAIRS = 50_000, 200  # rows and pairs of columns that are looked at


def field_notes(field: Field, said: Field | None, column: object, n_rows: int, min_frequency: int) -> list[Note]:
    """Return the notes on what of a column's cells a completed field does not hold; `said` is what was known of it."""
    n_folded = field.n_folded or 0
    share = min(n_folded / max(n_rows, 1), 1.0)
    if field.kind == "category" and not field.categories and n_folded:
        return [_nothing_kept(field, column, share, min_frequency)]
    one = n_folded and field.kind in ("number", "datetime") and field.low == field.high  # of the few cells that are present
    if (share <= MANY_FOLDED and not one) or field.kind == "text":  # texts are cut by the tokenizer
        return []
    named = said is not None and any(getattr(said, name, None) is not None for name in ("categories", "low", "high"))
    reason, remedy = f"each is in fewer than {min_frequency} rows", "min_frequency=1"
    if named:
        reason, remedy = "its field does not hold them", f"schema={{{column!r}: fields.{type(field).__name__}()}}"
    if field.kind == "category":
        decision = "some values are never sampled" if field.other is None else f"some values are sampled as {field.other!r}"
        return [Note(column, decision, reason, share, f"{field.n_folded_values} values", remedy)]
    return [Note(column, "values are clipped", reason, share, f"what lies beyond {field.low} .. {field.high}", remedy)]


def _nothing_kept(field, column, share, min_frequency):
    sampled = "missing" if field.other is None else repr(field.other)
    reason = f"no value is in {min_frequency} or more rows"
    return Note(column, f"all values are sampled as {sampled}", reason, share, "all values", "min_frequency=1")


def table_notes(frame: pd.DataFrame, schema: Schema) -> Notes:
    """Return the notes on a table as a whole: its index, and rows that look like sequences.

    Parameters
    ----------
    frame : DataFrame
        The table, or some of its rows.
    schema : Schema
        Completed.
    """
    return Notes([*_index_notes(frame.index), *_sequence_notes(frame.iloc[:MOST_ROWS], schema)])


def _index_notes(index):
    kind, plain = type(index).__name__, type(index) in (pd.Index, pd.RangeIndex)
    if index.nlevels == 1 and index.name is None and plain and index.dtype.kind in "iu":
        return []
    names = "" if all(name is None for name in index.names) else f" {', '.join(repr(name) for name in index.names)}"
    what = f"{kind}{names}" if kind != "Index" or names else f"index of {index.dtype}"
    reason = f"its {what} is no column"
    return [Note(None, "the index is dropped", reason, None, "what the index says of rows", "X = X.reset_index()")]


def _sequence_notes(frame, schema):
    if len(frame) < MIN_ROWS:
        return []
    times = [column for column, field in schema.items() if field.kind == "datetime" or _is_whole(field)]
    groups = [
        column for column, field in schema.items() if field.kind in ("category", "identifier", "text") or _is_whole(field)
    ]
    codes = {column: _codes(frame[column]) for column in dict.fromkeys([*times, *groups])}
    alone = [column for column in times if schema[column].kind == "datetime" and _is_series(frame[column], codes[column])]
    if alone:
        return [_sequence_note(alone[0], None)]
    times = sorted((time for time in times if codes[time] is not None), key=lambda time: schema[time].kind != "datetime")
    alike = {group: _share_alike(codes[group]) for group in groups if _are_groups(codes[group])}
    expected = {time: _n_alike(codes[time]) for time in times}
    pairs = (
        (group, time)
        for time in times
        for group, share in alike.items()
        if group != time and share * expected[time] >= BY_CHANCE
    )
    for group, time in islice(pairs, MOST_PAIRS):
        ordered = schema[time].kind == "datetime" or _rises_within(frame[time], codes[group])
        if ordered and _is_unique(codes[group], codes[time]):
            return [_sequence_note(time, group)]
    return []


def _is_whole(field):
    return field.kind == "number" and field.precision == 0 and isinstance(field.low, int)


def _codes(values):
    """Return a number for every value of a column; None where cells are missing, or none can be told apart."""
    try:
        codes, distinct = factorize(values)
    except TypeError:  # cells of several types
        return None
    return None if (codes < 0).any() or len(distinct) < 2 else codes


def _is_series(values, codes):
    """Say whether dates are one series: all differ, and they come in order."""
    if codes is None or int(codes.max()) + 1 < len(codes):
        return False
    return values.is_monotonic_increasing or values.is_monotonic_decreasing


def _are_groups(codes):
    """Say whether a column has so few values that rows with the same one may be a sequence."""
    return codes is not None and (int(codes.max()) + 1) * MIN_PER_GROUP <= len(codes)


def _share_alike(codes):
    """Return how often two rows, drawn independently, agree in a column."""
    return np.square(np.bincount(codes) / len(codes)).sum()


def _n_alike(codes):
    """Return how many pairs of rows agree in a column.

    Times the share that agree in another, that is how many agree in both by chance, where rows are independent.
    """
    counts = np.bincount(codes).astype(float)
    return (counts * (counts - 1) / 2).sum()


def _rises_within(time, group):
    """Say whether the rows of every group come in the order of a column."""
    steps, same = np.diff(time.to_numpy()[np.argsort(group, kind="stable")]), np.diff(np.sort(group)) == 0
    return bool((steps[same] > 0).all())


def _is_unique(group, time):
    pairs = group.astype(np.int64) * (int(time.max()) + 1) + time
    return all(len(np.unique(pairs[:n])) == len(pairs[:n]) for n in (1000, len(pairs)))


def _sequence_note(time, group):
    by = f"[{time!r}]" if group is None else f"[{group!r}, {time!r}]"
    reason = f"no two rows agree in {by}" + (", and they are in its order" if group is None else "")
    before = "" if group is None else f".groupby({group!r})"
    remedy = f"X = X.join(X.sort_values({by}){before}.shift().add_suffix('_before'))"
    decision, loss = "rows are learned as if they were independent", "what rows have to do with the ones before"
    return Note(None, decision, reason, None, loss, remedy)
