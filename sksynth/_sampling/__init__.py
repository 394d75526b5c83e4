"""Sampling seen from the estimators: what may be asked for, and how records become what was asked for."""

from ._checks import check_choices, check_draw, check_exclusion, check_prefixes, check_validator
from ._copies import Copies
from ._guides import Guides
from ._records import Choice, SamplingError, collected, drawn, rechunked, restored

__all__ = [
    "Choice",
    "Copies",
    "Guides",
    "SamplingError",
    "check_choices",
    "check_draw",
    "check_exclusion",
    "check_prefixes",
    "check_validator",
    "collected",
    "drawn",
    "rechunked",
    "restored",
]
