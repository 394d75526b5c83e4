"""Promises about samples that are written to files."""

import errno
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from pandas.testing import assert_frame_equal

from sksynth import SamplingError
from sksynth._sample_files._formats import ParquetFormat, arrow_schema, of_one_dtype
from sksynth._sample_files._partial import Partial
from sksynth._training import _progress
from sksynth.fields import Boolean, Category, Datetime, Number, Text

FORMATS = ["rows.csv", "rows.csv.gz", "rows.parquet"]
N = 40_000  # three portions, each of which is a chunk where chunk_size is 1


def few(rows):
    """Accept rows of few."""
    return rows["count"].isna() | (rows["count"] < 3)


def cells(frame):
    """Return a frame whose cells are objects, missing ones None."""
    return frame.astype(object).where(frame.notna(), None)


def left(folder):
    """Return the names of all that is in a folder."""
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def broken_off(monkeypatch):
    """Return a function that calls, and breaks off with an error when the second chunk is about to be written."""

    def call(sample_to, *args, error=KeyboardInterrupt, chunks=1, **how):
        append, written = Partial.append, []

        def append_few(self, content, tally):
            if len(written) == chunks:
                with open(self.rows, "ab") as file:
                    file.write(content[:100])  # as far as it came
                raise error
            written.append(append(self, content, tally))

        with monkeypatch.context() as patch:
            patch.setattr(Partial, "append", append_few)
            with pytest.raises(type(error) if isinstance(error, BaseException) else error) as caught:
                sample_to(*args, chunk_size=1, **how)
        return caught.value

    return call


@pytest.fixture
def limited():
    """Return a context in which the operating system lets files grow so many bytes large and no larger."""
    resource = pytest.importorskip("resource", reason="needs limits of Unix")

    @contextmanager
    def limit(n_bytes):
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return limit


@pytest.mark.parametrize("name", FORMATS)
def test_a_file_holds_the_rows_of_sample(fitted_orders, tmp_path, name):
    """What is read back are the rows of sample for the same seed, in every format, and nothing else is left."""
    expected = fitted_orders.sample(700, random_state=0)
    fitted_orders.sample_to(tmp_path / name, 700, chunk_size=200, random_state=0)
    if name.endswith(".parquet"):
        assert_frame_equal(cells(expected), cells(pd.read_parquet(tmp_path / name)))
    else:
        text = pd.read_csv(tmp_path / name, dtype=str, keep_default_na=False).to_csv(index=False, lineterminator="\n")
        again = pd.read_csv(tmp_path / name)
        assert expected.to_csv(index=False, lineterminator="\n") == text
        assert len(again) == 700
    assert [name] == left(tmp_path)


def test_parquet_has_the_dtypes_of_fit(orders, fitted_orders, tmp_path):
    """Every column of Parquet comes back with its dtype in fit, but that Parquet knows no time in whole seconds."""
    fitted_orders.sample_to(tmp_path / "rows.parquet", 50, random_state=0)
    found = pd.read_parquet(tmp_path / "rows.parquet")
    expected = orders.astype({"ordered_at": orders["ordered_at"].dt.as_unit("ms").dtype}).dtypes
    categories = {column: orders[column].cat.categories for column in orders.select_dtypes("category")}
    assert categories
    for column in orders:
        if column in categories:
            assert list(categories[column]) == list(found[column].cat.categories)
            assert orders[column].cat.ordered == found[column].cat.ordered
        elif orders[column].dtype != object:  # which pandas reads as text
            assert expected[column] == found[column].dtype


MISSING_AT_FIRST = {
    "whole": (Number(0, 9, precision=0, dtype="int64", nullable=True), pd.Series([1, 2])),
    "flag": (Boolean(dtype="bool", nullable=True), pd.Series([True, False])),
    "name": (Category(("a", "b"), dtype="object", nullable=True), pd.Series(["a", "b"], dtype=object)),
    "number": (Number(0, 9, precision=0, dtype="object", nullable=True), pd.Series([1, 2], dtype=object)),
    "level": (Category(("a", "b"), dtype="category[str]", nullable=True), pd.Series(["a", "b"]).astype("category")),
    "text": (Text(dtype="category[object]", nullable=True), pd.Series(["a", "b"]).astype("category")),
    "day": (Datetime(dtype="object", format="%Y-%m-%d", nullable=True), pd.Series(["2020-01-01", "2020-01-02"], dtype=object)),
}


