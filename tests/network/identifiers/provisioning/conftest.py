from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from identifier_nodes import Hierarchy, hierarchy
from interface_node import furnish
from registries import postgresql_server, postgresql_template, registry, sqlite_registry, sqlite_template

from hulian.network.identifiers.store import RecordStore

__all__ = ["postgresql_server", "postgresql_template", "registry", "sqlite_registry", "sqlite_template"]


@pytest.fixture
async def plant(tmp_path: Path) -> AsyncIterator[Hierarchy]:
    async with hierarchy(tmp_path) as made:
        yield made


def _store(directory: Path, name: str) -> Iterator[RecordStore]:
    made = Hierarchy(directory)
    yield made.store(name)
    for opened in made.registries:
        opened.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RecordStore]:
    """The store of a node that answers for 88.111, without a node around it."""
    for found in _store(tmp_path, "second"):
        found.home("88.111")
        yield found


@pytest.fixture
def own(tmp_path: Path) -> Iterator[RecordStore]:
    """The store of an enterprise that answers for 88.111.1, with a few records."""
    for found in _store(tmp_path, "enterprise"):
        furnish(found)
        yield found
