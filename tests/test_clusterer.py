"""Promises of ColumnClusterer: what it measures, how it groups, and how it gives columns back."""

import pickle
import time

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import is_valid_linkage
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks

from sksynth import _association
from sksynth._clusterer import ColumnClusterer, _pack


@parametrize_with_checks([ColumnClusterer()])
def test_it_is_an_estimator_of_scikit_learn(estimator, check):
    """Every check that scikit-learn has for transformers passes."""
    check(estimator)


def mixed_factors(n_rows, n_factors, n_columns, loading=0.8, seed=0):
    """Return a table of mixed kinds in random order, and the hidden factor behind each of its columns."""
    rng = np.random.default_rng(seed)
    columns, factor_of = {}, {}
    for factor in range(n_factors):
        hidden = rng.normal(size=n_rows)
        for i in range(n_columns):
            value = loading * hidden + np.sqrt(1 - loading**2) * rng.normal(size=n_rows)
            kinds = (
                lambda value: value,
                lambda value: np.round(np.exp(value), 2),
                lambda value: np.array(list("dbac"))[np.digitize(value, [-1, 0, 1])],
                lambda value: np.where(value > 0.5, np.nan, rng.normal(size=n_rows)),
            )
            columns[f"{factor}_{i}"] = kinds[i % len(kinds)](value)
            factor_of[f"{factor}_{i}"] = factor
    names = rng.permutation(list(columns))
    return pd.DataFrame({name: columns[name] for name in names}), [factor_of[name] for name in names]


def same_grouping(labels, others):
    """Tell whether two labellings put the same columns together."""
    labels, others = np.asarray(labels), np.asarray(others)
    return np.array_equal(labels[:, None] == labels, others[:, None] == others)


def test_constant_columns_have_no_association_even_with_each_other():
    """A constant column tells nothing; on the diagonal stands 1 all the same."""
    clusterer = ColumnClusterer().fit(pd.DataFrame({"a": [1] * 50, "b": ["x"] * 50, "c": [None] * 50}))

    np.testing.assert_array_equal(np.eye(3), clusterer.association_)


def test_association_frame_is_symmetric_and_named():
    """association_ is a frame over the columns: symmetric, within [0, 1], 1 on the diagonal; linkage_ is scipy's."""
    X, _ = mixed_factors(200, 3, 4)
    clusterer = ColumnClusterer().fit(X)
    measured = clusterer.association_

    assert list(X) == list(measured) == list(measured.index)
    np.testing.assert_array_equal(measured, measured.T)
    np.testing.assert_array_equal(1, np.diag(measured))
    assert 0 <= measured.to_numpy().min() <= measured.to_numpy().max() <= 1
    assert is_valid_linkage(clusterer.linkage_)
    assert (11, 4) == clusterer.linkage_.shape


@pytest.mark.parametrize("n_rows", [200, 3000])
@pytest.mark.parametrize("method", ["average", "complete", "weighted"])
def test_known_groups_are_found(n_rows, method):
    """Columns of all kinds that share a hidden factor, missingness included, come into one batch."""
    X, factor_of = mixed_factors(n_rows, n_factors=5, n_columns=8)
    clusterer = ColumnClusterer(max_columns=8, method=method).fit(X)

    assert same_grouping(factor_of, clusterer.labels_)


def test_groups_of_rounded_numbers_are_found_in_few_rows():
    """Numbers with many levels are binned by rank rather than by their most frequent levels, which few rows would blur."""
    rng = np.random.default_rng(0)
    factor_of = np.repeat(np.arange(6), 8)
    X = np.round(10 * (0.45 * rng.normal(size=(1000, 6))[:, factor_of] + 0.9 * rng.normal(size=(1000, 48))))

    assert same_grouping(factor_of, ColumnClusterer(8).fit(X).labels_)


PACKINGS = {
    "the most associated first": ([[0, 1], [2, 3], [4, 5]], {(0, 4): 0.8}, 4, [[0, 1, 4, 5], [2, 3]]),
    "large before small": ([[0], [1], [2, 3, 4], [5, 6, 7]], {}, 4, [[2, 3, 4, 0], [5, 6, 7, 1]]),
    "to the most associated with room": ([[0, 1, 2], [3, 4, 5], [6]], {(3, 6): 0.2}, 4, [[0, 1, 2], [3, 4, 5, 6]]),
}


