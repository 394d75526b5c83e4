"""Learn the pattern of a column of identifiers, such that no single row determines it.

What fewer than `min_frequency` rows show has no part in the pattern: whatever it says is seen in so many rows.
"""

import re
from itertools import pairwise

import numpy as np
import pandas as pd

from .._pattern import DIGITS, LOWER, UPPER, Choice, Class, Pattern, longest_tail
from ._strings import frequent_codes, to_codes

__all__ = ["learn_first_digits", "learn_lengths", "learn_pattern"]

GENERIC = Pattern((Class(DIGITS + LOWER, 8, 8),))  # where there are too few rows to learn from
WORD = re.compile(r"[^\W_]+")
LITERAL, LETTERS, NUMERALS, MIXED = "literal", "letters", "numerals", "mixed"
DEFAULTS = {LETTERS: LOWER, NUMERALS: DIGITS, MIXED: DIGITS + LOWER}  # where no class is frequent
MAX_OPTIONS = 20
MAX_STARTS = 4  # characters that a place may have and be learned on its own
ROOM = 3  # values, for each row, that what is left to vary must have
DENSE = 2  # numbers, for each row, in the range of a counter at most
MAX_WIDTH = 200  # longer identifiers are no identifiers


def learn_pattern(texts: list[str], min_frequency: int, share: float = 1.0) -> Pattern:
    """Return the pattern of most of `texts`.

    Words are split off at punctuation. Words of letters before digits become two parts, other words one part whose class is
    the union of the character classes in it (digits, upper and lower case, hexadecimal digits). A part that is the same in
    all rows is literal, one with a few frequent values a choice, unless it is the part that varies most. So are the first
    characters of a part, where what follows them leaves room for fresh values and the part is no counter. What follows an @
    is a choice of whole texts where a few make up nearly all of it.

    Parameters
    ----------
    texts : list of str, shape (n_rows,)
    min_frequency : int
    share : float, default=1.0
        Of the column's rows, those whose texts are given: values need room for all rows.

    Returns
    -------
    pattern : Pattern
    """
    if len(texts) < min_frequency:
        return GENERIC
    learner = _Learner(len(texts), min_frequency, share)
    parts = learner.parts(pd.Series(texts, dtype=object))
    spread = [0 if kind == LITERAL else part.nunique() for part, kind in parts]
    widest = len(spread) - 1 - int(np.argmax(spread[::-1]))
    segments: list[Choice | Class] = []
    for index, (part, kind) in enumerate(parts):
        segments += [Choice((part,))] if kind == LITERAL else learner.segments(part, kind, varies=index == widest)
    return Pattern(tuple(segments))


def learn_lengths(lengths: np.ndarray, min_frequency: int) -> tuple[int, int]:
    """Return the `min_frequency`-th smallest and largest length; the median where there are too few rows for that."""
    ordered, middle = np.sort(lengths), (len(lengths) - 1) // 2
    low, high = ordered[min(min_frequency - 1, middle)], ordered[max(len(ordered) - min_frequency, middle)]
    return int(low), int(high)


