"""The folder beside a file of rows in which it grows, and from which a call goes on after one that was broken off.

``settings.json`` says which call it was, ``rows`` are the chunks one after the other, ``progress.json`` says how far these are
whole: what is behind is cut off. The folder goes when the file is there.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from .. import persistence
from .._sampling import Tally

SETTINGS, PROGRESS, ROWS, LOCK = "settings.json", "progress.json", "rows", ".lock"


class Partial:
    """What is there of a file of rows.

    Parameters
    ----------
    target : path
        The file.
    """

    def __init__(self, target: Path):
        self.path = target.with_name(f".{target.name}.partial")
        self.rows = self.path / ROWS
        self._target, self._size = target, 0

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for the block; it goes with it where nothing is left in it.

        Raises
        ------
        RuntimeError
            If another call holds it.
        """
        from filelock import FileLock, Timeout

        self.path.mkdir(exist_ok=True)
        lock = FileLock(self.path / LOCK, timeout=0, thread_local=False)
        try:
            lock.acquire()
        except Timeout:
            raise RuntimeError(
                f"path: another call is writing {self._target}: wait for its end, or choose another path"
            ) from None
        try:
            yield
        finally:
            lock.release()
            if {entry.name for entry in self.path.iterdir()} <= {LOCK}:
                with suppress(OSError):  # another call may hold it by now
                    (self.path / LOCK).unlink(missing_ok=True)
                    self.path.rmdir()

    def settings(self) -> dict | None:
        """Return the settings of the call that was broken off here; None if there is none."""
        with persistence.reading(self.path / SETTINGS):
            if (self.path / SETTINGS).exists():
                return persistence.parse_json((self.path / SETTINGS).read_bytes())
            return None

    def go_on(self) -> Tally:
        """Return how far the rows are whole, and cut off what is behind."""
        with persistence.reading(self.path / PROGRESS):
            progress = persistence.parse_json((self.path / PROGRESS).read_bytes())
            self._size, tally = progress["bytes"], Tally(**progress["tally"])
            if self.rows.stat().st_size < self._size:
                raise persistence.ModelFileError(f"says {self._size:,} bytes, more than {ROWS} has: remove the folder")
        os.truncate(self.rows, self._size)
        return tally

    def begin(self, settings: Mapping) -> Tally:
        """Begin afresh."""
        self.clear()
        self.rows.touch()
        self._note(Tally())
        persistence.write_atomically(self.path / SETTINGS, persistence.to_json(settings))
        return Tally()

    def append(self, content: bytes, tally: Tally) -> None:
        """Write a chunk, then that it is there."""
        with open(self.rows, "ab") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        self._size += len(content)
        self._note(tally)

    def _note(self, tally):
        progress = {"bytes": self._size, "tally": vars(tally)}
        persistence.write_atomically(self.path / PROGRESS, persistence.to_json(progress))

    def clear(self) -> None:
        """Remove everything, the settings first: what is half removed is no call to go on with."""
        (self.path / SETTINGS).unlink(missing_ok=True)
        for entry in self.path.iterdir():
            if entry.name != LOCK:
                entry.unlink()
        self._size = 0
