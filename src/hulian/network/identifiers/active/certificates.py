"""Certificates of carriers: an authority of the enterprise's own issues them, and those of factories are believed as well."""

from __future__ import annotations

import datetime
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hulian.network.identifiers.active.carriers import SUPERSEDED, Revoked
from hulian.network.identifiers.active.errors import ProofError
from hulian.network.identifiers.wire import sm2
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.sm2 import der
from hulian.network.identifiers.wire.typed.keys import PublicKey, UsableKey
from hulian.trust import issuing, private_files

__all__ = ["LIST_SECONDS", "CarrierAuthority"]

_ROOT: Final = 3_650 * issuing.DAY
_LIFETIME: Final = 3_649 * issuing.DAY
"""As long as the authority: a carrier may lie in a store for years before its first power-up. Revocation ends it at once."""

LIST_SECONDS: Final = 7 * 86_400
"""How long a list of revoked certificates is good; a node writes another one long before."""

_WRONG: Final = "the certificate is of no authority that is believed here"


class CarrierAuthority:
    """Issues the certificates of carriers, and checks what carriers show.

    Its key and certificate are in ``path`` (mode 0600), made where there are none. ``others`` are certificates (PEM) of
    factories whose carriers bring their own.
    """

    def __init__(self, path: Path, organisation: str, others: bytes = b"") -> None:
        content = private_files.read(path)
        if content is None:
            private_files.private_directory(path.parent)
            content = private_files.create_once(path, _made(organisation))
        key = serialization.load_pem_private_key(content, password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ProofError("the key of the carriers' authority is of another kind", place=str(path))
        self._key = key
        self._root = x509.load_pem_x509_certificate(content)
        self._trusted = [self._root, *(x509.load_pem_x509_certificates(others) if others else [])]

    @property
    def certificate(self) -> bytes:
        """The authority's own certificate (PEM)."""
        return self._root.public_bytes(serialization.Encoding.PEM)

    def issue(self, serial: str, key: UsableKey, identifier: str = "") -> bytes:
        """A certificate (PEM) that says whose ``key`` is: a carrier's serial number and, once it has one, its identifier."""
        now = datetime.datetime.now(datetime.UTC)
        stand_in = _ONE.public_key() if isinstance(key, sm2.PublicKey) else key
        if not isinstance(stand_in, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
            raise ProofError("carriers have RSA, EC or SM2 keys")
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (issuing.usage(signature=True), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False),
        ]
        if identifier:
            extensions.append((x509.SubjectAlternativeName([x509.UniformResourceIdentifier(_hdl(identifier))]), False))
        found = issuing.issue(
            subject=issuing.distinguished(serial),
            key=stand_in,
            begins=now - issuing.BACKDATED,
            ends=min(now + _LIFETIME, self._root.not_valid_after_utc),
            extensions=extensions,
            issuer=self._root.subject,
            issuer_key=self._key,
        )
        if isinstance(key, sm2.PublicKey):
            return self._with_sm2(found, key)
        return found.public_bytes(serialization.Encoding.PEM)

    def _with_sm2(self, made: x509.Certificate, key: sm2.PublicKey) -> bytes:
        """``made`` with an SM2 key in the place of its own, which the library cannot write, signed anew.

        Both keys are points of 256 bits under a curve's name of eight bytes, so that nothing else changes.
        """
        info = serialization.PublicFormat.SubjectPublicKeyInfo
        old = _ONE.public_key().public_bytes(serialization.Encoding.DER, info)
        _, new = der.from_pem(key.to_pem())
        old_id = x509.SubjectKeyIdentifier.from_public_key(_ONE.public_key()).digest
        digest = hashes.Hash(hashes.SHA1())  # noqa: S303 - RFC 5280, 4.2.1.2: a name for a key, no signature
        digest.update(key.to_bytes())
        body = made.tbs_certificate_bytes.replace(old, new, 1).replace(old_id, digest.finalize(), 1)
        signature = self._key.sign(body, ec.ECDSA(hashes.SHA256()))
        return der.to_pem("CERTIFICATE", der.sequence(body, _ECDSA, der.bit_string(signature)))

    def number(self, pem: bytes) -> str:
        """The X.509 serial number (hexadecimal) of a certificate that this authority has issued; empty for any other."""
        try:
            found = x509.load_pem_x509_certificate(pem)
            own = found.issuer == self._root.subject and _issued(found, self._root)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            return ""
        return f"{found.serial_number:x}" if own else ""

    def revocation_list(self, revoked: Iterable[Revoked]) -> bytes:
        """The list of these certificates (RFC 5280, section 5; PEM), signed by the authority, good for `LIST_SECONDS`."""
        now = datetime.datetime.now(datetime.UTC)
        made = x509.CertificateRevocationListBuilder().issuer_name(self._root.subject).last_update(now - issuing.BACKDATED)
        made = made.next_update(now + datetime.timedelta(seconds=LIST_SECONDS))
        key = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        made = made.add_extension(key, critical=False).add_extension(x509.CRLNumber(int(now.timestamp() * 1e6)), critical=False)
        for one in revoked:
            at = datetime.datetime.fromtimestamp(one.revoked // 10**9, datetime.UTC)
            entry = x509.RevokedCertificateBuilder().serial_number(int(one.number, 16)).revocation_date(at)
            if one.reason == SUPERSEDED:
                entry = entry.add_extension(x509.CRLReason(x509.ReasonFlags.superseded), critical=False)
            made = made.add_revoked_certificate(entry.build())
        return made.sign(self._key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def check(self, pem: bytes, serial: str) -> tuple[UsableKey, bytes]:
        """The key of the certificate ``pem`` of the carrier ``serial``, and the certificate's SHA-256.

        Raises `ProofError` where an authority that is believed has not issued it, or not to this carrier, or not for now.
        """
        try:
            found = x509.load_pem_x509_certificate(pem)
            named = found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
            issuer = next((one for one in self._trusted if one.subject == found.issuer and _issued(found, one)), None)
            key = PublicKey("X509", (pem,)).usable()
        except (ValueError, TypeError, UnsupportedAlgorithm, WireError) as error:
            raise ProofError(f"no certificate that can be read: {error}") from None
        now = datetime.datetime.now(datetime.UTC)
        if issuer is None:
            raise ProofError(_WRONG, hint="identifiers.active.authorities names a file with those of factories")
        if not found.not_valid_before_utc <= now <= found.not_valid_after_utc or now > issuer.not_valid_after_utc:
            raise ProofError("the certificate is not valid now")
        if len(named) != 1 or named[0].value != serial:
            raise ProofError("the certificate is another carrier's")
        return key, found.fingerprint(hashes.SHA256())


_ONE: Final = ec.derive_private_key(1, ec.SECP256R1())
_ECDSA: Final = bytes.fromhex("300a06082a8648ce3d040302")


def _issued(found: x509.Certificate, by: x509.Certificate) -> bool:
    try:
        found.verify_directly_issued_by(by)
    except (InvalidSignature, ValueError, TypeError):
        return False
    try:
        return by.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _hdl(identifier: str) -> str:
    from urllib.parse import quote

    return f"hdl:{quote(identifier, safe='/')}"


def _made(organisation: str) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    root = issuing.issue(
        subject=issuing.distinguished("Active carriers", organisation or "Hulian"),
        key=key,
        begins=now - issuing.BACKDATED,
        ends=now + _ROOT,
        extensions=[
            (x509.BasicConstraints(ca=True, path_length=0), True),
            (issuing.usage(certificates=True, lists=True), True),
        ],
    )
    return issuing.private_pem(key) + root.public_bytes(serialization.Encoding.PEM)
