"""Threads: how many the core may have, and who has them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from threading import Lock

from threadpoolctl import ThreadpoolController


def granted() -> int:
    """Return the threads that joblib, Dask or Ray grant a worker, or the user this process; 0 where nothing is said."""
    said = os.environ.get("OMP_NUM_THREADS", "")
    return int(said) if said.isdecimal() else 0


@cache
def _controller():
    """Return what limits the threads of numpy's matrix products: to look for their libraries takes longer than a few rows."""
    return ThreadpoolController()


class _Alone:
    """How many threads ask for products of one thread each, and what they had before."""

    lock, n_asking, limiter = Lock(), 0, None


@contextmanager
def products_alone() -> Iterator[None]:
    """Give every product of numpy one thread, as several threads multiply; the last to leave gives all back."""
    with _Alone.lock:
        if not _Alone.n_asking:
            _Alone.limiter = _controller().limit(limits=1, user_api="blas")
        _Alone.n_asking += 1
    try:
        yield
    finally:
        with _Alone.lock:
            _Alone.n_asking -= 1
            if not _Alone.n_asking:
                _Alone.limiter.restore_original_limits()


def n_threads() -> int:
    """Return the number of threads to draw rows in."""
    return granted() or os.cpu_count() or 1


def keep_to_threads(threading, granted: int) -> None:
    """Take no more threads than joblib grants a worker; left to itself TensorFlow takes all cores, in every worker.

    What somebody else has set, or what runs already, stays as it is.
    """
    parts = "inter_op_parallelism_threads", "intra_op_parallelism_threads"
    if granted and not any(getattr(threading, f"get_{part}")() for part in parts):
        with suppress(RuntimeError):  # TensorFlow runs already
            for part in parts:
                getattr(threading, f"set_{part}")(granted)
