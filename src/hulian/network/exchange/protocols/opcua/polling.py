"""Reading by request: for servers without subscriptions, for a sign of life, and to look again at silent points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import anyio
import numpy as np
from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds

from hulian.network.exchange.protocols.opcua import address
from hulian.network.exchange.protocols.opcua.errors import RefusedError, WireError
from hulian.network.exchange.protocols.opcua.limits import Limits, batches
from hulian.network.exchange.protocols.opcua.monitoring import Item
from hulian.network.exchange.protocols.opcua.samples import Block
from hulian.network.exchange.protocols.opcua.session import Session
from hulian.network.exchange.protocols.opcua.wire import decode_read

__all__ = ["Poller"]


class Poller:
    """Reads values of one session; ``deliver`` gets the samples of each answer, their handles being places in the table."""

    def __init__(self, session: Session, limits: Limits, deliver: Callable[[list[Block]], None]) -> None:
        self._session = session
        self._limits = limits
        self._deliver = deliver

    async def poll_for_ever(self, items: Sequence[Item], interval: float) -> None:
        """Reads ``items`` each ``interval`` seconds; a turn that takes longer is followed at once by the next."""
        following = anyio.current_time()
        groups = list(batches(items, self._limits.reads_per_call))
        while True:
            for group in groups:
                self._deliver(await self._read(group))
            if not groups:
                await self._alive()
            following = max(following + interval, anyio.current_time())
            await anyio.sleep_until(following)

    async def pulse_for_ever(self, interval: float) -> None:
        """Asks for the server's state, so that a lost link is seen where nothing is subscribed."""
        while True:
            await anyio.sleep(interval)
            await self._alive()

    async def statuses(self, items: Sequence[Item]) -> dict[int, int]:
        """The status of each item's value now, without delivering it; calls are paced."""
        found: dict[int, int] = {}
        for group in batches(items, min(self._limits.reads_per_call, 200)):
            for block in await self._read(group):
                found |= zip(block.handle.tolist(), block.status.tolist(), strict=True)
            await anyio.sleep(0.05)
        return found

    async def _alive(self) -> None:
        await self._session.read([address.standard(ObjectIds.Server_ServerStatus_State)])

    async def _read(self, group: Sequence[Item]) -> list[Block]:
        request = ua.ReadRequest()
        request.Parameters.MaxAge = 0
        request.Parameters.TimestampsToReturn = ua.TimestampsToReturn.Both
        request.Parameters.NodesToRead = [
            ua.ReadValueId(NodeId=item.node, AttributeId=AttributeIds.Value, IndexRange=item.options.index_range)
            for item in group
        ]
        _, result, blocks, count = decode_read(await self._session.raw(request), len(group))
        if result & 0x8000_0000:
            raise RefusedError(f"the server refuses to read (status 0x{result:08X})", place=self._session.place)
        if count != len(group):
            raise WireError(f"the server answered {count} of {len(group)} reads", place=self._session.place)
        places = np.array([item.place for item in group], np.uint32)
        return [replace(block, handle=places[block.handle]) for block in blocks]
