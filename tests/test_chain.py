"""Linked batches sampled as one table, and questions about any of its columns."""

import copy

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal, assert_series_equal
from sklearn.base import clone

from sksynth import BatchLSTMSynthesizer, ColumnClusterer, LSTMTextModel
from sksynth._chain import Chain, Part, conditions_of, evidence_of
from sksynth._chain._evidence import Search
from sksynth._random import seed_sequence
from sksynth.fields import Interval

N = 1_500
KINDS = ["cat", "dog", "eel"]
BATCHES = [["kind", "size", "code"], ["sound", "age"], ["food", "seen"]]


def made_table():
    """Return a table in which columns of every batch say something of the kind."""
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 3, N)

    def mostly(names):
        return np.where(rng.random(N) < 0.9, np.array(names)[kind], np.array(names)[rng.integers(0, 3, N)])

    return pd.DataFrame(
        {
            "kind": np.array(KINDS)[kind],
            "sound": mostly(["meow", "woof", "none"]),
            "age": pd.Series(kind * 10 + rng.integers(0, 8, N), dtype="Int64").where(rng.random(N) > 0.1),
            "size": kind + rng.uniform(0, 0.5, N),
            "food": pd.Categorical(mostly(["fish", "meat", "worm"])),
            "seen": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 99, N) + 100 * kind, unit="D"),
            "code": [f"K-{i:05d}" for i in rng.permutation(N)],
        }
    )


TABLE = made_table()


def fitted(batches, *, epochs=10, any_order="auto", **parameters):
    """Return a fitted synthesizer of small networks."""
    model = LSTMTextModel(
        rnn_units=16, epochs=epochs, batch_size=32, learning_rate=0.03, dropout=0.0, any_order=any_order, jit_compile=False
    )
    clusterer = ColumnClusterer(batches=batches)
    return BatchLSTMSynthesizer(clusterer, model, min_frequency=1, random_state=0, **parameters).fit(TABLE)


@pytest.fixture(scope="module")
def linked():
    """Return a synthesizer of three linked batches; not to be changed."""
    return fitted(BATCHES)


@pytest.fixture(scope="module")
def single():
    """Return a synthesizer of one batch; not to be changed."""
    return fitted([list(TABLE)])


@pytest.fixture(params=["linked", "single"])
def model(request):
    """Return each of the two."""
    return request.getfixturevalue(request.param)


def agreement(rows):
    """Return the share of rows whose sound and food are those of their kind."""
    place = rows["kind"].map({kind: i for i, kind in enumerate(KINDS)}).astype(int)
    sound = np.array(["meow", "woof", "none"])[place] == rows["sound"].to_numpy(object)
    return sound.mean(), (np.array(["fish", "meat", "worm"])[place] == rows["food"].to_numpy(object)).mean()


def test_linked_batches_are_one_table(linked):
    """Columns of different batches go together as in the table where batches are linked, and not where they are not."""
    assert min(agreement(TABLE)) > 0.9
    assert min(agreement(linked.sample(2_000, random_state=0))) > 0.8
    apart = fitted(BATCHES, linked=False, epochs=1)
    assert apart.links_ == [[], [], []]
    assert max(agreement(apart.sample(2_000, random_state=0))) < 0.5


def test_rows_of_linked_batches_do_not_depend_on_how_many(linked):
    """The rows of a sample are the first ones of a longer one, and those that come in chunks."""
    rows = linked.sample(1_300, random_state=3)
    assert_frame_equal(rows[:40], linked.sample(40, random_state=3))
    assert_frame_equal(rows, pd.concat(linked.sample_iter(1_300, chunk_size=500, random_state=3), ignore_index=True))


def test_a_batch_that_is_fitted_anew_reads_its_context_as_before(linked):
    """After fit_batch on rows whose context columns lie elsewhere, batches go together as before."""
    model = copy.deepcopy(linked)
    batch = next(place for place, context in enumerate(model.links_) if context)
    rows = TABLE[TABLE["kind"] != "eel"].assign(size=lambda table: table["size"] / 2)
    model.fit_batch(batch, rows)
    for column in model.links_[batch]:
        owner = next(own for own, columns in zip(model.models_, model.batches_, strict=True) if column in columns)
        assert model.models_[batch].tokenizer_.reads_like(owner.tokenizer_, column)
    anew = clone(model.models_[batch].tokenizer_).fit(rows[model.models_[batch].columns_])
    assert not all(anew.reads_like(owner.tokenizer_, column) for column in model.links_[batch] if column in owner.columns_)
    assert len(model.sample(50, random_state=0)) == 50


