"""Tables <-> token ids."""

import logging
from collections.abc import Callable, Collection, Mapping
from copy import copy
from itertools import compress
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from .._admit import admit
from .._coerce import coerced_table
from .._grammar import MISSING, Grammar
from .._notes import Notes
from .._state import ZONE, check_keys, expect, index_to_state, reading, reading_state, take, take_dtype, take_index, take_int
from .._validation import check_table, listed
from ..fields import Note, Schema, infer_schema
from ._base import Tokenizer
from ._category import CategoryCodec
from ._codec import LOG_OUTSIDE
from ._conditions import Condition, Place
from ._datetime import DatetimeCodec
from ._domain import given_cells, nearest_cells, wanted_of
from ._identifier import IdentifierCodec
from ._line_conditions import condition_of
from ._number import NumberCodec
from ._spelling import Subwords
from ._text import END, MANY_TEXTS, MANY_TOKENS, TextCodec

logger = logging.getLogger(__name__)

CODECS = {
    "category": CategoryCodec,
    "boolean": CategoryCodec,
    "number": NumberCodec,
    "datetime": DatetimeCodec,
    "text": TextCodec,
    "identifier": IdentifierCodec,
}
COMPLETED = {  # what a completed field says beside nullable and dtype
    "category": ("categories",),
    "number": ("precision",),
    "datetime": ("resolution",),
    "text": ("max_length",),
    "identifier": ("pattern",),
}


