"""Fields, schemas, and what is inferred from data."""

import json
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sksynth import fields
from sksynth.fields import Boolean, Category, Datetime, Identifier, Number, Schema, Text, infer_schema


def infer(column, field=None, min_frequency=5):
    """Return the completed field of one column; a warning about folded categories is another test."""
    schema = None if field is None else {"x": field}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "column 'x': no value", UserWarning)
        return infer_schema(pd.DataFrame({"x": column}), min_frequency=min_frequency, schema=schema)["x"]


WORDS = [f"word{i % 40} and {i} more" for i in range(200)]
RNG = np.random.default_rng(0)

KINDS = {
    "whole numbers": (RNG.integers(0, 50, 100), Number),
    "nullable whole numbers": (pd.Series([1, 2, None] * 10, dtype="Int16"), Number),
    "floats": (RNG.normal(size=50), Number),
    "few whole numbers, each once": (range(19), Number),
    "row numbers": (range(20), Identifier),
    "keys in disorder": (RNG.permutation(100) + 5000, Identifier),
    "measurements in order": (np.cumsum(RNG.integers(1, 1000, 50)), Number),
    "scattered numbers, each once": (RNG.permutation(10**6)[:100], Number),
    "negative row numbers": (range(-30, 0), Number),
    "numbers among objects": (pd.Series([1, 2.5, None] * 10, dtype=object), Number),
    "durations": (pd.to_timedelta([1, 2], unit="h"), Number),
    "booleans": ([True, False], Boolean),
    "nullable booleans": (pd.Series([True, None], dtype="boolean"), Boolean),
    "booleans among objects": (pd.Series([True, None], dtype=object), Boolean),
    "dates": (pd.to_datetime(["2020-01-01", "2020-01-02"]), Datetime),
    "ISO dates": (["2020-01-01", None, "2020-02-29"], Datetime),
    "ISO times": (["2020-01-01T10:00:00", "2020-02-29T00:00:00"], Datetime),
    "dates with one that is none": (["2020-01-01", "2020-02-30"] * 10, Category),
    "dates not quite written so": (["2020-1-1", "2020-02-03"] * 10, Category),
    "years": (["2020", "2021"] * 10, Category),
    "a few words": (["a", "b", None] * 10, Category),
    "levels": (pd.Categorical(["a", "b"] * 5), Category),
    "strings and numbers": (pd.Series(["a", 1] * 10, dtype=object), Category),
    "nothing": ([None, None], Category),
    "words with a rare one": (["a"] * 60 + ["b"] * 39 + ["c"], Category),
    "words with a fifth of rare ones": (["a"] * 80 + [f"b{i}" for i in range(20)], Category),
    "words with a quarter of rare ones": (["a"] * 75 + [f"b{i}" for i in range(25)], Text),
    "sentences": (WORDS, Text),
    "names, each once": ([f"name {chr(97 + i % 26)}{chr(97 + i // 26)}" for i in range(100)], Text),
    "codes": ([f"CUST-{i:06d}" for i in RNG.permutation(10**6)[:50]], Identifier),
    "player ids": ([f"{a}{b}xyz{i % 10:02d}" for i, (a, b) in enumerate(np.ndindex(10, 10))], Identifier),
    "few codes": ([f"CUST-{i:06d}" for i in range(19)], Category),
}


@pytest.mark.parametrize("name", KINDS)
def test_kind_is_inferred(name):
    """Every column of the table gets the kind of field that its values suggest."""
    column, kind = KINDS[name]
    column = pd.Series(column)
    if name == "player ids":
        column = column.str.cat([str(i) for i in range(len(column))])
    assert type(infer(column)) is kind


def test_a_completed_field_has_no_unknown_left():
    """Inference fills every attribute that a kind of field needs, and leaves the caller's field as it was."""
    given = Number(low=0)
    field = infer([1.5, 2.25] * 10, given)
    assert field == Number(0.0, 2.25, precision=2, nullable=False, dtype="float64", n_folded=0)
    assert given == Number(low=0)


def test_nullable_is_what_the_data_shows_unless_said():
    """A column without missing cells is not nullable; nullable=True makes it so."""
    assert not infer([1.0, 2.0]).nullable
    assert infer([1.0, None]).nullable
    assert infer([1.0, 2.0], Number(nullable=True)).nullable


