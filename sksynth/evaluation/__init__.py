"""How close synthetic data is to real data, and how far from copying it: pure functions of both."""

from ._copies import copied_ngrams

__all__ = ["copied_ngrams"]
