#!/usr/bin/env python3
"""What a row and a column cost, measured, and from that what a table of any size costs on a cluster, simulated.

scaling.py [--out scaling.json] [--table TABLE.csv] [--rows 400000] [--columns 20] [--epochs 1]
           [--target-rows 1000000000] [--target-columns 1000] [--workers 1 10 50 200]

The costs are those of one batch of --columns columns (those of the table, repeated under new names), from a Parquet file, with
the network of large tables (128 units), in a process of its own. The simulation is of batches of that many columns and four of
context, each of which one worker, a machine like this one, reads and trains; the others wait in a line, the longest first.
Machines differ in speed by a tenth (standard deviation) and fail after 30 days on average; then the batch goes on elsewhere
from its last epoch, after five minutes. Sampling is divided evenly. Every line is the median of 200 simulations, of seeds 0 to
199.
"""

import heapq
import json
import math
import tempfile
from pathlib import Path

import numpy as np
from growth import widened
from measuring import about, fresh, load, parse, peak_mb, resampled, seconds, whole

CONTEXT = 4  # columns of other batches that a batch reads
DAYS = 86_400.0
FAILURE_DAYS, AGAIN_SECONDS, SPREAD = 30.0, 300.0, 0.1
SIMULATIONS = 200


def measure(n_rows, n_columns, csv):
    """Measure what one batch costs, in this process."""
    import sksynth.core  # noqa: F401  TensorFlow is loaded before the clock starts
    from sksynth import BatchLSTMSynthesizer, ColumnClusterer, LSTMTextModel
    from sksynth._sources import opened_table, token_ids
    from sksynth._survey import Survey
    from sksynth.tokenizers import TableTokenizer

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.parquet"
        widened(resampled(load(csv), n_rows), n_columns).to_parquet(path, index=False)
        with opened_table(path) as source:
            survey_s, survey = seconds(lambda: Survey(source, None, 5, np.random.SeedSequence(0)))
            tokenizer = TableTokenizer().fit_sample(survey.sample, survey.schema(), source.chunks)
            encode_s, ids = seconds(lambda: token_ids(tokenizer, source.select(source.columns)))
            ids_bytes, n_tokens = ids.nbytes, ids.shape[1]
            del ids
        text_model = LSTMTextModel(rnn_units=128, epochs=1)
        model = BatchLSTMSynthesizer(ColumnClusterer(max_columns=n_columns), text_model, random_state=0)
        fit_s, _ = seconds(lambda: model.fit(path))
        train_s = float(model.history_["seconds"].sum())
        sample_s, _ = seconds(lambda: model.sample(50_000, random_state=0))
    return {
        "rows": n_rows,
        "columns": n_columns,
        "tokens_per_column": n_tokens / n_columns,
        "survey_us_per_cell": survey_s / n_rows / n_columns * 1e6,
        "encode_us_per_cell": encode_s / n_rows / n_columns * 1e6,
        "train_us_per_token": train_s / n_rows / n_tokens * 1e6,
        "sample_us_per_token": sample_s / 50_000 / n_tokens * 1e6,
        "bytes_per_token": ids_bytes / n_rows / n_tokens,
        "start_s": fit_s - survey_s - encode_s - train_s,
        "parameters": sum(fitted.n_parameters_ for fitted in model.models_),
        "peak_mb": peak_mb(),
    }


def batches(costs, n_rows, n_columns, epochs):
    """Return the seconds that every batch takes to be read, and for each of its epochs."""
    sizes = [min(costs["columns"], n_columns - start) for start in range(0, n_columns, costs["columns"])]
    read = [(size + CONTEXT) * n_rows * costs["encode_us_per_cell"] / 1e6 + costs["start_s"] for size in sizes]
    tokens = [(size + CONTEXT) * costs["tokens_per_column"] for size in sizes]
    return [
        (begin, epochs * [own * n_rows * costs["train_us_per_token"] / 1e6]) for begin, own in zip(read, tokens, strict=True)
    ]


def simulate(work, n_workers, seed):
    """Return the seconds until all batches are trained, and how many machines failed until then."""
    rng = np.random.default_rng(seed)
    line = sorted(((begin, list(epochs)) for begin, epochs in work), key=lambda batch: -batch[0] - sum(batch[1]))
    free, end, n_failed = [0.0] * n_workers, 0.0, 0
    while line:
        begin, epochs = line.pop(0)
        now = heapq.heappop(free)
        fails, speed = now + rng.exponential(FAILURE_DAYS * DAYS), max(rng.normal(1.0, SPREAD), 0.5)
        now += begin / speed
        while epochs and now < fails and now + epochs[0] / speed < fails:
            now += epochs.pop(0) / speed
        if epochs:
            n_failed, now = n_failed + 1, fails + AGAIN_SECONDS
            line.insert(0, (begin, epochs))
        else:
            end = max(end, now)
        heapq.heappush(free, now)
    return end, n_failed


def plan(costs, n_rows, n_columns, epochs, n_workers):
    """Return what so many machines do with a table."""
    work = batches(costs, n_rows, n_columns, epochs)
    runs = [simulate(work, n_workers, seed) for seed in range(SIMULATIONS)]
    ends = [end for end, _ in runs]
    tokens = n_columns * costs["tokens_per_column"] + CONTEXT * len(work) * costs["tokens_per_column"]
    return {
        "workers": n_workers,
        "batches": len(work),
        "survey_h": n_rows * n_columns * costs["survey_us_per_cell"] / 3.6e9,
        "fit_h": float(np.median(ends)) / 3600,
        "fit_h_95": float(np.quantile(ends, 0.95)) / 3600,
        "failures": float(np.mean([failed for _, failed in runs])),
        "machine_hours": sum(begin + sum(own) for begin, own in work) / 3600,
        "sample_h": n_rows * tokens * costs["sample_us_per_token"] / 3.6e9 / n_workers,
        "ids_gb": n_rows * tokens * costs["bytes_per_token"] / 1e9,
        "numbers_gb_per_batch": n_rows * (4 if n_rows < 2**31 else 8) * 2 / 1e9,
    }


def main():
    options = parse(
        __doc__, "scaling.json", measure,
        rows=whole(400_000), columns=whole(20), epochs=whole(1), target_rows=whole(10**9), target_columns=whole(1000),
        workers=whole([1, 10, 50, 200], nargs="+"),
    )  # fmt: skip
    costs = fresh(__file__, {"n_rows": options.rows, "n_columns": options.columns, "csv": options.table})
    print(json.dumps({name: float(f"{value:.4g}") for name, value in costs.items()}), flush=True)
    plans = [plan(costs, options.target_rows, options.target_columns, options.epochs, n) for n in options.workers]
    for found in plans:
        print(json.dumps({name: float(f"{value:.4g}") for name, value in found.items()}))
    assert all(math.isfinite(found["fit_h"]) for found in plans)
    Path(options.out).write_text(json.dumps({"about": about(options.table), "costs": costs, "plans": plans}))


if __name__ == "__main__":
    main()
