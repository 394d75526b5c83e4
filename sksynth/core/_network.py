"""The language model of rows as pure functions of weights: losses, and their gradient by hand.

Embedding -> LSTM (x n_layers) -> one head per slot. Where columns are read in any order, heads see beside the hidden state
the sum of a vector for every token that was read before, what is recalled: what two columns say of each other is learned once,
however far apart they are read. Unit by unit the hidden state says how much of that counts, from nothing to twice, as several
columns may say the same.

Everything that depends on rows runs on a part of them, so that the parts of a step can run beside each other; what depends on
weights alone is done once, before and after.
"""

from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from . import _heads, _recurrence
from ._compiled import by_xla, compiled_for
from ._layout import RECALL_SCALE, Group, has_text
from ._recurrence import Steps, weight_gradient


class NetworkShape(NamedTuple):
    """All that a compiled step depends on: equal shapes share one compilation."""

    groups: tuple[Group, ...]
    embedding_dim: int
    rnn_units: int
    n_layers: int
    loops: str = "graph"  # "graph", "xla", or "keras": the layer of Keras, which runs cuDNN's kernels on a GPU
    masked: bool = False  # whether some places are context only: `scored`, beside the weights, tells which
    recalls: bool = False  # whether heads see, beside the hidden state, the sum of a vector for every token read before

    @property
    def n_positions(self) -> int:
        return sum(group.n_positions for group in self.groups)

    @property
    def n_slots(self) -> int:
        return sum(group.n_slots for group in self.groups)

    @property
    def n_tokens(self) -> int:
        return sum(group.n_slots * group.n_tokens for group in self.groups)

    @property
    def slot_of_place(self) -> np.ndarray:
        """Index of the slot (in canonical order) at every canonical place, shape (n_positions,)."""
        repeats = [group.repeat for group in self.groups for _ in range(group.n_slots)]
        return np.repeat(np.arange(len(repeats)), repeats).astype(np.int32)

    @property
    def first_token_of_slot(self) -> np.ndarray:
        """Row of the embedding table at which every slot's block begins, shape (n_slots,)."""
        sizes = [group.n_tokens for group in self.groups for _ in range(group.n_slots)]
        return (np.cumsum([0, *sizes])[:-1]).astype(np.int32)

    @property
    def weights(self) -> dict[str, tuple[int, ...]]:
        """Shapes of the weights by name; those named ``prior_*`` are not trained."""
        units = self.rnn_units
        shapes = {"embedding": (self.n_tokens, self.embedding_dim), "slot_embedding": (self.n_slots, self.embedding_dim)}
        if self.recalls:
            shapes["recall"] = (self.n_tokens, units)
        for layer in range(self.n_layers):
            shapes[f"kernel_{layer}"] = (units if layer else self.embedding_dim, 4 * units)
            shapes[f"recurrent_kernel_{layer}"] = (units, 4 * units)
            shapes[f"bias_{layer}"] = (4 * units,)
        for index, group in enumerate(self.groups):
            shapes[f"head_{index}"] = (group.n_slots, units, group.n_tokens)
            shapes[f"head_bias_{index}"] = (group.n_slots, group.n_tokens)
            shapes[f"prior_{index}"] = (group.n_slots, group.n_states, group.n_tokens)
        return shapes


class Noise(NamedTuple):
    """What training adds: dropout, drawn from (seed, step) and nothing else."""

    seed: tf.Tensor
    dropout: tf.Tensor
    same_for_all: bool = False  # for private training: else a row less would move the masks of those behind it

    def mask(self, purpose: int, n_rows: tf.Tensor, units: int) -> tf.Tensor:
        """Return what hidden units are multiplied by at all positions of a row, shape (1, n_rows or 1, units)."""
        keep = 1.0 - self.dropout
        shape = (1, 1 if self.same_for_all else n_rows, units)
        uniform = tf.random.stateless_uniform(shape, self.seed + tf.constant([purpose, 0]))
        return tf.cast(uniform < keep, tf.float32) / keep


class Layer(NamedTuple):
    """What one layer keeps for the backward pass."""

    inputs: tf.Tensor | None  # none of our first layer, whose gradients need none
    steps: Steps | Any  # of ours; of Keras' layer the tape that saw it, and its output
    mask: tf.Tensor | float


class Reading(NamedTuple):
    """A forward pass over rows: what the heads see, and what the backward pass needs."""

    hidden: tf.Tensor  # in canonical order, shape (n_positions, n_rows, units)
    tokens: tf.Tensor  # row of the token table, by time of reading, shape (n_times, n_rows)
    slots: tf.Tensor  # row of the slot table, by time of reading, shape (n_times,)
    layers: list[Layer]
    state: tf.Tensor | None = (
        None  # what `hidden` is made of where the network recalls: the last layer's, and what is recalled,
    )
    recalled: tf.Tensor | None = None  # both of the shape of `hidden`


