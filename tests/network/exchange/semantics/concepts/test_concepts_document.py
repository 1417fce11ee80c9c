"""The examples of the page on identifiers of concepts run."""

from __future__ import annotations

import doctest
from pathlib import Path

PAGE = Path(__file__).resolve().parents[5] / "docs" / "topics" / "semantics-concepts.md"


def test_the_page_tells_the_truth():
    text = PAGE.read_text(encoding="utf-8").replace("```", "")
    found = doctest.DocTestRunner().run(doctest.DocTestParser().get_doctest(text, {}, PAGE.name, str(PAGE), 0))
    assert found.attempted > 7
    assert found.failed == 0
