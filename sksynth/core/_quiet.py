"""Import TensorFlow without its chatter."""

import logging
import os
import sys
import tempfile
import traceback
from contextlib import contextmanager


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
    """Import TensorFlow; what it says at its start, before it can be told to be quiet, is not shown."""
    logging.getLogger("tensorflow").addFilter(_is_no_false_alarm)
    if "tensorflow" in sys.modules:
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # oneDNN says as an error which kernels it does without
    os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "1")  # else every step gets fresh pages: a fifth of its time
    with _stderr_aside():
        import tensorflow as tf

        _keep_to_threads(tf.config.threading, os.environ.get("OMP_NUM_THREADS", ""))
        tf.config.list_logical_devices()


def _keep_to_threads(threading, granted: str) -> None:
    """Take no more threads than joblib grants a worker; left to itself TensorFlow takes all cores, in every worker."""
    if granted.isdecimal() and int(granted) > 0:
        threading.set_inter_op_parallelism_threads(int(granted))
        threading.set_intra_op_parallelism_threads(int(granted))
