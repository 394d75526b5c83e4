"""What a row may say: slots, their blocks of tokens, and small automata over them.

This is what tokenizers and the training core have in common, and all that they have in common. A record is a fixed list of
*positions*; each position belongs to a *slot*, which owns a block of tokens; the slots of one field follow one another and
form a *run*. Which tokens a position may hold depends on a *state* that starts at 0 with the run and is carried from
position to position by a table. Training, scoring and sampling read the same table.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["Grammar", "Run", "Slot", "compile_slots"]

MISSING = 0  # the token of a missing value, in the first slot of every field
OTHER = 1  # the token of a value that the field does not name, in the first slot of every field


MOST_STATES = 2**15  # as states are kept as int16


@dataclass(frozen=True, eq=False)
class Slot:
    """One block of tokens and the automaton step that is taken in it.

    Parameters
    ----------
    name : str
        For messages, such as ``"age"`` or ``"birth.month"``.
    transitions : array of int, shape (n_states, n_tokens)
        The state of the run's next position after a token was read in a state; -1 where the state forbids the token. Kept as
        int16.
    unsampled : array of bool, shape (n_tokens,), default=none
        Tokens that data may hold and that are scored, but that are never drawn.
    repeat : int, default=1
        Number of consecutive positions that share the slot (a run of text).

    Raises
    ------
    ValueError
        If an array has another shape, `transitions` other numbers, or `repeat` is below 1.

    Examples
    --------
    Two tokens, a letter (0) and an end (1); after the end nothing but the end comes:

    >>> slot = Slot("word", [[0, 1], [-1, 1]], repeat=4)
    >>> slot.n_states, slot.n_tokens
    (2, 2)
    """

    name: str
    transitions: ArrayLike
    unsampled: ArrayLike | None = None
    repeat: int = 1

    def __post_init__(self):
        transitions = np.asarray(self.transitions)
        if transitions.ndim != 2 or transitions.dtype.kind not in "iu":
            raise ValueError(
                f"slot {self.name!r}: got transitions of {transitions.dtype}, shape {transitions.shape}, expected whole "
                "numbers, shape (n_states, n_tokens): the next state for each state and token, or -1"
            )
        low, high = transitions.min(initial=0), transitions.max(initial=0)
        if low < -1 or high >= MOST_STATES:
            raise ValueError(
                f"slot {self.name!r}: got transitions to states {low}..{high}, expected -1 where a token is forbidden, and "
                f"states 0..{MOST_STATES - 1}; number the states from 0"
            )
        never = np.zeros(transitions.shape[1], bool) if self.unsampled is None else np.asarray(self.unsampled)
        if never.shape != transitions.shape[1:] or never.dtype != bool:
            raise ValueError(
                f"slot {self.name!r}: got unsampled of {never.dtype}, shape {never.shape}, expected one bool for each of the "
                f"{transitions.shape[1]} tokens: True for those that are never drawn"
            )
        if self.repeat < 1:
            raise ValueError(f"slot {self.name!r}: got repeat={self.repeat}, expected the number of its positions, at least 1")
        object.__setattr__(self, "transitions", transitions.astype(np.int16, copy=False))
        object.__setattr__(self, "unsampled", never)

    @property
    def n_states(self) -> int:
        """Number of states in which the slot may be read."""
        return self.transitions.shape[0]

    @property
    def n_tokens(self) -> int:
        """Number of tokens."""
        return self.transitions.shape[1]


@dataclass(frozen=True, eq=False)
class Run:
    """The slots of one field, in the order in which they are read; its first position is read in state 0.

    Parameters
    ----------
    slots : tuple of Slot

    Raises
    ------
    ValueError
        If a slot leads to a state that the next one does not have.

    Examples
    --------
    >>> run = Run((Slot("word", [[0, 1], [-1, 1]], repeat=4),))
    >>> run.n_positions
    4
    """

    slots: tuple[Slot, ...]

    def __post_init__(self):
        repeated = [(slot, slot) for slot in self.slots if slot.repeat > 1]
        for slot, following in [*zip(self.slots, self.slots[1:], strict=False), *repeated]:
            reached = slot.transitions.max(initial=-1)
            if reached >= following.n_states:
                raise ValueError(
                    f"slot {slot.name!r} leads to state {reached}, but slot {following.name!r}, which is read next, has "
                    f"{following.n_states} states: give its transitions a row for each"
                )

    @property
    def n_positions(self) -> int:
        """Number of positions of all slots together."""
        return sum(slot.repeat for slot in self.slots)


@dataclass(frozen=True, eq=False)
class Grammar:
    """All runs of a record: which tokens each position may hold.

    Parameters
    ----------
    runs : tuple of Run
        One per field that has slots at all.

    Examples
    --------
    >>> grammar = Grammar((Run((Slot("word", [[0, 1], [-1, 1]], repeat=4),)),))
    >>> grammar.n_positions
    4
    >>> grammar.states(np.array([[0, 0, 1, 1]]))
    array([[0, 0, 0, 1]], dtype=int16)
    >>> grammar.states(np.array([[0, 1, 0, 1]]))
    Traceback (most recent call last):
        ...
    ValueError: slot 'word': token 0 of row 0 is illegal in state 1; was it encoded by another tokenizer?
    """

    runs: tuple[Run, ...] = field(default=())

    @cached_property
    def slots(self) -> tuple[Slot, ...]:
        """Every slot, run by run."""
        return tuple(slot for run in self.runs for slot in run.slots)

    @cached_property
    def slot_of_position(self) -> np.ndarray:
        """Index into `slots` for every position, shape (n_positions,)."""
        return np.repeat(np.arange(len(self.slots)), [slot.repeat for slot in self.slots]).astype(np.int32)

    @cached_property
    def run_starts(self) -> np.ndarray:
        """True at the first position of every run, shape (n_positions,)."""
        starts = np.zeros(self.n_positions, bool)
        starts[np.cumsum([0] + [run.n_positions for run in self.runs])[:-1]] = True
        return starts

    @property
    def n_positions(self) -> int:
        """Number of positions of all runs together."""
        return sum(run.n_positions for run in self.runs)

    def states(self, ids: np.ndarray) -> np.ndarray:
        """Return the state in which each position is read.

        Parameters
        ----------
        ids : ndarray of int, shape (n_rows, n_positions)

        Returns
        -------
        states : ndarray of int16, shape (n_rows, n_positions)

        Raises
        ------
        ValueError
            If a token is outside its slot's block or forbidden in its state, or the number of positions is another.
        """
        if ids.shape[1] != self.n_positions:
            raise ValueError(f"got token ids of {ids.shape[1]} positions, expected {self.n_positions}")
        states = np.zeros(ids.shape, np.int16)
        state = np.zeros(len(ids), np.int16)
        for position, index in enumerate(self.slot_of_position):
            slot, token = self.slots[index], ids[:, position]
            if self.run_starts[position]:
                state = np.zeros(len(ids), np.int16)
            states[:, position] = state
            if len(token) and (token.min() < 0 or token.max() >= slot.n_tokens):
                found, expected = f"{token.min()}..{token.max()}", f"0..{slot.n_tokens - 1}"
                raise ValueError(f"slot {slot.name!r}: got tokens {found}, expected {expected}")
            state = slot.transitions[state, token]
            if (state < 0).any():
                row = int(np.flatnonzero(state < 0)[0])
                raise ValueError(
                    f"slot {slot.name!r}: token {token[row]} of row {row} is illegal in state {states[row, position]}; "
                    "was it encoded by another tokenizer?"
                )
        return states

    def counts(self, ids: np.ndarray, states: np.ndarray) -> list[np.ndarray]:
        """Count tokens by slot and state.

        Parameters
        ----------
        ids : ndarray of int, shape (n_rows, n_positions)
        states : ndarray of int, shape (n_rows, n_positions)
            As `states` returns them.

        Returns
        -------
        counts : list of ndarray of int, shape (n_states, n_tokens)
            One for each slot.
        """
        counts = [np.zeros((slot.n_states, slot.n_tokens), np.int64) for slot in self.slots]
        for position, index in enumerate(self.slot_of_position):
            shape = counts[index].shape
            flat = states[:, position].astype(np.int64) * shape[1] + ids[:, position]
            counts[index] += np.bincount(flat, minlength=counts[index].size).reshape(shape)
        return counts


def compile_slots(
    names: Sequence[str],
    sizes: Sequence[int],
    step: Callable[[int, Hashable, int], Hashable | None],
    *,
    start: Hashable = 0,
    unsampled: Mapping[int, ArrayLike] | None = None,
) -> Run:
    """Build a run from a step function, by walking the states that can be reached.

    Parameters
    ----------
    names : list of str
    sizes : list of int
        Tokens per slot.
    step : callable
        ``step(slot_index, state, token)`` gives the next state, any hashable, or None where the token is forbidden.
    start : hashable, default=0
        The state before the first slot.
    unsampled : dict of int to array of int, optional
        Slot index to the tokens that are never drawn.

    Returns
    -------
    run : Run

    Examples
    --------
    Two digits of base 3, the second not below the first; the state is the digit that was read:

    >>> run = compile_slots(["first", "second"], [3, 3], lambda place, least, digit: digit if digit >= least else None)
    >>> run.slots[1].transitions >= 0
    array([[ True,  True,  True],
           [False,  True,  True],
           [False, False,  True]])
    """
    frontier, slots = {start: 0}, []
    for index, (name, size) in enumerate(zip(names, sizes, strict=True)):
        reached: dict = {}
        transitions = np.full((len(frontier), size), -1, np.int16)
        for state, row in frontier.items():
            for token in range(size):
                following = step(index, state, token)
                if following is not None:
                    transitions[row, token] = reached.setdefault(following, len(reached))
        never = np.zeros(size, bool)
        never[np.asarray((unsampled or {}).get(index, []), int)] = True
        slots.append(Slot(name, transitions, never))
        frontier = reached
    return Run(tuple(slots))