@pytest.mark.parametrize("case", PACKINGS)
def test_packing_prefers_association_and_saves_batches(case):
    """Associated groups go together first, the rest by size to where it is best placed, and no batch is too large."""
    groups, pairs, max_columns, expected = PACKINGS[case]
    measured = np.eye(8)
    for first, second in pairs:
        measured[first, second] = measured[second, first] = pairs[first, second]

    assert expected == _pack(groups, measured, max_columns)


def test_groups_that_are_small_are_put_together():
    """Ten groups of four make four batches of at most twelve, and no group is torn."""
    X, factor_of = mixed_factors(2000, n_factors=10, n_columns=4)
    clusterer = ColumnClusterer(max_columns=12).fit(X)

    assert [4, 12, 12, 12] == sorted(len(batch) for batch in clusterer.batches_)
    for factor in range(10):
        assert 1 == len(set(clusterer.labels_[np.array(factor_of) == factor]))


def test_independent_columns_fill_as_few_batches_as_possible():
    """Where nothing hangs together, 50 columns make exactly three batches of at most 20."""
    X = np.random.default_rng(0).normal(size=(5000, 50))

    assert [10, 20, 20] == sorted(len(batch) for batch in ColumnClusterer().fit(X).batches_)


def test_batches_and_their_columns_keep_the_order_of_the_table():
    """In a batch columns stand as in the table; batches stand in the order of their first columns."""
    X, _ = mixed_factors(500, 4, 5)
    clusterer = ColumnClusterer(max_columns=5).fit(X)
    positions = [[list(X).index(name) for name in batch] for batch in clusterer.batches_]

    assert all(sorted(batch) == batch for batch in positions)
    assert sorted(positions) == positions
    assert [label for name in X for label, batch in enumerate(clusterer.batches_) if name in batch] == list(clusterer.labels_)


@settings(max_examples=30, deadline=None)
@given(n_rows=st.integers(1, 40), n_columns=st.integers(1, 15), max_columns=st.integers(1, 8), seed=st.integers(0, 2**32 - 1))
def test_every_column_is_in_one_batch_that_is_not_too_large(n_rows, n_columns, max_columns, seed):
    """Whatever the table, batches are a partition of the columns, none too large, no two of which would fit into one."""
    X = np.random.default_rng(seed).integers(0, 3, (n_rows, n_columns))
    batches = ColumnClusterer(max_columns).fit(X).batches_
    sizes = sorted(len(batch) for batch in batches)

    assert list(range(n_columns)) == sorted(name for batch in batches for name in batch)
    assert sizes[-1] <= max_columns
    assert len(sizes) == 1 or sizes[0] + sizes[1] > max_columns


def test_one_column_is_one_batch():
    """A table of one column has an empty tree."""
    clusterer = ColumnClusterer().fit(pd.DataFrame({"a": [1, 2, 3]}))

    assert [["a"]] == clusterer.batches_
    assert (0, 4) == clusterer.linkage_.shape


@pytest.mark.slow
def test_wide_and_long_tables_take_seconds():
    """200 columns and 100,000 rows of mixed kinds take less than a minute even on a busy machine."""
    X, factor_of = mixed_factors(100_000, n_factors=20, n_columns=10)
    start = time.perf_counter()
    clusterer = ColumnClusterer(max_columns=10, random_state=0).fit(X)

    assert time.perf_counter() - start < 60
    assert same_grouping(factor_of, clusterer.labels_)


def test_long_tables_are_sampled_by_the_seed():
    """The same seed measures the same rows."""
    X = np.random.default_rng(0).normal(size=(10_500, 3))
    X[:, 1] += X[:, 0]
    first, again, other = (ColumnClusterer(random_state=seed).fit(X).association_ for seed in (0, 0, 1))

    pd.testing.assert_frame_equal(first, again)
    assert not first.equals(other)


