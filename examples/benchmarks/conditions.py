#!/usr/bin/env python3
"""Compare rows that are sampled under a condition with the real rows that meet it, for twenty conditions on Adult.

conditions.py TRAIN.csv HOLDOUT.csv [--seeds N] [--rows N] [--set NAME=VALUE ...]

Of every other column the total variation (of categories) or the Kolmogorov-Smirnov distance (of numbers) between the sample
and the real rows of both files; `above` is by how much it exceeds the mean distance of bootstrap resamples of these
rows: its mean over the columns, and the largest. `rate` is rows per second over those of sampling without a condition.
"""

import time

import numpy as np
import pandas as pd
from measuring import parse_tables, whole
from scipy.stats import ks_2samp

import sksynth.core  # noqa: F401
from sksynth import BatchLSTMSynthesizer
from sksynth.fields import Interval

FEWEST, RESAMPLES = 300, 20
CONDITIONS = [
    {"sex": "Female"},
    {"income": ">50K"},
    {"workclass": None},
    {"age": Interval(None, 25)},
    {"capital-gain": Interval(1, None)},
    {"fnlwgt": Interval(100_000, 150_000)},
    {"native-country": ["Mexico", "Philippines", "India", "China", "Cuba"]},
    {"education": ["Masters", "Doctorate", "Prof-school"]},
    {"hours-per-week": [20, 25, 30]},
    {"occupation": "Exec-managerial", "sex": "Female"},
    {"age": Interval(30, 40), "income": ">50K"},
    {"hours-per-week": Interval(50, None), "education": ["Bachelors", "Masters"]},
    {"marital-status": ["Divorced", "Separated", "Widowed"], "age": Interval(None, 35)},
    {"workclass": [None, "Private"], "income": "<=50K"},
    {"capital-loss": Interval(1_000, 2_500), "relationship": "Husband"},
    {"race": "Black", "sex": "Female", "education-num": Interval(9, 10)},
    {"age": Interval(45, 60), "hours-per-week": Interval(40, 45), "income": ">50K"},
    {"workclass": ["Local-gov", "State-gov", "Federal-gov"], "occupation": "Prof-specialty", "income": "<=50K"},
    {"age": Interval(25, 50), "relationship": "Not-in-family", "sex": "Male", "hours-per-week": Interval(40, None)},
    {"education": "HS-grad", "marital-status": "Married-civ-spouse", "race": "White", "income": [">50K"]},
]


def meets(column, value):
    """Return which cells meet a condition."""
    if isinstance(value, list):
        return np.any([meets(column, one) for one in value], axis=0)
    if value is None:
        return column.isna().to_numpy()
    if isinstance(value, Interval):
        return np.array([cell in value for cell in column])
    return (column == value).to_numpy()


def that_meet(table, condition):
    """Return the rows that meet a condition."""
    return table[np.all([meets(table[column], value) for column, value in condition.items()], axis=0)]


def distances(real, other, columns):
    """Return the distance of every column."""
    found = {}
    for column in columns:
        if pd.api.types.is_numeric_dtype(real[column]):
            found[column] = ks_2samp(real[column].dropna(), other[column].dropna(), method="asymp").statistic
        else:
            shares = [part[column].value_counts(normalize=True, dropna=False) for part in (real, other)]
            found[column] = shares[0].sub(shares[1], fill_value=0.0).abs().sum() / 2
    return pd.Series(found)


def measured(model, real, condition, n_rows, seed, usual):
    """Return a line of figures for a condition."""
    started = time.perf_counter()
    sample = model.sample(n_rows, given=condition, random_state=seed)
    rate = n_rows / (time.perf_counter() - started) / usual
    rows, rng = that_meet(real, condition), np.random.default_rng(seed)
    line = {"condition": str(condition), "n_real": len(rows), "met": len(that_meet(sample, condition)) / n_rows, "rate": rate}
    if len(rows) < FEWEST:
        return line
    others = [column for column in real.columns if column not in condition]
    resampled = [rows.iloc[rng.integers(len(rows), size=len(rows))] for _ in range(RESAMPLES)]
    usual_distance = sum(distances(rows, other, others) for other in resampled) / RESAMPLES
    above = distances(rows, sample, others) - usual_distance
    return line | {"above": above.mean(), "most_above": above.max(), "column": above.idxmax()}


def main():
    """Measure all conditions for every seed, and print the means."""
    a = parse_tables(__doc__, rows=whole(10_000))
    train, holdout = (pd.read_csv(path, na_values="?") for path in (a.train, a.holdout))
    real, lines = pd.concat([train, holdout], ignore_index=True), []
    for seed in range(a.seeds):
        model = BatchLSTMSynthesizer(random_state=seed).set_params(**dict(a.set)).fit(train)
        model.sample(a.rows, random_state=seed)
        started = time.perf_counter()
        model.sample(a.rows, random_state=seed)
        usual = a.rows / (time.perf_counter() - started)
        lines += [measured(model, real, condition, a.rows, seed, usual) for condition in CONDITIONS]
    means = (
        pd.DataFrame(lines)
        .groupby("condition", sort=False)
        .agg(dict.fromkeys(["n_real", "met", "rate", "above", "most_above"], "mean") | {"column": "first"})
    )
    print(means.round(4).to_string())
    print(means[["met", "rate", "above", "most_above"]].agg(["mean", "min", "max"]).round(4).to_string())


if __name__ == "__main__":
    main()
