#!/usr/bin/env python3
"""Run sksynth and a peer side by side on one table, score both, and print a Markdown table of the means.

compare.py TRAIN.csv HOLDOUT.csv --out RESULTS.jsonl --score-python P [--mostly-python P] [--target COLUMN] [--seeds N]
           [--sksynth="--max-columns 80"] [--mostly="--epsilon 3"]

Run it with the interpreter that has sksynth; peers.sh makes the others. The synthesizers take turns, seed by seed, each in a
process of its own, so that a busy machine is as unkind to one as to the other. RESULTS.jsonl gets a line per run.
"""

import argparse
import json
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd

HERE = Path(__file__).resolve().parent
COLUMNS = ["fit_s", "rows_per_s", "quality", "pairs", "c2st", "tstr", "valid", "legal", "missing_gap", "dcr_share", "copies"]
CEILING = {"quality": "quality_real", "c2st": "c2st_real", "tstr": "trtr", "copies": "copies_real"}  # what real rows reach


def run(command):
    """Run a script and return the object that its last line of output holds."""
    done = subprocess.run([str(part) for part in command], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(f"{shlex.join(map(str, command))} ended with code {done.returncode}; its own message is above.")
    return json.loads(done.stdout.strip().splitlines()[-1])


def measure(synthesizer, arguments, seed, options):
    """Fit, sample and score once."""
    target = ["--target", options.target] if options.target else []
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "synthetic.csv")
        result = run([*synthesizer, options.train, out, "--seed", seed, *arguments])
        score = run([options.score_python, HERE / "score.py", options.train, options.holdout, out, *target])
    return {"train": Path(options.train).name, "seed": seed, **result, **score}


def summary(results):
    """Means over the seeds as a Markdown table, with what real rows reach in the last line."""
    frame = pd.DataFrame(results)
    columns = [name for name in COLUMNS if name in frame]
    table = frame.groupby("peer", sort=False)[columns].mean()
    table.loc["real rows"] = {name: frame[real].mean() for name, real in CEILING.items() if real in frame}
    digits = {"fit_s": "{:.1f}", "rows_per_s": "{:,.0f}"}
    lines = [["", *columns], ["---"] * (len(columns) + 1)]
    for peer, values in table.iterrows():
        cells = ["" if pd.isna(value) else digits.get(name, "{:.4f}").format(value) for name, value in values.items()]
        lines.append([peer, *cells])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("train")
    p.add_argument("holdout")
    p.add_argument("--out", required=True, help="file of JSON lines, added to")
    p.add_argument("--target", help="column to predict, for tstr")
    p.add_argument("--seeds", type=int, default=3, help="number of seeds, from 0")
    p.add_argument("--score-python", required=True, help="interpreter of the environment 'score'")
    p.add_argument("--mostly-python", help="interpreter of the environment 'mostly'; without it sksynth runs alone")
    p.add_argument("--sksynth", default="", help="arguments for run_sksynth.py")
    p.add_argument("--mostly", default="", help="arguments for run_mostly.py")
    options = p.parse_args()
    synthesizers = [([sys.executable, HERE / "run_sksynth.py"], shlex.split(options.sksynth))]
    if options.mostly_python:
        synthesizers.append(([options.mostly_python, HERE / "run_mostly.py"], shlex.split(options.mostly)))
    results = []
    for seed in range(options.seeds):
        for synthesizer, arguments in synthesizers:
            results.append(measure(synthesizer, arguments, seed, options))
            with open(options.out, "a") as file:
                file.write(json.dumps(results[-1]) + "\n")
            print(json.dumps(results[-1]), file=sys.stderr)
    print(summary(results))


if __name__ == "__main__":
    main()
