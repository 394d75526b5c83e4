"""Differentially private training: Poisson draws of rows, gradients clipped row by row, Gaussian noise (Abadi et al. 2016).

Each step draws every row with the same probability, sums the clipped gradients of those drawn, adds one draw of noise and
divides by the expected number of rows. Nothing else of the rows reaches the weights, and nothing is kept of them: no loss, no
number of rows drawn. An empty draw takes its step all the same.
"""

from contextlib import contextmanager
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf

from .._forks import refuse_fork
from .._grammar import Grammar
from ..privacy._mechanisms import system_generator
from . import _engine
from ._callbacks import Guarded
from ._layout import Layout
from ._rows import rows_of
from ._run import FIGURES, Progress, Run
from ._training import Settings, initial_weights, knobs_of, network_shape, start_network


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
    grammar: Grammar, ids: np.ndarray, settings: Settings, mechanism: Mechanism, priors: np.ndarray, seed, spent, run: Run
) -> _engine.Weights:
    """Train a network on token ids with noisy steps.

    Parameters
    ----------
    grammar : Grammar
    ids : ndarray of int, shape (n_rows, n_positions)
        Of a memory map only the rows of a chunk are in memory at a time.
    settings : Settings
        `batch_size` is the number of rows of a physical chunk; nothing is held out.
    mechanism : Mechanism
    priors : ndarray of int, shape (n_public, n_positions)
        Token ids whose shares the network starts from; public, or released already.
    seed : SeedSequence
        Of the initial weights and dropout; the draws of rows and the noise come from the operating system.
    spent : sequence of (int, float, float)
        Where every epoch ends: steps taken until then, and what is spent with them, epsilon and delta.
    run : Run
        Where to start and whom to tell; gets the history, without any figure of the rows. It keeps the state before anybody is
        told of an epoch, also where training is stopped within one.

    Returns
    -------
    weights : dict of str to ndarray
        The running mean of the last steps.
    """
    refuse_fork()
    layout, shape = Layout(grammar), network_shape(grammar, settings)
    drawing, knob_seed = (np.random.default_rng(child) for child in seed.spawn(2))
    rows = rows_of(layout, ids)
    weights = initial_weights(shape, layout.priors(layout.rows(priors)), drawing)
    knobs = knobs_of(layout, settings, mechanism.n_steps // settings.epochs, mechanism.n_steps, knob_seed)
    with _engine.borrowed(shape, settings.batch_size, 1, None) as model:
        start_network(model, run, weights | knobs)
        steps = _Steps(model, rows, layout.order, settings.batch_size, mechanism)
        with _exact_products():
            _take_all(steps, spent, run)
        return model.averages()


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


def _take_all(steps, spent, run):
    """Take all steps that are left, epoch by epoch, until something ends the run."""
    callbacks = keras.callbacks.CallbackList(
        [Guarded(callback, run) for callback in run.callbacks], model=steps.model, epochs=len(spent)
    )
    steps.model.stop_training = cut = False
    callbacks.on_train_begin()
    for epoch in range(len(run.records), len(spent)):
        callbacks.on_epoch_begin(epoch)
        cut = _take_epoch(steps, spent[epoch - 1][0] if epoch else 0, spent[epoch][0], run) and run.n_steps < spent[-1][0]
        _end_epoch(steps.model, epoch, spent, run, callbacks, cut)
        if cut or steps.model.stop_training:
            break
    if not cut and not run.finished:
        run.finished = True
        _keep(steps.model, run, run.records)
    callbacks.on_train_end()


def _take_epoch(steps, begin, end, run):
    """Take the steps of an epoch; return whether something else than its end has ended it, which is at least one step old."""
    while run.n_steps < end:
        steps.take(run.n_steps)
        run.n_steps += 1
        run.on_step(len(run.records) + (run.n_steps - begin) / (end - begin + 1))
        if run.must_stop(0.0):
            return True
    return False


def _end_epoch(model, epoch, spent, run, callbacks, cut):
    """Keep the state, then tell of the epoch: what is lost before it is kept was seen by nobody."""
    end, epsilon, delta = spent[epoch]
    whole, last = run.n_steps == end, cut or epoch + 1 == len(spent)
    figures = dict.fromkeys(FIGURES, np.nan) | {"epsilon": epsilon, "delta": delta}
    # time tells how many rows were drawn: it is shown to who fits, and not kept
    record = {"epoch": epoch, **figures, "seconds": np.nan, "best": True}
    run.n_whole += whole
    before = [dict(other) for other in run.records]
    run.add_record(record, epoch)
    run.finished = run.n_steps == spent[-1][0]
    _keep(model, run, run.records if whole else before)
    if run.tell(record, len(spent), last=last, seconds=run.lap()):
        model.stop_training = True
    callbacks.on_epoch_end(epoch, figures)


def _keep(model, run, records):
    run.keep(Progress(_engine.variables_of(model), [dict(record) for record in records], run.n_steps, run.finished))


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
