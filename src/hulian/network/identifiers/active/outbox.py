"""From the node to where reports go: in order, each exactly once."""

from __future__ import annotations

from typing import Final, Protocol

import anyio
import anyio.to_thread
import structlog

from hulian.kernel.errors import HulianError
from hulian.network.identifiers.active.carriers import Waiting
from hulian.network.identifiers.active.desk import Desk
from hulian.network.identifiers.active.errors import DeliveryError, RefusedReportError
from hulian.network.identifiers.active.messages import Report

__all__ = ["Outbox", "ReportSink"]

_PAUSE: Final = 0.5
_LONGEST: Final = 60.0
_PART: Final = 100
_log = structlog.get_logger(__name__)


class ReportSink(Protocol):
    """Where reports go. The outbox calls it, one report at a time, those of a carrier in the order of their numbers.

    It may be called again with a report that it took, where the node ended before it wrote that down: ``identity`` is the same
    then, and the sink has to know it. `DeliveryError` makes the outbox come again later; `RefusedReportError` makes it keep
    this report apart, with the words of the error, and go on with the next.
    """

    async def deliver(self, identity: str, report: Report, received: int) -> None:
        """Takes ``report``, durably when it returns; ``received`` (UTC ns) stands for the time of items without one."""
        ...


class Outbox:
    """Carries what the desk has taken to ``sink``, until cancelled."""

    def __init__(self, desk: Desk, sink: ReportSink) -> None:
        self._desk = desk
        self._sink = sink

    async def run(self) -> None:
        """See the class."""
        pause = _PAUSE
        while True:
            self._desk.arrived = arrived = anyio.Event()
            try:
                while await self._some():
                    pause = _PAUSE
            except HulianError as error:
                _log.warning("reports wait", reason=str(error), again_in=pause)
                await anyio.sleep(pause)
                pause = min(pause * 2, _LONGEST)
                continue
            await arrived.wait()

    async def _some(self) -> bool:
        carriers = self._desk.carriers
        waiting = await anyio.to_thread.run_sync(carriers.waiting, _PART)
        for one in waiting:
            await self._one(one)
        return bool(waiting)

    async def _one(self, one: Waiting) -> None:
        carriers = self._desk.carriers
        try:
            await self._sink.deliver(f"{one.identifier}/{one.sequence}", Report.unpack(one.body), one.received)
        except RefusedReportError as error:
            _log.error("a report is refused for good", identifier=one.identifier, sequence=one.sequence, reason=str(error))
            await anyio.to_thread.run_sync(carriers.failed, one, str(error))
        except OSError as error:
            raise DeliveryError(str(error)) from error
        else:
            await anyio.to_thread.run_sync(carriers.delivered, [one])
