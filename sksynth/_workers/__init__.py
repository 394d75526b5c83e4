"""The workers of a cluster, where joblib's active backend is one, and calls on them whose worker may die."""

from ._calls import TRIES, Call, LostWorkerError, as_they_come, in_order
from ._cluster import Cluster, active_cluster
from ._packing import packed

__all__ = ["TRIES", "Call", "Cluster", "LostWorkerError", "active_cluster", "as_they_come", "in_order", "packed"]
