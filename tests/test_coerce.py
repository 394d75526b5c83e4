"""Promises of columns of which nearly all cells are one thing: the others are read as missing, and that is said."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sksynth import BatchLSTMSynthesizer, _survey, fields
from sksynth.fields import Schema, infer_schema
from sksynth.tokenizers import TableTokenizer

N = 400
RNG = np.random.default_rng(3)
ODD = np.arange(N) % 20 == 7
FEES = pd.Series(RNG.integers(100, 90_000, N), dtype=object)
DATES = pd.Timestamp("2018-05-01") + pd.Series(pd.to_timedelta(RNG.integers(0, 900, N), "D"))


def column(usual, odd):
    """Return a column of objects of which a twentieth is odd."""
    return pd.Series(usual, dtype=object).where(~ODD, odd)


def numbers(step):
    """Return the fees as Python's numbers."""
    return pd.Series([int(fee) if step == 1 else fee * step for fee in FEES], dtype=object)


ISO = DATES.dt.strftime("%Y-%m-%d")
WHOLE = DATES.dt.strftime("%Y%m%d").astype(int)
CASES = {  # column, kind, an odd cell
    "a word among floats": (column(numbers(0.5), "tba"), "number", "'tba'"),
    "an empty text among whole numbers": (column(numbers(1), ""), "number", "''"),
    "a flag among whole numbers": (column(numbers(1), True), "number", "True"),
    "a number with a unit": (column(numbers(1), "12 EUR"), "number", "'12 EUR'"),
    "empty dates": (column(ISO, ""), "datetime", "''"),
    "zeros as date": (column(ISO, "0000-00-00").astype("str"), "datetime", "'0000-00-00'"),
    "a day that there is not": (column(ISO, "2019-02-30").astype("string"), "datetime", "'2019-02-30'"),
    "German dates": (column(DATES.dt.strftime("%d.%m.%Y"), "offen"), "datetime", "'offen'"),
    "a number among dates": (column(ISO, -1), "datetime", "-1"),
    "zero among whole dates": (column(WHOLE, 0).astype("int64"), "datetime", "0"),
    "99999999 among whole dates": (column(WHOLE, 99999999).astype("int64"), "datetime", "99999999"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_column_is_what_nearly_all_of_its_cells_are(case):
    """Odd cells among numbers or dates come back missing, all others as they were; a note has their share and an example."""
    values, kind, shown = CASES[case]
    table = pd.DataFrame({"x": values})
    before = table.copy()
    tokenizer = TableTokenizer(min_frequency=1).fit(table)
    field, (note,) = tokenizer.schema_["x"], tokenizer.schema_.notes.of(["x"])
    assert (field.kind, field.coerce, field.nullable) == (kind, True, True)
    assert note.share == pytest.approx(0.05) and note.reason.endswith(f"such as {shown}")
    again = tokenizer.decode(tokenizer.encode(table))["x"]
    assert again.isna().equals(pd.Series(ODD))
    assert again[~ODD].tolist() == values[~ODD].tolist()
    assert again.dtype == ("Int64" if values.dtype == "int64" else values.dtype)
    pd.testing.assert_frame_equal(table, before)


@pytest.mark.parametrize("case", CASES)
def test_the_line_of_the_note_keeps_the_odd_cells(case):
    """With the line that the note names, odd cells are values like others."""
    table = pd.DataFrame({"x": CASES[case][0]})
    (note,) = infer_schema(table).notes.of(["x"])
    tokenizer = TableTokenizer(**eval(f"dict({note.remedy})", {"fields": fields})).set_params(min_frequency=1).fit(table)
    assert tokenizer.decode(tokenizer.encode(table))["x"].tolist() == table["x"].tolist()


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_whatever_is_odd_comes_back_missing(data):
    """Whichever numbers or dates there are, whichever few cells are odd: these are missing, no other changes."""
    dates = st.dates(pd.Timestamp(1900, 1, 1).date(), pd.Timestamp(2100, 1, 1).date()).map(str)
    kind, usual = data.draw(
        st.sampled_from(
            [
                ("number", st.integers(-(2**53), 2**53)),
                ("number", st.floats(-1e6, 1e6).map(lambda value: round(value, 3))),
                ("datetime", dates),
            ]
        )
    )
    cells = data.draw(st.lists(usual, min_size=45, max_size=60, unique=True))
    words = st.text(st.characters(codec="utf-8", exclude_characters="0123456789"), max_size=5)
    odd = data.draw(st.dictionaries(st.integers(0, 44), words, min_size=1, max_size=4))
    values = pd.Series(cells, dtype=object)
    for place, word in odd.items():
        values[place] = word
    table = pd.DataFrame({"x": values})
    tokenizer = TableTokenizer(min_frequency=1).fit(table)
    assert tokenizer.schema_["x"].kind == kind
    again = tokenizer.decode(tokenizer.encode(table))["x"]
    assert set(np.flatnonzero(again.isna())) == set(odd)
    rest = again.drop(list(odd))
    wanted = values.drop(list(odd))
    assert rest.tolist() == (pytest.approx(wanted.tolist(), rel=1e-9) if kind == "number" else wanted.tolist())


def test_numbers_that_are_text_are_numbers_among_others():
    """In a column of "12" and 12 either is the number; what looks like a code with leading zeros is none."""
    values = pd.Series([str(fee) if i % 3 == 0 else int(fee) for i, fee in enumerate(FEES)], dtype=object)
    values[[5, 50]] = "007"
    tokenizer = TableTokenizer(min_frequency=1).fit(pd.DataFrame({"x": values}))
    odd, text = tokenizer.schema_.notes.of(["x"])
    assert odd.share == 2 / N and "'007'" in odd.reason
    assert text.share == pytest.approx(1 / 3, abs=0.01) and "can be read as numbers" in text.reason
    again = tokenizer.decode(tokenizer.encode(pd.DataFrame({"x": values})))["x"]
    assert again.drop([5, 50]).tolist() == FEES.drop([5, 50]).tolist()


def test_dates_that_are_written_otherwise_are_read_alike():
    """Dates without leading zeros among those with are the same dates, and a note says so."""
    table = pd.DataFrame({"x": column(DATES.dt.strftime("%Y-%m-%d"), "2019-3-4")})
    tokenizer = TableTokenizer(min_frequency=1).fit(table)
    (note,) = tokenizer.schema_.notes.of(["x"])
    assert note.share == 0.05 and "'2019-3-4'" in note.reason
    assert (tokenizer.decode(tokenizer.encode(table))["x"][ODD] == "2019-03-04").all()


@pytest.mark.parametrize(
    "values",
    [
        [0, 1, 2, "3 or more"] * 100,
        [*numbers(1)[:300], *["a", "b"] * 50],
        [*DATES.dt.strftime("%Y-%m-%d")[:300], *[f"note {i}" for i in range(100)]],
        ["2024-01-01", "2024-02-01"] * 150 + ["later"] * 20,
    ],
)
def test_what_is_mixed_or_few_stays_what_it_is(values):
    """Where a fifth or more is odd, or a few frequent values are all there is, nothing is read as missing."""
    schema = infer_schema(pd.DataFrame({"x": pd.Series(values, dtype=object)}))
    assert schema["x"].kind in ("category", "text") and not schema["x"].nullable


NAMED = [
    (fields.Number(), column(numbers(1), "tba"), "expected numbers, got 'tba'; have what is no number missing with X"),
    (
        fields.Datetime(format="%Y-%m-%d"),
        column(ISO, ""),
        "written as %Y-%m-%d, got ''; remove it, read it as missing with coerce=True",
    ),
    (fields.Datetime(format="%Y%m%d"), column(WHOLE, 0).astype(int), "got 0; remove it, read it as missing with coerce=True"),
]


@pytest.mark.parametrize(("field", "values", "error"), NAMED)
def test_a_field_that_is_named_refuses_odd_cells_unless_it_says_otherwise(field, values, error):
    """A field of the user's own refuses odd cells, names the way out, and takes it: with coerce=True they are missing."""
    table = pd.DataFrame({"x": values})
    with pytest.raises(ValueError, match=f"column 'x': .*{error}"):
        infer_schema(table, schema={"x": field})
    schema = infer_schema(table, schema={"x": field.replace(coerce=True)})
    assert schema["x"].nullable and not schema.notes
    assert Schema.from_json(schema.to_json()) == schema
    assert TableTokenizer(schema).fit(table).schema_["x"] == schema["x"]
    with pytest.raises(ValueError, match="nullable=False"):
        infer_schema(table, schema={"x": field.replace(coerce=True, nullable=False)})


def orders():
    """Return a table of two columns with odd cells, and one that tells where they are."""
    fee, day = CASES["a word among floats"][0], CASES["zero among whole dates"][0]
    return pd.DataFrame({"fee": fee, "day": day, "size": np.where(ODD, "L", "S")})


@pytest.fixture(scope="module")
def fitted(synthesizer):
    """Return a synthesizer of that table; not to be changed."""
    with pytest.warns(UserWarning, match="odd cells are read as missing"):
        return synthesizer().fit(orders())


def test_samples_hold_no_odd_cells(fitted, tmp_path):
    """Samples are numbers and dates, or missing, also those of a model file, and in files."""
    fitted.save(tmp_path / "model")
    sample = fitted.sample(200, random_state=0)
    assert pd.api.types.infer_dtype(sample["fee"], skipna=True) == "floating" and sample["fee"].isna().any()
    assert pd.to_datetime(sample["day"].dropna().astype(str), format="%Y%m%d").dt.year.between(2018, 2020).all()
    again = BatchLSTMSynthesizer.load(tmp_path / "model")
    pd.testing.assert_frame_equal(again.sample(200, random_state=0), sample)
    fitted.sample_to(tmp_path / "rows.parquet", 200, random_state=0)
    written = pd.read_parquet(tmp_path / "rows.parquet")
    assert written["fee"].dropna().tolist() == sample["fee"].dropna().tolist()


def test_odd_cells_score_as_missing_ones(fitted):
    """A row with an odd cell has the score of one in which the cell is missing."""
    odd = orders()
    gone = odd.assign(fee=odd["fee"].where(~ODD, None), day=odd["day"].astype("Int64").where(~ODD))
    scores = fitted.score_samples(odd)
    assert np.isfinite(scores).all()
    np.testing.assert_array_equal(scores, fitted.score_samples(gone))


def test_odd_cells_are_refused_as_conditions_and_read_in_rows(fitted):
    """A condition that is an odd cell is refused with a way out that works; rows of fit may hold them, with a warning."""
    for column, cell in (("fee", "tba"), ("day", 0)):
        with pytest.raises(
            ValueError,
            match=rf"given\['{column}'\] is .*{cell}.* of type .*: fit read such cells as missing, so give None for them",
        ):
            fitted.sample(3, given={column: cell})
        assert fitted.sample(3, given={column: None})[column].isna().all()
    rows = orders().loc[ODD, ["fee", "day"]].reset_index(drop=True)
    with pytest.warns(UserWarning, match="'fee': 20 such as tba"):
        sample = fitted.sample(given=rows, random_state=0)
    pd.testing.assert_frame_equal(sample[["fee", "day"]], rows, check_dtype=False)


def test_odd_cells_are_filled(fitted):
    """Odd cells count as missing where missing cells are filled."""
    table = orders()
    filled = fitted.impute(table, random_state=0)
    assert not filled.isna().any(axis=None)
    assert pd.api.types.infer_dtype(filled["fee"]) == "floating" and (filled["day"] > 20180000).all()
    assert filled.loc[~ODD, "fee"].tolist() == table.loc[~ODD, "fee"].tolist()


def test_later_rows_are_read_alike(synthesizer):
    """Rows of partial_fit may hold odd cells, the same or others, or numbers as text."""
    with pytest.warns(UserWarning, match="odd cells"):
        model = synthesizer().fit(orders())
    more = orders().assign(fee=orders()["fee"].where(~ODD, "soon"))
    more.loc[0, "fee"] = "700"
    model.partial_fit(more)
    model.partial_fit(more[~ODD].astype({"fee": float}).reset_index(drop=True))
    assert not model.sample(100, random_state=0)["fee"].isin(["soon", "tba"]).any()


@pytest.mark.parametrize("kind", ["csv", "parquet", "dask"])
def test_tables_that_are_not_in_memory_are_read_alike(kind, synthesizer, tmp_path, monkeypatch):
    """Dates with odd cells in files, and in tables of Dask, are dates as in memory, whatever is surveyed of them."""
    monkeypatch.setattr(_survey, "SURVEY_ROWS", 300)
    table = pd.DataFrame(
        {"day": CASES["zeros as date"][0], "whole": CASES["zero among whole dates"][0], "size": np.arange(N) % 3}
    )
    if kind == "dask":
        source = pytest.importorskip("dask.dataframe").from_pandas(table, npartitions=3)
    else:
        source = tmp_path / f"table.{kind}"
        table.to_csv(source, index=False) if kind == "csv" else table.to_parquet(source)
    with pytest.warns(UserWarning, match="odd cells are read as missing"):
        model = synthesizer().fit(source)
    schema = model.schema_
    assert {column: schema[column].kind for column in ("day", "whole")} == {"day": "datetime", "whole": "datetime"}
    sample = model.sample(100, random_state=0)
    assert pd.to_datetime(sample["day"].dropna(), format="%Y-%m-%d").notna().all()
    assert (sample["whole"].dropna() > 20180000).all()


def test_private_fits_infer_nothing_of_it(synthesizer, recwarn):
    """With epsilon the kind follows from the dtype alone; a public field may read odd cells as missing."""
    known = {
        "fee": fields.Number(0, 50_000, coerce=True),
        "day": fields.Datetime("2018-01-01", "2021-01-01", resolution="D", format="%Y%m%d", coerce=True),
        "size": fields.Category(["S", "L"]),
    }
    model = synthesizer(epsilon=5.0, schema=known).fit(orders())
    assert model.schema_.notes == () and not [w for w in recwarn if "doubtful" in str(w.message)]
    model = synthesizer(epsilon=5.0, schema="private").fit(orders()[["fee", "size"]])
    assert model.schema_["fee"].kind == "category"
