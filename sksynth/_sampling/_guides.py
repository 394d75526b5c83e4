"""Several guides of the sampler as one."""

from collections.abc import Callable

import numpy as np


class Guides:
    """Several guides as one: what the first that restricts a row allows.

    Parameters
    ----------
    guides : list of callable
        See `tokenizers.CharTokenizer.guides`.
    """

    def __init__(self, guides: list[Callable]):
        self.guides = guides

    def __call__(self, time: int, tokens: np.ndarray, rows: np.ndarray) -> np.ndarray | None:
        """Return which tokens may come next, shape (n_rows, n_tokens); None where all may."""
        allowed = None
        for guide in self.guides:
            own = guide(time, tokens, rows)
            if own is not None:
                allowed = own if allowed is None else np.where(allowed.all(axis=1, keepdims=True), own, allowed)
        return allowed
