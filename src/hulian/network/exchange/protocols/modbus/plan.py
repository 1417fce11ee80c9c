"""The read plan: which requests read which values, and one step from the answers to columns.

Neighbouring values share a request; a request that the device refuses is divided until the refused address stands alone.
No I/O.
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np
import numpy.typing as npt

from hulian.kernel.quality import Quality
from hulian.kernel.sample import Columns
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.modbus.address import Table
from hulian.network.exchange.protocols.modbus.output import Output
from hulian.network.exchange.protocols.modbus.values import Item, Numbers, decode_text

__all__ = ["Block", "Limits", "Plan", "join"]

_BAD: Final = 0x8000_0000
_NO_CUTS: Final[Mapping[Table, Sequence[int]]] = {}


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


class Block:
    """One read request, and the positions (in the plan's items) of the values that it carries.

    ``number`` is its place in the plan, -1 when it has been replaced. A block is equal to itself only.
    """

    __slots__ = ("count", "members", "number", "offset", "table")

    def __init__(self, table: Table, offset: int, count: int, members: tuple[int, ...]) -> None:
        self.table = table
        self.offset = offset
        self.count = count
        self.members = members
        self.number = -1

    def __repr__(self) -> str:
        return f"Block({self.table}@{self.offset}+{self.count}, {len(self.members)} values)"

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


def join(items: Sequence[Item], limits: Limits, cuts: Mapping[Table, Sequence[int]] = _NO_CUTS) -> list[Block]:
    """Blocks that read every item once, ordered by table and offset.

    ``cuts`` (sorted offsets of each table) are places that the device does not let be read across: no block joins what lies
    before such an offset with what begins at or behind it.
    """
    blocks: list[Block] = []
    for table in Table:
        members = [position for position, item in enumerate(items) if item.place.table is table]
        members.sort(key=lambda position: items[position].place.offset)
        marks = cuts.get(table, ())
        run: list[int] = []
        start = stop = 0
        for member in members:
            first, last = items[member].place.offset, items[member].place.offset + items[member].place.count
            if run and (
                first > stop + limits.bridge(table)
                or max(last, stop) - start > limits.most(table)
                or (marks and bisect_right(marks, first) != bisect_right(marks, start))
            ):
                blocks.append(Block(table, start, stop - start, tuple(run)))
                run = []
            if not run:
                start, stop = first, last
            run.append(member)
            stop = max(stop, last)
        if run:
            blocks.append(Block(table, start, stop - start, tuple(run)))
    return blocks


class Plan:
    """The items of one unit and one interval, their requests, and what they read last."""

    def __init__(self, items: Sequence[Item], limits: Limits, *, repeat_after: int | None = None) -> None:
        """``repeat_after`` (ns) leaves values out that differ in nothing from the last one given, for at most so long."""
        self.items = list(items)
        self._limits = limits
        self._repeat_after = repeat_after
        self._cuts: dict[Table, list[int]] = {}
        self.blocks = join(self.items, limits)
        self._outputs: dict[StorageClass, Output] = {}
        kinds: dict[tuple[StorageClass, str], list[int]] = {}
        for member, item in enumerate(self.items):
            kinds.setdefault((item.storage, item.kind), []).append(member)
        # Wide numbers first: in the gathered bytes every number then lies where its width wants it.
        self._kinds = sorted(kinds.items(), key=lambda pair: -self.items[pair[1][0]].place.width)
        for storage in StorageClass:
            members = [member for (found, _), group in self._kinds if found is storage for member in group]
            if members:
                self._outputs[storage] = Output(storage, members, [self.items[member].series for member in members])
        self._compile()

    def _compile(self) -> None:
        """Lays the answers of all blocks behind one another and says where each value lies."""
        self._starts: list[int] = []
        block_of = np.zeros(len(self.items), np.intp)
        places: dict[int, tuple[int, int]] = {}
        size = 0
        for number, block in enumerate(self.blocks):
            block.number = number
            self._starts.append(size)
            for member in block.members:
                entry = self.items[member].place.offset - block.offset
                places[member] = (size + entry // 8, entry % 8) if block.table.bits else (size + 2 * entry, 0)
                block_of[member] = number
            size += (block.count + 7) // 8 if block.table.bits else 2 * block.count
        self._bytes = bytearray(size)
        self._view = memoryview(self._bytes)
        self._buffer = np.frombuffer(self._bytes, np.uint8)
        self._times = [0] * len(self.blocks)
        self._fresh = [False] * len(self.blocks)
        self._failed = [0] * len(self.blocks)
        self._missing = len(self.blocks)
        self._wrong = False
        self._texts: list[tuple[int, Item, int]] = []
        # Each group of numbers: its output, its rows there, and its bytes among the gathered ones.
        self._numbers: list[tuple[Output, slice, slice, Numbers]] = []
        gathered = 0
        for (storage, kind), members in self._kinds:
            output = self._outputs[storage]
            output.blocks = block_of[output.members]
            if kind in ("string", "bytes"):
                self._texts += [(output.row[member], self.items[member], places[member][0]) for member in members]
                continue
            numbers = Numbers(kind, storage, [(self.items[member], *places[member]) for member in members])
            row = output.row[members[0]]
            taken = slice(gathered, gathered + len(numbers.index))
            self._numbers.append((output, slice(row, row + len(members)), taken, numbers))
            gathered += len(numbers.index)
        indexes = [numbers.index for *_, numbers in self._numbers]
        self._index = np.concatenate(indexes) if indexes else np.zeros(0, np.intp)

    # -- dividing and joining -------------------------------------------------------------------------------------------

    def replace(self, block: Block, parts: Iterable[Block]) -> None:
        """Reads ``parts`` instead of ``block`` from now on. What was answered and not yet taken by `columns` is lost."""
        place = self.blocks.index(block)
        block.number = -1
        self.blocks[place : place + 1] = parts
        self._compile()

    def cut(self, table: Table, *offsets: int) -> None:
        """From the next `rejoin` on no request reads across these offsets."""
        marks = self._cuts.setdefault(table, [])
        for offset in offsets:
            insort(marks, offset)

    def heal(self, table: Table, *offsets: int) -> None:
        """Takes cuts back."""
        marks = self._cuts.get(table, [])
        for offset in offsets:
            if offset in marks:
                marks.remove(offset)

    def rejoin(self) -> None:
        """Joins again whatever no cut keeps apart. What was answered and not yet taken by `columns` is lost."""
        found = join(self.items, self._limits, self._cuts)
        old = {(block.table, block.offset, block.count, block.members): block for block in self.blocks}
        for block in self.blocks:
            block.number = -1
        self.blocks = [old.get((block.table, block.offset, block.count, block.members), block) for block in found]
        self._compile()

    # -- answers --------------------------------------------------------------------------------------------------------

    def answered(self, number: int, payload: bytes | memoryview, time: int) -> None:
        """Block ``number`` was answered at ``time`` (UTC ns) with ``payload``, whose length has been checked."""
        start = self._starts[number]
        self._view[start : start + len(payload)] = payload
        self._times[number] = time
        if self._failed[number]:
            self._failed[number] = 0
        if not self._fresh[number]:
            self._fresh[number] = True
            self._missing -= 1

    def failed(self, number: int, status: int, time: int) -> None:
        """Block ``number`` has no values at ``time``; its samples carry ``status``."""
        self._times[number] = time
        self._failed[number] = status
        self._wrong = True
        if not self._fresh[number]:
            self._fresh[number] = True
            self._missing -= 1

    def columns(self) -> list[Columns]:
        """What was answered since the last call, one `Columns` a storage class."""
        if self._missing == len(self.blocks):
            return []
        if self._missing or self._wrong or self._texts or self._repeat_after is not None:
            found = self._some()
        else:
            found = self._whole()
        self._fresh = [False] * len(self.blocks)
        self._missing = len(self.blocks)
        self._wrong = any(self._failed)
        return found

    def _whole(self) -> list[Columns]:
        """The usual case: every block was answered, and everything is numbers."""
        raw = self._buffer.take(self._index)
        times = None if len(self.blocks) == 1 else np.array(self._times, np.int64)
        parts: dict[StorageClass, list[tuple[slice, Any, Any]]] = {}
        for output, rows, taken, numbers in self._numbers:
            parts.setdefault(output.storage, []).append((rows, *numbers.decode(raw[taken])))
        found = []
        for storage, groups in parts.items():
            output = self._outputs[storage]
            when = np.full(len(output.members), self._times[0], np.int64) if times is None else times[output.blocks]
            found.append(output.replaced(groups, when))
        return found

    def _some(self) -> list[Columns]:
        """Some blocks were answered, or refused, or hold text, or only changes are wanted."""
        raw = self._buffer.take(self._index)
        fresh, failures = np.array(self._fresh), np.array(self._failed, np.uint32)
        times = np.array(self._times, np.int64)
        good = fresh & (failures == 0)
        decoded = {storage: np.zeros(len(output.members), np.uint32) for storage, output in self._outputs.items()}
        for output, span, taken, numbers in self._numbers:
            values, status = numbers.decode(raw[taken])
            usable = good[output.blocks[span]]
            rows = np.flatnonzero(usable) + span.start
            if output.storage is StorageClass.STRUCTURE:
                output.own_values()[rows] = [str(int(value)) for value in values[usable]]
            else:
                output.own_values()[rows] = values[usable]
            if status is not None:
                decoded[output.storage][span] = status
        self._decode_texts(good, decoded)
        found = []
        for storage, output in self._outputs.items():
            rows = np.flatnonzero(fresh[output.blocks])
            if not len(rows):
                continue
            blocks = output.blocks[rows]
            status = np.where(failures[blocks] != 0, failures[blocks], decoded[storage][rows]).astype(np.uint32)
            output.known[rows] |= (status & _BAD) == 0
            columns = output.given(rows, times[blocks], status, self._repeat_after)
            if columns is not None:
                found.append(columns)
        return found

    def _decode_texts(self, good: npt.NDArray[np.bool_], decoded: dict[StorageClass, npt.NDArray[np.uint32]]) -> None:
        for row, item, start in self._texts:
            output = self._outputs[item.storage]
            if good[output.blocks[row]]:
                value = decode_text(item, bytes(self._view[start : start + 2 * item.place.count]))
                output.own_values()[row] = value
                if value is None:
                    decoded[item.storage][row] = Quality.BAD_DECODING_ERROR

    def marked(self, status: int, time: int) -> list[Columns]:
        """Every item at ``time`` with ``status``: its last value where that is uncertain, none where it is bad.

        Items that are bad for a reason of their own keep it and are left out.
        """
        found = [output.marked(status, time) for output in self._outputs.values()]
        return [columns for columns in found if columns is not None]

    @property
    def bad(self) -> int:
        """Items whose last sample was bad."""
        return sum(output.bad for output in self._outputs.values())
