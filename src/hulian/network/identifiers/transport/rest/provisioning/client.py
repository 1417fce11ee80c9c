"""The other side of ``/api/applications``: applies, looks and decides as somebody whose key proves it."""

from __future__ import annotations

import base64
import contextlib
import hmac
import secrets
from typing import Any, Final
from urllib.parse import quote

import httpx
import msgspec

from hulian.kernel.unreadable import UNREADABLE
from hulian.network.identifiers.provisioning import Proposal
from hulian.network.identifiers.provisioning.errors import AnsweredError
from hulian.network.identifiers.wire.authentication.respond import Identity, KeyIdentity
from hulian.network.identifiers.wire.authentication.signers import digest_name

__all__ = ["Applications"]

_PATH: Final = "/api/applications"
_VERSION: Final = (2, 11)


class Applications:
    """The applications at the node that ``http`` speaks to. ``identity`` proves who asks, by a session; applying needs none.

    Every method raises `AnsweredError` where the node does not do it, or cannot be reached.
    """

    def __init__(self, http: httpx.AsyncClient, identity: Identity | None = None) -> None:
        self._http = http
        self._identity = identity
        self._session: dict[str, Any] = {}

    async def apply(self, proposal: Proposal) -> dict[str, Any]:
        """The application as it stands: a new one, or the one that came before with the same text."""
        return await self._sent("POST", _PATH, _signed(proposal), proved=False)

    async def page(self, state: str = "", after: int = 0, limit: int = 50) -> dict[str, Any]:
        """``applications``, and where the ``next`` page begins (None: nowhere)."""
        query = f"?after={after}&limit={limit}" + (f"&state={quote(state)}" if state else "")
        return await self._sent("GET", _PATH + query)

    async def show(self, identity: str) -> dict[str, Any]:
        """One application, with its history."""
        return await self._sent("GET", f"{_PATH}/{quote(identity, safe='')}")

    async def act(
        self,
        identity: str,
        action: str,
        *,
        reason: str = "",
        revision: int | None = None,
        proposal: Proposal | None = None,
    ) -> dict[str, Any]:
        """The application after ``action``."""
        document: dict[str, Any] = {"action": action, "reason": reason, "revision": revision}
        if proposal is not None:
            document |= _signed(proposal)
        return await self._sent("PUT", f"{_PATH}/{quote(identity, safe='')}", document)

    async def close(self) -> None:
        """Ends the session, for a node has a bounded number of them. One that cannot be ended ends by itself."""
        session = str(self._session.get("sessionId", ""))
        self._session = {}
        if session:
            with contextlib.suppress(httpx.HTTPError):
                await self._http.delete("/api/sessions/this", headers={"Authorization": f'Handle sessionId="{session}"'})

    # -- one request ---------------------------------------------------------------------------------------------------

    async def _sent(self, method: str, path: str, document: Any = None, *, proved: bool = True) -> dict[str, Any]:
        headers = {"Authorization": await self._proof()} if proved else {}
        return await self._exchanged(method, path, document, headers)

    async def _exchanged(self, method: str, path: str, document: Any, headers: dict[str, str]) -> dict[str, Any]:
        body = None if document is None else msgspec.json.encode(document)
        place = str(self._http.base_url)
        try:
            answer = await self._http.request(method, path, content=body, headers=headers)
        except httpx.HTTPError as error:
            hint = "is it the address of its HTTP interface? does it run? --ca names the authority of its certificate"
            raise AnsweredError(f"the node cannot be asked: {error or type(error).__name__}", place=place, hint=hint) from error
        try:
            found = msgspec.json.decode(answer.content)
        except UNREADABLE:
            found = None
        if not isinstance(found, dict):
            raise AnsweredError(f"the answer is no JSON (status {answer.status_code})", status=answer.status_code, place=place)
        if answer.is_success:
            return found
        said, code = str(found.get("message", "no reason is given")), str(found.get("code", ""))
        raise AnsweredError(
            f"{said} ({code or answer.status_code})",
            status=answer.status_code,
            place=str(found.get("place", "")),
            hint=str(found.get("hint", "")),
            said=said,
            answered=code,
        )

    async def _proof(self) -> str:
        """The header that proves who asks: a signature over the nonce of a session and one of ours."""
        identity = self._identity
        if identity is None:
            raise AnsweredError("nobody is named who asks", hint="give an identity, and its key")
        if not self._session:
            self._session = await self._exchanged("POST", "/api/sessions", None, {})
        try:
            session, nonce = str(self._session["sessionId"]), base64.b64decode(self._session["nonce"])
        except (KeyError, TypeError, ValueError):
            raise AnsweredError("the node opens no session", place=str(self._http.base_url)) from None
        cnonce = secrets.token_bytes(16)
        if isinstance(identity, KeyIdentity):
            kind, name = "HS_PUBKEY", digest_name(identity.signer, _VERSION, dsa_key=identity.dsa)
            signature = identity.signer.sign(nonce + cnonce, name, identity.handle.encode())
        else:
            kind, name = "HS_SECKEY", "HMAC-SHA256"
            signature = hmac.digest(identity.secret.reveal(), nonce + cnonce, "sha256")
        mine, signed = base64.b64encode(cnonce).decode(), base64.b64encode(signature).decode()
        return (
            f'Handle sessionId="{session}", id="{identity.index}:{identity.handle}", type="{kind}", cnonce="{mine}", '
            f'alg="{name}", signature="{signed}"'
        )


def _signed(proposal: Proposal) -> dict[str, str]:
    return {"registration": proposal.text, "signature": base64.b64encode(proposal.signature).decode()}
