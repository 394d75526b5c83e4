"""The history of a fit: one row per epoch."""

import csv
import io

import numpy as np
import pandas as pd

HISTORY = ["batch", "epoch", "loss", "accuracy", "val_loss", "val_accuracy", "epsilon", "delta", "seconds", "best"]
FALLING = 0.02  # nats per record and epoch by which a loss still falls that is worth more epochs
DTYPES = dict.fromkeys(HISTORY, "float64") | {"batch": "int64", "epoch": "int64", "best": "bool"}


def history_frame(records: list[dict], batch: int = 0) -> pd.DataFrame:
    """Return the records of a run as `history_`."""
    return pd.DataFrame(records).reindex(columns=HISTORY).assign(batch=batch).astype(DTYPES)


def best_epoch(records: list[dict]) -> int:
    """Return the number of the epoch that is marked as the best; -1 where none is."""
    return max((record["epoch"] for record in records if record["best"]), default=-1)


def ending(records: list[dict], settings: dict, planned: int, stopped: str = "") -> str:
    """Return a sentence on why training ended, and what to set where the loss was still falling.

    Parameters
    ----------
    records : list of dict
        The epochs of this run.
    settings : dict
        Those of training.
    planned : int
        Epochs that the plan came to.
    stopped : str, default=""
        What ended it from outside.
    """
    n_epochs, monitor = len(records), settings["monitor"]
    if n_epochs == 0:
        return f"training ended before an epoch was over: {stopped or 'nothing was left to do'}"
    if np.isnan(records[-1][monitor]):
        monitor = monitor.removeprefix("val_")
    waited = n_epochs - 1 - next((place for place, one in enumerate(records) if one["best"]), -1)
    early = settings["patience"] is not None and waited >= settings["patience"]
    own = f"{monitor} was no better for {waited} epochs" if early else "a callback ended it"
    why = stopped or ("the planned epochs are over" if n_epochs >= planned else own)
    said = f"training ended after {n_epochs} of {planned} epochs: {why}"
    figures = [record[monitor] for record in records[-3:]]
    fall = (figures[0] - figures[-1]) / max(len(figures) - 1, 1)
    if early or not fall > FALLING or monitor.endswith("accuracy"):
        return said
    remedy = "allow more time" if stopped else f"set epochs={2 * planned}"
    return f"{said}; {monitor} still fell by {fall:.2f} nats an epoch: {remedy}"


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
