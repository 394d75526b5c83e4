r"""Patterns of identifiers: a small, unambiguous part of regular expressions.

A pattern is a row of *choices* and *classes*: ``CUST-[0-9]{6}`` is the choice of the one option ``CUST-`` followed by a class
of digits, six of them. Written are

- literal text, with a backslash before ``\ . ^ $ * + ? { } [ ] ( ) |``;
- ``(red|blue)``, one of several texts, none of which begins with another;
- ``[0-9a-f]{4}``, ``[a-z]{2,5}`` or ``[A-Z]``, characters of a class, a fixed or bounded number of them.

Where one part ends must be plain from the text: a class of variable length is not followed by one of its own characters.
So every value of a pattern is written by its parts in one way only, and has a rank (see `tokenizers._ranking`).
"""

import re
from dataclasses import dataclass
from itertools import groupby, pairwise

from ._state import expect

__all__ = [
    "DIGITS",
    "LOWER",
    "UPPER",
    "Choice",
    "Class",
    "Pattern",
    "check_extent",
    "check_pattern",
    "expression_of",
    "integer_parts",
    "longest_tail",
]

DIGITS = "0123456789"
LOWER = "abcdefghijklmnopqrstuvwxyz"
UPPER = LOWER.upper()
MAX_REPEAT = 1_000
MAX_SEGMENT = 1 << 59  # values of a part of variable length
MAX_DIGITS = 20  # of whole numbers of 64 bits
LANGUAGE = "see sksynth.fields.Identifier for how patterns are written"
MAX_TEXT = 4_000  # characters in which a pattern of a state is written
MAX_LENGTH = 10_000  # characters of its values
MAX_EXTENT = 200_000  # characters that may stand in all places of its values together

_PART = re.compile(
    r"""\[ (?P<class> (?: \\. | [^\]\\] )+ ) \] (?: \{ (?P<low>[0-9]{1,4}) (?: , (?P<high>[0-9]{1,4}) )? \} )?
      | \( (?P<options> (?: \\. | [^()\\] )+ ) \)
      | (?P<literal> (?: \\. | [^\\\[\](){}|.^$*+?] )+ )""",
    re.VERBOSE | re.DOTALL,
)
_LITERAL = re.compile(r"(?:\\.|[^\\\[\](){}|.^$*+?])+", re.DOTALL)
_INTEGER = re.compile(
    r"(?P<sign>-\??)?(?P<start>[1-9][0-9]*)?(?:\[(?P<first>[0-9])-(?P<last>[0-9])\](?=\[))?"
    r"(?:\[0-9\](?:\{(?P<low>[0-9]{1,2})(?:,(?P<high>[0-9]{1,2}))?\})?)"
)
_CLASS_ITEM = re.compile(r"(\\.|[^\\])(?:-(\\.|[^\\]))?", re.DOTALL)


@dataclass(frozen=True)
class Choice:
    """One of several texts; a single option is literal text."""

    options: tuple[str, ...]

    @property
    def size(self) -> int:
        """Number of values."""
        return len(self.options)

    def __str__(self):
        texts = [_escape(option, r"\.^$*+?{}[]()|") for option in self.options]
        return texts[0] if len(texts) == 1 else f"({'|'.join(texts)})"


@dataclass(frozen=True)
class Class:
    """From `low` to `high` of the characters `characters` (sorted, distinct)."""

    characters: str
    low: int
    high: int

    @property
    def size(self) -> int:
        """Number of values."""
        return sum(len(self.characters) ** length for length in range(self.low, self.high + 1))

    def __str__(self):
        repeat = f"{{{self.low}}}" if self.low == self.high else f"{{{self.low},{self.high}}}"
        return f"[{_class_text(self.characters)}]" + (repeat if repeat != "{1}" else "")


