"""What an index of packed values promises."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

from hulian.network.identifiers import compiled
from hulian.network.identifiers.store.index.compiled import CompiledIndex
from hulian.network.identifiers.store.index.plain import PlainIndex

__all__ = ["PackedIndex", "open_index"]


class PackedIndex(Protocol):
    """Keys to values, both bytes of any length up to 2^30, empty ones too.

    The store of records and the cache call it, and the loops that answer plain questions read it, all from any thread. What a
    method has changed is found by the next question, whoever asks it; whoever reads meanwhile finds the old value or the new
    one, never a part of either. Of many that are put at once a reader may find some already. Memory that runs out is
    `MemoryError`, and what was there stays.
    """

    def get(self, key: bytes) -> bytes | None:
        """The value, or None."""
        ...

    def put(self, key: bytes, value: bytes) -> None:
        """Sets the value of ``key``."""
        ...

    def put_many(self, keys: Sequence[bytes], values: Sequence[bytes]) -> None:
        """Sets as many values as there are keys; of a key that comes twice, the last. The quick way to fill an index."""
        ...

    def known(self, keys: Sequence[bytes]) -> list[int]:
        """The positions of those ``keys`` that are there."""
        ...

    def delete(self, key: bytes) -> bool:
        """Takes ``key`` out; whether it was there."""
        ...

    def exchange(self, key: bytes, at: int, byte: int) -> int:
        """Sets one byte of the value in place. What it was before; -1 where there is no such byte."""
        ...

    def items(self) -> Iterator[tuple[bytes, bytes]]:
        """All keys and values, in no order. `RuntimeError` where the index changes meanwhile."""
        ...

    @property
    def size(self) -> int:
        """Roughly the memory it takes, in bytes."""
        ...

    def __contains__(self, key: object) -> bool: ...

    def __len__(self) -> int: ...


def open_index() -> PackedIndex:
    """An empty index: the compiled one where the library is loaded."""
    return PlainIndex() if compiled.library is None else CompiledIndex(compiled.library)
