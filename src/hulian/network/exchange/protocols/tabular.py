"""Rows of a table to samples, wherever the table came from: a file, a database, the body of a request.

Wide: one column a point, one row a moment. Long: one row a sample, its point told by a column of names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Annotated, Any, Final, Literal

import msgspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Meta

from hulian.kernel.quality import Quality
from hulian.kernel.sample import Columns, value_type
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding
from hulian.network.exchange.protocols.convert import to_storage
from hulian.network.exchange.protocols.moments import QualityFormat
from hulian.network.exchange.protocols.times import check_format, qualities_of, times_of, zone_of

__all__ = ["Mapped", "PointOptions", "Rows", "TableMapping", "Target", "split_unit", "time_column"]

_TIMES: Final = ("time", "timestamp", "ts", "datetime", "date_time", "date time", "date", "zeit", "时间", "_time")
_TAGS: Final = ("tag", "name", "point", "signal", "sensor", "variable", "tagname")
_VALUES: Final = ("value", "val", "v", "_value")

_UNIT = re.compile(
    r"^(?P<name>.*\S)\s*(?:\[(?P<square>[^\[\]]{1,24})\]|\((?P<round>[^()]{1,24})\)|\s/\s*(?P<slash>[^/\s]{1,16}))\s*$"
)


class TableMapping(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which columns hold time, points and qualities."""

    layout: Annotated[
        Literal["wide", "long"], Meta(description="wide: a column a point; long: a row a sample, with its point's name")
    ] = "wide"
    time: Annotated[str, Meta(description="column of the time; 'auto' looks for time, timestamp, ts, datetime, …")] = "auto"
    time_format: Annotated[
        str, Meta(description="auto, iso, s, ms, us, ns (since 1970), or a pattern such as %d.%m.%Y %H:%M:%S")
    ] = "auto"
    zone: Annotated[str, Meta(description="zone of times that name none: UTC, Europe/Berlin, +08:00")] = "UTC"
    tag: Annotated[str, Meta(description="column of the point's name in the long layout")] = "tag"
    value: Annotated[str, Meta(description="column of the value in the long layout")] = "value"
    quality: Annotated[str, Meta(description="column of the quality; empty: every value is good")] = ""
    quality_format: Annotated[QualityFormat, Meta(description="form of the quality")] = "auto"
    decimal: Annotated[Literal[".", ","], Meta(description="decimal point of numbers that come as texts")] = "."
    empty: Annotated[
        Literal["skip", "null"], Meta(description="an empty value: skip gives no sample, null one without a value")
    ] = "skip"

    def check(self) -> None:
        """Raises `ValueError` for a form of time or a zone that does not exist."""
        check_format(self.time_format)
        zone_of(self.zone)


class PointOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The options of one point: value = number x ``scale`` + ``offset``, for doubles."""

    scale: float = 1.0
    offset: float = 0.0


class Target(msgspec.Struct, frozen=True):
    """A point and the name of its column (wide) or of its rows (long)."""

    series: int
    name: str
    storage: StorageClass
    scale: float = 1.0
    offset: float = 0.0

    @classmethod
    def of(cls, binding: Binding, name: str) -> Target:
        """Raises `ValueError` for options that do not fit."""
        try:
            options = msgspec.convert(dict(binding.options), PointOptions)
        except msgspec.ValidationError as error:
            raise ValueError(f"the options do not fit: {error}") from error
        if options.scale == 0:
            raise ValueError("a scale of 0 leaves nothing of the value")
        if (options.scale != 1.0 or options.offset != 0.0) and binding.storage is not StorageClass.DOUBLE:
            raise ValueError("only a double has a scale and an offset")
        return cls(binding.series, name, binding.storage, options.scale, options.offset)


class Mapped(msgspec.Struct):
    """What a table became. ``bad_rows`` have no time or no name of a point; ``misfits`` say which values did not fit:
    the target's name and the row."""

    columns: list[Columns] = []
    bad_rows: list[int] = []
    misfits: list[tuple[str, int]] = []


