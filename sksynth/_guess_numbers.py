"""What a column of numbers is: a key, dates or numbers; and what is doubtful about it."""

import numpy as np
import pandas as pd

from ._formats import distinct_texts, parse_dates
from ._guess import FEW_VALUES, MIN_UNIQUE, read_as_dates
from ._notes import Note
from ._values import are_rounded, decimal_places, typed_counts
from .fields import Datetime, Field, Identifier, Number

__all__ = ["guess_floats", "guess_whole", "mixed_notes"]

DATE = "%Y%m%d"
FIRST_DATE, LAST_DATE = 1800_01_01, 2199_12_31  # between which whole numbers may be dates
MOST = 0.9  # share of cells, or of distinct numbers, that decide what the others are too
MOST_PLACES = 6  # decimals up to which others are taken for noise
BY_CHANCE = 10.0  # pairs of equal numbers to expect from which having none is no chance
MOST_NUMBERS = 0.5  # share of cells that are numbers from which the others are odd
MANY_RARE = 0.05  # share of rows in rare values from which odd cells matter


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
    if _are_dates(values):
        return Datetime(format=DATE), [read_as_dates(column, DATE, "every number is a date so written", "Number()")]
    return Number(), _odd_notes(values, column) or _unique_notes(values, column)


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


def mixed_notes(values: pd.Series, column: object, min_frequency: int) -> list[Note]:
    """Return the note on numbers with words among them, which are categories and of which many are too rare to be kept."""
    read = pd.to_numeric(values.map(lambda cell: None if isinstance(cell, bool) else cell).astype(object), errors="coerce")
    share, counts = float(read.notna().mean()), typed_counts(values)[1]
    if not MOST_NUMBERS <= share < 1 or counts[counts < min_frequency].sum() <= MANY_RARE * len(values):
        return []
    odd = values[read.isna()]
    reason = f"others are no numbers, such as {odd.iloc[0]!r}"
    remedy = f"X[{column!r}] = pd.to_numeric(X[{column!r}], errors='coerce')"
    return [Note(column, "taken as categories, though most cells are numbers", reason, share, "numbers that are rare", remedy)]


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
        if are_rounded(distinct, places).mean() >= MOST:
            return places, ~are_rounded(values, places)
    return None, odd


def _are_dates(values):
    """Tell whether whole numbers are dates written as year, month and day."""
    if len(values) < MIN_UNIQUE or values.min() < FIRST_DATE or values.max() > LAST_DATE:
        return False
    texts = distinct_texts(values)
    return len(texts) > FEW_VALUES and bool(parse_dates(texts, DATE).notna().all())


def _odd_notes(values, column):
    """Return the note on whole numbers of which most are dates, and others, such as 0, are none."""
    likely = values.between(FIRST_DATE, LAST_DATE)
    if likely.all() or likely.mean() < MOST or not _are_dates(values[likely]):
        return []
    reason = f"others are none written as {DATE}, such as {values[~likely].iloc[0]}"
    remedy = f"X[{column!r}] = pd.to_datetime(X[{column!r}].astype(str), format={DATE!r}, errors='coerce')"
    decision, loss = "taken as numbers, though most cells are dates", "sampled values may be no dates"
    return [Note(column, decision, reason, float(likely.mean()), loss, remedy)]


def _is_key(values, n_present):
    """Tell whether whole numbers are a key: each occurs once, and they are nearly dense.

    Unique numbers with gaps may as well be a measurement; as a `Number` they keep their range at least.
    """
    if len(values) < MIN_UNIQUE or not values.is_unique or values.min() < 0:
        return False
    return int(values.max()) - int(values.min()) < 2 * (n_present or len(values))
