"""The distribution of one column of rows, given all others."""

from collections.abc import Mapping
from typing import Any

import numpy as np


def distribution(chain: Any, tokens: Mapping, column: Any) -> np.ndarray:
    """Return the probability of every token of a column of one position, shape (n_rows, n_tokens).

    By Bayes' rule: the batch of the column says how likely each token is beside its other columns, and every batch that reads
    the column as context, how much likelier that makes its own columns than they are beside the rest of the context.

    Parameters
    ----------
    chain : Chain
    tokens : mapping of column to ndarray, shape (n_rows, n_tokens)
        Of all modelled columns.
    column : hashable
    """
    own = chain.batch_of[column]
    logs = _log(chain.parts[own], tokens, column, set(tokens))
    for batch, part in enumerate(chain.parts):
        if batch != own and column in part.places:
            context = set(part.places) - set(chain.own[batch])
            with np.errstate(invalid="ignore"):
                likelier = _log(part, tokens, column, set(tokens)) - _log(part, tokens, column, context)
            logs = logs + np.where(np.isfinite(likelier), likelier, 0.0)
    shares = np.exp(logs - logs.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)


def _log(part, tokens, column, others):
    """Return the log-probability of every token of a column where some others are known."""
    ids = part.put(tokens, len(tokens[column]))
    known = part.known(others - {column}, len(ids))
    with np.errstate(divide="ignore"):
        return np.log(part.completer.probabilities(ids, known, part.places[column].run))
