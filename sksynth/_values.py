"""Columns of numbers and times as plain numpy arrays, and back: shared by schema inference and the codecs."""

import numpy as np
import pandas as pd
from pandas.api import types

NANOSECONDS = {
    "D": 86_400_000_000_000,
    "h": 3_600_000_000_000,
    "min": 60_000_000_000,
    "s": 1_000_000_000,
    "ms": 1_000_000,
    "us": 1_000,
    "ns": 1,
}
"""Nanoseconds in a tick, by resolution, coarse to fine."""

NOISE = 1e-7
"""Relative error of floats that have gone through a float32, or a sum."""

NUMERIC_KINDS = ("integer", "floating", "mixed-integer-float")
"""What `pandas.api.types.infer_dtype` calls object columns that are numbers."""


def numbers(values: pd.Series, column) -> tuple[np.ndarray, np.ndarray]:
    """Return a column's numbers as int64, uint64 or float64 (0 or nan where missing), and where it is missing.

    Raises
    ------
    ValueError
        If the column holds anything else than numbers, or integers beyond 64 bits.
    """
    missing = values.isna().to_numpy()
    dtype = values.dtype
    if missing.all():
        return np.zeros(len(values), np.int64), missing
    if types.is_integer_dtype(dtype):
        wide = np.uint64 if types.is_unsigned_integer_dtype(dtype) else np.int64
        filled = values.fillna(0) if missing.any() else values
        return filled.to_numpy(wide), missing
    if types.is_float_dtype(dtype):
        return values.to_numpy(np.float64, na_value=np.nan), missing
    if types.is_object_dtype(dtype) and types.infer_dtype(values, skipna=True) in NUMERIC_KINDS:
        return _object_numbers(values, missing, column), missing
    cells = values[~missing].tolist()
    bad = next((cell for cell in cells if isinstance(cell, bool) or not types.is_number(cell)), cells[0])
    other = f"give the column another field with schema={{{column!r}: fields.Category()}}"
    coerced = f"have what is no number missing with X[{column!r}] = pd.to_numeric(X[{column!r}], errors='coerce')"
    remedy = coerced if isinstance(bad, str) else other
    raise ValueError(f"column {column!r}: expected numbers, got {bad!r:.99}; {remedy}")


def _object_numbers(values, missing, column):
    if types.infer_dtype(values, skipna=True) != "integer":
        return values.where(~missing, np.nan).to_numpy(np.float64)
    filled = values.where(~missing, 0)
    for wide in (np.int64, np.uint64):
        if wide is np.uint64 and filled.min() < 0:
            break  # NumPy before 2 makes large numbers of them
        try:
            return filled.to_numpy(wide)
        except OverflowError:
            continue
    ends = " to ".join(f"{bound:.9e}" for bound in map(float, (values[~missing].min(), values[~missing].max())))
    raise ValueError(
        f"column {column!r}: expected whole numbers that 64 bits hold together, got {ends}; store them as strings with "
        f"X[{column!r}] = X[{column!r}].map(str, na_action='ignore')"
    )


