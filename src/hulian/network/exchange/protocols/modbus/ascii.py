"""ASCII frames: a colon, two hexadecimal digits a byte, LRC, carriage return and line feed. Bytes in, values out.

Modbus over Serial Line 1.02, section 2.5.2.
"""

from __future__ import annotations

from typing import Final

__all__ = ["MAXIMUM_ASCII", "AsciiReader", "encode_ascii", "lrc"]

MAXIMUM_ASCII: Final = 513


def lrc(data: bytes) -> int:
    """Section 6.2.1: the two's complement of the sum.

    >>> lrc(bytes.fromhex("010300000001"))
    251
    """
    return -sum(data) & 0xFF


def encode_ascii(unit: int, pdu: bytes) -> bytes:
    """The bytes of one frame."""
    body = bytes((unit,)) + pdu
    return b":" + (body + bytes((lrc(body),))).hex().upper().encode() + b"\r\n"


class AsciiReader:
    """Finds the answer to one request among whatever a line brings; a colon begins a frame anew.

    >>> reader = AsciiReader()
    >>> reader.expect(7, bytes.fromhex("0300000001"))
    >>> reader.feed(b"?" + encode_ascii(7, bytes.fromhex("0302002a")))
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
        """The answer's data unit as soon as its line feed is there. What comes behind it is dropped."""
        buffer = self._buffer
        buffer += data
        while (end := buffer.find(b"\n")) >= 0:
            line = bytes(buffer[: end + 1])
            del buffer[: end + 1]
            pdu = self._frame(line[line.rfind(b":") :])
            if pdu is not None:
                buffer.clear()
                return pdu
        start = buffer.rfind(b":")
        if start < 0 or len(buffer) - start > MAXIMUM_ASCII:
            buffer.clear()
        else:
            del buffer[:start]
        return None

    def _frame(self, line: bytes) -> bytes | None:
        if len(line) > MAXIMUM_ASCII or not line.startswith(b":") or not line.endswith(b"\r\n"):
            return None
        try:
            raw = bytes.fromhex(line[1:-2].decode("ascii"))
        except (ValueError, UnicodeDecodeError):
            return None
        if len(raw) < 3 or lrc(raw[:-1]) != raw[-1] or raw[0] != self._unit or raw[1] & 0x7F != self._function:
            return None
        return raw[1:-1]
