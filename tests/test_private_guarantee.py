"""What guards the guarantee: sensitivity against the noise that is entered, the noise itself, and who is drawn."""

import re
import tracemalloc
import warnings
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, kstest, norm
from sklearn.base import clone

from sksynth import BatchLSTMSynthesizer, ColumnClusterer, LSTMTextModel, _association, _synthesizer, fields
from sksynth._private import _domains, _plan, _release, release
from sksynth._private._cells import cell_by_cell
from sksynth._private._clusters import coarse_codes
from sksynth._private._histogram import n_levels
from sksynth.core import _dp_sgd
from sksynth.privacy import Ledger, _mechanisms, calibrate_noise_multiplier, compute_epsilon, gaussian_event
from sksynth.privacy._accounting import gaussian_noise

N = 600
SAFE = 1e-9  # of a test of chance to fail without a fault


class Answers:
    """Noisy counts of a first fit, recorded; a second fit of a neighbouring table gets the same answers.

    Whatever noise a fit draws, it is the same function of its answers; so what a row changes is what it changes of the true
    counts, question by question, over the noise that the answer has.
    """

    def __init__(self, noise=0.0):
        self.asked, self.answers, self.replay = [], [], False
        self._noise, self._rng = noise, np.random.default_rng(0)

    def counts(self, counts, scale, rng):
        """Stand in for `noisy_counts`."""
        counts = np.asarray(counts, float)
        self.asked.append((counts, scale))
        if not self.replay:
            self.answers.append(counts + np.rint(self._noise * self._rng.standard_normal(counts.shape)))
        return self.answers[len(self.asked) - 1].copy()

    def total(self, count, epsilon, ledger, rng):
        """Stand in for the number of rows: 100 more than there are, in both fits."""
        noisy_total(count, epsilon, ledger, rng)
        if not self.replay:
            self.n_rows = count + 100
        return self.n_rows

    def again(self):
        """Begin the second fit; return what the first was asked."""
        first, self.asked, self.replay = self.asked, [], True
        return first


noisy_total = _mechanisms.noisy_total


@pytest.fixture
def answers(monkeypatch):
    """Return a recorder that stands in for all noise before training."""
    found = Answers()
    monkeypatch.setattr(_mechanisms, "noisy_counts", found.counts)
    monkeypatch.setattr(_association, "noisy_counts", found.counts)
    monkeypatch.setattr(_release, "noisy_total", found.total)
    return found


def people(seed=0):
    """Return a table of every kind of column, of which each line is divided as often as it can be."""
    rng = np.random.default_rng(seed)
    born = pd.Series(pd.Timestamp("1960-01-01") + pd.to_timedelta(rng.integers(0, 2, N), "D"))
    return pd.DataFrame(
        {
            "age": rng.integers(20, 23, N), "key": np.where(rng.random(N) < 0.5, 123_456, rng.integers(0, 10**6, N)),
            "income": np.where(rng.random(N) < 0.4, 1234.5, np.nan),
            "city": rng.choice(np.array(["Ulm", "Bonn", None], object), N),
            "member": rng.random(N) < 0.3,
            "born": born.where(rng.random(N) < 0.9),
        }
    )  # fmt: skip


PUBLIC = {
    "age": fields.Number(0, 99), "key": fields.Number(0, 10**6 - 1), "income": fields.Number(0, 10_000),
    "city": fields.Category(["Ulm", "Bonn", "Kiel"]), "member": fields.Boolean(),
    "born": fields.Datetime("1950-01-01", "2009-12-31", resolution="D"),
}  # fmt: skip
PUBLIC_LESS = {column: field.replace(nullable=False) for column, field in PUBLIC.items()}
MIXED = PUBLIC | {"key": "private", "city": "private", "born": "private"}
SCHEMAS = {"private": "private", "public": PUBLIC, "complete": PUBLIC_LESS, "mixed": MIXED}


def neighbours(table):
    """Yield tables that a row is added to, taken from, or replaced in by a row that is missing or far out."""
    yield "added", pd.concat([table, table.iloc[[3]]], ignore_index=True)
    for row in (0, 1, int(table["income"].isna().argmax()), int(table["born"].isna().argmax())):
        yield f"less {row}", table.drop(index=row).reset_index(drop=True)
    far = table.iloc[[3]].assign(age=98, key=999_999, income=9999.0, born=pd.Timestamp("2009-12-31"))
    yield "far out", pd.concat([table, far], ignore_index=True)


