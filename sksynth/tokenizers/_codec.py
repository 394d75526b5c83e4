"""The base of the codecs: one class per kind of field, values <-> tokens."""

from abc import ABC, abstractmethod

import numpy as np

from .._grammar import Run

LOG_OUTSIDE = float(np.log(1e6))
"""What a value outside of the codec's domain costs at least, in nats: all such values share a millionth of a token's mass."""

FREE_BITS = 30
"""Bits per *free digit*: what a codec knows beyond the network's tokens, uniform by construction and never modelled."""


class FieldCodec(ABC):
    """Values of one column <-> tokens of one run, plus free digits.

    A codec is made from a completed field and the training column, holds plain Python and numpy values only, and never
    looks at data again. `encode` and `decode` work on whole columns.

    Attributes
    ----------
    run : Run or None
        The modelled slots; None where there is nothing to model (Identifier).
    n_free : int
        Number of free digits: int32 in ``[0, 2**FREE_BITS)``, drawn uniformly at sampling unless `draw_free` says otherwise.
    """

    run: Run | None = None
    n_free: int = 0

    @property
    def n_positions(self) -> int:
        return 0 if self.run is None else self.run.n_positions

    @abstractmethod
    def encode(self, values) -> tuple[np.ndarray, np.ndarray]:
        """Return tokens, shape (n_rows, n_positions), and free digits, shape (n_rows, n_free), both int32."""

    @abstractmethod
    def decode(self, ids: np.ndarray, free: np.ndarray):
        """Return the column that `encode` read, of its dtype."""

    def context(self, values) -> np.ndarray:
        """Return the tokens that stand for given values where other columns are drawn: such as rows may hold."""
        return self.encode(values)[0]

    def admit(self, values, field) -> "FieldCodec":
        """Return a codec for later rows too, whose field may have grown: itself where that brings nothing new."""
        return self

    @abstractmethod
    def to_state(self) -> dict:
        """Return what `from_state` needs beside the field and the name."""

    @classmethod
    @abstractmethod
    def from_state(cls, state: dict, field, name: str) -> "FieldCodec":
        """Return the codec that wrote `state`, of a completed field.

        Raises
        ------
        ValueError
            If no codec of such a field wrote the state.
        """

    def log_cell_size(self, ids: np.ndarray) -> np.ndarray:
        """Log of the number (or width) of the values that share a row's tokens, shape (n_rows,): 0 where tokens are exact."""
        return np.zeros(len(ids))

    def log_outside(self, values) -> np.ndarray:
        """What a row's score loses because its value lies outside of what the codec tells, shape (n_rows,): 0 inside."""
        return np.zeros(len(values))

    def draw_free(self, rows: range, rng: np.random.Generator, key: int) -> np.ndarray:
        """Free digits of the sampled rows `rows`; `rng` belongs to this chunk, `key` to the whole sample."""
        return rng.integers(0, 1 << FREE_BITS, (len(rows), self.n_free), dtype=np.int32)
