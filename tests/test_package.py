import ast
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import sksynth

ROOT = Path(__file__).resolve().parents[1]
SOURCE = ROOT / "sksynth"
HEAVY = {"pyarrow", "tensorflow", "keras", "pandas", "sklearn", "scipy", "numpy", "joblib", "tqdm"}

# The package's rooms, and from which others each may import. Every module stands here: a new one has to find its place.
FLOOR = {
    "_coerce", "_formats", "_grammar", "_interval", "_memory_map", "_notes", "_plain", "_random", "_remedies", "_sampling",
    "_sources", "_state", "_times", "_validation", "_values",
}  # fmt: skip
PARTS = {"_association": "_clusterer"} | dict.fromkeys(
    ("_admit", "_complete", "_doubts", "_guess", "_guess_numbers", "_infer", "_pattern"), "fields"
)
BELOW = {"core", "fields", "persistence", "privacy", "tokenizers", *FLOOR}
USES = {
    "__init__": {"_forks"},
    "_forks": set(),
    "datasets": set(),
    "fields": FLOOR,
    "tokenizers": {"fields", "persistence", *FLOOR},
    "core": {"_forks", "_grammar", "_memory_map", "_random", "privacy"},
    "privacy": set(),
    "evaluation": {"__version__", "_random", "_validation", "_values"},
    "persistence": {"__version__"},
    "_clusterer": {"privacy", *FLOOR},
    "_links": {"_clusterer"},
    "_survey": {"fields", *FLOOR},
    "_tables": {"_survey", "fields", "tokenizers", *FLOOR},
    "_workers": set(),
    "_training": {"_workers", "core", "persistence", *FLOOR},
    "_private": {"_clusterer", "_training", "fields", "privacy", "tokenizers", *FLOOR},
    "_chain": {"_workers", "core", *FLOOR},
    "_generative": {"_chain", "_private", "_training", "persistence", "privacy", *FLOOR},
    "_parameters": {"_generative", "_private", *FLOOR},
    "_text_sampling": {"_chain", "_generative", "_training", "core", *FLOOR},
    "_sample_files": {"__version__", "persistence", *FLOOR},
    "_table_sampling": {"_chain", "_generative", "_links", "_sample_files", "core", *FLOOR},
    "_files": {"_clusterer", "_links", "_private", "_text_model", "_training", "__version__", *BELOW},
    "_text_model": {"_files", "_generative", "_parameters", "_private", "_text_sampling", "_training", *BELOW},
    "_synthesizer": {
        "_clusterer",
        "_files",
        "_generative",
        "_links",
        "_parameters",
        "_private",
        "_table_sampling",
        "_tables",
        "_text_model",
        "_training",
        *BELOW,
    },
    "cli": {"BatchLSTMSynthesizer", "__version__", "_tables", "evaluation", "fields", "persistence"},
    "__main__": {"cli"},
} | dict.fromkeys(FLOOR, FLOOR)


