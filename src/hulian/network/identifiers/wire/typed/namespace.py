"""HS_NAMESPACE: XML about a prefix, read without document types and entities, and within bounds."""

from __future__ import annotations

from typing import Final
from xml.parsers import expat

import msgspec

from hulian.network.identifiers.wire.errors import NamespaceError

__all__ = ["Element", "Namespace"]

_MAX_BYTES: Final = 65_536
_MAX_DEPTH: Final = 16
_MAX_ELEMENTS: Final = 1_024
_MAX_ATTRIBUTES: Final = 32


class Element(msgspec.Struct):
    """One element: its name, attributes, text (of all its own pieces) and children."""

    name: str
    attributes: dict[str, str]
    text: str = ""
    children: list[Element] = []


class _Builder:
    def __init__(self) -> None:
        self.root: Element | None = None
        self.open: list[Element] = []
        self.count = 0
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self.start
        self.parser.EndElementHandler = self.end
        self.parser.CharacterDataHandler = self.data
        self.parser.StartDoctypeDeclHandler = self.doctype
        self.parser.EntityDeclHandler = self.entity
        self.parser.ExternalEntityRefHandler = self.entity
        self.parser.UseForeignDTD(False)

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self.count += 1
        if len(self.open) >= _MAX_DEPTH or self.count > _MAX_ELEMENTS or len(attributes) > _MAX_ATTRIBUTES:
            raise self.refusal(f"more than {_MAX_DEPTH} levels, {_MAX_ELEMENTS} elements or {_MAX_ATTRIBUTES} attributes")
        element = Element(name, attributes, "", [])
        if self.open:
            self.open[-1].children.append(element)
        else:
            self.root = element
        self.open.append(element)

    def end(self, _name: str) -> None:
        self.open.pop()

    def data(self, text: str) -> None:
        self.open[-1].text += text

    def doctype(self, *_: object) -> None:
        raise self.refusal("a document type")

    def entity(self, *_: object) -> int:
        raise self.refusal("an entity")

    def refusal(self, what: str) -> NamespaceError:
        return NamespaceError(f"{what} is not accepted", place="an HS_NAMESPACE", offset=max(self.parser.CurrentByteIndex, 0))


class Namespace(msgspec.Struct, frozen=True):
    """An HS_NAMESPACE: the XML as it was, and what it says. Packing gives the same bytes.

    >>> Namespace.unpack(b'<namespace><locationtemplate><a href="x"/></locationtemplate></namespace>').root.children[0].name
    'locationtemplate'
    """

    xml: bytes
    root: Element

    def pack(self) -> bytes:
        return self.xml

    @classmethod
    def unpack(cls, data: bytes) -> Namespace:
        """Raises `NamespaceError` for what is no XML, too large or deep, or has a document type or entities."""
        if len(data) > _MAX_BYTES:
            raise NamespaceError(f"{len(data)} bytes, where {_MAX_BYTES} are accepted", place="an HS_NAMESPACE", offset=0)
        builder = _Builder()
        try:
            builder.parser.Parse(data, True)
        except expat.ExpatError as error:
            message = expat.ErrorString(error.code)
            raise NamespaceError(f"no well-formed XML: {message}", place="an HS_NAMESPACE", offset=error.offset) from None
        except (ValueError, LookupError):
            raise NamespaceError("text in an encoding that is not known", place="an HS_NAMESPACE", offset=0) from None
        if builder.root is None:
            raise NamespaceError("no element at all", place="an HS_NAMESPACE", offset=0)
        return cls(data, builder.root)
