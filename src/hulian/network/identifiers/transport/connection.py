"""A TCP connection that is kept: questions are sent as they come, answers are told apart by their request ids."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import secrets
import time
from collections.abc import AsyncIterator
from typing import Final

import anyio
import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa

from hulian.network.identifiers.chain.errors import SecurityError, UnreachableError
from hulian.network.identifiers.chain.sites import Target
from hulian.network.identifiers.wire import sm2
from hulian.network.identifiers.wire.authentication import (
    ReplayWindow,
    SessionKey,
    decrypt_message,
    encrypt_message,
    mac_message,
    open_session_key,
    seal_session_key,
    verify_mac,
    verify_signed,
)
from hulian.network.identifiers.wire.authentication.exchange import AES
from hulian.network.identifiers.wire.bodies import (
    ExchangeKey,
    Failure,
    SessionSetup,
    SessionSetupAnswer,
    check_digest,
    read_answer,
    request,
)
from hulian.network.identifiers.wire.codes import KeyExchange, OpCode, OpFlag, ResponseCode, response_text
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.frame import Message, decode, encode
from hulian.network.identifiers.wire.stream import Splitter
from hulian.network.identifiers.wire.typed.keys import PublicKey, UsableKey
from hulian.network.identifiers.wire.values import Reference

__all__ = ["Connection", "connection"]

SECONDS: Final = 20.0
"""How long an answer, or its next part, may take."""

_CHUNK: Final = 65_536
_MOST_PARTS: Final = 100_000


class _Waiting:
    def __init__(self) -> None:
        self.came = anyio.Event()
        self.parts: list[Message] = []
        self.whole = False

    async def changed(self) -> bool:
        """Waits for another part, or the connection's end; whether the answer is whole."""
        with anyio.fail_after(SECONDS):
            await self.came.wait()
        self.came = anyio.Event()
        return self.whole


