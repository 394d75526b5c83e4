"""Thousands of damaged and forged model files: each is read as what it says, or refused by a `ModelFileError`."""

import copy
import io
import json
import random
import zipfile
from collections import Counter

import numpy as np
import pytest

from sksynth.persistence import ModelFileError

ODD = [None, True, False, 0, -1, 1, 2, 7, 10**6, 2**31, 2**63, 10**30, 0.5, -1e308, 1e-320, float("nan"), float("inf")]
ODD += ["", "x", "nan", "\ud800", "a" * 300, "../../etc", "Europe", "os.system", "private", "xla", "D", "ns", "Q"]
ODD += [[], [1], [[]], {}, "object", "int8", "a5", "i4,i4", "category[str]", "float64", "Int64", "string", "datetime64[ns]"]
ODD += [
    "timedelta64[s]",
    "str",
    "|i1",
    "<f8",
    "<M8[s]",
    "|O",
    "<U0",
    "LSTMTextModel",
    "TableTokenizer",
    "ColumnClusterer",
    "category",
    "text",
    "number",
]
ODD += [
    {"array": "x"}, {"array": []}, {"tuple": [1]}, {"tuple": [[1]]}, {"special": "nan"}, {"special": "inf"}, {"list": [1]},
    {"timestamp": ["2020-01-01", "s", None]}, {"timestamp": ["2020-01-01T00:00:00", "s", "Europe"]}, {"timedelta": [5, "H"]},
    {"estimator": "TableTokenizer", "params": {}}, {"estimator": "LSTMTextModel", "params": {}}, {"schema": []},
]  # fmt: skip
DTYPES = ["bool", "int8", "uint8", "int64", "uint64", "f2", "float32", "float64", "longdouble", ">f4", "c8", "U3", "M8[s]"]
HEADERS = [
    ("(", "(10**9, "), ("(", "(-1, "), ("(", "(1000000000000, "), ("False", "True"), ("<", ">"), ("<f4", "|O"),
    ("f4", "f4,i4"), ("'shape'", "'x'"), ("}", ""), ("(", "__import__('os').getcwd() or ("), ("<i8", "a8"), ("8", "8L"),
]  # fmt: skip


class Tree(dict):
    """An archive by its members: archives within it are trees, JSON is its value, arrays are arrays, the rest bytes."""


def unpacked(data):
    """Return the tree of a model file."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return Tree({name: _value(name, archive.read(name)) for name in archive.namelist()})


def _value(name, content):
    if name.endswith(".npz"):
        return unpacked(content)
    if name.endswith(".json"):
        return json.loads(content)
    return np.load(io.BytesIO(content)) if name.endswith(".npy") else content


def packed(tree):
    """Return the file of a tree, all checksums right."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, value in tree.items():
            archive.writestr(name, _content(value))
    return file.getvalue()


def _content(value):
    if isinstance(value, bytes):
        return value
    if isinstance(value, Tree):
        return packed(value)
    if not isinstance(value, np.ndarray):
        return json.dumps(value).encode()
    file = io.BytesIO()
    np.lib.format.write_array(file, value)
    return file.getvalue()


def mutated(tree, rng):
    """Return the bytes of a file in which one or two things are other than in the tree."""
    tree = copy.deepcopy(tree)
    for _ in range(rng.choice([1, 1, 2])):
        rng.choice([change_json, change_json, change_json, change_array, change_array, change_member, change_bytes])(tree, rng)
    data = packed(tree)
    return damaged(data, rng) if rng.random() < 0.15 else data


def damaged(data, rng):
    """Return bytes with some flipped, inserted, removed, repeated, or cut off."""
    way, at, n = rng.randrange(5), rng.randrange(len(data) + 1), rng.choice([1, 1, 2, 30])
    if rng.random() < 0.3:
        at = max(len(data) - rng.randrange(600), 0)  # in the directory of the archive
    noise = rng.randbytes(n)
    return [
        data[:at] + noise + data[at + n :],
        data[:at] + noise + data[at:],
        data[:at] + data[at + n :],
        data[:at] + data[at : at + n] + data[at:],
        data[:at],
    ][way]


def trees_in(tree):
    """Return the archives within one that have members."""
    return [value for value in tree.values() if isinstance(value, Tree) and value]


def members(tree, ending):
    """Return pairs of a tree and a name of all members whose names end so."""
    found = [(tree, name) for name in tree if name.endswith(ending)]
    return found + [pair for value in trees_in(tree) for pair in members(value, ending)]


def places(node):
    """Return pairs of a container and a key of all values within a JSON value."""
    inside = list(node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ())
    return [(node, key) for key, _ in inside] + [pair for _, value in inside for pair in places(value)]


def pick(pairs, rng):
    """Return one of some pairs, or nowhere."""
    return rng.choice(pairs) if pairs else ({"x": 0}, "x")