@pytest.mark.parametrize("column", MISSING_AT_FIRST)
def test_all_chunks_have_the_types_of_the_first(tmp_path, column):
    """A column of which the first chunk has nothing has the same type as one of which it has all."""
    field, values = MISSING_AT_FIRST[column]
    whole, fields = pd.DataFrame({column: values}), {column: field}
    empty = whole.mask(np.ones((2, 1), bool))
    if field.kind == "text":  # whose categories are those that were drawn
        empty[column] = empty[column].cat.remove_unused_categories()
    form, rows = ParquetFormat(fields), tmp_path / "rows"
    for place, chunk in enumerate([empty, whole]):
        with open(rows, "ab") as file:
            file.write(form.encoded(of_one_dtype(chunk, fields), rows, place == 0))
    read = pd.read_parquet(form.finished(rows))

    assert read[column].isna().tolist() == [True, True, False, False]
    assert read[column].tolist()[2:] == values.tolist()
    assert arrow_schema(of_one_dtype(whole, fields), fields).types == arrow_schema(of_one_dtype(empty, fields), fields).types
    if field.dtype in ("int64", "bool"):
        assert {"int64": "Int64", "bool": "boolean"}[field.dtype] == read[column].dtype


def test_what_parquet_cannot_hold_is_refused(few_valued, synthesizer, tmp_path):
    """A column of values of several types is refused by name, and nothing is left; CSV takes it."""
    table = pd.DataFrame({"mixed": pd.Series([1, "one"] * 20, dtype=object), "b": few_valued(40, ["b"])["b"]})
    mixed = synthesizer().fit(table)
    with pytest.raises(
        TypeError,
        match=r"column 'mixed' holds values of more than one type, or too large for any, which Parquet cannot.*Write CSV",
    ):
        mixed.sample_to(tmp_path / "rows.parquet", 20)
    assert [] == left(tmp_path)
    mixed.sample_to(tmp_path / "rows.csv", 20)
    assert {"1", "one"} == set(pd.read_csv(tmp_path / "rows.csv")["mixed"])


NO_FILE = {
    "levels of several types": (pd.Series(["low", 3, None] * 20, dtype=object).astype("category"), ["rows.parquet"]),
    "whole numbers of all sizes": (pd.Series([-1, 2**64 - 1, "x"] * 20, dtype=object), ["rows.parquet"]),
    "half of a pair": (pd.Series(["\udc00 ", "fine", None] * 20, dtype=object), FORMATS),
    "half of a pair beside numbers": (pd.Series(["\ud83d", 4, None] * 20, dtype=object), ["rows.csv"]),
    "halves in texts": (pd.Series([f"the {i}th \ud83d of {i * i}!" for i in range(60)], dtype=object), FORMATS),
}


@pytest.mark.parametrize("case", NO_FILE)
def test_what_a_file_cannot_hold_is_refused_before_anything_is_drawn(case, synthesizer, tmp_path, monkeypatch):
    """Cells of several types and halves of surrogate pairs are refused by name; once the remedy is run, all is written."""
    column, names = NO_FILE[case]
    known = {"X": pd.DataFrame({"odd": column})}
    refusing = synthesizer().fit(known["X"])
    with monkeypatch.context() as patch:
        patch.setattr(type(refusing), "_draw", lambda *_: pytest.fail("rows were drawn"))
        for name in names:
            with pytest.raises((TypeError, ValueError), match=r"column .odd..* before fit with ") as refused:
                refusing.sample_to(tmp_path / name, 20)
            assert [] == left(tmp_path)
    exec(str(refused.value).split(" before fit with ")[1], known)
    mended = synthesizer().fit(known["X"])
    for name in names:
        mended.sample_to(tmp_path / name, 20)
    assert len(left(tmp_path)) == len(names)


def test_given_halves_of_pairs_are_refused_before_anything_is_drawn(synthesizer, tmp_path, monkeypatch):
    """What is given is looked at too, in a dict and in a frame."""
    texts = [f"{word} {i} things to do" for i in range(30) for word in ("many", "some")]
    fitted = synthesizer().fit(pd.DataFrame({"t": pd.Series(texts, dtype=object), "n": [1, 2] * 30}))
    monkeypatch.setattr(type(fitted), "_draw", lambda *_: pytest.fail("rows were drawn"))
    for given in ({"t": "a \ud83d"}, {"t": ["fine", "\ud83d"]}, pd.DataFrame({"t": pd.Series(["\ud83d"], dtype=object)})):
        with pytest.raises(ValueError, match=r"column .t..*half of a surrogate pair"):
            fitted.sample_to(tmp_path / "rows.csv", given=given)


