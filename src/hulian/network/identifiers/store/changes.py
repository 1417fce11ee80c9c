"""The log of changes: append-only, each row sealed over the one before it, so that nothing is taken out or put in unseen.

The seal of a row is SHA-256 over the seal before it (32 zero bytes before the first), and, each behind its length, the number,
the time, what was done, the handle, who did it, and the digest of the values after it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from hashlib import sha256
from struct import Struct
from typing import Any, Final

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from hulian.network.identifiers.store.errors import BrokenLogError
from hulian.network.identifiers.store.segments import LARGEST, pack_segment, unpack_segment
from hulian.network.identifiers.store.tables import change
from hulian.registry import Registry, bulk

__all__ = ["FIRST_SEAL", "Change", "ChangeLog", "What", "changes_behind", "digest_of_values", "seal_after"]

FIRST_SEAL: Final = bytes(32)
"""What stands for the seal before the first change."""

_HEAD: Final = Struct(">qqHII")
_PART: Final = 10_000


class What(IntEnum):
    """What was done. The numbers of the first five are those of the replication protocol's transactions."""

    CREATE = 1
    DELETE = 2
    UPDATE = 3
    HOME = 4
    UNHOME = 5


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """One change: ``number`` counts from 1 without gaps, ``at`` is UTC ns, ``by`` is ``index:handle`` or the node itself."""

    number: int
    at: int
    what: What
    handle: str
    by: str
    content: bytes
    seal: bytes


class Appended(msgspec.Struct, frozen=True):
    """Where the log ends once a transaction is committed."""

    number: int
    seal: bytes


def digest_of_values(packed: bytes) -> bytes:
    """The digest that stands for the counted values ``packed``."""
    return sha256(packed).digest()


def _sealed(before: bytes, number: int, at: int, what: int, handle: bytes, by: bytes, content: bytes) -> bytes:
    return sha256(before + _HEAD.pack(number, at, what, len(handle), len(by)) + handle + by + content).digest()


def _seals(seal: bytes, number: int, at: int, handles: Sequence[bytes], by: bytes, contents: Sequence[bytes]) -> list[bytes]:
    """The seals of records that are created one behind another, from that of change ``number``."""
    pack, what, size, seals = _HEAD.pack, What.CREATE.value, len(by), []
    for handle, content in zip(handles, contents, strict=True):
        number += 1
        seal = sha256(seal + pack(number, at, what, len(handle), size) + handle + by + content).digest()
        seals.append(seal)
    return seals


def _row(number: int, count: int, at: int, what: What, handle: str, by: str, content: bytes, seal: bytes) -> dict[str, Any]:
    row = {"number": number, "changes": count, "at": at, "what": what.value, "handle": handle, "by": by}
    return row | {"content": content, "seal": seal}


def _created(number: int, at: int, by: str, handles: Sequence[bytes], digests: Sequence[bytes], seal: bytes) -> dict[str, Any]:
    """The row of records that were created together; ``number`` and ``seal`` are those of the last."""
    if len(handles) == 1:
        return _row(number, 1, at, What.CREATE, handles[0].decode(), by, digests[0], seal)
    return _row(number, len(handles), at, What.CREATE, "", by, pack_segment(handles, digests), seal)


def _one(row: Any) -> Change:
    return Change(
        number=row.number,
        at=row.at,
        what=What(row.what),
        handle=row.handle,
        by=row.by,
        content=bytes(row.content),
        seal=bytes(row.seal),
    )


def _several(row: Any, seal: bytes) -> Iterator[Change]:
    """The changes of one row; the last seal is the one that is kept, the others follow from that before them."""
    whole = unpack_segment(bytes(row.content), row.changes)
    handles, digests = [handle for handle, _ in whole], [digest for _, digest in whole]
    first = row.number - row.changes
    for place, made in enumerate(_seals(seal, first, row.at, handles, row.by.encode(), digests), 1):
        yield Change(
            number=first + place,
            at=row.at,
            what=What(row.what),
            handle=handles[place - 1].decode(errors="replace"),
            by=row.by,
            content=digests[place - 1],
            seal=made if place < row.changes else bytes(row.seal),
        )


