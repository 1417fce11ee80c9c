"""Groups of points with subscriptions of their own; what was missed, from the server's history."""

from __future__ import annotations

from typing import Any

import anyio
import msgspec
import numpy as np
import pytest
from line import Line

from hulian.kernel.quality import is_good
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding, ConnectorState, Credentials, Environment
from hulian.network.exchange.protocols.opcua import OpcuaConfiguration, protocol
from hulian.network.exchange.protocols.opcua.config import BindingOptions, Group
from hulian.network.exchange.protocols.opcua.events import OpcuaEvent
from hulian.network.exchange.protocols.opcua.history import Gaps
from hulian.network.exchange.protocols.opcua.monitoring import Item, item_parameters
from hulian.network.exchange.protocols.opcua.simulator import Simulator

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]


def changed(configuration: Any, **settings: Any) -> Any:
    return msgspec.structs.replace(configuration, **settings)


def values_of(sink: Any, series: int) -> list[float]:
    """The good values of a series in the order of their own times, each time once: as the historian keeps them."""
    rows = {time: value for time, value, status in sink.of(series) if is_good(status) and value is not None}
    return [rows[time] for time in sorted(rows)]


def parameters(options: dict[str, Any], group: dict[str, Any], settings: dict[str, Any], longest: int = 0) -> Any:
    item = Item(3, None, msgspec.convert(options, BindingOptions))  # type: ignore[arg-type]
    configuration = OpcuaConfiguration(**settings)
    return item_parameters(item, msgspec.convert(group, Group), configuration, 0.1, longest)


def test_a_points_option_comes_before_its_groups_and_that_before_the_connectors() -> None:
    found = parameters({}, {}, {"sampling_interval": 0.5, "queue_size": 7, "deadband": 2.0})
    assert (found.SamplingInterval, found.QueueSize, found.DiscardOldest) == (500, 7, True)
    assert (found.Filter.DeadbandType, found.Filter.DeadbandValue) == (1, 2.0)
    found = parameters(
        {}, {"sampling_interval": 0.2, "queue_size": 9, "deadband_percent": 5.0, "discard": "newest"}, {"deadband": 2.0}
    )
    assert (found.SamplingInterval, found.QueueSize, found.DiscardOldest) == (200, 9, False)
    assert (found.Filter.DeadbandType, found.Filter.DeadbandValue) == (2, 5.0)
    found = parameters(
        {"deadband": 0.0, "sampling_interval": 0, "discard": "oldest"}, {"deadband_percent": 5.0, "discard": "newest"}, {}
    )
    assert found.Filter is None or not hasattr(found.Filter, "DeadbandValue")
    assert (found.SamplingInterval, found.DiscardOldest) == (0, True)
    assert parameters({"queue_size": 500}, {}, {}, longest=20).QueueSize == 20, "no longer than the server's longest"


async def test_groups_have_subscriptions_of_their_own_and_change_alone(sink: Any, environment: Any, running: Any) -> None:
    async with Simulator(variables=4) as simulator:
        groups = {"fast": Group(publishing_interval=0.05, sampling_interval=0.0), "slow": Group(publishing_interval=0.5)}
        names = ["fast", "fast", "slow", "nobody"]
        bindings = [
            Binding(series=n + 1, address=f"ns=2;s=V{n}", storage=StorageClass.DOUBLE, options={"group": name})
            for n, name in enumerate(names)
        ]
        settings = changed(simulator.configuration, groups=groups, items_per_subscription=1)
        connector = protocol.connector(simulator.url, settings, bindings, environment(simulator))
        async with running(connector, sink):
            await sink.until(lambda: all(values_of(sink, series)[-1:] == [0.0] for series in (1, 2, 3)), "first values")
            assert len(connector._subscriptions.identities) == 3, "one item a subscription, each of one group"
            assert "fast, slow" in str([event.details for event in sink.events]), "an unknown group names the known ones"
            before = len(sink.of(3))
            refused = await connector.change_group("fast", Group(publishing_interval=0.1, sampling_interval=0.0, deadband=10.0))
            assert refused == {}
            for value in (5.0, 20.0, 21.0, 40.0):
                await simulator.set("ns=2;s=V0", value)
                await simulator.set("ns=2;s=V2", value)
                await sink.until(lambda value=value: value in values_of(sink, 3), "the slow group goes on")
            await sink.until(lambda: values_of(sink, 1)[-1] == 40.0, "the fast group goes on")
            assert 21.0 not in values_of(sink, 1), "with its new deadband"
            assert [row[1] for row in sink.of(3)[before:]] == [5.0, 20.0, 21.0, 40.0]
            assert sink.statuses[-1].counters["connections"] == 1


def test_gaps_remember_the_oldest_loss_until_it_is_filled() -> None:
    gaps = Gaps(3, OpcuaConfiguration(history_longest=1.0))
    second = 10**9
    gaps.begin(np.array([5 * second, 0, 6 * second + 1]))
    gaps.begin(np.array([7 * second, 5 * second + 7, 7 * second]))
    assert len(gaps) == 0, "the link is still away"
    gaps.until(6 * second + 1)
    assert [gaps.bounds(place) for place in range(3)] == [
        (5 * second + 1, 6 * second + 1), (5 * second + 7, 6 * second + 1), (0, 0),
    ]  # fmt: skip
    gaps.filled(0, 5 * second + 500)
    assert gaps.bounds(0)[0] == 5 * second + 500
    gaps.begin(np.array([9 * second] * 3))
    gaps.kept()
    gaps.filled(0, 6 * second + 1)
    assert gaps.bounds(0) == (0, 0)
    gaps.add([(0, 8 * second), (0, 7 * second + 5)], now=8 * second)
    assert gaps.bounds(0) == (7 * second + 5, 8 * second)


