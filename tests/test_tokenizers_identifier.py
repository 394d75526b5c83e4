"""Identifiers: patterns, ranks, the permutation, and fresh values."""

import pickle
import uuid
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sksynth._grammar import MISSING, OTHER
from sksynth._pattern import Choice, Class, Pattern
from sksynth.fields import Identifier
from sksynth.tokenizers._identifier import PRESENT, IdentifierCodec, example_identifier
from sksynth.tokenizers._pattern_learning import learn_pattern
from sksynth.tokenizers._permutation import permute
from sksynth.tokenizers._ranking import IntegerSpace, StringSpace, longest_tail

RNG = np.random.default_rng(0)
DOMAINS = ("example.com", "mail.example.org")
UUIDS = [str(uuid.UUID(bytes=RNG.bytes(16), version=4)) for _ in range(400)]
CUSTOMERS = [f"CUST-{number:06d}" for number in range(1, 401)]
INVOICES = [f"{('INV', 'ORDER')[number % 2]}/202{number % 3}/{number}" for number in range(1, 400)]
MAILS = [f"{('ann', 'bob')[number % 2]}.{number}@{DOMAINS[number // 7 % 2]}" for number in range(1, 401)]
MAILS_OF_TWO_SHAPES = r"[.0-9a-z]{5,7}@(example\.com|mail\.example\.org)"
UUID4 = "[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"


def fit(values, pattern=None, min_frequency=1, **field):
    """Fit a codec to values."""
    series = values if isinstance(values, pd.Series) else pd.Series(values)
    return IdentifierCodec.fit(series, Identifier(pattern, **field), name="key", min_frequency=min_frequency)


def draw(codec, rows, key=1):
    """Return sampled identifiers, none missing."""
    free = codec.draw_free(range(rows) if isinstance(rows, int) else rows, None, key)
    return codec.decode(np.full((len(free), codec.n_positions), PRESENT, np.int32), free)


def round_trip(codec, values):
    """Encode and decode."""
    return codec.decode(*codec.encode(values))


# --- patterns -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "pattern"),
    [
        (CUSTOMERS, "CUST-[0-9]{6}"),
        (UUIDS, UUID4),
        ([text.replace("-", "").upper()[:12] for text in UUIDS], "[0-9A-F]{12}"),
        (INVOICES, "(INV|ORDER)/(2020|2021|2022)/[1-9][0-9]{0,2}"),
        ([f"{word}{number:02d}" for word in ("johns", "smi", "abcd") for number in range(1, 80)], "(abcd|johns|smi)[0-9]{2}"),
        ([f"{'abcdefgh'[number % 5 :]}{number:02d}" for number in range(1, 80)], "[a-z]{4,8}[0-9]{2}"),
        ([f"{number}" for number in range(10000, 10400)], "[1-9][0-9]{4}"),
        ([f"{number}AB{number % 90 + 1}x" for number in range(100, 500)], "[1-9][0-9]{2}AB[1-9][0-9]{0,1}x"),
        ([f"030{number:07d}" for number in range(0, 10**7, 24_001)], "030[0-9]{7}"),
        ([f"+4930{number:07d}" for number in range(0, 10**7, 24_001)], "\\+4930[0-9]{7}"),
        ([f"97{8 + number % 2}{number:010d}" for number in range(0, 10**10, 24_000_001)], "97[89][0-9]{10}"),
        ([f"030{number:07d}"[: 8 + number % 3] for number in range(0, 10**7, 24_001)], "030[0-9]{5,7}"),
        ([f"srv{number:06x}" for number in range(0, 16**6, 40_009)], "srv[0-9a-f]{6}"),
        (MAILS, r"(ann|bob)\.[1-9][0-9]{0,2}@(example\.com|mail\.example\.org)"),
        ([mail.replace(".", "", index % 2) for index, mail in enumerate(MAILS)], MAILS_OF_TWO_SHAPES),
    ],
)
def test_patterns_are_learned(texts, pattern):
    """Words, letters before digits, hexadecimal digits, constant and few-valued parts are found."""
    assert str(learn_pattern(texts, 5)) == pattern


@pytest.mark.parametrize("stray", ["EMPLOYEE-77", "CUST-12345678", "cust-000001", "?", "CUST-12345x", "", "\ud83d\x00"])
def test_no_single_row_determines_the_pattern(stray):
    """A pattern is the same with and without fewer than min_frequency rows of another shape."""
    assert learn_pattern(CUSTOMERS + [stray] * 4, 5) == learn_pattern(CUSTOMERS, 5)


