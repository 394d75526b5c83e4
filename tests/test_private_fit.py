"""Promises of a private fit as a whole: what it spends, what it says of that, and what it keeps."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from sksynth import BatchLSTMSynthesizer, ColumnClusterer, LSTMTextModel, fields
from sksynth.privacy import audit
from sksynth.tokenizers import CharTokenizer, SentencePieceTokenizer, TableTokenizer

N = 400
PUBLIC = {
    "age": fields.Number(0, 99),
    "job": fields.Category(["cook", "smith", "clerk"]),
    "note": fields.Text(max_length=4, alphabet="ab "),
    "key": fields.Identifier(pattern="K[0-9]{6}"),
    "born": fields.Datetime("1950-01-01", "2009-12-31", resolution="D"),
    "flag": fields.Boolean(),
}
SECRETS = ["Zyxwvut", "K987654", "qqqq", 12345.0, "2222-02-02"]


pytestmark = pytest.mark.filterwarnings("ignore:noise drowns the signal:UserWarning")  # tiny tables: tested below


@pytest.fixture(scope="module")
def table():
    """Return a table of every kind of column, one row of which is unlike all others; not to be changed."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "age": rng.integers(20, 70, N).astype(float),
            "job": rng.choice(["cook", "smith", "clerk"], N).astype(object),
            "note": rng.choice(["a", "ab", "b a"], N).astype(object),
            "key": [f"K{number:06d}" for number in rng.permutation(100_000)[:N]],
            "born": pd.Timestamp("1960-01-01") + pd.to_timedelta(rng.integers(0, 9000, N), "D").astype("timedelta64[s]"),
            "flag": rng.random(N) < 0.5,
        },
        index=[f"row-{number}" for number in range(N)],
    )
    table.loc["row-7", ["job", "key", "note", "age"]] = SECRETS[:4]
    table.loc["row-7", "born"] = pd.Timestamp(SECRETS[4])
    table["job"] = table["job"].astype("category")
    return table


@pytest.fixture(scope="module")
def tiny():
    """Return a function that makes a tiny template."""
    return lambda **parameters: LSTMTextModel(
        **{"embedding_dim": 4, "rnn_units": 4, "epochs": 2, "batch_size": 64} | parameters
    )


@pytest.fixture(scope="module")
def fitted(table, tiny):
    """Return a synthesizer that was fitted privately in two batches with a public schema; not to be changed."""
    clusterer = ColumnClusterer(batches=[["age", "job", "key"], ["note", "born", "flag"]])
    return BatchLSTMSynthesizer(
        clusterer=clusterer, text_model=tiny(), schema=PUBLIC, epsilon=2.0, random_state=0
    ).fit(table)  # fmt: skip


@pytest.fixture(scope="module")
def all_private(table, tiny):
    """Return a synthesizer that was fitted with nothing public but names and dtypes; not to be changed."""
    table = table.drop(columns=["key", "note"])
    return BatchLSTMSynthesizer(text_model=tiny(), schema="private", epsilon=2.0, delta=1e-5, random_state=0).fit(table)


def test_the_budget_is_spent_and_not_exceeded(fitted, all_private):
    """Everything together, all batches included, spends nearly epsilon and no more."""
    for synthesizer, delta in ((fitted, 1e-6), (all_private, 1e-5)):
        assert 1.95 < synthesizer.epsilon_ <= 2.0
        assert synthesizer.delta_ == delta
    for model in fitted.models_:
        assert (model.epsilon_, model.delta_) == (fitted.epsilon_, fitted.delta_)


def test_the_ledger_has_every_step_that_read_the_rows(fitted, all_private):
    """Each entry says what was done, with which parameters, and what it alone spends."""
    ledger = fitted.privacy_ledger_
    assert list(ledger["step"]) == ["shapes", "training of batch 0", "training of batch 1"]
    assert (ledger["epsilon"] < fitted.epsilon_).all()
    for parameters in ledger["parameters"][1:]:
        assert parameters["steps_planned"] == parameters["steps_taken"] == round(2 * N / 64)
        assert parameters["sampling_rate"] == 64 / N
    assert ledger["parameters"][1]["noise_multiplier"] == ledger["parameters"][2]["noise_multiplier"]
    assert list(all_private.privacy_ledger_["step"]) == ["number of rows", "domains", "shapes", "training"]


