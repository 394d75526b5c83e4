"""Fields completed from the data, and checked against it: one function per kind of field."""

import numpy as np
import pandas as pd
from pandas.api import types

from . import _times, _values
from ._formats import distinct_texts, find_date_format
from ._pattern import Pattern, integer_parts
from ._state import reading
from ._values import positions_of, typed_counts, typed_key

LABEL = "other"  # of the values of a column in which every one is rare
RESOLUTIONS = tuple(_values.NANOSECONDS)


def dtype_name(dtype) -> str:
    """Return a name from which pandas makes the dtype again; ``category[...]`` names the dtype of the levels."""
    if isinstance(dtype, pd.CategoricalDtype):
        return f"category[{dtype_name(dtype.categories.dtype)}]"
    if isinstance(dtype, pd.StringDtype) and dtype.na_value is pd.NA:
        return f"string[{dtype.storage}]"
    return str(dtype)


def complete_category(field, values, column, min_frequency):
    """Return the field with its categories: those given, else those that are not rare."""
    distinct, counts = typed_counts(values)
    if field.categories is None:
        keep = counts >= min_frequency
    else:
        keep = positions_of(pd.Series(distinct, dtype=object), field.categories) >= 0
        if not keep.all() and field.other is None and field.n_folded is None:
            bad = distinct[int(np.argmin(keep))]
            raise ValueError(
                f"column {column!r}: holds {bad!r}, which is none of the {len(field.categories)} categories; "
                "add it to categories, or name a label for all others with other="
            )
    kept = tuple(value for value, kept in zip(distinct, keep, strict=True) if kept)
    categories = kept if field.categories is None else field.categories
    folded = [value for value, kept in zip(distinct, keep, strict=True) if not kept]
    rows = counts[~keep]
    field = field.replace(
        categories=categories, n_folded=int(rows.sum()), n_folded_values=len(rows), n_folded_most=int(rows.max(initial=0))
    )
    if not categories and field.other is None:
        field = _without_values(field, distinct)
    return _complete_levels(field, values, set(map(typed_key, folded)))


def _without_values(field, distinct):
    """Return a field of which no value is kept, so that something can be drawn: a label for strings, missing for others."""
    label = LABEL if len(distinct) and all(isinstance(value, str) for value in distinct) else None
    return field.replace(nullable=True) if label is None else field.replace(other=label)


def _complete_levels(field, values, folded):
    """Return the field with the dtype of the restored column and, where that is categorical, its levels."""
    dtype = field.dtype or dtype_name(values.dtype)
    named = [*field.categories, *([] if field.other is None else [field.other])]
    if not dtype.startswith("category"):
        text = any(isinstance(value, str) for value in named)
        numeric = types.is_numeric_dtype(dtype) or types.is_bool_dtype(dtype)
        return field.replace(dtype="object" if text and numeric else dtype)
    present = values.cat.categories if isinstance(values.dtype, pd.CategoricalDtype) else named
    levels = [value for value in present if typed_key(value) not in folded] if field.levels is None else list(field.levels)
    known = set(map(typed_key, levels))
    levels += [value for value in dict.fromkeys(named) if typed_key(value) not in known]
    ordered = isinstance(values.dtype, pd.CategoricalDtype) and values.cat.ordered if field.ordered is None else field.ordered
    if dtype == "category" or len(levels) > len(present):
        dtype = f"category[{dtype_name(pd.Index(levels).dtype)}]"
    return field.replace(levels=tuple(levels), ordered=bool(ordered), dtype=dtype)


def complete_boolean(field, values, column, min_frequency):
    """Return the field with its dtype."""
    present = values.dropna()
    if len(present) and types.infer_dtype(present) != "boolean":
        raise ValueError(
            f"column {column!r}: expected True and False, got {present.iloc[0]!r}; give it another field with "
            f"schema={{{column!r}: fields.Category()}}"
        )
    return field.replace(dtype=field.dtype or dtype_name(values.dtype), n_folded=0)


def complete_number(field, values, column, min_frequency):
    """Return the field with its precision and bounds."""
    dtype = field.dtype or dtype_name(values.dtype)
    if types.is_timedelta64_dtype(values.dtype):
        return _complete_duration(field.replace(dtype=dtype), values, column, min_frequency)
    array, missing = _values.numbers(values, column)
    present = array[~missing]
    whole = types.is_integer_dtype(dtype) or (present.dtype.kind in "iu" and not types.is_float_dtype(dtype))
    if whole and (broken := present[present != np.rint(present)]).size:
        raise ValueError(
            f"column {column!r}: its field says dtype {dtype}, got {broken[0]}; leave dtype out, or round the column"
        )
    precision = _precision(field, present, whole, dtype, column)
    given = _given_bounds(field, whole, dtype, column)
    low, high, n_folded = bounds(given, present, column, min_frequency, clip=field.n_folded is not None)
    kind = int if whole else float
    low, high = (None if bound is None else kind(bound) for bound in (low, high))
    return field.replace(dtype=dtype, precision=precision, low=low, high=high, n_folded=n_folded)


