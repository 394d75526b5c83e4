"""What a row may say: slots, their blocks of tokens, and small automata over them.

This is what tokenizers and the training core have in common, and all that they have in common. A record is a fixed list of
*positions*; each position belongs to a *slot*, which owns a block of tokens; the slots of one field follow one another and
form a *run*. Which tokens a position may hold depends on a *state* that starts at 0 with the run and is carried from
position to position by a table. Training, scoring and sampling read the same table.
"""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

__all__ = ["Grammar", "Run", "Slot", "compile_slots"]

MISSING = 0  # the token of a missing value, in the first slot of every field
OTHER = 1  # the token of a value that the field does not name, in the first slot of every field


@dataclass(frozen=True, eq=False)
class Slot:
    """One block of tokens and the automaton step that is taken in it.

    Parameters
    ----------
    name : str
        For messages, such as ``"age"`` or ``"birth.month"``.
    transitions : ndarray of int16, shape (n_states, n_tokens)
        The state of the run's next position after a token was read in a state; -1 where the state forbids the token.
    unsampled : ndarray of bool, shape (n_tokens,), default=none
        Tokens that data may hold and that are scored, but that are never drawn.
    repeat : int, default=1
        Number of consecutive positions that share the slot (a run of text).
    """

    name: str
    transitions: np.ndarray
    unsampled: np.ndarray = None
    repeat: int = 1

    def __post_init__(self):
        if self.unsampled is None:
            object.__setattr__(self, "unsampled", np.zeros(self.n_tokens, bool))

    @property
    def n_states(self) -> int:
        return self.transitions.shape[0]

    @property
    def n_tokens(self) -> int:
        return self.transitions.shape[1]


@dataclass(frozen=True, eq=False)
class Run:
    """The slots of one field, in the order in which they are read."""

    slots: tuple[Slot, ...]

    @property
    def n_positions(self) -> int:
        return sum(slot.repeat for slot in self.slots)


@dataclass(frozen=True, eq=False)
class Grammar:
    """All runs of a record.

    Parameters
    ----------
    runs : tuple of Run
        One per field that has slots at all.
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
        """Count tokens by slot and state: one array of shape (n_states, n_tokens) per slot."""
        counts = [np.zeros((slot.n_states, slot.n_tokens), np.int64) for slot in self.slots]
        for position, index in enumerate(self.slot_of_position):
            shape = counts[index].shape
            flat = states[:, position].astype(np.int64) * shape[1] + ids[:, position]
            counts[index] += np.bincount(flat, minlength=counts[index].size).reshape(shape)
        return counts


def compile_slots(names, sizes, step, *, start=0, unsampled=None) -> Run:
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
