"""The worked examples of the pages on InstrumentML, described instruments and the Web of Things run as they stand."""

import re
from pathlib import Path

import pytest

TOPICS = Path(__file__).parents[3] / "docs" / "topics"
PAGES = ("semantics-instrumentml.md", "protocols-instrument.md", "semantics-wot.md")


@pytest.mark.parametrize("page", PAGES)
def test_the_examples_of_a_page_run(page):
    blocks = re.findall(r"```python\n(.*?)```", (TOPICS / page).read_text(), re.DOTALL)
    assert blocks
    names = {}
    for block in blocks:
        assert "assert" in block, "an example that shows nothing"
        exec(compile(block, page, "exec"), names)
