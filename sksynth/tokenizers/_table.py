"""Tables <-> token ids."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from .._grammar import Grammar
from .._validation import check_table
from ..fields import infer_schema
from ._category import CategoryCodec
from ._datetime import DatetimeCodec
from ._identifier import IdentifierCodec
from ._number import NumberCodec
from ._text import TextCodec

CODECS = {
    "category": CategoryCodec,
    "boolean": CategoryCodec,
    "number": NumberCodec,
    "datetime": DatetimeCodec,
    "text": TextCodec,
    "identifier": IdentifierCodec,
}


class TableTokenizer(BaseEstimator):
    """Rows of a table <-> rows of token ids: one run of tokens per column.

    Parameters
    ----------
    schema : mapping of column to Field, optional
        What is known of some or all columns; see `sksynth.fields.infer_schema`, which completes it.
    min_frequency : int, default=5
        Categories in fewer rows are not stored, and bounds are such that no single row determines them.

    Attributes
    ----------
    schema_ : Schema
        The completed field of every column.
    columns_ : list
        Names of the columns.
    codecs_ : list of FieldCodec
        One per column.
    grammar_ : Grammar
        What rows of ids may say: one run per column that is modelled.
    n_free_ : int
        Free digits that follow a row's modelled tokens.
    n_features_in_ : int
    feature_names_in_ : ndarray of str
        Only where all names are strings.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"size": [1, 2, 3, 2], "colour": ["red", "red", "blue", None]})
    >>> tokenizer = TableTokenizer(min_frequency=1).fit(table)
    >>> ids = tokenizer.encode(table)
    >>> ids
    array([[2, 3],
           [3, 3],
           [4, 2],
           [3, 0]], dtype=int32)
    >>> tokenizer.decode(ids).equals(table)
    True
    """

    def __init__(self, schema: Mapping | None = None, *, min_frequency: int = 5):
        self.schema = schema
        self.min_frequency = min_frequency

    def fit(self, X, y=None) -> "TableTokenizer":
        """Learn the schema of a table, and the tokens of each column.

        Parameters
        ----------
        X : DataFrame or array of shape (n_rows, n_columns)
        y : None
            Ignored.
        """
        X = check_table(X)
        self.schema_ = infer_schema(X, min_frequency=self.min_frequency, schema=self.schema)
        self.columns_, self._labels = list(X.columns), X.columns
        self.n_features_in_ = len(self.columns_)
        if all(isinstance(column, str) for column in self.columns_):
            self.feature_names_in_ = np.array(self.columns_, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        self.codecs_ = [self._fit_codec(X[self.columns_[place]], self.columns_[place]) for place in self._reading()]
        self.grammar_ = Grammar(tuple(codec.run for codec in self.codecs_ if codec.run is not None))
        self.n_free_ = sum(codec.n_free for codec in self.codecs_)
        return self

    def _reading(self):
        """Return the places of the columns in the order in which they are read: text last, so that only rows' ends vary."""
        return sorted(range(len(self.columns_)), key=lambda place: self.schema_[self.columns_[place]].kind == "text")

    def _fit_codec(self, values, column):
        field = self.schema_[column]
        empty = field.kind in ("number", "datetime") and (field.low is None or field.high is None)
        codec = CategoryCodec if empty else CODECS[field.kind]
        codec = codec.fit(values, field, name=str(column), min_frequency=self.min_frequency)
        if field.kind == "identifier":
            self.schema_[column] = field.replace(pattern=codec.pattern)
        return codec

    def encode(self, X) -> np.ndarray:
        """Return the table as token ids.

        Parameters
        ----------
        X : DataFrame or array of shape (n_rows, n_columns)
            With the columns of `fit`, in any order.

        Returns
        -------
        ids : ndarray of int32, shape (n_rows, n_positions + n_free)
            Modelled tokens, then free digits.

        Raises
        ------
        ValueError
            If columns are missing or unknown, or a column holds values of another kind than in `fit`.
        """
        check_is_fitted(self)
        X = self._check_columns(check_table(X))
        columns = [self.columns_[place] for place in self._reading()]
        parts = [codec.encode(X[column]) for codec, column in zip(self.codecs_, columns, strict=True)]
        return np.concatenate([ids for ids, _ in parts] + [free for _, free in parts], axis=1)

    def _check_columns(self, X):
        missing = [column for column in self.columns_ if column not in X.columns]
        unseen = [column for column in X.columns if column not in self.schema_]
        if missing or unseen:
            raise ValueError(
                f"the columns differ from those of fit: missing {missing}, unseen {unseen}; select the columns {self.columns_}"
            )
        return X

    def decode(self, ids: np.ndarray) -> pd.DataFrame:
        """Return the table that token ids stand for.

        Parameters
        ----------
        ids : ndarray of int, shape (n_rows, n_positions + n_free)

        Returns
        -------
        X : DataFrame of shape (n_rows, n_columns)
            With the names, order and dtypes of `fit`'s table and a fresh index.
        """
        check_is_fitted(self)
        columns = [codec.decode(own, free) for codec, own, free in self._split(ids)]
        by_place = dict(sorted(zip(self._reading(), columns, strict=True)))
        frame = pd.DataFrame(by_place, index=pd.RangeIndex(len(ids)))
        frame.columns = self._labels
        return frame

    def log_cell_size(self, ids: np.ndarray) -> np.ndarray:
        """Return the log of the number (or width) of the rows that share each row's modelled tokens, shape (n_rows,)."""
        check_is_fitted(self)
        return sum((codec.log_cell_size(own) for codec, own, _ in self._split(ids)), start=np.zeros(len(ids)))

    def _split(self, ids):
        """Yield each codec with its tokens and free digits; the latter are empty where `ids` has modelled tokens only."""
        ids = np.asarray(ids)
        at, free_at = 0, self.grammar_.n_positions
        for codec in self.codecs_:
            yield codec, ids[:, at : at + codec.n_positions], ids[:, free_at : free_at + codec.n_free]
            at, free_at = at + codec.n_positions, free_at + codec.n_free

    def draw_free(self, rows: range, rng: np.random.Generator, key: int) -> np.ndarray:
        """Return free digits for sampled rows.

        Parameters
        ----------
        rows : range
            Numbers of the rows within the whole sample.
        rng : Generator
            Of this chunk of rows alone.
        key : int
            The same for all chunks of a sample.

        Returns
        -------
        free : ndarray of int32, shape (len(rows), n_free)
        """
        check_is_fitted(self)
        return np.concatenate([codec.draw_free(rows, rng, key) for codec in self.codecs_], axis=1)