def changes(first, second):
    """Return by question the change of the true counts over the noise of its answer."""
    assert len(first) == len(second)
    for (_, scale), (_, other) in zip(first, second, strict=True):
        assert scale == other  # a scale that knows the rows would tell of them
        assert scale > 0
    return [np.linalg.norm(was - now) / scale for (was, scale), (now, _) in zip(first, second, strict=True)]


def claimed(ledger, *steps):
    """Return the largest change over the noise that the ledger's entries of Gaussian noise pay for."""
    noise = [entry.event.noise_multiplier for entry in ledger.entries if entry.step in steps]
    return np.sqrt(sum(1.0 / own**2 for own in noise))


@pytest.mark.parametrize("schema", SCHEMAS)
def test_a_row_changes_no_more_than_the_ledger_pays_for(schema, answers):
    """Of neighbouring tables, all counts together differ by what the entered noise covers at most; the worst row needs it."""
    table, ledger, largest = people(), Ledger(1e-5), 0.0
    first_release = release(table, SCHEMAS[schema], ledger, None)
    first = answers.again()
    for _, other in neighbours(table):
        answers.asked, spent = [], Ledger(1e-5)
        again = release(other, SCHEMAS[schema], spent, None)
        assert [vars(entry) for entry in spent.entries] == [vars(entry) for entry in ledger.entries]
        largest = max(largest, np.linalg.norm(changes(first, answers.asked)))
        assert again.schema == first_release.schema
        assert again.n_rows == (len(other) if again.public_rows else N + 100)
    assert largest <= claimed(ledger, "domains", "shapes") * (1 + 1e-9)
    assert largest >= 0.8 * claimed(ledger, "domains", "shapes")  # the tables are bad enough to find what is too little


def test_a_line_is_divided_as_often_as_is_paid_for(answers):
    """A value that most rows share, in a line of many, takes a count of its row on every level."""
    table, ledger = pd.DataFrame({"key": np.full(N, 123_456)}), Ledger(1e-5)
    release(table, {"key": fields.Number(0, 10**6 - 1)}, ledger, None)
    first = answers.again()
    release(table.iloc[1:], {"key": fields.Number(0, 10**6 - 1)}, Ledger(1e-5), None)
    assert len(first) == n_levels(10**6) == 4
    assert np.linalg.norm(changes(first, answers.asked)) == pytest.approx(claimed(ledger, "shapes"))


def stranger(n_rows):
    """Return a table of other rows, of the same dtypes, columns that follow from each other, and no missing cell."""
    table = people(7).head(n_rows)
    table["age"] = np.where(table["member"], 90, 10)
    table["key"] = np.where(table["member"], 5, 999_999)
    table["income"] = np.where(table["member"], 1.0, 9000.0)
    table["city"] = np.where(table["member"], "Ulm", "Bonn").astype(object)
    table["born"] = table["born"].fillna(pd.Timestamp("2000-01-01"))
    return table


class Ended(Exception):
    """Raised in place of training."""


def started(table, schema, monkeypatch, **parameters):
    """Return what a private fit hands to training: the fit, its models, their jobs, and the ledger."""
    found, ledgers = [], []

    def run(self, models, jobs, started):
        found.extend([self, models, jobs, *ledgers])
        raise Ended

    def kept(self, ledger, facts):
        self.epsilon_, self.delta_ = 30.0, ledger.delta
        ledgers.append(ledger)

    def calibrate(epsilon, delta, rates, n_steps, before):
        return 2.0 + sum(event.noise_multiplier for event in before)

    monkeypatch.setattr(BatchLSTMSynthesizer, "_run", run)
    monkeypatch.setattr(BatchLSTMSynthesizer, "_set_privacy", kept)
    monkeypatch.setattr(_plan, "calibrate_noise_multiplier", calibrate)  # accountants take their time
    monkeypatch.setattr(_plan, "epsilons_along", lambda ledger, event_of, ends: np.zeros(len(ends)))
    parameters = {"epsilon": 30.0, "delta": 1e-5, "schema": schema, "random_state": 0} | parameters
    with pytest.raises(Ended):
        BatchLSTMSynthesizer(**parameters).fit(table)
    return found


