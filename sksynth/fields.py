"""What a column is: the kinds of field, and the schema of a table.

A field says which values a column may hold. ``None`` means "take it from the data": `infer_schema` returns the same fields,
completed. A domain that the user gives is public knowledge and is used as it is; a domain taken from the data is such that no
single row determines it (see ``min_frequency``).
"""

import json
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import KW_ONLY, dataclass, replace
from dataclasses import fields as attributes_of
from typing import ClassVar

import numpy as np
import pandas as pd

from ._interval import Interval
from ._notes import Note, Notes
from ._pattern import check_pattern
from ._plain import from_plain, to_plain
from ._state import expect, reading
from ._times import is_zone

__all__ = [
    "Boolean",
    "Category",
    "Datetime",
    "Field",
    "Identifier",
    "Interval",
    "Note",
    "Number",
    "Schema",
    "Text",
    "infer_schema",
]

RESOLUTIONS = ("D", "h", "min", "s", "ms", "us", "ns")


@dataclass(frozen=True)
class Field:
    """What all kinds of field have in common.

    Parameters
    ----------
    nullable : bool, optional
        Whether a cell may be missing. None: if one is missing in the data.
    dtype : str, optional
        Name of the pandas dtype in which the column comes back. None: the data's.
    n_folded : int, optional
        Set by `infer_schema`: the number of rows whose value the field does not hold. It folds rare categories into *other*
        and clips numbers and dates to the bounds. None: not completed yet, and then every value must fit.
    """

    kind: ClassVar[str] = ""
    _: KW_ONLY
    nullable: bool | None = None
    dtype: str | None = None
    n_folded: int | None = None

    def replace(self, **changes) -> "Field":
        """Return a copy of the field with some of its attributes changed.

        Parameters
        ----------
        **changes
            Attributes by name.

        Returns
        -------
        field : of this class
        """
        return replace(self, **changes)

    def describe_domain(self) -> str:
        """Return the values that the field holds, as a short text.

        Returns
        -------
        text : str
        """
        return ""

    def describe_folded(self) -> str:
        """Return what of the data the field does not hold, as a short text.

        Returns
        -------
        text : str
            Empty where the field holds everything.
        """
        return _count(self.n_folded, "row") if self.n_folded else ""


def _count(number, noun):
    return f"{number} {noun}" + ("" if number == 1 else "s")


def _check_bounds(field, convert):
    for bound in ("low", "high"):
        if getattr(field, bound) is not None:
            object.__setattr__(field, bound, convert(bound, getattr(field, bound)))
    if field.low is not None and field.high is not None and field.low > field.high:
        raise ValueError(f"{field.kind}: got low={field.low} above high={field.high}, expected low <= high; swap them")


@dataclass(frozen=True)
class Category(Field):
    """One of a list of values.

    Parameters
    ----------
    categories : sequence of str, int, float, bool, Timestamp or Timedelta, optional
        The values that are sampled. None: those that at least ``min_frequency`` rows hold.
    other : scalar, optional
        The label under which all other values are sampled. None: they are scored as *other*, and never sampled; only where
        strings are inferred of which none is frequent enough to be kept, the label becomes ``"other"``.
    ordered : bool, optional
        Whether the restored categorical column is ordered.
    nullable, dtype, n_folded
        See `Field`. ``dtype="category[str]"`` is a categorical column with levels of dtype ``str``.
    levels : sequence, optional
        All levels of the restored categorical column, those that no row holds included. Only for category dtypes.
    extensible : bool, default=False
        Whether values that are met in later rows (`partial_fit`, `warm_start`) are added to the categories, behind the others.
    n_folded_values : int, optional
        Set by `infer_schema`: the number of distinct values in the folded rows.
    n_folded_most : int, optional
        Set by `infer_schema`: the number of rows of the most frequent of them.

    Examples
    --------
    >>> Category(["red", "green"], other="something else").categories
    ('red', 'green')
    """

    kind: ClassVar[str] = "category"
    categories: tuple | None = None
    _: KW_ONLY
    other: Hashable = None
    ordered: bool | None = None
    levels: tuple | None = None
    extensible: bool = False
    n_folded_values: int | None = None
    n_folded_most: int | None = None

    def __post_init__(self):
        for name in ("categories", "levels"):
            values = getattr(self, name)
            if values is None:
                continue
            if isinstance(values, str | bytes) or not isinstance(values, Iterable):
                raise TypeError(f"Category: {name} must be a sequence of values, got {values!r}; put it in a list")
            object.__setattr__(self, name, _scalars(name, values))

    def describe_domain(self) -> str:
        """Return the number of categories and the first few."""
        categories = self.categories or ()
        shown = ", ".join(str(value) for value in categories[:4]) + (", ..." if len(categories) > 4 else "")
        label = "" if self.other is None else f"; other: {self.other}"
        return f"{len(categories)}: {shown}{label}" if categories else "no values" + label

    def describe_folded(self) -> str:
        """Return the number of folded rows and of their distinct values."""
        values = "" if self.n_folded_values is None else f" ({_count(self.n_folded_values, 'value')})"
        return f"{_count(self.n_folded, 'row')}{values}" if self.n_folded else ""