@dataclass(frozen=True)
class Pattern:
    """A row of choices and classes whose values are written in one way only.

    Parameters
    ----------
    segments : tuple of Choice and Class

    Raises
    ------
    ValueError
        If the pattern is ambiguous, or has no class.

    Examples
    --------
    >>> [segment.size for segment in Pattern.parse("CUST-[0-9]{6}").segments]
    [1, 1000000]
    """

    segments: tuple[Choice | Class, ...]

    def __post_init__(self):
        object.__setattr__(self, "segments", _join_literals(self.segments))
        _check(self)

    def __str__(self):
        return "".join(map(str, self.segments))

    @property
    def expression(self) -> str:
        """The pattern as a regular expression."""
        return "".join(f"(?:{segment})" for segment in map(expression_of, self.segments))

    @classmethod
    def parse(cls, text: str) -> "Pattern":
        """Read a pattern as it is written.

        Raises
        ------
        TypeError
            If `text` is not a string.
        ValueError
            If it is not a pattern; the message says where and what to write instead.
        """
        if not isinstance(text, str):
            raise TypeError(f"pattern: got {text!r}, expected text such as 'CUST-[0-9]{{6}}'")
        segments, position = [], 0
        while position < len(text):
            part = _PART.match(text, position)
            if part is None:
                raise ValueError(
                    f"pattern {text!r}: got {text[position:]!r} at position {position}, expected literal text, "
                    "a class such as [0-9]{6} or a choice such as (a|b); put a backslash before a literal special character, "
                    f"and say how often a class may occur, as in [0-9]{{1,6}}; {LANGUAGE}"
                )
            _refuse_shorthand(part[0], text)
            segments.append(_segment(part, text))
            position = part.end()
        return cls(tuple(segments))


def check_pattern(text: str) -> None:
    """Refuse what is neither a pattern of strings nor one of whole numbers; ValueError or TypeError, as `Pattern.parse`."""
    if not isinstance(text, str) or integer_parts(text) is None:
        Pattern.parse(text)
    check_extent(text)


def integer_parts(text: str) -> tuple[int, int, int, int, bool] | None:
    """Read a pattern of whole numbers, such as ``[0-9]{5}``, ``978[0-9]{10}``, ``[3-5][0-9]{1,4}`` or ``-?[0-9]{1,6}``.

    Returns
    -------
    first, last : int
        What the numbers begin with, one of the whole numbers from `first` to `last`; 0 and 0 where with anything.
    low, high : int
        The least and the largest number of digits behind that.
    signed : bool
    None where it is no such pattern.
    """
    parts = _INTEGER.fullmatch(text)
    if parts is None or parts["sign"] == "-":
        return None
    start, range_of = parts["start"] or "", (parts["first"], parts["last"])
    low = int(parts["low"] or 1)
    high = int(parts["high"] or low)
    first, last = (int(start + digit) if digit or start else 0 for digit in (one or "" for one in range_of))
    signed, begins = parts["sign"] is not None, bool(start or range_of[0])
    fits = 1 <= low <= high and len(str(last)) * begins + high <= MAX_DIGITS and (not begins or 1 <= first <= last)
    return (first, last, low, high, signed) if fits and not (signed and begins) else None


def longest_tail(n_characters: int) -> int:
    """Return the number of characters up to which texts of 0, 1, ... characters of a class can be ranked."""
    length, size = 0, 1
    while length < 64 and size + n_characters ** (length + 1) < MAX_SEGMENT:
        length += 1
        size += n_characters**length
    return length


def expression_of(segment: Choice | Class) -> str:
    """Return a segment as a regular expression without groups."""
    return "|".join(map(re.escape, segment.options)) if isinstance(segment, Choice) else str(segment)


def check_extent(text: str) -> None:
    """Refuse a pattern that takes long to read: a class of three characters may stand for a million.

    Raises
    ------
    ValueError
        If it is long, its values are, or it has many large classes.
    """
    expect(len(text) <= MAX_TEXT, "the pattern", text, f"one of at most {MAX_TEXT} characters")
    classes = [part for part in _PART.finditer(text) if part["class"]]
    lengths = [int(part["high"] or part["low"] or 1) for part in classes]
    expect(sum(lengths) <= MAX_LENGTH, "the pattern", text, f"one of values of at most {MAX_LENGTH} characters")
    extent = sum(length * _class_size(part["class"]) for length, part in zip(lengths, classes, strict=True))
    expect(extent <= MAX_EXTENT, "the pattern", text, "one of fewer or smaller classes")


def _refuse_shorthand(part: str, text: str) -> None:
    r"""Refuse a backslash before a letter or digit, such as ``\d``, which means a class elsewhere and nothing here."""
    found = next((pair for pair in re.findall(r"\\.", part, re.DOTALL) if pair[1].isalnum()), None)
    if found is not None:
        known = {"d": "[0-9]", "w": "[0-9A-Z_a-z]"}.get(found[1], "the characters themselves")
        raise ValueError(f"pattern {text!r}: got {found}, expected no shorthand: write {known}; {LANGUAGE}")


