"""Promises of the association: one scale for every pair of kinds, chance taken off."""

import datetime

import numpy as np
import pandas as pd
import pytest

from sksynth._association import association, codes_of


def associated(**columns):
    """Return the association of two columns."""
    return association(np.column_stack([codes_of(pd.Series(column)) for column in columns.values()]))[0, 1]


@pytest.fixture
def normal():
    """Return 4,000 rows of two independent normal numbers."""
    return np.random.default_rng(0).normal(size=(2, 4000))


@pytest.mark.parametrize("correlation", [0, 0.3, 0.6, 0.9])
def test_association_of_normal_numbers_is_their_correlation(normal, correlation):
    """For two columns of normal numbers the scale is that of the absolute correlation, whatever the sign."""
    x, noise = normal
    y = np.sqrt(1 - correlation**2) * noise - correlation * x

    assert correlation == pytest.approx(associated(x=x, y=y), abs=0.06)


def test_association_is_comparable_between_kinds(normal):
    """Cutting a number into a few categories changes its association little."""
    x, noise = normal
    y = 0.6 * x + 0.8 * noise
    labels = np.array(list("dbac"))

    assert associated(x=x, y=y) == pytest.approx(associated(x=x, y=labels[np.digitize(y, [-1, 0, 1])]), abs=0.06)
    assert associated(x=x, y=y) == pytest.approx(associated(x=x > 0, y=labels[np.digitize(y, [-1, 0, 1])]), abs=0.1)


RELATIONS = {
    "a square": lambda x, noise: (x, x**2),
    "a wave": lambda x, noise: (x, np.sin(3 * x)),
    "a relabelling": lambda x, noise: (np.digitize(x, [-1, 0, 1]), np.array(list("dbac"))[np.digitize(x, [-1, 0, 1])]),
    "the presence of the other": lambda x, noise: (x > 0, np.where(x > 0, noise, np.nan)),
    "a rare flag": lambda x, noise: (x > 2.3, np.where(x > 2.3, "yes", "no")),
    "a spike": lambda x, noise: (np.where(x > 0, noise, 0), np.where(x > 0, "used", "unused")),
    "dates and their strings": lambda x, noise: (
        pd.Timestamp("2000-01-01") + pd.to_timedelta((x * 1000).astype(int), unit="D"),
        (pd.Timestamp("2000-01-01") + pd.to_timedelta((x * 1000).astype(int), unit="D")).strftime("%Y-%m-%d"),
    ),
    "numbers as objects": lambda x, noise: (x, pd.Series(list(x), dtype=object)),
}


@pytest.mark.parametrize("relation", RELATIONS)
def test_functions_of_a_column_are_strongly_associated(normal, relation):
    """A column that follows from another has an association near 1, linear or not, missingness included."""
    x, y = RELATIONS[relation](*normal)

    assert associated(x=x, y=y) > 0.9


def test_columns_that_are_missing_together_are_associated(normal):
    """Missingness alone ties two columns whose values are independent."""
    x, noise = normal
    together = np.where(x > 1, None, np.array(["a", "b"])[np.arange(len(x)) % 2])
    apart = np.roll(together, 1)

    assert associated(x=np.where(x > 1, np.nan, noise), y=together) > 0.75
    assert associated(x=np.where(x > 1, np.nan, noise), y=apart) < 0.1


@pytest.mark.parametrize(
    "other",
    [
        lambda rng, n: rng.normal(size=n),
        lambda rng, n: rng.choice(list("abcdef"), n),
        lambda rng, n: np.where(rng.random(n) < 0.3, np.nan, 1.0),
        lambda rng, n: [f"{key:08x}" for key in rng.permutation(n)],
        lambda rng, n: np.zeros(n),
        lambda rng, n: np.full(n, np.nan),
    ],
    ids=["number", "category", "missingness", "identifier", "constant", "all missing"],
)
def test_independent_columns_are_not_associated(other):
    """Nothing much is left beyond chance where there is nothing."""
    rng = np.random.default_rng(0)

    assert associated(x=rng.normal(size=4000), y=other(rng, 4000)) < 0.1


KINDS = {
    "mixed object": pd.Series([1, "a", True, 2.5, None] * 10, dtype=object),
    "nullable": pd.array([2**60, None] * 25, dtype="Int64"),
    "nullable boolean": pd.array([True, None] * 25, dtype="boolean"),
    "ordered category": pd.Categorical(["b", None] * 25, categories=list("cba"), ordered=True),
    "time zone": pd.date_range("2020-01-01", periods=50, tz="Europe/Berlin"),
    "duration": pd.to_timedelta(np.arange(50), unit="s"),
    "string": pd.array(["x", None] * 25, dtype="string"),
    "all missing": pd.Series([pd.NaT] * 50, dtype="datetime64[ns]"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_column_is_measured(kind):
    """A column of any kind gets codes for all its rows, a missing cell one that nothing else has."""
    column = pd.Series(KINDS[kind])
    codes, missing = codes_of(column), column.isna().to_numpy()

    assert (50,) == codes.shape
    assert list(range(codes.max() + 1)) == sorted(set(codes))
    assert not set(codes[missing]) & set(codes[~missing])
    assert len(set(codes[missing])) == int(missing.any())


def test_association_agrees_with_its_definition_across_blocks():
    """The matrix products of blocks of columns give the mutual information that counting gives."""
    rng = np.random.default_rng(0)
    codes = np.column_stack([rng.integers(0, 3, 500), *(rng.integers(0, 2 + i % 4, 500) for i in range(69))])
    codes[:, 69] = np.where(rng.random(500) < 0.7, codes[:, 0], rng.integers(0, 3, 500))
    table = pd.crosstab(codes[:, 0], codes[:, 69]).to_numpy() / 500
    rows, columns = table.sum(axis=1), table.sum(axis=0)
    information = (table * np.log(table / np.outer(rows, columns))).sum()
    most = min(-(rows * np.log(rows)).sum(), -(columns * np.log(columns)).sum())
    share = (information - 4 / 1000) / (most - 4 / 1000)
    expected = np.sqrt((1 - np.exp(-2 * share * most)) / (1 - np.exp(-2 * most)))

    assert expected == pytest.approx(association(codes)[0, 69], abs=1e-5)


@pytest.mark.parametrize(
    "values", [["a", b"a", 1], [1, (1, 2), "x"], [datetime.date(2020, 1, 1), 3, None], [1j, 2, 3]],
    ids=["bytes", "tuples", "dates", "complex"],
)  # fmt: skip
def test_values_that_cannot_be_compared_have_codes(values):
    """The association of no column ends a fit: values without an order keep a code each."""
    column = pd.Series(values * 20, dtype=object)
    np.testing.assert_array_equal(np.bincount(codes_of(column)), [20, 20, 20])
