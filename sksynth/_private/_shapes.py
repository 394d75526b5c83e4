"""Shapes of single columns, released from counts with noise, and columns that have them."""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from .._validation import listed, warn
from .._values import positions_of
from ..fields import Field
from ..privacy._ledger import Ledger
from ..privacy._mechanisms import GaussianCounts, nonnegative
from ..tokenizers._identifier import example_identifier
from ..tokenizers._scale import Stamps, scale_of
from ._domains import certain
from ._histogram import FLOOR, Leaves, n_levels, noisy_leaves, ticks_like

GRID = 1 << 18  # ticks of a continuum
FOLDED = "\0"  # in the stand-in, any value that is no category
NEARLY_ALL = 0.99  # of the cells of a column, missing or folded, of which a fit warns


class Shape(NamedTuple):
    """The released shape of a column: rows that are missing, and rows by value or by stretch of a line."""

    missing: float
    counts: np.ndarray | None = None  # of a category: other, then its values
    line: Any = None
    leaves: Leaves | None = None


class Line:
    """A column of numbers or dates as whole ticks from 0.

    Parameters
    ----------
    scale : Scale
    """

    def __init__(self, scale):
        self.scale = scale
        width = scale.last - scale.first
        self.is_grid = bool(scale.continuous or width >= np.uint64(1 << 62))
        self.n_ticks = (GRID if width > 0 else 1) if self.is_grid else int(width) + 1

    def ticks(self, values: pd.Series) -> tuple[np.ndarray, np.ndarray]:
        """Return the ticks of the cells that are not missing, and where cells are missing."""
        positions, missing = self.scale.positions(values)
        offsets = positions[~missing] - self.scale.first
        if not self.is_grid:
            return offsets.astype(np.int64), missing
        share = offsets.astype(np.float64) / max(float(self.scale.last - self.scale.first), np.finfo(float).tiny)
        return np.minimum((share * self.n_ticks).astype(np.int64), self.n_ticks - 1), missing

    def column(self, ticks: np.ndarray, missing: np.ndarray) -> pd.Series:
        """Return the column at the ticks."""
        if not self.is_grid:
            return self.scale.column(self.scale.first + ticks.astype(np.uint64), missing)
        width = float(self.scale.last - self.scale.first)
        offsets = (ticks + 0.5) / self.n_ticks * width
        return self.scale.column(self.scale.first + offsets.astype(self.scale.first.dtype), missing)


def _line_of(field, column):
    if field.kind == "datetime":
        return Line(Stamps(field, str(column)))
    return Line(scale_of(field, str(column), np.nan)) if field.kind == "number" else None


def release_shapes(
    frame: pd.DataFrame,
    fields: dict,
    known: dict,
    private: list,
    n_rows: int,
    noise: float,
    ledger: Ledger,
    rng: np.random.Generator,
) -> dict:
    """Return the shape of every column, and enter in the ledger what they cost.

    Parameters
    ----------
    frame : DataFrame
    fields : dict of column to Field
        Complete.
    known : dict of column to ndarray
        What `release_domains` has released already.
    private : list
        Columns whose bounds are not public.
    n_rows : int
        Public, or noisy.
    noise : float
        Noise multiplier of all shapes together.
    ledger : Ledger
    rng : Generator
    """
    shapes = {column: Shape(counts[0], counts=counts[1:]) for column, counts in known.items()}
    silent = [column for column, field in fields.items() if field.kind in ("text", "identifier") and not field.nullable]
    shapes |= {column: Shape(0.0, counts=np.ones(1)) for column in silent}  # nothing is counted of them
    lines = {column: _line_of(field, column) for column, field in fields.items() if column not in shapes}
    depth = sum(
        n_levels(line.n_ticks) if line else 1 for line in lines.values()
    )  # a missing cell is counted once, on no level
    counts = GaussianCounts(noise, depth, rng)
    for column, line in lines.items():
        values, field = frame[column], fields[column]
        if line:
            shapes[column] = _shape_of_line(values, field, line, n_rows, counts, trim=column in private)
        else:
            shapes[column] = _shape_of_values(values, field, n_rows, counts)
    counts.enter(ledger, "shapes", f"the distribution of each of {len(lines)} columns alone")
    _warn_of_empty(shapes, fields, counts.scale)
    return shapes