def _class_size(inside: str) -> int:
    return sum(ord(_unescape(item[2] or item[1])) - ord(_unescape(item[1])) + 1 for item in _CLASS_ITEM.finditer(inside))


def _segment(part: re.Match, text: str) -> Choice | Class:
    if part["literal"]:
        return Choice((_unescape(part["literal"]),))
    if part["options"]:
        options = re.split(r"((?:\\.|[^\\|])+)", part["options"], flags=re.DOTALL)  # options at the odd places
        if any(bar not in ("", "|") for bar in options[2:-2:2]) or options[0] or options[-1]:
            raise ValueError(f"pattern {text!r}: got an empty option in ({part['options']}), expected texts; remove it")
        wrong = [option for option in options[1::2] if not _LITERAL.fullmatch(option)]
        if wrong:
            raise ValueError(
                f"pattern {text!r}: got the option {wrong[0]!r}, expected literal text: write every text as an option of its "
                f"own, as in (170|171|172), and a backslash before a literal special character; {LANGUAGE}"
            )
        return Choice(tuple(map(_unescape, options[1::2])))
    low = 1 if part["low"] is None else int(part["low"])
    high = low if part["high"] is None else int(part["high"])
    if not (low <= high and 1 <= high <= MAX_REPEAT):
        raise ValueError(f"pattern {text!r}: got {part[0]!r}, expected {{low,high}} with low <= high, from 1 to {MAX_REPEAT}")
    return Class(_class_characters(part["class"], text), low, high)


def _class_characters(inside: str, text: str) -> str:
    codes: set[int] = set()
    for item in _CLASS_ITEM.finditer(inside):
        first = _unescape(item[1])
        last = first if item[2] is None else _unescape(item[2])
        if item[0] == "-" or (item[0] == "^" and item.start() == 0) or last < first:
            raise ValueError(
                f"pattern {text!r}: got {item[0]!r} in [{inside}], expected characters and rising ranges such as a-z; "
                "put a backslash before a literal - or ^"
            )
        codes.update(range(ord(first), ord(last) + 1))
    return "".join(map(chr, sorted(codes)))


def _class_text(characters: str) -> str:
    parts = []
    for _, run in groupby(enumerate(characters), key=lambda item: ord(item[1]) - item[0]):
        run = "".join(character for _, character in run)
        first, last = (_escape(character, r"\]^-") for character in (run[0], run[-1]))
        parts.append(f"{first}-{last}" if len(run) > 2 else _escape(run, r"\]^-"))
    return "".join(parts)


def _escape(text: str, special: str) -> str:
    return "".join("\\" + character if character in special else character for character in text)


def _unescape(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text, flags=re.DOTALL)


def _join_literals(segments) -> tuple[Choice | Class, ...]:
    joined: list[Choice | Class] = []
    for segment in segments:
        literal = isinstance(segment, Choice) and segment.size == 1
        if literal and joined and isinstance(joined[-1], Choice) and joined[-1].size == 1:
            segment = Choice((joined.pop().options[0] + segment.options[0],))
        joined.append(segment)
    return tuple(joined)


def _check(pattern: Pattern) -> None:
    """Refuse a pattern of which a text could be read in two ways, or that has nothing to vary."""
    if not any(isinstance(segment, Class) for segment in pattern.segments):
        raise ValueError(f"pattern '{pattern}': got no class, expected a part that varies; add one such as [0-9]{{6}}")
    following = ""
    for segment in reversed(pattern.segments):
        if isinstance(segment, Class):
            tail = longest_tail(len(segment.characters))
            if segment.high - segment.low > tail:
                raise ValueError(
                    f"pattern '{pattern}': got {segment} with more than 2**59 values of different length, expected fewer; fix "
                    f"its length, or write at most {{{segment.low},{segment.low + tail}}}"
                )
            common = set(segment.characters).intersection(following)
            if segment.low < segment.high and common:
                raise ValueError(
                    f"pattern '{pattern}': got {segment} before {min(common)!r}, which may also belong to it, expected parts "
                    "whose ends are plain; fix its length, as in {6}, or put a separator behind it"
                )
            following = segment.characters + ("" if segment.low else following)
            continue
        for one, next_one in pairwise(sorted(segment.options)):
            if next_one.startswith(one):
                raise ValueError(
                    f"pattern '{pattern}': got the options {one!r} and {next_one!r}, expected none that begins with another; "
                    "write them at full length, with what follows"
                )
        following = "".join(option[0] for option in segment.options)
