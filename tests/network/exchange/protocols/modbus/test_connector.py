"""The connector against a pymodbus server in a process of its own, and against our simulator where faults are needed."""

from __future__ import annotations

import struct

import anyio
import pytest
from modbus_support import running

from hulian.kernel.quality import Quality
from hulian.kernel.storage import StorageClass as S
from hulian.network.exchange.protocols.contract import Binding, ConnectorState
from hulian.network.exchange.protocols.modbus.errors import LostError, RefusedError, SilenceError, ValueFitError, VerifyError
from hulian.network.exchange.protocols.modbus.simulator import Simulator

pytestmark = pytest.mark.anyio


def words(form: str, *values) -> list[int]:
    raw = struct.pack(form, *values)
    return [int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw), 2)]


async def test_every_table_and_type_from_pymodbus(pymodbus_server, environment, sink):
    server = pymodbus_server(
        {
            "h": {
                "0": words(">fhIqd", 1.5, -7, 4_000_000_000, -(2**40), 2.25) + words(">16s", b"PUMP-17 \0\0\0\0\0\0\0\0"),
                "40": words("<f", 3.5),
                "60": [0x1234, 0x0008],
            },
            "i": {"10": words(">H", 65535) + words(">Q", 2**50)},
            "c": {"0": [True, False, True, True] + [False] * 12},
            "d": {"32": [False, True] + [False] * 14},
        }
    )
    bindings = [
        Binding(series=1, address="holding:40001:float32", storage=S.DOUBLE),
        Binding(series=2, address="holding@2:int16", storage=S.INTEGER),
        Binding(series=3, address="400004:uint32", storage=S.INTEGER),
        Binding(series=4, address="holding@5:int64", storage=S.INTEGER),
        Binding(series=5, address="holding@9:float64", storage=S.DOUBLE),
        Binding(series=6, address="holding@13:string[16]", storage=S.TEXT),
        Binding(series=7, address="holding@40:float32:dcba", storage=S.DOUBLE),
        Binding(series=8, address="holding@60:bcd16", storage=S.INTEGER),
        Binding(series=9, address="holding@61.3", storage=S.BOOLEAN),
        Binding(series=10, address="input:30011:uint16", storage=S.DOUBLE, options={"scale": 0.1, "offset": -5}),
        Binding(series=11, address="input@11:uint64", storage=S.STRUCTURE),
        Binding(series=12, address="coil:00003", storage=S.BOOLEAN),
        Binding(series=13, address="discrete@33", storage=S.BOOLEAN),
        Binding(series=14, address="coil@1", storage=S.INTEGER),
    ]
    async with running(server.url, bindings, environment, sink):
        await sink.until(lambda: all(sink.last(binding.series) for binding in bindings))
        await sink.until(lambda: sink.statuses[-1].state is ConnectorState.CONNECTED)
    expected = [1.5, -7, 4_000_000_000, -(2**40), 2.25, "PUMP-17", 3.5, 1234, True]
    expected += [pytest.approx(6548.5), str(2**50), True, True, 0]
    assert [sink.last(binding.series) for binding in bindings] == [(value, 0) for value in expected]
    assert sink.events == []
    assert {columns.storage for columns in sink.columns} == {S.DOUBLE, S.INTEGER, S.BOOLEAN, S.TEXT, S.STRUCTURE}


async def test_neighbours_share_a_request(environment, sink):
    bindings = [Binding(series=1 + at, address=f"holding@{at * 3}:int16", storage=S.INTEGER) for at in range(30)]
    bindings += [Binding(series=100, address="holding@5000", storage=S.INTEGER)]
    async with Simulator(bindings) as device:
        device.fill("holding", 0, [0] * 100)
        async with running(device.url, bindings, environment, sink, interval=30):
            await sink.until(lambda: sink.last(100))
        assert device.requests == 2


