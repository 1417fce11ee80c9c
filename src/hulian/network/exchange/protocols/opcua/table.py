"""The bindings of one connection as columns: from decoded samples to the house's columns, and what each point last said.

The client handle of a monitored item is its binding's place in this table, so that a message of a thousand samples is
turned by a handful of array operations.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from hulian.kernel.quality import Quality
from hulian.kernel.sample import Columns, value_type
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding
from hulian.network.exchange.protocols.opcua.samples import Block
from hulian.network.exchange.protocols.opcua.values import ARRAY, BuiltIn, Reader, to_json, to_text

__all__ = ["Table", "Taken", "natural_storage"]

_STORAGES: Final = tuple(StorageClass)
_CODE: Final = {storage: code for code, storage in enumerate(_STORAGES)}
_OVERFLOW: Final = 0x0480
"""InfoType DataValue with the Overflow bit (OPC 10000-4, table 174): the server's queue lost samples before this one."""

_AWAY: Final = np.array([Quality.UNCERTAIN_NO_COMMUNICATION_LAST_USABLE, Quality.BAD_NO_COMMUNICATION], np.uint32)
"""The statuses that we give while the server is away."""

_INTEGERS: Final = frozenset(
    {
        BuiltIn.SBYTE,
        BuiltIn.BYTE,
        BuiltIn.INT16,
        BuiltIn.UINT16,
        BuiltIn.INT32,
        BuiltIn.UINT32,
        BuiltIn.INT64,
        BuiltIn.UINT64,
        BuiltIn.STATUS_CODE,
    }
)
_TEXTS: Final = frozenset(
    {
        BuiltIn.STRING,
        BuiltIn.DATETIME,
        BuiltIn.GUID,
        BuiltIn.XML_ELEMENT,
        BuiltIn.NODE_ID,
        BuiltIn.EXPANDED_NODE_ID,
        BuiltIn.QUALIFIED_NAME,
        BuiltIn.LOCALIZED_TEXT,
    }
)
_EXACT: Final = 2**53


def natural_storage(kind: int) -> StorageClass:
    """The storage class of a built-in type (with `ARRAY`: of arrays of it)."""
    if kind & ARRAY or kind == BuiltIn.UINT64:
        return StorageClass.STRUCTURE
    if kind in (BuiltIn.FLOAT, BuiltIn.DOUBLE):
        return StorageClass.DOUBLE
    if kind in _INTEGERS:
        return StorageClass.INTEGER
    if kind == BuiltIn.BOOLEAN:
        return StorageClass.BOOLEAN
    if kind in _TEXTS:
        return StorageClass.TEXT
    return StorageClass.BYTES if kind == BuiltIn.BYTESTRING else StorageClass.STRUCTURE


class Taken(NamedTuple):
    """What a message became: ``columns`` for the sink; places in the table that need a person's eye.

    ``mismatched`` sent a type that does not fit for the first time; ``overflowed`` say that the server's queue lost
    samples; ``foreign`` counts samples whose handle is not ours; ``ahead`` those whose source says a later time than the
    server that took it from there; ``since`` has the time (ns) of the last sample before each overflow.
    """

    columns: list[Columns]
    mismatched: list[tuple[int, int]]
    overflowed: list[int]
    foreign: int
    samples: int
    ahead: int = 0
    since: tuple[int, ...] = ()


class _Part(NamedTuple):
    """Samples that are to become columns of one storage class."""

    handle: Any
    time: Any
    status: Any
    values: Any
    missing: Any


