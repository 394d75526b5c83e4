#!/usr/bin/env python3
"""Log-loss of `conditional` on the holdout, beside that of gradient boosting, for every column of categories.

conditional.py TRAIN.csv HOLDOUT.csv [--seeds N] [--max-columns M] [--set NAME=VALUE ...]

The classifier is HistGradientBoostingClassifier of scikit-learn with early stopping, one fit per column; sksynth
is fitted once. Classes that the training table does not have, or gives to fewer than five rows, are left out of the holdout.
"""

import numpy as np
import pandas as pd
from measuring import parse_tables, whole
from pandas.api.types import is_numeric_dtype
from score import as_features
from sklearn.ensemble import HistGradientBoostingClassifier

import sksynth.core  # noqa: F401
from sksynth import BatchLSTMSynthesizer, ColumnClusterer


def log_loss(shares, truth):
    """Return the mean of minus the log of what each row's own class has."""
    own = shares.to_numpy()[np.arange(len(truth)), shares.columns.get_indexer(truth)]
    return float(-np.log(np.clip(own, 1e-9, None)).mean())


def boosted(train, holdout, column, seed):
    """Return the probabilities of every class by gradient boosting."""
    x, xt = (as_features(table.drop(columns=column), train.drop(columns=column)) for table in (train, holdout))
    model = HistGradientBoostingClassifier(random_state=seed, early_stopping=True).fit(x.to_numpy(), train[column])
    return pd.DataFrame(model.predict_proba(xt.to_numpy()), columns=model.classes_)


def main():
    """Measure every seed, and print the means."""
    a = parse_tables(__doc__, max_columns=whole(20))
    train, holdout, lines = pd.read_csv(a.train), pd.read_csv(a.holdout), []
    for seed in range(a.seeds):
        model = BatchLSTMSynthesizer(ColumnClusterer(a.max_columns), random_state=seed).set_params(**dict(a.set)).fit(train)
        for column in [name for name in train if not is_numeric_dtype(train[name])]:
            counts = train[column].value_counts()
            known = counts.index[counts >= 5]
            rows, own = holdout[holdout[column].isin(known)], train[train[column].isin(known)]
            ours = log_loss(model.conditional(rows, column), rows[column])
            theirs = log_loss(boosted(own, rows, column, seed), rows[column])
            base = log_loss(pd.DataFrame([counts[known] / counts[known].sum()] * len(rows)), rows[column])
            lines.append({"column": column, "sksynth": ours, "boosting": theirs, "shares alone": base})
    means = pd.DataFrame(lines).groupby("column", sort=False).mean()
    print(means.round(4).to_string(), means.mean().round(4).to_string(), sep="\n")


if __name__ == "__main__":
    main()
