#!/usr/bin/env python3
"""Fit and sample gretel-synthetics 0.22.17 (DataFrameBatch, TensorFlow LSTM) on a table; one JSON line.

run_gretel.py TRAIN.csv OUT.csv [--fit-rows N] [--epochs E] [--rows N] [--batch-size COLUMNS]
"""

import argparse
import json
import logging
import os
import tempfile
import time

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import pandas as pd
from gretel_synthetics.batch import DataFrameBatch
from gretel_synthetics.config import TensorFlowConfig

logging.disable(logging.INFO)
p = argparse.ArgumentParser()
p.add_argument("train")
p.add_argument("out")
p.add_argument("--fit-rows", type=int, default=5000)
p.add_argument("--epochs", type=int, default=5)
p.add_argument("--rows", type=int, default=200)
p.add_argument("--batch-size", type=int, default=15)
a = p.parse_args()
df = pd.read_csv(a.train).head(a.fit_rows)
config = TensorFlowConfig(
    field_delimiter=",",
    checkpoint_dir=tempfile.mkdtemp(),
    input_data_path="unused",
    overwrite=True,
    epochs=a.epochs,
    early_stopping=False,
    gen_lines=a.rows,
)
start = time.perf_counter()
batch = DataFrameBatch(df=df, config=config.as_dict(), batch_size=a.batch_size)
batch.create_training_data()
batch.train_all_batches()
fit = time.perf_counter() - start
start = time.perf_counter()
batch.generate_all_batch_lines(num_lines=a.rows, max_invalid=50 * a.rows, parallelism=1)
sample = time.perf_counter() - start
invalid = sum(len(b.gen_data_invalid) for b in batch.batches.values())
batch.batches_to_df().to_csv(a.out, index=False)
result = {
    "peer": "gretel-synthetics 0.22.17",
    "fit_s": round(fit, 1),
    "fit_rows": len(df),
    "epochs": a.epochs,
    "sample_s": round(sample, 1),
    "rows_per_s": round(a.rows / sample, 1),
    "invalid_lines": invalid,
}
print(json.dumps(result))
