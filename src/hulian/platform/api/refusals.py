"""Every error as an HTTP answer: JSON with code, message, place and hint, and the status that fits. Never a traceback."""

from __future__ import annotations

import secrets
import traceback
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import HTTPException, MethodNotAllowedException

from hulian.kernel.errors import HulianError
from hulian.platform.api.errors import (
    ApiError,
    DefectError,
    MethodError,
    NotFoundError,
    RequestError,
    TooLargeError,
    UnavailableError,
)

__all__ = ["HANDLERS", "RelayedError", "status_of"]

_log = structlog.get_logger("hulian.api")

_BY_CODE: Final = {
    "HL-TRUST-0001": 401,
    "HL-TRUST-0002": 403,
    "HL-TRUST-0003": 401,
    "HL-TRUST-0004": 429,
    "HL-TRUST-0005": 403,
    "HL-TRUST-0006": 403,
    "HL-TRUST-0011": 404,
    "HL-TRUST-0012": 409,
    "HL-TRUST-0014": 409,
    "HL-TRUST-0030": 500,
    "HL-HISTORIAN": 503,
    "HL-HISTORIAN-0003": 400,
    "HL-HISTORIAN-0004": 422,
    "HL-HISTORIAN-0010": 400,
    "HL-INGEST": 503,
    "HL-REGISTRY": 503,
    "HL-SPINE": 503,
    "HL-SPINE-0009": 400,
    "HL-CATALOGUE-0001": 404,
    "HL-CATALOGUE-0002": 404,
    "HL-CATALOGUE-0003": 409,
    "HL-CATALOGUE-0004": 409,
    "HL-CATALOGUE-0005": 409,
    "HL-CATALOGUE-0006": 409,
    "HL-CATALOGUE-0011": 413,
    "HL-CATALOGUE-0013": 422,
    "HL-CATALOGUE-0014": 409,
    "HL-CATALOGUE-0016": 404,
    "HL-EDGE": 503,
    "HL-EDGE-0002": 400,
    "HL-EDGE-0003": 404,
    "HL-EDGE-0004": 404,
    "HL-EDGE-0005": 403,
    "HL-EDGE-0006": 400,
    "HL-EDGE-0007": 409,
    "HL-EDGE-0008": 504,
    "HL-EDGE-0011": 400,
    "HL-EDGE-0012": 400,
    "HL-OPCUA-0001": 400,
    "HL-OPCUA-0002": 400,
    "HL-OPCUA-0042": 400,
    "HL-OPCUA": 502,
    "HL-MODBUS-0001": 400,
    "HL-MODBUS-0002": 400,
    "HL-MODBUS-0003": 400,
    "HL-MODBUS-0030": 400,
    "HL-MODBUS": 502,
    "HL-MQTT-0001": 400,
    "HL-MQTT-0002": 400,
    "HL-MQTT": 502,
    "HL-SEM-0011": 409,
    "HL-SEM-0012": 404,
    "HL-SEM-0021": 422,
    "HL-SEM-0031": 404,
    "HL-SEM-0032": 404,
    "HL-SEM-0033": 409,
    "HL-ID-0400": 502,
    "HL-ID-0401": 504,
    "HL-ID-0402": 502,
    "HL-ID-0403": 502,
    "HL-ID-0404": 404,
    "HL-ID-0406": 502,
    "HL-ID-0516": 403,
    "HL-ID-0517": 429,
    "HL-ID-0518": 503,
    "HL-ID-0523": 403,
    "HL-ID-0704": 503,
    "HL-ID-0706": 409,
    "HL-ID-0803": 404,
    "HL-ID-0804": 409,
    "HL-ID-0805": 403,
    "HL-ID-0806": 409,
    "HL-ID-0807": 503,
    "HL-ID-0808": 409,
    "HL-ID-0809": 500,
    "HL-ID-0811": 502,
    "HL-SEM-0001": 422,
    "HL-SEM-0002": 422,
    "HL-SEM-0003": 422,
    "HL-SEM-0010": 422,
}
"""The status of an error of another room: by its code, else by its room, else 400, a mistake of the caller."""


