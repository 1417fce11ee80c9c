"""Files as the house knows them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from hulian.network.exchange.protocols.contract import Address, Binding, Browsed, Environment
from hulian.network.exchange.protocols.files.browse import browse_files
from hulian.network.exchange.protocols.files.config import FilesConfiguration, parse_url
from hulian.network.exchange.protocols.files.connector import FilesConnector
from hulian.network.exchange.protocols.tabular import PointOptions

__all__ = ["FilesProtocol"]


class FilesProtocol:
    """Stateless; see `hulian.network.exchange.protocols.contract.Protocol`."""

    name = "files"
    schemes = ("file",)
    configuration = FilesConfiguration
    options = PointOptions

    def connector(self, url: str, configuration: Any, bindings: Sequence[Binding], environment: Environment) -> FilesConnector:
        """Raises `AddressError`, `OptionError`, and `DirectoryError` for a place that this edge may not read."""
        settings = configuration or FilesConfiguration()
        return FilesConnector(parse_url(url, settings), settings, bindings, environment)

    def browse(
        self, url: str, configuration: Any, environment: Environment, *, under: Address | None = None, depth: int = 1
    ) -> AsyncIterator[Browsed]:
        """Files and their columns, with types and units as far as the file tells them."""
        settings = configuration or FilesConfiguration()
        return browse_files(parse_url(url, settings), settings, environment, under=under, depth=depth)
