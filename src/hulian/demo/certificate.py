"""The OPC UA server's own certificate: made once, kept where the configuration says."""

from __future__ import annotations

import ipaddress
import os
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hulian.demo.errors import DemoError

__all__ = ["server_certificate"]

_VALID = timedelta(days=3650)


def server_certificate(directory: str, application_uri: str, host: str) -> tuple[bytes, bytes]:
    """Certificate (DER) and private key (PEM) of the application, as OPC 10000-6, 6.2.2 wants them.

    Kept in ``directory`` (key readable by its owner only) and found there again while valid; an empty ``directory``
    gives new ones each time. Raises `DemoError` where the directory cannot be used.
    """
    if not directory:
        return _make(application_uri, host)
    folder = Path(directory)
    certificate_path, key_path = folder / "opcua-server.der", folder / "opcua-server.pem"
    try:
        if certificate_path.exists() and key_path.exists():
            found = certificate_path.read_bytes()
            if x509.load_der_x509_certificate(found).not_valid_after_utc > datetime.now(UTC) + timedelta(days=1):
                return found, key_path.read_bytes()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        certificate, key = _make(application_uri, host)
        with os.fdopen(os.open(key_path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(key)
        certificate_path.write_bytes(certificate)
    except (OSError, ValueError) as error:
        raise DemoError(
            f"cannot keep the OPC UA server's certificate: {error}",
            place=str(folder),
            hint="check the directory named by demo.state",
        ) from error
    return certificate, key


def _make(application_uri: str, host: str) -> tuple[bytes, bytes]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COMMON_NAME, "Tennessee Eastman process"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Hulian demo plant"),
        ]
    )
    alternatives: list[x509.GeneralName] = [
        x509.UniformResourceIdentifier(application_uri),
        x509.DNSName("localhost"),
        x509.DNSName(socket.gethostname()),
    ]
    try:
        alternatives.append(x509.IPAddress(ipaddress.ip_address(host)))
    except ValueError:
        alternatives.append(x509.DNSName(host))
    now = datetime.now(UTC)
    usage = x509.KeyUsage(
        digital_signature=True, content_commitment=True, key_encipherment=True, data_encipherment=True, key_agreement=False,
        key_cert_sign=True, crl_sign=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))
        .not_valid_after(now + _VALID)
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return certificate.public_bytes(serialization.Encoding.DER), pem
