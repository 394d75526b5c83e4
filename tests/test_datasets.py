import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from sksynth.datasets import load_adult, make_mixed


@pytest.fixture(scope="module")
def orders():
    """A table large enough for its shares to be near what is promised."""
    return make_mixed(10_000, random_state=0)


def test_adult_is_real_and_typed():
    """The Adult sample has 4,000 rows, 15 typed columns and the share of high incomes that the census had."""
    adult = load_adult()
    numbers = ["age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week"]
    assert adult.shape == (4000, 15)
    assert list(adult.select_dtypes("int64")) == numbers
    assert set(adult["income"]) == {"<=50K", ">50K"}
    assert (adult["income"] == ">50K").mean() == pytest.approx(0.241, abs=0.02)
    assert adult["age"].between(17, 90).all()


def test_adult_marks_missing_cells_as_missing():
    """A question mark of the source is a missing cell, and only three columns have any."""
    adult = load_adult()
    assert set(adult.columns[adult.isna().any()]) == {"workclass", "occupation", "native-country"}
    assert not (adult == "?").any(axis=None)


def test_adult_is_the_callers_own():
    """What a caller does to the table does not show in the next one."""
    adult = load_adult()
    adult["age"] = 0
    assert (load_adult()["age"] > 0).all()


def test_mixed_dtypes_are_as_documented(orders):
    """Every column has the dtype that the docstring names."""
    string = str(pd.Series(["a"]).dtype)
    assert {name: str(dtype) for name, dtype in orders.dtypes.items()} == {
        "order": string,
        "country": string,
        "currency": "category",
        "birth_date": string,
        "age": "int64",
        "member": "bool",
        "member_since": "datetime64[ns]",
        "newsletter": "boolean",
        "children": "Int64",
        "size": "category",
        "weight": "float64",
        "temperature": "float32",
        "price": "float64",
        "discount": "float64",
        "points": "int32",
        "ordered_at": "datetime64[s, Europe/Vienna]",
        "status": string,
        "delivery": "timedelta64[s]",
        "rating": "Int8",
        "comment": string,
    }
    assert list(orders["currency"].cat.categories) == ["CHF", "CZK", "EUR", "HUF"]
    assert not orders["currency"].cat.ordered
    assert list(orders["size"].cat.categories) == ["S", "M", "L", "XL", "XXL"]
    assert orders["size"].cat.ordered
    assert "XXL" not in set(orders["size"])


@pytest.mark.parametrize("n_samples", [1, 2, 137])
def test_mixed_has_as_many_rows_as_asked_for(n_samples):
    """The number of rows is n_samples, down to one, and the columns are the same."""
    made = make_mixed(n_samples, random_state=0)
    assert made.shape == (n_samples, 20)
    assert_frame_equal(made.head(0), make_mixed(5, random_state=1).head(0))


def test_mixed_follows_its_seed():
    """The same integer gives the same table, another one another table."""
    assert_frame_equal(make_mixed(50, random_state=3), make_mixed(50, random_state=3))
    assert not make_mixed(50, random_state=3).equals(make_mixed(50, random_state=4))


def test_mixed_leaves_the_global_seed_alone():
    """A seeded table does not move the global generator of numpy."""
    before = np.random.get_state()[1].copy()  # noqa: NPY002  the legacy generator is what is watched
    make_mixed(20, random_state=0)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


@pytest.mark.parametrize("n_samples", [0, -1, 2.5, True, "10", None])
def test_mixed_refuses_other_than_counts(n_samples):
    """A number of rows that is no count is refused, with what was expected and what was got."""
    with pytest.raises(ValueError, match=f"'n_samples' .* must be an int >= 1, got {n_samples!r}"):
        make_mixed(n_samples)


def test_mixed_identifiers_are_unique(orders):
    """Each order has a number of its own, in one pattern."""
    assert orders["order"].is_unique
    assert orders["order"].str.fullmatch(r"ORD-\d{6}").all()


