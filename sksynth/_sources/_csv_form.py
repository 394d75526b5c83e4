"""How a CSV file is written: what separates its cells, and the mark of its decimals."""

from typing import Any

import pandas as pd

__all__ = ["csv_form"]

SEPARATORS = (",", ";", "\t", "|")  # the first is taken where none of them fits
SAMPLED = 50  # rows
DECIMAL = {mark: rf"[+-]?\d+{mark}\d+" for mark in (",", r"\.")}


def csv_form(path: Any) -> dict[str, str]:
    """Return the options of `pandas.read_csv` that read a file: the separator that its header and first rows have in common.

    Where that is a semicolon, decimals have a comma if more of them have one than a point.

    Parameters
    ----------
    path : str
    """
    for separator in SEPARATORS:
        head = _head(path, separator)
        if head is not None:
            return {"sep": separator, "decimal": _decimal_mark(head.iloc[1:]) if separator == ";" else "."}
    return {"sep": SEPARATORS[0]}


def _head(path, separator):
    """Return the first rows as text if a separator divides all of them alike; None if it does not."""
    try:
        head = pd.read_csv(path, sep=separator, header=None, nrows=SAMPLED, dtype=str, index_col=False)
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