def tables(shape: NetworkShape, weights: dict) -> dict:
    """Return the weights, and beside them the tables whose rows are added up to the first layer's input.

    The input at time t is the token read at time t - 1 and the slot that is read at t. Both tables are multiplied by the
    first layer's kernel beforehand, so that no input is ever multiplied row by row.
    """
    said, asked = weights["embedding"], weights["slot_embedding"]
    if shape.loops != "keras":
        said, asked = tf.matmul(said, weights["kernel_0"]), tf.matmul(asked, weights["kernel_0"]) + weights["bias_0"]
    return weights | {"said": said, "asked": asked}


def through_tables(shape: NetworkShape, weights: dict, gradients: dict) -> dict:
    """Return the gradients of the weights from those that have the tables' instead."""
    said, asked = gradients.pop("said"), gradients.pop("asked")
    if shape.loops == "keras":
        return gradients | {"embedding": said, "slot_embedding": asked}
    kernel = weights["kernel_0"]
    return gradients | {
        "embedding": tf.matmul(said, kernel, transpose_b=True),
        "slot_embedding": tf.matmul(asked, kernel, transpose_b=True),
        "kernel_0": weight_gradient(weights["embedding"], said) + weight_gradient(weights["slot_embedding"], asked),
        "bias_0": tf.reduce_sum(asked, axis=0),
    }


def read(shape: NetworkShape, weights: dict, ids: tf.Tensor, order: tf.Tensor, noise: Noise | None = None) -> Reading:
    """Run the network over rows up to its heads.

    Parameters
    ----------
    shape : NetworkShape
    weights : dict of str to tensor
        With `tables`.
    ids : tensor of int32, shape (n_rows, n_positions)
        Tokens in canonical order.
    order : tensor of int32, shape (n_times,)
        The canonical place that is read at each time; places that are left out must leave no choice to any of these rows.
    noise : Noise, optional
        In training.
    """
    places = shape.slot_of_place
    tokens = tf.gather(tf.transpose(ids + shape.first_token_of_slot[places][None]), order)
    slots, n_rows = tf.gather(places, order), tf.shape(ids)[0]
    masks = [1.0 if noise is None else noise.mask(index, n_rows, shape.rnn_units) for index in range(shape.n_layers)]
    hidden, layers = by_xla(shape, _layers)(shape, _below_heads(weights), tokens, slots, order, masks)
    if shape.recalls:
        recalled = tf.cumsum(tf.gather(RECALL_SCALE * weights["recall"], tokens), exclusive=True) * masks[-1]
        recalled = _to_places(recalled, order, shape.n_positions)
        return Reading(hidden + recalled * (1.0 + hidden), tokens, slots, layers, hidden, recalled)
    return Reading(hidden, tokens, slots, layers)


def _below_heads(weights):
    """Leave out what layers do not need: XLA takes time for every tensor that it is given."""
    return {name: value for name, value in weights.items() if not name.startswith(("head", "prior", "scored", "recall"))}


def _layers(shape, weights, tokens, slots, order, masks):
    """Run all layers from the look-ups to what the heads see, in one piece that XLA can take."""
    inputs, layers = _LOOK[shape.loops](weights, tokens, slots), []
    for index, mask in enumerate(masks):
        steps = _RUN[shape.loops](shape, weights, index, inputs, tf.unstack(tf.shape(tokens)))
        layers.append(Layer(None if callable(inputs) else inputs, steps, mask))
        inputs = steps.hidden * mask
    return _to_places(inputs, order, shape.n_positions), layers


def _look_up(weights, tokens, slots):
    """Return the first layer's inputs."""
    said = tf.pad(tf.gather(weights["said"], tokens[:-1]), [[1, 0], [0, 0], [0, 0]])
    return said + tf.gather(weights["asked"], slots)[:, None]


def _look_up_by_step(weights, tokens, slots):
    """Return a function that gives them of one step, so that those of all steps are nowhere written."""
    said, asked = weights["said"], tf.gather(weights["asked"], slots)
    return lambda t: tf.where(t > 0, tf.gather(said, tokens[tf.maximum(t - 1, 0)]), 0.0) + asked[t]


def _to_places(hidden, order, n_positions):
    """Bring hidden states from the order of reading to canonical order; zeros where nothing is read."""
    if order.shape[0] == n_positions:
        return tf.gather(hidden, tf.math.invert_permutation(order))
    return tf.scatter_nd(order[:, None], hidden, tf.concat([[n_positions], tf.shape(hidden)[1:]], 0))


