#!/usr/bin/env python3
"""Score a synthetic table against the real one: one JSON line, the same yardstick for every synthesizer.

    score.py TRAIN.csv HOLDOUT.csv SYNTHETIC.csv [--target COLUMN] [--sample N]

quality, shapes, pairs   SDMetrics QualityReport of the synthetic table against the *holdout*, 0..1
quality_real             the same for the real training table: the ceiling that sampling noise leaves
c2st                     AUC of a gradient-boosted classifier telling holdout rows from synthetic rows; 0.5 is perfect
c2st_real                the same for real training rows: the floor
tstr, trtr               holdout score (ROC AUC, or R^2 for a numeric target) of gradient boosting trained on the
                         synthetic / on the real training table
copies                   share of synthetic rows that equal a training row; copies_real: of holdout rows
dcr_share                share of synthetic rows whose nearest real row is a training row rather than a holdout row,
                         from equally large samples of both; 0.5 is no memorisation
valid                    share of synthetic rows whose every value lies in the training table's domain
                         (category seen in training; number within range; anything where half of the values are unique)

Needs: sdmetrics, scikit-learn, pandas (see peers.sh, environment "score").
"""

import argparse
import json
import os
import warnings

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # beside other work, threads that wait by spinning hold each other up

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import r2_score, roc_auc_score
from sklearn.model_selection import cross_val_predict
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import OneHotEncoder, QuantileTransformer

warnings.filterwarnings("ignore")


def is_unique(column):
    """Ids and free text: more than half of the values occur once."""
    return not is_numeric_dtype(column) and column.nunique() > 0.5 * len(column)


def dates_to_numbers(train, *others):
    """Columns of ISO dates become days since 1970, so that they are compared as quantities."""
    frames = [f.copy() for f in (train, *others)]
    for name in train:
        values = train[name].dropna()
        if is_numeric_dtype(values) or not values.astype(str).str.fullmatch(r"\d{4}-\d{2}-\d{2}").all():
            continue
        for f in frames:
            stamp = pd.to_datetime(f[name].astype(str).str[:10], format="%Y-%m-%d", errors="coerce")
            f[name] = (stamp - pd.Timestamp(0)) / pd.Timedelta(1, "D")
    return frames


def metadata(real):
    def sdtype(column):
        if is_unique(column):
            return "id"
        numeric = is_numeric_dtype(column) and column.nunique() > 12
        return "numerical" if numeric else "categorical"

    return {"columns": {name: {"sdtype": sdtype(real[name])} for name in real}}


def quality(real, synthetic, meta):
    from sdmetrics.reports.single_table import QualityReport

    report = QualityReport()
    report.generate(real, synthetic, meta, verbose=False)
    shapes, pairs = report.get_properties().Score
    return report.get_score(), shapes, pairs


def as_features(frame, reference):
    """Numbers stay numbers; a category becomes the rank of its value among the 50 commonest; ids and text their length."""
    out = {}
    for name in reference:
        if is_numeric_dtype(reference[name]):
            out[name] = pd.to_numeric(frame[name], errors="coerce").astype(float)
        elif is_unique(reference[name]):
            out[name] = frame[name].astype(str).str.len().where(frame[name].notna()).astype(float)
        else:
            common = reference[name].astype(str).value_counts().index[:50]
            rank = {v: i for i, v in enumerate(sorted(common))}
            out[name] = frame[name].astype(str).map(rank).fillna(-1.0).where(frame[name].notna()).astype(float)
    return pd.DataFrame(out)


def c2st(real, synthetic, reference, n):
    n = min(n, len(real), len(synthetic))
    both = pd.concat([real.sample(n, random_state=0), synthetic.sample(n, random_state=1)])
    label = np.repeat([0, 1], n)
    model = HistGradientBoostingClassifier(random_state=0)
    p = cross_val_predict(model, as_features(both, reference).values, label, cv=3, method="predict_proba")
    return roc_auc_score(label, p[:, 1])


