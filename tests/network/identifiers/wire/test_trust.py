"""Chains of certificates up to a trust root of our own: what each permission reaches, and every way in which a chain breaks."""

from __future__ import annotations

import json
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from hulian.network.identifiers.wire import errors
from hulian.network.identifiers.wire.trust import (
    Grant,
    TrustRoot,
    covers,
    make_certificate,
    make_signature,
    read_certificate,
    read_signature,
    verify_record,
)
from hulian.network.identifiers.wire.trust.jws import Jwk, encode64, parse, sign
from hulian.network.identifiers.wire.values import Reference, Value

NOW = 1_800_000_000
TIMES = {"not_before": NOW - 10, "expires": NOW + 10, "issued": NOW}
ROOT = Reference("0.0/0.0", 301)
TOP = Reference("0.NA/88", 300)
SECOND = Reference("0.NA/88.111", 300)
ENTERPRISE = Reference("0.NA/88.111.1", 300)
PUMP = "88.111.1/pump-17"
VALUES = (
    Value(index=1, type="URL", data=b"https://example.com/item/7", timestamp=5),
    Value(index=2, type="EMAIL", data=b"pump@example.com"),
)


@cache
def key(name: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65_537, 2_048)


def certificate(issuer: Reference, subject: Reference, *grants: Grant, by: str = "", of: str = "", **changed) -> bytes:
    return make_certificate(
        key(by or issuer.handle),
        issuer=issuer,
        subject=subject,
        public_key=key(of or subject.handle).public_key(),
        grants=grants,
        **{**TIMES, **changed},
    )


def under(handle: str) -> tuple[Grant, ...]:
    return Grant("thisHandle", handle), Grant("derivedPrefixes", handle), Grant("handlesUnderThisPrefix", handle)


def signature(issuer: Reference = ENTERPRISE, handle: str = PUMP, values=VALUES, by: str = "", **changed) -> bytes:
    return make_signature(key(by or issuer.handle), issuer=issuer, handle=handle, values=values, **{**TIMES, **changed})


def trust(*names: str) -> TrustRoot:
    return TrustRoot(ROOT, tuple(key(name).public_key() for name in names or (ROOT.handle,)))


CHAIN = (
    lambda: certificate(ROOT, TOP, *under("0.NA/88")),
    lambda: certificate(TOP, SECOND, *under("0.NA/88.111")),
    lambda: certificate(SECOND, ENTERPRISE, *under("0.NA/88.111.1")),
)


@cache
def chain() -> tuple[bytes, ...]:
    return tuple(make() for make in CHAIN)


def test_a_chain_of_all_tiers():
    found = verify_record(PUMP, VALUES, signature(), reversed(chain()), trust(), NOW)
    assert found.values == (1, 2)
    assert found.chain == (ENTERPRISE, SECOND, TOP, ROOT)
    assert read_certificate(chain()[1])[0].issuer == TOP


def test_what_a_server_may_change_is_not_covered():
    """A timestamp may differ; a value too many is unsigned, one too few is missing, one of the two of an index is unsigned."""
    again = (Value(index=1, type="URL", data=b"https://example.com/item/7", timestamp=77), Value(index=9, type="X", data=b""))
    found = verify_record(PUMP.upper().replace("PUMP", "pump"), again, signature(), chain(), trust(), NOW)
    assert (found.values, found.unsigned, found.missing) == ((1,), (9,), (2,))
    twice = (VALUES[0], Value(index=1, type="URL", data=b"https://evil.example"))
    assert verify_record(PUMP, twice, signature(), chain(), trust(), NOW).unsigned == (1,)
    with pytest.raises(errors.SignatureError, match="value 1"):
        verify_record(PUMP, reversed(twice), signature(), chain(), trust(), NOW)


def test_the_root_rolls_over():
    old, new = trust("old root"), trust("old root", ROOT.handle)
    assert verify_record(PUMP, VALUES, signature(), chain(), new, NOW).values == (1, 2)
    with pytest.raises(errors.ChainError, match="keys did not sign"):
        verify_record(PUMP, VALUES, signature(), chain(), old, NOW)


def test_a_certificate_that_does_not_fit_is_passed_over():
    noise = (b"nonsense", certificate(SECOND, ENTERPRISE, Grant("everything"), by="stranger"), signature())
    assert verify_record(PUMP, VALUES, signature(), (*noise, *chain()), trust(), NOW).values == (1, 2)


