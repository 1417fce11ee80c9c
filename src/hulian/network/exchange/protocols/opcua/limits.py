"""What a server bears in one call, and how much of each thing it keeps (OPC 10000-5, sections 6.3.2 and 6.3.11)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from asyncua.ua.object_ids import ObjectIds

from hulian.network.exchange.protocols.opcua import address
from hulian.network.exchange.protocols.opcua.session import Session

__all__ = ["Limits", "batches", "read_limits"]

_PER_CALL: Final = 1000
"""How many nodes go into one call where the server names no limit of its own."""


@dataclass(frozen=True)
class Limits:
    """``…_per_call`` are never 0; of the others, 0 means that the server names none."""

    items_per_call: int = _PER_CALL
    reads_per_call: int = _PER_CALL
    histories_per_call: int = 10
    items_per_subscription: int = 0
    queue_size: int = 0
    subscriptions: int = 0


_NODES: Final = (
    ObjectIds.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall,
    ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead,
    ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerHistoryReadData,
    ObjectIds.Server_ServerCapabilities_MaxMonitoredItemsPerSubscription,
    ObjectIds.Server_ServerCapabilities_MaxMonitoredItemsQueueSize,
    ObjectIds.Server_ServerCapabilities_MaxSubscriptionsPerSession,
)


async def read_limits(session: Session) -> Limits:
    """The server's limits; a server that names none gets careful calls."""
    found = []
    for answer in await session.read([address.standard(node) for node in _NODES]):
        value = answer.Value.Value if answer.Value is not None else None
        found.append(value if isinstance(value, int) and value > 0 else 0)
    items, reads, histories, per_subscription, queue, subscriptions = found
    return Limits(
        min(items or _PER_CALL, _PER_CALL),
        min(reads or _PER_CALL, _PER_CALL),
        min(histories or 10, 100),
        per_subscription,
        queue,
        subscriptions,
    )


def batches(items: Iterable[Any], size: int) -> Iterable[list[Any]]:
    """``items`` in lists of at most ``size``."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch
