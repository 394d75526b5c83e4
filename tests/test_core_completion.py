"""Promises of completing rows that differ in what is given, on tiny networks of random weights."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import tensorflow as tf
from scipy.stats import chi2

from sksynth import core
from sksynth._grammar import Grammar, Run, Slot, compile_slots
from sksynth.core import _network, _products, _training
from sksynth.core._layout import Layout
from sksynth.core._steps import BLOCK_ROWS

SETTINGS = core.Settings(
    embedding_dim=8, rnn_units=16, n_layers=1, dropout=0.0, averaging=1.0, context=0.5, epochs=1,
    batch_size=64, learning_rate=0.03, validation_fraction=0.0, monitor="val_loss", patience=None, min_delta=0.0,
    steps_per_execution=8, loops="graph",
)  # fmt: skip


def _date(index, state, token):
    """Step of a date: missing (0), other (1) or one of two months, then a day that the month allows."""
    if index == 0:
        return ("missing", "other", "short", "long")[token]
    return token if token in {"missing": (0,), "other": (1,), "short": (2, 3), "long": (1, 2, 3)}[state] else None


CITY_RUN = compile_slots(["city"], [6], lambda *_: 0, unsampled={0: [1]})
DATE_RUN = compile_slots(["date.month", "date.day"], [4, 4], _date, unsampled={0: [1]})
NOTE_RUN = Run((Slot("note", np.array([[1, 0, 0], [1, -1, -1]], np.int16), repeat=4),))  # token 0 ends the note
FLAG_RUN = compile_slots(["flag"], [3], lambda *_: 0)
GRAMMAR = Grammar((CITY_RUN, NOTE_RUN, DATE_RUN, FLAG_RUN))
TEXT_LAST = Grammar((CITY_RUN, DATE_RUN, FLAG_RUN, NOTE_RUN))
CITY, NOTE, DATE, FLAG = range(4)
SEED = np.random.SeedSequence(0)
N_ROWS = 3 * BLOCK_ROWS + 100


def network(grammar, n_layers, **changes):
    """Return random weights, large enough for tokens to depend on each other, and their shape."""
    shape, layout = core.network_shape(grammar, replace(SETTINGS, n_layers=n_layers, **changes)), Layout(grammar)
    rng = np.random.default_rng(n_layers)
    start = _training.initial_weights(shape, layout.priors(layout.rows(np.zeros((0, grammar.n_positions), int))), rng)
    weights = {name: value if name.startswith("prior_") else value * np.float32(3) for name, value in start.items()}
    if shape.recalls:
        weights["recall"] = 4 * rng.standard_normal(weights["recall"].shape).astype(np.float32)
    return weights, shape


@pytest.fixture(
    scope="module", params=[(1, 0.5), (2, 0.0), (2, 0.5)], ids=["one-layer", "two-layers-that-forget", "two-layers"]
)
def trained(request):
    """Return weights and shape of a network for `GRAMMAR`."""
    n_layers, context = request.param
    return network(GRAMMAR, n_layers, context=context)


@pytest.fixture(scope="module")
def completer(trained):
    """Return what completes rows of `GRAMMAR`."""
    return core.Completer(GRAMMAR, *trained)


@pytest.fixture(scope="module")
def rows(trained):
    """Return legal rows of `GRAMMAR`, unsampled tokens among them."""
    tokens = core.Sampler(GRAMMAR, *trained).draw(np.random.SeedSequence(1), range(N_ROWS))
    tokens[::7, 0] = 1
    tokens[::9, 5:7] = 1
    return tokens


def random_runs(n_rows):
    """Return runs that are known at random, row by row."""
    return np.random.default_rng(2).random((n_rows, len(GRAMMAR.runs))) < 0.5


def scores(trained, tokens, first):
    """Return the log-likelihood of rows when some runs are read before the others."""
    layout = Layout(GRAMMAR)
    order = tf.constant(layout.order[layout.positions(first)])
    losses, _ = _network.row_losses(trained[1], trained[0], tf.constant(layout.rows(tokens).astype(np.int32)), order)
    return -losses.numpy().astype(float)


def legal_rows(grammar):
    """Return every legal row of a grammar."""
    sizes = [grammar.slots[index].n_tokens for index in grammar.slot_of_position]
    rows = np.array(list(product(*map(range, sizes))), np.int32)
    keep, state = np.ones(len(rows), bool), np.zeros(len(rows), int)
    for position, index in enumerate(grammar.slot_of_position):
        state = np.where(grammar.run_starts[position], 0, state)
        state = grammar.slots[index].transitions[state, rows[:, position]].astype(int)
        keep &= state >= 0
    return rows[keep]


LEGAL = legal_rows(GRAMMAR)


@pytest.mark.parametrize("first", [(), (DATE,), (CITY, FLAG), (NOTE, FLAG)])
@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_rows_alike_in_what_is_known_are_those_of_the_sampler(trained, completer, rows, first, temperature):
    """Where all rows know the same runs they are completed as `Sampler` does with the tokens given, but for rounding."""
    known = np.tile(np.isin(np.arange(4), first), (N_ROWS, 1))
    sampler, layout = core.Sampler(GRAMMAR, *trained, first=first), Layout(GRAMMAR)
    given = rows[:, [position for position in layout.positions(first) if layout.run_of_position[position] in first]]
    expected = sampler.draw(SEED, range(N_ROWS), core.Draw(temperature, given=given))

    tokens, _ = completer.complete(rows, known, SEED, range(N_ROWS), temperature=temperature)

    assert (tokens == expected).all(axis=1).mean() >= 0.999
    assert np.array_equal(tokens[known[:, layout.run_of_position]], rows[known[:, layout.run_of_position]])


def test_texts_at_the_end_are_those_of_the_sampler():
    """Rows that are over, as their last text is, are left out, and end as the others do."""
    trained = network(TEXT_LAST, 1)
    expected = core.Sampler(TEXT_LAST, *trained).draw(SEED, range(N_ROWS))
    known = np.zeros((N_ROWS, 4), bool)

    tokens, _ = core.Completer(TEXT_LAST, *trained).complete(expected, known, SEED, range(N_ROWS))

    assert (tokens == expected).all(axis=1).mean() >= 0.999
    TEXT_LAST.states(tokens)
    known[::2, 3] = True
    tokens, log_weights = core.Completer(TEXT_LAST, *trained).complete(expected, known, SEED, range(N_ROWS))
    assert np.array_equal(expected[::2, -4:], tokens[::2, -4:])
    assert (log_weights[::2] < 0).all()


def test_weights_of_known_rows_are_their_likelihood(trained, completer, rows):
    """The log weight of a row that is wholly known is what `log_likelihood` says of it, of unsampled tokens too."""
    known = np.ones((N_ROWS, 4), bool)

    tokens, log_weights = completer.complete(rows, known, SEED, range(N_ROWS))

    assert np.array_equal(rows, tokens)
    np.testing.assert_allclose(core.log_likelihood(GRAMMAR, *trained, rows), log_weights, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("temperature", [0.5, 2.0])
def test_weights_are_those_of_the_temperature(trained, completer, rows, temperature):
    """What known tokens weigh at a temperature is their probability where rows are drawn at it."""
    whole = rows[: 2 * BLOCK_ROWS]
    known = np.ones((len(whole), 4), bool)

    log_weights = completer.complete(whole, known, SEED, range(len(whole)), temperature=temperature)[1]

    sampler = core.Sampler(GRAMMAR, *trained, given=range(4))
    log_p = sampler.begin(SEED, range(2), core.Draw(temperature, given=whole), whole.shape[1])[1]
    np.testing.assert_allclose(log_p.ravel(), log_weights, rtol=1e-4, atol=1e-3)


def test_weights_are_those_of_the_runs_that_are_weighed(trained, completer, rows):
    """The weights of single runs add up to those of all; no run weighed is no weight; unknown runs weigh nothing."""
    known, names = random_runs(N_ROWS), np.eye(4, dtype=bool)

    whole = completer.complete(rows, known, SEED, range(N_ROWS))[1]
    parts = [completer.complete(rows, known, SEED, range(N_ROWS), weighed=one)[1] for one in names]
    nothing = completer.complete(rows, known, SEED, range(N_ROWS), weighed=np.zeros(4, bool))

    np.testing.assert_allclose(whole, np.sum(parts, axis=0), atol=1e-9)
    assert np.array_equal(np.transpose(parts) < 0, known)
    assert not nothing[1].any()
    assert np.array_equal(nothing[0], completer.complete(rows, known, SEED, range(N_ROWS))[0])


def test_products_have_the_same_bits_among_any_rows():
    """A row's product does not depend on how many others are multiplied with it, nor on its place among them."""
    rng, tile = np.random.default_rng(0), _products.TILE
    for units, n_tokens in [(64, 3), (64, 100), (256, 100), (256, 300)]:
        values = rng.standard_normal((64 * tile, units), dtype=np.float32)
        kernel = rng.standard_normal((units, n_tokens), dtype=np.float32)
        whole = _products.product(values, kernel)
        np.testing.assert_allclose(whole, values @ kernel, atol=1e-3)
        for start, n_tiles in [(0, 1), (3, 1), (5, 2), (7, 8), (1, 40)]:
            own = slice(start, start + n_tiles * tile)
            assert np.array_equal(whole[own], _products.product(values[own], kernel))


