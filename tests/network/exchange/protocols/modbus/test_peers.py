"""Foreign implementations: jsmodbus serves us, mbpoll and pymodbus's client ask our device, our browser asks pymodbus."""

from __future__ import annotations

import asyncio
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from modbus_support import running
from pymodbus.client import AsyncModbusTcpClient

from hulian.kernel.storage import StorageClass as S
from hulian.network.exchange.protocols.contract import Binding
from hulian.network.exchange.protocols.modbus import protocol
from hulian.network.exchange.protocols.modbus.config import MapEntry, ModbusConfiguration
from hulian.network.exchange.protocols.modbus.errors import AddressError, MapError, ReachError, SilenceError
from hulian.network.exchange.protocols.modbus.simulator import Simulator

pytestmark = pytest.mark.anyio
JSMODBUS = Path(__file__).parents[4] / "peers" / "jsmodbus"


@pytest.fixture
def jsmodbus():
    if not shutil.which("node") or not (JSMODBUS / "node_modules" / "jsmodbus").is_dir():
        pytest.skip("jsmodbus is not installed: run 'npm ci' in tests/peers/jsmodbus")
    process = subprocess.Popen(["node", "server.js"], cwd=JSMODBUS, stdout=subprocess.PIPE, text=True)
    yield int(process.stdout.readline())
    process.kill()
    process.wait()


async def test_jsmodbus_serves_us(jsmodbus, environment, sink):
    bindings = [
        Binding(series=1, address="holding@7", storage=S.INTEGER, writable=True),
        Binding(series=2, address="holding@100:float32", storage=S.DOUBLE),
        Binding(series=3, address="input@3", storage=S.INTEGER),
        Binding(series=4, address="coil@3", storage=S.BOOLEAN, writable=True),
        Binding(series=5, address="coil@2", storage=S.BOOLEAN),
        Binding(series=6, address="discrete@8", storage=S.BOOLEAN),
    ]
    async with running(f"modbus://127.0.0.1:{jsmodbus}", bindings, environment, sink) as connector:
        await sink.until(lambda: all(sink.last(binding.series) for binding in bindings))
        values = [sink.last(binding.series) for binding in bindings]
        assert values == [(21, 0), (12.25, 0), (65532, 0), (True, 0), (False, 0), (True, 0)]
        await connector.write(bindings[0], 1234)
        await connector.write(bindings[3], value=False)
        await sink.until(lambda: sink.last(1) == (1234, 0) and sink.last(4) == (False, 0))


async def test_mbpoll_reads_and_writes_our_device():
    if not (program := shutil.which("mbpoll")):
        pytest.skip("mbpoll is not installed")
    async with Simulator(unit=3) as device:
        device.put("holding@10:float32:cdab", 3.5)
        device.put("holding@20:uint16", 0)

        def run(*arguments: str) -> str:
            common = [program, "-m", "tcp", "-a", "3", "-p", str(device.port), "-1", "-0"]
            return subprocess.run([*common, *arguments], capture_output=True, text=True, timeout=20, check=True).stdout

        assert "3.5" in await asyncio.to_thread(run, "-r", "10", "-t", "4:float", "127.0.0.1")
        await asyncio.to_thread(run, "-r", "20", "-t", "4", "127.0.0.1", "4711")
        assert device.memory(3).get("holding", 20) == [4711]


async def test_pymodbus_asks_our_device():
    async with Simulator() as device:
        device.fill("input", 0, list(range(100)))
        device.fill("coil", 0, [1, 0, 1])
        client = AsyncModbusTcpClient("127.0.0.1", port=device.port)
        await client.connect()
        assert (await client.read_input_registers(0, count=100)).registers == list(range(100))
        assert (await client.read_coils(0, count=3)).bits[:3] == [True, False, True]
        await client.write_registers(0, [1, 2, 3])
        assert device.memory().get("holding", 0, 3) == [1, 2, 3]
        assert (await client.mask_write_register(address=0, and_mask=0xF0, or_mask=0x0A)).registers is not None
        assert (await client.read_holding_registers(5000, count=1)).exception_code == 2
        assert (await client.read_device_information(read_code=2, object_id=0)).information[0] == b"Hulian"
        client.close()


async def browse(url, environment, under=None, depth=0, **settings):
    return [node async for node in protocol.browse(url, ModbusConfiguration(**settings), environment, under=under, depth=depth)]


