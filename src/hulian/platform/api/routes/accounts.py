"""Who may: users, API tokens, credentials of MQTT devices."""

from __future__ import annotations

import time
from typing import Annotated, Any

import msgspec
from litestar import Request, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from hulian.kernel.identifier import unescape
from hulian.platform.api.access import Visitor, in_thread, needs, visitor
from hulian.platform.api.context import Context
from hulian.platform.api.errors import NotFoundError, RequestError
from hulian.platform.api.times import parse_time
from hulian.trust import Action, Device, Role, Scope, Token, User

__all__ = ["ROUTES"]

Says = msgspec.Meta


def _ms(nanoseconds: int | None) -> float | None:
    return nanoseconds // 1000 / 1000 if nanoseconds else None


class UserView(msgspec.Struct, frozen=True, kw_only=True):
    """A person."""

    name: str
    display: str
    role: str
    disabled: bool
    must_change_password: bool
    created_ms: float | None
    last_login_ms: float | None


class UserPage(msgspec.Struct, frozen=True, kw_only=True):
    """Everybody, by name."""

    items: list[UserView]


class UserBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new person, with a first password that they change."""

    name: Annotated[str, Says(min_length=1, max_length=64, examples=["ada"])]
    password: Annotated[str, Says(max_length=1000)]
    role: Role
    display: Annotated[str, Says(max_length=200)] = ""
    must_change_password: bool = True


class UserChange(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What changes; a new ``password`` has to be changed by its owner."""

    role: Role | None = None
    display: Annotated[str, Says(max_length=200)] | None = None
    disabled: bool | None = None
    must_change_password: bool | None = None
    password: Annotated[str, Says(max_length=1000)] | None = None


class TokenView(msgspec.Struct, frozen=True, kw_only=True):
    """A token. ``secret`` is there once: in the answer that made it."""

    id: str
    owner: str
    label: str
    scopes: list[str]
    created_ms: float | None
    expires_ms: float | None
    last_used_ms: float | None
    secret: str = ""


class TokenPage(msgspec.Struct, frozen=True, kw_only=True):
    """Tokens without their secrets."""

    items: list[TokenView]


class TokenBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new token of oneself, or with the right to it of somebody else; it never has more scopes than its owner."""

    label: Annotated[str, Says(min_length=1, max_length=200, examples=["grafana"])]
    scopes: Annotated[list[Scope], Says(min_length=1)]
    expires: Annotated[str | int | None, Says(description="RFC 3339 or ns", examples=["2027-01-01T00:00:00Z"])] = None
    owner: Annotated[str, Says(max_length=64)] | None = None


class DeviceView(msgspec.Struct, frozen=True, kw_only=True):
    """The credential of an MQTT device. ``password`` is there once."""

    name: str
    publish: list[str]
    subscribe: list[str]
    enabled: bool
    created_ms: float | None
    password: str = ""


class DevicePage(msgspec.Struct, frozen=True, kw_only=True):
    """Credentials without their passwords."""

    items: list[DeviceView]


class DeviceBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new credential, or with ``renew`` a new password for one that is there."""

    name: Annotated[str, Says(min_length=1, max_length=64, examples=["analyser-1"])]
    publish: Annotated[list[str], Says(description="MQTT topic filters", examples=[["plant/line1/#"]])] = []
    subscribe: list[str] = []
    renew: bool = False


# -- users -----------------------------------------------------------------------------------------------------------


def _user(user: User) -> UserView:
    return UserView(
        name=user.name,
        display=user.display,
        role=user.role,
        disabled=user.disabled,
        must_change_password=user.must_change_password,
        created_ms=_ms(user.created),
        last_login_ms=_ms(user.last_login),
    )


@get("/users", opt=needs(Action.USERS_READ), summary="Everybody", tags=["accounts"])
async def users(context: NamedDependency[Context]) -> UserPage:
    """By name."""
    return UserPage(items=[_user(user) for user in await in_thread(context.trust.users.list)])


@post("/users", opt=needs(Action.USERS_WRITE), status_code=201, summary="Add a person", tags=["accounts"])
async def add_user(request: Request[Any, Any, Any], context: NamedDependency[Context], data: JSONBody[UserBody]) -> UserView:
    """Viewer, operator, engineer or administrator."""
    by = visitor(request).name
    return _user(
        await in_thread(
            lambda: context.trust.users.add(
                data.name,
                data.password,
                data.role,
                display=data.display,
                must_change_password=data.must_change_password,
                by=by,
            )
        )
    )


@patch("/users/{name:str}", opt=needs(Action.USERS_WRITE, "user:{name}"), summary="Change a person", tags=["accounts"])
async def change_user(
    request: Request[Any, Any, Any], context: NamedDependency[Context], name: FromPath[str], data: JSONBody[UserChange]
) -> UserView:
    """Who is disabled is logged out at once; the last administrator stays one."""
    by, known = visitor(request).name, _plain(name)

    def write() -> User:
        if data.password is not None:
            context.trust.users.set_password(known, data.password, by=by)
        return context.trust.users.change(
            known,
            role=data.role,
            display=data.display,
            disabled=data.disabled,
            must_change_password=data.must_change_password,
            by=by,
        )

    return _user(await in_thread(write))