def _scalars(name, values) -> tuple:
    out = tuple(value.item() if isinstance(value, np.generic) else value for value in values)
    seen = set()
    for value in out:
        if (type(value), value) in seen:
            raise ValueError(f"Category: {name} must be distinct, got {value!r} twice; remove one")
        seen.add((type(value), value))
    if any(pd.isna(value) for value in out):
        raise ValueError(f"Category: {name} must not hold missing values; say nullable=True instead")
    return out


@dataclass(frozen=True)
class Number(Field):
    """A number between two bounds.

    Parameters
    ----------
    low, high : int, float or Timedelta, optional
        Bounds, both included. None: the ``min_frequency``-th smallest and largest value.
    precision : int or "continuous", optional
        Number of decimal places; "continuous" for floats that no number of decimals (up to 12) tells apart. None: the
        smallest number of places at which the data is exact. Of durations: "D", "h", "min", "s", "ms", "us" or "ns".
    coerce : bool, default=False
        Whether cells of strings or objects that are no numbers, such as ``"n/a"``, are read as missing, and those that are
        numbers as text, such as ``"12"``, as numbers; else they are an error. `infer_schema` sets it.
    nullable, dtype, n_folded
        See `Field`. A timedelta column is a Number whose bounds are Timedeltas.

    Examples
    --------
    >>> Number(0, 120).describe_domain()
    '0 .. 120'
    """

    kind: ClassVar[str] = "number"
    low: float | None = None
    high: float | None = None
    _: KW_ONLY
    precision: int | str | None = None
    coerce: bool = False

    def __post_init__(self):
        _check_bounds(self, self._as_bound)
        precision = self.precision
        whole = isinstance(precision, int | np.integer) and not isinstance(precision, bool) and 0 <= precision <= 12
        if precision is not None and precision not in ("continuous", *RESOLUTIONS) and not whole:
            raise ValueError(
                f"Number: precision must be 0 to 12 decimal places or 'continuous', or of durations {', '.join(RESOLUTIONS)}; "
                f"got {precision!r}"
            )

    @staticmethod
    def _as_bound(name, value):
        if isinstance(value, np.timedelta64 | pd.Timedelta):
            return pd.Timedelta(value)
        value = value.item() if isinstance(value, np.generic) else value
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise TypeError(f"Number: {name} must be a number or a Timedelta, got {value!r}")
        if not np.isfinite(float(value)):
            raise ValueError(f"Number: {name} must be finite, got {value!r}; leave it out to take it from the data")
        return value

    def describe_domain(self) -> str:
        """Return the bounds and the number of decimals."""
        if self.low is None or self.high is None:
            return "no values"
        bounds = f"{self.low} .. {self.high}"
        if self.precision in RESOLUTIONS:
            return f"{bounds}, by {self.precision}"
        if self.precision == "continuous":
            return f"{bounds}, continuous"
        return f"{bounds}, {_count(self.precision, 'decimal')}" if self.precision else bounds


@dataclass(frozen=True)
class Boolean(Field):
    """True or False; both are always legal.

    Parameters
    ----------
    nullable, dtype, n_folded
        See `Field`.
    """

    kind: ClassVar[str] = "boolean"

    def describe_domain(self) -> str:
        """Return the two values."""
        return "False, True"


