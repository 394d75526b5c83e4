"""The sum of the rows' gradients, each clipped to one norm: what a differentially private step adds its noise to.

A row's gradient of a kernel is the sum over its steps of the outer product of what went in and the delta that came back. Its
norm follows from these without making it, and the clipped sum is the product that makes the sum of the gradients, with what
went in scaled row by row: one forward and one backward pass in all (Goodfellow 2015, "Efficient per-example gradient
computations"; Bu et al. 2022, "Differentially private optimization on large model at small cost").
"""

from typing import NamedTuple

import tensorflow as tf

from . import _heads
from ._compiled import by_xla
from ._layout import has_text
from ._network import NetworkShape, Noise, Reading, find_deltas, read, sum_by_token, through_kernel, tokens_and_states

SLACK = 1e-5  # by which rows are clipped to less than the norm, so that rounding never leaves more of one


class Product(NamedTuple):
    """What the gradient of a kernel and its bias is made of."""

    inputs: tf.Tensor  # with a one at the end, for the bias; shape (n_steps, n_rows, width)
    deltas: tf.Tensor  # shape (n_steps, n_rows, n_outputs)


class Parts(NamedTuple):
    """All that the rows' gradients are made of."""

    heads: list[Product]  # by group of slots
    layers: list[Product]  # kernel and recurrent kernel of a layer have their deltas in common
    looked_up: tf.Tensor  # gradient with respect to the sum of the two embeddings, shape (n_times, n_rows, embedding_dim)


def clipped_sum(
    shape: NetworkShape, weights: dict, rows: tf.Tensor, order: tf.Tensor, noise: Noise, real: tf.Tensor, norm: tf.Tensor
) -> dict[str, tf.Tensor]:
    """Return the sum of the rows' gradients, each scaled to at most `norm`.

    No row influences what another contributes; one whose gradient is not finite contributes nothing.

    Parameters
    ----------
    shape, weights, rows, order, noise
        As `_network.row_gradients`; not for Keras' layer, which does not tell its deltas.
    real : tensor, shape (n_rows,)
        0 for rows that only fill the chunk, else 1.
    norm : tensor, scalar
        Of the gradient with respect to all weights together.

    Returns
    -------
    sums : dict of str to tensor
    """
    reading, parts = row_parts(shape, weights, rows, order, noise)
    squares = squared_norms(shape, reading, parts)
    factors = clip_factors(squares, norm) * real
    return sums_of(shape, reading, _without_infinite(parts, squares), factors)


def row_parts(shape: NetworkShape, weights: dict, rows: tf.Tensor, order: tf.Tensor, noise: Noise) -> tuple[Reading, Parts]:
    """Read the rows forward and backward."""
    ids, labels, states = tokens_and_states(shape, rows)
    reading, heads = read(shape, weights, ids, order, noise), _heads.heads(shape.groups, weights)
    values = [_heads.by_group(shape.groups, part) for part in (reading.hidden, labels, states)]
    head_deltas, upstream = by_xla(shape, _measure)(heads, *values)
    deltas = find_deltas(shape, weights, reading, order, _heads.together(shape.groups, upstream))
    said = tf.pad(tf.gather(weights["embedding"], reading.tokens[:-1]), [[1, 0], [0, 0], [0, 0]])
    inputs = [said + tf.gather(weights["slot_embedding"], reading.slots)[:, None]]
    inputs += [layer.inputs for layer in reading.layers[1:]]
    layers = [
        Product(_with_one(own, _shifted(layer.steps.hidden)), back)
        for own, layer, back in zip(inputs, reading.layers, deltas, strict=True)
    ]
    heads = [
        Product(own, tf.reshape(back, (own.shape[0], -1, back.shape[2])))
        for own, back in zip(_heads.by_group(shape.groups, _with_one(reading.hidden)), head_deltas, strict=True)
    ]
    return reading, Parts(heads, layers, through_kernel(deltas[0], weights["kernel_0"]))


def squared_norms(shape: NetworkShape, reading: Reading, parts: Parts) -> tf.Tensor:
    """Return the squared norm of every row's own gradient with respect to all weights, shape (n_rows,)."""
    total = tf.add_n([product_norms(part) for part in parts.layers])
    for group, part in zip(shape.groups, parts.heads, strict=True):
        total += product_norms(part, group.repeat)
    if has_text(shape.groups):
        slots = tf.math.unsorted_segment_sum(parts.looked_up, reading.slots, shape.n_slots)
        return total + tf.reduce_sum(slots * slots, (0, 2)) + table_norms(parts.looked_up[1:], reading.tokens[:-1])
    squares = tf.reduce_sum(parts.looked_up * parts.looked_up, 2)  # no row looks up the same twice
    return total + tf.reduce_sum(squares, 0) + tf.reduce_sum(squares[1:], 0)


