#!/usr/bin/env python3
"""Memory of fitting a million rows, and of sampling ten million in chunks.

memory.py [--out memory.json] [--table TABLE.csv] [--fit-rows 1000000] [--sample-rows 10000000] [--chunk-rows 10000]
          [--to sample.parquet]

Each half runs in a process of its own. Fitting takes rows drawn from the table with replacement, one epoch, and the
defaults otherwise. Sampling fits 10,000 such rows first, keeps no chunk, and notes after each what the process holds; with
--to the chunks go into that file. MB are 10^6 bytes.
"""

import json
import os
import time

from measuring import about, fresh, load, parse, peak_mb, resampled, rss_mb, seconds, whole


def fit(n_rows, csv):
    """Fit once and return the model with what the process held."""
    import sksynth.core  # noqa: F401  TensorFlow is among what is held after the imports
    from sksynth import BatchLSTMSynthesizer, LSTMTextModel

    imported = rss_mb()
    table = resampled(load(csv), n_rows)
    loaded, before = rss_mb(), peak_mb()
    model = BatchLSTMSynthesizer(text_model=LSTMTextModel(epochs=1), random_state=0)
    fit_s, _ = seconds(lambda: model.fit(table))
    return model, {
        "rows": n_rows,
        "table_mb": round(table.memory_usage(deep=True).sum() / 1e6, 1),
        "imports_mb": imported,
        "loaded_mb": loaded,
        "peak_before_fit_mb": before,
        "fitted_mb": rss_mb(),
        "peak_mb": peak_mb(),
        "fit_s": round(fit_s, 1),
    }


def write(model, n_rows, chunk_rows, to):
    """Sample into a file."""
    from sksynth._sample_files._partial import Partial

    held, append = [], Partial.append

    def appended(*args):
        append(*args)
        held.append(rss_mb())

    Partial.append = appended
    model.sample_to(to, n_rows, chunk_size=chunk_rows, random_state=0, overwrite=True)
    return n_rows, held


def keep_none(model, n_rows, chunk_rows):
    """Sample in chunks that are not kept."""
    rows, held = 0, []
    for chunk in model.sample_iter(n_rows, chunk_size=chunk_rows, random_state=0):
        rows += len(chunk)
        held.append(rss_mb())
    return rows, held


def sample(n_rows, chunk_rows, csv, to=None):
    """Sample in chunks and return what the process held after each."""
    model, fitted = fit(10_000, csv)
    start = time.perf_counter()
    rows, held = write(model, n_rows, chunk_rows, to) if to else keep_none(model, n_rows, chunk_rows)
    took = time.perf_counter() - start
    return {
        "rows": rows,
        "chunk_rows": chunk_rows,
        "before_mb": fitted["fitted_mb"],
        "fit_peak_mb": fitted["peak_mb"],
        "third_chunk_mb": held[min(2, len(held) - 1)],
        "last_chunk_mb": held[-1],
        "most_mb": max(held),
        "peak_mb": peak_mb(),
        "file_mb": round(os.path.getsize(to) / 1e6, 1) if to else None,
        "sample_s": round(took, 1),
        "rows_per_s": round(rows / took, 1),
        "held_mb": held,
    }


def measure(n_rows, csv, chunk_rows=None, to=None):
    """Measure one half, in this process: sampling where there are chunks, fitting otherwise."""
    return sample(n_rows, chunk_rows, csv, to) if chunk_rows else fit(n_rows, csv)[1]


def main():
    options = parse(
        __doc__,
        "memory.json",
        measure,
        fit_rows=whole(1_000_000, help="0 leaves this half out"),
        sample_rows=whole(10_000_000, help="0 leaves this half out"),
        chunk_rows=whole(10_000),
        to={"help": "a file for the sample"},
    )
    result = {"about": about(options.table)}
    if options.fit_rows:
        result["fit"] = fresh(__file__, {"n_rows": options.fit_rows, "csv": options.table})
        print("fit", json.dumps(result["fit"]), flush=True)
    if options.sample_rows:
        point = {"n_rows": options.sample_rows, "chunk_rows": options.chunk_rows, "csv": options.table, "to": options.to}
        result["sample"] = fresh(__file__, point)
        print("sample", json.dumps({name: value for name, value in result["sample"].items() if name != "held_mb"}))
    with open(options.out, "w") as file:
        json.dump(result, file)


if __name__ == "__main__":
    main()
