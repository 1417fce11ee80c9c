"""The protocols that are installed, found by their entry points."""

from __future__ import annotations

from functools import cache
from importlib.metadata import entry_points
from urllib.parse import urlsplit

from hulian.network.exchange.protocols.contract import Protocol
from hulian.platform.edge.errors import UnknownProtocolError

__all__ = ["installed", "protocol_named", "protocol_of_url"]

GROUP = "hulian.protocols"


@cache
def installed() -> tuple[str, ...]:
    """The names of all protocols, without loading any."""
    return tuple(sorted(entry.name for entry in entry_points(group=GROUP)))


@cache
def protocol_named(name: str) -> Protocol:
    """The protocol ``name``; raises `UnknownProtocolError`."""
    for entry in entry_points(group=GROUP):
        if entry.name == name:
            found: Protocol = entry.load()
            return found
    raise UnknownProtocolError(f"there is no protocol '{name}'", hint=f"installed are: {', '.join(installed())}")


def protocol_of_url(url: str) -> Protocol:
    """The protocol that speaks the scheme of ``url``; raises `UnknownProtocolError`."""
    scheme = urlsplit(url).scheme
    for name in installed():
        protocol = protocol_named(name)
        if scheme in protocol.schemes:
            return protocol
    known = sorted(scheme for name in installed() for scheme in protocol_named(name).schemes)
    raise UnknownProtocolError(
        f"no protocol speaks '{scheme}:'" if scheme else "the address has no scheme",
        place=url,
        hint=f"write one of: {', '.join(f'{known_scheme}://…' for known_scheme in known)}",
    )
