"""Training: token ids in, weights and history out."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from .._forks import refuse_fork
from .._grammar import Grammar
from . import _engine
from ._callbacks import Guarded, Keeper
from ._layout import ILLEGAL, Layout, has_text
from ._model import AVERAGE, RowModel, parts_of
from ._network import NetworkShape
from ._pairs import FEWEST_ROWS, start_of_recall
from ._rows import MappedRows, gatherer, row_numbers, rows_of, subsets
from ._run import Run

SCORING_ROWS = 576  # of a scoring chunk, padded, at most; a multiple of all usual row blocks of matrix kernels, so that a row
# gets the same bits at any place of a chunk
SCORING_LOGITS = 2**25  # of a chunk, at most, about
LOOPS = ("graph", "xla", "keras")
REACHES = 4  # lengths to which rows of text are read
VALIDATION_ORDERS = 2  # in which a chunk of held-out rows is scored beside its own, where training has others


@dataclass(frozen=True)
class Settings:
    """The values of one training run, all of them chosen."""

    embedding_dim: int
    rnn_units: int
    n_layers: int
    dropout: float
    averaging: float
    context: float
    epochs: int
    batch_size: int
    learning_rate: float
    validation_fraction: float
    monitor: str
    patience: int | None
    min_delta: float
    steps_per_execution: int
    loops: str
    most_epochs: int = 0  # to which training goes on where the loss still falls at half of `epochs`; as many as those: never
    n_context: int = 0  # the first so many runs are context: not scored, unless training reads columns in other orders too


def network_shape(grammar: Grammar, settings: Settings) -> NetworkShape:
    """Return the shape of the network that these settings train on records of this grammar."""
    sizes = settings.embedding_dim, settings.rnn_units, settings.n_layers
    masked = settings.n_context > 0 and settings.context == 0
    return NetworkShape(Layout(grammar).groups, *sizes, settings.loops, masked, settings.context > 0)


def n_parameters(shape: NetworkShape) -> int:
    """Return the number of trainable weights, padding included."""
    return sum(math.prod(size) for name, size in shape.weights.items() if not name.startswith("prior_"))


def checked_settings(values: Mapping, n_weights: int) -> Settings:
    """Return settings that were read from a file, once they are such as `train` was given.

    Parameters
    ----------
    values : dict of str to value
    n_weights : int
        Number of arrays that came with them.

    Raises
    ------
    ValueError
    """
    kinds = {"int": int, "float": (int, float), "str": str, "int | None": (int, type(None))}
    for name, kind in Settings.__annotations__.items():
        value = values.get(name, "nothing")
        if not isinstance(value, kinds[getattr(kind, "__name__", str(kind))]) or isinstance(value, bool):
            raise ValueError(f"got {name}={value!r}, expected {kind}")
        least = 0 if kind is float or name in ("n_context", "most_epochs") else 1
        if isinstance(value, int | float) and not least <= value < math.inf:
            raise ValueError(f"got {name}={value!r}, expected a number of at least {least}")
    if values["loops"] not in LOOPS or not 1 <= values["n_layers"] <= n_weights:
        raise ValueError(f"got n_layers={values['n_layers']} and loops={values['loops']!r} with {n_weights} arrays of weights")
    return Settings(**{name: values[name] for name in Settings.__annotations__})


def check_weights(grammar: Grammar, shape: NetworkShape, weights: _engine.Weights) -> None:
    """Refuse weights that are not those of a network of this shape, without measure, or at odds with the grammar.

    Raises
    ------
    ValueError
    """
    if weights.keys() != shape.weights.keys():
        raise ValueError(f"got weights {sorted(weights)}, expected {sorted(shape.weights)}")
    for name, size in shape.weights.items():
        value = weights[name]
        if not isinstance(value, np.ndarray) or value.shape != size or value.dtype != np.float32:
            raise ValueError(
                f"{name}: got {getattr(value, 'dtype', value)} of shape {np.shape(value)}, expected float32 of {size}"
            )
        if not (np.abs(value) <= -ILLEGAL).all():
            raise ValueError(f"{name}: got values that are not finite, or beyond {ILLEGAL:.0e} and {-ILLEGAL:.0e}")
    legal = Layout(grammar).pad([np.where(slot.transitions >= 0, 0.0, ILLEGAL) for slot in grammar.slots], ILLEGAL)
    for index, table in enumerate(legal):
        if not np.array_equal(weights[f"prior_{index}"] > ILLEGAL / 2, table > ILLEGAL / 2):
            raise ValueError(f"prior_{index}: got tokens that are possible where the tokenizer forbids them, or the reverse")


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
    if shape.recalls:
        weights["recall"] = np.zeros((shape.n_tokens, units), np.float32)
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


def _training_data(layout, rows, size, steps, epochs, seed, context):
    """Return a dataset of (rows, order, reach) for `epochs` of so many steps; each step is a function of (seed, its number).

    The rows of a step are sorted by length; `reach` says how many places of each of their parts are read, and `order` which.
    In a share `context` of the parts some runs are read before the others.
    """
    n, gather, whole = len(rows), gatherer(rows), len(layout.order)
    bounds, varies = parts_of(layout.groups, size), has_text(layout.groups)
    reaches = tf.constant(_rounded(layout.lengths(rows), whole) if varies else np.full(n, whole), tf.int32)

    @tf.autograph.experimental.do_not_convert
    def batch(step):
        epoch, within = step // steps, step % steps
        index = tf.cast(within * size, tf.int32) + tf.range(size)
        key = tf.stack([seed[0], seed[1] + tf.cast(epoch, tf.uint32)])
        chosen = tf.random.experimental.index_shuffle(index % n, key, n - 1)
        if varies:
            chosen = tf.gather(chosen, tf.argsort(tf.gather(reaches, chosen), stable=True))
        reach = tf.gather(tf.gather(reaches, chosen), [stop - 1 for stop in bounds[1:]])
        return gather(chosen), orders_of_step(layout, reach, seed, step, context), reach

    return tf.data.Dataset.range(epochs.start * steps, epochs.stop * steps).map(batch).prefetch(4).with_options(_untuned())


def orders_of_step(layout: Layout, reach: tf.Tensor, seed: np.ndarray, step: tf.Tensor, context: float) -> tf.Tensor:
    """Return the places that each part of a step reads up to its reach, and behind them those that it does not.

    Parameters
    ----------
    layout : Layout
    reach : tensor of int32, shape (n_parts,)
    seed : ndarray of uint32, shape (2,)
    step : tensor of int64, shape ()
    context : float
        Share of the parts in which some runs are read before the others: in half of them any number, in the others a few
        rather than many; any of that number. Where the first runs come first, the order is the usual one: of few runs that is
        often, so that the usual order gets enough of the training whatever the number of runs.

    Returns
    -------
    orders : tensor of int32, shape (n_parts, n_positions)
    """
    runs, n_runs, n_parts = layout.run_of_position, len(layout.grammar.runs), reach.shape[0]
    seeds = tf.stack([tf.constant(int(seed[0]) + 2**32, tf.int64), tf.cast(int(seed[1]), tf.int64) + step])
    draws = tf.random.stateless_uniform((n_parts, 2 + n_runs), seeds)
    place = tf.argsort(draws[:, -1])  # whose turn it is, of the parts
    turn = tf.cast(tf.cast(step, tf.int32) * n_parts + place, tf.float64)
    mixed = tf.floor((turn + 1.0) * context) > tf.floor(turn * context)
    n_first = tf.where(mixed, _n_first(draws[:, 0], n_runs), 0)
    first = tf.argsort(tf.argsort(draws[:, 1:-1])) < n_first[:, None]
    behind = tf.range(len(runs)) >= reach[:, None]
    rank = tf.where(behind, 2, tf.where(tf.gather(first, runs, axis=1), 0, 1))
    return tf.gather(tf.constant(layout.order), tf.argsort(rank, stable=True))


def _n_first(uniform, n_runs):
    """Return how many runs come first, at least 1 and not all, for uniform numbers: below a half log-uniform, else uniform."""
    few = tf.cast(float(n_runs) ** (2.0 * uniform), tf.int32)
    return tf.where(uniform < 0.5, few, 1 + tf.cast((2.0 * uniform - 1.0) * (n_runs - 1), tf.int32))


def _untuned():
    """Return options without tf.data's tuner, which finds nothing to tune here and can take seconds to end."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return options


