"""Challenge-response, signed messages, replay, session keys: what holds, and everything that must not."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import shutil
import struct
import subprocess

import msgspec
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, padding, rsa
from hypothesis import given
from hypothesis import strategies as st

from hulian.network.identifiers.wire import authentication as auth
from hulian.network.identifiers.wire import bodies, errors, frame, sm2
from hulian.network.identifiers.wire.codes import OpCode, OpFlag, ResponseCode
from hulian.network.identifiers.wire.frame import Message
from hulian.network.identifiers.wire.typed.keys import DhPublicKey
from hulian.network.identifiers.wire.typed.secret import SecretKey

RSA = rsa.generate_private_key(65_537, 2_048)
DSA = dsa.generate_private_key(2_048)
EC = ec.generate_private_key(ec.SECP256R1())
SM2 = sm2.PrivateKey.generate()
KEYS = {"RSA": RSA, "DSA": DSA, "EC": EC, "SM2": SM2}
PUBLIC = {"RSA": RSA.public_key(), "DSA": DSA.public_key(), "EC": EC.public_key(), "SM2": SM2.public}
NONCE = b"0123456789abcdef"
SECRET = SecretKey("secret ü".encode("latin-1"))
USER = "99.118.8/ADMIN"


def asked(version=(2, 11)) -> Message:
    body = bodies.HandleOnly("99.118.8/pump-17")
    made = bodies.request(OpCode.DELETE, body, request_id=7, expiration=9, version=version)
    return msgspec.structs.replace(made, suggested=version)  # an old peer suggests nothing newer


def challenged(request: Message, *, algorithm: int = 3, nonce: bytes = NONCE) -> Message:
    return frame.decode(
        frame.encode(
            bodies.answer(
                request,
                ResponseCode.AUTHENTICATION_NEEDED,
                bodies.Challenge(nonce),
                expiration=9,
                digest=bodies.digest_of(request, algorithm),
            )
        )
    )


# -- keys --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [(2, 3), (2, 10), (2, 11), (3, 0)], ids=lambda version: f"{version[0]}.{version[1]}")
@pytest.mark.parametrize("kind", list(KEYS))
def test_a_key_proves_who_asks(kind, version):
    request = asked(version)
    digest = bodies.digest_of(request)
    identity = auth.KeyIdentity(USER, 300, auth.signer_for(KEYS[kind]), dsa=kind == "DSA")
    response = auth.respond(identity, request, challenged(request))
    assert (response.kind, response.handle, response.index) == ("HS_PUBKEY", USER, 300)
    assert auth.verify_key_response(response, PUBLIC[kind], NONCE, digest)
    assert not auth.verify_key_response(response, PUBLIC[kind], b"another nonce!!!", digest)
    other = bodies.digest_of(bodies.request(OpCode.DELETE, bodies.HandleOnly("a/b"), request_id=7, expiration=9))
    assert not auth.verify_key_response(response, PUBLIC[kind], NONCE, other)
    for another, key in PUBLIC.items():
        if another != kind:
            assert not auth.verify_key_response(response, key, NONCE, digest)
    name = response.response[4 : 4 + response.response[3]]
    old = version < (2, 7) or (kind == "DSA" and version < (2, 11))
    assert name == (b"SM3" if kind == "SM2" else b"SHA1" if old else b"SHA-256")


def test_the_proof_of_an_rsa_key_is_what_the_protocol_says():
    """Made by hand: the name of the digest, and PKCS #1 v1.5 over nonce and digest."""
    request = asked()
    digest = bodies.digest_of(request)
    signature = RSA.sign(NONCE + digest.digest, padding.PKCS1v15(), hashes.SHA256())
    raw = struct.pack(">i", 7) + b"SHA-256" + struct.pack(">i", 256) + signature
    assert auth.verify_key_response(bodies.ChallengeResponse("HS_PUBKEY", USER, 300, raw), RSA.public_key(), NONCE, digest)
    identity = auth.KeyIdentity(USER, 300, auth.signer_for(RSA))
    assert auth.respond(identity, request, challenged(request)).response == raw, "RSA is deterministic"


