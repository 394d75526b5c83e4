"""Which columns belong together: a transformer that groups the columns of a table into batches."""

from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from ._association import WEAK, measured_association, noisy_association, public_codes, rows_to_measure
from ._plain import from_plain, to_plain
from ._state import check_keys, expect, index_to_state, reading_state, take, take_array, take_index
from ._validation import check_choice, check_columns, check_int, check_real, check_table, is_int, listed
from .privacy._ledger import gaussian_event

__all__ = ["ColumnClusterer"]

LONG_TEXT = 32  # characters; mostly distinct strings of this mean length are long text


class ColumnClusterer(TransformerMixin, BaseEstimator):
    """Group the columns of a table into batches of columns that depend on each other.

    The association of every two columns, of any kinds, missingness included, is measured on one scale from 0 to 1; the
    columns are clustered hierarchically on ``1 - association``; the tree is cut into groups of at most `max_columns`
    columns, and groups that are small are put together, the most associated first, so that few batches come out.
    Transforming puts the columns of a batch side by side.

    Parameters
    ----------
    max_columns : int, default=20
        The most columns in a batch. A table that has no more is one batch.
    batches : list of lists of column names, default=None
        Batches of your own: every column exactly once (positions ``0, 1, ...`` for an array). Nothing is then learned from
        the data, the other parameters are not used, and `association_` and `linkage_` are not set.
    method : {"average", "complete", "single", "weighted"}, default="average"
        How the distance of two clusters follows from those of their columns, see `scipy.cluster.hierarchy.linkage`.
    isolate_text : bool, default=True
        In a table of more than `max_columns` columns, put every column of long text (mostly distinct strings of 32
        characters or more on average) in a batch of its own, since one such column is as much to model as many others.
        If False, and in smaller tables always, long text is a column like any other.
    noise_multiplier : float, default=None
        Measure the association with differential privacy: from all rows, with Gaussian noise of this many times what one row
        can change. Columns must then be categorical or boolean, with levels that are public; cut numbers at public edges
        first (`pandas.cut`). None: no noise.
    random_state : int, RandomState instance or None, default=None
        Draws the 10,000 rows that a longer table is measured on; never the noise.

    Attributes
    ----------
    association_ : DataFrame, shape (n_columns, n_columns)
        Association of every two columns: symmetric, in [0, 1], 1 on the diagonal. For two columns of normal numbers it is
        close to the absolute correlation; constant columns have none with others.
    privacy_event_ : dp_accounting.DpEvent
        What the association spent, where `noise_multiplier` is set: `association_`, and all that follows, is private.
    linkage_ : ndarray, shape (n_columns - 1, 4)
        The tree, as `scipy.cluster.hierarchy.dendrogram` reads it.
    batches_ : list of lists of column names
        Each in the order of the table; the batch of the table's first column comes first.
    labels_ : ndarray of int, shape (n_columns,)
        Position in `batches_` of every column's batch.
    columns_ : list
        Names of the columns as they are.
    feature_names_in_ : ndarray of str, shape (n_columns,)
        Names of the columns, where all are strings.
    n_features_in_ : int
        Number of columns.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from sksynth import ColumnClusterer
    >>> a, b = np.random.default_rng(0).normal(size=(2, 1000))
    >>> X = pd.DataFrame({"a": a, "b": b, "a_sign": np.where(a > 0, "plus", "minus"), "b_squared": b**2})
    >>> clusterer = ColumnClusterer(max_columns=2).fit(X)
    >>> clusterer.batches_
    [['a', 'a_sign'], ['b', 'b_squared']]
    >>> list(clusterer.transform(X))
    ['a', 'a_sign', 'b', 'b_squared']
    """

    def __init__(
        self,
        max_columns: int = 20,
        *,
        batches: list | None = None,
        method: str = "average",
        isolate_text: bool = True,
        noise_multiplier: float | None = None,
        random_state: Any = None,
    ):
        self.max_columns = max_columns
        self.batches = batches
        self.method = method
        self.isolate_text = isolate_text
        self.noise_multiplier = noise_multiplier
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> "ColumnClusterer":
        """Find the batches.

        Parameters
        ----------
        X : DataFrame, ndarray or list of lists, shape (n_rows, n_columns)
            Missing cells are information. Never written to.
        y : None
            Not used.

        Returns
        -------
        ColumnClusterer
            This very object.

        Raises
        ------
        ValueError, TypeError
            A parameter or a column that cannot be used; `batches` that do not fit the columns.
        """
        self._check_params()
        frame = check_table(X)
        check_columns(self, X, frame, reset=True)
        self._has_names = isinstance(X, pd.DataFrame)
        if self.batches is None:
            positions = self._find_batches(frame)
        else:
            positions = self._own_batches()
            for name in ("association_", "linkage_", "privacy_event_"):
                self.__dict__.pop(name, None)
        return self._set_batches(positions)

    def _set_batches(self, positions: list[list[int]]) -> "ColumnClusterer":
        """Set what follows from the positions of the columns in every batch."""
        self.batches_ = [[self.columns_[position] for position in batch] for batch in positions]
        self.labels_ = np.empty(len(self.columns_), np.int64)
        for label, batch in enumerate(positions):
            self.labels_[batch] = label
        self._order = np.concatenate(positions)
        return self

    def transform(self, X: Any) -> Any:
        """Return the table with its columns batch by batch.

        Parameters
        ----------
        X : DataFrame, ndarray or list of lists, shape (n_rows, n_columns)
            The columns of fit, in that order.

        Returns
        -------
        DataFrame or ndarray, shape (n_rows, n_columns)
            A frame for a frame, an array for anything else, dtypes kept; `set_output` may ask for a frame.

        Raises
        ------
        ValueError
            The columns are not those of fit.
        """
        return _take_columns(X, self._check(X), self._order)

    def inverse_transform(self, X: Any) -> Any:
        """Return the table with its columns in the order they had in fit.

        Parameters
        ----------
        X : DataFrame, ndarray or list of lists, shape (n_rows, n_columns)
            Columns batch by batch, as `transform` returns them.

        Returns
        -------
        DataFrame or ndarray, shape (n_rows, n_columns)
            A frame for a frame, an array for anything else, dtypes kept.

        Raises
        ------
        ValueError
            The columns are not those that `transform` returns, in that order.
        """
        check_is_fitted(self)
        frame = check_table(X)
        if frame.shape[1] != self.n_features_in_:
            raise ValueError(f"X has {frame.shape[1]} columns, but ColumnClusterer was fitted with {self.n_features_in_}")
        if isinstance(X, pd.DataFrame):
            for position, (got, expected) in enumerate(zip(frame.columns, self.get_feature_names_out(), strict=True)):
                if got != expected:
                    raise ValueError(
                        f"X has not the columns that transform returns, in that order: at position {position}, got {got!r}, "
                        f"expected {expected!r}: pass X[list(clusterer.get_feature_names_out())]"
                    )
        return _take_columns(X, frame, np.argsort(self._order))

    def split(self, X: Any) -> list[pd.DataFrame]:
        """Return one frame per batch.

        Parameters
        ----------
        X : DataFrame, ndarray or list of lists, shape (n_rows, n_columns)
            The columns of fit, in that order.

        Returns
        -------
        list of DataFrame
            The i-th holds the columns ``batches_[i]``, dtypes and index kept.

        Raises
        ------
        ValueError
            The columns are not those of fit.
        """
        frame = self._check(X)
        ends = np.cumsum([len(batch) for batch in self.batches_])[:-1]
        return [frame.iloc[:, positions] for positions in np.split(self._order, ends)]

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the names of the columns in the order in which `transform` puts them.

        Parameters
        ----------
        input_features : array-like of str or None, default=None
            Names for the columns of an array; for a frame, only the names of fit are taken.

        Returns
        -------
        ndarray of object, shape (n_columns,)
            ``"x0", "x1", ...`` where fit saw an array.

        Raises
        ------
        ValueError
            `input_features` do not fit the columns.
        """
        check_is_fitted(self)
        own = self.columns_ if self._has_names else [f"x{position}" for position in self.columns_]
        names = list(own if input_features is None else input_features)
        if self._has_names and names != self.columns_:
            raise ValueError(
                f"input_features is not equal to feature_names_in_: got {listed(names)}, expected {listed(self.columns_)}"
            )
        if len(names) != len(own):
            raise ValueError(f"input_features should have length equal to number of features ({len(own)}), got {len(names)}")
        return pd.Series(names, dtype=object).to_numpy()[self._order]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32", "int64", "int32", "object"]
        return tags

    def _to_state(self) -> dict:
        """Return the fitted clusterer as plain data; a `random_state` that is no int is left out.

        Raises
        ------
        TypeError
            If a column's name is neither text, a number, a date nor a tuple of these.
        """
        check_is_fitted(self)
        measured, event = getattr(self, "association_", None), getattr(self, "privacy_event_", None)
        names = pd.Index(self.columns_, dtype=object, tupleize_cols=False) if measured is None else measured.columns
        return {
            "params": self._plain_params(),
            "columns": index_to_state(names),
            "has_names": self._has_names,
            "order": self._order.astype(np.int64),
            "sizes": np.array([len(batch) for batch in self.batches_], np.int64),
            "association": None if measured is None else measured.to_numpy(),
            "linkage": None if measured is None else self.linkage_,
            "noise_multiplier": None if event is None else float(event.noise_multiplier),
        }

    def _plain_params(self) -> dict:
        """Return the parameters as what JSON knows."""
        params, seed = self.get_params(), self.random_state
        params["random_state"] = seed if is_int(seed) else None
        batches = params.pop("batches")
        return {
            "batches": None if batches is None else [[to_plain(name) for name in batch] for batch in batches],
            **{name: to_plain(value) for name, value in params.items()},
        }

    @classmethod
    def _from_state(cls, state: dict) -> "ColumnClusterer":
        """Return the fitted clusterer that wrote a state; ValueError if none did."""
        with reading_state(cls.__name__):
            check_keys(state, "params", "columns", "has_names", "order", "sizes", "association", "linkage", "noise_multiplier")
            self = cls._of_params(state["params"])
            names = take_index(state, "columns")
            self.columns_, self.n_features_in_, self._has_names = list(names), len(names), take(state, "has_names", bool)
            if self._has_names and all(isinstance(column, str) for column in self.columns_):
                self.feature_names_in_ = np.array(self.columns_, dtype=object)
            self._read_measured(state, names)
            order = take_array(state, "order", np.int64, (len(names),))
            expect(np.array_equal(np.sort(order), np.arange(len(names))), "'order'", order, "every column once")
            sizes = take_array(state, "sizes", np.int64, (None,))
            fits = len(sizes) and sizes.min() >= 1 and sizes.max() <= len(names) and sizes.sum() == len(names)
            expect(fits, "'sizes'", sizes, f"numbers of columns, {len(names)} in all")
            return self._set_batches([batch.tolist() for batch in np.split(order, np.cumsum(sizes)[:-1])])

    @classmethod
    def _of_params(cls, params: dict) -> "ColumnClusterer":
        check_keys(params, *cls().get_params())
        batches = take(params, "batches", list, type(None))
        expect(batches is None or all(type(batch) is list for batch in batches), "'batches'", batches, "lists of names")
        take(params, "random_state", int, type(None))
        self = cls(**{name: from_plain(value) for name, value in params.items()})
        set().union(*self.batches or [])  # fails where a name is none: it cannot be hashed
        self._check_params()
        return self

    def _read_measured(self, state: dict, names: pd.Index) -> None:
        """Set what `_find_batches` sets."""
        noise = take(state, "noise_multiplier", float, type(None))
        expect(noise is None or 0 < noise < np.inf, "'noise_multiplier'", noise, "a number above 0")
        if state["association"] is None:
            expect(state["linkage"] is None and noise is None, "'association'", None, "an array where there is a linkage")
            return
        measured = take_array(state, "association", np.float64, (len(names), len(names)))
        expect(((measured >= 0) & (measured <= 1)).all(), "'association'", measured, "numbers in [0, 1]")
        expect((measured == measured.T).all() and (measured.diagonal() == 1).all(), "'association'", measured, "symmetry")
        self.association_ = pd.DataFrame(measured, index=names, columns=names)
        self.linkage_ = take_array(state, "linkage", np.float64, (len(names) - 1, 4))
        expect(_is_tree(self.linkage_), "'linkage'", self.linkage_, "a tree, as scipy.cluster.hierarchy.linkage returns it")
        if noise is not None:
            self.privacy_event_ = gaussian_event(noise)

    def _check_params(self) -> None:
        check_int(self, "max_columns", low=1)
        check_choice(self, "method", ["average", "complete", "single", "weighted"])
        check_choice(self, "isolate_text", [True, False])
        check_real(self, "noise_multiplier", low=0.0, closed="neither", optional=True)

    def _check(self, X: Any) -> pd.DataFrame:
        check_is_fitted(self)
        frame = check_table(X)
        check_columns(self, X, frame, reset=False)
        return frame

    def _find_batches(self, frame: pd.DataFrame) -> list[list[int]]:
        """Set `association_` and `linkage_` and return the batches as positions."""
        if self.noise_multiplier is None:
            self.__dict__.pop("privacy_event_", None)
            frame = rows_to_measure(frame, self.random_state)
            self.association_ = measured_association(frame)
        else:
            codes = [public_codes(frame.iloc[:, place]) for place in range(frame.shape[1])]
            noisy = noisy_association(codes, self.noise_multiplier)
            self.privacy_event_ = gaussian_event(self.noise_multiplier)
            self.association_ = pd.DataFrame(noisy, index=frame.columns, columns=frame.columns)
        measured = self.association_.to_numpy()
        self.linkage_ = _linkage(measured, self.method)
        n_columns = frame.shape[1]
        if n_columns <= self.max_columns:
            return [list(range(n_columns))]
        isolate = self.isolate_text and self.noise_multiplier is None  # categories are no long text
        alone = np.array([isolate and _is_long_text(frame.iloc[:, place]) for place in range(n_columns)])
        batches = [[int(position)] for position in np.flatnonzero(alone)]
        batches += _pack(_groups(self.linkage_, ~alone, self.max_columns), measured, self.max_columns)
        return sorted(sorted(batch) for batch in batches)

    def _own_batches(self) -> list[list[int]]:
        """Return the parameter `batches` as positions, or say why it does not fit."""
        opening = "The 'batches' parameter of ColumnClusterer must"
        if not _is_list(self.batches) or not all(_is_list(batch) and len(batch) for batch in self.batches):
            raise TypeError(f"{opening} be a list of non-empty lists of column names, got {self.batches!r}.")
        named = [name for batch in self.batches for name in batch]
        unknown = [name for name in named if name not in self.columns_]
        lacking = [name for name in self.columns_ if name not in named]
        repeated = [name for name in self.columns_ if named.count(name) > 1]
        for names, fault in ((unknown, "not a column of X"), (lacking, "in no batch"), (repeated, "named more than once")):
            if names:
                raise ValueError(f"{opening} name every column of X exactly once, got {listed(names)}: {fault}.")
        return [[self.columns_.index(name) for name in batch] for batch in self.batches]


def _is_list(value: Any) -> bool:
    return isinstance(value, list | tuple)


def _take_columns(X: Any, frame: pd.DataFrame, order: np.ndarray) -> Any:
    if isinstance(X, pd.DataFrame):
        return X.iloc[:, order]
    return (X if isinstance(X, np.ndarray) else frame.to_numpy())[:, order]


def _is_long_text(column: pd.Series) -> bool:
    strings = column.dropna()
    if pd.api.types.infer_dtype(strings, skipna=True) != "string":
        return False
    return strings.nunique() > len(strings) / 2 and strings.str.len().mean() >= LONG_TEXT


def _linkage(measured: np.ndarray, method: str) -> np.ndarray:
    from scipy.cluster.hierarchy import linkage
    from scipy.spatial.distance import squareform

    if len(measured) == 1:
        return np.empty((0, 4))
    return linkage(squareform(1 - measured, checks=False), method)


def _is_tree(tree: np.ndarray) -> bool:
    from scipy.cluster.hierarchy import is_valid_linkage

    return len(tree) == 0 or is_valid_linkage(tree)


def _groups(tree: np.ndarray, members: np.ndarray, max_columns: int) -> list[list[int]]:
    """Return the largest subtrees that hold together and whose `members` fit into a batch, as lists of columns."""
    n_columns = len(members)
    groups = {column: [column] if member else [] for column, member in enumerate(members)}
    for step, (left, right, height, _) in enumerate(tree):
        if left in groups and right in groups and height <= 1 - WEAK and len(groups[left] + groups[right]) <= max_columns:
            groups[n_columns + step] = groups.pop(left) + groups.pop(right)
    return [group for group in groups.values() if group]


def _pack(groups: list[list[int]], measured: np.ndarray, max_columns: int) -> list[list[int]]:
    """Put groups together: the most associated first, what hangs together only weakly then where there is room."""
    while len(groups) > 1:
        strength = _strength(groups, groups, measured)
        sizes = np.array([len(group) for group in groups])
        strength[np.add.outer(sizes, sizes) > max_columns] = -1
        strength[np.tril_indices(len(groups))] = -1  # every pair once
        first, second = np.unravel_index(strength.argmax(), strength.shape)
        if strength[first, second] < WEAK:
            break
        groups[first] = groups[first] + groups.pop(second)
    batches: list[list[int]] = []
    for group in sorted(groups, key=lambda group: (-len(group), min(group))):
        open_batches = [batch for batch in batches if len(batch) + len(group) <= max_columns]
        if open_batches:
            open_batches[_strength([group], open_batches, measured).argmax()].extend(group)
        else:
            batches.append(list(group))
    return batches


def _strength(groups: list[list[int]], others: list[list[int]], measured: np.ndarray) -> np.ndarray:
    """Return the mean association of the columns of every group with those of every other."""
    left, right = (_membership(part, len(measured)) for part in (groups, others))
    return left @ measured @ right.T


def _membership(groups: list[list[int]], n_columns: int) -> np.ndarray:
    """Return one row of weights per group: its mean over columns."""
    weights = np.zeros((len(groups), n_columns))
    for row, group in zip(weights, groups, strict=True):
        row[group] = 1 / len(group)
    return weights
