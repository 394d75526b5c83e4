"""Lines that can be read only once, copied to disk."""

from collections.abc import Iterator

from ._source import LineSource, checked

__all__ = ["Spool"]

N_BYTES = 8  # of the number before every line, which says how many bytes it has


class Spool(LineSource):
    """The lines of an iterator, which is read to its end when they are first asked for.

    Parameters
    ----------
    lines : iterator of str
    """

    def __init__(self, lines: Iterator[str]):
        self._lines = lines
        self.name = f"X ({type(lines).__name__})"

    def _read(self) -> Iterator[str]:
        path = self.folder / "lines"
        if not path.exists():
            self._copy(path)
        with open(path, "rb") as file:
            while head := file.read(N_BYTES):
                yield file.read(int.from_bytes(head, "little")).decode("utf-8", "surrogatepass")

    def _copy(self, path):
        """Write all lines, whatever they hold."""
        with open(path, "wb") as file:
            for line in checked(self._lines, self.errors):
                content = line.encode("utf-8", "surrogatepass")
                file.write(len(content).to_bytes(N_BYTES, "little") + content)