def test_the_login_of_the_chinese_dialect():
    """Opcode 2001, a challenge, an SM2 signature with the user as its identity over SM3 of nonce and digest."""
    login = bodies.login_request("88.111.1/App_1", 300, request_id=3, expiration=9)
    assert frame.encode(login)[:2] == bytes((2, 10))
    assert login.flags == OpFlag.RETURN_DIGEST
    assert login.body == struct.pack(">i", 14) + b"88.111.1/App_1" + struct.pack(">i", 300)
    challenge = challenged(frame.decode(frame.encode(login)))
    identity = auth.KeyIdentity("88.111.1/App_1", 300, auth.signer_for(SM2))
    response = auth.respond(identity, login, challenge)
    digest = bodies.digest_of(login)
    name, signature = response.response[4:7], response.response[11:]
    assert name == b"SM3"
    assert SM2.public.verify(signature, sm2.sm3(NONCE + digest.digest), b"88.111.1/App_1")
    assert auth.verify_key_response(response, SM2.public, NONCE, digest)
    stolen = msgspec.structs.replace(response, handle="88.111.1/App_2")
    assert not auth.verify_key_response(stolen, SM2.public, NONCE, digest), "the identity is part of it"


def test_nobody_signs_a_request_that_is_not_theirs():
    request = asked()
    other = bodies.request(OpCode.DELETE, bodies.HandleOnly("99.118.8/everything"), request_id=7, expiration=9)
    identity = auth.KeyIdentity(USER, 300, auth.signer_for(RSA))
    with pytest.raises(errors.DigestError):
        auth.respond(identity, request, challenged(other))
    with pytest.raises(errors.DigestError):
        auth.respond(identity, request, Message(op_code=101, response_code=402, body=bodies.Challenge(NONCE).pack()))
    with pytest.raises(errors.DigestError, match="nonce"):
        auth.respond(identity, request, challenged(request, nonce=b"1234567"))
    fine = bodies.answer(
        msgspec.structs.replace(request, flags=OpFlag.RETURN_DIGEST.value),
        ResponseCode.SUCCESS,
        bodies.Empty(),
        expiration=9,
        digest=bodies.digest_of(request),
    )
    with pytest.raises(errors.DigestError, match="no challenge"):
        auth.respond(identity, request, fine)


@pytest.mark.parametrize(
    ("raw", "error"),
    [
        (b"", errors.TruncatedError),
        (struct.pack(">i", 2**31 - 1), errors.LimitError),
        (struct.pack(">i", 3) + b"MD5" + bytes(4), errors.AlgorithmError),
        (struct.pack(">i", 1) + b"\1" + bytes(4), errors.AlgorithmError),
        (struct.pack(">i", 4) + b"NONE" + bytes(4), errors.AlgorithmError),
        (struct.pack(">i", 7) + b"SHA-256" + bytes(5), errors.TrailingError),
    ],
)
def test_proofs_that_are_refused(raw, error):
    with pytest.raises(error):
        auth.verify_key_response(
            bodies.ChallengeResponse("HS_PUBKEY", USER, 1, raw), RSA.public_key(), NONCE, bodies.digest_of(asked())
        )


def test_keys_that_are_too_weak_or_cannot_sign():
    raw = struct.pack(">i", 7) + b"SHA-256" + struct.pack(">i", 96) + bytes(96)
    response = bodies.ChallengeResponse("HS_PUBKEY", USER, 1, raw)
    weak = rsa.RSAPublicNumbers(65_537, int("c" * 190 + "d", 16)).public_key()
    with pytest.raises(errors.AlgorithmError, match="764 bits"):
        auth.verify_key_response(response, weak, NONCE, bodies.digest_of(asked()))
    with pytest.raises(errors.AlgorithmError):
        auth.verify_key_response(response, DhPublicKey(5, 23, 2), NONCE, bodies.digest_of(asked()))


