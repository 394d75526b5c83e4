"""Promises about training a fitted model further, or a batch of it anew: what changes, what is refused, what stays."""

import pickle
import signal
from copy import deepcopy

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from sksynth import BatchLSTMSynthesizer, ColumnClusterer, LSTMTextModel
from sksynth.fields import Boolean, Category

SECRET = "Zyxwvutsrq"


def rows(n, seed=0):
    """Return n rows in which the city follows from the person, of one numeric column, and of one that has room for more."""
    rng = np.random.default_rng(seed)
    person = rng.integers(0, 4, n)
    return pd.DataFrame(
        {
            "person": np.array(["ann", "bob", "cem", "dee"], object)[person],
            "city": np.array(["oslo", "rome", "bonn", "kiel"], object)[person],
            "count": rng.integers(0, 8, n),
            "colour": rng.choice(["red", "blue"], n).astype(object),
        }
    )


@pytest.fixture(scope="module")
def make(synthesizer, template):
    """Return a function that makes a synthesizer of two batches; parameters of either kind may be changed."""

    def make(of_template=None, **parameters):
        own = {
            "clusterer": ColumnClusterer(batches=[["person", "city"], ["count", "colour"]]),
            "text_model": template(**{"learning_rate": 0.05} | (of_template or {})),
            "schema": {"colour": Category(extensible=True)},
        }
        return synthesizer(**own | parameters)

    return make


@pytest.fixture(scope="module")
def fitted(make):
    """Return a synthesizer that was fitted on few rows for an epoch; not to be changed."""
    return make().fit(rows(64))


@pytest.fixture(scope="module")
def unlinked(make):
    """Return the same of batches that are not linked; not to be changed."""
    return make(linked=False).fit(rows(64))


@pytest.fixture(scope="module")
def fitted_model():
    """Return a model of a table that was fitted alone; not to be changed."""
    model = LSTMTextModel(rnn_units=4, embedding_dim=4, epochs=1, batch_size=32, validation_fraction=0.0, random_state=0)
    return model.fit(rows(64)[["person", "city"]])


def state_of(estimator):
    """Return a digest of all that an estimator knows."""
    return joblib.hash(vars(estimator))


HELD_OUT = rows(500, seed=99)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_more_rows_make_it_better(fitted, n_jobs):
    """Passes over more rows of the same kind raise the held-out score, by far; what they are trained in is no matter."""
    further = deepcopy(fitted).set_params(n_jobs=n_jobs)
    for seed in range(1, 7):
        assert further is further.partial_fit(rows(640, seed))

    assert further.score(HELD_OUT) > fitted.score(HELD_OUT) + 0.5
    assert {0: 7, 1: 7} == further.history_.groupby("batch").size().to_dict()


def test_epochs_go_on(fitted):
    """The epochs of further training are counted on, in history_ and for callbacks; the best is one of the last training's."""
    told = []
    further = deepcopy(fitted).set_params(callbacks=[told.append]).partial_fit(rows(64, 1))
    further.set_params(text_model__warm_start=True, text_model__epochs=2).fit(rows(64, 2))
    history = further.history_

    assert [(0, 1, 2), (1, 1, 2), (0, 2, 4), (0, 3, 4), (1, 2, 4), (1, 3, 4)] == [
        (state.batch, state.epoch, state.n_epochs) for state in told
    ]
    assert [0, 1, 2, 3] * 2 == history["epoch"].tolist()
    assert fitted.history_["loss"].tolist() == history.loc[history["epoch"] == 0, "loss"].tolist()
    assert (history[history["best"]].groupby("batch")["epoch"].min() >= 2).all()
    assert [1, 1] == history.groupby("batch")["best"].sum().tolist()


def test_the_bar_has_the_epochs_of_its_own_call(fitted, capfd):
    """The bar of further training ends at the epochs that it took, those before left out."""
    deepcopy(fitted).set_params(verbose=1).partial_fit(rows(64, 1))

    last = capfd.readouterr().err.split("\r")[-1]
    assert "100%" in last
    assert " 2/2 epochs" in last
    assert "batches=2/2" in last


def test_warm_start_goes_on_where_the_network_is(fitted):
    """With warm_start, fit of a fitted synthesizer trains its networks further, by the template's epochs; else new ones."""
    warm = deepcopy(fitted).set_params(text_model__warm_start=True, text_model__epochs=5).fit(rows(640, 1))
    anew = deepcopy(fitted).set_params(text_model__epochs=5).fit(rows(640, 1))

    assert {0: 6, 1: 6} == warm.history_.groupby("batch").size().to_dict()
    assert {0: 5, 1: 5} == anew.history_.groupby("batch").size().to_dict()
    assert warm.score(HELD_OUT) > fitted.score(HELD_OUT) + 0.2
    assert all(model.epochs == 5 for model in warm.models_)


