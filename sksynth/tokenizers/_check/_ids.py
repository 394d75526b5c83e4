"""The points of the protocol on ids: what `encode` returns, what is drawn, and what `decode` makes of both."""

from typing import Any

import numpy as np
import pandas as pd

from ..._sampling import Guides
from ._error import expect, kind_of, trying
from ._grammar import draw
from ._records import Records, are_equal, check_decoded, difference, longer, part, relabelled

__all__ = ["check_decode", "check_drawn", "check_encode", "check_guides", "check_sizes", "drawn_ids"]

N_DRAWN = 64
N_ALONE = 5  # records that are encoded one by one
DTYPE = "return an array of np.int32"


def check_encode(fitted: Any, records: Records) -> None:
    """Refuse ids of another shape or type, that `grammar_` forbids, or that depend on more than their own record."""
    kept = records.copy()
    ids, whole = _encoded(fitted, records, "encode(cut=True)", cut=True), _encoded(fitted, records, "encode")
    n, n_positions = len(records), fitted.grammar_.n_positions
    width = n_positions + fitted.n_free_
    remedy = "return one row for each record: n_positions tokens of grammar_, then n_free_ free digits"
    expect(ids.shape == (n, width), "encode(cut=True)", f"shape {ids.shape}", f"{(n, width)}", remedy)
    fits = whole.shape[0] == n and whole.shape[1] >= width
    expect(fits, "encode", f"shape {whole.shape}", f"{(n, width)}, or more positions", remedy)
    with trying("encode", "tokens that grammar_ allows", "let encode and grammar_ say the same"):
        fitted.grammar_.states(ids[:, :n_positions])
    expect(are_equal(records, kept), "encode", "other records than before", "records as they were", "work on a copy of them")
    _check_same_ids(fitted, records, ids)
    _check_cut(fitted, longer(records), width)


def _check_same_ids(fitted, records, ids):
    """Refuse ids that are others the next time, under another index, or where a record is alone."""
    again = np.array_equal(ids, fitted.encode(records, cut=True))
    expect(again, "encode", "other ids of the same records", "the same ids each time", "let nothing in it be drawn or counted")
    point, remedy = "encode of a Series, or of a table with another index", "go over records in order, not by their labels"
    labelled = _encoded(fitted, relabelled(records), point, cut=True)
    expect(np.array_equal(ids, labelled), point, "other ids", "the same ids", remedy)
    for row in range(min(len(records), N_ALONE)):
        own = slice(row, row + 1)
        alone = _encoded(fitted, part(records, own), "encode of one record", cut=True)
        remedy = "let the ids of a record depend on no other"
        expect(np.array_equal(ids[own], alone), "encode of one record", f"other ids of record {row}", "the same ids", remedy)


def _encoded(fitted, records, point, **how):
    remedy = "let encode take whatever fit was given, with the keyword cut"
    with trying(point, "the ids of the records of fit", remedy):
        ids = fitted.encode(records, **how)
    got = f"{ids.dtype} in {ids.ndim} dimension(s)" if isinstance(ids, np.ndarray) else kind_of(ids)
    fits = isinstance(ids, np.ndarray) and ids.dtype == np.int32 and ids.ndim == 2
    expect(fits, point, got, "an array of int32 in 2 dimensions", DTYPE)
    return ids


def _check_cut(fitted, records, width):
    """Refuse ids of longer records that are wider than the grammar, and errors that do not say that they are refused."""
    point, shape = "encode(cut=True) of longer records", (len(records), width)
    remedy = "cut them where cut is True, or refuse them by a ValueError that says how long records may be"
    with trying(point, "ids, or a ValueError or TypeError", remedy):
        try:
            ids = fitted.encode(records, cut=True)
        except (ValueError, TypeError):
            return
    expect(ids.shape == shape, point, f"shape {ids.shape}", f"{shape}", remedy)
    with trying(point, "tokens that grammar_ allows", remedy):
        fitted.grammar_.states(ids[:, : fitted.grammar_.n_positions])


def check_decode(fitted: Any, records: Records, lossless: bool) -> None:
    """Refuse what does not decode to records as they were encoded, or changes ids."""
    ids = fitted.encode(records)
    decoded = _decoded(fitted, ids, records, "decode")
    if lossless:
        same = are_equal(decoded, records)
        got, expected = ("", "") if same else difference(decoded, records)
        remedy = "let ids hold all that a record says, or call check_tokenizer with lossless=False"
        expect(same, "decode of what encode returned", got, expected, remedy)


