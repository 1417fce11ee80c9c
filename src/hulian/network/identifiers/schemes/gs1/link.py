"""GS1 Digital Link URIs, plain and compressed, both ways (GS1 Digital Link: URI Syntax 1.2 and later).

    https://id.gs1.org/01/09506000134352/10/ABC/21/XYZ?17=251231
    stem               key               qualifiers    attributes

The key is found from the right, so that a stem may have a path of its own. Read but never written: words for identifiers
(``/gtin/…/lot/…``), GTINs of 8, 12 or 13 digits, a slash at the end, ``;`` between attributes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final, Literal

from hulian.network.identifiers.schemes import percent
from hulian.network.identifiers.schemes.errors import (
    CharacterError,
    ConversionError,
    LengthError,
    SchemeError,
    StructureError,
    UnknownError,
)
from hulian.network.identifiers.schemes.gs1 import compression
from hulian.network.identifiers.schemes.gs1.content import check_value
from hulian.network.identifiers.schemes.gs1.elements import GS1, MAXIMUM_ELEMENTS, MAXIMUM_LENGTH, in_order
from hulian.network.identifiers.schemes.gs1.table import APPLICATIONS, LINK_KEYS, SHORT_NAMES

__all__ = ["CANONICAL_STEM", "DigitalLink", "parse_link", "plain_key_at"]

CANONICAL_STEM: Final = "https://id.gs1.org"
"""The stem of canonical URIs."""

_URL = re.compile(
    r"(?P<stem>https?://[^/?#\s]+)(?P<path>/[^?#\s]*)?(?:\?(?P<query>[^#\s]*))?(?:#(?P<fragment>\S*))?\Z", re.IGNORECASE
)
_BASE64 = re.compile(r"[A-Za-z0-9_-]+\Z")
_ATTRIBUTE_SAFE = "-._~"


@dataclass(frozen=True, slots=True)
class DigitalLink:
    """GS1 data with the address that they are written into.

    ``stem`` is what stands before the key, without a slash at its end. ``other`` are the pairs of the query that are no
    application identifiers, passed on as they are; ``fragment`` likewise.
    """

    code: GS1
    stem: str = CANONICAL_STEM
    other: tuple[tuple[str, str], ...] = field(default=())
    fragment: str = ""

    def to_url(self, compress: Literal["", "partly", "fully"] = "", *, optimise: bool = False) -> str:
        """The URI; ``compress`` "partly" leaves the key readable, "fully" does not.

        ``optimise`` uses the published abbreviations for frequent groups of identifiers; without them the result is that
        of GS1's own toolkit at its defaults. Raises `ConversionError` where the data hold nothing that can begin a link.
        """
        key = self.code.primary
        if not key:
            raise ConversionError(
                f"{self.code.text!r} holds no key that a GS1 Digital Link may begin with",
                rule="gs1.link.key",
                hint="add the GTIN, SSCC, GLN or another key to what is linked",
            )
        values = dict(self.code.elements)
        readable: list[tuple[str, str]] = []
        if compress != "fully":
            readable.append((key, values.pop(key)))
        if compress == "":
            for chain in LINK_KEYS[key]:
                if found := [(ai, values.pop(ai)) for ai in chain if ai in values]:
                    readable += found
                    break
            if key == "415" and len(readable) == 1:
                raise ConversionError("(415) begins a link only together with (8020)", rule="gs1.link.key")
        path = "".join(f"/{ai}/{percent.encode(value, _ATTRIBUTE_SAFE)}" for ai, value in readable)
        query = [f"{name}={value}" for name, value in self.other]
        if compress == "":
            query = [f"{ai}={percent.encode(value, _ATTRIBUTE_SAFE)}" for ai, value in sorted(values.items())] + query
        elif values:
            path += "/" + compression.compress(values, optimise=optimise)
        return self.stem + path + ("?" + "&".join(query) if query else "") + ("#" + self.fragment if self.fragment else "")


def parse_link(url: str) -> DigitalLink:
    """A GS1 Digital Link, compressed or not. Positions in errors are those in ``url``.

    >>> parse_link("https://example.com/some/path/gtin/614141123452/lot/A%2F1?17=251231&lang=zh").code.text
    '(01)00614141123452(10)A/1(17)251231'
    """
    if len(url) > MAXIMUM_LENGTH:
        raise LengthError(f"a link longer than {MAXIMUM_LENGTH} characters", rule="gs1.link", position=MAXIMUM_LENGTH)
    match = _URL.match(url)
    if match is None:
        raise StructureError("this is no http or https URL", rule="gs1.link", position=0)
    path = match["path"] or ""
    segments = _segments(path, match.start("path"))
    while segments and not segments[-1][0]:
        segments.pop()
    found = plain_key_at([name for name, _ in segments])
    if found is None:
        begin, values, other = _whole_compressed(segments)
    else:
        begin, values, other = _keyed(segments, found)
    stem = match["stem"] + path[: segments[begin][1] - 1 - match.start("path")]
    _read_query(match["query"] or "", match.start("query"), values, other)
    if len(values) > MAXIMUM_ELEMENTS:
        raise LengthError(f"more than {MAXIMUM_ELEMENTS} application identifiers", rule="gs1.elements")
    return DigitalLink(GS1(in_order(values)), stem, tuple(other), match["fragment"] or "")


def plain_key_at(names: list[str]) -> int | None:
    """Which segment of a path is the key of a readable link, counted from 0, or None.

    The last that leaves pairs to its right; failing that, the last that leaves one segment more, a compressed rest.
    """
    for left_over in (0, 1):
        for place in range(len(names) - 2 - left_over, -1, -2):
            if _identifier(names[place]) in LINK_KEYS:
                return place
    return None


def _segments(path: str, offset: int) -> list[tuple[str, int]]:
    found, position = [], offset
    for segment in path.split("/"):
        found.append((segment, position))
        position += len(segment) + 1
    return found[1:]


def _identifier(name: str) -> str:
    return SHORT_NAMES.get(name, name)


def _keyed(segments: list[tuple[str, int]], begin: int) -> tuple[int, dict[str, str], list[tuple[str, str]]]:
    """Reads key and qualifiers from segment ``begin`` on; what is left over may be a compressed rest."""
    key = _identifier(segments[begin][0])
    values = {key: _value(key, *segments[begin + 1])}
    rest = segments[begin + 2 :]
    if len(rest) == 1:
        text, position = rest[0]
        try:
            more, other = compression.decompress(text)
        except SchemeError as error:
            raise error.moved(position) from None
        return begin, {**more, **values}, other
    seen: list[str] = []
    for (name, position), (value, place) in zip(rest[::2], rest[1::2], strict=False):
        ai = _identifier(name)
        seen.append(ai)
        if not any(_in_order(seen, chain) for chain in LINK_KEYS[key]):
            raise StructureError(
                f"({ai}) may not stand here behind ({key})",
                rule="gs1.link.qualifier",
                position=position,
                hint="an attribute belongs behind the question mark; qualifiers have a fixed order",
            )
        values[ai] = _value(ai, value, place)
    if len(rest) % 2:
        name, position = rest[-1]
        raise StructureError(f"{name!r} has no value behind it", rule="gs1.link.qualifier", position=position)
    if key == "415" and "8020" not in values:
        raise StructureError(
            "(415) begins a link only together with (8020)", rule="gs1.link.qualifier", position=segments[begin][1]
        )
    return begin, values, []


def _whole_compressed(segments: list[tuple[str, int]]) -> tuple[int, dict[str, str], list[tuple[str, str]]]:
    if not segments or not _BASE64.match(segments[-1][0]):
        raise StructureError("the path holds neither a GS1 key nor a compressed link", rule="gs1.link.key")
    text, position = segments[-1]
    try:
        values, other = compression.decompress(text)
    except SchemeError as error:
        raise error.moved(position) from None
    if not any(ai in LINK_KEYS for ai in values):
        raise StructureError("the compressed link holds no key", rule="gs1.link.key", position=position)
    return len(segments) - 1, values, other


def _in_order(seen: list[str], chain: tuple[str, ...]) -> bool:
    places = [chain.index(ai) if ai in chain else -1 for ai in seen]
    return -1 not in places and all(one < next_ for one, next_ in pairwise(places))


def _value(ai: str, raw: str, position: int) -> str:
    try:
        value = percent.decode(raw, "gs1.link.percent")
        if ai == "01" and value.isdigit() and len(value) in (8, 12, 13):
            value = value.rjust(14, "0")
        check_value(APPLICATIONS[ai], value)
    except SchemeError as error:
        raise error.moved(position) from None
    return value


def _read_query(query: str, offset: int, values: dict[str, str], other: list[tuple[str, str]]) -> None:
    position = offset
    for pair in re.split("([&;])", query):
        name, equals, raw = pair.partition("=")
        ai = _identifier(name)
        if pair in ("", "&", ";"):
            pass
        elif ai in APPLICATIONS and equals:
            value = _value(ai, raw, position + len(name) + 1)
            if values.setdefault(ai, value) != value:
                raise StructureError(f"({ai}) is given twice with different values", rule="gs1.repeated", position=position)
        elif name.isascii() and name.isdigit():
            raise UnknownError(
                f"({name}) is not an application identifier", rule="gs1.application-identifier", position=position
            )
        else:
            if not name.isprintable() or not raw.isprintable():
                raise CharacterError("a control character in the query", rule="gs1.link.query", position=position)
            other.append((name, raw))
        position += len(pair)
