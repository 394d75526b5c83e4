"""Notes: decisions on columns that somebody should look at, as data and in words."""

from collections.abc import Hashable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from ._plain import from_plain, to_plain
from ._state import check_keys, expect, reading, take
from ._validation import warn

__all__ = ["Note", "Notes", "tell"]

SHOWN = 3  # notes that the warning after a fit spells out
MAX_TEXT = 300  # characters of a note in that warning


@dataclass(frozen=True)
class Note:
    """A doubtful decision about a column, or about the whole table.

    Parameters
    ----------
    column : hashable
        Label of the column; None: the whole table.
    decision : str
        What was done, such as "taken as text".
    reason : str
        Why.
    share : float, optional
        Share of the cells that it concerns, from 0 to 1.
    loss : str, default=""
        What is lost by it.
    remedy : str, default=""
        A line of Python that changes it: an argument of the estimator, or a change of the table ``X``.

    Examples
    --------
    >>> print(Note("size", "taken as text", "most values differ", remedy="schema={'size': fields.Category()}"))
    column 'size': taken as text, because most values differ; to change it: schema={'size': fields.Category()}
    """

    column: Hashable
    decision: str
    reason: str
    share: float | None = None
    loss: str = ""
    remedy: str = ""

    def __str__(self):
        where = "the table" if self.column is None else f"column {self.column!r}"
        share = "" if self.share is None else f" ({_percent(self.share)} of the cells)"
        loss = f"; lost: {self.loss}" if self.loss else ""
        remedy = f"; to change it: {self.remedy}" if self.remedy else ""
        return f"{where}: {self.decision}{share}, because {self.reason}{loss}{remedy}"

    def to_plain(self) -> dict:
        """Return the note as what JSON knows.

        Returns
        -------
        item : dict
        """
        return asdict(self) | {"column": to_plain(self.column)}

    @classmethod
    def from_plain(cls, item: dict) -> "Note":
        """Return the note of which `to_plain` made a dict.

        Parameters
        ----------
        item : dict

        Returns
        -------
        note : Note

        Raises
        ------
        ValueError
            If it is no such dict.
        """
        check_keys(item, *cls.__dataclass_fields__)
        texts = {name: take(item, name, str) for name in ("decision", "reason", "loss", "remedy")}
        share = take(item, "share", float, int, type(None))
        expect(share is None or 0 <= share <= 1, "'share'", share, "a number from 0 to 1, or null")
        with reading("'column'"):
            column = from_plain(item["column"])
            hash(column)
        return cls(column, share=share, **texts)


def _percent(share):
    return f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:.3g} %"


class Notes(tuple):
    """Notes in their order: a tuple that prints one on a line."""

    __slots__ = ()

    def __new__(cls, notes: Iterable[Note] = ()):
        notes = tuple(dict.fromkeys(notes))
        wrong = next((note for note in notes if not isinstance(note, Note)), None)
        if wrong is not None:
            raise TypeError(f"expected notes of type sksynth.fields.Note, got {wrong!r}")
        return super().__new__(cls, notes)

    def __repr__(self):
        return "\n".join(map(str, self)) if self else "no notes"

    def of(self, columns: Iterable) -> "Notes":
        """Return the notes on some columns, in their order."""
        wanted = set(columns)
        return Notes(note for note in self if note.column in wanted and note.column is not None)

    def of_table(self) -> "Notes":
        """Return the notes on the table as a whole."""
        return Notes(note for note in self if note.column is None)

    def to_plain(self) -> list[dict]:
        """Return the notes as what JSON knows."""
        return [note.to_plain() for note in self]

    @classmethod
    def from_plain(cls, items: Any) -> "Notes":
        """Return the notes of which `to_plain` made a list; ValueError if none did."""
        expect(type(items) is list, "'notes'", items, "a list")
        return cls(map(Note.from_plain, items))


def tell(notes: Notes, where: str) -> None:
    """Warn, once, of all notes of a fit; `where` is the attribute that holds them."""
    if not notes:
        return
    shown = [f"- {text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 3] + '...'}" for text in map(str, notes[:SHOWN])]
    more = [f"- and {len(notes) - SHOWN} more"] if len(notes) > SHOWN else []
    count = f"{len(notes)} doubtful decision{'s' if len(notes) > 1 else ''}"
    warn("\n".join([f"fit made {count}, each with its reason and remedy in {where}:", *shown, *more]))
