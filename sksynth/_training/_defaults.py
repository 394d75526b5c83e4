"""What None and "auto" mean: training settings chosen from the size of the table."""

from functools import partial
from typing import Any

import numpy as np

from .._grammar import Grammar

MEDIUM_ROWS = 9_000  # 10 epochs and a tenth of dropout suit so many
SMALL_ROWS = 3_000  # below, more units and a lower rate suit, which memorises less
TEXT_POSITIONS = 40  # of text in a record, more than all others, from which its tokens count, not its rows
TEXT_TOKENS = 1.2e6  # of training: 12 epochs and a tenth of dropout suit so many
SMALL_TEXT = 3e4  # tokens below which fewer units suffice
CONTEXT = 0.9  # share of the parts of steps that read some columns before the others, where any may be given
MORE_EPOCHS = 1.5  # times as many suit then: there is more to learn
HOLDING_ROWS = 120  # below, a dozen held-out rows tell less than training on them as well, to the end of the plan
PATIENCE, LEAST_PATIENCE = 1 / 6, 4  # share of the epochs, and epochs, without a better loss: few held-out rows have plateaus
HELD_OUT_ROWS = 50_000  # at most: they tell the loss to half a hundredth of the spread of the rows' own
CALL_SECONDS = 0.5  # of work in one compiled call, at most: between calls callbacks are called and Ctrl-C is heard
FLOPS = 3e10  # per second, on the slower side of two cores
XLA_SECONDS = 12.0  # of training below which XLA's compilation does not pay
PRIVATE_ROWS, PRIVATE_STEPS = 2048, 300  # of private fits: expected rows of a step, and steps
PRIVATE_UNITS, PRIVATE_EMBEDDING, PRIVATE_RATE = 64, 32, 0.02
PRIVATE_AVERAGING = 0.1  # share of the steps that the running mean of the weights goes back
CHUNK_ROWS = 512  # of a private step, about, that are computed at a time


def choose_settings(
    model: Any, ids: np.ndarray, grammar: Grammar, gpu: bool = False, one_pass: bool = False, seconds: float = np.inf
) -> dict[str, Any]:
    """Return every setting of `core.Settings` but n_context for a model's parameters, None replaced by what suits the table.

    Parameters
    ----------
    model : LSTMTextModel
    ids : ndarray of int, shape (n_rows, n_positions + n_free)
    grammar : Grammar
    gpu : bool, default=False
        Whether training runs on one.
    one_pass : bool, default=False
        Read all rows once, whatever `epochs` and `validation_fraction` say.
    seconds : float, default=inf
        That training may take.

    Returns
    -------
    settings : dict of str to value
    """
    given, n_rows = partial(_given, model), len(ids)
    held_out = given("validation_fraction", min(0.1, HELD_OUT_ROWS / n_rows) if n_rows >= HOLDING_ROWS else 0.0)
    if one_pass or round(n_rows * held_out) in (0, n_rows):
        held_out = 0.0
    n_training = n_rows - round(n_rows * held_out)
    batch_size = given("batch_size", 256 if n_training >= 20_000 else 128 if n_training >= 5_000 else 64)
    batch_size = min(batch_size, 1 << (n_training.bit_length() - 1))
    usual = _for_rows(n_training)
    if is_text(grammar):
        usual = _for_text(n_training * _tokens_per_row(ids[:, : grammar.n_positions]))
    context = CONTEXT if _any_order(model.any_order, grammar) else 0.0
    epochs = 1 if one_pass else given("epochs", round(usual["epochs"] * (MORE_EPOCHS if context else 1.0)))
    stops = held_out > 0 if model.early_stopping == "auto" else model.early_stopping
    units = given("rnn_units", usual["rnn_units"])
    step_flops = 24 * batch_size * grammar.n_positions * units**2 * model.n_layers
    return {
        "embedding_dim": given("embedding_dim", 32),
        "rnn_units": units,
        "n_layers": model.n_layers,
        "dropout": given("dropout", usual["dropout"]),
        "averaging": 1.0,
        "context": context,
        "epochs": epochs,
        "most_epochs": epochs * (2 if stops and held_out and model.epochs is None and not one_pass else 1),
        "batch_size": batch_size,
        "learning_rate": given("learning_rate", usual["learning_rate"]),
        "validation_fraction": held_out,
        "monitor": model.monitor,
        "patience": given("patience", max(LEAST_PATIENCE, round(epochs * PATIENCE))) if stops else None,
        "min_delta": model.min_delta,
        "steps_per_execution": 1 << int(np.log2(np.clip(CALL_SECONDS * FLOPS / max(step_flops, 1), 1, 16))),
        "loops": _loops(model.jit_compile, epochs * n_training * grammar.n_positions * units, gpu, seconds),
    }


