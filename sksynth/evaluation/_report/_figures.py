"""The figures of a report: all metrics of two tables, and what real rows reach."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from .._classifier import C2ST, c2st, utility
from .._copies import copied_cells, copied_rows
from .._coverage import coverage, dtype_changes, missing_values, valid_share
from .._holdout import holdout_shift
from .._kinds import kinds_of, plain_tables
from .._pairs import pair_trends
from .._privacy import dcr_share, membership_inference, nearest_neighbour_ratio
from .._quality import column_shapes, overall
from .._triples import triple_trends

FIELDS = ["section", "metric", "column", "column_2", "column_3", "value", "real"]
STAGES = ("columns", "pairs", "triples", "classifier", "utility", "validity", "privacy")
POINTING = 0.05  # quantile of the nearest-neighbour ratios: the rows that point most at one real row
N_TOLD = 6_000  # rows of either table that the classifier looks at
N_RATIOS = 2_000  # rows of which it is taken


@dataclass(frozen=True)
class Tables:
    """What is compared.

    Parameters
    ----------
    real, synthetic : DataFrame
    holdout : DataFrame, optional
        Further real rows.
    """

    real: pd.DataFrame
    synthetic: pd.DataFrame
    holdout: pd.DataFrame | None

    @property
    def judge(self) -> pd.DataFrame:
        """The real rows that likeness is measured against: those that the synthesizer has not seen, where there are any."""
        return self.real if self.holdout is None else self.holdout

    def likeness(self, measure: Callable) -> tuple:
        """Return what the synthetic table is to the judge, and what the real one is; None without a holdout."""
        return measure(self.judge, self.synthetic), None if self.holdout is None else measure(self.holdout, self.real)

    def closeness(self, measure: Callable) -> tuple:
        """Return what the synthetic table is to the real one, and what the holdout is; None without one."""
        return measure(self.real, self.synthetic), None if self.holdout is None else measure(self.real, self.holdout)


def measure(tables: Tables, target: Any, random_state: Any, stage: Callable) -> tuple[pd.DataFrame, list | None]:
    """Return all figures, one a row, in the order in which a report shows them, and what `holdout_shift` says.

    `stage` is called with the name of each of `STAGES` before it begins.
    """
    seeds = {"random_state": random_state}
    stage("columns")
    shapes = tables.likeness(lambda judge, table: column_shapes(judge, table, reference=tables.real))
    covered, missing = tables.closeness(coverage), tables.closeness(missing_values)
    stage("pairs")
    pairs = tables.likeness(lambda judge, table: pair_trends(judge, table, reference=tables.real))
    stage("triples")
    triples = triple_trends(tables.real, tables.synthetic, tables.holdout, **seeds)
    # Where other work is on the machine, threads of boosting wait for each other: two took nine times as long as one.
    with threadpool_limits(1, user_api="openmp"):
        stage("classifier")
        told = tables.likeness(lambda judge, table: c2st(judge, table, reference=tables.real, n_samples=N_TOLD, **seeds))
        stage("utility")
        use = _use(tables, target, seeds)
    stage("validity")
    validity = _validity(tables, covered, missing)
    stage("privacy")
    cells = tables.closeness(copied_cells)
    rows = [
        *_overall(shapes, pairs, told),
        *use,
        *validity,
        *_privacy(tables, cells, seeds),
        *_columns(shapes, told, covered, missing, cells),
        *_pairs(pairs),
        *_triples(triples),
    ]
    rows = [row if len(row) == len(FIELDS) else (*row[:4], None, *row[4:]) for row in rows]
    frame = pd.DataFrame(rows, columns=FIELDS, dtype=object)  # so that a column may be called None
    return frame.astype({"value": float, "real": float}), _shift(tables, told[1])


def _shift(tables: Tables, told: C2ST | None) -> list | None:
    if told is None:
        return None
    real, holdout = plain_tables(real=tables.real, holdout=tables.holdout)
    return holdout_shift(real, holdout, kinds_of(real), told.auc, min(N_TOLD, len(real), len(holdout)))


def _use(tables: Tables, target: Any, seeds: dict) -> list[tuple]:
    if target is None:
        return []
    value = utility(tables.synthetic, tables.judge, target, reference=tables.real, **seeds)
    real = None if tables.holdout is None else utility(tables.real, tables.holdout, target, **seeds)
    return [("use", "utility", target, None, value, np.nan if real is None else real)]


def _overall(shapes: tuple, pairs: tuple, told: tuple[C2ST, C2ST | None]) -> list[tuple]:
    qualities = [None if own is None else overall(own, both) for own, both in zip(shapes, pairs, strict=True)]
    return [
        _whole("likeness", "quality", qualities),
        _whole("likeness", "column_shapes", [_mean(found) for found in shapes]),
        _whole(
            "likeness",
            "pair_trends",
            [None if found is None else _mean(_beyond_noise(found)[found["strong"]]) for found in pairs],
        ),
        _whole("likeness", "c2st", [None if found is None else found.auc for found in told]),
    ]


def _validity(tables: Tables, covered: tuple, missing: tuple) -> list[tuple]:
    differences = [None if found is None else found["difference"].abs().mean() for found in missing]
    changes = tables.closeness(lambda real, table: float(len(dtype_changes(real, table))))
    return [
        _whole("validity", "valid_share", tables.closeness(valid_share)),
        _whole("validity", "coverage", [_mean(found) for found in covered]),
        _whole("validity", "missing_values", differences),
        _whole("validity", "dtype_changes", changes),
    ]


def _privacy(tables: Tables, cells: tuple, seeds: dict) -> list[tuple]:
    def pointing(real, table):
        ratios = nearest_neighbour_ratio(real, table, n_samples=N_RATIOS, **seeds)
        return ratios.quantile(POINTING) if len(ratios) else np.nan

    rows = [
        _whole("privacy", "copied_rows", tables.closeness(copied_rows)),
        _whole("privacy", "copied_cells", _most_copied(cells)),
        _whole("privacy", "nearest_neighbour_ratio", tables.closeness(pointing)),
    ]
    if tables.holdout is None:
        return rows
    three = tables.real, tables.synthetic, tables.holdout
    attack = membership_inference(*three, **seeds)
    return [
        *rows,
        _whole("privacy", "dcr_share", (dcr_share(*three, **seeds), 0.5)),
        _whole("privacy", "membership_auc", (attack.auc, 0.5)),
        _whole("privacy", "membership_tpr", (attack.tpr, attack.fpr)),
        _whole("privacy", "membership_tpr_low", (attack.tpr_low, attack.fpr_high)),
    ]


def _most_copied(cells: tuple) -> list:
    """Return the figures of the column of which most cells are single real rows', beyond those that further real rows hold."""
    value, real = cells
    beyond = (value if real is None else value - real).to_numpy(float)
    if np.isnan(beyond).all():
        return [None, None]
    place = int(np.nanargmax(beyond))
    return [found if found is None else found.iloc[place] for found in cells]


