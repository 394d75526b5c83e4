"""How a CSV file is written: what separates its cells, and the mark of its decimals."""

import csv
import re
from typing import Any

import pandas as pd

__all__ = ["NotCSV", "csv_form"]

SEPARATORS = (",", ";", "\t", "|")  # the first is taken where none of them fits
TABS = re.compile(r".*\.tsv(\.\w+)?", re.IGNORECASE | re.DOTALL)  # names of files that are separated by tabs
SAYS = re.compile(r"\ufeff?sep=(.)")  # the first line of some files, for Excel
SAMPLED = 50  # rows
NUMBER = r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?|NA|NaN|nan|\."  # or one that is missing
COMMENT = re.compile(r"\ufeff?#([#!\s]|\S+\s)")
DECIMAL = {mark: rf"[+-]?\d+{mark}\d+" for mark in (",", r"\.")}


class NotCSV(ValueError):
    """A file that pandas would read, but not as the table that it is; the message is what is said of the file."""


def csv_form(path: Any) -> dict[str, Any]:
    """Return the options of `pandas.read_csv` that read a file: the separator that its header and first rows have in common.

    A first line such as ``sep=;`` says it, and is no row. Where it is a semicolon, decimals have a comma if more of them have
    one than a point.

    Parameters
    ----------
    path : str

    Raises
    ------
    NotCSV
        If the first line is a comment, or spaces separate the cells.
    """
    line = _first_line(path)
    said = SAYS.fullmatch(line)
    options = {"skiprows": 1} if said else {}
    separators = [said[1]] if said else ["\t"] if TABS.fullmatch(path) else SEPARATORS
    for separator in separators:
        head = _head(path, separator, options)
        if head is not None:
            _refuse_comment(str(head.iat[0, 0]))
            return {"sep": separator, "decimal": _decimal_mark(head.iloc[1:]) if separator == ";" else "."} | options
    if not said:
        _refuse_comment(line)
        _refuse_spaces(path, line)
    return {"sep": separators[0]} | options


def _first_line(path):
    """Return the first line that is not empty, whatever separates its cells."""
    try:
        line = pd.read_csv(path, sep="\x1f", quoting=csv.QUOTE_NONE, header=None, nrows=1, dtype=str, keep_default_na=False)
    except pd.errors.EmptyDataError:
        return ""
    return line.iat[0, 0]


def _rows(path, separator, **options):
    """Return the first rows as text; None where a separator divides a row into more cells than the first one."""
    try:
        return pd.read_csv(path, sep=separator, header=None, nrows=SAMPLED, dtype=str, index_col=False, **options)
    except (pd.errors.ParserError, pd.errors.EmptyDataError):
        return None


def _head(path, separator, options):
    """Return the first rows as text if a separator divides all of them alike; None if it does not."""
    head = _rows(path, separator, **options)
    if head is None:
        return None
    rows = head.iloc[1:]
    fits = head.shape[1] > 1 and (rows.empty or bool(rows.iloc[:, 1:].notna().any(axis=None)))
    return head if fits else None


def _refuse_comment(line):
    """Refuse a file whose first line is a comment rather than column names."""
    if COMMENT.match(line):
        raise NotCSV(
            "begins with # as a comment does, but the first line has to be that of the column names: take it out, or the # "
            "where the names follow it, or pass pandas.read_csv(path, comment='#')"
        )


def _refuse_spaces(path, line):
    """Refuse a file of one column whose lines are all divided alike by spaces, unless that is how text may look."""
    rows = _rows(path, r"\s+", skiprows=1, keep_default_na=False)
    n_names = sum(map(bool, next(csv.reader([line], delimiter=" "), [])))
    if rows is None or n_names < 2 or rows.shape[1] not in (n_names, n_names + 1) or rows.isna().any(axis=None):
        return
    if n_names > 2 or any(rows[column].str.fullmatch(NUMBER).all() for column in rows):
        raise NotCSV(
            f"seems to be separated by spaces, with {n_names} names in its first line: pass pandas.read_csv(path, "
            "sep=r'\\s+'), or pandas.read_csv(path) if it is one column of text"
        )


def _decimal_mark(rows):
    """Return the mark that more of the decimals have."""
    cells = rows.stack()
    with_comma, with_point = (int(cells.str.fullmatch(pattern).sum()) for pattern in DECIMAL.values())
    return "," if with_comma > with_point else "."
