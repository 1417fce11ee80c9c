"""Who is no carrier gets nowhere, a carrier speaks for itself alone, and a lying node is not believed."""

from __future__ import annotations

import contextlib
import shutil
import socket
import subprocess

import pytest
from active_nodes import PREFIX, Works, blocking
from free_ports import free_port
from hypothesis import given, settings
from hypothesis import strategies as st

from hulian.network.identifiers.active import messages
from hulian.network.identifiers.active.carriers import Reserved
from hulian.network.identifiers.active.certificates import CarrierAuthority
from hulian.network.identifiers.active.device import (
    Carrier,
    CarrierError,
    ContentsError,
    LinkError,
    NotEnrolledError,
    RefusedError,
    Store,
    bodies,
    frame,
    generate,
)
from hulian.network.identifiers.active.device.bodies import Item
from hulian.network.identifiers.active.device.carrier import provisioned
from hulian.network.identifiers.active.errors import MessageError, ProofError, ProvisionError
from hulian.network.identifiers.active.provision import read_list
from hulian.network.identifiers.wire.codes import ResponseCode
from hulian.network.identifiers.wire.typed.keys import PublicKey

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(180)]


@contextlib.contextmanager
def refused(code: ResponseCode, words: str):
    with pytest.raises(RefusedError, match=words) as caught:
        yield
    assert caught.value.response_code == code, caught.value


def usable(key):
    return PublicKey.unpack(key.public()).usable()


def forged(works, serial: str, authority: CarrierAuthority, named: str = "") -> Carrier:
    """A carrier that its owner has made himself, with a certificate of ``authority``."""
    key = generate("EC")
    certificate = authority.issue(named or serial, usable(key)).decode()
    store = Store(works.directory / f"forged-{serial}-{named}-{id(key)}")
    ca = works.local.root_pem().decode()
    provisioned(store, serial, f"{PREFIX}/ACT-", ca, works.trust, key.to_pem().decode(), certificate)
    return Carrier(store, works.link())


async def test_who_is_no_carrier_enrols_nothing(works):
    works.provision("a", "b", "c")
    foreign = CarrierAuthority(works.directory / "foreign.pem", "Foreign")
    with refused(ResponseCode.AUTHENTICATION_FAILED, "no authority that is believed"):
        await blocking(forged(works, "a", foreign).enrol)
    with refused(ResponseCode.AUTHENTICATION_FAILED, "another carrier's"):
        await blocking(forged(works, "a", works.authority, named="b").enrol)
    with refused(ResponseCode.AUTHENTICATION_FAILED, "not the one that the carrier was provisioned with"):
        await blocking(forged(works, "a", works.authority).enrol)
    with refused(ResponseCode.INVALID_ADMIN, "HL-ID-1102"):
        await blocking(forged(works, "nobody", works.authority).enrol)
    works.carriers.revoke("c")
    with refused(ResponseCode.NOT_PERMITTED, "revoked"):
        await blocking(works.carrier("c").enrol)

    first = works.carrier("a")
    with pytest.raises(NotEnrolledError):
        first.report([Item("x", 1)])
    shutil.copytree(works.directory / "made" / "a", works.directory / "made" / "copy")
    await blocking(first.enrol)
    with refused(ResponseCode.NOT_PERMITTED, "HL-ID-1105"):
        await blocking(works.carrier("copy").enrol)
    assert [one.state for one in works.carriers.page()] == ["enrolled", "reserved", "revoked"]


async def test_a_carrier_speaks_for_itself_alone(works):
    works.provision("a", "b")
    one, other = works.carrier("a"), works.carrier("b")
    for carrier in (one, other):
        await blocking(carrier.enrol)
    body = bodies.report_body(other.identifier, 1, [Item("x", 1)])
    with refused(ResponseCode.INVALID_ADMIN, "is not the carrier"):
        await blocking(one._proved, frame.REPORT, body)
    with refused(ResponseCode.PROTOCOL_ERROR, "HL-ID-1101"):
        await blocking(one._proved, frame.REPORT, body[:-1])
    own = bodies.report_body(one.identifier, 5, [Item("x", 1)])
    for _ in range(2):
        await blocking(one._proved, frame.REPORT, own)
    assert works.carriers.find("a").missing == 4
    with refused(ResponseCode.INVALID_VALUE, "HL-ID-1106"):
        await blocking(one._proved, frame.REPORT, bodies.report_body(one.identifier, 5, [Item("x", 2)]))
    one._key = generate("EC")
    with refused(ResponseCode.AUTHENTICATION_FAILED, "proof"):
        await blocking(one._proved, frame.REPORT, own)
    await works.until(lambda: works.sink.calls)
    assert works.sink.calls == [f"{one.identifier}/5"]


class Liar:
    """Changes what a node answers."""

    def __init__(self, link, change) -> None:
        self.link, self.change, self.close, self.address = link, change, link.close, link.address

    def exchange(self, message):
        return self.change(self.link.exchange(message))


