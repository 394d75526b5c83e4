"""Tables <-> token ids: every dtype, whole frames, errors."""

import pickle
from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from sksynth import fields
from sksynth.tokenizers import TableTokenizer

INTEGERS = [f"{sign}{bits}" for sign in ("int", "uint") for bits in (8, 16, 32, 64)]
NULLABLE = ["Int8", "Int64", "UInt8", "UInt64"]


def lists(values, *, missing=False):
    """Return a strategy of cells."""
    values = st.none() | values if missing else values
    return st.lists(values, min_size=1, max_size=30)


def range_of(dtype):
    """Return a strategy of a dtype's integers, the extremes among them."""
    info = np.iinfo(dtype.lower())
    return st.integers(int(info.min), int(info.max)) | st.sampled_from([int(info.min), 0, 1, int(info.max)])


def integer_columns(dtype):
    """Return a strategy of columns of integers."""
    return lists(range_of(dtype), missing=dtype[0] in "IU").map(lambda cells: pd.Series(cells, dtype=dtype))


def decimal_columns(dtype):
    """Return a strategy of columns of floats with two decimals."""
    cells = st.integers(-99, 99) if dtype == "float16" else st.integers(-99_999, 99_999)
    cells = cells.map(lambda n: n / 100)
    return lists(cells, missing=True).map(lambda cells: pd.Series(cells, dtype=dtype))


