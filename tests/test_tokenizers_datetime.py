"""Dates <-> calendar parts."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sksynth import fields
from sksynth.tokenizers import TableTokenizer
from sksynth.tokenizers._number import NumberCodec

MISSING = 0


def fit(column, field=None, min_frequency=1):
    """Return the tokenizer of a table of one column."""
    schema = None if field is None else {"x": field}
    return TableTokenizer(schema, min_frequency=min_frequency).fit(pd.DataFrame({"x": column}))


def names(tokenizer):
    """Return the names of the slots without the column."""
    return [slot.name.removeprefix("x.") for slot in tokenizer.grammar_.slots]


def legal(grammar):
    """Return every sequence of tokens that the grammar of one field allows."""
    rows = [((), 0)]
    for slot in grammar.slots:
        rows = [
            ((*tokens, token), int(slot.transitions[state, token]))
            for tokens, state in rows
            for token in range(slot.n_tokens)
            if slot.transitions[state, token] >= 0
        ]
    return np.array([tokens for tokens, _ in rows], np.int32)


def decode(tokenizer, tokens):
    """Return the column that modelled tokens stand for, all free digits being 0."""
    return tokenizer.decode(np.concatenate([tokens, np.zeros((len(tokens), tokenizer.n_free_), np.int32)], axis=1))["x"]


@pytest.mark.parametrize(
    ("low", "high"), [("1899-12-01", "1901-03-31"), ("1999-12-01", "2001-03-31"), ("2003-12-01", "2004-03-31")]
)
def test_every_day_of_the_calendar_and_no_other_can_be_written(low, high):
    """The grammar has as many dates as the calendar: 1900 has no 29 February, 2000 and 2004 have."""
    days = pd.Series(pd.date_range(low, high).as_unit("s"))
    tokens = legal(fit(days, fields.Datetime(low, high, resolution="D", nullable=False)).grammar_)
    assert len(tokens[tokens[:, 0] > 1]) == len(days)


@settings(max_examples=25, deadline=None)
@given(low=st.dates(max_value=date(9990, 1, 1)), days=st.integers(0, 800))
def test_the_grammar_allows_every_day_between_the_bounds_and_no_other(low, days):
    """All legal tokens of a date column are missing and the days from low to high, in order, leap days included."""
    low = np.datetime64(low, "s")
    high = low + np.timedelta64(days, "D")
    tokenizer = fit(np.array([low, high]))
    tokens = legal(tokenizer.grammar_)
    assert (tokens[0] == MISSING).all()
    expected = np.arange(np.datetime64(low, "D"), np.datetime64(high, "D") + 1)
    np.testing.assert_array_equal(decode(tokenizer, tokens[1:]).to_numpy().astype("datetime64[D]"), expected)


@settings(max_examples=25, deadline=None)
@given(low=st.integers(0, 10**10), seconds=st.integers(0, 4000))
def test_the_grammar_holds_at_the_second(low, seconds):
    """The same for times: exactly the seconds from low to high are legal."""
    low = np.datetime64(low, "s")
    high = low + np.timedelta64(seconds, "s")
    tokenizer = fit(np.array([low, high]), fields.Datetime(resolution="s"))
    expected = np.arange(low, high + np.timedelta64(1, "s"))
    np.testing.assert_array_equal(decode(tokenizer, legal(tokenizer.grammar_)[1:]).to_numpy(), expected)


@pytest.mark.parametrize(
    ("cells", "resolution", "parts"),
    [
        (["2020-01-01", "2021-05-05"], "D", ["year", "month", "day"]),
        (["2020-01-01 05:00", "2021-05-05 07:00"], "h", ["year", "month", "day", "hour"]),
        (["2020-01-01 05:01", "2021-05-05 07:00"], "min", ["year", "month", "day", "hour", "minute"]),
        (["2020-01-01 05:01:01", "2021-05-05 07:00:00"], "s", ["year", "month", "day", "hour", "minute", "second"]),
        (["2020-01-01 05:01:01.25", "2021-05-05 07:00:00.000"], "ms", ["year", "month", "day", "hour", "minute", "second"]),
    ],
)
def test_parts_go_as_far_as_the_data(cells, resolution, parts):
    """A column has the slots that its resolution needs, and only what is finer than a second is free digits."""
    tokenizer = fit(pd.to_datetime(pd.Series(cells), format="ISO8601"))
    assert tokenizer.schema_["x"].resolution == resolution
    assert names(tokenizer) == parts
    assert (tokenizer.n_free_ > 0) == (resolution == "ms")


def test_parts_of_a_second_stay_within_the_bounds():
    """In the seconds of the bounds only the ticks between the bounds are drawn, and a row's cell size counts these."""
    low, high = pd.Timestamp("2020-01-01 00:00:00.998"), pd.Timestamp("2020-01-01 00:00:02.001")
    tokenizer = fit(pd.Series([low, high]), fields.Datetime(resolution="ms"))
    tokens = legal(tokenizer.grammar_)[1:]
    sizes = tokenizer.log_cell_size(np.concatenate([tokens, np.zeros((3, tokenizer.n_free_), np.int32)], axis=1))
    np.testing.assert_allclose(np.exp(sizes), [2, 1000, 2])
    digits = tokenizer.draw_free(range(3000), np.random.default_rng(0), 0)
    drawn = tokenizer.decode(np.concatenate([np.repeat(tokens, 1000, axis=0), digits], axis=1))["x"]
    assert drawn.between(low, high).all()
    assert drawn.nunique() > 500


