"""Text and lines of text through TextCodec and CharTokenizer."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from sksynth._grammar import MISSING, OTHER, Grammar
from sksynth.fields import Text
from sksynth.tokenizers._char import CharTokenizer
from sksynth.tokenizers._text import END, TextCodec

UNICODE = st.text(st.characters(), max_size=12)  # surrogates and NUL included


def fit(values, field=None, min_frequency=1):
    """Fit a codec to values; return both."""
    series = values if isinstance(values, pd.Series) else pd.Series(values, dtype=object)
    return TextCodec.fit(series, field or Text(), name="note", min_frequency=min_frequency), series


def round_trip(codec, values):
    """Encode and decode."""
    return codec.decode(*codec.encode(values))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.one_of(UNICODE, st.none()), min_size=1, max_size=12))
def test_every_text_comes_back(cells):
    """With min_frequency=1, any Unicode text, empty text and missing cells come back as they were, and are legal."""
    codec, values = fit(cells)
    ids, free = codec.encode(values)
    Grammar((codec.run,)).states(ids)
    assert ids.dtype == np.int32 and free.shape == (len(cells), 0)
    assert codec.decode(ids, free).tolist() == cells


@pytest.mark.parametrize("text", ["", "\x00", "a\x00", "\x00\x00a\x00", "👩‍🔬 🇨🇭", "שלום", "e\u0301", "\ud83d", "日本語"])
def test_awkward_texts_come_back(text):
    """Trailing NULs, emoji, right-to-left text, combining marks and lone surrogates survive beside a longer text."""
    codec, values = fit([text, "a longer text, so that the run is longer"])
    assert round_trip(codec, values).tolist() == values.tolist()


@pytest.mark.parametrize("missing", [None, np.nan])
@pytest.mark.parametrize("dtype", [object, "str", "string", "category"])
def test_dtype_and_missing_value_are_restored(dtype, missing):
    """The column comes back in its own dtype, its missing cells as the dtype's own."""
    values = pd.Series(["b", missing, "", "abc"], dtype=dtype, index=[3, 1, 1, 0], name="note")
    if dtype == "str" and values.dtype == object:
        values[values.isna()] = missing  # pandas 2: "str" is object
    codec, _ = fit(values)
    pd.testing.assert_series_equal(round_trip(codec, values), values.reset_index(drop=True), check_categorical=False)


def test_a_dtype_that_holds_no_lone_surrogates_gets_another_character():
    """Text that pyarrow cannot hold is decoded all the same, with U+FFFD for what it refuses."""
    pytest.importorskip("pyarrow")
    codec, _ = fit(pd.Series(["a", None], dtype="string[pyarrow]"), Text(2, nullable=True, alphabet="a\ud800"))
    found = round_trip(codec, pd.Series(["a\ud800", None, "a"], dtype=object, name="note"))
    pd.testing.assert_series_equal(found, pd.Series(["a\ufffd", None, "a"], dtype="string[pyarrow]", name="note"))


def test_rare_characters_are_other():
    """A character in fewer rows than min_frequency is not stored, is scored as OTHER, and comes back as U+FFFD."""
    codec, values = fit(["ab", "ab", "axxx"], min_frequency=2)
    ids, _ = codec.encode(values)
    assert codec.spelling.pieces == ["a", "b"]
    assert ids[2].tolist() == [3, OTHER]
    assert codec.run.slots[0].unsampled[OTHER]
    assert round_trip(codec, pd.Series(["za"])).tolist() == ["\ufffda"]


def test_length_is_no_single_rows():
    """The run is as long as the min_frequency-th longest text; longer texts are cut, and counted."""
    codec, values = fit(["a" * 9, "aaaa", "aaa", "aaa", "a"], min_frequency=3)
    assert (codec.length, codec.n_cut) == (3, 2)
    assert round_trip(codec, values).tolist() == ["aaa", "aaa", "aaa", "aaa", "a"]


def test_field_sets_the_length():
    """max_length of the field is the number of positions; without it, 200 are the most."""
    assert fit(["a" * 500, "a"], Text(max_length=300))[0].run.n_positions == 300
    assert fit(["a" * 500, "a"])[0].run.n_positions == 200
    assert fit(["", ""])[0].run.n_positions == 1


def test_ends_are_forced():
    """After the end, and after a missing cell, only END is legal; a text that fills the run has no END."""
    codec, values = fit(["ab", None, "a", ""])
    ids, _ = codec.encode(values)
    assert ids.tolist() == [[3, 4], [MISSING, END], [3, END], [END, END]]
    start, running, ended = codec.run.slots[0].transitions
    assert (start >= 0).all()
    assert np.flatnonzero(running < 0).tolist() == [MISSING]
    assert np.flatnonzero(ended >= 0).tolist() == [END]