def test_unsigned_numbers_of_an_object_column_are_written(synthesizer, tmp_path):
    """Parquet holds whole numbers up to 2**64 - 1, whatever the dtype they came in."""
    column = pd.Series([2**64 - 1, 2**63, None] * 20, dtype=object)
    synthesizer().fit(pd.DataFrame({"n": column})).sample_to(tmp_path / "rows.parquet", 60, random_state=0)
    found = pq.read_table(tmp_path / "rows.parquet")["n"]
    assert str(found.type) == "uint64"
    assert {2**64 - 1, 2**63, None} >= set(found.to_pylist()) > {None}


@pytest.mark.parametrize("name", FORMATS)
def test_names_that_are_no_strings(few_valued, synthesizer, tmp_path, name):
    """Columns of an array are named by their places."""
    table = few_valued(40, ["a", "b"]).to_numpy()
    fitted = synthesizer().fit(table)
    fitted.sample_to(tmp_path / name, 30, random_state=0)
    read = pd.read_parquet if name.endswith(".parquet") else pd.read_csv
    found = read(tmp_path / name)
    assert ["0", "1"] == list(map(str, found.columns))
    assert (fitted.sample(30, random_state=0) == found.to_numpy()).all()


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("how", [{}, {"validator": few, "max_invalid": N}], ids=["all", "valid"])
def test_a_call_goes_on_where_another_was_broken_off(fitted_small, broken_off, tmp_path, monkeypatch, name, how):
    """After Ctrl-C the same call draws only what is not there yet, and the file is the same, byte by byte."""
    n = N if not how else 15_000
    fitted_small.sample_to(tmp_path / f"whole-{name}", n, chunk_size=1, random_state=0, **how)
    error = broken_off(fitted_small.sample_to, tmp_path / name, n, random_state=0, **how)
    assert sorted([f"whole-{name}", f".{name}.partial"]) == left(tmp_path)
    assert any(f"rows are in {tmp_path / f'.{name}.partial'}; the same call goes on" in note for note in error.__notes__)

    drawn, draw = [], type(fitted_small)._draw
    monkeypatch.setattr(type(fitted_small), "_draw", lambda self, rows, *args: drawn.append(rows) or draw(self, rows, *args))
    fitted_small.sample_to(tmp_path / name, n, chunk_size=1, random_state=0, **how)
    assert drawn[0].start >= 10_000
    assert (tmp_path / f"whole-{name}").read_bytes() == (tmp_path / name).read_bytes()
    assert sorted([f"whole-{name}", name]) == left(tmp_path)


def test_rows_that_are_given_go_on(fitted_small, broken_off, tmp_path):
    """A call with a frame of given cells goes on as well, with the cells of the rows that are left."""
    given = pd.DataFrame({"count": np.arange(20_000) % 4, "flag": np.arange(20_000) % 3 == 0})
    broken_off(fitted_small.sample_to, tmp_path / "rows.csv", given=given, random_state=0)
    fitted_small.sample_to(tmp_path / "rows.csv", given=given.copy(), random_state=0)
    expected = fitted_small.sample(given=given, random_state=0)
    assert expected.to_csv(index=False) == (tmp_path / "rows.csv").read_text()