@pytest.mark.parametrize("n_rows", [0, 1, 2, 4])
def test_few_rows_show_nothing(n_rows):
    """With fewer rows than min_frequency the pattern is a general one."""
    assert str(learn_pattern(CUSTOMERS[:n_rows], 5)) == "[0-9a-z]{8}"


@settings(max_examples=80, deadline=None)
@given(st.lists(st.text("ab9X-_ é", max_size=8), min_size=1, max_size=20), st.integers(1, 5))
def test_learned_patterns_can_be_written(texts, min_frequency):
    """Whatever the strings, the learned pattern reads back from its text, and fits all of them with min_frequency=1."""
    pattern = learn_pattern(texts, min_frequency)
    assert Pattern.parse(str(pattern)) == pattern
    if min_frequency == 1:
        assert StringSpace(pattern).ranks(texts)[1].all()


PARTS = st.lists(
    st.one_of(
        st.builds(lambda text: Choice((text,)), st.text(".-_/\\|([{é ", min_size=1, max_size=3)),
        st.builds(lambda length: Choice(tuple(sorted({"A" * length, "B", "."}))), st.integers(1, 3)),
        st.builds(
            lambda characters, low, more: Class("".join(sorted(characters)), low, low + more),
            st.sets(st.sampled_from("0123456789abc]^-\\"), min_size=1),
            st.integers(1, 4),
            st.integers(0, 2),
        ),
    ),
    min_size=1,
    max_size=6,
)


@settings(max_examples=80, deadline=None)
@given(PARTS, st.integers(0, 2**32))
def test_ranks_and_values_are_inverse(parts, seed):
    """Every pattern that is not refused reads back from its text, and its ranks and values are one to one."""
    try:
        pattern = Pattern(tuple(parts))
    except ValueError:
        return
    assert Pattern.parse(str(pattern)) == pattern
    space = StringSpace(pattern)
    rng = np.random.default_rng(seed)
    ranks = np.stack([rng.integers(0, size, 50, np.uint64) for size in space.capacities], axis=1)
    found, known = space.ranks(space.values(ranks))
    assert known.all()
    np.testing.assert_array_equal(found, ranks)


@pytest.mark.parametrize(
    ("pattern", "dtype", "example"),
    [("K[0-9]{3}", np.dtype(object), "K000"), ("[0-9]{3}", np.dtype("int16"), 100), ("[0-9]{1,3}", "Int64", 0)],
)
def test_an_example_is_the_first_value_of_the_pattern(pattern, dtype, example):
    """An example of a pattern is a string, or a whole number where the column is one of numbers."""
    assert example_identifier(pattern, dtype) == example


def test_all_ranks_of_a_widened_space_are_values():
    """A pattern that is widened has as many ranks as values, the longest included."""
    space = StringSpace(learn_pattern([f"k{number}" for number in range(10)] * 9, 1))
    assert space.capacities == [space.ends[-1]]
    assert space.ends[-1] > space.ends[0] == 10
    ranks = np.array([[0], [9], [10], [space.capacities[0] - 1]], np.uint64)
    values = space.values(ranks)
    assert values[:3] == ["k0", "k9", "k00"]
    assert np.array_equal(space.ranks(values)[0], ranks)


def test_ranks_count_the_values():
    """A small space is enumerated: its values are distinct, and those below the first end are the pattern's."""
    space = StringSpace(Pattern.parse("(x|yy)-[ab]{1,2}7"))
    values = space.values(np.arange(space.ends[1], dtype=np.uint64)[:, None])
    tails = ["a", "b", "aa", "ab", "ba", "bb"]
    assert len(set(values)) == len(values) == 12 + 16
    assert set(values[: space.ends[0]]) == {f"{head}-{tail}7" for head in ("x", "yy") for tail in tails}
    assert {len(value.split("-")[1]) for value in values[space.ends[0] :]} == {4}


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("CUST.[0-9]{6}", r"got '.\[0-9\]\{6\}' at position 4.*backslash"),
        ("[0-9]+", "got '\\+' at position 5"),
        ("[0-9]{6", "got '\\{6' at position 5"),
        ("[^0-9]", "'\\^'"),
        ("[9-0]", "got '9-0'"),
        ("[-a]", "backslash before a literal -"),
        ("[0-9]{3,2}", "low <= high"),
        ("[0-9]{0}", "from 1 to"),
        ("(a|)[0-9]", "empty option"),
        ("(a|b+)[0-9]", "option 'b\\+'"),
        ("(a|ab)[0-9]", "'a' and 'ab', expected none that begins with another"),
        ("[0-9]{1,2}[0-9]{2}", "fix its length"),
        ("CUST", "got no class"),
        ("", "got no class"),
        ("[a-z]{0,99}", "more than 2\\*\\*59 values"),
        ("(151|17[0-2])", r"option '17\[0-2\]'.*\(170\|171\|172\)"),
        (r"\d{6}", r"got \\d, .*\[0-9\]"),
        (r"ID[\w]{3}", r"got \\w, .*\[0-9A-Z_a-z\]"),
        ("^[0-9]{3}$", "fields.Identifier for how patterns are written"),
    ],
)
def test_what_is_no_pattern_is_refused(pattern, message):
    """A bad or ambiguous pattern is a ValueError with the place and the remedy, when the field is made."""
    with pytest.raises(ValueError, match=rf"pattern.*{message}"):
        Identifier(pattern)


