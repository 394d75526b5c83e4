"""Promises of sksynth._validation: what is refused, in which words, and what goes through unharmed."""

import datetime
import decimal

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import BaseEstimator

from sksynth._validation import Container, check_choice, check_columns, check_int, check_real, check_table


def cells(*values):
    """Return a frame of one object column."""
    return pd.DataFrame({"c": pd.Series(values, dtype=object)})


GOOD_COLUMNS = {
    "int8": np.array([1, -2], np.int8),
    "uint64": np.array([1, 2**64 - 1], np.uint64),
    "Int64": pd.array([1, None], dtype="Int64"),
    "float32": np.array([1.5, np.nan], np.float32),
    "Float64": pd.array([1.5, None], dtype="Float64"),
    "bool": np.array([True, False]),
    "boolean": pd.array([True, None], dtype="boolean"),
    "object strings": pd.Series(["a", None], dtype=object),
    "mixed object": pd.Series([1, "a"], dtype=object),
    "object with every missing": pd.Series([pd.NA, pd.NaT], dtype=object),
    "NumPy scalars": pd.Series([np.float32(1), np.bool_(True)], dtype=object),
    "string": pd.array(["a", None], dtype="string"),
    "category": pd.Categorical(["a", None], categories=["a", "b"]),
    "datetime": pd.to_datetime(["2020-01-01", None]),
    "time zone": pd.to_datetime(["2020-01-01", None]).tz_localize("Europe/Berlin"),
    "duration": pd.to_timedelta([1, 2], unit="s"),
    "all missing": [np.nan, np.nan],
    "None only": [None, None],
}


@pytest.mark.parametrize("kind", GOOD_COLUMNS)
def test_every_supported_column_passes_untouched(kind):
    """A frame of supported columns comes back as the very object, unchanged."""
    frame = pd.DataFrame({"c": GOOD_COLUMNS[kind]})
    before = frame.copy(deep=True)

    assert check_table(frame) is frame
    pd.testing.assert_frame_equal(before, frame)


@pytest.mark.parametrize(
    "table", [np.array([[1, 2], [3, 4]]), [[1, 2], [3, 4]], [(1, 2), (3, 4)]], ids=["array", "lists", "tuples"]
)
def test_arrays_and_lists_get_numbered_columns(table):
    """What is not a frame becomes one with the columns 0, 1, ..."""
    frame = check_table(table)

    assert [0, 1] == list(frame.columns)
    np.testing.assert_array_equal([[1, 2], [3, 4]], frame.to_numpy())


def test_lists_keep_one_type_per_column():
    """A list of rows is read column by column, so that numbers beside strings stay numbers."""
    frame = check_table([[1, "a"], [2, "b"]])

    assert np.int64 == frame[0].dtype
    assert ["a", "b"] == list(frame[1])


def test_column_names_that_are_not_strings_are_kept():
    """Names may be ints, tuples or dates, and mixed."""
    names = [0, "a", ("b", 1), pd.Timestamp("2020-01-01")]
    frame = pd.DataFrame([[1, 2, 3, 4]])
    frame.columns = pd.Index(names, dtype=object, tupleize_cols=False)

    assert names == list(check_table(frame).columns)


BAD_SHAPES = {
    "one dimension": (np.arange(3), r"1 dimension.*Reshape your data using X = X\.reshape\(-1, 1\)"),
    "a flat list": ([1, 2], r"is a list, expected .* rows by columns.*\[\[value\] for value in X\]"),
    "three dimensions": (np.zeros((2, 2, 2)), r"3 dimension.*X\.reshape\(len\(X\), -1\)"),
    "no rows": (np.zeros((0, 3)), r"0 sample\(s\) \(shape=\(0, 3\)\)"),
    "no columns": (np.zeros((12, 0)), r"0 feature\(s\) \(shape=\(12, 0\)\) while a minimum of 1 is required\."),
    "an empty frame": (pd.DataFrame(), r"0 feature\(s\)"),
    "no rows in a frame": (pd.DataFrame({"a": []}), r"0 sample\(s\)"),
    "rows of several lengths": ([[1], [1, 2]], "rows of 1 to 2 cells"),
    "duplicate names": (pd.DataFrame([[1, 2, 3]], columns=["a", "a", "b"]), r"duplicate column names \['a'\]: rename"),
    "nested names": (pd.DataFrame([[1]], columns=pd.MultiIndex.from_tuples([("a", "b")])), "2 levels.*to_flat_index"),
}


@pytest.mark.parametrize("case", BAD_SHAPES)
def test_tables_of_a_wrong_shape_are_refused(case):
    """A shape that is no table is a ValueError that says what was got and what to do."""
    table, message = BAD_SHAPES[case]
    with pytest.raises(ValueError, match=message):
        check_table(table)


