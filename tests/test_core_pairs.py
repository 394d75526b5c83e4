"""Promises of where networks that recall start from: what pairs of tokens say of each other, as far as it can be counted."""

import numpy as np
import pytest
from scipy.sparse.linalg import ArpackError, ArpackNoConvergence

from sksynth._grammar import Grammar, Run, Slot, compile_slots
from sksynth.core import _pairs
from sksynth.core._layout import RECALL_SCALE, Layout
from sksynth.core._network import NetworkShape

SIZES = {"left": 5, "right": 5, "other": 4}


def category(name, n_tokens):
    """Return the run of a category."""
    return compile_slots([name], [n_tokens], lambda *_: 0)


GRAMMAR = Grammar(tuple(category(name, size) for name, size in SIZES.items()))
NOTE = Run((Slot("note", np.array([[1, 0, 0], [1, -1, -1]], np.int16), repeat=2),))  # token 0 ends the note


def rows_of(n_rows, seed=0):
    """Return rows whose second column mostly repeats the first; the third has nothing to do with them."""
    rng = np.random.default_rng(seed)
    left, other = rng.integers(5, size=n_rows), rng.integers(4, size=n_rows)
    right = np.where(rng.random(n_rows) < 0.8, left, rng.integers(5, size=n_rows))
    return np.stack([left, right, other], axis=1).astype(np.int32)


def started(grammar, ids, units=16, seed=0):
    """Return by slot and slot what a token of the first adds to the logits of the second, and the weights."""
    layout = Layout(grammar)
    shape = NetworkShape(layout.groups, embedding_dim=4, rnn_units=units, n_layers=1, recalls=True)
    weights = _pairs.start_of_recall(layout, layout.rows(ids), shape, np.random.default_rng(seed))
    heads = [head for index in range(len(layout.groups)) for head in weights[f"head_{index}"]]
    first, says = shape.first_token_of_slot, {}
    for place, slot in enumerate(layout.slots):
        vectors = RECALL_SCALE * weights["recall"][first[place] :][: grammar.slots[slot].n_tokens]
        for head, to in zip(heads, layout.slots, strict=True):
            says[grammar.slots[slot].name, grammar.slots[to].name] = (vectors @ head)[:, : grammar.slots[to].n_tokens]
    return says, weights


def test_a_pair_says_its_share_of_what_was_counted():
    """A token adds to the logit of another three quarters of their mutual information, with a few pairs of chance."""
    ids = rows_of(2_000)
    says, _ = started(GRAMMAR, ids)
    met = np.zeros((5, 5))
    np.add.at(met, (ids[:, 0], ids[:, 1]), 1.0)
    chance = np.outer(met.sum(axis=1), met.sum(axis=0)) / len(ids)
    mutual = np.log((met + _pairs.PRIOR_PAIRS) / (chance + _pairs.PRIOR_PAIRS))

    np.testing.assert_allclose(says["left", "right"], _pairs.SHARE_RECALLED * mutual, atol=1e-4)
    np.testing.assert_allclose(says["right", "left"], _pairs.SHARE_RECALLED * mutual.T, atol=1e-4)
    assert np.diag(says["left", "right"]).min() > 0.6 > 0.0 > says["left", "right"][~np.eye(5, dtype=bool)].max()


def test_what_has_nothing_to_say_says_little():
    """Independent columns add to each other what chance gives, five standard errors at most; a column to itself, nothing."""
    says, _ = started(GRAMMAR, rows_of(2_000))
    error = (1 / (2_000 / 20)) ** 0.5  # of the logarithm of how often a pair of five and four values is met
    for pair in (("left", "other"), ("other", "right")):
        assert np.abs(says[pair]).max() < 5 * error * _pairs.SHARE_RECALLED
    for name in SIZES:
        np.testing.assert_allclose(says[name, name], 0.0, atol=1e-4)


def test_few_rows_say_less():
    """What few rows say of a pair counts for less than the same said by many."""
    many = rows_of(2_000)
    few, same = started(GRAMMAR, many[:20])[0], started(GRAMMAR, np.repeat(many[:20], 100, axis=0))[0]
    assert np.abs(few["left", "right"]).max() < 0.6 * np.abs(same["left", "right"]).max()


