#!/usr/bin/env python3
"""Time of a private training step: ours beside our plain step of the same rows, and Opacus' beside torch's plain step.

private_step.py [--out private_step.json] [--table TABLE.csv] [--units 64] [--batch 544 2048] [--chunk 544] [--opacus-python P]

The network is that of step.py. Our private step draws rows, clips each row's gradient, sums, adds noise and moves the weights;
it draws exactly the rows of the plain step here, so that both compute as much, and computes them in chunks, as in fit.
*clipped sum* is the part of it that TensorFlow runs, for all rows in one chunk. Opacus (DPLSTM, GradSampleModule and
DPOptimizer) runs in an interpreter of its own; see peers.sh, environment "mostly".
"""

import json
import statistics
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from measuring import about, load, parse, whole
from step import network, timed

import sksynth.core  # noqa: F401  first, since it sets TensorFlow up

# isort: split
import tensorflow as tf

HERE = Path(__file__).resolve().parent


def candidates(net, chunk):
    """Return our plain step, our private step, and what of the latter TensorFlow runs."""
    from sksynth.core import _dp_sgd, _engine
    from sksynth.core._model import parts_of

    knobs = {"peak": 0.02, "warmup": 1.0, "total": 1e9, "horizon": 100.0}
    plain, private = (_engine._compiled(net.shape, 1, norm) for norm in (_engine.CLIP_NORM, None))
    for model in (plain, private):
        _engine.load(model, net.weights | knobs)
    n_rows, rows = len(net.rows), tf.constant(net.rows)
    reach = np.full(len(parts_of(net.shape.groups, n_rows)) - 1, net.shape.n_positions, np.int32)
    train, data = tf.function(plain.train_step), (rows, tf.constant(net.order), tf.constant(reach))
    mechanism = _dp_sgd.Mechanism(0.1, 1.0, 1.0, 1, float(n_rows))
    steps = _dp_sgd._Steps(private, net.rows, net.order, min(chunk, n_rows), mechanism)
    steps.randomness.choose = lambda total, rate: np.arange(n_rows)
    real, norm = tf.ones(n_rows), tf.constant(1.0)

    def whole_step():
        steps.take(0)
        return 0.0

    def clipped():
        return private.clipped_sums(rows, data[1], real, norm, tf.constant(0))["bias_0"][0]

    return {"plain": lambda: train(data)["loss"], "clipped sum": clipped, "private": whole_step}


def opacus(net, python, rounds, steps):
    """Return the medians of torch's plain step and of Opacus' private one, in seconds."""
    sizes = [group.n_tokens for group in net.shape.groups for _ in range(group.n_positions)]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.npz")
        np.savez(path, ids=net.rows[:, : net.shape.n_positions], sizes=sizes, order=net.order)
        command = [python, HERE / "step_opacus.py", path, net.shape.rnn_units, net.shape.embedding_dim, rounds, steps]
        done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.strip().splitlines()[-1])


def measure(table, units, batch, options):
    """Time all candidates of one size, and print what was found."""
    net = network(table, units, batch)
    _, times = timed(candidates(net, options.chunk), options.rounds, options.steps)
    medians = {name: statistics.median(own) for name, own in times.items()}
    if options.opacus_python:
        medians |= opacus(net, options.opacus_python, options.rounds, options.steps)
    for name, own in medians.items():
        print(f"{units:4} units {batch:5} rows  {name:<15} {1e3 * own:8.1f} ms  {own / medians['plain']:6.2f} plain steps")
    return {"units": units, "batch": batch, "medians": medians}


def main():
    options = parse(
        __doc__,
        "private_step.json",
        units=whole([64], nargs="+"),
        batch=whole([544, 2048], nargs="+"),
        chunk=whole(544, help="rows that a private step computes at a time"),
        rounds=whole(9),
        steps=whole(5, help="per round and candidate"),
        opacus_python={"help": "interpreter that has torch and Opacus"},
    )
    table = load(options.table)
    found = [measure(table, units, batch, options) for units in options.units for batch in options.batch]
    with open(options.out, "w") as file:
        json.dump({"about": about(options.table), "results": found}, file)


if __name__ == "__main__":
    main()
