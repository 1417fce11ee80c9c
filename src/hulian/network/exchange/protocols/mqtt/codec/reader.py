"""One packet's fields, read in order; every field that is not what the standard asks for is a named fault at its offset."""

from __future__ import annotations

from typing import Final, NoReturn

from hulian.network.exchange.protocols.mqtt.codec.faults import Fault
from hulian.network.exchange.protocols.mqtt.codec.kinds import PacketType
from hulian.network.exchange.protocols.mqtt.errors import LimitError, WireError

__all__ = ["Reader", "fault"]

_LIMITS: Final = frozenset((Fault.TOO_LARGE, Fault.TOPIC_LENGTH, Fault.PROPERTY_COUNT, Fault.FILTER_COUNT))


def fault(what: Fault, kind: int, offset: int, version: int, detail: str = "") -> WireError:
    """The error of a ``what`` in a packet of ``kind``."""
    name = PacketType(kind).name if 1 <= kind <= 15 else f"packet of type {kind}"
    error = LimitError if what in _LIMITS else WireError
    return error(what, kind=name, offset=offset, version=version, detail=detail)


class Reader:
    """Reads ``data[at:end]``; ``origin`` is where the packet begins, for the offsets in errors."""

    __slots__ = ("at", "data", "end", "kind", "origin", "version")

    def __init__(self, data: bytes, at: int, end: int, *, origin: int, kind: int, version: int) -> None:
        self.data = data
        self.at = at
        self.end = end
        self.origin = origin
        self.kind = kind
        self.version = version

    def fail(self, what: Fault, detail: str = "", *, at: int | None = None) -> NoReturn:
        """Raises the `WireError` of ``what`` at the current field, or at ``at``."""
        raise fault(what, self.kind, (self.at if at is None else at) - self.origin, self.version, detail)

    def byte(self) -> int:
        if self.at >= self.end:
            self.fail(Fault.SHORT)
        self.at += 1
        return self.data[self.at - 1]

    def two(self) -> int:
        if self.at + 2 > self.end:
            self.fail(Fault.SHORT)
        self.at += 2
        return self.data[self.at - 2] << 8 | self.data[self.at - 1]

    def four(self) -> int:
        if self.at + 4 > self.end:
            self.fail(Fault.SHORT)
        self.at += 4
        return int.from_bytes(self.data[self.at - 4 : self.at], "big")

    def variable(self) -> int:
        """A variable byte integer (MQTT 5.0, section 1.5.5)."""
        began, value, shift = self.at, 0, 0
        while True:
            byte = self.byte()
            value |= (byte & 0x7F) << shift
            if not byte & 0x80:
                break
            shift += 7
            if shift > 21:
                self.fail(Fault.LENGTH, at=began)
        if shift and not byte:
            self.fail(Fault.LENGTH_PADDED, at=began)
        return value

    def identifier(self) -> int:
        """A packet identifier, which is never zero."""
        found = self.two()
        if not found:
            self.fail(Fault.IDENTIFIER, at=self.at - 2)
        return found

    def binary(self) -> bytes:
        size = self.two()
        began = self.at
        if began + size > self.end:
            self.fail(Fault.SHORT)
        self.at = began + size
        return self.data[began : self.at]

    def text(self) -> str:
        """A UTF-8 string: well-formed, no surrogates, no U+0000; a byte order mark is kept (section 1.5.4)."""
        began = self.at
        raw = self.binary()
        try:
            found = raw.decode()
        except UnicodeDecodeError as error:
            self.fail(Fault.UTF8, error.reason, at=began + 2 + error.start)
        if "\0" in found:
            self.fail(Fault.NUL, at=began + 2 + raw.index(0))
        return found

    def rest(self) -> bytes:
        began, self.at = self.at, self.end
        return self.data[began : self.end]

    def done(self) -> None:
        """The packet must end here."""
        if self.at != self.end:
            self.fail(Fault.LONG, f"{self.end - self.at} of them")