def scoring_chunks(layout: Layout, rows: np.ndarray | MappedRows) -> Iterator[tuple[np.ndarray, tuple]]:
    """Yield the numbers of some rows, and (numbers, reach, weight) of one fixed shape, filled up with rows of weight 0.

    The rows of a chunk are read up to the same place, `reach`, which depends on nothing but the row.
    """
    size = _scoring_rows(layout.groups)
    reaches = (
        _rounded(layout.lengths(rows), len(layout.order)) if has_text(layout.groups) else np.full(len(rows), len(layout.order))
    )
    for reach in np.unique(reaches).tolist():
        own = np.flatnonzero(reaches == reach)
        for start in range(0, len(own), size):
            which = own[start : start + size]
            weight = (np.arange(size) < len(which)).astype(np.float32)
            filled = np.append(which, np.repeat(which[:1], size - len(which)))
            yield which, (filled.astype(np.int32), np.int32(reach), weight)


def _scoring_rows(groups):
    """Return the number of rows of a chunk: so many that their logits take a bounded room."""
    logits = sum(group.n_positions * group.n_tokens for group in groups)
    return next((rows for rows in (SCORING_ROWS, 288, 144, 96, 48) if rows * logits <= SCORING_LOGITS), 24)


def _rounded(lengths, whole):
    """Return up to which place rows of these lengths are read: one of few values, as XLA compiles for each."""
    step = -(-whole // REACHES)
    return np.clip(-(-lengths // step) * step, 1, whole)


def _validation_data(layout, rows, context):
    """Return a dataset of (rows, order, reach, weight) of scoring chunks, and their number.

    Where some runs are read before the others in a share `context` of the parts, each chunk is scored in such orders too, with
    that weight: the best epoch is that of all that is trained for.
    """
    chunks, parts = [chunk for _, chunk in scoring_chunks(layout, rows)], []
    for place, (numbers, reach, weight) in enumerate(chunks):
        parts.append((numbers, layout.order, reach, weight * (1.0 - context)))
        for turn in range(VALIDATION_ORDERS if context else 0):
            step = tf.constant(place * VALIDATION_ORDERS + turn, tf.int64)
            (order,) = orders_of_step(layout, tf.constant([reach]), np.zeros(2, np.uint32), step, 1.0).numpy()
            parts.append((numbers, order, reach, weight * (context / VALIDATION_ORDERS)))
    gather = gatherer(rows)

    @tf.autograph.experimental.do_not_convert
    def chunk(numbers, order, reach, weight):
        return gather(numbers), order, reach, weight

    stacked = tuple(tf.constant(np.stack(part), tf.as_dtype(part[0].dtype)) for part in zip(*parts, strict=True))
    return tf.data.Dataset.from_tensor_slices(stacked).map(chunk).prefetch(2).with_options(_untuned()), len(parts)


def split_rows(n_rows: int, fraction: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Split row numbers once into training and validation rows, both sorted."""
    n_validation = round(n_rows * fraction)
    chosen = np.zeros(n_rows, bool)
    chosen[rng.permutation(row_numbers(n_rows))[:n_validation]] = True
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


def train(grammar: Grammar, ids: np.ndarray, settings: Settings, seed: np.random.SeedSequence, run: Run) -> _engine.Weights:
    """Train a network on token ids.

    Parameters
    ----------
    grammar : Grammar
    ids : ndarray of int, shape (n_rows, n_positions)
        Of a memory map only the rows of a few steps are in memory at a time; the weights are the same to the bit.
    settings : Settings
    seed : SeedSequence
        Of the held-out rows, the initial weights, the order of rows and dropout.
    run : Run
        Where to start and whom to tell; gets the history.

    Returns
    -------
    weights : dict of str to ndarray
        Of the best epoch; as they are, where not even one is over.
    """
    refuse_fork()
    layout, shape = Layout(grammar), network_shape(grammar, settings)
    splitting, drawing, training_seed = (np.random.default_rng(child) for child in seed.spawn(3))
    training, validation = split_rows(len(ids), settings.validation_fraction, splitting)
    rows, held_out_rows = subsets(rows_of(layout, ids), training, validation)
    steps, per_call = _steps(len(training), settings)
    shuffling = training_seed.integers(0, 2**31, 2, dtype=np.uint32)
    epochs = range(len(run.records), max(settings.epochs, settings.most_epochs))
    data = _training_data(layout, rows, settings.batch_size, steps, epochs, shuffling, settings.context)
    held_out, n_chunks = _validation_data(layout, held_out_rows, settings.context) if len(validation) else (None, None)
    keeper = Keeper(settings, run, steps, len(validation))
    weights = run.weights
    if weights is None:
        weights = initial_weights(shape, layout.priors(rows), drawing)
        if shape.recalls and len(rows) >= FEWEST_ROWS:
            weights |= {name: weights[name] + more for name, more in start_of_recall(layout, rows, shape, drawing).items()}
    knobs = knobs_of(layout, settings, steps, steps * settings.epochs, training_seed) | {"total": steps * run.planned}
    with _engine.borrowed(shape, settings.batch_size, per_call) as model:
        start_network(model, run, weights | knobs)
        model.fit(
            data, epochs=epochs.stop, initial_epoch=epochs.start, steps_per_epoch=steps, validation_data=held_out,
            validation_steps=n_chunks, callbacks=[keeper, *(Guarded(callback, run) for callback in run.callbacks)],
            shuffle=False, verbose=0,
        )  # fmt: skip
        return model.averages() if keeper.best_weights is None else keeper.best_weights


def start_network(model: RowModel, run: Run, weights: _engine.Weights) -> None:
    """Put a borrowed network where the run starts: at `weights`, or where an earlier one stood."""
    _engine.load(model, weights | {AVERAGE + name: value for name, value in weights.items()})
    _engine.reset_optimizer(model)
    if run.start is not None:
        _engine.restore(model, run.start.variables)


def knobs_of(layout: Layout, settings: Settings, steps: int, total: int, rng: np.random.Generator) -> _engine.Weights:
    """Return what the compiled step reads from variables, so that another value needs no other compilation."""
    return {
        "dropout": settings.dropout,
        "peak": settings.learning_rate, "warmup": min(steps, total // 10 + 1), "total": total,
        "horizon": max(steps * settings.averaging, 1.0),
        "scored": layout.scored(settings.n_context),
        "seed": rng.integers(0, 2**30, 2, dtype=np.int32),
    }  # fmt: skip
