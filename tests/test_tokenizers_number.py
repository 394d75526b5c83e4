"""Numbers <-> tokens: cells, leaves, bounds."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sksynth import fields
from sksynth.tokenizers import TableTokenizer, _cells, _domain
from sksynth.tokenizers._cells import Cells, partition

MISSING, OTHER = 0, 1


def fit(column, field=None, min_frequency=1):
    """Return the tokenizer of a table of one column."""
    table = pd.DataFrame({"x": column})
    return TableTokenizer(None if field is None else {"x": field}, min_frequency=min_frequency).fit(table)


def ticks(values):
    """Return positions."""
    return np.array(values, np.uint64)


def legal_tokens(grammar):
    """Return every sequence of tokens that the grammar of one field allows."""
    rows = [((), 0)]
    for slot in grammar.slots:
        rows = [
            ((*tokens, token), int(slot.transitions[state, token]))
            for tokens, state in rows
            for token in range(slot.n_tokens)
            if slot.transitions[state, token] >= 0
        ]
    return np.array([tokens for tokens, _ in rows], np.int32)


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.integers(0, 400) | st.sampled_from([0, 7, 100]), min_size=1, max_size=300),
    n_cells=st.integers(1, 40),
    min_rows=st.integers(1, 20),
)
def test_partition_covers_every_value_once(values, n_cells, min_rows):
    """Cells are ascending and disjoint, hold every value, and those of one stretch have enough rows or are alone in it."""
    distinct, counts = np.unique(ticks(values), return_counts=True)
    cells = partition(distinct, counts, np.uint64(0), np.uint64(400), n_cells, min_rows)
    assert (cells.first <= cells.last).all()
    assert (cells.last[:-1] < cells.first[1:]).all()
    index = np.searchsorted(cells.first, distinct, "right") - 1
    assert (index >= 0).all() and (distinct <= cells.last[index]).all()
    rows = np.bincount(index, counts, len(cells))
    assert (rows > 0).all()
    stretch = np.cumsum(cells.single)[~cells.single]
    alone = np.bincount(stretch)[stretch] == 1
    assert ((rows[~cells.single] >= min_rows) | alone).all()
    assert (cells.first[cells.single] == cells.last[cells.single]).all()
    assert (rows[cells.single] >= min_rows).all()


def test_partition_leaves_no_part_of_a_stretch_with_few_rows():
    """A stretch is not cut where too few rows of it are left, however many there are beyond the next spike."""
    side = [6, 6, 1, 1, 1, 1, 1, 1, 1, 1]  # half of the rows end within the second value
    values = ticks([*range(10), 20, *range(30, 40)])
    cells = partition(values, np.array([*side, 50, *side]), np.uint64(0), np.uint64(39), 9, 10)
    assert cells.single.tolist() == [False, True, False]


def test_partition_tells_spikes_from_the_rest():
    """A value that many rows share is a cell of its own; stretches without rows are no cells."""
    values, counts = ticks([0, 1, 2, 3, 100, 200, 201, 202]), np.array([500, 5, 5, 5, 400, 5, 5, 5])
    cells = partition(values, counts, np.uint64(0), np.uint64(202), 5, 5)
    assert list(zip(cells.first, cells.last, cells.single, strict=True)) == [
        (0, 0, True),
        (1, 99, False),
        (100, 100, True),
        (101, 202, False),
    ]


def test_partition_cuts_halfway_between_values():
    """Neighbouring cells meet in the middle between two values, and have about equal mass."""
    values, counts = ticks([10, 20, 30, 40]), np.array([5, 5, 5, 5])
    cells = partition(values, counts, np.uint64(0), np.uint64(100), 2, 6)
    assert list(zip(cells.first, cells.last, strict=True)) == [(0, 24), (25, 100)]


@settings(max_examples=60, deadline=None)
@given(
    values=st.lists(st.integers(-1000, 1000) | st.sampled_from([0, 7, 100]), min_size=1, max_size=400),
    min_frequency=st.integers(1, 6),
)
def test_leaves_and_gaps_are_a_partition_of_the_domain(values, min_frequency):
    """The cell sizes of all legal tokens add up to the number of values from low to high."""
    tokenizer = fit(values, min_frequency=min_frequency)
    field = tokenizer.schema_["x"]
    ids = legal_tokens(tokenizer.grammar_)
    ids = ids[ids[:, 0] != MISSING]
    ids = np.concatenate([ids, np.zeros((len(ids), tokenizer.n_free_), np.int32)], axis=1)
    assert np.exp(tokenizer.log_cell_size(ids)).sum() == pytest.approx(field.high - field.low + 1)


@settings(max_examples=30, deadline=None)
@given(values=st.lists(st.integers(-60, 60) | st.sampled_from([0, 7]), min_size=1, max_size=300))
def test_every_value_of_the_domain_has_its_own_tokens_and_digits(values):
    """Every whole number between the bounds, seen or not, comes back exactly; a leaf has as many of them as its size says."""
    tokenizer = fit(values, min_frequency=3)
    field = tokenizer.schema_["x"]
    domain = pd.DataFrame({"x": np.arange(field.low, field.high + 1)})
    ids = tokenizer.encode(domain)
    pd.testing.assert_frame_equal(tokenizer.decode(ids), domain)
    tokens = ids[:, : tokenizer.grammar_.n_positions]
    _, group, counts = np.unique(tokens, axis=0, return_inverse=True, return_counts=True)
    np.testing.assert_allclose(np.exp(tokenizer.log_cell_size(ids)), counts[group.ravel()])


@pytest.mark.parametrize("left", [1.0, np.nextafter(1.0, 2.0), 5e-324, -1.0])
def test_neighbouring_floats_have_cells_of_their_own(left):
    """Between two floats with none between them the line is cut behind the first, whichever way their mean is rounded."""
    ends = np.array([left]), np.array([np.nextafter(left, np.inf)])
    assert _cells._between(*ends) == left


def test_a_second_token_tells_the_rows_of_a_cell_apart(monkeypatch):
    """A column of many values has two tokens, and its leaves have about equal mass."""
    monkeypatch.setattr(_cells, "ROWS_PER_CELL", 40)
    column = np.random.default_rng(0).lognormal(8, 2, 20_000).astype(int)
    tokenizer = fit(column, min_frequency=5)
    first, second = tokenizer.grammar_.slots
    assert first.n_tokens <= 2 * _cells.MAX_CELLS + 2
    assert second.n_tokens <= 2 * _cells.MAX_SUBCELLS + 2
    ids = tokenizer.encode(pd.DataFrame({"x": column}))
    sampled = ids[(ids[:, 0] > OTHER) & (ids[:, 1] != OTHER), :2]
    assert len(sampled) > 0.99 * len(ids)
    top = np.unique(sampled[:, 0], return_counts=True)[1]
    assert np.median(top) == pytest.approx(20_000 / _cells.MAX_CELLS, rel=0.5)


def test_a_second_token_tells_two_values_of_a_cell_apart():
    """Where two values that many rows share are in one cell, each has tokens of its own."""
    values = np.arange(2 * _cells.MAX_CELLS)
    tokenizer = fit(np.repeat(values, 20), min_frequency=5)
    ids = tokenizer.encode(pd.DataFrame({"x": values}))
    assert len(np.unique(ids[:, : tokenizer.grammar_.n_positions], axis=0)) == len(values)


def test_tokens_that_no_row_could_hold_are_never_drawn():
    """OTHER, what is elsewhere in a cell, and MISSING in a column without missing cells are unsampled."""
    column = np.repeat([0, 100, 500, 1000], 50)
    tokenizer = fit(column, min_frequency=5)
    (slot,) = tokenizer.grammar_.slots
    assert slot.unsampled.tolist() == [True, True, False, False, False, False]
    ids = tokenizer.encode(pd.DataFrame({"x": [50, 999]}))
    assert ids[:, 0].tolist() == [OTHER, OTHER]
    assert tokenizer.decode(ids)["x"].tolist() == [50, 999]
    assert tokenizer.log_cell_size(ids) == pytest.approx(np.log(997))


def test_a_column_without_gaps_has_no_other():
    """Where the cells cover the domain, OTHER is illegal: it would have no value to stand for."""
    tokenizer = fit([1, 2, 3] * 5, min_frequency=5)
    assert tokenizer.grammar_.slots[0].transitions[0].tolist() == [0, -1, 0, 0, 0]


def test_values_beyond_the_bounds_are_clipped_and_counted():
    """Bounds are the min_frequency-th smallest and largest value; the schema counts the rows beyond, which it clips."""
    column = [-99, *range(10), 999]
    tokenizer = fit(column, min_frequency=2)
    field = tokenizer.schema_["x"]
    assert (field.low, field.high, field.n_folded) == (0, 9, 2)
    again = tokenizer.decode(tokenizer.encode(pd.DataFrame({"x": [-99, 5, 999]})))
    assert again["x"].tolist() == [0, 5, 9]


def test_no_single_row_moves_the_bounds():
    """Changing the largest value leaves bounds and tokens as they are."""
    first, second = (fit([*range(50), *range(50), outlier], min_frequency=5) for outlier in (60, 10**9))
    assert first.schema_["x"].replace(n_folded=0) == second.schema_["x"].replace(n_folded=0)
    table = pd.DataFrame({"x": range(45)})
    np.testing.assert_array_equal(first.encode(table), second.encode(table))


def test_given_bounds_are_the_domain_but_only_where_data_is_it_sampled():
    """Values between given bounds and the data are legal and exact, and unsampled."""
    tokenizer = fit(np.repeat(np.arange(40, 60), 10), fields.Number(0, 1000), min_frequency=5)
    field = tokenizer.schema_["x"]
    assert (field.low, field.high, field.n_folded) == (0, 1000, 0)
    far = pd.DataFrame({"x": [0, 39, 61, 1000]})
    ids = tokenizer.encode(far)
    assert (ids[:, 0] == OTHER).all()
    pd.testing.assert_frame_equal(tokenizer.decode(ids), far)


def test_free_digits_are_uniform_over_a_leaf():
    """Drawn digits fill a leaf evenly, and every value of it occurs."""
    tokenizer = fit([0, 9, 9, 0], fields.Number(0, 9), min_frequency=3)
    rng = np.random.default_rng(0)
    table = tokenizer.encode(pd.DataFrame({"x": [5]}))
    ids = np.concatenate([np.repeat(table[:, :1], 20_000, axis=0), tokenizer.draw_free(range(20_000), rng, 0)], axis=1)
    counts = np.bincount(tokenizer.decode(ids)["x"], minlength=10)
    assert counts == pytest.approx(np.full(10, 2000), rel=0.1)


@pytest.mark.parametrize("dtype", ["int64", "uint64"])
def test_free_digits_reach_over_all_of_64_bits(dtype):
    """In a leaf of nearly 2**64 values the digits are uniform, and the ends come back exactly."""
    info = np.iinfo(dtype)
    middle = int(info.min) // 2 + int(info.max) // 2
    column = np.array([info.min, middle, info.max], dtype)
    tokenizer = fit(column, fields.Number(int(info.min), int(info.max)), min_frequency=5)
    ends = pd.DataFrame({"x": np.array([info.min, info.min + 1, info.max], dtype)})
    ids = tokenizer.encode(ends)
    pd.testing.assert_frame_equal(tokenizer.decode(ids), ends)
    rng = np.random.default_rng(0)
    ids = np.concatenate([np.repeat(ids[:1, :1], 4000, axis=0), tokenizer.draw_free(range(4000), rng, 0)], axis=1)
    quarter = tokenizer.decode(ids)["x"].to_numpy().astype(float)
    counts = np.histogram(quarter, bins=4, range=(float(info.min), float(info.max)))[0]
    assert counts == pytest.approx(np.full(4, 1000), rel=0.15)


def test_spikes_of_a_continuous_column_are_exact():
    """A float that many rows share is a cell of its own and comes back to the bit; its size is a point's."""
    rng = np.random.default_rng(0)
    column = np.concatenate([np.full(200, np.pi), rng.normal(size=300)])
    tokenizer = fit(column, min_frequency=5)
    assert tokenizer.schema_["x"].precision == "continuous"
    ids = tokenizer.encode(pd.DataFrame({"x": [np.pi]}))
    assert tokenizer.decode(ids)["x"].tolist() == [np.pi]
    assert tokenizer.log_cell_size(ids).tolist() == [0.0]


