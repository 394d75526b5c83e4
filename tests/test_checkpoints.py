"""Promises of checkpoint_dir: what is in the folder, what is never in it, and that a fit goes on there as if never stopped."""

import json
import os
import shutil
import struct
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from sklearn.base import clone

from sksynth import BatchLSTMSynthesizer, ColumnClusterer, LSTMTextModel, fields
from sksynth._training._checkpoints import Folder
from sksynth.core import _dp_sgd
from sksynth.persistence import ModelFileError
from sksynth.tokenizers import CharTokenizer

EPOCHS = 5
LINES = ["ab", "abab", "ba", ""] * 20
BATCHES = [["a", "b"], ["c", "d"]]


class Killed(BaseException):
    """The end of a process, as far as one can have it within one."""


@pytest.fixture(scope="module")
def table():
    """Return 64 rows of four columns of three values; not to be changed."""
    rng = np.random.default_rng(0)
    return pd.DataFrame({name: rng.choice(["u", "v", "w"], 64) for name in "abcd"})


@pytest.fixture(scope="module")
def make(synthesizer, template):
    """Return a function that makes a synthesizer of two batches; parameters of either kind may be changed."""

    def make(of_template=None, **parameters):
        own = {"epochs": EPOCHS, "validation_fraction": 0.25, "early_stopping": False, "learning_rate": 0.05}
        text_model = template(**own | (of_template or {}))
        return synthesizer(**{"clusterer": ColumnClusterer(batches=BATCHES), "text_model": text_model} | parameters)

    return make


@pytest.fixture(scope="module")
def whole(make, table):
    """Return a synthesizer whose fit was never stopped, and wrote nothing; not to be changed."""
    return make().fit(table)


@pytest.fixture(scope="module")
def finished(make, table, tmp_path_factory):
    """Return the folder of a fit that is over; not to be changed."""
    folder = tmp_path_factory.mktemp("finished")
    make(checkpoint_dir=folder).fit(table)
    return folder


@pytest.fixture
def copied(finished, tmp_path):
    """Return a copy of the folder of a fit that is over."""
    return Path(shutil.copytree(finished, tmp_path / "copied"))


def failing(batch, epoch):
    """Return a callback that ends a fit after an epoch of a batch."""

    def fail(state):
        if (state.batch, state.epoch) == (batch, epoch):
            raise ValueError("enough")

    return fail


def stopped(estimator, records, batch, epoch):
    """Fit an estimator until after an epoch of a batch."""
    with pytest.raises(RuntimeError, match="enough"):
        clone(estimator).set_params(callbacks=[failing(batch, epoch)]).fit(records)


def content(folder):
    """Return every file below a folder with its bytes, locks aside."""
    paths = (path for path in Path(folder).rglob("*") if path.is_file() and path.name != ".lock")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def models_of(estimator):
    """Return the models of a synthesizer, or the one that it is."""
    return getattr(estimator, "models_", [estimator])


def assert_same_fit(one, other):
    """Assert that two estimators have the same weights and history, to the bit, but for the time that it took."""
    for model, same in zip(models_of(one), models_of(other), strict=True):
        assert model._weights.keys() == same._weights.keys()
        assert all(model._weights[name].tobytes() == same._weights[name].tobytes() for name in model._weights)
        assert model.training_ == same.training_
    assert_frame_equal(one.history_.drop(columns="seconds"), other.history_.drop(columns="seconds"), check_exact=True)


def test_the_folder_holds_what_it_says(finished, whole):
    """One folder per batch: settings as JSON, tokenizer, best and last epoch with optimizer, history; arrays open in NumPy."""
    assert {path.name for path in finished.iterdir()} == {".lock", "settings.json", "clusterer.npz", "batch_0", "batch_1"}
    for batch, history in whole.history_.groupby("batch"):
        best, folder = int(history.loc[history["best"], "epoch"].iloc[0]) + 1, finished / f"batch_{batch}"
        epochs = {f"epoch_{best:04d}.npz", f"epoch_{EPOCHS:04d}.npz"}
        assert {path.name for path in folder.iterdir()} == {".lock", "settings.json", "tokenizer.npz", "history.csv"} | epochs
        settings = json.loads((folder / "settings.json").read_text())
        assert {"number of rows", "digest of the token ids"} == set(settings["data"])
        with np.load(folder / f"epoch_{EPOCHS:04d}.npz", allow_pickle=False) as arrays:
            assert any("optimizer." in name for name in arrays)


