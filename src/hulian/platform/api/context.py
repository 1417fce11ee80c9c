"""What the routes share: the rooms below, the live hub, the status board, and the few calls that several of them make."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

import anyio
import msgspec
import pyarrow as pa
import structlog

from hulian.data.historian.contract import Limits, Request
from hulian.kernel.errors import HulianError
from hulian.kernel.identifier import escape
from hulian.kernel.unreadable import UNREADABLE
from hulian.platform.api.access import Gate, Visitor, in_thread
from hulian.platform.api.board import StatusBoard
from hulian.platform.api.contract import Dependencies
from hulian.platform.api.dictionary.upkeep import Upkeep
from hulian.platform.api.errors import UnavailableError
from hulian.platform.api.jobs import JobBoard
from hulian.platform.api.live import LiveHub
from hulian.platform.api.naming.pace import Pace
from hulian.platform.api.points import PointIndex
from hulian.platform.api.rates import Rates
from hulian.platform.api.refusals import RelayedError

if TYPE_CHECKING:
    from hulian.network.exchange.semantics.together import Semantics
    from hulian.platform.api.dictionary.service import Dictionary
    from hulian.platform.api.documents.service import Documents
    from hulian.platform.api.naming.service import Naming

__all__ = ["Context"]

_NAMING: Final = "hulian.platform.api.naming.service"
_DOCUMENTS: Final = "hulian.platform.api.documents.service"
_DICTIONARY: Final = "hulian.platform.api.dictionary.service"

_log = structlog.get_logger("hulian.api")


class Context:
    """One a running application; handed to every route."""

    def __init__(self, dependencies: Dependencies) -> None:
        self.house = dependencies
        self.configuration = dependencies.configuration
        self.trust = dependencies.trust
        self.catalogue = dependencies.catalogue
        self.queries = dependencies.queries
        self.gate = Gate(dependencies.trust, dependencies.configuration.allowed_hosts)
        self.points = PointIndex(dependencies.catalogue)
        self.hub = LiveHub(
            dependencies.spine,
            dependencies.decode,
            dependencies.organisation,
            clients=self.configuration.live_clients,
            buffer=self.configuration.live_buffer,
            rate=self.configuration.live_events_per_second,
        )
        self.board = StatusBoard(dependencies.spine, dependencies.organisation, self.hub)
        self.rates = Rates()
        self.jobs = JobBoard(self.configuration.imports)
        self.upkeep = Upkeep(self)
        self.asking = Pace(rate=10.0, burst=60.0)
        self._naming: Naming | None = None
        self._semantics: Semantics | None = None
        self._documents: Documents | None = None
        self._dictionary: Dictionary | None = None
        self._opening = anyio.Lock()
        self.sparql = anyio.CapacityLimiter(1)

    def limits(self, rows: int = 2**40) -> Limits:
        """The configured bounds of one query, with at most ``rows`` rows."""
        configured = self.configuration
        return Limits(
            memory=configured.query_memory, seconds=configured.query_seconds, threads=configured.query_threads, rows=rows
        )

    async def table(self, request: Request, limits: Limits | None = None) -> pa.Table:
        """A whole answer; a table without columns where the historian knows none of the series."""
        batches = [batch async for batch in self.queries.query(request, limits or self.limits())]
        return pa.Table.from_batches(batches, batches[-1].schema) if batches else pa.table({})

    async def naming(self) -> Naming:
        """What is asked about identifiers, loaded when somebody first asks: most visits never do.

        Raises `UnavailableError` where this installation has no identifier node.
        """
        node = self.house.identifiers
        if node is None:
            raise UnavailableError("this installation has no identifier node", hint="identifiers.port in hulian.toml is 0")
        if self._naming is None:
            module = await in_thread(lambda: importlib.import_module(_NAMING))
            if self._naming is None:
                self._naming = module.Naming(node)
        return self._naming

    async def semantics(self) -> Semantics:
        """The model and the dictionaries, opened when somebody first asks. Raises `UnavailableError` where there are none."""
        if self._semantics is None:
            make = self.house.semantics
            if make is None:
                raise UnavailableError("this installation keeps no information model")
            async with self._opening:
                if self._semantics is None:
                    self._semantics = await in_thread(make)
        return self._semantics

    async def documents(self) -> Documents:
        """What imports documents into the model, loaded when somebody first asks. Raises as `semantics`."""
        if self._documents is None:
            model = (await self.semantics()).model
            async with self._opening:
                if self._documents is None:
                    self._documents = await in_thread(
                        lambda: importlib.import_module(_DOCUMENTS).Documents(
                            model, self.jobs, self.house.scratch, self.configuration
                        )
                    )
        return self._documents

    @property
    def knows_meaning(self) -> bool:
        """Whether the model and the dictionaries were opened."""
        return self._semantics is not None

    async def dictionary(self) -> Dictionary:
        """What is asked about words and tags, loaded when somebody first asks. Raises `UnavailableError`."""
        semantics = await self.semantics()
        if self._dictionary is None:
            module = await in_thread(lambda: importlib.import_module(_DICTIONARY))
            if self._dictionary is None:
                self._dictionary = module.Dictionary(self.catalogue, semantics)
        return self._dictionary

    async def ask(self, component: str, request: Mapping[str, Any], *, edge: str = "", seconds: float = 5.0) -> Any:
        """Asks a component over the spine, that of an edge node where ``edge`` is named.

        Its refusal is raised under its own code; silence as `UnavailableError`.
        """
        where = f"{component}.{escape(edge)}" if edge else component
        subject = f"hl.{escape(self.house.organisation)}.control.{where}"
        reply = await self.house.spine.request(subject, msgspec.json.encode(request), timeout=seconds)
        try:
            answer = msgspec.json.decode(reply.payload)
        except UNREADABLE as error:
            raise UnavailableError(f"the component {component} answered with something that is not JSON") from error
        if isinstance(answer, dict) and isinstance(refusal := answer.get("error"), dict):
            raise RelayedError(refusal)
        return answer

    async def reload_edge(self, connector: str, *edges: str) -> bool:
        """Tells the edges that a connector changed: where it runs now, and ``edges``, where it ran before.

        An edge that is away reads the change when it comes back: False.
        """
        told = True
        for edge in dict.fromkeys([*edges, *await in_thread(lambda: self._edge_of(connector))]):
            try:
                if edge:
                    await self.house.edges.changed(edge)
                await self.ask("edge", {"do": "reload", "connector": connector}, edge=edge)
            except HulianError as error:
                _log.warning("the edge was not told of a change", connector=connector, edge=edge, error=str(error))
                told = False
        return told

    async def remind_edges(self) -> None:
        """Tells the edge nodes that are there to ask for their orders; one that is away asks when it comes back."""

        async def remind(edge: str) -> None:
            try:
                await self.ask("edge", {"do": "reload"}, edge=edge, seconds=2.0)
            except HulianError as error:
                _log.info("an edge node was not reminded", edge=edge, error=str(error))

        async with anyio.create_task_group() as group:
            for edge in self.board.all_of("edges"):
                group.start_soon(remind, edge)

    def _edge_of(self, connector: str) -> list[str]:
        return [record.edge for record in self.catalogue.connectors() if record.name == connector]

    async def audit(
        self, who: Visitor, action: str, resource: str, outcome: str = "done", details: Mapping[str, Any] | None = None
    ) -> None:
        """Records what somebody did; trust itself records what was refused and what it changed."""
        await in_thread(
            lambda: self.trust.audit.record(who.name, action, resource, outcome, source=who.source, details=dict(details or {}))
        )