class Table:
    """What each binding last said, by its place; knows neither the network nor the clock.

    ``by_server``: samples carry the server's time instead of the source's where it says one. ``tolerance``: how many ns a
    source may be ahead of its server until that is counted.
    """

    def __init__(self, bindings: Sequence[Binding], *, by_server: bool = False, tolerance: int = 10**9) -> None:
        count = len(bindings)
        self._by_server = by_server
        self._tolerance = tolerance
        self.bindings = tuple(bindings)
        self.series = np.array([binding.series for binding in bindings], np.uint64)
        self.storage = np.array([_CODE[binding.storage] for binding in bindings], np.uint8)
        self.status = np.full(count, Quality.BAD_WAITING_FOR_INITIAL_DATA, np.uint32)
        self.last_time = np.zeros(count, np.int64)
        self.refused = np.zeros(count, np.bool_)
        """Bindings that the server or we cannot serve; they are not marked again when the link is lost."""
        self._marked = np.zeros(count, np.int64)
        self._before = self.status.copy()
        """What each binding said before it was marked."""
        self._numbers = np.zeros(count, np.float64)
        self._integers = np.zeros(count, np.int64)
        self._objects: dict[int, Any] = {}
        self._has_value = np.zeros(count, np.bool_)
        self._mismatched = np.zeros(count, np.bool_)

    def __len__(self) -> int:
        return len(self.bindings)

    @property
    def bad_points(self) -> int:
        """How many bindings say something bad now."""
        return int(np.count_nonzero(self.status & np.uint32(0x8000_0000)))

    def expect_confirmation(self, before: int) -> None:
        """Values that come with an older time than ``before`` are to be confirmed: sent again with the time of receipt."""
        self._marked[:] = np.maximum(self._marked, before)

    def take(self, blocks: Sequence[Block], received: int, *, polled: bool = False) -> Taken:
        """The samples of one message as columns; ``received`` stands in for a time that the message does not have.

        Of ``polled`` values only those that are new are taken: another time or another status than before.
        """
        mismatched: list[tuple[int, int]] = []
        overflowed: list[int] = []
        since: list[int] = []
        parts: dict[int, list[_Part]] = {}
        foreign = ahead = 0
        for block in blocks:
            block, unknown = self._ours(block)
            foreign += unknown
            if self._by_server:
                block.time = np.where(block.server == 0, block.time, block.server)
            else:
                ahead += int(np.count_nonzero((block.time - block.server > self._tolerance) & (block.server != 0)))
            if polled:
                same = (
                    (block.time != 0)
                    & (block.time == self.last_time[block.handle])
                    & (block.status == self.status[block.handle])
                )
                block = block.select(~same)
            if not len(block):
                continue
            over = (block.status & _OVERFLOW) == _OVERFLOW
            if over.any():
                fresh = np.unique(block.handle[over])
                overflowed += fresh.tolist()
                since += self.last_time[fresh].tolist()
            codes = self.storage[block.handle]
            first = int(codes[0])
            for code in [first] if (codes == first).all() else np.unique(codes).tolist():
                one = block.select(codes == code)
                parts.setdefault(code, []).append(self._fitted(one, _STORAGES[code], received, mismatched))
        columns = [made for code, some in parts.items() if (made := self._columns(_STORAGES[code], some, received)) is not None]
        return Taken(columns, mismatched, overflowed, foreign, sum(map(len, columns)), ahead, tuple(since))

    def past(self, blocks: Sequence[Block]) -> list[Columns]:
        """Samples of the past as columns: what a point says *now* is not touched. One without a time is left out."""
        columns: list[Columns] = []
        for block in blocks:
            block, _ = self._ours(block)
            block = block.select(block.time != 0)
            codes = self.storage[block.handle]
            for code in np.unique(codes).tolist():
                part = self._fitted(block.select(codes == code), _STORAGES[code], 0, [])
                values = _arrow(_STORAGES[code], part.values, part.missing)
                columns.append(Columns(_STORAGES[code], self.series[part.handle], part.time, values, part.status))
        return columns

    def _ours(self, block: Block) -> tuple[Block, int]:
        if int(block.handle.max(initial=0)) < len(self.bindings):
            return block, 0
        known = block.handle < len(self.bindings)
        return block.select(known), int(len(known) - np.count_nonzero(known))

    def _fitted(self, block: Block, storage: StorageClass, received: int, mismatched: list[tuple[int, int]]) -> _Part:
        handle = block.handle.astype(np.intp)
        time = block.time if block.time.all() else np.where(block.time == 0, received, block.time)
        status = block.status
        values, missing, wrong = fit(block, storage)
        if wrong is not None and wrong.any():
            status = np.where(wrong, np.uint32(Quality.BAD_TYPE_MISMATCH), status)
            fresh = np.unique(handle[wrong & ~self._mismatched[handle]])
            self._mismatched[fresh] = True
            mismatched += [(int(place), block.kind) for place in fresh]
        if missing is not None and block.kind == BuiltIn.NULL:
            good = (status & np.uint32(0xC000_0000)) == 0
            status = np.where(good, np.uint32(Quality.BAD_NO_DATA), status)
        return _Part(handle, time, status, values, missing)

    def _columns(self, storage: StorageClass, parts: list[_Part], received: int) -> Columns | None:
        """The parts of one message that have one storage class, in the order of their times."""
        handle, time, status, values, missing = parts[0] if len(parts) == 1 else _joined(parts)
        handle, time, status, values, missing = self._confirm(handle, time, status, values, missing, received)
        if not len(handle):
            return None
        self._remember(storage, handle, time, status, values, missing)
        return Columns(storage, self.series[handle], time, _arrow(storage, values, missing), status)

    def _confirm(
        self, handle: Any, time: Any, status: Any, values: Any, missing: Any, received: int
    ) -> tuple[Any, Any, Any, Any, Any]:
        """After a lost link: what is known already is not sent again; an old value is confirmed with the time of receipt."""
        marked = self._marked[handle]
        if not marked.any():
            return handle, time, status, values, missing
        repeated = (marked > 0) & (time <= self.last_time[handle])
        old = (marked > 0) & (time <= marked)
        order = np.arange(len(handle))
        _, last_reversed = np.unique(handle[::-1], return_index=True)
        newest = np.zeros(len(handle), np.bool_)
        newest[len(handle) - 1 - last_reversed] = True
        again = order[old & newest]
        self._marked[handle] = 0
        if not len(again) and not repeated.any():
            return handle, time, status, values, missing
        take = np.concatenate([order[~repeated], again])
        times = np.concatenate([time[~repeated], np.maximum(received, marked[again] + 1)])
        return (
            handle[take],
            times,
            status[take],
            values[take] if isinstance(values, np.ndarray) else [values[place] for place in take.tolist()],
            None if missing is None else missing[take],
        )

    def _remember(self, storage: StorageClass, handle: Any, time: Any, status: Any, values: Any, missing: Any) -> None:
        self.status[handle] = status
        self.last_time[handle] = time
        self._has_value[handle] = True if missing is None else ~missing
        if storage is StorageClass.DOUBLE:
            self._numbers[handle] = values
        elif storage in (StorageClass.INTEGER, StorageClass.BOOLEAN):
            self._integers[handle] = values
        else:
            self._objects.update(zip(handle.tolist(), values, strict=True))

    def mark(self, status: int, now: int, *, keep_value: bool, places: Sequence[int] | None = None) -> list[Columns]:
        """One sample for each binding (or those at ``places``) with ``status``: the last value, or none.

        Bindings that are refused are left out unless they are named; with ``keep_value`` also those that never had a
        value or are bad already.
        """
        if places is None:
            chosen = np.flatnonzero(self._has_value & ~self.refused) if keep_value else np.flatnonzero(~self.refused)
            chosen = chosen[self.status[chosen] != status]
            if keep_value:
                chosen = chosen[(self.status[chosen] & np.uint32(0x8000_0000)) == 0]
        else:
            chosen = np.asarray(places, np.intp)
        fresh = chosen[~np.isin(self.status[chosen], _AWAY)]
        self._before[fresh] = self.status[fresh]
        columns = self._repeat(chosen, np.full(len(chosen), status, np.uint32), now, keep_value=keep_value)
        self.status[chosen] = status
        return columns

    def confirm(self, now: int) -> list[Columns]:
        """The link is back and nothing has changed: what each marked binding said before, with the time ``now``."""
        chosen = np.flatnonzero(np.isin(self.status, _AWAY) & ~self.refused & (self._marked > 0))
        statuses = self._before[chosen]
        columns = self._repeat(chosen, statuses, now, keep_value=True)
        self.status[chosen] = statuses
        self.last_time[chosen] = self._marked[chosen]
        self._marked[chosen] = 0
        return columns

    def _repeat(
        self, chosen: npt.NDArray[np.intp], statuses: npt.NDArray[np.uint32], now: int, *, keep_value: bool
    ) -> list[Columns]:
        """One sample for each binding at ``chosen``, newer than any before it."""
        columns: list[Columns] = []
        for code in np.unique(self.storage[chosen]).tolist():
            storage = _STORAGES[code]
            same = self.storage[chosen] == code
            handle, status = chosen[same], statuses[same]
            time = np.maximum(now, np.maximum(self.last_time[handle], self._marked[handle]) + 1)
            known = self._has_value[handle] if keep_value else np.zeros(len(handle), np.bool_)
            if storage is StorageClass.DOUBLE:
                values: Any = self._numbers[handle]
            elif storage in (StorageClass.INTEGER, StorageClass.BOOLEAN):
                values = self._integers[handle]
            else:
                values = [self._objects.get(place) for place in handle.tolist()]
            self._marked[handle] = time
            columns.append(Columns(storage, self.series[handle], time, _arrow(storage, values, ~known), status))
        return columns


