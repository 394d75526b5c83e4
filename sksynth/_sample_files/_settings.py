"""What the rows of a sample follow from, as plain data: of two calls that agree on it one can go on with the other's rows."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import joblib


def settings_of(files: Mapping[str, bytes], given: Any, validator: Callable | None, exclude: Any, **plain: Any) -> dict:
    """Return the settings of a call.

    Parameters
    ----------
    files : dict of str to bytes
        Of the fitted model, of which those that rows follow from are looked at: weights and tokens.
    given, validator, exclude
        As `sample` takes them. Of a validator there is no telling what it does, but for its name.
    **plain
        What JSON knows.
    """
    from .. import __version__

    return {
        "version of sksynth": __version__,
        "model": _digest(files),
        "given": None if given is None else joblib.hash(given),
        "validator": None if validator is None else getattr(validator, "__qualname__", type(validator).__qualname__),
        "exclude": None if exclude is None else joblib.hash(exclude),
        **plain,
    }


def _digest(files):
    digest = hashlib.sha256()
    for name in sorted(name for name in files if name.endswith(".npz")):
        digest.update(name.encode() + files[name])
    return digest.hexdigest()
