"""A fitted `LSTMTextModel` as files: within a folder of checkpoints, or within a model file."""

import dataclasses
import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from .. import persistence
from .._memory_map import in_blocks
from .._plain import from_plain, to_plain
from .._private import PrivatePlan, cell_by_cell
from .._sources import token_ids
from .._state import check_keys, expect, take
from .._training._checkpoints import HISTORY, PLAN, SETTINGS, TOKENIZER, Folder, refuse_differences
from .._training._history import history_frame, history_from_csv, history_to_csv
from .._training._job import Job, training_grammar
from .._validation import Container
from ..persistence import ModelFileError
from ..tokenizers import TOKENIZERS
from ._estimator import estimator_from, ledger_from, ledger_state, number_from, params_state, result_params

WEIGHTS = "weights.npz"


def header_of(estimator: Any) -> dict:
    """Return what every file of settings begins with."""
    from .. import __version__

    return {"sksynth": __version__, "format": persistence.FORMAT, "kind": type(estimator).__name__}


def facts_of(estimator: Any) -> dict:
    """Return what fit found out of the records' form, and what it spends, as plain data."""
    container, columns = estimator._container, getattr(estimator, "columns_", None)
    private = hasattr(estimator, "privacy_ledger_")
    return {
        "container": None if container is None else container.to_state(),
        "columns": None if columns is None else [to_plain(column) for column in columns],
        "named": hasattr(estimator, "feature_names_in_"),
        "epsilon": to_plain(estimator.epsilon_), "delta": to_plain(estimator.delta_),
        "ledger": ledger_state(estimator.privacy_ledger_) if private else None,
        "statement": estimator.privacy_statement_ if private else None,
    }  # fmt: skip


def set_facts(estimator: Any, facts: Mapping) -> None:
    """Set what `facts_of` told."""
    check_keys(facts, "container", "columns", "named", "epsilon", "delta", "ledger", "statement")
    estimator._container = None
    if take(facts, "container", dict, type(None)) is not None:
        estimator._container, columns = Container.from_state(facts["container"]), take(facts, "columns", list)
        names = estimator._container.columns
        estimator.columns_ = list(range(len(columns)) if names is None else names)
        expect(columns == [to_plain(name) for name in estimator.columns_], "'columns'", columns, "those of the container")
        estimator.n_features_in_ = len(columns)
    if take(facts, "named", bool):
        estimator.feature_names_in_ = np.array(estimator.columns_, dtype=object)
    estimator.epsilon_, estimator.delta_ = number_from(facts["epsilon"]), number_from(facts["delta"])
    if take(facts, "ledger", list, type(None)) is not None:
        estimator.privacy_ledger_ = ledger_from(facts["ledger"])
        estimator.privacy_statement_ = take(facts, "statement", str)


def begin(model: Any, job: Job) -> None:
    """Write what a fit begins with into its folder, emptied; of a private one neither seed nor digest of the rows."""
    job.folder.clear()
    private = job.plan is not None
    states = {TOKENIZER: tokenizer_state(model.tokenizer_)}
    if private:
        states[PLAN] = dataclasses.asdict(job.plan)
    settings = header_of(model) | {
        "params": params_state(model), "asked": asked_of(model), "facts": facts_of(model),
        "data": None if private else _data(job.ids), "seed": None if private else seed_state(job.seed),
    }  # fmt: skip
    job.folder.begin(without_seed(settings) if private else settings, states)


def without_seed(settings: dict) -> dict:
    """Return settings of a private fit without the seed that it was given; another may go on with it."""
    return settings | {part: settings[part] | {"random_state": None} for part in ("params", "asked")}


def asked_of(model: Any) -> dict:
    """Return what may not differ where a fit is taken up again, but for the rows."""
    return result_params(model) | {"columns": [to_plain(column) for column in getattr(model, "columns_", [])]}


def _data(ids):
    digest = hashlib.sha256()
    for block in in_blocks(ids):
        digest.update(np.ascontiguousarray(block, np.int32).data)
    return {"number of rows": len(ids), "digest of the token ids": digest.hexdigest()}


def seed_state(seed: np.random.SeedSequence) -> dict:
    """Return a seed as plain data."""
    return {"entropy": to_plain(seed.entropy), "spawn_key": [int(key) for key in seed.spawn_key]}


def seed_from(state: Mapping) -> np.random.SeedSequence:
    """Return the seed of which `seed_state` made `state`."""
    return np.random.SeedSequence(from_plain(state["entropy"]), spawn_key=tuple(state["spawn_key"]))


def refuse_other_settings(estimator: Any, settings: Mapping, folder: Folder, asked: Mapping) -> None:
    """Refuse to go on in a folder with a fit of other parameters or columns; a seed that was not chosen, or kept, goes on."""
    fixed = isinstance(estimator.random_state, int | np.integer) and not estimator._is_private
    found, asked = (
        {name: value for name, value in part.items() if fixed or name != "random_state"} for part in (settings["asked"], asked)
    )
    refuse_differences(folder.path, found, asked)


