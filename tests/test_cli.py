"""Promises about the command line."""

import io
import json
import os
import re
import signal
import subprocess
import sys
import time
import tomllib
import warnings
from pathlib import Path

import click
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from pandas.testing import assert_frame_equal

from sksynth import BatchLSTMSynthesizer, __version__
from sksynth._training._watch import Gauge, Watch
from sksynth.cli import _commands, main
from sksynth.cli._errors import Program
from sksynth.cli._given import parse_given
from sksynth.cli._notes import _as_options
from sksynth.fields import Boolean, Category, Datetime, Identifier, Interval, Number, Schema, Text, infer_schema

ROOT = Path(__file__).resolve().parents[1]
COMMAND = [sys.executable, "-m", "sksynth"]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return a function that runs a command in an empty folder, in this process, and returns what came of it."""
    monkeypatch.chdir(tmp_path)
    return lambda *args, **how: CliRunner().invoke(main, list(map(str, args)), **how)


@pytest.fixture(scope="module")
def model(fitted_small, tmp_path_factory):
    """Return the path of a model file."""
    path = tmp_path_factory.mktemp("model") / "model"
    fitted_small.save(path)
    return path


def failed(result, code=1):
    """Return what a command that failed said, once it is one line and nothing was said elsewhere."""
    assert code == result.exit_code, result.stderr
    assert "" == result.stdout
    (line,) = result.stderr.splitlines()
    assert line.startswith("sksynth: ")
    return line


@pytest.mark.parametrize("args", [["--help"], ["--version"], ["fit", "--help"], ["sample"], ["--nonsense"]])
def test_help_and_version_load_nothing_heavy(args):
    """Neither help nor wrong usage loads TensorFlow, pandas, or any other library that takes long."""
    code = (
        f"import sys\nfrom sksynth.cli import main\ntry:\n    main({args})\nfinally:\n    print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    loaded = {name.partition(".")[0] for name in done.stderr.split()}
    assert "click" in loaded
    assert not {"tensorflow", "keras", "pandas", "numpy", "sklearn", "scipy", "pyarrow", "joblib", "tqdm"} & loaded


def test_the_command_is_installed():
    """The package installs a command of its name, which is what its module runs."""
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    assert {"sksynth": "sksynth.cli:main"} == scripts
    done = subprocess.run([*COMMAND, "--version"], capture_output=True, text=True)
    assert (0, f"sksynth {__version__}\n", "") == (done.returncode, done.stdout, done.stderr)


def test_from_a_table_to_a_report(run, small):
    """fit, info, sample and report go from a CSV file to a report, with nothing on standard output but what was asked for."""
    small.to_csv("real.csv", index=False)
    fitted = run("fit", "real.csv", "-o", "model", "--epochs", 1, "--seed", 0, "--min-frequency", 3)
    assert (0, "") == (fitted.exit_code, fitted.stdout)
    assert fitted.stderr.startswith("sksynth: wrote model: a model of 3 columns, made in ")
    assert 1 == len(fitted.stderr.splitlines())
    expected = BatchLSTMSynthesizer(random_state=0, min_frequency=3).set_params(text_model__epochs=1)
    rows = expected.fit(pd.read_csv("real.csv")).sample(100, random_state=3)

    drawn = run("sample", "model", "-n", 100, "-o", "rows.csv", "--seed", 3)
    assert (0, "", "") == (drawn.exit_code, drawn.stdout, drawn.stderr)
    assert rows.to_csv(index=False) == Path("rows.csv").read_text()
    assert rows.to_csv(index=False) == run("sample", "model", "-n", 100, "-o", "-", "--seed", 3).stdout

    told = run("report", "real.csv", "rows.csv", "--target", "flag")
    assert told.stdout.startswith("Report on 100 synthetic rows of 3 columns\n")
    assert 0 == run("report", "real.csv", "rows.csv", "-o", "report.html", "--holdout", "real.csv").exit_code
    assert Path("report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert 0 == run("report", "real.csv", "rows.csv", "-o", "report.json").exit_code
    assert 100 == json.loads(Path("report.json").read_text())["n_rows"]["synthetic"]


def test_info_tells_what_a_model_is(run, model, fitted_small):
    """Info names batches, columns and domains, says what is private, and has the same as JSON."""
    text = run("info", model).stdout
    assert text.startswith("3 columns in 2 batches\n  batch 0: count, colour; 1 epoch\n  batch 1: flag")
    assert "not private: epsilon is infinite" in text
    assert repr(fitted_small.schema_) in text
    facts = json.loads(run("info", model, "--json").stdout)
    assert [["count", "colour"], ["flag"]] == facts["batches"]
    assert (None, [1, 1]) == (facts["epsilon"], facts["epochs"])
    assert sum(own.n_parameters_ for own in fitted_small.models_) == facts["parameters"] > 0
    assert fitted_small.schema_ == Schema.from_json(run("info", model, "--schema").stdout)


def doubtful(n=240):
    """Return a table of which much is doubtful: rare categories, days that may be months, texts of which one is very long."""
    rng = np.random.default_rng(0)
    words = "north south east west river hill bridge road".split()
    texts = [" ".join(rng.choice(words, rng.integers(2, 7))) for _ in range(n - 1)]
    columns = {
        "zip": [f"0{4000 + i % 3}" for i in range(n)],
        "city": [f"village {i}" if i % 8 == 0 else "Graz" for i in range(n)],
        "day": [f"{1 + i % 12:02}/{1 + i % 11:02}/2024" for i in range(n)],
        "größe": rng.normal(size=n).round(2),
        "note": [*texts, "river hill " * 900],
    }
    return pd.DataFrame(columns)


def test_a_dry_run_tells_what_fit_would_do(run):
    """`schema` prints the schema and the notes that a fit comes to, with a way to change each in Python and in `fit`."""
    doubtful().to_csv("real.csv", index=False)
    told = run("schema", "real.csv")
    assert (0, "") == (told.exit_code, told.stderr)
    found = infer_schema(pd.read_csv("real.csv", dtype={"zip": str}))
    assert told.stdout.startswith(f"{found}\n\n3 doubtful decisions:\n")
    assert 2 == len(found.notes)
    for note in found.notes:
        before, _, remedy = str(note).partition("; to change it: ")
        assert f"- {before}\n    to change it in Python: {remedy}\n    or in `sksynth fit`: --" in told.stdout
    assert "column 'note': texts are cut (0.42 % of the cells)" in told.stdout
    assert told.stdout == run("schema", "-", input=Path("real.csv").read_bytes()).stdout
    assert ["real.csv"] == os.listdir()


def test_a_table_without_doubts_is_told_so(run, small):
    """Where no decision is doubtful, `schema` and `info` say that."""
    small.to_csv("real.csv", index=False)
    assert run("schema", "real.csv").stdout.endswith("\n\nno doubtful decisions\n")


def test_the_options_of_a_dry_run_change_what_they_are_named_for(run):
    """With the options and the entries of the schema file that `schema` names, no note is left."""
    doubtful().to_csv("real.csv", index=False)
    told = run("schema", "real.csv").stdout
    entries = [entry for text in re.findall(r"--schema FILE, with (\[.*\]) in FILE", told) for entry in json.loads(text)]
    assert ["day", "note"] == [entry["column"] for entry in entries]
    Path("known.json").write_text(json.dumps(entries))
    (number,) = set(re.findall(r"--min-frequency ([0-9]+)", told))
    again = run("schema", "real.csv", "--schema", "known.json", "--min-frequency", number).stdout
    assert again.endswith("no doubtful decisions\n")
    assert "as %d/%m/%Y" in again and "as %m/%d/%Y" in told


@pytest.mark.filterwarnings("always:fit made")
def test_a_schema_file_goes_round(run):
    """What `schema -o` writes is what fit infers: with `--schema` a fit, and another dry run, come to the same."""
    doubtful().to_csv("real.csv", index=False)
    wrote = run("schema", "real.csv", "-o", "schema.json")
    assert "sksynth: wrote schema.json: the schema of 5 columns, for `sksynth fit --schema schema.json`\n" == wrote.stderr
    written = Schema.from_json(Path("schema.json").read_text())
    assert Path("schema.json").read_text() + "\n" == run("schema", "real.csv", "-o", "-").stdout
    assert written == Schema.from_json(run("schema", "real.csv", "--schema", "schema.json", "-o", "-").stdout)
    assert failed(run("schema", "real.csv", "-o", "schema.json")).startswith("sksynth: schema.json: is there already")

    options = ["--epochs", 1, "--seed", 3]
    plain = run("fit", "real.csv", "-o", "plain", *options)
    assert "and remedy in what `sksynth info` tells of the model: - column " in plain.stderr
    assert 0 == run("fit", "real.csv", "-o", "known", "--schema", "schema.json", *options).exit_code
    fitted = [BatchLSTMSynthesizer.load(name) for name in ("plain", "known")]
    assert fitted[0].schema_ == fitted[1].schema_
    assert_frame_equal(*(model.sample(30, random_state=0) for model in fitted))
    told = run("info", "plain").stdout
    for line in run("schema", "real.csv").stdout.split("decisions:\n")[1].splitlines():
        assert line in told


@pytest.mark.parametrize(
    ("remedy", "options"),
    [
        ("min_frequency=2", "--min-frequency 2"),
        (
            "schema={'a b': fields.Number(0, high=2.5)}, min_frequency=1",
            '--schema FILE, with [{"column": "a b", "kind": "number", "low": 0, "high": 2.5}] in FILE --min-frequency 1',
        ),
        ("schema={'x': fields.Text()}", '--schema FILE, with [{"column": "x", "kind": "text"}] in FILE'),
        ("X = X.reset_index()", ""),
        ("X['a'] = pd.to_timedelta(X['a'])", ""),
        ("schema={'x': fields.Nothing()}", ""),
        ("schema={'x': __import__('os').abort()}", ""),
        ("schema=5", ""),
        ("text_model=None", ""),
        ("(" * 10_000, ""),
        ("", ""),
    ],
)
def test_options_by_the_arguments_in_python(remedy, options):
    """What a note says in Python is said in options where there are such; nothing of it is called, whoever wrote the note."""
    assert options == _as_options(remedy)


@pytest.mark.filterwarnings("ignore:noise drowns")
def test_a_private_fit(run, small):
    """With --epsilon and a schema the fit is private, info has its statement, and the report as well."""
    small.to_csv("real.csv", index=False)
    schema = {"colour": Category(["red", "blue"], other="other"), "flag": Boolean(), "count": Number(0, 3, precision=0)}
    Path("schema.json").write_text(Schema({name: field.replace(nullable=True) for name, field in schema.items()}).to_json())
    options = ["--epsilon", 5, "--delta", 1e-4, "--schema", "schema.json", "--epochs", 1]
    fitted = run("fit", "real.csv", "-o", "model", *options)
    assert 0 == fitted.exit_code, fitted.stderr
    told = run("info", "model").stdout
    assert "private: epsilon 5, delta 0.0001" in told or "private: epsilon 4.9" in told
    statement = BatchLSTMSynthesizer.load("model").privacy_statement_
    assert statement in told
    assert "doubtful" not in told
    assert 0 == run("sample", "model", "-n", 60, "-o", "rows.parquet").exit_code
    assert 0 == run("report", "real.csv", "rows.parquet", "--model", "model", "-o", "report.json").exit_code
    assert statement == json.loads(Path("report.json").read_text())["privacy_statement"]


def test_options_of_fit_are_parameters(monkeypatch):
    """Every option of fit sets the parameter that it names, and what is not said stays as it is by default."""
    options = dict.fromkeys(("schema", "epochs", "jobs", "seed", "min_frequency", "epsilon", "delta", "max_time"))
    options |= {"checkpoint_dir": None, "overwrite": False, "verbose": 0}
    assert BatchLSTMSynthesizer().get_params() == _commands._synthesizer(**options).get_params()
    said = {"schema": "private", "epochs": 3, "jobs": 2, "seed": 5, "min_frequency": 7, "epsilon": 1.0, "delta": 1e-7}
    said |= {"max_time": 9.0, "checkpoint_dir": "there", "overwrite": True, "verbose": 1}
    found = _commands._synthesizer(**said)
    assert 3 == found.text_model.epochs
    named = {"jobs": "n_jobs", "seed": "random_state"}
    assert {named.get(name, name): value for name, value in said.items() if name != "epochs"} == {
        named.get(name, name): found.get_params()[named.get(name, name)] for name in said if name != "epochs"
    }


def test_standard_input_and_output(run, model, small, fitted_small, monkeypatch):
    """A table may come from standard input, and rows go to standard output, in many chunks as in one."""
    read = []

    def fit(self, X):
        read.append(pd.read_csv(X))
        vars(self).update(vars(fitted_small))

    monkeypatch.setattr(BatchLSTMSynthesizer, "fit", fit)
    assert 0 == run("fit", "-", "-o", "other", input=small.to_csv(index=False)).exit_code
    assert_frame_equal(pd.read_csv(io.StringIO(small.to_csv(index=False))), read[0])
    drawn = run("sample", model, "-n", 25_000, "-o", "-", "--seed", 1)
    assert fitted_small.sample(25_000, random_state=1).to_csv(index=False) == drawn.stdout


def test_rows_that_are_given(run, model):
    """What is given holds in every row, also of Parquet."""
    given = ["--given", "count=1..2", "--given", "colour=red", "--given", "colour=", "--given", "flag=yes"]
    assert 0 == run("sample", model, "-n", 200, "-o", "rows.parquet", "--seed", 1, *given).exit_code
    rows = pd.read_parquet("rows.parquet")
    assert {1, 2} == set(rows["count"])
    assert {"red", None} == set(rows["colour"].astype(object).where(rows["colour"].notna(), None))
    assert rows["flag"].all()


SCHEMA = {
    "age": Number(0, 120, precision=0, dtype="int64"),
    "wait": Number(pd.Timedelta(0), pd.Timedelta("9D"), precision="s", dtype="timedelta64[s]"),
    "income": Category(("<=50K", ">50K"), dtype="str"),
    "grade": Category((1, 2, 3), dtype="int64"),
    "size": Category(("S", "M", "L"), ordered=True, levels=("S", "M", "L"), dtype="category[str]"),
    "range": Category(("1..2", "3..4"), dtype="str"),
    "member": Boolean(dtype="bool"),
    "day": Datetime("2020-01-01", "2020-12-31", resolution="D", dtype="datetime64[ns]"),
    "written": Datetime("2020-01-01", "2020-12-31", resolution="D", format="%Y-%m-%d", dtype="str"),
    "note": Text(dtype="str"),
    "key": Identifier(dtype="str"),
    "a=b": Number(0, 1, precision=0, dtype="int64"),
    "a": Number(0, 1, precision=0, dtype="int64"),
    5: Number(0, 1, precision=0, dtype="int64"),
}


@pytest.mark.parametrize(
    ("text", "column", "value"),
    [
        ("age=30", "age", 30),
        ("age=30.5", "age", 30.5),
        ("age=-1e3", "age", -1000.0),
        ("age=20..40", "age", Interval(20, 40)),
        ("age=-5..", "age", Interval(low=-5)),
        ("age=..40", "age", Interval(high=40)),
        ("age=", "age", None),
        ("wait=90 min", "wait", pd.Timedelta("90min")),
        ("wait=1h..2h", "wait", Interval(pd.Timedelta("1h"), pd.Timedelta("2h"))),
        ("income=>50K", "income", ">50K"),
        ("income=other", "income", "other"),
        ("grade=2", "grade", 2),
        ("size=M", "size", "M"),
        ("size=S..M", "size", Interval("S", "M")),
        ("range=1..2", "range", "1..2"),
        ("member=No", "member", False),
        ("member=1", "member", True),
        ("day=2020-02-01", "day", pd.Timestamp("2020-02-01")),
        ("day=2020-02-01..", "day", Interval(low=pd.Timestamp("2020-02-01"))),
        ("written=2020-02-01..2020-03-01", "written", Interval("2020-02-01", "2020-03-01")),
        ("note=wait... what=this", "note", "wait... what=this"),
        ("key=A..B", "key", "A..B"),
        ("a=b=1", "a=b", 1),
        ("a=1", "a", 1),
        ("5=1", 5, 1),
    ],
)
def test_what_is_given_is_read_by_the_kind_of_the_column(text, column, value):
    """Values, intervals and missing cells are read as what the column holds."""
    ((found, read),) = parse_given([text], SCHEMA).items()
    assert (column, value) == (found, read)
    assert type(value) is type(read)


def test_what_is_given_of_one_column_several_times():
    """Of a column that is named several times any of the values may hold; without any there is nothing given."""
    texts = ["age=1", "income=>50K", "age=", "age=5..6"]
    assert {"age": [1, None, Interval(5, 6)], "income": ">50K"} == parse_given(texts, SCHEMA)
    assert parse_given([], SCHEMA) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("age", "expected COLUMN=VALUE, got 'age'"),
        ("none=1", "there is no column 'none': the columns are age, wait, income"),
        ("age=old", "column 'age' is a number, got 'old'; write it as in age=30 or age=20..40"),
        ("age=1..old", "column 'age' is a number, got 'old'"),
        ("age=4..1", "column 'age': Interval: got low=4 above high=1"),
        ("age=nan", "column 'age' is a number, got 'nan'"),
        ("age=inf", "column 'age' is a number, got 'inf'"),
        ("wait=long", "column 'wait' is a number, got 'long'"),
        ("member=maybe", "column 'member' is a boolean, got 'maybe'; write it as in member=true"),
        ("day=never", "column 'day' is a datetime, got 'never'; write it as in day=2020-01-31"),
        ("day=NaT", "column 'day' is a datetime, got 'NaT'"),
    ],
)
def test_what_is_no_value_of_a_column_is_wrong_usage(text, message):
    """What cannot be read is refused, with the column, what was got and what is expected."""
    with pytest.raises(click.BadParameter) as caught:
        parse_given([text], SCHEMA)
    assert message in caught.value.message
    assert "--given" == caught.value.param_hint


WRONG = {
    "no command": [],
    "no such command": ["draw"],
    "no such option": ["fit", "--nonsense"],
    "no output": ["fit", "table.csv"],
    "no number": ["sample", "model", "-n", "many", "-o", "-"],
    "no rows": ["sample", "model", "-n", "0", "-o", "-"],
    "no such report": ["report", "real.csv", "other.csv", "-o", "report.pdf"],
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_usage_is_2(run, name):
    """Wrong usage ends with 2 and says how it is done, on standard error."""
    done = run(*WRONG[name])
    assert (2, "") == (done.exit_code, done.stdout)
    assert "Usage: " in done.stderr


def test_a_wrong_column_is_wrong_usage(run, model):
    """Given columns that there are not end with 2, and are named."""
    done = run("sample", model, "-n", 3, "-o", "-", "--given", "none=1")
    assert (2, "") == (done.exit_code, done.stdout)
    assert "Invalid value for --given: there is no column 'none': the columns are colour, flag, count" in done.stderr


FAILURES = {
    "no such table": (["fit", "none.csv", "-o", "new"], "there is no file 'none.csv'"),
    "no such parquet": (["fit", "none.parquet", "-o", "new"], "there is no file 'none.parquet'"),
    "empty": (["fit", "empty.csv", "-o", "new"], "empty.csv is empty: got 0 columns"),
    "too many fields": (
        ["fit", "wide.csv", "-o", "new"],
        "wide.csv cannot be read as CSV: Expected 2 fields in line 3",
    ),
    "no text": (["fit", "bytes.csv", "-o", "new"], "bytes.csv is not UTF-8: got 0xff"),
    "cut off": (["fit", "cut.parquet", "-o", "new"], "cut.parquet cannot be read as Parquet"),
    "no rows": (["fit", "header.csv", "-o", "new"], "header.csv is empty: got 0 rows"),
    "no such schema": (["fit", "table.csv", "-o", "new", "--schema", "none"], "none: No such file or directory"),
    "a broken schema": (["fit", "table.csv", "-o", "new", "--schema", "empty.csv"], "empty.csv: Expecting value"),
    "a negative epsilon": (["fit", "table.csv", "-o", "new", "--epsilon", "-1"], "The 'epsilon' parameter"),
    "a model that is there": (["fit", "table.csv", "-o", "old"], "old: is there already: pass --overwrite"),
    "a folder": (["fit", "table.csv", "-o", "."], ".: is a folder, expected the name of a file"),
    "no folder": (["fit", "table.csv", "-o", "none/new"], "none/new: there is no folder"),
    "no model": (["info", "table.csv"], "table.csv: got no readable archive"),
    "no such model": (["sample", "none", "-n", "3", "-o", "-"], "none: No such file or directory"),
    "rows that are there": (
        ["sample", "MODEL", "-n", "3", "-o", "table.csv"],
        "table.csv: is there already: pass --overwrite",
    ),
    "another format": (["sample", "MODEL", "-n", "3", "-o", "rows.txt"], "path must end in .parquet, .csv or .csv.gz"),
    "no temperature": (["sample", "MODEL", "-n", "3", "-o", "-", "--temperature", "0"], "temperature must be a number > 0"),
    "outside": (["sample", "MODEL", "-n", "3", "-o", "-", "--given", "count=99"], "given['count'] is "),
    "other columns": (["report", "table.csv", "header.csv"], "header.csv is empty: got 0 rows"),
    "a schema that is there": (["schema", "table.csv", "-o", "old"], "old: is there already: pass --overwrite"),
    "nothing to tell of": (["schema", "none.csv"], "there is no file 'none.csv'"),
    "a schema of another table": (
        ["schema", "table.csv", "--schema", "known.json"],
        "schema names columns that the table has not",
    ),
    "a schema in UTF-16": (["fit", "table.csv", "-o", "new", "--schema", "bytes.csv"], "bytes.csv is not UTF-8: got 0xff"),
    "no such target": (["report", "table.csv", "table.csv", "--target", "c"], "target must be a column of real, got 'c'"),
}


@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_is_one_line_and_1(run, model, name):
    """What fails ends with 1 and one line on standard error that names the file or value; no file is there afterwards."""
    Path("table.csv").write_text("a,b\n1,2\n3,4\n")
    Path("wide.csv").write_text("a,b\n1,2\n3,4,5\n")
    Path("header.csv").write_text("a,b\n")
    Path("empty.csv").touch()
    Path("old").touch()
    Path("known.json").write_text('[{"column": "c", "kind": "text"}]')
    Path("bytes.csv").write_bytes(b"a,b\n\xff\xfe,1\n")
    pd.DataFrame({"a": range(99)}).to_parquet("whole.parquet")
    Path("cut.parquet").write_bytes(Path("whole.parquet").read_bytes()[:-100])
    before = sorted(Path().iterdir())
    args, message = FAILURES[name]
    assert failed(run(*[str(model) if arg == "MODEL" else arg for arg in args])).startswith(f"sksynth: {message}")
    assert before == sorted(Path().iterdir())


def test_nothing_on_standard_input_is_a_failure(run):
    """An empty standard input is named as what is wrong."""
    assert "sksynth: standard input: got nothing, expected a table as CSV" == failed(run("fit", "-", "-o", "new", input=""))


def test_debug_shows_where(run):
    """With --debug an error passes with its traceback."""
    done = run("--debug", "info", "none")
    assert isinstance(done.exception, FileNotFoundError)
    shown = subprocess.run([*COMMAND, "--debug", "info", "none"], capture_output=True, text=True)
    assert 1 == shown.returncode
    assert "Traceback" in shown.stderr


def test_warnings_are_one_line():
    """A warning is told in one line on standard error, and the command goes on."""

    @click.group(cls=Program)
    @click.option("--debug", is_flag=True)
    def program(debug):
        pass

    @program.command()
    def warn():
        warnings.warn("something\n  is odd", UserWarning, stacklevel=1)
        click.echo("done")

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        done = CliRunner().invoke(program, ["warn"])
    assert (0, "done\n", "sksynth: warning: something is odd\n") == (done.exit_code, done.stdout, done.stderr)


def test_progress_is_on_standard_error(run, model, monkeypatch):
    """Bars are shown where they are asked for, on standard error alone; without a terminal they are not."""
    monkeypatch.setattr("sksynth._training._progress.SAMPLING_DELAY", 0)
    assert "" == run("sample", model, "-n", 5000, "-o", "quiet.csv").stderr
    done = run("sample", model, "-n", 5000, "-o", "rows.csv", "--progress")
    assert "" == done.stdout
    assert "sample: 100%" in done.stderr


def test_a_fit_that_is_interrupted_leaves_its_model(run, small, fitted_small, monkeypatch):
    """Ctrl-C ends a fit with 130, and what was learned by then is in the model file."""
    small.to_csv("real.csv", index=False)

    def interrupted(self, X):
        vars(self).update(vars(fitted_small), interrupted_=True, checkpoint_dir=self.checkpoint_dir)
        raise KeyboardInterrupt("the fit was interrupted")

    monkeypatch.setattr(BatchLSTMSynthesizer, "fit", interrupted)
    done = run("fit", "real.csv", "-o", "model", "--checkpoint-dir", "kept")
    assert 130 == done.exit_code
    (line,) = done.stderr.splitlines()
    assert line.startswith("sksynth: interrupted; wrote model: a model of 3 columns")
    assert line.endswith("; the same command with another --output goes on from kept")
    assert BatchLSTMSynthesizer.load("model").sample(3).shape == (3, 3)


def press(monkeypatch, owner, method):
    """Have Ctrl-C pressed when a method is called for the first time."""
    own, calls = getattr(owner, method), []

    def pressed(*args):
        calls.append(args)
        if len(calls) == 1:
            signal.raise_signal(signal.SIGINT)
        return own(*args)

    monkeypatch.setattr(owner, method, pressed)


@pytest.mark.usefixtures("sigint")
def test_a_fit_goes_on_after_ctrl_c(run, small, monkeypatch):
    """Ctrl-C before an epoch is over writes no model, later one of what was learned; the command that is named goes on."""
    small.to_csv("real.csv", index=False)
    how = ["fit", "real.csv", "--epochs", 3, "--seed", 0, "--checkpoint-dir", "kept"]
    done = run(*how[:-2], "-o", "whole")
    assert 0 == done.exit_code, done.stderr
    with monkeypatch.context() as patch:
        press(patch, Watch, "begin")
        done = run(*how, "-o", "first")
    assert (130, False) == (done.exit_code, os.path.exists("first"))
    assert done.stderr.startswith("sksynth: interrupted before every batch had trained for an epoch: first is not")
    assert done.stderr.endswith("the same command goes on from kept\n")

    with monkeypatch.context() as patch:
        press(patch, Gauge, "tell")
        done = run(*how, "-o", "first")
    assert (130, True) == (done.exit_code, os.path.exists("first"))
    assert "interrupted; wrote first" in done.stderr and "with another --output goes on from kept" in done.stderr

    assert 0 == run(*how, "-o", "second").exit_code
    samples = [BatchLSTMSynthesizer.load(name).sample(50, random_state=0) for name in ("whole", "second")]
    assert_frame_equal(*samples)


def started(*args, cwd, **how):
    """Start a command in a process of its own."""
    return subprocess.Popen([*COMMAND, *map(str, args)], cwd=cwd, stderr=subprocess.PIPE, text=True, **how)


@pytest.mark.skipif(os.name != "posix", reason="signals of Unix")
@pytest.mark.usefixtures("sigint")  # which processes that are started inherit
def test_ctrl_c_is_130_and_the_command_goes_on(model, fitted_small, tmp_path):
    """A command that Ctrl-C broke off ends with 130 and one line that says where its rows are; the same one goes on."""
    n = 30_000_000
    command = ["sample", model, "-n", n, "-o", "rows.csv", "--seed", 0]
    running = started(*command, cwd=tmp_path)
    progress = tmp_path / ".rows.csv.partial" / "progress.json"
    until = time.monotonic() + 300
    while not (progress.exists() and json.loads(progress.read_text())["tally"]["valid"]) and time.monotonic() < until:
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=300)
    assert 130 == running.returncode, err
    (line,) = err.splitlines()
    assert "of 30,000,000 rows are in" in line and "the same command goes on from there" in line
    assert [".rows.csv.partial"] == os.listdir(tmp_path)

    n_written = json.loads(progress.read_text())["tally"]["valid"]
    assert 0 < n_written < n
    written = (tmp_path / ".rows.csv.partial" / "rows").read_text()
    expected = fitted_small.sample(100, random_state=0).to_csv(index=False)
    assert written.startswith(expected)


@pytest.mark.skipif(os.name != "posix", reason="pipes of Unix")
def test_a_closed_pipe_ends_quietly(model, tmp_path):
    """Where whoever reads the rows has seen enough, the command ends without a word."""
    running = started("sample", model, "-n", 1_000_000, "-o", "-", cwd=tmp_path, stdout=subprocess.PIPE)
    assert "colour,flag,count\n" == running.stdout.readline()
    running.stdout.close()
    err = running.stderr.read()
    running.stderr.close()
    assert (141, "") == (running.wait(timeout=60), err)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_full_standard_output_is_a_failure(model, tmp_path):
    """Rows that cannot be written to standard output are an error, in one line."""
    with open("/dev/full", "w") as full:
        running = started("sample", model, "-n", 100_000, "-o", "-", cwd=tmp_path, stdout=full)
        _, err = running.communicate(timeout=120)
    assert (1, "sksynth: No space left on device\n") == (running.returncode, err)


def test_names_of_columns_that_are_no_text(run, few_valued, synthesizer):
    """A model of an array is told of, and its rows are written, by the places of the columns."""
    fitted = synthesizer().fit(few_valued(40, ["a", "b"]).to_numpy())
    fitted.save("model")
    assert run("info", "model").stdout.startswith("2 columns in 1 batch\n  batch 0: ")
    drawn = run("sample", "model", "-n", 9, "-o", "-", "--given", "0=true", "--seed", 0).stdout
    read = pd.read_csv(io.StringIO(drawn))
    assert ["0", "1"] == list(read.columns)
    assert read["0"].all()
    assert (fitted.sample(9, given={0: True}, random_state=0) == read.to_numpy(np.bool_)).all()


def test_schema_comes_before_reading(run, tmp_path):
    """Postal codes keep their zero from a file and from standard input, by themselves and where the schema says text."""
    text = "\n".join(["plz,n", *["01001,7", "80331,8"] * 30])
    Path("real.csv").write_text(text)
    Path("schema.json").write_text(Schema({"n": Category(dtype="str")}).to_json())
    for table in ("real.csv", "-"):
        done = run("fit", table, "-o", "model", "--schema", "schema.json", "--epochs", 1, "--overwrite", input=text)
        assert 0 == done.exit_code, done.stderr
        rows = BatchLSTMSynthesizer.load("model").sample(20, random_state=0)
        assert {"01001", "80331", "7", "8"} == set(rows.stack())


def test_a_model_is_no_standard_output(run, small):
    """`fit -o -` is wrong usage, before any work."""
    small.to_csv("real.csv", index=False)
    done = run("fit", "real.csv", "-o", "-")
    assert 2 == done.exit_code
    assert "a model is written to a file" in done.stderr
    assert ["real.csv"] == os.listdir()


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_info_is_told_in_any_encoding(few_valued, synthesizer, tmp_path, encoding):
    """Where standard output has no such character, `info` escapes it."""
    synthesizer().fit(few_valued(40, ["Plzeň", "東京"])).save(tmp_path / "model")
    environment = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = subprocess.run([*COMMAND, "info", tmp_path / "model"], capture_output=True, env=environment)
    assert (0, b"") == (done.returncode, done.stderr)
    assert rb"\u6771\u4eac" in done.stdout


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_tables_are_told_of_in_any_encoding(tmp_path, encoding):
    """Where standard output has no such character, `schema` and `report` escape it, and write files in UTF-8."""
    pd.DataFrame({"città": ["Plzeň", "北京"] * 30, "東京": range(60)}).to_csv(tmp_path / "real.csv", index=False)
    pd.DataFrame({"città": ["Plzeň", "北京"] * 30, "東京": range(0, 600, 10)}).to_csv(tmp_path / "far.csv", index=False)
    environment = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    for args in (["schema", "real.csv", "-o", "schema.json"], ["report", "real.csv", "far.csv"]):
        done = subprocess.run([*COMMAND, *args], capture_output=True, env=environment, cwd=tmp_path)
        assert 0 == done.returncode, done.stderr
        assert rb"\u6771\u4eac" in done.stdout
    assert ["città", "東京"] == list(Schema.from_json((tmp_path / "schema.json").read_text("utf-8")))


@pytest.mark.skipif(os.name != "posix", reason="a shell of Unix")
@pytest.mark.parametrize("args", [["info"], ["sample", "-n", "5", "-o", "-"]])
def test_a_closed_standard_output_is_named(model, args):
    """A closed standard output is a failure in one line."""
    command = ["sh", "-c", '"$@" >&-', "sh", *COMMAND, args[0], str(model), *args[1:]]
    done = subprocess.run(command, capture_output=True, text=True)
    assert 1 == done.returncode
    assert done.stderr.startswith("sksynth: ") and "standard output is closed" in done.stderr
    assert 1 == len(done.stderr.splitlines())
