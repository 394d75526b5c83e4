"""Training: token ids in, weights and history out."""

import logging
import time
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from .._grammar import Grammar
from . import _engine
from ._layout import Layout, has_text
from ._model import AVERAGE, parts_of
from ._network import NetworkShape
from ._quiet import refuse_fork

logger = logging.getLogger(__name__)

SCORING_ROWS = 576  # of a scoring chunk, padded; a multiple of all usual row blocks of matrix kernels, so that a row gets
# the same bits at any place of a chunk
REACHES = 4  # lengths to which rows of text are read


@dataclass(frozen=True)
class Settings:
    """The values of one training run, all of them chosen."""

    embedding_dim: int
    rnn_units: int
    n_layers: int
    dropout: float
    averaging: float
    epochs: int
    batch_size: int
    learning_rate: float
    validation_fraction: float
    patience: int | None
    min_delta: float
    steps_per_execution: int
    loops: str


@dataclass
class EpochState:
    """What a callable is told after an epoch.

    Attributes
    ----------
    epoch : int
        Counted from 0.
    n_epochs : int
        Epochs planned.
    loss, accuracy, val_loss, val_accuracy : float
        As in `history_`; NaN where no rows are held out, and all of them where training is private.
    seconds : float
        Since the epoch before, compilation included.
    last : bool
        True where no further epoch follows.
    epsilon, delta : float
        What was spent before training, and by the steps taken so far.
    """

    epoch: int
    n_epochs: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    seconds: float
    last: bool
    epsilon: float = np.inf
    delta: float = 0.0


def network_shape(grammar: Grammar, settings: Settings) -> NetworkShape:
    """Return the shape of the network that these settings train on records of this grammar."""
    return NetworkShape(Layout(grammar).groups, settings.embedding_dim, settings.rnn_units, settings.n_layers, settings.loops)


def n_parameters(shape: NetworkShape) -> int:
    """Return the number of trainable weights, padding included."""
    units = shape.rnn_units
    widths = [shape.embedding_dim] + [units] * (shape.n_layers - 1)
    layers = sum(4 * units * (width + units + 1) for width in widths)
    return (shape.n_tokens + shape.n_slots) * shape.embedding_dim + layers + shape.n_tokens * (units + 1)


def device_name() -> str:
    """Return where the network runs, such as "CPU" or "GPU:0"."""
    gpus = tf.config.list_logical_devices("GPU")
    return gpus[0].name.removeprefix("/device:") if gpus else "CPU"


def initial_weights(shape: NetworkShape, priors: list[np.ndarray], rng: np.random.Generator) -> _engine.Weights:
    """Draw the weights that training starts from; the forget gate is open, the heads say the priors."""
    units, groups = shape.rnn_units, shape.groups

    def normal(size, scale):
        return (rng.standard_normal(size) * scale).astype(np.float32)

    weights = {
        "embedding": normal((shape.n_tokens, shape.embedding_dim), 0.2),
        "slot_embedding": normal((shape.n_slots, shape.embedding_dim), 0.2),
    }
    for layer in range(shape.n_layers):
        width = shape.embedding_dim if layer == 0 else units
        orthogonal = [np.linalg.qr(rng.standard_normal((units, units)))[0] for _ in range(4)]
        weights[f"kernel_{layer}"] = normal((width, 4 * units), (2.0 / (width + 4 * units)) ** 0.5)
        weights[f"recurrent_kernel_{layer}"] = np.concatenate(orthogonal, axis=1).astype(np.float32)
        weights[f"bias_{layer}"] = np.repeat(np.float32([0, 1, 0, 0]), units)
    for index, group in enumerate(groups):
        weights[f"head_{index}"] = normal(
            (group.n_slots, units, group.n_tokens), 0.3 * (2.0 / (units + group.n_tokens)) ** 0.5
        )
        weights[f"head_bias_{index}"] = np.zeros((group.n_slots, group.n_tokens), np.float32)
        weights[f"prior_{index}"] = priors[index]
    return weights