def test_a_fit_that_writes_is_the_fit_that_does_not(finished, whole):
    """A folder changes nothing of the result, and load gives the same weights, samples and history."""
    loaded = BatchLSTMSynthesizer.load(finished)

    assert_same_fit(whole, loaded)
    assert_frame_equal(whole.sample(20, random_state=0), loaded.sample(20, random_state=0))


def test_all_epochs_stay_if_asked(make, table, tmp_path, whole):
    """checkpoints="all" keeps every epoch."""
    fitted = make(checkpoint_dir=tmp_path, checkpoints="all").fit(table)

    assert Folder(tmp_path / "batch_1").epochs() == list(range(1, EPOCHS + 1))
    assert_same_fit(whole, fitted)


def test_the_history_on_disk_is_complete_after_every_epoch(make, table, tmp_path):
    """Whenever an epoch is told, history.csv has a row for it and all before, one of them marked as the best."""
    seen = []

    def look(state):
        history = pd.read_csv(tmp_path / f"batch_{state.batch}" / "history.csv")
        assert history["epoch"].tolist() == list(range(state.epoch + 1))
        assert history["best"].sum() == 1
        assert history["val_loss"].argmin() == history["best"].argmax()
        assert history["loss"].iloc[-1] == pytest.approx(state.loss, rel=1e-14)  # pandas 2 reads the last digit otherwise
        seen.append((state.batch, state.epoch))

    make(checkpoint_dir=tmp_path, callbacks=[look]).fit(table)
    assert seen == [(batch, epoch) for batch in range(2) for epoch in range(EPOCHS)]


STOPS = [(0, 0), (0, 2), (0, EPOCHS - 1), (1, 1), (1, EPOCHS - 1)]


@pytest.mark.parametrize(("batch", "epoch", "keep"), [(*stop, "best+last") for stop in STOPS] + [(1, 1, "all")])
def test_a_fit_goes_on_where_it_stopped(make, table, whole, tmp_path, batch, epoch, keep):
    """A second fit begins with the epoch after the last, and ends with the result of a fit that never stopped."""
    synthesizer, told = make(checkpoint_dir=tmp_path, checkpoints=keep), []
    stopped(synthesizer, table, batch, epoch)
    before = pd.read_csv(tmp_path / f"batch_{batch}" / "history.csv")
    resumed = synthesizer.set_params(callbacks=[lambda state: told.append((state.batch, state.epoch))]).fit(table)

    assert before["epoch"].tolist() == list(range(epoch + 1))
    everything = [(batch, epoch) for batch in range(2) for epoch in range(EPOCHS)]
    assert told == everything[everything.index((batch, epoch)) + 1 :]
    assert_same_fit(whole, resumed)
    assert_same_fit(whole, BatchLSTMSynthesizer.load(tmp_path))


@pytest.mark.distributed
def test_workers_go_on_where_one_process_stopped(make, table, whole, tmp_path):
    """What says only how a fit is run may differ when it goes on: n_jobs, checkpoints, max_time, verbose, callbacks."""
    stopped(make(checkpoint_dir=tmp_path), table, 0, 1)
    other = make(checkpoint_dir=tmp_path, n_jobs=2, checkpoints="all", max_time=600.0)

    assert_same_fit(whole, other.fit(table))
    assert Folder(tmp_path / "batch_1").epochs() == list(range(1, EPOCHS + 1))


SEEDS = {"Generator": np.random.default_rng, "RandomState": np.random.RandomState}


