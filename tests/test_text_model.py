"""Promises of LSTMTextModel: lines of text and tables, history, early stopping, parameters."""

import itertools
import pickle
import re

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from sksynth import LSTMTextModel
from sksynth.core._training import split_rows
from sksynth.tokenizers import CharTokenizer, SentencePieceTokenizer, TableTokenizer

LINES = ["ab", "abab", "ba", ""] * 20
TINY = {"embedding_dim": 4, "rnn_units": 4, "epochs": 1, "batch_size": 16, "random_state": 0}


@pytest.fixture(scope="module")
def fitted_lines():
    """Return a model that was fitted on lines of text; not to be changed."""
    return LSTMTextModel(CharTokenizer(), **TINY | {"epochs": 3}).fit(LINES)


def test_lines_are_cut_into_pieces():
    """Without a tokenizer, lines are learned by pieces of SentencePiece, as many as they allow."""
    model = LSTMTextModel(rnn_units=4, embedding_dim=4, epochs=1, batch_size=16, random_state=0).fit(LINES)
    assert isinstance(model.tokenizer_, SentencePieceTokenizer)
    assert "ab" in model.tokenizer_.vocabulary_
    assert LINES == model.tokenizer_.decode(model.tokenizer_.encode(LINES))


@pytest.mark.parametrize("tokenizer", [None, CharTokenizer(), SentencePieceTokenizer(270)])
def test_text_that_is_cut_off_is_told(tokenizer, tmp_path):
    """A fit warns of the share of the text that it leaves out; what the warning says to pass ends that."""
    lines = [*["ab ba", "ba"] * 20, "ab ba a " * 600]
    model = LSTMTextModel(tokenizer, **TINY)
    with pytest.warns(UserWarning, match="1 of the lines is longer than .* tokens, where lines are cut") as caught:
        model.fit(lines)
    assert 1 == len(caught)
    text = str(caught[0].message)
    share = float(re.search(r"([0-9.]+)% of the text is not learned", text)[1])
    positions, whole = model.tokenizer_.grammar_.n_positions, model.tokenizer_.encode(lines)
    assert share == pytest.approx(100 * (whole[-1, positions:] != 2).sum() / (whole != 2).sum(), abs=0.1)
    names = {"CharTokenizer": CharTokenizer, "SentencePieceTokenizer": SentencePieceTokenizer}
    longer = eval(re.search(r"tokenizer=(.*)", text)[1], names)
    again = clone(longer).fit(lines)
    assert again.decode(again.encode(lines, cut=True)) == lines
    assert [*LSTMTextModel(longer).tokenizer.get_params()] == [*(tokenizer or SentencePieceTokenizer()).get_params()]
    model.set_params(packing="stream").fit(lines)
    assert lines == model.tokenizer_.decode(model.tokenizer_.encode(lines))


def test_text_that_is_cut_off_later_is_told():
    """Further training warns as well; neither a little that is cut, nor a length that was asked for, is worth a warning."""
    model = LSTMTextModel(CharTokenizer(), **TINY).fit(LINES)
    with pytest.warns(UserWarning, match="20 of the lines are longer than 4 tokens, .* 60.0% of the text is not learned"):
        model.partial_fit(["ab" * 5] * 20)
    LSTMTextModel(CharTokenizer(8), **TINY).fit(["ab" * 9] * 20)
    LSTMTextModel(CharTokenizer(), **TINY).fit([*["abababab"] * 99, "abababab" * 2])


def test_lines_come_out_as_strings(fitted_lines):
    """A model of lines samples exactly n strings, of fit's characters and lengths, the same for the same seed."""
    lines = fitted_lines.sample(50, random_state=1)

    assert 50 == len(lines)
    assert {str} == {type(line) for line in lines}
    assert {"a", "b"} == set("".join(lines))
    assert 4 >= max(map(len, lines))
    assert lines[:7] == fitted_lines.sample(7, random_state=1)
    assert lines != fitted_lines.sample(50, random_state=2)


def test_the_scores_of_all_lines_sum_to_one(fitted_lines):
    """Over every line of two known characters and others, a million each, up to fit's length, the probabilities sum to 1."""
    lines = [""]
    for _ in range(4):
        lines += [line + letter for line in lines if len(line) == len(lines[-1]) for letter in "abc"]

    assert 1 + 3 + 9 + 27 + 81 == len(set(lines))
    stands_for = np.array([1e6 ** line.count("c") for line in lines])
    assert (stands_for * np.exp(fitted_lines.score_samples(lines))).sum() == pytest.approx(1, abs=1e-5)


def test_seen_lines_score_better(fitted_lines):
    """Training raises the likelihood of lines like fit's over that of other lines of the same letters."""
    assert fitted_lines.score(LINES) > fitted_lines.score(["aabb", "bbaa", "aaa"] * 3)
    assert fitted_lines.score(LINES) == fitted_lines.score_samples(LINES).mean()


CONTAINERS = {
    "list": list,
    "tuple": tuple,
    "array": np.array,
    "array of objects": lambda lines: np.array(lines, object),
    "Series": pd.Series,
}


