#!/usr/bin/env python3
"""Memory of fitting lines of text that are in a file, beside that of the same lines in a list.

lines_memory.py [--out lines_memory.json] [--mb 400] [--train-seconds 5]

The file is made of random words, about 35 characters to a line. Each fit runs in a process of its own: a tiny network, the
defaults otherwise, at most one epoch, which `max_time` ends as soon as so many seconds are over, tokenizing included; the
held-out lines are scored all the same. MB are 10^6 bytes.
"""

import json
import tempfile
from pathlib import Path

import numpy as np
from measuring import about, fresh, parse, peak_mb, rss_mb, seconds, whole

BLOCK_LINES = 50_000  # that are made together


def write_lines(path, mb):
    """Write a file of random lines of at least so many MB; return the number of lines."""
    rng, n_lines = np.random.default_rng(0), 0
    letters = [list("bcdfghlmnprstvw"), list("aeiou")]
    words = ["".join(rng.choice(letters[place % 2]) for place in range(rng.integers(2, 8))) for _ in range(20_000)]
    with open(path, "w", encoding="utf-8") as file:
        while file.tell() < mb * 1e6:
            chosen, lengths = rng.zipf(1.3, (BLOCK_LINES, 10)) % len(words), rng.integers(4, 11, BLOCK_LINES)
            rows = zip(chosen.tolist(), lengths.tolist(), strict=True)
            file.writelines(" ".join(words[number] for number in row[:length]) + "\n" for row, length in rows)
            n_lines += BLOCK_LINES
    return n_lines


def measure(path, as_list, train_seconds):
    """Fit once, in this process; return what it held."""
    import sksynth.core  # noqa: F401  TensorFlow is among what is held after the imports
    from sksynth import LSTMTextModel

    imported = rss_mb()
    lines = Path(path).read_text("utf-8").splitlines() if as_list else path
    loaded = rss_mb()
    model = LSTMTextModel(embedding_dim=8, rnn_units=8, epochs=1, max_time=train_seconds, random_state=0)
    fit_s, _ = seconds(lambda: model.fit(lines))
    return {
        "imports_mb": imported,
        "loaded_mb": loaded,
        "peak_mb": peak_mb(),
        "fitted_mb": rss_mb(),
        "fit_s": round(fit_s, 1),
        "positions": model.tokenizer_.grammar_.n_positions,
    }


def main():
    options = parse(__doc__, "lines_memory.json", measure, mb=whole(400), train_seconds=whole(5))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lines.txt"
        result = {"about": about() | {"table": "random lines"}, "lines": write_lines(path, options.mb)}
        result["file_mb"] = round(path.stat().st_size / 1e6, 1)
        for name, as_list in (("path", False), ("list", True)):
            point = {"path": str(path), "as_list": as_list, "train_seconds": options.train_seconds}
            result[name] = fresh(__file__, point)
    print(json.dumps(result))
    with open(options.out, "w") as file:
        json.dump(result, file)


if __name__ == "__main__":
    main()