@pytest.mark.filterwarnings("ignore:noise drowns the signal:UserWarning")
@pytest.mark.parametrize("schema", SCHEMAS)
def test_training_starts_from_the_answers_alone(schema, answers, monkeypatch):
    """Two tables that get the same answers differ in nothing that training starts from, but the rows' own tokens.

    Settings, mechanism, priors, links, batches, order of columns, schema, tokenizer and ledger.
    """
    parameters = {"clusterer": ColumnClusterer(max_columns=3), "text_model": LSTMTextModel(batch_size=64, epochs=2)}
    for name in ("measured_association", "signs_of", "rows_to_measure"):
        monkeypatch.setattr(_synthesizer, name, None)  # these read the rows
    first = started(people(), SCHEMAS[schema], monkeypatch, **parameters)
    before = answers.again()
    public_rows = schema in ("public", "complete")
    second = started(stranger(N if public_rows else N - 50), SCHEMAS[schema], monkeypatch, **parameters)
    assert [scale for _, scale in before] == [scale for _, scale in answers.asked]
    assert first[0].batches_ == second[0].batches_
    assert first[0].links_ == second[0].links_
    assert first[0]._reading == second[0]._reading
    assert [vars(entry) for entry in first[3].entries] == [vars(entry) for entry in second[3].entries]
    for one, other in zip(first[1], second[1], strict=True):
        assert one.tokenizer_.schema_ == other.tokenizer_.schema_
        assert repr(one.tokenizer_.grammar_) == repr(other.tokenizer_.grammar_)
    for one, other in zip(first[2], second[2], strict=True):
        for part in ("settings", "mechanism", "spent"):
            assert getattr(one.plan, part) == getattr(other.plan, part)
        assert np.array_equal(one.plan.priors, other.plan.priors)
        assert one.n_context == other.n_context
        assert one.plan.mechanism["sampling_rate"] == 64 / (N if public_rows else N + 100)


@pytest.mark.parametrize("n_columns", [1, 2, 5, 20])
def test_a_row_of_values_of_its_own_is_betrayed_as_seldom_as_is_entered(n_columns, monkeypatch):
    """The chance that any of a row's values, in all columns, is shown is the delta of the ledger at most, and near it."""
    table = pd.DataFrame(
        {f"c{place}": pd.Series(range(1000)).map("{:03d}".format).astype(object) for place in range(n_columns)}
    )
    scales = []

    def counting_up(counts, scale, rng):
        scales.append(scale)
        return np.arange(len(counts), dtype=float)

    monkeypatch.setattr(_mechanisms, "noisy_counts", counting_up)
    ledger = Ledger(1e-5)
    shown, _ = _domains.release_domains(table, list(table), 1000, 10.0, ledger, None)
    first = min(int(field.categories[0]) for field in shown.values())  # the smallest noisy count that is shown
    chance = -np.expm1(n_columns * np.log1p(-norm.sf((first - 1.5) / scales[0])))
    assert 0.5 * ledger.entries[0].delta < chance <= ledger.entries[0].delta
    assert ledger.remaining_delta == pytest.approx(1e-5 - ledger.entries[0].delta)


@pytest.mark.parametrize("epsilon", [None, 0.2])
def test_the_number_of_rows_has_the_noise_that_is_entered(epsilon):
    """Its noise is Laplace's, of the scale of the ledger's event, mean and spread."""
    table = pd.DataFrame({"flag": np.arange(100_000) % 2 == 0})
    found = []
    for _ in range(800):
        ledger = Ledger(1e-5)
        own = 0.05 if epsilon is None else min(0.05, 0.05 * epsilon)
        found.append(_release.noisy_total(len(table), own, ledger, _mechanisms.system_generator()) - len(table))
    event = ledger.entries[0].event
    assert ledger.entries[0].parameters["epsilon"] == pytest.approx(1.0 / event.noise_multiplier)
    assert kstest(np.array(found) / event.noise_multiplier, "laplace").pvalue > 1e-6
    ledger = Ledger(1e-5)
    release(table.head(1000), "private", ledger, epsilon)
    assert ledger.entries[0].event == event


def tails(values):
    """Say that values are standard normal in the middle and as far out as their number tells."""
    assert kstest(values[:100_000], "norm").pvalue > 1e-6
    assert abs(values.mean()) < 6 / np.sqrt(len(values))
    assert abs(values.var() - 1) < 6 * np.sqrt(2 / len(values))
    for limit in (2.5, 3.0, 3.5, 4.0, 4.5):
        expected = 2 * norm.sf(limit)
        least, most = binom.ppf([SAFE, 1 - SAFE], len(values), expected)
        assert least <= (np.abs(values) > limit).sum() <= most


