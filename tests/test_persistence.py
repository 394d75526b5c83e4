"""Promises of save and load: everything comes back, nothing is executed or written, and what is no model file is refused."""

import copy
import io
import json
import os
import pickle
import stat
import struct
import subprocess
import sys
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from sklearn.base import BaseEstimator, clone
from sklearn.exceptions import NotFittedError
from test_persistence_fuzz import Tree, packed, unpacked

from sksynth import BatchLSTMSynthesizer, ColumnClusterer, LSTMTextModel, fields, persistence
from sksynth.persistence import ModelFileError
from sksynth.tokenizers import CharTokenizer, TableTokenizer

LINES = ["ab", "abab", "ba", ""] * 16
ATTRIBUTES = ("epsilon_", "delta_", "columns_", "n_features_in_", "batches_", "n_parameters_", "training_", "schema_")


def again(estimator, folder, **parameters):
    """Return an estimator that was saved and loaded."""
    path = folder / "again.sksynth"
    estimator.save(path)
    return type(estimator).load(path, **parameters)


def plain_params(estimator):
    """Return all parameters, nested ones too, but for the estimators among them."""
    return {name: value for name, value in estimator.get_params().items() if not isinstance(value, BaseEstimator)}


def assert_same(one, other, X):
    """Assert that two fitted estimators are alike, to the bit, in all that can be asked of them."""
    assert type(one) is type(other)
    assert plain_params(one) == plain_params(other)
    for name in ATTRIBUTES:
        assert getattr(one, name, None) == getattr(other, name, None), name
    assert hasattr(one, "feature_names_in_") == hasattr(other, "feature_names_in_")
    assert list(getattr(one, "feature_names_in_", [])) == list(getattr(other, "feature_names_in_", []))
    assert_frame_equal(one.history_, other.history_, check_exact=True)
    np.testing.assert_array_equal(one.score_samples(X), other.score_samples(X))
    samples = [pd.DataFrame(estimator.sample(30, random_state=1)) for estimator in (one, other)]
    assert_frame_equal(*samples, check_column_type="exact", check_exact=True)
    assert type(one.sample(1)) is type(other.sample(1))


# What comes back


