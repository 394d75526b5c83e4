"""The point of the protocol on context columns."""

from typing import Any

import numpy as np
import pandas as pd

from ._error import expect, trying
from ._ids import drawn_ids
from ._records import Records

__all__ = ["check_given"]


def check_given(fitted: Any, records: Records) -> None:
    """Refuse context columns, where tables have such, that cannot be what was drawn, or are other tokens than in rows."""
    if not hasattr(fitted, "given") or not isinstance(records, pd.DataFrame):
        return
    drawn = fitted.decode(drawn_ids(fitted))
    try:
        ids = fitted.encode(drawn, cut=True)
    except (ValueError, TypeError):  # some tables that may be sampled are none that fit takes
        return
    remedy = "see TableTokenizer.given for what it takes and returns"
    for column in drawn.columns:
        with trying("given", f"tokens and cells of column {column!r}, and its place in places", remedy):
            tokens, cells = fitted.given(drawn[[column]])
            place = fitted.places[column]
            expected = {} if place.run is None else {column: ids[:, place.positions]}
            same = tokens.keys() == expected.keys() and all(map(np.array_equal, tokens.values(), expected.values()))
        wanted = f"those at its place, {place}, in encode"
        expect(same, "given", f"other tokens of column {column!r}", wanted, "let given and encode say the same")
        is_whole = isinstance(cells, pd.DataFrame) and list(cells.columns) == [column] and len(cells) == len(drawn)
        expect(is_whole, "given", f"other cells of column {column!r}", "a frame of it with a row for each", remedy)
