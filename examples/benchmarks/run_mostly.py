#!/usr/bin/env python3
"""Fit and sample mostlyai-engine on a table; one JSON line with seconds and rows per second.

run_mostly.py TRAIN.csv OUT.csv [--model tabular|lstm] [--minutes M] [--rows N] [--seed S] [--epsilon E]
"""

import argparse
import json
import time

import pandas as pd
from mostlyai.engine import LanguageModel, TabularARGN

p = argparse.ArgumentParser()
p.add_argument("train")
p.add_argument("out")
p.add_argument("--model", default="tabular", choices=["tabular", "lstm"])
p.add_argument("--minutes", type=float, default=60)
p.add_argument("--rows", type=int)
p.add_argument("--seed", type=int, default=0)
p.add_argument("--epsilon", type=float)
a = p.parse_args()
df = pd.read_csv(a.train)
kw = {"max_training_time": a.minutes, "verbose": 0, "random_state": a.seed}
if a.epsilon:
    from mostlyai.engine.domain import DifferentialPrivacyConfig

    kw["differential_privacy"] = DifferentialPrivacyConfig(
        max_epsilon=a.epsilon, delta=1e-5, noise_multiplier=1.0, max_grad_norm=1.0, value_protection_epsilon=a.epsilon / 6
    )
model = TabularARGN(**kw) if a.model == "tabular" else LanguageModel(model="MOSTLY_AI/LSTMFromScratch-3m", **kw)
start = time.perf_counter()
model.fit(df)
fit = time.perf_counter() - start
n = a.rows or len(df)
start = time.perf_counter()
out = model.sample(n_samples=n)
sample = time.perf_counter() - start
out.to_csv(a.out, index=False)
result = {
    "peer": f"mostlyai {a.model}",
    "fit_s": round(fit, 1),
    "sample_s": round(sample, 2),
    "rows_per_s": round(n / sample, 1),
}
print(json.dumps(result))
