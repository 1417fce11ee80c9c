"""The client's side of what nodes tell each other over HTTP: a signed message sent, a document asked for with a proved key."""

from __future__ import annotations

import base64
import contextlib
import secrets
import ssl
from pathlib import Path
from typing import Any, Final

import httpx

from hulian.network.identifiers.statistics.errors import DeliveryError
from hulian.network.identifiers.wire.authentication.respond import KeyIdentity
from hulian.network.identifiers.wire.values import Reference

__all__ = ["RestAsker"]

SECONDS: Final = 20.0
MOST: Final = 4 << 20
"""Bytes of an answer that are read."""

_NONCE: Final = 16


class RestAsker:
    """Asks the HTTP face at ``url``, whose certificate is of an authority in the PEM file ``authority`` (else of the system).

    Raises `DeliveryError` for whatever is not taken or cannot be read; plain HTTP goes to this machine alone.
    """

    def __init__(self, url: str, authority: str | Path = "", *, seconds: float = SECONDS) -> None:
        self._url = url.rstrip("/")
        host = httpx.URL(self._url).host if "://" in self._url else ""
        if not host or (not self._url.startswith("https://") and host not in ("127.0.0.1", "::1", "localhost")):
            raise DeliveryError("messages to other nodes go over https only", place=url, hint="https://HOST:PORT")
        self._authority, self._seconds = str(authority), seconds
        self._context: ssl.SSLContext | None = None

    async def post(self, path: str, body: bytes) -> dict[str, Any]:
        """Sends ``body``, JSON; the document that comes back."""
        async with self.client() as client:
            return await self._asked(client, "POST", path, content=body, headers={"content-type": "application/json"})

    async def get(self, path: str, identity: KeyIdentity | None = None) -> dict[str, Any]:
        """The document at ``path``, as everybody gets it, or as ``identity``, who proves a key by a session."""
        async with self.client() as client:
            if identity is None:
                return await self._asked(client, "GET", path)
            session = await self._asked(client, "POST", "/api/sessions")
            try:
                number, nonce = str(session["sessionId"]), base64.b64decode(session["nonce"])
            except (KeyError, TypeError, ValueError) as error:
                raise DeliveryError("no session came back", place=self._url) from error
            cnonce, name = secrets.token_bytes(_NONCE), identity.signer.digests[0]
            signature = identity.signer.sign(nonce + cnonce, name, identity.handle.encode())
            parts = {
                "sessionId": number,
                "id": str(Reference(identity.handle, identity.index)),
                "type": "HS_PUBKEY",
                "cnonce": base64.b64encode(cnonce).decode(),
                "alg": name,
                "signature": base64.b64encode(signature).decode(),
            }
            proof = "Handle " + ", ".join(f'{key}="{value}"' for key, value in parts.items())
            try:
                return await self._asked(client, "GET", path, headers={"authorization": proof})
            finally:
                # A node has a bounded number of sessions; one that cannot be ended ends by itself.
                with contextlib.suppress(httpx.HTTPError, OSError):
                    await client.delete("/api/sessions/this", headers={"authorization": f'Handle sessionId="{number}"'})

    @property
    def url(self) -> str:
        """The address of the interface."""
        return self._url

    def client(self) -> httpx.AsyncClient:
        """For whoever speaks to it in another way; who takes one closes it."""
        return httpx.AsyncClient(base_url=self._url, verify=self._trusted(), timeout=self._seconds, trust_env=False)

    def _trusted(self) -> ssl.SSLContext:
        """Whose certificates are believed; read once. On plain HTTP there are none."""
        if self._context is None:
            try:
                https = self._url.startswith("https://")
                plain = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                self._context = ssl.create_default_context(cafile=self._authority or None) if https else plain
            except (OSError, ssl.SSLError) as error:
                raise DeliveryError(f"the authority cannot be read: {error}", place=self._authority) from error
        return self._context

    async def _asked(self, client: httpx.AsyncClient, method: str, path: str, **more: Any) -> dict[str, Any]:
        try:
            async with client.stream(method, path, **more) as answer:
                body = b""
                async for part in answer.aiter_bytes():
                    body += part
                    if len(body) > MOST:
                        raise DeliveryError(f"an answer of more than {MOST} bytes", place=self._url)
            found = httpx.Response(answer.status_code, content=body).json() if body else {}
        except (httpx.HTTPError, OSError) as error:
            raise DeliveryError(f"it cannot be reached: {error or type(error).__name__}", place=self._url) from error
        except ValueError as error:
            raise DeliveryError(f"status {answer.status_code}, and no JSON", place=self._url) from error
        if not isinstance(found, dict) or answer.status_code >= 300:
            said, hint = (str(found.get(name, "")) for name in ("message", "hint")) if isinstance(found, dict) else ("", "")
            told = f"status {answer.status_code}: {said or 'no reason was given'}"
            raise DeliveryError(told, place=self._url, hint=hint, status=answer.status_code)
        return found
