"""``hulian identifiers login`` and ``logins``: names and passwords for the interface of second-level nodes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from hulian.cli.errors import CommandError, NothingFoundError
from hulian.cli.local import ConfigFile, Json, read_configuration
from hulian.cli.output import emit, table

if TYPE_CHECKING:
    from pathlib import Path

    from hulian.network.identifiers.provisioning.logins import Logins
    from hulian.registry import Registry

__all__ = ["identifiers_login", "identifiers_logins"]

_LONGEST = 1_024


def identifiers_login(
    name: Annotated[str, Parameter(help="name of the login")],
    /,
    *,
    identity: Annotated[
        str, Parameter(name="--for", help="index:handle of the key that it acts as, e.g. 300:88.111.1/ADMIN")
    ] = "",
    remove: Annotated[bool, Parameter(help="there is no such login any more; its tokens end", negative="")] = False,
    config: ConfigFile = None,
) -> None:
    """Let somebody log in at this node's second-level interface with a name and a password, or end that.

    The password is asked for, or read from the standard input. It is kept as a hash (argon2id) and nowhere else. What the
    login may do is what HS_ADMIN values let the identity do. Setting it again changes the password, and ends its tokens.

    Examples:

        hulian identifiers login li --for 300:88.111.1/ADMIN
        hulian identifiers login li --remove
    """
    if bool(identity) == remove:
        raise CommandError("a login is for an identity, or is removed", hint="give --for index:handle, or --remove")
    registry, logins = _opened(config)
    try:
        if remove:
            if not logins.remove(name):
                raise NothingFoundError(f"there is no login {name}", hint="'hulian identifiers logins' lists them")
            print(f"{name} is removed")
            return
        from hulian.network.identifiers.wire.values import Reference

        logins.set(name, Reference.parse(identity), _password(name))
        print(f"{name} logs in as {identity}")
    finally:
        registry.close()


def identifiers_logins(*, config: ConfigFile = None, json: Json = False) -> None:
    """List the logins of this node's second-level interface.

    Example:

        hulian identifiers logins
    """
    from datetime import UTC, datetime

    registry, logins = _opened(config)
    try:
        found = [
            {
                "name": one.name,
                "identity": str(one.who),
                "changed": datetime.fromtimestamp(one.changed // 1_000_000_000, UTC).isoformat(),
            }
            for one in logins.all()
        ]
    finally:
        registry.close()
    if json:
        emit(found)
    else:
        table(
            found,
            ["name", "identity", "changed"],
            empty="No login: 'hulian identifiers login' adds one.",
        )


def _opened(config: Path | None) -> tuple[Registry, Logins]:
    from hulian.assembly.preparation import open_registry
    from hulian.network.identifiers.provisioning.logins import Logins

    registry = open_registry(read_configuration(config))
    return registry, Logins(registry)


def _password(name: str) -> str:
    import getpass
    import sys

    if not sys.stdin.isatty():
        return sys.stdin.read(_LONGEST + 1).rstrip("\r\n")
    given = getpass.getpass(f"password of {name}: ")
    if getpass.getpass("once more: ") != given:
        raise CommandError("that was not the same password")
    return given
