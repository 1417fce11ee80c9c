"""``hulian certificate``, ``user``, ``token``, ``device``, ``secret``, ``ca``: who may do what."""

from __future__ import annotations

import getpass
import secrets as random
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from hulian.cli.local import DEFAULT_REMOTE, ConfigFile, Json, Remote, open_platform, read_configuration
from hulian.cli.output import emit, table

__all__ = [
    "ca",
    "certificate_approve",
    "certificate_list",
    "certificate_reject",
    "device_add",
    "device_list",
    "device_remove",
    "secret_list",
    "secret_remove",
    "secret_set",
    "token_create",
    "token_list",
    "token_revoke",
    "user_add",
    "user_list",
    "user_remove",
    "user_reset",
]


def certificate_list(*, remote: Remote = DEFAULT_REMOTE, json: Json = False) -> None:
    """List the certificates that devices have shown, and what was decided about them."""
    with open_platform(remote) as platform:
        found = platform.certificates()
    if json:
        emit(found)
        return
    rows = [
        {
            "state": item.state,
            "peer": item.peer,
            "node": item.edge,
            "subject": item.subject,
            "thumbprint": item.thumbprint,
            "warning": item.warning,
        }
        for item in found
    ]
    table(rows, ["state", "peer", "node", "subject", "thumbprint", "warning"], empty="No device has shown a certificate yet.")


def certificate_approve(thumbprint: str, /, *, remote: Remote = DEFAULT_REMOTE) -> None:
    """Trust a device's certificate; its connector goes on by itself."""
    with open_platform(remote) as platform:
        print(f"{platform.decide_certificate(thumbprint, 'approve').subject}: approved")


def certificate_reject(thumbprint: str, /, *, remote: Remote = DEFAULT_REMOTE) -> None:
    """Refuse a device's certificate."""
    with open_platform(remote) as platform:
        print(f"{platform.decide_certificate(thumbprint, 'reject').subject}: rejected")


def user_list(*, remote: Remote = DEFAULT_REMOTE, json: Json = False) -> None:
    """List the users."""
    with open_platform(remote) as platform:
        found = platform.users()
    if json:
        emit(found)
        return
    rows = [{"name": item.name, "role": item.role, "display": item.display, "disabled": item.disabled} for item in found]
    table(rows, ["name", "role", "display", "disabled"], empty="There are no users.")


def user_add(
    name: str,
    /,
    *,
    role: Literal["viewer", "operator", "engineer", "administrator"] = "viewer",
    remote: Remote = DEFAULT_REMOTE,
) -> None:
    """Add a user with a random password, shown once, to be changed at the first login.

    Example:

        hulian user add mei --role engineer
    """
    password = random.token_urlsafe(15)
    with open_platform(remote) as platform:
        platform.create_user(name, password, role)
    print(f"user      {name}\npassword  {password}\n\nIt is shown only now, and must be changed at the first login.")


def user_remove(name: str, /, *, remote: Remote = DEFAULT_REMOTE) -> None:
    """Remove a user, with sessions and tokens."""
    with open_platform(remote) as platform:
        platform.remove_user(name)
    print(f"{name} is removed")


def user_reset(name: str = "admin", /, *, config: ConfigFile = None) -> None:
    """Give a user a new random password, on the node itself: for whoever has lost the administrator's.

    Example:

        hulian user reset admin
    """
    from hulian.assembly.preparation import open_registry, open_trust

    configuration = read_configuration(config)
    registry = open_registry(configuration)
    try:
        password = random.token_urlsafe(15)
        open_trust(configuration, registry).users.set_password(name, password, by="command line", must_change=True)
    finally:
        registry.close()
    print(f"user      {name}\npassword  {password}\n\nIt is shown only now, and must be changed at the next login.")


def token_list(*, remote: Remote = DEFAULT_REMOTE, json: Json = False) -> None:
    """List the API tokens."""
    with open_platform(remote) as platform:
        found = platform.tokens()
    if json:
        emit(found)
        return
    rows = [{"id": item.id, "label": item.label, "owner": item.owner, "scopes": " ".join(item.scopes)} for item in found]
    table(rows, ["id", "label", "owner", "scopes"], empty="There are no tokens.")


