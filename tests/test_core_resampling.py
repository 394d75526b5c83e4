"""Promises of drawing rows of which some columns are given, on tiny networks of random weights."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_core_completion import _date, legal_rows, network

from sksynth import core
from sksynth._grammar import Grammar, compile_slots
from sksynth.core import _resampling
from sksynth.core._layout import Layout
from sksynth.core._resampling import begun_for_each, kept

CITY_RUN = compile_slots(["city"], [6], lambda *_: 0)
DATE_RUN = compile_slots(["date.month", "date.day"], [4, 4], _date)
FLAG_RUN, NOTE_RUN = (compile_slots([name], [3], lambda *_: 0) for name in ("flag", "note"))
GRAMMAR = Grammar((CITY_RUN, DATE_RUN, FLAG_RUN, NOTE_RUN))
CITY, DATE, FLAG, NOTE = range(4)
ROWS = legal_rows(GRAMMAR)
N_ROWS, N_SEEDS = 10_000, 4
SEED = np.random.SeedSequence(0)


@pytest.fixture(scope="module", params=[1, 2])
def trained(request):
    """Return weights, of heads that are not too sure of anything, and shape of a network for `GRAMMAR`."""
    weights, shape = network(GRAMMAR, request.param)
    return {name: value / 6 if name.startswith("head") else value for name, value in weights.items()}, shape


@pytest.fixture(scope="module")
def probability(trained):
    """Return the probability of every row in the grammar's own order."""
    return np.exp(core.log_likelihood(GRAMMAR, *trained, ROWS).astype(float))


def shares_of(rows):
    """Return the share of every legal row among some."""
    counts = Counter(map(tuple, rows.tolist()))
    return np.array([counts[tuple(row)] for row in ROWS.tolist()]) / len(rows)


def far(rows, truth):
    """Return the total variation between the distribution of rows and another."""
    return np.abs(shares_of(rows) - truth).sum() / 2


def drawn(trained, kind, tokens, runs, n_rows=N_ROWS):
    """Return rows of a few seeds whose runs have some tokens."""
    sampler = kind(GRAMMAR, *trained, runs) if kind is core.Resampler else kind(GRAMMAR, *trained, first=runs, given=runs)
    how = core.Draw(given=np.array([tokens], np.int32))
    return np.concatenate([sampler.draw(np.random.SeedSequence(seed), range(n_rows), how) for seed in range(N_SEEDS)])


@pytest.mark.parametrize(("runs", "tokens"), [((FLAG,), [1]), ((DATE,), [2, 3]), ((DATE, FLAG), [3, 1, 2])])
def test_rows_have_the_distribution_of_the_own_order(trained, probability, runs, tokens, monkeypatch):
    """Rows have what is given, and are likely as in the network's own order: nearly, and the more are begun the more so."""
    places = np.flatnonzero(np.isin(Layout(GRAMMAR).run_of_position, runs))
    truth = probability * (ROWS[:, places] == tokens).all(axis=1)
    truth /= truth.sum()
    first, usual = (drawn(trained, kind, tokens, runs) for kind in (core.Sampler, core.Resampler))
    monkeypatch.setattr(_resampling, "KEPT", 0.2)
    monkeypatch.setattr(_resampling, "KEPT_LATE", (0.0, 0.0))
    many = drawn(trained, core.Resampler, tokens, runs)

    noise = np.sqrt(truth * (1 - truth) * 2 / np.pi / len(many)).sum() / 2  # mean distance of a sample of the truth
    assert all((rows[:, places] == tokens).all() for rows in (first, usual, many))
    assert far(usual, truth) < far(first, truth) - noise
    assert far(many, truth) < 1.5 * noise


