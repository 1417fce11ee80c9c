"""RTU frames: unit, function, data, CRC-16; no length, no start: where a frame lies shows its request. Bytes in, values out.

Modbus over Serial Line 1.02, section 2.5.1. The same bytes travel through TCP connections to serial device servers.
"""

from __future__ import annotations

import struct
from typing import Final

__all__ = ["MAXIMUM_RTU", "RtuReader", "answer_length", "crc16", "encode_rtu"]

MAXIMUM_RTU: Final = 256
_HELD: Final = 2 * MAXIMUM_RTU
_READS: Final = (1, 2, 3, 4, 23)
_FIXED: Final = {5: 6, 6: 6, 15: 6, 16: 6, 22: 8}


def _table() -> tuple[int, ...]:
    found = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0xA001 if value & 1 else 0)
        found.append(value)
    return tuple(found)


_CRC: Final = _table()


def crc16(data: bytes | bytearray | memoryview) -> int:
    """Section 6.2.2: polynomial 0xA001 reflected, start 0xFFFF; sent with its lower byte first.

    >>> hex(crc16(bytes.fromhex("0207")))
    '0x1241'
    """
    register, table = 0xFFFF, _CRC
    for byte in data:
        register = (register >> 8) ^ table[(register ^ byte) & 0xFF]
    return register


def encode_rtu(unit: int, pdu: bytes) -> bytes:
    """The bytes of one frame."""
    body = bytes((unit,)) + pdu
    return body + crc16(body).to_bytes(2, "little")


def answer_length(pdu: bytes) -> int:
    """Bytes of the data unit that answers ``pdu``, as far as its function tells; 253, the most, for others."""
    function = pdu[0]
    if function in (1, 2):
        return 2 + (int(struct.unpack_from(">H", pdu, 3)[0]) + 7) // 8
    if function in (3, 4, 23):
        return 2 + 2 * int(struct.unpack_from(">H", pdu, 3)[0])
    return _FIXED.get(function, 254) - 1


class RtuReader:
    """Finds the answer to one request among whatever a line brings.

    Noise before the answer is passed over: a frame counts where unit, function, length and CRC fit. What comes is bounded by
    two frames; of more, the oldest goes.

    >>> reader = RtuReader()
    >>> reader.expect(7, bytes.fromhex("0300000001"))
    >>> reader.feed(b"\\0" + encode_rtu(7, bytes.fromhex("0302002a")))
    b'\\x03\\x02\\x00*'
    """

    __slots__ = ("_buffer", "_function", "_unit")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._unit = self._function = 0

    @property
    def pending(self) -> int:
        """Bytes that no answer has been found in."""
        return len(self._buffer)

    def expect(self, unit: int, pdu: bytes) -> None:
        """From now on only the answer to this request counts; what came before is forgotten."""
        self._buffer.clear()
        self._unit, self._function = unit, pdu[0]

    def feed(self, data: bytes) -> bytes | None:
        """The answer's data unit as soon as its last byte is there. What comes behind it is dropped."""
        buffer = self._buffer
        buffer += data[-_HELD:]
        if len(buffer) > _HELD:
            del buffer[: len(buffer) - _HELD]
        start = buffer.find(self._unit)
        while start >= 0 and len(buffer) - start >= 5:
            size = self._size(start)
            if size and start + size <= len(buffer):
                frame = bytes(buffer[start : start + size])
                if crc16(frame[:-2]) == int.from_bytes(frame[-2:], "little"):
                    buffer.clear()
                    return frame[1:-2]
            start = buffer.find(self._unit, start + 1)
        return None

    def _size(self, start: int) -> int:
        """Bytes of the frame that begins here if one does, 0 if none can."""
        buffer, function = self._buffer, self._function
        found = buffer[start + 1]
        if found == function | 0x80:
            return 5
        if found != function:
            return 0
        if function in _READS:
            size = 5 + buffer[start + 2]
        elif function == 43:
            size = self._identification(start)
        else:
            size = _FIXED.get(function, 0) + 2 if function in _FIXED else 0
        return size if size <= MAXIMUM_RTU else 0

    def _identification(self, start: int) -> int:
        """The length of an answer to 43/14, which its objects tell one after the other (application protocol, 6.21)."""
        buffer = self._buffer
        place = start + 8
        if len(buffer) < place or buffer[start + 2] != 14:
            return 0
        for _ in range(buffer[start + 7]):
            if len(buffer) < place + 2:
                return 0
            place += 2 + buffer[place + 1]
        return place + 2 - start