def test_the_statement_says_what_holds(fitted, all_private):
    """Unit, neighbours, sampling, accountant, what is public and what is not covered are named."""
    for synthesizer in (fitted, all_private):
        words = " ".join(synthesizer.privacy_statement_.split())
        for part in ("one row", "Poisson", "dp-accounting", "random_state", "Not covered", "grid search", "names and dtypes"):
            assert part in words
        assert f"epsilon = {synthesizer.epsilon_:.4g}" in words
    words = " ".join(fitted.privacy_statement_.split())
    assert "replaced by one that contributes nothing" in words
    assert f"the number of rows ({N})" in words
    assert "domains given in schema, of 'age', 'job'" in words
    words = " ".join(all_private.privacy_statement_.split())
    assert "added or removed" in words
    assert "cells may be missing in 'age'" in words
    assert str(N) not in words


def test_history_shows_what_is_spent_and_no_loss(fitted):
    """Losses and accuracies are missing; epsilon grows with the batch's own steps and stays below that of all."""
    assert fitted.history_[["loss", "accuracy", "val_loss", "val_accuracy"]].isna().all(axis=None)
    for _, epochs in fitted.history_.groupby("batch"):
        assert epochs["epsilon"].is_monotonic_increasing
        assert 0 < epochs["epsilon"].iloc[0] < epochs["epsilon"].iloc[-1] < fitted.epsilon_
    assert (fitted.history_["delta"] == fitted.delta_).all()


@pytest.mark.parametrize("which", ["fitted", "all_private"])
def test_nothing_of_a_single_row_is_kept(which, request):
    """The pickled synthesizer holds no value, label or level that one row alone has."""
    kept = pickle.dumps(request.getfixturevalue(which))
    for secret in (*SECRETS[:3], "row-7"):
        assert secret.encode() not in kept


@pytest.mark.parametrize("which", ["fitted", "all_private"])
def test_samples_lie_in_the_public_or_released_domain(which, request, table):
    """Rows have the columns and dtypes of the table, and no value from outside the domain."""
    synthesizer = request.getfixturevalue(which)
    rows = synthesizer.sample(300, random_state=0)
    assert list(rows.columns) == synthesizer.columns_
    assert set(rows["job"].dropna()) <= {"cook", "smith", "clerk"}
    assert rows["age"].between(synthesizer.schema_["age"].low, synthesizer.schema_["age"].high).all()
    assert rows["born"].dropna().between(synthesizer.schema_["born"].low, synthesizer.schema_["born"].high).all()
    assert rows["flag"].dropna().isin([True, False]).all()
    if which == "fitted":
        assert rows["note"].str.len().max() <= 4
        assert set("".join(rows["note"])) <= set("ab ")
        assert rows["key"].str.fullmatch("K[0-9]{6}").all()
        assert rows["key"].is_unique


def test_scores_and_copies_work_as_ever(fitted, table):
    """Rows are scored, values outside the domain too; a pickled copy samples the same rows."""
    assert np.isfinite(fitted.score_samples(table)).all()
    again = pickle.loads(pickle.dumps(fitted))
    pd.testing.assert_frame_equal(again.sample(20, random_state=1), fitted.sample(20, random_state=1))


def test_two_fits_of_one_seed_differ(table, tiny):
    """random_state does not fix the noise."""
    synthesizer = BatchLSTMSynthesizer(
        text_model=tiny(epochs=1), schema={"flag": fields.Boolean()}, epsilon=5.0, random_state=0
    )
    first, second = (clone(synthesizer).fit(table[["flag"]]) for _ in range(2))
    weights = [found.models_[0]._weights["embedding"] for found in (first, second)]
    assert not np.array_equal(*weights)


def test_what_would_be_read_from_rows_is_refused_or_not_kept(fitted, tiny):
    """Lists have no dtypes of their own; seconds, which tell how many rows were drawn, are not stored."""
    with pytest.raises(TypeError, match="X is a list, whose dtypes would be read from its rows"):
        BatchLSTMSynthesizer(text_model=tiny(), schema="private", epsilon=1.0).fit([[1, 2], [3, 4]])
    assert fitted.history_["seconds"].isna().all()