def test_continuous_cells_have_a_width():
    """Leaves of a continuous column have a width: those of all leaves and gaps add up to the range, spikes left out."""
    column = np.random.default_rng(0).normal(size=500)
    tokenizer = fit(column, min_frequency=5)
    field = tokenizer.schema_["x"]
    ids = legal_tokens(tokenizer.grammar_)
    ids = ids[ids[:, 0] != MISSING]
    ids = np.concatenate([ids, np.zeros((len(ids), tokenizer.n_free_), np.int32)], axis=1)
    widths = np.exp(tokenizer.log_cell_size(ids))
    spikes = tokenizer.decode(ids)["x"].isin([field.low, field.high])  # five clipped rows each
    assert widths[spikes & (widths == 1.0)].tolist() == [1.0, 1.0]
    assert widths.sum() - 2.0 == pytest.approx(field.high - field.low)


def test_precision_is_that_of_the_data():
    """Decimals are counted, up to 12 and to what a float holds; a coarser given precision rounds."""
    places = {0: [1.0, 2.0], 1: [0.1, 0.25 * 2], 3: [0.125, 1.0], "continuous": [1 / 3, 0.5]}
    for precision, column in places.items():
        assert fit(column).schema_["x"].precision == precision
    assert fit([1e15 + 0.5, 0.25]).schema_["x"].precision == "continuous"
    assert fit(np.array([0.1, 0.7], np.float32)).schema_["x"].precision == 1
    tokenizer = fit([0.126, 1.0], fields.Number(precision=2))
    assert tokenizer.decode(tokenizer.encode(pd.DataFrame({"x": [0.126, 1.0]})))["x"].tolist() == [0.13, 1.0]


