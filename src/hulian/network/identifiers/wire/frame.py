"""A whole message: envelope (20 bytes), header (24), body, credential (DO-IRP 3.0, section 6.2; Handle protocol from 2.1)."""

from __future__ import annotations

from struct import Struct
from struct import error as struct_error
from typing import Final, TypeAlias

import msgspec

from hulian.network.identifiers.wire.codes import EnvelopeFlag, OpFlag, ResponseCode, response_text
from hulian.network.identifiers.wire.errors import (
    EncodeError,
    LengthError,
    LimitError,
    OpaqueError,
    TrailingError,
    TruncatedError,
    VersionError,
)
from hulian.network.identifiers.wire.limits import MAX_MESSAGE

__all__ = [
    "CURRENT",
    "DIALECT",
    "ENVELOPE_SIZE",
    "HEADER_SIZE",
    "NEXT",
    "Envelope",
    "Message",
    "Version",
    "answer_version",
    "decode",
    "encode",
    "lower_version",
    "read_envelope",
]

Version: TypeAlias = tuple[int, int]

ENVELOPE_SIZE: Final = 20
HEADER_SIZE: Final = 24
CURRENT: Final[Version] = (2, 11)
"""What we speak unless the other side asks for something else."""

DIALECT: Final[Version] = (2, 10)
"""What the software of the Chinese system speaks by default."""

NEXT: Final[Version] = (3, 0)
"""DO-IRP 3.0, which frames its messages alike."""

_ENVELOPE: Final = Struct(">BBBBIIII")
_HEADER: Final = Struct(">IIIhBBIi")
_I32: Final = Struct(">i")
_FLAGS: Final = 0xE0
_OPAQUE: Final = EnvelopeFlag.COMPRESSED.value | EnvelopeFlag.ENCRYPTED.value


class Envelope(msgspec.Struct, frozen=True):
    """What stands in front of every datagram and message. ``length`` counts the bytes of the whole message behind it."""

    version: Version
    flags: int
    suggested: Version
    session_id: int
    request_id: int
    sequence: int
    length: int


class Message(msgspec.Struct, frozen=True, kw_only=True):
    """One request or answer, its body and credential still packed.

    ``flags`` are bits of `OpFlag`, ``envelope_flags`` of `EnvelopeFlag`; ``expiration`` is in Unix seconds; ``suggested`` is
    the version that the sender would like to speak; ``site_serial`` is -1 where the sender knows none; ``credential`` is None
    where a message ends without even a length of it.
    """

    op_code: int
    response_code: int = ResponseCode.REQUEST.value
    flags: int = 0
    body: bytes = b""
    credential: bytes | None = b""
    request_id: int = 0
    session_id: int = 0
    sequence: int = 0
    version: Version = CURRENT
    suggested: Version = CURRENT
    envelope_flags: int = 0
    site_serial: int = -1
    recursion: int = 0
    reserved: int = 0
    expiration: int = 0

    @property
    def is_request(self) -> bool:
        return self.response_code == ResponseCode.REQUEST

    def has(self, flag: OpFlag) -> bool:
        """Whether ``flag`` is set."""
        return bool(self.flags & flag.value)

    def expired(self, now: int) -> bool:
        """Whether it is too old to be acted on at ``now`` (Unix seconds): whoever recorded it may be sending it again."""
        return self.expiration < now

    def header_and_body(self) -> bytes:
        """What request digests and signatures are made over: the header and the body, as they were received or will be sent."""
        try:
            header = _HEADER.pack(
                self.op_code,
                self.response_code,
                self.flags,
                self.site_serial,
                self.recursion,
                self.reserved,
                self.expiration,
                len(self.body),
            )
        except struct_error:
            raise EncodeError("a number that is out of range", place="the header of a message") from None
        return header + self.body

    def __repr__(self) -> str:
        text = "a request" if self.is_request else response_text(self.response_code)
        return f"Message(op_code={self.op_code}, {text}, request_id={self.request_id:#x}, {len(self.body)} bytes of body)"


