"""How a CSV file is written: what separates its cells, and the mark of its decimals."""

import csv
import re
from typing import Any

import pandas as pd

__all__ = ["csv_form"]

SEPARATORS = (",", ";", "\t", "|")  # the first is taken where none of them fits
SAYS = re.compile(r"\ufeff?sep=(.)")  # the first line of some files, for Excel
SAMPLED = 50  # rows
DECIMAL = {mark: rf"[+-]?\d+{mark}\d+" for mark in (",", r"\.")}


def csv_form(path: Any) -> dict[str, Any]:
    """Return the options of `pandas.read_csv` that read a file: the separator that its header and first rows have in common.

    A first line such as ``sep=;`` says it, and is no row. Where it is a semicolon, decimals have a comma if more of them have
    one than a point.

    Parameters
    ----------
    path : str
    """
    said = SAYS.fullmatch(_first_line(path))
    options = {"skiprows": 1} if said else {}
    for separator in [said[1]] if said else SEPARATORS:
        head = _head(path, separator, options)
        if head is not None:
            return {"sep": separator, "decimal": _decimal_mark(head.iloc[1:]) if separator == ";" else "."} | options
    return {"sep": said[1] if said else SEPARATORS[0]} | options


def _first_line(path):
    """Return the first line that is not empty, whatever separates its cells."""
    try:
        line = pd.read_csv(path, sep="\x1f", quoting=csv.QUOTE_NONE, header=None, nrows=1, dtype=str, keep_default_na=False)
    except pd.errors.EmptyDataError:
        return ""
    return line.iat[0, 0]


def _head(path, separator, options):
    """Return the first rows as text if a separator divides all of them alike; None if it does not."""
    try:
        head = pd.read_csv(path, sep=separator, header=None, nrows=SAMPLED, dtype=str, index_col=False, **options)
    except (pd.errors.ParserError, pd.errors.EmptyDataError):
        return None
    rows = head.iloc[1:]
    fits = head.shape[1] > 1 and (rows.empty or bool(rows.iloc[:, 1:].notna().any(axis=None)))
    return head if fits else None


def _decimal_mark(rows):
    """Return the mark that more of the decimals have."""
    cells = rows.stack()
    with_comma, with_point = (int(cells.str.fullmatch(pattern).sum()) for pattern in DECIMAL.values())
    return "," if with_comma > with_point else "."
