"""Events and alarms of a server; its model changing under us; the others of a redundant set."""

from __future__ import annotations

import struct
from typing import Any

import msgspec
import pytest
from asyncua import ua
from asyncua.ua.ua_binary import struct_to_binary

from hulian.kernel.event import Severity
from hulian.kernel.quality import Quality, is_good
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding, ConnectorState
from hulian.network.exchange.protocols.opcua import protocol
from hulian.network.exchange.protocols.opcua.alarms import ALARMS, Alarms, model_changes
from hulian.network.exchange.protocols.opcua.config import Events
from hulian.network.exchange.protocols.opcua.events import OpcuaEvent
from hulian.network.exchange.protocols.opcua.simulator import Simulator
from hulian.network.exchange.protocols.opcua.values import Extension, LocalizedText
from hulian.network.exchange.protocols.opcua.wire import decode_publish

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]


def changed(configuration: Any, **settings: Any) -> Any:
    return msgspec.structs.replace(configuration, **settings)


def of(sink: Any, code: str) -> list[Any]:
    return [event for event in sink.events if event.code == code]


def fields(**given: Any) -> list[tuple[int, Any]]:
    """The fields of an event in the order in which they are asked for."""
    names = (
        "identity", "type", "node", "source", "time", "message", "severity", "condition", "name", "branch", "retain", "active",
        "acked",
    )  # fmt: skip
    found = {"type": "i=2041", "source": "Mill", "time": "2026-01-02T03:04:05.5Z", "severity": 700, **given}
    return [(0, found.get(name)) for name in names]


def alarm(active: bool, **given: Any) -> list[tuple[int, Any]]:
    return fields(condition="ns=2;s=High", name="High", active=active, acked=False, retain=True, **given)


def take(alarms: Alarms, sink: Any, *events: list[tuple[int, Any]]) -> None:
    alarms.take(sink, [(ALARMS, event) for event in events])


def test_an_alarm_begins_changes_and_ends_each_told_once(sink: Any) -> None:
    alarms = Alarms("plc", Events(enabled=True), lambda: None, lambda number: None)
    message = LocalizedText("en", "level high")
    take(alarms, sink, alarm(False), alarm(True, message=message), alarm(True, message=message), alarm(True, severity=900))
    take(alarms, sink, alarm(False, severity=900), alarm(False, severity=900))
    assert [(event.active, event.severity, event.details["severity"]) for event in sink.events] == [
        (True, Severity.ERROR, 700), (True, Severity.CRITICAL, 900), (False, Severity.CRITICAL, 900),
    ]  # fmt: skip
    first = sink.events[0]
    assert (first.code, first.subject, first.message) == (OpcuaEvent.SERVER_ALARM, "plc/Mill/High", "level high")
    assert first.time == 1767323045500000000
    assert first.details["acked"] is False


def test_what_a_refresh_no_longer_mentions_has_ended(sink: Any) -> None:
    alarms = Alarms("plc", Events(enabled=True), lambda: None, lambda number: None)
    other = {"condition": "ns=2;s=Low", "name": "Low", "active": True, "retain": True}
    take(alarms, sink, alarm(True), fields(**other))
    take(alarms, sink, fields(type="i=2787"), fields(**other), fields(type="i=2788"))
    assert [(event.subject, event.active) for event in sink.events] == [
        ("plc/Mill/High", True), ("plc/Mill/Low", True), ("plc/Mill/High", False),
    ]  # fmt: skip


def test_events_are_bounded_and_filtered(sink: Any) -> None:
    dropped: list[int] = []
    asked: list[bool] = []
    settings = Events(enabled=True, per_minute=5, minimum_severity=500, sources=("Mill*",))
    alarms = Alarms("plc", settings, lambda: asked.append(True), dropped.append)
    take(alarms, sink, fields(severity=499), fields(source="Kiln"), fields(source="Mill 7"))
    assert len(sink.events) == 1
    take(alarms, sink, *[fields() for _ in range(20)])
    assert len(sink.events) in (5, 6)
    assert sum(dropped) == 21 - len(sink.events)
    take(alarms, sink, fields(type="i=3035"), fields(type="i=2789"))
    assert len(asked) == 2, "an overflow and a RefreshRequired ask for everything again"


def test_odd_events_harm_nobody(sink: Any) -> None:
    alarms = Alarms("plc", Events(enabled=True), lambda: None, lambda number: None)
    odd = [(0, {"a": 1})] * 13
    alarms.take(sink, [(ALARMS, []), (7, odd), (ALARMS, odd)])
    assert [event.message for event in sink.events] == ["{'a': 1}"]
    assert model_changes([]) == model_changes([(0, 1), (0, [Extension("i=879", b"\x00")])]) == []
    body = b"\x00\x05\x00\x00\x01"
    assert model_changes([(0, 1), (0x96, [Extension("i=879", body)])]) == [("i=5", 1)]


