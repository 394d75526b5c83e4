"""Promises of the engine: compiled networks are kept, few of them, and lent to one user at a time."""

import gc
from collections import OrderedDict
from functools import lru_cache

import numpy as np
import pytest
import tensorflow as tf

from sksynth import LSTMTextModel
from sksynth.core import _compiled, _engine, _scoring
from sksynth.tokenizers import CharTokenizer


@pytest.fixture
def engine(monkeypatch):
    """Return the engine with room for three networks, which are mere objects."""
    monkeypatch.setattr(_engine, "_IDLE", OrderedDict())
    monkeypatch.setattr(_engine, "_MAX_IDLE", 3)
    monkeypatch.setattr(_engine, "_compiled", lambda *key: [*key])
    return _engine


def lend(engine, key):
    """Lend and take back."""
    with engine.borrowed(key, 8, 1) as network:
        return network


def test_a_network_is_lent_to_one_at_a_time(engine):
    """Two loans at once are of two networks, also after a loan that failed; later loans are of the same two."""
    with pytest.raises(RuntimeError), engine.borrowed("a", 8, 1) as failed:
        raise RuntimeError

    with engine.borrowed("a", 8, 1) as first, engine.borrowed("a", 8, 1) as second:
        assert failed is first is not second
    with engine.borrowed("a", 8, 1) as third, engine.borrowed("a", 8, 1) as fourth, engine.borrowed("a", 8, 2) as other:
        assert {id(first), id(second)} == {id(third), id(fourth)}
        assert id(other) not in {id(first), id(second)}


def test_networks_kept_are_bounded(engine):
    """Of more networks than are kept, the one unused for longest is built anew; the others are not."""
    networks = {key: lend(engine, key) for key in "abc"}
    lend(engine, "a")
    lend(engine, "d")

    assert all(networks[key] is lend(engine, key) for key in "ac")
    assert networks["b"] is not lend(engine, "b")


def test_networks_kept_are_bounded_while_one_is_lent(engine):
    """A long loan does not disturb the bound: the lent network is not idle, and comes back."""
    lend(engine, "a")
    with engine.borrowed("a", 8, 1) as lent:
        for key in "bcdef":
            lend(engine, key)

    assert lent is lend(engine, "a")
    assert 3 == sum(map(len, engine._IDLE.values()))


@pytest.mark.parametrize("private", [False, True])
def test_a_shape_that_was_dropped_is_trained_again(monkeypatch, private):
    """When a network is gone for good, another of its shape is trained as it was, by functions that both share."""
    monkeypatch.setattr(_engine, "_IDLE", OrderedDict())
    monkeypatch.setattr(_engine, "_MAX_IDLE", 0)
    monkeypatch.setattr(_compiled, "_LIVING", {})  # as if a third network of the shape lived all the time
    for _ in range(2):
        model = fitted(5, noise_multiplier=1.0, delta=1e-3) if private else fitted(5)
        gc.collect()

    assert np.isfinite(model.score(["ab"]))


def fitted(units, **how):
    """Return a small model of lines."""
    how = how or {"validation_fraction": 0.0}
    model = LSTMTextModel(CharTokenizer(3, alphabet="ab"), rnn_units=units, embedding_dim=3, epochs=1, batch_size=8, **how)
    return model.fit(["ab", "ba", "a"] * 10)


def n_graphs():
    """Return the number of graphs of TensorFlow that live, those within others included."""
    gc.collect()
    return sum(isinstance(it, tf.Graph) for it in gc.get_objects())


@pytest.mark.parametrize("how", [{}, {"jit_compile": True}, {"noise_multiplier": 1.0, "delta": 1e-3}])
def test_fits_of_ever_new_shapes_leave_no_graph_behind(monkeypatch, how):
    """However many shapes are fitted and scored, no more is kept than of the last of them, however they are trained."""
    monkeypatch.setattr(_engine, "_IDLE", OrderedDict())
    monkeypatch.setattr(_engine, "_MAX_IDLE", 1)
    monkeypatch.setattr(_scoring, "_held", lru_cache(maxsize=1)(_scoring._held.__wrapped__))
    kept = []
    for units in (3, 4, 5):
        fitted(units, **how).score(["ab"])
        kept.append(n_graphs())

    assert kept[0] == kept[1] == kept[2]


def test_what_is_compiled_lives_as_long_as_somebody_holds_it():
    """All who hold what is compiled for a shape have the same function; it is gone with the last of them."""
    first, second, other = (_compiled.compiled_for(shape) for shape in ("shape", "shape", "other"))
    assert first is second is not other
    assert _compiled.traced("shape", len) is _compiled.traced("shape", len)
    assert _compiled.traced("shape", len) is not _compiled.traced("other", len)

    del first
    assert "shape" in _compiled._LIVING
    del second
    gc.collect()
    assert "shape" not in _compiled._LIVING
