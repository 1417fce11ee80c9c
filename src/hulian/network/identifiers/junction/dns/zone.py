"""Answers of an authoritative server for zones of the OID resolution system, out of records: bytes in, bytes out.

The record of the OID 1.2.156 is ``<prefix>/oid/1.2.156``; its public values of type HULIAN.ORS are the NAPTR records of
``156.2.1.<domain>`` and of ``ors-dummy.156.2.1.<domain>``. Names of arcs (``iso``, ``joint-iso-itu-t``) lead to their numbers
by DNAME (X.672, clause 6; RFC 6672). RFC 1035, 2308 (what is not there), 8020 (what has something below it is), 6891 (EDNS).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import dns.edns
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.rrset
from dns.rdata import Rdata
from dns.rdtypes.ANY.CNAME import CNAME
from dns.rdtypes.ANY.DNAME import DNAME
from dns.rdtypes.ANY.NS import NS
from dns.rdtypes.ANY.SOA import SOA
from dns.rdtypes.IN.A import A
from dns.rdtypes.IN.AAAA import AAAA
from dns.rrset import RRset

from hulian.network.identifiers.junction.dns.ors import ORS, ors_of
from hulian.network.identifiers.schemes.oid import ORS_LABEL, arc_names
from hulian.network.identifiers.store import RecordStore, key_of
from hulian.network.identifiers.wire.codes import Permission, TtlType
from hulian.network.identifiers.wire.values import Value, unpack_values

__all__ = ["PAYLOAD", "Zone", "Zones", "record_of"]

PAYLOAD: Final = 1232
"""Bytes of an answer over UDP at most, whatever the asker offers to take: more is broken into fragments on the way."""

_IN: Final = dns.rdataclass.IN
_PLAIN: Final = 512
_LONGEST: Final = 86_400
_SOA_TTL: Final = 3_600
_NEGATIVE: Final = 300
_MOST_TURNS: Final = 8
_TRANSFERS: Final = (dns.rdatatype.AXFR, dns.rdatatype.IXFR)
_HEAD: Final = 12


def record_of(prefix: str, arcs: Sequence[int]) -> str:
    """The Handle under which an OID is registered."""
    return f"{prefix}/oid/{'.'.join(map(str, arcs))}"


class Zone(NamedTuple):
    """``arcs`` is the OID that the zone begins at, none for the domain itself; ``address`` is told of a server name inside."""

    origin: dns.name.Name
    arcs: tuple[int, ...]
    server: dns.name.Name
    contact: dns.name.Name
    address: str

    @classmethod
    def of(cls, origin: str, domain: str, server: str = "", contact: str = "", address: str = "") -> Zone:
        """Raises `ValueError` where ``origin`` is not ``domain`` with numbers in front."""
        try:
            name, above = dns.name.from_text(origin), dns.name.from_text(domain)
            arcs = _arcs(name.relativize(above)) if name.is_subdomain(above) else None
            if arcs is None:
                raise ValueError(f"{origin!r} is not {domain!r} with the arcs of an OID in front")
            own = dns.name.from_text(server) if server else dns.name.from_text("ns", name)
            who = dns.name.from_text(contact) if contact else dns.name.from_text("hostmaster", name)
        except dns.exception.DNSException as error:
            raise ValueError(f"{origin!r}: {error}") from error
        return cls(name, arcs, own, who, address)


class _Node(NamedTuple):
    """What stands at a name: records, or the name that everything below it is called elsewhere."""

    records: tuple[RRset, ...] = ()
    alias: RRset | None = None


class Zones:
    """Answers questions about ``zones`` from the records below ``prefix`` in ``store``, and refuses all others.

    It asks nobody and hands out no zone as a whole. Answers over UDP have at most `PAYLOAD` bytes and what the asker takes;
    longer ones come without records and say so (TC). Thread-safe, as its store is.
    """

    def __init__(self, zones: Sequence[Zone], store: RecordStore, prefix: str) -> None:
        self._zones = sorted(zones, key=lambda zone: len(zone.origin), reverse=True)
        self._store = store
        self._prefix = prefix

    def answer(self, data: bytes, *, tcp: bool = False) -> bytes | None:
        """The answer to ``data``; None for what is no question."""
        if len(data) < _HEAD or data[2] & 0x80:
            return None
        try:
            question = dns.message.from_wire(data)
        except (dns.exception.DNSException, ValueError, EOFError):
            return data[:2] + bytes((0x80 | data[2] & 0x79, dns.rcode.FORMERR)) + bytes(8)
        answer = dns.message.make_response(question, our_payload=PAYLOAD)
        answer.flags &= ~dns.flags.AD
        if question.edns > 0:
            answer.use_edns(0, payload=PAYLOAD)
            answer.set_rcode(dns.rcode.BADVERS)
        elif question.opcode() != dns.opcode.QUERY:
            answer.set_rcode(dns.rcode.NOTIMP)
        elif len(question.question) != 1 or question.answer or question.authority:
            answer.set_rcode(dns.rcode.FORMERR)
        else:
            self._fill(answer, question.question[0])
        return _written(question, answer, tcp=tcp)

    def _fill(self, answer: dns.message.Message, asked: RRset) -> None:
        zone = self._zone(asked.name)
        if zone is None or asked.rdclass != _IN or asked.rdtype in _TRANSFERS:
            answer.set_rcode(dns.rcode.REFUSED)
            return
        answer.flags |= dns.flags.AA
        name = asked.name
        for _ in range(_MOST_TURNS):
            node = self._node(zone, name)
            if node is None:
                answer.set_rcode(dns.rcode.NXDOMAIN)
                break
            if node.alias is None or node.alias.name == name:
                every = (*node.records, node.alias) if node.alias is not None else node.records
                found = [one for one in every if asked.rdtype in (one.rdtype, dns.rdatatype.ANY)]
                answer.answer += found[:1] if asked.rdtype == dns.rdatatype.ANY else found
                if not found:
                    break
                self._more(answer, zone, asked)
                return
            renamed = _renamed(answer, node.alias, name)
            if renamed is None:
                answer.set_rcode(dns.rcode.YXDOMAIN)
                return
            name = renamed
            if self._zone(name) is not zone:
                return
        answer.authority.append(_soa(zone, self._serial(), negative=True))

    def _more(self, answer: dns.message.Message, zone: Zone, asked: RRset) -> None:
        """The addresses of the server, beside the record that names it."""
        if asked.rdtype in (dns.rdatatype.NS, dns.rdatatype.SOA) and zone.server.is_subdomain(zone.origin):
            answer.additional += _address(zone)

    def _zone(self, name: dns.name.Name) -> Zone | None:
        return next((zone for zone in self._zones if name.is_subdomain(zone.origin)), None)

    # -- names ---------------------------------------------------------------------------------------------------------

    def _node(self, zone: Zone, name: dns.name.Name) -> _Node | None:
        """What stands at ``name``, or above it and gives it another name; None where there is nothing."""
        if name == zone.origin:
            own = (_soa(zone, self._serial()), RRset_of(name, _SOA_TTL, NS(_IN, dns.rdatatype.NS, zone.server)))
            return _Node((*own, *self._naptr(name, zone.arcs)))
        if name == zone.server:
            return _Node(tuple(_address(zone)))
        labels = [label.decode("ascii", "replace").lower() for label in reversed(name.relativize(zone.origin).labels)]
        arcs = zone.arcs
        for depth, label in enumerate(labels):
            if (number := arc_names(arcs).get(label)) is not None:
                return _Node(alias=_alias(name, len(labels) - depth - 1, number))
            if label == ORS_LABEL and depth == len(labels) - 1:
                return _Node(found) if (found := self._naptr(name, arcs)) else None
            if (number := _arc(label)) is None:
                return None
            arcs = (*arcs, number)
        found = self._naptr(name, arcs)
        return _Node(found) if found or self._is_above(arcs) else None

    def _naptr(self, name: dns.name.Name, arcs: tuple[int, ...]) -> tuple[RRset, ...]:
        packed = self._store.packed(key_of(record_of(self._prefix, arcs))) if arcs else None
        if packed is None:
            return ()
        shown = [value for value in unpack_values(packed) if value.type == ORS and value.permissions & Permission.PUBLIC_READ]
        made = [record for value in shown if (found := ors_of(value.data)) and (record := found.naptr())]
        return (RRset_of(name, min(map(_ttl, shown)), *made),) if made else ()

    def _is_above(self, arcs: tuple[int, ...]) -> bool:
        """Whether something is registered at ``arcs``, or below: such a name exists, though it has no records."""
        record = key_of(record_of(self._prefix, arcs))
        return self._store.packed(record) is not None or bool(self._store.below(record + b".", most=1))

    def _serial(self) -> int:
        return self._store.log.last % (1 << 32)


def RRset_of(name: dns.name.Name, ttl: int, *records: Rdata) -> RRset:  # noqa: N802 - a constructor
    return dns.rrset.from_rdata(name, ttl, *records)


def _arc(label: str) -> int | None:
    usable = label.isascii() and label.isdigit() and len(label) < 40 and (label == "0" or label[0] != "0")
    return int(label) if usable else None


def _arcs(name: dns.name.Name) -> tuple[int, ...] | None:
    """The arcs that a relative name stands for."""
    found = [_arc(label.decode("ascii", "replace")) for label in reversed(name.labels)] if name.labels != (b"",) else []
    arcs = tuple(arc for arc in found if arc is not None)
    return arcs if len(arcs) == len(found) else None


def _alias(name: dns.name.Name, deeper: int, number: int) -> RRset:
    """The DNAME that stands ``deeper`` labels above ``name``: its last label is a word for ``number``."""
    owner = dns.name.Name(name.labels[deeper:])
    target = dns.name.Name((str(number).encode(), *owner.labels[1:]))
    return RRset_of(owner, _LONGEST, DNAME(_IN, dns.rdatatype.DNAME, target))


def _renamed(answer: dns.message.Message, alias: RRset, name: dns.name.Name) -> dns.name.Name | None:
    """``name`` as ``alias`` makes it, both told in ``answer``; None where DNS cannot hold it (RFC 6672, 3.1)."""
    answer.answer.append(alias)
    [record] = alias
    try:
        made = name.relativize(alias.name).derelativize(record.target)
    except dns.name.NameTooLong:
        return None
    answer.answer.append(RRset_of(name, alias.ttl, CNAME(_IN, dns.rdatatype.CNAME, made)))
    return made


def _soa(zone: Zone, serial: int, *, negative: bool = False) -> RRset:
    record = SOA(_IN, dns.rdatatype.SOA, zone.server, zone.contact, serial, 3_600, 900, 604_800, _NEGATIVE)
    return RRset_of(zone.origin, _NEGATIVE if negative else _SOA_TTL, record)


def _address(zone: Zone) -> list[RRset]:
    if not zone.address:
        return []
    six = ":" in zone.address
    record = AAAA(_IN, dns.rdatatype.AAAA, zone.address) if six else A(_IN, dns.rdatatype.A, zone.address)
    return [RRset_of(zone.server, _SOA_TTL, record)]


def _ttl(value: Value) -> int:
    return min(max(value.ttl, 0), _LONGEST) if value.ttl_type == TtlType.RELATIVE else _NEGATIVE


def _written(question: dns.message.Message, answer: dns.message.Message, *, tcp: bool) -> bytes:
    most = 65_535 if tcp else min(max(question.payload, _PLAIN), PAYLOAD) if question.edns >= 0 else _PLAIN
    try:
        return answer.to_wire(max_size=most)
    except dns.exception.TooBig:
        answer.answer.clear()
        answer.authority.clear()
        answer.additional.clear()
        answer.flags |= dns.flags.TC
        return answer.to_wire(max_size=most)
