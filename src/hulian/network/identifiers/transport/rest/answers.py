"""What is answered: a status, headers and a body, mostly JSON; and which status a response code of the protocol becomes."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import msgspec

from hulian.network.identifiers.transport.rest.errors import MethodError, RequestError, RestError
from hulian.network.identifiers.transport.rest.requests import Request
from hulian.network.identifiers.wire.codes import ResponseCode, response_text

__all__ = ["Answer", "Streamed", "failure", "json_answer", "refusal", "status_of"]

_STATUS: Final = {
    ResponseCode.SUCCESS: 200,
    ResponseCode.SERVER_BUSY: 503,
    ResponseCode.PROTOCOL_ERROR: 400,
    ResponseCode.NOT_SUPPORTED: 400,
    ResponseCode.RECURSION_TOO_DEEP: 400,
    ResponseCode.SERVER_READ_ONLY: 403,
    ResponseCode.HANDLE_NOT_FOUND: 404,
    ResponseCode.HANDLE_EXISTS: 409,
    ResponseCode.INVALID_HANDLE: 400,
    ResponseCode.VALUES_NOT_FOUND: 400,
    ResponseCode.VALUE_EXISTS: 409,
    ResponseCode.INVALID_VALUE: 400,
    ResponseCode.OUTDATED_SITE: 400,
    ResponseCode.NOT_RESPONSIBLE: 400,
    ResponseCode.SERVICE_REFERRAL: 400,
    ResponseCode.PREFIX_REFERRAL: 400,
    ResponseCode.AUTHENTICATION_NEEDED: 401,
}
_CALLBACK: Final = re.compile(r"[A-Za-z_$][A-Za-z0-9_$.]{0,99}")


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """One answer, whole."""

    status: int = 200
    body: bytes = b""
    media_type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = ()


class Streamed(msgspec.Struct, frozen=True):
    """An answer whose body is made by ``lines``, which is given what sends one part of it."""

    media_type: str
    lines: Callable[[Callable[[bytes], Awaitable[None]]], Awaitable[None]]


def status_of(code: int, *, reading: bool = False) -> int:
    """The HTTP status of a response code; when ``reading``, that a record has no such values is no error.

    >>> status_of(100), status_of(200), status_of(200, reading=True), status_of(402), status_of(403), status_of(2)
    (404, 400, 200, 401, 403, 500)
    """
    if reading and code == ResponseCode.VALUES_NOT_FOUND:
        return 200
    if 400 <= code < 500 and code != ResponseCode.AUTHENTICATION_NEEDED:
        return 403
    return _STATUS.get(ResponseCode(code), 500) if code in ResponseCode.__members__.values() else 500


def json_answer(
    request: Request, document: Mapping[str, Any], *, status: int = 200, headers: tuple[tuple[str, str], ...] = ()
) -> Answer:
    """``document`` as JSON; indented with ``pretty``, as a call of the function ``callback`` where a script asks for it.

    Raises `RequestError` for a callback that is no name of a function.
    """
    body = msgspec.json.encode(document)
    if request.truth("pretty", default=False):
        body = msgspec.json.format(body, indent=2)
    name = request.text("callback")
    if not name:
        return Answer(status=status, body=body, headers=headers)
    if not _CALLBACK.fullmatch(name) or request.method not in ("GET", "HEAD"):
        raise RequestError("a callback is the name of a function, for reading", place="?callback")
    # A script cannot read a status, and JSON is a part of JavaScript but for two line separators.
    script = b"/**/%b(%b);" % (name.encode(), body.replace(b"\xe2\x80\xa8", b"\\u2028").replace(b"\xe2\x80\xa9", b"\\u2029"))
    return Answer(status=200, body=script, media_type="application/javascript", headers=headers)


def refusal(error: RestError) -> Answer:
    """The answer that shows ``error``: a response code for clients of the Handle System, and what helps people."""
    code = {401: ResponseCode.AUTHENTICATION_NEEDED, 403: ResponseCode.NOT_PERMITTED, 503: ResponseCode.SERVER_BUSY}.get(
        error.status, ResponseCode.ERROR if error.status >= 500 else ResponseCode.PROTOCOL_ERROR
    )
    document = {"responseCode": code.value, **error.as_dict()}
    headers: list[tuple[str, str]] = [("cache-control", "no-store")]
    if error.retry_after:
        headers.append(("retry-after", str(error.retry_after)))
    if isinstance(error, MethodError):
        headers.append(("allow", ", ".join(error.allowed)))
    return Answer(status=error.status, body=msgspec.json.encode(document), headers=tuple(headers))


def failure(request: Request, handle: str, code: int, message: str, *, reading: bool = False) -> Answer:
    """The answer to a request that the chain did not do."""
    document: dict[str, Any] = {"responseCode": int(code), "handle": handle}
    if not (reading and code == ResponseCode.VALUES_NOT_FOUND):
        document["message"] = message or response_text(code)
    return json_answer(request, document, status=status_of(code, reading=reading))
