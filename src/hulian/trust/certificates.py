"""The local certificate authority: one root, made on the spot, and the certificates the platform's listeners show."""

from __future__ import annotations

import datetime
import ipaddress
import re
import secrets
import socket
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID

from hulian.trust import issuing, private_files
from hulian.trust.errors import CertificateError
from hulian.trust.issuing import BACKDATED, DAY, nanoseconds

__all__ = ["NODE_LIFETIME", "CertificateAuthority", "IssuedCertificate", "machine_names"]

_ROOT: Final = 3650 * DAY
_LIFETIME: Final = 397 * DAY  # the longest that phones and browsers accept
NODE_LIFETIME: Final = 730 * DAY
"""How long the certificate of an edge node is valid. It may be alone for long: it gets the next one when half of that is over,
so that it finds its way back after a year. Revocation ends it at once."""
_RENEW: Final = 30 * DAY
_PURPOSE: Final = re.compile(r"[a-z]{1,20}\Z")
_EVERYWHERE: Final = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 - compared, not bound


class IssuedCertificate(msgspec.Struct, frozen=True, kw_only=True):
    """Files for TLS: ``certificate`` is the chain (PEM), ``key`` the private key (PEM, mode 0600); ``expires`` UTC ns."""

    certificate: Path
    key: Path
    names: tuple[str, ...]
    expires: int