def test_an_event_notification_is_decoded_as_asyncua_writes_it() -> None:
    response = ua.PublishResponse()
    listed = ua.EventNotificationList()
    listed.Events = [ua.EventFieldList(7, [ua.Variant("a"), ua.Variant(None), ua.Variant(5, ua.VariantType.UInt16)])]
    response.Parameters.NotificationMessage.NotificationData = [listed]
    body = bytes(struct_to_binary(response))
    (event,) = decode_publish(body).notification.events
    assert event == (7, [(12, "a"), (0, None), (5, 5)])
    from hulian.network.exchange.protocols.opcua.errors import WireError

    many = body.replace(struct.pack("<iI", 1, 7), struct.pack("<iI", 2**31 - 1, 7))
    with pytest.raises(WireError):
        decode_publish(many)


async def test_events_and_alarms_of_a_server(sink: Any, environment: Any, running: Any) -> None:
    async with Simulator() as simulator:
        settings = changed(simulator.configuration, events=Events(enabled=True, minimum_severity=100))
        await simulator.alarm("High", 850, "level high", active=True)
        connector = protocol.connector(simulator.url, settings, simulator.bindings, environment(simulator))
        async with running(connector, sink):
            await sink.until(lambda: of(sink, OpcuaEvent.SERVER_ALARM), "the alarm that stood before we came")
            await simulator.event("Machine", 50, "not severe enough")
            await simulator.event("Machine", 300, "door opened")
            (event,) = await sink.until(lambda: of(sink, OpcuaEvent.SERVER_EVENT), "an event")
            assert (event.message, event.severity, event.active) == ("door opened", Severity.WARNING, None)
            assert event.details["source_node"] == "ns=2;s=Machine"
            await simulator.alarm("High", 850, "level high", active=True, acked=True)
            await sink.until(lambda: of(sink, OpcuaEvent.SERVER_ALARM)[-1].details["acked"], "acknowledged")
            await simulator.alarm("High", 850, "level normal", active=False, acked=True)
            await sink.until(lambda: of(sink, OpcuaEvent.SERVER_ALARM)[-1].active is False, "over")
            told = of(sink, OpcuaEvent.SERVER_ALARM)
            assert [(one.active, one.severity) for one in told] == [(True, "critical"), (True, "critical"), (False, "critical")]
            assert {one.subject for one in told} == {told[0].subject}


async def test_a_changed_model_is_followed_at_once(sink: Any, environment: Any, running: Any) -> None:
    async with Simulator() as simulator:
        late = Binding(series=77, address="ns=2;s=Late", storage=StorageClass.DOUBLE)
        settings = changed(simulator.configuration, recheck=3600.0)
        connector = protocol.connector(simulator.url, settings, (late, *simulator.bindings), environment(simulator))
        async with running(connector, sink):
            await sink.until(lambda: sink.last(77) and sink.last(77)[2] == Quality.BAD_NODE_ID_UNKNOWN, "not there yet")
            await simulator.add("ns=2;s=Late", 4.5)
            await simulator.model_changed("ns=2;s=Late")
            await sink.until(lambda: is_good(sink.last(77)[2]) and sink.last(77)[1] == 4.5, "there, long before the next look")
            (event,) = await sink.until(lambda: of(sink, OpcuaEvent.MODEL_CHANGED), "it is told")
            assert event.details["new"] == ["nsu=urn:hulian:simulator;s=Late"]
            assert sink.statuses[-1].counters["connections"] == 1


async def test_another_server_of_a_set_takes_over_and_back(sink: Any, environment: Any, running: Any) -> None:
    async with Simulator(variables=1) as first, Simulator(variables=1) as second:
        settings = changed(first.configuration, servers=(second.url,), keep_alive=0.3)
        connector = protocol.connector(first.url, settings, first.bindings, environment(first))
        series = first.bindings[0].series

        def connected(count: int) -> bool:
            status = sink.statuses[-1]
            return status.state == ConnectorState.CONNECTED and status.counters["connections"] >= count

        async with running(connector, sink):
            await sink.until(lambda: sink.last(series) and is_good(sink.last(series)[2]), "the first server's value")
            await second.set(first.bindings[0].address, 22.0)
            await first.stop()
            await sink.until(lambda: sink.last(series)[1] == 22.0 and is_good(sink.last(series)[2]), "the second serves")
            told = of(sink, OpcuaEvent.SERVER_CHANGED)
            assert second.url in told[-1].message
            await first.start()
            await first.set(first.bindings[0].address, 11.0)
            await sink.until(lambda: connected(2), "connected to the second")
            await second.service_level(100)
            await sink.until(lambda: sink.last(series)[1] == 11.0 and is_good(sink.last(series)[2]), "the first is better")
            assert first.url in of(sink, OpcuaEvent.SERVER_CHANGED)[-1].message
