"""Connections, set-points, edge nodes, certificates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from hulian.kernel.identifier import escape
from hulian.sdk import records
from hulian.sdk.calls.asking import SLOW, Moment, Span, given, items, window
from hulian.sdk.flow import Flow, Request, read

__all__ = [
    "browse",
    "certificates",
    "change_connector",
    "claim_enrolment",
    "command",
    "connector",
    "connectors",
    "create_connector",
    "decide_certificate",
    "decide_edge",
    "dry_run",
    "edge_invitations",
    "edges",
    "enrol",
    "invite_edge",
    "propose",
    "protocols",
    "remove_connector",
    "remove_edge",
    "restart_connector",
    "withdraw_invitation",
]


def connectors() -> Flow[list[records.Connector]]:
    """Every connection to a device, and how it is."""
    return items((yield Request("GET", "/connectors")), records.Connector)


def connector(name: str) -> Flow[records.Connector]:
    """One connection."""
    return read((yield Request("GET", f"/connectors/{escape(name)}")), records.Connector)


def protocols() -> Flow[list[records.ProtocolInfo]]:
    """The protocols that the platform speaks."""
    return items((yield Request("GET", "/protocols")), records.ProtocolInfo)


def browse(
    url: str,
    *,
    protocol: str | None = None,
    settings: Mapping[str, Any] | None = None,
    user: str | None = None,
    password: str | None = None,
    credentials: Mapping[str, str] | None = None,
    under: str | None = None,
    depth: int = 1,
    connector: str | None = None,
    edge: str | None = None,
    search: str | None = None,
) -> Flow[records.Browsing]:
    """What a device shows, ``depth`` levels below ``under`` (0: all), or what holds every word of ``search`` on any level. The
    platform's edge looks, or the edge node ``edge``, not this computer."""
    body = given(
        url=url,
        protocol=protocol,
        settings=dict(settings) if settings else None,
        credentials={**given(user=user, password=password), **(credentials or {})} or None,
        under=under,
        connector=connector,
        edge=edge,
        search=search,
    )
    return read((yield Request("POST", "/browse", body={**body, "depth": depth}, seconds=SLOW)), records.Browsing)


def propose(
    connector: str,
    nodes: Iterable[records.Node | Mapping[str, Any]],
    *,
    prefix: str | None = None,
    thing: str | None = None,
    path: str | None = None,
) -> Flow[list[dict[str, Any]]]:
    """Points for browsed nodes, with names, units and kinds; nothing is written. Hand them to `create_connector`."""
    listed = [msgspec.to_builtins(node) for node in nodes]
    body = {"connector": connector, "nodes": listed, **given(prefix=prefix, thing=thing, path=path)}
    reply = yield Request("POST", "/propose", body=body, seconds=SLOW)
    return list(read(reply, dict[str, list[dict[str, Any]]])["points"])


def create_connector(
    name: str,
    url: str,
    *,
    protocol: str | None = None,
    settings: Mapping[str, Any] | None = None,
    user: str | None = None,
    password: str | None = None,
    credentials: Mapping[str, str] | None = None,
    points: Iterable[Mapping[str, Any]] = (),
    enabled: bool = True,
    edge: str | None = None,
) -> Flow[records.Connector]:
    """Connects a device: the connector starts at once, on the edge node ``edge`` or on the platform itself.

    The password is kept encrypted and never shown again.

    ``credentials`` may hold more: ``key`` (PEM) of a certificate in the settings; ``reference`` and ``key_reference`` name
    secrets that the platform keeps already (``secret:NAME``).
    """
    body = given(
        name=name,
        url=url,
        protocol=protocol,
        settings=dict(settings) if settings else None,
        credentials={**given(user=user, password=password), **(credentials or {})} or None,
        points=[dict(item) for item in points],
        enabled=enabled,
        edge=edge,
    )
    return read((yield Request("POST", "/connectors", body=body, seconds=SLOW)), records.Connector)