def _joined(parts: list[_Part]) -> _Part:
    """Several parts as one, by time: what a point said last stands last, whatever its type was."""
    time = np.concatenate([part.time for part in parts])
    order = time.argsort(kind="stable")
    missing = None
    if any(part.missing is not None for part in parts):
        gone = [np.zeros(len(part.handle), np.bool_) if part.missing is None else part.missing for part in parts]
        missing = np.concatenate(gone)[order]
    if all(isinstance(part.values, np.ndarray) for part in parts):
        values: Any = np.concatenate([part.values for part in parts])[order]
    else:
        listed = [value for part in parts for value in part.values]
        values = [listed[place] for place in order.tolist()]
    handle = np.concatenate([part.handle for part in parts])[order]
    return _Part(handle, time[order], np.concatenate([part.status for part in parts])[order], values, missing)


def fit(block: Block, storage: StorageClass) -> tuple[Any, Any, Any]:
    """(values, missing, wrong) of a block in a storage class.

    A type fits where every value of it can be kept exactly: integers fit doubles up to 2**53, unsigned 64-bit integers fit
    integers up to 2**63 - 1, everything fits structures. What does not fit is missing and wrong.
    """
    kind, value, count = block.kind, block.value, len(block)
    if value is None:
        return _nothing(storage, count), np.ones(count, np.bool_), None
    if storage is StorageClass.STRUCTURE:
        listed = value.tolist() if isinstance(value, np.ndarray) else value
        if kind == BuiltIn.DATETIME:
            listed = _times(value)
        elif kind == BuiltIn.BOOLEAN:
            listed = [element != 0 for element in listed]
        return [to_json(kind, element) for element in listed], None, None
    if storage is StorageClass.DOUBLE and kind in (BuiltIn.FLOAT, BuiltIn.DOUBLE):
        return value.astype(np.float64, copy=False), None, None
    if kind in _INTEGERS and storage in (StorageClass.DOUBLE, StorageClass.INTEGER):
        return _fit_integers(value, storage)
    if storage is StorageClass.BOOLEAN and kind == BuiltIn.BOOLEAN:
        return value != 0, None, None
    if storage is StorageClass.TEXT and kind in _TEXTS:
        if kind in (BuiltIn.STRING, BuiltIn.XML_ELEMENT):
            return value, _missing(value), None
        texts = _times(value) if kind == BuiltIn.DATETIME else [to_text(kind, element) for element in value]
        return texts, _missing(texts), None
    if storage is StorageClass.BYTES and kind == BuiltIn.BYTESTRING:
        return value, _missing(value), None
    return _nothing(storage, count), np.ones(count, np.bool_), np.ones(count, np.bool_)


