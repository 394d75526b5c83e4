"""Promises about what is drawn: among which tokens, and which records a validator lets through."""

from collections import Counter
from copy import copy

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal
from threadpoolctl import threadpool_info

from sksynth import LSTMTextModel, SamplingError, core
from sksynth._sampling import Choice, Copies, drawn, rechunked
from sksynth._sampling._copies import Passages
from sksynth._sampling._records import joined, judge
from sksynth.core._sampling import _keep_likeliest
from sksynth.core._threads import products_alone
from sksynth.tokenizers import CharTokenizer, SentencePieceTokenizer
from sksynth.tokenizers._text import END

LINES = ["ab", "abab", "ababab", "ba"] * 10


@pytest.fixture(scope="module")
def lines():
    """Return a model that was fitted on a few lines; not to be changed."""
    return LSTMTextModel(CharTokenizer(), rnn_units=4, embedding_dim=4, epochs=1, batch_size=16, random_state=0).fit(LINES)


def test_top_k_keeps_the_likeliest_tokens():
    """Of each row the k largest logits stay, and more only where they are tied."""
    logits = np.float32([[3, 1, 2, 0], [0, 0, 0, -np.inf], [-np.inf, 5, -np.inf, -np.inf]])
    _keep_likeliest(logits, core.Draw(top_k=2))
    assert [[True, False, True, False], [True, True, True, False], [False, True, False, False]] == np.isfinite(logits).tolist()


@pytest.mark.parametrize(("top_p", "kept"), [(0.5, 1), (0.51, 2), (0.8, 2), (0.81, 3), (1.0, 4), (1e-9, 1)])
def test_top_p_keeps_what_is_likely_together(top_p, kept):
    """The likeliest tokens stay until their probabilities add up to top_p; at least one does."""
    logits = np.log(np.float32([[0.05, 0.5, 0.15, 0.3]]))
    _keep_likeliest(logits, core.Draw(top_p=top_p))
    assert kept == np.isfinite(logits).sum()
    assert np.isfinite(logits[0, 1])


def test_top_p_counts_what_top_k_left():
    """With both, top_p is a share of the tokens that top_k leaves."""
    logits = np.log(np.float32([[0.4, 0.3, 0.2, 0.1]]))
    _keep_likeliest(logits, core.Draw(top_k=2, top_p=0.6))
    assert [True, True, False, False] == np.isfinite(logits[0]).tolist()
    _keep_likeliest(logits, core.Draw(top_k=2, top_p=0.5))
    assert [True, False, False, False] == np.isfinite(logits[0]).tolist()


def test_the_likeliest_line_alone(lines):
    """With top_k=1, as with a tiny top_p or temperature, every sample is the one line of likeliest tokens."""
    drawn = [lines.sample(30, random_state=0, **how) for how in ({"top_k": 1}, {"top_p": 1e-6}, {"temperature": 1e-9})]
    assert drawn[0] == drawn[1] == drawn[2]
    assert 1 == len(set(drawn[0]))


def test_a_validator_of_lines(lines):
    """Lines that are refused are drawn anew; those that are not are the same, in order, as without the validator."""
    everything = lines.sample(3000, random_state=0)
    chosen = lines.sample(200, validator=lambda line: len(line) > 2, max_invalid=10_000, random_state=0)
    assert [line for line in everything if len(line) > 2][:200] == chosen
    assert chosen[:50] == lines.sample(50, validator=lambda line: len(line) > 2, max_invalid=10_000, random_state=0)


def test_lines_come_one_by_one_or_in_chunks(lines):
    """sample_iter gives the lines of sample, one by one, or as lists where a size is given."""
    expected = lines.sample(1200, temperature=0.9, top_k=3, random_state=0)
    assert expected == list(lines.sample_iter(1200, temperature=0.9, top_k=3, random_state=0))
    chunks = list(lines.sample_iter(1200, chunk_size=500, temperature=0.9, top_k=3, random_state=0))
    assert [500, 500, 200] == list(map(len, chunks))
    assert expected == joined(chunks)
    with pytest.raises(ValueError, match="chunk_size must be an int >= 1, got 0"):
        lines.sample_iter(3, chunk_size=0)


def test_rows_of_one_model_come_in_chunks(fitted_small):
    """sample_iter of a batch's model gives the rows of sample as frames of the size that is asked for."""
    model = fitted_small.models_[0]
    chunks = list(model.sample_iter(700, chunk_size=300, random_state=0))
    assert [300, 300, 100] == list(map(len, chunks))
    assert_frame_equal(model.sample(700, random_state=0), pd.concat(chunks, ignore_index=True))


