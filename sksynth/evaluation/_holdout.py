"""Whether a holdout is a random part of the real rows, or differs from them by itself."""

import numpy as np
import pandas as pd
from scipy.stats import chi2_contingency, ks_2samp

from ._kinds import codes

CHANCE = 1e-4  # probability that the columns of a random part are called different
DEVIATIONS = 6.0  # of an AUC of guesses without cross-validation, whose folds add to it: what is beyond is no chance
N_LEVELS = 20  # categories that are tested apart; the rarer ones are one


def holdout_shift(real: pd.DataFrame, holdout: pd.DataFrame, kinds: pd.Series, auc: float, n_samples: int) -> list | None:
    """Return by which columns a holdout differs from the real rows beyond chance; None if it may be a random part of both.

    Parameters
    ----------
    real, holdout : DataFrame
        Plain tables of the same columns.
    kinds : Series
        Of their columns.
    auc : float
        Of a classifier that tells one from the other.
    n_samples : int
        Rows of either table that it was tested on.

    Returns
    -------
    columns : list of column names or None
        Those whose distributions differ, the most certain first; none, where it is only whole rows that differ.
    """
    chances = [_chance(real[column], holdout[column], kind) for column, kind in kinds.items()]
    places = [place for place in np.argsort(chances, kind="stable") if chances[place] < CHANCE / len(kinds)]
    spread = np.sqrt(1 / (6 * n_samples))  # of the AUC where both tables have one distribution
    if not places and auc < 0.5 + DEVIATIONS * spread:
        return None
    return [kinds.index[place] for place in places]


def _chance(real, holdout, kind):
    """Return the probability that two samples of one distribution differ as much as two columns do."""
    missing = _chi2(real.isna(), holdout.isna())
    if kind == "unique" or real.notna().sum() == 0 or holdout.notna().sum() == 0:
        return missing
    if kind == "number":
        return min(missing, ks_2samp(real.dropna().to_numpy(), holdout.dropna().to_numpy(), method="asymp").pvalue)
    return min(missing, _chi2(real, holdout))


def _chi2(real, holdout):
    both = codes(real, holdout)
    counts = np.stack([np.bincount(part + 1, minlength=max(map(np.max, both)) + 2) for part in both])
    counts = counts[:, np.argsort(-counts.sum(axis=0), kind="stable")]
    often = counts.sum(axis=0) >= 5 * counts.sum() / counts.sum(axis=1).min()  # five expected in the smaller table
    often &= np.arange(len(often)) < N_LEVELS
    counts = np.column_stack([counts[:, often], counts[:, ~often].sum(axis=1)])
    counts = counts[:, counts.sum(axis=0) > 0]
    return chi2_contingency(counts).pvalue if counts.shape[1] > 1 else 1.0
