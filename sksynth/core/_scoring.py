"""Scoring with trained weights, in padded chunks of one fixed shape."""

from functools import lru_cache

import numpy as np
import tensorflow as tf

from .._forks import refuse_fork
from .._grammar import Grammar
from ._compiled import Compiled, compiled_for
from ._engine import Weights
from ._layout import Layout
from ._network import NetworkShape, prepare, row_losses
from ._training import scoring_chunks

MOST_SHAPES = 32  # whose score is kept compiled; the one unused for longest goes first


def log_likelihood(grammar: Grammar, weights: Weights, shape: NetworkShape, ids: np.ndarray, n_context: int = 0) -> np.ndarray:
    """Return the log-likelihood of each row of token ids, in nats, shape (n_rows,).

    Parameters
    ----------
    grammar : Grammar
    weights : dict of str to ndarray
    shape : NetworkShape
    ids : ndarray of int, shape (n_rows, n_positions)
    n_context : int, default=0
        Number of leading runs that are given: the likelihood is that of the others in their context.
    """
    refuse_fork()
    layout, score = Layout(grammar), _score_of(shape._replace(masked=n_context > 0))
    rows = layout.rows(ids).astype(np.int32)
    known = weights | ({"scored": layout.scored(n_context)} if n_context else {})
    tensors = {name: tf.constant(value) for name, value in known.items()}
    scores = np.empty(len(ids))
    for which, (numbers, reach, _) in scoring_chunks(layout, rows):
        scores[which] = -score(tensors, *map(tf.constant, (rows[numbers], layout.order, reach))).numpy()[: len(which)]
    return scores


def _score_of(shape):
    return _held(shape).once(_made_score, shape)


@lru_cache(maxsize=MOST_SHAPES)
def _held(shape: NetworkShape) -> Compiled:
    """Hold what is compiled for the shapes of the last few calls, so that the next call for one of them traces nothing."""
    compiled = compiled_for(shape)
    prepare(shape)
    return compiled


def _made_score(shape):
    def score(weights, rows, order, reach):
        return row_losses(shape, weights, rows, order, reach)[0]

    return tf.function(score, autograph=False)
