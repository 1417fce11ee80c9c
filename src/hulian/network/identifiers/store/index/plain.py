"""The index as a dictionary: for where there is no compiled library."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

__all__ = ["PlainIndex"]

_ENTRY: Final = 180
"""Bytes beside key and value: two headers of `bytes`, the slot, rounding."""


class PlainIndex:
    """See `PackedIndex`. Each method is one step of the interpreter where it changes the dictionary."""

    def __init__(self) -> None:
        self._values: dict[bytes, bytes] = {}
        self._held = 0
        self._version = 0
        self.get = self._values.get

    def put(self, key: bytes, value: bytes) -> None:
        before = self._values.get(key)
        self._values[key] = value
        self._held += len(value) - len(before) if before is not None else len(key) + len(value)
        self._version += 1

    def put_many(self, keys: Sequence[bytes], values: Sequence[bytes]) -> None:
        if len(keys) != len(values):
            raise ValueError(f"{len(keys)} keys for {len(values)} values")
        for key, value in zip(keys, values, strict=True):
            self.put(key, value)

    def known(self, keys: Sequence[bytes]) -> list[int]:
        return [place for place, key in enumerate(keys) if key in self._values]

    def delete(self, key: bytes) -> bool:
        value = self._values.pop(key, None)
        if value is None:
            return False
        self._held -= len(key) + len(value)
        self._version += 1
        return True

    def exchange(self, key: bytes, at: int, byte: int) -> int:
        value = self._values.get(key)
        if value is None or at >= len(value):
            return -1
        before = value[at]
        if before != byte:
            self._values[key] = value[:at] + bytes((byte,)) + value[at + 1 :]
        return before

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        version = self._version
        for item in self._values.items():
            yield item
            if self._version != version:
                raise RuntimeError("the index has changed while it was read")

    @property
    def size(self) -> int:
        return self._held + _ENTRY * len(self._values)

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def __len__(self) -> int:
        return len(self._values)
