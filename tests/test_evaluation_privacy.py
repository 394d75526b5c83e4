"""Figures that learn: what a classifier sees in a synthetic table, what it learns of it, and how near to real rows it is."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta

from sksynth.evaluation import (
    c2st,
    copied_rows,
    dcr_share,
    membership_inference,
    nearest_neighbour_ratio,
    utility,
)

ROWS = st.lists(st.tuples(st.sampled_from([None, 1, 2]), st.sampled_from([None, "a", "b"])), min_size=1, max_size=12)


def people(n, seed):
    """Return a table of numbers, categories, text and dates that depend on each other, with missing cells."""
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 80, n)
    table = pd.DataFrame(
        {
            "age": age,
            "wage": (age * 100 + rng.normal(0, 500, n)).round(2),
            "job": np.where(age > 65, "none", rng.choice(["clerk", "cook"], n)),
            "name": [f"{seed} {number}" for number in range(n)],
            "born": (np.datetime64("2020-01-01") - age * 365).astype(str),
        }
    )
    table.loc[rng.uniform(size=n) < 0.1, ["wage", "job"]] = None
    return table


def test_the_same_distribution_is_not_told():
    """A classifier guesses where rows are of one distribution, and every column gives about as little away."""
    found = c2st(people(600, 0), people(600, 1))
    assert 0.4 < found.auc < 0.6
    assert found.columns.abs().max() < 0.1
    assert set(found.columns.index) == set(people(1, 0))


@pytest.mark.parametrize(
    ("column", "change"),
    [
        ("age", lambda table: table.age + 0.5),
        ("job", lambda table: "cook"),
        ("wage", lambda table: None),
        ("name", lambda table: table.name + "x" * 9),
        ("born", lambda table: "2001-01-01"),
    ],
)
def test_columns_that_give_a_table_away(column, change):
    """A column that looks unlike the real one is found, and named first."""
    synthetic = people(400, 1)
    found = c2st(people(400, 0), synthetic.assign(**{column: change(synthetic)}))
    assert found.auc > (0.65 if column in ("age", "job") else 0.95)
    assert found.columns.index[0] == column
    assert found.columns.is_monotonic_decreasing
    assert found.columns.iloc[0] > 0.1 > found.columns.iloc[1]


def test_dependence_gives_away_what_columns_alone_do_not():
    """Columns drawn one by one, each like the real one, are told together, and are named."""
    synthetic = people(900, 1)
    broken = synthetic.assign(wage=synthetic.wage.sample(frac=1.0, random_state=0).to_numpy())
    found = c2st(people(900, 0), broken)
    assert found.auc > 0.8
    assert "wage" in found.columns.index[:2]


def test_c2st_is_repeatable_and_looks_at_a_sample():
    """One seed gives one result, whatever the order of columns; n_samples is the number of rows that are looked at."""
    real, synthetic = people(300, 0), people(300, 1)
    found, again = c2st(real, synthetic, random_state=3), c2st(real, synthetic[real.columns[::-1]], random_state=3)
    assert found.auc == again.auc
    pd.testing.assert_series_equal(found.columns, again.columns)
    assert c2st(real, synthetic, random_state=4).auc != found.auc
    told = [c2st(real, synthetic, random_state=np.random.default_rng(3)).auc for _ in range(2)]
    assert told[0] == told[1]
    ages = pd.DataFrame({"age": [1.0] * 3 + [2.0] * 300})
    assert c2st(ages, ages, n_samples=3).auc == 0.5


def test_the_reference_of_c2st_decides_which_categories_are_told_apart():
    """Categories that the reference does not have look alike."""
    real, synthetic = pd.DataFrame({"job": ["a", "b"] * 99}), pd.DataFrame({"job": ["c", "d"] * 99})
    assert c2st(real, synthetic, reference=pd.DataFrame({"job": ["a", "c"] * 2})).auc == pytest.approx(0.875, abs=0.02)
    assert c2st(real, synthetic, reference=pd.DataFrame({"job": ["e"] * 3})).auc == 0.5


def test_columns_without_values_teach_nothing():
    """Columns that have no value, or none where a classifier learns, are left aside."""
    real = people(60, 0).assign(none=None, nothing=np.nan, lost=range(60))
    synthetic = people(60, 1).assign(none=None, nothing=np.nan, lost=np.nan)
    real["rare"] = [5.0] + [np.nan] * 59
    synthetic["rare"] = np.nan
    assert c2st(real, synthetic).columns.index[0] == "lost"
    assert c2st(real.drop(columns="lost"), synthetic.drop(columns="lost")).auc < 0.8
    assert utility(synthetic, real, "age", reference=real) > 0.8
    assert 0 <= dcr_share(real, synthetic, synthetic) <= 1


def test_utility_of_numbers_and_classes():
    """What follows from the other columns is predicted: R2 of numbers, AUC of two or more classes."""
    train, test = people(500, 0), people(200, 1)
    assert utility(train, test, "wage") > 0.7
    old = [table.assign(old=np.where(table.age > 50, "yes", "no")) for table in (train, test)]
    assert utility(*old, "old") == 1.0
    third = [table.assign(third=pd.cut(table.age, 3, labels=["low", "middle", "high"])) for table in (train, test)]
    assert utility(*third, "third") > 0.99
    noise = train.assign(wage=train.wage.sample(frac=1.0, random_state=0).to_numpy())
    assert utility(noise, test, "wage", reference=train) < 0.1


def test_utility_of_classes_that_one_table_lacks():
    """Classes that were never learned count as never guessed; where only one class is there, no figure is."""
    train, test = people(200, 0), people(100, 1)
    train, test = train.assign(part=np.where(train.age > 50, "a", "b")), test.assign(part=pd.cut(test.age, [0, 30, 50, 99]))
    test["part"] = test["part"].cat.rename_categories(["c", "b", "a"]).astype(str)
    assert 0.5 < utility(train, test, "part") < 0.95
    assert np.isnan(utility(train.assign(part="a"), test, "part", reference=train))
    assert np.isnan(utility(train, test.assign(part="a"), "part"))
    assert np.isnan(utility(train, test.assign(wage=np.nan), "wage"))
    assert np.isnan(utility(train.assign(wage=np.nan), test, "wage", reference=train))


def test_utility_of_a_class_of_one_row_in_a_long_table():
    """A class that one row has stops no training, however long the table."""
    train = pd.DataFrame({"x": np.arange(10_002) % 2, "y": ["a", "b"] * 5_000 + ["c", "b"]})
    assert utility(train, train[:10], "y") == 1.0


@settings(deadline=None)
@given(ROWS, ROWS)
def test_copies_are_rows_that_are_there(real, synthetic):
    """A copy equals a real row in every cell, missing cells among them."""
    tables = [pd.DataFrame(rows, columns=["n", "word"]) for rows in (real, synthetic)]
    assert copied_rows(*tables) == pytest.approx(np.mean([row in real for row in synthetic]))


def test_copies_are_found_across_dtypes():
    """A number is the same as whole and as float, a date as string and as stamp."""
    real = pd.DataFrame({"n": [1, 2], "day": ["2020-01-01", "2020-01-02"]})
    synthetic = pd.DataFrame({"day": pd.to_datetime(["2020-01-01", "2020-01-01", None]), "n": [1.0, 2.0, np.nan]})
    assert copied_rows(real, synthetic) == pytest.approx(1 / 3)


def test_the_nearer_table_is_found():
    """The share is 1 for copies of real rows, 0 for copies of the holdout, 0.5 for neither and for equal distances."""
    real, holdout, others = people(300, 0), people(300, 1), people(300, 2)
    assert dcr_share(real, real, holdout) > 0.95
    assert dcr_share(real, holdout, holdout) < 0.05
    assert 0.4 < dcr_share(real, others, holdout) < 0.6
    assert dcr_share(real, others, real) == 0.5


def test_the_more_rows_are_copied_the_more_is_found():
    """Shares of nearer rows and members found grow with the share of the synthetic rows that were copied."""
    real, holdout, others = people(400, 0), people(400, 1), people(400, 2)
    tables = [pd.concat([real[:n], others[n:]]) for n in (0, 100, 200, 400)]
    shares = [dcr_share(real, table, holdout) for table in tables]
    attacks = [membership_inference(real, table, holdout) for table in tables]
    for found in (shares, [attack.auc for attack in attacks], [attack.tpr for attack in attacks]):
        assert found == sorted(found)
        assert found[-1] > 0.9
    assert [attack.tpr_low > attack.fpr_high for attack in attacks] == [False, True, True, True]
    assert [attack.tpr >= 0.6 * n / 400 for attack, n in zip(attacks, (0, 100, 200, 400), strict=True)] == [True] * 4


def test_attack_by_hand():
    """Members are found by distance alone: half of them copied is half found, with the bounds of Clopper and Pearson."""
    real, holdout = (pd.DataFrame({"x": start + np.arange(0.0, 400, 2)}) for start in (0, 1))
    found = membership_inference(real, real[:100], holdout, fpr=0.05, confidence=0.9)
    assert (found.tpr, found.fpr, found.n_members, found.n_others) == (0.5, 0.05, 200, 200)
    assert found.auc > 0.55
    assert found.tpr_low == pytest.approx(beta.ppf(0.05, 100, 101))
    assert found.tpr_high == pytest.approx(beta.ppf(0.95, 101, 100))
    assert found.fpr_high == pytest.approx(beta.ppf(0.95, 11, 190))
    wrong = membership_inference(real, holdout, holdout)
    assert (wrong.tpr, wrong.tpr_low) == (0.0, 0.0)
    blind = membership_inference(real.assign(x=1.0), real.assign(x=1.0), holdout.assign(x=1.0), fpr=0.25)
    assert (blind.tpr, blind.auc) == (0.25, 0.5)


def test_neighbour_ratios_by_hand():
    """The ratio is that of the two smallest distances, 1 where rows of the real table are the same."""
    real = pd.DataFrame({"x": [0.0, 1, 2, 3, 4, 4]})
    synthetic = pd.DataFrame({"x": [1.0, 0.25, 4.0]}, index=[7, 7, 9])
    ratios = nearest_neighbour_ratio(real, synthetic)
    assert ratios.index.tolist() == [0, 1, 2]
    assert ratios.tolist() == pytest.approx([0.0, 1 / 3, 1.0])
    words = pd.DataFrame({"word": ["a", "a", "a", "a", "b"]})
    assert nearest_neighbour_ratio(words, words).tolist() == [1.0] * 4 + [0.0]
    assert len(nearest_neighbour_ratio(words, words, n_samples=4)) == 4


def test_figures_of_distance_do_not_depend_on_the_order_of_columns():
    """The same tables with other orders of columns have the same figures, for any seed."""
    real, synthetic, holdout = people(100, 0), people(100, 1), people(100, 2)
    turned = synthetic[synthetic.columns[::-1]]
    for seed in (0, 5):
        chosen = {"n_samples": 50, "random_state": seed}
        assert dcr_share(real, synthetic, holdout, **chosen) == dcr_share(real, turned, holdout, **chosen)
        assert membership_inference(real, synthetic, holdout, **chosen) == membership_inference(
            real, turned, holdout, **chosen
        )
    assert dcr_share(real, synthetic, holdout, n_samples=50) != dcr_share(
        real, synthetic, holdout, n_samples=50, random_state=1
    )


def test_tables_without_distances_have_no_figures_of_distance():
    """Names alone have no distance: the figures are not there rather than wrong."""
    names = people(20, 0)[["name"]]
    assert np.isnan(dcr_share(names, names, names))
    assert nearest_neighbour_ratio(names, names).empty
    found = membership_inference(names, names, names)
    assert np.isnan([found.auc, found.tpr, found.tpr_low, found.tpr_high]).all()


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda t: c2st(t, t, n_samples=2), ValueError, "n_samples must be an int >= 3, got 2"),
        (lambda t: c2st(t[:2], t), ValueError, "c2st needs 3 rows of each table, got 2 real and 20 synthetic ones"),
        (lambda t: c2st(t, t, random_state="x"), TypeError, "random_state must be an int >= 0"),
        (lambda t: utility(t, t, "wages"), ValueError, "target must be a column of the tables, got 'wages'"),
        (lambda t: utility(t, t, "name"), ValueError, "target 'name' is a column of identifiers or text"),
        (lambda t: utility(t, t[["age"]], "age"), ValueError, "test lacks .*expected the columns of train"),
        (lambda t: dcr_share(t, t, t, n_samples=0.5), TypeError, "n_samples must be an int >= 1, got 0.5"),
        (lambda t: dcr_share(t, t, t[["age"]]), ValueError, "holdout lacks .*expected the columns of real"),
        (lambda t: nearest_neighbour_ratio(t[:1], t), ValueError, "nearest_neighbour_ratio needs two rows of real, got 1"),
        (lambda t: nearest_neighbour_ratio(t, t, n_samples=0), ValueError, "n_samples must be an int >= 1, got 0"),
        (lambda t: membership_inference(t, t, t, fpr=0), ValueError, r"fpr must be a number in \(0, 1\), got 0"),
        (lambda t: membership_inference(t, t, t, confidence="x"), TypeError, r"confidence must be a number in \(0, 1\)"),
        (lambda t: membership_inference(t, t, t, n_samples=True), TypeError, "n_samples must be an int >= 2, got True"),
        (lambda t: membership_inference(t, t, t[:1]), ValueError, "needs two rows of real and of holdout, got 20 and 1"),
        (lambda t: copied_rows(t, t[["age"]]), ValueError, "synthetic lacks"),
    ],
)
def test_what_cannot_be_asked_is_refused(call, error, message):
    """Parameters and tables that make no sense are refused by name."""
    with pytest.raises(error, match=message):
        call(people(20, 0))
