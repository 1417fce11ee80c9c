"""What is served in the field's own protocols through the API's server. Nothing of it is loaded before somebody asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.from_thread
import anyio.to_thread
import msgspec

from hulian.data.catalogue import Catalogue
from hulian.kernel.errors import HulianError
from hulian.platform.api.contract import Mount
from hulian.registry import Registry
from hulian.trust import Trust

if TYPE_CHECKING:
    from hulian.data.ingest.client import QueryClient
    from hulian.network.exchange.semantics.together import Semantics
    from hulian.platform.northbound.aas.application import AasApplication
    from hulian.platform.northbound.aas.live import Newest

__all__ = ["AAS", "HistorianPoints", "LazyAas", "mounts"]

AAS: Final = ("/aas/api/v3.1", "/aas/api/v3.0")
"""Where the AAS interface stands, for each of its versions."""
_SECONDS: Final = 10.0


class HistorianPoints:
    """`hulian.platform.northbound.aas.live.LivePoints`: asks the catalogue for series, the historian for their samples."""

    def __init__(self, catalogue: Catalogue, queries: QueryClient) -> None:
        self._catalogue, self._queries = catalogue, queries

    def __call__(self, points: Sequence[str]) -> Mapping[str, Newest]:
        """The newest samples, by the points' names."""
        from hulian.platform.northbound.aas.live import Newest

        known = self._catalogue.points_named(list(points))
        by_series = {point.series: point for point in known.values()}
        if not by_series:
            return {}
        found: dict[str, Newest] = {}
        for row in anyio.from_thread.run(self._last, sorted(by_series)):
            point = by_series[row["series"]]
            at = row["time"]
            found[point.name] = Newest(value=row["value"], time=at, status=row["status"], unit=point.unit)
        return found

    async def _last(self, series: Sequence[int]) -> list[dict[str, Any]]:
        import pyarrow as pa

        from hulian.data.historian.contract import LastValues, Limits

        rows: list[dict[str, Any]] = []
        limits = Limits(seconds=_SECONDS, rows=len(series) + 1)
        async for batch in self._queries.query(LastValues(series=series), limits):
            times = batch.column("time").cast(pa.int64())
            columns = {
                "series": batch.column("series"),
                "time": times,
                "value": batch.column("value"),
                "status": batch.column("status"),
            }
            rows += pa.RecordBatch.from_pydict(columns).to_pylist()
        return rows


class LazyAas:
    """An ASGI application that loads and makes the real one with the first request."""

    def __init__(
        self,
        registry: Registry,
        trust: Trust,
        semantics: Callable[[], Semantics],
        points: HistorianPoints,
    ) -> None:
        self._registry, self._trust, self._semantics, self._points = registry, trust, semantics, points
        self._opening = anyio.Lock()
        self._application: AasApplication | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """See the ASGI specification."""
        if self._application is None:
            async with self._opening:
                if self._application is None:
                    self._application = await anyio.to_thread.run_sync(self._made)
        await self._application(scope, receive, send)

    def _made(self) -> AasApplication:
        from hulian.network.exchange.semantics.model.excerpts import Excerpts
        from hulian.platform.northbound.aas.application import AasApplication

        return AasApplication(self._semantics().model, Excerpts(self._registry), self._trust, self._points)


def mounts(
    registry: Registry, trust: Trust, catalogue: Catalogue, queries: QueryClient, semantics: Callable[[], Semantics]
) -> dict[str, Mount]:
    """The interfaces by the path below which the API's server has them."""
    aas = LazyAas(registry, trust, semantics, HistorianPoints(catalogue, queries))
    return dict.fromkeys(AAS, Mount(aas, _result))


def _result(error: HulianError, status: int) -> bytes:
    """What the gate refuses as the Result object of the AAS interface."""
    del status
    now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    text = f"{error.message}; {error.hint}" if error.hint else error.message
    return msgspec.json.encode({"messages": [{"code": error.code, "messageType": "Error", "text": text, "timestamp": now}]})
