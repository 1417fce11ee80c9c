"""The link of root, top-level and second-level nodes: whoever stands below them is asked about what they do not know."""

from __future__ import annotations

from struct import Struct
from typing import Final

from hulian.network.identifiers.chain.contract import Asker, Link, reply
from hulian.network.identifiers.chain.plain import FromRecords, Plain, plain_of
from hulian.network.identifiers.store import RecordStore, key_of, zero_na
from hulian.network.identifiers.wire.bodies import Empty, read_body
from hulian.network.identifiers.wire.codes import OpCode, OpFlag, Permission, ResponseCode
from hulian.network.identifiers.wire.frame import Message
from hulian.network.identifiers.wire.values import scan

__all__ = ["Refer"]

_COUNT: Final = Struct(">i")
_ZERO_NA: Final = b"0.NA/"
_NOBODY: Final = b"\0\0\0\0"
"""An empty handle: the values themselves say who is responsible."""
_ABOUT_RECORDS: Final = frozenset(
    (
        OpCode.RESOLVE,
        OpCode.CREATE,
        OpCode.DELETE,
        OpCode.ADD_VALUES,
        OpCode.REMOVE_VALUES,
        OpCode.MODIFY_VALUES,
        OpCode.CHANGE_VALUES,
    )
)
"""Operations on the record of a prefix that belongs to somebody below: made here, they would hide what stands there."""
_DELEGATION: Final = frozenset((b"HS_SITE.PREFIX", b"HS_SERV.PREFIX"))


class Refer:
    """Answers a question about a prefix that is not here with the service of its nearest ancestor that is (303).

    A prefix that this node answers for itself ends the search: what is not below it does not exist.
    """

    def __init__(self, store: RecordStore, next_: Link) -> None:
        self._store = store
        self._next = next_

    @property
    def plain(self) -> Plain | None:
        """Records pass: they say nothing about a prefix that is not here, which is all that this link speaks about."""
        found = plain_of(self._next)
        return found if isinstance(found, FromRecords) else None

    async def answer(self, request: Message, asker: Asker) -> Message:
        """See `Link`."""
        body = read_body(request)
        if request.op_code in _ABOUT_RECORDS and not request.has(OpFlag.DO_NOT_REFER):
            key = key_of(getattr(body, "handle", None) or "")
            if b"/" not in key:
                key = zero_na(key)
            if key.startswith(_ZERO_NA) and self._store.packed(key) is None and (values := self._delegation(key)):
                return reply(request, ResponseCode.PREFIX_REFERRAL, Empty(_NOBODY + values), authoritative=True)
        return await self._next.answer(request, asker)

    def _delegation(self, key: bytes) -> bytes:
        """The counted values that delegate what stands below the nearest ancestor of the prefix handle ``key``."""
        above = key.removeprefix(_ZERO_NA)
        while above := above.rpartition(b".")[0]:
            ancestor = _ZERO_NA + above
            if self._store.homes(ancestor):
                return b""
            packed = self._store.packed(ancestor)
            if packed is None:
                continue
            found = [
                packed[value.start : value.end]
                for value in scan(packed)
                if value.type in _DELEGATION and value.permissions & Permission.PUBLIC_READ
            ]
            if found:
                return _COUNT.pack(len(found)) + b"".join(found)
        return b""
