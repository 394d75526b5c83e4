"""What the batches of a fit and the process that began it tell each other: how far they are, and that it is time to stop."""

import multiprocessing
import os
import signal
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from typing import Any
from uuid import uuid4

import numpy as np

INTERRUPTED, FAILED = 1.0, 2.0  # why all batches are asked to stop
KEPT = (
    "the fit was interrupted, and what was learned is kept: this estimator is fitted, as far as history_ says; with "
    "checkpoint_dir, another call of fit goes on from there"
)
LOST = (
    "the fit was interrupted before every batch had trained for an epoch: this estimator is what it was before, fitted or "
    "not; with checkpoint_dir, another call of fit goes on from there"
)
WAITING, COMPILING, TRAINING, DONE = range(4)  # what a batch does; compiling until the first steps are taken
HOME = uuid4().hex  # what this process is called: numbers of processes are the same on other machines
WRITE_EVERY = 0.1  # seconds between two notes of one batch within an epoch
ORPHAN_SECONDS = 5.0  # that a worker may live on: a call takes half a second, or a few on a busy machine


class Board:
    """Where each batch writes how far it is, and reads whether to stop.

    It is in memory, and once it is sent to other processes a small file, so that they reach it. A worker on another machine
    has no such file: its batch is not shown, and is not asked to stop.

    Parameters
    ----------
    path : str or None
        Of the file, if there is one.
    n_batches : int

    Attributes
    ----------
    closed : bool
        Whether the fit is over; threads that it has left behind then stop.
    interrupted : bool
        Whether Ctrl-C was pressed, in the process where the fit began.
    """

    def __init__(self, path: str | None, n_batches: int):
        self.path, self.n_batches, self.closed, self.interrupted = path, n_batches, False, False
        self._own, self._sending = np.zeros((n_batches + 1, 4)), threading.Lock()
        self._own[:-1] = WAITING, 0.0, 0.0, np.nan

    def _cells(self, mode):
        """Return an array: how far each batch is, then a row whose first cell says why to stop."""
        return self._own if self.path is None else np.memmap(self.path, np.float64, mode, shape=self._own.shape)

    def __reduce__(self):
        with self._sending:
            if self.path is None and not self.closed:
                self._write_file()
        return Board, (self.path, self.n_batches)

    def _write_file(self):
        handle, path = tempfile.mkstemp(prefix="sksynth-board-")
        with open(handle, "wb") as file:
            self._own.tofile(file)
        self.path, asked = path, self._own[-1]
        if asked[0]:  # perhaps after the file was written
            self.ask_to_stop(asked[0])

    def close(self) -> None:
        """Tell threads that were left behind that the fit is over, and remove the file."""
        self.closed = True
        self.remove_file()

    def remove_file(self) -> None:
        """Remove the file, if it is there."""
        if self.path is not None:
            with suppress(OSError):
                os.unlink(self.path)

    def write(self, batch: int, stage: int, epochs: float, planned: int, loss: float) -> None:
        """Note how far a batch is."""
        with suppress(OSError):
            self._cells("r+")[batch] = stage, epochs, planned, loss

    def read(self) -> np.ndarray:
        """Return one row per batch: what it does, epochs done, in parts, epochs planned, last loss. Shape (n_batches, 4)."""
        return np.array(self._cells("r")[: self.n_batches])

    def ask_to_stop(self, why: float) -> None:
        """Ask all batches to stop; the first reason counts."""
        with suppress(OSError):
            cells = self._cells("r+")
            cells[-1, 0] = cells[-1, 0] or why

    def asked_to_stop(self) -> float:
        """Return why to stop, INTERRUPTED or FAILED; 0.0 to go on."""
        if self.closed:
            return INTERRUPTED
        with suppress(OSError):
            return float(self._cells("r")[-1, 0])
        return 0.0


@contextmanager
def shared_board(n_batches: int) -> Iterator[Board]:
    """Lend a board for as long as the block runs."""
    board = Board(None, n_batches)
    try:
        yield board
    finally:
        board.close()


class Gauge:
    """Notes on boards how far one batch is, epochs of earlier fits apart; each method where that has happened.

    Parameters
    ----------
    board : Board
    batch : int
        Its place there.

    Attributes
    ----------
    places : list of (Board, int)
        Where it is noted.
    """

    def __init__(self, board: Board, batch: int):
        self.places, self._written = [(board, batch)], 0.0

    def begins(self, epochs: int, planned: int, past: int) -> None:
        """Note that a batch begins, which may have trained some of the planned epochs already, after `past` of other fits."""
        self._planned, self._past, self._loss = planned, past, np.nan
        self._write(COMPILING, epochs)

    def moves(self, epochs: float) -> None:
        """Note what part of an epoch is over."""
        if time.monotonic() >= self._written + WRITE_EVERY:
            self._write(TRAINING, epochs)
            self._written = time.monotonic()

    def tell(self, state: Any) -> None:
        """Note that an epoch is over."""
        self._loss = state.loss if np.isnan(state.val_loss) else state.val_loss
        self._planned = state.n_epochs - self._past
        self._write(TRAINING, state.epoch + 1 - self._past)

    def ends(self, epochs: int) -> None:
        """Note that a batch has trained so many epochs, and will not train more."""
        self._planned = epochs
        self._write(DONE, epochs)

    def _write(self, stage, epochs):
        for board, batch in self.places:
            board.write(batch, stage, epochs, self._planned, self._loss)


