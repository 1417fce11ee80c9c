"""The plant's servers, started for real and read by independent clients."""

from __future__ import annotations

import socket
import time
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import anyio
import msgspec
import pytest
from anyio.from_thread import start_blocking_portal
from anyio.streams.buffered import BufferedByteReceiveStream
from asyncua import Client, ua
from asyncua.crypto.security_policies import SecurityPolicyBasic256Sha256
from free_ports import free_port
from pymodbus.client import AsyncModbusTcpClient

from hulian.demo import DemoConfiguration, DemoPlant
from hulian.demo.certificate import server_certificate
from hulian.demo.configuration import ModbusServer, MqttDevice, OpcuaServer, ServicePort
from hulian.demo.errors import DemoConfigurationError, PortInUseError
from hulian.demo.opcua import NAMESPACE
from hulian.demo.ports import check_port
from hulian.demo.registers import REGISTERS, Area, RegisterType
from hulian.demo.signals import REACTOR, SEPARATOR, STRIPPER

pytestmark = pytest.mark.anyio


@pytest.fixture
def configuration():
    return quick()


def quick():
    return DemoConfiguration(
        period=0.2,
        opcua=OpcuaServer(port=free_port()),
        modbus=ModbusServer(port=free_port()),
        service=ServicePort(port=free_port()),
        restart_after=1.0,
    )


@asynccontextmanager
async def running(configuration):
    plant = DemoPlant(configuration)
    async with anyio.create_task_group() as group:
        await group.start(plant.run)
        yield plant
        group.cancel_scope.cancel()


@pytest.fixture(scope="module")
def shared():
    """One plant for the tests that need nothing special of it; each finds it at the base case."""
    settings = quick()
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(running(settings)) as plant:
        yield settings, plant.plant, portal


@pytest.fixture
def served(shared):
    """The shared plant's configuration and the plant itself, at the base case and sixty times real time."""
    settings, plant, portal = shared
    portal.call(plant.restart)
    plant.speed = 60.0
    deadline = time.monotonic() + 10
    while plant.simulation.seconds < 24:  # the second tick begins after all servers show what the first one made
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return settings, plant


@asynccontextmanager
async def opcua(configuration):
    async with Client(f"opc.tcp://127.0.0.1:{configuration.opcua.port}/") as client:
        yield client


@asynccontextmanager
async def modbus(configuration):
    client = AsyncModbusTcpClient("127.0.0.1", port=configuration.modbus.port)
    assert await client.connect()
    try:
        yield client
    finally:
        client.close()


async def wait_until(condition, seconds=20.0):
    with anyio.fail_after(seconds):
        while not await condition():
            await anyio.sleep(0.05)


async def test_opcua_client_finds_units_ranges_and_both_languages(served):
    configuration, plant = served
    async with opcua(configuration) as client:
        assert await client.get_namespace_index(NAMESPACE) == 2
        root = await client.nodes.objects.get_child("2:TennesseeEastman")
        for group, signals in (("Reactor", REACTOR), ("Separator", SEPARATOR)):
            folder = await root.get_child(f"2:{group}")
            names = {(await child.read_browse_name()).Name for child in await folder.get_children()}
            assert names == {signal.browse_name for signal in signals}
            for signal in signals:
                node = await folder.get_child(f"2:{signal.browse_name}")
                assert await node.read_type_definition() == ua.NodeId(ua.ObjectIds.AnalogItemType)
                unit = await (await node.get_child("0:EngineeringUnits")).read_value()
                assert (unit.UnitId, unit.DisplayName.Text) == (signal.unit.opcua, signal.unit.shown)
                span = await (await node.get_child("0:EURange")).read_value()
                assert (span.Low, span.High) == (signal.low, signal.high)
                description = (await node.read_description()).Text
                assert signal.english in description
                assert signal.chinese in description
                shown = await node.read_data_value()
                assert shown.Value.VariantType == ua.VariantType.Double
                assert signal.low <= shown.Value.Value <= signal.high
                assert datetime.now(UTC) - shown.SourceTimestamp < timedelta(seconds=10)
        assert plant.simulation.trip == ""


async def test_opcua_subscription_gets_every_period(served):
    configuration, _ = served
    seen = []

    class Handler:
        def datachange_notification(self, node, value, data):
            seen.append((value, data.monitored_item.Value.SourceTimestamp))

    async with opcua(configuration) as client:
        subscription = await client.create_subscription(50, Handler())
        await subscription.subscribe_data_change(client.get_node("ns=2;s=Reactor.Pressure"))

        async def ten():
            return len(seen) >= 10

        await wait_until(ten)
    times = [time for _, time in seen]
    assert times == sorted(set(times))
    assert all(2600 < value < 2800 for value, _ in seen)


