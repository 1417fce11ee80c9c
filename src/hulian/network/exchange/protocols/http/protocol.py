"""HTTP push as the house knows it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from hulian.network.exchange.protocols.contract import Address, Binding, Browsed, Environment
from hulian.network.exchange.protocols.http.config import HttpConfiguration, parse_url
from hulian.network.exchange.protocols.http.connector import HttpConnector
from hulian.network.exchange.protocols.http.errors import UnseenError
from hulian.network.exchange.protocols.http.seen import browse_seen
from hulian.network.exchange.protocols.tabular import PointOptions

__all__ = ["HttpProtocol"]


class HttpProtocol:
    """Stateless but for what running listeners have seen; see `hulian.network.exchange.protocols.contract.Protocol`."""

    name = "http"
    schemes = ("http-push", "https-push")
    configuration = HttpConfiguration
    options = PointOptions

    def connector(self, url: str, configuration: Any, bindings: Sequence[Binding], environment: Environment) -> HttpConnector:
        """Raises `AddressError` for a URL that is none, `OptionError` for a listener that would let anyone in."""
        return HttpConnector(parse_url(url), configuration or HttpConfiguration(), bindings, environment)

    async def browse(
        self, url: str, configuration: Any, environment: Environment, *, under: Address | None = None, depth: int = 1
    ) -> AsyncIterator[Browsed]:
        """What was pushed to the running listener and belongs to no point yet; raises `UnseenError` where nothing was."""
        listen = parse_url(url)
        found = browse_seen(environment.organisation, str(listen), under, depth)
        if not found:
            raise UnseenError("nothing was pushed here that is not a point already", place=str(listen))
        for node in found:
            yield node
