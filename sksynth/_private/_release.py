"""What a private fit learns of the columns before it trains: domains and shapes, from counts with noise.

Everything that follows from what is released here is free: tokenizers are fitted, and networks begin, with a *stand-in* for
the table, whose columns have the released shapes and know nothing of each other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .._notes import Notes
from .._validation import listed
from ..fields import Schema
from ..privacy._accounting import gaussian_noise
from ..privacy._ledger import Ledger
from ..privacy._mechanisms import noisy_total, system_generator
from ..tokenizers import TableTokenizer
from ._cells import cell_by_cell
from ._domains import release_domains
from ._schema import split_schema
from ._shapes import column_like, release_shapes

LEAST_NOISE = 10.0  # noise multiplier of domains, and again of shapes: beside training at epsilon 3 they cost next to nothing
TIMES_ALL = 3.0  # the noise multiplier is at least this many times that which would spend all of epsilon
TOTAL_EPSILON, TOTAL_SHARE = 0.05, 0.05  # epsilon of the number of rows, and its largest share of the whole
MUCH = 1e3  # an epsilon from which noise is the least anyway
LEAST_TOTAL = 1e-4  # epsilon of the number of rows from which it says anything
STANDIN_ROWS = (2_000, 50_000)


@dataclass(frozen=True)
class Release:
    """What was released.

    Attributes
    ----------
    schema : Schema
        Complete.
    standin : DataFrame
        Columns of the table's names and dtypes in the released shapes, independent of each other.
    n_rows : int
        Public, or noisy.
    public_rows : bool
        Whether `n_rows` is the true number, which the caller made public.
    public_columns : list
        Columns whose domain the caller made public.
    """

    schema: Schema
    standin: pd.DataFrame
    n_rows: int
    public_rows: bool
    public_columns: list

    def fit_tokenizer(self, columns: list | None = None) -> tuple[TableTokenizer, np.ndarray]:
        """Return a tokenizer of some of the columns that saw the stand-in alone, and the stand-in's modelled tokens."""
        columns = list(self.schema) if columns is None else columns
        known = {column: self.schema[column] for column in columns}
        tokenizer = TableTokenizer(known, min_frequency=1).fit_standin(self.standin[columns])
        tokenizer.schema_.notes = Notes()  # those on the stand-in say nothing of the table
        for column, field in known.items():  # what was folded of the table, not of the stand-in
            kept = {name: getattr(field, name) for name in vars(field) if name.startswith("n_folded")}
            tokenizer.schema_[column] = tokenizer.schema_[column].replace(**kept)
        return tokenizer, tokenizer.encode(self.standin[columns], cut=True)[:, : tokenizer.grammar_.n_positions]


def early_noise(epsilon: float | None, delta: float) -> float:
    """Return the noise multiplier of what is released before training, given what everything together may spend."""
    return LEAST_NOISE if epsilon is None else max(LEAST_NOISE, TIMES_ALL * gaussian_noise(min(epsilon, MUCH), delta))


def release(frame: pd.DataFrame, schema: Any, ledger: Ledger, epsilon: float | None) -> Release:
    """Release domains and shapes of the columns, and enter in the ledger what they cost.

    Parameters
    ----------
    frame : DataFrame
        Checked.
    schema : mapping of column to Field or "private", or "private"
    ledger : Ledger
    epsilon : float or None
        What everything together may spend; None: whatever it comes to.
    """
    rng, fields, noise = system_generator(), split_schema(frame, schema), early_noise(epsilon, ledger.delta)
    frame, public = cell_by_cell(frame, fields), [column for column, field in fields.items() if field is not None]
    private = [column for column, field in fields.items() if field is None]
    n_rows, known = len(frame), {}
    if private:
        own = TOTAL_EPSILON if epsilon is None else min(TOTAL_EPSILON, TOTAL_SHARE * epsilon)
        if own < LEAST_TOTAL:
            raise ValueError(
                f"epsilon={epsilon:g} is too small to infer the schema of {listed(private)}: the number of rows alone would "
                f"have noise of {1 / own:,.0f} rows; raise epsilon to {LEAST_TOTAL / TOTAL_SHARE:g}, or give fields for all "
                "columns"
            )
        n_rows = noisy_total(n_rows, own, ledger, rng)
        found, known = release_domains(frame, private, n_rows, noise, ledger, rng)
        fields |= found
    shapes = release_shapes(frame, fields, known, private, n_rows, noise, ledger, rng)
    fields = {column: _without_missing(field, schema, column, shapes[column]) for column, field in fields.items()}
    size = int(np.clip(n_rows, *STANDIN_ROWS))
    standin = pd.DataFrame(
        {column: column_like(shapes[column], fields[column], frame[column].dtype, size) for column in frame.columns}
    )
    standin.columns = frame.columns
    fields = {column: _narrowed(field, standin[column]) if column in private else field for column, field in fields.items()}
    return Release(Schema(fields), standin, n_rows, not private, public)


def _narrowed(field, values):
    """Return a private field with the bounds of the stand-in, which are nearer than the powers of two or the years."""
    present = values.dropna()
    if field.kind not in ("number", "datetime") or not len(present):
        return field
    kind = type(field.low) if field.kind == "number" else pd.Timestamp
    return field.replace(low=kind(present.min()), high=kind(present.max()))


def _without_missing(field, schema, column, shape):
    """Return the field as not nullable where nobody said that it is, and no more cells are missing than noise would show."""
    given = schema.get(column) if isinstance(schema, Mapping) else None
    if shape.missing > 0 or getattr(given, "nullable", None):
        return field
    return field.replace(nullable=False)