@dataclass(frozen=True)
class Datetime(Field):
    """A point in time between two bounds.

    Parameters
    ----------
    low, high : Timestamp or str, optional
        Bounds, both included. None: the ``min_frequency``-th smallest and largest value.
    resolution : {"D", "h", "min", "s", "ms", "us", "ns"}, optional
        The finest part that values differ in; finer parts are zero. None: the data's. Never finer than the unit of the dtype.
    format : str, optional
        The strftime format of a column that holds dates as strings, such as ``"%d/%m/%Y"``; also ``%-d`` (and m, H, I, M, S)
        without a leading zero, ``%^b`` in capitals, ``%P`` for am and pm, ``%3f`` for milliseconds. Of whole numbers
        ``"%Y%m%d"``. None: the data's.
    tz : str, optional
        The time zone of a column that has one.
    coerce : bool, default=False
        Whether cells that are not written in `format`, such as ``""`` or ``"0000-00-00"``, are read as missing; else they are
        an error. `infer_schema` sets it.
    nullable, dtype, n_folded
        See `Field`.

    Examples
    --------
    >>> Datetime("2020-01-01", "2024-12-31", resolution="D").describe_domain()
    '2020-01-01 .. 2024-12-31, by D'
    """

    kind: ClassVar[str] = "datetime"
    low: pd.Timestamp | None = None
    high: pd.Timestamp | None = None
    _: KW_ONLY
    resolution: str | None = None
    format: str | None = None
    tz: str | None = None
    coerce: bool = False

    def __post_init__(self):
        _check_bounds(self, lambda name, value: pd.Timestamp(value))
        if self.resolution is not None and self.resolution not in RESOLUTIONS:
            raise ValueError(f"Datetime: resolution must be one of {', '.join(RESOLUTIONS)}, got {self.resolution!r}")
        if self.format is not None and ("%z" in self.format or "%Z" in self.format):
            raise ValueError(
                f"Datetime: format must have no offset that differs between cells, got {self.format!r}; write the offset that "
                "all cells have, such as Z or +0100, as it is, or convert the column by pandas.to_datetime with utc=True"
            )
        if self.tz is not None and not is_zone(self.tz):
            raise ValueError(f"Datetime: tz must be the name of a time zone such as 'Europe/Berlin', got {self.tz!r}")

    def describe_domain(self) -> str:
        """Return the bounds and the resolution."""
        if self.low is None or self.high is None:
            return "no values"
        low, high = (str(bound).split(" ")[0] if self.resolution == "D" else str(bound) for bound in (self.low, self.high))
        return f"{low} .. {high}, by {self.resolution}" + (f", as {self.format}" if self.format else "")


@dataclass(frozen=True)
class Text(Field):
    """Free text.

    Parameters
    ----------
    max_length : int, optional
        The largest number of tokens that are learned and sampled; of longer texts only the beginning is learned. None: the
        tokenizer takes it from the data, at most 200.
    alphabet : str, optional
        The characters that are learned, each a token; others are *other*: scored, never sampled. None: tokens are pieces of
        words, which are learned from all such columns of a batch together; where training is private, the printable
        characters of ASCII.
    nullable, dtype, n_folded
        See `Field`.
    cut_share : float, optional
        Set by the tokenizer: the share of the texts that are longer than `max_length`.
    """

    kind: ClassVar[str] = "text"
    max_length: int | None = None
    alphabet: str | None = None
    _: KW_ONLY
    cut_share: float | None = None

    def __post_init__(self):
        if self.alphabet is not None and not (isinstance(self.alphabet, str) and self.alphabet):
            raise ValueError(f"Text: alphabet must be a string of the characters that are learned, got {self.alphabet!r}")
        if self.max_length is not None and not (isinstance(self.max_length, int | np.integer) and self.max_length >= 1):
            raise ValueError(f"Text: max_length must be a positive number of tokens, got {self.max_length!r}")

    def describe_domain(self) -> str:
        """Return the largest length."""
        return "any" if self.max_length is None else f"up to {_count(self.max_length, 'token')}"

    def describe_folded(self) -> str:
        """Return the number of rows that are cut, and their share."""
        share = "" if self.cut_share is None else f" ({self.cut_share:.2%})"
        return f"{_count(self.n_folded, 'row')} cut{share}" if self.n_folded else ""


