"""Compiled networks, kept per process and lent to one fit at a time."""

import gc
import threading
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from ._model import PlannedAdam, RowModel
from ._network import NetworkShape

_IDLE: "OrderedDict[tuple, list[RowModel]]" = OrderedDict()
_LOCK = threading.Lock()
CLIP_NORM = 5.0  # of the mean gradient of a step
_MAX_IDLE = 24  # compiled networks kept; the one unused for longest goes first

Weights = dict[str, np.ndarray]


@contextmanager
def borrowed(
    shape: NetworkShape, batch_size: int, steps_per_execution: int, clip_norm: float | None = CLIP_NORM
) -> Iterator[RowModel]:
    """Lend a compiled `RowModel` of this shape; its weights are whatever its last user left there.

    A model is only ever given batches of one size, as Keras traces a second size as "any". Tracing outlives the loan, so
    that folds, candidates and refits of one shape trace once.
    """
    key = (shape, batch_size, steps_per_execution, clip_norm)
    with _LOCK:
        idle = _IDLE.get(key)
        model = idle.pop() if idle else None
    if model is None:
        model = _compiled(shape, steps_per_execution, clip_norm)
    try:
        yield model
    finally:
        if _take_back(key, model):
            gc.collect()  # networks are full of cycles, and larger than Python knows: it would let many of them lie about


def _take_back(key, model) -> bool:
    """Keep a network for the next loan; return whether others had to go for it."""
    with _LOCK:
        _IDLE.setdefault(key, []).append(model)
        _IDLE.move_to_end(key)
        n_dropped = sum(map(len, _IDLE.values())) - _MAX_IDLE
        for _ in range(n_dropped):
            oldest = next(key for key, idle in _IDLE.items() if idle)
            _IDLE[oldest].pop()
            if not _IDLE[oldest]:
                del _IDLE[oldest]
    return n_dropped > 0


def _compiled(shape, steps_per_execution, clip_norm=CLIP_NORM) -> RowModel:
    model = RowModel(shape)
    optimizer = PlannedAdam(model.plan(), beta_2=0.99, global_clipnorm=clip_norm)
    optimizer.build(model.trainable_variables)
    model.compile(optimizer=optimizer, jit_compile=False, steps_per_execution=steps_per_execution)
    return model


def load(model: RowModel, weights: Weights) -> None:
    """Put weights into a borrowed network."""
    for variable in model.weights:
        if variable.name in weights:
            variable.assign(weights[variable.name])


def variables_of(model: RowModel) -> Weights:
    """Copy everything that training changes: weights, their averages, knobs, and the state of the optimizer."""
    network = {variable.name: np.asarray(variable.numpy()) for variable in model.weights}
    return network | {f"optimizer.{i}": np.asarray(variable.numpy()) for i, variable in enumerate(model.optimizer.variables)}


def restore(model: RowModel, variables: Weights) -> None:
    """Put back what `variables_of` copied."""
    own = variables_of(model)
    shapes, found = ({name: value.shape for name, value in kept.items()} for kept in (own, variables))
    if shapes != found:
        wrong = sorted(name for name in shapes.keys() | found.keys() if shapes.get(name) != found.get(name))
        raise ValueError(f"variables {wrong} are not those of this network: got {found}, expected {shapes}")
    load(model, variables)
    for i, variable in enumerate(model.optimizer.variables):
        variable.assign(variables[f"optimizer.{i}"])


def reset_optimizer(model: RowModel) -> None:
    """Forget the moments and steps of the fit before."""
    for variable in model.optimizer.variables:
        variable.assign(np.zeros(variable.shape, variable.dtype))
