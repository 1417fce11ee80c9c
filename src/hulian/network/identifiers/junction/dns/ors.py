"""One piece of information about an OID: an ORS service and where it leads. As a value, and as a NAPTR record of DNS.

The canonical OID (COID), information about children (CINF), registration (RINF) and ASN.1 modules (MINF) are services that
X.672 assigns; others have been assigned since, and operators add their own: any name of four to eight letters is read. The
service field is ``ORS+RINF``, the flag ``u``, the expression ``!^.*$!https://…!`` (clause 6.3; RFC 3403). Servers that leave
out ``ORS+`` are understood. Another expression than the one that takes everything is not run: it comes from strangers.
"""

from __future__ import annotations

import re
from typing import Annotated, Final

import dns.rdataclass
import dns.rdatatype
import msgspec
from dns.name import root
from dns.rdtypes.IN.NAPTR import NAPTR
from msgspec import Meta

from hulian.network.identifiers.wire.values import Value

__all__ = ["ORS", "SERVICES", "Ors", "ors_of", "value_of"]

ORS: Final = "HULIAN.ORS"
"""The type of values that hold an `Ors` as JSON."""

SERVICES: Final = ("COID", "CINF", "RINF", "MINF")

_FLAGS: Final = re.compile(rb"[uU]")
_SERVICE: Final = re.compile(rb"(?:ORS\+)?([A-Za-z0-9]{2,16})", re.IGNORECASE)
_TARGET: Final = r"^[!-~]+$"
_EVERYTHING: Final = (b"^.*$", b"^.*", b".*", b"^(.*)$")


class Ors(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``target`` is an address, for COID an OID. Those of the lowest ``order``, then ``preference``, are meant first."""

    service: Annotated[str, Meta(pattern=r"^[A-Z0-9]{2,16}$")]
    target: Annotated[str, Meta(pattern=_TARGET, max_length=230)]
    order: Annotated[int, Meta(ge=0, le=65535)] = 100
    preference: Annotated[int, Meta(ge=0, le=65535)] = 10

    def naptr(self) -> NAPTR | None:
        """The record; None where its expression is longer than DNS carries (255 bytes)."""
        escaped = self.target.replace("\\", "\\\\").replace("!", "\\!").encode()
        regexp = b"!^.*$!" + escaped + b"!"
        if len(regexp) > 255:
            return None
        service = b"ORS+" + self.service.encode()
        return NAPTR(dns.rdataclass.IN, dns.rdatatype.NAPTR, self.order, self.preference, b"u", service, regexp, root)

    @classmethod
    def of_naptr(cls, record: NAPTR) -> Ors | None:
        """What a terminal record says; None where that is nothing of the ORS, or not to be understood."""
        service = _SERVICE.fullmatch(record.service)
        if service is None or not _FLAGS.fullmatch(record.flags) or (target := _replacement(record.regexp)) is None:
            return None
        try:
            made = cls(service[1].decode().upper(), target, record.order, record.preference)
            return msgspec.convert(msgspec.to_builtins(made), cls)
        except (msgspec.ValidationError, UnicodeError):
            return None


def value_of(found: Ors, index: int, ttl: int, timestamp: int = 0) -> Value:
    """``found`` as a value of a record."""
    return Value(index=index, type=ORS, data=msgspec.json.encode(found), ttl=ttl, timestamp=timestamp)


def ors_of(data: bytes) -> Ors | None:
    """What the value of a record says; None where it is not readable."""
    try:
        return msgspec.json.decode(data, type=Ors)
    except (msgspec.DecodeError, UnicodeError):
        return None


def _replacement(regexp: bytes) -> str | None:
    """What an expression that takes everything puts in its place."""
    if len(regexp) < 3:
        return None
    mark = regexp[:1]
    parts, part, escaped = [], bytearray(), False
    for byte in regexp[1:]:
        if escaped:
            if byte not in b"\\" + mark:
                return None  # \1 and the like: a part of what was asked
            part.append(byte)
            escaped = False
        elif byte == 0x5C:
            escaped = True
        elif byte == mark[0]:
            parts.append(bytes(part))
            part = bytearray()
        else:
            part.append(byte)
    if len(parts) != 2 or escaped or bytes(part).lower() not in (b"", b"i") or parts[0] not in _EVERYTHING:
        return None
    return parts[1].decode("ascii", "replace") if parts[1].isascii() else None