def test_a_row_does_not_depend_on_which_others_are_drawn(trained):
    """Rows are the same to the bit whatever range is asked for, with tokens given for all or for each that is begun."""
    sampler = core.Resampler(GRAMMAR, *trained, (FLAG,))

    def draw(rows):
        begun = sampler.begun(rows)
        tokens = (np.arange(begun.start, begun.stop) % 3)[:, None].astype(np.int32)
        return sampler.draw(SEED, rows, core.Draw(given=tokens, start=begun.start))

    whole = draw(range(3_000))
    for rows in (range(1), range(1, 2), range(400, 900), range(2_999, 3_000), range(700, 3_000)):
        assert np.array_equal(whole[rows.start : rows.stop], draw(rows))
    assert set(whole[:, 3]) == {0, 1, 2}
    given = core.Draw(given=np.array([[2]], np.int32))
    some = [sampler.draw(SEED, rows, given) for rows in (range(600), range(100, 300))]
    assert np.array_equal(some[0][100:300], some[1])


def test_rows_that_differ_have_the_distribution_of_the_own_order(trained, probability, monkeypatch):
    """Each row has what is given of it, and is likely as in the network's own order: the more are begun for it the more so."""
    place, n_rows = 3, 30_000
    tokens = (np.arange(n_rows + 512) % 3)[:, None].astype(np.int32)
    how = core.Draw(given=tokens)
    first = core.Sampler(GRAMMAR, *trained, (FLAG,), (FLAG,)).draw(SEED, range(n_rows), how)
    several = core.RowResampler(GRAMMAR, *trained, (FLAG,)).draw(SEED, range(n_rows), how)
    monkeypatch.setattr(_resampling, "MOST_EACH", 128)
    many = core.RowResampler(GRAMMAR, *trained, (FLAG,)).draw(SEED, range(n_rows), how)

    for token in range(3):
        truth = probability * (ROWS[:, place] == token)
        truth /= truth.sum()
        noise = np.sqrt(truth * (1 - truth) * 2 / np.pi / (n_rows / 3)).sum() / 2
        found = [far(rows[token::3], truth) for rows in (first, several, many)]
        assert found[1] < found[0] - noise and found[2] < 1.5 * noise
    assert all(np.array_equal(rows[:, place], tokens[:n_rows, 0]) for rows in (first, several, many))


def test_a_row_does_not_depend_on_which_others_differ_from_it(trained):
    """Rows that differ in what is given are the same to the bit whatever range is asked for."""
    sampler = core.RowResampler(GRAMMAR, *trained, (DATE, FLAG))

    def draw(rows):
        begun = sampler.begun(rows)
        tokens = ROWS[np.arange(begun.start, begun.stop) * 7 % len(ROWS), 1:4]
        return sampler.draw(SEED, rows, core.Draw(given=tokens, start=begun.start))

    whole = draw(range(5_000))
    for rows in (range(1), range(1, 2), range(400, 900), range(4_999, 5_000), range(2_000, 5_000)):
        assert np.array_equal(whole[rows.start : rows.stop], draw(rows))


def test_fewer_are_begun_for_each_of_long_rows():
    """So many rows are begun for each that few positions are read together; none more where there is no choice to make."""
    city = compile_slots(["city"], [6], lambda *_: 0)
    grammars = {n: Grammar((city,) * n) for n in (4, 100, 600, 1_200)}
    assert [begun_for_each(grammars[n], (n - 1,)) for n in grammars] == [16, 8, 1, 1]
    assert [core.RowResampler.pays(grammars[n], (n - 1,)) for n in grammars] == [True, True, False, False]
    assert not core.RowResampler.pays(grammars[4], (0, 1))


def test_log_probabilities_of_what_is_begun(trained, probability):
    """The first tokens of rows have the probability of all rows that begin so, drawn or given, many alike or each alone."""
    sampler, beginnings = core.Sampler(GRAMMAR, *trained), {}
    for row, one in zip(map(tuple, ROWS[:, :4].tolist()), probability, strict=True):
        beginnings[row] = beginnings.get(row, 0.0) + one
    for blocks, tokens in [(range(3), None), (range(1), [[3]]), (range(2, 3), None), (range(2), [[3, 2, 2, 0], [0, 3, 1, 1]])]:
        how = core.Draw(given=None if tokens is None else np.array(tokens, np.int32))
        tokens, log_p = sampler.begin(SEED, blocks, how, 4)
        expected = np.log([beginnings[row] for row in map(tuple, tokens.tolist())])
        np.testing.assert_allclose(expected, log_p.ravel(), atol=1e-3)