def text_table():
    """Return a table with long text that depends on a category, and ten other columns."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(300, 10))).add_prefix("n")
    X.insert(
        3, "text", [f"{'good' if x > 0 else 'poor'} thing number {i}, sold as it was seen" for i, x in enumerate(X["n0"])]
    )
    return X


@pytest.mark.parametrize(("max_columns", "isolate_text", "alone"), [(6, True, True), (6, False, False), (11, True, False)])
def test_long_text_stands_alone_only_in_tables_of_several_batches(max_columns, isolate_text, alone):
    """Long text has a batch of its own if isolate_text is True and the table has more than max_columns columns."""
    clusterer = ColumnClusterer(max_columns, isolate_text=isolate_text).fit(text_table())

    assert alone == (["text"] in clusterer.batches_)


def test_a_table_whose_other_columns_fit_keeps_them_together():
    """Without its long text, a table of ten columns is one batch of ten."""
    assert [1, 10] == sorted(len(batch) for batch in ColumnClusterer(10).fit(text_table()).batches_)


@pytest.fixture
def typed():
    """Return a frame of several dtypes with an index of its own, and a clusterer fitted on it."""
    X = pd.DataFrame(
        {
            "i": np.arange(4, dtype=np.int8),
            "c": pd.Categorical(list("abab"), categories=list("cba"), ordered=True),
            "t": pd.date_range("2020-01-01", periods=4, tz="UTC"),
            "n": pd.array([1, None, 3, 4], dtype="Int64"),
        },
        index=[3, 1, 4, 5],
    )
    return X, ColumnClusterer(batches=[["t", "i"], ["n", "c"]]).fit(X)


def test_a_frame_goes_through_and_back_unchanged(typed):
    """Transforming orders the columns by batch, inverse_transform undoes it, dtypes and index kept."""
    X, clusterer = typed
    grouped = clusterer.transform(X)

    pd.testing.assert_frame_equal(X[["t", "i", "n", "c"]], grouped)
    pd.testing.assert_frame_equal(X, clusterer.inverse_transform(grouped))


def test_other_columns_do_not_go_back(typed):
    """A table that transform cannot have returned is refused: of other columns, in another order, or of another number."""
    X, clusterer = typed
    grouped = clusterer.transform(X)
    with pytest.raises(ValueError, match=r"at position 0, got 'i', expected 't'"):
        clusterer.inverse_transform(X)
    with pytest.raises(ValueError, match="X has 3 columns, but ColumnClusterer was fitted with 4"):
        clusterer.inverse_transform(grouped.iloc[:, :3])


def test_other_names_are_refused(typed):
    """Names of output columns are asked for by those of fit; an array's columns may be named, all of them."""
    _, clusterer = typed
    with pytest.raises(
        ValueError, match=r"input_features is not equal to feature_names_in_: got \['c', 'i'\], expected \['i', 'c'"
    ):
        clusterer.get_feature_names_out(["c", "i"])
    unnamed = ColumnClusterer(batches=[[2], [0, 1]]).fit(np.arange(6).reshape(2, 3))
    assert ["r", "p", "q"] == unnamed.get_feature_names_out(["p", "q", "r"]).tolist()
    with pytest.raises(ValueError, match=r"length equal to number of features \(3\), got 2"):
        unnamed.get_feature_names_out(["p", "q"])


def test_split_gives_a_frame_per_batch(typed):
    """Splitting returns the columns of each batch as a frame of its own."""
    X, clusterer = typed
    first, second = clusterer.split(X)

    pd.testing.assert_frame_equal(X[["t", "i"]], first)
    pd.testing.assert_frame_equal(X[["n", "c"]], second)


@pytest.mark.parametrize("dtype", ["int16", "float32", "object", "U7", "M8[s]"])
def test_an_array_goes_through_and_back_unchanged(dtype):
    """Arrays come out as arrays of the same dtype."""
    X = np.arange(12).reshape(4, 3).astype("int64").astype(dtype)
    clusterer = ColumnClusterer(batches=[[2], [0, 1]]).fit(X)
    grouped = clusterer.transform(X)

    assert X.dtype == grouped.dtype
    np.testing.assert_array_equal(X[:, [2, 0, 1]], grouped)
    np.testing.assert_array_equal(X, clusterer.inverse_transform(grouped))
    assert ["x2", "x0", "x1"] == list(clusterer.get_feature_names_out())


