"""Token ids of lines that need not fit into memory."""

from typing import Any

import numpy as np

from .._memory_map import written
from ._source import LineSource

__all__ = ["token_ids"]


def token_ids(tokenizer: Any, records: Any) -> np.ndarray:
    """Return the token ids of records as they are trained on; those of a source as a memory map while it is open.

    Parameters
    ----------
    tokenizer : tokenizer
        Fitted.
    records : LineSource, or what the tokenizer takes

    Returns
    -------
    ids : ndarray of int32, or memmap of uint16 or int32, shape (n_records, n_positions + n_free)
    """
    if not isinstance(records, LineSource):
        parts = list(_parts(tokenizer, [records]))
        return parts[0] if len(parts) == 1 else np.concatenate(parts)
    most = max((slot.n_tokens for slot in tokenizer.grammar_.slots), default=0)
    dtype = np.uint16 if most <= 2**16 and not tokenizer.n_free_ else np.int32
    return written(records.folder / "token_ids", _parts(tokenizer, records.chunks()), dtype)


def _parts(tokenizer, chunks):
    """Return an iterator over the token ids of chunks of records: of each, or of what the tokenizer makes of all of them."""
    if hasattr(tokenizer, "training_parts"):
        return tokenizer.training_parts(chunks)
    return (tokenizer.encode(records, cut=True) for records in chunks)
