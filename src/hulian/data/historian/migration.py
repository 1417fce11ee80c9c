"""The version of the stored tables, and the steps from each version to the next.

A store remembers every version it has had. Opening an older one migrates it, one step after the other, each noted when it is
done; a step is safe to repeat, because a crash may come between a step and its note. A newer one is refused untouched.
"""

# ruff: noqa: S608 - names of tables are ours, series ids are digits, text goes through `sql.quote`

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from hulian.data.historian import schema
from hulian.data.historian.contract import Limits
from hulian.data.historian.engine import Engine
from hulian.data.historian.errors import StoreVersionError
from hulian.kernel.version import VERSION

__all__ = ["STEPS", "prepare", "stored_version"]

_LIMITS: Final = Limits(memory=2**29, seconds=600, rows=2**20)

Step = Callable[[Engine], None]


def _merge_more_at_a_time(engine: Engine) -> None:
    for statement in schema.set_merges(engine.database):
        engine.execute(statement)


STEPS: Final[Mapping[int, Step]] = {2: _merge_more_at_a_time}
"""By the version they lead to: what makes it from the one before."""


def stored_version(engine: Engine) -> int:
    """The version of the tables in the store; 0 where there are none."""
    exists = engine.table(
        f"SELECT count() FROM system.tables WHERE database = '{engine.database}' AND name = 'schema_versions'", _LIMITS
    )
    if not exists.column(0)[0].as_py():
        return 0
    found = engine.table(f"SELECT max(version) FROM {engine.database}.schema_versions", _LIMITS)
    return int(found.column(0)[0].as_py() or 0) if found.num_rows else 0


def prepare(engine: Engine, durability: str, *, steps: Mapping[int, Step] = STEPS, target: int = schema.SCHEMA_VERSION) -> None:
    """Makes the tables, or brings them to ``target``, and sets what an insert survives.

    Raises `StoreVersionError` where the store is newer than ``target``; then nothing is touched.
    """
    version = stored_version(engine)
    if version > target:
        raise StoreVersionError(f"the store has version {version}, this Hulian knows {target}", place=engine.database)
    if version == 0:
        for statement in schema.create(engine.database, durability):
            engine.execute(statement)
        _note(engine, target)
        return
    for step in range(version + 1, target + 1):
        steps[step](engine)
        _note(engine, step)
    if _durability(engine) != durability:
        for statement in schema.set_durability(engine.database, durability):
            engine.execute(statement)


def _durability(engine: Engine) -> str:
    """What the tables were told an insert survives."""
    found = engine.table(
        "SELECT countIf(create_table_query LIKE '%fsync_after_insert = 1%') FROM system.tables"
        f" WHERE database = '{engine.database}'",
        _LIMITS,
    )
    return "power" if found.column(0)[0].as_py() else "process"


def _note(engine: Engine, version: int) -> None:
    engine.execute(f"INSERT INTO {engine.database}.schema_versions VALUES ({version}, now64(3, 'UTC'), 'hulian {VERSION}')")