def token_create(
    label: Annotated[str, Parameter(help="what it is for")],
    /,
    *,
    scopes: Annotated[list[str] | None, Parameter(help="read, annotate, command, configure, administer", negative="")] = None,
    days: Annotated[int, Parameter(help="days until it expires")] = 90,
    remote: Remote = DEFAULT_REMOTE,
    json: Json = False,
) -> None:
    """Make an API token; its secret is shown once.

    Examples:

        hulian token create "nightly report" --days 365
        hulian token create notebook --scopes read annotate
    """
    with open_platform(remote) as platform:
        made = platform.create_token(label, scopes or ["read"], expires=datetime.now(UTC) + timedelta(days=days))
    if json:
        emit(made)
    else:
        print(f"{made.secret}\n\nIt is shown only now. Use it as $HULIAN_TOKEN or 'Authorization: Bearer …'.")


def token_revoke(identity: str, /, *, remote: Remote = DEFAULT_REMOTE) -> None:
    """Revoke an API token at once."""
    with open_platform(remote) as platform:
        platform.revoke_token(identity)
    print(f"{identity} is revoked")


def device_list(*, remote: Remote = DEFAULT_REMOTE, json: Json = False) -> None:
    """List the credentials of MQTT devices."""
    with open_platform(remote) as platform:
        found = platform.devices()
    if json:
        emit(found)
        return
    rows = [{"name": item.name, "publish": " ".join(item.publish), "subscribe": " ".join(item.subscribe)} for item in found]
    table(rows, ["name", "publish", "subscribe"], empty="There are no device credentials. Add one with 'hulian device add'.")


def device_add(
    name: str,
    /,
    *,
    publish: Annotated[list[str], Parameter(help="topic filters the device may publish to", negative="")],
    subscribe: Annotated[list[str] | None, Parameter(help="topic filters it may hear", negative="")] = None,
    remote: Remote = DEFAULT_REMOTE,
    json: Json = False,
) -> None:
    """Make a credential for an MQTT device; its password is shown once.

    Example:

        hulian device add gateway-1 --publish 'plant/gateway-1/#'
    """
    with open_platform(remote) as platform:
        made = platform.create_device(name, publish, subscribe=subscribe or [])
    if json:
        emit(made)
    else:
        print(f"user      {made.name}\npassword  {made.password}\n\nIt is shown only now.")


def device_remove(name: str, /, *, remote: Remote = DEFAULT_REMOTE) -> None:
    """Remove a device's credential; its connection ends at once."""
    with open_platform(remote) as platform:
        platform.remove_device(name)
    print(f"{name} is removed")


def secret_list(*, config: ConfigFile = None) -> None:
    """List the names of the secrets that are kept here, never the secrets."""
    from hulian.assembly.preparation import open_secrets

    for name in open_secrets(read_configuration(config)).names():
        print(name)


def secret_set(name: str, /, *, config: ConfigFile = None) -> None:
    """Keep a secret, asked for on the terminal or read from standard input; configuration refers to it as secret:NAME.

    Examples:

        hulian secret set press-password
        hulian secret set press-password < password.txt
    """
    from hulian.assembly.preparation import open_secrets

    value = getpass.getpass(f"secret {name}: ") if sys.stdin.isatty() else sys.stdin.read().rstrip("\r\n")
    open_secrets(read_configuration(config)).set(name, value)
    print(f"refer to it as secret:{name}")


def secret_remove(name: str, /, *, config: ConfigFile = None) -> None:
    """Forget a secret."""
    from hulian.assembly.preparation import open_secrets

    open_secrets(read_configuration(config)).delete(name)


def ca(
    target: Annotated[Path | None, Parameter(help="file to write; the terminal where none is named")] = None,
    /,
    *,
    config: ConfigFile = None,
) -> None:
    """Write the certificate of this installation's own authority, for browsers, phones and devices.

    Example:

        hulian ca hulian-ca.pem
    """
    from hulian.assembly.preparation import open_authority

    pem = open_authority(read_configuration(config)).root_pem()
    text = pem.decode() if isinstance(pem, bytes) else pem
    if target is None:
        sys.stdout.write(text)
    else:
        target.write_text(text)
        print(target)
