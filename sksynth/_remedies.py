"""What to do about a table that cannot be learned: expressions of Python that messages name, all of which the tests run."""

import re
from collections.abc import Collection, Mapping
from dataclasses import is_dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Any

import numpy as np
import pandas as pd

from ._times import has_name
from ._values import nullable_dtype

__all__ = ["DROP", "HALF", "MEND", "arrow_remedy", "cells_remedy", "dtype_remedy", "frame_remedy"]

DROP = ""  # no cell of the column can be kept
HALF = re.compile("[\ud800-\udfff]")  # of a surrogate pair, which has no UTF-8
MEND = ".encode('utf-16', 'surrogatepass').decode('utf-16', 'replace')"  # joins halves to pairs, and replaces others
FRAMES = {  # of other libraries, by what they have
    "to_pandas": ".to_pandas()",
    "toPandas": ".toPandas()",
    "collect": ".collect().to_pandas()",
    "fetchdf": ".df()",
}
MASKED = type(np.ma.masked)
DATES, DURATIONS = (date, np.datetime64), (timedelta, np.timedelta64)
NUMBERS = (int, float, np.number, Decimal, Fraction)
NESTED = (Mapping, Collection, pd.Series, pd.DataFrame)


def frame_remedy(X: Any, it: str) -> str | None:
    """Return what makes a frame, or a table that can be taken, of an X that loses something, or is no table.

    None where there is nothing against X but, perhaps, its shape.

    Parameters
    ----------
    X : object
    it : str
        How it is written.
    """
    for name, how in FRAMES.items():
        if hasattr(X, name):
            return it + how
    if isinstance(X, pd.Series | pd.Index):
        return f"{it}.to_frame()"
    if isinstance(X, np.ndarray):
        return _array_remedy(X, it)
    if isinstance(X, str):
        if X.lower().endswith((".parquet", ".pq")):
            return f"pd.read_parquet({it})"
        return f"pd.read_csv({it}, sep='\\t')" if X.lower().endswith(".tsv") else f"pd.read_csv({it})"
    if isinstance(X, Mapping):
        return f"pd.DataFrame({it})" if any(map(_is_nested, X.values())) else f"pd.DataFrame([{it}])"
    if isinstance(X, list | tuple):
        return _rows_remedy(X, it)
    return f"list({it})" if hasattr(X, "__iter__") and not hasattr(X, "__array__") else None


def _array_remedy(X, it):
    """Return what to do about an array of bytes, or with a mask, which would be lost, or with names."""
    if X.dtype.kind == "S":
        return f"np.char.decode({it}, 'utf-8')"
    if isinstance(X, np.ma.MaskedArray) and X.dtype.names is not None:
        return f"pd.DataFrame({{name: {it}[name] for name in {it}.dtype.names}})"
    return f"pd.DataFrame({it})" if isinstance(X, np.ma.MaskedArray) or X.dtype.names is not None else None


def _rows_remedy(X, it):
    """Return what to do about rows with names or masks, which would be lost, and about cells that are no rows."""
    if any(isinstance(row, np.ma.MaskedArray) and row.ndim for row in X):
        return f"pd.DataFrame(np.ma.stack({it}))"
    if any(isinstance(row, Mapping | pd.Series) or hasattr(row, "_fields") or is_dataclass(row) for row in X):
        return f"pd.DataFrame({it})"
    return f"[[value] for value in {it}]" if X and not any(map(_is_nested, X)) else None


def _is_nested(value):
    return isinstance(value, NESTED) and not isinstance(value, str | bytes | bytearray | Enum)


def cells_remedy(cells: pd.Series, it: str) -> str:
    """Return what makes a column that can be learned of cells that no field can hold.

    Parameters
    ----------
    cells : Series of object
    it : str
        How the column is written.
    """
    if MASKED in set(map(type, cells)):
        return f"{it}.where([cell is not np.ma.masked for cell in {it}])"
    missing = cells.map(_is_missing).to_numpy(bool)
    cells = cells if missing.all() else cells[~missing]
    if _all(cells, DATES):
        return f"pd.to_datetime({it}" + (", utc=True)" if any(getattr(cell, "tzinfo", None) for cell in cells) else ")")
    if _all(cells, DURATIONS):
        return f"pd.to_timedelta({it})"
    if _all(cells, (bytes, bytearray)):
        return f"{it}.str.decode('utf-8')" if all(map(_is_text, cells)) else f"{it}.map(bytes.hex, na_action='ignore')"
    if _all(cells, Enum):
        return f"{it}.map(lambda cell: cell.value, na_action='ignore')"
    if _all(cells, NUMBERS) and not any(isinstance(cell, bool) for cell in cells):
        return f"pd.to_numeric({it}.map(float, na_action='ignore'))"
    return DROP if any(map(_is_nested, cells)) else f"{it}.map(str, na_action='ignore')"


def _is_missing(cell):
    return bool(pd.api.types.is_scalar(cell) and pd.isna(cell))


def _all(cells, kinds):
    return all(isinstance(cell, kinds) for cell in cells)


def _is_text(cell):
    try:
        return bool(bytes(cell).decode("utf-8")) or True
    except UnicodeDecodeError:
        return False


def dtype_remedy(dtype: Any, it: str, *, of_levels: bool) -> str:
    """Return what makes a column that can be learned of one of a dtype that no field can hold, or whose levels have it."""
    if isinstance(dtype, pd.DatetimeTZDtype):
        return f"{it}.dt.tz_convert({str(dtype.tz) if has_name(dtype.tz) else 'UTC'!r})"
    if of_levels:
        return (
            f"{it}.astype(object).astype('category')"
            if isinstance(dtype, pd.ArrowDtype)
            else f"{it}.cat.rename_categories(str)"
        )
    return {
        "SparseDtype": f"{it}.sparse.to_dense()",
        "PeriodDtype": f"{it}.dt.to_timestamp()",
        "IntervalDtype": f"{it}.map(str, na_action='ignore')",
        "LongDoubleDType": f"{it}.astype('float64')",
    }.get(type(dtype).__name__, f"{it}.astype(object)")


def arrow_remedy(dtype: pd.ArrowDtype) -> str:
    """Return the dtype of pandas to which a column of pyarrow can be converted; object where its cells tell what to do."""
    text = str(dtype).removesuffix("[pyarrow]")
    if found := re.fullmatch(r"(timestamp|duration)\[(\w+)(?:, tz=(.+))?\]", text):
        kind = "datetime64" if found[1] == "timestamp" else "timedelta64"
        return f"{kind}[{found[2]}{', ' + _zone(found[3]) if found[3] else ''}]"
    for begin, name in (("date32", "datetime64[s]"), ("date64", "datetime64[ms]"), ("decimal", "float64"), ("time", "string")):
        if text.startswith(begin):
            return name
    if dtype.kind in "iuf":
        return nullable_dtype(dtype.numpy_dtype.name)
    return {"bool": "boolean", "string": "string", "large_string": "string"}.get(text, "object")


def _zone(name):
    try:
        return str(pd.DatetimeTZDtype("s", name).tz)
    except Exception:  # of any library of time zones
        return "UTC"
