"""Promises of private training: what a row contributes, what noise is added, and what nobody can tell of a row."""

from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, kstest

from sksynth import core
from sksynth._grammar import Grammar, Run, Slot, compile_slots
from sksynth.core import _clipping, _dp_sgd, _engine, _model, _network
from sksynth.core._layout import Layout
from sksynth.core._training import initial_weights
from sksynth.privacy import audit_mechanism, compute_epsilon

CITY = compile_slots(["city"], [14], lambda *_: 0)
PAIR = compile_slots(["part", "rest"], [3, 4], lambda index, state, token: token if index == 0 or token <= state else None)
NOTE = Run((Slot("note", np.array([[1, 0, 0], [1, -1, -1]], np.int16), repeat=3),))  # token 0 ends the note
TABLE, TEXT, SINGLE = Grammar((CITY, PAIR)), Grammar((PAIR, NOTE, CITY)), Grammar((CITY,))
NO_DROPOUT = _network.Noise(tf.zeros(2, tf.int32), tf.constant(0.0))


def made_rows(grammar, n_rows, rng):
    """Return legal token ids drawn position by position."""
    ids = np.zeros((n_rows, grammar.n_positions), np.int32)
    for row in ids:
        state = 0
        for position, slot in enumerate(grammar.slot_of_position):
            state = 0 if grammar.run_starts[position] else state
            row[position] = rng.choice(np.flatnonzero(grammar.slots[slot].transitions[state] >= 0))
            state = grammar.slots[slot].transitions[state, row[position]]
    return ids


class Case:
    """A network of made weights, and rows."""

    def __init__(self, grammar, n_rows, *, units=3, width=2, n_layers=1, scale=1.0, seed=0, n_context=0):
        rng = np.random.default_rng(seed)
        layout = Layout(grammar)
        n_context = min(n_context, len(grammar.runs) - 1)
        self.shape = _network.NetworkShape(layout.groups, width, units, n_layers, masked=n_context > 0)
        self.rows = layout.rows(made_rows(grammar, n_rows, rng))
        self.order = tf.constant(layout.order)
        weights = initial_weights(self.shape, layout.priors(self.rows), rng)
        self.trained = [name for name in weights if not name.startswith("prior")]
        for name in self.trained:
            weights[name] = weights[name] * scale + 0.1 * rng.standard_normal(weights[name].shape)
        self.weights = weights | ({"scored": layout.scored(n_context)} if n_context else {})

    def tensors(self):
        """Return the weights as tensors."""
        return {name: tf.constant(value, tf.float32) for name, value in self.weights.items()}

    def clipped(self, rows=None, norm=1.0, real=None):
        """Return the clipped sum over rows, by our core."""
        rows = self.rows if rows is None else rows
        real = np.ones(len(rows)) if real is None else real
        weights = _network.tables(self.shape, self.tensors())
        sums = _clipping.clipped_sum(
            self.shape, weights, tf.constant(rows), self.order, NO_DROPOUT, tf.constant(real, tf.float32), tf.constant(norm)
        )
        return {name: sums[name].numpy() for name in self.trained}

    def single(self, row):
        """Return one row's own gradient, by automatic differentiation of its loss alone."""
        weights = self.tensors()
        with tf.GradientTape() as tape:
            tape.watch([weights[name] for name in self.trained])
            loss, _ = _network.row_losses(self.shape, weights, tf.constant(row[None]), self.order)
        found = tape.gradient(loss, [weights[name] for name in self.trained])
        return {name: tf.convert_to_tensor(own).numpy() for name, own in zip(self.trained, found, strict=True)}


def norm_of(gradients):
    """Return the norm of a gradient over all weights."""
    return float(np.sqrt(sum((own.astype(np.float64) ** 2).sum() for own in gradients.values())))


def difference(a, b):
    """Return the norm of the difference of two gradients."""
    return norm_of({name: a[name] - b[name] for name in a})


shapes = st.fixed_dictionaries(
    {
        "grammar": st.sampled_from([TABLE, TEXT, SINGLE]), "n_rows": st.integers(1, 6), "units": st.integers(1, 7),
        "width": st.integers(1, 5), "n_layers": st.integers(1, 2), "seed": st.integers(0, 2**20),
        "n_context": st.integers(0, 2),
    }
)  # fmt: skip


