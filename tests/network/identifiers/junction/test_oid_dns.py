"""OIDs by DNS, both ways: foreign name servers are asked, and the DNS face is asked by foreign resolvers."""

from __future__ import annotations

import re
import shutil
import socket
import threading
from collections.abc import Iterator

import anyio
import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import msgspec
import pytest
from dns_peers import needs, nsd, unbound
from hypothesis import given, settings
from hypothesis import strategies as st
from identifier_nodes import Hierarchy, text

from hulian.kernel.errors import ConfigurationError
from hulian.network.identifiers.junction.dns.ask import DnsServer, OidDns
from hulian.network.identifiers.junction.dns.face import DnsListener
from hulian.network.identifiers.junction.dns.ors import ORS, Ors, ors_of, value_of
from hulian.network.identifiers.junction.dns.zone import PAYLOAD, Zone, Zones
from hulian.network.identifiers.junction.errors import ForeignAnswerError, SilentError
from hulian.network.identifiers.schemes import Oid
from hulian.network.identifiers.store import RecordStore
from hulian.network.identifiers.transport.budget import Budget
from hulian.network.identifiers.wire.codes import ResponseCode

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]

DOMAIN = "oid.example"
LONG = "".join(
    f'ors-dummy.9.156.2.1 IN NAPTR {number} 10 "u" "ORS+RINF" "!^.*$!https://example.com/{number:0>180}!" .\n'
    for number in range(40)
)
ZONE = f"""
ors-dummy.1.156.2.1 IN NAPTR 100 20 "u" "ORS+RINF" "!^.*$!https://example.com/rinf!" .
ors-dummy.1.156.2.1 IN NAPTR 100 10 "u" "ORS+COID" "!^.*$!1.2.156.1!" .
ors-dummy.1.156.2.1 IN NAPTR 100 30 "u" "ORS+CINF" "#^.*$#https://example.com/c!x#i" .
ors-dummy.1.156.2.1 IN NAPTR 100 40 "u" "ORS+MINF" "!^.*$!https://example.com/minf!" .
ors-dummy.1.156.2.1 IN NAPTR 100 50 "u" "ORS+EVIL" "!^(a+)+$!https://example.com/\\\\1!" .
ors-dummy.1.156.2.1 IN NAPTR 100 60 "s" "SIP+D2U" "" _sip._udp.example.com.
2.156.2.1 IN NAPTR 10 10 "u" "AIMS" "!^.*$!http://example.com/aims!" .
ors-dummy.3.156.2.1 IN NAPTR 10 10 "" "ORS+RINF" "" other
other IN NAPTR 10 10 "u" "ORS+RINF" "!^.*$!https://example.com/other!" .
ors-dummy.4.156.2.1 IN NAPTR 10 10 "" "" "" ors-dummy.5.156.2.1
ors-dummy.5.156.2.1 IN NAPTR 10 10 "" "" "" ors-dummy.4.156.2.1
joint-iso-itu-t IN DNAME 2
ors-dummy.named.joint-iso-itu-t.tree IN NAPTR 10 10 "u" "ORS+RINF" "!^.*$!https://example.com/named!" .
ors-dummy.999.2 IN NAPTR 10 10 "u" "ORS+RINF" "!^.*$!https://example.com/2.999!" .
ors-dummy.7.member-body.iso IN NAPTR 10 10 "u" "ORS+RINF" "!^.*$!https://example.com/by-name!" .
{LONG}"""


@pytest.fixture(scope="module")
def foreign() -> Iterator[OidDns]:
    with nsd(DOMAIN, ZONE) as port:
        yield OidDns([DnsServer("127.0.0.1", port)], DOMAIN)


def told(found) -> list[tuple[str, str]]:
    return [(one.service, one.target) for value in found.values if (one := ors_of(value.data))]


@needs("nsd")
async def test_the_services_of_an_oid_are_found_at_a_foreign_server(foreign):
    found = await foreign.resolve(Oid.parse("1.2.156.1"))
    assert (found.code, found.system, found.identifier) == (1, "oid-dns", "1.2.156.1")
    assert told(found) == [
        ("COID", "1.2.156.1"),
        ("RINF", "https://example.com/rinf"),
        ("CINF", "https://example.com/c!x"),
        ("MINF", "https://example.com/minf"),
    ], "in their order; expressions that would have to be run are not, other applications are not ours"
    assert {value.type for value in found.values} == {ORS}
    assert {value.ttl for value in found.values} == {600} == {int(found.seconds)}
    [step] = found.path
    assert (step.asked, step.answer) == ("ors-dummy.1.156.2.1.oid.example NAPTR", "NOERROR, 6 records")
    assert step.of.startswith("dns://127.0.0.1:")


