#!/usr/bin/env python3
"""Time to fit four batches of columns, and to sample, on a Dask cluster of one worker process and of two.

cluster.py [--out cluster.json] [--table TABLE.csv] [--rows 20000] [--epochs 20] [--fits 4] [--samples 400000]

Both clusters stand beside each other for the whole measurement, and take turns. Every worker has one thread, and a core for
itself alone while it works, as if it were a machine of its own. The first fit of each, in which workers import TensorFlow
and compile, is shown apart. All epochs are run (no early stopping), all else is the default. The samples of both should be the
same; their hashes tell.
"""

import hashlib
import json
import logging
import os
import statistics

from measuring import about, load, parse, resampled, seconds, whole


def pin(core):
    """Keep a worker to one core: its threads, and those that they will start."""
    for thread in os.listdir("/proc/self/task"):
        os.sched_setaffinity(int(thread), {core})


def start(n_workers):
    """Start a cluster whose workers have a core each, and return it with its client."""
    from dask.distributed import Client, LocalCluster

    cluster = LocalCluster(
        n_workers=n_workers, threads_per_worker=1, silence_logs=logging.ERROR, dashboard_address=":0", memory_limit=None
    )
    client = Client(cluster, set_as_default=False)
    client.wait_for_workers(n_workers)
    for core, worker in zip(sorted(os.sched_getaffinity(0)), client.scheduler_info()["workers"], strict=False):
        client.run(pin, core, workers=[worker])
    return cluster, client


def measure(client, model, table, n_samples):
    """Fit and sample once on the workers of a client."""
    import joblib
    import pandas as pd

    with joblib.parallel_config(backend="dask", client=client):
        fit_s, _ = seconds(lambda: model.fit(table))
        sample_s, sample = seconds(lambda: model.sample(n_samples, random_state=0))
    cells = pd.util.hash_pandas_object(sample, index=False).to_numpy()
    return {
        "fit_s": fit_s,
        "sample_s": sample_s,
        "batch_s": model.history_.groupby("batch")["seconds"].sum().tolist(),
        "sample": hashlib.sha256(cells.tobytes()).hexdigest(),
    }


def main():
    options = parse(
        __doc__, "cluster.json", rows=whole(20_000), epochs=whole(20), fits=whole(4), samples=whole(400_000)
    )  # fmt: skip
    from sksynth import BatchLSTMSynthesizer, ColumnClusterer, LSTMTextModel

    table = resampled(load(options.table), options.rows)
    clusterer = ColumnClusterer(batches=[list(table.columns[batch::4]) for batch in range(4)])
    text_model = LSTMTextModel(epochs=options.epochs, early_stopping=False)
    clusters, fits = {n_workers: start(n_workers) for n_workers in (1, 2)}, {1: [], 2: []}
    for _ in range(options.fits):
        for n_workers, (_, client) in clusters.items():
            model = BatchLSTMSynthesizer(clusterer, text_model, random_state=0)
            fits[n_workers].append(measure(client, model, table, options.samples))
            print(n_workers, json.dumps(fits[n_workers][-1]), flush=True)
    for cluster, client in clusters.values():
        client.close()
        cluster.close()

    ratios = {}
    for name in ("fit_s", "sample_s"):
        pairs = list(zip(fits[1], fits[2], strict=True))
        of_each = [one[name] / two[name] for one, two in pairs]
        ratios[name] = statistics.median(of_each[1:])
        later = ", ".join(f"{ratio:.2f}" for ratio in of_each[1:])
        print(f"{name}: two workers are {of_each[0]:.2f} times as fast at first, then {later}; median {ratios[name]:.2f}")
    identical = len({fit["sample"] for done in fits.values() for fit in done}) == 1
    print("samples are", "identical" if identical else "NOT identical")
    result = {"about": about(options.table), "rows": options.rows, "epochs": options.epochs, "samples": options.samples}
    with open(options.out, "w") as file:
        json.dump(result | {"median_ratio": ratios, "identical": identical, "fits": fits}, file)


if __name__ == "__main__":
    main()