KILLED = """
import os, signal, sys
from sksynth import BatchLSTMSynthesizer

sync, calls = os.fsync, []

def killing(handle):
    calls.append(handle)
    if os.path.basename(os.readlink(f"/proc/self/fd/{handle}")) == "rows" and sum(1 for _ in calls) > 6:
        os.kill(os.getpid(), signal.SIGKILL)
    sync(handle)

os.fsync = killing
BatchLSTMSynthesizer.load(sys.argv[1]).sample_to(sys.argv[2], int(sys.argv[3]), chunk_size=1, random_state=0)
"""


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="needs /proc")
def test_a_process_that_is_killed_costs_no_chunk(fitted_small, tmp_path):
    """A process that is killed between a chunk and the note of it leaves what another goes on with, to the same file."""
    fitted_small.save(tmp_path / "model")
    command = [sys.executable, "-c", KILLED, tmp_path / "model", tmp_path / "rows.parquet", str(N)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert -signal.SIGKILL == done.returncode, done.stderr
    partial = Partial(tmp_path / "rows.parquet")
    assert 0 < partial.go_on().valid < N

    fitted_small.sample_to(tmp_path / "rows.parquet", N, chunk_size=1, random_state=0)
    fitted_small.sample_to(tmp_path / "whole.parquet", N, chunk_size=1, random_state=0)
    assert (tmp_path / "whole.parquet").read_bytes() == (tmp_path / "rows.parquet").read_bytes()
    assert ["model", "rows.parquet", "whole.parquet"] == left(tmp_path)


def test_without_a_seed_a_call_goes_on_with_that_of_the_other(fitted_small, broken_off, tmp_path):
    """random_state=None goes on with whatever the seed was: the rows are one sample."""
    broken_off(fitted_small.sample_to, tmp_path / "rows.csv", N, chunks=2)
    begun = (tmp_path / ".rows.csv.partial" / "rows").read_text()[:-100]
    fitted_small.sample_to(tmp_path / "rows.csv", N)
    assert (tmp_path / "rows.csv").read_text().startswith(begun)
    assert N == len(pd.read_csv(tmp_path / "rows.csv", skip_blank_lines=False))


OTHERS = {
    "n_samples": {"n_samples": N + 1},
    "random_state": {"random_state": 1},
    "temperature": {"temperature": 0.5},
    "given": {"given": {"count": 1}},
    "exclude_longer_than": {"exclude_longer_than": 3},
    "validator": {"validator": few},
}


@pytest.mark.parametrize("name", OTHERS)
def test_rows_of_another_call_are_not_gone_on_with(fitted_small, broken_off, tmp_path, name):
    """What is left of a call with other settings is refused, with what differs; overwrite=True starts afresh."""
    path, how = tmp_path / "rows.csv", {"n_samples": N, "random_state": 0, "max_invalid": N}
    broken_off(fitted_small.sample_to, path, **how)
    with pytest.raises(ValueError, match=rf"partial holds rows of a call .* with another {name}: pass overwrite=True"):
        fitted_small.sample_to(path, **how | OTHERS[name])
    assert [".rows.csv.partial"] == left(tmp_path)
    asked = how | OTHERS[name]
    fitted_small.sample_to(path, **asked, overwrite=True)
    assert fitted_small.sample(**asked).to_csv(index=False) == path.read_text()


def test_rows_of_another_model_are_not_gone_on_with(small, fitted_small, fitted_orders, broken_off, tmp_path, synthesizer):
    """A model of other weights is another; the same model from a file is not."""
    broken_off(fitted_small.sample_to, tmp_path / "rows.csv", N, random_state=0)
    other = synthesizer(clusterer=fitted_small.clusterer, random_state=1).fit(small)
    with pytest.raises(ValueError, match="with another model: pass overwrite=True"):
        other.sample_to(tmp_path / "rows.csv", N, random_state=0)
    fitted_small.save(tmp_path / "model")
    type(fitted_small).load(tmp_path / "model").sample_to(tmp_path / "rows.csv", N, random_state=0)
    assert fitted_small.sample(N, random_state=0).to_csv(index=False) == (tmp_path / "rows.csv").read_text()


def test_a_call_that_refused_too_many_rows_goes_on_with_more(fitted_small, tmp_path):
    """After a SamplingError the same call with a larger max_invalid goes on; the error has the rows that are in no file."""
    path, how = tmp_path / "rows.csv", {"n_samples": 12_000, "validator": few, "random_state": 0}
    with pytest.raises(SamplingError, match="Raise max_invalid") as caught:
        fitted_small.sample_to(path, chunk_size=1, max_invalid=5_000, **how)
    (note,) = caught.value.__notes__
    n_written = int(note.split()[1].replace(",", ""))
    whole = fitted_small.sample(max_invalid=12_000, **how)
    assert 0 < n_written < 12_000
    assert_frame_equal(whole[n_written : n_written + len(caught.value.valid)].reset_index(drop=True), caught.value.valid)
    fitted_small.sample_to(path, chunk_size=1, max_invalid=12_000, **how)
    assert whole.to_csv(index=False) == path.read_text()


@pytest.mark.parametrize("name", FORMATS)
def test_a_full_disk_leaves_nothing(fitted_small, tmp_path, limited, name):
    """Where there is no room the error names the file and says what to do; nothing is left, and the old file is there."""
    path = tmp_path / name
    path.write_text("old")
    with limited(30_000), pytest.raises(OSError, match=rf"cannot write {path}: .* Nothing is left of it: make room") as caught:
        fitted_small.sample_to(path, 200_000, chunk_size=1, random_state=0, overwrite=True)
    assert errno.EFBIG == caught.value.errno
    assert [name] == left(tmp_path)
    assert "old" == path.read_text()


def test_no_room_at_the_end_leaves_nothing(fitted_small, tmp_path, monkeypatch, limited):
    """Where there is room for the rows, and none for the file that they become, nothing is left either."""
    finish = ParquetFormat.finished

    def finish_in_little_room(*args):
        with limited(1_000):
            return finish(*args)

    monkeypatch.setattr(ParquetFormat, "finished", finish_in_little_room)
    with pytest.raises(OSError, match=r"rows.parquet: File too large. Nothing is left of it: make room"):
        fitted_small.sample_to(tmp_path / "rows.parquet", 20, random_state=0)
    assert [] == left(tmp_path)


@pytest.mark.parametrize("name", FORMATS)
def test_a_process_that_is_killed_as_it_clears_up_is_in_nobodys_way(fitted_small, tmp_path, monkeypatch, name):
    """What is left where a process ends when the file is there and the folder still is, is gone the next time."""
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("sksynth.persistence._sync_folder", lambda folder: None)
        patch.setattr("sksynth.persistence.os.replace", killed_after(os.replace, tmp_path / name))
        fitted_small.sample_to(tmp_path / name, 20, random_state=0)
    whole = (tmp_path / name).read_bytes()
    assert sorted([name, f".{name}.partial"]) == left(tmp_path)
    fitted_small.sample_to(tmp_path / name, 20, random_state=0, overwrite=True)
    assert whole == (tmp_path / name).read_bytes()
    assert [name] == left(tmp_path)


def killed_after(replace, target):
    """Return a function that ends when a file has got the name of the target."""

    def replace_and_end(source, path):
        replace(source, path)
        if path == target:
            raise KeyboardInterrupt

    return replace_and_end


def test_other_trouble_with_a_disk_costs_nothing(fitted_small, broken_off, tmp_path):
    """What is written stays where a disk fails for another reason, and the error says where."""
    error = broken_off(fitted_small.sample_to, tmp_path / "rows.csv", N, random_state=0, error=OSError(errno.EIO, "Trouble"))
    assert f"cannot write {tmp_path / 'rows.csv'}: Input/output error. Allow writing there" in str(error)
    assert "16,384 of 40,000 rows are in" in error.__notes__[0]
    fitted_small.sample_to(tmp_path / "rows.csv", N, random_state=0)
    assert fitted_small.sample(N, random_state=0).to_csv(index=False) == (tmp_path / "rows.csv").read_text()


def test_what_fails_before_the_first_chunk_leaves_nothing(fitted_small, broken_off, tmp_path):
    """Without any row there is nothing to go on with."""
    error = broken_off(fitted_small.sample_to, tmp_path / "rows.csv", N, chunks=0)
    assert not hasattr(error, "__notes__")
    assert [] == left(tmp_path)


def test_nothing_has_the_name_until_all_rows_are_there(fitted_small, tmp_path, monkeypatch):
    """While chunks are written there is no file under the path, or the old one."""
    seen, append, path = [], Partial.append, tmp_path / "rows.csv"

    def look(*args):
        append(*args)
        seen.append(path.exists() and path.read_text())

    monkeypatch.setattr(Partial, "append", look)
    fitted_small.sample_to(path, N, chunk_size=1)
    assert [False, False, False] == seen
    path.write_text("old")
    fitted_small.sample_to(path, 10, overwrite=True)
    assert "old" == seen[-1]
    assert 10 == len(pd.read_csv(path, skip_blank_lines=False))


def test_two_calls_do_not_write_one_file(fitted_small, tmp_path):
    """A call for a file that another is writing is refused."""
    with Partial(tmp_path / "rows.csv").locked(), pytest.raises(RuntimeError, match="another call is writing"):
        fitted_small.sample_to(tmp_path / "rows.csv", 10)
    assert [] == left(tmp_path)


def test_row_groups_are_chunks(fitted_small, tmp_path):
    """Chunks of Parquet are its row groups, of about the size that is asked for."""
    fitted_small.sample_to(tmp_path / "rows.parquet", N, chunk_size=20_000)
    file = pq.ParquetFile(tmp_path / "rows.parquet")
    assert [32_768, N - 32_768] == [file.metadata.row_group(place).num_rows for place in range(file.num_row_groups)]


def test_the_bar_begins_where_the_rows_do(fitted_small, broken_off, tmp_path, monkeypatch, capsys):
    """A call that goes on shows a bar, on standard error, that begins with the rows that are there."""
    monkeypatch.setattr(_progress, "SAMPLING_DELAY", 0)
    verbose = type(fitted_small)(verbose=1)
    vars(verbose).update(vars(fitted_small), verbose=1)
    broken_off(verbose.sample_to, tmp_path / "rows.csv", N, random_state=0)
    capsys.readouterr()
    verbose.sample_to(tmp_path / "rows.csv", N, random_state=0)
    out, err = capsys.readouterr()
    assert "" == out
    assert "sample:   0%" not in err and "sample: 100%" in err


def test_what_is_left_and_damaged_is_refused(fitted_small, broken_off, tmp_path):
    """A folder from which rows have vanished is no call to go on with, and the error names it."""
    broken_off(fitted_small.sample_to, tmp_path / "rows.csv", N, random_state=0)
    os.truncate(tmp_path / ".rows.csv.partial" / "rows", 10)
    with pytest.raises(ValueError, match=r"progress.json: says [0-9,]+ bytes, more than rows has: remove the folder"):
        fitted_small.sample_to(tmp_path / "rows.csv", N, random_state=0)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"path": "rows.txt"}, ValueError, "path must end in .parquet, .csv or .csv.gz, got .*rows.txt"),
        ({"path": "there.csv"}, FileExistsError, "there.csv is there already: pass overwrite=True"),
        ({"path": "folder.csv", "overwrite": True}, IsADirectoryError, "folder.csv is a folder"),
        ({"path": "none/rows.csv"}, FileNotFoundError, "cannot write .*none/rows.csv: No such file or directory"),
        ({"path": 3}, TypeError, "int"),
        ({"chunk_size": 0}, ValueError, "chunk_size must be an int >= 1, got 0"),
        ({"overwrite": "yes"}, TypeError, "overwrite must be True or False, got 'yes'"),
        ({"n_samples": 0}, ValueError, "n_samples must be an int >= 1, got 0"),
        ({"given": {"none": 1}}, ValueError, r"given names \['none'\]"),
    ],
)
def test_bad_requests_are_refused(fitted_small, tmp_path, monkeypatch, arguments, error, message):
    """What cannot be written is refused by name, before anything is."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "there.csv").touch()
    with pytest.raises(error, match=message):
        fitted_small.sample_to(**{"path": "rows.csv", "n_samples": 3} | arguments)
    assert ["folder.csv", "there.csv"] == left(tmp_path)


def test_parquet_needs_pyarrow(fitted_small, tmp_path, monkeypatch):
    """Without pyarrow the error says how to get it, and that CSV needs none."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(ImportError, match=r"needs pyarrow: pip install 'sksynth\[parquet\]', or choose a path .* .csv"):
        fitted_small.sample_to(tmp_path / "rows.parquet", 3)
    fitted_small.sample_to(tmp_path / "rows.csv", 3)
    assert ["rows.csv"] == left(tmp_path)


