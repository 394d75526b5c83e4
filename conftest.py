"""What holds for all tests, those in docstrings too."""

import pytest
from threadpoolctl import threadpool_limits


@pytest.fixture(scope="session", autouse=True)
def one_thread_of_openmp():
    """Keep boosting to one thread: where workers of pytest share the cores, its threads mostly wait for each other."""
    import sklearn.ensemble  # noqa: F401  it loads OpenMP

    with threadpool_limits(1, user_api="openmp"):
        yield
