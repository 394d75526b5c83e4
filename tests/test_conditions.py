"""What may be given of a column, as weights of tokens and as digits that are settled."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sksynth import fields
from sksynth.fields import Interval
from sksynth.tokenizers import TableTokenizer
from sksynth.tokenizers._stretches import Stretches

N = 400
MISSING = 0


def made_table():
    """Return a table of all kinds of columns and of many dtypes."""
    rng = np.random.default_rng(0)
    day, holes = pd.Timestamp("2020-01-01"), rng.uniform(size=N) < 0.2
    return pd.DataFrame(
        {
            "note": pd.Series([f"a {rng.choice(['cat', 'dog'])}, {i % 7}" for i in range(N)]).mask(holes),
            "size": pd.Categorical(rng.choice(["s", "m", "l"], N), categories=["s", "m", "l"], ordered=True),
            "kind": pd.Series(rng.choice(["cat", "cow", "dog"], N)).mask(holes),
            "level": rng.choice(np.array([1, 2.5, 3, "x"], object), N),
            "tame": pd.Series(rng.uniform(size=N) > 0.5, dtype="boolean").mask(holes),
            "age": pd.Series(rng.integers(0, 90, N), dtype="Int64").mask(holes),
            "wealth": rng.integers(0, 10**15, N) * 11,
            "key": rng.integers(2**62, 2**63, N).astype(np.uint64) * np.uint64(2),
            "price": rng.integers(0, 5000, N) / 100,
            "weight": rng.normal(size=N),
            "narrow": rng.normal(size=N).astype(np.float32) * np.float32(np.pi) ** 7,
            "nullable": pd.Series(rng.normal(size=N), dtype="Float64").mask(holes),
            "cells": pd.Series(rng.normal(size=N), dtype=object).mask(holes, None),
            "day": day + pd.to_timedelta(rng.integers(0, 999, N), unit="D"),
            "instant": pd.Series(day + pd.to_timedelta(rng.integers(0, 10**15, N), unit="ns")).mask(holes),
            "zoned": (day + pd.to_timedelta(rng.integers(0, 10**7, N), unit="s")).tz_localize("Europe/Berlin"),
            "written": pd.Series(day + pd.to_timedelta(rng.integers(0, 999, N), unit="D")).dt.strftime("%d.%m.%Y"),
            "ancient": day.as_unit("s").to_numpy() - rng.integers(0, 3 * 10**10, N).astype("m8[s]"),
            "took": pd.Series(pd.to_timedelta(rng.integers(0, 10**7, N), unit="ms")).mask(holes),
            "code": pd.Series([f"K-{i:06d}" for i in range(N)]).mask(holes),
            "number": np.arange(N) + 100_000,
        }
    )


TABLE = made_table()
SCHEMA = {
    "note": fields.Text(),
    "level": fields.Category([1, 2.5, 3, "x"]),
    "code": fields.Identifier(),
    "number": fields.Identifier(),
    **dict.fromkeys(["narrow", "nullable", "cells"], fields.Number(precision="continuous")),
}
TOKENIZER = TableTokenizer(SCHEMA, min_frequency=1).fit(TABLE)
RANGED = [column for column in TABLE if column not in ("note", "code", "number", "level")]


def drawn(tokenizer, column, wanted, n=100, seed=0):
    """Return n cells that meet a condition, and their ids, with tokens drawn at random among those that have weight."""
    rng, grammar = np.random.default_rng(seed), tokenizer.grammar_
    condition = tokenizer.conditions({column: wanted})[column]
    ids = np.zeros((n, grammar.n_positions + tokenizer.n_free_), np.int32)
    ids[:, grammar.n_positions :] = tokenizer.draw_free(range(n), rng, seed)
    start = condition.positions.start
    for position in range(start, condition.positions.stop):
        weights = condition.log_weights(ids[:, start:position])
        assert weights.dtype == np.float32 and weights.shape == (n, grammar.slots[grammar.slot_of_position[position]].n_tokens)
        assert (weights <= 0).all()
        assert (weights > -np.inf).any(axis=1).all()  # no dead ends
        ids[:, position] = np.where(weights > -np.inf, rng.gumbel(size=weights.shape), -np.inf).argmax(axis=1)
    before = ids.copy()
    settled = condition.settled(ids)
    np.testing.assert_array_equal(ids, before)
    np.testing.assert_array_equal(settled, condition.settled(ids))
    own = np.r_[condition.positions, condition.free]
    np.testing.assert_array_equal(np.delete(settled, own, axis=1), np.delete(ids, own, axis=1))
    return condition.put_into(tokenizer.decode(settled)[column]), ids


def meets(cell, wanted, field):
    """Return whether a cell is what was given."""
    wanted = wanted if isinstance(wanted, list) else [wanted]
    if pd.isna(cell):
        return any(not isinstance(one, Interval) and pd.isna(one) for one in wanted)
    cell = comparable(cell, field)
    for one in wanted:
        if isinstance(one, Interval):
            ends = (None if end is None else comparable(end, field) for end in (one.low, one.high))
            if cell in Interval(*ends):
                return True
        elif not pd.isna(one) and comparable(one, field) == cell:
            return True
    return False


def comparable(cell, field):
    """Return a cell as what tells its place in the order of its column."""
    if field.kind == "datetime" and field.format:
        return pd.to_datetime(cell, format=field.format)
    if getattr(field, "ordered", False):
        return field.levels.index(cell)
    return float(cell) if isinstance(cell, np.floating) else cell


@st.composite
def questions(draw):
    """Draw a column, and what is given of it."""
    column = draw(st.sampled_from(list(TABLE)))
    cells, field = TABLE[column].dropna().astype(object), TOKENIZER.schema_[column]
    one = st.sampled_from(cells.tolist())
    parts = [one] if column not in RANGED else [one, intervals(one, field)]
    parts += [st.none()] if field.nullable else []
    part = st.one_of(parts)
    return column, draw(part | st.lists(part, min_size=1, max_size=5))


def intervals(cells, field):
    """Return the strategy of intervals between cells, or open ones."""

    def ordered(ends):
        low, high = ends
        swap = low is not None and high is not None and comparable(low, field) > comparable(high, field)
        return Interval(high, low) if swap else Interval(low, high)

    return st.tuples(st.none() | cells, st.none() | cells).map(ordered)


@settings(max_examples=150, deadline=None)
@given(question=questions(), seed=st.integers(0, 2**32))
def test_every_cell_meets_its_condition(question, seed):
    """Whatever tokens and digits are drawn, the decoded cell is what was given; and no row is stuck."""
    column, wanted = question
    cells, _ = drawn(TOKENIZER, column, wanted, seed=seed)
    assert cells.dtype in (TABLE[column].dtype, "Int64", "boolean")
    assert all(meets(cell, wanted, TOKENIZER.schema_[column]) for cell in cells)


@pytest.mark.parametrize("column", list(TABLE))
def test_one_value_comes_back(column):
    """One exact value comes back as it was given, with the dtype of the column; each of a list of two comes."""
    one, other = TABLE[column].dropna().drop_duplicates().iloc[:2]
    cells, _ = drawn(TOKENIZER, column, one)
    assert cells.dtype == TABLE[column].dtype and (cells == one).all()
    assert set(drawn(TOKENIZER, column, [one, other])[0]) == {one, other}


@pytest.mark.parametrize("column", [column for column in TABLE if column != "number"])
def test_exact_values_are_the_tokens_that_given_says(column):
    """The tokens of one exact value are the only ones with weight, and those in whose context `given` draws."""
    cell = TABLE[column].iloc[[7]]
    found, _ = TOKENIZER.given(cell.to_frame())
    condition = TOKENIZER.conditions({column: cell})[column]
    assert list(found) == ([] if condition.run is None else [column])
    tokens = found.get(column, np.empty((1, 0), np.int32))
    for place in range(tokens.shape[1]):
        np.testing.assert_array_equal(np.flatnonzero(condition.log_weights(tokens[:, :place])[0] > -np.inf), tokens[0, place])


@pytest.mark.parametrize("column", [column for column in TABLE if TOKENIZER.schema_[column].nullable])
def test_missing_is_given(column):
    """Where missing is given, all cells are; in a list, some are; in an interval, none."""
    for gone in (None, np.nan, pd.NA, pd.NaT):
        assert drawn(TOKENIZER, column, gone)[0].isna().all()
    both = [None, TABLE[column].dropna().iloc[0]]
    assert set(drawn(TOKENIZER, column, both)[0].isna()) == {True, False}
    if column in RANGED:
        assert drawn(TOKENIZER, column, Interval())[0].notna().all()


def test_lists_of_any_kind_are_lists():
    """Lists, tuples, sets, ranges, arrays, Series and Index say the same; a single value in an array is a value."""
    kinds = [list, tuple, set, frozenset, np.array, pd.Series, pd.Index, pd.array]
    for values in [range(30, 33), *(kind([30, 31, 32]) for kind in kinds)]:
        assert set(drawn(TOKENIZER, "age", values)[0]) == {30, 31, 32}
    assert set(drawn(TOKENIZER, "age", np.array(30))[0]) == {30}


def leaves_of(tokenizer, values):
    """Return the leaf of every value as a number, and the tokens of every leaf."""
    ids = tokenizer.encode(pd.DataFrame({"x": values}))[:, : tokenizer.grammar_.n_positions]
    tokens, leaf = np.unique(ids, axis=0, return_inverse=True)
    return leaf, tokens


def log_share(condition, tokens):
    """Return the sum of the log weights of rows of tokens."""
    rows, total = np.arange(len(tokens)), np.zeros(len(tokens))
    for place in range(tokens.shape[1]):
        total += condition.log_weights(tokens[:, :place])[rows, tokens[:, place]]
    return total


@settings(max_examples=60, deadline=None)
@given(
    data=st.data(),
    values=st.lists(st.integers(0, 600) | st.sampled_from([0, 7, 100]), min_size=1, max_size=400),
    beyond=st.integers(0, 50),
    min_frequency=st.integers(1, 5),
)
def test_weights_are_shares_of_leaves(data, values, beyond, min_frequency):
    """The weights of a leaf's tokens multiply to the share of its values that meet the condition: counted, all of them."""
    low, high = min(values) - beyond, max(values) + beyond
    tokenizer = TableTokenizer({"x": fields.Number(low, high)}, min_frequency=min_frequency).fit(pd.DataFrame({"x": values}))
    one = st.integers(low, high)
    interval = st.tuples(one, one).map(lambda ends: Interval(min(ends), max(ends)))
    wanted = data.draw(st.lists(one | interval, min_size=1, max_size=6))
    domain = np.arange(low, high + 1)
    met = np.array([meets(value, wanted, tokenizer.schema_["x"]) for value in domain])
    leaf, tokens = leaves_of(tokenizer, domain)
    never = [slot.unsampled for slot in tokenizer.grammar_.slots]
    never = np.any([never[place][tokens[:, place]] for place in range(tokens.shape[1])], axis=0)
    share = np.where(never, 0.0, np.bincount(leaf, met) / np.bincount(leaf))
    found = np.exp(log_share(tokenizer.conditions({"x": wanted})["x"], tokens))
    cells, ids = drawn(tokenizer, "x", wanted)
    if share.any():
        np.testing.assert_allclose(found, share, rtol=1e-6)
    else:  # no cell meets it: the nearest ones stand for it
        assert set(found) <= {0.0, 1.0} and found.any() and not found[never].any()
    assert met[cells.to_numpy() - low].all()
    assert tokenizer.grammar_.states(ids[:, : tokenizer.grammar_.n_positions]).shape[0] == len(ids)


