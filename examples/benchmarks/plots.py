#!/usr/bin/env python3
"""Draw what step.py, growth.py, memory.py and parallel.py measured.

plots.py [--results FOLDER] [--out docs/images]

Reads step.json, growth.jsonl, memory.json and parallel.json in the folder, those that are there, and writes a picture of each.
Needs matplotlib.
"""

import argparse
import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from growth import SIZE, slopes

STYLE = {"axes.spines.top": False, "axes.spines.right": False, "legend.frameon": False, "hatch.linewidth": 0.6}
BARS = {  # beginning of a candidate's name: label, colour, hatch
    "keras graph": ("stock Keras, graph", "white", ""),
    "keras xla": ("stock Keras, XLA", "white", "////"),
    "torch": ("torch", "darkgray", ""),
    "ours": ("sksynth", "black", ""),
}
AXES = {"rows": "rows", "columns": "columns (tokens of a row)", "text": "characters of the text"}
LINES = [("fit_s", "fit", "o-"), ("sample_s", "sample", "s--")]


def bars(ax, places, values, form, **looks):
    """Draw bars that tell their values."""
    ax.bar_label(ax.bar(places, values, edgecolor="black", linewidth=0.8, **looks), fmt=form, fontsize=8, padding=2)
    ax.margins(y=0.1)


def step(path):
    """Tokens per second by units, as multiples of stock Keras' faster mode."""
    measured = json.loads(path.read_text())
    results = measured["results"]
    candidates = [result["candidates"] for result in results]
    names = [name for name in BARS if any(key.startswith(name) for key in candidates[0])]
    figure, ax = plt.subplots(figsize=(8, 4), layout="constrained")
    width = 0.84 / len(names)
    for number, name in enumerate(names):
        label, color, hatch = BARS[name]
        places = [place + width * (number - (len(names) - 1) / 2) for place in range(len(results))]
        ratios = [max(found["ratio"] for key, found in own.items() if key.startswith(name)) for own in candidates]
        bars(ax, places, ratios, "%.2f", width=width, color=color, hatch=hatch, label=label)
    ax.set_xticks(range(len(results)), [result["units"] for result in results])
    ax.set_xlabel("LSTM units")
    ax.set_ylabel("tokens/s of a training step\n(stock Keras' faster mode = 1)")
    ax.set_title(f"{measured['batch']} rows of {results[0]['positions']} tokens a step", fontsize=10)
    figure.legend(loc="outside lower center", ncols=len(names), fontsize=9)
    return figure


def growth(path):
    """Seconds over rows, columns and characters."""
    points = [json.loads(line) for line in path.read_text().splitlines()]
    axes = [axis for axis in SIZE if any(point["axis"] == axis for point in points)]
    size = 3.2 * len(axes), 3.6
    figure, panels = plt.subplots(1, len(axes), figsize=size, sharey=True, layout="constrained", squeeze=False)
    for ax, axis in zip(panels[0], axes, strict=True):
        own = sorted((point for point in points if point["axis"] == axis), key=lambda point: point["size"])
        sizes, found = [point[SIZE[axis]] for point in own], slopes(points, axis)
        for name, label, line in LINES:
            label += f", slope {found[name]['overall']:.2f}" if found else ""
            ax.loglog(sizes, [point[name] for point in own], line, color="black", markerfacecolor="white", label=label)
        named = [f"{point['size']:,}" + f"\n({point['positions']})" * (axis == "columns") for point in own]
        ax.set_xticks(sizes, named)
        ax.minorticks_off()
        ax.set_xlabel(AXES[axis])
        ax.legend(fontsize=9, handlelength=3)
    panels[0][0].set_ylabel("time (s)")
    return figure


def memory(path):
    """What the process holds over sampled rows."""
    sampled = json.loads(path.read_text())["sample"]
    held, total = sampled["held_mb"], sampled["rows"]
    rows = [min((number + 1) * sampled["chunk_rows"], total) / 1e6 for number in range(len(held))]
    figure, ax = plt.subplots(figsize=(6, 3.4), layout="constrained")
    ax.plot(rows, held, color="black", linewidth=1)
    ax.set_xlim(0, rows[-1])
    ax.set_ylim(0, 1.15 * max(held))
    ax.set_xlabel(f"rows sampled (millions, in chunks of {sampled['chunk_rows']:,})")
    ax.set_ylabel("resident memory (MB)")
    return figure


def parallel(path):
    """Seconds to fit four batches in each way."""
    medians = json.loads(path.read_text())["median_s"]
    figure, ax = plt.subplots(figsize=(5, 3.4), layout="constrained")
    bars(ax, list(medians), list(medians.values()), "%.1f", width=0.5, color="darkgray")
    ax.set_ylabel("time to fit four batches (s)")
    return figure


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--results", type=Path, default=Path())
    p.add_argument("--out", type=Path, default=Path("docs/images"))
    options = p.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    with plt.rc_context(STYLE):
        for draw, ending in ((step, "json"), (growth, "jsonl"), (memory, "json"), (parallel, "json")):
            path = options.results / f"{draw.__name__}.{ending}"
            if path.exists():
                picture = options.out / f"{draw.__name__}.png"
                draw(path).savefig(picture, dpi=150)
                print(picture)


if __name__ == "__main__":
    main()
