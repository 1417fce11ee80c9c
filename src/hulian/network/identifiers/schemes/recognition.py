"""Whatever is scanned or typed, read as a `Code`.

`recognise` gives one reading, `candidates` all of them in the same order of preference. Some texts carry a mark that leaves
one reading only (``urn:``, ``did:``, ``hdl:``, a bracketed application identifier, the prefix of a scanner); if that reading
fails, its error is the answer, for a wrong check digit must not turn a GTIN into something else. Texts without a mark are
tried in this order, and the first that fits is taken:

1. digits alone: GTIN-13, GTIN-14, GTIN-12, SSCC, GTIN-8, GSIN, by their number and check digit; then GLN, GSRN. If the
   check digit is wrong, that is the answer: one mistyped digit must not make a GTIN into an Ecode;
2. an EPC in hexadecimal digits, known by its header and length;
3. an object identifier: numbers with dots that begin with 0, 1 or 2;
4. an element string without brackets, as a scanner sends it without prefix; only where there is a GS character in it or
   all of it is used up by identifiers that begin with a key;
5. a VAA code; 6. a Handle; 7. the prefix of a Handle alone (``88.111.1`` is ``0.NA/88.111.1``); 8. an Ecode.

A URL is a Digital Link before it is an address that holds a Handle (told by a prefix such as ``88.111.1``, whose first number
has two digits or more), a DID or a URN in its path, and that before a compressed Digital Link, which nearly any word could be.

Octets are a tag's EPC, or a DER object identifier, or text in UTF-8; where all of them are printable ASCII, they are text
first, for a scanner sends ``0…`` more often than a tag looks like it. Who knows that it holds a tag's octets asks
`Epc.from_binary`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from hulian.network.identifiers.schemes import percent
from hulian.network.identifiers.schemes.code import Code
from hulian.network.identifiers.schemes.did import Did
from hulian.network.identifiers.schemes.ecode import MARK, Ecode
from hulian.network.identifiers.schemes.epc.epc import Epc
from hulian.network.identifiers.schemes.epc.layouts import BY_HEADER
from hulian.network.identifiers.schemes.errors import (
    CharacterError,
    CheckError,
    LengthError,
    SchemeError,
    UnrecognisedError,
)
from hulian.network.identifiers.schemes.gs1.elements import FNC1, parse_bracketed, parse_scanned
from hulian.network.identifiers.schemes.gs1.keys import parse_key
from hulian.network.identifiers.schemes.gs1.link import parse_link, plain_key_at
from hulian.network.identifiers.schemes.handle import Handle
from hulian.network.identifiers.schemes.oid import Oid
from hulian.network.identifiers.schemes.vaa import Vaa

__all__ = ["MAXIMUM_LENGTH", "SYMBOLOGIES", "candidates", "recognise"]

MAXIMUM_LENGTH: Final = 8192
"""Longest text or octets that are looked at."""

SYMBOLOGIES: Final = {
    "]C1": "GS1-128",
    "]e0": "GS1 DataBar",
    "]e1": "GS1 Composite",
    "]e2": "GS1 Composite",
    "]d2": "GS1 DataMatrix",
    "]Q3": "GS1 QR Code",
    "]J1": "GS1 DotCode",
}
"""The symbology identifiers (ISO/IEC 15424) behind which an element string follows."""

_DEEPEST: Final = 16
"""How many parts of a path are looked at for a Handle or a DID."""

_RETAIL: Final = {"]E0": "GTIN-13", "]E4": "GTIN-8", "]I1": "GTIN-14"}
_ANY_SYMBOLOGY = re.compile(r"\][A-Za-z][0-9A-Za-z]")
_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]{24,64}\Z")
_NOTATION = re.compile(r"\{\s*[a-z0-9]")
_PLAIN_TEXT = re.compile(r"[\t\r\n\x1d -~]*\Z")
_DOTTED = re.compile(r"[0-2](?:\.[0-9]+)+\Z")
_PREFIX = re.compile(r"[0-9]+(?:\.[0-9A-Za-z-]+)+\Z")
_PATH_PREFIX = re.compile(r"(?:[1-9][0-9]+(?:\.[0-9A-Za-z-]+)+|0\.[Nn][Aa])\Z")
_URL = re.compile(r"https?://[^/?#\s]*(/[^?#\s]*)?(?:[?#]\S*)?\Z", re.IGNORECASE)
_PROXY = re.compile(r"https?://(?:(?:www\.|dx\.)?doi\.org|(?:hdl\.)?handle\.net)/", re.IGNORECASE)
_DIGIT_KEYS: Final = {
    8: ("GTIN-8",),
    12: ("GTIN-12",),
    13: ("GTIN-13", "GLN"),
    14: ("GTIN-14",),
    17: ("GSIN",),
    18: ("SSCC", "GSRN"),
}

Reader = Callable[[str], Code]


def recognise(given: str | bytes) -> Code:
    """The preferred reading of what was scanned or typed; white space around it is passed over.

    Raises the error of the only reading that its mark allows, or of the reading that came nearest, or
    `UnrecognisedError`.

    >>> recognise("]d2010950600013435210ABC").text
    '(01)09506000134352(10)ABC'
    >>> recognise("https://id.gs1.org/01/09506000134352").scheme.value
    'gs1'
    >>> recognise("88.111.1/ITEM7").scheme.value
    'handle'
    """
    nearest: SchemeError | None = None
    for reader, begin, text in _readings(given):
        try:
            return reader(text)
        except SchemeError as error:
            if nearest is None or (isinstance(error, CheckError) and not isinstance(nearest, CheckError)):
                nearest = error.moved(begin) if begin else error
            if isinstance(error, CheckError) and text.isdigit():
                break
    raise nearest or UnrecognisedError(f"{_shown(given)} is no code that is known here", rule="recognise")


def candidates(given: str | bytes) -> tuple[Code, ...]:
    """Every reading, the preferred first; empty where there is none. Raises only where the text is too long or no text."""
    found: list[Code] = []
    for reader, _, text in _readings(given):
        try:
            code = reader(text)
        except SchemeError:
            continue
        if code not in found:
            found.append(code)
    return tuple(found)


def _readings(given: str | bytes) -> Iterator[tuple[Reader, int, str]]:
    """What may be tried, in order: a reader, where its text begins, and the text."""
    if len(given) > MAXIMUM_LENGTH:
        raise LengthError(f"longer than {MAXIMUM_LENGTH}: no code", rule="recognise.length", position=MAXIMUM_LENGTH)
    if isinstance(given, bytes):
        yield from _octets(given)
    else:
        yield from _stripped(given)


def _octets(octets: bytes) -> Iterator[tuple[Reader, int, str]]:
    binary: list[tuple[Reader, int, str]] = []
    if _is_tag(octets):
        binary.append((lambda _: Epc.from_binary(octets), 0, ""))
    if octets[:1] == b"\x06" and len(octets) > 2:
        binary.append((lambda _: Oid.from_binary(octets), 0, ""))
    try:
        text = octets.decode()
    except UnicodeDecodeError as error:
        if not binary:
            raise CharacterError(
                "the octets are neither a tag's EPC, nor an OID, nor UTF-8", rule="recognise.octets", position=error.start
            ) from None
        yield from binary
        return
    if _PLAIN_TEXT.match(text):
        yield from _stripped(text)
        yield from binary
    else:
        yield from binary
        yield from _stripped(text)


def _stripped(given: str) -> Iterator[tuple[Reader, int, str]]:
    # GS is white space to Python; at the beginning it is FNC1, and at the end some scanners leave one behind.
    text = given.strip(" \t\r\n")
    yield from ((reader, len(given) - len(given.lstrip(" \t\r\n")) + begin, part) for reader, begin, part in _texts(text))


def _texts(text: str) -> Iterator[tuple[Reader, int, str]]:
    if not text:
        return
    marked = _marked(text)
    if marked is not None:
        yield marked
        return
    if _URL.match(text):
        yield from _url(text)
        return
    if _ANY_SYMBOLOGY.match(text) and not _ANY_SYMBOLOGY.match(text, 3):
        # A symbology whose content says nothing of itself, such as plain Code 128: its text speaks for itself.
        yield from ((reader, 3 + begin, part) for reader, begin, part in _texts(text[3:]))
        return
    yield from ((reader, 0, text) for reader in _unmarked(text))


def _marked(text: str) -> tuple[Reader, int, str] | None:
    head = text[:12].lower()
    if text[:3] in SYMBOLOGIES:
        return _element_string_or_link, 3, text[3:]
    if text[:3] in _RETAIL:
        return _retail(text[:3]), 3, text[3:]
    if text.startswith(FNC1):
        return parse_scanned, 0, text.removesuffix(FNC1)
    if re.match(r"\(\d{2,4}\)", text):
        return parse_bracketed, 0, text
    if _NOTATION.match(text):
        return Oid.parse, 0, text
    for mark, reader in _MARKS:
        if head.startswith(mark):
            return reader, 0, text
    if _PROXY.match(text):
        return Handle.parse, 0, text
    return None


def _element_string_or_link(text: str) -> Code:
    """A two-dimensional symbol in GS1 mode may hold a link as well; one-dimensional ones hold element strings."""
    return _link(text) if _URL.match(text) else parse_scanned(text.removesuffix(FNC1))


def _retail(symbology: str) -> Reader:
    kind = _RETAIL[symbology]
    return lambda text: parse_key("GTIN-12" if kind == "GTIN-13" and len(text) == 12 else kind, text).code


def _link(text: str) -> Code:
    return parse_link(text).code


def _url(text: str) -> Iterator[tuple[Reader, int, str]]:
    match = _URL.match(text)
    path = (match[1] if match else "") or ""
    segments = path.split("/")[1:]
    begin = text.find(path) if path else 0
    if plain_key_at(segments) is not None:
        yield _link, 0, text
    for place, segment in enumerate(segments[:_DEEPEST]):
        tail = "/".join(segments[place:])
        where = begin + 1 + sum(len(each) + 1 for each in segments[:place])
        if _PATH_PREFIX.match(segment) and segments[place + 1 : place + 2] not in ([], [""]):
            yield _decoded(Handle.parse), where, tail
        elif segment.lower().startswith(("did:", "urn:")):
            # Neither needs an escape in a path, and a did:web has escapes of its own.
            yield recognise, where, tail
    if plain_key_at(segments) is None:
        yield _link, 0, text


def _decoded(reader: Reader) -> Reader:
    return lambda text: reader(percent.decode(text, "recognise.percent"))


def _unmarked(text: str) -> Iterator[Reader]:
    digits = text.isascii() and text.isdigit()
    if digits:
        yield from (_key(kind) for kind in _DIGIT_KEYS.get(len(text), ()))
    if _HEXADECIMAL.match(text) and len(text) % 2 == 0 and _is_tag(bytes.fromhex(text)):
        yield Epc.from_hex
    if _DOTTED.match(text):
        yield Oid.parse
    if text[:2].isdigit() and text[:2].isascii() and "." not in text.partition("/")[0]:
        yield _scanned_whole
    if text[:3].upper() == "VAA" and text[3:6].isdigit():
        yield Vaa.parse
    if "/" in text:
        yield Handle.parse
    if _PREFIX.match(text):
        yield Handle.of_prefix
    if len(text) > 5 and text.isascii() and text.isalnum() and text[:5].isdigit():
        yield Ecode.parse


def _key(kind: str) -> Reader:
    return lambda text: parse_key(kind, text).code


def _scanned_whole(text: str) -> Code:
    code = parse_scanned(text.removesuffix(FNC1))
    if FNC1 not in text and not code.primary:
        raise UnrecognisedError("an element string without a key could be anything", rule="recognise.element-string")
    return code


def _is_tag(octets: bytes) -> bool:
    layout = BY_HEADER.get(octets[0]) if octets else None
    return layout is not None and layout.bits <= 8 * len(octets) <= layout.bits + (-layout.bits % 16)


def _shown(given: str | bytes) -> str:
    return repr(given[:40]) + ("…" if len(given) > 40 else "")


_MARKS: Final[tuple[tuple[str, Reader], ...]] = (
    ("urn:epc:", Epc.parse),
    ("urn:oid:", Oid.parse),
    ("did:", Did.parse),
    ("hdl:", Handle.parse),
    ("info:hdl/", Handle.parse),
    ("info:doi/", Handle.parse),
    ("doi:", Handle.parse),
    (MARK, Ecode.parse),
)
