"""Edge nodes come in by invitation and approval, and go out by revocation."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from hulian.trust import (
    AccountError,
    EdgeState,
    EnrolmentError,
    EnvelopeError,
    LoginThrottledError,
    TakenNameError,
    UnknownAccountError,
    open_envelope,
)
from hulian.trust.certificates import NODE_LIFETIME

HASH = "$2b$04$FSE/7NeId862Z9QXZmtZ2OmHNsGeK6x4FSVhSOURvXvwKeV.sWS2m"
"""Of a password that a node made itself; always the same, because it stands in the names of tests."""


def request_of(key, name="press"):
    builder = x509.CertificateSigningRequestBuilder()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return builder.subject_name(subject).sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


@pytest.fixture
def key():
    return ec.generate_private_key(ec.SECP256R1())


@pytest.fixture
def waiting(trust, key):
    secret = trust.edges.invite("hall 3", by="mei").secret
    return trust.edges.enrol(secret, "press", request_of(key), HASH, source="192.0.2.7")


def test_an_invitation_opens_one_enrolment(trust, key, waiting):
    assert trust.edges.invitations() == []
    found = trust.edges.claimed(waiting)
    assert (found.name, found.state, found.source, found.certificate) == ("press", EdgeState.WAITING, "192.0.2.7", "")
    assert trust.edges.spine_users() == []
    with pytest.raises(EnrolmentError):
        trust.edges.claimed(waiting + "x")


def test_a_used_an_expired_and_an_invented_invitation_open_nothing(trust, key):
    secret = trust.edges.invite("once", by="mei").secret
    trust.edges.enrol(secret, "press", request_of(key), HASH, source="a")
    trust.edges._clock = lambda: 2**62
    late = trust.edges.invite("late", hours=1, by="mei").secret
    trust.edges._clock = lambda: 2**62 + 3600 * 10**9
    for wrong in (secret, late, "hle_invented", "", "hle_" + "a" * 100_000):
        with pytest.raises(EnrolmentError):
            trust.edges.enrol(wrong, "mill", request_of(key), HASH, source="b")
    assert [edge.name for edge in trust.edges.list()] == ["press"]


def test_a_withdrawn_invitation_opens_nothing_and_leaves_the_others(trust, key):
    first, second = (trust.edges.invite(label, by="mei") for label in ("hall 3", "hall 4"))
    assert [one.id for one in trust.edges.invitations()] == [second.invitation.id, first.invitation.id]
    trust.edges.withdraw(first.invitation.id, by="mei")
    assert trust.edges.invitations() == [second.invitation]
    with pytest.raises(EnrolmentError):
        trust.edges.enrol(first.secret, "press", request_of(key), HASH, source="a")
    for gone in (first.invitation.id, "", second.secret):
        with pytest.raises(UnknownAccountError):
            trust.edges.withdraw(gone, by="mei")
    trust.edges.enrol(second.secret, "press", request_of(key), HASH, source="a")


def test_guessing_invitations_is_slowed_down(trust, key):
    def guess():
        trust.edges.enrol("hle_guess", "press", request_of(key), HASH, source="203.0.113.9")

    for _ in range(4):
        with pytest.raises(EnrolmentError):
            guess()
    with pytest.raises((EnrolmentError, LoginThrottledError)):
        guess()
    with pytest.raises(LoginThrottledError):
        guess()


@pytest.mark.parametrize(
    ("name", "hash_", "spoil"),
    [
        ("Press", HASH, None),
        ("", HASH, None),
        ("a" * 64, HASH, None),
        ("press.*", HASH, None),
        ("press", "plain", None),
        ("press", "$2b$31$" + "a" * 53, None),
        ("press", HASH, lambda text: text[: len(text) // 2]),
        ("press", HASH, lambda text: text.replace("A", "B", 3)),
        ("press", HASH, lambda text: text + "x" * 9000),
        ("press", HASH, lambda text: ""),
        ("press", HASH, lambda text: request_of(rsa.generate_private_key(65537, 2048))),
        ("press", HASH, lambda text: request_of(ec.generate_private_key(ec.SECP384R1()))),
    ],
)
def test_a_wrong_request_is_refused_and_uses_nothing_up(trust, key, name, hash_, spoil):
    secret = trust.edges.invite("hall 3", by="mei").secret
    request = request_of(key)
    with pytest.raises(AccountError) as refused:
        trust.edges.enrol(secret, name, spoil(request) if spoil else request, hash_, source="a")
    assert refused.value.code != EnrolmentError.code
    trust.edges.enrol(secret, "press", request, HASH, source="a")


def test_a_name_is_taken_until_it_is_removed(trust, key, waiting):
    secret = trust.edges.invite("again", by="mei").secret
    with pytest.raises(TakenNameError):
        trust.edges.enrol(secret, "press", request_of(key), HASH, source="a")
    trust.edges.remove("press", by="mei")
    trust.edges.enrol(secret, "press", request_of(key), HASH, source="a")
    with pytest.raises(EnrolmentError):
        trust.edges.claimed(waiting)


def test_approval_makes_a_certificate_for_the_nodes_own_key(trust, key, waiting, tmp_path):
    approved = trust.edges.approve("press", fingerprint=trust.edges.claimed(waiting).fingerprint.upper(), by="mei")
    assert approved.state is EdgeState.APPROVED
    certificate = x509.load_pem_x509_certificate(approved.certificate.encode())
    assert certificate.public_key() == key.public_key()
    assert certificate.subject.rfc4514_string() == "CN=edge~press"
    (tmp_path / "node.pem").write_text(approved.certificate)
    (tmp_path / "root.pem").write_bytes(trust.ca.root_pem())
    judged = ["openssl", "verify", "-purpose", "sslclient", "-CAfile", tmp_path / "root.pem", tmp_path / "node.pem"]
    subprocess.run(judged, check=True, capture_output=True)
    server = [*judged[:3], "sslserver", *judged[4:]]
    assert subprocess.run(server, check=False, capture_output=True).returncode != 0


def test_approval_of_another_key_is_refused(trust, waiting):
    with pytest.raises(AccountError, match="another fingerprint"):
        trust.edges.approve("press", fingerprint="0000-0000", by="mei")
    assert trust.edges.get("press").state is EdgeState.WAITING
    with pytest.raises(UnknownAccountError):
        trust.edges.approve("nobody", by="mei")


def test_an_approved_node_speaks_for_its_own_sources_only(trust, waiting):
    trust.edges.approve("press", by="mei")
    assert trust.edges.grant("press", ["tank 1", "mixer"], by="mei")
    assert not trust.edges.grant("press", ["mixer", "tank 1"], by="mei")
    (user,) = trust.edges.spine_users()
    assert user.name == "edge~press"
    assert user.leaf
    assert not user.device
    root = user.publish[0].split(".samples.")[0]
    assert [subject for subject in user.publish if ".samples." in subject] == [
        f"{root}.samples.mixer", f"{root}.samples.tank~201"
    ]  # fmt: skip
    assert not any(subject in (">", f"{root}.>") or subject.startswith("$JS.API") for subject in user.publish)
    assert user in trust.spine.users()
    trust.edges.revoke("press", by="chen")
    assert trust.edges.spine_users() == []
    assert trust.edges.get("press").decided_by == "chen"


def test_every_step_is_in_the_trail(trust, waiting):
    trust.edges.approve("press", by="mei")
    trust.edges.grant("press", ["tank"], by="mei")
    trust.edges.revoke("press", by="chen")
    trust.edges.remove("press", by="chen")
    steps = [(record.principal, record.details["did"]) for record in trust.audit.list(action="edges.write")]
    assert steps == [
        ("chen", "removed"),
        ("chen", "revoked"),
        ("mei", "granted"),
        ("mei", "approved"),
        ("edge:press", "enrolled"),
        ("mei", "invited"),
    ]
    assert trust.audit.verify().intact


def test_an_order_reaches_the_node_it_is_for_and_nobody_else(trust, key, waiting):
    public = trust.edges.get("press").public_key
    sealed = trust.orders.envelope("press", 7, public, b"the plan, with a password in it")
    assert b"password" not in sealed
    signer = trust.orders.public()
    assert open_envelope(sealed, edge="press", signer=signer, key=key) == (7, b"the plan, with a password in it")
    stranger = ec.generate_private_key(ec.SECP256R1())
    for edge, by, with_key in (("mill", signer, key), ("press", bytes(32), key), ("press", signer, stranger)):
        with pytest.raises(EnvelopeError):
            open_envelope(sealed, edge=edge, signer=by, key=with_key)
    assert trust.orders.public() == signer


@pytest.mark.parametrize("place", range(0, 260, 13))
def test_a_damaged_order_is_refused(trust, key, waiting, place):
    sealed = bytearray(trust.orders.envelope("press", 7, trust.edges.get("press").public_key, b"x" * 60))
    sealed[place % len(sealed)] ^= 0x40
    with pytest.raises(EnvelopeError):
        open_envelope(bytes(sealed), edge="press", signer=trust.orders.public(), key=key)
    with pytest.raises(EnvelopeError):
        open_envelope(bytes(sealed[:place]), edge="press", signer=trust.orders.public(), key=key)


def test_a_certificate_is_renewed_when_half_of_its_time_is_over(trust, waiting):
    first = trust.edges.approve("press", by="mei")
    assert trust.edges.renewed("press") == first
    now = datetime.now(UTC) + NODE_LIFETIME / 2 + timedelta(days=1)
    trust.edges._clock, trust.ca._clock = (lambda: int(now.timestamp() * 1e9)), (lambda: now)
    second = trust.edges.renewed("press")
    assert second.expires > first.expires
    assert second.public_key == first.public_key
    assert x509.load_pem_x509_certificate(second.certificate.encode()).not_valid_after_utc > now + NODE_LIFETIME / 2
    assert trust.edges.renewed("press") == second
    assert trust.audit.list()[0].details["did"] == "renewed"


def test_where_the_root_ends_sooner_nothing_is_made_again_and_again(trust, waiting):
    first = trust.edges.approve("press", by="mei")
    root = x509.load_pem_x509_certificate(trust.ca.root_pem()).not_valid_after_utc
    now = root - timedelta(days=200)
    trust.edges._clock, trust.ca._clock = (lambda: int(now.timestamp() * 1e9)), (lambda: now)
    second = trust.edges.renewed("press")
    assert second.expires > first.expires
    assert trust.edges.renewed("press") == second


def test_a_new_root_gives_a_new_certificate_and_a_revoked_node_none(trust, waiting):
    first = trust.edges.approve("press", by="mei")
    root = x509.load_pem_x509_certificate(trust.ca.root_pem()).not_valid_after_utc
    now = root - timedelta(days=10)
    trust.edges._clock, trust.ca._clock = (lambda: int(now.timestamp() * 1e9)), (lambda: now)
    second = trust.edges.renewed("press")
    assert second.certificate.endswith(trust.ca.root_pem().decode())
    assert not first.certificate.endswith(trust.ca.root_pem().decode())
    revoked = trust.edges.revoke("press", by="mei")
    assert trust.edges.renewed("press") == revoked
