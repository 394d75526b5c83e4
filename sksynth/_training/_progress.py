"""Progress bars: one over the epochs of all batches, wherever they are trained, and one over sampled rows."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ._watch import Board, interruptible, shared_board

LOOK_EVERY = 0.2  # seconds between two looks at the board
SAMPLING_DELAY = 3.0  # seconds of sampling before a bar is shown


@contextmanager
def progress_bar(verbose: int, board: Board, n_epochs: Sequence[int], desc: str = "fit") -> Iterator[None]:
    """Show one bar over all epochs of all batches while the block runs, if `verbose`.

    The bar has the time left, the mean loss of the batches that have begun, and how many are done.

    Parameters
    ----------
    verbose : int
    board : Board
        Where the batches write how far they are.
    n_epochs : sequence of int
        Epochs planned for every batch; one that stops early is done.
    desc : str, default="fit"
        What stands before the bar.
    """
    if not verbose:
        yield
        return
    from tqdm.auto import tqdm

    done = threading.Event()
    with tqdm(total=int(sum(n_epochs)), desc=desc, unit="epoch") as bar:
        watcher = threading.Thread(target=_follow, args=(board, np.array(n_epochs), bar, done), daemon=True)
        watcher.start()
        try:
            yield
        finally:
            done.set()
            watcher.join()


@contextmanager
def supervised(verbose: int, n_epochs: Sequence[int]) -> Iterator[Board]:
    """Lend a board to the batches of a fit; show it, and pass Ctrl-C on to it, while the block runs.

    Parameters
    ----------
    verbose : int
    n_epochs : sequence of int
        Epochs planned for every batch.

    Yields
    ------
    board : Board
    """
    with shared_board(len(n_epochs)) as board, progress_bar(verbose, board, n_epochs), interruptible(board):
        yield board


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
    bar.total = int(np.maximum(epochs, planned).sum())  # a batch whose loss still falls gets more epochs than were planned
    bar.set_postfix(loss=f"{losses[epochs > 0].mean():.3f}", batches=f"{int((epochs >= planned).sum())}/{len(planned)}")


def watch_rows(chunks: Iterable[Any], n_rows: int, verbose: int, n_before: int = 0) -> Iterator[Any]:
    """Yield chunks of sampled rows as they come; show a bar over the rows if `verbose` and it takes more than a few seconds.

    Parameters
    ----------
    chunks : iterable of list or DataFrame
    n_rows : int
        Rows in all.
    verbose : int
    n_before : int, default=0
        Those of them that were sampled before.

    Yields
    ------
    chunk : list or DataFrame
    """
    if not verbose:
        yield from chunks
        return
    from tqdm.auto import tqdm

    with tqdm(total=n_rows, initial=n_before, desc="sample", unit="row", delay=SAMPLING_DELAY) as bar:
        for chunk in chunks:
            bar.update(len(chunk))
            yield chunk
