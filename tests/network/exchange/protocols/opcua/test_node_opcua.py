"""Against node-opcua, a server that shares no line with asyncua."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import anyio
import msgspec
import pytest

from hulian.kernel.point import Kind
from hulian.kernel.quality import is_good
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding, ConnectorState, Credentials, Environment
from hulian.network.exchange.protocols.opcua import OpcuaConfiguration, protocol

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]

QUICK = OpcuaConfiguration(security="none", keep_alive=1.0, retry_first=0.1, retry_longest=1.0, bad_after=2.0, timeout=20.0)


COUNT = 100


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def peer(node_opcua: Any) -> AsyncIterator[Any]:
    async with node_opcua(variables=COUNT, period=100, secure=True) as server:
        yield server


@pytest.fixture
def place(trust: Any) -> Environment:
    trust.approve_all = True
    return Environment(organisation="test", connector="node", credentials=Credentials(), trust=trust)


def bindings(count: int) -> list[Binding]:
    return [Binding(series=number + 1, address=f"ns=1;s=V{number}", storage=StorageClass.DOUBLE) for number in range(count)]


def steps_of(sink: Any, series: int) -> list[int]:
    return [int(value) for _, value, status in sink.of(series) if is_good(status) and value]


async def test_every_step_arrives_once(peer: Any, place: Environment, sink: Any, running: Any) -> None:
    settings = msgspec.structs.replace(QUICK, sampling_interval=0)
    connector = protocol.connector(peer.url, settings, bindings(COUNT), place)
    async with running(connector, sink):
        await sink.until(lambda: sink.statuses and sink.statuses[-1].samples >= COUNT, "first values", 60)
        first = (await peer.order("start"))["step"]
        await anyio.sleep(3)
        steps = (await peer.order("stop"))["step"]
        assert steps - first > 5
        await sink.until(lambda: all(sink.last(s)[1] == steps for s in range(1, COUNT + 1)), "the last step")
    for series in range(1, COUNT + 1):
        assert [step for step in steps_of(sink, series) if step > first] == list(range(first + 1, steps + 1))


async def test_encrypted(peer: Any, place: Environment, sink: Any, running: Any) -> None:
    connector = protocol.connector(peer.url, msgspec.structs.replace(QUICK, security="best"), bindings(5), place)
    async with running(connector, sink):
        await peer.order("start")
        await sink.until(lambda: all(len(steps_of(sink, series)) > 3 for series in range(1, 6)), "steps", 60)
        await peer.order("stop")
    assert not [event for event in sink.events if event.active]


async def test_browsing_finds_units_ranges_and_kinds(peer: Any, place: Environment) -> None:
    found = [node async for node in protocol.browse(peer.url, QUICK, place)]
    plant = next(node for node in found if node.name == "Plant")
    assert not plant.leaf
    under = {node.name: node async for node in protocol.browse(peer.url, QUICK, place, under=plant.address, depth=0)}
    level, valve, mode, target = (under[name] for name in ("Level", "Valve", "Mode", "SetPoint"))
    assert (level.unit, level.low, level.high, level.kind) == ("bar", 0.0, 100.0, Kind.CONTINUOUS)
    assert level.description == "Level of the separator"
    assert level.path == ("Plant", "Level")
    assert level.address == "nsu=urn:hulian:peer:node-opcua;s=Level"
    assert (valve.storage, valve.kind) == (StorageClass.BOOLEAN, Kind.STEP)
    assert (mode.storage, mode.kind) == (StorageClass.INTEGER, Kind.STEP)
    assert (target.storage, target.writable, target.value) == (StorageClass.DOUBLE, True, "1.5")
    assert sum(name.startswith("V") and name[1:].isdigit() for name in under) == COUNT


async def test_a_forgotten_session_a_cut_line_a_kill(peer: Any, place: Environment, sink: Any, running: Any) -> None:
    await peer.order("start")
    connector = protocol.connector(peer.url, QUICK, bindings(20), place)
    async with running(connector, sink):
        await sink.until(lambda: len(steps_of(sink, 1)) > 3, "steps", 60)
        for order in ("forget", "drop"):
            before = sink.statuses[-1].counters["connections"]
            await peer.order(order)
            await sink.until(
                lambda before=before: (
                    sink.statuses[-1].counters["connections"] > before and sink.statuses[-1].state == ConnectorState.CONNECTED
                ),
                f"connected again after '{order}'",
            )
            seen = len(steps_of(sink, 1))
            await sink.until(lambda seen=seen: len(steps_of(sink, 1)) > seen + 3, "steps go on")
        await peer.stop()
        await sink.until(lambda: sink.statuses[-1].state == ConnectorState.WAITING, "killed")
        await peer.start()
        await sink.until(lambda: sink.statuses[-1].state == ConnectorState.CONNECTED, "restarted", 60)


async def test_a_short_cut_of_the_line_loses_nothing(peer: Any, place: Environment, sink: Any, running: Any) -> None:
    """The server goes on writing while nobody is connected; the session is taken over and everything comes after."""
    settings = msgspec.structs.replace(QUICK, sampling_interval=0, queue_size=200)
    connector = protocol.connector(peer.url, settings, bindings(20), place)
    async with running(connector, sink):
        await sink.until(lambda: sink.statuses and sink.statuses[-1].state == ConnectorState.CONNECTED, "connected", 60)
        first = (await peer.order("start"))["step"]
        await sink.until(lambda: len(steps_of(sink, 1)) > 5, "steps")
        for round_ in range(1, 4):
            await peer.order("drop")
            await sink.until(
                lambda round_=round_: (
                    sink.statuses[-1].counters["resumed"] == round_ and sink.statuses[-1].state == ConnectorState.CONNECTED
                ),
                "the session is taken over",
            )
            await anyio.sleep(0.3)
        steps = (await peer.order("stop"))["step"]
        await sink.until(lambda: all(sink.last(s)[1] == steps for s in range(1, 21)), "the last step")
    for series in range(1, 21):
        came = [step for step in dict.fromkeys(steps_of(sink, series)) if step > first]
        assert came == list(range(first + 1, steps + 1))
