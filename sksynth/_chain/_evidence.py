"""Evidence: what is given of the rows that are drawn, and what it says of the columns that it reaches the others through.

Where all that is given is read by one model, cell by cell, it comes first in the order of reading. A set of values says more:
a value of the set is the likelier, the better what is given of the columns behind it goes with it. Where all that meets the
sets is few it is counted up, and drawn from by its probability. Else, and where cells are read by another model, *particles*
are drawn: rows of what is given and of the columns that models share, each weighed by the probability of what it had no choice
of, and drawn from by these weights (importance resampling, Gordon et al. 1993). All rows then go on from such a particle.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from .._random import blocks_of, by_block, stream
from .._validation import listed, warn
from .._values import inferred

BANK = 8_192  # particles from which rows are drawn that all have the same given; so much at most is counted up in their place
BANK_ROWS = 65_536  # rows after which there are others
SHOWN = 5  # columns that a warning names
EACH = 16  # particles of every row, where rows differ in what is given


class Evidence:
    """Nothing is given."""

    columns: Sequence = ()  # those whose tokens are there before any model draws
    given: Sequence = ()  # those whose cells are given
    alike = False  # whether all rows have the same given, and one model has to know of it
    differ = False  # whether each row has its own

    def tokens(self, rows: range, seed: np.random.SeedSequence) -> Mapping:
        """Return their tokens in some rows, by column, shape (len(rows) or 1, n_tokens)."""
        return {}

    def settled(self, ids: list[np.ndarray]) -> list[np.ndarray]:
        """Return ids, batch by batch, whose free digits meet what is given."""
        return ids

    def put_into(self, frame: pd.DataFrame, start: int) -> pd.DataFrame:
        """Return decoded rows, the first of which has the number `start`, with the cells that are given."""
        return frame


NOTHING = Evidence()


class Cells(Evidence):
    """Cells of some columns, one row for all rows or one for each, of which a single model has to know.

    Parameters
    ----------
    tokens : dict of column to ndarray, shape (n_rows or 1, n_tokens)
    cells : DataFrame, shape (n_rows or 1, n_columns)
        As they are returned; those of columns that are not modelled too.
    alike : bool, default=False
        Whether they are the same for all rows.
    """

    def __init__(self, tokens: dict, cells: pd.DataFrame, alike: bool = False):
        self.columns, self._tokens, self._cells, self.alike, self.differ = tuple(tokens), tokens, cells, alike, not alike
        self.given = tuple(cells.columns)

    def tokens(self, rows: range, seed: np.random.SeedSequence) -> Mapping:
        """Return the tokens of the cells."""
        return {column: tokens[self._at(rows)] for column, tokens in self._tokens.items()}

    def _at(self, rows):
        return np.minimum(rows, len(self._cells) - 1)

    def put_into(self, frame: pd.DataFrame, start: int) -> pd.DataFrame:
        """Return rows with the cells."""
        at = self._at(range(start, start + len(frame)))
        given = self._cells.take(at).set_axis(frame.index)
        return pd.concat([given.get(column, frame[column]) for column in frame.columns], axis=1)


class LinkedCells(Cells):
    """Cells of rows that differ, of which several models have to know: each row has particles of its own.

    Parameters
    ----------
    search : Search
    tokens, cells
        See `Cells`.
    """

    def __init__(self, search: "Search", tokens: dict, cells: pd.DataFrame):
        super().__init__(tokens, cells)
        self._search, self.columns = search, search.columns

    def tokens(self, rows: range, seed: np.random.SeedSequence) -> Mapping:
        """Return the tokens of a particle of every row."""
        lanes = range(rows.start * EACH, rows.stop * EACH)
        fixed = {column: np.repeat(tokens, EACH, axis=0) for column, tokens in super().tokens(rows, seed).items()}
        found, weights = self._search.particles(lanes, stream(seed, "particles"), EACH, fixed)
        uniform = by_block(rows, seed, "particle", lambda block, rng: rng.random(len(block)))
        chosen = np.arange(len(rows)) * EACH + _picked(weights.reshape(-1, EACH), uniform)
        return {column: tokens[chosen] for column, tokens in found.items()}


class Conditions(Evidence):
    """Conditions that all rows meet.

    Parameters
    ----------
    search : Search
    conditions : dict of column to Condition
    batch_of : dict of column to int
        The batch whose ids a column is decoded from.
    """

    def __init__(self, search: "Search", conditions: Mapping, batch_of: Mapping):
        self.columns, self.given, self.alike = search.columns, tuple(conditions), len(search.batches) == 1
        self._search, self._conditions, self._batch_of = search, conditions, batch_of
        self._banks: dict[int, tuple[Mapping, np.ndarray]] = {}

    def tokens(self, rows: range, seed: np.random.SeedSequence) -> Mapping:
        """Return the tokens of the particles that rows are drawn from."""
        if not self.columns:
            return {}
        uniform = by_block(rows, seed, "particle", lambda block, rng: rng.random(len(block)))
        parts = []
        for bank in blocks_of(rows, BANK_ROWS):
            found, weights = self._bank(bank, seed)
            own = range(max(rows.start, bank * BANK_ROWS) - rows.start, min(rows.stop, (bank + 1) * BANK_ROWS) - rows.start)
            chosen = _picked(weights, uniform[own.start : own.stop])
            parts.append({column: tokens[chosen] for column, tokens in found.items()})
        return {column: np.concatenate([part[column] for part in parts]) for column in parts[0]}

    def _bank(self, bank, seed):
        if self._counted_up is not None:
            return self._counted_up
        if bank not in self._banks:
            self._banks[bank] = self._search.particles(range(BANK), stream(seed, "bank", bank), BANK, {})
        return self._banks[bank]

    @cached_property
    def _counted_up(self):
        return self._search.counted_up(BANK)

    def settled(self, ids: list[np.ndarray]) -> list[np.ndarray]:
        """Return ids whose cells meet the conditions."""
        for column, condition in self._conditions.items():
            batch = self._batch_of[column]
            ids[batch] = condition.settled(ids[batch])
        return ids

    def put_into(self, frame: pd.DataFrame, start: int) -> pd.DataFrame:
        """Return rows in which what can only be one cell is that cell."""
        changed = {column: condition.put_into(frame[column]) for column, condition in self._conditions.items()}
        return pd.concat([changed.get(column, frame[column]) for column in frame.columns], axis=1)


class Search:
    """Particles of what is given, through all models that have to know of it.

    Parameters
    ----------
    chain : Chain
    given : iterable of column
    conditions : mapping of column to Condition
        Of those that are not given cell by cell.
    temperature : float
        Of what is drawn.
    """

    def __init__(self, chain: Any, given: Any, conditions: Mapping, temperature: float):
        self._conditions, self._temperature = conditions, temperature
        self.batches = phase(chain, given)
        self._parts, self._first, known = [chain.parts[batch] for batch in self.batches], [], set()
        for place, part in enumerate(self._parts):
            later = {column for other in self._parts[place + 1 :] for column in other.places}
            known |= {column for column in part.places if column in given or column in later}
            self._first.append(part.first(known))
        self.columns = tuple(known)

    def particles(self, lanes: range, seed: np.random.SeedSequence, group: int, fixed: Mapping) -> tuple[Mapping, np.ndarray]:
        """Draw particles.

        Parameters
        ----------
        lanes : range
            Their numbers.
        seed : SeedSequence
        group : int
            How many, one after the other, are of the same given.
        fixed : mapping of column to ndarray, shape (len(lanes), n_tokens)
            Given cells.

        Returns
        -------
        tokens : dict of column to ndarray, shape (len(lanes), n_tokens)
        log_weights : ndarray, shape (len(lanes),)
        """
        known, counted, weights = dict(fixed), set(), np.zeros(len(lanes))
        for batch, part, first in zip(self.batches, self._parts, self._first, strict=True):
            if counted:
                chosen = resampled(weights, group, np.random.default_rng(stream(seed, "resample", batch, lanes.start)))
                known = {column: tokens[chosen] for column, tokens in known.items()}
            if part.weights and first:
                known, weights = self._through(part, first, known, counted, lanes, stream(seed, "batch", batch))
            counted |= set(first)
        return known, weights

    def counted_up(self, most: int) -> tuple[Mapping, np.ndarray] | None:
        """Return all that meets the conditions, in place of particles: tokens and log-probabilities.

        None where that is more than `most`, or where several models have to know of it.
        """
        if len(self.batches) > 1:
            return None
        part, (first,) = self._parts[0], self._first
        tokens, weights = {}, np.zeros(1)
        for column in first:
            own, log_weights = self._conditions[column].sequences(most // len(weights))
            if not len(own):
                return None
            tokens = {name: np.repeat(cells, len(own), axis=0) for name, cells in tokens.items()}
            tokens[column] = np.tile(own, (len(weights), 1))
            weights = np.add.outer(weights, log_weights).ravel()
        return tokens, weights + part.log_p(tokens, self._temperature)

    def _through(self, part, first, known, counted, lanes, seed):
        """Draw what a model has to say of columns that are not known yet.

        Returns all that is known then, and the log-probability of what there was no choice of, but for what was counted by
        the models before.
        """
        completer, tokens = part.completer, part.put(known, len(lanes))
        drawn = [column for column in first if column not in known]
        free = {column for column in drawn if column not in self._conditions}
        ids, weights = completer.complete(
            tokens, part.known(known, len(lanes)), seed, lanes,
            guided={part.places[column].run: self._guide(part, column) for column in drawn},
            weighed=part.is_first(set(first) - free), temperature=self._temperature, only_first=True,
        )  # fmt: skip
        before = counted & set(first)
        if before:
            weights = weights - completer.complete(tokens, part.known(before, len(lanes)), seed, lanes, only_first=True)[1]
        return part.take(ids, drawn) | known, weights

    def _guide(self, part, column) -> Callable:
        if column in self._conditions:
            return self._conditions[column].log_weights
        slots = part.grammar.runs[part.places[column].run].slots
        bans = [np.where(slot.unsampled, -np.inf, 0.0).astype(np.float32) for slot in slots for _ in range(slot.repeat)]
        return lambda tokens: np.broadcast_to(bans[tokens.shape[1]], (len(tokens), len(bans[tokens.shape[1]])))


def phase(chain: Any, given: Any) -> list[int]:
    """Return the batches that have to know of what is given before anything else is drawn, in the order of drawing."""
    route, seen, last = chain.route(given), set(), 0
    for place, batch in enumerate(route):
        own = set(chain.parts[batch].first(given))
        last = place if own - seen else last
        seen |= own
    return route[: last + 1]


def evidence_of(chain: Any, given: Any, temperature: float = 1.0) -> Evidence:
    """Return what is given as evidence.

    Parameters
    ----------
    chain : Chain
    given : DataFrame, shape (n_rows, n_given), or dict of column to value, list or Interval
        Cells of every row, or what holds for all rows.
    temperature : float, default=1.0
        Of what is drawn to look ahead.

    Raises
    ------
    ValueError
        If there is no such column, or what is given is none of its values; in a dict, if it is outside of its domain.
    """
    _check_columns(chain, given)
    is_frame = isinstance(given, pd.DataFrame)
    if is_frame or all(pd.api.types.is_scalar(value) for value in given.values()):
        frame = given if is_frame else pd.DataFrame({column: _of_one(value) for column, value in given.items()})
        tokens, cells = _read_frame(chain, frame) if is_frame else _read_one(chain, frame)
        search = Search(chain, set(tokens), {}, temperature)
        if len(search.batches) == 1:
            return Cells(tokens, cells, alike=not is_frame)
        if is_frame:
            return LinkedCells(search, tokens, cells)
    conditions = conditions_of(chain, given)
    return Conditions(Search(chain, set(conditions), conditions, temperature), conditions, chain.batch_of)


def _read_one(chain, frame):
    """Return the tokens and cells of a row that holds for all."""
    parts = [part.tokenizer.given(frame[columns]) for part, columns in _by_part(chain, frame)]
    return {column: own for found, _ in parts for column, own in found.items()}, pd.concat([own for _, own in parts], axis=1)


def _read_frame(chain, frame):
    """Return the tokens and cells of rows, of which rare and extreme ones are read as the nearest that are learned; say so."""
    parts = [part.tokenizer.nearest(frame[columns]) for part, columns in _by_part(chain, frame)]
    tokens = {column: own for found, *_ in parts for column, own in found.items()}
    replaced = {column: own for *_, found in parts for column, own in found.items() if own.any() and column in tokens}
    if replaced:
        shown = [
            f"{column!r}: {own.sum():,} such as {frame[column].iloc[own.argmax()]!s:.50}" for column, own in replaced.items()
        ]
        more = f"; and {len(shown) - SHOWN} more columns" if len(shown) > SHOWN else ""
        warn(
            f"given holds rare or extreme cells, which were not learned ({'; '.join(shown[:SHOWN])}{more}): the other columns "
            "are drawn as if these were the nearest number or date, some rare value, or missing; leave such rows out, or fit "
            "with min_frequency=1"
        )
    return tokens, pd.concat([cells for _, cells, _ in parts], axis=1)


def _of_one(value):
    return inferred(pd.Series([value], dtype=object))


def conditions_of(chain: Any, given: Mapping) -> dict:
    """Return what is given of every column as a condition on its tokens; ValueError as in `evidence_of`."""
    _check_columns(chain, given)
    parts = [part.tokenizer.conditions({name: given[name] for name in names}) for part, names in _by_part(chain, given)]
    return {column: own for found in parts for column, own in found.items()}


def _check_columns(chain, given):
    unknown = [column for column in given if column not in chain.batch_of]
    if unknown:
        raise ValueError(f"given names {listed(unknown)}, not among the columns of fit: {listed(chain.columns)}")


def _by_part(chain, columns):
    """Yield parts, and the columns that are decoded from each, of those parts that have any."""
    for batch, part in enumerate(chain.parts):
        own = [column for column in columns if chain.batch_of[column] == batch]
        if own:
            yield part, own


def _picked(log_weights, uniform):
    """Return an index by weight, of one row of weights for all or of one for each."""
    cumulative = np.cumsum(_shares(log_weights), axis=-1)
    if cumulative.ndim == 1:
        return np.minimum(np.searchsorted(cumulative, uniform * cumulative[-1], "right"), len(cumulative) - 1)
    return np.minimum((cumulative <= (uniform * cumulative[:, -1])[:, None]).sum(axis=1), cumulative.shape[1] - 1)


def resampled(log_weights: np.ndarray, group: int, rng: np.random.Generator) -> np.ndarray:
    """Return indices of particles by weight, within each group of so many that follow one another."""
    bounds = np.cumsum(_shares(log_weights.reshape(-1, group)), axis=1)
    uniform = (np.arange(group) + rng.random((len(bounds), 1))) / group  # systematic: as few as may be are lost
    starts = np.arange(len(bounds))[:, None]
    chosen = np.searchsorted((bounds + starts).ravel(), (uniform + starts).ravel(), "right")
    return np.clip(chosen.reshape(-1, group), starts * group, starts * group + group - 1).ravel()


def _shares(log_weights):
    """Return weights that sum to 1 in every row; equal ones where none is above 0."""
    with np.errstate(invalid="ignore"):
        weights = np.exp(np.nan_to_num(log_weights - log_weights.max(axis=-1, keepdims=True), nan=0.0, neginf=-np.inf))
    return weights / weights.sum(axis=-1, keepdims=True)
