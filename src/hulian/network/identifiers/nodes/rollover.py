"""The key of a node gives way to another one without an outage: what the records of its prefixes hold at each step.

1. *Begin*: the new key stands beside the old one (index 301 beside 300), every HS_ADMIN that names the old one has a twin that
   names the new one, and the site records name the new key, under a new serial number. Both keys prove the same.
2. *Overlap*: whoever remembers the old site record is answered with the old key's signature (see `ServerKeys`).
3. *Finish*: the new key takes the place of the old one at its index, so that every HS_ADMIN elsewhere that names it holds;
   when no node remembers the old one any more, index 301 and the twins go.

Each step can be taken again where it was cut short.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from hulian.network.identifiers.nodes.beginning import INCOMING, KEY
from hulian.network.identifiers.nodes.errors import RolloverError
from hulian.network.identifiers.store import key_of
from hulian.network.identifiers.wire.errors import WireError
from hulian.network.identifiers.wire.typed.admin import Admin
from hulian.network.identifiers.wire.typed.site import Site
from hulian.network.identifiers.wire.values import Value

__all__ = ["added", "earlier_serials", "promoted", "withdrawn"]

_SITES: Final = frozenset(("HS_SITE", "HS_SITE.PREFIX"))


def earlier_serials(values: Iterable[Value], old: bytes) -> set[int]:
    """The serial numbers of the site records that name the key ``old`` (packed as in HS_PUBKEY)."""
    return {site.serial for _, site in _sites(values, old)}


def added(handle: str, values: Sequence[Value], old: bytes, new: bytes, serial: int) -> list[Value]:
    """The values that the record ``handle`` gets when a roll-over begins, some in the place of others; none where it has them.

    Raises `RolloverError` where index 300 or 301 holds something else than these keys.
    """
    there = {value.index: value for value in values}
    found: list[Value] = []
    current, incoming = there.get(KEY), there.get(INCOMING)
    if current is not None and current.type == "HS_PUBKEY" and current.data == old:
        if incoming is None:
            found.append(msgspec.structs.replace(current, index=INCOMING, data=new))
        elif incoming.data != new:
            raise RolloverError(f"index {INCOMING} of {handle} is taken", place=handle, hint="remove that value first")
        found += _twins(handle, values)
    elif any(value.index == KEY and value.type == "HS_PUBKEY" and value.data != new for value in values):
        raise RolloverError(f"{KEY}:{handle} is not the key of this node", place=handle)
    for value, site in _sites(values, old):
        servers = [
            msgspec.structs.replace(server, public_key=new) if server.public_key == old else server for server in site.servers
        ]
        data = msgspec.structs.replace(site, servers=tuple(servers), serial=serial).pack()
        found.append(msgspec.structs.replace(value, data=data))
    return found


def promoted(values: Sequence[Value], old: bytes, new: bytes) -> list[Value]:
    """The value that takes the place of the old key; none where it has taken it."""
    return [
        msgspec.structs.replace(value, data=new)
        for value in values
        if value.index == KEY and value.type == "HS_PUBKEY" and value.data == old
    ]


def withdrawn(handle: str, values: Sequence[Value], new: bytes) -> list[int]:
    """The indexes that go at the end: the second place of the new key, and the twins."""
    twins = {value.index for value in values if _names(value, handle, INCOMING)}
    return sorted(twins | {value.index for value in values if value.index == INCOMING and value.data == new})


def _twins(handle: str, values: Sequence[Value]) -> list[Value]:
    if any(_names(value, handle, INCOMING) for value in values):
        return []
    taken = {value.index for value in values}
    found = []
    for value in values:
        if _names(value, handle, KEY):
            index = next(number for number in range(value.index + 1, value.index + 10_000) if number not in taken)
            taken.add(index)
            admin = Admin.unpack(value.data)
            data = Admin(admin.handle, INCOMING, admin.permissions).pack()
            found.append(msgspec.structs.replace(value, index=index, data=data))
    return found


def _names(value: Value, handle: str, index: int) -> bool:
    if value.type != "HS_ADMIN":
        return False
    try:
        admin = Admin.unpack(value.data)
    except WireError:
        return False
    return key_of(admin.handle) == key_of(handle) and admin.index == index


def _sites(values: Iterable[Value], key: bytes) -> list[tuple[Value, Site]]:
    found = []
    for value in values:
        if value.type not in _SITES:
            continue
        try:
            site = Site.unpack(value.data)
        except WireError:
            continue
        if any(server.public_key == key for server in site.servers):
            found.append((value, site))
    return found
