"""The index in C: little more memory than the bytes themselves, and read by the compiled loops without the interpreter."""

from __future__ import annotations

import ctypes
import threading
import weakref
from array import array
from collections.abc import Iterator, Sequence
from typing import Final

__all__ = ["CompiledIndex"]

_ROOM: Final = 65_536


class CompiledIndex:
    """See `PackedIndex`; how it is laid out and locked stands in ``compiled/index.h``."""

    def __init__(self, library: ctypes.CDLL) -> None:
        self._library = library
        handle = library.hulian_index_new()
        if not handle:
            raise MemoryError("no memory for an index")
        self.handle: int = handle
        """Of the C object. Whoever keeps it keeps this index too."""
        self._get = library.hulian_index_get
        self._rooms = threading.local()
        weakref.finalize(self, library.hulian_index_free, handle)

    def get(self, key: bytes) -> bytes | None:
        try:
            address, view, room = self._rooms.room
        except AttributeError:
            address, view, room = self._room(_ROOM)
        size = self._get(self.handle, key, len(key), address, room)
        while size > room:
            address, view, room = self._room(2 * size)
            size = self._get(self.handle, key, len(key), address, room)
        return None if size < 0 else bytes(view[:size])

    def put(self, key: bytes, value: bytes) -> None:
        done = self._library.hulian_index_put(self.handle, key, len(key), value, len(value))
        if done == -2:
            raise ValueError(f"an entry of {len(key) + len(value)} bytes")
        if done:
            raise MemoryError("no memory for an entry of the index")

    def put_many(self, keys: Sequence[bytes], values: Sequence[bytes]) -> None:
        if len(keys) != len(values):
            raise ValueError(f"{len(keys)} keys for {len(values)} values")
        key_sizes, value_sizes = array("I", map(len, keys)), array("I", map(len, values))
        done = self._library.hulian_index_put_many(
            self.handle, b"".join(keys), _address(key_sizes), b"".join(values), _address(value_sizes), len(keys)
        )
        if done != len(keys):
            raise MemoryError(f"no memory for more than {done} of {len(keys)} entries of the index")

    def known(self, keys: Sequence[bytes]) -> list[int]:
        sizes, found = array("I", map(len, keys)), ctypes.create_string_buffer(len(keys))
        self._library.hulian_index_known(self.handle, b"".join(keys), _address(sizes), len(keys), found)
        return [place for place, there in enumerate(found.raw) if there] if 1 in found.raw else []

    def delete(self, key: bytes) -> bool:
        return bool(self._library.hulian_index_delete(self.handle, key, len(key)))

    def exchange(self, key: bytes, at: int, byte: int) -> int:
        return int(self._library.hulian_index_exchange(self.handle, key, len(key), at, byte))

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        version = self._library.hulian_index_version(self.handle)
        cursor, room = ctypes.c_uint64(0), ctypes.create_string_buffer(_ROOM)
        while True:
            filled = self._library.hulian_index_items(self.handle, ctypes.byref(cursor), version, room, len(room))
            if filled == -1:
                raise RuntimeError("the index has changed while it was read")
            if filled == -2:
                room = ctypes.create_string_buffer(4 * len(room))
                continue
            if not filled:
                return
            yield from _entries(ctypes.string_at(room, filled))

    @property
    def size(self) -> int:
        return int(self._library.hulian_index_bytes(self.handle))

    def __contains__(self, key: object) -> bool:
        return isinstance(key, bytes) and self._library.hulian_index_get(self.handle, key, len(key), None, 0) >= 0

    def __len__(self) -> int:
        return int(self._library.hulian_index_count(self.handle))

    def _room(self, size: int) -> tuple[int, memoryview, int]:
        """Where this thread's values are copied to: its address, its bytes, how many."""
        buffer = ctypes.create_string_buffer(size)
        self._rooms.room = ctypes.addressof(buffer), memoryview(buffer).cast("B"), size
        return self._rooms.room  # type: ignore[no-any-return]


def _address(sizes: array[int]) -> int:
    return sizes.buffer_info()[0]


def _entries(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 0
    while at < len(data):
        key_size, value_size = memoryview(data)[at : at + 8].cast("I")
        behind = at + 8 + key_size
        yield data[at + 8 : behind], data[behind : behind + value_size]
        at = behind + value_size
