#!/usr/bin/env python3
"""Fit and sample sksynth on a table; one JSON line with seconds, rows per second, and whether all is legal under `schema_`.

run_sksynth.py TRAIN.csv OUT.csv [--rows N] [--seed S] [--max-columns M] [--n-jobs J] [--schema FILE.json]
               [--set NAME=VALUE ...]

Everything not given is the default. --schema reads what `Schema.to_json` wrote, such as adult_schema.json. --set reaches any
parameter: --set text_model__rnn_units=192 text_model__epochs=12, or --set schema=private epsilon=3.0 delta=1e-5
"""

import argparse
import json
import time
from pathlib import Path

import pandas as pd
from legal import check
from measuring import parameter

import sksynth.core  # noqa: F401  TensorFlow is loaded before the clock starts, as the peers load theirs
from sksynth import BatchLSTMSynthesizer, ColumnClusterer, fields

p = argparse.ArgumentParser()
p.add_argument("train")
p.add_argument("out")
p.add_argument("--rows", type=int)
p.add_argument("--seed", type=int, default=0)
p.add_argument("--max-columns", type=int)
p.add_argument("--n-jobs", type=int)
p.add_argument("--schema")
p.add_argument("--set", type=parameter, nargs="+", default=[], metavar="NAME=VALUE")
a = p.parse_args()
df = pd.read_csv(a.train)
clusterer = None if a.max_columns is None else ColumnClusterer(max_columns=a.max_columns)
schema = None if a.schema is None else fields.Schema.from_json(Path(a.schema).read_text())
model = BatchLSTMSynthesizer(clusterer, schema=schema, n_jobs=a.n_jobs, random_state=a.seed).set_params(**dict(a.set))
start = time.perf_counter()
model.fit(df)
fit = time.perf_counter() - start
n = a.rows or len(df)
start = time.perf_counter()
out = model.sample(n, random_state=a.seed)
sample = time.perf_counter() - start
out.to_csv(a.out, index=False)
result = {"peer": "sksynth", "fit_s": round(fit, 1), "sample_s": round(sample, 2), "rows_per_s": round(n / sample, 1)}
print(json.dumps(result | check(df, out, model.schema_)))
