"""What a fitted `BatchLSTMSynthesizer` does with its models: sampling and scoring."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from ._chain import Chain, Way, conditions_of, distribution, imputed
from ._coerce import coerced_table
from ._generative import GenerativeModel, n_wanted, with_index_of
from ._links import chain
from ._random import seed_sequence, stream
from ._sample_files import check_texts, settings_of, write_rows
from ._sampling import (
    Choice,
    Copies,
    check_draw,
    check_exclusion,
    check_given,
    check_identifiers_from,
    check_validator,
    choosing,
    read_given,
    restored,
)
from ._validation import Container, check_columns, check_table, listed
from ._values import inferred

LEAST_ROWS = 50  # of a table of which `score` tells how many cells fit has not kept


class TableSampling(GenerativeModel):
    """Sampling and scoring of the models of all batches; the subclass fits them."""

    def sample(
        self,
        n_samples: int | None = None,
        *,
        given: Any = None,
        temperature: float = 1.0,
        validator: Callable | None = None,
        max_invalid: int = 1_000,
        exclude: Any = None,
        exclude_longer_than: int = 30,
        identifiers_from: int | None = None,
        random_state: Any = None,
    ) -> Any:
        """Draw new rows.

        Parameters
        ----------
        n_samples : int, default=None
            None: 1, or one for each row of a frame that is given.
        given : dict of column to value, or DataFrame, default=None
            What is known of any columns; the others are drawn from their distribution given that. A dict holds for all rows:
            each value is one value, a `fields.Interval`, missing (None), or a list of these, one of which is to hold. A frame
            has a row for each sample, in which a missing cell is given as missing; the sample keeps its index. What rows of
            fit never showed together is answered as well. Not where the model was private.
        temperature : float, default=1.0
            Below 1 the likelier values are drawn more often than they should be, above 1 less often.
        validator : callable, default=None
            Rows for which it does not return something true, or raises, are drawn anew. It gets a frame, for which it may
            return one bool per row; unless it does, it gets the rows one by one as dicts.
        max_invalid : int, default=1,000
            Rows that it may refuse.
        exclude : DataFrame or ndarray, default=None
            Rows, such as those of fit, whose texts are not to be repeated: rows of which a text is, or holds, one of the same
            column are drawn anew. Not with `epsilon`, which it would undo.
        exclude_longer_than : int, default=30
            Characters that a text of `exclude` may have and be repeated all the same.
        identifiers_from : int, default=None
            Row r gets the identifiers number ``identifiers_from + r`` of an order that is the same whatever the seed, so that
            samples of stretches that do not overlap share none: ``sample(1000, identifiers_from=0)`` and
            ``sample(1000, identifiers_from=1000)``. None: each seed has an order of its own, and two samples may share some.
            Not with `validator` or `exclude`.
        random_state : int, RandomState, Generator or None, default=None
            The rows of ``sample(n)`` are the first n of ``sample(m)`` for the same seed.

        Returns
        -------
        rows : the container that fit was given, shape (n_samples, n_columns)
            The columns of fit in their order, with their dtypes and a fresh index, or that of the frame that is given.

        Raises
        ------
        NotFittedError
            Before fit.
        ValueError, TypeError
            If an argument is not what it may be; the message names it.
        SamplingError
            If the validator refuses more than `max_invalid` rows, or nearly all repeat texts of `exclude`; it has those that
            were accepted.
        """
        check_is_fitted(self)
        n_samples = n_wanted(n_samples, given)
        way, choice = self._how(
            n_samples, given, temperature, validator, max_invalid, exclude, exclude_longer_than, identifiers_from
        )
        rows = self._sampled(n_samples, seed_sequence(random_state), way, choice)
        return with_index_of(given, rows)

    def sample_iter(
        self,
        n_samples: int | None = None,
        *,
        chunk_size: int = 10_000,
        given: Any = None,
        temperature: float = 1.0,
        validator: Callable | None = None,
        max_invalid: int = 1_000,
        exclude: Any = None,
        exclude_longer_than: int = 30,
        identifiers_from: int | None = None,
        random_state: Any = None,
    ) -> Iterator[Any]:
        """Draw new rows a chunk at a time: the rows of ``sample(n_samples)`` in memory that does not grow with them.

        Parameters
        ----------
        n_samples : int, default=None
        chunk_size : int, default=10_000
            Rows per chunk; the last may have fewer. The rows do not depend on it.
        given
            See `sample`; the index of a frame is not kept.
        temperature, validator, max_invalid, exclude, exclude_longer_than, identifiers_from, random_state
            See `sample`.

        Returns
        -------
        chunks : iterator
            Of the container that fit was given, shape (chunk_size, n_columns).

        Raises
        ------
        NotFittedError, ValueError, TypeError
            As `sample`, before the first chunk is asked for.
        SamplingError
            As `sample`, with the valid rows that were not given out yet.
        """
        check_is_fitted(self)
        n_samples = n_wanted(n_samples, given)
        check_draw(chunk_size, temperature, name="chunk_size")
        way, choice = self._how(
            n_samples, given, temperature, validator, max_invalid, exclude, exclude_longer_than, identifiers_from
        )
        return self._chunks(n_samples, chunk_size, seed_sequence(random_state), way, choice)

    def sample_to(
        self,
        path: Any,
        n_samples: int | None = None,
        *,
        chunk_size: int = 65_536,
        given: Any = None,
        temperature: float = 1.0,
        validator: Callable | None = None,
        max_invalid: int = 1_000,
        exclude: Any = None,
        exclude_longer_than: int = 30,
        identifiers_from: int | None = None,
        random_state: Any = None,
        overwrite: bool = False,
    ) -> None:
        """Draw new rows into a file: the rows of ``sample(n_samples)``, in memory that does not grow with them.

        There is nothing under `path` until all rows are. Until then they are in a folder beside it, which for ``rows.csv`` is
        ``.rows.csv.partial``. Where the call is broken off, by Ctrl-C, by an error or with its process, that folder stays, and
        the same call goes on from there, to the same file. Where the disk is full it goes, and nothing is left.

        Parameters
        ----------
        path : str or path
            Ends in ``.parquet`` (needs pyarrow, the extra ``parquet``), ``.csv`` or ``.csv.gz``. For Parquet there has to be
            room for the rows twice.
        n_samples : int, default=None
        chunk_size : int, default=65_536
            Rows, about, that are held in memory and written together: a row group of Parquet. The rows do not depend on it.
        given
            See `sample`; the index of a frame is not kept.
        temperature, validator, max_invalid, exclude, exclude_longer_than, identifiers_from
            See `sample`. A call that goes on may have another `max_invalid`; what a validator does is taken to be the same
            if it has the same name.
        random_state : int, RandomState, Generator or None, default=None
            A call that goes on needs the same: the same int, or None for whatever it was; of a generator the same state.
        overwrite : bool, default=False
            Replace the file that is there, once the new one is whole; start afresh where the rows of another call were left.

        Raises
        ------
        NotFittedError, ValueError, TypeError
            As `sample`; also if rows of another call were left beside `path`, or Parquet cannot hold a column.
        FileExistsError
            If there is such a file.
        RuntimeError
            If another call is writing it.
        OSError
            If it cannot be written.
        ImportError
            Without pyarrow, for Parquet.
        SamplingError
            As `sample`, with the valid rows that are not in the folder yet.

        Notes
        -----
        Read back by pandas, Parquet has the dtypes of fit, but for what it knows nothing of: columns of objects, categories
        that are no text, and times in seconds, which come back in milliseconds. CSV has none.
        """
        check_is_fitted(self)
        n_samples = n_wanted(n_samples, given)
        check_draw(chunk_size, temperature, name="chunk_size")
        way, choice = self._how(
            n_samples, given, temperature, validator, max_invalid, exclude, exclude_longer_than, identifiers_from
        )
        if not isinstance(overwrite, bool):
            raise TypeError(f"overwrite must be True or False, got {overwrite!r}")
        check_texts(self._texts({} if given is None else read_given(given)))
        settings = settings_of(
            self._to_files(), given, validator, exclude,
            n_samples=int(n_samples), temperature=float(temperature), exclude_longer_than=int(exclude_longer_than),
            identifiers_from=None if identifiers_from is None else int(identifiers_from),
        )  # fmt: skip
        with restored(self._restored):
            write_rows(
                path, lambda seed, tally: self._portions(n_samples, seed, way, choice, tally), self.schema_, settings,
                seed_sequence(random_state), chunk_size=chunk_size, any_seed=random_state is None, overwrite=overwrite,
            )  # fmt: skip

    def _how(self, n_samples, given, temperature, validator, max_invalid, exclude, longer_than, identifiers_from):
        """Return how rows are drawn and which are taken, once all arguments are what they may be."""
        given, chosen_by = None if given is None else read_given(given), choosing(validator, exclude)
        check_draw(n_samples, temperature)
        check_given(given, n_samples, chosen_by)
        check_identifiers_from(identifiers_from, chosen_by)
        choice = self._choice(validator, max_invalid, exclude, longer_than)
        choice = replace(choice, n_most=self._n_most(n_samples, given, identifiers_from))
        from .core import Draw

        return Way(Draw(temperature), self._evidence(given, temperature), identifiers_from), choice

    def _choice(self, validator: Any, max_invalid: Any, exclude: Any, longer_than: Any) -> Choice:
        """Return which rows are taken, once all arguments are what they may be."""
        check_validator(validator, max_invalid)
        check_exclusion(exclude, longer_than, np.isfinite(self.epsilon_))
        if exclude is None:
            return Choice(validator, max_invalid)
        frame = check_columns(self, exclude, check_table(exclude), reset=False)
        texts = frame[[column for column, field in self.schema_.items() if field.kind == "text"]]
        return Choice(validator, max_invalid, Copies(texts, longer_than))

    def _texts(self, given: Any) -> dict[Any, list]:
        """Return what the cells of every column are, or are put together from, where that may be text."""
        texts: dict[Any, list] = {column: [] for column in self.columns_}
        for model in self.models_:
            texts |= model.tokenizer_.pieces()
        for column, field in self.schema_.items():
            named = [*(getattr(field, "categories", None) or ()), *(getattr(field, "levels", None) or ())]
            texts[column] = [*texts[column], *named, getattr(field, "other", None), *_cells(given.get(column))]
        return texts

    def _chain(self) -> Chain:
        """Return the models of all batches as one."""
        parts = [model._part() for model in self.models_]
        return Chain(parts, self.batches_, chain(self.batches_, self.links_), self.columns_)

    def impute(self, X: Any, *, given: Any = None, n_draws: int = 1, random_state: Any = None) -> Any:
        """Fill missing cells: each is drawn from its distribution given the rest of its row.

        For the best guess of single cells draw several tables, and take the mean of a number, the most frequent category; a
        single draw keeps what columns have to do with each other, and how much they vary.

        Parameters
        ----------
        X : DataFrame or ndarray, shape (n_rows, n_columns)
            Rows of the columns of fit, those of fit or others. Cells that are there stay as they are; those that their field
            reads as missing, see ``coerce`` of `fields.Number`, are filled too.
        given : dict of column to value, default=None
            What is known of the cells that are missing in some columns, as in `sample`: a value, a `fields.Interval`, or a
            list of these. Cells that are there need not meet it.
        n_draws : int, default=1
            How often to fill the table.
        random_state : int, RandomState, Generator or None, default=None

        Returns
        -------
        filled : the container of X, or list of these where `n_draws` is above 1
            With the index of X. Nothing is missing in it.

        Raises
        ------
        NotFittedError
            Before fit.
        ValueError, TypeError
            If an argument is not what it may be, or the model reads columns in one order only, as private ones do.
        """
        check_is_fitted(self)
        check_draw(n_draws, 1.0, name="n_draws")
        frame = coerced_table(check_columns(self, X, check_table(X), reset=False), self.schema_)
        self._check_any_order("impute")
        chain, root = self._chain(), seed_sequence(random_state)
        conditions = {} if given is None else conditions_of(chain, checked_conditions(given))
        tokens = self._tokens(chain, frame)
        tables = [_filled(chain, frame, tokens, conditions, stream(root, "draw", draw)) for draw in range(n_draws)]
        tables = [table if isinstance(X, pd.DataFrame) else Container.of(X).restore(table) for table in tables]
        return tables if n_draws > 1 else tables[0]

    def _tokens(self, chain, frame):
        """Return the tokens of every modelled column of a frame."""
        tokens = {}
        for part, own in zip(chain.parts, self.batches_, strict=True):
            tokens |= part.tokenizer.context(frame[list(own)])
        return tokens

    def conditional(self, X: Any, column: Any) -> pd.DataFrame:
        """Return the distribution of a column of categories given all others.

        Parameters
        ----------
        X : DataFrame or ndarray, shape (n_rows, n_columns)
            Rows of the columns of fit; a frame may leave `column` out, whose cells are not looked at.
        column : column of fit
            Of a `fields.Category` or `fields.Boolean`.

        Returns
        -------
        probabilities : DataFrame, shape (n_rows, n_values)
            A column for each value that can be sampled, missing among them where it can; rows sum to 1, and have the index of
            X.

        Raises
        ------
        NotFittedError
            Before fit.
        ValueError, TypeError
            If there is no such column, or it is of another kind, or the model reads columns in one order only, as private
            ones do.
        """
        check_is_fitted(self)
        check_category(column, self.schema_)
        if isinstance(X, pd.DataFrame) and column not in X.columns:
            X = X.copy(deep=False)
            X.insert(min(self.columns_.index(column), X.shape[1]), column, None)
        frame = check_columns(self, X, check_table(X), reset=False)
        self._check_any_order("conditional")
        chain = self._chain()
        shares = distribution(chain, self._tokens(chain, frame), column)
        values, at = zip(*chain.parts[chain.batch_of[column]].tokenizer.sampled(column), strict=True)
        values = inferred(pd.Series(values, dtype=object))
        return pd.DataFrame(shares[:, list(at)], frame.index, pd.Index(values, values.dtype, name=column))

    def score_samples(self, X: Any) -> np.ndarray:
        """Return the log-likelihood of every row.

        Parameters
        ----------
        X : DataFrame or ndarray, shape (n_rows, n_columns)

        Returns
        -------
        scores : ndarray of float, shape (n_rows,)
            In nats: the sum over the batches, each in its context. See `LSTMTextModel.score_samples` for what a cell scores.
        """
        check_is_fitted(self)
        frame = check_columns(self, X, check_table(X), reset=False)
        return np.sum([model.score_samples(frame[model.columns_]) for model in self.models_], axis=0)

    def _shares_outside(self, X: Any) -> dict[Any, float]:
        if len(X) < LEAST_ROWS:
            return {}
        frame, shares = check_columns(self, X, check_table(X), reset=False), {}
        for model in self.models_:
            losses = model.tokenizer_.log_outside_by_column(frame[model.columns_], model.training_.get("n_context", 0))
            shares |= {column: float((loss > 0).mean()) for column, loss in losses.items()}
        return shares


def _cells(given: Any) -> list:
    """Return the values in what is given of a column."""
    return list(given) if isinstance(given, pd.Series) or pd.api.types.is_list_like(given) else [given]


def check_category(column: Any, schema: Any) -> None:
    """Refuse a column that has no distribution over categories."""
    if column not in schema:
        raise ValueError(f"conditional: got column {column!r}, which is not among the columns of fit: {listed(list(schema))}")
    if schema[column].kind not in ("category", "boolean"):
        named = [name for name, field in schema.items() if field.kind in ("category", "boolean")]
        raise ValueError(
            f"conditional: column {column!r} is a {type(schema[column]).__name__}, expected a Category or a Boolean: "
            f"{listed(named) if named else 'this table has none'}; for others see sample(given=...)"
        )


def checked_conditions(given: Any) -> dict:
    """Return what is given of missing cells, once it is a dict that says of none that it is missing."""
    if isinstance(given, pd.DataFrame):
        raise TypeError("impute: given must be a dict of column to value, got a DataFrame: put cells that are known into X")
    read = read_given(given)
    for column, value in read.items():
        items = [value] if pd.api.types.is_scalar(value) or not hasattr(value, "__iter__") else list(value)
        if any(pd.api.types.is_scalar(item) and pd.isna(item) for item in items):
            raise ValueError(f"impute: given[{column!r}] is {value!r}, but impute draws no missing cells: give values alone")
    return read


def _filled(chain, frame, tokens, conditions, seed):
    """Return a frame with its missing cells drawn."""
    missing = frame.isna()
    if not missing.to_numpy().any():
        return frame.copy()
    known = {column: ~missing[column].to_numpy() for column in tokens}
    ids = imputed(chain, tokens, known, len(frame), seed, conditions)
    chain.check_drawn(ids, {column: ~missing[column].to_numpy() for column in frame.columns})
    drawn = dict(chain.decode(ids).set_axis(frame.index).items())
    drawn |= {column: condition.put_into(drawn[column]) for column, condition in conditions.items()}
    return pd.concat([filled(frame[column], missing[column], drawn[column]) for column in frame.columns], axis=1)


def filled(column: pd.Series, missing: pd.Series, drawn: pd.Series) -> pd.Series:
    """Return a column with its missing cells as drawn, of its own dtype where that can hold them."""
    if not missing.any():
        return column
    if column.dtype == drawn.dtype:
        return column.where(~missing, drawn)
    whole = column.astype(object).where(~missing, drawn.astype(object))
    try:
        kept = whole.astype(column.dtype)
    except (TypeError, ValueError):
        return whole.astype(drawn.dtype)
    return whole.astype(drawn.dtype) if kept.isna().any() else kept  # a category that the column does not have
