"""Copies: which sampled texts repeat one that is not to be repeated."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd


class Passages:
    """Texts that are not to be repeated.

    Parameters
    ----------
    texts : iterable of str
    longer_than : int
        Characters that a text may have and be repeated all the same.
    """

    def __init__(self, texts: Iterable[str], longer_than: int):
        self._width = longer_than + 1
        self._by_beginning: dict[str, list[str]] = defaultdict(list)
        for text in sorted(set(texts)):
            if len(text) >= self._width:
                self._by_beginning[text[: self._width]].append(text)

    def in_text(self, text: str) -> bool:
        """Say whether a text is, or holds, one of these."""
        windows = ((place, text[place : place + self._width]) for place in range(len(text) - self._width + 1))
        known = ((place, self._by_beginning[window]) for place, window in windows if window in self._by_beginning)
        return any(text.startswith(passage, place) for place, passages in known for passage in passages)


class Copies:
    """Tells which sampled records repeat a text of some others.

    Parameters
    ----------
    records : list of str or DataFrame
        Of a table the columns of text alone.
    longer_than : int
        See `Passages`.
    """

    def __init__(self, records: Any, longer_than: int):
        columns = {None: records} if not isinstance(records, pd.DataFrame) else dict(records.items())
        self._passages = {column: Passages(_texts(values), longer_than) for column, values in columns.items()}

    def among(self, records: Any) -> np.ndarray:
        """Return which of some records repeat a text, shape (n_records,)."""
        found = np.zeros(len(records), bool)
        for column, passages in self._passages.items():
            values = records if column is None else records[column]
            found |= np.fromiter((isinstance(text, str) and passages.in_text(text) for text in values), bool, len(values))
        return found


def _texts(values):
    return (value for value in values if isinstance(value, str))
