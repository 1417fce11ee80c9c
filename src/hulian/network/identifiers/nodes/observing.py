"""The statistics of a node, as its configuration describes them, and what it sees of the nodes that it asks."""

from __future__ import annotations

from typing import Final

from hulian.network.identifiers.chain.errors import UnreachableError
from hulian.network.identifiers.chain.follow import Ask
from hulian.network.identifiers.chain.sites import Target
from hulian.network.identifiers.nodes.configuration import IdentifiersConfiguration
from hulian.network.identifiers.statistics.collect import Dropped, Statistics
from hulian.network.identifiers.statistics.events import FaultEvent
from hulian.network.identifiers.statistics.faults import Faults
from hulian.network.identifiers.statistics.kept import Kept
from hulian.network.identifiers.statistics.tally import Meter, Networks
from hulian.network.identifiers.store import RecordStore
from hulian.network.identifiers.transport.server import Listener
from hulian.network.identifiers.wire.frame import Message
from hulian.registry import Registry

__all__ = ["Watched", "meter_of", "statistics_of"]

MISSED: Final = 3
"""Questions in a row without an answer that make a fault of it: one or two are lost datagrams."""

_MOST: Final = 1_000


class Watched:
    """An `hulian.network.identifiers.chain.follow.Ask` that tells ``faults`` which nodes do not answer ``ask``.

    At most 1,000 are watched; what strangers ask about may lead to any number of them.
    """

    def __init__(self, ask: Ask, faults: Faults) -> None:
        self._ask, self._faults = ask, faults
        self._missed: dict[str, int] = {}

    async def __call__(self, target: Target, message: Message) -> Message:
        name = str(target)
        try:
            answer = await self._ask(target, message)
        except UnreachableError as error:
            if name in self._missed or len(self._missed) < _MOST:
                self._missed[name] = self._missed.get(name, 0) + 1
                if self._missed[name] == MISSED:
                    self._faults.began(FaultEvent.UPSTREAM_UNREACHABLE, name, error.message)
            raise
        if self._missed.pop(name, 0) >= MISSED:
            self._faults.ended(FaultEvent.UPSTREAM_UNREACHABLE, name)
        return answer


def meter_of(configuration: IdentifiersConfiguration) -> Meter:
    """What counts the questions of a node: addresses, networks, or neither."""
    if not configuration.statistics_source_days:
        return Meter(Networks(-1, -1))
    return Meter(Networks(24, 48) if configuration.statistics_source_networks else Networks())


def statistics_of(
    configuration: IdentifiersConfiguration,
    meter: Meter,
    listener: Listener,
    store: RecordStore | None,
    faults: Faults,
    registry: Registry | None = None,
) -> Statistics:
    """The collector, not yet running. It keeps what it counts beside the records, or in ``registry`` where there are none; with
    neither it keeps nothing."""

    def dropped() -> Dropped:
        return Dropped(listener.dropped - listener.unsent, listener.over_budget)

    if store is None:
        kept = None if registry is None else Kept(registry, source_days=configuration.statistics_source_days)
        return Statistics(meter, kept, dropped=dropped, faults=faults)
    return Statistics(
        meter,
        Kept(store.registry, source_days=configuration.statistics_source_days),
        dropped=dropped,
        changes=store.log.since,
        registered=lambda: len(store),
        faults=faults,
    )
