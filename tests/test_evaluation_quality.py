"""Figures of how alike two tables are: shapes, pairs, quality, coverage, missing cells, dtypes."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import pearsonr
from scipy.stats.contingency import association

from sksynth.evaluation import (
    column_kinds,
    column_shapes,
    coverage,
    dtype_changes,
    missing_values,
    pair_trends,
    quality,
    valid_share,
)

CELLS = {
    "size": st.none() | st.floats(-1e6, 1e6, width=32),
    "count": st.integers(0, 40),
    "colour": st.none() | st.sampled_from(["red", "green", "blue"]),
    "flag": st.booleans(),
    "day": st.none() | st.dates().map(str),
    "note": st.none() | st.text(max_size=4),
}


@st.composite
def tables(draw, max_rows=40):
    """Return a table of some rows of every kind of column."""
    n = draw(st.integers(1, max_rows))
    return pd.DataFrame({name: draw(st.lists(cells, min_size=n, max_size=n)) for name, cells in CELLS.items()})


def figures(real, synthetic, reference=None):
    """Return all figures from 0 to 1 of two tables, as an array."""
    known = {"reference": reference}
    pairs = pair_trends(real, synthetic, **known)
    parts = [column_shapes(real, synthetic, **known), pairs.score, coverage(real, synthetic, **known)]
    return np.concatenate([*parts, [quality(real, synthetic, **known), valid_share(real, synthetic)]])


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        (range(13), "number"),
        (range(12), "category"),
        (pd.array([*range(13), None], "Int64"), "number"),
        (pd.array([True, False, None], "boolean"), "category"),
        ([*map(float, range(13)), None], "number"),
        (pd.Series([*range(13), None], dtype=object), "number"),
        (pd.date_range("2020-01-01", periods=13, tz="Europe/Berlin"), "number"),
        (pd.to_timedelta(range(13), unit="h"), "number"),
        ([f"2020-01-{day:02}" for day in range(1, 14)], "number"),
        ([f"2020-01-01T00:{minute:02}:00.5Z" for minute in range(13)], "number"),
        (["0001-01-01", *(f"9999-12-{day:02}" for day in range(1, 14)), None], "number"),
        (["2020-01-01"] * 20 + ["2020-01-02"], "category"),
        ([f"2020-02-{day:02}" for day in range(18, 31)], "unique"),
        (["a", "b", "c"], "unique"),
        (["a", "b", "c", "c", "a", "b"], "category"),
        (pd.Categorical(range(13)), "unique"),
        ([None, None], "category"),
        ([np.nan, np.nan], "category"),
    ],
)
def test_kinds(values, kind):
    """Numbers, dates and durations of many values are quantities; what differs from row to row otherwise is no category."""
    assert column_kinds(pd.DataFrame({0: values})).to_dict() == {0: kind}


@settings(deadline=None, max_examples=50)
@given(tables())
def test_a_table_is_like_itself(table):
    """Every figure of a table beside itself is perfect, or not there."""
    found = figures(table, table)
    assert np.allclose(found[~np.isnan(found)], 1.0)
    assert not missing_values(table, table).difference.any()
    assert dtype_changes(table, table).empty


@settings(deadline=None, max_examples=20)
@given(tables(), tables(), st.randoms())
def test_figures_of_any_two_tables(real, synthetic, random):
    """Figures lie between 0 and 1, change with no order of rows or columns, and those of likeness are symmetric."""
    found = figures(real, synthetic)
    assert np.all((found[~np.isnan(found)] >= -1e-12) & (found[~np.isnan(found)] <= 1 + 1e-12))
    rows, columns = list(range(len(synthetic))), list(synthetic)
    random.shuffle(rows)
    random.shuffle(columns)
    assert np.allclose(figures(real, synthetic.iloc[rows][columns]), found, equal_nan=True)
    assert np.allclose(figures(real.iloc[::-1], synthetic), found, equal_nan=True)
    shapes, turned = (column_shapes(*pair, reference=real) for pair in ((real, synthetic), (synthetic, real)))
    assert np.allclose(shapes, turned, equal_nan=True)
    scores, turned = (pair_trends(*pair, reference=real).score for pair in ((real, synthetic), (synthetic, real)))
    assert np.allclose(scores, turned, equal_nan=True)


@settings(deadline=None, max_examples=50)
@given(tables(), tables())
def test_associations_are_those_of_scipy(real, synthetic):
    """The association of two categories is Cramer's V, and the score of two numbers says how far Pearson's r are apart."""
    pairs = pair_trends(real, synthetic).set_index(["column_1", "column_2"])
    table = pd.crosstab(real["count"], real["flag"]).to_numpy()
    if column_kinds(real)["count"] == "category" and min(table.shape) > 1:
        assert np.isclose(pairs.association["count", "flag"], association(table), atol=1e-9)
    complete = [table[["size", "count"]].astype(float).dropna() for table in (real, synthetic)]
    both_vary = all((table.nunique() > 1).all() for table in complete)
    if both_vary and (column_kinds(real)[["size", "count"]] == "number").all():
        r, s = (pearsonr(table["size"], table["count"]).statistic for table in complete)
        assert np.isclose(pairs.association["size", "count"], r, atol=1e-6)
        assert np.isclose(pairs.sdmetrics["size", "count"], 1 - abs(r - s) / 2, atol=1e-6)


def correlated(n, seed):
    """Return a table whose columns depend on each other."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-2, 2, n)
    return pd.DataFrame(
        {"x": x, "y": x + rng.uniform(-0.5, 0.5, n), "sign": np.where(x > 0, "+", "-"), "third": np.digitize(x, [-0.7, 0.7])}
    )


