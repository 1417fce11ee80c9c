"""What a server must know of other handles to judge an asker: keys, administrators, groups; its own first, then of anywhere."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final, Protocol

import anyio

from hulian.network.identifiers.chain.errors import FollowError, NoServiceError, UnreachableError
from hulian.network.identifiers.store import RecordStore, key_of, zero_na
from hulian.network.identifiers.wire.codes import ResponseCode
from hulian.network.identifiers.wire.values import Value, unpack_values

__all__ = ["Elsewhere", "Lookup"]

SECONDS: Final = 60.0
"""How long what another node has said of keys and administrators is believed: a revoked key works no longer than this."""

_MOST: Final = 10_000
_AT_ONCE: Final = 64
_PATIENCE: Final = 10.0


class Elsewhere(Protocol):
    """Public values of a handle of another node: the response code and the values. Raises `FollowError`."""

    async def __call__(self, handle: str, types: tuple[str, ...]) -> tuple[int, tuple[Value, ...]]: ...


class Lookup:
    """Values of handles: all of those in ``store`` (None: nothing is kept here), the public ones of every other,
    which ``elsewhere`` finds.

    What is found elsewhere is remembered for a minute. Strangers can make a server look things up: at most 64 such questions
    are under way, each for 10 s; the next one finds nothing.
    """

    def __init__(
        self, store: RecordStore | None, elsewhere: Elsewhere | None = None, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._elsewhere = elsewhere
        self._clock = clock
        self._kept: dict[tuple[bytes, tuple[str, ...]], tuple[float, tuple[Value, ...]]] = {}
        self._under_way = 0

    def here(self, handle: str) -> bool:
        """Whether the record is this node's own, or would be."""
        if self._store is None:
            return False
        key = key_of(handle)
        return self._store.packed(key) is not None or (not key.startswith(b"0.NA/") and self._store.homes(zero_na(key)))

    async def values(self, handle: str, types: tuple[str, ...]) -> tuple[Value, ...]:
        """The values of ``handle`` that are of one of ``types``; none where there is no such record, or nobody answers."""
        try:
            return await self.certain(handle, types)
        except FollowError:
            return ()

    async def certain(self, handle: str, types: tuple[str, ...]) -> tuple[Value, ...]:
        """The same; but that nobody answers is no answer. Raises `FollowError`."""
        packed = None if self._store is None else self._store.packed(key_of(handle))
        if packed is not None:
            return tuple(value for value in unpack_values(packed) if value.type in types)
        if self.here(handle):
            return ()
        if self._elsewhere is None:
            raise NoServiceError("this node asks no other one", hint="give it root data")
        key = (key_of(handle), types)
        kept = self._kept.get(key)
        if kept is not None and kept[0] > self._clock():
            return kept[1]
        return await self._found(self._elsewhere, key, handle, types)

    async def _found(
        self, elsewhere: Elsewhere, key: tuple[bytes, tuple[str, ...]], handle: str, types: tuple[str, ...]
    ) -> tuple[Value, ...]:
        if self._under_way >= _AT_ONCE:
            raise UnreachableError(f"{_AT_ONCE} questions to other nodes are under way")
        self._under_way += 1
        try:
            with anyio.fail_after(_PATIENCE):
                code, values = await elsewhere(handle, types)
        except TimeoutError:
            raise UnreachableError("no answer in time", place=handle) from None
        finally:
            self._under_way -= 1
        found = tuple(value for value in values if value.type in types) if code == ResponseCode.SUCCESS else ()
        if len(self._kept) >= _MOST:
            self._kept.clear()
        self._kept[key] = (self._clock() + SECONDS, found)
        return found