@settings(max_examples=20, deadline=None)
@given(shapes, st.sampled_from([0.01, 0.7, 1e4]))
def test_clipped_sums_equal_a_loop_of_single_rows(case, norm):
    """The sum of clipped gradients is that of one tape per row, whatever the shape, with and without text."""
    case = Case(**case)
    expected = dict.fromkeys(case.trained, 0.0)
    for row in case.rows:
        own = case.single(row)
        factor = min(1.0, norm * (1.0 - _clipping.SLACK) / norm_of(own))
        expected = {name: expected[name] + factor * own[name] for name in own}
    assert difference(case.clipped(norm=norm), expected) <= 2e-4 * max(norm_of(expected), 1e-3)


@pytest.mark.parametrize("grammar", [TABLE, TEXT], ids=["categories", "text"])
def test_the_norm_covers_what_reads_context(grammar):
    """A row's gradient, with that of its context's embeddings, is clipped as a whole; the context's heads have none."""
    case = Case(grammar, 1, scale=20.0, n_context=1)
    clipped, own = case.clipped(norm=0.5), case.single(case.rows[0])
    context = Layout(grammar).scored(1) == 0
    read = np.flatnonzero(np.abs(own["slot_embedding"]).max(axis=1) > 0)
    assert set(case.shape.slot_of_place[context]) <= set(read)
    assert norm_of({"embedding": own["embedding"]}) > 0
    assert norm_of(own) > 0.5
    assert norm_of(clipped) <= 0.5
    heads = np.concatenate([np.abs(clipped[f"head_bias_{index}"]).max(axis=1) for index in range(len(case.shape.groups))])
    assert not heads[np.unique(case.shape.slot_of_place[context])].any()
    assert heads.any()


@settings(max_examples=20, deadline=None)
@given(shapes)
def test_norms_equal_those_of_single_rows(case):
    """The norm of every row's gradient follows from its parts, to rounding."""
    case = Case(**case)
    weights = _network.tables(case.shape, case.tensors())
    reading, parts = _clipping.row_parts(case.shape, weights, tf.constant(case.rows), case.order, NO_DROPOUT)
    found = np.sqrt(_clipping.squared_norms(case.shape, reading, parts).numpy())
    np.testing.assert_allclose(found, [norm_of(case.single(row)) for row in case.rows], rtol=1e-4)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 12), st.integers(1, 5), st.integers(1, 5), st.integers(0, 2**20))
def test_norms_by_pairs_of_steps_equal_those_of_the_gradient(n_steps, width, n_outputs, seed):
    """Both ways to a row's norm give the same figure, so that the cheaper one may be taken."""
    rng = np.random.default_rng(seed)
    inputs, deltas = (rng.standard_normal((n_steps, 3, size)) for size in (width, n_outputs))
    found = _clipping.product_norms(_clipping.Product(tf.constant(inputs), tf.constant(deltas)))
    expected = (np.einsum("tbi,tbj->bij", inputs, deltas) ** 2).sum((1, 2))
    np.testing.assert_allclose(found, expected, rtol=1e-9)


@settings(max_examples=10, deadline=None)
@given(shapes, st.floats(0.01, 10.0))
def test_no_row_contributes_more_than_the_norm(case, norm):
    """A row's contribution is never longer than the norm, also where weights are large."""
    case = Case(**case, scale=30.0)
    for row in case.rows:
        assert norm_of(case.clipped(row[None], norm)) <= norm


def sensitivity(clipped, rows):
    """Return by how much the sum changes at most when a row is removed from the table, or from two rows of it."""
    whole = clipped(rows)
    found = [difference(whole, clipped(np.delete(rows, index, axis=0))) for index in range(len(rows))]
    for index in range(1, len(rows)):
        pair = rows[[0, index]]
        found += [difference(clipped(pair), clipped(pair[:1])), difference(clipped(pair), clipped(pair[1:]))]
    return max(found)


@pytest.mark.parametrize("grammar", [TABLE, TEXT])
def test_removing_a_row_changes_the_sum_by_the_norm_at_most(grammar):
    """A row less changes the sum by the norm at most, as the noise assumes; the test sees a batch clipped as a whole."""
    case = Case(grammar, 10)

    def clipped_as_a_whole(rows):
        sums = case.clipped(rows, norm=1e9)
        return {name: own * min(1.0, 1.0 / norm_of(sums)) for name, own in sums.items()}

    assert sensitivity(case.clipped, case.rows) <= 1.0 + 1e-6
    assert sensitivity(clipped_as_a_whole, case.rows) > 1.0


