"""The ledger: every step that read the rows, with what it spent."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ._accounting import LARGEST, accountant_for, check_delta, composed_epsilon, concentrated_epsilon

DP_SGD = "DP-SGD"  # the mechanism of noisy training
COLUMNS = ["step", "mechanism", "parameters", "epsilon", "delta", "covers"]


@dataclass(frozen=True)
class Entry:
    """One step that read the rows.

    Parameters
    ----------
    step : str
        Such as "training of batch 0".
    mechanism : str
        Such as "DP-SGD".
    event : dp_accounting.DpEvent
    parameters : dict of str to value
        All public.
    covers : str
        What was learned by it.
    delta : float
        Probability spent on top of what `event` says (thresholds of partition selection).
    """

    step: str
    mechanism: str
    event: Any
    parameters: dict
    covers: str
    delta: float


class Ledger:
    """All that was released of the same rows, and what it costs together.

    Parameters
    ----------
    delta : float in (0, 1)
        Of the whole release.

    Examples
    --------
    >>> from sksynth.privacy import Ledger, gaussian_event
    >>> ledger = Ledger(delta=1e-6)
    >>> ledger.add("counts", "Gaussian mechanism", gaussian_event(10.0), covers="shares of the categories")
    >>> round(ledger.epsilon(), 2)
    0.4
    >>> ledger.add_unaccounted("bins", "cut at quantiles of the rows")
    >>> ledger.epsilon()
    inf
    """

    def __init__(self, delta: float):
        check_delta(delta)
        self.delta = delta
        self.entries: list[Entry] = []

    def add(self, step: str, mechanism: str, event: Any, *, covers: str, delta: float = 0.0, **parameters: Any) -> None:
        """Enter a step.

        Parameters
        ----------
        step, mechanism : str
        event : dp_accounting.DpEvent
        covers : str
        delta : float, default=0.0
        **parameters
            See `Entry`.
        """
        self.entries.append(Entry(step, mechanism, event, parameters, covers, delta))

    def add_unaccounted(self, step: str, covers: str) -> None:
        """Enter a step that is neither public nor private: it makes epsilon infinite.

        Parameters
        ----------
        step, covers : str
            See `Entry`.
        """
        import dp_accounting

        self.add(step, "none", dp_accounting.NonPrivateDpEvent(), covers=covers)

    def copy(self) -> "Ledger":
        """Return a ledger of the same entries, to which others can be added.

        Returns
        -------
        ledger : Ledger
        """
        other = Ledger(self.delta)
        other.entries = list(self.entries)
        return other

    @property
    def events(self) -> list[Any]:
        """The events of all entries."""
        return [entry.event for entry in self.entries]

    @property
    def remaining_delta(self) -> float:
        """What the accountant may use: delta less what thresholds have spent."""
        return self.delta - sum(entry.delta for entry in self.entries)

    def epsilon(self, more: Sequence[Any] = (), accountant: str = "pld") -> float:
        """Return the epsilon of all entries, composed at `delta`.

        Parameters
        ----------
        more : sequence of dp_accounting.DpEvent, default=()
            Composed with them, and not entered.
        accountant : {"pld", "rdp"}, default="pld"

        Returns
        -------
        epsilon : float
            0.0 without any, infinite where a step is not accounted for.
        """
        return composed_epsilon([*self.events, *more], self.remaining_delta, accountant)

    def to_frame(self) -> pd.DataFrame:
        """Return the entries as a table.

        Returns
        -------
        entries : DataFrame
            A row for each: step, mechanism, parameters, its own epsilon at `remaining_delta`, delta, covers.
        """
        rows = [
            (
                entry.step, entry.mechanism, dict(entry.parameters),
                composed_epsilon([entry.event], self.remaining_delta), entry.delta, entry.covers,
            )
            for entry in self.entries
        ]  # fmt: skip
        return pd.DataFrame(rows, columns=COLUMNS)


def gaussian_event(noise_multiplier: float) -> Any:
    """Return the event of one vector of sums, released with Gaussian noise.

    Parameters
    ----------
    noise_multiplier : float
        Standard deviation of the noise over what one row can change, in Euclidean norm.

    Returns
    -------
    event : dp_accounting.GaussianDpEvent
    """
    import dp_accounting

    return dp_accounting.GaussianDpEvent(noise_multiplier)


def laplace_event(epsilon: float) -> Any:
    """Return the event of one count, released with Laplace noise.

    Parameters
    ----------
    epsilon : float
        One over the scale of the noise.

    Returns
    -------
    event : dp_accounting.LaplaceDpEvent
    """
    import dp_accounting

    return dp_accounting.LaplaceDpEvent(1.0 / epsilon)


def epsilons_along(ledger: Ledger, event_of: Any, ends: Sequence[int]) -> np.ndarray:
    """Return the ledger's epsilon with a first part of the steps of one more entry.

    Parameters
    ----------
    ledger : Ledger
    event_of : callable
        The event of a number of steps.
    ends : sequence of int
        Numbers of steps, ascending.

    Returns
    -------
    epsilons : ndarray of float, shape (len(ends),)
    """
    every = [*ledger.events, event_of(ends[-1])]
    if concentrated_epsilon(every, ledger.remaining_delta) > LARGEST:
        return np.array([composed_epsilon([*ledger.events, event_of(end)], ledger.remaining_delta) for end in ends])
    state, taken, found = accountant_for(every, ledger.remaining_delta), 0, []
    for event in ledger.events:
        state.compose(event)
    for end in ends:
        if end > taken:
            state.compose(event_of(end - taken))
        taken = end
        found.append(float(state.get_epsilon(ledger.remaining_delta)))
    return np.array(found)