@needs("nsd")
async def test_both_trees_and_servers_without_the_label_and_records_that_lead_on(foreign):
    assert told(await foreign.resolve(Oid.parse("2.999"))) == [("RINF", "https://example.com/2.999")]
    assert told(await foreign.resolve(Oid.parse("1.2.7"))) == [("RINF", "https://example.com/by-name")]
    assert told(await foreign.resolve(Oid.parse("1.2.156.2"))) == [("AIMS", "http://example.com/aims")]
    led = await foreign.resolve(Oid.parse("1.2.156.3"))
    assert told(led) == [("RINF", "https://example.com/other")]
    assert [step.asked for step in led.path][-1] == "other.oid.example NAPTR"
    circle = await foreign.resolve(Oid.parse("1.2.156.4"))
    assert (circle.code, len(circle.path) <= 16) == (ResponseCode.HANDLE_NOT_FOUND, True)


@needs("nsd")
async def test_what_is_too_long_for_a_datagram_comes_over_tcp_and_what_is_not_there_is_an_answer(foreign):
    found = await foreign.resolve(Oid.parse("1.2.156.9"))
    assert len(found.values) == 40
    assert found.path[0].answer == "NOERROR, 40 records over TCP"
    missing = await foreign.resolve(Oid.parse("1.2.156.77"))
    assert (missing.code, missing.values, missing.seconds) == (100, (), 60.0), "as long as the SOA says"
    assert "NXDOMAIN" in missing.path[0].answer


async def test_a_silent_or_lying_server_is_named_and_the_next_one_is_asked(monkeypatch):
    monkeypatch.setattr("hulian.network.identifiers.junction.dns.ask._UDP_SECONDS", 0.3)
    with Forger() as port:
        liar = DnsServer("127.0.0.1", port)
        with pytest.raises(SilentError) as caught:
            await OidDns([liar], DOMAIN).resolve(Oid.parse("1.2.156.1"))
        assert str(port) in str(caught.value)
        if shutil.which("nsd") or shutil.which("/usr/sbin/nsd"):
            with nsd(DOMAIN, ZONE) as good:
                found = await OidDns([liar, DnsServer("127.0.0.1", good)], DOMAIN).resolve(Oid.parse("1.2.156.1"))
            assert [step.answer for step in found.path] == ["no answer in time", "NOERROR, 6 records"]
            assert "forged" not in str(told(found))


class Forger:
    """Answers every question with the wrong number, then with somebody else's question; nobody must believe either."""

    def __enter__(self) -> int:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        threading.Thread(target=self._serve, daemon=True).start()
        return self._socket.getsockname()[1]

    def _serve(self) -> None:
        while True:
            try:
                data, source = self._socket.recvfrom(4096)
            except OSError:
                return
            if not data:
                return
            question = dns.message.from_wire(data)
            for name, number in ((question.question[0].name, question.id ^ 1), ("other.example.", question.id)):
                answer = dns.message.make_response(dns.message.make_query(name, "NAPTR", id=number))
                answer.answer.append(
                    dns.rrset.from_text(name, 60, "IN", "NAPTR", '1 1 "u" "ORS+RINF" "!^.*$!https://forged!" .')
                )
                self._socket.sendto(answer.to_wire(), source)
            self._socket.sendto(b"\xff" * 40, source)

    def __exit__(self, *_) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self._socket.getsockname())
        self._socket.close()


@needs("nsd")
async def test_an_answer_that_is_not_validated_is_not_believed_where_that_is_asked_for(foreign):
    strict = OidDns(foreign._servers, DOMAIN, secure=True)
    with pytest.raises(ForeignAnswerError, match="DNSSEC"):
        await strict.resolve(Oid.parse("1.2.156.1"))


def test_addresses_of_servers_are_read_strictly():
    assert DnsServer.parse("192.0.2.1") == ("192.0.2.1", 53)
    assert DnsServer.parse("[2001:db8::1]:5300") == ("2001:db8::1", 5300)
    assert DnsServer.parse("2001:db8::1") == ("2001:db8::1", 53)
    for wrong in ("resolver.example", "192.0.2.1:0", "192.0.2.1:x", ""):
        with pytest.raises(ConfigurationError):
            DnsServer.parse(wrong)