@pytest.fixture(scope="module")
def strange(template):
    """Return a table with columns named by strings, numbers and tuples, and a model that was privately fitted on it."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.integers(0, 9, 64), 5: rng.random(64) < 0.5, ("b", 1): rng.choice(["x", "y"], 64)})
    schema = {"a": fields.Number(0, 9), 5: fields.Boolean(), ("b", 1): "private"}
    clusterer = ColumnClusterer(2, method="complete", random_state=3)
    synthesizer = BatchLSTMSynthesizer(clusterer=clusterer, text_model=template(), schema=schema, epsilon=2.0, delta=1e-5)
    return table, synthesizer.fit(table)


@pytest.fixture(scope="module")
def fitted_lines():
    """Return a model that was fitted on lines of text with a tokenizer of its own parameters."""
    tokenizer = CharTokenizer(6, alphabet="abc", min_frequency=2)
    return LSTMTextModel(tokenizer, embedding_dim=4, rnn_units=4, epochs=2, batch_size=16, random_state=0).fit(LINES)


def test_a_synthesizer_comes_back(fitted_orders, orders, tmp_path):
    """Samples, scores, schema, history, batches and parameters of every kind of column come back to the bit."""
    loaded = again(fitted_orders, tmp_path)

    assert_same(fitted_orders, loaded, orders)
    assert fitted_orders.clusterer_.get_params() == loaded.clusterer_.get_params()
    assert [[], [], []] == fitted_orders.callbacks_ == loaded.callbacks_
    assert loaded.interrupted_ is False
    for model, other in zip(fitted_orders.models_, loaded.models_, strict=True):
        assert_same(model, other, orders[model.columns_])


def test_a_batch_comes_back_as_a_model_of_its_own(fitted_orders, orders, tmp_path):
    """The model of a batch can be saved and loaded alone."""
    for model in fitted_orders.models_:
        assert_same(model, again(model, tmp_path), orders[model.columns_])


def test_a_model_of_lines_comes_back(fitted_lines, tmp_path):
    """A model of lines of text comes back with its tokenizer and its parameters."""
    loaded = again(fitted_lines, tmp_path)

    assert plain_params(fitted_lines) == plain_params(loaded)
    assert fitted_lines.tokenizer_.vocabulary_ == loaded.tokenizer_.vocabulary_
    assert fitted_lines.sample(30, random_state=1) == loaded.sample(30, random_state=1)
    np.testing.assert_array_equal(fitted_lines.score_samples(LINES), loaded.score_samples(LINES))
    assert_frame_equal(fitted_lines.history_, loaded.history_, check_exact=True)


@pytest.mark.filterwarnings("ignore:noise drowns the signal:UserWarning")
def test_what_was_spent_comes_back(strange, tmp_path):
    """Of a private fit come back the budget, the ledger and the statement, and that it cannot be trained further."""
    table, fitted = strange
    loaded = again(fitted, tmp_path)

    assert_same(fitted, loaded, table)
    assert_frame_equal(fitted.privacy_ledger_, loaded.privacy_ledger_, check_exact=True)
    assert fitted.privacy_statement_ == loaded.privacy_statement_
    assert ("b", 1) in loaded.columns_
    assert "private" == loaded.schema["b", 1]
    assert clone(loaded).get_params()["clusterer__method"] == "complete"
    with pytest.raises(RuntimeError, match="budget is spent"):
        loaded.partial_fit(table)


@pytest.mark.filterwarnings("ignore:noise drowns the signal:UserWarning")
def test_a_schema_that_is_a_word_comes_back(few_valued, template, tmp_path):
    """The schema "private" comes back as the parameter that it was."""
    table = few_valued(64, "ab")
    fitted = BatchLSTMSynthesizer(text_model=template(), schema="private", epsilon=2.0, delta=1e-5).fit(table)
    loaded = again(fitted, tmp_path)

    assert "private" == loaded.schema
    assert_same(fitted, loaded, table)


CONTAINERS = {
    "an array of small numbers": lambda table: table.to_numpy("int8"),
    "an array of objects": lambda table: table.to_numpy(object),
    "lists": lambda table: table.to_numpy(int).tolist(),
    "numbered columns": lambda table: table.set_axis(pd.RangeIndex(3, 9, 2, name="n"), axis=1),
    "tuples": lambda table: table.set_axis(pd.Index([("a", 1), ("a", 2), ("b", None)], tupleize_cols=False), axis=1),
}


@pytest.mark.parametrize("kind", CONTAINERS)
def test_tables_of_any_container_come_back(kind, few_valued, synthesizer, tmp_path):
    """How a table came in, and the types of its columns' names, come back with it."""
    X = CONTAINERS[kind](few_valued(64, "abc"))
    fitted = synthesizer().fit(X)
    assert_same(fitted, again(fitted, tmp_path), X)


def test_a_model_without_anything_to_learn_comes_back(synthesizer, tmp_path):
    """Identifiers alone have no network and no history, and come back all the same."""
    table = pd.DataFrame({"key": [f"K{number:04d}" for number in range(64)]})
    fitted = synthesizer().fit(table)
    loaded = again(fitted, tmp_path)

    assert_same(fitted, loaded, table)
    assert 0 == len(loaded.history_)
    assert set(table["key"]).isdisjoint(loaded.sample(50)["key"])


def test_parameters_come_back(fitted_small, tmp_path):
    """Templates come back with their parameters; callbacks, folders and generators of random numbers are left out."""
    fitted = copy.copy(fitted_small)
    fitted.text_model = clone(fitted.text_model).set_params(learning_rate=0.5, early_stopping=False, callbacks=[print])
    fitted.clusterer = ColumnClusterer(batches=(["count", "colour"], ("flag",)), random_state=np.random.RandomState(0))
    fitted.set_params(n_jobs=2, checkpoint_dir=tmp_path / "folder", callbacks=[print], random_state=np.random.default_rng(0))
    loaded = again(fitted, tmp_path)

    assert loaded.text_model.get_params() == fitted.text_model.get_params() | {"callbacks": None}
    assert loaded.clusterer.batches == fitted.clusterer.batches
    assert 2 == loaded.n_jobs
    assert [None] * 4 == [loaded.callbacks, loaded.checkpoint_dir, loaded.random_state, loaded.clusterer.random_state]