def _warn_of_empty(shapes, fields, scale):
    """Warn of columns in which there is next to nothing to learn, by their released shapes."""
    empty = []
    for column, shape in shapes.items():
        folded = shape.counts[0] if fields[column].kind in ("category", "boolean") else 0.0
        rest = shape.leaves.count.sum() if shape.line else shape.counts.sum() - folded
        lost = shape.missing + certain(folded, scale)
        if lost > NEARLY_ALL * (lost + rest):
            empty.append(column)
    if empty:
        warn(
            f"nearly all cells of {listed(empty)} are missing, or are what no row shares or their fields cannot hold: compare "
            "fields and dtypes with the cells, or drop the columns"
        )


def _shape_of_values(values, field, n_rows, counted):
    """Count missing cells, others and every value of the public domain, all in one histogram."""
    missing = values.isna().to_numpy()
    domain = _domain(field)
    index = np.where(missing, 0, (positions_of(values, domain) if domain else np.full(len(values), -1)) + 2)
    noisy = nonnegative(counted.noisy(np.bincount(index, minlength=len(domain) + 2)), n_rows)
    counts = np.append(noisy[1], np.maximum(noisy[2:], FLOOR * counted.scale))
    return Shape(certain(noisy[0], counted.scale) * bool(field.nullable), counts=counts)


def _domain(field):
    """The values of a field that are told apart; of texts and identifiers only whether there is one."""
    return (False, True) if field.kind == "boolean" else getattr(field, "categories", ())


def _shape_of_line(values, field, line, n_rows, counts, trim):
    ticks, missing = line.ticks(values)
    n_missing = 0.0
    if field.nullable:
        n_missing = certain(float(np.clip(counts.noisy(missing.sum()), 0, n_rows)), counts.scale)
    return Shape(n_missing, line=line, leaves=noisy_leaves(ticks, line.n_ticks, counts, n_rows - n_missing, trim))


def column_like(shape: Shape, field: Field, dtype: Any, n_rows: int) -> pd.Series:
    """Return a column of `n_rows` cells, and of the table's dtype, that has a released shape."""
    rest = shape.leaves.count.sum() if shape.line else shape.counts.sum()
    n_missing = round(n_rows * shape.missing / max(shape.missing + rest, 1e-9)) if field.nullable else 0
    missing = np.arange(n_rows) < n_missing
    if shape.line:
        ticks = np.concatenate([np.zeros(n_missing, np.int64), ticks_like(shape.leaves, n_rows - n_missing)])
        return shape.line.column(ticks, missing)
    if field.kind == "text":
        return _filled(_texts(field, n_rows), missing, field)
    if field.kind == "identifier":
        return _filled([example_identifier(field.pattern, dtype)] * n_rows, missing, field)
    return _categories(field, shape.counts, missing)


def _filled(values, missing, field):
    column = pd.Series(values, dtype=object if field.dtype.startswith("category") else field.dtype)
    return column.mask(missing) if missing.any() else column


def _texts(field, n_rows):
    """Texts of all lengths, in which all characters of the alphabet are equally frequent."""
    alphabet = field.alphabet * (field.max_length // len(field.alphabet) + 2)
    size = len(field.alphabet)
    return [alphabet[row % size : row % size + 1 + row % field.max_length] for row in range(n_rows)]


def _categories(field, counts, missing):
    """Return a column of categories in the released shares; what is no category is all `FOLDED`."""
    domain = list(_domain(field))
    shares = np.append(counts[1:], 0.0 if field.kind == "boolean" else counts[0])
    ends = np.cumsum(shares if shares.sum() > 0 else np.ones(len(shares)))
    n_present = int((~missing).sum())
    at = (np.arange(n_present) + 0.5) / max(n_present, 1) * ends[-1]
    index = np.searchsorted(ends, at, "right").clip(max=len(domain))
    values = np.empty(len(missing), object)
    values[missing] = np.nan
    values[~missing] = np.array([*domain, FOLDED], object)[index]
    return pd.Series(values, dtype=object)
