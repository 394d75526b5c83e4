#!/usr/bin/env python3
"""Tokens per second of the recurrence alone: rolled or unrolled, as a graph or by XLA, in 1, 2 or 4 parts of the rows.

loops.py [--out loops.json] [--units 64 128 256] [--steps 16 80] [--batch 256] [--seconds 3] [--unrolled-xla-steps 16]

What the core's choice rests on. Rolled is the core's own pair of loops; unrolled is the same arithmetic with a copy of every
operation for every step. Parts are equal shares of the rows, which run beside each other. Variants take turns; the first call,
which compiles, is timed apart. Unrolled under XLA is tried up to --unrolled-xla-steps, as it compiles for minutes beyond.
"""

import argparse
import json
import statistics
from itertools import product

import numpy as np
from measuring import about, seconds

import sksynth.core  # noqa: F401  first, since it sets TensorFlow up

# isort: split
import tensorflow as tf

from sksynth.core import _recurrence


def rolled(projected, upstream, kernel):
    """Return the deltas and the recurrent kernel's gradient by the core's loops."""
    steps = _recurrence.forward(projected.__getitem__, *projected.shape[:2], kernel)
    deltas = _recurrence.backward(upstream, kernel, steps)
    return deltas, _recurrence.weight_gradient(steps.hidden[:-1], deltas[1:])


def unrolled(projected, upstream, kernel):
    """Return the same from a graph that is as long as the rows."""
    units = kernel.shape[0]
    h = c = tf.zeros_like(upstream[0])
    kept, hidden, deltas = [], [], []
    for x in tf.unstack(projected):
        i, f, g, o = tf.split(x + tf.matmul(h, kernel), 4, axis=1)
        i, f, g, o, before = tf.sigmoid(i), tf.sigmoid(f), tf.tanh(g), tf.sigmoid(o), c
        c = f * c + i * g
        squashed = tf.tanh(c)
        h = o * squashed
        kept.append((i, f, g, o, before, squashed))
        hidden.append(h)
    dh = dc = tf.zeros_like(h)
    for back, (i, f, g, o, before, squashed) in zip(tf.unstack(upstream)[::-1], kept[::-1], strict=True):
        dh = dh + back
        dc = dc + dh * o * (1.0 - squashed * squashed)
        d_forget, d_output = dc * before * f * (1.0 - f), dh * squashed * o * (1.0 - o)
        delta = tf.concat([dc * g * i * (1.0 - i), d_forget, dc * i * (1.0 - g * g), d_output], 1)
        dh, dc = tf.matmul(delta, kernel, transpose_b=True), dc * f
        deltas.insert(0, delta)
    flat = tf.reshape(tf.stack(deltas[1:]), (-1, 4 * units))
    return tf.stack(deltas), tf.matmul(tf.concat(hidden[:-1], 0), flat, transpose_a=True)


def variant(kind, jit_compile, n_parts, n_steps, batch, units):
    """Return a call of one variant on data of its own."""
    rng, compiled = (
        np.random.default_rng(0),
        tf.function({"rolled": rolled, "unrolled": unrolled}[kind], jit_compile=jit_compile),
    )
    kernel = tf.constant(rng.standard_normal((units, 4 * units)) * 0.05, tf.float32)
    shares = [rng.standard_normal((n_steps, batch // n_parts, 5 * units)).astype(np.float32) for _ in range(n_parts)]
    parts = [(tf.constant(share[..., : 4 * units]), tf.constant(share[..., 4 * units :])) for share in shares]

    @tf.function
    def run():
        done = [compiled(*part, kernel) for part in parts]
        return tf.add_n([gradient for _, gradient in done])[0, 0] + tf.add_n([deltas[0, 0, 0] for deltas, _ in done])

    return lambda: float(run())


def measure(n_steps, units, options):
    """Time all variants of one shape, in turn, and print them."""
    calls = {}
    for kind, jit, n_parts in product(("rolled", "unrolled"), (False, True), (1, 2, 4)):
        if not (kind == "unrolled" and jit and n_steps > options.unrolled_xla_steps):
            name = f"{kind}, {'XLA' if jit else 'graph'}, {n_parts} part{'s' * (n_parts > 1)}"
            calls[name] = variant(kind, jit, n_parts, n_steps, options.batch, units)
    compiled = {name: seconds(call)[0] for name, call in calls.items()}
    rounds = max(3, round(options.seconds / max(sum(seconds(call)[0] for call in calls.values()) / len(calls), 1e-6)))
    times = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            times[name].append(seconds(call)[0])
    found = {}
    for name, own in times.items():
        rate = n_steps * options.batch / statistics.median(own)
        found[name] = {"tokens_per_s": rate, "compile_s": compiled[name]}
        print(
            f"{n_steps:4} steps {units:4} units  {name:<26} {rate:10,.0f} tokens/s, first call {compiled[name]:5.1f} s",
            flush=True,
        )
    return {"steps": n_steps, "units": units, "rounds": rounds, "variants": found}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", default="loops.json")
    p.add_argument("--units", type=int, nargs="+", default=[64, 128, 256])
    p.add_argument("--steps", type=int, nargs="+", default=[16, 80])
    p.add_argument("--batch", type=int, default=256)
    p.add_argument("--seconds", type=float, default=3.0, help="per variant and shape, about")
    p.add_argument("--unrolled-xla-steps", type=int, default=16)
    options = p.parse_args()
    results = [measure(n_steps, units, options) for n_steps in options.steps for units in options.units]
    with open(options.out, "w") as file:
        json.dump({"about": about(None), "batch": options.batch, "results": results}, file)


if __name__ == "__main__":
    main()