def _precision(field, present, whole, dtype, column):
    if field.precision in RESOLUTIONS or (whole and field.precision not in (None, 0)):
        raise ValueError(f"column {column!r}: holds {dtype}, which precision={field.precision!r} does not suit; leave it out")
    if field.precision is not None:
        return field.precision
    return 0 if whole else _values.decimal_places(present.astype(np.float64), dtype)


def _given_bounds(field, whole, dtype, column):
    """Return the given bounds as what the column holds: whole numbers within its dtype, or floats."""
    given = {name: getattr(field, name) for name in ("low", "high") if getattr(field, name) is not None}
    ends = [types.pandas_dtype(dtype.lower())] * 2 if whole and dtype != "object" else [np.int64, np.uint64]
    least, largest = np.iinfo(ends[0]).min, np.iinfo(ends[1]).max
    for name, bound in given.items():
        if isinstance(bound, pd.Timedelta):
            raise ValueError(f"column {column!r}: holds numbers, so {name} must be a number, got {bound!r}")
        if whole and (bound != int(bound) or not least <= bound <= largest):
            raise ValueError(f"column {column!r}: {name} must be a whole number within {dtype}, got {bound!r}")
        if not whole and abs(bound) > _largest_float(dtype):
            raise ValueError(f"column {column!r}: {name} must be a number within {dtype}, got {bound!r}")
    return {name: int(bound) if whole else float(bound) for name, bound in given.items()}


def _largest_float(dtype):
    return float(np.finfo(dtype.lower() if dtype.lower().startswith("float") else np.float64).max)


def _complete_duration(field, values, column, min_frequency):
    units, missing = _times.duration_units(values, field, column)
    unit = _times.unit_of(field)
    if field.precision is not None and field.precision not in RESOLUTIONS:
        raise ValueError(f"column {column!r}: holds durations, so precision must be one of {', '.join(RESOLUTIONS)}")
    field = field.replace(precision=_stored(field.precision or _times.coarsest(units[~missing], unit), field))
    given = {}
    for name, bound in (("low", field.low), ("high", field.high)):
        if bound is not None and not isinstance(bound, pd.Timedelta):
            raise ValueError(f"column {column!r}: holds durations, so {name} must be a Timedelta, got {bound!r}")
        if bound is not None:
            given[name] = _times.duration_tick(bound, field, up=name == "low")
    ticks = units[~missing] // _times.ticks_per(unit, field.precision)
    return _with_times(field, given, ticks, column, min_frequency, _times.duration_at)


def complete_datetime(field, values, column, min_frequency):
    """Return the field with its dtype, format, time zone, resolution and bounds."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        raise ValueError(
            f"column {column!r}: its field is Datetime, but its dtype is category; convert it with "
            f"X[{column!r}] = X[{column!r}].astype(object)"
        )
    dtype = field.dtype or dtype_name(values.dtype)
    format, tz = field.format, field.tz or (str(values.dt.tz) if isinstance(values.dtype, pd.DatetimeTZDtype) else None)
    if format is None and not types.is_datetime64_any_dtype(values.dtype):
        found = find_date_format(distinct_texts(values))
        if found is None or not found.fits.all():
            raise ValueError(
                f"column {column!r}: expected dates, got {values.dtype} not all written in one format; convert it with "
                f"pd.to_datetime, or give it another field with schema={{{column!r}: {_times.other_field(values)}}}"
            )
        format = found.format
    field = field.replace(dtype=dtype, format=format, tz=tz)
    field = field.replace(resolution=_stored(field.resolution or _resolution(field, values, column), field))
    given = {
        name: _times.tick_of(bound, field, up=name == "low")
        for name, bound in (("low", field.low), ("high", field.high))
        if bound is not None
    }
    units, missing = _times.stamp_units(values, field, column)
    ticks = units[~missing] // _times.ticks_per(_times.unit_of(field), field.resolution)
    return _with_times(field, given, ticks, column, min_frequency, _times.stamp_at)


def _stored(resolution, field):
    """Return a resolution, or the unit that the column is stored in where that is coarser: nothing finer is told apart."""
    return max(resolution, _times.unit_of(field), key=_values.NANOSECONDS.get)


def _resolution(field, values, column):
    """Return the coarsest resolution at which the dates are exact; of dates with a time zone, "D" is its own calendar's."""
    unit = _times.unit_of(field)
    local = field.replace(resolution="D")
    units, missing = _times.stamp_units(values, local, column)
    found = _times.coarsest(units[~missing], unit)
    if field.tz is None:
        return found
    present = values.dropna()
    if found == "D":
        days = units[~missing] // _times.ticks_per(unit, "D")
        again = _times.stamps_of(days, np.zeros(len(days), bool), local)
        if (again.array == present.dt.as_unit(unit).array).all():
            return found
    units = _times.stamp_units(present, field.replace(resolution="ns"), column)[0]
    found = _times.coarsest(units, unit)
    return "h" if found == "D" else found


