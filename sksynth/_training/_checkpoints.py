"""The folder of one batch: what its fit began with, and where it stood after its best and its last epoch.

``settings.json`` and ``tokenizer.npz`` are there from the beginning, then one ``epoch_0007.npz`` after another: all that is
needed to go on after the epoch, or to sample. A file is written aside and renamed, and files that are no longer needed go only
when the new one is there, so that a process that is killed at any moment leaves the state of a whole epoch behind.
``history.csv`` says the same as the last of these files.
"""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from .. import persistence
from .._plain import from_plain, to_plain
from ._history import best_epoch, history_frame, history_to_csv

SETTINGS, HISTORY, LOCK = "settings.json", "history.csv", ".lock"
TOKENIZER, PLAN, CLUSTERER = "tokenizer.npz", "plan.npz", "clusterer.npz"
EPOCH = re.compile(r"epoch_([0-9]{4,9})\.npz")
BATCH = re.compile(r"batch_[0-9]+")
OWN = re.compile(rf"{EPOCH.pattern}|{SETTINGS}|{TOKENIZER}|{PLAN}|{CLUSTERER}|{HISTORY}|\..*\.part")
AVERAGE = "average_"  # prefix of the weights that are kept, among the variables of a network
TRIES = 10  # at reading files that a fit replaces
ORPHAN_SECONDS = 60.0  # within which a worker whose parent has died notices


