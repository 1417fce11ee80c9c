"""The files of this installation's identifier node. Light: a command that resolves a name needs them, and no database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hulian.kernel.errors import ConfigurationError
from hulian.network.identifiers.wire.root_info import MAX_ROOT_INFO, unpack_root_info

if TYPE_CHECKING:
    from hulian.assembly.configuration import Configuration
    from hulian.network.identifiers.junction.junction import Junction
    from hulian.network.identifiers.wire.values import Value

__all__ = ["incoming_file", "key_file", "open_junction", "rolling_file", "root_data", "root_file"]


def key_file(configuration: Configuration) -> Path:
    """The private key that runs this node."""
    return Path(configuration.node.data) / "identifiers" / "administrator.pem"


def incoming_file(configuration: Configuration) -> Path:
    """The private key that is to take its place."""
    return Path(configuration.node.data) / "identifiers" / "incoming.pem"


def rolling_file(configuration: Configuration) -> Path:
    """How far that is."""
    return Path(configuration.node.data) / "identifiers" / "rollover.json"


def root_file(configuration: Configuration) -> Path:
    """The root data that walks of this node begin with: its own, or those it was given."""
    named = configuration.identifiers.root
    return Path(named) if named else Path(configuration.node.data) / "identifiers" / "root_info"


def root_data(path: Path) -> tuple[Value, ...]:
    """The root data in ``path``. Raises `ConfigurationError`, and the errors of what is no root data."""
    try:
        with path.open("rb") as file:
            return unpack_root_info(file.read(MAX_ROOT_INFO + 5))
    except OSError as error:
        raise ConfigurationError(
            f"cannot read the root data: {error.strerror}",
            place=str(path),
            hint="--root names the file, or identifiers.root in hulian.toml",
        ) from error


def open_junction(configuration: Configuration, root: Path | None) -> Junction:
    """What resolves identifiers: Handles from ``root`` or the root data of this node, everything else by other systems.

    Root data are read when the first Handle is asked for. Raises `ConfigurationError`.
    """
    # Their libraries take a while.
    from hulian.network.identifiers.chain.follow import Follow
    from hulian.network.identifiers.junction.junction import Junction
    from hulian.network.identifiers.transport.client import Client

    path = root or root_file(configuration)
    return Junction(configuration.identifiers.junction, lambda: Follow(root_data(path), Client()), Client())
