"""The history of a fit: one row per epoch."""

import csv
import io
from collections import Counter
from collections.abc import Sequence

import pandas as pd

HISTORY = ["batch", "epoch", "loss", "accuracy", "val_loss", "val_accuracy", "epsilon", "delta", "seconds", "best", "ended"]
PLAN, EARLY, TIME, INTERRUPT, CALLBACK = "plan", "early stopping", "time", "interrupt", "callback"  # why training ends
FALLING = 0.02  # nats per record and epoch by which a loss still falls that is worth more epochs
DTYPES = dict.fromkeys(HISTORY, "float64") | {"batch": "int64", "epoch": "int64", "best": "bool", "ended": "object"}


def history_frame(records: list[dict], batch: int = 0) -> pd.DataFrame:
    """Return the records of a run as `history_`."""
    frame = pd.DataFrame(records).reindex(columns=HISTORY).assign(batch=batch).astype(DTYPES)
    return frame.assign(ended=frame["ended"].fillna("").astype(object))


def best_epoch(records: list[dict]) -> int:
    """Return the number of the epoch that is marked as the best; -1 where none is."""
    return max((record["epoch"] for record in records if record["best"]), default=-1)


def summary(histories: Sequence[pd.DataFrame]) -> str:
    """Return a line on why the training of all batches ended, and what to set where their losses were still falling.

    Parameters
    ----------
    histories : sequence of DataFrame
        Those of the batches that were trained.
    """
    histories = [history for history in histories if len(history)]
    counts = Counter(history["ended"].iloc[-1] for history in histories)
    said = "training ended: " + ", ".join(f"{why} ({_count(n)})" for why, n in counts.items())
    falls = [fall if history["ended"].iloc[-1] != EARLY else 0.0 for history in histories for fall in [_fall(history)]]
    falling = [fall for fall in falls if fall > FALLING]
    if not falling:
        return said
    longest = max(len(history) for history, fall in zip(histories, falls, strict=True) if fall > FALLING)
    remedy = f"set LSTMTextModel(epochs={2 * longest})" if PLAN in counts else "give it more time"
    return f"{said}; the loss still fell in {_count(len(falling))}, by up to {max(falling):.2f} nats a row and epoch: {remedy}"


def _count(n):
    return f"{n} batch{'es' * (n != 1)}"


def _fall(history):
    """Return by how much the loss fell in each of the last epochs."""
    losses = history["loss" if history["val_loss"].isna().any() else "val_loss"].to_numpy()[-3:]
    return (losses[0] - losses[-1]) / max(len(losses) - 1, 1)


def history_to_csv(history: pd.DataFrame) -> bytes:
    """Return a history as CSV, every digit kept."""
    return history.to_csv(index=False).encode()


def history_from_csv(content: bytes) -> pd.DataFrame:
    """Return the history of which `history_to_csv` made `content`; ValueError if of none."""
    read = {"float64": lambda text: float(text or "nan"), "int64": int, "bool": ["False", "True"].index, "object": str}
    header, *rows = [*csv.reader(io.StringIO(content.decode()))] or [[]]
    if header != HISTORY or {len(row) for row in rows} - {len(HISTORY)}:
        raise ValueError(f"got a history of columns {header}, expected rows of {HISTORY}")
    cells = {name: [read[DTYPES[name]](row[place]) for row in rows] for place, name in enumerate(HISTORY)}
    return pd.DataFrame(cells).astype(DTYPES)