def test_another_network_is_refused(fitted):
    """Further training cannot change the size of the network: the message says which parameter asks for that."""
    further = deepcopy(fitted).set_params(text_model__warm_start=True, text_model__rnn_units=8)
    before = state_of(further)
    with pytest.raises(ValueError, match=r"rnn_units=8, but the network .* has 4: leave it as it was, or fit anew"):
        further.fit(rows(64, 1))
    assert before == state_of(further)


def test_the_first_partial_fit_fits(make):
    """partial_fit of an unfitted synthesizer, or model, is a fit of one epoch on all rows."""
    first = make({"epochs": 7, "validation_fraction": 0.5}).partial_fit(rows(64))

    assert [0, 0] == first.history_["epoch"].tolist()
    assert first.history_["val_loss"].isna().all()
    assert (3, 4) == first.sample(3).shape


def test_lines_are_trained_further():
    """A model of lines learns more lines: passes over them raise their score."""
    model = LSTMTextModel(rnn_units=8, embedding_dim=4, epochs=1, batch_size=16, learning_rate=0.05, random_state=0)
    model.fit(["ab", "ba"] * 32)
    before = model.score(["ba"])
    for _ in range(4):
        model.partial_fit(["ba"] * 64)

    assert model.score(["ba"]) > before + 0.1
    assert 5 == len(model.history_)


def test_a_new_category_is_sampled_where_there_is_room(fitted):
    """A category of an extensible field, seen in further training alone, is sampled about as often as it was seen there."""
    later = rows(640, 1).assign(colour=["green", "red"] * 320)
    further = deepcopy(fitted)
    for _ in range(6):
        further.partial_fit(later)
    drawn = further.sample(1000, random_state=0)

    assert "green" not in set(fitted.sample(1000, random_state=0)["colour"])
    assert 0.2 < (drawn["colour"] == "green").mean() < 0.8
    assert ("blue", "red", "green") == tuple(further.schema_["colour"].categories)
    assert ("blue", "red") == tuple(fitted.schema_["colour"].categories)
    assert further.score(later) > -1e3


REFUSED = {
    "a category": ({"city": ["graz"] * 64}, "'city'.*'graz' in 64 rows.*extensible=True"),
    "beyond the range": ({"count": np.arange(64) + 100}, "'count'"),
    "missing cells": ({"person": [None] * 64}, "'person'.*missing"),
    "another dtype": ({"count": ["many"] * 64}, "'count'"),
}


@pytest.mark.parametrize("how", ["partial_fit", "warm_start"])
@pytest.mark.parametrize("case", REFUSED)
def test_what_there_is_no_room_for_is_refused(fitted, case, how):
    """New categories, values beyond the range and missing cells are refused by the column's name, and nothing changes."""
    changed, message = REFUSED[case]
    further = deepcopy(fitted).set_params(text_model__warm_start=True)
    before = state_of(further)
    with pytest.raises((ValueError, TypeError), match=message):
        (further.partial_fit if how == "partial_fit" else further.fit)(rows(64, 1).assign(**changed))

    assert before == state_of(further)


@pytest.mark.parametrize("columns", [["person", "city", "count"], ["city", "person", "count", "colour"]])
def test_other_columns_are_refused(fitted, columns):
    """Further training needs the columns of fit, in their order."""
    before = state_of(fitted)
    with pytest.raises(ValueError, match="feature names"):
        fitted.partial_fit(rows(64, 1)[columns])
    assert before == state_of(fitted)


def broken(state):
    """Fail."""
    raise OSError("no paper left")


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_nothing_is_lost_where_further_training_fails(fitted, n_jobs):
    """An error within further training, a loss that is no number too, leaves everything as it was: all batches or none."""
    for changed, error in (({"callbacks": [broken]}, RuntimeError), ({"text_model__learning_rate": 1e30}, FloatingPointError)):
        further = deepcopy(fitted).set_params(n_jobs=n_jobs, **changed)
        before = state_of(further)
        with pytest.raises(error):
            further.set_params(text_model__warm_start=True).fit(rows(64, 1).assign(colour="green"))
        assert before == state_of(further.set_params(text_model__warm_start=False))


def test_a_model_of_its_own_loses_nothing(fitted_model):
    """A model that is fitted alone is as it was where further training fails, and is trained further afterwards."""
    further = deepcopy(fitted_model).set_params(callbacks=[broken])
    before = state_of(further)
    with pytest.raises(RuntimeError, match=r"broken failed in epoch 1 of batch 0: OSError: no paper left"):
        further.partial_fit(rows(64, 1)[["person", "city"]])
    assert before == state_of(further)
    with pytest.raises(ValueError, match="'city'"):
        further.partial_fit(rows(64, 1)[["person", "city"]].assign(city="graz"))
    assert before == state_of(further)

    further.set_params(callbacks=None).partial_fit(rows(64, 1)[["person", "city"]])
    assert [0, 1] == further.history_["epoch"].tolist()