@pytest.mark.parametrize("n", [1, 2, 3, 9, 10, 11])
def test_bounds_of_few_rows_collapse_to_the_median(n):
    """With fewer than twice min_frequency rows the bounds are the median, else min_frequency rows reach each of them."""
    field = infer(np.arange(n) * 1.0)
    if n < 10:
        assert field.low == field.high == (n - 1) // 2
    else:
        assert (field.low, field.high) == (4, n - 5)


def test_the_schema_prints_as_a_table():
    """A schema prints one line per column: kind, domain, missing, dtype, and what was folded."""
    table = pd.DataFrame(
        {
            "age": [20, *range(20, 38), 37, 99],
            "town": ["Ulm"] * 10 + ["Bonn"] * 9 + ["Rom", None],
            "born": pd.to_datetime(["2000-02-01", "2001-03-01", None] * 7),
        }
    )
    assert repr(infer_schema(table, min_frequency=2)).splitlines() == [
        "column  kind      domain                          missing  dtype           folded",
        "age     number    20 .. 37                        no       int64           1 row",
        f"town    category  2: Bonn, Ulm                    yes      {table['town'].dtype!s:14}  1 row (1 value)",
        f"born    datetime  2000-02-01 .. 2001-03-01, by D  yes      {table['born'].dtype}",
    ]


scalars = st.one_of(st.text(max_size=5), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.booleans())
stamps = st.datetimes().map(lambda value: pd.Timestamp(value).as_unit("us"))
names = st.one_of(scalars, st.tuples(st.text(max_size=3), st.integers()), stamps)
bounds = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False))
known = {"nullable": st.none() | st.booleans(), "dtype": st.none() | st.just("object"), "n_folded": st.none() | st.integers(0)}
some_fields = st.one_of(
    st.builds(Category, st.none() | st.lists(scalars, unique_by=lambda v: (type(v), v)), other=st.none() | st.text(), **known),
    st.builds(Category, st.lists(stamps, unique=True), **known),
    st.builds(Number, low=st.none() | bounds, precision=st.sampled_from([None, 0, 12, "continuous", "h"]), **known),
    st.builds(Number, low=st.just(pd.Timedelta(3, unit="s")), **known),
    st.builds(Boolean, **known),
    st.builds(Datetime, low=st.none() | stamps, high=st.none(), resolution=st.sampled_from([None, "D", "ns"]), **known),
    st.builds(Text, max_length=st.none() | st.integers(1), **known),
    st.builds(Identifier, pattern=st.sampled_from([None, "A[0-9]{3}", r"(\.|é)[a-z]{1,4}", "-?[0-9]{1,3}"]), **known),
)


@settings(max_examples=200, deadline=None)
@given(schema=st.dictionaries(names, some_fields, max_size=4).map(Schema))
def test_schemas_go_through_json_exactly(schema):
    """from_json(to_json(schema)) is the schema: names and values of any type, and the types of these."""
    again = Schema.from_json(schema.to_json())
    assert again == schema
    assert [type(column) for column in again] == [type(column) for column in schema]
    for field, same in zip(schema.values(), again.values(), strict=True):
        assert repr(field) == repr(same)  # tells 1, 1.0 and True apart


@pytest.mark.parametrize("unit", ["s", "ns"])
def test_times_with_zone_and_unit_go_through_json(unit):
    """Timestamps keep their time zone, unit and nanoseconds; Timedeltas their unit."""
    stamp = pd.Timestamp("2024-10-27 02:30:00+01:00").tz_convert("Europe/Berlin").as_unit(unit)
    stamp = (stamp + pd.Timedelta(1, unit=unit)).as_unit(unit)
    schema = Schema({0: Datetime(stamp, tz="Europe/Berlin"), 1: Number(pd.Timedelta(5, unit="h").as_unit(unit))})
    again = Schema.from_json(schema.to_json(indent=2))
    assert again == schema
    assert (again[0].low.unit, again[1].low.unit) == (unit, unit)
    assert str(again[0].low.tz) == "Europe/Berlin"


