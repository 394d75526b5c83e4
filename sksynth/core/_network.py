"""The language model of rows: a Keras model whose step is ours."""

from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from ._layout import Group
from ._recurrence import recurrence


class NetworkShape(NamedTuple):
    """All that a compiled step depends on: equal shapes share one compilation."""

    groups: tuple[Group, ...]
    embedding_dim: int
    rnn_units: int
    n_layers: int

    @property
    def n_positions(self) -> int:
        return sum(group.n_positions for group in self.groups)

    @property
    def n_slots(self) -> int:
        return sum(group.n_slots for group in self.groups)

    @property
    def n_tokens(self) -> int:
        return sum(group.n_slots * group.n_tokens for group in self.groups)


def slot_of_place(groups: tuple[Group, ...]) -> np.ndarray:
    """Index of the slot (in canonical order) at every canonical place, shape (n_positions,)."""
    repeats = [group.repeat for group in groups for _ in range(group.n_slots)]
    return np.repeat(np.arange(len(repeats)), repeats).astype(np.int32)


def first_token_of_slot(groups: tuple[Group, ...]) -> np.ndarray:
    """Row of the embedding table at which every slot's block begins, shape (n_slots,)."""
    sizes = [group.n_tokens for group in groups for _ in range(group.n_slots)]
    return (np.cumsum([0, *sizes])[:-1]).astype(np.int32)


@keras.saving.register_keras_serializable("sksynth")
class Plan(keras.optimizers.schedules.LearningRateSchedule):
    """Linear warm-up, then cosine decay to a hundredth; peak and lengths are variables, so that no fit retraces."""

    def __init__(self, peak, warmup, total):
        self.peak, self.warmup, self.total = peak, warmup, total

    def __call__(self, step):
        step = tf.cast(step, tf.float32)
        rise = (step + 1.0) / self.warmup
        phase = tf.clip_by_value((step - self.warmup) / tf.maximum(self.total - self.warmup, 1.0), 0.0, 1.0)
        fall = 0.01 + 0.99 * 0.5 * (1.0 + tf.cos(np.pi * phase))
        return self.peak * tf.minimum(rise, fall)


