"""What goes wrong between us and a device, with real sockets: for a second and for long, and what it costs the others."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
import tracemalloc

import msgspec
import pytest
from modbus_support import running

from hulian.kernel.quality import Quality, is_uncertain
from hulian.kernel.storage import StorageClass as S
from hulian.network.exchange.protocols.contract import Binding, ConnectorState
from hulian.network.exchange.protocols.modbus.channel import RoundTrip
from hulian.network.exchange.protocols.modbus.client import Client
from hulian.network.exchange.protocols.modbus.errors import GarbageError, LostError, ModbusError, ReachError, SilenceError
from hulian.network.exchange.protocols.modbus.simulator import Simulator
from hulian.network.exchange.protocols.modbus.wire import read_request

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]
ONE = [Binding(series=1, address="holding@0", storage=S.INTEGER)]
GONE = (None, Quality.BAD_NO_COMMUNICATION)


async def uncertain_then_bad(sink, series=1):
    await sink.until(lambda: sink.last(series) == GONE)
    first_bad = [status for *_, status in sink.of(series)].index(Quality.BAD_NO_COMMUNICATION)
    assert is_uncertain(sink.of(series)[first_bad - 1][2])


@pytest.mark.parametrize("seconds", [0.3, 3.0])
@pytest.mark.parametrize("fault", ["killed", "cut", "frozen"])
async def test_a_peer_that_is_away_comes_back_before_as_much_time_has_passed_again(fault, seconds, environment, sink):
    """``killed`` ends listener and connections, ``cut`` loses what is sent, ``frozen`` takes it and says nothing."""
    async with Simulator(ONE) as device, _Cut(device.port) as link:
        url = device.url if fault == "killed" else link.url
        async with running(url, ONE, environment, sink, reconnect_most=30.0, bad_after=0.2):
            await sink.until(lambda: sink.last(1) == (0, 0))
            if fault == "killed":
                await device.stop()
            elif fault == "cut":
                link.through = False
            else:
                device.silent.add(1)
            await uncertain_then_bad(sink)
            began = time.monotonic()
            await asyncio.sleep(seconds)
            assert sink.statuses[-1].state is ConnectorState.WAITING
            assert sink.statuses[-1].error_code in (ReachError.code, LostError.code, SilenceError.code)
            away = time.monotonic() - began
            device.put("holding@0", 7)
            if fault == "killed":
                await device.start()
            link.through = True
            device.silent.clear()
            again = time.monotonic()
            await sink.until(lambda: sink.last(1) == (7, 0))
            # At most as long again as it was away since its last answer, and one time-out that was running.
            assert time.monotonic() - again <= 2 * (away + 0.5) + 2.0
            await sink.until(lambda: sink.statuses[-1].state is ConnectorState.CONNECTED)
            await sink.until(lambda: sink.events[-1].active is False)


class _Cut:
    """A relay in the middle: while ``through`` is false whatever is sent is lost, as in a cable that is cut."""

    def __init__(self, port: int) -> None:
        self.target = port
        self.through = True

    async def __aenter__(self) -> _Cut:
        self.tasks: set[asyncio.Task] = set()
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"modbus://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *error: object) -> None:
        self.server.close()
        for task in self.tasks:
            task.cancel()

    async def _serve(self, reader, writer) -> None:
        self.tasks.add(asyncio.current_task())
        with contextlib.suppress(OSError):
            other, back = await asyncio.open_connection("127.0.0.1", self.target)
            await asyncio.gather(self._pass(reader, back), self._pass(other, writer))
        writer.close()

    async def _pass(self, reader, writer) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(4096):
                if self.through:
                    writer.write(data)
        writer.close()


async def test_a_name_that_stops_resolving(environment, sink):
    """The connection that stands goes on; a new one needs the name; it is found by itself when the name is back."""
    known = {"plc.example": "127.0.0.1"}

    async def resolve(host: str, port: int):
        if host not in known:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (known[host], port))]

    named = msgspec.structs.replace(environment, extras={"modbus.resolve": resolve})
    async with Simulator(ONE) as device, running(f"modbus://plc.example:{device.port}", ONE, named, sink):
        await sink.until(lambda: sink.last(1) == (0, 0))
        known.clear()
        device.put("holding@0", 1)
        await sink.until(lambda: sink.last(1) == (1, 0))
        device.drop()
        await uncertain_then_bad(sink)
        await sink.until(lambda: sink.statuses[-1].error_code == ReachError.code)
        assert "'plc.example' cannot be resolved" in sink.statuses[-1].error
        known["plc.example"] = "127.0.0.1"
        await sink.until(lambda: sink.last(1) == (1, 0))
        await sink.until(lambda: sink.statuses[-1].state is ConnectorState.CONNECTED)


async def test_a_resolver_that_hangs_is_a_named_error():
    async def resolve(host: str, port: int):
        await asyncio.sleep(3600)
        return []

    with pytest.raises(ReachError) as caught:
        await Client.connect("plc.example", 502, timeout=0.1, resolve=resolve)
    assert "cannot be resolved within" in caught.value.message


async def test_a_slow_peer_is_waited_for_and_its_time_outs_follow(environment, sink):
    async with Simulator(ONE) as device:
        settings = {"timeout": 3.0, "timeout_least": 0.05, "retries": 2, "interval": 0.02}
        async with running(device.url, ONE, environment, sink, **settings) as connector:
            trip = connector.units[1].trip
            await sink.until(lambda: len(sink.of(1)) > 30)
            quick = trip.timeout
            assert quick < 3.0
            device.delay = 0.6
            seen = len(sink.of(1))
            await sink.until(lambda: len(sink.of(1)) > seen + 10)
            assert trip.timeout > 0.6
            device.delay = 0.0
            await sink.until(lambda: trip.timeout < 0.6)
            assert sink.statuses[-1].counters["reconnects"] == 0
    assert {status for *_, status in sink.of(1)} == {0}


def test_time_outs_stay_within_their_bounds():
    trip = RoundTrip(0.2, 2.0)
    assert trip.timeout == 2.0
    for _ in range(100):
        trip.observe(0.001)
    assert trip.timeout == 0.2
    trip.expired()
    assert trip.timeout == 2.0
    for _ in range(100):
        trip.observe(0.1)
    assert 0.2 <= trip.timeout < 0.5
    trip.observe(9.0)
    assert trip.timeout == 2.0
    assert RoundTrip(5.0, 1.0).timeout == RoundTrip(5.0, 1.0).least == 1.0


async def test_a_dead_unit_does_not_starve_its_neighbours(environment, sink):
    """Behind a gateway that bears one request: the dead one is asked ever more rarely."""
    bindings = [Binding(series=unit, address=f"{unit}/holding@0", storage=S.INTEGER) for unit in range(1, 6)]
    async with Simulator() as device:
        for unit in range(1, 6):
            device.put(f"{unit}/holding@0", unit)
        device.silent |= {4, 5}
        async with running(device.url, bindings, environment, sink, timeout=0.3, timeout_least=0.3, bad_after=1.0):
            await sink.until(lambda: all(len(sink.of(unit)) >= 60 for unit in (1, 2, 3)), 60)
            counters = sink.statuses[-1].counters
            assert counters["timeouts"] < counters["requests"] / 10
            assert counters["reconnects"] == 0
            await sink.until(lambda: sink.last(4) == GONE and sink.last(5) == GONE)
            device.silent.clear()
            await sink.until(lambda: sink.last(4) == (4, 0) and sink.last(5) == (5, 0))


async def test_pace_and_gap_are_kept(environment, sink):
    """A device that bears twenty requests a second, and none sooner than 30 ms after its last answer."""
    bindings = [Binding(series=n, address=f"holding@{200 * n}", storage=S.INTEGER) for n in range(1, 4)]
    for settings, least in (({"rate": 20.0}, 0.05), ({"request_gap": 0.03}, 0.03)):
        async with Simulator(bindings) as device:
            begun = time.monotonic()
            async with running(device.url, bindings, environment, sink, interval=0.01, depth=4, **settings):
                await sink.until(lambda device=device: device.requests >= 21)
                spent = time.monotonic() - begun
        # Those in flight together leave together after a gap; a rate counts each.
        assert spent >= 20 * least if "rate" in settings else spent >= 20 / 4 * least


async def broken_while_running(url, environment, sink):
    async with running(url, ONE, environment, sink) as connector:
        connector.polls[0].plan.answered = None
        await sink.until(lambda: False, 10)


async def test_a_defect_of_ours_ends_the_connector_and_is_not_hidden(environment, sink):
    async with Simulator(ONE) as device:
        with pytest.raises(ExceptionGroup) as caught:
            await broken_while_running(device.url, environment, sink)
    assert caught.group_contains(TypeError, depth=None)


class _Hostile:
    """Sends ``stream`` for ever to whoever connects, and reads nothing."""

    def __init__(self, stream: bytes) -> None:
        self.stream = stream
        self.sent = 0

    async def __aenter__(self) -> _Hostile:
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *error: object) -> None:
        self.server.close()

    async def _serve(self, reader, writer) -> None:
        if not self.stream:
            await asyncio.Event().wait()  # an endless loop of empty writes would never give the others a turn
        with contextlib.suppress(OSError):
            while True:
                writer.write(self.stream)
                self.sent += len(self.stream)
                await writer.drain()


@pytest.mark.parametrize("scheme", ["modbus", "modbus+rtu", "modbus+ascii"])
@pytest.mark.parametrize("stream", [b"\0" * 65536, b":" * 65536, struct.pack(">HHHBBH", 1, 0, 254, 1, 3, 250) * 6000])
async def test_a_flood_costs_bounded_memory(scheme, stream, environment, sink):
    async with _Hostile(stream) as device:
        tracemalloc.start()
        try:
            async with running(f"{scheme}://127.0.0.1:{device.port}", ONE, environment, sink, timeout=0.2, retries=0):
                await sink.until(lambda: sink.statuses and sink.statuses[-1].counters["reconnects"] >= 2)
                first, _ = tracemalloc.get_traced_memory()
                sent = device.sent
                await sink.until(lambda: device.sent > sent + 2 * 2**20 or sink.statuses[-1].counters["reconnects"] >= 12)
                last, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert last - first < 4 * 2**20
        assert {event.code for event in sink.events} <= {GarbageError.code, SilenceError.code, LostError.code, ReachError.code}
    assert sink.last(1) in (None, GONE, (None, int(Quality.BAD_NO_COMMUNICATION)))


async def test_a_peer_that_never_reads_costs_bounded_memory():
    async with _Hostile(b"") as device:
        client = await Client.connect("127.0.0.1", device.port, timeout=2)
        for _ in range(20):
            with contextlib.suppress(ModbusError):
                await client.request(1, read_request("holding", 0, 125), 0.01)
        assert len(client._expired) <= 256
        assert client._transport.get_write_buffer_size() < 64 * 1024
        client.close()


async def test_a_stale_answer_is_not_taken_for_the_next(environment):
    """The answer to a request that was given up comes just before the one to the next, with another value."""
    async with Simulator(ONE) as device:
        device.delay = 0.2
        client = await Client.connect("127.0.0.1", device.port, timeout=2)
        with pytest.raises(SilenceError):
            await client.request(1, read_request("holding", 0, 1), 0.05)
        device.put("holding@0", 9)
        assert await client.request(1, read_request("holding", 0, 1), 2) == b"\x03\x02\x00\x09"
        assert client.late == 1
        client.close()