class CertificateAuthority:
    """A root that signs for this installation only. Its key never leaves ``pki/authority`` (mode 0600).

    The root may sign servers and clients, and nothing that signs further; a phone that installs it trusts this platform's
    address. What it issues is valid for ``lifetime`` (397 days) and made anew when less than ``renew`` (30 days) is left.
    """

    def __init__(
        self,
        directory: Path,
        organisation: str,
        *,
        clock: Callable[[], datetime.datetime] | None = None,
        lifetime: datetime.timedelta | None = None,
        renew: datetime.timedelta | None = None,
    ) -> None:
        self._directory = private_files.private_directory(directory)
        self._organisation = organisation
        self._clock = clock or (lambda: datetime.datetime.now(datetime.UTC))
        self._lifetime = lifetime or _LIFETIME
        self.renew = renew or _RENEW

    def root_pem(self) -> bytes:
        """The root's certificate, as computers import it."""
        return self._root()[0].public_bytes(serialization.Encoding.PEM)

    def root_der(self) -> bytes:
        """The root's certificate, as phones import it (``.crt``, ``application/x-x509-ca-cert``)."""
        return self._root()[0].public_bytes(serialization.Encoding.DER)

    def root_file(self) -> Path:
        """The root's certificate alone as a file (PEM), for programs that take a path."""
        path = self._directory / "root.crt"
        content = self.root_pem()
        if private_files.read(path) != content:
            private_files.replace(path, content, mode=0o644)
        return path

    def fingerprint(self) -> str:
        """SHA-256 of the root, to compare on the phone's screen: ``AB:CD:…``."""
        return self._root()[0].fingerprint(hashes.SHA256()).hex(":").upper()

    def server_certificate(self, names: Sequence[str], listener: str = "server") -> IssuedCertificate:
        """The certificate for ``names`` (host names and IP addresses); ``localhost`` and the loopbacks are always in it.

        Made where there is none; made anew where a name is missing, the root is another, or fewer than 30 days are left:
        call it at every start and now and then. Each ``listener`` has files of its own, called like it. Raises
        `CertificateError` for a name that cannot stand in a certificate.
        """
        wanted = _names([*names, "localhost", "127.0.0.1", "::1"])
        return self._issued(listener, wanted, ExtendedKeyUsageOID.SERVER_AUTH, str(wanted[0].value))

    def own_client_certificate(self, purpose: str) -> IssuedCertificate:
        """The certificate that processes of this node show to a listener of it; renewed like `server_certificate`."""
        return self._issued(purpose, [], ExtendedKeyUsageOID.CLIENT_AUTH, f"Hulian {purpose}")

    def _issued(
        self, purpose: str, names: Sequence[x509.GeneralName], use: x509.ObjectIdentifier, common: str
    ) -> IssuedCertificate:
        if not _PURPOSE.match(purpose) or purpose == "root":
            raise CertificateError(f"{purpose[:40]!r} is no name for a certificate's files")
        chain, key_path = self._directory / f"{purpose}.pem", self._directory / f"{purpose}.key"
        with private_files.locked(self._directory):
            root, root_key = self._root_locked()
            found = _read_chain(chain, key_path)
            if found is None or not self._still_good(found, root, names):
                found = self._sign(root, root_key, names, use, common, chain, key_path)
        shown = tuple(str(getattr(name, "value", name)) for name in names)
        return IssuedCertificate(certificate=chain, key=key_path, names=shown, expires=nanoseconds(found.not_valid_after_utc))

    def client_certificate(self, request: str, name: str) -> tuple[str, int]:
        """A certificate (PEM, the root behind it) that says who ``name`` is, for the key of a certificate request that the
        caller has checked, and when it ends (UTC ns)."""
        root, root_key = self._root()
        now = self._clock()
        key = x509.load_pem_x509_csr(request.encode()).public_key()
        certificate = issuing.issue(
            subject=issuing.distinguished(name),
            key=key,
            begins=now - BACKDATED,
            ends=min(now + NODE_LIFETIME, root.not_valid_after_utc),
            extensions=[
                (x509.BasicConstraints(ca=False, path_length=None), True),
                (issuing.usage(signature=True), True),
                (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), False),
            ],
            issuer=root.subject,
            issuer_key=root_key,
        )
        pem = serialization.Encoding.PEM
        chain = certificate.public_bytes(pem) + root.public_bytes(pem)
        return chain.decode(), nanoseconds(certificate.not_valid_after_utc)

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
            if certificate.not_valid_after_utc - self._clock() > _RENEW:
                return certificate, key
        certificate, key = self._make_root()
        private_files.replace(path, issuing.private_pem(key) + certificate.public_bytes(serialization.Encoding.PEM))
        return certificate, key

    def _make_root(self) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
        key = ec.generate_private_key(ec.SECP256R1())
        now = self._clock()
        certificate = issuing.issue(
            subject=issuing.distinguished(f"Hulian local authority {secrets.token_hex(3)}", self._organisation or "Hulian"),
            key=key,
            begins=now - BACKDATED,
            ends=now + _ROOT,
            extensions=[
                (x509.BasicConstraints(ca=True, path_length=0), True),
                (issuing.usage(certificates=True, lists=True), True),
            ],
        )
        return certificate, key

    def _still_good(self, found: x509.Certificate, root: x509.Certificate, wanted: Sequence[x509.GeneralName]) -> bool:
        left = found.not_valid_after_utc - self._clock()
        if left < self.renew or found.not_valid_before_utc > self._clock():
            return False
        try:
            found.verify_directly_issued_by(root)
        except Exception as error:  # noqa: BLE001 - InvalidSignature, ValueError or TypeError: in each case it is not ours
            del error
            return False
        if not wanted:
            return True
        try:
            present = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except x509.ExtensionNotFound:
            return False
        return set(wanted) <= set(present)

    def _sign(
        self,
        root: x509.Certificate,
        root_key: ec.EllipticCurvePrivateKey,
        names: Sequence[x509.GeneralName],
        use: x509.ObjectIdentifier,
        common: str,
        chain: Path,
        key_path: Path,
    ) -> x509.Certificate:
        key = ec.generate_private_key(ec.SECP256R1())
        now = self._clock()
        extensions: list[tuple[x509.ExtensionType, bool]] = [
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (issuing.usage(signature=True), True),
            (x509.ExtendedKeyUsage([use]), False),
        ]
        if names:
            extensions.append((x509.SubjectAlternativeName(list(names)), False))
        certificate = issuing.issue(
            subject=issuing.distinguished(common),
            key=key,
            begins=now - BACKDATED,
            ends=min(now + self._lifetime, root.not_valid_after_utc),
            extensions=extensions,
            issuer=root.subject,
            issuer_key=root_key,
        )
        private_files.replace(key_path, issuing.private_pem(key))
        pem = serialization.Encoding.PEM
        private_files.replace(chain, certificate.public_bytes(pem) + root.public_bytes(pem), mode=0o644)
        return certificate


def machine_names(*listening: str, also: Iterable[str] = ()) -> list[str]:
    """Every name under which clients may reach this machine: its own, its addresses, and what it is told to listen on."""
    own = socket.gethostname()
    names = {"localhost", "127.0.0.1", "::1", own, f"{own.partition('.')[0]}.local"}
    names.update(host for host in listening if host not in _EVERYWHERE)
    names.update(name for name in also if not name.startswith("*."))
    try:
        found = socket.getaddrinfo(own, None)
    except OSError:
        found = []
    names.update(str(address[0]).partition("%")[0] for *_, address in found)
    return sorted(names)


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


def _read_chain(path: Path, key_path: Path) -> x509.Certificate | None:
    """The certificate, where file and key are whole and belong together: a crash may fall between the two."""
    content, key = private_files.read(path), private_files.read(key_path)
    if content is None or key is None:
        return None
    try:
        certificate = x509.load_pem_x509_certificate(content)
        private = serialization.load_pem_private_key(key, password=None)
    except ValueError:
        return None
    return certificate if private.public_key() == certificate.public_key() else None