BAD_TYPES = {
    "dict": (cells({"a": 1}, 1), "type dict.*json_normalize"),
    "a list below numbers": (cells(1.0, 2.0, [1]), "type list"),
    "set": (cells({1}), "type set"),
    "tuple": (cells((1, 2)), "type tuple"),
    "array": (cells(np.arange(2), 1), "type ndarray"),
    "bytes": (cells(b"a", b"b"), r"type bytes.*str\.decode"),
    "date": (cells(datetime.date(2020, 1, 1)), "type date.*pd.to_datetime"),
    "Timestamp": (cells(pd.Timestamp("2020-01-01"), None), "type Timestamp.*pd.to_datetime"),
    "Timedelta": (cells(pd.Timedelta(1)), "type Timedelta.*pd.to_timedelta"),
    "NumPy timedelta": (cells(np.timedelta64(1, "s")), "type timedelta64.*pd.to_timedelta"),
    "Decimal": (cells(decimal.Decimal(1)), r"type Decimal.*map\(float"),
    "sparse column": (pd.DataFrame({"c": pd.arrays.SparseArray([0.0, 1.0])}), r"dtype Sparse.*to_dense\(\)"),
    "period": (pd.DataFrame({"c": pd.period_range("2020", periods=2, freq="M")}), r"period.*to_timestamp\(\)"),
    "interval": (pd.DataFrame({"c": pd.interval_range(0, 2)}), r"interval.*map\(str"),
    "categories that are intervals": (pd.DataFrame({"c": pd.cut([1, 2, 3], 2)}), r"interval.*rename_categories\(str\)"),
}


@pytest.mark.parametrize("case", BAD_TYPES)
def test_values_that_no_field_can_be_are_refused(case):
    """Nested, sparse and unsupported values are a TypeError that names column, type and remedy."""
    frame, message = BAD_TYPES[case]
    with pytest.raises(TypeError, match=f"^Column 'c' of table .*{message}"):
        check_table(frame, name="table")


@pytest.mark.parametrize("matrix", [sparse.csr_matrix(np.eye(2)), sparse.coo_array(np.eye(2))], ids=["matrix", "array"])
def test_sparse_matrices_are_refused(matrix):
    """A sparse matrix is a TypeError that tells how to make it dense."""
    with pytest.raises(TypeError, match=r"sparse.*\.toarray\(\)"):
        check_table(matrix)


def test_frames_of_other_libraries_are_refused_with_the_way_out():
    """What can become a pandas frame says so rather than losing its column names."""

    class Frame:
        def to_pandas(self):
            raise AssertionError("not to be called")

    with pytest.raises(TypeError, match=r"Frame, expected a pandas DataFrame.*: convert it with X = X\.to_pandas\(\)"):
        check_table(Frame())


@pytest.mark.parametrize(
    "values",
    [
        np.array([0, -np.inf]),
        np.array([0, np.inf], np.float32),
        pd.array([0, np.inf], dtype="Float64"),
        pd.Series(["a", np.inf], dtype=object),
        pd.Categorical([0, np.inf]),
    ],
    ids=["float64", "float32", "Float64", "object", "category"],
)
def test_infinity_is_refused_with_its_column_and_row(values):
    """An infinite number is a ValueError that names the column and the place."""
    with pytest.raises(ValueError, match=r"^Column 'c' of X contains infinity in 1 of 2 rows \(first at position 1\)"):
        check_table(pd.DataFrame({"a": [1, 2], "c": values}))


@pytest.mark.parametrize("values", [np.array([1j, 2]), pd.Series([1j, "a"], dtype=object)], ids=["dtype", "cells"])
def test_complex_numbers_are_refused(values):
    """Complex data is a ValueError in the words of scikit-learn that names the column."""
    with pytest.raises(ValueError, match=r"Complex data not supported.*'c'"):
        check_table(pd.DataFrame({"c": values}))


@pytest.mark.parametrize(
    "array",
    [
        np.array([[1, 2], [3, 4]], np.int16),
        np.array([[1.5, np.nan]], np.float32),
        np.array([[True, False]]),
        np.array([["a", "bcd"]]),
        np.array([[1, "a"], [None, 2.5]], dtype=object),
        np.array([["2020-01-01", "2021-01-01"]], "M8[s]"),
    ],
    ids=lambda array: array.dtype.name,
)
def test_an_array_goes_out_as_an_array_of_its_dtype(array):
    """Container restores arrays, values and dtype."""
    restored = Container.of(array).restore(check_table(array))

    assert array.dtype == restored.dtype
    np.testing.assert_array_equal(array, restored)