class Connection:
    """An `hulian.network.identifiers.chain.administer.Exchange`. Any number of tasks may ask at once."""

    def __init__(self, target: Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._target = target
        self._reader, self._writer = reader, writer
        self._waiting: dict[int, _Waiting] = {}
        self._ids = itertools.count(secrets.randbits(31))
        self._over = ""
        self._session = 0
        self._key: SessionKey | None = None
        self._counter = itertools.count(1)

    async def hide(self, server: UsableKey) -> None:
        """From now on everything is encrypted to the holder of ``server``, the key in its site record; nobody is proved.

        Raises `SecurityError` where the server does not prove that key.
        """
        answer, found = await self._set_up(SessionSetup(mode=KeyExchange.SERVER_KEY), server)
        key = SessionKey.generate()
        try:
            sealed = seal_session_key(key, PublicKey.unpack(found.data).usable())
        except WireError as error:
            raise SecurityError(f"no session: {error.message}", place=str(self._target)) from error
        asked = request(
            OpCode.SESSION_EXCHANGE_KEY,
            ExchangeKey(sealed),
            request_id=0,
            expiration=int(time.time()) + 60,
            flags=OpFlag.KEEP_CONNECTION.value,
            session_id=answer.session_id,
        )
        (taken,) = await self(asked)
        if taken.response_code != ResponseCode.SUCCESS:
            raise SecurityError(f"no session: {response_text(taken.response_code)}", place=str(self._target))
        self._key, self._session = key, answer.session_id

    async def secure(
        self, who: Reference, key: rsa.RSAPrivateKey | sm2.PrivateKey, server: UsableKey, *, serial: int = -1
    ) -> None:
        """From now on everything is encrypted, and proves ``who``, whose private key ``key`` is, and the key ``server``, which
        the server's site record of this ``serial`` number names.

        Raises `SecurityError` where the server does not prove its key, or does not know that of ``who``.
        """
        body = SessionSetup(mode=KeyExchange.KEY_IN_HANDLE, key_handle=who.handle, key_index=who.index)
        answer, found = await self._set_up(body, server, serial)
        try:
            opened = open_session_key(found.data, key)
        except WireError as error:
            raise SecurityError(f"no session: {error.message}", place=str(self._target)) from error
        if opened.algorithm != AES:
            # A wrong private key gives random bytes and no error, so that nobody learns from it.
            raise SecurityError(f"the private key is not that of {who}", place=str(self._target))
        self._key, self._session = opened, answer.session_id

    async def _set_up(self, body: SessionSetup, server: UsableKey, serial: int = -1) -> tuple[Message, SessionSetupAnswer]:
        """The answer to opcode 400, signed by the holder of ``server``. Raises `SecurityError`."""
        flags = (OpFlag.RETURN_DIGEST | OpFlag.CERTIFIED | OpFlag.KEEP_CONNECTION).value
        life = int(time.time()) + 60
        asked = request(OpCode.SESSION_SETUP, body, request_id=0, expiration=life, flags=flags, site_serial=serial)
        (answer,) = await self(asked)
        try:
            found, _ = read_answer(answer)
            if not isinstance(found, SessionSetupAnswer):
                said = found.message if isinstance(found, Failure) and found.message else response_text(answer.response_code)
                raise SecurityError(f"no session: {said}", place=str(self._target))
            verify_signed(answer, server)
            check_digest(asked, answer)
        except WireError as error:
            raise SecurityError(f"no session: {error.message}", place=str(self._target)) from error
        return answer, found

    def _sealed(self, message: Message) -> bytes:
        if self._key is None:
            return encode(message)
        coded = mac_message(msgspec.structs.replace(message, session_id=self._session), self._key, next(self._counter))
        return encrypt_message(coded, self._key)

    def _opened(self, data: bytes) -> Message:
        """Within a session nothing is taken that its key did not encrypt and code."""
        if self._key is None:
            return decode(data)
        answer = decrypt_message(data, self._key)
        verify_mac(answer, self._key, ReplayWindow())
        return answer

    async def __call__(self, message: Message) -> list[Message]:
        """Every part of the answer to ``message``, whose request id is given here. Raises `UnreachableError`."""
        number = next(self._ids) & 0xFFFFFFFF
        waiting = self._waiting[number] = _Waiting()
        try:
            if self._over:
                raise UnreachableError(self._over, place=str(self._target))
            self._writer.write(self._sealed(msgspec.structs.replace(message, request_id=number)))
            await self._writer.drain()
            while not await waiting.changed():
                if self._over:
                    raise UnreachableError(self._over, place=str(self._target))
        except TimeoutError:
            raise UnreachableError("no answer in time", place=str(self._target)) from None
        except OSError as error:
            raise UnreachableError(f"the connection broke: {error.strerror or error}", place=str(self._target)) from error
        finally:
            del self._waiting[number]
        return waiting.parts

    async def read(self) -> None:
        """Hands answers to who waits for them, until the connection ends."""
        splitter = Splitter()
        try:
            while chunk := await self._reader.read(_CHUNK):
                for data in splitter.feed(chunk):
                    self._came(self._opened(data))
                if splitter.error is not None:
                    raise splitter.error
            self._ends("it hung up")
        except WireError as error:
            self._ends(f"it does not speak the protocol: {error.message}")
        except OSError as error:
            self._ends(f"the connection broke: {error.strerror or error}")

    def _came(self, answer: Message) -> None:
        waiting = self._waiting.get(answer.request_id)
        if waiting is None or answer.is_request or waiting.whole:
            return
        waiting.parts.append(answer)
        waiting.whole = not answer.has(OpFlag.CONTINUED)
        if len(waiting.parts) > _MOST_PARTS:
            self._ends(f"an answer of more than {_MOST_PARTS} parts")
        waiting.came.set()

    def _ends(self, why: str) -> None:
        self._over = why
        for waiting in self._waiting.values():
            waiting.came.set()
        self._writer.close()


@contextlib.asynccontextmanager
async def connection(target: Target) -> AsyncIterator[Connection]:
    """A connection to ``target``, for as long as the block lasts. Raises `UnreachableError`."""
    try:
        with anyio.fail_after(SECONDS):
            reader, writer = await asyncio.open_connection(target.address, target.port)
    except TimeoutError:
        raise UnreachableError("no connection in time", place=str(target)) from None
    except OSError as error:
        raise UnreachableError(f"no connection: {error.strerror or error}", place=str(target)) from error
    made = Connection(target, reader, writer)
    # A task of its own, and no task group: connections of one `Administer` are opened by whichever task needs one first.
    reading = asyncio.ensure_future(made.read())
    try:
        yield made
    finally:
        reading.cancel()
        writer.close()
        with contextlib.suppress(asyncio.CancelledError):
            await reading
