"""Estimators that many tests look at, fitted once: tiny networks, because every new shape of table costs a compilation."""

import os
import signal

# TensorFlow, BLAS and boosting keep to one thread: where workers of pytest share the cores, more mostly wait for each other.
os.environ["OMP_NUM_THREADS"] = "1"

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, settings

from sksynth import BatchLSTMSynthesizer, ColumnClusterer, LSTMTextModel
from sksynth.datasets import make_mixed

N_ROWS = 240

# No property is timed: on a machine that is busy every example takes its time.
settings.register_profile("untimed", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")


def pytest_configure(config):
    """Run files in the order of their names: pytest-xdist would keep those of few tests for the end, which take longest."""
    config.option.loadscopereorder = False


@pytest.fixture(scope="session")
def template():
    """Return a function that makes a tiny model for a synthesizer to clone; parameters may be changed."""
    return lambda **parameters: LSTMTextModel(
        **{"embedding_dim": 4, "rnn_units": 4, "epochs": 1, "batch_size": 32, "validation_fraction": 0.0} | parameters
    )


@pytest.fixture(scope="session")
def synthesizer(template):
    """Return a function that makes an unfitted synthesizer of tiny models; parameters may be changed."""
    return lambda **parameters: BatchLSTMSynthesizer(**{"text_model": template(), "random_state": 0} | parameters)


@pytest.fixture(scope="session")
def orders():
    """Return a made table of every kind of column, with missing values; not to be changed."""
    return make_mixed(N_ROWS, random_state=0)


@pytest.fixture(scope="session")
def fitted_orders(orders, synthesizer, template):
    """Return a synthesizer that was fitted on `orders` in three batches, the last of text; not to be changed."""
    columns = list(orders.columns)
    clusterer = ColumnClusterer(batches=[columns[:10], columns[10:-1], columns[-1:]])
    return synthesizer(clusterer=clusterer, text_model=template(validation_fraction=0.2, epochs=2)).fit(orders)


@pytest.fixture(scope="session")
def small():
    """Return a table of three columns of few values, every one with missing cells; not to be changed."""
    rng = np.random.default_rng(0)
    n = 64
    table = pd.DataFrame(
        {
            "colour": pd.Series(rng.choice(["red", "red", "blue", None], n), dtype=object),
            "flag": pd.Series(rng.choice([True, False, None], n), dtype="boolean"),
            "count": pd.Series(rng.integers(0, 4, n), dtype="Int64").where(rng.uniform(size=n) < 0.9),
        }
    )
    table.loc[:1, "colour"] = "rare"
    return table


@pytest.fixture(scope="session")
def fitted_small(small, synthesizer):
    """Return a synthesizer that was fitted on `small` in two batches; not to be changed."""
    return synthesizer(clusterer=ColumnClusterer(batches=[["count", "colour"], ["flag"]])).fit(small)


@pytest.fixture
def sigint():
    """Have Ctrl-C raise KeyboardInterrupt, also where tests run in the background."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def few_valued():
    """Return a function that makes a table of columns of two values: all of one width share their compilation."""
    return lambda n_rows, names: pd.DataFrame({name: np.arange(n_rows) % 2 == i % 2 for i, name in enumerate(names)})


@pytest.fixture(scope="session")
def table(few_valued):
    """Return a table of four columns of two values; not to be changed."""
    return few_valued(64, list("abcd"))
