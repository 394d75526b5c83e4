"""Fitted tokenizers, containers and clusterers as plain data: exact there and back, and nothing but ValueError on the way."""

import copy
import datetime
import io
import json
import pickle
import random
import re
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from test_tokenizers_table import COLUMNS

from sksynth import ColumnClusterer, fields
from sksynth._plain import from_plain, to_plain
from sksynth._private._schema import PRINTABLE
from sksynth._validation import Container
from sksynth.datasets import make_mixed
from sksynth.tokenizers import CharTokenizer, SentencePieceTokenizer, TableTokenizer

WORDS = ["", "a", "to be", "éß😀", "or not to be, that is", "\ud800"]
N = 60


def through_files(state):
    """Return a state that was written to JSON and to npz, and read again."""
    arrays, file = {}, io.BytesIO()
    text = json.dumps(without_arrays(state, arrays), allow_nan=False)
    np.savez(file, **arrays)
    file.seek(0)
    with np.load(file, allow_pickle=False) as read:
        return with_arrays(json.loads(text), dict(read))


def without_arrays(node, arrays):
    """Return a state in which every array is replaced by its name, under which it is put into `arrays`."""
    if isinstance(node, np.ndarray):
        name = f"array{len(arrays)}"
        assert node.dtype.kind in "biuf"
        arrays[name] = node
        return {"$": name}
    if isinstance(node, dict):
        assert all(type(key) is str for key in node)
        return {key: without_arrays(value, arrays) for key, value in node.items()}
    if isinstance(node, list):
        return [without_arrays(value, arrays) for value in node]
    assert node is None or type(node) in (bool, int, float, str)
    return node


def with_arrays(node, arrays):
    """Return the state from which `without_arrays` made `node`."""
    if isinstance(node, dict):
        return arrays[node["$"]] if "$" in node else {key: with_arrays(value, arrays) for key, value in node.items()}
    return [with_arrays(value, arrays) for value in node] if isinstance(node, list) else node


