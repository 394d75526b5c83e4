"""Promises of the grammar: what a row may say is exactly what its step functions allow."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sksynth._grammar import Grammar, Run, Slot, compile_slots


@st.composite
def automata(draw):
    """Return sizes of one to four small slots, and a table of the transitions that they allow."""
    sizes = draw(st.lists(st.integers(1, 3), min_size=1, max_size=4))
    cells = [(i, state, token) for i, size in enumerate(sizes) for state in range(3) for token in range(size)]
    following = draw(st.lists(st.one_of(st.none(), st.integers(0, 2)), min_size=len(cells), max_size=len(cells)))
    return sizes, dict(zip(cells, following, strict=True))


def walk(table, tokens):
    """Return the states before each token and after the last, None from the first forbidden token on."""
    states = [0]
    for index, token in enumerate(tokens):
        states.append(None if states[-1] is None else table[index, states[-1], token])
    return states


def compiled(automaton):
    """Return the grammar of one run that follows an automaton, and all its sequences with their states."""
    sizes, table = automaton
    run = compile_slots([f"s{i}" for i in range(len(sizes))], sizes, lambda *cell: table[cell])
    return Grammar((run,)), [(tokens, walk(table, tokens)) for tokens in product(*map(range, sizes))]


def text(size=3, repeat=4):
    """Return a run of text: after the end token, 0, nothing but the end token."""
    transitions = np.zeros((2, size), np.int16)
    transitions[0, 0], transitions[1, 1:], transitions[1, 0] = 1, -1, 1
    return Run((Slot("note", transitions, repeat=repeat),))


def choice(name, size):
    """Return a run of one slot in which every token is legal."""
    return compile_slots([name], [size], lambda *_: 0)


@given(automata())
def test_a_sequence_is_legal_exactly_when_the_step_function_allows_it(automaton):
    """`states` takes what the step function takes, and refuses every other sequence with the first slot that forbids it."""
    grammar, sequences = compiled(automaton)

    for tokens, states in sequences:
        if states[-1] is None:
            with pytest.raises(ValueError, match=f"slot 's{states.index(None) - 1}': token .* of row 0 is illegal"):
                grammar.states(np.array([tokens]))
        else:
            assert 0 == grammar.states(np.array([tokens]))[0, 0]


@given(automata())
def test_states_are_those_of_the_step_function(automaton):
    """Two legal sequences are in one state before a slot exactly when the step function says so."""
    grammar, sequences = compiled(automaton)
    legal = [(tokens, states[:-1]) for tokens, states in sequences if states[-1] is not None]
    if not legal:
        return

    got = grammar.states(np.array([tokens for tokens, _ in legal]))

    for numbers, names in zip(got.T, np.array([states for _, states in legal]).T, strict=True):
        pairs = set(zip(numbers.tolist(), names.tolist(), strict=True))
        assert len(pairs) == len(set(numbers.tolist())) == len(set(names.tolist()))


@given(automata())
def test_only_states_that_can_be_reached_are_kept(automaton):
    """A slot has as many states as legal beginnings lead to, however many the step function knows."""
    grammar, sequences = compiled(automaton)

    for index, slot in enumerate(grammar.slots):
        reached = {states[index] for _, states in sequences} - {None}
        assert len(reached) == slot.n_states


def test_states_begin_anew_with_every_run():
    """The state at the end of one field has no influence on the next field."""
    grammar = Grammar((text(repeat=2), text(repeat=2)))

    assert [[0, 1, 0, 0], [0, 0, 0, 1]] == grammar.states(np.array([[0, 0, 1, 1], [1, 2, 0, 0]])).tolist()


def test_start_of_a_run_may_be_any_hashable():
    """Steps may use states of their own kind; they are numbered."""
    run = compile_slots(["a", "b"], [2, 2], lambda i, state, token: state + "xy"[token] if i == 0 else state, start="")

    assert [(1, 2), (2, 2)] == [slot.transitions.shape for slot in run.slots]
    assert [[0, 1]] == run.slots[0].transitions.tolist()


def test_step_sees_the_slot_the_state_and_the_token():
    """A day may depend on its month: 30 days in the second month of two, 31 in the first."""
    run = compile_slots(["month", "day"], [2, 31], lambda i, s, t: t if i == 0 else (None if s == 1 and t == 30 else 0))
    grammar = Grammar((run,))

    assert grammar.states(np.array([[0, 30], [1, 29]])).tolist() == [[0, 0], [0, 1]]
    with pytest.raises(ValueError, match="slot 'day': token 30 of row 1 is illegal in state 1"):
        grammar.states(np.array([[0, 30], [1, 30]]))


@pytest.mark.parametrize("token", [-1, 3])
def test_tokens_outside_the_block_are_refused(token):
    """A token that the slot does not own is refused with the slot's name, the tokens found and the tokens expected."""
    grammar = Grammar((choice("age", 4), choice("sex", 3)))

    with pytest.raises(ValueError, match=rf"slot 'sex': got tokens {min(token, 0)}\.\.{max(token, 0)}, expected 0\.\.2"):
        grammar.states(np.array([[3, 0], [0, token]]))


