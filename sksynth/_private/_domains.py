"""Domains of columns that the caller keeps private: found from counts with noise."""

import numpy as np
import pandas as pd

from .. import _values
from .._values import typed_counts, typed_key
from ..fields import Field
from ..privacy._ledger import Ledger
from ..privacy._mechanisms import GaussianCounts, selection_threshold
from ._schema import complete_publicly, private_kind

DELTA_SHARE = 0.1  # of delta, for the values of private categories
SURELY = 4.0  # standard deviations from which a count is no noise
MOST_SURELY = 5.5  # the same for a bound, which one of hundreds of counts would move far
LARGEST_EXACT = 2.0**53  # up to which a float tells whole numbers
EXPONENTS = np.arange(-64, 128)  # of the powers of two between which private bounds of numbers lie
YEARS = np.arange(1678, 2262)  # in which private bounds of dates lie
PLACES = 7  # numbers of decimal places that private precision tells apart, from 0; beyond, a column is continuous


def release_domains(
    frame: pd.DataFrame, private: list, n_rows: int, noise: float, ledger: Ledger, rng: np.random.Generator
) -> tuple[dict, dict]:
    """Release the domains of private columns, and enter in the ledger what they cost.

    Parameters
    ----------
    frame : DataFrame
    private : list
        Names of the columns.
    n_rows : int
        Noisy.
    noise : float
        Noise multiplier of all of them together.
    ledger : Ledger
    rng : Generator

    Returns
    -------
    fields : dict of column to Field
        Complete.
    known : dict of column to ndarray
        Of categories, the noisy counts of missing cells, of all others, and of each value.
    """
    kinds = {column: private_kind(frame[column].dtype, column) for column in private}
    asked = {column: _questions(frame[column], kinds[column].kind, column) for column in private}
    counts = GaussianCounts(noise, sum(len(questions) for questions, _ in asked.values()), rng)
    selected = [column for column in private if kinds[column].kind == "category"]
    scale, delta = counts.scale, DELTA_SHARE * ledger.delta * bool(selected)
    threshold = selection_threshold(scale, delta, len(selected)) if selected else np.inf
    fields: dict[object, Field] = {}
    known: dict[object, np.ndarray] = {}
    for column, kind in kinds.items():
        questions, distinct = asked[column]
        answers = [counts.noisy(question) for question in questions]
        if kind.kind == "category":
            field, known[column] = _select(distinct, kind, answers[0], scale, threshold, n_rows)
        else:
            field = _PRIVATE_FIELD[kind.kind](kind, answers, scale, frame[column].dtype)
        fields[column] = complete_publicly(field, frame[column].dtype, column).replace(n_folded=field.n_folded or 0)
    shown = {"threshold": round(threshold, 1)} if selected else {}
    counts.enter(ledger, "domains", f"categories, bounds and precision of {len(private)} columns", delta, **shown)
    return fields, known


def _questions(values, kind, column):
    """Return arrays of counts, in each of which a row counts once at most; of categories also the values counted, else None.

    From these a private column's domain follows.
    """
    if kind == "category":
        distinct, counts = _value_counts(values)
        return [np.append(counts, values.isna().sum())], distinct
    if kind == "boolean":
        return [], None
    if kind == "datetime":
        stamps = values.dropna()
        years = np.clip(stamps.dt.year.to_numpy(), YEARS[0], YEARS[-1]) - YEARS[0]
        parts, sizes = (years, _resolutions(stamps)), (len(YEARS), len(_values.NANOSECONDS))
        return [np.bincount(part, minlength=size) for part, size in zip(parts, sizes, strict=True)], None
    numbers, missing = _values.numbers(values, column)
    present = numbers[~missing].astype(np.float64)
    counted = [np.bincount(_magnitudes(present), minlength=2 * len(EXPONENTS) + 1)]
    if pd.api.types.is_float_dtype(values.dtype):
        counted.append(np.bincount(_decimals(present), minlength=PLACES + 1))
    return counted, None


def _value_counts(values):
    """Return distinct values and their rows; their order, and what is told apart, follow from each value alone."""
    ordered = isinstance(values.dtype, pd.CategoricalDtype) and values.cat.ordered
    if not pd.api.types.is_object_dtype(values.dtype):
        distinct, counts = typed_counts(values)
        order = range(len(distinct)) if ordered else sorted(range(len(distinct)), key=lambda place: typed_key(distinct[place]))
        return [distinct[place] for place in order], counts[list(order)]
    present = values.dropna()
    codes, keys = pd.factorize(present.map(typed_key), sort=True)
    first = np.unique(codes, return_index=True)[1]
    return present.iloc[first].astype(object).tolist(), np.bincount(codes, minlength=len(keys))


