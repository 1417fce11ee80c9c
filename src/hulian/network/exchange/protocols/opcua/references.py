"""What nodes of a server refer to: many nodes at once, with all continuations, paced and bounded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import anyio
from asyncua import ua

from hulian.network.exchange.protocols.opcua import address
from hulian.network.exchange.protocols.opcua.errors import NodeError
from hulian.network.exchange.protocols.opcua.session import Session

__all__ = ["MAXIMUM", "NODES_PER_CALL", "PAUSE", "references"]

NODES_PER_CALL: Final = 100
PAUSE: Final = 0.01
"""Seconds between calls, so that browsing does not disturb what else the server does."""

MAXIMUM: Final = 200_000
"""Nodes after which browsing ends with an error: a server that makes nodes as they are looked at never ends."""


async def references(
    session: Session, nodes: Sequence[ua.NodeId], kind: int, direction: ua.BrowseDirection = ua.BrowseDirection.Forward
) -> list[list[ua.ReferenceDescription]]:
    """The references of ``kind`` (a standard reference type, and what derives from it) of each of ``nodes`` (`NODES_PER_CALL`
    at most). A node that cannot be browsed has none. Raises `NodeError` beyond `MAXIMUM`."""
    parameters = ua.BrowseParameters()
    parameters.View = ua.ViewDescription()
    parameters.RequestedMaxReferencesPerNode = ua.UInt32(1000)
    parameters.NodesToBrowse = [
        ua.BrowseDescription(
            NodeId=node,
            BrowseDirection=direction,
            ReferenceTypeId=address.standard(kind),
            IncludeSubtypes=True,
            NodeClassMask=ua.UInt32(0),
            ResultMask=ua.UInt32(63),
        )
        for node in nodes
    ]
    with session.explained():
        results = await session.services.browse(parameters)
    found = [list(result.References or []) for result in results]
    points = {place: result.ContinuationPoint for place, result in enumerate(results) if result.ContinuationPoint}
    while points:
        places = list(points)[:NODES_PER_CALL]
        following = ua.BrowseNextParameters(ReleaseContinuationPoints=False, ContinuationPoints=[points[p] for p in places])
        with session.explained():
            more = await session.services.browse_next(following)
        for place, result in zip(places, more, strict=True):
            found[place] += result.References or []
            if sum(map(len, found)) > MAXIMUM:
                raise NodeError(f"a level of the server has more than {MAXIMUM} nodes", place=session.place)
            if result.ContinuationPoint:
                points[place] = result.ContinuationPoint
            else:
                del points[place]
        await anyio.sleep(PAUSE)
    return found