# -- secrets -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("version", "form"), [((2, 3), 2), ((2, 6), 2), ((2, 7), 0x22), ((2, 11), 0x22), ((3, 0), 0x22)])
def test_a_secret_proves_who_asks(version, form):
    request = asked(version)
    digest = bodies.digest_of(request)
    response = auth.respond(auth.SecretIdentity(USER, 301, SECRET), request, challenged(request))
    assert response.kind == "HS_SECKEY"
    assert response.response[0] == form
    assert auth.verify_secret_response(response.response, SECRET, NONCE, digest.digest)
    assert not auth.verify_secret_response(response.response, SecretKey(b"other"), NONCE, digest.digest)
    assert not auth.verify_secret_response(response.response, SECRET, NONCE[::-1], digest.digest)
    assert not auth.verify_secret_response(response.response[:-1], SECRET, NONCE, digest.digest) if form == 2 else True


def test_the_forms_of_a_secret_proof_made_by_hand():
    key, data, digest = SECRET.reveal(), NONCE + b"d" * 32, b"d" * 32
    derived = hashlib.pbkdf2_hmac("sha1", "secret ü".encode(), b"s" * 16, 10_000, 20)
    code = hmac.digest(derived, data, "sha1")
    assert code.hex() == "df19c26731e97984eb99af9719b15ba516b2a713", "as the JDK computes it"
    packed = struct.pack(">i", 16) + b"s" * 16 + struct.pack(">iii", 10_000, 160, 20) + code
    for form, proof in {
        0x22: packed,
        0x13: hmac.digest(key, data, "sha256"),
        0x12: hmac.digest(key, data, "sha1"),
        3: hashlib.sha256(key + data + key).digest(),
        2: hashlib.sha1(key + data + key).digest(),
    }.items():
        assert auth.verify_secret_response(bytes((form,)) + proof, SECRET, NONCE, digest)
        assert not auth.verify_secret_response(bytes((form,)) + proof[:-1] + b"?", SECRET, NONCE, digest)


def pbkdf2(salt: bytes, iterations: int, bits: int) -> bytes:
    return b"\x22" + struct.pack(">i", len(salt)) + salt + struct.pack(">iii", iterations, bits, 20) + bytes(20)


@pytest.mark.parametrize(
    "raw",
    [
        pbkdf2(b"s" * 16, 2**31 - 1, 160),
        pbkdf2(b"s" * 16, 100_001, 160),
        pbkdf2(b"s" * 16, 999, 160),
        pbkdf2(b"s" * 16, -1, 160),
        pbkdf2(b"s" * 16, 10_000, 0),
        pbkdf2(b"s" * 16, 10_000, 2**31 - 1),
        pbkdf2(b"s" * 16, 10_000, 161),
        pbkdf2(b"", 10_000, 160),
        b"\1" + bytes(16),
        b"\0" + bytes(16),
        b"\xff",
    ],
)
def test_proofs_that_are_weak_or_too_much_work(raw, monkeypatch):
    def derive(*_: object) -> bytes:
        raise AssertionError("it was derived")

    monkeypatch.setattr(hashlib, "pbkdf2_hmac", derive)
    with pytest.raises(errors.AlgorithmError):
        auth.verify_secret_response(raw, SECRET, NONCE, b"d" * 32)


def test_an_empty_secret_proves_nothing():
    with pytest.raises(errors.AlgorithmError):
        auth.verify_secret_response(b"\2" + hashlib.sha1(NONCE).digest(), SecretKey(b""), NONCE, b"")
    with pytest.raises(errors.AlgorithmError):
        auth.respond(auth.SecretIdentity(USER, 1, SecretKey(b"")), asked(), challenged(asked()))


