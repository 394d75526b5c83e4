"""Import TensorFlow without its chatter."""

import logging
import os
import sys
import tempfile
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from functools import cache
from threading import Lock

from threadpoolctl import ThreadpoolController


@contextmanager
def _stderr_aside():
    """Send what C code writes to standard error to a file; show it after all if the block fails."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as aside:
        kept = os.dup(2)
        os.dup2(aside.fileno(), 2)
        try:
            yield
        except BaseException:
            aside.seek(0)
            os.write(kept, aside.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _is_no_false_alarm(record: logging.LogRecord) -> bool:
    """Refuse warnings of retracing where a call of this package is the cause: one trace per shape of table is no mistake."""
    if "retracing" not in record.getMessage():
        return True
    callers = {frame.f_globals.get("__name__", "") for frame, _ in traceback.walk_stack(None)} - {__name__}
    return not any(name.startswith(f"{__package__}.") for name in callers)


_started_in = os.getpid()


def refuse_fork() -> None:
    """Raise RuntimeError in a process that was forked after TensorFlow was imported: its threads are gone, and it hangs."""
    if os.getpid() != _started_in:
        raise RuntimeError(
            f"TensorFlow was started in process {_started_in}, of which this one ({os.getpid()}) is a fork: it would hang, as "
            "threads do not survive a fork. Use joblib's backend 'loky' (the default) or 'threading', or start processes "
            "by 'spawn'"
        )


def quiet_import() -> None:
    """Import TensorFlow; what it says at its start, before it can be told to be quiet, is not shown.

    It may be there already, in a worker that was sent a callback of Keras for instance, and has then not begun to run.
    """
    logging.getLogger("tensorflow").addFilter(_is_no_false_alarm)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # oneDNN says as an error which kernels it does without
    os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "1")  # else every step gets fresh pages: a fifth of its time
    is_new = "tensorflow" not in sys.modules
    with _stderr_aside() if is_new else nullcontext():
        import tensorflow as tf

        _keep_to_threads(tf.config.threading, _granted())
        if is_new:
            tf.config.list_logical_devices()


def _granted() -> int:
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
    return _granted() or os.cpu_count() or 1


def _keep_to_threads(threading, granted: int) -> None:
    """Take no more threads than joblib grants a worker; left to itself TensorFlow takes all cores, in every worker.

    What somebody else has set, or what runs already, stays as it is.
    """
    parts = "inter_op_parallelism_threads", "intra_op_parallelism_threads"
    if granted and not any(getattr(threading, f"get_{part}")() for part in parts):
        with suppress(RuntimeError):  # TensorFlow runs already
            for part in parts:
                getattr(threading, f"set_{part}")(granted)
