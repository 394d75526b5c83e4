"""BatchLSTMSynthesizer: tables in, synthetic tables out."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from copy import copy
from functools import partial, wraps
from inspect import signature
from itertools import chain
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from . import persistence
from ._association import measured_association, rows_to_measure, signs_of
from ._clusterer import ColumnClusterer
from ._coerce import coerced_table
from ._files import _model as model_files
from ._files import _synthesizer as synthesizer_files
from ._generative import (
    check_fitted,
    note_steps,
    refuse_more_training,
)
from ._infer import given_fields
from ._links import checked_links, find_links, reading_order
from ._notes import Notes, tell
from ._parameters import check_synthesizer
from ._private import (
    DELTA,
    cell_by_cell,
    cluster_privately,
    in_public_dtypes,
    plan_training,
    readable,
    release,
)
from ._random import seed_sequence, stream
from ._sources import TableSource, opened_table, token_ids
from ._table_sampling import TableSampling
from ._tables import Table, TableInMemory, in_memory, table_of, texts_of
from ._text_model import LSTMTextModel
from ._training._checkpoints import CLUSTERER, Folder
from ._training._history import HISTORY, history_frame
from ._training._job import Job, Outcome, n_epochs, settle
from ._training._parallel import run_jobs
from ._training._progress import stage, supervised
from ._validation import Container, check_columns, check_table, listed
from .fields import Schema
from .privacy._ledger import Ledger
from .tokenizers import TableTokenizer

logger = logging.getLogger(__name__)


def _tells_misplaced(init: Callable) -> Callable:
    """Return a constructor that says of arguments which it does not take where they belong."""
    known = signature(init).parameters

    @wraps(init)
    def told(self, *args, **params):
        misplaced = {name: value for name, value in params.items() if name not in known}
        if misplaced:
            raise TypeError(_unexpected(misplaced))
        init(self, *args, **params)

    return told


class BatchLSTMSynthesizer(TableSampling):
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
    linked : bool or list of lists of column names, default=True
        Let the model of every batch read, before its own columns, up to four columns of earlier batches, those that say most
        about its own, so that batches stay dependent on each other; see `links_`. They are trained in parallel all the same.
        With `epsilon`, links follow from the noisy association that the columns are clustered by; where the clusterer
        measures none, as it is given `batches` or needs no more than one, there are none. Links of your own are a list for
        each batch of the columns that it reads first, none of them text or an identifier. False: batches are independent.
    epsilon : float, default=None
        Fit with differential privacy: everything that the fitted object holds, and everything sampled from it, is
        (epsilon, delta)-differentially private, the unit being one row. See `privacy_statement_`. None: no privacy.
    delta : float, default=None
        Probability with which the bound may fail; below 1 over the number of rows. None: 1e-6.
    checkpoint_dir : str or path, default=None
        Folder in which the fit leaves, batch by batch and epoch by epoch, all that is needed to go on, or to sample (`load`);
        it never holds rows. `fit` goes on where an earlier one of the same data and settings stood there, to the same result
        as if it had not stopped. None: nothing is written.
    checkpoints : {"best+last", "all"}, default="best+last"
        Which epochs stay in the folder.
    overwrite : bool, default=False
        Start afresh in a `checkpoint_dir` that holds a fit.
    callbacks : list, default=None
        Callbacks of Keras, and callables that take an `EpochState` (batch, epoch, loss, accuracy, val_loss, val_accuracy,
        epsilon, delta, seconds; ``state.stop()`` ends the training of its batch) after every epoch of every batch. In this
        process the very callables are called, in a worker their copies; of Keras' callbacks each batch gets a copy, see
        `callbacks_`. One that sets the learning rate takes it over from the plan.
    max_time : float, default=None
        Seconds that fit may take in all, compilation included; what is left is divided over the batches. It ends within one
        compiled call (half a second of work) of that, and every batch takes at least one. None: no limit.
    n_jobs : int, default=None
        Batches that are trained at the same time, as in joblib. Results do not depend on it.
    random_state : int, RandomState, Generator or None, default=None
        Seed of the fit; with `epsilon` of the initial weights and dropout alone, never of draws of rows and noise.
    verbose : int, default=0
        1 shows the stage of fit and a progress bar over batches and epochs, and one while sampling if that takes more than a
        few seconds.

    Attributes
    ----------
    batches_ : list of list
        The columns of every batch.
    links_ : list of list
        The columns of other batches that the model of every batch reads first, as context, the strongest first.
    models_ : list of LSTMTextModel
        The fitted model of every batch; its `columns_` are the context, and the batch's own in the order in which they are
        read.
    clusterer_ : ColumnClusterer
        The fitted clusterer.
    callbacks_ : list of list
        The copies of Keras' callbacks that each batch used, with what they have noted, free of the network and of whatever
        cannot be pickled.
    interrupted_ : bool
        Whether Ctrl-C ended fit before it was done, which raised KeyboardInterrupt: see `history_` for how far it came.
    schema_ : sksynth.fields.Schema
        What every column is, as it was given or inferred; printable, editable, to and from JSON. Its `notes` are the
        decisions that are doubtful, of which fit warns once.
    history_ : DataFrame
        One row per batch and epoch: batch, epoch, loss, accuracy, val_loss, val_accuracy, epsilon, delta, seconds, best, and
        ended: in the last row of a batch why its training ended: "plan", "early stopping", "time", "interrupt" or "callback".
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

    _made_by_fit = "models_"

    @_tells_misplaced
    def __init__(
        self,
        clusterer: ColumnClusterer | None = None,
        text_model: LSTMTextModel | None = None,
        *,
        schema: Mapping | str | None = None,
        min_frequency: int = 5,
        linked: bool | Sequence = True,
        epsilon: float | None = None,
        delta: float | None = None,
        checkpoint_dir: Any = None,
        checkpoints: str = "best+last",
        overwrite: bool = False,
        callbacks: Sequence | None = None,
        max_time: float | None = None,
        n_jobs: int | None = None,
        random_state: Any = None,
        verbose: int = 0,
    ):
        self.clusterer = clusterer
        self.text_model = text_model
        self.schema = schema
        self.min_frequency = min_frequency
        self.linked = linked
        self.epsilon = epsilon
        self.delta = delta
        self.checkpoint_dir = checkpoint_dir
        self.checkpoints = checkpoints
        self.overwrite = overwrite
        self.callbacks = callbacks
        self.max_time = max_time
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
        for name, template in synthesizer_files.TEMPLATES.items():
            nested = any(key.startswith(f"{name}__") for key in params)
            if nested and params.get(name, getattr(self, name)) is None:
                setattr(self, name, template())
                params.pop(name, None)
        return super().set_params(**params)

    def fit(self, X: Any, y: Any = None) -> "BatchLSTMSynthesizer":
        """Learn the table.

        It need not fit into memory. Of a table in files, or of Dask, that has more than 262,144 rows (or 67 million cells)
        some rows are in memory at a time: it is read once to find out what its columns are, and columns are read again for
        the token ids of their batch, which are in the folder of temporary files (of `tempfile`; TMPDIR says where) until fit
        ends: one or two bytes for each token. A table with fewer rows is learned as if it were a frame, to the bit; so is
        one with `epsilon`, which has to fit into memory.

        Parameters
        ----------
        X : DataFrame or ndarray, shape (n_rows, n_columns), or path, dataset of pyarrow or DataFrame of Dask
            Never changed. A path is that of a file in Parquet or CSV, whose name says which, or of a folder of such files.
        y : ignored

        Returns
        -------
        self : BatchLSTMSynthesizer

        Raises
        ------
        ValueError, TypeError
            If a parameter, a column or the schema is not what it may be, or a file is damaged; the message names it.
        OSError
            If there is no such file, or no room for temporary ones.
        KeyboardInterrupt
            If Ctrl-C ended it. Where every batch had trained for an epoch, what was learned is kept: the synthesizer is
            fitted, and `interrupted_` is True. Otherwise it is what it was before.
        """
        started = time.time()
        self._check_parameters()
        if self.text_model is not None and self.text_model.warm_start and check_fitted(self):
            return self._go_on(X, started, "warm_start")
        with self._refitted():
            self._fit(X, started)
        with self._interrupt_passed_on():
            tell(self.schema_.notes, "schema_.notes")
        return self

    def partial_fit(self, X: Any, y: Any = None) -> "BatchLSTMSynthesizer":
        """Train on more rows: one pass over them, from where the batches' networks are; the first call fits.

        Batches and columns stay as they are; what the domains of fit have no room for is refused, see
        `tokenizers.TableTokenizer.admit`. If anything fails, the synthesizer is as it was. Nothing is written to
        `checkpoint_dir`.

        Parameters
        ----------
        X : what fit takes
            A table that is trained on further is read into memory.
        y : ignored

        Returns
        -------
        self : BatchLSTMSynthesizer

        Raises
        ------
        ValueError, TypeError
            As `fit`, and if X holds what there is no room for.
        RuntimeError
            If the synthesizer is private, or was loaded from a checkpoint_dir.
        KeyboardInterrupt
            If Ctrl-C ended it. Every batch is kept as far as it came; where none came through an epoch, nothing has changed.
        """
        started = time.time()
        self._check_parameters()
        refuse_more_training(self, "partial_fit")
        if check_fitted(self):
            return self._go_on(X, started, "partial_fit")
        with self._refitted():
            self._fit(X, started, one_pass=True)
        with self._interrupt_passed_on():
            tell(self.schema_.notes, "schema_.notes")
        return self

    def fit_batch(self, batch: int, X: Any = None) -> "BatchLSTMSynthesizer":
        """Train the model of one batch anew, and replace it alone; in `checkpoint_dir` too.

        Columns that are context, here or in other batches, keep their fields in `schema_`, and are read as before.

        Parameters
        ----------
        batch : int
            Position in `batches_`.
        X : what fit takes
            With the columns of the batch and its context, ``models_[batch].columns_``, or all of fit's; fit keeps no rows. A
            table in files is read into memory.

        Returns
        -------
        self : BatchLSTMSynthesizer

        Raises
        ------
        NotFittedError
            Before fit.
        RuntimeError
            Without X, or if the synthesizer is private, or was loaded from a checkpoint_dir.
        ValueError, TypeError
            If there is no such batch, or as `fit`.
        KeyboardInterrupt
            If Ctrl-C ended it. Where the batch had trained for an epoch, the new model is kept; otherwise the old one is.
        """
        started = time.time()
        check_is_fitted(self)
        self._check_parameters()
        refuse_more_training(self, "fit_batch")
        frame = self._columns_of(batch, in_memory(X, self.schema_))
        root = seed_sequence(self.random_state)
        table = TableInMemory(frame, None, self.min_frequency)
        model, job = self._new_model_and_job(batch, table, given_fields(self.schema, self.columns_), root)
        model.tokenizer_ = self._with_shared_columns(model.tokenizer_)
        job.ids = model.tokenizer_.encode(frame, cut=True)
        folder = self._folder()
        with nullcontext() if folder is None else folder.locked():
            if folder is not None:
                synthesizer_files.begin_batch(model, job, folder)
            outcomes, interrupted = self._run([model], [job], started)
        self.interrupted_ = settle(outcomes, interrupted, self.verbose)
        models = list(self.models_)
        models[batch] = outcomes[0].model
        with self._interrupt_passed_on():
            return self._set_models(models)

    def _with_shared_columns(self, tokenizer: TableTokenizer) -> TableTokenizer:
        """Return a batch's tokenizer that reads columns that are context of any batch as the models before read them."""
        for model, batch in zip(self.models_, self.batches_, strict=True):
            shared = {column for context in self.links_ for column in context if column in batch}
            tokenizer = tokenizer.sharing(model.tokenizer_, shared & set(tokenizer.columns_))
        return tokenizer

    def _columns_of(self, batch: Any, X: Any) -> pd.DataFrame:
        """Return the columns of a batch from a table that has them."""
        if X is None:
            raise RuntimeError(
                "fit_batch: no rows to train on, as fit keeps none: pass them, as in fit_batch(batch, X), with the columns of "
                "its model"
            )
        if isinstance(batch, bool) or not isinstance(batch, int | np.integer) or not 0 <= batch < len(self.batches_):
            raise ValueError(f"batch must be an int from 0 to {len(self.batches_) - 1}, a position in batches_, got {batch!r}")
        frame, columns = check_table(X), self._reading[batch]
        if not isinstance(X, pd.DataFrame) and frame.shape[1] in (len(columns), self.n_features_in_):
            frame = frame.set_axis(self.columns_ if frame.shape[1] == self.n_features_in_ else columns, axis=1)
        lacking = [column for column in columns if column not in frame.columns]
        if lacking:
            raise ValueError(
                f"X lacks columns of batch {batch}: {listed(lacking)}; pass all of synthesizer.models_[{batch}].columns_"
            )
        return frame[columns]

    def _fit(self, X: Any, started: float, one_pass: bool = False) -> "BatchLSTMSynthesizer":
        with opened_table(X, None if self._is_private else texts_of(self.schema)) as X:
            with stage(self.verbose, "reading"):
                table = self._read(X)
            return self._fit_table(table, started, one_pass)

    def _read(self, X: Any) -> Table:
        """Return what is to be learned, from what has been opened."""
        if self._is_private:
            X = in_public_dtypes(X, self.schema) if isinstance(X, TableSource) else X
            return TableInMemory(X, None, self.min_frequency, read=partial(readable, schema=self.schema))
        return table_of(X, self.schema, self.min_frequency, stream(seed_sequence(self.random_state), "survey"))

    def _fit_table(self, table: Table, started: float, one_pass: bool) -> "BatchLSTMSynthesizer":
        check_columns(self, table.came_as, table.sample, reset=True)
        self._container = Container.of(table.came_as)
        self._table_notes = Notes() if self._is_private else table.schema.notes.of_table()
        folder = None if one_pass else self._folder()
        with nullcontext() if folder is None else folder.locked():
            if folder is not None and folder.exists() and not self.overwrite:
                with stage(self.verbose, "taking up"):
                    models, jobs = self._take_up(table, folder)
            else:
                models, jobs = self._new_jobs(table, folder)
            for job in jobs:
                job.one_pass = one_pass
            logger.info("fitting batches of %s columns", [len(batch) for batch in self.batches_])
            try:
                outcomes, interrupted = self._run(models, jobs, started)
                models = [outcome.model for outcome in outcomes]
            finally:
                self.history_ = _join_histories(models)
        if self._is_private:
            note_steps(self.privacy_ledger_, models)
        self.interrupted_ = settle(outcomes, interrupted, self.verbose)
        return self._set_models(models)

    def _folder(self) -> Folder | None:
        return None if self.checkpoint_dir is None else Folder(self.checkpoint_dir, self.checkpoints)

    @property
    def _is_private(self) -> bool:
        return self.epsilon is not None

    def _set_models(self, models: list) -> "BatchLSTMSynthesizer":
        """Set the trained models, and what follows from them."""
        self.models_, self.history_ = models, _join_histories(models)
        self.callbacks_ = [model.callbacks_ for model in models]
        parts = zip(models, self.batches_, strict=True)
        known = {column: model.tokenizer_.schema_[column] for model, batch in parts for column in batch}
        notes = [model.tokenizer_.schema_.notes.of(batch) for model, batch in zip(models, self.batches_, strict=True)]
        self.schema_ = Schema({column: known[column] for column in self.columns_}, chain(self._table_notes, *notes))
        if self._is_private:
            note_steps(self.privacy_ledger_, models)
        return self

    def _new_jobs(self, table: Table, folder: Folder | None) -> tuple[list, list]:
        """Return the batches' models and what to train them on, which is written down where there is a folder."""
        root = seed_sequence(self.random_state)
        models, jobs = self._prepare_privately(table.sample, root) if self._is_private else self._prepare(table, root)
        if folder is not None:
            synthesizer_files.begin(self, models, jobs, folder)
        return models, jobs

    def _take_up(self, table: Table, folder: Folder) -> tuple[list, list]:
        """Return the batches' models and what is left of their training, from the folder of a fit of the same data."""
        settings = folder.settings(type(self).__name__)
        model_files.refuse_other_settings(self, settings, folder, synthesizer_files.asked_of(self))
        with persistence.reading(folder.path):
            synthesizer_files.set_from(self, settings, folder.state(CLUSTERER))
        root = seed_sequence(self.random_state)
        pairs = [self._take_up_batch(batch, table, folder, root) for batch in range(len(self._reading))]
        return tuple(map(list, zip(*pairs, strict=True)))

    def _take_up_batch(
        self, batch: int, table: Table, folder: Folder, root: np.random.SeedSequence
    ) -> tuple[LSTMTextModel, Job]:
        """Return the model of a batch and what is left of its training: all of it where `fit_batch` was killed as it began."""
        own = folder.batch(batch)
        if not own.exists() and not self._is_private:
            model, job = self._new_model_and_job(batch, table, given_fields(self.schema, self.columns_), root)
            synthesizer_files.begin_batch(model, job, folder)
            return model, job
        model = self._new_model(table.sample[self._reading[batch]])
        job = model_files.take_up(model, table.records(self._reading[batch]), own, stream(root, "batch", batch))
        job.batch, job.n_context = batch, self._n_context(batch, model)
        if not self._is_private:
            model.tokenizer = clone(model.tokenizer_)
        return model, job

    def _go_on(self, X: Any, started: float, how: str) -> "BatchLSTMSynthesizer":
        """Train the batches' networks further; on failure everything stays as it is."""
        refuse_more_training(self, how)
        X = in_memory(X, self.schema_)
        frame = check_columns(self, X, check_table(X), reset=False)
        root = seed_sequence(self.random_state)
        pairs = [
            copy(model)
            .set_params(**self._model_params())
            ._further_job(frame[columns], stream(root, "batch", batch), how == "partial_fit")
            for batch, (model, columns) in enumerate(zip(self.models_, self._reading, strict=True))
        ]
        models, jobs = map(list, zip(*pairs, strict=True))
        for batch, job in enumerate(jobs):
            job.batch = batch
        outcomes, interrupted = self._run(models, jobs, started)
        self.interrupted_ = settle(outcomes, interrupted, self.verbose)
        with self._interrupt_passed_on():
            return self._set_models([outcome.model for outcome in outcomes])

    def _new_clusterer(self) -> ColumnClusterer:
        return ColumnClusterer() if self.clusterer is None else clone(self.clusterer)

    def _fit_clusterer(self, frame: pd.DataFrame, root: np.random.SeedSequence) -> ColumnClusterer:
        clusterer = self._new_clusterer()
        if clusterer.random_state is None:
            clusterer.set_params(random_state=int(stream(root, "clusterer").generate_state(1)[0]))
        return clusterer.fit(frame)

    def _prepare(self, table: Table, root: np.random.SeedSequence) -> tuple[list, list]:
        """Fit the clusterer and all tokenizers; return the batches' models and jobs."""
        given = given_fields(self.schema, table.sample.columns)
        with stage(self.verbose, "clustering"):
            frame = coerced_table(table.sample, table.schema)
            self.clusterer_ = self._fit_clusterer(frame, root)
            self._link(frame, table.kinds())
        self.epsilon_, self.delta_ = np.inf, 0.0
        with stage(self.verbose, "tokenising"):
            pairs = [self._new_model_and_job(batch, table, given, root) for batch in range(len(self._reading))]
        return tuple(map(list, zip(*pairs, strict=True)))

    def _link(self, frame: pd.DataFrame, kinds: Mapping) -> None:
        """Choose what the models of the batches read, by the association that the clusterer or, in public, the table shows."""
        self.batches_ = batches = self.clusterer_.batches_
        measured, self.links_ = getattr(self.clusterer_, "association_", None), [[] for _ in batches]
        rows = None if self._is_private else rows_to_measure(frame, self.clusterer_.random_state)
        if measured is None and rows is not None:
            measured = measured_association(rows)
        if not isinstance(self.linked, bool):
            self.links_ = checked_links(self.linked, batches, kinds)
        elif self.linked and len(batches) > 1 and measured is not None:
            signs = None if rows is None else signs_of(rows, measured.to_numpy())
            self.links_ = find_links(batches, measured, kinds, signs)
        own = [reading_order(batch, measured) for batch in batches]
        self._reading = [[*context, *columns] for context, columns in zip(self.links_, own, strict=True)]

    def _n_context(self, batch: int, model: LSTMTextModel) -> int:
        """Return the number of runs of a batch's model that are context; they come first, as none of them is text."""
        return sum(codec.run is not None for codec in model.tokenizer_.codecs_[: len(self.links_[batch])])

    def _new_model_and_job(
        self, batch: int, table: Table, given: Mapping, root: np.random.SeedSequence
    ) -> tuple[LSTMTextModel, Job]:
        """Return a model with a fitted tokenizer for the columns of a batch, and what to train it on."""
        columns = self._reading[batch]
        model = self._new_model(table.sample[columns])
        known = {column: field for column, field in given.items() if column in columns}
        model.tokenizer = TableTokenizer(known, min_frequency=self.min_frequency)
        model._fit_tokenizer(lambda tokenizer: table.fitted(tokenizer, columns))
        ids, seed = token_ids(model.tokenizer_, table.records(columns)), stream(root, "batch", batch)
        return model, Job(ids, seed, batch=batch, n_context=self._n_context(batch, model))

    def _prepare_privately(self, frame: pd.DataFrame, root: np.random.SeedSequence) -> tuple[list, list]:
        """Do the same from what is public or released; say what is spent."""
        ledger = Ledger(DELTA if self.delta is None else self.delta)
        released = release(frame, self.schema, ledger, self.epsilon)
        with stage(self.verbose, "clustering"):
            self.clusterer_ = cluster_privately(self._new_clusterer(), frame, released, ledger, self.epsilon)
            self._link(frame, {column: field.kind for column, field in released.schema.items()})
        models = [self._new_model(frame[columns]) for columns in self._reading]
        priors = []
        for model, columns in zip(models, self._reading, strict=True):
            model.tokenizer_, own = released.fit_tokenizer(columns)
            priors.append(own)
        plans = plan_training(models, priors, released.n_rows, ledger, self.epsilon)
        self._set_privacy(ledger, released)
        table = cell_by_cell(frame, released.schema)
        jobs = []
        with stage(self.verbose, "tokenising"):
            for batch, (model, plan) in enumerate(zip(models, plans, strict=True)):
                model.epsilon_, model.delta_ = self.epsilon_, self.delta_
                ids, seed = model.tokenizer_.encode(table[self._reading[batch]], cut=True), stream(root, "batch", batch)
                jobs.append(Job(ids, seed, plan, batch=batch, n_context=self._n_context(batch, model)))
        return models, jobs

    def _new_model(self, columns: pd.DataFrame) -> LSTMTextModel:
        """Return a clone of the template for the columns of a batch, which it has seen."""
        model = self._cloned_template()
        model._check_records(columns, reset=True)
        return model

    def _cloned_template(self) -> LSTMTextModel:
        """Return a clone of the template, of its own class, without callbacks, which are part of a batch's job."""
        template = LSTMTextModel() if self.text_model is None else copy(self.text_model)
        template.callbacks = None  # never copied: callbacks of Keras may hold a whole network
        model = clone(template)
        if model.any_order == "auto":
            model.any_order = self.epsilon is None  # any column may be given
        return model

    def _model_params(self) -> dict:
        """Return what every batch's model has of the template: not a tokenizer, nor callbacks."""
        params = self._cloned_template().get_params(deep=False)
        return {name: value for name, value in params.items() if name not in ("tokenizer", "callbacks")}

    def _run(self, models: list, jobs: list, started: float) -> tuple[list[Outcome], bool]:
        """Train models on their jobs, in parallel, watched; return with what becomes of them whether Ctrl-C was pressed."""
        template = self.text_model.callbacks if self.text_model is not None else None
        ends = None if self.max_time is None else started + self.max_time
        for job in jobs:
            job.callbacks = [*(template or ()), *(self.callbacks or ())]
        with supervised(self.verbose, [n_epochs(*pair) for pair in zip(models, jobs, strict=True)]) as board:
            outcomes = run_jobs(models, jobs, board, ends, self.n_jobs)
        return outcomes, board.interrupted

    def _to_files(self) -> dict[str, bytes]:
        return synthesizer_files.to_files(self)

    @classmethod
    def _from_files(cls, files: Mapping[str, bytes], trusted: Sequence[type]) -> "BatchLSTMSynthesizer":
        return synthesizer_files.from_files(cls, files, trusted)

    @classmethod
    def _from_folder(cls, folder: Folder, trusted: Sequence[type]) -> "BatchLSTMSynthesizer":
        return synthesizer_files.from_folder(cls, folder, trusted)

    def _check_parameters(self) -> None:
        check_synthesizer(self, synthesizer_files.TEMPLATES)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.allow_nan = True
        return tags


def _unexpected(names: Mapping) -> str:
    """Return an error message for arguments that the constructor does not take, with the estimator that takes them."""
    message = f"BatchLSTMSynthesizer got unexpected arguments: {', '.join(names)}"
    for name, owner in (("text_model", LSTMTextModel), ("clusterer", ColumnClusterer)):
        known = owner._get_param_names()
        own = ", ".join(f"{key}={value!r}" for key, value in names.items() if key in known)
        message += f"; pass {name}={owner.__name__}({own})" if own else ""
    return message


def _join_histories(models: list[LSTMTextModel]) -> pd.DataFrame:
    histories = [getattr(model, "history_", history_frame([])).assign(batch=batch) for batch, model in enumerate(models)]
    filled = [history for history in histories if len(history)]
    return pd.concat(filled, ignore_index=True)[HISTORY] if filled else histories[0]
