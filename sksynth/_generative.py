"""What the estimators that sample have in common."""

from numbers import Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator

from ._private import statement_of
from .privacy._ledger import Ledger


class GenerativeModel(BaseEstimator):
    """An estimator that is fitted when it has a history, and scores by likelihood."""

    def score(self, X: Any, y: Any = None) -> float:
        """Return the mean log-likelihood per record, in nats.

        Parameters
        ----------
        X : what fit takes
        y : ignored

        Returns
        -------
        score : float
        """
        return float(self.score_samples(X).mean())

    def _forget(self) -> None:
        """Remove what an earlier fit learned, so that one that fails leaves nothing half-fitted behind."""
        for name in [name for name in vars(self) if name.endswith("_") or name in ("_weights", "_container")]:
            delattr(self, name)

    def _set_privacy(self, ledger: Ledger, facts: Any) -> None:
        """Say what a private fit spends; `facts` tell what was public of its rows, see `_private.statement_of`."""
        self.epsilon_, self.delta_ = ledger.epsilon(), ledger.delta
        self.privacy_ledger_, self.privacy_statement_ = ledger.to_frame(), statement_of(ledger, self.epsilon_, facts)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "history_")


def check_draw(n_samples: Any, temperature: Any, *, name: str = "n_samples") -> None:
    """Refuse what `sample` cannot draw."""
    if isinstance(n_samples, bool) or not isinstance(n_samples, int | np.integer):
        raise TypeError(f"{name} must be an int >= 1, got {n_samples!r}")
    if n_samples < 1:
        raise ValueError(f"{name} must be an int >= 1, got {n_samples!r}")
    if isinstance(temperature, bool) or not isinstance(temperature, Real):
        raise TypeError(f"temperature must be a number > 0, got {temperature!r}: 1.0 samples what was learned")
    if not np.isfinite(temperature) or temperature <= 0:
        raise ValueError(f"temperature must be a number > 0, got {temperature!r}: 1.0 samples what was learned")
