#!/usr/bin/env python3
"""Time of one training step: ours, the same network of stock Keras layers and of torch, and plain SGEMM beside them.

step.py [--out step.json] [--table TABLE.csv] [--units 64 96 128 256 512] [--batch 256] [--rounds 7] [--steps 5]

All start from the same weights and see the same rows: embeddings of tokens and slots, an LSTM, a head for every slot on top of
its prior, softmax cross-entropy, Adam with clipping; the first losses are told and should agree. Ours also draws dropout (of 0
here), counts hits and averages weights, as in fit. Stock Keras runs as a graph, and compiled whole by XLA; torch runs on one
thread and on all (beside other work its threads wait for each other longer than they compute), and is left out where it is not
installed. Candidates take turns; their first calls, which compile, are timed apart. A token is one position of one row; ratios
are to the faster mode of stock Keras.

recurrence share    time of the recurrence's matrix products alone, at SGEMM's rate, over that of our loops
step share          the same of the recurrence's and the heads', over our whole step
"""

import json
import os
import statistics
import time
from importlib.util import find_spec

import numpy as np
from measuring import about, load, parse, resampled, seconds, whole

import sksynth.core  # noqa: F401  first, since it sets TensorFlow up

# isort: split
import tensorflow as tf
from step_stock import RATE, Network, sgemm, stock_keras, stock_torch

CPUS = os.cpu_count()
STOCK = ["keras graph", "keras xla"]


def network(table, units, batch):
    """Describe the network of a table; this and `ours` are all that touches the core."""
    from sksynth.core._layout import Layout
    from sksynth.core._network import NetworkShape
    from sksynth.core._training import initial_weights
    from sksynth.tokenizers import TableTokenizer

    tokenizer = TableTokenizer().fit(table)
    layout = Layout(tokenizer.grammar_)
    rows = layout.rows(tokenizer.encode(table)[:, : tokenizer.grammar_.n_positions])
    shape = NetworkShape(layout.groups, 32, units, 1, "xla")
    weights = initial_weights(shape, layout.priors(rows), np.random.default_rng(0))
    return Network(shape, weights, rows[:batch], layout.order)


def ours(net):
    """Return our step, and our loops alone with the recurrent kernel's gradient; both take the rows in the same parts."""
    from sksynth.core import _engine, _recurrence
    from sksynth.core._model import parts_of

    model = _engine._compiled(net.shape, 1)
    _engine.load(model, net.weights | {"peak": RATE, "warmup": 1.0, "total": 1e9, "horizon": 100.0})
    bounds = parts_of(net.shape.groups, len(net.rows))
    reach = np.full(len(bounds) - 1, net.shape.n_positions, np.int32)  # rows are read to their ends, however short a text
    train, data = tf.function(model.train_step), tuple(map(tf.constant, (net.rows, net.order, reach)))
    rng, kernel, units = np.random.default_rng(0), tf.constant(net.weights["recurrent_kernel_0"]), net.shape.rnn_units
    sizes = [(net.shape.n_positions, len(part)) for part in np.split(net.rows, bounds[1:-1])]
    projected, upstream = (
        [tf.constant(rng.standard_normal((*size, width), np.float32)) for size in sizes] for width in (4 * units, units)
    )

    @tf.function(jit_compile=True)
    def compiled(part, back):
        steps = _recurrence.forward(part.__getitem__, *part.shape[:2], kernel)
        return steps, _recurrence.backward(back, kernel, steps)

    def loop(part, back):
        steps, deltas = compiled(part, back)
        before, after = tf.reshape(steps.hidden[:-1], (-1, units)), tf.reshape(deltas[1:], (-1, 4 * units))
        return tf.matmul(before, after, transpose_a=True)

    @tf.function
    def loops(projected, upstream):
        return tf.add_n([loop(*part) for part in zip(projected, upstream, strict=True)])[0, 0]

    return lambda: train(data)["loss"], lambda: loops(projected, upstream)


def timed(calls, rounds, steps):
    """Return for every candidate the first call's time and result, and the seconds per call of every round, in turn."""
    firsts = {name: seconds(lambda call=call: float(call())) for name, call in calls.items()}
    times = {name: [] for name in calls}
    for number in range(rounds + 1):
        for name, call in calls.items():
            time.sleep(0.05)  # until the threads of the one before no longer spin
            took, _ = seconds(lambda call=call: float([call() for _ in range(steps)][-1]))
            if number:
                times[name].append(took / steps)
    return firsts, times


def shares(net, best):
    """Return SGEMM's GFLOP/s, and the recurrence share and step share at that rate."""
    units, batch = net.shape.rnn_units, len(net.rows)
    recurrence = 24 * units**2 * batch * net.shape.n_positions
    outputs = 6 * units * batch * sum(group.n_positions * group.n_tokens for group in net.shape.groups)
    rate = recurrence / best["sgemm"]
    step = (recurrence + outputs) / rate / best["ours"]
    return {"sgemm_gflops": rate / 1e9, "recurrence_share": best["sgemm"] / best["our loops"], "step_share": step}


def measure(table, units, options):
    """Time all candidates of one width, and print what was found."""
    net = network(table, units, options.batch)
    step, loops = ours(net)
    calls = {"ours": step, **{name: stock_keras(net, name == "keras xla") for name in STOCK}}
    threads = {"torch 1 thread": 1, f"torch {CPUS} threads": CPUS} if find_spec("torch") else {}
    calls |= {name: stock_torch(net, number) for name, number in threads.items()} | {"our loops": loops, "sgemm": sgemm(net)}
    firsts, times = timed(calls, options.rounds, options.steps)
    medians, least = ({name: of(own) for name, own in times.items()} for of in (statistics.median, min))
    tokens, candidates = len(net.rows) * net.shape.n_positions, {}
    for name, own in medians.items():
        is_step = name not in ("our loops", "sgemm")
        found = {"median_s": own, "min_s": least[name], "compile_s": firsts[name][0]}
        if is_step:
            found |= {"first_loss": firsts[name][1], "tokens_per_s": tokens / own}
            found |= {"ratio": min(medians[stock] for stock in STOCK) / own}
        candidates[name] = found
        print(f"{units:4} {name:<15}", "  ".join(f"{key} {value:.4g}" for key, value in found.items()), flush=True)
    result = {"units": units, "positions": net.shape.n_positions, "candidates": candidates}
    for name, best in (("by_median", medians), ("by_min", least)):
        result[name] = shares(net, best)
        print(f"{units:4} {name:<15}", "  ".join(f"{key} {value:.3f}" for key, value in result[name].items()), flush=True)
    return result


def main():
    options = parse(
        __doc__,
        "step.json",
        units=whole([64, 96, 128, 256, 512], nargs="+"),
        batch=whole(256),
        rounds=whole(7),
        steps=whole(5, help="per round and candidate"),
    )
    if not find_spec("torch"):
        print("torch is not installed: left out")
    table = load(options.table)
    table = table if len(table) >= options.batch else resampled(table, options.batch)
    result = {"about": about(options.table), "batch": options.batch}
    result["results"] = [measure(table, units, options) for units in options.units]
    with open(options.out, "w") as file:
        json.dump(result, file)


if __name__ == "__main__":
    main()
