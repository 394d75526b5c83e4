#!/usr/bin/env python3
"""Time to fit and to sample as rows, columns and the length of a text grow, each alone, at one setting of the model.

growth.py [--out growth.jsonl] [--table TABLE.csv] [--rows 1000 10000 100000 1000000] [--columns 5 20 80 200]
          [--text 10 40 160] [--fixed-rows 10000]

Rows are drawn from the table with replacement. Columns beyond those of the table are copies of it under new names, the rows of
every copy in an order of their own. The text is one column of random letters, all cells of one length. Each point runs in a
process of its own, fits one batch of all columns (64 units, one epoch, 256 rows a step, loops compiled by XLA) and samples as
many rows as it was fitted on; loading TensorFlow is not counted, compiling is. OUT gets a line per point. Slopes are exponents
of the time as a function of rows, or of positions (tokens per row) where columns or text grow. --rows with no number leaves
rows out.
"""

import json
import string

import numpy as np
import pandas as pd
from measuring import about, fresh, load, parse, peak_mb, resampled, seconds, slope, whole

SIZE = {"rows": "rows", "columns": "positions", "text": "positions"}  # what the time of an axis is a function of
TIMES = ["fit_s", "sample_s"]


def widened(table, n_columns):
    """Repeat the columns of a table under new names, the rows of each copy shuffled."""
    rng, columns = np.random.default_rng(0), {}
    while len(columns) < n_columns:
        copy = table.iloc[rng.permutation(len(table))].reset_index(drop=True)
        number = len(columns) // table.shape[1]
        columns |= {f"{name}.{number}": copy[name] for name in table.columns[: n_columns - len(columns)]}
    return pd.DataFrame(columns)


def texts(n_rows, length):
    """Make one column of random letters and spaces."""
    letters = np.random.default_rng(0).choice(list(string.ascii_lowercase + " "), (n_rows, length))
    return pd.DataFrame({"text": ["".join(row) for row in letters]})


def grown(axis, size, n_rows, csv):
    """Make the table of a point."""
    if axis == "rows":
        return resampled(load(csv), size)
    return widened(resampled(load(csv), n_rows), size) if axis == "columns" else texts(n_rows, size)


def measure(axis, size, n_rows, csv):
    """Fit and sample once, in this process."""
    import sksynth.core  # noqa: F401  TensorFlow is loaded before the clock starts
    from sksynth import BatchLSTMSynthesizer, ColumnClusterer, LSTMTextModel, fields

    table = grown(axis, size, n_rows, csv)
    before = peak_mb()
    model = BatchLSTMSynthesizer(
        ColumnClusterer(max_columns=table.shape[1]),
        LSTMTextModel(rnn_units=64, epochs=1, batch_size=256, jit_compile=True),
        schema={"text": fields.Text()} if axis == "text" else None,
        random_state=0,
    )
    fit_s, _ = seconds(lambda: model.fit(table))
    fit_peak = peak_mb()
    sample_s, _ = seconds(lambda: model.sample(len(table), random_state=0))
    (only,) = model.models_
    sizes = {"rows": len(table), "columns": table.shape[1], "positions": only.tokenizer_.grammar_.n_positions}
    memory = {"before_mb": before, "fit_peak_mb": fit_peak, "peak_mb": peak_mb()}
    times = {"fit_s": round(fit_s, 4), "sample_s": round(sample_s, 4)}
    return sizes | times | memory | {"parameters": only.n_parameters_, "training": only.training_}


def slopes(points, axis):
    """Return the exponents of both times: overall, between neighbours, and so between the two largest."""
    points = sorted((point for point in points if point["axis"] == axis), key=lambda point: point["size"])
    sizes = [point[SIZE[axis]] for point in points]
    found = {}
    for name in TIMES if len(points) > 1 else []:
        times = [point[name] for point in points]
        steps = [slope(sizes[i : i + 2], times[i : i + 2]) for i in range(len(points) - 1)]
        found[name] = {"overall": slope(sizes, times), "steps": steps, "largest": steps[-1]}
    return found


def main():
    options = parse(
        __doc__,
        "growth.jsonl",
        measure,
        rows=whole([1_000, 10_000, 100_000, 1_000_000], nargs="*"),
        columns=whole([5, 20, 80, 200], nargs="*"),
        text=whole([10, 40, 160], nargs="*", help="characters"),
        fixed_rows=whole(10_000, help="rows where they do not grow"),
    )
    points = []
    with open(options.out, "w") as file:
        for axis in SIZE:
            for size in getattr(options, axis):
                point = {"axis": axis, "size": size, "n_rows": options.fixed_rows, "csv": options.table}
                points.append({"axis": axis, "size": size, **fresh(__file__, point), "about": about(options.table)})
                file.write(json.dumps(points[-1]) + "\n")
                file.flush()
                shown = ("positions", *TIMES, "before_mb", "fit_peak_mb", "peak_mb")
                print(axis, size, *(f"{name}={points[-1][name]}" for name in shown), flush=True)
    for axis in SIZE:
        for name, found in slopes(points, axis).items():
            steps = " ".join(f"{step:.2f}" for step in found["steps"])
            print(
                f"{name} over {axis} ({SIZE[axis]}): slope {found['overall']:.2f}, between neighbours {steps}, "
                f"between the two largest {found['largest']:.2f}"
            )


if __name__ == "__main__":
    main()
