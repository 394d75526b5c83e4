"""Promises about fits and samples on the workers of a cluster, and about workers that die."""

import logging
import os
import pickle
import re
import signal
import tempfile
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from itertools import product
from pathlib import Path
from types import SimpleNamespace

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from sksynth import BatchLSTMSynthesizer, ColumnClusterer, LSTMTextModel
from sksynth._chain._drawing import Drawing
from sksynth._memory_map import written
from sksynth._training._parallel import Task, _run_light, light, run_jobs
from sksynth._training._watch import Board, Watch, shared_board
from sksynth._workers import TRIES, Call, Cluster, LostWorkerError, as_they_come, in_order, packed
from sksynth.tokenizers import TableTokenizer

HERE = Path(__file__).resolve().parent
BATCHES = [["a", "b"], ["c", "d"], ["e", "f"], ["g", "h"]]
EPOCHS = 3
N_SAMPLES = 40_000  # so many that workers draw: more than are drawn together

pytestmark = pytest.mark.distributed
posix = pytest.mark.skipif(os.name != "posix", reason="kills processes")


@pytest.fixture(scope="module")
def table():
    """Return a table whose batches have two shapes of networks, to compile few; not to be changed."""
    rows = np.array([[*row, *row] for row in product("uvw", repeat=4)])
    return pd.DataFrame(rows, columns=list("abefcdgh"))[list("abcdefgh")]


@pytest.fixture(scope="module")
def make():
    """Return a function that makes an unfitted synthesizer of four batches."""
    model = LSTMTextModel(embedding_dim=4, rnn_units=4, epochs=EPOCHS, batch_size=27, early_stopping=False)
    own = {"clusterer": ColumnClusterer(batches=BATCHES), "text_model": model, "random_state": 0, "n_jobs": 2}
    return lambda **parameters: BatchLSTMSynthesizer(**own | parameters)


@pytest.fixture(scope="module")
def here(make, table):
    """Return a synthesizer that was fitted in this process, batch after batch; not to be changed."""
    return make(n_jobs=None).fit(table)


@pytest.fixture(scope="module")
def sample(here):
    """Return what it samples."""
    return here.sample(N_SAMPLES, random_state=0)


@pytest.fixture(scope="module")
def dask():
    """Start a Dask cluster of two worker processes for the module; return its client."""
    distributed = pytest.importorskip("distributed", reason="needs the extra 'distributed'")
    options = {"threads_per_worker": 1, "silence_logs": logging.CRITICAL, "dashboard_address": ":0"}
    with distributed.LocalCluster(n_workers=2, **options) as cluster, distributed.Client(cluster) as client:
        yield client


@pytest.fixture(scope="module")
def ray():
    """Start a Ray of two workers for the module."""
    ray = pytest.importorskip("ray", reason="needs the extra 'distributed'")
    from ray.util.joblib import register_ray

    register_ray()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join([str(HERE), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]))
        ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level=logging.CRITICAL)
    yield ray
    ray.shutdown()


@pytest.fixture
def on(request):
    """Return a function that makes a context in which joblib's backend is the one of a name; clusters are started for it."""

    def backend(name):
        if name in ("dask", "ray"):
            request.getfixturevalue(name)
        return nullcontext() if name == "sequential" else joblib.parallel_config(backend=name)

    return backend


class Killer:
    """A callback that kills the worker that trains a batch after an epoch, the first few times, and notes what it was told.

    Parameters
    ----------
    folder : path
    batch, epoch : int
    times : int, default=1
    """

    def __init__(self, folder, batch, epoch, times=1):
        self.folder, self.batch, self.epoch, self.times, self.home = folder, batch, epoch, times, os.getpid()

    def __call__(self, state):
        """Note an epoch, then kill."""
        with open(self.folder / f"told_{state.batch}", "a") as file:
            print(state.epoch, file=file)
        deaths = self.folder / "deaths"
        n_deaths = len(deaths.read_bytes()) if deaths.exists() else 0
        if (state.batch, state.epoch) == (self.batch, self.epoch) and n_deaths < self.times and os.getpid() != self.home:
            with open(deaths, "a") as file:
                file.write("x")
            os.kill(os.getpid(), signal.SIGKILL)

    def told(self, batch):
        """Return the epochs that this was told of."""
        return [int(line) for line in (self.folder / f"told_{batch}").read_text().split()]

    def n_deaths(self):
        """Return how often a worker was killed."""
        return len((self.folder / "deaths").read_bytes())


