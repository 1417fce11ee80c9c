"""A pymodbus server as a process: the tables come as JSON in the one argument."""

from __future__ import annotations

import asyncio
import json
import sys

from pymodbus.server import StartAsyncTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice


def device(unit: int, tables: dict) -> SimDevice:
    def bits(name: str) -> list[SimData]:
        return [SimData(int(at), values=values, datatype=DataType.BITS) for at, values in tables[name].items()]

    def registers(name: str) -> list[SimData]:
        return [SimData(int(at), values=values, datatype=DataType.REGISTERS) for at, values in tables[name].items()]

    return SimDevice(unit, simdata=(bits("c"), bits("d"), registers("h"), registers("i")))


async def main() -> None:
    argument = json.loads(sys.argv[1])
    tables = {"c": {"0": [False] * 16}, "d": {"0": [False] * 16}, "h": {"0": [0]}, "i": {"0": [0]}} | argument["tables"]
    await StartAsyncTcpServer(
        context=[device(unit, tables) for unit in argument["units"]], address=("127.0.0.1", argument["port"])
    )


asyncio.run(main())