CONDITIONS = {
    "a value": {"kind": "cat"},
    "values of two batches": {"sound": "woof", "food": "meat"},
    "a list": {"food": ["fish", "worm"]},
    "an interval": {"age": Interval(10, 14)},
    "an open interval": {"size": Interval(low=1.2)},
    "missing": {"age": None},
    "missing or a value": {"age": [None, 3, Interval(20, 22)]},
    "dates": {"seen": Interval("2020-02-10", "2020-05-10")},
    "three batches": {"seen": Interval(high="2020-02-10"), "sound": ["meow", "none"], "size": Interval(0.1, 2.2)},
    "an identifier": {"code": TABLE["code"][5]},
    "all but one": {
        "kind": "eel",
        "sound": "none",
        "age": 25,
        "size": Interval(2.0, 2.25),
        "food": "worm",
        "seen": "2020-08-01",
    },
    "never seen together": {"kind": "cat", "seen": Interval("2020-09-01", None), "age": 25},
}


def meets(column, value):
    """Return which cells meet what is given."""
    if isinstance(value, list):
        return np.any([meets(column, one) for one in value], axis=0)
    if value is None:
        return column.isna().to_numpy()
    if isinstance(value, Interval):
        ends = [None if end is None else pd.Series([end]).astype(column.dtype)[0] for end in (value.low, value.high)]
        return np.array([cell in Interval(*ends) for cell in column])
    return (column == value).fillna(False).to_numpy(bool)


@pytest.mark.parametrize("given", CONDITIONS.values(), ids=CONDITIONS)
def test_every_row_meets_what_is_given(model, given):
    """All rows meet the condition, in the dtypes of fit; the other columns vary; fewer rows are the first of more."""
    rows = model.sample(150, given=given, random_state=0)
    assert rows.dtypes.equals(TABLE.dtypes) and list(rows) == list(TABLE)
    for column, value in given.items():
        assert meets(rows[column], value).all()
    assert all(rows[column].nunique() > 1 for column in ("size", "code", "seen") if column not in given)
    assert_frame_equal(rows[:9], model.sample(9, given=given, random_state=0))
    assert_frame_equal(rows, pd.concat(model.sample_iter(150, given=given, chunk_size=64, random_state=0), ignore_index=True))


@pytest.mark.parametrize("given", [{"sound": "woof"}, {"food": ["worm"]}, {"seen": Interval("2020-04-20", "2020-06-20")}])
def test_what_is_given_reaches_all_batches(model, given):
    """What is given of a later batch says of the columns of earlier ones what it says in the table."""
    real = TABLE[np.all([meets(TABLE[column], value) for column, value in given.items()], axis=0)]
    rows = model.sample(2_000, given=given, random_state=0)
    for column in ("kind", "sound", "food"):
        shares = [part[column].astype(str).value_counts(normalize=True) for part in (real, rows)]
        assert shares[0].sub(shares[1], fill_value=0).abs().sum() / 2 < 0.15
    assert abs(rows["size"].mean() - real["size"].mean()) < 0.15


def test_evidence_of_two_batches_is_weighed(linked):
    """Where two batches that are linked by a third speak against each other, the kind is as uncertain as in the table."""
    given = {"sound": "meow", "food": "meat"}
    real = TABLE[(TABLE["sound"] == "meow") & (TABLE["food"] == "meat")]["kind"].value_counts(normalize=True)
    found = linked.sample(2_000, given=given, random_state=0)["kind"].value_counts(normalize=True)
    frame = pd.DataFrame([given] * 2_000)
    by_row = linked.sample(given=frame, random_state=0)["kind"].value_counts(normalize=True)
    for shares in (found, by_row):
        assert abs(shares["cat"] - real["cat"]) < 0.2 and abs(shares["dog"] - real["dog"]) < 0.2