@pytest.mark.parametrize("n_layers", [1, 2])
def test_rows_do_not_depend_on_the_others(n_layers):
    """A row is the same to the bit alone, among any others and at any place."""
    grammar = Grammar((compile_slots(["city"], [100], lambda *_: 0), NOTE_RUN, DATE_RUN, FLAG_RUN))
    trained, known = network(grammar, n_layers, rnn_units=64), random_runs(N_ROWS)
    completer, rows = core.Completer(grammar, *trained), core.Sampler(grammar, *trained).draw(SEED, range(N_ROWS))
    guided = {DATE: lambda tokens: np.float32([0, 0, 0, -1])}

    together = completer.complete(rows, known, SEED, range(N_ROWS), guided=guided)

    for start, stop in [(0, 1), (5, 6), (500, 530), (512, 1024), (700, N_ROWS), (0, 1025), (1000, 1000)]:
        some = completer.complete(rows[start:stop], known[start:stop], SEED, range(start, stop), guided=guided)
        assert np.array_equal(together[0][start:stop], some[0])
        assert np.array_equal(together[1][start:stop], some[1])
    kept = known[:, Layout(grammar).run_of_position]
    assert np.array_equal(together[0][kept], rows[kept])
    grammar.states(together[0])
    another = completer.complete(rows, known, np.random.SeedSequence(5), range(N_ROWS), guided=guided)
    assert not np.array_equal(together[0], another[0])


