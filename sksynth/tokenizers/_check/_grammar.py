"""Whether rows can be drawn from a grammar, and rows that are."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..._grammar import Grammar
from ._error import expect, kind_of

__all__ = ["are_alike", "check_grammar", "draw"]


def check_grammar(grammar: Any) -> None:
    """Refuse what is no grammar, and one in which drawing may lead to where no token may be drawn."""
    remedy = "make one of runs of slots, for instance by compile_slots, and set it in fit"
    expect(isinstance(grammar, Grammar), "grammar_", kind_of(grammar), "a sksynth.tokenizers.Grammar", remedy)
    for slot, reached in _reached(grammar):
        stuck = reached & ~_drawable(slot).any(axis=1)
        expect(
            not stuck.any(),
            "grammar_",
            f"no token that may be drawn in slot {slot.name!r}, state {stuck.argmax()}",
            "one at least, wherever drawing may lead",
            "forbid the tokens that lead there, or allow one there that is not unsampled",
        )


def _drawable(slot):
    return (slot.transitions >= 0) & ~slot.unsampled


def _reached(grammar):
    """Yield the slot of every position, and by state whether drawing may lead there."""
    following = {0}
    for index, starts in zip(grammar.slot_of_position, grammar.run_starts, strict=True):
        slot, states = grammar.slots[index], [0] if starts else sorted(following)
        reached = np.zeros(slot.n_states, bool)
        reached[states] = True
        yield slot, reached
        following = set(slot.transitions[states][_drawable(slot)[states]].tolist())


def draw(grammar: Grammar, n_rows: int, rng: np.random.Generator, guide: Callable | None = None) -> np.ndarray:
    """Return rows of which every token is drawn evenly among those that may be drawn.

    Parameters
    ----------
    grammar : Grammar
    n_rows : int
    rng : Generator
    guide : callable, optional
        See `LineTokenizer.guides`; several as one.

    Returns
    -------
    ids : ndarray of int32, shape (n_rows, n_positions)
    """
    ids, state = np.zeros((n_rows, grammar.n_positions), np.int32), np.zeros(n_rows, int)
    for position, index in enumerate(grammar.slot_of_position):
        slot = grammar.slots[index]
        if grammar.run_starts[position]:
            state = np.zeros(n_rows, int)
        may = _drawable(slot)[state]
        if guide is not None:
            may &= _allowed(guide, ids[:, :position], slot, may)
        ids[:, position] = ((1 - rng.random(may.shape)) * may).argmax(axis=1)
        state = slot.transitions[state, ids[:, position]]
    return ids


def _allowed(guide, ids, slot, may):
    """Return what a guide allows, once that is what it may be."""
    own = guide(ids.shape[1], ids, np.arange(len(ids)))
    if own is None:
        return True
    got = f"{own.dtype} of shape {own.shape}" if isinstance(own, np.ndarray) else kind_of(own)
    fits = isinstance(own, np.ndarray) and own.dtype == bool and own.shape == may.shape
    expected = f"None, or bools of shape (n_rows, n_tokens), here {may.shape}"
    expect(fits, "guides", got, expected, "say of each token of the slot whether it may come next")
    left = (own & may).any(axis=1).all()
    remedy = "a guide has to leave one token that grammar_ lets be drawn"
    expect(left, "guides", f"no token for a row in slot {slot.name!r}", "one at least", remedy)
    return own


def are_alike(one: Grammar, other: Grammar) -> bool:
    """Say whether two grammars allow, and let be drawn, the same."""
    same_slots = len(one.slots) == len(other.slots) and all(map(_are_alike, one.slots, other.slots))
    return same_slots and np.array_equal(one.run_starts, other.run_starts)


def _are_alike(one, other):
    same = (one.name, one.repeat) == (other.name, other.repeat)
    arrays = ("transitions", "unsampled")
    return same and all(np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays)
