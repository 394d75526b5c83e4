"""One batch's model among others: where the tokens of each of its columns stand."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np

from .._random import by_block, stream


class Part:
    """A batch's model, as a chain of them needs it.

    Parameters
    ----------
    tokenizer : Tokenizer
    network : tuple
        Grammar, weights and shape, as the core wants them; weights are empty where there is nothing to draw.
    any_order : bool
        Whether columns may be read in any order.
    """

    def __init__(self, tokenizer: Any, network: tuple, any_order: bool):
        self.tokenizer, self.any_order = tokenizer, any_order
        self.grammar, self.weights, self.shape = network

    def __getstate__(self) -> dict:
        return {name: value for name, value in vars(self).items() if name not in ("completer", "places")}

    @cached_property
    def places(self) -> dict:
        """Where the tokens of every modelled column stand."""
        places = getattr(self.tokenizer, "places", {})  # only tables have such
        return {column: place for column, place in places.items() if place.run is not None}

    def first(self, columns: Any) -> tuple:
        """Return those of some columns that are modelled here, in the order of reading."""
        return tuple(column for column in self.places if column in columns)

    def runs(self, columns: Sequence) -> tuple[int, ...]:
        """Return the runs of modelled columns."""
        return tuple(self.places[column].run for column in columns)

    def take(self, ids: np.ndarray, columns: Any = None) -> dict:
        """Return the tokens of some columns, or of all, in rows of ids."""
        return {column: ids[:, self.places[column].positions] for column in (self.places if columns is None else columns)}

    def put(self, tokens: Mapping, n_rows: int) -> np.ndarray:
        """Return rows of ids with the tokens of some columns; those of the others are 0."""
        ids = np.zeros((n_rows, self.grammar.n_positions), np.int32)
        for column in self.first(tokens):
            ids[:, self.places[column].positions] = tokens[column]
        return ids

    def is_first(self, columns: Any) -> np.ndarray:
        """Return which runs are those of some columns, shape (n_runs,)."""
        which = np.zeros(len(self.grammar.runs), bool)
        which[list(self.runs(self.first(columns)))] = True
        return which

    def known(self, columns: Any, n_rows: int) -> np.ndarray:
        """Return the same for each of some rows, shape (n_rows, n_runs)."""
        return np.broadcast_to(self.is_first(columns), (n_rows, len(self.grammar.runs)))

    def sampler(self, first: Sequence = (), alike: bool = False, differ: bool = False) -> Any:
        """Return what draws rows of which some columns are known; None where there is nothing to draw.

        Parameters
        ----------
        first : sequence of column
            Those that are known, which are read first.
        alike : bool, default=False
            Whether the same is known of all rows.
        differ : bool, default=False
            Whether other cells are known of each row, from a frame.
        """
        from .. import core

        runs = self.runs(first)
        if not self.weights:
            return None
        if alike and core.Resampler.pays(self.grammar, runs):
            return core.Resampler(self.grammar, self.weights, self.shape, runs)
        if differ and core.RowResampler.pays(self.grammar, runs):
            return core.RowResampler(self.grammar, self.weights, self.shape, runs)
        return core.Sampler(self.grammar, self.weights, self.shape, first=runs, given=runs)

    def log_p(self, known: Mapping, temperature: float) -> np.ndarray:
        """Return the log-probability of tokens of some columns, shape (n_rows, n_tokens) each, where they are read first."""
        from .. import core

        first = self.first(known)
        tokens = np.concatenate([known[column] for column in first], axis=1)
        blocks = range(-(-len(tokens) // core.BLOCK_ROWS))
        how = core.Draw(temperature, given=tokens)
        found = self.sampler(first).begin(np.random.SeedSequence(0), blocks, how, tokens.shape[1])[1]  # nothing is drawn
        return found.ravel()[: len(tokens)]

    @cached_property
    def completer(self) -> Any:
        """What draws the rest of rows that differ in what is known; making its tables takes longer than a few rows."""
        from .. import core

        return core.Completer(self.grammar, self.weights, self.shape)

    def draw(self, sampler: Any, rows: range, seed: np.random.SeedSequence, how: Any, first: Sequence, known: Mapping):
        """Return rows of ids, without free digits.

        Parameters
        ----------
        sampler : core.Sampler, core.Resampler or core.RowResampler
            Of `sampler`, for the same `first`.
        rows : range
            Numbers of the rows in an endless sample.
        seed : SeedSequence
        how : core.Draw
        first : sequence of column
            Those that are read first.
        known : mapping of column to ndarray, shape (n_rows or 1, n_tokens)
            With their tokens, in the rows that the sampler begins for these.
        """
        if sampler is None:
            return np.empty((len(rows), 0), np.int32)
        if first:
            numbers = sampler.begun(rows)
            parts = [np.broadcast_to(known[column], (len(numbers), known[column].shape[1])) for column in first]
            how = replace(how, given=np.concatenate(parts, axis=1), start=numbers.start)
        return sampler.draw(stream(seed, "tokens"), rows, how)

    def with_free(
        self, tokens: np.ndarray, rows: range, seed: np.random.SeedSequence, identifiers_from: int | None = None
    ) -> np.ndarray:
        """Return tokens of rows, and behind them drawn free digits.

        Identifiers are in an order that `seed` determines or, from a number on, in one that is the same for every sample.
        """
        root = seed if identifiers_from is None else np.random.SeedSequence(0)
        key, first = int(stream(root, "identifiers").generate_state(1, np.uint64)[0]), identifiers_from or 0

        def draw(block, rng):
            return self.tokenizer.draw_free(range(block.start + first, block.stop + first), rng, key)

        return np.concatenate([tokens, by_block(rows, seed, "free digits", draw)], axis=1)
