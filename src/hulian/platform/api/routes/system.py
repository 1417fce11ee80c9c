"""How the platform is: health for people, metrics for Prometheus, jobs that run."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

import anyio
import msgspec
from litestar import Request, Response, get
from litestar.di import NamedDependency
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath, QueryParameter

from hulian.data.historian.contract import Size
from hulian.kernel.errors import HulianError
from hulian.network.exchange.spine.streams import StreamFigures
from hulian.platform.api.access import in_thread, needs, public, visitor
from hulian.platform.api.context import Context
from hulian.platform.api.jobs import Job
from hulian.platform.api.metrics import exposition
from hulian.trust import Action

__all__ = ["ROUTES"]

T = TypeVar("T")
_ASK = 2.0
"""Seconds a part of the platform has to answer a look at the health."""

State = Literal["ok", "degraded", "starting"]


class ComponentView(msgspec.Struct, frozen=True, kw_only=True):
    """One process of the node. ``since`` is ms since 1970."""

    name: str
    state: str
    since_ms: float
    restarts: int
    memory_mb: float
    cpu_percent: float
    detail: str


class StreamView(msgspec.Struct, frozen=True, kw_only=True):
    """One stream of the spine: what it holds, what it may hold, and what happens when it is full."""

    name: str
    messages: int
    bytes: int
    max_bytes: int
    policy: str
    waiting: int
    dropped: int


class SpineView(msgspec.Struct, frozen=True, kw_only=True):
    """The spine."""

    connected: bool
    streams: list[StreamView]


class TableView(msgspec.Struct, frozen=True, kw_only=True):
    """One table of the historian."""

    rows: int
    bytes: int
    oldest_ms: float
    newest_ms: float


class HistorianView(msgspec.Struct, frozen=True, kw_only=True):
    """The historian."""

    answers: bool
    tables: dict[str, TableView]


class FlowView(msgspec.Struct, frozen=True, kw_only=True):
    """Data in motion. ``lag_ms`` is the age of the newest sample of the connector that is furthest behind."""

    samples_per_s: float
    points: int
    lag_ms: float | None
    connectors: dict[str, int]


class HealthView(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The state, and for whoever is logged in what it comes from."""

    status: State
    time_ms: float | None = None
    components: list[ComponentView] | None = None
    spine: SpineView | None = None
    historian: HistorianView | None = None
    flow: FlowView | None = None
    problems: list[str] | None = None