def test_years_beyond_python_s_go_through_json():
    """Dates before year 1 and after year 9999, which pandas holds in seconds, print and go through JSON."""
    schema = infer_schema(pd.DataFrame({"x": np.array(["-0200-01-01", "20000-01-01"] * 5, "datetime64[s]")}))
    assert "-200-01-01 .. 20000-01-01" in repr(schema)
    assert Schema.from_json(schema.to_json()) == schema


def test_halves_of_a_pair_are_not_joined_by_json():
    """Two halves of a surrogate pair stay two characters in a file, beside the one that they would make."""
    schema = Schema({"x": Category(["\ud83d\ude00", "\U0001f600", "\ude00\ud83d", "\ud83d"], other="a\ud83d\ude00")})
    again = Schema.from_json(schema.to_json())
    assert again == schema
    assert [len(value) for value in again["x"].categories] == [2, 1, 2, 1]


def test_json_names_what_it_does_not_know():
    """A kind that does not exist is refused with its column's name."""
    with pytest.raises(ValueError, match=r"column 'x': kind must be one of category, .* got 'colour'"):
        Schema.from_json(json.dumps([{"column": "x", "kind": "colour"}]))


@pytest.mark.parametrize("text", ["{}", "[1]", '[{"kind": "number"}]', '[{"column": "x", "kind": "number", "width": 3}]', "["])
def test_json_of_something_else_is_refused(text):
    """Text that is no schema raises a ValueError."""
    with pytest.raises(ValueError, match=r"expected a list of fields|column 'x': no number has the attributes|Expecting"):
        Schema.from_json(text)


def test_a_schema_is_edited_like_a_dict():
    """Fields can be set, taken out and copied; what is no field is refused with the remedy."""
    schema = Schema({"x": Number()})
    copy = schema.copy()
    copy["y"] = Boolean()
    del copy["x"]
    assert (list(schema), list(copy)) == (["x"], ["y"])
    with pytest.raises(TypeError, match=r"column 'z': expected one of .*; write Number\(\)"):
        schema["z"] = Number
    with pytest.raises(TypeError, match="column 'z'"):
        schema.update({"z": "number"})


def test_an_inferred_schema_can_be_given_back():
    """A completed schema, on the same data, is completed to itself, folded values or not."""
    table = pd.DataFrame({"x": [0, *range(59), 10**6], "s": ["a"] * 30 + ["b"] * 30 + ["c"], "k": range(61)})
    schema = infer_schema(table)
    assert schema["x"].n_folded > 0 and schema["s"].n_folded == 1
    assert infer_schema(table, schema=schema) == schema


MISFITS = {
    "strings in a Number": (["a", "b"], Number(), "expected numbers, got 'a'"),
    "numbers in a Text": ([1, 2], Text(), "expected strings, got 1"),
    "a lacking category": (["a", "b"], Category(["a"]), "holds 'b', which is none of the 1 categories; add it .* other="),
    "a value below low": ([1, 2], Number(low=2), "holds 1, beyond low=2 of its field; change low"),
    "a value above high": ([1.5, 2.5], Number(high=2), "holds 2.5, beyond high=2.0"),
    "a date above high": (["2020-01-01", "2021-01-01"], Datetime(high="2020-06-01"), "beyond high=2020-06-01 00:00:00"),
    "missing cells": ([1.0, None], Number(nullable=False), "has missing cells, but its field says nullable=False; fill"),
    "numbers in a Datetime": ([1, 2], Datetime(), "expected dates, got int64"),
    "words in a Datetime": (["a", "b"], Datetime(), "not all written in one format; .*fields.Text"),
    "decimals of whole numbers": ([1, 2], Number(precision=2), "precision=2 does not suit"),
    "a bound beyond the dtype": (np.array([1, 2], np.uint8), Number(high=300), "high must be a whole number within uint8"),
    "a dtype of whole numbers": ([1.0, 1.5], Number(dtype="int64"), "its field says dtype int64, got 1.5"),
    "a half as bound": ([1, 2], Number(low=0.5), "low must be a whole number"),
    "a duration as bound": ([1, 2], Number(low=pd.Timedelta(1)), "low must be a number, got Timedelta"),
    "decimals of durations": (pd.to_timedelta([1, 2]), Number(precision=2), "so precision must be one of .*ns"),
    "a number as bound": (pd.to_timedelta([1, 2]), Number(low=0), "low must be a Timedelta, got 0"),
    "integers beyond 64 bits": (
        pd.Series([2**70, 1], dtype=object),
        None,
        r"64 bits hold together, got 1.* to 1.180591621e\+21; .*map\(str",
    ),
}


