"""What a fitted `BatchLSTMSynthesizer` does with its models: sampling and scoring."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from ._generative import GenerativeModel
from ._random import seed_sequence, stream
from ._sampling import Choice, Copies, check_draw, check_exclusion, check_validator
from ._validation import check_columns, check_table


class TableSampling(GenerativeModel):
    """Sampling and scoring of the models of all batches; the subclass fits them."""

    def sample(
        self,
        n_samples: int = 1,
        *,
        temperature: float = 1.0,
        validator: Callable | None = None,
        max_invalid: int = 1_000,
        exclude: Any = None,
        exclude_longer_than: int = 30,
        random_state: Any = None,
    ) -> Any:
        """Draw new rows.

        Parameters
        ----------
        n_samples : int, default=1
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
        random_state : int, RandomState, Generator or None, default=None
            The rows of ``sample(n)`` are the first n of ``sample(m)`` for the same seed.

        Returns
        -------
        rows : the container that fit was given, shape (n_samples, n_columns)
            The columns of fit in their order, with their dtypes and a fresh index.

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
        check_draw(n_samples, temperature)
        choice = self._choice(validator, max_invalid, exclude, exclude_longer_than)
        return self._sampled(n_samples, seed_sequence(random_state), self._how(temperature), choice)

    def sample_iter(
        self,
        n_samples: int,
        *,
        chunk_size: int = 10_000,
        temperature: float = 1.0,
        validator: Callable | None = None,
        max_invalid: int = 1_000,
        exclude: Any = None,
        exclude_longer_than: int = 30,
        random_state: Any = None,
    ) -> Iterator[Any]:
        """Draw new rows a chunk at a time: the rows of ``sample(n_samples)`` in memory that does not grow with them.

        Parameters
        ----------
        n_samples : int
        chunk_size : int, default=10_000
            Rows per chunk; the last may have fewer. The rows do not depend on it.
        temperature, validator, max_invalid, exclude, exclude_longer_than, random_state
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
        check_draw(n_samples, temperature)
        check_draw(chunk_size, temperature, name="chunk_size")
        choice = self._choice(validator, max_invalid, exclude, exclude_longer_than)
        return self._chunks(n_samples, chunk_size, seed_sequence(random_state), self._how(temperature), choice)

    def _how(self, temperature):
        from .core import Draw

        return Draw(temperature)

    def _choice(self, validator: Any, max_invalid: Any, exclude: Any, longer_than: Any) -> Choice:
        """Return which rows are taken, once all arguments are what they may be."""
        check_validator(validator, max_invalid)
        check_exclusion(exclude, longer_than, np.isfinite(self.epsilon_))
        if exclude is None:
            return Choice(validator, max_invalid)
        frame = check_columns(self, exclude, check_table(exclude), reset=False)
        texts = frame[[column for column, field in self.schema_.items() if field.kind == "text"]]
        return Choice(validator, max_invalid, Copies(texts, longer_than))

    def _draw(self, rows: range, seed: np.random.SeedSequence, how: Any) -> Iterator[pd.DataFrame]:
        streams = [stream(seed, "batch", batch) for batch in range(len(self.models_))]
        draws = [model._draw_ids(rows, own, how, model._n_together) for model, own in zip(self.models_, streams, strict=True)]
        return map(self._decode, zip(*draws, strict=True))

    def _decode(self, ids: Sequence[np.ndarray]) -> pd.DataFrame:
        """Return the rows of token ids, which come batch by batch."""
        parts = [model.tokenizer_.decode(own) for model, own in zip(self.models_, ids, strict=True)]
        columns = {column: part[column] for part, batch in zip(parts, self.batches_, strict=True) for column in batch}
        return pd.concat([columns[column] for column in self.columns_], axis=1)

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
        parts = zip(self.models_, self.links_, strict=True)
        return np.sum([_scores_in_context(model, frame[model.columns_], len(context)) for model, context in parts], axis=0)


def _scores_in_context(model: Any, frame: pd.DataFrame, n_columns: int) -> np.ndarray:
    """Return the log-likelihood of every row's other columns, given its first `n_columns`."""
    if not n_columns:
        return model.score_samples(frame)
    from . import core

    tokenizer = model.tokenizer_
    ids = tokenizer.encode(frame, cut=True)
    tokens, n_context = ids[:, : tokenizer.grammar_.n_positions], model.training_["n_context"]
    scores = core.log_likelihood(*model._network(), tokens, n_context) if model._weights else np.zeros(len(ids))
    cells = [codec.log_cell_size(own) for codec, own, _ in tokenizer._split(ids)]
    return scores - np.sum(cells[n_columns:], axis=0)
