"""The centre's side of edge nodes: their accounts on the spine, and what each is ordered to run."""

from __future__ import annotations

import base64
import hashlib
import threading
import zlib
from collections.abc import Awaitable, Callable
from typing import Final

import anyio
import anyio.to_thread
import msgspec
import structlog

from hulian.assembly.inputs import reads_listener
from hulian.assembly.plant import CataloguePlant
from hulian.data.catalogue import Catalogue
from hulian.kernel.errors import HulianError
from hulian.kernel.identifier import unescape
from hulian.kernel.unreadable import UNREADABLE
from hulian.network.exchange.spine.connection import Message, Spine
from hulian.network.exchange.spine.streams import Subjects
from hulian.platform.edge.plans import Order
from hulian.trust import EdgeState, PeerState, Trust

__all__ = ["EdgeOrders", "OrderRequest", "PendingCertificate", "packed", "unpacked"]

_log = structlog.get_logger(__name__)
_LARGEST: Final = 256 * 2**20
_MOST_PENDING: Final = 20
_REMIND_FOR: Final = 30.0
"""Seconds in which a node that had to connect again is told that there is something new,"""
_REMIND_EVERY: Final = 0.5
"""so often, until it answers; later it asks by itself."""


class PendingCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """A foreign certificate (DER in base64) that a device showed to an edge node, and which device."""

    certificate: str
    peer: str


class OrderRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What an edge node has when it asks for orders."""

    version: int = 0
    refused: int = 0
    reason: str = ""
    pending: list[PendingCertificate] = []


class EdgeOrders:
    """`hulian.platform.api.contract.EdgeNodes`, and the answers to the nodes that ask.

    ``readmit`` renders the spine's accounts anew; with True it also makes every edge node connect again, because the server
    looks at the rights of a leaf only then.
    """

    def __init__(
        self, spine: Spine, trust: Trust, catalogue: Catalogue, organisation: str, readmit: Callable[[bool], Awaitable[None]]
    ) -> None:
        self._spine = spine
        self._trust = trust
        self._catalogue = catalogue
        self._subjects = Subjects(organisation)
        self._readmit = readmit
        self._reminded: dict[str, float] = {}
        """Until when each node is told."""
        self._numbering = threading.Lock()
        """So that what was read of the catalogue first is numbered first."""

    async def changed(self, edge: str, *, state: bool = False) -> None:
        """See `EdgeNodes`."""
        if await anyio.to_thread.run_sync(self._grant, edge) or state:
            await self._readmit(True)
            # Its link is being made again: what the platform tells it just now may be lost.
            self._reminded[edge] = anyio.current_time() + _REMIND_FOR
        await anyio.to_thread.run_sync(self._number, edge)

    def _number(self, edge: str) -> None:
        """Numbers the order now, so that people see that there is a new one also while the node is away."""
        if any(known.name == edge and known.state is EdgeState.APPROVED for known in self._trust.edges.list()):
            try:
                self._newest(edge)
            except HulianError as error:
                _log.warning("an order cannot be made", edge=edge, reason=str(error))

    def _grant(self, edge: str) -> bool:
        if not any(known.name == edge for known in self._trust.edges.list()):
            return False
        sources = [record.name for record in self._catalogue.connectors() if record.edge == edge]
        return self._trust.edges.grant(edge, sources, by="platform")

    async def serve(self) -> None:
        """Answers edge nodes until cancelled."""
        async with anyio.create_task_group() as group:
            group.start_soon(self._remind)
            await self._spine.serve(f"{self._subjects.root}.plans.*", self._answer, at_once=4)

    async def _remind(self) -> None:
        while True:
            await anyio.sleep(_REMIND_EVERY)
            for edge, until in list(self._reminded.items()):
                try:
                    await self._spine.request(self._subjects.edge_control(edge), b'{"do":"reload"}', timeout=1)
                except HulianError:
                    if anyio.current_time() < until:
                        continue
                if self._reminded.get(edge) == until:
                    del self._reminded[edge]

    async def _answer(self, message: Message) -> None:
        edge = unescape(message.subject.rsplit(".", 1)[-1])
        try:
            request = msgspec.json.decode(message.payload, type=OrderRequest)
            answer = await anyio.to_thread.run_sync(self._order, edge, request)
        except (HulianError, *UNREADABLE) as error:
            _log.warning("an edge node's question cannot be answered", edge=edge, reason=str(error))
            answer = b""
        if message.reply:
            await self._spine.publish(message.reply, answer)

    def _order(self, edge: str, request: OrderRequest) -> bytes:
        """The sealed order; empty where the node has it, or tried it in vain."""
        known = self._trust.edges.get(edge)
        if known.state is not EdgeState.APPROVED:
            return b""
        for pending in request.pending[:_MOST_PENDING]:
            der = base64.b64decode(pending.certificate)
            self._trust.peers.check(der, peer=pending.peer[:300], edge=edge)
        version, document = self._newest(edge)
        if version <= max(request.version, request.refused):
            return b""
        return self._trust.orders.envelope(edge, version, known.public_key, packed(document))

    def _newest(self, edge: str) -> tuple[int, bytes]:
        """What the node is to run now, and the number of that."""
        with self._numbering:
            trusted = sorted(peer.thumbprint for peer in self._trust.peers.list() if peer.state is PeerState.APPROVED)
            connectors = tuple(CataloguePlant(self._catalogue, self._trust, edge).plans())
            listens = any(plan.protocol == "mqtt" and reads_listener(plan.url) for plan in connectors)
            wanted = Order(
                connectors=connectors,
                trusted=tuple(trusted),
                certificate=self._trust.edges.renewed(edge).certificate,
                devices=tuple(self._trust.devices.spine_users()) if listens else (),
            )
            document = msgspec.json.encode(wanted, order="sorted")
            return self._catalogue.plan_version(edge, hashlib.blake2b(document, digest_size=16).digest()), document


def packed(document: bytes) -> bytes:
    """An order as it is sealed: ten thousand points fit into one message."""
    return zlib.compress(document, 6)


def unpacked(document: bytes) -> bytes:
    """What was `packed`. Raises `ValueError` for what is not whole or longer than 256 MiB."""
    stream = zlib.decompressobj()
    try:
        plain = stream.decompress(document, _LARGEST)
    except zlib.error as error:
        raise ValueError("not a packed order") from error
    if not stream.eof:
        raise ValueError("not a whole packed order")
    return plain