def test_rows_of_one_order_are_the_same_among_rows_of_others(completer, rows):
    """Rows that know the same runs are completed as they are where all rows know these."""
    known = random_runs(N_ROWS)
    mixed, log_weights = completer.complete(rows, known, SEED, range(N_ROWS))

    for kind in np.unique(known, axis=0):
        own = (known == kind).all(axis=1)
        alone, weights = completer.complete(rows, np.tile(kind, (N_ROWS, 1)), SEED, range(N_ROWS))
        assert np.array_equal(mixed[own], alone[own])
        assert np.array_equal(log_weights[own], weights[own])


def test_first_runs_alone_are_what_they_are_among_all(completer, rows):
    """Stopped after the known and guided runs, rows have the same tokens there and the same weights, and 0 elsewhere."""
    known, guided = random_runs(N_ROWS), {FLAG: lambda tokens: np.float32([0, -np.inf, 0])}
    whole, weights = completer.complete(rows, known, SEED, range(N_ROWS), guided=guided)

    first, same = completer.complete(rows, known, SEED, range(N_ROWS), guided=guided, only_first=True)

    known[:, FLAG] = True
    read = known[:, Layout(GRAMMAR).run_of_position]
    assert np.array_equal(np.where(read, whole, 0), first)
    assert np.array_equal(weights, same)


def p_value(observed, expected):
    """Return the chi-square test's p-value; cells that expect fewer than 5 are one cell."""
    small = expected < 5
    observed, expected = (np.append(cells[~small], cells[small].sum()) for cells in (observed, expected))
    return chi2.sf(((observed - expected) ** 2 / np.maximum(expected, 1e-9)).sum(), max(len(expected) - 1, 1))


DAY_FACTORS = np.array([[0, 0, 1.0, 0.25], [0, 0, 1, 1], [0, 0.5, 1, 0], [1, 1, 1, 1]])  # by month drawn, then by day


def guide_date(tokens):
    """Allow two months, the second of half the weight, and of their days some."""
    with np.errstate(divide="ignore"):
        if tokens.shape[1] == 0:
            return np.log(np.float32([0, 0, 1.0, 0.5]))
        return np.log(DAY_FACTORS[tokens[:, 0]]).astype(np.float32)