def test_sets_have_the_shares_of_the_network(single):
    """Rows under a condition are those that meet it among rows that are drawn without one."""
    given = {"sound": ["meow", "none"], "age": Interval(0, 12), "food": "fish"}
    part = single.models_[0]._part()
    chain = Chain([part], single.batches_, [0], single.columns_)
    sampler = part.sampler()
    n = 40_000
    ids = sampler.draw(seed_sequence(0), range(n))
    free = part.with_free(ids, range(n), seed_sequence(0))
    drawn = chain.decode([free])
    drawn = drawn[np.all([meets(drawn[column], value) for column, value in given.items()], axis=0)]
    rows = single.sample(10_000, given=given, random_state=1)
    for column in ("kind", "sound", "age"):
        shares = [part[column].value_counts(normalize=True) for part in (drawn, rows)]
        difference = shares[0].sub(shares[1], fill_value=0).abs()
        tolerance = 5 * np.sqrt(0.25 / len(drawn) + 0.25 / 5_000)  # five standard errors; particles make 5,000 of 10,000 rows
        assert difference.max() < tolerance
    assert set(evidence_of(chain, given).columns) == set(part.first(given))


@pytest.mark.parametrize("temperature", [1.0, 0.5, 2.0])
def test_what_meets_sets_is_counted_up_or_drawn(single, monkeypatch, temperature):
    """Rows under a condition are as likely where all that meets it is counted up as where particles of it are drawn."""
    given = {"sound": ["meow", "none"], "age": Interval(0, 12), "kind": ["cat", "eel"]}
    counted = single.sample(10_000, given=given, temperature=temperature, random_state=0)
    monkeypatch.setattr(Search, "counted_up", lambda *_: None)
    drawn = single.sample(10_000, given=given, temperature=temperature, random_state=1)
    for column in ("kind", "sound", "age"):
        shares = [part[column].value_counts(normalize=True) for part in (counted, drawn)]
        difference = shares[0].sub(shares[1], fill_value=0).abs()
        assert difference.max() < 5 * np.sqrt(0.25 / 10_000 + 0.25 / 5_000)  # particles make 5,000 of 10,000 rows


def test_sequences_that_meet_a_condition(single):
    """They are all that the grammar allows and that have a share, with its logarithm; too many are none."""
    part = single.models_[0]._part()
    (condition,) = conditions_of(Chain([part], single.batches_, [0], single.columns_), {"age": Interval(0, 12)}).values()
    ages = TABLE["age"].to_numpy(float, na_value=np.nan)

    tokens, log_weights = condition.sequences(1_000)

    ids = single.models_[0].tokenizer_.encode(TABLE.reset_index(drop=True))[:, part.places["age"].positions]
    found = set(map(tuple, tokens.tolist()))
    assert len(found) == len(tokens) > 1
    assert {tuple(row) for row in ids[(ages >= 0) & (ages <= 12)].tolist()} <= found
    assert not found & {tuple(row) for row in ids[np.isnan(ages) | (ages > 30)].tolist()}
    assert (log_weights <= 1e-6).all() and log_weights.max() > -1e-6
    assert all(len(part) == 0 for part in condition.sequences(len(tokens) - 1))


def test_given_rows_keep_index_and_order(model):
    """A frame has a row for each sample, whose cells, missing ones too, come back under its index."""
    given = TABLE.loc[100:400, ["food", "age", "kind", "code"]].set_axis([f"r{i}" for i in range(301)])
    rows = model.sample(given=given, random_state=0)
    assert_frame_equal(rows[list(given)], given)
    assert agreement(rows)[0] > 0.7
    chunks = model.sample_iter(given=given, chunk_size=100, random_state=0)
    assert_frame_equal(pd.concat(chunks, ignore_index=True), rows.reset_index(drop=True))


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"kind": "cow"}, ValueError, r"given\['kind'\] is 'cow', outside the domain"),
        ({"age": Interval(90, 99)}, ValueError, r"given\['age'\] is Interval\(90, 99\), in which no value"),
        ({"age": []}, ValueError, r"given\['age'\] is empty"),
        ({"kind": None}, ValueError, r"given\['kind'\] is missing, but no cell"),
        ({"tail": 1}, ValueError, r"given names \['tail'\], not among the columns of fit"),
        ({}, ValueError, "given holds no value"),
        (["kind"], TypeError, "given must be a dict of column to value, a DataFrame or None"),
    ],
)
def test_what_cannot_be_given_is_refused(model, given, error, message):
    """The message names the column and the value."""
    with pytest.raises(error, match=message):
        model.sample(5, given=given)