def test_training_goes_on_after_loading(fitted_small, small, tmp_path):
    """What was loaded is trained further, and batch by batch anew, as what was saved."""
    pair = [copy.deepcopy(fitted_small), again(fitted_small, tmp_path)]
    for estimator in pair:
        estimator.partial_fit(small)
        estimator.fit_batch(1, small)
    pair[1].history_["seconds"] = pair[0].history_["seconds"]

    assert_same(*pair, small)


def test_the_same_model_gives_the_same_file(fitted_orders, tmp_path):
    """A file is the same to the byte each time, also when what is saved was loaded."""
    paths = [tmp_path / name for name in "abc"]
    for path in paths[:2]:
        fitted_orders.save(path)
    BatchLSTMSynthesizer.load(str(paths[0])).save(str(paths[2]))

    assert 1 == len({path.read_bytes() for path in paths})


def test_a_tokenizer_of_the_users_own_is_made_only_when_trusted(tmp_path):
    """The name of a class in a file imports nothing: it stands for a class that was passed, or is refused with the remedy."""
    fitted = LSTMTextModel(Shouting(), embedding_dim=4, rnn_units=4, epochs=1, batch_size=16, random_state=0).fit(LINES)
    path = tmp_path / "model"
    fitted.save(path)

    for trusted in ((), (BaseEstimator,)):
        with pytest.raises(ModelFileError, match=r"a tokenizer 'Shouting'.*pass trusted=\(Shouting,\)"):
            LSTMTextModel.load(path, trusted=trusted)
    loaded = LSTMTextModel.load(path, trusted=(Shouting,))
    assert isinstance(loaded.tokenizer_, Shouting)
    assert isinstance(loaded.tokenizer, Shouting)
    assert fitted.sample(9, random_state=1) == loaded.sample(9, random_state=1)
    with pytest.raises(TypeError, match=r"trusted must be a sequence of classes, as in \(MyTokenizer,\)"):
        LSTMTextModel.load(path, trusted=Shouting)


class Shouting(CharTokenizer):
    """A tokenizer of the user's own."""

    def decode(self, ids):
        return [line.upper() for line in super().decode(ids)]


NAMES = ["os.system", "subprocess:Popen", "builtins.eval", "../../evil", "ColumnClusterer", "this"]


@pytest.mark.parametrize("name", NAMES)
def test_the_name_of_a_class_imports_nothing(name, tree, tmp_path):
    """Whatever a file calls its tokenizer or its parameters' classes, nothing is looked up by that name."""
    loaded = set(sys.modules)
    for change in (
        lambda tree: tree["tokenizer.npz"]["state.json"].update({"class": name}),
        lambda tree: tree["settings.json"]["params"].update(tokenizer={"estimator": name, "params": {}}),
    ):
        with pytest.raises(ModelFileError, match=f"trusted=.{name},"):
            load_changed(change, tree, tmp_path)
    assert loaded == set(sys.modules)


# What load does


WATCHED = """
import os, pickle, sys
import numpy as np, pandas as pd
from sksynth import BatchLSTMSynthesizer

path = sys.argv[1]
BatchLSTMSynthesizer.load(path).sample(3).to_csv()  # imports what is imported late
forbidden = ("pickle.find_class", "exec", "compile", "import", "os.system", "os.exec", "os.mkdir", "os.rename", "os.remove",
             "subprocess.Popen", "socket.connect", "marshal.loads", "ctypes.dlopen")

def refuse(*args, **kwargs):
    raise SystemExit(f"not allowed: {args}")

def watch(event, args):
    if event in forbidden or (event == "open" and set(str(args[1])) & set("wax+")):
        refuse(event, args)

pickle.loads = pickle.load = pickle.Unpickler = np.load = pd.read_pickle = refuse
sys.addaudithook(watch)
synthesizer = BatchLSTMSynthesizer.load(path)
print(repr(synthesizer.sample(20, random_state=1).to_csv()))
"""


