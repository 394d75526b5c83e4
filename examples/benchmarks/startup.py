#!/usr/bin/env python3
"""Time until something happens: imports, and the first fit and sample beside the second.

startup.py [--out startup.json] [--table TABLE.csv] [--rows 1000] [--repeats 5]

Medians over repeats, every one in a fresh interpreter; a round before them is not counted. The time of an import is that of
the whole process: subtract that of bare python. Fits are of one epoch and the defaults otherwise, with TensorFlow already
loaded; the second is of the same rows in the same process, so that the difference is what tracing, compiling and the last
imports take.
"""

import json
import statistics
import subprocess
import sys

from measuring import about, fresh, load, parse, resampled, seconds, whole

IMPORTS = {
    "bare python": "pass",
    "import sksynth": "import sksynth",
    "from sksynth import BatchLSTMSynthesizer": "from sksynth import BatchLSTMSynthesizer",
    "import sksynth.core": "import sksynth.core",
    "import tensorflow": "import tensorflow",
}


def import_time(code):
    """Return the time that an interpreter takes for a line of code, from its start to its end."""
    return seconds(lambda: subprocess.run([sys.executable, "-c", code], check=True, stderr=subprocess.DEVNULL))[0]


def measure(n_rows, csv):
    """Fit twice and sample twice, in this process."""
    import sksynth.core  # noqa: F401  TensorFlow is loaded before the clock starts
    from sksynth import BatchLSTMSynthesizer, LSTMTextModel

    table = resampled(load(csv), n_rows)
    models = [BatchLSTMSynthesizer(text_model=LSTMTextModel(epochs=1), random_state=0) for _ in range(2)]
    times = {}
    for name, model in zip(("first", "second"), models, strict=True):
        times[f"{name} fit"] = seconds(lambda model=model: model.fit(table))[0]
    for name in ("first", "second"):
        times[f"{name} sample"] = seconds(lambda: models[0].sample(n_rows, random_state=0))[0]
    return times


def main():
    options = parse(__doc__, "startup.json", measure, rows=whole(1000), repeats=whole(5))
    rounds = []
    for _ in range(1 + options.repeats):
        times = {name: import_time(code) for name, code in IMPORTS.items()}
        rounds.append(times | fresh(__file__, {"n_rows": options.rows, "csv": options.table}))
    counted = {name: [times[name] for times in rounds[1:]] for name in rounds[0]}
    medians = {name: statistics.median(times) for name, times in counted.items()}
    medians["first fit less second"] = medians["first fit"] - medians["second fit"]
    for name, median in medians.items():
        print(f"{name:<42} {median:8.3f} s")
    with open(options.out, "w") as file:
        json.dump({"about": about(options.table), "rows": options.rows, "median_s": medians, "all_s": counted}, file)


if __name__ == "__main__":
    main()
