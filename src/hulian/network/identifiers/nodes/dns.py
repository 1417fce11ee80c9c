"""The DNS face of a node, as its configuration describes it."""

from __future__ import annotations

import ipaddress

from hulian.kernel.errors import ConfigurationError
from hulian.network.identifiers.junction.dns.face import DnsListener
from hulian.network.identifiers.junction.dns.zone import Zone, Zones
from hulian.network.identifiers.nodes.configuration import IdentifiersConfiguration
from hulian.network.identifiers.store import RecordStore
from hulian.network.identifiers.transport.budget import Budget

__all__ = ["dns_listener"]


def dns_listener(configuration: IdentifiersConfiguration, store: RecordStore, budget: Budget) -> DnsListener:
    """The listener, not yet running. Strangers draw from ``budget`` as they do from the node's own protocol.

    Raises `ConfigurationError` for zones that are none.
    """
    settings = configuration.dns
    prefix = settings.prefix or next(iter(configuration.prefixes), "")
    if not settings.zones:
        raise ConfigurationError("no zone is named", place="identifiers.dns.zones", hint="e.g. 1.156.2.1.oid-res.org")
    if not prefix:
        raise ConfigurationError("nothing says below which prefix OIDs are registered", place="identifiers.dns.prefix")
    try:
        address = _address(configuration)
        zones = [Zone.of(origin, settings.domain, settings.name, settings.contact, address) for origin in settings.zones]
    except ValueError as error:
        raise ConfigurationError(str(error), place="identifiers.dns.zones") from error
    return DnsListener(Zones(zones, store, prefix), settings.host, settings.port, budget)


def _address(configuration: IdentifiersConfiguration) -> str:
    """What others are told to ask; empty where the node listens everywhere and was not told its address."""
    address = configuration.address or configuration.dns.host
    try:
        return "" if ipaddress.ip_address(address).is_unspecified else address
    except ValueError:
        return ""
