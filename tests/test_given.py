"""Rows in the context of given cells."""

from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal, assert_series_equal

from sksynth import BatchLSTMSynthesizer, ColumnClusterer, LSTMTextModel, evaluation, fields
from sksynth.tokenizers import CharTokenizer, TableTokenizer

N = 240


def made_table():
    """Return a table of all kinds of columns."""
    rng = np.random.default_rng(0)
    kind = rng.choice(["cat", "dog"], N)
    return pd.DataFrame(
        {
            "note": [f"a {name}, {'small' if i % 3 else 'large'}" for i, name in enumerate(kind)],
            "kind": pd.Categorical(kind),
            "age": pd.Series(rng.integers(0, 9, N), dtype="Int64").where(rng.uniform(size=N) > 0.2),
            "size": rng.uniform(0, 1, N),
            "seen": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 999, N), unit="D"),
            "tame": rng.uniform(size=N) > 0.5,
            "code": [f"K-{i:04d}" for i in range(N)],
        }
    )


TABLE = made_table()


@pytest.fixture(scope="module")
def model():
    """Return a model of the table; not to be changed."""
    tokenizer = TableTokenizer({"note": fields.Text()})
    return LSTMTextModel(tokenizer, rnn_units=8, epochs=2, learning_rate=0.02, random_state=0).fit(TABLE)


@pytest.mark.parametrize("column", ["note", "kind", "age", "size", "seen", "tame", "code"])
def test_given_cells_come_back(model, column):
    """The given column is the same in all rows, as it was given and with its dtype; the other columns are sampled."""
    value = TABLE[column].iloc[5]
    rows = model.sample(60, given={column: value}, random_state=0)
    assert rows.dtypes.equals(TABLE.dtypes)
    assert (rows[column] == value).all()
    assert all(rows[other].nunique() > 1 for other in TABLE.columns if other != column)
    assert_frame_equal(rows[:9], model.sample(9, given={column: value}, random_state=0))


def test_texts_beyond_what_is_learned_are_given_whole(model):
    """A given text of any length and of any characters comes back as it is."""
    text = "a cat 👩‍🔬, " + "very " * 2_000 + "large\n"
    assert (model.sample(3, given={"note": text}, random_state=0)["note"] == text).all()


def test_dates_may_be_written(model):
    """A date may be given as text; numbers of another dtype, and categories, stand for the same values."""
    assert (model.sample(3, given={"seen": "2020-02-01"}, random_state=0)["seen"] == pd.Timestamp("2020-02-01")).all()
    given = pd.DataFrame({"age": pd.Categorical([3, 4]), "size": np.float32([0.25, 0.5])})
    rows = model.sample(given=given, random_state=0)
    assert rows["age"].tolist() == [3, 4]
    assert rows["size"].tolist() == [0.25, 0.5]
    assert rows.dtypes.equals(TABLE.dtypes)


def test_missing_cells_may_be_given(model):
    """A missing cell is given as one, where the column can have such."""
    assert model.sample(20, given={"age": None}, random_state=0)["age"].isna().all()
    with pytest.raises(ValueError, match=r"given\['seen'\] is missing, but no cell of that column can be"):
        model.sample(given={"seen": None})


def test_a_frame_gives_a_row_for_each(model):
    """A frame has one row per sample, in order, whose index the sample keeps; sample_iter gives the same rows."""
    given = TABLE[["kind", "note", "age"]].iloc[40:160]
    rows = model.sample(given=given, random_state=0)
    assert_frame_equal(rows[["kind", "note", "age"]], given)
    chunks = list(model.sample_iter(given=given, chunk_size=50, random_state=0))
    assert [50, 50, 20] == list(map(len, chunks))
    assert_frame_equal(pd.concat(chunks, ignore_index=True), rows.reset_index(drop=True))


def test_others_are_drawn_in_the_context_of_text(model):
    """The distribution of the other columns follows the text that is given, once that was learned."""
    tokenizer = TableTokenizer({"note": fields.Text()})
    learned = LSTMTextModel(tokenizer, rnn_units=16, epochs=25, batch_size=32, learning_rate=0.03, dropout=0.0, random_state=0)
    learned.fit(pd.concat([TABLE[["note", "kind"]]] * 4, ignore_index=True))
    for kind in ("cat", "dog"):
        rows = learned.sample(400, given={"note": f"a {kind}, large"}, random_state=0)
        assert (rows["kind"] == kind).mean() > 0.8
        rows = learned.sample(400, given={"kind": kind}, random_state=0)
        assert rows["note"].str.startswith(f"a {kind}").mean() > 0.8


