"""What every estimator checks in the same words: tables, column names, constructor parameters."""

import re
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd

from ._state import check_keys, expect, index_to_state, reading_state, take, take_index

__all__ = ["Container", "check_choice", "check_columns", "check_int", "check_real", "check_table", "is_int", "listed", "warn"]

_ARRAY_DTYPE = re.compile(r"\|(b1|i1|u1|O)|[<>]([iu][248]|f[248]|U0|[mM]8(\[\w+\])?)")  # of an array that is a table
_CELLS = (str, bool, np.bool_, Real, type(None), type(pd.NA), type(pd.NaT))  # what a cell of an object column may be
_NESTED = "spread its parts over columns of their own (pandas.json_normalize), or drop the column"
_REMEDIES = {  # by the name of the type of a cell, or of the dtype of a column
    "bytes": "decode it with .str.decode('utf-8')",
    "bytes_": "decode it with .str.decode('utf-8')",
    "BytesDType": "decode it with numpy.char.decode",
    "Decimal": "convert it with .astype(float)",
    "LongDoubleDType": "convert it with .astype('float64')",
    "time": "convert it with .astype(str)",
    "date": "convert it with pandas.to_datetime",
    "datetime": "convert it with pandas.to_datetime",
    "Timestamp": "convert it with pandas.to_datetime",
    "datetime64": "convert it with pandas.to_datetime",
    "timedelta": "convert it with pandas.to_timedelta",
    "Timedelta": "convert it with pandas.to_timedelta",
    "timedelta64": "convert it with pandas.to_timedelta",
    "Period": "convert it with .astype(str)",
    "Interval": "convert it with .astype(str)",
    "PeriodDtype": "convert it with .dt.to_timestamp()",
    "IntervalDtype": "convert it with .astype(str)",
    "SparseDtype": "convert it with .sparse.to_dense()",
    "ArrowDtype": "convert it with .convert_dtypes(dtype_backend='numpy_nullable')",
}


def check_table(X: Any, *, name: str = "X") -> pd.DataFrame:
    """Return `X` as a DataFrame in which every column can be tokenised, or say what stands against it.

    Missing cells are welcome. The frame is the caller's own where `X` is a frame: never write to it.

    Parameters
    ----------
    X : DataFrame, ndarray or list of lists, shape (n_rows, n_columns)
        Columns of an array or of lists are named ``0, 1, ...``
    name : str, default="X"
        What messages call the table.

    Returns
    -------
    DataFrame, shape (n_rows, n_columns)
        At least one row and one column, unique names.

    Raises
    ------
    ValueError
        No rows, no columns, not two dimensions, duplicate names, nested column names, infinite or complex numbers.
    TypeError
        Sparse data, nested cells, bytes, and dtypes that are not supported; the message names the column.
    """
    frame = X if isinstance(X, pd.DataFrame) else _as_frame(X, name)
    if frame.shape[1] == 0:
        raise ValueError(
            f"{name} has 0 feature(s) (shape={frame.shape}) while a minimum of 1 is required. Pass at least one column"
        )
    if frame.shape[0] == 0:
        raise ValueError(
            f"{name} has 0 sample(s) (shape={frame.shape}) while a minimum of 1 is required. Pass at least one row"
        )
    if isinstance(frame.columns, pd.MultiIndex):
        raise ValueError(
            f"{name} has nested column names ({frame.columns.nlevels} levels), expected one level: "
            f"flatten them with {name}.columns = {name}.columns.to_flat_index()"
        )
    refuse_duplicates(frame.columns, name)
    for position, column in enumerate(frame.columns):
        _check_values(frame.iloc[:, position], f"Column {column!r} of {name}")
    return frame


def refuse_duplicates(columns: Sequence, name: str) -> None:
    """Refuse names that two columns of the table `name` have."""
    names = pd.Index(columns)
    if not names.is_unique:
        duplicates = list(names[names.duplicated()].unique())
        raise ValueError(f"{name} has duplicate column names {listed(duplicates)}: rename them or drop the copies")


def _as_frame(X: Any, name: str) -> pd.DataFrame:
    from scipy.sparse import issparse

    if issparse(X):
        raise TypeError(f"{name} is a sparse {type(X).__name__}, expected a dense table: convert it with .toarray()")
    if hasattr(X, "to_pandas"):
        raise TypeError(f"{name} is a {type(X).__module__}.{type(X).__name__}, expected a pandas DataFrame: use .to_pandas()")
    if isinstance(X, list) and X and all(isinstance(row, list | tuple) for row in X):
        widths = sorted({len(row) for row in X})
        if len(widths) > 1:
            raise ValueError(f"{name} has rows of {widths[0]} to {widths[-1]} cells, expected rows of one length")
        return pd.DataFrame(X, columns=range(widths[0]))
    array = X.to_numpy() if isinstance(X, pd.Series) else np.asarray(X)
    if array.ndim != 2:
        raise ValueError(
            f"{name} has {array.ndim} dimension(s), expected a table of 2: rows by columns. Reshape your data using "
            f"{name}.reshape(-1, 1) for one column or {name}.reshape(1, -1) for one row"
        )
    return pd.DataFrame(array)


