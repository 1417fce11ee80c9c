"""The local authority, proved by TLS itself; the certificates of peers, and our own."""

from __future__ import annotations

import datetime
import ipaddress
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hulian.trust import CertificateAuthority, CertificateError, Peers, PeerState

NOW = datetime.datetime(2030, 1, 1, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


def handshake(made, root_pem, name):
    """A TLS handshake in memory; raises where a client would refuse the server."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(made.certificate, made.key)
    client = ssl.create_default_context(cadata=root_pem.decode())
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=name)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(10):
        done = 0
        for side in (ours, theirs):
            try:
                side.do_handshake()
                done += 1
            except ssl.SSLWantReadError:
                pass
        if done == 2:
            return ours.getpeercert()
    raise AssertionError("the handshake did not end")


class TestAuthority:
    def test_a_client_that_knows_the_root_trusts_every_name(self, tmp_path):
        authority = CertificateAuthority(tmp_path, "acme")
        made = authority.server_certificate(["plant.example", "192.0.2.17", "fd00::17", "werk-köln.example"])
        for name in ("plant.example", "192.0.2.17", "fd00::17", "localhost", "127.0.0.1", "::1", "xn--werk-kln-s4a.example"):
            assert handshake(made, authority.root_pem(), name)

    def test_another_name_and_another_root_are_refused(self, tmp_path):
        authority = CertificateAuthority(tmp_path / "a", "acme")
        made = authority.server_certificate(["plant.example"])
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            handshake(made, authority.root_pem(), "evil.example")
        with pytest.raises(ssl.SSLCertVerificationError):
            handshake(made, CertificateAuthority(tmp_path / "b", "acme").root_pem(), "plant.example")

    def test_keys_are_for_their_owner_alone(self, tmp_path):
        made = CertificateAuthority(tmp_path / "pki", "acme").server_certificate([])
        assert made.key.stat().st_mode & 0o777 == 0o600
        assert (tmp_path / "pki" / "root.pem").stat().st_mode & 0o777 == 0o600
        assert (tmp_path / "pki").stat().st_mode & 0o777 == 0o700
        assert b"PRIVATE" not in made.certificate.read_bytes()
        assert b"PRIVATE" not in CertificateAuthority(tmp_path / "pki", "acme").root_pem()

    def test_it_is_kept_while_it_is_good(self, tmp_path):
        authority = CertificateAuthority(tmp_path, "acme")
        first = authority.server_certificate(["a.example", "b.example"]).certificate.read_bytes()
        again = CertificateAuthority(tmp_path, "acme")
        assert again.server_certificate(["b.example"]).certificate.read_bytes() == first
        assert again.server_certificate(["c.example"]).certificate.read_bytes() != first

    def test_it_is_renewed_before_it_ends_and_the_root_stays(self, tmp_path):
        moment = NOW
        authority = CertificateAuthority(tmp_path, "acme", clock=lambda: moment)
        first, root = authority.server_certificate([]), authority.root_pem()
        moment = NOW + 366 * DAY
        assert authority.server_certificate([]).expires == first.expires
        moment = NOW + 370 * DAY
        renewed = authority.server_certificate([])
        assert renewed.expires > first.expires
        assert authority.root_pem() == root

    def test_phones_accept_its_length_and_form(self, tmp_path):
        authority = CertificateAuthority(tmp_path, "acme")
        found = x509.load_pem_x509_certificate(authority.server_certificate(["p.example"]).certificate.read_bytes())
        assert found.not_valid_after_utc - found.not_valid_before_utc < 398 * DAY
        assert list(found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.SERVER_AUTH]
        root = x509.load_der_x509_certificate(authority.root_der())
        constraint = root.extensions.get_extension_for_class(x509.BasicConstraints)
        assert (constraint.critical, constraint.value.ca, constraint.value.path_length) == (True, True, 0)
        assert authority.fingerprint().count(":") == 31

    def test_a_client_certificate_is_none_for_a_server_and_the_other_way_round(self, tmp_path):
        authority = CertificateAuthority(tmp_path, "acme")
        client = authority.own_client_certificate("spineclient")
        with pytest.raises(ssl.SSLCertVerificationError):
            handshake(client, authority.root_pem(), "localhost")
        found = x509.load_pem_x509_certificate(client.certificate.read_bytes())
        assert list(found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == [ExtendedKeyUsageOID.CLIENT_AUTH]
        assert client.key.stat().st_mode & 0o777 == 0o600

    def test_listeners_of_other_names_do_not_renew_each_others_certificate(self, tmp_path):
        authority = CertificateAuthority(tmp_path, "acme")
        first = authority.server_certificate(["a.example"]).certificate.read_bytes()
        authority.server_certificate(["b.example"], "spine")
        assert authority.server_certificate(["a.example"]).certificate.read_bytes() == first
        for purpose in ("root", "", "../x", "A"):
            with pytest.raises(CertificateError, match="no name"):
                authority.server_certificate([], purpose)

    def test_a_crash_between_key_and_certificate_is_mended(self, tmp_path):
        authority = CertificateAuthority(tmp_path, "acme")
        made = authority.server_certificate([])
        made.key.write_bytes(CertificateAuthority(tmp_path / "b", "acme").server_certificate([]).key.read_bytes())
        assert handshake(authority.server_certificate([]), authority.root_pem(), "localhost")

    def test_several_at_once_make_one_root(self, tmp_path):
        roots = []
        threads = [
            threading.Thread(target=lambda: roots.append(CertificateAuthority(tmp_path, "acme").root_pem())) for _ in range(6)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(roots) == 6
        assert len(set(roots)) == 1

    @pytest.mark.parametrize("name", ["", "a..b", "x" * 300, "\ud800"])
    def test_names_that_cannot_stand_in_a_certificate(self, tmp_path, name):
        with pytest.raises(CertificateError):
            CertificateAuthority(tmp_path, "acme").server_certificate([name])

    def test_a_damaged_root_is_an_error_with_a_way_out(self, tmp_path):
        authority = CertificateAuthority(tmp_path, "acme")
        authority.root_pem()
        (tmp_path / "root.pem").write_text("damaged")
        with pytest.raises(CertificateError) as refused:
            authority.root_pem()
        assert "backup" in refused.value.hint


def foreign(name="plc", *, days=365, begin=NOW, bits=2048, uri="urn:plc"):
    """A self-signed certificate of somebody else (DER)."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=bits) if bits else ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=days))
    )
    if uri:
        names = [
            x509.UniformResourceIdentifier(uri),
            x509.DNSName("plc.local"),
            x509.IPAddress(ipaddress.ip_address("192.0.2.4")),
        ]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