# -- the face ----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Iterator[RecordStore]:
    made = Hierarchy(tmp_path_factory.mktemp("dns"))
    store = made.store("own")
    store.home("88.111.1")
    hidden = value_of(Ors("MINF", "https://example.com/secret"), 4, 600)
    store.create_many(
        [
            (
                "88.111.1/oid/1.2.156.1",
                [
                    value_of(Ors("RINF", "https://example.com/rinf?a=1!2"), 1, 600),
                    value_of(Ors("COID", "1.2.156.1", 100, 5), 2, 300),
                    text("URL", "https://example.com", 3),
                    msgspec.structs.replace(hidden, permissions=12),
                ],
            ),
            ("88.111.1/oid/1.2.156.1.5.6", [value_of(Ors("RINF", "https://example.com/deep"), 1, 600)]),
            ("88.111.1/oid/1.2.156.2", [value_of(Ors("RINF", f"https://example.com/{n:0>180}"), n, 600) for n in range(1, 41)]),
            ("88.111.1/oid/1.2.156.3", [text(ORS, b'{"service": "RINF", "target": "a b"}', 1), text("URL", "https://x", 2)]),
        ]
    )
    yield store
    for registry in made.registries:
        registry.close()


@pytest.fixture(scope="module")
def zones(store) -> Zones:
    return Zones([Zone.of(DOMAIN, DOMAIN, address="192.0.2.7")], store, "88.111.1")


def ask(zones: Zones, name: str, kind: str = "NAPTR", **more) -> dns.message.Message:
    question = dns.message.make_query(name, kind, **more)
    return dns.message.from_wire(zones.answer(question.to_wire(), tcp=more.get("payload") is None and "use_edns" not in more))


def test_it_answers_with_authority_for_what_is_registered_and_shows_nothing_private(zones):
    for name in ("ors-dummy.1.156.2.1.oid.example.", "1.156.2.1.OID.example."):
        answer = ask(zones, name)
        assert answer.flags & dns.flags.AA
        assert not answer.flags & dns.flags.RA
        [found] = answer.answer
        assert sorted(map(str, found)) == [
            '100 10 "u" "ORS+RINF" "!^.*$!https://example.com/rinf?a=1\\\\!2!" .',
            '100 5 "u" "ORS+COID" "!^.*$!1.2.156.1!" .',
        ]
        assert found.ttl == 300, "the shortest of a set"


@pytest.mark.parametrize(
    ("name", "kind", "code"),
    [
        ("1.156.2.1.oid.example.", "TXT", "NOERROR"),
        ("5.1.156.2.1.oid.example.", "NAPTR", "NOERROR"),  # nothing is there, but something is below it
        ("156.2.1.oid.example.", "NAPTR", "NOERROR"),
        ("ors-dummy.5.1.156.2.1.oid.example.", "NAPTR", "NXDOMAIN"),
        ("15.2.1.oid.example.", "NAPTR", "NXDOMAIN"),
        ("7.156.2.1.oid.example.", "NAPTR", "NXDOMAIN"),
        ("01.156.2.1.oid.example.", "NAPTR", "NXDOMAIN"),
        ("x.1.156.2.1.oid.example.", "NAPTR", "NXDOMAIN"),
        ("a.ors-dummy.1.156.2.1.oid.example.", "NAPTR", "NXDOMAIN"),
        ("3.156.2.1.oid.example.", "NAPTR", "NOERROR"),
        ("oid.example.", "NAPTR", "NOERROR"),
        ("iso.oid.example.", "NAPTR", "NOERROR"),
    ],
)
def test_that_there_is_no_name_and_that_there_is_no_record_are_told_apart(zones, name, kind, code):
    answer = ask(zones, name, kind)
    assert (dns.rcode.to_text(answer.rcode()), answer.answer) == (code, [])
    [soa] = answer.authority
    assert (soa.name.to_text(), soa.rdtype, soa.ttl) == ("oid.example.", dns.rdatatype.SOA, 300)


