"""The device's library by itself: it stands alone, signs as the standards say, and its store hides and does not tear."""

from __future__ import annotations

import ast
import contextlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from hypothesis import given, settings
from hypothesis import strategies as st

from hulian.network.identifiers.active import device
from hulian.network.identifiers.active.device import OutboxFullError, Store, StoreError, der, generate, load_key
from hulian.network.identifiers.active.device.curves import P256, SM2
from hulian.network.identifiers.active.device.errors import FormatError
from hulian.network.identifiers.active.device.keys import EcKey, RsaKey, Sm2Key, nonces, verify
from hulian.network.identifiers.active.device.sm3 import sm3
from hulian.network.identifiers.wire import sm2
from hulian.network.identifiers.wire.typed.keys import PublicKey

FOLDER = Path(device.__file__).parent


@pytest.mark.parametrize("interpreter", [sys.executable, "python3.9"])
def test_it_imports_nothing_but_the_standard_library(tmp_path, interpreter):
    """Copied under another name, with no site packages and only its own folder on the path."""
    shutil.copytree(FOLDER, tmp_path / "lib" / "carrier_library", ignore=shutil.ignore_patterns("__pycache__"))
    program = """
import sys
sys.path[:] = [path for path in sys.path if "site-packages" not in path] + [sys.argv[1]]
import carrier_library
key = carrier_library.generate("SM2")
assert carrier_library.load_key(key.to_pem()).public() == key.public()
library = sys.argv[1]
stdlib = [path for path in sys.path if path != library]
for name, module in list(sys.modules.items()):
    file = getattr(module, "__file__", None)
    own = name.partition(".")[0] == "carrier_library"
    assert not file or (own and file.startswith(library)) or any(file.startswith(path) for path in stdlib), name
print("alone")
"""
    if (
        shutil.which(interpreter) is None
        or subprocess.run([interpreter, "--version"], capture_output=True, check=False).returncode
    ):
        pytest.skip("there is no Python 3.9 here")
    done = subprocess.run(
        [interpreter, "-I", "-S", "-c", program, str(tmp_path / "lib")], capture_output=True, text=True, check=False
    )
    assert done.stdout == "alone\n", done.stderr


def test_it_is_written_for_python_3_9():
    for path in set(FOLDER.glob("*.py")) - {FOLDER / "__init__.py"}:
        tree = ast.parse(path.read_text(), feature_version=(3, 9))
        assert any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body), path.name


# -- signatures ------------------------------------------------------------------------------------------------------------

X = 0xC9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721


@pytest.mark.parametrize(
    ("message", "k", "r", "s"),
    [
        (
            b"sample",
            "A6E3C57DD01ABE90086538398355DD4C3B17AA873382B0F24D6129493D8AAD60",
            "EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716",
            "F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8",
        ),
        (
            b"test",
            "D16B6AE827F17175E040871A1C7EC3500192C4C92677336EC2537ACAEE0008E0",
            "F1ABB023518351CD71D881567B1EA663ED3EFCF6C5132B354F28D3B0B7D38367",
            "019F4113742A2B14BD25926B49C649155F267E60D3814B4C0CC84250E46F0083",
        ),
    ],
)
def test_one_time_numbers_are_those_of_rfc_6979(message, k, r, s):
    """Appendix A.2.5: P-256 with SHA-256."""
    digest = hashes.Hash(hashes.SHA256())
    digest.update(message)
    assert next(nonces(P256.n, X, digest.finalize())) == int(k, 16)
    pair = der.Walker(EcKey(X).sign(message)).into()
    assert (pair.number(), pair.number()) == (int(r, 16), int(s, 16))


def test_sm3_is_that_of_the_standard():
    """GB/T 32905-2016, appendix A."""
    assert sm3(b"abc").hex() == "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
    assert sm3(b"abcd" * 16).hex() == "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"
    for size in (0, 1, 55, 56, 63, 64, 65, 119, 120, 1000):
        assert sm3(bytes(size)) == sm2.sm3(bytes(size))


