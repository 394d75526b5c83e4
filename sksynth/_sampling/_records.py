"""Records that a validator refuses, or that are copies, drawn anew; portions of records put together."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import union_categoricals

from ._copies import Copies

PORTION = 10_000  # records that are drawn and judged together, at most
LEAST = 64  # and at least
NO_MORE_KEYS = "Give fields.Identifier a longer pattern, or the column a wider dtype, so that there are more values"
RAISE, EXCLUDE_LESS = "Raise max_invalid, or ask less of a record", "Raise exclude_longer_than, or exclude fewer records"
N_REASONS = 5  # that a SamplingError tells
FEW_COPIES, MOST_COPIED = 1_000, 0.95  # copies among the drawn records, as a number and as a share, that are drawn anew


class SamplingError(RuntimeError):
    """More records than `max_invalid` were refused by the validator, or nearly all are copies; valid ones are not lost.

    Attributes
    ----------
    n_invalid : int
        Records that were refused.
    reasons : list of str
        Why the last of them were.
    valid : list of str, or the container that fit was given
        The valid records so far; of `sample_iter` those that were not given out yet.
    remedy : str
        What can be done.
    """

    def __init__(self, n_invalid: int, reasons: list[str], valid: Any, remedy: str = RAISE):
        self.n_invalid, self.reasons, self.valid, self.remedy = n_invalid, reasons, valid, remedy
        super().__init__(n_invalid, reasons, valid, remedy)

    def __str__(self) -> str:
        return (
            f"{self.n_invalid:,} records were refused, beside {len(self.valid):,} valid ones, in `valid` of this error. "
            f"The last reasons: {'; '.join(self.reasons)}. {self.remedy}"
        )


@dataclass(frozen=True)
class Choice:
    """Which of the drawn records are taken.

    Parameters
    ----------
    validator : callable, optional
        See `judge`. None: every record is valid.
    max_invalid : int, default=1_000
        Records that it may refuse.
    copies : Copies, optional
        Which records are left out before the validator sees them. None: none.
    n_most : int, optional
        How many records can be drawn at all. None: any number.
    """

    validator: Callable | None = None
    max_invalid: int = 1_000
    copies: Copies | None = None
    n_most: int | None = None


@dataclass
class Tally:
    """How far an endless sample is drawn, and what of it was taken: enough to go on from there.

    Parameters
    ----------
    drawn, valid, invalid, copied : int, default=0
        Records that were drawn in all, taken, refused by the validator, and left out as copies.
    """

    drawn: int = 0
    valid: int = 0
    invalid: int = 0
    copied: int = 0


def drawn(draw: Callable[[range], Iterator[Any]], n_samples: int, choice: Choice, tally: Tally | None = None) -> Iterator[Any]:
    """Yield the first records of an endless sample that are taken, portion by portion, `n_samples` in all.

    Parameters
    ----------
    draw : callable
        Yields the records of a range of the sample: lists of str, or frames.
    n_samples : int
    choice : Choice
    tally : Tally, optional
        Where to go on; counts on before each portion is yielded. Ones that stand alike go on alike. None: at the beginning.

    Yields
    ------
    records : list of str or DataFrame

    Raises
    ------
    SamplingError
        When the validator has refused too many, or nearly all are copies.
    """
    tally = Tally() if tally is None else tally
    if choice.validator is None and choice.copies is None:
        for portion in draw(range(tally.drawn, n_samples)):
            tally.drawn = tally.valid = tally.drawn + len(portion)
            yield portion
        return
    reasons: deque[str] = deque(maxlen=N_REASONS)
    while tally.valid < n_samples:
        rate = max((tally.valid + 1) / (tally.drawn + 1), 0.05)
        size = int(np.clip((n_samples - tally.valid) / rate, LEAST, PORTION))
        size = size if choice.n_most is None else min(size, choice.n_most - tally.drawn)
        records, found = _without_copies(joined(list(draw(range(tally.drawn, tally.drawn + size)))), choice.copies)
        tally.drawn, tally.copied = tally.drawn + size, tally.copied + found
        valid, why = judge(choice.validator, records)
        stop = _first(np.cumsum(valid) >= n_samples - tally.valid, len(valid) - 1) + 1
        breach = _first(np.cumsum(~valid) > choice.max_invalid - tally.invalid, len(valid))
        until = min(stop, breach + 1)
        valid[until:] = False
        refused = np.flatnonzero(~valid[:until])
        reasons.extend(why(place) for place in refused[-N_REASONS:])
        tally.valid, tally.invalid = tally.valid + int(valid.sum()), tally.invalid + len(refused)
        if breach < stop:
            raise SamplingError(tally.invalid, list(reasons), _taken(records, valid))
        if tally.valid < n_samples and tally.drawn == choice.n_most:
            reasons.append(f"only {choice.n_most:,} records can be drawn, as many as there are identifiers")
            raise SamplingError(tally.invalid + tally.copied, list(reasons), _taken(records, valid), NO_MORE_KEYS)
        if tally.valid < n_samples and tally.copied > max(FEW_COPIES, MOST_COPIED * tally.drawn):
            raise SamplingError(tally.copied, ["they repeat texts of exclude"], _taken(records, valid), EXCLUDE_LESS)
        yield _taken(records, valid)


def _without_copies(records, copies):
    """Return the records that are no copies, and the number of those that are."""
    if copies is None:
        return records, 0
    copied = copies.among(records)
    return _taken(records, ~copied), int(copied.sum())


def _first(holds, otherwise):
    return int(holds.argmax()) if holds.any() else otherwise


def judge(validator: Callable | None, records: Any) -> tuple[np.ndarray, Callable[[int], str]]:
    """Return which records are valid, shape (n_records,), and a callable that tells why one is not.

    Lines are judged one by one. Of a frame the validator gets a copy; if what comes back is not one bool per row, the rows
    are judged, one by one as dicts. A record is valid if the validator returns something true for it; one for which it raises
    is not, and the error is the reason. Without a validator all are.
    """
    if validator is None:
        return np.ones(len(records), bool), str
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
        mask = validator(frame.copy())
    except Exception:  # a validator of rows may do anything with a frame
        return None
    if not isinstance(mask, np.ndarray | pd.Series | list) or np.shape(mask) != (len(frame),):
        return None
    if isinstance(mask, pd.Series) and mask.index.is_unique and set(mask.index) == set(frame.index):
        mask = mask.reindex(frame.index)
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


def _with(frame, column, values):
    """Return a frame with other values of a column, whatever it is called."""
    frame = frame.copy(deep=False)
    frame[column] = values
    return frame


def _alike(portions):
    """Return frames whose categories are the same: those of texts are whatever was drawn."""
    for column in portions[0].columns:
        dtypes = {frame[column].dtype for frame in portions}
        if len(dtypes) > 1 and all(isinstance(dtype, pd.CategoricalDtype) for dtype in dtypes):
            union = union_categoricals([frame[column] for frame in portions]).dtype
            portions = [_with(frame, column, frame[column].astype(union)) for frame in portions]
    return portions


def joined(portions: list) -> Any:
    """Return portions of records as one."""
    if isinstance(portions[0], pd.DataFrame):
        return pd.concat(_alike(portions), ignore_index=True)
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
