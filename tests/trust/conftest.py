from __future__ import annotations

import pytest
from registries import postgresql_server, postgresql_template, postgresql_url, registry, sqlite_registry, sqlite_template

from hulian.trust import Role, Trust, TrustSettings
from hulian.trust.passwords import PasswordSettings

__all__ = ["postgresql_server", "postgresql_template", "postgresql_url", "registry", "sqlite_registry", "sqlite_template"]

CHEAP = TrustSettings(password=PasswordSettings(memory_kib=8192, passes=1))


@pytest.fixture
def trust(sqlite_registry, tmp_path):
    """Everything of the room on a registry of its own, with hashes that cost little."""
    return Trust.open(sqlite_registry, tmp_path, "acme", settings=CHEAP)


@pytest.fixture
def people(trust):
    """One user of each role, named after it; all have the same password."""
    for role in Role:
        trust.users.add(role.value, "correct horse battery", role)
    return trust
