"""Calls on the workers of a cluster: begun a few at a time, and again where their worker has died."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from typing import Any, NamedTuple

from ._cluster import Cluster

TRIES = 3  # of a call whose worker dies
AHEAD = 2  # calls for each that the workers take at a time


class LostWorkerError(RuntimeError):
    """The workers of a call died, each time that it was tried."""

    def __init__(self, last: BaseException, tries: int):
        times = "once, and it may not be begun again" if tries == 1 else f"{tries} times"
        reason = str(last).partition("\n")[0]
        super().__init__(f"its worker died {times} ({type(last).__name__}: {reason:.300})")


class Call(NamedTuple):
    """A call that can be begun.

    Parameters
    ----------
    begin : callable
        Given how often it was begun before, begins it and returns a Future; what was shared before may be lost then.
    tries : int
        How often it may be begun.
    """

    begin: Callable[[int], Future]
    tries: int = TRIES


def as_they_come(
    cluster: Cluster, calls: Iterable[Call], n_together: int, stopped: Callable[[], Any]
) -> Iterator[tuple[int, Any, BaseException | None]]:
    """Yield number, result and error of calls in the order in which they end.

    Parameters
    ----------
    cluster : Cluster
    calls : iterable of Call
    n_together : int
        Calls at the same time.
    stopped : callable
        Asked before a call begins; where it is true, that call and all behind it are left out.
    """
    waiting, running = deque((number, call, 0) for number, call in enumerate(calls)), {}
    try:
        while waiting or running:
            while waiting and len(running) < n_together and not stopped():
                number, call, tries = waiting.popleft()
                running[call.begin(tries)] = number, call, tries + 1
            if not running:
                return
            with cluster.waiting():
                ended = wait(running, return_when=FIRST_COMPLETED).done
            for future in ended:
                number, call, tries = running.pop(future)
                error = _error_of(future)
                if error is None or not cluster.is_lost(error):
                    yield number, None if error else future.result(), error
                elif tries < call.tries:
                    waiting.appendleft((number, call, tries))
                else:
                    yield number, None, LostWorkerError(error, tries)
    finally:
        for future in running:
            cluster.cancel(future)


def in_order(cluster: Cluster, calls: Iterable[Call]) -> Iterator[Any]:
    """Yield the results of calls in their order, while the next ones run: some for each worker.

    Raises
    ------
    Exception
        What a call raised; LostWorkerError where its workers have died.
    """
    ahead: deque[tuple[Call, Future]] = deque()
    try:
        for call in calls:
            ahead.append((call, call.begin(0)))
            if len(ahead) > AHEAD * cluster.n_slots():
                yield _result(cluster, *ahead.popleft())
        while ahead:
            yield _result(cluster, *ahead.popleft())
    finally:
        for _, future in ahead:
            cluster.cancel(future)


def _result(cluster, call, future):
    """Return what a call returns, begun again where its worker has died."""
    for tries in range(1, call.tries + 1):
        with cluster.waiting():
            wait([future])
        error = _error_of(future)
        if error is None:
            return future.result()
        if not cluster.is_lost(error):
            raise error
        if tries < call.tries:
            future = call.begin(tries)
    raise LostWorkerError(error, call.tries)


def _error_of(future):
    """Return what a call that is over has raised, or why it is over without."""
    try:
        return future.exception()
    except CancelledError as error:
        return error