@pytest.mark.parametrize("wanted", [Interval(-0.5, 0.1), Interval(1.2), [Interval(-2, -1), Interval(0.33, 0.34)]])
def test_weights_are_shares_of_widths(wanted):
    """On a continuum, the weights of a leaf's tokens multiply to the share of its width that meets the condition."""
    values = np.random.default_rng(0).normal(size=3000)
    tokenizer = TableTokenizer(min_frequency=5).fit(pd.DataFrame({"x": values}))
    cells = tokenizer.codecs_[0].cells
    tokens = np.stack([cells.token1, cells.token2], axis=1)[: cells.n_cells]
    found = np.exp(log_share(tokenizer.conditions({"x": wanted})["x"], tokens))
    grid = cells.first[:, None] + (np.arange(2000) + 0.5) / 2000 * (cells.last - cells.first)[:, None]
    ranges = wanted if isinstance(wanted, list) else [wanted]
    met = [(grid >= one.low) & (grid <= (np.inf if one.high is None else one.high)) for one in ranges]
    share = np.any(met, axis=0).mean(axis=1)[: cells.n_cells]
    np.testing.assert_allclose(found, share, atol=2 / 2000)


def test_points_of_a_continuum_have_the_density_of_their_leaf():
    """Of two exact values, the one in the narrower leaf has the larger weight, as 1 / width; also zero is no exception."""
    values = np.random.default_rng(0).normal(size=3000)
    tokenizer = TableTokenizer(min_frequency=5).fit(pd.DataFrame({"x": values}))
    points = pd.Series([0.0, 2.2])
    found = log_share(tokenizer.conditions({"x": points})["x"], tokenizer.given(pd.DataFrame({"x": points}))[0]["x"])
    leaf = tokenizer.codecs_[0].cells.find(points.to_numpy())
    assert found[0] - found[1] == pytest.approx(np.diff(np.log(tokenizer.codecs_[0].cells.size[leaf]))[0], rel=1e-5)