def learned(synthesizer):
    """Return the weights of every batch and the history but for its seconds, to the bit."""
    weights = [{name: value.tobytes() for name, value in model._weights.items()} for model in synthesizer.models_]
    return weights, synthesizer.history_.drop(columns="seconds").to_csv()


def refuse(*_):
    """Draw nothing."""
    raise AssertionError("rows were drawn in this process")


@pytest.mark.parametrize("backend", ["loky", "threading", "dask", "ray"])
def test_all_backends_give_the_same(here, sample, make, table, on, monkeypatch, backend):
    """Whoever trains and draws, weights, history and samples are the same bits; a cluster's rows are drawn by workers."""
    with on(backend):
        fitted = make().fit(table)
        if backend in ("dask", "ray"):
            monkeypatch.setattr(Drawing, "ids", refuse)
        rows = fitted.sample(N_SAMPLES, random_state=0)
        chunks = list(fitted.sample_iter(N_SAMPLES, chunk_size=15_000, random_state=0))

    assert learned(fitted) == learned(here)
    pd.testing.assert_frame_equal(rows, sample)
    pd.testing.assert_frame_equal(pd.concat(chunks, ignore_index=True), sample)


@pytest.mark.parametrize("backend", ["dask", "ray"])
def test_what_workers_trained_is_one_s_own(make, table, on, backend):
    """A model that was trained on a cluster has its tokenizer, can be written to, trained further, pickled and saved."""
    with on(backend):
        fitted = make().fit(table)
    fitted.history_.loc[0, "loss"] = 0.0
    for model in fitted.models_:
        assert all(value.flags.writeable for value in model._weights.values())
        assert model.tokenizer_.columns_ == model.columns_
    assert pickle.loads(pickle.dumps(fitted)).sample(3, random_state=0).equals(fitted.sample(3, random_state=0))
    assert fitted.partial_fit(table).history_.groupby("batch").size().tolist() == [EPOCHS + 1] * len(BATCHES)


@pytest.mark.parametrize("backend", ["dask", "ray"])
def test_given_rows_and_lines_are_drawn_by_workers_as_here(here, on, monkeypatch, backend):
    """What is given of several batches, and prefixes of lines, are heeded by a cluster's workers, to the same bits."""
    given = {"a": ["u", "v"], "d": "w"}
    lines = LSTMTextModel(embedding_dim=4, rnn_units=4, epochs=1, random_state=0).fit([f"line {i} of text" for i in range(64)])
    expected = here.sample(20_000, given=given, random_state=1), lines.sample(1_500, prefix="li", random_state=1)
    with on(backend):
        monkeypatch.setattr(Drawing, "ids", refuse)
        rows = here.sample(20_000, given=given, random_state=1)
        found = lines.sample(1_500, prefix="li", random_state=1)

    pd.testing.assert_frame_equal(rows, expected[0])
    assert found == expected[1]


@posix
@pytest.mark.parametrize("backend", ["dask", "ray"])
def test_a_batch_whose_worker_is_killed_is_trained_elsewhere(here, make, table, on, tmp_path, backend):
    """A fit survives the death of a worker: its batch begins anew, and each batch and epoch is in the history once."""
    killer = Killer(tmp_path, batch=1, epoch=1)
    with on(backend):
        fitted = make(callbacks=[killer]).fit(table)

    assert killer.n_deaths() == 1
    assert killer.told(1) == [0, 1, *range(EPOCHS)]
    assert learned(fitted) == learned(here)


@posix
def test_with_checkpoints_a_batch_whose_worker_is_killed_goes_on(here, make, table, on, tmp_path):
    """With checkpoint_dir, a batch whose worker died goes on after the last epoch that was kept, to the same weights."""
    killer = Killer(tmp_path, batch=1, epoch=1)
    with on("dask"):
        fitted = make(callbacks=[killer], checkpoint_dir=tmp_path / "checkpoints").fit(table)

    assert killer.n_deaths() == 1
    assert killer.told(1) == list(range(EPOCHS))
    assert learned(fitted) == learned(here)


