"""Promises of the accounting: figures that are known, ledgers, statements, audits of known mechanisms."""

import subprocess
import sys
from types import SimpleNamespace

import dp_accounting
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm

from sksynth.privacy import (
    Ledger,
    _cross_check,
    audit_mechanism,
    calibrate_noise_multiplier,
    compute_epsilon,
    cross_check,
    gaussian_event,
    laplace_event,
)
from sksynth.privacy._accounting import LEAST_NOISE, gaussian_noise
from sksynth.privacy._audit import epsilon_of_gaussian, one_run_epsilon
from sksynth.privacy._ledger import epsilons_along
from sksynth.privacy._mechanisms import noisy_counts, noisy_total, nonnegative, selection_threshold, system_generator

RATE, STEPS, DELTA = 0.0256, 782, 1e-6  # 10,000 rows, 256 in a step, 20 epochs


@pytest.mark.parametrize(("n_models", "epsilon"), [(1, 5.143), (2, 7.32), (5, 12.11), (10, 18.24)])
def test_epsilon_of_models_on_the_same_rows(n_models, epsilon):
    """Models with noise of their own compose to the figures of the literature's accountant."""
    assert compute_epsilon([1.0] * n_models, RATE, STEPS, DELTA) == pytest.approx(epsilon, abs=0.01)


def test_epsilon_of_different_models():
    """Models may differ in noise, sampling rate and steps; their order does not matter, and more of them spend more."""
    models = ([1.0, 1.3, 1.5], [RATE, RATE, 2 * RATE], [STEPS, STEPS, 400])
    whole = compute_epsilon(*models, DELTA)
    assert compute_epsilon(*(side[::-1] for side in models), DELTA) == pytest.approx(whole, rel=1e-3)
    assert whole > compute_epsilon(*(side[:2] for side in models), DELTA)
    assert compute_epsilon(*models, DELTA, before=[gaussian_event(5.0)]) > whole


def test_steps_that_draw_every_row_compose_as_gaussian_noise():
    """At a sampling rate of 1 so many steps are one release of Gaussian noise that is smaller by their root."""
    assert compute_epsilon(4.0, 1.0, 20, DELTA) == pytest.approx(epsilon_of_gaussian(np.sqrt(20) / 4, DELTA), rel=2e-3)


@pytest.mark.parametrize(("accountant", "epsilon"), [("pld", 5.143), ("rdp", 5.64)])
def test_accountants(accountant, epsilon):
    """The tight accountant and Rényi's give their known figures."""
    assert compute_epsilon(1.0, RATE, STEPS, DELTA, accountant=accountant) == pytest.approx(epsilon, abs=0.01)


@pytest.mark.parametrize(("target", "n_models", "noise"), [(1.0, 1, 3.175), (3.0, 1, 1.359), (3.0, 3, 2.074), (8.0, 1, 0.818)])
def test_calibrated_noise_spends_the_target(target, n_models, noise):
    """The noise that is found is the known one; what it spends is the target, and no more."""
    found = calibrate_noise_multiplier(target, DELTA, [RATE] * n_models, STEPS)
    assert found == pytest.approx(noise, rel=3e-3)
    assert 0.99 * target < compute_epsilon([found] * n_models, RATE, STEPS, DELTA) <= target


@pytest.mark.parametrize(("target", "n_steps", "noise"), [(0.5, 3000, 0.844), (0.8, 2000, 0.748)])
def test_calibration_finds_noise_far_below_its_first_guess(target, n_steps, noise):
    """Where a coarse accountant asks for more noise, as for many small steps nearly four times it, the least is found."""
    found = calibrate_noise_multiplier(target, DELTA, 0.001, n_steps)
    assert found == pytest.approx(noise, rel=3e-3)
    assert 0.99 * target < compute_epsilon(found, 0.001, n_steps, DELTA) <= target


def test_calibration_begins_with_the_least_noise():
    """Where a target is met by next to no noise, the least that is tried is taken."""
    assert calibrate_noise_multiplier(1e4, DELTA, RATE, 1) == LEAST_NOISE
    assert compute_epsilon(LEAST_NOISE, RATE, 1, DELTA) <= 1e4