@pytest.mark.parametrize("kind", SEEDS)
def test_a_generator_goes_on_where_it_was(make, table, tmp_path, kind):
    """The numbers that a generator gave to the first fit are those that a later one goes on with, wherever it is by then."""
    whole = make(random_state=SEEDS[kind](5)).fit(table)
    stopped(make(checkpoint_dir=tmp_path, random_state=SEEDS[kind](5)), table, 0, 2)

    assert_same_fit(whole, make(checkpoint_dir=tmp_path, random_state=SEEDS[kind](77)).fit(table))


def test_no_seed_goes_on_with_the_one_it_drew(make, table, tmp_path):
    """With random_state=None a fit that stopped early and one that stopped late end alike, if they began alike."""
    synthesizer = make(checkpoint_dir=tmp_path / "early", random_state=None)
    stopped(synthesizer, table, 0, 1)
    shutil.copytree(tmp_path / "early", tmp_path / "late")
    other = make(checkpoint_dir=tmp_path / "late", random_state=None)
    stopped(other, table, 1, 2)

    assert_same_fit(synthesizer.fit(table), other.fit(table))


@pytest.fixture(scope="module")
def overfitting():
    """Return a function that makes a model of lines that gets worse long before it stops, at its patience."""
    return lambda **parameters: LSTMTextModel(
        embedding_dim=4, rnn_units=16, epochs=40, batch_size=16, learning_rate=0.2, validation_fraction=0.3, dropout=0.0,
        patience=4, random_state=0, **parameters,
    )  # fmt: skip


def test_the_best_epoch_and_patience_are_kept_over_a_stop(overfitting, tmp_path):
    """Where the best epoch is before the stop, a later fit of lines keeps its weights, and waits no longer for a better."""
    lines = ["".join(np.random.default_rng(row).choice(list("abc"), 4)) for row in range(60)]
    whole = overfitting().fit(lines)
    best, n_epochs = int(whole.history_["best"].argmax()), len(whole.history_)
    assert n_epochs == best + 1 + 4 < 40

    model = overfitting(checkpoint_dir=tmp_path)
    stopped(model, lines, 0, best + 2)
    assert Folder(tmp_path).epochs() == [best + 1, best + 3]
    assert len(LSTMTextModel.load(tmp_path).history_) == best + 3
    assert_same_fit(whole, model.fit(lines))
    assert_same_fit(whole, LSTMTextModel.load(tmp_path))
    assert whole.sample(9, random_state=0) == LSTMTextModel.load(tmp_path).sample(9, random_state=0)


def test_a_fit_that_is_over_trains_nothing(make, table, whole, copied):
    """Another fit in the folder of one that is over gives its result, calls no callback and changes no file."""
    before = content(copied)
    synthesizer = make(checkpoint_dir=copied, callbacks=[failing(0, 0), failing(1, 0), failing(1, EPOCHS - 1)])

    assert_same_fit(whole, synthesizer.fit(table))
    assert before == content(copied)


def test_a_stop_that_a_callback_asked_for_is_final(make, table, tmp_path):
    """Where state.stop() ended a batch, another fit does not train it further."""

    def stop(state):
        if state.epoch == 1:
            state.stop()

    first = make(checkpoint_dir=tmp_path, callbacks=[stop]).fit(table)
    assert_same_fit(first, make(checkpoint_dir=tmp_path).fit(table))
    assert first.history_["epoch"].tolist() == [0, 1, 0, 1]


DIFFERENCES = {
    "a cell": ({}, lambda table: table.replace({"d": {"u": "v"}}), "digest of the token ids is '[0-9a-f]{64}' there and"),
    "a row": ({}, lambda table: table.head(63), "number of rows is 64 there and 63 here"),
    "another order": ({}, lambda table: table[::-1], "digest of the token ids is"),
    "a column": ({}, lambda table: table.rename(columns={"d": "e"}), r"columns is \['a', 'b', 'c', 'd'\] there and"),
    "the seed": ({"random_state": 1}, None, "random_state is 0 there and 1 here"),
    "epochs": ({"of_template": {"epochs": 9}}, None, f"text_model__epochs is {EPOCHS} there and 9 here"),
    "the batches": ({"clusterer": ColumnClusterer(batches=[["a"], ["b", "c", "d"]])}, None, "clusterer__batches is"),
    "min_frequency": ({"min_frequency": 2}, None, "min_frequency is 5 there and 2 here"),
    "the schema": ({"schema": {"a": fields.Category(["u", "v", "w"])}}, None, "schema is None there and"),
}


