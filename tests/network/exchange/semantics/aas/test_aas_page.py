"""The example of the page runs, and does what the page says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

PAGE = Path(__file__).resolve().parents[5] / "docs" / "topics" / "semantics-aas.md"


def test_the_example_of_the_page() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    told: dict[str, Any] = {}
    exec(compile(example, str(PAGE), "exec"), told)
    assert told["problems"] == []
    assert told["losses"] == []
    assert told["nodes"] == [told["pump"], told["pressure"]]
    assert told["document"].version == "AAS 3.0"
