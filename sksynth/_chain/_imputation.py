"""Imputation: what is missing of rows, drawn in the context of what is there."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._random import stream
from ._evidence import EACH, resampled

CHUNK_LANES = 65_536  # particles that are followed together


def imputed(
    chain: Any, tokens: Mapping, known: Mapping, n_rows: int, seed: np.random.SeedSequence, conditions: Mapping
) -> list[np.ndarray]:
    """Return ids of rows, batch by batch, in which the tokens that are not known are drawn; none of them is missing.

    Batches are drawn in their order, each in the context of what is known of it. What is known of the batches behind is
    heeded by particles, see `_evidence`: several of every row, which are drawn from by what each batch makes of them.

    Parameters
    ----------
    chain : Chain
    tokens : mapping of column to ndarray, shape (n_rows, n_tokens)
    known : mapping of column to ndarray of bool, shape (n_rows,)
    n_rows : int
    seed : SeedSequence
    conditions : mapping of column to Condition
        What is drawn of these columns meets.
    """
    each = EACH if len(chain.parts) > 1 or conditions else 1
    size, chunks = max(CHUNK_LANES // each, 1), []
    for start in range(0, n_rows, size):
        rows = range(start, min(start + size, n_rows))
        own = [{column: values[rows.start : rows.stop] for column, values in cells.items()} for cells in (tokens, known)]
        chunks.append(_chunk(chain, *own, rows, seed, each, conditions))
    ids = [np.concatenate(parts) for parts in zip(*chunks, strict=True)]
    for column, condition in conditions.items():
        ids[chain.batch_of[column]] = condition.settled(ids[chain.batch_of[column]])
    return ids


def _chunk(chain, tokens, known, rows, seed, each, conditions):
    tokens = {column: np.repeat(cells, each, axis=0) for column, cells in tokens.items()}
    known = {column: np.repeat(cells, each) for column, cells in known.items()}
    lanes = range(rows.start * each, rows.stop * each)
    for batch in chain.order:
        part, own_seed = chain.parts[batch], stream(seed, "batch", batch)
        if not part.weights:
            continue
        ids, weights = part.completer.complete(
            part.put(tokens, len(lanes)), np.stack([known[column] for column in part.places], axis=1), own_seed, lanes,
            guided={part.places[column].run: conditions[column].log_weights for column in part.first(conditions)},
            weighed=part.is_first(chain.own[batch]) if each > 1 else part.is_first(()), present=True,
        )  # fmt: skip
        tokens |= part.take(ids)
        if each > 1:
            chosen = resampled(weights, each, np.random.default_rng(stream(own_seed, "resample", rows.start)))
            tokens = {column: cells[chosen] for column, cells in tokens.items()}
        known |= {column: np.ones(len(lanes), bool) for column in part.places}
    kept = {column: cells[::each] for column, cells in tokens.items()}
    seeds = [stream(seed, "batch", batch) for batch in range(len(chain.parts))]
    return [part.with_free(part.put(kept, len(rows)), rows, own) for part, own in zip(chain.parts, seeds, strict=True)]