def test_imputation_fills_what_is_missing_and_nothing_else(model):
    """Cells that are there stay, none is missing afterwards, index and dtypes are kept, the seed decides."""
    removed = TABLE[:300].mask(np.random.default_rng(1).random((300, TABLE.shape[1])) < 0.3).astype(TABLE.dtypes)
    removed = removed.set_axis([f"r{i}" for i in range(300)])
    before = removed.copy()
    filled = model.impute(removed, random_state=0)
    assert_frame_equal(removed, before)
    assert not filled.isna().any().any()
    assert filled.dtypes.equals(TABLE.dtypes) and filled.index.equals(removed.index)
    for column in removed:
        there = removed[column].notna()
        assert_series_equal(filled[column][there], removed[column][there])
    assert_frame_equal(filled, model.impute(removed, random_state=0))
    several = model.impute(removed, n_draws=2, random_state=0)
    assert_frame_equal(filled, several[0])
    assert not several[0].equals(several[1])


def test_imputation_heeds_the_rest_of_the_row(model):
    """A missing cell is mostly what its row says, whichever batch says so."""
    rows = TABLE[:400].copy()
    rows["kind"], rows["size"] = None, np.nan  # told by sound, age, food and seen alone
    filled = model.impute(rows.astype(TABLE.dtypes), random_state=0)
    assert (filled["kind"] == TABLE["kind"][:400]).mean() > 0.85
    assert (abs(filled["size"] - TABLE["size"][:400]) < 0.6).mean() > 0.8


def test_imputation_meets_what_is_given(model):
    """Cells that are missing are drawn among what is given; those that are there need not meet it; the row is heeded."""
    rows = TABLE[:300].copy()
    rows.loc[:149, "kind"] = None
    rows.loc[100:249, "age"] = None
    given = {"kind": ["cat", "dog"], "age": Interval(5, 15), "seen": "2020-02-01"}
    filled = model.impute(rows.astype(TABLE.dtypes), given=given, random_state=0)
    assert set(filled["kind"][:150]) == {"cat", "dog"} and filled["kind"][150:].equals(TABLE["kind"][150:300])
    missing = rows["age"].isna()
    assert filled["age"][missing].between(5, 15).all() and not filled["age"][~missing].between(5, 15).all()
    assert filled["seen"].equals(TABLE["seen"][:300])
    told = TABLE["kind"][:150] != "eel"
    assert (filled["kind"][:150] == TABLE["kind"][:150])[told].mean() > 0.9


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (TABLE[["kind"]], TypeError, "impute: given must be a dict of column to value, got a DataFrame"),
        ({"age": [3, None]}, ValueError, r"impute: given\['age'\] is \[3, None\], but impute draws no missing cells"),
        ({"age": None}, ValueError, r"impute: given\['age'\] is None, but impute draws no missing cells"),
        ({"kind": "cow"}, ValueError, r"given\['kind'\] is 'cow', outside the domain"),
        ({"tail": 1}, ValueError, r"given names \['tail'\], not among the columns of fit"),
    ],
)
def test_what_imputation_cannot_be_given_is_refused(single, given, error, message):
    """The message names the column and the value."""
    with pytest.raises(error, match=message):
        single.impute(TABLE[:5], given=given)


def test_whole_tables_come_back_from_imputation(model):
    """Where nothing is missing nothing is filled; the result is another table."""
    whole = TABLE[TABLE["age"].notna()]
    filled = model.impute(whole)
    assert_frame_equal(filled, whole)
    assert filled is not whole


@pytest.mark.parametrize("column", ["kind", "sound", "food"])
def test_conditional_distributions(model, column):
    """Every row is a distribution over the values that the column can have, and gives the row's own more than its share."""
    rows = TABLE[:500]
    shares = model.conditional(rows, column)
    assert set(shares.columns) == set(TABLE[column]) and shares.index.equals(rows.index)
    np.testing.assert_allclose(shares.sum(axis=1), 1.0, rtol=1e-5)
    likeliest = shares.idxmax(axis=1)
    assert (likeliest == rows[column].astype(object)).mean() > 0.85
    assert_frame_equal(shares, model.conditional(rows.drop(columns=column), column))


