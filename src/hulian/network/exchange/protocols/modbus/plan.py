"""The read plan: which requests read which values, and one step from the answers to columns.

Neighbouring values share a request; a request that the device refuses is divided until the refused address stands alone.
No I/O.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hulian.kernel.quality import Quality
from hulian.kernel.sample import Columns, value_type
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.modbus.address import Table
from hulian.network.exchange.protocols.modbus.values import Item, Numbers, decode_text

__all__ = ["Block", "Limits", "Plan", "join"]

_DTYPES: Final[dict[StorageClass, Any]] = {
    StorageClass.DOUBLE: np.float64,
    StorageClass.INTEGER: np.int64,
    StorageClass.BOOLEAN: np.bool_,
}


class Limits(msgspec.Struct, frozen=True):
    """What one request may span, and how many unused entries it may read on the way."""

    registers: int = 125
    bits: int = 2000
    gap: int = 8
    bit_gap: int = 128

    def most(self, table: Table) -> int:
        """Entries of one request."""
        return self.bits if table.bits else self.registers

    def bridge(self, table: Table) -> int:
        """Unused entries between two values of one request."""
        return self.bit_gap if table.bits else self.gap


class Block(msgspec.Struct, frozen=True):
    """One read request, and the positions (in the plan's items) of the values that it carries."""

    table: Table
    offset: int
    count: int
    members: tuple[int, ...]

    def divided(self, items: Sequence[Item]) -> list[Block]:
        """Two halves by their values, without the gap between them; the block itself where it carries one value."""
        if len(self.members) < 2:
            return [self]
        ordered = sorted(self.members, key=lambda member: items[member].place.offset)
        half = len(ordered) // 2
        return [_spanning(items, part) for part in (ordered[:half], ordered[half:])]


def _spanning(items: Sequence[Item], members: Sequence[int]) -> Block:
    start = min(items[member].place.offset for member in members)
    stop = max(items[member].place.offset + items[member].place.count for member in members)
    return Block(items[members[0]].place.table, start, stop - start, tuple(members))


def join(items: Sequence[Item], limits: Limits) -> list[Block]:
    """Blocks that read every item once, ordered by table and offset."""
    blocks: list[Block] = []
    for table in Table:
        members = [position for position, item in enumerate(items) if item.place.table is table]
        members.sort(key=lambda position: items[position].place.offset)
        run: list[int] = []
        start = stop = 0
        for member in members:
            first, last = items[member].place.offset, items[member].place.offset + items[member].place.count
            if run and (first > stop + limits.bridge(table) or max(last, stop) - start > limits.most(table)):
                blocks.append(Block(table, start, stop - start, tuple(run)))
                run = []
            if not run:
                start, stop = first, last
            run.append(member)
            stop = max(stop, last)
        if run:
            blocks.append(Block(table, start, stop - start, tuple(run)))
    return blocks


class _Output:
    """The values of one storage class, kept between polls: what a lost device said last."""

    def __init__(self, storage: StorageClass, members: list[int], items: Sequence[Item]) -> None:
        self.storage = storage
        self.members = np.array(members, dtype=np.intp)
        self.series = np.array([items[member].series for member in members], dtype=np.uint64)
        self.row = {member: row for row, member in enumerate(members)}
        self.status = np.full(len(members), Quality.BAD_WAITING_FOR_INITIAL_DATA, np.uint32)
        self.known = np.zeros(len(members), np.bool_)
        self.values: Any = (
            np.zeros(len(members), _DTYPES[storage]) if storage in _DTYPES else np.full(len(members), None, dtype=object)
        )
        self._given_values: Any = self.values.copy()
        self._given_at = np.zeros(len(members), np.int64)

    def changed(
        self, rows: npt.NDArray[np.intp], times: npt.NDArray[np.int64], status: npt.NDArray[np.uint32], repeat_after: int
    ) -> npt.NDArray[np.bool_]:
        """Which of ``rows`` differ in value or status from what was given last, or were given too long ago."""
        new, old = self.values[rows], self._given_values[rows]
        differs: npt.NDArray[np.bool_] = np.not_equal(new, old).astype(np.bool_)
        if self.storage is StorageClass.DOUBLE:
            differs &= ~(np.isnan(new) & np.isnan(old))
        differs |= (status != self.status[rows]) | (times - self._given_at[rows] >= repeat_after)
        return differs

    def given(self, rows: npt.NDArray[np.intp], times: npt.NDArray[np.int64]) -> None:
        """Remembers what is handed over now."""
        self._given_values[rows] = self.values[rows]
        self._given_at[rows] = times

    def columns(self, rows: npt.NDArray[np.intp], times: npt.NDArray[np.int64], status: npt.NDArray[np.uint32]) -> Columns:
        missing = ~self.known[rows] | ((status & 0x8000_0000) != 0)
        values = pa.array(self.values[rows], type=value_type(self.storage), mask=missing)
        return Columns(self.storage, self.series[rows], times, values, status)


class Plan:
    """The items of one unit and one interval, their requests, and what they read last."""

    def __init__(self, items: Sequence[Item], limits: Limits, *, repeat_after: int | None = None) -> None:
        """``repeat_after`` (ns) leaves values out that differ in nothing from the last one given, for at most so long."""
        self.items = list(items)
        self._repeat_after = repeat_after
        self.blocks = join(self.items, limits)
        self._outputs: dict[StorageClass, _Output] = {}
        for storage in StorageClass:
            members = [position for position, item in enumerate(self.items) if item.storage is storage]
            if members:
                self._outputs[storage] = _Output(storage, members, self.items)
        self._compile()

    def _compile(self) -> None:
        """Lays the answers of all blocks behind one another and says where each value lies."""
        self._starts = []
        self.block_of = np.zeros(len(self.items), np.intp)
        places: dict[int, tuple[int, int]] = {}
        size = 0
        for number, block in enumerate(self.blocks):
            self._starts.append(size)
            for member in block.members:
                entry = self.items[member].place.offset - block.offset
                places[member] = (size + entry // 8, entry % 8) if block.table.bits else (size + 2 * entry, 0)
                self.block_of[member] = number
            size += (block.count + 7) // 8 if block.table.bits else 2 * block.count
        self._buffer = np.zeros(size, np.uint8)
        self._times = np.zeros(len(self.blocks), np.int64)
        self._fresh = np.zeros(len(self.blocks), np.bool_)
        self._failed = np.zeros(len(self.blocks), np.uint32)
        kinds: dict[tuple[str, StorageClass], list[tuple[int, Item, int, int]]] = {}
        self._texts: list[tuple[int, Item, int]] = []
        for member, item in enumerate(self.items):
            start, bit = places[member]
            if item.kind in ("string", "bytes"):
                self._texts.append((member, item, start))
            else:
                row = self._outputs[item.storage].row[member]
                kinds.setdefault((item.kind, item.storage), []).append((row, item, start, bit))
        self._numbers = [(storage, Numbers(kind, storage, rows)) for (kind, storage), rows in kinds.items()]

    def replace(self, block: Block, parts: Iterable[Block]) -> None:
        """Reads ``parts`` instead of ``block`` from now on. What was answered and not yet taken by `columns` is lost."""
        place = self.blocks.index(block)
        self.blocks[place : place + 1] = parts
        self._compile()

    def answered(self, number: int, payload: bytes, time: int) -> None:
        """Block ``number`` was answered at ``time`` (UTC ns) with ``payload``, whose length has been checked."""
        start = self._starts[number]
        self._buffer[start : start + len(payload)] = np.frombuffer(payload, np.uint8)
        self._times[number] = time
        self._failed[number] = 0
        self._fresh[number] = True

    def failed(self, number: int, status: int, time: int) -> None:
        """Block ``number`` has no values at ``time``; its samples carry ``status``."""
        self._times[number] = time
        self._failed[number] = status
        self._fresh[number] = True

    def columns(self) -> list[Columns]:
        """What was answered since the last call, one `Columns` a storage class."""
        if not self._fresh.any():
            return []
        found = []
        decoded = {storage: np.zeros(len(output.members), np.uint32) for storage, output in self._outputs.items()}
        fresh_items = self._fresh[self.block_of]
        good_items = fresh_items & (self._failed[self.block_of] == 0)
        for storage, numbers in self._numbers:
            output = self._outputs[storage]
            values, status = numbers.decode(self._buffer)
            taken = good_items[output.members[numbers.positions]]
            rows = numbers.positions[taken]
            if storage is StorageClass.STRUCTURE:
                output.values[rows] = [str(int(value)) for value in values[taken]]
            else:
                output.values[rows] = values[taken]
            decoded[storage][numbers.positions] = status
        self._decode_texts(good_items, decoded)
        for storage, output in self._outputs.items():
            blocks = self.block_of[output.members]
            rows = np.flatnonzero(self._fresh[blocks])
            if not len(rows):
                continue
            failed = self._failed[blocks[rows]]
            status = np.where(failed != 0, failed, decoded[storage][rows]).astype(np.uint32)
            output.known[rows] |= (status & 0x8000_0000) == 0
            times = self._times[blocks[rows]]
            if self._repeat_after is not None:
                keep = output.changed(rows, times, status, self._repeat_after)
                rows, times, status = rows[keep], times[keep], status[keep]
            output.status[rows] = status
            if len(rows):
                output.given(rows, times)
                found.append(output.columns(rows, times, status))
        self._fresh[:] = False
        return found

    def _decode_texts(self, good_items: npt.NDArray[np.bool_], decoded: dict[StorageClass, npt.NDArray[np.uint32]]) -> None:
        for member, item, start in self._texts:
            if good_items[member]:
                output = self._outputs[item.storage]
                row = output.row[member]
                value = decode_text(item, self._buffer[start : start + 2 * item.place.count].tobytes())
                output.values[row] = value
                if value is None:
                    decoded[item.storage][row] = Quality.BAD_DECODING_ERROR

    def marked(self, status: int, time: int) -> list[Columns]:
        """Every item at ``time`` with ``status``: its last value where that is uncertain, none where it is bad.

        Items that are bad for a reason of their own keep it and are left out.
        """
        found = []
        for output in self._outputs.values():
            own = (output.status & 0x8000_0000) != 0
            own &= output.status != Quality.BAD_WAITING_FOR_INITIAL_DATA
            own &= output.status != Quality.BAD_NO_COMMUNICATION
            rows = np.flatnonzero(~own)
            if not len(rows):
                continue
            statuses = np.full(len(rows), status, np.uint32)
            if not status & 0x8000_0000:
                statuses[~output.known[rows]] = Quality.BAD_NO_COMMUNICATION
            output.status[rows] = statuses
            found.append(output.columns(rows, np.full(len(rows), time, np.int64), statuses))
        return found

    @property
    def bad(self) -> int:
        """Items whose last sample was bad."""
        return sum(int(((output.status & 0x8000_0000) != 0).sum()) for output in self._outputs.values())