def assert_same(one, other):
    """Assert that two states, or parts of them, are the same to the bit."""
    assert type(one) is type(other)
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        one, other = list(one.values()), list(other.values())
    if isinstance(one, list):
        assert len(one) == len(other)
        for part, same in zip(one, other, strict=True):
            assert_same(part, same)
    elif isinstance(one, np.ndarray):
        assert (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    else:
        assert one == other


def assert_same_grammar(one, other):
    """Assert that two grammars allow and draw the same tokens in the same states."""
    for slot, same in zip(one.slots, other.slots, strict=True):
        assert (slot.name, slot.repeat) == (same.name, same.repeat)
        assert_same([slot.transitions, slot.unsampled], [same.transitions, same.unsampled])
    assert_same([one.slot_of_position, one.run_starts], [other.slot_of_position, other.run_starts])


def legal_rows(grammar, rng, n_rows=20):
    """Return rows of tokens that the grammar allows, whether they are ever sampled or not."""
    ids, state = np.zeros((n_rows, grammar.n_positions), np.int32), np.zeros(n_rows, int)
    for position, (slot, starts) in enumerate(zip(grammar.slot_of_position, grammar.run_starts, strict=True)):
        transitions = grammar.slots[slot].transitions
        state = np.zeros(n_rows, int) if starts else state
        ids[:, position] = [rng.choice(np.flatnonzero(row >= 0)) for row in transitions[state]]
        state = transitions[state, ids[:, position]]
    return ids


def assert_same_tokenizer(one, other, table):
    """Assert that two fitted tokenizers of tables behave alike to the bit."""
    assert repr(one.schema_) == repr(other.schema_)
    assert one.schema_ == other.schema_
    assert (one.columns_, one.n_free_, one.n_features_in_) == (other.columns_, other.n_free_, other.n_features_in_)
    assert hasattr(one, "feature_names_in_") == hasattr(other, "feature_names_in_")
    assert list(getattr(one, "feature_names_in_", [])) == list(getattr(other, "feature_names_in_", []))
    assert one.get_params() == other.get_params()
    assert_same_grammar(one.grammar_, other.grammar_)
    ids = one.encode(table)
    assert_same(ids, other.encode(table))
    drawn = [tokenizer.draw_free(range(3, 23), np.random.default_rng(0), 7) for tokenizer in (one, other)]
    assert_same(*drawn)
    sampled = np.concatenate([legal_rows(one.grammar_, np.random.default_rng(1)), drawn[0]], axis=1)
    for rows in (ids, sampled):
        frames = [tokenizer.decode(rows) for tokenizer in (one, other)]
        pd.testing.assert_frame_equal(*frames, check_column_type="exact")
        types, same = (list(map(type, frame.to_numpy(object).ravel())) for frame in frames)
        assert types == same
        assert_same(*(tokenizer.log_cell_size(rows) for tokenizer in (one, other)))


def again(tokenizer):
    """Return the tokenizer of the same class that is made from the files of this one's state."""
    return type(tokenizer).from_state(through_files(tokenizer.to_state()))


@pytest.mark.parametrize("kind", COLUMNS)
@settings(max_examples=8, deadline=None)
@given(data=st.data(), min_frequency=st.sampled_from([1, 3]))
def test_columns_of_every_dtype_come_back(kind, data, min_frequency):
    """A tokenizer made from a state encodes, decodes and draws as the one that wrote it, whatever the column's dtype."""
    table = data.draw(COLUMNS[kind]).to_frame("column")
    tokenizer = fit_quietly(table, min_frequency=min_frequency)
    assert_same_tokenizer(tokenizer, again(tokenizer), table)


def fit_quietly(table, **parameters):
    """Return a fitted tokenizer; that no value is frequent is no news here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return TableTokenizer(**parameters).fit(table)


@pytest.fixture(scope="module")
def mixed():
    """Return a tokenizer of a table of every kind of column, and the table."""
    table = make_mixed(400, random_state=0)
    return TableTokenizer().fit(table), table


def test_a_table_of_every_kind_comes_back(mixed):
    """All kinds of column in one table come back, in a state that is the same each time."""
    tokenizer, table = mixed
    assert_same_tokenizer(tokenizer, again(tokenizer), table)
    assert_same(tokenizer.to_state(), again(tokenizer).to_state())


def strange_columns():
    """Return columns that take ways of their own, each with the field that it has in the schema."""
    rng = np.random.default_rng(0)
    keys = pd.Series([f"K{i:04d}" for i in rng.permutation(N)])
    text = pd.Series(rng.choice(WORDS, N), dtype=object)
    return {
        "centuries": (pd.Series(np.array(["0800-01-01", "2000-05-05"] * (N // 2), "datetime64[s]")), fields.Datetime()),
        "years 1 to 9999": (
            pd.Series(pd.date_range("2020", periods=N, unit="s")),
            fields.Datetime("0001-01-01", "9999-12-31"),
        ),
        "nanoseconds": (pd.Series(pd.date_range("2020", periods=N, freq="17ms7ns")), fields.Datetime()),
        "local days": (pd.Series(pd.date_range("2020-03-01", periods=N, tz="Europe/Berlin")), fields.Datetime()),
        "written dates": (pd.Series(["01.02.2020", pd.NA] * (N // 2), dtype=object), fields.Datetime(format="%d.%m.%Y")),
        "fixed zone": (pd.Series(pd.date_range("2020", periods=N, freq="h", tz="UTC+01:00")), fields.Datetime()),
        "gaps": (pd.Series(np.repeat([1, 7, 10**6, 10**18], N // 4)), fields.Number()),
        "large": (pd.Series(rng.uniform(-1, 1, N) * 1.7e308), fields.Number(precision="continuous")),
        "durations": (pd.Series(pd.to_timedelta(rng.integers(0, 10**6, N), unit="s")), fields.Number()),
        "object numbers": (pd.Series([1, pd.NA, 2] * (N // 3), dtype=object), fields.Number()),
        "keys": (keys, fields.Identifier()),
        "keys with gaps": (keys.astype(object).where(keys.index % 3 > 0, None), fields.Identifier(dtype="string[python]")),
        "no keys": (pd.Series([None] * N, dtype=object), fields.Identifier("[0-9]{3}")),
        "wide keys": (keys + "-0123456789abcdef0123456789", fields.Identifier()),
        "whole keys": (pd.Series(rng.permutation(N)), fields.Identifier()),
        "Int16 keys": (pd.Series(rng.permutation(N), dtype="Int16").where(rng.uniform(size=N) < 0.8), fields.Identifier()),
        "float keys": (pd.Series(rng.permutation(N) * 1.0).where(rng.uniform(size=N) < 0.8), fields.Identifier()),
        "signed keys": (pd.Series(rng.permutation(N) - 30), fields.Identifier("-?[0-9]{1,3}")),
        "text": (text.where(text != "", pd.NA), fields.Text()),
        "levels of text": (pd.Series(pd.Categorical(["b", "a", None] * (N // 3))), fields.Text()),
        "no text": (pd.Series([pd.NaT] * N, dtype=object), fields.Text()),
        "cut text": (pd.Series(["short", "far too long"] * (N // 2), dtype="string"), fields.Text(6, alphabet="short")),
        "labelled": (pd.Series([*"ab" * 29, "c", "d"]), fields.Category(["a", "b"], other="rest", extensible=True)),
        "ordered": (pd.Series(pd.Categorical([3, 1, None] * (N // 3), [3, 2, 1], ordered=True)), fields.Category()),
        "infinite": (pd.Series(["a"] * N, dtype=object), fields.Category(["a", np.inf, 1, True, 1.0])),
        "str in Python": (pd.Series([*"ab" * 30], dtype="str"), fields.Category()),
        "nothing": (pd.Series([pd.NaT] * N, dtype=object), fields.Category()),
        "no number": (pd.Series([np.nan] * N), fields.Number()),
        "no date": (pd.Series([pd.NaT] * N).astype("datetime64[s]"), fields.Datetime()),
    }


@pytest.mark.parametrize("name", strange_columns())
def test_columns_that_take_ways_of_their_own_come_back(name):
    """Bounds, formats, patterns, markers of missing cells, and columns without values come back."""
    column, field = strange_columns()[name]
    table = column.to_frame(name)
    tokenizer = TableTokenizer({name: field}).fit(table)
    assert_same_tokenizer(tokenizer, again(tokenizer), table)


def test_free_digits_do_not_depend_on_what_was_drawn_before():
    """A tokenizer that drew many identifiers writes the state that it wrote before."""
    tokenizer = TableTokenizer().fit(make_mixed(60, random_state=0)[["order"]])
    before = tokenizer.to_state()
    tokenizer.draw_free(range(100), np.random.default_rng(0), 1)
    assert_same(before, tokenizer.to_state())


NAMES = {
    "str": pd.Index(["b", "a"]),
    "object": pd.Index(["b", 1], dtype=object, name="n"),
    "objects of one type": pd.Index(["b", "a"], dtype=object, name=("x", 1)),
    "nullable strings": pd.Index(["b", "a"], dtype="string", name=1.5),
    "range": pd.RangeIndex(3, 9, 3, name="steps"),
    "int64": pd.Index([7, -3]),
    "uint8": pd.Index([7, 3], dtype="uint8"),
    "float": pd.Index([0.1, np.inf]),
    "bool": pd.Index([True, False]),
    "tuples": pd.Index([("a", 1), ("b", None)], tupleize_cols=False),
    "dates": pd.DatetimeIndex(["2020-01-01", "2021-01-01"], name=pd.Timestamp("2020-01-01")),
    "dates with zone": pd.DatetimeIndex(["2020-10-24", "2020-10-26"], tz="Europe/Berlin").as_unit("s"),
    "durations": pd.to_timedelta([1, 2], unit="h"),
    "dates of Python": pd.Index([datetime.date(2020, 1, 1), datetime.datetime(2020, 1, 1, 12, 30)], dtype=object),
    "missing": pd.Index([np.nan, None], dtype=object),
    "categories": pd.CategoricalIndex(["b", "a"], categories=["c", "b", "a"], ordered=True, name="levels"),
    "categories of int": pd.CategoricalIndex([2, 1]),
}


@pytest.mark.parametrize("kind", NAMES)
def test_names_of_columns_come_back(kind):
    """The names of columns keep their types, and the index of names its class, dtype and name."""
    table = pd.DataFrame({0: [1, 2, 3] * 5, 1: list("abc") * 5}).set_axis(NAMES[kind], axis=1)
    assert_same_names(table.columns, Container.from_state(through_files(Container.of(table).to_state())).columns)
    if kind != "missing":  # no cell of such a column can be found by its name
        tokenizer = TableTokenizer(min_frequency=1).fit(table)
        assert_same_tokenizer(tokenizer, again(tokenizer), table)
        clusterer = ColumnClusterer().fit(table)
        assert_same_names(table.columns, clusterer_again(clusterer).association_.columns)


def assert_same_names(one, other):
    """Assert that two indices are the same, types of their labels included."""
    pd.testing.assert_index_equal(one, other, exact=True)
    assert list(map(type, one)) == list(map(type, other))
    assert repr(one.name) == repr(other.name)


@pytest.mark.parametrize("X", [np.arange(24.0).reshape(8, 3), [[1, "a"], [2, "b"]] * 4, np.array([["a", "b"]] * 6)])
def test_tables_without_names_come_back(X):
    """Arrays and lists, whose columns are numbered, come back."""
    tokenizer = TableTokenizer(min_frequency=1).fit(X)
    assert_same_tokenizer(tokenizer, again(tokenizer), X)


SCHEMAS = [
    None,
    {},
    {"size": fields.Number(0, precision="continuous")},
    fields.Schema(
        {"colour": fields.Category(["red", "blue"], other="rest", nullable=True), "size": fields.Number(0, 9, n_folded=0)}
    ),
]


@pytest.mark.parametrize("schema", SCHEMAS)
def test_parameters_come_back(schema):
    """What the user said of the columns comes back, what is not said included, and a clone can be fitted."""
    table = pd.DataFrame({"colour": ["red", "blue"] * 8, "size": np.arange(16.0) / 2})
    tokenizer = TableTokenizer(schema, min_frequency=np.int64(2)).fit(table)
    rebuilt = again(tokenizer)
    assert_same_tokenizer(tokenizer, rebuilt, table)
    assert_same_tokenizer(tokenizer, clone(rebuilt).fit(table), table)
    assert_same_tokenizer(tokenizer, pickle.loads(pickle.dumps(rebuilt)), table)


def test_what_was_admitted_comes_back():
    """A tokenizer that grew comes back as it has become."""
    table = pd.DataFrame({"colour": ["red", "blue"] * 8, "key": [f"K{i:03d}" for i in range(16)]})
    schema = {"colour": fields.Category(["red", "blue"], extensible=True), "key": fields.Identifier()}
    more = table.assign(colour="green", key=[f"K{i:03d}" for i in range(16, 32)])
    tokenizer = TableTokenizer(schema).fit(table).admit(more)
    assert "green" in tokenizer.schema_["colour"].categories
    assert_same_tokenizer(tokenizer, again(tokenizer), pd.concat([table, more]))


@settings(max_examples=50, deadline=None)
@given(
    lines=st.lists(st.text(max_size=9) | st.sampled_from(WORDS), min_size=1, max_size=20),
    max_length=st.none() | st.integers(1, 12),
    alphabet=st.none() | st.text(min_size=1, max_size=5),
    min_frequency=st.integers(1, 3),
)
def test_tokenizers_of_lines_come_back(lines, max_length, alphabet, min_frequency):
    """A tokenizer of lines comes back with its alphabet, its length and its parameters."""
    tokenizer = CharTokenizer(max_length, alphabet=alphabet, min_frequency=min_frequency).fit(lines)
    rebuilt = again(tokenizer)
    assert tokenizer.get_params() == rebuilt.get_params()
    assert (tokenizer.vocabulary_, tokenizer.n_cut_, tokenizer.n_free_) == (rebuilt.vocabulary_, rebuilt.n_cut_, 0)
    assert_same_grammar(tokenizer.grammar_, rebuilt.grammar_)
    ids = tokenizer.encode(lines)
    assert_same(ids, rebuilt.encode(lines))
    assert_same(tokenizer.decode(ids), rebuilt.decode(ids))
    assert_same(tokenizer.to_state(), rebuilt.to_state())


@pytest.mark.parametrize("tokenizer", [TableTokenizer(), CharTokenizer(), SentencePieceTokenizer()])
def test_an_unfitted_tokenizer_has_no_state(tokenizer):
    """What was not fitted writes no state."""
    with pytest.raises(NotFittedError):
        tokenizer.to_state()


def test_a_name_that_no_state_can_hold_is_named():
    """A column whose name is of a strange type is refused with the name and what to do."""
    table = pd.DataFrame({pd.Interval(0, 1): [1, 2] * 8})
    with pytest.raises(TypeError, match=r"Interval\(0, 1.* rename the column"):
        TableTokenizer().fit(table).to_state()


ARRAYS = [np.zeros((2, 1), dtype) for dtype in ("bool", "int8", "uint64", "float16", "float64", "O", "U3", "M8[s]", "m8[ns]")]


@pytest.mark.parametrize("X", [pd.DataFrame({"a": [1]}), [[1]], *ARRAYS], ids=lambda X: str(getattr(X, "dtype", type(X))))
def test_containers_come_back(X):
    """How a table came in comes back: as a frame of some names, as lists, or as an array of some dtype."""
    container = Container.of(X)
    rebuilt = Container.from_state(through_files(container.to_state()))
    assert container.dtype == rebuilt.dtype
    assert (container.columns is None) == (rebuilt.columns is None)


def clusterer_again(clusterer):
    """Return the clusterer that is made from the files of this one's state."""
    return ColumnClusterer._from_state(through_files(clusterer._to_state()))


CLUSTERERS = {
    "few columns": ColumnClusterer(),
    "many columns": ColumnClusterer(5, method="complete", random_state=np.int64(3)),
    "own batches": ColumnClusterer(batches=[("status", "order"), make_mixed(1).columns.drop(["status", "order"]).tolist()]),
    "text": ColumnClusterer(4, isolate_text=False, random_state=np.random.RandomState(0)),
}


@pytest.mark.parametrize("kind", CLUSTERERS)
def test_clusterers_come_back(kind):
    """A clusterer comes back with its batches, its tree and its parameters; a generator of random numbers is not kept."""
    table = make_mixed(200, random_state=0)
    assert_same_clusterer(clone(CLUSTERERS[kind]).fit(table), table)
    if kind != "own batches":
        assert_same_clusterer(clone(CLUSTERERS[kind]).fit(table.to_numpy()), table.to_numpy())


def assert_same_clusterer(clusterer, X):
    """Assert that a clusterer and the one that is made from its state are alike."""
    rebuilt = clusterer_again(clusterer)
    assert set(vars(clusterer)) == set(vars(rebuilt))
    for name in ("batches_", "columns_", "n_features_in_", "_has_names", "max_columns", "method", "isolate_text"):
        assert getattr(clusterer, name) == getattr(rebuilt, name)
    assert_same([clusterer.labels_, clusterer._order], [rebuilt.labels_, rebuilt._order])
    if hasattr(clusterer, "association_"):
        pd.testing.assert_frame_equal(clusterer.association_, rebuilt.association_, check_column_type="exact")
        assert_same(clusterer.linkage_, rebuilt.linkage_)
    assert_same(list(clusterer.get_feature_names_out()), list(rebuilt.get_feature_names_out()))
    pd.testing.assert_frame_equal(pd.DataFrame(clusterer.transform(X)), pd.DataFrame(rebuilt.transform(X)))
    assert_same(clusterer._to_state(), rebuilt._to_state())


def test_what_a_private_clusterer_spent_comes_back():
    """A clusterer that measured with noise comes back with the event that it spent; one column has no tree to speak of."""
    table = pd.DataFrame({"a": [True, False] * 8})
    clusterer = ColumnClusterer(noise_multiplier=2).fit(table)
    rebuilt = clusterer_again(clusterer)
    assert rebuilt.privacy_event_ == clusterer.privacy_event_
    assert rebuilt.linkage_.shape == (0, 4)


ODD = [None, True, False, 0, -1, 1, 2, 10**6, 10**9, 2**63, 10**400, 0.5, -1e308, "", "x", "nan", "object", "int8", "D", "ns"]
ODD += ["category[str]", "datetime64[ns, dateutil//etc/hosts]", "Nowhere/Land", "V10", "[0-9]{1000}[a-z]{2,1000}", [], [1], {}]
ODD += [
    {"tuple": [1]},
    {"timestamp": ["2020", "s", None]},
    {"timedelta": [2**70, "s"]},
    {"special": "nan"},
    {"special": "NaT"},
]
ODD += [np.zeros(0), np.zeros((2, 2)), np.arange(3), np.array(["a", None], object), np.array(1.0), np.full(3, np.nan)]


def places(node, place=()):
    """Return the places of all values of a state, as tuples of keys and positions."""
    inside = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    return [place] * bool(place) + [found for key, value in inside for found in places(value, (*place, key))]


def mutated(state, rng):
    """Return a copy of a state with one change at random."""
    state = copy.deepcopy(state)
    *above, last = rng.choice(places(state))
    parent = state
    for key in above:
        parent = parent[key]
    way, value = rng.randrange(6), parent[last]
    if way == 0:
        del parent[last]
    elif way == 1 and isinstance(parent, dict):
        parent[rng.choice(["x", "kind", "low", 1])] = value
    elif way == 2 and isinstance(parent, list):
        parent.append(copy.deepcopy(value))
    elif way <= 3 or not isinstance(value, np.ndarray | int | float) or isinstance(value, bool):
        parent[last] = copy.deepcopy(rng.choice(ODD))
    elif isinstance(value, np.ndarray):
        parent[last] = mutated_array(value, rng)
    else:
        parent[last] = rng.choice([value + 1, value - 1, -value, value * 2, value / 3, value * 10**9])
    return state


def mutated_array(value, rng):
    """Return another array: cut, of another shape or dtype, or with other numbers."""
    value = value.copy()
    way = rng.randrange(8)
    if way >= 3 and value.size:
        place = rng.randrange(value.size)
        value.flat[place] = value.flat[rng.randrange(value.size)] if way < 6 else rng.choice([0, 1, 2, 200])
        return value
    with np.errstate(all="ignore"):
        cast = value.astype(rng.choice(["int32", "float32", "bool", "O", "U3"]))
    return rng.choice([value[:-1], value[::-1], value.reshape(-1, 1), cast, np.concatenate([value, value]), value.view("u1")])


@pytest.fixture(scope="module")
def states(mixed):
    """Return pairs: what reads a state and writes it again, and a state."""
    codecs = ((lambda state: TableTokenizer.from_state(state).to_state()), [mixed[0].to_state()])
    for name, (column, field) in strange_columns().items():
        codecs[1].append(TableTokenizer({name: field}).fit(column.to_frame(name)).to_state())
    frames = [pd.DataFrame([[1, 2]]).set_axis(index, axis=1) for index in NAMES.values()]
    orders = make_mixed(60, random_state=0)
    clusterers = [clone(clusterer).fit(orders) for clusterer in CLUSTERERS.values()]
    return [
        codecs,
        ((lambda state: CharTokenizer.from_state(state).to_state()), [CharTokenizer().fit(WORDS).to_state()]),
        ((lambda state: Container.from_state(state).to_state()), [Container.of(X).to_state() for X in [*frames, *ARRAYS]]),
        ((lambda state: ColumnClusterer._from_state(state)._to_state()), [one._to_state() for one in clusterers]),
        ((lambda state: SentencePieceTokenizer.from_state(state).to_state()), pieces_states()),
    ]


def pieces_states():
    """Return states of tokenizers of pieces: learned with and without bytes, and of a given model."""
    learned = SentencePieceTokenizer(300, user_defined_symbols=["to be"]).fit(WORDS)
    model = learned.codec_.spelling.to_state()["model"].tobytes()
    others = [SentencePieceTokenizer(30, model_type="bpe", byte_fallback=False), SentencePieceTokenizer(model=model)]
    return [learned.to_state(), *(other.fit(WORDS).to_state() for other in others)]


@pytest.mark.parametrize("kind", range(5), ids=["tables", "lines", "containers", "clusterers", "pieces"])
def test_a_changed_state_is_read_or_refused(states, kind):
    """Whatever is changed in a state, it is read as what it says or refused by a ValueError; nothing else happens."""
    read, originals = states[kind]
    rng = random.Random(kind)
    n_refused = 0
    for i in range(500):
        state = mutated(originals[i % len(originals)], rng)
        try:
            read(state)
        except ValueError:
            n_refused += 1
    assert n_refused > 250


def refusal(change, column="age"):
    """Return the message with which a changed state of a table is refused; `change` gets the state of the column's codec."""
    table = make_mixed(200, random_state=0)[["order", "age", "birth_date", "comment"]]
    state = TableTokenizer({"comment": fields.Text(alphabet=PRINTABLE)}).fit(table).to_state()
    change(state, dict(zip(["order", "age", "birth_date", "comment"], state["codecs"], strict=True))[column])
    with pytest.raises(ValueError, match="the state of a TableTokenizer: ") as caught:
        TableTokenizer.from_state(state)
    return str(caught.value)


FAULTS = {
    r"the list of keys is \['cells'\], expected marker, cells": ("age", lambda table, codec: codec.pop("marker")),
    r"'marker' is 'x', expected one of None, nan, <NA>, NaT": ("age", lambda table, codec: codec.update(marker="x")),
    r"column 'age': 'n_parts' is .*, expected an array of int64, shape": (
        "age",
        lambda table, codec: codec["cells"].update(n_parts=np.zeros(0, np.int64)),
    ),
    r"column 'age': the row of cells is .*, expected ascending": (
        "age",
        lambda table, codec: codec["cells"]["top"].update(first=codec["cells"]["top"]["first"][::-1].copy()),
    ),
    r"column 'comment': 'length' is 1000000000, expected an int from 1 to 1000000": (
        "comment",
        lambda table, codec: codec.update(length=10**9),
    ),
    r"column 'comment': 'alphabet' is .*, expected code points below 0x110000": (
        "comment",
        lambda table, codec: codec.update(alphabet=np.array([97, 2**31], np.uint32)),
    ),
    r"column 'comment': 'alphabet' is .*, expected ascending code points": (
        "comment",
        lambda table, codec: codec.update(alphabet=np.array([97, 99, 98], np.uint32)),
    ),
    r"column 'comment': 'dtype' is 'V8', expected the name of a dtype": (
        "comment",
        lambda table, codec: codec["column"].update(dtype="V8"),
    ),
    r"column 'order': 'digest' is .*, expected ascending digests": (
        "order",
        lambda table, codec: codec.update(digest=codec["digest"][::-1].copy()),
    ),
    r"column 'order': the pattern is .*, expected one of values of at most 10000 characters": (
        "order",
        lambda table, codec: table["fields"][0].update(pattern="[0-9]{1000}" * 11),
    ),
    r"column 'order': the pattern is .*, expected one of fewer or smaller classes": (
        "order",
        lambda table, codec: table["fields"][0].update(pattern="[\x01-\U0010ffff]"),
    ),
    r"column 'birth_date': the range of the field is .*, expected low <= high": (
        "birth_date",
        lambda table, codec: table["fields"][2].update(resolution="D", low="2000-01-01 12:00", high="2000-01-01 13:00"),
    ),
    r"'fields' is .*, expected a field per column": ("age", lambda table, codec: table["fields"].pop()),
    r"the number of codecs is 3, expected 4": ("age", lambda table, codec: table["codecs"].pop()),
    r"column 'age': 'n_folded' is -1, expected an int of at least 0": (
        "age",
        lambda table, codec: table["fields"][1].update(n_folded=-1),
    ),
}


@pytest.mark.parametrize("message", FAULTS)
def test_a_refusal_says_what_is_wrong_and_where(message):
    """What is refused is named: the column, the key, what was got and what was expected."""
    column, change = FAULTS[message]
    assert re.search(message, refusal(change, column))


@settings(max_examples=100, deadline=None)
@given(
    value=st.floats()
    | st.datetimes().map(lambda time: time.replace(fold=0))
    | st.dates()
    | st.tuples(st.none() | st.integers(), st.tuples(st.text()))
)
def test_scalars_go_through_strict_json(value):
    """Floats that JSON has no word for, dates, and tuples within tuples come back, types included."""
    rebuilt = from_plain(json.loads(json.dumps(to_plain(value), allow_nan=False)))
    assert (type(rebuilt), repr(rebuilt)) == (type(value), repr(value))


@pytest.mark.parametrize(
    "plain", [{}, {"a": 1, "b": 2}, {"tuple": 1}, {"special": "x"}, {"timestamp": ["2020", "s", "dateutil//x"]}]
)
def test_what_is_no_scalar_is_refused(plain):
    """What no scalar is written as is refused, a time zone that is the name of a file included."""
    with pytest.raises(ValueError, match="expected"):
        from_plain(plain)
