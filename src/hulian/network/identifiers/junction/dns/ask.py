"""Asking DNS about an OID (X.672, clause 7): configured servers, a socket and a random number for each question."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Sequence
from typing import Final, NamedTuple

import anyio
import dns.asyncquery
import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
from dns.rdtypes.IN.NAPTR import NAPTR

from hulian.kernel.errors import ConfigurationError
from hulian.network.identifiers.junction.dns.ors import Ors, value_of
from hulian.network.identifiers.junction.errors import ForeignAnswerError, JunctionError, SilentError
from hulian.network.identifiers.junction.found import Found, Step, System
from hulian.network.identifiers.schemes.errors import SchemeError
from hulian.network.identifiers.schemes.oid import ORS_DOMAIN, Oid
from hulian.network.identifiers.wire.codes import ResponseCode

__all__ = ["DnsServer", "OidDns"]

PAYLOAD: Final = 1232
"""Bytes of an answer over UDP that passes everywhere without fragments."""

MOST_RECORDS: Final = 64
LONGEST: Final = 86_400
"""Seconds that any answer of DNS is believed at most."""

_MOST_SERVERS: Final = 4
_MOST_QUESTIONS: Final = 16
_MOST_TURNS: Final = 4
_UDP_SECONDS: Final = 2.0
_TCP_SECONDS: Final = 5.0
_SECONDS: Final = 15.0
_NOTHING_SECONDS: Final = 300.0


class DnsServer(NamedTuple):
    """Where DNS is asked."""

    address: str
    port: int = 53

    @classmethod
    def parse(cls, text: str) -> DnsServer:
        """``192.0.2.1``, ``192.0.2.1:5300``, ``2001:db8::1`` or ``[2001:db8::1]:5300``. Raises `ConfigurationError`."""
        host, port = text, "53"
        if text.startswith("["):
            host, _, rest = text[1:].partition("]")
            port = rest.removeprefix(":") or "53"
        elif text.count(":") == 1:
            host, _, port = text.partition(":")
        try:
            number = int(port)
            if not 0 < number < 65536:
                raise ValueError(port)
            return cls(str(ipaddress.ip_address(host)), number)
        except ValueError:
            hint = "an IP address, with a port as in 192.0.2.1:53 or [2001:db8::1]:53"
            raise ConfigurationError(f"{text!r} is no address", place="identifiers.junction.dns_servers", hint=hint) from None

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"


class _Answer(NamedTuple):
    """What one name has: terminal records, names that others lead to, and how long that may be believed."""

    records: tuple[Ors, ...]
    further: tuple[dns.name.Name, ...]
    seconds: float


class _Walk:
    def __init__(self) -> None:
        self.path: list[Step] = []

    def passed(self, server: DnsServer, name: dns.name.Name, said: str, began: float) -> None:
        took = time.perf_counter() - began
        self.path.append(Step(asked=f"{name.to_text(True)} NAPTR", of=f"dns://{server}", answer=said, seconds=took))


class OidDns:
    """Resolves OIDs at ``servers``, and asks nobody else.

    The name in the tree of numbers comes first (``ors-dummy.156.2.1.oid-res.org``), then the same without ``ors-dummy``, as
    operators have set it up, then the name in the tree of names. A truncated answer is asked for again over TCP. At most 16
    questions are asked for one OID, for at most 15 s; 64 records are taken. With ``secure`` an answer must have been
    validated (AD) by the server that gives it.
    """

    def __init__(self, servers: Sequence[DnsServer], domain: str = ORS_DOMAIN, *, secure: bool = False) -> None:
        self._servers = tuple(servers)[:_MOST_SERVERS]
        self._domain = domain
        self._secure = secure

    async def resolve(self, oid: Oid) -> Found:
        """The ORS services of ``oid`` as values. Raises `SilentError`, `ForeignAnswerError`."""
        walk = _Walk()
        try:
            with anyio.fail_after(_SECONDS):
                return await self._resolved(walk, oid)
        except TimeoutError:
            raise SilentError(f"DNS does not say in {_SECONDS:g} s what {oid.text} is", place=self._place()) from None

    async def _resolved(self, walk: _Walk, oid: Oid) -> Found:
        nothing = LONGEST * 1.0
        for name in self._names(oid):
            answer = await self._followed(walk, dns.name.from_text(name))
            if answer.records:
                kept = sorted(answer.records, key=lambda one: (one.order, one.preference))
                ttl = int(answer.seconds)
                values = tuple(value_of(one, index, ttl) for index, one in enumerate(kept, 1))
                return Found(
                    identifier=oid.text,
                    system=System.OID_DNS,
                    code=ResponseCode.SUCCESS.value,
                    values=values,
                    path=tuple(walk.path),
                    seconds=answer.seconds,
                )
            nothing = min(nothing, answer.seconds)
        return Found(
            identifier=oid.text,
            system=System.OID_DNS,
            code=ResponseCode.HANDLE_NOT_FOUND.value,
            message=f"DNS has no ORS record of {oid.text} under {self._domain}",
            path=tuple(walk.path),
            seconds=min(nothing, _NOTHING_SECONDS),
        )

    def _names(self, oid: Oid) -> list[str]:
        """The names that are asked about, each once. One that is too long for DNS is none."""
        found: list[str] = []
        try:
            number = oid.domain(self._domain)
            found = [number, number.partition(".")[2], oid.domain(self._domain, named=True)]
        except SchemeError as error:
            if not found:
                raise ForeignAnswerError(error.message, place=oid.text) from error
        return list(dict.fromkeys(found))

    # -- one name ------------------------------------------------------------------------------------------------------

    async def _followed(self, walk: _Walk, name: dns.name.Name) -> _Answer:
        """The records of ``name``, and of the names that its non-terminal records lead to, a few turns far."""
        asked: set[dns.name.Name] = set()
        waiting, seconds = [name], float(LONGEST)
        records: list[Ors] = []
        for _ in range(_MOST_TURNS):
            following: list[dns.name.Name] = []
            for one in waiting:
                if one in asked:
                    continue
                asked.add(one)
                answer = await self._of_name(walk, one)
                seconds = min(seconds, answer.seconds)
                records += answer.records
                following += answer.further
            waiting = following
        return _Answer(tuple(records[:MOST_RECORDS]), (), seconds)

    async def _of_name(self, walk: _Walk, name: dns.name.Name) -> _Answer:
        """What the NAPTR records of ``name`` say, behind whatever CNAME and DNAME lead to."""
        for _ in range(_MOST_TURNS):
            message = await self._asked(walk, name)
            try:
                chain = message.resolve_chaining()
            except dns.exception.DNSException as error:
                raise ForeignAnswerError(f"its answer contradicts itself: {error}", place=self._place()) from error
            seconds = float(min(chain.minimum_ttl, LONGEST))
            if chain.answer is None:
                if message.rcode() == dns.rcode.NOERROR and chain.canonical_name != name:
                    name = chain.canonical_name  # a server that does not follow it itself
                    continue
                return _Answer((), (), seconds)
            records = [record for record in list(chain.answer)[:MOST_RECORDS] if isinstance(record, NAPTR)]
            found = [made for record in records if (made := Ors.of_naptr(record)) is not None]
            further = tuple(
                record.replacement for record in records if not record.flags and record.replacement != dns.name.root
            )
            return _Answer(tuple(found), further, seconds)
        raise ForeignAnswerError(f"the aliases of {name.to_text()} lead too far", place=self._place())

    async def _asked(self, walk: _Walk, name: dns.name.Name) -> dns.message.QueryMessage:
        """The answer of the first server that has one; that there is no such name is one."""
        last: JunctionError = SilentError("no DNS server is configured", place="identifiers.junction.dns_servers")
        for server in self._servers:
            if len(walk.path) >= _MOST_QUESTIONS:
                raise ForeignAnswerError(f"more than {_MOST_QUESTIONS} questions", place=name.to_text())
            began = time.perf_counter()
            try:
                answer, said = await self._once(server, name)
            except JunctionError as error:
                last = error
                walk.passed(server, name, error.message, began)
            else:
                walk.passed(server, name, said, began)
                return answer
        raise last

    async def _once(self, server: DnsServer, name: dns.name.Name) -> tuple[dns.message.QueryMessage, str]:
        flags = dns.flags.RD | (dns.flags.AD if self._secure else 0)
        question = dns.message.make_query(name, dns.rdatatype.NAPTR, use_edns=0, payload=PAYLOAD, flags=flags)
        address, port = server
        how = ""
        try:
            answer = await dns.asyncquery.udp(
                question, address, timeout=_UDP_SECONDS, port=port, ignore_unexpected=True, ignore_errors=True
            )
            if answer.flags & dns.flags.TC:
                how = " over TCP"
                answer = await dns.asyncquery.tcp(question, address, timeout=_TCP_SECONDS, port=port)
        except dns.exception.Timeout:
            raise SilentError(f"no answer in time{how}", place=str(server)) from None
        except (OSError, EOFError) as error:
            raise SilentError(f"no way there{how}: {error}", place=str(server)) from error
        except dns.exception.DNSException as error:
            raise ForeignAnswerError(f"no answer of DNS{how}: {error}", place=str(server)) from error
        self._check(server, answer)
        if not isinstance(answer, dns.message.QueryMessage):
            raise ForeignAnswerError("no answer to a question", place=str(server))
        return answer, f"{dns.rcode.to_text(answer.rcode())}, {sum(len(one) for one in answer.answer)} records{how}"

    def _check(self, server: DnsServer, answer: dns.message.Message) -> None:
        if answer.rcode() not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
            raise SilentError(f"it refuses: {dns.rcode.to_text(answer.rcode())}", place=str(server))
        if self._secure and not answer.flags & dns.flags.AD:
            raise ForeignAnswerError("its answer is not validated by DNSSEC", place=str(server))
        kinds = {one.rdtype for one in answer.authority}
        if not answer.answer and dns.rdatatype.NS in kinds and dns.rdatatype.SOA not in kinds:
            hint = "configure a recursive server, or one that holds the zone"
            raise ForeignAnswerError("it only says who else could be asked", place=str(server), hint=hint)

    def _place(self) -> str:
        return ", ".join(map(str, self._servers))
