"""Everything that goes wrong with a server: each has a name and a hint, harms nobody else, and heals by itself."""

from __future__ import annotations

from typing import Any

import anyio
import msgspec
import pytest

from hulian.kernel.quality import Quality, is_bad, is_good
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding, ConnectorState, Credentials
from hulian.network.exchange.protocols.opcua import OpcuaConfiguration, protocol
from hulian.network.exchange.protocols.opcua.errors import (
    CallError,
    NodeError,
    NotWritableError,
    OfflineError,
    UnfitError,
    WriteError,
)
from hulian.network.exchange.protocols.opcua.events import OpcuaEvent
from hulian.network.exchange.protocols.opcua.simulator import Simulator
from hulian.network.exchange.protocols.searching import search

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

DOUBLE, INTEGER, BOOLEAN, TEXT, BYTES, STRUCTURE = range(6)


def changed(configuration: Any, **settings: Any) -> Any:
    return msgspec.structs.replace(configuration, **settings)


def good(sink: Any, series: int) -> bool:
    last = sink.last(series)
    return last is not None and is_good(last[2]) and last[1] is not None


async def every_good(sink: Any, simulator: Any) -> None:
    await sink.until(lambda: all(good(sink, binding.series) for binding in simulator.bindings), "every value good")


async def test_a_server_that_hangs_with_its_sockets_open(sink: Any, environment: Any, running: Any) -> None:
    async with Simulator() as simulator:
        settings = changed(simulator.configuration, keep_alive=0.5, timeout=2.0)
        connector = protocol.connector(simulator.url, settings, simulator.bindings, environment(simulator))
        async with running(connector, sink):
            await every_good(sink, simulator)
            simulator.pause()
            try:
                await sink.until(lambda: sink.statuses[-1].error_code == "HL-OPCUA-0011", "the silence is noticed")
                assert sink.statuses[-1].state == ConnectorState.WAITING
                series = simulator.bindings[DOUBLE].series
                await sink.until(lambda: is_bad(sink.last(series)[2]), "bad")
            finally:
                simulator.resume()
            await every_good(sink, simulator)
            assert [event.active for event in sink.events if event.code == OpcuaEvent.LINK_LOST][-2:] == [True, False]


async def test_sessions_dropped_by_the_server(sink: Any, environment: Any, running: Any) -> None:
    async with Simulator() as simulator:
        connector = protocol.connector(simulator.url, simulator.configuration, simulator.bindings, environment(simulator))
        series, address = simulator.bindings[DOUBLE].series, simulator.bindings[DOUBLE].address
        async with running(connector, sink):
            await every_good(sink, simulator)
            for round_ in range(3):
                await simulator.drop_sessions()
                await sink.until(
                    lambda round_=round_: (
                        sink.statuses[-1].counters["connections"] == round_ + 2
                        and sink.statuses[-1].state == ConnectorState.CONNECTED
                    ),
                    "connected again",
                )
                await every_good(sink, simulator)
            before = len(sink.of(series))
            for value in (10.0, 11.0, 12.0):
                await simulator.set(address, value)
                await sink.until(lambda value=value: sink.last(series)[1] == value, f"{value}")
            assert [row[1] for row in sink.of(series)[before:]] == [10.0, 11.0, 12.0], "each change once"


async def test_garbage_instead_of_a_server(sink: Any, environment: Any, running: Any) -> None:
    async with Simulator() as simulator:
        await simulator.stop()
        port = int(simulator.url.rpartition(":")[2].partition("/")[0])

        async def talk(stream: Any) -> None:
            async with stream:
                await stream.receive()
                await stream.send(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 100)
                await anyio.sleep(0.05)

        connector = protocol.connector(simulator.url, simulator.configuration, simulator.bindings, environment(simulator))
        async with running(connector, sink):
            listener = await anyio.create_tcp_listener(local_host="127.0.0.1", local_port=port)
            async with anyio.create_task_group() as group:
                group.start_soon(listener.serve, talk)
                await sink.until(lambda: sink.statuses and sink.statuses[-1].error_code == "HL-OPCUA-0012", "garbage is named")
                assert sink.statuses[-1].hint
                group.cancel_scope.cancel()
            await listener.aclose()
            await simulator.start()
            await every_good(sink, simulator)


