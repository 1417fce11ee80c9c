"""The subscriptions of one session: created within the server's limits, published, acknowledged, nothing missed unseen."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final

import anyio
from asyncua import ua
from asyncua.ua.attribute_ids import AttributeIds
from asyncua.ua.object_ids import ObjectIds
from asyncua.ua.status_codes import StatusCodes

from hulian.network.exchange.protocols.opcua import address
from hulian.network.exchange.protocols.opcua.config import BindingOptions, OpcuaConfiguration
from hulian.network.exchange.protocols.opcua.errors import RefusedError, SessionLostError, SilentError
from hulian.network.exchange.protocols.opcua.session import Session
from hulian.network.exchange.protocols.opcua.wire import PublishResponse, decode_publish, decode_republish

__all__ = ["Item", "Limits", "Subscriptions", "read_limits"]

_PER_CALL: Final = 1000
"""How many nodes go into one call where the server names no limit of its own."""


@dataclass(frozen=True)
class Item:
    """One value to be monitored: its place in the table is its client handle."""

    place: int
    node: ua.NodeId
    options: BindingOptions


@dataclass(frozen=True)
class Limits:
    """What the server bears in one call (OPC 10000-5, section 6.3.11); 0 in the server's answer means no limit."""

    items_per_call: int = _PER_CALL
    reads_per_call: int = _PER_CALL
    items_per_subscription: int = 0


async def read_limits(session: Session) -> Limits:
    """The server's limits; a server that names none gets careful calls."""
    nodes = [
        address.standard(ObjectIds.Server_ServerCapabilities_OperationLimits_MaxMonitoredItemsPerCall),
        address.standard(ObjectIds.Server_ServerCapabilities_OperationLimits_MaxNodesPerRead),
        address.standard(ObjectIds.Server_ServerCapabilities_MaxMonitoredItemsPerSubscription),
    ]
    found = []
    for answer in await session.read(nodes):
        value = answer.Value.Value if answer.Value is not None else None
        found.append(value if isinstance(value, int) and value > 0 else 0)
    items, reads, per_subscription = found
    return Limits(min(items or _PER_CALL, _PER_CALL), min(reads or _PER_CALL, _PER_CALL), per_subscription)


def batches(items: Iterable[Any], size: int) -> Iterable[list[Any]]:
    """``items`` in lists of at most ``size``."""
    iterator = iter(items)
    while batch := list(islice(iterator, size)):
        yield batch


@dataclass
class _One:
    """A subscription on the server: what it was given, and the sequence number of the last message taken."""

    identity: int
    interval: float
    alive_after: float
    last_sequence: int = 0
    heard: float = 0.0
    items: dict[int, int] = field(default_factory=dict)


