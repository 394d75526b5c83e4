"""Token ids of records that need not fit into memory."""

from itertools import count
from typing import Any

import numpy as np

from .._memory_map import written
from ._source import Source

__all__ = ["token_ids"]


def token_ids(tokenizer: Any, records: Any) -> np.ndarray:
    """Return the token ids of records as they are trained on; those of a source as a memory map while it is open.

    Parameters
    ----------
    tokenizer : tokenizer
        Fitted.
    records : Source, or what the tokenizer takes

    Returns
    -------
    ids : ndarray of int32, shape (n_records, n_positions + n_free), or memmap of the narrowest type, (n_records, n_positions)
        What is on disk is without the free digits, which are not learned.
    """
    if not isinstance(records, Source):
        parts = list(_parts(tokenizer, [records]))
        return parts[0] if len(parts) == 1 else np.concatenate(parts)
    most = max((slot.n_tokens for slot in tokenizer.grammar_.slots), default=1)
    parts = (ids[:, : ids.shape[1] - tokenizer.n_free_] for ids in _parts(tokenizer, records.chunks()))
    return written(_new_file(records.folder), parts, np.min_scalar_type(most - 1))


def _new_file(folder):
    """Return the path of a file that is not there yet."""
    return next(path for number in count() if not (path := folder / f"token_ids_{number}").exists())


def _parts(tokenizer, chunks):
    """Return an iterator over the token ids of chunks of records: of each, or of what the tokenizer makes of all of them."""
    if hasattr(tokenizer, "training_parts"):
        return tokenizer.training_parts(chunks)
    return (tokenizer.encode(records, cut=True) for records in chunks)