def test_a_boolean_that_is_none_raises_no_error(tiny):
    """A cell that is neither True nor False is missing in a private fit, as an error would tell of it; X is not touched."""
    table = pd.DataFrame({"flag": pd.Series([True, False, "x", None] * 20, dtype=object)})
    kept = table.copy()
    found = BatchLSTMSynthesizer(text_model=tiny(), schema={"flag": fields.Boolean()}, epsilon=3.0).fit(table)
    assert set(found.sample(30)["flag"].dropna()) <= {True, False}
    pd.testing.assert_frame_equal(table, kept)


def test_the_schema_shows_no_count_of_the_data(fitted):
    """Where domains are public, nothing is said of how many rows lie outside them."""
    assert all(not field.n_folded for field in fitted.schema_.values())


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"epsilon": 0.0}, ValueError, "'epsilon' parameter .* must be a number in"),
        ({"epsilon": "3"}, TypeError, "'epsilon' parameter"),
        ({"epsilon": 1.0, "delta": 1.0}, ValueError, "'delta' parameter .* must be a number in"),
        ({"epsilon": 1.0, "delta": 0.01}, ValueError, r"delta=0.01 is at least 1 / n_rows \(about 0.0025\).*set delta=0.0003"),
        ({"epsilon": 1.0, "schema": None}, ValueError, "pass schema, a dict such as"),
        ({"epsilon": 1.0, "text_model": LSTMTextModel(early_stopping=True)}, ValueError, "early_stopping=True looks at rows"),
        ({"epsilon": 1.0, "text_model": LSTMTextModel(validation_fraction=0.1)}, ValueError, "validation_fraction=0.1 would"),
        ({"text_model": LSTMTextModel(epsilon=1.0)}, ValueError, r"epsilon is set on text_model \(1.0\).*share one budget"),
        ({"text_model": LSTMTextModel(delta=1e-7)}, ValueError, "delta is set on text_model"),
        ({"text_model": LSTMTextModel(noise_multiplier=1.0)}, ValueError, "noise_multiplier is set on text_model"),
        ({"epsilon": 1.0, "schema": {"flag": fields.Text(max_length=3)}}, ValueError, "column 'flag'"),
        ({"delta": 1e-6}, ValueError, "delta=1e-06 is set, but not epsilon"),
        ({"schema": "private"}, ValueError, "'private' is for fits with epsilon"),
        ({"schema": {"flag": "private"}}, TypeError, "column 'flag'.*it needs epsilon"),
    ],
)
def test_bad_requests_are_refused(parameters, error, message, table):
    """Errors name the parameter, what was got, and the remedy."""
    synthesizer = BatchLSTMSynthesizer(**{"schema": {"flag": fields.Boolean()}} | parameters)
    with pytest.raises(error, match=message):
        synthesizer.fit(table[["flag"]])
    assert not hasattr(synthesizer, "models_")


def test_a_large_delta_is_warned_of(table, tiny):
    """A delta above a tenth of one over the rows is allowed, with a warning."""
    synthesizer = BatchLSTMSynthesizer(text_model=tiny(epochs=1), schema={"flag": fields.Boolean()}, epsilon=5.0, delta=1e-3)
    with pytest.warns(UserWarning) as caught:
        synthesizer.fit(table[["flag"]])
    assert any("delta=0.001 is above a tenth of 1 / n_rows (0.00025)" in str(one.message) for one in caught)
    assert all(one.filename == __file__ for one in caught)


def test_a_budget_that_noise_drowns_is_warned_of(table, tiny):
    """Where the noise of a step is longer than its rows' gradients, the figures are told, and the fit goes on."""
    synthesizer = BatchLSTMSynthesizer(text_model=tiny(epochs=1), schema={"flag": fields.Boolean()}, epsilon=0.1)
    with pytest.warns(UserWarning, match="noise drowns the signal: averaged over 6 steps.*of a step's 64 rows") as caught:
        synthesizer.fit(table[["flag"]])
    assert caught[0].filename == __file__
    assert synthesizer.epsilon_ <= 0.1


def test_a_wide_table_is_clustered_within_the_budget(table, tiny):
    """With more columns than a batch holds, the association is paid for."""
    wide = pd.DataFrame({f"flag_{number}": table["flag"] for number in range(4)})
    synthesizer = BatchLSTMSynthesizer(
        clusterer=ColumnClusterer(max_columns=2), text_model=tiny(epochs=1), schema="private", epsilon=3.0
    ).fit(wide)
    assert "association of columns" in list(synthesizer.privacy_ledger_["step"])
    assert len(synthesizer.batches_) == 2
    assert synthesizer.epsilon_ <= 3.0
    assert list(synthesizer.sample(5).columns) == list(wide.columns)


