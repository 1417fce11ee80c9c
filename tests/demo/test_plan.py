"""The plan against the platform's own protocols: what a person would do is possible, and finds everything."""

from __future__ import annotations

import subprocess
import sys
from contextlib import asynccontextmanager

import anyio
import msgspec
import pytest
from anyio.from_thread import start_blocking_portal
from free_ports import free_port

from hulian.demo import DemoConfiguration, DemoPlant, plan
from hulian.demo.configuration import ModbusServer, MqttDevice, OpcuaServer, ServicePort
from hulian.demo.describing import instrumentml
from hulian.kernel.identifier import PointName
from hulian.kernel.quality import is_good
from hulian.network.exchange.protocols.contract import Binding, Credentials, Environment
from hulian.network.exchange.protocols.instrument import protocol as instrument
from hulian.network.exchange.protocols.modbus import protocol as modbus
from hulian.network.exchange.protocols.mqtt import protocol as mqtt
from hulian.network.exchange.protocols.mqtt.address import metric_address, parse_address
from hulian.network.exchange.protocols.opcua import protocol as opcua

pytestmark = pytest.mark.anyio
PROTOCOLS = {"opcua": opcua, "modbus": modbus, "mqtt": mqtt, "instrument": instrument}


def everything():
    return DemoConfiguration(
        opcua=OpcuaServer(port=free_port()),
        modbus=ModbusServer(port=free_port()),
        service=ServicePort(port=free_port()),
        mqtt=MqttDevice(user="analysers", password="env:ANALYSERS"),
    )


@pytest.fixture
def configuration():
    return everything()


@pytest.fixture(scope="module")
def served():
    """A running plant without its analysers, and its configuration."""
    silent = msgspec.structs.replace(everything(), mqtt=MqttDevice())

    @asynccontextmanager
    async def running():
        plant = DemoPlant(silent)
        async with anyio.create_task_group() as group:
            await group.start(plant.run)
            yield plant
            group.cancel_scope.cancel()

    with start_blocking_portal() as portal, portal.wrap_async_context_manager(running()) as plant:
        yield silent, plant.plant


class Nobody:
    def check(self, certificate, *, peer):
        return False

    def own(self, application_uri):
        raise AssertionError("an unencrypted loopback connection needs no certificate")


def environment(name):
    return Environment(organisation="test", connector=name, credentials=Credentials(), trust=Nobody())


def settings_of(connection, configuration):
    """As the connector has them: those of the plan, and the description that it is driven by."""
    described = {"description": instrumentml(configuration)} if connection.protocol == "instrument" else {}
    return msgspec.convert({**connection.settings, **described}, PROTOCOLS[connection.protocol].configuration)


async def browse(connection, configuration):
    protocol = PROTOCOLS[connection.protocol]
    settings = settings_of(connection, configuration)
    found = protocol.browse(connection.url, settings, environment(connection.name), depth=0)
    return {node.address: node async for node in found if node.leaf}


def test_four_connections_name_five_things_and_more(configuration):
    connections = plan(configuration)
    assert [(one.name, one.protocol) for one in connections] == [
        ("reactor-separator", "opcua"),
        ("stripper", "modbus"),
        ("analysers", "mqtt"),
        ("gas-chromatograph", "instrument"),
    ]
    things = [thing for one in connections for thing in one.things]
    assert {"99.118.8/reactor", "99.118.8/separator", "99.118.8/stripper", "99.118.8/analysers"} <= set(things)
    points = [point for one in connections for point in one.points]
    assert len({point.name for point in points}) == len(points)
    for point in points:
        PointName.parse(point.name)
        # InstrumentML has texts in one language
        assert set(point.texts) == ({"en"} if "chromatograph" in point.thing else {"en", "zh"})
    names = [one.name for one in plan(msgspec.structs.replace(configuration, mqtt=MqttDevice()))]
    assert names == ["reactor-separator", "stripper", "gas-chromatograph"]


