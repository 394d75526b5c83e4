"""One model's training, wherever it runs: from token ids, or from where an earlier fit stood, to weights and history."""

import copy
import logging
import pickle
import sys
import traceback
from collections.abc import Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from ._checkpoints import ORPHAN_SECONDS, Folder
from ._defaults import choose_settings
from ._history import CALLBACK, EARLY, INTERRUPT, PLAN, TIME, history_frame, summary
from ._progress import progress_bar
from ._watch import FAILED, LOST, Watch, shared_board

logger = logging.getLogger(__name__)


@dataclass
class Job:
    """What a model with a fitted tokenizer is trained on, and from where on; picklable, so that any worker can do it.

    Attributes
    ----------
    ids : ndarray of int, shape (n_rows, n_positions + n_free)
    seed : SeedSequence
    plan : PrivatePlan or None
    folder : Folder or None
        Where checkpoints are written, and where training goes on if there are some.
    weights : dict of str to ndarray or None
        What to train further.
    past : list of dict
        Records of the epochs before, where `weights` are given.
    pinned : dict
        Settings that `weights` leave no choice of.
    one_pass : bool
        Train for a single epoch on all rows.
    callbacks : list
        Of the user's.
    batch : int
        Number of the batch, for what is told.
    n_context : int
        Number of leading runs that are context, read and not learned.
    """

    ids: np.ndarray
    seed: np.random.SeedSequence
    plan: Any = None
    folder: Folder | None = None
    weights: dict[str, np.ndarray] | None = None
    past: list = field(default_factory=list)
    pinned: dict = field(default_factory=dict)
    one_pass: bool = False
    callbacks: Sequence[Any] = ()
    batch: int = 0
    n_context: int = 0


@dataclass
class Outcome:
    """What became of a job: the model, trained or not, what went wrong, and whether it has learned anything."""

    model: Any
    error: Exception | None = None
    learned: bool = False

    @property
    def trained(self) -> bool:
        """Whether the model can sample."""
        return hasattr(self.model, "_weights")


def settings_for(model: Any, job: Job, gpu: bool = False, seconds: float = np.inf) -> dict:
    """Return the settings that a model is trained with on a job, in so many seconds."""
    context = {"n_context": job.n_context}
    if job.plan is not None:
        return job.plan.settings | job.plan.mechanism | context
    grammar = training_grammar(model.tokenizer_)
    chosen = choose_settings(model, job.ids, grammar, gpu=gpu, one_pass=job.one_pass, seconds=seconds)
    return chosen | job.pinned | context


def training_grammar(tokenizer: Any) -> Any:
    """Return the grammar of what a network is trained on, which may be other than records."""
    return getattr(tokenizer, "training_grammar_", tokenizer.grammar_)


def n_epochs(model: Any, job: Job) -> int:
    """Return the number of epochs that a job is planned to take."""
    return settings_for(model, job)["epochs"] if model.tokenizer_.grammar_.n_positions else 0


def run_job(model: Any, job: Job, watch: Watch) -> Outcome:
    """Train a model; any error is part of the outcome, and asks all other batches to stop. Runs in any worker."""
    error, learned = None, False
    try:
        watch.ignore_interrupts()
        lock = nullcontext() if job.folder is None else job.folder.locked(ORPHAN_SECONDS)
        with lock, _bar_of_its_own(model, job, watch):
            learned = train(model, job, watch.begin(model.max_time))
    except Exception as caught:
        caught.add_note(f"while fitting batch {job.batch}, columns {list(model.columns_)}")
        watch.board.ask_to_stop(FAILED)
        error = caught if watch.at_home else _portable(caught)
    return Outcome(model, error, learned)


@contextmanager
def _bar_of_its_own(model, job, watch):
    """Show the bar of a template that is verbose."""
    if not model.verbose:
        yield
        return
    with shared_board(1) as board, progress_bar(model.verbose, board, [n_epochs(model, job)], f"batch {job.batch}"):
        watch.gauge.places.append((board, 0))
        yield


def _portable(error):
    """Return an error with its traceback as a note, so that it is not lost on the way to the process of the fit."""
    error.add_note("".join(traceback.format_exception(error)))
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError("\n".join([f"{type(error).__name__}: {error}", *error.__notes__]))
    return error


def train(model: Any, job: Job, watch: Watch) -> bool:
    """Train a model on a job; return whether it learned anything.

    Its `history_` is set whatever ends it, its weights where there are any: those that it is to be trained further from, too.
    """
    vars(model).pop("_weights", None)  # the job has them
    found = None if job.folder is None else job.folder.last()
    grammar = training_grammar(model.tokenizer_)
    model.training_, model.callbacks_, model.n_parameters_ = {}, [], 0
    if not grammar.n_positions:
        model.training_ = settings_for(model, job) if found is None else found["training"]
        model._weights, model.history_ = {}, history_frame(job.past)
        watch.gauge.begins(0, 0, 0)
        watch.gauge.ends(0)
        return True
    from .. import core

    where = core.device_name()
    model.training_ = (
        settings_for(model, job, where != "CPU", watch.seconds_left()) if found is None else found.pop("training")
    )
    model.n_parameters_ = core.n_parameters(core.network_shape(grammar, core_settings(model.training_)))
    logger.info("training on %s: %s", where, model.training_)
    keras_callbacks, callables = core.split_callbacks(job.callbacks)
    model.callbacks_ = copy.deepcopy(keras_callbacks)
    run = core.Run(
        on_epoch=_Teller(watch.gauge, callables), on_step=watch.gauge.moves,
        must_stop=watch.must_stop, callbacks=model.callbacks_, batch=job.batch, weights=job.weights,
        start=None if found is None else core.Progress(**found), past_epochs=len(job.past),
    )  # fmt: skip
    try:
        watch.gauge.begins(len(run.records), max(model.training_["epochs"], len(run.records)), len(job.past))
        weights = _weights(model, job, run, watch)
        if run.finished or not watch.asked:
            watch.gauge.ends(len(run.records))
        if run.records:
            run.records[-1]["ended"] = _why_ended(run, model.training_, watch)
    finally:
        past = [record | {"best": record["best"] and not run.records} for record in job.past]
        model.history_ = history_frame([*past, *run.records])
        core.release(model.callbacks_)
        model._n_steps, run.keep = run.n_steps, None
    if weights is not None:
        model._weights = core.fitted_to(weights, model.tokenizer_.grammar_)
    return bool(run.records)