def _check_values(column: pd.Series, where: str) -> None:
    """Refuse a column that holds what no field can be; `where` opens the message."""
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        _check_values(dtype.categories.to_series(), where)
    elif pd.api.types.is_object_dtype(dtype):
        _check_cells(column, where)
    elif getattr(dtype, "kind", "O") == "c":
        raise ValueError(f"Complex data not supported. {where} is {dtype}: split it into real and imaginary parts")
    elif isinstance(dtype, pd.SparseDtype):
        raise TypeError(f"{where} is sparse ({dtype}), expected dense values: {_REMEDIES['SparseDtype']}")
    elif isinstance(dtype, pd.ArrowDtype | pd.PeriodDtype | pd.IntervalDtype) or not _is_supported(dtype):
        remedy = _REMEDIES.get(type(dtype).__name__, "convert it with .astype")
        raise TypeError(
            f"{where} has dtype {dtype}, expected numbers, booleans, strings, categories, dates or durations of NumPy or "
            f"pandas: {remedy}"
        )
    elif pd.api.types.is_float_dtype(dtype):
        values = column.to_numpy() if isinstance(dtype, np.dtype) else column.to_numpy(float, na_value=np.nan)
        _check_finite(np.isinf(values), where)


def _is_supported(dtype: Any) -> bool:
    if isinstance(dtype, np.dtype):
        return dtype.kind in "biumM" or dtype in (np.float16, np.float32, np.float64)
    types = pd.api.types
    return (
        isinstance(dtype, pd.StringDtype | pd.DatetimeTZDtype) or types.is_numeric_dtype(dtype) or types.is_bool_dtype(dtype)
    )


def _check_cells(column: pd.Series, where: str) -> None:
    """Refuse an object column by the types of its cells."""
    found = set(map(type, column.to_numpy()))
    for kind in found:
        if issubclass(kind, complex | np.complexfloating):
            raise ValueError(f"Complex data not supported. {where} holds {kind.__name__}: split it into two columns")
        if not issubclass(kind, _CELLS) or issubclass(kind, pd.Timedelta | np.timedelta64):
            remedy = _REMEDIES.get(kind.__name__, _NESTED)
            raise TypeError(f"{where} holds values of type {kind.__name__}, expected numbers, strings or booleans: {remedy}")
    if any(issubclass(kind, float | np.floating) for kind in found):
        _check_finite(column.isin([np.inf, -np.inf]).to_numpy(), where)


def _check_finite(infinite: np.ndarray, where: str) -> None:
    if infinite.any():
        raise ValueError(
            f"{where} contains infinity in {int(infinite.sum())} of {len(infinite)} rows (first at position "
            f"{int(infinite.argmax())}), expected finite numbers or missing: replace it, for instance by NaN"
        )


@dataclass(frozen=True, eq=False)
class Container:
    """How a table came in, so that another goes out in the same way.

    Attributes
    ----------
    columns : Index or None
        Column names of a frame; None where the table was not a frame.
    dtype : dtype or None
        Of an array; None where pandas finds the common dtype of the columns (lists).
    """

    columns: pd.Index | None
    dtype: np.dtype | None

    @classmethod
    def of(cls, X: Any) -> "Container":
        """Return the container of `X`, a frame, an array or a list of lists."""
        if isinstance(X, pd.DataFrame):
            return cls(X.columns, None)
        dtype = getattr(X, "dtype", None)
        return cls(None, np.dtype(dtype.kind) if dtype is not None and dtype.kind == "U" else dtype)

    def to_state(self) -> dict:
        """Return the container as plain data; TypeError where a column's name is of a type that no state can hold."""
        return {
            "columns": None if self.columns is None else index_to_state(self.columns),
            "dtype": None if self.dtype is None else self.dtype.str,
        }

    @classmethod
    def from_state(cls, state: dict) -> "Container":
        """Return the container that wrote a state; ValueError if none did."""
        with reading_state(cls.__name__):
            check_keys(state, "columns", "dtype")
            columns = None if state["columns"] is None else take_index(state, "columns")
            dtype = take(state, "dtype", str, type(None))
            expect(dtype is None or columns is None, "'dtype'", dtype, "None where columns have names")
            expect(dtype is None or _ARRAY_DTYPE.fullmatch(dtype), "'dtype'", dtype, "the short name of a dtype of NumPy")
            return cls(columns, None if dtype is None else np.dtype(dtype))

    def restore(self, frame: pd.DataFrame) -> Any:
        """Return `frame`, whose columns are in the order of the table that came in, as a frame or an array.

        An array of strings is as wide as its values need.
        """
        if self.columns is not None:
            return frame.set_axis(self.columns, axis=1)
        if self.dtype is not None and self.dtype.kind == "U":
            return frame.to_numpy(object).astype(self.dtype)
        return frame.to_numpy(self.dtype)


