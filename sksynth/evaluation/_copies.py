"""Copies of rows and of text."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from .._values import inferred
from ._draws import check_count
from ._kinds import codes, is_quantity, plain_tables, same_columns


def copied_rows(real: Any, synthetic: Any) -> float:
    """Return the share of the synthetic rows that equal a real row in every column.

    A share says little alone: compare it with that of a holdout, ``copied_rows(real, holdout)``, which copies nothing.

    Parameters
    ----------
    real, synthetic : DataFrame or ndarray, shape (n_rows, n_columns)
        Of the same columns. Missing cells equal missing cells.

    Returns
    -------
    share : float

    Raises
    ------
    TypeError, ValueError
        If a table is none, or the columns differ; the message names the column.

    Examples
    --------
    >>> import pandas as pd
    >>> from sksynth.evaluation import copied_rows
    >>> real = pd.DataFrame({"size": [1, 2, 3], "colour": ["red", "red", None]})
    >>> copied_rows(real, pd.DataFrame({"size": [1, 1, 3, 3], "colour": ["red", "blue", "red", None]}))
    0.5
    """
    real, synthetic = plain_tables(real=real, synthetic=synthetic)
    rows = np.zeros(len(real) + len(synthetic), np.int64)
    for column in real:
        levels = np.concatenate(codes(real[column], synthetic[column])) + 1
        rows = pd.factorize(rows * (levels.max() + 1) + levels)[0]
    return float(np.isin(rows[len(real) :], rows[: len(real)]).mean())


def copied_cells(real: Any, synthetic: Any) -> pd.Series:
    """Return how many cells of each column are one real row's: a name, an e-mail address, a telephone number.

    Rows that equal no real row as a whole may still hold the name of somebody. A share says little alone: compare it with
    that of a holdout, ``copied_cells(real, holdout)``, which copies nothing.

    Parameters
    ----------
    real, synthetic : DataFrame or ndarray, shape (n_rows, n_columns)
        Of the same columns.

    Returns
    -------
    shares : Series of float, shape (n_columns,)
        By the name of the column, the share of the synthetic rows whose cell holds a value that exactly one row of `real`
        holds. NaN for columns whose values tell of nobody: numbers and dates, but for whole numbers that differ in more
        than half of the rows.

    Raises
    ------
    TypeError, ValueError
        If a table is none, or the columns differ; the message names the column.

    Examples
    --------
    >>> import pandas as pd
    >>> from sksynth.evaluation import copied_cells
    >>> real = pd.DataFrame({"name": ["Ann", "Bob", "Cleo"], "colour": ["red", "red", "red"]})
    >>> copied_cells(real, pd.DataFrame({"name": ["Bob", "Dan"], "colour": ["red", "red"]})).to_dict()
    {'name': 0.5, 'colour': 0.0}
    """
    plain = plain_tables(real=real, synthetic=synthetic)
    raw, _ = same_columns(real=real, synthetic=synthetic)
    shares = [_copied(*(table.iloc[:, place] for table in (raw, *plain))) for place in range(raw.shape[1])]
    return pd.Series(shares, raw.columns, dtype=float, name="copied_cells")


def _copied(raw, real, synthetic):
    if is_quantity(raw):
        is_whole = is_numeric_dtype(inferred(raw).dtype) and (real.dropna() % 1 == 0).all()
        if not is_whole or real.nunique() <= 0.5 * len(real):
            return np.nan
    own, found = codes(real, synthetic)
    counts = np.bincount(own + 1, minlength=max(own.max(), found.max()) + 2)
    return float(np.mean((counts[found + 1] == 1) & (found >= 0)))


def copied_ngrams(real: Iterable[str], synthetic: Iterable[str], *, n: int = 30) -> float:
    """Return the share of the synthetic texts' n-grams of characters that a real text holds.

    A share says little alone: compare it with that of a holdout, ``copied_ngrams(real, holdout)``, which copies nothing.

    Parameters
    ----------
    real : iterable of str
        Such as the lines that a model was fitted on. Missing texts are left out.
    synthetic : iterable of str
    n : int, default=30
        Characters of an n-gram.

    Returns
    -------
    share : float
        Of all n-grams of the synthetic texts, repeated ones counted as often; 0.0 where they have none.

    Raises
    ------
    TypeError, ValueError
        If a text is not a string, or `n` not a positive int.

    Examples
    --------
    >>> copied_ngrams(["the old house"], ["the old horse"], n=10)
    0.25
    """
    check_count("n", n)
    known = set(_ngrams(real, n, "real"))
    n_ngrams = n_copied = 0
    for ngram in _ngrams(synthetic, n, "synthetic"):
        n_ngrams += 1
        n_copied += ngram in known
    return n_copied / max(n_ngrams, 1)


def _ngrams(texts: Iterable[str], n: int, name: str) -> Iterator[str]:
    if isinstance(texts, str | bytes):
        raise TypeError(f"{name}: got one {type(texts).__name__}, expected texts; put it in a list")
    for text in texts:
        if isinstance(text, str):
            yield from (text[place : place + n] for place in range(len(text) - n + 1))
        elif not pd.isna(text):
            raise TypeError(f"{name}: got {text!r} of type {type(text).__name__}, expected strings; convert it with str")