@dataclass(frozen=True)
class Identifier(Field):
    r"""A value of its own in every row: a key. Its values are not learned; sampled ones are fresh, of the same pattern.

    Parameters
    ----------
    pattern : str, optional
        Such as ``"CUST-[0-9]{6}"``; every value of the data has to fit it. None: the tokenizer learns it from the data.
    nullable, dtype, n_folded
        See `Field`.

    Raises
    ------
    ValueError, TypeError
        If `pattern` is not written as below.

    Notes
    -----
    Patterns are a small part of regular expressions, in which every value is spelled in one way only:

    - literal text, with a backslash before any of ``\ . ^ $ * + ? { } [ ] ( ) |``;
    - classes of characters and how many of them: ``[0-9]{6}``, ``[a-z]{2,5}``, ``[0-9A-F]``;
    - choices of literal texts, none of which begins with another: ``(DE|AT|CH)``.

    There are no ``*``, ``+``, ``?``, ``.``, anchors, shorthands such as ``\d``, or groups within groups. At least one part
    is a class. A class of variable length is not followed by one of its own characters.

    Of columns of whole numbers patterns are digits, followed by a class of them: ``[0-9]{5}`` (five digits, the first of which
    is not 0), ``978[0-9]{10}``, ``[3-5][0-9]{4}``, ``[0-9]{1,6}``, and with a sign ``-?[0-9]{1,6}``.

    Examples
    --------
    >>> Identifier("(CUST|VIP)-[0-9]{6}").describe_domain()
    "(CUST|VIP)-[0-9]{6}, unique, none of the data's"
    """

    kind: ClassVar[str] = "identifier"
    pattern: str | None = None

    def __post_init__(self):
        if self.pattern is not None:
            check_pattern(self.pattern)

    def describe_domain(self) -> str:
        """Return the pattern."""
        return f"{self.pattern or 'a pattern'}, unique, none of the data's"


KINDS = {cls.kind: cls for cls in (Category, Number, Boolean, Datetime, Text, Identifier)}

_SCALARS = (str, int, float, bool, pd.Timestamp, pd.Timedelta)
_TYPES = {  # what the attributes of fields may be in JSON, or null
    **dict.fromkeys(("nullable", "ordered", "extensible", "coerce"), (bool,)),
    **dict.fromkeys(("dtype", "resolution", "format", "tz", "alphabet", "pattern"), (str,)),
    **dict.fromkeys(("n_folded", "n_folded_values", "n_folded_most", "max_length"), (int,)),
    **dict.fromkeys(("low", "high", "other"), _SCALARS),
    **dict.fromkeys(("categories", "levels"), (tuple, list)),
    "precision": (int, str),
    "cut_share": (float,),
}


class Schema(dict):
    """Fields by column name: a dict that checks what is put in, prints as a table, and goes through JSON.

    Parameters
    ----------
    fields : mapping or iterable of pairs, optional
        Column name to `Field`.
    notes : iterable of Note, optional
        Decisions that somebody should look at. None: those of `fields`, if that is a schema.

    Attributes
    ----------
    notes : tuple of Note
        Prints one on a line. They go with copies and files, and make no difference to equality.

    Examples
    --------
    >>> schema = Schema({"age": Number(0, 120, dtype="int64", nullable=False)})
    >>> schema
    column  kind    domain    missing  dtype  folded
    age     number  0 .. 120  no       int64
    >>> Schema.from_json(schema.to_json()) == schema
    True
    """

    def __init__(self, fields=(), notes=None):
        super().__init__()
        self.update(fields)
        self.notes = Notes(getattr(fields, "notes", ()) if notes is None else notes)

    def __setitem__(self, column, field):
        if not isinstance(field, Field):
            hint = f"; write {field.__name__}()" if isinstance(field, type) and issubclass(field, Field) else ""
            hint = "; it needs epsilon" if isinstance(field, str) and field == "private" else hint
            raise TypeError(f"column {column!r}: expected one of sksynth.fields' kinds of field, got {field!r}{hint}")
        super().__setitem__(column, field)

    def update(self, fields=(), /, **more):
        """Set several fields, as `dict.update`.

        Parameters
        ----------
        fields : mapping or iterable of pairs, optional
        **more
            Further fields by column name.
        """
        for column, field in dict(fields, **more).items():
            self[column] = field

    def copy(self) -> "Schema":
        """Return a copy that can be changed without changing this schema.

        Returns
        -------
        schema : Schema
        """
        return Schema(self)

    def __repr__(self):
        missing = {None: "", True: "yes", False: "no"}
        rows = [("column", "kind", "domain", "missing", "dtype", "folded")]
        for column, field in self.items():
            domain, folded = field.describe_domain(), field.describe_folded()
            texts = (column, field.kind, domain, missing[field.nullable], field.dtype or "", folded)
            rows.append(tuple(_shorten(text) for text in texts))
        widths = [max(map(len, cells)) for cells in zip(*rows, strict=True)]
        lines = ("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)
        return "\n".join(lines)

    def to_json(self, **kwargs) -> str:
        """Return the schema as JSON text.

        Parameters
        ----------
        **kwargs
            Those of `json.dumps`.

        Returns
        -------
        text : str
        """
        return json.dumps(self.to_plain(), **kwargs)

    def to_plain(self) -> list[dict]:
        """Return the schema as what JSON knows.

        Returns
        -------
        items : list of dict
            One for each column, and one of the notes where there are any.
        """
        items = [{"column": to_plain(column), "kind": field.kind, **_set_attributes(field)} for column, field in self.items()]
        return items + ([{"notes": self.notes.to_plain()}] if self.notes else [])

    @classmethod
    def from_json(cls, text: str) -> "Schema":
        """Return the schema that `to_json` wrote.

        Parameters
        ----------
        text : str

        Returns
        -------
        schema : Schema

        Raises
        ------
        ValueError
            If the text is no such schema.
        """
        return cls.from_plain(json.loads(text))

    @classmethod
    def from_plain(cls, items: list[dict]) -> "Schema":
        """Return the schema of which `to_plain` made a list.

        Parameters
        ----------
        items : list of dict

        Returns
        -------
        schema : Schema

        Raises
        ------
        ValueError
            If the list is no such schema.
        """
        is_list = isinstance(items, list)
        notes = items[-1]["notes"] if is_list and items and isinstance(items[-1], dict) and set(items[-1]) == {"notes"} else []
        items = items[:-1] if notes else items
        if not is_list or not all(isinstance(item, dict) and {"column", "kind"} <= set(item) for item in items):
            raise ValueError("expected a list of fields, each with 'column' and 'kind', as Schema.to_json writes it")
        return cls(map(_read_field, items), Notes.from_plain(notes))


def _read_field(item):
    with reading("'column'"):
        column = from_plain(item["column"])
        hash(column)
    with reading(f"column {column!r}"):
        kind = item["kind"]
        if type(kind) is not str or kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(KINDS)}, got {kind!r}")
        attributes = {name: from_plain(value) for name, value in item.items() if name not in ("column", "kind")}
        for name, value in attributes.items():
            _check_attribute(name, value)
        try:
            return column, KINDS[kind](**attributes)
        except TypeError as error:
            raise ValueError(f"no {kind} has the attributes {attributes}: {error}") from None


