"""Foreign certificates a person decides about, and the certificate we show to foreign servers (OPC 10000-4, 6.1)."""

from __future__ import annotations

import datetime
import hashlib
import re
import socket
import time
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from hulian.trust import issuing, private_files
from hulian.trust.audit import Audit
from hulian.trust.errors import CertificateError
from hulian.trust.issuing import nanoseconds
from hulian.trust.principals import Action

__all__ = ["Peer", "PeerState", "Peers"]

_PENDING_KEPT: Final = 200
_LARGEST: Final = 64 * 1024
_SEEN_EVERY: Final = 3600 * 1_000_000_000
_WARN_DAYS: Final = 30
_OWN_DAYS: Final = 3650
_THUMBPRINT: Final = re.compile(r"[0-9a-f]{64}\Z")


class PeerState(StrEnum):
    """What a person decided about a certificate."""

    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"


class Peer(msgspec.Struct, frozen=True, kw_only=True):
    """A foreign certificate, as a person judges it. ``thumbprint`` is SHA-256 in hexadecimal; times are UTC ns.

    ``sha1`` is what OPC UA calls a thumbprint and what its products show; only people compare it, nothing is decided by it.
    ``peer`` is what the device calls itself and where it was met; ``edge`` the edge node that met it, empty for the platform
    itself. ``warning`` says what is odd about it: that it has expired, ends soon, is not valid yet, or has a weak key.
    """

    thumbprint: str
    sha1: str
    state: PeerState
    subject: str
    issuer: str
    application_uri: str
    names: tuple[str, ...]
    peer: str
    not_before: int
    not_after: int
    warning: str
    first_seen: int
    last_seen: int
    decided_by: str = ""
    decided_at: int = 0
    edge: str = ""


class _Remembered(msgspec.Struct, kw_only=True):
    peer: str
    first_seen: int
    last_seen: int
    decided_by: str = ""
    decided_at: int = 0
    expired_when_decided: bool = False
    edge: str = ""