class RowModel(keras.Model):
    """Embedding -> LSTM (x n_layers) -> one head per slot, over the positions of a row in any order.

    Positions are in the canonical order of a `Layout`. The input at time t is the token read at time t - 1 and the slot that
    is read at t; the head of a slot sees the hidden state of its own time. Logits start from `prior_*`, the log-shares of
    the tokens in each state, which also hold what is illegal.
    """

    def __init__(self, shape: NetworkShape, *, jit_compile: bool = False, clipnorm: float = 5.0):
        super().__init__(name="rows")
        self.shape = shape
        self._place_slot = slot_of_place(shape.groups)
        self._place_offset = first_token_of_slot(shape.groups)[self._place_slot]
        self._make_weights()
        self.clipnorm = clipnorm
        self.compiled_gradients = tf.function(self.gradients, jit_compile=True) if jit_compile else self.gradients
        self.compiled_score, self.compiled_draws = None, {}
        self.loss_mean, self.accuracy_mean = keras.metrics.Mean("loss"), keras.metrics.Mean("accuracy")
        self.built = True

    def _make_weights(self):
        shape, units = self.shape, self.shape.rnn_units

        def weight(name, size, trainable=True):
            return self.add_weight(name=name, shape=size, initializer="zeros", trainable=trainable)

        def knob(name, dtype="float32", size=()):
            return self.add_weight(name=name, shape=size, initializer="ones", dtype=dtype, trainable=False)

        self.embedding = weight("embedding", (shape.n_tokens, shape.embedding_dim))
        self.slot_embedding = weight("slot_embedding", (shape.n_slots, shape.embedding_dim))
        widths = [shape.embedding_dim] + [units] * (shape.n_layers - 1)
        self.kernels = [weight(f"kernel_{i}", (width, 4 * units)) for i, width in enumerate(widths)]
        self.recurrent_kernels = [weight(f"recurrent_kernel_{i}", (units, 4 * units)) for i in range(shape.n_layers)]
        self.biases = [weight(f"bias_{i}", (4 * units,)) for i in range(shape.n_layers)]
        self.heads = [weight(f"head_{i}", (g.n_slots, units, g.n_tokens)) for i, g in enumerate(shape.groups)]
        self.head_biases = [weight(f"head_bias_{i}", (g.n_slots, g.n_tokens)) for i, g in enumerate(shape.groups)]
        self.priors = [weight(f"prior_{i}", (g.n_slots, g.n_states, g.n_tokens), False) for i, g in enumerate(shape.groups)]
        self.dropout, self.token_dropout, self.weight_decay = knob("dropout"), knob("token_dropout"), knob("weight_decay")
        self.peak, self.warmup, self.total = knob("peak"), knob("warmup"), knob("total")
        self.seed = knob("seed", "int32", (2,))

    @property
    def metrics(self):
        return [self.loss_mean, self.accuracy_mean]

    def plan(self) -> Plan:
        return Plan(self.peak, self.warmup, self.total)

    def hidden(self, ids, order, step=None):
        """Return hidden states in canonical order, shape (n_positions, n_rows, rnn_units); `step` is given in training."""
        kernel = self.kernels[0].value
        tokens = tf.gather(tf.transpose(ids + self._place_offset[None]), order)
        slots = tf.gather(self._place_slot, order)
        table = tf.matmul(self.embedding.value, kernel)
        here = tf.gather(tf.matmul(self.slot_embedding.value, kernel), slots) + self.biases[0].value
        before = tf.gather(table, tokens[:-1])
        if step is not None:
            keep = 1.0 - self.token_dropout.value
            noise = tf.random.stateless_uniform(tf.shape(tokens[:-1]), self.seed.value + [1, step])
            before = before * tf.cast(noise < keep, tf.float32)[:, :, None]
        inputs = tf.pad(before, [[1, 0], [0, 0], [0, 0]]) + here[:, None]
        hidden = recurrence(inputs, self.recurrent_kernels[0].value)
        for layer in range(1, self.shape.n_layers):
            hidden = self._dropped(hidden, step, layer + 1)
            flat = tf.matmul(tf.reshape(hidden, (-1, self.shape.rnn_units)), self.kernels[layer].value)
            inputs = tf.reshape(flat + self.biases[layer].value, (*hidden.shape[:1], -1, 4 * self.shape.rnn_units))
            inputs = tf.ensure_shape(inputs, (hidden.shape[0], hidden.shape[1], 4 * self.shape.rnn_units))
            hidden = recurrence(inputs, self.recurrent_kernels[layer].value)
        return tf.gather(self._dropped(hidden, step, 0), tf.math.invert_permutation(order))

    def _dropped(self, hidden, step, purpose):
        if step is None:
            return hidden
        keep = 1.0 - self.dropout.value
        noise = tf.random.stateless_uniform(
            (1, tf.shape(hidden)[1], self.shape.rnn_units), self.seed.value + [10 + purpose, step]
        )
        return hidden * tf.cast(noise < keep, tf.float32) / keep

    def nll(self, rows, order, step=None):
        """Return each row's negative log-likelihood in nats, hits and countable positions, each of shape (n_rows,)."""
        n = self.shape.n_positions
        rows = tf.cast(rows, tf.int32)
        ids, states = rows[:, :n], rows[:, n:]
        hidden = self.hidden(ids, order, step)
        labels, states = tf.transpose(ids), tf.transpose(states)
        loss = hits = 0.0
        start = 0
        for index, group in enumerate(self.shape.groups):
            stop = start + group.n_positions
            logits = self._logits(index, hidden[start:stop], states[start:stop])
            y = tf.reshape(labels[start:stop], (group.n_slots, -1))
            top = tf.stop_gradient(tf.reduce_max(logits, axis=-1))
            norm = tf.math.log(tf.reduce_sum(tf.exp(logits - top[..., None]), axis=-1)) + top
            picked = tf.reduce_sum(tf.where(tf.range(group.n_tokens)[None, None] == y[..., None], logits, 0.0), axis=-1)
            by_row = (-1, tf.shape(rows)[0])
            loss += tf.reduce_sum(tf.reshape(norm - picked, by_row), axis=0)
            hits += tf.reduce_sum(tf.reshape(tf.cast(picked >= top, tf.float32), by_row), axis=0)
            start = stop
        return loss, hits / n

    def _logits(self, index, hidden, states):
        group = self.shape.groups[index]
        flat = tf.reshape(hidden, (group.n_slots, -1, self.shape.rnn_units))
        logits = tf.matmul(flat, self.heads[index].value) + self.head_biases[index].value[:, None]
        prior = self.priors[index].value
        if group.n_states == 1:
            return logits + prior
        return logits + tf.gather(prior, tf.reshape(states, (group.n_slots, -1)), batch_dims=1)

    def gradients(self, rows, order, step):
        """Return the gradients of the mean loss, and loss and hits of each row."""
        with tf.GradientTape() as tape:
            loss, hits = self.nll(rows, order, step)
            mean = tf.reduce_mean(loss)
        gradients = tape.gradient(mean, [variable.value for variable in self.trainable_variables])
        return [tf.convert_to_tensor(gradient) for gradient in gradients], loss, hits

    def train_step(self, data):
        rows, order = data
        gradients, loss, hits = self.compiled_gradients(rows, order, tf.cast(self.optimizer.iterations.value, tf.int32))
        variables = self.trainable_variables
        rate = self.optimizer.learning_rate * self.weight_decay.value
        self.optimizer.apply_gradients(zip(gradients, variables, strict=True))
        for variable in (*self.kernels, *self.recurrent_kernels, *self.heads, self.embedding):
            variable.assign(variable.value * (1.0 - rate))
        self.loss_mean.update_state(loss)
        self.accuracy_mean.update_state(hits)
        return {"loss": self.loss_mean.result(), "accuracy": self.accuracy_mean.result()}

    def test_step(self, data):
        rows, order, weight = data
        loss, hits = self.nll(rows, order)
        self.loss_mean.update_state(loss, weight)
        self.accuracy_mean.update_state(hits, weight)
        return {"loss": self.loss_mean.result(), "accuracy": self.accuracy_mean.result()}

    def get_config(self):
        return {"shape": self.shape, "clipnorm": self.clipnorm}
