"""The link of an international root node: prefixes of another registry are referred to the root of that registry."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from hulian.network.identifiers.chain.contract import Asker, Link, reply
from hulian.network.identifiers.chain.plain import Plain, plain_of
from hulian.network.identifiers.store import RecordStore, key_of, zero_na
from hulian.network.identifiers.wire.bodies import Referral, read_body
from hulian.network.identifiers.wire.codes import OpCode, OpFlag, ResponseCode
from hulian.network.identifiers.wire.frame import Message
from hulian.network.identifiers.wire.values import Value

__all__ = ["Onward", "OtherRegistry", "is_foreign"]

_ZERO_NA: Final = b"0.NA/"
_ROOTS_OWN: Final = b"0."
_DELEGATION: Final = {"HS_SITE": "HS_SITE.PREFIX", "HS_SITE.PREFIX": "HS_SITE.PREFIX"}


class OtherRegistry(NamedTuple):
    """Another registry of Handles: the prefixes that it answers for, and the values of its root."""

    prefixes: tuple[str, ...]
    root: tuple[Value, ...]


def is_foreign(key: bytes, prefixes: Iterable[bytes]) -> bool:
    """Whether the handle ``key`` belongs to one of ``prefixes``, or to one that is derived from it.

    >>> is_foreign(b"10.1045/MAY99", [b"10"]), is_foreign(b"0.NA/10.1045", [b"10"]), is_foreign(b"100.1/X", [b"10"])
    (True, True, False)
    """
    prefix = zero_na(key).removeprefix(_ZERO_NA) if not key.startswith(_ZERO_NA) else key.removeprefix(_ZERO_NA)
    return any(prefix == one or prefix.startswith(one + b".") for one in prefixes)


class Onward:
    """Answers questions about the prefixes of ``other``, and what is derived from them, with the sites of its root (303).

    The handles below ``0.`` that are the other root's own, such as those of its services, are referred to it too where this
    node does not know them. What is in ``store`` is never referred, and no other prefix is: the other root has no say in it.
    """

    def __init__(self, store: RecordStore, other: OtherRegistry, next_: Link) -> None:
        self._store = store
        self._prefixes = tuple(map(key_of, other.prefixes))
        self._referral = Referral("", tuple(_delegating(value) for value in other.root if value.type in _DELEGATION))
        self._next = next_

    @property
    def plain(self) -> Plain | None:
        """Records pass: this link speaks only about what is not here."""
        return plain_of(self._next)

    async def answer(self, request: Message, asker: Asker) -> Message:
        """See `Link`."""
        if request.op_code == OpCode.RESOLVE and not request.has(OpFlag.DO_NOT_REFER):
            key = key_of(getattr(read_body(request), "handle", None) or "")
            if b"/" not in key:
                key = zero_na(key)
            if self._is_theirs(key) and self._store.packed(key) is None:
                return reply(request, ResponseCode.PREFIX_REFERRAL, self._referral, authoritative=True)
        return await self._next.answer(request, asker)

    def _is_theirs(self, key: bytes) -> bool:
        if not key.startswith(_ROOTS_OWN):
            return False
        if key.startswith(_ZERO_NA):
            return is_foreign(key, self._prefixes)
        return not self._store.homes(zero_na(key))


def _delegating(value: Value) -> Value:
    return msgspec.structs.replace(value, type=_DELEGATION[value.type])