def change_connector(name: str, **changes: Any) -> Flow[records.Connector]:
    """Changes url, settings, credentials, enabled, or adds ``points``."""
    return read((yield Request("PATCH", f"/connectors/{escape(name)}", body=changes, seconds=SLOW)), records.Connector)


def remove_connector(name: str) -> Flow[None]:
    """Stops and forgets a connector and its points; their history stays."""
    yield Request("DELETE", f"/connectors/{escape(name)}")


def restart_connector(name: str) -> Flow[None]:
    """Ends the connection and makes it anew."""
    yield Request("POST", f"/connectors/{escape(name)}/restart")


def command(point: str, value: Any, *, identity: str | None = None) -> Flow[records.Command]:
    """Writes to a point that the configuration marks writable; returns when the device has confirmed it."""
    body = {"point": point, "value": value, "confirm": True, **given(identity=identity)}
    return read((yield Request("POST", "/commands", body=body)), records.Command)


def dry_run(
    *,
    point: str = "",
    filters: Mapping[str, Any] | None = None,
    computed: Mapping[str, Any] | None = None,
    rule: Mapping[str, Any] | None = None,
    last: Span | None = None,
    start: Moment | None = None,
    end: Moment | None = None,
) -> Flow[records.DryRun]:
    """What the edge would make of recorded samples with the filters of a point, a computed point, or a rule."""
    body = {"point": point, **given(filters=filters, computed=computed, rule=rule), **window(last, start, end)}
    return read((yield Request("POST", "/processing/dry-run", body=body, seconds=SLOW)), records.DryRun)


def edges() -> Flow[list[records.Edge]]:
    """The edge nodes, and how each one stands."""
    return items((yield Request("GET", "/edges")), records.Edge)


def invite_edge(label: str = "", *, hours: float = 24.0) -> Flow[records.Invitation]:
    """A secret with which one edge node may ask to come in."""
    body = {"label": label, "hours": hours}
    return read((yield Request("POST", "/edges/invitations", body=body)), records.Invitation)


def edge_invitations() -> Flow[list[records.Invitation]]:
    """The invitations that can still be used, newest first, without their secrets."""
    return items((yield Request("GET", "/edges/invitations")), records.Invitation)


def withdraw_invitation(invitation: str) -> Flow[None]:
    """Makes the invitation of this ``id`` open nothing any more."""
    yield Request("DELETE", f"/edges/invitations/{escape(invitation)}")


def decide_edge(name: str, decision: str, *, fingerprint: str | None = None) -> Flow[records.Edge]:
    """Lets an edge node in (``approve``) or shuts it out (``revoke``)."""
    body = {"decision": decision, **given(fingerprint=fingerprint)}
    return read((yield Request("POST", f"/edges/{escape(name)}", body=body)), records.Edge)


def remove_edge(name: str) -> Flow[None]:
    """Shuts an edge node out and forgets it."""
    yield Request("DELETE", f"/edges/{escape(name)}")


def enrol(invitation: str, name: str, request: str, password_hash: str) -> Flow[dict[str, str]]:
    """Asks to come in, as an edge node: a claim and the fingerprint of its key."""
    body = {"invitation": invitation, "name": name, "request": request, "password_hash": password_hash}
    return read((yield Request("POST", "/enrolments", body=body)), dict[str, str])


def claim_enrolment(claim: str) -> Flow[records.Admission]:
    """How an enrolment stands, as an edge node."""
    return read((yield Request("POST", "/enrolments/claim", body={"claim": claim})), records.Admission)


def certificates() -> Flow[list[records.Certificate]]:
    """Certificates that devices showed, with what was decided."""
    return items((yield Request("GET", "/certificates")), records.Certificate)


def decide_certificate(thumbprint: str, decision: str) -> Flow[records.Certificate]:
    """``approve`` or ``reject``."""
    return read((yield Request("POST", f"/certificates/{thumbprint}", body={"decision": decision})), records.Certificate)
