"""Sampling seen from the estimators: what may be asked for, and how records become what was asked for."""

from ._checks import (
    check_choices,
    check_draw,
    check_exclusion,
    check_given,
    check_identifiers_from,
    check_prefixes,
    check_validator,
    choosing,
)
from ._copies import Copies
from ._given import read_given
from ._guides import Guides
from ._records import Choice, SamplingError, Tally, collected, drawn, joined, rechunked, restored

__all__ = [
    "Choice",
    "Copies",
    "Guides",
    "SamplingError",
    "Tally",
    "check_choices",
    "check_draw",
    "check_exclusion",
    "check_given",
    "check_identifiers_from",
    "check_prefixes",
    "check_validator",
    "choosing",
    "collected",
    "drawn",
    "joined",
    "read_given",
    "rechunked",
    "restored",
]
