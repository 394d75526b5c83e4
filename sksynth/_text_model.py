"""LSTMTextModel: one LSTM language model over tokenised records."""

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import clone

from . import persistence
from ._files import _model as model_files
from ._generative import (
    check_fitted,
    note_steps,
    refuse_more_training,
)
from ._notes import tell
from ._parameters import check_text_model
from ._private import (
    DELTA,
    Lines,
    PrivatePlan,
    cell_by_cell,
    fit_to_alphabet,
    plan_training,
    readable,
    readable_lines,
    release,
)
from ._random import seed_sequence, stream
from ._sources import LineSource, opened, token_ids
from ._text_sampling import TextSampling
from ._training._checkpoints import Folder
from ._training._job import Job, Outcome, grown_weights, n_epochs, settle, train
from ._training._progress import stage, supervised
from ._training._watch import Watch
from ._validation import Container, check_columns, check_table, warn
from .privacy._ledger import Ledger
from .tokenizers import CharTokenizer, SentencePieceTokenizer, StreamTokenizer, TableTokenizer
from .tokenizers._lines import LineTokenizer


class LSTMTextModel(TextSampling):
    """An LSTM language model of records: rows of a table, or lines of text.

    Records are turned into short sequences of tokens by a tokenizer; the network learns to predict each token from those
    before it, and samples new records token by token. Only tokens that are legal at their place are ever scored or drawn,
    so that every sample decodes.

    Parameters
    ----------
    tokenizer : tokenizer, default=None
        What turns records into tokens; cloned before it is fitted. One of your own derives from `tokenizers.Tokenizer`. None:
        `TableTokenizer` for tables, for lines of text `SentencePieceTokenizer`, or `CharTokenizer` where training is private.
    embedding_dim : int, default=None
        Width of the token embedding. None: chosen from the number of rows and slots, like all other None; the values used
        are in `training_`.
    rnn_units : int, default=None
        Units per LSTM layer.
    n_layers : int, default=1
        Number of LSTM layers.
    dropout : float in [0, 1), default=None
        Share of the hidden units that are dropped, the same ones for all tokens of a row.
    epochs : int, default=None
        Passes over the training rows, at most; the learning rate falls to nearly zero over them. None: by the number of rows,
        and twice as many where rows are held out and their loss still falls fast at half of the epochs.
    batch_size : int, default=None
        Rows per gradient step.
    learning_rate : float, default=None
        Peak of the learning rate, after its warm-up.
    validation_fraction : float in [0, 1), default=None
        Share of the rows held out for `val_loss`, the same rows throughout. None: a tenth, but 50,000 rows at most; of
        fewer than 120 rows none, which serve better to train on.
    early_stopping : bool or "auto", default="auto"
        Stop when the figure of `monitor` has not improved by `min_delta` for `patience` epochs. "auto": where rows are held
        out.
    monitor : {"val_loss", "val_accuracy", "loss", "accuracy"}, default="val_loss"
        The figure of `history_` by which the best epoch is told, whose weights are kept; that of the training rows where none
        are held out.
    patience : int, optional
        Epochs without improvement before early stopping. None: a sixth of `epochs`, but 4 at least: where few rows are held
        out, `val_loss` has plateaus.
    min_delta : float, default=0.0
        Change of that figure (of a loss: in nats per record) that counts as improvement.
    max_time : float, default=None
        Seconds that fit may take, compilation included: it ends within one compiled call (half a second of work) of that, and
        keeps the best epoch so far, or what it has of the first. None: no limit.
    epsilon : float, default=None
        Train with differential privacy: everything that the fitted model holds is (epsilon, delta)-differentially private,
        each record being one row. What is read of the records must then be public, or is inferred within epsilon: a table
        needs ``tokenizer=TableTokenizer(schema)`` with a full schema or columns named "private"; lines are read by a public
        alphabet, or a public model of SentencePiece. Rows are drawn at random for each step, `batch_size` is their expected
        number, and nothing is held out. None: no privacy.
    delta : float, default=None
        Probability with which the bound may fail; below 1 over the number of records. None: 1e-6.
    noise_multiplier : float, default=None
        Noise over `l2_norm_clip`, in place of `epsilon`: `epsilon_` says what it spends.
    l2_norm_clip : float, default=1.0
        To what a record's gradient is clipped, in private training.
    checkpoint_dir : str or path, default=None
        Folder in which every epoch leaves all that is needed to go on, or to sample (`load`), and ``history.csv``. It never
        holds records. `fit` goes on where an earlier one of the same data and settings stood there, to the same result as if
        it had not stopped. None: nothing is written.
    checkpoints : {"best+last", "all"}, default="best+last"
        Which epochs stay in the folder.
    overwrite : bool, default=False
        Start afresh in a `checkpoint_dir` that holds a fit.
    callbacks : list, default=None
        Callbacks of Keras, and callables that take an `EpochState` (batch, epoch, loss, accuracy, val_loss, val_accuracy,
        epsilon, delta, seconds; ``state.stop()`` ends training) after every epoch. Of Keras' callbacks copies are used, see
        `callbacks_`; one that sets the learning rate takes it over from the plan. In private training they see epochs only,
        not steps.
    warm_start : bool, default=False
        `fit` of a fitted model trains its network further, on the rows of X, rather than a new one.
    packing : {"rows", "stream"}, default="rows"
        What the network is trained on. "rows": records, each from its beginning to its end. "stream": sequences of 128 tokens
        that are cut from all lines, one after the other, for lines that are documents of hundreds of tokens; a record of
        `history_` and of `validation_fraction` is then such a sequence. Not in private training, where a line is a record.
    any_order : bool or "auto", default="auto"
        Train the network to read columns of a table in any order, so that any of them may be given in `sample`; see
        docs/benchmarks.md for what that does to rows of which nothing is given. Losses are then means over the orders. "auto":
        where columns are text, which is read last otherwise, and in the batches of a synthesizer. Not in private training.
    jit_compile : bool or "auto", default="auto"
        Compile the recurrence and the heads with XLA, which takes a few seconds and makes steps faster. "auto": where
        training is long enough to repay it; on a GPU the LSTM layer of Keras is used instead.
    random_state : int, RandomState, Generator or None, default=None
        Seed of the initial weights, the held-out rows, the order of rows and dropout.
    verbose : int, default=0
        1 shows the stage of fit and a progress bar over the epochs, and one while sampling if that takes more than a few
        seconds.

    Attributes
    ----------
    tokenizer_ : tokenizer
        The fitted clone of `tokenizer`.
    history_ : DataFrame
        One row per epoch: batch, epoch, loss and val_loss (nats per record), accuracy and val_accuracy (share of tokens
        foreseen), epsilon, delta, seconds, best, and
        ended: in the last row of a batch why its training ended: "plan", "early stopping", "time", "interrupt" or "callback".
    training_ : dict
        Every setting with the value that was used.
    epsilon_ : float
        Of the whole fit; infinite where training is not private.
    delta_ : float
        That goes with it; 0.0 where training is not private.
    privacy_ledger_ : DataFrame
        What read the records and what it spent, where training is private: step, mechanism, parameters, epsilon (its own),
        delta, covers.
    privacy_statement_ : str
        The same in words, with what is public and what is not covered.
    n_parameters_ : int
        Number of trainable weights.
    callbacks_ : list
        The copies of Keras' callbacks that were used, with what they have noted, free of the network and of whatever cannot
        be pickled.
    interrupted_ : bool
        Whether Ctrl-C ended fit before it was done, which raised KeyboardInterrupt: see `history_` for how far it came.
    n_features_in_ : int
        Number of columns, of a table.
    feature_names_in_ : ndarray of str
        Their names, where all are strings.
    columns_ : list
        Their names as they are, of a table.

    Examples
    --------
    >>> from sksynth import LSTMTextModel
    >>> lines = ["ab", "abab", "ababab"] * 20
    >>> model = LSTMTextModel(rnn_units=8, epochs=2, random_state=0).fit(lines)
    >>> len(model.sample(3, random_state=0))
    3
    """

    _made_by_fit = "_weights"

    def __init__(
        self,
        tokenizer: Any = None,
        *,
        embedding_dim: int | None = None,
        rnn_units: int | None = None,
        n_layers: int = 1,
        dropout: float | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        learning_rate: float | None = None,
        validation_fraction: float | None = None,
        early_stopping: bool | str = "auto",
        monitor: str = "val_loss",
        patience: int | None = None,
        min_delta: float = 0.0,
        max_time: float | None = None,
        epsilon: float | None = None,
        delta: float | None = None,
        noise_multiplier: float | None = None,
        l2_norm_clip: float = 1.0,
        checkpoint_dir: Any = None,
        checkpoints: str = "best+last",
        overwrite: bool = False,
        callbacks: Sequence | None = None,
        warm_start: bool = False,
        packing: str = "rows",
        any_order: bool | str = "auto",
        jit_compile: bool | str = "auto",
        random_state: Any = None,
        verbose: int = 0,
    ):
        self.tokenizer = tokenizer
        self.embedding_dim = embedding_dim
        self.rnn_units = rnn_units
        self.n_layers = n_layers
        self.dropout = dropout
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.validation_fraction = validation_fraction
        self.early_stopping = early_stopping
        self.monitor = monitor
        self.patience = patience
        self.min_delta = min_delta
        self.max_time = max_time
        self.epsilon = epsilon
        self.delta = delta
        self.noise_multiplier = noise_multiplier
        self.l2_norm_clip = l2_norm_clip
        self.checkpoint_dir = checkpoint_dir
        self.checkpoints = checkpoints
        self.overwrite = overwrite
        self.callbacks = callbacks
        self.warm_start = warm_start
        self.packing = packing
        self.any_order = any_order
        self.jit_compile = jit_compile
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> "LSTMTextModel":
        r"""Fit on a table or on lines of text.

        Lines need not fit into memory. A str or path is the name of a text file, plain or gzip, in UTF-8, with a line per
        record: "\n", "\r\n" or "\r" ends it, and nothing else does. An iterable that is not its own iterator is read several
        times, an iterator once, and copied. Beside that copy, the token ids are in the folder of temporary files (of
        `tempfile`; TMPDIR says where) until fit ends: two bytes for each token of the longest line, times the lines. In memory
        are a few bytes per line. What is learned is the same as of these lines in a list, to the bit.

        Parameters
        ----------
        X : DataFrame or ndarray of shape (n_rows, n_columns), or list, Series or 1-D array of str, or path, or iterable of str
            One line of text has to be in a list, as a str is taken for a path.
        y : ignored

        Returns
        -------
        self : LSTMTextModel

        Raises
        ------
        ValueError, TypeError
            If a parameter, a column or a line is not what it may be.
        OSError
            If a file is not there or cannot be read, or there is no room for temporary files.
        KeyboardInterrupt
            If Ctrl-C ended it. After the first epoch, what was learned is kept: the model is fitted, and `interrupted_` is
            True. Before, it is what it was before.
        """
        return self._fit_or_go_on(X, self.warm_start)

    def partial_fit(self, X: Any, y: Any = None) -> "LSTMTextModel":
        """Train on more records: one pass over them, from where the network is; the first call fits.

        Nothing is held out, and the learning rate rises and falls within the pass. Columns must be those of fit; what the
        domains of fit have no room for is refused, see `tokenizers.TableTokenizer.admit`. If anything fails, the model is as
        it was.

        Parameters
        ----------
        X : what fit takes
        y : ignored

        Returns
        -------
        self : LSTMTextModel

        Raises
        ------
        ValueError, TypeError
            As `fit`, and if X holds what there is no room for.
        RuntimeError
            If the model is private, or was loaded from a checkpoint_dir.
        KeyboardInterrupt
            If Ctrl-C ended it. Where the pass was over, it is kept; otherwise the model is as it was.
        """
        return self._fit_or_go_on(X, True, one_pass=True)

    def _fit_or_go_on(self, X: Any, further: bool, one_pass: bool = False) -> "LSTMTextModel":
        """Fit, or train further where that is wanted and the model is fitted; what is made of lines on disk goes with that."""
        started = time.time()
        self._check_parameters()
        if one_pass:
            refuse_more_training(self, "partial_fit")
        if further and check_fitted(self):
            with opened(X) as X:
                return self._go_on(X, started, one_pass)
        with self._refitted(), opened(X) as X:
            self._fit(X, started, one_pass)
        with self._interrupt_passed_on():
            if isinstance(self.tokenizer_, TableTokenizer):
                tell(self.tokenizer_.schema_.notes, "tokenizer_.schema_.notes")
            self._tell_cut()
        return self

    def _tell_cut(self, lines: Any = None) -> None:
        """Warn of lines, those of fit or others, of which much is cut; never where training is private."""
        if isinstance(self.tokenizer_, LineTokenizer) and not self._is_private and (text := self.tokenizer_.told_cut(lines)):
            warn(text)

    def _fit(self, X: Any, started: float, one_pass: bool = False) -> "LSTMTextModel":
        X = self._check_records(X, reset=True)
        folder = None if self.checkpoint_dir is None or one_pass else Folder(self.checkpoint_dir, self.checkpoints)
        with nullcontext() if folder is None else folder.locked():
            if folder is not None and folder.exists() and not self.overwrite:
                settings = folder.settings(type(self).__name__)
                model_files.refuse_other_settings(self, settings, folder, model_files.asked_of(self))
                job = model_files.take_up(self, X, folder, seed_sequence(self.random_state))
            else:
                job = self._new_job(X, folder)
            job.one_pass = one_pass
            return self._run(job, started)

    def _new_job(self, X: Any, folder: Folder | None) -> Job:
        """Fit the tokenizer; return what to train on, which is written down where there is a folder."""
        seed = seed_sequence(self.random_state)
        with stage(self.verbose, "tokenising"):
            if self._is_private:
                ids, plan = self._fit_privately(X)
            else:
                self._fit_tokenizer(lambda tokenizer: tokenizer.fit(X))
                ids, plan = token_ids(self.tokenizer_, X), None
        job = Job(ids, seed, plan, folder)
        if folder is not None:
            model_files.begin(self, job)
        return job

    def _go_on(self, X: Any, started: float, one_pass: bool = False) -> "LSTMTextModel":
        """Train the fitted network further; on failure this model stays as it is."""
        refuse_more_training(self, "partial_fit" if one_pass else "warm_start")
        grown, job = self._further_job(X, seed_sequence(self.random_state), one_pass)
        grown._run(job, started)
        with self._interrupt_passed_on():
            vars(self).update(vars(grown))
        return self

    def _further_job(self, X: Any, seed: np.random.SeedSequence, one_pass: bool) -> "tuple[LSTMTextModel, Job]":
        """Return a copy of the fitted model whose tokenizer reads X too, and what to train it on."""
        X = self._check_records(X, reset=False)
        grown = copy.copy(self)
        grown.tokenizer_ = self.tokenizer_.admit(X)
        self._tell_cut(X)
        weights, pinned = grown_weights(self, grown.tokenizer_)
        past = self.history_.to_dict("records")
        seed = stream(seed, "further", len(past))
        ids = token_ids(grown.tokenizer_, X)
        n_context = self.training_.get("n_context", 0)
        return grown, Job(ids, seed, weights=weights, past=past, pinned=pinned, one_pass=one_pass, n_context=n_context)

    def _run(self, job: Job, started: float) -> "LSTMTextModel":
        """Train on a job, watched."""
        job.callbacks = self.callbacks or ()
        ends = None if self.max_time is None else started + self.max_time
        with supervised(self.verbose, [n_epochs(self, job)]) as board:
            watch = Watch(board, 0, ends).begin(None)
            try:
                self.interrupted_ = False
                learned = train(self, job, watch)
            except BaseException:
                vars(self).pop("_weights", None)
                raise
        if job.plan is not None:
            note_steps(self.privacy_ledger_, [self])
        self.interrupted_ = settle([Outcome(self, None, learned)], board.interrupted, self.verbose)
        return self

    @property
    def _is_private(self) -> bool:
        return self.epsilon is not None or self.noise_multiplier is not None

    def _as_encoded(self, records: Any) -> Any:
        """Return checked records as they are read: where training is private, no cell by the light of others."""
        return cell_by_cell(records, self.tokenizer_.schema_) if self._is_private and self._container is not None else records

    def _fit_tokenizer(self, fit: Callable) -> None:
        """Fit the tokenizer by a function that takes it and returns it fitted."""
        if self.tokenizer is not None:
            tokenizer = clone(self.tokenizer)
        else:
            tokenizer = SentencePieceTokenizer() if self._container is None else TableTokenizer()
        if self.packing == "stream":
            tokenizer = StreamTokenizer(tokenizer)
        self.tokenizer_, self.epsilon_, self.delta_ = fit(tokenizer), np.inf, 0.0

    def _fit_privately(self, X: Any) -> tuple[np.ndarray, PrivatePlan]:
        """Fit the tokenizer on what is public or released, plan training, say what is spent; return token ids and plan."""
        ledger = Ledger(DELTA if self.delta is None else self.delta)
        known = (CharTokenizer, SentencePieceTokenizer) if self._container is None else (TableTokenizer,)
        if not isinstance(self.tokenizer, (*known, type(None))):
            raise ValueError(
                f"epsilon is set, but tokenizer {self.tokenizer!r} may keep what it likes of the records: pass "
                f"{' or '.join(cls.__name__ for cls in known)}, whose parameters are public, or None"
            )
        if self._container is None:
            facts: Any = Lines(len(X))
            self.tokenizer_, priors = fit_to_alphabet(self.tokenizer)
        else:
            facts = release(X, getattr(self.tokenizer, "schema", None), ledger, self.epsilon)
            self.tokenizer_, priors = facts.fit_tokenizer()
        (plan,) = plan_training([self], [priors], facts.n_rows, ledger, self.epsilon)
        self._set_privacy(ledger, facts)
        return token_ids(self.tokenizer_, self._as_encoded(X)), plan

    def _to_files(self) -> dict[str, bytes]:
        return model_files.to_files(self)

    @classmethod
    def _from_files(cls, files: Mapping[str, bytes], trusted: Sequence[type]) -> "LSTMTextModel":
        return model_files.from_files(cls, files, trusted)

    @classmethod
    def _from_folder(cls, folder: Folder, trusted: Sequence[type]) -> "LSTMTextModel":
        model = model_files.from_folder(cls, folder, trusted)
        if hasattr(model, "privacy_ledger_"):
            with persistence.reading(folder.path):
                note_steps(model.privacy_ledger_, [model])
        return model

    def _check_parameters(self) -> None:
        check_text_model(self)

    def _check_records(self, X: Any, *, reset: bool) -> Any:
        """Return a table as a frame, lines as they are; remember which in fit, compare with it later."""
        if _is_lines(X):
            if reset:
                self._container = None
                X = readable_lines(X) if self._is_private else X
            elif self._container is not None:
                raise ValueError(
                    "X has one dimension, but LSTMTextModel was fitted on a table. Reshape your data to rows by columns"
                )
            return X
        frame = check_table(readable(X, getattr(self.tokenizer, "schema", None)) if reset and self._is_private else X)
        if not reset and self._container is None:
            raise ValueError(f"X is a table of shape {frame.shape}, but LSTMTextModel was fitted on lines: pass a list of str")
        frame = check_columns(self, X, frame, reset=reset)
        if reset:
            self._container = Container.of(X)
        return frame

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.input_tags.one_d_array = False
        tags.input_tags.string = True
        tags.input_tags.allow_nan = True
        tags.non_deterministic = False
        return tags


def _is_lines(X: Any) -> bool:
    """Tell lines of text from a table; one-dimensional numbers are neither and left to `check_table` to refuse."""
    if isinstance(X, LineSource):
        return True
    if isinstance(X, pd.Series):
        return X.dtype == object or isinstance(X.dtype, pd.StringDtype)
    if isinstance(X, np.ndarray):
        return X.ndim == 1 and X.dtype.kind in "OU"
    return isinstance(X, list | tuple) and any(isinstance(line, str) for line in X)
