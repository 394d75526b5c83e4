"""BatchLSTMSynthesizer: tables in, synthetic tables out."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from joblib.parallel import BACKENDS, get_active_backend
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from ._clusterer import ColumnClusterer
from ._generative import GenerativeModel, check_draw
from ._private import (
    DELTA,
    cell_by_cell,
    check_budget,
    check_typed,
    cluster_privately,
    plan_training,
    release,
)
from ._progress import progress_bar, watch_rows
from ._random import seed_sequence, stream
from ._text_model import HISTORY, LSTMTextModel
from ._validation import Container, check_columns, check_int, check_real, check_table
from .fields import Schema, infer_schema
from .privacy._ledger import Ledger
from .tokenizers import TableTokenizer

logger = logging.getLogger(__name__)

_TEMPLATES = {"clusterer": ColumnClusterer, "text_model": LSTMTextModel}
_ONE_BUDGET = "all batches read the same rows and share one budget; set it there alone"
_WHY = {
    "random_state": "every batch gets a stream of its own; set it there alone",
    "epsilon": _ONE_BUDGET,
    "delta": _ONE_BUDGET,
    "noise_multiplier": "all batches read the same rows and share one noise, which follows from epsilon; set that",
}


class BatchLSTMSynthesizer(GenerativeModel):
    """Learn a table, then sample rows of the same columns, types and dependencies.

    The columns are clustered into batches; each batch gets an LSTM language model of its tokenised rows, with settings of
    its own cloned from one template, and the batches are trained in parallel.

    Parameters
    ----------
    clusterer : ColumnClusterer, default=None
        Groups the columns; cloned before it is fitted. None: ``ColumnClusterer()``.
    text_model : LSTMTextModel, default=None
        Template of the batches' models; cloned for each. None: ``LSTMTextModel()``. Its `random_state` and `tokenizer` stay
        None: every batch gets its own.
    schema : dict of column to field, or "private", default=None
        What is known of some or all columns (see `sksynth.fields`); the rest is inferred from the data. With `epsilon`,
        every column needs a field whose domain is public, or is named "private" to have its domain inferred within epsilon;
        ``schema="private"`` says so of all columns.
    min_frequency : int, default=5
        Values of a category that are in fewer rows are neither stored nor sampled, and the bounds of numbers and dates lie
        where at least as many rows are at or beyond them. Of no account with `epsilon`, where rows are counted with noise.
    epsilon : float, default=None
        Fit with differential privacy: everything that the fitted object holds, and everything sampled from it, is
        (epsilon, delta)-differentially private, the unit being one row. See `privacy_statement_`. None: no privacy.
    delta : float, default=None
        Probability with which the bound may fail; below 1 over the number of rows. None: 1e-6.
    n_jobs : int, default=None
        Batches that are trained at the same time, as in joblib. Results do not depend on it.
    random_state : int, RandomState, Generator or None, default=None
        Seed of the fit; with `epsilon` of the initial weights and dropout alone, never of draws of rows and noise.
    verbose : int, default=0
        1 shows a progress bar over batches and epochs, and one while sampling if that takes more than a few seconds.

    Attributes
    ----------
    batches_ : list of list
        The columns of every batch.
    models_ : list of LSTMTextModel
        The fitted model of every batch.
    clusterer_ : ColumnClusterer
        The fitted clusterer.
    schema_ : sksynth.fields.Schema
        What every column is, as it was given or inferred; printable, editable, to and from JSON.
    history_ : DataFrame
        One row per batch and epoch: batch, epoch, loss, accuracy, val_loss, val_accuracy, epsilon, delta, seconds, best.
    epsilon_ : float
        Of the whole fit, all batches and all that was released before training; infinite without `epsilon`.
    delta_ : float
        That goes with it; 0.0 without `epsilon`.
    privacy_ledger_ : DataFrame
        With `epsilon`, what read the rows and what it spent: step, mechanism, parameters, epsilon (its own), delta, covers.
    privacy_statement_ : str
        With `epsilon`, the same in words, with what is public and what is not covered.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of str
        Their names, where all are strings.
    columns_ : list
        Their names as they are.

    See Also
    --------
    LSTMTextModel : The model of one batch.
    ColumnClusterer : What makes the batches.

    Examples
    --------
    >>> from sksynth import BatchLSTMSynthesizer, LSTMTextModel
    >>> from sksynth.datasets import load_adult
    >>> adult = load_adult().head(200)
    >>> synthesizer = BatchLSTMSynthesizer(text_model=LSTMTextModel(rnn_units=8, epochs=1), random_state=0).fit(adult)
    >>> synthesizer.sample(3, random_state=0).shape
    (3, 15)
    """

    def __init__(
        self,
        clusterer: ColumnClusterer | None = None,
        text_model: LSTMTextModel | None = None,
        *,
        schema: Mapping | str | None = None,
        min_frequency: int = 5,
        epsilon: float | None = None,
        delta: float | None = None,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ):
        self.clusterer = clusterer
        self.text_model = text_model
        self.schema = schema
        self.min_frequency = min_frequency
        self.epsilon = epsilon
        self.delta = delta
        self.n_jobs = n_jobs
        self.random_state = random_state
        self.verbose = verbose

    def set_params(self, **params: Any) -> "BatchLSTMSynthesizer":
        """Set parameters, nested ones too; ``text_model__rnn_units=64`` works where `text_model` is None as well.

        Parameters
        ----------
        **params : dict

        Returns
        -------
        self : BatchLSTMSynthesizer
        """
        for name, template in _TEMPLATES.items():
            nested = any(key.startswith(f"{name}__") for key in params)
            if nested and params.get(name, getattr(self, name)) is None:
                setattr(self, name, template())
                params.pop(name, None)
        return super().set_params(**params)

    def fit(self, X: Any, y: Any = None) -> "BatchLSTMSynthesizer":
        """Learn the table.

        Parameters
        ----------
        X : DataFrame or ndarray, shape (n_rows, n_columns)
            Never changed.
        y : ignored

        Returns
        -------
        self : BatchLSTMSynthesizer

        Raises
        ------
        ValueError, TypeError
            If a parameter, a column or the schema is not what it may be; the message names it.
        """
        self._check_parameters()
        self._forget()
        frame = check_table(X)
        if self.epsilon is not None:
            check_typed(X)
        check_columns(self, X, frame, reset=True)
        self._container = Container.of(X)
        root = seed_sequence(self.random_state)
        prepared = self._prepare(frame, root) if self.epsilon is None else self._prepare_privately(frame)
        logger.info("fitting batches of %s columns", [len(batch) for batch in self.batches_])
        self.models_ = self._fit_batches(*prepared, root)
        known = {column: field for model in self.models_ for column, field in model.tokenizer_.schema_.items()}
        self.schema_ = Schema({column: known[column] for column in self.columns_})
        self.history_ = _join_histories(self.models_)
        return self

    def _new_clusterer(self) -> ColumnClusterer:
        return ColumnClusterer() if self.clusterer is None else clone(self.clusterer)

    def _fit_clusterer(self, frame: pd.DataFrame, root: np.random.SeedSequence) -> ColumnClusterer:
        clusterer = self._new_clusterer()
        if clusterer.random_state is None:
            clusterer.set_params(random_state=int(stream(root, "clusterer").generate_state(1)[0]))
        return clusterer.fit(frame)

    def _prepare(self, frame: pd.DataFrame, root: np.random.SeedSequence) -> tuple[list, list, list]:
        """Fit the clusterer and all tokenizers; return the batches' models, token ids and, for none, plans."""
        schema = infer_schema(frame, min_frequency=self.min_frequency, schema=self.schema)
        self.clusterer_ = self._fit_clusterer(frame, root)
        self.batches_ = self.clusterer_.batches_
        self.epsilon_, self.delta_ = np.inf, 0.0
        models, ids = [], []
        for batch in self.batches_:
            model, columns = self._new_model(frame[batch])
            known = {column: schema[column] for column in batch}
            model.set_params(tokenizer=TableTokenizer(known, min_frequency=self.min_frequency))
            models.append(model)
            ids.append(model._fit_tokenizer(columns))
        return models, ids, [None] * len(models)

    def _prepare_privately(self, frame: pd.DataFrame) -> tuple[list, list, list]:
        """Do the same from what is public or released; say what is spent."""
        ledger = Ledger(DELTA if self.delta is None else self.delta)
        released = release(frame, self.schema, ledger, self.epsilon)
        self.clusterer_ = cluster_privately(self._new_clusterer(), frame, released, ledger, self.epsilon)
        self.batches_ = self.clusterer_.batches_
        models = [self._new_model(frame[batch])[0] for batch in self.batches_]
        priors = []
        for model, batch in zip(models, self.batches_, strict=True):
            model.tokenizer_, own = released.fit_tokenizer(batch)
            priors.append(own)
        plans = plan_training(models, priors, released.n_rows, ledger, self.epsilon)
        self._set_privacy(ledger, released)
        for model in models:
            model.epsilon_, model.delta_ = self.epsilon_, self.delta_
        table = cell_by_cell(frame, released.schema)
        ids = [model.tokenizer_.encode(table[batch]) for model, batch in zip(models, self.batches_, strict=True)]
        return models, ids, plans

    def _new_model(self, columns: pd.DataFrame) -> tuple[LSTMTextModel, pd.DataFrame]:
        """Return a clone of the template for the columns of a batch, and these, checked."""
        model = LSTMTextModel() if self.text_model is None else clone(self.text_model)
        return model, model._check_records(columns, reset=True)

    def _fit_batches(self, models: list, ids: list, plans: list, root: np.random.SeedSequence) -> list[LSTMTextModel]:
        """Return the models, trained on their token ids, in parallel."""
        n_epochs = [model._n_epochs(own, plan) for model, own, plan in zip(models, ids, plans, strict=True)]
        with progress_bar(self.verbose, n_epochs) as board:
            return _parallel(self.n_jobs)(
                delayed(_fit_batch)(model, ids[batch], plans[batch], stream(root, "batch", batch), board.watch(batch), batch)
                for batch, model in enumerate(models)
            )

    def sample(self, n_samples: int = 1, *, temperature: float = 1.0, random_state: Any = None) -> Any:
        """Draw new rows.

        Parameters
        ----------
        n_samples : int, default=1
        temperature : float, default=1.0
            Below 1 the likelier values are drawn more often than they should be, above 1 less often.
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
            If `n_samples` is not an int of at least 1, or `temperature` not above 0.
        """
        chunks = list(self._draw(n_samples, temperature, random_state))
        ids = [np.concatenate(parts) for parts in zip(*chunks, strict=True)]
        return self._container.restore(self._decode(ids))

    def sample_iter(
        self, n_samples: int, *, chunk_size: int = 10_000, temperature: float = 1.0, random_state: Any = None
    ) -> Iterator[Any]:
        """Draw new rows a chunk at a time: the rows of ``sample(n_samples)`` in memory that does not grow with them.

        Parameters
        ----------
        n_samples : int
        chunk_size : int, default=10_000
            Rows per chunk; the last may have fewer. The rows do not depend on it.
        temperature : float, default=1.0
        random_state : int, RandomState, Generator or None, default=None

        Returns
        -------
        chunks : iterator
            Of the container that fit was given, shape (chunk_size, n_columns).

        Raises
        ------
        NotFittedError, ValueError, TypeError
            As `sample`, before the first chunk is asked for.
        """
        check_draw(chunk_size, temperature, name="chunk_size")
        chunks = self._draw(n_samples, temperature, random_state)
        return (self._container.restore(self._decode(ids)) for ids in _rechunk(chunks, chunk_size))

    def _draw(self, n_samples: int, temperature: float, random_state: Any) -> Iterator[tuple[np.ndarray, ...]]:
        """Return an iterator over the token ids of every batch, chunk by chunk, that shows how far it is."""
        check_is_fitted(self)
        check_draw(n_samples, temperature)
        root = seed_sequence(random_state)
        draws = [
            model._draw_ids(n_samples, stream(root, "batch", batch), temperature) for batch, model in enumerate(self.models_)
        ]
        return watch_rows(zip(*draws, strict=True), n_samples, self.verbose)

    def _decode(self, ids: Sequence[np.ndarray]) -> pd.DataFrame:
        parts = [model.tokenizer_.decode(part) for model, part in zip(self.models_, ids, strict=True)]
        columns = {column: part[column] for part in parts for column in part.columns}
        return pd.concat([columns[column] for column in self.columns_], axis=1)

    def score_samples(self, X: Any) -> np.ndarray:
        """Return the log-likelihood of every row.

        Parameters
        ----------
        X : DataFrame or ndarray, shape (n_rows, n_columns)

        Returns
        -------
        scores : ndarray of float, shape (n_rows,)
            In nats: the sum over the batches. See `LSTMTextModel.score_samples` for what a cell scores.
        """
        check_is_fitted(self)
        frame = check_table(X)
        check_columns(self, X, frame, reset=False)
        parts = zip(self.models_, self.batches_, strict=True)
        return np.sum([model.score_samples(frame[batch]) for model, batch in parts], axis=0)

    def _check_parameters(self) -> None:
        check_int(self, "min_frequency", low=1)
        check_int(self, "verbose", low=0)
        check_real(self, "epsilon", low=0.0, closed="neither", optional=True)
        check_real(self, "delta", low=0.0, high=1.0, closed="neither", optional=True)
        for name, template in _TEMPLATES.items():
            value = getattr(self, name)
            if value is not None and not isinstance(value, template):
                raise TypeError(
                    f"The {name!r} parameter of BatchLSTMSynthesizer must be a {template.__name__} or None, got {value!r}."
                )
        if self.text_model is not None:
            self._check_template()
        if self.epsilon is None and self.delta is not None:
            raise ValueError(
                f"delta={self.delta!r} is set, but not epsilon, so that nothing would be private: set both, or none"
            )
        if self.epsilon is not None and self.text_model is not None:
            check_budget(self.text_model)

    def _check_template(self) -> None:
        if self.text_model.tokenizer is not None:
            raise ValueError(
                f"tokenizer is set on text_model ({self.text_model.tokenizer!r}), but the synthesizer gives every batch a "
                "TableTokenizer of its own: leave it None, and pass schema and min_frequency to BatchLSTMSynthesizer"
            )
        for name in ("random_state", "epsilon", "delta", "noise_multiplier"):
            value = getattr(self.text_model, name)
            if value is not None:
                own = "epsilon" if name == "noise_multiplier" else name
                raise ValueError(
                    f"{name} is set on text_model ({value!r}), but belongs to the synthesizer "
                    f"({own}={getattr(self, own)!r}): {_WHY[name]}"
                )
        self.text_model._check_parameters()

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.allow_nan = True
        return tags