def test_only_what_occurs_is_sampled():
    """MISSING is drawn in nullable columns only, text only where there is text, and a token is always left to draw."""
    unsampled = [
        fit(cells, field)[0].run.slots[0].unsampled.tolist()
        for cells, field in [
            (["a"], Text()),
            (["a", None], Text()),
            ([None], Text()),
            ([None], Text(max_length=4)),
            (["a"], Text(nullable=True)),
        ]
    ]
    assert unsampled == [
        [True, True, False, False],
        [False, True, False, False],
        *[[False, True, True]] * 2,
        [False, True, False, False],
    ]
    assert fit([None], Text(max_length=4))[0].run.n_positions == 1


def test_other_values_are_refused_by_name():
    """A cell that is not a string is a TypeError with the column, the cell and the remedy."""
    codec, _ = fit(["a"])
    with pytest.raises(TypeError, match=r"column 'note': got 3 of type int, expected strings; convert"):
        codec.encode(pd.Series(["a", 3], dtype=object))


LINES = ["to be", "or not", "", "to be\n"]


@settings(max_examples=30, deadline=None)
@given(st.lists(UNICODE, min_size=1, max_size=8))
def test_lines_come_back(lines):
    """CharTokenizer gives back the lines that it was fitted with, as a list, and every id has its vocabulary entry."""
    tokenizer = CharTokenizer().fit(lines)
    ids = tokenizer.encode(lines)
    assert tokenizer.decode(ids) == lines
    assert ids.shape == (len(lines), tokenizer.grammar_.n_positions)
    assert "".join(tokenizer.vocabulary_[token] for token in ids[0] if token >= 3) == lines[0]


@pytest.mark.parametrize("container", [list, tuple, np.array, pd.Series, pd.Index])
def test_lines_come_in_any_container(container):
    """Lists, tuples, arrays, Series and Index of strings are the same lines."""
    expected = CharTokenizer().fit(LINES).encode(LINES)
    np.testing.assert_array_equal(CharTokenizer().fit(container(LINES)).encode(container(LINES)), expected)


def test_long_lines_are_cut():
    """Where asked for, lines are cut at max_length, else at 1,000, and fit says how many; else they come back whole."""
    tokenizer = CharTokenizer(max_length=2).fit(LINES)
    assert tokenizer.decode(tokenizer.encode(LINES, cut=True)) == ["to", "or", "", "to"]
    assert tokenizer.decode(tokenizer.encode(LINES)) == LINES
    assert (tokenizer.n_cut_, CharTokenizer().fit(["a" * 3000]).grammar_.n_positions) == (3, 1000)


def test_tokenizer_is_an_estimator():
    """Parameters, clone and pickle are scikit-learn's; before fit there is a NotFittedError."""
    tokenizer = CharTokenizer(5, min_frequency=2)
    assert clone(tokenizer).get_params() == {"max_length": 5, "alphabet": None, "min_frequency": 2}
    for call in (tokenizer.encode, tokenizer.decode):
        with pytest.raises(NotFittedError):
            call(["a"])
    copy = pickle.loads(pickle.dumps(tokenizer.fit(LINES)))
    np.testing.assert_array_equal(copy.encode(LINES), tokenizer.encode(LINES))
    assert copy.draw_free(range(2, 5), np.random.default_rng(0), 1).shape == (3, copy.n_free_)
    assert copy.log_cell_size(copy.encode(LINES)).tolist() == [0.0] * 4


@pytest.mark.parametrize(
    ("lines", "error", "message"),
    [
        ([1, 2], ValueError, "line 0 is 1 of type int, expected a string"),
        (np.array([0.5]), ValueError, "float64 numbers in 1 dimension"),
        (pd.Series([1, 2]), ValueError, "int64 numbers in 1 dimension"),
        ([b"a"], TypeError, r"decode\('utf-8'\)"),
        (np.array([b"a"]), TypeError, r"decode\('utf-8'\)"),
        (["a", None], ValueError, "line 1 is missing"),
        (["a", float("nan")], ValueError, "line 1 is missing"),
        ("text", TypeError, "put it in a list"),
        ([], ValueError, "0 lines"),
        (np.array([["a"]]), ValueError, r"2 dimension\(s\)"),
        ([["a"]], ValueError, "1 dimension"),
        (["a", {}], TypeError, "line 1 is {} of type dict"),
    ],
)
def test_what_is_no_lines_is_refused(lines, error, message):
    """Numbers, bytes, missing lines, a bare string, no lines and tables are refused with the line and the remedy."""
    with pytest.raises(error, match=message):
        CharTokenizer().fit(lines)


@pytest.mark.parametrize("parameters", [{"max_length": 0}, {"min_frequency": 0}])
def test_bad_parameters_are_refused(parameters):
    """Parameters below 1 are a ValueError with the parameter's name."""
    with pytest.raises(ValueError, match=next(iter(parameters))):
        CharTokenizer(**parameters).fit(LINES)


def test_ids_of_another_shape_are_refused():
    """Ids that encode cannot have made are a ValueError."""
    with pytest.raises(ValueError, match=r"shape \(2,\), expected \(n_lines, 6\)"):
        CharTokenizer().fit(LINES).decode([3, 4])
