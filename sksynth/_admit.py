"""What fields let in of later rows, by the rule of fit: one function per kind of field that can refuse them, or grow."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from pandas.api import types

from ._complete import COMPLETE, dtype_name
from ._infer import refuse_missing
from ._values import nullable_dtype, positions_of, typed_counts, typed_key
from .fields import Schema


def admit(X: pd.DataFrame, schema: Schema, *, given: Mapping, min_frequency: int) -> Schema:
    """Return the schema of a table that goes on with the rows of X: the same, but for what extensible fields add.

    Parameters
    ----------
    X : DataFrame
        With cells that the codecs of the schema can read.
    schema : Schema
        Of fit, complete.
    given : mapping of column to Field
        What the user said in fit. A domain that is named there admits nothing else, except in a field that is complete, which
        folds as if its domain were from the data.
    min_frequency : int
        Of fit.

    Raises
    ------
    ValueError
        If X holds what there is no room for.
    """
    grown = schema.copy()
    for column, field in schema.items():
        said, values = given.get(column), X[column]
        _check_missing(field, said, values, column)
        if field.kind in _ADMIT:
            grown[column] = _ADMIT[field.kind](field, said, values, column, min_frequency)
    return grown


def _check_missing(field, said, values, column):
    missing = bool(values.isna().any())
    if said is not None:
        refuse_missing(said, missing, column)
    if missing and not field.nullable:
        raise ValueError(
            f"column {column!r}: has missing cells, but had none in fit, so nothing is known of them; fill them, or fit anew "
            "on a table with missing cells, or with nullable=True in its field"
        )


def _is_named(said, attribute):
    """Say whether the user gave an attribute of a field, and not `infer_schema`."""
    return said is not None and said.n_folded is None and getattr(said, attribute) is not None


def _admit_category(field, said, values, column, min_frequency):
    """Return the field with new categories; what fit would have folded is none."""
    least = max(1 if _is_named(said, "categories") else min_frequency, 1 + (field.n_folded_most or 0))
    distinct, counts = typed_counts(values)
    new = (positions_of(pd.Series(distinct, dtype=object), field.categories) < 0) & (counts >= least)
    if not new.any() or (field.other is not None and not field.extensible):
        return field
    if not field.extensible:
        place = int(np.argmax(np.where(new, counts, 0)))
        raise ValueError(
            f"column {column!r}: holds {distinct[place]!r} in {counts[place]} row{'s' * bool(counts[place] > 1)}, which is "
            f"none of the {len(field.categories)} categories; fit anew with it, or with a field that has extensible=True to "
            "add later values, or a label for all others with other="
        )
    return _with_categories(field, [value for value, is_new in zip(distinct, new, strict=True) if is_new], column)


def _with_categories(field, new, column):
    """Return the field with more categories, and with the levels and the dtype that can hold them."""
    new = _alike(new, field.categories, column)
    field = field.replace(categories=(*field.categories, *new))
    if field.levels is None:
        dtype = _dtype_for(new, field.categories, field.dtype)
        return field.replace(dtype=nullable_dtype(dtype) if field.nullable else dtype)
    known = set(map(typed_key, field.levels))
    levels = (*field.levels, *(value for value in new if typed_key(value) not in known))
    dtype = _dtype_for(new, levels, field.dtype[len("category[") : -1])
    return field.replace(levels=levels, dtype=f"category[{dtype}]")


def _alike(new, categories, column):
    """Return new values in the type that all categories have; where these are of several types, or none, as they are."""
    kind = types.infer_dtype(categories, skipna=False)
    if kind == "empty" or kind.startswith("mixed"):
        return new
    like, new = categories[0], list({typed_key(value): value for value in (_in_kind(value, kind) for value in new)}.values())
    for value in new:
        if type(value) is not type(like):
            raise ValueError(
                f"column {column!r}: holds {value!r} of type {type(value).__name__}, but its categories are of type "
                f"{type(like).__name__}, such as {like!r}; convert the column, or fit anew"
            )
    return new


def _in_kind(value, kind):
    """Return a number in the type of the categories where it loses nothing: 3.0 among whole numbers is 3."""
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, bool) or not isinstance(value, int | float) or kind not in ("integer", "floating"):
        return value
    other = int(value) if kind == "integer" else float(value)
    return other if other == value else value


def _dtype_for(new, values, dtype):
    """Return the dtype if it can hold the new values, else one that can hold all values."""
    plain = pd.Series(new, dtype=object)
    try:
        fits = bool((plain.astype(dtype).astype(object) == plain).all())
    except (TypeError, ValueError, OverflowError):
        fits = False
    return dtype if fits else dtype_name(pd.Index(values).dtype)


def _admit_boolean(field, said, values, column, min_frequency):
    """Return the field; refuse what is neither True nor False."""
    COMPLETE["boolean"](field, values, column, min_frequency)
    return field


def _admit_bounded(field, said, values, column, min_frequency):
    """Return the field; refuse a row beyond bounds that the user named, and more rows beyond others than fit would clip."""
    present, most = values.dropna(), max(min_frequency - 1, field.n_folded)
    if field.low is None or field.high is None:
        if len(present) > most:
            raise ValueError(
                f"column {column!r}: holds {present.iloc[0]!r}, but had no values in fit, so nothing is known of its bounds; "
                "fit anew on a table with values, or with low and high in its field"
            )
    elif len(present):
        complete = COMPLETE[field.kind]
        named = {name: getattr(field, name) if _is_named(said, name) else None for name in ("low", "high")}
        complete(field.replace(n_folded=None, **named), values, column, min_frequency)
        beyond = complete(field, values, column, min_frequency).n_folded
        if beyond > most:
            _refuse_beyond(field, beyond, most, complete(field.replace(low=None, high=None), values, column, 1), column)
    return field


def _refuse_beyond(field, beyond, most, reached, column):
    farthest = max(reached.low, reached.high, key=lambda value: max(field.low - value, value - field.high))
    raise ValueError(
        f"column {column!r}: holds {beyond} values beyond low={field.low} and high={field.high}, the farthest {farthest}, of "
        f"which {most} at most can be clipped; remove them, or fit anew with them, or with low and high in its field"
    )


_ADMIT = {
    "category": _admit_category,
    "boolean": _admit_boolean,
    "number": _admit_bounded,
    "datetime": _admit_bounded,
}
