"""Import TensorFlow without its chatter."""

import logging
import os
import sys
import tempfile
import traceback
from contextlib import contextmanager, nullcontext

from ._threads import granted, keep_to_threads


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

        keep_to_threads(tf.config.threading, granted())
        if is_new:
            tf.config.list_logical_devices()
