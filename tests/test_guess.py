"""What strings and numbers are taken for, and what is said of it."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sksynth import fields
from sksynth.fields import Datetime, infer_schema
from sksynth.tokenizers import TableTokenizer

FORMATS = [
    "%d/%m/%Y", "%m/%d/%Y", "%-m/%-d/%Y", "%d-%m-%Y", "%d.%m.%Y", "%d.%m.%y", "%Y%m%d", "%Y.%m.%d", "%d-%b-%Y", "%d-%^b-%Y",
    "%d %b %Y", "%b %d, %Y", "%B %-d, %Y", "%A, %d %B %Y", "%Y-%b-%d", "%Y-%m", "%m/%Y", "%b %Y", "%d.%m.%Y %H:%M",
    "%m/%d/%Y %I:%M %p", "%-m/%-d/%Y %-I:%M:%S %P", "%Y-%m-%dT%H:%M:%S+02:00", "%Y-%m-%d %H:%M:%S UTC",
    "%Y-%m-%dT%H:%M:%S.%3fZ", "%Y-%m-%dT%H:%M:%S.%f", "%Y%m%d%H%M%S", "%H:%M", "%H:%M:%S", "%I:%M%p", "%-H:%M",
]  # fmt: skip
RNG = np.random.default_rng(0)
MOMENTS = pd.Series(pd.Timestamp("2019-01-01") + pd.to_timedelta(RNG.integers(0, 5 * 365 * 86400, 400), "s"))
DAYS = MOMENTS.dt.floor("D")


def in_format(moments, format):
    """Return moments as strings, by Python alone."""
    plain = format.replace("%3f", "%f")
    texts = [moment.strftime(plain.replace("%^b", "%b").replace("%P", "%p")) for moment in moments]
    if "%3f" in format:
        texts = [text[:-4] + "Z" for text in texts]
    texts = [text.upper() for text in texts] if "%^b" in format else texts
    return [text.lower() for text in texts] if "%P" in format else texts


def infer(values, **parameters):
    """Return the field of a column, and the notes on it."""
    schema = infer_schema(pd.DataFrame({"x": values}), **parameters)
    return schema["x"], schema.notes.of(["x"])


def remedied(note, table):
    """Return the schema of a table once the remedy of a note is taken."""
    scope = {"X": table.copy(), "pd": pd, "fields": fields}
    if note.remedy.startswith("X"):
        exec(note.remedy, scope)
        return infer_schema(scope["X"])
    return infer_schema(table, **eval(f"dict({note.remedy})", scope))


@pytest.mark.parametrize("format", FORMATS)
def test_dates_in_the_formats_of_files_are_dates(format):
    """Strings of dates and times in the formats that files have are taken for dates, and come back as they were."""
    values = in_format(MOMENTS, format)
    field, notes = infer(values)
    assert (field.kind, field.format) == ("datetime", format)
    assert notes == ()
    tokenizer = TableTokenizer(min_frequency=1).fit(pd.DataFrame({"x": values}))
    assert tokenizer.decode(tokenizer.encode(pd.DataFrame({"x": values})))["x"].tolist() == values


@given(st.lists(st.dates(pd.Timestamp(1900, 1, 1).date(), pd.Timestamp(2100, 1, 1).date()), min_size=30, unique=True))
def test_whatever_dates_are_read_comes_back(dates):
    """Whichever order of day and month is taken, the strings that come back are those that went in."""
    values = [f"{date:%d/%m/%Y}" for date in dates]
    field, _ = infer(values)
    assert field.format in ("%d/%m/%Y", "%m/%d/%Y")
    tokenizer = TableTokenizer(min_frequency=1).fit(pd.DataFrame({"x": values}))
    assert tokenizer.decode(tokenizer.encode(pd.DataFrame({"x": values})))["x"].tolist() == values


@pytest.mark.parametrize(
    ("template", "format", "other"),
    [
        ("{a:02d}/{b:02d}/{y}", "%m/%d/%Y", "%d/%m/%Y"),
        ("{a:02d}.{b:02d}.{y}", "%d.%m.%Y", "%m.%d.%Y"),
        ("01/{b:02d}/{y}", "%d/%m/%Y", "%m/%d/%Y"),
    ],
)
def test_an_order_that_the_data_leaves_open_is_noted(template, format, other):
    """Where day and month fit either way, one order is chosen, the constant part as day, and a note names the other."""
    draws = RNG.integers(1, 13, (400, 2)), RNG.integers(2000, 2020, 400)
    values = [template.format(a=a, b=b, y=y) for (a, b), y in zip(*draws, strict=True)]
    field, (note,) = infer(values)
    assert field.format == format
    assert note.remedy == f"schema={{'x': fields.Datetime(format={other!r})}}"
    assert remedied(note, pd.DataFrame({"x": values}))["x"].format == other


def test_whole_numbers_that_are_dates_are_dates():
    """Whole numbers such as 20240131 are dates, stay numbers in the sample, and a note says how to change it."""
    table = pd.DataFrame({"x": DAYS.dt.strftime("%Y%m%d").astype("int32")})
    field, (note,) = infer(table["x"])
    assert (field.kind, field.format, field.dtype) == ("datetime", "%Y%m%d", "int32")
    tokenizer = TableTokenizer(min_frequency=1).fit(table)
    assert tokenizer.decode(tokenizer.encode(table)).equals(table)
    assert remedied(note, table)["x"].kind == "number"
    assert infer(np.arange(20240101, 20240501) * 3 % 9_000_000)[0].kind == "number"


def test_codes_that_repeat_are_categories():
    """Codes that repeat a few times each are those of the table, never new ones; what folds is noted."""
    codes = np.array([f"{code:04d}" for code in RNG.choice(10_000, 300, replace=False)])
    field, (note,) = infer(RNG.choice(codes, 1000))
    assert field.kind == "category" and set(field.categories) <= set(codes)
    assert note.share > 0.05 and note.remedy == "min_frequency=1"


def test_names_that_repeat_are_text_and_noted():
    """Texts with spaces that repeat stay text; a note says that sampled ones may be none of the table's."""
    table = pd.DataFrame({"x": [f"Mr {a} {b}" for a, b in zip(np.arange(900) // 3, np.arange(900) // 3 * 7, strict=True)]})
    field, (note,) = infer(table["x"])
    assert field.kind == "text" and "none of the table's" in note.loss
    assert len(remedied(note, table)["x"].categories) == 300


def test_telephone_numbers_are_identifiers():
    """Telephone numbers that all differ are a key, though they have spaces."""
    assert infer([f"+49 30 {number:08d}" for number in RNG.choice(90_000_000, 400, replace=False)])[0].kind == "identifier"


def some(n, *limits):
    """Return rows of random whole numbers."""
    return RNG.integers(0, limits, (n, len(limits))).tolist()


LOOKS = {
    "dates": [f"{d:%d/%m/%Y}" if i % 2 else f"{d:%Y-%m-%d}" for i, d in enumerate(DAYS)],
    "dates with offsets": [f"{m:%Y-%m-%dT%H:%M:%S}+0{1 + i % 2}:00" for i, m in enumerate(MOMENTS)],
    "durations": [f"{20 + a}:{b:02d}:{c:02d}" for a, b, c in some(400, 60, 60, 60)],
    "e-mail addresses": [f"{'ab'[a]}.{b}@{'xy'[a]}.org" for a, b in some(400, 2, 200)],
    "pairs of numbers": [f"{a}.{b:03d},{c}.{b:03d}" for a, b, c in some(400, 90, 1000, 90)],
    "pairs of numbers with spaces": [f"{a}.{b:03d}, {c}.{b:03d}" for a, b, c in some(400, 90, 1000, 90)],
    "ranges of numbers": [f"{10 + a} - {10 + a + b}" for a, b in some(400, 70, 40)],
    "IP addresses": [f"192.168.{a}.{b}" for a, b in some(400, 256, 256)],
    "numbers with a separator": [f"USD {1 + a},{b:03d}.50" for a, b in some(400, 90, 1000)],
    "numbers with a decimal comma": [f"{1 + a}.{b:03d},{c:02d} \u20ac" for a, b, c in some(400, 90, 1000, 100)],
    "numbers, some in brackets": [f"({a}.5)" if a % 3 else f"{a}.5" for (a,) in some(400, 1000)],
}
VALUES = {"numbers with a decimal comma": (1000, 91_000), "numbers, some in brackets": (-999.5, 999.5)}


@pytest.mark.parametrize("look", LOOKS)
def test_what_only_looks_like_something_is_noted(look):
    """Strings that look like something that no field holds, such as amounts of money, have a note whose remedy works."""
    table = pd.DataFrame({"x": LOOKS[look]})
    field, (note,) = infer(table["x"])
    assert field.kind in ("text", "identifier")
    assert look.split(" with ")[0] in note.reason
    found = remedied(note, table)
    assert found != infer_schema(table)
    assert not found.notes.of(["x"])
    if look in VALUES:
        low, high = VALUES[look]
        assert low <= found["x"].low < low + (high - low) / 3 and high - (high - low) / 3 < found["x"].high <= high


@pytest.mark.parametrize("odd", ["2021-02-03", "5.6.2021 at 9"])
def test_many_odd_cells_among_dates_are_noted(odd):
    """Of a column of which too few cells are dates, a note names an odd cell, and the line that reads all that are dates."""
    table = pd.DataFrame({"x": in_format(DAYS, "%d.%m.%Y")})
    table.loc[RNG.choice(len(table), 80, replace=False), "x"] = odd
    field, (note,) = infer(table["x"], min_frequency=100)
    assert field.kind == "text" and f"such as {odd!r}" in note.reason and note.share == pytest.approx(0.8)
    scope = {"X": table.copy(), "pd": pd}
    exec(note.remedy, scope)
    wanted = DAYS.where(table["x"] != odd, pd.to_datetime(odd, format="%Y-%m-%d", errors="coerce"))
    pd.testing.assert_series_equal(scope["X"]["x"], wanted, check_names=False, check_dtype=False)


def test_dates_of_two_formats_are_each_read_by_their_own():
    """The remedy for days written in two ways takes the day for the day in both."""
    table = pd.DataFrame({"x": [f"{d:%d/%m/%Y}" if i % 3 else f"{d:%Y-%m-%d}" for i, d in enumerate(DAYS)]})
    (note,) = infer(table["x"])[1]
    scope = {"X": table.copy(), "pd": pd}
    exec(note.remedy, scope)
    assert (scope["X"]["x"] == DAYS).all()


@pytest.mark.parametrize("values", [[f"lot-{'ab'[a]}ef-{b}" for a, b in zip(np.arange(300) % 2, range(300), strict=True)]])
def test_what_pandas_cannot_read_as_dates_does_not_look_like_dates(values):
    """Codes of words and numbers are not said to look like dates."""
    field, notes = infer(values)
    assert field.kind == "identifier" and notes == ()


@pytest.mark.parametrize("word", ["unknown", "", "-"])
def test_many_words_among_numbers_are_noted(word):
    """Of numbers with many words among them, which are categories, a note has the line that makes numbers of them."""
    table = pd.DataFrame({"x": pd.Series(RNG.integers(0, 5000, 500), dtype=object).where(np.arange(500) % 5 > 0, word)})
    field, notes = infer(table["x"])
    assert field.kind == "category" and f"such as {word!r}" in notes[0].reason and notes[0].share == pytest.approx(0.8)
    found = remedied(notes[0], table)
    assert (found["x"].kind, found["x"].nullable) == ("number", True)


def test_words_among_few_numbers_are_not_noted():
    """Where the categories are all kept, a word among them is one more, and nothing is lost."""
    assert infer(pd.Series([0, 1, 2, 3, "4 or more"] * 40, dtype=object))[1] == ()


NOISY = {
    "a long one": ("x = RNG.integers(100, 9000, 400) / 100; x[3] = 45.678901234", 2, 1),
    "sums": ("x = np.cumsum(RNG.integers(1, 9, 400) * 0.1)", 1, 0),
    "products": ("x = RNG.integers(100, 9000, 400) / 100 * 3.0; x[::2] = np.round(x[::2], 2)", 2, 0),
    "float32": ("x = (RNG.integers(100, 9000, 400) / 100).astype(np.float32).astype(float)", 2, 0),
}


@pytest.mark.parametrize("case", NOISY)
def test_noise_behind_the_decimals_is_not_learned(case):
    """Floats of few decimals, but for noise, are numbers of so many decimals; what is cut off is noted, and can be kept."""
    code, places, n_notes = NOISY[case]
    scope = {"np": np, "RNG": RNG}
    exec(code, scope)
    table = pd.DataFrame({"x": scope["x"]})
    field, notes = infer(table["x"], min_frequency=1)
    assert field.precision == places and len(notes) == n_notes
    tokenizer = TableTokenizer(min_frequency=1).fit(table)
    again = tokenizer.decode(tokenizer.encode(table))["x"]
    assert (again == again.round(places)).all()
    assert (tokenizer.log_outside(table) > 0).sum() == n_notes
    assert all(remedied(note, table)["x"].precision == "continuous" for note in notes)


def test_numbers_of_which_many_are_zero_keep_their_decimals():
    """Floats that are mostly zero, and otherwise of many decimals, are not rounded."""
    values = np.where(RNG.random(1000) < 0.97, 0.0, RNG.gamma(1.0, 3.0, 1000))
    assert infer(values)[0].precision == "continuous"


def test_whole_numbers_that_all_differ_by_no_chance_are_noted():
    """Unique numbers with gaps stay numbers, and a note says that they may be a key; measurements that differ have none."""
    table = pd.DataFrame({"x": 7000 + np.cumsum(RNG.integers(1, 9, 300))})
    field, (note,) = infer(table["x"], min_frequency=1)
    assert field.kind == "number" and "as keys do" in note.reason
    assert remedied(note, table)["x"].kind == "identifier"
    (note,) = infer(np.arange(300) - 100, min_frequency=1)[1]
    assert remedied(note, pd.DataFrame({"x": np.arange(300) - 100}))["x"].kind == "identifier"
    assert infer(RNG.choice(10**9, 300, replace=False), min_frequency=1)[1] == ()


def test_a_key_that_missing_cells_made_floats_of_is_a_key():
    """Dense whole numbers with missing cells are a key; without any they are numbers, as floats mostly are."""
    keys = pd.Series(np.arange(200.0)).mask(np.arange(200) % 50 == 3)
    assert infer(keys)[0].kind == "identifier"
    assert infer(np.arange(200.0))[0].kind == "number"


def test_formats_with_flags_go_through_json():
    """A format of one's own may leave out leading zeros, and is refused where the data is not written in it."""
    known = {"x": Datetime(format="%-d.%-m.%Y")}
    field, _ = infer(["3.4.2020", "13.12.2021"] * 5, schema=known)
    assert field.low == pd.Timestamp(2020, 4, 3)
    with pytest.raises(ValueError, match=r"column 'x': expected dates written as %-d.%-m.%Y, got '4/5/2020'"):
        infer(["3.4.2020", "4/5/2020"], schema=known)
