"""Finds records by what they say: nothing that the asker may not read is searched, or told."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets
from collections.abc import Callable, Sequence
from typing import Final, TypeVar, TypeVarTuple, Unpack

import anyio.lowlevel
import anyio.to_thread
import msgspec
import sqlalchemy as sa
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from hulian.network.identifiers.chain.authority import Authority
from hulian.network.identifiers.metadata.bounds import bounded
from hulian.network.identifiers.metadata.errors import CursorError, QueryError
from hulian.network.identifiers.metadata.grants import FIXED
from hulian.network.identifiers.metadata.query import Condition, Question, candidates, conditions, matches
from hulian.network.identifiers.store import RecordStore, key_of
from hulian.network.identifiers.store.kinds import REFERRED_BY, RELATIONS
from hulian.network.identifiers.store.tables import record, relation
from hulian.network.identifiers.wire.values import Reference, Value, unpack_values

__all__ = ["MOST", "MOST_REFERRERS", "Found", "Page", "Referrer", "Search", "referred_by"]

MOST: Final = 1_000
"""Records of one page."""

MOST_REFERRERS: Final = 500
SECONDS: Final = 5.0
_AT_ONCE: Final = 4
_PART: Final = 200
_EXAMINED: Final = 2_000
_BYTES: Final = 4 << 20
_NONCE: Final = 12
_LONGEST_CURSOR: Final = 4_096


_Answer = TypeVar("_Answer")
_Arguments = TypeVarTuple("_Arguments")


class Found(msgspec.Struct, frozen=True):
    """A record, and those of its values that the asker may read; never keys, administrators and grants."""

    handle: str
    values: tuple[Value, ...]


class Page(msgspec.Struct, frozen=True):
    """Records in the order of their keys; ``cursor`` asks for the next ones, and is empty where there are none."""

    records: tuple[Found, ...]
    cursor: str


class Referrer(msgspec.Struct, frozen=True):
    """A record that refers to another one, by a value of type ``kind``; ``public`` where everybody may read that."""

    handle: str
    kind: str
    public: bool


class _Candidate(msgspec.Struct, frozen=True):
    key: bytes
    handle: str
    packed: bytes
    matched: tuple[frozenset[int], ...]


class Search:
    """Searches the records of ``store``. Four questions are under way at once, the next one is told so; each reads for five
    seconds at most.

    Whoever has proved nothing is answered from what is public. For everybody else a record counts only where, for every
    condition, a value that they may read fulfils it; 2,000 records are judged for one page, which may so be shorter, or empty,
    with others behind it. A cursor is encrypted: where it stands says nothing about records that were passed over.
    """

    def __init__(self, store: RecordStore, authority: Authority) -> None:
        self._store = store
        self.authority = authority
        self._cipher = AESGCM(secrets.token_bytes(32))
        self._under_way = 0

    async def page(self, question: Question, who: Reference | None, *, cursor: str = "", most: int = 100) -> Page:
        """Up to ``most`` records, 1,000 at the most. Raises `QueryError`, `CursorError`."""
        asked = conditions(question)
        bound = hashlib.sha256(msgspec.json.encode((question, str(who)))).digest()
        after = self._opened(cursor, bound)
        found: list[Found] = []
        size = examined = 0
        while True:
            part = min(_PART, most - len(found)) if who is None else _PART
            judged = await self._asked(self._candidates, asked, after, part, who is None)
            examined += len(judged)
            for one in judged:
                after = one.key
                await anyio.lowlevel.checkpoint()  # others are answered meanwhile
                if (shown := await self._shown(one, who)) is None:
                    continue
                found.append(shown)
                size += len(one.packed)
                if len(found) == most or size > _BYTES:
                    more = one is not judged[-1] or len(judged) == part
                    return Page(tuple(found), self._sealed(after, bound) if more else "")
            if len(judged) < part:
                return Page(tuple(found), "")
            if examined >= _EXAMINED:
                return Page(tuple(found), self._sealed(after, bound))

    async def referrers(self, handle: str, who: Reference | None) -> tuple[list[Referrer], bool, bool]:
        """The records here that refer to ``handle``, by values that ``who`` may read; whether there may be more; and whether
        some were left out that ``who`` may not read."""
        rows = await self._asked(self._referring, key_of(handle))
        found = []
        for row_handle, kind, at, public, packed in rows[:MOST_REFERRERS]:
            if public or (who and at in await self.authority.readable(who, row_handle, unpack_values(packed))):
                found.append(Referrer(row_handle, kind, public))
        return found, len(rows) > MOST_REFERRERS, len(found) < min(len(rows), MOST_REFERRERS)

    # -- the database, in worker threads -------------------------------------------------------------------------------

    async def _asked(self, question: Callable[[Unpack[_Arguments]], _Answer], *arguments: *_Arguments) -> _Answer:
        if self._under_way >= _AT_ONCE:
            raise QueryError(f"{_AT_ONCE} questions are under way", hint="try again in a moment")
        self._under_way += 1
        try:
            return await anyio.to_thread.run_sync(question, *arguments)
        finally:
            self._under_way -= 1

    def _candidates(self, asked: Sequence[Condition], after: bytes, most: int, public: bool) -> list[_Candidate]:
        """In one consistent view: keys, records, and which values of them fulfil which condition."""
        with self._store.registry.read() as connection, bounded(connection, SECONDS):
            keys = [bytes(key) for key in connection.execute(candidates(asked, after, most, public=public)).scalars()]
            matched: list[dict[bytes, set[int]]] = []
            for one in asked if keys and not public else ():
                there: dict[bytes, set[int]] = {}
                for key, at in connection.execute(matches(one, keys)):
                    there.setdefault(bytes(key), set()).add(at)
                matched.append(there)
            query = (
                sa.select(record.c.key, record.c.handle, record.c.packed).where(record.c.key.in_(keys)).order_by(record.c.key)
            )
            return [
                _Candidate(bytes(key), handle, bytes(packed), tuple(frozenset(of.get(bytes(key), ())) for of in matched))
                for key, handle, packed in (connection.execute(query) if keys else ())
            ]

    def _referring(self, target: bytes) -> list[tuple[str, str, int, bool, bytes]]:
        kinds = [kind.encode() for kind in RELATIONS]
        query = (
            sa.select(record.c.handle, relation.c.kind, relation.c.at, relation.c.public, record.c.packed)
            .join(record, record.c.key == relation.c.key)
            .where(relation.c.target == target, relation.c.kind.in_(kinds))
            .order_by(relation.c.kind, relation.c.key, relation.c.at)
            .limit(MOST_REFERRERS + 1)
        )
        with self._store.registry.read() as connection, bounded(connection, SECONDS):
            rows = connection.execute(query)
            return [
                (handle, bytes(kind).decode(), at, bool(public), bytes(packed)) for handle, kind, at, public, packed in rows
            ]

    # -- who may see it ------------------------------------------------------------------------------------------------

    async def _shown(self, one: _Candidate, who: Reference | None) -> Found | None:
        """What ``who`` is told of a candidate; None where a condition holds only for what they may not read."""
        values = unpack_values(one.packed)
        readable = await self.authority.readable(who, one.handle, values)
        if not all(of & readable for of in one.matched):
            return None
        told = [value for value in values if value.index in readable and _told(value)]
        return Found(one.handle, tuple(told))

    def _sealed(self, after: bytes, bound: bytes) -> str:
        while True:
            nonce = secrets.token_bytes(_NONCE)
            text = base64.urlsafe_b64encode(nonce + self._cipher.encrypt(nonce, after, bound)).decode()
            if not text.startswith("-"):  # which a command line takes for an option
                return text

    def _opened(self, cursor: str, bound: bytes) -> bytes:
        if not cursor:
            return b""
        try:
            raw = base64.b64decode(cursor[:_LONGEST_CURSOR], altchars=b"-_", validate=True)
            return self._cipher.decrypt(raw[:_NONCE], raw[_NONCE:], bound)
        except (binascii.Error, ValueError, InvalidTag):
            raise CursorError("this cursor does not belong to this question", place="cursor") from None


def referred_by(kind: str) -> str:
    """The type of the value that says, of a thing, that another one refers to it by ``kind``.

    >>> referred_by("HULIAN.MADE_OF")
    'HULIAN.REFERRED_BY.MADE_OF'
    """
    return REFERRED_BY + kind.removeprefix("HULIAN.")


def _told(value: Value) -> bool:
    return not value.type.upper().startswith("HS_") and value.type.upper() not in FIXED
