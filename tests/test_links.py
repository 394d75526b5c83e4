"""Promises of linked batches: what is read as context, and that it stays so where a synthesizer is kept or trained further."""

import itertools
import json
import shutil
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from sksynth import BatchLSTMSynthesizer, ColumnClusterer, fields
from sksynth._association import WEAK, measured_association, signs_of
from sksynth._links import LINKS, chain, checked_links, find_links, reading_order
from sksynth.persistence import ModelFileError

BATCHES = [["a", "note", "b"], ["key", "b_again", "a_again"]]  # `again` repeats, `note` is text, `key` an identifier
FIELDS = {"note": fields.Text(max_length=3), "key": fields.Identifier()}


def made_association(names, pairs):
    """Return an association of columns: that of some pairs, else none."""
    result = pd.DataFrame(np.eye(len(names)), index=list(names), columns=list(names))
    for (one, other), value in pairs.items():
        result.loc[one, other] = result.loc[other, one] = value
    return result


def kinds_of(names, **others):
    """Return the kind of every column: a category, unless told otherwise."""
    return dict.fromkeys(names, "category") | others


def rows(n_rows, seed=0):
    """Return rows of six columns, two of which repeat two others."""
    rng = np.random.default_rng(seed)
    a, b = rng.choice(["u", "v", "w"], n_rows), rng.choice(["x", "y"], n_rows)
    key = [f"K{number:05d}" for number in rng.permutation(90_000)[:n_rows]]
    note = rng.choice(["ab", "ba", "b"], n_rows)
    return pd.DataFrame({"key": key, "a": a, "b": b, "note": note, "a_again": a, "b_again": b})


@pytest.fixture(scope="module")
def table():
    """Return rows to fit on; not to be changed."""
    return rows(200)


@pytest.fixture(scope="module")
def make(synthesizer, template):
    """Return a function that makes a synthesizer of two batches; parameters of either kind may be changed."""

    def make(of_template=None, **parameters):
        text_model = template(**{"epochs": 3, "learning_rate": 0.05} | (of_template or {}))
        own = {"clusterer": ColumnClusterer(batches=BATCHES), "text_model": text_model, "schema": FIELDS}
        return synthesizer(**own | parameters)

    return make


@pytest.fixture(scope="module")
def fitted(make, table):
    """Return a synthesizer of two linked batches; not to be changed."""
    return make().fit(table)


# What is chosen


def test_context_is_what_says_most_about_the_columns_of_a_batch():
    """Context columns are chosen one after the other, each for what those before it leave unexplained."""
    names = ["a", "b", "c", "x", "y", "z"]
    pairs = {("a", "x"): 0.8, ("a", "c"): 0.8, ("c", "x"): 0.64, ("b", "y"): 0.5}
    links = find_links([["x", "y", "z"], ["a", "b", "c"]], made_association(names, pairs), kinds_of(names))

    assert links == [["a", "b"], []]  # c says of x what a has said, with noise


def test_signs_tell_what_is_said_twice():
    """Where the signs of associations are known, a column that adds to what is chosen is told from one that repeats it."""
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 4000))
    frame = pd.DataFrame({"sum": first + second, "difference": first - second, "first": first, "other": rng.normal(size=4000)})
    frame["copy"] = pd.qcut(frame["first"] + rng.normal(size=4000) / 2, 5, labels=[*"bdace"]).astype(str)
    association = measured_association(frame)
    signs = signs_of(frame, association.to_numpy())
    links = find_links([["sum", "difference"], ["first", "copy", "other"]], association, kinds_of(list(frame)), signs)

    assert links[0] + links[1] in (["first"], ["sum", "difference"])
    assert signs[0, 2] == signs[1, 2] == signs[2, 0] == 1
    order = frame.groupby("copy")["first"].mean().sort_values().index.tolist()
    assert order == [*"bdace"]


def test_correlations_of_columns_that_fall_with_each_other_are_negative():
    """Numbers are ordered by themselves, categories by the columns that they are associated with."""
    rng = np.random.default_rng(0)
    number = rng.normal(size=1000)
    level = pd.cut(number, [-9, -1, 0, 1, 9], labels=[*"cadb"]).astype(str)
    frame = pd.DataFrame({"number": number, "negative": -number, "level": level, "constant": 1, "missing": np.nan})
    signs = signs_of(frame, measured_association(frame).to_numpy())
    assert signs[0, 1] == -1
    assert signs[0, 2] == -signs[1, 2]