def run_python(code):
    """Return the standard output of a fresh interpreter, as a set of words."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def imported(path):
    """Yield the absolute name of everything that a source file imports, wherever in it."""
    package = ["sksynth", *path.relative_to(SOURCE).parent.parts]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


def room_of(name):
    """Return the room that an absolute name of the package lies in."""
    first = name.split(".")[1]
    return PARTS.get(first, first)


def imports_by_room():
    """Return the imports of every room as pairs: importing file, imported name."""
    rooms = {}
    for path in sorted(SOURCE.rglob("*.py")):
        name = ".".join(["sksynth", *path.relative_to(SOURCE).with_suffix("").parts])
        rooms.setdefault(room_of(name), []).extend((path.relative_to(SOURCE).as_posix(), other) for other in imported(path))
    return rooms


def rooms_that_import(*packages):
    """Return the rooms that import any of these libraries."""
    return {room for room, pairs in imports_by_room().items() for _, name in pairs if name.split(".")[0] in packages}


def test_top_level_holds_only_what_it_may():
    """The repository shows its package, tests, docs and examples, and nothing else but the files that say what it is."""
    names = {path.name for path in ROOT.iterdir() if not path.name.startswith(".")}
    assert names == {"LICENSE", "README.md", "docs", "examples", "pyproject.toml", "sksynth", "tests"}


def test_every_room_has_its_place():
    """Every module and subpackage stands in the table of what it may import."""
    assert set(imports_by_room()) == set(USES)


@pytest.mark.parametrize("room", sorted(USES))
def test_imports_go_one_way(room):
    """A room imports only from the rooms below it."""
    own = [(path, name) for path, name in imports_by_room()[room] if name.startswith("sksynth.")]
    assert [(path, name) for path, name in own if room_of(name) not in USES[room] | {room}] == []


def test_only_the_core_imports_tensorflow():
    """TensorFlow and Keras are imported in the core, and nowhere else."""
    assert rooms_that_import("tensorflow", "keras") == {"core"}


def test_the_core_knows_no_tables():
    """The core imports neither pandas nor scikit-learn."""
    assert "core" not in rooms_that_import("pandas", "sklearn")


def test_the_rule_on_imports_sees_what_it_should(tmp_path, monkeypatch):
    """Relative imports of every level, also within functions, are resolved to absolute names."""
    monkeypatch.setattr(sys.modules[__name__], "SOURCE", tmp_path)
    (tmp_path / "core").mkdir()
    path = tmp_path / "core" / "_a.py"
    path.write_text(
        "import keras.layers\nfrom .. import fields\ndef f():\n    from ..tokenizers._b import C\n    from ._d import E\n"
    )
    assert list(imported(path)) == ["keras.layers", "sksynth.fields", "sksynth.tokenizers._b.C", "sksynth.core._d.E"]
    assert [room_of(f"sksynth.{name}") for name in ("core._a", "fields", "_infer")] == ["core", "fields", "fields"]


def test_import_loads_nothing_heavy():
    """Importing the package loads no library but the one that makes it lazy."""
    loaded = run_python("import sys, sksynth; print(*{name.split('.')[0] for name in sys.modules})")
    assert "sksynth" in loaded
    assert not HEAVY & set(loaded)


def test_names_arrive_without_tensorflow():
    """Every public name can be imported, and none loads TensorFlow or Keras."""
    loaded = run_python(f"import sys; from sksynth import {', '.join(sksynth.__all__)}; print(*sys.modules)")
    assert "sksynth._clusterer" in loaded
    assert not {"tensorflow", "keras"} & set(loaded)


def test_import_is_light():
    """The synthesizer takes less than half the time of pandas and scikit-learn's base to import, on top of them."""
    code = (
        "from time import perf_counter\nstart = perf_counter()\nimport pandas, sklearn.base\nbetween = perf_counter()\n"
        "from sksynth import BatchLSTMSynthesizer\nprint((perf_counter() - between) / (between - start))"
    )
    assert any(float(run_python(code)[0]) < 0.5 for _ in range(5))  # the first time compiles, others may be disturbed


def test_public_names():
    """The package offers its estimators and submodules, and tells its version."""
    assert {"BatchLSTMSynthesizer", "ColumnClusterer", "LSTMTextModel", "datasets", "fields", "tokenizers"} <= set(
        dir(sksynth)
    )
    assert re.fullmatch(r"\d+\.\d+\.\d+", sksynth.__version__)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = sksynth.no_such_name


def test_wheel_holds_what_it_needs(tmp_path):
    """The wheel carries code, type marker, stub, data and licence, and neither tests nor caches."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(tmp_path)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    assert wheel.name == f"sksynth-{sksynth.__version__}-py3-none-any.whl"
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = {path.relative_to(ROOT).as_posix() for path in SOURCE.rglob("*.py")}
    extras = {
        "sksynth/__init__.pyi",
        "sksynth/evaluation/__init__.pyi",
        "sksynth/evaluation/_report/page.css",
        "sksynth/evaluation/_report/page.html",
        "sksynth/privacy/__init__.pyi",
        "sksynth/data/README.md",
        "sksynth/data/adult.csv.gz",
        "sksynth/py.typed",
    }
    assert {name for name in names if name.startswith("sksynth/")} == modules | extras
    assert {name.partition("/")[0] for name in names} == {"sksynth", f"sksynth-{sksynth.__version__}.dist-info"}
    assert f"sksynth-{sksynth.__version__}.dist-info/licenses/LICENSE" in names


def readme():
    """Return the text of the README."""
    return (ROOT / "README.md").read_text(encoding="utf-8")


def test_ci_begins_with_the_commands_of_the_readme():
    """The first two steps of continuous integration are the two commands that the README opens with."""
    commands = re.findall(r"^```sh\n(.*)\n```$", readme(), re.MULTILINE)
    steps = re.findall(r'^step "(.*)"$', (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.MULTILINE)
    assert len(commands) == 2
    assert steps[:2] == commands


def test_readme_opens_with_its_commands():
    """Nothing but the title comes before the two commands."""
    assert re.match(r"# sksynth\n\n```sh\n.*\n```\n\n```sh\n.*\n```\n", readme())


def test_contributing_guide_maps_the_rooms():
    """The map of the rooms in the guide for contributors is the table above: every room, and what it uses beside the floor."""
    guide = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| .+ \|(.*)\|$", guide, re.MULTILINE)
    assert {room: set(re.findall(r"`(\w+)`", uses)) for room, uses in rows} == {
        room: uses - FLOOR for room, uses in USES.items() if room not in FLOOR | {"__init__", "__main__"}
    }
    told = re.search(r"\*Floor\*.*?;", guide, re.DOTALL)[0]
    assert set(re.findall(r"`(\w+)`", told)) == FLOOR
