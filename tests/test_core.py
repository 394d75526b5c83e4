"""Promises of the training core, on a tiny grammar whose every row can be enumerated."""

from collections import Counter, OrderedDict
from contextlib import nullcontext
from dataclasses import replace
from itertools import combinations, permutations, product

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import chi2

from sksynth import core
from sksynth._grammar import Grammar, Run, Slot, compile_slots
from sksynth.core import _engine, _model, _network, _scoring, _training
from sksynth.core._layout import Layout
from sksynth.core._sampling import BLOCK_ROWS

SETTINGS = core.Settings(
    embedding_dim=8, rnn_units=16, n_layers=1, dropout=0.1, averaging=1.0, context=0.0, epochs=20,
    batch_size=64, learning_rate=0.03, validation_fraction=0.2, monitor="val_loss", patience=None, min_delta=0.0,
    steps_per_execution=8, loops="graph",
)  # fmt: skip
N_ROWS = 640  # 512 of them for training: eight steps an epoch


def _date(index, state, token):
    """Step of a date: missing (0), other (1) or one of two months, then a day that the month allows."""
    if index == 0:
        return ("missing", "other", "short", "long")[token]
    return token if token in {"missing": (0,), "other": (1,), "short": (2, 3), "long": (1, 2, 3)}[state] else None


CITY_RUN = compile_slots(["city"], [14], lambda *_: 0, unsampled={0: [1]})
DATE_RUN = compile_slots(["date.month", "date.day"], [4, 4], _date, unsampled={0: [1]})
NOTE_RUN = Run((Slot("note", np.array([[1, 0, 0], [1, -1, -1]], np.int16), repeat=2),))  # token 0 ends the note
GRAMMAR = Grammar((CITY_RUN, DATE_RUN, NOTE_RUN))
CITY, MONTH, DAY, FIRST, SECOND = range(GRAMMAR.n_positions)


def made_rows(n_rows, rng):
    """Return ids in which the city implies the month and the note's first token; day and second token are noise."""
    city = rng.integers(2, 14, n_rows)
    day, second = rng.integers(2, 4, n_rows), rng.integers(0, 2, n_rows)
    return np.column_stack([city, 2 + city % 2, day, 1 + (city > 7), second]).astype(np.int32)


def is_legal(grammar, ids):
    """Say whether `Grammar.states` takes the rows."""
    try:
        grammar.states(ids)
    except ValueError:
        return False
    return True


def legal_rows(grammar):
    """Return every legal row of a grammar."""
    sizes = [grammar.slots[index].n_tokens for index in grammar.slot_of_position]
    return np.array([row for row in product(*map(range, sizes)) if is_legal(grammar, np.array([row]))], np.int32)


LEGAL = legal_rows(GRAMMAR)
MADE = made_rows(N_ROWS, np.random.default_rng(0))
NOISE = LEGAL[np.random.default_rng(1).integers(len(LEGAL), size=N_ROWS)]


def train(ids=MADE, *, grammar=GRAMMAR, seed=0, on_epoch=lambda state: None, **changes):
    """Train on ids with the settings of this file, some of them changed."""
    run = core.Run(on_epoch)
    return core.train(grammar, ids, replace(SETTINGS, **changes), np.random.SeedSequence(seed), run), run.records


def shape_of(grammar=GRAMMAR, **changes):
    """Return the shape of the network that `train` with these arguments uses."""
    return core.network_shape(grammar, replace(SETTINGS, **changes))


def same_weights(a, b):
    """Compare two networks' weights to the bit."""
    return a.keys() == b.keys() and all(np.array_equal(a[name], b[name]) for name in a)


@pytest.fixture(scope="module", autouse=True)
def traces():
    """Count, by network and function, how often the functions of this module's networks are traced."""
    counts, patch = Counter(), pytest.MonkeyPatch()

    def counting(room, name):
        original = getattr(room, name)

        def counted(first, *args, **kwargs):
            counts[name, id(first) if name.endswith("_step") else first] += 1
            return original(first, *args, **kwargs)

        patch.setattr(room, name, counted)

    patch.setattr(_engine, "_IDLE", OrderedDict())
    counting(_model.RowModel, "train_step")
    counting(_model.RowModel, "test_step")
    counting(_scoring, "row_losses")
    yield counts
    patch.undo()


