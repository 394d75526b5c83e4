"""What may be asked for of a sample."""

from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from .._validation import is_int

MOST = 2**40  # records that can be asked for; nobody has room for more
HOTTEST = float(np.finfo(np.float32).max)  # a temperature beyond is infinite to the networks


def check_draw(n_samples: Any, temperature: Any, *, name: str = "n_samples") -> None:
    """Refuse what `sample` cannot draw."""
    _check_count(n_samples, name)
    if n_samples > MOST:
        raise ValueError(f"{name} must be an int of at most {MOST:,}, got {n_samples:,}")
    if isinstance(temperature, bool) or not isinstance(temperature, Real):
        raise TypeError(f"temperature must be a number > 0, got {temperature!r}: 1.0 samples what was learned")
    if not temperature > 0:
        raise ValueError(f"temperature must be a number > 0, got {temperature!r}: 1.0 samples what was learned")
    if temperature > HOTTEST:
        shown = repr(float(temperature)) if isinstance(temperature, float | np.floating) else "a larger one"
        raise ValueError(
            f"temperature must be a number of at most {HOTTEST:.1e}, got {shown}: 1.0 samples what was learned, and at 1e6 "
            "all values are about as likely"
        )


def check_choices(top_k: Any, top_p: Any, max_length: Any = None) -> None:
    """Refuse ways to draw among fewer tokens that leave none, or are no such thing."""
    for name, value in (("top_k", top_k), ("max_length", max_length)):
        if value is not None:
            _check_count(value, name)
    if top_p is not None:
        if isinstance(top_p, bool) or not isinstance(top_p, Real):
            raise TypeError(f"top_p must be a number in (0, 1] or None, got {top_p!r}")
        if not 0 < top_p <= 1:
            raise ValueError(f"top_p must be a number in (0, 1] or None, got {top_p!r}")


def choosing(validator: Any, exclude: Any) -> str | None:
    """Return the argument by which records are chosen from what is drawn; None where all are taken."""
    return "validator" if validator is not None else "exclude" if exclude is not None else None


def check_prefixes(prefixes: Any, n_samples: int, chosen_by: str | None) -> None:
    """Refuse prefixes that are no strings, or not one for each line."""
    if prefixes is None:
        return
    if not isinstance(prefixes, list | tuple | np.ndarray | pd.Series) or not all(isinstance(text, str) for text in prefixes):
        raise TypeError(f"prefix must be a string, a list of strings or None, got {prefixes!r}")
    if len(prefixes) not in (1, n_samples):
        raise ValueError(
            f"got {len(prefixes)} prefixes for n_samples={n_samples}: leave n_samples out, or give one prefix for all"
        )
    if len(prefixes) > 1 and chosen_by is not None:
        raise ValueError(
            f"got a list of prefixes and {chosen_by}, which may leave a prefix without its line: give one prefix for all, or "
            "choose among the lines of each prefix afterwards"
        )


def check_given(given: Any, n_samples: int, chosen_by: str | None) -> None:
    """Refuse a frame of given cells that has not a row for each sample."""
    if not isinstance(given, pd.DataFrame):
        return
    if len(given) != n_samples:
        raise ValueError(f"got {len(given)} given rows for n_samples={n_samples}: leave n_samples out, or give a dict for all")
    if chosen_by is not None:
        raise ValueError(
            f"got given rows and {chosen_by}, which may leave a row without its sample: give a dict for all, or choose among "
            "the samples of each row afterwards"
        )


def check_identifiers_from(identifiers_from: Any, chosen_by: str | None) -> None:
    """Refuse a number from which identifiers cannot be counted."""
    if identifiers_from is None:
        return
    if not is_int(identifiers_from):
        raise TypeError(f"identifiers_from must be an int >= 0 or None, got {identifiers_from!r}")
    if not 0 <= identifiers_from <= MOST:
        raise ValueError(f"identifiers_from must be an int from 0 to {MOST:,} or None, got {identifiers_from!r}")
    if chosen_by is not None:
        raise ValueError(
            f"got identifiers_from and {chosen_by}: rows that are refused take identifiers too, so that it is not known where "
            f"the next sample is to go on. Leave {chosen_by} out, and choose among the rows of the sample"
        )


def check_validator(validator: Any, max_invalid: Any) -> None:
    """Refuse a validator that cannot be called, and a number of invalid records that is none."""
    if validator is not None and not callable(validator):
        raise TypeError(f"validator must be a callable or None, got {validator!r}")
    if not is_int(max_invalid):
        raise TypeError(f"max_invalid must be an int >= 0, got {max_invalid!r}")
    if max_invalid < 0:
        raise ValueError(f"max_invalid must be an int >= 0, got {max_invalid!r}")


def check_exclusion(exclude: Any, longer_than: Any, is_private: bool) -> None:
    """Refuse to leave out copies where that may not be."""
    _check_count(longer_than, "exclude_longer_than")
    if exclude is not None and is_private:
        raise ValueError(
            "exclude: this model is private, and what it leaves out would tell of the records that were not to be told of: "
            "leave exclude out"
        )


def _check_count(value, name):
    if not is_int(value):
        raise TypeError(f"{name} must be an int >= 1, got {value!r}")
    if value < 1:
        raise ValueError(f"{name} must be an int >= 1, got {value!r}")
