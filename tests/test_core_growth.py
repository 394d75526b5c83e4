"""Promises of growth: a network whose slots get more tokens says of the old ones what it said."""

import numpy as np
import pytest

from sksynth import core
from sksynth._grammar import OTHER, Grammar, Run, Slot, compile_slots
from sksynth.core._growth import grown_weights
from sksynth.core._layout import ILLEGAL, Layout
from sksynth.core._network import NetworkShape
from sksynth.core._training import initial_weights


def category(name, n_tokens):
    """Return the run of a category."""
    return compile_slots([name], [n_tokens], lambda *_: 0, unsampled={0: [OTHER]})


def date_step(index, state, token):
    """Step of a date: one of two halves of a year, then a month that belongs to it; neither is OTHER."""
    if index == 0:
        return None if token == OTHER else token
    return None if token < 2 or (state == 2) != (token < 8) else 0


DATE = compile_slots(["date.half", "date.month"], [4, 14], date_step)
NOTE = Run((Slot("note", np.array([[1, 0, 0], [1, -1, -1]], np.int16), repeat=2),))  # token 0 ends the note


def grammar_of(n_cities, n_shops):
    """Return a grammar of two categories, of which the first stands before, the second behind a date and a note."""
    return Grammar((category("city", n_cities), DATE, NOTE, category("shop", n_shops)))


def random_rows(grammar, n_rows=60):
    """Return legal rows, every token drawn evenly from those that its state allows."""
    rng, ids, state = np.random.default_rng(0), np.zeros((n_rows, grammar.n_positions), np.int32), np.zeros(n_rows, int)
    for position, index in enumerate(grammar.slot_of_position):
        transitions = grammar.slots[index].transitions
        state = np.where(grammar.run_starts[position], 0, state)
        ids[:, position] = np.where(transitions[state] >= 0, rng.random((n_rows, transitions.shape[1])), -1).argmax(axis=1)
        state = transitions[state, ids[:, position]]
    return ids


BEFORE = grammar_of(12, 9)
ROWS = random_rows(BEFORE)


def shape_of(grammar):
    """Return the shape of the network of a grammar."""
    return NetworkShape(Layout(grammar).groups, embedding_dim=4, rnn_units=6, n_layers=1, recalls=True)


def drawn_weights(grammar):
    """Return weights of which all but the priors, those of random rows, are drawn and none is small."""
    layout, rng = Layout(grammar), np.random.default_rng(1)
    weights = initial_weights(shape_of(grammar), layout.priors(layout.rows(random_rows(grammar))), rng)
    return {
        name: value if name.startswith("prior") else (value + 0.5 * rng.standard_normal(value.shape)).astype(np.float32)
        for name, value in weights.items()
    }


WEIGHTS = drawn_weights(BEFORE)


def prior_of(weights, grammar, index):
    """Return the prior of one slot, padded."""
    priors = [prior for number in range(len(Layout(grammar).groups)) for prior in weights[f"prior_{number}"]]
    return priors[Layout(grammar).slots.tolist().index(index)]


def score(grammar, weights, ids=ROWS):
    """Return the log-likelihood of rows."""
    return core.log_likelihood(grammar, weights, shape_of(grammar), ids)


def without_new_tokens(weights, after):
    """Return grown weights in which no new token is legal."""
    layout, weights = Layout(after), dict(weights)
    blocks = [np.where(slot.transitions >= 0, 1.0, 0.0) for slot in BEFORE.slots]
    for number, known in enumerate(layout.pad(blocks)):
        weights[f"prior_{number}"] = np.where(known, weights[f"prior_{number}"], ILLEGAL)
    return weights


GROWN = {
    "within the padding": (14, 9),
    "the first slot beyond it": (17, 9),
    "the last slot beyond it": (12, 40),
    "both slots": (20, 17),
}


def test_an_untouched_grammar_keeps_its_weights():
    """Where no slot grows, all weights are the same to the bit."""
    grown = grown_weights(WEIGHTS, BEFORE, grammar_of(12, 9))

    assert grown.keys() == WEIGHTS.keys()
    assert all(np.array_equal(grown[name], WEIGHTS[name]) for name in WEIGHTS)


@pytest.mark.parametrize("name", GROWN)
def test_grown_weights_are_those_of_the_grown_network(name):
    """Names and sizes are those of a network that starts anew; padding and what is forbidden stay illegal."""
    after = grammar_of(*GROWN[name])
    fresh = drawn_weights(after)

    grown = grown_weights(WEIGHTS, BEFORE, after)

    assert {name: value.shape for name, value in grown.items()} == {name: value.shape for name, value in fresh.items()}
    assert {value.dtype for value in grown.values()} == {np.dtype(np.float32)}
    for number in range(len(Layout(after).groups)):
        assert np.array_equal(fresh[f"prior_{number}"] == ILLEGAL, grown[f"prior_{number}"] == ILLEGAL)