def test_no_more_factors_than_units():
    """With fewer units than tokens the best approximation is what is left: most of what tokens say, the greatest first."""
    says, weights = started(GRAMMAR, rows_of(2_000), units=8)
    whole, _ = started(GRAMMAR, rows_of(2_000))
    assert weights["recall"].shape == (3 * 16, 8)
    assert np.square(says["left", "right"] - whole["left", "right"]).sum() < 0.5 * np.square(whole["left", "right"]).sum()


def test_tokens_of_text_and_tokens_never_seen_start_from_nothing():
    """Text is recalled from nothing on, and so is what no row holds; the columns beside it are as they are without it."""
    ids = rows_of(500)
    grammar = Grammar((*GRAMMAR.runs, NOTE, category("rare", 3)))
    notes = np.random.default_rng(1).integers(3, size=(500, 1)) * [[1, 0]]
    says, _ = started(grammar, np.column_stack([ids, notes, np.zeros(500, int)]).astype(np.int32))
    alone, _ = started(GRAMMAR, ids)
    for to in SIZES:
        assert not says["note", to].any()
        assert not says["rare", to][1:].any()
    np.testing.assert_allclose(says["left", "right"], alone["left", "right"], atol=1e-4)


@pytest.mark.parametrize("ids", [np.zeros((0, 3), np.int32), np.zeros((40, 3), np.int32)], ids=["no rows", "constant"])
def test_where_there_is_nothing_to_count_nothing_is_said(ids):
    """Without rows, and where all are alike, networks start as they do without pairs."""
    says, weights = started(GRAMMAR, ids)
    assert all(np.isfinite(value).all() for value in weights.values())
    assert max(np.abs(value).max() for value in says.values()) < 0.01


@pytest.mark.parametrize("n_others", [0, 1, 3])
def test_a_single_column_that_varies_starts_without_pairs(n_others):
    """Beside constants, or alone, a column that varies has no pair: networks start as they do without pairs."""
    rng = np.random.default_rng(0)
    grammar = Grammar((category("label", 2), *(category(f"constant_{place}", 2) for place in range(n_others))))
    ids = np.zeros((200, 1 + n_others), np.int32)
    ids[:, 0] = rng.integers(2, size=200)
    says, weights = started(grammar, ids)
    assert all(np.isfinite(value).all() for value in weights.values())
    assert max(np.abs(value).max() for value in says.values()) < 0.01


def test_text_alone_starts_without_pairs():
    """Where all columns are text there is nothing to count."""
    notes = np.random.default_rng(0).integers(3, size=(50, 1)) * [[1, 0]]
    says, _ = started(Grammar((NOTE,)), notes.astype(np.int32))
    assert not says["note", "note"].any()


@pytest.mark.parametrize("error", [ArpackError(-9), ArpackNoConvergence("none", [], [])], ids=["refused", "not converged"])
def test_where_arpack_fails_the_start_is_the_same(error, monkeypatch):
    """What ARPACK cannot do LAPACK does, with the same result up to rounding."""
    ids = rows_of(500)
    expected, _ = started(GRAMMAR, ids)

    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(_pairs.scipy.sparse.linalg, "eigsh", fail)
    says, _ = started(GRAMMAR, ids)
    for pair, value in expected.items():
        np.testing.assert_allclose(says[pair], value, atol=1e-4)


def test_of_many_tokens_the_frequent_ones_count(monkeypatch):
    """Beyond the limit the rarest tokens start from nothing, the others as they do anyway."""
    ids = rows_of(2_000)
    ids = ids[(ids[:, 0] != 4) | (np.arange(len(ids)) % 10 == 0)]
    ids = ids[(ids[:, 1] != 4) | (np.arange(len(ids)) % 10 == 0)]
    monkeypatch.setattr(_pairs, "MOST_TOKENS", sum(SIZES.values()) - 2)
    says, _ = started(GRAMMAR, ids)
    for name in ("left", "right"):
        assert not says[name, "other"][4].any()
    assert np.diag(says["left", "right"])[:4].min() > 0.5


def test_the_same_rows_give_the_same_start():
    """Rows in other types, and in a memory map or not, give the same weights to the bit; another seed does not."""
    ids = rows_of(300)
    first, again, other = (
        started(GRAMMAR, ids.astype(kind), seed=seed)[1] for kind, seed in [("i4", 0), ("i8", 0), ("i4", 1)]
    )
    for name, value in first.items():
        np.testing.assert_array_equal(value, again[name])
    assert not np.allclose(first["recall"], other["recall"])
