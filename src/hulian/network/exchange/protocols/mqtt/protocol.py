"""MQTT as the house knows it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from hulian.network.exchange.protocols.contract import Address, Binding, Browsed, Environment
from hulian.network.exchange.protocols.mqtt.browse import browse_topics
from hulian.network.exchange.protocols.mqtt.config import MqttConfiguration, check_url
from hulian.network.exchange.protocols.mqtt.connector import MqttConnector

__all__ = ["MqttProtocol"]


class MqttProtocol:
    """Stateless but for what running connectors have seen; see `hulian.network.exchange.protocols.contract.Protocol`."""

    name: str = "mqtt"
    schemes: tuple[str, ...] = ("mqtt",)
    configuration: type[MqttConfiguration] = MqttConfiguration

    def connector(self, url: str, configuration: Any, bindings: Sequence[Binding], environment: Environment) -> MqttConnector:
        """Raises `AddressError` for a URL or filter that is none, `SourceError` where this process has no listener."""
        check_url(url)
        return MqttConnector(configuration or MqttConfiguration(), bindings, environment)

    def browse(
        self, url: str, configuration: Any, environment: Environment, *, under: Address | None = None, depth: int = 1
    ) -> AsyncIterator[Browsed]:
        """What devices published since a connector runs; raises `SourceError` where nothing came."""
        check_url(url)
        return browse_topics(configuration or MqttConfiguration(), environment, under=under, depth=depth)
