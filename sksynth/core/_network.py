"""The language model of rows: a Keras model whose step is ours."""

from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from ._layout import Group
from ._recurrence import recurrence

AVERAGE = "average_"  # prefix of the running mean of a weight


class NetworkShape(NamedTuple):
    """All that a compiled step depends on: equal shapes share one compilation."""

    groups: tuple[Group, ...]
    embedding_dim: int
    rnn_units: int
    n_layers: int
    jit_compile: bool = False

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


class Noise(NamedTuple):
    """What training adds: dropout, drawn from (seed, step) and nothing else."""

    seed: tf.Tensor
    step: tf.Tensor
    dropout: tf.Tensor

    def units(self, hidden: tf.Tensor, purpose: int) -> tf.Tensor:
        """Drop hidden units, the same ones at all positions of a row."""
        keep = 1.0 - self.dropout
        size = (1, tf.shape(hidden)[1], hidden.shape[2])
        uniform = tf.random.stateless_uniform(size, self.seed + tf.stack([purpose, self.step]))
        return hidden * (tf.cast(uniform < keep, tf.float32) / keep)


def hidden_states(shape: NetworkShape, weights: dict, ids: tf.Tensor, order: tf.Tensor, noise: Noise | None) -> tf.Tensor:
    """Return hidden states in canonical order, shape (n_positions, n_rows, rnn_units).

    The input at time t is the token read at time t - 1 and the slot that is read at t. Both are looked up in tables that
    are multiplied by the first layer's kernel beforehand, so that no input is ever multiplied row by row.
    """
    slots, jit = slot_of_place(shape.groups), shape.jit_compile and noise is not None
    tokens = tf.gather(tf.transpose(ids + first_token_of_slot(shape.groups)[slots][None]), order)
    said = tf.matmul(weights["embedding"], weights["kernel_0"])
    asked = tf.matmul(weights["slot_embedding"], weights["kernel_0"]) + weights["bias_0"]
    before = tf.gather(said, tokens[:-1])
    inputs = tf.pad(before, [[1, 0], [0, 0], [0, 0]]) + tf.gather(asked, tf.gather(slots, order))[:, None]
    hidden = recurrence(inputs, weights["recurrent_kernel_0"], jit)
    for layer in range(1, shape.n_layers):
        hidden = hidden if noise is None else noise.units(hidden, layer)
        flat = tf.matmul(tf.reshape(hidden, (-1, shape.rnn_units)), weights[f"kernel_{layer}"]) + weights[f"bias_{layer}"]
        inputs = tf.ensure_shape(tf.reshape(flat, tf.shape(inputs)), inputs.shape)
        hidden = recurrence(inputs, weights[f"recurrent_kernel_{layer}"], jit)
    hidden = hidden if noise is None else noise.units(hidden, 0)
    return tf.gather(hidden, tf.math.invert_permutation(order))


