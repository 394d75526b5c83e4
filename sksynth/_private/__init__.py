"""Private fits: what is public of a table, what is released of it before training, and how the budget is spent."""

from ._clusters import cluster_privately
from ._plan import DELTA, LineFacts, PrivatePlan, check_budget, plan_training, statement_of
from ._release import Release, release
from ._schema import PRINTABLE, check_typed, without_strangers

__all__ = [
    "DELTA",
    "PRINTABLE",
    "LineFacts",
    "PrivatePlan",
    "Release",
    "check_budget",
    "check_typed",
    "cluster_privately",
    "plan_training",
    "release",
    "statement_of",
    "without_strangers",
]
