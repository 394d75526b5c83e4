"""Promises of the estimators as citizens of scikit-learn; ColumnClusterer's are in test_clusterer.py."""

import copy
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import parametrize_with_checks

from sksynth import BatchLSTMSynthesizer, ColumnClusterer, LSTMTextModel
from sksynth.datasets import make_mixed
from sksynth.fields import Category

TINY = {"embedding_dim": 4, "rnn_units": 4, "epochs": 1, "batch_size": 16}


@parametrize_with_checks([LSTMTextModel(**TINY), BatchLSTMSynthesizer(text_model=LSTMTextModel(**TINY))])
def test_it_is_an_estimator_of_scikit_learn(estimator, check):
    """Every check that scikit-learn has for estimators passes; none is expected to fail."""
    check(estimator)


def test_clone_copies_parameters_and_nothing_learned(fitted_small):
    """A clone has the same parameters, templates of its own, and is not fitted."""
    other = clone(fitted_small)

    assert fitted_small.get_params(deep=False).keys() == other.get_params(deep=False).keys()
    assert fitted_small.get_params()["text_model__rnn_units"] == other.get_params()["text_model__rnn_units"] == 4
    assert other.text_model is not fitted_small.text_model
    with pytest.raises(NotFittedError):
        other.sample()


@pytest.mark.parametrize(("name", "value"), [("text_model__rnn_units", 8), ("clusterer__max_columns", 3)])
def test_nested_parameters_can_be_set_where_no_template_is(name, value):
    """set_params reaches into a template that is None, and into one that is there."""
    synthesizer = BatchLSTMSynthesizer().set_params(**{name: value})
    assert value == synthesizer.get_params()[name]

    first = getattr(synthesizer, name.split("__")[0])
    assert value + 1 == synthesizer.set_params(**{name: value + 1}).get_params()[name]
    assert first is getattr(synthesizer, name.split("__")[0])


def test_a_template_and_its_parameter_can_be_set_together():
    """set_params takes a new template and a parameter of it in one call, in any order, and None for a default one."""
    synthesizer = BatchLSTMSynthesizer(text_model=LSTMTextModel(epochs=7))
    synthesizer.set_params(text_model__rnn_units=8, text_model=LSTMTextModel(epochs=3))
    assert (8, 3) == (synthesizer.text_model.rnn_units, synthesizer.text_model.epochs)

    synthesizer.set_params(text_model=None, text_model__rnn_units=9)
    assert (9, None) == (synthesizer.text_model.rnn_units, synthesizer.text_model.epochs)


@pytest.mark.parametrize("name", ["unknown", "text_model__unknown"])
def test_unknown_parameters_are_refused(name):
    """set_params names a parameter that there is not."""
    with pytest.raises(ValueError, match="unknown"):
        BatchLSTMSynthesizer().set_params(**{name: 1})


def test_it_ends_a_pipeline(small, synthesizer):
    """A pipeline fits the synthesizer on what its transformers make."""
    pipeline = make_pipeline(FunctionTransformer(lambda X: X[["colour"]]), synthesizer())
    sample = pipeline.fit(small)[-1].sample(5)

    assert ["colour"] == list(sample)
    assert np.isfinite(pipeline.score(small))


def test_grid_search_tunes_the_bare_synthesizer(small):
    """GridSearchCV sets nested parameters on templates that are None and compares by the default score."""
    grid = {"text_model__rnn_units": [4, 8], "text_model__epochs": [1]}
    search = GridSearchCV(BatchLSTMSynthesizer(random_state=0), grid, cv=2, error_score="raise").fit(small)

    scores = search.cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()
    assert scores[0] != scores[1]
    assert search.best_params_ == search.cv_results_["params"][int(np.argmax(scores))]
    assert [search.best_params_["text_model__rnn_units"]] == [m.rnn_units for m in search.best_estimator_.models_]
    assert 3 == len(search.best_estimator_.sample(3))


@pytest.mark.parametrize("copy_of", [copy.deepcopy, lambda estimator: pickle.loads(pickle.dumps(estimator))])
def test_copies_draw_the_same_rows(fitted_orders, orders, copy_of):
    """A deep copy and an unpickled one sample and score to the bit as the original does."""
    other = copy_of(fitted_orders)

    assert_frame_equal(fitted_orders.sample(20, random_state=1), other.sample(20, random_state=1))
    np.testing.assert_array_equal(fitted_orders.score_samples(orders), other.score_samples(orders))


def test_a_dumped_synthesizer_works_in_a_fresh_process(fitted_orders, tmp_path):
    """What joblib.dump wrote, a fresh process loads without more ado and samples the same rows for the same seed."""
    joblib.dump(fitted_orders, tmp_path / "synthesizer.joblib")
    code = (
        "import sys, joblib; path = sys.argv[1]; "
        "joblib.load(path + '/synthesizer.joblib').sample(20, random_state=1).to_pickle(path + '/rows.pickle')"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path)], check=True)

    assert_frame_equal(fitted_orders.sample(20, random_state=1), pd.read_pickle(tmp_path / "rows.pickle"))


USES = {
    "sample": lambda estimator: estimator.sample(),
    "score": lambda estimator: estimator.score([["a"]]),
    "score_samples": lambda estimator: estimator.score_samples([["a"]]),
    "sample_iter": lambda estimator: estimator.sample_iter(2),
}


@pytest.mark.parametrize(
    ("estimator", "use"),
    [(BatchLSTMSynthesizer(), use) for use in USES] + [(LSTMTextModel(), use) for use in USES if use != "sample_iter"],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_nothing_works_before_fit(estimator, use):
    """Every method that needs fit says so at once."""
    with pytest.raises(NotFittedError, match=f"This {type(estimator).__name__} instance is not fitted yet"):
        USES[use](estimator)


def test_fit_leaves_the_callers_frame(orders, fitted_orders):
    """A frame of every kind of column is the same after fit, sample and score as it was made."""
    fitted_orders.sample(2)
    fitted_orders.score(orders)

    assert_frame_equal(make_mixed(len(orders), random_state=0), orders)


def test_fit_leaves_the_constructors_arguments(small, template):
    """Templates stay unfitted and, like the schema, the objects that they were, with the contents that they had."""
    schema = {"colour": Category(["red", "blue", "rare"], nullable=True)}
    clusterer, text_model = ColumnClusterer(batches=[["count", "colour"], ["flag"]]), template()
    parts = schema, vars(clusterer), vars(text_model)
    before = copy.deepcopy(parts)
    synthesizer = BatchLSTMSynthesizer(clusterer, text_model, schema=schema, random_state=0).fit(small)

    assert before == parts
    assert clusterer is synthesizer.clusterer
    assert text_model is synthesizer.text_model
    assert schema is synthesizer.schema


def test_a_seed_sequence_of_the_callers_is_not_spent(small, template):
    """Two fits from one SeedSequence are the same fit."""
    seed = np.random.SeedSequence(3)
    first, second = (template(random_state=seed).fit(small).score(small) for _ in range(2))

    assert first == second
    assert 0 == seed.n_children_spawned


def test_a_fit_that_fails_leaves_nothing_half_fitted(small, synthesizer):
    """After a failed refit the estimator is as it was before, rather than half of each."""
    estimator = synthesizer().fit(small[["colour"]])
    with pytest.raises(FloatingPointError):
        estimator.set_params(text_model__learning_rate=1e38, text_model__epochs=4).fit(small[["flag"]])
    assert ["colour"] == estimator.columns_ == list(estimator.sample(3).columns)
