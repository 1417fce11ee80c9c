"""The local certificate authority: one root, made on the spot, and the certificate the platform serves TLS with."""

from __future__ import annotations

import datetime
import ipaddress
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from hulian.trust import private_files
from hulian.trust.errors import CertificateError

__all__ = ["CertificateAuthority", "ServerCertificate"]

_ROOT_DAYS: Final = 3650
_SERVER_DAYS: Final = 397  # the longest that phones and browsers accept
_CLIENT_DAYS: Final = 3650  # an edge node may be alone for long; revocation ends it at once
_RENEW_DAYS: Final = 30
_BACKDATED: Final = datetime.timedelta(hours=1)


class ServerCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """Files for a TLS listener: ``certificate`` is the chain (PEM), ``key`` the private key (PEM, mode 0600)."""

    certificate: Path
    key: Path
    names: tuple[str, ...]
    expires: int


class CertificateAuthority:
    """A root that signs for this installation only. Its key never leaves ``pki/authority`` (mode 0600).

    The root may sign servers and nothing that signs further; a phone that installs it trusts this platform's address.
    """

    def __init__(self, directory: Path, organisation: str, *, clock: Callable[[], datetime.datetime] | None = None) -> None:
        self._directory = private_files.private_directory(directory)
        self._organisation = organisation
        self._clock = clock or (lambda: datetime.datetime.now(datetime.UTC))

    def root_pem(self) -> bytes:
        """The root's certificate, as computers import it."""
        return self._root()[0].public_bytes(serialization.Encoding.PEM)

    def root_file(self) -> Path:
        """The root's certificate alone as a file (PEM), for programs that take a path."""
        path = self._directory / "root.crt"
        content = self.root_pem()
        if private_files.read(path) != content:
            private_files.replace(path, content, mode=0o644)
        return path

    def root_der(self) -> bytes:
        """The root's certificate, as phones import it (``.crt``, ``application/x-x509-ca-cert``)."""
        return self._root()[0].public_bytes(serialization.Encoding.DER)

    def fingerprint(self) -> str:
        """SHA-256 of the root, to compare on the phone's screen: ``AB:CD:…``."""
        return self._root()[0].fingerprint(hashes.SHA256()).hex(":").upper()

    def server_certificate(self, names: Sequence[str], listener: str = "server") -> ServerCertificate:
        """The certificate for ``names`` (host names and IP addresses); ``localhost`` and the loopbacks are always in it.
        Each ``listener`` has its own.

        Made where there is none; made anew where a name is missing, the root is another, or fewer than 30 days are left:
        call it at every start and once a day. Raises `CertificateError` for a name that cannot stand in a certificate.
        """
        wanted = _names([*names, "localhost", "127.0.0.1", "::1"])
        chain, key_path = self._directory / f"{listener}.pem", self._directory / f"{listener}.key"
        with private_files.locked(self._directory):
            root, root_key = self._root_locked()
            found = _read_chain(chain)
            if found is None or not key_path.exists() or not self._still_good(found, root, wanted):
                found = self._issue(root, root_key, wanted, chain, key_path)
        shown = tuple(str(getattr(name, "value", name)) for name in wanted)
        return ServerCertificate(certificate=chain, key=key_path, names=shown, expires=_nanoseconds(found.not_valid_after_utc))

    def client_certificate(self, request: str, name: str) -> tuple[str, int]:
        """A certificate (PEM, the root behind it) that says who ``name`` is, for the key of a certificate request that the
        caller has checked, and when it ends (UTC ns)."""
        root, root_key = self._root()
        now = self._clock()
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])]))
            .issuer_name(root.subject)
            .public_key(x509.load_pem_x509_csr(request.encode()).public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _BACKDATED)
            .not_valid_after(min(now + datetime.timedelta(days=_CLIENT_DAYS), root.not_valid_after_utc))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
            .sign(root_key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        chain = certificate.public_bytes(pem) + root.public_bytes(pem)
        return chain.decode(), _nanoseconds(certificate.not_valid_after_utc)

    def _root(self) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        with private_files.locked(self._directory):
            return self._root_locked()

    def _root_locked(self) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        path = self._directory / "root.pem"
        content = private_files.read(path)
        if content is not None:
            try:
                key = serialization.load_pem_private_key(content, password=None)
                certificate = x509.load_pem_x509_certificate(content)
            except ValueError as error:
                raise CertificateError(
                    "the local authority's root cannot be read",
                    place=str(path),
                    hint="restore it from a backup, or delete it: a new one is made, and phones must install that one",
                ) from error
            if not isinstance(key, ec.EllipticCurvePrivateKey):
                raise CertificateError("the local authority's root has a key of another kind", place=str(path))
            if certificate.not_valid_after_utc - self._clock() > datetime.timedelta(days=_RENEW_DAYS):
                return certificate, key
        certificate, key = self._make_root()
        private_files.replace(
            path,
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
            + certificate.public_bytes(serialization.Encoding.PEM),
        )
        return certificate, key

    def _make_root(self) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name(
            [
                x509.NameAttribute(NameOID.ORGANIZATION_NAME, self._organisation[:64] or "Hulian"),
                x509.NameAttribute(NameOID.COMMON_NAME, f"Hulian local authority {secrets.token_hex(3)}"),
            ]
        )
        now = self._clock()
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _BACKDATED)
            .not_valid_after(now + datetime.timedelta(days=_ROOT_DAYS))
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(signs=True), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .sign(key, hashes.SHA256())
        )
        return certificate, key

    def _still_good(self, found: x509.Certificate, root: x509.Certificate, wanted: Sequence[x509.GeneralName]) -> bool:
        left = found.not_valid_after_utc - self._clock()
        if left < datetime.timedelta(days=_RENEW_DAYS) or found.not_valid_before_utc > self._clock():
            return False
        try:
            found.verify_directly_issued_by(root)
        except Exception as error:  # noqa: BLE001 - InvalidSignature, ValueError or TypeError: in each case it is not ours
            del error
            return False
        present = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        return set(wanted) <= set(present)

    def _issue(
        self,
        root: x509.Certificate,
        root_key: ec.EllipticCurvePrivateKey,
        names: Sequence[x509.GeneralName],
        chain: Path,
        key_path: Path,
    ) -> x509.Certificate:
        key = ec.generate_private_key(ec.SECP256R1())
        now = self._clock()
        certificate = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, str(names[0].value)[:64])]))
            .issuer_name(root.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _BACKDATED)
            .not_valid_after(min(now + datetime.timedelta(days=_SERVER_DAYS), root.not_valid_after_utc))
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectAlternativeName(list(names)), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(root_key.public_key()), critical=False)
            .sign(root_key, hashes.SHA256())
        )
        private_files.replace(
            key_path,
            key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()),
        )
        pem = serialization.Encoding.PEM
        private_files.replace(chain, certificate.public_bytes(pem) + root.public_bytes(pem), mode=0o644)
        return certificate


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _names(names: Sequence[str]) -> list[x509.GeneralName]:
    found: dict[x509.GeneralName, None] = {}
    for name in names:
        try:
            found[x509.IPAddress(ipaddress.ip_address(name))] = None
            continue
        except ValueError:
            pass
        try:
            ascii_name = name.lower().rstrip(".").encode("idna").decode()
            if not ascii_name:
                raise UnicodeError("empty")
            found[x509.DNSName(ascii_name)] = None
        except (UnicodeError, ValueError) as error:
            raise CertificateError(f"{name[:80]!r} is neither a host name nor an IP address") from error
    return list(found)


def _read_chain(path: Path) -> x509.Certificate | None:
    content = private_files.read(path)
    if content is None:
        return None
    try:
        return x509.load_pem_x509_certificate(content)
    except ValueError:
        return None


def _nanoseconds(moment: datetime.datetime) -> int:
    return int(moment.timestamp()) * 1_000_000_000
