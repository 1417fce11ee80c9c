"""A live server with the types of its nodes, as `hulian.network.exchange.semantics.nodeset.matching` walks it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import anyio
from asyncua import ua
from asyncua.ua.object_ids import ObjectIds

from hulian.network.exchange.protocols.contract import Environment
from hulian.network.exchange.protocols.opcua import address, security
from hulian.network.exchange.protocols.opcua.config import OpcuaConfiguration
from hulian.network.exchange.protocols.opcua.errors import AddressError, NodeError
from hulian.network.exchange.protocols.opcua.references import PAUSE, references
from hulian.network.exchange.protocols.opcua.session import Session
from hulian.network.exchange.semantics.nodeset.matching import Seen

__all__ = ["TypedBrowser", "typed"]


@asynccontextmanager
async def typed(url: str, configuration: OpcuaConfiguration, environment: Environment) -> AsyncGenerator[TypedBrowser]:
    """A connection that answers as `matching.Browser`. Raises what `Session.open` raises, and `browse` what it raises."""
    login = security.load_login(configuration, environment.credentials)
    session = await Session.open(url, configuration, environment, login)
    try:
        (answer,) = await session.read([address.standard(ObjectIds.Server_NamespaceArray)])
        listed = answer.Value.Value if answer.Value is not None else None
        yield TypedBrowser(session, [str(uri) for uri in listed] if isinstance(listed, list) else [])
    finally:
        await session.close()


class TypedBrowser:
    """See `hulian.network.exchange.semantics.nodeset.matching.Browser`."""

    def __init__(self, session: Session, namespaces: Sequence[str]) -> None:
        self._session, self._namespaces = session, namespaces

    async def browse(self, nodes: Sequence[str]) -> Sequence[Sequence[Seen]]:
        """What each of ``nodes`` refers to forward, by HierarchicalReferences and its subtypes."""
        resolved = [self._resolved(node) for node in nodes]
        known = [node for node in resolved if node is not None]
        answers = iter(await references(self._session, known, ObjectIds.HierarchicalReferences) if known else [])
        await anyio.sleep(PAUSE)
        return [[] if node is None else [self._seen(each) for each in next(answers) if _here(each)] for node in resolved]

    def _resolved(self, identity: str) -> ua.NodeId | None:
        """None for a namespace that the server does not have."""
        try:
            return address.resolve(identity, self._namespaces)
        except (AddressError, NodeError):
            return None

    def _seen(self, reference: ua.ReferenceDescription) -> Seen:
        name = reference.BrowseName
        known = 0 <= name.NamespaceIndex < len(self._namespaces)
        return Seen(
            id=self._identity(reference.NodeId),
            name=(self._namespaces[name.NamespaceIndex] if known else "", name.Name or ""),
            reference=self._identity(reference.ReferenceTypeId),
            type=self._identity(reference.TypeDefinition),
        )

    def _identity(self, node: ua.NodeId) -> str:
        if node.is_null():
            return ""
        return address.write(ua.NodeId(node.Identifier, node.NamespaceIndex, node.NodeIdType), self._namespaces)


def _here(reference: ua.ReferenceDescription) -> bool:
    """What stands on another server cannot be walked from here."""
    return not getattr(reference.NodeId, "ServerIndex", 0)
