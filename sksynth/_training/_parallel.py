"""The batches of a fit, trained at the same time: in threads, in processes of this machine, or on the workers of a cluster."""

import copy
from collections.abc import Iterator, Sequence
from concurrent.futures import BrokenExecutor
from contextlib import nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np
from joblib import Parallel, delayed, effective_n_jobs
from joblib.parallel import BACKENDS, get_active_backend

from .._grammar import Grammar
from .._memory_map import in_blocks, written
from .._workers import TRIES, Call, Cluster, LostWorkerError, active_cluster, as_they_come, packed
from ._job import Job, Outcome, run_job, training_grammar
from ._watch import DONE, FAILED, INTERRUPTED, Board, Watch, shares_of_time

OWN_BACKENDS = "loky", "threading", "sequential"  # whose workers end with this process
LEARNED = "_weights", "training_", "history_", "callbacks_", "n_parameters_", "_n_steps"  # what training sets of a model


class Task(NamedTuple):
    """A batch to train."""

    model: Any
    job: Job
    watch: Watch

    @property
    def tries(self) -> int:
        """How often it may be begun: private steps that callbacks have seen, and that are lost, would be spent twice."""
        return TRIES if self.job.plan is None or self.job.folder is not None or not self.job.callbacks else 1


def run_jobs(
    models: Sequence[Any], jobs: Sequence[Job], board: Board, ends: float | None, n_jobs: int | None
) -> list[Outcome]:
    """Train models on their jobs by joblib's active backend; a batch whose worker dies is begun again.

    Parameters
    ----------
    models : sequence of LSTMTextModel
        With fitted tokenizers.
    jobs : sequence of Job
    board : Board
    ends : float or None
        When all have to be over, by `time.time`.
    n_jobs : int or None
        Of the estimator.

    Raises
    ------
    ValueError
        If the backend forks.
    """
    backend, _ = get_active_backend()
    _refuse_forks(backend)
    cluster = active_cluster()
    n_workers = min(effective_n_jobs(n_jobs) if cluster is None else cluster.n_slots(n_jobs), len(jobs))
    shares = shares_of_time([job.ids.shape[1] + 1 for job in jobs], n_workers)
    kin = isinstance(backend, tuple(BACKENDS[name] for name in OWN_BACKENDS))
    watches = [Watch(board, batch, ends, share, kin) for batch, share in enumerate(shares)]
    tasks = [Task(*parts) for parts in zip(models, jobs, watches, strict=True)]
    outcomes = _by_joblib(tasks, n_workers, board) if cluster is None else _on_cluster(cluster, tasks, n_workers, board)
    left = (number for number in range(len(tasks)) if number not in outcomes)
    outcomes |= {number: run_job(*tasks[number]) for number in left}  # they end as they begin: the board says so
    return [outcomes[number] for number in range(len(tasks))]


def _refuse_forks(backend):
    """Refuse joblib's backend that forks: a fork of a process with TensorFlow's threads hangs."""
    if type(backend) is BACKENDS["multiprocessing"]:  # Ray's is a subclass
        raise ValueError(
            "n_jobs of BatchLSTMSynthesizer: joblib's backend 'multiprocessing' forks, and a fork of a process that "
            "has started TensorFlow hangs; use parallel_config('loky') (the default) or parallel_config('threading')"
        )


def _by_joblib(tasks: Sequence[Task], n_workers: int, board: Board) -> dict[int, Outcome]:
    """Return the outcomes, by number, of tasks that joblib runs; none of those that were not over when the board said stop.

    Where a worker dies, joblib ends the others too, and does not say whose fault it was. What has not come back is begun
    again one after the other, so that it is seen whose it is.
    """
    outcomes: dict[int, Outcome] = {}
    first_error = _try(tasks, range(len(tasks)), n_workers, board, outcomes)
    for number in [number for number in range(len(tasks)) if number not in outcomes]:
        error, tries, most = first_error, 0, tasks[number].tries if tasks[number].tries > 1 else 0
        while error is not None and tries < most and not board.asked_to_stop():
            error, tries = _try(tasks, [number], max(n_workers, 2), board, outcomes), tries + 1
        if error is not None and not board.asked_to_stop():
            outcomes[number] = _failed(tasks[number], LostWorkerError(error, max(tries, 1)), board)
    return outcomes