@delete("/users/{name:str}", opt=needs(Action.USERS_WRITE, "user:{name}"), summary="Remove a person", tags=["accounts"])
async def remove_user(request: Request[Any, Any, Any], context: NamedDependency[Context], name: FromPath[str]) -> None:
    """With sessions and tokens."""
    by = visitor(request).name
    await in_thread(lambda: context.trust.users.remove(_plain(name), by=by))


# -- tokens ----------------------------------------------------------------------------------------------------------


def _token(token: Token, secret: str = "") -> TokenView:
    return TokenView(
        id=token.identity,
        owner=token.owner,
        label=token.label,
        scopes=sorted(token.scopes),
        created_ms=_ms(token.created),
        expires_ms=_ms(token.expires),
        last_used_ms=_ms(token.last_used),
        secret=secret,
    )


async def _may(context: Context, who: Visitor, action: Action, owner: str) -> None:
    if owner != who.name:
        await context.gate.authorise(who, action, f"user:{owner}")


@get("/tokens", opt=needs(Action.TOKENS_READ, "user:{self}"), summary="API tokens", tags=["accounts"])
async def tokens(
    request: Request[Any, Any, Any],
    context: NamedDependency[Context],
    owner: Annotated[str | None, QueryParameter(description="of somebody else")] = None,
) -> TokenPage:
    """Everybody's for an administrator, else one's own."""
    who = visitor(request)
    all_of_them = who.principal is not None and context.trust.authority.allowed(who.principal, Action.TOKENS_READ)
    wanted = owner or (None if all_of_them else who.name)
    if wanted is not None:
        await _may(context, who, Action.TOKENS_READ, wanted)
    return TokenPage(items=[_token(token) for token in await in_thread(lambda: context.trust.tokens.list(wanted))])


@post("/tokens", opt=needs(Action.TOKENS_WRITE, "user:{self}"), status_code=201, summary="Make a token", tags=["accounts"])
async def make_token(
    request: Request[Any, Any, Any], context: NamedDependency[Context], data: JSONBody[TokenBody]
) -> TokenView:
    """The secret is in this answer and nowhere else."""
    who = visitor(request)
    owner = data.owner or who.name
    await _may(context, who, Action.TOKENS_WRITE, owner)
    now = time.time_ns()
    expires = parse_time(data.expires, now=now, place="$.expires") if data.expires is not None else None
    if expires is not None and expires <= now:
        raise RequestError("the token would have expired already", place="$.expires")
    issued = await in_thread(lambda: context.trust.tokens.issue(owner, data.label, data.scopes, expires=expires, by=who.name))
    return _token(issued.token, issued.secret)


@delete("/tokens/{identity:str}", opt=needs(Action.TOKENS_WRITE, "user:{self}"), summary="End a token", tags=["accounts"])
async def revoke_token(request: Request[Any, Any, Any], context: NamedDependency[Context], identity: FromPath[str]) -> None:
    """At once."""
    who, known = visitor(request), _plain(identity)
    token = await in_thread(lambda: context.trust.tokens.get(known))
    if token is None:
        await context.gate.authorise(who, Action.TOKENS_WRITE, "user:")
        raise NotFoundError(f"there is no token {known[:60]!r}")
    await _may(context, who, Action.TOKENS_WRITE, token.owner)
    await in_thread(lambda: context.trust.tokens.revoke(known, by=who.name))


# -- devices ---------------------------------------------------------------------------------------------------------


def _device(device: Device, password: str = "") -> DeviceView:
    return DeviceView(
        name=device.name,
        publish=list(device.publish),
        subscribe=list(device.subscribe),
        enabled=device.enabled,
        created_ms=_ms(device.created),
        password=password,
    )


@get("/devices", opt=needs(Action.CREDENTIALS_READ), summary="Credentials of MQTT devices", tags=["accounts"])
async def devices(context: NamedDependency[Context]) -> DevicePage:
    """Without their passwords."""
    return DevicePage(items=[_device(device) for device in await in_thread(context.trust.devices.list)])


@post("/devices", opt=needs(Action.CREDENTIALS_WRITE), status_code=201, summary="Admit an MQTT device", tags=["accounts"])
async def add_device(
    request: Request[Any, Any, Any], context: NamedDependency[Context], data: JSONBody[DeviceBody]
) -> DeviceView:
    """It may publish to, and hear, only its topics; the password is in this answer and nowhere else."""
    by = visitor(request).name

    def write() -> DeviceView:
        if data.renew:
            renewed = context.trust.devices.renew(data.name, by=by)
            return _device(renewed.device, renewed.password)
        issued = context.trust.devices.add(data.name, publish=data.publish, subscribe=data.subscribe, by=by)
        return _device(issued.device, issued.password)

    made: DeviceView = await in_thread(write)
    await context.house.accounts_changed()
    return made


@delete(
    "/devices/{name:str}", opt=needs(Action.CREDENTIALS_WRITE, "device:{name}"), summary="Send a device away", tags=["accounts"]
)
async def remove_device(request: Request[Any, Any, Any], context: NamedDependency[Context], name: FromPath[str]) -> None:
    """It is disconnected."""
    by = visitor(request).name
    await in_thread(lambda: context.trust.devices.remove(_plain(name), by=by))
    await context.house.accounts_changed()


def _plain(token: str) -> str:
    """A name from a path: escaped, or as it is where it needs no escaping."""
    return unescape(token) if "~" in token else token


ROUTES = [
    users,
    add_user,
    change_user,
    remove_user,
    tokens,
    make_token,
    revoke_token,
    devices,
    add_device,
    remove_device,
]
