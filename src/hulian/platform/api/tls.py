"""The certificate that the API shows, which can be another from one connection to the next."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

from hulian.platform.api.errors import CertificateError

__all__ = ["ServerTls"]


class ServerTls:
    """The TLS context of a listener over the files that ``files`` gives (chain and key, PEM).

    `renew` takes up what the files hold now: connections that are open go on, new ones are shown the new certificate.
    Nothing below TLS 1.2 is spoken. Raises `CertificateError` where the files cannot be used; what was in use stays so.
    """

    def __init__(self, files: Callable[[], tuple[Path, Path]]) -> None:
        self._files = files
        self._current = self._load()
        self._listening = self._load()
        self._listening.sni_callback = self._choose

    def context(self) -> ssl.SSLContext:
        """For the listener, once."""
        return self._listening

    def chain(self) -> Path:
        """The file of the chain; made or renewed where the local authority makes it."""
        return self._files()[0]

    def renew(self) -> None:
        """See the class. May be called from any thread."""
        self._current = self._load()

    def _choose(self, connection: ssl.SSLSocket | ssl.SSLObject, name: str | None, context: ssl.SSLContext) -> None:
        # Called at the beginning of every handshake, with or without a name. Loading into the context that listens
        # would keep an old certificate beside a new one whose key is of another kind.
        connection.context = self._current

    def _load(self) -> ssl.SSLContext:
        chain, key = self._files()
        found = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        found.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            found.load_cert_chain(chain, key)
        except OSError as error:
            raise CertificateError(f"cannot be used: {error.strerror or error}", place=str(chain)) from error
        return found
