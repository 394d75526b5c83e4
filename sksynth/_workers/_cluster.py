"""What a cluster's workers are asked for, and which cluster joblib's active backend is."""

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from typing import Any


class Cluster:
    """Workers that are processes of a cluster, of this machine or of others, chosen by joblib's ``parallel_config``.

    Calls are given to the engine's own futures, as joblib's would wait for ever for a call that Dask has given up, and lose
    all that other workers of Ray do as soon as one of them dies.

    Parameters
    ----------
    backend : joblib.parallel.ParallelBackendBase
    n_jobs : int or None
        Calls at the same time that were asked for with it.
    """

    def __init__(self, backend: Any, n_jobs: int | None):
        self.backend, self._n_jobs = backend, n_jobs

    def _n_slots(self) -> int:
        """Return the number of calls that the workers take at the same time."""
        raise NotImplementedError

    def shared(self, value: Any) -> Any:
        """Put a value where any worker gets it from; what is returned stands for it in `submit`."""
        raise NotImplementedError

    def submit(self, function: Callable, *args: Any) -> Future:
        """Begin a call on some worker; what was `shared` is the value there."""
        raise NotImplementedError

    def is_lost(self, error: BaseException) -> bool:
        """Return whether a call failed because a worker died, or what it alone had was lost."""
        raise NotImplementedError

    def cancel(self, future: Future) -> None:
        """Let go of a call."""
        future.cancel()

    def waiting(self) -> AbstractContextManager:
        """Return what a call that itself runs on a worker waits in, so that others can run there."""
        return self.backend.retrieval_context()

    def n_slots(self, n_jobs: int | None = None) -> int:
        """Return the number of calls at the same time, at least 1, and at most `n_jobs` where that is a limit."""
        limit = self._n_jobs if n_jobs is None else n_jobs
        slots = max(self._n_slots(), 1)
        return slots if limit is None or limit < 0 else min(slots, limit)


def active_cluster() -> Cluster | None:
    """Return the cluster that joblib's active backend is, of Dask or Ray; None for any other backend."""
    from joblib.parallel import BACKENDS, get_active_backend

    backend, n_jobs = get_active_backend()
    if "dask" in BACKENDS and isinstance(backend, BACKENDS["dask"]):
        from ._dask import DaskCluster

        return DaskCluster(backend, n_jobs)
    if "ray" in BACKENDS and isinstance(backend, BACKENDS["ray"]):
        from ._ray import RayCluster

        return RayCluster(backend, n_jobs)
    return None
