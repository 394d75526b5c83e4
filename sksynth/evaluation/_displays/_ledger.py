"""What a private fit spent, step by step."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from ._drawing import name_ticks, new_axes, shown, take_literally

HATCHES = ["", "////", "....", "xxxx", "----"]  # a mechanism each, in turn


class PrivacyLedgerDisplay:
    """Picture of the epsilon of every step that read the rows, beside that of all together.

    The steps compose to less than the sum of their epsilons. A step that is not private at all has none: its bar ends in an
    arrow. Make it with `from_estimator`.

    Parameters
    ----------
    ledger : DataFrame
        One row per step, with the columns step, mechanism and epsilon, as `privacy_ledger_` of the estimators.
    epsilon : float
        Of all steps together; may be infinite.
    delta : float
        That goes with it.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    bars_ : list of matplotlib Rectangle
        One per step from top to bottom, then that of all together.

    See Also
    --------
    sksynth.privacy.Ledger : Where steps are entered and composed.

    Examples
    --------
    >>> from sksynth.evaluation import PrivacyLedgerDisplay
    >>> from sksynth.privacy import Ledger, gaussian_event
    >>> ledger = Ledger(delta=1e-6)
    >>> ledger.add("counts", "Gaussian mechanism", gaussian_event(10.0), covers="shares of the categories")
    >>> display = PrivacyLedgerDisplay(ledger.to_frame(), ledger.epsilon(), ledger.delta)
    >>> round(display.epsilon, 2)
    0.4
    """

    def __init__(self, ledger: pd.DataFrame, epsilon: float, delta: float):
        self.ledger = ledger
        self.epsilon = epsilon
        self.delta = delta

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None, **bar_kw: Any) -> "PrivacyLedgerDisplay":
        """Draw the ledger of an estimator that was fitted with epsilon.

        Parameters
        ----------
        estimator : BatchLSTMSynthesizer or LSTMTextModel
            Anything that has `privacy_ledger_`, `epsilon_` and `delta_`.
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **bar_kw
            For the bars, see `matplotlib.axes.Axes.barh`.

        Returns
        -------
        PrivacyLedgerDisplay

        Raises
        ------
        NotFittedError
            The estimator is not fitted.
        ValueError
            It was fitted without epsilon, so that there is no ledger.
        ImportError
            Without matplotlib.
        """
        check_is_fitted(estimator)
        if not hasattr(estimator, "privacy_ledger_"):
            raise ValueError(
                f"this {type(estimator).__name__} has no privacy_ledger_, as it was fitted without epsilon: fit it with one, "
                "such as epsilon=3.0"
            )
        return cls(estimator.privacy_ledger_, estimator.epsilon_, estimator.delta_).plot(ax, **bar_kw)

    def plot(self, ax: Any = None, **bar_kw: Any) -> "PrivacyLedgerDisplay":
        """Draw the ledger.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw; None makes a figure.
        **bar_kw
            For the bars, see `matplotlib.axes.Axes.barh`.

        Returns
        -------
        PrivacyLedgerDisplay
            This very object.

        Raises
        ------
        ImportError
            Without matplotlib.
        """
        steps = [*self.ledger["step"], "all together"]
        spent = np.array([*self.ledger["epsilon"], self.epsilon], dtype=float)
        ax = new_axes(ax, self, 7.0, 1.4 + 0.32 * len(steps))
        self.bars_ = self._bars(ax, steps, spent, bar_kw)
        name_ticks(ax.yaxis, range(len(steps)), [shown(step, 40) for step in steps])
        ax.invert_yaxis()
        ax.axhline(len(steps) - 1.5, color="0.6", linewidth=0.8)
        ax.set_xlabel(f"epsilon at delta = {self.delta:.3g}")
        ax.margins(x=0.16)
        ax.spines[["top", "right"]].set_visible(False)
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _bars(self, ax: Any, steps: list, spent: np.ndarray, bar_kw: dict) -> list:
        """Draw one bar per step, its figure beside it; a hatch is a mechanism."""
        finite = spent[np.isfinite(spent)]
        longest = 1.2 * finite.max() if finite.size and finite.max() > 0 else 1.0
        lengths = np.where(np.isfinite(spent), spent, longest)
        kinds = list(dict.fromkeys(self.ledger["mechanism"]))
        bars = []
        for number, mechanism in enumerate(kinds):
            looks = {"color": f"C{number}", "edgecolor": "white", "hatch": HATCHES[number % len(HATCHES)]}
            places = np.flatnonzero(self.ledger["mechanism"] == mechanism)
            drawn = ax.barh(places, lengths[places], **looks | {"label": shown(mechanism, 40)} | bar_kw)
            bars += zip(places, drawn, strict=True)
        bars += [(len(steps) - 1, *ax.barh([len(steps) - 1], lengths[-1:], **{"color": "0.25"} | bar_kw))]
        for place, value in enumerate(spent):
            text = f" {value:.3g}" if np.isfinite(value) else " →  infinite"
            ax.text(lengths[place], place, text, va="center", fontsize="small")
        if kinds:
            legend = ax.figure.legend(loc="outside lower right", ncols=min(2, len(kinds)), fontsize="small", frameon=False)
            take_literally(*legend.get_texts())
        return [bar for _, bar in sorted(bars, key=lambda pair: pair[0])]
