"""The examples of the page on units run."""

from __future__ import annotations

import doctest
import sys
from pathlib import Path

import hulian.network.exchange.semantics.units.conversion  # noqa: F401 - its docstrings are run

PAGE = Path(__file__).resolve().parents[5] / "docs" / "topics" / "semantics-units.md"


def test_the_page_tells_the_truth():
    text = PAGE.read_text(encoding="utf-8").replace("```", "")
    page = doctest.DocTestParser().get_doctest(text, {}, PAGE.name, str(PAGE), 0)
    found = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE).run(page)
    assert found.attempted > 10
    assert found.failed == 0


def test_the_docstrings_tell_the_truth():
    found = doctest.testmod(sys.modules["hulian.network.exchange.semantics.units.conversion"])
    assert found.attempted
    assert found.failed == 0
