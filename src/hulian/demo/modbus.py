"""The stripper, served by Modbus TCP after the table in `hulian.demo.registers`."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import anyio
from pymodbus.constants import ExcCodes
from pymodbus.pdu.device import ModbusDeviceIdentification
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

from hulian.demo.configuration import DemoConfiguration
from hulian.demo.errors import DemoError
from hulian.demo.live import LivePlant
from hulian.demo.ports import check_port
from hulian.demo.registers import REGISTERS, Area, Register

__all__ = ["ModbusPlant", "serve_modbus"]

_WRITE_CODES: Final = {Area.COIL: 15, Area.DISCRETE: 2, Area.INPUT: 4, Area.HOLDING: 16}
_COIL_WRITES: Final = frozenset({5, 15})
_LEVEL_LOOP: Final = "stripper_level"
_PRODUCT_VALVE: Final = 7
_HIGH, _LOW = 80.0, 20.0


class ModbusPlant:
    """The registers over one `LivePlant`; `publish` fills them, `written` carries out what a client asks."""

    def __init__(self, plant: LivePlant, device: int) -> None:
        self._plant = plant
        self._device = device
        self._publishing = False
        self._by_place = {(register.area, register.address): register for register in REGISTERS}
        self._size = {
            area: max(register.address + register.width for register in REGISTERS if register.area is area) for area in Area
        }

    def device(self) -> SimDevice:
        """What pymodbus serves: four separate tables."""
        bits = {
            area: [SimData(0, values=[False] * (-(-self._size[area] // 16) * 16), datatype=DataType.BITS)]
            for area in (Area.COIL, Area.DISCRETE)
        }
        words = {
            area: [SimData(0, values=[0] * self._size[area], datatype=DataType.REGISTERS)]
            for area in (Area.HOLDING, Area.INPUT)
        }
        identity = ModbusDeviceIdentification(  # type: ignore[no-untyped-call]
            info_name={"VendorName": "Hulian", "ProductCode": "TEP", "ProductName": "Tennessee Eastman stripper"}
        )
        return SimDevice(
            self._device,
            (bits[Area.COIL], bits[Area.DISCRETE], words[Area.HOLDING], words[Area.INPUT]),
            identity=identity,
            action=self._action,
        )

    async def publish(self, server: ModbusTcpServer) -> None:
        """Show the plant's values of now, each table in one piece, so that no client reads half a number."""
        tables: dict[Area, list[int]] = {area: [0] * self._size[area] for area in Area}
        for register in REGISTERS:
            value = self._value(register)
            words = [int(value)] if register.area in (Area.COIL, Area.DISCRETE) else register.encode(value)
            tables[register.area][register.address : register.address + register.width] = words
        self._publishing = True
        try:
            for area, code in _WRITE_CODES.items():
                values = [bool(bit) for bit in tables[area]] if area in (Area.COIL, Area.DISCRETE) else tables[area]
                await server.async_setValues(self._device, code, 0, values)
        finally:
            self._publishing = False

    def _value(self, register: Register) -> float:
        simulation = self._plant.simulation
        level = simulation.measured[14]
        match register.key:
            case "running.time":
                return simulation.seconds
            case "plant.state" | "tripped":
                return bool(simulation.trip)
            case "level.high":
                return level > _HIGH
            case "level.low":
                return level < _LOW
            case "level.manual":
                return _LEVEL_LOOP in simulation.control.manual
            case "restart":
                return False
            case _ if register.signal is not None:
                return register.signal.value(simulation)
            case unknown:
                raise KeyError(unknown)

    async def _action(
        self,
        function: int,
        start: int,
        address: int,
        count: int,
        current: list[int],
        values: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        """Called by pymodbus before each access; only a client's write is ours to judge."""
        if values is None or self._publishing:
            return None
        area = Area.COIL if function in _COIL_WRITES else Area.HOLDING
        return self.written(area, address, values)

    def written(self, area: Area, address: int, values: list[int] | list[bool]) -> ExcCodes | None:
        """Carry out a client's write as a whole, or answer why not: an address that is no whole value, a value out of range."""
        found: list[tuple[Register, float]] = []
        place, end = address, address + len(values)
        while place < end:
            register = self._by_place.get((area, place))
            if register is None or place + register.width > end:
                return ExcCodes.ILLEGAL_ADDRESS
            part = values[place - address : place - address + register.width]
            value = float(part[0]) if area is Area.COIL else register.decode(part)
            signal = register.signal
            if signal is not None and not (math.isfinite(value) and signal.low <= value <= signal.high):
                return ExcCodes.ILLEGAL_VALUE
            found.append((register, value))
            place += register.width
        for register, value in found:
            self._apply(register, value)
        return None

    def _apply(self, register: Register, value: float) -> None:
        simulation = self._plant.simulation
        match register.key:
            case "level.manual":
                (simulation.control.manual.add if value else simulation.control.manual.discard)(_LEVEL_LOOP)
            case "restart":
                if value:
                    self._plant.restart()
            case "product.valve.manual":
                if _LEVEL_LOOP in simulation.control.manual:
                    simulation.control.valves[_PRODUCT_VALVE] = value
            case _ if register.signal is not None:
                register.signal.set(simulation, value)


class ServedModbus:
    """A listening server and its registers."""

    def __init__(self, server: ModbusTcpServer, registers: ModbusPlant) -> None:
        self._server = server
        self._registers = registers

    async def publish(self) -> None:
        """Show the plant's values of now."""
        await self._registers.publish(self._server)


@asynccontextmanager
async def serve_modbus(configuration: DemoConfiguration, plant: LivePlant) -> AsyncIterator[ServedModbus]:
    """The server, listening for the length of the block. Raises `PortInUseError` and the like before it begins."""
    settings = configuration.modbus
    check_port(configuration.host, settings.port, "the demo plant's Modbus server")
    registers = ModbusPlant(plant, settings.device)
    server = ModbusTcpServer(registers.device(), address=(configuration.host, settings.port))
    served = ServedModbus(server, registers)
    try:
        await server.serve_forever(background=True)
    except RuntimeError as error:
        raise DemoError(f"the demo plant's Modbus server cannot listen: {error}", place=f"port {settings.port}") from error
    try:
        await served.publish()
        yield served
    finally:
        with anyio.CancelScope(shield=True), anyio.move_on_after(5):
            await server.shutdown()  # type: ignore[no-untyped-call]
