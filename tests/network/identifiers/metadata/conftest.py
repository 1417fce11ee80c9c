from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from metadata_nodes import Enterprises, enterprises
from registries import postgresql_server, postgresql_url

__all__ = ["postgresql_server", "postgresql_url"]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def country(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Enterprises]:
    """One for all tests of a file: each uses names of its own."""
    async with enterprises(tmp_path_factory.mktemp("country")) as made:
        yield made