def test_interrupted_further_training_keeps_what_it_has(fitted, sigint):
    """Where further training is interrupted in the first batch, the second is as it was, and reads what is new nonetheless."""
    later, further = rows(64, 1).assign(colour="green"), deepcopy(fitted)
    further.set_params(callbacks=[lambda state: signal.raise_signal(signal.SIGINT) if state.batch == 0 else None])
    with pytest.raises(KeyboardInterrupt, match="what was learned is kept"):
        further.partial_fit(later)

    assert further.interrupted_ is True
    assert {0: 2, 1: 1} == further.history_.groupby("batch").size().to_dict()
    assert [1, 1] == further.history_.groupby("batch")["best"].sum().tolist()
    assert np.isfinite(further.score_samples(later)).all()
    assert (50, 4) == further.sample(50).shape


def test_arrays_are_read_by_the_places_of_columns(make):
    """Rows in an array are those of the table that fit saw, by the places of its columns, as in scikit-learn."""
    table = rows(64)
    fitted = make().fit(table)
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        np.testing.assert_array_equal(fitted.score_samples(table), fitted.score_samples(table.to_numpy()))
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        fitted.partial_fit(table.to_numpy())
    assert [0, 1] * 2 == fitted.history_["epoch"].tolist()


# One batch anew


def test_fit_batch_replaces_one_model(unlinked):
    """fit_batch trains one batch anew on the rows that it is given; the other's model is the very object as before."""
    fitted, other = unlinked, deepcopy(unlinked)
    models = list(other.models_)
    result = other.fit_batch(0, rows(640, 1).assign(person="eve"))

    assert result is other
    assert models[1] is other.models_[1]
    assert models[0] is not other.models_[0]
    assert {"eve"} == set(other.sample(50)["person"])
    assert ["eve"] == list(other.schema_["person"].categories)
    assert [0, 0] == other.history_["epoch"].tolist()
    assert fitted.history_["loss"][1] == other.history_["loss"][1]
    assert fitted.history_["loss"][0] != other.history_["loss"][0]
    assert list(fitted.columns_) == list(other.sample(2).columns)


def test_fit_batch_is_a_function_of_its_seed(fitted):
    """On the rows of fit, with its seed, fit_batch makes the very model of fit; with another seed another."""
    table = rows(64)
    same = deepcopy(fitted).fit_batch(1, table)
    other = deepcopy(fitted).set_params(random_state=1).fit_batch(1, table)

    np.testing.assert_array_equal(fitted.score_samples(HELD_OUT), same.score_samples(HELD_OUT))
    assert (fitted.score_samples(HELD_OUT) != other.score_samples(HELD_OUT)).any()


def test_fit_batch_takes_the_columns_of_the_batch(unlinked):
    """The rows for fit_batch have the columns of its model, in a frame of any others too, or in an array in their order."""
    table, read = rows(64), unlinked.models_[1].columns_
    passed = (table, table[read[::-1]], table[read].to_numpy(), table.to_numpy())
    results = [deepcopy(unlinked).fit_batch(1, X) for X in passed]

    for result in results[1:]:
        np.testing.assert_array_equal(results[0].score_samples(HELD_OUT), result.score_samples(HELD_OUT))


BAD_BATCHES = {
    "no such batch": ((2, rows(64)), ValueError, r"batch must be an int from 0 to 1, a position in batches_, got 2"),
    "a negative one": ((-1, rows(64)), ValueError, "from 0 to 1.*got -1"),
    "a name": (("person", rows(64)), ValueError, "from 0 to 1.*got 'person'"),
    "a truth value": ((True, rows(64)), ValueError, "from 0 to 1.*got True"),
    "columns of another": ((0, rows(64)[["count"]]), ValueError, r"X lacks columns of batch 0.*'person'.*; pass all of"),
    "no rows at all": ((0,), RuntimeError, "fit_batch: no rows to train on, as fit keeps none: pass them"),
    "an empty table": ((0, rows(0)), ValueError, "at least one row"),
}


@pytest.mark.parametrize("case", BAD_BATCHES)
def test_bad_requests_of_a_batch_are_refused(fitted, case):
    """fit_batch says what it was given, what it needs and what to do; the synthesizer stays as it was."""
    arguments, error, message = BAD_BATCHES[case]
    before = state_of(fitted)
    with pytest.raises(error, match=message):
        fitted.fit_batch(*arguments)
    assert before == state_of(fitted)


