"""The commands."""

import sys
import time
from pathlib import Path
from typing import Any

import click

from .. import __version__
from ._errors import INTERRUPTED, Program, say, tell
from ._tables import STANDARD, check_output, read_table, table_in, write_csv

EPILOG = "Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted by Ctrl-C."


overwrite = click.option("--overwrite", is_flag=True, help="Replace what is there.")
seed = click.option("--seed", type=click.IntRange(0), metavar="INT", help="For the same result each time.")
progress = click.option(
    "--progress/--no-progress", default=None, help="Progress bars on standard error; by default if it is a terminal."
)


def _verbose(progress: bool | None) -> int:
    return int((sys.stderr is not None and sys.stderr.isatty()) if progress is None else progress)


@click.group(cls=Program, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sksynth", message="%(prog)s %(version)s")
@click.option("--debug", is_flag=True, help="Show where in the program an error came up.")
def main(debug: bool) -> None:
    """Synthetic tables from LSTM language models."""


@main.command()
@click.argument("table")
@click.option("-o", "--output", metavar="MODEL", required=True, help="The model file to write.")
@click.option("--epsilon", type=float, metavar="FLOAT", help="Fit with differential privacy, this epsilon in all.")
@click.option("--delta", type=float, metavar="FLOAT", help="Of the differential privacy.  [default: 1e-6]")
@click.option(
    "--schema",
    metavar="FILE",
    help="What columns are, as JSON, see `info --schema`; the word private: inferred within epsilon.",
)
@click.option("--min-frequency", type=click.IntRange(1), metavar="INT", help="Rows that a category needs.  [default: 5]")
@click.option("--epochs", type=click.IntRange(1), metavar="INT", help="Epochs, at most; by default as the table needs.")
@click.option("--max-time", type=float, metavar="SECONDS", help="End the fit after that time.")
@click.option("--checkpoint-dir", metavar="DIR", help="Keep every epoch there; the same command goes on after a crash.")
@click.option("--jobs", type=int, metavar="INT", help="Batches of columns that are fitted at a time; -1: all cores.")
@seed
@overwrite
@progress
@click.pass_context
def fit(ctx: click.Context, table: str, output: str, overwrite: bool, progress: bool | None, **options: Any) -> None:
    """Fit a model to TABLE: a file of CSV or Parquet, a folder of such files, or - for CSV from standard input.

    Ctrl-C ends the fit; what was learned until then is in MODEL, if every batch of columns has trained for an epoch.
    """
    if output == STANDARD:
        raise click.BadParameter("a model is written to a file, not to standard output; pass its name", param_hint="--output")
    check_output(output, overwrite)
    started = time.monotonic()
    synthesizer = _synthesizer(overwrite=overwrite, verbose=_verbose(progress), **options)
    with table_in(table) as path:
        interrupted = _fit(synthesizer, path, output)
    synthesizer.save(output)
    wrote = f"wrote {output}: a model of {len(synthesizer.columns_)} columns, made in {time.monotonic() - started:.0f} s"
    if not interrupted:
        say(wrote)
        return
    say(f"interrupted; {wrote}, of what was learned until then{_way_on(synthesizer, ' with another --output')}")
    ctx.exit(INTERRUPTED)


def _fit(synthesizer: Any, path: str, output: str) -> bool:
    """Fit a synthesizer; return whether Ctrl-C ended that, where it is fitted nonetheless."""
    try:
        synthesizer.fit(path)
    except KeyboardInterrupt:
        if hasattr(synthesizer, "models_"):
            return True
        more = _way_on(synthesizer)
        raise KeyboardInterrupt(
            f"interrupted before every batch had trained for an epoch: {output} is not written{more}"
        ) from None
    return False


def _way_on(synthesizer: Any, how: str = "") -> str:
    """Return how to go on with an interrupted fit, where that is possible."""
    how += ", without --overwrite," if synthesizer.overwrite else ""
    folder = synthesizer.checkpoint_dir
    return "" if folder is None else f"; the same command{how} goes on from {folder}"


def _synthesizer(
    schema: str | None, epochs: int | None, jobs: int | None, seed: int | None, min_frequency: int | None, **options: Any
) -> Any:
    """Return an unfitted synthesizer with the options of the command."""
    from .. import BatchLSTMSynthesizer

    synthesizer = BatchLSTMSynthesizer(schema=_schema(schema), n_jobs=jobs, random_state=seed, **options)
    if min_frequency is not None:
        synthesizer.set_params(min_frequency=min_frequency)
    return synthesizer if epochs is None else synthesizer.set_params(text_model__epochs=epochs)


def _schema(path: str | None) -> Any:
    """Return the schema in a file, or what says how it is inferred."""
    from ..fields import Schema

    if path is None or path == "private":
        return path
    text = _text_in(path)
    try:
        return Schema.from_json(text)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _text_in(path: str) -> str:
    """Return the text in a file of UTF-8."""
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8: got 0x{error.object[error.start]:02x}; write it anew as UTF-8") from error


@main.command()
@click.argument("table")
@click.option(
    "-o", "--output", metavar="FILE", help="Write the schema there too, as JSON for `fit --schema`; - for that alone."
)
@click.option("--schema", metavar="FILE", help="What is known of some columns, as JSON.")
@click.option("--min-frequency", type=click.IntRange(1), default=5, metavar="INT", help="As of fit.  [default: 5]")
@seed
@overwrite
def schema(table: str, output: str | None, schema: str | None, min_frequency: int, seed: int | None, overwrite: bool) -> None:
    """Tell what `fit` would take the columns of TABLE for, and what is doubtful about it; nothing is fitted.

    With each doubtful decision come its reason, the share of cells, what is lost, and what changes it. What is told comes from
    the rows, and is not private.
    """
    from .._tables import schema_before_fit
    from ._notes import notes_as_lines

    if output not in (None, STANDARD):
        check_output(output, overwrite)
    with table_in(table) as path:
        found = schema_before_fit(path, _schema(schema), min_frequency, seed)
    text = found.to_json(indent=1)
    if output == STANDARD:
        tell(text)
        return
    tell("\n".join([str(found), "", *notes_as_lines(found.notes)]))
    if output is not None:
        _write(output, text)
        say(f"wrote {output}: the schema of {len(found)} columns, for `sksynth fit --schema {output}`")


@main.command()
@click.argument("model")
@click.option("-n", "--rows", type=click.IntRange(1), metavar="INT", required=True, help="Rows to draw.")
@click.option("-o", "--output", metavar="FILE", required=True, help=".csv, .csv.gz or .parquet; - for CSV on standard output.")
@click.option(
    "--given", multiple=True, metavar="COLUMN=VALUE",
    help="What is to hold of a column: a value, LOW..HIGH, or nothing, for missing. Of several for one column any may hold.",
)  # fmt: skip
@click.option("--temperature", type=float, default=1.0, metavar="FLOAT", help="Below 1: likelier rows.  [default: 1.0]")
@seed
@overwrite
@progress
def sample(
    model: str,
    rows: int,
    output: str,
    given: tuple,
    temperature: float,
    seed: int | None,
    overwrite: bool,
    progress: bool | None,
) -> None:
    """Draw rows from MODEL.

    The same command goes on where one that was broken off stood. There is no FILE until all rows are there.
    """
    from ._given import parse_given

    if output != STANDARD:
        check_output(output, overwrite)
    synthesizer = _load(model).set_params(verbose=_verbose(progress))
    how = {"given": parse_given(given, synthesizer.schema_), "temperature": temperature, "random_state": seed}
    if output == STANDARD:
        write_csv(synthesizer.sample_iter(rows, **how), synthesizer.columns_)
    else:
        synthesizer.sample_to(output, rows, overwrite=overwrite, **how)


def _load(path: str) -> Any:
    """Return a fitted synthesizer."""
    from .. import BatchLSTMSynthesizer

    return BatchLSTMSynthesizer.load(path)


@main.command()
@click.argument("model")
@click.option("--json", "form", flag_value="json", help="As JSON, for other programs.")
@click.option("--schema", "form", flag_value="schema", help="The schema alone, as JSON for `fit --schema`.")
def info(model: str, form: str | None) -> None:
    """Tell what MODEL is: its columns and their domains, its batches, and what it cost in privacy."""
    from . import _info

    synthesizer = _load(model)
    if form == "schema":
        tell(synthesizer.schema_.to_json(indent=1))
    else:
        tell(_info.as_json(synthesizer) if form == "json" else _info.as_text(synthesizer))


@main.command()
@click.argument("real")
@click.argument("synthetic")
@click.option("-o", "--output", metavar="FILE", help=".html or .json; by default, text on standard output.")
@click.option("--holdout", metavar="TABLE", help="Real rows that the model has not seen: what figures are measured by.")
@click.option("--target", metavar="COLUMN", help="A column to predict from the others.")
@click.option("--model", metavar="MODEL", help="The model, for its privacy statement.")
@click.option("--seed", type=click.IntRange(0), default=0, metavar="INT", help="Of all draws.  [default: 0]")
@overwrite
@progress
def report(
    real: str,
    synthetic: str,
    output: str | None,
    holdout: str | None,
    target: str | None,
    model: str | None,
    seed: int,
    overwrite: bool,
    progress: bool | None,
) -> None:
    """Compare the tables REAL, that a model was fitted to, and SYNTHETIC, that it drew: CSV or Parquet files."""
    if output is not None:
        check_output(output, overwrite)
        if not output.lower().endswith((".html", ".json")):
            raise click.BadParameter(f"expected a name that ends in .html or .json, got {output!r}", param_hint="--output")
    from ..evaluation import report as compare

    tables = {"real": read_table(real)}
    others = {"synthetic": synthetic} | ({} if holdout is None else {"holdout": holdout})
    tables |= {name: read_table(path, tables["real"]) for name, path in others.items()}
    statement = None if model is None else getattr(_load(model), "privacy_statement_", None)
    found = compare(
        **tables,
        target=target,
        privacy_statement=statement,
        random_state=seed,
        verbose=_verbose(progress),
    )
    if output is None:
        tell(repr(found))
    else:
        _write(output, found.to_html() if output.lower().endswith(".html") else found.to_json())


def _write(path: str, text: str) -> None:
    """Write a file whole or not at all."""
    from ..persistence import write_atomically

    write_atomically(Path(path), text.encode("utf-8", "xmlcharrefreplace"))
