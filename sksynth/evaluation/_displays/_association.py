"""What ties the columns of a table together."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from sklearn.utils.validation import check_is_fitted

from ._drawing import NOTES, name_ticks, new_axes, shown, take_literally

ANNOTATED = 16  # columns: of so many the values stand in the cells


class AssociationDisplay:
    """Picture of the association of every two columns: heat map and tree, with the batches and what links them.

    Columns stand batch by batch, in a batch in the order of the tree. A solid frame is a batch; a dashed one holds, in the
    rows of a batch, a column of another batch that its model reads first (`links_`). Make it with `from_estimator`.

    Parameters
    ----------
    association : DataFrame, shape (n_columns, n_columns)
        Symmetric, in [0, 1], as `ColumnClusterer.association_`.
    linkage : ndarray, shape (n_columns - 1, 4), default=None
        The tree, as `scipy.cluster.hierarchy.linkage` returns it. None: no tree is drawn.
    batches : list of list, default=None
        Columns of every batch. None: no batches are framed.
    links : list of list, default=None
        For every batch, the columns of others that it reads first.

    Attributes
    ----------
    ax_ : matplotlib Axes
        Of the heat map.
    figure_ : matplotlib Figure
    im_ : matplotlib AxesImage
        The heat map.
    tree_ax_ : matplotlib Axes or None
        Of the tree, above the heat map.
    frames_ : list of matplotlib Rectangle
        Of the batches.
    link_frames_ : list of matplotlib Rectangle
        Of the links.
    order : list
        The columns as they stand in the picture.

    See Also
    --------
    sksynth.ColumnClusterer : What measures the association.

    Examples
    --------
    >>> import pandas as pd
    >>> from sksynth.evaluation import AssociationDisplay
    >>> names = ["a", "b", "c"]
    >>> association = pd.DataFrame([[1.0, 0.1, 0.8], [0.1, 1.0, 0.2], [0.8, 0.2, 1.0]], index=names, columns=names)
    >>> AssociationDisplay(association, batches=[["a", "c"], ["b"]]).order
    ['a', 'c', 'b']
    """

    def __init__(
        self,
        association: pd.DataFrame,
        *,
        linkage: np.ndarray | None = None,
        batches: Sequence | None = None,
        links: Sequence | None = None,
    ):
        self.association = association
        self.linkage = linkage
        self.batches = batches
        self.links = links

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None, **imshow_kw: Any) -> "AssociationDisplay":
        """Draw what a clusterer, or that of a synthesizer, measured.

        Parameters
        ----------
        estimator : ColumnClusterer or BatchLSTMSynthesizer
            The links are those of a synthesizer.
        ax : matplotlib Axes, default=None
            Where to draw the heat map; None makes a figure.
        **imshow_kw
            For the heat map, see `matplotlib.axes.Axes.imshow`.

        Returns
        -------
        AssociationDisplay

        Raises
        ------
        NotFittedError
            The estimator is not fitted.
        TypeError
            The estimator has no batches of columns.
        ValueError
            Its batches were given, so that no association was measured.
        ImportError
            Without matplotlib.
        """
        check_is_fitted(estimator)
        clusterer = getattr(estimator, "clusterer_", estimator)
        if not hasattr(clusterer, "batches_"):
            raise TypeError(f"estimator must be a ColumnClusterer or a BatchLSTMSynthesizer, got {type(estimator).__name__}")
        if not hasattr(clusterer, "association_"):
            raise ValueError(
                f"this {type(estimator).__name__} measured no association, as its batches were given: draw that of a "
                "ColumnClusterer without batches, fitted on the same table"
            )
        display = cls(
            clusterer.association_,
            linkage=clusterer.linkage_,
            batches=clusterer.batches_,
            links=getattr(estimator, "links_", None),
        )
        return display.plot(ax, **imshow_kw)

    @property
    def order(self) -> list:
        """The columns as they stand in the picture."""
        columns = list(self.association.columns)
        if self.linkage is not None and len(self.linkage):
            from scipy.cluster.hierarchy import leaves_list

            columns = [columns[leaf] for leaf in leaves_list(self.linkage)]
        place = {column: number for number, column in enumerate(columns)}
        batches = [sorted(batch, key=place.get) for batch in self.batches or [columns]]
        return [column for batch in sorted(batches, key=lambda batch: place[batch[0]]) for column in batch]

    def plot(self, ax: Any = None, **imshow_kw: Any) -> "AssociationDisplay":
        """Draw the heat map, and what is there of tree, batches and links.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Where to draw the heat map; None makes a figure.
        **imshow_kw
            For the heat map, see `matplotlib.axes.Axes.imshow`.

        Returns
        -------
        AssociationDisplay
            This very object.

        Raises
        ------
        ImportError
            Without matplotlib.
        """
        order = self.order
        side = float(np.clip(2.5 + 0.3 * len(order), 4.0, 14.0))
        ax = new_axes(ax, self, side + 1.0, side + 1.2)
        values = self.association.loc[order, order].to_numpy()
        self.im_ = ax.imshow(values, **{"cmap": "Blues", "vmin": 0.0, "vmax": 1.0, "aspect": "auto"} | imshow_kw)
        names = [shown(column) for column in order]
        size = "medium" if len(order) <= ANNOTATED else max(4.0, min(9.0, 500 / len(order)))
        name_ticks(ax.xaxis, range(len(order)), names, rotation=90, fontsize=size)
        name_ticks(ax.yaxis, range(len(order)), names, fontsize=size)
        if len(order) <= ANNOTATED:
            _annotate(ax, values)
        self._frame(ax, order)
        self.tree_ax_ = None if self.linkage is None or len(self.linkage) == 0 else self._tree(ax, order)
        ax.figure.colorbar(self.im_, ax=ax, shrink=0.5, label="association")
        self.ax_, self.figure_ = ax, ax.figure
        return self

    def _frame(self, ax: Any, order: list) -> None:
        """Frame the batches, and in their rows the columns that they read first."""
        from matplotlib.patches import Rectangle

        place = {column: number - 0.5 for number, column in enumerate(order)}
        starts = [min(place[column] for column in batch) for batch in self.batches or []]
        self.frames_ = [
            ax.add_patch(Rectangle((start, start), len(batch), len(batch), fill=False, linewidth=2.0, clip_on=False))
            for start, batch in zip(starts, self.batches or [], strict=True)
        ]
        looks = {"fill": False, "linestyle": (0, (2, 1)), "linewidth": 1.4, "edgecolor": "#b34700", "clip_on": False}
        self.link_frames_ = [
            ax.add_patch(Rectangle((place[column], start), 1.0, len(batch), **looks))
            for start, batch, context in zip(starts, self.batches or [], self.links or [[]] * len(starts), strict=True)
            for column in context
        ]
        handles = [artists[0] for artists in (self.frames_, self.link_frames_) if artists]
        labels = ["batch", "column that the batch of these rows reads first"]
        if len(self.frames_) > 1:
            ax.figure.legend(handles, labels[: len(handles)], loc="outside lower center", ncols=2, **NOTES)

    def _tree(self, ax: Any, order: list) -> Any:
        """Draw the tree above the heat map: each fork as high as its two parts are unlike."""
        above = ax.inset_axes((0.0, 1.01, 1.0, 0.18), sharex=ax)
        place = {column: number for number, column in enumerate(order)}
        nodes = [(float(place[column]), 0.0) for column in self.association.columns]
        for left, right, height, _ in self.linkage:
            (start, low), (end, other) = nodes[int(left)], nodes[int(right)]
            above.plot([start, start, end, end], [low, height, height, other], color="0.2", linewidth=1.0)
            nodes.append(((start + end) / 2, height))
        above.set_ylim(0.0, 1.05)
        above.set_ylabel("1 - association", fontsize="small")
        above.tick_params(bottom=False, labelbottom=False)
        above.spines[["top", "right", "bottom"]].set_visible(False)
        return above


def _annotate(ax: Any, values: np.ndarray) -> None:
    """Write the values into the cells, but for the diagonal."""
    for row, column in zip(*np.nonzero(~np.eye(len(values), dtype=bool)), strict=True):
        value = values[row, column]
        take_literally(
            ax.text(
                column, row, f"{value:.2f}".lstrip("0"), ha="center", va="center", fontsize=7,
                color="white" if value > 0.6 else "0.15",
            )
        )  # fmt: skip
