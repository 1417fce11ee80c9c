"""The structured formats: admin, vlist, site and key."""

from __future__ import annotations

import base64
import ipaddress
from typing import Final

from hulian.network.identifiers.wire.codes import AdminPermission, InterfaceType, Transport
from hulian.network.identifiers.wire.errors import JsonFormError, WireError
from hulian.network.identifiers.wire.json_form.fields import Json, Taker
from hulian.network.identifiers.wire.limits import MAX_INTERFACES, MAX_SERVERS, MAX_VALUES
from hulian.network.identifiers.wire.typed.admin import Admin
from hulian.network.identifiers.wire.typed.keys import PublicKey
from hulian.network.identifiers.wire.typed.references import ValueList
from hulian.network.identifiers.wire.typed.site import Attribute, HashOption, Interface, Server, Site
from hulian.network.identifiers.wire.values import Reference

__all__ = [
    "admin_from_json",
    "admin_to_json",
    "key_from_json",
    "key_to_json",
    "reference_from_json",
    "reference_to_json",
    "site_from_json",
    "site_to_json",
    "value_list_from_json",
    "value_list_to_json",
]

_MAX_ATTRIBUTES: Final = 256
_JWK: Final = {"RSA": ("e", "n"), "DSA": ("q", "p", "g", "y")}


# -- references and administrators -------------------------------------------------------------------------------------


def reference_to_json(reference: Reference) -> Json:
    return {"handle": reference.handle, "index": reference.index}


def reference_from_json(value: object, path: str) -> Reference:
    taker = Taker(value, path)
    return Reference(taker.text("handle"), taker.number("index", 0))


def value_list_to_json(found: ValueList) -> Json:
    return [reference_to_json(one) for one in found.references]


def value_list_from_json(value: object, path: str) -> ValueList:
    if not isinstance(value, list) or len(value) > MAX_VALUES:
        raise JsonFormError(f"a list of at most {MAX_VALUES} belongs here", place=path)
    return ValueList(tuple([reference_from_json(one, f"{path}[{place}]") for place, one in enumerate(value)]))


def admin_to_json(admin: Admin) -> Json:
    """Permissions as twelve binary digits, the highest bit first; thirteen where the bit of DO-IRP 3.0 is set."""
    found: dict[str, Json] = {
        "handle": admin.handle,
        "index": admin.index,
        "permissions": f"{admin.permissions:012b}",
    }
    if admin.tail:
        found["legacyByteLength"] = True
    return found


def admin_from_json(value: object, path: str) -> Admin:
    """``permissions`` are binary digits, the last one bit 0; ``*`` or true is all, false is none."""
    taker = Taker(value, path)
    given = taker.take("permissions", "000000000000")
    if isinstance(given, bool) or given == "*":
        permissions = AdminPermission.ALL.value if given else 0
    elif isinstance(given, str) and given and len(given) <= 16 and set(given) <= {"0", "1"}:
        permissions = int(given, 2)
    else:
        raise taker.wrong("binary digits belong here, the highest bit first", "permissions")
    tail = b"\0\0" if taker.truth("legacyByteLength", False) else b""
    return Admin(taker.text("handle"), taker.number("index"), permissions, tail)


# -- keys --------------------------------------------------------------------------------------------------------------


def key_to_json(key: PublicKey) -> Json:
    """A JWK of RSA or DSA numbers. Raises `JsonFormError` for other kinds, which have no such form."""
    names = _JWK.get(key.kind.removesuffix("_PUB_KEY"))
    if names is None:
        raise JsonFormError(f"{key.kind} has no form in JSON", place="$")
    found: dict[str, Json] = {"kty": key.kind.removesuffix("_PUB_KEY")}
    for name, part in zip(names, key.parts, strict=True):
        unsigned = part.lstrip(b"\0") or b"\0"
        found[name] = base64.urlsafe_b64encode(unsigned).rstrip(b"=").decode()
    return found


def key_from_json(value: object, path: str) -> PublicKey:
    taker = Taker(value, path)
    kind = taker.text("kty").upper()
    names = _JWK.get(kind)
    if names is None:
        raise taker.wrong("RSA or DSA belongs here", "kty")
    parts = []
    for name in names:
        unsigned = taker.base64(name, url=True).lstrip(b"\0") or b"\0"
        parts.append(b"\0" + unsigned if unsigned[0] & 0x80 else unsigned)
    return PublicKey(f"{kind}_PUB_KEY", tuple(parts), tail=bytes(4) if kind == "RSA" else b"")


# -- sites -------------------------------------------------------------------------------------------------------------