def _fit_integers(value: Any, storage: StorageClass) -> tuple[Any, Any, Any]:
    if storage is StorageClass.DOUBLE:
        wrong = (value > _EXACT) | (value < -_EXACT) if value.dtype.itemsize == 8 else None
        wide = value.astype(np.float64)
    else:
        wrong = value > np.iinfo(np.int64).max if value.dtype == np.dtype("<u8") else None
        wide = value.astype(np.int64)
    return (wide, wrong, wrong) if wrong is not None and wrong.any() else (wide, None, None)


def _times(ticks: Any) -> list[str]:
    return [Reader(int(tick).to_bytes(8, "little", signed=True)).scalar(BuiltIn.DATETIME) for tick in ticks]


def _missing(values: Sequence[Any]) -> npt.NDArray[np.bool_] | None:
    if None not in values:
        return None
    return np.array([value is None for value in values], np.bool_)


def _nothing(storage: StorageClass, count: int) -> Any:
    if storage is StorageClass.DOUBLE:
        return np.zeros(count, np.float64)
    if storage is StorageClass.INTEGER:
        return np.zeros(count, np.int64)
    return np.zeros(count, np.bool_) if storage is StorageClass.BOOLEAN else [None] * count


def _arrow(storage: StorageClass, values: Any, missing: Any) -> pa.Array:
    if missing is not None and not missing.any():
        missing = None
    if storage is StorageClass.BOOLEAN:
        values = np.asarray(values).astype(np.bool_)
    if isinstance(values, np.ndarray):
        return pa.array(values, type=value_type(storage), mask=missing)
    if missing is not None:
        values = [None if gone else value for value, gone in zip(values, missing.tolist(), strict=True)]
    return pa.array(values, type=value_type(storage))