def _check_attribute(name, value):
    """Refuse what JSON may hold and no field."""
    kinds = _TYPES.get(name, ())
    expected = " or ".join(kind.__name__ for kind in kinds)
    expect(value is None or not kinds or type(value) in kinds, repr(name), value, expected)
    expect(kinds != (int,) or value is None or value >= 0, repr(name), value, "an int of at least 0")
    if type(value) in (tuple, list):
        wrong = [part for part in value if type(part) not in _SCALARS]
        expect(not wrong, f"a value of {name!r}", wrong[:1], "text, a number, a bool, a date or a duration")


def _set_attributes(field):
    """Return the attributes that are others than those of a new field of the kind."""
    values = {part.name: (getattr(field, part.name), part.default) for part in attributes_of(field)}
    return {name: to_plain(value) for name, (value, default) in values.items() if value is not None and value is not default}


def _shorten(value, width=48):
    text = str(value)
    return text if len(text) <= width else text[: width - 3] + "..."


def infer_schema(X, *, min_frequency: int = 5, schema: Mapping | None = None) -> Schema:
    """Find out what every column of a table is.

    Parameters
    ----------
    X : DataFrame, or what can be made one
    min_frequency : int, default=5
        Categories in fewer rows fold into *other*; number and date bounds are the values that as many rows reach or pass.
    schema : mapping of column to Field, optional
        What is known already, of some or all columns; the rest is inferred, and attributes that are None are completed.

    Returns
    -------
    schema : Schema
        One completed field per column, in the table's order; its `notes` say which decisions are doubtful.

    Raises
    ------
    ValueError
        If `schema` names an unknown column, or a field does not fit the data.
    TypeError
        If a column holds cells of a type that has no field.

    Examples
    --------
    >>> import pandas as pd
    >>> table = pd.DataFrame({"size": [1.5, 2.0, 3.25], "sold": [True, False, True]})
    >>> infer_schema(table, min_frequency=1)
    column  kind     domain                   missing  dtype    folded
    size    number   1.5 .. 3.25, 2 decimals  no       float64
    sold    boolean  False, True              no       bool
    """
    from ._infer import infer

    return infer(X, min_frequency=min_frequency, schema=schema)
