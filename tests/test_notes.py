import pickle

import numpy as np
import pandas as pd
import pytest

from sksynth import BatchLSTMSynthesizer, fields
from sksynth.fields import Note, Schema, infer_schema
from sksynth.tokenizers import TableTokenizer

NOTES = [Note("day", "taken as text", "no format fits", 0.25, "dates", "X = X.dropna()"), Note(None, "a", "b")]
WARNING = r"fit made \d+ doubtful decision"


def scattered(n=200):
    """Return a table with a column of which most values are rare, under an index of dates."""
    rng = np.random.default_rng(0)
    index = pd.date_range("2024-01-01", periods=n, name="day")
    code = [f"c{i}" if i < n // 10 else "abc"[i % 3] for i in range(n)]
    return pd.DataFrame({"code": code, "size": rng.choice(list("ab"), n)}, index=index)


def decisions(schema, column):
    """Return what was decided on a column; None stands for the table."""
    return [note.decision for note in schema.notes if note.column == column]


def test_notes_go_with_their_schema():
    """Copies, pickles and JSON of a schema keep its notes; they print one on a line, and leave equality to the fields."""
    schema = Schema({"day": fields.Text()}, NOTES)
    for again in (schema.copy(), pickle.loads(pickle.dumps(schema)), Schema.from_json(schema.to_json()), Schema(schema)):
        assert again.notes == schema.notes == tuple(NOTES)
        assert type(again.notes) is type(schema.notes)
    assert schema == Schema({"day": fields.Text()})
    assert repr(schema.notes).splitlines()[0] == (
        "column 'day': taken as text (25 % of the cells), because no format fits; lost: dates; to change it: X = X.dropna()"
    )
    assert repr(Schema().notes) == "no notes"


@pytest.mark.parametrize(
    "change", [{"share": 1.5}, {"share": "x"}, {"decision": None}, {"column": {}}, {"more": 1}, {"column": {"tuple": [[]]}}]
)
def test_notes_that_nobody_wrote_are_refused(change):
    """Notes in JSON that are none of a schema's are a ValueError."""
    with pytest.raises(ValueError):
        Schema.from_plain([{"notes": [NOTES[1].to_plain() | change]}])


def test_notes_are_notes():
    """What is no note is refused where a schema is made."""
    with pytest.raises(TypeError, match=r"expected notes of type sksynth\.fields\.Note, got 'x'"):
        Schema({}, ["x"])


def test_a_fit_tells_its_notes_once(synthesizer, tmp_path):
    """One warning after fit counts the notes and says where they are; files and resumed fits keep them."""
    table, path = scattered(), tmp_path / "fit"
    with pytest.warns(
        UserWarning, match=r"(?s)fit made 2 doubtful .* in schema_.notes:\n- the table: the ind.*\n- column"
    ) as told:
        model = synthesizer(checkpoint_dir=path).fit(table)
    assert len(told) == 1
    assert [note.column for note in model.schema_.notes] == [None, "code"]
    model.save(tmp_path / "model")
    with pytest.warns(UserWarning, match=WARNING):
        resumed = synthesizer(checkpoint_dir=path).fit(table)
    for again in (BatchLSTMSynthesizer.load(tmp_path / "model"), BatchLSTMSynthesizer.load(path), resumed):
        assert again.schema_.notes == model.schema_.notes


def test_a_model_of_a_table_tells_its_notes(template):
    """A text model that is fitted on a table tells the notes of its tokenizer; on lines it has none to tell."""
    with pytest.warns(UserWarning, match=r"in tokenizer_.schema_.notes:") as told:
        model = template().fit(scattered())
    assert len(told) == 1
    assert len(model.tokenizer_.schema_.notes) == 2


def test_more_notes_than_a_warning_holds_are_counted(template):
    """The warning spells out three notes and counts the others."""
    table = pd.DataFrame({f"c{i}": scattered()["code"].to_numpy() for i in range(5)})
    with pytest.warns(UserWarning, match=r"(?s)fit made 5 doubtful.*'c2'.*\n- and 2 more$"):
        template().fit(table)


def test_private_fits_have_no_notes(synthesizer, recwarn):
    """With epsilon there is neither note nor warning, whatever the rows are."""
    known = {"code": fields.Category([f"c{i}" for i in range(9)], other="x"), "size": fields.Category(["a", "b"])}
    model = synthesizer(epsilon=5.0, schema=known).fit(scattered())
    assert model.schema_.notes == ()
    assert not [warning for warning in recwarn if "doubtful" in str(warning.message)]


@pytest.mark.parametrize(
    ("index", "shown"),
    [
        (pd.date_range("2024-01-01", periods=60), "DatetimeIndex"),
        (pd.RangeIndex(60, name="number"), "RangeIndex 'number'"),
        (pd.MultiIndex.from_product([list("abc"), range(20)], names=["carrier", "day"]), "MultiIndex 'carrier', 'day'"),
        (pd.Index([f"r{i}" for i in range(60)]), "index of "),
    ],
)
def test_an_index_that_is_dropped_is_noted(index, shown):
    """An index that says something is in the notes; its remedy makes columns of it."""
    table = pd.DataFrame({"x": np.tile([1.5, 2.5], 30)}, index=index)
    (note,) = infer_schema(table).notes
    assert (note.column, note.decision) == (None, "the index is dropped")
    assert shown in note.reason
    scope = {"X": table}
    exec(note.remedy, scope)
    assert scope["X"].shape[1] == 1 + index.nlevels
    assert decisions(infer_schema(scope["X"]), None) in ([], ["rows are learned as if they were independent"])


def test_an_index_of_row_numbers_is_not_noted():
    """Numbers of rows, also those that a selection leaves, are no index worth a note."""
    table = pd.DataFrame({"x": np.tile([1.5, 2.5], 30)})
    assert not infer_schema(table.iloc[::2]).notes
    assert not infer_schema(table.sample(frac=1, random_state=0)).notes


def hours(n_places=3, n=60):
    """Return the rows of several places, hour by hour."""
    time = np.tile(pd.date_range("2024-01-01", periods=n, freq="h"), n_places)
    heat = np.random.default_rng(0).normal(size=n * n_places).round(1)
    return pd.DataFrame({"place": np.repeat([f"p{i}" for i in range(n_places)], n), "time": time, "heat": heat})


@pytest.mark.parametrize("shuffle", [False, True])
def test_rows_that_look_like_sequences_are_noted(shuffle):
    """Where no two rows agree in a group and a time, though many should by chance, the table looks like sequences."""
    table = hours().sample(frac=1.0 if shuffle else 0.9, random_state=0)
    table = (table if shuffle else table.sort_index()).reset_index(drop=True)
    (note,) = infer_schema(table).notes
    assert note.column is None and "['place', 'time']" in note.reason
    scope = {"X": table}
    exec(note.remedy, scope)
    assert list(scope["X"]) == ["place", "time", "heat", "time_before", "heat_before"]
    assert len(scope["X"]) == len(table)


def test_one_series_is_noted():
    """Dates that all differ and come in order are one series; the same rows in any order are not."""
    table = hours(1, 180)
    (note,) = infer_schema(table).notes
    assert "['time']" in note.reason
    assert not infer_schema(table.sample(frac=1, random_state=0)).notes


def test_independent_rows_are_not_noted():
    """Rows whose groups and times repeat as chance would have it look like no sequences."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "shop": rng.choice(list("abcdefgh"), 400),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 30, 400), "D"),
            "year": rng.integers(2000, 2020, 400),
            "n": rng.integers(0, 9, 400),
        }
    )
    assert not infer_schema(table).notes


def test_sequences_are_looked_for_column_by_column(monkeypatch):
    """The values of a column are counted a few times at most, however many other columns there are."""
    counted, count = [], np.bincount
    monkeypatch.setattr(np, "bincount", lambda *args, **named: counted.append(1) or count(*args, **named))
    rng = np.random.default_rng(0)
    n_counted = []
    for n_columns in (10, 40):
        counted.clear()
        infer_schema(pd.DataFrame({f"c{i}": rng.integers(0, 5, 40) for i in range(n_columns)}))
        n_counted.append(len(counted))

    assert 0 < n_counted[0]
    assert 4 * n_counted[0] == n_counted[1]


@pytest.mark.parametrize("kind", ["category", "labelled", "number"])
def test_what_folds_of_many_rows_is_noted(kind):
    """Values that a field does not hold are noted from more than 5 % of the rows on, with their share."""
    values, rare = {
        "category": (["a"] * 94 + [f"r{i}" for i in range(6)], None),
        "labelled": (["a"] * 94 + [f"r{i}" for i in range(6)], fields.Category(["a"], other="else")),
        "number": ([0] * 94 + [50] * 6, fields.Number(0, 9, n_folded=0)),
    }[kind]
    schema = None if rare is None else {"x": rare}
    (note,) = infer_schema(pd.DataFrame({"x": values}), schema=schema).notes
    assert (note.column, note.share) == ("x", 0.06)
    assert {"category": "never sampled", "labelled": "sampled as 'else'", "number": "clipped"}[kind] in note.decision
    assert not infer_schema(pd.DataFrame({"x": values[:-2]}), schema=schema).notes


def test_texts_that_are_cut_are_noted():
    """Texts that are longer than what is learned are noted with the share that is cut."""
    table = pd.DataFrame({"x": ["ab"] * 30 + ["ab" * 9] * 10})
    (note,) = TableTokenizer({"x": fields.Text(4, alphabet="ab")}).fit(table).schema_.notes
    assert (note.decision, note.share) == ("texts are cut", 0.25)
    assert note.loss == f"their ends, {140 / 240:.1%} of all text"
    assert note.remedy == "schema={'x': fields.Text(max_length=18)}"
    assert not TableTokenizer({"x": fields.Text(18, alphabet="ab")}).fit(table).schema_.notes


def test_one_long_text_among_many_is_noted():
    """Few texts are noted too, where much of all text is in them; the line that is named learns all of it."""
    table = pd.DataFrame({"x": [f"ab ba {i % 7}" for i in range(99)] + ["ab ba " * 900]})
    fitted = TableTokenizer({"x": fields.Text()}).fit(table)
    (note,) = fitted.schema_.notes
    assert (note.decision, note.share) == ("texts are cut", 0.01)
    schema = eval(f"dict({note.remedy})", {"fields": fields})["schema"]
    again = TableTokenizer(schema).fit(table)
    assert not again.schema_.notes
    assert again.decode(again.encode(table, cut=True))["x"].iloc[-1] == "ab ba " * 900


def test_a_few_numbers_that_become_one_are_noted():
    """Where fewer cells are present than tell a domain, the number is one constant, and a note says so."""
    table = pd.DataFrame({"x": pd.Series([1.0, 2.0, 4.0, 5.0, 7.0]).reindex(range(400)), "y": np.tile([1.5, 2.5], 200)})
    (note,) = infer_schema(table).notes
    assert (note.column, note.decision) == ("x", "values are clipped") and "4.0 .. 4.0" in note.loss
    assert infer_schema(table, min_frequency=1).notes == ()