class Watch:
    """What tells one batch that it is time to stop; made where the fit began, used where the batch is trained.

    Parameters
    ----------
    board : Board
    batch : int
    ends : float or None
        When the whole fit has to be over, by `time.time`; None: whenever it is.
    share : float
        Of the time that is left when the batch begins, what it may take.
    kin : bool, default=True
        Whether a worker is a child of the process where the fit began, and ends with it. Those of a cluster are not: they
        belong to others too, and may be on machines where the board is not.

    Attributes
    ----------
    asked : float
        Why the batch was asked to stop, by the board; 0.0 where it was not, or the time was over.
    gauge : Gauge
    """

    def __init__(self, board: Board, batch: int, ends: float | None = None, share: float = 1.0, kin: bool = True):
        self.board, self.batch, self.ends, self.share, self.kin = board, batch, ends, share, kin
        self.owner, self.asked, self.gauge, self._home = os.getpid(), 0.0, Gauge(board, batch), HOME

    @property
    def at_home(self) -> bool:
        """Whether the batch is trained in the process where the fit began."""
        return self._home == HOME

    @property
    def _by_child(self) -> bool:
        return self.kin and os.getpid() != self.owner

    def begin(self, max_time: float | None) -> "Watch":
        """Start the clock of the batch, which may take `max_time` seconds of its own; leave if the parent has died before."""
        now = time.time()
        limits = [] if self.ends is None else [now + self.share * (self.ends - now)]
        limits += [] if max_time is None else [now + max_time]
        self._deadline, self._parent = min(limits, default=np.inf), os.getppid()
        self._leave_if_orphaned()
        if self._by_child:
            _Orphan.board = self.board
            _leave_with(self._parent)
        return self

    def ignore_interrupts(self) -> None:
        """Ignore Ctrl-C in a worker that is a child, for good: it obeys the board, and joblib ends it.

        Between two batches too: an idle worker that Ctrl-C ends would take joblib's other workers with it.
        """
        if self._by_child and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, signal.SIG_IGN)

    def seconds_left(self) -> float:
        """Return the seconds until the batch has to end; infinite where nothing limits it."""
        return self._deadline - time.time()

    def was_asked(self) -> bool:
        """Return whether all batches are asked to stop; remember why."""
        self.asked = self.board.asked_to_stop()
        return bool(self.asked)

    def must_stop(self, seconds: float) -> bool:
        """Return whether it is time to stop, where finishing takes so many seconds; leave if the parent has died."""
        self._leave_if_orphaned()
        return self.was_asked() or time.time() + seconds >= self._deadline

    def _leave_if_orphaned(self) -> None:
        """End this worker at once if its parent has died: after an exception it would take up the next batch that waits."""
        parent = multiprocessing.parent_process()
        died_before = parent is not None and parent.pid == self.owner and not _runs(self.owner)
        if self._by_child and (died_before or os.getppid() != self._parent):
            self.board.remove_file()
            os._exit(1)


class _Orphan:
    """What this worker has to remove where its parent has died: the board of the batch that it began last."""

    board: Board | None = None


@cache
def _leave_with(parent: int) -> None:
    """End this worker after its parent has died, also where it has no batch then and waits for one.

    A batch that is trained gets the time to end by itself, between two calls, with its files whole.
    """

    def wait() -> None:
        while os.getppid() == parent:
            time.sleep(0.2)
        time.sleep(ORPHAN_SECONDS)
        if _Orphan.board is not None:
            _Orphan.board.remove_file()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _runs(process: int) -> bool:
    """Return whether a process of this machine runs; where that cannot be asked without harm, it does."""
    if os.name != "posix":
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


def shares_of_time(costs: Sequence[float], n_workers: int) -> list[float]:
    """Return, of the time that is left when a batch begins, the share that it may take.

    Parameters
    ----------
    costs : sequence of float
        What the batches take relative to each other, in the order in which they begin.
    n_workers : int
        Batches that are trained at the same time.
    """
    shares = []
    for batch, cost in enumerate(costs):
        left = costs[batch:]
        rounds = -(-len(left) // n_workers)
        shares.append(1.0 if rounds == 1 else min(1.0, cost / np.mean(left) / rounds))
    return shares


@contextmanager
def interruptible(board: Board) -> Iterator[None]:
    """Take the first Ctrl-C within the block for a request to stop; the second is a KeyboardInterrupt as ever.

    Where Python has no say in it (another thread than the main one, signals that are ignored), nothing changes.

    Raises
    ------
    KeyboardInterrupt
        In place of any error after Ctrl-C, as of workers that were only starting: who catches errors is to hear of it.
    """
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(before):
        yield
        return

    def ask(number, frame):
        signal.signal(signal.SIGINT, before)
        board.interrupted = True
        board.ask_to_stop(INTERRUPTED)

    signal.signal(signal.SIGINT, ask)
    try:
        yield
    except Exception as error:
        if not board.interrupted:
            raise
        raise KeyboardInterrupt(LOST) from error
    finally:
        signal.signal(signal.SIGINT, before)