def utility(train, holdout, target, reference):
    x, xt = (as_features(f.drop(columns=target), reference.drop(columns=target)).values for f in (train, holdout))
    if is_numeric_dtype(reference[target]) and reference[target].nunique() > 12:
        y = pd.to_numeric(train[target], errors="coerce")
        keep = y.notna().values
        model = HistGradientBoostingRegressor(random_state=0).fit(x[keep], y[keep])
        return r2_score(holdout[target], model.predict(xt))
    y, yt = train[target].astype(str), holdout[target].astype(str)
    if y.nunique() < 2:
        return float("nan")
    model = HistGradientBoostingClassifier(random_state=0).fit(x, y)
    p = pd.DataFrame(model.predict_proba(xt), columns=model.classes_)
    classes = sorted(yt.unique())
    p = p.reindex(columns=classes, fill_value=0.0) + 1e-12
    p = p.div(p.sum(axis=1), axis=0)
    if len(classes) == 2:
        return roc_auc_score(yt == classes[1], p[classes[1]])
    return roc_auc_score(yt, p.values, multi_class="ovr", labels=classes)


def dcr_share(train, holdout, synthetic, reference, n):
    n = min(n, len(train), len(holdout), len(synthetic))
    parts = [f.sample(n, random_state=0) for f in (train, holdout, synthetic)]
    numeric = [c for c in reference if is_numeric_dtype(reference[c])]
    other = [c for c in reference if c not in numeric and not is_unique(reference[c])]
    space = ColumnTransformer(
        [
            ("num", QuantileTransformer(n_quantiles=200, random_state=0), numeric),
            ("cat", OneHotEncoder(handle_unknown="ignore", max_categories=50, sparse_output=False), other),
        ]
    )

    def prepare(f):
        f = f.copy()
        f[numeric] = f[numeric].apply(pd.to_numeric, errors="coerce").astype(float)
        f[numeric] = f[numeric].fillna(reference[numeric].median())
        f[other] = f[other].astype(str)
        return f

    t, h, s = map(prepare, parts)
    space.fit(pd.concat([t, h]))
    t, h, s = (space.transform(f) for f in (t, h, s))
    near = [NearestNeighbors(n_neighbors=1).fit(a).kneighbors(s)[0][:, 0] for a in (t, h)]
    return float(np.mean(near[0] < near[1]) + 0.5 * np.mean(near[0] == near[1]))


def valid_share(train, synthetic):
    ok = np.ones(len(synthetic), bool)
    for name in train:
        s, r = synthetic[name], train[name]
        null_ok = s.isna() & bool(r.isna().any())
        if is_numeric_dtype(r):
            v = pd.to_numeric(s, errors="coerce")
            good = v.between(r.min(), r.max())
            if (r.dropna() % 1 == 0).all():
                good &= v % 1 == 0
        elif r.nunique() > 0.5 * len(r):
            good = s.notna()
        else:
            good = s.isin(set(r.dropna()))
        ok &= (good | null_ok).values
    return float(ok.mean())


def rows(frame):
    return list(map(tuple, frame.astype(str).values))


def score(train, holdout, synthetic, target=None, n=6000):
    synthetic = synthetic[list(train.columns)]
    valid = valid_share(train, synthetic)
    train, holdout, synthetic = dates_to_numbers(train, holdout, synthetic)
    meta = metadata(train)
    q, shapes, pairs = quality(holdout, synthetic, meta)
    known = set(rows(train))
    out = {
        "quality": q,
        "shapes": shapes,
        "pairs": pairs,
        "quality_real": quality(holdout, train, meta)[0],
        "c2st": c2st(holdout, synthetic, train, n),
        "c2st_real": c2st(holdout, train, train, n),
        "copies": np.mean([r in known for r in rows(synthetic)]),
        "copies_real": np.mean([r in known for r in rows(holdout)]),
        "dcr_share": dcr_share(train, holdout, synthetic, train, n),
        "valid": valid,
        "n": len(synthetic),
    }
    if target:
        out["tstr"] = utility(synthetic, holdout, target, train)
        out["trtr"] = utility(train, holdout, target, train)
    return {k: round(float(v), 4) for k, v in out.items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("train")
    parser.add_argument("holdout")
    parser.add_argument("synthetic")
    parser.add_argument("--target")
    parser.add_argument("--sample", type=int, default=6000)
    a = parser.parse_args()
    print(json.dumps(score(*(pd.read_csv(p) for p in (a.train, a.holdout, a.synthetic)), a.target, a.sample)))