def decimal_places(values: np.ndarray, dtype: str) -> int | str:
    """Return the smallest number of decimal places, up to 12, that tells all floats exactly; else ``"continuous"``.

    Parameters
    ----------
    values : ndarray of float64
    dtype : str
        Of the column; a rounded value must be the same in float16 and float32.
    """
    values = np.unique(values)
    narrow = {"float16": np.float16, "float32": np.float32}.get(dtype.lower(), np.float64)
    largest = np.abs(values).max(initial=0.0)
    sample = values[:: max(1, len(values) // 1000)]
    for places in range(13):
        if largest * 10.0**places >= 2.0**53:
            break
        if _exact(sample, places, narrow) and _exact(values, places, narrow):
            return places
    return "continuous"


def _exact(values, places, narrow):
    return bool((narrow(np.rint(values * 10.0**places) / 10.0**places) == narrow(values)).all())


def are_rounded(values: np.ndarray, places: int) -> np.ndarray:
    """Tell which floats have no more decimal places, but for noise as of a sum or a float32, below a hundredth of a place."""
    noise = np.minimum(NOISE * np.abs(values), 10.0 ** -(places + 2))
    return np.abs(values - np.rint(values * 10.0**places) / 10.0**places) <= noise


def integers_between(values: np.ndarray, low: int, high: int) -> np.ndarray:
    """Return numbers as whole numbers clipped to [low, high]: int64, or uint64 where low >= 0.

    Parameters
    ----------
    values : ndarray of int64, uint64 or float64
    low, high : int
        Within int64 where low < 0, else within uint64.
    """
    wide = np.uint64 if low >= 0 else np.int64
    if values.dtype.kind == "f":
        edge = np.nextafter(2.0**64 if low >= 0 else 2.0**63, 0)
        values = np.rint(np.clip(values, max(float(low), -(2.0**63)), min(float(high), edge))).astype(wide)
    info = np.iinfo(values.dtype)
    bounded = np.clip(values, *(min(max(bound, info.min), info.max) for bound in (low, high)))
    return np.clip(bounded.astype(wide), wide(low), wide(high))


def nullable_dtype(dtype: str) -> str:
    """Return the name of a dtype like `dtype` that can hold missing cells, such as ``Int64`` for ``int64``."""
    if dtype == "bool":
        return "boolean"
    if dtype.startswith("uint") and "[" not in dtype:
        return "UI" + dtype[2:]
    return dtype.capitalize() if dtype.startswith("int") and "[" not in dtype else dtype


def column_of(values: np.ndarray, missing: np.ndarray, dtype: str, marker=np.nan) -> pd.Series:
    """Return plain values as a column of `dtype` with `missing` cells; of its nullable kind where it needs one.

    `marker` is what stands for a missing cell in an object column.
    """
    if dtype == "object":
        values = values.astype(object)
        values[missing] = marker
        return pd.Series(values, dtype=object)
    if not missing.any():
        return pd.Series(values).astype(dtype)
    if values.dtype.kind == "f" and dtype.startswith("float"):
        return pd.Series(np.where(missing, np.nan, values)).astype(dtype)
    return pd.Series(values).astype(nullable_dtype(dtype)).mask(missing)


def inferred(values: pd.Series) -> pd.Series:
    """Return a column of objects in the dtype of its cells; as it is where that, as strings of pyarrow, cannot hold them."""
    try:
        return values.infer_objects()
    except UnicodeEncodeError:  # half of a surrogate pair
        return values


def missing_marker(values: pd.Series):
    """Return what stands for a missing cell in an object column: its first missing cell, or nan."""
    missing = values.isna()
    return values[missing].iloc[0] if values.dtype == object and missing.any() else np.nan


def positions_of(values: pd.Series, wanted: tuple) -> np.ndarray:
    """Return where in `wanted` each value is; -1 where it is not.

    Where `wanted` mixes types, 1, 1.0, True and "1" are four values, else 1 and 1.0 are one. What a cell matches never depends
    on the other cells.
    """
    wanted = pd.Index(list(wanted), dtype=object)
    kind = types.infer_dtype(wanted)
    if kind.startswith("mixed") or (types.is_bool_dtype(values.dtype) and kind != "boolean"):
        key = typed_key
    elif types.is_object_dtype(values.dtype) and kind != "string":
        key = _number_key
    else:
        return wanted.get_indexer(pd.Index(values.astype(object), dtype=object))
    return pd.Index(wanted.map(key), dtype=object).get_indexer(pd.Index(values.map(key), dtype=object))


def _number_key(value) -> str:
    """Return a text that tells a scalar and its type, where 1 and 1.0 are of one type."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return typed_key(value)


def factorize(values: pd.Series, *, sort: bool = False) -> tuple[np.ndarray, pd.Index]:
    """Return the number of each cell's value, -1 where it is missing, and the distinct values; as `pandas.factorize`.

    Of strings pandas 2 compares what comes before a NUL, and holds all halves of surrogate pairs for one.
    """
    is_object = types.is_object_dtype(values.dtype) and types.infer_dtype(values, skipna=True) == "string"
    if not is_object and getattr(values.dtype, "storage", None) != "python":
        return pd.factorize(values, sort=sort)
    cells = values.astype(object)
    present = dict.fromkeys(cells[cells.notna()])
    distinct = pd.Index(sorted(present) if sort else list(present), dtype=object)
    return distinct.get_indexer(pd.Index(cells, dtype=object)), distinct


def typed_key(value) -> str:
    """Return a text that tells a scalar and its type."""
    value = value.item() if isinstance(value, np.generic) else value
    return f"{type(value).__name__}:{value!r}"


def typed_counts(values: pd.Series) -> tuple[list, np.ndarray]:
    """Return the distinct values of a column, levels in their order and others sorted, and the number of rows of each."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        levels, codes = values.cat.categories, values.cat.codes.to_numpy()
        counts = np.bincount(codes[codes >= 0], minlength=len(levels))
        return [level for level, count in zip(levels.tolist(), counts, strict=True) if count], counts[counts > 0]
    present = values.dropna()
    mixed = types.infer_dtype(present).startswith("mixed")
    keys = present.map(typed_key) if mixed else present
    codes, distinct = factorize(keys, sort=True)
    first = np.unique(codes, return_index=True)[1]
    values = present.iloc[first].astype(object) if mixed else distinct
    return values.tolist(), np.bincount(codes, minlength=len(distinct))
