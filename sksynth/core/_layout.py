"""How the slots of a grammar are laid out for the compiled network: padded, grouped, in one canonical order.

Compiled steps are cached by shape, so two tables, folds or candidates share one compilation whenever their `Layout.shape`
is the same: block sizes are padded to a few sizes, slots of equal shape form a *group* whose heads run as one batched
matrix product, and everything else (order of reading, priors, sizes before padding) is passed as data.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from .._grammar import Grammar
from .._memory_map import in_blocks

ILLEGAL = np.float32(-1e9)  # added to the logits of tokens that a state forbids
RECALL_SCALE = 0.25  # of the vectors that are recalled: at full scale small tables are learned by heart
PRIOR_WEIGHT = 0.5  # pseudo-count of a token that was never seen, in the priors


class Group(NamedTuple):
    """Slots of one padded shape: their heads are evaluated together."""

    n_tokens: int
    n_states: int
    repeat: int
    n_slots: int

    @property
    def n_positions(self) -> int:
        return self.n_slots * self.repeat


def has_text(groups: tuple[Group, ...]) -> bool:
    """Say whether slots repeat, so that rows differ in length."""
    return any(group.repeat > 1 for group in groups)


def _padded(size: int) -> int:
    """Return 16 or the next multiple of 64: few sizes, so few groups, which take longer to compile than padding to compute."""
    return 16 if size <= 16 else -(-size // 64) * 64


@dataclass(frozen=True, eq=False)
class Layout:
    """The canonical order of a grammar's positions, and the arrays that the network needs beside its weights.

    Canonical order is group by group, slot by slot; `canonical[i]` is the grammar's position at canonical place i, and
    `order[t]` is the canonical place that is read at time t (here: the order of the grammar's own runs).
    """

    grammar: Grammar

    @cached_property
    def _keys(self) -> list[tuple[int, bool, int]]:
        return [(_padded(slot.n_tokens), slot.n_states > 1, slot.repeat) for slot in self.grammar.slots]

    @cached_property
    def slots(self) -> np.ndarray:
        """Indices of the grammar's slots in canonical order."""
        return np.array(sorted(range(len(self._keys)), key=lambda index: (self._keys[index], index)), int)

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The groups in canonical order: what a compilation depends on."""
        groups = []
        for key in sorted(set(self._keys)):
            members = [slot for slot, other in zip(self.grammar.slots, self._keys, strict=True) if other == key]
            states = max(slot.n_states for slot in members)
            groups.append(Group(key[0], _padded(states) if key[1] else 1, key[2], len(members)))
        return tuple(groups)

    @cached_property
    def canonical(self) -> np.ndarray:
        """The grammar's position at every canonical place, shape (n_positions,)."""
        positions = self.grammar.slot_of_position
        return np.concatenate([np.flatnonzero(positions == index) for index in self.slots])

    @cached_property
    def order(self) -> np.ndarray:
        """The canonical place that is read at each time, shape (n_positions,)."""
        return np.argsort(self.canonical).astype(np.int32)

    @cached_property
    def run_of_position(self) -> np.ndarray:
        """The run that every position of the grammar belongs to, shape (n_positions,)."""
        return np.cumsum(self.grammar.run_starts) - 1

    def positions(self, first: Sequence[int] = ()) -> np.ndarray:
        """Return the grammar's positions in the order of reading where some runs are read before all others."""
        return np.argsort(~np.isin(self.run_of_position, first), kind="stable")

    def scored(self, n_context: int) -> np.ndarray:
        """Return 0 for the places of the first so many runs, which are context only, else 1; shape (n_positions,)."""
        return (self.run_of_position[self.canonical] >= n_context).astype(np.float32)

    def lengths(self, rows: np.ndarray) -> np.ndarray:
        """Return how many positions of each row are read until nothing is left to choose, shape (n_rows,)."""
        return np.concatenate([np.zeros(0, np.int32), *map(self._lengths, in_blocks(rows))])

    def _lengths(self, rows):
        lengths = np.zeros(len(rows), np.int32)
        states = rows[:, len(self.canonical) :][:, self.order]
        for position, slot in enumerate(self.grammar.slot_of_position):
            choices = (self.grammar.slots[slot].transitions >= 0).sum(axis=1)
            lengths[choices[states[:, position]] > 1] = position + 1
        return lengths

    @property
    def row_type(self) -> type:
        """The smallest type that holds tokens and states."""
        return np.int16 if max((slot.n_tokens for slot in self.grammar.slots), default=0) <= 2**15 else np.int32

    def rows(self, ids: np.ndarray) -> np.ndarray:
        """Return tokens and states side by side in canonical order, shape (n_rows, 2 * n_positions), of type `row_type`."""
        parts = [part[:, self.canonical] for part in (ids, self.grammar.states(ids))]
        return np.concatenate(parts, axis=1, dtype=self.row_type, casting="unsafe")

    def pad(self, blocks: list[np.ndarray], fill=0.0) -> list[np.ndarray]:
        """Stack one array of shape (n_states, n_tokens) per slot by group, filled up to the group's size."""
        padded, start = [], 0
        for group in self.groups:
            members = self.slots[start : start + group.n_slots]
            start += group.n_slots
            stack = np.full((group.n_slots, group.n_states, group.n_tokens), fill, np.float32)
            for place, index in enumerate(members):
                block = blocks[index]
                stack[place, : block.shape[0], : block.shape[1]] = block
            padded.append(stack)
        return padded

    def priors(self, rows: np.ndarray) -> list[np.ndarray]:
        """Log of the smoothed share of every token in its state, ILLEGAL where forbidden: where the logits start."""
        tables = []
        for slot, counts in zip(self.grammar.slots, self._counts(rows), strict=True):
            allowed = slot.transitions >= 0
            smooth = np.where(allowed, counts + PRIOR_WEIGHT / max(slot.n_tokens, 1), 0.0)
            share = smooth / np.maximum(smooth.sum(axis=1, keepdims=True), 1e-30)
            tables.append(np.where(allowed, np.log(np.maximum(share, 1e-30)), ILLEGAL).astype(np.float32))
        return self.pad(tables, ILLEGAL)

    def _counts(self, rows):
        """Count tokens by slot and state, as `Grammar.counts` does."""
        totals = [np.zeros(slot.transitions.shape, np.int64) for slot in self.grammar.slots]
        for block in in_blocks(rows):
            ids, states = np.split(block, 2, axis=1)
            for total, counts in zip(totals, self.grammar.counts(ids[:, self.order], states[:, self.order]), strict=True):
                total += counts
        return totals
