"""HS_SITE and HS_SITE.PREFIX: the servers of one site of a service, and how handles are spread over them."""

from __future__ import annotations

import hashlib
import ipaddress
from enum import IntEnum
from typing import Final

import msgspec

from hulian.network.identifiers.wire import fields
from hulian.network.identifiers.wire.codes import InterfaceType, Transport
from hulian.network.identifiers.wire.errors import EncodeError
from hulian.network.identifiers.wire.limits import MAX_HANDLE, MAX_INTERFACES, MAX_SERVERS
from hulian.network.identifiers.wire.reader import Reader

__all__ = ["Attribute", "HashOption", "Interface", "Server", "Site"]

_PRIMARY: Final = 0x80
_MULTI_PRIMARY: Final = 0x40
_MAX_KEY: Final = 16_384
_MAX_ATTRIBUTES: Final = 256


class HashOption(IntEnum):
    """Which part of a handle decides its server."""

    PREFIX = 0
    SUFFIX = 1
    HANDLE = 2


class Interface(msgspec.Struct, frozen=True):
    """One way to speak to a server: ``kind`` of `InterfaceType`, ``transport`` of `Transport`."""

    kind: int
    transport: int
    port: int

    def serves(self, kind: InterfaceType, transport: Transport) -> bool:
        return bool(self.kind & kind) and self.transport == transport


class Attribute(msgspec.Struct, frozen=True):
    """A name and a value, such as ``desc`` or ``alt_addr``: bytes, since no standard says what they are."""

    name: bytes
    value: bytes


class Server(msgspec.Struct, frozen=True):
    """One server: its 16 address bytes, its public key encoded as HS_PUBKEY, its interfaces."""

    server_id: int
    address_bytes: bytes
    public_key: bytes = b""
    interfaces: tuple[Interface, ...] = ()

    @property
    def address(self) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
        """Twelve zero bytes, or the mapped form, in front mean IPv4. ``::`` and ``::1`` stay what they are."""
        raw = self.address_bytes
        if raw[:12] == bytes(12) and int.from_bytes(raw[12:], "big") > 1:
            return ipaddress.IPv4Address(raw[12:])
        found = ipaddress.IPv6Address(raw)
        return found.ipv4_mapped or found

    @staticmethod
    def address_to_bytes(address: str) -> bytes:
        """The 16 bytes of an IPv4 or IPv6 address.

        >>> Server.address_to_bytes("127.0.0.1").hex()
        '0000000000000000000000007f000001'
        """
        return ipaddress.ip_address(address).packed.rjust(16, b"\0")


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """A site record. ``serial`` grows with every change; ``flags`` say primary (0x80) and multi-primary (0x40)."""

    servers: tuple[Server, ...]
    version: tuple[int, int] = (2, 11)
    serial: int = 1
    flags: int = _PRIMARY
    hash_option: int = HashOption.HANDLE.value
    hash_filter: bytes = b""
    attributes: tuple[Attribute, ...] = ()
    format: int = 1

    @property
    def primary(self) -> bool:
        return bool(self.flags & _PRIMARY)

    @property
    def multi_primary(self) -> bool:
        return bool(self.flags & _MULTI_PRIMARY)

    def server_for(self, handle: str) -> Server | None:
        """The server that keeps ``handle``, by MD5 of the part that `hash_option` names, in ASCII capitals; None where none is.

        >>> two = Site(servers=(Server(1, bytes(16)), Server(2, bytes(16))))
        >>> [two.server_for(f"88.111.1/item{number}").server_id for number in range(4)]
        [2, 1, 2, 2]
        """
        if not self.servers:
            return None
        prefix, _, suffix = handle.partition("/")
        part = {HashOption.PREFIX.value: prefix, HashOption.SUFFIX.value: suffix}.get(self.hash_option, handle)
        digest = hashlib.md5(part.encode().upper(), usedforsecurity=False).digest()
        place = abs(int.from_bytes(digest[-4:], "big", signed=True))
        return self.servers[place % len(self.servers)]

    def pack(self) -> bytes:
        major, minor = self.version
        parts = [
            fields.u16(self.format),
            bytes((fields.u8(major)[0], fields.u8(minor)[0])),
            fields.u16(self.serial),
            fields.u8(self.flags) + fields.u8(self.hash_option),
            fields.binary(self.hash_filter, MAX_HANDLE),
            fields.i32(len(self.attributes)),
        ]
        for attribute in self.attributes:
            parts += (fields.binary(attribute.name), fields.binary(attribute.value))
        if len(self.servers) > MAX_SERVERS:
            raise EncodeError(f"{len(self.servers)} servers, where {MAX_SERVERS} are allowed", place="an HS_SITE")
        parts.append(fields.i32(len(self.servers)))
        for server in self.servers:
            if len(server.address_bytes) != 16:
                raise EncodeError(f"an address of {len(server.address_bytes)} bytes", place="an HS_SITE")
            parts += (
                fields.i32(server.server_id),
                server.address_bytes,
                fields.binary(server.public_key, _MAX_KEY),
                fields.i32(len(server.interfaces)),
            )
            parts += [fields.u8(one.kind) + fields.u8(one.transport) + fields.i32(one.port) for one in server.interfaces]
        return b"".join(parts)

    @classmethod
    def unpack(cls, data: bytes) -> Site:
        reader = Reader(data, "an HS_SITE")
        found = cls.read(reader)
        reader.done()
        return found

    @classmethod
    def read(cls, reader: Reader) -> Site:
        """From ``reader``, which may hold more."""
        form, major, minor, serial = reader.u16(), reader.u8(), reader.u8(), reader.u16()
        flags, hash_option = reader.u8(), reader.u8()
        hash_filter = reader.binary(MAX_HANDLE)
        attributes = tuple([Attribute(reader.binary(), reader.binary()) for _ in range(reader.count(8, _MAX_ATTRIBUTES))])
        servers = tuple([_server(reader) for _ in range(reader.count(28, MAX_SERVERS))])
        return cls(
            format=form,
            version=(major, minor),
            serial=serial,
            flags=flags,
            hash_option=hash_option,
            hash_filter=hash_filter,
            attributes=attributes,
            servers=servers,
        )


def _server(reader: Reader) -> Server:
    server_id, address, key = reader.i32(), reader.raw(16), reader.binary(_MAX_KEY)
    interfaces = tuple([Interface(reader.u8(), reader.u8(), reader.i32()) for _ in range(reader.count(6, MAX_INTERFACES))])
    return Server(server_id, address, key, interfaces)