async def test_comes_back_after_the_server_was_killed(pymodbus_server, environment, sink):
    server = pymodbus_server({"h": {"0": [7]}})
    async with running(server.url, [Binding(series=1, address="holding@0", storage=S.INTEGER)], environment, sink):
        await sink.until(lambda: sink.last(1) == (7, 0))
        server.stop()
        await sink.until(lambda: (sink.last(1) or (0, 0))[1] == Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE)
        assert sink.last(1) == (7, Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE)
        await sink.until(lambda: sink.last(1) == (None, Quality.BAD_NO_COMMUNICATION))
        await sink.until(lambda: sink.statuses[-1].state is ConnectorState.WAITING)
        assert sink.statuses[-1].hint
        await anyio.to_thread.run_sync(server.start)
        await sink.until(lambda: sink.last(1) == (7, 0))
        await sink.until(lambda: sink.statuses[-1].state is ConnectorState.CONNECTED)
    marks = [status for _, _, status in sink.of(1) if status]
    assert marks == [Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE, Quality.BAD_NO_COMMUNICATION]
    open_events = {}
    for event in sink.events:
        open_events[event.code] = event.active
    assert open_events
    assert not any(open_events.values()), sink.events


async def test_a_refused_address_harms_no_other(environment, sink):
    bindings = [Binding(series=1 + at, address=f"holding@{at}", storage=S.INTEGER) for at in range(40)]
    async with Simulator(bindings) as device:
        for at in range(40):
            device.put(f"holding@{at}", at)
        device.remove("holding@23")
        async with running(device.url, bindings, environment, sink, recheck=0.2):
            await sink.until(lambda: all(sink.last(1 + at) == (at, 0) for at in range(40) if at != 23))
            await sink.until(lambda: sink.last(24) == (None, Quality.BAD_NODE_ID_UNKNOWN))
            (event,) = sink.events
            assert event.code == RefusedError.code
            assert event.subject == "plc/holding@23"
            assert event.hint
            await sink.until(lambda: sink.statuses[-1].bad_points == 1)
            assert sink.statuses[-1].state is ConnectorState.DEGRADED
            device.put("holding@23", 99)
            await sink.until(lambda: sink.last(24) == (99, 0))
            assert [event.active for event in sink.events] == [True, False]


async def test_wrong_bindings_are_named_and_harm_no_other(environment, sink):
    bindings = [
        Binding(series=1, address="holding@0", storage=S.INTEGER),
        Binding(series=2, address="holdin@0", storage=S.INTEGER),
        Binding(series=3, address="holding@1", storage=S.INTEGER, options={"scal": 3}),
        Binding(series=4, address="holding@2", storage=S.TEXT),
        Binding(series=5, address="holding@3", storage=S.INTEGER, options={"group": "none"}),
    ]
    async with Simulator() as device, running(device.url, bindings, environment, sink):
        await sink.until(lambda: (sink.last(1) or (0, 1))[1] == 0)
        await sink.until(lambda: sink.statuses[-1].bad_points == 4)
    assert [sink.last(series)[1] for series in (2, 3, 4, 5)] == [Quality.BAD_CONFIGURATION_ERROR] * 4
    assert {event.subject for event in sink.events} == {f"plc/{binding.address}" for binding in bindings[1:]}


async def test_a_silent_unit_does_not_slow_its_neighbour(environment, sink):
    bindings = [
        Binding(series=1, address="1/holding@0", storage=S.INTEGER),
        Binding(series=2, address="2/holding@0", storage=S.INTEGER),
    ]
    async with Simulator(bindings) as device:
        device.silent.add(2)
        async with running(device.url, bindings, environment, sink, timeout=0.2, retries=0, reconnect_most=5):
            await sink.until(lambda: (sink.last(2) or (0, 0))[1] == Quality.BAD_NO_COMMUNICATION)
            before = len(sink.of(1))
            await sink.until(lambda: len(sink.of(1)) > before + 10, 3)
            assert [event.subject for event in sink.events if event.code == SilenceError.code] == ["plc/2"]
            device.silent.clear()
            await sink.until(lambda: sink.last(2) == (0, 0))
        assert device.connections == 1


