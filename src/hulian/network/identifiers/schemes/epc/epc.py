"""Electronic product codes: URIs, tags, and the GS1 keys that they carry (GS1 EPC Tag Data Standard 1.13)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Final

from hulian.network.identifiers.schemes.checks import require_digits
from hulian.network.identifiers.schemes.code import Code, Scheme
from hulian.network.identifiers.schemes.epc import tag
from hulian.network.identifiers.schemes.epc.layouts import KINDS, LAYOUTS
from hulian.network.identifiers.schemes.errors import (
    CharacterError,
    ConversionError,
    LengthError,
    SchemeError,
    StructureError,
    UnknownError,
)
from hulian.network.identifiers.schemes.gs1.content import CHARACTER_SETS
from hulian.network.identifiers.schemes.gs1.elements import GS1
from hulian.network.identifiers.schemes.gs1.keys import KINDS as KEY_KINDS
from hulian.network.identifiers.schemes.gs1.keys import key_of, make_key

__all__ = ["Epc", "escape", "unescape"]

_PURE: Final = "urn:epc:id:"
_TAG: Final = "urn:epc:tag:"
_RAW: Final = "urn:epc:raw:"
_ESCAPED: Final = {character: f"%{ord(character):02X}" for character in '"%&/<>?'}
_UNESCAPED: Final = {code: character for character, code in _ESCAPED.items()}
_MAXIMUM: Final = 256


@dataclass(frozen=True, slots=True)
class Epc(Code):
    """One electronic product code.

    ``kind`` is the scheme's word (``sgtin``), ``reference`` begins with the indicator or extension digit where there is
    one. ``layout`` (``sgtin-96``) and ``filter`` are those of the tag it was read from; a pure identity has neither.

    >>> Epc.parse("urn:epc:id:sgtin:0614141.812345.6789").to_binary("sgtin-96", 4).hex().upper()
    '3094257BF7194E4000001A85'
    """

    kind: str
    company_prefix: str
    reference: str
    serial: str = ""
    layout: str = ""
    filter: int = 0
    scheme: ClassVar[Scheme] = Scheme.EPC

    @classmethod
    def of(cls, kind: str, company_prefix: str, reference: str, serial: str = "", layout: str = "", filter_: int = 0) -> Epc:
        """Checks the parts against the scheme, and against the layout if one is given."""
        _check(kind, company_prefix, reference, serial)
        code = cls(kind, company_prefix, reference, serial, layout, filter_)
        if layout:
            if layout not in LAYOUTS or LAYOUTS[layout].kind != kind:
                raise UnknownError(f"{layout!r} is no layout of {kind}", rule="epc.layout")
            code._encoded(layout, filter_)
        elif filter_:
            raise ConversionError("a filter belongs to a tag; a pure identity has none", rule="epc.filter")
        return code

    @classmethod
    def parse(cls, text: str) -> Epc:
        """Reads ``urn:epc:id:…``, ``urn:epc:tag:…`` and ``urn:epc:raw:…``. Positions in errors are those in ``text``."""
        if len(text) > _MAXIMUM:
            raise LengthError(f"an EPC longer than {_MAXIMUM} characters", rule="epc.uri", position=_MAXIMUM)
        head = text[:12].lower()
        if head.startswith(_RAW):
            return cls._of_tag(tag.decode_raw(text))
        if head.startswith(_PURE):
            word, body, begin = _split_uri(text, len(_PURE))
            fields, kind, layout, filter_ = body, word, "", 0
        elif head.startswith(_TAG):
            layout, body, begin = _split_uri(text, len(_TAG))
            if layout not in LAYOUTS:
                raise UnknownError(f"{layout!r} is not a layout of tags", rule="epc.layout", position=len(_TAG))
            kind = LAYOUTS[layout].kind
            digit, dot, fields = body.partition(".")
            if not dot or len(digit) != 1 or digit not in "01234567":
                raise StructureError("a tag URI begins with a filter of 0 to 7 and a dot", rule="epc.filter", position=begin)
            filter_, begin = int(digit), begin + 2
        else:
            raise StructureError("an EPC begins with urn:epc:id:, urn:epc:tag: or urn:epc:raw:", rule="epc.uri", position=0)
        if kind not in KINDS:
            raise UnknownError(f"{kind!r} is not an EPC scheme that is known here", rule="epc.scheme", position=len(_PURE))
        try:
            return cls.of(kind, *_split_fields(kind, fields), layout, filter_)
        except SchemeError as error:
            raise error.moved(begin) from None

    @classmethod
    def from_binary(cls, data: bytes) -> Epc:
        """The EPC of a tag, from bit 20h on; behind it there are only zeros up to a word. Positions in errors are bits."""
        return cls._of_tag(tag.decode(data))

    @classmethod
    def from_hex(cls, text: str) -> Epc:
        """The same in hexadecimal digits, as readers show it."""
        return cls._of_tag(tag.decode_hex(text))

    @classmethod
    def from_gs1(cls, code: GS1, company_prefix_length: int) -> Epc:
        """The EPC of GS1 data; the length of the company prefix must be known, it cannot be seen.

        Raises `ConversionError` where the data identify a class and not one thing: a GTIN without serial, for example.
        """
        key = key_of(code, company_prefix_length)
        kinds = [name for name, kind in KINDS.items() if key and kind.key == key.kind]
        if key is None or not kinds or not company_prefix_length:
            raise ConversionError(f"{code.text!r} has no EPC", rule="epc.from-gs1", hint="its key must be one that EPCs carry")
        kind = KINDS[kinds[0]]
        serial = code.parts.get(kind.serial_ai, "") if kind.serial_ai else key.serial
        if kinds[0] == "sgln":
            if serial == "0":
                raise ConversionError("the extension 0 means none in an EPC", rule="epc.from-gs1")
            serial = serial or "0"
        if kind.serial and not serial:
            raise ConversionError(f"{code.text!r} names a class: an EPC needs its serial", rule="epc.from-gs1")
        return cls.of(kinds[0], key.company_prefix, key.reference, serial)

    def to_gs1(self) -> GS1:
        """The GS1 key, with the serial, that this EPC carries."""
        kind = KINDS[self.kind]
        inside = "" if kind.serial_ai else self.serial
        key = make_key(kind.key, self.company_prefix, self.reference, inside)
        elements = [(KEY_KINDS[kind.key].ai, KEY_KINDS[kind.key].filler + key.value)]
        if kind.serial_ai and not (self.kind == "sgln" and self.serial == "0"):
            elements.append((kind.serial_ai, self.serial))
        return GS1.of(elements)

    @property
    def identity(self) -> Epc:
        """The same without tag: what two tags of one thing have in common."""
        return Epc(self.kind, self.company_prefix, self.reference, self.serial)

    @property
    def text(self) -> str:
        """The tag URI where a layout is known, otherwise the pure identity URI."""
        fields = ".".join(
            [self.company_prefix, escape(self.reference)] + ([escape(self.serial)] if KINDS[self.kind].serial else [])
        )
        return f"{_TAG}{self.layout}:{self.filter}.{fields}" if self.layout else f"{_PURE}{self.kind}:{fields}"

    @property
    def parts(self) -> Mapping[str, str]:
        """Scheme, company prefix, reference and serial; layout and filter where they are known."""
        found = {"scheme": self.kind, "company_prefix": self.company_prefix, "reference": self.reference}
        if KINDS[self.kind].serial:
            found["serial"] = self.serial
        if self.layout:
            found |= {"layout": self.layout, "filter": str(self.filter)}
        return MappingProxyType(found)

    def to_binary(self, layout: str = "", filter_: int | None = None) -> bytes:
        """The EPC as a tag holds it from bit 20h on, filled up with zeros to whole words of 16 bits.

        Without ``layout``, that of the tag it came from, otherwise the shortest that holds it. Raises `ConversionError`
        where none does.
        """
        chosen = self.filter if filter_ is None else filter_
        name = layout or self.layout
        if name:
            if name not in LAYOUTS:
                raise UnknownError(f"{name!r} is not a layout of tags", rule="epc.layout")
            return self._encoded(name, chosen)
        reasons = []
        for candidate in LAYOUTS.values():
            if candidate.kind == self.kind and candidate.name != "gdti-113":
                try:
                    return self._encoded(candidate.name, chosen)
                except SchemeError as error:
                    reasons.append(error.message)
        raise ConversionError(
            f"no tag holds {self.text!r}: {'; '.join(reasons) or 'the scheme has no form for tags'}", rule="epc.layout"
        )

    @classmethod
    def _of_tag(cls, found: tag.Content) -> Epc:
        layout = found.layout
        return cls.of(layout.kind, found.company_prefix, found.reference, found.serial, layout.name, found.filter)

    def _encoded(self, layout: str, filter_: int) -> bytes:
        if LAYOUTS[layout].kind != self.kind:
            raise ConversionError(f"{layout} does not hold {self.kind}", rule="epc.layout")
        return tag.encode(tag.Content(LAYOUTS[layout], filter_, self.company_prefix, self.reference, self.serial))

    def to_url(self) -> str:
        """The canonical GS1 Digital Link of the key that it carries."""
        return self.to_gs1().to_url()


def escape(text: str) -> str:
    """Characters of set 82 as EPC URIs write them: seven of them percent-encoded, the others as they are."""
    return "".join(_ESCAPED.get(character, character) for character in text)


def unescape(text: str) -> str:
    """The inverse of `escape`; refuses whatever it cannot have written."""
    found, place = [], 0
    while place < len(text):
        width = 3 if text[place] == "%" else 1
        piece = text[place : place + width]
        character = _UNESCAPED.get(piece.upper(), piece)
        if len(character) != 1 or (width == 1 and character in _ESCAPED) or character not in CHARACTER_SETS["X"][0]:
            raise CharacterError(f"{piece!r} has no place in an EPC URI", rule="epc.characters", position=place)
        found.append(character)
        place += width
    return "".join(found)


def _split_uri(text: str, begin: int) -> tuple[str, str, int]:
    word, colon, body = text[begin:].partition(":")
    if not colon:
        raise StructureError("the EPC URI ends behind its scheme", rule="epc.uri", position=len(text))
    return word, body, begin + len(word) + 1


def _split_fields(kind: str, body: str) -> tuple[str, str, str]:
    expected = 3 if KINDS[kind].serial else 2
    fields = body.split(".", expected - 1)
    if len(fields) < expected:
        raise StructureError(
            f"{kind} has {expected} fields with dots between, there are {len(fields)}", rule="epc.fields", position=len(body)
        )
    plain, begin = [fields[0]], len(fields[0]) + 1
    for part in fields[1:]:
        try:
            plain.append(unescape(part))
        except SchemeError as error:
            raise error.moved(begin) from None
        begin += len(part) + 1
    return plain[0], plain[1], plain[2] if expected == 3 else ""


def _check(kind: str, prefix: str, reference: str, serial: str) -> None:
    if kind not in KINDS:
        raise UnknownError(f"{kind!r} is not an EPC scheme that is known here", rule="epc.scheme")
    row = KINDS[kind]
    require_digits(prefix, "epc.company-prefix", "the company prefix")
    if not 6 <= len(prefix) <= 12:
        raise LengthError(f"a company prefix has 6 to 12 digits, not {len(prefix)}", rule="epc.company-prefix", position=0)
    begin = len(prefix) + 1
    if row.digits:
        try:
            require_digits(reference, "epc.reference", "the reference")
        except SchemeError as error:
            raise error.moved(begin) from None
        if len(prefix) + len(reference) != row.digits:
            raise LengthError(
                f"company prefix and reference of {kind} have {row.digits} digits together, not {len(prefix) + len(reference)}",
                rule="epc.reference",
                position=begin,
            )
    else:
        _check_characters(reference, begin, row.longest - len(prefix), f"the reference of {kind}")
    begin += len(escape(reference)) + 1
    if row.serial == "characters":
        _check_characters(serial, begin, row.longest, f"the serial of {kind}")
    elif row.serial:
        if not 1 <= len(serial) <= row.longest:
            raise LengthError(f"the serial of {kind} has 1 to {row.longest} digits", rule="epc.serial", position=begin)
        try:
            require_digits(serial, "epc.serial", "the serial")
        except SchemeError as error:
            raise error.moved(begin) from None
    elif serial:
        raise StructureError(f"{kind} has no serial", rule="epc.serial", position=begin)


def _check_characters(text: str, begin: int, longest: int, what: str) -> None:
    if not 1 <= len(text) <= longest:
        raise LengthError(f"{what} has 1 to {longest} characters, not {len(text)}", rule="epc.length", position=begin)
    for place, character in enumerate(text):
        if character not in CHARACTER_SETS["X"][0]:
            raise CharacterError(
                f"{character!r} in {what} is not of character set 82", rule="epc.characters", position=begin + place
            )
