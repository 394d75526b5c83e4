"""
Batches on a Dask cluster
=========================

Batches of columns are trained at the same time, and portions of rows drawn, by the workers of a Dask cluster, where joblib is
told so. Models and rows are the same to the bit, wherever they were made. It needs the extra ``sksynth[distributed]``.
"""

import logging

import joblib
import matplotlib.pyplot as plt
from dask.distributed import Client, LocalCluster
from sklearn.base import clone

from sksynth import BatchLSTMSynthesizer, ColumnClusterer, LSTMTextModel
from sksynth.datasets import load_adult
from sksynth.evaluation import HistoryDisplay

adult = load_adult().head(1000)
synthesizer = BatchLSTMSynthesizer(ColumnClusterer(max_columns=8), LSTMTextModel(epochs=3), n_jobs=2, random_state=0)


# %%
# Here two workers of this machine stand for a cluster; ``Client("tcp://scheduler:8786")`` is another's. Workers of one thread
# each are best, as the networks start threads of their own.
def fit_and_sample():
    """Return a synthesizer whose batches the workers of a cluster trained, rows that they drew, and where they were."""
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, silence_logs=logging.ERROR, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        with joblib.parallel_config(backend="dask"):
            fitted = clone(synthesizer).fit(adult)
            return fitted, fitted.sample(50_000, random_state=0), list(client.scheduler_info()["workers"])


# %%
# Workers are new processes, which import this script where it is run as one: hence the condition.
if __name__ == "__main__":
    remote, rows, workers = fit_and_sample()
    print(f"{len(remote.batches_)} batches and {len(rows):,} rows on {workers}")
    here = clone(synthesizer).set_params(n_jobs=None).fit(adult)
    assert rows.equals(here.sample(50_000, random_state=0))
    HistoryDisplay.from_estimator(remote)
    plt.show()
