"""Escrow of an installation's identifier node: who signs, who can open it, and what runs beside the node."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from hulian.assembly.configuration import Configuration
from hulian.assembly.identifier_key import own_keys
from hulian.kernel.errors import ConfigurationError
from hulian.network.identifiers.escrow.daily import Daily
from hulian.network.identifiers.escrow.manifest import SigningKey
from hulian.network.identifiers.escrow.recipients import RecipientKey, recipient_key
from hulian.network.identifiers.nodes.beginning import node_key
from hulian.network.identifiers.nodes.configuration import Role
from hulian.registry import Registry

__all__ = ["daily_escrow", "node_name", "read_pem", "recipients_of", "signing_key"]

_LARGEST: Final = 64 << 10


def node_name(configuration: Configuration) -> str:
    """What the node is called in its exports: its first prefix, ``0.NA`` for a root that has none."""
    settings = configuration.identifiers
    if settings.prefixes:
        return settings.prefixes[0]
    return "0.NA" if settings.role is Role.ROOT else configuration.node.prefix


def signing_key(configuration: Configuration) -> SigningKey:
    """The node's own key."""
    own, _ = own_keys(configuration)
    return SigningKey(str(node_key(node_name(configuration))), own.signer, own.public)


def recipients_of(files: Sequence[str | Path]) -> list[RecipientKey]:
    """The public keys in PEM ``files``. Raises `ConfigurationError` and `RecipientError`."""
    return [recipient_key(read_pem(Path(file)), str(file)) for file in files]


def read_pem(path: Path) -> bytes:
    """The content of a file with a key. Raises `ConfigurationError`."""
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise ConfigurationError(f"cannot read the key: {error.strerror}", place=str(path), hint="name a PEM file") from error
    if len(content) > _LARGEST:
        raise ConfigurationError(f"more than {_LARGEST >> 10} KiB, which no key has", place=str(path), hint="name a PEM file")
    return content


def daily_escrow(configuration: Configuration, registry: Registry) -> Daily:
    """What makes the exports that the configuration asks for."""
    settings = configuration.identifiers.escrow
    if not settings.recipients:
        raise ConfigurationError(
            "nobody could open the exports", place="identifiers.escrow.recipients", hint="name at least one public key"
        )
    recipients = recipients_of(settings.recipients)
    return Daily(registry, node_name(configuration), settings, recipients, signing_key(configuration))
