"""The history of applications: append-only, each row sealed over the one before it.

The seal is SHA-256 over the seal before it (32 zero bytes before the first), and, each behind its length, the number, the
time, and every other field of the row in the order of `Event`. It is written in the transaction of what it tells about.
"""

from __future__ import annotations

import hashlib
from struct import Struct
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hulian.network.identifiers.provisioning.errors import BrokenHistoryError
from hulian.network.identifiers.provisioning.tables import event
from hulian.registry import Registry

__all__ = ["Event", "append", "read", "verify"]

_FIRST: Final = bytes(32)
_HEAD: Final = Struct(">qq")
_LENGTH: Final = Struct(">I")
_PART: Final = 1_000


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was done: ``at`` UTC ns, ``by`` index:handle, ``action`` from state ``before`` to ``after``, and why."""

    application: str
    at: int
    by: str
    action: str
    before: str
    after: str
    reason: str = ""
    registration: bytes = b""
    number: int = 0
    seal: bytes = b""


def _sealed(before: bytes, number: int, one: Event) -> bytes:
    parts = [before, _HEAD.pack(number, one.at)]
    for text in (one.application, one.by, one.action, one.before, one.after, one.reason):
        raw = text.encode()
        parts += (_LENGTH.pack(len(raw)), raw)
    parts += (_LENGTH.pack(len(one.registration)), one.registration)
    return hashlib.sha256(b"".join(parts)).digest()


def append(connection: Connection, one: Event) -> int:
    """Writes ``one`` behind the last; its number. The transaction of ``connection`` holds the writer's place."""
    last = connection.execute(sa.select(event.c.number, event.c.seal).order_by(event.c.number.desc()).limit(1)).first()
    number, seal = (int(last.number) + 1, bytes(last.seal)) if last else (1, _FIRST)
    row: dict[str, Any] = msgspec.structs.asdict(one) | {"number": number, "seal": _sealed(seal, number, one)}
    connection.execute(sa.insert(event).values(**row))
    return number


def read(connection: Connection, application: str, most: int) -> list[Event]:
    """The first ``most`` events of one application, in order."""
    query = sa.select(event).where(event.c.application == application).order_by(event.c.number).limit(most)
    return [_event(row) for row in connection.execute(query)]


def verify(registry: Registry) -> int:
    """Reads the whole history and computes every seal again: how many events there are. Raises `BrokenHistoryError`."""
    number, seal = 0, _FIRST
    while True:
        query = sa.select(event).where(event.c.number > number).order_by(event.c.number).limit(_PART)
        with registry.read() as connection:
            found = [_event(row) for row in connection.execute(query)]
        for one in found:
            number += 1
            seal = _sealed(seal, number, one)
            if (one.number, one.seal) != (number, seal):
                raise BrokenHistoryError(f"event {number} is not what was written", place=registry.place)
        if len(found) < _PART:
            return number


def _event(row: Any) -> Event:
    fields = {name: getattr(row, name) for name in Event.__struct_fields__}
    return Event(**fields | {"registration": bytes(row.registration), "seal": bytes(row.seal)})
