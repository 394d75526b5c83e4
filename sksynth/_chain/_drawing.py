"""Drawing the token ids of a chain's records: here, or portion by portion on the workers of a cluster."""

from collections.abc import Iterable, Iterator
from functools import cached_property, partial
from typing import Any
from uuid import uuid4

import numpy as np

from .._random import BLOCK, blocks_of, stream
from .._workers import Call, Cluster, in_order, packed


class Drawing:
    """An endless sample: any process draws any of its rows, always the same.

    Parameters
    ----------
    chain : Chain
    seed : SeedSequence
    way : Way
    """

    def __init__(self, chain: Any, seed: np.random.SeedSequence, way: Any):
        self.chain, self.seed, self.way, self.key = chain, seed, way, uuid4().hex

    def __getstate__(self) -> dict:
        return {name: value for name, value in vars(self).items() if name != "_steps"}

    @cached_property
    def _steps(self):
        """Batch, columns that are read first, and sampler, in the order of drawing."""
        steps, known = [], set(self.way.evidence.columns)
        for batch in self.chain.route(known):
            part = self.chain.parts[batch]
            first = part.first(known)
            sampler = part.sampler(first, self.way.evidence.alike and not steps, self.way.evidence.differ)
            steps.append((batch, first, sampler))
            known |= set(part.places)
        return steps

    def ids(self, rows: range) -> list[np.ndarray]:
        """Return the token ids of some rows, batch by batch."""
        if self.way.evidence.differ and len(self._steps) > 1:  # any batch may choose rows, in whole blocks of them
            blocks = blocks_of(rows, BLOCK)
            start, ids = blocks.start * BLOCK, self._ids(range(blocks.start * BLOCK, blocks.stop * BLOCK))
            return [own[rows.start - start : rows.stop - start] for own in ids]
        return self._ids(rows)

    def _ids(self, rows):
        first_sampler, ids = self._steps[0][-1], [None] * len(self.chain.parts)
        known = self.way.evidence.tokens(rows if first_sampler is None else first_sampler.begun(rows), self.seed)
        for batch, first, sampler in self._steps:
            part = self.chain.parts[batch]
            own_seed = stream(self.seed, "batch", batch)
            tokens = part.draw(sampler, rows, own_seed, self.way.draw, first, known)
            ids[batch] = part.with_free(tokens, rows, own_seed, self.way.identifiers_from)
            known = {**known, **part.take(ids[batch])}
        return ids

    def ids_from(self, cluster: Cluster, portions: Iterable[range]) -> Iterator[list[np.ndarray]]:
        """Yield the same of one portion after the other, drawn by the workers of a cluster."""
        shared = cluster.shared(self)

        def begin(rows, tries):
            return cluster.submit(_packed_ids, self.key, cluster.shared(self) if tries else shared, rows)

        for parts in in_order(cluster, (Call(partial(begin, rows)) for rows in portions)):
            yield [np.concatenate([part.astype(np.int32) for part in pair], axis=1) for pair in parts]


_LAST: dict[str, Drawing] = {}  # what this worker drew last, with its samplers


def _packed_ids(key, drawing, rows):
    """Return, batch by batch, the tokens of some rows and their free digits, in few bytes."""
    if key not in _LAST:
        _LAST.clear()
        _LAST[key] = drawing
    ids = _LAST[key].ids(rows)
    bounds = [part.grammar.n_positions for part in drawing.chain.parts]
    return [(packed(own[:, :bound]), packed(own[:, bound:])) for own, bound in zip(ids, bounds, strict=True)]
