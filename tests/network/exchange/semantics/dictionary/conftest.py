from __future__ import annotations

import pytest
from registries import postgresql_server, postgresql_template, postgresql_url, registry, sqlite_registry, sqlite_template

from hulian.network.exchange.semantics.dictionary import Dictionaries

__all__ = ["postgresql_server", "postgresql_template", "postgresql_url", "registry", "sqlite_registry", "sqlite_template"]


@pytest.fixture
def dictionaries(registry):
    """No dictionary yet, once on each database."""
    return Dictionaries(registry)
