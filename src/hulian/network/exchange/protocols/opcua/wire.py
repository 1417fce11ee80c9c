"""Publish and Read responses from bytes to columns in one step (OPC 10000-6, section 5; OPC 10000-4, 7.25 and 7.7).

A run of samples that have the same fields and the same fixed-size type is one structured view of the message; mixed
fixed-size samples are gathered type by type; only samples of variable size are read one by one. No socket, no clock, no
logging; every count is checked against the bytes that are there before anything is allocated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt

from hulian.network.exchange.protocols.opcua.values import EPOCH_TICKS, BuiltIn, Reader

__all__ = ["Block", "Notification", "PublishResponse", "decode_publish", "decode_read", "decode_republish", "nanoseconds"]

PUBLISH_RESPONSE: Final = "i=829"
READ_RESPONSE: Final = "i=634"
SERVICE_FAULT: Final = "i=397"
DATA_CHANGE: Final = "i=811"
STATUS_CHANGE: Final = "i=820"

_NUMPY: Final[dict[int, str]] = {
    BuiltIn.BOOLEAN: "u1",
    BuiltIn.SBYTE: "i1",
    BuiltIn.BYTE: "u1",
    BuiltIn.INT16: "<i2",
    BuiltIn.UINT16: "<u2",
    BuiltIn.INT32: "<i4",
    BuiltIn.UINT32: "<u4",
    BuiltIn.INT64: "<i8",
    BuiltIn.UINT64: "<u8",
    BuiltIn.FLOAT: "<f4",
    BuiltIn.DOUBLE: "<f8",
    BuiltIn.DATETIME: "<i8",
    BuiltIn.STATUS_CODE: "<u4",
}
_FIRST_TICK: Final = EPOCH_TICKS - 2**63 // 100 + 1
_LAST_TICK: Final = EPOCH_TICKS + 2**63 // 100 - 1


@dataclass(frozen=True, slots=True)
class Block:
    """Samples of one built-in type, in the order of the message.

    ``kind`` is the type's number (plus `hulian…opcua.values.ARRAY` for arrays; 0: samples without a value); ``handle``
    uint32[n]; ``time`` int64[n] (UTC ns; the source's, else the server's, else 0); ``status`` uint32[n]; ``value`` a numpy
    array for fixed-size types (booleans as uint8, times as raw ticks), else a list, None for kind 0.
    """

    kind: int
    handle: npt.NDArray[np.uint32]
    time: npt.NDArray[np.int64]
    status: npt.NDArray[np.uint32]
    value: Any

    def __len__(self) -> int:
        return len(self.handle)


class Notification(NamedTuple):
    """What a Read or Publish response brought: samples by type and, from a subscription, its own change of state."""

    blocks: list[Block]
    status_change: int | None = None


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


def nanoseconds(ticks: int) -> int:
    """UTC ns of an OPC UA time, 0 where it is none or lies outside what 64 bits of ns can say."""
    return (ticks - EPOCH_TICKS) * 100 if _FIRST_TICK <= ticks <= _LAST_TICK else 0


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
    blocks, status_change, empty = _notifications(reader)
    acknowledged = tuple(reader.uint32() for _ in range(reader.count(4)))
    for _ in range(reader.count(1)):
        reader.diagnostic()
    return PublishResponse(
        server_time, result, subscription, available, more, sequence, empty, Notification(blocks, status_change), acknowledged
    )


def decode_republish(body: bytes) -> PublishResponse:
    """A RepublishResponse in the form of a PublishResponse of subscription 0. Raises `WireError`."""
    reader = Reader(body)
    server_time, result, fault = _response_header(reader, "i=835")
    if fault:
        return PublishResponse(server_time, result, 0, (), False, 0, True, Notification([]), ())
    sequence = reader.uint32()
    reader.skip(8)
    blocks, status_change, empty = _notifications(reader)
    return PublishResponse(server_time, result, 0, (), False, sequence, empty, Notification(blocks, status_change), ())


def decode_read(body: bytes) -> tuple[int, int, list[Block], int]:
    """A ReadResponse: (server time, result, samples whose handle is their place in the request, their number)."""
    reader = Reader(body)
    server_time, result, fault = _response_header(reader, READ_RESPONSE)
    if fault:
        return server_time, result, [], 0
    count = reader.count(1)
    blocks = _samples(reader, count, handles=False)
    for _ in range(reader.count(1)):
        reader.diagnostic()
    return server_time, result, blocks, count


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


def _notifications(reader: Reader) -> tuple[list[Block], int | None, bool]:
    """NotificationData[]: (samples, new status of the subscription, whether there was nothing)."""
    blocks: list[Block] = []
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
            blocks += _samples(inner, inner.count(5), handles=True)
            for _ in range(inner.count(1)):
                inner.diagnostic()
        elif type_id == STATUS_CHANGE and encoding == 1:
            status_change = inner.uint32()
            inner.diagnostic()
    return blocks, status_change, number == 0


class _Layout(NamedTuple):
    """Where the fields of a fixed-size sample stand: the key is (has a handle, value mask, type)."""

    size: int
    dtype: np.dtype[Any]


_layouts: dict[int, _Layout | None] = {}


def _layout(key: int) -> _Layout | None:
    """The layout for ``key`` = handles << 16 | mask << 8 | type, None where samples have no fixed size."""
    handles, mask, kind = key >> 16, key >> 8 & 0xFF, key & 0xFF
    fields: list[tuple[str, str]] = [("handle", "<u4")] if handles else []
    fields.append(("mask", "u1"))
    if mask & 0x01:
        if kind not in _NUMPY:
            return None
        fields += [("kind", "u1"), ("value", _NUMPY[kind])]
    for bit, name, form in _FIELDS:
        if mask & bit:
            fields.append((name, form))
    dtype = np.dtype(fields)
    return _Layout(dtype.itemsize, dtype)


_FIELDS: Final = (
    (0x02, "status", "<u4"),
    (0x04, "source", "<i8"),
    (0x10, "source_fine", "<u2"),
    (0x08, "server", "<i8"),
    (0x20, "server_fine", "<u2"),
)
"""The order on the wire (section 5.2.2.17), which is not the order of the mask's bits."""