@pytest.mark.parametrize("figure", [quality, lambda real, table: column_shapes(real, table).mean()])
def test_the_more_rows_are_noise_the_worse(figure):
    """Figures of likeness fall with the share of rows that are of another distribution."""
    real, synthetic, noise = correlated(2_000, 0), correlated(2_000, 1), correlated(2_000, 2)
    noise = noise.apply(lambda column: column.sample(frac=1.0, random_state=3).to_numpy()).assign(x=noise.x * 3, sign="+")
    mixed = [pd.concat([synthetic[round(2_000 * share) :], noise[: round(2_000 * share)]]) for share in (0, 0.1, 0.3, 0.6, 1)]
    found = [figure(real, table) for table in mixed]
    assert found == sorted(found, reverse=True)
    assert found[0] > 0.97
    assert found[0] - found[-1] > 0.15


def test_shapes_by_hand():
    """Shapes are one minus the largest gap of distribution functions, or half the sum of gaps of shares."""
    real = pd.DataFrame({"size": [*range(20), None], "colour": ["red"] * 10 + ["blue"] * 10 + [None], "flag": [True] * 21})
    synthetic = pd.DataFrame({"flag": [True, False], "colour": ["red", "green"], "size": [10.0, 100.0]})
    assert column_shapes(real, synthetic).to_dict() == pytest.approx({"size": 0.5, "colour": 0.5, "flag": 0.5})


def test_rounding_is_no_difference():
    """Numbers that differ by what arithmetic rounds are the same number."""
    real = pd.DataFrame({"size": [tenth / 10 for tenth in range(20)]})
    synthetic = pd.DataFrame({"size": [tenth * 0.1 for tenth in range(20)]})
    assert (real != synthetic).any(axis=None)
    assert column_shapes(real, synthetic)["size"] == 1.0
    huge = pd.DataFrame({"size": [1e300 * step for step in range(20)]})
    assert column_shapes(huge, huge)["size"] == 1.0


