"""The subscriptions of one session: created within the server's limits, published, acknowledged, nothing missed unseen."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import anyio
from asyncua import ua
from asyncua.ua.status_codes import StatusCodes

from hulian.network.exchange.protocols.opcua.config import Group, OpcuaConfiguration
from hulian.network.exchange.protocols.opcua.errors import RefusedError, SessionLostError, SilentError
from hulian.network.exchange.protocols.opcua.limits import Limits, batches
from hulian.network.exchange.protocols.opcua.monitoring import Item, create_request, item_parameters, lacks_filter
from hulian.network.exchange.protocols.opcua.session import Session
from hulian.network.exchange.protocols.opcua.wire import PublishResponse, decode_publish, decode_republish

__all__ = ["Item", "Subscriptions"]

_DEFAULT: Final = Group()
_EVENTS: Final = "\0events"
"""The group of the subscription for events: no group of points can be called so."""

_FAR: Final = 1 << 31
"""Sequence numbers further ahead than this are behind (they begin again at 1 after 2³² - 1)."""


@dataclass
class _One:
    """A subscription on the server: what it was given, and the sequence number of the last message taken."""

    identity: int
    group: str
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
        self._groups = dict(configuration.groups)
        self._all: dict[int, _One] = {}
        self._acknowledgements: list[ua.SubscriptionAcknowledgement] = []
        self.published = 0
        self.republished = 0
        self.transferred = 0
        self.listening: int | None = None
        """The subscription that reports events."""
        self._waiting = 0

    @property
    def count(self) -> int:
        return len(self._all)

    @property
    def identities(self) -> set[int]:
        """Those that report values."""
        return set(self._all) - {self.listening}

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

    async def transfer(self, session: Session) -> bool:
        """Takes the subscriptions over into a new ``session`` (OPC 10000-4, section 5.14.7), with what the server kept.

        False where the server gives back less than all of them; then it has been asked to delete what is left.
        """
        parameters = ua.TransferSubscriptionsParameters(SubscriptionIds=list(self._all), SendInitialValues=True)
        try:
            with session.explained():
                results = await session.services.transfer_subscriptions(parameters)
        except RefusedError:
            return False
        ours = list(self._all.values())
        if len(results) != len(ours) or any(result.StatusCode.value & 0x8000_0000 for result in results):
            moved = [one.identity for one, result in zip(ours, results, strict=False) if result.StatusCode.is_good()]
            if moved:
                with session.explained():
                    await session.services.delete_subscriptions(moved)
            return False
        self._session = session
        self._acknowledgements = []
        for one, result in zip(ours, results, strict=True):
            kept = sorted((_distance(one, number), number) for number in result.AvailableSequenceNumbers)
            for distance, sequence in kept:
                if 0 < distance < _FAR:
                    await self._again(one, int(sequence))
        self.transferred += len(ours)
        return True

    async def create(self, items: Sequence[Item]) -> dict[int, int]:
        """Subscribes to ``items``, each group apart; returns the status of those that the server refuses, by place."""
        by_group: dict[str, list[Item]] = {}
        for item in items:
            by_group.setdefault(item.options.group, []).append(item)
        refused: dict[int, int] = {}
        for group in by_group:
            refused |= await self.add(by_group[group])
        return refused

    async def add(self, items: Sequence[Item]) -> dict[int, int]:
        """Subscribes to further ``items`` in subscriptions of their groups that have room, else in new ones.

        A server that has no more room for subscriptions or items refuses the rest; what it has goes on.
        """
        refused: dict[int, int] = {}
        rest = list(items)
        while rest:
            group = rest[0].options.group
            mine = [item for item in rest if item.options.group == group]
            one = next((one for one in self._all.values() if one.group == group and len(one.items) < self._size), None)
            if one is None:
                try:
                    one = await self._create_one(group)
                except RefusedError as error:
                    if not self._all:
                        raise
                    return refused | {item.place: error.status or StatusCodes.BadTooManySubscriptions for item in rest}
            now = mine[: self._size - len(one.items)]
            refused |= await self._fill(one, now)
            taken = {item.place for item in now}
            rest = [item for item in rest if item.place not in taken]
        return refused

    async def listen(self, requests: Sequence[ua.MonitoredItemCreateRequest]) -> list[int]:
        """Monitors events in a subscription of their own; returns the status of each item."""
        one = await self._create_one(_EVENTS)
        self.listening = one.identity
        parameters = ua.CreateMonitoredItemsParameters(
            SubscriptionId=one.identity, TimestampsToReturn=ua.TimestampsToReturn.Neither, ItemsToCreate=list(requests)
        )
        with self._session.explained():
            results = await self._session.services.create_monitored_items(parameters)
        return [int(result.StatusCode.value) for result in results]

    @property
    def _size(self) -> int:
        size = self._configuration.items_per_subscription
        return min(size, self._limits.items_per_subscription) if self._limits.items_per_subscription else size

    async def change(self, name: str, group: Group, items: Sequence[Item]) -> dict[int, int]:
        """Gives the group ``name`` other settings while it goes on: no subscription or sample of another is touched.

        ``items`` are the group's; returns the status of those for which the server refuses the change.
        """
        self._groups[name] = group
        by_place = {item.place: item for item in items}
        refused: dict[int, int] = {}
        for one in [one for one in self._all.values() if one.group == name]:
            asked = self._intervals(name)
            parameters = ua.ModifySubscriptionParameters(
                SubscriptionId=one.identity,
                RequestedPublishingInterval=asked[0],
                RequestedLifetimeCount=asked[1],
                RequestedMaxKeepAliveCount=asked[2],
                MaxNotificationsPerPublish=0,
                Priority=group.priority,
            )
            with self._session.explained():
                revised = await self._session.services.update_subscription(parameters)
            one.interval = revised.RevisedPublishingInterval / 1000
            one.alive_after = self._patience(one.interval, revised.RevisedMaxKeepAliveCount)
            for places in batches([place for place in one.items if place in by_place], self._limits.items_per_call):
                modify = ua.ModifyMonitoredItemsParameters(
                    SubscriptionId=one.identity,
                    TimestampsToReturn=ua.TimestampsToReturn.Both,
                    ItemsToModify=[
                        ua.MonitoredItemModifyRequest(
                            MonitoredItemId=one.items[place],
                            RequestedParameters=self._parameters(by_place[place], one.interval),
                        )
                        for place in places
                    ],
                )
                with self._session.explained():
                    results = await self._session.services.modify_monitored_items(modify)
                refused |= {
                    place: code
                    for place, result in zip(places, results, strict=False)
                    if (code := int(result.StatusCode.value)) & 0x8000_0000
                }
        return refused

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

    def _intervals(self, name: str) -> tuple[float, int, int]:
        """(publishing interval in ms, lifetime, keep-alive) to ask for; the latter two count intervals."""
        asked = self._configuration
        interval = (self._groups.get(name, _DEFAULT).publishing_interval or asked.publishing_interval) * 1000
        keep_alive = max(1, math.ceil(asked.keep_alive * 1000 / interval))
        return interval, keep_alive * 12, keep_alive

    def _patience(self, interval: float, keep_alive: int) -> float:
        """Seconds of silence after which a subscription is lost."""
        return max(3 * interval * max(keep_alive, 1), 3 * self._configuration.keep_alive)

    async def _create_one(self, group: str) -> _One:
        interval, lifetime, keep_alive = self._intervals(group)
        request = ua.CreateSubscriptionRequest()
        request.Parameters = ua.CreateSubscriptionParameters(
            RequestedPublishingInterval=interval,
            RequestedLifetimeCount=lifetime,
            RequestedMaxKeepAliveCount=keep_alive,
            MaxNotificationsPerPublish=0,
            PublishingEnabled=True,
            Priority=self._groups.get(group, _DEFAULT).priority,
        )
        with self._session.explained():
            result = await self._session.services.create_subscription(request.Parameters, _ignore)
        revised = result.RevisedPublishingInterval / 1000
        patience = self._patience(revised, result.RevisedMaxKeepAliveCount)
        one = _One(result.SubscriptionId, group, revised, patience, heard=anyio.current_time())
        self._all[one.identity] = one
        return one

    def _parameters(self, item: Item, interval: float) -> ua.MonitoringParameters:
        group = self._groups.get(item.options.group, _DEFAULT)
        return item_parameters(item, group, self._configuration, interval, self._limits.queue_size)

    async def _fill(self, one: _One, items: Sequence[Item]) -> dict[int, int]:
        refused: dict[int, int] = {}
        for group in batches(items, self._limits.items_per_call):
            parameters = ua.CreateMonitoredItemsParameters(
                SubscriptionId=one.identity,
                TimestampsToReturn=ua.TimestampsToReturn.Both,
                ItemsToCreate=[create_request(item, self._parameters(item, one.interval)) for item in group],
            )
            with self._session.explained():
                results = await self._session.services.create_monitored_items(parameters)
            again: list[Item] = []
            for item, result in zip(group, results, strict=False):
                code = int(result.StatusCode.value)
                if not code & 0x8000_0000:
                    one.items[item.place] = result.MonitoredItemId
                elif lacks_filter(code) and not item.plain:
                    again.append(item._replace(plain=True))
                else:
                    refused[item.place] = code
            if again:
                refused |= await self._fill(one, again)
        return refused

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
                if error.status == StatusCodes.BadTooManyPublishRequests and self._waiting > 1:
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
                    subscription=True,
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
            if error.status == StatusCodes.BadMessageNotAvailable:
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


def _distance(one: _One, sequence: int) -> int:
    """How many messages ``sequence`` is after the last one that was taken."""
    return int(sequence - one.last_sequence) % 0xFFFF_FFFF
