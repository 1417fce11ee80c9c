"""A request as the routes see it, read within bounds: path, query, headers, body."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final
from urllib.parse import parse_qsl, unquote_to_bytes

import msgspec

from hulian.network.identifiers.transport.rest.errors import RequestError, SizeError
from hulian.network.identifiers.wire.limits import MAX_VALUES

__all__ = ["LONGEST_BODY", "LONGEST_URL", "Receive", "Request", "Scope", "read_body", "request_of"]

LONGEST_BODY: Final = 1 << 20
"""Bytes of a body that is read as a whole."""

LONGEST_URL: Final = 16_384
"""Bytes of path and query."""

_MOST_PARAMETERS: Final = 2 * MAX_VALUES
_LONGEST_LENGTH: Final = 18

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
_TRUE: Final = frozenset(("true", "1", "", "yes"))
_FALSE: Final = frozenset(("false", "0", "no"))


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """``path`` is percent-decoded, ``query`` holds each name's values in order, ``headers`` have names in lower case.

    ``secure``: nobody between can read it (TLS, or loopback at both ends). ``certificate`` is what the client has shown and
    proved in the handshake, DER.
    """

    method: str
    path: str
    raw_path: str
    query: Mapping[str, list[str]]
    raw_query: str
    headers: Mapping[str, str]
    source: str
    secure: bool
    https: bool
    certificate: bytes | None
    receive: Receive

    def texts(self, name: str) -> list[str]:
        """Every value of the parameter ``name``."""
        return self.query.get(name, [])

    def text(self, name: str, default: str = "") -> str:
        """The one value of ``name``. Raises `RequestError` where there are more."""
        found = self.query.get(name)
        if found is None:
            return default
        if len(found) > 1:
            raise RequestError("it is given more than once", place=f"?{name}")
        return found[0]

    def truth(self, name: str, *, default: bool) -> bool:
        """True or false. Raises `RequestError`."""
        if name not in self.query:
            return default
        text = self.text(name).lower()
        if text not in _TRUE | _FALSE:
            raise RequestError("true or false belongs here", place=f"?{name}")
        return text in _TRUE

    def number(self, name: str, default: int, most: int) -> int:
        """A whole number from 0 to ``most``. Raises `RequestError`."""
        text = self.text(name)
        if name not in self.query:
            return default
        if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= most):
            raise RequestError(f"a whole number from 0 to {most} belongs here", place=f"?{name}")
        return int(text)


def request_of(scope: Scope, receive: Receive) -> Request:
    """What an ASGI scope describes. Raises `RequestError` for what cannot be read."""
    raw_path, raw_query = bytes(scope.get("raw_path") or scope["path"].encode()), bytes(scope.get("query_string", b""))
    if len(raw_path) + len(raw_query) > LONGEST_URL:
        raise RequestError(f"an address of more than {LONGEST_URL} bytes")
    try:
        path = unquote_to_bytes(raw_path).decode()
        query: dict[str, list[str]] = {}
        for name, value in parse_qsl(
            raw_query.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MOST_PARAMETERS, separator="&"
        ):
            query.setdefault(name, []).append(value)
    except UnicodeDecodeError:
        raise RequestError("an address that is not UTF-8") from None
    except ValueError:
        raise RequestError(f"more than {_MOST_PARAMETERS} parameters") from None
    headers: dict[str, str] = {}
    for name, value in scope["headers"]:
        key = name.decode("latin-1").lower()
        if key in headers and key == "authorization":
            raise RequestError("more than one Authorization", place="Authorization")
        headers[key] = f"{headers[key]}, {value.decode('latin-1')}" if key in headers else value.decode("latin-1")
    client, server = scope.get("client") or ("", 0), scope.get("server") or ("", 0)
    https = scope.get("scheme") == "https"
    return Request(
        method=scope["method"],
        path=path,
        raw_path=raw_path.decode("latin-1"),
        query=query,
        raw_query=raw_query.decode("latin-1"),
        headers=headers,
        source=str(client[0]),
        secure=https or (_loopback(client[0]) and _loopback(server[0])),
        https=https,
        certificate=scope.get("state", {}).get("certificate"),
        receive=receive,
    )


def _loopback(address: object) -> bool:
    try:
        found = ipaddress.ip_address(str(address).partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(found, "ipv4_mapped", None)
    return (mapped or found).is_loopback


async def read_body(request: Request, limit: int = LONGEST_BODY) -> bytes:
    """The whole body. Raises `SizeError` before more than ``limit`` bytes are kept."""
    told = request.headers.get("content-length", "")
    if told.isdecimal() and (len(told) > _LONGEST_LENGTH or int(told) > limit):
        raise SizeError(f"a body of more than {limit} bytes")
    parts, size = [], 0
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise RequestError("the sender went away")
        part = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise SizeError(f"a body of more than {limit} bytes")
        parts.append(part)
        if not message.get("more_body"):
            return b"".join(parts)