@pytest.mark.parametrize("entropy", [5, [1, 2]])
def test_a_seed_sequence_is_a_seed(fitted_small, broken_off, tmp_path, entropy):
    """A SeedSequence of one number or several draws the rows that `sample` draws, and goes on with them."""
    seed = np.random.SeedSequence(entropy)
    broken_off(fitted_small.sample_to, tmp_path / "rows.csv", N, chunks=2, random_state=seed)
    fitted_small.sample_to(tmp_path / "rows.csv", N, random_state=seed)
    assert fitted_small.sample(N, random_state=seed).to_csv(index=False) == (tmp_path / "rows.csv").read_text()


@pytest.mark.skipif(os.name != "posix", reason="links and modes of Unix")
def test_a_link_to_a_file_stays_one(fitted_small, tmp_path):
    """Rows go to the file that a link names, which keeps its mode."""
    (tmp_path / "target").touch(mode=0o600)
    os.symlink(tmp_path / "target", tmp_path / "rows.csv")
    fitted_small.sample_to(tmp_path / "rows.csv", 20, random_state=0, overwrite=True)
    assert (tmp_path / "rows.csv").is_symlink()
    assert 0o600 == (tmp_path / "target").stat().st_mode & 0o777
    assert fitted_small.sample(20, random_state=0).to_csv(index=False) == (tmp_path / "target").read_text()