def test_texts_that_are_not_to_be_repeated_are_drawn_anew(lines):
    """Of the sample, lines that are or hold a line of exclude of more than so many characters are left out; no others are."""
    everything = lines.sample(3000, random_state=0)
    exclude = ["aba", "bb"]
    expected = [line for line in everything if "aba" not in line][:500]
    assert expected != everything[:500]
    assert expected == lines.sample(len(expected), exclude=exclude, exclude_longer_than=2, random_state=0)
    assert everything[:500] == lines.sample(500, exclude=exclude, random_state=0)
    both = lines.sample(20, exclude=exclude, exclude_longer_than=2, validator=lambda line: len(line) > 1, random_state=0)
    assert both == [line for line in expected if len(line) > 1][:20]


def test_copies_of_everything_are_an_error(lines):
    """Where nearly all that is drawn repeats texts of exclude, sampling ends and says why."""
    with pytest.raises(SamplingError, match="they repeat texts of exclude"):
        lines.sample(9_000, prefix="ab", exclude=["ab"], exclude_longer_than=1, random_state=0)


def test_a_private_model_tells_of_no_copies(lines):
    """Exclude is refused where training was private."""
    private = copy(lines)
    private.epsilon_ = 1.0
    with pytest.raises(ValueError, match="exclude: this model is private"):
        private.sample(3, exclude=LINES)


@given(st.lists(st.text("ab", max_size=6)), st.text("ab", max_size=12), st.integers(1, 4))
def test_a_text_that_holds_another_is_found(texts, text, longer_than):
    """A text is a copy if and only if a text of more than so many characters is part of it."""
    expected = any(len(other) > longer_than and other in text for other in texts)
    assert expected == Passages(texts, longer_than).in_text(text)


def test_copied_rows_of_a_table():
    """Of a table, the texts of each column are compared with those of the same column; missing cells are no texts."""
    table = pd.DataFrame({"one": ["aaaa", "bbbb", None], "two": ["cccc", "dddd", "eeee"]})
    found = Copies(table, 3).among(pd.DataFrame({"one": ["xaaaax", "cccc", None], "two": ["none", "bbbb", "eeee"]}))
    assert [True, False, True] == found.tolist()


VALIDATORS = {
    "of frames": lambda rows: rows["count"].isna() | (rows["count"] > 1),
    "of rows": lambda row: bool(pd.isna(row["count"])) or bool(row["count"] > 1),
}


@pytest.mark.parametrize("kind", VALIDATORS)
def test_a_validator_of_tables(fitted_small, kind):
    """A validator may judge a whole frame, or row by row as dicts; the rows that it lets through are those of the sample."""
    everything = fitted_small.sample(2000, random_state=0)
    valid = everything[(everything["count"].isna() | (everything["count"] > 1))].head(300).reset_index(drop=True)
    chosen = fitted_small.sample(300, validator=VALIDATORS[kind], random_state=0)
    assert_frame_equal(valid, chosen)
    chunks = list(fitted_small.sample_iter(300, chunk_size=128, validator=VALIDATORS[kind], random_state=0))
    assert [128, 128, 44] == [len(chunk) for chunk in chunks]
    assert_frame_equal(valid, pd.concat(chunks, ignore_index=True))


def test_what_was_valid_is_not_lost(fitted_small):
    """When too many rows are refused, the error has their number, the last reasons, and the valid rows until then."""

    def picky(row):
        if pd.isna(row["count"]):
            raise ValueError("no count")
        return bool(row["count"] == 3)

    with pytest.raises(SamplingError, match=r"101 records were refused.*ValueError: no count.*Raise max_invalid") as caught:
        fitted_small.sample(10_000, validator=picky, max_invalid=100, random_state=0)
    everything = fitted_small.sample(5000, random_state=0)
    refused = ~(everything["count"] == 3).fillna(False).to_numpy(bool)
    until = everything[: np.flatnonzero(refused)[100]]
    assert 101 == caught.value.n_invalid
    assert 5 == len(caught.value.reasons)
    assert_frame_equal(until[(until["count"] == 3).fillna(False)].reset_index(drop=True), caught.value.valid)


