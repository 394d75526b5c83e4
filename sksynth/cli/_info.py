"""What there is to know of a model, in words and as JSON."""

import json
from typing import Any

import numpy as np

from ._notes import notes_as_lines


def facts_of(model: Any) -> dict:
    """Return what is to be known of a fitted synthesizer, as plain data; names of columns are text."""
    private = bool(np.isfinite(model.epsilon_))
    history = model.history_
    return {
        "columns": list(map(str, model.columns_)),
        "batches": [list(map(str, batch)) for batch in model.batches_],
        "links": [list(map(str, context)) for context in model.links_],
        "epochs": [int((history["batch"] == batch).sum()) for batch in range(len(model.batches_))],
        "parameters": sum(own.n_parameters_ for own in model.models_),
        "epsilon": float(model.epsilon_) if private else None,
        "delta": float(model.delta_) if private else None,
        "privacy_statement": model.privacy_statement_ if private else None,
        "schema": model.schema_.to_plain(),
    }


def as_json(model: Any) -> str:
    """Return these facts as JSON."""
    return json.dumps(facts_of(model), indent=1)


def as_text(model: Any) -> str:
    """Return these facts in words, with the schema as a table."""
    facts = facts_of(model)
    batches, links = facts["batches"], facts["links"]
    lines = [f"{len(facts['columns'])} columns in {len(batches)} batch{'es' if len(batches) > 1 else ''}"]
    for place, (batch, context, n_epochs) in enumerate(zip(batches, links, facts["epochs"], strict=True)):
        reads = f"; reads {', '.join(context)}" if context else ""
        lines.append(f"  batch {place}: {', '.join(batch)}{reads}; {n_epochs} epoch{'s' if n_epochs != 1 else ''}")
    lines.append(f"{facts['parameters']:,} weights")
    if facts["epsilon"] is None:
        lines.append("not private: epsilon is infinite")
    else:
        lines.append(f"private: epsilon {facts['epsilon']:.4g}, delta {facts['delta']:.4g}")
    lines += ["", str(model.schema_)]
    if facts["epsilon"] is None:  # of a private fit there are none, which says nothing
        lines += ["", *notes_as_lines(model.schema_.notes)]
    return "\n".join(lines + (["", facts["privacy_statement"]] if facts["privacy_statement"] else []))