async def test_switching_disturbance_4_by_opcua_opens_the_cooling_water(served):
    configuration, plant = served
    plant.speed = 600.0
    async with opcua(configuration) as client:
        valve = client.get_node("ns=2;s=Reactor.CoolantValve")
        before = await valve.read_value()
        idv = client.get_node("ns=2;s=Disturbances.IDV04")
        assert "Reactor cooling water inlet temperature" in (await idv.read_description()).Text
        assert await idv.read_value() is False
        await idv.write_value(True)

        async def opened():
            return await valve.read_value() > before + 2.5

        await wait_until(opened)
        assert await idv.read_value() is True


async def test_switching_disturbance_1_by_opcua_moves_the_a_feed_up(served):
    configuration, plant = served
    plant.speed = 600.0
    async with opcua(configuration) as client:
        feed = client.get_node("ns=2;s=Reactor.FeedAFlow")
        await client.get_node("ns=2;s=Disturbances.IDV01").write_value(True)

        async def tripled():
            return await feed.read_value() > 500.0

        await wait_until(tripled, 40.0)
        assert plant.simulation.measured[0] > 0.45


async def test_values_out_of_range_and_of_another_type_are_refused(served):
    configuration, plant = served
    async with opcua(configuration) as client:
        setpoint = client.get_node("ns=2;s=Reactor.TemperatureSetpoint")
        with pytest.raises(ua.uaerrors.BadOutOfRange):
            await setpoint.write_value(500.0)
        with pytest.raises(ua.uaerrors.BadOutOfRange):
            await setpoint.write_value(float("nan"))
        with pytest.raises(ua.uaerrors.BadTypeMismatch):
            await setpoint.write_value("hot")
        with pytest.raises(ua.uaerrors.BadUserAccessDenied):
            await client.get_node("ns=2;s=Reactor.Pressure").write_value(1.0)
        await setpoint.write_value(121.0)
        assert plant.simulation.control.targets["reactor_temperature"] == 121.0


async def test_speed_restart_and_trip_are_seen_by_opcua(served):
    configuration, plant = served
    plant.speed = 600.0
    async with opcua(configuration) as client:
        await client.get_node("ns=2;s=Disturbances.IDV06").write_value(True)
        simulation = plant.simulation
        simulation.process.state[8] *= 1.6
        state = client.get_node("ns=2;s=Plant.State")

        async def tripped():
            return await state.read_value() == "tripped"

        await wait_until(tripped, 60.0)
        reason = await client.get_node("ns=2;s=Plant.TripReason").read_value()
        assert reason == "reactor pressure above 3000 kPa"

        async def running_again():
            return await state.read_value() == "running"

        await wait_until(running_again)
        assert await client.get_node("ns=2;s=Disturbances.IDV06").read_value() is False
        assert await client.get_node("ns=2;s=Plant.Trips").read_value() == 1
        await client.get_node("ns=2;s=Plant.Speed").write_value(10.0)
        assert plant.speed == 10.0
        await client.get_node("ns=2;s=Plant.Restart").write_value(True)
        assert simulation.seconds < 60


async def test_modbus_client_reads_every_register_of_the_table(served):
    configuration, plant = served
    async with modbus(configuration) as client:
        for register in REGISTERS:
            read = {
                Area.COIL: client.read_coils,
                Area.DISCRETE: client.read_discrete_inputs,
                Area.INPUT: client.read_input_registers,
                Area.HOLDING: client.read_holding_registers,
            }[register.area]
            answer = await read(register.address, count=register.width, device_id=1)
            assert not answer.isError(), register
            if register.type is RegisterType.BOOLEAN:
                assert answer.bits[0] is False
            elif register.signal is not None:
                kind = {"float32": client.DATATYPE.FLOAT32, "int16": client.DATATYPE.INT16}[register.type]
                value = client.convert_from_registers(answer.registers, kind) * register.scale
                now = register.signal.value(plant.simulation)
                assert value == pytest.approx(now, rel=0.05, abs=3.0)
        assert {register.signal for register in REGISTERS if register.signal} == set(STRIPPER)
        beyond = await client.read_input_registers(17, count=1)
        assert beyond.exception_code == 2


async def test_modbus_client_takes_the_level_control_into_its_hand(served):
    configuration, plant = served
    plant.speed = 300.0
    async with modbus(configuration) as client:
        assert not (await client.write_coil(0, True)).isError()
        assert not (await client.write_register(4, 3000)).isError()

        async def level_high():
            return (await client.read_discrete_inputs(1, count=1)).bits[0]

        await wait_until(level_high)
        assert plant.simulation.control.valves[7] == 30.0
        assert not (await client.write_coil(0, False)).isError()

        async def level_back():
            return not (await client.read_discrete_inputs(1, count=1)).bits[0]

        await wait_until(level_back)