def test_missing_dates_have_nothing_more_to_say():
    """After MISSING every later part is one forced token."""
    tokenizer = fit(pd.to_datetime(pd.Series(["2020-01-01", None])))
    ids = tokenizer.encode(pd.DataFrame({"x": pd.to_datetime([None, "2020-01-01"])}))
    assert ids[0].tolist() == [0, 0, 0]
    assert ids[1].tolist() == [2, 1, 1]
    assert not tokenizer.grammar_.slots[0].unsampled[MISSING]


def test_dates_of_a_time_zone_keep_to_its_calendar():
    """Local midnights have resolution D and are local midnights again, in summer and in winter."""
    days = pd.Series(pd.date_range("2024-01-01", "2024-12-31", freq="D", tz="Europe/Berlin"))
    tokenizer = fit(days)
    field = tokenizer.schema_["x"]
    assert (field.resolution, field.tz) == ("D", "Europe/Berlin")
    assert str(field.low) == "2024-01-01 00:00:00+01:00"
    pd.testing.assert_series_equal(decode(tokenizer, legal(tokenizer.grammar_)[1:]), days.rename("x"))


def test_times_of_a_time_zone_survive_the_change_of_the_clock():
    """The two hours that a local clock shows twice are told apart."""
    hours = pd.Series(pd.date_range("2024-10-26 22:00", "2024-10-27 03:00", freq="h", tz="UTC")).dt.tz_convert("Europe/Berlin")
    tokenizer = fit(hours)
    again = tokenizer.decode(tokenizer.encode(hours.to_frame("x")))["x"]
    pd.testing.assert_series_equal(again, hours.rename("x"))


def test_midnights_that_a_clock_skips_are_the_first_instant_of_their_day():
    """A drawn day that has no midnight is legal, and begins when it begins."""
    days = pd.Series(pd.to_datetime(["2018-11-03", "2018-11-05"])).dt.tz_localize("America/Sao_Paulo")
    again = decode(fit(days), legal(fit(days).grammar_)[1:])
    assert [str(stamp) for stamp in again] == [
        "2018-11-03 00:00:00-03:00",
        "2018-11-04 01:00:00-02:00",
        "2018-11-05 00:00:00-02:00",
    ]


def test_centuries_are_a_number():
    """Bounds further apart than 400 years make a date column a number of ticks, exact all the same."""
    column = pd.Series(np.array(["0900-02-03", "2024-05-06", "NaT"], "datetime64[s]"))
    tokenizer = fit(column)
    assert isinstance(tokenizer.codecs_[0], NumberCodec)
    pd.testing.assert_series_equal(tokenizer.decode(tokenizer.encode(column.to_frame("x")))["x"], column.rename("x"))


def test_strings_in_another_format_are_dates_when_the_schema_says_so():
    """A format that inference does not know is read and written with strftime."""
    tokenizer = fit(["3 Jan 2020", "25 Dec 2021"], fields.Datetime(format="%d %b %Y"))
    again = tokenizer.decode(tokenizer.encode(pd.DataFrame({"x": ["03 Jan 2020"]})))["x"]
    assert again.tolist() == ["03 Jan 2020"]


def test_values_beyond_the_bounds_are_clipped():
    """Dates before low or after high become the bound, and the schema counts them."""
    days = pd.date_range("2020-01-10", periods=10)
    column = pd.Series([pd.Timestamp("1900-01-01"), *days, pd.Timestamp("2100-01-01")])
    tokenizer = fit(column, min_frequency=2)
    field = tokenizer.schema_["x"]
    assert (field.low, field.high, field.n_folded) == (days[0], days[-1], 2)
    again = tokenizer.decode(tokenizer.encode(column.to_frame("x")))["x"]
    assert again.tolist() == [days[0], *days, days[-1]]


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["2020-01-01", "soon"], "expected dates written as %Y-%m-%d, got 'soon'"),
        ([1, 2], "expected dates written as %Y-%m-%d, got 1"),
        (pd.to_datetime(["2020-01-01"]).tz_localize("UTC"), "expected dates with no time zone"),
    ],
)
def test_cells_that_are_no_dates_are_refused_by_name(cells, message):
    """What is no date of the column's format raises a ValueError that names column and value."""
    tokenizer = fit(["2020-01-01", "2020-01-02"])
    with pytest.raises(ValueError, match=f"column 'x': ({message})"):
        tokenizer.encode(pd.DataFrame({"x": cells}))
