"""Docstrings of public names say what their signatures say, and stand in the API reference."""

import ast
import importlib
import inspect
import re
import textwrap
from pathlib import Path

import pytest
from numpydoc.docscrape import NumpyDocString

import sksynth

ROOT = Path(__file__).resolve().parents[1]
MODULES = ["sksynth", *(f"sksynth.{name}" for name in sksynth.__all__ if inspect.ismodule(getattr(sksynth, name)))]


def public_objects():
    """Return every public class and function by its full name, each once."""
    found = {}
    for module in map(importlib.import_module, MODULES):
        named = {name: getattr(module, name) for name in module.__all__}
        found |= {f"{module.__name__}.{name}": item for name, item in named.items() if is_ours(item)}
    return found


def is_ours(item):
    """Tell whether this is a class or function of the package."""
    return (inspect.isclass(item) or inspect.isfunction(item)) and item.__module__.startswith("sksynth")


def methods_of(cls):
    """Return the public methods of a class that the package wrote, also those of its private bases, by name."""
    members = {name: inspect.unwrap(getattr(cls, name)) for name in dir(cls) if not name.startswith("_")}
    functions = {name: getattr(member, "__func__", member) for name, member in members.items()}
    return {name: function for name, function in functions.items() if inspect.isfunction(function) and is_ours(function)}


PUBLIC = public_objects()
CLASSES = {name: item for name, item in PUBLIC.items() if inspect.isclass(item)}
CALLED = {name: (None, item) for name, item in PUBLIC.items() if inspect.isfunction(item)} | {
    f"{name}.{method}": (cls, function) for name, cls in CLASSES.items() for method, function in methods_of(cls).items()
}


def docs_of(cls, function):
    """Return the docstring of a function; of a method without sections, that of the base whose method it is."""
    names = [base.__dict__.get(function.__name__) for base in (cls.__mro__ if cls else ())]
    functions = [inspect.unwrap(getattr(item, "__func__", item)) for item in names if item is not None] or [function]
    texts = [inspect.getdoc(item) for item in functions if getattr(item, "__doc__", None)]
    return NumpyDocString(next((text for text in texts if re.search(r"^---", text, re.MULTILINE)), texts[0]))


def documented(section):
    """Return the names in a section, those that share a line one by one."""
    return [name.strip().lstrip("*") for entry in section for name in entry.name.split(",")]


def mismatch(parameters, names):
    """Return what is wrong with the documented names: all have to be there, those that are passed by position in order."""
    expected = [name for name in parameters if name not in ("self", "cls") and not name.startswith("_")]
    by_position = [name for name in expected if parameters[name].kind is not inspect.Parameter.KEYWORD_ONLY]
    in_order = [name for name in names if name in by_position] == by_position
    return None if sorted(names) == sorted(expected) and in_order else f"documented {names}, expected {expected}"


def outcomes(function):
    """Return what a function does that a section tells of: "Returns" (or yields), "Raises"; not what functions within do."""
    found, waiting = set(), list(ast.parse(textwrap.dedent(inspect.getsource(function))).body[0].body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.FunctionDef | ast.Lambda | ast.ClassDef):
            continue
        if isinstance(node, ast.Yield | ast.YieldFrom) or (isinstance(node, ast.Return) and not is_none(node.value)):
            found.add("Returns")
        elif isinstance(node, ast.Raise):
            found.add("Raises")
        waiting += ast.iter_child_nodes(node)
    return found


def is_none(value):
    """Tell whether what is returned is nothing."""
    return value is None or (isinstance(value, ast.Constant) and value.value is None)


@pytest.mark.parametrize("name", CALLED)
def test_parameters_are_documented(name):
    """A public function or method documents the parameters of its signature, in the order in which they are passed."""
    cls, function = CALLED[name]
    names = documented(docs_of(cls, function)["Parameters"])
    assert mismatch(inspect.signature(function).parameters, names) is None


@pytest.mark.parametrize("name", CALLED)
def test_results_and_errors_are_documented(name):
    """A public function or method that returns, yields or raises something says what."""
    cls, function = CALLED[name]
    docs = docs_of(cls, function)
    told = {name for name in ("Returns", "Raises") if docs[name]} | ({"Returns"} if docs["Yields"] else set())
    assert outcomes(function) - told == set()


@pytest.mark.parametrize("name", CLASSES)
def test_constructors_are_documented(name):
    """A public class documents what its constructor takes: as parameters, or as the attributes that they become."""
    cls, docs = PUBLIC[name], NumpyDocString(inspect.getdoc(PUBLIC[name]))
    if inspect.isabstract(cls) or "__init__" not in vars(cls):
        assert documented(docs["Parameters"]) == []
        return
    parameters = inspect.signature(cls).parameters
    names = documented(docs["Parameters"]) or [name for name in documented(docs["Attributes"]) if name in parameters]
    assert mismatch(parameters, names) is None


def test_reference_has_every_public_name():
    """The API reference lists all public classes and functions, under their modules, and nothing else."""
    text = (ROOT / "docs" / "api.rst").read_text(encoding="utf-8")
    listed = set()
    for part in re.split(r"^\.\. currentmodule:: ", text, flags=re.MULTILINE)[1:]:
        module = part.split()[0]
        listed |= {f"{module}.{name}" for name in re.findall(r"^   (\w+)$", part, re.MULTILINE)}
    assert listed == set(PUBLIC)


def test_rules_see_what_they_should():
    """A name that is missing, invented or out of order is found; statements within inner functions do not count."""

    def outer(a, b, *, c=None):
        def inner():
            raise ValueError
            return 1

        return None

    parameters = inspect.signature(outer).parameters
    assert mismatch(parameters, ["a", "b", "c"]) is None and mismatch(parameters, ["c", "a", "b"]) is None
    assert all(mismatch(parameters, names) for names in (["a", "b"], ["b", "a", "c"], ["a", "b", "c", "d"]))
    assert outcomes(outer) == set() and outcomes(mismatch) == {"Returns"} and outcomes(check_raises) == {"Raises"}


def check_raises():
    """Raise an error, and return nothing."""
    if PUBLIC:
        raise ValueError
    return None