def test_noise_of_counts_is_normal_to_its_tails():
    """The noise of counts has no end where a generator of few bits has one."""
    counts = _mechanisms.GaussianCounts(1000.0, 4, _mechanisms.system_generator())
    tails((counts.noisy(np.full(2_000_000, 7)) - 7) / 2000.0)


class Watched:
    """A model of one weight per place, whose rows have no gradient: it notes who is drawn, and how it is moved."""

    def __init__(self, n_weights):
        import tensorflow as tf

        self.trainable_variables = [tf.Variable(np.zeros(n_weights, np.float32), name="w")]
        self._zero, self.drawn, self.moves = tf.zeros(n_weights), [], []

    def clipped_sums(self, rows, order, real, norm, step):
        """Note the rows that count."""
        self.drawn[-1].append(rows.numpy()[real.numpy() > 0, 0])
        return {self.trainable_variables[0].name: self._zero}

    def move(self, means):
        """Note the move."""
        self.moves.append(means[self.trainable_variables[0].name].numpy())


def taken(n_rows, n_steps, mechanism, n_weights=1):
    """Return who was drawn in each step, as a matrix of steps and rows, and the moves."""
    model = Watched(n_weights)
    steps = _dp_sgd._Steps(model, np.arange(n_rows)[:, None], np.zeros(1, np.int32), 64, mechanism)
    for step in range(n_steps):
        model.drawn.append([])
        steps.take(step)
    drawn = np.zeros((n_steps, n_rows), int)
    for step, parts in enumerate(model.drawn):
        for part in parts:
            np.add.at(drawn[step], part, 1)
    return drawn, np.array(model.moves)


STEPS = _dp_sgd.Mechanism(sampling_rate=0.1, noise_multiplier=3.0, l2_norm_clip=2.0, n_steps=1000, expected_rows=20.0)


def independent(one, other, rate):
    """Say that two series of draws have as much in common as chance gives them."""
    least, most = binom.ppf([SAFE, 1 - SAFE], one.size, rate**2)
    assert least <= (one & other).sum() <= most


def test_rows_are_drawn_at_the_rate_that_is_entered_and_independently():
    """Over a thousand steps each row is drawn at the rate, once in a step at most, whatever other rows, steps and fits do."""
    (drawn, _), (again, _) = (taken(200, 1000, STEPS) for _ in range(2))
    rate = STEPS.sampling_rate
    assert set(np.unique(drawn)) == {0, 1}
    least, most = binom.ppf([SAFE, 1 - SAFE], drawn.size, rate)
    assert least <= drawn.sum() <= most
    least, most = binom.ppf([SAFE / 200, 1 - SAFE / 200], 1000, rate)
    assert ((least <= drawn.sum(axis=0)) & (drawn.sum(axis=0) <= most)).all()
    assert drawn.sum(axis=1).var() == pytest.approx(200 * rate * (1 - rate), rel=0.35)
    for lag in (1, 2, 7):
        independent(drawn[lag:], drawn[:-lag], rate)  # steps
        independent(drawn[:, lag:], drawn[:, :-lag], rate)  # rows
    independent(drawn, again, rate)


def test_noise_of_steps_is_normal_to_its_tails_and_independent():
    """What the weights move by, over the noise that is entered, is standard normal, anew in each weight, step and fit."""
    (_, moves), (_, again) = (taken(10, 20, STEPS, 50_000) for _ in range(2))
    noise, other = (part / (STEPS.noise_multiplier * STEPS.l2_norm_clip / STEPS.expected_rows) for part in (moves, again))
    tails(noise.ravel())
    for one, two in ((noise[1:], noise[:-1]), (noise[:, 1:], noise[:, :-1]), (noise, other)):
        assert abs((one * two).mean()) < 6 / np.sqrt(one.size)


@pytest.mark.filterwarnings("ignore:noise drowns the signal:UserWarning")
@pytest.mark.parametrize("schema", ["private", {"flag": fields.Boolean()}], ids=["private", "public"])
def test_a_fit_takes_the_steps_of_its_ledger(schema, monkeypatch):
    """Each batch draws rows and noise as its entry says: rate, noise, norm, number of steps."""
    rates, scales = [], set()

    class Noted(_dp_sgd.Randomness):
        def choose(self, n_rows, rate):
            rates.append(rate)
            return super().choose(n_rows, rate)

        def added_to(self, total, scale):
            scales.add(scale)
            return super().added_to(total, scale)

    monkeypatch.setattr(_dp_sgd, "Randomness", Noted)
    table = pd.DataFrame({"flag": np.arange(N) % 3 == 0})
    model = LSTMTextModel(embedding_dim=4, rnn_units=4, epochs=1, batch_size=64, l2_norm_clip=0.5)
    fitted = BatchLSTMSynthesizer(text_model=model, schema=schema, epsilon=20.0, delta=1e-5).fit(table)
    event = fitted.privacy_ledger_.set_index("step").loc["training"]
    parameters = event["parameters"]
    assert rates == [parameters["sampling_rate"]] * parameters["steps_taken"]
    assert scales == {parameters["noise_multiplier"] * 0.5}
    assert parameters["l2_norm_clip"] == 0.5


