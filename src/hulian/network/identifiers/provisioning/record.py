"""The record of a prefix, as it stands while it is in force and while it is suspended."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Final

import msgspec

from hulian.network.identifiers.provisioning.registration import Registration, ServerAt, Tier, key_of_pem
from hulian.network.identifiers.wire.codes import AdminPermission, InterfaceType, Transport
from hulian.network.identifiers.wire.typed.admin import Admin
from hulian.network.identifiers.wire.typed.keys import PublicKey
from hulian.network.identifiers.wire.typed.site import Interface, Server, Site
from hulian.network.identifiers.wire.values import Value

__all__ = ["KEY", "SUSPENDED", "handle_of", "prefix_record", "suspended_record"]

KEY: Final = 300
"""The index of the owner's public key, as the Handle System's own tools choose it."""

SUSPENDED: Final = "HULIAN.SUSPENDED"
"""The type of the value that says so in a suspended record."""

_SITE, _DELEGATION, _ADMIN, _STATE = 1, 2, 100, 90
_DERIVED: Final = AdminPermission.ADD_DERIVED_PREFIX | AdminPermission.DELETE_DERIVED_PREFIX
_TTL_SUSPENDED: Final = 300
"""Seconds that a suspended record may be remembered: it is about to change."""


def handle_of(prefix: str) -> str:
    """The handle of the record of ``prefix``.

    >>> handle_of("88.111.1")
    '0.NA/88.111.1'
    """
    return f"0.NA/{prefix}"


def prefix_record(registration: Registration, *, serial: int = 1) -> tuple[Value, ...]:
    """The values that make the prefix the applicant's: its site, its key, and that the key administers it.

    A second-level node is referred to for what is derived from its prefix (HS_SITE.PREFIX), and may derive prefixes; an
    enterprise may not.
    """
    now = int(time.time())
    key = PublicKey.of(key_of_pem(registration.public_key)).pack()
    servers = tuple(_server(number, one, key) for number, one in enumerate(registration.servers, 1))
    site = Site(servers=servers, serial=serial & 0xFFFF).pack()
    granted = AdminPermission.ALL | AdminPermission.LIST_DERIVED_PREFIXES
    values = [Value(index=_SITE, type="HS_SITE", data=site, timestamp=now)]
    if registration.tier is Tier.SECOND_LEVEL:
        values.append(Value(index=_DELEGATION, type="HS_SITE.PREFIX", data=site, timestamp=now))
    else:
        granted &= ~_DERIVED
    admin = Admin(handle_of(registration.prefix), KEY, granted.value).pack()
    values.append(Value(index=_ADMIN, type="HS_ADMIN", data=admin, timestamp=now))
    values.append(Value(index=KEY, type="HS_PUBKEY", data=key, timestamp=now))
    return tuple(values)


def suspended_record(values: Iterable[Value]) -> tuple[Value, ...]:
    """What is left of ``values`` while the prefix is suspended: the keys, by which its owner can still prove who they are, and
    a value that says what happened. No site, no service, no administrator."""
    now = int(time.time())
    said = Value(index=_STATE, type=SUSPENDED, data=b"suspended by the node above", timestamp=now, ttl=_TTL_SUSPENDED)
    keys = [value for value in values if value.type == "HS_PUBKEY" and value.index != _STATE]
    return (said, *(msgspec.structs.replace(value, ttl=_TTL_SUSPENDED) for value in keys))


def _server(number: int, at: ServerAt, key: bytes) -> Server:
    both = (InterfaceType.QUERY | InterfaceType.ADMIN).value
    found = []
    if at.udp:
        found.append(Interface(InterfaceType.QUERY.value, Transport.UDP.value, at.udp))
    if at.tcp:
        found.append(Interface(both, Transport.TCP.value, at.tcp))
    if at.http:
        found.append(Interface(InterfaceType.QUERY.value, Transport.HTTP.value, at.http))
    if at.https:
        found.append(Interface(both, Transport.HTTPS.value, at.https))
    return Server(number, Server.address_to_bytes(at.address), key, tuple(found))
