"""The other side of a bulk job: a file of rows goes to a node, and what became of them comes back."""

from __future__ import annotations

import base64
import hmac
import secrets
import ssl
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any, Final

import anyio
import httpx
import msgspec

from hulian.kernel.unreadable import UNREADABLE
from hulian.network.identifiers.transport.rest.errors import JobError, RequestError
from hulian.network.identifiers.wire.authentication.respond import Identity, KeyIdentity

__all__ = ["FORMS", "send"]

FORMS: Final = {".csv": "text/csv", ".arrow": "application/vnd.apache.arrow.stream"}
"""What a file's name says of its rows."""

_PART: Final = 1 << 18
_SECONDS: Final = 600.0
_LONGEST_LINE: Final = 1 << 20


async def send(
    url: str,
    context: ssl.SSLContext,
    identity: Identity,
    path: Path,
    job: str,
    *,
    sent: Callable[[int], None] = lambda _: None,
) -> list[dict[str, Any]]:
    """Sends the rows in ``path`` to the node at ``url`` (``https://…``) as its job ``job``, proved by ``identity``.

    The lines that the node answers: refused rows one by one, how far it is, and at the end whether it is done. A job that was
    cut goes on where it was: send the same file again. ``sent`` is told how many bytes have gone out.

    Raises `RequestError` for a file whose name says nothing of its rows, `JobError` where the node cannot be reached, hears
    nobody out or does not take the job, each with what the node says of it.
    """
    form = FORMS.get(path.suffix.lower())
    if form is None:
        raise RequestError(f"'{path.suffix}' says nothing of the rows", place=str(path), hint=f"one of {', '.join(FORMS)}")
    try:
        async with httpx.AsyncClient(base_url=url, verify=context, timeout=_SECONDS) as client:
            session = await _proved(client, identity)
            headers = {"Authorization": f'Handle sessionId="{session}"', "Content-Type": form}
            query = {"job": job}
            async with client.stream("POST", "/api/bulk", params=query, content=_parts(path, sent), headers=headers) as answer:
                if answer.status_code != 200:
                    raise _refused(answer.status_code, await answer.aread())
                return [line async for line in _lines(answer)]
    except httpx.HTTPError as error:
        reason = str(error) or type(error).__name__
        raise JobError(
            f"the node cannot be reached: {reason}", place=url, hint="send the same file again: the job goes on"
        ) from error


async def _proved(client: httpx.AsyncClient, identity: Identity) -> str:
    """A session of the node that knows who asks, by a signature over both nonces: the key itself is never sent."""
    begun = await client.post("/api/sessions")
    if begun.status_code != 201:
        raise _refused(begun.status_code, begun.content)
    session = begun.json()
    cnonce = secrets.token_bytes(16)
    data = base64.b64decode(session["nonce"]) + cnonce
    if isinstance(identity, KeyIdentity):
        kind, name = "HS_PUBKEY", identity.signer.digests[0]
        code = identity.signer.sign(data, name, identity.handle.encode())
    else:
        kind, name = "HS_SECKEY", "HMAC-SHA256"
        code = hmac.digest(identity.secret.reveal(), data, "sha256")
    given = {
        "sessionId": session["sessionId"],
        "id": f"{identity.index}:{identity.handle}",
        "type": kind,
        "cnonce": base64.b64encode(cnonce).decode(),
        "alg": name,
        "signature": base64.b64encode(code).decode(),
    }
    header = "Handle " + ", ".join(f'{key}="{value}"' for key, value in given.items())
    proved = await client.put("/api/sessions/this", headers={"Authorization": header})
    if proved.status_code != 200:
        raise _refused(proved.status_code, proved.content)
    return str(session["sessionId"])


async def _parts(path: Path, sent: Callable[[int], None]) -> AsyncIterator[bytes]:
    count = 0
    async with await anyio.open_file(path, "rb") as file:
        while part := await file.read(_PART):
            yield part
            count += len(part)
            sent(count)


async def _lines(answer: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    async for line in answer.aiter_lines():
        if len(line) > _LONGEST_LINE:
            raise JobError("the node answers with a line that never ends")
        try:
            yield msgspec.json.decode(line, type=dict[str, Any])
        except UNREADABLE as error:
            raise JobError("the node answers something that is no line of JSON") from error


def _refused(status: int, content: bytes) -> JobError:
    try:
        said = msgspec.json.decode(content, type=dict[str, Any])
    except UNREADABLE:
        said = {}
    message = said.get("message") or said.get("error") or f"HTTP {status}"
    return JobError(f"the node refuses: {message}", hint=str(said.get("hint") or ""))
