"""Devices that send what they should not: a named event, a new connection, neighbours untouched, never a crash."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from modbus_support import running

from hulian.kernel.storage import StorageClass as S
from hulian.network.exchange.protocols.contract import Binding
from hulian.network.exchange.protocols.modbus.client import Client
from hulian.network.exchange.protocols.modbus.errors import GarbageError, LostError, ModbusError, ReachError, SilenceError
from hulian.network.exchange.protocols.modbus.wire import FrameReader, encode_frame, read_request

pytestmark = pytest.mark.anyio
GOOD = b"\x03\x02\x00\x2a"


class Odd:
    """Answers each request with what ``answer`` makes of it."""

    def __init__(self, answer) -> None:
        self.answer = answer
        self.connections = 0
        self._open: dict[asyncio.Task, asyncio.StreamWriter] = {}

    async def __aenter__(self):
        self.server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self.server.sockets[0].getsockname()[1]
        self.url = f"modbus://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *failure):
        """Waits for its connections: a task that the loop's end cancels is logged with all that it holds."""
        self.server.close()
        for writer in self._open.values():
            writer.close()
        while self._open:
            await asyncio.wait(list(self._open))

    async def _serve(self, reader, writer):
        self.connections += 1
        task = asyncio.current_task()
        self._open[task] = writer
        task.add_done_callback(self._open.pop)
        frames = FrameReader()
        try:
            while data := await reader.read(4096):
                for frame in frames.feed(data):
                    for part in self.answer(frame, self.connections):
                        writer.write(part)
                        await writer.drain()
        except (ConnectionError, GarbageError):
            pass
        finally:
            writer.close()


def reply(frame, pdu=GOOD, transaction=None, unit=None):
    return encode_frame(frame.transaction if transaction is None else transaction, frame.unit if unit is None else unit, pdu)


WRONG = {
    "another transaction": lambda frame: [reply(frame, transaction=frame.transaction ^ 0x5555)],
    "another unit": lambda frame: [reply(frame, unit=9)],
    "another function": lambda frame: [reply(frame, b"\x04\x02\x00\x2a")],
    "another protocol": lambda frame: [b"HTTP/1.1 400 Bad Request\r\n\r\n"],
    "an oversized length": lambda frame: [frame.transaction.to_bytes(2, "big") + b"\0\0\xff\xff\1\3"],
    "a length of zero": lambda frame: [frame.transaction.to_bytes(2, "big") + b"\0\0\0\0\1"],
    "too few registers": lambda frame: [reply(frame, b"\x03\x00")],
    "a wrong byte count": lambda frame: [reply(frame, b"\x03\x09\x00\x2a")],
    "too many registers": lambda frame: [reply(frame, b"\x03\x04\x00\x2a\x00\x00")],
    "a long exception": lambda frame: [reply(frame, b"\x83\x02\x00")],
}


@pytest.mark.parametrize("name", sorted(WRONG))
async def test_garbage_has_a_name_and_the_next_connection_is_good(name, environment, sink):
    def answer(frame, connection):
        return WRONG[name](frame) if connection < 3 else [reply(frame)]

    async with Odd(answer) as device:
        async with running(device.url, [Binding(series=1, address="holding@0", storage=S.INTEGER)], environment, sink):
            await sink.until(lambda: sink.last(1) == (42, 0))
            assert sink.events[0].code == GarbageError.code
            assert sink.events[0].hint
            assert sink.statuses[-1].counters["garbage"] >= 2
            await sink.until(lambda: sink.events[-1].active is False)
        assert device.connections == 3
        assert len([event for event in sink.events if event.active]) == 1


async def test_answers_in_pieces_and_out_of_order(environment):
    held = []

    def answer(frame, connection):
        held.append(frame)
        if len(held) < 8:
            return []
        stream = b"".join(reply(one, b"\x03\x02" + one.pdu[1:3]) for one in reversed(held))
        return [stream[at : at + 3] for at in range(0, len(stream), 3)]

    async with Odd(answer) as device:
        client = await Client.connect("127.0.0.1", device.port, timeout=2, depth=8)
        answers = await asyncio.gather(*(client.request(1, read_request("holding", at, 1), 5) for at in range(8)))
        assert [int.from_bytes(pdu[2:], "big") for pdu in answers] == list(range(8))
        client.close()


async def test_a_late_answer_is_dropped_and_its_connection_kept(environment):
    frames = []

    def answer(frame, connection):
        frames.append(frame)
        return [] if len(frames) == 1 else [reply(frames[0], b"\x03\x02\x00\x01"), reply(frame)]

    async with Odd(answer) as device:
        client = await Client.connect("127.0.0.1", device.port, timeout=2)
        with pytest.raises(SilenceError):
            await client.request(1, read_request("holding", 0, 1), 0.1)
        assert await client.request(1, read_request("holding", 0, 1), 2) == GOOD
        assert client.late == 1
        client.close()
        with pytest.raises(LostError):
            await client.request(1, read_request("holding", 0, 1), 2)


async def test_nobody_there():
    with pytest.raises(ReachError) as caught:
        await Client.connect("127.0.0.1", 1, timeout=2)
    assert caught.value.hint


@pytest.mark.fuzz
@given(st.lists(st.binary(max_size=60), max_size=4), st.lists(st.booleans(), min_size=3, max_size=3))
@settings(max_examples=40)
async def test_whatever_comes_is_an_answer_or_a_named_error(pieces, answers):
    left = iter(answers)
    async with Odd(lambda frame, connection: [*pieces, reply(frame)] if next(left, True) else pieces) as device:
        client = await Client.connect("127.0.0.1", device.port, timeout=2, depth=4)
        for _ in range(3):
            with contextlib.suppress(ModbusError):
                assert await client.request(1, read_request("holding", 0, 1), 0.03)
        client.close()
