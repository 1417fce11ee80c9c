"""Object identifiers: dots, ASN.1 notation, URN, BER octets, and the names of the OID resolution system.

ITU-T X.660 (the tree), X.680 clause 32 (notation), X.690 clause 8.19 (octets), RFC 3061 (``urn:oid:``), and ITU-T X.672
clause 7.3 (domain names: arcs in reverse under a domain of the system, behind the label ``ors-dummy``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Final

from hulian.network.identifiers.schemes.code import Code, Scheme
from hulian.network.identifiers.schemes.errors import (
    CharacterError,
    ContentError,
    LengthError,
    StructureError,
    UnknownError,
)

__all__ = ["MAXIMUM_ARCS", "MAXIMUM_ARC_BITS", "ORS_DOMAIN", "ORS_LABEL", "Oid", "arc_names"]

ORS_DOMAIN: Final = "oid-res.org"
"""The domain of the OID resolution system."""

MAXIMUM_ARCS: Final = 128
"""Most arcs that are read."""

MAXIMUM_ARC_BITS: Final = 128
"""Largest arc that is read: those under 2.25 are UUIDs."""

ORS_LABEL: Final = "ors-dummy"
"""What stands in front of the name of an OID."""

_LONGEST: Final = 2048
_NAMES: Final[Mapping[tuple[int, ...], Mapping[str, int]]] = MappingProxyType(
    {
        (): MappingProxyType({"itu-t": 0, "ccitt": 0, "itu-r": 0, "iso": 1, "joint-iso-itu-t": 2, "joint-iso-ccitt": 2}),
        (0,): MappingProxyType(
            {"recommendation": 0, "question": 1, "administration": 2, "network-operator": 3, "identified-organization": 4}
        ),
        (1,): MappingProxyType({"standard": 0, "registration-authority": 1, "member-body": 2, "identified-organization": 3}),
    }
)
"""The arcs that ASN.1 lets stand as names without a number (X.660 Annex A); ``itu-r`` is at 0 beside them."""

_NAME_FORM = re.compile(r"(?:([a-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*)\s*(?:\(\s*(\d+)\s*\))?|(\d+))\Z")


@dataclass(frozen=True, slots=True)
class Oid(Code):
    """One object identifier.

    >>> Oid.parse("{iso(1) member-body(2) us(840) 113549}").to_binary().hex()
    '06062a864886f70d'
    >>> Oid.parse("urn:oid:1.3.6.1").domain()
    'ors-dummy.1.6.3.1.oid-res.org'
    """

    arcs: tuple[int, ...]
    scheme: ClassVar[Scheme] = Scheme.OID

    @classmethod
    def of(cls, arcs: tuple[int, ...]) -> Oid:
        """Checks the arcs: at least two, the first 0 to 2, the second below 40 under 0 and 1."""
        if not 2 <= len(arcs) <= MAXIMUM_ARCS:
            raise LengthError(f"an OID has 2 to {MAXIMUM_ARCS} arcs, not {len(arcs)}", rule="oid.arcs")
        for place, arc in enumerate(arcs):
            if arc < 0 or arc.bit_length() > MAXIMUM_ARC_BITS:
                raise ContentError(f"arc {place + 1} has more than {MAXIMUM_ARC_BITS} bits", rule="oid.arc", position=place)
        if arcs[0] > 2:
            raise ContentError(f"the first arc is {arcs[0]}, not 0, 1 or 2", rule="oid.first-arc", position=0)
        if arcs[0] < 2 and arcs[1] > 39:
            raise ContentError(
                f"the second arc is {arcs[1]}; under {arcs[0]} there are 0 to 39", rule="oid.second-arc", position=1
            )
        return cls(arcs)

    @classmethod
    def parse(cls, text: str) -> Oid:
        """``2.999.1``, ``urn:oid:2.999.1``, or ``{joint-iso-itu-t(2) example(999) 1}``."""
        if len(text) > _LONGEST:
            raise LengthError(f"an OID longer than {_LONGEST} characters", rule="oid.length", position=_LONGEST)
        if text.lstrip().startswith("{"):
            return cls.of(_notation(text))
        begin = len("urn:oid:") if text[:8].lower() == "urn:oid:" else 0
        arcs: list[int] = []
        position = begin
        for part in text[begin:].split("."):
            arcs.append(_arc(part, position))
            position += len(part) + 1
        return cls._at(tuple(arcs), text, begin)

    @classmethod
    def from_binary(cls, data: bytes) -> Oid:
        """BER or DER: tag 06, length, octets. Positions in errors are octets."""
        if len(data) > _LONGEST:
            raise LengthError(f"an OID of more than {_LONGEST} octets", rule="oid.der", position=_LONGEST)
        if data[:1] != b"\x06":
            raise StructureError("the octets do not begin with the tag 06 of an OID", rule="oid.der", position=0)
        begin, length = _der_length(data)
        if begin + length != len(data):
            raise LengthError(f"the length says {length} octets, there are {len(data) - begin}", rule="oid.der", position=1)
        return cls.of(_decode(data, begin))

    @classmethod
    def from_domain(cls, name: str, domain: str = ORS_DOMAIN) -> Oid:
        """The inverse of `domain`; the label ``ors-dummy`` may be missing, and names of arcs at the top are read."""
        labels = name.rstrip(".").lower().split(".")
        tail = domain.lower().split(".")
        if labels[-len(tail) :] != tail or len(name) > 255:
            raise StructureError(f"{name!r} is no name under {domain}", rule="oid.domain", position=0)
        labels = labels[: -len(tail)]
        if labels[:1] == [ORS_LABEL]:
            labels = labels[1:]
        arcs: tuple[int, ...] = ()
        for label in reversed(labels):
            known = _NAMES.get(arcs, {}).get(label)
            arcs = (*arcs, _arc(label, name.lower().find(label)) if known is None else known)
        return cls.of(arcs)

    @property
    def text(self) -> str:
        """Arcs with dots between."""
        return ".".join(map(str, self.arcs))

    @property
    def parts(self) -> Mapping[str, str]:
        """The arcs: ``arc1``, ``arc2`` and so on."""
        return MappingProxyType({f"arc{place}": str(arc) for place, arc in enumerate(self.arcs, 1)})

    def to_notation(self) -> str:
        """ASN.1 value notation by numbers alone, e.g. ``{2 999 1}``."""
        return "{" + " ".join(map(str, self.arcs)) + "}"

    def to_url(self) -> str:
        """The URN of RFC 3061."""
        return f"urn:oid:{self.text}"

    def to_binary(self) -> bytes:
        """DER, with tag and length."""
        first = self.arcs[0] * 40 + self.arcs[1]
        content = b"".join(_encode(number) for number in (first, *self.arcs[2:]))
        if len(content) < 128:
            return bytes((6, len(content))) + content
        size = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
        return bytes((6, 128 | len(size))) + size + content

    def domain(self, domain: str = ORS_DOMAIN, *, named: bool = False) -> str:
        """The name that an ORS client asks DNS about (X.672, 7.3): the arcs in reverse, behind ``ors-dummy``.

        The label is there because a DNAME, by which the system joins names to numbers, does not redirect its own name.
        ``named`` gives the name in the tree of names: arcs at the top by those that ASN.1 has for them.
        Raises `LengthError` where DNS cannot hold the name.
        """
        labels = list(map(str, self.arcs))
        for depth, arc in enumerate(self.arcs) if named else ():
            known = (name for name, number in arc_names(self.arcs[:depth]).items() if number == arc)
            labels[depth] = next(known, labels[depth])
        name = ".".join([ORS_LABEL, *reversed(labels), domain])
        if len(name) > 253:
            raise LengthError(f"{self.text} is too long for a domain name", rule="oid.domain", position=None)
        return name

    @classmethod
    def _at(cls, arcs: tuple[int, ...], text: str, begin: int) -> Oid:
        try:
            return cls.of(arcs)
        except (ContentError, LengthError) as error:
            if error.position is not None:
                skipped = text[begin:].split(".")[: error.position]
                where = begin + sum(len(part) + 1 for part in skipped)
                raise type(error)(error.message, rule=error.rule, position=where) from None
            raise


def arc_names(above: tuple[int, ...]) -> Mapping[str, int]:
    """The arcs below ``above`` that may be written as names alone, with their numbers; the first name of a number is usual."""
    return _NAMES.get(above, MappingProxyType({}))


def _arc(text: str, position: int) -> int:
    if not text:
        raise StructureError("an arc is missing", rule="oid.arc", position=position)
    for place, character in enumerate(text):
        if character not in "0123456789":
            raise CharacterError(f"{character!r} in an arc", rule="oid.arc", position=position + place)
    if text[0] == "0" and text != "0":
        raise ContentError(f"the arc {text} begins with a zero", rule="oid.arc", position=position)
    if len(text) > 39:
        raise LengthError(f"an arc of {len(text)} digits", rule="oid.arc", position=position)
    return int(text)


def _notation(text: str) -> tuple[int, ...]:
    begin, end = text.index("{"), text.rstrip().rfind("}")
    if end != len(text.rstrip()) - 1:
        raise StructureError("the closing brace is missing", rule="oid.notation", position=len(text))
    arcs: tuple[int, ...] = ()
    for match in re.finditer(r"[^\s(]+(?:\s*\([^)]*\))?|\(", text[begin + 1 : end]):
        position = begin + 1 + match.start()
        form = _NAME_FORM.match(match[0])
        if form is None:
            raise StructureError(f"{match[0]!r} is neither a number nor a name", rule="oid.notation", position=position)
        name, inner, number = form.groups()
        if (digits := inner or number) is not None:
            arcs = (*arcs, _arc(digits, position))
        elif (known := _NAMES.get(arcs, {}).get(name)) is not None:
            arcs = (*arcs, known)
        else:
            raise UnknownError(
                f"{name!r} has no number of its own here", rule="oid.notation", position=position, hint=f"write {name}(n)"
            )
    return arcs


def _der_length(data: bytes) -> tuple[int, int]:
    if len(data) < 2:
        raise LengthError("the length is missing", rule="oid.der", position=len(data))
    if data[1] < 128:
        return 2, data[1]
    size = data[1] & 127
    if not 1 <= size <= 4 or len(data) < 2 + size:
        raise LengthError("a length that is not usable", rule="oid.der", position=1)
    return 2 + size, int.from_bytes(data[2 : 2 + size], "big")


def _encode(number: int) -> bytes:
    octets = [number & 127]
    while number := number >> 7:
        octets.append(number & 127 | 128)
    return bytes(reversed(octets))


def _decode(data: bytes, begin: int) -> tuple[int, ...]:
    if begin == len(data):
        raise LengthError("an OID without any octet", rule="oid.der", position=begin)
    numbers, number, fresh = [], 0, True
    for place in range(begin, len(data)):
        if fresh and data[place] == 128:
            raise ContentError("an arc with a leading octet of zero bits", rule="oid.der", position=place)
        number = number << 7 | data[place] & 127
        if number.bit_length() > MAXIMUM_ARC_BITS + 7:
            raise ContentError(f"an arc of more than {MAXIMUM_ARC_BITS} bits", rule="oid.arc", position=place)
        fresh = data[place] < 128
        if fresh:
            numbers.append(number)
            number = 0
    if not fresh:
        raise LengthError("the last arc is cut short", rule="oid.der", position=len(data))
    first = min(numbers[0] // 40, 2)
    return (first, numbers[0] - 40 * first, *numbers[1:])