def _select(distinct, field, noisy, scale, threshold, n_rows):
    """Return the field with the values whose noisy count reaches the threshold, and those counts: values, missing, other."""
    keep = noisy[:-1] >= threshold
    kept = tuple(value for value, kept in zip(distinct, keep, strict=True) if kept)
    missing = certain(noisy[-1], scale)
    folded = max(n_rows - noisy[:-1][keep].sum() - missing, 0.0)
    return field.replace(categories=kept, n_folded=round(folded)), np.array([missing, folded, *noisy[:-1][keep]])


def _magnitudes(values):
    """Index of the power of two that each number lies above, from the most negative to the most positive; zero in between."""
    size = np.abs(values)
    with np.errstate(divide="ignore"):
        power = np.where(size > 0, np.clip(np.floor(np.log2(size)), EXPONENTS[0], EXPONENTS[-1]) - EXPONENTS[0] + 1, 0)
    return (np.sign(values) * power + len(EXPONENTS)).astype(int)


def _decimals(values):
    """Number of decimal places that each number needs, `PLACES` if more than can be told apart."""
    needed = np.full(len(values), PLACES)
    with np.errstate(over="ignore", invalid="ignore"):
        for places in reversed(range(PLACES)):
            needed[np.round(values, places) == values] = places
    return needed


def _resolutions(stamps):
    """Index into the resolutions, coarse to fine, of the one that each date needs."""
    needed = np.full(len(stamps), len(_values.NANOSECONDS) - 1)
    zoned = stamps.dt.tz is not None
    local = stamps.dt.tz_localize(None) if zoned else stamps
    even = stamps.dt.tz_convert("UTC").dt.tz_localize(None) if zoned else stamps  # finer ticks than days count in UTC
    for index, resolution in reversed(list(enumerate(_values.NANOSECONDS))):
        own = local if resolution == "D" else even
        needed[(own.dt.floor(resolution) == own).to_numpy()] = index
    return needed


def _finest(noisy, scale):
    """Index of the first entry beyond which the rows are no more than noise."""
    beyond = noisy[::-1].cumsum()[::-1]
    sure = beyond > SURELY * scale * np.sqrt(np.arange(len(noisy), 0, -1))
    return int(np.flatnonzero(sure).max(initial=0))


def _private_number(field, answers, scale, dtype):
    found = np.flatnonzero(answers[0] > MOST_SURELY * scale) - len(EXPONENTS)
    if not len(found):
        return field.replace(low=0, high=0)
    low, high = _edge(found[0], outer=found[0] < 0), _edge(found[-1], outer=found[-1] > 0)
    if len(answers) == 1:
        limits = np.iinfo(getattr(dtype, "numpy_dtype", dtype))
        return field.replace(low=max(int(low), int(limits.min)), high=min(int(high), int(limits.max)))
    places = _finest(answers[1], scale)
    exact = places < PLACES and max(abs(low), abs(high)) * 10.0**places < LARGEST_EXACT
    return field.replace(low=low, high=high, precision=places if exact else "continuous")


def _edge(index, outer):
    """Bound of a stretch between powers of two: the outer one, or the one nearer to zero."""
    if index == 0:
        return 0.0
    power = EXPONENTS[0] + abs(int(index)) - 1 + bool(outer)
    return float(np.sign(index) * 2.0**power)


def _private_datetime(field, answers, scale, dtype):
    found = np.flatnonzero(answers[0] > MOST_SURELY * scale)
    low, high = (YEARS[found[0]], YEARS[found[-1]]) if len(found) else (1970, 1970)
    resolution = list(_values.NANOSECONDS)[_finest(answers[1], scale)]
    last = pd.Timestamp(f"{high + 1}-01-01") - pd.Timedelta(_values.NANOSECONDS[resolution], "ns")
    return field.replace(low=pd.Timestamp(f"{low}-01-01"), high=last, resolution=resolution)


_PRIVATE_FIELD = {
    "number": _private_number,
    "datetime": _private_datetime,
    "boolean": lambda field, answers, scale, dtype: field,
}


def certain(n_rows: float, scale: float) -> float:
    """Return a noisy number of rows, 0 where it may be nothing but noise."""
    return n_rows if n_rows > SURELY * scale else 0.0