class TableTokenizer(Tokenizer):
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

        Returns
        -------
        self : TableTokenizer
        """
        X = check_table(X)
        return self._fit_codecs(X, infer_schema(X, min_frequency=self.min_frequency, schema=self.schema))

    def fit_sample(self, X: pd.DataFrame, schema: Schema, chunks: Callable, n_rows: int) -> "TableTokenizer":
        """Learn the tokens of each column from some rows of a table whose fields are known completely.

        Parameters
        ----------
        X : DataFrame of shape (n_some, n_columns)
            A sample of the rows.
        schema : Schema
            The completed field of every column.
        chunks : callable
            Takes columns and returns an iterable of frames: these columns of all rows, some rows at a time. It is called for
            identifiers, none of which is ever sampled.
        n_rows : int
            Of the table.

        Returns
        -------
        self : TableTokenizer
        """
        self._fit_codecs(X, schema, {"identifier": {"share": len(X) / n_rows}})
        keys = {column: codec for column, codec in self._codecs().items() if isinstance(codec, IdentifierCodec)}
        grown = {column: codec.avoiding(part[column] for part in chunks([column])) for column, codec in keys.items()}
        self._set_codecs([grown.get(column, codec) for column, codec in self._codecs().items()])
        return self

    def fit_standin(self, X: pd.DataFrame) -> "TableTokenizer":
        """Learn the tokens of each column from rows that only stand for those of a table: what they lack, others may hold.

        Parameters
        ----------
        X : DataFrame of shape (n_rows, n_columns)

        Returns
        -------
        self : TableTokenizer
        """
        schema = infer_schema(X, min_frequency=self.min_frequency, schema=self.schema)
        return self._fit_codecs(X, schema, {"number": {"holes": False}, "datetime": {"holes": False}})

    def _fit_codecs(self, X, schema, told=None):
        """Set the schema, which is complete, and what is learned by it; codecs of a kind are told more."""
        self.schema_, X = schema, coerced_table(X, schema)
        self._set_columns(X.columns)
        subwords, columns = self._learn_subwords(X), [self.columns_[place] for place in self._reading()]
        self._set_codecs([self._fit_codec(X[column], column, subwords, told or {}) for column in columns])
        schema.notes = Notes([*schema.notes, *_text_notes(schema, self._codecs(), subwords, X, self.min_frequency)])
        return self

    def _learn_subwords(self, X):
        """Return what the texts of all columns are spelled with that have no alphabet of their own; None without such."""
        columns = [column for column, field in self.schema_.items() if field.kind == "text" and field.alphabet is None]
        if not columns:
            return None
        cells = [cell for column in columns for cell in X[column].dropna()]
        n_rows = 1 + (self.min_frequency - 1) * len(columns)  # texts, which are those of `min_frequency` rows at least
        return Subwords.fit(cells, n_rows)

    def _set_columns(self, labels):
        """Set the names of the columns."""
        self.columns_, self._labels = list(labels), labels
        self.n_features_in_ = len(self.columns_)
        if all(isinstance(column, str) for column in self.columns_):
            self.feature_names_in_ = np.array(self.columns_, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_

    def _set_codecs(self, codecs):
        """Set the codecs, and what follows from them."""
        self.codecs_ = codecs
        self.grammar_ = Grammar(tuple(codec.run for codec in codecs if codec.run is not None))
        self.n_free_ = sum(codec.n_free for codec in codecs)

    def _reading(self):
        """Return the places of the columns in the order in which they are read: text last, so that only rows' ends vary."""
        return sorted(range(len(self.columns_)), key=lambda place: self.schema_[self.columns_[place]].kind == "text")

    def _fit_codec(self, values, column, subwords, told):
        field = self.schema_[column]
        known = {"name": str(column), "min_frequency": self.min_frequency} | told.get(field.kind, {})
        if field.kind == "text" and field.alphabet is None:
            known |= {"spelling": subwords, "draw_bytes": False}
        codec = _codec_for(field).fit(values, field, **known)
        if field.kind == "identifier":
            self.schema_[column] = field.replace(pattern=codec.pattern)
        if field.kind == "text":
            self.schema_[column] = _cut(field, codec, column, int(values.notna().sum()))
        return codec

    def admit(self, X) -> "TableTokenizer":
        """Return a tokenizer for the rows of X too, with room for what is new in them by the rule of `fit`.

        Categories that are extensible get the values of `min_frequency` rows or more of X, behind the others, so that all
        tokens keep their meaning; where `schema` named the categories, any value. Identifiers of X are not sampled either.
        Values in fewer rows become *other*, and as many numbers and dates as `fit` would clip are clipped. Texts are cut and
        their characters may be *other*, as ever.

        Parameters
        ----------
        X : DataFrame or array of shape (n_rows, n_columns)
            With the columns of `fit`, in any order.

        Returns
        -------
        tokenizer : TableTokenizer
            This one, which is never changed, where X brings nothing new.

        Raises
        ------
        ValueError
            If X holds what there is no room for: other categories, values beyond bounds, missing cells where there were none;
            or what `encode` refuses.
        """
        self.encode(X, cut=True)
        X = coerced_table(check_table(X), self.schema_)
        schema = admit(X, self.schema_, given=Schema(self.schema or {}), min_frequency=self.min_frequency)
        columns = [self.columns_[place] for place in self._reading()]
        codecs = [codec.admit(X[column], schema[column]) for codec, column in zip(self.codecs_, columns, strict=True)]
        if all(new is old for new, old in zip(codecs, self.codecs_, strict=True)):
            return self
        grown = copy(self)
        grown.schema_ = schema
        grown._set_codecs(codecs)
        return grown

    def sharing(self, other: "TableTokenizer", columns: Collection) -> "TableTokenizer":
        """Return a tokenizer that reads some columns by the tokens of another one.

        Parameters
        ----------
        other : TableTokenizer
            Fitted.
        columns : collection
            Of both.

        Returns
        -------
        tokenizer : TableTokenizer
        """
        theirs, shared = other._codecs(), copy(self)
        shared.schema_ = Schema({**self.schema_, **{column: other.schema_[column] for column in columns}})
        kept = self.schema_.notes.of(set(self.schema_) - set(columns))
        shared.schema_.notes = Notes([*kept, *other.schema_.notes.of(columns)])
        shared._set_codecs([theirs[column] if column in columns else codec for column, codec in self._codecs().items()])
        return shared

    def reads_like(self, other: "TableTokenizer", column: Any) -> bool:
        """Say whether another tokenizer has the same tokens for a column, and allows them in the same states.

        Parameters
        ----------
        other : TableTokenizer
        column : column of `fit`

        Returns
        -------
        alike : bool
        """
        runs = [tokenizer._codecs()[column].run for tokenizer in (self, other)]
        own, theirs = ([slot.transitions for slot in run.slots] if run is not None else [] for run in runs)
        return len(own) == len(theirs) and all(map(np.array_equal, own, theirs))

    def to_state(self) -> dict:
        """Return the fitted tokenizer as plain data, from which `from_state` makes it again.

        Returns
        -------
        state : dict
            Of strings, numbers, lists and arrays of numbers.

        Raises
        ------
        NotFittedError
            Before `fit`.
        TypeError
            If a column's name is neither text, a number, a date nor a tuple of these.
        """
        check_is_fitted(self)
        return {
            "schema": None if self.schema is None else Schema(self.schema).to_plain(),
            "min_frequency": int(self.min_frequency),
            "columns": index_to_state(self._labels),
            "fields": self.schema_.to_plain(),
            "codecs": [codec.to_state() for codec in self.codecs_],
        }

    @classmethod
    def from_state(cls, state: dict) -> "TableTokenizer":
        """Return the fitted tokenizer that wrote a state.

        Parameters
        ----------
        state : dict
            Of `to_state`; all of it is checked, so it may come from anywhere.

        Returns
        -------
        tokenizer : TableTokenizer

        Raises
        ------
        ValueError
            If no tokenizer wrote the state.
        """
        with reading_state(cls.__name__):
            check_keys(state, "schema", "min_frequency", "columns", "fields", "codecs")
            schema = None if state["schema"] is None else Schema.from_plain(state["schema"])
            self = cls(schema, min_frequency=take_int(state, "min_frequency", 1))
            self._set_columns(take_index(state, "columns"))
            fields, names = Schema.from_plain(state["fields"]), state["columns"]["labels"]
            items = state["fields"][: len(fields)]
            expect(names and [item["column"] for item in items] == names, "'fields'", names, "a field per column")
            self.schema_ = Schema(zip(self.columns_, fields.values(), strict=True), fields.notes)
            columns, codecs = [self.columns_[place] for place in self._reading()], take(state, "codecs", list)
            expect(len(codecs) == len(columns), "the number of codecs", len(codecs), str(len(columns)))
            self._set_codecs(list(map(self._read_codec, columns, codecs)))
            return self

    def _read_codec(self, column, state):
        """Return the codec of a column that wrote `state`."""
        field = self.schema_[column]
        with reading(f"column {column!r}"):
            _check_complete(field)
            return _codec_for(field).from_state(state, field, str(column))

    def encode(self, X, *, cut: bool = False) -> np.ndarray:
        """Return the table as token ids.

        Parameters
        ----------
        X : DataFrame or array of shape (n_rows, n_columns)
            With the columns of `fit`, in any order.
        cut : bool, default=False
            Cut texts that are longer than `grammar_` has positions for them, as is done for training.

        Returns
        -------
        ids : ndarray of int32, shape (n_rows, n_positions + n_free)
            Modelled tokens, then free digits. Where a text needs more positions and is not cut, every column of text has as
            many as the longest text of all.

        Raises
        ------
        ValueError
            If columns are missing or unknown, or a column holds values of another kind than in `fit`.
        """
        check_is_fitted(self)
        X = self._check_columns(check_table(X))
        columns = [self.columns_[place] for place in self._reading()]
        parts = [self._encode_column(codec, X[column], cut) for codec, column in zip(self.codecs_, columns, strict=True)]
        return np.concatenate(self._widened([ids for ids, _ in parts]) + [free for _, free in parts], axis=1)

    @property
    def places(self) -> dict[Any, Place]:
        """Where in a row of ids every column stands, in the order in which they are read."""
        places, run, at, free_at = {}, 0, 0, self.grammar_.n_positions
        for column, codec in self._codecs().items():
            tokens, free = slice(at, at + codec.n_positions), slice(free_at, free_at + codec.n_free)
            places[column] = Place(None if codec.run is None else run, tokens, free)
            run, at, free_at = run + (codec.run is not None), tokens.stop, free.stop
        return places

    def _codecs(self):
        """Return the codec of every column, in the order in which they are read."""
        return dict(zip([self.columns_[place] for place in self._reading()], self.codecs_, strict=True))

    def context(self, X: pd.DataFrame) -> dict[Any, np.ndarray]:
        """Return the tokens by which cells are read where other columns are drawn in their context.

        Unlike `encode`, which tells where no row of fit was, it gives values there the tokens of the nearest ones that were.

        Parameters
        ----------
        X : DataFrame of shape (n_rows, n_some)
            With some of the columns of `fit`.

        Returns
        -------
        tokens : dict of column to ndarray of int32, shape (n_rows, n_positions)
            Of those that are modelled.
        """
        check_is_fitted(self)
        X = coerced_table(X, self.schema_)
        return {
            column: codec.context(X[column])
            for column, codec in self._codecs().items()
            if column in X.columns and codec.run is not None
        }

    def given(self, X: pd.DataFrame) -> tuple[dict[Any, np.ndarray], pd.DataFrame]:
        """Return what stands for given cells of some columns.

        Parameters
        ----------
        X : DataFrame of shape (n_rows, n_given)
            With some of the columns of `fit`.

        Returns
        -------
        tokens : dict of column to ndarray of int32, shape (n_rows, n_positions)
            Of the columns that are modelled.
        columns : DataFrame of shape (n_rows, n_given)
            The cells with the dtypes of `fit`.

        Raises
        ------
        ValueError
            If there is no such column, or a value is outside its domain.
        """
        self._check_given(X.columns)
        read = {column: given_cells(X[column], self.schema_[column], codec, column) for column, codec in self._given_codecs(X)}
        return self._modelled(read), pd.DataFrame({column: cells for column, (_, cells) in read.items()})

    def nearest(self, X: pd.DataFrame) -> tuple[dict[Any, np.ndarray], pd.DataFrame, dict[Any, np.ndarray]]:
        """Return the same of cells that may be rare or extreme, as those of rows of `fit` are.

        They have the tokens of the nearest value, or of rare ones. They are returned as they were given where the dtype of
        `fit` holds them.

        Parameters
        ----------
        X : DataFrame of shape (n_rows, n_given)
            With some of the columns of `fit`.

        Returns
        -------
        tokens, columns
            See `given`.
        replaced : dict of column to ndarray of bool, shape (n_rows,)
            Which cells are read as another value.

        Raises
        ------
        ValueError
            If there is no such column, or a value is none that such a column can have.
        """
        self._check_given(X.columns)
        read = {
            column: nearest_cells(X[column], self.schema_[column], codec, column) for column, codec in self._given_codecs(X)
        }
        columns = pd.DataFrame({column: cells for column, (_, cells, _) in read.items()})
        return self._modelled(read), columns, {column: replaced for column, (*_, replaced) in read.items()}

    def _given_codecs(self, X):
        return [(column, codec) for column, codec in self._codecs().items() if column in X.columns]

    def _modelled(self, read):
        """Return the tokens of what was read of columns that are modelled."""
        return {column: tokens for column, (tokens, *_) in read.items() if self.places[column].run is not None}

    def conditions(self, given: Mapping) -> dict[Any, Condition]:
        """Return what stands for conditions on some columns in every row's ids.

        Parameters
        ----------
        given : mapping of column to value
            Of each column a value, a `fields.Interval`, a missing value, or a list, set, array or Series of these, any of
            which is met. Values that no row holds, such as numbers in a gap between the others, are met where nothing that
            rows hold meets the condition.

        Returns
        -------
        conditions : dict of column to Condition
            In the order in which the columns are read.

        Raises
        ------
        ValueError, TypeError
            If there is no such column, a value is outside its domain, or no value of it lies in an interval.
        """
        self._check_given(given)
        places, codecs = self.places, self._codecs()
        wanted = {
            column: wanted_of(given[column], self.schema_[column], codec, column)
            for column, codec in codecs.items()
            if column in given
        }
        return {column: condition_of(places[column], codecs[column], own) for column, own in wanted.items()}

    def sampled(self, column: Any) -> list[tuple[Any, int]]:
        """Return the values of a column of categories that may be sampled, and the token of each.

        Parameters
        ----------
        column : column of `fit`
            A category or boolean.

        Returns
        -------
        values : list of pairs of value and int
            A missing value is among them where it can be.
        """
        codec = self._codecs()[column]
        missing = (
            [] if codec.run.slots[0].unsampled[MISSING] else [(codec.decode(np.array([[MISSING]]), None).iloc[0], MISSING)]
        )
        return codec.sampled + missing

    def _check_given(self, columns):
        check_is_fitted(self)
        unknown = [column for column in columns if column not in self.schema_]
        if unknown:
            raise ValueError(f"given names {listed(unknown)}, not among the columns of fit: {listed(self.columns_)}")

    def _encode_column(self, codec, values, cut):
        if cut or not isinstance(codec, TextCodec):
            return codec.encode(values)
        return codec.encode_whole(values), np.zeros((len(values), 0), np.int32)

    def _widened(self, tokens):
        """Return the tokens of all columns; those of texts, if one has more positions than its codec, all with as many."""
        texts = {place: ids.shape[1] for place, ids in enumerate(tokens) if isinstance(self.codecs_[place], TextCodec)}
        if all(width == self.codecs_[place].length for place, width in texts.items()):
            return tokens
        filled = {place: (0, max(texts.values()) - width) for place, width in texts.items()}
        return [
            np.pad(ids, [(0, 0), filled[place]], constant_values=END) if place in filled else ids
            for place, ids in enumerate(tokens)
        ]

    def _check_columns(self, X):
        """Return the table as its fields read it, once it has the columns of fit."""
        missing = [column for column in self.columns_ if column not in X.columns]
        unseen = [column for column in X.columns if column not in self.schema_]
        if missing or unseen:
            raise ValueError(
                f"the columns differ from those of fit: missing {listed(missing)}, unseen {listed(unseen)}; pass those "
                f"of fit, {listed(self.columns_)}, and no others"
            )
        return coerced_table(X, self.schema_)

    def decode(self, ids: np.ndarray) -> pd.DataFrame:
        """Return the table that token ids stand for.

        Parameters
        ----------
        ids : ndarray of int, shape (n_rows, n_positions + n_free)
            As `encode` returns them.

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

    def pieces(self) -> dict[Any, list[str]]:
        """Return what the texts of each column of text are put together from.

        Returns
        -------
        pieces : dict of column to list of str
        """
        check_is_fitted(self)
        return {column: codec.spelling.pieces for column, codec in self._codecs().items() if isinstance(codec, TextCodec)}

    def log_cell_size(self, ids: np.ndarray, n_context: int = 0) -> np.ndarray:
        """Return the log of the number (or width) of the rows that share each row's modelled tokens.

        Parameters
        ----------
        ids : ndarray of int, shape (n_rows, n_positions), or with free digits
        n_context : int, default=0
            Number of leading runs that are left out.

        Returns
        -------
        sizes : ndarray of float, shape (n_rows,)
        """
        check_is_fitted(self)
        counted = [place.run is None or place.run >= n_context for place in self.places.values()]
        parts = [codec.log_cell_size(own) for codec, own, _ in compress(self._split(ids), counted)]
        return sum(parts, start=np.zeros(len(ids)))

    def log_outside(self, X: pd.DataFrame, n_context: int = 0) -> np.ndarray:
        """Return what rows lose of their score because tokens cannot tell them from others.

        A value beyond the bounds, a category that was not kept, an unknown character, a missing cell where none can be: each
        loses `log(1e6)` at least.

        Parameters
        ----------
        X : DataFrame of shape (n_rows, n_columns)
        n_context : int, default=0
            Number of leading runs that are left out.

        Returns
        -------
        losses : ndarray of float, shape (n_rows,)
        """
        parts = self.log_outside_by_column(X, n_context).values()
        return sum(parts, start=np.zeros(len(X)))

    def log_outside_by_column(self, X: pd.DataFrame, n_context: int = 0) -> dict[Any, np.ndarray]:
        """Return the same for the cells of every column that counts.

        Parameters
        ----------
        X : DataFrame of shape (n_rows, n_columns)
        n_context : int, default=0

        Returns
        -------
        losses : dict of column to ndarray of float, shape (n_rows,)
        """
        check_is_fitted(self)
        X, places = self._check_columns(check_table(X)), self.places
        counted = [column for column, place in places.items() if place.run is None or place.run >= n_context]
        codecs = {column: codec for column, codec in self._codecs().items() if column in counted}
        return {column: codec.log_outside(X[column]) + self._log_missing(X[column]) for column, codec in codecs.items()}

    def _log_missing(self, values):
        """Return what missing cells lose where fit had none."""
        return np.where(values.isna() & (not self.schema_[values.name].nullable), LOG_OUTSIDE, 0.0)

    def _split(self, ids):
        """Yield each codec with its tokens and free digits; the latter are empty where `ids` has modelled tokens only."""
        ids = np.asarray(ids)
        widths = self._widths(ids.shape[1])
        at, free_at = 0, sum(widths)
        for codec, width in zip(self.codecs_, widths, strict=True):
            yield codec, ids[:, at : at + width], ids[:, free_at : free_at + codec.n_free]
            at, free_at = at + width, free_at + codec.n_free

    def check_fresh(self, n_rows: int, known: Collection = ()) -> int | None:
        """Refuse a sample of more rows than a column of identifiers has values for that fit has not seen.

        Parameters
        ----------
        n_rows : int
        known : collection of columns, default=()
            Those whose cells are given.

        Returns
        -------
        n_most : int or None
            How many rows can be drawn; None: any number. Columns with missing cells do not count, as not every row of them
            takes a value.

        Raises
        ------
        ValueError
            With the column, and how many rows there can be.
        """
        check_is_fitted(self)
        keys = [
            codec for column, codec in self._codecs().items() if isinstance(codec, IdentifierCodec) and column not in known
        ]
        keys = [codec for codec in keys if codec.run is None]
        for codec in keys:
            codec.check_fresh(n_rows)
        return min((codec.n_fresh for codec in keys), default=None)

    def check_drawn(self, ids: np.ndarray, known: Mapping) -> None:
        """Refuse sampled rows that need an identifier when all that fit has not seen are used up.

        Parameters
        ----------
        ids : ndarray of int32, shape (n_rows, n_ids)
        known : mapping of column to bool, or ndarray of bool, shape (n_rows,)
            Where cells are known, so that what was drawn of them does not count.

        Raises
        ------
        ValueError
            With the column, and how many rows there can be.
        """
        places = self.places
        for column, codec in self._codecs().items():
            if isinstance(codec, IdentifierCodec):
                own = places[column]
                codec.check_drawn(ids[:, own.positions], ids[:, own.free], known.get(column, False))

    def _widths(self, n_ids):
        """Return the number of positions of every codec where a row has `n_ids` ids: those of texts may be widened."""
        widths = [codec.n_positions for codec in self.codecs_]
        texts = [codec.n_positions for codec in self.codecs_ if isinstance(codec, TextCodec)]
        beyond = n_ids - self.grammar_.n_positions - self.n_free_
        if beyond <= 0 or not texts:
            return widths
        width = (sum(texts) + beyond) // len(texts)
        return [width if isinstance(codec, TextCodec) else own for codec, own in zip(self.codecs_, widths, strict=True)]

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


def _cut(field, codec, column, n_texts):
    """Return the field of texts with what its codec cuts; say so."""
    share = codec.n_cut / max(n_texts, 1)
    if codec.n_cut:
        logger.info("column %r: %.2f %% of the texts are cut after %d tokens", column, 100 * share, codec.length)
    return field.replace(max_length=codec.length, n_folded=codec.n_cut, cut_share=share)


def _text_notes(schema, codecs, subwords, X, min_frequency):
    """Return the notes on columns of text: of which no character is learned, or that are cut."""
    notes = []
    for column, field in schema.items():
        if field.kind != "text":
            continue
        if field.alphabet is None and subwords.is_blank and any(map(str.strip, X[column].dropna())):
            reason = f"no character is in enough rows (min_frequency={min_frequency})"
            notes.append(Note(column, "no text is learned", reason, 1.0, "all texts", "min_frequency=1"))
        cut = codecs[column].cut
        if cut.text_share > MANY_TEXTS or cut.token_share > MANY_TOKENS:
            reason = f"they are longer than {field.max_length} tokens"
            loss = f"their ends, {cut.token_share:.1%} of all text"
            remedy = f"schema={{{column!r}: fields.Text(max_length={cut.n_tokens})}}"
            notes.append(Note(column, "texts are cut", reason, cut.text_share, loss, remedy))
    return notes


def _codec_for(field):
    """Return the class of a completed field's codec; numbers and dates without values are categories without any."""
    empty = field.kind in ("number", "datetime") and (field.low is None or field.high is None)
    return CategoryCodec if empty else CODECS[field.kind]


def _check_complete(field):
    """Refuse a field in which something is left open, or of a dtype or time zone that there is not."""
    for name in ("nullable", "dtype", *COMPLETED.get(field.kind, ())):
        expect(getattr(field, name) is not None, repr(name), None, f"that of a completed {type(field).__name__}")
    dtype = field.dtype[len("category[") : -1] if field.dtype.startswith("category[") else field.dtype
    take_dtype({"dtype": dtype}, "dtype")
    zone = getattr(field, "tz", None)
    expect(zone is None or ZONE.fullmatch(zone), "'tz'", zone, "the name of a time zone")