# Cells are read one by one

PLAIN = {
    "flag": (fields.Boolean(), [True, False, None], [2, 0.5, "x"]),
    "number": (fields.Number(0, 100), [1, 2.5, 2**40, None], [np.inf, "abc", True, 10**400, b"x"]),
    "date": (
        fields.Datetime("2000-01-01", "2029-12-31", resolution="D", format="%Y-%m-%d"),
        ["2020-01-01", "2021-02-03", None], ["2020-13-40", 3, ""],
    ),
    "text": (fields.Text(max_length=3, alphabet="ab"), ["a", "ab", None], [3, 2.5, "xyz", b"a", Decimal("NaN")]),
    "key": (fields.Identifier(pattern="K[0-9]{3}"), ["K123", "K007"], [2.5, 3, "zz"]),
    "city": (
        fields.Category(["a", 1]), ["a", 1, None],
        [2.5, True, "x", [1], Fraction(1, 3), Decimal("nan"), -(10**400), np.timedelta64(1, "D")],
    ),
}  # fmt: skip
TYPED = {
    "infinity": (fields.Number(0, 9), pd.Series([0.5, 1.0, np.nan] * 20), np.inf),
    "key": (fields.Identifier(pattern="[0-9]{3}"), pd.Series([123.0, 7.0, 5.0] * 20), 2.5),
    "long key": (fields.Identifier(pattern="[0-9]{3}"), pd.Series([123.0, 7.0, 5.0] * 20), 1e300),
}
CELLS = st.one_of(*[st.tuples(st.just(name), st.sampled_from(good + bad)) for name, (_, good, bad) in PLAIN.items()])


def mixed_cells():
    """Return a table of objects, all of which their fields can hold."""
    return pd.DataFrame({name: pd.Series((good * 40)[:60], dtype=object) for name, (_, good, _) in PLAIN.items()})


@pytest.fixture(scope="module")
def read():
    """Return what is released of `mixed_cells`, and its tokenizer."""
    schema = {name: field for name, (field, _, _) in PLAIN.items()}
    found = release(mixed_cells(), schema, Ledger(1e-5), None)
    return found, found.fit_tokenizer()[0]


@settings(max_examples=40)
@given(CELLS, st.integers(0, 59))
def test_one_cell_changes_no_other_row(read, cell, row):
    """Whatever a cell becomes, all other rows keep their tokens and their codes for the association."""
    (found, tokenizer), (before, after) = read, (mixed_cells(), mixed_cells())
    after.at[row, cell[0]] = cell[1]
    rest = np.arange(60) != row
    codes = [coarse_codes(table, found)[rest] for table in (before, after)]
    pd.testing.assert_frame_equal(*codes)
    ids = [tokenizer.encode(cell_by_cell(table, found.schema), cut=True)[rest] for table in (before, after)]
    assert np.array_equal(*ids)


@pytest.mark.parametrize(
    ("field", "values", "bad"),
    [(field, pd.Series(good * 30, dtype=object), cell) for field, good, bad in PLAIN.values() for cell in bad]
    + list(TYPED.values()),
    ids=str,
)
def test_no_error_and_no_warning_tells_of_a_cell(field, values, bad, monkeypatch):
    """A cell that no public domain holds is missing, clipped or *other*: the fit starts as without it; X is not touched."""
    table = pd.DataFrame({"x": values.astype(object)})
    table.at[3, "x"] = bad
    table["x"] = table["x"].astype(values.dtype)
    kept = table.copy()
    parameters = {"text_model": LSTMTextModel(batch_size=8, epochs=1, rnn_units=1, embedding_dim=1), "delta": 1e-4}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "noise drowns the signal")
        _, models, jobs, _ = started(table, {"x": field}, monkeypatch, **parameters)
    pd.testing.assert_frame_equal(table, kept)
    slots = models[0].tokenizer_.grammar_.n_positions
    assert len(jobs[0].ids) == len(table)
    assert (np.asarray(jobs[0].ids)[:, :slots] >= 0).all()


