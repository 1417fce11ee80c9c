"""``hulian edge``: nodes beside the machines, invited and approved at the centre, joined on their own machine."""

from __future__ import annotations

import ipaddress
import socket
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from cyclopts import Parameter

from hulian.cli.errors import AbandonedError, CommandError
from hulian.cli.local import DEFAULT_REMOTE, ConfigFile, Json, Remote, open_platform, read_configuration
from hulian.cli.output import emit, table

if TYPE_CHECKING:
    from hulian.sdk import Platform

__all__ = [
    "edge_approve",
    "edge_dry_run",
    "edge_invitations",
    "edge_invite",
    "edge_join",
    "edge_list",
    "edge_remove",
    "edge_revoke",
    "edge_withdraw",
]


def edge_list(*, remote: Remote = DEFAULT_REMOTE, json: Json = False) -> None:
    """List the edge nodes: state, connectors, the order that runs and the newest that there is.

    Example:

        hulian edge list
    """
    with open_platform(remote) as platform:
        found = platform.edges()
    if json:
        emit(found)
        return
    rows = [
        {
            "name": item.name,
            "state": item.state,
            "heard": "yes" if item.status else "no",
            "order": (item.status or {}).get("version", ""),
            "newest": item.ordered or "",
            "connectors": len(item.connectors),
            "fingerprint": item.fingerprint,
        }
        for item in found
    ]
    empty = "There are no edge nodes. Invite one with 'hulian edge invite'."
    table(rows, ["name", "state", "heard", "order", "newest", "connectors", "fingerprint"], empty=empty)


def edge_invite(
    label: Annotated[str, Parameter(help="for whom; stands in the audit trail")] = "",
    /,
    *,
    hours: Annotated[float, Parameter(help="how long it can be used")] = 24.0,
    remote: Remote = DEFAULT_REMOTE,
    json: Json = False,
) -> None:
    """Make an invitation: a secret that lets one edge node ask to come in, shown once.

    Example:

        hulian edge invite "press hall" --hours 2
    """
    with open_platform(remote) as platform:
        made = platform.invite_edge(label, hours=hours)
    if json:
        emit(made)
    else:
        print(f"{made.secret}\n\nIt is shown only now, for one node. On the node's machine:")
        print("    hulian edge join https://this-platform:8080 --name NAME --invitation …")


def edge_invitations(*, remote: Remote = DEFAULT_REMOTE, json: Json = False) -> None:
    """List the invitations that can still be used.

    Example:

        hulian edge invitations
    """
    with open_platform(remote) as platform:
        found = platform.edge_invitations()
    if json:
        emit(found)
        return
    rows = [
        {
            "id": item.id,
            "label": item.label,
            "until": datetime.fromtimestamp(item.expires_ms / 1000, UTC).isoformat(timespec="minutes"),
        }
        for item in found
    ]
    table(rows, ["id", "label", "until"], empty="There are no open invitations.")


def edge_withdraw(
    invitation: Annotated[str, Parameter(help="its id, as 'hulian edge invitations' lists it")],
    /,
    *,
    remote: Remote = DEFAULT_REMOTE,
) -> None:
    """Make an invitation open nothing any more; a node that came in by it stays."""
    with open_platform(remote) as platform:
        platform.withdraw_invitation(invitation)
    print(f"{invitation} is withdrawn")


def edge_approve(
    name: str,
    /,
    *,
    fingerprint: Annotated[str | None, Parameter(help="only if the node's key has it")] = None,
    remote: Remote = DEFAULT_REMOTE,
) -> None:
    """Let an edge node in, after comparing its fingerprint with the one that its own terminal shows.

    Example:

        hulian edge approve press --fingerprint 0f3a-…
    """
    with open_platform(remote) as platform:
        found = platform.decide_edge(name, "approve", fingerprint=fingerprint)
    print(f"{found.name}: approved, key {found.fingerprint}")


def edge_revoke(name: str, /, *, remote: Remote = DEFAULT_REMOTE) -> None:
    """Shut an edge node out within seconds; it can be approved again."""
    with open_platform(remote) as platform:
        print(f"{platform.decide_edge(name, 'revoke').name}: revoked")


def edge_remove(name: str, /, *, remote: Remote = DEFAULT_REMOTE) -> None:
    """Shut an edge node out and forget it; no connector may run on it."""
    with open_platform(remote) as platform:
        platform.remove_edge(name)
    print(f"{name} is removed")


