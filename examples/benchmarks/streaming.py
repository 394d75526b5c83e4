#!/usr/bin/env python3
"""Fits of Parquet files that are not read into memory: what the process holds, and how much longer a row takes.

streaming.py [--out streaming.json] [--table TABLE.csv] [--rows 10000000] [--in-memory-rows 1000000]

Files hold rows drawn from the table with replacement, a million in each. Every fit is one epoch with the defaults otherwise,
in a process of its own: --in-memory-rows as a frame and from files, which are of the same rows, so that `per_row` compares the
two, then --rows from files. Of the seconds of a fit, `train_s` are those in which the network was trained. MB are 10^6 bytes.
"""

import json
import tempfile
from pathlib import Path

from measuring import about, fresh, load, parse, peak_mb, resampled, seconds, whole

FILE_ROWS = 1_000_000


def write(folder, n_rows, csv):
    """Write so many rows to Parquet files in a folder."""
    table = load(csv)
    for number, start in enumerate(range(0, n_rows, FILE_ROWS)):
        part = table.sample(min(FILE_ROWS, n_rows - start), replace=True, random_state=number, ignore_index=True)
        part.to_parquet(Path(folder) / f"part_{number:04}.parquet", index=False)


def measure(folder, csv, in_memory=False):
    """Fit the files of a folder in this process, from disk or as a frame."""
    import pandas as pd

    import sksynth.core  # noqa: F401  TensorFlow is among what is held after the imports
    from sksynth import BatchLSTMSynthesizer, LSTMTextModel

    model = BatchLSTMSynthesizer(text_model=LSTMTextModel(epochs=1), random_state=0)
    model.fit(resampled(load(csv), 300))  # loads what is loaded when it is first used
    table, before = pd.read_parquet(folder) if in_memory else folder, peak_mb()
    fit_s, _ = seconds(lambda: model.fit(table))
    return {
        "in_memory": in_memory,
        "before_mb": before,
        "peak_mb": peak_mb(),
        "fit_s": round(fit_s, 1),
        "train_s": round(float(model.history_["seconds"].sum()), 1),
        "val_loss": round(float(model.history_["val_loss"].iloc[-1]), 4),
    }


def main():
    options = parse(__doc__, "streaming.json", measure, rows=whole(10_000_000), in_memory_rows=whole(1_000_000))
    result = {"about": about(options.table), "fits": []}
    for n_rows, ways in ((options.in_memory_rows, (True, False)), (options.rows, (False,))):
        with tempfile.TemporaryDirectory() as folder:
            write(folder, n_rows, options.table)
            for in_memory in ways:
                point = {"folder": folder, "csv": options.table, "in_memory": in_memory}
                found = {"rows": n_rows} | fresh(__file__, point)
                print(json.dumps(found | {"us_per_row": round(found["fit_s"] / n_rows * 1e6, 2)}), flush=True)
                result["fits"].append(found)
    memory, disk = (fit["fit_s"] for fit in result["fits"][:2])
    result["per_row"] = round(disk / memory, 3)
    print("from disk over in memory:", result["per_row"])
    with open(options.out, "w") as file:
        json.dump(result, file)


if __name__ == "__main__":
    main()
