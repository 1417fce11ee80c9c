"""The link that sets sessions up, and knows who speaks in one (opcodes 400, 401 and 402; DO-IRP 3.0, section 6.5)."""

from __future__ import annotations

from typing import Final

import anyio.to_thread
import msgspec

from hulian.network.identifiers.chain.contract import Asker, Link, reply
from hulian.network.identifiers.chain.lookup import Lookup
from hulian.network.identifiers.chain.plain import Plain, plain_of
from hulian.network.identifiers.chain.sealed_keys import SealedKeys
from hulian.network.identifiers.chain.session_table import Session, SessionTable
from hulian.network.identifiers.wire.authentication import (
    DhExchange,
    SessionKey,
    mac_message,
    seal_session_key,
    verify_mac,
)
from hulian.network.identifiers.wire.bodies import Empty, ExchangeKey, SessionSetup, SessionSetupAnswer, read_body
from hulian.network.identifiers.wire.codes import KeyExchange, OpCode, ResponseCode
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.frame import Message
from hulian.network.identifiers.wire.typed.keys import DhPublicKey, PublicKey
from hulian.network.identifiers.wire.values import Reference

__all__ = ["Sessions"]

_MOST_KEYS: Final = 32


class Sessions:
    """Agrees on session keys over TCP: sealed to a key of the client's (1), by the client to the server's (2), to a key in a
    handle (3), by Diffie-Hellman (4).

    Who opens a key that was sealed to a key in a handle has proved to be that; the other ways hide what is said, and prove
    nobody. Every message of a session with a key carries its code (HS_MAC), and so does every answer; one without, or one that
    comes twice, is refused (505).
    """

    def __init__(self, next_: Link, table: SessionTable, lookup: Lookup) -> None:
        self._next = next_
        self.table = table
        self._lookup = lookup
        self._sealed = SealedKeys(table)

    @property
    def plain(self) -> Plain | None:
        """Public values are the same for everybody, in a session and outside."""
        return plain_of(self._next)

    async def answer(self, request: Message, asker: Asker) -> Message:
        """See `Link`."""
        if request.op_code == OpCode.SESSION_SETUP:
            return await self._set_up(request, asker)
        if request.op_code == OpCode.SESSION_EXCHANGE_KEY:
            return await self._exchange(request, asker)
        session = self.table.find(request.session_id, asker.connection)
        if session is None:
            if request.op_code == OpCode.SESSION_TERMINATE:
                return reply(request, ResponseCode.SESSION_TIMEOUT, "there is no such session on this connection")
            return await self._next.answer(request, asker)
        return await self._within(session, request, asker)

    async def _within(self, session: Session, request: Message, asker: Asker) -> Message:
        key, part = session.key, asker.part
        known = msgspec.structs.replace(asker, who=session.who or asker.who)
        if key is None:
            return await self._done(request, known)
        try:
            counter = verify_mac(request, key, session.window).counter
        except WireError as error:
            return reply(request, ResponseCode.SESSION_MESSAGE_REJECTED, f"{error.code}: {error.message}")

        def signed(message: Message) -> Message:
            return mac_message(message, key, counter)

        async def signed_part(message: Message) -> None:
            if part is not None:
                await part(signed(message))

        return signed(await self._done(request, msgspec.structs.replace(known, part=signed_part if part else None)))

    async def _done(self, request: Message, asker: Asker) -> Message:
        if request.op_code == OpCode.SESSION_TERMINATE:
            self.table.end(request.session_id, asker.connection)
            return reply(request, ResponseCode.SUCCESS, Empty())
        return await self._next.answer(request, asker)

    # -- keys ----------------------------------------------------------------------------------------------------------

    async def _set_up(self, request: Message, asker: Asker) -> Message:
        body = read_body(request)
        if not isinstance(body, SessionSetup) or not asker.connection:
            return reply(request, ResponseCode.SESSION_FAILED, "sessions are set up over TCP")
        if body.mode == KeyExchange.SERVER_KEY:
            number, key_of_server = await self._sealed.begin(asker.connection, float(body.timeout))
            answer = reply(request, ResponseCode.SUCCESS, SessionSetupAnswer(body.mode, key_of_server))
            return msgspec.structs.replace(answer, session_id=number)
        try:
            agreed = await self._agreed(body)
        except WireError as error:
            return reply(request, ResponseCode.INVALID_SESSION_SETUP, f"{error.code}: {error.message}")
        if isinstance(agreed, str):
            return reply(request, ResponseCode.INVALID_SESSION_SETUP, agreed)
        key, data, who = agreed
        number = self.table.begin(asker.connection, key=key, who=who, seconds=float(body.timeout))
        answer = reply(request, ResponseCode.SUCCESS, SessionSetupAnswer(body.mode, data))
        return msgspec.structs.replace(answer, session_id=number)

    async def _exchange(self, request: Message, asker: Asker) -> Message:
        """Opcode 402: the key that the client has chosen for the session that it has set up."""
        body = read_body(request)
        if isinstance(body, ExchangeKey) and await self._sealed.take(request.session_id, asker.connection, body.encrypted):
            return reply(request, ResponseCode.SUCCESS, Empty())
        return reply(request, ResponseCode.SESSION_TIMEOUT, "no session of this connection waits for a key")

    async def _agreed(self, body: SessionSetup) -> tuple[SessionKey, bytes, Reference | None] | str:
        """The key, what the client must be told to have it too, and who it proves; or why there is none."""
        if body.mode == KeyExchange.CLIENT_KEY:
            key = SessionKey.generate()
            return key, seal_session_key(key, PublicKey.unpack(body.public_key).usable()), None
        if body.mode == KeyExchange.DIFFIE_HELLMAN:
            other = PublicKey.unpack(body.public_key).usable()
            if not isinstance(other, DhPublicKey):
                return "a Diffie-Hellman key is needed"
            exchange, key = await anyio.to_thread.run_sync(_exchanged, other)
            return key, PublicKey.of(exchange.public).pack(), None
        if body.mode == KeyExchange.KEY_IN_HANDLE:
            for value in (await self._lookup.values(body.key_handle, ("HS_PUBKEY",)))[:_MOST_KEYS]:
                if body.key_index in (0, value.index):
                    key = SessionKey.generate()
                    sealed = seal_session_key(key, PublicKey.unpack(value.data).usable())
                    return key, sealed, Reference(body.key_handle, value.index)
            return f"{body.key_index}:{body.key_handle} is no public key that can be found"
        return f"key exchange {body.mode} is not known here"


def _exchanged(other: DhPublicKey) -> tuple[DhExchange, SessionKey]:
    exchange = DhExchange.answering(other)
    return exchange, exchange.session_key(other)