def test_patterns_are_text():
    """A pattern that is no string is a TypeError."""
    with pytest.raises(TypeError, match="got 6, expected text"):
        Identifier(6)


# --- values ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", [UUIDS, CUSTOMERS, INVOICES], ids=["uuid", "customer", "invoice"])
@pytest.mark.parametrize("dtype", [object, "str", "string"])
def test_strings_come_back(values, dtype):
    """Values of the pattern come back, in the column's dtype, and nothing is modelled."""
    values = pd.Series(values, dtype=dtype, name="key")
    codec = fit(values)
    ids, free = codec.encode(values)
    assert codec.run is None and ids.shape == (len(values), 0) and free.dtype == np.int32
    assert (free >= 0).all() and (free < 2**30).all()
    pd.testing.assert_series_equal(codec.decode(ids, free), values)


@pytest.mark.parametrize("dtype", ["int8", "int32", "int64", "uint8", "uint64", "Int64", "UInt8", "float32", "Float64"])
def test_numbers_come_back(dtype):
    """Whole numbers come back in their dtype, zero and, where they fit, negative ones included."""
    values = pd.Series(range(0 if dtype.lower().startswith("u") else -40, 100), dtype=dtype, name="key")
    pd.testing.assert_series_equal(round_trip(fit(values), values), values)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-(2**63) + 1, 2**63 - 1), min_size=1, max_size=10, unique=True))
def test_large_integers_come_back(numbers):
    """Integers beyond 2^53 are exact, up to the ends of int64."""
    values = pd.Series(numbers, dtype="int64", name="key")
    pd.testing.assert_series_equal(round_trip(fit(values), values), values)


@pytest.mark.parametrize("n_characters", [1, 2, 10, 26, 62, 2**16])
def test_the_longest_tail_is_the_longest_that_can_be_ranked(n_characters):
    """All texts of up to so many characters are fewer than 2**59, and with one character more they are not, or are 65 long."""
    tail = longest_tail(n_characters)
    n_texts = [sum(n_characters**length for length in range(longest + 1)) for longest in (tail, tail + 1)]
    assert n_texts[0] < 2**59
    assert n_texts[1] >= 2**59 or tail == 64


@pytest.mark.parametrize(("first", "last", "low", "high", "n"), [(12, 12, 1, 2, 110), (1, 3, 1, 1, 30), (9, 9, 2, 2, 100)])
def test_integers_of_one_beginning_are_ranked(first, last, low, high, n):
    """Integers that begin with some digits are counted without a gap, those with more digits behind them."""
    space = IntegerSpace(low, high, False, 2**31 - 1, first, last)
    assert space.ends[0] == n
    values = space.values(np.arange(space.ends[1], dtype=np.uint64)[:, None])
    assert all(first <= int(str(value)[: len(str(first))]) <= last for value in values)
    assert len(set(values.tolist())) == space.ends[1]
    ranks, known = space.ranks(values)
    assert known.all() and ranks[:, 0].tolist() == list(range(space.ends[1]))
    assert not space.ranks(np.array([0, first - 1, (last + 1) * 10**low, -5]))[1].any()


