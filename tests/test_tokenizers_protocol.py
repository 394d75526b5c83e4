"""Promises of `check_tokenizer`: the library's own tokenizers pass it, and one that breaks a single point is told which."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.utils.validation import check_is_fitted
from test_states import strange_columns
from test_tokenizers_table import COLUMNS

from sksynth import LSTMTextModel
from sksynth.datasets import make_mixed
from sksynth.tokenizers import (
    CharTokenizer,
    Grammar,
    Run,
    SentencePieceTokenizer,
    Slot,
    TableTokenizer,
    Tokenizer,
    check_tokenizer,
    compile_slots,
)
from sksynth.tokenizers._check._grammar import draw

LINES = ["to be", "", "or not to be", "éß😀", "\ud800", "that is the question"] * 3
PLATES = ["ab-07", "bc-99", "aa-00", "cc-42", "ac-01", "bb-63"]
ONE_SLOT = Grammar((Run((Slot("only", [[0, 0]]),)),))


class Plates(Tokenizer):
    """Two letters in alphabetical order, which are learned, and a number, which is drawn: "ab-07"."""

    def __init__(self, letters="abc"):
        self.letters = letters

    def fit(self, records, y=None):
        n = len(self.letters)
        names = ["first", "second"]
        self.grammar_ = Grammar((compile_slots(names, [n, n], lambda _, last, token: token if token >= last else None),))
        self.n_free_ = 1
        return self

    def encode(self, records, *, cut=False):
        check_is_fitted(self)
        for record in records:
            if not re.fullmatch(f"[{self.letters}]{{2}}-[0-9]{{2}}", record):
                raise ValueError(f"got {record!r}, expected a plate such as 'ab-07'")
        rows = [[*map(self.letters.index, record[:2]), int(record[3:])] for record in records]
        return np.array(rows, np.int32)

    def decode(self, ids):
        check_is_fitted(self)
        return [f"{self.letters[first]}{self.letters[second]}-{number:02}" for first, second, number in ids]

    def draw_free(self, rows, rng, key):
        return rng.integers(0, 100, (len(rows), 1), dtype=np.int32)

    def to_state(self):
        check_is_fitted(self)
        return {"letters": self.letters}

    @classmethod
    def from_state(cls, state):
        return cls(state["letters"]).fit([])


class WarningPlates(Plates):
    """Plates that warn of few records."""

    def fit(self, records, y=None):
        if 0 < len(records) < len(PLATES):
            warnings.warn("few records", UserWarning, stacklevel=2)
        return super().fit(records, y)


class Coins(Tokenizer):
    """A table of one column, "side", of heads and tails."""

    def fit(self, records, y=None):
        self.grammar_ = ONE_SLOT
        return self

    def encode(self, records, *, cut=False):
        check_is_fitted(self)
        return (records[["side"]] == "tails").to_numpy(np.int32)

    def decode(self, ids):
        check_is_fitted(self)
        return pd.DataFrame({"side": np.array(["heads", "tails"], object)[ids[:, 0]]})

    def to_state(self):
        check_is_fitted(self)
        return {}

    @classmethod
    def from_state(cls, state):
        return cls().fit(None)


COINS = pd.DataFrame({"side": np.array(["heads", "tails", "tails"], object)}, index=[3, 1, 1])


# Tokenizers that keep the protocol


@pytest.mark.parametrize("records", [PLATES, tuple(PLATES), np.array(PLATES), pd.Series(PLATES, range(6, 0, -1))])
def test_a_tokenizer_of_ones_own_passes(records):
    """A tokenizer that keeps the protocol passes, whatever its lines are in, and is not changed."""
    tokenizer = Plates()
    assert check_tokenizer(tokenizer, records) is None
    assert {"letters": "abc"} == vars(tokenizer)


def test_rows_are_drawn_evenly_among_what_is_legal():
    """Every token that may be drawn is as likely in every row, so that decode is asked for all that it may get."""
    grammar = Grammar((compile_slots(["first", "second"], [4, 4], lambda _, last, token: token if token >= last else None),))
    rows = draw(grammar, 4000, np.random.default_rng(0))
    pairs, counts = np.unique(rows, axis=0, return_counts=True)
    assert len(pairs) == 10
    expected = [1000 / (4 - first) for first, _ in pairs]
    assert counts == pytest.approx(expected, rel=0.25)


def test_a_fit_may_warn_of_few_records():
    """What a fit says of half of the records is no news where it has nothing to say of all."""
    check_tokenizer(WarningPlates(), PLATES)
    with pytest.warns(UserWarning, match="few records"):
        WarningPlates().fit(PLATES[:3])


def test_a_tokenizer_of_tables_of_ones_own_passes():
    """A table is decoded to the columns of fit; its index does not matter."""
    check_tokenizer(Coins(), COINS)


@pytest.mark.parametrize(
    "tokenizer",
    [
        CharTokenizer(),
        SentencePieceTokenizer(vocab_size=290),
        SentencePieceTokenizer(vocab_size=290, model_type="bpe", user_defined_symbols=["to be"]),
    ],
)
def test_tokenizers_of_lines_pass(tokenizer):
    """Lines come back whole, whatever they are spelled with."""
    check_tokenizer(tokenizer, LINES)


@pytest.mark.parametrize(
    "tokenizer",
    [
        CharTokenizer(3),
        CharTokenizer(alphabet="to be"),
        CharTokenizer(min_frequency=4),
        SentencePieceTokenizer(vocab_size=290, max_length=3, min_frequency=4),
        SentencePieceTokenizer(vocab_size=40, byte_fallback=False, max_length=3),
    ],
)
def test_tokenizers_of_lines_that_lose_something_pass(tokenizer):
    """Alphabets and lengths that do not hold all lines are no fault where nobody says so."""
    check_tokenizer(tokenizer, LINES, lossless=False)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.text(max_size=9), min_size=2, max_size=12))
def test_tokenizers_of_lines_pass_on_any_lines(lines):
    """Any lines, empty ones and all of Unicode included, can be read by characters."""
    check_tokenizer(CharTokenizer(), lines)


@pytest.mark.parametrize("kind", COLUMNS)
@settings(max_examples=3, deadline=None)
@given(data=st.data())
def test_the_tokenizer_of_tables_passes_on_every_dtype(kind, data):
    """Columns of every dtype come back, with missing cells and without."""
    column = data.draw(COLUMNS[kind].filter(lambda column: len(column) > 1))
    check_tokenizer(TableTokenizer(min_frequency=1), column.to_frame("column"))


@pytest.mark.parametrize("name", strange_columns())
def test_the_tokenizer_of_tables_passes_on_every_field(name):
    """Columns whose field says what they are, in whatever way, can be encoded and drawn."""
    column, field = strange_columns()[name]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that no value is frequent is no news here
        check_tokenizer(TableTokenizer({name: field}), column.to_frame(name), lossless=False)


@pytest.mark.parametrize(("min_frequency", "lossless"), [(1, True), (5, False)])
def test_the_tokenizer_of_tables_passes_on_many_columns(min_frequency, lossless):
    """A table of every kind of column passes, and loses nothing where no value is rare."""
    check_tokenizer(TableTokenizer(min_frequency=min_frequency), make_mixed(120, random_state=0), lossless=lossless)


# What is no tokenizer, and no records


def test_a_class_is_no_tokenizer():
    """A class in place of an instance is refused, with the instance to pass."""
    with pytest.raises(TypeError, match=r"got the class Plates: pass Plates\(\)"):
        check_tokenizer(Plates, PLATES)


@pytest.mark.parametrize(
    ("records", "error", "message"),
    [
        ("ab-07", TypeError, "list of str or a DataFrame, got 'ab-07'"),
        ([1, 2], TypeError, r"list of str or a DataFrame, got \[1, 2\]"),
        (["ab-07"], ValueError, "at least 2, got 1"),
        (COINS.head(1), ValueError, "at least 2, got 1"),
    ],
)
def test_records_that_are_none_are_refused(records, error, message):
    """Anything but two lines or rows is refused, with what was got."""
    with pytest.raises(error, match=message):
        check_tokenizer(Plates(), records)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, 1],), r"slot 'a': got transitions of int64, shape \(2,\), expected whole numbers, shape \(n_states, n_tokens\)"),
        (([[0.0, 1.0]],), "slot 'a': got transitions of float64"),
        (([[0, -2]],), r"slot 'a': got transitions to states -2\.\.0"),
        (([[0, 2**15]],), r"slot 'a': got transitions to states 0\.\.32768, expected .* 0\.\.32767"),
        (([[0, 0]], [True]), r"slot 'a': got unsampled of bool, shape \(1,\), expected one bool for each of the 2 tokens"),
        (([[0, 0]], [0, 1]), "slot 'a': got unsampled of int64"),
        (([[0, 0]], None, 0), "slot 'a': got repeat=0"),
    ],
)
def test_slots_that_are_none_are_refused(arguments, message):
    """A slot of other arrays than it may have is refused by name, with what was got and what was expected."""
    with pytest.raises(ValueError, match=message):
        Slot("a", *arguments)


@pytest.mark.parametrize("slots", [(Slot("a", [[0, 1]]), Slot("b", [[0]])), (Slot("a", [[0, 1]]), Slot("b", [[1]], repeat=2))])
def test_runs_that_lead_to_states_that_are_none_are_refused(slots):
    """A slot that leads to a state that the next position does not have is refused by name."""
    with pytest.raises(ValueError, match=r"slot '.' leads to state 1, but slot 'b', which is read next, has 1 states"):
        Run(slots)


# Models


def test_a_model_learns_by_a_tokenizer_of_ones_own(tmp_path):
    """A model is fitted, trained further, sampled, saved and loaded with a tokenizer that passes the check."""
    tiny = {"embedding_dim": 4, "rnn_units": 4, "epochs": 1, "batch_size": 16, "random_state": 0}
    model = LSTMTextModel(Plates(), **tiny).fit(PLATES * 10).partial_fit(PLATES * 5)
    model.save(tmp_path / "plates")
    loaded = LSTMTextModel.load(tmp_path / "plates", trusted=(Plates,))

    plates = loaded.sample(50, random_state=1)
    assert plates == model.sample(50, random_state=1)
    assert all(re.fullmatch("(aa|ab|ac|bb|bc|cc)-[0-9]{2}", plate) for plate in plates)
    with pytest.raises(
        ValueError, match=r"prefix is for lines of text, but .* a Plates, which has no guides: leave prefix out"
    ):
        model.sample(prefix="a")


def test_a_model_of_tables_by_a_tokenizer_of_ones_own():
    """A table comes back as a table; texts cannot be excluded where no schema tells which columns are text."""
    model = LSTMTextModel(Coins(), embedding_dim=4, rnn_units=4, epochs=1, batch_size=16, random_state=0)
    model.fit(pd.concat([COINS] * 20))

    assert ["heads", "tails"] == sorted(model.sample(50, random_state=0)["side"].unique())
    with pytest.raises(ValueError, match=r"exclude: the Coins of this model has no schema_.*leave exclude out"):
        model.sample(5, exclude=COINS)
    with pytest.raises(ValueError, match=r"given needs a TableTokenizer, but this model was fitted with a Coins"):
        model.sample(given={"side": "heads"})
