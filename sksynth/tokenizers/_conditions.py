"""Conditions on columns, as the tokens and free digits that meet them."""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .._grammar import MISSING
from ._codec import FieldCodec
from ._domain import Wanted
from ._permutation import mix
from ._text import END, TextCodec

__all__ = ["Condition", "IdentifierCondition", "ListCondition", "Place", "TextCondition"]


@dataclass(frozen=True)
class Place:
    """Where in a row of ids a column stands.

    Parameters
    ----------
    run : int or None
        Its run in the grammar; None where nothing of it is modelled.
    positions, free : slice
        Of its tokens and of its free digits.
    """

    run: int | None
    positions: slice
    free: slice


class Condition(ABC):
    """What is given of a column.

    Parameters
    ----------
    place : Place
    codec : FieldCodec
    wanted : Wanted

    Attributes
    ----------
    run, positions, free
        See `Place`.
    """

    def __init__(self, place: Place, codec: FieldCodec, wanted: Wanted):
        self.run, self.positions, self.free = place.run, place.positions, place.free
        self.codec = codec
        self.missing = wanted.missing
        self._only = wanted.cells if len(wanted.cells) == 1 and not wanted.within and not wanted.missing else None
        self._slots = [] if codec.run is None else [slot for slot in codec.run.slots for _ in range(slot.repeat)]

    @abstractmethod
    def log_weights(self, tokens: np.ndarray) -> np.ndarray:
        """Return how much of what each next token stands for meets the condition.

        Parameters
        ----------
        tokens : ndarray of int, shape (n_lanes, n_read)
            The column's tokens so far, none of which had weight -inf.

        Returns
        -------
        log_weights : ndarray of float32, shape (n_lanes, n_tokens)
            0 where all of it, or where later tokens tell; -inf where nothing. Some token has a finite one. Their sum over the
            positions is the log of the share of the values of these tokens that meet the condition.
        """

    def sequences(self, most: int) -> tuple[np.ndarray, np.ndarray]:
        """Return all tokens that meet the condition, and the sums of their weights; none if there are more than `most`.

        Returns
        -------
        tokens : ndarray of int32, shape (n_sequences, n_positions)
        log_weights : ndarray of float, shape (n_sequences,)
        """
        tokens, weights, state = np.zeros((1, 0), np.int32), np.zeros(1), np.zeros(1, int)
        for slot in self._slots:
            following = np.where(slot.transitions[state] >= 0, self.log_weights(tokens), -np.inf)
            before, token = np.nonzero(following > -np.inf)
            if len(token) > most:
                return tokens[:0], weights[:0]
            tokens = np.column_stack([tokens[before], token]).astype(np.int32)
            weights, state = weights[before] + following[before, token], slot.transitions[state[before], token].astype(int)
        return tokens, weights

    def settled(self, ids: np.ndarray) -> np.ndarray:
        """Return ids that decode to values that meet the condition.

        Parameters
        ----------
        ids : ndarray of int, shape (n_rows, n_positions + n_free)
            Whole rows. The column's tokens were drawn by these weights, its free digits are uniform.

        Returns
        -------
        ids : ndarray of int, shape (n_rows, n_positions + n_free)
            Another array: the column's values are uniform among those that its tokens stand for and that meet the condition.
        """
        return ids.copy()

    def put_into(self, column: pd.Series) -> pd.Series:
        """Return the decoded column of settled ids with the exact values that were given: what tokens and digits round."""
        if self._only is None:
            return column
        cells = self._only.array.take(np.zeros(len(column), np.intp))
        return pd.Series(cells, index=column.index, name=column.name, dtype=self._only.dtype)


class ListCondition(Condition):
    """One of several sequences of tokens: of categories, texts or identifiers.

    Parameters
    ----------
    place, codec, wanted
        See `Condition`.
    """

    def __init__(self, place: Place, codec: FieldCodec, wanted: Wanted):
        super().__init__(place, codec, wanted)
        ids, self._digits = _encoded(codec, wanted.cells)
        within = np.array(wanted.within, np.int32).reshape(len(wanted.within), codec.n_positions)
        gone = np.full((int(wanted.missing), codec.n_positions), END if isinstance(codec, TextCodec) else MISSING, np.int32)
        gone[:, :1] = MISSING
        self._tokens = np.concatenate([ids, within, gone])
        self._factors = mix(np.arange(codec.n_positions, dtype=np.uint64), 0) | np.uint64(1)

    def log_weights(self, tokens: np.ndarray) -> np.ndarray:
        n_read = tokens.shape[1]
        own, sequences = self._keys(tokens), self._keys(self._tokens[:, :n_read])
        begun, of_sequence = np.unique(sequences, return_inverse=True)
        table = np.full((len(begun) + 1, self._slots[n_read].n_tokens), -np.inf, np.float32)
        table[of_sequence, self._tokens[:, n_read]] = 0.0
        at = np.minimum(np.searchsorted(begun, own), len(begun) - 1)
        return table[np.where(begun[at] == own, at, len(begun))]

    def sequences(self, most: int) -> tuple[np.ndarray, np.ndarray]:
        tokens = np.unique(self._tokens, axis=0)
        return (tokens if len(tokens) <= most else tokens[:0]), np.zeros(len(tokens) if len(tokens) <= most else 0)

    def _keys(self, tokens):
        """Return a number for each sequence of tokens, equal for equal ones: a hash of 64 bits."""
        return ((tokens.astype(np.uint64) + np.uint64(1)) * self._factors[: tokens.shape[1]]).sum(axis=1, dtype=np.uint64)


def _encoded(codec, cells):
    if len(cells):
        return codec.encode(cells)
    return np.zeros((0, codec.n_positions), np.int32), np.zeros((0, codec.n_free), np.int32)


class TextCondition(ListCondition):
    """One of several texts, whose characters may be unknown and whose length beyond what is learned."""

    def __init__(self, place: Place, codec: TextCodec, wanted: Wanted):
        super().__init__(place, codec, wanted)
        learned = codec.texts(self._tokens[: len(wanted.cells)])
        self._whole = dict(zip(reversed(learned), reversed(wanted.cells.tolist()), strict=True))

    def put_into(self, column: pd.Series) -> pd.Series:
        """Return the decoded column with whole texts; of those that are the same to the model, the first one."""
        if self._only is not None or all(text == cell for text, cell in self._whole.items()):
            return super().put_into(column)
        cells = column.to_numpy(object)
        cells = np.fromiter((self._whole.get(cell, cell) for cell in cells), object, len(cells))
        return pd.Series(cells, index=column.index, name=column.name, dtype=column.dtype)


class IdentifierCondition(ListCondition):
    """One of several identifiers, which free digits choose."""

    def settled(self, ids: np.ndarray) -> np.ndarray:
        ids, choices = super().settled(ids), np.unique(self._digits, axis=0)
        if len(choices):
            chosen = np.zeros(len(ids), np.uint64)
            for digit in ids[:, self.free].T:
                chosen = mix(chosen ^ digit.astype(np.uint64), 1)
            ids[:, self.free] = choices[chosen % np.uint64(len(choices))]
        return ids