def _together(changes: Sequence[Change]) -> Iterator[list[Change]]:
    """Changes that go into one row: records that were created at the same moment by the same key."""
    run: list[Change] = []
    for one in changes:
        if run and not (
            one.what is run[0].what is What.CREATE and (one.at, one.by) == (run[0].at, run[0].by) and len(run) < LARGEST
        ):
            yield run
            run = []
        run.append(one)
    if run:
        yield run


def seal_after(before: bytes, one: Change) -> bytes:
    """The seal that ``one`` must have where ``before`` is that of the change before it."""
    return _sealed(before, one.number, one.at, one.what, one.handle.encode(), one.by.encode(), one.content)


def changes_behind(connection: Connection, after: int, most: int) -> list[Change]:
    """Up to ``most`` changes behind number ``after``, in order. Raises `BrokenLogError` for a row that cannot be read."""
    query = sa.select(change).where(change.c.number > after).order_by(change.c.number).limit(most)
    found: list[Change] = []
    seal: bytes | None = None
    for row in connection.execute(query):
        if row.changes == 1:
            found.append(_one(row))
        else:
            if seal is None:
                before = sa.select(change.c.seal).where(change.c.number == row.number - row.changes)
                seal = bytes(connection.execute(before).scalar() or FIRST_SEAL)
            found += [one for one in _several(row, seal) if one.number > after]
        seal = bytes(row.seal)
        if len(found) >= most:
            break
    return found[:most]