def product_norms(part: Product, repeat: int | None = None) -> tf.Tensor:
    """Return the squared norm of every row's gradient, shape (n_rows,).

    It is a sum over pairs of steps, or that of the gradient itself, whichever costs less.

    Parameters
    ----------
    part : Product
    repeat : int, optional
        Number of consecutive steps that share a kernel. None: all of them.
    """
    inputs, deltas = part
    if repeat == 1:
        return tf.reduce_sum(tf.reduce_sum(inputs * inputs, 2) * tf.reduce_sum(deltas * deltas, 2), 0)
    if repeat is not None:
        starts = range(0, inputs.shape[0], repeat)
        return tf.add_n([product_norms(Product(*(side[start : start + repeat] for side in part))) for start in starts])
    n_steps, width, n_outputs = inputs.shape[0], inputs.shape[2], deltas.shape[2]
    inputs, deltas = (tf.transpose(side, (1, 0, 2)) for side in part)
    if n_steps is not None and n_steps * (width + n_outputs) < width * n_outputs:
        pairs = tf.matmul(inputs, inputs, transpose_b=True) * tf.matmul(deltas, deltas, transpose_b=True)
        return tf.reduce_sum(pairs, (1, 2))
    gradients = tf.matmul(inputs, deltas, transpose_a=True)
    return tf.reduce_sum(gradients * gradients, (1, 2))


def table_norms(deltas: tf.Tensor, indices: tf.Tensor) -> tf.Tensor:
    """Return the squared norm of every row's gradient of a table, of which it may look up a line more than once.

    Parameters
    ----------
    deltas : tensor, shape (n_steps, n_rows, width)
    indices : tensor of int32, shape (n_steps, n_rows)
        Looked up at each step.

    Returns
    -------
    norms : tensor, shape (n_rows,)
    """
    by_row, index = tf.transpose(deltas, (1, 0, 2)), tf.transpose(indices)
    same = tf.cast(index[:, :, None] == index[:, None, :], tf.float32)
    return tf.reduce_sum(same * tf.matmul(by_row, by_row, transpose_b=True), (1, 2))


def clip_factors(squares: tf.Tensor, norm: tf.Tensor) -> tf.Tensor:
    """Return what each row is multiplied by, given the squared norms: at most 1, and 0 where the norm is not finite."""
    factors = tf.minimum(1.0, norm * (1.0 - SLACK) * tf.math.rsqrt(tf.maximum(squares, 1e-30)))
    return tf.where(tf.math.is_finite(squares), factors, 0.0)


def sums_of(shape: NetworkShape, reading: Reading, parts: Parts, factors: tf.Tensor) -> dict[str, tf.Tensor]:
    """Return the sum of the rows' gradients, each times its factor."""
    by_row, sums = factors[None, :, None], {}
    for index, (group, (inputs, deltas)) in enumerate(zip(shape.groups, parts.heads, strict=True)):
        scaled, back = (tf.reshape(side, (group.n_slots, -1, side.shape[2])) for side in (inputs * by_row, deltas))
        product = tf.matmul(scaled, back, transpose_a=True)
        sums |= {f"head_{index}": product[:, :-1], f"head_bias_{index}": product[:, -1]}
    for index, (inputs, deltas) in enumerate(parts.layers):
        scaled, back = (tf.reshape(side, (-1, side.shape[2])) for side in (inputs * by_row, deltas))
        product = tf.matmul(scaled, back, transpose_a=True)
        kernel, recurrent_kernel, bias = tf.split(product, [product.shape[0] - shape.rnn_units - 1, shape.rnn_units, 1])
        sums |= {f"kernel_{index}": kernel, f"recurrent_kernel_{index}": recurrent_kernel, f"bias_{index}": bias[0]}
    looked_up = parts.looked_up * by_row
    return sums | {
        "embedding": sum_by_token(looked_up[1:], reading.tokens[:-1], shape.n_tokens),
        "slot_embedding": tf.math.unsorted_segment_sum(tf.reduce_sum(looked_up, 1), reading.slots, shape.n_slots),
    }


def _without_infinite(parts, squares):
    """Zeros for rows whose norm is not finite, as what is not finite stays so under any factor."""
    finite = tf.math.is_finite(squares)
    return tf.cond(
        tf.reduce_all(finite),
        lambda: parts,
        lambda: tf.nest.map_structure(lambda side: tf.where(finite[None, :, None], side, 0.0), parts),
    )


def _with_one(*inputs):
    return tf.concat([*inputs, tf.ones_like(inputs[0][:, :, :1])], 2)


def _shifted(hidden):
    """Return the hidden states one step later."""
    return tf.concat([tf.zeros_like(hidden[:1]), hidden[:-1]], 0)


def _measure(heads, hidden, labels, states):
    _, _, deltas = _heads.measure(heads, hidden, labels, states)
    return deltas, _heads.send_back(heads, hidden, deltas)
