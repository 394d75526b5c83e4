"""The Python of the README and of the pages under docs runs as it stands, from top to bottom, as a script."""

import ast
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from sksynth.datasets import load_adult

ROOT = Path(__file__).resolve().parents[1]


def python_of(page):
    """Return the Python of a page as one script."""
    blocks = re.findall(r"^```python\n(.*?)^```$", (ROOT / page).read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return "\n".join(blocks)


def statements(page):
    """Return the statements of a page's Python, without comments."""
    return [ast.unparse(node) for node in ast.parse(python_of(page)).body]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return a function that runs the Python of a page as one script, in an empty folder, and returns its names."""
    monkeypatch.chdir(tmp_path)

    def run_page(page):
        script = tmp_path / "page.py"
        script.write_text(python_of(page), encoding="utf-8")
        return runpy.run_path(str(script), run_name="__main__")

    return run_page


def test_code_on_tokenizers_runs(run):
    """The page on tokenizers makes one that is fitted, checked, sampled, saved and loaded; what is no gene is refused."""
    names = run("docs/tokenizers.md")
    assert type(names["again"].tokenizer_) is names["GeneTokenizer"]
    assert len(set(names["samples"])) > 50
    for text, slot in [("GCTGCTTAA", "codon 1"), ("ATGGCT", "codon 3"), ("ATGTAAGCT", "codon 3"), ("ATGG", "codon 2")]:
        with pytest.raises(ValueError, match=f"slot '{slot}'"):
            names["again"].score([text])


@pytest.mark.slow
def test_code_on_text_runs(run):
    """The page on text makes fresh lines, none of which holds a line of fit of more than 40 characters."""
    names = run("docs/text.md")
    assert len(names["fresh"]) == 20
    assert not any(len(line) > 40 and line in text for text in names["fresh"] for line in names["lines"])


@pytest.mark.slow
def test_code_on_training_runs(run):
    """The page on training makes a synthesizer that stands in a file at the end, as it was."""
    names = run("docs/training.md")
    assert (names["folder"] / "checkpoints" / "batch_0" / "history.csv").exists()
    assert names["again"].history_.equals(names["synthesizer"].history_)


@pytest.mark.slow
def test_code_on_large_tables_runs(run):
    """The page on large tables learns a folder of files, with the dtypes that are in them."""
    pytest.importorskip("pyarrow", reason="pyarrow is the extra parquet")
    names = run("docs/large.md")
    assert (names["sample"].dtypes == names["load_adult"]().dtypes).all()


@pytest.mark.slow
def test_code_on_wide_tables_runs(run):
    """The page on wide tables makes batches that are linked, and others that are not, which make real rows less likely."""
    names = run("docs/wide.md")
    assert any(names["synthesizer"].links_)
    assert not any(names["unlinked"].links_)
    assert names["synthesizer"].score(names["adult"]) > names["unlinked"].score(names["adult"])


@pytest.mark.slow
def test_code_on_questions_runs(run):
    """The page on questions fills all missing cells of a table, several times in other ways, and keeps the rest."""
    names = run("docs/given.md")
    holes, filled = names["holes"], names["filled"]
    assert holes.isna().any().any() and not filled.isna().any().any()
    assert (filled.astype(object) == holes.astype(object))[holes.notna()].sum().sum() == holes.notna().sum().sum()
    assert len(names["several"]) == 5 and not names["several"][0].equals(names["several"][1])


@pytest.mark.slow
def test_code_on_evaluation_runs(run):
    """The page on evaluation finds its synthetic table close to the real one, and the report has its figures."""
    names = run("docs/evaluation.md")
    assert names["page"].stat().st_size > 10_000
    value = names["figures"].set_index("metric")["value"]
    assert value["dcr_share"] == pytest.approx(names["share"]) and 0.4 < names["share"] < 0.6
    assert value["utility"] == pytest.approx(names["tstr"], abs=0.02) and 0.7 < names["tstr"] < names["trtr"] + 0.02


@pytest.mark.slow
def test_code_on_privacy_runs(run, capsys):
    """The page on privacy spends what it says."""
    names = run("docs/privacy.md")
    assert 2.9 < names["synthesizer"].epsilon_ <= 3.0
    assert "Not covered" in capsys.readouterr().out


@pytest.mark.slow
def test_code_of_the_readme_runs(run):
    """The README makes the table that it promises, and searches among the values that it names."""
    names = run("README.md")
    assert len(names["synthetic"]) == 1000
    assert list(names["synthetic"].columns) == list(names["adult"].columns)
    assert names["search"].best_params_["table__text_model__rnn_units"] in (16, 32)
    assert set(names["schema"]) <= set(names["adult"].columns)
    assert Path("report.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


@pytest.mark.slow
def test_code_on_tables_runs(run):
    """The page on tables samples rows of the dtypes of fit, and rows that a validator accepts."""
    names = run("docs/tables.md")
    assert (names["sample"].dtypes == names["orders"].dtypes).all()
    assert len(names["cheap"]) == 100
    assert len(pd.read_parquet("orders.parquet")) == 2500
    assert pd.read_csv("orders.csv.gz")["member"].all()
    assert len(names["unlikely"]) == 3


@pytest.mark.slow
def test_code_on_schemas_runs(run):
    """The page on schemas shows what is inferred as it is printed there, and samples within what is said."""
    names = run("docs/schema.md")
    shown = re.search(r"^```text\n(.*?)\.\.\.\n```$", (ROOT / "docs/schema.md").read_text(), re.MULTILINE | re.DOTALL)[1]
    printed = str(names["inferred"]).splitlines()[:5]
    assert [re.split("  +", line)[:3] for line in shown.splitlines()] == [re.split("  +", line)[:3] for line in printed]
    assert names["synthesizer"].schema_["age"].low == 18


def test_code_of_the_first_page_is_that_of_the_readme():
    """What the first page shows are lines of the README, in their order, and so is run."""
    shown, run_lines = (iter(statements(page)) for page in ("docs/index.md", "README.md"))
    assert all(line in run_lines for line in shown)


@pytest.mark.slow
def test_commands_of_the_page_on_the_command_line_run(tmp_path):
    """The commands of the page run one after another in a shell, and make what they say."""
    load_adult().head(500).to_csv(tmp_path / "adult.csv", index=False)
    page = (ROOT / "docs/command_line.md").read_text(encoding="utf-8")
    commands = "".join(re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))
    script = f'set -euo pipefail\nsksynth() {{ "{sys.executable}" -m sksynth "$@"; }}\n{commands}'
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, capture_output=True, text=True)
    assert 0 == done.returncode, done.stderr
    assert all(line.startswith(("sksynth: wrote ", "sksynth: warning: fit made ")) for line in done.stderr.splitlines())
    given = pd.read_csv(tmp_path / "given.csv")
    assert given["age"].between(20, 40).all() and set(given["income"]) == {">50K"}
    assert given["workclass"].dropna().eq("Private").all()
    assert (tmp_path / "report.html").stat().st_size > 10_000


def test_every_page_with_code_runs():
    """Each page that holds Python is run by a test of this file."""
    pages = [
        path for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")] if "\n```python\n" in path.read_text("utf-8")
    ]
    tested = re.findall(r'run\("(.+?)"\)', Path(__file__).read_text(encoding="utf-8"))
    assert {path.relative_to(ROOT).as_posix() for path in pages} == {*tested, "docs/index.md"}


def test_links_between_pages_hold():
    """Links of the README and of the pages lead to files of the repository, and to headings that are there."""
    made = {"gallery/index.rst", *(f"gallery/{path.stem}.rst" for path in (ROOT / "examples").glob("*.py"))}
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            path, _, anchor = target.partition("#")
            if "://" in target or (page.parent == ROOT / "docs" and path in made):
                continue
            assert (page.parent / path).exists(), f"{page.name}: {target}"
            assert not anchor or anchor in headings(page.parent / path), f"{page.name}: {target}"


def headings(page):
    """Return the anchors of a page's headings."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}
