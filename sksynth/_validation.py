"""What every estimator checks in the same words: tables, column names, constructor parameters."""

import re
import sys
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd

from ._plain import from_plain, to_plain
from ._remedies import DROP, HALF, MEND, arrow_remedy, cells_remedy, dtype_remedy, frame_remedy
from ._state import check_keys, expect, index_to_state, reading_state, take, take_index
from ._times import has_name

__all__ = ["Container", "check_choice", "check_columns", "check_int", "check_real", "check_table", "is_int", "listed", "warn"]

_ARRAY_DTYPE = re.compile(r"\|(b1|i1|u1|O)|[<>]([iu][248]|f[248]|U0|[mM]8(\[\w+\])?)")  # of an array that is a table
_CELLS = {str, np.str_, bool, np.bool_, int, float, type(None), type(pd.NA), type(pd.NaT)}  # types of cells, beside NumPy's
_LARGEST = 1_023  # bits of an int that can still be a float


def check_table(X: Any, *, name: str = "X", plain_names: bool = True) -> pd.DataFrame:
    """Return `X` as a DataFrame in which every column can be tokenised, or say what stands against it.

    Missing cells are welcome. The frame is the caller's own where `X` is a frame: never write to it.

    Parameters
    ----------
    X : DataFrame, ndarray or list of lists, shape (n_rows, n_columns)
        Columns of an array or of lists are named ``0, 1, ...``
    name : str, default="X"
        What messages call the table.
    plain_names : bool, default=True
        Refuse names of columns that are missing, or that no file of a model can hold.

    Returns
    -------
    DataFrame, shape (n_rows, n_columns)
        At least one row and one column, unique names.

    Raises
    ------
    ValueError
        No rows, no columns, not two dimensions, duplicate names, nested column names, infinite or complex numbers.
    TypeError
        Sparse or masked data, rows with names, nested cells, bytes, and dtypes that are not supported; the message names the
        column, and says in a line of Python what to do.
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
    if plain_names:
        _check_names(frame.columns, name)
    table = name if name.isidentifier() else "X"
    first = "" if isinstance(X, pd.DataFrame) else f"{table} = pd.DataFrame({table}); "
    _refuse_arrow(frame, name, table)
    for position, column in enumerate(frame.columns):
        _check_values(frame.iloc[:, position], _Where(column, name, table, first))
    return _without_nan(frame)


def _without_nan(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame whose nullable floats are missing where they are NaN, which pandas 3 does by itself."""
    result = frame
    for position, dtype in enumerate(frame.dtypes):
        if isinstance(dtype, pd.Float32Dtype | pd.Float64Dtype):
            column = frame.iloc[:, position]
            is_nan = np.isnan(column.to_numpy(float, na_value=0.0))
            if is_nan.any():
                result = frame.copy(deep=False) if result is frame else result
                result.isetitem(position, column.mask(is_nan))
    return result


def refuse_duplicates(columns: Sequence, name: str) -> None:
    """Refuse names that two columns of the table `name` have."""
    names = pd.Index(columns)
    if not names.is_unique:
        duplicates, table = list(names[names.duplicated()].unique()), name if name.isidentifier() else "X"
        raise ValueError(
            f"{name} has duplicate column names {listed(duplicates)}: rename them, or drop the copies with "
            f"{table} = {table}.loc[:, ~{table}.columns.duplicated()]"
        )


def _check_names(columns: pd.Index, name: str) -> None:
    """Refuse names that cannot be found again, or not be written to a file."""
    for position, column in enumerate(columns):
        problem, new = None, f"list(map(str, {name}.columns))"
        if _is_missing(column):
            problem = "is missing"
        elif not _is_writable(column):
            problem = f"is of type {type(column).__name__}"
        elif HALF.search(str(column)):
            problem, new = "holds half of a surrogate pair", f"[str(label){MEND} for label in {name}.columns]"
        if problem is not None:
            raise TypeError(
                f"Column {position} of {name} has the name {column!r}, which {problem}, expected text, a number, a date or a "
                f"tuple of these: rename the columns with {name}.columns = {new}"
            )