def test_log_probabilities_do_not_depend_on_which_blocks_are_begun():
    """They are the same to the bit for blocks begun together, as long as their rows are alike, and for each alone."""
    wide = [compile_slots([name], [60], lambda *_: 0) for name in "abcd"]
    trained = network(Grammar(tuple(wide)), 1)
    sampler, blocks = core.Sampler(Grammar(tuple(wide)), *trained), range(12)
    together = sampler.begin(SEED, blocks, core.Draw(), 4)
    alone = [sampler.begin(SEED, range(block, block + 1), core.Draw(), 4) for block in blocks]
    assert np.array_equal(together[0], np.concatenate([tokens for tokens, _ in alone]))
    assert np.array_equal(together[1], np.concatenate([log_p for _, log_p in alone]))


@pytest.mark.parametrize("how", [core.Draw(top_k=1), core.Draw(top_p=0.01)])
def test_what_is_given_is_never_cut_off(trained, how):
    """Which of several given tokens go on does not depend on whether they are among the likeliest: they are no draws."""
    sampler = core.Resampler(GRAMMAR, *trained, (FLAG,))
    tokens = (np.arange(sampler.begun(range(4_000)).stop) % 3)[:, None].astype(np.int32)
    rows = sampler.draw(SEED, range(4_000), replace(how, given=tokens))
    log_q = [
        core.Sampler(GRAMMAR, *trained, (FLAG,), (FLAG,)).begin(SEED, range(1), replace(how, given=t), 1)[1]
        for t in tokens[:3, None]
    ]
    assert set(rows[:, 3]) == {0, 1, 2}
    np.testing.assert_allclose(np.exp([one[0, 0] for one in log_q]).sum(), 1.0, rtol=1e-4)


def test_tokens_that_are_never_drawn_may_be_given():
    """What no row is ever drawn with can be given, at any temperature, and cold rows are the likeliest that have it."""
    grammar = Grammar((CITY_RUN, compile_slots(["flag"], [3], lambda *_: 0, unsampled={0: [1]}), NOTE_RUN))
    trained = network(grammar, 1)
    sampler = core.Resampler(grammar, *trained, (1,))
    for temperature in (1.0, 1e-6):
        rows = sampler.draw(SEED, range(200), core.Draw(temperature, given=np.array([[1]], np.int32)))
        assert (rows[:, 1] == 1).all()
    assert len(np.unique(rows, axis=0)) == 1


def test_it_pays_between_the_first_and_the_last_columns():
    """What is given first of all needs no other order; what is given last would take too long; so does all that is given."""
    assert [core.Resampler.pays(GRAMMAR, runs) for runs in [(), (CITY,), (CITY, DATE), (NOTE,), (CITY, NOTE)]] == [False] * 5
    assert all(core.Resampler.pays(GRAMMAR, runs) for runs in [(DATE,), (FLAG,), (CITY, FLAG), (DATE, FLAG)])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.floats(-800, 800), min_size=2, max_size=40), st.floats(0, 1, exclude_max=True), st.data())
def test_no_row_goes_on_twice(log_weights, uniform, data):
    """As many rows go on as shall, in their order, and none twice."""
    n = data.draw(st.integers(1, len(log_weights) - 1))
    rows = kept(np.array(log_weights), uniform, n)
    assert len(rows) == n and (np.diff(rows) > 0).all()
    assert 0 <= rows.min() and rows.max() < len(log_weights)


def test_rows_go_on_by_weight():
    """Each row goes on with a probability in proportion to its weight, but with certainty where that is more than 1."""
    weights = np.array([1.0, 2.0, 0.5, 30.0, 1.5, 0.0])
    counts = np.zeros(6)
    uniform = (np.arange(1_000) + 0.5) / 1_000
    for one in uniform:
        with np.errstate(divide="ignore"):
            counts[kept(np.log(weights), one, 3)] += 1
    np.testing.assert_allclose([0.4, 0.8, 0.2, 1.0, 0.6, 0.0], counts / len(uniform), atol=0.002)
