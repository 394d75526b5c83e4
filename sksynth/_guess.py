"""What a column of strings is: dates, a key, categories or text; and what is doubtful about it."""

import re

import pandas as pd

from ._coerce import read_dates
from ._formats import SAMPLE, DateFormat, distinct_texts, find_date_format, plain_format
from ._notes import Note
from .fields import Category, Datetime, Field, Identifier, Text

__all__ = [
    "FEW_VALUES",
    "MANY_RARE",
    "MIN_UNIQUE",
    "MOST",
    "are_few",
    "coerced_notes",
    "dates_among",
    "guess_strings",
    "read_as_dates",
]

FEW_VALUES = 20  # a column of so few distinct strings is a category, however rare they are
MAX_CATEGORIES = 10_000
MAX_RARE = 0.2  # share of rows in values rarer than min_frequency up to which strings are a category
MIN_UNIQUE = 20  # rows from which a column that is unique per row can be an identifier
SHOWN, LONGEST = 3, 40  # cells that a note shows, and characters of each
MAX_IDENTIFIER = 64  # characters
ALIKE = 0.95  # share of an identifier's values that have one shape
MOST = 0.85  # share of cells that decide what the others are too
MANY_RARE = 0.05  # share of rows in rare values from which something is lost
MOST_DATES = 0.5  # share of cells that are dates of one format from which the others are odd
MIN_KEPT = 0.25  # share of rows in values that are kept, from which codes that repeat are a category
MIN_REPEATS = 2.0  # rows of a code, on average, from which it repeats
MIN_REPEATED = 0.2  # share of rows with a value that is in others too, from which text is doubtful
CODE = r"(?=.*[0-9]|[^a-z]*$)\S{1,20}"  # without spaces, and with a digit or in capitals
PHONE = r"[+(0-9][0-9 ()./-]*"
OFFSET = re.compile(r"[+-]\d\d:?\d\d$")
NUMBER = r"([^\w\s(]|[A-Z]{{3}})? ?[-+]?[^\w\s(]? ?(0|[1-9]\d*){}({}\d+)?[^\d)]{{0,4}}"  # a sign, a unit before or behind
MIXED = "X[{0!r}] = pd.to_datetime(X[{0!r}], format='mixed', utc=True)"
SPLIT = "X = X.join(X[{0!r}].str.split('{1}', expand=True).astype(float).add_prefix(str({0!r}) + '_')).drop(columns=[{0!r}])"
LOOKS = {
    "pairs of numbers": (r"-?\d+\.\d+([,;] ?| )-?\d+\.\d+", SPLIT.replace("{1}", "[,; ]+")),
    "IP addresses": (r"(\d{1,3}\.){3}\d{1,3}", SPLIT.replace("{1}", "[.]")),
    "dates": (
        r"(?=.*\d{2})(\d{1,4}|[^\W\d]{3,9}\.?)([-/. ]|, )(\d{1,2}|[^\W\d]{3,9}\.?)([-/. ]|, )\d{1,4}(?!\d).*",
        MIXED,
    ),
    "durations": (r"-?\d+:\d\d(:\d\d([.,]\d+)?)?", "X[{0!r}] = pd.to_timedelta(X[{0!r}])"),
    "e-mail addresses": (r"[^@\s]+@[^@\s]+\.\w+", "schema={{{0!r}: fields.Identifier()}}"),
    "numbers with a separator or unit": (
        NUMBER.format(r"(,\d{3})*", r"\."),
        "X[{0!r}] = pd.to_numeric(X[{0!r}].str.replace(r'[^0-9.-]', '', regex=True))",
    ),
    "numbers with a decimal comma": (
        NUMBER.format(r"([. ]\d{3})*", ","),
        "X[{0!r}] = pd.to_numeric(X[{0!r}].str.replace(r'[^0-9,-]', '', regex=True).str.replace(',', '.'))",
    ),
    "numbers, some in brackets": (
        r"\(?[^\w\s(]?(0|[1-9]\d*)(,\d{3})*(\.\d+)?\)?",
        "X[{0!r}] = pd.to_numeric(X[{0!r}].str.replace('(', '-').str.replace(r'[^0-9.-]', '', regex=True))",
    ),
    "ranges of numbers": (r"\d+(\.\d+)? ?[-\u2013] ?\d+(\.\d+)?", SPLIT.replace("{1}", " ?[-\u2013] ?")),
}
"""How the values of columns look that are taken as text or keys: a pattern, and what to do about it."""
OF_TEXT = ("numbers", "ranges", "e-mail")  # what keys may look like


