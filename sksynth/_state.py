"""States: plain data from which fitted objects are made again, and what is checked where they are read.

A state is a tree of dicts with string keys and of lists; its leaves are None, bools, ints, finite floats, strings, and arrays
of numbers or bools. It may come from a file that is damaged or made to do harm: whatever is wrong with it is a ValueError, and
nothing is made that is much larger than the state itself.
"""

import re
import reprlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import numpy as np
import pandas as pd

from ._plain import ZONE, from_plain, to_plain

__all__ = [
    "MAX_POSITIONS",
    "check_keys",
    "dtype_to_text",
    "expect",
    "index_to_state",
    "marker_to_text",
    "reading",
    "reading_state",
    "take",
    "take_array",
    "take_choice",
    "take_dtype",
    "take_index",
    "take_int",
    "take_marker",
]

MAX_POSITIONS = 1_000_000  # of one column in a row
MAX_INT = 2**63 - 1
DTYPE = re.compile(
    r"bool(ean)?|object|category|[uU]?[iI]nt(8|16|32|64)|[fF]loat(16|32|64)|str(ing)?(\[\w+\])?|[<>]([iuf][248]|[mM]8\[\w+\])|"
    r"(timedelta64|datetime64)(\[\w+(, .+)?\])?"
)
MARKERS = {str(marker): marker for marker in (None, np.nan, pd.NA, pd.NaT)}  # a missing cell of an object column


@contextmanager
def reading(what: str, remedy: str = "") -> Iterator[None]:
    """Make whatever fails within a ValueError that begins with `what` and ends with `remedy`."""
    try:
        yield
    except Exception as error:  # pandas fails in many ways on what it does not know
        raise ValueError(f"{what}: {error}{remedy}") from error


def reading_state(name: str) -> AbstractContextManager:
    """Return the `reading` of the whole state of an object."""
    return reading(f"the state of a {name}", "; it was changed, cut or made by another version: make it again")


def expect(holds: Any, what: str, got: Any, expected: str) -> None:
    """Refuse a part of a state for which something does not hold.

    Raises
    ------
    ValueError
        "'length' is -1, expected an int from 1 to 1000000"
    """
    if not holds:
        raise ValueError(f"{what} is {_shown(got)}, expected {expected}")


def _shown(value: Any) -> str:
    return f"an array of {value.dtype}, shape {value.shape}" if isinstance(value, np.ndarray) else reprlib.repr(value)


def check_keys(state: Any, *names: str) -> None:
    """Refuse a state that is not a dict with exactly these keys."""
    expect(type(state) is dict, "the state", state, f"a dict with the keys {', '.join(names)}")
    expect(set(state) == set(names), "the list of keys", list(state), ", ".join(names))


def take(state: dict, name: str, *kinds: type) -> Any:
    """Return the value of a key, which must be of one of these types, and of no subclass: a bool is no int."""
    expect(type(state[name]) in kinds, repr(name), state[name], " or ".join(kind.__name__ for kind in kinds))
    return state[name]


def take_int(state: dict, name: str, low: int, high: int = MAX_INT) -> int:
    """Return an int from `low` to `high`."""
    value = take(state, name, int)
    expect(low <= value <= high, repr(name), value, f"an int from {low} to {high}")
    return value


def take_choice(state: dict, name: str, choices: Any) -> str:
    """Return one of some strings."""
    value = take(state, name, str)
    expect(value in choices, repr(name), value, f"one of {', '.join(choices)}")
    return value


def take_array(state: dict, name: str, dtype: Any, shape: tuple) -> np.ndarray:
    """Return an array of this dtype and shape, of finite numbers; None in `shape` stands for any length."""
    value, dtype = take(state, name, np.ndarray), np.dtype(dtype)
    lengths = "x".join("n" if length is None else str(length) for length in shape)
    fits = len(shape) == value.ndim and all(want in (None, got) for want, got in zip(shape, value.shape, strict=True))
    expect(fits and value.dtype == dtype, repr(name), value, f"an array of {dtype}, shape {lengths}")
    expect(dtype.kind != "f" or np.isfinite(value).all(), repr(name), value, "an array of finite numbers")
    return np.ascontiguousarray(value)


def marker_to_text(marker: Any) -> str:
    """Return the name of what stands for a missing cell."""
    return next((name for name, known in MARKERS.items() if known is marker), "nan")