def test_mixed_functional_dependencies(orders):
    """Currency is a function of country, age of birth_date, points of member and price."""
    assert (orders.groupby("country")["currency"].nunique() == 1).all()
    birth = pd.to_datetime(orders["birth_date"], format="%Y-%m-%d")
    birthday_to_come = (birth.dt.month > 1) | (birth.dt.day > 1)
    assert (orders["age"] == 2025 - birth.dt.year - birthday_to_come).all()
    assert orders["age"].agg(["min", "max"]).tolist() == [18, 89]
    assert (orders["points"] == np.floor(orders["price"]).where(orders["member"], 0)).all()


def test_mixed_missing_cells_depend_on_what_is_documented(orders):
    """Cells are missing where, and as often as, the docstring says."""
    missing = orders.isna()
    member, rating = orders["member"], orders["rating"]
    assert set(orders.columns[missing.any()]) == {"member_since", "newsletter", "children", "delivery", "rating", "comment"}
    assert (missing["member_since"] == ~member).all()
    assert not missing["newsletter"][member].any()
    assert missing["newsletter"][~member].mean() == pytest.approx(0.7, abs=0.03)
    assert missing["children"].mean() == pytest.approx(0.1, abs=0.02)
    assert (missing["delivery"] == (orders["status"] != "delivered")).all()
    assert (missing["rating"] == (orders["status"] == "cancelled")).all()
    assert missing["comment"][missing["rating"]].all()
    assert (~missing["comment"])[(rating <= 2).fillna(False)].mean() == pytest.approx(0.9, abs=0.03)
    assert (~missing["comment"])[(rating > 2).fillna(False)].mean() == pytest.approx(0.4, abs=0.03)


def test_mixed_numbers_depend_on_what_is_documented(orders):
    """Weight follows size, price follows weight, discounts are for members, ratings fall with the time of delivery."""
    means = orders.groupby("size", observed=True)["weight"].mean()
    np.testing.assert_allclose(means, [2, 4, 8, 16], rtol=0.03)
    assert orders[["weight", "price"]].corr("spearman").iloc[0, 1] == pytest.approx(0.8, abs=0.03)
    assert (orders["discount"][~orders["member"]] == 0).all()
    assert (orders["discount"][orders["member"]] > 0).mean() == pytest.approx(0.6, abs=0.03)
    share = (orders["discount"] / orders["price"])[orders["discount"] > 0]
    assert share.between(0.009, 0.201).all()
    rated = orders.dropna(subset=["rating", "delivery"])
    assert rated["delivery"].astype("int64").corr(rated["rating"].astype(float), method="spearman") < -0.8
    by_age = orders.groupby(orders["age"] // 10)["member"].mean()
    assert by_age[2] == pytest.approx(0.2, abs=0.05)
    assert by_age[7] == pytest.approx(0.8, abs=0.05)


def test_mixed_decimals_are_as_documented(orders):
    """Prices have two decimals, temperatures one, weights no limit."""
    assert (orders["price"] == orders["price"].round(2)).all()
    assert (orders["discount"] == orders["discount"].round(2)).all()
    assert (orders["temperature"] == orders["temperature"].round(1)).all()
    assert (orders["weight"] != orders["weight"].round(6)).mean() > 0.99


def test_mixed_times_are_as_documented(orders):
    """Memberships start on days before 2024, orders come in 2024 between 8 and 21 o'clock of Vienna."""
    since = orders["member_since"].dropna()
    assert (since == since.dt.normalize()).all()
    assert since.between("2019-01-01", "2023-12-31").all()
    assert set(orders["ordered_at"].dt.year) == {2024}
    assert set(orders["ordered_at"].dt.hour) == set(range(8, 21))
    assert orders["delivery"].min() >= pd.Timedelta(2, "h")


def test_mixed_comments_tell_the_rating(orders):
    """Comments are mostly distinct, and good and bad ratings share no comment."""
    some = orders.head(1000)
    comments = some["comment"].dropna()
    assert comments.nunique() > 0.75 * len(comments)
    good, bad = ((some["rating"] > 3).fillna(False), (some["rating"] < 3).fillna(False))
    assert not set(some["comment"][good].dropna()) & set(some["comment"][bad].dropna())
