"""What the edge asks of a protocol, and what a protocol may ask of the edge.

A protocol is one folder and one line under the entry-point group ``hulian.protocols``; the line names a `Protocol`
object. The suite in ``tests/contracts/test_connectors.py`` runs over every one of them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any
from typing import Protocol as Interface

import msgspec

from hulian.kernel.event import Event
from hulian.kernel.point import Kind
from hulian.kernel.sample import Columns
from hulian.kernel.storage import StorageClass

__all__ = [
    "Address",
    "Binding",
    "Browsed",
    "Connector",
    "ConnectorState",
    "ConnectorStatus",
    "Credentials",
    "Environment",
    "PeerTrust",
    "Protocol",
    "Sink",
]

Address = str
"""A place inside a device, in the protocol's own words: ``ns=2;s=Reactor.Pressure``, ``holding:40001:float32``."""


class Binding(msgspec.Struct, frozen=True, kw_only=True):
    """One address that is to be read, and the series its values belong to.

    ``options`` are the protocol's own (sampling interval, scale, byte order); a wrong one makes this binding bad, with
    an event that names it, and no other.
    """

    series: int
    address: Address
    storage: StorageClass
    kind: Kind = Kind.CONTINUOUS
    writable: bool = False
    options: Mapping[str, Any] = {}


class Browsed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One node that a device shows: a branch to open, or a leaf that can become a point.

    ``path`` leads from the root to the node, its own name last; ``name`` is what a person calls it.
    """

    address: Address
    name: str
    path: tuple[str, ...]
    leaf: bool
    storage: StorageClass | None = None
    kind: Kind = Kind.CONTINUOUS
    unit: str = ""
    low: float | None = None
    high: float | None = None
    writable: bool = False
    description: str = ""
    value: str = ""
    options: Mapping[str, Any] = {}


class ConnectorState(StrEnum):
    """Where a connection stands, as a person sees it."""

    STARTING = "starting"
    CONNECTED = "connected"
    DEGRADED = "degraded"
    WAITING = "waiting"
    NEEDS_APPROVAL = "needs-approval"
    REFUSED = "refused"
    STOPPED = "stopped"


class ConnectorStatus(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What the console shows of a connection. ``last_sample`` is UTC ns; ``retry_at`` likewise, 0 where none is planned.

    ``counters`` are the protocol's own, e.g. ``requests``, ``timeouts``, ``reconnects``, ``bad_points``.
    """

    state: ConnectorState
    error_code: str = ""
    error: str = ""
    hint: str = ""
    since: int = 0
    retry_at: int = 0
    last_sample: int = 0
    points: int = 0
    bad_points: int = 0
    samples: int = 0
    counters: dict[str, int] = {}


class Credentials(msgspec.Struct, frozen=True, kw_only=True):
    """What proves who we are to a device, already resolved from references. Never logged.

    ``key`` is the private key (PEM) of a certificate that the protocol's settings name.
    """

    user: str = ""
    password: str = ""
    key: str = ""

    def __repr__(self) -> str:
        return f"Credentials(user={self.user!r})"


class PeerTrust(Interface):
    """Which foreign certificates a person has approved. ``check`` remembers an unknown one as waiting for approval."""

    def check(self, certificate: bytes, *, peer: str) -> bool:
        """Whether the DER ``certificate`` of ``peer`` is approved."""
        ...

    def own(self, application_uri: str) -> tuple[bytes, bytes]:
        """Our own application certificate (DER) and private key (PEM, unencrypted) for ``application_uri``; made once."""
        ...


class Sink(Interface):
    """Where a connector hands what it read. Owned by the edge; every call is cheap and none blocks.

    Samples handed over are in the edge's journal (and so survive ``kill -9`` of the edge) once `commit` returns, and at
    the latest after the edge's flush interval without it. A full journal drops by its declared policy and says so in an
    event: a connector never waits for the spine.
    """

    position: int | None
    """The input position of the last commit that named one, as found in the journal at start: a replay skips up to here."""

    @property
    def fill(self) -> float:
        """How full the journal is with what the spine has not taken yet, 0 to 1. An input that can wait (a file, a table, a
        sender that asks again) waits long before 1, so that nothing has to be dropped."""
        ...

    def samples(self, columns: Columns) -> None: ...

    def event(self, event: Event) -> None: ...

    def status(self, status: ConnectorStatus) -> None: ...

    async def commit(self, position: int | None = None) -> None: ...


class Environment(msgspec.Struct, frozen=True, kw_only=True):
    """What a connector gets besides its configuration. ``extras`` carries what assembly adds for one protocol by name,
    e.g. ``mqtt.source`` for the platform's own listener. ``directory`` is the connector's own, beside its journal, for what
    has to survive with it; None where the connector only looks. With ``power`` that survives a power cut."""

    organisation: str
    connector: str
    credentials: Credentials
    trust: PeerTrust
    extras: Mapping[str, Any] = {}
    directory: Path | None = None
    power: bool = False


class Connector(Interface):
    """One connection to one device, alive from start to cancellation.

    The edge calls `run` in a scope of its own. It reconnects by itself, for ever, with exponential back-off and jitter; it
    marks every binding uncertain and then bad while the device is away; one bad binding harms no other. It returns only
    when cancelled. It raises a `HulianError` only for a configuration that can never work; then the edge shows the error and
    waits for a new configuration. Any other exception is a defect: the edge reports it and starts the connector again.
    """

    async def run(self, sink: Sink) -> None: ...

    async def write(self, binding: Binding, value: Any) -> None:
        """Writes ``value`` to the binding's address and returns when the device has confirmed it.

        Called while `run` is active, and only for a binding that the configuration marks ``writable``; the caller has
        authorised and audited it. Raises a `HulianError` where the link is down, the value does not fit or the device refuses.
        """
        ...


class Protocol(Interface):
    """A protocol as the house knows it: one stateless object an entry-point line names.

    ``configuration`` is the frozen type of a connector's own settings, without the address, credentials and bindings;
    ``options`` that of one point's: where it has ``scale`` and ``offset``, a raw range is given to the protocol as these.
    """

    name: str
    schemes: tuple[str, ...]
    configuration: type[msgspec.Struct]
    options: type[msgspec.Struct]

    def connector(self, url: str, configuration: Any, bindings: Sequence[Binding], environment: Environment) -> Connector:
        """Builds a connector without touching the network. Raises a `HulianError` for settings that can never work."""
        ...

    def browse(
        self, url: str, configuration: Any, environment: Environment, *, under: Address | None = None, depth: int = 1
    ) -> AsyncIterator[Browsed]:
        """What the device shows under a branch, ``depth`` levels deep (0: all). Raises a `HulianError` that says what to do
        where it cannot be reached, refuses us, or (protocols without a directory) has nothing to browse."""
        ...
