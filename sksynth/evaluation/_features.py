"""Plain tables as numbers, for classifiers and for distances."""

from collections.abc import Callable

import numpy as np
import pandas as pd
from pandas.api.types import is_float_dtype
from sklearn.preprocessing import OneHotEncoder, QuantileTransformer

MAX_LEVELS = 50  # categories of a column that are told apart
N_QUANTILES = 200  # of a number, where distances are measured


def texts(column: pd.Series) -> pd.Series:
    """Return the values of a plain column as strings, missing ones as "nan"."""
    cells = column.astype(object).where(column.notna(), np.nan)
    return pd.Series(list(map(str, cells)), column.index, object, column.name)


def features(frame: pd.DataFrame, reference: pd.DataFrame, kinds: pd.Series) -> pd.DataFrame:
    """Return what a classifier sees of a plain table: floats, NaN where missing.

    Quantities are themselves; a category is the rank of its value among the commonest of the reference, -1 if it is none of
    them; of identifiers and text the length is seen.
    """
    seen = {place: _feature(frame[column], reference[column], kind) for place, (column, kind) in enumerate(kinds.items())}
    return pd.DataFrame(seen).set_axis(kinds.index, axis=1)


def _feature(column, reference, kind):
    if is_float_dtype(reference):
        return column
    if kind == "unique":
        values = texts(column).map(len)
    else:
        common = texts(reference).value_counts().index[:MAX_LEVELS]
        ranks = {value: rank for rank, value in enumerate(sorted(common))}
        values = texts(column).map(lambda value: ranks.get(value, -1))
    return values.astype(float).where(column.notna())


def metric_space(
    reference: pd.DataFrame, kinds: pd.Series, fitted: pd.DataFrame
) -> Callable[[pd.DataFrame], np.ndarray] | None:
    """Return a function that makes plain tables points between which distances mean something; None if no column can.

    Quantities become their quantiles among the rows that it is fitted on, missing ones being put at the reference's median
    (zero where it has none); every other column becomes indicators of its commonest values there, missing being one more
    value. Columns of kind "unique" are left out.
    """
    is_quantity = np.array([is_float_dtype(column) for _, column in reference.items()])
    quantities = np.flatnonzero(is_quantity)
    others = np.flatnonzero(~is_quantity & (kinds != "unique").to_numpy())
    medians = reference.iloc[:, quantities].median().fillna(0.0)
    quantiles = QuantileTransformer(n_quantiles=min(N_QUANTILES, len(fitted)), random_state=0)
    indicators = OneHotEncoder(handle_unknown="ignore", max_categories=MAX_LEVELS, sparse_output=False)

    def parts(frame, method):
        if len(quantities):
            yield getattr(quantiles, method)(frame.iloc[:, quantities].fillna(medians).to_numpy())
        if len(others):
            yield getattr(indicators, method)(np.column_stack([texts(frame.iloc[:, place]) for place in others]))

    if not len(quantities) and not len(others):
        return None
    for _ in parts(fitted, "fit"):
        pass
    return lambda frame: np.hstack(list(parts(frame, "transform")))
