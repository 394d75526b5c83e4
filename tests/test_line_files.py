"""Promises of lines of text that need not fit into memory: files, what can be read again, iterators."""

import gzip
import io
import json
import os
import re
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from sksynth import LSTMTextModel
from sksynth._sources import LinesInMemory, _source, opened, token_ids
from sksynth._sources._text_file import TextFile
from sksynth.tokenizers import CharTokenizer, SentencePieceTokenizer, _subword_model

WORDS = ["sun", "moon", "river", "the", "über", "of", "night", "day", "夜"]
RNG = np.random.default_rng(0)
LINES = [" ".join(RNG.choice(WORDS, RNG.integers(0, 5))) for _ in range(200)]
TINY = {"embedding_dim": 4, "rnn_units": 4, "epochs": 2, "batch_size": 16, "validation_fraction": 0.2, "random_state": 0}
PLAIN = st.characters(exclude_categories=["Cs"])  # what UTF-8 can write
ENDS = st.sampled_from("\r\n\x0b\x0c\x1c\x85\u2028\u2029ab\0")  # of lines, some of them for some readers


class Again:
    """Lines that can be read again and again, and only that."""

    def __init__(self, lines):
        self.lines = lines

    def __iter__(self):
        return iter(self.lines)


@pytest.fixture
def small_chunks(monkeypatch):
    """Read lines in chunks of 7."""
    monkeypatch.setattr(_source, "CHUNK_LINES", 7)


@pytest.fixture(autouse=True)
def own_temporary_folder(tmp_path, monkeypatch):
    """Let nothing be left in the folder of temporary files, nor be held open without a name."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert list(folder.glob("sksynth-*")) == []
    if os.path.exists("/proc/self/maps"):
        assert str(folder) not in Path("/proc/self/maps").read_text()


@pytest.fixture
def path(tmp_path):
    """Return the path of a file of `LINES`."""
    return text_file(tmp_path / "lines.txt", LINES)


def text_file(path, lines, end="\n"):
    """Write lines to a file; return its path."""
    path.write_bytes("".join(line + end for line in lines).encode())
    return path


def read(X):
    """Return the lines of a path or an iterable, twice."""
    with opened(X) as source:
        first, second = list(source), [line for chunk in source.chunks() for line in chunk]
        assert len(source) == len(first)
    return first, second


# Files


def split(content):
    """Cut a text into lines, in the plainest way."""
    lines = re.split("\r\n|\n|\r", content)
    return lines if lines[-1] else lines[:-1]


@settings(deadline=None)
@given(content=st.text(st.one_of(ENDS, PLAIN), min_size=1))
@example(content="\n")
@example(content="\r")
@example(content="a\r\r\n\n")
@example(content="a\nb")
@example(content="\ufeffa\r\n\ufeff")
@pytest.mark.parametrize("write", [Path.write_bytes, lambda path, content: path.write_bytes(gzip.compress(content))])
def test_lines_end_where_they_should(tmp_path_factory, write, content):
    r"""A line ends with "\n", "\r\n" or "\r" and nothing else; the last one's may be missing; a first byte order mark goes."""
    assume(not re.match("(?s)([^\0]\0|\0[^\0]){3}", content))  # that is UTF-16
    path = tmp_path_factory.mktemp("text") / "text"
    write(path, content.encode())
    expected = split(content.removeprefix("\ufeff"))
    if expected:
        assert read(path) == (expected, expected)


@settings(deadline=None, max_examples=50)
@given(
    parts=st.lists(st.sampled_from(["\r", "\n", "\r\n", "ü", "夜", "a" * 8190]), min_size=1, max_size=30), zipped=st.booleans()
)
@example(parts=["a" * 8191, "\r\n", "a" * 8191, "\r", "ü", "\r", "\n"], zipped=False)
def test_lines_are_told_apart_at_any_place(tmp_path_factory, parts, zipped):
    """Where a file is read in portions, ends of lines and characters that lie across two of them stay whole."""
    content = "".join(parts)
    path = tmp_path_factory.mktemp("text") / "text"
    path.write_bytes(gzip.compress(content.encode()) if zipped else content.encode())
    if expected := split(content):
        assert read(path) == (expected, expected)


