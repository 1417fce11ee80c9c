"""Bodies of the challenge-response exchange, and the login of the Chinese dialect."""

from __future__ import annotations

import msgspec

from hulian.network.identifiers.wire import fields
from hulian.network.identifiers.wire.reader import Reader

__all__ = ["Challenge", "ChallengeResponse", "Login", "Verdict", "VerifyRequest"]


class Challenge(msgspec.Struct, frozen=True):
    """Answer 402: a nonce to prove oneself over. The request digest in front of it is part of what is signed."""

    nonce: bytes

    def pack(self) -> bytes:
        return fields.binary(self.nonce)

    @classmethod
    def read(cls, reader: Reader) -> Challenge:
        return cls(reader.binary(1_024))


class ChallengeResponse(msgspec.Struct, frozen=True):
    """Opcode 200: who answers (``kind`` is HS_PUBKEY or HS_SECKEY), and the proof. Index 0 is any key of the handle."""

    kind: str
    handle: str
    index: int
    response: bytes

    def pack(self) -> bytes:
        return fields.text(self.kind) + fields.handle(self.handle) + fields.i32(self.index) + fields.binary(self.response)

    @classmethod
    def read(cls, reader: Reader) -> ChallengeResponse:
        return cls(reader.handle(), reader.handle(), reader.i32(), reader.binary(65_536))

    def __repr__(self) -> str:
        return f"ChallengeResponse({self.kind} of {self.index}:{self.handle})"


class VerifyRequest(msgspec.Struct, frozen=True):
    """Opcode 201: asks the server that holds a secret key whether ``response`` proves it over ``nonce`` and ``digest``."""

    handle: str
    index: int
    nonce: bytes
    digest: bytes
    response: bytes

    def pack(self) -> bytes:
        return b"".join(
            (
                fields.handle(self.handle),
                fields.i32(self.index),
                fields.binary(self.nonce),
                fields.binary(self.digest),
                fields.binary(self.response),
            )
        )

    @classmethod
    def read(cls, reader: Reader) -> VerifyRequest:
        return cls(reader.handle(), reader.i32(), reader.binary(1_024), reader.binary(1_024), reader.binary(65_536))

    def __repr__(self) -> str:
        return f"VerifyRequest({self.index}:{self.handle})"


class Verdict(msgspec.Struct, frozen=True):
    """The answer to a verify request: one byte, 1 where the proof holds."""

    valid: bool

    def pack(self) -> bytes:
        return b"\1" if self.valid else b"\0"

    @classmethod
    def read(cls, reader: Reader) -> Verdict:
        return cls(reader.u8() == 1)


class Login(msgspec.Struct, frozen=True):
    """Opcode 2001 of the Chinese dialect: who logs in. The server answers 402, the client with opcode 200."""

    handle: str
    index: int

    def pack(self) -> bytes:
        return fields.handle(self.handle) + fields.i32(self.index)

    @classmethod
    def read(cls, reader: Reader) -> Login:
        return cls(reader.handle(), reader.i32())
