"""Batches of columns of a private fit: all columns together, or clustered by a noisy association."""

import numpy as np
import pandas as pd

from .._clusterer import ColumnClusterer
from ..privacy._ledger import Ledger
from ._cells import cell_by_cell
from ._release import Release, early_noise

CODES = 4  # levels of a column that the association tells apart


def cluster_privately(
    clusterer: ColumnClusterer, frame: pd.DataFrame, released: Release, ledger: Ledger, epsilon: float | None
) -> ColumnClusterer:
    """Fit a clusterer without showing it more than is released, and enter in the ledger what that costs.

    A table of no more columns than fit a batch is one batch, for which nothing has to be read.

    Parameters
    ----------
    clusterer : ColumnClusterer
        A clone.
    frame : DataFrame
    released : Release
    ledger : Ledger
    epsilon : float or None
        What everything together may spend.
    """
    if clusterer.batches is None and clusterer.noise_multiplier is None:
        if frame.shape[1] <= clusterer.max_columns:
            return clusterer.set_params(batches=[list(frame.columns)]).fit(frame)
        clusterer.set_params(noise_multiplier=early_noise(epsilon, ledger.delta))
    if clusterer.batches is not None:
        return clusterer.fit(frame)
    clusterer.fit(coarse_codes(frame, released))
    ledger.add(
        "association of columns", "Gaussian mechanism", clusterer.privacy_event_,
        covers="how strongly every two columns depend on each other", noise_multiplier=clusterer.noise_multiplier,
    )  # fmt: skip
    return clusterer


def coarse_codes(frame: pd.DataFrame, released: Release) -> pd.DataFrame:
    """Return the columns as categories of few levels, which follow from the released shapes alone."""
    tokenizer, public = released.fit_tokenizer()
    real, codes, at = tokenizer.encode(cell_by_cell(frame, released.schema), cut=True), {}, 0
    for place, codec in zip(tokenizer._reading(), tokenizer.codecs_, strict=True):
        first = real[:, at] if codec.n_positions else np.zeros(len(real), int)
        known = public[:, at] if codec.n_positions else np.zeros(1, int)
        codes[place] = _binned(first, known)
        at += codec.n_positions
    coarse = pd.DataFrame({frame.columns[place]: codes[place] for place in sorted(codes)}, index=frame.index)
    return coarse.set_axis(frame.columns, axis=1)


def _binned(tokens, known):
    """Tokens in `CODES` bins that hold about equally many of the known ones."""
    counts = np.bincount(known, minlength=max(tokens.max(), known.max()) + 1)
    middle = (np.cumsum(counts) - counts / 2) / counts.sum()
    bins = np.minimum((middle * CODES).astype(int), CODES - 1)
    return pd.Categorical.from_codes(bins[tokens], categories=range(CODES))