def influence(clipped, case):
    """Return how much the contribution of the first row changes with the others."""

    def own(others):
        return {
            name: both - alone
            for (name, both), alone in zip(
                clipped(np.concatenate([case.rows[:1], others])).items(), clipped(others).values(), strict=True
            )
        }

    return difference(own(case.rows[1:4]), own(case.rows[4:7]))


@pytest.mark.parametrize("grammar", [TABLE, TEXT])
def test_rows_do_not_influence_each_other(grammar):
    """What a row contributes does not depend on which rows are beside it; the test sees a hidden state carried over."""
    case = Case(grammar, 7)

    def carried(rows):  # as if the state of one row went into the next
        shifted = np.concatenate([rows[:1], rows[:-1]])
        both = case.clipped(rows), case.clipped(shifted)
        return {name: both[0][name] * (1.0 + np.abs(both[1][name]).mean()) for name in both[0]}

    assert influence(case.clipped, case) <= 1e-5
    assert influence(carried, case) > 1e-3


@pytest.mark.parametrize("size", [1, 5, 7, 30])
def test_chunks_do_not_change_the_sum(size):
    """The rows of a step may be computed in chunks of any size; rows that fill the last one add nothing."""
    case = Case(TABLE, 20)
    total = dict.fromkeys(case.trained, 0.0)
    for rows, real in _dp_sgd.chunks(case.rows, np.arange(20), size):
        sums = case.clipped(rows.numpy(), real=real.numpy())
        total = {name: total[name] + sums[name] for name in total}
    assert difference(total, case.clipped()) <= 1e-5


@pytest.mark.parametrize("loops", ["graph", "xla"])
def test_dropout_of_a_row_does_not_depend_on_the_others(loops):
    """With dropout, too, a row contributes the same wherever it stands in whichever chunk: all have the same mask."""
    case = Case(TEXT, 12, units=8, n_layers=2)
    model = _model.RowModel(case.shape._replace(loops=loops))
    _engine.load(model, case.weights | {"dropout": np.float32(0.5), "seed": np.int32([3, 4])})

    def total(rows, size):
        sums = dict.fromkeys(case.trained, 0.0)
        for chunk, real in _dp_sgd.chunks(rows, np.arange(len(rows)), size):
            found = model.clipped_sums(chunk, case.order, real, tf.constant(1.0), tf.constant(7))
            sums = {name: sums[name] + found[name].numpy() for name in sums}
        return sums

    whole = total(case.rows, 12)
    assert difference(whole, total(case.rows[::-1], 12)) <= 1e-5
    assert difference(whole, total(case.rows, 5)) <= 1e-5
    assert difference(whole, case.clipped()) > 1e-2  # dropout is there


def test_the_order_of_rows_does_not_matter():
    """The sum is the same for the same rows in another order."""
    case = Case(TEXT, 9)
    assert difference(case.clipped(), case.clipped(case.rows[::-1])) <= 1e-5


@pytest.mark.parametrize("grammar", [TABLE, TEXT])
def test_a_row_that_is_not_finite_contributes_nothing(grammar):
    """Rows whose gradient overflows add nothing, and the others what they add alone."""
    case = Case(grammar, 9)
    at = list(Layout(grammar).slots).index(len(grammar.slots) - 1 if grammar is TEXT else 0)
    place = np.flatnonzero(case.shape.slot_of_place == at)[0]
    token = case.rows[0, place]
    case.weights["embedding"][case.shape.first_token_of_slot[at] + token] = np.nan
    reads_it = case.rows[:, place] == token
    last = grammar is TEXT  # the last token of a row is never read
    assert reads_it[0]
    expected = case.rows if last else case.rows[~reads_it]
    found = case.clipped()
    assert all(np.isfinite(own).all() for own in found.values())
    assert difference(found, case.clipped(expected)) <= 1e-6


def test_a_row_without_a_gradient_contributes_nothing():
    """Where nothing is left to choose the gradient is zero, and stays a number."""
    case = Case(Grammar((compile_slots(["constant"], [1], lambda *_: 0),)), 3)
    assert norm_of(case.clipped()) == pytest.approx(0.0, abs=1e-6)


