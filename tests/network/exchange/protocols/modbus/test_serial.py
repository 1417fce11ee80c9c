"""Serial lines out of pseudo-terminals: pymodbus and libmodbus answer, the cable makes noise, is cut, is shared."""

from __future__ import annotations

import asyncio
import ctypes.util
import os

import pytest
import serial
from free_ports import free_port
from modbus_serial import Cable, served
from modbus_support import running

from hulian.kernel.quality import Quality, is_bad, is_uncertain
from hulian.kernel.storage import StorageClass as S
from hulian.network.exchange.protocols.contract import Binding, ConnectorState
from hulian.network.exchange.protocols.modbus import protocol
from hulian.network.exchange.protocols.modbus.config import ModbusConfiguration
from hulian.network.exchange.protocols.modbus.errors import (
    GarbageError,
    LineBusyError,
    LineSettingsError,
    ReachError,
    SilenceError,
    ValueFitError,
)
from hulian.network.exchange.protocols.modbus.rtu import encode_rtu

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]
LIBMODBUS = pytest.mark.skipif(not ctypes.util.find_library("modbus"), reason="libmodbus is not installed")
BINDINGS = [
    Binding(series=1, address="holding@0:uint16", storage=S.INTEGER, writable=True),
    Binding(series=2, address="input@10:uint16", storage=S.INTEGER),
    Binding(series=3, address="coil@3", storage=S.BOOLEAN, writable=True),
    Binding(series=4, address="discrete@4", storage=S.BOOLEAN),
    Binding(series=5, address="holding@20:float32", storage=S.DOUBLE, writable=True),
    Binding(series=6, address="holding@30:bits[4-7]", storage=S.INTEGER, writable=True),
]
EXPECTED = {1: 1000, 2: 2010, 3: True, 4: False, 6: (1030 >> 4) & 15}
SLOW = {"interval": 0.1, "timeout": 1.0, "timeout_least": 0.5}


def rtu(path: str, **keys: object) -> str:
    query = {"baud": 19200, "parity": "N", "stop": 1} | keys
    return f"modbus-rtu://{path}?" + "&".join(f"{name}={value}" for name, value in query.items())


async def read_and_write(url, environment, sink, **settings):
    async with running(url, BINDINGS, environment, sink, **(SLOW | settings)) as connector:
        await sink.until(lambda: all(sink.last(series) == (value, 0) for series, value in EXPECTED.items()))
        await connector.write(BINDINGS[0], 4711)
        await connector.write(BINDINGS[2], value=False)
        await connector.write(BINDINGS[4], 2.5)
        await connector.write(BINDINGS[5], 9)
        after = {1: 4711, 3: False, 5: 2.5, 6: 9}
        await sink.until(lambda: all(sink.last(series) == (value, 0) for series, value in after.items()))
        assert sink.statuses[-1].counters["garbage"] == 0


@pytest.mark.parametrize(
    ("kind", "scheme"), [("pymodbus-rtu", "modbus-rtu"), ("pymodbus-ascii", "modbus-ascii"),
                         pytest.param("libmodbus", "modbus-rtu", marks=LIBMODBUS)],
)  # fmt: skip
@pytest.mark.parametrize("function", ["auto", "multiple", "read-write"])
async def test_a_foreign_server_on_a_serial_line(kind, scheme, function, environment, sink):
    with Cable(2) as cable, served(kind, cable.paths[1]):
        url = rtu(cable.paths[0]).replace("modbus-rtu", scheme) + ("&bits=8" if scheme == "modbus-ascii" else "")
        await read_and_write(url, environment, sink, write_function=function)


async def test_rtu_through_tcp(environment, sink):
    port = free_port()
    with served("pymodbus-rtu-tcp", str(port)):
        await read_and_write(f"modbus+rtu://127.0.0.1:{port}", environment, sink)


async def test_many_units_and_a_dead_one_share_a_line(environment, sink):
    units = (1, 2, 3)
    bindings = [Binding(series=unit, address=f"{unit}/holding@{unit}", storage=S.INTEGER) for unit in (*units, 9)]
    with Cable(2) as cable, served("pymodbus-rtu", cable.paths[1], (*units, 9)):
        cable.change = lambda data: b"" if data[0] == 9 else data  # its wire is broken
        async with running(rtu(cable.paths[0]), bindings, environment, sink, **(SLOW | {"timeout": 0.5})) as connector:
            await sink.until(lambda: all(len(sink.of(unit)) >= 30 for unit in units), 60)
            asked = [data[0] for _, data in cable.said]
            assert sink.statuses[-1].state is ConnectorState.DEGRADED
            assert connector.units[9].error is not None
    assert all(sink.last(unit) == (1000 + unit, 0) for unit in units)
    assert is_bad(sink.last(9)[1])
    assert asked.count(9) < len(asked) / 10
    assert {event.subject for event in sink.events if event.code == SilenceError.code} == {"plc/9"}
    counts = [asked.count(unit) for unit in units]
    assert max(counts) - min(counts) <= 3


