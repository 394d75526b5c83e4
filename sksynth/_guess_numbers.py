"""What a column of numbers is: a key, dates or numbers; and what is doubtful about it."""

import numpy as np
import pandas as pd

from ._coerce import read_dates, read_numbers
from ._formats import distinct_texts, find_date_format
from ._guess import FEW_VALUES, MANY_RARE, MIN_UNIQUE, MOST, are_few, coerced_notes, dates_among, read_as_dates
from ._notes import Note
from ._values import are_rounded, decimal_places, typed_counts
from .fields import Category, Datetime, Field, Identifier, Number

__all__ = ["guess_floats", "guess_mixed", "guess_whole"]

DATE = "%Y%m%d"
FIRST_DATE, LAST_DATE = 1800_01_01, 2199_12_31  # between which whole numbers may be dates
MOST_ROUNDED = 0.9  # share of distinct floats from which the decimals of the others are noise
MOST_PLACES = 6  # decimals up to which others are taken for noise
BY_CHANCE = 10.0  # pairs of equal numbers to expect from which having none is no chance
MOST_NUMBERS = 0.5  # share of cells that are numbers from which the others are odd


def guess_whole(values: pd.Series, column: object, n_present: int | None) -> tuple[Field, list[Note]]:
    """Return an empty field for whole numbers, and the notes on that choice.

    Parameters
    ----------
    values : Series
        None of them missing.
    column : hashable
    n_present : int or None
        Number of such cells, where `values` are but some of them.
    """
    if _is_key(values, n_present):
        return Identifier(), []
    return _dates_among(values, column) or (Number(), _unique_notes(values, column))


def guess_floats(values: pd.Series, column: object, n_present: int | None) -> tuple[Field, list[Note]]:
    """Return an empty field for floats, of which some may be missing, and the notes on that choice.

    Whole numbers that each occur once are a key, where missing cells made floats of them. Where nearly all numbers have few
    decimals, those of the others are noise, such as sums of floats have.
    """
    present = values.dropna()
    if len(present) < len(values) and (present == present.round()).all() and _is_key(present, n_present):
        return Identifier(), []
    places, odd = _usual_places(present.to_numpy(np.float64), str(values.dtype))
    if places is None or not odd.any():
        return Number(precision=places), []
    reason = f"most have {places} decimals, others more, such as {present.iloc[int(odd.argmax())]}"
    remedy = f"schema={{{column!r}: fields.Number(precision='continuous')}}"
    decision, loss = f"rounded to {places} decimals", "what others have beyond"
    return Number(precision=places), [Note(column, decision, reason, float(odd.mean()), loss, remedy)]


def guess_mixed(values: pd.Series, column: object, min_frequency: int) -> tuple[Field, list[Note]]:
    """Return an empty field for cells of several types, and the notes on that choice.

    Where nearly all are numbers, or dates as text, the others are read as missing; else they are categories.

    Parameters
    ----------
    values : Series of object
        None of them missing.
    column : hashable
    min_frequency : int
    """
    counts = pd.Series(typed_counts(values)[1])
    if are_few(counts, min_frequency):
        return Category(), []
    read, is_text = read_numbers(values), values.map(lambda cell: isinstance(cell, str)).astype(bool)
    share = float(read.notna().mean())
    if share >= MOST:
        return Number(coerce=True), coerced_notes(values, read, ~is_text & read.notna(), column, "numbers")
    texts = distinct_texts(values[is_text])
    dates = find_date_format(texts) if is_text.mean() >= MOST else None
    found = None if dates is None else dates_among(values, texts, dates, column)
    if found is not None:
        return found
    if not MOST_NUMBERS <= share < 1 or counts[counts < min_frequency].sum() <= MANY_RARE * len(values):
        return Category(), []
    reason = f"others are no numbers, such as {values[read.isna()].iloc[0]!r}"
    remedy = f"X[{column!r}] = pd.to_numeric(X[{column!r}], errors='coerce')"
    decision, loss = "taken as categories, though most cells are numbers", "numbers that are rare"
    return Category(), [Note(column, decision, reason, share, loss, remedy)]


def _unique_notes(values, column):
    """Return the note on whole numbers that each occur once, which is no chance."""
    if len(values) < MIN_UNIQUE or not values.is_unique:
        return []
    low, high = int(values.min()), int(values.max())
    if len(values) * (len(values) - 1) / 2 < BY_CHANCE * (high - low + 1):
        return []
    remedy = f"schema={{{column!r}: fields.Identifier()}}" if low >= 0 else f"X[{column!r}] -= X[{column!r}].min()"
    return [Note(column, "taken as numbers", "each occurs once, as keys do", None, "sampled ones may repeat", remedy)]


def _usual_places(values, dtype):
    """Return the decimals of floats that have few, but for noise, and which numbers have more; None: as in all of them."""
    distinct, odd = np.unique(values), np.zeros(len(values), bool)
    exact = decimal_places(distinct, dtype)
    if len(distinct) <= FEW_VALUES or exact in range(MOST_PLACES + 1):
        return None, odd
    for places in range(MOST_PLACES + 1):
        if are_rounded(distinct, places).mean() >= MOST_ROUNDED:
            return places, ~are_rounded(values, places)
    return None, odd


def _dates_among(values, column):
    """Return the field of whole numbers of which nearly all are dates written as year, month and day, and the notes on it."""
    likely = values.between(FIRST_DATE, LAST_DATE)
    texts = distinct_texts(values[likely])
    if likely.sum() < MIN_UNIQUE or likely.mean() < MOST or len(texts) <= FEW_VALUES:
        return None
    read = read_dates(values, DATE)
    usual = likely & read.notna()
    if usual.mean() < MOST:
        return None
    note = read_as_dates(column, DATE, "every number is a date so written", "Number()")
    if usual.all():
        return Datetime(format=DATE), [note]
    remedy = f"schema={{{column!r}: fields.Number()}}"
    return Datetime(format=DATE, coerce=True), coerced_notes(values, read, usual, column, f"dates written as {DATE}", remedy)


def _is_key(values, n_present):
    """Tell whether whole numbers are a key: each occurs once, and they are nearly dense.

    Unique numbers with gaps may as well be a measurement; as a `Number` they keep their range at least.
    """
    if len(values) < MIN_UNIQUE or not values.is_unique or values.min() < 0:
        return False
    return int(values.max()) - int(values.min()) < 2 * (n_present or len(values))
