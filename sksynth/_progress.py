"""Progress bars: one over the epochs of all batches, wherever they are trained, and one over sampled rows."""

import os
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import Any

import numpy as np

LOOK_EVERY = 0.2  # seconds between two looks at the board
SAMPLING_DELAY = 3.0  # seconds of sampling before a bar is shown


class Board:
    """Where each batch writes how far it is; a small file, so that workers in other processes reach it.

    Parameters
    ----------
    path : str or None
        None: nobody watches.
    n_batches : int
    """

    def __init__(self, path: str | None, n_batches: int):
        self.path, self.n_batches = path, n_batches

    def watch(self, batch: int) -> Any:
        """Return the callable that batch `batch` tells its epochs to; picklable."""
        return partial(_write, self.path, self.n_batches, batch) if self.path else _ignore

    def read(self) -> np.ndarray:
        """Return one row per batch: epochs done (all that were planned, after the last), loss. Shape (n_batches, 2)."""
        return np.array(np.memmap(self.path, np.float64, "r", shape=(self.n_batches, 2)))


def _ignore(state: Any) -> None:
    """Tell nobody."""


def _write(path: str, n_batches: int, batch: int, state: Any) -> None:
    loss = state.loss if np.isnan(state.val_loss) else state.val_loss
    with suppress(OSError):  # a worker on another machine has no such file: no bar, but no harm either
        board = np.memmap(path, np.float64, "r+", shape=(n_batches, 2))
        board[batch] = (state.n_epochs if state.last else state.epoch + 1, loss)


@contextmanager
def progress_bar(verbose: int, n_epochs: Sequence[int], desc: str = "fit") -> Iterator[Board]:
    """Show one bar over all epochs of all batches while the block runs, if `verbose`.

    The bar has the time left, the mean loss of the batches that have begun, and how many are done.

    Parameters
    ----------
    verbose : int
    n_epochs : sequence of int
        Epochs planned for every batch; one that stops early is done.
    desc : str, default="fit"
        What stands before the bar.

    Yields
    ------
    board : Board
    """
    if not verbose:
        yield Board(None, len(n_epochs))
        return
    from tqdm.auto import tqdm

    handle, path = tempfile.mkstemp(prefix="sksynth-progress-")
    os.close(handle)
    np.zeros((len(n_epochs), 2)).tofile(path)
    board, done = Board(path, len(n_epochs)), threading.Event()
    with tqdm(total=int(sum(n_epochs)), desc=desc, unit="epoch") as bar:
        watcher = threading.Thread(target=_follow, args=(board, np.array(n_epochs), bar, done), daemon=True)
        watcher.start()
        try:
            yield board
        finally:
            done.set()
            watcher.join()
            os.unlink(path)


def _follow(board: Board, planned: np.ndarray, bar: Any, done: threading.Event) -> None:
    """Redraw the bar whenever a batch has moved, for the last time when all is done."""
    shown, ended = np.zeros((len(planned), 2)), False
    while not ended:
        ended = done.wait(LOOK_EVERY)
        now = board.read()
        if not np.array_equal(now, shown):
            _show(now, planned, bar)
            shown = now


def _show(now: np.ndarray, planned: np.ndarray, bar: Any) -> None:
    epochs, losses = now.T
    bar.n = int(epochs.sum())
    bar.set_postfix(loss=f"{losses[epochs > 0].mean():.3f}", batches=f"{int((epochs == planned).sum())}/{len(planned)}")


def watch_rows(chunks: Iterable[tuple], n_rows: int, verbose: int) -> Iterator[tuple]:
    """Yield chunks of sampled rows as they come; show a bar over the rows if `verbose` and it takes more than a few seconds.

    Parameters
    ----------
    chunks : iterable of tuple of ndarray
        Arrays of equal length.
    n_rows : int
        Rows in all.
    verbose : int

    Yields
    ------
    chunk : tuple of ndarray
    """
    if not verbose:
        yield from chunks
        return
    from tqdm.auto import tqdm

    with tqdm(total=n_rows, desc="sample", unit="row", delay=SAMPLING_DELAY) as bar:
        for chunk in chunks:
            bar.update(len(chunk[0]))
            yield chunk
