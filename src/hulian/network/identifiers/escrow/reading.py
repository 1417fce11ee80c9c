"""Reads an escrow document piece by piece: without document types and entities, and within bounds whatever comes.

What the schema beside this module (``escrow.xsd``) does not allow is refused, and so is what it cannot say.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final, TypeAlias, TypeVar
from xml.parsers import expat

import msgspec

from hulian.network.identifiers.escrow.document import NAMESPACE
from hulian.network.identifiers.escrow.errors import DocumentError
from hulian.network.identifiers.escrow.manifest import Position
from hulian.network.identifiers.store import Change, Kept, What
from hulian.network.identifiers.store.changes import digest_of_values
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.limits import MAX_MESSAGE, MAX_VALUES
from hulian.network.identifiers.wire.values import Reference, Value, pack_values

__all__ = ["Head", "Item", "KeptPrefix", "items"]

_MOST_TEXT: Final = MAX_MESSAGE * 4 // 3 + 8
"""Characters of one value's data: in Base64 they are the most."""

_MOST_AHEAD: Final = 2 << 20
"""Bytes without one whole tag. The longest type of a value, with every character escaped, is shorter."""

_SEPARATOR: Final = " "
_INTEGER: Final = re.compile(r"-?[0-9]{1,19}")
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_SPACE: Final = " \t\r\n"
"""All that may stand between elements."""

_I32: Final = (-(1 << 31), (1 << 31) - 1)
_I64: Final = (-(1 << 63), (1 << 63) - 1)
_COUNT: Final = (0, (1 << 63) - 1)
_U32: Final = (0, (1 << 32) - 1)
_TTL: Final = (-(1 << 31), (1 << 32) - 1)
_OCTET: Final = (0, 255)
_ATTRIBUTES: Final = {
    "escrow": frozenset(("version", "kind", "node", "node-base64", "number", "seal", "after", "after-seal")),
    "prefix": frozenset(("since", "name", "name-base64")),
    "record": frozenset(("handle", "handle-base64", "changed", "digest")),
    "change": frozenset(("number", "at", "what", "handle", "handle-base64", "by", "by-base64", "content", "seal", "values")),
    "value": frozenset(("index", "timestamp", "ttl", "ttl-type", "permissions", "type", "type-base64")),
    "text": frozenset(),
    "base64": frozenset(),
    "reference": frozenset(("index", "handle", "handle-base64")),
}
_ORDER: Final = {"full": ("prefix", "record"), "differential": ("change",)}


class Head(msgspec.Struct, frozen=True):
    """What the document says of itself."""

    kind: str
    node: str
    at: Position
    after: Position | None


class KeptPrefix(msgspec.Struct, frozen=True):
    """A prefix that the node answers for, since ``since`` (UTC ns)."""

    name: str
    since: int


Item: TypeAlias = Head | KeptPrefix | Kept | tuple[Change, bytes | None]
_T = TypeVar("_T")
_INSIDE: Final = {
    "": ("escrow",),
    "escrow": ("prefix", "record", "change"),
    "record": ("value",),
    "change": ("value",),
    "value": ("text", "base64", "reference"),
}


def items(pieces: Iterable[bytes]) -> Iterator[Item]:
    """The head, and then the prefixes and records, or changes, in order. Raises `DocumentError`, with the byte in its place."""
    reading = _Reading()
    fed = 0
    for piece in pieces:
        reading.feed(piece)
        fed += len(piece)
        if fed - max(reading.parser.CurrentByteIndex, 0) > _MOST_AHEAD:
            raise reading.refusal(f"more than {_MOST_AHEAD >> 20} MiB in one tag")
        yield from reading.taken()
    reading.feed(b"", last=True)
    yield from reading.taken()


