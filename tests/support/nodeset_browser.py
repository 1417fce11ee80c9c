"""A live server as `matching.Browser` wants it, over asyncua's client."""

from __future__ import annotations

from collections.abc import Sequence

from asyncua import Client, ua

from hulian.network.exchange.semantics.nodeset.matching import Seen
from hulian.network.exchange.semantics.nodeset.names import node_id


class AsyncuaBrowser:
    """Browses forward along hierarchical references; ``asked`` counts the nodes."""

    def __init__(self, client: Client, namespaces: Sequence[str]) -> None:
        self._client, self.namespaces, self.asked = client, list(namespaces), 0

    @classmethod
    async def of(cls, client: Client) -> AsyncuaBrowser:
        return cls(client, await client.get_namespace_array())

    def identity(self, node: ua.NodeId) -> str:
        """The model's id of a node."""
        local = ua.NodeId(node.Identifier, ua.Int16(0), node.NodeIdType).to_string()
        return node_id(self.namespaces[node.NamespaceIndex], local) if not node.is_null() else ""

    def node(self, identity: str) -> ua.NodeId:
        """The node of a model's id; one that is not there for a namespace that the server does not have."""
        if not identity.startswith("nsu="):
            return ua.NodeId.from_string(identity)
        uri, _, local = identity[4:].partition(";")
        if uri not in self.namespaces:
            return ua.NodeId(2**31, 0)
        return ua.NodeId.from_string(f"ns={self.namespaces.index(uri)};{local}")

    async def browse(self, nodes: Sequence[str]) -> Sequence[Sequence[Seen]]:
        self.asked += len(nodes)
        found = []
        for identity in nodes:
            node = self._client.get_node(self.node(identity))
            try:
                descriptions = await node.get_references(
                    refs=ua.ObjectIds.HierarchicalReferences, direction=ua.BrowseDirection.Forward, includesubtypes=True
                )
            except ua.UaStatusCodeError:
                descriptions = []
            found.append(
                [
                    Seen(
                        id=self.identity(each.NodeId),
                        name=(self.namespaces[each.BrowseName.NamespaceIndex], each.BrowseName.Name),
                        reference=self.identity(each.ReferenceTypeId),
                        type=self.identity(each.TypeDefinition),
                    )
                    for each in descriptions
                ]
            )
        return found