def test_pairs_by_hand():
    """Combinations of categories are compared by their shares; missing is a category, the largest number has its own bin."""
    real = pd.DataFrame({"size": [*range(14), None, None], "colour": ["red"] * 8 + ["blue"] * 7 + [None]})
    synthetic = real.assign(colour=["red"] * 9 + ["blue"] * 6 + [None])
    (pair,) = pair_trends(real, synthetic).to_dict("records")
    assert pair["score"] == pair["sdmetrics"] == pytest.approx(15 / 16)  # one row of sixteen is in another cell
    bins = np.append(np.arange(14) * 10 // 13, [10, 10])
    colours = real.colour.astype(object).where(real.colour.notna(), "none").to_numpy()
    assert pair["association"] == pytest.approx(association(pd.crosstab(bins, colours).to_numpy()))
    assert pair["strong"]


def test_one_value_far_out_moves_no_pair():
    """The score of a pair does not depend on how far out a single value is, as SDMetrics' score does."""
    real, synthetic = correlated(2_000, 0), correlated(2_000, 1)
    far = synthetic.copy()
    far.loc[0, "x"] = 1e6
    near, moved = (
        pair_trends(real, table).set_index(["column_1", "column_2"]).loc[("x", "sign")] for table in (synthetic, far)
    )
    assert abs(near.score - moved.score) < 0.001
    assert near.sdmetrics - moved.sdmetrics > 0.3


def test_shortfall_of_real_rows_is_noise():
    """Two samples of one distribution lack nothing beyond noise, whatever their size; a lost tie does."""
    found = [
        pair_trends(correlated(n, 2 * seed), correlated(n, 2 * seed + 1)).shortfall.mean()
        for n in (50, 200, 1_000) for seed in range(20)
    ]  # fmt: skip
    assert np.abs(np.reshape(found, (3, 20)).mean(axis=1)).max() < 0.02
    lost = correlated(1_000, 1)
    lost["y"] = lost["y"].sample(frac=1.0, random_state=0).to_numpy()
    pairs = pair_trends(correlated(1_000, 0), lost).set_index(["column_1", "column_2"])
    assert pairs.shortfall["x", "y"] > 0.3
    assert abs(pairs.shortfall["x", "sign"]) < 0.05


def test_noise_of_sparse_combinations():
    """Where nearly every combination of values is seen once, real rows lack nothing either, in samples of any two sizes."""
    rng = np.random.default_rng(0)
    found = []
    for sizes in [(200, 200), (300, 60)] * 20:
        tables = [pd.DataFrame({"a": rng.integers(0, 90, n).astype(str), "b": rng.normal(size=n)}) for n in sizes]
        reference = pd.DataFrame({"a": ["1", "2"] * 200, "b": rng.normal(size=400)})
        found.append(pair_trends(*tables, reference=reference)["shortfall"].item())
    assert np.abs(np.reshape(found, (20, 2)).mean(axis=0)).max() < 0.015


def test_quality_by_hand():
    """Quality is the mean of the mean shape and the mean score of strong pairs; weak pairs do not count."""
    real = pd.DataFrame({"x": ["a", "a", "b", "b"] * 5, "y": ["c", "c", "d", "d"] * 5, "z": ["e", "f"] * 10})
    synthetic = real.assign(y=["c", "c", "c", "d"] * 5, z="e")
    pairs = pair_trends(real, synthetic).set_index(["column_1", "column_2"])
    assert pairs.strong.to_dict() == {("x", "y"): True, ("x", "z"): False, ("y", "z"): False}
    assert pairs.score.to_dict() == pytest.approx({("x", "y"): 0.75, ("x", "z"): 0.5, ("y", "z"): 0.5})
    assert quality(real, synthetic) == pytest.approx(((1 + 0.75 + 0.5) / 3 + 0.75) / 2)
    assert quality(real[["x", "z"]], synthetic[["x", "z"]]) == pytest.approx(0.75)  # no strong pair


def test_coverage_by_hand():
    """Coverage is what lies between the extremes of the range, or the share of categories; what is beyond adds nothing."""
    real = pd.DataFrame({"size": np.arange(21.0), "colour": list("abc") * 7, "flag": True, "id": [f"r{n}" for n in range(21)]})
    synthetic = pd.DataFrame({"size": [4.0, 90.0], "colour": ["a", "z"], "flag": [True, True], "id": ["x", "y"]})
    expected = {"size": 0.8, "colour": 1 / 3, "flag": 1.0, "id": np.nan}
    assert coverage(real, synthetic).to_dict() == pytest.approx(expected, nan_ok=True)
    outside = coverage(real, synthetic.assign(size=[90.0, 95.0]))
    assert outside["size"] == 0.0
    nul = pd.DataFrame({"text": ["", "\0"] * 4})
    assert coverage(nul, nul)["text"] == valid_share(nul, nul) == 1.0
    nothing = coverage(real, synthetic.assign(size=np.nan, colour=None))
    assert nothing[["size", "colour"]].tolist() == [0.0, 0.0]


def test_columns_that_say_nothing_stop_nothing():
    """Columns that are constant or wholly missing, in either table, get NaN where there is nothing to compare."""
    numbers = np.arange(20.0)
    real = pd.DataFrame({"a": numbers, "b": numbers, "c": None, "d": np.nan, "e": 1.5, "f": numbers})
    synthetic = pd.DataFrame({"a": numbers, "b": 3.0, "c": None, "d": np.nan, "e": 1.5, "f": np.nan})
    shapes = column_shapes(real, synthetic)
    assert shapes.isna().to_dict() == {"a": False, "b": False, "c": True, "d": True, "e": False, "f": True}
    assert shapes[["a", "e"]].tolist() == [1.0, 1.0]
    pairs = pair_trends(real, synthetic).set_index(["column_1", "column_2"])
    assert set(pairs.index) == {("a", "b"), ("a", "f"), ("b", "f")}  # the others are constant
    assert np.isnan(pairs.sdmetrics["a", "b"])
    assert pairs.score["a", "b"] < 0.2
    assert 0 < quality(real, synthetic) < 1
    assert np.isnan(quality(real[["c"]], synthetic[["c"]]))
    assert valid_share(real, synthetic) == 0.0  # f is never missing


def test_the_reference_decides():
    """A column of few values in a small real table is a number if it is one in the reference."""
    reference = pd.DataFrame({"size": range(100)})
    real, synthetic = pd.DataFrame({"size": [1, 2, 3, 4]}), pd.DataFrame({"size": [1.5, 2.5, 3.5, 4.5]})
    assert column_shapes(real, synthetic)["size"] == 0.0
    assert column_shapes(real, synthetic, reference=reference)["size"] == 0.75


def test_one_value_in_many_dtypes():
    """Dates, numbers and strings are compared by what they say, whichever dtype holds them."""
    days = pd.date_range("2020-01-01", periods=20, unit="s")
    real = pd.DataFrame(
        {"day": days.strftime("%Y-%m-%d"), "word": ["a", "b"] * 10, "n": range(20), "flag": [True, False] * 10}
    )
    synthetic = pd.DataFrame(
        {
            "day": days.tz_localize("UTC"),
            "word": pd.Categorical(["a", "b"] * 10),
            "n": pd.array([str(n) for n in range(20)], "string"),
            "flag": pd.array([True, False] * 10, "boolean"),
        }
    )
    assert column_shapes(real, synthetic).tolist() == [1.0] * 4
    assert column_shapes(synthetic.assign(n=real.n), real).tolist() == [1.0] * 4
    durations = pd.DataFrame({"n": pd.to_timedelta(range(20), unit="D")})
    assert column_shapes(durations, durations + pd.Timedelta(5, "D"))["n"] == 0.75


def test_missing_shares_and_dtypes():
    """Missing cells are counted, and dtypes compared, column by column."""
    real = pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": pd.Categorical(["x", "y"]), "d": pd.Categorical([1, 2])})
    synthetic = pd.DataFrame({"b": ["x", "y"], "a": [None, 2.0], "c": pd.Categorical(["x", "z"]), "d": ["1", "2"]})
    shares = missing_values(real, synthetic)
    assert shares.loc[["a", "b"]].to_numpy().tolist() == [[0.0, 0.5, 0.5], [0.5, 0.0, -0.5]]
    changes = dtype_changes(real, synthetic)
    assert changes.index.tolist() == ["a", "d"]
    assert changes.loc["a"].tolist() == ["int64", "float64"]
    assert changes.loc["d", "real"] == "category"


@pytest.mark.parametrize(
    ("changed", "share"),
    [
        ({}, 1.0),
        ({"size": [0, 21, 1, 2]}, 0.75),
        ({"size": [0.5, 1, 1, 2]}, 0.75),
        ({"size": [None, 1, 1, 2]}, 0.75),
        ({"rate": [0.25, None, 2.0, -1.0]}, 0.5),
        ({"colour": ["red", "green", None, "blue"]}, 0.5),
        ({"name": ["new", "old", None, "old"]}, 0.75),
        ({"seen": pd.to_datetime(["2020-01-01", "2020-01-05", "2021-01-01", "2020-01-02 12:00"], format="ISO8601")}, 0.5),
        ({"none": [1, None, None, None]}, 0.75),
        ({"size": [99, 1, 1, 2], "colour": ["red", "red", "red", "green"]}, 0.5),
    ],
)
def test_valid_rows(changed, share):
    """A row is valid if the real table's ranges, values and missing cells allow everything in it."""
    real = pd.DataFrame(
        {
            "size": range(20),
            "rate": [0.5, None] * 10,
            "colour": ["red", "blue"] * 10,
            "name": [f"name {n}" for n in range(20)],
            "seen": pd.date_range("2020-01-01", periods=20),
            "none": None,
        }
    )
    real["rate"] = real["rate"] * np.arange(20) / 9
    assert valid_share(real, real[:4].assign(**changed)) == share


@pytest.mark.parametrize(
    "function", [column_shapes, pair_trends, quality, coverage, missing_values, dtype_changes, valid_share]
)
def test_tables_of_other_columns_are_refused(function):
    """Columns that only one table has are named, whichever table it is."""
    real = pd.DataFrame({"a": [1], "b": [2]})
    with pytest.raises(ValueError, match=r"synthetic lacks \['b'\] and has \['c'\] in addition, expected the columns of real"):
        function(real, real.rename(columns={"b": "c"}))
    with pytest.raises(ValueError, match=r"synthetic lacks \['b'\], expected"):
        function(real, real[["a"]])
    with pytest.raises(ValueError, match="synthetic has 0 sample"):
        function(real, real[:0])
    with pytest.raises(ValueError, match=r"synthetic has \[2\] in addition"):
        function(np.ones((3, 2)), np.ones((3, 3)))


def test_tables_are_left_alone():
    """No figure changes the tables that it is asked of."""
    real, synthetic = correlated(30, 0), correlated(30, 1)
    before = real.copy(), synthetic.copy()
    figures(real, synthetic)
    missing_values(real, synthetic)
    pd.testing.assert_frame_equal(real, before[0])
    pd.testing.assert_frame_equal(synthetic, before[1])


def test_a_range_of_one_value_has_no_coverage():
    """Of a number that has one value in the real table, whatever it is elsewhere, no share of a range is drawn: NaN."""
    many, one = pd.DataFrame({"x": np.arange(40.0)}), pd.DataFrame({"x": np.full(40, 7.0)})
    assert np.isnan(coverage(one, many, reference=many)["x"])
    assert coverage(many, one, reference=many)["x"] == 0.0