# -- signed messages ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [(2, 7), (2, 8), (2, 11), (3, 0)], ids=lambda version: f"{version[0]}.{version[1]}")
@pytest.mark.parametrize("kind", list(KEYS))
def test_signed_messages(kind, version):
    message = bodies.answer(asked(version), ResponseCode.SUCCESS, bodies.Empty(), expiration=9)
    signed = auth.sign_message(message, auth.signer_for(KEYS[kind]), counter=5, dsa_key=kind == "DSA")
    received = frame.decode(frame.encode(signed))
    window = auth.ReplayWindow()
    credential = auth.verify_signed(received, PUBLIC[kind], window=window)
    assert (credential.kind, credential.counter) == ("HS_SIGNED", 5)
    with pytest.raises(errors.ReplayError):
        auth.verify_signed(received, PUBLIC[kind], window=window)
    for changed in (
        {"request_id": 8},
        {"session_id": 1},
        {"response_code": 2},
        {"flags": 1},
        {"expiration": 10},
        {"body": b"x"},
        {"version": (2, 9) if version >= (2, 8) else (2, 8)},
    ):
        with pytest.raises(errors.SignatureError):
            auth.verify_signed(msgspec.structs.replace(received, **changed), PUBLIC[kind])
    if version >= (2, 8):
        with pytest.raises(errors.SignatureError):
            auth.verify_signed(msgspec.structs.replace(received, suggested=(2, 1)), PUBLIC[kind])


def test_signed_bytes_made_by_hand():
    message = msgspec.structs.replace(asked(), session_id=0x01020304)
    covered = bytes((2, 11, 2, 11)) + struct.pack(">III", 0x01020304, 7, 9) + message.header_and_body()
    signature = RSA.sign(covered, padding.PKCS1v15(), hashes.SHA256())
    section = struct.pack(">i", 7) + b"SHA-256" + struct.pack(">i", 256) + signature
    credential = (
        bytes(8) + struct.pack(">I", 9) + struct.pack(">i", 9) + b"HS_SIGNED" + struct.pack(">i", len(section)) + section
    )
    assert auth.sign_message(message, auth.signer_for(RSA), counter=9).credential == credential
    assert auth.verify_signed(msgspec.structs.replace(message, credential=credential), RSA.public_key()).counter == 9


@pytest.mark.parametrize("version", [(2, 1), (2, 4), (2, 5), (2, 6)])
def test_versions_whose_signatures_are_not_safe(version):
    message = msgspec.structs.replace(asked(), version=version)
    with pytest.raises(errors.VersionError):
        auth.sign_message(message, auth.signer_for(RSA))
    signed = auth.sign_message(asked(), auth.signer_for(RSA))
    with pytest.raises(errors.VersionError):
        auth.verify_signed(msgspec.structs.replace(signed, version=version), RSA.public_key())


def test_messages_of_a_session():
    key, window = auth.SessionKey.generate(), auth.ReplayWindow()
    message = msgspec.structs.replace(asked(), session_id=4)
    first, second = (frame.decode(frame.encode(auth.mac_message(message, key, counter))) for counter in (1, 2))
    assert auth.verify_mac(second, key, window).algorithm == "HMAC-SHA256"
    auth.verify_mac(first, key, window)
    for again in (first, second):
        with pytest.raises(errors.ReplayError):
            auth.verify_mac(again, key, window)
    with pytest.raises(errors.SignatureError):
        auth.verify_mac(first, auth.SessionKey.generate(), auth.ReplayWindow())
    forged = msgspec.structs.replace(first, body=bodies.HandleOnly("99.118.8/everything").pack())
    untouched = auth.ReplayWindow()
    with pytest.raises(errors.SignatureError):
        auth.verify_mac(forged, key, untouched)
    auth.verify_mac(first, key, untouched)


def test_a_credential_is_of_the_kind_that_is_needed():
    key = auth.SessionKey.generate()
    signed, coded = auth.sign_message(asked(), auth.signer_for(RSA)), auth.mac_message(asked(), key, 1)
    with pytest.raises(errors.SignatureError, match="no credential"):
        auth.verify_signed(asked(), RSA.public_key())
    with pytest.raises(errors.SignatureError, match="another kind"):
        auth.verify_signed(coded, RSA.public_key())
    with pytest.raises(errors.SignatureError, match="another kind"):
        auth.verify_mac(signed, key, auth.ReplayWindow())
    for name in ("MD5", "SHA1", "HMAC-MD5", ""):
        credential = msgspec.structs.replace(auth.read_credential(coded.credential), algorithm=name)
        with pytest.raises(errors.AlgorithmError):
            auth.verify_mac(msgspec.structs.replace(coded, credential=credential.pack()), key, auth.ReplayWindow())


