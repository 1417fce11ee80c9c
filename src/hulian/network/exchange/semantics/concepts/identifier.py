"""Identifiers of concepts: IRDIs in every spelling, URIs, and what in them is a version.

An IRDI (ISO 29002-5, ISO/IEC 11179-6) is written here as ``ICD/OI///CSI#item#version``. ECLASS writes
``0173-1#02-AAO677#002`` for ``0173/1///02#AAO677#002``; IEC CDD writes ``0112/2///61987#ABA565#007``, and ``-`` for ``/`` in
web addresses.

Bends that are accepted, each because documents that people exchange have it:

* a prefix: ``IRDI:``, ``ECLASS:``, ``urn:irdi:``, ``[IRDI]`` (AAS tools, AutomationML);
* ``%23`` or a further ``-`` in the place of ``#`` (addresses of ECLASS and of IEC CDD);
* a version that is missing, of one or two digits, or is followed by ``~0`` (cardinalities of ECLASS in AAS);
* small letters; spaces around it; a path of IRDIs joined by ``/`` or ``*``: the last one is meant.
"""

from __future__ import annotations

import functools
import re
import urllib.parse
from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal

import msgspec

from hulian.network.exchange.semantics.errors import ConceptError

__all__ = ["LONGEST", "Concept", "key_of", "of_reference", "parse", "recognise", "same"]

LONGEST: Final = 2048
"""Characters of an identifier."""

_PREFIX: Final = re.compile(r"\s*(?:\[IRDI\]|urn:irdi:|irdi:|eclass:)\s*", re.IGNORECASE)
_ECLASS: Final = re.compile(r"(\d{4})-(\d)(?:---|[#-])(\d{2})-([A-Z]{3}\d{3})(?:[#-](\d{1,3}))?(?:~\d+)?", re.IGNORECASE)
_SLASHED: Final = re.compile(
    r"(\d{4})[/-]([0-9A-Z]+)(?:///|---)([0-9A-Z_.]*)[#-](?:([0-9A-Z]{2})-)?([A-Z0-9][A-Z0-9_.]*)(?:[#-](\d{1,3}))?(?:~\d+)?",
    re.IGNORECASE,
)
_URI: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:\S+")
_IDTA: Final = re.compile(r"(?<=/)(\d+)/(\d+)(?=/|$)")
_ECLASS_ICD: Final = "0173"
_WEB: Final = ("http", "https")
_CARRIERS: Final = ("eclass", "cdd.iec.ch", "irdi")
"""Hosts, or parts of them, whose addresses carry IRDIs."""


class Concept(msgspec.Struct, frozen=True):
    """What names a concept. Two are one concept where their keys are equal; one edition of it where versions are, too."""

    scheme: Literal["irdi", "uri"]
    key: str
    """Without version, in one spelling: ``0173/1///02#AAO677``; of a URI without what differs between editions."""
    version: str = ""
    """``002``; ``2/0`` of IDTA's addresses; empty where none is said."""
    text: str = ""
    """As it is usually written: ``0173-1#02-AAO677#002``."""

    @property
    def canonical(self) -> str:
        """``ICD/OI///CSI#item#version``, or the URI."""
        if self.scheme == "uri":
            return self.text
        return f"{self.key}#{self.version}" if self.version else self.key

    def same(self, other: Concept, *, version: bool = False) -> bool:
        """Whether ``other`` names the same concept; with ``version`` the same edition: one that says none is no edition."""
        return self.key == other.key and (not version or self.version == other.version)

    def __str__(self) -> str:
        return self.text


@functools.lru_cache(16384)
def recognise(text: str) -> Concept | None:
    """The concept that ``text`` names; None where it is no identifier of one: a path of a library, a word."""
    if len(text) > LONGEST:
        return None
    text = text.strip()
    prefix = _PREFIX.match(text)
    bare = text[prefix.end() :] if prefix else text
    found = _irdi(bare)
    if found is None and "://" not in bare and ("/0" in bare or "*0" in bare):
        found = _irdi(re.split(r"[/*](?=0\d{3}-\d#)", bare)[-1])
    if found is not None or prefix:
        return found
    return _uri(text)


