"""Sampling seen from the estimators: what may be asked for, and records that a validator refuses drawn anew."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd

from ._validation import is_int

PORTION = 10_000  # records that are drawn and judged together, at most
LEAST = 64  # and at least
N_REASONS = 5  # that a SamplingError tells


class SamplingError(RuntimeError):
    """More records than `max_invalid` were refused by the validator; those that it accepted until then are not lost.

    Attributes
    ----------
    n_invalid : int
        Records that were refused.
    reasons : list of str
        Why the last of them were.
    valid : list of str, or the container that fit was given
        The valid records so far; of `sample_iter` those that were not given out yet.
    """

    def __init__(self, n_invalid: int, reasons: list[str], valid: Any):
        self.n_invalid, self.reasons, self.valid = n_invalid, reasons, valid
        super().__init__(n_invalid, reasons, valid)

    def __str__(self) -> str:
        return (
            f"the validator refused {self.n_invalid:,} records, after {len(self.valid):,} valid ones, which are in `valid` of "
            f"this error. The last reasons: {'; '.join(self.reasons)}. Raise max_invalid, or ask less of a record"
        )


def check_draw(n_samples: Any, temperature: Any, *, name: str = "n_samples") -> None:
    """Refuse what `sample` cannot draw."""
    _check_count(n_samples, name)
    if isinstance(temperature, bool) or not isinstance(temperature, Real):
        raise TypeError(f"temperature must be a number > 0, got {temperature!r}: 1.0 samples what was learned")
    if not np.isfinite(temperature) or temperature <= 0:
        raise ValueError(f"temperature must be a number > 0, got {temperature!r}: 1.0 samples what was learned")


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


def check_prefixes(prefixes: Any, n_samples: int, validator: Any) -> None:
    """Refuse prefixes that are no strings, or not one for each line."""
    if prefixes is None:
        return
    if not isinstance(prefixes, list | tuple | np.ndarray | pd.Series) or not all(isinstance(text, str) for text in prefixes):
        raise TypeError(f"prefix must be a string, a list of strings or None, got {prefixes!r}")
    if len(prefixes) not in (1, n_samples):
        raise ValueError(
            f"got {len(prefixes)} prefixes for n_samples={n_samples}: leave n_samples out, or give one prefix for all"
        )
    if len(prefixes) > 1 and validator is not None:
        raise ValueError(
            "got a list of prefixes and a validator, whose refusals would leave a prefix without its line: give one prefix "
            "for all, or choose among the lines of each prefix afterwards"
        )


class Guides:
    """Several guides as one: what the first that restricts a row allows.

    Parameters
    ----------
    guides : list of callable
        See `tokenizers.CharTokenizer.guides`.
    """

    def __init__(self, guides: list[Callable]):
        self.guides = guides

    def __call__(self, time: int, tokens: np.ndarray, rows: np.ndarray) -> np.ndarray | None:
        """Return which tokens may come next, shape (n_rows, n_tokens); None where all may."""
        allowed = None
        for guide in self.guides:
            own = guide(time, tokens, rows)
            if own is not None:
                allowed = own if allowed is None else np.where(allowed.all(axis=1, keepdims=True), own, allowed)
        return allowed


def check_validator(validator: Any, max_invalid: Any) -> None:
    """Refuse a validator that cannot be called, and a number of invalid records that is none."""
    if validator is not None and not callable(validator):
        raise TypeError(f"validator must be a callable or None, got {validator!r}")
    if not is_int(max_invalid):
        raise TypeError(f"max_invalid must be an int >= 0, got {max_invalid!r}")
    if max_invalid < 0:
        raise ValueError(f"max_invalid must be an int >= 0, got {max_invalid!r}")


def _check_count(value, name):
    if not is_int(value):
        raise TypeError(f"{name} must be an int >= 1, got {value!r}")
    if value < 1:
        raise ValueError(f"{name} must be an int >= 1, got {value!r}")


def draw_valid(draw: Callable[[range], Any], n_samples: int, validator: Callable, max_invalid: int) -> Iterator[Any]:
    """Yield the first valid records of an endless sample, portion by portion, `n_samples` in all.

    Parameters
    ----------
    draw : callable
        Returns the records of a range of the sample: a list of str, or a frame.
    n_samples : int
    validator : callable
        See `judge`.
    max_invalid : int
        Records that may be refused.

    Yields
    ------
    records : list of str or DataFrame

    Raises
    ------
    SamplingError
        When one more is refused.
    """
    reasons: deque[str] = deque(maxlen=N_REASONS)
    start, n_valid, n_invalid = 0, 0, 0
    while n_valid < n_samples:
        rate = max((n_valid + 1) / (n_valid + n_invalid + 1), 0.05)
        size = int(np.clip((n_samples - n_valid) / rate, LEAST, PORTION))
        records = draw(range(start, start + size))
        valid, why = judge(validator, records)
        enough = np.cumsum(valid) >= n_samples - n_valid
        too_many = np.cumsum(~valid) > max_invalid - n_invalid
        stop = _first(enough, size - 1) + 1
        breach = _first(too_many, size)
        until = min(stop, breach + 1)
        valid[until:] = False
        refused = np.flatnonzero(~valid[:until])
        reasons.extend(why(place) for place in refused[-N_REASONS:])
        start, n_valid, n_invalid = start + size, n_valid + int(valid.sum()), n_invalid + len(refused)
        if breach < stop:
            raise SamplingError(n_invalid, list(reasons), _taken(records, valid))
        yield _taken(records, valid)


def _first(holds, otherwise):
    return int(holds.argmax()) if holds.any() else otherwise


def judge(validator: Callable, records: Any) -> tuple[np.ndarray, Callable[[int], str]]:
    """Return which records are valid, shape (n_records,), and a callable that tells why one is not.

    Lines are judged one by one. A frame is given to the validator as it is; if what comes back is not one bool per row, the
    rows are, one by one as dicts. A record is valid if the validator returns something true for it; one for which it raises is
    not, and the error is the reason.
    """
    if isinstance(records, pd.DataFrame):
        mask = _mask_of(validator, records)
        if mask is not None:
            return mask, lambda place: f"{records.iloc[place].to_dict()!r} was refused"
        records = records.to_dict("records")
    reasons = [_reason(validator, record) for record in records]
    return np.array([reason is None for reason in reasons], bool), lambda place: reasons[place]


def _mask_of(validator, frame):
    """Return the validator's verdict on all rows; None where it judges single rows."""
    try:
        mask = validator(frame)
    except Exception:  # a validator of rows may do anything with a frame
        return None
    if not isinstance(mask, np.ndarray | pd.Series | list) or np.shape(mask) != (len(frame),):
        return None
    mask = pd.array(mask, dtype="boolean") if pd.api.types.is_bool_dtype(pd.Series(mask)) else None
    return None if mask is None else mask.fillna(False).to_numpy(bool)


