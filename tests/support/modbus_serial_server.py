"""A foreign Modbus server as a process: pymodbus or libmodbus (by ctypes) on a serial line, pymodbus's RTU on TCP."""

from __future__ import annotations

import asyncio
import ctypes
import json
import sys

SIZE = 200


class Mapping(ctypes.Structure):
    """modbus_mapping_t of libmodbus 3.1."""

    _fields_ = [
        *[(name, ctypes.c_int) for name in ("nb_bits", "start_bits", "nb_input_bits", "start_input_bits")],
        *[(name, ctypes.c_int) for name in ("nb_input_registers", "start_input_registers", "nb_registers", "start_registers")],
        *[(name, ctypes.POINTER(ctypes.c_uint8)) for name in ("tab_bits", "tab_input_bits")],
        *[(name, ctypes.POINTER(ctypes.c_uint16)) for name in ("tab_input_registers", "tab_registers")],
    ]


def libmodbus(argument: dict) -> None:
    library = ctypes.CDLL("libmodbus.so.5")
    library.modbus_new_rtu.restype = ctypes.c_void_p
    library.modbus_mapping_new.restype = ctypes.POINTER(Mapping)
    context = ctypes.c_void_p(
        library.modbus_new_rtu(argument["path"].encode(), argument.get("baud", 19200), ctypes.c_char(b"N"), 8, 1)
    )
    (unit,) = argument["units"]
    library.modbus_set_slave(context, unit)
    mapping = library.modbus_mapping_new(SIZE, SIZE, SIZE, SIZE)
    for number in range(SIZE):
        mapping.contents.tab_registers[number] = 1000 + number
        mapping.contents.tab_input_registers[number] = 2000 + number
        mapping.contents.tab_bits[number] = mapping.contents.tab_input_bits[number] = number % 3 == 0
    if library.modbus_connect(context):
        raise SystemExit("libmodbus cannot open the line")
    print("ready", flush=True)
    query = (ctypes.c_uint8 * 260)()
    while True:
        size = library.modbus_receive(context, query)
        if size > 0:
            library.modbus_reply(context, query, size, mapping)


async def pymodbus(argument: dict) -> None:
    from pymodbus import FramerType
    from pymodbus.server import ModbusSerialServer, ModbusTcpServer
    from pymodbus.simulator import DataType, SimData, SimDevice

    bits = [number % 3 == 0 for number in range(208)]
    devices = [
        SimDevice(
            unit,
            simdata=(
                [SimData(0, values=bits, datatype=DataType.BITS)],
                [SimData(0, values=bits, datatype=DataType.BITS)],
                [SimData(0, values=[1000 + number for number in range(SIZE)], datatype=DataType.REGISTERS)],
                [SimData(0, values=[2000 + number for number in range(SIZE)], datatype=DataType.REGISTERS)],
            ),
        )
        for unit in argument["units"]
    ]
    if argument["kind"] == "pymodbus-rtu-tcp":
        server = ModbusTcpServer(devices, framer=FramerType.RTU, address=("127.0.0.1", int(argument["path"])))
    else:
        framer = FramerType.ASCII if argument["kind"] == "pymodbus-ascii" else FramerType.RTU
        server = ModbusSerialServer(
            devices,
            framer=framer,
            port=argument["path"],
            baudrate=argument.get("baud", 19200),
            parity="N",
            bytesize=8,
            stopbits=1,
            broadcast_enable=True,
        )
    await server.serve_forever(background=True)
    print("ready", flush=True)
    await asyncio.sleep(3600)


if __name__ == "__main__":
    given = json.loads(sys.argv[1])
    if given["kind"] == "libmodbus":
        libmodbus(given)
    else:
        asyncio.run(pymodbus(given))
