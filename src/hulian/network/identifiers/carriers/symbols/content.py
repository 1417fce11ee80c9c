"""What a symbology carries of a code, and what it refuses: the text that goes into the symbol, and the line below it."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from hulian.network.identifiers.carriers.errors import CapacityError, CarrierError, UncarriableError
from hulian.network.identifiers.carriers.symbols.symbology import Kind
from hulian.network.identifiers.schemes import GS1, Code, Did, DigitalLink, Epc, Handle, Oid, percent, recognise
from hulian.network.identifiers.schemes.errors import SchemeError
from hulian.network.identifiers.schemes.gs1.link import CANONICAL_STEM
from hulian.network.identifiers.schemes.gs1.table import APPLICATIONS

__all__ = ["Content", "content_of", "link_to"]

_STEM = re.compile(r"https?://[^\s?#]+\Z", re.IGNORECASE)
_GS1_128_MOST: Final = 48
_GS1_MODE: Final = (Kind.QR, Kind.DATA_MATRIX, Kind.GS1_128)


class Content(NamedTuple):
    """``data`` as the encoder takes it (in GS1 mode with identifiers in square brackets), ``shown`` as people read it."""

    kind: Kind
    data: str
    gs1: bool
    shown: str


def content_of(code: Code, kind: Kind, stem: str = "") -> Content:
    """What a symbol of ``kind`` holds of ``code``. ``stem`` is the address of a resolver, such as ``https://id.example.com``:
    with it, a symbol that can hold a link does, and a phone that knows nothing of identifiers opens it.

    Raises `UncarriableError` where the symbology has no form for the code, `CapacityError` where it is too long by the
    rules of its application (an encoder has bounds of its own).
    """
    if stem and kind not in (Kind.QR, Kind.DATA_MATRIX, Kind.DIGITAL_LINK):
        raise UncarriableError(
            f"{kind} holds no link", rule=f"{kind}.stem", hint="leave the stem away, or take qr, datamatrix or digital-link"
        )
    gs1 = code if isinstance(code, GS1) else None
    if kind in (Kind.EAN, Kind.EAN_13, Kind.EAN_8, Kind.UPC_A):
        return _retail(_as_gs1(code, kind), kind)
    if kind is Kind.DIGITAL_LINK:
        data = _as_gs1(code, kind)
        return Content(kind, link_to(data, stem or CANONICAL_STEM), gs1=False, shown=_for_people(data))
    if kind is Kind.GS1_128:
        return _gs1_128(_as_gs1(code, kind))
    if kind is Kind.CODE_128:
        return _code_128(code)
    if stem:
        return Content(kind, link_to(code, stem), gs1=False, shown=_for_people(gs1) if gs1 else code.text)
    if gs1 is not None:
        return Content(kind, _in_square_brackets(gs1), gs1=True, shown=_for_people(gs1))
    return Content(kind, code.text, gs1=False, shown=code.text)


def link_to(code: Code, stem: str) -> str:
    """The link to ``code`` under the address of a resolver, which is read back to ``code`` and to nothing else.

    Raises `UncarriableError` where there is no such link: VAA codes and Ecodes have no form in an address, and a stem whose own
    path looks like an identifier would be taken for one.
    """
    if not _STEM.match(stem):
        raise CarrierError(
            f"{stem!r} is not the address of a resolver",
            rule="label.stem",
            position=0,
            hint="it begins with http:// or https:// and has neither ? nor #, e.g. https://id.example.com",
        )
    stem = stem.rstrip("/")
    match code:
        case GS1():
            link = DigitalLink(code, stem).to_url()
        case Handle():
            # A slash of the suffix is escaped: behind it could stand what looks like another identifier.
            link = f"{stem}/{percent.encode(code.prefix, '/')}/{percent.encode(code.suffix)}"
        case Did() | Epc():
            link = f"{stem}/{code.text}"
        case Oid():
            link = f"{stem}/{code.to_url()}"
        case _:
            link = ""
    if not link or _read(link) != code:
        raise UncarriableError(
            f"a link under {stem} to {code.text!r} would not be read as it",
            rule="label.stem",
            position=0,
            hint="leave the stem away, or take one whose path holds nothing like an identifier",
        )
    return link


def _read(link: str) -> Code | None:
    try:
        return recognise(link)
    except SchemeError:
        return None


def _as_gs1(code: Code, kind: Kind) -> GS1:
    if isinstance(code, GS1):
        return code
    if isinstance(code, Epc):
        return code.to_gs1()
    raise UncarriableError(
        f"{kind} carries GS1 data; {code.text!r} is of the scheme {code.scheme}",
        rule=f"{kind}.gs1-only",
        position=0,
        hint="take qr, datamatrix or code128 for it",
    )


def _gs1_128(code: GS1) -> Content:
    """48 characters at most, separators and identifiers counted (GS1 General Specifications 5.4.7.6)."""
    length = len(code.to_element_string())
    if length > _GS1_128_MOST:
        raise CapacityError(
            f"{code.text!r} needs {length} characters, GS1-128 has {_GS1_128_MOST}",
            rule="gs1-128.length",
            position=_GS1_128_MOST,
            hint="spread it over two symbols, or take datamatrix",
        )
    return Content(Kind.GS1_128, _in_square_brackets(code), gs1=True, shown=_for_people(code))


def _in_square_brackets(code: GS1) -> str:
    """Predefined lengths first, as an element string has them: fewer separators. No value holds a square bracket."""
    order = sorted(code.elements, key=lambda pair: not _predefined(pair[0]))
    return "".join(f"[{ai}]{value}" for ai, value in order)


def _for_people(code: GS1) -> str:
    """Identifiers in brackets; a bracket inside a value needs no mark where nobody reads it back."""
    return "".join(f"({ai}){value}" for ai, value in code.elements)


def _predefined(ai: str) -> bool:
    return APPLICATIONS[ai].predefined


def _code_128(code: Code) -> Content:
    if isinstance(code, GS1):
        raise UncarriableError(
            f"{code.text!r} is GS1 data, which plain Code 128 does not mark as such",
            rule="code128.gs1",
            hint="take gs1-128: the same bars behind FNC1, so that every scanner knows what follows",
        )
    for place, character in enumerate(code.text):
        if ord(character) > 0xFF or 0x7F <= ord(character) < 0xA0:
            raise UncarriableError(
                f"Code 128 has Latin-1 characters; {character!r} is none", rule="code128.characters", position=place
            )
    return Content(Kind.CODE_128, code.text, gs1=False, shown=code.text)


def _retail(code: GS1, kind: Kind) -> Content:
    if len(code.elements) != 1 or code.primary != "01":
        raise UncarriableError(
            f"{kind} carries a GTIN and nothing else, not {code.text!r}",
            rule="ean.gtin-only",
            position=0 if code.primary != "01" else len("(01)") + 14,
            hint="take gs1-128 or datamatrix, which carry dates, lots and serials beside it",
        )
    gtin = code.elements[0][1]
    zeros = len(gtin) - len(gtin.lstrip("0"))
    fitting = Kind.EAN_8 if zeros >= 6 else Kind.UPC_A if zeros >= 2 else Kind.EAN_13
    if not zeros:
        raise UncarriableError(
            f"the GTIN {gtin} begins with the indicator {gtin[0]}, which no EAN symbol carries",
            rule="ean.indicator",
            position=len("(01)"),
            hint="take gs1-128 or datamatrix for the GTIN of a grouping",
        )
    chosen = fitting if kind is Kind.EAN else kind
    length = {Kind.EAN_13: 13, Kind.EAN_8: 8, Kind.UPC_A: 12}[chosen]
    if gtin[: 14 - length].strip("0"):
        raise UncarriableError(
            f"the GTIN {gtin} has more than {length} digits",
            rule=f"{chosen}.digits",
            position=len("(01)") + zeros,
            hint=f"{fitting} carries it",
        )
    digits = gtin[14 - length :]
    return Content(chosen, digits, gs1=False, shown=_spaced(chosen, digits))


def _spaced(kind: Kind, digits: str) -> str:
    """The digits as they stand under the bars of each (GS1 General Specifications 5.2.5)."""
    cuts = {Kind.EAN_13: (1, 7), Kind.EAN_8: (4,), Kind.UPC_A: (1, 6, 11)}[kind]
    parts = [digits[begin:end] for begin, end in zip((0, *cuts), (*cuts, None), strict=True)]
    return " ".join(parts)