def test_guided_rows_are_drawn_and_weighed_as_the_network_says(trained, completer):
    """Guided draws that count by their weights have the conditional distribution; the weights' mean is its normaliser."""
    n_rows, flag = 40 * BLOCK_ROWS, 1
    known = np.tile(np.arange(4) == FLAG, (n_rows, 1))
    tokens = np.zeros((n_rows, GRAMMAR.n_positions), np.int32)
    tokens[:, -1] = flag
    completed, log_weights = completer.complete(tokens, known, SEED, range(n_rows), guided={DATE: guide_date}, only_first=True)

    month, day = LEGAL[:, 5], LEGAL[:, 6]
    factor = np.array([0, 0, 1, 0.5])[month] * DAY_FACTORS[month, day] * (LEGAL[:, -1] == flag)
    share = np.zeros((4, 4))
    np.add.at(share, (month, day), np.exp(scores(trained, LEGAL, (DATE, FLAG))) * factor)
    weights, n = np.exp(log_weights), np.zeros((4, 4))

    assert (completed[:, -1] == flag).all()
    for of_month, of_day in np.argwhere(share >= 0):
        drawn = weights * ((completed[:, 5] == of_month) & (completed[:, 6] == of_day))
        n[of_month, of_day] = drawn.mean()
        error = drawn.std() / np.sqrt(n_rows)
        assert abs(drawn.mean() - share[of_month, of_day]) <= 5 * error + 1e-6
    assert abs(n.sum() - share.sum()) <= 5 * weights.std() / np.sqrt(n_rows) + 1e-6


def test_guided_tokens_have_their_shares(trained, completer):
    """A guided token is drawn with the network's probability times the guide's factor; the weight is the sum of these."""
    n_rows, factor = 40 * BLOCK_ROWS, np.array([0.5, 1, 0, 1, 0, 0.1])  # an unsampled token, 1, among them
    known = np.zeros((n_rows, 4), bool)
    with np.errstate(divide="ignore"):
        guide = np.log(factor)

    tokens, log_weights = completer.complete(
        np.zeros((n_rows, 8), np.int32), known, SEED, range(n_rows), guided={CITY: lambda _: guide}, only_first=True
    )

    probability = np.bincount(LEGAL[:, 0], np.exp(scores(trained, LEGAL, (CITY,)))) * factor
    np.testing.assert_allclose(np.log(probability.sum()), log_weights, atol=1e-4)
    observed = np.bincount(tokens[:, 0], minlength=6).astype(float)
    assert not observed[probability == 0].any()
    assert p_value(observed, probability / probability.sum() * n_rows) >= 1e-6


def test_a_guide_that_forbids_all_gives_no_weight(completer):
    """Where no legal token is left the row has weight -inf, and is legal all the same; a known run is not guided."""
    known = np.zeros((64, 4), bool)
    known[::2, DATE] = True
    tokens = np.zeros((64, 8), np.int32)

    completed, log_weights = completer.complete(
        tokens, known, SEED, range(64), guided={DATE: lambda tokens: np.full(4, -np.inf, np.float32)}
    )

    assert np.isneginf(log_weights[1::2]).all()
    assert np.isfinite(log_weights[::2]).all()
    GRAMMAR.states(completed)


@pytest.mark.parametrize("run", [CITY, FLAG])
def test_probabilities_are_those_of_the_candidates(trained, completer, rows, run):
    """Given all other runs, a run's distribution is what the likelihoods of its candidates say; unsampled tokens have none."""
    known, position = np.ones((N_ROWS, 4), bool), 0 if run == CITY else 7
    others = tuple(other for other in range(4) if other != run)
    candidates = range(GRAMMAR.slots[GRAMMAR.slot_of_position[position]].n_tokens)
    shares = []
    for token in candidates:
        changed = rows.copy()
        changed[:, position] = token
        shares.append(np.exp(scores(trained, changed, others)) * (run != CITY or token != 1))

    probabilities = completer.probabilities(rows, known, run)

    np.testing.assert_allclose(probabilities.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_allclose((np.array(shares) / np.sum(shares, axis=0)).T, probabilities, atol=1e-4)


def test_probabilities_need_not_know_all_other_runs(trained, completer, rows):
    """Given some runs only, each row's own, a distribution is that of the run read next; a row has it alone too."""
    known = random_runs(N_ROWS)

    probabilities = completer.probabilities(rows, known, CITY)

    for kind in np.unique(known[:, 1:], axis=0):
        own = np.flatnonzero((known[:, 1:] == kind).all(axis=1))
        first = tuple(np.flatnonzero(kind) + 1)
        drawn = LEGAL[:, 0] != 1
        likelihood = np.exp(scores(trained, LEGAL, first))[drawn]
        read = np.isin(Layout(GRAMMAR).run_of_position, first)
        for row in own[:3]:
            alike = (LEGAL[drawn][:, read] == rows[row, read]).all(axis=1)
            share = np.bincount(LEGAL[drawn][alike, 0], likelihood[alike], minlength=6)
            np.testing.assert_allclose(share / share.sum(), probabilities[row], atol=1e-4)
            assert np.array_equal(probabilities[[row]], completer.probabilities(rows[[row]], known[[row]], CITY))
    assert completer.probabilities(rows[:0], known[:0], CITY).shape == (0, 6)