def time_columns(kind, unit, tz=None):
    """Return a strategy of columns of dates or durations, some of whole days."""
    # dates that pandas can hold in nanoseconds, as counts of the unit
    seconds = st.integers(-6_000_000_000, 8_000_000_000)
    parts = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}[unit]
    counts = st.builds(lambda whole, part: whole * parts + part, seconds, st.just(0) | st.integers(0, parts - 1))
    days = seconds.map(lambda n: n // 86_400 * 86_400 * parts)

    def build(cells):
        plain = np.array([np.iinfo(np.int64).min if cell is None else cell for cell in cells]).view(f"{kind}64[{unit}]")
        column = pd.Series(plain)
        return column if tz is None else column.dt.tz_localize("UTC").dt.tz_convert(tz)

    return st.one_of(lists(counts, missing=True), lists(days, missing=True)).map(build)


def string_columns(dtype):
    """Return a strategy of columns of strings, some of which look like something else."""
    words = st.sampled_from(["", " ", "a", "A", "é", "😀", "nan", "None", "1", "1.0", "a b"])
    return lists(words, missing=True).map(lambda cells: pd.Series(cells, dtype=dtype))


def category_columns(levels, ordered):
    """Return a strategy of categorical columns, some with unused levels."""
    codes = st.lists(st.integers(-1, len(levels) - 1), min_size=1, max_size=30)
    dtype = pd.CategoricalDtype(levels, ordered=ordered)
    return codes.map(lambda codes: pd.Series(pd.Categorical.from_codes(codes, dtype=dtype)))


COLUMNS = {
    **{dtype: integer_columns(dtype) for dtype in INTEGERS + NULLABLE},
    **{f"decimals {dtype}": decimal_columns(dtype) for dtype in ("float16", "float32", "float64", "Float32", "Float64")},
    "bool": lists(st.booleans()).map(lambda cells: pd.Series(cells, dtype=bool)),
    "boolean": lists(st.booleans(), missing=True).map(lambda cells: pd.Series(cells, dtype="boolean")),
    "object booleans": lists(st.booleans(), missing=True).map(lambda cells: pd.Series(cells, dtype=object)),
    "object integers": lists(range_of("int64"), missing=True).map(lambda cells: pd.Series(cells, dtype=object)),
    "object strings": string_columns(object),
    "string": string_columns("string"),
    "str": string_columns("str"),
    "mixed": lists(st.sampled_from(["1", 1, True, 2.5, "b"]), missing=True).map(lambda cells: pd.Series(cells, dtype=object)),
    "category of str": category_columns(["b", "a", "c"], ordered=True),
    "category of int": category_columns([3, 1, 2], ordered=False),
    "category of float": category_columns([0.5, 1.0], ordered=False),
    "category of dates": category_columns(list(pd.to_datetime(["2020-01-02", "2020-01-01"])), ordered=False),
    **{f"datetime {unit}": time_columns("datetime", unit) for unit in ("s", "ms", "us", "ns")},
    **{f"datetime {tz}": time_columns("datetime", "ns", tz) for tz in ("UTC", "Europe/Berlin", "America/Havana")},
    **{f"timedelta {unit}": time_columns("timedelta", unit) for unit in ("s", "ms", "us", "ns")},
    "ISO dates": time_columns("datetime", "s").map(lambda column: column.dt.strftime("%Y-%m-%d")),
    "ISO times": time_columns("datetime", "s").map(lambda column: column.dt.strftime("%Y-%m-%dT%H:%M:%S").astype(object)),
    "all missing float": st.integers(1, 5).map(lambda n: pd.Series([np.nan] * n)),
    "all missing object": st.integers(1, 5).map(lambda n: pd.Series([None] * n, dtype=object)),
    "all missing datetime": st.integers(1, 5).map(lambda n: pd.Series([pd.NaT] * n).astype("datetime64[us]")),
    "all missing category": st.integers(1, 5).map(lambda n: pd.Series(pd.Categorical([None] * n, categories=["a"]))),
}


def round_trip(table, **parameters):
    """Return the tokenizer of a table, and the table decoded again."""
    tokenizer = TableTokenizer(min_frequency=1, **parameters).fit(table)
    ids = tokenizer.encode(table)
    assert ids.dtype == np.int32
    assert ids.shape == (len(table), tokenizer.grammar_.n_positions + tokenizer.n_free_)
    tokenizer.grammar_.states(ids[:, : tokenizer.grammar_.n_positions])  # raises where a token is illegal
    assert np.isfinite(tokenizer.log_cell_size(ids)).all()
    return tokenizer, tokenizer.decode(ids)


@pytest.mark.parametrize("kind", COLUMNS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_round_trip_gives_back_every_value_and_the_dtype(kind, data):
    """decode(encode(X)) is X for every dtype when nothing is folded, and the schema says that nothing is."""
    table = data.draw(COLUMNS[kind]).to_frame("column")
    before = table.copy()
    tokenizer, again = round_trip(table)
    pd.testing.assert_frame_equal(again, table)
    pd.testing.assert_frame_equal(table, before)
    assert tokenizer.schema_["column"].n_folded == 0


@pytest.mark.parametrize("dtype", ["float32", "float64", "Float64"])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_continuous_floats_come_back_within_their_range_s_rounding(dtype, data):
    """Any finite floats, however skewed, come back to within rounding of the column's largest value, within its bounds."""
    width = 32 if dtype == "float32" else 64
    cells = st.floats(allow_nan=False, allow_infinity=False, width=width)
    table = data.draw(lists(cells, missing=True)).copy()
    table = pd.DataFrame({"x": pd.Series(table, dtype=dtype)})
    _, again = round_trip(table)
    assert again["x"].dtype == table["x"].dtype
    expected, got = (frame["x"].to_numpy(np.float64, na_value=np.nan) for frame in (table, again))
    largest = np.nanmax(np.abs(expected)) if np.isfinite(expected).any() else 0.0
    rounding = largest * (2.0**-23 if dtype == "float32" else 2.0**-50)
    np.testing.assert_allclose(got, expected, rtol=0, atol=rounding)


LONG = [
    'a, "quoted" cell',
    "two\nlines\r\n",
    "👩‍🔬 🇨🇭",
    "שלום, مرحبا",
    "x" * 10_000,
    "word " * 2_000,
    "日本語" * 3_333,
    "",
    "\ud800 \u2581",
]


@settings(max_examples=30, deadline=None)
@given(
    texts=st.lists(st.none() | st.text() | st.sampled_from(LONG), min_size=2, max_size=12),
    others=st.lists(st.none() | st.text(), min_size=2, max_size=12),
)
def test_texts_lose_nothing_at_any_length(texts, others):
    """Whatever texts a tokenizer learned from, any cells of any length come back whole from encode, beside other columns."""
    n = min(len(texts), len(others))
    table = pd.DataFrame(
        {"note": pd.Series(texts[:n], dtype=object), "n": range(n), "name": pd.Series(others[:n], dtype=object)}
    )
    known = {"note": fields.Text(nullable=True), "name": fields.Text(8, nullable=True), "n": fields.Number(0, 99)}
    learned = pd.DataFrame({"note": ["one note"] * 40, "n": range(40), "name": ["a name", None] * 20}, dtype=object)
    learned = learned.astype({"n": int})
    for tokenizer in (TableTokenizer(known).fit(learned), TableTokenizer(known, min_frequency=1).fit(table)):
        again = tokenizer.decode(tokenizer.encode(table))
        assert [None if pd.isna(cell) else cell for cell in again["note"]] == texts[:n]
        assert [None if pd.isna(cell) else cell for cell in again["name"]] == others[:n]
        cut = tokenizer.encode(table, cut=True)
        assert cut.shape == (n, tokenizer.grammar_.n_positions + tokenizer.n_free_)
        tokenizer.grammar_.states(cut[:, : tokenizer.grammar_.n_positions])


def test_texts_of_a_table_share_their_pieces():
    """Columns of text are spelled with one set of pieces, none of them of a rare text; an alphabet means characters."""
    table = pd.DataFrame({name: [f"the {name} word{i % 3}" for i in range(60)] for name in ("one", "two", "three")})
    table.loc[:2, "one"] = "unheard-of"
    tokenizer = TableTokenizer({"one": fields.Text(), "two": fields.Text(), "three": fields.Text(alphabet="the wor")}).fit(
        table
    )
    one, two, three = (codec.spelling for codec in tokenizer.codecs_)
    assert one is two
    assert " word" in one.pieces
    assert not any("unh" in piece or "rd-" in piece for piece in one.pieces)
    assert three.pieces == sorted("the wor")


def test_texts_of_too_few_rows_are_said():
    """Where no character is in min_frequency rows, nothing of the texts is learned, and a note says what to do."""
    table = pd.DataFrame({"note": ["alpha", "beta", "gamma"]})
    (note,) = TableTokenizer({"note": fields.Text()}).fit(table).schema_.notes
    assert (note.column, note.decision, note.remedy) == ("note", "no text is learned", "min_frequency=1")
    assert not TableTokenizer({"note": fields.Text()}, min_frequency=1).fit(table).schema_.notes


def test_what_is_cut_is_said(caplog):
    """The schema has the length in tokens, the number and the share of the texts that are cut; the log says it too."""
    table = pd.DataFrame({"note": ["ab"] * 38 + ["ab " * 50] * 2})
    with caplog.at_level("INFO", logger="sksynth"):
        tokenizer = TableTokenizer({"note": fields.Text(alphabet="ab ")}).fit(table)
    field = tokenizer.schema_["note"]
    assert (field.max_length, field.n_folded, field.cut_share) == (2, 2, 0.05)
    assert "column 'note': 5.00 % of the texts are cut after 2 tokens" in caplog.text
    assert "2 rows cut (5.00%)" in repr(tokenizer.schema_)
    assert fields.Schema.from_json(tokenizer.schema_.to_json()) == tokenizer.schema_


def test_bytes_are_never_drawn():
    """Pieces that write one byte of a rare character are scored, never drawn: no sampled text is broken."""
    table = pd.DataFrame({"note": ["abc"] * 50 + ["é", "日本"]})
    tokenizer = TableTokenizer({"note": fields.Text()}).fit(table)
    (slot,) = tokenizer.grammar_.slots
    spelling = tokenizer.codecs_[0].spelling
    assert 256 == len(spelling.byte_tokens)
    assert slot.unsampled[spelling.byte_tokens].all()
    assert tokenizer.decode(tokenizer.encode(table)).equals(table)


@given(seed=st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_drawn_tokens_and_digits_decode_within_the_schema(seed):
    """Whatever legal tokens and free digits are drawn, the decoded cells lie within the schema's domain."""
    rng = np.random.default_rng(seed)
    n = 60
    table = pd.DataFrame(
        {
            "whole": rng.integers(-50, 50, n),
            "decimal": rng.integers(0, 500, n) / 10,
            "continuous": rng.normal(size=n),
            "stamp": pd.Timestamp("2020-01-31") + pd.to_timedelta(rng.integers(0, 10**6, n), unit="s"),
            "letter": rng.choice(list("abc"), n),
        }
    )
    tokenizer = TableTokenizer().fit(table)
    sample = tokenizer.decode(random_ids(tokenizer, 200, rng))
    for column in ("whole", "decimal", "continuous", "stamp"):
        field = tokenizer.schema_[column]
        assert sample[column].between(field.low, field.high).all(), column
    assert set(sample["letter"]) <= set(tokenizer.schema_["letter"].categories)
    assert (sample.dtypes == table.dtypes).all()


def random_ids(tokenizer, n, rng):
    """Draw every token evenly from those that the grammar allows and that may be sampled."""
    grammar = tokenizer.grammar_
    ids = np.zeros((n, grammar.n_positions), np.int32)
    state = np.zeros(n, int)
    for position, index in enumerate(grammar.slot_of_position):
        slot = grammar.slots[index]
        state = np.where(grammar.run_starts[position], 0, state)
        allowed = (slot.transitions[state] >= 0) & ~slot.unsampled
        assert allowed.any(axis=1).all()
        ids[:, position] = np.where(allowed, rng.random(allowed.shape), -1).argmax(axis=1)
        state = slot.transitions[state, ids[:, position]]
    return np.concatenate([ids, tokenizer.draw_free(range(n), rng, 0)], axis=1)


@pytest.fixture
def table():
    """Return a table with four kinds of column."""
    return pd.DataFrame(
        {
            "size": [1, 2, 3, 2] * 10,
            "price": [0.5, 0.25, np.nan, 1.0] * 10,
            "colour": ["red", "blue", None, "red"] * 10,
            "key": [f"k{i:04d}" for i in range(40)],
        }
    )


def test_encode_takes_columns_by_name(table):
    """The order of a frame's columns does not matter; the tokens and the decoded table have fit's order."""
    tokenizer = TableTokenizer().fit(table)
    ids = tokenizer.encode(table[table.columns[::-1]])
    np.testing.assert_array_equal(ids, tokenizer.encode(table))
    assert list(tokenizer.decode(ids).columns) == list(table.columns)


def test_other_columns_are_refused_by_name(table):
    """Missing and unseen columns raise a ValueError that names them."""
    tokenizer = TableTokenizer().fit(table)
    with pytest.raises(ValueError, match=r"missing \['price'\], unseen \['cost'\]"):
        tokenizer.encode(table.rename(columns={"price": "cost"}))


@pytest.mark.parametrize(
    ("column", "cells", "message"),
    [
        ("size", "x", "'size': expected numbers, got 'x'"),
        ("price", True, "'price': expected numbers, got True"),
    ],
)
def test_cells_of_another_kind_are_refused_by_name(table, column, cells, message):
    """A string or a bool in a number column raises a ValueError that names column and value."""
    tokenizer = TableTokenizer().fit(table)
    with pytest.raises(ValueError, match=message):
        tokenizer.encode(table.assign(**{column: cells}))


def test_new_values_are_other_missing_or_clipped(table):
    """Unseen categories become OTHER, missing cells MISSING, numbers beyond the bounds the bound."""
    tokenizer = TableTokenizer().fit(table)
    new = pd.DataFrame({"size": [99, None], "price": [0.5, 0.5], "colour": ["green", "red"], "key": ["k0001", "k0002"]})
    again = tokenizer.decode(tokenizer.encode(new))
    assert again["size"].tolist() == [3, pd.NA]
    assert again["colour"].isna().tolist() == [True, False]
    tokens = tokenizer.encode(new)
    assert tokens[0, 2] == 1 and tokens[1, 0] == 0


def test_float_frames_fit_whole_number_columns():
    """A column of integers may come as floats later, as pandas makes it where a cell is missing; wide integers stay exact."""
    table = pd.DataFrame({"n": [2**62, 2**62 + 1, 5, 7]})
    tokenizer = TableTokenizer(min_frequency=1).fit(table)
    assert tokenizer.decode(tokenizer.encode(table))["n"].tolist() == [2**62, 2**62 + 1, 5, 7]
    assert tokenizer.decode(tokenizer.encode(pd.DataFrame({"n": [5.0, 7.0]})))["n"].tolist() == [5, 7]


@pytest.mark.parametrize("names", [[0, 1], [("a", 1), ("a", 2)], ["x", 3.5]])
def test_names_that_are_no_strings_survive(names):
    """Columns keep integer, tuple and mixed names, without feature_names_in_, which is of objects as in scikit-learn."""
    table = pd.DataFrame([[1, 2], [3, 4]])
    table.columns = pd.Index(names, tupleize_cols=False)
    tokenizer, again = round_trip(table)
    pd.testing.assert_index_equal(again.columns, table.columns)
    assert tokenizer.columns_ == names
    assert not hasattr(tokenizer, "feature_names_in_")
    named = TableTokenizer(min_frequency=1).fit(pd.DataFrame({"a": [1, 2], "b": [3, 4]}))
    assert (named.feature_names_in_.dtype, named.feature_names_in_.tolist()) == (object, ["a", "b"])


def test_arrays_become_numbered_columns():
    """A numpy array is a table with columns 0, 1, ..."""
    tokenizer, again = round_trip(np.array([[1.5, 2.0], [3.0, 4.0]]))
    assert list(again.columns) == [0, 1]
    assert again.to_numpy().tolist() == [[1.5, 2.0], [3.0, 4.0]]
    assert tokenizer.n_features_in_ == 2


@pytest.mark.parametrize("n_rows", [1, 2, 3, 7])
def test_tiny_tables_work_with_the_default_frequency(n_rows):
    """Tables of a few rows can be fitted, and every draw decodes; a note says where all categories are folded."""
    table = pd.DataFrame({"n": range(n_rows), "x": np.linspace(0, 1, n_rows), "s": [f"s{i}" for i in range(n_rows)]})
    tokenizer = TableTokenizer().fit(table)
    assert "column 's': all values are sampled as 'other'" in str(tokenizer.schema_.notes)
    sample = tokenizer.decode(random_ids(tokenizer, 20, np.random.default_rng(0)))
    assert (sample["s"] == "other").all()
    assert sample["n"].between(0, n_rows - 1).all()


def test_it_is_an_estimator(table):
    """clone, get_params, pickle and NotFittedError behave as in scikit-learn."""
    tokenizer = TableTokenizer({"size": fields.Number(0, 10)}, min_frequency=2)
    with pytest.raises(NotFittedError):
        tokenizer.encode(table)
    assert clone(tokenizer).get_params()["min_frequency"] == 2
    tokenizer.fit(table)
    ids = tokenizer.encode(table)
    assert tokenizer.schema == {"size": fields.Number(0, 10)}
    copy = pickle.loads(pickle.dumps(tokenizer))
    assert copy.schema_ == tokenizer.schema_ == deepcopy(tokenizer.schema_)
    pd.testing.assert_frame_equal(copy.decode(copy.encode(table)), tokenizer.decode(ids))


def test_schema_says_what_was_learned(table):
    """The identifier's learned pattern is in schema_, and schema_ fitted again on the same table gives the same tokens."""
    tokenizer = TableTokenizer().fit(table)
    assert tokenizer.schema_["key"].pattern is not None
    again = TableTokenizer(tokenizer.schema_).fit(table)
    assert again.schema_ == tokenizer.schema_
    np.testing.assert_array_equal(again.encode(table), tokenizer.encode(table))


def test_many_columns_are_quick():
    """200 columns of 1,000 rows go there and back; the free digits of each column stay its own."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({f"c{i}": rng.normal(size=1000).round(i % 4) for i in range(200)})
    _, again = round_trip(table)
    pd.testing.assert_frame_equal(again, table)


@pytest.mark.parametrize("cell", [None, 1])
def test_small_numbers_are_read_where_all_were_huge(cell):
    """A column whose bounds lie beyond int64 reads missing cells that stand alone, and clips what is smaller."""
    huge = pd.DataFrame({"a": pd.Series([None, 2**63, 2**64 - 1], dtype="UInt64")})
    tokenizer = TableTokenizer(min_frequency=1).fit(huge)
    row = pd.DataFrame({"a": pd.Series([cell], dtype="Int64")})
    expected = huge.iloc[[0 if cell is None else 1]].reset_index(drop=True)
    pd.testing.assert_frame_equal(tokenizer.decode(tokenizer.encode(row)), expected)