@given(
    st.builds(
        auth.Credential,
        kind=st.sampled_from(["HS_SIGNED", "HS_MAC"]),
        algorithm=st.text("SHA-256", max_size=8),
        signature=st.binary(max_size=60),
        counter=st.integers(0, 2**32 - 1),
        reserved=st.integers(0, 255),
        flags=st.integers(0, 65_535),
        signer=st.text(st.characters(codec="utf-8"), max_size=10),
    )
)
def test_credentials_round_trip(credential):
    assert auth.read_credential(credential.pack()) == credential


@pytest.mark.fuzz
@given(st.binary(max_size=120))
def test_any_credential_is_read_or_a_named_error(raw):
    for data in (raw, bytes(8) + raw):
        try:
            assert auth.read_credential(data).pack() == data
        except errors.WireError:
            continue


@pytest.mark.fuzz
@given(st.binary(max_size=80), st.sampled_from([b"", b"\x22", b"\2", b"\x13"]))
def test_any_proof_is_false_or_a_named_error(raw, head):
    with contextlib.suppress(errors.WireError):
        assert not auth.verify_secret_response(head + raw, SECRET, NONCE, b"d" * 32)
    with contextlib.suppress(errors.WireError):
        response = bodies.ChallengeResponse("HS_PUBKEY", USER, 1, raw)
        assert not auth.verify_key_response(response, RSA.public_key(), NONCE, bodies.digest_of(asked()))


# -- replay ------------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(-3, 400), max_size=200), st.integers(1, 100))
def test_each_counter_is_good_once(counters, size):
    """Against a plain set and a highest counter."""
    window, seen = auth.ReplayWindow(size), set()
    for counter in counters:
        good = counter > 0 and counter not in seen and counter > max(seen, default=0) - size
        if good:
            window.accept(counter)
            seen.add(counter)
        else:
            with pytest.raises(errors.ReplayError):
                window.accept(counter)


def test_a_jump_costs_no_memory():
    window = auth.ReplayWindow()
    window.accept(1)
    window.accept(2**32 - 1)
    assert window._seen.bit_length() <= window.size
    for counter in (1, 2**32 - 1, 2**32, 2**100):
        with pytest.raises(errors.ReplayError):
            window.accept(counter)


# -- session keys ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [RSA, SM2], ids=["RSA", "SM2"])
def test_a_session_key_is_sealed(key):
    public = key.public if isinstance(key, sm2.PrivateKey) else key.public_key()
    session = auth.SessionKey.generate(algorithm=4)
    sealed = auth.seal_session_key(session, public)
    assert auth.open_session_key(sealed, key) == session
    assert session.reveal() not in sealed
    reasons = set()
    for wrong in (b"", sealed[:-1], sealed[:-1] + bytes((sealed[-1] ^ 1,)), bytes(len(sealed))):
        try:
            assert auth.open_session_key(wrong, key) != session, "some ciphers open garbage as another key, on purpose"
        except errors.SessionKeyError as error:
            reasons.add(str(error))
    assert reasons <= {"HL-ID-0246: it does not open (a session key)"}
    assert session.reveal().hex() not in repr(session)


def test_a_session_key_is_not_sealed_to_any_key():
    for key in (EC.public_key(), DSA.public_key(), DhPublicKey(5, 23, 2)):
        with pytest.raises(errors.SessionKeyError):
            auth.seal_session_key(auth.SessionKey.generate(), key)
    with pytest.raises(errors.SessionKeyError, match="too short"):
        auth.seal_session_key(auth.SessionKey.generate(size=300), RSA.public_key())
    for size in (0, 15, 513):
        with pytest.raises(errors.SessionKeyError):
            auth.SessionKey(bytes(size))