@pytest.mark.parametrize("depth", [1, 8, "auto"])
async def test_depth(environment, sink, depth):
    bindings = [Binding(series=1 + at, address=f"holding@{at * 200}", storage=S.INTEGER) for at in range(50)]
    async with Simulator(bindings) as device:
        for at in range(50):
            device.put(f"holding@{at * 200}", at)
        device.delay = 0.01
        async with running(device.url, bindings, environment, sink, depth=depth, interval=0.1):
            await sink.until(lambda: all(len(sink.of(1 + at)) > 3 for at in range(50)))
            deepest = sink.statuses[-1].counters.get("depth")
            if depth == "auto":
                await sink.until(lambda: sink.statuses[-1].counters["depth"] == 16)
            elif depth == 1:
                await sink.until(lambda: sink.statuses[-1].counters["overruns"] > 0)
            else:
                assert deepest in (None, 8)
        assert [sink.last(1 + at) for at in range(50)] == [(at, 0) for at in range(50)]


async def test_poll_groups_keep_their_intervals(environment, sink):
    bindings = [
        Binding(series=1, address="holding@0", storage=S.INTEGER, options={"interval": 0.05}),
        Binding(series=2, address="holding@1", storage=S.INTEGER, options={"group": "slow"}),
    ]
    async with Simulator(bindings) as device, running(device.url, bindings, environment, sink, groups={"slow": 0.5}):
        await sink.until(lambda: len(sink.of(2)) >= 5)
    # The first poll comes with the connection, the others at the due times of this poll.
    times = [time for time, _, _ in sink.of(2)][1:]
    span = (times[3] - times[0]) / 1e9
    assert span == pytest.approx(1.5, abs=0.2)
    assert len(sink.of(1)) >= 5 * 3


@pytest.mark.parametrize(
    ("address", "storage", "value", "options"),
    [
        ("coil@0", S.BOOLEAN, True, {}),
        ("holding@0", S.INTEGER, 65535, {}),
        ("holding@0:int16", S.DOUBLE, -12.5, {"scale": 0.5}),
        ("holding@2:float32:cdab", S.DOUBLE, 1.25, {}),
        ("holding@4:uint64", S.INTEGER, 2**60, {}),
        ("holding@4:bcd32", S.INTEGER, 12345678, {}),
        ("holding@10.9", S.BOOLEAN, True, {}),
        ("holding@20:string[10]", S.TEXT, "äbc", {}),
    ],
)
async def test_writes_to_pymodbus(pymodbus_server, environment, sink, address, storage, value, options):
    server = pymodbus_server({"h": {"0": [0] * 40}})
    binding = Binding(series=1, address=address, storage=storage, writable=True, options=options)
    async with running(server.url, [binding], environment, sink) as connector:
        await sink.until(lambda: sink.last(1))
        await connector.write(binding, value)
        await sink.until(lambda: sink.last(1) == (value, 0))


async def test_writes_that_cannot_be(environment, sink):
    def point(address, storage=S.INTEGER, **options):
        return Binding(series=1, address=address, storage=storage, writable=True, options=options)

    async with Simulator() as device, running(device.url, [point("holding@0")], environment, sink) as connector:
        await sink.until(lambda: sink.last(1))
        for address, value in [
            ("input@10", 1),
            ("holding@2:int16", 40000),
            ("holding@2", "x"),
            ("holding@2", 1.5),
            ("coil@0", 7),
        ]:
            with pytest.raises(ValueFitError):
                await connector.write(point(address, S.BOOLEAN if address == "coil@0" else S.INTEGER), value)
        with pytest.raises(RefusedError) as caught:
            await connector.write(point("holding@900"), 1)
        assert "holding@900" in str(caught.value)

        memory, answer = device.memory(), device.memory().answer
        memory.answer = lambda pdu: pdu if pdu[0] == 6 else answer(pdu)
        with pytest.raises(VerifyError):
            await connector.write(point("holding@2"), 77)
        await connector.write(point("holding@2", verify=False), 77)
        await device.stop()
        await sink.until(lambda: connector.link is None)
        with pytest.raises(LostError):
            await connector.write(point("holding@2"), 1)
