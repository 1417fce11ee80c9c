"""The cases that operators add: what is said to an instrument, byte by byte, and what its answers mean."""

import asyncio
import tomllib
from pathlib import Path

import numpy as np
import pytest

from hulian.kernel.errors import HulianError
from hulian.network.exchange.protocols.contract import Credentials, Environment
from hulian.network.exchange.protocols.instrument import protocol
from hulian.network.exchange.protocols.instrument.config import InstrumentConfiguration
from hulian.network.exchange.protocols.instrument.line import open_line
from hulian.network.exchange.protocols.instrument.target import parse_url

pytestmark = pytest.mark.anyio
CASES = Path(__file__).parents[4] / "cases" / "instrument"
FOLDERS = sorted(path.parent for path in CASES.glob("*/case.toml"))


class Scripted:
    """An instrument on TCP that answers what it is told to, in pieces."""

    def __init__(self):
        self.answer, self.heard = b"", bytearray()

    async def __aenter__(self):
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", 0)
        self.url = f"instrument://127.0.0.1:{self.server.sockets[0].getsockname()[1]}"
        return self

    async def serve(self, reader, writer):
        while data := await reader.read(1000):
            self.heard += data
            for place in range(0, len(self.answer), 5):
                writer.write(self.answer[place : place + 5])
                await writer.drain()
        writer.close()

    async def __aexit__(self, *_):
        self.server.close()


def plain(value):
    if isinstance(value, np.ndarray):
        return value.tolist()
    return f"hex:{value.hex()}" if isinstance(value, bytes) else value


def test_there_are_cases():
    assert len(FOLDERS) >= 5


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.name)
async def test_a_case(folder):
    case = tomllib.loads((folder / "case.toml").read_text())
    settings = InstrumentConfiguration(description=(folder / "description.iml").read_text(), timeout=20)
    place = Environment(organisation="o", connector="c", credentials=Credentials(), trust=None)
    async with Scripted() as instrument:
        connector = protocol.connector(instrument.url, settings, (), place)
        for exchange in case["exchange"]:
            line = await open_line(parse_url(instrument.url), timeout=20, most=settings.largest_answer)
            instrument.heard.clear()
            instrument.answer = bytes.fromhex(exchange.get("answered", ""))
            message = connector.instrument.messages[exchange["message"]]
            try:
                if "error" in exchange:
                    with pytest.raises(HulianError) as told:
                        await connector._ask(line, message, exchange.get("arguments", {}))
                    assert told.value.code == exchange["error"]
                    assert told.value.hint
                else:
                    answer = await connector._ask(line, message, exchange.get("arguments", {}))
                    found = {name: {key: plain(one) for key, one in values.items()} for name, values in answer.values.items()}
                    assert found == exchange["values"]
                    async with asyncio.timeout(20):
                        while len(instrument.heard) < len(exchange["sent"]) // 2:
                            await asyncio.sleep(0.01)
                assert bytes(instrument.heard).hex() == exchange.get("sent", "")
            finally:
                line.close()