def test_signatures_are_taken_by_others():
    data, user = b"a report", b"99.118.8/ACT-1"
    curve = EcKey(X)
    public = serialization.load_pem_public_key(curve.public())
    public.verify(curve.sign(data), data, ec.ECDSA(hashes.SHA256()))
    assert public.public_numbers().x == curve.point[0]

    made = rsa.generate_private_key(65537, 2048)
    form = serialization.PrivateFormat.PKCS8
    pem = made.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    key = load_key(pem)
    assert key.sign(data, user) == made.sign(data, padding.PKCS1v15(), hashes.SHA256()), "PKCS#1 v1.5 has one signature"
    assert serialization.load_pem_private_key(key.to_pem(), None).private_numbers() == made.private_numbers()
    assert PublicKey.unpack(key.public()).usable().public_numbers() == made.public_key().public_numbers()

    chinese = generate("SM2")
    other = PublicKey.unpack(chinese.public()).usable()
    assert other.verify(chinese.sign(data, user), sm2.sm3(data), user)
    assert not other.verify(chinese.sign(data, user), sm2.sm3(data), b"somebody else")
    assert sm2.PrivateKey.from_pem(chinese.to_pem()).public == other
    for one in (curve, key, chinese):
        assert type(load_key(one.to_pem())) is type(one)
        assert "…" in repr(one)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="openssl is not installed")