def test_after_the_end_of_a_text_only_the_end():
    """A run of one repeated slot carries its state from position to position."""
    grammar = Grammar((text(repeat=4),))

    assert [[0, 0, 0, 1]] == grammar.states(np.array([[2, 1, 0, 0]])).tolist()
    with pytest.raises(ValueError, match="slot 'note': token 1 of row 0 is illegal in state 1"):
        grammar.states(np.array([[2, 0, 1, 0]]))


def test_no_rows_are_legal():
    """An empty table of ids has an empty table of states, and counts of nothing."""
    grammar = Grammar((choice("age", 4), text()))
    nothing = np.empty((0, grammar.n_positions), np.int32)

    assert (0, 5) == grammar.states(nothing).shape
    assert 0 == sum(table.sum() for table in grammar.counts(nothing, grammar.states(nothing)))


def test_unsampled_tokens_are_marked_in_their_slot():
    """`unsampled` marks tokens of the slots that it names; by default every token may be drawn."""
    first, second = compile_slots(["a", "b"], [3, 2], lambda *_: 0, unsampled={0: [1, 2]}).slots

    assert [False, True, True] == first.unsampled.tolist()
    assert [False, False] == second.unsampled.tolist() == Slot("c", np.zeros((1, 2), np.int16)).unsampled.tolist()


def test_positions_slots_and_runs_are_numbered_in_step():
    """A slot fills as many positions as it repeats, and a run starts where its first slot does."""
    grammar = Grammar((choice("age", 4), text(repeat=3), compile_slots(["a", "b"], [2, 2], lambda *_: 0)))

    assert ["age", "note", "a", "b"] == [slot.name for slot in grammar.slots]
    assert [0, 1, 1, 1, 2, 3] == grammar.slot_of_position.tolist()
    assert [True, True, False, False, True, False] == grammar.run_starts.tolist()
    assert 6 == grammar.n_positions == sum(run.n_positions for run in grammar.runs)


def test_a_grammar_without_runs_has_rows_without_tokens():
    """A record none of whose fields has slots is legal and empty."""
    grammar = Grammar()

    assert 0 == grammar.n_positions == len(grammar.slots) == len(grammar.slot_of_position) == len(grammar.run_starts)
    assert (2, 0) == grammar.states(np.empty((2, 0), int)).shape


@given(automata(), st.integers(0, 40), st.integers(0, 2**32 - 1))
def test_counts_count_every_token_in_its_state(automaton, n_rows, seed):
    """Counts by slot, state and token are those of a loop over all cells; positions of one slot are counted together."""
    grammar, sequences = compiled(automaton)
    legal = [tokens for tokens, states in sequences if states[-1] is not None]
    if not legal:
        return
    rng = np.random.default_rng(seed)
    notes = rng.integers(1, 3, (n_rows, 4)) * (np.arange(4) < rng.integers(0, 5, (n_rows, 1)))
    ids = np.hstack([np.array(legal)[rng.integers(len(legal), size=n_rows)], notes])
    grammar = Grammar((*grammar.runs, text(repeat=4)))
    states = grammar.states(ids)
    expected = [np.zeros(slot.transitions.shape, int) for slot in grammar.slots]
    for row, position in np.ndindex(ids.shape):
        expected[grammar.slot_of_position[position]][states[row, position], ids[row, position]] += 1

    counts = grammar.counts(ids, states)

    assert [table.tolist() for table in expected] == [table.tolist() for table in counts]


def test_rows_of_another_width_are_refused():
    """Token ids of more or fewer positions than the grammar has are refused with both numbers."""
    grammar = Grammar((compile_slots(["a", "b"], [2, 2], lambda *_: 0),))
    with pytest.raises(ValueError, match="got token ids of 3 positions, expected 2"):
        grammar.states(np.zeros((4, 3), np.int32))
