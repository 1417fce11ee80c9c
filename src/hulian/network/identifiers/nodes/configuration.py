"""Settings of an identifier node."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import msgspec
from msgspec import Meta

from hulian.network.identifiers.escrow.configuration import EscrowConfiguration
from hulian.network.identifiers.junction.configuration import DnsConfiguration, JunctionConfiguration
from hulian.network.identifiers.statistics.data import Data

__all__ = ["ActiveConfiguration", "IdentifiersConfiguration", "Interface", "Publish", "Role"]


class Role(StrEnum):
    """The tier of a node."""

    PRIVATE = "private"
    ROOT = "root"
    TOP_LEVEL = "top-level"
    SECOND_LEVEL = "second-level"
    ENTERPRISE = "enterprise"
    RECURSIVE = "recursive"


class Publish(StrEnum):
    """What everybody may resolve of the plant's own things and points."""

    NOTHING = "nothing"
    ADDRESSES = "addresses"
    DESCRIPTIONS = "descriptions"


class Interface(StrEnum):
    """Interfaces of the national system that a node may have beside its own."""

    SECOND_LEVEL = "second-level"
    ENTERPRISE = "enterprise"


class ActiveConfiguration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Active carriers: things that enrol, authenticate and report by themselves. Nothing is served until a port is named."""

    host: Annotated[str, Meta(description="address to listen on for carriers; loopback until you choose another")] = "127.0.0.1"
    port: Annotated[
        int, Meta(ge=0, le=65535, description="port of TCP with TLS, such as 2643; 0: carriers are not served by it")
    ] = 0
    coap_port: Annotated[
        int, Meta(ge=0, le=65535, description="port of CoAP (UDP), such as 5683; 0: carriers are not served by it")
    ] = 0
    mqtt: Annotated[
        str, Meta(description="MQTT broker to serve carriers over: mqtt://host:1883 or mqtts://host:8883; empty: none")
    ] = ""
    mqtt_user: Annotated[str, Meta(description="user name at the broker")] = ""
    mqtt_password: Annotated[str, Meta(description="reference to its password: env:NAME, file:PATH or secret:NAME")] = ""
    mqtt_ca: Annotated[
        str, Meta(description="PEM file with the authority of the broker's certificate; empty: the system's")
    ] = ""
    push: Annotated[
        str,
        Meta(
            description="where reports go: address of an http-push connector, such as http://127.0.0.1:8087; empty: they wait "
            "at the node"
        ),
    ] = ""
    push_token: Annotated[
        str, Meta(description="reference to the token of that connector: env:NAME, file:PATH or secret:NAME")
    ] = ""
    push_ca: Annotated[
        str, Meta(description="PEM file with the authority of the connector's certificate, for https://; empty: the system's")
    ] = ""
    waiting: Annotated[
        int, Meta(ge=1, le=1_000_000, description="reports that wait for delivery at most; beyond, carriers keep theirs")
    ] = 10_000
    stranger_bytes: Annotated[
        int, Meta(ge=1024, le=1 << 30, description="bytes that one source can draw in any second over CoAP")
    ] = 65_536
    authorities: Annotated[
        str, Meta(description="PEM file with the authorities of factories whose carriers bring certificates of their own")
    ] = ""


class IdentifiersConfiguration(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which names this node answers for, and whom."""

    host: Annotated[str, Meta(description="address to listen on, UDP and TCP; loopback until you choose another")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="port of the Handle protocol and DO-IRP; 0: no node")] = 2641
    address: Annotated[str, Meta(description="IP address that other nodes are told to ask; empty for that of 'host'")] = ""
    role: Annotated[
        Role,
        Meta(
            description="private (a plant that is registered nowhere: root and enterprise node in one), root, top-level, "
            "second-level, enterprise, or recursive"
        ),
    ] = Role.PRIVATE
    root: Annotated[
        str, Meta(description="file with the root data that every walk begins with; a private node and a root write their own")
    ] = ""
    prefixes: Annotated[
        tuple[str, ...], Meta(description="prefixes that this node answers for; empty for node.prefix, a root's own for a root")
    ] = ()
    key: Annotated[
        str,
        Meta(
            description="private key of the node: empty for a file in the data directory, or one in a token, "
            "pkcs11:token=LABEL;object=LABEL?module-path=LIBRARY"
        ),
    ] = ""
    key_pin: Annotated[
        str, Meta(description="reference to the PIN of the token: env:NAME, file:PATH or secret:NAME; never the PIN itself")
    ] = ""
    administrators: Annotated[
        tuple[str, ...],
        Meta(description="keys that may do everything here, as index:handle; empty for the node's own key, 300 of its prefix"),
    ] = ()
    mirrors: Annotated[
        tuple[str, ...], Meta(description="keys that may copy all records of this node, as index:handle: those of its mirrors")
    ] = ()
    mirror_as: Annotated[
        str,
        Meta(
            description="index:handle of this node's own key where it is a mirror: it copies the primary site of its first "
            "prefix, and takes no changes"
        ),
    ] = ""
    mirror_s: Annotated[float, Meta(ge=0.1, le=3600, description="seconds between two looks at the primary site")] = 5.0
    publish: Annotated[
        Publish,
        Meta(
            description="what everybody may resolve of the points of this plant: nothing, addresses (where its data are), "
            "descriptions (name, unit, place as well)"
        ),
    ] = Publish.DESCRIPTIONS
    stranger_bytes: Annotated[
        int,
        Meta(ge=1024, le=1 << 30, description="bytes that one source can draw in any second over UDP, which proves no address"),
    ] = 65_536
    exempt: Annotated[
        tuple[str, ...], Meta(description="networks that this bound does not hold for, such as 10.0.0.0/8: own recursive nodes")
    ] = ()
    rest_host: Annotated[str, Meta(description="address of the HTTP interface; loopback until you choose another")] = (
        "127.0.0.1"
    )
    rest_port: Annotated[int, Meta(ge=0, le=65535, description="port of HTTP and HTTPS alike; 0: neither")] = 8000
    rest_tls: Annotated[
        bool, Meta(description="speak HTTPS as well; without certificate and key the local CA makes them. Changes need it")
    ] = True
    rest_certificate: Annotated[str, Meta(description="PEM file with the certificate chain; empty: made by the local CA")] = ""
    rest_key: Annotated[str, Meta(description="PEM file with the private key of the certificate")] = ""
    rest_clients: Annotated[
        str,
        Meta(
            description="PEM file with the authorities of client certificates, or with such certificates; empty: none are taken"
        ),
    ] = ""
    applications: Annotated[
        int,
        Meta(
            ge=0,
            le=1_000_000,
            description="applications for prefixes that may wait at once; root, top-level and second-level nodes take them",
        ),
    ] = 1_000
    rest_interfaces: Annotated[
        tuple[Interface, ...],
        Meta(
            description="interfaces of the national system that are served over HTTP as well: second-level (/identityv2), "
            "enterprise (/api/v1/doip); none unless you name them"
        ),
    ] = ()
    rest_gs1_prefix: Annotated[
        str, Meta(description="prefix below which the records of GS1 keys stand, such as 88.111.1; empty: none are resolved")
    ] = ""
    statistics_source_days: Annotated[
        int,
        Meta(ge=0, le=3660, description="days that the addresses of askers are kept, with how often they asked; 0: never"),
    ] = 30
    statistics_source_networks: Annotated[
        bool, Meta(description="keep only the network of an asker, /24 of IPv4 and /48 of IPv6, instead of the address")
    ] = False
    report_to: Annotated[
        str,
        Meta(
            description="address of the HTTP interface of the node above, https://HOST:PORT, that gets this one's reports; "
            "empty: nothing is reported. A private node reports nothing"
        ),
    ] = ""
    report_authority: Annotated[
        str, Meta(description="PEM file with the authority of that node's certificate; empty: those of the system")
    ] = ""
    report_data: Annotated[
        tuple[Data, ...],
        Meta(
            description="what is reported: routes (when they change), subjects (hourly), counts and master (daily), business "
            "(monthly); with sources the counts name askers' addresses too, with private the master data fields that only "
            "administrators may read"
        ),
    ] = (Data.ROUTES, Data.SUBJECTS, Data.COUNTS, Data.MASTER, Data.BUSINESS)
    takeover: Annotated[
        tuple[str, ...],
        Meta(
            description="prefixes below this node that it answers for while most probes see their node down; their nodes name "
            "the key of this one as a mirror"
        ),
    ] = ()
    probes: Annotated[tuple[str, ...], Meta(description="keys of the probes that have a vote on that, as index:handle")] = ()
    probe_fresh_s: Annotated[float, Meta(ge=0.1, le=3600, description="seconds that the vote of a probe counts")] = 60.0
    takeover_hold_s: Annotated[
        float, Meta(ge=0, le=86_400, description="seconds that most must see a node up before it is left alone again")
    ] = 60.0
    junction: Annotated[JunctionConfiguration, Meta(description="other systems that identifiers are resolved by")] = (
        JunctionConfiguration()
    )
    dns: Annotated[DnsConfiguration, Meta(description="OIDs that are registered here, answered by DNS")] = DnsConfiguration()
    active: ActiveConfiguration = ActiveConfiguration()
    escrow: Annotated[
        EscrowConfiguration, Meta(description="the daily export of all records, signed and encrypted, for others to keep")
    ] = EscrowConfiguration()
