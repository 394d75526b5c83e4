"""What the measurements share: arguments, interpreters of their own, memory (of Linux), tables of any size, slopes."""

import argparse
import ast
import json
import os
import platform
import resource
import sys
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from compare import run


def parse(doc, out, measure=None, **more):
    """Return the options of a script: --table, --out, and more by name, each as `add_argument` takes it.

    Where the script was started by `fresh`, measure that point, print it and end.
    """
    p = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--out", default=out)
    p.add_argument("--table", help="CSV file; without it, the table that sksynth has")
    p.add_argument("--point", type=json.loads, help=argparse.SUPPRESS)
    for name, taken in more.items():
        p.add_argument("--" + name.replace("_", "-"), **taken)
    options = p.parse_args()
    if options.point:
        print(json.dumps(measure(**options.point)))
        raise SystemExit
    return options


def parse_tables(doc, **more):
    """Return the options of a script that fits a training table for several seeds: the tables, --seeds, --set, and more."""
    p = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("train")
    p.add_argument("holdout")
    p.add_argument("--seeds", type=int, default=3)
    p.add_argument("--set", type=parameter, nargs="+", default=[], metavar="NAME=VALUE")
    for name, taken in more.items():
        p.add_argument("--" + name.replace("_", "-"), **taken)
    return p.parse_args()


def parameter(text):
    """Read NAME=VALUE, the value as a Python literal where it is one."""
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, got {text!r}")
    try:
        return name, ast.literal_eval(value)
    except (SyntaxError, ValueError):
        return name, value


def whole(default, **taken):
    """Describe an option that is a whole number, or several."""
    return {"type": int, "default": default} | taken


def fresh(script, point):
    """Run `script --point JSON` in an interpreter of its own, so that time and memory are this point's alone."""
    return run([sys.executable, script, "--point", json.dumps(point)])


def seconds(call):
    """Call, and return how long it took and what it returned."""
    start = time.perf_counter()
    made = call()
    return time.perf_counter() - start, made


def rss_mb():
    """Return what this process holds now, in MB (10^6 bytes)."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return round(pages * resource.getpagesize() / 1e6, 1)


def peak_mb():
    """Return the most that this process ever held, in MB; no less than its parent held, so parents stay small."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6, 1)


def load(csv):
    """Read a table; without a file, the one that sksynth has."""
    from sksynth.datasets import load_adult

    return pd.read_csv(csv) if csv else load_adult()


def resampled(table, n_rows):
    """Draw rows with replacement."""
    return table.sample(n_rows, replace=True, random_state=0, ignore_index=True)


def slope(sizes, times):
    """Return the exponent of the power law that fits best: least squares of log time over log size."""
    return float(np.polyfit(np.log(sizes), np.log(times), 1)[0])


def about(csv=None):
    """Say what was measured on."""
    versions = {name: version(name) for name in ("tensorflow", "keras", "numpy", "pandas")}
    table = Path(csv).name if csv else "load_adult()"
    return {"table": table, "cpus": os.cpu_count(), "python": platform.python_version()} | versions
