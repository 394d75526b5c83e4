#!/usr/bin/env python3
"""Fit LSTMTextModel on lines of text with its defaults; one JSON line: seconds, bits per character, lines per second, copies.

lines.py TRAIN.txt HOLDOUT.txt [--lines N] [--seed S] [--ngram N] [--set NAME=VALUE ...]

Of a held-out line, its characters and one end are counted. copied: share of the n-grams of characters that are in training
lines, of the sampled and of the held-out lines. See kneser_ney.py and run_mostly_lines.py for others' figures.
"""

import argparse
import ast
import json
import math
import time
from pathlib import Path

import sksynth.core  # noqa: F401  TensorFlow is loaded before the clock starts, as the peers load theirs
from sksynth import LSTMTextModel
from sksynth.evaluation import copied_ngrams

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("train", type=Path)
arguments.add_argument("holdout", type=Path)
arguments.add_argument("--lines", type=int, default=10_000)
arguments.add_argument("--seed", type=int, default=0)
arguments.add_argument("--ngram", type=int, default=30)
arguments.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE")


def main():
    """Fit, score, sample."""
    given = arguments.parse_args()
    train, holdout = (path.read_text(encoding="utf-8").splitlines() for path in (given.train, given.holdout))
    parameters = {name: ast.literal_eval(value) for name, value in (pair.split("=", 1) for pair in given.set)}
    start = time.perf_counter()
    model = LSTMTextModel(random_state=given.seed, **parameters).fit(train)
    seconds = time.perf_counter() - start
    bits = -model.score_samples(holdout).sum() / math.log(2) / sum(len(line) + 1 for line in holdout)
    start = time.perf_counter()
    sample = model.sample(given.lines, random_state=given.seed)
    rate = given.lines / (time.perf_counter() - start)
    known = set(train)
    figures = {
        "fit_s": round(seconds, 1), "epochs": len(model.history_), "rnn_units": model.training_["rnn_units"],
        "bits_per_char": round(bits, 4), "lines_per_s": round(rate), "n": given.ngram,
        "copied": round(copied_ngrams(train, sample, n=given.ngram), 4),
        "copied_holdout": round(copied_ngrams(train, holdout, n=given.ngram), 4),
        "copied_lines": round(sum(line in known for line in sample) / len(sample), 4),
    }  # fmt: skip
    print(json.dumps(figures))
    print(*sample[:3], sep="\n")


if __name__ == "__main__":
    main()