def _decoded(fitted, ids, records, point):
    kept = ids.copy()
    with trying(
        point, f"{len(ids)} records", "let decode take all ids that grammar_ lets be drawn, and all that encode returns"
    ):
        decoded = fitted.decode(ids)
    check_decoded(decoded, len(ids), records, point)
    expect(np.array_equal(ids, kept), point, "other ids than before", "ids as they were", "work on a copy of them")
    return decoded


def drawn_ids(fitted: Any) -> np.ndarray:
    """Return rows that are drawn evenly from the grammar, with free digits that are refused where they are not such."""
    rng = [np.random.default_rng(seed) for seed in (0, 1, 1)]
    tokens, free, again = draw(fitted.grammar_, N_DRAWN, rng[0]), *(_free(fitted, own) for own in rng[1:])
    remedy = "draw from the generator that is passed, and from nothing else"
    expect(np.array_equal(free, again), "draw_free", "other digits of the same rows, generator and key", "the same", remedy)
    return np.concatenate([tokens, free], axis=1)


def _free(fitted, rng):
    with trying("draw_free", "free digits", "leave draw_free to the base class, or draw n_free_ digits for each row"):
        free = fitted.draw_free(range(N_DRAWN, 2 * N_DRAWN), rng, 7)
    shape = (N_DRAWN, fitted.n_free_)
    got = f"{free.dtype} of shape {free.shape}" if isinstance(free, np.ndarray) else kind_of(free)
    fits = isinstance(free, np.ndarray) and free.dtype == np.int32 and free.shape == shape
    expect(fits, "draw_free", got, f"int32 of shape {shape}", "return n_free_ digits for each of the rows")
    return free


def check_drawn(fitted: Any, records: Records) -> None:
    """Refuse what does not decode whatever may be drawn, or decodes a row by the light of others."""
    ids = drawn_ids(fitted)
    decoded = _decoded(fitted, ids, records, "decode of drawn ids")
    alone = _decoded(fitted, ids[:1], records, "decode of one row")
    same = isinstance(records, pd.DataFrame) or decoded[:1] == alone  # the dtypes of a table tell of all its rows
    remedy = "let a record depend on no ids but its own"
    expect(same, "decode", "another record where its row is alone", "the same record", remedy)


def check_sizes(fitted: Any, records: Records) -> None:
    """Refuse sizes of cells that are not one finite number for each row."""
    for ids in (fitted.encode(records, cut=True), drawn_ids(fitted)):
        with trying("log_cell_size", "one number for each row", "leave it to the base class where tokens say everything"):
            sizes = fitted.log_cell_size(ids)
        is_array = isinstance(sizes, np.ndarray) and sizes.dtype.kind == "f"
        got = f"{sizes.dtype} of shape {sizes.shape}" if isinstance(sizes, np.ndarray) else kind_of(sizes)
        expected, remedy = f"floats of shape {(len(ids),)}", "return one float for each row of ids"
        expect(is_array and sizes.shape == (len(ids),), "log_cell_size", got, expected, remedy)
        remedy = "give a size to all that may be encoded or drawn"
        expect(np.isfinite(sizes).all(), "log_cell_size", "infinite or missing numbers", "finite ones", remedy)


def check_guides(fitted: Any, records: Records, lossless: bool) -> None:
    """Refuse guides, where lines have such, that do not lead to lines with a prefix, or leave nothing to be drawn."""
    if not hasattr(fitted, "guides") or not isinstance(records, list):
        return
    prefix = next((line[:1] for line in records if line), "")
    remedy = "see CharTokenizer.guides for what they take and return"
    with trying("guides", f"guides for lines that begin with {prefix!r}", remedy):
        guides = _guides(fitted, [prefix], lossless)
        ids = draw(fitted.grammar_, N_DRAWN, np.random.default_rng(0), guides and Guides(guides))
        short = draw(fitted.grammar_, N_DRAWN, np.random.default_rng(0), Guides(fitted.guides(None, 1)))
        plain = draw(fitted.grammar_, N_DRAWN, np.random.default_rng(0), Guides(fitted.guides(None, None)))
        free = np.zeros((N_DRAWN, fitted.n_free_), np.int32)
        lines = [fitted.decode(np.concatenate([rows, free], axis=1)) for rows in (ids, short, plain)]
    others = [line for line in lines[0] if not line.startswith(prefix)] if guides else []
    expect(not others, "guides", f"the line {others[:1]}", f"lines that begin with {prefix!r}", "forbid all other tokens")


def _guides(fitted, prefixes, lossless):
    """Return guides to prefixes; none where a tokenizer that loses something refuses them."""
    try:
        return fitted.guides(prefixes, None)
    except ValueError:
        if lossless:
            raise
        return []