def test_durations_are_numbers_of_their_coarsest_unit():
    """A timedelta column of whole hours counts hours, and its bounds read as durations."""
    column = pd.Series(pd.to_timedelta([1, 2, 30, None], unit="h"))
    tokenizer = fit(column)
    field = tokenizer.schema_["x"]
    assert (field.low, field.high, field.precision) == (pd.Timedelta("1h"), pd.Timedelta("30h"), "h")
    ids = tokenizer.encode(pd.DataFrame({"x": pd.to_timedelta([7, 29], unit="h")}))
    assert tokenizer.decode(ids)["x"].tolist() == [pd.Timedelta("7h"), pd.Timedelta("29h")]


def test_the_range_of_floats_may_overflow():
    """A range wider than the largest float is scaled down, and finite values come back finite."""
    column = [-1.7e308, 0.1, 1.7e308]
    tokenizer = fit(column, fields.Number(-1.7e308, 1.7e308), min_frequency=3)
    ids = tokenizer.encode(pd.DataFrame({"x": column}))
    np.testing.assert_allclose(tokenizer.decode(ids)["x"], column, atol=1e293)
    assert tokenizer.log_cell_size(ids) == pytest.approx(np.log(1.7e308) + np.log(2))


def test_cells_of_no_rows_have_no_leaf():
    """A domain without data has no cell: all of it is elsewhere, and missing is what can be drawn."""
    cells = Cells(ticks([]), np.uint64(0), np.uint64(9), 5)
    assert cells.n_cells == 0
    assert cells.size.tolist() == [10.0]
    assert cells.run("x", nullable=False).slots[0].unsampled.tolist() == [False, True]


