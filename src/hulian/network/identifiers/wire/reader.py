"""Fields read in order out of bytes; whatever is wrong is a named error at its offset, before anything is allocated for it."""

from __future__ import annotations

from struct import Struct
from typing import Final, NoReturn

from hulian.network.identifiers.wire.errors import (
    CountError,
    LengthError,
    LimitError,
    TextError,
    TrailingError,
    TruncatedError,
    WireError,
)
from hulian.network.identifiers.wire.limits import MAX_ELEMENTS, MAX_HANDLE

__all__ = ["Reader"]

_I16: Final = Struct(">h")
_U16: Final = Struct(">H")
_I32: Final = Struct(">i")
_U32: Final = Struct(">I")
_I64: Final = Struct(">q")


class Reader:
    """Reads ``data[at:end]``; ``what`` names the structure in errors, and offsets count from where the reader began."""

    __slots__ = ("at", "data", "end", "origin", "what")

    def __init__(self, data: bytes, what: str, at: int = 0, end: int | None = None) -> None:
        self.data = data
        self.what = what
        self.at = self.origin = at
        self.end = len(data) if end is None else end

    def fail(self, error: type[WireError], message: str, *, at: int | None = None) -> NoReturn:
        """Raises ``error`` at the current field, or at ``at``."""
        raise error(message, place=self.what, offset=(self.at if at is None else at) - self.origin)

    @property
    def left(self) -> int:
        """Bytes that have not been read."""
        return self.end - self.at

    def _step(self, size: int) -> int:
        began = self.at
        if size > self.end - began:
            self.fail(TruncatedError, f"{size} bytes are needed, {self.end - began} are left")
        self.at = began + size
        return began

    def u8(self) -> int:
        return self.data[self._step(1)]

    def i16(self) -> int:
        return int(_I16.unpack_from(self.data, self._step(2))[0])

    def u16(self) -> int:
        return int(_U16.unpack_from(self.data, self._step(2))[0])

    def i32(self) -> int:
        return int(_I32.unpack_from(self.data, self._step(4))[0])

    def u32(self) -> int:
        return int(_U32.unpack_from(self.data, self._step(4))[0])

    def i64(self) -> int:
        return int(_I64.unpack_from(self.data, self._step(8))[0])

    def raw(self, size: int) -> bytes:
        """The next ``size`` bytes."""
        began = self._step(size)
        return self.data[began : began + size]

    def skip(self, size: int) -> None:
        """Passes over ``size`` bytes."""
        self._step(size)

    def binary(self, most: int = MAX_ELEMENTS) -> bytes:
        """A length and that many bytes."""
        began = self.at
        size = self.i32()
        if size < 0:
            self.fail(LengthError, f"a length of {size}", at=began)
        if size > most:
            self.fail(LimitError, f"{size} bytes, where {most} are accepted", at=began)
        if size > self.end - self.at:
            self.fail(TruncatedError, f"a field of {size} bytes, of which {self.end - self.at} are there", at=began)
        began = self.at
        self.at = began + size
        return self.data[began : self.at]

    def text(self, most: int = MAX_ELEMENTS) -> str:
        """A length and that many bytes of UTF-8."""
        began = self.at
        raw = self.binary(most)
        try:
            return raw.decode()
        except UnicodeDecodeError as error:
            self.fail(TextError, f"not UTF-8: {error.reason}", at=began + 4 + error.start)

    def handle(self) -> str:
        """A handle: UTF-8 of at most 2048 bytes."""
        return self.text(MAX_HANDLE)

    def count(self, smallest: int, most: int = MAX_ELEMENTS) -> int:
        """A count of elements of at least ``smallest`` bytes each: never more than are left, nor than ``most``."""
        began = self.at
        found = self.i32()
        if found < 0:
            self.fail(CountError, f"a count of {found}", at=began)
        if found > most:
            self.fail(CountError, f"a count of {found}, where {most} are accepted", at=began)
        if found * smallest > self.end - self.at:
            self.fail(CountError, f"a count of {found}, where the {self.end - self.at} bytes left cannot hold it", at=began)
        return found

    def rest(self) -> bytes:
        """Whatever is left."""
        began, self.at = self.at, self.end
        return self.data[began : self.end]

    def done(self) -> None:
        """The structure must end here."""
        if self.at != self.end:
            self.fail(TrailingError, f"{self.end - self.at} bytes behind the last field")