async def test_a_lying_node_is_not_believed(works):
    works.provision("a", "b")
    carrier = works.carrier("a")
    await blocking(carrier.enrol)
    works.carriers.settle("a", {"interval": 1})
    before = (works.directory / "made" / "a" / "carrier.json").read_bytes()
    for old, new in (
        (b'"interval":1', b'"interval":9'),
        (b'"version":2', b'"version":9'),
        (b'"revoked":false', b'"revoked":true '),
    ):
        liar = works.carrier("a", Liar(works.link(), lambda data, old=old, new=new: data.replace(old, new)))
        with pytest.raises(CarrierError):
            await blocking(liar.update)
    assert (works.directory / "made" / "a" / "carrier.json").read_bytes() == before
    older = bodies.SignedContents(carrier.contents.document, carrier.contents.signature)
    await blocking(carrier.update)
    with pytest.raises(ContentsError, match="version 1, where 2"):
        carrier._take(older)
    unsigned = bodies.SignedContents(carrier.contents.document.replace(b'"version":2', b'"version":3'), b"")
    for signature in (b"", b"\0" * 256, carrier.contents.signature):
        with pytest.raises(ContentsError, match="not signed"):
            carrier._take(unsigned._replace(signature=signature))
    other = works.carrier("b")
    await blocking(other.enrol)
    with pytest.raises(ContentsError, match="another carrier"):
        carrier._take(bodies.SignedContents(other.contents.document, other.contents.signature))

    carrier.report([Item("x", 1)])

    def with_another_signature(data):
        success = data[24:28] == b"\0\0\0\1"
        return data[:-5] + bytes((data[-5] ^ 1,)) + data[-4:] if success else data

    cut = works.carrier("a", Liar(works.link(), with_another_signature))
    with pytest.raises(CarrierError):
        await blocking(cut.deliver)
    assert cut.waiting == 1, "without a sound receipt nothing is dropped"
    elsewhere = works.carrier("a", Liar(works.link(), lambda data: data[:8] + bytes(4) + data[12:]))
    with pytest.raises(CarrierError):
        await blocking(elsewhere.deliver)
    assert [one.duplicate for one in await blocking(carrier.deliver)] == [True]


async def test_another_node_with_the_same_address_is_not_spoken_to(works, tmp_path):
    works.provision("a")
    state = Store(tmp_path / "made" / "a").load()
    from hulian.network.identifiers.active.device import TcpLink
    from hulian.trust import CertificateAuthority

    foreign = CertificateAuthority(tmp_path / "other", "Other").root_pem().decode()
    assert state["ca"] != foreign
    with pytest.raises(LinkError, match="certificate verify failed"):
        await blocking(TcpLink("127.0.0.1", works.settings.port, foreign).exchange, b"")


async def test_reports_wait_where_they_cannot_go(tmp_path):
    works = Works(tmp_path, waiting=2)
    works.provision("a")
    async with works.running():
        carrier, sink = works.carrier("a"), works.sink
        identifier = await blocking(carrier.enrol)
        sink.down = True
        for number in range(3):
            carrier.report([Item("x", number)])
        with refused(ResponseCode.SERVER_BUSY, "HL-ID-1107"):
            await blocking(carrier.deliver)
        assert (carrier.waiting, len(works.carriers.waiting())) == (1, 2)
        sink.down, sink.never = False, {f"{identifier}/1"}
        await works.until(lambda: works.sink.calls == [f"{identifier}/2"])
        assert [one.sequence for one in works.carriers.waiting(failed=True)] == [1]
        await blocking(carrier.deliver)
        await works.until(lambda: len(works.sink.calls) == 2)
    works.registry.close()


async def test_a_name_of_somebody_else_is_not_taken(works):
    from identifier_nodes import text

    works.provision("a", "b")
    works.store.create(f"{PREFIX}/ACT-a", [text("URL", "https://example.com")])
    with refused(ResponseCode.HANDLE_EXISTS, "registered for something else"):
        await blocking(works.carrier("a").enrol)
    assert works.carriers.find("a").state == "enrolling"
    assert await blocking(works.carrier("b").enrol) == f"{PREFIX}/ACT-b"