def test_set_output_turns_arrays_into_frames():
    """set_output(transform="pandas") names the columns of an array x0, x1, ... in their new order, and it can go back."""
    X = np.arange(6).reshape(2, 3)
    clusterer = ColumnClusterer(batches=[[2], [0, 1]]).set_output(transform="pandas")
    grouped = clusterer.fit_transform(X)

    assert ["x2", "x0", "x1"] == list(grouped)
    np.testing.assert_array_equal(X, clusterer.inverse_transform(grouped))


@pytest.mark.parametrize("names", [[10, 20, 30], ["a", 20, ("b", 1)]], ids=["ints", "mixed"])
@pytest.mark.parametrize("output", ["default", "pandas"])
def test_names_that_are_not_strings_are_kept(names, output):
    """Names go out as they came in, with set_output too."""
    X = pd.DataFrame(np.arange(6).reshape(2, 3))
    X.columns = pd.Index(names, dtype=object, tupleize_cols=False)
    clusterer = ColumnClusterer(batches=[names[1:], names[:1]]).set_output(transform=output)

    assert [*names[1:], names[0]] == list(clusterer.fit_transform(X))
    assert names == list(clusterer.inverse_transform(clusterer.transform(X)))


def test_fit_leaves_table_and_parameters_alone():
    """Neither the caller's frame nor the list of batches changes."""
    X, batches = pd.DataFrame({"a": [1, 2], "b": ["x", None]}), [["b"], ["a"]]
    before = X.copy(deep=True)
    clusterer = ColumnClusterer(batches=batches).fit(X)
    clusterer.transform(X)

    pd.testing.assert_frame_equal(before, X)
    assert clusterer.batches is batches
    assert [["b"], ["a"]] == batches


def test_own_batches_learn_nothing_and_forget_what_was_learned():
    """With batches given there is no association_ and no linkage_, after an earlier fit neither."""
    X = pd.DataFrame({"a": [1, 2], "b": ["x", None]})
    clusterer = ColumnClusterer().fit(X)
    assert hasattr(clusterer, "association_")
    clusterer.set_params(batches=[["b"], ["a"]]).fit(X)

    assert [["b"], ["a"]] == clusterer.batches_
    assert [1, 0] == list(clusterer.labels_)
    assert not hasattr(clusterer, "association_")
    assert not hasattr(clusterer, "linkage_")


@pytest.mark.parametrize(
    ("batches", "error", "message"),
    [
        ([["a"]], ValueError, r"exactly once, got \['b'\]: in no batch"),
        ([["a", "b"], ["z"]], ValueError, r"got \['z'\]: not a column of X"),
        ([["a", "b"], ["a"]], ValueError, r"got \['a'\]: named more than once"),
        (["a", "b"], TypeError, "be a list of non-empty lists of column names, got"),
        ([["a", "b"], []], TypeError, "non-empty lists"),
        ("ab", TypeError, "non-empty lists"),
    ],
)
def test_own_batches_that_do_not_fit_are_refused_by_name(batches, error, message):
    """The message names the columns at fault."""
    with pytest.raises(error, match=f"The 'batches' parameter of ColumnClusterer must .*{message}"):
        ColumnClusterer(batches=batches).fit(pd.DataFrame({"a": [1], "b": [2]}))


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"max_columns": 0}, ValueError, "'max_columns' parameter of ColumnClusterer must be an int >= 1, got 0"),
        ({"max_columns": "all"}, TypeError, "'max_columns' parameter"),
        ({"method": "ward"}, ValueError, "'method' parameter of ColumnClusterer must be one of 'average'"),
        ({"isolate_text": "no"}, ValueError, "'isolate_text' parameter of ColumnClusterer must be one of True, False"),
    ],
)
def test_wrong_parameters_are_refused_in_fit(parameters, error, message):
    """The constructor takes anything, fit says what is wrong."""
    clusterer = ColumnClusterer(**parameters)
    with pytest.raises(error, match=message):
        clusterer.fit([[1, 2]])


