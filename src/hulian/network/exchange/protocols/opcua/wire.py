"""Publish and Read responses from bytes to columns in one step (OPC 10000-6, section 5; OPC 10000-4, 7.25 and 7.7).

The messages around the samples; `hulian…opcua.samples` reads these. No socket, no clock, no logging; every count is checked
against the bytes that are there before anything is allocated.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from hulian.network.exchange.protocols.opcua.samples import Block, decode_samples, nanoseconds
from hulian.network.exchange.protocols.opcua.values import Reader

__all__ = [
    "HistoryResult", "Notification", "PublishResponse", "check_answers", "decode_history", "decode_publish", "decode_read",
    "decode_republish",
]  # fmt: skip

PUBLISH_RESPONSE: Final = "i=829"
READ_RESPONSE: Final = "i=634"
SERVICE_FAULT: Final = "i=397"
DATA_CHANGE: Final = "i=811"
STATUS_CHANGE: Final = "i=820"
EVENTS: Final = "i=916"
HISTORY_READ_RESPONSE: Final = "i=667"
HISTORY_DATA: Final = "i=658"


class Notification(NamedTuple):
    """What a Publish response brought: samples by type, the subscription's own change of state, and events.

    An event is (client handle, fields), a field (built-in type, value) as `hulian…opcua.values.Reader.variant` gives it.
    """

    blocks: list[Block]
    status_change: int | None = None
    events: list[tuple[int, list[tuple[int, Any]]]] = []  # noqa: RUF012 - a NamedTuple's default, never written to


class PublishResponse(NamedTuple):
    """A PublishResponse. ``server_time`` is UTC ns, 0 where it says none; ``acknowledged`` one status per acknowledgement."""

    server_time: int
    result: int
    subscription: int
    available: tuple[int, ...]
    more: bool
    sequence: int
    keep_alive: bool
    notification: Notification
    acknowledged: tuple[int, ...]


def decode_publish(body: bytes) -> PublishResponse:
    """A PublishResponse, or the ServiceFault in its place (its ``result`` says why). Raises `WireError`."""
    reader = Reader(body)
    server_time, result, fault = _response_header(reader, PUBLISH_RESPONSE)
    if fault:
        return PublishResponse(server_time, result, 0, (), False, 0, True, Notification([]), ())
    subscription = reader.uint32()
    available = tuple(reader.uint32() for _ in range(reader.count(4)))
    more = reader.byte() != 0
    sequence = reader.uint32()
    reader.skip(8)
    found, empty = _notifications(reader)
    acknowledged = tuple(reader.uint32() for _ in range(reader.count(4)))
    for _ in range(reader.count(1)):
        reader.diagnostic()
    return PublishResponse(server_time, result, subscription, available, more, sequence, empty, found, acknowledged)


def decode_republish(body: bytes) -> PublishResponse:
    """A RepublishResponse in the form of a PublishResponse of subscription 0. Raises `WireError`."""
    reader = Reader(body)
    server_time, result, fault = _response_header(reader, "i=835")
    if fault:
        return PublishResponse(server_time, result, 0, (), False, 0, True, Notification([]), ())
    sequence = reader.uint32()
    reader.skip(8)
    found, empty = _notifications(reader)
    return PublishResponse(server_time, result, 0, (), False, sequence, empty, found, ())


def decode_read(body: bytes, most: int = 0xFFFF_FFFF) -> tuple[int, int, list[Block], int]:
    """A ReadResponse: (server time, result, samples whose handle is their place in the request, their number).

    Raises `WireError`, for more than ``most`` answers before any is read.
    """
    reader = Reader(body)
    server_time, result, fault = _response_header(reader, READ_RESPONSE)
    if fault:
        return server_time, result, [], 0
    count = reader.count(1)
    if count > most:
        raise reader.fail(f"{count} answers came to {most} questions")
    blocks = decode_samples(reader, count, handles=False)
    for _ in range(reader.count(1)):
        reader.diagnostic()
    return server_time, result, blocks, count


def check_answers(body: bytes, most: int) -> None:
    """Looks only how many answers a ReadResponse holds. Raises `WireError` for more than ``most``."""
    reader = Reader(body)
    _, _, fault = _response_header(reader, READ_RESPONSE)
    if not fault and (count := reader.count(1)) > most:
        raise reader.fail(f"{count} answers came to {most} questions")


class HistoryResult(NamedTuple):
    """What a HistoryRead answered for one node: its status, where to go on (None: there is no more), its samples."""

    status: int
    continuation: bytes | None
    blocks: list[Block]


def decode_history(body: bytes, expected: int) -> list[HistoryResult]:
    """A HistoryReadResponse with raw data, one result a node of the request. Raises `WireError`.

    The samples' handles count from 0 within each result. A ServiceFault never comes here: the session raises it.
    """
    reader = Reader(body)
    _, result, _ = _response_header(reader, HISTORY_READ_RESPONSE)
    count = 0 if result & 0x8000_0000 else reader.count(9)
    if count != expected:
        raise reader.fail(f"{count} answers came to {expected} questions (status 0x{result:08X})")
    results: list[HistoryResult] = []
    for _ in range(count):
        status, continuation = reader.uint32(), reader.bytes_()
        type_id, encoding = reader.node_id(), reader.byte()
        blocks: list[Block] = []
        if encoding:
            length = max(reader.int32(), 0)
            start = reader.skip(length)
            if type_id == HISTORY_DATA and encoding == 1:
                inner = Reader(reader.data, start, reader.position)
                blocks = decode_samples(inner, inner.count(1), handles=False)
        results.append(HistoryResult(status, continuation or None, blocks))
    return results


def _response_header(reader: Reader, expected: str) -> tuple[int, int, bool]:
    """(server time, service result, whether it is a ServiceFault)."""
    type_id = reader.node_id()
    if type_id not in (expected, SERVICE_FAULT):
        raise reader.fail(f"a response of type {type_id[:80]} came where {expected} was asked for")
    server_time = nanoseconds(reader.int64())
    reader.skip(4)
    result = reader.uint32()
    reader.diagnostic()
    for _ in range(reader.count(4)):
        reader.bytes_()
    reader.extension()
    return server_time, result, type_id == SERVICE_FAULT


def _notifications(reader: Reader) -> tuple[Notification, bool]:
    """NotificationData[], and whether there was nothing."""
    blocks: list[Block] = []
    events: list[tuple[int, list[tuple[int, Any]]]] = []
    status_change: int | None = None
    number = reader.count(3)
    for _ in range(number):
        type_id = reader.node_id()
        encoding = reader.byte()
        if encoding == 0:
            continue
        length = reader.int32()
        start = reader.skip(max(length, 0))
        inner = Reader(reader.data, start, reader.position)
        if type_id == DATA_CHANGE and encoding == 1:
            blocks += decode_samples(inner, inner.count(5), handles=True)
            for _ in range(inner.count(1)):
                inner.diagnostic()
        elif type_id == EVENTS and encoding == 1:
            for _ in range(inner.count(8)):
                handle = inner.uint32()
                events.append((handle, [inner.variant() for _ in range(inner.count(1))]))
        elif type_id == STATUS_CHANGE and encoding == 1:
            status_change = inner.uint32()
            inner.diagnostic()
    return Notification(blocks, status_change, events), number == 0
