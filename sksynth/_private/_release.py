"""What a private fit learns of the columns before it trains: domains and shapes, from counts with noise.

Everything that follows from what is released here is free: tokenizers are fitted, and networks begin, with a *stand-in* for
the table, whose columns have the released shapes and know nothing of each other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from .. import _values
from .._values import positions_of, typed_counts
from ..fields import Schema
from ..privacy._accounting import gaussian_noise
from ..privacy._ledger import Ledger, gaussian_event, laplace_event
from ..privacy._mechanisms import noisy_counts, noisy_total, nonnegative, selection_threshold, system_generator
from ..tokenizers._identifier import example_identifier
from ..tokenizers._scale import Stamps, scale_of
from ._histogram import FLOOR, Leaves, n_levels, noisy_leaves, ticks_like
from ._schema import complete_publicly, private_kind, split_schema

LEAST_NOISE = 10.0  # noise multiplier of domains, and again of shapes: beside training at epsilon 3 they cost next to nothing
TIMES_ALL = 3.0  # the noise multiplier is at least this many times that which would spend all of epsilon
TOTAL_EPSILON, TOTAL_SHARE = 0.05, 0.05  # epsilon of the number of rows, and its largest share of the whole
DELTA_SHARE = 0.1  # of delta, for the values of private categories
SURELY = 4.0  # standard deviations from which a count is no noise
EXPONENTS = np.arange(-30, 64)  # of the powers of two between which private bounds of numbers lie
YEARS = np.arange(1678, 2262)  # in which private bounds of dates lie
PLACES = 7  # numbers of decimal places that private precision tells apart, from 0; beyond, a column is continuous
GRID = 1 << 18  # ticks of a continuum
STANDIN_ROWS = (2_000, 50_000)
FOLDED = "\0"  # in the stand-in, any value that is no category


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


def early_noise(epsilon: float | None, delta: float) -> float:
    """Return the noise multiplier of what is released before training, given what everything together may spend."""
    return LEAST_NOISE if epsilon is None else max(LEAST_NOISE, TIMES_ALL * gaussian_noise(epsilon, delta))


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
    public = [column for column, field in fields.items() if field is not None]
    private = [column for column, field in fields.items() if field is None]
    n_rows, known = len(frame), {}
    if private:
        own = TOTAL_EPSILON if epsilon is None else min(TOTAL_EPSILON, TOTAL_SHARE * epsilon)
        n_rows = noisy_total(n_rows, own, rng)
        ledger.add("number of rows", "Laplace mechanism", laplace_event(own), covers="the number of rows", epsilon=own)
        fields, known = _release_domains(frame, fields, private, n_rows, noise, ledger, rng)
    shapes = _release_shapes(frame, fields, known, private, n_rows, noise, ledger, rng)
    fields = {column: _without_missing(field, schema, column, shapes[column]) for column, field in fields.items()}
    size = int(np.clip(n_rows, *STANDIN_ROWS))
    standin = pd.DataFrame(
        {column: _column(shapes[column], fields[column], frame[column].dtype, size) for column in frame.columns}
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


# Domains of private columns


def _release_domains(frame, fields, private, n_rows, noise, ledger, rng):
    """Return all fields, and the noisy counts of private categories by column."""
    kinds = {column: private_kind(frame[column].dtype, column) for column in private}
    questions = {column: _questions(frame[column], kinds[column].kind, column) for column in private}
    n_counts = sum(len(own) for own in questions.values())
    selected = [column for column in private if kinds[column].kind == "category"]
    scale, delta = noise * np.sqrt(n_counts), DELTA_SHARE * ledger.delta * bool(selected)
    threshold = selection_threshold(scale, delta, len(selected)) if selected else np.inf
    fields, known = dict(fields), {}
    for column, kind in kinds.items():
        answers = [noisy_counts(counts, scale, rng) for counts in questions[column]]
        if kind.kind == "category":
            field, known[column] = _select(frame[column], kind, answers[0], scale, threshold, n_rows)
        else:
            field = _PRIVATE_FIELD[kind.kind](kind, answers, scale)
        fields[column] = complete_publicly(field, frame[column].dtype, column).replace(n_folded=field.n_folded or 0)
    if n_counts:
        ledger.add(
            "domains", "Gaussian mechanism" + ", thresholded" * bool(selected), gaussian_event(noise), delta=delta,
            covers=f"categories, bounds and precision of {len(private)} columns",
            noise_multiplier=noise, counts_per_row=n_counts,
            **({"threshold": round(threshold, 1)} if selected else {}),
        )  # fmt: skip
    return fields, known


def _questions(values, kind, column):
    """Return arrays of counts, in each of which a row counts once at most: from these follows a private column's domain."""
    if kind == "category":
        return [np.append(typed_counts(values)[1], values.isna().sum())]
    if kind == "boolean":
        return []
    if kind == "datetime":
        stamps = values.dropna()
        years = np.clip(stamps.dt.year.to_numpy(), YEARS[0], YEARS[-1]) - YEARS[0]
        return [
            np.bincount(years, minlength=len(YEARS)),
            np.bincount(_resolutions(stamps), minlength=len(_values.NANOSECONDS)),
        ]
    numbers, missing = _values.numbers(values, column)
    present = numbers[~missing].astype(np.float64)
    counted = [np.bincount(_magnitudes(present), minlength=2 * len(EXPONENTS) + 1)]
    if pd.api.types.is_float_dtype(values.dtype):
        counted.append(np.bincount(_decimals(present), minlength=PLACES + 1))
    return counted


