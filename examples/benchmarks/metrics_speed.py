#!/usr/bin/env python3
"""Time every metric of `sksynth.evaluation` on two made tables of 50,000 rows and 50 columns, half of them numbers.

metrics_speed.py
"""

import time

import numpy as np
import pandas as pd

from sksynth import evaluation

N_ROWS, N_HOLDOUT, N_OF_A_KIND = 50_000, 10_000, 25


def made(n_rows, rng):
    """Return a table of independent columns."""
    numbers = {f"number {index}": rng.normal(size=n_rows).round(3) for index in range(N_OF_A_KIND)}
    return pd.DataFrame(
        numbers | {f"category {index}": rng.choice(list("abcdefghij"), n_rows) for index in range(N_OF_A_KIND)}
    )


def main():
    """Print the seconds of each."""
    rng = np.random.default_rng(0)
    real, synthetic, holdout = (made(n_rows, rng) for n_rows in (N_ROWS, N_ROWS, N_HOLDOUT))
    two = ("column_shapes", "pair_trends", "quality", "coverage", "missing_values", "dtype_changes", "valid_share")
    tables = dict.fromkeys((*two, "copied_rows", "nearest_neighbour_ratio", "c2st"), (real, synthetic))
    tables |= dict.fromkeys(("dcr_share", "membership_inference"), (real, synthetic, holdout))
    tables["utility"] = (synthetic, real, "category 0")
    seconds = {}
    for name, given in tables.items():
        started = time.perf_counter()
        getattr(evaluation, name)(*given)
        seconds[name] = time.perf_counter() - started
    print(pd.Series(seconds | {"all": sum(seconds.values())}).round(1).to_string())


if __name__ == "__main__":
    main()