@pytest.mark.parametrize("name", GROWN)
def test_old_rows_score_the_same_but_for_the_new_tokens(name):
    """Old rows lose what the new tokens take, and nothing where these are forbidden, also where slots change their group."""
    after, before = grammar_of(*GROWN[name]), score(BEFORE, WEIGHTS)
    grown = grown_weights(WEIGHTS, BEFORE, after)

    assert [len(Layout(grammar).groups) for grammar in (BEFORE, after)] == [3, 3 if name == "within the padding" else 4]
    np.testing.assert_allclose(score(after, without_new_tokens(grown, after)), before, rtol=0, atol=1e-4)
    assert (score(after, grown) < before).all()


def test_a_new_token_is_said_as_other_from_the_smallest_prior():
    """New tokens are as likely as OTHER would be at the slot's smallest prior; the old ones lose one share for them all."""
    after, rows = grammar_of(14, 9), np.repeat(ROWS[:1], 14, axis=0)
    rows[:, 0] = np.arange(14)  # by city
    grown = grown_weights(WEIGHTS, BEFORE, after)
    prior = prior_of(grown, after, 0)[0]

    old, new = score(BEFORE, WEIGHTS, rows[:12]), score(after, grown, rows)

    np.testing.assert_allclose(new[12:], new[OTHER] + prior[:12].min() - prior[OTHER], rtol=0, atol=1e-4)
    np.testing.assert_allclose(old - new[:12], old[0] - new[0], rtol=0, atol=1e-4)


def test_a_new_token_is_illegal_where_the_grammar_says_so():
    """A new token that one state alone allows has the slot's smallest prior there, and is illegal in all other states."""
    month = BEFORE.slots[2]
    transitions = np.concatenate([month.transitions, [[-1], [0], [-1]]], axis=1).astype(np.int16)
    after = Grammar((BEFORE.runs[0], Run((BEFORE.slots[1], Slot(month.name, transitions))), *BEFORE.runs[2:]))

    prior = prior_of(grown_weights(WEIGHTS, BEFORE, after), after, 2)

    assert prior[1, 14] == prior[:3, :14][month.transitions >= 0].min()
    assert (np.delete(prior[:, 14], 1) == ILLEGAL).all()


def test_growth_may_end_a_group():
    """A group whose only slot moves into another is gone: no weights of it are left."""
    before, after = (Grammar((category("city", n), category("shop", 40))) for n in (12, 30))
    weights = drawn_weights(before)

    grown = grown_weights(weights, before, after)

    assert grown.keys() == weights.keys() - {"head_1", "head_bias_1", "prior_1"}
    assert np.array_equal(grown["slot_embedding"], weights["slot_embedding"])
    assert np.array_equal(grown["embedding"][64:], weights["embedding"][16:])


def test_growth_writes_to_no_weights():
    """The weights before are the same afterwards: the network that they belong to still samples with them."""
    kept = {name: value.copy() for name, value in WEIGHTS.items()}
    grown_weights(WEIGHTS, BEFORE, grammar_of(20, 30))
    assert all(np.array_equal(kept[name], WEIGHTS[name]) for name in kept)


@pytest.mark.parametrize(
    ("after", "message"),
    [
        (Grammar(BEFORE.runs[:3]), r"runs of \[1, 2, 2\] positions, expected \[1, 2, 2, 1\]"),
        (Grammar((category("town", 12), *BEFORE.runs[1:])), "slot 'town': got another slot, repeat or states than 'city' had"),
        (grammar_of(11, 9), "slot 'city': its first 12 tokens are not those of before"),
        (
            Grammar((Run((Slot("city", np.full((1, 13), -1, np.int16)),)), *BEFORE.runs[1:])),
            "slot 'city': its first 12 tokens",
        ),
    ],
    ids=["a run less", "another name", "fewer tokens", "other tokens"],
)
def test_another_grammar_is_refused(after, message):
    """A grammar that is not the other with more tokens is refused by the slot's name."""
    with pytest.raises(ValueError, match=message):
        grown_weights(WEIGHTS, BEFORE, after)


def test_a_slot_without_other_cannot_grow():
    """Where there is no token OTHER, there is none as which a new token could begin."""
    before, after = (Grammar((Run((Slot("city", np.zeros((1, n), np.int16)),)),)) for n in (1, 3))
    with pytest.raises(ValueError, match="slot 'city': got 3 tokens, but has no OTHER"):
        grown_weights(drawn_weights(before), before, after)
