"""Private fits: what is public of a table, what is released of it before training, and how the budget is spent."""

from ._cells import cell_by_cell, readable
from ._clusters import cluster_privately
from ._files import in_public_dtypes
from ._lines import Lines, fit_to_alphabet, readable_lines
from ._plan import DELTA, PrivatePlan, check_budget, plan_training, statement_of, warn_of_epsilon
from ._release import release

__all__ = [
    "DELTA",
    "Lines",
    "PrivatePlan",
    "cell_by_cell",
    "check_budget",
    "cluster_privately",
    "fit_to_alphabet",
    "in_public_dtypes",
    "plan_training",
    "readable",
    "readable_lines",
    "release",
    "statement_of",
    "warn_of_epsilon",
]
