"""Messages and parameters of LLRP as octets (section 17): no socket, no clock.

A message is three reserved bits, three of version, ten of type; its length with this head in 32 bits; an id in 32 bits.
A parameter is six reserved bits, ten of type, its length with this head in 16 bits; or one octet, the highest bit set, of
type, and a value whose length the type has.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from hulian.network.identifiers.carriers.errors import LlrpFormatError
from hulian.network.identifiers.carriers.llrp.numbers import ParameterType

__all__ = [
    "MAXIMUM_MESSAGE",
    "Frames",
    "Message",
    "Parameter",
    "find",
    "parameter",
    "parameters",
    "short_parameter",
]

MAXIMUM_MESSAGE: Final = 1 << 20
"""Longest message that is accepted; a report of a thousand tags has about 60 KiB."""

_HEAD: Final = struct.Struct(">HII")
_PARAMETER: Final = struct.Struct(">HH")
_TYPE: Final = 0x3FF
_SHORT: Final = 0x80
_VERSIONS: Final = (1, 2, 3)

SHORT_LENGTHS: Final[Mapping[int, int]] = MappingProxyType(
    {
        ParameterType.ANTENNA_ID: 2,
        ParameterType.FIRST_SEEN_UTC: 8,
        ParameterType.FIRST_SEEN_UPTIME: 8,
        ParameterType.LAST_SEEN_UTC: 8,
        ParameterType.LAST_SEEN_UPTIME: 8,
        ParameterType.PEAK_RSSI: 1,
        ParameterType.CHANNEL_INDEX: 2,
        ParameterType.TAG_SEEN_COUNT: 2,
        ParameterType.ROSPEC_ID: 4,
        ParameterType.INVENTORY_PARAMETER_SPEC_ID: 2,
        ParameterType.C1G2_CRC: 2,
        ParameterType.C1G2_PC: 2,
        ParameterType.EPC_96: 12,
        ParameterType.SPEC_INDEX: 2,
        ParameterType.CLIENT_REQUEST_RESULT: 2,
        ParameterType.ACCESSSPEC_ID: 4,
        ParameterType.OPSPEC_ID: 2,
        ParameterType.C1G2_SINGULATION: 4,
        ParameterType.C1G2_XPC_W1: 2,
        ParameterType.C1G2_XPC_W2: 2,
    }
)
"""Octets of the value of each parameter without a length of its own."""

_LENGTHS: Final = [SHORT_LENGTHS.get(type_, 0) for type_ in range(128)]


class Message(NamedTuple):
    """One message; ``type`` is a number, for there may be others than are named here."""

    type: int
    id: int
    body: bytes = b""
    version: int = 1

    def encode(self) -> bytes:
        """As it is sent."""
        if not 0 <= self.type <= _TYPE or self.version not in _VERSIONS or not 0 <= self.id < 1 << 32:
            raise LlrpFormatError(
                f"no message has type {self.type}, version {self.version} and id {self.id}", rule="llrp.message"
            )
        length = _HEAD.size + len(self.body)
        if length > MAXIMUM_MESSAGE:
            raise LlrpFormatError(f"a message of {length} octets; {MAXIMUM_MESSAGE} is the bound", rule="llrp.length")
        return _HEAD.pack(self.version << 10 | self.type, length, self.id) + self.body


class Parameter(NamedTuple):
    """One parameter; ``offset`` is where its value stands in what was read."""

    type: int
    value: bytes
    offset: int


class Frames:
    """Octets as they arrive → messages. After an error nothing more can be read: where the next message begins is lost.

    What is kept is never more than one message within `MAXIMUM_MESSAGE` and what came behind it in one piece.
    """

    def __init__(self, maximum: int = MAXIMUM_MESSAGE) -> None:
        self._maximum = maximum
        self._waiting = bytearray()

    def feed(self, octets: bytes) -> list[Message]:
        """The messages that ``octets`` complete. Raises `LlrpFormatError` at the head of what is no message."""
        self._waiting += octets
        found: list[Message] = []
        while len(self._waiting) >= _HEAD.size:
            head, length, id_ = _HEAD.unpack_from(self._waiting)
            version = head >> 10
            if version not in _VERSIONS:
                raise LlrpFormatError(
                    f"a message that begins with {bytes(self._waiting[:2]).hex()} is none of LLRP",
                    rule="llrp.version",
                    position=0,
                )
            if not _HEAD.size <= length <= self._maximum:
                raise LlrpFormatError(
                    f"a message of {length} octets; {_HEAD.size} to {self._maximum} are accepted",
                    rule="llrp.length",
                    position=2,
                )
            if len(self._waiting) < length:
                break
            found.append(Message(head & _TYPE, id_, bytes(self._waiting[_HEAD.size : length]), version))
            del self._waiting[:length]
        return found


def parameter(type_: int, value: bytes = b"", *inner: bytes) -> bytes:
    """A parameter with a length of its own, ``inner`` parameters behind its fields."""
    body = value + b"".join(inner)
    length = _PARAMETER.size + len(body)
    if length > 0xFFFF:
        raise LlrpFormatError(f"a parameter of {length} octets", rule="llrp.parameter-length")
    return _PARAMETER.pack(type_, length) + body


def short_parameter(type_: int, value: int, *, signed: bool = False) -> bytes:
    """A parameter without a length, of a number."""
    return bytes([_SHORT | type_]) + value.to_bytes(SHORT_LENGTHS[type_], "big", signed=signed)


def parameters(data: bytes, begin: int = 0) -> Iterator[Parameter]:
    """The parameters in ``data`` from octet ``begin`` on, one behind the other to its end.

    Raises `LlrpFormatError` where a length contradicts what is there, or a type without length is not known.
    """
    place, whole = begin, len(data)
    while place < whole:
        head = data[place]
        if head & _SHORT:
            type_ = head & ~_SHORT
            length = _LENGTHS[type_]
            if not length:
                raise LlrpFormatError(
                    f"a parameter of type {type_}, whose length nobody knows", rule="llrp.parameter", position=place
                )
            value_at = place + 1
            end = value_at + length
        else:
            value_at = place + _PARAMETER.size
            if value_at > whole:
                raise LlrpFormatError("the message ends inside a parameter's head", rule="llrp.parameter", position=place)
            type_, length = _PARAMETER.unpack_from(data, place)
            type_ &= _TYPE
            end = place + length
            if length < _PARAMETER.size:
                raise LlrpFormatError(f"a parameter of {length} octets", rule="llrp.parameter-length", position=place)
        if end > whole:
            raise LlrpFormatError(
                f"parameter {type_} reaches {end - whole} octets beyond what holds it",
                rule="llrp.parameter-length",
                position=place,
            )
        yield Parameter(type_, data[value_at:end], value_at)
        place = end


def find(data: bytes, type_: int, begin: int = 0) -> Parameter | None:
    """The first parameter of this type in ``data`` from octet ``begin`` on."""
    return next((each for each in parameters(data, begin) if each.type == type_), None)
