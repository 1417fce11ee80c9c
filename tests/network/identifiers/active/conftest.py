from __future__ import annotations

from pathlib import Path

import pytest
from active_nodes import Works


@pytest.fixture
async def works(tmp_path: Path):
    made = Works(tmp_path)
    async with made.running():
        yield made
    made.registry.close()
