"""``hulian browse``, ``connect``, ``connectors``, ``points``, ``write``: the plant."""

from __future__ import annotations

import fnmatch
import getpass
import sys
import time
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from hulian.cli.errors import AbandonedError, NothingFoundError
from hulian.cli.local import DEFAULT_REMOTE, Json, Remote, open_platform
from hulian.cli.output import emit, table

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hulian.sdk import Platform
    from hulian.sdk.records import Browsing, Connector, Node

__all__ = [
    "browse",
    "connect",
    "connector_disable",
    "connector_enable",
    "connector_remove",
    "connector_restart",
    "connectors",
    "points",
    "write",
]

User = Annotated[str, Parameter(help="user name that the device asks for")]
PasswordSource = Annotated[
    str, Parameter(name="--password", help="reference to the password: env:NAME, file:PATH or secret:NAME; asked for otherwise")
]
KeySource = Annotated[
    str, Parameter(name="--key", help="reference to the private key (PEM) of a certificate in the settings, as for --password")
]
EdgeName = Annotated[str, Parameter(name="--edge", help="edge node that looks, and runs it; the platform itself otherwise")]
Settings = Annotated[
    list[str], Parameter(name=["--set", "-s"], help="a setting of the protocol, e.g. --set security=none", negative="")
]


def browse(
    url: Annotated[str, Parameter(help="address of the device, e.g. opc.tcp://plc-1:4840")],
    /,
    *,
    under: Annotated[str, Parameter(help="address of the branch to look into")] = "",
    depth: Annotated[int, Parameter(help="levels to look down; 0 for all")] = 1,
    search: Annotated[str, Parameter(help="only what holds these words, on any level")] = "",
    user: User = "",
    password: PasswordSource = "",
    key: KeySource = "",
    settings: Settings | None = None,
    edge: EdgeName = "",
    remote: Remote = DEFAULT_REMOTE,
    json: Json = False,
) -> None:
    """List what a device shows: names, types, units, values.

    Examples:

        hulian browse opc.tcp://127.0.0.1:4840
        hulian browse opc.tcp://plc-1:4840 --depth 0
        hulian browse opc.tcp://plc-1:4840 --search "outlet pressure"
        hulian browse modbus://plc-2:502 --json
        hulian browse modbus://10.0.0.2:502 --edge press-hall
    """
    with open_platform(remote) as platform:
        credentials = _credentials(user, password, key)
        found = _look(platform, url, under, depth, credentials, _settings(settings), edge, search=search)
    if json:
        emit(found.nodes)
        return
    rows = [
        {
            "name": _shown(node, whole_path=bool(search)),
            "value": node.value[:40],
            "unit": node.unit,
            "type": node.storage or "",
            "address": node.address,
            "description": node.description[:60],
        }
        for node in found.nodes
    ]
    nothing = f"holds nothing with the words {search!r}. Try fewer" if search else "shows nothing here. Try --depth 0"
    table(rows, list(rows[0]) if rows else [], empty=f"{url} {nothing}, or another branch with --under.")
    if found.truncated:
        print("… and more: look into one branch with --under ADDRESS")


def _shown(node: Node, *, whole_path: bool) -> str:
    """As deep as it stands in a tree; with its path among what was found here and there."""
    depth = max(len(node.path) - 1, 0)
    return (" / ".join([*node.path[:-1], node.name]) if whole_path else "  " * depth + node.name) + ("" if node.leaf else "/")


def connect(
    url: Annotated[str, Parameter(help="address of the device, e.g. opc.tcp://plc-1:4840")],
    /,
    *,
    name: Annotated[str, Parameter(help="name of the connector; made from the address where none is given")] = "",
    thing: Annotated[str, Parameter(help="identifier of the thing that the points belong to, e.g. 99.118.8/press-1")] = "",
    path: Annotated[str, Parameter(help="place in the plant, e.g. plant/hall-2/line-1")] = "",
    under: Annotated[str, Parameter(help="address of the branch to take")] = "",
    select: Annotated[list[str] | None, Parameter(help="take only what matches, e.g. '*Pressure*'", negative="")] = None,
    user: User = "",
    password: PasswordSource = "",
    key: KeySource = "",
    settings: Settings | None = None,
    edge: EdgeName = "",
    approve: Annotated[bool, Parameter(help="approve the device's certificate without asking", negative="")] = False,
    dry_run: Annotated[bool, Parameter(help="show what would be connected and stop", negative="")] = False,
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], help="do not ask", negative="")] = False,
    remote: Remote = DEFAULT_REMOTE,
    json: Json = False,
) -> None:
    """Browse a device, propose points with names, units and kinds, write the configuration, start.

    Examples:

        hulian connect opc.tcp://127.0.0.1:4840
        hulian connect opc.tcp://plc-1:4840 --name press --select '*Pressure*' --yes
        hulian connect modbus://plc-2:502 --set interval=0.5 --dry-run
        hulian connect opc.tcp://10.0.0.3:4840 --edge press-hall
    """
    chosen, credentials = _settings(settings), _credentials(user, password, key)
    with open_platform(remote) as platform:
        found = _look(platform, url, under, 0, credentials, chosen, edge, approve=approve or yes)
        leaves = [node for node in found.nodes if node.leaf and _wanted(node, select)]
        if not leaves:
            raise NothingFoundError(
                f"{url} shows no values" + (" that match" if select else ""), hint="look with 'hulian browse'"
            )
        connector = name or _name_of(url)
        proposed = platform.propose(connector, leaves, thing=thing or None, path=path or None)
        if not json:
            _show(proposed)
        if dry_run:
            if json:
                emit(proposed)
            return
        if not (yes or json) and not _agreed(f"Connect {len(proposed)} points as '{connector}'?"):
            raise AbandonedError("nothing was changed")
        platform.create_connector(
            connector,
            url,
            protocol=found.protocol,
            settings=chosen,
            credentials=credentials,
            points=proposed,
            edge=edge or None,
        )
        made = _wait_connected(platform, connector)
    if json:
        emit({"connector": made, "points": proposed})
    else:
        _report(made)