@pytest.mark.parametrize("kind", CONTAINERS.values(), ids=CONTAINERS)
def test_lines_may_be_in_any_container(fitted_lines, kind):
    """Lists, tuples, arrays and Series of strings are lines."""
    np.testing.assert_array_equal(fitted_lines.score_samples(LINES), fitted_lines.score_samples(kind(LINES)))
    assert fitted_lines.sample(5, random_state=0) == clone(fitted_lines).fit(kind(LINES)).sample(5, random_state=0)


def test_copies_draw_the_same_lines(fitted_lines):
    """An unpickled model samples and scores as the original does."""
    other = pickle.loads(pickle.dumps(fitted_lines))

    assert fitted_lines.sample(20, random_state=1) == other.sample(20, random_state=1)
    np.testing.assert_array_equal(fitted_lines.score_samples(LINES), other.score_samples(LINES))


def test_clone_forgets_what_was_learned(fitted_lines):
    """A clone of a fitted model has its parameters and is unfitted."""
    other = clone(fitted_lines)

    assert str(fitted_lines.get_params()) == str(other.get_params())
    with pytest.raises(NotFittedError):
        other.sample()


BAD_RECORDS = {
    "numbers in one dimension": (np.arange(5.0), ValueError, "Reshape your data"),
    "a list of numbers": ([1, 2, 3], ValueError, "expected .* rows by columns: convert it"),
    "numbers as objects": (np.array([1, 2], object), ValueError, "numbers|pass strings|convert the lines"),
    "no lines": ([], ValueError, "Reshape your data|at least one"),
    "three dimensions": (np.zeros((2, 2, 2)), ValueError, "3 dimension"),
    "a missing line": (["a", None], ValueError, "line 1 is missing.*drop"),
    "a line that is a number": (["a", 1], (ValueError, TypeError), "line 1 is 1"),
    "one string": ("abc", FileNotFoundError, "put one line of text in a list"),
}


@pytest.mark.parametrize("case", BAD_RECORDS)
def test_bad_records_are_refused(case):
    """What is neither a table nor lines of text is refused with the remedy."""
    records, error, message = BAD_RECORDS[case]
    with pytest.raises(error, match=message):
        LSTMTextModel(**TINY).fit(records)


def test_lines_and_tables_are_not_mixed_up(fitted_lines, small):
    """A model of lines refuses to score a table, and a model of a table lines."""
    with pytest.raises(ValueError, match="fitted on lines"):
        fitted_lines.score(small)
    with pytest.raises(ValueError, match="fitted on a table"):
        LSTMTextModel(**TINY).fit(small[["flag"]]).score(LINES)


def test_a_refit_forgets_the_table_before(small):
    """Fitted on lines after a table, a model knows of lines alone."""
    model = LSTMTextModel(**TINY).fit(small[["flag"]])
    assert ["flag"] == list(model.feature_names_in_)

    model.fit(LINES)
    assert not hasattr(model, "n_features_in_")
    assert not hasattr(model, "columns_")
    assert isinstance(model.sample(2), list)


BAD_PARAMETERS = [
    ("embedding_dim", 0, ValueError),
    ("rnn_units", 0, ValueError),
    ("rnn_units", 1.5, TypeError),
    ("n_layers", 0, ValueError),
    ("n_layers", None, TypeError),
    ("dropout", 1.0, ValueError),
    ("dropout", -0.1, ValueError),
    ("epochs", 0, ValueError),
    ("epochs", True, TypeError),
    ("batch_size", 0, ValueError),
    ("learning_rate", 0.0, ValueError),
    ("learning_rate", "high", TypeError),
    ("learning_rate", np.inf, ValueError),
    ("validation_fraction", 1.0, ValueError),
    ("early_stopping", 1, ValueError),
    ("jit_compile", 1, ValueError),
    ("jit_compile", "always", ValueError),
    ("early_stopping", "yes", ValueError),
    ("patience", 0, ValueError),
    ("min_delta", -1.0, ValueError),
    ("verbose", -1, ValueError),
]


@pytest.mark.parametrize(("name", "value", "error"), BAD_PARAMETERS)
def test_bad_parameters_are_refused(name, value, error):
    """Every parameter is checked in fit, not before; the error names it and says what it may be."""
    model = LSTMTextModel(**{name: value})
    with pytest.raises(error, match=f"'{name}' parameter of LSTMTextModel must be .*, got"):
        model.fit(LINES)


def test_early_stopping_needs_rows_to_watch():
    """early_stopping=True without held-out rows is refused with both remedies."""
    with pytest.raises(ValueError, match=r"early_stopping=True.*validation_fraction=0: set validation_fraction"):
        LSTMTextModel(early_stopping=True, validation_fraction=0.0).fit(LINES)