class Folder:
    """A folder of checkpoints.

    Parameters
    ----------
    path : str or path
    keep : {"best+last", "all"}, default="best+last"
        Which epochs stay.
    """

    def __init__(self, path: Any, keep: str = "best+last"):
        self.path, self.keep = Path(os.path.abspath(path)), keep

    @contextmanager
    def locked(self, wait: float = 0.0) -> Iterator[None]:
        """Hold the folder for the block; make it where there is none, remove what a killed fit has half written.

        The operating system frees it with the process, however that ends.

        Raises
        ------
        RuntimeError
            If another fit holds it for longer than `wait` seconds.
        OSError
            If it cannot be made or written to.
        """
        from filelock import FileLock, Timeout

        try:
            self.path.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.path / LOCK, timeout=wait, thread_local=False)
            lock.acquire()
        except Timeout:
            raise RuntimeError(
                f"checkpoint_dir: {self.path} is locked by another fit that is running there: wait for its end, or choose "
                "another checkpoint_dir"
            ) from None
        except OSError as error:
            raise OSError(
                error.errno,
                f"checkpoint_dir: cannot write in {self.path}: {error.strerror}. Allow writing there, or choose "
                "another folder",
            ) from error
        try:
            for part in self.path.glob(".*.part"):
                part.unlink()
            yield
        finally:
            lock.release()

    def exists(self) -> bool:
        """Return whether a fit has begun here."""
        return (self.path / SETTINGS).exists()

    def batch(self, number: int) -> "Folder":
        """Return the folder of a batch within this one."""
        return Folder(self.path / f"batch_{number}", self.keep)

    def clear(self) -> None:
        """Remove what earlier fits have written here, and nothing else; wait for workers whose parent has died."""
        (self.path / SETTINGS).unlink(missing_ok=True)  # first, so that what is half removed is no fit
        for entry in list(self.path.iterdir()):
            if entry.is_file() and OWN.fullmatch(entry.name):
                entry.unlink()
            elif entry.is_dir() and BATCH.fullmatch(entry.name):
                other = Folder(entry)
                with other.locked(ORPHAN_SECONDS):
                    other.clear()

    def begin(self, settings: Mapping, states: Mapping[str, Mapping]) -> None:
        """Write what a fit begins with into a clear folder; `settings` come last, and make it one."""
        for name, state in states.items():
            persistence.write_atomically(self.path / name, persistence.to_bytes(state))
        persistence.write_atomically(self.path / SETTINGS, persistence.to_json(settings))

    def settings(self, kind: str) -> dict:
        """Return what `begin` wrote; refuse what another class or a later version has written."""
        with persistence.reading(self.path / SETTINGS):
            if not self.exists():
                raise persistence.ModelFileError("is not there, no fit has begun: call fit with this checkpoint_dir")
            settings = persistence.parse_json((self.path / SETTINGS).read_bytes())
            persistence.check_header(settings, kind)
            return settings

    def state(self, name: str) -> dict:
        """Return the state in one of the files."""
        with persistence.reading(self.path / name):
            return persistence.from_bytes((self.path / name).read_bytes())

    def epochs(self) -> list[int]:
        """Return the numbers of the epochs that are kept, ascending."""
        names = (EPOCH.fullmatch(entry.name) for entry in self.path.iterdir())
        return sorted(int(name[1]) for name in names if name)

    def write_epoch(self, progress: Any, training: Mapping) -> None:
        """Write where training stands, and the history; then drop the epochs that need not stay.

        Parameters
        ----------
        progress : core.Progress
        training : dict
            The settings that were chosen.
        """
        records = [{name: to_plain(value) for name, value in record.items()} for record in progress.records]
        state = {
            "variables": dict(progress.variables), "records": records, "n_steps": progress.n_steps,
            "finished": bool(progress.finished), "training": {name: to_plain(value) for name, value in training.items()},
        }  # fmt: skip
        number = len(records)
        persistence.write_atomically(self._epoch(number), persistence.to_bytes(state))
        self.write_history(progress.records)
        if self.keep != "all":
            for other in self.epochs():
                if other not in (number, best_epoch(records) + 1):
                    self._epoch(other).unlink()

    def write_history(self, records: list[dict]) -> None:
        """Write ``history.csv``."""
        persistence.write_atomically(self.path / HISTORY, history_to_csv(history_frame(records)))

    def last(self) -> dict | None:
        """Return the arguments of the `core.Progress` of the last epoch, with `training`; None before the first."""
        epochs = self.epochs()
        return self._read(epochs[-1]) if epochs else None

    def model(self, private: bool) -> tuple[dict, dict[str, np.ndarray]] | None:
        """Return what `last` and `kept_weights` do, as one whole also where a fit goes on here and replaces files."""
        for _ in range(TRIES):
            with suppress(FileNotFoundError):
                found = self.last()
                return found and (found, self.kept_weights(found["records"], found["variables"], private))
        raise RuntimeError(
            f"{self.path}: files vanish as they are read, {TRIES} times: try again when the fit there is slower"
        )

    def kept_weights(self, records: list[dict], variables: Mapping, private: bool) -> dict[str, np.ndarray]:
        """Return the weights that a fit which stands here keeps: those of the best epoch, of a private one the last.

        Parameters
        ----------
        records : list of dict
        variables : dict of str to ndarray
            After the last epoch.
        private : bool
        """
        best = best_epoch(records)
        return averages(variables if private or best + 1 == len(records) else self._read(best + 1)["variables"])

    def _read(self, number):
        state = self.state(self._epoch(number).name)
        with persistence.reading(self._epoch(number)):
            state["training"] = {name: from_plain(value) for name, value in state["training"].items()}
            state["records"] = [{name: from_plain(value) for name, value in record.items()} for record in state["records"]]
            return state

    def _epoch(self, number):
        """Return the path of the state after `number` epochs."""
        return self.path / f"epoch_{number:04d}.npz"


def averages(variables: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return, of the variables of a network, what sampling and scoring need."""
    kept = {name.removeprefix(AVERAGE): value for name, value in variables.items() if name.startswith(AVERAGE)}
    return kept | {name: value for name, value in variables.items() if name.startswith("prior_")}


def refuse_differences(path: Path, found: Mapping, asked: Mapping, name: Callable[[str], str] = str) -> None:
    """Refuse to go on with a fit of other data or settings; the message says which differ.

    Raises
    ------
    ValueError
    """
    missing = object()
    differ = [key for key in dict.fromkeys([*found, *asked]) if found.get(key, missing) != asked.get(key, missing)]
    if differ:
        parts = [f"{name(key)} is {found.get(key)!r:.999} there and {asked.get(key)!r:.999} here" for key in differ[:5]]
        more = f"; {len(differ) - 5} more" if len(differ) > 5 else ""
        raise ValueError(
            f"checkpoint_dir: {path} holds a fit of other data or settings: {'; '.join(parts)}{more}. Pass overwrite=True to "
            "start afresh there, or choose another checkpoint_dir"
        )