class TestPeers:
    @pytest.fixture
    def clock(self):
        class Clock:
            moment = NOW + DAY

            def __call__(self):
                return int(self.moment.timestamp()) * 1_000_000_000

        return Clock()

    @pytest.fixture
    def peers(self, tmp_path, clock):
        return Peers(tmp_path / "peers", clock=clock)

    def test_an_unknown_one_waits_and_an_approved_one_passes(self, peers, tmp_path, clock):
        certificate = foreign()
        assert not peers.check(certificate, peer="opc.tcp://plc:4840")
        (waiting,) = peers.list()
        assert (waiting.state, waiting.peer, waiting.application_uri) == ("pending", "opc.tcp://plc:4840", "urn:plc")
        assert waiting.subject == "CN=plc"
        assert waiting.names == ("plc.local", "192.0.2.4")
        assert waiting.warning == ""
        assert waiting.thumbprint == x509.load_der_x509_certificate(certificate).fingerprint(hashes.SHA256()).hex()
        assert waiting.sha1 == x509.load_der_x509_certificate(certificate).fingerprint(hashes.SHA1()).hex()
        peers.decide(waiting.thumbprint, PeerState.APPROVED, by="ada")
        assert Peers(tmp_path / "peers", clock=clock).check(certificate, peer="opc.tcp://plc:4840"), "another process sees it"
        assert not peers.check(foreign(), peer="opc.tcp://plc:4840"), "the same name is not the same certificate"

    def test_a_rejected_one_does_not_wait_again(self, peers):
        certificate = foreign()
        peers.check(certificate, peer="x")
        thumbprint = peers.list()[0].thumbprint
        peers.decide(thumbprint, PeerState.REJECTED, by="ada")
        assert not peers.check(certificate, peer="x")
        assert [(peer.state, peer.decided_by) for peer in peers.list()] == [("rejected", "ada")]
        peers.forget(thumbprint, by="ada")
        assert peers.list() == []
        assert not peers.check(certificate, peer="x")
        assert peers.list()[0].state == "pending"

    def test_an_approved_one_that_expires_is_no_longer_good_until_a_person_says_so(self, peers, clock):
        certificate = foreign(days=40)
        peers.check(certificate, peer="x")
        thumbprint = peers.list()[0].thumbprint
        peers.decide(thumbprint, PeerState.APPROVED, by="ada")
        clock.moment = NOW + 20 * DAY
        assert peers.check(certificate, peer="x")
        assert peers.get(thumbprint).warning == "expires in 20 days"
        clock.moment = NOW + 41 * DAY
        assert not peers.check(certificate, peer="x")
        assert "expired on 2030-02-10" in peers.get(thumbprint).warning
        peers.decide(thumbprint, PeerState.APPROVED, by="ada")
        assert peers.check(certificate, peer="x")

    @pytest.mark.parametrize(
        ("certificate", "warning"),
        [
            (foreign(begin=NOW + 30 * DAY), "not valid before"),
            (foreign(bits=1024), "weak key"),
            (foreign(bits=0), ""),
            (foreign(uri=""), ""),
        ],
        ids=["future", "weak", "elliptic", "bare"],
    )
    def test_what_is_odd_about_it(self, peers, certificate, warning):
        peers.check(certificate, peer="x")
        assert warning in peers.list()[0].warning
        assert bool(peers.list()[0].warning) is bool(warning)

    @pytest.mark.parametrize("garbage", [b"", b"\x30\x82", b"garbage" * 100, bytes(70_000)])
    def test_what_is_no_certificate(self, peers, garbage):
        with pytest.raises(CertificateError):
            peers.check(garbage, peer="x")
        assert peers.list() == []

    def test_those_that_wait_are_bounded_and_the_decided_ones_stay(self, peers, monkeypatch):
        monkeypatch.setattr("hulian.trust.peers._PENDING_KEPT", 5)
        approved = foreign("approved", bits=0)
        peers.check(approved, peer="x")
        peers.decide(peers.list()[0].thumbprint, PeerState.APPROVED, by="ada")
        for number in range(9):
            peers.check(foreign(f"n{number}", bits=0), peer="x")
        assert [peer.state for peer in peers.list()].count("pending") == 5
        assert peers.check(approved, peer="x")

    @pytest.mark.parametrize("thumbprint", ["", "x", "../../etc/passwd", "A" * 64, "0" * 64])
    def test_unknown_thumbprints(self, peers, thumbprint):
        assert peers.get(thumbprint) is None
        with pytest.raises(CertificateError):
            peers.decide(thumbprint, PeerState.APPROVED, by="ada")
        with pytest.raises(CertificateError):
            peers.forget(thumbprint, by="ada")

    def test_decisions_are_in_the_trail(self, trust):
        trust.peers.check(foreign(), peer="opc.tcp://plc")
        trust.peers.decide(trust.peers.list()[0].thumbprint, PeerState.APPROVED, by="ada")
        (record,) = trust.audit.list()
        assert (record.principal, record.action, record.details["decision"]) == ("ada", "certificates.decide", "approved")

    def test_our_own_certificate_is_made_once_and_says_who_we_are(self, peers, tmp_path, clock):
        certificate, key = peers.own("urn:acme:hulian:edge")
        assert (certificate, key) == Peers(tmp_path / "peers", clock=clock).own("urn:acme:hulian:edge")
        assert peers.own("urn:acme:other")[0] != certificate
        found = x509.load_der_x509_certificate(certificate)
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["urn:acme:hulian:edge"]
        assert names.get_values_for_type(x509.DNSName)
        usage = found.extensions.get_extension_for_class(x509.KeyUsage).value
        assert usage.digital_signature
        assert usage.content_commitment
        assert usage.key_encipherment
        assert usage.data_encipherment
        private = serialization.load_pem_private_key(key, password=None)
        assert private.key_size >= 2048
        assert private.public_key() == found.public_key()
        found.verify_directly_issued_by(found)
        assert {path.stat().st_mode & 0o777 for path in (tmp_path / "peers" / "own").iterdir()} == {0o600}

    def test_our_own_certificate_is_renewed_when_it_has_expired(self, peers, clock):
        first, _ = peers.own("urn:a")
        clock.moment = NOW + 3660 * DAY
        assert peers.own("urn:a")[0] != first

    def test_it_is_what_the_edge_asks_for(self, peers):
        from hulian.network.exchange.protocols.contract import PeerTrust

        asked: PeerTrust = peers
        assert asked.check(foreign(bits=0), peer="x") is False
