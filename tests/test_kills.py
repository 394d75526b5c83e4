"""Promises about fits that are killed, that find no room or no permission to write, and about two fits in one folder."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sksynth import BatchLSTMSynthesizer, ColumnClusterer, LSTMTextModel, fields
from sksynth._training._checkpoints import Folder

HERE = Path(__file__).resolve().parent
EPOCHS, PRIVATE_EPOCHS = 12, 4
BATCHES = [["a", "b"], ["c", "d"], ["e", "f"], ["g", "h"]]
ENDLESS = 100_000  # epochs: minutes or hours
SOON = 120.0  # seconds after which a test no longer waits for what should take a few, on a machine that is busy
NOT_POSSIBLE = 77  # exit code of a script that cannot do what is to be tested

posix = pytest.mark.skipif(os.name != "posix", reason="needs signals and limits of POSIX")
linux = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="needs the list of processes in /proc")


def fit(folder, n_jobs=1, epochs=EPOCHS, **parameters):
    """Fit four batches, every second linked to the one before; scripts in processes of their own call it too."""
    rows = np.array([[*row, *row] for row in product("uvw", repeat=4)])
    table = pd.DataFrame(rows, columns=list("abefcdgh"))[list("abcdefgh")]  # two shapes of networks, to compile few
    model = LSTMTextModel(embedding_dim=4, rnn_units=4, epochs=epochs, batch_size=27, early_stopping=False)
    own = {"clusterer": ColumnClusterer(batches=BATCHES), "text_model": model, "random_state": 0, "n_jobs": n_jobs}
    return BatchLSTMSynthesizer(**own | {"checkpoint_dir": folder} | parameters).fit(table)


def fit_privately(folder, **parameters):
    """Fit the same table with a public schema: epochs of three steps for each batch."""
    schema = {name: fields.Category(["u", "v", "w"]) for name in "abcdefgh"}
    return fit(folder, epochs=PRIVATE_EPOCHS, schema=schema, epsilon=2.0, **parameters)


class Script:
    """A script in a process, and process group, of its own; it can call what is in this module.

    Parameters
    ----------
    output : path
        File for what it writes; no pipe, as who reads that waits for orphans too.
    code : str
    *arguments
        As `sys.argv` from 1 on.
    """

    def __init__(self, output, code, *arguments):
        begin = f"import sys, warnings; warnings.simplefilter('ignore'); sys.path.insert(0, {str(HERE)!r})\n"
        begin += "from test_kills import *\n"
        self.output = output
        with open(output, "wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-c", begin + code, *map(str, arguments)],
                stdout=file, stderr=file, start_new_session=True,
            )  # fmt: skip

    def wait(self):
        """Return the exit code, and what was written."""
        return self.process.wait(SOON), self.output.read_text()

    def until(self, happened):
        """Wait until something has happened, or the process is over; return whether it runs."""
        end = time.monotonic() + SOON
        while not happened() and self.process.poll() is None:
            assert time.monotonic() < end
            time.sleep(0.002)
        return self.process.poll() is None

    def kill(self):
        """Kill the process, alone; return whether it was not over before."""
        self.process.send_signal(signal.SIGKILL)
        return self.process.wait(SOON) == -signal.SIGKILL

    def left(self):
        """Return the numbers of the processes of the group that still run."""
        return [number for number in _process_numbers() if _group_of_running(number) == self.process.pid]


def _process_numbers():
    return [int(path.name) for path in Path("/proc").glob("[0-9]*")]


def _group_of_running(number):
    """Return the group of a process; None where it is over."""
    try:
        state, _, group = Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[:3]
    except OSError:
        return None
    return None if state == "Z" else int(group)


def wait_for_orphans(scripts):
    """Wait until no process of these scripts is left."""
    end = time.monotonic() + SOON
    while [script for script in scripts if script.left()]:
        assert time.monotonic() < end
        time.sleep(0.05)


def n_rows(folder, batch):
    """Return the number of epochs in the history of a batch on disk."""
    path = Path(folder) / f"batch_{batch}" / "history.csv"
    return len(path.read_text().splitlines()) - 1 if path.exists() else 0


def final_state(folder):
    """Return all that training has changed, to the bit, after last and best epoch of every batch; check the history."""
    state, loaded = {}, BatchLSTMSynthesizer.load(folder)
    for batch, model in enumerate(loaded.models_):
        own = Folder(folder).batch(batch)
        history = pd.read_csv(own.path / "history.csv")
        assert history["epoch"].tolist() == model.history_["epoch"].tolist() == list(range(len(history)))
        assert history["best"].sum() == 1
        last = own.last()
        assert last["finished"]
        kept = last["variables"] | {f"kept {name}": value for name, value in model._weights.items()}
        state |= {f"{batch} {name}": value.tobytes() for name, value in kept.items()}
        state |= {f"{batch} {name}": history[name].to_numpy().tobytes() for name in ("loss", "accuracy", "val_loss", "best")}
    return state


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return a function that starts a script; what still runs of it in the end is killed."""
    outputs, scripts = tmp_path_factory.mktemp("outputs"), []

    def run(code, *arguments):
        scripts.append(Script(outputs / f"{len(scripts)}.txt", code, *arguments))
        return scripts[-1]

    yield run
    for script in scripts:
        if script.process.poll() is None or script.left():
            os.killpg(script.process.pid, signal.SIGKILL)
            script.process.wait()