@pytest.mark.parametrize(
    ("certificates", "error", "match"),
    [
        (lambda: (), errors.ChainError, "no certificate"),
        (lambda: chain()[1:], errors.ChainError, "no certificate"),
        (
            lambda: (*chain()[:2], certificate(SECOND, ENTERPRISE, Grant("everything"), by="stranger")),
            errors.SignatureError,
            "another key",
        ),
        (
            lambda: (*chain()[:2], certificate(SECOND, ENTERPRISE, Grant("everything"), of="stranger")),
            errors.SignatureError,
            "another key",
        ),
        (lambda: (*chain()[:2], certificate(SECOND, ENTERPRISE)), errors.ChainError, "not permit"),
        (lambda: (*chain()[:2], certificate(SECOND, ENTERPRISE, *under("0.NA/88.111.2"))), errors.ChainError, "not permit"),
        (lambda: (chain()[0], certificate(TOP, SECOND, *under("0.NA/88.112")), chain()[2]), errors.ChainError, "not permit"),
        (
            lambda: (*chain()[:2], certificate(SECOND, ENTERPRISE, *under("0.NA/88.111.1"), expires=NOW - 1)),
            errors.ChainError,
            "not at",
        ),
        (
            lambda: (chain()[0], certificate(TOP, SECOND, Grant("everything"), not_before=NOW + 1), chain()[2]),
            errors.ChainError,
            "not at",
        ),
        (lambda: (certificate(ENTERPRISE, ENTERPRISE, Grant("everything")),), errors.ChainError, "loop"),
        (
            lambda: (
                certificate(SECOND, ENTERPRISE, Grant("everything")),
                certificate(ENTERPRISE, SECOND, Grant("everything")),
            ),
            errors.ChainError,
            "loop",
        ),
        (lambda: (*chain()[1:], certificate(ROOT, TOP, Grant("everything"), by="stranger")), errors.ChainError, "did not sign"),
    ],
)
def test_every_way_a_chain_breaks(certificates, error, match):
    with pytest.raises(error, match=match):
        verify_record(PUMP, VALUES, signature(), certificates(), trust(), NOW)


def test_the_record_itself_must_be_in_time_and_of_this_handle():
    for changed in ({"expires": NOW - 1}, {"not_before": NOW + 1}):
        with pytest.raises(errors.ChainError, match="not at"):
            verify_record(PUMP, VALUES, signature(**changed), chain(), trust(), NOW)
    with pytest.raises(errors.SignatureError, match="it signs"):
        verify_record("88.111.1/pump-18", VALUES, signature(), chain(), trust(), NOW)
    with pytest.raises(errors.SignatureError, match="it signs"):
        verify_record("88.111.1/PUMP-17", VALUES, signature(), chain(), trust(), NOW)


def test_a_net_of_certificates_is_not_walked_for_ever():
    """Every name vouches for every other: there are millions of ways, and none leads to the root."""
    names = [Reference("0.NA/88", index) for index in range(1, 8)]
    net = [certificate(one, other, Grant("everything"), by="all", of="all") for one in names for other in names if one != other]
    with pytest.raises(errors.ChainError, match="more than 64"):
        verify_record(PUMP, VALUES, signature(issuer=names[0], by="all"), net, trust(), NOW)


GRANTS = [
    ("everything", None, "a/b", True),
    ("everything", "0.NA/1", "a/b", True),
    ("thisHandle", "88.111.1/x", "88.111.1/x", True),
    ("thisHandle", "ab.c/x", "AB.C/x", True),
    ("thisHandle", "ab.c/x", "ab.c/X", False),
    ("thisHandle", "0.NA/88", "0.na/88", True),
    ("thisHandle", "0.NA/88", "88/x", False),
    ("thisHandle", None, "88/x", False),
    ("handlesUnderThisPrefix", "0.NA/88.111", "88.111/x", True),
    ("handlesUnderThisPrefix", "0.NA/88.111", "88.111.1/x", False),
    ("handlesUnderThisPrefix", "0.NA/88.111", "88.1111/x", False),
    ("handlesUnderThisPrefix", "0.NA/88.111", "0.NA/88.111", False),
    ("handlesUnderThisPrefix", "88.111", "88.111/x", False),
    ("derivedPrefixes", "0.NA/88.111", "0.NA/88.111.1", True),
    ("derivedPrefixes", "0.NA/88.111", "88.111.1/x", True),
    ("derivedPrefixes", "0.NA/88.111", "88.111/x", False),
    ("derivedPrefixes", "0.NA/88.111", "0.NA/88.1111", False),
    ("derivedPrefixes", "0.NA/88.111", "88.1111/x", False),
    ("derivedPrefixes", "0.NA/88.111", "0.NA/88", False),
    ("derivedPrefixes", "88.111", "88.111.1/x", False),
    ("anything", "0.NA/88.111", "88.111/x", False),
    ("", None, "a/b", False),
]


