"""What the parameters of the estimators may be."""

from collections.abc import Mapping
from typing import Any

from ._generative import check_callbacks, check_checkpoints
from ._private import check_budget
from ._validation import check_choice, check_int, check_real

_ONE_BUDGET = "all batches read the same rows and share one budget; set it there alone"
_WHY = {
    "random_state": "every batch gets a stream of its own; set it there alone",
    "epsilon": _ONE_BUDGET,
    "delta": _ONE_BUDGET,
    "noise_multiplier": "all batches read the same rows and share one noise, which follows from epsilon; set that",
    "checkpoint_dir": "every batch gets a folder of its own in it; set it there alone",
}


def check_text_model(model: Any) -> None:
    """Refuse parameters of an `LSTMTextModel` that are not what they may be."""
    for name in ("embedding_dim", "rnn_units", "epochs", "batch_size"):
        check_int(model, name, low=1, optional=True)
    check_int(model, "n_layers", low=1)
    check_int(model, "patience", low=1, optional=True)
    check_int(model, "verbose", low=0)
    check_real(model, "dropout", low=0.0, high=1.0, optional=True)
    check_real(model, "validation_fraction", low=0.0, high=1.0, optional=True)
    check_real(model, "learning_rate", low=0.0, closed="neither", optional=True)
    check_real(model, "min_delta", low=0.0)
    check_real(model, "max_time", low=0.0, closed="neither", optional=True)
    check_choice(model, "early_stopping", (True, False, "auto"))
    check_choice(model, "monitor", ("val_loss", "val_accuracy", "loss", "accuracy"))
    check_choice(model, "warm_start", (True, False))
    check_checkpoints(model)
    check_callbacks(model)
    check_choice(model, "jit_compile", (True, False, "auto"))
    check_choice(model, "packing", ("rows", "stream"))
    check_choice(model, "any_order", (True, False, "auto"))
    for name in ("epsilon", "noise_multiplier"):
        check_real(model, name, low=0.0, closed="neither", optional=True)
    check_real(model, "delta", low=0.0, high=1.0, closed="neither", optional=True)
    check_real(model, "l2_norm_clip", low=0.0, closed="neither")
    if model.epsilon is not None and model.noise_multiplier is not None:
        raise ValueError(
            f"got epsilon={model.epsilon!r} and noise_multiplier={model.noise_multiplier!r}, which say the same twice: set "
            "one of them"
        )
    if model.epsilon is not None or model.noise_multiplier is not None:
        if model.packing == "stream":
            raise ValueError("packing='stream' cuts lines to pieces, but with epsilon a line is a record: set packing='rows'")
        _refuse_any_order(model)
        check_budget(model)
    elif model.delta is not None:
        raise ValueError(
            f"delta={model.delta!r} is set, but neither epsilon nor noise_multiplier, so that nothing would be private: "
            "set one of them, or leave delta None"
        )
    if model.early_stopping is True and model.validation_fraction == 0 and model.monitor.startswith("val_"):
        raise ValueError(
            "early_stopping=True of LSTMTextModel needs rows to watch, got validation_fraction=0: "
            "set validation_fraction=0.1, monitor='loss', or early_stopping=False"
        )


def _refuse_any_order(model):
    """Refuse to train in any order privately."""
    if model.any_order is True:
        raise ValueError("any_order=True is not for private training, whose steps are few: set any_order='auto'")


def check_synthesizer(synthesizer: Any, templates: Mapping[str, type]) -> None:
    """Refuse parameters of a `BatchLSTMSynthesizer` that are not what they may be; templates of these classes, by name."""
    check_int(synthesizer, "min_frequency", low=1)
    if not isinstance(synthesizer.linked, list | tuple):
        check_choice(synthesizer, "linked", (True, False))
    check_int(synthesizer, "verbose", low=0)
    check_real(synthesizer, "epsilon", low=0.0, closed="neither", optional=True)
    check_real(synthesizer, "delta", low=0.0, high=1.0, closed="neither", optional=True)
    check_real(synthesizer, "max_time", low=0.0, closed="neither", optional=True)
    check_checkpoints(synthesizer)
    check_callbacks(synthesizer)
    for name, template in templates.items():
        value = getattr(synthesizer, name)
        if value is not None and not isinstance(value, template):
            raise TypeError(
                f"The {name!r} parameter of BatchLSTMSynthesizer must be a {template.__name__} or None, got {value!r}."
            )
    if synthesizer.text_model is not None:
        _check_template(synthesizer)
    if synthesizer.epsilon is None and synthesizer.delta is not None:
        raise ValueError(
            f"delta={synthesizer.delta!r} is set, but not epsilon, so that nothing would be private: set both, or none"
        )
    if synthesizer.epsilon is not None and synthesizer.text_model is not None:
        check_budget(synthesizer.text_model)
        _refuse_any_order(synthesizer.text_model)


def _check_template(synthesizer):
    """Refuse a template that says what is the synthesizer's to say."""
    if synthesizer.text_model.tokenizer is not None:
        raise ValueError(
            f"tokenizer is set on text_model ({synthesizer.text_model.tokenizer!r}), but the synthesizer gives every batch a "
            "TableTokenizer of its own: leave it None, and pass schema and min_frequency to BatchLSTMSynthesizer"
        )
    for name in _WHY:
        value = getattr(synthesizer.text_model, name)
        if value is not None:
            own = "epsilon" if name == "noise_multiplier" else name
            raise ValueError(
                f"{name} is set on text_model ({value!r}), but belongs to the synthesizer "
                f"({own}={getattr(synthesizer, own)!r}): {_WHY[name]}"
            )
    synthesizer.text_model._check_parameters()