_BY_RESPONSE: Final = {
    3: 503,  # server busy
    100: 404,  # no such handle
    101: 409,  # there is such a handle
    201: 409,  # there is such a value
    400: 403,  # no administrator
    401: 403,  # not permitted
    402: 403,  # authentication needed
    403: 403,  # authentication failed
}
"""The status where the server of an identifier refused, by the response code of its protocol."""


class RelayedError(HulianError):
    """An error that another component answered with: shown under its own code."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        super().__init__(
            str(document.get("message", "the component refused")),
            place=str(document.get("place", "")),
            hint=str(document.get("hint", "")),
        )
        self.code = str(document.get("code", "HL-API-0010"))  # type: ignore[misc]


def status_of(error: HulianError) -> int:
    """The HTTP status of ``error``. One that was relayed keeps its code, and so its status."""
    if isinstance(error, ApiError):
        return error.status
    if (refused := _BY_RESPONSE.get(getattr(error, "response_code", 0))) is not None:
        return refused
    room = error.code.rpartition("-")[0]
    return _BY_CODE.get(error.code) or _BY_CODE.get(room) or 400


def answer(error: HulianError, headers: dict[str, str] | None = None) -> Response[bytes]:
    """The response that shows ``error``."""
    status = status_of(error)
    extra = dict(headers or {})
    wait = getattr(error, "retry_after", None) or getattr(error, "seconds", None)
    if status == 429:
        extra["Retry-After"] = str(max(1, round(wait or 1)))
    if status == 401:
        extra["WWW-Authenticate"] = 'Bearer realm="hulian"'
    body = msgspec.json.encode(error.as_dict())
    return Response(body, media_type="application/json", status_code=status, headers={"Cache-Control": "no-store", **extra})


def _refused(_: Request[Any, Any, Any], error: HulianError) -> Response[bytes]:
    return answer(error)


def _refused_by_framework(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """What Litestar found wrong with a request, in our words."""
    path = request.scope["path"]
    match error.status_code:
        case 404:
            return answer(NotFoundError(f"there is nothing at {path[:200]}"))
        case 405:
            headers = error.headers if isinstance(error, MethodNotAllowedException) else None
            return answer(MethodError(f"{path[:200]} does not take {request.method}"), headers)
        case 413:
            return answer(TooLargeError("the body is larger than the limit", hint="see body_limit and import_limit of [api]"))
        case 503:
            return answer(UnavailableError(error.detail))
        case status if status >= 500:
            return _defect(request, error)
    place, what = _place_of(error)
    return answer(RequestError(what, place=place))


def _place_of(error: HTTPException) -> tuple[str, str]:
    """Where the request does not fit, and how: ``$.step`` of the body, or the parameter's name."""
    for item in error.extra if isinstance(error.extra, list) else ():
        if isinstance(item, dict):
            key, source = str(item.get("key", "")), str(item.get("source", ""))
            what = str(item.get("message", error.detail))
            if key == "data" and what == "'data'":
                return "$", "a JSON body is missing"
            return (f"$.{key}" if key != "data" else "$") if source == "body" else f"{source} {key}".strip(), what
    return "", error.detail or HTTPStatus(error.status_code).phrase


def _defect(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    reference = secrets.token_hex(4)
    _log.error("defect in a request", reference=reference, method=request.method, path=request.scope["path"], exc_info=error)
    return answer(DefectError(f"this should not have happened (reference {reference})"))


def _undecodable(request: Request[Any, Any, Any], error: UnicodeDecodeError) -> Response[bytes]:
    """msgspec finds bad UTF-8 inside JSON only when it makes the text, and says so with Python's own error."""
    frames = [frame.filename for frame in traceback.extract_tb(error.__traceback__)]
    if frames and frames[-1].endswith("msgspec_hooks.py"):
        return answer(RequestError(f"the body is not UTF-8: {error.reason}", place="$"))
    return _defect(request, error)


HANDLERS: Final[dict[Any, Any]] = {
    HulianError: _refused,
    HTTPException: _refused_by_framework,
    UnicodeDecodeError: _undecodable,
    Exception: _defect,
}
"""The exception handlers of the application."""
