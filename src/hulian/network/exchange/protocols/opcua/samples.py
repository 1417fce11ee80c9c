"""DataValues from bytes to columns (OPC 10000-6, section 5.2.2.17): the part of the decoder where the time goes.

A message whose samples all have the same fields and the same fixed-size type is one structured view of its bytes. In any
other one a walk finds where each sample begins, at one look into a table a sample; the columns then come by a handful of
array operations for all samples together, because status and times are counted from a sample's *end*, wherever its value
stops. Only arrays and structures are read one by one. No socket, no clock, no logging.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hulian.network.exchange.protocols.opcua.values import EPOCH_TICKS, BuiltIn, Reader

__all__ = ["Block", "decode_samples", "nanoseconds"]

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
_DTYPES: Final = {kind: np.dtype(form) for kind, form in _NUMPY.items()}
_INT32, _UINT32 = np.dtype("<i4"), np.dtype("<u4")
_TEXTUAL: Final = frozenset({BuiltIn.STRING, BuiltIn.BYTESTRING, BuiltIn.XML_ELEMENT})
"""Types that are a length and so many bytes."""

_FIRST_TICK: Final = EPOCH_TICKS - 2**63 // 100 + 1
_LAST_TICK: Final = EPOCH_TICKS + 2**63 // 100 - 1
_LENGTH = struct.Struct("<i")

_FIELDS: Final = (
    (0x02, "status", "<u4"),
    (0x04, "source", "<i8"),
    (0x10, "source_fine", "<u2"),
    (0x08, "server", "<i8"),
    (0x20, "server_fine", "<u2"),
)
"""The order on the wire, which is not the order of the mask's bits."""

_WALK: Final = 32
"""Samples to walk over before the rest is guessed from what they look like."""

_MASKS: Final = 8
"""Different masks that guessing looks for; the samples with further ones are walked over."""


@dataclass(slots=True)
class Block:
    """Samples of one built-in type, in the order of the message. Immutable by agreement.

    ``kind`` is the type's number (plus `hulian…opcua.values.ARRAY` for arrays; 0: samples without a value); ``handle``
    uint32[n]; ``time`` int64[n] (UTC ns; the source's, else the server's, else 0); ``server`` int64[n] (UTC ns; the
    server's, 0 where it says none); ``status`` uint32[n]; ``value`` a numpy array for fixed-size types (booleans as uint8,
    times as raw ticks), else a list, None for kind 0.
    """

    kind: int
    handle: npt.NDArray[np.uint32]
    time: npt.NDArray[np.int64]
    server: npt.NDArray[np.int64]
    status: npt.NDArray[np.uint32]
    value: Any

    def __len__(self) -> int:
        return len(self.handle)

    def select(self, chosen: npt.NDArray[np.bool_]) -> Block:
        """The samples that a mask chooses; the block itself where it chooses all."""
        if chosen.all():
            return self
        value = self.value
        if isinstance(value, np.ndarray):
            value = value[chosen]
        elif value is not None:
            value = [value[place] for place in np.flatnonzero(chosen).tolist()]
        return Block(self.kind, self.handle[chosen], self.time[chosen], self.server[chosen], self.status[chosen], value)


def nanoseconds(ticks: int) -> int:
    """UTC ns of an OPC UA time, 0 where it is none or lies outside what 64 bits of ns can say."""
    return (ticks - EPOCH_TICKS) * 100 if _FIRST_TICK <= ticks <= _LAST_TICK else 0


def _behind(mask: int, first: int) -> int:
    """Bytes from field number ``first`` of `_FIELDS` to the end of a sample with this mask."""
    return sum(np.dtype(form).itemsize for bit, _, form in _FIELDS[first:] if mask & bit)


_TAIL: Final = [[_behind(mask, first) for mask in range(64)] for first in range(len(_FIELDS))]
_TAILS: Final = np.array(_TAIL, np.int64)

