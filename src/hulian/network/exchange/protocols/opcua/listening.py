"""Listening to what a server tells besides values: events and alarms, changes of its model, how well it can serve."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

import anyio
from asyncua import ua
from asyncua.ua.object_ids import ObjectIds

from hulian.kernel.event import Severity
from hulian.network.exchange.protocols.contract import Sink
from hulian.network.exchange.protocols.opcua import address
from hulian.network.exchange.protocols.opcua.alarms import MODEL, Alarms, ModelChange, alarm_item, model_changes, model_item
from hulian.network.exchange.protocols.opcua.conditions import Conditions
from hulian.network.exchange.protocols.opcua.config import OpcuaConfiguration
from hulian.network.exchange.protocols.opcua.errors import NodeError, RefusedError
from hulian.network.exchange.protocols.opcua.events import OpcuaEvent
from hulian.network.exchange.protocols.opcua.session import Session
from hulian.network.exchange.protocols.opcua.subscription import Subscriptions
from hulian.network.exchange.protocols.opcua.wire import PublishResponse

__all__ = ["Listener"]

_QUIET: Final = 60.0
"""Seconds without a lost event after which the condition is over."""

_AGAIN: Final = 2.0
"""Seconds between two refreshes: a server that asks for one after the other is not flooded."""


class Listener:
    """The events of one connector; lives as long as it, over all connections.

    ``changed`` is called when the server says that its nodes have changed, with what it says about them.
    """

    def __init__(
        self,
        subject: str,
        configuration: OpcuaConfiguration,
        conditions: Conditions,
        counters: dict[str, int],
        changed: Callable[[list[ModelChange]], None],
    ) -> None:
        self._settings = configuration.events
        self._follow = configuration.follow_model
        self._conditions = conditions
        self._counters = counters
        self._changed = changed
        self._wanted = anyio.Event()
        self._new = 0
        self._dropped_at = 0.0
        self.alarms = Alarms(subject, self._settings, self._ask, self._drop)

    def _ask(self) -> None:
        self._wanted.set()

    def _drop(self, number: int) -> None:
        self._new += number
        self._counters["events_dropped"] += number

    async def begin(self, sink: Sink, subscriptions: Subscriptions, namespaces: list[str]) -> None:
        """Subscribes to what is to be heard. A server without events is told of where events were asked for."""
        requests: list[ua.MonitoredItemCreateRequest] = [model_item()] if self._follow else []
        for text in self._settings.notifiers if self._settings.enabled else ():
            try:
                requests.append(alarm_item(address.resolve(text, namespaces), self._settings))
            except NodeError as error:
                self._silent(sink, str(error))
        if not requests:
            return
        try:
            statuses = await subscriptions.listen(requests)
        except RefusedError as error:
            statuses = [error.status] * len(requests)
        refused = [status for status in statuses[int(self._follow) :] if status & 0x8000_0000]
        if refused:
            self._silent(sink, f"status 0x{refused[0]:08X}")
        else:
            self._conditions.end(sink, OpcuaEvent.EVENTS_DROPPED, "the server's events are heard")
        self._ask()

    def _silent(self, sink: Sink, reason: str) -> None:
        self._conditions.begin(
            sink, OpcuaEvent.EVENTS_DROPPED, Severity.WARNING, f"the server gives no events: {reason}",
            "check 'notifiers' under 'events', and whether the server has events for this user",
        )  # fmt: skip

    def hear(self, sink: Sink, response: PublishResponse) -> None:
        """Events of one message."""
        events = response.notification.events
        self.alarms.take(sink, events)
        self._counters["events"] = self.alarms.told
        for handle, fields in events:
            if handle == MODEL:
                self._changed(model_changes(fields))
        if self._new:
            number, self._new = self._new, 0
            self._conditions.begin(
                sink, OpcuaEvent.EVENTS_DROPPED, Severity.WARNING,
                f"{number} events of the server are missing: over {self._settings.per_minute} a minute, or its queue was full",
                "raise 'per_minute' or 'minimum_severity' under 'events'; the state of alarms is asked for again",
            )  # fmt: skip
            self._dropped_at = time.monotonic()
            self._ask()
        elif self._dropped_at and time.monotonic() - self._dropped_at > _QUIET:
            self._dropped_at = 0.0
            self._conditions.end(sink, OpcuaEvent.EVENTS_DROPPED, "every event of the server is told again")

    async def refresh_for_ever(self, session: Session, subscriptions: Subscriptions) -> None:
        """Asks for all retained conditions, at once and whenever some may have been missed; ends by an error of the link."""
        while self._settings.enabled:
            await self._wanted.wait()
            self._wanted = anyio.Event()
            if (identity := subscriptions.listening) is None:
                continue
            request = ua.CallMethodRequest(
                ObjectId=address.standard(ObjectIds.ConditionType),
                MethodId=address.standard(ObjectIds.ConditionType_ConditionRefresh),
                InputArguments=[ua.Variant(identity, ua.VariantType.UInt32)],
            )
            try:
                with session.explained():
                    await session.services.call([request])
            except RefusedError:
                return  # a server without conditions has nothing to refresh
            await anyio.sleep(_AGAIN)
