"""Answers made to cost: nested without end, counted without end. They cost little, are named, and the next answer is read.

`test_wire` has the same for what our own decoder reads; these are the services that asyncua decodes.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import pytest

from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding, ConnectorState, Credentials, Environment
from hulian.network.exchange.protocols.opcua import OpcuaConfiguration, protocol

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(90)]

QUICK = OpcuaConfiguration(security="none", timeout=20.0, retry_first=0.05, retry_longest=0.1, bad_after=0.2)
BINDING = Binding(series=1, address="ns=2;s=A", storage=StorageClass.DOUBLE)
RESPONSES = {"GetEndpointsRequest": 431, "CreateSessionRequest": 464, "ReadRequest": 634}
DEEP = 60_000
BOUND = 96 * 2**20
PLAIN = b"\0"
"""No diagnostics."""

NESTED_DIAGNOSTICS = b"\x40" * DEEP + b"\0"
NESTED_VALUES = struct.pack("<i", 1) + b"\x01" + b"\x18" * DEEP
NESTED_ARRAYS = struct.pack("<i", 1) + b"\x01" + (b"\x98" + struct.pack("<i", 1)) * DEEP
HOSTILE = {
    "diagnostics in diagnostics, endpoints": ("GetEndpointsRequest", NESTED_DIAGNOSTICS, b""),
    "diagnostics in diagnostics, session": ("CreateSessionRequest", NESTED_DIAGNOSTICS, b""),
    "values in values": ("ReadRequest", PLAIN, NESTED_VALUES),
    "values in arrays of values": ("ReadRequest", PLAIN, NESTED_ARRAYS),
    "a count without its values": ("ReadRequest", PLAIN, struct.pack("<i", 0x7FFF_FFFF)),
    "millions of nothing": ("ReadRequest", PLAIN, struct.pack("<i", 4_000_000) + bytes(4_000_000)),
    "a million empty endpoints": ("GetEndpointsRequest", PLAIN, struct.pack("<i", 1_000_000) + bytes(1_000_000)),
    "endpoints without end": ("GetEndpointsRequest", PLAIN, struct.pack("<i", 0x7FFF_FFFF) + bytes(1000)),
}


def resident(what: str) -> int:
    """``VmRSS`` or ``VmHWM`` of this process in bytes."""
    found = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(what))
    return int(found.split()[1]) * 1024


@pytest.mark.parametrize("case", HOSTILE)
async def test_an_answer_made_to_cost(case: str, replayer: Any, trust: Any, sink: Any, running: Any) -> None:
    service, diagnostics, rest = HOSTILE[case]
    place = Environment(organisation="test", connector="hostile", credentials=Credentials(), trust=trust)
    async with replayer.Replayer() as server:
        said = 0

        def lie(link: Any, number: int, request: Any) -> None:
            nonlocal said
            said += 1
            head = b"\x01\x00" + struct.pack("<HqII", RESPONSES[service], 0, request.RequestHeader.RequestHandle, 0)
            link.send(number, head + diagnostics + struct.pack("<i", 0) + b"\0\0\0" + rest)

        server.answers[service] = lie
        connector = protocol.connector(server.url, QUICK, [BINDING], place)
        Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
        before = resident("VmRSS")
        async with running(connector, sink):
            await sink.until(lambda: said > 1 and sink.statuses[-1].error_code, "the server is left and asked again")
            assert sink.statuses[-1].state is ConnectorState.WAITING
            assert sink.statuses[-1].error_code.startswith("HL-OPCUA-")
            assert sink.statuses[-1].hint
            assert any(event.active and event.hint for event in sink.events)
            assert resident("VmHWM") - before < BOUND
            del server.answers[service]
            await sink.until(lambda: sink.statuses[-1].state is ConnectorState.CONNECTED, "an honest answer is read")