def test_the_tree_of_names_leads_to_that_of_numbers(zones):
    answer = ask(zones, "ors-dummy.1.156.member-body.iso.oid.example.")
    assert [dns.rdatatype.to_text(one.rdtype) for one in answer.answer] == ["DNAME", "CNAME", "DNAME", "CNAME", "NAPTR"]
    chain = answer.resolve_chaining()
    assert (chain.canonical_name.to_text(), len(chain.answer)) == ("ors-dummy.1.156.2.1.oid.example.", 2)
    assert ask(zones, "nothing.iso.oid.example.").rcode() == dns.rcode.NXDOMAIN
    assert str(ask(zones, "joint-iso-itu-t.oid.example.", "DNAME").answer[0][0]) == "2.oid.example."
    long = ".".join(["1" * 39] * 5 + ["1" * 23, "iso.oid.example."])
    assert len(long) < 254
    assert ask(zones, long).rcode() == dns.rcode.NXDOMAIN


def test_the_zone_names_its_server_and_its_serial_follows_the_records(zones, store):
    soa = ask(zones, "oid.example.", "SOA")
    before = soa.answer[0][0].serial
    assert [str(one) for one in soa.additional] == ["ns.oid.example. 3600 IN A 192.0.2.7"]
    assert str(ask(zones, "oid.example.", "NS").answer[0][0]) == "ns.oid.example."
    assert str(ask(zones, "ns.oid.example.", "A").answer[0][0]) == "192.0.2.7"
    store.create("88.111.1/oid/1.2.156.99", [value_of(Ors("RINF", "https://example.com/99"), 1, 60)])
    assert ask(zones, "oid.example.", "SOA").answer[0][0].serial > before
    assert ask(zones, "99.156.2.1.oid.example.").answer


def test_what_it_does_not_do_it_refuses(zones):
    assert ask(zones, "example.com.", "A").rcode() == dns.rcode.REFUSED, "no recursion"
    assert ask(zones, "oid.example.", "AXFR").rcode() == dns.rcode.REFUSED, "no zone as a whole"
    assert ask(zones, "oid.example.", "NAPTR", rdclass="CH").rcode() == dns.rcode.REFUSED
    newer = dns.message.make_query("oid.example.", "SOA", use_edns=1)
    assert dns.message.from_wire(zones.answer(newer.to_wire())).rcode() == dns.rcode.BADVERS
    update = dns.message.make_query("oid.example.", "SOA")
    update.set_opcode(dns.opcode.NOTIFY)
    assert dns.message.from_wire(zones.answer(update.to_wire())).rcode() == dns.rcode.NOTIMP
    [one] = ask(zones, "oid.example.", "ANY").answer
    assert one.rdtype == dns.rdatatype.SOA, "of everything, one set (RFC 8482)"
    answer = zones.answer(dns.message.make_query("oid.example.", "SOA").to_wire())
    assert zones.answer(answer) is None, "an answer is never answered"
    for rude in (b"", b"\0" * 11):
        assert zones.answer(rude) is None
    for rude in (b"\0" * 13, b"\x12\x34\x01\0\0\1\0\0\0\0\0\0\xc0\x0c", b"\x12\x34\x01\0\xff\xff\0\0\0\0\0\0"):
        said = zones.answer(rude)
        assert (said[:2], said[3] & 15) == (rude[:2], dns.rcode.FORMERR)


@pytest.mark.parametrize(
    ("more", "most"), [({}, 512), ({"use_edns": 0, "payload": 900}, 900), ({"use_edns": 0, "payload": 65535}, PAYLOAD)]
)
def test_no_datagram_is_longer_than_what_is_taken_and_the_rest_comes_over_tcp(zones, more, most):
    question = dns.message.make_query("2.156.2.1.oid.example.", "NAPTR", **more).to_wire()
    short, whole = zones.answer(question), zones.answer(question, tcp=True)
    assert len(short) <= most
    assert dns.message.from_wire(short).flags & dns.flags.TC
    assert not dns.message.from_wire(short).answer
    assert len(dns.message.from_wire(whole).answer[0]) == 40
    long = ".".join(["1" * 39] * 6)
    assert len(zones.answer(dns.message.make_query(f"{long}.oid.example.", "NAPTR").to_wire())) <= 512


def test_zones_are_the_domain_with_arcs_in_front():
    assert Zone.of("1.156.2.1.oid.example", DOMAIN).arcs == (1, 2, 156, 1)
    assert Zone.of(DOMAIN, DOMAIN).arcs == ()
    for wrong in ("x.oid.example", "example.com", "01.oid.example", "1..oid.example"):
        with pytest.raises(ValueError, match=r"arcs|example"):
            Zone.of(wrong, DOMAIN)


