"""The points of the protocol on copies: states, files and pickles give the same tokenizer."""

import pickle
from typing import Any

import numpy as np
from sklearn.base import clone

from ... import persistence
from ._error import expect, kind_of, trying
from ._grammar import are_alike
from ._ids import drawn_ids
from ._records import Records, are_equal

__all__ = ["check_pickle", "check_state"]


def check_state(fitted: Any, records: Records) -> None:
    """Refuse a state that no file can hold, and one that makes another tokenizer, or one with other parameters."""
    with trying("to_state", "a state", "return what from_state needs: what fit learned, and the parameters"):
        state = fitted.to_state()
    remedy = "put numbers of NumPy through int and float, and all else into lists, dicts, strings and arrays of numbers"
    expect(type(state) is dict, "to_state", kind_of(state), "a dict", remedy)
    with trying("to_state", "JSON values and arrays of numbers, which a file can hold", remedy):
        read = persistence.from_bytes(persistence.to_bytes(state))
    remedy = "make all that fit made, from the state alone; in a file, tuples become lists, and keys strings"
    with trying("from_state", "a fitted tokenizer", remedy):
        copy = type(fitted).from_state(read)
    _check_same(fitted, copy, records, "from_state", remedy)
    with trying("from_state", "a tokenizer that can be fitted anew", remedy):
        ids = clone(copy).fit(records).encode(records, cut=True)
    same = np.array_equal(ids, fitted.encode(records, cut=True))
    expect(
        same, "from_state", "other ids after another fit of the copy", "the same", "write the parameters into the state too"
    )


def check_pickle(fitted: Any, records: Records) -> None:
    """Refuse what cannot be pickled, or comes back as another tokenizer."""
    remedy = "define the class at the top level of a module, and keep nothing open in it: no files, no functions"
    with trying("pickle", "a tokenizer that can be pickled", remedy):
        copy = pickle.loads(pickle.dumps(fitted))
    _check_same(fitted, copy, records, "pickle", remedy)


def _check_same(fitted, copy, records, point, remedy):
    """Refuse a copy that is of another class, or encodes, allows or decodes other than the original."""
    expect(type(copy) is type(fitted), point, kind_of(copy), kind_of(fitted), remedy)
    with trying(point, "a copy that does as the original", remedy):
        same_grammar = copy.n_free_ == fitted.n_free_ and are_alike(copy.grammar_, fitted.grammar_)
        expect(same_grammar, point, "another grammar_ or n_free_", "those of the original", remedy)
        ids = fitted.encode(records)
        expect(np.array_equal(ids, copy.encode(records)), point, "other ids", "those of the original", remedy)
        for rows in (ids, drawn_ids(fitted)):
            same = are_equal(copy.decode(rows), fitted.decode(rows))
            expect(same, point, "other records from the same ids", "those of the original", remedy)