class Peers:
    """The three stores of foreign certificates: a directory each, so that every process of the node reads the same.

    Implements `hulian.network.exchange.protocols.contract.PeerTrust`. An unknown certificate waits for a person; at most
    200 wait, then the one seen longest ago goes. A rejected one never waits again. An approved one stops being good when it
    expires, unless a person approved it after that.
    """

    def __init__(self, directory: Path, audit: Audit | None = None, *, clock: Callable[[], int] = time.time_ns) -> None:
        self._directory = private_files.private_directory(directory)
        for state in PeerState:
            private_files.private_directory(directory / state)
        private_files.private_directory(directory / "own")
        self._audit = audit
        self._clock = clock

    def check(self, certificate: bytes, *, peer: str, edge: str = "") -> bool:
        """Whether the DER ``certificate`` that ``peer`` showed is approved, to the edge node ``edge`` or to us; an unknown one
        is put up for approval."""
        parsed = _parsed(certificate)
        thumbprint = hashlib.sha256(certificate).hexdigest()
        now = self._clock()
        with private_files.locked(self._directory):
            state, found = self._find(thumbprint)
            if found is None:
                found = _Remembered(peer=peer[:500], edge=edge, first_seen=now, last_seen=now)
                self._put(PeerState.PENDING, thumbprint, certificate, found)
                self._drop_surplus()
                return False
            if now - found.last_seen > _SEEN_EVERY or (found.peer, found.edge) != (peer[:500], edge):
                found.peer, found.edge, found.last_seen = peer[:500], edge, now
                self._remember(state, thumbprint, found)
        if state is not PeerState.APPROVED:
            return False
        return found.expired_when_decided or now < nanoseconds(parsed.not_valid_after_utc)

    def list(self) -> list[Peer]:
        """Every known certificate: those that wait first, then by the time they were last seen."""
        found = [
            peer
            for state in PeerState
            for path in (self._directory / state).glob("*.der")
            if (peer := self._read(state, path.stem)) is not None
        ]
        order = list(PeerState)
        return sorted(found, key=lambda peer: (order.index(peer.state), -peer.last_seen, peer.thumbprint))

    def get(self, thumbprint: str) -> Peer | None:
        """The certificate of this thumbprint; None where it is unknown."""
        if not _THUMBPRINT.match(thumbprint):
            return None
        state, _ = self._find(thumbprint)
        return self._read(state, thumbprint)

    def decide(self, thumbprint: str, decision: PeerState, *, by: str) -> Peer:
        """Moves the certificate to another store. Raises `CertificateError` where it is unknown."""
        with private_files.locked(self._directory):
            state, found = self._known(thumbprint)
            certificate = private_files.read(self._file(state, thumbprint))
            if certificate is None:
                raise CertificateError(f"there is no certificate {thumbprint[:16]}…")
            now = self._clock()
            expired = now >= nanoseconds(_parsed(certificate).not_valid_after_utc)
            found.decided_by, found.decided_at, found.expired_when_decided = by, now, expired
            self._put(decision, thumbprint, certificate, found)
            if state is not decision:
                self._delete(state, thumbprint)
        peer = self._read(decision, thumbprint)
        if peer is None:
            raise CertificateError(f"the certificate {thumbprint[:16]}… went away")
        self._record(by, thumbprint, {"decision": decision.value, "subject": peer.subject, "peer": peer.peer})
        return peer

    def forget(self, thumbprint: str, *, by: str) -> None:
        """Removes the certificate; the next time it is shown, it waits for approval."""
        with private_files.locked(self._directory):
            state, _ = self._known(thumbprint)
            self._delete(state, thumbprint)
        self._record(by, thumbprint, {"decision": "forgotten"})

    def own(self, application_uri: str) -> tuple[bytes, bytes]:
        """Our application certificate (DER) and private key (PEM) for ``application_uri``.

        Made once (RSA 2048, self-signed, ten years): a new one would have to be approved again at every server, so it is
        renewed only when it has expired.
        """
        name = hashlib.sha256(application_uri.encode()).hexdigest()[:32]
        path = self._directory / "own" / f"{name}.pem"
        with private_files.locked(self._directory):
            content = private_files.read(path)
            if content is not None:
                try:
                    certificate = x509.load_pem_x509_certificate(content)
                    key = serialization.load_pem_private_key(content, password=None)
                except ValueError as error:
                    raise CertificateError("our application certificate cannot be read", place=str(path)) from error
                if self._clock() < nanoseconds(certificate.not_valid_after_utc):
                    return certificate.public_bytes(serialization.Encoding.DER), _key_pem(key)
            made, made_key = _application_certificate(application_uri, self._clock())
            private_files.replace(path, _key_pem(made_key) + made.public_bytes(serialization.Encoding.PEM))
            return made.public_bytes(serialization.Encoding.DER), _key_pem(made_key)

    def _find(self, thumbprint: str) -> tuple[PeerState, _Remembered | None]:
        for state in (PeerState.REJECTED, PeerState.APPROVED, PeerState.PENDING):
            if (content := private_files.read(self._file(state, thumbprint, "json"))) is not None:
                return state, msgspec.json.decode(content, type=_Remembered)
        return PeerState.PENDING, None

    def _known(self, thumbprint: str) -> tuple[PeerState, _Remembered]:
        if _THUMBPRINT.match(thumbprint):
            state, found = self._find(thumbprint)
            if found is not None:
                return state, found
        raise CertificateError(f"there is no certificate {thumbprint[:16]}…", hint="list them with 'hulian certificate list'")

    def _read(self, state: PeerState, thumbprint: str) -> Peer | None:
        certificate = private_files.read(self._file(state, thumbprint))
        content = private_files.read(self._file(state, thumbprint, "json"))
        if certificate is None or content is None:
            return None
        found = msgspec.json.decode(content, type=_Remembered)
        parsed = _parsed(certificate)
        uris, names = _alternative_names(parsed)
        return Peer(
            thumbprint=thumbprint,
            sha1=hashlib.sha1(certificate).hexdigest(),  # noqa: S324 - a name that people know, not a proof
            state=state,
            subject=parsed.subject.rfc4514_string(),
            issuer=parsed.issuer.rfc4514_string(),
            application_uri=uris[0] if uris else "",
            names=tuple(names),
            peer=found.peer,
            edge=found.edge,
            not_before=nanoseconds(parsed.not_valid_before_utc),
            not_after=nanoseconds(parsed.not_valid_after_utc),
            warning=_warning(parsed, self._clock()),
            first_seen=found.first_seen,
            last_seen=found.last_seen,
            decided_by=found.decided_by,
            decided_at=found.decided_at,
        )

    def _put(self, state: PeerState, thumbprint: str, certificate: bytes, found: _Remembered) -> None:
        private_files.replace(self._file(state, thumbprint), certificate)
        self._remember(state, thumbprint, found)

    def _remember(self, state: PeerState, thumbprint: str, found: _Remembered) -> None:
        private_files.replace(self._file(state, thumbprint, "json"), msgspec.json.encode(found))

    def _delete(self, state: PeerState, thumbprint: str) -> None:
        self._file(state, thumbprint, "json").unlink(missing_ok=True)
        self._file(state, thumbprint).unlink(missing_ok=True)

    def _drop_surplus(self) -> None:
        waiting = list((self._directory / PeerState.PENDING).glob("*.json"))
        if len(waiting) <= _PENDING_KEPT:
            return
        waiting.sort(key=lambda path: path.stat().st_mtime_ns)
        for path in waiting[: len(waiting) - _PENDING_KEPT]:
            self._delete(PeerState.PENDING, path.stem)

    def _file(self, state: PeerState, thumbprint: str, kind: str = "der") -> Path:
        return self._directory / state / f"{thumbprint}.{kind}"

    def _record(self, by: str, thumbprint: str, details: dict[str, str]) -> None:
        if self._audit is not None:
            self._audit.record(by, Action.CERTIFICATES_DECIDE, f"certificate:{thumbprint}", details=details)


