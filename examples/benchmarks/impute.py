#!/usr/bin/env python3
"""Fill cells that were removed at random, by sksynth, by scikit-learn's IterativeImputer and by each column's mode or mean.

impute.py TRAIN.csv HOLDOUT.csv [--seeds N] [--share 0.2] [--n-draws N] [--set NAME=VALUE ...]

All are fitted on the training table; a share of the cells of the holdout is removed and filled. In both a missing category is
first called "none" and a missing number 0, so that every cell has a truth. IterativeImputer (`iterative`) gets categories as
numbers, which it rounds, and the bounds of the columns; `usual` takes means and modes; `mixed` takes numbers from the one and
categories from the other.
rmse: of the filled numbers, in standard deviations of the column, mean over the columns; wrong: share of the filled categories
that are wrong, mean over the columns (for sksynth of the mean, or the most frequent, of N draws, and of a single one).
c2st: AUC of a classifier that tells completed holdout rows (of sksynth: a single draw) from training rows.
"""

import time
import warnings

import numpy as np
import pandas as pd
from measuring import parse_tables, whole
from pandas.api.types import is_numeric_dtype
from score import c2st
from sklearn.exceptions import ConvergenceWarning
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, SimpleImputer
from sklearn.preprocessing import OrdinalEncoder

import sksynth.core  # noqa: F401
from sksynth import BatchLSTMSynthesizer

warnings.simplefilter("ignore", ConvergenceWarning)


def read(path):
    """Return a table without missing cells."""
    table = pd.read_csv(path)
    return table.fillna({name: 0 if is_numeric_dtype(table[name]) else "none" for name in table})


class Peers:
    """The imputers of scikit-learn, of numbers and categories."""

    def __init__(self, train, seed):
        self.numbers = [name for name in train if is_numeric_dtype(train[name])]
        self.categories = [name for name in train if name not in self.numbers]
        self.codes = OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1).fit(train[self.categories])
        coded = self._coded(train)  # within whose bounds it stays: beyond, it diverges on some tables
        self.iterative = IterativeImputer(random_state=seed, min_value=coded.min(), max_value=coded.max()).fit(coded)
        self.mean = SimpleImputer().fit(train[self.numbers])
        self.mode = SimpleImputer(strategy="most_frequent").fit(train[self.categories])

    def _coded(self, table):
        coded = pd.DataFrame(self.codes.transform(table[self.categories]), columns=self.categories, index=table.index)
        return pd.concat([table[self.numbers].astype(float), coded.where(table[self.categories].notna())], axis=1)

    def fill(self, table):
        """Return the table filled in three ways."""
        coded = pd.DataFrame(self.iterative.transform(self._coded(table)), columns=self.numbers + self.categories)
        last = np.array([len(names) - 1 for names in self.codes.categories_])
        rounded = np.clip(np.rint(coded[self.categories].to_numpy()), 0, last)
        by_iteration = [coded[self.numbers], self._named(self.codes.inverse_transform(rounded))]
        by_column = [self._named(self.mean.transform(table[self.numbers]), self.numbers)]
        by_column.append(self._named(self.mode.transform(table[self.categories])))
        found = {"iterative": by_iteration, "usual": by_column, "mixed": [by_iteration[0], by_column[1]]}
        whole = {name: pd.concat(parts, axis=1)[list(table)].set_axis(table.index) for name, parts in found.items()}
        return {name: other.where(table.isna(), table) for name, other in whole.items()}

    def _named(self, values, names=None):
        return pd.DataFrame(values, columns=self.categories if names is None else names)


def averaged(tables, removed):
    """Return the mean of the numbers and the most frequent category of several tables."""
    columns = {}
    for name in tables[0]:
        draws = pd.concat([table[name].reset_index(drop=True) for table in tables], axis=1)
        columns[name] = draws.mean(axis=1) if is_numeric_dtype(tables[0][name]) else draws.mode(axis=1)[0]
    return pd.DataFrame(columns).set_axis(removed.index)


def errors(truth, filled, removed, scale):
    """Return the mean error of the filled numbers and of the filled categories."""
    rmse, wrong = [], []
    for name in truth:
        cells = removed[name].to_numpy()
        if is_numeric_dtype(truth[name]):
            rmse.append(np.sqrt(np.mean((truth[name] - filled[name].astype(float))[cells] ** 2)) / (scale[name] or 1.0))
        else:
            wrong.append(np.mean(truth[name].astype(str)[cells] != filled[name].astype(str)[cells]))
    return {"rmse": float(np.nanmean(rmse)), "wrong": float(np.nanmean(wrong))}


def main():
    """Measure every seed, and print the means."""
    a = parse_tables(__doc__, share={"type": float, "default": 0.2}, n_draws=whole(20))
    train, holdout = read(a.train), read(a.holdout)
    scale = {name: train[name].std() for name in train if is_numeric_dtype(train[name])}
    lines = []
    for seed in range(a.seeds):
        removed = pd.DataFrame(np.random.default_rng(seed).random(holdout.shape) < a.share, holdout.index, holdout.columns)
        table = holdout.astype(dict.fromkeys(scale, float)).mask(removed)
        model = BatchLSTMSynthesizer(random_state=seed).set_params(**dict(a.set)).fit(train)
        started = time.perf_counter()
        draws = model.impute(table, n_draws=a.n_draws, random_state=seed)
        seconds = (time.perf_counter() - started) / a.n_draws
        filled = {"sksynth": averaged(draws, removed), "sksynth, one draw": draws[0], **Peers(train, seed).fill(table)}
        for name, other in filled.items():
            line = {"way": name, "seed": seed, **errors(holdout, other, removed, scale)}
            if name != "sksynth":
                line["c2st"] = c2st(train, other, train, len(holdout))
            lines.append(line | ({"seconds": seconds} if name == "sksynth, one draw" else {}))
        lines.append({"way": "real rows", "seed": seed, "c2st": c2st(train, holdout, train, len(holdout))})
        print(pd.DataFrame(lines[-6:]).round(4).to_string(), flush=True)
    print(pd.DataFrame(lines).drop(columns="seed").groupby("way", sort=False).mean().round(4).to_string())


if __name__ == "__main__":
    main()