@pytest.mark.parametrize(("dtype", "rounding"), [("float64", 1e-10), ("float32", 1e-7)])
def test_floats_are_the_same_to_within_rounding(dtype, rounding):
    """What a cell is decoded to is what was given where no more than rounding to its dtype lies between them."""
    given = pd.Series([5.0, 5.0, np.nan, 5.0], dtype=dtype)
    decoded = pd.Series([5.0 * (1 + rounding), 5.001, np.nan, np.nan], dtype=dtype)
    assert _domain._are_same(given, decoded).tolist() == [True, False, True, False]


RNG = np.random.default_rng(3)
HOLES = {
    "last day": (RNG.integers(17_000, 20_000, 1000).astype("datetime64[D]").astype("datetime64[s]"), "9999-12-31"),
    "income": (RNG.lognormal(10, 0.8, 1000).astype(int), 99_999_999),
    "temperature": (RNG.normal(15, 8, 1000).round(1), -999.0),
    "continuum": (RNG.lognormal(10, 0.8, 1000), 1e9),
}


def with_hole(name, n_rows=40):
    """Return a column with a value far from all others in some rows, and where it is not that."""
    values, far = HOLES[name]
    values = values.copy()
    values[:n_rows] = far
    return pd.Series(values), values != values[0]


@pytest.mark.parametrize("name", HOLES)
@pytest.mark.parametrize("n_rows", [5, 40])
def test_nothing_is_drawn_between_the_values_and_one_that_stands_for_none(name, n_rows):
    """Where a hole parts one value from all others nothing in it is drawn, and all rows are decoded but to their place."""
    column, is_real = with_hole(name, n_rows)
    tokenizer = fit(column, min_frequency=5)
    ids = tokenizer.encode(pd.DataFrame({"x": column}))
    low, high = tokenizer.schema_["x"].low, tokenizer.schema_["x"].high
    assert tokenizer.decode(ids)["x"].equals(column.clip(low, high))
    sampled = ids[(ids[:, 0] != OTHER) & (ids[:, 1] != _cells.ELSEWHERE)]
    assert len(ids) - len(sampled) < 5
    for seed in range(20):
        sampled[:, -tokenizer.n_free_ :] = tokenizer.draw_free(range(len(sampled)), np.random.default_rng(seed), seed)
        drawn = tokenizer.decode(sampled)["x"]
        real = drawn != column[0]
        assert drawn[real].between(column[is_real].min(), column[is_real].max()).all() and (~real).sum() == n_rows


