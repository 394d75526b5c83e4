"""What listens to `keras.Model.fit`: the keeper of history and best weights, and the user's own callbacks."""

import pickle
import time

import keras
import numpy as np
from joblib import wrap_non_picklable_objects

from . import _engine
from ._run import FIGURES, Progress, Run, planned_epochs

HOOKS = [name for name in dir(keras.callbacks.Callback) if name.startswith("on_")]


class Keeper(keras.callbacks.Callback):
    """Keeps history and the best weights; ends training when it has to stop, or gets no better.

    Parameters
    ----------
    settings : Settings
    run : Run
    steps : int
        Of an epoch.
    n_validation : int
        Rows held out.
    """

    def __init__(self, settings, run: Run, steps: int, n_validation: int):
        super().__init__()
        self.settings, self.run, self.steps = settings, run, steps
        self.monitor = settings.monitor if n_validation else settings.monitor.removeprefix("val_")
        self.sign = -1.0 if self.monitor.endswith("accuracy") else 1.0
        self.validation_share = n_validation / max(steps * settings.batch_size, 1)
        self.best, self.best_epoch, self.best_weights = np.inf, -1, run.best_weights
        self.cut, run.planned = False, planned_epochs(settings, run.records)
        self._done, self._validation_seconds = 0, None
        for record in run.records:
            self._is_better(record)

    def _is_better(self, record):
        """Note whether an epoch is better than all before."""
        figure = self.sign * record[self.monitor]
        better = figure < self.best - self.settings.min_delta
        if better:
            self.best, self.best_epoch = figure, record["epoch"]
        return better

    def on_epoch_begin(self, epoch, logs=None):
        """Start counting the steps of the epoch."""
        self._done, self._first_call = 0, None

    def on_train_batch_end(self, batch, logs=None):
        """Stop where the time is over, with what validation still takes of it, or somebody wants the run to end."""
        self.run.n_steps += batch + 1 - self._done
        self._done, now = batch + 1, time.perf_counter()
        self._first_call = self._first_call or (now, self._done)
        self.run.on_step(len(self.run.records) + self._done / (self.steps + 1))  # validation is the last part
        if self.run.must_stop(self._seconds_to_validate(now)):
            self.cut = self.model.stop_training = True

    def _seconds_to_validate(self, now):
        """Return what validation took the last time; before that, half of what training on as many rows takes."""
        if self._validation_seconds is not None:
            return self._validation_seconds
        since, done = self._first_call
        return 0.5 * self.validation_share * self.steps * (now - since) / max(self._done - done, 1)

    def on_test_begin(self, logs=None):
        """Start the clock of validation."""
        self._validation_began = time.perf_counter()

    def on_test_end(self, logs=None):
        """Note what validation took."""
        self._validation_seconds = time.perf_counter() - self._validation_began

    def on_epoch_end(self, epoch, logs=None):
        """Enter the epoch in the history, keep its state, then tell of it."""
        number = self.run.past_epochs + epoch
        record = {"epoch": number, **{name: float(logs.get(name, np.nan)) for name in FIGURES}}
        self._check_finite(record)
        if self._is_better(record):
            self.best_weights = self.model.averages()
        elif self.settings.patience is not None and number - self.best_epoch >= self.settings.patience:
            self.model.stop_training = True
        record |= {"seconds": self.run.lap(), "epsilon": np.inf, "delta": 0.0}
        self.run.add_record(record, self.best_epoch)
        whole = self._done >= self.steps
        self.run.n_whole += whole
        self._plan()
        over = whole and epoch + 1 == self.run.planned
        self.model.stop_training |= over
        self.run.finished = over or (self.model.stop_training and not self.cut)
        if whole or self.run.finished:
            self._keep()
        last = self.model.stop_training or over
        if self.run.tell(record, self.run.planned, last=last, seconds=record["seconds"]):
            self.model.stop_training = True

    def _plan(self):
        """Go on for longer where the loss still falls: the learning rate then takes its course over all of the epochs."""
        before, self.run.planned = self.run.planned, planned_epochs(self.settings, self.run.records)
        if self.run.planned != before:
            self.model.prolong(self.steps * before, self.steps * self.run.planned)

    def _check_finite(self, record):
        for name in ("loss", self.monitor):
            if not np.isfinite(record[name]):
                raise FloatingPointError(
                    f"{name} of epoch {record['epoch']} is {record[name]}: lower learning_rate (it is "
                    f"{self.settings.learning_rate})"
                )

    def _keep(self):
        records = [dict(record) for record in self.run.records]
        self.run.keep(Progress(_engine.variables_of(self.model), records, self.run.n_steps, self.run.finished))

    def on_train_end(self, logs=None):
        """Keep the state once more where a callback ended training after the epoch was kept."""
        if self.model.stop_training and not self.cut and not self.run.finished:
            self.run.finished = True
            self._keep()


class Guarded(keras.callbacks.Callback):
    """A callback of the user's whose errors say in which batch and epoch they happened."""

    def __init__(self, callback: keras.callbacks.Callback, run: Run):
        super().__init__()
        self.callback, self.run, self.epoch = callback, run, None

    def set_model(self, model):
        """Pass the model on."""
        self.callback.set_model(model)

    def set_params(self, params):
        """Pass the parameters of `fit` on."""
        self.callback.set_params(params)

    def _pass_on(self, hook, *arguments, **named):
        if hook == "on_epoch_begin":
            self.epoch = self.run.past_epochs + arguments[0]
        try:
            return getattr(self.callback, hook)(*arguments, **named)
        except Exception as error:
            raise callback_error(self.callback, self.run.batch, self.epoch, error) from error


def _passing_on(hook):
    def pass_on(self, *arguments, **named):
        return self._pass_on(hook, *arguments, **named)

    pass_on.__name__, pass_on.__doc__ = hook, f"Call `{hook}` of the callback."
    return pass_on


for _hook in HOOKS:
    setattr(Guarded, _hook, _passing_on(_hook))


def callback_error(callback, batch: int, epoch: int | None, error: Exception) -> RuntimeError:
    """Return the error that says which callback failed, and where."""
    name = getattr(callback, "__name__", type(callback).__name__)
    where = "before the first epoch" if epoch is None else f"in epoch {epoch}"
    return RuntimeError(
        f"the callback {name} failed {where} of batch {batch}: {type(error).__name__}: {error}. What was learned until "
        "then is in history_ and, with checkpoint_dir, on disk: mend the callback and call fit again"
    )


def split_callbacks(callbacks) -> tuple[list, list]:
    """Return the callbacks of Keras, and the plain callables."""
    of_keras = [callback for callback in callbacks if isinstance(callback, keras.callbacks.Callback)]
    return of_keras, [callback for callback in callbacks if not isinstance(callback, keras.callbacks.Callback)]


def release(callbacks) -> None:
    """Free callbacks of the model that they listened to, and of whatever cannot be pickled, such as files."""
    for callback in callbacks:
        callback._model = None
        for name, value in vars(callback).items():
            if not _is_portable(value):
                vars(callback)[name] = None


def _is_portable(value):
    """Return whether a worker can send a value home."""
    try:
        pickle.dumps(wrap_non_picklable_objects(value))
    except Exception:
        return False
    return True