def site_to_json(site: Site) -> Json:
    found: dict[str, Json] = {
        "version": site.format,
        "protocolVersion": f"{site.version[0]}.{site.version[1]}",
        "serialNumber": site.serial,
        "primarySite": site.primary,
        "multiPrimary": site.multi_primary,
    }
    if site.hash_option != HashOption.HANDLE:
        found["hashOption"] = site.hash_option
    if site.hash_filter:
        found["hashFilter"] = site.hash_filter.decode()
    found["attributes"] = [{"name": one.name.decode(), "value": one.value.decode()} for one in site.attributes]
    found["servers"] = [_server_to_json(server) for server in site.servers]
    return found


def _server_to_json(server: Server) -> Json:
    return {
        "serverId": server.server_id,
        "address": str(server.address),
        "publicKey": _key_data(server.public_key),
        "interfaces": [_interface_to_json(one) for one in server.interfaces],
    }


def _key_data(data: bytes) -> Json:
    """As a key where that gives the same bytes again, else as Base64."""
    try:
        made = key_to_json(PublicKey.unpack(data))
        if key_from_json(made, "$").pack() == data:
            return {"format": "key", "value": made}
    except WireError:
        pass
    return {"format": "base64", "value": base64.b64encode(data).decode()}


def _interface_to_json(one: Interface) -> Json:
    known = one.transport in Transport.__members__.values()
    return {
        "query": bool(one.kind & InterfaceType.QUERY),
        "admin": bool(one.kind & InterfaceType.ADMIN),
        "protocol": Transport(one.transport).name if known else one.transport,
        "port": one.port,
    }


def site_from_json(value: object, path: str) -> Site:
    taker = Taker(value, path)
    attributes = _attributes(taker)
    servers = taker.list("servers", MAX_SERVERS, taker.value.get("serverList", []))
    return Site(
        format=taker.number("version", 1, least=0, most=0xFFFF),
        version=_version(taker),
        serial=taker.number("serialNumber", 1, least=0, most=0xFFFF),
        flags=0x80 * taker.truth("primarySite", False) | 0x40 * taker.truth("multiPrimary", False),
        hash_option=taker.number("hashOption", HashOption.HANDLE.value, least=0, most=255),
        hash_filter=taker.text("hashFilter", "").encode(),
        attributes=attributes,
        servers=tuple([_server_from_json(one, f"{path}.servers[{place}]") for place, one in enumerate(servers)]),
    )


def _version(taker: Taker) -> tuple[int, int]:
    text = taker.text("protocolVersion", "2.11")
    major, point, minor = text.partition(".")
    if point and all(part.isascii() and part.isdigit() and len(part) <= 3 and int(part) <= 255 for part in (major, minor)):
        return int(major), int(minor)
    raise taker.wrong("a version such as 2.11 belongs here", "protocolVersion")


def _attributes(taker: Taker) -> tuple[Attribute, ...]:
    """A list of names and values, or one object of them."""
    given = taker.take("attributes", [])
    if isinstance(given, dict):
        given = [{"name": name, "value": value} for name, value in given.items()]
    if not isinstance(given, list) or len(given) > _MAX_ATTRIBUTES:
        raise taker.wrong(f"a list of at most {_MAX_ATTRIBUTES} belongs here", "attributes")
    found = []
    for place, one in enumerate(given):
        inner = Taker(one, f"{taker.path}.attributes[{place}]")
        found.append(Attribute(inner.text("name").encode(), inner.text("value").encode()))
    return tuple(found)


def _server_from_json(value: object, path: str) -> Server:
    taker = Taker(value, path)
    try:
        address = Server.address_to_bytes(str(ipaddress.ip_address(taker.text("address"))))
    except ValueError:
        raise taker.wrong("an IPv4 or IPv6 address belongs here", "address") from None
    key = b""
    if "publicKey" in taker.value:
        inner = Taker(taker.take("publicKey"), f"{path}.publicKey")
        form = inner.text("format")
        if form == "key":
            key = key_from_json(inner.take("value"), f"{path}.publicKey.value").pack()
        elif form == "base64":
            key = inner.base64("value")
        elif form == "hex":
            key = inner.hex("value")
        else:
            raise inner.wrong("key, base64 or hex belongs here", "format")
    interfaces = taker.list("interfaces", MAX_INTERFACES, taker.value.get("interfaceList", []))
    return Server(
        taker.number("serverId", 1),
        address,
        key,
        tuple([_interface_from_json(one, f"{path}.interfaces[{place}]") for place, one in enumerate(interfaces)]),
    )


def _interface_from_json(value: object, path: str) -> Interface:
    taker = Taker(value, path)
    kind = InterfaceType.QUERY.value * taker.truth("query", False) | InterfaceType.ADMIN.value * taker.truth("admin", False)
    given = taker.take("protocol")
    if isinstance(given, str) and given.upper() in Transport.__members__:
        transport = Transport[given.upper()].value
    else:
        transport = taker.number("protocol", least=0, most=255)
    return Interface(kind, transport, taker.number("port", least=0, most=65_535))
