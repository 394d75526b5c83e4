"""What is public of a private fit does not depend on a cell: dtypes, schema, errors, warnings, from wherever a table comes."""

import datetime
import warnings

import numpy as np
import pandas as pd
import pytest

from sksynth import BatchLSTMSynthesizer, LSTMTextModel, fields
from sksynth._private import _plan, _release, in_public_dtypes, release
from sksynth._sources import opened_table
from sksynth.privacy import Ledger, _mechanisms, calibrate_noise_multiplier, gaussian_event
from sksynth.tokenizers import CharTokenizer

N = 60
DAY = fields.Datetime("2000-01-01", "2029-12-31", resolution="D")


class Ended(Exception):
    """Raised in place of training."""


@pytest.fixture
def begun(monkeypatch):
    """Return a function that begins a private fit, all of whose counts get the same answer, and tells what is public of it."""

    def end(*args):
        raise Ended

    monkeypatch.setattr(BatchLSTMSynthesizer, "_run", end)
    monkeypatch.setattr(LSTMTextModel, "_run", end)
    monkeypatch.setattr(_plan, "calibrate_noise_multiplier", lambda *args, **kwargs: 2.0)  # accountants take their time
    monkeypatch.setattr(_plan, "epsilons_along", lambda ledger, event_of, ends: np.zeros(len(ends)))
    monkeypatch.setattr(LSTMTextModel, "_set_privacy", lambda self, ledger, facts: _set(self))
    monkeypatch.setattr(_release, "noisy_total", lambda *args: 1000)
    monkeypatch.setattr(_mechanisms, "noisy_counts", lambda counts, scale, rng: np.full(np.shape(counts), 1000.0))

    def begin(table, schema):
        template = LSTMTextModel(batch_size=8, epochs=1, rnn_units=1, embedding_dim=1)
        synthesizer, released = BatchLSTMSynthesizer(text_model=template, schema=schema, epsilon=30.0, delta=1e-4), []
        monkeypatch.setattr(
            BatchLSTMSynthesizer, "_set_privacy", lambda self, ledger, facts: released.append(facts) or _set(self)
        )
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "noise drowns the signal")
            warnings.filterwarnings("ignore", "nearly all cells")
            with pytest.raises(Ended):
                synthesizer.fit(table)
        return dict(released[0].schema)

    return begin


def _set(synthesizer):
    synthesizer.epsilon_, synthesizer.delta_ = 30.0, 1e-4


# Columns


LEVELS = {
    "words": (fields.Category(["a", "b"]), ["a", "b"], ["other", 3, 2.5, b"x", (1, 2), pd.Timestamp("2020-01-01"), np.inf]),
    "numbers": (fields.Category([1, 2]), [1, 2], ["other", 3, 2.5, b"x", np.inf, None]),
    "text": (fields.Text(max_length=2, alphabet="ab"), ["a", "b"], [3, True, 2.5, b"x", pd.Timestamp("2020-01-01")]),
    "keys": (fields.Identifier(pattern="K[0-9]"), ["K1", "K2"], [3, 2.5, b"x"]),
    "flags": (fields.Boolean(), [True, False], ["x", b"x", 2]),
}  # fmt: skip