@pytest.mark.parametrize("garbage", [b"ACK", b"\xff" * 8, b"MSGF\xff\xff\xff\x7f", b"OPNF\x20\x00\x00\x00" + b"\x01" * 24])
async def test_garbage_in_the_middle_of_a_connection(garbage: bytes, sink: Any, environment: Any, running: Any) -> None:
    """A proxy between server and client passes everything on, until it begins to speak garbage."""
    spoil = anyio.Event()
    async with Simulator() as simulator:
        port = int(simulator.url.rpartition(":")[2].partition("/")[0])

        async def forward(stream: Any) -> None:
            async with stream, await anyio.connect_tcp("127.0.0.1", port) as server, anyio.create_task_group() as group:
                writing = anyio.Lock()  # a stream bears one writer at a time

                async def down() -> None:
                    async for chunk in server:
                        async with writing:
                            await stream.send(chunk)
                    group.cancel_scope.cancel()

                async def spoiled() -> None:
                    await spoil.wait()
                    async with writing:
                        await stream.send(garbage * 50)

                group.start_soon(down)
                if not spoil.is_set():
                    group.start_soon(spoiled)
                async for chunk in stream:
                    await server.send(chunk)
                group.cancel_scope.cancel()

        async def guarded(stream: Any) -> None:
            try:
                await forward(stream)
            except* (anyio.BrokenResourceError, anyio.ClosedResourceError, OSError):
                pass

        listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
        through = listener.extra(anyio.abc.SocketAttribute.local_port)
        url = f"opc.tcp://127.0.0.1:{through}/simulator"
        connector = protocol.connector(url, simulator.configuration, simulator.bindings, environment(simulator))
        async with anyio.create_task_group() as group:
            group.start_soon(listener.serve, guarded)
            async with running(connector, sink):
                await every_good(sink, simulator)
                spoil.set()
                await sink.until(lambda: any(event.active for event in sink.events), "the damage is told")
                await sink.until(lambda: sink.statuses[-1].counters["connections"] >= 2, "a new connection")
                await every_good(sink, simulator)
            group.cancel_scope.cancel()
        await listener.aclose()


async def test_nodes_that_vanish_and_return(sink: Any, environment: Any, running: Any) -> None:
    async with Simulator(variables=3) as simulator:
        connector = protocol.connector(
            simulator.url, changed(simulator.configuration, recheck=0.5), simulator.bindings, environment(simulator)
        )
        lost = next(binding for binding in simulator.bindings if binding.address.endswith("V1"))
        async with running(connector, sink):
            await every_good(sink, simulator)
            await simulator.remove(lost.address)
            await sink.until(lambda: sink.last(lost.series)[2] == Quality.BAD_NODE_ID_UNKNOWN, "the node is gone")
            assert sink.statuses[-1].state == ConnectorState.DEGRADED
            assert sink.statuses[-1].bad_points == 1
            event = next(event for event in sink.events if event.code == OpcuaEvent.BAD_BINDINGS)
            assert lost.address in event.message
            await simulator.add(lost.address, 5.0)
            await sink.until(lambda: good(sink, lost.series) and sink.last(lost.series)[1] == 5.0, "the node is back")
            await simulator.set(lost.address, 6.0)
            await sink.until(lambda: sink.last(lost.series)[1] == 6.0, "and followed again")
            await sink.until(lambda: sink.statuses[-1].state == ConnectorState.CONNECTED, "connected without reserve")
            assert any(event.code == OpcuaEvent.BAD_BINDINGS and event.active is False for event in sink.events)


async def test_an_unknown_certificate_waits_for_a_person(sink: Any, environment: Any, running: Any, trust: Any) -> None:
    async with Simulator(secure=True) as simulator:
        connector = protocol.connector(
            simulator.url, simulator.configuration, simulator.bindings, environment(simulator, trust=trust)
        )
        async with running(connector, sink):
            await sink.until(
                lambda: sink.statuses and sink.statuses[-1].state == ConnectorState.NEEDS_APPROVAL, "waits for approval"
            )
            assert sink.statuses[-1].error_code == "HL-OPCUA-0032"
            assert not any(good(sink, binding.series) for binding in simulator.bindings)
            assert len(trust.pending) == 1
            trust.approve()
            await every_good(sink, simulator)


