"""What is shown of a fit and of sampling: the stage, one bar over the epochs of all batches, and one over sampled rows."""

import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from ._watch import COMPILING, DONE, TRAINING, WAITING, Board, interruptible, shared_board

LOOK_EVERY = 0.2  # seconds between two looks at the board
SAMPLING_DELAY = 3.0  # seconds of sampling before a bar is shown


@contextmanager
def stage(verbose: int, name: str) -> Iterator[None]:
    """Show the name of what is done before training while the block does it, if `verbose`; then its line is free again."""
    if not verbose:
        yield
        return
    from tqdm.auto import tqdm

    with tqdm(desc=f"fit: {name}", bar_format="{desc}", leave=False):
        yield


@contextmanager
def progress_bar(verbose: int, board: Board, n_epochs: Sequence[int], desc: str = "fit") -> Iterator[None]:
    """Show one bar over all epochs of all batches while the block runs, if `verbose`.

    It has what is done now, the epochs that are over, in parts, the time that has passed and that is left, how many batches
    are done, and the mean loss of their last epochs.

    Parameters
    ----------
    verbose : int
    board : Board
        Where the batches write how far they are.
    n_epochs : sequence of int
        Epochs planned for every batch, until it says more.
    desc : str, default="fit"
        What stands before the bar.
    """
    if not verbose:
        yield
        return
    from tqdm.auto import tqdm

    done, meter, shown = threading.Event(), _Meter(n_epochs, desc), board.read()
    ticks = sys.stderr is not None and sys.stderr.isatty()  # asked before TensorFlow's start is kept quiet
    with tqdm(total=1.0, bar_format=meter.line(shown)) as bar:
        watcher = threading.Thread(target=_follow, args=(board, shown, meter, bar, done, ticks), daemon=True)
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


def _follow(board: Board, shown: np.ndarray, meter: "_Meter", bar: Any, done: threading.Event, ticks: bool) -> None:
    """Redraw the bar whenever a batch has moved, every second too if it `ticks`, and for the last time when all is done."""
    second, ended = time.monotonic(), False
    while not ended:
        ended = done.wait(LOOK_EVERY)
        now = board.read()
        if not np.array_equal(now, shown, equal_nan=True) or (ticks and time.monotonic() >= second + 1.0):
            bar.n, bar.bar_format = meter.share(now), meter.line(now)
            bar.refresh()
            shown, second = now, time.monotonic()


class _Meter:
    """Puts in words what is on a board.

    Parameters
    ----------
    n_epochs : sequence of int
        Epochs planned for every batch, until it says more.
    desc : str
        What stands before the bar.
    """

    def __init__(self, n_epochs: Sequence[int], desc: str):
        self.n_epochs, self.desc, self.clock = np.array(n_epochs, float), desc, _Clock(len(n_epochs))

    def _planned(self, cells):
        return np.where(cells[:, 0] == WAITING, self.n_epochs, cells[:, 2])

    def share(self, cells: np.ndarray) -> float:
        """Return the share of the epochs that are over."""
        planned = self._planned(cells).sum()
        return float(cells[:, 1].sum() / planned) if planned else float((cells[:, 0] == DONE).all())

    def line(self, cells: np.ndarray) -> str:
        """Return what the bar is to look like, for tqdm to fill in the bar itself and the time."""
        from tqdm import tqdm

        planned, losses = self._planned(cells), cells[np.isfinite(cells[:, 3]), 3]
        left = self.clock.left(time.monotonic(), cells[:, 0], cells[:, 1], planned)
        epochs = f"{cells[:, 1].sum():.1f}".removesuffix(".0")
        notes = [] if len(cells) == 1 else [f"batches={int((cells[:, 0] == DONE).sum())}/{len(cells)}"]
        notes += [f"loss={losses.mean():.3f}"] if len(losses) else []
        times = "{elapsed}" + ("" if left is None else f"<{tqdm.format_interval(left)}")
        return (
            f"{self.desc}: {self._stage(cells)}{int(100 * self.share(cells)):3d}%|{{bar}}| "
            f"{epochs}/{int(planned.sum())} epochs [{', '.join([times, *notes])}]"
        )

    def _stage(self, cells):
        """Return what the first of the batches that are being trained does; nothing after the end."""
        if (cells[:, 0] == DONE).all():
            return ""
        active = np.flatnonzero((cells[:, 0] == COMPILING) | (cells[:, 0] == TRAINING))
        if not len(active):
            return "starting: "
        batch = active[0]
        which = "" if len(cells) == 1 else f"batch {batch + 1}/{len(cells)}, "
        if cells[batch, 0] == COMPILING:
            return f"{which}compiling: "
        return f"{which}epoch {max(int(np.ceil(cells[batch, 1])), 1)}: "  # the next one is not certain yet where one is over


class _Clock:
    """Tells how much time is left, by the epochs after the first of every batch, as that one has compilation in it.

    Parameters
    ----------
    n_batches : int
    """

    def __init__(self, n_batches: int):
        self.begun, self.opened, self.moved = (np.full(n_batches, np.nan) for _ in range(3))
        self.first, self.at, self.last = np.ones(n_batches), np.zeros(n_batches), np.zeros(n_batches)

    def left(self, now: float, stage: np.ndarray, epochs: np.ndarray, planned: np.ndarray) -> float | None:
        """Return the seconds that are left; None before any batch is in its second epoch, or where nothing is left.

        Batches that have not begun are taken to compile as long as others did; those that are trained share the time.
        """
        self._note(now, stage, epochs)
        opened, open_end = ~np.isnan(self.opened), stage != DONE
        gone = (epochs - self.at)[opened].sum()
        if gone <= 0 or not open_end.any():
            return None
        pace = (self.moved - self.opened)[opened].sum() / gone
        opening = np.nanmean(self.opened - self.begun)
        spent = np.where(np.isnan(self.begun), 0.0, now - self.begun)
        rest = np.where(opened, 0.0, np.maximum(opening - spent, 0.0))
        rest += pace * np.maximum(planned - np.where(opened, epochs, self.first), 0.0)
        return float(rest[open_end].sum() / max(((stage == COMPILING) | (stage == TRAINING)).sum(), 1))

    def _note(self, now, stage, epochs):
        """Note which batches have begun, are through their first epoch, and have moved."""
        begins = np.isnan(self.begun) & (stage != WAITING)
        self.begun[begins], self.first[begins] = now, np.floor(epochs[begins]) + 1
        opens = np.isnan(self.opened) & (stage != WAITING) & (epochs >= self.first)
        self.opened[opens], self.at[opens] = now, epochs[opens]
        moves = epochs != self.last
        self.moved[moves | opens], self.last = now, epochs.copy()


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

    chunks, started = iter(chunks), time.monotonic()
    for first in chunks:  # the sampler is compiled on the way, which says nothing of the time that is left
        n_first, delay = n_before + len(first), max(SAMPLING_DELAY - (time.monotonic() - started), 0.0)
        with tqdm(total=n_rows, initial=n_first, desc="sample", unit="row", delay=delay) as bar:
            yield first
            for chunk in chunks:
                bar.update(len(chunk))
                yield chunk
