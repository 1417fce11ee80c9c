"""Bits in a row, as tags and compressed links hold them: the first written is the most significant."""

from __future__ import annotations

from hulian.network.identifiers.schemes.errors import LengthError

__all__ = ["BitReader", "BitWriter"]


class BitWriter:
    """Collects unsigned fields; ``len`` is the number of bits so far."""

    def __init__(self) -> None:
        self._value = 0
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def write(self, value: int, width: int) -> None:
        """``value`` in ``width`` bits; the caller has made sure that it fits."""
        self._value = self._value << width | value
        self._length += width

    def padded(self, unit: int) -> tuple[int, int]:
        """All bits as one number and their count, filled up with zeros to a multiple of ``unit``."""
        spare = -self._length % unit
        return self._value << spare, self._length + spare


class BitReader:
    """Reads unsigned fields from the front. Raises `LengthError` where there are not as many bits left."""

    def __init__(self, value: int, length: int, rule: str) -> None:
        self._value = value
        self._length = length
        self._rule = rule
        self.position = 0

    @property
    def left(self) -> int:
        """How many bits are unread."""
        return self._length - self.position

    def read(self, width: int) -> int:
        """The next ``width`` bits as a number."""
        if width > self.left:
            raise LengthError(
                f"{width} bits are needed at bit {self.position}, {self.left} are left", rule=self._rule, position=self.position
            )
        self.position += width
        return self._value >> (self._length - self.position) & ((1 << width) - 1)
