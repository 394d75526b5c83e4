"""Lines of text, one token per character."""

from collections.abc import Sequence

from .._state import take
from ..fields import Text
from ._lines import LineTokenizer, line_source
from ._spelling import Characters

__all__ = ["CharTokenizer"]


class CharTokenizer(LineTokenizer):
    """Lines of text <-> token ids, one token per character.

    Parameters
    ----------
    max_length : int, optional
        Number of positions; longer lines are cut. None: the longest line (the `min_frequency`-th longest), at most 1,000.
    alphabet : str, optional
        The characters that are learned; others are *other*. None: those of the lines.
    min_frequency : int, default=1
        A character in fewer lines than this is *other*: scored, but never sampled.

    Attributes
    ----------
    vocabulary_ : list of str
        The token of every id: ``"<missing>"`` (never used for lines), ``"<other>"``, ``"<end>"``, then the characters.
    grammar_ : Grammar
        One run of `max_length` positions.
    n_cut_ : int
        Number of lines that were cut in fit.
    n_free_ : int
        Number of free digits: 0.

    Examples
    --------
    >>> tokenizer = CharTokenizer().fit(["abba", "ab"])
    >>> tokenizer.encode(["ba"])
    array([[4, 3, 2, 2]], dtype=int32)
    >>> tokenizer.decode([[4, 3, 2, 2]])
    ['ba']
    """

    _spelling = Characters

    def __init__(self, max_length: int | None = None, *, alphabet: str | None = None, min_frequency: int = 1):
        self.max_length = max_length
        self.alphabet = alphabet
        self.min_frequency = min_frequency

    def fit(self, lines: Sequence[str], y: None = None) -> "CharTokenizer":
        """Learn the characters and the length.

        Parameters
        ----------
        lines : sequence of str, shape (n_lines,)
        y : ignored

        Returns
        -------
        self : CharTokenizer

        Raises
        ------
        ValueError
            If there are no lines, numbers, missing lines, or more than one dimension.
        TypeError
            If a line is not a string.
        """
        self._check_parameters()
        return self._fit_codec(line_source(lines))

    def _field(self) -> Text:
        return Text(max_length=self.max_length, alphabet=self.alphabet, nullable=False)

    def _own_state(self) -> dict:
        return {"alphabet": self.alphabet}

    @classmethod
    def _own_params(cls, state: dict) -> dict:
        return {"alphabet": take(state, "alphabet", str, type(None))}
