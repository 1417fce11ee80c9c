"""What was pushed lately and belongs to no point yet: what browsing shows. Bounded, in memory."""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa

from hulian.kernel.point import Kind
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Address, Browsed
from hulian.network.exchange.protocols.convert import guess_storage

__all__ = ["Seen", "browse_seen"]

_MOST: Final = 10_000
_RUNNING: weakref.WeakSet[Seen] = weakref.WeakSet()


class Seen:
    """Places, each with its storage class and last value; the one that was not seen for longest goes first."""

    def __init__(self, organisation: str, where: str) -> None:
        self.key = (organisation, where)
        self._places: OrderedDict[str, tuple[tuple[str, ...], StorageClass, str]] = OrderedDict()
        _RUNNING.add(self)

    def note(self, address: str, path: tuple[str, ...], storage: StorageClass | None, value: Any) -> None:
        """A value of this place was pushed."""
        if storage is None:
            storage = _storage(value)
        self._places[address] = (path, storage, "" if value is None else str(value)[:80])
        self._places.move_to_end(address)
        while len(self._places) > _MOST:
            self._places.popitem(last=False)

    def note_column(self, address: str, path: tuple[str, ...], column: pa.Array) -> None:
        """A column of a table was pushed."""
        storage = guess_storage(column.type, column.slice(0, 20))
        if storage is not None and len(column):
            self.note(address, path, storage, column[len(column) - 1].as_py())

    def nodes(self) -> Iterator[Browsed]:
        """Branches and leaves."""
        branches: set[tuple[str, ...]] = set()
        for address, (path, storage, value) in list(self._places.items()):
            for length in range(1, len(path)):
                branch = path[:length]
                if branch not in branches:
                    branches.add(branch)
                    yield Browsed(address="/".join(branch), name=branch[-1], path=branch, leaf=False)
            kind = Kind.CONTINUOUS if storage is StorageClass.DOUBLE else Kind.STEP
            yield Browsed(address=address, name=path[-1], path=path, leaf=True, storage=storage, kind=kind, value=value)


def _storage(value: Any) -> StorageClass:
    match value:
        case bool():
            return StorageClass.BOOLEAN
        case int():
            return StorageClass.INTEGER if -(2**63) <= value < 2**63 else StorageClass.STRUCTURE
        case float():
            return StorageClass.DOUBLE
        case list() | dict():
            return StorageClass.STRUCTURE
        case _:
            return StorageClass.TEXT


def browse_seen(organisation: str, where: str, under: Address | None, depth: int) -> list[Browsed]:
    """What running listeners at this place have seen."""
    found: dict[str, Browsed] = {}
    for seen in list(_RUNNING):
        if seen.key == (organisation, where):
            for node in seen.nodes():
                found.setdefault(f"{node.leaf}{node.address}", node)
    base = tuple(under.split("/")) if under else ()
    return [
        node
        for node in sorted(found.values(), key=lambda one: (one.path, one.leaf))
        if node.path[: len(base)] == base and len(node.path) > len(base) and (not depth or len(node.path) - len(base) <= depth)
    ]