def test_a_fresh_process_reads_a_file_without_pickle_and_without_code(fitted_orders, tmp_path):
    """Another process samples the same rows, and unpickles, imports, compiles, runs and writes nothing for that."""
    fitted_orders.save(tmp_path / "model")
    folder = tmp_path / "empty"
    folder.mkdir()
    command = [sys.executable, "-c", WATCHED, str(tmp_path / "model")]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)

    assert 0 == done.returncode, done.stderr[-2000:]
    assert repr(fitted_orders.sample(20, random_state=1).to_csv()) == done.stdout.strip()
    assert [] == list(folder.iterdir())


def test_before_fit_there_is_nothing_to_save(tmp_path):
    """What was not fitted writes no file."""
    for estimator in (LSTMTextModel(), BatchLSTMSynthesizer()):
        with pytest.raises(NotFittedError):
            estimator.save(tmp_path / "model")
    assert [] == list(tmp_path.iterdir())


def test_a_state_has_no_key_of_its_own_for_arrays():
    """A key that would be read as the place of an array is refused as a state is written, by its place."""
    with pytest.raises(TypeError, match="parts/1: a state has no key 'array'"):
        persistence.to_bytes({"parts": [1, {"array": "x"}]})


def test_what_no_file_can_hold_is_refused(fitted_lines, tmp_path):
    """Parameters and tokenizers that a file cannot hold, or that no fit takes, are named when saving."""
    odd = copy.copy(fitted_lines)
    odd.tokenizer = TableTokenizer({"a": fields.Category([1 + 2j])})
    with pytest.raises(TypeError, match="complex"):
        odd.save(tmp_path / "model")
    odd = copy.copy(fitted_lines).set_params(epochs=0)
    with pytest.raises(ValueError, match="'epochs' parameter"):
        odd.save(tmp_path / "model")
    odd = copy.copy(fitted_lines)
    odd.tokenizer_ = object()
    with pytest.raises(TypeError, match=r"tokenizer.*object.*to_state.*from_state"):
        odd.save(tmp_path / "model")
    assert [] == list(tmp_path.iterdir())


def test_a_file_that_cannot_be_written_is_left_as_it_was(fitted_small, tmp_path, monkeypatch):
    """Where there is no room or no such folder, an OSError says so, and the old file is whole."""
    path = tmp_path / "model"
    fitted_small.save(path)
    before = path.read_bytes()
    for name in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(persistence.os, name, lambda *_: (_ for _ in ()).throw(OSError(28, "No space left on device")))
            with pytest.raises(OSError, match=r"cannot write .*model \([0-9,]+ bytes\): No space left.*still there"):
                fitted_small.save(path)
    with pytest.raises(OSError, match="cannot write"):
        fitted_small.save(tmp_path / "no such folder" / "model")
    with pytest.raises(OSError, match="cannot write"):
        fitted_small.save(tmp_path)
    assert before == path.read_bytes()
    assert [path] == list(tmp_path.iterdir())


# What is refused


@pytest.fixture(scope="module")
def saved(fitted_small, tmp_path_factory):
    """Return the file of the model of a batch of numbers and categories, as bytes."""
    path = tmp_path_factory.mktemp("saved") / "model"
    fitted_small.models_[0].save(path)
    return path.read_bytes()


@pytest.fixture
def tree(saved):
    """Return that file as a tree, to be changed."""
    return unpacked(saved)


def load_changed(change, tree, folder):
    """Load the file of a tree that was changed, from and in an empty folder; assert that none is there but the file."""
    tree = copy.deepcopy(tree)
    change(tree)
    return load_bytes(packed(tree), folder)


def load_bytes(data, folder, cls=LSTMTextModel):
    """Load a file of these bytes from a folder of its own; assert that nothing is in there or beside it afterwards."""
    path = folder / "inner" / "model"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(data)
    try:
        return cls.load(path)
    finally:
        assert [path] == [entry for entry in folder.rglob("*") if entry.is_file()]
        assert data == path.read_bytes()


def test_an_unchanged_tree_is_read(tree, tmp_path):
    """What these tests change is read as long as it is not changed."""
    assert 3 == len(load_changed(lambda tree: None, tree, tmp_path).sample(3))