def test_settings_and_addresses_are_those_of_the_protocols(configuration):
    for connection in plan(configuration):
        assert connection.protocol in PROTOCOLS
        assert connection.url.split(":")[0] in PROTOCOLS[connection.protocol].schemes
        settings_of(connection, configuration)
        if connection.protocol == "mqtt":
            for point in connection.points:
                place = parse_address(point.address)
                assert metric_address(place.node, place.device, place.metric) == point.address


async def test_browsing_the_running_plant_finds_every_planned_node_with_its_unit(served):
    silent, _ = served
    for connection in plan(silent):
        found = await browse(connection, silent)
        for point in connection.points:
            node = found[point.address]
            assert (point.address, node.storage) == (point.address, point.storage)
            assert node.unit in (point.unit, "Sm³/h") or point.unit in ("h", "s")
            if point.tag and not point.tag.startswith("IDV"):
                assert (point.address, node.low, node.high) == (point.address, point.low, point.high)


class Collector:
    """A sink that keeps the last good value of every series."""

    position = None

    def __init__(self):
        self.good = {}

    def samples(self, columns):
        for series, value, status in zip(
            columns.series.tolist(), columns.value.to_pylist(), columns.status.tolist(), strict=True
        ):
            if is_good(status):
                self.good[series] = value

    def event(self, event):
        pass

    def status(self, status):
        pass

    async def commit(self, position=None):
        pass


async def test_the_platforms_connectors_read_every_point_and_switch_a_disturbance(served):
    silent, plant = served
    sink, connectors, bindings = Collector(), {}, {}
    for number, connection in enumerate(plan(silent)):
        protocol = PROTOCOLS[connection.protocol]
        bindings[connection.name] = [
            Binding(
                series=number * 1000 + place,
                address=point.address,
                storage=point.storage,
                kind=point.kind,
                writable=point.writable,
                options=point.options,
            )
            for place, point in enumerate(connection.points, 1)
        ]
        settings = settings_of(connection, silent)
        connectors[connection.name] = protocol.connector(
            connection.url, settings, bindings[connection.name], environment(connection.name)
        )
    wanted = {binding.series for some in bindings.values() for binding in some}
    async with anyio.create_task_group() as group:
        for connector in connectors.values():
            group.start_soon(connector.run, sink)
        with anyio.fail_after(30):
            while wanted - sink.good.keys():
                await anyio.sleep(0.05)
        where = next(one for one in bindings["reactor-separator"] if one.address.endswith("IDV04"))
        await connectors["reactor-separator"].write(where, True)
        assert plant.simulation.disturbances[4] is True
        level = next(one for one in bindings["stripper"] if one.address == "holding@0:int16")
        await connectors["stripper"].write(level, 60.0)
        assert plant.simulation.control.targets["stripper_level"] == pytest.approx(60.0)
        with anyio.fail_after(10):
            while sink.good[where.series] is not True or sink.good[level.series] != pytest.approx(60.0):
                await anyio.sleep(0.05)
        group.cancel_scope.cancel()


def test_selected_points_carry_the_plans_description_in_its_order(configuration):
    connection = plan(configuration)[1]
    proposed = [
        {"name": "x", "series": "1", "address": node["address"], "options": {"interval": 2}} for node in connection.nodes()
    ]
    chosen = connection.select([*reversed(proposed), {"name": "other", "series": "2", "address": "input@99:int16"}])
    assert [point["name"] for point in chosen] == [point.name for point in connection.points]
    level = next(point for point in chosen if point["name"] == "99.118.8/stripper#level")
    assert level["options"] == {"interval": 2, "scale": 0.01}
    assert level["texts"]["zh"] == "汽提塔液位"
    assert level["series"] == "1"


def test_planning_loads_no_protocol_library():
    script = (
        "import sys, hulian.demo; print([m for m in ('asyncua', 'pymodbus', 'paho', 'pyarrow', 'numpy') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip() == "[]"
