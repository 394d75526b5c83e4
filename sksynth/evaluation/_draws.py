"""Parameters of the metrics that look at a sample of rows, and the sample."""

from numbers import Real
from typing import Any

import pandas as pd

from .._random import seed_sequence
from .._validation import is_int


def check_count(name: str, value: Any, low: int = 1) -> None:
    """Refuse a parameter that is not an int of at least `low`."""
    if not is_int(value) or value < low:
        raise (ValueError if is_int(value) else TypeError)(f"{name} must be an int >= {low}, got {value!r}")


def check_share(name: str, value: Any) -> None:
    """Refuse a parameter that is not a number between 0 and 1, both excluded."""
    is_real = isinstance(value, Real) and not isinstance(value, bool)
    if not is_real or not 0 < value < 1:
        raise (ValueError if is_real else TypeError)(f"{name} must be a number in (0, 1), got {value!r}")


def seed_of(random_state: Any) -> int:
    """Return a seed for pandas and scikit-learn: an int as it is, else one drawn from what `random_state` is."""
    sequence = seed_sequence(random_state)
    return int(random_state) % 2**32 if is_int(random_state) else int(sequence.generate_state(1)[0])


def draw(frame: pd.DataFrame, n_samples: int, seed: int) -> pd.DataFrame:
    """Return some rows of a table in random order."""
    return frame.sample(n_samples, random_state=seed % 2**32)
