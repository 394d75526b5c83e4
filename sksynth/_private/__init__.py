"""Private fits: what is public of a table, what is released of it before training, and how the budget is spent."""

from ._clusters import cluster_privately
from ._lines import Lines, fit_to_alphabet
from ._plan import DELTA, PrivatePlan, check_budget, plan_training, statement_of, warn_of_epsilon
from ._release import release
from ._schema import cell_by_cell, check_typed, readable

__all__ = [
    "DELTA",
    "Lines",
    "PrivatePlan",
    "cell_by_cell",
    "check_budget",
    "check_typed",
    "cluster_privately",
    "fit_to_alphabet",
    "plan_training",
    "readable",
    "release",
    "statement_of",
    "warn_of_epsilon",
]