@posix
def test_a_batch_that_kills_every_worker_is_named(make, table, on, tmp_path):
    """After three deaths there is an error that names the batch and says what to do; what others learned is not lost."""
    killer = Killer(tmp_path, batch=1, epoch=0, times=100)
    unfitted = make(callbacks=[killer], n_jobs=2)
    message = r"batch 1, columns \[.*'c', 'd'.*\]: its worker died 3 times .*memory.*n_jobs.*checkpoint_dir"
    with on("dask"), pytest.raises(RuntimeError, match=message):
        unfitted.fit(table)

    assert killer.n_deaths() == TRIES
    assert (unfitted.history_["batch"] == 0).sum() == EPOCHS
    assert (unfitted.history_["batch"] != 1).all()
    assert not hasattr(unfitted, "models_")


class Deadly(Killer):
    """A callback that kills a worker of joblib as soon as that is sent it, the first few times."""

    def __setstate__(self, state):
        vars(self).update(state)
        self(SimpleNamespace(batch=self.batch, epoch=self.epoch))


def deadly_fit(killer):
    """Fit three batches of an identifier each, for which nothing heavy is imported; the second is deadly."""
    models = [LSTMTextModel(tokenizer=TableTokenizer()) for _ in range(3)]
    frame = pd.DataFrame({"id": [f"T-{number:04}" for number in range(50)]})
    jobs = [model._new_job(model._check_records(frame, reset=True), None) for model in models]
    for number, job in enumerate(jobs):
        job.batch, job.callbacks = number, [killer] if number == 1 else []
    with shared_board(3) as board:
        return run_jobs(models, jobs, board, None, 2)


@posix
def test_joblib_s_workers_may_die(tmp_path):
    """A worker of joblib that dies takes the others with it; all that had not come back is done by new ones."""
    killer = Deadly(tmp_path, batch=1, epoch=0, times=2)
    outcomes = deadly_fit(killer)
    assert [(outcome.trained, outcome.error) for outcome in outcomes] == [(True, None)] * 3
    assert killer.n_deaths() == 2


@posix
def test_what_kills_all_of_joblib_s_workers_is_named(tmp_path):
    """A batch that three workers died of by itself is told from those that were only beside it."""
    killer = Deadly(tmp_path, batch=1, epoch=0, times=100)
    outcomes = deadly_fit(killer)
    assert outcomes[0].trained and outcomes[0].error is None and outcomes[2].error is None
    assert re.match(r"batch 1, columns \['id'\]: its worker died 3 times \(Terminated.*n_jobs", str(outcomes[1].error))
    assert killer.n_deaths() == 1 + TRIES


def process_number():
    """Return the number of a worker's process."""
    return os.getpid()


@posix
@pytest.mark.parametrize("backend", ["dask", "ray"])
def test_rows_of_a_worker_that_dies_are_drawn_elsewhere(here, on, request, backend):
    """A worker may die while a cluster samples: the rows are the same, in their order."""
    n_samples = 150_000
    with on(backend):
        chunks = here.sample_iter(n_samples, chunk_size=15_000, random_state=0)
        found = [next(chunks)]
        engine = request.getfixturevalue(backend)
        if backend == "dask":
            worker = next(iter(engine.run(process_number).values()))
        else:
            worker = engine.get(engine.remote(process_number).remote())
        os.kill(worker, signal.SIGKILL)
        found.extend(chunks)

    pd.testing.assert_frame_equal(pd.concat(found, ignore_index=True), here.sample(n_samples, random_state=0))


class Failing:
    """A callback that fails in the first epoch of a batch."""

    def __init__(self, batch):
        self.batch = batch

    def __call__(self, state):
        """Fail."""
        if state.batch == self.batch:
            raise LookupError("no such thing")


