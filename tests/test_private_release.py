"""Promises of what a private fit learns before it trains: domains and shapes, from counts with noise alone."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sksynth import ColumnClusterer, fields
from sksynth._private import _domains, release
from sksynth._private._cells import cell_by_cell
from sksynth._private._clusters import cluster_privately, coarse_codes
from sksynth._private._histogram import Leaves, _count, _edges, n_levels, noisy_leaves, ticks_like
from sksynth._private._schema import complete_publicly, private_kind, split_schema
from sksynth._values import typed_key
from sksynth.fields import Schema
from sksynth.privacy import Ledger
from sksynth.privacy._mechanisms import GaussianCounts
from sksynth.tokenizers import TableTokenizer
from sksynth.tokenizers._category import CategoryCodec
from sksynth.tokenizers._scale import scale_of

N = 20_000


@pytest.fixture(scope="module")
def people():
    """Return a table of every kind of column whose domain can be inferred privately; not to be changed."""
    rng = np.random.default_rng(0)
    city = rng.choice(["Ulm", "Bonn", "Kiel"], N, p=[0.6, 0.3, 0.1]).astype(object)
    city[:3] = "only three live here"
    born = pd.Timestamp("1950-01-01") + pd.to_timedelta(rng.integers(0, 18_000, N), "D")
    return pd.DataFrame(
        {
            "age": rng.integers(20, 70, N),
            "income": np.where(rng.random(N) < 0.3, 0.0, rng.lognormal(7, 1, N).round(2)),
            "city": city,
            "member": rng.random(N) < 0.25,
            "born": pd.Series(born).where(rng.random(N) < 0.8),
        }
    )


@pytest.fixture(scope="module")
def released(people):
    """Return what is released of `people` when everything is private, and the ledger."""
    ledger = Ledger(1e-5)
    return release(people, "private", ledger, 3.0), ledger


def test_private_domains_hold_what_many_rows_share(released, people):
    """Bounds hold nearly all rows, values of few rows are folded, decimals and days are told."""
    schema = released[0].schema
    assert schema["city"].categories == ("Bonn", "Kiel", "Ulm")
    assert schema["city"].n_folded < 500
    assert 16 <= schema["age"].low <= 25
    assert 65 <= schema["age"].high <= 128
    assert (schema["age"].low, schema["age"].high) == (released[0].standin["age"].min(), released[0].standin["age"].max())
    assert schema["income"].precision == 2
    assert (people["income"] > schema["income"].high).mean() < 0.1  # of 64 parts, 3 + 5 deviations of noise of 28 rows each
    assert schema["born"].resolution == "D"
    assert schema["born"].low <= people["born"].quantile(0.05)
    assert schema["born"].high >= people["born"].quantile(0.95)
    assert not schema["age"].nullable
    assert schema["born"].nullable
    assert not schema["income"].nullable


def test_the_standin_has_the_released_shapes(released, people):
    """Each column of the stand-in is spread like the table's, and has its dtype."""
    standin = released[0].standin
    assert standin["city"].value_counts(normalize=True)["Ulm"] == pytest.approx(0.6, abs=0.03)
    assert standin["born"].isna().mean() == pytest.approx(0.2, abs=0.03)
    assert standin["member"].astype(bool).mean() == pytest.approx(0.25, abs=0.03)
    assert (standin["income"] == 0).mean() == pytest.approx(0.3, abs=0.03)
    for column in ("age", "born"):
        found, expected = (table[column].quantile([0.1, 0.5, 0.9]) for table in (standin, people))
        span = people[column].max() - people[column].min()
        assert ((found - expected).abs() < 0.1 * span).all()
    assert standin["age"].dtype == people["age"].dtype
    assert standin["born"].dtype == people["born"].dtype


def test_the_ledger_has_every_release(released):
    """Number of rows, domains and shapes are entered, with what they cost; the number of rows is noisy."""
    found, ledger = released
    assert [entry.step for entry in ledger.entries] == ["number of rows", "domains", "shapes"]
    assert ledger.entries[1].delta == pytest.approx(1e-6)
    assert not found.public_rows
    assert abs(found.n_rows - N) < 20 * 40
    assert 0.3 < ledger.epsilon() < 1.0


