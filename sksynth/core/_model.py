"""The Keras model whose training step is ours."""

from itertools import pairwise

import keras
import numpy as np
import tensorflow as tf

from ._clipping import clipped_sum
from ._compiled import compiled_for, traced
from ._layout import Group, has_text
from ._network import NetworkShape, Noise, prepare, row_gradients, row_losses, tables, through_tables

AVERAGE = "average_"  # prefix of the running mean of a weight
BRANCHES = 2  # parts of a step's rows that run beside each other, on any machine, as their sums' rounding depends on it
TEXT_BRANCHES = 4  # where rows differ in length: each part is read as far as its own longest row


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

    def hold(self, rate):
        """Stay at one rate from now on."""
        for knob, value in ((self.peak, rate), (self.warmup, 1.0), (self.total, 1e30)):
            knob.assign(value)


class PlannedAdam(keras.optimizers.Adam):
    """Adam whose learning rate follows a `Plan` until somebody sets it, as callbacks of Keras do."""

    @property
    def learning_rate(self):
        """The rate of the next step; set, it stays there."""
        return self._get_current_learning_rate()

    @learning_rate.setter
    def learning_rate(self, rate):
        self._learning_rate.hold(rate)

    def _all_reduce_sum_gradients(self, grads_and_vars):
        """Leave out the sum over replicas, as there is one: TensorFlow keeps that sum's gradient, and its graph, for good."""
        return grads_and_vars


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
        self.shape, self.compiled_for_shape = shape, compiled_for(shape)
        prepare(shape)
        self._make_weights()
        self.clipped_sums = tf.function(self._clipped_sums, autograph=False)
        self.move = tf.function(self._move, autograph=False)
        self.loss_mean, self.accuracy_mean = keras.metrics.Mean("loss"), keras.metrics.Mean("accuracy")
        self.built = True

    def _make_weights(self):
        self._variables = {}

        def weight(name, size, trainable=True, dtype="float32"):
            self._variables[name] = self.add_weight(
                name=name, shape=size, initializer="zeros", trainable=trainable, dtype=dtype
            )

        for name, size in self.shape.weights.items():
            weight(name, size, not name.startswith("prior_"))
        for knob in ("dropout", "peak", "warmup", "total", "horizon"):
            weight(knob, (), False)
        if self.shape.masked:
            weight("scored", (self.shape.n_positions,), False)
        for variable in self.trainable_variables:
            weight(AVERAGE + variable.name, variable.shape, False)
        weight("seed", (2,), False, "int32")

    def get_config(self):
        """Refuse to be saved as a whole by Keras."""
        raise NotImplementedError(
            "Keras can save the weights of this network, but nothing else of it: pass save_weights_only=True to "
            "ModelCheckpoint, or set checkpoint_dir in place of it"
        )

    @property
    def metrics(self):
        """Means over the epoch."""
        return [self.loss_mean, self.accuracy_mean]

    def tensor(self, name: str) -> tf.Tensor:
        """Return the value of a variable by its name.

        Not the variable: functions that all networks of a shape share would remember it, and fail once its network is gone.
        """
        return tf.convert_to_tensor(self._variables[name].value)

    def plan(self) -> "Plan":
        """Return the learning rate's course."""
        return Plan(*(self._variables[name].value for name in ("peak", "warmup", "total")))

    def prolong(self, before: int, total: int) -> None:
        """Let the learning rate fall over `total` steps in place of `before`, unless a callback has taken it over."""
        if float(self._variables["total"].numpy()) == before:
            self._variables["total"].assign(total)

    def _weights_of(self, prefix=""):
        """Return the weights as they are, or their averages, by name."""
        names = [variable.name for variable in self.trainable_variables]
        fixed = {name: self.tensor(name) for name in self._variables if name.startswith(("prior", "scored"))}
        return fixed | {name: self.tensor(prefix + name) for name in names}

    def _gradients(self, rows, order, reach, step):
        """Return the gradients of the mean loss by name, and loss and hits of each row."""
        weights = tables(self.shape, self._weights_of())
        parts, bounds = [], parts_of(self.shape.groups, rows.shape[0])
        gradients_of_part = traced(self.shape, row_gradients)  # once for parts of one size
        for branch, (start, stop) in enumerate(pairwise(bounds)):
            seed = self.tensor("seed") + tf.stack([branch * self.shape.n_layers, step])
            noise = Noise(seed, self.tensor("dropout"))
            own_order = order[branch, : reach[branch]] if has_text(self.shape.groups) else order[branch]
            parts.append(gradients_of_part(self.shape, weights, rows[start:stop], own_order, noise))
        gradients, losses, hits = zip(*parts, strict=True)
        sums = {name: tf.add_n([part[name] for part in gradients]) for name in gradients[0]}
        share = 1.0 / rows.shape[0]
        means = {name: share * total for name, total in through_tables(self.shape, weights, sums).items()}
        return means, tf.concat(losses, 0), tf.concat(hits, 0)

    def train_step(self, data):
        """Take one step of the optimizer, and move the weights' averages."""
        rows, order, reach = data
        step = self.optimizer.iterations.value
        gradients, losses, hits = self._gradients(rows, order, reach, tf.cast(step, tf.int32))
        self._move(gradients)
        return self._measure(losses, hits)

    def _move(self, gradients):
        """Take a step of the optimizer, and move the weights' averages."""
        step = tf.cast(self.optimizer.iterations.value, tf.float32)
        share = 1.0 / tf.minimum(self.tensor("horizon"), 1.0 + step / 4.0)
        self.optimizer.apply_gradients((gradients[variable.name], variable) for variable in self.trainable_variables)
        for variable in self.trainable_variables:
            average = self._variables[AVERAGE + variable.name]
            average.assign(average.value + share * (variable.value - average.value))

    def _clipped_sums(self, rows, order, real, norm, step):
        """Return the sum over rows of their gradients, each clipped to `norm`, by name; rows as in `train_step`."""
        weights, bounds = tables(self.shape, self._weights_of()), parts_of(self.shape.groups, rows.shape[0])
        noise = Noise(self.tensor("seed") + tf.stack([0, step]), self.tensor("dropout"), same_for_all=True)
        parts, clipped_sum_of_part = [], traced(self.shape, clipped_sum)
        for start, stop in pairwise(bounds):
            parts.append(clipped_sum_of_part(self.shape, weights, rows[start:stop], order, noise, real[start:stop], norm))
        return {name: tf.add_n([part[name] for part in parts]) for name in parts[0]}

    def test_step(self, data):
        """Score a padded chunk by the averaged weights."""
        rows, order, reach, weight = data
        return self._measure(*row_losses(self.shape, self._weights_of(AVERAGE), rows, order, reach), weight)

    def averages(self) -> dict[str, np.ndarray]:
        """Copy the averaged weights, and the priors: all that sampling and scoring need."""
        return {name: tensor.numpy() for name, tensor in self._weights_of(AVERAGE).items() if name != "scored"}

    def _measure(self, losses, hits, weight=None):
        self.loss_mean.update_state(losses, weight)
        self.accuracy_mean.update_state(hits, weight)
        return {"loss": self.loss_mean.result(), "accuracy": self.accuracy_mean.result()}


def parts_of(groups: tuple[Group, ...], n_rows: int) -> list[int]:
    """Return the bounds of the parts into which a step's rows are split, as equal as can be, none of them empty."""
    branches = TEXT_BRANCHES if has_text(groups) else BRANCHES
    return sorted({n_rows * part // branches for part in range(branches + 1)})
