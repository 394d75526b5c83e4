#!/usr/bin/env python3
"""Rows per second that the input pipeline of training yields, beside those that training takes from it.

pipeline.py [--out pipeline.json] [--table TABLE.csv] [--steps 2000] [--repeats 5]

The pipeline shuffles, gathers and batches rows of tokens; alone it is run to its end inside TensorFlow, with no step between.
Training is at the defaults, except that no rows are held out, since scoring those reads another pipeline; its rate is the
median over the epochs, without the first, which compiles. Both read the same rows in batches of the same size.
"""

import json
import statistics

import numpy as np
from measuring import about, load, parse, seconds, whole

import sksynth.core  # noqa: F401  first, since it sets TensorFlow up

# isort: split
import tensorflow as tf


def training(table):
    """Fit once; return the model and the rows per second of every epoch but the first."""
    from sksynth import LSTMTextModel

    model = LSTMTextModel(validation_fraction=0.0, random_state=0).fit(table)
    return model, [len(table) / took for took in model.history_["seconds"].iloc[1:]]


def pipeline(table, model, n_steps):
    """Return the rows per second of so many steps' batches, with nothing done to them."""
    from sksynth.core import _training
    from sksynth.core._layout import Layout

    grammar, size = model.tokenizer_.grammar_, model.training_["batch_size"]
    layout, steps = Layout(grammar), len(table) // size
    rows = layout.rows(model.tokenizer_.encode(table)[:, : grammar.n_positions])
    data = _training._training_data(layout, rows, size, steps, range(-(-n_steps // steps)), np.zeros(2, np.uint32))
    took, seen = seconds(lambda: int(data.reduce(tf.constant(0), lambda seen, batch: seen + len(batch[0]))))
    return seen / took


def main():
    options = parse(__doc__, "pipeline.json", steps=whole(2000), repeats=whole(5))
    table = load(options.table)
    model, taken = training(table)
    yielded = [pipeline(table, model, options.steps) for _ in range(1 + options.repeats)][1:]
    found = {"pipeline": statistics.median(yielded), "training": statistics.median(taken)}
    for name, rate in found.items():
        print(f"{name:<10} {rate:12,.0f} rows/s")
    print(f"the pipeline yields {found['pipeline'] / found['training']:.0f} times what training takes")
    with open(options.out, "w") as file:
        json.dump({"about": about(options.table), "rows_per_s": found, "training": model.training_}, file)


if __name__ == "__main__":
    main()
