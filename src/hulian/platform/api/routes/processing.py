"""Trying filters, computed points and rules on recorded samples, before they are put to work."""

from __future__ import annotations

import time
from typing import Annotated, Any, Final

import msgspec
import numpy as np
import pyarrow as pa
from anyio import CapacityLimiter, to_thread
from litestar import post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from hulian.data.historian.contract import RawWindow
from hulian.data.historian.downsample import minmaxlttb
from hulian.kernel.point import Point
from hulian.kernel.sample import Columns
from hulian.kernel.storage import StorageClass
from hulian.platform.api.access import in_thread, needs
from hulian.platform.api.context import Context
from hulian.platform.api.errors import RequestError
from hulian.platform.api.processing import engine_for
from hulian.platform.api.times import parse_span, parse_time
from hulian.platform.edge.processing.bank import FilterBank
from hulian.platform.edge.processing.declaration import DESCRIBED, FILTERS, Described, filters_of
from hulian.platform.edge.processing.trial import Trial, of_engine, of_filters
from hulian.trust import Action

__all__ = ["ROUTES"]

Says = msgspec.Meta
_MOST_ROWS: Final = 2_000_000
_DRAWN: Final = 2000
_LIMITER = CapacityLimiter(1)
_COMPUTED: Final = "dry-run"