def _with_times(field, given, ticks, column, min_frequency, at):
    """Return the field with bounds; `at` makes a Timestamp or Timedelta of a tick."""
    clip = field.n_folded is not None
    low, high, n_folded = bounds(given, ticks, column, min_frequency, clip=clip, show=lambda tick: at(int(tick), field))
    if low is None or high is None:
        return field.replace(n_folded=0)
    return field.replace(low=at(int(low), field), high=at(int(high), field), n_folded=n_folded)


def bounds(given, present, column, min_frequency, *, clip, show=lambda number: number):
    """Return low, high and the number of rows beyond them.

    Bounds that are not given are the `min_frequency`-th smallest and largest value; where too few rows leave these in the
    wrong order, both are the median.

    Parameters
    ----------
    given : dict of str to number
        What is known of "low" and "high", in the unit of `present`.
    present : ndarray, shape (n_present,)
        The column without its missing cells.
    column : hashable
        For messages.
    min_frequency : int
    clip : bool
        Whether values may lie beyond given bounds.
    show : callable
        Makes a number readable in a message.
    """
    order, n = np.sort(present), len(present)
    if n == 0:
        return given.get("low"), given.get("high"), 0
    for name, extreme, fits in (("low", order[0], np.less_equal), ("high", order[-1], np.greater_equal)):
        if name in given and not clip and not fits(given[name], extreme):
            raise ValueError(
                f"column {column!r}: holds {show(extreme)}, beyond {name}={show(given[name])} of its field; "
                f"change {name}, or leave it out to take it from the data"
            )
    low_at, high_at = (min_frequency - 1, n - min_frequency) if n >= 2 * min_frequency else ((n - 1) // 2,) * 2
    low, high = given.get("low", order[low_at]), given.get("high", order[high_at])
    if low > high:
        low, high = (low, low) if "low" in given else (high, high)
    return low, high, int((order < low).sum() + (order > high).sum())


def complete_text(field, values, column, min_frequency):
    """Return the field with its dtype; its length, in tokens, is the tokenizer's to learn."""
    _strings(values, column)
    return field.replace(dtype=field.dtype or dtype_name(values.dtype), n_folded=field.n_folded or 0)


def _strings(values, column):
    present = values.dropna().astype(object)
    if len(present) and types.infer_dtype(present) != "string":
        bad = next(value for value in present if not isinstance(value, str))
        raise ValueError(
            f"column {column!r}: expected strings, got {bad!r}; convert them with "
            f"X[{column!r}] = X[{column!r}].map(str, na_action='ignore')"
        )
    return present


def complete_identifier(field, values, column, min_frequency):
    """Return the field with its dtype; the pattern is the tokenizer's to learn."""
    numeric = types.is_integer_dtype(values.dtype) or types.is_float_dtype(values.dtype)
    present = values.dropna() if numeric else _strings(values, column)
    if field.pattern is not None and field.n_folded is None:
        learned = f"; change the pattern, or have it learned with schema={{{column!r}: fields.Identifier()}}"
        with reading(f"column {column!r}", learned):
            _check_pattern(field.pattern, present, numeric)
    return field.replace(dtype=field.dtype or dtype_name(values.dtype), n_folded=field.n_folded or 0)


def _check_pattern(pattern, present, numeric):
    """Refuse a pattern that was given and does not fit every value; of numbers that are no keys the codec tells."""
    if numeric:
        if integer_parts(pattern) is None or (types.is_float_dtype(present.dtype) and (present % 1 != 0).any()):
            return
        present = present.map(lambda number: str(int(number))).astype(object)
    fits = present.str.fullmatch(pattern if numeric else Pattern.parse(pattern).expression).to_numpy(bool)
    if not fits.all():
        raise ValueError(
            f"{int((~fits).sum())} of {len(fits)} values do not fit the pattern {pattern!r}, such as "
            f"{present.iloc[int(fits.argmin())]!r}"
        )


COMPLETE = {
    "category": complete_category,
    "boolean": complete_boolean,
    "number": complete_number,
    "datetime": complete_datetime,
    "text": complete_text,
    "identifier": complete_identifier,
}