def test_an_array_of_strings_may_come_back_wider():
    """New strings longer than those that came in are not cut."""
    restored = Container.of(np.array([["a"]])).restore(pd.DataFrame([["long"]]))

    assert "long" == restored[0, 0]


def test_a_frame_goes_out_as_a_frame_with_its_names():
    """Container restores column names, their index and its name included."""
    frame = pd.DataFrame([[1, 2]], columns=pd.Index([10, 20], name="year"))

    pd.testing.assert_frame_equal(frame, Container.of(frame).restore(pd.DataFrame([[1, 2]])))


class Estimator(BaseEstimator):
    """Something with parameters."""

    def __init__(self, value=None):
        self.value = value


def fitted_on(X):
    """Return an estimator that remembers the columns of X."""
    estimator = Estimator()
    check_columns(estimator, X, check_table(X), reset=True)
    return estimator


def test_columns_are_remembered_as_scikit_learn_does():
    """feature_names_in_ exists only for names that are all strings, columns_ always."""
    named, numbered = fitted_on(pd.DataFrame([[1, 2]], columns=["a", "b"])), fitted_on(np.zeros((1, 3)))
    mixed = fitted_on(pd.DataFrame([[1, 2]], columns=["a", 7]))

    assert (["a", "b"], ["a", "b"], 2) == (named.columns_, list(named.feature_names_in_), named.n_features_in_)
    assert ([0, 1, 2], 3) == (numbered.columns_, numbered.n_features_in_)
    assert ["a", 7] == mixed.columns_
    assert not hasattr(numbered, "feature_names_in_")
    assert not hasattr(mixed, "feature_names_in_")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a", 9], r"unseen in fit: \[9\]; lacking: \[7\]: pass all of estimator"),
        ([7, "a"], "another order"),
    ],
)
def test_other_columns_than_in_fit_are_refused_whatever_their_names(names, message):
    """Names that scikit-learn does not compare, those that are not all strings, are compared too."""
    estimator = fitted_on(pd.DataFrame([[1, 2]], columns=["a", 7]))
    other = pd.DataFrame([[1, 2]], columns=names)
    with pytest.raises(ValueError, match=message):
        check_columns(estimator, other, other, reset=False)


@pytest.mark.parametrize(
    ("value", "error"), [(0, ValueError), (-1, ValueError), (1.0, TypeError), ("1", TypeError), (True, TypeError)]
)
def test_an_int_parameter_refuses_everything_else(value, error):
    """The message names parameter, estimator, what is expected and what was got."""
    with pytest.raises(error, match=f"^The 'value' parameter of Estimator must be an int >= 1, got {value!r}.$"):
        check_int(Estimator(value), "value", low=1)


def test_none_is_refused_unless_the_int_is_optional():
    """None passes where it means something, and only there."""
    check_int(Estimator(None), "value", low=1, optional=True)
    with pytest.raises(TypeError, match="must be an int >= 1, got None"):
        check_int(Estimator(None), "value", low=1)


@pytest.mark.parametrize(
    ("closed", "value", "passes"),
    [
        ("left", 0, True),
        ("left", np.float32(0.5), True),
        ("left", 1.0, False),
        ("right", 0, False),
        ("right", 1, True),
        ("both", 1.0, True),
        ("both", 1.1, False),
        ("neither", 0.0, False),
        ("both", float("nan"), False),
    ],
)
def test_a_number_parameter_knows_which_ends_belong_to_its_range(closed, value, passes):
    """Ends pass or not as `closed` says; NaN never passes."""
    estimator = Estimator(value)
    if passes:
        check_real(estimator, "value", low=0, high=1, closed=closed)
    else:
        with pytest.raises(ValueError, match=r"^The 'value' parameter of Estimator must be a number in [\[(]0, 1[\])], got"):
            check_real(estimator, "value", low=0, high=1, closed=closed)


@pytest.mark.parametrize("value", ["0.5", None, True])
def test_a_number_parameter_refuses_other_types(value):
    """What is not a number is a TypeError."""
    with pytest.raises(TypeError, match=r"must be a number in \[0, inf\), got"):
        check_real(Estimator(value), "value", low=0)


def test_a_choice_is_by_value_and_type():
    """1 does not pass for True; the message lists the choices."""
    check_choice(Estimator("auto"), "value", ["auto", True])
    with pytest.raises(ValueError, match=r"^The 'value' parameter of Estimator must be one of 'auto', True, got 1\.$"):
        check_choice(Estimator(1), "value", ["auto", True])