def is_uniform(places, n_places):
    """Return whether places 0 to n_places - 1 are about equally frequent: chi-square, wrongly not once in a million."""
    counts = np.bincount(places, minlength=n_places)
    return len(counts) == n_places and stats.chisquare(counts).pvalue > 1e-6


def test_places_within_a_leaf_are_uniform():
    """What is drawn is uniform over the part of a leaf that meets the condition, whatever its pieces."""
    table = pd.DataFrame({"x": [0, 999] * 5})
    tokenizer = TableTokenizer({"x": fields.Number(0, 999)}, min_frequency=6).fit(table)
    assert tokenizer.codecs_[0].cells.n_cells == 1
    cells, _ = drawn(tokenizer, "x", [Interval(10, 19), 500, Interval(990, 2000), Interval(15, 24), 700], n=20_000)
    places = pd.Index([*range(10, 25), 500, 700, *range(990, 1000)])
    assert is_uniform(places.get_indexer(cells), len(places))


@pytest.mark.parametrize("width", [2**31, 2**52, 2**63, 2**64 - 1])
def test_places_are_uniform_in_wide_leaves(width):
    """Whole numbers wider than the free digits are uniform too, and so are those of an interval that cuts them."""
    table = pd.DataFrame({"x": np.array([0, width], np.uint64)})
    tokenizer = TableTokenizer({"x": fields.Number(0, width)}, min_frequency=5).fit(table)
    assert tokenizer.codecs_[0].cells.n_cells == 1
    low, high = width // 3, width // 3 * 2
    for wanted, start, stop in [(Interval(low, high), low, high), (Interval(), 0, width)]:
        cells, _ = drawn(tokenizer, "x", wanted, n=5_000)
        share = [(int(cell) - start) / (stop - start) for cell in cells]
        assert stats.kstest(share, "uniform").pvalue > 1e-6
    cells, _ = drawn(tokenizer, "x", [Interval(0, 1), Interval(width - 1)], n=5_000)
    assert is_uniform(np.array([int(cell) if cell < 2 else int(cell) - width + 3 for cell in cells]), 4)