@pytest.fixture(scope="module")
def plain():
    """Return weights and history of a one-layer network trained on the made rows."""
    return train()


@pytest.fixture(scope="module", params=[{}, {"n_layers": 2}, {"context": 0.5}], ids=["one-layer", "two-layers", "any-order"])
def trained(request, plain):
    """Return the weights and the shape of a network trained on the made rows."""
    changes = request.param
    return (train(**changes) if changes else plain)[0], shape_of(**changes)


def test_equal_padded_sizes_share_one_shape():
    """Grammars whose blocks pad to the same sizes, in any order of columns, share one compilation; others do not."""
    smaller = Grammar((NOTE_RUN, compile_slots(["town"], [11], lambda *_: 0), DATE_RUN))
    larger = Grammar((NOTE_RUN, compile_slots(["town"], [17], lambda *_: 0), DATE_RUN))

    assert shape_of() == shape_of(smaller) != shape_of(larger)


# Likelihood


def losses(weights, shape, ids, order):
    """Return the negative log-likelihood of rows that are read in some order."""
    rows = Layout(GRAMMAR).rows(ids).astype(np.int32)
    return _network.row_losses(shape, weights, tf.constant(rows), tf.constant(order))[0].numpy().astype(float)


def reading_orders():
    """Return every order that reads whole runs: as it stands first."""
    layout = Layout(GRAMMAR)
    runs = np.split(np.arange(GRAMMAR.n_positions), np.flatnonzero(GRAMMAR.run_starts)[1:])
    return [layout.order[np.concatenate(chosen)] for chosen in permutations(runs)]


def test_all_legal_rows_have_probability_one(trained):
    """The probabilities of all legal rows sum to 1, and `log_likelihood` refuses an illegal one."""
    weights, shape = trained
    illegal = np.array([[2, 0, 3, 1, 1]])

    assert 1 == pytest.approx(np.exp(core.log_likelihood(GRAMMAR, weights, shape, LEGAL)).sum(), abs=1e-5)
    with pytest.raises(ValueError, match=r"slot 'date\.day': token 3 of row 0 is illegal"):
        core.log_likelihood(GRAMMAR, weights, shape, illegal)


