"""Finds the templates that records name: this node's own, and those of every other, which are kept once seen."""

from __future__ import annotations

import time
from typing import Final, Protocol

import anyio.to_thread
import sqlalchemy as sa

from hulian.kernel.errors import HulianError
from hulian.network.identifiers.metadata.errors import TemplateError, TemplateMissingError, TemplateUnreachableError
from hulian.network.identifiers.metadata.template import LARGEST, Template, read_template
from hulian.network.identifiers.store import key_of
from hulian.network.identifiers.store.kinds import TEMPLATE
from hulian.network.identifiers.store.tables import foreign_template
from hulian.network.identifiers.wire.values import Reference, Value
from hulian.registry import Registry

__all__ = ["Find", "Kept", "Templates"]

MOST_KEPT: Final = 10_000
MOST_BYTES: Final = 32 << 20
"""Of versions of templates of other nodes, and of their data; they are held in memory."""


class Find(Protocol):
    """Values of handles: of this node's own store, or found by a walk from the root data."""

    def here(self, handle: str) -> bool:
        """Whether the record is this node's own, or would be."""
        ...

    async def certain(self, handle: str, types: tuple[str, ...]) -> tuple[Value, ...]:
        """Values of these types; none where there is no such record. Raises `HulianError` where nobody answers."""
        ...


class Kept:
    """Templates of other nodes, as they were when they were first seen. A published version is fixed; who changes one at its
    own node all the same does not change what records here were checked against, nor whom they let read.

    At most `MOST_KEPT` of `MOST_BYTES`: the next one is refused. Blocking; writes are for a worker thread.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        with registry.read() as connection:
            rows = connection.execute(sa.select(foreign_template.c.key, foreign_template.c.version, foreign_template.c.data))
            self._known = {(bytes(key), int(version)): bytes(data) for key, version, data in rows}
        self._size = sum(map(len, self._known.values()))

    def get(self, key: bytes, version: int) -> bytes | None:
        """The data of a version that was seen."""
        return self._known.get((key, version))

    def keep(self, key: bytes, version: int, data: bytes) -> None:
        """From now on they are those of this version. Raises `TemplateUnreachableError` where no more are kept."""
        if len(self._known) >= MOST_KEPT or self._size + len(data) > MOST_BYTES:
            raise TemplateUnreachableError(f"more than {MOST_KEPT} templates of other nodes, or {MOST_BYTES >> 20} MiB")
        with self._registry.write() as connection:
            mine = (foreign_template.c.key == key, foreign_template.c.version == version)
            found = connection.execute(sa.select(foreign_template.c.data).where(*mine)).scalar()
            if found is None:
                row = {"key": key, "version": version, "data": data, "seen": time.time_ns()}
                connection.execute(sa.insert(foreign_template).values(row))
        self._size += len(data)
        self._known[key, version] = data if found is None else bytes(found)


class Templates:
    """Templates by ``version:handle``. Raises `TemplateMissingError` and `TemplateUnreachableError`."""

    def __init__(self, find: Find, kept: Kept | None = None) -> None:
        self._find = find
        self._kept = kept

    async def template(self, reference: Reference) -> Template:
        """The version ``reference.index`` of the template ``reference.handle``."""
        key = key_of(reference.handle)
        own = self._find.here(reference.handle)
        if not own and self._kept is not None and (data := self._kept.get(key, reference.index)) is not None:
            return read_template(data)
        try:
            values = await self._find.certain(reference.handle, (TEMPLATE,))
        except HulianError as error:
            raise TemplateUnreachableError(
                f"the template {reference} cannot be had: {error.message} ({error.code})", place=error.place
            ) from error
        value = next((one for one in values if one.index == reference.index and one.type == TEMPLATE), None)
        if value is None or len(value.data) > LARGEST:
            raise TemplateMissingError(f"there is no template {reference}", hint=_versions(values))
        try:
            found = read_template(value.data)
        except TemplateError as error:
            raise TemplateMissingError(f"{reference} is no template: {error.message} ({error.code})") from error
        if not own and self._kept is not None:
            await anyio.to_thread.run_sync(self._kept.keep, key, reference.index, value.data)
            return read_template(self._kept.get(key, reference.index) or value.data)
        return found


def _versions(values: tuple[Value, ...]) -> str:
    known = ", ".join(str(value.index) for value in values if value.type == TEMPLATE)
    return f"published versions: {known}" if known else ""
