"""Everything that one processing makes of samples: computed points, windows, rules. Columns in, columns and changes out.

No clock and no I/O: the edge feeds it with what its journals hold, a dry run with what the historian holds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from hulian.kernel.errors import HulianError
from hulian.kernel.quality import Quality
from hulian.kernel.sample import Columns
from hulian.network.exchange.protocols.contract import Binding
from hulian.platform.edge.processing.alignment import Known as Last
from hulian.platform.edge.processing.alignment import Rows
from hulian.platform.edge.processing.computed import Formula, Results, grouped
from hulian.platform.edge.processing.plan import (
    COMPUTABLE,
    ProcessingSettings,
    RuleEntry,
    formula_of,
    numbered,
    rule_of,
    window_of,
)
from hulian.platform.edge.processing.rules import Change, Rule, Rules
from hulian.platform.edge.processing.windows import Window, Windows

__all__ = ["Engine", "Outcome", "Refusal"]

_BAD = 0x8000_0000


class Refusal(NamedTuple):
    """A computed point or rule that cannot work; the others go on."""

    what: str
    series: int
    error: HulianError


class Outcome(NamedTuple):
    """Samples of computed points, and what rules did."""

    columns: list[Columns]
    changes: list[Change]

    def __bool__(self) -> bool:
        return bool(self.columns or self.changes)


class Engine:
    """``inputs`` are the series that it reads. `feed` takes samples in the order of a journal; `advance` the clock (UTC ns).

    Results hang only on the order of the samples and on the times handed in, never on how samples came in batches.
    """

    def __init__(self, settings: ProcessingSettings, bindings: Sequence[Binding], *, place: str = "processing") -> None:
        self.refused: list[Refusal] = []
        self.entries: list[RuleEntry] = []
        numbers = numbered(settings.known)
        formulas: list[Formula] = []
        windows: list[Window] = []
        rules: list[Rule] = []
        conditions: list[Formula] = []
        for binding in bindings:
            where = f"{place}, {binding.address}, options"
            try:
                if (formula := formula_of(binding, numbers, where)) is not None:
                    formulas.append(formula)
                elif (window := window_of(binding, numbers, where)) is not None:
                    windows.append(window)
            except HulianError as error:
                self.refused.append(Refusal(binding.address, binding.series, error))
        for index, entry in enumerate(settings.rules):
            where = f"{place}, settings.rules.{index} '{entry.name}'"
            try:
                if any(other.name == entry.name for other in self.entries):
                    raise _twice(entry.name, where)
                rule, condition = rule_of(entry, settings, numbers, len(rules), where)
                rules.append(rule)
                conditions.append(condition)
                self.entries.append(entry)
            except HulianError as error:
                self.refused.append(Refusal(entry.name, 0, error))
        self.inputs: Mapping[int, int] = numbers.numbers
        count = len(self.inputs)
        self._series = np.array(sorted(self.inputs), np.uint64)
        self._number = np.array([self.inputs[int(series)] for series in self._series], np.int64)
        self._last = Last(count, round(settings.back_s * 1e9))
        self._formulas = grouped(formulas, count)
        self._conditions = grouped(conditions, count)
        self._windows = Windows(windows)
        self._rules = Rules(rules)

    # ------------------------------------------------------------ samples and time

    def feed(self, columns: Columns) -> Outcome:
        """What a batch brings. Series that nobody reads are passed over."""
        rows = self._rows(columns)
        if rows is None:
            return Outcome([], [])
        windows = self._windows.feed(rows)
        fresh = self._last.take(rows)
        found = [made for group in self._formulas if (made := group.evaluate(self._last, rows, fresh)) is not None]
        changes: list[Change] = []
        for group in self._conditions:
            if (made := group.evaluate(self._last, rows, fresh)) is not None:
                changes += self._judge(made)
        return Outcome(_columns([*found, *windows]), sorted(changes, key=lambda change: change.time))

    def advance(self, now: int) -> Outcome:
        """What time alone brings."""
        return Outcome(_columns(self._windows.advance(now)), self._rules.advance(now))

    def _rows(self, columns: Columns) -> Rows | None:
        if columns.storage not in COMPUTABLE or not len(self._series):
            return None
        place = np.searchsorted(self._series, columns.series)
        place[place == len(self._series)] = 0
        mine = np.flatnonzero(self._series[place] == columns.series)
        if not len(mine):
            return None
        if len(mine) < len(columns):
            columns, place = columns.take(mine), place[mine]
        value = columns.value
        numbers = (value if pa.types.is_floating(value.type) else pc.cast(value, pa.float64(), safe=False)).to_numpy(
            zero_copy_only=False
        )
        status = columns.status
        if value.null_count:
            empty = value.is_null().to_numpy(zero_copy_only=False) & ((status & _BAD) == 0)
            status = np.where(empty, np.uint32(Quality.BAD_NO_DATA), status).astype(np.uint32)
        return Rows(self._number[place], columns.time, numbers, status)

    def _judge(self, made: Results) -> list[Change]:
        order = np.argsort(made.owner, kind="stable")
        owner, time = made.owner[order], made.time[order]
        verdict = np.where((made.status & _BAD) != 0, np.nan, made.value)[order]
        begins = np.flatnonzero(np.concatenate(([True], owner[1:] != owner[:-1])))
        return [
            change
            for begin, end in zip(begins.tolist(), [*begins.tolist()[1:], len(owner)], strict=True)
            for change in self._rules.feed(int(owner[begin]), time[begin:end], verdict[begin:end], -verdict[begin:end])
        ]

    # ------------------------------------------------------------ what survives

    def marks(self) -> dict[str, Any]:
        """What has been told: small, written with every commit. Nothing of it is told again."""
        return {"rules": self._rules.kept(), "windows": self._windows.closed()}

    def remember(self, marks: Mapping[str, Any]) -> None:
        """The inverse of `marks`, after what came before was fed again."""
        self._rules.restore(marks.get("rules", {}))
        self._windows.restore_closed(marks.get("windows", {}))

    def snapshot(self) -> bytes:
        """All that is known of the inputs and open windows."""
        last = self._last.kept()
        by_number = {number: series for series, number in self.inputs.items()}
        series = np.array([by_number[number] for number in last.input.tolist()], np.uint64)
        columns = [series.tobytes(), last.time.tobytes(), last.value.tobytes(), last.status.tobytes()]
        return msgspec.msgpack.encode({"last": columns, "windows": self._windows.kept()})

    def load(self, snapshot: bytes) -> None:
        """The inverse of `snapshot`; inputs that are no longer read are passed over."""
        content = msgspec.msgpack.decode(snapshot)
        series, time, value, status = (
            np.frombuffer(part, kind)
            for part, kind in zip(content["last"], (np.uint64, np.int64, np.float64, np.uint32), strict=True)
        )
        known = np.array([self.inputs.get(int(one), -1) for one in series], np.int64)
        rows = Rows(known, time, value, status).take(known >= 0)
        self._last.restore(rows)
        self._windows.restore(content["windows"])


def _columns(results: Sequence[Results]) -> list[Columns]:
    if not results:
        return []
    owner, time, value, status = (np.concatenate(parts) for parts in zip(*results, strict=True))
    missing = np.isnan(value)
    return [Columns.doubles(owner, time, value, status, missing=missing if missing.any() else None)]


def _twice(name: str, place: str) -> HulianError:
    from hulian.platform.edge.errors import ProcessingError

    return ProcessingError(f"there are two rules '{name}'", place=place, hint="a rule's name tells its events from others'")
