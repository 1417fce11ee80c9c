"""Settings of the junction and of the DNS face: every way out, and the way in, is closed until it is named."""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta

__all__ = ["DnsConfiguration", "JunctionConfiguration"]

_DOMAIN: Final = "oid-res.org"


class JunctionConfiguration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Other systems that identifiers are resolved by."""

    dns_servers: Annotated[
        tuple[str, ...],
        Meta(description="DNS servers that OIDs are asked of, as address or address:port; empty: OIDs are not resolved by DNS"),
    ] = ()
    dns_domain: Annotated[str, Meta(description="domain of the OID resolution system (ITU-T X.672)")] = _DOMAIN
    dns_secure: Annotated[
        bool, Meta(description="believe only what these servers have validated by DNSSEC (AD); they must be trusted to say so")
    ] = False
    hosts: Annotated[
        tuple[str, ...],
        Meta(
            description="hosts that linksets and DID documents may be fetched from, as host or host:port; whatever address "
            "they have, loopback included"
        ),
    ] = ()
    public: Annotated[
        bool, Meta(description="fetch from every other host too, over HTTPS at port 443, where all its addresses are public")
    ] = False
    authorities: Annotated[
        str, Meta(description="PEM file with certificate authorities of those hosts; empty: those of the system")
    ] = ""
    gs1: Annotated[
        str, Meta(description="stem of the resolver of GS1 keys that come without an address, e.g. https://id.gs1.org")
    ] = ""
    did_resolvers: Annotated[
        tuple[str, ...],
        Meta(description="resolvers of DID methods, as method=address, e.g. bid=https://resolver.example; did:web needs none"),
    ] = ()
    global_root: Annotated[
        str,
        Meta(description="file with the root data of another Handle registry: root_info, or JSON of its site or record"),
    ] = ""
    global_prefixes: Annotated[
        tuple[str, ...], Meta(description="prefixes that this other registry answers for, with all that is derived from them")
    ] = ("10", "11", "20", "21", "22", "25", "44", "77")
    over_http: Annotated[
        tuple[Literal["handle", "oid", "gs1", "did"], ...],
        Meta(description="schemes that the HTTP interface resolves by other systems, for whoever asks; empty: none"),
    ] = ()


class DnsConfiguration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The DNS face: OIDs that are registered here, answered to everybody's resolvers."""

    host: Annotated[str, Meta(description="address to listen on, UDP and TCP; loopback until you choose another")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="port of DNS; 0: no DNS")] = 0
    zones: Annotated[
        tuple[str, ...],
        Meta(description="zones that this node is authoritative for, under the domain, e.g. 1.156.2.1.oid-res.org"),
    ] = ()
    domain: Annotated[str, Meta(description="domain of the OID resolution system that the zones are under")] = _DOMAIN
    prefix: Annotated[
        str, Meta(description="prefix of the records: OID 1.2.156 is PREFIX/oid/1.2.156; empty for the node's first prefix")
    ] = ""
    name: Annotated[str, Meta(description="name of this server in the NS record; empty for ns. and the zone")] = ""
    contact: Annotated[
        str, Meta(description="mailbox in the SOA record, as a domain name; empty for hostmaster. and the zone")
    ] = ""