class _Reading:
    def __init__(self) -> None:
        self._items: list[Item] = []
        self._open: list[tuple[str, dict[str, str]]] = []
        self._coming: tuple[str, ...] = ()
        self._text: list[str] | None = None
        self._size = 0
        self._values: list[Value] = []
        self._packed = 0
        self._data: bytes | None = None
        self._references: list[Reference] = []
        self.parser = expat.ParserCreate(namespace_separator=_SEPARATOR)
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.EntityDeclHandler = self._doctype
        self.parser.ProcessingInstructionHandler = self._instruction

    def feed(self, piece: bytes, *, last: bool = False) -> None:
        try:
            self.parser.Parse(piece, last)
        except expat.ExpatError as error:
            raise self.refusal(f"no well-formed XML: {expat.ErrorString(error.code)}") from None
        except (ValueError, LookupError):
            raise self.refusal("text in an encoding that is not known") from None

    def taken(self) -> list[Item]:
        found, self._items = self._items, []
        return found

    def refusal(self, what: str) -> DocumentError:
        return DocumentError(what, place=f"byte {max(self.parser.CurrentByteIndex, 0)} of the document")

    # -- what expat tells ----------------------------------------------------------------------------------------------

    def _doctype(self, *_: object) -> None:
        raise self.refusal("a document type: none is accepted, and no entity")

    def _instruction(self, *_: object) -> None:
        raise self.refusal("a processing instruction")

    def _start(self, full: str, attributes: dict[str, str]) -> None:
        space, _, name = full.rpartition(_SEPARATOR)
        above = self._open[-1][0] if self._open else ""
        if space != NAMESPACE or name not in _INSIDE.get(above, ()):
            raise self.refusal(f"<{full[-60:]}> inside <{above}>")
        if unknown := sorted(attributes.keys() - _ATTRIBUTES[name]):
            raise self.refusal(f"the attribute {unknown[0][-60:]} of <{name}>")
        if above == "escrow":
            self._in_order(name)
        self._open.append((name, attributes))
        if name in ("text", "base64"):
            if self._data is not None:
                raise self.refusal("a value with data twice")
            self._text, self._size = [], 0
        elif name == "reference" and self._data is None:
            raise self.refusal("a reference before the data of its value")
        elif name == "value":
            self._data, self._references = None, []
        elif name in ("record", "change"):
            self._values, self._packed = [], 4
        elif name == "escrow":
            head = self._head(attributes)
            self._coming = _ORDER[head.kind]
            self._items.append(head)

    def _in_order(self, name: str) -> None:
        """Prefixes, and behind them records, in a full document; changes in a differential."""
        if name not in self._coming:
            raise self.refusal(f"<{name}> where {' or '.join(f'<{one}>' for one in self._coming)} belongs")
        self._coming = self._coming[self._coming.index(name) :]

    def _characters(self, text: str) -> None:
        if self._text is None:
            if text.strip(_SPACE):
                raise self.refusal("text where none belongs")
            return
        self._size += len(text)
        if self._size > _MOST_TEXT:
            raise self.refusal(f"a value of more than {MAX_MESSAGE} bytes")
        self._text.append(text)

    def _end(self, _full: str) -> None:
        name, attributes = self._open.pop()
        match name:
            case "text" | "base64":
                text = "".join(self._text or ())
                self._data = text.encode() if name == "text" else self._from_base64(text)
                self._text = None
            case "reference":
                if len(self._references) >= MAX_VALUES:
                    raise self.refusal(f"more than {MAX_VALUES} references")
                self._references.append(Reference(self._name(attributes, "handle"), self._number(attributes, "index", _I32)))
            case "value":
                self._value(attributes)
            case "record":
                self._items.append(self._record(attributes))
            case "change":
                self._items.append(self._change(attributes))
            case "prefix":
                self._items.append(KeptPrefix(self._name(attributes, "name"), self._number(attributes, "since")))

    # -- what it means -------------------------------------------------------------------------------------------------

    def _head(self, attributes: dict[str, str]) -> Head:
        if attributes.get("version") != "1":
            raise self.refusal(f"version {attributes.get('version', 'nothing')[:20]} of the document, where 1 is known")
        after = None
        if "after" in attributes or "after-seal" in attributes:
            after = Position(self._number(attributes, "after", _COUNT), self._hex(attributes, "after-seal").hex())
        at = Position(self._number(attributes, "number", _COUNT), self._hex(attributes, "seal").hex())
        return Head(self._one_of(attributes, "kind", ("full", "differential")), self._name(attributes, "node"), at, after)

    def _value(self, attributes: dict[str, str]) -> None:
        if self._data is None:
            raise self.refusal("a value without data")
        value = Value(
            index=self._number(attributes, "index", _I32),
            timestamp=self._number(attributes, "timestamp", _U32),
            ttl=self._number(attributes, "ttl", _TTL),
            ttl_type=self._number(attributes, "ttl-type", _OCTET),
            permissions=self._number(attributes, "permissions", _OCTET),
            type=self._name(attributes, "type"),
            data=self._data,
            references=tuple(self._references),
        )
        self._packed += len(self._data) + 26
        if len(self._values) >= MAX_VALUES or self._packed > MAX_MESSAGE:
            raise self.refusal(f"a record of more than {MAX_VALUES} values or {MAX_MESSAGE} bytes")
        self._values.append(value)

    def _pack(self, handle: str, digest: bytes) -> bytes:
        try:
            packed = pack_values(self._values)
        except WireError as error:
            raise self.refusal(f"values that cannot be: {error.message}") from None
        if digest_of_values(packed) != digest:
            raise self.refusal(f"the values of {handle[:200]} are not those that were exported")
        return packed

    def _record(self, attributes: dict[str, str]) -> Kept:
        handle = self._name(attributes, "handle")
        return Kept(handle, self._pack(handle, self._hex(attributes, "digest")), self._number(attributes, "changed"))

    def _change(self, attributes: dict[str, str]) -> tuple[Change, bytes | None]:
        handle = self._name(attributes, "handle")
        content = self._hex(attributes, "content", empty=True)
        what = What[self._one_of(attributes, "what", _WHAT).upper()]
        change = Change(
            number=self._number(attributes, "number", _COUNT),
            at=self._number(attributes, "at"),
            what=what,
            handle=handle,
            by=self._name(attributes, "by"),
            content=content,
            seal=self._hex(attributes, "seal"),
        )
        if what not in (What.CREATE, What.UPDATE):
            if self._values or "values" in attributes:
                raise self.refusal(f"values after change {change.number}, which leaves none")
            return change, None
        if self._one_of(attributes, "values", ("here", "later")) == "later":
            if self._values:
                raise self.refusal(f"values with change {change.number}, which says that they come later")
            return change, None
        return change, self._pack(handle, content)

    def _one_of(self, attributes: dict[str, str], name: str, known: tuple[str, ...]) -> str:
        found = attributes.get(name, "")
        if found not in known:
            raise self.refusal(f"{name} '{found[:40]}', where {', '.join(known)} are known")
        return found

    def _name(self, attributes: dict[str, str], name: str) -> str:
        coded = attributes.get(f"{name}-base64")
        if name in attributes and coded is None:
            return attributes[name]
        if coded is None or name in attributes:
            raise self.refusal(f"no {name}" if coded is None else f"{name} twice, once in Base64")
        try:
            return self._from_base64(coded).decode()
        except UnicodeDecodeError:
            raise self.refusal(f"a {name} that is not UTF-8") from None

    def _number(self, attributes: dict[str, str], name: str, bounds: tuple[int, int] = _I64) -> int:
        def read(text: str) -> int | None:
            found = int(text) if _INTEGER.fullmatch(text) else None
            return found if found is not None and bounds[0] <= found <= bounds[1] else None

        return self._read(read, attributes, name)

    def _hex(self, attributes: dict[str, str], name: str, *, empty: bool = False) -> bytes:
        def read(text: str) -> bytes | None:
            return bytes.fromhex(text) if _SHA256.fullmatch(text) or (empty and not text) else None

        return self._read(read, attributes, name)

    def _read(self, read: Callable[[str], _T | None], attributes: dict[str, str], name: str) -> _T:
        try:
            found = read(attributes.get(name, "-"))
        except ValueError:
            found = None
        if found is None:
            raise self.refusal(f"{name} '{attributes.get(name, '')[:40]}', which is none")
        return found

    def _from_base64(self, text: str) -> bytes:
        try:
            return base64.b64decode(text, validate=True)
        except (ValueError, binascii.Error):
            raise self.refusal("what is no Base64") from None


_WHAT: Final = tuple(what.name.lower() for what in What)