def test_rows_that_fill_a_chunk_contribute_nothing():
    """A chunk of rows that are not real sums to exactly zero."""
    case = Case(TABLE, 4)
    assert norm_of(case.clipped(real=np.zeros(4))) == 0.0


# Steps: draws, noise, and what an audit sees of them


class DiracModel:
    """Stands for a network: the gradient of row j is the j-th unit vector, times `length`."""

    def __init__(self, n_rows, length=10.0, clip=True):
        self.trainable_variables = [SimpleNamespace(name="w", shape=(n_rows,))]
        self.length, self.clip, self.moves = length, clip, []

    def clipped_sums(self, rows, order, real, norm, step):
        """Clip by the core's own factors."""
        squares = tf.fill(tf.shape(real), self.length**2)
        factors = (_clipping.clip_factors(squares, norm) if self.clip else 1.0) * real * self.length
        return {"w": tf.math.unsorted_segment_sum(factors, rows[:, 0], self.trainable_variables[0].shape[0])}

    def move(self, gradients):
        """Remember what the optimizer would be told."""
        self.moves.append(gradients["w"].numpy())


def steps_of(n_rows, mechanism, included=None, **model):
    """Return noisy steps over canaries, some of which are left out of the table."""
    ids = np.arange(n_rows) if included is None else np.flatnonzero(included)
    model = DiracModel(n_rows, **model)
    steps = _dp_sgd._Steps(model, ids[:, None].astype(np.int32), np.zeros(1, np.int32), 64, mechanism)
    return steps, model


class HalfNoise(_dp_sgd.Randomness):
    """A mutant."""

    def added_to(self, total, scale):
        """Add half the noise."""
        return super().added_to(total, 0.5 * scale)


def scores_by(mechanism, noise=_dp_sgd.Randomness, **model):
    """Return what `audit_mechanism` runs: the sum of all that the optimizer is told, canary by canary."""

    def run(included):
        steps, watched = steps_of(len(included), mechanism, included, **model)
        steps.randomness = noise()
        for step in range(mechanism.n_steps):
            steps.take(step)
        return np.sum(watched.moves, axis=0)

    return run


def shared_stream(mechanism):
    """Return a mutant whose two batches draw from one stream: the difference of what they tell has no noise."""

    def run(included):
        told = []
        for length in (10.0, 0.5):
            steps, watched = steps_of(len(included), mechanism, included, length=length)
            steps.randomness._draws, steps.randomness._noise = np.random.default_rng(5), np.random.default_rng(6)
            for step in range(mechanism.n_steps):
                steps.take(step)
            told.append(np.sum(watched.moves, axis=0))
        return told[0] - told[1]

    return run


FULL = _dp_sgd.Mechanism(sampling_rate=1.0, noise_multiplier=4.0, l2_norm_clip=1.0, n_steps=20, expected_rows=1.0)
CLAIMED = compute_epsilon(4.0, 1.0, 20, 1e-5)


def test_an_audit_does_not_refute_the_steps():
    """What canaries betray of honest steps is below the claimed epsilon, and above nothing."""
    found = audit_mechanism(scores_by(FULL), 1000, 1e-5, confidence=0.99, random_state=0)
    assert 1.0 < found.gaussian_epsilon_lower < CLAIMED
    assert found.epsilon_lower < CLAIMED
    assert found.tpr_at_1 < found.ceiling(CLAIMED, 1e-5)


@pytest.mark.parametrize(
    "run",
    [scores_by(FULL, HalfNoise), scores_by(FULL, clip=False), shared_stream(FULL)],
    ids=["half-the-noise", "no-clipping", "shared-stream"],
)
def test_an_audit_refutes_mutants(run):
    """Half the noise, no clipping, and one stream for two batches betray more than is claimed."""
    found = audit_mechanism(run, 1000, 1e-5, confidence=0.99, random_state=0)
    assert found.gaussian_epsilon_lower > CLAIMED


def test_every_row_is_drawn_with_the_same_probability():
    """The number of rows of a step is binomial, without a largest one."""
    noise = _dp_sgd.Randomness()
    sizes = [len(noise.choose(200, 0.1)) for _ in range(300)]
    jittered = binom.cdf(np.array(sizes) - 1, 200, 0.1) + np.random.default_rng(0).random(300) * binom.pmf(sizes, 200, 0.1)
    assert kstest(jittered, "uniform").pvalue > 1e-6