class DryRun(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing to try: the ``filters`` of a ``point``, the options of a ``computed`` point, or a ``rule``."""

    point: Annotated[str, Says(description="with filters: the point that they are for")] = ""
    filters: dict[str, Any] | None = None
    computed: Annotated[dict[str, Any] | None, Says(description="options of a computed point")] = None
    rule: Annotated[dict[str, Any] | None, Says(description="a rule as in a connector's settings; it writes nothing")] = None
    start: str | int | None = None
    end: str | int | None = None
    last: str | None = None


class DrawnView(msgspec.Struct, frozen=True, kw_only=True):
    """What would be stored, drawn with few samples; no value where the line breaks."""

    time_ms: list[float]
    value: list[Any]
    status: list[int]


class HappeningView(msgspec.Struct, frozen=True, kw_only=True):
    """What a rule or the filter for staleness would tell, and when."""

    time_ms: float
    subject: str
    what: str


class DryRunView(msgspec.Struct, frozen=True, kw_only=True):
    """``taken`` recorded samples, of which or from which ``passed`` would be stored. ``clock_ms`` is how exact holds, windows
    and staleness are. ``truncated``: there were more samples or events than are looked at."""

    taken: int
    passed: int
    bad: int
    series: DrawnView
    events: list[HappeningView]
    clock_ms: float
    truncated: bool


@post("/processing/dry-run", opt=needs(Action.HISTORY_READ), status_code=200, summary="Try on history", tags=["connectors"])
async def dry_run(context: NamedDependency[Context], data: JSONBody[DryRun]) -> DryRunView:
    """Runs what the edge would run, over what is recorded. Nothing is stored, told or written."""
    start, end = _window(data)
    if [data.filters, data.computed, data.rule].count(None) != 2:
        raise RequestError("give one of filters, computed and rule", place="$")
    if data.filters is not None:
        (point,) = await context.points.resolve([data.point], most=1, place="$.point")
        recorded, cut = await _recorded(context, [point], start, end)
        bank = _bank(point, data.filters)
        trial = await to_thread.run_sync(of_filters, bank, recorded, start, end, limiter=_LIMITER)
        return _view(trial, cut, "")
    settings: dict[str, Any] = {}
    points: list[Point] = []
    if data.rule is not None:
        settings["rules"] = [{"name": "rule", **{key: value for key, value in data.rule.items() if key != "command"}}]
    else:
        points.append(Point(name="99.1/dry-run#computed", series=0, address=_COMPUTED, options=data.computed or {}))
    engine, read = await in_thread(lambda: engine_for(context, settings, points, edge=None))
    recorded, cut = await _recorded(context, list(read.values()), start, end)
    trial = await to_thread.run_sync(of_engine, engine, recorded, start, end, limiter=_LIMITER)
    return _view(trial, cut, engine.entries[0].name if engine.entries else "")


def _window(data: DryRun) -> tuple[int, int]:
    now = time.time_ns()
    end = now if data.end is None else parse_time(data.end, now=now, place="$.end")
    if (data.start is None) == (data.last is None):
        raise RequestError("give either start or last", place="$.start")
    start = (
        end - parse_span(data.last, place="$.last")
        if data.last is not None
        else parse_time(data.start if data.start is not None else "", now=now, place="$.start")
    )
    if start >= end:
        raise RequestError("the window ends before it begins", place="$.start")
    return start, end


def _bank(point: Point, filters: dict[str, Any]) -> FilterBank:
    known = Described(name=point.name, unit=point.unit, low=point.low, high=point.high)
    options = {FILTERS: filters, DESCRIBED: msgspec.to_builtins(known)}
    declared = filters_of(options, point.storage, place="$")
    bank = FilterBank({} if declared is None else {point.series: declared})
    bank.storages({point.series: point.storage})
    return bank


async def _recorded(context: Context, points: list[Point], start: int, end: int) -> tuple[list[Columns], bool]:
    """The raw samples of today's series of ``points``, and whether there are more than are taken."""
    found: list[Columns] = []
    rows, cut = 0, False
    for storage in dict.fromkeys(point.storage for point in points):
        series = [point.series for point in points if point.storage is storage]
        asked = RawWindow(series=series, start=start, end=end, storage=storage, limit=max(1, _MOST_ROWS - rows))
        table = await context.table(asked, context.limits(_MOST_ROWS))
        if not table.num_rows:
            continue
        rows += table.num_rows
        cut |= (table.schema.metadata or {}).get(b"truncated", b"").lower() in (b"true", b"1")
        found.append(_columns(storage, table))
    return found, cut


def _columns(storage: StorageClass, table: pa.Table) -> Columns:
    whole = table.combine_chunks()
    value = whole.column("value").combine_chunks()
    return Columns.of(
        storage,
        whole.column("series").to_numpy(),
        whole.column("time").cast(pa.int64()).to_numpy(),
        value.chunk(0) if isinstance(value, pa.ChunkedArray) else value,
        whole.column("status").to_numpy(),
    )


def _view(trial: Trial, cut: bool, name: str) -> DryRunView:
    passed = sum(map(len, trial.columns))
    bad = sum(int((part.status >> 31).sum()) for part in trial.columns)
    changes = [HappeningView(time_ms=change.time / 1e6, subject=name, what=change.what) for change in trial.changes]
    stale = [
        HappeningView(time_ms=one.time / 1e6, subject=one.name, what="stale" if one.stale else "fresh")
        for one in trial.staleness
    ]
    return DryRunView(
        taken=trial.taken,
        passed=passed,
        bad=bad,
        series=_drawn(trial.columns),
        events=[*changes, *stale],
        clock_ms=trial.step / 1e6,
        truncated=cut or trial.truncated,
    )


def _drawn(columns: list[Columns]) -> DrawnView:
    """Doubles as a line that looks the same, with every break; others as they are, as far as there is room."""
    if not columns:
        return DrawnView(time_ms=[], value=[], status=[])
    whole = columns[0]
    order = np.argsort(whole.time, kind="stable")
    time_, value = whole.time[order], whole.value.take(pa.array(order))
    if whole.storage is StorageClass.DOUBLE and len(time_) > _DRAWN:
        numbers = value.to_numpy(zero_copy_only=False)
        usable = np.flatnonzero(np.isfinite(numbers) & np.append(np.diff(time_) > 0, True))
        breaks = np.flatnonzero(~np.isfinite(numbers))[:_DRAWN]
        shown = np.union1d(usable[minmaxlttb(time_[usable], numbers[usable], _DRAWN)], breaks)
    else:
        shown = np.arange(min(len(time_), _DRAWN))
    listed = value.take(pa.array(shown)).to_pylist()
    return DrawnView(
        time_ms=(time_[shown] // 1000 / 1000.0).tolist(),
        value=[None if isinstance(one, float) and not np.isfinite(one) else one for one in listed],
        status=whole.status[order][shown].tolist(),
    )


ROUTES = [dry_run]