@pytest.mark.parametrize("policy", ["", "Basic256Sha256", "Aes128Sha256RsaOaep", "Aes256Sha256RsaPss"])
async def test_encrypted_endpoints_with_a_password(policy: str, sink: Any, environment: Any, running: Any) -> None:
    async with Simulator(secure=True, user="engineer", password="päss wörd") as simulator:
        settings = changed(simulator.configuration, policy=policy)
        connector = protocol.connector(simulator.url, settings, simulator.bindings, environment(simulator))
        async with running(connector, sink):
            await every_good(sink, simulator)
            await simulator.set(simulator.bindings[DOUBLE].address, 77.0)
            await sink.until(lambda: sink.last(simulator.bindings[DOUBLE].series)[1] == 77.0, "a change")


async def test_a_signed_endpoint_where_that_is_enough(sink: Any, environment: Any, running: Any) -> None:
    async with Simulator(secure=True) as simulator:
        settings = changed(simulator.configuration, security="sign", policy="Basic256Sha256")
        connector = protocol.connector(simulator.url, settings, simulator.bindings, environment(simulator))
        async with running(connector, sink):
            await every_good(sink, simulator)


async def test_an_expired_certificate_is_named(sink: Any, environment: Any, running: Any) -> None:
    async with Simulator(secure=True, certificate_days=-1) as simulator:
        connector = protocol.connector(simulator.url, simulator.configuration, simulator.bindings, environment(simulator))
        async with running(connector, sink):
            await sink.until(lambda: sink.statuses and sink.statuses[-1].state == ConnectorState.REFUSED, "refused")
            await sink.until(lambda: sink.events, "an event")
        assert sink.statuses[-1].error_code == "HL-OPCUA-0033"
        event = next(event for event in sink.events if event.code == "HL-OPCUA-0033")
        assert event.active is True
        assert "renew" in event.hint


async def test_an_unencrypted_server_needs_a_word_from_its_owner(sink: Any, environment: Any, running: Any) -> None:
    async with Simulator() as simulator:
        connector = protocol.connector(
            simulator.url, changed(simulator.configuration, security="best"), simulator.bindings, environment(simulator)
        )
        async with running(connector, sink):
            await sink.until(lambda: sink.statuses and sink.statuses[-1].state == ConnectorState.REFUSED, "refused")
        assert sink.statuses[-1].error_code == "HL-OPCUA-0031"
        assert 'security = "none"' in sink.statuses[-1].hint


async def test_a_password_never_travels_readable_unasked(sink: Any, environment: Any, running: Any) -> None:
    async with Simulator(user="engineer", password="secret-word") as simulator:
        connector = protocol.connector(
            simulator.url, changed(simulator.configuration, plain_password=False), simulator.bindings, environment(simulator)
        )
        async with running(connector, sink):
            await sink.until(lambda: sink.statuses and sink.statuses[-1].state == ConnectorState.REFUSED, "refused")
        assert sink.statuses[-1].error_code in ("HL-OPCUA-0021", "HL-OPCUA-0032")
        assert "secret-word" not in str(sink.statuses) + str(sink.events)


async def test_a_login_that_the_server_does_not_know(sink: Any, environment: Any, running: Any) -> None:
    async with Simulator(user="engineer", password="right") as simulator:
        nobody = environment(simulator, credentials=Credentials())
        connector = protocol.connector(simulator.url, simulator.configuration, simulator.bindings, nobody)
        async with running(connector, sink):
            await sink.until(lambda: sink.statuses and sink.statuses[-1].state == ConnectorState.REFUSED, "refused")
        assert sink.statuses[-1].error_code == "HL-OPCUA-0020"
        assert "UserName" in sink.statuses[-1].error


async def test_another_type_than_configured_is_bad_and_told_once(sink: Any, environment: Any, running: Any) -> None:
    async with Simulator() as simulator:
        text = Binding(series=99, address="ns=2;s=Text", storage=StorageClass.DOUBLE)
        wide = Binding(series=98, address="ns=2;s=Integer", storage=StorageClass.DOUBLE)
        connector = protocol.connector(
            simulator.url, simulator.configuration, (text, wide, *simulator.bindings), environment(simulator)
        )
        async with running(connector, sink):
            await sink.until(lambda: sink.last(99) is not None, "a sample")
            await every_good(sink, simulator)
            for value in ("a", "b"):
                await simulator.set("ns=2;s=Text", value)
                await sink.until(lambda value=value: sink.last(simulator.bindings[TEXT].series)[1] == value, value)
        assert {row[1:] for row in sink.of(99)} == {(None, Quality.BAD_TYPE_MISMATCH)}
        assert len([event for event in sink.events if event.code == OpcuaEvent.TYPE_MISMATCH]) == 1
        assert sink.last(98)[1] == 7.0, "whole numbers fit doubles"