def test_another_class_is_named(fitted_small, saved, tmp_path):
    """A file of another class is refused with the name of that class."""
    with pytest.raises(
        ModelFileError, match=r"a LSTMTextModel, expected a BatchLSTMSynthesizer: load it with LSTMTextModel.load"
    ):
        load_bytes(saved, tmp_path, BatchLSTMSynthesizer)
    fitted_small.save(tmp_path / "inner" / "model")
    with pytest.raises(ModelFileError, match=r"load it with BatchLSTMSynthesizer\.load"):
        LSTMTextModel.load(tmp_path / "inner" / "model")


def test_a_later_format_is_named(tree, tmp_path):
    """A file of a later format is refused with the version that wrote it and the remedy."""
    with pytest.raises(ModelFileError, match=r"sksynth 7\.1 in format 2, .* knows 1 at most: install that version"):
        load_changed(lambda tree: tree["format.json"].update(format=2, sksynth="7.1"), tree, tmp_path)


def test_a_missing_file_is_missing(tmp_path):
    """A path where nothing is raises what open raises."""
    with pytest.raises(FileNotFoundError):
        LSTMTextModel.load(tmp_path / "model")


def test_a_folder_without_a_fit_is_refused(tmp_path):
    """A folder that is no checkpoint_dir is refused with what may be passed."""
    with pytest.raises(ModelFileError, match="holds no fit: pass the checkpoint_dir of one, or a file that save wrote"):
        LSTMTextModel.load(tmp_path)


def zipped(**members):
    """Return an archive of text files."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return file.getvalue()


NO_MODELS = {
    "an empty file": b"",
    "text": b"a,b\n1,2\n" * 99,
    "random bytes": np.random.default_rng(0).bytes(10_000),
    "a pickle": pickle.dumps({"a": 1}),
    "an empty archive": zipped(),
    "another archive": zipped(a="b"),
    "only a header": zipped(**{"format.json": json.dumps({"sksynth": "1", "format": 1, "kind": "LSTMTextModel"})}),
}


@pytest.mark.parametrize("kind", NO_MODELS)
def test_what_is_no_model_file_is_refused(kind, tmp_path):
    """Whatever else a file is, it is refused with its name."""
    with pytest.raises(ModelFileError, match="inner/model"):
        load_bytes(NO_MODELS[kind], tmp_path)


def test_a_truncated_file_is_refused(saved, tmp_path):
    """A file that ends anywhere before its end is refused."""
    for length in np.unique(np.linspace(0, len(saved) - 1, 150).astype(int)):
        with pytest.raises(ModelFileError):
            load_bytes(saved[:length], tmp_path)
    with pytest.raises(ModelFileError):
        load_bytes(saved[100:], tmp_path)


UNSAFE = ["/etc/x", "../x", "a/../../x", "a/./x", "a\\..\\x", "C:x", "//x", "a/", "..", "x\\"]


@pytest.mark.parametrize("name", UNSAFE)
def test_members_with_unsafe_names_are_refused(name, tree, tmp_path):
    """Absolute names, and such that lead elsewhere, are refused wherever they are."""
    with pytest.raises(ModelFileError, match="expected a plain relative name"):
        load_changed(lambda tree: tree.update({name: b""}), tree, tmp_path)
    with pytest.raises(ModelFileError, match=r"weights\.npz: got a member named"):
        load_changed(lambda tree: tree["weights.npz"].update({name: b""}), tree, tmp_path)


def rewritten(saved, write):
    """Return the archive into which `write(archive, info, content)` wrote every member."""
    file = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(saved)) as old, zipfile.ZipFile(file, "w") as new:
        for info in old.infolist():
            write(new, info, old.read(info))
    return file.getvalue()


def test_links_are_nothing_but_text(saved, tmp_path):
    """A member that claims to be a symbolic link is no more than its content."""

    def write(archive, info, content):
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, content)

    assert 3 == len(load_bytes(rewritten(saved, write), tmp_path).sample(3))


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_compressed_members_are_refused(method, saved, tmp_path):
    """Nothing that may become larger than the file is read."""
    with pytest.raises(ModelFileError, match="expected stored members"):
        load_bytes(rewritten(saved, lambda archive, info, content: archive.writestr(info, content, method)), tmp_path)
    bomb = rewritten(saved, lambda archive, info, content: archive.writestr(info, bytes(10**7), method))
    with pytest.raises(ModelFileError, match="expected stored members"):
        load_bytes(bomb, tmp_path)


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_a_member_that_is_there_twice_is_refused(saved, tmp_path):
    """Two members of one name, of which another reader may see the other, are refused."""
    twice = rewritten(saved, lambda archive, info, content: [archive.writestr(info.filename, content) for _ in range(2)])
    with pytest.raises(ModelFileError, match=r"'format\.json' twice"):
        load_bytes(twice, tmp_path)


DIRECTORY = {  # offsets in an entry of the directory of an archive
    "encrypted": (8, struct.pack("<H", 1)),
    "strongly encrypted": (8, struct.pack("<H", 0x41)),
    "a patch": (8, struct.pack("<H", 0x20)),
    "of a later version": (6, struct.pack("<H", 99)),
    "another checksum": (16, struct.pack("<I", 1)),
    "larger than it is": (20, struct.pack("<II", 10**6, 10**6)),
    "much larger than it is": (20, struct.pack("<II", 2**31, 2**31)),
    "smaller than it is": (20, struct.pack("<II", 3, 3)),
    "of two sizes": (20, struct.pack("<I", 3)),
    "beyond the end": (42, struct.pack("<I", 10**8)),
    "somewhere else": (42, struct.pack("<I", 77)),
}


@pytest.mark.parametrize("claim", DIRECTORY)
def test_a_directory_that_lies_is_refused(claim, saved, tmp_path):
    """What an archive's directory says of a member and is not so is refused, before there is room made for it."""
    at, value = DIRECTORY[claim]
    at += saved.index(b"PK\x01\x02")
    with pytest.raises(ModelFileError):
        load_bytes(saved[:at] + value + saved[at + len(value) :], tmp_path)