def change_json(tree, rng):
    """Change one value: remove or double it, give it another key, another type, another number, or another's place."""
    owner, name = pick(members(tree, ".json"), rng)
    everything = places({"all": owner[name]})  # without those that are bytes by now
    where, key = rng.choice(everything)
    other, other_key = rng.choice(everything)
    way, value = rng.randrange(7), where[key]
    if way == 0:
        del where[key]
    elif way == 1:
        where[key], other[other_key] = copy.deepcopy(other[other_key]), copy.deepcopy(value)
    elif way == 2 and isinstance(where, dict):
        where[rng.choice(["x", "array", "list", "kind", "low"])] = where.pop(key)
    elif way == 2:
        where.append(copy.deepcopy(value))
    elif way in (3, 4) and type(value) in (int, float):
        where[key] = rng.choice([value + 1, value - 1, -value, value * 2, value / 3, value * 10**9, str(value), 0])
    elif way == 3 and isinstance(value, str) and value:
        where[key] = rng.choice([value[:-1], value + value[-1], value.swapcase(), value[::-1]])
    else:
        where[key] = copy.deepcopy(rng.choice(ODD))
    if (where, key) == everything[0]:
        owner[name] = where.get("all")


def change_array(tree, rng):
    """Change an array: its dtype, its shape, a value, or what its header says."""
    owner, name = pick(members(tree, ".npy"), rng)
    value, way = owner[name], rng.randrange(6)
    if not isinstance(value, np.ndarray) or value.dtype.kind not in "biuf":
        return
    with np.errstate(all="ignore"):
        if way == 0:
            owner[name] = value.astype(rng.choice(DTYPES))
        elif way == 1:
            ways = [value[:-1], value[::-1], value.T, value[None], value.ravel(), np.concatenate([value, value])]
            owner[name] = rng.choice(ways) if value.ndim else value[None]
        elif way == 2 and value.size:
            kind = np.uint8 if value.dtype == bool else value.dtype
            owner[name] = value = np.array(value)
            value.view(kind).flat[rng.randrange(value.size)] = np.frombuffer(rng.randbytes(value.itemsize), kind)[0]
        elif way == 3 and value.size:
            owner[name] = value = np.array(value)
            value.flat[rng.randrange(value.size)] = rng.choice([0, 1, value.flat[rng.randrange(value.size)]])
        else:
            head, found, body = _content(value).partition(b"\n")
            old, new = rng.choice(HEADERS)
            head = head.replace(old.encode(), new.encode(), 1)
            if rng.random() < 0.7:
                head = head[:8] + (len(head) - 9).to_bytes(2, "little") + head[10:]  # the length is right
            owner[name] = head + found + body


def change_member(tree, rng):
    """Change what the archive holds: rename, remove or add a member, or exchange two."""
    owner = rng.choice([tree, tree, *trees_in(tree)])
    one, other = rng.choice(list(owner)), rng.choice(list(owner))
    way = rng.randrange(4)
    if way == 0:
        del owner[one]
    elif way == 1:
        owner[rng.choice(["/x", "../x", "a\\b", "C:x", "x.npy", other, one.upper(), "batch_0/x", "x" * 300])] = owner.pop(one)
    elif way == 2:
        owner[rng.choice(["x.npy", "x", "batch_9/settings.json", "état"])] = copy.deepcopy(owner[other])
    else:
        alike = [name for name in owner if name.rpartition("/")[2] == one.rpartition("/")[2]]
        other = rng.choice(alike)
        owner[one], owner[other] = owner[other], owner[one]


def change_bytes(tree, rng):
    """Damage the content of one member, the checksum of the archive around it right."""
    owner = rng.choice([tree, tree, *trees_in(tree)])
    name = rng.choice(list(owner))
    owner[name] = damaged(_content(owner[name]), rng)


def fate(cls, data, path, samples):
    """Return what becomes of a file, in a word; samples are drawn from some of those that are read."""
    path.write_bytes(data)
    try:
        estimator = cls.load(path)
    except ModelFileError as error:
        assert str(path) in str(error)
        assert len(str(error)) < 2000
        return "refused"
    if not samples:
        return "read"
    try:
        assert len(estimator.sample(3, random_state=0)) == 3
    except ValueError:
        return "not sampled"
    return "sampled"


@pytest.fixture(scope="module")
def files(fitted_orders, tmp_path_factory):
    """Return a class, the bytes of its file and their tree: of a synthesizer, and of the models of its batches."""
    path = tmp_path_factory.mktemp("files") / "model"
    triples = []
    for estimator in [fitted_orders, *fitted_orders.models_]:
        estimator.save(path)
        triples.append((type(estimator), path.read_bytes(), unpacked(path.read_bytes())))
    return triples


@pytest.mark.parametrize("part", range(4), ids=["synthesizer", "batch 0", "batch 1", "batch 2"])
def test_a_forged_file_is_read_or_refused(files, part, tmp_path):
    """Whatever is changed behind right checksums, a file is refused as such or gives an estimator that samples."""
    (cls, _, tree), rng = files[part], random.Random(part)
    fates = Counter(
        fate(cls, mutated(tree, rng), tmp_path / "model", samples=number % 4 == 0)
        for number in range(200 if part == 0 else 500)
    )
    assert fates["refused"] > fates.total() / 2
    assert fates["read"] > 0 < fates["sampled"]
    assert ["model"] == [entry.name for entry in tmp_path.iterdir()]


def test_a_damaged_file_is_read_or_refused(files, tmp_path):
    """Whatever bytes are flipped, inserted, removed or cut off, a file is refused as such or read as it was."""
    (cls, data, _), rng = files[0], random.Random(0)
    fates = Counter(fate(cls, damaged(data, rng), tmp_path / "model", samples=number < 50) for number in range(1500))
    assert fates["refused"] > 1000
    assert fates["not sampled"] == 0
