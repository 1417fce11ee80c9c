"""The first records of a node: who it is, where it is, and whose key runs it."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

from hulian.network.identifiers.wire import sm2
from hulian.network.identifiers.wire.authentication.signers import PrivateKey
from hulian.network.identifiers.wire.codes import AdminPermission, InterfaceType, Transport
from hulian.network.identifiers.wire.names import key_of
from hulian.network.identifiers.wire.typed.admin import Admin
from hulian.network.identifiers.wire.typed.keys import PublicKey, UsableKey
from hulian.network.identifiers.wire.typed.site import Interface, Server, Site
from hulian.network.identifiers.wire.values import Reference, Value, unpack_values

if TYPE_CHECKING:
    from hulian.network.identifiers.store import RecordStore

__all__ = ["ADMIN", "INCOMING", "KEY", "admin_value", "begin_root", "key_value", "node_key", "site_value"]

KEY: Final = 300
"""The index of a public key, as the Handle System's own tools choose it."""

INCOMING: Final = 301
"""The index of the key that is to take the place of that one, while both are good."""

ADMIN: Final = 100
SITE: Final = 1
ROOT: Final = "0.NA/0.NA"


def node_key(prefix: str) -> Reference:
    """What the key of the node that answers for ``prefix`` is called.

    >>> str(node_key("88.111.1"))
    '300:0.NA/88.111.1'
    """
    return Reference(f"0.NA/{prefix}", KEY)


def site_value(
    address: str,
    port: int,
    key: PrivateKey | UsableKey | None = None,
    *,
    kind: str = "HS_SITE",
    index: int = SITE,
    serial: int = 1,
) -> Value:
    """A site of one server that is asked and administered at ``address``, an IP address, and ``port``; ``key`` signs for it."""
    interfaces = (
        Interface(InterfaceType.QUERY.value, Transport.UDP.value, port),
        Interface((InterfaceType.QUERY | InterfaceType.ADMIN).value, Transport.TCP.value, port),
    )
    server = Server(1, Server.address_to_bytes(address), key_value(key).data if key else b"", interfaces)
    return Value(index=index, type=kind, data=Site(servers=(server,), serial=serial).pack())


def admin_value(who: Reference, *, index: int = ADMIN, permissions: int | None = None) -> Value:
    """An HS_ADMIN that lets ``who`` do everything, or what ``permissions`` say."""
    everything = AdminPermission.ALL | AdminPermission.LIST_DERIVED_PREFIXES
    granted = everything.value if permissions is None else permissions
    return Value(index=index, type="HS_ADMIN", data=Admin(who.handle, who.index, granted).pack())


def key_value(key: PrivateKey | UsableKey, *, index: int = KEY) -> Value:
    """An HS_PUBKEY with ``key``, or its public half."""
    if isinstance(key, sm2.PrivateKey):
        public: UsableKey = key.public
    elif isinstance(key, rsa.RSAPrivateKey | dsa.DSAPrivateKey | ec.EllipticCurvePrivateKey):
        public = key.public_key()
    else:
        public = key
    return Value(index=index, type="HS_PUBKEY", data=PublicKey.of(public).pack())


def begin_root(store: RecordStore, prefix: str, key: PrivateKey | UsableKey, address: str, port: int) -> tuple[Value, ...]:
    """Makes ``store`` the root of a hierarchy of its own; ``prefix`` (empty for none) is answered for as well.

    Safe at every start: what is there stays, but for the site, which follows ``address`` and ``port`` under a new serial.
    What comes back are the root data, which clients begin with.
    """
    ipaddress.ip_address(address)
    named = prefix or "0.NA"
    for handle in [ROOT] + ([f"0.NA/{prefix}"] if prefix else []):
        packed = store.packed(key_of(handle))
        if packed is None:
            own = [key_value(key)] if handle == f"0.NA/{named}" else []
            store.create(handle, [site_value(address, port, key), admin_value(node_key(named)), *own])
        else:
            _move(store, handle, unpack_values(packed), site_value(address, port, key))
        store.home(handle.removeprefix("0.NA/"))
    return tuple(value for value in unpack_values(store.packed(key_of(ROOT)) or b"\0\0\0\0") if value.type.startswith("HS_"))


def _move(store: RecordStore, handle: str, values: Sequence[Value], wanted: Value) -> None:
    """The site of ``handle`` follows the node that it names, where it names one server: more are somebody's own work."""
    found = next((value for value in values if value.index == SITE and value.type == "HS_SITE"), None)
    if found is None:
        return
    there, new = Site.unpack(found.data), Site.unpack(wanted.data)
    if len(there.servers) == 1 and there.servers != new.servers:
        data = msgspec.structs.replace(new, serial=(there.serial + 1) & 0xFFFF).pack()
        moved = msgspec.structs.replace(found, data=data)
        store.replace(handle, [moved if value is found else value for value in values])
