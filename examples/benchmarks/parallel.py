#!/usr/bin/env python3
"""Time to fit four batches of columns one after another, and two at a time in processes or in threads.

parallel.py [--out parallel.json] [--table TABLE.csv] [--rows 20000] [--epochs 60] [--repeats 3]

Every fit runs in a process of its own, the ways in turn; the start of workers is counted, loading TensorFlow in the first
process is not. All epochs are run (no early stopping), all else is the default. Choose epochs such that each batch trains for
20 s or more. The samples of all ways should be the same; their hashes tell.
"""

import hashlib
import json
import statistics
from contextlib import nullcontext

from measuring import about, fresh, load, parse, resampled, seconds, whole

WAYS = {"one by one": [1, None], "two processes": [2, "loky"], "two threads": [2, "threading"]}
LEAST = 20  # seconds that a batch should train


def measure(n_rows, epochs, n_jobs, backend, csv):
    """Fit once, in this process and its workers."""
    import joblib
    import pandas as pd

    import sksynth.core  # noqa: F401  TensorFlow is loaded before the clock starts
    from sksynth import BatchLSTMSynthesizer, ColumnClusterer, LSTMTextModel

    table = resampled(load(csv), n_rows)
    clusterer = ColumnClusterer(batches=[list(table.columns[batch::4]) for batch in range(4)])
    text_model = LSTMTextModel(epochs=epochs, early_stopping=False)
    model = BatchLSTMSynthesizer(clusterer, text_model, n_jobs=n_jobs, random_state=0)
    with joblib.parallel_config(backend=backend) if backend else nullcontext():
        fit_s, _ = seconds(lambda: model.fit(table))
    cells = pd.util.hash_pandas_object(model.sample(1000, random_state=0), index=False).to_numpy()
    return {
        "fit_s": fit_s,
        "batch_s": model.history_.groupby("batch")["seconds"].sum().tolist(),
        "positions": [model.tokenizer_.grammar_.n_positions for model in model.models_],
        "sample": hashlib.sha256(cells.tobytes()).hexdigest(),
    }


def main():
    options = parse(__doc__, "parallel.json", measure, rows=whole(20_000), epochs=whole(60), repeats=whole(3))
    fits = {way: [] for way in WAYS}
    for _ in range(options.repeats):
        for way, (n_jobs, backend) in WAYS.items():
            point = {"n_rows": options.rows, "epochs": options.epochs, "n_jobs": n_jobs, "backend": backend}
            fits[way].append(fresh(__file__, point | {"csv": options.table}))
            print(way, json.dumps(fits[way][-1]), flush=True)
    medians = {way: statistics.median(fit["fit_s"] for fit in done) for way, done in fits.items()}
    identical = len({fit["sample"] for done in fits.values() for fit in done}) == 1
    shortest = min(second for fit in fits["one by one"] for second in fit["batch_s"])
    for way, median in medians.items():
        print(f"{way:<14} {median:8.1f} s   {medians['one by one'] / median:5.2f} times as fast as one by one")
    print("samples are", "identical" if identical else "NOT identical")
    if shortest < LEAST:
        print(f"the shortest batch trained {shortest:.1f} s, less than {LEAST} s: raise --epochs or --rows")
    result = {"about": about(options.table), "rows": options.rows, "epochs": options.epochs, "median_s": medians}
    with open(options.out, "w") as file:
        json.dump(result | {"identical": identical, "shortest_batch_s": shortest, "fits": fits}, file)


if __name__ == "__main__":
    main()
