"""The tables of a NodeSet that is written: indexes of namespaces and servers, aliases; in the order of their first use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from hulian.network.exchange.semantics.contract import Document
from hulian.network.exchange.semantics.nodeset.names import split
from hulian.network.exchange.semantics.nodeset.opaque import attribute, text
from hulian.network.exchange.semantics.nodeset.schema import BASE
from hulian.network.exchange.semantics.nodeset.standard import standard_table

__all__ = ["Tables"]

_REMEMBERED: Final = 65_536


class Tables:
    """What `Names` is to the reader. First come the namespaces that the document defines, then those that it requires."""

    def __init__(self, document: Document) -> None:
        details = document.extra.get("nodeset", {})
        self.own = document.namespaces[0] if document.namespaces else f"urn:hulian:model:{document.name}"
        """Where nodes go whose ids are of another language."""
        self._uris: dict[str, int] = {BASE: 0}
        self._servers: dict[str, int] = {}
        self._aliases: dict[str, str] = {}
        self._cache: dict[str, str] = {}
        for uri in details.get("uris") or (self.own, *document.namespaces, *document.requires):
            if uri != BASE:
                self.namespace(uri)
        for uri in details.get("servers", ()):
            self._servers.setdefault(uri, len(self._servers) + 1)

    def namespace(self, uri: str) -> int:
        """Its index."""
        index = self._uris.get(uri)
        if index is None:
            index = self._uris[uri] = len(self._uris)
        return index

    def node(self, identity: str) -> str:
        """The node id of a model's id; ids of other languages become names in the document's own namespace."""
        known = self._cache.get(identity)
        if known is not None:
            return known
        if len(self._cache) >= _REMEMBERED:
            self._cache.clear()
        server, rest = "", identity
        if identity.startswith("svu="):
            uri, _, rest = identity[4:].partition(";")
            uri = uri.replace("%3B", ";").replace("%25", "%")
            server = f"svr={self._servers.setdefault(uri, len(self._servers) + 1)};"
        uri, local = split(rest)
        if not uri:
            uri, local = self.own, f"s={rest}"
        index = self.namespace(uri)
        written = server + (f"ns={index};{local}" if index else local)
        self._cache[identity] = written
        return written

    def alias(self, identity: str) -> str:
        """The alias of a standard reference type or data type; the node id of another one."""
        known = self._aliases.get(identity)
        if known is not None:
            return known
        found = standard_table().get(identity)
        if found is None or found.node_class not in ("ReferenceType", "DataType"):
            return self.node(identity)
        self._aliases[identity] = found.name
        return found.name

    def qualified(self, uri: str, name: str) -> str:
        """A browse name."""
        index = self.namespace(uri) if uri else 0
        # Without an index, a name that begins like one would be read as one.
        if index or name.partition(":")[0].isdecimal():
            return f"{index}:{name}"
        return name

    def write_uris(self) -> Iterable[str]:
        """Lines of ``NamespaceUris`` and ``ServerUris``."""
        for element, uris in (("NamespaceUris", list(self._uris)[1:]), ("ServerUris", list(self._servers))):
            if uris:
                yield f"  <{element}>\n"
                yield from (f"    <Uri>{text(uri)}</Uri>\n" for uri in uris)
                yield f"  </{element}>\n"

    def write_aliases(self) -> Iterable[str]:
        """Lines of ``Aliases``: by number, as published NodeSets have them."""
        if not self._aliases:
            return
        yield "  <Aliases>\n"
        for identity, name in sorted(self._aliases.items(), key=lambda item: int(item[0][2:])):
            yield f"    <Alias Alias={attribute(name)}>{identity}</Alias>\n"
        yield "  </Aliases>\n"
