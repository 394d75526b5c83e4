"""One progress bar over batches and epochs, wherever the batches are trained."""

import os
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np


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
        """Return one row per batch: epochs done, epochs planned, last loss."""
        return np.array(np.memmap(self.path, np.float64, "r", shape=(self.n_batches, 3)))


def _ignore(state: Any) -> None:
    """Tell nobody."""


def _write(path: str, n_batches: int, batch: int, state: Any) -> None:
    loss = state.loss if np.isnan(state.val_loss) else state.val_loss
    board = np.memmap(path, np.float64, "r+", shape=(n_batches, 3))
    board[batch] = (state.n_epochs if state.last else state.epoch + 1, state.n_epochs, loss)


@contextmanager
def progress_bar(verbose: int, n_batches: int) -> Iterator[Board]:
    """Show one bar over all epochs of all batches with the mean loss, while the block runs, if `verbose`."""
    if not verbose:
        yield Board(None, n_batches)
        return
    from tqdm.auto import tqdm

    handle, path = tempfile.mkstemp(prefix="sksynth-progress-")
    os.close(handle)
    np.zeros((n_batches, 3)).tofile(path)
    board, done = Board(path, n_batches), threading.Event()
    with tqdm(total=1, desc="fit", unit="epoch") as bar:
        watcher = threading.Thread(target=_follow, args=(board, bar, done), daemon=True)
        watcher.start()
        try:
            yield board
        finally:
            done.set()
            watcher.join()
            _show(board, bar)
            os.unlink(path)


def _follow(board: Board, bar: Any, done: threading.Event) -> None:
    while not done.wait(0.2):
        _show(board, bar)


def _show(board: Board, bar: Any) -> None:
    epochs, planned, losses = board.read().T
    started = planned > 0
    if started.any():
        guess = planned[started].mean() * len(planned)  # batches that have not begun: as long as those that have
        bar.total = round(guess)
        bar.n = min(round(epochs.sum()), bar.total)
        bar.set_postfix(loss=f"{losses[started].sum():.3f}", batches=f"{int((epochs == planned)[started].sum())}/{len(planned)}")
