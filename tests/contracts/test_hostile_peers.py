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


async def test_streams_without_end(dialled: tuple[Any, Any], peer: Any, sink: Any, environment: Any) -> None:
    """Each is measured but the first, which fills whatever this process fills once."""
    given = environment(peer)
    place = Environment(
        organisation="law", connector="flooded", credentials=given.credentials, trust=given.trust, extras=given.extras
    )
    binding = peer.bindings[0]
    value = 1.0

    async def arrives() -> None:
        await peer.set(binding.address, value)
        await sink.until(lambda: (sink.last(binding.series) or (0, None, 1))[1:] == (value, 0), f"{value}, good")

    async with Line(port_of(peer)) as line:
        connector = dialled[0].connector(through(peer, "127.0.0.1", line.port), quick(peer.configuration), (binding,), place)
        async with anyio.create_task_group() as group:
            group.start_soon(connector.run, sink)
            await sink.until(lambda: sink.statuses and sink.statuses[-1].state is ConnectorState.CONNECTED, "connected")
            await arrives()
            for name in ("zeros", *STREAMS):
                told, made = len(sink.events), line.connections
                Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
                before, line.flooded = resident("VmRSS"), 0
                line.flood(STREAMS[name])
                await sink.until(lambda: line.flooded > ENOUGH or line.connections > made + 2, "it is enough")  # noqa: B023
                if value > 1.0:
                    assert resident("VmHWM") - before < BOUND, f"{line.flooded} bytes of {name} were sent"
                await sink.until(lambda: sink.statuses[-1].state is ConnectorState.WAITING, "the peer is left")
                status = sink.statuses[-1]
                assert status.error_code.startswith("HL-")
                assert status.hint
                assert [event.code for event in sink.events[told:] if event.active], "it is named in an event"
                line.mend()
                line.drop()
                await sink.until(lambda: sink.statuses[-1].state is ConnectorState.CONNECTED, "connected again")
                value += 1.0
                await arrives()
            group.cancel_scope.cancel()
    good = [value for _, value, status in sink.of(binding.series) if is_good(status)]
    assert set(good) <= {number + 1.0 for number in range(int(value))} | {0.0, 1.5}, "no lie was believed"
