"""The one place where a request is let in: host, login, cross-site proof, permission, in this order.

Every route declares what it needs with `needs` (an action of trust) or that it is `public`; a route that declares nothing
cannot be built. `admit` is the only guard of the application and runs before a byte of the body is read.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from anyio import to_thread
from litestar.connection import ASGIConnection
from litestar.handlers.base import BaseRouteHandler

from hulian.platform.api.errors import CrossSiteError, HostError, LoginRequiredError, MethodError
from hulian.trust import Action, Principal, Trust

__all__ = ["COOKIE", "CSRF_HEADER", "Admission", "Gate", "Visitor", "needs", "public", "visitor"]

COOKIE: Final = "hulian_session"
CSRF_HEADER: Final = "x-hulian-csrf"
_HOST: Final = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([0-9A-Za-z_.-]{1,253}))(?::[0-9]{0,5})?")
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

Connection = ASGIConnection[Any, Any, Any, Any]


class Admission(NamedTuple):
    """What a route needs. ``resource`` may hold ``{self}`` (the principal's name) and the route's path parameters."""

    action: Action | None
    resource: str = ""


class Visitor(NamedTuple):
    """Who asks, once let in: the principal, the address it came from, and the session token if a browser's."""

    principal: Principal | None
    source: str
    session: str = ""
    bearer: str = ""

    @property
    def name(self) -> str:
        return self.principal.name if self.principal else ""


def needs(action: Action, resource: str = "") -> dict[str, Any]:
    """The ``opt`` of a route that needs the permission ``action``."""
    return {"admission": Admission(action, resource)}


def public() -> dict[str, Any]:
    """The ``opt`` of a route that anyone may call; a login that comes along is recognised."""
    return {"admission": Admission(None)}


def visitor(connection: Connection) -> Visitor:
    """Who `Gate.admit` let in."""
    found: Visitor = connection.scope["state"]["visitor"]
    return found


class Gate:
    """Lets requests in or raises the error that says why not. Holds no state of its own."""

    def __init__(self, trust: Trust, allowed_hosts: Sequence[str]) -> None:
        self._trust = trust
        own = socket.gethostname().lower()
        short = own.partition(".")[0]
        self._hosts = {"localhost", own, short, f"{short}.local", *(host.lower() for host in allowed_hosts)}

    async def admit(self, connection: Connection, handler: BaseRouteHandler) -> None:
        """The guard of every route."""
        host = self._check_host(connection)
        who = await self._recognise(connection)
        connection.scope["state"]["visitor"] = who
        if connection.scope.get("method", "GET") not in _SAFE:
            await self._check_site(connection, host, who)
        needed: Admission | None = handler.opt.get("admission")
        if needed is None and connection.scope.get("method") == "OPTIONS":
            raise MethodError("there is nothing to ask for across sites", place=connection.scope["path"])
        if needed is None:
            raise LoginRequiredError("this path is not open to anyone", place=connection.scope["path"])
        if needed.action is not None:
            values = {"self": who.name, **{key: str(value) for key, value in connection.path_params.items()}}
            await self.authorise(who, needed.action, _Template(needed.resource).fill(values))

    async def authorise(self, who: Visitor, action: Action, resource: str = "") -> None:
        """Asks trust; refusals are audited there. Raises its errors, or `LoginRequiredError` where nobody is logged in."""
        if who.principal is None:
            raise LoginRequiredError("this needs a login")
        await in_thread(lambda: self._trust.authority.authorise(who.principal, action, resource, source=who.source))

    async def still_valid(self, who: Visitor, action: Action) -> bool:
        """Whether the login behind an open stream still stands; asked now and then while the stream lasts."""

        def look() -> bool:
            if who.session:
                principal = self._trust.sessions.resolve(who.session)
            else:
                principal = self._trust.tokens.resolve(who.bearer) if who.bearer else None
            return principal is not None and self._trust.authority.allowed(principal, action)

        valid: bool = await in_thread(look)
        return valid

    def _check_host(self, connection: Connection) -> str:
        """An address cannot be rebound by a foreign name server, so every address may; a name must be one of ours."""
        given = connection.headers.getall("host", [])
        if len(given) > 1:
            raise HostError("the request names more than one host")
        header = given[0] if given else ""
        name = host_name(header)
        if name is None or not (_is_address(name) or any(_fits(name, allowed) for allowed in self._hosts)):
            raise HostError(f"this installation does not answer for the host {header[:100]!r}")
        return header.lower()

    async def _recognise(self, connection: Connection) -> Visitor:
        source = connection.client.host if connection.client else ""
        scheme, _, secret = connection.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and secret:
            principal = await in_thread(lambda: self._trust.tokens.resolve(secret.strip()))
            if principal is None:
                raise LoginRequiredError("the token is unknown, expired or revoked")
            return Visitor(principal, source, bearer=secret.strip())
        if token := connection.cookies.get(COOKIE, ""):
            principal = await in_thread(lambda: self._trust.sessions.resolve(token))
            return Visitor(principal, source, session=token if principal else "")
        return Visitor(None, source)

    async def _check_site(self, connection: Connection, host: str, who: Visitor) -> None:
        """A browser says where a request comes from, and a session proves itself by a value no other site can read."""
        origin = connection.headers.get("origin")
        if origin is not None and _netloc(origin) != host:
            raise CrossSiteError(f"the request comes from {origin[:100]!r}, another site")
        if connection.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
            raise CrossSiteError("the browser says that another site caused the request")
        if who.session:
            given = connection.headers.get(CSRF_HEADER, "")
            if not given:
                raise CrossSiteError("the header X-Hulian-CSRF is missing")
            await in_thread(lambda: self._trust.sessions.check_csrf(who.session, given))


class _Template(str):
    """A resource with ``{placeholders}``; a value is put in as it is, however odd."""

    __slots__ = ()

    def fill(self, values: dict[str, str]) -> str:
        text = str(self)
        for key, value in values.items():
            text = text.replace("{" + key + "}", value)
        return text


def host_name(header: str) -> str | None:
    """The name or address in a Host header without port and brackets, in lower case; None where there is none.

    Nothing else may stand there (RFC 9110, 7.2): what another reader would take for the host must not be a second one.

    >>> host_name("[::1]:8080"), host_name("Plant.local:80"), host_name(""), host_name("localhost@evil.example")
    ('::1', 'plant.local', None, None)
    """
    found = _HOST.fullmatch(header)
    return (found[1] or found[2]).lower() if found else None


def _netloc(origin: str) -> str | None:
    """Host and port of an Origin header, as a Host header has them; None where it is none."""
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _fits(name: str, allowed: str) -> bool:
    return name == allowed or (allowed.startswith("*.") and name.endswith(allowed[1:]))


async def in_thread(call: Callable[[], Any]) -> Any:
    """Runs a blocking call of trust or the catalogue without stopping the others."""
    return await to_thread.run_sync(call)