def test_floats_are_uniform_in_a_leaf():
    """On a continuum the pieces of a leaf are drawn by their widths, and places in them are uniform."""
    tokenizer = TableTokenizer({"x": fields.Number(0.0, 1.0, precision="continuous")}, min_frequency=5)
    tokenizer.fit(pd.DataFrame({"x": [0.0, 1 / 3, 1.0]}))
    cells, _ = drawn(tokenizer, "x", [Interval(0.1, 0.2), Interval(0.7, 0.75), Interval(0.95, 3)], n=5_000)
    place = np.interp(cells, [0.1, 0.2, 0.7, 0.75, 0.95, 1.0], [0, 0.5, 0.5, 0.75, 0.75, 1])
    assert stats.kstest(place, "uniform").pvalue > 1e-6


def test_points_are_uniform_in_a_leaf():
    """Several exact values of one leaf of a continuum are equally frequent, and come back to the last bit."""
    tokenizer = TableTokenizer({"x": fields.Number(0.0, 1.0, precision="continuous")}, min_frequency=5)
    tokenizer.fit(pd.DataFrame({"x": [0.0, 1 / 3, 1.0]}))
    points = [0.0, 1e-20, 0.1, 2 / 3, 1.0]
    cells, _ = drawn(tokenizer, "x", points, n=5_000)
    assert is_uniform(pd.Index(points).get_indexer(cells), len(points))
    for point in (1e-300, 0.1 + 1e-16):
        assert (drawn(tokenizer, "x", point)[0] == point).all()


