"""What differs between two versions of a document: two ordered readings, side by side, whatever their size."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import sqlalchemy as sa

from hulian.network.exchange.semantics.contract import Node
from hulian.network.exchange.semantics.model import tables
from hulian.network.exchange.semantics.model.tables import PLACES
from hulian.registry import Registry

__all__ = ["Change", "Differences", "differences"]

SHOWN: Final = 1_000
"""Changes that are listed; all are counted."""
_PART: Final = 5_000
_node = msgspec.msgpack.Decoder(Node).decode


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """A node that is new, gone or changed; ``fields`` has what was and what is, by the name of the field."""

    what: str
    """``added``, ``removed`` or ``changed``."""
    node: str
    name: str
    fields: dict[str, tuple[Any, Any]] = {}


class Differences(msgspec.Struct, kw_only=True):
    """All of them, counted; the first of them, listed."""

    added: int = 0
    removed: int = 0
    changed: int = 0
    same: int = 0
    references_added: int = 0
    references_removed: int = 0
    first: list[Change] = []

    @property
    def none(self) -> bool:
        """True where the two say the same."""
        return not (self.added or self.removed or self.changed or self.references_added or self.references_removed)


def differences(registry: Registry, old: int | None, new: int) -> Differences:
    """From version ``old`` to version ``new``; from None everything is new, and nothing is listed."""
    found = Differences(first=[])
    if old is None:
        found.added, found.references_added = _sizes(registry, new)
        return found
    before, after = _ordered(registry, old), _ordered(registry, new)
    left, right = next(before, None), next(after, None)
    while left is not None or right is not None:
        if right is None or (left is not None and left[0] < right[0]):
            assert left is not None  # noqa: S101 - one of the two is there
            found.removed += 1
            _list(found, Change("removed", left[0], _node(left[1]).name))
            left = next(before, None)
        elif left is None or right[0] < left[0]:
            found.added += 1
            _list(found, Change("added", right[0], _node(right[1]).name))
            right = next(after, None)
        else:
            # What only a format knows may be written in another order: that is no change.
            if left[1] == right[1] or (one := _node(left[1])) == (other := _node(right[1])):
                found.same += 1
            else:
                found.changed += 1
                if len(found.first) < SHOWN:
                    _list(found, Change("changed", left[0], other.name, _fields(one, other)))
            left, right = next(before, None), next(after, None)
    found.references_removed, found.references_added = _references(registry, old, new)
    return found


def _sizes(registry: Registry, version: int) -> tuple[int, int]:
    row = tables.version.c
    with registry.read() as connection:
        found = connection.execute(sa.select(row.nodes, row.references).where(row.key == version)).one()
    return int(found.nodes), int(found.references)


def _list(found: Differences, change: Change) -> None:
    if len(found.first) < SHOWN:
        found.first.append(change)


def _fields(one: Node, other: Node) -> dict[str, tuple[Any, Any]]:
    return {
        name: (getattr(one, name), getattr(other, name))
        for name in one.__struct_fields__
        if getattr(one, name) != getattr(other, name)
    }


def _ordered(registry: Registry, version: int) -> Iterator[tuple[str, bytes]]:
    row, after = tables.node.c, ""
    while True:
        with registry.read() as connection:
            query = sa.select(row.id, row.body).where(
                row.id > after, row.key >= version * PLACES, row.key < (version + 1) * PLACES
            )
            rows = connection.execute(query.order_by(row.id).limit(_PART)).all()
        for identity, body in rows:
            yield identity, bytes(body)
        if len(rows) < _PART:
            return
        after = rows[-1][0]


def _references(registry: Registry, old: int, new: int) -> tuple[int, int]:
    """References gone and new, as a bag: their order says nothing."""
    row = tables.reference.c
    counts: Counter[bytes] = Counter()
    for version, sign in ((old, -1), (new, 1)):
        with registry.read() as connection:
            query = sa.select(row.source, row.relation, row.target, row.extra)
            query = query.where(row.key >= version * PLACES, row.key < (version + 1) * PLACES)
            for found in connection.execute(query.execution_options(yield_per=_PART)):
                counts[b"\0".join((*(text.encode() for text in found[:3]), bytes(found[3])))] += sign
    return -sum(value for value in counts.values() if value < 0), sum(value for value in counts.values() if value > 0)