def time_column(names: Iterable[str], wanted: str = "auto") -> str | None:
    """The column that holds the time; None where there is none."""
    known = list(names)
    if wanted != "auto":
        return wanted if wanted in known else None
    lower = {name.strip().lower(): name for name in reversed(known)}
    return next((lower[name] for name in _TIMES if name in lower), None)


def split_unit(text: str) -> tuple[str, str]:
    """Name and unit of a column's header.

    >>> split_unit("pressure [kPa]"), split_unit("feed (kg/h)"), split_unit("level / %"), split_unit("mode")
    (('pressure', 'kPa'), ('feed', 'kg/h'), ('level', '%'), ('mode', ''))
    """
    found = _UNIT.match(text)
    if found is None:
        return text.strip(), ""
    unit = found["square"] or found["round"] or found["slash"]
    return found["name"], unit.strip()


class Rows:
    """Turns tables of one shape into samples of ``targets``; remembers the last value of each for marks. Not thread-safe,
    but every call may come from another thread."""

    def __init__(self, mapping: TableMapping, targets: Sequence[Target]) -> None:
        self.mapping = mapping
        self.targets = tuple(targets)
        self.last: dict[int, tuple[int, Any, int]] = {}
        """Time, value and status of the newest row of each series that has a value."""
        self.by_name: dict[str, list[Target]] = {}
        for target in targets:
            self.by_name.setdefault(target.name, []).append(target)
        # A name that several points read needs a turn for each.
        deepest = max((len(several) for several in self.by_name.values()), default=0)
        self._turns = [
            {name: several[turn] for name, several in self.by_name.items() if turn < len(several)} for turn in range(deepest)
        ]

    def wanted(self, names: Sequence[str]) -> list[str]:
        """The columns of a table with ``names`` that matter, in its order."""
        mapping = self.mapping
        keep = {time_column(names, mapping.time), mapping.quality or None}
        keep |= {mapping.tag, mapping.value} if mapping.layout == "long" else set(self.by_name)
        return [name for name in names if name in keep]

    def missing(self, names: Sequence[str]) -> list[str]:
        """What the table ought to have and has not: columns, of points too."""
        mapping = self.mapping
        needed = [mapping.quality] if mapping.quality else []
        needed += [mapping.tag, mapping.value] if mapping.layout == "long" else list(self.by_name)
        known = set(names)
        return [name for name in needed if name not in known]

    def times(self, table: pa.Table | pa.RecordBatch) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """The time of each row, UTC ns, and which rows have one."""
        name = time_column(table.schema.names, self.mapping.time)
        if name is None:
            return np.zeros(table.num_rows, np.int64), np.zeros(table.num_rows, np.bool_)
        return times_of(_column(table, name), self.mapping.time_format, self.mapping.zone)

    def map(
        self,
        table: pa.Table | pa.RecordBatch,
        times: npt.NDArray[np.int64] | None = None,
        valid: npt.NDArray[np.bool_] | None = None,
    ) -> Mapped:
        """The samples of ``table``; ``times`` (UTC ns, one a row) where they are not those of its own column, ``valid``
        then marks the rows that have one."""
        mapping = self.mapping
        found = Mapped()
        if not table.num_rows:
            return found
        names = table.schema.names
        if times is None:
            times, valid = self.times(table)
        elif valid is None:
            valid = np.ones(table.num_rows, np.bool_)
        status = np.zeros(table.num_rows, np.uint32)
        if mapping.quality and mapping.quality in names:
            status = qualities_of(_column(table, mapping.quality), mapping.quality_format)
        if mapping.layout == "long":
            self._long(table, times, status, valid, found)
        else:
            self._wide(table, times, status, valid, found)
        found.bad_rows = np.flatnonzero(~valid).tolist()
        return found

    def _stored(self, column: pa.Array, storage: StorageClass) -> tuple[pa.Array, Any]:
        if self.mapping.decimal == "," and storage is StorageClass.DOUBLE and pa.types.is_string(column.type):
            column = pc.replace_substring(column, ",", ".", max_replacements=1)
        return to_storage(column, storage)

    # -- wide ----------------------------------------------------------------------------------------------------------

    def _wide(self, table: Any, times: Any, status: Any, valid: Any, found: Mapped) -> None:
        parts: dict[StorageClass, list[Columns]] = {}
        whole = bool(valid.all())
        for name in dict.fromkeys(table.schema.names):
            for target in self.by_name.get(name, ()):
                values, wrong = self._stored(_column(table, name), target.storage)
                keep = None if whole else valid
                columns = self._part(target, times, values, status, wrong, keep)
                if wrong is not None:
                    found.misfits += [(name, int(row)) for row in np.flatnonzero(wrong)]
                if columns is not None:
                    parts.setdefault(target.storage, []).append(columns)
        found.columns = [Columns.concatenate(several) for several in parts.values()]

    def _part(self, target: Target, times: Any, values: pa.Array, status: Any, wrong: Any, keep: Any) -> Columns | None:
        """The samples of one point. ``keep`` marks the rows that count, None all of them."""
        if values.null_count and self.mapping.empty == "skip":
            there = np.asarray(values.is_valid())
            if wrong is not None:
                there = there | wrong
            keep = there if keep is None else there & keep
        if keep is not None and not keep.all():
            rows = np.flatnonzero(keep)
            if not len(rows):
                return None
            times, status = times[rows], status[rows]
            values = values.take(pa.array(rows))
            wrong = None if wrong is None else wrong[rows]
        if values.null_count:
            status = _without(status, np.asarray(values.is_null()), wrong)
        if target.scale != 1.0 or target.offset != 0.0:
            values = _scaled(values, target.scale, target.offset)
        self._remember(target.series, times, values, status)
        return Columns(target.storage, np.full(len(times), target.series, np.uint64), times, values, status)

    def _remember(self, series: int, times: Any, values: pa.Array, status: Any) -> None:
        value = values[len(values) - 1].as_py()
        if value is not None:
            self.last[series] = (int(times[-1]), value, int(status[-1]))

    # -- long ----------------------------------------------------------------------------------------------------------

    def _long(self, table: Any, times: Any, status: Any, valid: Any, found: Mapped) -> None:
        mapping = self.mapping
        if mapping.tag not in table.schema.names or mapping.value not in table.schema.names:
            valid[:] = False
            return
        coded = _column(table, mapping.tag)
        if not pa.types.is_dictionary(coded.type):
            coded = coded.cast(pa.string()).dictionary_encode()
        names = coded.dictionary.to_pylist()
        codes = np.asarray(coded.indices.fill_null(len(names)).cast(pa.int64()))
        valid &= codes < len(names)
        values = _column(table, mapping.value)
        for turn in self._turns:
            bound = [turn.get(name) if isinstance(name, str) else None for name in names]
            for storage in dict.fromkeys(target.storage for target in bound if target is not None):
                here = np.array([target is not None and target.storage is storage for target in bound] + [False])
                rows = np.flatnonzero(here[codes] & valid)
                if len(rows):
                    self._several(storage, bound, codes, rows, times, values, status, found)

    def _several(
        self, storage: StorageClass, bound: list[Target | None], codes: Any, rows: Any, times: Any, values: Any, status: Any,
        found: Mapped,
    ) -> None:  # fmt: skip
        """The samples of one storage class, of many points at once."""
        if len(rows) < len(codes):
            values = values.take(pa.array(rows))
        taken, wrong = self._stored(values, storage)
        codes = codes[rows]
        if wrong is not None:
            found.misfits += [(_name(bound[codes[row]]), int(rows[row])) for row in np.flatnonzero(wrong)]
        times, status = times[rows], status[rows]
        if taken.null_count:
            missing = np.asarray(taken.is_null())
            status = _without(status, missing, wrong)
            if self.mapping.empty == "skip":
                keep = ~missing if wrong is None else ~missing | wrong
                if not keep.any():
                    return
                codes, times, status, taken = codes[keep], times[keep], status[keep], taken.filter(pa.array(keep))
        series = np.array([0 if target is None else target.series for target in bound], np.uint64)[codes]
        scale = np.array([1.0 if target is None else target.scale for target in bound])
        offset = np.array([0.0 if target is None else target.offset for target in bound])
        if storage is StorageClass.DOUBLE and ((scale != 1.0).any() or (offset != 0.0).any()):
            taken = _scaled(taken, scale[codes], offset[codes])
        # The last row of each name: later assignments win.
        last = np.full(len(bound), -1)
        last[codes] = np.arange(len(codes))
        for row in last[last >= 0].tolist():
            if (value := taken[row].as_py()) is not None:
                self.last[int(series[row])] = (int(times[row]), value, int(status[row]))
        found.columns.append(Columns(storage, series, times, taken, status))

    # -- marks ---------------------------------------------------------------------------------------------------------

    def marks(self, status: int, now: int, *, only: Callable[[Target], bool] | None = None) -> Iterator[Columns]:
        """Every point at ``now``: with its last value where ``status`` is uncertain and there is one, else without."""
        parts: dict[StorageClass, list[tuple[int, int, Any, int]]] = {}
        for target in self.targets:
            if only is not None and not only(target):
                continue
            before, value, _ = self.last.get(target.series, (0, None, 0))
            code = status
            if status & 0x8000_0000:
                value = None
            elif value is None:
                code = int(Quality.BAD_NO_COMMUNICATION)
            row = (target.series, max(now, before + 1), value, code)
            parts.setdefault(target.storage, []).append(row)
        yield from _columns(parts)

    def confirmed(self, marked: dict[int, int]) -> Iterator[Columns]:
        """Points marked at the time that ``marked`` has for their series and without a newer row: their last row, right behind
        the mark, so that a row of a clock that is behind ours still counts as newer. Takes them out of ``marked``."""
        parts: dict[StorageClass, list[tuple[int, int, Any, int]]] = {}
        for target in self.targets:
            mark = marked.pop(target.series, 0)
            before, value, code = self.last.get(target.series, (0, None, 0))
            if mark and value is not None and before <= mark:
                parts.setdefault(target.storage, []).append((target.series, mark + 1, value, code))
        yield from _columns(parts)