@pytest.fixture(scope="module")
def whole(tmp_path_factory, run):
    """Return the folder of a fit that was never stopped, and the seconds that its process took; not to be changed."""
    folder, started = tmp_path_factory.mktemp("whole"), time.monotonic()
    assert run("fit(sys.argv[1])", folder).wait() == (0, "")
    return folder, time.monotonic() - started


def killed_fits(run, folder, n_jobs, moments):
    """Begin a fit again and again, each killed at its moment, the last not; return the scripts, and how many were killed.

    Parameters
    ----------
    run : fixture
    folder : path
    n_jobs : int
    moments : sequence of callable
        Given the folder and the seconds since the fit began, whether to kill it.
    """
    scripts, kills = [], 0
    for moment in moments:
        started = time.monotonic()
        scripts.append(run("fit(sys.argv[1], int(sys.argv[2]))", folder, n_jobs))
        runs = scripts[-1].until(lambda moment=moment, started=started: moment(folder, time.monotonic() - started))
        if not runs or not scripts[-1].kill():
            break
        kills += 1
    scripts.append(run("fit(sys.argv[1], int(sys.argv[2]))", folder, n_jobs))
    code, errors = scripts[-1].wait()
    assert code == 0, errors
    return scripts, kills


def after(seconds):
    """Return a moment: so many seconds after the fit began."""
    return lambda folder, since: since > seconds


def at_progress(batch, epochs):
    """Return a moment: as soon as a batch has so many epochs on disk."""
    return lambda folder, since: n_rows(folder, batch) >= epochs


@posix
@linux
@pytest.mark.distributed
@pytest.mark.parametrize(("n_jobs", "batches"), [(1, [0, 2]), (2, [2])], ids=["one process", "workers"])
def test_a_fit_that_is_killed_again_and_again_ends_as_one_that_is_not(whole, run, tmp_path, n_jobs, batches):
    """Killed in the midst of batches and at a random moment, a fit has in the end the weights of one that was not."""
    folder, seconds = whole
    anywhere = after(np.random.default_rng(n_jobs).uniform(0.1, 0.9) * seconds)
    scripts, kills = killed_fits(run, tmp_path, n_jobs, [*(at_progress(batch, 4) for batch in batches), anywhere])

    assert kills >= len(batches)
    assert final_state(folder) == final_state(tmp_path)
    wait_for_orphans(scripts)


def only_the_last_goes_on(state):
    """End every batch but the last after an epoch."""
    if state.batch < 3:
        state.stop()


@posix
@linux
@pytest.mark.distributed
def test_a_worker_without_a_batch_leaves_with_the_fit(run, tmp_path):
    """Of a fit that is killed while one of its two workers has no batch left, neither stays."""
    script = run("fit(sys.argv[1], 2, ENDLESS, callbacks=[only_the_last_goes_on])", tmp_path)
    assert script.until(lambda: n_rows(tmp_path, 2) and n_rows(tmp_path, 3) > 1)
    time.sleep(1.0)  # the worker of the third batch hands it in
    assert script.kill()
    wait_for_orphans([script])