def test_what_is_no_more_than_chance_links_nothing():
    """Columns that are hardly associated are no context, however many they are."""
    names = [f"{group}{number}" for group in "ab" for number in range(20)]
    association = made_association(names, dict.fromkeys(itertools.combinations(names, 2), 0.99 * WEAK))

    assert find_links([names[:20], names[20:]], association, kinds_of(names)) == [[], []]


def test_context_has_few_columns():
    """A batch reads at most so many context columns, whatever there are."""
    pairs = {(f"a{number}", f"b{number}"): 0.9 for number in range(LINKS + 1)}
    names = [name for pair in pairs for name in pair]
    links = find_links([names[::2], names[1::2]], made_association(names, pairs), kinds_of(names))

    assert sorted(map(len, links)) == [0, LINKS]


def test_text_and_identifiers_are_no_context():
    """Columns of text read context, but are none; identifiers, of which nothing is learned, do neither."""
    names = ["note", "key", "a", "b"]
    strong = made_association(names, dict.fromkeys(itertools.combinations(names, 2), 0.9))
    links = find_links([["note"], ["key"], ["a"], ["b"]], strong, kinds_of(names, note="text", key="identifier"))

    assert links[0]
    assert set(links[0]) <= {"a", "b"}
    assert links[1] == []
    assert sorted(links[2:]) in ([[], ["a"]], [[], ["b"]])


def test_choices_do_not_depend_on_the_order_of_columns():
    """Context, and the order in which columns are read, are the same wherever in the table columns stand, in ties too."""
    rng = np.random.default_rng(0)
    names = [*"abcdefgh", 1, 2, 3, ("i", 4)]
    values = np.round(rng.uniform(0, 0.5, (12, 12)), 1)  # many equal ones
    association = pd.DataFrame(np.maximum(values, values.T), index=range(12), columns=range(12))
    found = []
    for _ in range(10):
        places = rng.permutation(12)
        columns = pd.Index([names[place] for place in places], dtype=object, tupleize_cols=False)
        known = association.iloc[places, places].set_axis(columns, axis=0).set_axis(columns, axis=1)
        batches = [[names[place] for place in rng.permutation(range(start, start + 4))] for start in (0, 4, 8)]
        batches = [batches[place] for place in rng.permutation(3)]
        links = find_links(batches, known, kinds_of(names))
        found.append({frozenset(batch): (own, reading_order(batch, known)) for batch, own in zip(batches, links, strict=True)})

    assert all(one == found[0] for one in found)
    assert any(context for context, _ in found[0].values())


def test_columns_are_read_by_their_association():
    """Each column is read after those that it depends on most; where no association is known, in the order of the table."""
    association = made_association("dcba", {("b", "c"): 0.8, ("b", "d"): 0.7, ("a", "d"): 0.5})

    assert reading_order(["a", "b", "c", "d"], association) == ["b", "c", "d", "a"]
    assert reading_order(["d", "a", "b"], None) == ["d", "a", "b"]


def test_batches_are_read_after_their_context():
    """The order of batches has the context of each before it; there is none where batches are each other's context."""
    batches = [["a"], ["b"], ["c"], ["d"]]
    assert chain(batches, [["c"], ["a", "c"], [], []]) == [2, 3, 0, 1]
    with pytest.raises(ValueError, match=r"batches \[0, 2\] are each other's context"):
        chain(batches, [["c"], [], ["a"], []])


# What is fitted


def test_models_read_context_before_their_own_columns(fitted):
    """links_ names the context of every batch; its model has that first, then the batch's own columns, each once."""
    assert fitted.batches_ == [["a", "note", "b"], ["key", "b_again", "a_again"]]
    assert fitted.links_ == [[], ["a", "b"]]
    for model, batch, context in zip(fitted.models_, fitted.batches_, fitted.links_, strict=True):
        assert model.columns_[: len(context)] == context
        assert sorted(model.columns_[len(context) :]) == sorted(batch)
        assert model.training_["n_context"] == len(context)
    assert list(fitted.schema_) == list(fitted.columns_)
    assert list(fitted.sample(3)) == list(fitted.columns_)


def test_batches_may_be_independent(make, table, fitted):
    """Nothing is linked with linked=False, nor in a table of one batch."""
    unlinked, single = make(linked=False).fit(table), make(clusterer=ColumnClusterer()).fit(table)

    assert (unlinked.links_, single.links_) == ([[], []], [[]])
    assert [sorted(model.columns_) for model in unlinked.models_] == [sorted(batch) for batch in BATCHES]
    assert unlinked.models_[0].columns_ == fitted.models_[0].columns_
    with pytest.raises(ValueError, match="linked"):
        make(linked="yes").fit(table)


