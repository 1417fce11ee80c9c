"""What the node of this installation has counted, by hour and by day."""

from __future__ import annotations

import time
from typing import Final

from hulian.kernel.errors import HulianError
from hulian.network.identifiers.statistics.counts import Counts, Latency
from hulian.network.identifiers.statistics.faults import Fault
from hulian.network.identifiers.statistics.kept import DAY, MINUTE, Kept, begin_of
from hulian.network.identifiers.statistics.shown import fault_document, rfc3339
from hulian.network.identifiers.wire.codes import response_text
from hulian.platform.api.access import in_thread
from hulian.platform.api.errors import NotFoundError
from hulian.platform.api.naming.contract import IdentifierNode
from hulian.platform.api.naming.documents import AnswersView, FaultView, LatencyView, SpanView, StatisticsView

__all__ = ["Figures"]

HOUR: Final = 3_600
HOURS: Final = 48
DAYS: Final = 30
FAULTS: Final = 50
_NOW: Final = "/api/statistics?days=0&minutes=0&sources=0&faults=0"


class Figures:
    """Reads the counts from the registry, after the node was asked to write what it has counted in this minute."""

    def __init__(self, node: IdentifierNode) -> None:
        self._node = node

    async def read(self, by: str) -> StatisticsView:
        """The last `HOURS` hours, or with ``by`` day the last `DAYS` days (UTC), one span each.

        Raises `NotFoundError` where the node keeps no statistics.
        """
        if self._node.figures is None:
            raise NotFoundError("a recursive node keeps no statistics", hint="'hulian identifiers status' shows what it counts")
        since, complete = await self._written()
        kept: Kept = await in_thread(self._node.figures)
        now = time.time()
        size, many = (DAY, DAYS) if by == "day" else (HOUR, HOURS)
        first = begin_of(size, now) - (many - 1) * size

        def look() -> tuple[list[tuple[int, Counts]], list[Fault]]:
            return kept.counts(DAY if by == "day" else MINUTE, first, int(now) + 1), kept.faults(FAULTS)

        rows, faults = await in_thread(look)
        spans = {first + place * size: Counts() for place in range(many)}
        whole = Counts()
        for begin, counts in rows:
            spans[begin_of(size, begin)].add(counts)
            whole.add(counts)
        return StatisticsView(
            by="day" if by == "day" else "hour",
            since=since,
            complete=complete,
            spans=[_span(begin, counts) for begin, counts in spans.items()],
            whole=_span(first, whole),
            answers=[
                AnswersView(kind=kind.value, code=code, text=response_text(code), count=count)
                for kind, codes in whole.answers.items()
                for code, count in sorted(codes.items())
            ],
            faults=[FaultView(**fault_document(one)) for one in faults],
        )

    async def _written(self) -> tuple[str, bool]:
        """When the node began, and whether it has written everything up to now."""
        try:
            office = await in_thread(self._node.office)
            if office is None:
                return "", False
            told = await office.get(_NOW, await in_thread(self._node.identity))
        except HulianError:
            return "", False
        return str(told.get("since", "")), True


def _span(begin: int, counts: Counts) -> SpanView:
    return SpanView(
        begin=rfc3339(begin),
        requests=counts.requests,
        successes=counts.succeeded(),
        dropped=counts.dropped,
        over_budget=counts.over_budget,
        peak=counts.peak,
        peak_at=rfc3339(counts.peak_at) if counts.peak else "",
        created=counts.created,
        changed=counts.changed,
        deleted=counts.deleted,
        registered=counts.registered,
        latency={kind.value: _latency(one) for kind, one in counts.latency.items() if one.count},
    )


def _latency(one: Latency) -> LatencyView:
    return LatencyView(
        count=one.count,
        mean_ms=round(one.mean / 1e6, 4),
        min_ms=round(one.least / 1e6, 4),
        max_ms=round(one.most / 1e6, 4),
        min_at=rfc3339(one.least_at / 1e3),
        max_at=rfc3339(one.most_at / 1e3),
    )
