"""What HS_CERT and HS_SIGNATURE claim, read within bounds and written."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, TypeVar

import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa

from hulian.kernel.unreadable import UNREADABLE
from hulian.network.identifiers.wire.errors import AlgorithmError, SignatureError
from hulian.network.identifiers.wire.limits import MAX_HANDLE, MAX_VALUES
from hulian.network.identifiers.wire.trust.digests import value_digest
from hulian.network.identifiers.wire.trust.jws import Jwk, Jws, parse, sign
from hulian.network.identifiers.wire.values import Reference, Value

__all__ = [
    "CertificateClaims",
    "Digests",
    "Grant",
    "SignatureClaims",
    "ValueDigest",
    "make_certificate",
    "make_signature",
    "read_certificate",
    "read_signature",
]

_MAX_CHAIN: Final = 16
_MAX_NAME: Final = MAX_HANDLE + 12
"""Of ``index:handle``."""
_MAX_GRANTS: Final = 256
_T = TypeVar("_T", bound="_Claims")


class Grant(msgspec.Struct, frozen=True, omit_defaults=True):
    """One permission of a certificate: ``everything``, or another kind over ``handle``."""

    perm: str
    handle: str | None = None


class _Claims(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    iss: str
    sub: str
    exp: int
    nbf: int
    iat: int = 0
    chain: tuple[str, ...] = ()

    @property
    def issuer(self) -> Reference:
        """Whose key signed this: the value of type HS_CERT whose subject this is must be found."""
        return Reference.parse(self.iss)

    @property
    def chain_references(self) -> tuple[Reference, ...]:
        """Where the certificates of the chain may be found, if the signer said so."""
        return tuple([Reference.parse(one) for one in self.chain])

    def in_time(self, now: int) -> bool:
        """Whether ``now`` (Unix seconds) lies within; both ends count."""
        return self.nbf <= now <= self.exp


class CertificateClaims(_Claims, frozen=True, kw_only=True, omit_defaults=True, rename={"public_key": "publicKey"}):
    """HS_CERT: the key of ``sub`` (``index:handle``), and what its signatures are good for."""

    perms: tuple[Grant, ...]
    public_key: Jwk


class ValueDigest(msgspec.Struct, frozen=True):
    """The digest of the value at ``index``."""

    index: int
    digest: str


class Digests(msgspec.Struct, frozen=True):
    """Digests of values, by one algorithm."""

    alg: str
    digests: tuple[ValueDigest, ...]


class SignatureClaims(_Claims, frozen=True, kw_only=True, omit_defaults=True):
    """HS_SIGNATURE: the digests of the values of handle ``sub``."""

    digests: Digests


def _read(data: bytes, kind: type[_T], what: str) -> tuple[_T, Jws]:
    jws = parse(data)
    try:
        claims = msgspec.json.decode(jws.payload, type=kind)
    except UNREADABLE as error:
        raise SignatureError(f"claims that cannot be read: {error}", place=what) from None
    if max(map(len, (claims.iss, claims.sub, *claims.chain))) > _MAX_NAME:
        raise SignatureError(f"a name of more than {_MAX_NAME} characters", place=what)
    if len(claims.chain) > _MAX_CHAIN:
        raise SignatureError(f"a chain of {len(claims.chain)}, where {_MAX_CHAIN} are accepted", place=what)
    return claims, jws


def read_certificate(data: bytes) -> tuple[CertificateClaims, Jws]:
    """The claims of an HS_CERT, not yet verified. Raises `SignatureError` and `AlgorithmError`."""
    claims, jws = _read(data, CertificateClaims, "an HS_CERT")
    if len(claims.perms) > _MAX_GRANTS:
        raise SignatureError(f"{len(claims.perms)} permissions, where {_MAX_GRANTS} are accepted", place="an HS_CERT")
    return claims, jws


def read_signature(data: bytes) -> tuple[SignatureClaims, Jws]:
    """The claims of an HS_SIGNATURE, not yet verified. Raises `SignatureError` and `AlgorithmError`."""
    claims, jws = _read(data, SignatureClaims, "an HS_SIGNATURE")
    if claims.digests.alg != "SHA-256":
        raise AlgorithmError("digests other than SHA-256", place="an HS_SIGNATURE")
    indexes = [one.index for one in claims.digests.digests]
    if len(indexes) > MAX_VALUES or len(set(indexes)) != len(indexes):
        raise SignatureError("too many digests, or two of one index", place="an HS_SIGNATURE")
    return claims, jws


def make_certificate(
    key: rsa.RSAPrivateKey,
    *,
    issuer: Reference,
    subject: Reference,
    public_key: rsa.RSAPublicKey,
    grants: Iterable[Grant],
    not_before: int,
    expires: int,
    issued: int,
    chain: Iterable[Reference] = (),
) -> bytes:
    """The data of an HS_CERT: ``issuer``, who holds ``key``, says what ``public_key`` of ``subject`` may sign."""
    claims = CertificateClaims(
        perms=tuple(grants),
        public_key=Jwk.of(public_key),
        iss=str(issuer),
        sub=str(subject),
        exp=expires,
        nbf=not_before,
        iat=issued,
        chain=tuple([str(one) for one in chain]),
    )
    return sign(msgspec.json.encode(claims), key)


def make_signature(
    key: rsa.RSAPrivateKey,
    *,
    issuer: Reference,
    handle: str,
    values: Iterable[Value],
    not_before: int,
    expires: int,
    issued: int,
    chain: Iterable[Reference] = (),
) -> bytes:
    """The data of an HS_SIGNATURE over ``values`` of ``handle`` by ``issuer``, who holds ``key``."""
    digests = Digests("SHA-256", tuple([ValueDigest(value.index, value_digest(value)) for value in values]))
    claims = SignatureClaims(
        digests=digests,
        iss=str(issuer),
        sub=handle,
        exp=expires,
        nbf=not_before,
        iat=issued,
        chain=tuple([str(one) for one in chain]),
    )
    return sign(msgspec.json.encode(claims), key)
