"""One body to columns of the bound points. Called from a worker thread; knows no socket."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from hulian.kernel.errors import HulianError
from hulian.kernel.quality import Quality
from hulian.kernel.sample import Columns, value_type
from hulian.kernel.storage import StorageClass
from hulian.network.exchange.protocols.contract import Binding
from hulian.network.exchange.protocols.convert import one_value, to_storage
from hulian.network.exchange.protocols.http.address import escape, line_name, parse_address
from hulian.network.exchange.protocols.http.bodies import arrow_batches
from hulian.network.exchange.protocols.http.config import HttpConfiguration, JsonMapping
from hulian.network.exchange.protocols.http.document import events_of, read_json, samples_of, walk
from hulian.network.exchange.protocols.http.errors import BodyError, HttpError, OptionError
from hulian.network.exchange.protocols.http.line import Points, decode
from hulian.network.exchange.protocols.http.seen import Seen
from hulian.network.exchange.protocols.tabular import Rows, Target

__all__ = ["Body", "Intake", "Taken"]


class Body(msgspec.Struct, frozen=True):
    """A body as it is read: ``form`` is line, json, arrow or event; ``received`` UTC ns."""

    form: str
    stream: str
    content: bytes
    received: int
    precision: str = "ns"
    content_type: str = ""
    headers: Mapping[str, str] = {}


class Taken(msgspec.Struct):
    """What came of a body: ``lost`` lines or rows were no samples at all, ``wrong`` says why of the first of them, ``misfits``
    are the names of points that got values of another type, ``unbound`` values belong to no point."""

    columns: list[Columns] = []
    lost: int = 0
    wrong: list[str] = []
    misfits: list[str] = []
    unbound: int = 0


class Intake:
    """The points of one listener by where their values stand. Not thread-safe: one body at a time."""

    def __init__(self, configuration: HttpConfiguration, bindings: Sequence[Binding], seen: Seen) -> None:
        self.targets: list[Target] = []
        self.wrong: list[tuple[Binding, HulianError]] = []
        self._configuration = configuration
        self._seen = seen
        self._by_place: dict[tuple[str, tuple[str, ...]], dict[str, list[Target]]] = {}
        arrow: dict[str, list[Target]] = {}
        for binding in bindings:
            try:
                place = parse_address(binding.address)
                target = Target.of(binding, place.name)
            except HttpError as error:
                self.wrong.append((binding, error))
                continue
            except ValueError as error:
                self.wrong.append((binding, OptionError(str(error), place=binding.address)))
                continue
            self.targets.append(target)
            self._by_place.setdefault((place.kind, place.group), {}).setdefault(place.name, []).append(target)
            if place.kind == "arrow":
                arrow.setdefault(place.group[0], []).append(target)
        self._tables = {stream: Rows(configuration.tables, targets) for stream, targets in arrow.items()}
        self.last: dict[int, tuple[int, Any, int]] = {}

    def take(self, body: Body) -> Taken:
        """Raises `BodyError`, `SizeError` for a body of which nothing can be read."""
        taken = Taken()
        match body.form:
            case "line":
                self._points(decode(body.content, body.received, body.precision), taken)
            case "arrow":
                self._arrow(body, taken)
            case "json":
                self._json(("json", (body.stream,)), read_json(body.content), body.stream, body.received, taken)
            case _:
                for event in events_of(body.content, body.content_type, body.headers):
                    where = ("event", (event.source, event.type))
                    self._json(where, event.data, body.stream, event.time or body.received, taken)
        return taken

    # -- line protocol -------------------------------------------------------------------------------------------------

    def _points(self, points: Points, taken: Taken) -> None:
        if points.lines and points.bad_lines == points.lines:
            raise BodyError(f"no line is line protocol; line {points.bad[0][0]}: {points.bad[0][1]}")
        taken.lost = points.bad_lines
        taken.wrong = [f"line {number}: {text}" for number, text in points.bad]
        bound = [self._by_place.get(("line", (key,)), {}).get(field, []) for key, field in points.names]
        deepest = max((len(several) for several in bound), default=0)
        for kind, codes, times, values in points.parts:
            known = np.array([bool(several) for several in bound])[codes]
            taken.unbound += int((~known).sum())
            for name in np.unique(codes[~known]).tolist()[:100]:
                key, field = points.names[name]
                row = int(np.argmax(codes == name))
                self._seen.note(line_name(key, field), (key, field), _STORAGES[kind], values[row].as_py())
            for turn in range(deepest):
                self._turn([several[turn] if turn < len(several) else None for several in bound], codes, times, values, taken)

    def _turn(self, bound: list[Target | None], codes: Any, times: Any, values: pa.Array, taken: Taken) -> None:
        for storage in dict.fromkeys(target.storage for target in bound if target is not None):
            here = np.array([target is not None and target.storage is storage for target in bound])
            rows = np.flatnonzero(here[codes])
            if not len(rows):
                continue
            all_of = len(rows) == len(codes)
            mine, stamps, places = (values, times, codes) if all_of else (values.take(pa.array(rows)), times[rows], codes[rows])
            stored, wrong = to_storage(mine, storage)
            status = np.zeros(len(rows), np.uint32)
            if wrong is not None:
                status[wrong] = int(Quality.BAD_TYPE_MISMATCH)
                taken.misfits += [target.name for place in np.unique(places[wrong]) if (target := bound[place]) is not None]
            scale = np.array([1.0 if target is None else target.scale for target in bound])
            offset = np.array([0.0 if target is None else target.offset for target in bound])
            if storage is StorageClass.DOUBLE and ((scale != 1.0).any() or (offset != 0.0).any()):
                with np.errstate(over="ignore"):
                    numbers = stored.to_numpy(zero_copy_only=False) * scale[places] + offset[places]
                stored = pa.array(numbers, mask=wrong)
            series = np.array([0 if target is None else target.series for target in bound], np.uint64)[places]
            last = np.full(len(bound), -1)
            last[places] = np.arange(len(places))
            for row in last[last >= 0].tolist():
                if (value := stored[row].as_py()) is not None:
                    self.last[int(series[row])] = (int(stamps[row]), value, int(status[row]))
            taken.columns.append(Columns(storage, series, np.ascontiguousarray(stamps, np.int64), stored, status))

    # -- tables --------------------------------------------------------------------------------------------------------

    def _arrow(self, body: Body, taken: Taken) -> None:
        rows = self._tables.get(body.stream)
        for batch in arrow_batches(body.content, self._configuration.decoded_mb * 2**20):
            names = batch.schema.names
            if rows is None or not rows.wanted(names):
                taken.unbound += batch.num_rows
            for name in names[:1000] if self._configuration.tables.layout == "wide" else ():
                if rows is None or name not in rows.by_name:
                    address = f"arrow:{escape(body.stream)}:{escape(name)}"
                    self._seen.note_column(address, (body.stream, name), batch.column(names.index(name)))
            if rows is None:
                continue
            mapped = rows.map(batch)
            self.last |= rows.last
            taken.columns += mapped.columns
            taken.lost += len(mapped.bad_rows)
            taken.wrong += [f"row {row + 1}: no time" for row in mapped.bad_rows[:20]]
            taken.misfits += sorted({name for name, _ in mapped.misfits})

    # -- JSON ----------------------------------------------------------------------------------------------------------

    def _mapping(self, stream: str) -> JsonMapping:
        mappings = self._configuration.mappings
        found = [one for one in mappings if one.stream == stream] or [one for one in mappings if not one.stream]
        return found[0] if found else JsonMapping()

    def _json(self, where: tuple[str, tuple[str, ...]], document: Any, stream: str, received: int, taken: Taken) -> None:
        mapping = self._mapping(stream)
        bound = self._by_place.get(where, {})
        paths = [tuple(name.split(".")) if name != "$" else () for name in bound]
        lists: dict[StorageClass, tuple[list[int], list[int], list[Any], list[int]]] = {}

        def wrong(text: str) -> None:
            taken.lost += 1
            if len(taken.wrong) < 20:
                taken.wrong.append(text)

        for path, time, value, status in samples_of(document, mapping, received, lambda: iter(paths), wrong):
            several = bound.get(".".join(path) or "$")
            if not several:
                taken.unbound += 1
                continue
            for target in several:
                self._add(target, time, value, status, lists, taken)
        for path, value in walk(document, mapping):
            name = ".".join(path)
            if name not in bound:
                address = ":".join([where[0], *(escape(part) for part in where[1]), escape(name)])
                self._seen.note(address, (*where[1], *path), None, value)
        for storage, (ids, times, values, statuses) in lists.items():
            taken.columns.append(Columns.of(storage, ids, times, pa.array(values, value_type(storage)), statuses))

    def _add(self, target: Target, time: int, value: Any, status: int, lists: Any, taken: Taken) -> None:
        if value is None:
            status = status if status & 0xC000_0000 else int(Quality.BAD_NO_DATA)
        else:
            try:
                value = one_value(value, target.storage)
                if isinstance(value, str):
                    value.encode()  # half of a surrogate pair has no UTF-8
                if target.scale != 1.0 or target.offset != 0.0:
                    value = value * target.scale + target.offset
                self.last[target.series] = (time, value, status)
            except (ValueError, TypeError, OverflowError, ArithmeticError, RecursionError):
                value, status = None, int(Quality.BAD_TYPE_MISMATCH)
                taken.misfits.append(target.name)
        for column, one in zip(
            lists.setdefault(target.storage, ([], [], [], [])), (target.series, time, value, status), strict=True
        ):
            column.append(one)


_STORAGES = {
    "double": StorageClass.DOUBLE,
    "integer": StorageClass.INTEGER,
    "unsigned": StorageClass.STRUCTURE,
    "boolean": StorageClass.BOOLEAN,
    "text": StorageClass.TEXT,
}
