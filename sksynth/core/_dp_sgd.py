"""Differentially private training: Poisson draws of rows, gradients clipped row by row, Gaussian noise (Abadi et al. 2016).

Each step draws every row with the same probability, sums the clipped gradients of those drawn, adds one draw of noise and
divides by the expected number of rows. Nothing else of the rows reaches the weights, and nothing is kept of them: no loss, no
number of rows drawn. An empty draw takes its step all the same.
"""

import time
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import tensorflow as tf

from .._grammar import Grammar
from ..privacy._mechanisms import system_generator
from . import _engine
from ._layout import Layout
from ._model import AVERAGE
from ._quiet import refuse_fork
from ._training import EpochState, Settings, initial_weights, knobs_of, network_shape


@dataclass(frozen=True)
class Mechanism:
    """The parameters of the noisy steps, all of them public.

    Attributes
    ----------
    sampling_rate : float
        Probability with which each row takes part in a step.
    noise_multiplier : float
        Standard deviation of the noise over the clipping norm.
    l2_norm_clip : float
        Largest norm of a row's gradient.
    n_steps : int
    expected_rows : float
        What the noisy sum is divided by.
    """

    sampling_rate: float
    noise_multiplier: float
    l2_norm_clip: float
    n_steps: int
    expected_rows: float


class Randomness:
    """Random numbers that no seed decides, for draws of rows and for noise, each a stream of its own.

    TensorFlow's normal numbers end at 5.7 standard deviations, which betrays a row whose gradient lies beyond; these do not.
    """

    def __init__(self):
        self._draws, self._noise = system_generator(), system_generator()

    def choose(self, n_rows: int, rate: float) -> np.ndarray:
        """Return the indices of the rows that take part in a step, each with probability `rate`."""
        return np.flatnonzero(self._draws.random(n_rows) < rate)

    def added_to(self, total: np.ndarray, scale: float) -> np.ndarray:
        """Return a sum with noise, in float64."""
        return total + scale * self._noise.standard_normal(total.shape)


def train_privately(
    grammar: Grammar, ids: np.ndarray, settings: Settings, mechanism: Mechanism, priors: np.ndarray, seed, on_epoch, spent
):
    """Train a network on token ids with noisy steps.

    Parameters
    ----------
    grammar : Grammar
    ids : ndarray of int, shape (n_rows, n_positions)
    settings : Settings
        `batch_size` is the number of rows of a physical chunk; nothing is held out.
    mechanism : Mechanism
    priors : ndarray of int, shape (n_public, n_positions)
        Token ids whose shares the network starts from; public, or released already.
    seed : SeedSequence
        Of the initial weights and dropout; the draws of rows and the noise come from the operating system.
    on_epoch : callable
        Called with an `EpochState` after every epoch.
    spent : sequence of (int, float, float)
        Where every epoch ends: steps taken until then, and what is spent with them, epsilon and delta.

    Returns
    -------
    weights : dict of str to ndarray
        The running mean of the last epoch.
    history : list of dict
        One record per epoch, without any figure of the rows.
    """
    refuse_fork()
    layout, shape = Layout(grammar), network_shape(grammar, settings)
    drawing, knob_seed = (np.random.default_rng(child) for child in seed.spawn(2))
    rows = layout.rows(ids)
    weights = initial_weights(shape, layout.priors(layout.rows(priors)), drawing)
    knobs = knobs_of(settings, mechanism.n_steps // settings.epochs, mechanism.n_steps, knob_seed)
    with _engine.borrowed(shape, settings.batch_size, 1, None) as model:
        _engine.load(model, weights | knobs | {AVERAGE + name: value for name, value in weights.items()})
        _engine.reset_optimizer(model)
        steps = _Steps(model, rows, layout.order, settings.batch_size, mechanism)
        with _exact_products():
            history = _run(steps, on_epoch, spent)
        return model.averages(), history


@contextmanager
def _exact_products():
    """Keep GPUs from products of fewer bits than float32, by which a clipped row would be longer than the norm."""
    config = tf.config.experimental
    before = config.tensor_float_32_execution_enabled()
    config.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        config.enable_tensor_float_32_execution(before)


def _run(steps, on_epoch, spent):
    """Take all steps; tell after each epoch that it is over."""
    history, taken, clock = [], 0, time.perf_counter()
    for epoch, (end, epsilon, delta) in enumerate(spent):
        for step in range(taken, end):
            steps.take(step)
        taken, now, last = end, time.perf_counter(), epoch + 1 == len(spent)
        figures = dict.fromkeys(("loss", "accuracy", "val_loss", "val_accuracy"), np.nan) | {
            "epsilon": epsilon,
            "delta": delta,
        }
        # time tells how many rows were drawn: it is shown to who fits, and not kept
        history.append({"epoch": epoch, **figures, "seconds": np.nan, "best": last})
        on_epoch(EpochState(epoch, len(spent), **figures, seconds=now - clock, last=last))
        clock = now
    return history


class _Steps:
    """Noisy steps of one model on one table."""

    def __init__(self, model, rows, order, chunk_rows, mechanism):
        self.model, self.rows, self.chunk_rows, self.mechanism = model, rows, chunk_rows, mechanism
        self.order, self.randomness = tf.constant(order), Randomness()
        self.norm = tf.constant(mechanism.l2_norm_clip, tf.float32)

    def take(self, step: int) -> None:
        """Draw rows, sum their clipped gradients, add noise, move the weights."""
        chosen = self.randomness.choose(len(self.rows), self.mechanism.sampling_rate)
        totals = {variable.name: np.zeros(variable.shape) for variable in self.model.trainable_variables}
        for rows, real in chunks(self.rows, chosen, self.chunk_rows):
            sums = self.model.clipped_sums(rows, self.order, real, self.norm, tf.constant(step))
            for name, total in totals.items():
                total += sums[name].numpy()
        scale = self.mechanism.noise_multiplier * self.mechanism.l2_norm_clip
        noisy = {name: self.randomness.added_to(total, scale) / self.mechanism.expected_rows for name, total in totals.items()}
        self.model.move({name: tf.constant(mean, tf.float32) for name, mean in noisy.items()})


def chunks(rows: np.ndarray, chosen: np.ndarray, size: int):
    """Yield the chosen rows in chunks of one size, the last filled up, and which of a chunk's rows are real."""
    for start in range(0, len(chosen), size):
        own = chosen[start : start + size]
        filled = np.concatenate([own, np.repeat(own[:1], size - len(own))])
        yield tf.constant(rows[filled]), tf.constant(np.arange(size) < len(own), tf.float32)
