"""Figures that compare synthetic data with real data."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sksynth.evaluation import copied_ngrams


@given(st.lists(st.text("ab", max_size=8)), st.lists(st.text("ab", max_size=8)), st.integers(1, 4))
def test_copied_ngrams_are_those_within_a_real_text(real, synthetic, n):
    """The share counts every n-gram of the synthetic texts that is part of one real text."""
    grams = [text[i : i + n] for text in synthetic for i in range(len(text) - n + 1)]
    copied = [any(gram in text for text in real) for gram in grams]
    assert copied_ngrams(real, synthetic, n=n) == (sum(copied) / len(copied) if copied else 0.0)
    assert copied_ngrams(real, real, n=n) == float(any(len(text) >= n for text in real))


def test_missing_texts_are_left_out():
    """None, NaN and NA are no text."""
    assert copied_ngrams(["abc", None], [float("nan"), "abcd"], n=3) == 0.5


@pytest.mark.parametrize(
    ("real", "n", "error", "message"),
    [
        ("abc", 2, TypeError, "real: got one str, expected texts; put it in a list"),
        ([1], 2, TypeError, "real: got 1 of type int, expected strings"),
        (["abc"], 0, ValueError, "n must be an int >= 1, got 0"),
        (["abc"], 2.0, TypeError, "n must be an int >= 1, got 2.0"),
    ],
)
def test_what_is_no_text_is_refused(real, n, error, message):
    """What cannot be compared is refused by name."""
    with pytest.raises(error, match=message):
        copied_ngrams(real, ["abc"], n=n)
