"""What the edge needs from elsewhere in the house; `hulian.assembly` hands it in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Protocol

import msgspec

from hulian.kernel.sample import SampleBatch
from hulian.network.exchange.protocols.contract import Binding, Credentials
from hulian.platform.edge.segment import Drop

__all__ = ["ConnectorPlan", "Inputs", "PlantSource", "Uplink"]


class ConnectorPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One connector as it is configured now. Two equal plans mean that nothing has to be started again."""

    name: str
    protocol: str
    url: str
    settings: Mapping[str, Any]
    credentials: Credentials
    enabled: bool
    bindings: tuple[Binding, ...]
    problem: Mapping[str, str] | None = None
    """Code, message and hint where the configuration itself is broken: the connector is shown as refused, not run."""


class PlantSource(Protocol):
    """Where the edge learns what to connect to. Calls block and come from a worker thread."""

    def plans(self) -> Sequence[ConnectorPlan]: ...


class Inputs(Protocol):
    """What connectors get from beside this room, and what has to be there before one starts and after one is gone."""

    def extras(self, plan: ConnectorPlan) -> Mapping[str, Any]:
        """`Environment.extras` of a connector, also of one that only looks at a device."""
        ...

    async def prepare(self, plan: ConnectorPlan) -> None:
        """Called before a connector starts: what its device sends from now on is kept for it. Raises a `HulianError`."""
        ...

    async def taken(self, plan: ConnectorPlan, patience: float) -> bool:
        """Called when a connector was removed from the configuration, while it still runs: whether all that its devices were
        told is safe is in its journal, at the latest after ``patience`` seconds. Raises a `HulianError`."""
        ...

    async def forget(self, plan: ConnectorPlan) -> None:
        """Called when a connector was removed from the configuration. Raises a `HulianError`."""
        ...


class Uplink(Protocol):
    """The spine, as the edge sees it."""

    @property
    def connected(self) -> bool: ...

    def send(self, source: str, payload: bytes, identity: str, done: Callable[[Exception | None], None]) -> None:
        """Hands a message to the spine without waiting; ``done`` is called once: None when it is stored."""
        ...

    def encode(self, batch: SampleBatch) -> bytes: ...

    def decode(self, payload: bytes) -> SampleBatch:
        """The inverse of `encode`."""
        ...

    def declare(self, source: str, epoch: int, drop: Drop) -> bytes:
        """The message that batches of ``source`` were dropped and never come; sent as a batch is."""
        ...

    async def event(self, event: Any) -> None: ...

    async def status(self, name: str, payload: bytes) -> None: ...

    def requests(self, component: str) -> AsyncIterator[tuple[bytes, Callable[[bytes], Any]]]: ...