@pytest.mark.parametrize("method", ["transform", "inverse_transform", "split"])
def test_other_columns_than_in_fit_are_refused(typed, method):
    """Columns that are lacking, new or in a wrong order are a ValueError that names them."""
    X, clusterer = typed
    with pytest.raises(ValueError, match=r"unseen at fit|got 'n', expected 't'|got 'new'"):
        getattr(clusterer, method)(X.rename(columns={"i": "new"}))
    with pytest.raises(ValueError, match="order"):
        getattr(clusterer, method)(X[["c", "i", "t", "n"]])


@pytest.mark.parametrize("method", ["transform", "inverse_transform", "split"])
def test_nothing_works_before_fit(method):
    """NotFittedError before fit, whatever the method."""
    with pytest.raises(NotFittedError):
        getattr(ColumnClusterer(), method)([[1, 2]])
    with pytest.raises(NotFittedError):
        ColumnClusterer().get_feature_names_out()


def test_it_clones_pickles_and_works_in_a_pipeline():
    """The usual manners of scikit-learn hold for a fitted clusterer."""
    X, _ = mixed_factors(100, 2, 4)
    clusterer = ColumnClusterer(4).fit(X)
    copy = pickle.loads(pickle.dumps(clusterer))

    pd.testing.assert_frame_equal(clusterer.transform(X), copy.transform(X))
    assert 4 == clone(clusterer).max_columns
    assert list(clusterer.transform(X)) == list(make_pipeline(ColumnClusterer(4)).fit_transform(X))


# Private association


def test_noisy_association_finds_what_belongs_together():
    """With noise, from categories of public levels, columns that follow from each other still come together."""
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 4, (2, 20_000))
    kind = pd.CategoricalDtype(range(4))
    table = pd.DataFrame({"a": a, "b": b, "a_again": a, "b_turned": 3 - b}).astype(kind)
    clusterer = ColumnClusterer(max_columns=2, noise_multiplier=10.0).fit(table)

    assert clusterer.batches_ == [["a", "a_again"], ["b", "b_turned"]]
    assert clusterer.privacy_event_.noise_multiplier == 10.0
    association = clusterer.association_.to_numpy()
    assert np.array_equal(association, association.T)
    assert ((association >= 0) & (association <= 1)).all()


def test_noise_comes_from_no_seed():
    """Two private fits of one random_state measure different associations."""
    a = np.arange(400) % 2 == 0
    table = pd.DataFrame({"a": a, "b": np.where(np.arange(400) % 5 > 0, a, ~a)})
    first, second = (
        ColumnClusterer(max_columns=1, noise_multiplier=5.0, random_state=0).fit(table).association_ for _ in range(2)
    )
    assert not first.equals(second)


def test_noise_needs_levels_that_are_public():
    """Columns whose values would be read from the data are refused with the remedy; a fit without noise leaves no event."""
    table = pd.DataFrame({"a": [1.0, 2.0], "b": [True, False]})
    with pytest.raises(ValueError, match=r"column 'a': noise_multiplier needs columns whose values are public.*pandas.cut"):
        ColumnClusterer(noise_multiplier=1.0).fit(table)
    with pytest.raises(ValueError, match="'noise_multiplier' parameter"):
        ColumnClusterer(noise_multiplier=0.0).fit(table)
    assert not hasattr(ColumnClusterer().fit(table), "privacy_event_")


@pytest.mark.parametrize("row", range(0, 30, 7))
def test_a_row_changes_what_noise_is_added_to_by_its_scale(row, monkeypatch):
    """A row less changes the counts by a matrix whose norm, times the multiplier, is the noise's standard deviation."""
    seen = []
    monkeypatch.setattr(_association, "noisy_counts", lambda counts, scale, rng: seen.append((counts, scale)) or counts)
    rng = np.random.default_rng(0)
    table = pd.DataFrame({f"c{n_codes}": pd.Categorical(rng.integers(0, n_codes, 30)) for n_codes in (2, 3, 5)})
    for part in (table, table.drop(index=row)):
        ColumnClusterer(max_columns=1, noise_multiplier=2.0).fit(part)

    (whole, scale), (less, _) = seen
    assert np.linalg.norm(whole - less) * 2.0 == pytest.approx(scale)
