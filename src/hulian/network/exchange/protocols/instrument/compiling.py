"""The grammar of ``Format`` and ``Parse``, compiled to records. It is closed: what it does not name is refused, nothing is run.

The README beside this file is its description for people.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

import msgspec

from hulian.network.exchange.protocols.instrument.errors import DescriptionError
from hulian.network.exchange.protocols.instrument.pieces import (
    BINARY,
    CHECKSUMS,
    Checksum,
    FieldPiece,
    Length,
    Literal,
    Piece,
    ValuesPiece,
    checked_pattern,
)
from hulian.network.exchange.protocols.instrument.record import Record

__all__ = ["Defaults", "compile_record", "unescape"]

_ESCAPE: Final = re.compile(r"\\(?:x([0-9a-fA-F]{2})|(.)|$)", re.DOTALL)
_ESCAPES: Final = {"r": "\r", "n": "\n", "t": "\t", "0": "\0", "\\": "\\", "s": " "}
_MOST_PIECES: Final = 1_000
_ORDERS: Final = {"big": ">", "little": "<"}
_FIELD: Final = (
    "name", "as", "type", "byteOrder", "width", "fill", "align", "pattern", "true", "false", "quote", "missing",
    "applyToAllFields",
)  # fmt: skip
_KNOWN: Final = {
    "Text": ("value", "hex"),
    "Initiator": ("value", "hex"),
    "Terminator": ("value", "hex"),
    "Separator": ("value", "hex"),
    "Field": _FIELD,
    "Values": ("fields", "as", "separator", "type", "byteOrder", "count"),
    "Length": ("type", "byteOrder"),
    "Checksum": ("type", "start", "as", "byteOrder"),
}
RECORD: Final = ("message", "response", "data", "answer", "useDataNameAsInitiator", "name")
DEFAULTS: Final = ("encoding", "terminator", "separator", "byteOrder")


class Defaults(msgspec.Struct, frozen=True):
    """What a whole ``Format`` or ``Parse`` says for its records."""

    encoding: str = "ascii"
    terminator: str = ""
    separator: str = ""
    order: str = ">"

    def with_(self, attributes: Mapping[str, str], place: str) -> Defaults:
        """The same with what ``attributes`` say."""
        encoding = attributes.get("encoding", self.encoding)
        try:
            codecs.lookup(encoding)
            "0".encode(encoding)
        except (LookupError, ValueError) as error:
            raise DescriptionError(f"there is no text encoding {encoding!r}", place=place) from error
        return Defaults(
            encoding=encoding,
            terminator=attributes.get("terminator", self.terminator),
            separator=attributes.get("separator", self.separator),
            order=_order(attributes, self.order, place),
        )


def unescape(text: str) -> str:
    r"""A text in which ``\r \n \t \0 \s \\`` and ``\xNN`` stand for characters. Raises `ValueError` for another escape.

    >>> unescape(r"A\x02\r\n")
    'A\x02\r\n'
    """

    def one(found: re.Match[str]) -> str:
        if found[1]:
            return chr(int(found[1], 16))
        if found[2] not in _ESCAPES:
            raise ValueError(f"there is no escape {found[0]!r}")
        return _ESCAPES[found[2]]

    return _ESCAPE.sub(one, text)


def compile_record(
    children: Iterable[Any], name: str, kinds: Mapping[str, str], defaults: Defaults, place: str, *, named: bool = False,
    sent: bool = False,
) -> Record:  # fmt: skip
    """The record of the message or answer ``name``; ``kinds`` are its fields' kinds in their order. With ``named`` the record
    begins with the name; one that is only ``sent`` needs no end that could be found. Raises `DescriptionError`."""
    compiler = _Compiler(name, kinds, defaults, place)
    try:
        if named:
            compiler.text(name)
        for child in children:
            compiler.take(child)
        record = compiler.finish()
        if not sent:
            record.check()
        elif any(isinstance(piece, ValuesPiece) for piece in record.pieces):
            raise ValueError("Values are read, not sent")
    except (ValueError, LookupError) as error:
        raise DescriptionError(f"the record of {name!r} cannot be used: {error}", place=place) from error
    return record


class _Compiler:
    def __init__(self, name: str, kinds: Mapping[str, str], defaults: Defaults, place: str) -> None:
        self.name, self.kinds, self.defaults, self.place = name, kinds, defaults, place
        self.pieces: list[Piece] = []
        self.separator = self._bytes(defaults.separator)
        self.terminator: bytes | None = None

    def _bytes(self, text: str) -> bytes:
        plain = unescape(text)
        # What was escaped as a byte stays one, whatever the encoding.
        return plain.encode("latin-1") if "\\x" in text else plain.encode(self.defaults.encoding)

    def text(self, text: str) -> None:
        """A literal as it stands."""
        self.pieces.append(Literal(text.encode(self.defaults.encoding)))

    def take(self, content: Any) -> None:
        """One element. Raises `ValueError`."""
        element, attributes, _, children = content
        if element not in _KNOWN:
            raise ValueError(f"the grammar has no element {element}")
        strange = set(attributes) - set(_KNOWN[element])
        if strange:
            raise ValueError(f"{element} has no attribute {sorted(strange)[0]!r}")
        if self.terminator is not None:
            raise ValueError(f"{element} stands behind the terminator")
        if children and element != "Field":
            raise ValueError(f"{element} holds nothing")
        getattr(self, f"_{element.lower()}")(attributes, children)
        if len(self.pieces) > _MOST_PIECES:
            raise ValueError(f"it has more than {_MOST_PIECES} parts")

    def finish(self) -> Record:
        """The record with the terminator that all have."""
        terminator = self._bytes(self.defaults.terminator) if self.terminator is None else self.terminator
        if terminator:
            self.pieces.append(Literal(terminator, terminates=True))
        return Record(tuple(self.pieces), terminator)

    # -- elements ------------------------------------------------------------------------------------------------------

    def _data(self, attributes: Mapping[str, str]) -> bytes:
        if ("value" in attributes) == ("hex" in attributes):
            raise ValueError("a text has either 'value' or 'hex'")
        return bytes.fromhex(attributes["hex"]) if "hex" in attributes else self._bytes(attributes["value"])

    def _text(self, attributes: Mapping[str, str], _: Any) -> None:
        self.pieces.append(Literal(self._data(attributes)))

    _initiator = _text

    def _terminator(self, attributes: Mapping[str, str], _: Any) -> None:
        self.terminator = self._data(attributes)

    def _separator(self, attributes: Mapping[str, str], _: Any) -> None:
        self.separator = self._data(attributes)

    def _field(self, attributes: Mapping[str, str], children: Any) -> None:
        attributes = dict(attributes)
        for element, given, _, below in children:
            if element != "Value" or below or given.get("type", "printf") != "printf" or set(given) - {"type", "pattern"}:
                raise ValueError("in a Field only <Value type='printf' pattern='…'/> may stand")
            attributes["pattern"] = given.get("pattern", "")
        if attributes.pop("applyToAllFields", "false") in ("true", "1"):
            if "name" in attributes:
                raise ValueError("a Field for all fields has no name")
            names = list(self.kinds)
        else:
            names = [attributes.pop("name", "")]
        for name in names:
            if name not in self.kinds:
                raise ValueError(f"{self.name!r} has no field {name!r}")
            if self.separator and self.pieces and isinstance(self.pieces[-1], FieldPiece):
                self.pieces.append(Literal(self.separator))
            self.pieces.append(self._piece(name, attributes))

    def _piece(self, name: str, attributes: Mapping[str, str]) -> FieldPiece:
        kind = self.kinds[name]
        form = attributes.get("type", attributes.get("as", "hex" if kind == "bytes" else "text"))
        if form not in ("text", "hex", "base64", "bytes", *BINARY):
            raise ValueError(f"there is no form {form!r}; forms are text, hex, base64, bytes, {', '.join(BINARY)}")
        if kind == "bytes" and form in ("text", *BINARY):
            form = "hex"
        if kind != "bytes" and form in ("base64", "bytes"):
            raise ValueError(f"field {name!r} is a {kind}; only bytes are written as {form}")
        if kind == "text" and form != "text":
            raise ValueError(f"field {name!r} is a text and cannot be {form}")
        if form == "hex" and kind not in ("bytes", "integer"):
            raise ValueError(f"field {name!r} is a {kind}; only bytes and whole numbers are written as hex")
        width = int(attributes.get("width", "0"))
        if not 0 <= width <= 65_536:
            raise ValueError(f"a width of {width}")
        fill = unescape(attributes.get("fill", " "))
        if len(fill) != 1 or not fill.isascii():
            raise ValueError("'fill' is one character")
        align = attributes.get("align", "right" if kind in ("number", "integer") else "left")
        if align not in ("left", "right"):
            raise ValueError("'align' is left or right")
        pattern = attributes.get("pattern", "")
        if form == "hex" and kind == "integer" and not pattern:
            pattern = f"%0{max(width, 1)}X"
        return FieldPiece(
            name=name,
            kind=kind,
            form=form,
            order=_order(attributes, self.defaults.order, self.place),
            width=0 if form in BINARY else width,
            fill=fill,
            align=align,
            pattern=checked_pattern(pattern, kind) if pattern else "",
            true=attributes.get("true", "1"),
            false=attributes.get("false", "0"),
            quote=attributes.get("quote", "")[:1],
            missing=attributes.get("missing", ""),
            encoding=self.defaults.encoding,
        )

    def _values(self, attributes: Mapping[str, str], _: Any) -> None:
        names = tuple(attributes.get("fields", "").split())
        if not names or len(set(names)) != len(names):
            raise ValueError("Values names its fields in 'fields', each once")
        for name in names:
            if name not in self.kinds:
                raise ValueError(f"{self.name!r} has no field {name!r}")
        framing = attributes.get("as", "text")
        if framing not in ("text", "ieee488", "fixed"):
            raise ValueError("Values come as text, ieee488 or fixed")
        form = attributes.get("type", "" if framing == "text" else "float32")
        if (framing == "text") != (form == "") or (form and form not in BINARY):
            raise ValueError(f"Values as {framing} are not of type {form!r}")
        count = int(attributes.get("count", "0"))
        if not 0 <= count <= 1 << 20:
            raise ValueError(f"a count of {count}")
        separator = unescape(attributes.get("separator", ","))
        if not separator:
            raise ValueError("numbers stand between separators")
        order = _order(attributes, self.defaults.order, self.place)
        self.pieces.append(ValuesPiece(names, framing, separator, form, order, count))

    def _length(self, attributes: Mapping[str, str], _: Any) -> None:
        form = attributes.get("type", "uint16")
        if form not in ("uint8", "uint16", "uint32"):
            raise ValueError("a Length is uint8, uint16 or uint32")
        if any(isinstance(piece, Length) for piece in self.pieces):
            raise ValueError("there are two Lengths")
        self.pieces.append(Length(form, _order(attributes, self.defaults.order, self.place)))

    def _checksum(self, attributes: Mapping[str, str], _: Any) -> None:
        kind = attributes.get("type", "")
        if kind not in CHECKSUMS:
            raise ValueError(f"there is no check sum {kind!r}; known are {', '.join(CHECKSUMS)}")
        start, form = int(attributes.get("start", "0")), attributes.get("as", "hex")
        if start < 0 or form not in ("hex", "binary"):
            raise ValueError("a Checksum starts at 0 or later, as hex or binary")
        self.pieces.append(Checksum(kind, start, form, _order(attributes, self.defaults.order, self.place)))


def _order(attributes: Mapping[str, str], default: str, place: str) -> str:
    said = attributes.get("byteOrder")
    if said is None:
        return default
    if said not in _ORDERS:
        raise DescriptionError(f"there is no byte order {said!r}: big or little", place=place)
    return _ORDERS[said]