def _is_missing(label: Any) -> bool:
    """Tell whether a name is missing, or a part of it, so that it is not found again, as None is."""
    if isinstance(label, tuple):
        return any(map(_is_missing, label))
    return label is not None and bool(pd.isna(label))


def _is_writable(label: Any) -> bool:
    try:
        from_plain(to_plain(label))
    except (TypeError, ValueError):
        return False
    return True


def _as_frame(X: Any, name: str) -> pd.DataFrame:
    from scipy.sparse import issparse

    kind = f"{type(X).__module__}.{type(X).__name__}".removeprefix("builtins.")
    if issparse(X):
        raise TypeError(
            f"{name} is a sparse {type(X).__name__}, expected a dense table: convert it with {name} = {name}.toarray()"
        )
    remedy = frame_remedy(X, name)
    if remedy is not None:
        lost = ", whose rows have names or masks that would be lost" if isinstance(X, list | tuple) and "pd." in remedy else ""
        raise (ValueError if remedy.startswith("[[") else TypeError)(
            f"{name} is a {kind}{lost}, expected a pandas DataFrame, or rows by columns: convert it with {name} = {remedy}"
        )
    if isinstance(X, list) and X and all(isinstance(row, list | tuple) for row in X):
        widths = sorted({len(row) for row in X})
        if len(widths) > 1:
            raise ValueError(
                f"{name} has rows of {widths[0]} to {widths[-1]} cells, expected rows of one length: fill the shorter "
                f"ones, as in {name} = [[*row, *[None] * (max(map(len, {name})) - len(row))] for row in {name}]"
            )
        return pd.DataFrame(X, columns=range(widths[0]))
    array = np.asarray(X)
    if array.ndim == 0:
        raise TypeError(f"{name} is a {kind}, expected a pandas DataFrame, or rows by columns: pass a table")
    if array.ndim != 2:
        how = "-1, 1" if array.ndim == 1 else f"len({name}), -1"
        raise ValueError(
            f"{name} has {array.ndim} dimension(s), expected a table of 2: rows by columns. Reshape your data using "
            f"{name} = {name}.reshape({how})"
        )
    return pd.DataFrame(array)


@dataclass(frozen=True)
class _Where:
    """A column: its name, that of its table, how the table is written in Python, and what makes it a frame first."""

    column: Any
    name: str
    table: str
    first: str
    categorical: bool = False

    def __str__(self):
        return f"Column {self.column!r} of {self.name}"

    @property
    def it(self) -> str:
        """The column in Python."""
        return f"{self.table}[{self.column!r}]"

    @property
    def plain(self) -> str:
        """The column in Python, without its levels."""
        return f"{self.it}.astype(object)" if self.categorical else self.it

    def set_to(self, remedy: str) -> str:
        """Return the line of Python that puts something else in the column's place."""
        if remedy == DROP:
            return f"{self.first}{self.table} = {self.table}.drop(columns=[{self.column!r}])"
        return f"{self.first}{self.it} = {remedy}"


def _refuse_arrow(frame: pd.DataFrame, name: str, table: str) -> None:
    """Refuse columns of pyarrow, all of them at once."""
    found = {column: arrow_remedy(dtype) for column, dtype in frame.dtypes.items() if isinstance(dtype, pd.ArrowDtype)}
    if found:
        raise TypeError(
            f"Columns {listed(list(found))} of {name} have dtypes of pyarrow, such as {frame[next(iter(found))].dtype}, "
            f"expected those of NumPy or pandas: convert them with {table} = {table}.astype({found!r})"
        )