_sizes: tuple[dict[bytes, int], dict[bytes, int]] = ({}, {})
"""Bytes of a sample by its mask and type byte, without a handle and with one; 0 where that depends on the value."""


def _sizes_from_mask() -> npt.NDArray[np.uint8]:
    """Bytes of a sample from its mask on, by mask << 8 | type; 0 where it depends on the value, `_TEXT` for texts."""
    table = np.zeros((64, 256), np.uint8)
    for mask in range(64):
        table[mask] = 0 if mask & 0x01 else 1 + _TAIL[0][mask]
        for kind, form in _DTYPES.items() if mask & 0x01 else ():
            table[mask, kind] = 2 + form.itemsize + _TAIL[0][mask]
        for kind in _TEXTUAL if mask & 0x01 else ():
            table[mask, kind] = _TEXT
    return table.reshape(-1)


_TEXT: Final = 255
_SIZES: Final = _sizes_from_mask()


def _size(start: bytes, head: int) -> int:
    mask = start[0]
    rest = head + 1 + _TAIL[0][mask]
    if not mask & 0x01:
        return rest
    return rest + 1 + _DTYPES[start[1]].itemsize if start[1] in _DTYPES else 0


def decode_samples(reader: Reader, count: int, *, handles: bool) -> list[Block]:
    """``count`` samples from the reader's position on, each led by its handle where ``handles``. Raises `WireError`.

    Without handles a sample's handle is its place. At most one block a type, in the order of the message.
    """
    if not count:
        return []
    if _run(reader, count, handles) == count:
        return [_uniform(reader, count, handles)]
    walk = _Walk(reader, handles)
    offsets = [np.array(walk.step(min(_WALK, count)), np.int64)]
    if walk.index < count:
        walk.look(offsets[0], count - walk.index)
    while walk.index < count:
        offsets.append(walk.stride(count - walk.index))
    return _columns(reader, np.concatenate(offsets), walk.others, handles)


