"""
Batches on a Dask cluster
=========================

Batches of columns are trained in parallel by joblib, and joblib can hand them to the workers of a Dask cluster. The models are
the same to the bit, wherever they were trained. It needs the extra ``sksynth[distributed]``.
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
def fit_on_cluster():
    """Return a synthesizer whose batches were trained by the workers of a cluster, and where these were."""
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, silence_logs=logging.ERROR, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        with joblib.parallel_config(backend="dask"):
            return clone(synthesizer).fit(adult), list(client.scheduler_info()["workers"])


# %%
# Workers are new processes, which import this script where it is run as one: hence the condition.
if __name__ == "__main__":
    remote, workers = fit_on_cluster()
    print(f"{len(remote.batches_)} batches on {workers}")
    here = clone(synthesizer).set_params(n_jobs=None).fit(adult)
    assert remote.sample(100, random_state=0).equals(here.sample(100, random_state=0))
    HistoryDisplay.from_estimator(remote)
    plt.show()
