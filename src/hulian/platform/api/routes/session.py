"""Logging in and out."""

from __future__ import annotations

import time
from typing import Annotated, Any

import msgspec
from litestar import Request, Response, delete, get, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.params import JSONBody

from hulian.platform.api.access import COOKIE, Visitor, in_thread, needs, public, visitor
from hulian.platform.api.context import Context
from hulian.platform.api.errors import LoginRequiredError
from hulian.platform.api.times import SECOND
from hulian.trust import Action

__all__ = ["ROUTES"]

Says = msgspec.Meta


class LoginBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Who logs in."""

    user: Annotated[str, Says(max_length=200, examples=["admin"])]
    password: Annotated[str, Says(max_length=1000, examples=["correct horse battery staple"])]


class PasswordBody(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The old password and the new one."""

    old: Annotated[str, Says(max_length=1000)]
    new: Annotated[str, Says(max_length=1000)]


class SessionView(msgspec.Struct, frozen=True, kw_only=True):
    """Who is logged in. ``csrf`` belongs into the header X-Hulian-CSRF of every request that changes something."""

    user: str
    kind: str
    role: str
    scopes: list[str]
    csrf: str
    must_change_password: bool
    organisation: str
    version: str


def _view(context: Context, who: Visitor) -> SessionView:
    from hulian.kernel.version import VERSION

    principal = who.principal
    if principal is None:
        raise LoginRequiredError("nobody is logged in")
    return SessionView(
        user=principal.name,
        kind=principal.kind,
        role=principal.role,
        scopes=sorted(principal.scopes),
        csrf=context.trust.sessions.csrf(who.session) if who.session else "",
        must_change_password=principal.must_change_password,
        organisation=context.house.organisation,
        version=VERSION,
    )


def _cookie(request: Request[Any, Any, Any], token: str, seconds: int) -> Cookie:
    secure = request.scope["scheme"] == "https"
    return Cookie(key=COOKIE, value=token, path="/", httponly=True, samesite="strict", secure=secure, max_age=seconds)


@post("/session", opt=public(), status_code=200, summary="Log in", tags=["session"])
async def login(
    request: Request[Any, Any, Any], context: NamedDependency[Context], data: JSONBody[LoginBody]
) -> Response[SessionView]:
    """Sets the session's cookie. Too many wrong attempts of a user or an address: 429 with Retry-After."""
    who = visitor(request)
    made = await in_thread(lambda: context.trust.sessions.login(data.user, data.password, source=who.source))
    if who.session:
        await in_thread(lambda: context.trust.sessions.end(who.session))
    seconds = max(0, (made.expires - time.time_ns()) // SECOND)
    view = _view(context, Visitor(made.principal, who.source, session=made.token))
    return Response(view, cookies=[_cookie(request, made.token, seconds)], headers={"Cache-Control": "no-store"})


@get("/session", opt=needs(Action.SESSIONS_WRITE, "user:{self}"), summary="Who is logged in", tags=["session"])
async def session(request: Request[Any, Any, Any], context: NamedDependency[Context]) -> SessionView:
    """401 where nobody is."""
    return _view(context, visitor(request))


@delete("/session", opt=needs(Action.SESSIONS_WRITE, "user:{self}"), summary="Log out", tags=["session"])
async def logout(request: Request[Any, Any, Any], context: NamedDependency[Context]) -> Response[None]:
    """The session ends on the server; its cookie is worth nothing afterwards."""
    who = visitor(request)
    if who.session:
        await in_thread(lambda: context.trust.sessions.end(who.session))
    return Response(None, status_code=204, cookies=[_cookie(request, "", 0)])


@post(
    "/session/password",
    opt=needs(Action.SESSIONS_WRITE, "user:{self}"),
    status_code=200,
    summary="Change the own password",
    tags=["session"],
)
async def change_password(
    request: Request[Any, Any, Any], context: NamedDependency[Context], data: JSONBody[PasswordBody]
) -> SessionView:
    """Ends the user's other sessions; this one stays."""
    who = visitor(request)
    keep = context.trust.sessions.digest(who.session) if who.session else None
    await in_thread(lambda: context.trust.users.change_password(who.name, data.old, data.new, source=who.source, keep=keep))
    principal = await in_thread(lambda: context.trust.sessions.resolve(who.session)) if who.session else who.principal
    return _view(context, who._replace(principal=principal))


ROUTES = [login, session, logout, change_password]