async def test_probing_finds_the_ranges_of_pymodbus(pymodbus_server, environment):
    server = pymodbus_server({"h": {"0": [7] * 10, "200": [9] * 30}, "i": {"64": [1] * 200}})
    found = await browse(server.url, environment, probe_limit=300, depth=2)
    ranges = {node.address for node in found if node.address.startswith(("holding@", "input@"))}
    assert {"holding@0-9", "holding@200-229", "input@64-263"} <= ranges
    leaves = await browse(server.url, environment, under="holding@200-229")
    assert [(leaf.address, leaf.value, leaf.storage) for leaf in leaves[:2]] == [
        ("holding@200:uint16", "9", S.INTEGER), ("holding@201:uint16", "9", S.INTEGER),
    ]  # fmt: skip
    assert len(leaves) == 30
    for wrong in ("relay", "holding@x", "holding@9-3"):
        with pytest.raises(AddressError):
            await browse(server.url, environment, under=wrong)


async def test_a_device_says_what_it_is(environment):
    async with Simulator() as device:
        first, *_ = await browse(device.url, environment, depth=1, probe_limit=40)
    assert (first.address, first.name) == ("identification", "Hulian Modbus simulator SIM 1.0")
    assert "vendor: Hulian" in first.description


async def test_a_register_map_is_browsed_with_its_values(environment, tmp_path):
    table = tmp_path / "map.csv"
    table.write_text(
        "name;address;unit;scale;low;high;description;writable\n"
        "Pump/Speed;holding:40001;rpm;0.5;0;3000;motor speed;yes\n"
        "Pump/Running;coil:00001;;;;;;\n"
        "Energy;2/input@4:uint32;kW.h;;;;;\n"
    )
    async with Simulator() as device:
        device.fill("holding", 0, [2900])
        device.fill("coil", 0, [1])
        device.put("2/input@4:uint32", 123456)
        entry = MapEntry(name="Missing", address="holding@4000")
        found = await browse(device.url, environment, map_file=str(table), map=(entry,))
        pump = await browse(device.url, environment, map_file=str(table), under="Pump")
    assert [(leaf.path, leaf.value, leaf.unit, leaf.writable, leaf.storage) for leaf in found] == [
        (("Missing",), "", "", False, S.INTEGER),
        (("Pump", "Speed"), "1450", "rpm", True, S.DOUBLE),
        (("Pump", "Running"), "True", "", False, S.BOOLEAN),
        (("Energy",), "123456", "kW.h", False, S.INTEGER),
    ]
    assert found[1].options == {"scale": 0.5}
    assert (found[1].low, found[1].high, found[1].description) == (0, 3000, "motor speed")
    assert [leaf.name for leaf in pump] == ["Speed", "Running"]


@pytest.mark.parametrize(
    "text", ["name,adress\nx,holding@0\n", "name,address\nx,holding\n", "name,address,scale\nx,holding@0,big\n", "a\n", None]
)
async def test_wrong_maps_are_named(environment, tmp_path, text):
    path = tmp_path / "map.csv"
    if text is not None:
        path.write_text(text)
    async with Simulator() as device:
        with pytest.raises(MapError) as caught:
            await browse(device.url, environment, map_file=str(path))
    assert caught.value.hint


async def test_browsing_nobody_and_silence(environment):
    async with Simulator() as device:
        device.silent.add(1)
        with pytest.raises(SilenceError):
            await browse(device.url, environment, timeout=0.1)
        await device.stop()
        with pytest.raises(ReachError):
            await browse(device.url, environment)


async def test_modbus_as_tshark_reads_it(tmp_path):
    """The dissector of Wireshark finds nothing malformed in what we send."""
    if not (program := shutil.which("tshark")) or not (text2pcap := shutil.which("text2pcap")):
        pytest.skip("tshark is not installed")
    from hulian.network.exchange.protocols.modbus import wire

    pdus = [
        wire.read_request("holding", 3, 5), wire.write_bits_request(7, [True, False, True]),
        wire.write_registers_request(9, struct.pack(">3H", 1, 2, 3)), wire.mask_write_request(4, 1, 2),
        wire.identification_request(),
    ]  # fmt: skip
    dump = "".join(
        "0000 " + " ".join(f"{byte:02x}" for byte in wire.encode_frame(number, 1, pdu)) + "\n"
        for number, pdu in enumerate(pdus, 1)
    )
    (tmp_path / "frames.txt").write_text(dump)
    capture = tmp_path / "frames.pcap"
    await asyncio.to_thread(
        subprocess.run,
        [text2pcap, "-q", "-T", "40000,502", str(tmp_path / "frames.txt"), str(capture)],
        check=True, capture_output=True,
    )  # fmt: skip
    fields = ["-T", "fields", "-e", "mbtcp.trans_id", "-e", "modbus.func_code", "-e", "_ws.malformed"]
    seen = await asyncio.to_thread(
        subprocess.run, [program, "-r", str(capture), *fields], check=True, capture_output=True, text=True
    )
    rows = [line.split("\t") for line in seen.stdout.splitlines()]
    assert [(row[0], row[1]) for row in rows] == [("1", "3"), ("2", "15"), ("3", "16"), ("4", "22"), ("5", "43")]
    assert not any(row[2] for row in rows)
