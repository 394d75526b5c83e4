"""Promises of `admit`: later rows are read by the rule of fit; what there is no room for is refused by name."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.exceptions import NotFittedError

from sksynth.fields import Boolean, Category, Datetime, Identifier, Number, Schema, Text, infer_schema
from sksynth.tokenizers import CharTokenizer, TableTokenizer

MISSING, OTHER, FIRST = range(3)
CITIES = ["Bonn"] * 8 + ["Ulm"] * 7


def fit(column, field=None, min_frequency=5):
    """Return the tokenizer of a table of one column."""
    schema = None if field is None else {"x": field}
    return TableTokenizer(schema, min_frequency=min_frequency).fit(pd.DataFrame({"x": column}))


def admit(tokenizer, column):
    """Admit a column."""
    return tokenizer.admit(pd.DataFrame({"x": column}))


def tokens(tokenizer, column):
    """Return the tokens of a column of one slot."""
    return tokenizer.encode(pd.DataFrame({"x": column}))[:, 0].tolist()


def decode(tokenizer, ids):
    """Return the column that tokens stand for."""
    return tokenizer.decode(np.array(ids, np.int32)[:, None])["x"]


def days(*numbers):
    """Return dates, counted in days from the beginning of 2020."""
    return pd.Timestamp("2020-01-01") + pd.to_timedelta(list(numbers), unit="D")


# What fit saw


def cells(values):
    """Return a strategy of lists of cells, some missing."""
    return st.lists(st.none() | values, min_size=1, max_size=40)


def columns_of(values, dtype):
    """Return a strategy of columns."""
    return cells(values).map(lambda column: pd.Series(column, dtype=dtype))


dates = st.integers(0, 400).map(lambda day: pd.Timestamp("2020-01-01") + pd.Timedelta(day, unit="D"))
COLUMNS = {
    "strings": columns_of(st.sampled_from("abcdefgh"), "str"),
    "mixed": columns_of(st.sampled_from(["1", 1, 1.0, True, 2.5, "b"]), object),
    "category": columns_of(st.sampled_from("abcdef"), pd.CategoricalDtype(list("fedcba"), ordered=True)),
    "boolean": columns_of(st.booleans(), "boolean"),
    "Int64": columns_of(st.integers(-5, 5) | st.integers(-(2**62), 2**62), "Int64"),
    "object integers": columns_of(st.integers(0, 2**64 - 1) | st.integers(0, 3), object),
    "object numbers": columns_of(st.sampled_from([1, 1.0, 2, 2.5, 7]), object),
    "float": columns_of(st.floats(-1e15, 1e15), "float64"),
    "dates": columns_of(dates, "datetime64[us]"),
    "dates in Berlin": columns_of(dates, "datetime64[us]").map(lambda column: column.dt.tz_localize("Europe/Berlin")),
    "dates as text": columns_of(dates, "datetime64[us]").map(lambda column: column.dt.strftime("%Y-%m-%d")),
    "durations": columns_of(st.integers(-(10**9), 10**9).map(lambda n: pd.Timedelta(n, unit="s")), "timedelta64[us]"),
    "text": columns_of(st.text("abc é", min_size=1), "str"),
    "identifiers": st.permutations(range(40)).map(lambda keys: pd.Series([f"K-{key:03d}" for key in keys])),
    "nothing": st.integers(1, 9).map(lambda n: pd.Series([None] * n, dtype=object)),
}
KNOWN = {
    "strings": [Category(other="else", extensible=True), Category(["a", "b"], other="c", extensible=True), Text(3)],
    "mixed": [Category([1, True], other="else", extensible=True), Category(extensible=True)],
    "category": [Category(list("abcdefg"), extensible=True), Category(list("ab"), other="z"), Category(extensible=True)],
    "object numbers": [Category(extensible=True), Category([1], other=0, extensible=True)],
    "Int64": [Category([0, 1], other=-1, extensible=True), Number(-(2**62)), Number(high=2**62)],
    "dates": [Datetime(low="2019-01-01"), Datetime("2020-01-01", "2021-12-31"), Datetime(resolution="h")],
    "identifiers": [Identifier("K-[0-9]{3}"), Text()],
}


@pytest.mark.parametrize("kind", COLUMNS)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_what_fit_saw_is_admitted_unchanged(kind, data):
    """Fit followed by admit of the very same table gives the very same tokenizer, whatever the schema said."""
    column = data.draw(COLUMNS[kind])
    tokenizer = fit(column, data.draw(st.sampled_from([None, *KNOWN.get(kind, [])])), data.draw(st.integers(1, 6)))
    assert admit(tokenizer, column) is tokenizer
    assert admit(pickle.loads(pickle.dumps(tokenizer)), column).schema_ == tokenizer.schema_


@pytest.mark.parametrize("kind", COLUMNS)
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_what_was_fitted_to_a_complete_schema_is_admitted_unchanged(kind, data):
    """A complete schema of other rows folds what it does not hold, in fit and in admit."""
    other, column = (data.draw(COLUMNS[kind]) for _ in range(2))
    field = data.draw(st.sampled_from([None, *KNOWN.get(kind, [])]))
    schema = infer_schema(pd.DataFrame({"x": other}), schema=None if field is None else {"x": field})
    schema["x"] = schema["x"].replace(nullable=True)
    try:
        tokenizer = fit(column, schema["x"])
    except ValueError:  # the column is of another kind than it was in the other rows
        return
    assert admit(tokenizer, column) is tokenizer


def test_a_table_is_admitted_column_by_column():
    """Columns may come in another order; those that bring nothing new keep their codecs, and all keep their tokens."""
    table = pd.DataFrame({"city": CITIES, "n": range(15), "note": [f"note {i}!" * (i % 3) for i in range(15)]})
    tokenizer = TableTokenizer({"city": Category(extensible=True), "note": Text()}).fit(table)
    later = pd.DataFrame({"note": ["other"] * 5, "city": ["Rome"] * 5, "n": [7] * 5})

    grown = tokenizer.admit(later)

    assert grown.schema_["city"].categories == ("Bonn", "Ulm", "Rome")
    assert grown.codecs_[1:] == tokenizer.codecs_[1:]
    assert grown.grammar_.slots[0].n_tokens == FIRST + 3
    assert grown.get_params() == tokenizer.get_params()
    np.testing.assert_array_equal(grown.encode(table), tokenizer.encode(table))
    pd.testing.assert_frame_equal(grown.decode(grown.encode(later))[["city"]], later[["city"]])


def test_the_tokenizer_itself_stays():
    """A model samples on with the tokenizer that it has: admit changes nothing of it."""
    tokenizer = fit(CITIES, Category(extensible=True))
    before = pickle.dumps(tokenizer)
    grown = admit(tokenizer, ["Rome"] * 5)
    assert grown is not tokenizer
    assert pickle.dumps(tokenizer) == before


def test_admit_needs_fit():
    """Before fit there is nothing to admit to."""
    with pytest.raises(NotFittedError):
        admit(TableTokenizer(), CITIES)
    with pytest.raises(NotFittedError):
        CharTokenizer().admit(["a"])


def test_what_encode_refuses_is_refused():
    """Other columns and cells of another kind raise what encode raises."""
    tokenizer = fit(range(-9, 9))
    for table in (pd.DataFrame({"y": [1]}), pd.DataFrame({"x": ["a"]}), pd.DataFrame({"x": [True]})):
        with pytest.raises(ValueError) as refused:
            tokenizer.encode(table)
        with pytest.raises(ValueError) as refused_too:
            tokenizer.admit(table)
        assert str(refused.value) == str(refused_too.value)


# Categories


def test_rare_new_values_fold():
    """A value in fewer than min_frequency of the later rows is OTHER, whatever the field says."""
    for field in (None, Category(extensible=True), Category(other="else")):
        tokenizer = fit(CITIES, field)
        assert admit(tokenizer, ["Rome"] * 4 + ["Bonn"]) is tokenizer
        assert tokens(tokenizer, ["Rome"]) == [OTHER]


def test_frequent_new_values_are_refused_by_name():
    """A value in min_frequency of the later rows or more is refused, with column, value, rows and remedies."""
    message = "column 'x': holds 'Rome' in 12 rows, which is none of the 2 categories; fit anew .* extensible=True .* other="
    with pytest.raises(ValueError, match=message):
        admit(fit(CITIES), ["Rome"] * 12 + ["Oslo"] * 5)


def test_frequent_new_values_are_added_where_the_field_is_extensible():
    """New categories follow the others, so that these keep their tokens; the rare ones among them still fold."""
    tokenizer = fit(CITIES, Category(extensible=True))
    grown = admit(tokenizer, ["Rome"] * 5 + ["Aachen"] * 6 + ["Oslo"] * 4)
    assert grown.schema_["x"] == tokenizer.schema_["x"].replace(categories=("Bonn", "Ulm", "Aachen", "Rome"))
    assert tokens(grown, ["Bonn", "Ulm", "Aachen", "Rome", "Oslo", None]) == [2, 3, 4, 5, OTHER, MISSING]
    assert grown.grammar_.slots[0].unsampled.tolist() == [True, True, False, False, False, False]
    assert decode(grown, [5, 2]).tolist() == ["Rome", "Bonn"]
    assert admit(grown, ["Rome"] * 5) is grown


def test_new_values_get_the_label_of_others():
    """Where others have a label, new values fold into it, unless the field is extensible."""
    tokenizer = fit(CITIES, Category(other="else"))
    assert admit(tokenizer, ["Rome"] * 20) is tokenizer
    grown = admit(fit(CITIES, Category(other="else", extensible=True)), ["Rome"] * 20)
    assert decode(grown, [OTHER, 4]).tolist() == ["else", "Rome"]


def test_named_categories_admit_no_other():
    """Where the user named the categories, a single row of another value is refused, folded with a label, or added."""
    named = ["Ulm", "Bonn"]
    with pytest.raises(ValueError, match="column 'x': holds 'Rome' in 1 row, which is none of the 2 categories"):
        admit(fit(CITIES, Category(named)), ["Bonn", "Rome"])
    labelled = fit(CITIES, Category(named, other="else"))
    assert admit(labelled, ["Bonn", "Rome"]) is labelled
    grown = admit(fit(CITIES, Category(named, extensible=True)), ["Bonn", "Rome"])
    assert grown.schema_["x"].categories == ("Ulm", "Bonn", "Rome")


def test_what_fit_folded_by_a_label_is_not_added_later():
    """Named categories that are extensible and have a label: as many rows of a value as fit folded fold again, more add it."""
    tokenizer = fit(CITIES + ["Rome"] * 3, Category(["Bonn", "Ulm"], other="else", extensible=True))
    assert tokenizer.schema_["x"].n_folded_most == 3
    assert admit(tokenizer, ["Rome"] * 3) is tokenizer
    assert admit(tokenizer, ["Rome"] * 4).schema_["x"].categories == ("Bonn", "Ulm", "Rome")


def test_a_complete_schema_names_nothing():
    """Categories of a schema that was inferred before are those of data: rare values fold, frequent ones are refused."""
    schema = infer_schema(pd.DataFrame({"x": CITIES}))
    tokenizer = fit(CITIES, schema["x"])
    assert admit(tokenizer, ["Rome"] * 4) is tokenizer
    with pytest.raises(ValueError, match="'Rome' in 5 rows"):
        admit(tokenizer, ["Rome"] * 5)


def test_levels_grow_with_the_categories():
    """New categories become levels of a categorical column, behind the others, of a dtype that holds all."""
    dtype = pd.CategoricalDtype(["high", "low", "unused"], ordered=True)
    tokenizer = fit(pd.Series(["low", "high"] * 5, dtype=dtype), Category(extensible=True))
    later = pd.Series(["top"] * 5 + ["unused"] * 5, dtype=pd.CategoricalDtype(["top", "unused", "never"]))

    grown = admit(tokenizer, later)

    assert grown.schema_["x"].categories == ("high", "low", "top", "unused")
    assert grown.schema_["x"].levels == ("high", "low", "unused", "top")
    again = decode(grown, [2, 4, 5])
    assert again.tolist() == ["high", "top", "unused"]
    assert again.dtype == pd.CategoricalDtype(["high", "low", "unused", "top"], ordered=True)
    assert decode(tokenizer, [2]).dtype == dtype


@pytest.mark.parametrize(
    ("column", "later", "dtype"),
    [
        (pd.Series([1, 2] * 5, dtype="int8"), [300] * 5, "int64"),
        (pd.Series([1, 2] * 5, dtype="Int8"), [3] * 5, "Int8"),
        (pd.Series([1, 2] * 5, dtype="int8"), [3.0] * 5 + [1.0], "int8"),
        (pd.Series([0.5, 2] * 5), [3] * 5, "float64"),
        (pd.Series([1, 2] * 5, dtype="int8").astype("category"), [300] * 5, "category"),
        (pd.Series(["a", 1] * 5, dtype=object), pd.Series([2.5] * 5, dtype=object), "object"),
        (pd.Series([np.nan] * 5), pd.Series(["a"] * 5, dtype=object), str(pd.Index(["a"]).dtype)),
    ],
    ids=["wider", "nullable", "floats", "integers", "levels", "mixed", "from nothing"],
)
def test_new_numbers_are_of_the_categories_type(column, later, dtype):
    """Numbers are added in the type of the others, as which later rows of any dtype find them, and the dtype holds them."""
    grown = admit(fit(column, Category(extensible=True)), later)
    last = grown.grammar_.slots[0].n_tokens - 1
    again = decode(grown, [last])
    assert again.tolist() == [later[0]]
    assert str(again.dtype) == dtype
    assert tokens(grown, later)[0] == last
    if len(column.dropna()):
        assert tokens(grown, column.iloc[:1].astype(object)) == tokens(grown, column.iloc[:1]) != [OTHER]


@pytest.mark.parametrize("new", [2.5, "two", True])
def test_new_values_of_another_type_are_refused(new):
    """Values of another type than the categories would change how these are told apart: refused with both types."""
    tokenizer = fit([1, 2] * 5, Category(extensible=True))
    message = f"column 'x': holds {new!r} of type {type(new).__name__}, but its categories are of type int, such as 1"
    with pytest.raises(ValueError, match=message):
        admit(tokenizer, pd.Series([new] * 5 + [1], dtype=object))


def test_extensible_goes_through_schemas():
    """Whether a field is extensible is kept by JSON and completion, and tells fields apart."""
    schema = Schema({"x": Category(extensible=True)})
    assert Schema.from_json(schema.to_json()) == schema != Schema({"x": Category()})
    assert infer_schema(pd.DataFrame({"x": CITIES}), schema=schema)["x"].extensible
    assert not infer_schema(pd.DataFrame({"x": CITIES}))["x"].extensible


def test_booleans_are_true_and_false():
    """A boolean column admits nothing else."""
    tokenizer = fit([True, False])
    assert admit(tokenizer, [True]) is tokenizer
    with pytest.raises(ValueError, match="column 'x': expected True and False, got 'yes'"):
        admit(tokenizer, ["yes"])


# Missing cells


COLUMNS_WITHOUT_MISSING = {
    "category": CITIES,
    "boolean": [True, False],
    "number": [1.0, 2.0],
    "datetime": days(1, 2),
    "text": [f"word {i} of {i * 7}" for i in range(60)],
    "identifier": [f"K-{i:03d}" for i in range(40)],
}


@pytest.mark.parametrize("kind", COLUMNS_WITHOUT_MISSING)
def test_missing_cells_need_a_nullable_field(kind):
    """Missing cells are refused where fit saw none, and admitted with nullable=True."""
    column = pd.Series(COLUMNS_WITHOUT_MISSING[kind])
    later = column.astype(object).where(column.index > 0)
    later = later if kind == "boolean" else later.astype(column.dtype)
    tokenizer = fit(column)
    assert tokenizer.schema_["x"].kind == kind
    with pytest.raises(ValueError, match=r"column 'x': has missing cells, but had none in fit.*nullable=True"):
        admit(tokenizer, later)
    nullable = fit(column, type(tokenizer.schema_["x"])(nullable=True))
    assert admit(nullable, later) is nullable


def test_missing_cells_that_the_user_ruled_out_are_refused_as_in_fit():
    """nullable=False in the schema is what the message names."""
    tokenizer = fit([1.0, 2.0], Number(nullable=False))
    with pytest.raises(ValueError, match="column 'x': has missing cells, but its field says nullable=False; fill them"):
        admit(tokenizer, [1.0, None])


# Bounds


HOURS = pd.to_timedelta(range(30), unit="h")
LINES = {  # what fit saw, twice what is beyond that, the farthest of it
    "whole": (range(30), [40, -20], "-20"),
    "decimals": (np.arange(30) / 4, [9.25, 8.0], "9.25"),
    "continuous": (np.sqrt(np.arange(30)), [9.1, -1e9], "-1000000000.0"),
    "objects": (pd.Series(range(30), dtype=object), pd.Series([2**62, -1], dtype=object), f"{2**62}"),
    "dates": (days(*range(30)), days(40, -20), "2019-12-12"),
    "dates in Berlin": (days(*range(30)).tz_localize("Europe/Berlin"), days(40, -2).tz_localize("UTC"), "2020-02-10"),
    "dates as text": (days(*range(30)).strftime("%Y-%m-%d"), ["2019-12-31", "2029-12-31"], "2029-12-31"),
    "durations": (HOURS, pd.to_timedelta([-1, 60], unit="D"), "60 days"),
}


@pytest.mark.parametrize("name", LINES)
def test_as_many_values_are_clipped_as_in_fit(name):
    """Beyond inferred bounds may lie min_frequency - 1 rows, or as many as in fit; more are refused, with the farthest."""
    column, beyond, farthest = (part if isinstance(part, str) else pd.Series(part) for part in LINES[name])
    tokenizer = fit(column, Number() if name == "whole" else None, min_frequency=2)
    assert tokenizer.schema_["x"].n_folded == 2  # at both ends
    later = pd.concat([column, beyond.iloc[[0]], beyond.iloc[[1]]], ignore_index=True)
    assert admit(tokenizer, beyond) is tokenizer
    message = f"column 'x': holds 4 values beyond low=.*, the farthest {farthest}.*, of which 2 at most .* low and high"
    with pytest.raises(ValueError, match=message):
        admit(tokenizer, later.astype(column.dtype))


def test_few_values_beyond_are_clipped_though_fit_clipped_none():
    """Where fit saw all values within the bounds, fewer than min_frequency later rows may lie beyond."""
    tokenizer = fit([0] * 9 + [7] * 9)
    assert tokenizer.schema_["x"].n_folded == 0
    assert admit(tokenizer, [0, 9, 9, 9, 9]) is tokenizer
    with pytest.raises(ValueError, match="column 'x': holds 5 values beyond low=0 and high=7, the farthest 9"):
        admit(tokenizer, [0, 9, 9, 9, 9, 9])


@pytest.mark.parametrize(
    ("column", "field", "later", "message"),
    [
        (range(30), Number(low=0), [-1], "holds -1, beyond low=0 of its field; change low"),
        (np.arange(30) / 4, Number(high=8), [9.5], "holds 9.5, beyond high=8.0 of its field"),
        (days(*range(30)), Datetime(low="2020-01-01"), days(-1), "holds 2019-12-31 00:00:00, beyond low=2020-01-01 00:00:00"),
        (HOURS, Number(high=HOURS[29]), HOURS + HOURS[1], "holds 1 days 06:00:00, beyond high=1 days 05:00:00"),
    ],
    ids=["whole", "decimals", "dates", "durations"],
)
def test_named_bounds_hold_for_every_row(column, field, later, message):
    """A single row beyond a bound that the user named is refused as in fit; the other bound is as if none were named."""
    tokenizer = fit(column, field, min_frequency=2)
    with pytest.raises(ValueError, match=f"column 'x': {message}"):
        admit(tokenizer, later)
    assert admit(tokenizer, column) is tokenizer


def test_a_column_without_values_has_no_room_for_more_than_a_few():
    """Where fit saw missing cells only, fewer than min_frequency values fold, and more are refused."""
    for column, value in (([np.nan] * 9, 1.5), (pd.Series([pd.NaT] * 9), pd.Timestamp("2020-01-01"))):
        tokenizer = fit(column)
        assert admit(tokenizer, [value] * 4 + [None]) is tokenizer
        with pytest.raises(ValueError, match=r"column 'x': holds .*, but had no values in fit.*low and high"):
            admit(tokenizer, [value] * 5)


# Text and identifiers


def test_text_is_admitted_as_it_is():
    """Longer texts and other characters are cut and OTHER, as in encode."""
    tokenizer = fit(["ab", "ba"] * 40, Text())
    assert admit(tokenizer, ["xyz" * 99] * 50) is tokenizer
    lines = CharTokenizer().fit(["ab", "ba"])
    assert lines.admit(["xyz"]) is lines
    with pytest.raises(ValueError, match="line 0 is missing"):
        lines.admit([None])


@pytest.mark.parametrize(
    ("column", "later"),
    [
        ([f"K-{i:02d}" for i in range(40)], [f"K-{i:02d}" for i in range(20, 90)]),
        (np.arange(10, 50), np.arange(30, 90)),
    ],
    ids=["strings", "numbers"],
)
def test_sampled_identifiers_are_none_of_either_rows(column, later):
    """Later identifiers are not sampled either, though the pattern stays; rows that are known already change nothing."""
    tokenizer = fit(column, Identifier(), min_frequency=1)
    grown = admit(tokenizer, later)
    fresh = grown.decode(grown.draw_free(range(10), None, 1))["x"]

    assert set(fresh).isdisjoint([*column, *later])
    assert fresh.is_unique
    assert grown.schema_ == tokenizer.schema_
    assert admit(grown, later) is grown
    np.testing.assert_array_equal(*(each.encode(pd.DataFrame({"x": later})) for each in (tokenizer, grown)))


def test_identifiers_of_another_pattern_are_admitted():
    """Identifiers outside the pattern fold as ever: no pattern is learned again."""
    tokenizer = fit([f"K-{i:03d}" for i in range(40)])
    assert admit(tokenizer, ["other"] * 50) is tokenizer


def test_boolean_fields_admit_missing_cells_as_they_said():
    """A boolean column that is nullable admits missing cells."""
    tokenizer = fit(pd.Series([True, None], dtype=object), Boolean())
    assert admit(tokenizer, pd.Series([None, False], dtype="boolean")) is tokenizer