def _columns(parts: dict[StorageClass, list[tuple[int, int, Any, int]]]) -> Iterator[Columns]:
    """(series, time, value, status) of each storage class in a batch of its own."""
    for storage, rows in parts.items():
        series, times, values, codes = zip(*rows, strict=True)
        yield Columns.of(storage, series, times, pa.array(values, value_type(storage)), codes)


def _name(target: Target | None) -> str:
    return target.name if target is not None else ""


def _column(table: pa.Table | pa.RecordBatch, name: str) -> pa.Array:
    """The first column of that name, in one piece."""
    column = table.column(table.schema.names.index(name))
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _without(status: Any, missing: Any, wrong: Any) -> Any:
    """Statuses of rows some of which have no value: such a sample is never good."""
    status = status.copy()
    status[missing & (status & 0x8000_0000 == 0)] = int(Quality.BAD_NO_DATA)
    if wrong is not None:
        status[wrong] = int(Quality.BAD_TYPE_MISMATCH)
    return status


def _scaled(values: pa.Array, scale: Any, offset: Any) -> pa.Array:
    with np.errstate(over="ignore"):
        numbers = values.to_numpy(zero_copy_only=False) * scale + offset
    return pa.array(numbers, mask=np.asarray(values.is_null()) if values.null_count else None)