@pytest.mark.parametrize("case", DIFFERENCES)
def test_other_data_or_settings_are_refused(make, table, copied, case):
    """The error says what differs, and both remedies; nothing in the folder has changed."""
    parameters, change, message = DIFFERENCES[case]
    before, records = content(copied), table if change is None else change(table)
    synthesizer = make(checkpoint_dir=copied, **parameters)
    if case == "a column":
        synthesizer.set_params(clusterer__batches=[["a", "b"], ["c", "e"]])

    with pytest.raises(ValueError, match=f"checkpoint_dir: .*copied.*{message}.*overwrite=True.*another checkpoint_dir"):
        synthesizer.fit(records)
    assert before == content(copied)


def test_what_is_no_folder_is_refused(make, table):
    """A checkpoint_dir that is no path is refused before anything is fitted."""
    with pytest.raises(TypeError, match=r"'checkpoint_dir' parameter of .* must be the path of a folder or None, got 3"):
        make(checkpoint_dir=3).fit(table)


def test_overwrite_starts_afresh(make, table, copied):
    """overwrite=True gives the result of a fit in an empty folder, and removes only what fits have written."""
    (copied / "notes.txt").write_text("mine")
    (copied / "batch_1" / "plot.png").write_bytes(b"mine")
    one_batch = ColumnClusterer(batches=[list("abcd")])
    fitted = make(checkpoint_dir=copied, overwrite=True, clusterer=one_batch).fit(table)

    assert_same_fit(make(clusterer=one_batch).fit(table), fitted)
    assert_same_fit(fitted, BatchLSTMSynthesizer.load(copied))
    left = {name for name in content(copied) if not name.startswith("batch_0/")}
    assert left == {"settings.json", "clusterer.npz", "notes.txt", "batch_1/plot.png"}


@pytest.mark.parametrize("where", [".", "batch_1"])
def test_a_later_format_is_refused_by_name(make, table, copied, where):
    """What a later version has written is neither loaded nor taken up; the error names the version."""
    path = copied / where / "settings.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"format": 99, "sksynth": "9.9"}))

    for action in (lambda: BatchLSTMSynthesizer.load(copied), lambda: make(checkpoint_dir=copied).fit(table)):
        with pytest.raises(ModelFileError, match=r"settings.json.*sksynth 9\.9 in format 99"):
            action()


def test_the_folder_of_another_class_is_refused(make, table, copied):
    """A folder of a synthesizer is none of a text model, and the other way round."""
    with pytest.raises(ModelFileError, match="holds a BatchLSTMSynthesizer, expected a LSTMTextModel"):
        LSTMTextModel(checkpoint_dir=copied).fit(table)
    with pytest.raises(ModelFileError, match="holds a LSTMTextModel, expected a BatchLSTMSynthesizer"):
        make(checkpoint_dir=copied / "batch_0").fit(table)


def test_a_fit_can_be_looked_at_while_it_runs(make, table, tmp_path):
    """The best epochs so far can be loaded in the midst of a fit, once every batch has one; before, the error says so."""
    found = []

    def look(state):
        if state.batch == 0:
            with pytest.raises(ModelFileError, match=r"batch_1.*no epoch is over yet: call fit"):
                BatchLSTMSynthesizer.load(tmp_path)
        else:
            found.append(BatchLSTMSynthesizer.load(tmp_path))

    fitted = make(checkpoint_dir=tmp_path, callbacks=[look]).fit(table)

    assert [len(loaded.history_) for loaded in found] == [EPOCHS + epoch + 1 for epoch in range(EPOCHS)]
    assert found[0].sample(7).shape == (7, 4)
    assert_same_fit(fitted, found[-1])


