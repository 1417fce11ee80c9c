"""From the signature of a record up to the trust root, or an error that says where the chain breaks."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from typing import Final

import msgspec
from cryptography.hazmat.primitives.asymmetric import rsa

from hulian.network.identifiers.wire.errors import ChainError, SignatureError, WireError
from hulian.network.identifiers.wire.trust.claims import CertificateClaims, read_certificate, read_signature
from hulian.network.identifiers.wire.trust.digests import value_digest
from hulian.network.identifiers.wire.trust.jws import Jws
from hulian.network.identifiers.wire.trust.permissions import covers, same_handle
from hulian.network.identifiers.wire.values import Reference, Value

__all__ = ["TrustRoot", "Verified", "verify_record"]

_MAX_DEPTH: Final = 10
_MAX_CERTIFICATES: Final = 64
_MAX_VERIFICATIONS: Final = 64
"""Of RSA signatures for one record: a net of certificates has more ways through it than anyone should be made to walk."""


class TrustRoot(msgspec.Struct, frozen=True):
    """Whom the reader believes without proof: a name such as ``301:0.0/0.0``, and the keys that it may sign with.

    Several keys stand side by side while the root rolls over from one to the next.
    """

    reference: Reference
    keys: tuple[rsa.RSAPublicKey, ...]


class Verified(msgspec.Struct, frozen=True):
    """What a signature proves: values that are as they were signed, values that it does not cover, and values that are missing.

    ``missing`` may be private values that the reader is not shown, or values that were left out. ``chain`` names the signers
    from the record's to the root.
    """

    values: tuple[int, ...]
    unsigned: tuple[int, ...]
    missing: tuple[int, ...]
    chain: tuple[Reference, ...]


def verify_record(
    handle: str, values: Iterable[Value], signature: bytes, certificates: Iterable[bytes], root: TrustRoot, now: int
) -> Verified:
    """What ``signature``, the data of an HS_SIGNATURE, proves of ``values`` of ``handle`` at ``now`` (Unix seconds).

    ``certificates`` are the data of whatever HS_CERT values the caller found: in the record, in the handle of the issuer, by
    the claim ``chain``. Those that do not fit are passed over. Every certificate on the way must be in time, signed by the
    next, and permit this handle.

    Raises `ChainError` where the chain does not reach ``root``, `SignatureError` where a signature does not verify or a value
    is not the one that was signed, `AlgorithmError` for algorithms other than RS256 and SHA-256.
    """
    claims, jws = read_signature(signature)
    if not same_handle(claims.sub, handle):
        raise SignatureError(f"it signs {claims.sub!r}, not {handle!r}", place="an HS_SIGNATURE")
    if not claims.in_time(now):
        raise ChainError(f"it holds from {claims.nbf} to {claims.exp}, not at {now}", place="an HS_SIGNATURE")
    chain = _Climb(handle, _readable(certificates), root, now).up(jws, claims.issuer, ())
    wanted = {one.index: one.digest for one in claims.digests.digests}
    good, unsigned, seen = [], [], set()
    for value in values:
        digest = wanted.get(value.index)
        if digest is None or value.index in seen:
            unsigned.append(value.index)
            continue
        seen.add(value.index)
        if not hmac.compare_digest(digest.encode(), value_digest(value).encode()):
            raise SignatureError(f"value {value.index} is not the one that was signed", place=f"the record of {handle!r}")
        good.append(value.index)
    missing = tuple([index for index in wanted if index not in seen])
    return Verified(tuple(good), tuple(unsigned), missing, chain)


def _readable(certificates: Iterable[bytes]) -> list[tuple[CertificateClaims, Jws]]:
    found = []
    for place, data in enumerate(certificates):
        if place >= _MAX_CERTIFICATES:
            break
        try:
            found.append(read_certificate(data))
        except WireError:
            continue
    return found


def _same(left: Reference, right: Reference) -> bool:
    return left.index == right.index and same_handle(left.handle, right.handle)


class _Climb:
    """One way up, within a bounded number of verifications."""

    def __init__(self, handle: str, certificates: list[tuple[CertificateClaims, Jws]], root: TrustRoot, now: int) -> None:
        self.handle = handle
        self.certificates = certificates
        self.root = root
        self.now = now
        self.left = _MAX_VERIFICATIONS

    def up(self, jws: Jws, issuer: Reference, below: tuple[Reference, ...]) -> tuple[Reference, ...]:
        """Who signed ``jws``, up to the root. The root's name is believed with its own keys only."""
        if _same(issuer, self.root.reference):
            if any(self.verifies(jws, key) for key in self.root.keys):
                return (*below, issuer)
            raise ChainError("it names the trust root, whose keys did not sign it", place=f"what {issuer} signed")
        if len(below) >= _MAX_DEPTH or any(_same(issuer, one) for one in below):
            raise ChainError("the chain is a loop, or too long", place=f"what {issuer} signed")
        reason: WireError = ChainError("there is no certificate of its signer", place=f"what {issuer} signed")
        for claims, signed in self.certificates:
            if not _same(Reference.parse(claims.sub), issuer):
                continue
            try:
                self.check(jws, issuer, claims)
                return self.up(signed, claims.issuer, (*below, issuer))
            except WireError as error:
                if self.left < 0:
                    raise
                reason = error
        raise reason

    def check(self, jws: Jws, issuer: Reference, claims: CertificateClaims) -> None:
        """Whether the certificate ``claims`` vouches for ``jws``; if not, the reason is raised."""
        if not claims.in_time(self.now):
            message = f"it holds from {claims.nbf} to {claims.exp}, not at {self.now}"
            raise ChainError(message, place=f"the HS_CERT of {issuer}")
        if not covers(claims.perms, self.handle):
            raise ChainError(f"it does not permit to sign {self.handle!r}", place=f"the HS_CERT of {issuer}")
        if not self.verifies(jws, claims.public_key.key()):
            raise SignatureError("the signature is of another key", place=f"what {issuer} signed")

    def verifies(self, jws: Jws, key: rsa.RSAPublicKey) -> bool:
        self.left -= 1
        if self.left < 0:
            raise ChainError(f"more than {_MAX_VERIFICATIONS} signatures to verify", place="a chain")
        return jws.verify(key)