def test_fit_batch_needs_fit(make):
    """Before fit there is no batch to train anew."""
    with pytest.raises(NotFittedError):
        make().fit_batch(0, rows(64))


def test_fit_batch_that_fails_changes_nothing(fitted):
    """Where the new model fails in training, the old one stays; the error names the batch."""
    other = deepcopy(fitted).set_params(callbacks=[broken])
    before = state_of(other)
    with pytest.raises(RuntimeError, match=r"broken failed in epoch 0 of batch 1"):
        other.fit_batch(1, rows(64, 1))
    assert before == state_of(other)


def test_a_loaded_synthesizer_is_trained_further(fitted, tmp_path):
    """What was saved and loaded has no rows either, and is trained further, or a batch of it anew, as the original is."""
    fitted.save(tmp_path / "file")
    loaded, original = BatchLSTMSynthesizer.load(tmp_path / "file"), deepcopy(fitted)
    with pytest.raises(RuntimeError, match="no rows to train on, as fit keeps none: pass them, as in fit_batch"):
        loaded.fit_batch(0)
    for estimator in (loaded, original):
        estimator.partial_fit(rows(64, 1)).fit_batch(0, rows(64, 2))

    np.testing.assert_array_equal(original.score_samples(HELD_OUT), loaded.score_samples(HELD_OUT))


def test_fit_keeps_no_rows(make):
    """A fitted synthesizer holds no value that few rows have, and does not grow with the rows."""
    table = rows(64)
    table.loc[3, ["person", "city", "colour"]] = SECRET
    few = make(schema=None, linked=False).fit(table)
    many = make(schema=None, linked=False).fit(
        pd.concat([table] * 4, ignore_index=True).assign(**{"person": rows(256)["person"]})
    )

    assert SECRET.encode() not in pickle.dumps(few)
    assert len(pickle.dumps(many)) < len(pickle.dumps(few)) + 500


# What may not be trained further


@pytest.fixture(scope="module")
def private(make):
    """Return a synthesizer that was fitted privately, if only for a step per batch; not to be changed."""
    table = pd.DataFrame({"a": [True, False] * 32, "b": [False, True] * 32})
    fitted = make(
        clusterer=ColumnClusterer(batches=[["a"], ["b"]]), schema={"a": Boolean(), "b": Boolean()}, epsilon=3.0, delta=1e-4,
        max_time=1e-3,
    )  # fmt: skip
    return fitted.set_params(text_model__validation_fraction=None, text_model__learning_rate=None).fit(table), table


FURTHER = {
    "partial_fit": lambda estimator, X: estimator.partial_fit(X),
    "fit_batch": lambda estimator, X: estimator.fit_batch(0, X),
    "warm_start": lambda estimator, X: estimator.set_params(text_model__warm_start=True).fit(X),
}


@pytest.mark.parametrize("how", FURTHER)
@pytest.mark.parametrize("epsilon", [3.0, None])
def test_what_is_private_is_not_trained_further(private, how, epsilon):
    """A private fit spends the budget: further training is refused, without epsilon too, which would publish the rows."""
    fitted, table = private
    further = deepcopy(fitted).set_params(epsilon=epsilon, delta=None)
    before = further.score(table), further.epsilon_
    with pytest.raises(RuntimeError, match=f"{how}: this BatchLSTMSynthesizer is private, and its budget is spent by one fit"):
        FURTHER[how](further, table)
    assert before == (further.score(table), further.epsilon_)


def test_a_private_model_of_its_own_is_not_trained_further():
    """Further training of a model that is private is refused."""
    model = LSTMTextModel(rnn_units=4, embedding_dim=4, batch_size=16, noise_multiplier=1.0, delta=1e-4, max_time=1e-3)
    model.fit(["ab", "ba"] * 32)
    for further in (model.partial_fit, clone(model).partial_fit, model.set_params(warm_start=True).fit):
        with pytest.raises(RuntimeError, match="this LSTMTextModel is private, and its budget is spent by one fit"):
            further(["ab"])


@pytest.mark.parametrize("how", FURTHER)
def test_what_was_opened_to_look_at_is_not_trained_further(make, tmp_path, how):
    """What was loaded from a checkpoint_dir samples; training goes on with fit there, as the message says."""
    make(checkpoint_dir=tmp_path).fit(rows(64))
    opened = BatchLSTMSynthesizer.load(tmp_path)
    with pytest.raises(RuntimeError, match=f"{how}: .*loaded from the checkpoint_dir .*call fit with that checkpoint_dir"):
        FURTHER[how](opened, rows(64, 1))
    assert (2, 4) == opened.sample(2).shape
