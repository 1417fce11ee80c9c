"""Handles, VAA codes, object identifiers, Ecodes and DIDs: round trips, and what OpenSSL and hashes say."""

from __future__ import annotations

import base64
import hashlib
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hulian.kernel.identifier import Identifier
from hulian.network.identifiers.schemes import Did, Ecode, Handle, Oid, Vaa, errors, recognise
from hulian.network.identifiers.schemes.base58 import decode, encode
from hulian.network.identifiers.schemes.handle import NationalPrefix, Tier, ancestors, fold_prefix, tier_of

SEGMENTS = st.text(st.characters(exclude_characters="./@:()[]{}", exclude_categories=["C", "Z"]), min_size=1, max_size=12)
PREFIXES = st.lists(SEGMENTS, min_size=1, max_size=4).map(".".join)
SUFFIXES = st.text(st.characters(exclude_categories=["Cc", "Cn", "Cs", "Zl", "Zp"]), min_size=1, max_size=60)
DIGITS = "0123456789"
ARCS = st.tuples(st.integers(0, 1), st.integers(0, 39)) | st.tuples(st.just(2), st.integers(0, 2**120))


@given(prefix=PREFIXES, suffix=SUFFIXES)
def test_handles_round_trip(prefix, suffix):
    handle = Handle.of(prefix, suffix)
    assert Handle.parse(handle.text) == Handle.parse(f"hdl:{prefix}/{suffix}") == handle
    assert Handle.parse(handle.to_url()) == handle
    assert recognise(handle.to_url()) == handle
    assert Handle.parse(handle.to_binary().decode()) == handle
    assert fold_prefix(handle.prefix) == handle.prefix
    assert handle == Handle.of(prefix.translate({code: code - 32 for code in range(97, 123)}), suffix)


@pytest.mark.parametrize(
    ("prefix", "tier", "above"),
    [
        ("88", Tier.TOP, ()),
        ("88.111", Tier.SECOND, ("88",)),
        ("86.10000.7", Tier.ENTERPRISE, ("86.10000", "86")),
        ("99.118.8", Tier.ENTERPRISE, ("99.118", "99")),
        ("88.11", Tier.OTHER, ("88",)),
        ("88.111.1.2", Tier.OTHER, ("88.111.1", "88.111", "88")),
        ("10.1000", Tier.OTHER, ("10",)),
        ("20.500.12345", Tier.OTHER, ("20.500", "20")),
        ("0.NA", Tier.ROOT, ("0",)),
    ],
)
def test_tiers(prefix, tier, above):
    assert (tier_of(prefix), ancestors(prefix)) == (tier, above)
    handle = Handle.of(prefix, "x")
    assert (handle.tier, handle.ancestors) == (tier, above)
    assert (handle.national is None) == (tier in (Tier.OTHER, Tier.ROOT))


@pytest.mark.parametrize(
    ("prefix", "kind", "rule", "position"),
    [
        ("8", errors.LengthError, "handle.country", 0),
        ("88.11", errors.LengthError, "handle.industry", 3),
        ("88.111111", errors.LengthError, "handle.industry", 3),
        ("88.111.", errors.LengthError, "handle.enterprise", 7),
        ("88.111." + "1" * 129, errors.LengthError, "handle.enterprise", 7),
        ("88.1a1.1", errors.CharacterError, "handle.industry", 4),
        ("88.111.1.1", errors.StructureError, "handle.national", 8),
    ],
)
def test_the_national_grammar_names_part_and_place(prefix, kind, rule, position):
    with pytest.raises(kind) as caught:
        NationalPrefix.parse(prefix)
    assert (caught.value.rule, caught.value.position) == (rule, position)


def test_handles_have_2048_bytes():
    assert len(Handle.of("88.1", "é" * 1021).text.encode()) == 2047
    for suffix in ("é" * 1022, "x" * 9000):
        with pytest.raises(errors.LengthError):
            Handle.parse("88.1/" + suffix)


def test_the_kernels_noun_is_had_where_it_fits():
    assert Handle.parse("99.118.8/pump-17").identifier == Identifier("99.118.8", "pump-17")
    assert Handle.parse("10.ABC/x").prefix_handle == "0.NA/10.ABC"
    assert Handle.of_prefix("10.ABC").text == "0.NA/10.abc"


@given(
    country=st.integers(10, 99),
    industry=st.text(DIGITS, min_size=3, max_size=3),
    enterprise=st.integers(10**7, 10**8 - 1),
    item=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40),
)
def test_vaa_codes_round_trip(country, industry, enterprise, item):
    code = Vaa.parse(f"vaa0{country}{industry}{enterprise}/{item}")
    assert Vaa.parse(code.text) == recognise(code.text) == code
    if country in (86, 88, 99):
        assert Vaa.from_handle(code.to_handle()) == code
    with pytest.raises(errors.ConversionError):
        Vaa.parse(f"VAA0{country}{industry}01234567/{item}").to_handle()


@pytest.mark.parametrize("text", ["88.111.1/x", "88.1111.12345678/x", "88.111.01234567/x", "10.1000/x"])
def test_handles_without_a_published_vaa_form(text):
    with pytest.raises(errors.ConversionError):
        Vaa.from_handle(Handle.parse(text))


@given(first=ARCS, rest=st.lists(st.integers(0, 2**127 - 1), max_size=10))
def test_object_identifiers_round_trip(first, rest):
    oid = Oid.of((*first, *rest))
    assert recognise(oid.text) == Oid.parse(oid.to_url()) == Oid.parse(oid.to_notation()) == oid
    assert recognise(oid.to_binary()) == oid
    try:
        name = oid.domain()
    except errors.LengthError:
        return
    assert Oid.from_domain(name) == Oid.from_domain(name.removeprefix("ors-dummy.") + ".") == oid
    assert all(len(label) <= 63 for label in name.split("."))