def test_links_may_be_given(make, template, table, tmp_path):
    """Links of one's own are read as they are, in private too, where nothing is measured for that."""
    given = [["b", "b_again"], []]
    own = make(clusterer=ColumnClusterer(batches=[["a", "a_again"], ["b", "b_again"]]), linked=given, schema=None)
    own.fit(table[["a", "a_again", "b", "b_again"]])
    assert own.links_ == given
    assert own.models_[0].columns_[:2] == ["b", "b_again"]
    own.save(tmp_path / "model")
    copied = BatchLSTMSynthesizer.load(tmp_path / "model")
    assert copied.get_params()["linked"] == given
    pd.testing.assert_frame_equal(own.sample(20, random_state=0), copied.sample(20, random_state=0))

    domains = {column: fields.Category(sorted(table[column].unique())) for column in ("a", "a_again")}
    parameters = {"text_model": template(epochs=1, validation_fraction=None), "schema": domains, "epsilon": 2.0}
    private = make(clusterer=ColumnClusterer(batches=[["a_again"], ["a"]]), linked=[[], ["a_again"]], **parameters)
    private.fit(table[list(domains)])
    assert private.links_ == [[], ["a_again"]]
    assert len(private.sample(5)) == 5


@pytest.mark.parametrize(
    ("links", "error", "message"),
    [
        ([["b"]], TypeError, "a list with a list of columns for each of the 2 batches"),
        (["b", []], TypeError, "a list with a list of columns for each of the 2 batches"),
        ([["c"], []], ValueError, "got 'c' for batch 0: not a column of X"),
        ([["a"], []], ValueError, "got 'a' for batch 0: a column of that batch"),
        ([["b", "b"], []], ValueError, "got 'b' for batch 0: named before"),
        ([["b"], ["a"]], ValueError, "are each other's context"),
        ([["b_again"], []], ValueError, "got 'b_again' for batch 0: of kind 'identifier'"),
    ],
)
def test_links_that_cannot_be_are_refused(links, error, message):
    """The message names the parameter, batch and column."""
    kinds = {"a": "category", "a_again": "number", "b": "category", "b_again": "identifier"}
    with pytest.raises(error, match=message):
        checked_links(links, [["a", "a_again"], ["b", "b_again"]], kinds)


def test_fits_do_not_depend_on_the_order_of_columns(make, table):
    """Batches read their columns in the same order wherever these stand in the table, by what the clusterer measures too."""
    clusterer = ColumnClusterer(max_columns=3)
    fits = [make(clusterer=clusterer).fit(table[columns]) for columns in (list(table), list(table)[::-1])]
    read = [{frozenset(batch): m.columns_ for batch, m in zip(fit.batches_, fit.models_, strict=True)} for fit in fits]

    assert read[0] == read[1]
    assert len(fits[0].batches_) > 1


def test_scores_are_those_of_a_chain(make, table):
    """Over every row there can be, the probabilities sum to 1; each batch scores its own columns only."""
    columns = ["a", "b", "a_again", "b_again"]
    holed = table[columns].astype(object).where(np.random.default_rng(0).random((len(table), 4)) < 0.9, None)
    clusterer = ColumnClusterer(batches=[["a", "b"], ["b_again", "a_again"]])
    for of_template in ({}, {"any_order": False}):
        linked = make(of_template, clusterer=clusterer, schema=None).fit(holed)
        values = [[*category.categories, "never seen", None] for category in linked.schema_.values()]
        every = pd.DataFrame(list(itertools.product(*values)), columns=columns)
        assert sum(map(len, linked.links_)) == 2
        stands_for = 1e6 ** (every == "never seen").sum(axis=1)  # so many values that fit did not keep
        assert (np.exp(linked.score_samples(every)) * stands_for).sum() == pytest.approx(1, abs=1e-5)