def test_a_public_schema_pays_for_shapes_alone(people):
    """With public domains only the shapes are released, whatever the values."""
    ledger, table = Ledger(1e-5), people[["age", "city"]]
    schema = {"age": fields.Number(0, 100), "city": fields.Category(["Ulm", "Bonn", "Kiel", "Trier"])}
    found = release(table, schema, ledger, 3.0)
    assert [entry.step for entry in ledger.entries] == ["shapes"]
    assert found.public_rows
    assert found.n_rows == N
    assert found.public_columns == ["age", "city"]
    assert found.schema["city"].categories == ("Ulm", "Bonn", "Kiel", "Trier")
    assert "Trier" in set(found.standin["city"])  # no value of a public domain is taken for impossible


def test_one_column_can_be_private(people):
    """Public and private columns go together; then the number of rows is private too."""
    ledger = Ledger(1e-5)
    found = release(people[["age", "city"]], {"age": fields.Number(0, 100), "city": "private"}, ledger, 3.0)
    assert found.public_columns == ["age"]
    assert not found.public_rows
    assert (found.schema["age"].low, found.schema["age"].high) == (0, 100)


def test_a_small_budget_makes_early_releases_noisier(people):
    """What is released before training never takes more than its share."""
    ledger = Ledger(1e-5)
    release(people, "private", ledger, 0.1)
    assert ledger.epsilon() < 0.09


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 59), st.integers(0, 10_000))
def test_a_row_counts_once_in_every_question(row, seed):
    """A row less changes each array of counts by one at most, in one place: what the noise is made for."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "number": rng.normal(0, 10.0 ** rng.integers(0, 6), 60).round(3), "whole": rng.integers(-5, 1000, 60),
            "word": rng.choice(["a", "b", None], 60),
            "date": pd.to_datetime(rng.integers(0, 10**9, 60), unit="s"),
        }
    )  # fmt: skip
    less = table.drop(index=row)
    for column in table:
        kind = private_kind(table[column].dtype, column).kind
        questions = [_domains._questions(part[column], kind, column)[0] for part in (table, less)]
        for whole, fewer in zip(*questions, strict=True):
            if kind == "category" and len(whole) != len(fewer):
                continue  # the only row of its value: what the threshold is for
            assert np.abs(whole - fewer).sum() <= 1


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 10**7), st.lists(st.integers(0, 10**7 - 1), max_size=40), st.integers(0, 2**20))
def test_cells_are_divided_without_gaps(n_ticks, ticks, seed):
    """The parts of a cell cover it, each tick once, so that a row is counted once on a level."""
    ticks = np.array([tick % n_ticks for tick in ticks], np.int64)
    edges = _edges(np.zeros(1, np.int64), np.full(1, n_ticks - 1), 64)
    assert edges[0, 0] == 0
    assert edges[0, -1] == n_ticks
    assert (np.diff(edges) >= 0).all()
    assert _count(ticks, edges).sum() == len(ticks)


def test_leaves_without_noise_find_shared_values():
    """Where many rows share a value, a leaf of that value alone has them."""
    rng = np.random.default_rng(0)
    ticks = np.concatenate([np.zeros(6000, np.int64), np.full(900, 15_024), rng.integers(0, 100_000, 3000)])
    leaves = noisy_leaves(ticks, 100_000, GaussianCounts(5.0, 1, rng), len(ticks))
    single = leaves.first == leaves.last
    found = dict(zip(leaves.first[single].tolist(), leaves.count[single].tolist(), strict=True))
    assert found[0] == pytest.approx(6000, abs=40)
    assert found[15_024] == pytest.approx(900, abs=40)
    order = np.argsort(leaves.first)
    assert (leaves.first[order][1:] > leaves.last[order][:-1]).all()
    assert leaves.count.sum() == pytest.approx(len(ticks), rel=0.02)
    assert n_levels(100_000) == 3


@given(st.lists(st.tuples(st.integers(1, 50), st.floats(0.0, 100.0)), min_size=1, max_size=8), st.integers(1, 200))
def test_ticks_lie_in_their_leaves(sizes, n_rows):
    """Made ticks are as many as asked for and lie in leaves that hold rows."""
    last = np.cumsum([size for size, _ in sizes]) - 1
    leaves = Leaves(last - [size - 1 for size, _ in sizes], last, np.array([count for _, count in sizes]))
    ticks = ticks_like(leaves, n_rows)
    assert len(ticks) == n_rows
    leaf = np.searchsorted(leaves.last, ticks)
    assert ((leaves.first[leaf] <= ticks) & (ticks <= leaves.last[leaf])).all()
    if leaves.count.sum() > 0:
        assert (leaves.count[np.unique(leaf)] > 0).all()


MIXED = st.sampled_from([1, 2, 10, 1.0, 2.5, True, False, "1", "x", None, 0.0, -0.0])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(MIXED, min_size=1, max_size=8), MIXED,
    st.sampled_from([fields.Category([1, 2]), fields.Category(["1", "x"]), fields.Category([1, "x", True]), fields.Boolean()]),
)  # fmt: skip
def test_what_a_cell_is_does_not_depend_on_the_others(cells, stranger, field):
    """A further row, of whatever type, changes neither the tokens nor the values of those before it."""
    less, more = (pd.DataFrame({"x": pd.Series(rows, dtype=object)}) for rows in (cells, [*cells, stranger]))
    known = Schema(split_schema(less, {"x": field}))
    codec = CategoryCodec(known["x"], "x")
    tokens = [codec.encode(cell_by_cell(table, known)["x"])[0] for table in (less, more)]
    assert np.array_equal(tokens[0], tokens[1][:-1])
    (before, counts), (after, _) = (_domains._value_counts(table["x"]) for table in (less, more))
    keys = [list(map(typed_key, values)) for values in (before, after)]
    assert [key for key in keys[1] if key in keys[0]] == keys[0]
    assert counts.sum() == less["x"].notna().sum()


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([0, 1, 2**53 + 1, 2**60 - 1, None]), min_size=1, max_size=6), st.sampled_from([0.5, 3, None]))
def test_what_a_number_is_does_not_depend_on_the_others(cells, stranger):
    """A float among whole numbers changes the place of none of them."""
    less, more = (pd.DataFrame({"x": pd.Series(rows, dtype=object)}) for rows in (cells, [*cells, stranger]))
    known = Schema(split_schema(less, {"x": fields.Number(0, 2**60)}))
    scale = scale_of(known["x"], "x", np.nan)
    (before, _), (after, _) = (scale.positions(cell_by_cell(table, known)["x"]) for table in (less, more))
    assert np.array_equal(before, after[:-1])


def test_resolutions_of_dates_with_a_time_zone_are_found():
    """Clocks that are put forward or back raise no error; days are of the zone's calendar, hours of UTC."""
    hours = pd.Series(pd.date_range("2021-10-01", periods=2000, freq="h", tz="Europe/Berlin"))
    days = pd.Series(pd.date_range("2018-10-01", periods=2000, freq="D", tz="Europe/Berlin"))
    half = pd.Series(pd.date_range("2021-10-01", periods=2000, freq="h", tz="Asia/Kolkata"))
    found = [list(_domains._values.NANOSECONDS)[_domains._resolutions(column).max()] for column in (hours, days, half)]
    assert found == ["h", "D", "min"]


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        (np.arange(N, dtype="int64") % 128, 0, 127), ((np.arange(N) % 128).astype("int8"), 0, 127),
        (np.arange(N, dtype="uint64") * 2**48 + 2**63, 2**63, 2**64 - 1), (np.arange(N) * -(2**48), -(2**63), 0),
        (np.linspace(1e25, 2e25, N), 2.0**83, 2.0**85), (np.linspace(-1e-12, 1e-12, N), -(2.0**-39), 2.0**-39),
    ],
    ids=["int64", "int8", "uint64", "negative", "large", "small"],
)  # fmt: skip
def test_private_bounds_fit_the_dtype(values, low, high):
    """Numbers of any size have bounds that their dtype can hold, and most rows within them."""
    found = release(pd.DataFrame({"x": values}), "private", Ledger(1e-5), 3.0)
    field = found.schema["x"]
    assert low <= field.low <= field.high <= high
    assert ((values >= field.low) & (values <= field.high)).mean() > 0.9
    assert found.standin["x"].dtype == values.dtype