def test_members_within_each_other_are_refused(tmp_path):
    """Members that share their bytes, so that a small file holds gigabytes, are refused."""
    content, entries = bytes(100_000), []
    for number in range(300):
        name = b"%06d" % number
        fields_of = struct.pack("<HHHHHIIIHH", 20, 0, 0, 0, 33, zlib.crc32(content), len(content), len(content), len(name), 0)
        entries.append((name, fields_of, 36 + len(content)))
        content = b"PK\x03\x04" + fields_of + name + content
    directory = b"".join(
        b"PK\x01\x02" + struct.pack("<H", 20) + fields_of + struct.pack("<HHHII", 0, 0, 0, 0, len(content) - length) + name
        for name, fields_of, length in entries
    )
    end = b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, len(entries), len(entries), len(directory), len(content), 0)
    with pytest.raises(ModelFileError, match=r"more than the rest of the file has|Overlapped"):
        load_bytes(content + directory + end, tmp_path)


def npy(header, content=b"", version=b"\x01\x00"):
    """Return the bytes of an array whose header is this text."""
    header = header.encode() + b"\n"
    return b"\x93NUMPY" + version + len(header).to_bytes(2, "little") + header + content


def header(descr="'<f4'", order="False", shape="(4, 16)"):
    """Return the text of an array's header."""
    return f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"


