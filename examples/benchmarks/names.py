#!/usr/bin/env python3
"""Fit a table of people with its defaults; one JSON line on their names, those of the sample beside those of the holdout.

names.py TRAIN.csv HOLDOUT.csv [--first nameFirst] [--last nameLast] [--by country] [--text COLUMN ...] [--rows N] [--seed S]

length    largest gap between the distribution functions of the lengths of last names (Kolmogorov-Smirnov)
letter    total variation of the first letters of last names
by_first  total variation of the table of category (the ten most frequent, and the rest) by first name (the 50 most frequent)
by_last   the same by the last two letters of last names
copied    share of the full names that training has, followed by that of the holdout
Each other figure is followed by that of the training table against the holdout, which is what sampling noise leaves.
"""

import argparse
import json
import time

import numpy as np
import pandas as pd
from legal import check

import sksynth.core  # noqa: F401
from sksynth import BatchLSTMSynthesizer, fields

arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
arguments.add_argument("train")
arguments.add_argument("holdout")
arguments.add_argument("--first", default="nameFirst")
arguments.add_argument("--last", default="nameLast")
arguments.add_argument("--by", default="country")
arguments.add_argument("--text", nargs="*", default=[], help="columns that are text, whatever they are taken for")
arguments.add_argument("--rows", type=int)
arguments.add_argument("--seed", type=int, default=0)


def top(values, reference, n):
    """Return values of which all but the n most frequent of a reference are one."""
    return values.where(values.isin(reference.value_counts().index[:n]), "other")


def total_variation(one, other):
    """Return the total variation between the distributions of two columns or lists of columns."""
    shares = [pd.Series(list(zip(*columns, strict=True))).value_counts(normalize=True) for columns in (one, other)]
    return float(shares[0].sub(shares[1], fill_value=0.0).abs().sum() / 2)


def full_names(table, given):
    """Return first and last names as pairs."""
    return list(zip(table[given.first].astype(str), table[given.last].astype(str), strict=True))


def figures(table, holdout, train, given):
    """Return the figures of a table against the holdout."""
    last, real = (frame[given.last].dropna().astype(str) for frame in (table, holdout))
    lengths = np.arange(40)
    gaps = [np.searchsorted(np.sort(names.str.len()), lengths, "right") / len(names) for names in (last, real)]
    found = {
        "length": float(np.abs(gaps[0] - gaps[1]).max()),
        "letter": total_variation([last.str[0]], [real.str[0]]),
    }
    for name, column, cut in (("by_first", given.first, None), ("by_last", given.last, -2)):
        parts = []
        for frame in (table, holdout):
            by = top(frame[given.by].astype(str), train[given.by].astype(str), 10)
            parts.append([by, top(frame[column].astype(str).str[cut:], train[column].astype(str).str[cut:], 50)])
        found[name] = total_variation(*parts)
    return found


def main():
    """Fit, sample, compare."""
    given = arguments.parse_args()
    train, holdout = pd.read_csv(given.train), pd.read_csv(given.holdout)
    start = time.perf_counter()
    synthesizer = BatchLSTMSynthesizer(schema={column: fields.Text() for column in given.text}, random_state=given.seed).fit(
        train
    )
    seconds, start = time.perf_counter() - start, time.perf_counter()
    sample = synthesizer.sample(given.rows or len(train), random_state=given.seed)
    rate = len(sample) / (time.perf_counter() - start)
    known = set(full_names(train, given))
    copied = [np.mean([name in known for name in full_names(frame, given)]) for frame in (sample, holdout)]
    own, noise = (figures(frame, holdout, train, given) for frame in (sample, train))
    line = {"fit_s": round(seconds, 1), "rows_per_s": round(rate)} | check(train, sample, synthesizer.schema_)
    line |= {name: [round(own[name], 4), round(noise[name], 4)] for name in own}
    print(json.dumps(line | {"copied": [round(float(share), 4) for share in copied]}))


if __name__ == "__main__":
    main()
