"""What the estimators that sample have in common."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from . import persistence
from ._chain import NOTHING, Chain, Way, evidence_of
from ._private import statement_of, warn_of_epsilon
from ._sampling import Choice, Tally, collected, drawn, rechunked, restored
from ._training._checkpoints import Folder
from ._training._progress import watch_rows
from ._training._watch import KEPT
from ._validation import check_choice, warn
from .privacy._ledger import Ledger

OFTEN_OUTSIDE = 0.2  # share of the cells of a column above which `score` warns
CHUNK = 10_000  # records that `sample_iter` gives out together, unless told otherwise
# Of fit and load, beside what ends on _.
_HIDDEN = ("_weights", "_container", "_n_steps", "_read_from", "_reading", "_table_notes")


class GenerativeModel(BaseEstimator):
    """An estimator that is fitted when it has what it samples with, scores by likelihood, and is kept in files."""

    _made_by_fit = ""  # the attribute without which it cannot sample; a fit that fails leaves at most a history

    def _chain(self) -> Chain:
        """Return the model, or the models, that records are drawn by."""
        raise NotImplementedError

    def _draw(self, rows: range, seed: np.random.SeedSequence, way: Way) -> Iterator[Any]:
        """Yield the records of a range of an endless sample, some at a time: lists of str, or frames."""
        return self._chain().draw(rows, seed, way)

    def _evidence(self, given: Any, temperature: float) -> Any:
        """Return what is given, once it is what it may be."""
        if given is None:
            return NOTHING
        self._check_any_order("given")
        return evidence_of(self._chain(), given, temperature)

    def _n_most(self, n_samples: int, given: Any = None, identifiers_from: int | None = None) -> int | None:
        """Return how many records identifiers allow to draw, None for any number; refuse to draw more."""
        first, known = identifiers_from or 0, () if given is None else set(given)
        checks = [getattr(part.tokenizer, "check_fresh", None) for part in self._chain().parts]
        most = [n_most for n_most in (check(n_samples + first, known) for check in checks if check) if n_most is not None]
        return min(most) - first if most else None

    def _check_any_order(self, name: str) -> None:
        """Refuse what needs columns to be read in any order where they cannot be; `name` opens the message."""
        if not all(part.any_order or len(part.grammar.runs) < 2 for part in self._chain().parts):
            raise ValueError(
                f"{name}: this model was trained to read columns in one order only: fit with any_order=True, not epsilon, "
                "or choose among the rows of a larger sample"
            )

    def _portions(self, n_samples, seed, way, choice, tally=None):
        """Yield records that are taken, after those of a tally, some at a time; show a bar where that takes long."""
        tally = Tally() if tally is None else tally
        portions = drawn(lambda rows: self._draw(rows, seed, way), n_samples, choice, tally)
        return watch_rows(portions, n_samples, self.verbose, tally.valid)

    def _sampled(self, n_samples: int, seed: np.random.SeedSequence, way: Way, choice: Choice) -> Any:
        """Return all records as fit was given such."""
        with restored(self._restored):
            return self._restored(collected(self._portions(n_samples, seed, way, choice)))

    def _chunks(
        self, n_samples: int, chunk_size: int | None, seed: np.random.SeedSequence, way: Way, choice: Choice
    ) -> Iterator[Any]:
        """Yield the same in chunks; None: of 10,000."""
        with restored(self._restored):
            portions = self._portions(n_samples, seed, way, choice)
            yield from map(self._restored, rechunked(portions, CHUNK if chunk_size is None else chunk_size))

    def _restored(self, records: Any) -> Any:
        """Return decoded records as fit was given such."""
        return records if self._container is None else self._container.restore(records)

    def score(self, X: Any, y: Any = None) -> float:
        """Return the mean log-likelihood per record, in nats.

        It is finite whatever the records hold, see `score_samples`. Where fit has not kept what more than a fifth of the cells
        of a column hold, a warning says so.

        Parameters
        ----------
        X : what fit takes
        y : ignored

        Returns
        -------
        score : float
        """
        mean = float(self.score_samples(X).mean())
        often = {column: share for column, share in self._shares_outside(X).items() if share > OFTEN_OUTSIDE}
        if often:
            shares = ", ".join(f"{column!r} ({share:.0%})" for column, share in [*often.items()][:5])
            warn(
                f"score: fit has not kept what many cells of {len(often)} column(s) hold, {shares}: beyond the bounds, rare "
                f"or unknown. Each such cell lowers the score of its row by 13.8 nats or more; fit with a smaller "
                "min_frequency, or with wider bounds in schema, if they should count"
            )
        return mean

    def _shares_outside(self, X: Any) -> dict[Any, float]:
        """Return which share of the cells of each column fit has not kept; nothing of lines, or of too few rows to tell."""
        return {}

    def save(self, path: Any) -> None:
        """Write the fitted estimator to one file: a zip of JSON, arrays and CSV, without pickles, whole or not at all.

        The parameters `callbacks` and `checkpoint_dir`, and generators of random numbers, come back as None. `joblib.dump`
        keeps everything, for those who may trust whoever wrote the file.

        Parameters
        ----------
        path : str or path

        Raises
        ------
        NotFittedError
            Before fit.
        TypeError, ValueError
            If a parameter is none that fit takes, or a column's name nothing that such a file can hold.
        OSError
            If the file cannot be written; one that was there before is still there.
        """
        check_is_fitted(self)
        self._check_parameters()
        persistence.write_model_file(path, self._to_files(), type(self).__name__)

    @classmethod
    def load(cls, path: Any, *, trusted: Sequence[type] = ()) -> Any:
        """Read what `save` wrote, or the best epochs so far of a fit with `checkpoint_dir`.

        Nothing that the file says is executed or imported.

        Parameters
        ----------
        path : str or path
            A file, or a `checkpoint_dir`: what is read from that is there to sample and score, and not trained further.
        trusted : sequence of type, default=()
            Classes of tokenizers of your own that may be made; `from_state` of the one that the file names is called.

        Returns
        -------
        estimator : of this class
            Fitted.

        Raises
        ------
        sksynth.persistence.ModelFileError
            A ValueError: the file is damaged, was tampered with, is of a later version, or holds something else.
        TypeError
            If `trusted` is no sequence of classes.
        OSError
            If there is no such file, or it cannot be read.
        """
        if isinstance(trusted, type) or not all(isinstance(cls, type) for cls in trusted):
            raise TypeError(f"trusted must be a sequence of classes, as in (MyTokenizer,), got {trusted!r}")
        if Path(path).is_dir():
            folder = Folder(path)
            if not folder.exists():
                raise persistence.ModelFileError(
                    f"{path} holds no fit: pass the checkpoint_dir of one, or a file that save wrote"
                )
            estimator = cls._from_folder(folder, trusted)
            estimator._read_from = str(path)
            return estimator
        files = persistence.read_model_file(path, cls.__name__)
        with persistence.reading(path):
            return cls._from_files(files, trusted)

    @contextmanager
    def _interrupt_passed_on(self) -> Iterator[None]:
        """Pass Ctrl-C on, if that ended the fit, after what it has to do or to say yet, even if its warnings are errors."""
        try:
            yield
        finally:
            if self.interrupted_:
                raise KeyboardInterrupt(KEPT)

    @contextmanager
    def _refitted(self) -> Iterator[None]:
        """Remove what an earlier fit learned while the block makes another; where it fails, that is there again."""
        learned = {name: value for name, value in vars(self).items() if name.endswith("_") or name in _HIDDEN}
        was_fitted = self.__sklearn_is_fitted__()
        self._forget()
        try:
            yield
        except BaseException:
            if was_fitted:
                self._forget()
                vars(self).update(learned)
            raise

    def _forget(self) -> None:
        for name in [name for name in vars(self) if name.endswith("_") or name in _HIDDEN]:
            delattr(self, name)

    def _set_privacy(self, ledger: Ledger, facts: Any) -> None:
        """Say what a private fit spends; `facts` tell what was public of its rows, see `_private.statement_of`."""
        self.epsilon_, self.delta_ = ledger.epsilon(), ledger.delta
        warn_of_epsilon(self.epsilon, self.epsilon_)
        self.privacy_ledger_, self.privacy_statement_ = ledger.to_frame(), statement_of(ledger, self.epsilon_, facts)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, self._made_by_fit)


def n_wanted(n_samples: int | None, given: Any) -> Any:
    """Return how many records are wanted: 1, or one for each given row, unless that is said."""
    if n_samples is not None:
        return n_samples
    return len(given) if isinstance(given, pd.DataFrame) else 1


def with_index_of(given: Any, records: Any) -> Any:
    """Return sampled rows with the index of the frame that was given for them."""
    return records.set_axis(given.index) if isinstance(given, pd.DataFrame) and isinstance(records, pd.DataFrame) else records


def check_fitted(estimator: Any) -> bool:
    """Return whether an estimator is fitted."""
    return estimator.__sklearn_is_fitted__()


def check_checkpoints(estimator: Any) -> None:
    """Refuse parameters of checkpoints that are not what they may be."""
    check_choice(estimator, "checkpoints", ("best+last", "all"))
    check_choice(estimator, "overwrite", (True, False))
    if not isinstance(estimator.checkpoint_dir, str | os.PathLike | None):
        raise TypeError(
            f"The 'checkpoint_dir' parameter of {type(estimator).__name__} must be the path of a folder or None, got "
            f"{estimator.checkpoint_dir!r}."
        )
    if estimator.checkpoint_dir == "":
        raise ValueError(
            f"The 'checkpoint_dir' parameter of {type(estimator).__name__} must be the path of a folder or None, got ''; "
            "pass '.' for the working directory."
        )


def check_callbacks(estimator: Any) -> None:
    """Refuse callbacks that are neither callable nor Keras'."""
    callbacks = estimator.callbacks
    if callbacks is not None and (isinstance(callbacks, str) or not isinstance(callbacks, Sequence)):
        raise TypeError(
            f"The 'callbacks' parameter of {type(estimator).__name__} must be a list or None, got {callbacks!r}: put it in a "
            "list."
        )
    for callback in callbacks or ():
        if isinstance(callback, type) or not (callable(callback) or hasattr(callback, "on_epoch_end")):
            raise TypeError(
                f"The 'callbacks' parameter of {type(estimator).__name__} must hold callables and Keras callbacks, got "
                f"{callback!r}."
            )


def refuse_more_training(estimator: Any, how: str) -> None:
    """Refuse to train a fitted estimator further where that may not be.

    Raises
    ------
    RuntimeError
        If it was loaded to be read, or is private.
    """
    name, folder = type(estimator).__name__, getattr(estimator, "_read_from", None)
    if folder is not None:
        raise RuntimeError(
            f"{how}: this {name} was loaded from the checkpoint_dir {folder} and is there to sample; call fit with that "
            "checkpoint_dir to go on with it, or save it and load the file"
        )
    if estimator._is_private or np.isfinite(getattr(estimator, "epsilon_", np.inf)):
        raise RuntimeError(
            f"{how}: this {name} is private, and its budget is spent by one fit: call fit, on all rows, with an epsilon for "
            "everything together"
        )


def note_steps(ledger: pd.DataFrame, models: Sequence[Any]) -> None:
    """Note in a ledger how many of the planned steps were taken, where training was stopped."""
    parameters = [row for row in ledger["parameters"] if "steps_planned" in row]
    trained = [model for model in models if model.tokenizer_.grammar_.n_positions]
    for row, model in zip(parameters, trained, strict=True):
        if hasattr(model, "_n_steps"):
            row["steps_taken"] = model._n_steps
