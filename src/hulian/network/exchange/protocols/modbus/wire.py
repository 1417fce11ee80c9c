"""Modbus TCP on the wire: frames and protocol data units. Bytes in, values out; no socket, no clock.

MODBUS Messaging on TCP/IP 1.0b, section 3.1 (the MBAP header), and MODBUS Application Protocol 1.1b3, section 6 (functions).
Every length is checked before it is believed; whatever does not fit is a `GarbageError`.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

from hulian.network.exchange.protocols.modbus.address import Table
from hulian.network.exchange.protocols.modbus.errors import GarbageError, RefusedError

__all__ = [
    "MAXIMUM_BITS",
    "MAXIMUM_LENGTH",
    "MAXIMUM_REGISTERS",
    "READ_FUNCTIONS",
    "Frame",
    "FrameReader",
    "check_write",
    "encode_frame",
    "identification_request",
    "mask_write_request",
    "parse_identification",
    "parse_read",
    "parse_read_write",
    "read_request",
    "read_write_request",
    "write_bits_request",
    "write_registers_request",
]

MAXIMUM_REGISTERS: Final = 125
MAXIMUM_BITS: Final = 2000
READ_FUNCTIONS: Final = {Table.COIL: 1, Table.DISCRETE: 2, Table.HOLDING: 3, Table.INPUT: 4}

_HEADER = struct.Struct(">HHHB")
MAXIMUM_LENGTH: Final = 254


class Frame(NamedTuple):
    """One application data unit, in either direction."""

    transaction: int
    unit: int
    pdu: bytes


def encode_frame(transaction: int, unit: int, pdu: bytes) -> bytes:
    """The bytes of one frame."""
    return _HEADER.pack(transaction, 0, len(pdu) + 1, unit) + pdu


class FrameReader:
    """Cuts a stream into frames, however it was split on the way.

    >>> reader = FrameReader()
    >>> reader.feed(encode_frame(1, 7, b"\\x03\\x02\\x00")), reader.feed(b"\\x2a")
    ([Frame(transaction=1, unit=7, pdu=b'\\x03\\x02\\x00')], [])
    """

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def pending(self) -> int:
        """Bytes of a frame whose end has not come yet; never more than one frame."""
        return len(self._buffer)

    def feed(self, data: bytes) -> list[Frame]:
        """All frames that ``data`` completes. After a `GarbageError` the stream is lost: only a new connection helps."""
        buffer = self._buffer
        buffer += data
        frames = []
        start, end = 0, len(buffer)
        while end - start >= 7:
            transaction, protocol, length, unit = _HEADER.unpack_from(buffer, start)
            if protocol != 0:
                raise GarbageError(f"the protocol identifier is {protocol}, not 0")
            if not 2 <= length <= MAXIMUM_LENGTH:
                raise GarbageError(f"a frame claims {length} bytes; 2 to {MAXIMUM_LENGTH} are possible")
            stop = start + 6 + length
            if stop > end:
                break
            frames.append(Frame(transaction, unit, bytes(buffer[start + 7 : stop])))
            start = stop
        if start:
            del buffer[:start]
        return frames


def read_request(table: Table, offset: int, count: int) -> bytes:
    """Functions 1 to 4."""
    return struct.pack(">BHH", READ_FUNCTIONS[table], offset, count)


def parse_read(pdu: bytes, table: Table, count: int) -> bytes:
    """The payload of an answer to `read_request`: two bytes a register, or bits, lowest first, eight a byte.

    Raises `RefusedError` for an exception of the device, `GarbageError` for anything that is not the answer.
    """
    function = READ_FUNCTIONS[table]
    _check_function(pdu, function)
    size = (count + 7) // 8 if table.bits else 2 * count
    if len(pdu) != size + 2 or pdu[1] != size:
        raise GarbageError(f"function {function}: {len(pdu)} bytes came where {size + 2} answer {count} entries")
    return pdu[2:]


def write_bits_request(offset: int, values: Sequence[bool], *, single: bool = True) -> bytes:
    """Function 5 for one coil (unless ``single`` is false), 15 for several."""
    if len(values) == 1 and single:
        return struct.pack(">BHH", 5, offset, 0xFF00 if values[0] else 0)
    packed = bytearray((len(values) + 7) // 8)
    for position, value in enumerate(values):
        packed[position // 8] |= bool(value) << (position % 8)
    return struct.pack(">BHHB", 15, offset, len(values), len(packed)) + bytes(packed)


def write_registers_request(offset: int, payload: bytes, *, single: bool = True) -> bytes:
    """Function 6 for one register (unless ``single`` is false), 16 for several.

    ``payload`` holds two bytes a register, in wire order.
    """
    if len(payload) == 2 and single:
        return struct.pack(">BH", 6, offset) + payload
    return struct.pack(">BHHB", 16, offset, len(payload) // 2, len(payload)) + payload


def read_write_request(offset: int, payload: bytes) -> bytes:
    """Function 23: writes registers and reads the same ones back, in this order."""
    count = len(payload) // 2
    return struct.pack(">BHHHHB", 23, offset, count, offset, count, len(payload)) + payload


def parse_read_write(pdu: bytes, count: int) -> bytes:
    """The registers that an answer to `read_write_request` carries; errors as of `parse_read`."""
    _check_function(pdu, 23)
    if len(pdu) != 2 * count + 2 or pdu[1] != 2 * count:
        raise GarbageError(f"function 23: {len(pdu)} bytes came where {2 * count + 2} answer {count} registers")
    return pdu[2:]


def mask_write_request(offset: int, keep: int, set_bits: int) -> bytes:
    """Function 22: the register becomes ``(register & keep) | (set_bits & ~keep)``."""
    return struct.pack(">BHHH", 22, offset, keep, set_bits)


def check_write(request: bytes, pdu: bytes) -> None:
    """Raises unless ``pdu`` confirms ``request``: an echo, or address and count of what was written."""
    _check_function(pdu, request[0])
    if pdu != (request if request[0] in (5, 6, 22) else request[:5]):
        raise GarbageError(f"function {request[0]}: the confirmation is not of what was written")


def identification_request(start: int = 0) -> bytes:
    """Function 43/14, read device identification, regular level, from object ``start``."""
    return bytes((43, 14, 2, start))


def parse_identification(pdu: bytes) -> tuple[dict[int, str], int]:
    """The objects of one answer, and the object to go on from (0: there are no more)."""
    _check_function(pdu, 43)
    if len(pdu) < 7 or pdu[1] != 14:
        raise GarbageError("function 43: the answer is too short or of another kind")
    objects: dict[int, str] = {}
    position = 7
    for _ in range(pdu[6]):
        if position + 2 > len(pdu) or position + 2 + pdu[position + 1] > len(pdu):
            raise GarbageError("function 43: an object ends beyond the frame")
        size = pdu[position + 1]
        objects[pdu[position]] = pdu[position + 2 : position + 2 + size].decode("utf-8", "replace").strip("\0 ")
        position += 2 + size
    return objects, pdu[5] if pdu[4] == 0xFF else 0


def _check_function(pdu: bytes, function: int) -> None:
    if not pdu:
        raise GarbageError("an answer without a function code")
    if pdu[0] == function | 0x80:
        if len(pdu) != 2:
            raise GarbageError(f"an exception of {len(pdu)} bytes; 2 are possible")
        raise RefusedError(pdu[1])
    if pdu[0] != function:
        raise GarbageError(f"function {function} was asked and {pdu[0]} answered")