def test_numbers_score_by_the_cells_of_their_own_batch(make):
    """Of a number that is context, neither its tokens nor the size of its cell is scored again."""
    x = np.arange(200) % 100
    table = pd.DataFrame({"x": x, "half": x // 2})
    linked = make(clusterer=ColumnClusterer(batches=[["x"], ["half"]]), schema=None).fit(table)
    every = pd.DataFrame(list(itertools.product(range(100), range(50))), columns=["x", "half"])
    inside = [(field.low, field.high) for field in linked.schema_.values()]
    every = every[every["x"].between(*inside[0]) & every["half"].between(*inside[1])]

    assert sum(map(len, linked.links_)) == 1
    assert np.exp(linked.score_samples(every)).sum() == pytest.approx(1, abs=0.01)


@pytest.mark.parametrize("any_order", ["auto", False])
def test_links_keep_what_batches_know_of_each_other(make, any_order):
    """Real rows are likelier where batches are linked than where they are independent, in either way of training."""
    own = {"any_order": any_order, "epochs": 15, "rnn_units": 16}
    linked, unlinked = (make(own, linked=linked).fit(rows(600)) for linked in (True, False))
    held_out = rows(200, 1)

    assert linked.score(held_out) > unlinked.score(held_out) + 1.0  # of log(3) + log(2) = 1.8 nats


def test_any_column_may_be_given_to_batches(fitted, make, table):
    """Batches are trained to read columns in any order, unless the template says otherwise; context is learned then, too."""
    assert all(model.training_["context"] > 0 for model in fitted.models_)
    fixed = make({"any_order": False}).fit(table)
    assert all(model.training_["context"] == 0 for model in fixed.models_)
    heads = [synthesizer.models_[1]._weights["head_bias_0"] for synthesizer in (fitted, fixed)]
    learned = [np.abs(head).max(axis=1) > 0 for head in heads]  # of context and own columns
    assert [own.tolist() for own in learned] == [[True] * 4, [False, False, True, True]]


def test_links_do_not_depend_on_workers(fitted, make, table):
    """Fitted in other processes, linked batches are the same to the bit."""
    again = make(n_jobs=2).fit(table)

    assert again.links_ == fitted.links_
    np.testing.assert_array_equal(again.score_samples(table), fitted.score_samples(table))


# What is kept, and trained further


@pytest.mark.parametrize("how", ["pickle", "file"])
def test_links_are_kept(fitted, table, tmp_path, how):
    """What was pickled or saved has the same links, scores and samples."""
    if how == "pickle":
        joblib.dump(fitted, tmp_path / "kept")
        again = joblib.load(tmp_path / "kept")
    else:
        fitted.save(tmp_path / "kept")
        again = BatchLSTMSynthesizer.load(tmp_path / "kept")

    assert again.links_ == fitted.links_
    assert [model.columns_ for model in again.models_] == [model.columns_ for model in fitted.models_]
    np.testing.assert_array_equal(again.score_samples(table), fitted.score_samples(table))
    pd.testing.assert_frame_equal(again.sample(20, random_state=0), fitted.sample(20, random_state=0))
    assert np.isfinite(again.partial_fit(table).score_samples(table)).all()


@pytest.fixture(scope="module")
def folder(make, table, tmp_path_factory):
    """Return the folder of a fit of two linked batches; not to be changed."""
    folder = tmp_path_factory.mktemp("folder")
    make({"epochs": 1}, checkpoint_dir=folder).fit(table)
    return folder


FORGED = {
    "no lists": ("ab", "'reading' is 'ab', expected a list for every batch"),
    "too few": ([[1, 2, 3]], "expected a list for every batch"),
    "no such column": ([[1, 2, 3], [1, 2, 0, 4, 9]], "places of columns"),
    "one twice": ([[1, 2, 3], [1, 1, 0, 4, 5]], "places of columns, each once"),
    "another's columns": ([[1, 2, 3], [0, 4, 5, 1, 2]], "to end with the columns of the batch"),
    "in a circle": ([[4, 1, 2, 3], [1, 0, 4, 5]], "are each other's context"),
    "other context": ([[1, 2, 3], [2, 1, 0, 4, 5]], "got a model of .*, expected one of"),
}


@pytest.mark.parametrize("case", FORGED)
def test_links_that_contradict_the_models_are_refused(folder, tmp_path, case):
    """What a folder says of links is checked: columns of the table, each batch's own last, none each other's context."""
    reading, message = FORGED[case]
    forged = Path(shutil.copytree(folder, tmp_path / "forged"))
    settings = json.loads((forged / "settings.json").read_text())
    (forged / "settings.json").write_text(json.dumps(settings | {"reading": reading}))
    with pytest.raises(ModelFileError, match=message):
        BatchLSTMSynthesizer.load(forged)


def failing(state):
    """End a fit after the second epoch of the second batch."""
    if (state.batch, state.epoch) == (1, 1):
        raise ValueError("enough")


@pytest.mark.parametrize("any_order", ["auto", False])
def test_a_linked_fit_goes_on_where_it_stood(make, table, tmp_path, any_order):
    """A fit that stopped goes on in its folder to the same links, weights and scores; not with other links."""
    whole = make({"any_order": any_order}).fit(table)
    stopped = make({"any_order": any_order}, checkpoint_dir=tmp_path)
    with pytest.raises(RuntimeError, match="enough"):
        clone(stopped).set_params(callbacks=[failing]).fit(table)
    with pytest.raises(ValueError, match="linked is True there and False here"):
        clone(stopped).set_params(linked=False).fit(table)
    again = stopped.fit(table)

    assert again.links_ == whole.links_
    np.testing.assert_array_equal(again.score_samples(table), whole.score_samples(table))
    loaded = BatchLSTMSynthesizer.load(tmp_path)
    np.testing.assert_array_equal(loaded.score_samples(table), whole.score_samples(table))


def test_fit_batch_reads_context_too(make, table, fitted):
    """A batch is trained anew on its own columns and its context, to the model of fit on the rows of fit."""
    other = make().fit(table)
    read = other.models_[1].columns_
    for X in (table[read], table, table[read].to_numpy()):
        other.fit_batch(1, X)
        np.testing.assert_array_equal(other.score_samples(table), fitted.score_samples(table))
    with pytest.raises(ValueError, match=r"lacks columns of batch 1.*'a', 'b'.*all of synthesizer\.models_\[1\]\.columns_"):
        other.fit_batch(1, table[BATCHES[1]])


def test_fit_batch_keeps_what_batches_share(make, table):
    """Trained anew on other rows, a batch still reads and writes columns that are context by the fields of fit."""
    other = make().fit(table)
    before, few = other.schema_, table[(table["a"] != "w") & (table["note"] != "ab")]
    assert other.fit_batch(0, few).schema_["a"] == before["a"]
    assert other.fit_batch(1, few).models_[1].tokenizer_.schema_["a"] == before["a"]
    assert other.schema_["a_again"] != before["a_again"]
    assert np.isfinite(other.score_samples(few)).all()


def test_new_values_are_new_in_every_batch(make, table):
    """What partial_fit admits into a column is admitted wherever it is read as context."""
    later = rows(200, 2).replace({"u": "new"})
    growing = {column: fields.Category(extensible=True) for column in ("a", "a_again")}
    further = make(schema=FIELDS | growing).fit(table).partial_fit(later)

    for model in further.models_:
        assert "new" in model.tokenizer_.schema_["a"].categories
    assert np.isfinite(further.score_samples(later)).all()


# In private


@pytest.mark.filterwarnings("ignore:noise drowns the signal:UserWarning")
def test_links_of_a_private_fit_follow_from_what_was_released(make, template):
    """Private fits are linked by the noisy association that their batches come from, and learn their own columns alone."""
    wide = rows(2_000)[["a", "b", "a_again", "b_again"]]
    domains = {column: fields.Category(sorted(wide[column].unique())) for column in wide}
    parameters = {"text_model": template(epochs=1, validation_fraction=None), "schema": domains, "epsilon": 2.0}
    private = make(clusterer=ColumnClusterer(max_columns=1), **parameters).fit(wide)

    assert len(private.batches_) == 4
    read = [{*batch, *context} for batch, context in zip(private.batches_, private.links_, strict=True)]
    assert any({"a", "a_again"} <= columns for columns in read)
    assert private.epsilon_ <= 2.0
    assert np.isfinite(private.score_samples(wide)).all()
    assert list(private.sample(5)) == list(wide)
    for model, context in zip(private.models_, private.links_, strict=True):
        assert (model.training_["n_context"], model.training_["context"]) == (len(context), 0.0)


@pytest.mark.filterwarnings("ignore:noise drowns the signal:UserWarning")
def test_private_batches_of_ones_own_are_not_linked(make, template, table):
    """Where the batches of a private fit are given, nothing is measured, and nothing linked."""
    domains = {column: fields.Category(sorted(table[column].unique())) for column in ("a", "a_again")}
    parameters = {"text_model": template(epochs=1, validation_fraction=None), "schema": domains, "epsilon": 2.0}
    private = make(clusterer=ColumnClusterer(batches=[["a_again"], ["a"]]), **parameters).fit(table[list(domains)])

    assert private.links_ == [[], []]
    assert [model.columns_ for model in private.models_] == private.batches_
    assert "association of columns" not in list(private.privacy_ledger_["step"])
