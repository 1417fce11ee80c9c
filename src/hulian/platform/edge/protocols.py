"""The protocols that are installed, found by their entry points."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import Any
from urllib.parse import urlsplit

import msgspec
import structlog

from hulian.kernel.configuration import convert
from hulian.kernel.errors import ConfigurationError
from hulian.network.exchange.protocols.contract import Protocol
from hulian.platform.edge.errors import UnknownProtocolError
from hulian.platform.edge.processing.connector import protocol as processing
from hulian.platform.edge.processing.plan import PROTOCOL

__all__ = ["check_connection", "check_options", "installed", "protocol_named", "protocol_of_url"]

_log = structlog.get_logger(__name__)
GROUP = "hulian.protocols"


@cache
def installed() -> tuple[str, ...]:
    """The names of all protocols, without loading any."""
    return tuple(sorted(entry.name for entry in entry_points(group=GROUP)))


@cache
def protocol_named(name: str) -> Protocol:
    """The protocol ``name``; raises `UnknownProtocolError`."""
    if name == PROTOCOL:
        return processing
    for entry in entry_points(group=GROUP):
        if entry.name == name:
            try:
                found: Protocol = entry.load()
            except Exception as error:  # whatever a foreign package does when it is imported is its own failure
                raise UnknownProtocolError(
                    f"the protocol '{name}' is installed and cannot be loaded: {type(error).__name__}: {error}",
                    hint=f"install what provides {entry.value} again, or remove it",
                ) from error
            return found
    raise UnknownProtocolError(f"there is no protocol '{name}'", hint=f"installed are: {', '.join(installed())}")


def protocol_of_url(url: str) -> Protocol:
    """The protocol that speaks the scheme of ``url``; raises `UnknownProtocolError`."""
    scheme = urlsplit(url).scheme
    if scheme in processing.schemes:
        return processing
    known: list[str] = []
    for name in installed():
        try:
            protocol = protocol_named(name)
        except UnknownProtocolError as error:
            _log.warning("a protocol is left out", protocol=name, reason=str(error))
            continue
        if scheme in protocol.schemes:
            return protocol
        known += protocol.schemes
    raise UnknownProtocolError(
        f"no protocol speaks '{scheme}:'" if scheme else "the address has no scheme",
        place=url,
        hint=f"write one of: {', '.join(f'{known_scheme}://…' for known_scheme in sorted(known))}",
    )


def check_connection(protocol: str, url: str, settings: Mapping[str, Any]) -> None:
    """Raises a `HulianError` where the address or the settings of a connector do not fit its protocol."""
    found = protocol_named(protocol)
    if urlsplit(url).scheme not in found.schemes:
        raise ConfigurationError(
            f"the protocol '{protocol}' has no such address", place=url, hint=f"it begins with {', '.join(found.schemes)}"
        )
    convert(dict(settings), found.configuration, place="settings")


def check_options(protocol: str, options: Mapping[str, Any]) -> None:
    """Raises a `HulianError` where the options of a point do not fit its protocol; a foreign one may not say what it takes."""
    kind: type[msgspec.Struct] | None = getattr(protocol_named(protocol), "options", None)
    if kind is not None:
        convert(dict(options), kind, place=protocol)
