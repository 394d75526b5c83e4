"""The recurrence of an LSTM over all steps, with its gradient by hand."""

import tensorflow as tf


def _cell(z, c, units):
    gates = tf.sigmoid(tf.concat([z[:, : 2 * units], z[:, 3 * units :]], 1))
    candidate = tf.tanh(z[:, 2 * units : 3 * units])
    c = gates[:, units : 2 * units] * c + gates[:, :units] * candidate
    squashed = tf.tanh(c)
    return gates, candidate, c, squashed, gates[:, 2 * units :] * squashed


@tf.custom_gradient
def recurrence(projected, recurrent_kernel):
    """Run an LSTM whose input projections are already made.

    Only ``h @ recurrent_kernel`` stays in the loop; the backward loop finds the deltas of the projections, and the
    recurrent kernel's gradient is one matrix product over all steps. Gates are in the order of `keras.layers.LSTM`
    (input, forget, candidate, output), to which this is equal up to rounding.

    Parameters
    ----------
    projected : tensor, shape (n_steps, n_rows, 4 * units)
        Inputs times kernel plus bias.
    recurrent_kernel : tensor, shape (units, 4 * units)

    Returns
    -------
    hidden : tensor, shape (n_steps, n_rows, units)
        Hidden states, from zero states before the first step.
    """
    n_steps, n_rows, units = projected.shape[0], tf.shape(projected)[1], recurrent_kernel.shape[0]
    zeros = tf.zeros((n_rows, units), projected.dtype)

    def array(width):
        return tf.TensorArray(projected.dtype, n_steps, element_shape=(projected.shape[1], width))

    def forward(t, h, c, gates, candidates, cells, squashed, hidden):
        g, a, c, s, h = _cell(projected[t] + tf.matmul(h, recurrent_kernel), c, units)
        return (
            t + 1, h, c,
            gates.write(t, g), candidates.write(t, a), cells.write(t, c), squashed.write(t, s), hidden.write(t, h),
        )  # fmt: skip

    start = (0, zeros, zeros, array(3 * units), array(units), array(units), array(units), array(units))
    state = tf.while_loop(lambda t, *_: t < n_steps, forward, start, maximum_iterations=n_steps)
    gates, candidates, cells, squashed, hidden = (stack.stack() for stack in state[3:])
    before = tf.concat([zeros[None], cells[:-1]], 0)

    def gradient(upstream):
        def backward(t, dh, dc, deltas):
            g, a, s = gates[t], candidates[t], squashed[t]
            i, f, o = g[:, :units], g[:, units : 2 * units], g[:, 2 * units :]
            dh = dh + upstream[t]
            dc = dc + dh * o * (1.0 - s * s)
            delta = tf.concat(
                [dc * a * i * (1.0 - i), dc * before[t] * f * (1.0 - f), dc * i * (1.0 - a * a), dh * s * o * (1.0 - o)], 1
            )
            return t - 1, tf.matmul(delta, recurrent_kernel, transpose_b=True), dc * f, deltas.write(t, delta)

        state = tf.while_loop(
            lambda t, *_: t >= 0, backward, (n_steps - 1, zeros, zeros, array(4 * units)), maximum_iterations=n_steps
        )
        deltas = state[3].stack()
        d_kernel = tf.matmul(tf.reshape(hidden[:-1], (-1, units)), tf.reshape(deltas[1:], (-1, 4 * units)), transpose_a=True)
        return deltas, d_kernel

    return hidden, gradient
