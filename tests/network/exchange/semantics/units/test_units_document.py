"""The examples of the page on units run."""

from __future__ import annotations

import doctest
from pathlib import Path

import hulian.network.exchange.semantics.units.conversion as conversion

PAGE = Path(__file__).resolve().parents[5] / "docs" / "topics" / "semantics-units.md"


def test_the_page_tells_the_truth():
    found = doctest.testfile(str(PAGE), module_relative=False, encoding="utf-8", optionflags=doctest.NORMALIZE_WHITESPACE)
    assert found.attempted > 10
    assert found.failed == 0


def test_the_docstrings_tell_the_truth():
    found = doctest.testmod(conversion)
    assert found.attempted
    assert found.failed == 0
