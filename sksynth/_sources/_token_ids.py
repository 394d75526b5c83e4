"""Token ids of lines that need not fit into memory."""

from typing import Any

import numpy as np

from .._memory_map import written
from ._source import LineSource

__all__ = ["token_ids"]


def token_ids(tokenizer: Any, records: Any) -> np.ndarray:
    """Return the token ids of records, cut as is done for training; those of a source as a memory map while it is open.

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
        return tokenizer.encode(records, cut=True)
    most = max((slot.n_tokens for slot in tokenizer.grammar_.slots), default=0)
    dtype = np.uint16 if most <= 2**16 and not tokenizer.n_free_ else np.int32
    return written(records.folder / "token_ids", (tokenizer.encode(lines, cut=True) for lines in records.chunks()), dtype)