def guess_strings(values: pd.Series, column: object, min_frequency: int) -> tuple[Field, list[Note]]:
    """Return an empty field of the kind that fits strings best, and the notes on that choice.

    Parameters
    ----------
    values : Series of str
        None of them missing.
    column : hashable
    min_frequency : int
    """
    texts = distinct_texts(values)
    dates = find_date_format(texts)
    if dates is not None and dates.fits.all() and (dates.is_iso or len(texts) > FEW_VALUES):
        return Datetime(format=dates.format), _order_notes(dates, column)
    counts = values.value_counts()
    if dates is not None and not are_few(counts, min_frequency):
        found = dates_among(values, texts, dates, column)
        if found is not None:
            return found
    kept = counts[counts >= min_frequency]
    rare = 1 - kept.sum() / max(len(values), 1)
    identifier = _is_identifier(values)
    if not identifier and (len(counts) <= FEW_VALUES or (rare <= MAX_RARE and len(kept) <= MAX_CATEGORIES)):
        return Category(), []
    odd = _odd_notes(values, texts, dates, column)
    if identifier:
        return Identifier(), odd or _look_notes(values, column, "a key")
    if 1 - rare >= MIN_KEPT and len(kept) <= MAX_CATEGORIES and _are_codes(values, len(texts)):
        return Category(), odd  # what folds has a note of its own
    return Text(), odd or _look_notes(values, column, "text") or _text_notes(values, len(texts), rare, min_frequency, column)


def read_as_dates(column: object, format: str, reason: str, otherwise: str) -> Note:
    """Return the note on a column that is read as dates, though it could be something else."""
    return Note(column, f"read as dates written as {format}", reason, None, "", f"schema={{{column!r}: fields.{otherwise}}}")


def are_few(counts: pd.Series, min_frequency: int) -> bool:
    """Tell by the rows of every value whether these are few, and nearly all frequent: categories lose nothing then."""
    return len(counts) <= FEW_VALUES and counts[counts < min_frequency].sum() <= MANY_RARE * counts.sum()


def dates_among(values: pd.Series, texts: pd.Series, dates: DateFormat, column: object) -> tuple[Field, list[Note]] | None:
    """Return the field of cells of which nearly all are dates, and what is said of the others; None where too few are.

    Parameters
    ----------
    values : Series
        None of them missing.
    texts : Series of str
        The distinct ones that are text.
    dates : DateFormat
        In which most of `texts` are written.
    column : hashable
    """
    usual = values.isin(texts[dates.fits])
    if usual.mean() < MOST or (not dates.is_iso and dates.fits.sum() <= FEW_VALUES):
        return None
    other = find_date_format(texts[~dates.fits])
    remedy = None if other is None else _date_remedy(column, dates, other)
    read = read_dates(values, dates.format)
    notes = coerced_notes(values, read, usual, column, f"dates written as {dates.format}", remedy)
    return Datetime(format=dates.format, coerce=True), notes + _order_notes(dates, column, ", coerce=True")


def coerced_notes(
    values: pd.Series, read: pd.Series, usual: pd.Series, column: object, what: str, remedy: str | None = None
) -> list[Note]:
    """Return the notes on cells that are read as what nearly all are: of the others some are missing, some written otherwise.

    Parameters
    ----------
    values, read : Series
        As they are, and as they are read.
    usual : Series of bool
        Which are as nearly all are.
    column : hashable
    what : str
        Nearly all are, such as "numbers".
    remedy : str, optional
        A line that keeps the others; None: the one that makes categories of them.
    """
    remedy, notes = remedy or f"schema={{{column!r}: fields.Category()}}, min_frequency=1", []
    odd, otherwise = read.isna(), read.notna() & ~usual
    if odd.any():
        reason = f"nearly all are {what}, but others are none, such as {_examples(values[odd])}"
        loss = "what these cells say: they are sampled as missing"
        notes.append(Note(column, "odd cells are read as missing", reason, float(odd.mean()), loss, remedy))
    if otherwise.any():
        reason = f"they can be read as {what}, such as {_examples(values[otherwise])}"
        share, loss = float(otherwise.mean()), "how these cells are written"
        notes.append(Note(column, "cells that are written otherwise are read alike", reason, share, loss, remedy))
    return notes


