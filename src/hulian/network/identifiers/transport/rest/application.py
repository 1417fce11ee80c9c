"""The ASGI application: which path is whose, how many at once, and the headers that every answer carries."""

from __future__ import annotations

import importlib
import secrets
from collections.abc import Awaitable, Callable, Mapping
from email.utils import formatdate
from typing import TYPE_CHECKING, Any, Final

import anyio
import anyio.to_thread
import structlog

from hulian.kernel.errors import HulianError
from hulian.network.identifiers.transport.rest.answers import Answer, Streamed, json_answer, refusal
from hulian.network.identifiers.transport.rest.contract import Node
from hulian.network.identifiers.transport.rest.errors import (
    BusyError,
    DefectError,
    LoginError,
    MethodError,
    PathError,
    RestError,
)
from hulian.network.identifiers.transport.rest.handles import Handles
from hulian.network.identifiers.transport.rest.proving import Prover
from hulian.network.identifiers.transport.rest.query import Query
from hulian.network.identifiers.transport.rest.requests import Receive, Request, Scope, request_of
from hulian.network.identifiers.transport.rest.resolver.resolve import Resolver
from hulian.network.identifiers.transport.rest.sessions import Session, Sessions
from hulian.network.identifiers.wire.json_form.structures import site_to_json

if TYPE_CHECKING:
    from hulian.network.identifiers.transport.rest.bulk.route import Bulk
    from hulian.network.identifiers.transport.rest.operation import Operation

__all__ = ["Application"]

AT_ONCE: Final = 256
"""Requests under way; the next ones are told to come again."""