def test_calibration_leaves_room_for_what_was_released_before():
    """With events before training the composition of all meets the target."""
    before = [gaussian_event(10.0), laplace_event(0.05)]
    found = calibrate_noise_multiplier(3.0, DELTA, [RATE, 2 * RATE], [STEPS, 300], before=before)
    assert 2.97 < compute_epsilon(found, [RATE, 2 * RATE], [STEPS, 300], DELTA, before=before) <= 3.0


def test_calibration_asks_the_accountant_that_is_named():
    """With Rényi's accountant the noise, and what was released before, is charged by that accountant, which charges more."""
    model, before = (RATE, 100, DELTA), [gaussian_event(10.0)]
    found = calibrate_noise_multiplier(3.0, DELTA, RATE, 100, accountant="rdp")
    assert 2.97 < compute_epsilon(found, *model, accountant="rdp") <= 3.0
    assert found > 1.05 * calibrate_noise_multiplier(3.0, DELTA, RATE, 100)
    assert calibrate_noise_multiplier(0.42, DELTA, RATE, 1, before=before) < np.inf  # Rényi's charges 0.43
    with pytest.raises(ValueError, match=r"what is released first costs 0\.43 at delta=1e-06; raise epsilon, or make more of"):
        calibrate_noise_multiplier(0.42, DELTA, RATE, 1, before=before, accountant="rdp")


def test_a_budget_for_which_any_noise_is_enough():
    """Whatever epsilon is, the noise multiplier is at least 0.2."""
    assert calibrate_noise_multiplier(1000.0, DELTA, RATE, 1) == 0.2


def test_a_budget_that_is_just_spent_leaves_nothing():
    """What was released before may not cost all of epsilon."""
    before = [gaussian_event(10.0)]
    ledger = Ledger(DELTA)
    ledger.add("counts", "Gaussian mechanism", *before, covers="counts")
    with pytest.raises(ValueError, match="is spent before training"):
        calibrate_noise_multiplier(ledger.epsilon(), DELTA, RATE, 10, before=before)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: compute_epsilon(0.0, 0.1, 10, DELTA), "noise_multiplier must be above 0"),
        (lambda: compute_epsilon(1.0, 1.5, 10, DELTA), "sampling_rate must be above 0 and at most 1, got 1.5"),
        (lambda: compute_epsilon(1.0, 0.0, 10, DELTA), "sampling_rate must be above 0 and at most 1, got 0.0"),
        (lambda: compute_epsilon(1.0, 0.1, 10, 0.0), "delta must be above 0 and below 1, got 0.0"),
        (lambda: compute_epsilon(1.0, 0.1, 2.5, DELTA), "n_steps must be a whole number, at least 1, got 2.5"),
        (lambda: compute_epsilon(1.0, 0.1, 0, DELTA), "n_steps must be a whole number, at least 1, got 0"),
        (lambda: compute_epsilon(1.0, 0.1, 10, 1.0), "delta must be above 0 and below 1"),
        (lambda: compute_epsilon([1.0, 2.0], [0.1] * 3, 10, DELTA), r"values for \[2, 3\] models"),
        (lambda: compute_epsilon(1.0, 0.1, 10, DELTA, accountant="x"), "accountant must be one of pld, rdp, got 'x'"),
        (lambda: calibrate_noise_multiplier(0.0, DELTA, 0.1, 10), "epsilon must be a finite number above 0, got 0.0"),
        (lambda: calibrate_noise_multiplier(np.inf, DELTA, 0.1, 10), "epsilon must be a finite number above 0, got inf"),
        (
            lambda: calibrate_noise_multiplier(0.1, DELTA, 0.1, 10, before=[gaussian_event(10.0)]),
            "epsilon=0.1 is spent before training",
        ),
    ],
)
def test_requests_that_mean_nothing_are_refused(call, message):
    """Errors name the parameter, what was got, and what to do."""
    with pytest.raises(ValueError, match=message):
        call()


