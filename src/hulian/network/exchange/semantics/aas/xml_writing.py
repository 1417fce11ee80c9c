"""Fields to AAS XML, in the order of the schema; elements may be opened, filled and closed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from hulian.network.exchange.semantics.aas.metamodel import CHILDREN, CLASSES, NAMESPACES, Field, Form, tag_of

__all__ = ["XmlWriting"]

_ESCAPED: Final = re.compile(r"[&<>\r]")
_ESCAPES: Final = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "\r": "&#13;"}


def _escaped(text: str) -> str:
    return _ESCAPED.sub(lambda found: _ESCAPES[found[0]], text)


class XmlWriting:
    """The XML form of a document."""

    separator = b""
    suffix = "xml"

    def __init__(self, version: str) -> None:
        self._namespace = NAMESPACES[version]

    def document(self) -> tuple[bytes, bytes]:
        """Begin and end."""
        return f'<?xml version="1.0" encoding="utf-8"?>\n<environment xmlns="{self._namespace}">'.encode(), b"</environment>\n"

    def listed(self, name: str, *, first: bool) -> tuple[bytes, bytes]:
        """Begin and end of a list of the environment."""
        del first
        return f"<{name}>".encode(), f"</{name}>".encode()

    def whole(self, fields: dict[str, Any]) -> bytes:
        """An element with all that is below it."""
        parts: list[str] = []
        self._element(fields, fields["modelType"], parts)
        return "".join(parts).encode()

    def opened(self, fields: dict[str, Any]) -> bytes:
        """An element up to where its children begin."""
        kind = fields["modelType"]
        parts = [f"<{tag_of(kind)}>"]
        table = CLASSES[kind]
        at = next(index for index, field in enumerate(table) if field.name == CHILDREN[kind])
        self._fields(fields, table[:at], parts)
        parts.append(f"<{CHILDREN[kind]}>")
        return "".join(parts).encode()

    def closed(self, fields: dict[str, Any]) -> bytes:
        """The rest of it."""
        kind = fields["modelType"]
        parts = [f"</{CHILDREN[kind]}>"]
        table = CLASSES[kind]
        at = next(index for index, field in enumerate(table) if field.name == CHILDREN[kind])
        self._fields(fields, table[at + 1 :], parts)
        parts.append(f"</{tag_of(kind)}>")
        return "".join(parts).encode()

    def _element(self, fields: dict[str, Any], kind: str, parts: list[str]) -> None:
        tag = tag_of(kind)
        parts.append(f"<{tag}>")
        self._fields(fields, CLASSES[kind], parts)
        parts.append(f"</{tag}>")

    def _fields(self, fields: dict[str, Any], table: Iterable[Field], parts: list[str]) -> None:
        for field in table:
            value = fields.get(field.name)
            if value is None:
                continue
            form, name = field.form, field.name
            if form is Form.TEXT:
                parts.append(f"<{name}>{_escaped(value)}</{name}>")
                continue
            if form is Form.FLAG:
                parts.append(f"<{name}>{'true' if value else 'false'}</{name}>")
                continue
            if value == [] or value == {}:
                continue
            parts.append(f"<{name}>")
            if form is Form.OBJECT:
                self._fields(value, CLASSES[field.of], parts)
            elif form is Form.LIST:
                for one in value:
                    parts.append(f"<{field.tag}>")
                    self._fields(one, CLASSES[field.of], parts)
                    parts.append(f"</{field.tag}>")
            elif form is Form.ELEMENTS:
                for one in value:
                    self._element(one, one["modelType"], parts)
            else:
                self._element(value, value["modelType"], parts)
            parts.append(f"</{name}>")