def test_a_validator_sees_given_cells(model):
    """Rows are judged with the cells that were given."""
    rows = model.sample(30, given={"kind": "dog"}, validator=lambda row: row["kind"] == "dog" and row["tame"], random_state=0)
    assert_series_equal(rows["tame"], pd.Series([True] * 30, name="tame"))


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"kind": "cow"}, ValueError, r"given\['kind'\] is 'cow', outside the domain of that column: 2: cat, dog"),
        ({"age": 99}, ValueError, r"given\['age'\] is .*99.*, outside the domain of that column: 0 .. 8"),
        ({"size": -1.0}, ValueError, r"given\['size'\] is .*-1.0.*, outside the domain"),
        ({"seen": pd.Timestamp("1999-01-01")}, ValueError, r"given\['seen'\] is .*1999.*, outside the domain"),
        ({"code": "nonsense"}, ValueError, r"given\['code'\] is 'nonsense', which that column cannot hold"),
        ({"age": 5.4}, ValueError, r"given\['age'\] is .*5.4.*, which that column cannot hold; the nearest value is .*5"),
        ({"age": "5"}, ValueError, r"given\['age'\] is '5' of type str, which is no value of that column of dtype Int64"),
        ({"seen": 5}, ValueError, r"given\['seen'\] is .*5.* of type .*int.*, which is no value of that column"),
        ({"seen": "nonsense"}, ValueError, r"given\['seen'\] is 'nonsense' of type str, which is no value of that column"),
        ({"seen": "2020-02-01 13:00"}, ValueError, r"given\['seen'\] is .*13:00.*, which that column cannot hold"),
        ({"none": 1}, ValueError, r"given names \[\'none\'\], not among the columns of fit"),
        ({"kind": ["cat", "cow"]}, ValueError, r"given\['kind'\] is 'cow', outside the domain of that column"),
        ({}, ValueError, "given holds no value"),
        ("cat", TypeError, "given must be a dict of column to value, a DataFrame or None, got 'cat'"),
    ],
)
def test_what_cannot_be_given_is_refused(model, given, error, message):
    """What is no cell of the table is refused with column and value."""
    with pytest.raises(error, match=message):
        model.sample(given=given)


@pytest.fixture(scope="module")
def rare():
    """Return a table with a rare category, code and word, and extreme numbers and dates; not to be changed."""
    rng = np.random.default_rng(0)
    room = rng.choice(["BASIC", "DELUXE", "SUITE"], N)
    room[7] = "ATTIC"
    days = pd.Series(np.r_[rng.integers(0, 99, N - 1), 5_000])
    return pd.DataFrame(
        {
            "room": room,
            "level": pd.Categorical(room),
            "fee": np.r_[rng.gamma(2, 20, N - 1).round(2), 9_999.99],
            "when": pd.Timestamp("2020-01-01") + pd.to_timedelta(days, unit="D"),
            "iso": (pd.Timestamp("2020-01-01") + pd.to_timedelta(days, unit="D")).dt.strftime("%d.%m.%Y"),
            "few": pd.Series(np.r_[np.nan, rng.integers(0, 3, N - 1)]).astype("Int64"),
            "flag": rng.uniform(size=N) > 0.5,
        }
    )


@pytest.mark.parametrize("batches", [None, [["room", "fee"], ["level", "when", "iso", "few", "flag"]]])
def test_rows_of_fit_may_be_given(synthesizer, rare, batches):
    """Rare and extreme cells of the table of fit are taken in a frame, come back as they are, and one warning counts them."""
    fitted = synthesizer(clusterer=ColumnClusterer(batches=batches)).fit(rare)
    for columns in (["room"], ["level", "fee"], ["when"], ["iso"], ["few"], [*rare.columns[:-1]]):
        concerned = [column for column in columns if column != "few"]
        with pytest.warns(UserWarning, match="rare or extreme cells") if concerned else nullcontext() as caught:
            rows = fitted.sample(given=rare[columns], random_state=0)
        assert not concerned or (len(caught) == 1 and all(repr(column) in str(caught[0].message) for column in concerned))
        assert_frame_equal(rows[columns], rare[columns], check_categorical=False)
    usual = rare[["room", "level"]].iloc[10:50]
    assert_frame_equal(fitted.sample(given=usual, random_state=0)[usual.columns], usual, check_categorical=False)


def test_rows_of_several_batches_do_not_depend_on_chunks(synthesizer, rare):
    """Rows of a frame are the same whatever chunks they are asked for in, where each batch chooses among rows of its own."""
    batches = [["room", "fee"], ["level", "when", "iso", "few", "flag"]]
    fitted = synthesizer(clusterer=ColumnClusterer(batches=batches)).fit(rare)
    for columns in (["few"], ["level", "few"], ["room", "flag"]):
        given = rare[columns].iloc[10:]
        rows = fitted.sample(given=given, random_state=0)
        chunks = pd.concat(list(fitted.sample_iter(given=given, chunk_size=70, random_state=0)), ignore_index=True)
        assert_frame_equal(chunks, rows.reset_index(drop=True))
        assert_frame_equal(rows[columns], given, check_categorical=False)


def test_rows_of_fit_were_learned_with_a_lower_min_frequency(synthesizer, rare):
    """What the warning of rare cells advises leaves none that are not learned."""
    fitted = synthesizer(min_frequency=1).fit(rare)
    assert_frame_equal(fitted.sample(given=rare[["room", "fee", "when", "iso"]])[["room", "fee"]], rare[["room", "fee"]])


