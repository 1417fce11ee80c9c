"""How a certificate of ours is made: the one place that speaks to the library's builder."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import NameOID

__all__ = ["BACKDATED", "DAY", "NANOSECONDS", "PrivateKey", "distinguished", "issue", "nanoseconds", "private_pem", "usage"]

PrivateKey = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey

BACKDATED: Final = datetime.timedelta(hours=1)
"""How long before its making a certificate begins: the clocks of devices are not all right."""

DAY: Final = datetime.timedelta(days=1)
NANOSECONDS: Final = 1_000_000_000


def issue(
    *,
    subject: x509.Name,
    key: PrivateKey | CertificatePublicKeyTypes,
    begins: datetime.datetime,
    ends: datetime.datetime,
    extensions: Sequence[tuple[x509.ExtensionType, bool]],
    issuer: x509.Name | None = None,
    issuer_key: PrivateKey | None = None,
) -> x509.Certificate:
    """A certificate for ``key``, of which the public half is enough where another one signs, signed with SHA-256.

    Each of ``extensions`` comes with whether it is critical. Without ``issuer`` and ``issuer_key`` it signs itself. Key
    identifiers of both are put in (RFC 5280, 4.2.1.1 and 4.2.1.2).
    """
    public = key.public_key() if isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey) else key
    signer = issuer_key or key
    if not isinstance(signer, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise TypeError("a certificate is signed with a private key")
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(ends)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(signer, hashes.SHA256())


def usage(
    *,
    signature: bool = False,
    commitment: bool = False,
    encipherment: bool = False,
    certificates: bool = False,
    lists: bool = False,
) -> x509.KeyUsage:
    """What the key may do (RFC 5280, 4.2.1.3): all that is not named is refused."""
    return x509.KeyUsage(
        digital_signature=signature,
        content_commitment=commitment,
        key_encipherment=encipherment,
        data_encipherment=encipherment,
        key_agreement=False,
        key_cert_sign=certificates,
        crl_sign=lists,
        encipher_only=False,
        decipher_only=False,
    )


def distinguished(common: str, organisation: str = "") -> x509.Name:
    """A subject; both parts are cut at the 64 characters that X.520 gives them."""
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation[:64])] if organisation else []
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common[:64])])


def private_pem(key: PrivateKey) -> bytes:
    """The key in PKCS #8, not encrypted: for a file of mode 0600."""
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def nanoseconds(moment: datetime.datetime) -> int:
    """UTC ns of a certificate's time, which counts whole seconds."""
    return int(moment.timestamp()) * NANOSECONDS
