"""SM2 and SM3: the published vectors, OpenSSL in both directions, and whatever is forged or malformed."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hulian.network.identifiers.wire.errors import KeyFormatError, WireError
from hulian.network.identifiers.wire.sm2 import DEFAULT_ID, PrivateKey, PublicKey, curve, der, keys, sm3

# GM/T 0003.5-2012, annexes A and C: the recommended curve.
D = 0x3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8
K = 0x59276E27D506861A16680F3AD9C02DCCEF3CC1FA3CDBE4CE6D54B80DEAC1BC21
KEY = PrivateKey(D)
OTHER = PrivateKey.generate()


def test_the_published_digests():
    assert sm3(b"abc").hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    assert sm3(b"abcd" * 16).hex() == "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"


def test_the_published_key():
    assert KEY.public.point == (
        0x09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020,
        0xCCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13,
    )
    assert KEY.public.identity().hex() == "b2e14c5c79c6df5b85f4fe7ed8db7a262b9da7e07ccb0ea9f4747b8ccda8a4f3"


def test_the_published_signature():
    digest = int.from_bytes(sm3(KEY.public.identity(), b"message digest"), "big")
    assert digest == 0xF0B43E94BA45ACCAACE692ED534382EB17E6AB5A19CE7B31F4486FDFC0D28640
    assert KEY._signed(digest, K) == (
        0xF5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3,
        0xB1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA,
    )
    published = bytes.fromhex(
        "f5a03b0648d2c4630eeac513e1bb81a15944da3827d5b74143ac7eaceee720b3b1b6aa29df212fd8763182bc0d421ca1bb9038fd1f7f42d4840b69c485bbc1aa"
    )
    assert KEY.public.verify(published, b"message digest")


def test_the_published_encryption():
    assert [part.hex() for part in KEY.public._encrypted(b"encryption standard", K)] == [
        "0404ebfc718e8d1798620432268e77feb6415e2ede0e073c0f4f640ecd2e149a73e858f9d81e5430a57b36daab8f950a3c64e6ee6a63094d99283aff767e124df0",
        "59983c18f809e262923c53aec295d30383b54e39d609d160afcb1908d0bd8766",
        "21886ca989ca9c7d58087307ca93092d651efa",
    ]


def test_multiples():
    """Against plain addition, and at the edges of the group."""
    total = curve.G
    for scalar in range(2, 40):
        total = curve.add(total, curve.G)
        assert curve.is_on_curve(total)
        assert curve.multiply(scalar) == total
    assert curve.multiply(0) is None
    assert curve.multiply(curve.N) is None
    x, y = curve.G
    assert curve.multiply(curve.N - 1) == (x, curve.P - y)
    assert curve.add(curve.G, (x, curve.P - y)) is None
    assert curve.double_multiply(1, curve.N - 1, curve.G) is None
    assert curve.double_multiply(7, 5, curve.multiply(3)) == curve.multiply(22)


@settings(max_examples=20)
@given(message=st.binary(max_size=200), user=st.binary(max_size=40))
def test_signatures_hold_for_what_was_signed_only(message, user):
    signature = KEY.sign(message, user)
    assert KEY.public.verify(signature, message, user)
    assert not KEY.public.verify(signature, message + b"x", user)
    assert not KEY.public.verify(signature, message, user + b"x")
    assert not OTHER.public.verify(signature, message, user)


@settings(max_examples=20)
@given(plain=st.binary(min_size=1, max_size=200))
def test_ciphertexts_open_for_their_key_only(plain):
    cipher = KEY.public.encrypt(plain)
    assert KEY.decrypt(cipher) == plain
    with pytest.raises(KeyFormatError):
        OTHER.decrypt(cipher)
    for at in (1, 70, 97, len(cipher) - 1):
        with pytest.raises(WireError):
            KEY.decrypt(cipher[:at] + bytes((cipher[at] ^ 1,)) + cipher[at + 1 :])


@pytest.mark.parametrize(
    "signature",
    [
        b"",
        bytes(64),
        bytes(70),
        der.sequence(der.integer(0), der.integer(1)),
        der.sequence(der.integer(1), der.integer(0)),
        der.sequence(der.integer(curve.N), der.integer(1)),
        der.sequence(der.integer(1), der.integer(curve.N - 1)),
        der.sequence(der.integer(1), der.integer(1)) + b"x",
        der.sequence(der.integer(1), der.integer(1), der.integer(1)),
        b"\x30\x80\0\0",
    ],
)
def test_what_is_no_signature(signature):
    assert not KEY.public.verify(signature, b"message")


def test_points_off_the_curve_are_refused():
    x, y = KEY.public.point
    for point in ((x, y + 1), (0, 0), (x, y + curve.P), (-x, y)):
        with pytest.raises(KeyFormatError):
            PublicKey(point)
    for raw in (b"", bytes(65), b"\4" + bytes(64), b"\2" + b"\xff" * 32):
        with pytest.raises(KeyFormatError):
            PublicKey.from_bytes(raw)
    assert PublicKey.from_bytes(bytes((2 + (y & 1),)) + x.to_bytes(32, "big")) == KEY.public
    for number in (0, curve.N - 1, curve.N, -1):
        with pytest.raises(KeyFormatError):
            PrivateKey(number)


def test_keys_as_pem():
    assert PrivateKey.from_pem(KEY.to_pem()).public == KEY.public
    assert PublicKey.from_pem(KEY.public.to_pem()) == KEY.public
    assert "3945" not in repr(KEY)
    for wrong in (b"", b"-----BEGIN X-----\n!!\n-----END X-----", KEY.public.to_pem(), KEY.to_pem()[:90]):
        with pytest.raises(KeyFormatError):
            PrivateKey.from_pem(wrong)


@pytest.mark.fuzz
@given(st.binary(max_size=120), st.sampled_from(["PUBLIC KEY", "CERTIFICATE", "PRIVATE KEY", "EC PRIVATE KEY"]))
def test_any_der_is_a_key_or_a_named_error(raw, label):
    pem = der.to_pem(label, raw)
    for read in (PublicKey.from_pem, PrivateKey.from_pem):
        try:
            read(pem)
        except KeyFormatError:
            continue
    assert not KEY.public.verify(raw, b"message")
    with pytest.raises(WireError):
        KEY.decrypt(raw)


# -- OpenSSL -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def openssl(tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl")
    (tmp_path / "key.pem").write_bytes(KEY.to_pem())
    (tmp_path / "public.pem").write_bytes(KEY.public.to_pem())
    (tmp_path / "message").write_bytes(b"99.118.8/pump-17")

    def run(*arguments: str) -> bytes:
        return subprocess.run(["openssl", *arguments], cwd=tmp_path, capture_output=True, check=True, timeout=30).stdout

    try:
        run("pkey", "-in", "key.pem", "-noout", "-check")
    except subprocess.CalledProcessError:
        pytest.skip("this openssl has no SM2")
    run.folder = tmp_path
    return run


@pytest.mark.parametrize("user", [DEFAULT_ID.decode(), "88.111.1/App_1"])
def test_openssl_verifies_what_we_sign(openssl, user):
    (openssl.folder / "signature").write_bytes(KEY.sign(b"99.118.8/pump-17", user.encode()))
    verify = ("-verify", "-pubin", "-inkey", "public.pem", "-sigfile", "signature")
    out = openssl("pkeyutl", *verify, "-in", "message", "-rawin", "-digest", "sm3", "-pkeyopt", f"distid:{user}")
    assert b"Verified Successfully" in out


@pytest.mark.parametrize("user", [DEFAULT_ID.decode(), "88.111.1/App_1"])
def test_we_verify_what_openssl_signs(openssl, user):
    sign = ("-sign", "-inkey", "key.pem", "-in", "message", "-rawin", "-digest", "sm3", "-out", "signature")
    openssl("pkeyutl", *sign, "-pkeyopt", f"distid:{user}")
    signature = (openssl.folder / "signature").read_bytes()
    assert KEY.public.verify(signature, b"99.118.8/pump-17", user.encode())
    assert not KEY.public.verify(signature, b"99.118.8/pump-18", user.encode())


def test_we_open_what_openssl_encrypts(openssl):
    openssl("pkeyutl", "-encrypt", "-pubin", "-inkey", "public.pem", "-in", "message", "-out", "cipher")
    assert KEY.decrypt((openssl.folder / "cipher").read_bytes()) == b"99.118.8/pump-17"


def test_openssl_opens_what_we_encrypt(openssl):
    """OpenSSL takes the DER of GM/T 0009; ours has the same parts in one."""
    cipher = KEY.public.encrypt(b"99.118.8/pump-17")
    numbers = [der.integer(int.from_bytes(cipher[at : at + 32], "big")) for at in (1, 33)]
    (openssl.folder / "cipher").write_bytes(der.sequence(*numbers, der.octets(cipher[65:97]), der.octets(cipher[97:])))
    assert openssl("pkeyutl", "-decrypt", "-inkey", "key.pem", "-in", "cipher") == b"99.118.8/pump-17"


def test_we_read_the_keys_that_openssl_makes(openssl):
    openssl("genpkey", "-algorithm", "SM2", "-out", "made.pem")
    made = PrivateKey.from_pem((openssl.folder / "made.pem").read_bytes())
    openssl("pkey", "-in", "made.pem", "-pubout", "-out", "made.pub")
    assert PublicKey.from_pem((openssl.folder / "made.pub").read_bytes()) == made.public


def test_a_key_stream_of_zeros_is_never_used(monkeypatch):
    """One in 256 texts of one byte would meet it, and go out as it is."""
    key = PrivateKey.generate()
    streams = [b"\0", b"\0", b"\5"]
    monkeypatch.setattr(keys, "_derive", lambda point, size: streams.pop(0))
    assert key.public.encrypt(b"x")[97:] == b"}"
    assert not streams