# LSTMTextModel alone


def test_lines_are_read_by_a_public_alphabet(tiny):
    """Lines are trained on privately with an alphabet and a length that are public; others are refused."""
    lines = ["abc", "abd", "zzé"] * 60
    model = tiny(tokenizer=CharTokenizer(3, alphabet="abcd"), epsilon=2.0).fit(lines)
    assert model.tokenizer_.vocabulary_[3:] == list("abcd")
    assert all(len(line) <= 3 and set(line) <= set("abcd") for line in model.sample(50, random_state=0))
    assert model.epsilon_ <= 2.0
    assert list(model.privacy_ledger_["step"]) == ["training"]
    assert "one row" in model.privacy_statement_
    with pytest.raises(ValueError, match="would take max_length and alphabet from the lines"):
        tiny(tokenizer=CharTokenizer(), epsilon=2.0).fit(lines)


def test_lines_are_read_by_public_pieces(tiny):
    """A model of SentencePiece that was learned elsewhere spells lines in private training; one that is learned is refused."""
    public = SentencePieceTokenizer(290).fit(["a public text of words"] * 3).codec_.spelling.model.to_bytes()
    tokenizer = SentencePieceTokenizer(max_length=6, model=public)
    model = tiny(tokenizer=tokenizer, epsilon=2.0).fit(["private words", "zzé"] * 90)
    assert model.tokenizer_.vocabulary_ == clone(tokenizer).fit(["other lines"]).vocabulary_
    assert model.tokenizer_.grammar_.n_positions == 6
    assert len(model.sample(20, random_state=0)) == 20
    with pytest.raises(ValueError, match="would take max_length and model from the lines"):
        tiny(tokenizer=SentencePieceTokenizer(), epsilon=2.0).fit(["abc"] * 90)


def test_tokenizers_that_may_learn_anything_are_refused(table, tiny):
    """Private training knows how to fit its own tokenizers without the records, and no others."""
    for tokenizer, records in ((TableTokenizer(), ["abc"] * 90), (CharTokenizer(3, alphabet="a"), table[["flag"]])):
        with pytest.raises(ValueError, match="may keep what it likes of the records: pass"):
            tiny(tokenizer=tokenizer, epsilon=2.0).fit(records)


def test_noise_can_be_given_in_place_of_epsilon(table, tiny):
    """With a noise multiplier, epsilon is what that spends."""
    tokenizer = TableTokenizer({"flag": fields.Boolean()})
    small, large = (tiny(tokenizer=tokenizer, noise_multiplier=noise).fit(table[["flag"]]) for noise in (4.0, 8.0))
    assert large.epsilon_ < small.epsilon_ < np.inf
    assert small.training_["noise_multiplier"] == 4.0
    with pytest.raises(ValueError, match="delta=1e-06 is set, but neither epsilon"):
        tiny(tokenizer=tokenizer, delta=1e-6).fit(table[["flag"]])
    with pytest.raises(ValueError, match="say the same twice"):
        tiny(tokenizer=tokenizer, noise_multiplier=1.0, epsilon=1.0).fit(table[["flag"]])
    with pytest.raises(ValueError, match="pass schema, a dict such as"):
        tiny(epsilon=1.0).fit(table[["flag"]])


def test_without_epsilon_nothing_is_promised(table, tiny):
    """A fit without epsilon has an infinite one, and neither ledger nor statement."""
    model = tiny().fit(table[["flag"]])
    assert model.epsilon_ == np.inf
    assert not hasattr(model, "privacy_statement_")
    assert (model.history_["epsilon"] == np.inf).all()


def test_an_estimator_can_be_audited_on_a_table_of_ones_own(tiny):
    """Canaries of a model that learns by heart are found; the figures are within their ranges."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({f"c{place}": rng.integers(0, 9, 80) for place in range(4)})

    def by_heart():
        model = tiny(rnn_units=64, epochs=120, batch_size=16, validation_fraction=0.0, learning_rate=0.02, dropout=0.0)
        return BatchLSTMSynthesizer(text_model=model, min_frequency=1, random_state=0)

    found = audit(by_heart, table, n_canaries=40, random_state=0)
    assert found.auc > 0.8
    assert 0.0 <= found.tpr_at_1 <= 1.0
    assert found.n_canaries == 40