class Health:
    """One look at everything, each part with its own deadline, so that a sick one does not hide the others."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self.components: Sequence[Any] = ()
        self.streams: Sequence[StreamFigures] = ()
        self.sizes: Mapping[str, Size] = {}
        self.historian = False
        self.points = 0

    async def look(self) -> Health:
        async with anyio.create_task_group() as group:
            for part in (self._look_components, self._look_streams, self._look_historian, self._look_points):
                group.start_soon(part)
        return self

    async def _within(self, call: Awaitable[T], otherwise: T) -> T:
        try:
            with anyio.fail_after(_ASK):
                return await call
        except (HulianError, TimeoutError):
            return otherwise

    async def _look_components(self) -> None:
        self.components = await in_thread(self._context.house.components)

    async def _look_streams(self) -> None:
        if self._context.house.spine.connected:
            self.streams = await self._within(self._context.house.streams(), ())

    async def _look_historian(self) -> None:
        found = await self._within(self._context.queries.sizes(), None)
        self.historian = found is not None
        self.sizes = found or {}

    async def _look_points(self) -> None:
        self.points = await in_thread(lambda: sum(self._context.catalogue.counts().values()))

    @property
    def connectors(self) -> dict[str, Any]:
        return {name: said for name, said in self._context.board.all_of("edge").items() if not _orphaned(said)}

    @property
    def orphans(self) -> dict[str, Any]:
        """Journals whose connector is gone and that are not empty yet."""
        return {name: said for name, said in self._context.board.all_of("edge").items() if _orphaned(said)}

    def state(self) -> State:
        states = {str(component.state) for component in self.components}
        if "starting" in states:
            return "starting"
        sick = not self._context.house.spine.connected or not self.historian or states & {"failed", "restarting"}
        return "degraded" if sick or self.problems() else "ok"

    def problems(self) -> list[str]:
        """What a person should look at, in words."""
        found = [f"{name} is {status['state']}" for name, status in self.connectors.items() if _unwell(status)]
        found += [f"stream {stream.name} is {stream.fill:.0%} full" for stream in self.streams if stream.fill > _NEARLY_FULL]
        return found

    def flow(self) -> FlowView:
        now = time.time_ns()
        rate = self._context.rates.samples_per_second(self.connectors)
        newest = [status.get("last_sample", 0) for status in self.connectors.values() if status.get("last_sample")]
        states: dict[str, int] = {}
        for status in self.connectors.values():
            states[str(status.get("state", ""))] = states.get(str(status.get("state", "")), 0) + 1
        lag = max(0.0, (now - min(newest)) / 1e6) if newest else None
        return FlowView(samples_per_s=round(rate, 1), points=self.points, lag_ms=lag, connectors=states)


_NEARLY_FULL = 0.8


def _orphaned(status: Any) -> bool:
    return isinstance(status, dict) and status.get("orphan") is True


def _unwell(status: Any) -> bool:
    return isinstance(status, dict) and status.get("state") in ("degraded", "waiting", "needs-approval", "refused")


@get("/health", opt=public(), summary="Is it well", tags=["system"])
async def health(request: Request[Any, Any, Any], context: NamedDependency[Context]) -> HealthView:
    """Anyone learns the state; whoever is logged in learns why."""
    found = await Health(context).look()
    who = visitor(request).principal
    if who is None or not context.trust.authority.allowed(who, Action.HEALTH_READ):
        return HealthView(status=found.state())
    return HealthView(
        status=found.state(),
        time_ms=time.time_ns() // 1000 / 1000,
        components=[
            ComponentView(
                name=component.name,
                state=str(component.state),
                since_ms=component.since * 1000,
                restarts=component.restarts,
                memory_mb=component.memory_mb,
                cpu_percent=component.cpu_percent,
                detail=component.detail,
            )
            for component in found.components
        ],
        spine=SpineView(
            connected=context.house.spine.connected,
            streams=[
                StreamView(
                    name=stream.name,
                    messages=stream.messages,
                    bytes=stream.bytes,
                    max_bytes=stream.max_bytes,
                    policy=stream.policy,
                    waiting=stream.waiting,
                    dropped=stream.lost,
                )
                for stream in found.streams
            ],
        ),
        historian=HistorianView(
            answers=found.historian,
            tables={
                name: TableView(rows=size.rows, bytes=size.bytes, oldest_ms=size.oldest / 1e6, newest_ms=size.newest / 1e6)
                for name, size in found.sizes.items()
            },
        ),
        flow=found.flow(),
        problems=found.problems(),
    )


@get(
    "/metrics",
    opt=needs(Action.METRICS_READ),
    summary="Prometheus metrics",
    tags=["system"],
    responses={200: ResponseSpec(str, media_type="text/plain", description="text exposition format 0.0.4")},
)
async def metrics(context: NamedDependency[Context]) -> Response[bytes]:
    """Needs the scope ``metrics``: give Prometheus a token with nothing else."""
    found = await Health(context).look()
    body = exposition(
        context,
        found.components,
        found.streams,
        found.sizes,
        found.connectors,
        found.historian,
        found.points,
        found.orphans,
    )
    return Response(body, media_type="text/plain; version=0.0.4; charset=utf-8")


class JobPage(msgspec.Struct, frozen=True, kw_only=True):
    """Newest first."""

    items: list[Job]


@get("/jobs", opt=needs(Action.EXPORTS_CREATE), summary="Running and recent jobs", tags=["system"])
async def jobs(context: NamedDependency[Context]) -> JobPage:
    """Imports, newest first."""
    return JobPage(items=context.jobs.all())


@get("/jobs/{identity:str}", opt=needs(Action.EXPORTS_CREATE), summary="One job", tags=["system"])
async def job(
    context: NamedDependency[Context],
    identity: FromPath[str],
    wait: Annotated[float, QueryParameter(description="seconds to wait for its end", ge=0, le=30)] = 0,
) -> Job:
    """Its progress, and how it ended."""
    return await context.jobs.ended(identity, wait)


ROUTES = [health, metrics, jobs, job]
