"""Private fits: what is public of a table, what is released of it before training, and how the budget is spent."""

from ._clusters import cluster_privately
from ._plan import DELTA, LineFacts, PrivatePlan, check_budget, plan_training, statement_of
from ._release import Release, release
from ._schema import PRINTABLE

__all__ = [
    "DELTA",
    "PRINTABLE",
    "LineFacts",
    "PrivatePlan",
    "Release",
    "check_budget",
    "cluster_privately",
    "plan_training",
    "release",
    "statement_of",
]