def _columns(shapes: tuple, told: tuple, covered: tuple, missing: tuple, cells: tuple) -> list[tuple]:
    """Return the figures of single columns, first those furthest behind real rows in shape or in what they give away."""
    found = {
        "column_shapes": shapes,
        "auc_fall": [None if test is None else test.columns for test in told],
        "coverage": covered,
        "missing_difference": [None if shares is None else shares["difference"] for shares in missing],
        "copied_cells": cells,
    }
    shape, fall = (_frame(found[metric]) for metric in ("column_shapes", "auc_fall"))
    behind = pd.concat([_behind(shape), (fall["value"] - fall["real"].fillna(0.0)).reindex(shape.index)], axis=1).max(axis=1)
    order = behind.sort_values(ascending=False, kind="stable", na_position="last").index
    return [
        ("columns", metric, column, None, value[column], np.nan if real is None else real[column])
        for column in order
        for metric, (value, real) in found.items()
    ]


def _pairs(pairs: tuple) -> list[tuple]:
    """Return the figures of pairs of columns, first those that lack most beyond noise."""
    found, real = pairs
    scores = _frame([_beyond_noise(found), None if real is None else _beyond_noise(real)])
    order = _behind(scores).sort_values(ascending=False, kind="stable", na_position="last").index
    table = found.assign(**scores).loc[order, ["column_1", "column_2", "value", "real"]]
    return [("pairs", "pair_trends", *row) for row in table.itertuples(index=False, name=None)]


def _triples(triples: pd.DataFrame) -> list[tuple]:
    """Return the figures of columns that two others tell, those that lack most first."""
    return [("triples", "triple_trends", *row) for row in triples.itertuples(index=False, name=None)]


def _beyond_noise(pairs: pd.DataFrame) -> pd.Series:
    return 1.0 - pairs["shortfall"].clip(lower=0.0)


def _frame(pair: Any) -> pd.DataFrame:
    """Return the scores of the synthetic table beside what real rows reach, NaN where that is not known."""
    value, real = pair
    return pd.DataFrame({"value": value, "real": np.nan if real is None else real.reindex(value.index)}, dtype=float)


def _behind(scores: pd.DataFrame) -> pd.Series:
    """Return by how much scores lie behind what real rows reach, or behind 1 where that is not known."""
    return scores["real"].fillna(1.0) - scores["value"]


def _whole(section: str, metric: str, values: Any) -> tuple:
    value, real = (np.nan if number is None else float(number) for number in values)
    return section, metric, None, None, value, real


def _mean(scores: pd.Series | None) -> float | None:
    return None if scores is None else scores.mean()
