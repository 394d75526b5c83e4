"""Estimators as plain data: their parameters and ledger, for model files and to tell two fits apart."""

import base64
import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator

from .._plain import from_plain, to_plain
from .._state import check_keys, expect, take
from ..fields import Schema
from ..privacy._ledger import COLUMNS as LEDGER

NO_RESULT = {"callbacks", "checkpoint_dir", "checkpoints", "max_time", "n_jobs", "overwrite", "verbose", "warm_start"}
"""Parameters that say how a fit is run, and nothing of its result."""


def params_state(estimator: BaseEstimator) -> dict:
    """Return the constructor's parameters as plain data.

    What belongs to one process or machine, callbacks, folders and generators of random numbers, is None.
    """
    return {
        name: None if name in ("callbacks", "checkpoint_dir") else _encoded(name, value)
        for name, value in estimator.get_params(deep=False).items()
    }


def _encoded(name, value):
    if name == "random_state" and not (value is None or isinstance(value, int | np.integer)):
        return None
    if isinstance(value, BaseEstimator):
        return {"estimator": type(value).__name__, "params": params_state(value)}
    if isinstance(value, Mapping):
        return {"schema": [_encoded_field(column, field) for column, field in value.items()]}
    if isinstance(value, list | tuple):
        return {"list" if isinstance(value, list) else "tuple": [_encoded(name, item) for item in value]}
    if isinstance(value, bytes):
        return {"bytes": base64.b64encode(value).decode("ascii")}
    try:
        return to_plain(os.fspath(value) if isinstance(value, os.PathLike) else value)
    except TypeError:
        raise TypeError(
            f"the parameter {name} holds {value!r} of type {type(value).__name__}, which a model file cannot hold; expected "
            "numbers, text, lists, fields or estimators of sksynth"
        ) from None


def _encoded_field(column, field):
    if isinstance(field, str):
        return {"column": to_plain(column), "domain": field}
    return Schema({column: field}).to_plain()[0]


def estimator_from(cls: type, params: Any, classes: Iterable[type] = ()) -> Any:
    """Return an unfitted estimator of the parameters that `params_state` made plain.

    Parameters
    ----------
    cls : type
    params : dict
    classes : iterable of type
        Of which parameters may be; none is found by its name in any other way.
    """
    known = {other.__name__: other for other in classes}
    return cls(**{name: _decoded(value, known) for name, value in params.items()})


def _decoded(value, classes):
    if not isinstance(value, dict):
        return value
    if "estimator" in value:
        name = value["estimator"]
        if name not in classes:
            raise ValueError(f"holds a {name}, which is not known here: pass trusted=({name},) if you trust that class")
        return estimator_from(classes[name], value["params"], classes.values())
    if "schema" in value:
        return dict(_decoded_field(item) for item in value["schema"])
    if "list" in value:
        return [_decoded(item, classes) for item in value["list"]]
    if "bytes" in value:
        return base64.b64decode(value["bytes"], validate=True)
    if "tuple" in value:
        return tuple(_decoded(item, classes) for item in value["tuple"])
    return from_plain(value)


def _decoded_field(item):
    if "domain" in item:
        return from_plain(item["column"]), item["domain"]
    return next(iter(Schema.from_plain([item]).items()))


def result_params(estimator: BaseEstimator) -> dict:
    """Return the parameters on which the result of a fit depends, nested ones too, as plain data by name."""
    return {
        name: _encoded(name.rpartition("__")[2], value)
        for name, value in estimator.get_params(deep=True).items()
        if name.rpartition("__")[2] not in NO_RESULT and not isinstance(value, BaseEstimator)
    }


def ledger_state(ledger: pd.DataFrame) -> list:
    """Return `privacy_ledger_` as plain data."""
    return [
        row | {"parameters": {name: to_plain(value) for name, value in row["parameters"].items()}}
        | {name: to_plain(row[name]) for name in ("epsilon", "delta")}
        for row in ledger.to_dict("records")
    ]  # fmt: skip


def ledger_from(state: list) -> pd.DataFrame:
    """Return the ledger of which `ledger_state` made `state`."""
    return pd.DataFrame([_ledger_row(row) for row in state], columns=LEDGER)


def _ledger_row(state):
    check_keys(state, *LEDGER)
    texts = {name: take(state, name, str) for name in ("step", "mechanism", "covers")}
    numbers = {name: number_from(state[name]) for name in ("epsilon", "delta")}
    return texts | numbers | {"parameters": {name: from_plain(value) for name, value in state["parameters"].items()}}


def number_from(state: Any) -> float:
    """Return the number of at least 0, infinity included, of which `to_plain` made `state`."""
    value = from_plain(state)
    expect(type(value) in (int, float) and value >= 0, "what was spent", value, "a number of at least 0")
    return float(value)
