"""Records, be they lines or the rows of a table: parts, copies and comparisons."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ._error import expect, kind_of

__all__ = [
    "Records",
    "are_equal",
    "check_decoded",
    "check_records",
    "difference",
    "longer",
    "part",
    "relabelled",
]

Records = list[str] | pd.DataFrame


def check_records(records: Any) -> Records:
    """Return lines as a list, a table as it is.

    Raises
    ------
    TypeError, ValueError
        If records are neither, or fewer than two.
    """
    if not isinstance(records, pd.DataFrame):
        if not isinstance(records, list | tuple | pd.Series | np.ndarray) or not all(isinstance(x, str) for x in records):
            raise TypeError(
                f"records must be a list of str or a DataFrame, got {records!r:.99}: pass some that fit would take"
            )
        records = list(records)
    if len(records) < 2:
        raise ValueError(f"records must be at least 2, got {len(records)}: pass more that fit would take")
    return records


def part(records: Records, rows: slice) -> Records:
    """Return some of the records."""
    return records.iloc[rows] if isinstance(records, pd.DataFrame) else records[rows]


def relabelled(records: Records) -> Any:
    """Return the same records with an index of their own; lines become a Series."""
    index = pd.Index(range(len(records), 0, -1))
    return records.set_axis(index) if isinstance(records, pd.DataFrame) else pd.Series(records, index, dtype=object)


def longer(records: Records) -> Records:
    """Return records in which every text is longer than all texts were; categories stay as they are."""
    if not isinstance(records, pd.DataFrame):
        return _longer_texts(records)
    return pd.DataFrame({name: _longer_column(column) for name, column in records.items()})


def _longer_column(column):
    present = column.dropna()
    if isinstance(column.dtype, pd.CategoricalDtype) or not len(present) or not all(isinstance(x, str) for x in present):
        return column
    texts = dict(zip(present, _longer_texts(present), strict=True))
    return pd.Series([texts[x] if isinstance(x, str) else x for x in column], column.index, column.dtype)


def _longer_texts(texts: Sequence[str]) -> list[str]:
    longest = max(map(len, texts))
    return [text * (longest // max(len(text), 1) + 1) for text in texts]


def are_equal(one: Records, other: Records) -> bool:
    """Say whether records are the same; the index of a table does not matter."""
    if isinstance(one, pd.DataFrame):
        return one.reset_index(drop=True).equals(other.reset_index(drop=True)) and one.columns.equals(other.columns)
    return list(one) == list(other)


def difference(got: Records, expected: Records) -> tuple[str, str]:
    """Return what differs first, as it is and as it should be."""
    if not isinstance(got, pd.DataFrame):
        place = next(place for place, (one, other) in enumerate(zip(got, expected, strict=True)) if one != other)
        return f"{got[place]!r} for record {place}", repr(expected[place])
    for column in expected.columns:
        one, other = got[column].reset_index(drop=True), expected[column].reset_index(drop=True)
        if one.dtype != other.dtype:
            return f"column {column!r} of {one.dtype}", f"{other.dtype}"
        differs = (one != other) & ~(one.isna() & other.isna())
        if differs.any():
            place = int(differs.to_numpy(bool, na_value=True).argmax())
            return f"{one[place]!r} in column {column!r} of record {place}", repr(other[place])
    return "another table", "the same one"


def check_decoded(decoded: Any, n: int, records: Records, point: str) -> None:
    """Refuse what is not so many records of the kind of `records`."""
    if isinstance(records, pd.DataFrame):
        is_kind, kind = isinstance(decoded, pd.DataFrame), "a DataFrame"
    else:
        is_kind, kind = isinstance(decoded, list) and all(isinstance(x, str) for x in decoded), "a list of str"
    expect(is_kind, point, kind_of(decoded), kind, "return what fit takes")
    expect(len(decoded) == n, point, f"{len(decoded)} records", f"{n}", "return one record for each row of ids")
    if isinstance(records, pd.DataFrame):
        got, columns = list(decoded.columns), list(records.columns)
        expect(got == columns, point, f"the columns {got}", f"{columns}", "return those of fit, in their order")