async def test_wrong_addresses_and_options_harm_only_themselves(sink: Any, environment: Any, running: Any) -> None:
    async with Simulator() as simulator:
        wrong = (
            Binding(series=90, address="Reactor/Pressure", storage=StorageClass.DOUBLE),
            Binding(series=91, address="ns=2;s=Double", storage=StorageClass.DOUBLE, options={"sampling": 1}),
            Binding(series=92, address="nsu=urn:nobody;s=Double", storage=StorageClass.DOUBLE),
        )
        connector = protocol.connector(
            simulator.url, simulator.configuration, (*wrong, *simulator.bindings), environment(simulator)
        )
        async with running(connector, sink):
            await every_good(sink, simulator)
            await sink.until(lambda: sink.statuses[-1].bad_points == 3, "three bad points")
        text = str([event.message + str(event.details) for event in sink.events])
        assert "Reactor/Pressure" in text
        assert "sampling_interval" in text, "the nearest known key"
        assert "urn:nobody" in text
        assert sink.last(90)[2] == Quality.BAD_NODE_ID_INVALID
        assert sink.last(91)[2] == Quality.BAD_CONFIGURATION_ERROR


async def test_polling_sends_each_value_once(sink: Any, environment: Any, running: Any) -> None:
    async with Simulator() as simulator:
        settings = changed(simulator.configuration, mode="poll", poll_interval=0.05)
        connector = protocol.connector(simulator.url, settings, simulator.bindings, environment(simulator))
        binding = simulator.bindings[DOUBLE]
        async with running(connector, sink):
            await every_good(sink, simulator)
            before = len(sink.of(binding.series))
            for value in (3.0, 4.0, 5.0):
                await simulator.set(binding.address, value)
                await sink.until(lambda value=value: sink.last(binding.series)[1] == value, f"{value}")
            await simulator.stop()
            await sink.until(lambda: is_bad(sink.last(binding.series)[2]), "bad when the server is gone")
            values = [row[1] for row in sink.of(binding.series)[before:] if is_good(row[2])]
            assert values == [3.0, 4.0, 5.0]


async def test_writing(sink: Any, environment: Any, running: Any) -> None:
    async with Simulator(variables=1) as simulator:
        connector = protocol.connector(simulator.url, simulator.configuration, simulator.bindings, environment(simulator))
        with pytest.raises(OfflineError):
            await connector.write(simulator.bindings[DOUBLE], 1.0)
        async with running(connector, sink):
            await every_good(sink, simulator)
            for place, value in ((DOUBLE, 2), (INTEGER, 5.0), (BOOLEAN, False), (TEXT, "x"), (STRUCTURE, [1.5])):
                binding = simulator.bindings[place]
                await connector.write(binding, value)
                assert await simulator.get(binding.address) == value
            await connector.write(simulator.bindings[BYTES], b"\x05")
            assert await simulator.get(simulator.bindings[BYTES].address) == "05"
            for place, value in ((DOUBLE, "x"), (INTEGER, 2**63), (INTEGER, 1.5), (BOOLEAN, 2), (TEXT, 3), (STRUCTURE, 1.0)):
                with pytest.raises(UnfitError):
                    await connector.write(simulator.bindings[place], value)
            locked = simulator.bindings[-1]
            with pytest.raises(NotWritableError):
                await connector.write(locked, 1.0)
            with pytest.raises(WriteError) as caught:
                await connector.write(msgspec.structs.replace(locked, writable=True), 1.0)
            assert "BadNotWritable" in caught.value.message or "Denied" in caught.value.message