def _select(values, field, noisy, scale, threshold, n_rows):
    """Return the field with the values whose noisy count reaches the threshold, and those counts: values, missing, other."""
    distinct, keep = typed_counts(values)[0], noisy[:-1] >= threshold
    kept = tuple(value for value, kept in zip(distinct, keep, strict=True) if kept)
    missing = _certain(noisy[-1], scale)
    folded = max(n_rows - noisy[:-1][keep].sum() - missing, 0.0)
    return field.replace(categories=kept, n_folded=round(folded)), np.array([missing, folded, *noisy[:-1][keep]])


def _magnitudes(values):
    """Index of the power of two that each number lies above, from the most negative to the most positive; zero in between."""
    size = np.abs(values)
    with np.errstate(divide="ignore"):
        power = np.where(size > 0, np.clip(np.floor(np.log2(size)), EXPONENTS[0], EXPONENTS[-1]) - EXPONENTS[0] + 1, 0)
    return (np.sign(values) * power + len(EXPONENTS)).astype(int)


def _decimals(values):
    """Number of decimal places that each number needs, `PLACES` if more than can be told apart."""
    needed = np.full(len(values), PLACES)
    for places in reversed(range(PLACES)):
        needed[np.round(values, places) == values] = places
    return needed


def _resolutions(stamps):
    """Index into the resolutions, coarse to fine, of the one that each date needs."""
    needed = np.full(len(stamps), len(_values.NANOSECONDS) - 1)
    for index, resolution in reversed(list(enumerate(_values.NANOSECONDS))):
        needed[(stamps.dt.floor(resolution) == stamps).to_numpy()] = index
    return needed


def _finest(noisy, scale):
    """Index of the first entry beyond which the rows are no more than noise."""
    beyond = noisy[::-1].cumsum()[::-1]
    certain = beyond > SURELY * scale * np.sqrt(np.arange(len(noisy), 0, -1))
    return int(np.flatnonzero(certain).max(initial=0))


