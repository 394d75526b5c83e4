"""Rows as training reads them: whole in memory, or made of token ids in a memory map as they are asked for."""

from collections.abc import Callable
from typing import Any
from weakref import ref

import numpy as np
import tensorflow as tf

from .._memory_map import let_go
from ._layout import Layout


class MappedRows:
    """What `Layout.rows` returns of token ids that stay on disk: an array of which only the rows are made that are asked for.

    Parameters
    ----------
    layout : Layout
    ids : memmap of int, shape (n_ids, n_positions)
    numbers : ndarray of int, shape (n_rows,)
        Those of the ids.
    """

    def __init__(self, layout: Layout, ids: np.memmap, numbers: np.ndarray):
        self.layout, self.ids, self.numbers = layout, ids, numbers.astype(number_type(len(ids)), copy=False)
        self.shape, self.dtype = (len(numbers), 2 * ids.shape[1]), layout.row_type

    def __len__(self) -> int:
        return len(self.numbers)

    def __getitem__(self, index: Any) -> np.ndarray:
        """Return some rows, given by a slice or by an array of their numbers."""
        ids = self.ids[self.numbers[index]].astype(np.int32)
        let_go(self.ids)
        return self.layout.rows(ids)

    def subset(self, index: np.ndarray) -> "MappedRows":
        """Return some rows without making them."""
        return MappedRows(self.layout, self.ids, self.numbers[index])


def number_type(n_rows: int) -> type:
    """Return the type of the numbers of so many rows, of which there may be more than there is room for wide ones."""
    return np.int32 if n_rows < 2**31 else np.int64


def row_numbers(n_rows: int) -> np.ndarray:
    """Return the numbers of all rows."""
    return np.arange(n_rows, dtype=number_type(n_rows))


def rows_of(layout: Layout, ids: np.ndarray) -> np.ndarray | MappedRows:
    """Return the rows of token ids, which stay on disk if they are there."""
    return MappedRows(layout, ids, row_numbers(len(ids))) if isinstance(ids, np.memmap) else layout.rows(ids)


def subsets(rows: np.ndarray | MappedRows, *indices: np.ndarray) -> list[np.ndarray | MappedRows]:
    """Return some of the rows, and some others, by their numbers."""
    return [rows.subset(index) if isinstance(rows, MappedRows) else rows[index] for index in indices]


def gatherer(rows: np.ndarray | MappedRows) -> Callable[[tf.Tensor], tf.Tensor]:
    """Return what gathers rows by a tensor of their numbers, within a graph."""
    if isinstance(rows, MappedRows):
        return _mapped_gatherer(rows)
    table = tf.constant(rows)
    return lambda index: tf.ensure_shape(tf.gather(table, index), (index.shape[0], table.shape[1]))


def _mapped_gatherer(rows):
    """Return a gatherer that ends with the rows: TensorFlow remembers functions, which would keep the file on disk."""
    alive, width, dtype = ref(rows), rows.shape[1], rows.dtype

    def read(index):
        rows = alive()
        return np.zeros((len(index), width), dtype) if rows is None else rows[index]  # none where nobody waits for them

    return lambda index: tf.ensure_shape(tf.numpy_function(read, [index], dtype), (index.shape[0], width))
