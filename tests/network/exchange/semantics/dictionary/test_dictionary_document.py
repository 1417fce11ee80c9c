"""The examples of the page on dictionaries run, on the dictionary of the examples."""

from __future__ import annotations

import doctest
from pathlib import Path

ROOT = Path(__file__).resolve().parents[5]
PAGE = ROOT / "docs" / "topics" / "semantics-dictionary.md"


def test_the_page_tells_the_truth(tmp_path):
    text = PAGE.read_text(encoding="utf-8").replace("```", "")
    names = {"folder": tmp_path, "examples": ROOT / "examples" / "dictionary"}
    page = doctest.DocTestParser().get_doctest(text, names, PAGE.name, str(PAGE), 0)
    found = doctest.DocTestRunner().run(page)
    assert found.attempted > 20
    assert found.failed == 0
