"""What stands before the nodes of a NodeSet: namespaces, servers, models with what they require, aliases, extensions."""

from __future__ import annotations

from typing import Any, Final

from hulian.network.exchange.semantics.contract import Document, Loss
from hulian.network.exchange.semantics.errors import DocumentError, HostileDocumentError
from hulian.network.exchange.semantics.nodeset.bends import bent
from hulian.network.exchange.semantics.nodeset.names import Names
from hulian.network.exchange.semantics.nodeset.opaque import outer_xml
from hulian.network.exchange.semantics.nodeset.schema import BASE, NODESET

__all__ = ["HEADERS", "Header"]

_PREFIX: Final = f"{{{NODESET}}}"
HEADERS: Final = tuple(_PREFIX + name for name in ("NamespaceUris", "ServerUris", "Models", "Aliases", "Extensions"))
_MOST_URIS: Final = 65_535
_MOST_ALIASES: Final = 100_000
_DEEPEST: Final = 32


class Header:
    """Takes the elements before the nodes, then makes the document and its `Names`."""

    def __init__(self, place: str) -> None:
        self._place = place
        self._uris: list[str] = []
        self._servers: list[str] = []
        self._models: list[Any] = []
        self._aliases: dict[str, tuple[str, int]] = {}
        self._extensions: list[str] = []

    def take(self, element: Any) -> None:
        """One element of `HEADERS`. Raises `DocumentError`."""
        kind = element.tag[len(_PREFIX) :]
        if kind == "Models":
            self._models = [self._model(child, 0) for child in element]
        elif kind == "Aliases":
            if len(element) > _MOST_ALIASES:
                raise HostileDocumentError(f"it has more than {_MOST_ALIASES} aliases", place=self._at(element))
            self._aliases = {alias.get("Alias", ""): (alias.text or "", alias.sourceline) for alias in element}
        elif kind == "Extensions":
            self._extensions = [outer_xml(child)["@xml"] for extension in element for child in extension]
        else:
            if len(element) > _MOST_URIS:
                raise HostileDocumentError(f"it has more than {_MOST_URIS} URIs", place=self._at(element))
            uris = [(child.text or "").strip() for child in element]
            if kind == "NamespaceUris":
                self._uris = uris
            else:
                self._servers = uris

    def _model(self, element: Any, depth: int) -> dict[str, Any]:
        if depth > _DEEPEST:
            raise HostileDocumentError("required models are nested too deep", place=self._at(element))
        found: dict[str, Any] = {"attributes": dict(element.attrib)}
        if "ModelUri" not in element.attrib:
            raise DocumentError("a model without ModelUri", place=self._at(element))
        requires = [self._model(child, depth + 1) for child in element if child.tag == f"{_PREFIX}RequiredModel"]
        if requires:
            found["requires"] = requires
        for permissions in element.iterchildren(f"{_PREFIX}RolePermissions"):
            # Role ids are read when the aliases are known.
            found["permissions"] = [[child.text, child.get("Permissions", "0"), child.sourceline] for child in permissions]
        return found

    def names(self) -> Names:
        """The tables of the document. Raises `DocumentError` for an alias that is no node id."""
        names = Names(self._uris, self._servers, self._place)
        for alias, (text, line) in self._aliases.items():
            names.add_aliases({alias: text}, line)
        for model in self._models:
            _resolve(model, names)
        return names

    def document(self, root: Any, name: str, losses: list[Loss]) -> Document:
        """What is known before the first node."""
        extra: dict[str, Any] = {}
        for key, value in root.attrib.items():
            if key == "LastModified":
                extra["modified"] = value
        extra["models"] = self._models
        if self._servers:
            extra["servers"] = self._servers
        if self._extensions:
            extra["extensions"] = self._extensions
        defined = tuple(model["attributes"]["ModelUri"] for model in self._models)
        if not self._models:
            defined = tuple(filter(None, self._uris[:1]))
            losses.append(bent("no-models", self._place, "which models the document defines"))
        required: list[str] = []
        for model in self._models:
            for each in model.get("requires", ()):
                uri = each["attributes"]["ModelUri"]
                if uri != BASE and uri not in required and uri not in defined:
                    required.append(uri)
        if self._uris:
            # The order of the table tells nothing; it is the order in which the writer makes it.
            first = [uri for uri in (*defined, *required) if uri in self._uris]
            extra["uris"] = [uri for uri in dict.fromkeys((*first, *self._uris)) if uri]
        return Document(
            name=name,
            format="nodeset",
            version="NodeSet2",
            namespaces=defined,
            requires=tuple(required),
            extra={"nodeset": extra},
        )

    def _at(self, element: Any) -> str:
        return f"{self._place}, line {element.sourceline}"


def _resolve(model: dict[str, Any], names: Names) -> None:
    if "permissions" in model:
        model["permissions"] = [[names.node(role, line), bits] for role, bits, line in model["permissions"]]
    for required in model.get("requires", ()):
        _resolve(required, names)