def test_privacy_loads_no_tensorflow():
    """Accounting needs neither TensorFlow nor Keras."""
    code = "import sys, sksynth.privacy as p; p.compute_epsilon(1.0, 0.1, 10, 1e-6); p.audit; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "dp_accounting" in loaded
    assert not {"tensorflow", "keras"} & set(loaded)


# The ledger


def test_a_ledger_composes_its_entries():
    """Epsilon is that of all entries; each shows its own, and thresholds take from delta."""
    ledger = Ledger(1e-5)
    assert ledger.epsilon() == 0.0
    ledger.add("domains", "Gaussian mechanism", gaussian_event(10.0), covers="categories", delta=1e-6, noise_multiplier=10.0)
    ledger.add("training", "DP-SGD", dp_accounting.GaussianDpEvent(2.0), covers="weights")
    frame = ledger.to_frame()
    assert list(frame.columns) == ["step", "mechanism", "parameters", "epsilon", "delta", "covers"]
    assert frame["parameters"][0] == {"noise_multiplier": 10.0}
    assert ledger.remaining_delta == pytest.approx(9e-6)
    assert frame["epsilon"].max() < ledger.epsilon() < frame["epsilon"].sum()
    expected = epsilon_of_gaussian(np.sqrt(1 / 100 + 1 / 4), 9e-6)
    assert ledger.epsilon() == pytest.approx(expected, rel=2e-3)


def test_a_ledger_keeps_what_is_entered():
    """Step, mechanism, parameters, delta and what is covered come back as they were entered, in that order."""
    ledger, event = Ledger(1e-5), laplace_event(0.5)
    ledger.add("rows", "Laplace mechanism", event, covers="the number of rows", delta=1e-6, epsilon=0.5)
    ledger.add_unaccounted("bins", "cut at quantiles")
    frame = ledger.to_frame()
    assert frame["epsilon"].to_numpy() == pytest.approx([0.5, np.inf], rel=1e-3)
    assert frame.drop(columns="epsilon").to_numpy().tolist() == [
        ["rows", "Laplace mechanism", {"epsilon": 0.5}, 1e-6, "the number of rows"],
        ["bins", "none", {}, 0.0, "cut at quantiles"],
    ]
    assert ledger.events[0] is event
    assert event == dp_accounting.LaplaceDpEvent(2.0)  # the scale of the noise
    assert list(Ledger(1e-5).to_frame().columns) == list(frame.columns)


def test_a_ledger_asks_the_accountant_that_is_named():
    """Rényi's accountant charges the entries more than the tight one."""
    ledger = Ledger(DELTA)
    ledger.add("counts", "Gaussian mechanism", gaussian_event(10.0), covers="counts")
    assert ledger.epsilon() == pytest.approx(0.397, abs=1e-3)
    assert ledger.epsilon(accountant="rdp") == pytest.approx(0.430, abs=1e-3)


def test_what_is_not_accounted_for_makes_epsilon_infinite():
    """A step that is neither public nor private leaves no guarantee."""
    ledger = Ledger(1e-6)
    ledger.add("training", "DP-SGD", gaussian_event(10.0), covers="weights")
    copy = ledger.copy()
    copy.add_unaccounted("bins", "quantiles of the rows")
    assert copy.epsilon() == np.inf
    assert ledger.epsilon() < np.inf


def test_epsilon_grows_along_the_steps():
    """What is spent after each part of the steps ends at what all of them spend."""
    ledger = Ledger(DELTA)
    ledger.add("domains", "Gaussian mechanism", gaussian_event(10.0), covers="categories")

    def event(n_steps):
        return dp_accounting.SelfComposedDpEvent(dp_accounting.GaussianDpEvent(20.0), n_steps)

    found = epsilons_along(ledger, event, [10, 20, 20, 50])
    assert found[1] == found[2]
    assert np.all(np.diff(found) >= 0)
    assert found[-1] == pytest.approx(ledger.epsilon([event(50)]), rel=1e-3)


# Mechanisms