def _reason(validator, record):
    """Return why a record is invalid; None if it is valid."""
    try:
        return None if validator(record) else f"{record!r} was refused"
    except Exception as error:
        return f"{record!r}: {type(error).__name__}: {error}"


def _taken(records, valid):
    if isinstance(records, pd.DataFrame):
        return records[valid].reset_index(drop=True)
    return [record for record, is_valid in zip(records, valid.tolist(), strict=True) if is_valid]


def joined(portions: list) -> Any:
    """Return portions of records as one."""
    if isinstance(portions[0], pd.DataFrame):
        return pd.concat(portions, ignore_index=True)
    return [record for portion in portions for record in portion]


def rechunked(portions: Iterator[Any], size: int) -> Iterator[Any]:
    """Yield the same records in chunks of `size`; the last may have fewer. A `SamplingError` has those not yet yielded."""
    rest: Any = None
    try:
        for portion in portions:
            rest = portion if rest is None else joined([rest, portion])
            while len(rest) >= size:
                yield rest[:size].reset_index(drop=True) if isinstance(rest, pd.DataFrame) else rest[:size]
                rest = rest[size:]
    except SamplingError as error:
        error.valid = error.valid if rest is None else joined([rest, error.valid])
        raise
    if rest is not None and len(rest):
        yield rest.reset_index(drop=True) if isinstance(rest, pd.DataFrame) else rest


@contextmanager
def restored(restore: Callable[[Any], Any]) -> Iterator[None]:
    """Give a `SamplingError` that passes its valid records in the form in which they would have been returned."""
    try:
        yield
    except SamplingError as error:
        error.valid = restore(error.valid)
        raise


def collected(portions: Iterator[Any]) -> Any:
    """Return all portions as one; a `SamplingError` on the way has those before it as well."""
    found: list = []
    try:
        found.extend(portions)
    except SamplingError as error:
        error.valid = joined([*found, error.valid])
        raise
    return joined(found)