@dataclass(frozen=True, slots=True)
class _Part:
    """Samples of one layout: ``index`` is their place in the message."""

    kind: int
    index: npt.NDArray[np.int64]
    handle: npt.NDArray[np.uint32]
    time: npt.NDArray[np.int64]
    status: npt.NDArray[np.uint32]
    value: Any


def _samples(reader: Reader, count: int, *, handles: bool) -> list[Block]:
    """``count`` samples from the reader's position on."""
    data, end = reader.data, reader.end
    head = 4 if handles else 0
    base = int(handles) << 16
    parts: list[_Part] = []
    scattered: dict[int, tuple[list[int], list[int]]] = {}
    single: dict[int, list[tuple[int, int, int, int, Any]]] = {}
    index = 0
    while index < count:
        position = reader.position
        if position + head >= end:
            raise reader.fail(f"the message ends after {index} of {count} samples")
        mask = data[position + head]
        if mask & 0xC0:
            raise reader.fail(f"a sample has the reserved mask bits {mask:#04x}")
        if mask & 0x01:
            if position + head + 1 >= end:
                raise reader.fail("the message ends within a sample")
            kind = data[position + head + 1]
        else:
            kind = 0
        key = base | mask << 8 | kind
        try:
            layout = _layouts[key]
        except KeyError:
            layout = _layouts[key] = _layout(key)
        if layout is None:
            _single(reader, index, handles, single)
            index += 1
            continue
        size = layout.size
        reader.skip(size)
        following = position + size + head
        if following + 1 < end and data[following] == mask and (not mask & 1 or data[following + 1] == kind):
            number = _run(data, position, min(count - index, (end - position) // size), layout, mask, kind)
            reader.position = position + number * size
            view = np.frombuffer(data, layout.dtype, number, position)
            parts.append(_part(kind, np.arange(index, index + number), view))
            index += number
        else:
            indexes, offsets = scattered.setdefault(key, ([], []))
            indexes.append(index)
            offsets.append(position)
            index += 1
    for key, (indexes, offsets) in scattered.items():
        layout = _layouts[key]
        if layout is not None:
            parts.append(_part(key & 0xFF, np.array(indexes), _gather(data, offsets, layout)))
    parts += [_part_of_singles(kind, rows) for kind, rows in single.items()]
    return _blocks(parts)


def _run(data: bytes, position: int, possible: int, layout: _Layout, mask: int, kind: int) -> int:
    """How many of the ``possible`` samples from ``position`` on have this mask and type, looked at in growing windows."""
    found, window = 0, 32
    while found < possible:
        number = min(window, possible - found)
        view = np.frombuffer(data, layout.dtype, number, position + found * layout.size)
        same = view["mask"] == mask
        if mask & 0x01:
            same &= view["kind"] == kind
        if not same.all():
            return found + int(same.argmin())
        found += number
        window *= 4
    return found


def _gather(data: bytes, offsets: list[int], layout: _Layout) -> npt.NDArray[Any]:
    """The samples at ``offsets`` as one array of the layout's type."""
    raw = np.frombuffer(data, np.uint8)
    rows = raw[np.array(offsets)[:, None] + np.arange(layout.size)]
    return rows.view(layout.dtype).reshape(len(offsets))


def _part(kind: int, index: npt.NDArray[np.int64], view: npt.NDArray[Any]) -> _Part:
    names = view.dtype.names or ()
    number = len(view)
    time = np.zeros(number, np.int64)
    for name in ("server", "source"):
        if name in names:
            ticks = view[name]
            fine = view[f"{name}_fine"] if f"{name}_fine" in names else None
            _put_time(time, ticks, fine)
    return _Part(
        kind,
        index,
        np.ascontiguousarray(view["handle"]) if "handle" in names else index.astype(np.uint32),
        time,
        np.ascontiguousarray(view["status"]) if "status" in names else np.zeros(number, np.uint32),
        np.ascontiguousarray(view["value"]) if "value" in names else None,
    )


def _put_time(time: npt.NDArray[np.int64], ticks: npt.NDArray[np.int64], fine: npt.NDArray[np.uint16] | None) -> None:
    """Writes the times that ``ticks`` can say over ``time``; the fine part counts in 10 ps."""
    known = (ticks >= _FIRST_TICK) & (ticks <= _LAST_TICK)
    if fine is None:
        if known.all():
            np.multiply(ticks - EPOCH_TICKS, 100, out=time)
            return
        rest: Any = 0
    else:
        rest = np.minimum(fine[known], 9999).astype(np.int64) // 100
    time[known] = (ticks[known] - EPOCH_TICKS) * 100 + rest


def _single(reader: Reader, index: int, handles: bool, single: dict[int, list[tuple[int, int, int, int, Any]]]) -> None:
    """One sample of variable size; its mask has a value."""
    handle = reader.uint32() if handles else index
    mask = reader.byte()
    kind, value = reader.variant()
    status = reader.uint32() if mask & 0x02 else 0
    source = _fine_time(reader, mask & 0x04, mask & 0x10)
    server = _fine_time(reader, mask & 0x08, mask & 0x20)
    single.setdefault(kind, []).append((index, handle, source or server, status, value))


def _fine_time(reader: Reader, coarse: int, fine: int) -> int:
    time = nanoseconds(reader.int64()) if coarse else 0
    rest = min(reader.uint16(), 9999) // 100 if fine else 0
    return time + rest if time else 0


def _part_of_singles(kind: int, rows: list[tuple[int, int, int, int, Any]]) -> _Part:
    index, handle, time, status, value = zip(*rows, strict=True)
    values = list(value) if kind else None
    return _Part(
        kind, np.array(index), np.array(handle, np.uint32), np.array(time, np.int64), np.array(status, np.uint32), values
    )


def _blocks(parts: list[_Part]) -> list[Block]:
    """One block a type, in the order of the message."""
    by_kind: dict[int, list[_Part]] = {}
    for part in parts:
        by_kind.setdefault(part.kind, []).append(part)
    blocks: list[Block] = []
    for kind, same in by_kind.items():
        if len(same) == 1:
            only = same[0]
            blocks.append(Block(kind, only.handle, only.time, only.status, only.value))
            continue
        order = np.argsort(np.concatenate([part.index for part in same]), kind="stable")
        handle = np.concatenate([part.handle for part in same])[order]
        time = np.concatenate([part.time for part in same])[order]
        status = np.concatenate([part.status for part in same])[order]
        value = None if same[0].value is None else np.concatenate([part.value for part in same])[order]
        blocks.append(Block(kind, handle, time, status, value))
    return blocks
