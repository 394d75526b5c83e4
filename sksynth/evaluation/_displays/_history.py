"""The course of a fit."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from ._drawing import NOTES, new_axes

FIGURES = {
    "loss": "loss (nats per record)",
    "accuracy": "accuracy (share of tokens)",
    "epsilon": "epsilon spent",
}
MARKERS = "osD^vP"  # a batch is told by its marker; with more of them than there are, none is told apart


class HistoryDisplay:
    """Picture of the figures of every batch and epoch of a fit.

    Training rows are solid lines, validation rows dashed; a ring is the epoch whose weights were kept. Make it with
    `from_estimator`.

    Parameters
    ----------
    history : DataFrame
        One row per batch and epoch, as `history_` of the estimators.
    metric : {"auto", "loss", "accuracy", "epsilon"}, default="auto"
        "auto" is the loss, or epsilon where no loss was measured, as in private fits.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D
        Two per batch, of training and of validation rows; one where nothing was validated.

    Raises
    ------
    ValueError
        `metric` is none of these, or was not measured.

    See Also
    --------
    AssociationDisplay : Picture of what ties the columns together.

    Examples
    --------
    >>> import pandas as pd
    >>> from sksynth.evaluation import HistoryDisplay
    >>> history = pd.DataFrame({"batch": 0, "epoch": [0, 1], "loss": [3.0, 2.0], "val_loss": [3.1, 2.4]})
    >>> HistoryDisplay(history).metric
    'loss'
    """

    def __init__(self, history: pd.DataFrame, *, metric: str = "auto"):
        measured = [name for name in FIGURES if name in history and np.isfinite(history[name]).any()]
        if metric != "auto" and metric not in FIGURES:
            raise ValueError(f"metric must be one of 'auto', {', '.join(map(repr, FIGURES))}, got {metric!r}")
        if not measured or metric not in ("auto", *measured):
            raise ValueError(f"history holds no finite {metric!r}, only {measured}: ask for one of these")
        self.history = history
        metric = ([name for name in ("loss", "epsilon") if name in measured] or measured)[0] if metric == "auto" else metric
        self.metric = metric

    @classmethod
    def from_estimator(cls, estimator: Any, *, metric: str = "auto", ax: Any = None, **line_kw: Any) -> "HistoryDisplay":
        """Draw the history of a fitted estimator.

        Parameters
        ----------
        estimator : BatchLSTMSynthesizer or LSTMTextModel
            Anything that has a `history_`.
        metric : {"auto", "loss", "accuracy", "epsilon"}, default="auto"
            "auto" is the loss, or epsilon where no loss was measured, as in private fits.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **line_kw
            For the lines, see `matplotlib.lines.Line2D`.

        Returns
        -------
        HistoryDisplay

        Raises
        ------
        NotFittedError
            The estimator is not fitted.
        ValueError
            `metric` is none of these, or was not measured.
        ImportError
            Without matplotlib.
        """
        check_is_fitted(estimator, "history_")
        return cls(estimator.history_, metric=metric).plot(ax, **line_kw)

    def plot(self, ax: Any = None, **line_kw: Any) -> "HistoryDisplay":
        """Draw the history.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **line_kw
            For the lines, see `matplotlib.lines.Line2D`.

        Returns
        -------
        HistoryDisplay
            This very object.

        Raises
        ------
        ImportError
            Without matplotlib.
        """
        ax = new_axes(ax, self, 6.0, 4.0)
        batches = [own for _, own in self.history.groupby("batch")]
        self.lines_ = [
            line
            for number, own in enumerate(batches)
            for line in self._lines(ax, own, self._looks(number, len(batches)) | line_kw)
        ]
        ax.locator_params(axis="x", integer=True)
        ax.set(xlabel="epoch", ylabel=FIGURES[self.metric])
        self._legend(ax, len(batches))
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _looks(self, number: int, n_batches: int) -> dict:
        if n_batches > len(MARKERS):
            return {"color": "0.35", "linewidth": 0.8, "markersize": 0}
        return {"color": f"C{number}", "marker": MARKERS[number], "markersize": 3.5, "label": f"batch {number}"}

    def _lines(self, ax: Any, own: pd.DataFrame, looks: dict) -> list:
        """Draw one batch."""
        validated = f"val_{self.metric}"
        lines = ax.plot(own["epoch"], own[self.metric], **looks)
        found = validated in own and own[validated].notna().any()
        if found:
            lines += ax.plot(own["epoch"], own[validated], **looks | {"linestyle": "--", "label": None})
        kept = own[own["best"].astype(bool)] if "best" in own else own[:0]
        ax.plot(
            kept["epoch"], kept[validated if found else self.metric], "o", markersize=9, markerfacecolor="none",
            color=lines[0].get_color(),
        )  # fmt: skip
        return lines

    def _legend(self, ax: Any, n_batches: int) -> None:
        """Tell batches by marker and rows by style of line."""
        from matplotlib.lines import Line2D

        handles = [] if n_batches == 1 or n_batches > len(MARKERS) else self.lines_[:: len(self.lines_) // n_batches]
        of = f" ({n_batches} batches)" if n_batches > len(MARKERS) else ""
        handles = [*handles, Line2D([], [], color="0.35", label=f"training rows{of}")]
        if len(self.lines_) > n_batches:
            handles.append(Line2D([], [], color="0.35", linestyle="--", label=f"validation rows{of}"))
        if "best" in self.history and self.history["best"].any():
            ring = {"marker": "o", "markersize": 9, "markerfacecolor": "none", "linestyle": "none"}
            handles.append(Line2D([], [], color="0.35", label="epoch that was kept", **ring))
        ax.legend(handles=handles, **NOTES)
