"""Promises of training on token ids in a memory map: the same rows, the same weights, little of it in memory."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sksynth import _memory_map, core
from sksynth._grammar import Grammar, Run, Slot, compile_slots
from sksynth._memory_map import in_blocks, let_go, written
from sksynth.core import _rows, _training
from sksynth.core._layout import Layout
from sksynth.core._rows import rows_of, subsets

LINE = Run((Slot("line", np.array([[1, 0, 0], [1, -1, -1]], np.int16), repeat=12),))  # token 0 ends the line
GRAMMARS = {
    "lines": Grammar((LINE,)),
    "a table": Grammar((compile_slots(["city"], [14], lambda *_: 0), compile_slots(["size"], [3], lambda *_: 0))),
    "a table with text": Grammar((compile_slots(["city"], [14], lambda *_: 0), LINE)),
}
SETTINGS = core.Settings(
    embedding_dim=4, rnn_units=4, n_layers=1, dropout=0.1, averaging=1.0, context=0.5, epochs=3, batch_size=32,
    learning_rate=0.03, validation_fraction=0.4, monitor="val_loss", patience=None, min_delta=0.0,
    steps_per_execution=2, loops="graph",
)  # fmt: skip


def made_ids(grammar, n_rows, seed=0):
    """Return ids of a grammar of this file, lines of 0 to 11 tokens."""
    rng, lengths = np.random.default_rng(seed), np.random.default_rng(seed).integers(0, 12, n_rows)
    line = np.where(np.arange(12) < lengths[:, None], rng.integers(1, 3, (n_rows, 12)), 0)
    city, size = rng.integers(0, 14, (n_rows, 1)), rng.integers(0, 3, (n_rows, 1))
    parts = {"lines": [line], "a table": [city, size], "a table with text": [city, line]}
    (name,) = (name for name, other in GRAMMARS.items() if other is grammar)
    return np.concatenate(parts[name], axis=1).astype(np.int32)


@pytest.fixture
def mapped(tmp_path):
    """Return a function that puts ids on disk."""
    return lambda ids, dtype=np.uint16: written(tmp_path / "ids", np.array_split(ids, 7), dtype)


@pytest.fixture
def small_blocks(monkeypatch):
    """Read memory maps in blocks of 50 rows."""
    monkeypatch.setattr(_memory_map, "BLOCK_ROWS", 50)


@settings(deadline=None)
@given(n_rows=st.integers(1, 40), sizes=st.lists(st.integers(0, 5), max_size=5), dtype=st.sampled_from([np.uint16, np.int32]))
def test_what_is_written_is_read(tmp_path_factory, n_rows, sizes, dtype):
    """Arrays that are written one after the other are read as one, also in blocks, and after their memory was freed."""
    parts = [np.arange(3 * n).reshape(n, 3) + n for n in [n_rows, *sizes]]
    ids = written(tmp_path_factory.mktemp("map") / "ids", parts, dtype)

    assert (ids.dtype, ids.tolist()) == (dtype, np.concatenate(parts).tolist())
    let_go(ids)
    assert np.concatenate(list(in_blocks(ids))).tolist() == np.concatenate(parts).tolist()


def test_changes_in_memory_are_not_lost(tmp_path):
    """Memory is freed of maps that are there to read, and of no other, which may hold what is nowhere else."""
    written(tmp_path / "ids", [np.arange(6).reshape(2, 3)], np.int32)
    changed = np.memmap(tmp_path / "ids", np.int32, "c", shape=(2, 3))
    changed[0] = 9
    let_go(changed)
    assert changed.tolist() == [[9, 9, 9], [3, 4, 5]]


@pytest.mark.parametrize("name", GRAMMARS)
def test_mapped_rows_are_the_rows(name, mapped, small_blocks):
    """Rows, lengths and priors of mapped ids are those of the same ids in memory, whichever rows are taken."""
    ids, layout = made_ids(GRAMMARS[name], 230), Layout(GRAMMARS[name])
    some = np.random.default_rng(0).permutation(230)[:170]
    whole, part = rows_of(layout, ids), subsets(rows_of(layout, mapped(ids)), some)[0]

    assert (part.shape, part.dtype) == (whole[some].shape, whole.dtype)
    for index in (slice(20, 90), np.array([5, 5, 169]), np.array([], int)):
        np.testing.assert_array_equal(part[index], whole[some][index])
    np.testing.assert_array_equal(layout.lengths(part), layout.lengths(whole)[some])
    for table, same in zip(layout.priors(part), layout.priors(whole[some]), strict=True):
        assert table.tobytes() == same.tobytes()


@pytest.mark.parametrize("name", GRAMMARS)
def test_training_on_a_memory_map_gives_the_same_weights(name, mapped, small_blocks):
    """Weights and history are those of the same ids in memory, to the bit, also where some of the columns are left out."""
    ids = made_ids(GRAMMARS[name], 1600)
    with_free = np.concatenate([ids, np.full((1600, 2), 2**30 - 1)], axis=1)
    sources = [ids, mapped(with_free, np.int32)[:, : ids.shape[1]]]

    (weights, history), (same, again) = (trained(GRAMMARS[name], source) for source in sources)

    assert all(weights[part].tobytes() == same[part].tobytes() for part in weights)
    assert [record | {"seconds": 0} for record in history] == [record | {"seconds": 0} for record in again]


def trained(grammar, ids):
    """Return weights and history."""
    run = core.Run()
    return core.train(grammar, ids, SETTINGS, np.random.SeedSequence(0), run), run.records


def test_few_rows_are_in_memory(mapped, small_blocks, monkeypatch):
    """Of a memory map, training and validation never ask for more rows than a block, a step or a chunk of scores has."""
    asked, original = [], _rows.MappedRows.__getitem__

    def counting(self, index):
        rows = original(self, index)
        asked.append(len(rows))
        return rows

    monkeypatch.setattr(_rows.MappedRows, "__getitem__", counting)
    trained(GRAMMARS["lines"], mapped(made_ids(GRAMMARS["lines"], 4000)))

    assert set(asked) == {50, 32, _training.SCORING_ROWS}
    assert sum(asked) > 3 * 4000


def test_private_training_reads_a_memory_map(mapped):
    """Private training takes mapped ids too."""
    grammar, ids = GRAMMARS["a table"], made_ids(GRAMMARS["a table"], 100)
    mechanism, run = core.Mechanism(0.5, 1.0, 1.0, 4, 50.0), core.Run()
    spent = [(2, 1.0, 1e-6), (4, 2.0, 1e-6)]
    weights = core.train_privately(
        grammar, mapped(ids), replace(SETTINGS, context=0.0), mechanism, ids[:0], np.random.SeedSequence(0), spent, run
    )  # fmt: skip
    assert [len(run.records), run.n_steps] == [2, 4]
    assert all(np.isfinite(value).all() for value in weights.values())