@pytest.mark.parametrize("name", LEVELS)
def test_levels_of_a_categorical_column_decide_nothing(name, begun):
    """Whatever one cell is, and thereby the dtype of the levels, the schema is the same and no error is raised."""
    field, good, odd = LEVELS[name]
    before = begun(pd.DataFrame({"x": pd.Series(good * (N // 2)).astype("category")}), {"x": field})
    for cell in odd:
        values = pd.Series([*good * (N // 2 - 1), good[0], cell], dtype=object)
        assert begun(pd.DataFrame({"x": values.astype("category")}), {"x": field}) == before


FAR = {
    "datetime64[ns]": [pd.Timestamp.min, pd.Timestamp.max],
    "datetime64[s]": [np.datetime64("-200000-01-01", "s"), np.datetime64(2**63 - 1, "s")],
    "datetime64[ns, Europe/Berlin]": [pd.Timestamp.max.tz_localize("UTC"), pd.Timestamp.min.tz_localize("UTC")],
    "datetime64[s, Asia/Tokyo]": [pd.Timestamp("0001-01-01 01:00", tz="UTC"), pd.Timestamp("9999-12-31 23:00", tz="UTC")],
}  # fmt: skip


@pytest.mark.parametrize("schema", ["private", {"x": DAY}], ids=["private", "public"])
@pytest.mark.parametrize("dtype", FAR)
def test_dates_that_cannot_be_computed_with_raise_no_error(dtype, schema, begun):
    """The first and the last moments of a dtype, and years beyond those of Python, are clipped like other dates."""
    days = pd.Series(pd.date_range("2020-01-01", periods=N)).astype(dtype.split(",")[0] + "]" * ("," in dtype))
    days = days.dt.tz_localize(dtype.split(", ")[1][:-1]) if "," in dtype else days
    before = begun(pd.DataFrame({"x": days}), schema)
    for moment in FAR[dtype]:
        cells = days.copy()
        if isinstance(moment, np.datetime64):
            cells = pd.Series(np.where(np.arange(N) == 7, moment, days.to_numpy()))
        else:
            cells[7] = moment
        assert cells.dtype == days.dtype
        assert begun(pd.DataFrame({"x": cells}), schema) == before


def test_large_floats_raise_no_warning(begun):
    """Numbers whose decimals cannot be told apart without overflow have too many."""
    values = np.tile([0.5, 1.5], N // 2)
    before = begun(pd.DataFrame({"x": values}), "private")
    values[7] = -1.7e308
    assert begun(pd.DataFrame({"x": values}), "private") == before


def test_arrays_are_read_cell_by_cell(begun):
    """Infinity, words and nested cells in an array are as in a frame; one string more or less is no other dtype."""
    numbers, words = np.full((N, 2), 0.5), np.full((N, 2), "a", dtype=object)
    schema = {0: fields.Number(0.0, 1.0), 1: fields.Number(0.0, 1.0)}
    before, plain, text = (
        begun(numbers, schema),
        begun(numbers.astype(object), schema),
        begun(words, dict.fromkeys((0, 1), LETTER)),
    )
    for cell in (np.inf, -np.inf, np.nan):
        numbers[7, 1] = cell
        assert begun(numbers, schema) == before
    for cell in ([1], "x", None, b"x", np.inf):
        mixed = np.full((N, 2), 0.5, dtype=object)
        mixed[7, 1] = cell
        words[7, 1] = cell
        assert begun(mixed, schema) == plain
        assert begun(words, dict.fromkeys((0, 1), LETTER)) == text


LETTER = fields.Category(["a"])


def test_moments_among_objects_are_text():
    """A column of dates that is no column of dates keeps them as categories, written out."""
    table = pd.DataFrame({"x": pd.Series([datetime.date(2020, 1, 1), datetime.date(2021, 1, 1)] * 1000, dtype=object)})
    found = release(table, "private", Ledger(1e-5), None)
    assert found.schema["x"].categories == ("2020-01-01", "2021-01-01")


def test_columns_of_next_to_nothing_are_warned_of():
    """Where the released shape of a column says that nothing is left of it, the fit says so, and names it."""
    table = pd.DataFrame({"nested": pd.Series([[1], [2]] * 1000), "city": ["Ulm", "Bonn"] * 1000, "size": range(2000)})
    schema = {
        "nested": fields.Category(["a"]), "city": fields.Category(["ulm", "bonn"]), "size": fields.Number(0, 2000),
    }  # fmt: skip
    with pytest.warns(UserWarning, match=r"nearly all cells of \['nested', 'city'\] are missing, or"):
        release(table, schema, Ledger(1e-5), None)


@pytest.mark.parametrize(
    ("field", "values", "what", "dtype"),
    [
        (fields.Boolean(), pd.Series([0, 1] * 30), "Boolean, but its dtype is int64", "boolean"),
        (fields.Boolean(), pd.Series([0.0, np.nan] * 30), "Boolean, but its dtype is float64", "boolean"),
        (fields.Number(0, 9), pd.Series(["1", "2"] * 30, dtype="string"), "Number, but its dtype is string", float),
        (fields.Number(0, 9), pd.Series([1, 2] * 30, dtype="category"), "Number, but its dtype is category", float),
        (fields.Text(max_length=1), pd.Series([1, 2] * 30), "Text, but its dtype is int64", str),
        (fields.Category([1, 2]), pd.Series(["1", "2"] * 30, dtype="string"), "Category of int, but its dtype is string", int),
        (fields.Category(["1"]), pd.Series([1, 2] * 30), "Category of str, but its dtype is int64", str),
        (DAY, pd.Series([1.5] * 60), "Datetime, but its dtype is float64", "datetime64[s]"),
    ],
)  # fmt: skip
def test_a_field_that_no_cell_can_be_is_refused_by_dtypes(field, values, what, dtype, begun):
    """The message names dtype and field, whatever the cells are, and its remedy leads to a fit."""
    with pytest.raises(ValueError, match=f"column 'x': its field is {what}"):
        release(pd.DataFrame({"x": values}), {"x": field}, Ledger(1e-5), None)
    begun(pd.DataFrame({"x": values.astype(dtype)}), {"x": field})


@pytest.mark.parametrize("field", [fields.Number(0.0, 1.0), fields.Number(0.0, 1.0, precision=1)])
def test_numbers_of_an_object_column_may_have_decimals(field, begun):
    """A field with floats as bounds keeps the decimals of a column of objects, as the schema says."""
    found = begun(pd.DataFrame({"x": pd.Series([0.5, 1, None] * 20, dtype=object)}), {"x": field})["x"]
    assert (found.precision, found.dtype) == (field.precision or "continuous", "object")


# Files

CSV = "size,city,flag,born\n" + "1,Ulm,True,2020-01-01\n2,Bonn,False,2020-02-01\n" * (N // 2)
TYPED = {
    "size": fields.Number(0, 100, dtype="int64"), "city": fields.Category(["Ulm", "Bonn"]), "flag": fields.Boolean(),
    "born": fields.Datetime("2000-01-01", "2029-12-31", resolution="D", format="%Y-%m-%d"),
}  # fmt: skip
ODD = {"\n1,": ["\n,", "\n2.5,", "\nword,", "\n1e999,", f"\n{10**40},", "\n007,"], "Ulm": ["", "7"], "True": ["", "2", "yes"]}


@pytest.mark.parametrize("dtype", ["int64", "int8", "float64"])
def test_a_file_of_csv_has_the_dtypes_of_the_schema(dtype, tmp_path, begun):
    """A cell of CSV that is not of the dtype that its field says changes neither dtypes nor schema, and raises no error."""
    path = tmp_path / "table.csv"
    schema = TYPED | {"size": TYPED["size"].replace(dtype=dtype)}
    path.write_text(CSV)
    before = begun(path, schema)
    for good, odd in ODD.items():
        for cell in odd:
            path.write_text(CSV.replace(good, cell, 1))
            assert begun(path, schema) == before


def test_cells_of_csv_are_what_pandas_reads(tmp_path):
    """Where all cells are of the dtypes of the fields, the table is the one that is in the file."""
    path = tmp_path / "table.csv"
    path.write_text(CSV)
    schema = TYPED | {"city": fields.Text(max_length=4)}
    with opened_table(path, None) as source:
        found = in_public_dtypes(source, schema)
    expected = pd.read_csv(path).astype({"size": "Int64", "flag": "boolean"})
    pd.testing.assert_frame_equal(found, expected)


@pytest.mark.parametrize("schema", ["private", TYPED | {"size": "private"}, TYPED | {"size": fields.Number(0, 100)}], ids=str)
def test_csv_without_dtypes_is_refused(schema, tmp_path):
    """The message names the column and the file, and both remedies."""
    path = tmp_path / "table.csv"
    path.write_text(CSV)
    message = r"column 'size' of .*table.csv: CSV says no dtypes.*dtype='int64'.*pandas.read_csv\(path, dtype=...\)"
    with pytest.raises(ValueError, match=message):
        BatchLSTMSynthesizer(schema=schema, epsilon=3.0, delta=1e-4).fit(path)


@pytest.mark.parametrize("schema", ["private", None], ids=["private", "public"])
def test_a_parquet_file_has_its_own_dtypes(schema, tmp_path, begun):
    """A missing cell among whole numbers or booleans changes no dtype, as in such columns of the file some may be missing."""
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    cells = {"size": [1, 2**60] * 30, "flag": [True, False] * 30, "city": ["Ulm", "Bonn"] * 30}
    public = {"size": fields.Number(0, 2**60), "flag": fields.Boolean(), "city": fields.Category(["Ulm", "Bonn"])}
    schema, path, types = schema or public, tmp_path / "table.parquet", pa.table(cells).schema
    found = []
    for column in (None, *cells):
        own = cells if column is None else cells | {column: [None, *cells[column][1:]]}
        parquet.write_table(pa.table(own, schema=types), path)
        found.append(begun(path, schema))
    assert found == found[:1] * 4
    assert [field.dtype for field in found[0].values()] == ["Int64", "boolean", str(pd.Series(["Ulm"]).dtype)]


# Lines


@pytest.mark.parametrize("odd", [None, np.nan, 3, b"x", [1], "\ud800", "\x00", "x" * 1000])
@pytest.mark.parametrize(
    "given_as", [list, iter, lambda lines: pd.Series(lines, dtype=object)], ids=["list", "iter", "Series"]
)
@pytest.mark.filterwarnings("ignore:noise drowns the signal:UserWarning")
def test_a_line_that_is_no_text_raises_no_error(odd, given_as, begun):
    """In a private fit such a line is empty, wherever it stands."""
    for place in (0, 7):
        lines = ["ab", "b"] * 30
        lines[place] = odd
        model = LSTMTextModel(CharTokenizer(3, alphabet="ab"), batch_size=8, epochs=1, rnn_units=1, epsilon=30.0, delta=1e-4)
        with pytest.raises(Ended):
            model.fit(given_as(lines))


@pytest.mark.filterwarnings("ignore:noise drowns the signal:UserWarning")
def test_a_line_that_is_not_utf8_raises_no_error(tmp_path, begun):
    """A file of lines is read whatever its bytes are."""
    (tmp_path / "lines.txt").write_bytes(b"ab\n\xff\xfe\n" * 30)
    with pytest.raises(Ended):
        LSTMTextModel(batch_size=8, epochs=1, rnn_units=1, epsilon=30.0, delta=1e-4).fit(tmp_path / "lines.txt")


# Delta


@pytest.mark.parametrize("delta", [1e-30, 1e-300])
@pytest.mark.parametrize("before", [(), (0.001,)])
def test_too_small_a_delta_is_refused(delta, before):
    """The message names delta, and the remedy leads to a noise."""
    before = [gaussian_event(1.0 / size) for size in before]
    with pytest.raises(ValueError, match=f"delta={delta:g} is too small.*raise delta to 1e-12 or more"):
        calibrate_noise_multiplier(3.0, delta, 0.1, 10, before=before)
    assert calibrate_noise_multiplier(3.0, 1e-12, 0.1, 10, before=before) > 0
