"""Forks of a process in which TensorFlow had been started: its threads are not in them, and what waits for them hangs."""

import os
import sys
import threading
from pathlib import Path

TASKS = Path("/proc/self/task")  # on Linux: a folder for every thread of this process


def _is_started() -> bool:
    """Tell whether TensorFlow has been started in this process, or in one that it is a fork of."""
    context = getattr(sys.modules.get("tensorflow.python.eager.context"), "_context", None)
    return bool(getattr(context, "_initialized", False))


def _has_python_threads_alone() -> bool:
    """Tell, on Linux, whether no thread of this process was started by C code, as those of TensorFlow are."""
    if not TASKS.is_dir():
        return False
    of_python = {os.getpid(), *(thread.native_id for thread in threading.enumerate())}
    return {int(task.name) for task in TASKS.iterdir()} <= of_python


# What a fork is told below; and where this package is first imported in a fork, what its threads tell.
_is_lost = _is_started() and _has_python_threads_alone()


def _note_fork() -> None:
    """Note, at the start of a fork, whether TensorFlow was started before it; a fork of a fork keeps what it is told."""
    global _is_lost
    _is_lost = _is_lost or _is_started()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no forks
    os.register_at_fork(after_in_child=_note_fork)


def refuse_fork() -> None:
    """Raise RuntimeError in a fork of a process in which TensorFlow had been started, as training would hang."""
    if _is_lost:
        raise RuntimeError(
            f"TensorFlow was started in another process, of which this one ({os.getpid()}) is a fork: it would hang, as "
            "threads do not survive a fork. Use joblib's backend 'loky' (the default) or 'threading', or start processes "
            "by 'spawn'"
        )