def test_noise_has_the_scale_that_is_said():
    """Noise is normal, its standard deviation the multiplier times the norm, over the expected number of rows."""
    mechanism = _dp_sgd.Mechanism(0.5, 3.0, 2.0, 1, 40.0)
    steps, model = steps_of(4000, mechanism, np.zeros(4000, bool))
    steps.take(0)
    assert kstest(model.moves[0] / (3.0 * 2.0 / 40.0), "norm").pvalue > 1e-6


def test_an_empty_draw_takes_a_noisy_step():
    """Where no row is drawn, the weights move by the noise all the same."""
    steps, model = steps_of(50, _dp_sgd.Mechanism(1e-12, 1.0, 1.0, 1, 1.0))
    steps.take(0)
    assert np.all(model.moves[0] != 0.0)


def test_noise_knows_no_seed():
    """Neither global seeds nor a second generator repeat draws or noise."""
    totals = []
    for _ in range(2):
        np.random.seed(0)  # noqa: NPY002 - that it does nothing is the point
        noise = _dp_sgd.Randomness()
        totals.append((tuple(noise.choose(1000, 0.5)), *noise.added_to(np.zeros(3), 1.0)))
    assert totals[0] != totals[1]
    assert totals[0][1:] != totals[1][1:]


# A whole fit

SETTINGS = core.Settings(
    embedding_dim=4, rnn_units=8, n_layers=1, dropout=0.0, averaging=1.0, context=0.0, epochs=3, batch_size=32,
    learning_rate=0.02, validation_fraction=0.0, monitor="loss", patience=None, min_delta=0.0,
    steps_per_execution=1, loops="graph",
)  # fmt: skip


def fit(n_rows=300, seed=0, on_epoch=lambda state: None, noise=1.0, n_steps=12, loops="graph", clip=1.0):
    """Train privately on rows whose second column follows from the first."""
    rng = np.random.default_rng(1)
    city = rng.integers(0, 14, n_rows)
    ids = np.column_stack([city, 2 * (city % 2), 2 * (city % 2)]).astype(np.int32)
    mechanism = core.Mechanism(0.2, noise, clip, n_steps, 0.2 * n_rows)
    options = SETTINGS.__class__(**{**SETTINGS.__dict__, "loops": loops})
    spent = [(n_steps * (epoch + 1) // 3, 0.1 * (epoch + 1), 1e-6) for epoch in range(3)]
    seed = np.random.SeedSequence(seed)
    run = core.Run(on_epoch)
    return core.train_privately(TABLE, ids, options, mechanism, ids[:0], seed, spent, run), run.records, ids, options


def test_history_tells_nothing_of_the_rows():
    """Losses and accuracies are not stored; what was spent is, epoch by epoch."""
    seen = []
    _, history, *_ = fit(on_epoch=seen.append)
    assert [state.last for state in seen] == [False, False, True]
    for state, record in zip(seen, history, strict=True):
        assert all(np.isnan(record[name]) for name in ("loss", "accuracy", "val_loss", "val_accuracy"))
        assert np.isnan(state.loss)
        assert record["epsilon"] == state.epsilon
    assert [record["epsilon"] for record in history] == pytest.approx([0.1, 0.2, 0.3])


def test_private_products_are_exact_float32():
    """While private training runs, GPUs may not shorten numbers; afterwards TensorFlow is as it was."""
    enabled = tf.config.experimental.tensor_float_32_execution_enabled
    before, during = enabled(), []
    fit(on_epoch=lambda state: during.append(enabled()))
    assert during == [False] * 3
    assert enabled() == before


def test_two_fits_of_one_seed_differ():
    """The seed fixes initial weights, never draws of rows or noise."""
    (first, *_), (second, *_) = fit(), fit()
    assert not np.array_equal(first["embedding"], second["embedding"])


@pytest.mark.parametrize("loops", ["graph", "xla"])
def test_private_training_learns(loops):
    """With little noise, private training finds that one column follows from another."""
    weights, _, ids, options = fit(2000, noise=0.05, n_steps=150, loops=loops, clip=5.0)
    scores = core.log_likelihood(TABLE, weights, core.network_shape(TABLE, options), ids)
    assert scores.mean() > -np.log(14) - 0.4  # of which the city alone takes log(14)
