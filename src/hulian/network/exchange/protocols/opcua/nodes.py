"""Where the points are on this server now: addresses as node ids, and what to do when these come, go or move."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import anyio
from asyncua import ua
from asyncua.ua.object_ids import ObjectIds

from hulian.kernel.event import Severity
from hulian.kernel.quality import Quality
from hulian.network.exchange.protocols.contract import Sink
from hulian.network.exchange.protocols.opcua import address
from hulian.network.exchange.protocols.opcua.alarms import ModelChange
from hulian.network.exchange.protocols.opcua.conditions import Conditions
from hulian.network.exchange.protocols.opcua.config import OpcuaConfiguration
from hulian.network.exchange.protocols.opcua.errors import AddressError, NodeError, SessionLostError
from hulian.network.exchange.protocols.opcua.events import OpcuaEvent
from hulian.network.exchange.protocols.opcua.intake import Intake
from hulian.network.exchange.protocols.opcua.monitoring import Item
from hulian.network.exchange.protocols.opcua.polling import Poller
from hulian.network.exchange.protocols.opcua.session import Session
from hulian.network.exchange.protocols.opcua.subscription import Subscriptions

__all__ = ["Nodes"]

_CHANGES: Final = 1000
"""Changes of the model that are remembered until they are looked at; the newest count."""


class Nodes:
    """The bindings of one connector on the server that it is connected to."""

    def __init__(self, intake: Intake, configuration: OpcuaConfiguration, conditions: Conditions) -> None:
        self.namespaces: list[str] = []
        self._intake = intake
        self._configuration = configuration
        self._conditions = conditions
        self._changes: list[ModelChange] = []
        self._look = anyio.Event()

    async def learn(self, session: Session) -> None:
        """Reads which number each namespace has in ``session``."""
        self.namespaces = await _namespaces_of(session)

    def resolve(self, places: Sequence[int] | None = None) -> tuple[list[Item], dict[int, int]]:
        """The bindings as node ids of this server; those whose namespace it does not have are refused."""
        items: list[Item] = []
        refused: dict[int, int] = {}
        for place in range(len(self._intake.table)) if places is None else places:
            if place in self._intake.hopeless or self._intake.options[place].object:
                continue
            try:
                node = address.resolve(self._intake.table.bindings[place].address, self.namespaces)
            except NodeError as error:
                refused[place] = Quality.BAD_NODE_ID_UNKNOWN
                self._intake.faults[place] = (Quality.BAD_NODE_ID_UNKNOWN, error.message)
                continue
            items.append(Item(place, node, self._intake.options[place]))
        return items, refused

    def resolved(self, places: Sequence[int]) -> dict[int, ua.NodeId]:
        """The node ids of ``places`` on this server, of those that it can serve."""
        return {item.place: item.node for item in self.resolve(places)[0] if item.place not in self._intake.faults}

    async def follow_for_ever(
        self,
        session: Session,
        subscriptions: Subscriptions,
        poller: Poller,
        refuse: Callable[[dict[int, int]], None],
        sink: Sink,
    ) -> None:
        """Looks again at refused and silent points: a node may have come, gone, or come back."""
        table = self._intake.table
        before = table.last_time.copy()
        while True:
            with anyio.move_on_after(self._configuration.recheck):
                await self._look.wait()
            changes, self._changes = self._changes, []
            if self._look.is_set():
                self._look = anyio.Event()
                before = table.last_time.copy()  # after a change of the model nobody is above suspicion
            present = await _namespaces_of(session)
            if present[: len(self.namespaces)] == self.namespaces:
                self.namespaces = present
            else:
                raise SessionLostError("the server's namespaces have moved", place=session.place, subscription=True)
            silent = (table.last_time == before).nonzero()[0].tolist()
            items, refused = self.resolve(silent)
            by_place = {item.place: item for item in items}
            statuses = await poller.statuses(items)
            gone = {place: status for place, status in statuses.items() if _no_node(status) and not table.refused[place]}
            back = [by_place[place] for place, status in statuses.items() if not _no_node(status) and table.refused[place]]
            refuse({**{place: code for place, code in refused.items() if not table.refused[place]}, **gone})
            if back:
                await subscriptions.remove([item.place for item in back])
                still = await subscriptions.add(back)
                self._intake.restored(sink, [item.place for item in back if item.place not in still])
            if changes:
                self._tell_model(sink, changes)
            before = table.last_time.copy()

    def changed(self, changes: list[ModelChange]) -> None:
        """The server says that its nodes have changed: looks at once, instead of when it is time."""
        self._changes = [*self._changes, *changes][-_CHANGES:]
        self._look.set()

    def _tell_model(self, sink: Sink, changes: list[ModelChange]) -> None:
        """Names the new nodes, which a person may want as points, and those that have gone."""
        new = [self._named(change.node) for change in changes if change.verb & 1]
        gone = [self._named(change.node) for change in changes if change.verb & 2]
        self._conditions.tell(
            sink, OpcuaEvent.MODEL_CHANGED, Severity.INFO,
            f"the server's nodes have changed: {len(new)} new, {len(gone)} gone; every point was looked for again",
            "browse the new nodes and propose them as points" if new else "",
            details={"new": new[:20], "gone": gone[:20]},
        )  # fmt: skip

    def _named(self, node: str) -> str:
        """A node id of this session as an address that survives it."""
        try:
            return address.write(address.resolve(node, None), self.namespaces)
        except AddressError:
            return node


async def _namespaces_of(session: Session) -> list[str]:
    (answer,) = await session.read([address.standard(ObjectIds.Server_NamespaceArray)])
    value = answer.Value.Value if answer.Value is not None else None
    return [str(uri) for uri in value] if isinstance(value, list) else []


def _no_node(status: int) -> bool:
    return status & 0xFFFF_0000 in (Quality.BAD_NODE_ID_UNKNOWN, Quality.BAD_NODE_ID_INVALID)
