"""The points of the protocol on parameters and fits: a tokenizer as an estimator of scikit-learn."""

import warnings
from typing import Any

import joblib
import numpy as np
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.utils.validation import check_is_fitted

from ._error import expect, kind_of, trying
from ._records import Records, are_equal, part

__all__ = ["check_admit", "check_fit", "check_independence", "check_methods", "check_parameters", "check_unfitted"]

METHODS = (
    "get_params", "set_params", "fit", "encode", "decode", "admit", "log_cell_size", "log_outside", "draw_free", "to_state",
    "from_state",
)  # fmt: skip


def check_methods(tokenizer: Any) -> None:
    """Refuse a class in place of an instance, and what lacks a method."""
    if isinstance(tokenizer, type):
        raise TypeError(f"tokenizer must be an instance, got the class {tokenizer.__name__}: pass {tokenizer.__name__}()")
    lacking = [name for name in METHODS if not callable(getattr(tokenizer, name, None))]
    got = f"{kind_of(tokenizer)} without {', '.join(lacking)}"
    expect(
        not lacking, "methods", got, ", ".join(METHODS), "derive it from sksynth.tokenizers.Tokenizer, and write the others"
    )


def check_parameters(tokenizer: Any) -> None:
    """Refuse what cannot be cloned, or does not keep what it is given."""
    remedy = "let the constructor keep its arguments as they are, under their names, and do nothing else"
    with trying("parameters", "a tokenizer that scikit-learn can clone", remedy):
        copy = clone(tokenizer)
        values = {name: object() for name in copy.get_params(deep=False)}
        result = copy.set_params(**values)
    expect(result is copy, "set_params", kind_of(result), "self", "leave set_params to BaseEstimator")
    after = copy.get_params(deep=False)
    lost = [name for name, value in values.items() if after[name] is not value]
    expect(not lost, "get_params", f"other values of {lost} than were set", "those by set_params", remedy)


def check_unfitted(tokenizer: Any, fitted: Any, records: Records) -> None:
    """Refuse what can be used before it is fitted."""
    copy, ids = clone(tokenizer), fitted.encode(records)
    calls = {
        "encode": lambda: copy.encode(records),
        "decode": lambda: copy.decode(ids),
        "to_state": copy.to_state,
    }
    for name, call in calls.items():
        got = "no error"
        try:
            call()
        except NotFittedError:
            continue
        except Exception as error:
            got = f"{type(error).__name__}: {error}"
        expect(False, f"{name} before fit", got, "NotFittedError", f"begin {name} with sklearn's check_is_fitted(self)")


def check_fit(tokenizer: Any, records: Records) -> Any:
    """Return a fitted clone; refuse a fit that changes parameters or records, or leaves attributes out."""
    fitted, kept = clone(tokenizer), records.copy()
    with trying("parameters", "values that can be pickled", "use functions and classes of a module, not lambdas"):
        before = _digests(fitted)
    with trying("fit", "a fit on these records", "let fit take records such as these, and y, which is None"):
        result = fitted.fit(records, None)
    expect(result is fitted, "fit", kind_of(result), "self", "end it with 'return self'")
    after = _digests(fitted)
    changed = [name for name in before if before[name] != after.get(name)]
    remedy = "keep what is learned in attributes whose names end with _"
    expect(not changed, "fit", f"other values of the parameters {changed}", "the values that they had", remedy)
    expect(are_equal(records, kept), "fit", "other records than before", "records as they were", "work on a copy of them")
    with trying("fit", "attributes that tell that it was fitted", remedy):
        check_is_fitted(fitted)
    for name in ("grammar_", "n_free_"):
        expect(hasattr(fitted, name), name, "no such attribute after fit", f"{name}", f"set self.{name} in fit")
    n_free, is_count = fitted.n_free_, isinstance(fitted.n_free_, int | np.integer) and fitted.n_free_ >= 0
    expect(is_count, "n_free_", repr(n_free), "a whole number of at least 0", "leave it out where there are no free digits")
    return fitted


def _digests(tokenizer):
    return {name: joblib.hash(value) for name, value in tokenizer.get_params(deep=False).items()}


def check_independence(tokenizer: Any, fitted: Any, records: Records) -> None:
    """Refuse tokenizers that share what they learn, and fits that depend on earlier ones; warnings are no news here."""
    before, other = fitted.encode(records, cut=True), clone(tokenizer)
    remedy = "let y be None by default, and pass records of which half can be fitted too"
    with trying("fit", "a fit on half of the records", remedy), warnings.catch_warnings(action="ignore"):
        other.fit(part(records, slice(len(records) // 2)))
    unchanged = np.array_equal(before, fitted.encode(records, cut=True))
    remedy = "keep what is learned in attributes of self, not of the class or the module"
    expect(unchanged, "fit", "other ids after another clone was fitted on other records", "the same ids as before", remedy)
    with trying("fit", "a second fit", remedy), warnings.catch_warnings(action="ignore"):
        ids = other.fit(records).encode(records, cut=True)
    remedy = "let fit forget what it learned before, and depend on nothing but parameters and records"
    expect(np.array_equal(before, ids), "fit", "other ids after a second fit on the same records", "the same ids", remedy)


def check_admit(fitted: Any, records: Records) -> None:
    """Refuse what does not admit the records of fit, changes when it admits some, or gives them other tokens."""
    ids, n = fitted.encode(records, cut=True), fitted.grammar_.n_positions
    with trying("admit", "a tokenizer for the records of fit, as for any later ones", "return self where nothing is new"):
        grown = fitted.admit(records)
    remedy = "return self, or a changed copy of it"
    expect(type(grown) is type(fitted), "admit", kind_of(grown), kind_of(fitted), remedy)
    unchanged = np.array_equal(ids, fitted.encode(records, cut=True))
    expect(unchanged, "admit", "other ids of the tokenizer that admitted records", "the same ids as before", remedy)
    again = grown.encode(records, cut=True)
    same = again.shape == ids.shape and np.array_equal(again[:, :n], ids[:, :n])
    remedy = "put new tokens behind the old ones"
    expect(same, "admit", "other tokens of the records by the tokenizer returned", "the tokens that they had", remedy)
    shapes = [[(slot.name, slot.repeat, slot.n_states) for slot in own.grammar_.slots] for own in (fitted, grown)]
    remedy = "only tokens may be added, as a network that is trained further keeps its slots and states"
    expect(shapes[0] == shapes[1], "admit", "a grammar_ of other slots or states", "those of fit", remedy)
