"""Where networks that recall start from: what every two tokens of a record say of each other, counted.

A head sees the sum of a vector for every token read before. Between these vectors and the heads stands a table, tokens by
tokens, of what one adds to the logit of the other; were there only one token to read, the best such table would be their
pointwise mutual information, which can be counted at once. Training goes on from its best approximation of few dimensions,
so that also what rare tokens say is there from the start, and learns what counting pairs does not tell. Only where there are
many rows (`FEWEST_ROWS`): few are learned by heart from there.
"""

import numpy as np
import scipy.sparse
import scipy.sparse.linalg

from .._memory_map import in_blocks
from ._layout import RECALL_SCALE, Layout
from ._network import NetworkShape
from ._rows import MappedRows, subsets

PRIOR_PAIRS = 3.0  # added to how often two tokens are met and to how often they would be by chance
SHARE_RECALLED = 0.75  # of what a pair says: of several tokens that are read, some say the same
HEAD_SCALE = 0.15  # root mean square of what heads get
FEWEST_ROWS = 20_000  # with which this pays: from ten thousand and fewer, networks that start from pairs learned less
MOST_ROWS, MOST_TOKENS = 100_000, 4_000  # that are looked at: rows at equal distances, and the most frequent tokens


def start_of_recall(
    layout: Layout, rows: np.ndarray | MappedRows, shape: NetworkShape, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Return what the vectors that are recalled start from, and what is added to the heads; 0 for tokens of text.

    Parameters
    ----------
    layout : Layout
    rows : ndarray of int or MappedRows, shape (n_rows, 2 * n_positions)
        As `Layout.rows` returns them.
    shape : NetworkShape
        Of a network that recalls.
    rng : Generator
        Of the approximation.

    Returns
    -------
    weights : dict of str to ndarray
        "recall" and, by group, "head_0" and so on.

    References
    ----------
    .. [1] Levy, O. and Goldberg, Y. (2014). Neural word embedding as implicit matrix factorization. NeurIPS.
    """
    tokens, counts, n_rows = _counts(layout, rows, shape)
    vectors = np.zeros((2, shape.n_tokens, shape.rnn_units))
    own = counts.diagonal()
    expected = np.outer(own, own / max(n_rows, 1))
    says = np.log((counts + PRIOR_PAIRS) / (expected + PRIOR_PAIRS))
    slots = _slot_of_token(shape)[tokens]
    says[slots[:, None] == slots] = 0.0
    weight = np.sqrt(own)[:, None]  # errors count by how often a pair would be met
    sizes, factors = _largest_factors(weight * says * weight.T, shape.rnn_units, rng)
    if len(sizes):
        turn = np.linalg.qr(rng.standard_normal((shape.rnn_units, shape.rnn_units)))[0][: len(sizes)]
        both = factors * np.sqrt(np.abs(sizes)) / weight
        vectors[:, tokens] = np.stack([both * np.sign(sizes), both]) @ turn
        size = HEAD_SCALE / max(np.sqrt(np.mean(vectors[1, tokens] ** 2)), 1e-12)
        vectors *= np.reshape([SHARE_RECALLED / RECALL_SCALE / size, size], (2, 1, 1))
    recall, heads = vectors.astype(np.float32)
    return {"recall": recall} | _by_group(heads, shape)


def _largest_factors(matrix, n_factors, rng):
    """Return the eigenvalues of largest magnitude of a symmetric matrix, and their vectors; none of a matrix of zeros.

    ARPACK refuses matrices of zeros, as those of a single column that varies, and may fail to converge; such a start is not
    worth a fit, so LAPACK takes over, and if that fails as well, networks start without factors.
    """
    size = len(matrix)
    n_factors, start = min(n_factors, size - 1), rng.random(size)
    if not matrix.any() or not np.isfinite(matrix).all():
        return np.zeros(0), np.zeros((size, 0))
    try:
        return scipy.sparse.linalg.eigsh(matrix, n_factors, v0=start)
    except scipy.sparse.linalg.ArpackError:
        pass
    try:
        sizes, factors = np.linalg.eigh(matrix)
    except np.linalg.LinAlgError:
        return np.zeros(0), np.zeros((size, 0))
    largest = np.argsort(-np.abs(sizes), kind="stable")[:n_factors]
    return sizes[largest], factors[:, largest]


def _slot_of_token(shape):
    """Return the slot of every row of the table of tokens, in canonical order."""
    return np.repeat(np.arange(shape.n_slots), [group.n_tokens for group in shape.groups for _ in range(group.n_slots)])


def _counts(layout, rows, shape):
    """Return the tokens that count, how often every two of them are met, shape (n, n), and in how many rows."""
    slots = shape.slot_of_place
    places = np.flatnonzero(np.bincount(slots)[slots] == 1)  # not those of text
    (chosen,) = subsets(rows, np.unique(np.linspace(0, len(rows) - 1, min(len(rows), MOST_ROWS)).astype(int)))
    counts = scipy.sparse.csr_array((shape.n_tokens, shape.n_tokens), dtype=np.float32)
    for block in in_blocks(chosen) if len(places) else ():
        columns = (block[:, places] + shape.first_token_of_slot[slots[places]]).ravel()
        starts = np.arange(0, columns.size + 1, len(places))
        met = scipy.sparse.csr_array((np.ones(columns.size, np.float32), columns, starts), (len(block), shape.n_tokens))
        counts += met.T @ met
    frequent = np.argsort(-counts.diagonal(), kind="stable")[:MOST_TOKENS]
    tokens = np.sort(frequent[counts.diagonal()[frequent] > 0])
    return tokens, counts[tokens][:, tokens].toarray().astype(float), len(chosen)


def _by_group(heads, shape):
    """Return vectors by token, shape (n_tokens, units), as kernels of the heads."""
    kernels, start = {}, 0
    for index, group in enumerate(shape.groups):
        stop = start + group.n_slots * group.n_tokens
        kernels[f"head_{index}"] = heads[start:stop].reshape(group.n_slots, group.n_tokens, -1).swapaxes(1, 2)
        start = stop
    return kernels
