"""Servers that lie, dawdle, or are no longer who they were: told by name, nobody else is harmed, and it heals by itself."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import anyio
import msgspec
import pytest
from asyncua import ua

from hulian.kernel.quality import is_bad, is_good, is_uncertain
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding, ConnectorState, Credentials, Environment
from hulian.network.exchange.protocols.opcua import OpcuaConfiguration, protocol
from hulian.network.exchange.protocols.opcua.events import OpcuaEvent
from hulian.network.exchange.protocols.opcua.simulator import Simulator

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

NODES = ("ns=2;s=A", "ns=2;s=B")
BINDINGS = [Binding(series=n + 1, address=node, storage=StorageClass.DOUBLE) for n, node in enumerate(NODES)]
QUICK = OpcuaConfiguration(
    security="none", keep_alive=5.0, retry_first=0.05, retry_longest=0.3, timeout=3.0, bad_after=0.5, follow_model=False
)


@pytest.fixture
def place(trust: Any) -> Environment:
    return Environment(organisation="test", connector="replayed", credentials=Credentials(), trust=trust)


def changed(configuration: Any, **settings: Any) -> Any:
    return msgspec.structs.replace(configuration, **settings)


def values_of(sink: Any, series: int) -> list[Any]:
    return [value for _, value, status in sink.of(series) if is_good(status)]


def good(sink: Any, series: int) -> bool:
    last = sink.last(series)
    return last is not None and is_good(last[2]) and last[1] is not None


async def both(server: Any, number: float, **named: Any) -> int:
    return int(await server.values_change(dict.fromkeys(NODES, number), **named))


async def test_a_message_that_got_lost_is_asked_for_again(replayer: Any, place: Environment, sink: Any, running: Any) -> None:
    async with replayer.Replayer() as server:
        connector = protocol.connector(server.url, QUICK, BINDINGS, place)
        async with running(connector, sink):
            await sink.until(lambda: sink.statuses and sink.statuses[-1].state == ConnectorState.CONNECTED, "connected")
            await both(server, 1.0)
            await both(server, 2.0, swallow=True)
            await both(server, 3.0)
            await sink.until(lambda: values_of(sink, 1)[-1:] == [3.0], "the last value")
            assert values_of(sink, 1) == values_of(sink, 2) == [1.0, 2.0, 3.0]
            await both(server, 4.0, swallow=True)
            server.unread.clear()
            await both(server, 5.0)
            await sink.until(lambda: values_of(sink, 1)[-1] == 5.0, "it goes on")
            assert [event.code for event in sink.events].count(OpcuaEvent.NOTIFICATIONS_LOST) == 1
            assert "RepublishRequest" in server.seen


async def test_sequence_numbers_out_of_all_order(replayer: Any, place: Environment, sink: Any, running: Any) -> None:
    """Numbers that repeat, run back and jump ahead: samples are taken as they come, and nothing is asked for without end."""
    async with replayer.Replayer() as server:
        connector = protocol.connector(server.url, QUICK, BINDINGS, place)
        async with running(connector, sink):
            await sink.until(lambda: sink.statuses and sink.statuses[-1].state == ConnectorState.CONNECTED, "connected")
            for number, sequence in enumerate((5, 5, 2, 4_000_000_000, 0, 4_294_967_295, 1, 2)):
                await both(server, float(number), sequence=sequence)
                await sink.until(lambda number=number: values_of(sink, 1)[-1:] == [float(number)], f"value {number}")
            assert server.seen.count("RepublishRequest") < 1000
            assert sink.statuses[-1].state == ConnectorState.CONNECTED


async def test_a_server_that_bears_one_publish_request_only(replayer: Any, place: Environment, sink: Any, running: Any) -> None:
    async with replayer.Replayer() as server:

        def one_only(link: Any, number: int, request: Any) -> Any:
            if link.waiting:
                raise replayer.Fault(0x8078_0000)  # BadTooManyPublishRequests
            return server.PublishRequest(link, number, request)

        server.answers["PublishRequest"] = one_only
        connector = protocol.connector(server.url, QUICK, BINDINGS, place)
        async with running(connector, sink):
            await sink.until(lambda: sink.statuses and sink.statuses[-1].state == ConnectorState.CONNECTED, "connected")
            for number in range(5):
                await both(server, float(number))
            await sink.until(lambda: values_of(sink, 1) == [0.0, 1.0, 2.0, 3.0, 4.0], "every value")
            assert sink.statuses[-1].counters["connections"] == 1


async def test_messages_of_a_subscription_that_is_not_ours(replayer: Any, place: Environment, sink: Any, running: Any) -> None:
    async with replayer.Replayer() as server:
        connector = protocol.connector(server.url, QUICK, BINDINGS, place)
        async with running(connector, sink):
            await sink.until(lambda: sink.statuses and sink.statuses[-1].state == ConnectorState.CONNECTED, "connected")
            ours = server.subscription
            await both(server, 66.0, subscription=9999)
            await both(server, 1.0, subscription=ours)
            await sink.until(lambda: values_of(sink, 1) == [1.0], "ours alone")


async def test_a_deleted_subscription_is_made_anew(replayer: Any, place: Environment, sink: Any, running: Any) -> None:
    async with replayer.Replayer() as server:
        connector = protocol.connector(server.url, QUICK, BINDINGS, place)
        async with running(connector, sink):
            await sink.until(lambda: sink.statuses and sink.statuses[-1].state == ConnectorState.CONNECTED, "connected")
            await both(server, 1.0)
            link, number, asked = await server.request_waiting()
            fault = ua.ServiceFault()
            fault.ResponseHeader.ServiceResult = ua.StatusCode(ua.StatusCodes.BadNoSubscription)
            link.respond(number, asked, fault)
            await sink.until(lambda: sink.statuses[-1].counters["connections"] == 2, "connected again")
            await both(server, 2.0)
            await sink.until(lambda: values_of(sink, 1)[-1] == 2.0, "it goes on")


@pytest.mark.parametrize("how", ["one chunk", "many chunks", "garbage"])
async def test_messages_beyond_the_agreed_size(how: str, replayer: Any, place: Environment, sink: Any, running: Any) -> None:
    """A chunk longer than agreed, chunks without an end, a body that is none: the connection ends before they are stored."""
    async with replayer.Replayer() as server:
        connector = protocol.connector(server.url, changed(QUICK, maximum_message=100_000), BINDINGS, place)
        async with running(connector, sink):
            await sink.until(lambda: sink.statuses and sink.statuses[-1].state == ConnectorState.CONNECTED, "connected")
            await both(server, 1.0)
            link, number, _ = await server.request_waiting()
            if how == "one chunk":
                link.writer.write(b"MSGF" + struct.pack("<5I", 0x7FFF_FFFF, 1, 1, link.sequence + 1, number))
            elif how == "garbage":
                link.send(number, b"\xff" * 500)
            else:
                for _ in range(40):
                    link.sequence += 1
                    head = b"MSGC" + struct.pack("<5I", 24 + 65_000, 1, 1, link.sequence, number)
                    link.writer.write(head + bytes(65_000))
            await sink.until(lambda: any(event.active for event in sink.events), "it is told")
            code = next(event.code for event in sink.events if event.active)
            assert code in ("HL-OPCUA-0003", "HL-OPCUA-0012", "HL-OPCUA-0013", "HL-OPCUA-0014", OpcuaEvent.LINK_LOST), code
            await sink.until(lambda: sink.statuses[-1].counters["connections"] == 2, "connected again")
            await both(server, 2.0)
            await sink.until(lambda: values_of(sink, 1)[-1] == 2.0, "it goes on")


async def test_a_server_that_answers_too_late(replayer: Any, place: Environment, sink: Any, running: Any) -> None:
    async with replayer.Replayer() as server:
        slow = True

        async def dawdle(link: Any, number: int, request: Any) -> Any:
            if slow:
                await anyio.sleep(30)
            return server.ReadRequest(link, number, request)

        server.answers["ReadRequest"] = dawdle
        connector = protocol.connector(server.url, changed(QUICK, timeout=0.3), BINDINGS, place)
        async with running(connector, sink):
            await sink.until(
                lambda: sink.statuses and sink.statuses[-1].error_code == "HL-OPCUA-0011", "the silence has a name"
            )
            assert sink.statuses[-1].state == ConnectorState.WAITING
            slow = False
            await sink.until(lambda: sink.statuses and sink.statuses[-1].state == ConnectorState.CONNECTED, "connected")
            await both(server, 1.0)
            await sink.until(lambda: values_of(sink, 1) == [1.0], "a value")


async def test_a_cut_line_makes_values_uncertain_then_bad(replayer: Any, place: Environment, sink: Any, running: Any) -> None:
    async with replayer.Replayer() as server:
        connector = protocol.connector(server.url, QUICK, BINDINGS, place)
        async with running(connector, sink):
            await sink.until(lambda: sink.statuses and sink.statuses[-1].state == ConnectorState.CONNECTED, "connected")
            await both(server, 1.0)
            await sink.until(lambda: good(sink, 1) and good(sink, 2), "good")
            refuse = True

            def away(link: Any, number: int, request: Any) -> Any:
                if refuse:
                    raise replayer.Fault(0x800C_0000)  # BadShutdown
                return server.GetEndpointsRequest(link, number, request)

            server.answers["GetEndpointsRequest"] = away
            server.cut()
            await sink.until(lambda: is_bad(sink.last(1)[2]) and is_bad(sink.last(2)[2]), "bad")
            assert [is_uncertain(row[2]) for row in sink.of(1)].count(True) == 1
            assert sink.of(1)[-2][1] == 1.0, "an uncertain value is the last one"
            assert sink.of(1)[-1][1] is None, "a bad one is none"
            refuse = False
            await sink.until(lambda: sink.statuses and sink.statuses[-1].state == ConnectorState.CONNECTED, "back")
            await both(server, 2.0)
            await sink.until(lambda: good(sink, 1) and sink.last(1)[1] == 2.0, "good again")


async def test_revoked_credentials_and_their_return(sink: Any, environment: Any, running: Any) -> None:
    async with Simulator(user="engineer", password="right") as simulator:
        connector = protocol.connector(simulator.url, simulator.configuration, simulator.bindings, environment(simulator))
        series = simulator.bindings[0].series
        async with running(connector, sink):
            await sink.until(lambda: good(sink, series), "good")
            await simulator.stop()
            simulator._options["password"] = "another"
            await simulator.start()
            await sink.until(lambda: sink.statuses and sink.statuses[-1].state == ConnectorState.REFUSED, "refused")
            assert sink.statuses[-1].error_code == "HL-OPCUA-0020"
            await sink.until(lambda: is_bad(sink.last(series)[2]), "bad")
            await simulator.stop()
            simulator._options["password"] = "right"
            await simulator.start()
            await sink.until(lambda: good(sink, series), "good again")


async def test_a_replaced_certificate_waits_for_a_person(sink: Any, environment: Any, running: Any, trust: Any) -> None:
    async with Simulator(secure=True) as simulator:
        connector = protocol.connector(
            simulator.url, simulator.configuration, simulator.bindings, environment(simulator, trust=trust)
        )
        series = simulator.bindings[0].series
        async with running(connector, sink):
            await sink.until(lambda: trust.pending, "the first certificate waits")
            trust.approve()
            await sink.until(lambda: good(sink, series), "good")
            await simulator.stop()
            for file in Path(simulator._directory.name).iterdir():
                file.unlink()
            await simulator.start()
            await sink.until(
                lambda: sink.statuses and sink.statuses[-1].state == ConnectorState.NEEDS_APPROVAL, "the new one waits"
            )
            await sink.until(lambda: is_bad(sink.last(series)[2]), "nothing of it is believed")
            trust.approve()
            await sink.until(lambda: good(sink, series), "good again")


async def test_a_namespace_that_moves_is_followed(replayer: Any, place: Environment, sink: Any, running: Any) -> None:
    """An address names its namespace by URI: another number after a restart, or in the middle, leads to the same node."""
    base = "http://opcfoundation.org/UA/"

    def numbers(*uris: str) -> Any:
        return ua.DataValue(ua.Variant([base, *uris], ua.VariantType.String, is_array=True))

    async with replayer.Replayer() as server:
        server.values["i=2255"] = numbers("urn:server", "urn:mill")
        binding = Binding(series=1, address="nsu=urn:mill;s=A", storage=StorageClass.DOUBLE)
        connector = protocol.connector(server.url, changed(QUICK, recheck=0.3), [binding], place)
        async with running(connector, sink):
            await sink.until(lambda: list(server.handles) == ["ns=2;s=A"], "by its first number")
            server.values["i=2255"] = numbers("urn:server", "urn:kiln", "urn:mill")
            await sink.until(lambda: "ns=3;s=A" in server.handles, "by its number now, without a lost link")
            await server.values_change({"ns=3;s=A": 7.0})
            await sink.until(lambda: values_of(sink, 1) == [7.0], "its value")
            count = sink.statuses[-1].counters["connections"]
            server.values["i=2255"] = numbers("urn:server", "urn:kiln", "urn:mill", "urn:new")
            before = server.seen.count("ReadRequest")
            await sink.until(lambda: server.seen.count("ReadRequest") > before + 4, "looked again")
            assert sink.statuses[-1].counters["connections"] == count, "a namespace more moves nothing"


async def test_a_redundant_set_that_nobody_configured_is_told(
    replayer: Any, place: Environment, sink: Any, running: Any
) -> None:
    async with replayer.Replayer() as server:
        server.values["i=3709"] = ua.DataValue(ua.Variant(2, ua.VariantType.Int32))
        server.values["i=11314"] = ua.DataValue(ua.Variant(["urn:a", "urn:b"], ua.VariantType.String, is_array=True))
        connector = protocol.connector(server.url, QUICK, BINDINGS, place)
        async with running(connector, sink):
            await sink.until(lambda: sink.statuses and sink.statuses[-1].state == ConnectorState.CONNECTED, "connected")
            (event,) = [event for event in sink.events if event.code == OpcuaEvent.SET_UNKNOWN]
            assert "warm" in event.message
            assert event.details["servers"] == ["urn:a", "urn:b"]