@pytest.mark.parametrize(("perm", "named", "handle", "reached"), GRANTS)
def test_what_each_permission_reaches(perm, named, handle, reached):
    assert covers((Grant(perm, named),), handle) is reached


def jws(header: object, payload: object) -> bytes:
    signed = encode64(json.dumps(header).encode()) + b"." + encode64(json.dumps(payload).encode())
    return signed + b"." + encode64(b"signature")


@pytest.mark.parametrize(
    ("data", "error"),
    [
        (b"", errors.SignatureError),
        (b"a.b.c.d", errors.SignatureError),
        (b"!.!.!", errors.SignatureError),
        (jws({"alg": "none"}, {}), errors.AlgorithmError),
        (jws({"alg": "HS256"}, {}), errors.AlgorithmError),
        (jws({"alg": "RS256", "crit": ["exp"]}, {}), errors.AlgorithmError),
        (jws({}, {}), errors.SignatureError),
        (jws([], {}), errors.SignatureError),
        (jws({"alg": "RS256"}, []), errors.SignatureError),
        (jws({"alg": "RS256"}, {"iss": 1}), errors.SignatureError),
        (b"e30.e30.e3 0", errors.SignatureError),
        (b"e31.e30.e30", errors.SignatureError),
    ],
)
def test_what_is_no_signature(data, error):
    for read in (read_certificate, read_signature):
        with pytest.raises(error):
            read(data)


def test_claims_that_are_too_many():
    claims = json.loads(parse(signature()).payload)
    claims["digests"]["digests"] *= 2
    with pytest.raises(errors.SignatureError, match="two of one index"):
        read_signature(sign(json.dumps(claims).encode(), key("a")))
    claims["digests"]["digests"] = []
    claims["digests"]["alg"] = "MD5"
    with pytest.raises(errors.AlgorithmError):
        read_signature(sign(json.dumps(claims).encode(), key("a")))
    claims["digests"]["alg"] = "SHA-256"
    claims["chain"] = ["1:a"] * 17
    with pytest.raises(errors.SignatureError, match="chain"):
        read_signature(sign(json.dumps(claims).encode(), key("a")))
    claims["chain"] = []
    claims["sub"] = "a" * 3_000
    with pytest.raises(errors.SignatureError, match="characters"):
        read_signature(sign(json.dumps(claims).encode(), key("a")))
    deep = b'{"unknown":' + b"[" * 90_000 + b"]" * 90_000 + b"}"
    with pytest.raises(errors.SignatureError):
        read_signature(sign(deep, key("a")))


@pytest.mark.parametrize(
    "jwk",
    [
        Jwk("EC"),
        Jwk("RSA", "", "AQAB"),
        Jwk("RSA", encode64(b"\xff" * 128).decode(), "AQAB"),
        Jwk("RSA", encode64(b"\xff" * 2_000).decode(), "AQAB"),
        Jwk("RSA", encode64(b"\xff" * 256).decode(), encode64(b"\xff" * 30).decode()),
        Jwk("RSA", encode64(b"\xff" * 256).decode(), "AA"),
        Jwk("RSA", "not base64!", "AQAB"),
    ],
)
def test_keys_that_are_not_taken(jwk):
    with pytest.raises(errors.AuthenticationError):
        jwk.key()


@pytest.mark.fuzz
@given(st.binary(max_size=60), st.binary(max_size=200), st.binary(max_size=20))
def test_any_text_is_claims_or_a_named_error(header, payload, tail):
    for data in (
        header + b"." + payload + b"." + tail,
        encode64(b'{"alg":"RS256"}') + b"." + encode64(payload) + b"." + encode64(tail),
    ):
        for read in (read_certificate, read_signature):
            with pytest.raises((errors.SignatureError, errors.AlgorithmError)):
                read(data)
