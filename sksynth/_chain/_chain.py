"""A chain of models: each is drawn in the context of what the others have said of the columns that they share."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from .._workers import active_cluster
from ._drawing import Drawing
from ._evidence import NOTHING
from ._part import Part


class Way(NamedTuple):
    """How records are drawn: their tokens, what is given, and from which of the model's identifiers on; None: by the seed."""

    draw: Any
    evidence: Any = NOTHING
    identifiers_from: int | None = None


CHUNK_ROWS = 16_384  # rows that are drawn at a time


class Chain:
    """The models of linked batches.

    Parameters
    ----------
    parts : list of Part
        One per batch.
    own : list of list
        The columns that each batch answers for; what else it models is context.
    order : sequence of int
        In which batches are read where nothing is given: the context of each lies in those before it.
    columns : list
        All columns in the order of the table; none where records are no table, or the tokenizer tells no columns apart.
    """

    def __init__(self, parts: Sequence[Part], own: Sequence[Sequence], order: Sequence[int], columns: Sequence):
        self.parts, self.own, self.order, self.columns = parts, own, order, columns
        self.batch_of = {column: batch for batch, batch_columns in enumerate(own) for column in batch_columns}

    def route(self, known: Any = ()) -> list[int]:
        """Return the order in which batches are drawn where some columns are known.

        The batch that has most of them comes first, then always the one that shares most columns with those before it, so
        that what is known reaches all others through the columns that they share.
        """
        left = list(self.order)
        if not any(part.first(known) for part in self.parts):
            return left
        first = max(left, key=lambda batch: len(self.parts[batch].first(known)))
        route = [first]
        left.remove(first)
        while left:
            seen = {column for batch in route for column in self.parts[batch].places}
            route.append(max(left, key=lambda batch: len(self.parts[batch].first(seen))))
            left.remove(route[-1])
        return route

    def draw(self, rows: range, seed: np.random.SeedSequence, way: Way, n_together: int = CHUNK_ROWS) -> Iterator[Any]:
        """Yield records of an endless sample, so many at a time; several times so many are drawn by a cluster's workers.

        Parameters
        ----------
        rows : range
            Their numbers.
        seed : SeedSequence
        way : Way
        n_together : int
        """
        drawing = Drawing(self, seed, way)
        starts = range(rows.start, rows.stop, n_together)
        portions = (range(start, min(start + n_together, rows.stop)) for start in starts)
        cluster = active_cluster() if len(starts) > 1 else None
        drawn = map(drawing.ids, portions) if cluster is None else drawing.ids_from(cluster, portions)
        for start, ids in zip(starts, drawn, strict=True):
            self.check_drawn(ids, dict.fromkeys(way.evidence.given, True))
            yield way.evidence.put_into(self.decode(way.evidence.settled(ids)), start)

    def check_drawn(self, ids: Sequence[np.ndarray], known: Mapping) -> None:
        """Refuse rows for which there are no identifiers; `known` tells by column where cells are known."""
        for part, own in zip(self.parts, ids, strict=True):
            if hasattr(part.tokenizer, "check_drawn"):
                part.tokenizer.check_drawn(own, known)

    def decode(self, ids: Sequence[np.ndarray]) -> Any:
        """Return the records of token ids, which come batch by batch: each column from its own."""
        if not self.columns:
            return self.parts[0].tokenizer.decode(ids[0])
        parts = [part.tokenizer.decode(own) for part, own in zip(self.parts, ids, strict=True)]
        columns = {column: frame[column] for own, frame in zip(self.own, parts, strict=True) for column in own}
        return pd.concat([columns[column] for column in self.columns], axis=1)