async def test_two_connectors_share_one_line(environment, sink):
    other = type(sink)()
    first = [Binding(series=1, address="1/holding@1", storage=S.INTEGER)]
    second = [Binding(series=2, address="2/holding@2", storage=S.INTEGER)]
    with Cable(2) as cable, served("pymodbus-rtu", cable.paths[1], (1, 2)):
        async with running(rtu(cable.paths[0]), first, environment, sink, **SLOW):
            await sink.until(lambda: sink.last(1) == (1001, 0))
            async with running(rtu(cable.paths[0]), second, environment, other, **SLOW):
                await other.until(lambda: other.last(2) == (1002, 0))
            seen = len(sink.of(1))
            await sink.until(lambda: len(sink.of(1)) > seen + 2)
            assert sink.statuses[-1].counters["reconnects"] == 0
            async with running(rtu(cable.paths[0], baud=9600), second, environment, other, **SLOW):
                await other.until(lambda: other.statuses[-1].error_code == LineSettingsError.code)
                assert other.statuses[-1].hint
            assert sink.last(1) == (1001, 0)
        # The last one has left: the line is free for others.
        serial.Serial(cable.paths[0], exclusive=True).close()


async def test_a_line_that_another_program_holds_is_waited_for(environment, sink):
    with Cable(2) as cable, served("pymodbus-rtu", cable.paths[1]):
        holder = serial.Serial(cable.paths[0], exclusive=True)
        async with running(rtu(cable.paths[0]), BINDINGS[:1], environment, sink, **SLOW):
            await sink.until(lambda: sink.statuses and sink.statuses[-1].error_code == LineBusyError.code)
            holder.close()
            await sink.until(lambda: sink.last(1) == (1000, 0))


async def test_an_adapter_that_is_pulled_out_and_put_in_again(environment, sink, tmp_path):
    device = tmp_path / "ttyUSB0"
    with Cable(2) as cable, served("pymodbus-rtu", cable.paths[1]):
        device.symlink_to(cable.paths[0])
        async with running(rtu(str(device)), BINDINGS[:1], environment, sink, **SLOW):
            await sink.until(lambda: sink.last(1) == (1000, 0))
            cable.close()
            device.unlink()
            cable.close = lambda: None
            await sink.until(lambda: sink.last(1) == (None, Quality.BAD_NO_COMMUNICATION))
            assert any(is_uncertain(status) for *_, status in sink.of(1))
            await sink.until(lambda: sink.statuses[-1].error_code == ReachError.code)
            with Cable(2) as again, served("pymodbus-rtu", again.paths[1]):
                device.symlink_to(again.paths[0])
                await sink.until(lambda: sink.last(1) == (1000, 0))
                await sink.until(lambda: sink.statuses[-1].state is ConnectorState.CONNECTED)


async def test_noise_damage_and_cut_answers_cost_an_attempt_and_no_more(environment, sink):
    with Cable(2) as cable, served("pymodbus-rtu", cable.paths[1]):
        async with running(rtu(cable.paths[0]), BINDINGS[:1], environment, sink, **(SLOW | {"bad_after": 60})):
            await sink.until(lambda: sink.last(1) == (1000, 0))
            for change in (
                lambda data: b"\0\xff\1" + data,
                lambda data: data[:-1] + bytes((data[-1] ^ 1,)),
                lambda data: data[:4],
                lambda data: b"\x02" + data[1:],
            ):
                left = [1]

                def once(data, change=change, left=left):
                    if left:
                        left.clear()
                        return change(data)
                    return data

                cable.change = once
                await sink.until(lambda left=left: not left)
                seen = len(sink.of(1))
                await sink.until(lambda seen=seen: len(sink.of(1)) > seen + 2)
            cable.say(os.urandom(3000))
            seen = len(sink.of(1))
            await sink.until(lambda: len(sink.of(1)) > seen + 2)
            await sink.until(lambda: sink.statuses[-1].counters["garbage"] >= 2)
            assert sink.statuses[-1].counters["reconnects"] == 0
    assert {value for _, value, _ in sink.of(1)} == {1000}
    assert not sink.events