def test_what_is_loaded_from_a_folder_is_there_to_sample(finished, table):
    """fit_batch, partial_fit and warm_start of it are refused with the reason."""
    loaded = BatchLSTMSynthesizer.load(finished)
    calls = {
        "fit_batch": lambda: loaded.fit_batch(0, table),
        "partial_fit": lambda: loaded.partial_fit(table),
        "warm_start": lambda: loaded.set_params(text_model__warm_start=True).fit(table),
    }

    for name, call in calls.items():
        with pytest.raises(RuntimeError, match=f"{name}: .* was loaded from the checkpoint_dir .*finished.*call fit with"):
            call()
    assert np.isfinite(loaded.score(table))


def test_partial_fit_has_nothing_to_do_with_the_folder(make, table, copied, tmp_path):
    """A first partial_fit neither takes up a fit that is in checkpoint_dir nor writes there."""
    before = content(copied)
    fitted = make(checkpoint_dir=copied).partial_fit(table)
    make(checkpoint_dir=tmp_path / "none").partial_fit(table)

    assert fitted.history_["epoch"].tolist() == [0, 0]
    assert before == content(copied)
    assert not (tmp_path / "none").exists()


def test_fit_batch_replaces_the_batch_in_the_folder(make, table, copied):
    """The batch that is trained anew is the one in the folder afterwards; the other has not changed."""
    fitted, before = make(checkpoint_dir=copied).fit(table), content(copied)
    fitted.set_params(random_state=1).fit_batch(1, table)
    after = content(copied)

    assert_same_fit(fitted, BatchLSTMSynthesizer.load(copied))
    assert {name for name in before if before[name] != after.get(name)} <= {name for name in before if "batch_1/" in name}
    assert before["batch_1/epoch_0005.npz"] != after["batch_1/epoch_0005.npz"]


def test_a_batch_that_was_lost_as_it_began_anew_is_trained(make, table, whole, copied):
    """Where fit_batch was killed between old and new, load says what to do, and fit trains this batch alone."""
    Folder(copied / "batch_1").clear()
    with pytest.raises(ModelFileError, match=r"batch_1.*no fit has begun: call fit with this checkpoint_dir"):
        BatchLSTMSynthesizer.load(copied)
    told = []
    fitted = make(checkpoint_dir=copied, callbacks=[lambda state: told.append(state.batch)]).fit(table)

    assert [1] * EPOCHS == told
    assert_same_fit(whole, fitted)
    assert_same_fit(whole, BatchLSTMSynthesizer.load(copied))


@pytest.fixture
def mortal(monkeypatch):
    """Return a function that lets this many files be renamed or removed, and no more; and a list of those that were."""
    done, limit = [], [np.inf]

    def counted(name, function):
        def change(*args, **named):
            if len(done) >= limit[0]:
                raise Killed
            done.append((name, *args))
            return function(*args, **named)

        return change

    monkeypatch.setattr(os, "replace", counted("replace", os.replace))
    monkeypatch.setattr(Path, "unlink", counted("unlink", Path.unlink))

    def allow(number):
        done.clear()
        limit[0] = number

    return allow, done


def test_death_at_any_change_of_a_file_costs_nothing(make, table, copied, tmp_path, mortal):
    """Killed before any one of the renames and removals of a fit that starts afresh, another ends as if nothing had been."""
    allow, done = mortal
    table = table[["a", "b"]]  # one batch, in a folder of two: fewer files, each of its own kind
    synthesizer = make({"epochs": 2}, random_state=3, clusterer=ColumnClusterer(batches=[["a", "b"]]))
    whole = clone(synthesizer).fit(table)
    clone(synthesizer).set_params(checkpoint_dir=shutil.copytree(copied, tmp_path / "all"), overwrite=True).fit(table)
    changes = len(done)
    assert changes > 15

    for number in range(1, changes):  # before the first, the fit that was there is there
        folder = Path(shutil.copytree(copied, tmp_path / f"after-{number}"))
        own = clone(synthesizer).set_params(checkpoint_dir=folder)
        allow(number)
        with pytest.raises(Killed):
            clone(own).set_params(overwrite=True).fit(table)
        allow(np.inf)
        assert_same_fit(whole, own.fit(table))
        assert_same_fit(whole, BatchLSTMSynthesizer.load(folder))
        assert not list(folder.rglob(".*.part"))
        shutil.rmtree(folder)


