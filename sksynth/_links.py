"""What ties batches of columns together: which columns of other batches a batch's model reads before its own.

A batch is read in the context of a few columns of batches that are read before it, so that batches that are sampled one after
the other are one table. Nothing in here depends on the order of the columns in the table: equal cases go by name.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ._association import WEAK

__all__ = ["chain", "checked_links", "find_links", "reading_order"]

LINKS = 4  # context columns of a batch, at most: each is read in every row, at the price of a column of the batch's own
NO_CONTEXT = ("text", "identifier")  # kinds that are never context: they take many positions, or have no tokens at all


def reading_order(columns: Sequence, association: pd.DataFrame | None) -> list:
    """Return columns in the order in which a model reads them.

    First the one of the largest total association, then always the one that is most associated with those read before.

    Parameters
    ----------
    columns : list
        Of one batch.
    association : DataFrame or None
        Of these columns, and others. None: the columns stay as they are.
    """
    if association is None:
        return list(columns)
    left = _by_name(columns)
    strength = _known(association, left, left)
    total, order = strength.sum(axis=1), []
    while len(order) < len(left):
        order.append(_largest(total, order))
        total = strength[:, order].sum(axis=1)
    return [left[place] for place in order]


def find_links(batches: Sequence[Sequence], association: pd.DataFrame, kinds: Mapping[Any, str]) -> list[list]:
    """Return the context columns of every batch, the strongest first.

    The first batch to be read is the one whose columns say most about all columns, the next always the one of which those
    before say most. The context of a batch is chosen among the columns before it, one after the other: each says most of what
    those chosen leave open in the batch's own columns, squares of associations being the shares that are said. (By the
    association with the nearest context column alone, the strongest would end the choice: on Adult in batches of at most five,
    holdout rows were less likely by 0.1 to 0.2 nats.) What adds less than one pair at the limit of `WEAK` is no context.

    Parameters
    ----------
    batches : list of list
    association : DataFrame
        Of all columns.
    kinds : mapping of column to str
        Kind of every column's field.

    Returns
    -------
    links : list of list
        By batch, as `batches` has them; at most `LINKS` columns each.
    """
    links: list[list] = [[] for _ in batches]
    givers = [[column for column in batch if kinds[column] not in NO_CONTEXT] for batch in batches]
    order = _order_of_batches(batches, givers, association)
    for place, batch in enumerate(order):
        before = [column for earlier in order[:place] for column in givers[earlier]]
        own = [column for column in batches[batch] if kinds[column] != "identifier"]
        links[batch] = _context(own, before, association)
    return links


def checked_links(links: Sequence, batches: Sequence[Sequence], kinds: Mapping[Any, str]) -> list[list]:
    """Return context columns that somebody gave, once they are such as `find_links` could have found.

    Parameters
    ----------
    links : list of list
        By batch, as `batches` has them.
    batches, kinds
        See `find_links`.

    Raises
    ------
    TypeError, ValueError
        The message names the batch and the column.
    """
    opening = "The 'linked' parameter of BatchLSTMSynthesizer must"
    if len(links) != len(batches) or not all(isinstance(context, list | tuple) for context in links):
        raise TypeError(
            f"{opening} be True, False, or a list with a list of columns for each of the {len(batches)} batches {batches}, "
            f"got {links!r}."
        )
    for number, (context, batch) in enumerate(zip(links, batches, strict=True)):
        for place, column in enumerate(context):
            if column not in kinds:
                fault = "not a column of X"
            elif column in batch:
                fault = "a column of that batch"
            elif column in context[:place]:
                fault = "named before"
            elif kinds[column] in NO_CONTEXT:
                fault = f"of kind {kinds[column]!r}"
            else:
                continue
            raise ValueError(f"{opening} name columns of other batches, got {column!r} for batch {number}: {fault}.")
    found = [list(context) for context in links]
    chain(batches, found)
    return found


def chain(batches: Sequence[Sequence], links: Sequence[Sequence]) -> list[int]:
    """Return the numbers of the batches in an order in which the context of each lies in batches before it.

    Parameters
    ----------
    batches : list of list
    links : list of list
        As `find_links` returns them.

    Raises
    ------
    ValueError
        If there is none.
    """
    owner = {column: number for number, batch in enumerate(batches) for column in batch}
    needed, order = [{owner[column] for column in context} for context in links], []
    while len(order) < len(needed):
        ready = [number for number, wanted in enumerate(needed) if number not in order and wanted <= set(order)]
        if not ready:
            raise ValueError(f"batches {sorted(set(range(len(needed))) - set(order))} are each other's context: {links}")
        order += ready
    return order


def _order_of_batches(batches, givers, association):
    """Return the numbers of the batches in the order in which links are looked for."""
    left = sorted(range(len(batches)), key=lambda number: [_name(column) for column in _by_name(batches[number])])
    everything = [column for batch in batches for column in batch]
    score, order = [_known(association, _by_name(everything), givers[number]).sum() for number in left], []
    while len(order) < len(left):
        order.append(_largest(score, order))
        before = [column for place in order for column in givers[left[place]]]
        score = [_known(association, batches[number], before).max(axis=1, initial=0.0).sum() for number in left]
    return [left[place] for place in order]


def _context(own, before, association):
    """Choose the context of a batch's own columns among those that are read before."""
    before, still_open, chosen = _by_name(before), np.ones(len(own)), []
    says = _known(association, own, before) ** 2
    while len(chosen) < min(LINKS, len(before)):
        gains = still_open @ says
        best = _largest(gains, chosen)
        if gains[best] < WEAK**2:
            break
        chosen.append(best)
        still_open *= 1.0 - says[:, best]
    return [before[place] for place in chosen]


def _known(association, rows, columns):
    """Return associations as an array, less those that are too weak to tell from chance."""
    places = {column: place for place, column in enumerate(association.columns)}
    own, others = ([places[column] for column in _by_name(part)] for part in (rows, columns))
    values = association.to_numpy()[np.ix_(own, others)]
    return np.where(values >= WEAK, values.round(6), 0.0)


def _largest(values, done):
    """Return the place of the largest value that is not done; the first of equal ones, rounding aside."""
    left = [place for place in range(len(values)) if place not in done]
    return left[int(np.argmax(np.round(np.asarray(values)[left], 6)))]


def _by_name(columns):
    return sorted(columns, key=_name)


def _name(column):
    return str(column), type(column).__name__
