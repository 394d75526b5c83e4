"""Promises of the layout: padded and regrouped, the tables say what the grammar says."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from sksynth._grammar import Grammar, Run, Slot
from sksynth.core._layout import ILLEGAL, Layout


@st.composite
def grammars(draw):
    """Return a grammar of up to four runs of up to three slots, some with states, some repeated."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    repeats = draw(
        st.lists(st.one_of(st.integers(2, 3), st.lists(st.just(1), min_size=1, max_size=3)), min_size=1, max_size=4)
    )
    runs = []
    for number, repeat in enumerate(repeats):
        repeated, n = isinstance(repeat, int), 1 if isinstance(repeat, int) else len(repeat)
        states = [1, *rng.integers(1, 11, n)] if not repeated else [1 + rng.integers(3)] * 2
        slots = []
        for before, after in pairwise(states):
            transitions = rng.integers(after, size=(before, rng.integers(1, 20))).astype(np.int16)
            forbidden = rng.random(transitions.shape) < 0.3
            forbidden[np.arange(before), rng.integers(transitions.shape[1], size=before)] = False
            transitions[forbidden] = -1
            slots.append(Slot(f"{number}.{len(slots)}", transitions, None, repeat if repeated else 1))
        runs.append(Run(tuple(slots)))
    return Grammar(tuple(runs))


def random_rows(grammar, n_rows, seed):
    """Return legal rows, every token drawn evenly from those that its state allows."""
    rng, rows = np.random.default_rng(seed), []
    for _ in range(n_rows):
        row, state = [], 0
        for index, starts in zip(grammar.slot_of_position, grammar.run_starts, strict=True):
            transitions = grammar.slots[index].transitions
            allowed = transitions[0 if starts else state]
            row.append(rng.choice(np.flatnonzero(allowed >= 0)))
            state = allowed[row[-1]]
        rows.append(row)
    return np.array(rows, np.int32).reshape(n_rows, grammar.n_positions)


@given(grammars())
def test_canonical_places_and_reading_order_undo_each_other(grammar):
    """`canonical` and `order` are inverse permutations, and slots of one padded shape lie together."""
    layout = Layout(grammar)
    n = grammar.n_positions

    assert layout.canonical[layout.order].tolist() == layout.order[layout.canonical].tolist() == list(range(n))
    assert n == sum(group.n_positions for group in layout.groups)
    assert len(layout.groups) == len({(g.n_tokens, g.n_states > 1, g.repeat) for g in layout.groups})
    sizes = np.repeat([g.n_tokens for g in layout.groups], [g.n_positions for g in layout.groups])
    assert all(
        grammar.slots[index].n_tokens <= size
        for index, size in zip(grammar.slot_of_position[layout.canonical], sizes, strict=True)
    )


@given(grammars(), st.integers(0, 2**32 - 1))
def test_rows_hold_tokens_and_states_in_canonical_order(grammar, seed):
    """`rows` is the ids and their states, each reordered to canonical places, in the smallest type that holds them."""
    ids, layout = random_rows(grammar, 5, seed), Layout(grammar)

    tokens, states = np.hsplit(layout.rows(ids), 2)

    assert np.array_equal(ids, tokens[:, layout.order])
    assert np.array_equal(grammar.states(ids), states[:, layout.order])
    assert np.int16 == tokens.dtype


@given(grammars(), st.integers(0, 20), st.integers(0, 2**32 - 1))
def test_priors_are_shares_of_the_legal_tokens(grammar, n_rows, seed):
    """In every state the priors of the legal tokens sum to 1, in the order of their counts; all else is illegal."""
    ids, layout = random_rows(grammar, n_rows, seed), Layout(grammar)
    counts = grammar.counts(ids, grammar.states(ids))

    tables = [table for stack in layout.priors(layout.rows(ids)) for table in stack]

    for index, table in zip(layout.slots, tables, strict=True):
        transitions = grammar.slots[index].transitions
        legal = np.zeros(table.shape, bool)
        legal[: transitions.shape[0], : transitions.shape[1]] = transitions >= 0
        shares = np.where(legal, np.exp(table.astype(float)), 0)
        assert (table[~legal] == ILLEGAL).all()
        np.testing.assert_allclose(shares.sum(axis=1)[: len(transitions)], 1, rtol=1e-5)
        for state, row in enumerate(counts[index]):
            allowed = transitions[state] >= 0
            ranks = np.sign(np.subtract.outer(row[allowed], row[allowed]))
            mine = table[state, : len(row)][allowed]
            assert np.array_equal(ranks, np.sign(np.subtract.outer(mine, mine)))


@given(grammars(), st.integers(0, 2**32 - 1))
def test_beyond_its_length_a_row_has_no_choice(grammar, seed):
    """At the last position of a row's length another token is legal, at all positions beyond none is."""
    ids, layout = random_rows(grammar, 5, seed), Layout(grammar)
    states = grammar.states(ids)

    for row, length in enumerate(layout.lengths(layout.rows(ids))):
        slots = [grammar.slots[index] for index in grammar.slot_of_position]
        choices = [(slot.transitions[state] >= 0).sum() for slot, state in zip(slots, states[row], strict=True)]
        assert length == max((place + 1 for place, n in enumerate(choices) if n > 1), default=0)
