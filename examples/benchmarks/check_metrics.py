#!/usr/bin/env python3
"""Print the figures of sksynth.evaluation beside those of SDMetrics and score.py; fail where they differ by more than 5e-4.

    check_metrics.py TRAIN.csv HOLDOUT.csv SYNTHETIC.csv [--target COLUMN] [--odd]

Runs in the environment "score" of peers.sh, which has no TensorFlow. Of the figures of single columns and pairs, the largest
difference is printed. --odd adds columns that are constant or wholly missing, in one table or in both; where the other
side has no figure then, as it fails or is NaN, ours stands alone.
"""

import argparse
import sys
from time import perf_counter

import numpy as np
import pandas as pd
import score
from sdmetrics.reports.single_table import QualityReport
from sdmetrics.single_column import CategoryCoverage, RangeCoverage

from sksynth import evaluation

TOLERANCE = 5e-4


def reports(real, synthetic, meta):
    """Return what the reports of SDMetrics say: quality, shapes, pairs, coverage by column."""
    report = QualityReport()
    report.generate(real, synthetic, meta, verbose=False)
    shapes = report.get_details("Column Shapes").set_index("Column").Score
    pairs = report.get_details("Column Pair Trends").set_index(["Column 1", "Column 2"]).Score
    metrics = {"numerical": RangeCoverage, "categorical": CategoryCoverage}
    kinds = {name: column["sdtype"] for name, column in meta["columns"].items() if column["sdtype"] != "id"}
    coverage = {name: tried(metrics[kind].compute, real[name], synthetic[name]) for name, kind in kinds.items()}
    return report.get_score(), shapes, pairs, pd.Series(coverage, dtype=float)


def tried(function, *arguments):
    """Return what a function of the other side returns, NaN if it fails."""
    try:
        return function(*arguments)
    except Exception as error:
        print(f"  ({function.__qualname__} fails: {type(error).__name__}: {error!s:.80})")
        return np.nan


def of_columns(train, holdout, synthetic, numbers, meta):
    """Yield the figures of columns and pairs, against the holdout: name, ours, theirs."""
    known = {"reference": train}
    quality, shapes, pairs, coverage = reports(numbers[1], numbers[2], meta)
    ours = evaluation.pair_trends(holdout, synthetic, **known).set_index(["column_1", "column_2"])
    yield "quality", evaluation.quality(holdout, synthetic, **known), quality
    yield "shapes", evaluation.column_shapes(holdout, synthetic, **known), shapes
    yield "coverage", evaluation.coverage(holdout, synthetic, **known), coverage
    yield "pairs", ours.sdmetrics.where(ours.strong), pairs
    yield "strong pairs", float((ours.strong & ours.sdmetrics.notna()).sum()), float(pairs.notna().sum())


def of_tables(train, holdout, synthetic, numbers, target):
    """Yield the figures of whole tables: name, ours, theirs."""
    t, h, s = numbers
    rows = set(score.rows(t))
    yield "c2st", evaluation.c2st(holdout, synthetic, reference=train).auc, tried(score.c2st, h, s, t, 6000)
    yield "c2st_real", evaluation.c2st(holdout, train, reference=train).auc, tried(score.c2st, h, t, t, 6000)
    yield "copies", evaluation.copied_rows(train, synthetic), np.mean([row in rows for row in score.rows(s)])
    yield "copies_real", evaluation.copied_rows(train, holdout), np.mean([row in rows for row in score.rows(h)])
    yield "dcr_share", evaluation.dcr_share(train, synthetic, holdout), tried(score.dcr_share, t, h, s, t, 6000)
    yield "valid", evaluation.valid_share(train, synthetic), score.valid_share(train, synthetic)
    if target:
        tstr = evaluation.utility(synthetic, holdout, target, reference=train)
        yield "tstr", tstr, tried(score.utility, s, h, target, t)
        yield "trtr", evaluation.utility(train, holdout, target), tried(score.utility, t, h, target, t)


def difference(ours, theirs):
    """Return the largest difference where the other side has a figure; infinite where only ours is lacking."""
    if isinstance(theirs, pd.Series):
        ours, theirs = ours.reindex(theirs.index).to_numpy(float), theirs.to_numpy(float)
    ours, theirs = np.atleast_1d(ours), np.atleast_1d(theirs)
    there = ~np.isnan(theirs)
    return np.abs(ours - theirs)[there].max(initial=0.0) if not np.isnan(ours[there]).any() else np.inf


def shown(value):
    """Return a figure, or the mean of several and their number, as text."""
    if isinstance(value, pd.Series):
        return f"{value.mean():.4f} (mean of {value.notna().sum()})"
    return f"{value:.4f}"


def with_odd_columns(train, holdout, synthetic):
    """Return the tables with columns that hold one value or none."""
    odd = {
        "odd_constant": (1.5, 1.5, 1.5),
        "odd_word": ("word", "word", "word"),
        "odd_missing": (None, None, None),
        "odd_missing_number": (np.nan, np.nan, np.nan),
        "odd_frozen": (np.arange, np.arange, 3.0),
        "odd_lost": (np.arange, np.arange, np.nan),
        "odd_lost_word": ("word", "word", None),
    }
    filled = [table.copy() for table in (train, holdout, synthetic)]
    for name, values in odd.items():
        for table, value in zip(filled, values, strict=True):
            table[name] = value(len(table)) if callable(value) else value
    return filled


def main():
    """Compare, and say so by the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("train", "holdout", "synthetic"):
        parser.add_argument(name)
    parser.add_argument("--target")
    parser.add_argument("--odd", action="store_true")
    a = parser.parse_args()
    tables = [pd.read_csv(path) for path in (a.train, a.holdout, a.synthetic)]
    tables[2] = tables[2][list(tables[0].columns)]
    tables = with_odd_columns(*tables) if a.odd else tables
    numbers = score.dates_to_numbers(*tables)
    meta, worst, start = score.metadata(numbers[0]), 0.0, perf_counter()
    print(f"{'':14}{'sksynth':>24}{'SDMetrics, score.py':>26}  difference")
    for figures in (of_columns(*tables, numbers, meta), of_tables(*tables, numbers, a.target)):
        for name, ours, theirs in figures:
            gap = difference(ours, theirs)
            worst = max(worst, gap)
            print(f"{name:14}{shown(ours):>24}{shown(theirs):>26}  {gap:.6f}", flush=True)
    print(f"largest difference {worst:.6f}; {perf_counter() - start:.0f} s for both sides")
    return int(worst > TOLERANCE)


if __name__ == "__main__":
    sys.exit(main())