def encode(message: Message) -> bytes:
    """The bytes of ``message``; `EncodeError` for what the frame cannot carry."""
    rest = message.header_and_body()
    if message.credential is not None:
        rest += _I32.pack(len(message.credential)) + message.credential
    if len(rest) > MAX_MESSAGE:
        raise EncodeError(f"a message of {len(rest)} bytes, where {MAX_MESSAGE} are allowed", place="a message")
    major, minor = message.version
    suggested_major, suggested_minor = message.suggested
    if not 0 <= suggested_major <= 31 or message.envelope_flags & ~_FLAGS:
        raise EncodeError("a suggested version or flags that do not fit", place="the envelope of a message")
    try:
        envelope = _ENVELOPE.pack(
            major,
            minor,
            message.envelope_flags | suggested_major,
            suggested_minor,
            message.session_id,
            message.request_id,
            message.sequence,
            len(rest),
        )
    except struct_error:
        raise EncodeError("a number that is out of range", place="the envelope of a message") from None
    return envelope + rest


def read_envelope(data: bytes | bytearray | memoryview, at: int = 0, *, limit: int = MAX_MESSAGE) -> Envelope:
    """The envelope at ``at``. Nothing of what it promises has been allocated.

    Raises `TruncatedError`, `VersionError` and `LimitError`.
    """
    if len(data) - at < ENVELOPE_SIZE:
        raise TruncatedError(f"{len(data) - at} bytes, where an envelope has 20", place="an envelope", offset=0)
    major, minor, third, suggested_minor, session_id, request_id, sequence, length = _ENVELOPE.unpack_from(data, at)
    if major not in (2, 3) or (major == 2 and not minor):
        raise VersionError(f"version {major}.{minor}", place="an envelope", offset=0)
    if length > limit:
        raise LimitError(f"a message of {length} bytes, where {limit} are accepted", place="an envelope", offset=16)
    return Envelope((major, minor), third & _FLAGS, (third & 31, suggested_minor), session_id, request_id, sequence, length)


def decode(data: bytes) -> Message:
    """The one message that ``data`` holds, envelope included, to its last byte.

    Raises the errors of `read_envelope`, `LengthError`, `TruncatedError`, `TrailingError`, and `OpaqueError` for a message
    that is encrypted or compressed.
    """
    envelope = read_envelope(data)
    if envelope.flags & _OPAQUE:
        raise OpaqueError("an encrypted or compressed message", place="an envelope", offset=2)
    if envelope.length != len(data) - ENVELOPE_SIZE:
        raise LengthError(
            f"the envelope promises {envelope.length} bytes, {len(data) - ENVELOPE_SIZE} are there",
            place="an envelope",
            offset=16,
        )
    if envelope.length < HEADER_SIZE:
        raise TruncatedError(f"{envelope.length} bytes, where a header has 24", place="a message", offset=ENVELOPE_SIZE)
    op_code, response_code, flags, serial, recursion, reserved, expiration, size = _HEADER.unpack_from(data, ENVELOPE_SIZE)
    began = ENVELOPE_SIZE + HEADER_SIZE
    if size < 0 or size > len(data) - began:
        raise LengthError(f"a body of {size} bytes, where {len(data) - began} are left", place="a message", offset=40)
    at = began + size
    return Message(
        op_code=op_code,
        response_code=response_code,
        flags=flags,
        body=data[began:at],
        credential=_credential(data, at),
        request_id=envelope.request_id,
        session_id=envelope.session_id,
        sequence=envelope.sequence,
        version=envelope.version,
        suggested=envelope.suggested,
        envelope_flags=envelope.flags,
        site_serial=serial,
        recursion=recursion,
        reserved=reserved,
        expiration=expiration,
    )


def _credential(data: bytes, at: int) -> bytes | None:
    """What stands behind the body: a length and the credential, or, from some old senders, nothing."""
    left = len(data) - at
    if not left:
        return None
    if left < 4:
        raise TruncatedError(f"{left} bytes, where a length has 4", place="a credential", offset=0)
    (size,) = _I32.unpack_from(data, at)
    if size < 0 or size > left - 4:
        raise LengthError(f"a credential of {size} bytes, where {left - 4} are left", place="a credential", offset=0)
    if size < left - 4:
        raise TrailingError(f"{left - 4 - size} bytes behind the credential", place="a message", offset=at + 4 + size)
    return data[at + 4 :]


def lower_version(message: Message) -> Version:
    """The lower of what ``message`` is written in and what its sender suggests: what both sides understand."""
    suggested = message.suggested if message.suggested[0] else message.version
    return min(message.version, suggested)


def answer_version(request: Message) -> Version:
    """The version that ``request`` suggests, or the newest we speak below it; what it is written in where it suggests none."""
    suggested = request.suggested if request.suggested[0] else request.version
    return min(suggested, CURRENT) if suggested[0] < NEXT[0] else NEXT
