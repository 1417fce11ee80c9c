"""The link that knows records: those of the prefixes that this node answers for."""

from __future__ import annotations

from struct import Struct
from typing import Final

from hulian.network.identifiers.chain.contract import Asker, reply
from hulian.network.identifiers.store import RecordStore, key_of, zero_na
from hulian.network.identifiers.wire.bodies import Empty, ResolveRequest, read_body
from hulian.network.identifiers.wire.codes import OpFlag, Permission, ResponseCode
from hulian.network.identifiers.wire.fields import handle as packed_handle
from hulian.network.identifiers.wire.frame import Message
from hulian.network.identifiers.wire.values import PackedValue, scan

__all__ = ["Answer"]

_COUNT: Final = Struct(">i")
_PUBLIC: Final = Permission.PUBLIC_READ.value
_ADMIN: Final = Permission.ADMIN_READ.value
_ZERO_NA: Final = b"0.NA/"


class Answer:
    """Answers resolutions out of ``store``.

    Who may read what (DO-IRP 3.0, section 6.3.1): an asker who wants public values only (PO) is given those, and 200 where
    there is none. Otherwise a wanted value that is not public takes authentication (402); one that not even administrators
    read is refused (401). Nobody is authenticated yet, so that private values are not given to anybody.
    """

    def __init__(self, store: RecordStore) -> None:
        self._store = store

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
            if self.responsible(key):
                return reply(request, ResponseCode.HANDLE_NOT_FOUND, authoritative=True)
            return reply(request, ResponseCode.NOT_RESPONSIBLE, f"this node does not answer for {question.handle}")
        return self._found(request, question, packed)

    def responsible(self, key: bytes) -> bool:
        """Whether a record of ``key`` would be here: its prefix is homed, or it stands for a prefix below one that is."""
        if self._store.homes(zero_na(key)):
            return True
        above = key.removeprefix(_ZERO_NA) if key.startswith(_ZERO_NA) else b""
        while above:
            above = above.rpartition(b".")[0]
            if above and self._store.homes(_ZERO_NA + above):
                return True
        return False

    def _found(self, request: Message, question: ResolveRequest, packed: bytes) -> Message:
        handle = packed_handle(question.handle)
        values = list(scan(packed))
        wanted = [value for value in values if _asked(value, question)]
        if request.has(OpFlag.PUBLIC_ONLY):
            shown = [value for value in wanted if value.permissions & _PUBLIC]
        else:
            private = [value for value in wanted if not value.permissions & _PUBLIC]
            if any(not value.permissions & _ADMIN for value in private):
                return reply(request, ResponseCode.NOT_PERMITTED, "a value that nobody may read", authoritative=True)
            if private:
                # 402 is a challenge, which this node cannot make yet; 401 says the same to a person.
                return reply(request, ResponseCode.NOT_PERMITTED, "ask for public values only", authoritative=True)
            shown = wanted
        if not shown and (values or question.indexes or question.types):
            return reply(request, ResponseCode.VALUES_NOT_FOUND, authoritative=True)
        if len(shown) == len(values):
            body = handle + packed
        else:
            body = handle + _COUNT.pack(len(shown)) + b"".join(packed[value.start : value.end] for value in shown)
        return reply(request, ResponseCode.SUCCESS, Empty(body), authoritative=True)


def _asked(value: PackedValue, question: ResolveRequest) -> bool:
    """Indexes and types add to each other; without either everything is asked for."""
    if not question.indexes and not question.types:
        return True
    if value.index in question.indexes:
        return True
    kind = value.type.upper()
    for wanted in question.types:
        name = wanted.upper().encode()
        if kind == name or (name.endswith(b".") and (kind.startswith(name) or kind == name[:-1])):
            return True
    return False
