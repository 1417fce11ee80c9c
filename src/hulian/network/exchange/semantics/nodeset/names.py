"""Names of a NodeSet and of the model: ``ns=1;i=5`` there is ``nsu=http://…;i=5`` here, and ``i=5`` is itself.

The form with a URI is that of OPC 10000-6, 5.1.12: ``%`` and ``;`` of a URI are ``%25`` and ``%3B``. Node ids that are
written in several ways are one: GUIDs have small letters, numbers no leading zeros.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from hulian.network.exchange.semantics.errors import DocumentError
from hulian.network.exchange.semantics.nodeset.schema import BASE, RELATIONS
from hulian.network.exchange.semantics.nodeset.standard import standard_names

__all__ = ["Names", "escape_uri", "node_id", "split", "uri_of"]

_FORM: Final = re.compile(r"(?:svr=(\d{1,5});)?(?:ns=(\d{1,5});|nsu=([^;]+);)?([isgb])=(.*)\Z", re.DOTALL)
_LONGEST: Final = 1024
_REMEMBERED: Final = 65_536


def escape_uri(uri: str) -> str:
    """A namespace's URI as it stands in a node id."""
    if "%" in uri or ";" in uri:
        return uri.replace("%", "%25").replace(";", "%3B")
    return uri


def node_id(uri: str, local: str) -> str:
    """The model's id of a node.

    >>> node_id("http://opcfoundation.org/UA/DI/", "i=1001"), node_id("http://opcfoundation.org/UA/", "i=58")
    ('nsu=http://opcfoundation.org/UA/DI/;i=1001', 'i=58')
    """
    return local if uri == BASE else f"nsu={escape_uri(uri)};{local}"


def split(identity: str) -> tuple[str, str]:
    """Namespace URI and local part (``i=5``) of an id; the URI is empty where it is no node id.

    >>> split("nsu=http://example.com/a%3Bb;s=x;y")
    ('http://example.com/a;b', 's=x;y')
    """
    if identity.startswith("nsu="):
        uri, _, local = identity[4:].partition(";")
        if local[1:2] == "=" and local[0] in "isgb":
            return uri.replace("%3B", ";").replace("%25", "%"), local
        return "", identity
    if identity[1:2] == "=" and identity[0] in "isgb":
        return BASE, identity
    return "", identity


def uri_of(identity: str) -> str:
    """Namespace URI of a node id; empty where it is none."""
    return split(identity)[0]


def _prefix(uri: str) -> str | None:
    """What stands before the local part of an id; None where the table has a row without a URI."""
    if not uri:
        return None
    return "" if uri == BASE else f"nsu={escape_uri(uri)};"


class Names:
    """The tables of one document: what its indexes and aliases mean."""

    def __init__(self, uris: Sequence[str], servers: Sequence[str], place: str) -> None:
        self.uris = [BASE, *uris]
        self._prefixes = ["", *(_prefix(uri) for uri in uris)]
        self._servers = list(servers)
        self._place = place
        self.aliases: dict[str, str] = {}
        self.values: dict[tuple[bytes, str], Any] = {}
        """What elements with the same bytes were read as: their names are of these tables."""
        self.seen: dict[str, str] = {}
        """What `node` has read lately, by text: whoever reads many looks here first."""
        self.relations: dict[str, str] = {}
        """As ``seen``, of `relation`."""

    def add_aliases(self, aliases: Mapping[str, str], line: int) -> None:
        """Aliases as the document has them. Raises `DocumentError` where one is no node id."""
        for alias, text in aliases.items():
            self.aliases[alias] = self._read(text, line)

    def node(self, text: str | None, line: int | None) -> str:
        """The model's id of a node id, or of an alias. Raises `DocumentError`."""
        known = self.seen.get(text or "")
        if known is not None:
            return known
        if len(self.seen) >= _REMEMBERED:
            self.seen.clear()
        plain = (text or "").strip()
        identity = self.aliases.get(plain) or self._read(plain, line)
        self.seen[text or ""] = identity
        return identity

    def relation(self, text: str | None, line: int | None) -> str:
        """The relation that a reference type is in the model: one that it understands, or the type's id."""
        known = self.relations.get(text or "")
        if known is None:
            identity = self.node(text, line)
            known = self.relations[text or ""] = RELATIONS.get(identity, identity)
        return known

    def _read(self, text: str, line: int | None) -> str:
        return self._read_plain(text) or self._read_any(text, line)

    def _read_plain(self, text: str) -> str:
        """By far the most ids: a number in a namespace of the table; empty for every other one."""
        start, _, local = text.partition(";i=")
        if local.isdecimal() and local.isascii() and local[0] != "0" and len(local) < 10:
            index = start[3:]
            if start.startswith("ns=") and index.isdecimal() and 0 < int(index) < len(self._prefixes):
                prefix = self._prefixes[int(index)]
                return "" if prefix is None else f"{prefix}i={local}"
        return ""

    def _read_any(self, text: str, line: int | None) -> str:
        form = _FORM.match(text.strip())
        if form is None:
            standard = standard_names().get(text)
            if standard is None:
                raise self._error(f"{text[:100]!r} is neither a node id nor an alias", line)
            return standard
        server, index, uri, letter, rest = form.groups()
        if letter == "i":
            if not (rest.isascii() and rest.isdigit()) or int(rest) > 0xFFFF_FFFF:
                raise self._error(f"{text[:100]!r} has no number of 32 bits", line)
            rest = str(int(rest))
        elif letter == "g":
            rest = rest.lower()
        elif letter == "b":
            rest = "".join(rest.split())
        if uri is not None:
            prefix = "" if uri == BASE else f"nsu={uri};"
        else:
            position = int(index or 0)
            known = self._prefixes[position] if position < len(self._prefixes) else None
            if known is None:
                raise self._error(f"{text[:100]!r}: the document has no namespace {index}", line)
            prefix = known
        identity = f"{prefix}{letter}={rest}"
        if server is not None and int(server):
            if int(server) > len(self._servers):
                raise self._error(f"{text[:100]!r}: the document has no server {server}", line)
            identity = f"svu={escape_uri(self._servers[int(server) - 1])};{identity}"
        if len(identity) > _LONGEST:
            raise self._error(f"a node id of {len(identity)} characters, more than {_LONGEST}", line)
        return identity

    def qualified(self, text: str, line: int | None) -> tuple[str, str]:
        """URI and name of a qualified name (``1:Pump``). Raises `DocumentError`."""
        index, colon, name = text.partition(":")
        # A name may hold colons itself; what is no number before one is part of it.
        if not colon or not (index.isascii() and index.isdigit()):
            return BASE, text
        uri = self.uris[int(index)] if len(index) < 6 and int(index) < len(self.uris) else ""
        if not uri:
            raise self._error(f"{text[:100]!r}: the document has no namespace {index[:20]}", line)
        return uri, name

    def _error(self, words: str, line: int | None) -> DocumentError:
        return DocumentError(words, place=f"{self._place}, line {line}" if line else self._place)