def _any_order(any_order, grammar):
    """Say whether columns are read in any order: there have to be several, by themselves some of text, which comes last."""
    wanted = any(slot.repeat > 1 for slot in grammar.slots) if any_order == "auto" else any_order
    return len(grammar.runs) > 1 and wanted


def is_text(grammar: Grammar) -> bool:
    """Say whether records are text in the first place."""
    n_text = sum(slot.repeat for slot in grammar.slots if slot.repeat > 1)
    return n_text >= TEXT_POSITIONS and n_text > grammar.n_positions / 2


def _tokens_per_row(ids):
    """Return the mean number of tokens before those that fill a row up, of a thousand rows."""
    rows = ids[np.linspace(0, len(ids) - 1, min(len(ids), 1_000)).astype(int)]
    changes = rows[:, 1:] != rows[:, :-1]
    return float(np.mean(np.where(changes.any(axis=1), rows.shape[1] - changes[:, ::-1].argmax(axis=1), 1)))


def _for_rows(n_training):
    """Return what suits so many rows of a table."""
    small = MEDIUM_ROWS / n_training  # above 1: a small table overfits, so more dropout and a slower fall of the rate
    return {
        "epochs": round(float(np.clip(10 * small ** (1.1 if small > 1 else 0.5), 2, 60))),
        "rnn_units": 64 if SMALL_ROWS <= n_training < 50_000 else 128,
        "dropout": round(float(np.clip(0.1 * small ** (1.1 if small > 1 else 0.9), 0.0, 0.5)), 3),
        "learning_rate": 0.004 if n_training < SMALL_ROWS else 0.006,
    }


def _for_text(n_tokens):
    """Return what suits so many tokens of text."""
    small = TEXT_TOKENS / n_tokens
    return {
        "epochs": round(float(np.clip(12 * small**0.35, 2, 60))),
        "rnn_units": 64 if n_tokens < SMALL_TEXT else 128,
        "dropout": round(float(np.clip(0.1 * small**0.45, 0.0, 0.5)), 3),
        "learning_rate": 0.006,
    }


def choose_private_settings(model: Any, n_rows: int, grammar: Grammar) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the settings of a private fit, and its mechanism but for the noise; nothing of either comes from the rows.

    Parameters
    ----------
    model : LSTMTextModel
        Its `batch_size` is the expected number of rows of a step, its `epochs` the expected number of passes over the rows.
    n_rows : int
        Public, or noisy.
    grammar : Grammar

    Returns
    -------
    settings : dict of str to value
        Of `core.Settings` but n_context; `batch_size` is that of a physical chunk.
    mechanism : dict of str to value
        Of `core.Mechanism`, without noise_multiplier; empty where there is nothing to train.
    """
    given = partial(_given, model)
    expected = float(min(given("batch_size", PRIVATE_ROWS), max(n_rows // 2, 1)))
    epochs = given("epochs", max(PRIVATE_STEPS * expected / n_rows, 1.0))
    units = given("rnn_units", PRIVATE_UNITS)
    n_steps = max(round(epochs * n_rows / expected), 1)
    n_chunks = max(round(expected / CHUNK_ROWS), 1)
    most = expected + 2.5 * expected**0.5  # a draw seldom has more rows
    settings = {
        "embedding_dim": given("embedding_dim", PRIVATE_EMBEDDING),
        "rnn_units": units,
        "n_layers": model.n_layers,
        "dropout": given("dropout", 0.0),
        "averaging": PRIVATE_AVERAGING * epochs,
        "context": 0.0,
        "epochs": min(max(round(epochs), 1), n_steps),
        "most_epochs": 0,  # a plan that followed the loss would depend on the rows
        "batch_size": 16 * int(np.ceil(most / n_chunks / 16)),
        "learning_rate": given("learning_rate", PRIVATE_RATE),
        "validation_fraction": 0.0,
        "monitor": "loss",
        "patience": None,
        "min_delta": 0.0,
        "steps_per_execution": 1,
        "loops": _loops(
            model.jit_compile, n_steps * expected * grammar.n_positions * units, gpu=False
        ),  # Keras' tells no deltas
    }
    if not grammar.n_positions:
        return settings, {}
    mechanism = {"sampling_rate": expected / n_rows, "l2_norm_clip": model.l2_norm_clip, "n_steps": n_steps}
    return settings, mechanism | {"expected_rows": expected}


def _given(model, name, otherwise):
    value = getattr(model, name)
    return otherwise if value is None else value


def _loops(jit_compile, work, gpu, seconds=np.inf):
    """Return what runs the recurrence: XLA compiles it and the heads in three seconds, then steps take a third less."""
    if jit_compile == "auto":
        return "keras" if gpu else "xla" if work > 1e8 and seconds > XLA_SECONDS else "graph"
    return "xla" if jit_compile else "graph"
