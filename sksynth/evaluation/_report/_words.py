"""What the figures of a report mean, in plain words."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from .._displays._drawing import shown

GRADES = ("good", "fair", "poor")


@dataclass(frozen=True)
class Metric:
    """What is to be known of a metric of two tables.

    Parameters
    ----------
    title : str
    meaning : str
    ideal : float, optional
        What is reached where real rows do not say it.
    better : {1, -1}
        Whether more is better, or less.
    tolerance : tuple of float, optional
        How far a figure that is good, or fair, may lie from what real data reaches. None: it gets no grade.
    form : str
        How it is written.
    """

    title: str
    meaning: str
    ideal: float | None
    better: int = 1
    tolerance: tuple[float, float] | None = None
    form: str = "z.3f"

    def grade(self, value: float, real: float) -> str:
        """Return the grade of a figure, "" where it has none."""
        reach = self.ideal if np.isnan(real) else real
        if self.tolerance is None or reach is None or np.isnan(value):
            return ""
        behind = round(self.better * (reach - value), 9)
        return GRADES[int(np.searchsorted(self.tolerance, behind))]

    def write(self, value: float) -> str:
        """Return a figure as text, a dash where there is none."""
        return "–" if np.isnan(value) else format(value, self.form)


METRICS = {
    "quality": Metric(
        "Overall quality",
        "SDMetrics' quality score: the mean of the shapes of columns and of its own scores of pairs. 1 is alike.",
        1.0, 1, (0.02, 0.07),
    ),
    "column_shapes": Metric(
        "Shapes of columns", "How alike the distribution of each column is, column by column; the mean. 1 is alike.",
        1.0, 1, (0.02, 0.07),
    ),
    "pair_trends": Metric(
        "Pairs of columns",
        "How alike the dependence of two columns on each other is, beyond what chance explains in samples of this size; the "
        "mean of those that do depend on each other. 1 is alike.",
        1.0, 1, (0.03, 0.1),
    ),
    "c2st": Metric(
        "Detectability (C2ST)",
        "How well a classifier tells synthetic rows from real ones (area under the ROC curve). 0.5 is guessing, 1 is always.",
        0.5, -1, (0.06, 0.2),
    ),
    "auc_fall": Metric("Gives away", "", 0.0, -1, None, "z.3f"),
    "utility": Metric(
        "ML utility",
        "How well a model that has learned from the synthetic rows predicts real ones (R² of a number, else area under the "
        "ROC curve); beside it, one that has learned from the real rows.",
        None, 1, (0.02, 0.1),
    ),
    "valid_share": Metric(
        "Valid rows", "Share of the rows of which every value is one that the real table would allow.",
        1.0, 1, (0.01, 0.05), "z.1%",
    ),
    "coverage": Metric(
        "Coverage",
        "Share of the real ranges and categories that are found; the mean of columns. Rare values belong to single people: "
        "full coverage is no aim of its own.",
        1.0, 1, None, "z.1%",
    ),
    "missing_values": Metric(
        "Missing cells", "By how much the share of missing cells differs; the mean of columns.",
        0.0, -1, (0.01, 0.05), "z.2%",
    ),
    "missing_difference": Metric("Missing", "", 0.0, -1, None, "+z.2%"),
    "dtype_changes": Metric(
        "Changed dtypes", "Number of columns that have another dtype.",
        0.0, -1, (0.0, 2.0), "z.0f",
    ),
    "copied_rows": Metric(
        "Copied rows",
        "Share of the rows that equal a row of the real table in every column. Short rows may be alike by chance: see how "
        "many further real rows are.",
        None, -1, (0.005, 0.02), "z.2%",
    ),
    "copied_cells": Metric(
        "Copied single cells",
        "Share of the rows whose cell holds what exactly one real row holds, such as a name or an e-mail address; of the "
        "column that has most beyond what further real rows hold.",
        0.0, -1, (0.001, 0.01), "z.2%",
    ),
    "triple_trends": Metric("Told by two others", "", 1.0, 1, (0.03, 0.1)),
    "nearest_neighbour_ratio": Metric(
        "Nearest-neighbour distance ratio",
        "Distance to the nearest real row over that to the second nearest, where it is smallest: one row in twenty has less. "
        "0 points at one real row.",
        None, 1, (0.05, 0.15),
    ),
    "dcr_share": Metric(
        "Closer to training rows (DCR)",
        "Share of the synthetic rows that lie nearer to a row that was learned from than to one that was not. 0.5 says that "
        "rows were not memorised, 1 that they were.",
        0.5, -1, (0.03, 0.1),
    ),
    "membership_auc": Metric(
        "Membership inference (AUC)",
        "How well somebody who has the synthetic table tells, by nearness, whether a row was learned from (area under the "
        "ROC curve). 0.5 is guessing.",
        0.5, -1, (0.03, 0.1),
    ),
    "membership_tpr": Metric(
        "Members found (TPR)",
        "Share of the rows learned from that the attack finds, where it may be wrong on as few others as stands beside.",
        None, -1, None, "z.2%",
    ),
    "membership_tpr_low": Metric(
        "Members found, lower bound",
        "Lower end of the confidence interval of that share; beside it the upper end for the others. If it is above that, "
        "rows can be told.",
        None, -1, (0.0, 0.01), "z.2%",
    ),
}  # fmt: skip

SECTIONS = {
    "likeness": "Fidelity: how alike the tables are",
    "use": "Utility: what can be learned from it",
    "validity": "Validity: what its rows hold",
    "privacy": "Privacy: what it gives away of single rows",
}


def summary(figures: pd.DataFrame, target: Any, shift: list | None) -> list[str]:
    """Return what the figures say, a sentence or two each; first that the holdout differs, where it does."""
    whole = figures[~figures["section"].isin(["columns", "pairs", "triples"])]
    found = {row.metric: (row.value, row.real) for row in whole.itertuples()}
    sentences = [
        *_on_holdout(shift),
        *_on_likeness(figures, found),
        *_on_triples(figures),
        *_on_use(found, target),
        *_on_privacy(figures, found, shift is not None),
    ]
    return [sentence for sentence in sentences if sentence]


def _on_holdout(shift):
    if shift is not None:
        named = f", most of all in {', '.join(map(_quoted, shift[:3]))}" if shift else ""
        yield (
            "The holdout is not a random part of the real rows: it differs from those that were learned from beyond "
            f"chance{named}. What real rows reach is therefore not known, figures on copying and membership mean nothing, and "
            "no grades are given. Split the table at random, for instance by sklearn.model_selection.train_test_split, and "
            "fit again."
        )


def _on_likeness(figures, found):
    shapes, pairs = found["column_shapes"], found["pair_trends"]
    if not np.isnan(shapes[0]):
        worst = _worst(figures[figures["section"].eq("columns") & figures["metric"].eq("column_shapes")])
        yield (
            f"Single columns are {shapes[0]:.1%} alike on average{_reach(shapes, '.1%')}; furthest behind is "
            f"{_quoted(worst.column)} with {worst.value:.1%}{_reach((worst.value, worst.real), '.1%')}."
        )
    if not np.isnan(pairs[0]):
        worst = figures[figures["section"].eq("pairs")].iloc[0]
        yield (
            f"Columns that depend on each other do so {pairs[0]:.1%} alike on average{_reach(pairs, '.1%')}; of all pairs the "
            f"one furthest behind is {_quoted(worst.column)} with {_quoted(worst.column_2)}, {worst.value:.1%}"
            f"{_reach((worst.value, worst.real), '.1%')}."
        )
    auc, falls = found["c2st"], figures[figures["section"].eq("columns") & figures["metric"].eq("auc_fall")]
    most = falls.loc[falls["value"].idxmax()]
    yield (
        f"A classifier that looks at whole rows {_telling(*auc)} (area under the ROC curve {auc[0]:.3f}, 0.5 being "
        f"guesses{_reach(auc, '.3f', ', real rows reach ')}); the column that gives away most is {_quoted(most.column)}."
    )


def _on_triples(figures):
    triples = figures[figures["section"].eq("triples")]
    if len(triples):
        worst = triples.iloc[0]
        if METRICS["triple_trends"].grade(worst.value, worst.real) != "good":
            yield (
                f"{_quoted(worst.column_2)} and {_quoted(worst.column_3)} tell {worst.real:.1%} of {_quoted(worst.column)} in "
                f"real rows, but {worst.value:.1%} in synthetic ones: what ties these three columns is partly lost."
            )


def _worst(scores):
    """Return the row that lies furthest behind what real rows reach, or behind 1."""
    return scores.loc[(scores["real"].fillna(1.0) - scores["value"]).idxmax()]


def _telling(value, real):
    grade, alone = (METRICS["c2st"].grade(value, reach) for reach in (real, np.nan))
    told = {"good": "hardly tells", "fair": "tells some", "poor": "easily tells"}[alone] + " synthetic rows from real ones"
    return told + (", as it tells real rows from each other" if alone != grade == "good" else "")


def _on_use(found, target):
    if "utility" in found and not np.isnan(found["utility"][0]):
        yield (
            f"A model that has learned {_quoted(target)} from synthetic rows scores {found['utility'][0]:.3f} on real rows"
            f"{_reach(found['utility'], '.3f', ', one that has learned from real rows ')}."
        )
    valid, changes = found["valid_share"], found["dtype_changes"][0]
    yield (
        f"{valid[0]:.1%} of the synthetic rows{_reach(valid, '.1%', ', and of further real rows ')} hold only values that the "
        "real table would allow."
        + (f" The dtypes of {changes:.0f} columns differ." if changes else " All dtypes are the same.")
    )


def _on_privacy(figures, found, is_shifted):
    copied = found["copied_rows"]
    yield (
        f"{copied[0]:.2%} of the synthetic rows are copies of real rows in all their columns"
        + ("." if np.isnan(copied[1]) else f"; of further real rows, which copy nothing, {copied[1]:.2%} are alike by chance.")
    )
    cells = found["copied_cells"]
    if cells[0] > 0 and not cells[0] <= cells[1]:
        own = figures[figures["section"].eq("columns") & figures["metric"].eq("copied_cells")]
        column = own.loc[own["value"].eq(cells[0]), "column"].iloc[0]
        yield (
            f"{cells[0]:.2%} of the synthetic rows hold a value of {_quoted(column)} that exactly one real row has"
            f"{_reach(cells, '.2%', ', of further real rows ')}."
        )
    if is_shifted:
        yield "Whether rows were memorised cannot be said with this holdout."
    elif "dcr_share" in found:
        signs = [METRICS[name].grade(*found[name]) for name in ("dcr_share", "membership_auc", "membership_tpr_low")]
        known = [sign for sign in signs if sign]
        if known:
            worst = max([*known, METRICS["copied_cells"].grade(*cells) or "good"], key=GRADES.index)
            yield {
                "good": "No sign that rows were memorised was found. That is no proof: only differential privacy is a "
                "guarantee.",
                "fair": "There are slight signs that rows were memorised: look at the figures on privacy.",
                "poor": "Rows were memorised, at least in part: the table tells of single real rows.",
            }[worst]
    else:
        yield "Without a holdout it cannot be said what of this chance alone explains: pass further real rows as holdout."


def _reach(pair, form, words=" (real rows reach "):
    if np.isnan(pair[1]):
        return ""
    return f"{words}{pair[1]:{form}}" + (")" if words.startswith(" (") else "")


def _quoted(name):
    return f"“{shown(name, 60)}”"
