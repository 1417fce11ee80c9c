"""The link that knows records: those of the prefixes that this node answers for."""

from __future__ import annotations

import time
from collections.abc import Sequence
from struct import Struct
from typing import Final

from hulian.network.identifiers.chain.authority import Authority, is_governed
from hulian.network.identifiers.chain.contract import Asker, reply
from hulian.network.identifiers.chain.plain import FromRecords, Plain
from hulian.network.identifiers.chain.search import Search, referred_by
from hulian.network.identifiers.metadata.errors import MetadataError
from hulian.network.identifiers.store import RecordStore, key_of, responsible, zero_na
from hulian.network.identifiers.store.kinds import REFERRED_BY
from hulian.network.identifiers.wire.bodies import Empty, ResolveRequest, read_body
from hulian.network.identifiers.wire.codes import AdminPermission, OpFlag, Permission, ResponseCode
from hulian.network.identifiers.wire.fields import handle as packed_handle
from hulian.network.identifiers.wire.frame import Message
from hulian.network.identifiers.wire.limits import MAX_MESSAGE
from hulian.network.identifiers.wire.values import (
    DEFAULT_PERMISSIONS,
    PackedValue,
    Reference,
    Value,
    pack_value,
    scan,
    unpack_values,
)

__all__ = ["Answer"]

_COUNT: Final = Struct(">i")
_PUBLIC: Final = Permission.PUBLIC_READ.value
_ADMIN: Final = Permission.ADMIN_READ.value
_REFERRERS: Final = 0x7000_0000
"""Indexes of referrers begin here: a record that is written by people has none of these."""

_REFERRER_SECONDS: Final = 60
"""Others refer to a thing at any time: nobody remembers for longer who does."""

_BESIDE: Final = 8_192
"""Bytes of a message that are not values."""


