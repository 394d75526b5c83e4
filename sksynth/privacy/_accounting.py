"""Epsilon of what was done, and the noise that a target epsilon needs: dp-accounting's accountants on its events."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

ACCOUNTANTS = ("pld", "rdp")
INTERVAL = 1e-3  # of the discretised privacy loss; a coarser one only overstates epsilon
COARSE = 2e-2  # for a first guess
LEAST_NOISE = 0.2  # no noise multiplier below this is tried
MOST_NOISE = 1e8  # nor one above
MOST_CELLS = 3e5  # of the discretised privacy loss, about: little noise gets a coarser one, so that memory is bounded
LARGEST = 1e7  # an epsilon beyond which a bound in closed form is as good
TOLERANCE = 1e-3  # of the noise multiplier that is found


def dp_sgd_event(noise_multiplier: float, sampling_rate: float, n_steps: int) -> Any:
    """Return the event of `n_steps` steps that draw every row with `sampling_rate` and add Gaussian noise.

    Parameters
    ----------
    noise_multiplier : float
        Standard deviation of the noise over the clipping norm.
    sampling_rate : float in (0, 1]
    n_steps : int

    Returns
    -------
    event : dp_accounting.DpEvent
    """
    import dp_accounting

    step = dp_accounting.PoissonSampledDpEvent(sampling_rate, dp_accounting.GaussianDpEvent(noise_multiplier))
    return dp_accounting.SelfComposedDpEvent(step, int(n_steps))


def new_accountant(accountant: str = "pld", interval: float = INTERVAL) -> Any:
    """Return an accountant of dp-accounting, by name; `interval` is that of the discretised privacy loss.

    Raises
    ------
    ValueError
        If `accountant` is neither "pld" nor "rdp".
    """
    from dp_accounting import pld, rdp

    if accountant not in ACCOUNTANTS:
        raise ValueError(f"accountant must be one of {', '.join(ACCOUNTANTS)}, got {accountant!r}; 'pld' is the tightest")
    return pld.PLDAccountant(value_discretization_interval=interval) if accountant == "pld" else rdp.RdpAccountant()


def composed_epsilon(events: Sequence[Any], delta: float, accountant: str = "pld", interval: float = INTERVAL) -> float:
    """Return the epsilon of events on the same rows, each drawn independently of the others.

    Parameters
    ----------
    events : sequence of dp_accounting.DpEvent
    delta : float
    accountant : {"pld", "rdp"}, default="pld"
    interval : float
        Of the discretised privacy loss.

    Returns
    -------
    epsilon : float
        Infinite if any of the events is not private.
    """
    bound = concentrated_epsilon(events, delta)
    if bound > LARGEST:
        return bound
    state = accountant_for(events, delta, accountant, interval)
    for event in events:
        state.compose(event)
    return float(state.get_epsilon(delta))


def accountant_for(events: Sequence[Any], delta: float, accountant: str = "pld", interval: float = INTERVAL) -> Any:
    """Return an accountant of which these events take bounded memory: coarse where an expected epsilon is in the thousands."""
    return new_accountant(accountant, max(interval, concentrated_epsilon(events, delta, sampled=True) / MOST_CELLS))


def concentrated_epsilon(events: Sequence[Any], delta: float, sampled: bool = False) -> float:
    """Return an upper bound of epsilon that takes neither time nor memory, without the gain of sampling.

    Bun and Steinke (2016), "Concentrated differential privacy". Events that it does not know count for nothing. Where
    `sampled`, a step counts by the share of rows that it draws: no bound, but of the size of one.
    """
    cost = sum(_concentrated(event, sampled) for event in events)
    return float(cost + 2 * np.sqrt(-cost * np.log(delta)))


def _concentrated(event, sampled):
    """Return the rho of an event."""
    kind = type(event).__name__
    if kind in ("GaussianDpEvent", "LaplaceDpEvent"):
        with np.errstate(over="ignore", divide="ignore"):
            return 0.5 / np.float64(event.noise_multiplier) ** 2
    if kind == "PoissonSampledDpEvent":
        return (event.sampling_probability if sampled else 1.0) * _concentrated(event.event, sampled)
    if kind == "SelfComposedDpEvent":
        return event.count * _concentrated(event.event, sampled)
    return sum(_concentrated(part, sampled) for part in event.events) if kind == "ComposedDpEvent" else 0.0


def compute_epsilon(
    noise_multiplier: float | Sequence[float],
    sampling_rate: float | Sequence[float],
    n_steps: int | Sequence[int],
    delta: float,
    *,
    before: Sequence[Any] = (),
    accountant: str = "pld",
) -> float:
    """Return the epsilon of one or more models that were trained with DP-SGD on the same rows.

    Parameters
    ----------
    noise_multiplier : float, or one per model
        Standard deviation of the noise over the clipping norm.
    sampling_rate : float in (0, 1], or one per model
        Probability with which a row takes part in a step.
    n_steps : int, or one per model
    delta : float in (0, 1)
    before : sequence of dp_accounting.DpEvent, default=()
        What else was released of the same rows.
    accountant : {"pld", "rdp"}, default="pld"
        Privacy loss distributions (tight) or Rényi differential privacy.

    Returns
    -------
    epsilon : float
        For adding or removing one row.

    Raises
    ------
    ValueError
        If a parameter is out of its range, or the numbers of models differ.

    Examples
    --------
    >>> from sksynth.privacy import compute_epsilon
    >>> round(compute_epsilon(1.0, 0.0256, 782, 1e-6), 2)
    5.14
    >>> round(compute_epsilon([1.0] * 5, 0.0256, 782, 1e-6), 1)  # five models, each with noise of its own
    12.1
    """
    check_delta(delta)
    models = list(_per_model(noise_multiplier, sampling_rate, n_steps))
    for noise, rate, steps in models:
        _check_model(rate, steps)
        if not noise > 0:
            raise ValueError(f"noise_multiplier must be above 0, got {noise}; without noise nothing is private")
    return composed_epsilon([*before, *(dp_sgd_event(*model) for model in models)], delta, accountant)


def calibrate_noise_multiplier(
    epsilon: float,
    delta: float,
    sampling_rate: float | Sequence[float],
    n_steps: int | Sequence[int],
    *,
    before: Sequence[Any] = (),
    accountant: str = "pld",
) -> float:
    """Return the noise multiplier with which DP-SGD spends a given epsilon, the same for all models.

    Parameters
    ----------
    epsilon : float
        What everything together may spend, `before` included.
    delta : float in (0, 1)
    sampling_rate : float in (0, 1], or one per model
    n_steps : int, or one per model
    before : sequence of dp_accounting.DpEvent, default=()
        What else is released of the same rows.
    accountant : {"pld", "rdp"}, default="pld"

    Returns
    -------
    noise_multiplier : float
        `compute_epsilon` of it is at most `epsilon`.

    Raises
    ------
    ValueError
        If a parameter is out of its range, `before` alone spends `epsilon`, or `epsilon` or `delta` is too small.

    Examples
    --------
    >>> from sksynth.privacy import calibrate_noise_multiplier
    >>> round(calibrate_noise_multiplier(3.0, 1e-6, 0.0256, 782), 2)
    1.36
    """
    check_delta(delta)
    if not (np.isfinite(epsilon) and epsilon > 0):
        raise ValueError(f"epsilon must be a finite number above 0, got {epsilon}")
    models = list(_per_model(sampling_rate, n_steps))
    for model in models:
        _check_model(*model)
    spent = composed_epsilon(before, delta, accountant)
    if np.isinf(spent) and np.isfinite(concentrated_epsilon(before, delta)):
        raise ValueError(_too_small(delta))
    if spent >= epsilon:
        raise ValueError(
            f"epsilon={epsilon} is spent before training: what is released first costs {spent:.3g} at delta={delta:.3g}; "
            "raise epsilon, or make more of the schema public"
        )

    def all_events(noise):
        import dp_accounting

        return dp_accounting.ComposedDpEvent([*before, *(dp_sgd_event(noise, *model) for model in models)])

    least = composed_epsilon([all_events(MOST_NOISE)], delta, accountant)
    if np.isinf(least):
        raise ValueError(_too_small(delta))
    if least > epsilon:
        raise ValueError(
            f"epsilon={epsilon:g} is too small: no noise multiplier is found for it at delta={delta:.3g}; raise epsilon"
        )
    return _least_noise(all_events, epsilon, delta, accountant)


def _too_small(delta):
    return f"delta={delta:.3g} is too small: the accountant tells no finite epsilon at it; raise delta to 1e-12 or more"


def _least_noise(all_events, epsilon, delta, accountant):
    """Return the least noise that spends at most epsilon; a coarse accountant, which is fast, says where to look for it."""
    import dp_accounting

    def search(interval, bracket):
        new = partial(new_accountant, accountant, interval)
        return dp_accounting.calibrate_dp_mechanism(new, all_events, epsilon, delta, bracket_interval=bracket, tol=TOLERANCE)

    def is_enough(noise, interval=INTERVAL):
        return composed_epsilon([all_events(noise)], delta, accountant, interval) <= epsilon

    coarse = COARSE if is_enough(MOST_NOISE, COARSE) else INTERVAL
    if is_enough(LEAST_NOISE, coarse):
        return LEAST_NOISE
    high = float(search(coarse, dp_accounting.LowerEndpointAndGuess(LEAST_NOISE, 2.0)))
    low = 0.95 * high
    while is_enough(low) and low > LEAST_NOISE:
        low, high = 0.95 * low, low
    return float(search(INTERVAL, dp_accounting.ExplicitBracketInterval(low, high)))


def check_delta(delta: float) -> None:
    """Refuse a delta that is not between 0 and 1."""
    if not 0.0 < delta < 1.0:
        raise ValueError(f"delta must be above 0 and below 1, got {delta}; 1e-6 is usual")


def gaussian_noise(epsilon: float, delta: float) -> float:
    """Return the noise multiplier with which one release of Gaussian noise spends (epsilon, delta) exactly.

    Balle and Wang (2018), "Improving the Gaussian mechanism for differential privacy".
    """
    from scipy.optimize import brentq
    from scipy.special import log_ndtr, ndtr

    def excess(log_noise):
        half, slope = 0.5 / np.exp(log_noise), epsilon * np.exp(log_noise)
        return ndtr(half - slope) - np.exp(epsilon + log_ndtr(-half - slope)) - delta

    return float(np.exp(brentq(excess, -5.0, 30.0)))


def _check_model(rate, steps):
    if not 0.0 < rate <= 1.0:
        raise ValueError(
            f"sampling_rate must be above 0 and at most 1, got {rate}: it is the expected rows of a step over all"
        )
    if steps < 1 or steps != int(steps):
        raise ValueError(f"n_steps must be a whole number, at least 1, got {steps}")


def _per_model(*values):
    """Yield the values model by model; a single one holds for all."""
    lengths = {len(value) for value in values if np.ndim(value)}
    if len(lengths) > 1:
        raise ValueError(f"got values for {sorted(lengths)} models, expected as many of each, or one for all")
    n_models = lengths.pop() if lengths else 1
    return zip(*(value if np.ndim(value) else [value] * n_models for value in values), strict=True)