async def test_a_gap_is_filled_from_the_servers_history(sink: Any, environment: Any, running: Any) -> None:
    """The session is forgotten and the server goes on writing: every value comes, in chunks, each time once."""
    async with Simulator(variables=3, history=True) as simulator:
        bindings = [Binding(series=n + 1, address=f"ns=2;s=V{n}", storage=StorageClass.DOUBLE) for n in range(3)]
        bindings.append(Binding(series=9, address="ns=2;s=Integer", storage=StorageClass.INTEGER))
        port = int(simulator.url.rpartition(":")[2].partition("/")[0])
        async with Line(port) as line:
            url = f"opc.tcp://127.0.0.1:{line.port}/simulator"
            settings = changed(simulator.configuration, history_chunk=4)
            connector = protocol.connector(url, settings, bindings, environment(simulator))
            async with running(connector, sink):
                await sink.until(lambda: all(values_of(sink, n) for n in (1, 2, 3, 9)), "first values")
                await simulator.set("ns=2;s=V0", 1.0)
                await sink.until(lambda: values_of(sink, 1)[-1] == 1.0, "a change")
                line.cut()
                await sink.until(lambda: sink.statuses[-1].state == ConnectorState.WAITING, "cut")
                for value in range(2, 25):
                    for n in range(3):
                        await simulator.set(f"ns=2;s=V{n}", float(value + 100 * n))
                await simulator.forget()
                line.mend()
                await sink.until(lambda: any(e.code == OpcuaEvent.HISTORY_FILLED for e in sink.events), "filled")
                await sink.until(lambda: values_of(sink, 3)[-1] == 224.0, "the last value")
                # The newest of each may come by its new subscription before the history is asked for.
                await sink.until(lambda: sink.statuses[-1].counters["history_samples"] >= 3 * 22, "they are counted")
                assert sink.statuses[-1].counters["history_pending"] == 0
            assert list(dict.fromkeys(values_of(sink, 1))) == [0.0, 1.0, *map(float, range(2, 25))]
            assert [value for value in dict.fromkeys(values_of(sink, 2)) if value] == [
                float(value + 100) for value in range(2, 25)
            ]


async def test_subscriptions_are_transferred_to_a_new_session(node_opcua: Any, sink: Any, trust: Any, running: Any) -> None:
    """The server forgets the session and keeps its subscriptions: the next session takes them over, nothing is missing."""
    settings = OpcuaConfiguration(
        security="none", sampling_interval=0.0, queue_size=1000, keep_alive=1.0, retry_first=0.1, retry_longest=1.0,
        timeout=20.0, history="off",
    )  # fmt: skip
    bindings = [Binding(series=n + 1, address=f"ns=1;s=V{n}", storage=StorageClass.DOUBLE) for n in range(5)]
    place = Environment(organisation="test", connector="node", credentials=Credentials(), trust=trust)
    async with node_opcua(variables=5, period=50) as peer:
        connector = protocol.connector(peer.url, settings, bindings, place)
        async with running(connector, sink):
            await sink.until(lambda: sink.statuses and sink.statuses[-1].state == ConnectorState.CONNECTED, "connected", 60)
            first = (await peer.order("start"))["step"]
            await sink.until(lambda: len(values_of(sink, 1)) > 5, "steps")
            await peer.order("forget_session")
            await sink.until(lambda: sink.statuses[-1].counters["transferred"] > 0, "the subscription is transferred")
            await anyio.sleep(0.3)
            steps = (await peer.order("stop"))["step"]
            await sink.until(lambda: all(values_of(sink, n)[-1] == steps for n in range(1, 6)), "the last step")
        for series in range(1, 6):
            came = [step for step in dict.fromkeys(values_of(sink, series)) if step > first]
            assert came == list(range(first + 1, steps + 1))


async def test_a_gap_is_filled_from_the_history_of_node_opcua(node_opcua: Any, sink: Any, trust: Any, running: Any) -> None:
    """It gives continuation points; the server forgets session and subscriptions while it goes on writing."""
    settings = OpcuaConfiguration(
        security="none",
        sampling_interval=0.0,
        keep_alive=1.0,
        retry_first=1.0,
        retry_longest=1.0,
        timeout=20.0,
        history_chunk=3,
    )
    bindings = [Binding(series=n + 1, address=f"ns=1;s=V{n}", storage=StorageClass.DOUBLE) for n in range(3)]
    place = Environment(organisation="test", connector="node", credentials=Credentials(), trust=trust)
    async with node_opcua(variables=3, period=50, history=True) as peer:
        connector = protocol.connector(peer.url, settings, bindings, place)
        async with running(connector, sink):
            await sink.until(lambda: sink.statuses and sink.statuses[-1].state == ConnectorState.CONNECTED, "connected", 60)
            first = (await peer.order("start"))["step"]
            await sink.until(lambda: len(values_of(sink, 1)) > 5, "steps")
            await peer.order("forget")
            await sink.until(lambda: any(event.code == OpcuaEvent.HISTORY_FILLED for event in sink.events), "filled")
            steps = (await peer.order("stop"))["step"]
            await sink.until(lambda: all(values_of(sink, n)[-1] == steps for n in range(1, 4)), "the last step")
            assert sink.statuses[-1].counters["transferred"] == 0
        for series in range(1, 4):
            came = [step for step in dict.fromkeys(values_of(sink, series)) if step > first]
            assert came == list(range(first + 1, steps + 1))
