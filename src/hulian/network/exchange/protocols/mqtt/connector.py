"""The MQTT input: messages of the platform's own listener to samples, and set-points back to devices."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import aclosing
from typing import Any, Final

import anyio

from hulian.kernel.errors import HulianError
from hulian.kernel.quality import Quality
from hulian.kernel.sample import Columns
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding, ConnectorState, ConnectorStatus, Environment, Sink
from hulian.network.exchange.protocols.mqtt.address import JsonPlace, parse_address
from hulian.network.exchange.protocols.mqtt.client import BrokerSource
from hulian.network.exchange.protocols.mqtt.config import BindingOptions, MqttConfiguration, parse_options
from hulian.network.exchange.protocols.mqtt.document import Document, mapping_of
from hulian.network.exchange.protocols.mqtt.errors import (
    BrokerError,
    DeathError,
    LoginError,
    MqttError,
    OptionError,
    SilentTopicError,
    SourceError,
    SubscribeError,
    TransientError,
    UnapprovedError,
    WireError,
)
from hulian.network.exchange.protocols.mqtt.rows import Rows, Target
from hulian.network.exchange.protocols.mqtt.seen import Seen
from hulian.network.exchange.protocols.mqtt.source import SOURCE, MessageBatch, MessageSource
from hulian.network.exchange.protocols.mqtt.sparkplug.host import Host
from hulian.network.exchange.protocols.mqtt.sparkplug.messages import Topic, parse_topic
from hulian.network.exchange.protocols.mqtt.sparkplug.session import Session
from hulian.network.exchange.protocols.mqtt.sparkplug.speaker import Speaker
from hulian.network.exchange.protocols.mqtt.write import write_json, write_metric
from hulian.network.exchange.protocols.reports import Reports
from hulian.network.exchange.protocols.standing import Backoff

__all__ = ["MqttConnector"]

_MOST_ROUTES: Final = 100_000
_TICK: Final = 1.0
_SETTLED: Final = 0.3
_GATHERED: Final = 0.015
_MOST_UNCOMMITTED: Final = 65_536

Take = Callable[[bytes, int], None]


class MqttConnector:
    """Reads every message that its filters match, for as long as `run` is not cancelled.

    What a batch of messages holds is handed over, committed with the batch's place in the listener's store, and only then
    acknowledged: after a restart reading goes on behind the last commit, so that nothing is lost or read twice. One bad
    payload harms no other.
    """

    def __init__(
        self,
        configuration: MqttConfiguration,
        bindings: Sequence[Binding],
        environment: Environment,
        broker: BrokerSource | None = None,
        host: Host | None = None,
    ) -> None:
        """Reads ``broker``, or the platform's own listener where there is none; ``host`` is our part in Sparkplug."""
        configuration.check()
        source = broker or environment.extras.get(SOURCE)
        if source is None:
            raise SourceError("this process has no MQTT listener to read from", place=f"connector {environment.connector}")
        self.configuration = configuration
        self.environment = environment
        self.source: MessageSource = source
        self._broker = broker
        self._lost_kind: type[MqttError] = SourceError
        where = str(broker.place) if broker else ""
        self.seen = Seen(environment.organisation, configuration.mappings, most=configuration.browse_topics, place=where)
        self.reports = Reports(
            "mqtt",
            environment.connector,
            self._event,
            serious=(BrokerError, DeathError, SourceError, WireError),
            counted={SourceError: "source_errors", TransientError: "transient"},
        )
        self.targets: dict[int, Target] = {}
        self._sink: Sink | None = None
        self._rows, self._marks = Rows(), Rows()
        self._wrong: list[tuple[Binding, HulianError]] = []
        self._documents: dict[str, list[tuple[tuple[str, ...], Target]]] = {}
        self._metrics: dict[tuple[str, str, str], list[Target]] = {}
        for binding in bindings:
            try:
                self._bind(binding)
            except MqttError as error:
                self._wrong.append((binding, error))
        self.session = Session(self._metrics, configuration.sparkplug, self.reports)
        self._speaker = Speaker(source, self.session, self.reports, host)
        self.seen.session = self.session
        self._routes: dict[str, Take] = {}
        self._state = ConnectorState.STARTING
        self._error: HulianError | None = None
        self._retry_at = 0
        self._since = time.time_ns()
        self._samples = self._last_sample = self._messages = 0
        self._lost_at: float | None = None
        self._marked_bad = False
        self._reading = False
        self._reading_since: float | None = None
        self._decoded = self._committed = self._received = 0
        self._arrived, self._room = anyio.Event(), anyio.Event()

    def _bind(self, binding: Binding) -> None:
        place = parse_address(binding.address)
        options = parse_options(binding.options, binding.address)
        if options.scaled and binding.storage is not StorageClass.DOUBLE:
            raise OptionError("only a double has a scale and an offset", place=binding.address)
        target = Target(binding, options, self.configuration.stale_after)
        if isinstance(place, JsonPlace):
            self._documents.setdefault(place.topic, []).append((place.path, target))
        else:
            self._metrics.setdefault((place.node, place.device, place.metric), []).append(target)
        self.targets[binding.series] = target

    # -- the life of the input -----------------------------------------------------------------------------------------

    async def run(self, sink: Sink) -> None:
        """Lives until it is cancelled."""
        self._sink = sink
        self._report_wrong()
        self._publish_status()
        try:
            async with anyio.create_task_group() as scope:
                scope.start_soon(self._tick)
                scope.start_soon(self._speaker.repeat_state, self.configuration.sparkplug.state_every)
                await self._read_for_ever(sink)
        finally:
            self.seen.forget()
            self._set(ConnectorState.STOPPED, None)

    async def _read_for_ever(self, sink: Sink) -> None:
        configuration = self.configuration
        backoff = Backoff(configuration.reconnect_first, configuration.reconnect_most)
        delay = 0.0
        while True:
            before, self._reading_since = self._messages, None
            try:
                await self._read(sink)
                error: HulianError = SourceError("the listener ended the stream of messages")
            except* HulianError as group:
                error = _first(group)
            # A quiet link that stood is a good one; a broker that lets us in and throws us out again is asked ever more rarely.
            stood = 0.0 if self._reading_since is None else time.monotonic() - self._reading_since
            if self._messages > before or stood > delay:
                backoff.reset()
            delay = backoff.next()
            self._lost(error, time.time_ns() + int(delay * 1e9))
            await anyio.sleep(delay)
            self.reports.count("reconnects")

    async def _read(self, sink: Sink) -> None:
        # What an earlier reading decoded is committed before the next begins, or it would come twice.
        await self._commit_decoded(sink)
        async with anyio.create_task_group() as scope, aclosing(_generator(self.source.batches(sink.position))) as batches:
            scope.start_soon(self._settle)
            scope.start_soon(self._commit, sink)
            position = sink.position
            try:
                async for batch in batches:
                    self._came_back()
                    if self._messages - self._committed >= _MOST_UNCOMMITTED:
                        self._room = anyio.Event()
                        await self._room.wait()
                    self.decode(batch, position)
                    self._decoded = batch.last or self._decoded
                    self._arrived.set()
                    if self._speaker.due:
                        await self._speaker.send()
            finally:
                self._reading = False
            scope.cancel_scope.cancel()

    async def _commit(self, sink: Sink) -> None:
        """At once what comes after a pause, together what comes in a stream: few large batches cost least to store."""
        while True:
            await self._arrived.wait()
            self._arrived = anyio.Event()
            await self._commit_decoded(sink)
            await anyio.sleep(_GATHERED)

    async def _commit_decoded(self, sink: Sink) -> None:
        """Samples and their position reach the edge in one step: nothing else hands these rows over."""
        messages, last = self._messages, self._decoded
        self._hand_over(sink, self._rows)
        if last and last != sink.position:
            await sink.commit(position=last)
            await self.source.acknowledge(last)
        self._committed = messages
        self._room.set()

    async def _settle(self) -> None:
        """The listener is there when it gave a message, or no error for a moment; only then births are asked for, so that
        they find us listening."""
        if self._broker is not None:
            await self._broker.ready()
            self._tell_refused(self._broker)
        else:
            await anyio.sleep(_SETTLED)
        self._reading, self._reading_since = True, time.monotonic()
        if not getattr(self.source, "connected", True):
            return
        self._came_back()
        self.session.start(time.time_ns())
        await self._speaker.send()

    def decode(self, batch: MessageBatch, position: int | None = None) -> None:
        """Every message of ``batch`` behind ``position`` into rows."""
        topics, payloads = batch.topics, batch.payloads
        if position is not None and batch.first and batch.first <= position:
            keep = [place for place, sequence in enumerate(batch.sequences) if sequence > position]
            topics, payloads = [topics[place] for place in keep], [payloads[place] for place in keep]
        # Messages that come together, as after a lost link, keep their order: no two are received in one nanosecond.
        received = max(batch.received, self._received + 1)
        self._received = received + len(topics) - 1
        routes, route = self._routes, self._route
        self._messages += len(topics)
        for topic, payload in zip(topics, payloads, strict=True):
            take = routes.get(topic)
            if take is None:
                take = route(topic)
            take(payload, received)
            received += 1
        self.session.flush(self._rows)

    def _route(self, topic: str) -> Take:
        """What is done with the messages of a topic, found once."""
        if len(self._routes) >= _MOST_ROUTES:
            self._routes.clear()
        where = parse_topic(topic)
        bound = self._documents.get(topic)
        if where is not None:
            take = self._take_sparkplug(where)
        elif bound:
            take = self._take_document(topic, bound)
        else:
            take = self._take_unknown(topic)
        self._routes[topic] = take
        return take

    def _take_sparkplug(self, where: Topic) -> Take:
        session, rows, speaker = self.session, self._rows, self._speaker

        def take(payload: bytes, received: int) -> None:
            session.gather(where, payload, received, rows)

        def hear_state(payload: bytes, received: int) -> None:
            speaker.hear(where.node, payload)

        return hear_state if where.kind == "STATE" else take

    def _take_document(self, topic: str, bound: list[tuple[tuple[str, ...], Target]]) -> Take:
        reports = self.reports

        def report(kind: type[MqttError], message: str) -> None:
            reports.moment(kind, topic, message)

        document = Document(mapping_of(self.configuration.mappings, topic), bound, report)
        rows, look = self._rows, self.seen.look

        def take(payload: bytes, received: int) -> None:
            document.take(payload, received, rows)
            look(topic, payload, received)

        return take

    def _take_unknown(self, topic: str) -> Take:
        look, counters = self.seen.look, self.reports.counters

        def take(payload: bytes, received: int) -> None:
            counters["unbound"] = counters.get("unbound", 0) + 1
            look(topic, payload, received)

        return take

    def _hand_over(self, sink: Sink, rows: Rows) -> None:
        for columns in rows.take():
            sink.samples(columns)
            self._samples += len(columns)
            self._last_sample = time.time_ns()

    # -- silence -------------------------------------------------------------------------------------------------------

    def _came_back(self) -> None:
        if self._state is ConnectorState.CONNECTED:
            return
        self._lost_at = None
        self._marked_bad = False
        self.reports.end(self._lost_kind, "")
        self._set(ConnectorState.CONNECTED, None)

    def _tell_refused(self, broker: BrokerSource) -> None:
        """Filters that the broker does not let us read, each as an event that is over when it does."""
        for topic_filter in broker.filters:
            error = broker.refused.get(topic_filter)
            if error is None:
                self.reports.end(SubscribeError, topic_filter)
            else:
                self.reports.begin(SubscribeError, topic_filter, f"{error.message} ({topic_filter})", error.hint)

    def _lost(self, error: HulianError, retry_at: int) -> None:
        kind = type(error) if isinstance(error, MqttError) else SourceError
        if kind is not self._lost_kind:
            self.reports.end(self._lost_kind, "")
            self._lost_kind = kind
        if self._lost_at is None:
            self._lost_at = time.monotonic()
            self.session.interrupted()
            self._mark(Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE)
        self.reports.begin(kind, "", str(error), error.hint)
        self._set(_state_of(error), error, retry_at=retry_at)

    def _mark(self, status: Quality) -> None:
        now = time.time_ns()
        self.session.settle()
        for target in self.targets.values():
            if not target.last_status & 0x8000_0000 or target.last_status == Quality.BAD_WAITING_FOR_INITIAL_DATA:
                target.mark(self._marks, now, int(status))
        if self._sink is not None:
            self._hand_over(self._sink, self._marks)

    async def _tick(self) -> None:
        """Once a second: silence, deaths that nobody told, and the status."""
        bad_after = self.configuration.bad_after
        while True:
            now = time.time_ns()
            if self._lost_at is not None and not self._marked_bad and time.monotonic() - self._lost_at >= bad_after:
                self._marked_bad = True
                refused = self._state is ConnectorState.REFUSED
                self._mark(Quality.BAD_USER_ACCESS_DENIED if refused else Quality.BAD_NO_COMMUNICATION)
            self._watch_link()
            self.session.tick(now, self._marks)
            self._find_stale(now)
            if self._sink is not None:
                self._hand_over(self._sink, self._marks)
            if self._speaker.due and self._lost_at is None:
                await self._speaker.send()
            self._publish_status()
            await anyio.sleep(min(_TICK, max(0.05, bad_after / 4)))

    def _watch_link(self) -> None:
        """A source that waits out a lost link raises nothing: its ``connected`` tells."""
        if self._broker is not None:
            return
        connected = getattr(self.source, "connected", True)
        if not connected and self._state is ConnectorState.CONNECTED:
            self._lost(SourceError("the link to the spine is lost"), time.time_ns() + 1_000_000_000)
        elif connected and self._state is ConnectorState.WAITING and self._reading:
            self._came_back()
            self.session.start(time.time_ns())

    def _find_stale(self, now: int) -> None:
        for target in self.targets.values():
            if not target.stale_after:
                continue
            subject = target.binding.address
            if not target.last_seen or now - target.last_seen < target.stale_after * 1e9:
                self.reports.end(SilentTopicError, subject)
            elif not target.last_status & 0xC000_0000:
                target.mark(self._marks, now, int(Quality.UNCERTAIN_LAST_USABLE_VALUE))
                self.reports.begin(SilentTopicError, subject, f"{subject} is silent for {target.stale_after:g} s")

    # -- what the edge hears -------------------------------------------------------------------------------------------

    def _event(self, event: Any) -> None:
        if self._sink is not None:
            self._sink.event(event)

    def _report_wrong(self) -> None:
        now = time.time_ns()
        for binding, error in self._wrong:
            kind = type(error) if isinstance(error, MqttError) else MqttError
            self.reports.begin(kind, binding.address, f"{error.message} ({binding.address})", error.hint)
            status = [int(Quality.BAD_CONFIGURATION_ERROR)]
            if self._sink is not None:
                self._sink.samples(Columns.of(binding.storage, [binding.series], [now], [None], status))

    def _set(self, state: ConnectorState, error: HulianError | None, *, retry_at: int = 0) -> None:
        if state is not self._state:
            self._since = time.time_ns()
        self._state, self._error, self._retry_at = state, error, retry_at
        self._publish_status()

    def _publish_status(self) -> None:
        if self._sink is None:
            return
        self.session.settle()
        bad = len(self._wrong) + sum(
            bool(target.last_status & 0x8000_0000) and target.last_status != Quality.BAD_WAITING_FOR_INITIAL_DATA
            for target in self.targets.values()
        )
        state, error = self._state, self._error
        status = ConnectorStatus(
            state=state,
            error_code=error.code if error else "",
            error=str(error) if error else "",
            hint=error.hint if error else "",
            since=self._since,
            retry_at=self._retry_at,
            last_sample=self._last_sample,
            points=len(self.targets) + len(self._wrong),
            bad_points=bad,
            samples=self._samples,
            counters={
                "messages": self._messages,
                "topics": len(self._routes),
                "edge_nodes": len(self.session.nodes),
                "edge_nodes_alive": self.session.alive,
                **(self._broker.counters if self._broker is not None else {}),
                **self.reports.counters,
            },
        )
        if state is ConnectorState.CONNECTED and self.reports.open:
            event = next(iter(self.reports.open.values()))
            status.state = ConnectorState.DEGRADED
            status.error_code, status.error, status.hint = event.code, f"{event.code}: {event.message}", event.hint
        self._sink.status(status)

    # -- set-points ----------------------------------------------------------------------------------------------------

    async def write(self, binding: Binding, value: Any) -> None:
        """Publishes ``value``, and returns when the device has reported it back (unless the option 'confirm' is false)."""
        place = parse_address(binding.address)
        options: BindingOptions = parse_options(binding.options, binding.address)
        target = self.targets.get(binding.series) or Target(binding, options, 0.0)
        timeout = self.configuration.write_timeout if options.confirm else 0.0
        if self._state is not ConnectorState.CONNECTED:
            away = "the broker is away" if self._broker else "the listener is away"
            raise SourceError(away, place=binding.address, hint="try again when it is back")
        if isinstance(place, JsonPlace):
            await write_json(self.source, place, target, value, timeout)
        else:
            typed = self.configuration.sparkplug.command_types
            await write_metric(self.source, self.session, place, target, value, timeout, typed=typed)
        self.reports.count("writes")


def _state_of(error: HulianError) -> ConnectorState:
    """Where a connection stands that ended with ``error``: each is tried again, but some wait for a person."""
    if isinstance(error, UnapprovedError):
        return ConnectorState.NEEDS_APPROVAL
    return ConnectorState.REFUSED if isinstance(error, LoginError | OptionError) else ConnectorState.WAITING


def _first(group: BaseExceptionGroup[HulianError]) -> HulianError:
    found: BaseException = group
    while isinstance(found, BaseExceptionGroup):
        found = found.exceptions[0]
    return found if isinstance(found, HulianError) else SourceError(str(found))


async def _generator(batches: AsyncIterator[MessageBatch]) -> Any:
    """The iterator as a generator that can be closed."""
    try:
        async for batch in batches:
            yield batch
    finally:
        close = getattr(batches, "aclose", None)
        if close is not None:
            await close()