async def test_modbus_refuses_half_a_number_and_a_value_out_of_range(served):
    configuration, plant = served
    async with modbus(configuration) as client:
        targets = plant.simulation.control.targets
        assert (await client.write_register(0, 9500)).exception_code == 3
        assert (await client.write_register(2, 0)).exception_code == 2
        assert (await client.write_register(1, 0)).exception_code == 2
        assert (await client.write_registers(2, [0x7FC0, 0])).exception_code == 3
        assert targets["stripper_level"] == 50.0
        registers = client.convert_to_registers(24.0, client.DATATYPE.FLOAT32)
        assert not (await client.write_registers(2, registers)).isError()
        assert targets["product_flow"] == 24.0
        assert (await client.read_holding_registers(2, count=2)).registers == registers
        assert (await client.read_holding_registers(0, count=1, device_id=9)).isError()


async def test_opcua_with_user_and_encryption_refuses_the_rest(configuration, tmp_path, monkeypatch):
    monkeypatch.setenv("PLANT_PASSWORD", "correct horse")
    locked = msgspec.structs.replace(
        configuration,
        state=str(tmp_path / "state"),
        opcua=msgspec.structs.replace(configuration.opcua, user="operator", password="env:PLANT_PASSWORD", encryption=True),
    )
    certificate, key = server_certificate("", "urn:test:client", "127.0.0.1")
    (tmp_path / "client.der").write_bytes(certificate)
    (tmp_path / "client.pem").write_bytes(key)

    async def secure_client(password):
        client = Client(f"opc.tcp://127.0.0.1:{locked.opcua.port}/")
        client.application_uri = "urn:test:client"
        client.set_user("operator")
        client.set_password(password)
        await client.set_security(
            SecurityPolicyBasic256Sha256,
            certificate=str(tmp_path / "client.der"),
            private_key=str(tmp_path / "client.pem"),
            mode=ua.MessageSecurityMode.SignAndEncrypt,
        )
        return client

    async with running(locked):
        async with await secure_client("correct horse") as client:
            assert await client.get_node("ns=2;s=Plant.State").read_value() == "running"
        with pytest.raises(ua.UaError):
            async with await secure_client("wrong"):
                pass
        with pytest.raises(ua.UaError):
            async with opcua(locked):
                pass
    kept = (tmp_path / "state" / "opcua-server.der").read_bytes()
    assert (tmp_path / "state" / "opcua-server.pem").stat().st_mode & 0o077 == 0
    assert server_certificate(locked.state, "urn:any", "127.0.0.1")[0] == kept


@pytest.mark.parametrize("server", ["opcua", "modbus", "service"])
async def test_port_in_use_is_one_clear_error(configuration, server):
    with socket.socket() as other:
        port = getattr(configuration, server).port
        other.bind(("127.0.0.1", port))
        other.listen()
        with pytest.raises(PortInUseError) as raised:
            await DemoPlant(configuration).run()
    assert raised.value.code == "HL-DEMO-0002"
    assert str(port) in str(raised.value)
    assert raised.value.hint


async def test_stopping_frees_every_port(configuration):
    async with running(configuration):
        for port in (configuration.opcua.port, configuration.modbus.port, configuration.service.port):
            with pytest.raises(PortInUseError):
                check_port(configuration.host, port, "it")
    for port in (configuration.opcua.port, configuration.modbus.port, configuration.service.port):
        check_port(configuration.host, port, "it")


def test_open_server_on_a_public_address_is_refused():
    with pytest.raises(DemoConfigurationError, match="open to everybody"):
        DemoConfiguration(host="0.0.0.0")


def test_user_without_password_is_refused(configuration):
    with pytest.raises(DemoConfigurationError, match="belong together"):
        msgspec.convert({"opcua": {"user": "somebody"}}, DemoConfiguration)
    with pytest.raises(DemoConfigurationError, match="no password"):
        DemoPlant(msgspec.structs.replace(configuration, mqtt=MqttDevice(user="somebody")))


async def test_the_service_port_answers_lines_and_turns_away_what_no_client_says(configuration):
    async with running(configuration) as plant:
        port = configuration.service.port
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            lines = BufferedByteReceiveStream(stream)
            before = [float(f"{one:.6f}") for one in plant.plant.simulation.measured[36:41]]
            await stream.send(b"*IDN?\r\nSTAT?\nMEAS:PROD?\n")
            assert await lines.receive_until(b"\n", 200) == b"HULIAN,TE-GC,1993-41,1.0"
            assert await lines.receive_until(b"\n", 200) == b"STAT ON"
            shown = await lines.receive_until(b"\n", 200)
            assert shown.startswith(b"PROD ")
            after = [float(f"{one:.6f}") for one in plant.plant.simulation.measured[36:41]]
            assert [float(one) for one in shown[5:].split(b",")] in (before, after)
            await stream.send(b"x" * 2000 + b"\n")
            with anyio.fail_after(10), pytest.raises((anyio.EndOfStream, anyio.BrokenResourceError, anyio.IncompleteRead)):
                await lines.receive_until(b"\n", 200)
        async with await anyio.connect_tcp("127.0.0.1", port) as stream:
            await stream.send(b"TEA?\n")
            assert b"-113" in await stream.receive(200)
