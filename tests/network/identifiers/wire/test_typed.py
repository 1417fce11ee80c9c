"""Typed values: the real root record to its last byte, all forms of keys, hostile XML, and every broken value by name."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import struct
import subprocess
import tracemalloc

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from handle_messages import admins, handles, references, sites
from hypothesis import given
from hypothesis import strategies as st

from hulian.network.identifiers.wire import errors, sm2
from hulian.network.identifiers.wire.codes import AdminPermission, InterfaceType, Transport
from hulian.network.identifiers.wire.root_info import pack_root_info, unpack_root_info
from hulian.network.identifiers.wire.trust import TrustRoot, read_certificate, read_signature, value_digest, verify_record
from hulian.network.identifiers.wire.typed.admin import Admin
from hulian.network.identifiers.wire.typed.keys import DhPublicKey, PublicKey
from hulian.network.identifiers.wire.typed.namespace import Namespace
from hulian.network.identifiers.wire.typed.references import HandleText, ValueList
from hulian.network.identifiers.wire.typed.secret import SecretKey
from hulian.network.identifiers.wire.typed.site import Attribute, Interface, Server, Site
from hulian.network.identifiers.wire.typed.values import check, typed
from hulian.network.identifiers.wire.values import Reference, Value, pack_value, scan

IN_TIME = 1_562_760_000  # 2019-07-10
KNOWN = {"HS_ADMIN", "HS_SITE", "HS_SERV", "HS_PUBKEY", "HS_CERT", "HS_SIGNATURE"}


# -- the root record of the Handle system ------------------------------------------------------------------------------


@pytest.fixture
def root_record(samples):
    return (samples / "handle/root_info").read_bytes()


@pytest.mark.samples("handle/root_info")
def test_the_root_record_to_its_last_byte(root_record):
    values = unpack_root_info(root_record)
    assert len(values) == 28
    assert pack_root_info(values) == root_record
    assert [one.index for one in scan(root_record, 4)] == [value.index for value in values]
    kinds = [value.type for value in values]
    assert (kinds.count("HS_SITE"), kinds.count("HS_ADMIN"), kinds.count("HS_SERV")) == (8, 3, 9)
    for value in values:
        assert check(value) is None
        meaning = typed(value)
        assert (meaning is not None) == (value.type in KNOWN)
        if meaning is not None and not value.type.startswith(("HS_CERT", "HS_SIGNATURE")):
            assert meaning.pack() == value.data


@pytest.mark.samples("handle/root_info")
def test_what_the_root_record_says(root_record):
    values = {value.index: value for value in unpack_root_info(root_record)}
    assert typed(values[100]) == Admin("0.ADMIN/ADMINLIST", 200, 0x0FFF)
    assert typed(values[101]).permissions == AdminPermission.LIST_HANDLES
    assert typed(values[20]) == HandleText("0.GHR/20")
    site = typed(values[5])
    assert (site.serial, site.version, site.primary, site.multi_primary) == (15, (2, 10), True, True)
    assert [(one.name, one.value) for one in site.attributes] == [(b"desc", b"CNRI"), (b"alt_addr", b"2001:550:100:6::4")]
    (server,) = site.servers
    assert str(server.address) == "38.100.138.131"
    assert [(one.transport, one.port) for one in server.interfaces] == [(1, 2641), (0, 2641), (2, 8000)]
    assert server.interfaces[0].serves(InterfaceType.QUERY, Transport.TCP)
    key = PublicKey.unpack(server.public_key)
    assert key.kind == "DSA_PUB_KEY"
    assert isinstance(key.usable(), dsa.DSAPublicKey)
    hidden = PublicKey.unpack(values[301].data)
    assert isinstance(hidden.usable(), rsa.RSAPublicKey), "its type is '#HS_PUBKEY', its data a key with four spare bytes"
    assert hidden.pack() == values[301].data


@pytest.fixture
def signed_root(root_record):
    """The record, and the key of its signer as a trust root: the key of the root above it is not part of the record."""
    values = unpack_root_info(root_record)
    by_index = {value.index: value for value in values}
    key = PublicKey.unpack(by_index[301].data).usable()
    root = TrustRoot(Reference("0.NA/0.NA", 301), (key,))
    return values, by_index, root


@pytest.mark.samples("handle/root_info")
def test_the_signature_of_the_root_record(signed_root):
    values, by_index, root = signed_root
    claims, jws = read_certificate(by_index[400].data)
    assert (claims.iss, claims.sub, claims.perms[0].perm) == ("301:0.0/0.0", "301:0.NA/0.NA", "everything")
    assert claims.public_key.key().public_numbers() == root.keys[0].public_numbers()
    assert not jws.verify(root.keys[0]), "its signer is the root above"
    found = verify_record("0.na/0.na", values, by_index[401].data, [], root, IN_TIME)
    assert len(found.values) == 25
    assert found.unsigned == (401, 402, 403)
    assert found.missing == ()
    assert found.chain == (Reference("0.NA/0.NA", 301),)
    digests = {one.index: one.digest for one in read_signature(by_index[401].data)[0].digests.digests}
    assert digests[100] == value_digest(by_index[100]) == "l6T7gI0TFMupFsGpQACHpocMOLVhKcxfY9Or9MTMtnE="


@pytest.mark.samples("handle/root_info")
def test_the_root_record_forged(signed_root):
    values, by_index, root = signed_root
    signature = by_index[401].data
    with pytest.raises(errors.ChainError, match="not at"):
        verify_record("0.NA/0.NA", values, signature, [], root, 1_800_000_000)
    with pytest.raises(errors.ChainError, match="not at"):
        verify_record("0.NA/0.NA", values, signature, [], root, 1_562_339_881)
    with pytest.raises(errors.SignatureError, match="it signs"):
        verify_record("0.NA/88", values, signature, [], root, IN_TIME)
    moved = [value if value.index != 20 else Value(index=20, type="HS_SERV", data=b"0.GHR/66") for value in values]
    with pytest.raises(errors.SignatureError, match="value 20"):
        verify_record("0.NA/0.NA", moved, signature, [], root, IN_TIME)
    for at in (40, 500, len(signature) - 5):
        forged = signature[:at] + (b"A" if signature[at : at + 1] != b"A" else b"B") + signature[at + 1 :]
        with pytest.raises(errors.WireError):
            verify_record("0.NA/0.NA", values, forged, [], root, IN_TIME)
    part = verify_record("0.NA/0.NA", values[:3], signature, [], root, IN_TIME)
    assert (part.values, len(part.missing)) == ((100, 4, 5), 22)
    with pytest.raises(errors.ChainError, match="no certificate"):
        verify_record("0.NA/0.NA", values, signature, [], TrustRoot(Reference("0.0/0.0", 301), root.keys), IN_TIME)


def test_root_data_of_our_own():
    """What the real record holds, in small and without the sample: a site, administrators, keys in two forms, services."""
    site = Site(
        servers=(
            Server(
                1,
                Server.address_to_bytes("127.0.0.1"),
                PublicKey.of(RSA.public_key()).pack(),
                (Interface(InterfaceType.QUERY | InterfaceType.ADMIN, Transport.TCP, 2641), Interface(2, Transport.UDP, 2641)),
            ),
        ),
        attributes=(Attribute(b"desc", b"a private root"), Attribute(b"alt_addr", b"::1")),
    )
    values = (
        Value(index=100, type="HS_ADMIN", data=Admin("0.ADMIN/ADMINLIST", 200, tail=b"\0\0").pack()),
        Value(index=3, type="HS_SITE", data=site.pack(), timestamp=1_463_520_443),
        Value(index=300, type="HS_PUBKEY", data=PublicKey.of(DSA.public_key()).pack(), permissions=0x0C),
        Value(index=301, type="HS_PUBKEY", data=SM2.public.to_pem()),
        Value(index=20, type="HS_SERV", data=b"0.GHR/20", references=(Reference("0.GHR/20", 1),)),
    )
    data = pack_root_info(values)
    assert unpack_root_info(data) == values
    for value in values:
        assert check(value) is None
        assert typed(value).pack() == value.data
    assert typed(values[1]).servers[0].interfaces[0].serves(InterfaceType.ADMIN, Transport.TCP)
    for broken, error in (
        (data[:-1], errors.LengthError),
        (data + b"x", errors.LengthError),
        (struct.pack(">ii", 5, 0) + b"x", errors.TrailingError),
        (struct.pack(">ii", 4, 1), errors.CountError),
        (b"\xff\xff\xff\xff", errors.LengthError),
        (bytes(1_100_000), errors.LimitError),
    ):
        with pytest.raises(error):
            unpack_root_info(broken)


# -- round trips -------------------------------------------------------------------------------------------------------


@given(sites)
def test_sites(site):
    assert Site.unpack(site.pack()) == site


@given(admins)
def test_admins(admin):
    assert Admin.unpack(admin.pack()) == admin


@given(st.lists(references, max_size=5).map(tuple))
def test_value_lists(many):
    assert ValueList.unpack(ValueList(many).pack()) == ValueList(many)


@given(handles.filter(bool))
def test_handles_as_text(handle):
    assert HandleText.unpack(HandleText(handle).pack()) == HandleText(handle)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::1", "::1"),
        ("::", "::"),
    ],
)
def test_addresses(written, shown):
    assert str(Server(1, Server.address_to_bytes(written)).address) == shown


@pytest.mark.parametrize("option", [0, 1, 2])
def test_handles_spread_over_the_servers_of_a_site(option):
    site = Site(servers=tuple(Server(number, bytes(16)) for number in range(5)), hash_option=option)
    counts = [0] * 5
    for number in range(2_000):
        handle = f"88.{number}/Item{number}"
        found = site.server_for(handle)
        assert site.server_for(handle.upper()) == found, "without regard to case"
        part = (f"88.{number}", f"ITEM{number}", f"88.{number}/ITEM{number}")[option]
        (signed,) = struct.unpack(">i", hashlib.md5(part.encode()).digest()[12:])
        assert found.server_id == abs(signed) % 5
        counts[found.server_id] += 1
    assert min(counts) > 300
    assert Site(servers=()).server_for("a/b") is None


# -- keys --------------------------------------------------------------------------------------------------------------

RSA = rsa.generate_private_key(65_537, 2_048)
DSA = dsa.generate_private_key(2_048)
EC = ec.generate_private_key(ec.SECP256R1())
SM2 = sm2.PrivateKey.generate()


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        (RSA.public_key(), "RSA_PUB_KEY"),
        (DSA.public_key(), "DSA_PUB_KEY"),
        (EC.public_key(), "X509"),
        (SM2.public, "SM2_PUB_KEY"),
        (DhPublicKey(2**2047 + 7, 2**2047 + 9, 2), "DH_PUB_KEY"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_every_kind_of_key(key, kind):
    made = PublicKey.of(key)
    assert made.kind == kind
    again = PublicKey.unpack(made.pack())
    assert again == made
    assert again.usable() == key or again.usable().public_numbers() == key.public_numbers()


def test_numbers_are_written_as_java_writes_them():
    exponent, modulus = PublicKey.of(RSA.public_key()).parts
    assert exponent == b"\1\0\1"
    assert (len(modulus), modulus[0]) == (257, 0)


def test_a_key_as_x509_pem():
    for key in (RSA.public_key(), EC.public_key()):
        pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        read = PublicKey.unpack(pem)
        assert read.pack() == pem
        assert read.usable().public_numbers() == key.public_numbers()
    assert PublicKey.unpack(SM2.public.to_pem()).usable() == SM2.public


def test_keys_inside_certificates(tmp_path):
    """Certificates that OpenSSL makes: of an SM2 key, and of an elliptic one."""
    if shutil.which("openssl") is None:
        pytest.skip("there is no openssl")
    (tmp_path / "key.pem").write_bytes(SM2.to_pem())
    command = [
        "openssl",
        "req",
        "-x509",
        "-new",
        "-key",
        "key.pem",
        "-sm3",
        "-subj",
        "/CN=水泵",
        "-utf8",
        "-days",
        "9",
    ]
    made = subprocess.run(command, cwd=tmp_path, capture_output=True, check=True, timeout=30)
    assert PublicKey.unpack(made.stdout).usable() == SM2.public
    curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "k", "-out", "c.pem"]
    command = ["openssl", "req", "-x509", *curve, "-subj", "/CN=a"]
    subprocess.run(command, cwd=tmp_path, capture_output=True, check=True, timeout=30)
    assert isinstance(PublicKey.unpack((tmp_path / "c.pem").read_bytes()).usable(), ec.EllipticCurvePublicKey)


def text(value: bytes) -> bytes:
    return struct.pack(">i", len(value)) + value


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", errors.TruncatedError),
        (text(b"EC_PUB_KEY") + b"\0\0", errors.KeyFormatError),
        (text(b"RSA_PUB_KEY"), errors.TruncatedError),
        (text(b"RSA_PUB_KEY") + b"\0\0" + text(b"\3") + struct.pack(">i", 900), errors.TruncatedError),
        (text(b"RSA_PUB_KEY") + b"\0\0" + text(b"\3") + text(b"\5") + b"x", errors.TrailingError),
        (text(b"RSA_PUB_KEY") + b"\0\0" + text(b"\3") + text(b"\5") + b"xxxx", errors.KeyFormatError),
        (bytes(16_385), errors.LimitError),
    ],
)
def test_keys_that_cannot_be_read(data, error):
    with pytest.raises(error):
        PublicKey.unpack(data)


@pytest.mark.parametrize(
    "key",
    [
        PublicKey("RSA_PUB_KEY", (b"\2", b"\4")),
        PublicKey("RSA_PUB_KEY", (b"\3", b"\x01" * 3_000)),
        PublicKey("DSA_PUB_KEY", (b"\3", b"\5", b"\2", b"\7")),
        PublicKey("SM9_PUB_KEY", (b"pem",)),
        PublicKey("SM2_PUB_KEY", (b"no pem",)),
        PublicKey("X509", (b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",)),
        PublicKey("X509", (b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",)),
    ],
    ids=lambda key: key.kind,
)
def test_keys_that_cannot_be_used(key):
    with pytest.raises(errors.KeyFormatError):
        key.usable()


@pytest.mark.fuzz
@given(
    st.sampled_from([b"", text(b"RSA_PUB_KEY"), text(b"DSA_PUB_KEY"), text(b"SM2_PUB_KEY"), b"-----BEGIN "]),
    st.binary(max_size=80),
)
def test_any_key_is_read_or_a_named_error(head, rest):
    try:
        key = PublicKey.unpack(head + rest)
    except errors.WireError:
        return
    assert key.pack() == head + rest
    try:
        key.usable()
    except errors.WireError:
        return


# -- XML ---------------------------------------------------------------------------------------------------------------


def test_a_namespace():
    xml = '<namespace><contact name="水泵">a<b/>c</contact><nocache/></namespace>'.encode()
    found = Namespace.unpack(xml)
    assert found.pack() == xml
    assert [child.name for child in found.root.children] == ["contact", "nocache"]
    assert found.root.children[0].attributes == {"name": "水泵"}
    assert found.root.children[0].text == "ac"


BILLION = (
    b'<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    b"<namespace>&b;</namespace>"
)
EXTERNAL = b"""<!DOCTYPE n [<!ENTITY x SYSTEM "file:///etc/passwd">]><n>&x;</n>"""


@pytest.mark.parametrize(
    ("xml", "match"),
    [
        (BILLION, "document type"),
        (EXTERNAL, "document type"),
        (b"<!DOCTYPE n><n/>", "document type"),
        (b"<n>&x;</n>", "no well-formed"),
        (b"", "no well-formed"),
        (b"<n", "no well-formed"),
        (b"<n/><n/>", "no well-formed"),
        (b"<n>" * 17 + b"</n>" * 17, "levels"),
        (b"<n>" + b"<m/>" * 1_024 + b"</n>", "elements"),
        (b"<n " + b" ".join(b'a%d=""' % at for at in range(33)) + b"/>", "attributes"),
        (b"<n>" + b"x" * 65_536 + b"</n>", "65536"),
        (b'<?xml version="1.0" encoding="nonsense"?><n/>', "encoding"),
        (b"\xff\xfe<\0n\0", "no well-formed"),
    ],
)
def test_xml_that_is_refused(xml, match):
    tracemalloc.start()
    with pytest.raises(errors.NamespaceError, match=match):
        Namespace.unpack(xml)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 3_000_000


@pytest.mark.fuzz
@given(st.one_of(st.binary(max_size=100), st.text("<>/ab&;\"'=! [DOCTYPE]", max_size=60).map(str.encode)))
def test_any_xml_is_read_or_a_named_error(xml):
    with contextlib.suppress(errors.NamespaceError):
        assert Namespace.unpack(xml).pack() == xml


# -- hostile -----------------------------------------------------------------------------------------------------------

HUGE = struct.pack(">i", 2**31 - 1)


@pytest.mark.parametrize(
    ("kind", "data", "error"),
    [
        ("HS_ADMIN", b"", errors.TruncatedError),
        ("HS_ADMIN", b"\0\0" + HUGE, errors.LimitError),
        ("HS_ADMIN", b"\0\0" + bytes(8) + b"abc", errors.TrailingError),
        ("HS_VLIST", HUGE, errors.CountError),
        ("HS_VLIST", b"\0\0\0\1" + bytes(4), errors.CountError),
        ("HS_VLIST", b"\0\0\0\0x", errors.TrailingError),
        ("HS_SERV", b"", errors.LimitError),
        ("HS_SERV.PREFIX", b"a" * 2_049, errors.LimitError),
        ("HS_ALIAS", b"a\xff", errors.TextError),
        ("HS_SITE", b"\0\1", errors.TruncatedError),
        ("HS_SITE.PREFIX", bytes(8) + HUGE, errors.LimitError),
        ("HS_SITE", bytes(12) + HUGE, errors.CountError),
        ("HS_SITE", bytes(16) + struct.pack(">i", 1_025) + bytes(40_000), errors.CountError),
        ("HS_SITE", bytes(16) + b"\0\0\0\1" + bytes(24) + struct.pack(">i", 65) + bytes(500), errors.CountError),
        ("HS_SITE", bytes(20) + b"x", errors.TrailingError),
        ("HS_PUBKEY", HUGE, errors.LimitError),
        ("HS_NAMESPACE", b"<", errors.NamespaceError),
        ("HS_CERT", b"a.b", errors.SignatureError),
        ("HS_CERT", b"e30.e30.AA", errors.SignatureError),
        ("HS_SIGNATURE", b"eyJhbGciOiJub25lIn0.e30.", errors.AlgorithmError),
        ("HS_SIGNATURE", b"x" * 262_145, errors.LimitError),
    ],
)
def test_every_broken_value_has_its_name(kind, data, error):
    found = check(Value(index=1, type=kind, data=data))
    assert type(found) is error, found


@pytest.mark.fuzz
@given(
    st.sampled_from(["HS_ADMIN", "HS_SITE", "HS_VLIST", "HS_SERV", "HS_ALIAS", "HS_CERT", "HS_SIGNATURE", "HS_SECKEY"]),
    st.binary(max_size=120),
)
def test_any_typed_value_is_read_or_a_named_error(kind, data):
    value = Value(index=1, type=kind, data=data)
    if check(value) is None and kind not in ("HS_CERT", "HS_SIGNATURE"):
        assert typed(value).pack() == data
    assert value_digest(value) == value_digest(Value(index=2, type=kind, data=data, timestamp=9))
    assert pack_value(value)


def test_a_secret_stays_secret():
    secret = SecretKey(b"hunter2")
    assert "hunter2" not in repr(secret)
    assert "hunter2" not in str(secret)
    assert secret == SecretKey(b"hunter2")
    assert secret != SecretKey(b"hunter3")
    assert SecretKey.hashed(b"abc").reveal() == b"a9993e364706816aba3e25717850c26c9cd0d89d"