@given(st.lists(st.floats(-1e3, 1e4), min_size=1, max_size=30), st.sampled_from([0.01, 0.5]) | st.floats(1.0, 1e5))
def test_counts_are_made_nonnegative(counts, total):
    """Counts have the total and are not negative; those that stay positive move by the same."""
    counts = np.array(counts)
    found = nonnegative(counts, total)
    assert found.sum() == pytest.approx(total)
    assert (found >= 0).all()
    shift = (counts - found)[found > 0]
    assert np.ptp(shift) <= 1e-6 * max(np.abs(counts).max(), total)


@pytest.mark.parametrize("total", [0.0, -7.0])
def test_counts_of_no_rows_are_zero(total):
    """Where the noisy total is 0 or below, so are all counts."""
    assert nonnegative(np.array([3.0, -1.0, 2.0]), total).tolist() == [0.0, 0.0, 0.0]


def test_counts_share_a_small_total():
    """A total that is smaller than the differences of counts goes to the largest alone."""
    assert nonnegative(np.array([3.0, 9.0, 2.0]), 0.5) == pytest.approx([0.0, 0.5, 0.0])
    assert nonnegative(np.array([3.0, 3.0, 2.0]), 0.5) == pytest.approx([0.25, 0.25, 0.0])


def test_noisy_counts_are_whole_and_of_the_scale():
    """Noise is whole, centred, and of the standard deviation that is said."""
    n, scale = 20_000, 40.0
    noisy = noisy_counts(np.full(n, 7), scale, system_generator())
    assert np.array_equal(noisy, np.rint(noisy))
    assert abs(noisy.mean() - 7) < 5 * scale / np.sqrt(n)
    assert abs(noisy.std() / scale - 1) < 5 / np.sqrt(2 * n)


@pytest.mark.parametrize("epsilon", [0.05, 0.5])
def test_noisy_totals_are_whole_and_of_the_scale(epsilon):
    """A number of rows gets whole noise, centred, whose mean size is one over epsilon, as the ledger is told."""
    n = 4000
    totals = [noisy_total(1000, epsilon, Ledger(1e-6), system_generator()) for _ in range(n)]
    assert all(isinstance(total, int) for total in totals)
    noise = np.array(totals) - 1000
    assert abs(noise.mean()) < 5 * np.sqrt(2 / n) / epsilon
    assert abs(epsilon * np.abs(noise).mean() - 1) < 5 / np.sqrt(n) + epsilon**2 / 4  # rounding takes a little


def test_noisy_totals_are_positive():
    """Where noise takes away all rows, one is left."""
    assert min(noisy_total(0, 0.01, Ledger(1e-6), system_generator()) for _ in range(40)) == 1


@pytest.mark.parametrize(("n_columns", "expected"), [(1, 53.5), (3, 55.5), (20, 59.3)])
@pytest.mark.parametrize("shift", np.linspace(0, 1, 5))
def test_a_value_of_one_row_is_seldom_shown(n_columns, expected, shift):
    """A single row, in all columns, passes the threshold with probability delta at most, as noise is rounded."""
    scale = 10.0 + 0.1 * shift  # so that the threshold lies anywhere between two whole numbers
    threshold = selection_threshold(scale, 1e-7, n_columns)
    assert threshold == pytest.approx(expected, abs=1.0)
    least = np.ceil(threshold - 1) - 0.5  # of the noise, from which it rounds to the threshold or beyond
    passes = -np.expm1(n_columns * norm.logcdf(least / scale))
    assert 0.5e-7 < passes <= 1e-7


@pytest.mark.parametrize("epsilon", [0.1, 1.0, 3.0])
def test_gaussian_noise_spends_epsilon_exactly(epsilon):
    """The noise of a single Gaussian release is that which the accountant charges epsilon for."""
    noise = gaussian_noise(epsilon, 1e-6)
    ledger = Ledger(1e-6)
    ledger.add("all", "Gaussian mechanism", gaussian_event(noise), covers="all")
    assert ledger.epsilon() == pytest.approx(epsilon, rel=5e-3)
    assert epsilon_of_gaussian(1 / noise, 1e-6) == pytest.approx(epsilon, rel=1e-6)


