"""Tell whether every value of a synthetic table is legal under the schema that was learned."""

import re

import pandas as pd

from sksynth import fields


def legal(column: pd.Series, field: fields.Field) -> pd.Series:
    """Tell for every cell whether its field admits it."""
    here = column.notna()
    values = column[here]
    if isinstance(field, fields.Category):
        good = values.isin([*field.categories, *([field.other] if field.other is not None else [])])
    elif isinstance(field, fields.Boolean):
        good = values.isin([True, False])
    elif isinstance(field, fields.Text):
        good = ~values.str.contains("\ufffd")  # in whole characters; its length in tokens is that of the grammar
    elif isinstance(field, fields.Identifier):
        good = values.astype(str).map(lambda value: re.fullmatch(field.pattern, value) is not None) & ~values.duplicated()
    else:
        if isinstance(field, fields.Datetime) and field.format:
            values = pd.to_datetime(values, format=field.format, errors="coerce")
        good = values.between(field.low, field.high)
    return good.reindex(column.index, fill_value=bool(field.nullable)).astype(bool)


def check(real: pd.DataFrame, synthetic: pd.DataFrame, schema: fields.Schema) -> dict:
    """Return the share of legal cells, equal dtypes, and the largest gap between missing rates, in points of a hundred."""
    cells = pd.DataFrame({column: legal(synthetic[column], schema[column]) for column in real})
    gap = (synthetic.isna().mean() - real.isna().mean()).abs().max()
    same = bool((synthetic.dtypes == real.dtypes).all())
    return {"legal": float(cells.to_numpy().mean()), "dtypes": same, "missing_gap": round(100 * float(gap), 2)}
