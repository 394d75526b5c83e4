"""How a private fit spends its budget: what is asked for, what each model takes, one noise for all of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .._training._defaults import choose_private_settings
from .._validation import warn
from ..privacy._accounting import LEAST_NOISE, calibrate_noise_multiplier, dp_sgd_event
from ..privacy._ledger import DP_SGD, Ledger, epsilons_along
from ..privacy._statement import privacy_statement

DELTA = 1e-6
WEAK = 100.0  # an epsilon beyond which a fit is warned of


@dataclass(frozen=True)
class PrivatePlan:
    """What a model needs to train privately, all of it public or released already.

    Attributes
    ----------
    settings : dict
        Of `core.Settings`.
    mechanism : dict
        Of `core.Mechanism`.
    priors : ndarray of int, shape (n_public, n_positions)
        Token ids of the stand-in, whose shares the network starts from.
    spent : list of (int, float, float)
        Where every epoch ends: steps taken until then, and what is spent by these and by what was released before, epsilon
        and delta.
    """

    settings: dict
    mechanism: dict
    priors: np.ndarray
    spent: list


def statement_of(ledger: Ledger, epsilon: float, facts: Any) -> str:
    """Return the privacy statement of a fit; `facts` is a `Release` or `Lines`."""
    private = [column for column in facts.schema if column not in facts.public_columns]
    return privacy_statement(
        ledger, epsilon,
        also=getattr(facts, "also", None), n_rows=facts.n_rows, public_rows=facts.public_rows,
        public_columns=facts.public_columns, private_columns=private,
    )  # fmt: skip


def warn_of_epsilon(asked: float | None, spent: float) -> None:
    """Warn of an epsilon that promises nothing, and say what is really spent."""
    if max(spent, asked or 0.0) > WEAK:
        what = f"epsilon_={spent:.4g}" if asked is None else f"epsilon={asked:g} is asked for, {spent:.4g} is spent"
        least = "" if asked is None or spent > 0.9 * asked else f", with the least noise multiplier there is, {LEAST_NOISE}"
        warn(f"{what}{least}: beyond {WEAK:g} the guarantee rules out next to nothing; set epsilon to 10 or less")


def check_budget(model: Any) -> None:
    """Refuse settings of a model that look at rows besides private training."""
    if model.early_stopping is True:
        raise ValueError(
            "early_stopping=True looks at rows outside the budget of epsilon: leave it 'auto', which trains a fixed number of "
            "steps"
        )
    if model.validation_fraction:
        raise ValueError(
            f"validation_fraction={model.validation_fraction} would show the loss of real rows outside the budget of epsilon: "
            "leave it None, or set 0"
        )


def _check_delta(delta: float, n_rows: int) -> None:
    """Refuse a delta at which publishing a row or two at random would count as private.

    Parameters
    ----------
    delta : float
    n_rows : int
        Public, or noisy.
    """
    if delta >= 1.0 / n_rows:
        raise ValueError(
            f"delta={delta:g} is at least 1 / n_rows (about {1.0 / n_rows:.2g}), which allows to publish a row at random: set "
            f"delta={0.1 / n_rows:.1g} or less"
        )
    if delta > 0.1 / n_rows:
        warn(f"delta={delta:g} is above a tenth of 1 / n_rows ({0.1 / n_rows:.2g}): set delta={0.1 / n_rows:.1g} or less")


def plan_training(
    models: Sequence[Any], priors: Sequence[np.ndarray], n_rows: int, ledger: Ledger, epsilon: float | None
) -> list[PrivatePlan]:
    """Return the plans of models that train on the same rows, and enter their steps in the ledger.

    Parameters
    ----------
    models : sequence of LSTMTextModel
        With their tokenizers fitted.
    priors : sequence of ndarray
        Token ids of the stand-in, by model.
    n_rows : int
        Public, or noisy.
    ledger : Ledger
        With all that is released beside training.
    epsilon : float or None
        Of everything together; None: the models' own `noise_multiplier`.
    """
    _check_delta(ledger.delta, n_rows)
    chosen = [choose_private_settings(model, n_rows, model.tokenizer_.grammar_) for model in models]
    modelled = [(settings, mechanism) for settings, mechanism in chosen if mechanism]
    rates = [mechanism["sampling_rate"] for _, mechanism in modelled]
    n_steps = [mechanism["n_steps"] for _, mechanism in modelled]
    noise = 0.0
    if modelled:
        noise = models[0].noise_multiplier if epsilon is None else calibrate_noise_multiplier(
            epsilon, ledger.remaining_delta, rates, n_steps, before=ledger.events
        )  # fmt: skip
    before, plans = ledger.copy(), []
    for index, (model, own, (settings, mechanism)) in enumerate(zip(models, priors, chosen, strict=True)):
        if not mechanism:
            plans.append(PrivatePlan(settings, {}, own, []))
            continue
        mechanism |= {"noise_multiplier": noise}
        _warn_of_noise(model, settings, mechanism)
        plans.append(PrivatePlan(settings, mechanism, own, _spent(before, settings, mechanism)))
        _enter(ledger, index, len(models), model, mechanism)
    return plans


def _spent(before, settings, mechanism):
    """Share the steps out over the epochs; say what is spent after each."""
    ends = np.linspace(0, mechanism["n_steps"], settings["epochs"] + 1).round().astype(int)[1:].tolist()

    def event(n_steps):
        return dp_sgd_event(mechanism["noise_multiplier"], mechanism["sampling_rate"], n_steps)

    return [(end, epsilon, before.delta) for end, epsilon in zip(ends, epsilons_along(before, event, ends), strict=True)]


def _enter(ledger, index, n_models, model, mechanism):
    columns = list(getattr(model, "columns_", []))
    ledger.add(
        "training" if n_models == 1 else f"training of batch {index}",
        DP_SGD,
        dp_sgd_event(mechanism["noise_multiplier"], mechanism["sampling_rate"], mechanism["n_steps"]),
        covers="the weights of the network" + (f" of columns {', '.join(map(repr, columns))}" if columns else ""),
        **{name: mechanism[name] for name in ("noise_multiplier", "sampling_rate", "l2_norm_clip")},
        steps_planned=mechanism["n_steps"],
        steps_taken=mechanism["n_steps"],
    )


def _warn_of_noise(model, settings, mechanism):
    """Warn where the noise of all steps, averaged, is longer than the longest sum of gradients that can be expected."""
    n_weights = _n_weights(settings, model.tokenizer_.grammar_)
    noise = mechanism["noise_multiplier"] * np.sqrt(n_weights / mechanism["n_steps"])
    rows = mechanism["expected_rows"]
    if noise > rows:
        warn(
            f"noise drowns the signal: averaged over {mechanism['n_steps']:,} steps it is {noise:,.0f} clipping norms long, "
            f"over {n_weights:,} weights, and the gradients of a step's {rows:,.0f} rows add up to as many at most; "
            "raise epsilon, fit more rows, or use fewer rnn_units"
        )


def _n_weights(settings, grammar):
    units, width = settings["rnn_units"], settings["embedding_dim"]
    n_tokens = sum(slot.n_tokens for slot in grammar.slots)
    layers = 4 * units * (width + units + 1) + (settings["n_layers"] - 1) * 4 * units * (2 * units + 1)
    return (n_tokens + len(grammar.slots)) * width + layers + n_tokens * (units + 1)