async def face(zones: Zones, group, budget: Budget | None = None, host: str = "127.0.0.1") -> DnsListener:
    listener = DnsListener(zones, host, 0, budget or Budget())
    await group.start(listener.run)
    return listener


@needs("unbound")
@needs("dig")
async def test_a_foreign_resolver_and_a_foreign_client_understand_the_face(zones):
    async with anyio.create_task_group() as group:
        listener = await face(zones, group)
        with Beside(listener.port) as resolver:
            port = await resolver.started()
            deep = await dig(port, "ors-dummy.6.5.1.156.2.1.oid.example")
            assert '"!^.*$!https://example.com/deep!"' in deep
            by_name = await dig(port, "ors-dummy.1.156.member-body.iso.oid.example")
            assert re.search(r"NAPTR\s+100 5 \"u\" \"ORS\+COID\"", by_name)
            assert "status: NXDOMAIN" in await dig(port, "8.156.2.1.oid.example")
            assert "status: NOERROR" in await dig(port, "156.2.1.oid.example")
            long = await dig(port, "2.156.2.1.oid.example")
            assert long.count("https://example.com/") == 40, "over TCP, because a datagram would not hold it"
        group.cancel_scope.cancel()


class Beside:
    """Unbound, started and stopped in a thread: the face that it asks runs in this loop."""

    def __init__(self, port: int) -> None:
        self._peer = unbound(DOMAIN, port)
        self.port = 0

    def __enter__(self):
        return self

    async def started(self) -> int:
        self.port = await anyio.to_thread.run_sync(self._peer.__enter__)
        return self.port

    def __exit__(self, *_) -> None:
        if self.port:
            self._peer.__exit__(None, None, None)


async def dig(port: int, name: str) -> str:
    done = await anyio.run_process(["dig", "@127.0.0.1", "-p", str(port), name, "NAPTR", "+tries=2", "+time=3"])
    return done.stdout.decode()


async def test_our_resolver_asks_our_face_on_both_families_and_strangers_draw_no_more_than_their_budget(zones):
    async with anyio.create_task_group() as group:
        for host in ("127.0.0.1", "::1"):
            listener = await face(zones, group, host=host)
            own = OidDns([DnsServer(host, listener.port)], DOMAIN)
            assert told(await own.resolve(Oid.parse("1.2.156.1"))) == [
                ("COID", "1.2.156.1"),
                ("RINF", "https://example.com/rinf?a=1!2"),
            ]
            assert len((await own.resolve(Oid.parse("1.2.156.2"))).values) == 40
        small = await face(zones, group, Budget(rate=2_000))
        drawn = 0
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.setblocking(False)
            for _ in range(60):
                stranger.sendto(dns.message.make_query("1.156.2.1.oid.example.", "NAPTR").to_wire(), ("127.0.0.1", small.port))
            with anyio.fail_after(60):
                while small.dropped + small.answered < 60:
                    await anyio.sleep(0.01)
            while True:
                try:
                    drawn += len(stranger.recv(4096))
                except BlockingIOError:
                    break
        assert 0 < drawn <= 2_000
        assert small.dropped > 20
        group.cancel_scope.cancel()


@pytest.mark.fuzz
@settings(max_examples=25)
@given(st.binary(max_size=60), st.integers(0, 80), st.binary(max_size=120))
def test_hostile_bytes_are_refused_or_answered_and_nothing_else(zones, noise, at, rest):
    seed = dns.message.make_query("ors-dummy.1.156.2.1.oid.example.", "NAPTR", use_edns=0).to_wire()
    for data in (noise, seed[:at] + noise + seed[at + len(noise) :], seed[:at] + rest):
        answer = zones.answer(data)
        assert answer is None or (answer[:2] == data[:2] and len(answer) <= PAYLOAD)


@pytest.mark.fuzz
@settings(max_examples=25)
@given(st.binary(max_size=255))
def test_any_expression_is_understood_or_left(noise):
    from hulian.network.identifiers.junction.dns.ors import _replacement

    for data in (noise, b"!^.*$!" + noise, b"!^.*$!" + noise + b"!"):
        found = _replacement(data)
        assert found is None or found.isascii()


@settings(max_examples=40)
@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=120))
def test_what_is_said_by_naptr_is_read_back(target):
    one = Ors("RINF", target, 7, 9)
    assert Ors.of_naptr(one.naptr()) == one
