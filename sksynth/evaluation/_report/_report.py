"""The report on two tables."""

import json
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from ..._validation import check_table, is_int
from .._bins import is_date
from .._displays._column import ColumnComparisonDisplay, compare_columns
from .._kinds import kinds_of, plain_tables
from ._figures import STAGES, Tables, measure
from ._pictures import PairComparison, compare_pair
from ._words import METRICS, SECTIONS, summary

N_BINS = 20


@dataclass(frozen=True, repr=False, eq=False)
class Report:
    """All figures of a synthetic table beside a real one, with what pictures need; it holds no rows.

    Made by `report`. Shows itself as text, and as a page in notebooks.

    Attributes
    ----------
    figures : DataFrame
        See `to_frame`.
    n_rows : dict of str to int
        Rows of "real", "synthetic" and, where there is one, "holdout".
    n_columns : int
    target : column name or None
        What was predicted.
    privacy_statement : str or None
        Of the model.
    holdout_shift : list of column names or None
        None where the holdout may be a random part of the real rows, or there is none. Otherwise the columns by which it
        differs beyond chance; an empty list where only whole rows differ. Figures of copying and of membership then say
        nothing, and no figure gets a grade.
    summary : list of str
        What the figures say, in words.

    See Also
    --------
    report : Makes it.
    """

    figures: pd.DataFrame
    n_rows: dict
    n_columns: int
    target: Any = None
    privacy_statement: str | None = None
    holdout_shift: list | None = None
    _columns: list[ColumnComparisonDisplay] = field(default_factory=list)
    _pairs: list[PairComparison] = field(default_factory=list)

    @property
    def summary(self) -> list[str]:
        """What the figures say, in words."""
        return summary(self.figures, self.target, self.holdout_shift)

    def to_frame(self) -> pd.DataFrame:
        """Return the figures, one a row.

        Returns
        -------
        figures : DataFrame, shape (n_figures, 7)
            - section: "likeness", "use", "validity", "privacy"; "columns", "pairs" and "triples", in which the worst come
              first, those that lie furthest behind what real rows reach;
            - metric: the name of the function that computes it, or what is taken of that;
            - column, column_2, column_3: of figures of a column, a pair or a triple (`column` is told by both others), else
              None;
            - value: of the synthetic table; of "pair_trends" one minus what the pair lacks beyond noise ("shortfall");
            - real: what real rows reach, NaN without a holdout. Of "column_shapes", "pair_trends", "quality", "c2st" and
              "utility" that is the table that was learned from, beside the holdout; of the others the holdout, beside the
              table that was learned from; of "dcr_share" and an attack on membership what blind guesses reach.
        """
        return self.figures.copy()

    def to_json(self, path: str | os.PathLike | None = None) -> str | None:
        """Return the report as JSON, or write it.

        Parameters
        ----------
        path : path, default=None
            A file to write, in UTF-8. None: the text is returned.

        Returns
        -------
        text : str or None
            An object with `n_rows`, `n_columns`, `target`, `summary`, `privacy_statement`, `holdout_shift`, and `figures`, a
            list of objects with the fields of `to_frame`; null for NaN. Names of columns that JSON does not know are text.
        """
        figures = self.figures.astype(object).where(self.figures.notna(), None).to_dict("records")
        content = {
            "n_rows": self.n_rows,
            "n_columns": self.n_columns,
            "target": self.target,
            "summary": self.summary,
            "privacy_statement": self.privacy_statement,
            "holdout_shift": self.holdout_shift,
            "figures": figures,
        }
        return _give(json.dumps(content, indent=1, default=str, allow_nan=False), path)

    def to_html(self, path: str | os.PathLike | None = None) -> str | None:
        """Return the report as a page, or write it: one file that needs neither network nor scripts.

        Parameters
        ----------
        path : path, default=None
            A file to write, in UTF-8. None: the page is returned.

        Returns
        -------
        page : str or None

        Raises
        ------
        ImportError
            Without matplotlib or Jinja.
        """
        from ._page import page

        return _give(page(self), path)

    def _repr_html_(self) -> str | None:
        """Return the page in a frame of its own; None where it cannot be made."""
        from html import escape

        try:
            page = self.to_html()
        except ImportError:
            return None
        return f'<iframe title="report" sandbox srcdoc="{escape(page)}" style="width: 100%; height: 45em; border: 0"></iframe>'

    def __str__(self) -> str:
        """Return the text, with replacements for the characters that standard output cannot show."""
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        return repr(self).encode(encoding, "replace").decode(encoding)

    def __repr__(self) -> str:
        lines = [f"Report on {self.n_rows['synthetic']:,} synthetic rows of {self.n_columns} columns", ""]
        lines += [] if self.holdout_shift is None else [f"WARNING: {self.summary[0]}", ""]
        lines += [f"{'':34}{'synthetic':>10}{'real rows':>10}"]
        for section, title in SECTIONS.items():
            own = self.figures[self.figures["section"] == section]
            lines += [title] if len(own) else []
            for row in own.itertuples():
                metric = METRICS[row.metric]
                grade = metric.grade(row.value, row.real) if self.holdout_shift is None else ""
                figures = f"{metric.write(row.value):>10}{metric.write(row.real):>10}"
                lines.append(f"  {metric.title:32}{figures}  {grade}".rstrip())
        said = self.summary[self.holdout_shift is not None :]  # the first stands at the top
        return "\n".join([*lines, "", *(f"- {sentence}" for sentence in said)])