def take_up(model: Any, records: Any, folder: Folder, seed: np.random.SeedSequence) -> Job:
    """Return the job that goes on with a fit in its folder, once it is sure that the rows are the same.

    Parameters
    ----------
    model : LSTMTextModel
        Gets the tokenizer, and what was spent.
    records : DataFrame or lines
        Checked.
    folder : Folder
    seed : SeedSequence
        For a fit that keeps none, as it is private.

    Raises
    ------
    ValueError
        If the rows differ; of private fits the caller vouches for them.
    """
    settings = folder.settings(type(model).__name__)
    with persistence.reading(folder.path):
        model.tokenizer_ = tokenizer_from(folder.state(TOKENIZER), trusted_of(model))
        plan = PrivatePlan(**folder.state(PLAN)) if settings["data"] is None else None
        seed = seed if settings["seed"] is None else seed_from(settings["seed"])
        set_facts(model, settings["facts"])
    if plan is not None and isinstance(records, pd.DataFrame):
        records = cell_by_cell(records, model.tokenizer_.schema_)
    ids = token_ids(model.tokenizer_, records)
    if plan is None:
        refuse_differences(folder.path, settings["data"], _data(ids))
    return Job(ids, seed, plan, folder)


def trusted_of(model: Any) -> list[type]:
    """Return the class of the tokenizer that the caller passed, whose name in a file may stand for it."""
    return [] if model.tokenizer is None else [type(model.tokenizer)]


def tokenizer_state(tokenizer: Any) -> dict:
    """Return a fitted tokenizer as a state that names its class."""
    if not hasattr(tokenizer, "to_state"):
        raise TypeError(
            f"the tokenizer is a {type(tokenizer).__name__}, which cannot be written to a file: give it to_state and "
            "from_state, see sksynth.tokenizers.Tokenizer, or use joblib.dump"
        )
    return {"class": type(tokenizer).__name__, "state": tokenizer.to_state()}


def tokenizer_from(state: Any, trusted: Any = ()) -> Any:
    """Return the tokenizer of which `tokenizer_state` made `state`; only of a class that is known here or trusted."""
    check_keys(state, "class", "state")
    known, name = {cls.__name__: cls for cls in (*TOKENIZERS, *trusted)}, take(state, "class", str)
    if name not in known:
        raise ModelFileError(f"holds a tokenizer {name!r}, which is not one of sksynth's: pass trusted=({name},) to trust it")
    return known[name].from_state(state["state"])


def to_files(model: Any) -> dict[str, bytes]:
    """Return a fitted model as files by name."""
    settings = header_of(model) | {"params": params_state(model), "facts": facts_of(model)}
    weights = {"weights": model._weights, "training": {name: to_plain(value) for name, value in model.training_.items()}}
    return {
        SETTINGS: persistence.to_json(settings),
        TOKENIZER: persistence.to_bytes(tokenizer_state(model.tokenizer_)),
        WEIGHTS: persistence.to_bytes(weights),
        HISTORY: history_to_csv(model.history_),
    }


def from_files(cls: type, files: Mapping[str, bytes], trusted: Any = ()) -> Any:
    """Return the model of which `to_files` made `files`."""
    settings = persistence.settings_in(files, SETTINGS, cls.__name__)
    kept = persistence.state_in(files, WEIGHTS)
    check_keys(kept, "weights", "training")
    training = {name: from_plain(value) for name, value in take(kept, "training", dict).items()}
    with persistence.reading(HISTORY):
        history = history_from_csv(persistence.content_in(files, HISTORY))
    tokenizer = tokenizer_from(persistence.state_in(files, TOKENIZER), trusted)
    return _assembled(cls, settings, tokenizer, tokenizer.grammar_, kept["weights"], training, history, trusted)


def from_folder(cls: type, folder: Folder, trusted: Any = ()) -> Any:
    """Return the model of a fit's best epoch so far, from its folder."""
    settings = folder.settings(cls.__name__)
    with persistence.reading(folder.path):
        tokenizer = tokenizer_from(folder.state(TOKENIZER), trusted)
        found = folder.model(private=settings["data"] is None)
        state, weights = {"training": {}, "records": [], "n_steps": 0}, {}
        if tokenizer.grammar_.n_positions:
            if found is None:
                raise ModelFileError("no epoch is over yet: call fit with this checkpoint_dir, which goes on there")
            state, weights = found
        history = history_frame(state["records"])
        trained = training_grammar(tokenizer)
        model = _assembled(cls, settings, tokenizer, trained, weights, state["training"], history, trusted)
        model._n_steps = take(state, "n_steps", int)
        return model


def _assembled(cls, settings, tokenizer, grammar, weights, training, history, trusted):
    """Return a fitted model of its parts, once they fit each other; weights are of a network of this grammar."""
    from .. import core

    model = estimator_from(cls, settings["params"], (*TOKENIZERS, *trusted))
    model._check_parameters()
    set_facts(model, settings["facts"])
    _check_tokenizer(tokenizer, getattr(model, "columns_", None))
    model.tokenizer_, model.training_, model.history_ = tokenizer, training, history
    model.n_parameters_, model.callbacks_, model.interrupted_ = 0, [], False
    if tokenizer.grammar_.n_positions:
        chosen = core.checked_settings(training, len(weights))
        shape = core.network_shape(grammar, chosen)
        core.check_weights(grammar, shape, weights)
        weights = core.fitted_to(weights, tokenizer.grammar_)
        model.n_parameters_ = core.n_parameters(shape)
    elif weights:
        raise ModelFileError(f"got weights {sorted(weights)[:3]} for a tokenizer that has nothing to learn")
    model._weights = weights
    return model


def _check_tokenizer(tokenizer, columns):
    """Refuse a tokenizer of sksynth's that reads other records than those of these columns, or lines where there are none."""
    if isinstance(tokenizer, TOKENIZERS):
        own = getattr(tokenizer, "columns_", None)
        expect(own == columns, "the list of columns of the tokenizer", own, repr(columns))
