#!/usr/bin/env python3
"""Compare rows that are sampled given a frame of cells with real rows, and with rows given a dict or nothing.

given_rows.py TRAIN.csv HOLDOUT.csv [--rows N] [--set NAME=VALUE ...] [--each N ...]

For conditions of one value on the table: `distance` is the mean total variation (of categories) or Kolmogorov-Smirnov distance
(of numbers) between sampled and real rows that meet the condition, given as a dict and as a frame that repeats it. For a made
series of weather, whose rows have the values of the hour before as well: the standard deviation of the step of pressure and of
temperature, in real rows, in rows without conditions, and given the hour before. Both for so many rows begun for each
(`--each`; 1: none is chosen from).
"""

import time

import numpy as np
import pandas as pd
from conditions import distances, that_meet
from measuring import parse_tables, whole

from sksynth import BatchLSTMSynthesizer
from sksynth.core import _resampling

CONDITIONS = [
    {"sex": "Female"},
    {"income": ">50K"},
    {"education": "Masters"},
    {"occupation": "Exec-managerial", "sex": "Female"},
    {"education": "HS-grad", "marital-status": "Married-civ-spouse", "income": ">50K"},
    {"relationship": "Not-in-family", "sex": "Male"},
]


def weather(n_rows, rng):
    """Return a table of hours, with the values of the hour before."""
    shocks, table = rng.normal(size=(n_rows, 3)), np.zeros((n_rows, 2))
    for hour in range(1, n_rows):
        table[hour] = table[hour - 1] * [0.997, 0.95] + shocks[hour, :2] * [0.077, 0.31]
    frame = pd.DataFrame(table, columns=["pressure", "temp"])
    frame["wind"] = frame["temp"].abs() + 0.3 * shocks[:, 2]
    before = frame.shift(1).add_suffix("_before")
    return pd.concat([frame, before], axis=1).iloc[1:].round(3).reset_index(drop=True)


def steps(rows):
    """Return the standard deviation of steps."""
    return {f"step of {name}": (rows[name] - rows[f"{name}_before"]).std() for name in ("pressure", "temp")}


def timed(model, **how):
    """Return sampled rows, and rows per second."""
    started = time.perf_counter()
    rows = model.sample(random_state=1, **how)
    return rows, len(rows) / (time.perf_counter() - started)


def of_weather(n_rows, set_, each):
    """Print the steps of the made series."""
    table = weather(n_rows, np.random.default_rng(0))
    model = BatchLSTMSynthesizer(random_state=0).set_params(**set_).fit(table)
    lines = {"real": steps(table), "no condition": steps(model.sample(len(table), random_state=1))}
    before = table[[name for name in table if name.endswith("_before")]]
    before = before.clip(*([getattr(model.schema_[name], end) for name in before] for end in ("low", "high")), axis=1)
    for _resampling.MOST_EACH in each:
        rows, rate = timed(model, given=before)
        lines[f"frame, of {_resampling.MOST_EACH}"] = steps(rows) | {"rows/s": rate}
    print(pd.DataFrame(lines).T.round(3).to_string(), flush=True)


def main():
    """Measure both tables."""
    a = parse_tables(__doc__, rows=whole(4_000), train_rows=whole(0), each={"type": int, "nargs": "+", "default": [1, 16]})
    of_weather(3_000, dict(a.set), a.each)
    train, holdout = (pd.read_csv(path, na_values="?") for path in (a.train, a.holdout))
    train, lines = train.iloc[: a.train_rows or None], []
    real = pd.concat([train, holdout], ignore_index=True)
    for seed in range(a.seeds):
        model = BatchLSTMSynthesizer(random_state=seed).set_params(**dict(a.set)).fit(train)
        for condition in CONDITIONS:
            rows, others = that_meet(real, condition), [column for column in real if column not in condition]
            sample, rate = timed(model, n_samples=a.rows, given=condition)
            line = {"condition": str(condition), "dict": distances(rows, sample, others).mean(), "dict, rows/s": rate}
            for _resampling.MOST_EACH in a.each:
                sample, rate = timed(model, given=pd.DataFrame([condition] * a.rows))
                name = f"frame, of {_resampling.MOST_EACH}"
                line |= {name: distances(rows, sample, others).mean(), f"{name}, rows/s": rate}
            lines.append(line)
            print(pd.DataFrame([line]).round(4).to_string(), flush=True)
    means = pd.DataFrame(lines).groupby("condition", sort=False).mean()
    print(pd.concat([means, means.mean().to_frame("mean").T]).round(4).to_string())


if __name__ == "__main__":
    main()
