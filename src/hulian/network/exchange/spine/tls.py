"""TLS towards our own spine: whom a component of this machine believes, and what it shows of itself."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Final

import msgspec

from hulian.network.exchange.spine.errors import SpineConfigurationError

__all__ = ["ClientTls", "SpineTrust", "shown_certificate"]

_BEGIN: Final = "-----BEGIN CERTIFICATE-----"
_END: Final = "-----END CERTIFICATE-----"
_LARGEST: Final = 1 << 20


class ClientTls(msgspec.Struct, frozen=True, kw_only=True):
    """The files (PEM) behind a connection to the spine.

    ``anchors`` are the certificates that are believed. ``pinned``: only the first of them, which is the listener's own; its
    name does not matter then, because nobody else has its key. ``certificate`` and ``key`` are what we show where the
    listener asks for it; empty: nothing.
    """

    anchors: str
    pinned: bool = False
    certificate: str = ""
    key: str = ""


class SpineTrust:
    """Gives the TLS context of each new connection, from the files as they are at that moment.

    A certificate that was believed once in this process stays so: a renewed file may be there before the server shows it.
    Nothing but TLS 1.2 and newer is spoken.
    """

    def __init__(self, files: ClientTls) -> None:
        self._files = files
        self._seen: dict[str, None] = {}

    def context(self) -> ssl.SSLContext:
        """Raises `SpineConfigurationError` where a file is missing or is none."""
        files = self._files
        found = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        found.minimum_version = ssl.TLSVersion.TLSv1_2
        found.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        found.check_hostname = not files.pinned
        try:
            for certificate in _certificates(Path(files.anchors))[: 1 if files.pinned else None]:
                self._seen[certificate] = None
            while len(self._seen) > 16:
                del self._seen[next(iter(self._seen))]
            found.load_verify_locations(cadata="\n".join(self._seen))
        except (OSError, ValueError) as error:
            raise SpineConfigurationError(f"not the certificate of the spine: {error}", place=files.anchors) from error
        if files.certificate:
            try:
                found.load_cert_chain(files.certificate, files.key)
            except OSError as error:
                raise SpineConfigurationError(
                    f"not a certificate and its key: {error.strerror or error}", place=files.certificate
                ) from error
        return found


def shown_certificate(host: str, port: int, *, greeting: bool = False, timeout: float = 5.0) -> bytes | None:
    """The certificate (DER) that a listener shows now, whoever signed it; None where nobody listens or answers.

    ``greeting``: the listener says a line before TLS begins, as the spine does. Nothing is sent but the handshake.
    Raises `ssl.SSLError` where TLS is not spoken there.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        plain = socket.create_connection((host, port), timeout)
    except OSError:
        return None
    with plain:
        try:
            if greeting and not _line(plain):
                return None
            with context.wrap_socket(plain, server_hostname=host) as secure:
                return secure.getpeercert(binary_form=True)
        except (ConnectionError, TimeoutError):
            return None


def _line(plain: socket.socket) -> bool:
    """Reads to the end of a line, byte by byte: what comes after it belongs to TLS."""
    for _ in range(65_536):
        byte = plain.recv(1)
        if byte in (b"", b"\n"):
            return bool(byte)
    return False


def _certificates(path: Path) -> list[str]:
    """The certificates of a PEM file, in order, without anything else that stands there. Raises `OSError`, `ValueError`."""
    with path.open("rb") as file:
        text = file.read(_LARGEST).decode("ascii", "replace")
    found = [f"{_BEGIN}{part.partition(_END)[0]}{_END}" for part in text.split(_BEGIN)[1:] if _END in part]
    if not found:
        raise ValueError("no certificate (PEM) in it")
    return found