@pytest.mark.parametrize(
    "text", ["2.999.3", "1.2.840.113549.1.1.11", "2.25.340282366920938463463374607431768211455", "0.39", "2.100.0"]
)
def test_openssl_writes_the_same_octets(text, tmp_path):
    path = tmp_path / "oid.der"
    subprocess.run(["openssl", "asn1parse", "-genstr", f"OID:{text}", "-noout", "-out", path], check=True, capture_output=True)
    assert Oid.parse(text).to_binary() == path.read_bytes()


def test_names_of_the_resolution_system():
    assert Oid.parse("1.3").domain() == "ors-dummy.3.1.oid-res.org"
    assert Oid.parse("2.49.0").domain("ors.example") == "ors-dummy.0.49.2.ors.example"
    assert Oid.from_domain("49.joint-iso-itu-t.oid-res.org").text == "2.49"
    assert Oid.from_domain("member-body.iso.oid-res.org").text == "1.2"
    for wrong in ("oid-res.org", "1.2.example.org", "x.1.oid-res.org", "3.oid-res.org"):
        with pytest.raises(errors.SchemeError):
            Oid.from_domain(wrong)
    with pytest.raises(errors.LengthError):
        Oid.of((2, *[2**120] * 20)).domain()


@pytest.mark.parametrize(
    "text", ["{", "{}", "{1}", "{1 2", "{iso(1) (2)}", "{iso(1)) 2}", "{Iso(1) 2}", "{2 999 foo}", "{iso 2 us(x)}", "x"]
)
def test_wrong_notation(text):
    with pytest.raises(errors.SchemeError):
        Oid.parse(text)


@pytest.mark.parametrize(
    "octets", ["", "06", "0600", "068000", "0681", "0601ff", "060180", "050100", "06ff01", "0613" + "ff" * 18 + "7f"]
)
def test_wrong_octets(octets):
    with pytest.raises(errors.SchemeError):
        Oid.from_binary(bytes.fromhex(octets))


@given(st.binary(max_size=60))
def test_base58_round_trips(data):
    assert decode(encode(data), "x") == data


@given(
    digest=st.binary(min_size=32, max_size=32),
    key=st.sampled_from("ezs"),
    chain=st.sampled_from(["", "ab12"]),
    encoding=st.sampled_from("fs"),
)
def test_bids_of_hashes_round_trip(digest, key, chain, encoding):
    did = Did.of_hash(key, digest, chain=chain, encoding=encoding)
    assert recognise(did.text) == did
    assert 32 <= len(did.text) <= 57
    parts = did.parts
    octets = decode(parts["suffix"], "x") if encoding == "f" else base64.b64decode(parts["suffix"])
    assert octets == digest[-22:]
    assert (parts["chain"], parts["key"]) == (chain, {"e": "Ed25519", "z": "SM2", "s": "secp256k1"}[key])


def test_the_published_bid_example():
    """BIF-RFC-003 gives a public key and the last 22 octets of its hash."""
    digest = hashlib.sha256(bytes.fromhex("d308378e6b5ff0c2b4be3da741538004525d6388e5df32deb79e2b0c02f133c7")).digest()
    suffix = Did.of_hash("e", digest).parts["suffix"]
    assert decode(suffix, "x").hex() == "c6fd8f46575a3b142f16691b522e07a3cb1d5c1a16da"


@pytest.mark.parametrize(
    "suffix", ["t" + "q" * 42, "s" + base64.b64encode(bytes(range(22))).decode()], ids=["Bech32", "Base64"]
)
def test_other_encodings_of_bids(suffix):
    assert recognise(f"did:bid:e{suffix}").parts["suffix"] == suffix[1:]
    for wrong in (suffix[:-1], suffix[:-1] + "b", suffix[:1] + "_" + suffix[2:]):
        with pytest.raises(errors.SchemeError):
            Did.parse(f"did:bid:e{wrong}")


@pytest.mark.parametrize("text", ["did:bid:ef" + "1" * 22, "did:vaa:gxAcE6upFw6DNbG3rfngM3VxCNB", "did:cn:88.100.1"])
def test_chains_publish_no_url(text):
    with pytest.raises(errors.ConversionError):
        recognise(text).to_url()


@pytest.mark.parametrize(
    "host", ["a..b", "-a.b", "1.2.3.4", "example.com%3A0", "example.com%3A70000", "exa%20mple.com", "", "[::1]", "a" * 64]
)
def test_hosts_that_did_web_cannot_name(host):
    with pytest.raises(errors.SchemeError):
        Did.parse(f"did:web:{host}")


@given(
    st.lists(st.sampled_from(["user", "a-b", "%41", "1.x"]), max_size=4), st.sampled_from(["example.com", "Example.COM%3a8443"])
)
def test_did_web_leads_to_a_document(path, host):
    did = Did.parse(":".join(["did:web", host, *path]))
    plain = host.lower().replace("%3a", ":")
    assert did.to_url() == f"https://{plain}/{'/'.join(path) if path else '.well-known'}/did.json"
    assert recognise(did.text) == did


@given(st.sampled_from("01234"), st.text(DIGITS, min_size=4, max_size=4), st.text(DIGITS + "ABC", min_size=1, max_size=30))
def test_ecodes_round_trip(version, system, data):
    code = Ecode.parse(version + system + data)
    assert recognise(code.text) == Ecode.parse(code.text.upper()) == code
    assert list(code.parts.values()) == [version, system, data]
    with pytest.raises(errors.ConversionError):
        code.to_url()
