"""The examples of the page run."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[5]


def test_the_page():
    page = ROOT / "docs" / "topics" / "semantics-nodeset.md"
    failed, tried = doctest.testfile(
        str(page), module_relative=False, optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    )
    assert tried > 15
    assert not failed


@pytest.mark.parametrize("name", ["names", "meaning", "matching"])
def test_docstrings(name):
    import importlib

    module = importlib.import_module(f"hulian.network.exchange.semantics.nodeset.{name}")
    failed, tried = doctest.testmod(module)
    assert tried
    assert not failed