class Answer:
    """Answers resolutions out of ``store``.

    Who may read what (DO-IRP 3.0, section 6.3.1): an asker who wants public values only (PO) is given those, and 200 where
    there is none. Otherwise a wanted value that is not public takes an administrator with the permission to read (402 to who
    has proved nothing, 400 and 401 to who is none), or a grant of that very value; one that not even administrators read is
    refused (401). Who asks for the whole record and was granted some of it is given what everybody may read, and those.

    Who wants to know what of this node refers to a thing of another one asks for nothing but types of HULIAN.REFERRED_BY, and
    not to be referred: what is known is the answer, which is not authoritative, for the thing's own node knows others.
    """

    def __init__(self, store: RecordStore, authority: Authority, search: Search | None = None) -> None:
        self._store = store
        self._search = search
        self._authority = authority
        self.plain: Plain | None = FromRecords(store.index, store.homed)

    async def answer(self, request: Message, asker: Asker) -> Message:
        """See `Link`."""
        question = read_body(request)
        if not isinstance(question, ResolveRequest):
            return reply(request, ResponseCode.NOT_SUPPORTED, f"opcode {request.op_code} is not served here")
        key = key_of(question.handle)
        if b"/" not in key:
            key = zero_na(key)
        packed = self._store.packed(key)
        if packed is None:
            if responsible(self._store, key):
                return reply(request, ResponseCode.HANDLE_NOT_FOUND, authoritative=True)
            if request.has(OpFlag.DO_NOT_REFER) and _about_referrers(question):
                return await self._referring_elsewhere(request, asker, question)
            return reply(request, ResponseCode.NOT_RESPONSIBLE, f"this node does not answer for {question.handle}")
        return await self._found(request, asker, question, packed)

    async def _found(self, request: Message, asker: Asker, question: ResolveRequest, packed: bytes) -> Message:
        handle = packed_handle(question.handle)
        values = list(scan(packed))
        wanted = [value for value in values if _asked(value, question)]
        if request.has(OpFlag.PUBLIC_ONLY):
            shown = [value for value in wanted if value.permissions & _PUBLIC]
        else:
            private = [value for value in wanted if not value.permissions & _PUBLIC]
            if any(not value.permissions & _ADMIN for value in private):
                return reply(request, ResponseCode.NOT_PERMITTED, "a value that nobody may read", authoritative=True)
            if private and asker.who is None:
                return reply(request, ResponseCode.AUTHENTICATION_NEEDED)
            shown = wanted
            if private and asker.who is not None:
                whole = unpack_values(packed)
                granted = await self._authority.granted(asker.who, question.handle, whole)
                if not granted & AdminPermission.READ_VALUE:
                    readable = await self._authority.may_read(asker.who, whole)
                    left = [value for value in wanted if value.permissions & _PUBLIC or value.index in readable]
                    everything = not question.indexes and not question.types
                    if len(left) != len(wanted) and not (everything and readable):
                        known = granted or is_governed(whole)
                        code = ResponseCode.NOT_PERMITTED if known else ResponseCode.INVALID_ADMIN
                        return reply(request, code, f"{asker.who} may not read all of this", authoritative=True)
                    shown = left
        who = None if request.has(OpFlag.PUBLIC_ONLY) else asker.who
        more, hidden = await self._referring(question, who, MAX_MESSAGE - _BESIDE - len(packed))
        if hidden and asker.who is None and not request.has(OpFlag.PUBLIC_ONLY):
            return reply(request, ResponseCode.AUTHENTICATION_NEEDED)
        if not shown and not more and (values or question.indexes or question.types):
            return reply(request, ResponseCode.VALUES_NOT_FOUND, authoritative=True)
        if len(shown) == len(values) and not more:
            body = handle + packed
        else:
            parts = [packed[value.start : value.end] for value in shown] + more
            body = handle + _COUNT.pack(len(parts)) + b"".join(parts)
        return reply(request, ResponseCode.SUCCESS, Empty(body), authoritative=True)

    async def _referring_elsewhere(self, request: Message, asker: Asker, question: ResolveRequest) -> Message:
        handle = packed_handle(question.handle)
        public = request.has(OpFlag.PUBLIC_ONLY)
        found, hidden = await self._referring(question, None if public else asker.who, MAX_MESSAGE - _BESIDE)
        if hidden and asker.who is None and not public:
            return reply(request, ResponseCode.AUTHENTICATION_NEEDED)
        if not found:
            return reply(request, ResponseCode.VALUES_NOT_FOUND)
        return reply(request, ResponseCode.SUCCESS, Empty(handle + _COUNT.pack(len(found)) + b"".join(found)))

    async def _referring(self, question: ResolveRequest, who: Reference | None, room: int) -> tuple[list[bytes], bool]:
        """Who refers to the handle, of the records of this node, for who asks for that type: values that stand in no record,
        packed, in at most ``room`` bytes; and whether there are some that ``who`` may not read.

        Their types are those that a record may hold for referrers of other nodes. What ``who`` may not read of a referrer is
        left out. Where these are not all, there is one more of type HULIAN.REFERRED_BY.MORE.
        """
        if self._search is None or not any(kind.upper().startswith(REFERRED_BY) for kind in question.types):
            return [], False
        try:
            referrers, more, hidden = await self._search.referrers(question.handle, who)
        except MetadataError:
            referrers, more, hidden = [], True, False
        found: list[bytes] = []
        for one in referrers:
            kind = referred_by(one.kind)
            if not _of_types(kind.encode(), question.types):
                continue
            value = _referrer(_REFERRERS + len(found), kind, one.handle.encode(), public=one.public)
            room -= len(value)
            if room < 0:
                more = True
                break
            found.append(value)
        if more:
            found.append(_referrer(_REFERRERS + len(found), REFERRED_BY + "MORE", b"", public=True))
        return found, hidden


def _referrer(index: int, kind: str, data: bytes, *, public: bool) -> bytes:
    permissions = DEFAULT_PERMISSIONS if public else DEFAULT_PERMISSIONS & ~_PUBLIC
    stamp = int(time.time())
    value = Value(index=index, type=kind, data=data, timestamp=stamp, ttl=_REFERRER_SECONDS, permissions=permissions)
    return pack_value(value)


def _about_referrers(question: ResolveRequest) -> bool:
    return bool(question.types) and not question.indexes and all(one.upper().startswith(REFERRED_BY) for one in question.types)


def _asked(value: PackedValue, question: ResolveRequest) -> bool:
    """Indexes and types add to each other; without either everything is asked for."""
    if not question.indexes and not question.types:
        return True
    return value.index in question.indexes or _of_types(value.type.upper(), question.types)


def _of_types(kind: bytes, types: Sequence[str]) -> bool:
    """Whether ``kind``, in upper case, is one of ``types``; one that ends with a dot is every type below it."""
    for wanted in types:
        name = wanted.upper().encode()
        if kind == name or (name.endswith(b".") and (kind.startswith(name) or kind == name[:-1])):
            return True
    return False