def test_holes_between_clusters_are_left_out():
    """Of two clusters none reaches towards the other; the cells of one cluster alone stay what they were."""
    left, right = RNG.normal(0, 1, 500), RNG.normal(300, 1, 500)
    cells = fit(np.concatenate([left, right]), min_frequency=5).codecs_[0].cells
    first, last = cells.first[: cells.n_cells], cells.last[: cells.n_cells]
    assert ((last <= left.max()) | (first >= right.min())).all() and (first >= right.min()).any()
    alone = Cells(left, left.min(), left.max(), 5)
    for name, value in vars(Cells(left, left.min(), left.max(), 5, holes=False)).items():
        np.testing.assert_array_equal(getattr(alone, name), value)


@pytest.mark.parametrize("name", HOLES)
def test_no_single_row_says_where_a_hole_begins(name):
    """Cells are the same wherever fewer than min_frequency rows next to a hole lie."""
    column, is_real = with_hole(name)
    order = column[is_real].sort_values(ascending=name == "temperature").index
    moved = column.copy()
    beyond = column[order[:4]] != column[order[4]]
    moved[order[:4][beyond]] = column[order[0]] + (column[order[0]] - column[order[4]])
    assert not moved.equals(column)
    one, other = (fit(values, min_frequency=5).to_state()["codecs"][0]["cells"] for values in (column, moved))
    for level in ("top", "parts"):
        for end in ("first", "last", "single"):
            np.testing.assert_array_equal(one[level][end], other[level][end])


def test_a_standin_says_nothing_of_holes():
    """Of rows that only stand for others, cells reach over what they lack: every value in between has a cell."""
    column, _ = with_hole("income")
    tokenizer = TableTokenizer(min_frequency=5).fit_standin(pd.DataFrame({"x": column}))
    ids = tokenizer.encode(pd.DataFrame({"x": np.linspace(1e6, 9e7, 50).astype(int)}))
    assert (ids[:, 0] != OTHER).all()