def report(
    real: Any,
    synthetic: Any,
    holdout: Any = None,
    *,
    target: Any = None,
    privacy_statement: str | None = None,
    n_plots: int = 16,
    random_state: Any = 0,
    verbose: int = 0,
) -> Report:
    """Measure all that there is to measure of a synthetic table.

    Parameters
    ----------
    real : DataFrame or ndarray, shape (n_rows, n_columns)
        The rows that the synthesizer was fitted on.
    synthetic : DataFrame or ndarray, shape (n_rows, n_columns)
        What it sampled; the same columns, in any order.
    holdout : DataFrame or ndarray, shape (n_rows, n_columns), default=None
        Real rows that it has not seen. With them likeness is measured against them, beside what `real` reaches; and what
        was memorised can be told from what real rows have in common. Draw them at random, for instance by
        `sklearn.model_selection.train_test_split`: a report finds a holdout that differs by itself, says so at its top, and
        withholds all grades. Without a holdout every figure stands alone.
    target : column name, default=None
        A column to predict from the others, see `utility`.
    privacy_statement : str, default=None
        That of the model, as `privacy_statement_` of a synthesizer; stands in the page.
    n_plots : int, default=16
        Columns that the page shows pictures of, the worst first, and of half as many pairs of columns.
    random_state : int, Generator or None, default=0
        Of all draws of rows and of the classifiers.
    verbose : int, default=0
        Positive: a bar on standard error names the stage.

    Returns
    -------
    Report

    Raises
    ------
    TypeError, ValueError
        If a table is none, or the columns differ; the message names the column.

    Notes
    -----
    Figures are computed from real rows without noise: a report tells of them, and is covered by no epsilon.

    Examples
    --------
    >>> from sksynth.datasets import load_adult
    >>> from sksynth.evaluation import report
    >>> adult = load_adult()[["age", "sex", "income"]]
    >>> found = report(adult[:300], adult[300:600], adult[600:900], target="income")
    >>> found.to_frame().query("metric == 'valid_share'")["value"].item() > 0.9
    True
    >>> print(found.summary[0])  # doctest: +ELLIPSIS
    Single columns are 9...% alike on average...
    """
    if not is_int(n_plots) or n_plots < 0:
        raise ValueError(f"n_plots must be an int >= 0, got {n_plots!r}")
    if privacy_statement is not None and not isinstance(privacy_statement, str):
        raise TypeError(f"privacy_statement must be a str or None, got {type(privacy_statement).__name__}")
    given = {"real": real, "synthetic": synthetic} | ({} if holdout is None else {"holdout": holdout})
    frames = {name: check_table(table, name=name, plain_names=False) for name, table in given.items()}
    plain = dict(zip(frames, plain_tables(**frames), strict=True))
    if target is not None and target not in plain["real"].columns:
        raise ValueError(f"target must be a column of real, got {target!r}")
    tables = Tables(frames["real"], frames["synthetic"], frames.get("holdout"))
    with _stages(verbose) as stage:
        figures, shift = measure(tables, target, random_state, stage)
        stage("pictures")
        pictures = _pictures(frames["real"], plain["real"], plain["synthetic"], figures, n_plots)
    n_rows = {name: len(table) for name, table in frames.items()}
    return Report(figures, n_rows, len(plain["real"].columns), target, privacy_statement, shift, *pictures)


@contextmanager
def _stages(verbose: int) -> Iterator[Callable]:
    """Yield what is to be called at the beginning of each stage; show a bar of them if `verbose`."""
    if not verbose:
        yield lambda name: None
        return
    from tqdm.auto import tqdm

    names = [*STAGES, "pictures"]
    with tqdm(total=len(names), desc="report", unit="stage") as bar:

        def stage(name):
            bar.update(names.index(name) - bar.n)
            bar.set_postfix_str(name)

        yield stage
        bar.update(len(names) - bar.n)


def _pictures(frame: pd.DataFrame, real: pd.DataFrame, synthetic: pd.DataFrame, figures: pd.DataFrame, n_plots: int) -> tuple:
    """Return what pictures of the worst columns and pairs show."""
    kinds = kinds_of(real)
    dates = {name for name in real.columns if kinds[name] == "number" and is_date(frame[name])}
    names = list(dict.fromkeys(figures.loc[figures["section"] == "columns", "column"]))[:n_plots]
    columns = [compare_columns(name, real[name], synthetic[name], kinds[name], N_BINS, name in dates) for name in names]
    worst = figures[(figures["section"] == "pairs") & figures["value"].notna()].head(n_plots // 2)
    pairs = [compare_pair((row.column, row.column_2), real, synthetic, kinds, dates) for row in worst.itertuples()]
    return columns, pairs


def _give(text: str, path: str | os.PathLike | None) -> str | None:
    if path is None:
        return text
    Path(path).write_text(text, encoding="utf-8", errors="xmlcharrefreplace")
    return None
