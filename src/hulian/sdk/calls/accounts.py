"""Who may come in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hulian.kernel.identifier import escape
from hulian.sdk import records
from hulian.sdk.calls.asking import Moment, given, items, moment
from hulian.sdk.flow import Flow, Request, read

__all__ = [
    "change_user",
    "create_device",
    "create_token",
    "create_user",
    "devices",
    "remove_device",
    "remove_user",
    "revoke_token",
    "tokens",
    "users",
]


def users() -> Flow[list[records.User]]:
    """Everybody."""
    return items((yield Request("GET", "/users")), records.User)


def create_user(name: str, password: str, role: str, *, display: str = "", must_change: bool = True) -> Flow[records.User]:
    """Adds a person: viewer, operator, engineer or administrator."""
    body = {"name": name, "password": password, "role": role, "display": display, "must_change_password": must_change}
    return read((yield Request("POST", "/users", body=body)), records.User)


def change_user(name: str, **changes: Any) -> Flow[records.User]:
    """Changes role, display, disabled, must_change_password or password."""
    return read((yield Request("PATCH", f"/users/{escape(name)}", body=changes)), records.User)


def remove_user(name: str) -> Flow[None]:
    """Removes a person, their sessions and tokens."""
    yield Request("DELETE", f"/users/{escape(name)}")


def tokens(owner: str | None = None) -> Flow[list[records.Token]]:
    """API tokens, without their secrets."""
    return items((yield Request("GET", "/tokens", query=given(owner=owner))), records.Token)


def create_token(
    label: str, scopes: Iterable[str] = ("read",), *, expires: Moment | None = None, owner: str | None = None
) -> Flow[records.Token]:
    """Makes a token; its secret is in the answer and nowhere else."""
    body = {"label": label, "scopes": sorted(scopes), **given(expires=moment(expires), owner=owner)}
    return read((yield Request("POST", "/tokens", body=body)), records.Token)


def revoke_token(identity: str) -> Flow[None]:
    """Ends a token at once."""
    yield Request("DELETE", f"/tokens/{escape(identity)}")


def devices() -> Flow[list[records.Device]]:
    """Credentials of MQTT devices, without their passwords."""
    return items((yield Request("GET", "/devices")), records.Device)


def create_device(name: str, publish: Iterable[str], *, subscribe: Iterable[str] = ()) -> Flow[records.Device]:
    """Makes a credential that may publish to, and hear, these MQTT topic filters; the password is shown once."""
    body = {"name": name, "publish": list(publish), "subscribe": list(subscribe)}
    return read((yield Request("POST", "/devices", body=body)), records.Device)


def remove_device(name: str) -> Flow[None]:
    """Takes a device's credential away."""
    yield Request("DELETE", f"/devices/{escape(name)}")