def take_marker(state: dict, name: str) -> Any:
    """Return what stands for a missing cell, written by `marker_to_text`."""
    return MARKERS[take_choice(state, name, MARKERS)]


def dtype_to_text(dtype: Any) -> str:
    """Return a name from which `take_dtype` makes a dtype of pandas again."""
    names = [str(dtype)]
    if isinstance(dtype, pd.StringDtype):
        names += [f"string[{dtype.storage}]", f"str[{dtype.storage}]"]
    return next((name for name in names if _dtype_of(name) == dtype), names[0])


def _dtype_of(text: str) -> Any:
    expect(DTYPE.fullmatch(text), "the name", text, "one of NumPy or pandas")  # which ask any library that has dtypes
    own = re.fullmatch(r"str\[(python|pyarrow)\]", text)
    dtype = pd.StringDtype(own[1], na_value=np.nan) if own else pd.api.types.pandas_dtype(text)
    return np.dtype(object) if isinstance(dtype, np.dtype) and dtype.kind == "U" else dtype  # "str" in pandas 2


def take_dtype(state: dict, name: str) -> Any:
    """Return a dtype that a column may have, written by `dtype_to_text`."""
    text = take(state, name, str)
    expected = "the name of a dtype of numbers, booleans, strings, categories, dates or durations"
    zone = text.partition(",")[2].strip(" ]") if "," in text else "UTC"
    expect(len(text) < 100 and ZONE.fullmatch(zone), repr(name), text, expected)
    with reading(f"{name!r} is {text!r}, expected {expected}"):
        dtype = _dtype_of(text)
    expect(_is_known(dtype), repr(name), text, expected)
    return dtype


def _is_known(dtype: Any) -> bool:
    if isinstance(dtype, np.dtype):
        return dtype.kind in "biumMO" or dtype in (np.float16, np.float32, np.float64)
    masked = isinstance(getattr(dtype, "numpy_dtype", None), np.dtype) and not isinstance(dtype, pd.ArrowDtype)
    return masked or isinstance(dtype, pd.StringDtype | pd.CategoricalDtype | pd.DatetimeTZDtype)


def index_to_state(index: pd.Index) -> dict:
    """Return the state of the names of a table's columns.

    Raises
    ------
    TypeError
        A name is of a type that no state can hold.
    """
    levels = index.categories if isinstance(index.dtype, pd.CategoricalDtype) else None
    return {
        "labels": [to_plain(label) for label in index],
        "dtype": dtype_to_text(index.dtype),
        "name": to_plain(index.name),
        "is_range": isinstance(index, pd.RangeIndex),
        "levels": None if levels is None else index_to_state(levels),
        "ordered": levels is not None and bool(index.ordered),
    }


def take_index(state: dict, name: str) -> pd.Index:
    """Return the names that `index_to_state` wrote, which must be distinct."""
    with reading(repr(name)):
        return _index_of(state[name])


def _index_of(state: Any) -> pd.Index:
    check_keys(state, "labels", "dtype", "name", "is_range", "levels", "ordered")
    labels, dtype, ordered = take(state, "labels", list), take_dtype(state, "dtype"), take(state, "ordered", bool)
    categorical = isinstance(dtype, pd.CategoricalDtype)
    expect((take(state, "levels", dict, type(None)) is not None) == categorical, "'levels'", state["levels"], "levels or None")
    expect(categorical or not ordered, "'ordered'", ordered, "False")
    if categorical:
        expect(state["levels"].get("levels") is None, "'levels'", state["levels"], "levels that are no categories")
        dtype = pd.CategoricalDtype(take_index(state, "levels"), ordered)
    index = pd.Index(from_plain(labels), dtype=dtype, name=from_plain(state["name"]), tupleize_cols=False)
    if take(state, "is_range", bool):
        expect(dtype == np.int64, "'dtype'", state["dtype"], "int64, that of a range")
        index = _range_of(index)
    expect(index.is_unique, "'labels'", labels, "distinct names")
    same = repr([to_plain(label) for label in index]) == repr(labels)  # tells 1, 1.0 and True apart
    expect(same, "'labels'", labels, f"names of {dtype}")
    return index


def _range_of(index: pd.Index) -> pd.RangeIndex:
    """Return a range that begins as `index` does; whether it is the same is the caller's to check."""
    labels = index.tolist()
    first, step = (labels[0] if labels else 0), (labels[1] - labels[0] if len(labels) > 1 else 1)
    return pd.RangeIndex(first, first + step * len(labels), step, name=index.name)
