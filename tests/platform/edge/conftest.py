"""Journals of tests end with their test, also those that a test left standing as a killed process would."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from hulian.platform.edge.journal import Journal


@pytest.fixture(autouse=True)
def closed_journals(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Hundreds of them stand open otherwise, and clients that use ``select`` take no file beyond the 1,024th."""
    made: list[Journal] = []
    begin = Journal.__init__

    def remembered(self: Journal, *arguments: Any, **options: Any) -> None:
        made.append(self)
        begin(self, *arguments, **options)

    monkeypatch.setattr(Journal, "__init__", remembered)
    yield
    for journal in made:
        journal.close()