def test_openssl_takes_an_sm2_signature(tmp_path):
    key, data = generate("SM2"), b"a report"
    (tmp_path / "data").write_bytes(data)
    (tmp_path / "signature").write_bytes(key.sign_message(data, b"1234567812345678"))
    (tmp_path / "key.pem").write_bytes(PublicKey.unpack(key.public()).parts[0])
    line = ["pkeyutl", "-verify", "-pubin", "-inkey", "key.pem", "-rawin", "-digest", "sm3", "-in", "data"]
    line += ["-sigfile", "signature", "-pkeyopt", "distid:1234567812345678"]
    done = subprocess.run(["openssl", *line], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "Signature Verified Successfully" in done.stdout, done.stderr


def test_the_device_verifies_what_others_sign():
    data = b"contents"
    info = serialization.PublicFormat.SubjectPublicKeyInfo
    for made, sign in (
        (rsa.generate_private_key(65537, 2048), lambda key: key.sign(data, padding.PKCS1v15(), hashes.SHA256())),
        (ec.generate_private_key(ec.SECP256R1()), lambda key: key.sign(data, ec.ECDSA(hashes.SHA256()))),
    ):
        pem, signature = made.public_key().public_bytes(serialization.Encoding.PEM, info), sign(made)
        assert verify(pem, signature, data, b"")
        assert not verify(pem, signature, data + b"x", b"")
        assert not verify(pem, signature[:-1] + bytes((signature[-1] ^ 1,)), data, b"")
    chinese = sm2.PrivateKey.generate()
    signature = chinese.sign(sm2.sm3(data), b"node")
    assert verify(chinese.public.to_pem(), signature, data, b"node")
    assert not verify(chinese.public.to_pem(), signature, data, b"other")
    assert not verify(chinese.public.to_pem(), b"\x30\x00", data, b"node")


def test_a_device_makes_its_own_rsa_key():
    key = generate("RSA", 1024)
    assert isinstance(key, RsaKey)
    assert key.n.bit_length() == 1024
    PublicKey.unpack(key.public()).usable().verify(key.sign(b"x"), b"x", padding.PKCS1v15(), hashes.SHA256())
    with pytest.raises(FormatError):
        generate("RSA", 512)
    with pytest.raises(FormatError):
        generate("DSA")


def test_numbers_that_are_no_key_are_refused():
    for number in (0, SM2.n, SM2.n - 1):
        with pytest.raises(FormatError):
            Sm2Key(number)
    with pytest.raises(FormatError):
        RsaKey(3, 3)


# -- the store --------------------------------------------------------------------------------------------------------------

STATE = {"serial": "1", "bootstrap": {"key": "a private key"}}


def test_a_store_hides_what_is_in_it(tmp_path):
    Store(tmp_path / "open").save(STATE)
    assert b"a private key" in (tmp_path / "open" / "carrier.json").read_bytes()
    hidden = Store(tmp_path / "hidden", b"open sesame")
    hidden.save(STATE)
    hidden.put(1, b"a report")
    content = (tmp_path / "hidden" / "carrier.json").read_bytes()
    assert b"private" not in content
    again = Store(tmp_path / "hidden", b"open sesame")
    assert (again.load(), again.get(1)) == (STATE, b"a report")
    hidden.save(STATE)
    assert (tmp_path / "hidden" / "carrier.json").read_bytes() != content, "never the same stream for two contents"
    for directory, passphrase in (("hidden", b"another"), ("hidden", b""), ("open", b"open sesame"), ("none", b"")):
        with pytest.raises(StoreError):
            Store(tmp_path / directory, passphrase).load()
    for place in range(0, len(content), 29):
        changed = bytearray(content)
        changed[place] ^= 1
        (tmp_path / "hidden" / "carrier.json").write_bytes(changed)
        with pytest.raises(StoreError):
            hidden.load()


def test_its_files_are_private_and_whole(tmp_path):
    store = Store(tmp_path / "one", most=2)
    store.save(STATE)
    for sequence in (1, 2):
        store.put(sequence, b"x")
    with pytest.raises(OutboxFullError):
        store.put(3, b"x")
    store.drop(1)
    store.drop(1)
    store.put(3, b"x")
    assert store.waiting() == [2, 3]
    paths = [path for path in (tmp_path / "one").rglob("*") if path.is_file()]
    assert {oct(path.stat().st_mode & 0o777) for path in paths} == {"0o600"}
    assert not [path for path in paths if path.name.startswith(".")]
    with pytest.raises(StoreError):
        store.get(1)
    (tmp_path / "one" / "carrier.json").write_text("[]")
    with pytest.raises(StoreError):
        store.load()


# -- hostile bytes ------------------------------------------------------------------------------------------------------------

READERS = (
    device.frame.read_answer,
    device.bodies.read_nonce,
    device.bodies.read_report_answer,
    device.bodies.read_contents,
    device.bodies.read_values,
    device.coap_message.decode,
    device.coap_message.Block.unpack,
    device.mqtt.read_packet,
    lambda data: device.mqtt.read_publish(2, data),
    load_key,
    lambda data: load_key(der.to_pem("PRIVATE KEY", data)),
    lambda data: verify(der.to_pem("PUBLIC KEY", data), b"x" * 64, b"", b""),
)
SEEDS = (
    device.frame.ask(3002, device.bodies.report_body("9.9/x", 1, [device.bodies.Item("a", 1.5)]), 1, 2).data,
    generate("EC").to_pem(),
    der.from_pem(generate("SM2").to_pem())[1],
    device.mqtt.packet(3, 2, b"\0\1a\0\1x"),
    device.coap_message.encode(device.coap_message.CoapMessage(0, 2, 7, b"ab", [(11, b"hdl"), (27, b"\x0e")], b"x")),
)


def _hostile() -> st.SearchStrategy[bytes]:
    seed = st.sampled_from(SEEDS)
    changed = st.tuples(seed, st.integers(0, 200), st.binary(max_size=6)).map(
        lambda one: one[0][: one[1] % len(one[0])] + one[2] + one[0][one[1] % len(one[0]) + len(one[2]) :]
    )
    return st.one_of(st.binary(max_size=200), changed)


@pytest.mark.fuzz
@settings(max_examples=40, deadline=None)
@given(data=_hostile())
def test_hostile_bytes_are_named_and_nothing_else(data):
    for read in READERS:
        with contextlib.suppress(FormatError):
            read(data)


@settings(max_examples=25, deadline=None)
@given(
    kind=st.integers(0, 3),
    token=st.binary(max_size=8),
    options=st.lists(st.tuples(st.integers(1, 2000), st.binary(max_size=300)), max_size=5),
    payload=st.binary(max_size=50),
)
def test_coap_messages_survive(kind, token, options, payload):
    message = device.coap_message.CoapMessage(kind, 2, 77, token, tuple(sorted(options, key=lambda one: one[0])), payload)
    assert device.coap_message.decode(device.coap_message.encode(message)) == message
