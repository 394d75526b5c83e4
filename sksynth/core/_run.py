"""A training run seen from outside: where it starts, when it has to stop, whom it tells, and how far it came."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

WORTH = 1.0  # nats per record: a loss that would fall by more, went it on as at half of the planned epochs, gets more of them
FIGURES = ("loss", "accuracy", "val_loss", "val_accuracy")


@dataclass
class EpochState:
    """What a callable is told after an epoch.

    Attributes
    ----------
    epoch : int
        Counted from 0.
    n_epochs : int
        Epochs planned.
    loss, accuracy, val_loss, val_accuracy : float
        As in `history_`; NaN where no rows are held out, and all of them where training is private.
    seconds : float
        Since the epoch before, compilation included.
    last : bool
        True where no further epoch follows.
    epsilon, delta : float
        What was spent before training, and by the steps of this batch so far; where an epoch is cut short, by all of its.
    batch : int
        Number of the batch of columns; 0 where there is only one model.
    """

    epoch: int
    n_epochs: int
    loss: float
    accuracy: float
    val_loss: float
    val_accuracy: float
    seconds: float
    last: bool
    epsilon: float = np.inf
    delta: float = 0.0
    batch: int = 0

    def __post_init__(self):
        self._stopped = False

    def stop(self) -> None:
        """End the training of this batch after this epoch; the best epoch so far is kept."""
        self._stopped = True

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped


@dataclass(frozen=True)
class Progress:
    """All that is needed to go on where training stood.

    Attributes
    ----------
    variables : dict of str to ndarray
        Of the network, averages included, and of the optimizer.
    records : list of dict
        The epochs that are over, as in `Run.records`.
    n_steps : int
        Steps taken; within an epoch only where training is private.
    finished : bool
        Whether nothing is left to do: all epochs are over, or early stopping or a callback ended them.
    """

    variables: dict[str, np.ndarray]
    records: list[dict]
    n_steps: int
    finished: bool


def _ignore(told: Any) -> None:
    """Tell nobody."""


def _never(seconds: float) -> bool:
    return False


@dataclass
class Run:
    """One training run: what the caller says of it, and what it says of itself.

    Parameters
    ----------
    on_epoch : callable
        Called with an `EpochState` after every epoch.
    on_step : callable
        Called after every compiled call, with the number of epochs that are over, in parts.
    must_stop : callable
        Asked after every compiled call, with the seconds that are needed to finish; True ends training.
    keep : callable
        Called with the `Progress` after every whole epoch, before anybody is told of it.
    callbacks : sequence of keras.callbacks.Callback
        Used as they are.
    batch : int
        Number of the batch, for what is told.
    start : Progress or None
        Where to go on.
    best_weights : dict of str to ndarray or None
        Those of the best epoch of `start`.
    weights : dict of str to ndarray or None
        What to train further, instead of fresh weights, priors included.
    past_epochs : int
        Epochs of earlier runs, which epochs are counted on from.

    Attributes
    ----------
    records : list of dict
        One per epoch, the best of them marked; complete whatever ends the run.
    finished : bool
        As in `Progress`.
    n_steps : int
        Steps taken.
    n_whole : int
        Epochs that were not cut short.
    planned : int
        Epochs that training takes, as far as is known by now.
    """

    on_epoch: Callable[[EpochState], Any] = _ignore
    on_step: Callable[[float], Any] = _ignore
    must_stop: Callable[[float], bool] = _never
    keep: Callable[[Progress], Any] = _ignore
    callbacks: Sequence[Any] = ()
    batch: int = 0
    start: Progress | None = None
    best_weights: dict[str, np.ndarray] | None = None
    weights: dict[str, np.ndarray] | None = None
    past_epochs: int = 0
    records: list[dict] = field(default_factory=list)
    finished: bool = False
    n_steps: int = 0
    n_whole: int = 0
    planned: int = 0

    def __post_init__(self):
        self._clock = time.perf_counter()
        if self.start is not None:
            self.records, self.finished = [dict(record) for record in self.start.records], self.start.finished
            self.n_steps, self.n_whole = self.start.n_steps, len(self.start.records)

    def lap(self) -> float:
        """Return the seconds since this was asked before, or since the run was made."""
        before, self._clock = self._clock, time.perf_counter()
        return self._clock - before

    def add_record(self, record: dict, best_epoch: int) -> None:
        """Enter an epoch that is over, and mark the best so far."""
        self.records.append(record)
        for other in self.records:
            other["best"] = other["epoch"] == best_epoch

    def tell(self, record: dict, n_epochs: int, *, last: bool, seconds: float) -> bool:
        """Tell of the epoch of a record; return whether training shall end."""
        figures = {name: record[name] for name in (*FIGURES, "epsilon", "delta")}
        state = EpochState(
            record["epoch"], self.past_epochs + n_epochs, **figures, seconds=seconds, last=last, batch=self.batch
        )
        self.on_epoch(state)
        return state.stopped


def planned_epochs(settings: Any, records: list[dict]) -> int:
    """Return how many epochs training takes: more than were planned where the held-out loss still falls at half of them.

    Parameters
    ----------
    settings : Settings
    records : list of dict
        The epochs that are over.
    """
    half = -(-settings.epochs // 2)
    span = max(half // 3, 1)
    if settings.most_epochs <= settings.epochs or not span < half <= len(records):
        return settings.epochs
    fall = (records[half - 1 - span]["val_loss"] - records[half - 1]["val_loss"]) / span
    return settings.most_epochs if fall * settings.epochs > WORTH else settings.epochs
