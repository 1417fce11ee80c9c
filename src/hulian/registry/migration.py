"""Brings a registry to the schema of this version, in the one transaction the caller began."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hulian.registry.errors import ForeignRegistryError, NewerRegistryError

__all__ = ["HEAD", "LOCK", "SCRIPTS", "current", "upgrade"]

HEAD: Final = "0017"
"""The revision this version reads and writes: the last of the scripts, named here so that a start need not read them."""

LOCK: Final = 0x48554C49414E
"""The key of the PostgreSQL advisory lock that makes writers of one registry wait for each other."""

SCRIPTS: Final = Path(__file__).parent / "migrations"

_alembic = threading.Lock()  # alembic keeps the running migration in module globals


def upgrade(connection: Connection, place: str, revision: str = HEAD) -> None:
    """Migrates to ``revision``. The caller's transaction holds the writer's lock and commits: it is all or nothing."""
    found = current(connection)
    if found == revision:
        return
    from alembic import command  # takes half a second, and only a first start and an upgrade need it
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    if found is None:
        if names := sa.inspect(connection).get_table_names():
            raise ForeignRegistryError(f"the database belongs to another program: it holds '{names[0]}'", place=place)
    elif found not in {known.revision for known in ScriptDirectory(str(SCRIPTS)).walk_revisions()}:
        raise NewerRegistryError(f"the registry has schema {found}, and this version knows none beyond {HEAD}", place=place)
    config = Config()
    config.set_main_option("script_location", str(SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    with _alembic:
        command.upgrade(config, revision)


def current(connection: Connection) -> str | None:
    """The revision that the database says it has, None where it was never migrated."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found: str | None = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    return found