def find_deltas(
    shape: NetworkShape, weights: dict, reading: Reading, order: tf.Tensor, upstream: tf.Tensor
) -> list[tf.Tensor]:
    """Return every layer's gradient with respect to its projected inputs: all that a row's own gradient is made of.

    Parameters
    ----------
    shape, weights, order
        As `read` had them; not for Keras' layer, which does not tell.
    reading : Reading
    upstream : tensor, shape (n_positions, n_rows, rnn_units)
        Gradient with respect to `reading.hidden`.

    Returns
    -------
    deltas : list of tensor, shape (n_times, n_rows, 4 * rnn_units)
    """
    return by_xla(shape, _deltas)(shape, _below_heads(weights), reading.layers, order, upstream)


def _deltas(shape, weights, layers, order, upstream):
    """Go back through all layers, in one piece that XLA can take."""
    found, upstream = [], tf.gather(upstream, order)
    for index, layer in reversed(list(enumerate(layers))):
        found.insert(0, _recurrence.backward(upstream * layer.mask, weights[f"recurrent_kernel_{index}"], layer.steps))
        if index:
            upstream = tf.ensure_shape(through_kernel(found[0], weights[f"kernel_{index}"]), layer.inputs.shape)
    return found


def through_kernel(deltas: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Return the gradient with respect to what was multiplied by the kernel, shape (n_times, n_rows, width)."""
    flat = tf.matmul(tf.reshape(deltas, (-1, kernel.shape[1])), kernel, transpose_b=True)
    return tf.reshape(flat, tf.concat([tf.shape(deltas)[:2], [kernel.shape[0]]], 0))


def gradients_of(shape: NetworkShape, reading: Reading, deltas: list[tf.Tensor]) -> dict:
    """Return the gradients of all weights but the heads', those of the tables in place of what they are made of.

    They are made outside of XLA, which takes longer for large products.

    Parameters
    ----------
    shape : NetworkShape
    reading : Reading
    deltas : list of tensor
        As `find_deltas` returns them.
    """
    gradients = {}
    for index, (layer, own) in enumerate(zip(reading.layers, deltas, strict=True)):
        gradients[f"recurrent_kernel_{index}"] = weight_gradient(layer.steps.hidden[:-1], own[1:])
        if index:
            gradients[f"kernel_{index}"] = weight_gradient(layer.inputs, own)
            gradients[f"bias_{index}"] = tf.reduce_sum(own, (0, 1))
    return gradients | _of_tables(shape, reading, deltas[0])


def _of_tables(shape, reading, upstream):
    said, asked = upstream[1:], tf.reduce_sum(upstream, axis=1)
    return {
        "said": sum_by_token(said, reading.tokens[:-1], shape.n_tokens),
        "asked": tf.math.unsorted_segment_sum(asked, reading.slots, shape.n_slots),
    }


def _unread(shape, weights, reading, order, upstream):
    """Gradients of all weights but the heads'."""
    gradients = {}
    if shape.recalls:
        gradients["recall"] = _of_recall(shape, reading, order, upstream)
        upstream *= 1.0 + reading.recalled
    if shape.loops != "keras":
        return gradients | gradients_of(shape, reading, find_deltas(shape, weights, reading, order, upstream))
    upstream = tf.gather(upstream, order)
    for index in reversed(range(shape.n_layers)):
        layer = reading.layers[index]
        own, upstream = _rerun_keras(weights, index, layer, upstream * layer.mask)
        gradients |= own
    return gradients | _of_tables(shape, reading, upstream)


def _of_recall(shape, reading, order, upstream):
    """Gradient of the vectors that are recalled."""
    through = tf.gather(upstream * (1.0 + reading.state), order) * reading.layers[-1].mask
    recalled = tf.cumsum(through, exclusive=True, reverse=True)
    return RECALL_SCALE * sum_by_token(recalled, reading.tokens, shape.n_tokens)


def sum_by_token(deltas: tf.Tensor, tokens: tf.Tensor, n_tokens: int) -> tf.Tensor:
    """Sum the deltas of equal tokens; sorted first, that takes a CPU half the time of `tf.math.unsorted_segment_sum`."""
    flat = tf.reshape(tokens, (-1,))
    by_token = tf.argsort(flat, stable=True)
    rows = tf.reshape(deltas, (-1, deltas.shape[-1]))
    return tf.sparse.segment_sum(rows, by_token, tf.gather(flat, by_token), num_segments=n_tokens)


def row_losses(
    shape: NetworkShape, weights: dict, rows: tf.Tensor, order: tf.Tensor, reach: tf.Tensor | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the negative log-likelihood of each row and the share of its tokens foreseen.

    Parameters
    ----------
    shape : NetworkShape
    weights : dict of str to tensor
        With `scored` where the shape is masked: 1 or 0 for every place, shape (n_positions,).
    rows : tensor of int, shape (n_rows, 2 * n_positions)
        Tokens and states in canonical order (`Layout.rows`).
    order : tensor of int32, shape (n_times,)
        As in `read`.
    reach : tensor of int32, shape (), optional
        Number of times that are read, where rows hold text. None: all.

    Returns
    -------
    losses : tensor, shape (n_rows,)
        In nats, of the places that are scored.
    hits : tensor, shape (n_rows,)
        Share of these places whose likeliest token is the row's.
    """
    weights = tables(shape, weights)
    ids, labels, states = tokens_and_states(shape, rows)
    order = order[:reach] if reach is not None and has_text(shape.groups) else order
    reading, counts = read(shape, weights, ids, order), _heads.n_read(shape.groups, order)
    parts = (_heads.by_group(shape.groups, values, counts) for values in (reading.hidden, labels, states))
    losses, hits, _ = _heads.measure(_heads.heads(shape.groups, weights), *parts)
    return losses, hits / _n_scored(shape, weights)


def row_gradients(
    shape: NetworkShape, weights: dict, rows: tf.Tensor, order: tf.Tensor, noise: Noise
) -> tuple[dict, tf.Tensor, tf.Tensor]:
    """Return the gradient of the sum of the losses, the tables' in place of what they are made of; losses and hits.

    Parameters
    ----------
    shape, rows, order
        As `row_losses`.
    weights : dict of str to tensor
        With `tables`.
    noise : Noise

    Returns
    -------
    gradients : dict of str to tensor
    losses, hits : tensor, shape (n_rows,)
        As `row_losses`.
    """
    ids, labels, states = tokens_and_states(shape, rows)
    reading, heads = read(shape, weights, ids, order, noise), _heads.heads(shape.groups, weights)
    counts = _heads.n_read(shape.groups, order)
    parts = (_heads.by_group(shape.groups, values, counts) for values in (reading.hidden, labels, states))
    losses, hits, upstream, gradients = by_xla(shape, _heads.measure_and_return)(heads, *parts)
    upstream = _heads.together(shape.groups, upstream)
    return gradients | _unread(shape, weights, reading, order, upstream), losses, hits / _n_scored(shape, weights)


def _n_scored(shape, weights):
    return tf.reduce_sum(weights["scored"]) if shape.masked else shape.n_positions


def tokens_and_states(shape: NetworkShape, rows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Return tokens by row, and tokens and states by place."""
    rows = tf.cast(rows, tf.int32)
    ids = rows[:, : shape.n_positions]
    return ids, tf.transpose(ids), tf.transpose(rows[:, shape.n_positions :])


# One layer, by our loops or by Keras' layer


def _run_ours(shape, weights, index, inputs, size):
    if index:
        flat = tf.matmul(tf.reshape(inputs, (-1, shape.rnn_units)), weights[f"kernel_{index}"]) + weights[f"bias_{index}"]
        inputs = tf.reshape(flat, (*size, 4 * shape.rnn_units)).__getitem__
    return _recurrence.forward(inputs, *size, weights[f"recurrent_kernel_{index}"])


def prepare(shape: NetworkShape) -> None:
    """Make what cannot be made while a function is traced; it is there for as long as `compiled_for` the shape is held."""
    if shape.loops == "keras":
        for width in {shape.embedding_dim, shape.rnn_units}:
            compiled_for(shape).once(_keras_layer, shape.rnn_units, width)


def _keras_layer(units, width):
    layer = keras.layers.LSTM(units, return_sequences=True)
    layer.build((None, None, width))
    return layer


class _Seen(NamedTuple):
    hidden: tf.Tensor
    tape: tf.GradientTape


def _names(index):
    return [f"kernel_{index}", f"recurrent_kernel_{index}", f"bias_{index}"]


def _run_keras(shape, weights, index, inputs, _):
    layer = compiled_for(shape).once(_keras_layer, shape.rnn_units, inputs.shape[-1])
    own = [weights[name] for name in _names(index)]
    with tf.GradientTape() as tape:
        tape.watch([inputs, *own])
        hidden, _ = layer.stateless_call(
            own, [v.value for v in layer.non_trainable_variables], tf.transpose(inputs, (1, 0, 2))
        )
        hidden = tf.transpose(hidden, (1, 0, 2))
    return _Seen(hidden, tape)


def _rerun_keras(weights, index, layer, upstream):
    sources = [layer.inputs, *(weights[name] for name in _names(index))]
    back, *own = layer.steps.tape.gradient(layer.steps.hidden, sources, output_gradients=upstream)
    return dict(zip(_names(index), own, strict=True)), back


_LOOK = {"graph": _look_up_by_step, "xla": _look_up_by_step, "keras": _look_up}
_RUN = {"graph": _run_ours, "xla": _run_ours, "keras": _run_keras}