# Audits


@pytest.mark.parametrize(("n_canaries", "ceiling"), [(50, 2.78), (1000, 5.78)])
def test_perfect_guesses_give_the_known_ceiling(n_canaries, ceiling):
    """One run in which all guesses are right bounds epsilon at the known figure, at 95 % and delta 1e-5."""
    from sksynth.privacy._audit import _chance

    assert _chance(n_canaries, n_canaries, n_canaries, ceiling, 1e-5) == pytest.approx(0.05, abs=0.002)


def test_guesses_by_chance_bound_nothing():
    """Scores that know nothing give a bound of 0."""
    rng = np.random.default_rng(0)
    assert one_run_epsilon(rng.random(500), rng.random(500) < 0.5, 1e-5, 0.95) == 0.0


def test_an_audit_of_gaussian_noise_stays_below_its_epsilon():
    """Canaries behind Gaussian noise are found less than epsilon allows, and more than chance."""

    def run(included):
        return included + 0.8 * np.random.default_rng(1).standard_normal(len(included))

    claimed = epsilon_of_gaussian(1 / 0.8, 1e-5)
    found = audit_mechanism(run, 4000, 1e-5, random_state=0)
    assert 0.0 < found.epsilon_lower < claimed
    assert 0.5 * claimed < found.gaussian_epsilon_lower < claimed
    assert 0.01 < found.tpr_at_1 <= found.ceiling(claimed, 1e-5)
    assert found.auc == pytest.approx(norm.cdf(1 / 0.8 / np.sqrt(2)), abs=5 * 0.5 / np.sqrt(4000))


def test_an_audit_says_which_scores_it_wants():
    """Scores of the wrong shape are refused."""
    with pytest.raises(ValueError, match=r"one score per canary, shape \(10,\), got \(3,\)"):
        audit_mechanism(lambda included: np.zeros(3), 10, 1e-5)


# TensorFlow Privacy


def test_cross_check_says_what_it_needs():
    """Without TensorFlow Privacy the remedy is named."""
    try:
        ours, theirs = cross_check(1.0, RATE, STEPS, DELTA)
    except ImportError as error:
        assert "sksynth[tensorflow-privacy]" in str(error)
    else:
        assert ours == pytest.approx(theirs, rel=0.01)


@pytest.mark.parametrize("accountant", ["pld", "rdp"])
def test_cross_check_asks_both_the_same(accountant, monkeypatch):
    """TensorFlow Privacy is told epochs in place of steps, and otherwise what our accountant is told."""
    asked = []
    library = SimpleNamespace(
        AccountantType=SimpleNamespace(PLD="pld", RDP="rdp"),
        _compute_dp_sgd_example_privacy=lambda *of: asked.append(of) or np.float32(0.5),
    )
    monkeypatch.setattr(_cross_check, "_library", lambda: library)
    ours, theirs = cross_check(2.0, 0.25, 40, 1e-5, accountant=accountant)
    assert asked == [(10.0, 2.0, 1e-5, False, 0.25, accountant)]  # epochs, noise, delta, no microbatches, rate
    cross_check(2.0, 0.25, 40, 1e-5)
    assert asked[1][-1] == "pld"  # unless told otherwise
    assert type(theirs) is float
    assert theirs == 0.5
    assert ours == compute_epsilon(2.0, 0.25, 40, 1e-5, accountant=accountant)


@pytest.mark.tensorflow_privacy
@pytest.mark.parametrize("accountant", ["pld", "rdp"])
@pytest.mark.parametrize("model", [(1.0, RATE, STEPS), (2.1, 0.079, 300), (0.8, 0.01, 1000)])
def test_our_accountant_agrees_with_tensorflow_privacy(accountant, model):
    """Both accountants agree to a hundredth with those of TensorFlow Privacy."""
    try:
        ours, theirs = cross_check(*model, 1e-5, accountant=accountant)
    except ImportError as error:
        pytest.skip(str(error))
    assert ours == pytest.approx(theirs, rel=0.01)