def _parallel(n_jobs: int | None) -> Parallel:
    """Return joblib's engine, unless it forks: a fork of a process with TensorFlow's threads hangs."""
    backend, _ = get_active_backend()
    if isinstance(backend, BACKENDS["multiprocessing"]):
        raise ValueError(
            "n_jobs of BatchLSTMSynthesizer: joblib's backend 'multiprocessing' forks, and a fork of a process that "
            "has started TensorFlow hangs; use parallel_config('loky') (the default) or parallel_config('threading')"
        )
    return Parallel(n_jobs=n_jobs)


def _fit_batch(
    model: LSTMTextModel, ids: np.ndarray, plan: Any, seed: np.random.SeedSequence, on_epoch: Any, batch: int
) -> LSTMTextModel:
    """Train the model of one batch and return it; runs in any worker and touches nothing else."""
    try:
        with progress_bar(model.verbose, [model._n_epochs(ids, plan)], f"batch {batch}") as board:
            watchers = on_epoch, board.watch(0)
            return model._fit_ids(ids, seed, lambda state: [watch(state) for watch in watchers], plan)
    except Exception as error:
        error.add_note(f"while fitting batch {batch}, columns {list(model.columns_)}")
        raise


def _rechunk(chunks: Iterator[tuple[np.ndarray, ...]], size: int) -> Iterator[list[np.ndarray]]:
    """Yield the same rows in chunks of `size`; the last may have fewer."""
    rest: list[np.ndarray] = []
    for chunk in chunks:
        rest = [np.concatenate(pair) for pair in zip(rest, chunk, strict=True)] if rest else list(chunk)
        while len(rest[0]) >= size:
            yield [ids[:size] for ids in rest]
            rest = [ids[size:] for ids in rest]
    if len(rest[0]):
        yield rest


def _join_histories(models: list[LSTMTextModel]) -> pd.DataFrame:
    histories = [model.history_.assign(batch=batch) for batch, model in enumerate(models)]
    filled = [history for history in histories if len(history)]
    return pd.concat(filled, ignore_index=True)[HISTORY] if filled else histories[0]
