"""Promises of messages about tables: what they tell to do is Python that runs, after which the table is learned."""

import ast
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import ipaddress
import re
import uuid
from collections import namedtuple
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
from dateutil import tz
from scipy import sparse

from sksynth import ColumnClusterer, fields
from sksynth._private._schema import split_schema
from sksynth._validation import check_table
from sksynth.fields import infer_schema
from sksynth.tokenizers import CharTokenizer, TableTokenizer

LINE = re.compile(r"\bX\b(\.columns|\[[^=]*\])? = .*$", re.DOTALL)  # of code, at the end
SCHEMA = re.compile(r"(?: and )?schema=(\{.*\})$", re.DOTALL)  # an argument, at the end
N = 48


class Size(enum.Enum):
    """Names for numbers."""

    SMALL = 1
    LARGE = 2


class Level(enum.IntEnum):
    """Whole numbers with names."""

    LOW = 0
    HIGH = 1


class Word(str):
    """Text of its own class."""


Row = namedtuple("Row", "a b")


@dataclasses.dataclass
class Record:
    """A row of two cells."""

    a: int
    b: str


def cells(*values):
    """Return a column of objects in which values repeat."""
    return pd.Series(list(values) * (N // len(values)), dtype=object)


def zoned(zone):
    """Return stamps in a time zone."""
    return pd.Series(pd.date_range("2021-03-01", periods=N, freq="31h", tz="UTC").tz_convert(zone))


def levels(*values):
    """Return a categorical column whose levels are of objects."""
    index = pd.Index(values, dtype=object, tupleize_cols=False)
    return pd.Series(pd.Categorical.from_codes(list(range(-1, len(values))) * N, index))


DAY, STAMP = dt.date(2022, 2, 3), pd.Timestamp("2022-02-03 04:05")
COLUMNS = {
    "fractions": cells(fractions.Fraction(2, 7), None, fractions.Fraction(1, 2)),
    "fractions and floats": cells(fractions.Fraction(2, 7), 0.5, pd.NA),
    "fractions and words": cells(fractions.Fraction(2, 7), "none", None),
    "decimals": cells(decimal.Decimal("2.50"), None, pd.NA, decimal.Decimal("NaN")),
    "levels of decimals": levels(decimal.Decimal("2.50"), decimal.Decimal(1)),
    "long doubles": cells(np.longdouble(2), np.longdouble("0.1"), None),
    "a dtype of long doubles": pd.Series(np.arange(N, dtype=np.longdouble)),
    "complex numbers": cells(1j, 2, None),
    "a dtype of complex numbers": pd.Series(np.arange(N) * 1j),
    "bytes": cells(b"ab", "é".encode(), None),
    "bytes that are no text": cells(b"\xff\x00", b"a"),
    "byte arrays": cells(bytearray(b"ab"), None),
    "levels of bytes": levels(b"ab", b"c"),
    "lists": cells([1], [2, 3], None),
    "dicts": cells({"k": 1}, None),
    "tuples": cells((1, "a"), (2, "b")),
    "levels of tuples": levels(("a", 1), ("b", 2)),
    "sets": cells({1}, frozenset("a")),
    "arrays": cells(np.arange(3), None),
    "series": cells(pd.Series([1, 2])),
    "members of an enumeration": cells(Size.SMALL, Size.LARGE, None),
    "whole numbers with names": cells(Level.LOW, Level.HIGH),
    "text of another class": cells(Word("a"), Word("b"), None),
    "keys": pd.Series([uuid.UUID(int=i) for i in range(N)], dtype=object),
    "addresses": cells(ipaddress.ip_address("10.0.0.1"), None),
    "masked cells": cells(3, np.ma.masked, 4),
    "dates": cells(DAY, None, pd.NaT),
    "levels of dates": levels(DAY, dt.date(1999, 9, 9)),
    "times": cells(dt.time(4, 5), None),
    "stamps": cells(STAMP, DAY, np.datetime64("2022-01-01")),
    "stamps of several zones": cells(STAMP.tz_localize("UTC"), STAMP.tz_localize("Asia/Tokyo"), None),
    "durations": cells(pd.Timedelta(5, "min"), dt.timedelta(1), None),
    "missing durations of NumPy alone": cells(np.timedelta64("NaT")),
    "NumPy's missing duration": cells(np.timedelta64("NaT"), np.timedelta64(3, "s")),
    "periods": pd.Series(pd.period_range("2020-01", periods=N, freq="M")).where(np.arange(N) > 0),
    "periods as cells": cells(pd.Period("2020-01", "M"), None),
    "levels of periods": pd.Series(pd.period_range("2020-01", periods=2, freq="M").repeat(N)).astype("category"),
    "intervals": pd.Series(pd.interval_range(0, N)).where(np.arange(N) > 0),
    "levels of intervals": pd.Series(pd.cut([1, 2, np.nan, 7] * N, 3)),
    "sparse numbers": pd.Series(pd.arrays.SparseArray([0.0, 1.5, np.nan] * N)),
    "infinity": pd.Series([0.5, np.inf] * N),
    "infinity among words": cells("a", -np.inf, 2),
    "an infinite level": levels(0.5, np.inf),
    "a number beyond floats": cells(10**400, 0.5),
    "a number beyond floats among words": cells(-(10**400), "a", None),
    "whole numbers beyond 64 bits": cells(2**64, 5, None),
    "unsigned and negative numbers": cells(2**64 - 1, -1),
    "a zone of a file": zoned("dateutil/Europe/Vienna"),
    "an offset with a name": zoned(dt.timezone(dt.timedelta(hours=2), "CEST")),
    "an offset with seconds": zoned(dt.timezone(dt.timedelta(hours=1, seconds=15))),
    "an offset of dateutil": zoned(tz.tzoffset("here", 3_600)),
    "the machine's zone": zoned(tz.tzlocal()),
    "levels of a zone without a name": zoned("dateutil/Europe/Vienna").astype("category"),
}
if pd.__version__ < "3":  # which makes zones of pytz from names
    COLUMNS["a zone of zoneinfo"] = zoned(ZoneInfo("Europe/Vienna"))


def table_of(column):
    """Return a table with such a column."""
    return pd.DataFrame({"odd": column, "n": np.arange(len(column)) % 5})


def named(*names):
    """Return a table with such names of columns."""
    columns = pd.Index(names, dtype=object, tupleize_cols=False)
    return pd.DataFrame(np.arange(N * len(names)).reshape(N, -1) % 5).set_axis(columns, axis=1)


class Elsewhere:
    """A table of another library, which has one method."""

    def __init__(self, method):
        setattr(self, method, lambda: table_of(range(N)))


class Lazy:
    """A table that is yet to be made."""

    def collect(self):
        return Elsewhere("to_pandas")


ROWS = [(i % 4, "xyz"[i % 3]) for i in range(N)]
STRUCTURE = np.array(ROWS, [("a", int), ("b", "U1")])
HIDDEN = np.arange(2 * N).reshape(N, 2) % 7 == 0
TABLES = {
    "no name": named(pd.NA, "b"),
    "nan as a name": named("a", np.nan),
    "nan in a tuple as a name": named(("a", np.nan), "b"),
    "bytes as a name": named(b"a", "b"),
    "names that are fractions": named(fractions.Fraction(1, 3), 1),
    "names that are times": named(dt.time(3), dt.time(4)),
    "a name in a zone without a name": named(pd.Timestamp("2020-01-01", tz=dt.timezone(dt.timedelta(hours=2), "CEST")), "b"),
    "half of a surrogate pair in a name": named("a\ud83d", 1),
    "duplicate names": named("a", "b", "a"),
    "names of two levels": named("a", "b").set_axis(pd.MultiIndex.from_tuples([("u", "a"), ("u", "b")]), axis=1),
    "a list of dicts": [dict(zip("ab", row, strict=True)) for row in ROWS],
    "a dict of lists": {"a": [1, 2] * N, "b": ["x", "y"] * N},
    "a dict of scalars": {"a": 1, "b": "x"},
    "named tuples": [Row(*row) for row in ROWS],
    "data classes": [Record(*row) for row in ROWS],
    "a list of series": [row for _, row in pd.DataFrame(ROWS).iterrows()],
    "rows of several lengths": [[1], [2, 3]] * N,
    "a flat list": [1, 2] * N,
    "a series": pd.Series([1, 2] * N, name="a"),
    "an index": pd.Index([1, 2] * N, name="a"),
    "a generator": (row for row in ROWS),
    "a set": set(ROWS),
    "one dimension": np.arange(N) % 5,
    "three dimensions": np.zeros((N, 2, 2)),
    "a structured array": STRUCTURE,
    "records": STRUCTURE.view(np.recarray),
    "a masked array": np.ma.array(np.arange(2 * N).reshape(N, 2) % 5, mask=HIDDEN),
    "a masked array without masked cells": np.ma.array(np.arange(2 * N).reshape(N, 2) % 5),
    "a masked array of words": np.ma.array(np.array([["a", "b"]] * N), mask=HIDDEN),
    "a masked array of objects": np.ma.array(np.array([["a", 2]] * N, dtype=object), mask=HIDDEN),
    "a masked structured array": np.ma.array(STRUCTURE, mask=[(False, i % 5 == 0) for i in range(N)]),
    "a list of masked arrays": [np.ma.array([1, 2], mask=[i % 5 == 0, False]) for i in range(N)],
    "a list with masked cells": [[i % 3, np.ma.masked if i % 5 == 0 else 1] for i in range(N)],
    "an array of bytes": np.array([[b"a", b"b"]] * N),
    "an array of decimals": np.array([[decimal.Decimal(1), 2]] * N, dtype=object),
    "a sparse matrix": sparse.csr_matrix(np.eye(N)),
    "a frame that becomes one of pandas": Elsewhere("to_pandas"),
    "a frame of Spark": Elsewhere("toPandas"),
    "a frame that is lazy": Lazy(),
    **{name: table_of(column) for name, column in COLUMNS.items()},
}


def refused(table, schema=None):
    """Return the message with which a table is refused, which names the column where it is about one; None if it is not."""
    try:
        frame = check_table(table)
        infer_schema(table, schema=schema)
        tokenizer = TableTokenizer(schema).fit(table)
        assert len(tokenizer.decode(tokenizer.encode(frame, cut=True))) == len(frame)
    except (TypeError, ValueError) as error:
        return str(error)
    return None


def mended(message, table, schema=None):
    """Return a table and a schema once the line of Python at the end of a message was run, and its argument taken."""
    argument, line = SCHEMA.search(message), LINE.search(SCHEMA.sub("", message))
    assert argument or line, message
    known = {"np": np, "pd": pd, "fields": fields, "X": table.copy() if hasattr(table, "copy") else table}
    if line:
        exec(line[0], known)
    return known["X"], {**(schema or {}), **eval(argument[1], known)} if argument else schema


@pytest.mark.filterwarnings("ignore:Downcasting behavior in `replace`:FutureWarning")  # of pandas 2, in one of the remedies
@pytest.mark.parametrize("case", TABLES)
def test_a_table_that_is_refused_is_learned_once_the_remedy_is_run(case):
    """What is no table, or holds what no field can, is refused by name; the remedies, run as they are, make it one."""
    table = TABLES[case]
    message = refused(table)
    assert message is not None
    assert case not in COLUMNS or "'odd'" in message
    for _ in range(3):
        table, _ = mended(message, table)
        message = refused(table)
        if message is None:
            return
    pytest.fail(message)


ISO = pd.Series(pd.date_range("2021-03-01", periods=N, freq="7h")).dt.strftime("%Y-%m-%dT%H:%M:%S")
OFFSETS = ISO + pd.Series(["+02:00", "+01:00"] * (N // 2))
NUMBERS = ISO.str[:10].str.replace("-", "").astype("int64")
MISFITS = {
    "a word among numbers": (cells(1, "none", 2.5, None), fields.Number()),
    "booleans as numbers": (pd.Series([True, False] * N), fields.Number()),
    "booleans among numbers": (cells(True, 2.5, None), fields.Number()),
    "numbers as booleans": (pd.Series([0.5, 1.0] * N), fields.Boolean()),
    "numbers as text": (pd.Series([0.5, np.nan] * N), fields.Text()),
    "numbers among text": (cells("a", 1, None), fields.Text()),
    "numbers as identifiers": (pd.Series(np.arange(N) + 0.5), fields.Identifier()),
    "numbers among identifiers": (cells("a", 1, None), fields.Identifier()),
    "identifiers of another pattern": (pd.Series([f"K{i:03d}" for i in range(N)]), fields.Identifier("L[0-9]{3}")),
    "numbers as durations": (pd.Series(pd.to_timedelta(range(N), unit="h")), fields.Boolean()),
    "texts as dates": (cells("soon", "late", None), fields.Datetime()),
    "a text among dates": (cells("2020-01-01", "soon", None), fields.Datetime(format="%Y-%m-%d")),
    "dates in another format": (ISO, fields.Datetime(format="%d.%m.%Y")),
    "levels as dates": (ISO.astype("category"), fields.Datetime()),
    "several offsets": (OFFSETS, fields.Datetime()),
    "texts in a time zone": (ISO, fields.Datetime(tz="Europe/Berlin")),
    "an offset in a time zone": (ISO + "Z", fields.Datetime(tz="UTC")),
    "dates without a time zone": (pd.Series(pd.date_range("2021", periods=N)), fields.Datetime(tz="Europe/Berlin")),
    "numbers as dates": (pd.Series(range(N)), fields.Datetime()),
    "numbers in a format of texts": (NUMBERS, fields.Datetime(format="%Y-%m-%d")),
    "numbers of objects": (NUMBERS.astype(object), fields.Datetime(format="%Y%m%d")),
    "a number that is no date": (pd.concat([NUMBERS, pd.Series([20211399])]), fields.Datetime(format="%Y%m%d")),
    "booleans as dates": (pd.Series([True, False] * N), fields.Datetime()),
}


@pytest.mark.parametrize("case", MISFITS)
def test_a_field_that_does_not_fit_is_learned_once_the_remedy_is_run(case):
    """What a field cannot hold is refused with the column's name, and a line or a field that takes it."""
    column, field = MISFITS[case]
    table, schema = table_of(column.reset_index(drop=True)), {"odd": field}
    message = refused(table, schema)
    assert "'odd'" in message
    table, schema = mended(message, table, schema)
    assert refused(table, schema) is None


@pytest.mark.parametrize("dtype", ["int64", "Int32", "float64", "Float64"])
@pytest.mark.parametrize("missing", [False, True])
def test_dates_as_whole_numbers_may_be_of_any_dtype_of_numbers(dtype, missing):
    """Numbers such as 20210301 are dates in their format, floats too, as which they come where cells are missing."""
    column = NUMBERS.astype("Int64").where((np.arange(N) > 5) | (not missing)).astype(dtype if not missing else "Float64")
    column = column.astype({"int64": "Int64"}.get(dtype, dtype) if missing else dtype)
    table, schema = pd.DataFrame({"x": column}), {"x": fields.Datetime(format="%Y%m%d")}
    tokenizer = TableTokenizer(schema, min_frequency=1).fit(table)
    assert str(tokenizer.schema_["x"].low) == "2021-03-01 00:00:00" or missing
    pd.testing.assert_frame_equal(tokenizer.decode(tokenizer.encode(table)), table)


def test_whole_numbers_without_a_leading_zero_are_the_dates_that_they_were():
    """The first of February, 1022021, is not the tenth, whatever the format."""
    table = pd.DataFrame({"x": pd.date_range("2021-01-01", periods=59).strftime("%d%m%Y").astype("int64")})
    assert 1022021 in set(table["x"])
    tokenizer = TableTokenizer({"x": fields.Datetime(format="%d%m%Y")}, min_frequency=1).fit(table)
    assert tokenizer.schema_["x"].high == pd.Timestamp("2021-02-28")
    pd.testing.assert_frame_equal(tokenizer.decode(tokenizer.encode(table)), table)


def test_a_time_zone_that_is_none_is_refused():
    """Datetime says what a time zone is."""
    for wrong in ("Nowhere/City", "", 3, "dateutil/Europe/Vienna"):
        with pytest.raises(ValueError, match="Datetime: tz must be the name of a time zone such as 'Europe/Berlin', got"):
            fields.Datetime(tz=wrong)


ARROW = {
    "date32[day]": DAY,
    "date64[ms]": dt.datetime(2022, 2, 3),
    "timestamp[s]": STAMP,
    "timestamp[us, tz=Asia/Tokyo]": STAMP.tz_localize("UTC"),
    "timestamp[ns, tz=+02:00]": STAMP.tz_localize("UTC"),
    "duration[ms]": pd.Timedelta(3, "s"),
    "decimal128(6, 2)": decimal.Decimal("2.50"),
    "time64[us]": dt.time(4, 5),
    "int8": 3,
    "uint64": 2**64 - 1,
    "float": 0.5,
    "double": 0.25,
    "bool": True,
    "string": "a",
    "large_string": "a",
    "binary": b"ab",
    "null": None,
    "dictionary": "a",
    "list": [1, 2],
    "struct": {"a": 1},
}


def arrow_type(name):
    """Return a type of pyarrow."""
    pa = pytest.importorskip("pyarrow")
    known = {
        "date32[day]": pa.date32(), "date64[ms]": pa.date64(), "timestamp[s]": pa.timestamp("s"),
        "timestamp[us, tz=Asia/Tokyo]": pa.timestamp("us", "Asia/Tokyo"), "time64[us]": pa.time64("us"),
        "timestamp[ns, tz=+02:00]": pa.timestamp("ns", "+02:00"), "duration[ms]": pa.duration("ms"), "float": pa.float32(),
        "decimal128(6, 2)": pa.decimal128(6, 2), "double": pa.float64(), "bool": pa.bool_(),
        "dictionary": pa.dictionary(pa.int32(), pa.string()), "list": pa.list_(pa.int64()),
        "struct": pa.struct([("a", pa.int64())]),
    }  # fmt: skip
    return known[name] if name in known else getattr(pa, name)()


@pytest.mark.parametrize("missing", [[], [None]], ids=["full", "with missing cells"])
@pytest.mark.parametrize("name", ARROW)
def test_columns_of_pyarrow_are_learned_once_the_remedy_is_run(name, missing):
    """Whatever the type of pyarrow, the remedies convert the column to one of pandas that is learned."""
    dtype = pd.ArrowDtype(arrow_type(name))
    table = pd.DataFrame({"a b": pd.Series([ARROW[name], *missing] * N, dtype=dtype)})
    rounds = 0
    while message := refused(table):
        table, _ = mended(message, table.assign(n=1))
        rounds += 1
        assert rounds <= 3, message
    assert rounds
    expected = [cell is None for cell in [ARROW[name], *missing] * N]
    assert "a b" not in table or table["a b"].isna().tolist() == expected


def test_all_columns_of_pyarrow_are_named_at_once():
    """A table that was read as pyarrow is converted by one line, which loses nothing and keeps what is no pyarrow."""
    pytest.importorskip("pyarrow")
    plain = pd.DataFrame({"when": pd.date_range("2020", periods=N), "n": np.arange(N) % 7, "w": ["x", "y"] * (N // 2)})
    table = plain.convert_dtypes(dtype_backend="pyarrow").assign(own=1.5)
    message = refused(table)
    assert "['when', 'n', 'w']" in message
    table, _ = mended(message, table)
    assert refused(table) is None
    for column in plain:
        assert table[column].tolist() == plain[column].tolist()


def test_levels_of_pyarrow_are_learned_once_the_remedy_is_run():
    """A categorical column whose levels are of pyarrow is converted with its levels."""
    pa = pytest.importorskip("pyarrow")
    odd = pd.Series(["a", None, "b"] * N, dtype=pd.ArrowDtype(pa.string())).astype("category")
    table, _ = mended(refused(pd.DataFrame({"odd": odd})), pd.DataFrame({"odd": odd}))
    assert refused(table) is None
    assert table["odd"].dtype == "category"


def test_frames_of_polars_are_learned_once_the_remedy_is_run():
    """Frames, lazy ones too, and series of polars are told how to become frames of pandas."""
    pl = pytest.importorskip("polars")
    pytest.importorskip("pyarrow")
    frame = pl.DataFrame({"a": [1, 2] * N, "b": ["x", None] * N, "when": [DAY, None] * N})
    for table in (frame, frame.lazy(), frame["b"]):
        rounds = 0
        while message := refused(table):
            table, _ = mended(message, table)
            rounds += 1
            assert rounds <= 2, message
        assert rounds
        assert table["b"].isna().sum() == N


def test_masked_cells_are_missing_once_the_remedy_is_run():
    """What lies below a mask is never learned: not of arrays, nor of lists of them, nor of cells."""
    for case in ("a masked array", "a masked array of objects", "a masked structured array", "a list of masked arrays"):
        masks = np.ma.getmaskarray(np.ma.stack(TABLES[case])) if isinstance(TABLES[case], list) else TABLES[case].mask
        table, _ = mended(refused(TABLES[case]), TABLES[case])
        expected = np.array(masks.tolist(), bool) if masks.dtype.names else masks
        assert table.isna().to_numpy().tolist() == expected.tolist(), case
    own = pd.DataFrame({"m": np.ma.array([1, 2] * N, mask=[True, False] * N)})
    assert infer_schema(own)["m"].nullable
    assert own["m"].isna().tolist() == [True, False] * N


# Messages of what was fitted, or is private


def told(call, *args):
    """Return the message with which a call is refused."""
    with pytest.raises((TypeError, ValueError)) as refused:
        call(*args)
    return str(refused.value)


def fitted_on(column, field=None):
    """Return a function that encodes a table by what was learned of a column."""
    tokenizer = TableTokenizer({"odd": field} if field else None).fit(table_of(column))
    return lambda X: tokenizer.encode(X, cut=True)


ODD_NAMES = named(3, "a", 1.5)
CLUSTERER = ColumnClusterer(batches=[[1.5, 3], ["a"]]).fit(ODD_NAMES)
LINES = ["to be", "or not"] * 9
DATES = pd.Series(pd.date_range("2021", periods=N))
CALLS = {
    "dates that have a time zone": (fitted_on(DATES), table_of(DATES.dt.tz_localize("Asia/Tokyo"))),
    "numbers as text": (fitted_on(pd.Series([f"the {i}!" for i in range(N)]), fields.Text()), table_of(pd.Series(range(N)))),
    "keys as text": (fitted_on(pd.Series(range(100, 100 + N)), fields.Identifier()), table_of(pd.Series(["123", "45"] * N))),
    "another order": (CLUSTERER.transform, ODD_NAMES[["a", 3, 1.5]]),
    "not the order of transform": (CLUSTERER.inverse_transform, CLUSTERER.transform(ODD_NAMES)[["a", 3, 1.5]]),
    "a table for lines": (CharTokenizer().fit, pd.DataFrame({"name": LINES})),
    "a masked array for lines": (CharTokenizer().fit, np.ma.array(LINES, mask=[False, True] * 9, dtype=object)),
    "numbers as text, in private": (lambda X: split_schema(X, {"n": fields.Text(max_length=3)}), pd.DataFrame({"n": [1, 2]})),
}  # fmt: skip


@pytest.mark.parametrize("case", CALLS)
def test_a_call_that_is_refused_works_once_the_remedy_is_run(case):
    """What estimators refuse later says in Python what they take."""
    call, X = CALLS[case]
    message = told(call, X)
    passed = re.search(r"pass (?:one column as )?(X\[.*)$", message)
    known = {"X": X, "estimator": CLUSTERER, "clusterer": CLUSTERER}
    call(eval(passed[1], known) if passed else mended(message, X)[0])


def test_masked_values_of_a_condition_are_missing():
    """What lies below a mask is never asked for."""
    tokenizer = TableTokenizer(min_frequency=1).fit(pd.DataFrame({"w": ["x", "y", None] * N, "n": range(3 * N)}))
    for given in (np.ma.masked, [np.ma.masked], np.ma.array("x", mask=True), np.ma.array(["x"], mask=[True])):
        condition = tokenizer.conditions({"w": given})["w"]
        assert condition.missing
        assert np.flatnonzero(np.isfinite(condition.log_weights(np.zeros((1, 0), int))[0])).tolist() == [0]
    with pytest.raises(ValueError, match="given\\['n'\\] is missing, but no cell of that column can be"):
        tokenizer.conditions({"n": np.ma.array([1, 2], mask=[False, True])})


def test_masked_lines_are_not_learned():
    """The remedy for a masked array of lines leaves the masked ones out."""
    call, X = CALLS["a masked array for lines"]
    assert call(mended(told(call, X), X)[0]).vocabulary_ == CharTokenizer().fit(["to be"]).vocabulary_


def test_columns_that_are_lacking_are_asked_for():
    """No line of Python makes columns that are not there."""
    assert "pass all of estimator.columns_" in told(CLUSTERER.transform, ODD_NAMES.rename(columns={3: 4}))


@pytest.mark.parametrize("name", ["rows.csv", "rows.tsv", "rows.parquet"])
def test_a_path_is_told_how_to_be_read(name, tmp_path):
    """Where a path is no table, the message reads it."""
    path = str(tmp_path / name)
    table = table_of(["a", "b"] * N)
    if name.endswith("parquet"):
        table.to_parquet(path)
    else:
        table.to_csv(path, index=False, sep="\t" if name.endswith("tsv") else ",")
    pd.testing.assert_frame_equal(mended(told(check_table, path), path)[0], table)


def lacking_fields():
    """Yield messages about schemas that lack public fields, and the schema once these are added."""
    table = pd.DataFrame(
        {"n": [1, 2], "x": [0.5, 1], "b": [True, False], "w": ["a", "b"], "d": pd.to_datetime(["2020", "2021"])}
    ).assign(c=pd.Categorical(["u", "v"]))
    yield told(split_schema, table, None), None
    schema = {}
    while len(schema) < table.shape[1]:
        message = told(split_schema, table, schema)
        schema |= eval(f"{{{re.search(r': add (.*?), or ', message)[1]}}}", {"fields": fields})
        yield message, schema
    yield str(list(split_schema(table, schema))), schema


def test_public_fields_are_complete_once_those_that_are_named_are_added():
    """With epsilon, a schema that lacks fields is told one for each column, whatever its dtype, that leaves nothing open."""
    (first, _), *_, (columns, schema) = lacking_fields()
    assert set(eval(columns)) == set(schema)
    assert set(eval(re.search(r"a dict such as (\{.*?\}), or", first)[1], {"fields": fields})) == {"n", "x", "b"}


# Messages that are yet to be written

CODE = re.compile(r"(?<!\w)X\[|\bX = |(?<!\w)(pd|np|fields)\.\w+\(|\.(astype|map|to\w+|dt\.\w+|str\.\w+|reshape)\(")
ELSEWHERE = {  # rooms whose lines of Python other tests run
    "_guess.py": "test_guess.py",
    "_guess_numbers.py": "test_guess.py",
    "_doubts.py": "test_notes.py",
    "_table.py": "test_notes.py",
    "_formats.py": "test_sample_files.py",
    "_arrow.py": "test_table_files.py",
    "_table_source.py": "test_table_files.py",
}
UNTOLD = ("_dask.py", "_csv.py", "_pages.py", "_schema.py", "_files.py")  # of files, written anew; of what is public alone


def templates():
    """Yield the file and the parts, between what is put in, of all strings with a line of Python that are no docstrings."""
    for path in Path(fields.__file__).parent.rglob("*.py"):
        tree = ast.parse(path.read_text())
        parts = {id(part) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for part in node.values}
        alone = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
        for node in ast.walk(tree):
            if id(node) in parts | alone or not isinstance(node, ast.JoinedStr | ast.Constant):
                continue
            values = node.values if isinstance(node, ast.JoinedStr) else [node]
            text = "".join(str(value.value) if isinstance(value, ast.Constant) else "\0" for value in values)
            if CODE.search(text):
                yield path.name, text.split("\0")


def messages():
    """Return all messages of tables that are refused."""
    found = [refused(table) for table in TABLES.values()]
    found += [refused(table_of(column.reset_index(drop=True)), {"odd": field}) for column, field in MISFITS.values()]
    for name, cell in ARROW.items():
        found.append(refused(pd.DataFrame({"a": pd.Series([cell] * N, dtype=pd.ArrowDtype(arrow_type(name)))})))
    arrow = pd.Series(["a", "b"] * N, dtype=pd.ArrowDtype(arrow_type("string")))
    found += [told(check_table, name) for name in ("rows.csv", "rows.tsv", "rows.parquet")]
    found.append(refused(table_of(arrow.astype("category"))))
    found += [told(call, X) for call, X in CALLS.values()] + [message for message, _ in lacking_fields()]
    return list(filter(None, found))


def occurs(parts, message):
    """Tell whether a message holds some texts in their order."""
    for part in parts:
        if part not in message:
            return False
        message = message[message.index(part) + len(part) :]
    return True


def test_no_line_of_python_in_a_message_is_forgotten():
    """Every line of Python in a string of the package is part of a message that a test runs."""
    run = messages()
    forgotten = [
        (name, "...".join(parts))
        for name, parts in templates()
        if name not in (*ELSEWHERE, *UNTOLD) and not any(occurs(parts, message) for message in run)
    ]
    assert not forgotten, f"no test runs {forgotten}: add a case above, or the test that does to ELSEWHERE"
    for name in set(ELSEWHERE.values()):
        assert re.search(r"\b(exec|eval)\(", (Path(__file__).parent / name).read_text())
