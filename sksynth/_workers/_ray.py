"""The workers of a Ray cluster."""

from collections.abc import Callable
from concurrent.futures import Future
from functools import cache
from typing import Any

from ._cluster import Cluster

LOST = "LocalRayletDiedError", "NodeDiedError", "ObjectLostError", "OutOfMemoryError", "WorkerCrashedError"


@cache
def _remote(function):
    """Return a function as Ray calls it; it travels once."""
    import ray

    return ray.remote(function)


class RayCluster(Cluster):
    """The workers of the Ray that this process is connected to; where there is none, it starts one of its own."""

    def __init__(self, backend: Any, n_jobs: int | None):
        import ray

        super().__init__(backend, n_jobs)
        self._ray, self._lost = ray, tuple(getattr(ray.exceptions, name) for name in LOST)
        if not ray.is_initialized():
            ray.init()
        self._options = {"max_retries": 0} | (backend.ray_remote_args or {})
        self._refs: dict[Future, Any] = {}

    def _n_slots(self) -> int:
        return int(self._ray.cluster_resources().get("CPU", 1) / (self._options.get("num_cpus") or 1))

    def shared(self, value: Any) -> Any:
        """Put a value into Ray's store, from which every machine gets it once."""
        return self._ray.put(value)

    def submit(self, function: Callable, *args: Any) -> Future:
        """Begin a call on some worker."""
        ref = _remote(function).options(**self._options).remote(*args)
        future = ref.future()
        self._refs[future] = ref
        future.add_done_callback(self._forget)
        return future

    def _forget(self, future):
        self._refs.pop(future, None)

    def is_lost(self, error: BaseException) -> bool:
        """Whether Ray says so: it is told to repeat nothing by itself."""
        return isinstance(error, self._lost)

    def cancel(self, future: Future) -> None:
        """Let go of a call; where it runs, it is interrupted."""
        ref = self._refs.pop(future, None)
        if ref is not None:
            self._ray.cancel(ref)
