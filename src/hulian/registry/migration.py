"""Brings a registry to the schema of this version, in the one transaction the caller began."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Final

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy.engine import Connection

from hulian.registry.errors import ForeignRegistryError, NewerRegistryError

__all__ = ["LOCK", "current", "head", "upgrade"]

LOCK: Final = 0x48554C49414E
"""The key of the PostgreSQL advisory lock that makes writers of one registry wait for each other."""

_SCRIPTS: Final = Path(__file__).parent / "migrations"
_alembic = threading.Lock()  # alembic keeps the running migration in module globals


def upgrade(connection: Connection, place: str, revision: str = "head") -> None:
    """Migrates to ``revision``. The caller's transaction holds the writer's lock and commits: it is all or nothing."""
    found = current(connection)
    script = ScriptDirectory(str(_SCRIPTS))
    if found is None:
        if names := sa.inspect(connection).get_table_names():
            raise ForeignRegistryError(f"the database belongs to another program: it holds '{names[0]}'", place=place)
    elif found not in {known.revision for known in script.walk_revisions()}:
        raise NewerRegistryError(
            f"the registry has schema {found}, and this version knows none beyond {script.get_current_head()}", place=place
        )
    if found == (script.get_current_head() if revision == "head" else revision):
        return
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    with _alembic:
        command.upgrade(config, revision)


def current(connection: Connection) -> str | None:
    """The revision that the database says it has, None where it was never migrated."""
    return MigrationContext.configure(connection).get_current_revision()


def head() -> str:
    """The revision this version writes."""
    return ScriptDirectory(str(_SCRIPTS)).get_current_head() or ""