# Public schemas


FRAME = pd.DataFrame(
    {
        "age": [1, 2], "when": pd.to_datetime(["2020-01-01", "2020-01-02"]), "word": ["a", "b"],
        "share": [0.5, np.nan], "took": pd.to_timedelta([1, 2], "s"), "flag": [True, False],
    }
)  # fmt: skip


@pytest.mark.parametrize(
    ("column", "field", "message"),
    [
        ("age", fields.Number(0), "column 'age': epsilon is set, but its field leaves high to the data"),
        ("age", fields.Category(), "leaves categories to the data"),
        ("when", fields.Datetime("2020-01-01", "2021-01-01"), "leaves resolution to the data"),
        ("word", fields.Datetime("2020-01-01", "2021-01-01", resolution="D"), "leaves format to the data"),
        ("word", fields.Text(), "leaves max_length to the data"),
        ("word", fields.Identifier(), "leaves pattern to the data"),
        ("took", fields.Number(pd.Timedelta(0), pd.Timedelta(1, "D")), "leaves precision to the data"),
        ("age", None, "schema has no field for column 'age': add 'age': fields.Number"),
    ],
)
def test_a_field_that_leaves_something_to_the_data_is_refused(column, field, message):
    """The message names the column and what is lacking, and tells of 'private'."""
    with pytest.raises(ValueError, match=message) as error:
        split_schema(FRAME[[column]], {column: field} if field else {})
    assert "'private'" in str(error.value)