def test_all_legal_rows_have_probability_one_in_any_reading_order(trained):
    """In whatever order the runs are read the probabilities sum to 1, and the order does reach the network."""
    weights, shape = trained

    scores = [losses(weights, shape, LEGAL, order) for order in reading_orders()]

    np.testing.assert_allclose(np.exp(-np.array(scores)).sum(axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(scores[0], -core.log_likelihood(GRAMMAR, weights, shape, LEGAL), rtol=1e-5)
    assert all(np.abs(scores[0] - other).max() > 0.1 for other in scores[1:])


@pytest.mark.parametrize("which", [0, 3])
def test_later_tokens_do_not_reach_earlier_slots(trained, which):
    """What a slot's head sees does not depend on its own token or on later ones; it does on the one before."""
    weights, shape = trained
    order = reading_orders()[which]
    ids = np.random.default_rng(0).integers(0, 3, (20, shape.n_positions)).astype(np.int32)

    def seen(ids):  # in the order of reading
        tables = _network.tables(shape, weights)
        return _network.read(shape, tables, tf.constant(ids), tf.constant(order)).hidden.numpy()[order]

    for time in range(shape.n_positions):
        changed = ids.copy()
        changed[:, order[time:]] = (changed[:, order[time:]] + 1) % 3
        before, after = seen(ids), seen(changed)
        assert np.array_equal(before[: time + 1], after[: time + 1])
        assert all(np.abs(before[t] - after[t]).max() > 1e-3 for t in range(time + 1, shape.n_positions))


def test_a_row_scores_the_same_bits_wherever_it_stands(plain):
    """A row's log-likelihood is the same to the bit alone and at every place of a chunk."""
    for row in LEGAL[::20]:
        alone = core.log_likelihood(GRAMMAR, plain[0], shape_of(), row[None])
        everywhere = core.log_likelihood(GRAMMAR, plain[0], shape_of(), np.tile(row, (_training.SCORING_ROWS, 1)))
        assert np.array_equal(alone.repeat(_training.SCORING_ROWS), everywhere)


@pytest.mark.parametrize("n_rows", [0, 1, *(_training.SCORING_ROWS + extra for extra in (-1, 0, 1, 1000))])
def test_scores_do_not_depend_on_the_chunks(plain, n_rows):
    """A row scores the same bits among any others, whether the last chunk is full or not; no rows have no scores."""
    index = np.arange(n_rows) * 11 % len(LEGAL)

    scores = core.log_likelihood(GRAMMAR, plain[0], shape_of(), LEGAL[index])

    assert np.array_equal(core.log_likelihood(GRAMMAR, plain[0], shape_of(), LEGAL)[index], scores)


# Sampling

SAMPLED = LEGAL[(LEGAL[:, CITY] != 1) & (LEGAL[:, MONTH] != 1)]
N_DRAWN = 4096  # rows of a chunk
N_CHUNKS = 5


def sampling_probabilities(weights, shape, temperature, first=()):
    """Return the probability of each row of `SAMPLED`, place by place: unsampled tokens left out, the rest sharpened."""
    layout = Layout(GRAMMAR)
    positions = layout.positions(first)
    likelihood = np.exp(-losses(weights, shape, LEGAL, layout.order[positions]))
    legal, sampled = LEGAL[:, positions], SAMPLED[:, positions]
    probability = np.ones(len(SAMPLED))
    for n in range(LEGAL.shape[1]):
        beginnings = {tuple(row) for row in sampled[:, : n + 1]}
        shares = {row: likelihood[(legal[:, : n + 1] == row).all(axis=1)].sum() for row in beginnings}
        most = {row[:n]: max(s for other, s in shares.items() if other[:n] == row[:n]) for row in shares}
        sharp = {row: (share / most[row[:n]]) ** (1 / temperature) for row, share in shares.items()}
        total = Counter()
        for row, share in sharp.items():
            total[row[:n]] += share
        probability *= [sharp[tuple(row[: n + 1])] / total[tuple(row[:n])] for row in sampled]
    return probability


def draw(weights, shape, *, seed=0, chunk=0, temperature=1.0, grammar=GRAMMAR):
    """Draw one chunk of rows."""
    child = np.random.SeedSequence(seed, spawn_key=(chunk,))
    return core.Sampler(grammar, weights, shape).draw(child, range(N_DRAWN), core.Draw(temperature))


def p_value(observed, expected):
    """Return the chi-square test's p-value; cells that expect fewer than 5 are one cell."""
    small = expected < 5
    if small.any():
        small[np.argmin(np.where(small, np.inf, expected))] = True
        observed, expected = (np.append(cells[~small], cells[small].sum()) for cells in (observed, expected))
    return chi2.sf(((observed - expected) ** 2 / expected).sum(), len(expected) - 1)


@pytest.mark.parametrize("temperature", [1.0, 2.0, 1e12])
def test_rows_are_drawn_with_their_likelihood(trained, temperature):
    """Frequencies of drawn rows are those that `log_likelihood` gives, unsampled tokens left out; none is illegal."""
    expected = sampling_probabilities(*trained, temperature) * N_CHUNKS * N_DRAWN

    drawn = Counter(tuple(row) for chunk in range(N_CHUNKS) for row in draw(*trained, chunk=chunk, temperature=temperature))

    assert drawn.keys() <= {tuple(row) for row in SAMPLED}
    assert p_value(np.array([drawn[tuple(row)] for row in SAMPLED], float), expected) >= 1e-6


@pytest.mark.parametrize("first", [(2,), (1,), (0, 2), (1, 2)])
def test_some_runs_may_be_drawn_before_the_others(trained, first):
    """Read in another order, rows are drawn with the likelihood that they have in it, and come back in their own order."""
    expected = sampling_probabilities(*trained, 1.0, first) * N_CHUNKS * N_DRAWN
    sampler = core.Sampler(GRAMMAR, *trained, first=first)

    rows = sampler.draw(np.random.SeedSequence(0), range(N_CHUNKS * N_DRAWN))

    drawn = Counter(map(tuple, rows.tolist()))
    assert drawn.keys() <= {tuple(row) for row in SAMPLED}
    assert p_value(np.array([drawn[tuple(row)] for row in SAMPLED], float), expected) >= 1e-6


def test_others_are_drawn_in_the_context_of_given_tokens(trained):
    """With the tokens of some runs given, for all rows or row by row, the others have their conditional likelihood."""
    probability, first = sampling_probabilities(*trained, 1.0, (1, 2)), (1, 2)
    sampler, seed = core.Sampler(GRAMMAR, *trained, first=first), np.random.SeedSequence(0)
    given = np.array([[2, 3, 1, 0], [3, 1, 0, 0]], np.int32)  # month, day, both of the note

    def draw(tokens):
        return sampler.draw(seed, range(N_DRAWN), core.Draw(given=tokens))

    rows = draw(given[np.arange(N_DRAWN) % 2])

    for which, tokens in enumerate(given):
        own = rows[which::2]
        assert (own[:, MONTH:] == tokens).all()
        fits = (SAMPLED[:, MONTH:] == tokens).all(axis=1)
        expected = probability[fits] / probability[fits].sum() * len(own)
        counts = Counter(own[:, CITY].tolist())
        assert p_value(np.array([counts[city] for city in SAMPLED[fits, CITY].tolist()], float), expected) >= 1e-6
        assert np.array_equal(draw(given[[which]])[which::2], own)


@pytest.mark.parametrize("temperature", [1e-6, 1e-40])
def test_cold_samples_are_the_likeliest(trained, temperature):
    """As the temperature goes to 0, however far, every token is the likeliest of its place."""
    probability = sampling_probabilities(*trained, temperature=1e-4)
    likeliest = SAMPLED[probability.argmax()]

    assert probability.max() > 0.95
    assert (likeliest == draw(*trained, temperature=temperature)).all()


def test_a_draw_is_a_function_of_its_seed(plain):
    """The same seed gives the same rows, another seed or chunk gives others."""
    rows = draw(plain[0], shape_of())

    assert (N_DRAWN, GRAMMAR.n_positions) == rows.shape
    assert np.array_equal(rows, draw(plain[0], shape_of()))
    assert not np.array_equal(rows, draw(plain[0], shape_of(), chunk=1))
    assert not np.array_equal(rows, draw(plain[0], shape_of(), seed=1))


def test_rows_do_not_depend_on_which_others_are_drawn(plain):
    """Any range of rows is what it is among more, whether or not rows share their first tokens with others."""
    sampler, seed = core.Sampler(GRAMMAR, plain[0], shape_of()), np.random.SeedSequence(0)
    rows = sampler.draw(seed, range(5000))

    for n_rows in (1, BLOCK_ROWS - 1, BLOCK_ROWS, BLOCK_ROWS + 1, 3000, 5000):
        assert np.array_equal(rows[:n_rows], sampler.draw(seed, range(n_rows)))
    for some in (range(3, 5), range(BLOCK_ROWS, 2 * BLOCK_ROWS), range(700, 2001)):
        assert np.array_equal(rows[some.start : some.stop], sampler.draw(seed, some))


def test_rows_that_go_many_ways_are_drawn_alike_in_blocks(monkeypatch, plain):
    """Where rows part from each other before their end, blocks go on from where the rows stood: the rows are the same."""
    sampler, seed = core.Sampler(GRAMMAR, plain[0], shape_of()), np.random.SeedSequence(0)
    together = sampler.draw(seed, range(2000))

    monkeypatch.setattr(np, "unique", lambda values, **_: (np.zeros(BLOCK_ROWS + 1), values))  # as if ways were too many
    assert np.array_equal(together, sampler.draw(seed, range(2000)))


# Training


def comparable(history):
    """Return history without what a clock says."""
    return [{name: value for name, value in record.items() if name != "seconds"} for record in history]


@pytest.fixture
def fitted_on(monkeypatch):
    """Return what `keras.Model.fit` was given: the training batches of two epochs and the validation rows."""
    seen, original = {}, _model.RowModel.fit

    def fit(model, data, **kwargs):
        seen["batches"] = [rows.numpy() for rows, *_ in data.take(2 * kwargs["steps_per_epoch"])]
        chunks = [[part.numpy() for part in chunk] for chunk in kwargs["validation_data"].take(kwargs["validation_steps"])]
        seen["validation"] = np.concatenate([rows[weight > 0] for rows, _, _, weight in chunks])
        return original(model, data, **kwargs)

    monkeypatch.setattr(_model.RowModel, "fit", fit)
    return seen


def tokens_of(rows):
    """Return ids from rows in canonical order."""
    return rows[:, : GRAMMAR.n_positions][:, Layout(GRAMMAR).order]


def test_training_learns_what_the_rows_say(trained):
    """The month and the note's first token follow from the city in every row: so they do in the model, with p > 0.9."""
    likelihood = np.exp(core.log_likelihood(GRAMMAR, *trained, LEGAL))

    for city in range(2, 14):
        here = LEGAL[:, CITY] == city
        for column, implied in ((MONTH, 2 + city % 2), (FIRST, 1 + (city > 7))):
            assert likelihood[here & (LEGAL[:, column] == implied)].sum() > 0.9 * likelihood[here].sum()


def test_loss_falls_to_what_is_noise(plain):
    """The loss ends near the entropy of the rows: a city of 12, a day of 2, a second token of 2."""
    _, history = plain
    entropy = np.log(12 * 2 * 2)

    assert history[0]["loss"] > history[-1]["loss"]
    assert entropy - 0.1 < min(record["val_loss"] for record in history) < entropy + 0.3


@pytest.mark.parametrize("before", [{"learning_rate": 0.1, "averaging": 3.0}, {"learning_rate": 1e30}])
def test_a_fit_is_a_function_of_its_seed(plain, before):
    """The same seed gives the same weights to the bit, whatever the network was used for before, a failed fit included."""
    with pytest.raises(FloatingPointError) if before["learning_rate"] > 1 else nullcontext():
        train(NOISE, seed=1, epochs=3, **before)

    weights, history = train()

    assert comparable(plain[1]) == comparable(history)
    assert same_weights(plain[0], weights)


def test_fits_of_several_batch_sizes_do_not_mix(plain):
    """Another batch size, also an odd one, gives a fit of its own, and the first is what it was."""
    others = [train(epochs=1, batch_size=size)[0] for size in (33, 64, 1000)]

    assert same_weights(train(epochs=1, batch_size=33)[0], others[0])
    assert not any(same_weights(one, other) for one, other in combinations([*others, plain[0]], 2))


def test_another_seed_gives_another_fit():
    """Two seeds do not give the same weights."""
    assert not same_weights(train(epochs=2)[0], train(epochs=2, seed=1)[0])


def test_network_has_as_many_weights_as_it_says(trained):
    """`n_parameters` counts the trained weights; the priors are not among them."""
    weights, shape = trained

    assert core.n_parameters(shape) == sum(w.size for name, w in weights.items() if not name.startswith("prior"))


def test_training_and_validation_rows_do_not_mix(fitted_on):
    """Every row is either held out or trained on once an epoch, in another order each time."""
    train(LEGAL[:N_ROWS], epochs=2)

    held_out = {tuple(row) for row in tokens_of(fitted_on["validation"])}
    first, second = (tokens_of(np.concatenate(half)).tolist() for half in np.split(np.array(fitted_on["batches"]), 2))
    assert 128 == len(fitted_on["validation"]) == len(held_out)
    assert sorted(first) == sorted(second) == sorted(row for row in LEGAL[:N_ROWS].tolist() if tuple(row) not in held_out)
    assert first != second


@given(st.integers(0, 200), st.floats(0, 1), st.integers(0, 2**32 - 1))
def test_rows_are_split_once(n_rows, fraction, seed):
    """Every row is on one side, the share held out is the one asked for, and another generator splits otherwise."""
    training, validation = _training.split_rows(n_rows, fraction, np.random.default_rng(seed))

    assert round(n_rows * fraction) == len(validation)
    assert list(range(n_rows)) == sorted([*training, *validation])
    assert sorted(training) == training.tolist()
    assert sorted(validation) == validation.tolist()


LINE = Grammar((Run((Slot("line", np.array([[1, 0, 0], [1, -1, -1]], np.int16), repeat=12),)),))  # token 0 ends the line


def lines(n_rows):
    """Return lines of 0 to 11 tokens, short ones more often."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(0, 12, n_rows) * rng.integers(0, 2, n_rows)
    return np.where(np.arange(12) < lengths[:, None], rng.integers(1, 3, (n_rows, 12)), 0).astype(np.int32)


def test_short_rows_are_read_no_further_than_they_go():
    """A step's rows are read in parts, each as far as its longest row, at the same losses; every row comes once an epoch."""
    layout, ids, shape = Layout(LINE), lines(512), shape_of(LINE)
    rows = layout.rows(ids)
    weights = train(ids, grammar=LINE, epochs=1)[0]

    data = list(_training._training_data(layout, rows, 32, 16, range(2), np.uint32([0, 1]), 0.5).as_numpy_iterator())

    for epoch in (data[:16], data[16:]):
        assert sorted(row for batch, *_ in epoch for row in batch.tolist()) == sorted(rows.tolist())
    assert 3 <= len({length for *_, reach in data for length in reach}) <= _training.REACHES
    assert np.mean([reach for *_, reach in data]) < 8
    for batch, orders, reach in data[:4]:
        for part, order, length in zip(np.split(batch, 4), orders, reach, strict=True):
            read = _network.row_losses(shape, weights, tf.constant(part), tf.constant(order[:length]))[0]
            scores = core.log_likelihood(LINE, weights, shape, part[:, :12][:, layout.order])
            np.testing.assert_allclose(-read, scores, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("share", [0.25, 0.5, 1.0])
def test_in_some_parts_some_runs_come_first(share):
    """In the share of the parts that is asked for, other runs are read first, each whole; what is not read is last."""
    layout, n_steps = Layout(GRAMMAR), 400
    reach = tf.constant([GRAMMAR.n_positions, GRAMMAR.n_positions - 1])
    orders_of = tf.function(lambda step, share: _training.orders_of_step(layout, reach, np.uint32([5, 6]), step, share))
    orders = np.array([orders_of(tf.constant(step, tf.int64), share) for step in range(n_steps)])
    known = {tuple(layout.order[layout.positions(first)]): first for first in ((1,), (2,), (0, 2), (1, 2))}

    moved = (orders[:, 0] != layout.order).any(axis=1)
    assert {known[tuple(order)] for order in orders[moved, 0].tolist()} == set(known.values())
    expected = share * 2 / 3  # of one or two of three runs, each of three is as likely, and one is the usual order
    assert abs(moved.mean() - expected) < 5 * np.sqrt(expected * (1 - expected) / n_steps)
    assert (orders[:, 1, -1] == layout.order[-1]).all()
    assert np.array_equal(orders_of(tf.constant(3, tf.int64), 0.0), [layout.order, layout.order])
    behind = layout.order[-1]
    rest = [[[place for place in order if place != behind] for order in orders[:, part].tolist()] for part in (0, 1)]
    both = (np.array(rest) != layout.order[:-1]).any(axis=2)
    assert share != 0.5 or (both[0] <= ~both[1]).all()


@pytest.mark.parametrize(("n_runs", "least"), [(2, 0.55), (3, 0.4), (4, 0.3), (8, 0.1)])
def test_rows_of_few_runs_are_often_read_in_their_own_order(n_runs, least):
    """However few runs there are, their own order, in which rows are drawn, gets a good share of the training."""
    city = compile_slots(["city"], [14], lambda *_: 0, unsampled={0: [1]})
    layout, n_steps = Layout(Grammar((city,) * n_runs)), 400
    orders_of = tf.function(lambda step: _training.orders_of_step(layout, tf.fill([1], n_runs), np.uint32([5, 6]), step, 0.9))
    orders = [orders_of(tf.constant(step, tf.int64))[0].numpy() for step in range(n_steps)]
    own = np.mean([np.array_equal(order, layout.order) for order in orders])
    assert own > least - 4 * np.sqrt(least * (1 - least) / n_steps)


@pytest.mark.parametrize("loops", ["graph", "xla"])
def test_training_on_rows_of_many_lengths(traces, loops):
    """One trace serves all lengths; the samples end where the rows do, and are empty as often."""
    before = Counter(name for (name, _), count in traces.items() for _ in range(count))

    weights, _ = train(lines(2048), grammar=LINE, loops=loops, epochs=5)

    traced = Counter(name for (name, _), count in traces.items() for _ in range(count))
    assert 1 == traced["train_step"] - before["train_step"]
    empty = (draw(weights, shape_of(LINE, loops=loops), grammar=LINE) == 0).all(axis=1).mean()
    assert (lines(2048) == 0).all(axis=1).mean() == pytest.approx(empty, abs=0.05)


def test_history_has_one_record_for_every_epoch():
    """History, and what the callable is told, are epoch by epoch; the best is where the validation loss was least."""
    states = []

    _, history = train(epochs=4, on_epoch=states.append)

    assert [0, 1, 2, 3] == [record["epoch"] for record in history] == [state.epoch for state in states]
    assert [(4, False)] * 3 + [(4, True)] == [(state.n_epochs, state.last) for state in states]
    for name in ("loss", "accuracy", "val_loss", "val_accuracy", "seconds"):
        assert [record[name] for record in history] == [getattr(state, name) for state in states]
        assert all(0 < record[name] for record in history)
    assert [record["best"] for record in history] == [
        record is min(history, key=lambda r: r["val_loss"]) for record in history
    ]


def test_without_validation_rows_the_training_loss_decides():
    """Where no rows are held out the validation figures are NaN and the best epoch is that of the least training loss."""
    _, history = train(MADE[:512], epochs=3, validation_fraction=0.0)

    assert np.isnan([[record["val_loss"], record["val_accuracy"]] for record in history]).all()
    assert [record["best"] for record in history] == [record is min(history, key=lambda r: r["loss"]) for record in history]


def test_training_stops_early_with_the_best_weights(fitted_on):
    """After `patience` epochs without a better validation loss training ends, and the best epoch's weights are returned."""
    states = []

    weights, history = train(NOISE, epochs=60, patience=3, dropout=0.0, on_epoch=states.append)

    (best,) = (record for record in history if record["best"])
    assert best["epoch"] + 3 == history[-1]["epoch"] < 59
    assert states[-1].last
    assert history[-1]["val_loss"] > best["val_loss"] == min(record["val_loss"] for record in history)
    scores = core.log_likelihood(GRAMMAR, weights, shape_of(), tokens_of(fitted_on["validation"]))
    assert -scores.mean() == pytest.approx(best["val_loss"], rel=1e-5)


def test_training_goes_on_where_the_loss_still_falls():
    """Where the held-out loss falls fast at half of the plan, training takes `most_epochs`; where not, the plan."""
    states = []
    _, longer = train(epochs=4, most_epochs=8, on_epoch=states.append)
    _, planned = train(NOISE, epochs=4, most_epochs=8)
    _, usual = train(epochs=4)

    assert (longer[0]["val_loss"] - longer[1]["val_loss"]) * 4 > 1
    assert [8, 4, 4] == [len(history) for history in (longer, planned, usual)]
    assert [4, 8, 8] == [states[epoch].n_epochs for epoch in (0, 1, 7)]
    assert [False] * 7 + [True] == [state.last for state in states]
    assert min(record["val_loss"] for record in longer) < min(record["val_loss"] for record in usual)


def test_training_that_goes_on_longer_can_be_resumed():
    """A run that is taken up where its plan had grown ends with the same figures, to the bit."""
    kept, settings = [], replace(SETTINGS, epochs=4, most_epochs=8)
    whole = core.Run(keep=kept.append)
    weights = core.train(GRAMMAR, MADE, settings, np.random.SeedSequence(0), whole)
    resumed = core.Run(start=kept[4])
    again = core.train(GRAMMAR, MADE, settings, np.random.SeedSequence(0), resumed)

    figures = ["epoch", "loss", "val_loss", "best"]
    assert [[record[name] for name in figures] for record in whole.records] == [
        [record[name] for name in figures] for record in resumed.records
    ]
    assert all(np.array_equal(weights[name], again[name]) for name in weights)


def test_an_improvement_below_min_delta_is_none():
    """A loss that falls by less than `min_delta` counts as one that does not fall."""
    _, history = train(epochs=6, patience=2, min_delta=100.0)

    assert [True, False, False] == [record["best"] for record in history]


@pytest.mark.parametrize("epochs", [1, 3])
def test_a_diverging_fit_says_so(epochs):
    """A loss that is not a number ends training with an error that says what to lower, never with broken weights."""
    with pytest.raises(FloatingPointError, match=r"lower learning_rate \(it is 1e\+30\)"):
        train(epochs=epochs, learning_rate=1e30)


@pytest.mark.parametrize("loops", ["xla", "keras"])
def test_all_loops_give_the_same_figures(loops):
    """Whether XLA compiles the loops or Keras' layer runs in their place changes the speed and the rounding, nothing else."""
    other, graph = (train(epochs=2, n_layers=2, loops=name)[1] for name in (loops, "graph"))

    for a, b in zip(other, graph, strict=True):
        assert [a["loss"], a["val_loss"]] == pytest.approx([b["loss"], b["val_loss"]], rel=1e-4)


@pytest.mark.gpu
@pytest.mark.skipif(core.device_name() == "CPU", reason="needs a GPU")
def test_on_a_gpu_the_layer_of_keras_is_no_slower_than_our_loops():
    """What "auto" chooses on a GPU is the fastest there, of training as it is: if not, choose another."""
    seconds = {}
    for loops in ("keras", "xla", "graph"):
        _, history = train(epochs=4, rnn_units=256, batch_size=64, loops=loops)
        seconds[loops] = min(record["seconds"] for record in history[1:])

    assert seconds["keras"] < 1.1 * min(seconds.values())


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_a_step_takes_the_gradient_of_the_mean_loss(trained, batch_size):
    """The gradient by hand, from parts of the rows, is what automatic differentiation finds for all rows at once."""
    weights, shape = trained
    rows, order = tf.constant(Layout(GRAMMAR).rows(MADE[:batch_size])), tf.constant(reading_orders()[-1])
    model = _model.RowModel(shape)
    _engine.load(model, weights)

    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(_network.row_losses(shape, model._weights_of(), rows, order)[0])
    expected = tape.gradient(loss, {variable.name: variable.value for variable in model.trainable_variables})
    reach = tf.fill((_model.TEXT_BRANCHES,), shape.n_positions)
    orders = tf.tile(order[None], (_model.TEXT_BRANCHES, 1))
    gradients, losses, _ = model._gradients(rows, orders, reach, tf.constant(0))

    assert expected.keys() == gradients.keys()
    assert loss.numpy() == pytest.approx(losses.numpy().mean(), rel=1e-6)
    for name, gradient in expected.items():
        np.testing.assert_allclose(gradients[name], tf.convert_to_tensor(gradient), rtol=0, atol=1e-5)


# What is kept between fits


def test_a_second_table_of_the_same_shape_traces_nothing(traces, plain):
    """Another table, reading order, seed and other settings use the compiled steps of the first."""
    turned = Grammar((DATE_RUN, NOTE_RUN, CITY_RUN))
    columns = [MONTH, DAY, FIRST, SECOND, CITY]
    core.log_likelihood(GRAMMAR, plain[0], shape_of(), MADE)
    draw(plain[0], shape_of())
    before = dict(traces)

    changes = {"learning_rate": 0.01, "dropout": 0.3, "averaging": 2.0}
    weights, _ = train(MADE[:, columns], grammar=turned, seed=3, epochs=3, **changes)
    core.log_likelihood(turned, weights, shape_of(turned), MADE[:100, columns])
    assert is_legal(turned, draw(weights, shape_of(turned), grammar=turned, temperature=0.5))

    assert before == traces
    assert {"train_step", "test_step", "row_losses"} == {name for name, _ in traces}
    assert {1} == {count for (name, _), count in traces.items() if name == "train_step"}
    assert 1 == traces["row_losses", shape_of()]