ARRAYS = {
    "10**12 cells": npy(header(shape="(1000000000000,)"), bytes(256)),
    "a shape that overflows": npy(header(shape="(4294967296, 4294967296)"), b""),
    "a shape of thousands of digits": npy(header(shape="(" + "9" * 900 + ",)"), b""),
    "no cells of a huge shape": npy(header(shape="(0, 1000000000000)"), b""),
    "65 dimensions": npy(header(shape="(" + "1, " * 65 + ")"), bytes(4)),
    "negative dimensions": npy(header(shape="(-4, -16)"), bytes(256)),
    "too few bytes": npy(header(), bytes(255)),
    "too many bytes": npy(header(), bytes(257)),
    "objects": npy(header("'|O'"), pickle.dumps([print] * 64)),
    "text": npy(header("'<U1'"), bytes(256)),
    "dates": npy(header("'<M8[s]'", shape="(4, 8)"), bytes(256)),
    "complex numbers": npy(header("'<c8'", shape="(4, 8)"), bytes(256)),
    "fields": npy(header("[('a', '<f4')]"), bytes(256)),
    "arrays within": npy(header("('<f4', (16,))", shape="(4,)"), bytes(256)),
    "columns first": npy(header(order="True"), bytes(256)),
    "a call": npy(header(shape="(__import__('os').system('touch x'),)"), bytes(256)),
    "a power": npy(header(shape="(9**9**9,)"), bytes(256)),
    "deep brackets": npy(header(shape="(" * 9000), bytes(256)),
    "no dict": npy("[1, 2]", bytes(256)),
    "a later version": npy(header(), bytes(256), b"\x03\x00"),
    "no header": bytes(300),
    "nothing": b"",
    "a deprecated name": npy(header("'|a4'"), bytes(256)),
    "other numbers": npy(header("'<f8'", shape="(4, 8)"), bytes(256)),
    "another shape": npy(header(shape="(64,)"), bytes(256)),
    "numbers that are none": npy(header(), np.full(64, np.nan, "<f4").tobytes()),
    "numbers beyond measure": npy(header(), np.full(64, 1e30, "<f4").tobytes()),
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_arrays_that_are_none_are_refused(kind, tree, tmp_path):
    """What is no array of the numbers that are wanted is refused, without evaluating what its header says."""
    assert (4, 16) == tree["weights.npz"]["weights/recurrent_kernel_0.npy"].shape
    with pytest.raises(ModelFileError, match="recurrent_kernel_0"):
        load_changed(lambda tree: tree["weights.npz"].update({"weights/recurrent_kernel_0.npy": ARRAYS[kind]}), tree, tmp_path)


def test_booleans_are_zero_or_one():
    """A byte that is no boolean is refused: NumPy trusts that there is none where it makes room."""
    state = persistence.to_bytes({"a": np.array([True, False, True])})
    assert state.count(b"\n\x01\x00\x01") == 1
    with pytest.raises(ModelFileError, match="a boolean is 0 or 1"):
        persistence.from_bytes(packed(Tree(unpacked(state) | {"a.npy": npy(header("'|b1'", shape="(3,)"), b"\x01\x00\x02")})))


JSON = {
    "brackets": b"[" * 100_000,
    "closed brackets": b"[" * 100_000 + b"]" * 100_000,
    "keys": b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
    "not a number": b'{"format": NaN}',
    "infinity": b'{"format": -Infinity}',
    "infinity in digits": b'{"format": 1e999}',
    "5000 digits": b'{"format": ' + b"9" * 5000 + b"}",
    "no UTF-8": b'{"format": "\xff"}',
    "no object": b"[1]",
    "a word": b"null",
    "nothing": b"",
}


@pytest.mark.parametrize("kind", JSON)
@pytest.mark.parametrize("member", ["format.json", "settings.json", "state.json"])
def test_json_that_is_none_is_refused(kind, member, tree, tmp_path):
    """JSON that is nested without end, holds numbers that are none, or is none, is refused."""
    with pytest.raises(ModelFileError):
        load_changed(
            lambda tree: (tree["tokenizer.npz"] if member == "state.json" else tree).update({member: JSON[kind]}),
            tree,
            tmp_path,
        )


FORGED = {
    "a parameter that no fit takes": lambda tree: tree["settings.json"]["params"].update(epochs=0),
    "a parameter that there is not": lambda tree: tree["settings.json"]["params"].update(hidden=1),
    "a parameter of another type": lambda tree: tree["settings.json"]["params"].update(verbose="x"),
    "other columns": lambda tree: tree["settings.json"]["facts"]["columns"].reverse(),
    "no columns": lambda tree: tree["settings.json"]["facts"].update(columns=None, container=None),
    "more facts": lambda tree: tree["settings.json"]["facts"].update(more=1),
    "a budget below 0": lambda tree: tree["settings.json"]["facts"].update(epsilon=-1),
    "a ledger of anything": lambda tree: tree["settings.json"]["facts"].update(ledger=[{"step": "x"}], statement="x"),
    "huge networks": lambda tree: tree["weights.npz"]["state.json"]["training"].update(rnn_units=10**9),
    "many layers": lambda tree: tree["weights.npz"]["state.json"]["training"].update(n_layers=10**9),
    "no settings": lambda tree: tree["weights.npz"]["state.json"].update(training={}),
    "no weights": lambda tree: tree["weights.npz"]["state.json"].update(weights={}),
    "weights that are never read": lambda tree: tree["weights.npz"].update({"x.npy": np.zeros(3)}),
    "weights at odds with the tokenizer": lambda tree: tree["weights.npz"]["weights/prior_0.npy"].fill(0),
    "a history without columns": lambda tree: tree.update({"history.csv": b"a,b\n1,2\n"}),
    "a history with longer rows": lambda tree: tree.update({"history.csv": tree["history.csv"].replace(b"True", b"True,1")}),
    "no history": lambda tree: tree.pop("history.csv"),
    "no tokenizer": lambda tree: tree.pop("tokenizer.npz"),
}


@pytest.mark.parametrize("kind", FORGED)
def test_parts_that_do_not_fit_are_refused(kind, tree, tmp_path):
    """A file whose parts contradict each other is refused when it is loaded, not when it is used."""
    with pytest.raises(ModelFileError, match="inner/model"):
        load_changed(FORGED[kind], tree, tmp_path)


def test_exchanged_batches_are_refused(fitted_orders, tmp_path):
    """The models of batches cannot be exchanged."""
    fitted_orders.save(tmp_path / "model")
    tree = unpacked((tmp_path / "model").read_bytes())
    for name in ("settings.json", "tokenizer.npz", "weights.npz"):
        changed = Tree(tree)
        for here, there in ((0, 1), (1, 0)):
            changed[f"batch_{here}/{name}"] = tree[f"batch_{there}/{name}"]
        (tmp_path / "model").write_bytes(packed(changed))
        with pytest.raises(ModelFileError, match="batch_0"):
            BatchLSTMSynthesizer.load(tmp_path / "model")


def test_an_archive_of_many_members_is_read_in_time(tmp_path):
    """Tens of thousands of members, none of which is wanted, are no trouble."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number in range(20_000):
            archive.writestr(f"{number}", b"")
    with pytest.raises(ModelFileError, match=r"expected a model file with format\.json"):
        load_bytes(file.getvalue(), tmp_path)


@pytest.mark.skipif(os.name != "posix", reason="links and modes of Unix")
def test_a_path_stays_what_it_is(fitted_small, tmp_path):
    """A link stays a link whose target is written, a file keeps its mode, a pipe gets the content."""
    (tmp_path / "target").touch(mode=0o600)
    os.symlink(tmp_path / "target", tmp_path / "link")
    fitted_small.save(tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert 0o600 == (tmp_path / "target").stat().st_mode & 0o777
    expected = (tmp_path / "target").read_bytes()
    assert BatchLSTMSynthesizer.load(tmp_path / "target").columns_ == fitted_small.columns_

    os.mkfifo(tmp_path / "pipe")
    with ThreadPoolExecutor(1) as reader:
        read = reader.submit((tmp_path / "pipe").read_bytes)
        fitted_small.save(tmp_path / "pipe")
        assert expected == read.result(timeout=60)
    assert (tmp_path / "pipe").is_fifo()
    assert {"link", "pipe", "target"} == set(os.listdir(tmp_path))


def test_threads_save_to_one_path(fitted_small, tmp_path):
    """Eight threads that save to one path leave one whole file and nothing else."""
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(fitted_small.save, [tmp_path / "model"] * 24))
    assert ["model"] == os.listdir(tmp_path)
    assert BatchLSTMSynthesizer.load(tmp_path / "model").columns_ == fitted_small.columns_


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid(), reason="only root gives files to others")
def test_a_file_keeps_its_owner(fitted_small, tmp_path):
    """A file that is replaced stays that of the user and group whose it is."""
    (tmp_path / "model").touch(mode=0o640)
    os.chown(tmp_path / "model", 12345, 54321)
    fitted_small.save(tmp_path / "model")
    found = (tmp_path / "model").stat()
    assert (12345, 54321, 0o640) == (found.st_uid, found.st_gid, found.st_mode & 0o777)