def edge_join(
    centre: Annotated[str, Parameter(help="address of the centre's console")],
    /,
    *,
    invitation: Annotated[str, Parameter(help="what 'hulian edge invite' printed; '-' reads it from standard input")],
    name: Annotated[str, Parameter(help="the node's name: lower-case letters, digits, '-'")] = "",
    wait: Annotated[float, Parameter(help="minutes to wait for the approval")] = 60.0,
    config: ConfigFile = None,
) -> None:
    """Make this data directory an edge node of a centre; 'hulian up' starts it afterwards.

    The node makes its own key. A person at the centre compares the fingerprint that is printed here, and approves.

    Examples:

        hulian edge join https://centre.plant:8080 --name press --invitation hle_…
        hulian edge join https://centre.plant:8080 --invitation - < invitation.txt
    """
    from hulian.assembly.edge_node import Applicant

    configuration = read_configuration(config)
    secret = sys.stdin.readline().strip() if invitation == "-" else invitation
    chosen = name or socket.gethostname().partition(".")[0].lower()
    applicant = Applicant(Path(configuration.node.data), chosen)
    with _centre(centre, secret, Path(configuration.node.data)) as platform:
        request, password_hash = applicant.request()
        asked = platform.enrol(secret, chosen, request, password_hash)
        print(f"node         {chosen}\nfingerprint  {asked['fingerprint']}\n")
        print(f"Approve it at {centre} (Edge nodes), or there with 'hulian edge approve {chosen}'. Waiting …", flush=True)
        deadline = time.monotonic() + wait * 60
        while (admission := platform.claim_enrolment(asked["claim"])).state != "approved":
            if admission.state == "revoked":
                raise AbandonedError("the centre said no")
            if time.monotonic() > deadline:
                raise AbandonedError(f"nobody approved the node within {wait:g} minutes", hint="ask for a new invitation")
            time.sleep(1)
    node = applicant.admitted(centre, admission)
    print(f"approved: this is now the edge node {node.name} of {node.organisation}. Start it with 'hulian up'.")


def edge_dry_run(
    source: Annotated[Path, Parameter(help="TOML file with one table: [filters] (and --point), [computed] or [rule]")],
    /,
    *,
    point: Annotated[str, Parameter(help="the point that the filters are for")] = "",
    last: Annotated[str, Parameter(help="how far to look back, e.g. 1h")] = "",
    start: Annotated[str | None, Parameter(help="beginning: RFC 3339 or now-1d")] = None,
    end: Annotated[str | None, Parameter(help="end; now where it is not given")] = None,
    remote: Remote = DEFAULT_REMOTE,
    json: Json = False,
) -> None:
    """Try filters, a computed point or a rule on recorded samples, before the edge runs them. Nothing is stored or written.

    Examples:

        hulian edge dry-run filters.toml --point 99.118.8/reactor#pressure --last 1h
        hulian edge dry-run rule.toml --last 7d --json
    """
    import tomllib

    from hulian.kernel.errors import ConfigurationError

    try:
        document = tomllib.loads(source.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"cannot read it: {error}", place=str(source)) from error
    if len(document) != 1 or not document.keys() <= {"filters", "computed", "rule"}:
        raise CommandError("the file wants one table", place=str(source), hint="[filters], [computed] or [rule]")
    with open_platform(remote) as platform:
        found = platform.dry_run(point=point, last=last or (None if start else "1h"), start=start, end=end, **document)
    if json:
        emit(found)
        return
    print(f"{found.taken} samples were recorded; {found.passed} would be stored, {found.bad} of them bad")
    rows = [
        {
            "time": datetime.fromtimestamp(event["time_ms"] / 1000, UTC).isoformat(),
            "what": event["what"],
            "of": event["subject"],
        }
        for event in found.events
    ]
    table(rows[:200], ["time", "what", "of"], empty="No event would be told.")
    if found.truncated or len(rows) > 200:
        print("… and more: look at a shorter time")


def _centre(url: str, invitation: str, data: Path) -> Platform:
    """The centre that the invitation names, and nobody who only says to be it."""
    import httpx

    from hulian.assembly.edge_node import trusted_authority
    from hulian.sdk import Platform
    from hulian.sdk.errors import NotReachableError

    parts = urlsplit(url)
    if parts.scheme != "https" and not _loopback(parts.hostname or ""):
        raise CommandError("an edge node enrols over https only", place=url, hint="set tls = true under [api] at the centre")
    try:
        # Nothing is believed of this answer but what has the fingerprint in the invitation.
        pem = httpx.get(f"{url.rstrip('/')}/api/v1/ca.pem", verify=False, timeout=10).content  # noqa: S501
    except httpx.HTTPError as error:
        raise NotReachableError(f"no platform answers: {error}", place=url) from error
    if not trusted_authority(invitation, pem):
        raise CommandError(
            "this is not the centre that the invitation comes from", place=url, hint="check the address and the invitation"
        )
    path = data / "pki" / "node" / "centre.pem"
    path.write_bytes(pem)
    return Platform(url, token="", verify=path if parts.scheme == "https" else None)


def _loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