def test_a_fit_resumes_with_the_cells_it_read(tmp_path):
    """A private fit of a column with a cell that is no Boolean is taken up from its folder."""
    table = pd.DataFrame({"flag": pd.Series([True, False, "x"] * 100, dtype=object)})
    model = LSTMTextModel(embedding_dim=4, rnn_units=4, epochs=1, batch_size=64, noise_multiplier=None)
    synthesizer = BatchLSTMSynthesizer(
        text_model=model, schema={"flag": fields.Boolean()}, epsilon=20.0, delta=1e-4, checkpoint_dir=tmp_path / "fit"
    )
    synthesizer.fit(table)
    again = clone(synthesizer).fit(table)
    assert again.sample(10, random_state=0).equals(synthesizer.sample(10, random_state=0))


# Budgets of unusual size


@pytest.mark.parametrize("model", [(0.02, 0.1, 20), (1e-3, 0.1, 20), (1e-160, 0.1, 20)])
def test_little_noise_is_accounted_for_in_bounded_memory(model):
    """Epsilon of next to no noise is at least that of more, and never more than what composition without sampling gives."""
    tracemalloc.start()
    spent = compute_epsilon(*model, 1e-6)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 500 * 2**20
    assert spent > 100
    noise, _, n_steps = model
    with np.errstate(over="ignore"):
        rho = n_steps * 0.5 / np.float64(noise) ** 2
    assert spent <= rho + 2 * np.sqrt(rho * np.log(1e6))


@pytest.mark.parametrize("epsilon", [1e-3, 1e-9])
def test_too_small_an_epsilon_is_refused(epsilon):
    """The message names epsilon and the remedy, before any row is read."""
    with pytest.raises(ValueError, match=f"epsilon={epsilon:g} is too small.*raise epsilon to 0.002, or give fields"):
        release(pd.DataFrame({"flag": [True, False]}), "private", Ledger(1e-6), epsilon)


def test_a_small_epsilon_is_calibrated_for():
    """A thousandth of epsilon, some of it spent before, has its noise."""
    before = [gaussian_event(3 * gaussian_noise(1e-3, 1e-6))]
    noise = calibrate_noise_multiplier(1e-3, 1e-6, 0.2, 5, before=before)
    assert compute_epsilon(noise, 0.2, 5, 1e-6, before=before) <= 1e-3


@pytest.mark.parametrize("epsilon", [150.0, 1e5, 1e300])
def test_an_epsilon_that_promises_nothing_is_warned_of(epsilon, monkeypatch):
    """Beyond what the least noise spends, the warning says what is really spent, and so does epsilon_."""
    table = pd.DataFrame({"flag": np.arange(N) % 3 == 0})
    model = LSTMTextModel(embedding_dim=4, rnn_units=4, epochs=1, batch_size=64)
    monkeypatch.setattr(BatchLSTMSynthesizer, "_run", lambda *args: (_ for _ in ()).throw(Ended))
    synthesizer = BatchLSTMSynthesizer(text_model=model, schema={"flag": fields.Boolean()}, epsilon=epsilon)
    with pytest.warns(UserWarning, match=f"epsilon={re.escape(f'{epsilon:g}')} is asked for") as caught, pytest.raises(Ended):
        synthesizer.fit(table)
    assert 10 < synthesizer.epsilon_ < 150
    assert len(caught) == 1
    assert f"{synthesizer.epsilon_:.4g} is spent, with the least noise multiplier there is, 0.2" in str(caught[0].message)


def test_a_private_fit_has_no_notes():
    """Of doubtful columns, an index, a group and a time nothing is noted, and nothing is warned of."""
    table = people()[["age", "city"]].set_index(pd.date_range("2020-01-01", periods=N, name="when"))
    table["words"] = pd.Series(["1", "2", "n/a"] * (N // 3), index=table.index, dtype=object)
    model = LSTMTextModel(embedding_dim=4, rnn_units=4, epochs=1, batch_size=64)
    schema = {"age": fields.Number(0, 30), "city": fields.Category(["Ulm"]), "words": fields.Text(max_length=1, alphabet="1")}
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        fitted = BatchLSTMSynthesizer(text_model=model, schema=schema, epsilon=20.0).fit(table)
    assert len(fitted.schema_.notes) == 0
    assert all(len(model.tokenizer_.schema_.notes) == 0 for model in fitted.models_)
    assert [one for one in caught if "noise drowns" not in str(one.message)] == []