Send = Callable[[dict[str, Any]], Awaitable[None]]
_HANDLES: Final = "/api/handles"
_PREFIXES: Final = "/api/prefixes"
_SESSIONS: Final = "/api/sessions"
_BULK: Final = "hulian.network.identifiers.transport.rest.bulk.route"
_ROOM: Final = "hulian.network.identifiers.transport.rest.provisioning"
_ROOMS: Final = {
    "/api/applications": ("", f"{_ROOM}.applications"),
    "/api/v1/doip": ("enterprise", f"{_ROOM}.enterprise"),
    "/identity": ("second-level", f"{_ROOM}.second_level"),
    "/identityv2": ("second-level", f"{_ROOM}.second_level"),
}
"""Paths, the interface that has to be switched on for each, and the module whose ``Routes`` answer what begins with it."""
_OPERATION: Final = "hulian.network.identifiers.transport.rest.operation"
_READING: Final = ("GET", "HEAD", "OPTIONS")
_AUTHENTICATE: Final = ("www-authenticate", 'Basic realm="handle", Handle')
_SECURITY: Final = (
    ("content-security-policy", "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
)
_CORS: Final = (
    ("access-control-allow-origin", "*"),
    ("access-control-allow-methods", "GET, HEAD, OPTIONS"),
    ("access-control-allow-headers", "Accept, Accept-Language, Content-Type"),
    ("access-control-expose-headers", "Link, Location"),
    ("access-control-max-age", "86400"),
)
_log = structlog.get_logger(__name__)


class Application:
    """The HTTP face of ``node``. What strangers ask at most: `AT_ONCE` requests, bodies of 1 MiB, addresses of 16 KiB."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._sessions = Sessions()
        self._prover = Prover(node.proofs, self._sessions)
        self._handles = Handles(node, self._prover)
        self._resolver = Resolver(node)
        self._query = Query(node, self._prover)
        self._exact: dict[str, Mapping[str, Callable[[Request], Awaitable[Answer]]]] = {
            _HANDLES: {"GET": self._handles.list},
            _PREFIXES: {"GET": self._handles.prefixes},
            _SESSIONS: {"POST": self._session_begins},
            f"{_SESSIONS}/this": {"GET": self._session_shown, "PUT": self._session_shown, "DELETE": self._session_ends},
            "/api/site": {"GET": self._site},
            "/api/query": {"GET": self._query.read},
        }
        self._jobs: Bulk | None = None
        self._rooms: dict[str, Any] = {}
        self._operated: Operation | None = None
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the ASGI specification, HTTP."""
        if self._under_way >= AT_ONCE:
            await _sent(send, scope["method"], refusal(BusyError(f"more than {AT_ONCE} requests at once")))
            return
        self._under_way += 1
        try:
            answer = await self._answered(scope, receive)
            if isinstance(answer, Streamed):
                await _streamed(send, answer)
            else:
                await _sent(send, scope["method"], answer)
        finally:
            self._under_way -= 1

    async def _answered(self, scope: Scope, receive: Receive) -> Answer | Streamed:
        try:
            return await self._routed(request_of(scope, receive))
        except RestError as error:
            return _refused(error)
        except HulianError as error:
            return refusal(RestError(f"{error.message} ({error.code})", place=error.place, hint=error.hint))
        except Exception:  # noqa: BLE001 - one request that cannot be answered ends no listener
            reference = secrets.token_hex(4)
            _log.exception("defect in a request", reference=reference, path=scope["path"][:200])
            return refusal(DefectError(f"this should not have happened (reference {reference})"))

    async def _routed(self, request: Request) -> Answer | Streamed:
        path, method = request.path, request.method
        if method == "OPTIONS":
            return Answer(status=204, headers=(("allow", "GET, HEAD, OPTIONS, PUT, PATCH, POST, DELETE"),))
        if (routes := self._exact.get(path.rstrip("/"))) is not None:
            return await self._by_method(request, routes)
        if path.startswith(f"{_HANDLES}/"):
            return await self._handle(request, path[len(_HANDLES) + 1 :])
        if path.startswith(f"{_PREFIXES}/"):
            return await self._prefix(request, path[len(_PREFIXES) + 1 :])
        if path.rstrip("/") == "/api/bulk":
            bulk = await self._bulk()
            if method == "POST":
                return await bulk.post(request)
            return await self._by_method(request, {"GET": bulk.state})
        for base, (interface, room) in _ROOMS.items():
            if f"{path}/".startswith(f"{base}/") and (not interface or interface in self._node.interfaces):
                return await (await self._room(room)).answer(request)  # type: ignore[no-any-return]
        if path.rstrip("/") in ("/api/statistics", "/api/reports", "/api/votes"):
            return await self._by_method(request, (await self._operation()).routes(path.rstrip("/")))
        if path == "/api" or path.startswith("/api/") or path == "/":
            raise PathError(f"there is nothing at {path[:200]!r}")
        return await self._by_method(request, {"GET": self._resolver.read})

    async def _bulk(self) -> Bulk:
        """Its columns need libraries that nodes without bulk jobs do not hold in memory."""
        if self._jobs is None:
            module = await anyio.to_thread.run_sync(importlib.import_module, _BULK)
            if self._jobs is None:
                self._jobs = module.Bulk(self._node, self._prover)
        return self._jobs

    async def _room(self, name: str) -> Any:
        """The ``Routes`` of the module ``name``, which is loaded for the first request."""
        if name not in self._rooms:
            module = await anyio.to_thread.run_sync(importlib.import_module, name)
            self._rooms.setdefault(name, module.Routes(self._node, self._prover, self._sessions))
        return self._rooms[name]

    async def _operation(self) -> Operation:
        """Statistics, reports and votes: seldom asked for."""
        if self._operated is None:
            module = await anyio.to_thread.run_sync(importlib.import_module, _OPERATION)
            if self._operated is None:
                self._operated = module.Operation(self._node, self._prover)
        return self._operated

    @staticmethod
    async def _by_method(request: Request, routes: Mapping[str, Callable[[Request], Awaitable[Answer]]]) -> Answer:
        found = routes.get("GET" if request.method == "HEAD" else request.method)
        if found is None:
            allowed = (*routes, "HEAD", "OPTIONS") if "GET" in routes else (*routes, "OPTIONS")
            raise MethodError(f"{request.method} is nothing here", allowed=allowed, place=request.path[:200])
        return await found(request)

    async def _handle(self, request: Request, handle: str) -> Answer:
        routes: dict[str, Callable[[Request], Awaitable[Answer]]] = {
            "GET": lambda one: self._handles.read(one, handle),
            "PUT": lambda one: self._handles.write(one, handle),
            "PATCH": lambda one: self._handles.change(one, handle),
            "DELETE": lambda one: self._handles.delete(one, handle),
        }
        return await self._by_method(request, routes)

    async def _prefix(self, request: Request, prefix: str) -> Answer:
        routes: dict[str, Callable[[Request], Awaitable[Answer]]] = {
            "PUT": lambda one: self._handles.home(one, prefix, answers=True),
            "DELETE": lambda one: self._handles.home(one, prefix, answers=False),
        }
        return await self._by_method(request, routes)

    async def _site(self, request: Request) -> Answer:
        """What the node says of itself: addresses, ports, protocols."""
        if self._node.site is None:
            raise PathError("this node has no site of its own")
        if request.headers.get("accept", "").startswith("application/octet-stream"):
            return Answer(body=self._node.site.pack(), media_type="application/octet-stream")
        return json_answer(request, {"responseCode": 1, "data": {"format": "site", "value": site_to_json(self._node.site)}})

    # -- sessions ------------------------------------------------------------------------------------------------------

    async def _session_begins(self, request: Request) -> Answer:
        """A session, and who asks where the request proves it already (Basic, a client certificate)."""
        who = await self._prover.who(request)
        made = self._sessions.begin(request.source)
        if who is not None:
            self._sessions.prove(made, who)
        return _session(request, made, status=201)

    async def _session_shown(self, request: Request) -> Answer:
        """The session that the header names; a signature in it proves who asks."""
        return _session(request, await self._prover.session(request))

    async def _session_ends(self, request: Request) -> Answer:
        self._sessions.end(await self._prover.session(request))
        return Answer(status=204)


def _session(request: Request, session: Session, *, status: int = 200) -> Answer:
    document: dict[str, Any] = {
        "sessionId": session.key,
        "nonce": session.nonce_text,
        "authenticated": session.who is not None,
    }
    if session.who is not None:
        document["id"] = str(session.who)
    return json_answer(request, document, status=status, headers=(("cache-control", "no-store"),))


def _refused(error: RestError) -> Answer:
    found = refusal(error)
    if isinstance(error, LoginError):
        return Answer(status=found.status, body=found.body, headers=(*found.headers, _AUTHENTICATE))
    return found


async def _streamed(send: Send, answer: Streamed) -> None:
    found = {"date": formatdate(usegmt=True), **dict(_SECURITY), "cache-control": "no-store", "content-type": answer.media_type}
    headers = [(name.encode(), value.encode()) for name, value in found.items()]
    await send({"type": "http.response.start", "status": 200, "headers": headers})

    async def part(body: bytes) -> None:
        await send({"type": "http.response.body", "body": body, "more_body": True})

    await answer.lines(part)
    await send({"type": "http.response.body", "body": b""})


async def _sent(send: Send, method: str, answer: Answer) -> None:
    await send({"type": "http.response.start", "status": answer.status, "headers": head(method, answer)})
    await send({"type": "http.response.body", "body": b"" if method == "HEAD" else answer.body})


def head(method: str, answer: Answer) -> list[tuple[bytes, bytes]]:
    """The headers of ``answer``; its own stand in the place of those that all answers have."""
    found = {"date": formatdate(usegmt=True)}
    found.update(_SECURITY)
    if method in _READING:
        found.update(_CORS)
    if answer.status != 204:
        found["content-type"] = answer.media_type
        found["content-length"] = str(len(answer.body))
    several = []
    for name, value in answer.headers:
        if name in ("link", "www-authenticate"):
            several.append((name, value))
        else:
            found[name] = value
    return [(name.encode(), value.encode("latin-1")) for name, value in (*found.items(), *several)]