def connectors(*, remote: Remote = DEFAULT_REMOTE, json: Json = False) -> None:
    """List the connectors: state, points, data age, last error and what to do about it.

    Examples:

        hulian connectors
        hulian connectors --json
    """
    with open_platform(remote) as platform:
        found = platform.connectors()
    if json:
        emit(found)
        return
    rows = []
    for item in found:
        status = (item.status or {}).get("status", item.status or {})
        rows.append(
            {
                "name": item.name,
                "state": status.get("state", "unknown") if item.enabled else "disabled",
                "points": item.points,
                "node": item.edge,
                "address": item.url,
                "age": _age(int(status.get("last_sample", 0) or 0)),
                "error": " ".join(filter(None, (status.get("error_code"), status.get("error"), status.get("hint")))),
            }
        )
    table(rows, list(rows[0]) if rows else [], empty="Nothing is connected. Begin with 'hulian connect opc.tcp://…'.")


def connector_enable(name: str, /, *, remote: Remote = DEFAULT_REMOTE) -> None:
    """Start a connector that was disabled."""
    with open_platform(remote) as platform:
        platform.change_connector(name, enabled=True)
        _report(_wait_connected(platform, name))


def connector_disable(name: str, /, *, remote: Remote = DEFAULT_REMOTE) -> None:
    """Stop a connector and keep its configuration and history."""
    with open_platform(remote) as platform:
        platform.change_connector(name, enabled=False)
    print(f"{name} is disabled")


def connector_restart(name: str, /, *, remote: Remote = DEFAULT_REMOTE) -> None:
    """Stop and start a connector."""
    with open_platform(remote) as platform:
        platform.restart_connector(name)
        _report(_wait_connected(platform, name))


def connector_remove(
    name: str, /, *, yes: Annotated[bool, Parameter(name=["--yes", "-y"], negative="")] = False, remote: Remote = DEFAULT_REMOTE
) -> None:
    """Remove a connector and its points; what was recorded stays in the historian."""
    if not yes and not _agreed(f"Remove the connector '{name}' and its points?"):
        raise AbandonedError("nothing was changed")
    with open_platform(remote) as platform:
        platform.remove_connector(name)
    print(f"{name} is removed")


def points(
    search: Annotated[str, Parameter(help="part of a name, tag, path or description")] = "",
    /,
    *,
    connector: Annotated[str, Parameter(help="only points of this connector")] = "",
    limit: Annotated[int, Parameter(help="rows at the most")] = 200,
    remote: Remote = DEFAULT_REMOTE,
    json: Json = False,
) -> None:
    """List points with their last values.

    Examples:

        hulian points
        hulian points pressure
        hulian points --connector press --json
    """
    with open_platform(remote) as platform:
        found = platform.points(search, connector=connector or None, limit=limit, last=True)
    if json:
        emit(found)
        return
    rows = [
        {
            "point": item.name,
            "value": item.last.value if item.last else None,
            "unit": item.unit,
            "quality": item.last.quality if item.last else "",
            "tag": item.tag,
            "path": item.path,
        }
        for item in found
    ]
    table(rows, list(rows[0]) if rows else [], empty="No point matches. Connect a device with 'hulian connect URL'.")