def row_losses(
    shape: NetworkShape, weights: dict, rows: tf.Tensor, order: tf.Tensor, noise: Noise | None = None
) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the negative log-likelihood of each row and the share of its tokens foreseen.

    Parameters
    ----------
    shape : NetworkShape
    weights : dict of str to tensor
    rows : tensor of int, shape (n_rows, 2 * n_positions)
        Tokens and states in canonical order (`Layout.rows`).
    order : tensor of int32, shape (n_positions,)
        The canonical place that is read at each time.
    noise : Noise, optional
        In training.

    Returns
    -------
    losses : tensor, shape (n_rows,)
        In nats.
    hits : tensor, shape (n_rows,)
        Share of the positions whose likeliest token is the row's.
    """
    rows = tf.cast(rows, tf.int32)
    ids, states = rows[:, : shape.n_positions], rows[:, shape.n_positions :]
    hidden = hidden_states(shape, weights, ids, order, noise)
    labels, states = tf.transpose(ids), tf.transpose(states)
    losses = hits = 0.0
    start = 0
    for index, group in enumerate(shape.groups):
        stop = start + group.n_positions
        logits = _logits(shape, weights, index, hidden[start:stop], states[start:stop])
        label = tf.reshape(labels[start:stop], (group.n_slots, -1))
        loss = tf.nn.sparse_softmax_cross_entropy_with_logits(label, logits)
        hit = tf.cast(tf.equal(tf.argmax(logits, axis=-1, output_type=tf.int32), label), tf.float32)
        losses += tf.reduce_sum(tf.reshape(loss, (group.n_positions, -1)), axis=0)
        hits += tf.reduce_sum(tf.reshape(hit, (group.n_positions, -1)), axis=0)
        start = stop
    return losses, hits / shape.n_positions


def _logits(shape, weights, index, hidden, states):
    """Logits of a group, shape (n_slots, repeat * n_rows, n_tokens): what the head says on top of the prior."""
    group = shape.groups[index]
    flat = tf.reshape(hidden, (group.n_slots, -1, shape.rnn_units))
    logits = tf.matmul(flat, weights[f"head_{index}"]) + weights[f"head_bias_{index}"][:, None]
    prior = weights[f"prior_{index}"]
    if group.n_states == 1:
        return logits + prior
    return logits + tf.gather(prior, tf.reshape(states, (group.n_slots, -1)), batch_dims=1)


class RowModel(keras.Model):
    """Embedding -> LSTM (x n_layers) -> one head per slot, over the positions of a row in any order.

    Logits start from ``prior_*``, the log-shares of the tokens in each state, which also hold what is illegal. Steps move the
    weights; what is scored, and kept, is their running mean, which says the shares of common values more exactly than the
    weights of any one step, long before the learning rate has fallen (Polyak and Juditsky 1992). Whatever may
    differ between two fits of one shape is a variable, so that a second fit compiles nothing.

    Parameters
    ----------
    shape : NetworkShape
    """

    def __init__(self, shape: NetworkShape):
        super().__init__(name="rows")
        self.shape = shape
        self._make_weights()
        self.loss_mean, self.accuracy_mean = keras.metrics.Mean("loss"), keras.metrics.Mean("accuracy")
        self.built = True

    def _make_weights(self):
        shape, units = self.shape, self.shape.rnn_units
        self._variables = {}

        def weight(name, size, trainable=True, dtype="float32"):
            self._variables[name] = self.add_weight(
                name=name, shape=size, initializer="zeros", trainable=trainable, dtype=dtype
            )

        weight("embedding", (shape.n_tokens, shape.embedding_dim))
        weight("slot_embedding", (shape.n_slots, shape.embedding_dim))
        for layer in range(shape.n_layers):
            weight(f"kernel_{layer}", (units if layer else shape.embedding_dim, 4 * units))
            weight(f"recurrent_kernel_{layer}", (units, 4 * units))
            weight(f"bias_{layer}", (4 * units,))
        for index, group in enumerate(shape.groups):
            weight(f"head_{index}", (group.n_slots, units, group.n_tokens))
            weight(f"head_bias_{index}", (group.n_slots, group.n_tokens))
            weight(f"prior_{index}", (group.n_slots, group.n_states, group.n_tokens), False)
        for knob in ("dropout", "peak", "warmup", "total", "horizon"):
            weight(knob, (), False)
        for variable in self.trainable_variables:
            weight(AVERAGE + variable.name, variable.shape, False)
        weight("seed", (2,), False, "int32")

    @property
    def metrics(self):
        """Means over the epoch."""
        return [self.loss_mean, self.accuracy_mean]

    def tensor(self, name: str) -> tf.Tensor:
        """Return the value of a variable by its name."""
        return self._variables[name].value

    def plan(self) -> "Plan":
        """Return the learning rate's course."""
        return Plan(self.tensor("peak"), self.tensor("warmup"), self.tensor("total"))

    def _weights_of(self, prefix=""):
        """Return the weights as they are, or their averages, by name."""
        names = [variable.name for variable in self.trainable_variables]
        priors = {name: self.tensor(name) for name in self._variables if name.startswith("prior")}
        return priors | {name: self.tensor(prefix + name) for name in names}

    def _gradients(self, rows, order, step):
        """Return the gradients of the mean loss, and loss and hits of each row."""
        noise = Noise(self.tensor("seed"), step, self.tensor("dropout"))
        with tf.GradientTape() as tape:
            losses, hits = row_losses(self.shape, self._weights_of(), rows, order, noise)
            mean = tf.reduce_mean(losses)
        gradients = tape.gradient(mean, [variable.value for variable in self.trainable_variables])
        return [tf.convert_to_tensor(gradient) for gradient in gradients], losses, hits

    def train_step(self, data):
        """Take one step of the optimizer, and move the weights' averages."""
        rows, order = data
        step = self.optimizer.iterations.value
        gradients, losses, hits = self._gradients(rows, order, tf.cast(step, tf.int32))
        share = 1.0 / tf.minimum(self.tensor("horizon"), 1.0 + tf.cast(step, tf.float32) / 4.0)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        for variable in self.trainable_variables:
            average = self._variables[AVERAGE + variable.name]
            average.assign(average.value + share * (variable.value - average.value))
        return self._measure(losses, hits)

    def test_step(self, data):
        """Score a padded chunk by the averaged weights."""
        rows, order, weight = data
        return self._measure(*row_losses(self.shape, self._weights_of(AVERAGE), rows, order), weight)

    def averages(self) -> dict[str, np.ndarray]:
        """Copy the averaged weights, and the priors: all that sampling and scoring need."""
        return {name: tensor.numpy() for name, tensor in self._weights_of(AVERAGE).items()}

    def _measure(self, losses, hits, weight=None):
        self.loss_mean.update_state(losses, weight)
        self.accuracy_mean.update_state(hits, weight)
        return {"loss": self.loss_mean.result(), "accuracy": self.accuracy_mean.result()}