def check_columns(estimator: Any, X: Any, frame: pd.DataFrame, *, reset: bool) -> pd.DataFrame:
    """Set, or compare with fit, the columns of a table in the way of scikit-learn.

    Parameters
    ----------
    estimator : estimator
        Gets `n_features_in_`, `feature_names_in_` (only where all names are strings) and `columns_` (the names as they
        are, a list).
    X : DataFrame, ndarray or list of lists
        What the caller passed.
    frame : DataFrame
        What `check_table` made of it.
    reset : bool
        True in fit; False compares.

    Returns
    -------
    frame : DataFrame
        With the columns of fit: those of arrays and lists are named by their places.

    Raises
    ------
    ValueError
        Columns that are unseen, lacking or in another order.
    """
    from sklearn.utils.validation import validate_data

    all_strings = all(isinstance(column, str) for column in frame.columns)
    named = X if isinstance(X, pd.DataFrame) and all_strings else np.broadcast_to(0, frame.shape)
    validate_data(estimator, named, skip_check_array=True, reset=reset)
    columns = list(frame.columns)
    if reset:
        estimator.columns_ = columns
    elif isinstance(X, pd.DataFrame) and not all_strings and columns != estimator.columns_:
        unseen = [column for column in columns if column not in estimator.columns_]
        lacking = [column for column in estimator.columns_ if column not in columns]
        parts = [
            f"unseen in fit: {listed(unseen)}" if unseen else "",
            f"lacking: {listed(lacking)}" if lacking else "",
            "" if unseen or lacking else "they are in another order",
        ]
        raise ValueError(
            f"The columns of X are not those that {type(estimator).__name__} was fitted with; "
            f"{'; '.join(filter(None, parts))}: pass X[estimator.columns_]"
        )
    return frame if isinstance(X, pd.DataFrame) else frame.set_axis(estimator.columns_, axis=1)


def warn(message: str) -> None:
    """Warn, as a UserWarning, of the line outside of this package that led here."""
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").split(".")[0] == __package__:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, UserWarning, stacklevel=level)


def listed(names: Sequence, limit: int = 5) -> str:
    """Return the first names of a list as text, for messages."""
    shown = ", ".join(repr(name) for name in names[:limit])
    return f"[{shown}]" if len(names) <= limit else f"[{shown}, ... ({len(names)} in all)]"


def check_int(estimator: Any, parameter: str, *, low: int, optional: bool = False) -> None:
    """Refuse a parameter that is not an int of at least `low` (nor None where that is allowed).

    Raises
    ------
    TypeError, ValueError
        "The 'max_columns' parameter of ColumnClusterer must be an int >= 1, got 0."
    """
    value = getattr(estimator, parameter)
    if value is None and optional:
        return
    if not is_int(value) or value < low:
        expected = f"an int >= {low}" + (" or None" if optional else "")
        raise _parameter_error(estimator, parameter, expected, ValueError if is_int(value) else TypeError)


def is_int(value: Any) -> bool:
    """Tell whether something is a whole number, and no bool."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def check_real(
    estimator: Any, parameter: str, *, low: float, high: float = np.inf, closed: str = "left", optional: bool = False
) -> None:
    """Refuse a parameter that is not a finite number between `low` and `high` (nor None where that is allowed).

    `closed` says which ends belong to the range: "left", "right", "both" or "neither".

    Raises
    ------
    TypeError, ValueError
        "The 'dropout' parameter of LSTMTextModel must be a number in [0, 1), got 1.5."
    """
    value = getattr(estimator, parameter)
    if value is None and optional:
        return
    is_real = isinstance(value, Real) and not isinstance(value, bool)
    opening, closing = ("[" if closed in ("left", "both") else "("), ("]" if closed in ("right", "both") else ")")
    if is_real and np.isfinite(value):
        above = value > low or (opening == "[" and value == low)
        below = value < high or (closing == "]" and value == high)
        if above and below:
            return
    expected = f"a number in {opening}{low}, {high}{closing}" + (" or None" if optional else "")
    raise _parameter_error(estimator, parameter, expected, ValueError if is_real else TypeError)


def check_choice(estimator: Any, parameter: str, choices: Sequence) -> None:
    """Refuse a parameter that is none of `choices` (by equality and type, so that 1 is not True).

    Raises
    ------
    ValueError
        "The 'method' parameter of ColumnClusterer must be one of 'average', 'complete', got 'x'."
    """
    value = getattr(estimator, parameter)
    if not any(type(value) is type(choice) and value == choice for choice in choices):
        expected = "one of " + ", ".join(repr(choice) for choice in choices)
        raise _parameter_error(estimator, parameter, expected, ValueError)


def _parameter_error(estimator: Any, parameter: str, expected: str, error: type[Exception]) -> Exception:
    value = getattr(estimator, parameter)
    return error(f"The {parameter!r} parameter of {type(estimator).__name__} must be {expected}, got {value!r}.")