# -- certificates and lists --------------------------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
@pytest.mark.parametrize("kind", ["EC", "SM2"])
def test_openssl_verifies_our_certificates(tmp_path, kind):
    authority, key = CarrierAuthority(tmp_path / "authority.pem", "Test"), generate(kind)
    (tmp_path / "root.pem").write_bytes(authority.certificate)
    (tmp_path / "one.pem").write_bytes(authority.issue("0001", usable(key), f"{PREFIX}/ACT-0001"))
    line = ["openssl", "verify", "-x509_strict", "-purpose", "sslclient", "-CAfile", "root.pem", "one.pem"]
    done = subprocess.run(line, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.stdout == "one.pem: OK\n", done.stderr
    found, _ = authority.check((tmp_path / "one.pem").read_bytes(), "0001")
    assert PublicKey.of(found).pack() == key.public()
    with pytest.raises(ProofError):
        authority.check((tmp_path / "one.pem").read_bytes(), "0002")
    with pytest.raises(ProofError):
        authority.check(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "0001")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("name\n1", "not known"),
        ("reservation\n9.9/a", "serial and reservation"),
        ("serial,reservation\n1,9.9/a\n1,9.9/b", "line 2 too"),
        ("serial,reservation\n1,9.9", "reserves nothing"),
        ("serial,reservation\n..,9.9/a", "no name of a folder"),
        ("serial,reservation\na/b,9.9/a", "no serial number"),
        ("serial,reservation\n1,9.9/a,3", "another number of columns"),
        ('serial,reservation\n"1,9.9/a', "no CSV"),
        ("serial,reservation,owner\n1,9.9/a," + "x" * 300, "more than 255"),
    ],
)
def test_a_wrong_list_is_named_by_its_line(content, words):
    with pytest.raises(ProvisionError, match=words):
        read_list(content.encode())


async def test_nothing_of_a_list_is_reserved_twice(works):
    works.provision("1", "2", owner="x")
    with pytest.raises(ProvisionError, match="provisioned already"):
        works.carriers.reserve([Reserved(serial="9", reservation="9.9/"), Reserved(serial="2", reservation="9.9/x")])
    with pytest.raises(ProvisionError, match="provisioned already"):
        works.carriers.reserve([Reserved(serial="CT-2", reservation=f"{PREFIX.lower()}/A")])
    assert [one.serial for one in works.carriers.page()] == ["1", "2"]


# -- hostile bytes -----------------------------------------------------------------------------------------------------------

_READERS = (
    messages.Hello.unpack,
    messages.Enrol.unpack,
    messages.Report.unpack,
    messages.ContentsQuestion.unpack,
    messages.Rekey.unpack,
)
_SEEDS = (
    bodies.hello_body("1"),
    bodies.enrol_body("1", "::1", b"c", b"k", bytes(32)) + (frame.text("SM3") + frame.field(b"s")) * 2,
    bodies.report_body("9.9/x", 1, [Item("a", 1.5), Item("b", "text", 7), Item("c", None), Item("d", True), Item("e", b"x")]),
    bodies.contents_body("9.9/x", 3),
    bodies.rekey_body("9.9/x", b"k", "SM3", b"s"),
)


def test_both_sides_read_what_the_other_writes():
    items = [
        Item("a", 1.5),
        Item("b", "text", 7),
        Item("c", None),
        Item("d", value=False),
        Item("e", b"x"),
        Item("f", -(2**63)),
    ]
    found = messages.Report.unpack(bodies.report_body("9.9/x", 2**62, items))
    assert (found.identifier, found.sequence) == ("9.9/x", 2**62)
    assert [(one.name, one.value, one.time) for one in found.items] == [tuple(one) for one in items]
    assert bodies.read_nonce(messages.nonce_answer(bytes(32))) == bytes(32)
    assert bodies.read_contents(messages.contents_answer(b"{}", b"s")) == (b"{}", b"s")
    assert bodies.read_contents(messages.contents_answer(b"", b"")) is None
    assert bodies.read_report_answer(messages.receipt_answer(3, 2, b"s", duplicate=True)) == (3, True, 2, b"s")
    for seed, read in zip(_SEEDS, _READERS, strict=True):
        read(seed)


@pytest.mark.fuzz
@settings(max_examples=30, deadline=None)
@given(data=st.binary(max_size=300), seed=st.sampled_from(_SEEDS), at=st.integers(0, 200), more=st.binary(max_size=6))
def test_hostile_messages_are_named_and_nothing_else(data, seed, at, more):
    at %= len(seed)
    for read in _READERS:
        for hostile in (data, seed[:at] + more + seed[at + len(more) :], seed[:at]):
            with contextlib.suppress(MessageError):
                read(hostile)


async def test_hostile_datagrams_and_connections_harm_no_other(tmp_path):
    import random

    works, chance = Works(tmp_path, coap_port=free_port()), random.Random(7)
    works.provision("a")
    async with works.running():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.connect(("127.0.0.1", works.settings.coap_port))
            for number in range(300):
                head = b"\x44\x02" + number.to_bytes(2, "big") + b"tokn\xb3hdl" if number % 3 else b""
                block = b"\xd1\x03" + bytes((chance.randrange(256),)) if number % 2 and head else b""
                stranger.send(head + block + b"\xff" * bool(head) + chance.randbytes(chance.randrange(1, 80)))
        for _ in range(10):
            with socket.create_connection(("127.0.0.1", works.settings.port)) as stranger:
                stranger.send(chance.randbytes(100))
        assert await blocking(works.carrier("a").enrol) == f"{PREFIX}/ACT-a"
    works.registry.close()