def test_what_was_valid_and_not_given_out_is_in_the_error(fitted_small):
    """sample_iter gives out chunks until too many rows are refused; the error has the valid rows after them."""
    chunks = fitted_small.sample_iter(
        10_000, chunk_size=16, validator=lambda row: row["count"] == 3, max_invalid=200, random_state=0
    )
    given = []
    with pytest.raises(SamplingError) as caught:
        given.extend(chunks)
    with pytest.raises(SamplingError) as whole:
        fitted_small.sample(10_000, validator=lambda row: row["count"] == 3, max_invalid=200, random_state=0)
    assert_frame_equal(whole.value.valid, pd.concat([*given, caught.value.valid], ignore_index=True))


@pytest.mark.parametrize("max_invalid", [0, 3, 4])
def test_as_many_as_max_invalid_may_be_refused(max_invalid):
    """Exactly max_invalid records may be refused; one more is an error, unless enough were valid before it."""
    numbers = [str(number) for number in range(1000)]

    def draw(rows):
        yield numbers[rows.start : rows.stop]

    def is_valid(text):
        return int(text) % 3 > 0

    if max_invalid == 4:
        assert ["1", "2", "4", "5", "7", "8", "10"] == joined(list(drawn(draw, 7, Choice(is_valid, max_invalid))))
    else:
        with pytest.raises(SamplingError) as caught:
            list(drawn(draw, 7, Choice(is_valid, max_invalid)))
        assert max_invalid + 1 == caught.value.n_invalid
        assert ["1", "2", "4", "5", "7", "8"][: 2 * max_invalid] == caught.value.valid


def test_what_a_validator_of_frames_may_return():
    """One bool per row is taken as it is, missing ones for False; anything else has the rows judged one by one."""
    frame = pd.DataFrame({"x": [1, 2, 3]})
    for mask in ([True, False, True], np.array([True, False, True]), pd.Series([True, pd.NA, True], dtype="boolean")):
        assert [True, False, True] == judge(lambda rows, mask=mask: mask, frame)[0].tolist()
    assert [True, False, True] == judge(lambda row: row["x"] != 2 if isinstance(row, dict) else "a frame", frame)[0].tolist()
    assert [True, True, True] == judge(lambda row: [1, 2, 3], frame)[0].tolist()  # no bools: a truth of every row


def test_chunks_of_any_size_are_the_same_records():
    """Portions of any sizes come out in chunks of one size, the last shorter."""
    portions = [list("abc"), [], list("defgh"), ["i"]]
    assert [list("abcd"), list("efgh"), ["i"]] == list(rechunked(iter(portions), 4))


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"top_k": 0}, ValueError, "top_k must be an int >= 1, got 0"),
        ({"top_k": 1.5}, TypeError, "top_k must be an int >= 1, got 1.5"),
        ({"top_p": 0.0}, ValueError, r"top_p must be a number in \(0, 1\]"),
        ({"top_p": "x"}, TypeError, r"top_p must be a number in \(0, 1\]"),
        ({"validator": 3}, TypeError, "validator must be a callable or None, got 3"),
        ({"max_invalid": -1}, ValueError, "max_invalid must be an int >= 0, got -1"),
        ({"max_invalid": None}, TypeError, "max_invalid must be an int >= 0, got None"),
    ],
)
def test_bad_requests_are_refused(lines, arguments, error, message):
    """What cannot be drawn is refused by name."""
    with pytest.raises(error, match=message):
        lines.sample(2, **arguments)


PREFIXES = ["", "a", "ab", "aba", "b", "ababab"]


@pytest.fixture(scope="module", params=["characters", "subwords"])
def speller(request):
    """Return a model of lines that are spelled in one way or the other; not to be changed."""
    tokenizer = CharTokenizer() if request.param == "characters" else SentencePieceTokenizer(vocab_size=270, max_length=24)
    return LSTMTextModel(tokenizer, rnn_units=4, embedding_dim=4, epochs=1, batch_size=16, random_state=0).fit(LINES)


def test_lines_begin_with_their_prefixes(speller):
    """A list of prefixes gives one line for each, in order; one prefix is that of all lines."""
    lines = speller.sample(prefix=PREFIXES * 20, random_state=0)
    assert all(line.startswith(prefix) for line, prefix in zip(lines, PREFIXES * 20, strict=True))
    assert all(line.startswith("aba") for line in speller.sample(700, prefix="aba", random_state=0))
    assert 1 == len(speller.sample(prefix="ab"))


