"""The workers of a Dask cluster."""

from collections.abc import Callable
from concurrent.futures import CancelledError, Future
from typing import Any

from ._cluster import Cluster


class DaskCluster(Cluster):
    """The workers that the client of joblib's backend for Dask knows."""

    def __init__(self, backend: Any, n_jobs: int | None):
        super().__init__(backend, n_jobs)
        self._executor = backend.client.get_executor(pure=False, **backend.submit_kwargs)

    def _n_slots(self) -> int:
        return self.backend.effective_n_jobs(-1)  # it waits for the first worker, and says so if none comes

    def shared(self, value: Any) -> Any:
        """Send a value to one worker; those that need it later get it from there."""
        return self.backend.client.scatter([value], hash=False)[0]

    def submit(self, function: Callable, *args: Any) -> Future:
        """Begin a call on some worker."""
        return self._executor.submit(function, *args)

    def is_lost(self, error: BaseException) -> bool:
        """Dask repeats calls whose worker has died by itself, unless what was shared was lost too: it cancels those."""
        return isinstance(error, CancelledError)
