"""The recurrence of an LSTM over all steps, with its gradient by hand."""

import tensorflow as tf


def recurrence(projected: tf.Tensor, recurrent_kernel: tf.Tensor, jit_compile: bool = False) -> tf.Tensor:
    """Run an LSTM whose input projections are already made.

    Only ``h @ recurrent_kernel`` stays in the loop; the backward loop finds the deltas of the projections, and the
    recurrent kernel's gradient is one matrix product over all steps. Gates are in the order of `keras.layers.LSTM`
    (input, forget, candidate, output), to which this is equal up to rounding.

    Parameters
    ----------
    projected : tensor, shape (n_steps, n_rows, 4 * units)
        Inputs times kernel plus bias.
    recurrent_kernel : tensor, shape (units, 4 * units)
    jit_compile : bool, default=False
        Compile both loops with XLA: about a second once per shape, then about half the time per step on a CPU.

    Returns
    -------
    hidden : tensor, shape (n_steps, n_rows, units)
        Hidden states, from zero states before the first step.
    """
    forward, backward = _COMPILED[jit_compile]

    @tf.custom_gradient
    def run(projected, recurrent_kernel):
        hidden, *kept = forward(projected, recurrent_kernel)
        return hidden, lambda upstream: backward(upstream, recurrent_kernel, hidden, *kept)

    return run(projected, recurrent_kernel)


def _forward(projected, recurrent_kernel):
    """Return hidden states, gates (input, forget, output), candidates, cells and squashed cells of all steps."""
    n_steps, n_rows, units = projected.shape[0], tf.shape(projected)[1], recurrent_kernel.shape[0]
    zeros = tf.zeros((n_rows, units), projected.dtype)

    def step(t, h, c, *stacks):
        z = projected[t] + tf.matmul(h, recurrent_kernel)
        gates = tf.sigmoid(tf.concat([z[:, : 2 * units], z[:, 3 * units :]], 1))
        candidate = tf.tanh(z[:, 2 * units : 3 * units])
        c = gates[:, units : 2 * units] * c + gates[:, :units] * candidate
        squashed = tf.tanh(c)
        h = gates[:, 2 * units :] * squashed
        made = (h, gates, candidate, c, squashed)
        return (t + 1, h, c, *(stack.write(t, value) for stack, value in zip(stacks, made, strict=True)))

    stacks = [_stack(projected, width * units) for width in (1, 3, 1, 1, 1)]
    end = tf.while_loop(lambda t, *_: t < n_steps, step, (0, zeros, zeros, *stacks), maximum_iterations=n_steps)
    return tuple(stack.stack() for stack in end[3:])


def _backward(upstream, recurrent_kernel, hidden, gates, candidates, cells, squashed):
    """Return the deltas of the projections and the gradient of the recurrent kernel."""
    n_steps, units = hidden.shape[0], recurrent_kernel.shape[0]
    zeros = tf.zeros_like(hidden[0])
    before = tf.concat([zeros[None], cells[:-1]], 0)

    def step(t, dh, dc, deltas):
        i, f, o = gates[t][:, :units], gates[t][:, units : 2 * units], gates[t][:, 2 * units :]
        dh = dh + upstream[t]
        dc = dc + dh * o * (1.0 - squashed[t] * squashed[t])
        d_input, d_forget = dc * candidates[t] * i * (1.0 - i), dc * before[t] * f * (1.0 - f)
        d_candidate, d_output = dc * i * (1.0 - candidates[t] * candidates[t]), dh * squashed[t] * o * (1.0 - o)
        delta = tf.concat([d_input, d_forget, d_candidate, d_output], 1)
        return t - 1, tf.matmul(delta, recurrent_kernel, transpose_b=True), dc * f, deltas.write(t, delta)

    start = (n_steps - 1, zeros, zeros, _stack(hidden, 4 * units))
    deltas = tf.while_loop(lambda t, *_: t >= 0, step, start, maximum_iterations=n_steps)[3].stack()
    inputs, outputs = tf.reshape(hidden[:-1], (-1, units)), tf.reshape(deltas[1:], (-1, 4 * units))
    return deltas, tf.matmul(inputs, outputs, transpose_a=True)


def _stack(like, width):
    return tf.TensorArray(like.dtype, like.shape[0], element_shape=(like.shape[1], width))


_COMPILED = {
    False: (_forward, _backward),
    True: (tf.function(_forward, jit_compile=True), tf.function(_backward, jit_compile=True)),
}