async def test_values_that_stood_still_are_confirmed_after_a_lost_link(sink: Any, environment: Any, running: Any) -> None:
    async with Simulator() as simulator:
        connector = protocol.connector(simulator.url, simulator.configuration, simulator.bindings, environment(simulator))
        binding = simulator.bindings[DOUBLE]
        async with running(connector, sink):
            await every_good(sink, simulator)
            await simulator.drop_sessions()
            await sink.until(lambda: not is_good(sink.of(binding.series)[-1][2]), "uncertain")
            await sink.until(lambda: is_good(sink.of(binding.series)[-1][2]), "good again")
        rows = sink.of(binding.series)
        times = [row[0] for row in rows]
        assert times == sorted(times), "the confirmation is newer than the mark"
        assert len(set(times)) == len(times), "no sample twice"
        assert rows[-1][1] == 1.5


def test_settings_that_can_never_work(environment: Any) -> None:
    from hulian.kernel.errors import HulianError

    simulator = Simulator()
    for url, settings in (
        ("opc.tcp://", {}),
        ("http://x:4840", {}),
        ("opc.tcp://u:p@x:4840", {}),
        ("opc.tcp://x:99999", {}),
        ("opc.tcp://x", {"user_certificate": "a.der"}),
    ):
        with pytest.raises(HulianError) as caught:
            protocol.connector(url, OpcuaConfiguration(**settings), (), environment(simulator))
        assert caught.value.code == "HL-OPCUA-0002"


async def test_writes_stay_within_the_limits_of_the_point(sink: Any, environment: Any, running: Any) -> None:
    async with Simulator() as simulator:
        narrow = msgspec.structs.replace(simulator.bindings[INTEGER], options={"low": 0.0, "high": 10.0})
        bindings = (*simulator.bindings[:1], narrow)
        connector = protocol.connector(simulator.url, simulator.configuration, bindings, environment(simulator))
        async with running(connector, sink):
            await sink.until(lambda: good(sink, narrow.series), "a value")
            await connector.write(bindings[0], 999.0)
            await connector.write(narrow, 10)
            for binding, value in ((bindings[0], 1000.5), (bindings[0], float("nan")), (narrow, 11), (narrow, -1)):
                with pytest.raises(UnfitError) as caught:
                    await connector.write(binding, value)
                assert "from" in caught.value.hint
            assert await simulator.get(bindings[0].address) == 999.0
            assert await simulator.get(narrow.address) == 10


async def test_a_method_is_called_with_arguments_of_its_types(sink: Any, environment: Any, running: Any) -> None:
    async with Simulator() as simulator:
        start = Binding(
            series=70,
            address="ns=2;s=Start",
            storage=StorageClass.STRUCTURE,
            writable=True,
            options={"object": "ns=2;s=Machine"},
        )
        nothing = msgspec.structs.replace(start, series=71, address="ns=2;s=Missing")
        bindings = (start, nothing, *simulator.bindings)
        connector = protocol.connector(simulator.url, simulator.configuration, bindings, environment(simulator))
        async with running(connector, sink):
            await every_good(sink, simulator)
            await sink.until(lambda: sink.statuses[-1].bad_points == 0, "a method is no point that cannot be read")
            await connector.write(start, [2.5, 4])
            assert await simulator.calls() == [[2.5, 4]]
            assert msgspec.json.decode(sink.last(70)[1]) == [10.0]
            for wrong in (3.0, [1.0], [1.0, 2.5], ["x", 2]):
                with pytest.raises(UnfitError):
                    await connector.write(start, wrong)
            with pytest.raises(CallError) as caught:
                await connector.write(start, [-1.0, 1])
            assert "BadOutOfRange" in caught.value.message
            with pytest.raises(NodeError):
                await connector.write(nothing, [])
            assert len(await simulator.calls()) == 1


async def test_searching_is_bounded_in_number_and_time(environment: Any) -> None:
    async with Simulator(variables=30) as simulator:

        async def find(text: str, limit: int = 100, seconds: float = 30.0) -> tuple[list[str], bool]:
            nodes = protocol.browse(simulator.url, simulator.configuration, environment(simulator), depth=0)
            found, whole = await search(nodes, text, limit=limit, seconds=seconds)
            return sorted(node.name for node in found), whole

        assert await find("machine") == (["Machine"], True)
        assert await find("simulator v1") == (sorted(["V1", *(f"V1{digit}" for digit in range(10))]), True)
        few, whole = await find("v", limit=3)
        assert (len(few), whole) == (3, False)
        simulator.pause()
        try:
            with anyio.fail_after(10):
                assert await find("v", seconds=0.5) == ([], False)
        finally:
            simulator.resume()