def _private_number(field, answers, scale):
    found = np.flatnonzero(answers[0] > SURELY * scale) - len(EXPONENTS)
    whole = len(answers) == 1
    if not len(found):
        return field.replace(low=0, high=0)
    low, high = _edge(found[0], outer=found[0] < 0), _edge(found[-1], outer=found[-1] > 0)
    if whole:
        bounds = int(np.iinfo(np.int64).min), int(np.iinfo(np.int64).max)
        return field.replace(low=int(np.clip(low, *bounds)), high=min(int(high), bounds[1]))
    places = _finest(answers[1], scale)
    return field.replace(low=low, high=high, precision="continuous" if places == PLACES else places)


def _edge(index, outer):
    """Bound of a stretch between powers of two: the outer one, or the one nearer to zero."""
    if index == 0:
        return 0.0
    power = EXPONENTS[0] + abs(int(index)) - 1 + bool(outer)
    return float(np.sign(index) * 2.0**power)


def _private_datetime(field, answers, scale):
    found = np.flatnonzero(answers[0] > SURELY * scale)
    low, high = (YEARS[found[0]], YEARS[found[-1]]) if len(found) else (1970, 1970)
    resolution = list(_values.NANOSECONDS)[_finest(answers[1], scale)]
    last = pd.Timestamp(f"{high + 1}-01-01") - pd.Timedelta(_values.NANOSECONDS[resolution], "ns")
    return field.replace(low=pd.Timestamp(f"{low}-01-01"), high=last, resolution=resolution)


_PRIVATE_FIELD = {
    "number": _private_number,
    "datetime": _private_datetime,
    "boolean": lambda field, answers, scale: field,
}


# Shapes of all columns


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


def _release_shapes(frame, fields, known, private, n_rows, noise, ledger, rng):
    """Return the shape of every column; those of private categories, `known`, are released already."""
    shapes = {column: Shape(counts[0], counts=counts[1:]) for column, counts in known.items()}
    lines = {column: _line_of(field, column) for column, field in fields.items() if column not in known}
    depth = sum(
        (n_levels(line.n_ticks) if line else 1) + bool(line and fields[column].nullable) for column, line in lines.items()
    )
    if not depth:
        return shapes
    scale = noise * np.sqrt(depth)
    for column, line in lines.items():
        count = _shape_of_line if line else _shape_of_values
        shapes[column] = count(frame[column], fields[column], line, n_rows, scale, rng, column in private)
    ledger.add(
        "shapes", "Gaussian mechanism", gaussian_event(noise),
        covers=f"the distribution of each of {len(lines)} columns alone",
        noise_multiplier=noise, counts_per_row=depth,
    )  # fmt: skip
    return shapes


def _shape_of_values(values, field, line, n_rows, scale, rng, is_private):
    """Count missing cells, others and every value of the public domain, all in one histogram."""
    missing = values.isna().to_numpy()
    domain = _domain(field)
    index = np.where(missing, 0, (positions_of(values, domain) if domain else np.full(len(values), -1)) + 2)
    noisy = nonnegative(noisy_counts(np.bincount(index, minlength=len(domain) + 2), scale, rng), n_rows)
    counts = np.append(noisy[1], np.maximum(noisy[2:], FLOOR * scale))
    return Shape(_certain(noisy[0], scale) * bool(field.nullable), counts=counts)


def _certain(n_missing, scale):
    """The number of missing cells, 0 where it may be nothing but noise."""
    return n_missing if n_missing > SURELY * scale else 0.0


def _domain(field):
    """The values of a field that are told apart; of texts and identifiers only whether there is one."""
    return (False, True) if field.kind == "boolean" else getattr(field, "categories", ())


def _shape_of_line(values, field, line, n_rows, scale, rng, is_private):
    ticks, missing = line.ticks(values)
    n_missing = 0.0
    if field.nullable:
        n_missing = _certain(float(np.clip(noisy_counts(missing.sum(), scale, rng), 0, n_rows)), scale)
    return Shape(n_missing, line=line, leaves=noisy_leaves(ticks, line.n_ticks, scale, rng, n_rows - n_missing, is_private))


# The stand-in


def _column(shape, field, dtype, n_rows):
    """Return a column of the released shape."""
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
