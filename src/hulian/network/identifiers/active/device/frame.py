"""Messages of the Handle protocol 2.11 and DO-IRP, as far as a carrier speaks them; bytes in, values out.

Every number is big-endian; a field is a length of 32 bits and that many bytes. Whatever is out of bounds is a `FormatError`
before anything is kept for it.
"""

from __future__ import annotations

import hashlib
import hmac
from struct import Struct, error
from typing import NamedTuple

from .errors import FormatError

__all__ = [
    "CHALLENGE_RESPONSE",
    "CONTENTS",
    "ENROL",
    "HELLO",
    "MOST",
    "REKEY",
    "REPORT",
    "RESOLVE",
    "SESSION",
    "SESSION_REPORT",
    "Answer",
    "Fields",
    "ask",
    "challenge_response",
    "field",
    "length_of",
    "read_answer",
    "text",
]

RESOLVE, CHALLENGE_RESPONSE = 1, 200
HELLO, ENROL, REPORT, CONTENTS, REKEY = 3000, 3001, 3002, 3003, 3004
SESSION, SESSION_REPORT = 3005, 3006
"""The operations of active carriers; see docs/reference/active-carrier.md."""

SUCCESS, CHALLENGE = 1, 402
PROTOCOL_ERROR, NOT_SUPPORTED = 4, 5
SESSION_OVER, SESSION_REJECTED = 500, 505
MOST = 65536
"""Bytes of the largest message that a carrier reads."""

_ENVELOPE = Struct(">BBBBIIII")
_HEADER = Struct(">IIIhBBIi")
_RETURN_DIGEST = 0x00800000
_KEEP = 0x02000000
_DIGESTS = {1: ("md5", 16), 2: ("sha1", 20), 3: ("sha256", 32)}


def field(value: bytes) -> bytes:
    """A length and the bytes."""
    return len(value).to_bytes(4, "big") + value


def text(value: str) -> bytes:
    """A length and UTF-8."""
    return field(value.encode())


class Fields:
    """Reads fields one after the other."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data = data
        self.at = at

    def raw(self, size: int) -> bytes:
        at = self.at
        if size < 0 or size > len(self.data) - at:
            raise FormatError("a message that ends inside a field")
        self.at = at + size
        return self.data[at : self.at]

    def number(self, size: int, signed: bool = True) -> int:
        """A number of ``size`` bytes."""
        return int.from_bytes(self.raw(size), "big", signed=signed)

    def field(self, most: int = MOST) -> bytes:
        size = self.number(4)
        if not 0 <= size <= most:
            raise FormatError(f"a field of {size} bytes, where {most} are read")
        return self.raw(size)

    def text(self, most: int = MOST) -> str:
        try:
            return self.field(most).decode()
        except UnicodeDecodeError as error:
            raise FormatError("a text that is no UTF-8") from error

    def done(self) -> None:
        if self.at != len(self.data):
            raise FormatError("bytes behind the last field")


class Answer(NamedTuple):
    """An answer; ``body`` is what stands behind the digest of the request, which ``digest`` is."""

    op_code: int
    response_code: int
    request_id: int
    session_id: int
    digest: bytes
    body: bytes


class Request(NamedTuple):
    """A request as bytes, and what its answer is recognised by."""

    data: bytes
    request_id: int
    digest: bytes


def ask(op_code: int, body: bytes, request_id: int, expiration: int, flags: int = 0, session_id: int = 0) -> Request:
    """A request, whose answer is asked to carry its digest."""
    try:
        header = _HEADER.pack(op_code, 0, flags | _RETURN_DIGEST | _KEEP, -1, 0, 0, expiration, len(body))
        rest = header + body + bytes(4)
        data = _ENVELOPE.pack(2, 11, 2, 11, session_id, request_id, 0, len(rest)) + rest
    except error as wrong:
        raise FormatError("a number that a message cannot carry") from wrong
    return Request(data, request_id, hashlib.sha256(header + body).digest())


def length_of(data: bytes) -> int:
    """How long the message is that begins with ``data``; 0 where too little is there to tell."""
    if len(data) < 20:
        return 0
    major, _, flags, _, _, _, _, size = _ENVELOPE.unpack_from(data)
    if major not in (2, 3) or flags & 0xC0 or size + 20 > MOST:
        raise FormatError("no message that a carrier reads")
    return int(size) + 20


def read_answer(data: bytes) -> Answer:
    """The one answer that ``data`` holds."""
    if length_of(data) != len(data) or len(data) < 48:
        raise FormatError("a message that is cut short, or is none")
    _, _, _, _, session_id, request_id, _, _ = _ENVELOPE.unpack_from(data)
    op_code, response_code, flags, _, _, _, _, size = _HEADER.unpack_from(data, 20)
    if not response_code or not 0 <= size <= len(data) - 44:
        raise FormatError("no answer")
    fields = Fields(data[44 : 44 + size])
    digest = b""
    if flags & _RETURN_DIGEST:
        algorithm = fields.number(1, signed=False)
        if algorithm not in _DIGESTS:
            raise FormatError("a digest that is not known")
        digest = bytes((algorithm,)) + fields.raw(_DIGESTS[algorithm][1])
    return Answer(op_code, response_code, request_id, session_id, digest, fields.data[fields.at :])


def belongs(request: Request, answer: Answer) -> bool:
    """Whether ``answer`` says that it is to exactly ``request``."""
    return hmac.compare_digest(answer.digest, b"\3" + request.digest)


def challenge_response(handle: str, index: int, digest: str, signature: bytes) -> bytes:
    """The body that answers a challenge (opcode 200)."""
    proof = text(digest) + field(signature)
    return text("HS_PUBKEY") + text(handle) + index.to_bytes(4, "big") + field(proof)