class _Learner:
    """The thresholds: a feature counts from `min_frequency` rows; a shape is the shape if at most `n_strays` rows differ.

    The rows may be a sample, a `share` of the column; room for values is measured by all of its rows.
    """

    def __init__(self, n_rows: int, min_frequency: int, share: float):
        self.min_frequency, self.share = min_frequency, share
        self.n_strays = 0 if min_frequency == 1 else max(min_frequency - 1, n_rows // 20)

    def parts(self, texts: pd.Series) -> list[tuple[str | pd.Series, str]]:
        """Return literal separators, and columns of words or parts of words, each with its kind."""
        mail = texts[texts.str.count("@") == 1]
        if self._is_shape_of(len(mail), texts):
            sides = mail.str.split("@", expand=True)
            domains = self._options(sides[1], MAX_OPTIONS, n_others=self.n_strays + 1)
            is_known = domains is not None and domains != ("",)
            right = [(sides[1][sides[1].isin(domains)], MIXED)] if is_known else self._words(sides[1])
            return [*self._words(sides[0]), ("@", LITERAL), *right]
        return self._words(texts)

    def _words(self, texts: pd.Series) -> list[tuple[str | pd.Series, str]]:
        skeletons = texts.str.replace(WORD, "W", regex=True).value_counts()
        skeleton = skeletons.index[0]
        if "W" not in skeleton or not self._is_shape_of(skeletons.iloc[0], texts) or len(skeleton) > MAX_WIDTH:
            return [(texts, MIXED)]
        words = texts.str.extract(r"\A" + "([^\\W_]+)".join(map(re.escape, skeleton.split("W"))) + r"\Z").dropna()
        parts: list[tuple[str | pd.Series, str]] = []
        for index, separator in enumerate(skeleton.split("W")):
            parts += [(separator, LITERAL)] if separator else []
            parts += self._split_word(words[index]) if index in words else []
        return parts

    def _is_shape_of(self, n_alike: int, texts: pd.Series) -> bool:
        return n_alike >= self.min_frequency and len(texts) - n_alike <= self.n_strays

    def _split_word(self, words: pd.Series) -> list[tuple[pd.Series, str]]:
        """Return the runs of letters and digits of which words consist, or the words, if their runs differ."""
        runs = words.str.replace(r"[0-9]+", "0", regex=True).str.replace(r"[^\W\d_]+", "a", regex=True)
        counts = runs.value_counts()
        if self._is_shape_of(counts.reindex(["a", "0", "a0"]).sum(), words):
            expression, kinds = r"([^\W\d_]*)([0-9]*)", [LETTERS, NUMERALS]
        elif self._is_shape_of(counts.iloc[0], words) and set(counts.index[0]) == {"a", "0"}:
            expression = "".join({"a": r"([^\W\d_]+)", "0": r"([0-9]+)"}[run] for run in counts.index[0])
            kinds = [{"a": LETTERS, "0": NUMERALS}[run] for run in counts.index[0]]
        else:
            return [(words, MIXED)]
        parts = words.str.extract(rf"\A{expression}\Z").dropna()
        return [(parts[column], kind) for column, kind in zip(parts, kinds, strict=True)]

    def segments(self, texts: pd.Series, kind: str, *, varies: bool) -> list[Choice | Class]:
        """Return the segments of one part; one that `varies` is no choice."""
        if not varies:
            options = self._options(texts, MAX_OPTIONS)
            if options is not None:
                return [Choice(options)] if options != ("",) else []
        low, high = learn_lengths(texts.str.len().to_numpy(), self.min_frequency)
        high = min(high, MAX_WIDTH)
        if high == 0:
            return [Class(DEFAULTS[kind], 0, 1)] if varies else []
        characters = self._characters(texts, kind)
        start = self._start(texts, characters, low, high, varies=varies)
        characters = self._characters(texts.str.slice(len(start)), kind) if start else characters
        if kind == NUMERALS and not start and low >= 1 and high >= 2 and self._is_whole(texts):
            return [Class(DIGITS[1:], 1, 1), _class(DIGITS, low - 1, high - 1)]
        return [*start, _class(characters, low - len(start), high - len(start))]

    def _is_whole(self, texts: pd.Series) -> bool:
        return texts.str.startswith("0").sum() < self.min_frequency

    def _start(self, texts: pd.Series, characters: str, low: int, high: int, *, varies: bool) -> list[Choice | Class]:
        """Return the first characters of a part, place by place, as long as they are a few only: the version in a UUID.

        What follows them in the part that `varies` has to have room for fresh values. Where lengths vary they are the same in
        nearly all rows.
        """
        segments: list[Choice | Class] = []
        room = ROOM * len(texts) / self.share if varies else 0
        if self._counts_up(texts):
            return segments
        texts = texts[texts.str.len().between(low, high)]
        n_values = 1
        while len(segments) < low - 1:
            options = self._options(texts.str.get(len(segments)), MAX_STARTS if low == high else 1)
            n_values *= len(options or ())
            if options is None or n_values * len(characters) ** (high - len(segments) - 1) < room:
                break
            segments.append(Choice(options) if len(options) == 1 else Class("".join(sorted(options)), 1, 1))
        return segments

    def _counts_up(self, texts: pd.Series) -> bool:
        """Tell whether a part is a counter, which goes on where it stands: numbers that are nearly dense."""
        numerals = texts[texts.str.fullmatch("[0-9]{1,18}")]
        if len(numerals) < max(self.min_frequency, len(texts) - self.n_strays):
            return False
        numbers = np.sort(numerals.astype("int64").to_numpy())
        skipped = min(self.min_frequency, len(numbers) // 2 + 1) - 1
        return int(numbers[-1 - skipped]) - int(numbers[skipped]) < DENSE * len(numbers) / self.share

    def _options(self, texts: pd.Series, most: int, n_others: int | None = None) -> tuple[str, ...] | None:
        """Return the values of a part that has a few frequent ones, none of which begins with another.

        Other values are in fewer than `n_others` rows; None: than `min_frequency`.
        """
        counts = texts.value_counts()
        frequent = counts[counts >= self.min_frequency]
        few = len(frequent) == 1 or 1 < len(frequent) <= min(most, len(texts) // 20)
        if not few or len(texts) - frequent.sum() >= max(self.min_frequency, n_others or 0):
            return None
        options = tuple(sorted(frequent.index))
        clash = any(two.startswith(one) for one, two in pairwise(options))
        return None if clash else options

    def _characters(self, texts: pd.Series, kind: str) -> str:
        """Return the union of the character classes that enough rows show."""
        characters = ""
        for members, rest, hexadecimal in ((DIGITS, "", ""), (UPPER, UPPER[6:], UPPER[:6]), (LOWER, LOWER[6:], LOWER[:6])):
            if self._is_seen(texts, members):
                is_hexadecimal = kind == MIXED and characters == DIGITS and not self._is_seen(texts, rest)
                characters += hexadecimal if is_hexadecimal else members
        codes = frequent_codes(*to_codes(texts.str[:MAX_WIDTH].tolist()), self.min_frequency)
        codes = codes[(codes < 0xD800) | (codes >= 0xE000)]  # no surrogates
        others = set(map(chr, codes.tolist())).difference(DIGITS, UPPER, LOWER)
        return "".join(sorted(others.union(characters))) or DEFAULTS[kind]

    def _is_seen(self, texts: pd.Series, members: str) -> bool:
        return bool(members) and texts.str.contains(f"[{members}]").sum() >= self.min_frequency


def _class(characters: str, low: int, high: int) -> Class:
    """Return a class, its longest values left out where they are too many to be ranked."""
    return Class(characters, low, min(high, low + longest_tail(len(characters))))


def learn_first_digits(numbers: np.ndarray, n_digits: int, min_frequency: int, share: float) -> tuple[int, int, int]:
    """Return the first and last of what whole numbers begin with, or 0 twice, and how many of `n_digits` digits follow it.

    The numbers are a `share` of the column.
    """
    texts = pd.Series(numbers.astype(str).tolist(), dtype=object)
    start = _Learner(len(texts), min_frequency, share)._start(texts, DIGITS, n_digits, n_digits, varies=True)
    digits = [segment.options[0] if isinstance(segment, Choice) else segment.characters for segment in start]
    n_same = next((place for place, some in enumerate(digits) if len(some) > 1), len(digits))
    first = last = "".join(digits[:n_same])
    if n_same < len(digits) and digits[n_same] in DIGITS:  # they follow one another
        first, last = first + digits[n_same][0], last + digits[n_same][-1]
    return int(first or 0), int(last or 0), n_digits - len(first)
