"""The recurrence of an LSTM over all steps, and its gradient by hand."""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf


class Steps(NamedTuple):
    """All that the backward loop needs of the forward loop."""

    hidden: tf.Tensor  # shape (n_steps, n_rows, units)
    gates: tf.Tensor  # sigmoids, that of the candidate is (tanh + 1) / 2, shape (n_steps, n_rows, 4 * units)
    cells: tf.Tensor  # shape (n_steps, n_rows, units)


def forward(projected: Callable, n_steps: int | tf.Tensor, n_rows: int | tf.Tensor, recurrent_kernel: tf.Tensor) -> Steps:
    """Run an LSTM from zero states; what goes in is already multiplied by its kernel.

    Only ``h @ recurrent_kernel`` stays in the loop. Gates are in the order of `keras.layers.LSTM` (input, forget,
    candidate, output), to which this is equal up to rounding. One sigmoid serves all four: tanh(x) = 2 sigmoid(2 x) - 1.

    Parameters
    ----------
    projected : callable
        Gives a step's inputs times kernel plus bias, shape (n_rows, 4 * units).
    n_steps, n_rows : int or tensor
    recurrent_kernel : tensor, shape (units, 4 * units)

    Returns
    -------
    steps : Steps
    """
    units = recurrent_kernel.shape[0]
    scale, zeros = np.repeat(np.float32([1, 1, 2, 1]), units), tf.zeros((n_rows, units))

    def step(t, h, c, *stacks):
        gates = tf.sigmoid((projected(t) + tf.matmul(h, recurrent_kernel)) * scale)
        i, f, g, o = _split(gates)
        c = f * c + i * (2.0 * g - 1.0)
        h = o * tf.tanh(c)
        return (t + 1, h, c, *(stack.write(t, made) for stack, made in zip(stacks, (h, gates, c), strict=True)))

    stacks = [_stack(n_steps, zeros.shape[0], width * units) for width in (1, 4, 1)]
    end = tf.while_loop(lambda t, *_: t < n_steps, step, (0, zeros, zeros, *stacks))
    return Steps(*(stack.stack() for stack in end[3:]))


def backward(upstream: tf.Tensor, recurrent_kernel: tf.Tensor, steps: Steps) -> tf.Tensor:
    """Return the gradient with respect to the input projections: the deltas of every step and row.

    Every other gradient is one matrix product of these with what went in: see `weight_gradient`.

    Parameters
    ----------
    upstream : tensor, shape (n_steps, n_rows, units)
        Gradient with respect to the hidden states, as far as it does not come through later steps.
    recurrent_kernel : tensor, shape (units, 4 * units)
    steps : Steps

    Returns
    -------
    deltas : tensor, shape (n_steps, n_rows, 4 * units)
    """
    hidden, gates, cells = steps
    n_steps, zeros = tf.shape(hidden)[0], tf.zeros_like(hidden[0])
    before, squashed = tf.concat([zeros[None], cells[:-1]], 0), tf.tanh(cells)
    i, f, g, o = _split(gates)
    g = 2.0 * g - 1.0
    # a step's delta is (dc, dc, dc, dh) times these, found for all steps at once
    slopes = tf.concat([g * i * (1.0 - i), before * f * (1.0 - f), i * (1.0 - g * g), squashed * o * (1.0 - o)], 2)
    through = o * (1.0 - squashed * squashed)

    def step(t, dh, dc, deltas):
        dh = dh + upstream[t]
        dc = dc + dh * through[t]
        delta = tf.concat([dc, dc, dc, dh], 1) * slopes[t]
        return t - 1, tf.matmul(delta, recurrent_kernel, transpose_b=True), dc * f[t], deltas.write(t, delta)

    start = (n_steps - 1, zeros, zeros, _stack(n_steps, *gates.shape[1:]))
    return tf.while_loop(lambda t, *_: t >= 0, step, start)[3].stack()


def weight_gradient(inputs: tf.Tensor, deltas: tf.Tensor) -> tf.Tensor:
    """Return the gradient of the kernel that took the inputs to where the deltas are, in one product over all steps."""
    width, outputs = inputs.shape[-1], deltas.shape[-1]
    return tf.matmul(tf.reshape(inputs, (-1, width)), tf.reshape(deltas, (-1, outputs)), transpose_a=True)


def _split(gates):
    units = gates.shape[-1] // 4
    return [gates[..., gate * units : (gate + 1) * units] for gate in range(4)]


def _stack(n_steps, n_rows, width):
    return tf.TensorArray(tf.float32, n_steps, element_shape=(n_rows, width))