@pytest.mark.parametrize("name", MISFITS)
def test_a_field_that_does_not_fit_is_refused_by_name(name):
    """A ValueError names the column, what it holds, and what to do."""
    column, field, message = MISFITS[name]
    with pytest.raises(ValueError, match=f"column 'x': .*{message}"):
        infer(column, field)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: Number(3, 1), ValueError, "low=3 above high=1"),
        (lambda: Number("a"), TypeError, "low must be a number or a Timedelta, got 'a'"),
        (lambda: Number(float("nan")), ValueError, "low must be finite"),
        (lambda: Number(precision=13), ValueError, "precision must be 0 to 12 decimal places"),
        (lambda: Category("abc"), TypeError, "categories must be a sequence of values, got 'abc'; put it in a list"),
        (lambda: Category(["a", "a"]), ValueError, "categories must be distinct, got 'a' twice"),
        (lambda: Category(["a", None]), ValueError, "nullable=True"),
        (lambda: Datetime("2021", "2020"), ValueError, "above high"),
        (lambda: Datetime(resolution="week"), ValueError, "resolution must be one of D, h"),
        (lambda: Text(max_length=0), ValueError, "max_length must be a positive number"),
    ],
)
def test_impossible_fields_are_refused(make, error, message):
    """A field that could hold nothing, or means nothing, says so when it is made."""
    with pytest.raises(error, match=message):
        make()


def test_1_and_true_are_two_categories():
    """Categories are told apart by type."""
    assert Category([1, True, 1.0, "1"]).categories == (1, True, 1.0, "1")


def test_unknown_columns_are_named():
    """A schema for a column that the table has not is refused with the columns that it has."""
    with pytest.raises(ValueError, match=r"columns that the table has not: \['y'\]; its columns are \['x'\]"):
        infer_schema(pd.DataFrame({"x": [1, 2]}), schema={"y": Number()})


@pytest.mark.parametrize("min_frequency", [0, 1.5, True])
def test_min_frequency_is_a_number_of_rows(min_frequency):
    """min_frequency below 1, or not whole, is refused."""
    with pytest.raises(ValueError, match="min_frequency must be a number of rows"):
        infer_schema(pd.DataFrame({"x": [1, 2]}), min_frequency=min_frequency)


def test_public_names_exist():
    """Every name in __all__ is there."""
    assert all(hasattr(fields, name) for name in fields.__all__)


def test_a_resolution_is_no_finer_than_what_is_stored():
    """Dates that are stored as seconds have no nanoseconds, whatever their field says."""
    dates = pd.Series(pd.date_range("2020-01-01", periods=9)).astype("datetime64[s]")
    found = infer_schema(pd.DataFrame({"x": dates}), schema={"x": Datetime("2019-01-01", "2021-01-01", resolution="ns")})["x"]
    assert (found.resolution, found.low) == ("s", pd.Timestamp("2019-01-01"))


@pytest.mark.parametrize(
    ("field", "values", "message"),
    [
        (Number(0, 1e300), np.float32([1, 2]), "high must be a number within float32, got 1e\\+300"),
        (Datetime(format="%Y"), pd.Categorical(["2020", "2021"]), "its field is Datetime, but its dtype is category; convert"),
    ],
)
def test_a_field_beyond_its_dtype_is_refused(field, values, message):
    """The message names the column and the dtype."""
    with pytest.raises(ValueError, match=f"column 'x': {message}"):
        infer_schema(pd.DataFrame({"x": values}), schema={"x": field})


def test_offsets_within_a_format_are_refused():
    """A format whose offset could differ between cells is refused; the offset itself is what the message says to write."""
    with pytest.raises(ValueError, match="write the offset that all cells have, such as Z or"):
        Datetime(format="%Y-%m-%dT%H:%M%z")
    column = pd.DataFrame({"x": ["2020-01-01T00:00+0100", "2021-02-03T04:05+0100"] * 9})
    assert infer_schema(column, schema={"x": Datetime(format="%Y-%m-%dT%H:%M+0100")})["x"].resolution == "min"