@pytest.mark.parametrize("backend", ["dask", "ray"])
def test_workers_of_another_machine_need_no_board(here, make, table, on, monkeypatch, capsys, backend):
    """Where workers do not reach the board, the bar moves by whole batches, and a failure is told as ever."""
    elsewhere = Path("no_such_folder", "board")
    monkeypatch.setattr(Board, "__reduce__", lambda board: (Board, (str(elsewhere), board.n_batches)))
    with on(backend):
        fitted = make(verbose=1, max_time=600.0).fit(table)
        assert learned(fitted) == learned(here)
        assert f"{EPOCHS * len(BATCHES)}/{EPOCHS * len(BATCHES)}" in capsys.readouterr().err
        with pytest.raises(RuntimeError, match="of batch 0: LookupError: no such thing") as caught:
            make(callbacks=[Failing(0)], n_jobs=1).fit(table)
    assert "while fitting batch 0" in "".join(caught.value.__notes__)


def handler_of_interrupts():
    """Return what a worker does on Ctrl-C."""
    return str(signal.getsignal(signal.SIGINT))


def test_workers_of_a_cluster_stay_as_they_are(make, table, ray):
    """A worker of Ray hears Ctrl-C after a fit as it did before, and nothing watches its parent."""
    with joblib.parallel_config(backend="ray"):
        make().fit(table)
    found = ray.get([ray.remote(handler_of_interrupts).remote() for _ in range(8)])
    assert str(signal.SIG_IGN) not in found


def test_a_job_travels_in_few_bytes():
    """What is sent for a batch is a byte for each token, and of the tokenizer its grammars alone, whatever else it holds."""
    n_rows = 5_000
    rng = np.random.default_rng(0)
    names = [f"customer-{number:07d}" for number in rng.permutation(n_rows)]
    frame = pd.DataFrame({"id": names, "x": rng.choice(list("uvw"), n_rows), "y": rng.choice(list("uvw"), n_rows)})
    model = LSTMTextModel(random_state=0)
    job = model._new_job(model._check_records(frame, reset=True), None)
    task, ids = Task(model, job, Watch(Board("none", 1), 0)), job.ids
    sent = light(task)

    n_positions = model.tokenizer_.grammar_.n_positions
    assert sent.job.ids.dtype == np.uint8 and sent.job.ids.shape == (n_rows, n_positions)
    assert np.array_equal(sent.job.ids, ids[:, :n_positions])
    assert len(pickle.dumps(sent)) < n_rows * n_positions + 10_000
    assert not any(name.encode() in pickle.dumps(sent) for name in names[:10])
    assert task.model.tokenizer_.n_free_ > 0 and task.job.ids is ids