@pytest.mark.parametrize(("low", "high", "signed", "largest"), [(1, 2, False, 127), (1, 1, True, 127), (2, 2, False, 255)])
def test_integer_ranks_count_the_integers(low, high, signed, largest):
    """A small integer space is enumerated: every integer once, widened up to the largest of the dtype."""
    space = IntegerSpace(low, high, signed, largest)
    ranks = np.arange(space.ends[-1], dtype=np.uint64)[:, None]
    values = space.values(ranks)
    assert len(np.unique(values)) == len(values)
    np.testing.assert_array_equal(space.ranks(values)[0], ranks)
    n_first = len(str(int(np.abs(values[: space.ends[0]].astype(int)).max())))
    assert (np.abs(values[space.ends[0] :].astype(int)) >= 10**n_first).all()


@pytest.mark.parametrize(
    ("values", "pattern"),
    [
        (range(10001, 10050), "[0-9]{5}"),
        (range(0, 300), "[0-9]{1,3}"),
        (range(-20, 20), "-?[0-9]{1,2}"),
        ([*range(100, 300), 7], "[0-9]{3}"),
        ([1, 2], "[0-9]{1,9}"),
        (range(300_000, 400_000, 700), "3[0-9]{5}"),
        (range(300_000, 600_000, 1900), "[3-5][0-9]{5}"),
        (range(9_780_000_000_000, 9_790_000_000_000, 50_000_001), "978[0-9]{10}"),
        ([*range(-99, 99, 2)], "-?[0-9]{1,2}"),
    ],
)
def test_integer_patterns_are_learned(values, pattern):
    """The number of digits and the sign are such that no single row determines them, and can be given back."""
    codec = fit(list(values), min_frequency=5)
    assert codec.pattern == pattern
    assert fit([1.0, 2.0], pattern).pattern == pattern


def test_missing_cells_are_modelled():
    """A nullable column has one slot; missing cells come back, OTHER is never drawn."""
    values = pd.Series(["a1", None, "b2", "c3"], dtype=object, name="key")
    codec = fit(values)
    ids, _ = codec.encode(pd.Series(["a1", None, "no such value"], dtype=object))
    assert ids[:, 0].tolist() == [PRESENT, MISSING, OTHER]
    assert codec.run.slots[0].unsampled.tolist() == [False, True, False]
    pd.testing.assert_series_equal(round_trip(codec, values), values)
    numbers = pd.Series([1, None, 3], dtype="Int64", name="key")
    pd.testing.assert_series_equal(round_trip(fit(numbers), numbers), numbers)
    assert fit(pd.Series([None, None], dtype=object)).run.slots[0].unsampled.tolist() == [False, True, True]


@pytest.mark.parametrize("values", [CUSTOMERS, list(range(1, 300))])
def test_folded_values_are_legal(values):
    """A value outside the pattern decodes to a value of the pattern, always the same."""
    codec = fit(values, min_frequency=5)
    if isinstance(values[0], str):
        strange = pd.Series(["", "CUST-1", "\ud83d"], dtype=object)
    else:
        strange = pd.Series([-5, -(2**63)])
    decoded = round_trip(codec, strange)
    assert decoded.astype(str).str.fullmatch(codec.pattern).all()
    assert decoded.tolist() == round_trip(codec, strange).tolist()


# --- fresh values ---------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3000), st.integers(0, 2**64))
def test_permutation_is_a_bijection(size, key):
    """Every value of [0, size) is met once."""
    values = permute(np.arange(size, dtype=np.uint64), size, key)
    np.testing.assert_array_equal(np.sort(values), np.arange(size))


def test_permutation_scatters():
    """Other keys give other orders, neither near the identity, and the full range of uint64 works."""
    places = np.arange(1000, dtype=np.uint64)
    one, two = permute(places, 10**6, 1), permute(places, 10**6, 2)
    assert abs(np.corrcoef(one, places)[0, 1]) < 0.15 and abs(np.corrcoef(one, two)[0, 1]) < 0.15
    assert len(np.unique(permute(places, 2**64 - 1, 3))) == 1000