def write(
    point: Annotated[str, Parameter(help="name of a writable point")],
    value: Annotated[str, Parameter(help="true, false, a number or a text")],
    /,
    *,
    yes: Annotated[bool, Parameter(name=["--yes", "-y"], help="do not ask", negative="")] = False,
    remote: Remote = DEFAULT_REMOTE,
) -> None:
    """Write a value to a device, where its configuration allows it.

    Example:

        hulian write 99.118.8/reactor#set-point 12.5
    """
    if not yes and not _agreed(f"Write {value} to {point}?"):
        raise AbandonedError("nothing was written")
    with open_platform(remote) as platform:
        done = platform.command(point, _value(value))
    print(f"{done.point}: {done.state}")


# ---------------------------------------------------------------- parts


def _look(
    platform: Platform,
    url: str,
    under: str,
    depth: int,
    credentials: dict[str, str],
    settings: dict[str, Any],
    edge: str = "",
    *,
    search: str = "",
    approve: bool = False,
) -> Browsing:
    """Browses, from ``edge`` where one is named; where the device shows an unknown certificate, a person looks at it first."""
    for _ in range(2):
        found = platform.browse(
            url, settings=settings, credentials=credentials, under=under or None, depth=depth, edge=edge or None,
            search=search or None,
        )  # fmt: skip
        waiting = found.certificate
        if waiting is None or waiting.state == "approved":
            return found
        print(f"{url} shows a certificate that nobody has approved yet:", file=sys.stderr)
        print(f"  subject     {waiting.subject}\n  issuer      {waiting.issuer}", file=sys.stderr)
        print(f"  thumbprint  {waiting.thumbprint}", file=sys.stderr)
        if waiting.warning:
            print(f"  warning     {waiting.warning}", file=sys.stderr)
        if not approve and not _agreed("Is this the thumbprint that the device shows? Approve it?"):
            raise AbandonedError("the certificate was not approved", hint=f"hulian certificate approve {waiting.thumbprint}")
        platform.decide_certificate(waiting.thumbprint, "approve")
    return found


def _credentials(user: str, password: str, key: str) -> dict[str, str]:
    """What the platform is told: what stands behind a reference of this machine, or the name of a secret that it keeps."""
    from hulian.kernel.configuration import resolve_secret

    found = {"user": user} if user else {}
    for field, kept, source in (("password", "reference", password), ("key", "key_reference", key)):
        if source.startswith("secret:"):
            found[kept] = source
        elif source:
            found[field] = resolve_secret(source)
    if user and not (password or key) and sys.stdin.isatty():
        found["password"] = getpass.getpass(f"password of {user}: ")
    return found


def _settings(given: Sequence[str] | None) -> dict[str, Any]:
    """``key=value`` pairs; dots make tables, values are read as `write` reads them."""
    result: dict[str, Any] = {}
    for item in given or ():
        key, mark, value = item.partition("=")
        if not mark or not key:
            raise NothingFoundError(f"{item!r} is not a setting", hint="write it as --set key=value")
        place = result
        *tables, last = key.split(".")
        for part in tables:
            place = place.setdefault(part, {})
        place[last] = _value(value)
    return result


def _value(text: str) -> Any:
    import msgspec

    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _wanted(node: Node, patterns: Iterable[str] | None) -> bool:
    full = "/".join((*node.path, node.name))
    return not patterns or any(
        fnmatch.fnmatch(text, pattern) for pattern in patterns for text in (node.name, full, node.address)
    )


def _name_of(url: str) -> str:
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    host = (parts.hostname or "device").replace(":", "-")
    return f"{host}-{parts.port}" if parts.port else host


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise AbandonedError("nobody is there to answer", hint="add --yes to go on without asking")
    return input(f"{question} [y/N] ").strip().lower() in ("y", "yes", "j", "是")


def _show(proposed: Sequence[dict[str, Any]]) -> None:
    rows = [
        {"point": item["name"], "unit": item.get("unit", ""), "kind": item.get("kind", ""), "address": item.get("address", "")}
        for item in proposed
    ]
    table(rows[:40], list(rows[0]) if rows else [], empty="")
    if len(rows) > 40:
        print(f"… and {len(rows) - 40} more")


def _wait_connected(platform: Platform, name: str, seconds: float = 15.0) -> Connector:
    """The connector, once it is connected or has said why it is not."""
    deadline = time.monotonic() + seconds
    while True:
        found = platform.connector(name)
        status = (found.status or {}).get("status", found.status or {})
        if status.get("state") in ("connected", "refused", "needs-approval") or time.monotonic() > deadline:
            return found
        time.sleep(0.2)


def _report(connector: Connector) -> None:
    status = (connector.status or {}).get("status", connector.status or {})
    print(f"{connector.name}: {status.get('state', 'starting')}, {connector.points} points")
    if status.get("error"):
        print(f"  {status.get('error_code')} {status['error']}\n  → {status.get('hint', '')}")


def _age(last: int) -> str:
    if not last:
        return ""
    seconds = max(0.0, time.time() - last / 1e9)
    return f"{seconds:.1f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
