"""The examples in the docstrings of the wire run, and nothing in it reaches for a clock, a socket or a file."""

from __future__ import annotations

import ast
import doctest
import importlib
import pkgutil
from pathlib import Path

import pytest

from hulian.network.identifiers import wire

MODULES = sorted(found.name for found in pkgutil.walk_packages(wire.__path__, wire.__name__ + "."))
FORBIDDEN = {
    "asyncio",
    "anyio",
    "logging",
    "os",
    "pathlib",
    "select",
    "socket",
    "ssl",
    "structlog",
    "subprocess",
    "threading",
    "time",
}


@pytest.mark.parametrize("name", MODULES)
def test_examples(name):
    module = importlib.import_module(name)
    assert module.__all__, "what is public is named"
    found = doctest.testmod(module, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    assert found.failed == 0


def test_there_are_examples():
    finder = doctest.DocTestFinder(exclude_empty=True)
    with_examples = [name for name in MODULES if any(one.examples for one in finder.find(importlib.import_module(name)))]
    assert len(with_examples) >= 8


@pytest.mark.parametrize("name", MODULES)
def test_no_clock_and_no_io(name):
    source = Path(importlib.import_module(name).__file__).read_text()
    for node in ast.walk(ast.parse(source)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [node.module]
        assert not {one.partition(".")[0] for one in names} & FORBIDDEN, names
        if isinstance(node, ast.Call):
            called = node.func
            assert not (isinstance(called, ast.Name) and called.id in {"open", "print", "input"})
            assert not (isinstance(called, ast.Attribute) and called.attr in {"now", "utcnow", "today"})
