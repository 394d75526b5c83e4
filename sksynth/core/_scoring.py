"""Scoring with trained weights, in padded chunks of one fixed shape."""

from functools import lru_cache

import numpy as np
import tensorflow as tf

from .._grammar import Grammar
from ._engine import Weights
from ._layout import Layout
from ._network import NetworkShape, prepare, row_losses
from ._quiet import refuse_fork
from ._training import scoring_chunks


def log_likelihood(grammar: Grammar, weights: Weights, shape: NetworkShape, ids: np.ndarray) -> np.ndarray:
    """Return the log-likelihood of each row of token ids, in nats, shape (n_rows,)."""
    refuse_fork()
    layout, score = Layout(grammar), _compiled_score(shape)
    rows, tensors = layout.rows(ids).astype(np.int32), {name: tf.constant(value) for name, value in weights.items()}
    parts = [
        -score(tensors, tf.constant(chunk), tf.constant(order)).numpy().astype(np.float64)
        for chunk, order, _ in scoring_chunks(layout, rows)
    ]
    return np.concatenate([np.empty(0), *parts])[: len(ids)]


@lru_cache(maxsize=32)
def _compiled_score(shape):
    prepare(shape)
    return tf.function(lambda weights, rows, order: row_losses(shape, weights, rows, order)[0], autograph=False)