SECRETS = ["Zanzibarium", "Qxjvkwpz", "Wolpertinger", "KEY-918273", "1987-06-05", "row-of-mine"]


def test_no_cell_of_the_table_is_in_the_folder(synthesizer, template, tmp_path):
    """Rare categories, lines of text, identifiers, outliers and names of rows are in no file, in no usual encoding."""
    rng, n = np.random.default_rng(0), 80
    table = pd.DataFrame(
        {
            "city": np.where(np.arange(n) == 7, SECRETS[0], rng.choice(["Rome", "Oslo"], n)),
            "note": [f"{rng.choice(['good', 'bad'])} {rng.integers(1e6)}" for _ in range(n)],
            "key": [f"KEY-{number}" for number in rng.permutation(900_000)[:n] + 100_000],
            "when": pd.Timestamp("2001-01-01") + pd.to_timedelta(rng.integers(0, 1000, n), "D"),
            "amount": rng.normal(size=n).round(3),
        },
        index=[f"row-{number}" for number in range(n)],
    ).rename(index={"row-7": SECRETS[5]})
    table.loc[SECRETS[5], ["note", "key"]] = [f"{SECRETS[1]} {SECRETS[2]}", SECRETS[3]]
    table.loc[SECRETS[5], "when"] = pd.Timestamp(SECRETS[4])
    table.loc[SECRETS[5], "amount"] = 987654.321
    clusterer = ColumnClusterer(batches=[["city", "key", "when", "amount"], ["note"]])
    synthesizer(clusterer=clusterer, text_model=template(), checkpoint_dir=tmp_path, checkpoints="all").fit(table)
    words = SECRETS + ["987654.321", *table["key"], *(note for note in table["note"] if len(note) > 8)]
    forbidden = [word.encode(code) for word in words for code in ("utf-8", "utf-16-le", "utf-32-le")]
    forbidden += [struct.pack("<d", 987654.321), struct.pack("<q", 987654321), table["when"].min().to_datetime64().tobytes()]

    files = content(tmp_path)
    assert len(files) > 8
    for name, data in files.items():
        assert not [word for word in forbidden if word in data], name


PUBLIC = {name: fields.Category(["u", "v", "w"]) for name in "abcd"}


@pytest.fixture(scope="module")
def private(make):
    """Return a function that makes a private synthesizer of two batches, of four epochs of two steps each."""
    return lambda **parameters: make(
        {"epochs": 4, "validation_fraction": None, "early_stopping": "auto", "batch_size": 32},
        **{"schema": PUBLIC, "epsilon": 2.0} | parameters,
    )


def numbers_in(tree):
    """Yield every number of a tree of plain data."""
    if isinstance(tree, dict | list):
        for value in tree.values() if isinstance(tree, dict) else tree:
            yield from numbers_in(value)
    elif isinstance(tree, int | float) and not isinstance(tree, bool):
        yield tree


@pytest.mark.filterwarnings("ignore:noise drowns the signal:UserWarning")
@pytest.mark.parametrize("schema", ["public", "private"])
def test_private_folders_hold_neither_seed_nor_digest(private, table, tmp_path, schema):
    """With epsilon no settings hold a seed, a digest, or a number of rows that is not public."""
    parameters = {"schema": "private"} if schema == "private" else {}
    rows = pd.concat([table] * 7)[:397]
    private(checkpoint_dir=tmp_path, random_state=987123, **parameters).fit(rows)

    assert len(list(tmp_path.rglob("settings.json"))) == 3
    for path in tmp_path.rglob("settings.json"):
        text = path.read_text()
        settings = json.loads(text)
        assert settings.get("data") is settings.get("seed") is settings["params"]["random_state"] is None
        assert not {397, 987123} & set(numbers_in(settings))
        assert "digest" not in text
        assert "987123" not in text