def test_rare_cells_are_read_as_extreme_or_rare_ones(synthesizer, rare):
    """Rows are drawn as if an extreme number were the largest that is sampled."""
    fitted = synthesizer().fit(rare)
    with pytest.warns(UserWarning, match="'fee': 50 such as 9999.99"):
        extreme = fitted.sample(given=pd.DataFrame({"fee": [9_999.99] * 50}), random_state=0)
    largest = fitted.sample(given=pd.DataFrame({"fee": [fitted.schema_["fee"].high] * 50}), random_state=0)
    assert_frame_equal(extreme.drop(columns="fee"), largest.drop(columns="fee"))


def test_given_rows_and_other_wishes(model):
    """A frame has to have a row for each sample, and none may be chosen among."""
    given = TABLE[["kind"]].head(3)
    with pytest.raises(ValueError, match="got 3 given rows for n_samples=2"):
        model.sample(2, given=given)
    with pytest.raises(ValueError, match="got given rows and validator"):
        model.sample(given=given, validator=bool)
    with pytest.raises(ValueError, match="given is for tables"):
        LSTMTextModel(CharTokenizer(), rnn_units=4, epochs=1).fit(["ab", "b"] * 9).sample(given={"x": 1})


def test_the_order_of_columns_is_the_user_s_choice():
    """Tables without text are read in one order unless told otherwise; then nothing can be given, which is said."""
    table = TABLE[["kind", "tame"]]
    plain = LSTMTextModel(rnn_units=4, epochs=1, random_state=0).fit(table)
    assert plain.training_["context"] == 0
    with pytest.raises(ValueError, match=r"given: this model was trained to read columns in one order only.*any_order=True"):
        plain.sample(given={"kind": "cat"})
    assert plain.set_params(any_order=True).fit(table).training_["context"] > 0
    assert (plain.sample(9, given={"kind": "cat"})["kind"] == "cat").all()
    with_text = LSTMTextModel(any_order=False, rnn_units=4, epochs=1).fit(TABLE[["note", "kind"]])
    assert with_text.training_["context"] == 0
    with pytest.raises(ValueError, match="any_order=True is not for private training"):
        LSTMTextModel(any_order=True, epsilon=1.0).fit(table)
    with pytest.raises(ValueError, match="any_order=True is not for private training"):
        BatchLSTMSynthesizer(text_model=LSTMTextModel(any_order=True), schema="private", epsilon=1.0).fit(table)


def test_half_of_a_surrogate_pair_is_a_value_as_any():
    """What strings of pyarrow cannot hold is learned, sampled, given, asked for and compared where a column is of objects."""
    table = pd.DataFrame({"odd": pd.Series(["\ud800", "b", "c", None] * 40, dtype=object), "n": np.arange(160) % 7})
    model = BatchLSTMSynthesizer(text_model=LSTMTextModel(rnn_units=4, epochs=1), random_state=0).fit(table)
    assert set(model.sample(300, random_state=0)["odd"].dropna()) == {"\ud800", "b", "c"}
    assert set(model.sample(9, given={"odd": "\ud800"})["odd"]) == {"\ud800"}
    assert set(model.sample(9, given={"odd": ["\ud800"]})["odd"]) == {"\ud800"}
    assert "\ud800" in model.conditional(table, "odd").columns
    assert evaluation.column_shapes(table, table).eq(1.0).all()


def test_times_may_be_given_as_text():
    """Moments without a time zone are those of the column's own; durations are read from words, too."""
    seen = pd.date_range("2020-03-01", periods=120, freq="D", tz="Europe/Berlin")
    table = pd.DataFrame({"seen": seen, "wait": pd.to_timedelta(np.arange(120) % 5, unit="h")})
    model = BatchLSTMSynthesizer(text_model=LSTMTextModel(rnn_units=4, epochs=1), random_state=0, min_frequency=1).fit(table)
    given = {"seen": fields.Interval("2020-03-28", "2020-03-30"), "wait": "2 hours"}
    rows = model.sample(50, given=given, random_state=0)
    assert rows.dtypes.equals(table.dtypes)
    assert rows["seen"].between(pd.Timestamp("2020-03-28", tz=seen.tz), pd.Timestamp("2020-03-30", tz=seen.tz)).all()
    assert (rows["wait"] == pd.Timedelta(2, unit="h")).all()


def test_a_column_is_given_once(model):
    """A frame that names a column twice is refused by its name."""
    with pytest.raises(ValueError, match=r"given names \['kind'\] twice: leave one of each"):
        model.sample(given=TABLE[["kind", "age", "kind"]])


def test_texts_may_be_left_out_of_a_table(model):
    """No row is drawn whose text is one of those that are excluded and long enough; other columns may be alike."""
    first = model.sample(30, random_state=0)
    others = model.sample(30, exclude=first, exclude_longer_than=1, random_state=0)
    assert all(len(text) <= 1 for text in set(first["note"]) & set(others["note"]))
    assert max(map(len, first["note"])) > 1
    assert set(first["kind"]) & set(others["kind"])