def _examples(cells):
    """Return the most frequent cells as they would be written in Python."""
    shown = cells.map(repr).value_counts(sort=True).index[:SHOWN]
    return ", ".join(text if len(text) <= LONGEST else text[: LONGEST - 3] + "..." for text in shown)


def _order_notes(dates: DateFormat, column, more=""):
    if dates.other is None:
        return []
    reason = f"every date could be one written as {dates.other} too"
    return [read_as_dates(column, dates.format, reason, f"Datetime(format={dates.other!r}{more})")]


def _odd_notes(values, texts, dates, column):
    """Return the note on strings of which most are dates of one format, and others are not."""
    share = 0.0 if dates is None else float(values.isin(texts[dates.fits]).mean())
    if not MOST_DATES <= share < 1:
        return []
    odd = texts[~dates.fits]
    reason = f"others are no dates written as {dates.format}, such as {odd.iloc[0]!r}"
    decision, loss = "not taken as dates, which most cells are", "sampled values may be none"
    return [Note(column, decision, reason, share, loss, _date_remedy(column, dates, find_date_format(odd)))]


def _date_remedy(column, *formats):
    """Return the line that reads dates of one format or two; what is of neither is missing."""
    if OFFSET.search(formats[0].format):
        return MIXED.format(column).replace("utc=True", "utc=True, errors='coerce'")
    read = "pd.to_datetime(X[{!r}], format={!r}, errors='coerce')"
    first, *others = [read.format(column, plain_format(found.format)) for found in formats if found is not None]
    return f"X[{column!r}] = {first}" + "".join(f".fillna({other})" for other in others)


def _are_dates(texts):
    """Tell whether pandas reads strings as dates, each by a format of its own."""
    return bool(pd.to_datetime(texts, format="mixed", utc=True, errors="coerce").notna().all())


def _is_identifier(values):
    """Tell whether strings are a key: each occurs once, is short, has a digit and no space, and most have one shape.

    Numbers of telephones have spaces.
    """
    if len(values) < MIN_UNIQUE or not values.is_unique:
        return False
    text = values.astype(object).str
    shapes = text.replace(r"[A-Za-z0-9]+", "w", regex=True)
    plain = (~text.contains(r"\s") | text.fullmatch(PHONE)) & text.contains("[0-9]")
    alike = min(plain.mean(), shapes.value_counts(normalize=True).iloc[0])
    return alike >= ALIKE and text.len().max() <= MAX_IDENTIFIER


def _are_codes(values, n_distinct):
    """Tell whether strings are codes that repeat: new ones, made of their parts, would be none."""
    return len(values) >= MIN_REPEATS * n_distinct and values.astype(object).str.fullmatch(CODE).mean() >= ALIKE


def _look_notes(values, column, taken_as):
    """Return the note on strings that look like something which no field holds."""
    text = values.astype(object).str
    is_text = taken_as == "text"
    loss = "sampled values may be malformed" if is_text else "what the values say: sampled ones are random"
    for look, (pattern, remedy) in LOOKS.items():
        share = float(text.fullmatch(pattern).mean())
        if share < ALIKE or (look.startswith(OF_TEXT) and not is_text):
            continue
        if look == "dates" and not _are_dates(values.iloc[:SAMPLE]):
            continue
        reason = f"its values look like {look}"
        return [Note(column, f"taken as {taken_as}", reason, share, loss, remedy.format(column))]
    return []


def _text_notes(values, n_distinct, rare, min_frequency, column):
    """Return the note on texts of which many occur in several rows."""
    if 1 - n_distinct / len(values) < MIN_REPEATED:
        return []
    reason = f"values repeat, but {rare:.0%} of the rows hold one that is in fewer than {min_frequency} rows"
    remedy = f"schema={{{column!r}: fields.Category()}}, min_frequency=1"
    return [Note(column, "taken as text", reason, rare, "sampled values may be none of the table's", remedy)]