def test_ids_on_disk_are_on_disk_at_a_worker_too(table, make, tmp_path, monkeypatch):
    """Of a table that is not in memory, a worker trains from a file of its own, which goes with the training."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    model = clone(make().text_model).set_params(random_state=0)
    job = model._new_job(model._check_records(table[["a", "b"]], reset=True), None)
    mapped = replace(job, ids=written(tmp_path / "ids", [job.ids], np.uint8), seed=np.random.SeedSequence(0))
    tasks = [Task(model, own, Watch(Board("none", 1), 0)) for own in (mapped, job)]
    on_disk, in_memory = (_run_light(light(task), task.job is mapped) for task in tasks)

    assert on_disk.error is None and on_disk.model.history_["loss"].tolist() == in_memory.model.history_["loss"].tolist()
    assert all(np.array_equal(value, in_memory.model._weights[name]) for name, value in on_disk.model._weights.items())
    assert [path.name for path in tmp_path.iterdir()] == ["ids"]


@pytest.mark.parametrize(("largest", "dtype"), [(255, np.uint8), (256, np.uint16), (65_535, np.uint16), (65_536, np.uint32)])
def test_ids_are_packed_without_loss(largest, dtype):
    """Ids travel in the smallest type that holds them; of none at all too."""
    ids = np.array([[0, largest]], np.int32)
    assert packed(ids).dtype == dtype and np.array_equal(packed(ids), ids)
    assert packed(ids[:0]).shape == (0, 2)


class Threads(Cluster):
    """A cluster of threads, whose workers die when a call raises ConnectionError."""

    def __init__(self, pool, n_slots=2):
        super().__init__(None, None)
        self.pool, self._slots, self.cancelled = pool, n_slots, []

    def _n_slots(self):
        return self._slots

    def submit(self, function, *args):
        """Begin a call."""
        return self.pool.submit(function, *args)

    def is_lost(self, error):
        """Tell deaths."""
        return isinstance(error, ConnectionError | CancelledError)

    def cancel(self, future):
        """Note what is let go."""
        self.cancelled.append(future)
        super().cancel(future)

    @contextmanager
    def waiting(self):
        """Wait."""
        yield


@pytest.fixture
def threads():
    """Return a cluster of two threads."""
    with ThreadPoolExecutor(2) as pool:
        yield Threads(pool)


def call(cluster, number, deaths=0, tries=TRIES, error=None):
    """Return a call for a number, whose worker dies the first few times."""

    def do(tries):
        if tries < deaths:
            raise ConnectionError(f"death {tries + 1}")
        if error is not None:
            raise error
        return number

    return Call(lambda tries: cluster.submit(do, tries), tries)


def test_calls_are_begun_again_where_workers_die(threads):
    """A call comes back in the end if it dies less often than it may be tried; otherwise it is told how often it was."""
    calls = [call(threads, number, deaths) for number, deaths in enumerate([0, 1, 2, 3, 0])]
    calls.append(call(threads, 5, deaths=1, tries=1))
    found = {number: (result, error) for number, result, error in as_they_come(threads, calls, 2, lambda: False)}

    assert {number: result for number, (result, _) in found.items()} == {0: 0, 1: 1, 2: 2, 3: None, 4: 4, 5: None}
    assert "died 3 times (ConnectionError: death 3)" in str(found[3][1])
    assert "died once, and it may not be begun again" in str(found[5][1])
    assert list(in_order(threads, calls[:3] + calls[4:5])) == [0, 1, 2, 4]
    with pytest.raises(LostWorkerError, match="died 3 times"):
        list(in_order(threads, calls))


def test_errors_of_calls_are_not_deaths(threads):
    """What a call raises is told at once, and it is not begun again; what has begun by then is let go."""
    begun = []
    failing = call(threads, 0, error=KeyError("mine"))
    counted = Call(lambda tries: begun.append(tries) or failing.begin(tries))
    ((number, result, error),) = as_they_come(threads, [counted], 2, lambda: False)
    assert (number, result, type(error), begun) == (0, None, KeyError, [0])
    with pytest.raises(KeyError, match="mine"):
        list(in_order(threads, [failing, call(threads, 1)]))
    assert len(threads.cancelled) == 1


def test_no_call_begins_once_all_are_to_stop(threads):
    """Calls that have begun come back, those that have not are left out."""
    ended = []
    for number, _, _ in as_they_come(threads, [call(threads, number) for number in range(9)], 1, lambda: len(ended) == 2):
        ended.append(number)
    assert ended == [0, 1]


def test_calls_in_order_run_only_a_little_ahead(threads):
    """However many calls there are, few of them wait to be taken; what is not taken is let go."""
    begun = []
    calls = (call(threads, begun.append(number) or number) for number in range(1_000))
    results = in_order(threads, calls)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    assert len(begun) < 10
    results.close()
    assert len(threads.cancelled) == len(begun) - 3


def test_calls_that_a_cluster_has_cancelled_are_lost(threads):
    """A future that was cancelled, as Dask cancels calls whose data are lost, counts as a death."""

    def begin(tries):
        if tries:
            return threads.submit(int)
        future = Future()
        future.cancel()
        future.set_running_or_notify_cancel()
        return future

    assert list(in_order(threads, [Call(begin)])) == [0]
    assert [result for _, result, _ in as_they_come(threads, [Call(begin)], 2, lambda: False)] == [0]


def test_the_number_of_calls_is_limited_by_n_jobs(threads):
    """n_jobs of the estimator, or else of joblib's configuration, limits what runs at the same time; negative ones do not."""
    assert [threads.n_slots(n_jobs) for n_jobs in (None, -1, 1, 2, 9)] == [2, 2, 1, 2, 2]
    threads._n_jobs = 1
    assert [threads.n_slots(n_jobs) for n_jobs in (None, 2)] == [1, 2]
