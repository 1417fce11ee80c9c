"""The link of a primary site that its mirrors read from: the log, in order, with the records as they are now (opcode 1001).

A mirror asks with the number and the seal of its own newest change, as JSON text in ``state``: ``{"hulian": 1, "after": 17,
"seal": "…"}``. Who has another log than this one is told, and not overwritten.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import anyio.to_thread
import msgspec

from hulian.kernel.unreadable import UNREADABLE
from hulian.network.identifiers.chain.authority import Authority
from hulian.network.identifiers.chain.contract import Asker, Link, reply
from hulian.network.identifiers.chain.plain import Plain, plain_of
from hulian.network.identifiers.store import RecordStore, key_of
from hulian.network.identifiers.store.changes import What, digest_of_values
from hulian.network.identifiers.wire.bodies import (
    NextTransaction,
    Transaction,
    TransactionLogAnswer,
    TransactionLogRequest,
    read_body,
)
from hulian.network.identifiers.wire.codes import OpCode, ResponseCode
from hulian.network.identifiers.wire.frame import Message
from hulian.network.identifiers.wire.limits import MAX_MESSAGE
from hulian.network.identifiers.wire.values import Reference

__all__ = ["REPLICATION", "Replicate", "State"]

REPLICATION: Final = frozenset((OpCode.NEXT_TRANSACTION, OpCode.RETRIEVE_TRANSACTIONS))
_PART: Final = 500
_ROOM: Final = MAX_MESSAGE - 4_096
_RECORD_KINDS: Final = frozenset((What.CREATE, What.UPDATE))


class State(msgspec.Struct, frozen=True, kw_only=True):
    """How far a mirror is: ``after`` is the number of its newest change, ``seal`` that change's seal in hexadecimal."""

    hulian: int = 1
    after: int = 0
    seal: str = ""


class Replicate:
    """Answers ``mirrors``, and administrators of the node. Records hold secrets: nothing is told over a connection that is not
    encrypted."""

    def __init__(self, store: RecordStore, authority: Authority, next_: Link, mirrors: Iterable[Reference] = ()) -> None:
        self._store = store
        self._mirrors = Authority(authority.lookup, mirrors)
        self._authority = authority
        self._next = next_

    @property
    def plain(self) -> Plain | None:
        """Plain questions are nobody's copy."""
        return plain_of(self._next)

    async def answer(self, request: Message, asker: Asker) -> Message:
        """See `Link`."""
        if request.op_code not in REPLICATION:
            return await self._next.answer(request, asker)
        if asker.who is None:
            return reply(request, ResponseCode.AUTHENTICATION_NEEDED)
        if not (self._mirrors.runs_the_node(asker.who) or self._authority.runs_the_node(asker.who)):
            return reply(request, ResponseCode.INVALID_ADMIN, f"{asker.who} is no mirror of this node")
        if request.op_code == OpCode.NEXT_TRANSACTION:
            return reply(request, ResponseCode.SUCCESS, NextTransaction(self._store.log.last + 1))
        if not asker.encrypted:
            return reply(request, ResponseCode.NOT_PERMITTED, "records are copied within an encrypted session only")
        body = read_body(request)
        state = _state(body) if isinstance(body, TransactionLogRequest) else None
        if state is None:
            return reply(request, ResponseCode.NOT_SUPPORTED, "the log is given to mirrors of this make only")
        return await anyio.to_thread.run_sync(self._told, request, state)

    def _told(self, request: Message, state: State) -> Message:
        log = self._store.log
        seal = log.seal_of(state.after)
        if seal is None or seal.hex() != state.seal:
            return reply(request, ResponseCode.ERROR, f"change {state.after} of this mirror is not that of the primary")
        found: list[Transaction] = []
        size = 0
        for change in log.read(state.after, _PART):
            packed = self._store.packed(key_of(change.handle)) or b""
            now = change.what in _RECORD_KINDS and digest_of_values(packed) == change.content
            values = packed if now else b""
            size += len(values) + 2 * len(change.handle) + 256
            if found and size > _ROOM:
                break
            told = {name: getattr(change, name) for name in change.__struct_fields__} | {"what": change.what.value}
            found.append(Transaction(**told, values=values))
        return reply(request, ResponseCode.SUCCESS, TransactionLogAnswer(1, log.last, tuple(found)))


def _state(body: TransactionLogRequest) -> State | None:
    try:
        state = msgspec.json.decode(body.state or "", type=State)
    except UNREADABLE:
        return None
    return state if state.hulian == 1 and state.after >= 0 else None