def _why_ended(run, settings, watch):
    """Return why a run ended, as `history_` says it."""
    if not run.finished:
        return INTERRUPT if watch.asked else TIME
    if len(run.records) >= (run.planned or settings["epochs"]):
        return PLAN
    waited = len(run.records) - 1 - max(place for place, record in enumerate(run.records) if record["best"])
    return EARLY if settings["patience"] is not None and waited >= settings["patience"] else CALLBACK


def _weights(model, job, run, watch):
    """Return the weights of the best epoch, or of what there is when the time is over; None where there is nothing.

    Of an epoch that Ctrl-C, or another batch's error, cuts short nothing is kept if it is the first.
    """
    from .. import core

    if run.start is not None:
        job.folder.write_history(run.records)
        run.best_weights = job.folder.kept_weights(run.records, run.start.variables, job.plan is not None)
    if run.finished or (watch.was_asked() and run.start is not None):
        return run.best_weights
    if watch.asked:
        return job.weights
    if job.folder is not None:
        run.keep = partial(_keep, model, job, run, watch)  # until training is over, as the run would hold itself, and the rows
    grammar, settings = training_grammar(model.tokenizer_), core_settings(model.training_)
    if run.weights is not None:
        run.weights = core.fitted_to(run.weights, grammar)
    tokens = job.ids[:, : grammar.n_positions]
    if job.plan is None:
        weights = core.train(grammar, tokens, settings, job.seed, run)
    else:
        mechanism = core.Mechanism(**job.plan.mechanism)
        weights = core.train_privately(grammar, tokens, settings, mechanism, job.plan.priors, job.seed, job.plan.spent, run)
    if watch.asked and not run.n_whole:
        run.records.clear()
        return job.weights
    return weights


def _keep(model, job, run, watch, progress):
    """Write where training stands; if that is its end, with why."""
    if progress.finished and progress.records:
        progress.records[-1]["ended"] = _why_ended(run, model.training_, watch)
    job.folder.write_epoch(progress, model.training_)


def core_settings(training: dict) -> Any:
    """Return the settings of training as the core wants them."""
    from .. import core

    return core.Settings(**{name: training[name] for name in core.Settings.__dataclass_fields__})


def grown_weights(model: Any, tokenizer: Any) -> tuple[dict[str, np.ndarray], dict]:
    """Return the weights of a fitted model for a tokenizer that has grown, and the settings that they leave no choice of.

    Raises
    ------
    ValueError
        If a parameter asks for another network.
    """
    pinned = {name: model.training_[name] for name in ("embedding_dim", "rnn_units", "n_layers") if name in model.training_}
    for name, value in pinned.items():
        if getattr(model, name) not in (None, value):
            raise ValueError(
                f"{name}={getattr(model, name)!r}, but the network that is to be trained further has {value}: leave it as it "
                "was, or fit anew with warm_start=False"
            )
    if tokenizer is model.tokenizer_ or not model._weights:
        return model._weights, pinned
    from ..core import grown_weights

    return grown_weights(model._weights, model.tokenizer_.grammar_, tokenizer.grammar_), pinned


class _Teller:
    """Tells the user's callables of an epoch, whose errors say whose they are, then the gauge."""

    def __init__(self, gauge, callables):
        self.gauge, self.callables = gauge, callables

    def __call__(self, state):
        from ..core import callback_error

        for callback in self.callables:
            try:
                callback(state)
            except Exception as error:
                raise callback_error(callback, state.batch, state.epoch, error) from error
        self.gauge.tell(state)


def settle(outcomes: Sequence[Outcome], interrupted: bool, verbose: int = 0) -> bool:
    """Raise what ended a fit before all models could sample; say why it ended; return whether it was interrupted after that.

    Parameters
    ----------
    outcomes : sequence of Outcome
    interrupted : bool
        Whether Ctrl-C was pressed.
    verbose : int, default=0
        Whether to say it on standard error too, not in the log alone.

    Raises
    ------
    Exception
        The first error of a batch.
    KeyboardInterrupt
        Where the fit was interrupted before every batch had trained, or anything was learned.
    """
    error = next((outcome.error for outcome in outcomes if outcome.error is not None), None)
    trained = all(outcome.trained for outcome in outcomes) and any(outcome.learned for outcome in outcomes)
    if interrupted and (error is not None or not trained):
        raise KeyboardInterrupt(LOST) from error
    if error is not None:
        raise error
    histories = [outcome.model.history_ for outcome in outcomes if len(outcome.model.history_)]
    if histories:
        logger.info(summary(histories))
        if verbose:
            print(summary(histories), file=sys.stderr)
    return interrupted
