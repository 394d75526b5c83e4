"""Promises of tables that need not fit into memory: Parquet and CSV files, datasets of pyarrow, DataFrames of Dask."""

import datetime
import gzip
import io
import os
import re
import subprocess
import tempfile
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal, assert_series_equal

from sksynth import BatchLSTMSynthesizer, ColumnClusterer, LSTMTextModel, _survey, fields
from sksynth._complete import bounds
from sksynth._sources import _table_source, opened_table, token_ids
from sksynth._survey import Survey, _Counts, _Extremes
from sksynth._tables import schema_before_fit
from sksynth.fields import infer_schema
from sksynth.tokenizers import TableTokenizer

pytest.importorskip("pyarrow.dataset", reason="pyarrow reads Parquet; it is the extra parquet")
N_ROWS = 900
RNG = np.random.default_rng(0)
SIZE = RNG.gamma(2.0, 10.0, N_ROWS).round(1)
TABLE = pd.DataFrame(
    {
        "key": np.arange(N_ROWS) + 7,
        "size": SIZE,
        "count": np.where(RNG.random(N_ROWS) < 0.1, np.nan, np.clip(SIZE // 8, 0, 5)),
        "name": np.array(["oak", "elm", "ash", "yew, old", 'a "b"'])[np.clip(SIZE // 10, 0, 4).astype(int)],
        "id": [f"T-{number:04}" for number in RNG.permutation(N_ROWS)],
        "day": pd.Timestamp("2024-02-01") + pd.to_timedelta((3 * SIZE).astype(int) + RNG.integers(0, 9, N_ROWS), unit="D"),
        "known": RNG.random(N_ROWS) < 1 / (1 + np.exp(10 - SIZE)),
    }
)


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path, monkeypatch):
    """Let nothing be left in the folder of temporary files."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield
    assert list(folder.glob("sksynth-*")) == []


@pytest.fixture
def few(monkeypatch):
    """Survey 300 rows, and read 100 at a time."""
    monkeypatch.setattr(_survey, "SURVEY_ROWS", 300)
    monkeypatch.setattr(_table_source, "CHUNK_ROWS", 100)
    monkeypatch.setattr(_table_source, "FEWEST_ROWS", 10)


@pytest.fixture
def parquet(tmp_path):
    """Return the path of a file of `TABLE`, in groups of 250 rows."""
    path = tmp_path / "table.parquet"
    TABLE.to_parquet(path, index=False, row_group_size=250)
    return path


def tiny(**more):
    """Return a synthesizer of two batches with small networks."""
    model = LSTMTextModel(embedding_dim=4, rnn_units=4, epochs=1)
    return BatchLSTMSynthesizer(ColumnClusterer(max_columns=4), model, random_state=0, **more)


def surveyed(source, given=None):
    """Return what a reading of a source tells."""
    return Survey(source, given, 5, np.random.SeedSequence(0))


# Reading


@settings(max_examples=25, deadline=None)
@given(data=st.data(), n_rows=st.integers(1, 40), size=st.integers(1, 9))
def test_files_are_read_as_pandas_reads_them(tmp_path_factory, data, n_rows, size):
    """However few rows are read at a time, the table and its dtypes are those of pandas.read_parquet and read_csv."""
    cells = {
        "whole": st.integers(-5, 5), "gaps": st.one_of(st.none(), st.integers(0, 9)), "real": st.floats(-1e3, 1e3),
        "text": st.sampled_from(["a", "b, c", 'd"e', "ü"]), "flag": st.booleans(), "late": st.none(),
    }  # fmt: skip
    columns = {name: data.draw(st.lists(cell, min_size=n_rows, max_size=n_rows)) for name, cell in cells.items()}
    table = pd.DataFrame(columns).assign(level=lambda table: table["text"].astype("category"), mixed="x")
    table.loc[: n_rows // 2, "mixed"] = "7"  # numbers at first
    folder = tmp_path_factory.mktemp("files")
    table.to_parquet(folder / "t.parquet", row_group_size=7)
    table.to_csv(folder / "t.csv.gz", index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_table_source, "CHUNK_ROWS", size)
        patch.setattr(_table_source, "FEWEST_ROWS", 1)
        for path, read in ((folder / "t.parquet", pd.read_parquet), (folder / "t.csv.gz", pd.read_csv)):
            with opened_table(path) as source:
                chunks, expected = list(source.chunks()), read(path)
                assert all(len(chunk) <= size for chunk in chunks) and source.n_rows == n_rows
                assert_frame_equal(source.whole(), expected.reset_index(drop=True), check_categorical=False)
                assert_frame_equal(pd.concat(source.select(["text", "gaps"]).chunks()), source.whole()[["text", "gaps"]])


def test_a_folder_is_one_table(tmp_path):
    """The files of a folder are read one after the other, in the order of their names, and of CSV as one table."""
    for number, start in enumerate(range(0, N_ROWS, 300)):
        part = TABLE.iloc[start : start + 300]
        part.to_parquet(tmp_path / f"{number}.parquet")
        (tmp_path / "csv").mkdir(exist_ok=True)
        part.to_csv(tmp_path / "csv" / f"{number}.csv", index=False)
    with opened_table(tmp_path / "csv") as source:
        whole = source.whole()
        assert_frame_equal(whole.assign(day=pd.to_datetime(whole["day"]).astype(TABLE["day"].dtype)), TABLE)
    for file in (tmp_path / "csv").iterdir():
        file.unlink()
    with opened_table(str(tmp_path)) as source:
        assert_frame_equal(source.whole(), TABLE)


def test_types_that_only_arrow_has_become_those_of_pandas():
    """Days become datetimes, decimals floats, and booleans with missing cells nullable ones."""
    import pyarrow as pa

    table = pa.table({
        "day": [datetime.date(2024, 1, day) for day in (1, 2, 3)],
        "price": [Decimal("1.50"), None, Decimal("2.25")],
        "flag": [True, None, False],
    })  # fmt: skip
    with opened_table(pa.dataset.dataset(table)) as source:
        whole = source.whole()
    assert whole["day"].tolist() == [pd.Timestamp(2024, 1, day) for day in (1, 2, 3)]
    assert whole["price"].dtype == float and whole["flag"].dtype == "boolean"
    assert whole["price"].isna().tolist() == whole["flag"].isna().tolist() == [False, True, False]


def test_a_dataset_of_pyarrow_is_read_as_it_was_chosen(parquet):
    """What a dataset leaves out, no column and no row of it is read."""
    import pyarrow.dataset
    from pyarrow.compute import field

    chosen = pyarrow.dataset.dataset(parquet).filter(field("known"))
    with opened_table(chosen) as source:
        assert_frame_equal(source.whole(), TABLE[TABLE["known"]].reset_index(drop=True))


@pytest.mark.parametrize("ordered", [False, True])
def test_a_dask_frame_is_read_by_partitions(ordered):
    """A DataFrame of Dask is read like the frame that it would be, levels of categories too."""
    dask = pytest.importorskip("dask.dataframe", reason="dask is the extra distributed")
    table = TABLE.assign(name=TABLE["name"].astype("category").cat.as_ordered() if ordered else TABLE["name"])
    with opened_table(dask.from_pandas(table, npartitions=4)) as source:
        whole = source.whole()
    assert_frame_equal(whole, table, check_dtype=False)
    assert whole["key"].dtype == np.int64


# What one reading tells


@settings(max_examples=50, deadline=None)
@given(
    values=st.lists(st.integers(0, 30), min_size=1, max_size=200), most=st.integers(1, 10), size=st.integers(1, 50)
)  # fmt: skip
def test_rows_of_frequent_values_are_counted_from_below(values, most, size):
    """No count is too high, none too low by more than the rows over what is kept, and all are exact where all have room."""
    tally = _Counts(5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_survey, "MOST_VALUES", most)
        for start in range(0, len(values), size):
            tally.add(pd.Series(values[start : start + size], dtype=object))
    true = pd.Series(values).value_counts()
    found = pd.Series({value: count for (_, value), count in tally._counts.items()}, dtype=float).reindex(true.index).fillna(0)
    assert (found <= true).all() and len(tally._counts) <= most
    assert (true - found).max() <= len(values) / (most + 1)
    assert len(true) > most or (found == true).all()


@settings(max_examples=100, deadline=None)
@given(
    values=st.lists(st.integers(-4, 4) | st.integers(-1000, 1000), min_size=1, max_size=120),
    min_frequency=st.integers(1, 6), size=st.integers(1, 40), seed=st.integers(0, 99), as_dates=st.booleans(),
)  # fmt: skip
def test_bounds_are_those_of_the_whole_column(values, min_frequency, size, seed, as_dates):
    """Bounds from some rows and the extremes are those of all rows, and so is the number of rows beyond them."""
    column, tally = pd.Series(values), _Extremes(min_frequency)
    typed = pd.Timestamp("2000-01-01") + pd.to_timedelta(column, unit="D") if as_dates else column
    for start in range(0, len(values), size):
        tally.add(typed.iloc[start : start + size])
    sample = typed.sample(min(len(values), 2 * min_frequency), random_state=seed)
    found, every = tally.completed(sample, all_values=False), typed
    if as_dates:
        found, every = (part.astype("int64") for part in (found, every))
    expected = bounds({}, every.to_numpy(), "c", min_frequency, clip=False)
    if len(values) >= 2 * min_frequency:
        assert bounds({}, found.to_numpy(), "c", min_frequency, clip=False) == expected
    assert set(found) <= set(every)


def test_the_schema_is_that_of_the_whole_table(few, parquet):
    """One reading tells kinds, domains, missing cells and what is folded as `infer_schema` tells them of all rows."""
    rare = TABLE.assign(name=TABLE["name"].where(TABLE.index != 899, "pine"), count=TABLE["count"].fillna(1.0))
    rare.loc[450, "count"] = np.nan
    rare.to_parquet(parquet)
    with opened_table(parquet) as source:
        survey = surveyed(source)
    found, expected = survey.schema(), infer_schema(rare)
    assert len(survey.sample) == 300 and survey.n_rows == N_ROWS
    assert found == expected
    assert expected["name"].n_folded >= 1 and found["count"].nullable


def test_what_is_known_of_columns_holds_for_rows_that_are_not_sampled(few, parquet):
    """A value that a given domain has not is an error wherever it is."""
    TABLE.assign(name=TABLE["name"].where(TABLE.index != 850, "pine")).to_parquet(parquet)
    names = fields.Category(categories=tuple(TABLE["name"].unique()))
    for schema, said in (({"name": names}, "'pine'"), ({"size": fields.Number(low=0.0, high=30.0)}, "beyond high=30.0")):
        with opened_table(parquet) as source, pytest.raises(ValueError, match=said):
            surveyed(source, schema).schema()


def test_the_sample_is_uniform(few, parquet):
    """Every row is as likely to be among those that are surveyed as any other."""
    with opened_table(parquet) as source:
        counts = np.zeros(N_ROWS)
        for seed in range(60):
            sample = Survey(source, None, 5, np.random.SeedSequence(seed)).sample
            assert sample["key"].is_monotonic_increasing and sample["key"].is_unique
            counts[sample["key"] - 7] += 1
    thirds = counts.reshape(3, -1).sum(axis=1) / 60
    assert (
        np.abs(thirds - 100).max() < 5 * (300 * 2 / 9 / 60) ** 0.5
    )  # 5 standard deviations, more than those without replacement


# Fits


def test_few_rows_are_learned_like_a_frame(parquet):
    """A fit of a file whose rows are few is that of the frame, to the bit."""
    frame = tiny().fit(pd.read_parquet(parquet))
    assert_frame_equal(tiny().fit(parquet).sample(20, random_state=0), frame.sample(20, random_state=0))


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """Return a synthesizer that was fitted from a file, of 300 surveyed rows."""
    path = tmp_path_factory.mktemp("fitted") / "table.parquet"
    TABLE.to_parquet(path, index=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_survey, "SURVEY_ROWS", 300)
        patch.setattr(_table_source, "CHUNK_ROWS", 100)
        return tiny().fit(path)


def test_what_is_drawn_is_legal(fitted):
    """Rows have the columns and dtypes that pandas reads from the file, and values of the domains."""
    rows = fitted.sample(200, random_state=0)
    assert_series_equal(rows.dtypes, TABLE.dtypes)
    assert rows["name"].isin(TABLE["name"]).all() and rows["size"].between(TABLE["size"].min(), TABLE["size"].max()).all()
    assert len(fitted.batches_) == 2 and any(fitted.links_)


def test_no_identifier_of_the_file_is_drawn(fitted):
    """Identifiers of rows that were not surveyed are not drawn either."""
    rows = fitted.sample(600, random_state=1)
    assert not rows["id"].isin(TABLE["id"]).any() and not rows["key"].isin(TABLE["key"]).any()
    assert rows["id"].is_unique and rows["id"].str.fullmatch(r"T-\d{4}").all()


@pytest.mark.parametrize("write", [int, "K{}".format, "mail{}@example.com".format])
def test_patterns_have_room_for_the_rows_that_are_not_sampled(write):
    """A third of the rows gives the pattern that all rows give: counters are told by the number of rows of the table."""
    table = pd.DataFrame({"key": [write(number) for number in 4000 + RNG.permutation(N_ROWS)]})
    schema, part = infer_schema(table, schema={"key": fields.Identifier()}), table.iloc[:300]
    sampled = TableTokenizer().fit_sample(part, schema.copy(), lambda columns: [table[columns]], N_ROWS)
    assert sampled.schema_["key"].pattern == TableTokenizer(schema).fit(table).schema_["key"].pattern
    assert sampled.schema_["key"].pattern != TableTokenizer(schema).fit(part).schema_["key"].pattern


def test_all_rows_are_trained_on(few, parquet):
    """Token ids are those of all rows, in their order, narrow and on disk."""
    with opened_table(parquet) as source:
        survey = surveyed(source)
        tokenizer = TableTokenizer().fit_sample(survey.sample, survey.schema(), source.chunks, source.n_rows)
        ids = token_ids(tokenizer, source.select(source.columns))
        assert isinstance(ids, np.memmap) and ids.dtype == np.uint8
        np.testing.assert_array_equal(ids, tokenizer.encode(TABLE)[:, : tokenizer.grammar_.n_positions])
        del ids


def test_workers_read_the_token_ids_from_disk(few, parquet, fitted):
    """Results do not depend on n_jobs, and CSV is learned like Parquet where the dtypes are the same."""
    expected = fitted.sample(30, random_state=0)
    assert_frame_equal(tiny(n_jobs=2).fit(parquet).sample(30, random_state=0), expected)
    path = parquet.with_suffix(".csv")
    TABLE.drop(columns="day").to_csv(path, index=False)
    without = tiny().fit(path).sample(30, random_state=0)
    assert_series_equal(without.dtypes, TABLE.drop(columns="day").dtypes)


def test_a_fit_is_taken_up_from_its_folder(few, parquet, fitted, tmp_path):
    """A fit that was stopped goes on from its checkpoints to the rows of one that was not, and refuses other rows."""
    folder = tmp_path / "checkpoints"

    def stop(state):
        if state.batch == 1:
            raise ValueError("broken off")

    with pytest.raises(RuntimeError, match="broken off"):
        tiny(checkpoint_dir=folder, callbacks=[stop]).fit(parquet)
    went_on = tiny(checkpoint_dir=folder).fit(parquet)
    assert_frame_equal(went_on.sample(30, random_state=0), fitted.sample(30, random_state=0))
    TABLE.sample(frac=1, random_state=0).to_parquet(parquet, index=False)
    with pytest.raises(ValueError, match="digest of the token ids"):
        tiny(checkpoint_dir=folder).fit(parquet)


def test_more_training_takes_paths(parquet, fitted):
    """partial_fit and fit_batch take what fit takes."""
    more = tiny().fit(TABLE)
    from_frame, from_path = (tiny().fit(TABLE).partial_fit(X) for X in (TABLE, parquet))
    assert_frame_equal(from_path.sample(9, random_state=0), from_frame.sample(9, random_state=0))
    assert_frame_equal(
        more.fit_batch(0, parquet).sample(9, random_state=0), tiny().fit(TABLE).fit_batch(0, TABLE).sample(9, random_state=0)
    )


def test_a_private_fit_reads_the_file_into_memory(few, parquet):
    """With epsilon a file is learned as the frame would be: the schema is the released one."""
    schema = {
        "size": fields.Number(low=0.0, high=200.0, precision=1), "known": fields.Boolean(),
        "name": fields.Category(categories=tuple(TABLE["name"].unique())),
    }  # fmt: skip
    TABLE[list(schema)].to_parquet(parquet, index=False)
    synthesizer = tiny(schema=schema, epsilon=50.0).fit(parquet)
    assert synthesizer.epsilon_ <= 50.0 and list(synthesizer.sample(5).columns) == list(schema)


# Errors


def test_a_truncated_file_is_named(parquet, tmp_path):
    """Of a Parquet file that was cut off, anywhere, an error names the file and says what to do."""
    content = parquet.read_bytes()
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.parquet").write_bytes(content)
    for path, cut in ((parquet, len(content) // 2), (folder / "b.parquet", 5), (folder / "b.parquet", len(content) - 3)):
        path.write_bytes(content[:cut])
        with pytest.raises(ValueError, match=rf"{path.name}.*cannot be read as Parquet.*(copy|write) it"):
            tiny().fit(path if path == parquet else folder)


def test_a_damaged_page_is_an_error(few, parquet):
    """Of a Parquet file with a damaged middle, whose end is whole, fit says that it is damaged, and nothing is left fitted."""
    content = bytearray(parquet.read_bytes())
    content[200:4000] = os.urandom(3800)
    parquet.write_bytes(content)
    synthesizer = tiny()
    with pytest.raises(ValueError, match=r"table\.parquet cannot be read as Parquet"):
        synthesizer.fit(parquet)
    assert not hasattr(synthesizer, "models_")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda part: part.astype({"key": "float64"}), r"column 'key' is double, expected int64"),
        (lambda part: part.drop(columns="size"), r"lacks \['size'\]"),
        (lambda part: part.assign(more=1), r"has \['more'\] besides"),
    ],
)
def test_files_that_differ_are_refused(tmp_path, change, said):
    """Of files with other columns or types than the first, the error names file, column, and both types."""
    TABLE.to_parquet(tmp_path / "a.parquet")
    change(TABLE).to_parquet(tmp_path / "b.parquet")
    with pytest.raises(ValueError, match=rf"b.parquet is not as the other files of .*{said}"):
        tiny().fit(tmp_path)


@pytest.mark.parametrize("line", [1, 400])
def test_a_row_with_too_many_cells_is_named(tmp_path, line):
    """A row of a CSV with more cells than there are columns is an error that names file and line."""
    lines = TABLE[["size", "known"]].to_csv(index=False).splitlines()
    lines[line] += ",surplus"
    path = tmp_path / "table.csv"
    path.write_text("\n".join(lines) + "\n")
    with pytest.raises(
        ValueError, match=r"table.csv cannot be read as CSV: .*(line 401, saw 3|more cells than its first line)"
    ):
        tiny().fit(path)


def test_csv_files_with_other_columns_are_refused(tmp_path):
    """Of CSV files with other headers, the error names the file and both."""
    TABLE[["size", "known"]].to_csv(tmp_path / "a.csv", index=False)
    TABLE[["known", "size"]].to_csv(tmp_path / "b.csv", index=False)
    with pytest.raises(ValueError, match=r"b.csv is not as .* columns are \['known', 'size'\], expected \['size', 'known'\]"):
        tiny().fit(tmp_path)


def test_a_file_that_changes_during_fit_is_refused(few, tmp_path):
    """A table that has other rows when it is read again is an error that says so."""
    path = tmp_path / "table.csv"
    TABLE.to_csv(path, index=False)
    with opened_table(path) as source:
        TABLE.head(500).to_csv(path, index=False)
        with pytest.raises(ValueError, match="has 500 rows now, but had 900"):
            surveyed(source)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("t.csv", b"", "t.csv is empty: got 0 columns"),
        ("t.csv", b"a,b\n", "t.csv is empty: got 0 rows"),
        ("t.csv", b"a,a\n1,2\n", r"duplicate column names \['a'\]"),
        ("t.csv", b"a,b\n1,\xff\xfe\n", "t.csv is not UTF-8: got 0xff"),
        ("t.csv.gz", b"\x1f\x8b\x08\x00", "t.csv.gz cannot be read as CSV"),
        ("t.feather", b"x", r"got 't.feather', expected a table in Parquet or CSV"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, name, content, said):
    """Empty and broken files, and those of another kind, are errors that name them."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=said):
        tiny().fit(tmp_path / name)


def test_paths_of_nothing(tmp_path):
    """A path that is none, or a folder without tables or with both kinds, is an error that says so."""
    with pytest.raises(FileNotFoundError, match=r"there is no file 'nowhere\.parquet'"):
        tiny().fit("nowhere.parquet")
    with pytest.raises(ValueError, match="got no such file"):
        tiny().fit(tmp_path)
    Path(tmp_path / "a.csv").write_text("a\n1\n")
    TABLE.to_parquet(tmp_path / "b.parquet")
    with pytest.raises(ValueError, match="got both"):
        tiny().fit(tmp_path)


def test_a_column_that_no_field_can_be_is_named(few, tmp_path):
    """Cells that cannot be learned are refused with the file and the column."""
    TABLE.assign(size=TABLE["size"].where(TABLE.index != 800, np.inf)).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(ValueError, match=r"Column 'size' of .*t.parquet contains infinity"):
        tiny().fit(tmp_path / "t.parquet")


def read(path, text, texts=(), encoding="utf-8"):
    """Write a file of CSV and read it as fit does."""
    path.write_bytes(text.encode(encoding))
    with opened_table(path, texts) as table:
        return table.whole()


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_separators_are_recognised(tmp_path, mark):
    """A CSV file is one table whichever of the usual marks separates its cells, decimals of German files included."""
    comma = mark == ";"
    found = read(tmp_path / "x.csv", f"a{mark}b\n1{',' if comma else '.'}5{mark}x y\n2{mark}z\n")
    assert_frame_equal(pd.DataFrame({"a": [1.5, 2.0], "b": ["x y", "z"]}), found)
    assert_frame_equal(pd.DataFrame({"a": [1.5], "b": [2]}), read(tmp_path / "x.csv", f"a{mark}b\n1.5{mark}2\n"))


def test_marks_within_texts_separate_nothing(tmp_path):
    """One column of texts with semicolons, tabs and bars stays one column."""
    assert [["p; q"], ["r\ts|t"]] == read(tmp_path / "x.csv", "a\np; q\nr\ts|t\n").to_numpy().tolist()


@given(st.lists(st.integers(0, 99_999), min_size=1, max_size=20), st.booleans())
def test_codes_keep_their_zeros(tmp_path_factory, codes, missing):
    """Digits come back as they were written where some begin with zero, with missing cells and in several chunks too."""
    path = tmp_path_factory.mktemp("codes") / "x.csv"
    written = ["01001", *(f"{code:05}" for code in codes), *[""] * missing]
    frame = read(path, "\n".join(["plz,x", *(f"{code},1" for code in written)]))
    assert [code or None for code in written] == frame["plz"].astype(object).where(frame["plz"].notna(), None).tolist()
    assert np.issubdtype(frame["x"].dtype, np.integer)


@pytest.mark.parametrize("codes", [["+491003", "+4930555"], ["+49", "+1", "44"], ["+49", ""]])
def test_codes_keep_their_plus(tmp_path, codes):
    """Digits with a plus in front of some come back as they were written."""
    found = read(tmp_path / "x.csv", "\n".join(["tel,x", *(f"{code},1" for code in codes)]))["tel"]
    assert codes == found.astype(object).where(found.notna(), "").tolist()


@pytest.mark.parametrize("mark", [",", ";"])
@pytest.mark.parametrize("n_files", [1, 2])
def test_a_code_that_is_read_as_missing_is_noted(few, tmp_path, mark, n_files):
    """NA among codes of two letters has a note, whose line keeps it, and nothing else is read in another way by that line."""
    rows = [f"{land}{mark}0{place % 7}{mark}{place}" for place, land in enumerate(["NA", "DE", "FR", "", "NA", "UK"] * 60)]
    for number in range(n_files):
        (tmp_path / f"{number}.csv").write_text("\n".join([mark.join(["land", "zip", "n"]), *rows]))
    notes = [note for note in schema_before_fit(tmp_path, None, 5, 0).notes if "NA" in note.decision]
    assert ["cells of column 'land' that say NA are taken as missing"] == [note.decision for note in notes]
    assert notes[0].share == pytest.approx(1 / 3)
    scope = {"pd": pd}
    exec(notes[0].remedy, scope)
    with opened_table(tmp_path) as table:
        kept, whole = scope["X"], table.whole()
    assert_frame_equal(kept[["zip", "n"]], whole[["zip", "n"]])
    assert (kept["land"] == "NA").sum() == 120 * n_files and kept["land"].isna().sum() == 60 * n_files
    assert (whole["land"].isna() == (kept["land"].isna() | (kept["land"] == "NA"))).all()


@pytest.mark.parametrize("cells", [["NA", "oak", "elm"], ["NA", "1", "2"], ["", "DE", "FR"], ["N/A", "DE", "FR"]])
def test_what_is_missing_has_no_note(tmp_path, cells):
    """NA is missing where other cells are words or numbers; so is what is no code."""
    (tmp_path / "x.csv").write_text("\n".join(["a,n", *(f"{cell},{n % 5}" for n, cell in enumerate(cells * 30))]))
    assert "say NA" not in str(schema_before_fit(tmp_path / "x.csv", None, 5).notes)


@pytest.mark.parametrize("numbers", [["+10", "-7"], ["+1.5", "2"], ["10", "-07"], ["0.5", "1.25"], ["0", "10"], ["0", "1.0"]])
def test_numbers_stay_numbers(tmp_path, numbers):
    """What begins with zero but is no code is a number."""
    assert pd.api.types.is_numeric_dtype(read(tmp_path / "x.csv", "\n".join(["n", *numbers]))["n"])


@pytest.mark.parametrize("field", [fields.Category(dtype="str"), fields.Text(), fields.Category(["7", "8"])])
def test_what_the_schema_calls_text_is_read_as_text(tmp_path, template, field):
    """A column of CSV that the schema says to be text is one, however much like a number it looks."""
    path = tmp_path / "x.csv"
    path.write_text("\n".join(["n,x", *["7,1", "8,2"] * 40]))
    model = BatchLSTMSynthesizer(text_model=template(), schema={"n": field}, random_state=0).fit(path)
    assert {"7", "8"} >= set(model.sample(20, random_state=0)["n"]) or field.kind == "text"
    assert all(isinstance(cell, str) for cell in model.sample(20, random_state=0)["n"])


@pytest.mark.parametrize(
    ("encoding", "content"),
    [("latin-1", "ä"), ("utf-16", "ä"), ("utf-16-le", "a"), ("utf-16-be", "a"), ("utf-32", "a")],
)
def test_other_encodings_are_named(tmp_path, encoding, content):
    """A CSV file that is not UTF-8 is refused with a way to convert it, and the command that is named does."""
    with pytest.raises(ValueError, match=r"is not UTF-8.*; write it anew as UTF-8, such as with iconv") as caught:
        read(tmp_path / "x.csv", f"name,b\n{content},1\n", encoding=encoding)
    command = re.search("iconv -f [-A-Z0-9]+ -t UTF-8", str(caught.value))[0]
    converted = subprocess.run([*command.split(), tmp_path / "x.csv"], capture_output=True, check=True).stdout
    assert f"name,b\n{content},1\n" == converted.decode().removeprefix("\ufeff")


@pytest.mark.parametrize(
    ("content", "name", "remedy"),
    [
        (gzip.compress(b"a,b\n1,2\n", mtime=0), "gzip", "a name that ends in .csv.gz"),
        (b"PK\x03\x04rest", "zip, as of Excel", "export the table as CSV"),
        (b"PAR1rest", "Parquet", "a name that ends in .parquet"),
    ],
)
def test_other_formats_are_named(tmp_path, content, name, remedy):
    """What is called CSV, but is in another format, is refused as what it is; the name that is proposed for gzip works."""
    for path in (tmp_path / "x.csv", tmp_path / "x.tsv"):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=rf"x\.[ct]sv is no CSV: .* the format of {name} does; .*{remedy}"):
            tiny().fit(path)
    if name == "gzip":
        (tmp_path / "x.csv").rename(tmp_path / "x.csv.gz")
        with opened_table(tmp_path / "x.csv.gz") as table:
            assert [[1, 2]] == table.whole().to_numpy().tolist()


@pytest.mark.parametrize("columns", [1, 2, 3])
@pytest.mark.parametrize("mark", [",", ";", "\t", "^"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_a_first_line_may_say_what_separates(tmp_path, mark, columns, end):
    """A first line such as sep=; is no row, and what it says holds; lines end as they do anywhere."""
    names, rows = list("abc")[:columns], [["01", "x", "2.5"][:columns], ["17", "y", "3.0"][:columns]]
    text = end.join([f"sep={mark}", mark.join(names), *map(mark.join, rows)])
    found = read(tmp_path / "x.csv", text)
    assert names == list(found.columns)
    assert [row[0] for row in rows] == found["a"].tolist()
    assert 2 == len(found)


@pytest.mark.parametrize("name", ["x.tsv", "x.TSV", "x.tsv.gz"])
@pytest.mark.parametrize("text", ["a\tb\n1\tp, q; r\n2\ts|t\n", "a, b; c\n1 2\n3 4\n"])
def test_tsv_files_are_separated_by_tabs(tmp_path, name, text):
    """A file that is named .tsv is a table whose cells are separated by tabs and nothing else."""
    content = gzip.compress(text.encode()) if name.endswith("gz") else text.encode()
    (tmp_path / name).write_bytes(content)
    with opened_table(tmp_path / name) as table:
        assert_frame_equal(table.whole(), pd.read_csv(io.StringIO(text), sep="\t"))


@pytest.mark.parametrize(
    "text",
    [
        "length width kind\n5.1 3.5 a\n4.9 3.0 b\n",
        "x  y\n 1 2\n 30 NA\n",
        '"first name" "age"\n"1" "Ann B" 30\n"2" "Bob C" 41\n',
        "a b\n1,5 2,25\n3,5 4,75\n",
    ],
)
def test_cells_separated_by_spaces_are_no_column_of_text(tmp_path, text):
    """A file whose cells are separated by spaces is refused with what reads it."""
    with pytest.raises(ValueError, match=r"x\.csv seems to be separated by spaces, with [23] names") as caught:
        read(tmp_path / "x.csv", text)
    call = re.search(r"pandas\.(read_csv\(path, sep=.*?\))", str(caught.value))[1]
    assert eval(call, {"read_csv": pd.read_csv, "path": tmp_path / "x.csv"}).shape[1] > 1


@pytest.mark.parametrize(
    "text", ["full name\nAnn Bell\nBob Cole\n", "a remark on it\nfine 3\nvery good indeed\n", "n\n1 2\n3 4\n"]
)
def test_one_column_of_words_stays_one(tmp_path, text):
    """Words in a single column of text are not taken for cells."""
    assert_frame_equal(read(tmp_path / "x.csv", text), pd.read_csv(io.StringIO(text)))


@pytest.mark.parametrize("line", ["# made by hand", "#made by hand, with care", "## a", "# a,b"])
@pytest.mark.parametrize("rows", ["a,b\n1,2\n", "a\n1\n"])
def test_a_comment_in_front_is_named(tmp_path, line, rows):
    """A comment before the column names is refused as what it is, and the call that is named reads the table."""
    with pytest.raises(ValueError, match=r"x\.csv begins with # as a comment does.* pandas.read_csv\(path, comment='#'\)$"):
        read(tmp_path / "x.csv", f"{line}\n{rows}")
    assert_frame_equal(pd.read_csv(tmp_path / "x.csv", comment="#"), pd.read_csv(io.StringIO(rows)))


def test_names_may_begin_with_a_hash(tmp_path):
    """A first column whose name begins with # is one."""
    assert ["#id", "b"] == list(read(tmp_path / "x.csv", "#id,b\n1,2\n")) and ["#"] == list(read(tmp_path / "x.csv", "#\n1\n"))


def test_rows_longer_than_the_first_line_are_told_so(tmp_path):
    """A remark before the line of column names is an error that says what the first line has to be."""
    with pytest.raises(ValueError, match=r"x\.csv cannot be read as CSV: its rows have more cells than its first line"):
        read(tmp_path / "x.csv", "made by hand\na,b\n1,2\n")


@pytest.mark.parametrize(
    ("frame", "told"),
    [
        (TABLE.set_index("size"), "its index 'size' is no column"),
        (TABLE.set_index(["size", "name"]), "its index 'name', 'size' is no column"),
        (TABLE.set_index(pd.date_range("2020-01-01", periods=len(TABLE))), "its index without a name is no column"),
        (TABLE[TABLE.index % 2 == 0], None),
        (TABLE, None),
    ],
)
def test_an_index_in_a_file_is_noted(tmp_path, frame, told):
    """A schema of a Parquet file notes an index that is dropped; the line that it names makes columns of it."""
    frame.to_parquet(tmp_path / "t.parquet")
    import pyarrow.dataset

    for X in (tmp_path / "t.parquet", pyarrow.dataset.dataset(tmp_path / "t.parquet")):
        notes = [note for note in schema_before_fit(X, None, 5, 0).notes if note.decision == "the index is dropped"]
        assert [told] * (told is not None) == [note.reason for note in notes]
        if told:
            scope = {"X": X, "pd": pd}
            exec(notes[0].remedy, scope)
            assert frame.shape[1] + frame.index.nlevels == scope["X"].shape[1]
            assert "the index" not in str(infer_schema(scope["X"]).notes)


def test_an_index_of_dask_is_noted():
    """An index of a DataFrame of Dask that has a name is noted, one that counts rows is not."""
    dask = pytest.importorskip("dask.dataframe", reason="dask is the extra distributed")
    frame = dask.from_pandas(TABLE[["key", "size", "known"]], npartitions=2)
    found = [str(schema_before_fit(X, None, 5).notes) for X in (frame, frame.set_index("key"))]
    assert [False, True] == ["its index 'key' is no column" in text for text in found]


def test_a_pipe_is_no_table(tmp_path):
    """What can be read only once is refused rather than waited for."""
    os.mkfifo(tmp_path / "t.csv")
    with pytest.raises(OSError, match=r"t.csv' is no regular file and cannot be read twice; write what it gives to a file"):
        tiny().fit(tmp_path / "t.csv")