def parse(text: str, place: str = "") -> Concept:
    """As `recognise`; raises `ConceptError` where it is none."""
    found = recognise(text)
    if found is None:
        shown = text if len(text) <= 100 else text[:100] + "…"
        raise ConceptError(
            f"'{shown}' identifies no concept",
            place=place,
            hint="write an IRDI (0173-1#02-AAO677#002, 0112/2///61987#ABA565#007) or a URI",
        )
    return found


def same(first: str, second: str, *, version: bool = False) -> bool:
    """Whether two texts name one concept; texts that are no identifiers are compared as they are."""
    a, b = recognise(first), recognise(second)
    if a is None or b is None:
        return first.strip() == second.strip()
    return a.same(b, version=version)


def key_of(text: str) -> str:
    """What to look a concept up by, whatever its version and spelling; a text that is no identifier stays itself."""
    found = recognise(text)
    return found.key if found else text.strip()


def of_reference(reference: Mapping[str, Any] | Iterable[Mapping[str, Any]] | str) -> Concept:
    """The concept of an AAS reference: ``{"keys": [{"type": …, "value": …}]}``, its keys, or its text.

    The text is AAS's: ``(GlobalReference)0173-1#02-AAO677#002``, also ``(GlobalReference)(no-local)[IRDI]…`` of version 2 and
    keys joined by commas. The last key that identifies something counts. Raises `ConceptError`.
    """
    if isinstance(reference, str):
        values = [re.sub(r"^\s*(?:\([A-Za-z-]+\)\s*)+(?:\[[A-Za-z]+\]\s*)?", "", part) for part in reference.split(",")]
    else:
        keys = reference.get("keys", ()) if isinstance(reference, Mapping) else reference
        values = [str(key.get("value", "")) for key in keys]
    for value in reversed(values):
        found = recognise(value)
        if found:
            return found
    raise ConceptError("the reference identifies no concept", place=str(values)[:200], hint="give its key an IRDI or a URI")


def _irdi(text: str) -> Concept | None:
    text = text.replace("%23", "#")
    match = _ECLASS.fullmatch(text)
    if match:
        icd, oi, csi, item, version = match.groups()
        return _named(icd, oi, csi, item, version)
    match = _SLASHED.fullmatch(text)
    if match:
        icd, oi, csi, code, item, version = match.groups()
        if icd == _ECLASS_ICD and not csi and code:
            return _named(icd, oi, code, item, version)
        return _named(icd, oi, csi, f"{code}-{item}" if code else item, version)
    return None


def _named(icd: str, oi: str, csi: str, item: str, version: str | None) -> Concept:
    item = item.upper()
    padded = version.zfill(3) if version else ""
    key = f"{icd}/{oi.upper()}///{csi}#{item}"
    usual = f"{icd}-{oi}#{csi}-{item}" if icd == _ECLASS_ICD else key
    return Concept("irdi", key, padded, f"{usual}#{padded}" if padded else usual)


def _uri(text: str) -> Concept | None:
    if not _URI.fullmatch(text):
        return None
    try:
        parts = urllib.parse.urlsplit(text)
        host = parts.hostname or ""
        named = _web(parts) if parts.scheme in _WEB else None
    except ValueError:
        return None
    if parts.scheme not in _WEB:
        return Concept("uri", text, "", text)
    if not host:
        return None
    if named is not None and any(part in host for part in _CARRIERS):
        return named
    rest = (
        parts.path.rstrip("/") + (f"?{parts.query}" if parts.query else "") + (f"#{parts.fragment}" if parts.fragment else "")
    )
    version = ""
    if host.endswith("admin-shell.io"):
        match = _IDTA.search(rest)
        if match:
            version = f"{match[1]}/{match[2]}"
            rest = rest[: match.start()] + "*" + rest[match.end() :]
    netloc = host + (f":{parts.port}" if parts.port else "")
    return Concept("uri", f"//{netloc}{rest}", version, text)


def _web(parts: urllib.parse.SplitResult) -> Concept | None:
    """The IRDI that a web address ends with."""
    whole = urllib.parse.unquote(parts.path + (f"?{parts.query}" if parts.query else ""))
    whole += f"#{parts.fragment}" if parts.fragment else ""
    for at in [match.start() for match in re.finditer(r"(?<![0-9A-Za-z])0\d{3}[/-]\d", whole)][-3:]:
        rest = whole[at:].rstrip("/")
        for piece in (rest, rest.partition("?")[0], rest.partition("&")[0]):
            found = _irdi(piece)
            if found:
                return found
    return None
