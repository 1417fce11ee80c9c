"""Databases as the house knows them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from hulian.network.exchange.protocols.contract import Address, Binding, Browsed, Environment
from hulian.network.exchange.protocols.sql.browse import browse_database
from hulian.network.exchange.protocols.sql.config import SCHEMES, SqlConfiguration, parse_url
from hulian.network.exchange.protocols.sql.connector import SqlConnector
from hulian.network.exchange.protocols.tabular import PointOptions

__all__ = ["SqlProtocol"]


class SqlProtocol:
    """Stateless; see `hulian.network.exchange.protocols.contract.Protocol`."""

    name = "sql"
    schemes = SCHEMES
    configuration = SqlConfiguration
    options = PointOptions

    def connector(self, url: str, configuration: Any, bindings: Sequence[Binding], environment: Environment) -> SqlConnector:
        """Raises `AddressError`, `OptionError`, and `DirectoryError` for a database file that this edge may not read."""
        return SqlConnector(parse_url(url), configuration or SqlConfiguration(), bindings, environment)

    def browse(
        self, url: str, configuration: Any, environment: Environment, *, under: Address | None = None, depth: int = 1
    ) -> AsyncIterator[Browsed]:
        """Tables and views, and their columns with types."""
        return browse_database(parse_url(url), configuration or SqlConfiguration(), environment, under=under, depth=depth)