class ChangeLog:
    """The log of one registry. It is written within the transaction of the change itself: neither is without the other.

    One thread at a time appends, which holds the writing lock of the store; any may read.
    """

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        with registry.read() as connection:
            row = connection.execute(
                sa.select(change.c.number, change.c.seal).order_by(change.c.number.desc()).limit(1)
            ).first()
        self._number, self._seal = (int(row[0]), bytes(row[1])) if row else (0, FIRST_SEAL)

    @property
    def last(self) -> int:
        """The number of the newest change; 0 before the first."""
        return self._number

    def append(self, connection: Connection, at: int, by: str, changes: Iterable[tuple[What, str, bytes]]) -> Appended:
        """Writes (what, handle, digest of the values) in order, in the transaction of ``connection``; when that is committed,
        `keep` what is returned: the log goes on from there."""
        number, seal, who = self._number, self._seal, by.encode()
        rows: list[dict[str, Any]] = []
        for what, handle, content in changes:
            number += 1
            seal = _sealed(seal, number, at, what, handle.encode(), who, content)
            rows.append(_row(number, 1, at, what, handle, by, content, seal))
            if len(rows) == _PART:
                bulk.insert(connection, change, rows)
                rows = []
        bulk.insert(connection, change, rows)
        return Appended(number, seal)

    def append_created(
        self, connection: Connection, at: int, by: str, handles: Sequence[str], packed: Sequence[bytes]
    ) -> Appended:
        """`append` for records that are all new, by columns: ``packed`` are their counted values."""
        number, seal, rows = self._number, self._seal, []
        for begin in range(0, len(handles), LARGEST):
            names = [handle.encode() for handle in handles[begin : begin + LARGEST]]
            digests = [sha256(one).digest() for one in packed[begin : begin + LARGEST]]
            seal = _seals(seal, number, at, names, by.encode(), digests)[-1]
            number += len(names)
            rows.append(_created(number, at, by, names, digests, seal))
        bulk.insert(connection, change, rows)
        return Appended(number, seal)

    @property
    def seal(self) -> bytes:
        """The seal of the newest change, which stands for the whole log."""
        return self._seal

    def seal_of(self, number: int) -> bytes | None:
        """The seal of change ``number``, 32 zero bytes for 0; None where there is none yet."""
        if not number:
            return FIRST_SEAL
        found = self.read(number - 1, 1)
        return found[0].seal if found and found[0].number == number else None

    def copy(self, connection: Connection, changes: Sequence[Change]) -> Appended:
        """Writes changes of another node's log, the next ones of this one. Raises `BrokenLogError` where they are not."""
        number, seal, rows = self._number, self._seal, []
        for one in changes:
            number += 1
            seal = _sealed(seal, number, one.at, one.what, one.handle.encode(), one.by.encode(), one.content)
            if (one.number, one.seal) != (number, seal):
                raise BrokenLogError(f"change {one.number} does not follow on change {number - 1}", place=self._registry.place)
        for together in _together(changes):
            last = together[-1]
            if len(together) == 1:
                rows.append(_row(last.number, 1, last.at, last.what, last.handle, last.by, last.content, last.seal))
            else:
                names = [one.handle.encode() for one in together]
                rows.append(_created(last.number, last.at, last.by, names, [one.content for one in together], last.seal))
        for begin in range(0, len(rows), _PART):
            bulk.insert(connection, change, rows[begin : begin + _PART])
        return Appended(number, seal)

    def keep(self, appended: Appended) -> int:
        """The transaction is committed: the number of its last change."""
        self._number, self._seal = appended.number, appended.seal
        return self._number

    def read(self, after: int = 0, most: int = 1_000) -> list[Change]:
        """Up to ``most`` changes behind number ``after``, in order. Raises `BrokenLogError` for a row that cannot be read."""
        with self._registry.read() as connection:
            return changes_behind(connection, after, most)

    def since(self, after: int) -> tuple[int, int, int, int]:
        """The number of the last change, and how many records were created, changed and deleted behind number ``after``;
        a negative one asks for the number alone."""
        last = self._number
        if after < 0 or after >= last:
            return last, 0, 0, 0
        behind = (change.c.number > after) & (change.c.number <= last)
        query = sa.select(change.c.what, sa.func.sum(change.c.changes)).where(behind).group_by(change.c.what)
        with self._registry.read() as connection:
            found = {int(row[0]): int(row[1]) for row in connection.execute(query)}
        return last, found.get(What.CREATE, 0), found.get(What.UPDATE, 0), found.get(What.DELETE, 0)

    def touches(self, after: int, beginning: str) -> bool:
        """Whether a change behind number ``after`` is of a handle that begins with ``beginning``, in upper case."""
        named = sa.func.upper(change.c.handle).startswith(beginning, autoescape=True)
        query = sa.select(change.c.content, change.c.changes).where(change.c.number > after, named | (change.c.changes > 1))
        start = beginning.encode()
        with self._registry.read() as connection:
            return any(
                row.changes == 1
                or any(handle.upper().startswith(start) for handle, _ in unpack_segment(bytes(row.content), row.changes))
                for row in connection.execute(query)
            )

    def other_than(self, by: str) -> Change | None:
        """The first change that somebody else than ``by`` made; None where there is none."""
        query = sa.select(change).where(change.c.by != by).order_by(change.c.number).limit(1)
        with self._registry.read() as connection:
            row = connection.execute(query).first()
            return None if row is None else changes_behind(connection, row.number - row.changes, 1)[0]

    def verify(self) -> int:
        """Reads the whole log and computes every seal again: how many changes there are. Raises `BrokenLogError`."""
        number, seal = 0, FIRST_SEAL
        for found in self._all():
            number += 1
            if found.number != number or found.seal != seal_after(seal, found):
                raise BrokenLogError(f"change {number} is not what was written", place=self._registry.place)
            seal = found.seal
        if (number, seal) != (self._number, self._seal):
            raise BrokenLogError(f"the log ends with change {number}, and not with {self._number}", place=self._registry.place)
        return number

    def _all(self) -> Iterator[Change]:
        after = 0
        while part := self.read(after, _PART):
            yield from part
            after = part[-1].number