@pytest.mark.parametrize("chosen", [{"validator": len}, {"exclude": ["ab"]}], ids=["validator", "exclude"])
def test_prefixes_leave_no_choice(speller, chosen):
    """Where every line has a prefix of its own, none can be drawn anew in its place: refused by the argument's name."""
    with pytest.raises(ValueError, match=f"got a list of prefixes and {next(iter(chosen))}, which may leave a prefix without"):
        speller.sample(prefix=["a", "b"], **chosen)


def test_a_prefix_is_a_condition(speller):
    """Lines with a prefix have the distribution of the lines that begin with it, whatever their tokens."""
    every = [line for line in speller.sample(60_000, random_state=0) if line.startswith("ab")]
    given = speller.sample(20_000, prefix="ab", random_state=1)
    few = min(len(every), len(given))
    counts = [Counter(lines) for lines in (every, given)]
    for line, _ in (counts[0] + counts[1]).most_common(5):
        shares = [count[line] / sum(count.values()) for count in counts]
        assert abs(shares[0] - shares[1]) < 5 * np.sqrt(2 * max(shares) / few)  # five standard deviations of the difference


def test_lines_end_after_max_length_tokens(speller):
    """No line has more tokens than max_length, but for its prefix."""
    lines = speller.sample(300, max_length=2, random_state=0)
    assert max(map(len, lines)) <= 2 * max(map(len, speller.tokenizer_.codec_.spelling.written))
    assert all(line.startswith("ababab") for line in speller.sample(20, prefix="ababab", max_length=1, random_state=0))


def test_prefixes_that_no_line_has_are_refused(lines, fitted_small):
    """A prefix of unknown characters, of too many, or for what is no line of text, is an error that says so."""
    with pytest.raises(ValueError, match="prefix 'ax' holds characters that were not learned, from 'x' on"):
        lines.sample(prefix="ax")
    with pytest.raises(ValueError, match="prefix 'abababa' is 7 tokens long, expected at most 6"):
        lines.sample(prefix="abababa")
    with pytest.raises(ValueError, match="prefix is for lines of text, but this model was fitted with a TableTokenizer"):
        fitted_small.models_[0].sample(prefix="a")
    with pytest.raises(ValueError, match="got 2 prefixes for n_samples=3"):
        lines.sample(3, prefix=["a", "b"])
    with pytest.raises(TypeError, match="prefix must be a string, a list of strings or None"):
        lines.sample(prefix=[1])


def test_long_prefixes_are_written_whole():
    """A prefix of nearly as many tokens as are learned begins every line, whatever pieces it is spelled with."""
    lines = ["a quick brown fox jumps over a lazy dog", "a lazy dog jumps over a quick brown fox"] * 30
    model = LSTMTextModel(SentencePieceTokenizer(300), rnn_units=4, epochs=1, random_state=0).fit(lines)
    n_positions = model.tokenizer_.grammar_.n_positions
    prefix = lines[0]
    assert np.count_nonzero(model.tokenizer_.encode([prefix]) != END) > n_positions - 3
    for length in (len(prefix), 12):
        drawn = model.sample(300, prefix=prefix[:length], random_state=0)
        assert all(line.startswith(prefix[:length]) for line in drawn)


def test_a_validator_may_do_what_it_likes_with_its_frame(fitted_small):
    """What a validator writes into its frame is not in the sample; a Series is read by its index."""

    def picky(frame):
        frame["helper"] = 1
        frame["count"] = 0
        return frame["helper"] > 0

    assert_frame_equal(fitted_small.sample(50, random_state=0), fitted_small.sample(50, validator=picky, random_state=0))
    rows = fitted_small.sample(50, validator=lambda frame: (frame["count"] == 3).fillna(False).sort_values(), random_state=0)
    assert (rows["count"] == 3).all()


def test_texts_of_a_category_column_stay_one():
    """Portions of texts whose categories differ are joined to one column of categories."""
    frames = [pd.DataFrame({"t": pd.Categorical(texts), "n": [1, 2]}) for texts in (["a", "b"], ["c", "a"])]
    whole = joined(frames)
    assert ["a", "b", "c"] == sorted(whole["t"].cat.categories)
    assert ["a", "b", "c", "a"] == whole["t"].tolist()


def test_products_get_their_threads_back():
    """Whoever leaves first of several that sample at once, numpy's products have one thread until the last, then as before."""

    def threads():
        return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]

    before, one, other = threads(), products_alone(), products_alone()
    for within in (one.__enter__, other.__enter__, lambda: one.__exit__(None, None, None)):
        within()
        assert set(threads()) == {1}
    other.__exit__(None, None, None)
    assert threads() == before