def _parsed(certificate: bytes) -> x509.Certificate:
    if len(certificate) > _LARGEST:
        raise CertificateError(f"the certificate is larger than {_LARGEST} bytes")
    try:
        return x509.load_der_x509_certificate(certificate)
    except ValueError as error:
        raise CertificateError("what the peer showed is not a certificate (X.509, DER)") from error


def _alternative_names(certificate: x509.Certificate) -> tuple[list[str], list[str]]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return [], []
    names = [*found.get_values_for_type(x509.DNSName), *map(str, found.get_values_for_type(x509.IPAddress))]
    return list(found.get_values_for_type(x509.UniformResourceIdentifier)), names


def _warning(certificate: x509.Certificate, now: int) -> str:
    begins, ends = nanoseconds(certificate.not_valid_before_utc), nanoseconds(certificate.not_valid_after_utc)
    if now >= ends:
        return f"expired on {certificate.not_valid_after_utc:%Y-%m-%d}"
    if now < begins:
        return f"not valid before {certificate.not_valid_before_utc:%Y-%m-%d}"
    days = (ends - now) // (86400 * 1_000_000_000)
    if days < _WARN_DAYS:
        return f"expires in {days} days"
    try:
        key = certificate.public_key()
    except Exception as error:  # noqa: BLE001 - a key of a kind this library does not know
        return f"has a key of an unknown kind ({type(error).__name__})"
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < 2048:
        return f"has a weak key (RSA, {key.key_size} bits)"
    digest = certificate.signature_hash_algorithm
    if digest is not None and digest.name in ("md5", "sha1"):
        return f"is signed with {digest.name.upper()}"
    return ""


def _application_certificate(uri: str, now: int) -> tuple[x509.Certificate, rsa.RSAPrivateKey]:
    """As OPC 10000-6, 6.2.2 asks of an application instance certificate."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    host = socket.gethostname()
    begins = datetime.datetime.fromtimestamp(now // issuing.NANOSECONDS, datetime.UTC) - issuing.BACKDATED
    alternative: list[x509.GeneralName] = [x509.UniformResourceIdentifier(uri)]
    try:
        alternative.append(x509.DNSName(host.encode("idna").decode() or "localhost"))
    except UnicodeError:
        alternative.append(x509.DNSName("localhost"))
    certificate = issuing.issue(
        subject=issuing.distinguished(f"Hulian @ {host}", "Hulian"),
        key=key,
        begins=begins,
        ends=begins + _OWN_DAYS * issuing.DAY,
        extensions=[
            (x509.SubjectAlternativeName(alternative), False),
            (x509.BasicConstraints(ca=False, path_length=None), True),
            (issuing.usage(signature=True, commitment=True, encipherment=True, certificates=True), True),
            (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]), False),
        ],
    )
    return certificate, key


def _key_pem(key: object) -> bytes:
    if not isinstance(key, rsa.RSAPrivateKey):
        raise CertificateError("our application key is of another kind than RSA")
    return issuing.private_pem(key)
