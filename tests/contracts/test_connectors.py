"""What the edge may rely on, for every protocol that offers a simulator."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import msgspec
import pytest

from hulian.kernel.errors import HulianError
from hulian.kernel.quality import is_bad, is_good, is_uncertain
from hulian.kernel.sample import value_type
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import ConnectorState, Credentials

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(90)]

NEW_VALUES = {
    StorageClass.DOUBLE: (2.25, 3.25, 4.25),
    StorageClass.INTEGER: (11, 12, 13),
    StorageClass.BOOLEAN: (False, True, False),
    StorageClass.TEXT: ("running", "stopped", "cleaning"),
    StorageClass.BYTES: (b"\x10", b"\x11", b"\x12"),
    StorageClass.STRUCTURE: ([3.0, 4.0], [5.0, 6.0], [7.0, 8.0]),
}


@asynccontextmanager
async def running(connector: Any, sink: Any) -> AsyncIterator[None]:
    """The connector in a scope of its own, as the edge runs it; cancelling it must end it within a few seconds."""
    async with anyio.create_task_group() as group:
        group.start_soon(connector.run, sink)
        try:
            yield
        finally:
            group.cancel_scope.cancel()


def good(sink: Any, series: int) -> bool:
    last = sink.last(series)
    return last is not None and is_good(last[2]) and last[1] is not None


async def test_samples_arrive_with_their_types(protocol: Any, simulator_class: Any, sink: Any, environment: Any) -> None:
    async with simulator_class() as simulator:
        connector = protocol.connector(simulator.url, simulator.configuration, simulator.bindings, environment(simulator))
        async with running(connector, sink):
            for binding in simulator.bindings:
                await sink.until(lambda binding=binding: good(sink, binding.series), f"a good value of {binding.address}")
            for binding in simulator.bindings:
                value = NEW_VALUES[binding.storage][0]
                await simulator.set(binding.address, value)
                series = binding.series
                await sink.until(
                    lambda series=series, value=value: same(sink.last(series), value), f"{binding.address} = {value!r}"
                )
            storages = {binding.series: binding.storage for binding in simulator.bindings}
            for columns in sink.columns:
                assert columns.value.type == value_type(columns.storage)
                assert {storages[int(series)] for series in columns.series} == {columns.storage}
            assert sink.statuses[-1].state == ConnectorState.CONNECTED


def same(row: Any, value: Any) -> bool:
    if row is None or not is_good(row[2]):
        return False
    if isinstance(value, list):
        return row[1] is not None and msgspec.json.decode(row[1]) == value
    return bool(row[1] == value)


async def test_one_bad_binding_harms_no_other(protocol: Any, simulator_class: Any, sink: Any, environment: Any) -> None:
    async with simulator_class() as simulator:
        bindings = (simulator.bad_binding, *simulator.bindings)
        connector = protocol.connector(simulator.url, simulator.configuration, bindings, environment(simulator))
        async with running(connector, sink):
            for binding in simulator.bindings:
                await sink.until(lambda binding=binding: good(sink, binding.series), f"a good value of {binding.address}")
            await sink.until(lambda: sink.statuses and sink.statuses[-1].bad_points == 1, "one bad point in the status")
            assert not good(sink, simulator.bad_binding.series)
            assert any(simulator.bad_binding.address in event.message + str(event.details) for event in sink.events)


async def test_a_killed_peer_is_uncertain_then_bad_then_good_again(
    protocol: Any, simulator_class: Any, sink: Any, environment: Any
) -> None:
    async with simulator_class() as simulator:
        connector = protocol.connector(simulator.url, simulator.configuration, simulator.bindings, environment(simulator))
        async with running(connector, sink):
            for binding in simulator.bindings:
                await sink.until(lambda binding=binding: good(sink, binding.series), f"a good value of {binding.address}")
            before = len(sink.columns)
            await simulator.stop()
            for binding in simulator.bindings:
                series = binding.series
                await sink.until(lambda series=series: is_bad(sink.last(series)[2]), f"{binding.address} bad")
                later = [row for columns in sink.columns[before:] for row in rows_of(columns, series)]
                first_bad = next(place for place, row in enumerate(later) if is_bad(row[2]))
                assert any(is_uncertain(row[2]) for row in later[:first_bad]), f"{binding.address} was bad before uncertain"
            status = sink.statuses[-1]
            assert status.state == ConnectorState.WAITING
            assert status.error_code.startswith("HL-")
            assert status.hint
            assert any(event.active is True for event in sink.events)
            await simulator.start()
            for binding in simulator.bindings:
                await sink.until(lambda binding=binding: good(sink, binding.series), f"{binding.address} good again")
            assert any(event.active is False for event in sink.events)
            first = simulator.bindings[0]
            count = len(sink.of(first.series))
            for value in NEW_VALUES[first.storage]:
                await simulator.set(first.address, value)
                await sink.until(lambda value=value: same(sink.last(first.series), value), f"{first.address} = {value!r}")
            assert [row[1] for row in sink.of(first.series)[count:]] == list(NEW_VALUES[first.storage])


def rows_of(columns: Any, series: int) -> list[tuple[int, Any, int]]:
    return [
        (int(columns.time[place]), columns.value[int(place)].as_py(), int(columns.status[place]))
        for place in (columns.series == series).nonzero()[0]
    ]


async def test_cancelling_is_clean_and_quick(protocol: Any, simulator_class: Any, sink: Any, environment: Any) -> None:
    async with simulator_class() as simulator:
        for _ in range(3):
            connector = protocol.connector(simulator.url, simulator.configuration, simulator.bindings, environment(simulator))
            with anyio.fail_after(15):
                async with running(connector, sink):
                    start = len(sink.columns)
                    await sink.until(lambda start=start: len(sink.columns) > start, "samples")
        tasks = [repr(task.coro) for task in anyio.get_running_tasks()]
        assert not [task for task in tasks if "hulian" in task and "test_cancelling" not in task]


async def test_browsing_shows_the_bindings(protocol: Any, simulator_class: Any, environment: Any) -> None:
    if not getattr(simulator_class, "browses", True):
        pytest.skip("the protocol has no directory")
    async with simulator_class() as simulator:
        found = [
            node async for node in protocol.browse(simulator.url, simulator.configuration, environment(simulator), depth=4)
        ]
        leaves = {node.name: node for node in found if node.leaf}
        for binding in simulator.bindings:
            name = binding.address.rpartition("=")[2].rpartition("/")[2]
            assert leaves[name].storage == binding.storage, name
            assert leaves[name].kind == binding.kind, name
            assert leaves[name].path


async def test_browsing_an_unreachable_peer_says_so(protocol: Any, simulator_class: Any, environment: Any) -> None:
    if not getattr(simulator_class, "browses", True):
        pytest.skip("the protocol has no directory")
    async with simulator_class() as simulator:
        await simulator.stop()
        with pytest.raises(HulianError) as caught:
            async for _ in protocol.browse(simulator.url, simulator.configuration, environment(simulator)):
                pass
        explained(caught.value)


def explained(error: HulianError) -> None:
    assert error.code.startswith("HL-")
    assert error.code != "HL-KERNEL-0000"
    assert error.hint
    assert "Traceback" not in str(error)


async def test_an_unreachable_peer_is_waited_for(protocol: Any, simulator_class: Any, sink: Any, environment: Any) -> None:
    async with simulator_class() as simulator:
        await simulator.stop()
        connector = protocol.connector(simulator.url, simulator.configuration, simulator.bindings, environment(simulator))
        async with running(connector, sink):
            await sink.until(
                lambda: sink.statuses and sink.statuses[-1].state == ConnectorState.WAITING, "waiting for the peer"
            )
            status = sink.statuses[-1]
            assert status.error_code.startswith("HL-")
            assert status.hint
            assert status.retry_at
            await simulator.start()
            for binding in simulator.bindings:
                await sink.until(lambda binding=binding: good(sink, binding.series), f"a good value of {binding.address}")


async def test_a_wrong_password_is_refused(
    protocol: Any, simulator_class: Any, sink: Any, environment: Callable[..., Any]
) -> None:
    if not simulator_class.logins:
        pytest.skip("the protocol has no login")
    async with simulator_class(user="engineer", password="right") as simulator:
        wrong = environment(simulator, credentials=Credentials(user="engineer", password="wrong"))
        connector = protocol.connector(simulator.url, simulator.configuration, simulator.bindings, wrong)
        async with running(connector, sink):
            await sink.until(lambda: sink.statuses and sink.statuses[-1].state == ConnectorState.REFUSED, "refused")
        status = sink.statuses[-1]
        assert status.error_code.startswith("HL-")
        assert status.hint
        assert "wrong" not in status.error + status.hint + str(sink.events)
        right = protocol.connector(simulator.url, simulator.configuration, simulator.bindings, environment(simulator))
        async with running(right, sink):
            await sink.until(lambda: good(sink, simulator.bindings[0].series), "a good value with the right password")


async def test_bad_settings_are_refused_without_a_network(protocol: Any, simulator_class: Any, environment: Any) -> None:
    simulator = simulator_class()
    with pytest.raises(HulianError) as caught:
        protocol.connector("nonsense://", simulator.configuration, simulator.bindings, environment(simulator))
    explained(caught.value)