def test_two_sides_agree_on_a_number():
    ours = auth.DhExchange()
    theirs = auth.DhExchange.answering(ours.public)
    assert ours.shared(theirs.public) == theirs.shared(ours.public)
    assert len(ours.shared(theirs.public)) == 256
    assert ours.shared(theirs.public) != ours.shared(auth.DhExchange.answering(ours.public).public)
    p = ours.public.p
    for y in (0, 1, p - 1, p, -1):
        with pytest.raises(errors.SessionKeyError):
            ours.shared(DhPublicKey(y, p, 2))
    with pytest.raises(errors.SessionKeyError):
        ours.shared(DhPublicKey(5, p + 2, 2))
    for group in ((23, 5), (2**2048, 2), (p, 1), (p, p - 1), (2**8200 + 1, 2)):
        with pytest.raises(errors.SessionKeyError):
            auth.DhExchange(*group)


def test_the_group_is_a_safe_prime():
    p = auth.DhExchange().public.p
    assert p.bit_length() == 2_048
    assert all(pow(base, p - 1, p) == pow(base, (p - 3) // 2, (p - 1) // 2) == 1 for base in (2, 3, 5, 7))


def test_a_key_out_of_the_number():
    ours = auth.DhExchange()
    theirs = auth.DhExchange.answering(ours.public)
    key = ours.session_key(theirs.public)
    assert key == theirs.session_key(ours.public)
    assert len(key.reveal()) == 32
    assert ours.shared(theirs.public).lstrip(b"\0").startswith(key.reveal())


# -- encryption --------------------------------------------------------------------------------------------------------


def test_a_session_in_secret():
    """Coded, then encrypted, as the protocol has it; opened and believed in the other order."""
    key = auth.SessionKey.generate()
    message = auth.mac_message(msgspec.structs.replace(asked(), session_id=4), key, 1)
    sealed = auth.encrypt_message(message, key)
    assert b"pump-17" not in sealed
    assert frame.read_envelope(sealed).flags == 0x40
    with pytest.raises(errors.OpaqueError):
        frame.decode(sealed)
    opened = auth.decrypt_message(sealed, key)
    assert opened == message
    auth.verify_mac(opened, key, auth.ReplayWindow())
    assert auth.encrypt_message(message, key) != sealed, "another vector each time"


def test_openssl_opens_what_we_encrypt():
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl")
    key = auth.SessionKey.generate()
    sealed = auth.encrypt_message(asked(), key)
    arguments = ["enc", "-d", "-aes-128-cbc", "-K", key.reveal()[:16].hex(), "-iv", sealed[20:36].hex()]
    plain = subprocess.run(["openssl", *arguments], input=sealed[36:], capture_output=True, check=True, timeout=30).stdout
    assert plain == frame.encode(asked())[20:]


def test_whatever_does_not_open_says_the_same():
    key = auth.SessionKey.generate()
    sealed = auth.encrypt_message(asked(), key)
    told = set()
    for at in range(20, len(sealed)):
        broken = sealed[:at] + bytes((sealed[at] ^ 0x55,)) + sealed[at + 1 :]
        try:
            assert auth.decrypt_message(broken, key) != asked()
        except errors.SessionKeyError as error:
            told.add(str(error))
    with pytest.raises(errors.SessionKeyError) as caught:
        auth.decrypt_message(sealed, auth.SessionKey.generate())
    told.add(str(caught.value))
    assert told == {"HL-ID-0246: it does not open (an encrypted message)"}
    with pytest.raises(errors.LengthError):
        auth.decrypt_message(sealed[:-1], key)
    with pytest.raises(errors.OpaqueError):
        auth.decrypt_message(frame.encode(asked()), key)
    short = sealed[:16] + (16).to_bytes(4, "big") + bytes(16)
    with pytest.raises(errors.SessionKeyError):
        auth.decrypt_message(short, key)
    for algorithm in (0, 1, 2, 4):
        with pytest.raises(errors.AlgorithmError):
            auth.encrypt_message(asked(), auth.SessionKey.generate(algorithm))
    with pytest.raises(errors.VersionError):
        auth.encrypt_message(msgspec.structs.replace(asked(), version=(2, 3)), key)