def _steps(n_rows, settings):
    """Return the steps of an epoch, and how many of them one compiled call takes: a power of two that divides them."""
    steps = max(n_rows // settings.batch_size, 1)
    per_call = min(settings.steps_per_execution, 1 << max(steps.bit_length() - 4, 0))
    return -(-steps // per_call) * per_call, per_call


def _training_data(layout, rows, size, steps, n_epochs, seed):
    """Return a dataset of (rows, order, reach) for all epochs of `steps`; each step is a function of (seed, its number).

    The rows of a step are sorted by length; `reach` says how many places of each of their parts are read. It takes few
    values, as XLA compiles for each.
    """
    n, table, order, whole = len(rows), tf.constant(rows), tf.constant(layout.order), len(layout.order)
    bounds, rounding, varies = parts_of(layout.groups, size), -(-whole // REACHES), has_text(layout.groups)
    lengths = tf.constant(layout.lengths(rows) if varies else np.full(n, whole), tf.int32)

    def batch(step):
        epoch, within = step // steps, step % steps
        index = tf.cast(within * size, tf.int32) + tf.range(size)
        key = tf.stack([seed[0], seed[1] + tf.cast(epoch, tf.uint32)])
        chosen = tf.random.experimental.index_shuffle(index % n, key, n - 1)
        if varies:
            chosen = tf.gather(chosen, tf.argsort(tf.gather(lengths, chosen), stable=True))
        longest = tf.gather(tf.gather(lengths, chosen), [stop - 1 for stop in bounds[1:]])
        reach = tf.clip_by_value(-(-longest // rounding) * rounding, 1, whole)
        return tf.ensure_shape(tf.gather(table, chosen), (size, table.shape[1])), order, reach

    return tf.data.Dataset.range(n_epochs * steps).map(batch).prefetch(4).with_options(_untuned())


def _untuned():
    """Return options without tf.data's tuner, which finds nothing to tune here and can take seconds to end."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return options


def scoring_chunks(layout, rows):
    """Yield (rows, order, weight) of one fixed shape; the last is filled up with rows of weight 0."""
    for start in range(0, len(rows), SCORING_ROWS):
        chunk = rows[start : start + SCORING_ROWS]
        weight = np.zeros(SCORING_ROWS, np.float32)
        weight[: len(chunk)] = 1.0
        yield np.concatenate([chunk, np.repeat(chunk[:1], SCORING_ROWS - len(chunk), axis=0)]), layout.order, weight


def _validation_data(layout, rows):
    parts = [tf.constant(np.stack(part)) for part in zip(*scoring_chunks(layout, rows), strict=True)]
    return tf.data.Dataset.from_tensor_slices(tuple(parts)).with_options(_untuned()), len(parts[0])


class _Keeper(keras.callbacks.Callback):
    """Keeps history and the best weights; ends training when the loss to watch has stopped falling."""

    def __init__(self, monitor, settings, started, on_epoch):
        super().__init__()
        self.monitor, self.settings, self.on_epoch = monitor, settings, on_epoch
        self.best, self.best_epoch, self.weights, self.history = np.inf, -1, None, []
        self._clock = started

    def on_epoch_end(self, epoch, logs=None):
        now = time.perf_counter()
        figures = {name: float(logs.get(name, np.nan)) for name in ("loss", "accuracy", "val_loss", "val_accuracy")}
        for name in {"loss", self.monitor}:
            if not np.isfinite(figures[name]):
                raise FloatingPointError(
                    f"{name} of epoch {epoch} is {figures[name]}: lower learning_rate (it is {self.settings.learning_rate})"
                )
        if figures[self.monitor] < self.best - self.settings.min_delta:
            self.best, self.best_epoch, self.weights = figures[self.monitor], epoch, self.model.averages()
        elif self.settings.patience is not None and epoch - self.best_epoch >= self.settings.patience:
            self.model.stop_training = True
        last = self.model.stop_training or epoch + 1 == self.settings.epochs
        state = EpochState(epoch, self.settings.epochs, **figures, seconds=now - self._clock, last=last)
        self.history.append({"epoch": epoch, **figures, "seconds": state.seconds, "epsilon": np.inf, "delta": 0.0})
        self._clock = now
        self.on_epoch(state)


def split_rows(n_rows: int, fraction: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Split row numbers once into training and validation rows, both sorted."""
    n_validation = round(n_rows * fraction)
    chosen = np.zeros(n_rows, bool)
    chosen[rng.permutation(n_rows)[:n_validation]] = True
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def train(grammar: Grammar, ids: np.ndarray, settings: Settings, seed: np.random.SeedSequence, on_epoch):
    """Train a network on token ids.

    Parameters
    ----------
    grammar : Grammar
    ids : ndarray of int, shape (n_rows, n_positions)
    settings : Settings
    seed : SeedSequence
        Of the held-out rows, the initial weights, the order of rows and dropout.
    on_epoch : callable
        Called with an `EpochState` after every epoch.

    Returns
    -------
    weights : dict of str to ndarray
        Of the best epoch.
    history : list of dict
        One record per epoch.
    """
    refuse_fork()
    started = time.perf_counter()
    layout, shape = Layout(grammar), network_shape(grammar, settings)
    splitting, drawing, training_seed = (np.random.default_rng(child) for child in seed.spawn(3))
    training, validation = split_rows(len(ids), settings.validation_fraction, splitting)
    rows = layout.rows(ids)
    steps, per_call = _steps(len(training), settings)
    shuffling = training_seed.integers(0, 2**31, 2, dtype=np.uint32)
    data = _training_data(layout, rows[training], settings.batch_size, steps, settings.epochs, shuffling)
    held_out, n_chunks = _validation_data(layout, rows[validation]) if len(validation) else (None, None)
    keeper = _Keeper("val_loss" if len(validation) else "loss", settings, started, on_epoch)
    weights = initial_weights(shape, layout.priors(rows[training]), drawing)
    knobs = knobs_of(settings, steps, steps * settings.epochs, training_seed)
    with _engine.borrowed(shape, settings.batch_size, per_call) as model:
        _engine.load(model, weights | knobs | {AVERAGE + name: value for name, value in weights.items()})
        _engine.reset_optimizer(model)
        model.fit(
            data, epochs=settings.epochs, steps_per_epoch=steps, validation_data=held_out, validation_steps=n_chunks,
            callbacks=[keeper], shuffle=False, verbose=0,
        )  # fmt: skip
        weights = model.averages() if keeper.weights is None else keeper.weights
    for record in keeper.history:
        record["best"] = record["epoch"] == keeper.best_epoch
    return weights, keeper.history


def knobs_of(settings: Settings, steps: int, total: int, rng: np.random.Generator) -> _engine.Weights:
    """Return what the compiled step reads from variables, so that another value needs no other compilation."""
    return {
        "dropout": settings.dropout,
        "peak": settings.learning_rate, "warmup": min(steps, total // 10 + 1), "total": total,
        "horizon": max(steps * settings.averaging, 1.0),
        "seed": rng.integers(0, 2**30, 2, dtype=np.int32),
    }  # fmt: skip
