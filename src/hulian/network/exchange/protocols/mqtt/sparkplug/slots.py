"""Aliases to points by one look into a table, for whole columns of them; and what the points last said, until somebody asks.

A device whose aliases lie close together has a range of slots. What a slot's values become follows from the birth: the data
type gives their meaning, the point its storage class. Everything else is left to the decoder of single metrics.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from hulian.kernel.sample import Columns
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.mqtt.rows import Rows, Target
from hulian.network.exchange.protocols.mqtt.sparkplug.bulk import BOOLEAN, DOUBLE, FLOAT, INT, LONG, Plain
from hulian.network.exchange.protocols.mqtt.sparkplug.nodes import Born, Device

__all__ = ["Slots"]

_SINGLE, _SKIPPED, _DOUBLE, _FLOAT, _WHOLE, _COUNT, _TRUTH = range(7)
"""What a slot's values are: to be decoded one by one, of no point, or of one of these data types. A count is a number of 64
bits without a sign, kept as an integer: not every one has room there."""

_FITS: Final = np.zeros((7, 256), np.bool_)
"""Whether values of a form come by a key on the wire."""
_FITS[_SKIPPED] = True
for _kind, *_keys in ((_DOUBLE, DOUBLE), (_FLOAT, FLOAT), (_WHOLE, INT, LONG), (_COUNT, INT, LONG), (_TRUTH, BOOLEAN)):
    _FITS[_kind, _keys] = True

_MOST: Final = 4_000_000
_SPREAD: Final = 1024
_BITS: Final = {1: (8, True), 2: (16, True), 3: (32, True), 4: (64, True), 5: (8, False), 6: (16, False), 7: (32, False)}
_UNSIGNED: Final = (8, 13)
_MILLISECOND: Final = 1_000_000
Rowset = npt.NDArray[np.int64]


class Slots:
    """One table for all edge nodes of a session; every column has one entry a slot."""

    def __init__(self) -> None:
        self.version = 0
        """Grows whenever a place's meaning changes."""
        self._used = 0
        self._scaled = False
        self._born: list[Born | None] = []
        self._make(256)
        self._pending = False

    def _make(self, size: int) -> None:
        def column(name: str, dtype: Any) -> None:
            grown = np.zeros(size, dtype)
            old = getattr(self, name, None)
            if old is not None:
                grown[: len(old)] = old
            setattr(self, name, grown)

        for name, dtype in (
            ("_form", np.uint8), ("_double", np.bool_), ("_series", np.uint64), ("_shift", np.uint64), ("_signed", np.bool_),
            ("_scale", np.float64), ("_offset", np.float64), ("_time", np.int64), ("_seen", np.int64), ("_bits", np.int64),
            ("_touched", np.bool_),
        ):  # fmt: skip
            column(name, dtype)

    # -- what a birth says ---------------------------------------------------------------------------------------------

    def describe(self, device: Device, born: Iterable[Born], single: set[int]) -> None:
        """The aliases of a device as its birth has them; ``single`` names series that several points share."""
        self.version += 1
        by_alias = {one.alias: one for one in born if one.alias is not None}
        device.span = 0
        if not by_alias:
            return
        first, span = min(by_alias), max(by_alias) - min(by_alias) + 1
        if span > 4 * len(by_alias) + _SPREAD or not self._reserve(device, span):
            return
        device.first, device.span = first, span
        at = slice(device.base, device.base + span)
        self._form[at] = _SINGLE
        self._born[at] = [None] * span
        for alias, one in by_alias.items():
            self._set(device.base + alias - first, one, single)

    def _reserve(self, device: Device, span: int) -> bool:
        if device.room >= span:
            return True
        room = max(span, 2 * device.room)
        if self._used + room > _MOST:
            return False
        device.base, device.room = self._used, room
        self._used += room
        self._born += [None] * room
        if self._used > len(self._form):
            self._make(max(self._used, 2 * len(self._form)))
        return True

    _form: npt.NDArray[np.uint8]
    _double: npt.NDArray[np.bool_]
    _series: npt.NDArray[np.uint64]
    _shift: npt.NDArray[np.uint64]
    _signed: npt.NDArray[np.bool_]
    _scale: npt.NDArray[np.float64]
    _offset: npt.NDArray[np.float64]
    _time: npt.NDArray[np.int64]
    _seen: npt.NDArray[np.int64]
    _bits: npt.NDArray[np.int64]
    _touched: npt.NDArray[np.bool_]

    def _set(self, slot: int, born: Born, single: set[int]) -> None:
        target = born.target
        self._born[slot] = born
        self._form[slot] = _SKIPPED if target is None else _form(born, target, single)
        if target is None:
            return
        bits, signed = _BITS.get(born.datatype, (64, False))
        self._shift[slot], self._signed[slot] = 64 - bits, signed
        self._double[slot] = target.storage is StorageClass.DOUBLE
        self._series[slot] = target.series
        self._scale[slot], self._offset[slot] = target.options.scale, target.options.offset
        self._scaled = self._scaled or target.options.scaled

    # -- what data say -------------------------------------------------------------------------------------------------

    def find(self, plain: Plain, devices: list[Device | None]) -> tuple[Rowset, npt.NDArray[np.bool_]]:
        """The slot of each metric, and which messages hold one that has none or needs to be decoded singly."""
        base = np.array([0 if one is None else one.base - one.first for one in devices], np.int64)
        first = np.array([0 if one is None else one.first for one in devices], np.int64)
        span = np.array([0 if one is None else one.span for one in devices], np.int64)
        message, alias = plain.message, plain.alias
        place = alias - first[message]
        known = (place >= 0) & (place < span[message])
        slot = np.where(known, alias + base[message], 0)
        form = self._form[slot]
        fits = known & _FITS[form, plain.key]
        count = form == _COUNT
        if count.any():
            # What is beyond the store's integers is told as such.
            fits &= ~(count & (plain.bits >> np.uint64(63) != 0))
        single = np.zeros(len(devices), np.bool_)
        single[message[~fits]] = True
        return slot, single

    def put(self, plain: Plain, slot: Rowset, chosen: npt.NDArray[np.bool_] | None, received: int, rows: Rows) -> int:
        """The metrics of the messages that ``chosen`` names (None: all) into ``rows``; how many of them are of points."""
        form = self._form[slot]
        wanted = form != _SKIPPED
        if chosen is not None:
            wanted &= chosen[plain.message]
        time, bits, historical = plain.time, plain.bits, plain.historical
        if not wanted.all():
            at = np.flatnonzero(wanted)
            slot, form, time, bits, historical = slot[at], form[at], time[at], bits[at], historical[at]
        if not len(slot):
            return 0
        time = time * _MILLISECOND
        double = self._double[slot]
        if double.all():
            self._doubles(slot, form, time, bits, historical, received, rows)
            return len(slot)
        at = np.flatnonzero(double)
        if len(at):
            self._doubles(slot[at], form[at], time[at], bits[at], historical[at], received, rows)
        for storage, truth in ((StorageClass.INTEGER, False), (StorageClass.BOOLEAN, True)):
            at = np.flatnonzero(~double & ((form == _TRUTH) == truth))
            if len(at):
                place, moment = slot[at], time[at]
                numbers = bits[at].view(np.int64) if truth else self._whole(place, bits[at])
                rows.add(Columns.of(storage, self._series[place], moment, numbers.astype(np.bool_) if truth else numbers))
                self._remember(place, moment, numbers, historical[at], received)
        return len(slot)

    def _doubles(
        self,
        slot: Rowset,
        form: npt.NDArray[np.uint8],
        time: Rowset,
        bits: npt.NDArray[np.uint64],
        historical: npt.NDArray[np.bool_],
        received: int,
        rows: Rows,
    ) -> None:
        value = bits.view(np.float64)
        others = form != _DOUBLE
        if others.any():
            value = value.copy()
            at = form == _FLOAT
            value[at] = bits[at].astype(np.uint32).view(np.float32)
            at = np.flatnonzero(form == _TRUTH)
            value[at] = bits[at]
            for signed in (True, False):
                at = np.flatnonzero((form == _WHOLE) & (self._signed[slot] == signed))
                if not len(at):
                    continue
                whole = self._whole(slot[at], bits[at])
                value[at] = whole if signed else whole.view(np.uint64)
        if self._scaled:
            value = value * self._scale[slot] + self._offset[slot]
        rows.add(Columns.doubles(self._series[slot], time, value))
        self._remember(slot, time, value.view(np.int64), historical, received)

    def _whole(self, slot: Rowset, bits: npt.NDArray[np.uint64]) -> npt.NDArray[np.int64]:
        """The bits of each number with its sign, where its type has one; those of unsigned ones as they are."""
        shift = self._shift[slot]
        raised = bits << shift
        return np.where(
            self._signed[slot], raised.view(np.int64) >> shift.view(np.int64), (raised >> shift).view(np.int64)
        )  # fmt: skip

    # -- what the points last said -------------------------------------------------------------------------------------

    def _remember(self, slot: Rowset, time: Rowset, bits: Rowset, historical: npt.NDArray[np.bool_], received: int) -> None:
        """The latest of each point, until `settle`: of equal times the last to come; history does not count."""
        if historical.any():
            live = ~historical
            slot, time, bits = slot[live], time[live], bits[live]
        newer = time >= self._time[slot]
        if not newer.all():
            slot, time, bits = slot[newer], time[newer], bits[newer]
        self._seen[slot] = received
        self._time[slot] = time
        if (time > self._time[slot]).any():  # a later one was older
            order = np.argsort(time, kind="stable")
            slot, time, bits = slot[order], time[order], bits[order]
            self._time[slot] = time
        self._bits[slot] = bits
        self._touched[slot] = True
        self._pending = True

    def settle(self) -> None:
        """Tells the points what they last said; whoever looks at a `Target` of ours calls this before."""
        if not self._pending:
            return
        self._pending = False
        touched = np.flatnonzero(self._touched)
        times, seen = self._time[touched].tolist(), self._seen[touched].tolist()
        whole = self._bits[touched]
        doubles, numbers = whole.view(np.float64).tolist(), whole.tolist()
        for place, slot in enumerate(touched.tolist()):
            born = self._born[slot]
            if born is None or born.target is None:
                continue
            target: Target = born.target
            value: Any = doubles[place] if self._double[slot] else numbers[place]
            if self._form[slot] == _TRUTH and not self._double[slot]:
                value = bool(value)
            options = target.options
            born.value = (value - options.offset) / options.scale if options.scaled else value
            target.last_seen = seen[place]
            if times[place] >= target.last_time:
                target.last_time, target.last_status, target.last_value = times[place], 0, value
        self._touched[touched] = False
        self._time[touched] = 0


def _form(born: Born, target: Target, single: set[int]) -> int:
    """What the values of a metric are for its point; `_SINGLE` where that is not plain."""
    storage, datatype = target.storage, born.datatype
    if target.series in single or born.template:
        return _SINGLE
    if storage is StorageClass.DOUBLE:
        if datatype in (9, 10):
            return _DOUBLE if datatype == 10 else _FLOAT
        if datatype in _BITS or datatype in _UNSIGNED:
            return _WHOLE
        return _TRUTH if datatype == 11 else _SINGLE
    if storage is StorageClass.INTEGER and (datatype in _BITS or datatype in _UNSIGNED):
        return _COUNT if datatype in _UNSIGNED else _WHOLE
    return _TRUTH if storage is StorageClass.BOOLEAN and datatype == 11 else _SINGLE