@pytest.mark.parametrize("values", [UUIDS, CUSTOMERS, INVOICES, list(range(1, 400)), list(range(-30, 30))])
def test_sampled_values_are_fresh(values):
    """Samples are of the pattern, differ from one another and from every training value."""
    codec = fit(values, min_frequency=5)
    sample = draw(codec, 500)
    assert sample.is_unique and not sample.isin(values).any()
    assert sample[:30].astype(str).str.fullmatch(codec.pattern).all()
    assert sample.dtype == pd.Series(values).dtype


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 60), max_size=5), st.sampled_from([CUSTOMERS[:60], UUIDS[:60], list(range(90))]))
def test_chunks_and_prefixes_agree(steps, values):
    """Chunk by chunk draws are the one big draw, any rows can be drawn at any time, and sample(n) begins sample(m)."""
    codec = fit(values)
    whole = draw(codec, 300)
    stops = np.cumsum([0, *steps])
    for start, stop in pairwise(stops):
        assert draw(codec, range(start, stop)).tolist() == whole[start:stop].tolist()
    assert draw(fit(values), range(200, 210)).tolist() == whole[200:210].tolist()
    assert draw(codec, 10).tolist() == whole[:10].tolist()
    assert draw(codec, 10, key=2).tolist() != whole[:10].tolist()


def test_pickled_codec_draws_the_same():
    """A copy from a pickle, made in the middle of a sample, draws on as the codec does."""
    codec = fit(CUSTOMERS)
    draw(codec, 50)
    copy = pickle.loads(pickle.dumps(codec))
    assert draw(copy, range(50, 60)).tolist() == draw(codec, range(50, 60)).tolist()


@pytest.mark.parametrize("values", [[f"k{number}" for number in range(10)], list(range(10))])
def test_full_patterns_are_widened(values):
    """Where all values of the pattern are taken, a longer variable part follows, and comes back as well."""
    codec = fit(values)
    sample = draw(codec, 200)
    lengths = sample.astype(str).str.len() - (len(str(values[0])) - 1)
    assert sample.is_unique and not sample.isin(values).any()
    assert lengths.tolist() == sorted(lengths) and set(lengths) == {2, 3}
    assert round_trip(codec, sample).tolist() == sample.tolist()


@pytest.mark.parametrize(
    "codec", [fit(pd.Series(range(100), dtype="int8")), fit(["10"], "[0-9]{2}0")], ids=["dtype", "pattern"]
)
def test_exhausted_space_is_an_error(codec):
    """Where no fresh value is left, the error names the column, the number there is and the remedy."""
    n_fresh = codec.space.ends[-1] - len(codec.digest)
    assert draw(codec, n_fresh).is_unique
    free = codec.draw_free(range(n_fresh + 1), None, 1)
    ids = np.zeros((len(free), 0), np.int32)
    codec.check_drawn(ids[:-1], free[:-1], False)
    codec.check_drawn(ids, free, np.arange(len(free)) == n_fresh)
    with pytest.raises(ValueError, match=rf"column 'key': .* expected at most {n_fresh}: .* longer pattern"):
        codec.check_drawn(ids, free, False)


def test_digest_holds_no_values():
    """What is kept of the training values is sorted hashes, of the values that could be drawn only."""
    codec = fit([*CUSTOMERS, "Jane Doe"], "CUST-[0-9]{6}")
    assert codec.digest.dtype == np.uint64 and len(codec.digest) == len(CUSTOMERS)
    assert (np.diff(codec.digest) > 0).all()
    assert b"CUST-000017" not in pickle.dumps(codec) and b"Jane" not in pickle.dumps(codec)


@pytest.mark.parametrize(
    ("values", "pattern", "error", "message"),
    [
        ([1.5, 2.0], None, ValueError, "column 'key': got .*1.5.*, expected whole numbers"),
        ([True, False], None, TypeError, "column 'key': got True of type bool, expected strings"),
        (pd.Series([uuid.UUID(int=1)], dtype=object), None, TypeError, r"\.map\(str, "),
        ([1, 2], "A[0-9]{3}", ValueError, r"column 'key': got pattern 'A\[0-9\]\{3\}'.*convert the column to strings"),
        (
            pd.Series([1], dtype="int8"),
            "[0-9]{5}",
            ValueError,
            "key.*: got integers of 5 digits or more, expected at most 127",
        ),
    ],
)
def test_bad_input_is_refused(values, pattern, error, message):
    """Values and patterns that do not go together are refused with the column and the remedy."""
    with pytest.raises(error, match=message):
        fit(values, pattern)


def test_other_kinds_at_encode_are_refused():
    """Strings in a column of numbers, and numbers in a column of strings, are a TypeError with the column's name."""
    with pytest.raises(TypeError, match=r"column 'key': got dtype .* expected numbers as in fit"):
        fit([1, 2]).encode(pd.Series(["a"]))
    with pytest.raises(TypeError, match="column 'key': got 1 of type int"):
        fit(["a", "b"]).encode(pd.Series([1]))
