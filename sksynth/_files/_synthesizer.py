"""A fitted `BatchLSTMSynthesizer` as files: a folder of checkpoints with one folder per batch, or a model file."""

from collections.abc import Mapping
from typing import Any

from .. import persistence
from .._clusterer import ColumnClusterer
from .._links import chain
from .._notes import Notes
from .._plain import to_plain
from .._state import expect
from .._text_model import LSTMTextModel
from .._training._checkpoints import CLUSTERER, ORPHAN_SECONDS, SETTINGS, Folder
from .._training._job import Job
from ..persistence import ModelFileError
from ..tokenizers import TOKENIZERS, TableTokenizer
from . import _model
from ._estimator import estimator_from, params_state, result_params
from ._model import facts_of, header_of, set_facts

TEMPLATES = {"clusterer": ColumnClusterer, "text_model": LSTMTextModel}


def settings_of(synthesizer: Any) -> dict:
    """Return what is to be known of a synthesizer besides its batches, as plain data."""
    places = {column: place for place, column in enumerate(synthesizer.columns_)}
    return header_of(synthesizer) | {
        "params": params_state(synthesizer), "asked": asked_of(synthesizer), "facts": facts_of(synthesizer),
        "reading": [[places[column] for column in columns] for columns in synthesizer._reading],
        "notes": synthesizer._table_notes.to_plain(),
    }  # fmt: skip


def asked_of(synthesizer: Any) -> dict:
    """Return what may not differ where a fit is taken up again, but for the rows; a template that is None is a default one."""
    asked = {name: value for name, value in result_params(synthesizer).items() if name.split("__")[0] not in TEMPLATES}
    for name, template in TEMPLATES.items():
        own = getattr(synthesizer, name)
        asked |= {f"{name}__{key}": value for key, value in result_params(template() if own is None else own).items()}
    return asked | {"columns": [to_plain(column) for column in synthesizer.columns_]}


def clusterer_state(synthesizer: Any) -> dict:
    """Return the fitted clusterer as a state."""
    return synthesizer.clusterer_._to_state()


def begin(synthesizer: Any, models: list, jobs: list, folder: Folder) -> None:
    """Write what a fit begins with into its folder and those of the batches."""
    folder.clear()
    for model, job in zip(models, jobs, strict=True):
        begin_batch(model, job, folder)
    settings = settings_of(synthesizer)
    settings = _model.without_seed(settings) if synthesizer._is_private else settings
    folder.begin(settings, {CLUSTERER: clusterer_state(synthesizer)})


def begin_batch(model: Any, job: Job, folder: Folder) -> None:
    """Write what a batch begins with into its folder within that of the fit; the job goes on there."""
    job.folder = folder.batch(job.batch)
    with job.folder.locked(ORPHAN_SECONDS):
        _model.begin(model, job)


def set_from(synthesizer: Any, settings: Mapping, clusterer: Mapping) -> None:
    """Set what is to be known of a synthesizer besides its batches."""
    set_facts(synthesizer, settings["facts"])
    synthesizer.clusterer_ = ColumnClusterer._from_state(clusterer)
    synthesizer.batches_ = synthesizer.clusterer_.batches_
    if synthesizer.clusterer_.columns_ != synthesizer.columns_:
        raise ModelFileError(f"got batches {synthesizer.batches_} of columns {synthesizer.columns_}")
    _set_reading(synthesizer, settings["reading"])
    synthesizer._table_notes = Notes.from_plain(settings["notes"])


def _set_reading(synthesizer, places):
    """Set what the models of the batches read, context before the batch's own columns, given by their places."""
    columns, batches = synthesizer.columns_, synthesizer.batches_
    expect(type(places) is list and len(places) == len(batches), "'reading'", places, "a list for every batch")
    for own, batch in zip(places, batches, strict=True):
        known = type(own) is list and all(type(place) is int and 0 <= place < len(columns) for place in own)
        expect(known and len(set(own)) == len(own) >= len(batch), "'reading'", own, "places of columns, each once")
        ends = {columns[place] for place in own[-len(batch) :]}
        expect(ends == set(batch), "'reading'", own, f"to end with the columns of the batch {batch}")
    synthesizer._reading = [[columns[place] for place in own] for own in places]
    parts = zip(synthesizer._reading, batches, strict=True)
    synthesizer.links_ = [reading[: -len(batch)] for reading, batch in parts]
    chain(batches, synthesizer.links_)  # fails where batches are each other's context


def to_files(synthesizer: Any) -> dict[str, bytes]:
    """Return a fitted synthesizer as files by name."""
    files = {
        SETTINGS: persistence.to_json(settings_of(synthesizer)),
        CLUSTERER: persistence.to_bytes(clusterer_state(synthesizer)),
    }
    for batch, model in enumerate(synthesizer.models_):
        files |= {f"batch_{batch}/{name}": content for name, content in _model.to_files(model).items()}
    return files


def from_files(cls: type, files: Mapping[str, bytes], trusted: Any = ()) -> Any:
    """Return the synthesizer of which `to_files` made `files`."""
    settings = persistence.settings_in(files, SETTINGS, cls.__name__)
    synthesizer = _unfitted(cls, settings, trusted)
    set_from(synthesizer, settings, persistence.state_in(files, CLUSTERER))
    batches = range(len(synthesizer.batches_))
    template = _class_of_models(synthesizer)
    return _with_models(synthesizer, [_model_of(template, f"batch_{batch}", files, trusted) for batch in batches])


def _class_of_models(synthesizer):
    """Return the class of the batches' models, which are clones of the template."""
    return LSTMTextModel if synthesizer.text_model is None else type(synthesizer.text_model)


def _model_of(template, batch, files, trusted):
    with persistence.reading(batch):
        return _model.from_files(template, persistence.under(batch, files), trusted)


def from_folder(cls: type, folder: Folder, trusted: Any = ()) -> Any:
    """Return the synthesizer of a fit's best epochs so far, from its folder."""
    settings = folder.settings(cls.__name__)
    with persistence.reading(folder.path):
        synthesizer = _unfitted(cls, settings, trusted)
        set_from(synthesizer, settings, folder.state(CLUSTERER))
        batches = range(len(synthesizer.batches_))
        template = _class_of_models(synthesizer)
        models = [_model.from_folder(template, folder.batch(batch), trusted) for batch in batches]
        return _with_models(synthesizer, models)


def _unfitted(cls, settings, trusted):
    classes = (ColumnClusterer, LSTMTextModel, *TOKENIZERS, *trusted)
    synthesizer = estimator_from(cls, settings["params"], classes)
    synthesizer._check_parameters()
    return synthesizer


def _with_models(synthesizer, models):
    for batch, (model, columns) in enumerate(zip(models, synthesizer._reading, strict=True)):
        if getattr(model, "columns_", None) != columns or not isinstance(model.tokenizer_, TableTokenizer):
            raise ModelFileError(f"got a model of {getattr(model, 'columns_', None)}, expected one of {columns}")
        n_context, found = synthesizer._n_context(batch, model), model.training_.get("n_context", 0)
        expect(found == n_context or not model._weights, f"'n_context' of batch {batch}", found, str(n_context))
    owner = {column: model for model, batch in zip(models, synthesizer.batches_, strict=True) for column in batch}
    for model, context in zip(models, synthesizer.links_, strict=True):
        for column in context:
            alike = model.tokenizer_.reads_like(owner[column].tokenizer_, column)
            expect(alike, f"tokens of the context column {column!r}", "others", "those of its own batch")
    synthesizer._set_models(models)
    synthesizer.interrupted_ = False
    return synthesizer
