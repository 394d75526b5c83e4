#!/usr/bin/env python3
"""Bits per character of a character n-gram model with modified Kneser-Ney smoothing (Chen and Goodman 1999); one JSON line.

kneser_ney.py TRAIN.txt HOLDOUT.txt [--order 6]

A line is a text, of which every character and one end count; characters that training has not seen are left out of both.
"""

import argparse
import json
import math
import time
from collections import Counter, defaultdict
from pathlib import Path

START, END = "\x02", "\x03"


def grams(lines, order):
    """Count the n-grams of `order` that end in a character of a line, or in its end."""
    counts = Counter()
    for line in lines:
        text = START * (order - 1) + line + END
        counts.update(text[i : i + order] for i in range(len(text) - order + 1))
    return counts


class KneserNey:
    """Interpolated, with three discounts for each order."""

    def __init__(self, lines, order):
        self.order, counts = order, grams(lines, order)
        self.levels = []
        for n in range(order, 0, -1):
            self.levels.append(self._level(counts))
            if n > 1:
                begun = Counter({gram[1:]: count for gram, count in counts.items() if gram[1:].startswith(START)})
                counts = begun + Counter(gram[1:] for gram in counts if not gram[1:].startswith(START))
        self.uniform = 1.0 / len(counts)

    @staticmethod
    def _level(counts):
        """Return counts, discounts, and by context the sum of counts and what is discounted from it."""
        of_counts = Counter(min(count, 4) for count in counts.values())
        n1, n2, n3, n4 = (max(of_counts[i], 1) for i in (1, 2, 3, 4))
        share = n1 / (n1 + 2 * n2)
        estimated = [1 - 2 * share * n2 / n1, 2 - 3 * share * n3 / n2, 3 - 4 * share * n4 / n3]
        discounts = [0.0, *(min(max(value, 0.1), i - 0.1) for i, value in enumerate(estimated, 1))]  # few counts mislead
        total, discounted = defaultdict(float), defaultdict(float)
        for gram, count in counts.items():
            total[gram[:-1]] += count
            discounted[gram[:-1]] += discounts[min(count, 3)]
        return counts, discounts, total, discounted

    def probability(self, gram):
        """Return the probability of the last character of an n-gram after the others."""
        found, weight = 0.0, 1.0
        for drop, (counts, discounts, total, discounted) in enumerate(self.levels):
            own = gram[drop:]
            if own[:-1] in total:
                count = counts.get(own, 0)
                found += weight * (count - discounts[min(count, 3)]) / total[own[:-1]]
                weight *= discounted[own[:-1]] / total[own[:-1]]
        return found + weight * self.uniform


def bits_per_character(model, lines):
    """Return the mean of -log2 of the probabilities of all characters and ends."""
    total = sum(-math.log2(model.probability(gram)) * count for gram, count in grams(lines, model.order).items())
    return total / sum(len(line) + 1 for line in lines)


if __name__ == "__main__":
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("train")
    p.add_argument("holdout")
    p.add_argument("--order", type=int, default=6)
    a = p.parse_args()
    train, holdout = (Path(path).read_text(encoding="utf-8").splitlines() for path in (a.train, a.holdout))
    known, start = set("".join(train)), time.perf_counter()
    model = KneserNey(train, a.order)
    holdout = ["".join(c for c in line if c in known) for line in holdout]
    figures = {"order": a.order, "bits_per_character": round(bits_per_character(model, holdout), 4)}
    print(json.dumps({"peer": "Kneser-Ney"} | figures | {"seconds": round(time.perf_counter() - start, 1)}))
