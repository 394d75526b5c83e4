"""Matrix products of which a row has the same bits whatever others stand beside it.

The kernels of BLAS do the last rows of a product in another way than the others, and so round them differently.
"""

import numpy as np

from ._threads import products_alone


def _alike_among(n_rows: int) -> bool:
    """Tell whether equal rows have equal bits in products of so many rows."""
    rng = np.random.default_rng(0)
    for units, n_tokens in ((64, 3), (64, 100), (256, 300)):
        row, kernel = rng.standard_normal(units, dtype=np.float32), rng.standard_normal((units, n_tokens), dtype=np.float32)
        tile = np.tile(row, (n_rows, 1)) @ kernel
        if not (tile == tile[0]).all():
            return False
    return True


with products_alone():
    TILE = next((n_rows for n_rows in (16, 8, 4) if _alike_among(n_rows)), 1)  # rows of every product, by this machine's BLAS


def product(values: np.ndarray, kernel: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
    """Multiply in products of `TILE` rows each.

    Parameters
    ----------
    values : ndarray, shape (n_rows, n_inputs)
        Of whole tiles: `n_rows` is a multiple of `TILE`.
    kernel : ndarray, shape (..., n_inputs, n_outputs)
    out : ndarray, shape (..., n_rows, n_outputs), optional
        Where to write the product.
    """
    if out is not None:
        out = out.reshape(*kernel.shape[:-2], -1, TILE, kernel.shape[-1])
    tiles = np.matmul(values.reshape(-1, TILE, values.shape[-1]), kernel[..., None, :, :], out=out)
    return tiles.reshape(*kernel.shape[:-2], len(values), kernel.shape[-1])