@pytest.mark.filterwarnings("ignore:noise drowns the signal:UserWarning")
def test_nothing_of_a_private_epoch_is_told_before_it_is_kept(private, table, tmp_path):
    """When a callable or a callback of Keras is called after an epoch, its file and its row are on disk."""
    told = []

    def look(state):
        folder = tmp_path / f"batch_{state.batch}"
        assert (folder / f"epoch_{state.epoch + 1:04d}.npz").exists()
        assert len(pd.read_csv(folder / "history.csv")) == state.epoch + 1
        told.append((state.batch, state.epoch))

    class Look(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            assert any((folder / f"epoch_{epoch + 1:04d}.npz").exists() for folder in tmp_path.glob("batch_*"))

        def __deepcopy__(self, memo):
            return type(self)()

    private(checkpoint_dir=tmp_path, callbacks=[look, Look()]).fit(table)
    assert told == [(batch, epoch) for batch in range(2) for epoch in range(4)]


@pytest.mark.filterwarnings("ignore:noise drowns the signal:UserWarning")
def test_private_steps_that_were_lost_are_drawn_again(private, table, tmp_path, monkeypatch):
    """Killed within an epoch, a private fit draws its steps again; each stands once in history and ledger."""
    taken, take = [], _dp_sgd._Steps.take

    def mortal(steps, step):
        if len(taken) == 13:  # within the third epoch of the second batch
            raise Killed
        taken.append(step)
        return take(steps, step)

    monkeypatch.setattr(_dp_sgd._Steps, "take", mortal)
    with pytest.raises(Killed):
        private(checkpoint_dir=tmp_path).fit(table)
    so_far = BatchLSTMSynthesizer.load(tmp_path)
    monkeypatch.setattr(_dp_sgd._Steps, "take", lambda steps, step: (taken.append(step), take(steps, step)))
    fitted = private(checkpoint_dir=tmp_path, random_state=8).fit(table)

    assert taken == [*range(8), *range(5), *range(4, 8)]
    assert [row["steps_taken"] for row in so_far.privacy_ledger_["parameters"] if "steps_taken" in row] == [8, 4]
    for estimator in (fitted, BatchLSTMSynthesizer.load(tmp_path)):
        assert estimator.history_["epoch"].tolist() == [0, 1, 2, 3] * 2
        rows = [row for row in estimator.privacy_ledger_["parameters"] if "steps_taken" in row]
        assert [row["steps_taken"] for row in rows] == [row["steps_planned"] for row in rows] == [8, 8]
        assert estimator.epsilon_ == so_far.epsilon_


@pytest.mark.filterwarnings("ignore:noise drowns the signal:UserWarning")
def test_a_private_model_of_lines_tells_its_steps_when_loaded(tmp_path):
    """The ledger of a private text model says after load how many steps were taken, stopped early or not."""
    parameters = {"rnn_units": 4, "embedding_dim": 4, "epochs": 4, "batch_size": 40, "epsilon": 2.0, "random_state": 0}
    model = LSTMTextModel(CharTokenizer(alphabet="ab", max_length=4), checkpoint_dir=tmp_path, **parameters)
    stopped(model, LINES, 0, 1)
    so_far = LSTMTextModel.load(tmp_path).privacy_ledger_
    fitted = model.fit(LINES)

    assert [4] == [row["steps_taken"] for row in so_far["parameters"]]
    assert [8] == [row["steps_taken"] for row in fitted.privacy_ledger_["parameters"]]
    assert_frame_equal(fitted.privacy_ledger_, LSTMTextModel.load(tmp_path).privacy_ledger_)