@pytest.mark.parametrize("portion", range(1, 12))
def test_any_portion_gives_the_same_lines(tmp_path, monkeypatch, portion):
    """However many bytes are read at a time, the lines are the same."""

    class InPortions(io.BytesIO):
        def read1(self, size=-1):
            return super().read(portion)

    content = "a\rbü\r\n\r\r\n夜\n\nlast\r".encode()
    monkeypatch.setattr(TextFile, "_open", lambda self: InPortions(content))
    (tmp_path / "lines").touch()
    assert list(TextFile(tmp_path / "lines")) == ["a", "bü", "", "", "夜", "", "last"]


@pytest.mark.parametrize("name", ["lines.txt", "lines.gz"])
def test_gzip_is_known_by_its_content(tmp_path, name):
    """Whatever a file is called, it is unpacked if it is gzip and read as it is if it is not; str and path are the same."""
    path = tmp_path / name
    for content in (b"to be\nor not", gzip.compress(b"to be\n") + gzip.compress(b"or not")):
        path.write_bytes(content)
        assert read(path) == read(str(path)) == (["to be", "or not"],) * 2


BAD_FILES = {
    "no UTF-8": (b"ab\nc\xffd\n", ValueError, r"lines: line 2 is not UTF-8: got 0xff as byte 2 of the line.*UTF-8"),
    "half a character": (b"ab\n\xe5\xa4", ValueError, r"lines: line 2 is not UTF-8: got 0xe5 as byte 1 .*iconv"),
    "UTF-16": ("\ufeffab\n".encode("utf-16-le"), ValueError, r"lines is not UTF-8, but UTF-16; .* iconv -f UTF-16 -t"),
    "UTF-16 without a mark": ("abc\n".encode("utf-16-be"), ValueError, r"lines is not UTF-8, but UTF-16BE; .*anew as UTF-8"),
    "latin-1": ("für\n".encode("latin-1"), ValueError, r"line 1 is not UTF-8: got 0xfc as byte 2 .*iconv -f LATIN1 -t UTF-8"),
    "surrogates": (b"\xed\xa0\x80\n", ValueError, r"lines: line 1 is not UTF-8: got 0xed as byte 1"),
    "empty": (b"", ValueError, r"lines is empty: got 0 lines, expected at least one"),
    "nothing but a mark": (b"\xef\xbb\xbf", ValueError, r"lines is empty"),
    "empty gzip": (gzip.compress(b""), ValueError, r"lines is empty"),
    "truncated gzip": (gzip.compress(b"a\nb\n")[:-9], ValueError, r"lines: gzip is damaged or cut off within line \d: .*anew"),
    "damaged gzip": (gzip.compress(b"a\nb\n")[:-8] + b"\0" * 8, ValueError, r"lines: gzip is damaged .*: CRC"),
    "the beginning of gzip": (b"\x1f\x8b", ValueError, r"lines: gzip is damaged or cut off within line 1"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_files_are_refused(tmp_path, case):
    """What is no text is refused, with the path, the line, the byte and the remedy; nothing of the fit is left."""
    content, error, message = BAD_FILES[case]
    (tmp_path / "lines").write_bytes(content)
    model = LSTMTextModel(CharTokenizer(), **TINY)
    with pytest.raises(error, match=message):
        model.fit(tmp_path / "lines")
    assert not hasattr(model, "tokenizer_")


def test_what_is_no_file_is_refused(tmp_path):
    """A str that is no path is taken for one, with a hint at what a line of text has to be put in; so are folders."""
    for text in ("to be or not", "to be " * 1000, "nul\0"):
        with pytest.raises(FileNotFoundError, match=r"there is no file '.*a str is .* put one line of text in a list"):
            LSTMTextModel().fit(text)
    with pytest.raises(FileNotFoundError, match=r"there is no file '.*none'$"):
        LSTMTextModel().fit(tmp_path / "none")
    with pytest.raises(IsADirectoryError, match="is a folder, expected a file"):
        LSTMTextModel().fit(tmp_path)


def test_a_pipe_is_refused(tmp_path):
    """What is in the file system but cannot be read twice is refused rather than waited for."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="no regular file and cannot be read twice; pass an iterator"):
        LSTMTextModel().fit(tmp_path / "pipe")


# Iterables and iterators


@settings(deadline=None)
@given(lines=st.lists(st.text(st.characters(), max_size=9), min_size=1), as_iterator=st.booleans())
def test_any_line_survives(lines, as_iterator):
    """Iterables and iterators give their lines as they are, with ends of lines, surrogates and NULs in them."""
    assert read(iter(lines) if as_iterator else Again(lines)) == (lines, lines)


BAD_ITERABLES = {
    "nothing": (lambda: Again([]), ValueError, r"X \(Again\) is empty: got 0 lines"),
    "an exhausted iterator": (lambda: iter(()), ValueError, r"X \(tuple_iterator\) is empty"),
    "a missing line": (lambda: Again(["a", None]), TypeError, "line 1 is None of type NoneType, expected a string; .*drop it"),
    "a number": (lambda: iter(["a", "b", 3]), TypeError, "line 2 is 3 of type int, expected a string; convert"),
    "bytes": (lambda: iter([b"ab"]), TypeError, "line 0 is b'ab' of type bytes.*decode"),
    "numbers": (lambda: range(5), TypeError, "line 0 is 0 of type int"),
}


@pytest.mark.parametrize("case", BAD_ITERABLES)
def test_bad_lines_are_refused(case):
    """What an iterable yields has to be text; the error says which line is not, and the remedy."""
    make, error, message = BAD_ITERABLES[case]
    with pytest.raises(error, match=message):
        LSTMTextModel(CharTokenizer(), **TINY).fit(make())


@pytest.mark.parametrize("records", [{"a": 1}, {"a", "b"}, b"ab"], ids=["dict", "set", "bytes"])
def test_what_is_not_read_line_by_line_is_refused(records):
    """Dicts, sets and bytes are no lines."""
    with pytest.raises(TypeError, match="expected a pandas DataFrame, or rows by columns"):
        LSTMTextModel(**TINY).fit(records)


def test_open_files_are_refused(path):
    """An open file, whose lines would keep their ends, is refused in favour of its path."""
    with open(path, encoding="utf-8") as file, pytest.raises(TypeError, match=r"open file.*pass its path"):
        LSTMTextModel().fit(file)


def test_lines_that_change_are_refused():
    """What gives another number of lines when it is read again is refused, with the remedy."""
    used = iter(LINES)

    class Once:
        def __iter__(self):
            return (line for line in used)

    with pytest.raises(ValueError, match=r"X \(Once\) has 0 lines now, but had 200.*pass an iterator"):
        LSTMTextModel(CharTokenizer(), **TINY).fit(Once())


def test_an_iterator_that_fails_leaves_nothing(own_temporary_folder):
    """The error of an iterator comes through, and what was copied of its lines is removed."""

    def failing():
        yield "a"
        assert list(own_temporary_folder.glob("sksynth-*"))
        raise OSError("the line is dead")

    with pytest.raises(OSError, match="the line is dead"):
        LSTMTextModel(**TINY).fit(failing())


# Tokenizers


def state_of(tokenizer, lines):
    """Return the state of a tokenizer that was fitted on lines, as text."""
    return json.dumps(tokenizer.fit(lines).to_state(), default=lambda array: [str(array.dtype), array.tolist()])


@settings(max_examples=30, deadline=None)
@given(lines=st.lists(st.text("ab ü夜", max_size=8), min_size=1, max_size=60), min_frequency=st.integers(1, 3))
def test_tokenizers_learn_the_same(lines, min_frequency):
    """Tokenizers learn from a source, chunk by chunk, and of some of its lines, what they learn from a list."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_source, "CHUNK_LINES", 7)
        patch.setattr(_source, "CHUNK_CHARACTERS", 30)
        patch.setattr(_subword_model, "MAX_LINES", 25)
        for tokenizer in (
            CharTokenizer(min_frequency=min_frequency), CharTokenizer(3, alphabet="ab"),
            SentencePieceTokenizer(400, min_frequency=min_frequency), SentencePieceTokenizer(400, model_type="bpe"),
        ):  # fmt: skip
            with opened(Again(lines)) as source:
                assert state_of(tokenizer, source) == state_of(tokenizer, lines)
                ids = token_ids(tokenizer, source)
                np.testing.assert_array_equal(ids, tokenizer.encode(lines, cut=True))
                assert isinstance(ids, np.memmap) and ids.dtype.itemsize <= 2
                del ids


@given(n_lines=st.integers(2, 300), most=st.integers(2, 40))
def test_lines_are_taken_evenly(n_lines, most):
    """So many lines are taken from the first to the last, at distances that differ by one at most."""
    taken = list(map(int, _subword_model._evenly(LinesInMemory(list(map(str, range(n_lines)))), most)))
    assert len(taken) == min(n_lines, most)
    assert (taken[0], taken[-1]) == (0, n_lines - 1)
    assert np.ptp(np.diff(taken)) <= 1


# Fits


def assert_same_fit(one, other):
    """Assert that two models have the same weights, settings and history, to the bit, but for the time that it took."""
    assert one._weights.keys() == other._weights.keys()
    assert all(one._weights[name].tobytes() == other._weights[name].tobytes() for name in one._weights)
    assert one.training_ == other.training_
    assert_frame_equal(one.history_.drop(columns="seconds"), other.history_.drop(columns="seconds"), check_exact=True)


SOURCES = {
    "a file": lambda path: path,
    "a name": str,
    "lines that end in CR": lambda path: text_file(path.with_name("old"), LINES, "\r"),
    "an iterable": lambda path: Again(LINES),
    "an iterator": lambda path: iter(LINES),
    "a generator": lambda path: (line for line in LINES),
}


@pytest.fixture(scope="module")
def fitted():
    """Return a model that was fitted on the lines in memory; not to be changed."""
    return LSTMTextModel(CharTokenizer(), **TINY).fit(LINES)


@pytest.mark.parametrize("case", SOURCES)
def test_a_fit_is_that_of_the_list(case, fitted, path, small_chunks):
    """Files, iterables and iterators give the same weights, history, scores and samples as the same lines in a list."""
    model = LSTMTextModel(CharTokenizer(), **TINY).fit(SOURCES[case](path))

    assert_same_fit(model, fitted)
    assert model.sample(9, random_state=1) == fitted.sample(9, random_state=1)
    np.testing.assert_array_equal(fitted.score_samples(SOURCES[case](path)), fitted.score_samples(LINES))
    assert fitted.score(SOURCES[case](path)) == fitted.score(LINES)


def test_pieces_are_learned_from_files(path, small_chunks):
    """The tokenizer for lines that is used without another reads files too."""
    assert_same_fit(LSTMTextModel(**TINY).fit(path), LSTMTextModel(**TINY).fit(LINES))


def test_training_goes_on_with_files(fitted, tmp_path, small_chunks):
    """partial_fit, and fit with warm_start, of a file train as on the list."""
    later = LINES[::-1][:60]
    models = []
    for X in (later, text_file(tmp_path / "later", later)):
        model = LSTMTextModel(CharTokenizer(), **TINY).fit(LINES).partial_fit(X)
        models.append(model.set_params(warm_start=True).fit(X))
    assert_same_fit(*models)
    assert len(models[0].history_) == 2 + 1 + 2


def test_a_failed_further_fit_changes_nothing(fitted, tmp_path):
    """Where a file is missing or no text, partial_fit leaves the model as it was."""
    (tmp_path / "bad").write_bytes(b"\xff")
    model = LSTMTextModel(CharTokenizer(), **TINY).fit(LINES)
    for bad in (tmp_path / "bad", tmp_path / "none"):
        with pytest.raises((ValueError, OSError)):
            model.partial_fit(bad)
    assert_same_fit(model, fitted)


def test_a_model_of_a_table_refuses_files(small, path):
    """Lines of a file are no rows of a table."""
    model = LSTMTextModel(**TINY | {"epochs": 1}).fit(small[["flag"]])
    with pytest.raises(ValueError, match="fitted on a table"):
        model.score(path)


def test_what_a_callback_ends_leaves_nothing(path):
    """A fit that fails within training, or is stopped, removes its files."""

    def fail(state):
        raise ValueError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        LSTMTextModel(CharTokenizer(), **TINY, callbacks=[fail]).fit(path)
    LSTMTextModel(CharTokenizer(), **TINY, callbacks=[lambda state: state.stop()]).fit(iter(LINES))


def test_lines_of_a_file_are_not_repeated(fitted, path, tmp_path):
    """`exclude` takes what fit takes."""
    options = {"exclude_longer_than": 1, "random_state": 0}
    excluded = text_file(tmp_path / "sampled", [line for line in fitted.sample(20, random_state=0) if len(line) > 9])
    lines = excluded.read_text("utf-8").splitlines()
    assert fitted.sample(20, exclude=excluded, **options) == fitted.sample(20, exclude=lines, **options)


# Checkpoints and privacy


def test_a_fit_is_taken_up_with_the_same_lines(fitted, path, tmp_path, small_chunks):
    """A fit of a file that failed goes on with the list, and the reverse, to the weights of one that never stopped."""

    def fail(state):
        raise ValueError("enough")

    for number, (first, second) in enumerate([(path, LINES), (LINES, iter(LINES))]):
        model = LSTMTextModel(CharTokenizer(), **TINY, checkpoint_dir=tmp_path / str(number), callbacks=[fail])
        with pytest.raises(RuntimeError, match="failed in epoch 0"):
            model.fit(first)
        assert_same_fit(model.set_params(callbacks=None).fit(second), fitted)
    begun = [json.loads((tmp_path / name / "settings.json").read_text()) for name in "01"]
    assert begun[0]["data"] == begun[1]["data"]


def test_other_lines_are_not_taken_up(path, tmp_path):
    """A fit does not go on with a file of other lines."""
    model = LSTMTextModel(CharTokenizer(), **TINY, checkpoint_dir=tmp_path / "fit").fit(path)
    text_file(path, [*LINES[:-1], "another"])
    with pytest.raises(ValueError, match="holds a fit of other data or settings: digest of the token ids"):
        model.fit(path)


def test_private_fits_read_files(path, tmp_path):
    """Private fits read files by a public alphabet, take them up, and spend what they do on the list."""
    parameters = {"embedding_dim": 4, "rnn_units": 4, "epochs": 2, "batch_size": 50, "epsilon": 3.0, "delta": 1e-5}
    tokenizer = CharTokenizer(12, alphabet="".join(sorted(set("".join(WORDS)))) + " ")
    models = [
        LSTMTextModel(tokenizer, **parameters, checkpoint_dir=tmp_path / str(number)).fit(X)
        for number, X in enumerate([path, iter(LINES), LINES])
    ]
    assert len({model.epsilon_ for model in models}) == 1
    assert len({model.privacy_statement_ for model in models}) == 1
    assert models[0].training_ == models[1].training_ == models[2].training_
    assert len(models[0].fit(path).history_) == 2
