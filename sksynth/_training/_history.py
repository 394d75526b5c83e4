"""The history of a fit: one row per epoch."""

import csv
import io

import pandas as pd

HISTORY = ["batch", "epoch", "loss", "accuracy", "val_loss", "val_accuracy", "epsilon", "delta", "seconds", "best"]
DTYPES = dict.fromkeys(HISTORY, "float64") | {"batch": "int64", "epoch": "int64", "best": "bool"}


def history_frame(records: list[dict], batch: int = 0) -> pd.DataFrame:
    """Return the records of a run as `history_`."""
    return pd.DataFrame(records).reindex(columns=HISTORY).assign(batch=batch).astype(DTYPES)


def best_epoch(records: list[dict]) -> int:
    """Return the number of the epoch that is marked as the best; -1 where none is."""
    return max((record["epoch"] for record in records if record["best"]), default=-1)


def history_to_csv(history: pd.DataFrame) -> bytes:
    """Return a history as CSV, every digit kept."""
    return history.to_csv(index=False).encode()


def history_from_csv(content: bytes) -> pd.DataFrame:
    """Return the history of which `history_to_csv` made `content`; ValueError if of none."""
    read = {"float64": lambda text: float(text or "nan"), "int64": int, "bool": ["False", "True"].index}
    header, *rows = [*csv.reader(io.StringIO(content.decode()))] or [[]]
    if header != HISTORY or {len(row) for row in rows} - {len(HISTORY)}:
        raise ValueError(f"got a history of columns {header}, expected rows of {HISTORY}")
    cells = {name: [read[DTYPES[name]](row[place]) for row in rows] for place, name in enumerate(HISTORY)}
    return pd.DataFrame(cells).astype(DTYPES)
