"""What a column is compared as: decided in one place, from the real table alone."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from .._validation import check_table, listed
from .._values import factorize, inferred

MIN_LEVELS = 12  # numbers with no more distinct values than this are categories
ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(Z|[+-]\d\d:\d\d)?)?")
EPOCH, DAY = datetime(1970, 1, 1, tzinfo=UTC), timedelta(days=1)


def column_kinds(real: Any) -> pd.Series:
    """Return what each column of a table is compared as.

    Parameters
    ----------
    real : DataFrame or ndarray, shape (n_rows, n_columns)

    Returns
    -------
    kinds : Series of str, shape (n_columns,)
        By the name of the column: "number" for numbers, durations and dates (datetime64 or ISO 8601 strings) with more than
        12 distinct values; "unique" for identifiers and free text, which are neither and whose values differ in more than
        half of the rows; "category" for everything else.

    Raises
    ------
    TypeError, ValueError
        If `real` is no table, or holds what no column can be; the message names the column.

    Examples
    --------
    >>> from sksynth.datasets import load_adult
    >>> from sksynth.evaluation import column_kinds
    >>> column_kinds(load_adult()[["age", "sex"]]).to_dict()
    {'age': 'number', 'sex': 'category'}
    """
    (frame,) = plain_tables(real=real)
    return kinds_of(frame)


def kinds_of(frame: pd.DataFrame) -> pd.Series:
    """Return the kinds of the columns of a plain table."""
    return pd.Series([_kind(column) for _, column in frame.items()], index=frame.columns, dtype=object, name="kind")


def _kind(column: pd.Series) -> str:
    if types.is_float_dtype(column):
        return "number" if column.nunique() > MIN_LEVELS else "category"
    return "unique" if column.nunique() > 0.5 * len(column) else "category"


def same_columns(**tables: Any) -> list[pd.DataFrame]:
    """Check tables of the same columns, and return them with these in the order of the first.

    Raises
    ------
    ValueError
        If a table lacks a column of the first, or has an additional one; the message names both.
    """
    (first, reference), *others = [(name, check_table(table, name=name, plain_names=False)) for name, table in tables.items()]
    for name, table in others:
        lacking = [column for column in reference.columns if column not in table.columns]
        unknown = [column for column in table.columns if column not in reference.columns]
        if lacking or unknown:
            parts = [f"lacks {listed(lacking)}" if lacking else "", f"has {listed(unknown)} in addition" if unknown else ""]
            raise ValueError(
                f"{name} {' and '.join(filter(None, parts))}, expected the columns of {first}: compare tables of the same "
                f"columns, for instance {first}[shared] and {name}[shared]"
            )
    # By places: a list that holds None and strings, as a key, would be strings and NaN.
    return [reference] + [table.iloc[:, table.columns.get_indexer(reference.columns)] for _, table in others]


def plain_tables(**tables: Any) -> list[pd.DataFrame]:
    """Check tables of the same columns and return them plain, as the first of them decides.

    In a plain table every quantity (a number, a date or a duration in the first table) is a column of floats: dates as days
    since 1970, durations as days, NaN where missing or where a cell of another table is none. Every other column is of
    objects. Columns stand in the order of the first table, rows are numbered anew.
    """
    reference, *others = same_columns(**tables)
    makers = [quantity if is_quantity(column) else _objects for _, column in reference.items()]

    def plain(frame):
        cells = {place: make(frame.iloc[:, place]) for place, make in enumerate(makers)}
        return pd.DataFrame(cells).set_axis(reference.columns, axis=1)

    return [plain(frame) for frame in (reference, *others)]


def compared(reference: Any, **tables: Any) -> tuple[pd.DataFrame, pd.Series, list[pd.DataFrame]]:
    """Return the plain table that decides, `reference` or else the first, the kinds of its columns, and all tables, plain."""
    frames = plain_tables(**({} if reference is None else {"reference": reference}), **tables)
    return frames[0], kinds_of(frames[0]), frames[-len(tables) :]


def is_measured(column: pd.Series) -> bool:
    """Tell whether the dtype of a column is one of numbers, dates or durations."""
    dtype = inferred(column).dtype
    return types.is_numeric_dtype(dtype) or dtype.kind in "mM"


def is_quantity(column: pd.Series) -> bool:
    """Tell whether a column holds numbers, dates or durations, ISO dates among them."""
    if is_measured(column) or isinstance(column.dtype, pd.CategoricalDtype):
        return is_measured(column)
    values = column.dropna().unique()
    return len(values) > 0 and not any(np.isnan(_day(value)) for value in values)


def quantity(column: pd.Series) -> np.ndarray:
    """Return a column as floats: numbers as they are, dates and durations in days, NaN for what is none of these."""
    column = inferred(column)
    if types.is_numeric_dtype(column.dtype):
        return column.to_numpy(np.float64, na_value=np.nan)
    if column.dtype.kind in "mM":
        return _days(column)
    cells = column.astype(object)
    numbers = pd.to_numeric(cells, errors="coerce").to_numpy(np.float64, na_value=np.nan, copy=True)
    places, values = factorize(cells.where(np.isnan(numbers)))
    texts = places >= 0
    numbers[texts] = np.array([_day(value) for value in values], np.float64)[places[texts]]
    return numbers


def _days(column: pd.Series) -> np.ndarray:
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_convert("UTC").dt.tz_localize(None)
    ticks = column.to_numpy(f"{column.dtype.kind}8[us]")
    return np.where(np.isnat(ticks), np.nan, ticks.astype(np.int64) / (DAY / timedelta(microseconds=1)))


def _day(text: Any) -> float:
    """Return the days since 1970 that an ISO date stands for, NaN for anything else."""
    if not isinstance(text, str) or not ISO.fullmatch(text):
        return np.nan
    try:
        stamp = datetime.fromisoformat(text)
    except ValueError:
        return np.nan
    return ((stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)) - EPOCH) / DAY


def _objects(column: pd.Series) -> pd.Series:
    return column.astype(object).reset_index(drop=True)


def codes(real: pd.Series, synthetic: pd.Series) -> tuple[np.ndarray, np.ndarray]:
    """Return two columns as codes ``0, 1, ...`` of their values, equal codes for equal values, -1 where missing."""
    both = factorize(pd.concat([real, synthetic]))[0]
    return both[: len(real)], both[len(real) :]
