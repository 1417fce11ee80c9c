"""One record of a description: what a message is on the line, and what an answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from hulian.network.exchange.protocols.instrument.pieces import (
    Checksum,
    FieldPiece,
    Incomplete,
    Length,
    Literal,
    Mismatch,
    Piece,
    ValuesPiece,
    taken_text,
)

__all__ = ["LARGEST", "Record"]

LARGEST: Final = 1 << 22
"""Bytes of the largest answer that any configuration allows."""


class Record(msgspec.Struct, frozen=True):
    """Pieces in their order. A description may say how answers begin and end, never what is to be run."""

    pieces: tuple[Piece, ...]
    terminator: bytes = b""

    def check(self) -> None:
        """Raises `ValueError` for a record whose end nobody could find."""
        for place, piece in enumerate(self.pieces):
            if isinstance(piece, FieldPiece) and not piece.size and not self._ended(place, piece):
                raise ValueError(f"the end of field {piece.name!r} cannot be found: give it a width, or put a text behind it")
            if isinstance(piece, ValuesPiece):
                if piece.framing == "text" and not self._until(place):
                    raise ValueError("the end of the list cannot be found: put a text or a terminator behind it")
                if piece.framing == "fixed" and not piece.count:
                    raise ValueError("a block without a header needs a count")

    def _ended(self, place: int, piece: FieldPiece) -> bool:
        if piece.form == "bytes":
            return any(isinstance(one, Length) for one in self.pieces[:place])
        return bool(self._until(place))

    def _until(self, place: int) -> bytes:
        following = self.pieces[place + 1] if place + 1 < len(self.pieces) else None
        return following.data if isinstance(following, Literal) else b""

    # -- out -----------------------------------------------------------------------------------------------------------

    def encode(self, values: Mapping[str, Any]) -> bytes:
        """The bytes of a message. Raises `ValueError` for a value that does not fit, `KeyError` for one that is missing."""
        out = bytearray()
        opened: tuple[int, Length] | None = None
        for piece in self.pieces:
            if opened is not None and (isinstance(piece, Checksum) or (isinstance(piece, Literal) and piece.terminates)):
                _fill(out, *opened)
                opened = None
            if isinstance(piece, Literal):
                out += piece.data
            elif isinstance(piece, FieldPiece):
                out += piece.encode(values[piece.name])
            elif isinstance(piece, Length):
                opened = len(out), piece
                out += bytes(piece.layout.size)
            elif isinstance(piece, Checksum):
                out += piece.of(bytes(out))
            else:
                raise TypeError("a list of values is only read")
        if opened is not None:
            _fill(out, *opened)
        return bytes(out)

    # -- in ------------------------------------------------------------------------------------------------------------

    def decode(self, buffer: bytes, most: int = LARGEST) -> tuple[dict[str, Any], int]:
        """Values (numpy columns for lists) and how many bytes the record has. Raises `Incomplete`, `Mismatch`."""
        values: dict[str, Any] = {}
        at, end = 0, 0
        for place, piece in enumerate(self.pieces):
            if isinstance(piece, Literal):
                if end and piece.terminates and at != end:
                    raise Mismatch("the length is not that of the record")
                at = _literal(buffer, at, piece.data)
            elif isinstance(piece, Length):
                raw = _exactly(buffer, at, piece.layout.size)
                at += len(raw)
                end = at + int(piece.layout.unpack(raw)[0])
                if end > most:
                    raise Mismatch(f"it claims {end} bytes")
                _exactly(buffer, at, end - at)
            elif isinstance(piece, Checksum):
                if end and at != end:
                    raise Mismatch("the length is not that of the record")
                raw = _exactly(buffer, at, piece.size)
                if raw.upper() != piece.of(buffer[:at]).upper() if piece.form == "hex" else raw != piece.of(buffer[:at]):
                    raise Mismatch("the check sum is wrong")
                at, end = at + len(raw), 0
            elif isinstance(piece, FieldPiece):
                raw, at = self._field(piece, place, buffer, at, end, most)
                values[piece.name] = piece.decode(raw)
            else:
                raw, at = self._values(piece, place, buffer, at, most)
                values.update(piece.columns(raw))
        if end > at or (end and not self.terminator and at != end):
            raise Mismatch("the length is not that of the record")
        return values, at

    def _field(self, piece: FieldPiece, place: int, buffer: bytes, at: int, end: int, most: int) -> tuple[bytes, int]:
        if piece.size:
            raw = _exactly(buffer, at, piece.size)
        elif piece.form == "bytes":
            raw = buffer[at:end]
        else:
            raw = taken_text(piece, buffer, at, self._until(place), b"" if piece.quote else self.terminator, most)
        return raw, at + len(raw)

    def _values(self, piece: ValuesPiece, place: int, buffer: bytes, at: int, most: int) -> tuple[bytes, int]:
        if piece.framing == "text":
            raw = taken_text(piece, buffer, at, self._until(place), self.terminator, most)
            return raw, at + len(raw)
        if piece.framing == "fixed":
            raw = _exactly(buffer, at, piece.count * len(piece.names) * piece.dtype.itemsize)
            return raw, at + len(raw)
        at = _literal(buffer, at, b"#")
        digits = _exactly(buffer, at, 1)
        if digits not in (b"1", b"2", b"3", b"4", b"5", b"6", b"7", b"8", b"9"):
            raise Mismatch("it is no block of IEEE 488.2")
        size = _exactly(buffer, at + 1, int(digits))
        if not size.isdigit():
            raise Mismatch("it is no block of IEEE 488.2")
        if int(size) > most:
            raise Mismatch(f"it claims a block of {int(size)} bytes")
        at += 1 + len(size)
        return _exactly(buffer, at, int(size)), at + int(size)


def _fill(out: bytearray, place: int, piece: Length) -> None:
    layout = piece.layout
    size = len(out) - place - layout.size
    if size >= 1 << (8 * layout.size):
        raise ValueError(f"the record is longer than {piece.form} can say")
    layout.pack_into(out, place, size)


def _literal(buffer: bytes, at: int, data: bytes) -> int:
    there = buffer[at : at + len(data)]
    if there == data:
        return at + len(data)
    if data.startswith(there):
        raise Incomplete
    raise Mismatch(f"{there[:20]!r} stands where {data[:20]!r} was described")


def _exactly(buffer: bytes, at: int, size: int) -> bytes:
    if len(buffer) < at + size:
        raise Incomplete(at + size)
    return buffer[at : at + size]
