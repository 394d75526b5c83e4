"""The base of the tokenizers: what a model asks of one, and what most have in common."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from .._grammar import Grammar
from ._codec import FREE_BITS

__all__ = ["Tokenizer"]


class Tokenizer(BaseEstimator, ABC):
    """Records <-> token ids: the base of all tokenizers, and the protocol by which a model uses one.

    ``LSTMTextModel(tokenizer=...)`` clones it, fits the clone, trains on what `encode` returns, draws rows of ids that
    `grammar_` allows, and gives out what `decode` makes of them. A tokenizer of one's own is a subclass that writes `fit`,
    `encode`, `decode`, `to_state` and `from_state`; `check_tokenizer` verifies all that is said here.

    *Records* are lines of text or the rows of a table. Lines come as the list, Series or array of str that fit was given, and
    are decoded to a list of str; a table comes as a DataFrame, and is decoded to one with the same columns. A fitted tokenizer
    may be copied at any time: only `fit` changes it, and nothing changes records, ids or parameters.

    The constructor follows scikit-learn: it keeps its arguments as they are, under their names, and does nothing else.

    Attributes
    ----------
    grammar_ : Grammar
        What rows of ids may say: the slots, in the order in which they are read, with the tokens that each allows. Every
        sampled row follows it, so each row that it lets be drawn has to decode, and wherever drawing may lead, there has to be
        a token that may be drawn next. Made by `fit`.
    n_free_ : int, default=0
        Number of *free digits* that follow a row's tokens: what `decode` needs beyond them and no network learns, such as the
        digits of an identifier.

    Notes
    -----
    Two methods are optional: ``guides(prefixes, max_length)``, by which ``sample(prefix=..., max_length=...)`` steers lines
    (either may be None, or both), see `CharTokenizer.guides`; and for tables ``given(X)``, which tells by which tokens some
    columns, the *context columns*, are read, see `TableTokenizer.given`; with it goes ``places``, which tells where each
    stands. Runs may be read in any order, so that ``sample(given=...)`` reads those first. A tokenizer of tables may have
    ``schema_``, by which ``sample(exclude=...)`` tells which columns are text, see `TableTokenizer`.

    Where training is private, nothing of a tokenizer may come from the records: that is for `CharTokenizer` and
    `TableTokenizer`, which models know how to fit without.

    Examples
    --------
    >>> import numpy as np
    >>> from sksynth.tokenizers import Grammar, Tokenizer, compile_slots
    >>> class SortedLetters(Tokenizer):
    ...     '''Two letters of a, b and c, in alphabetical order.'''
    ...
    ...     def fit(self, records, y=None):
    ...         run = compile_slots(["first", "second"], [3, 3], lambda place, last, token: token if token >= last else None)
    ...         self.grammar_ = Grammar((run,))
    ...         return self
    ...
    ...     def encode(self, records, *, cut=False):
    ...         return np.array([["abc".index(letter) for letter in record] for record in records], np.int32)
    ...
    ...     def decode(self, ids):
    ...         return ["".join("abc"[token] for token in row) for row in ids]
    ...
    ...     def to_state(self):
    ...         return {}
    ...
    ...     @classmethod
    ...     def from_state(cls, state):
    ...         return cls().fit([])
    >>> tokenizer = SortedLetters().fit(["ab", "bc"])
    >>> tokenizer.encode(["bc"])
    array([[1, 2]], dtype=int32)
    >>> tokenizer.grammar_.states(tokenizer.encode(["cb"]))
    Traceback (most recent call last):
        ...
    ValueError: slot 'second': token 1 of row 0 is illegal in state 2; was it encoded by another tokenizer?
    """

    n_free_: int = 0
    grammar_: Grammar

    @abstractmethod
    def fit(self, records: Sequence[str] | pd.DataFrame, y: None = None) -> "Tokenizer":
        """Learn from records what their tokens are, and set `grammar_`.

        What an earlier fit learned is forgotten; the same records always give the same tokenizer.

        Parameters
        ----------
        records : list, Series or array of str, or DataFrame
        y : ignored

        Returns
        -------
        self : Tokenizer
        """

    @abstractmethod
    def encode(self, records: Sequence[str] | pd.DataFrame, *, cut: bool = False) -> np.ndarray:
        """Return the token ids of records; the ids of a record do not depend on the others.

        Parameters
        ----------
        records : list, Series or array of str, or DataFrame
        cut : bool, default=False
            Cut records that are longer than `grammar_` has positions, as models ask for. A tokenizer that loses nothing
            refuses such records, or returns more positions where they are not cut.

        Returns
        -------
        ids : ndarray of int32, shape (n_records, n_positions + n_free)
            Tokens, which follow `grammar_`, then free digits.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError, TypeError
            If a record cannot be read.
        """

    @abstractmethod
    def decode(self, ids: np.ndarray) -> list[str] | pd.DataFrame:
        """Return the records of token ids, each by its own ids alone.

        Parameters
        ----------
        ids : ndarray of int32, shape (n_records, n_positions + n_free)
            What `encode` returned, or what was drawn.

        Returns
        -------
        records : list of str, or DataFrame
            As many as ids; those that were encoded, where nothing is lost.

        Raises
        ------
        NotFittedError
            Before `fit`.
        """

    @abstractmethod
    def to_state(self) -> dict:
        """Return the fitted tokenizer as plain data, from which `from_state` makes it again, parameters included.

        Returns
        -------
        state : dict
            With keys that are strings, none of them ``"array"``; of None, bools, ints, finite floats, strings, lists, dicts
            and arrays of numbers or bools.

        Raises
        ------
        NotFittedError
            Before `fit`.
        """

    @classmethod
    @abstractmethod
    def from_state(cls, state: dict) -> "Tokenizer":
        """Return the fitted tokenizer that wrote a state.

        Parameters
        ----------
        state : dict
            Of `to_state`, by way of a file, in which tuples become lists. It may come from anybody: nothing in it may be
            executed.

        Returns
        -------
        tokenizer : of this class

        Raises
        ------
        ValueError
            If no tokenizer wrote the state.
        """

    def admit(self, records: Sequence[str] | pd.DataFrame) -> Any:
        """Return a tokenizer for more records, on which the network is trained further: this one, as a rule.

        One that gives new values tokens of their own returns a changed copy, with the same slots and states: in a slot of
        which token 1 is *other*, new tokens follow the old ones, and begin as *other* in the network.

        Parameters
        ----------
        records : list, Series or array of str, or DataFrame

        Returns
        -------
        tokenizer : of this class
            By which all that this one encoded has the same tokens.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError, TypeError
            If a record cannot be read.
        """
        self.encode(records, cut=True)
        return self

    def log_cell_size(self, ids: np.ndarray) -> np.ndarray:
        """Return the log of the number (or width) of the records that share each row's tokens, which is taken off its score.

        Parameters
        ----------
        ids : ndarray of int32, shape (n_records, n_positions + n_free)

        Returns
        -------
        sizes : ndarray of float, shape (n_records,)
            Zeros: tokens say everything about a record.
        """
        return np.zeros(len(ids))

    def log_outside(self, records: Sequence[str] | pd.DataFrame) -> np.ndarray:
        """Return what records lose of their score because tokens cannot tell them from others: what they hold is outside.

        Parameters
        ----------
        records : list, Series or array of str, or DataFrame

        Returns
        -------
        losses : ndarray of float, shape (n_records,)
            In nats; zeros: nothing is outside.
        """
        return np.zeros(len(records))

    def draw_free(self, rows: range, rng: np.random.Generator, key: int) -> np.ndarray:
        """Return free digits of sampled rows; nothing but the arguments may decide on them.

        Parameters
        ----------
        rows : range
            Numbers of the rows within the whole sample.
        rng : Generator
            Of this range of rows alone.
        key : int
            The same for all ranges of a sample.

        Returns
        -------
        free : ndarray of int32, shape (len(rows), n_free)
            Each uniform below 2**30.

        Raises
        ------
        NotFittedError
            Before `fit`.
        """
        check_is_fitted(self)
        return rng.integers(0, 1 << FREE_BITS, (len(rows), self.n_free_), dtype=np.int32)