def test_conditional_distributions_are_those_of_samples(single):
    """The distribution of a column is that of samples of which all other columns are given."""
    row = TABLE.iloc[[7]]
    others = row.drop(columns=["sound"])
    shares = single.conditional(row, "sound").iloc[0]
    found = single.sample(given=others.loc[[7] * 4_000], random_state=0)["sound"].value_counts(normalize=True)
    assert shares.sub(found, fill_value=0).abs().max() < 4 * np.sqrt(0.25 / 4_000)


def test_missing_is_a_value_of_the_distribution():
    """Where cells can be missing, that has its share."""
    table = pd.DataFrame({"a": ["x", "y", None] * 40, "b": ["u", "v", "w"] * 40})
    model = BatchLSTMSynthesizer(
        text_model=LSTMTextModel(rnn_units=8, epochs=20, batch_size=16, learning_rate=0.05, dropout=0.0, jit_compile=False),
        random_state=0,
    ).fit(table)
    shares = model.conditional(table[:3], "a")
    assert shares.columns.isna().sum() == 1
    assert shares.iloc[2, shares.columns.isna()].item() > 0.5


def test_the_column_that_is_asked_for_may_be_left_out_whatever_others_are_called():
    """A frame without the column is read as one with it, and what else it lacks is refused in the words of scikit-learn."""
    table = pd.DataFrame({"_": ["a", "b"] * 40, "k": ["x", "y"] * 40})
    model = BatchLSTMSynthesizer(text_model=LSTMTextModel(rnn_units=4, epochs=1), random_state=0).fit(table)
    assert_frame_equal(model.conditional(table[["_"]], "k"), model.conditional(table, "k"))
    with pytest.raises(ValueError, match="feature names should match"):
        model.conditional(table[["k"]].rename(columns={"k": "other"}), "k")


def test_identifiers_alone_are_imputed():
    """A table of which nothing is modelled gets identifiers of the pattern where some are missing."""
    table = TABLE[["code"]]
    model = BatchLSTMSynthesizer(random_state=0).fit(table)
    filled = model.impute(table.where(np.arange(N)[:, None] > 5), random_state=0)
    assert filled["code"].str.fullmatch("K-[0-9]{4,}").all() and filled["code"][6:].equals(table["code"][6:])


def test_only_categories_have_such_distributions(model):
    """Numbers are refused, with what to ask for instead; so are columns that there are not."""
    with pytest.raises(ValueError, match="conditional: column 'size' is a Number, expected a Category or a Boolean"):
        model.conditional(TABLE, "size")
    with pytest.raises(ValueError, match="conditional: got column 'tail', which is not among the columns of fit"):
        model.conditional(TABLE, "tail")


def test_models_of_one_order_answer_no_questions():
    """A model that reads columns in one order only says so, and what to do."""
    synthesizer = fitted([list(TABLE)], epochs=1, any_order=False)
    for ask in (
        lambda: synthesizer.sample(given={"kind": "cat"}),
        lambda: synthesizer.impute(TABLE),
        lambda: synthesizer.conditional(TABLE, "kind"),
    ):
        with pytest.raises(ValueError, match="was trained to read columns in one order only: fit with any_order=True"):
            ask()


def test_arrays_are_imputed_as_arrays():
    """The container of X comes back."""
    rng = np.random.default_rng(0)
    array = rng.integers(0, 4, (200, 3)).astype(float)
    model = BatchLSTMSynthesizer(text_model=LSTMTextModel(rnn_units=4, epochs=1), random_state=0).fit(array)
    removed = np.where(rng.random(array.shape) < 0.2, np.nan, array)
    filled = model.impute(removed, random_state=0)
    assert isinstance(filled, np.ndarray) and filled.dtype == array.dtype and not np.isnan(filled).any()
    assert (filled == removed)[~np.isnan(removed)].all()


def test_parts_know_where_columns_stand(single):
    """The places of all modelled columns cover a row's tokens once."""
    part = Part(single.models_[0].tokenizer_, single.models_[0]._network(), True)
    covered = np.concatenate([np.arange(part.grammar.n_positions)[place.positions] for place in part.places.values()])
    assert sorted(covered) == list(range(part.grammar.n_positions))
    assert "code" not in part.places
