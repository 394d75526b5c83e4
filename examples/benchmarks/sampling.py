#!/usr/bin/env python3
"""Valid rows per second of sampling: sksynth beside the LSTMs of gretel-synthetics and mostlyai-engine, one after another.

sampling.py TRAIN.csv [--mostly-python P] [--gretel-python P] [--out sampling.json] [--fit-rows 5000] [--gretel-epochs 5]
            [--mostly-minutes 2] [--rows 100000 1000 5]

All are fitted to the first rows of the table, each in a process of its own; peers.sh makes the interpreters, and a peer whose
interpreter is not given is left out. --rows are how many are sampled of sksynth, mostlyai-engine and gretel-synthetics; the
last stops when it has thrown away 50 lines for each row that is wanted. Valid is what score.py calls valid. The peers are
fitted just long enough to write rows; if_all_were_valid is the rate of all that they write, good and bad (lines that gretel-
synthetics throws away too), which no longer fit could surpass.
"""

import argparse
import json
import shlex
import sys
import tempfile
from pathlib import Path

import pandas as pd
from compare import HERE, run
from score import valid_share


def measure(synthesizer, train, n_rows):
    """Fit and sample once; add the rate of valid rows, and of all."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "synthetic.csv")
        result = run([*synthesizer[:2], train, out, "--rows", n_rows, *synthesizer[2:]])
        made = pd.read_csv(out)
    valid = valid_share(pd.read_csv(train), made)
    written = len(made) + result.get("invalid_lines", 0)
    rates = {"valid_rows_per_s": valid * len(made), "if_all_were_valid": written}
    return result | {"valid": round(valid, 4)} | {name: round(rows / result["sample_s"], 2) for name, rows in rates.items()}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("train")
    p.add_argument("--out", default="sampling.json")
    p.add_argument("--mostly-python")
    p.add_argument("--gretel-python")
    p.add_argument("--sksynth", default="", help="arguments for run_sksynth.py")
    p.add_argument("--fit-rows", type=int, default=5000)
    p.add_argument("--gretel-epochs", type=int, default=5)
    p.add_argument("--mostly-minutes", type=float, default=2)
    p.add_argument("--rows", type=int, nargs=3, default=[100_000, 1000, 5])
    options = p.parse_args()
    synthesizers = [
        [sys.executable, HERE / "run_sksynth.py", *shlex.split(options.sksynth)],
        [options.mostly_python, HERE / "run_mostly.py", "--model", "lstm", "--minutes", options.mostly_minutes],
        [options.gretel_python, HERE / "run_gretel.py", "--fit-rows", options.fit_rows, "--epochs", options.gretel_epochs],
    ]
    with tempfile.TemporaryDirectory() as folder:
        train = Path(folder, "train.csv")
        pd.read_csv(options.train).head(options.fit_rows).to_csv(train, index=False)
        results = [
            measure(command, train, n_rows) for command, n_rows in zip(synthesizers, options.rows, strict=True) if command[0]
        ]
    for result in results:
        times = results[0]["valid_rows_per_s"] / (result["valid_rows_per_s"] or float("nan"))
        print(
            f"{result['peer']:<28} {result['valid_rows_per_s']:10,.1f} valid rows/s, ours {times:,.0f} times",
            json.dumps(result),
        )
    with open(options.out, "w") as file:
        json.dump({"fit_rows": options.fit_rows, "results": results}, file)


if __name__ == "__main__":
    main()
