"""What the API needs from elsewhere in the house; `hulian.assembly` hands it in.

Trust and the catalogue are below this room and used as they are. What runs in another process or beside this room is a
`Protocol` here, so that a test or another assembly can hand in its own.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import msgspec
import pyarrow as pa

from hulian.data.catalogue import Catalogue
from hulian.data.historian.contract import Annotate, Correct, Limits, Request, Size
from hulian.kernel.errors import HulianError
from hulian.kernel.sample import Columns
from hulian.network.exchange.spine.streams import StreamFigures
from hulian.platform.api.configuration import ApiConfiguration
from hulian.platform.api.naming.contract import IdentifierNode
from hulian.trust import Trust

if TYPE_CHECKING:
    from hulian.network.exchange.semantics.together import Semantics

__all__ = [
    "ComponentReport",
    "Decode",
    "Dependencies",
    "EdgeNodes",
    "Message",
    "Mount",
    "Queries",
    "Refusal",
    "SpineLink",
    "Subscribed",
]

Decode = Callable[[bytes], Sequence[Columns]]
"""A sample message to what its batches hold; raises a `HulianError` for what is none."""


class Message(Protocol):
    """One message of the spine."""

    @property
    def subject(self) -> str: ...

    @property
    def payload(self) -> bytes: ...


class Subscribed(Protocol):
    """An interest in a subject: its messages in order, until it is closed. Further ones than it holds are dropped."""

    def __aiter__(self) -> AsyncIterator[Message]: ...

    async def __aenter__(self) -> Any: ...

    async def __aexit__(self, *error: object) -> Any: ...


class SpineLink(Protocol):
    """The spine, as the API sees it: live messages, and requests to other components.

    A subscription survives lost connections. `request` raises a `HulianError` where nobody answers in time; the caller of
    the API then gets 503.
    """

    @property
    def connected(self) -> bool: ...

    async def subscribe(self, subject: str) -> Subscribed: ...

    async def request(self, subject: str, payload: bytes, timeout: float = 5.0) -> Message: ...


class Queries(Protocol):
    """The historian, asked over the spine. Errors arrive as the classes the historian raised."""

    def query(self, request: Request, limits: Limits = ...) -> AsyncIterator[pa.RecordBatch]: ...

    async def ledger(self) -> Sequence[Any]: ...

    async def insert_history(self, columns: Sequence[Columns], token: str) -> None: ...

    async def annotate(self, annotation: Annotate) -> None: ...

    async def correct(self, correction: Correct) -> None: ...

    async def sizes(self) -> Mapping[str, Size]: ...


class ComponentReport(Protocol):
    """What the supervisor says of one process of the node. ``since`` is seconds since 1970."""

    name: str
    state: str
    since: float
    restarts: int
    memory_mb: float
    cpu_percent: float
    detail: str


class EdgeNodes(Protocol):
    """What happens at the centre when the edge nodes, or what they are to run, change."""

    async def changed(self, edge: str, *, state: bool = False) -> None:
        """Another set of connectors, or (with ``state``) another decision: accounts and orders follow."""
        ...


class _NoEdgeNodes:
    async def changed(self, edge: str, *, state: bool = False) -> None:
        return None


class Mount(NamedTuple):
    """A further interface on the API's server, under a path of its own: the same port, certificate and logins serve it.

    ``application`` is called (ASGI) for every request below the path whose host, login and cross-site proof the gate has
    taken; ``scope["state"]["visitor"]`` is the `hulian.platform.api.access.Visitor`, who is logged in. It bounds bodies,
    authorises and audits itself, and answers its own errors. ``refusal`` makes the JSON body of what the gate refuses, of the
    error and its HTTP status, in the form that clients of this interface know.
    """

    application: Callable[[Any, Any, Any], Awaitable[None]]
    refusal: Callable[[HulianError, int], bytes]


async def _no_streams() -> Sequence[StreamFigures]:
    return ()


async def _nothing() -> None:
    return None


@dataclass(frozen=True, kw_only=True)
class Dependencies:
    """Everything the application is built from. ``prefix`` begins the names that are proposed for new things.
    ``accounts_changed`` is awaited after an MQTT credential was made or taken away: it renders the spine's accounts anew and
    makes the server read them. ``edges`` does the same for edge nodes and their orders, and ``leaf_port`` is where they reach
    the spine, 0 where they are not served. ``own_secrets`` are names of kept secrets that no connector may use.
    ``identifiers`` is the identifier node beside this API, None where there is none. ``semantics`` opens the model and the
    dictionaries when somebody first asks; it blocks. ``mounts`` are further interfaces by the path below which they stand.
    ``components`` and ``streams`` are asked when somebody looks at the health; the first blocks shortly. ``console`` is the
    folder of the built console, ``scratch`` one for files that are being imported (None: the system's).
    """

    organisation: str
    prefix: str = "99.118.8"
    trust: Trust
    catalogue: Catalogue
    spine: SpineLink
    queries: Queries
    decode: Decode
    configuration: ApiConfiguration = field(default_factory=ApiConfiguration)
    accounts_changed: Callable[[], Awaitable[None]] = _nothing
    edges: EdgeNodes = field(default_factory=_NoEdgeNodes)
    leaf_port: int = 0
    own_secrets: frozenset[str] = frozenset()
    identifiers: IdentifierNode | None = None
    semantics: Callable[[], Semantics] | None = None
    mounts: Mapping[str, Mount] = field(default_factory=dict)
    components: Callable[[], Sequence[ComponentReport]] = tuple
    streams: Callable[[], Awaitable[Sequence[StreamFigures]]] = _no_streams
    console: Path | None = None
    scratch: Path | None = None


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """How every error is answered: a permanent code, what happened, where, and what to do next."""

    code: str
    message: str
    place: str = ""
    hint: str = ""
