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
LEAST_VARIANCE = 0.05  # of a column given those chosen, below which it is taken as known: what is left of it is noise
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


def find_links(
    batches: Sequence[Sequence], association: pd.DataFrame, kinds: Mapping[Any, str], signs: np.ndarray | None = None
) -> list[list]:
    """Return the context columns of every batch, the strongest first.

    The first batch to be read is the one whose columns say most about all columns, the next always the one of which those
    before say most. The context of a batch is chosen among the columns before it, one after the other: each is the one that
    explains most of the variance of the batch's own columns that those chosen leave unexplained, associations being taken for
    correlations. (Pair by pair, columns that repeat each other are chosen: of a table of 300 columns and 8 factors, exact
    models of the batches would keep 0.34 of the correlations across batches with four columns each chosen by variance, 0.29
    with four chosen by pairs.) What adds less than one pair at the limit of `WEAK` is no context.

    Parameters
    ----------
    batches : list of list
    association : DataFrame
        Of all columns.
    kinds : mapping of column to str
        Kind of every column's field.
    signs : ndarray of float, shape (n_columns, n_columns), optional
        1 or -1 for every association, see `signs_of`. None: all are taken as positive.

    Returns
    -------
    links : list of list
        By batch, as `batches` has them; at most `LINKS` columns each.
    """
    links: list[list] = [[] for _ in batches]
    givers = [[column for column in batch if kinds[column] not in NO_CONTEXT] for batch in batches]
    order, correlation = _order_of_batches(batches, givers, association), _correlation(association, signs)
    for place, batch in enumerate(order):
        before = [column for earlier in order[:place] for column in givers[earlier]]
        own = [column for column in batches[batch] if kinds[column] != "identifier"]
        links[batch] = _context(own, before, correlation)
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
    columns = _by_name(column for batch in batches for column in batch)
    places, known = {column: place for place, column in enumerate(columns)}, _known(association, columns, columns)
    own, give = ([sorted(places[column] for column in part[number]) for number in left] for part in (batches, givers))
    score, order, said = [known[:, own_givers].sum() for own_givers in give], [], np.zeros(len(columns))
    while len(order) < len(left):
        order.append(_largest(score, order))
        said = np.maximum(said, known[:, give[order[-1]]].max(axis=1, initial=0.0))
        score = [said[part].sum() for part in own]
    return [left[place] for place in order]


def _correlation(association, signs):
    """Return the place of every column, and associations as correlations: signed, without eigenvalues that none have."""
    columns = _by_name(association.columns)
    signed = _known(association, columns, columns)
    if signs is not None:
        places = {column: place for place, column in enumerate(association.columns)}
        at = [places[column] for column in columns]
        signed = signed * signs[np.ix_(at, at)]
    np.fill_diagonal(signed, 1.0)
    sizes, vectors = np.linalg.eigh(signed)
    if sizes[0] < 0:
        signed = (vectors * np.maximum(sizes, 0.0)) @ vectors.T
        scale = np.sqrt(signed.diagonal())
        signed /= np.outer(scale, scale)
    return {column: place for place, column in enumerate(columns)}, signed


def _context(own, before, correlation):
    """Choose the context of a batch's own columns among those that are read before."""
    places, values = correlation
    before, chosen = _by_name(before), []
    givers, takers = ([places[column] for column in part] for part in (before, own))
    variance, open_to = np.ones(len(before)), values[np.ix_(givers, takers)]  # given the chosen, as is the covariance
    factors = np.zeros((len(before), 0))  # of the part of the correlation that the chosen explain
    while len(chosen) < min(LINKS, len(before)):
        gains = np.square(open_to).sum(axis=1) / np.maximum(variance, LEAST_VARIANCE)
        best = _largest(gains, chosen)
        if gains[best] < WEAK**2 - 1e-9:
            break
        chosen.append(best)
        size = max(variance[best], LEAST_VARIANCE) ** 0.5
        factor = (values[givers, givers[best]] - factors @ factors[best]) / size
        open_to = open_to - np.outer(factor, open_to[best] / size)
        variance, factors = variance - factor**2, np.column_stack([factors, factor])
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
