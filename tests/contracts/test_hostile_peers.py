"""A hostile peer costs bounded memory and is named in an event, for all protocols that dial over TCP.

Here: streams without an end, however they begin. What a protocol's own decoder
has to bear is shown beside it:

* lengths that nobody can mean: ``modbus/test_garbage``, ``mqtt/test_codec`` (a huge packet is refused before its body comes),
  ``opcua/test_recovery`` (a chunk longer than agreed, chunks without an end), ``opcua/test_wire`` (counts beyond the message);
* nesting: ``mqtt/test_json`` (documents), ``mqtt/test_sparkplug_types`` (templates), ``opcua/test_hostile_answers``;
* out of sequence: ``modbus/test_garbage`` and ``modbus/test_faults`` (answers nobody asked for, late ones),
  ``opcua/test_recovery`` (sequence numbers out of all order, foreign subscriptions), ``mqtt/test_client`` (acknowledgements of
  nothing, packets before CONNACK), ``mqtt/test_sparkplug_rules``;
* bombs that are pushed to us: ``http/test_bodies`` and ``http/test_push``.

What libpq, PostgreSQL's own library, takes of one row is bounded by its own limit of 1 GB only: a server that claims a row of
that size and sends it is believed. This is not shown here because it does not hold.
"""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from line import Line
from recovery_peers import port_of, quick, through

from hulian.kernel.quality import is_good
from hulian.network.exchange.protocols.contract import ConnectorState, Environment

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(90)]

BOUND = 24 * 2**20
ENOUGH = 96 * 2**20
STREAMS = {
    "zeros": b"\0" * 65_536,
    "ones": b"\xff" * 65_536,
    # Each begins as a frame of one of the protocols does, claims as much as its header can say, and goes on for ever.
    "modbus": struct.pack(">HHHB", 0, 0, 254, 1) * 9000,
    "opcua": (b"MSGC" + struct.pack("<6I", 65_536, 1, 1, 1, 1, 0)).ljust(65_536, b"\0"),
    "mqtt": b"\x30\xff\xff\xff\x7f".ljust(65_536, b"a"),
}


def resident(what: str) -> int:
    """``VmRSS`` or ``VmHWM`` of this process in bytes: what drivers take outside Python counts too."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1]) * 1024
    raise AssertionError(what)


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
async def peer(dialled: tuple[Any, Any], anyio_backend: str) -> AsyncIterator[Any]:
    async with dialled[1]() as started:
        yield started


@pytest.mark.parametrize("stream", STREAMS)
async def test_a_stream_without_end(stream: str, dialled: tuple[Any, Any], peer: Any, sink: Any, environment: Any) -> None:
    protocol, _ = dialled
    async with Line(port_of(peer)) as line:
        given = environment(peer)
        place = Environment(
            organisation="law",
            connector=f"flood-{stream}",
            credentials=given.credentials,
            trust=given.trust,
            extras=given.extras,
        )
        binding = peer.bindings[0]
        url = through(peer, "127.0.0.1", line.port)
        connector = protocol.connector(url, quick(peer.configuration), (binding,), place)
        async with anyio.create_task_group() as group:
            group.start_soon(connector.run, sink)
            await sink.until(lambda: sink.statuses and sink.statuses[-1].state is ConnectorState.CONNECTED, "connected")
            await peer.set(binding.address, 5.0)
            await sink.until(lambda: (sink.last(binding.series) or (0, None, 1))[1:] == (5.0, 0), "good")
            Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
            before = resident("VmRSS")
            line.flood(STREAMS[stream])
            made = line.connections
            await sink.until(lambda: line.flooded > ENOUGH or line.connections > made + 5, "it is enough")
            assert resident("VmHWM") - before < BOUND, f"{line.flooded} bytes were sent"
            await sink.until(lambda: sink.statuses[-1].state is ConnectorState.WAITING, "the peer is left")
            status = sink.statuses[-1]
            assert status.error_code.startswith("HL-")
            assert status.hint
            assert any(event.active and event.code.startswith("HL-") for event in sink.events), "it is named in an event"
            line.mend()
            line.drop()
            await peer.set(binding.address, 6.0)
            await sink.until(lambda: (sink.last(binding.series) or (0, None, 1))[1:] == (6.0, 0), "good again")
            group.cancel_scope.cancel()
    assert all(is_good(status) or value in (None, 5.0) for _, value, status in sink.of(binding.series)), "no lie was believed"
