"""The codecs of categories and booleans."""

import numpy as np
import pandas as pd

from .._grammar import MISSING, OTHER, Run, Slot
from .._state import check_keys, marker_to_text, take_marker
from .._values import missing_marker, nullable_dtype, positions_of
from ._codec import LOG_OUTSIDE, FieldCodec

FIRST = 2  # token of the first category


class CategoryCodec(FieldCodec):
    """One of a list of values <-> one token.

    Parameters
    ----------
    field : Category or Boolean
        Completed.
        A number or datetime column of missing cells only is a category without values.
    name : str
    marker : object
        What stands for a missing cell in an object column.
    """

    def __init__(self, field, name, marker=np.nan):
        self._field, self._marker = field, marker
        self._values = (False, True) if field.kind == "boolean" else getattr(field, "categories", ())
        self._label = getattr(field, "other", None)
        transitions = np.zeros((1, len(self._values) + FIRST), np.int16)
        if field.kind == "boolean":
            transitions[0, OTHER] = -1
        unsampled = np.zeros(transitions.shape[1], bool)
        unsampled[[MISSING, OTHER]] = not field.nullable, self._label is None
        self.run = Run((Slot(name, transitions, unsampled),))

    @classmethod
    def fit(cls, values: pd.Series, field, *, name: str, min_frequency: int) -> "CategoryCodec":
        """Return the codec of a completed field; the column has nothing to add."""
        return cls(field, name, missing_marker(values))

    def admit(self, values: pd.Series, field) -> "CategoryCodec":
        """Return a codec with the categories that the field has in addition; all others keep their tokens."""
        return self if field == self._field else CategoryCodec(field, self.run.slots[0].name, self._marker)

    def to_state(self) -> dict:
        """Return the state: what stands for a missing cell."""
        return {"marker": marker_to_text(self._marker)}

    @classmethod
    def from_state(cls, state: dict, field, name: str) -> "CategoryCodec":
        """Return the codec that wrote `state`."""
        check_keys(state, "marker")
        self = cls(field, name, take_marker(state, "marker"))
        self.decode(np.arange(len(self._values) + FIRST)[:, None], None)  # fails where the dtype cannot hold a value
        return self

    @property
    def sampled(self) -> list[tuple]:
        """Return the values that are sampled, with their tokens."""
        other = [] if self._label is None else [(self._label, OTHER)]
        return [(value, token) for token, value in enumerate(self._values, FIRST)] + other

    def encode(self, values: pd.Series) -> tuple[np.ndarray, np.ndarray]:
        """Return tokens; values that are no category become OTHER."""
        missing = values.isna().to_numpy()
        ids = self._index(values) + FIRST
        ids[ids < FIRST] = OTHER
        ids[missing] = MISSING
        return ids.astype(np.int32)[:, None], np.zeros((len(ids), 0), np.int32)

    def log_outside(self, values: pd.Series) -> np.ndarray:
        """Return what values lose of their score that are no category: *other* stands for a million; its label is itself."""
        other = self.encode(values)[0][:, 0] == OTHER
        label = values.astype(object) == self._label if self._label is not None else np.zeros(len(values), bool)
        return np.where(other & ~np.asarray(label, bool), LOG_OUTSIDE, 0.0)

    def _index(self, values):
        if isinstance(values.dtype, pd.CategoricalDtype):
            of_level = np.append(positions_of(pd.Series(values.cat.categories), self._values), -1)
            return of_level[values.cat.codes.to_numpy()]
        return positions_of(values, self._values)

    def decode(self, ids: np.ndarray, free: np.ndarray) -> pd.Series:
        """Return the column; OTHER comes back as the label, or missing where there is none."""
        index = ids[:, 0] - FIRST
        values = list(self._values)
        if self._label is not None:
            index = np.where(ids[:, 0] == OTHER, _index_of(self._label, values), index)
        index = np.where(index < 0, -1, index)
        return _take(values, index, self._field, self._marker)


def _index_of(label, values):
    if label not in values:
        values.append(label)
    return values.index(label)


def _take(values, index, field, marker):
    """Return the column of `values` at `index`; missing where that is -1."""
    dtype = field.dtype
    if dtype.startswith("category"):
        levels = pd.Index(list(field.levels), dtype=dtype[len("category[") : -1])
        place = np.append(levels.get_indexer(pd.Index(values, dtype=levels.dtype)) if values else [], -1).astype(int)
        return pd.Series(pd.Categorical.from_codes(place[index], dtype=pd.CategoricalDtype(levels, field.ordered)))
    missing = bool((index < 0).any())
    dtype = nullable_dtype(dtype) if missing else dtype
    table = pd.Series(values + [marker if dtype == "object" else None] * missing, dtype=object).astype(dtype)
    return pd.Series(table.array.take(index), dtype=table.dtype)