@posix
@linux
@pytest.mark.slow
@pytest.mark.distributed
@pytest.mark.skipif("SKSYNTH_TWENTY_KILLS" not in os.environ, reason="takes long; set SKSYNTH_TWENTY_KILLS=1 to run it")
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_fits_that_are_killed_twenty_times_end_as_one_that_is_not(whole, run, tmp_path, n_jobs):
    """Killed at twenty random moments, from its first second to its last, a fit always goes on, to the same weights."""
    folder, seconds = whole
    rng, kills, all_scripts = np.random.default_rng(n_jobs), 0, []
    while kills < 20:
        own = tmp_path / f"after-{kills}"
        moments = [after(rng.uniform(0.1, 1.0) * seconds) for _ in range(20 - kills)]
        scripts, more = killed_fits(run, own, n_jobs, moments)
        kills, all_scripts = kills + more, all_scripts + scripts
        assert final_state(folder) == final_state(own)
        assert not list(own.rglob(".*.part"))
    wait_for_orphans(all_scripts)


@posix
@linux
@pytest.mark.distributed
def test_workers_whose_parent_has_died_stop(run, tmp_path, tmp_path_factory, monkeypatch):
    """Orphaned workers end at their next call, take up none of the batches that wait, hold no lock, and leave no file."""
    temporary = tmp_path_factory.mktemp("temporary")
    monkeypatch.setenv("TMPDIR", str(temporary))
    script = run("fit(sys.argv[1], 2, ENDLESS)", tmp_path)
    assert script.until(lambda: n_rows(tmp_path, 0) and n_rows(tmp_path, 1))
    assert list(temporary.glob("sksynth-*"))
    assert script.kill()
    wait_for_orphans([script])

    assert not list(temporary.glob("sksynth-*"))
    assert n_rows(tmp_path, 2) == n_rows(tmp_path, 3) == 0
    for batch in range(4):
        with Folder(tmp_path).batch(batch).locked():
            assert n_rows(tmp_path, batch) == max(Folder(tmp_path).batch(batch).epochs(), default=0)


def begin_alone(watch, folder):
    """Begin what is watched once the parent of this process has died, and go on until somebody ends it."""
    parent = os.getppid()
    (folder / "born").touch()
    while os.getppid() == parent:
        time.sleep(0.01)
    (folder / "alone").touch()
    watch.begin(None)
    while not watch.must_stop(0.0):
        time.sleep(0.01)
    (folder / "stopped").touch()


@posix
@linux
def test_a_worker_that_has_not_begun_when_its_parent_dies_ends(run, tmp_path):
    """A worker in which a batch waits, or that is still importing, as its parent dies ends as soon as the batch begins."""
    script = run(
        "import multiprocessing\n"
        "from sksynth._training._watch import Board, Watch\n"
        "start = multiprocessing.get_context('spawn').Process\n"
        "start(target=begin_alone, args=(Watch(Board('none', 1), 0), Path(sys.argv[1]))).start()\n",
        tmp_path,
    )
    assert script.until((tmp_path / "born").exists)
    assert script.kill()
    wait_for_orphans([script])

    assert (tmp_path / "alone").exists()
    assert not (tmp_path / "stopped").exists()


NO_ROOM = """
import resource, signal

def limit(state):
    if (state.batch, state.epoch) == (1, 3):
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

try:
    fit(sys.argv[1], callbacks=[limit])
except OSError as error:
    print(type(error).__name__, error)
"""


@posix
def test_no_room_is_a_clear_error_and_costs_no_epoch(whole, run, tmp_path):
    """Where a file cannot be written whole, the error names it and says what to do; what was there is there, and goes on."""
    code, output = run(NO_ROOM, tmp_path).wait()

    assert code == 0, output
    path = tmp_path / "batch_1" / "epoch_0005.npz"
    assert f"cannot write {path} (" in output
    assert "What was there before is still there: make room" in output
    assert not list(tmp_path.rglob(".*.part"))
    assert max(Folder(tmp_path).batch(1).epochs()) == n_rows(tmp_path, 1) == 4
    fit(tmp_path)
    assert final_state(whole[0]) == final_state(tmp_path)