@pytest.fixture(scope="module")
def table():
    """Return 100 rows of three columns that depend on one another but for noise."""
    rng = np.random.default_rng(0)
    first = rng.integers(0, 6, 100)
    noisy = [np.where(rng.uniform(size=100) < 0.3, rng.integers(0, 6, 100), first) for _ in range(2)]
    return pd.DataFrame({"a": first, "b": noisy[0], "c": noisy[1]}).astype(str)


@pytest.fixture(scope="module")
def overfitted(table):
    """Return a model that learned the table so fast that its validation loss rose again."""
    model = LSTMTextModel(
        **TINY | {"epochs": 40, "learning_rate": 0.2, "rnn_units": 16, "validation_fraction": 0.3, "dropout": 0.0},
        patience=3,
    )
    return model.fit(table)


def test_early_stopping_ends_after_patience(overfitted):
    """Training ends `patience` epochs after the best, well before the epochs that were planned."""
    history = overfitted.history_
    best = int(history["val_loss"].argmin())

    assert 40 > len(history) == best + 1 + 3
    assert [best] == list(np.flatnonzero(history["best"]))


def test_the_weights_of_the_best_epoch_are_kept(overfitted, table):
    """The held-out rows score with the fitted weights what the history says of its best epoch."""
    rng = np.random.default_rng(np.random.SeedSequence(0).spawn(1)[0])
    _, held_out = split_rows(len(table), 0.3, rng)
    history = overfitted.history_

    assert 30 == len(held_out)
    assert -overfitted.score(table.iloc[held_out]) == pytest.approx(history["val_loss"].min(), abs=1e-4)
    assert history["val_loss"].iloc[-1] > history["val_loss"].min() + 1e-3


def test_without_early_stopping_all_epochs_are_run(table):
    """early_stopping=False runs all epochs, with or without held-out rows; without them there is no val_loss."""
    for fraction in (0.3, 0.0):
        model = LSTMTextModel(**TINY | {"epochs": 6, "learning_rate": 0.2, "validation_fraction": fraction})
        history = model.set_params(early_stopping=False).fit(table).history_
        assert 6 == len(history)
        assert (fraction == 0.0) == bool(history["val_loss"].isna().all())
        assert 1 == history["best"].sum()


def test_training_tells_every_setting(overfitted):
    """training_ has a value for every None, and those that were given as they are."""
    chosen = {"embedding_dim", "rnn_units", "n_layers", "dropout", "epochs", "batch_size", "learning_rate", "patience"}

    assert chosen | {"validation_fraction", "min_delta"} <= set(overfitted.training_)
    assert {"rnn_units": 16, "epochs": 40, "learning_rate": 0.2, "patience": 3}.items() <= overfitted.training_.items()
    assert overfitted.n_parameters_ > 16 * 16 * 4
    assert (np.inf, 0.0) == (overfitted.epsilon_, overfitted.delta_)


def test_training_learns_what_columns_have_in_common(overfitted):
    """Rows that agree, as fit's mostly do, are far likelier than rows that do not."""
    agree = pd.DataFrame({name: list("012345") for name in "abc"})
    differ = agree.assign(b=list("120453"), c=list("201534"))

    assert overfitted.score(agree) > overfitted.score(differ) + 1


def test_rows_are_sampled_as_often_as_they_are_likely(overfitted):
    """The share of every row in a large sample is its probability by the score, other and missing aside."""
    rows = pd.DataFrame(list(itertools.product("012345", repeat=3)), columns=list("abc"))
    likelihood = np.exp(overfitted.score_samples(rows))
    n = 40_000
    drawn = rows.merge(overfitted.sample(n, random_state=0).value_counts().reset_index(), how="left")["count"].fillna(0)
    expected = n * likelihood / likelihood.sum()

    assert n == drawn.sum()
    assert 0.9 < likelihood.sum() < 1
    assert (np.abs(drawn - expected) < 5 * np.sqrt(expected) + 5).all()


def test_layers_can_be_stacked(table):
    """A network of two layers trains, scores and samples."""
    model = LSTMTextModel(**TINY, n_layers=2).fit(table)

    assert table.dtypes.equals(model.sample(3).dtypes)
    assert np.isfinite(model.score(table))
    assert model.n_parameters_ > clone(model).set_params(n_layers=1).fit(table).n_parameters_


def test_a_tokenizer_is_cloned(table):
    """A tokenizer that is given stays as it is; its fitted clone is tokenizer_."""
    tokenizer = TableTokenizer(min_frequency=1)
    model = LSTMTextModel(tokenizer, **TINY).fit(table)

    assert not hasattr(tokenizer, "schema_")
    assert model.tokenizer_.min_frequency == 1
    assert_frame_equal(model.sample(4, random_state=0), model.sample(9, random_state=0).head(4))


def test_one_bar_shows_the_epochs(capsys):
    """verbose=1 writes one bar over the epochs to standard error, that is full although training stopped early."""
    LSTMTextModel(**TINY | {"epochs": 3}, verbose=1).fit(LINES)
    out, err = capsys.readouterr()

    assert ("", 2) == (out, err.count("\n"))
    assert "fit: 100%" in err
    assert "| 3/3 epochs [" in err
