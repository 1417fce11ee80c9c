"""Where decoded values gather until a batch of messages is done, and what a point makes of each value."""

from __future__ import annotations

import base64
import contextlib
import math
from collections.abc import Callable
from typing import Any, Final

import msgspec
import pyarrow as pa

from hulian.kernel.quality import Quality
from hulian.kernel.sample import Columns, value_type
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding
from hulian.network.exchange.protocols.mqtt.config import BindingOptions

__all__ = ["Rows", "Target"]

_STORAGES: Final = tuple(StorageClass)
_LEAST: Final = -(2**63)
_MOST: Final = 2**63 - 1
_TRUE: Final = frozenset(("true", "on", "yes", "1"))
_FALSE: Final = frozenset(("false", "off", "no", "0"))


class Rows:
    """Samples of every storage class: the lists ``ids``, ``times``, ``values`` and ``statuses`` of each, by its position.

    What comes as columns already is added by `add` and keeps its place behind what came singly before.
    """

    __slots__ = ("_columns", "lists")

    def __init__(self) -> None:
        self.lists: list[tuple[list[int], list[int], list[Any], list[int]]] = [([], [], [], []) for _ in _STORAGES]
        self._columns: list[list[Columns]] = [[] for _ in _STORAGES]

    def add(self, columns: Columns) -> None:
        """Samples of one storage class at once."""
        place = _STORAGES.index(columns.storage)
        self._close(place)
        self._columns[place].append(columns)

    def take(self) -> list[Columns]:
        """Everything so far, one `Columns` a storage class; afterwards there is nothing."""
        found = []
        for place, columns in enumerate(self._columns):
            self._close(place)
            if columns:
                found.append(Columns.concatenate(columns))
                columns.clear()
        return found

    def _close(self, place: int) -> None:
        ids, times, values, statuses = self.lists[place]
        if ids:
            storage = _STORAGES[place]
            self._columns[place].append(Columns.of(storage, ids, times, _array(storage, values, statuses), statuses))
            for one in (ids, times, values, statuses):
                one.clear()


def _array(storage: StorageClass, values: list[Any], statuses: list[int]) -> pa.Array:
    """The Arrow column; a text that has no UTF-8 form becomes a sample without a value."""
    kind = value_type(storage)
    try:
        return pa.array(values, type=kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError, OverflowError):
        for position, value in enumerate(values):
            try:
                pa.array([value], type=kind)
            except (pa.ArrowInvalid, pa.ArrowTypeError, UnicodeEncodeError, OverflowError):
                values[position], statuses[position] = None, int(Quality.BAD_DECODING_ERROR)
        return pa.array(values, type=kind)


class Target:
    """One point: where its values go, what it last said, and whether that still counts."""

    __slots__ = (
        "binding",
        "column",
        "convert",
        "last_seen",
        "last_status",
        "last_time",
        "last_value",
        "options",
        "series",
        "stale_after",
        "storage",
        "waiters",
    )

    def __init__(self, binding: Binding, options: BindingOptions, stale_after: float) -> None:
        self.binding = binding
        self.options = options
        self.series = binding.series
        self.storage = binding.storage
        self.column = _STORAGES.index(binding.storage)
        self.convert = _converter(binding.storage, options)
        self.stale_after = stale_after if options.stale_after is None else options.stale_after
        self.last_value: Any = None
        self.last_status = int(Quality.BAD_WAITING_FOR_INITIAL_DATA)
        self.last_time = 0
        self.last_seen = 0
        self.waiters: list[Callable[[Any], None]] = []

    def put(self, rows: Rows, time: int, value: Any, status: int, now: int, *, live: bool = True) -> bool:
        """Adds a value as the device gave it; False where it does not fit the point (the sample then is bad). What is not
        ``live`` is history: it is stored and leaves alone what the point says now."""
        fits = True
        if value is not None:
            try:
                value = self.convert(value)
            except OverflowError:
                value, status, fits = None, int(Quality.BAD_OUT_OF_RANGE), False
            except (ValueError, TypeError):
                value, status, fits = None, int(Quality.BAD_TYPE_MISMATCH), False
        elif not status & 0xC000_0000:
            status = int(Quality.BAD_NO_DATA)
        ids, times, values, statuses = rows.lists[self.column]
        ids.append(self.series)
        times.append(time)
        values.append(value)
        statuses.append(status)
        if not live:
            return fits
        self.last_seen = now
        if time >= self.last_time:
            self.last_time, self.last_status = time, status
            if value is not None:
                self.last_value = value
        if self.waiters and value is not None:
            for waiter in tuple(self.waiters):
                waiter(value)
        return fits

    def tell(self, value: Any) -> None:
        """A value that is not stored: only who waits for it hears it."""
        if self.waiters and value is not None:
            with contextlib.suppress(ValueError, TypeError, OverflowError):
                value = self.convert(value)
                for waiter in tuple(self.waiters):
                    waiter(value)

    def mark(self, rows: Rows, time: int, status: int) -> None:
        """The point at ``time`` has ``status``: with its last value where that is uncertain, without one where it is bad."""
        value = None if status & 0x8000_0000 else self.last_value
        if value is None and not status & 0x8000_0000:
            status = int(Quality.BAD_NO_COMMUNICATION)
        if time < self.last_time:
            time = self.last_time + 1
        self.last_status, self.last_time = status, time
        for column, one in zip(rows.lists[self.column], (self.series, time, value, status), strict=True):
            column.append(one)


def _converter(storage: StorageClass, options: BindingOptions) -> Callable[[Any], Any]:
    if storage is StorageClass.DOUBLE:
        if not options.scaled:
            return _number
        scale, offset = options.scale, options.offset
        return lambda value: _number(value) * scale + offset
    return _CONVERTERS[storage]


def _number(value: Any) -> float:
    if type(value) is float:
        return value
    if isinstance(value, int | str):
        return float(value)
    raise TypeError(value)


def _integer(value: Any) -> int:
    if isinstance(value, float):
        if not math.isfinite(value) or value != int(value):
            raise ValueError(value)
    elif not isinstance(value, int | str):
        raise TypeError(value)
    found = int(value)
    if not _LEAST <= found <= _MOST:
        raise OverflowError(value)
    return found


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float) and value in (0, 1):
        return bool(value)
    if isinstance(value, str):
        word = value.strip().lower()
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
    raise ValueError(value)


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, bytes):
        return value.decode()
    return msgspec.json.encode(value).decode()


def _bytes(value: Any) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, str):
        return base64.b64decode(value, validate=True)
    raise TypeError(value)


def _structure(value: Any) -> str:
    return msgspec.json.encode(value).decode()


_CONVERTERS: Final[dict[StorageClass, Callable[[Any], Any]]] = {
    StorageClass.INTEGER: _integer,
    StorageClass.BOOLEAN: _boolean,
    StorageClass.TEXT: _text,
    StorageClass.BYTES: _bytes,
    StorageClass.STRUCTURE: _structure,
}
