"""The page of a report: one file, in which every name and value that comes from a table is escaped."""

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from .._displays._drawing import shown
from ._pictures import as_data
from ._words import METRICS, SECTIONS

if TYPE_CHECKING:
    from ._report import Report

N_LINES = 200  # of the table of columns
N_PAIRS = 30  # lines of the table of pairs
N_TRIPLES = 10  # lines of the table of triples


def page(report: "Report") -> str:
    """Return a report as HTML.

    Raises
    ------
    ImportError
        Without matplotlib or Jinja.
    """
    from ... import __version__

    content = {
        "report": report,
        "sections": _sections(report),
        "columns": _columns(report),
        "pairs": _pairs(report),
        "triples": _triples(report),
        "n_lines": N_LINES,
        "n_pairs": N_PAIRS,
        "column_pictures": [_column_picture(display) for display in report._columns],
        "pair_pictures": [_pair_picture(pair) for pair in report._pairs],
        "version": __version__,
        "style": files(__package__).joinpath("page.css").read_text(encoding="utf-8"),
    }
    return _template().render(content)


@cache
def _template() -> Any:
    try:
        import jinja2
    except ImportError as error:
        raise ImportError("the page of a report needs Jinja: pip install 'sksynth[report]'") from error
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters["shown"] = shown
    return environment.from_string(files(__package__).joinpath("page.html").read_text(encoding="utf-8"))


def _sections(report):
    """Return the tables of figures of the whole: title, and lines of metric, figure, what real rows reach and grade."""
    for section, title in SECTIONS.items():
        own = report.figures[report.figures["section"] == section]
        lines = [(METRICS[row.metric], *_written(report, row)) for row in own.itertuples()]
        if lines:
            yield title, lines


def _written(report, row):
    metric = METRICS[row.metric]
    grade = metric.grade(row.value, row.real) if report.holdout_shift is None else ""
    return metric.write(row.value), metric.write(row.real), grade


def _columns(report):
    """Return the lines of the table of columns: name, and figures by metric."""
    found: dict = {}
    for row in report.figures[report.figures["section"] == "columns"].itertuples():
        found.setdefault(row.column, {})[row.metric] = _written(report, row)
    return list(found.items())


def _pairs(report):
    own = report.figures[(report.figures["section"] == "pairs") & report.figures["value"].notna()]
    return [(row.column, row.column_2, _written(report, row)) for row in own.itertuples()]


def _triples(report):
    own = report.figures[report.figures["section"] == "triples"].head(N_TRIPLES)
    return [(row.column, row.column_2, row.column_3, _written(report, row)) for row in own.itertuples()]


def _column_picture(display):
    def draw(figure):
        display.plot(figure.subplots())

    is_histogram = not hasattr(display.real.index, "str")
    height = 2.5 if is_histogram else 1.1 + 0.24 * (len(display.real) + 1)
    return display.column, as_data(draw, 4.0, height)


def _pair_picture(pair):
    return pair.names, as_data(pair.plot, 5.2, 2.9)
