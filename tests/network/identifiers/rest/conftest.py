from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from identifier_nodes import Hierarchy, hierarchy


@pytest.fixture
async def plant(tmp_path: Path) -> AsyncIterator[Hierarchy]:
    async with hierarchy(tmp_path) as made:
        yield made
