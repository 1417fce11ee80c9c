"""Where a broker is, and whom we believe there: decisions and the TLS context; the one file access is that of certificates."""

from __future__ import annotations

import hashlib
import ssl
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Self
from urllib.parse import urlsplit

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from hulian.network.exchange.protocols.contract import PeerTrust
from hulian.network.exchange.protocols.mqtt.config import TlsSettings
from hulian.network.exchange.protocols.mqtt.errors import AddressError, OptionError, TlsError, UnapprovedError

__all__ = ["Place", "check_certificate", "tls_context"]

_PORTS: Final = {"mqtt": 1883, "mqtts": 8883}


class Place(msgspec.Struct, frozen=True):
    """A broker's host and port, and whether the connection is encrypted."""

    host: str
    port: int
    tls: bool

    @classmethod
    def of(cls, url: str) -> Self | None:
        """The place that ``url`` names; None for the platform's own listener (``mqtt://`` and ``mqtt://local``).

        Raises `AddressError` for what is neither; a password in a URL is refused, because URLs are shown and logged.

        >>> Place.of("mqtts://broker.example"), Place.of("mqtt://")
        (Place(host='broker.example', port=8883, tls=True), None)
        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError as error:
            raise AddressError(f"{url!r} is not an address: {error}", hint="write it as mqtt://host:1883") from error
        if parts.scheme in ("ws", "wss"):
            raise AddressError(
                "MQTT over WebSocket is not built in",
                place=url,
                hint="use the broker's TCP listener: mqtt://host:1883, or mqtts://host:8883 with TLS",
            )
        if parts.scheme not in _PORTS:
            raise AddressError(
                "not the address of an MQTT input",
                place=url,
                hint="write mqtt:// for the platform's own listener, mqtt://host or mqtts://host for a foreign broker",
            )
        if parts.username is not None or parts.password is not None:
            raise AddressError(
                "the address holds a user or a password",
                place=f"{parts.scheme}://{host}",
                hint="give them as the connector's credentials, by reference",
            )
        if parts.path.strip("/") or parts.query or parts.fragment:
            raise AddressError("the address of a broker has no path", place=url, hint="topics belong into the setting 'topics'")
        if parts.scheme == "mqtt" and port is None and host in ("", "local"):
            return None
        if not host:
            raise AddressError("the address names no host", place=url, hint="write it as mqtts://host:8883")
        return cls(host, port or _PORTS[parts.scheme], parts.scheme == "mqtts")

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'mqtts' if self.tls else 'mqtt'}://{host}:{self.port}"


def tls_context(settings: TlsSettings, trust: PeerTrust, application: str) -> ssl.SSLContext:
    """TLS 1.2 or newer. Where ``trust`` is 'approved' the certificate is looked at by `check_certificate` after the handshake,
    before anything of ours is sent. Reads files: call it in a thread. Raises `OptionError`."""
    if settings.trust == "file":
        try:
            context = ssl.create_default_context(cafile=settings.authority or None)
        except (OSError, ssl.SSLError) as error:
            raise OptionError(f"the authorities' file cannot be read: {error}", place=settings.authority) from error
        if not settings.authority:
            raise OptionError("trust = 'file' needs the key 'authority'", place="broker.tls")
    else:
        context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.trust == "approved":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if settings.certificate:
        _load_own(context, settings, trust, application)
    return context


def _load_own(context: ssl.SSLContext, settings: TlsSettings, trust: PeerTrust, application: str) -> None:
    try:
        if settings.certificate != "own":
            context.load_cert_chain(settings.certificate, settings.key or None)
            return
        der, key = trust.own(application)
        with tempfile.TemporaryDirectory() as name:
            # The standard library takes a key only from a file; the folder is ours alone, and gone at once.
            certificate_file, key_file = Path(name) / "certificate.pem", Path(name) / "key.pem"
            certificate_file.write_bytes(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM))
            key_file.touch(mode=0o600)
            key_file.write_bytes(key)
            context.load_cert_chain(certificate_file, key_file)
    except (OSError, ssl.SSLError, ValueError) as error:
        raise OptionError(f"our certificate cannot be used: {error}", place=settings.certificate) from error


def check_certificate(der: bytes | None, trust: PeerTrust, place: Place) -> None:
    """Believes the broker's certificate or raises `TlsError` (`UnapprovedError` where it waits for a person)."""
    if der is None:
        raise TlsError("the broker showed no certificate", place=str(place))
    try:
        parsed = x509.load_der_x509_certificate(der)
    except ValueError as error:
        raise TlsError("the broker's certificate is none", place=str(place)) from error
    now = datetime.now(UTC)
    if not parsed.not_valid_before_utc <= now <= parsed.not_valid_after_utc:
        raise TlsError(
            f"the broker's certificate is valid from {parsed.not_valid_before_utc:%Y-%m-%d} "
            f"to {parsed.not_valid_after_utc:%Y-%m-%d}, not now",
            place=str(place),
            hint="renew it on the broker, or set the clocks",
        )
    if not trust.check(der, peer=str(place)):
        fingerprint = hashlib.sha256(der).hexdigest().upper()
        raise UnapprovedError(
            f"the broker's certificate {fingerprint} ({parsed.subject.rfc4514_string()}) waits for approval", place=str(place)
        )