@pytest.mark.parametrize(
    ("schema", "error", "message"),
    [
        (None, ValueError, r"pass schema, a dict such as \{'age': fields.Number\(0, 100\)"),
        ("public", ValueError, "or 'private', got 'public'"),
        (3, TypeError, "schema must be a mapping"),
        ({"ages": "private"}, ValueError, r"names columns that the table has not: \['ages'\]"),
        ("private", ValueError, "column 'took': durations have no private inference"),
    ],
)
def test_a_schema_that_says_too_little_is_refused(schema, error, message):
    """Without a schema the message shows how to give one."""
    with pytest.raises(error, match=message):
        release(FRAME, schema, Ledger(1e-6), 3.0)


def test_fields_are_completed_from_dtypes_alone():
    """What fields leave open follows from the dtype: decimals, missing cells, levels."""
    assert complete_publicly(fields.Number(0, 9), np.dtype("int64"), "x").precision == 0
    assert complete_publicly(fields.Number(0, 9), np.dtype("float64"), "x").precision == "continuous"
    assert complete_publicly(fields.Number(0, 9), np.dtype("float64"), "x").nullable
    assert not complete_publicly(fields.Number(0, 9), np.dtype("int64"), "x").nullable
    levels = pd.CategoricalDtype(["secret", "a"], ordered=True)
    field = complete_publicly(fields.Category(["a", "b"]), levels, "x")
    assert field.levels == ("a", "b")
    assert field.ordered
    assert complete_publicly(fields.Text(max_length=9), np.dtype(object), "x").alphabet.isprintable()


# Batches


def test_a_table_that_fits_a_batch_is_one_and_reads_nothing(released, people):
    """Up to max_columns there is one batch, at no cost."""
    ledger = Ledger(1e-5)
    clusterer = cluster_privately(ColumnClusterer(), people, released[0], ledger, 3.0)
    assert clusterer.batches_ == [list(people.columns)]
    assert not hasattr(clusterer, "association_")
    assert ledger.entries == []


def test_wide_tables_are_clustered_by_a_noisy_association():
    """Columns that follow from each other come together, and the ledger has what that cost."""
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 100, (2, N))
    table = pd.DataFrame({"a": a, "b": b, "twice_a": 2 * a, "twice_b": 2 * b})
    ledger = Ledger(1e-5)
    found = release(table, {name: fields.Number(0, 200) for name in table}, ledger, 3.0)
    clusterer = cluster_privately(ColumnClusterer(max_columns=2), table, found, ledger, 3.0)
    assert clusterer.batches_ == [["a", "twice_a"], ["b", "twice_b"]]
    assert ledger.entries[-1].step == "association of columns"
    assert ledger.entries[-1].event == clusterer.privacy_event_
    assert clusterer.association_.loc["a", "twice_a"] > 0.5  # bins of the two are cut at noisy places
    assert clusterer.association_.loc["a", "b"] < 0.3


def test_codes_for_the_association_come_from_the_release(released, people):
    """The levels are the same whatever the rows; rows decide only which of them they have."""
    whole, part = (coarse_codes(table, released[0]) for table in (people, people.head(10)))
    assert (whole.dtypes == part.dtypes).all()
    assert list(whole.columns) == list(people.columns)
    pd.testing.assert_frame_equal(whole.head(10), part)


def test_the_tokenizer_of_a_standin_reads_the_table(released, people):
    """A tokenizer that saw the stand-in alone encodes the table, and decodes it to legal values."""
    found = released[0]
    tokenizer = TableTokenizer(found.schema, min_frequency=1).fit(found.standin)
    back = tokenizer.decode(tokenizer.encode(people))
    assert set(back["city"].dropna()) == {"Ulm", "Bonn", "Kiel"}
    inside = people["age"].between(found.schema["age"].low, found.schema["age"].high)
    assert (back["age"][inside] == people["age"][inside]).all()