def _run(reader: Reader, possible: int, handles: bool) -> int:
    """How many of the next ``possible`` samples have one fixed size, the same mask and the same type.

    Less than a few dozen is told as 0 or 1: a walk is quicker than an answer.
    """
    data, position, head = reader.data, reader.position, 4 * handles
    if possible < 1:
        return 0
    start = data[position + head : position + head + 2]
    if len(start) < 2 or start[0] & 0xC0:
        return 0
    sizes = _sizes[handles]
    size = sizes.get(start)
    if size is None:
        size = sizes[start] = _size(start, head)
    possible = min(possible, (reader.end - position) // size) if size else 0
    length = 2 if start[0] & 0x01 else 1
    for step in (1, 3, 9):
        at = position + head + step * size
        if step < possible and data[at : at + length] != start[:length]:
            return 0
    found, window = 0, 256
    while found < possible:
        number = min(window, possible - found)
        rows = np.frombuffer(data, np.uint8, number * size, position + found * size).reshape(number, size)
        same = rows[:, head] == start[0]
        if length == 2:
            same &= rows[:, head + 1] == start[1]
        if not same.all():
            return found + int(same.argmin())
        found += number
        window *= 4
    return found


_layouts: dict[int, np.dtype[Any]] = {}


def _layout(mask: int, kind: int, handles: bool) -> np.dtype[Any]:
    """The fields of a sample of fixed size."""
    key = handles << 16 | mask << 8 | kind
    if key not in _layouts:
        fields: list[tuple[str, str]] = [("handle", "<u4")] if handles else []
        fields.append(("mask", "u1"))
        if mask & 0x01:
            fields += [("kind", "u1"), ("value", _NUMPY[kind])]
        fields += [(name, form) for bit, name, form in _FIELDS if mask & bit]
        _layouts[key] = np.dtype(fields)
    return _layouts[key]


def _uniform(reader: Reader, count: int, handles: bool) -> Block:
    """All ``count`` samples as one view: they have the same fixed size."""
    mask = reader.data[reader.position + 4 * handles]
    kind = reader.data[reader.position + 4 * handles + 1] if mask & 0x01 else 0
    layout = _layout(mask, kind, handles)
    view: Any = np.frombuffer(reader.data, layout, count, reader.skip(count * layout.itemsize))
    server = _times(view["server"], view["server_fine"] if mask & 0x20 else None) if mask & 0x08 else np.zeros(count, np.int64)
    time = server
    if mask & 0x04:
        time = _times(view["source"], view["source_fine"] if mask & 0x10 else None)
        if mask & 0x08 and not time.all():
            time = np.where(time == 0, server, time)
    return Block(
        kind,
        view["handle"].copy() if handles else np.arange(count, dtype=np.uint32),
        time,
        server,
        view["status"].copy() if mask & 0x02 else np.zeros(count, np.uint32),
        view["value"].copy() if mask & 0x01 else None,
    )


def _times(ticks: Any, fine: Any = None) -> npt.NDArray[np.int64]:
    """UTC ns of ``ticks``, 0 where they cannot be said; the fine part counts in 10 ps."""
    time: npt.NDArray[np.int64] = (ticks - EPOCH_TICKS) * 100
    if fine is not None:
        time += np.minimum(fine, 9999).astype(np.int64) // 100
    # The smallest and the greatest tell whether any is outside: two passes instead of three and a mask.
    if len(time) and not (int(ticks.min()) >= _FIRST_TICK and int(ticks.max()) <= _LAST_TICK):
        time[(ticks < _FIRST_TICK) | (ticks > _LAST_TICK)] = 0
    return time


class _Walk:
    """Where samples of mixed sizes begin. ``others`` holds, by place, (type, value) of what was read on the way.

    Samples are a chain: one begins where the one before ends. `step` follows it link by link. `look` and `stride` guess it:
    every byte that looks like a mask begins a sample, perhaps; what hangs together with where we stand is the chain, and
    the rest is dropped. So nothing is taken because it looks right.
    """

    __slots__ = ("_behind", "_breaks", "_handles", "_head", "_masks", "_reader", "_starts", "index", "others")

    def __init__(self, reader: Reader, handles: bool) -> None:
        self._reader = reader
        self._handles = handles
        self._head = 4 * handles
        self._masks: set[int] = set()
        self._starts = self._behind = self._breaks = np.empty(0, np.int64)
        self.index = 0
        self.others: dict[int, tuple[int, Any]] = {}

    def look(self, before: npt.NDArray[np.int64], count: int) -> None:
        """Finds the places in the rest of the message where a sample like those ``before`` may begin."""
        reader, head = self._reader, self._head
        for mask in np.unique(np.frombuffer(reader.data, np.uint8)[before + head]).tolist():
            # Where a sample has this mask, another may have a status besides, or instead of its value.
            self._masks |= {mask, mask | 0x02, (mask | 0x02) & ~0x01}
        begin, length = reader.position, reader.end - reader.position
        raw = np.frombuffer(reader.data, np.uint8, length, begin)
        likely = np.zeros(length + 1, np.bool_)
        for mask in list(self._masks)[:_MASKS]:
            likely[:-1] |= raw == mask
        starts = np.flatnonzero(likely)
        kind = raw[np.minimum(starts + 1, length - 1)]
        size = _SIZES[raw[starts].astype(np.intp) << 8 | kind].astype(np.int64)
        texts = np.flatnonzero(size == _TEXT)
        texts = texts[starts[texts] + 6 <= length]
        if len(texts):
            lengths = _gather(reader.data, starts[texts] + (begin + 2), _INT32)
            size[texts] = 6 + _TAILS[0][raw[starts[texts]]] + np.maximum(lengths, 0)
        behind = starts + size
        real = np.flatnonzero(likely[np.minimum(behind + head, length)] & (size > 0))
        if len(real) > 2 * count + 64:
            real = real[:0]  # too much looks like a sample: following the chain is quicker
        self._starts, self._behind = starts[real] + (begin - head), behind[real] + begin
        self._breaks = np.flatnonzero(self._starts[1:] != self._behind[:-1])

    def stride(self, count: int) -> npt.NDArray[np.int64]:
        """The offsets of the next samples: at least one, at most ``count``."""
        reader, starts = self._reader, self._starts
        first = int(starts.searchsorted(reader.position))
        if first == len(starts) or starts[first] != reader.position:
            return np.array(self.step(1 if len(starts) else count), np.int64)
        place = int(self._breaks.searchsorted(first))
        last = int(self._breaks[place]) if place < len(self._breaks) else len(starts) - 1
        last = min(last, first + count - 1)
        self.index += last + 1 - first
        reader.position = int(self._behind[last])
        return starts[first : last + 1]

    def step(self, count: int) -> list[int]:
        """The offsets of the next ``count`` samples; the reader stands behind the last one."""
        reader, head = self._reader, self._head
        data, position, end = reader.data, reader.position, reader.end
        sizes = _sizes[self._handles]
        offsets: list[int] = []
        append = offsets.append
        first, behind, unpack = head, head + 2, _LENGTH.unpack_from
        for number in range(count):
            start = data[position + first : position + behind]
            try:
                size = sizes[start]
            except KeyError:
                size = self._learn(start, position, number)
            append(position)
            if size:
                position += size
            elif start[1] in _TEXTUAL:
                if position + head + 6 > end:
                    reader.position = position
                    raise reader.fail("the message ends within a sample")
                (length,) = unpack(data, position + behind)
                position += head + 6 + _TAIL[0][start[0]] + (length if length > 0 else 0)
            else:
                reader.position = position + head + 1
                self.others[self.index + number] = reader.variant()
                position = reader.position + _TAIL[0][start[0]]
            if position > end:
                reader.position = offsets[-1]
                raise reader.fail(f"the message ends within sample {self.index + number}")
        reader.position = position
        self.index += count
        return offsets

    def _learn(self, start: bytes, position: int, number: int) -> int:
        """The size of a sample that begins with a mask and type not seen before."""
        self._reader.position = position
        if not start or position + self._head >= self._reader.end:
            raise self._reader.fail(f"the message ends after {self.index + number} samples")
        if start[0] & 0xC0:
            raise self._reader.fail(f"a sample has the reserved mask bits {start[0]:#04x}")
        if len(start) < 2:  # at the very end only a sample without any field has room
            start += b"\0"
            if start[0] & 0x01:
                raise self._reader.fail("the message ends within a sample")
        size = _sizes[self._handles][start] = _size(start, self._head)
        return size


def _columns(reader: Reader, offset: npt.NDArray[np.int64], others: dict[int, tuple[int, Any]], handles: bool) -> list[Block]:
    """The samples that begin at ``offset`` and end where the next begins, as blocks by type."""
    data, count, head = reader.data, len(offset), 4 * handles
    raw = np.frombuffer(data, np.uint8)
    mask = raw[offset + head]
    every, some = int(np.bitwise_and.reduce(mask)), int(np.bitwise_or.reduce(mask))
    if every & 0x01:
        kind = raw[offset + (head + 1)]
    elif some & 0x01:
        kind = np.where(mask & 0x01, raw[np.minimum(offset + (head + 1), len(data) - 1)], np.uint8(0))
    else:
        kind = np.zeros(count, np.uint8)
    if others:
        places = np.fromiter(others, np.int64, len(others))
        kind[places] = np.fromiter((found[0] for found in others.values()), np.uint8, len(others))
    order = kind.argsort(kind="stable")
    kinds, offset = kind[order], offset[order]
    if every != some:
        mask = mask[order]
    behind = _behind_each(offset, reader.position, order)
    tail = _Tail(data, behind, mask, every, some)
    status, server = tail.field(0), tail.times(3)
    time = server
    if some & 0x04:
        time = tail.times(1)
        if some & 0x08 and not time.all():
            time = np.where(time == 0, server, time)
    handle = _gather(data, offset, _UINT32) if handles else order.astype(np.uint32)
    value_at = offset + (head + 2)
    ends = [*(np.flatnonzero(kinds[1:] != kinds[:-1]) + 1).tolist(), count]
    blocks: list[Block] = []
    begin = 0
    for end, one in zip(ends, kinds[[end - 1 for end in ends]].tolist(), strict=True):
        part = slice(begin, end)
        if one in _DTYPES or one in _TEXTUAL or not one:
            value = _values(data, one, value_at[part])
        else:
            value = [others[place][1] for place in order[part].tolist()]
        blocks.append(Block(one, handle[part], time[part], server[part], status[part], value))
        begin = end
    return blocks


def _behind_each(offset: npt.NDArray[np.int64], end: int, order: npt.NDArray[np.intp]) -> npt.NDArray[np.int64]:
    """Where each of the samples at ``offset``, which are in ``order``, ends: where the next in the message begins."""
    begins = np.empty(len(offset) + 1, np.int64)
    begins[order] = offset
    begins[-1] = end
    found: npt.NDArray[np.int64] = begins[order + 1]
    return found


def _values(data: bytes, kind: int, at: npt.NDArray[np.int64]) -> Any:
    """The values of type ``kind`` that begin at ``at``."""
    if kind == BuiltIn.NULL:
        return None
    if kind in _DTYPES:
        return _gather(data, at, _DTYPES[kind])
    pairs = zip((at + 4).tolist(), _gather(data, at, _INT32).tolist(), strict=True)
    if kind == BuiltIn.BYTESTRING:
        return [data[start : start + length] if length >= 0 else None for start, length in pairs]
    return [str(data[start : start + length], "utf-8", "replace") if length >= 0 else None for start, length in pairs]


_OPAQUE: Final = {size: np.dtype(f"V{size}") for size in (1, 2, 4, 8)}


def _gather(data: bytes, at: npt.NDArray[np.int64], form: np.dtype[Any]) -> Any:
    """One value of ``form`` from each byte offset. Opaque items may stand anywhere, so that numpy copies them at once."""
    size = form.itemsize
    return np.ndarray((len(data) - size + 1,), _OPAQUE[size], data, 0, (1,))[at].view(form)


class _Tail:
    """Status and times of the samples that end at ``behind``; ``every`` and ``some`` are what their masks share and have."""

    __slots__ = ("_behind", "_data", "_every", "_mask", "_some")

    def __init__(self, data: bytes, behind: npt.NDArray[np.int64], mask: npt.NDArray[np.uint8], every: int, some: int) -> None:
        self._data, self._behind, self._mask, self._every, self._some = data, behind, mask, every, some

    def field(self, number: int) -> Any:
        """Field ``number`` of `_FIELDS`, 0 where a sample has none."""
        bit, _, form = _FIELDS[number]
        dtype = np.dtype(form)
        if not self._some & bit:
            return np.zeros(len(self._behind), dtype)
        if self._every == self._some:
            return _gather(self._data, self._behind - _TAIL[number][self._every], dtype)
        at = self._behind - _TAILS[number][self._mask]
        if self._every & bit:
            return _gather(self._data, at, dtype)
        present = np.flatnonzero(self._mask & bit)
        found = np.zeros(len(at), dtype)
        found[present] = _gather(self._data, at[present], dtype)
        return found

    def times(self, number: int) -> npt.NDArray[np.int64]:
        """UTC ns of the time that is field ``number``; the field after it is its fine part."""
        if not self._some & _FIELDS[number][0]:
            return np.zeros(len(self._behind), np.int64)
        return _times(self.field(number), self.field(number + 1) if self._some & _FIELDS[number + 1][0] else None)