async def test_an_adapter_that_hears_itself(environment, sink):
    with Cable(2, echo=True) as cable, served("pymodbus-rtu", cable.paths[1]):
        await read_and_write(rtu(cable.paths[0], echo=1), environment, sink)


async def test_our_own_bytes_changed_are_a_named_error(environment, sink):
    with Cable(2) as cable:
        cable.change = lambda data: data
        async with running(rtu(cable.paths[0], echo=1), BINDINGS[:1], environment, sink, **(SLOW | {"retries": 0})):
            with serial.Serial(cable.paths[1], timeout=5) as other:
                await asyncio.to_thread(other.read, 8)
                other.write(b"\xaa" * 8)
                await sink.until(lambda: any(event.code == GarbageError.code for event in sink.events))


async def test_a_broadcast_is_heard_by_all_and_answered_by_none(environment, sink):
    bindings = [
        Binding(series=1, address="1/holding@0", storage=S.INTEGER),
        Binding(series=2, address="2/holding@0", storage=S.INTEGER),
        Binding(series=3, address="0/holding@0", storage=S.INTEGER, writable=True),
        Binding(series=4, address="0/holding@0", storage=S.INTEGER),
        Binding(series=5, address="0/holding@1:bits[4-20]", storage=S.INTEGER, writable=True),
    ]
    with Cable(2) as cable, served("pymodbus-rtu", cable.paths[1], (1, 2)):
        async with running(rtu(cable.paths[0], turnaround=0.15), bindings, environment, sink, **SLOW) as connector:
            await sink.until(lambda: sink.last(1) and sink.last(2))
            assert sink.last(4) == (None, Quality.BAD_CONFIGURATION_ERROR)
            with pytest.raises(ValueFitError):
                await connector.write(bindings[4], 5)
            await connector.write(bindings[2], 77)
            await sink.until(lambda: sink.last(1) == (77, 0) and sink.last(2) == (77, 0))
        at = next(at for at, (_, data) in enumerate(cable.said) if data[0] == 0)
        assert cable.said[at + 1][0] - cable.said[at][0] >= 0.15


async def test_frames_are_apart_by_the_silence_of_the_standard(environment, sink):
    with Cable(2) as cable, served("pymodbus-rtu", cable.paths[1], baud=1200):
        bindings = [Binding(series=n, address=f"holding@{50 * n}", storage=S.INTEGER) for n in range(3)]
        async with running(rtu(cable.paths[0], baud=1200), bindings, environment, sink, **SLOW):
            await sink.until(lambda: len(cable.said) >= 12)
        sent = [at for at, _ in cable.said]
    # Eight characters of ten bits leave in 67 ms; at least 3.5 more are silent. The cable notes a frame somewhat after it was
    # written, when this thread has its turn: over many frames that does not add up.
    assert (sent[-1] - sent[0]) / (len(sent) - 1) >= (8 + 3.5) * 10 / 1200


async def test_no_such_line_and_a_file_that_is_none(environment, sink, tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    for path in (tmp_path / "missing", file):
        async with running(rtu(str(path)), BINDINGS[:1], environment, sink, **SLOW):
            await sink.until(lambda: sink.statuses and sink.statuses[-1].error_code == ReachError.code)
            assert sink.statuses[-1].hint
        sink.statuses.clear()


async def test_browsing_a_serial_line(environment):
    with Cable(2) as cable, served("pymodbus-rtu", cable.paths[1]):
        settings = ModbusConfiguration(probe_limit=100, timeout=1.0)
        found = [node async for node in protocol.browse(rtu(cable.paths[0]), settings, environment, under="holding@0-3")]
    assert [leaf.value for leaf in found] == ["1000", "1001", "1002", "1003"]


async def test_answers_of_another_unit_are_not_ours(environment, sink):
    with Cable(2) as cable, serial.Serial(cable.paths[1], timeout=10) as other:
        async with running(rtu(cable.paths[0]), BINDINGS[:1], environment, sink, **(SLOW | {"retries": 0})):
            await asyncio.to_thread(other.read, 8)
            other.write(encode_rtu(2, b"\x03\x02\x00\x01") + encode_rtu(1, b"\x03\x02\x00\x07"))
            await sink.until(lambda: sink.last(1) == (7, 0))