class Subscriptions:
    """All subscriptions of one session.

    ``deliver`` is called for every message with samples, in the order of the server; ``lost`` with the number of messages
    that the server no longer had. Both are synchronous and must not block.
    """

    def __init__(
        self,
        session: Session,
        configuration: OpcuaConfiguration,
        limits: Limits,
        deliver: Callable[[PublishResponse], None],
        lost: Callable[[int], None],
    ) -> None:
        self._session = session
        self._configuration = configuration
        self._limits = limits
        self._deliver = deliver
        self._lost = lost
        self._all: dict[int, _One] = {}
        self._acknowledgements: list[ua.SubscriptionAcknowledgement] = []
        self.published = 0
        self.republished = 0
        self._waiting = 0

    @property
    def count(self) -> int:
        return len(self._all)

    @property
    def identities(self) -> set[int]:
        return set(self._all)

    @property
    def limits(self) -> Limits:
        return self._limits

    async def resume(self, session: Session) -> None:
        """Goes on in ``session``, which was taken over: asks for every message that the lost connection swallowed.

        Raises `SessionLostError` where the server no longer has a subscription.
        """
        self._session = session
        self._acknowledgements = []
        for one in self._all.values():
            while await self._again(one, one.last_sequence % 0xFFFF_FFFF + 1):
                pass

    async def create(self, items: Sequence[Item]) -> dict[int, int]:
        """Subscribes to ``items``; returns the status of those that the server refuses, by place."""
        size = self._configuration.items_per_subscription
        if self._limits.items_per_subscription:
            size = min(size, self._limits.items_per_subscription)
        refused: dict[int, int] = {}
        for group in batches(items, size):
            refused |= await self._fill(await self._create_one(), group)
        return refused

    async def add(self, items: Sequence[Item]) -> dict[int, int]:
        """Subscribes to further ``items`` in the first subscription that has room."""
        size = self._limits.items_per_subscription or self._configuration.items_per_subscription
        one = next((one for one in self._all.values() if len(one.items) + len(items) <= size), None)
        return await self._fill(one or await self._create_one(), items)

    async def remove(self, places: Sequence[int]) -> None:
        """Ends the monitoring of what the server knows of ``places``."""
        for one in self._all.values():
            mine = [place for place in places if place in one.items]
            for group in batches(mine, self._limits.items_per_call):
                parameters = ua.DeleteMonitoredItemsParameters(
                    SubscriptionId=one.identity, MonitoredItemIds=[one.items.pop(place) for place in group]
                )
                with self._session.explained():
                    await self._session.services.delete_monitored_items(parameters)

    async def _create_one(self) -> _One:
        asked = self._configuration
        interval = asked.publishing_interval * 1000
        keep_alive = max(1, math.ceil(asked.keep_alive * 1000 / interval))
        request = ua.CreateSubscriptionRequest()
        request.Parameters = ua.CreateSubscriptionParameters(
            RequestedPublishingInterval=interval,
            RequestedLifetimeCount=max(keep_alive * 12, 3 * keep_alive),
            RequestedMaxKeepAliveCount=keep_alive,
            MaxNotificationsPerPublish=0,
            PublishingEnabled=True,
            Priority=0,
        )
        with self._session.explained():
            result = await self._session.services.create_subscription(request.Parameters, _ignore)
        revised = result.RevisedPublishingInterval / 1000
        one = _One(
            result.SubscriptionId,
            revised,
            max(3 * revised * max(result.RevisedMaxKeepAliveCount, 1), 3 * asked.keep_alive),
            heard=anyio.current_time(),
        )
        self._all[one.identity] = one
        return one

    async def _fill(self, one: _One, items: Sequence[Item]) -> dict[int, int]:
        refused: dict[int, int] = {}
        for group in batches(items, self._limits.items_per_call):
            parameters = ua.CreateMonitoredItemsParameters(
                SubscriptionId=one.identity,
                TimestampsToReturn=ua.TimestampsToReturn.Both,
                ItemsToCreate=[self._request(item, one.interval) for item in group],
            )
            with self._session.explained():
                results = await self._session.services.create_monitored_items(parameters)
            again: list[Item] = []
            for item, result in zip(group, results, strict=False):
                code = int(result.StatusCode.value)
                if not code & 0x8000_0000:
                    one.items[item.place] = result.MonitoredItemId
                elif code in _NO_DEADBAND and self._deadband(item.options):
                    again.append(Item(item.place, item.node, _without_deadband(item.options)))
                else:
                    refused[item.place] = code
            if again:
                refused |= await self._fill(one, again)
        return refused

    def _deadband(self, options: BindingOptions) -> tuple[int, float] | None:
        """(type, value) of the filter; the server knows only one at a time."""
        if options.deadband_percent:
            return 2, options.deadband_percent
        absolute = self._configuration.deadband if options.deadband is None else options.deadband
        return (1, absolute) if absolute else None

    def _request(self, item: Item, interval: float) -> ua.MonitoredItemCreateRequest:
        options = item.options
        sampling = self._configuration.sampling_interval if options.sampling_interval is None else options.sampling_interval
        queue = options.queue_size or self._configuration.queue_size
        if not queue:
            queue = max(10, math.ceil(max(5.0, 2 * interval) / max(sampling, 0.02)))
        parameters = ua.MonitoringParameters(
            ClientHandle=item.place, SamplingInterval=sampling * 1000, QueueSize=queue, DiscardOldest=True
        )
        if deadband := self._deadband(options):
            parameters.Filter = ua.DataChangeFilter(
                Trigger=ua.DataChangeTrigger.StatusValue, DeadbandType=deadband[0], DeadbandValue=deadband[1]
            )
        target = ua.ReadValueId(NodeId=item.node, AttributeId=AttributeIds.Value, IndexRange=options.index_range)
        return ua.MonitoredItemCreateRequest(
            ItemToMonitor=target, MonitoringMode=ua.MonitoringMode.Reporting, RequestedParameters=parameters
        )

    async def publish_for_ever(self) -> None:
        """Keeps publish requests waiting at the server and delivers what comes; ends only by an error.

        Raises `SilentError` where a subscription says nothing for three times its keep-alive interval, `SessionLostError`
        where the server has dropped one.
        """
        for one in self._all.values():
            one.heard = anyio.current_time()
        self._waiting = min(2 + self.count, 10)
        async with anyio.create_task_group() as group:
            for _ in range(self._waiting):
                group.start_soon(self._publish)
            group.start_soon(self._watch)

    async def _publish(self) -> None:
        while True:
            request = ua.PublishRequest()
            acknowledgements, self._acknowledgements = self._acknowledgements, []
            request.Parameters.SubscriptionAcknowledgements = acknowledgements
            try:
                body = await self._session.raw(request, 0)
            except RefusedError as error:
                if "BadTooManyPublishRequests" in error.message and self._waiting > 1:
                    self._acknowledgements += acknowledgements
                    self._waiting -= 1
                    return
                raise
            response = decode_publish(body)
            if response.result & 0x8000_0000:
                raise self._session.refusal(response.result)
            await self._take(response)

    async def _take(self, response: PublishResponse) -> None:
        one = self._all.get(response.subscription)
        if one is None:
            return
        one.heard = anyio.current_time()
        self.published += 1
        if response.notification.status_change is not None:
            self._deliver(response)
            if response.notification.status_change & 0x8000_0000:
                raise SessionLostError(
                    f"the server ended a subscription (status 0x{response.notification.status_change:08X})",
                    place=self._session.place,
                )
        following = one.last_sequence % 0xFFFF_FFFF + 1
        missing = (response.sequence - following) % 0xFFFF_FFFF if one.last_sequence else 0
        if 0 < missing < 1000:
            await self._recover(one, following, missing)
        if response.keep_alive:
            self._deliver(response)
            return
        one.last_sequence = response.sequence
        self._acknowledgements.append(
            ua.SubscriptionAcknowledgement(SubscriptionId=one.identity, SequenceNumber=response.sequence)
        )
        self._deliver(response)

    async def _recover(self, one: _One, first: int, number: int) -> None:
        """Asks again for messages that never came (OPC 10000-4, section 5.13.6)."""
        gone = 0
        for step in range(number):
            sequence = (first + step - 1) % 0xFFFF_FFFF + 1
            if not await self._again(one, sequence):
                one.last_sequence = sequence
                gone += 1
        if gone:
            self._lost(gone)

    async def _again(self, one: _One, sequence: int) -> bool:
        """Asks for one message again and delivers it; False where the server does not have it."""
        request = ua.RepublishRequest()
        request.Parameters.SubscriptionId = one.identity
        request.Parameters.RetransmitSequenceNumber = sequence
        try:
            response = decode_republish(await self._session.raw(request))
        except RefusedError as error:
            if "BadMessageNotAvailable" in error.message:
                return False
            raise
        if response.result & 0x8000_0000 and response.result != StatusCodes.BadMessageNotAvailable:
            raise self._session.refusal(response.result)
        if response.result & 0x8000_0000 or response.sequence != sequence or response.keep_alive:
            return False
        one.last_sequence = sequence
        self.republished += 1
        self._acknowledgements.append(ua.SubscriptionAcknowledgement(SubscriptionId=one.identity, SequenceNumber=sequence))
        self._deliver(response)
        return True

    async def _watch(self) -> None:
        """A server that neither sends nor says that it has nothing to send hangs, or the line is dead."""
        while True:
            await anyio.sleep(0.25)
            now = anyio.current_time()
            for one in self._all.values():
                if now - one.heard > one.alive_after:
                    raise SilentError(
                        f"the server has sent nothing for {now - one.heard:.0f} s, not even that it has nothing to send",
                        place=self._session.place,
                    )


def _ignore(_: object) -> None:
    """asyncua wants a callback for each subscription; its publish loop is not used."""


_NO_DEADBAND: Final = frozenset(
    {
        StatusCodes.BadMonitoredItemFilterUnsupported,
        StatusCodes.BadFilterNotAllowed,
        StatusCodes.BadMonitoredItemFilterInvalid,
        StatusCodes.BadDeadbandFilterInvalid,
    }
)


def _without_deadband(options: BindingOptions) -> BindingOptions:
    return BindingOptions(
        sampling_interval=options.sampling_interval,
        queue_size=options.queue_size,
        deadband=0.0,
        deadband_percent=0.0,
        index_range=options.index_range,
    )