def _try(tasks, numbers, n_workers, board, outcomes) -> BrokenExecutor | None:
    """Run some tasks together and note their outcomes; return the error with which a worker died, if one did."""
    try:
        for number, outcome in _together(tasks, numbers, n_workers):
            outcomes[number] = outcome
    except BrokenExecutor as error:
        if board.asked_to_stop() == INTERRUPTED:
            raise
        return error
    return None


def _together(tasks: Sequence[Task], numbers: Sequence[int], n_workers: int) -> Iterator[tuple[int, Outcome]]:
    """Yield numbers and outcomes of some tasks as they come, so that those are kept that came before a worker dies."""
    backend, _ = get_active_backend()
    as_list = n_workers == 1 or not backend.supports_return_generator
    parallel = Parallel(n_jobs=n_workers, return_as="list" if as_list else "generator_unordered")
    yield from parallel(delayed(_numbered)(number, *tasks[number]) for number in numbers)


def _numbered(number, model, job, watch):
    return number, run_job(model, job, watch)


def _on_cluster(cluster: Cluster, tasks: Sequence[Task], n_workers: int, board: Board) -> dict[int, Outcome]:
    """Return the outcomes, by number, of tasks that a cluster's workers run; none begin once the board says stop."""
    outcomes = {}
    calls = [Call(partial(_begin, cluster, task), task.tries) for task in tasks]
    for number, outcome, error in as_they_come(cluster, calls, n_workers, board.asked_to_stop):
        task = tasks[number]
        outcomes[number] = _failed(task, error, board) if outcome is None else _filled(task.model, outcome)
        _show(board, number, task, outcomes[number])
    return outcomes


def _begin(cluster, task, tries):
    """Send a task to a worker."""
    return cluster.submit(_run_light, cluster.shared(light(task)), isinstance(task.job.ids, np.memmap))


class _Grammars(NamedTuple):
    """What training has to know of a tokenizer."""

    grammar_: Grammar
    training_grammar_: Grammar


def light(task: Task) -> Task:
    """Return a task as it travels: token ids in few bytes, and of the tokenizer its grammars alone."""
    model, grammar = copy.copy(task.model), training_grammar(task.model.tokenizer_)
    model.tokenizer, model.tokenizer_ = None, _Grammars(model.tokenizer_.grammar_, grammar)
    vars(model).pop("_weights", None)  # the job has them
    return task._replace(model=model, job=replace(task.job, ids=packed(task.job.ids[:, : grammar.n_positions])))


def _run_light(task, on_disk):
    """Train on a worker, by ids that are on disk there too if they were; what comes back is as light."""
    ids = task.job.ids
    with TemporaryDirectory(ignore_cleanup_errors=True) if on_disk else nullcontext() as folder:
        own = written(Path(folder) / "token_ids", in_blocks(ids), ids.dtype) if on_disk else ids.astype(np.int32)
        return run_job(task.model, replace(task.job, ids=own), task.watch)


def _filled(model, outcome):
    """Return the outcome of a task that has travelled, with the tokenizer that stayed here."""
    learned = {name: value for name, value in vars(outcome.model).items() if name in LEARNED}
    vars(model).pop("_weights", None)
    vars(model).update(copy.deepcopy(learned))  # Ray's arrays lie in its store, and are not to be written to
    return replace(outcome, model=model)


def _failed(task: Task, error: BaseException, board: Board) -> Outcome:
    """Return the outcome of a task that did not come back, and ask the others to stop."""
    board.ask_to_stop(FAILED)
    columns = list(task.model.columns_)
    if not isinstance(error, LostWorkerError):
        error.add_note(
            f"while batch {task.job.batch}, columns {columns}, was sent to a worker: workers need the same versions of "
            "sksynth, its dependencies, and whatever callbacks import"
        )
        return Outcome(task.model, error)
    made = RuntimeError(
        f"batch {task.job.batch}, columns {columns}: {error}. Most often a worker is killed for want of memory: give workers "
        "more, fit fewer batches at a time (n_jobs), or smaller ones (ColumnClusterer(max_columns=...)). What other batches "
        "learned is in history_; with a checkpoint_dir, fit goes on from there"
    )
    made.__cause__ = error
    return Outcome(task.model, made)


def _show(board, number, task, outcome):
    """Show a batch as done on a board that its worker may not have reached."""
    history = getattr(outcome.model, "history_", ())
    if outcome.error is None and len(history):
        last, epochs = history.iloc[-1], len(history) - len(task.job.past)
        board.write(number, DONE, epochs, epochs, last["loss"] if np.isnan(last["val_loss"]) else last["val_loss"])
