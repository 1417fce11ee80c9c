"""Bodies that set up a session and its key."""

from __future__ import annotations

import msgspec

from hulian.network.identifiers.wire import fields
from hulian.network.identifiers.wire.codes import KeyExchange
from hulian.network.identifiers.wire.errors import EncodeError, FieldError
from hulian.network.identifiers.wire.reader import Reader

__all__ = ["ExchangeKey", "SessionSetup", "SessionSetupAnswer"]

_WITH_KEY = frozenset((KeyExchange.CLIENT_KEY, KeyExchange.DIFFIE_HELLMAN))
_MAX_KEY = 16_384


def _padding(reader: Reader) -> int:
    """Two spare bytes that the reference writes behind its body: it counts four bytes for the mode and writes two."""
    if reader.left == 2 and reader.data[reader.at : reader.end] == b"\0\0":
        reader.skip(2)
        return 2
    return 0


class SessionSetup(msgspec.Struct, frozen=True, kw_only=True):
    """Opcode 400. ``timeout`` in seconds; an anonymous session has an empty handle and index.

    ``public_key`` (encoded as HS_PUBKEY) goes with the modes `CLIENT_KEY` and `DIFFIE_HELLMAN`, ``key_handle`` and
    ``key_index`` with `KEY_IN_HANDLE`. ``padding`` is how many zero bytes stood behind the body; we write none of our own
    accord.
    """

    mode: int
    timeout: int = 86_400
    handle: str = ""
    index: int = 0
    public_key: bytes = b""
    key_handle: str = ""
    key_index: int = 0
    padding: int = 0

    def pack(self) -> bytes:
        parts = [fields.u16(self.mode), fields.i32(self.timeout), fields.handle(self.handle), fields.i32(self.index)]
        if self.mode in _WITH_KEY:
            parts.append(fields.binary(self.public_key, _MAX_KEY))
        elif self.mode == KeyExchange.KEY_IN_HANDLE:
            parts += (fields.handle(self.key_handle), fields.i32(self.key_index))
        elif self.mode != KeyExchange.SERVER_KEY:
            raise EncodeError(f"key exchange {self.mode}", place="a session setup")
        return b"".join(parts) + bytes(self.padding)

    @classmethod
    def read(cls, reader: Reader) -> SessionSetup:
        began = reader.at
        mode = reader.u16()
        timeout, handle, index = reader.i32(), reader.handle(), reader.i32()
        public_key, key_handle, key_index = b"", "", 0
        if mode in _WITH_KEY:
            public_key = reader.binary(_MAX_KEY)
        elif mode == KeyExchange.KEY_IN_HANDLE:
            key_handle, key_index = reader.handle(), reader.i32()
        elif mode != KeyExchange.SERVER_KEY:
            reader.fail(FieldError, f"key exchange {mode}", at=began)
        return cls(
            mode=mode,
            timeout=timeout,
            handle=handle,
            index=index,
            public_key=public_key,
            key_handle=key_handle,
            key_index=key_index,
            padding=_padding(reader),
        )


class SessionSetupAnswer(msgspec.Struct, frozen=True):
    """What the server adds: its public key (`SERVER_KEY`, `DIFFIE_HELLMAN`), or the session key encrypted to the client's."""

    mode: int
    data: bytes
    padding: int = 0

    def pack(self) -> bytes:
        return fields.u16(self.mode) + fields.binary(self.data, _MAX_KEY) + bytes(self.padding)

    @classmethod
    def read(cls, reader: Reader) -> SessionSetupAnswer:
        mode, data = reader.u16(), reader.binary(_MAX_KEY)
        return cls(mode, data, _padding(reader))

    def __repr__(self) -> str:
        return f"SessionSetupAnswer(mode={self.mode}, {len(self.data)} bytes)"


class ExchangeKey(msgspec.Struct, frozen=True):
    """Opcode 402: the session key that the client chose, encrypted to the server's public key."""

    encrypted: bytes

    def pack(self) -> bytes:
        return fields.binary(self.encrypted, _MAX_KEY)

    @classmethod
    def read(cls, reader: Reader) -> ExchangeKey:
        return cls(reader.binary(_MAX_KEY))

    def __repr__(self) -> str:
        return f"ExchangeKey({len(self.encrypted)} bytes)"