@pytest.mark.parametrize("column", ["narrow", "weight", "nullable", "cells", "price"])
def test_ends_that_are_no_values_of_the_column(column):
    """Ends of intervals hold exactly, also where a column cannot hold them: those of float32, or of two decimals."""
    for wanted in (Interval(0.1, 0.2 + 1e-9), Interval(0.1 + 1e-12, 0.7), [Interval(0.3, 0.3000001), Interval(1 / 3, 0.4)]):
        cells, _ = drawn(TOKENIZER, column, wanted)
        assert all(meets(cell, wanted, TOKENIZER.schema_[column]) for cell in cells)


def test_instants_are_uniform_in_a_second():
    """Parts of a second are drawn uniformly from what meets the condition, to the nanosecond."""
    second = pd.Timestamp("2020-01-03 04:05:06").as_unit("ns")
    wanted = [Interval(second + pd.Timedelta("100ns"), second + pd.Timedelta("104ns")), second + pd.Timedelta("0.7s")]
    cells, _ = drawn(TOKENIZER, "instant", wanted, n=5_000)
    places = pd.Index([*range(100, 105), 700_000_000])
    assert is_uniform(places.get_indexer((cells - second) // pd.Timedelta(1, "ns")), len(places))
    condition, tokens = TOKENIZER.conditions({"instant": wanted})["instant"], np.array([[2, 1, 3, 5, 6]])
    assert condition.log_weights(tokens)[0, 7] == pytest.approx(np.log(6e-9), rel=1e-5)


def test_identifiers_are_chosen_uniformly():
    """Each of several identifiers is as frequent as the others; those of fit may be given, and those never seen."""
    wanted = ["K-000001", "K-000002", "K-999999"]
    cells, _ = drawn(TOKENIZER, "code", [*wanted, wanted[0]], n=5_000)
    assert is_uniform(pd.Index(wanted).get_indexer(cells), 3)
    cells, _ = drawn(TOKENIZER, "number", [100_001, 999_999], n=2_000)
    assert is_uniform(pd.Index([100_001, 999_999]).get_indexer(cells), 2)


@pytest.mark.parametrize(
    ("scale", "wanted", "nearest"),
    [
        (1, 30, [0]),
        (1, [170, 70, 600], [1, 2]),
        (1, Interval(450, 500), [2]),
        (1, Interval(650, 900), [3]),
        (0.011, [0.3, Interval(0.02, 0.1)], [0]),
        (0.1, Interval(7.5, 9.2), [1]),
        (np.pi, 30.123456789, [0]),
        (np.pi, Interval(300, 310), [1]),
        (np.pi, [Interval(400, 401), 400.5, 2000.0], [1, 3]),
    ],
)
def test_what_no_row_holds_can_be_given(scale, wanted, nearest):
    """Where no cell meets the condition, the nearest ones are the context, and settled rows meet it all the same."""
    spikes = np.array([0, 100, 200, 1000]) * scale
    tokenizer = TableTokenizer(min_frequency=5).fit(pd.DataFrame({"x": np.repeat(spikes, 50)}))
    cells, ids = drawn(tokenizer, "x", wanted, n=300)
    assert all(meets(cell, wanted, tokenizer.schema_["x"]) for cell in cells)
    assert set(ids[:, 0] - 2) == set(nearest)
    if isinstance(wanted, Interval):
        assert cells.nunique() > 1


def test_frames_may_hold_what_no_row_holds():
    """Given cells between those of fit are in the context of the nearest cell, and are kept as they are."""
    tokenizer = TableTokenizer(min_frequency=5).fit(pd.DataFrame({"x": np.repeat([0, 100, 1000], 50)}))
    frame = pd.DataFrame({"x": [3, 60, 549, 551, 1000]})
    tokens, cells = tokenizer.given(frame)
    assert (tokens["x"][:, 0] - 2).tolist() == [0, 1, 1, 2, 2]
    pd.testing.assert_frame_equal(cells, frame)


def test_gaps_within_a_divided_cell():
    """Where a gap lies between the parts of a cell, the nearest part is the context of what is given there."""
    parts = np.repeat([10_000, 10_500, 11_000], 10), np.arange(20_000, 22_000), np.repeat([0, 90_000], 2000)
    tokenizer = TableTokenizer(min_frequency=5).fit(pd.DataFrame({"x": np.concatenate(parts)}))
    cells = tokenizer.codecs_[0].cells
    assert cells.token2[cells.find(np.array([10_200], np.uint64))[0]] == 1  # elsewhere in a divided cell
    found, ids = drawn(tokenizer, "x", Interval(10_020, 10_120))
    assert found.between(10_020, 10_120).all() and found.nunique() > 30
    assert (tokenizer.decode(ids)["x"] == 10_000).all()


def test_columns_without_cells():
    """A column of which fit saw missing cells only holds the values between its bounds all the same."""
    tokenizer = TableTokenizer({"x": fields.Number(0, 50)}).fit(pd.DataFrame({"x": np.full(9, np.nan)}))
    for wanted in (7, [Interval(10, 20), 3], None):
        assert all(meets(cell, wanted, tokenizer.schema_["x"]) for cell in drawn(tokenizer, "x", wanted)[0])
    tokenizer = TableTokenizer().fit(pd.DataFrame({"x": np.full(9, np.nan)}))
    assert drawn(tokenizer, "x", None)[0].isna().all()
    with pytest.raises(ValueError, match=r"given\['x'\] is Interval\(1, 2\), in which no value of that column lies"):
        tokenizer.conditions({"x": Interval(1, 2)})


def test_texts_that_are_the_same_to_the_model_come_back_whole():
    """Texts of a list come back with what the model does not know of them."""
    wanted = ["a cat, 3", "a ☃", "very " * 300, ""]
    assert set(drawn(TOKENIZER, "note", wanted)[0]) == set(wanted)


def test_dates_may_be_written():
    """Ends of intervals and values may be written; those without a time zone are of the column's."""
    assert set(drawn(TOKENIZER, "day", ["2020-02-01", "2020-02-03"])[0].dt.day) == {1, 3}
    assert drawn(TOKENIZER, "ancient", Interval("1500-01-01", "1600-12-31"))[0].dt.year.between(1500, 1600).all()
    cells, _ = drawn(TOKENIZER, "zoned", Interval("2020-01-09", "2020-01-10"))
    assert cells.between(*(pd.Timestamp(day, tz="Europe/Berlin") for day in ("2020-01-09", "2020-01-10"))).all()
    assert drawn(TOKENIZER, "took", Interval("1h", "90min"))[0].between(pd.Timedelta("1h"), pd.Timedelta("90min")).all()


def test_a_local_midnight_that_the_clock_skips():
    """An interval of days holds those days only whose first instant it holds."""
    days = pd.Series(pd.date_range("2018-10-20", "2018-11-20"))
    days = days.dt.tz_localize("America/Sao_Paulo", nonexistent="shift_forward")  # 2018-11-04 begins at 1 o'clock
    tokenizer = TableTokenizer({"x": fields.Datetime(resolution="D")}, min_frequency=1).fit(pd.DataFrame({"x": days}))
    wanted = Interval("2018-11-03", pd.Timestamp("2018-11-04 02:59", tz="UTC"))
    assert set(drawn(tokenizer, "x", wanted)[0]) == {pd.Timestamp("2018-11-03", tz="America/Sao_Paulo")}


def test_categories_of_several_types():
    """An interval holds the categories that can be compared with its ends; an ordered column goes by its levels."""
    assert set(drawn(TOKENIZER, "level", Interval(2))[0]) == {2.5, 3}
    assert set(drawn(TOKENIZER, "kind", Interval("cat", "cow"))[0]) == {"cat", "cow"}
    assert set(drawn(TOKENIZER, "size", Interval("s", "m"))[0]) == {"s", "m"}
    schema = {"x": fields.Category(["a", "b"], other="rest")}
    tokenizer = TableTokenizer(schema).fit(pd.DataFrame({"x": list("abcab")}))
    assert set(drawn(tokenizer, "x", ["rest", "a"])[0]) == {"rest", "a"}
    assert set(drawn(tokenizer, "x", Interval("b"))[0]) == {"rest", "b"}


@pytest.mark.parametrize(
    ("column", "wanted", "error", "message"),
    [
        ("age", [], ValueError, r"given\['age'\] is empty, \[\]"),
        ("age", [3, 99], ValueError, r"given\['age'\] is .*99.*, outside the domain of that column: 0 .. 89"),
        ("age", [3, "x"], ValueError, r"given\['age'\] is 'x' of type str, which is no value of that column"),
        ("age", [3, [4]], TypeError, r"given\['age'\] holds \[4\]: list values"),
        ("age", Interval(90, 100), ValueError, r"given\['age'\] is Interval\(90, 100\), in which no value .* 0 .. 89"),
        ("age", Interval(4.1, 4.9), ValueError, r"given\['age'\] is Interval\(4.1, 4.9\), in which no value"),
        ("age", [3, Interval(high=-1)], ValueError, r"given\['age'\] is Interval\(high=-1\), in which no value"),
        ("age", Interval("a"), ValueError, r"given\['age'\] is Interval\(low='a'\), but 'a' is no value of that column"),
        ("age", Interval(True), ValueError, "but True is no value of that column"),
        ("weight", Interval(100.0), ValueError, "in which no value of that column lies; its domain is -.*continuous"),
        ("day", Interval(5), ValueError, "but 5 is no value of that column of dtype datetime64"),
        ("day", Interval("nonsense"), ValueError, "but 'nonsense' is no value of that column of dtype datetime64"),
        ("day", Interval(pd.Timestamp("2020-01-01", tz="UTC")), ValueError, "the column has no time zone"),
        ("written", Interval("2020-01-01"), ValueError, "but '2020-01-01' is no value of that column"),
        ("took", Interval(5), ValueError, "but 5 is no value of that column of dtype timedelta64"),
        ("size", Interval("xl"), ValueError, r"but 'xl' is none of the ordered levels \['s', 'm', 'l'\]"),
        ("size", Interval("l", "s"), ValueError, "in which no value of that column lies"),
        ("kind", ["cat", "hen"], ValueError, r"given\['kind'\] is 'hen', outside the domain of that column: 3: cat, cow, dog"),
        ("note", Interval("a", "b"), ValueError, "intervals are for numbers, dates, .* and that column is of kind 'text'"),
        ("code", Interval("a", "b"), ValueError, "that column is of kind 'identifier': give a value, a list of values"),
        ("code", ["K-000001", "?"], ValueError, r"given\['code'\] is '\?', "),
        ("price", [1.5, None], ValueError, r"given\['price'\] is missing, but no cell of that column can be"),
        ("none", 3, ValueError, r"given names \['none'\], not among the columns of fit"),
    ],
)
def test_what_cannot_be_given_is_refused(column, wanted, error, message):
    """What no row can meet is refused with column and value."""
    with pytest.raises(error, match=message):
        TOKENIZER.conditions({column: wanted})


def test_intervals():
    """An interval holds its ends and never a missing value, and says what it is."""
    day = pd.Timestamp("2020-01-01")
    for interval, inside, outside in [
        (Interval(1, 3), [1, 2.5, 3], [0.9, 4, None, np.nan, pd.NA, pd.NaT]),
        (Interval(low=1), [1, np.inf], [0]),
        (Interval(high=day), [day], [day + pd.Timedelta("1ns")]),
        (Interval(), [1, "a", day], [None]),
    ]:
        assert all(value in interval for value in inside) and not any(value in interval for value in outside)
        assert eval(repr(interval), {"Interval": Interval, "Timestamp": pd.Timestamp}) == interval
    assert len({Interval(1, 2), Interval(1, 2), Interval(1)}) == 2


@pytest.mark.parametrize(
    ("ends", "error", "message"),
    [
        ((3, 1), ValueError, "Interval: got low=3 above high=1, expected low <= high; swap them"),
        ((np.nan, 1), ValueError, "Interval: got low=nan, expected a value; leave it None"),
        ((1, pd.NaT), ValueError, "Interval: got high=NaT, expected a value"),
        (([1], 2), TypeError, r"Interval: low must be one value or None, got \[1\]"),
        ((1, pd.Timestamp("2020")), TypeError, "Interval: low=1 and high=.* cannot be compared"),
    ],
)
def test_no_intervals(ends, error, message):
    """Ends that are swapped, missing or no values are refused."""
    with pytest.raises(error, match=message):
        Interval(*ends)


@pytest.mark.parametrize("continuous", [False, True])
@given(allowed=st.lists(st.booleans(), min_size=1, max_size=30), ends=st.tuples(st.integers(0, 29), st.integers(0, 29)))
def test_stretches_know_what_they_meet_and_cover(continuous, allowed, ends):
    """A range meets stretches that allow any of its positions, and is covered where they allow all, in whatever order."""
    held = [place < len(allowed) and allowed[place] for place in range(30)]
    edges = np.flatnonzero(np.diff(np.array([False, *held, False], int))).reshape(-1, 2)
    first, last = min(ends), max(ends)
    stretches = Stretches([(start, stop - 1) for start, stop in edges[::-1]], continuous)
    asked = [np.array([place], stretches.first.dtype) for place in (first, last)]
    assert stretches.meets(*asked).tolist() == [any(held[first : last + 1])]
    assert stretches.covers(*asked).tolist() == [all(held[first : last + 1])]