def _check_values(column: pd.Series, where: _Where) -> None:
    """Refuse a column that holds what no field can be."""
    dtype = column.dtype
    if isinstance(dtype, pd.CategoricalDtype):
        levels = dtype.categories
        _check_values(pd.Series(levels.array, dtype=levels.dtype), replace(where, categorical=True))
    elif pd.api.types.is_object_dtype(dtype):
        _check_cells(column, where)
    elif getattr(dtype, "kind", "O") == "c":
        raise ValueError(f"Complex data not supported. {where} is {dtype}: {_split(where)}")
    elif not _is_supported(dtype):
        why = _why_of_zone(dtype.tz) if isinstance(dtype, pd.DatetimeTZDtype) else ""
        raise TypeError(
            f"{where} has dtype {dtype}{why}, expected numbers, booleans, strings, categories, dates or durations of NumPy or "
            f"pandas: convert it with {where.set_to(dtype_remedy(dtype, where.it, of_levels=where.categorical))}"
        )
    elif pd.api.types.is_float_dtype(dtype):
        values = column.to_numpy() if isinstance(dtype, np.dtype) else column.to_numpy(float, na_value=np.nan)
        _check_finite(np.isinf(values), where)


def _why_of_zone(tz):
    if has_name(tz):
        return f" by {type(tz).__module__.partition('.')[0]}, where this pandas makes zones of that name in another way"
    return ", whose time zone has no name that finds it again"


def _split(where):
    parts = [f"{where.table}[{f'{where.column} {part}'!r}]" for part in ("real", "imag")]
    values = [f"{where.it}.map(np.{part}, na_action='ignore')" for part in ("real", "imag")]
    return f"split it with {where.first}{', '.join(parts)} = {', '.join(values)}; del {where.it}"


def _is_supported(dtype: Any) -> bool:
    if isinstance(dtype, np.dtype):
        return dtype.kind in "biumM" or dtype in (np.float16, np.float32, np.float64)
    if isinstance(dtype, pd.DatetimeTZDtype):
        return has_name(dtype.tz) and pd.DatetimeTZDtype(dtype.unit, str(dtype.tz)) == dtype
    types = pd.api.types
    foreign = isinstance(dtype, pd.ArrowDtype | pd.SparseDtype)
    return not foreign and (isinstance(dtype, pd.StringDtype) or types.is_numeric_dtype(dtype) or types.is_bool_dtype(dtype))


def _check_cells(column: pd.Series, where: _Where) -> None:
    """Refuse an object column by the types of its cells."""
    found = set(map(type, column.to_numpy()))
    if any(issubclass(kind, complex | np.complexfloating) for kind in found):
        raise ValueError(f"Complex data not supported. {where} holds complex numbers: {_split(where)}")
    wrong = [kind for kind in found if not is_plain(kind)]
    if wrong:
        remedy = cells_remedy(column, where.plain)
        spread = "spread its parts over columns of their own (pandas.json_normalize), or drop it with"
        how = spread if remedy == DROP else "convert it with"
        raise TypeError(
            f"{where} holds values of type {wrong[0].__name__}, expected numbers, strings or booleans: {how} "
            f"{where.set_to(remedy)}"
        )
    if int in found and any(type(cell) is int and cell.bit_length() > _LARGEST for cell in column):
        as_text = where.set_to(f"{where.plain}.map(str, na_action='ignore')")
        raise ValueError(
            f"{where} holds whole numbers of more than 300 digits, expected at most 64 bits: store them as "
            f"strings with {as_text}"
        )
    if any(issubclass(kind, float | np.floating) for kind in found):
        _check_finite(column.isin([np.inf, -np.inf]).to_numpy(), where)


def is_plain(kind: type) -> bool:
    """Tell whether a cell of a type can be part of an object column."""
    if kind in _CELLS:
        return True
    return issubclass(kind, np.integer | np.floating) and not issubclass(kind, np.timedelta64 | np.longdouble)


def _check_finite(infinite: np.ndarray, where: _Where) -> None:
    if infinite.any():
        raise ValueError(
            f"{where} contains infinity in {int(infinite.sum())} of {len(infinite)} rows (first at position "
            f"{int(infinite.argmax())}), expected finite numbers or missing: make it missing with "
            f"{where.set_to(f'{where.plain}.replace([np.inf, -np.inf], np.nan)')}"
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
        how = "pass all of estimator.columns_" if lacking else "pass X[estimator.columns_]"
        raise ValueError(
            f"The columns of X are not those that {type(estimator).__name__} was fitted with; "
            f"{'; '.join(filter(None, parts))}: {how}"
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
