"""Promises of the recurrence: it is the LSTM of Keras."""

from functools import cache

import keras
import numpy as np
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

from sksynth.core._recurrence import backward, forward, weight_gradient

EPS = float(np.finfo(np.float32).eps)
WIDTH = 3


@cache
def lstm_and_ours(n_steps, units, jit_compile=False):
    """Return a Keras LSTM, and a function that gives hidden states and gradients of both, with the layer's weights."""
    layer = keras.layers.LSTM(units, return_sequences=True)
    layer.build((None, n_steps, WIDTH))

    @tf.function(jit_compile=jit_compile)
    def ours(x, upstream, kernel, recurrent_kernel, bias):
        x, upstream = tf.transpose(x, (1, 0, 2)), tf.transpose(upstream, (1, 0, 2))
        projected = tf.tensordot(x, kernel, 1) + bias
        steps = forward(projected.__getitem__, n_steps, tf.shape(x)[1], recurrent_kernel)
        deltas = backward(upstream, recurrent_kernel, steps)
        recurrent = weight_gradient(steps.hidden[:-1], deltas[1:])
        back = tf.tensordot(deltas, kernel, [[2], [1]])
        made = [weight_gradient(x, deltas), recurrent, tf.reduce_sum(deltas, (0, 1))]
        return [tf.transpose(steps.hidden, (1, 0, 2)), tf.transpose(back, (1, 0, 2)), *made]

    @tf.function(input_signature=[tf.TensorSpec((None, n_steps, WIDTH)), tf.TensorSpec((None, n_steps, units))])
    def both(x, upstream):
        weights = [variable.value for variable in layer.trainable_variables]
        with tf.GradientTape() as tape:
            tape.watch(x)
            hidden = layer(x)
            total = tf.reduce_sum(hidden * upstream)
        return [hidden, *tape.gradient(total, [x, *weights])], ours(x, upstream, *weights)

    return layer, both


def assert_equals_keras(n_steps, units, n_rows, scale, seed, jit_compile=False):
    """Compare on random weights and inputs, up to the rounding of as many terms as there are."""
    layer, both = lstm_and_ours(n_steps, units, jit_compile)
    rng = np.random.default_rng(seed)
    layer.set_weights([rng.normal(0, scale, weight.shape) for weight in layer.get_weights()])

    expected, got = both(*(rng.normal(size=(n_rows, n_steps, width)).astype(np.float32) for width in (WIDTH, units)))

    n_terms = n_steps * (WIDTH + units + 2)  # sums over inputs and units, bias and carry, at every step
    for a, b in zip(expected, got, strict=True):
        np.testing.assert_allclose(b, a, rtol=0, atol=4 * EPS * n_terms * max(1, np.abs(a).max()))


@settings(max_examples=20, deadline=None)
@given(
    n_steps=st.sampled_from([1, 5]), units=st.sampled_from([1, 3]), n_rows=st.integers(1, 6), scale=st.floats(0.1, 3),
    seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_recurrence_equals_keras_lstm(n_steps, units, n_rows, scale, seed):
    """Hidden states and gradients of inputs, kernel, recurrent kernel and bias are those of `keras.layers.LSTM`."""
    assert_equals_keras(n_steps, units, n_rows, scale, seed)


def test_recurrence_equals_keras_lstm_under_xla():
    """Compiled with XLA the recurrence is the same."""
    assert_equals_keras(n_steps=5, units=3, n_rows=6, scale=1.0, seed=0, jit_compile=True)