READ_ONLY = f"""
import filelock
fit(None, epochs=1)  # this and load import all that is needed later, which another user may not read
BatchLSTMSynthesizer.load(sys.argv[1])
try:
    if os.geteuid() == 0:
        os.setuid(65534)
    os.listdir(sys.argv[1])
except OSError:
    sys.exit({NOT_POSSIBLE})
try:
    fit(sys.argv[1])
except OSError as error:
    print(type(error).__name__, error)
print(BatchLSTMSynthesizer.load(sys.argv[1]).sample(3).shape, flush=True)
os._exit(0)  # TensorFlow would try to remove files of the user before
"""


@posix
def test_a_folder_that_is_read_only_is_a_clear_error(whole, run):
    """Who may not write is told where and what to do, and changes nothing; loading needs no permission to write."""
    with tempfile.TemporaryDirectory() as outside:  # of pytest's folders, which other users may not enter
        os.chmod(outside, 0o755)
        folder = Path(shutil.copytree(whole[0], Path(outside) / "folder"))
        for path in [folder, *folder.rglob("*")]:
            path.chmod(0o555 if path.is_dir() else 0o444)
        code, output = run(READ_ONLY, folder).wait()
        for path in [folder, *folder.glob("batch_*")]:
            path.chmod(0o755)
        if code == NOT_POSSIBLE:
            pytest.skip("no other user to be")

        assert code == 0, output
        assert f"PermissionError [Errno 13] checkpoint_dir: cannot write in {folder}: Permission denied. Allow" in output
        assert "(3, 8)" in output
        assert final_state(whole[0]) == final_state(folder)


HOLDING = """
def hold(state):
    while (state.batch, state.epoch) == (1, 2) and not os.path.exists(sys.argv[2]):
        time.sleep(0.01)

fit(sys.argv[1], callbacks=[hold])
"""


def test_a_second_fit_in_a_folder_is_refused(whole, run, tmp_path):
    """While a fit runs, another in its folder is refused, overwrite=True or not; the first ends as if nothing had been."""
    script = run(HOLDING, tmp_path / "folder", tmp_path / "go")
    assert script.until(lambda: n_rows(tmp_path / "folder", 1) == 3)
    fitted = BatchLSTMSynthesizer.load(whole[0]).set_params(checkpoint_dir=tmp_path / "folder")
    del fitted._read_from  # as if it had been fitted here
    table = fitted.sample(81)
    for overwrite in (False, True):
        with pytest.raises(RuntimeError, match=r"folder is locked by another fit .* wait for its end, or choose another"):
            fit(tmp_path / "folder", overwrite=overwrite)
    with pytest.raises(RuntimeError, match="is locked by another fit"):
        fitted.fit_batch(0, table)
    (tmp_path / "go").touch()

    assert script.wait() == (0, "")
    assert final_state(whole[0]) == final_state(tmp_path / "folder")


PRIVATE = """
def note(state):
    folder = f"{sys.argv[1]}/batch_{state.batch}"
    assert os.path.exists(f"{folder}/epoch_{state.epoch + 1:04d}.npz")
    assert n_rows(sys.argv[1], state.batch) == state.epoch + 1
    with open(sys.argv[2], "a") as file:
        print(state.batch, state.epoch, file=file)

fit_privately(sys.argv[1], callbacks=[note])
"""


@posix
def test_a_private_fit_that_is_killed_counts_every_step_once(run, tmp_path):
    """Killed, a private fit tells each epoch once at most, after it was kept, and its ledger has no more steps."""
    folder, told = tmp_path / "folder", tmp_path / "told.txt"
    script = run(PRIVATE, folder, told)
    assert script.until(lambda: n_rows(folder, 1) >= 2)
    assert script.kill()
    code, output = run(PRIVATE, folder, told).wait()
    assert code == 0, output

    loaded, lines = BatchLSTMSynthesizer.load(folder), told.read_text().splitlines()
    assert loaded.history_[["batch", "epoch"]].to_numpy().tolist() == [[b, e] for b in range(4) for e in range(PRIVATE_EPOCHS)]
    assert len(lines) == len(set(lines)) >= 4 * PRIVATE_EPOCHS - 1  # what was kept as the kill came was told to nobody
    training = [row for row in loaded.privacy_ledger_["parameters"] if "steps_taken" in row]
    assert [row["steps_taken"] for row in training] == [row["steps_planned"] for row in training] == [3 * PRIVATE_EPOCHS] * 4
    assert [model._n_steps for model in loaded.models_] == [3 * PRIVATE_EPOCHS] * 4
    assert loaded.epsilon_ <= 2.0
