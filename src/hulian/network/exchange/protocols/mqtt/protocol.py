"""MQTT as the house knows it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Any

from hulian.network.exchange.protocols.contract import Address, Binding, Browsed, Environment
from hulian.network.exchange.protocols.mqtt.browse import browse_topics
from hulian.network.exchange.protocols.mqtt.client import BrokerSource, Place
from hulian.network.exchange.protocols.mqtt.config import BindingOptions, MqttConfiguration
from hulian.network.exchange.protocols.mqtt.connector import MqttConnector
from hulian.network.exchange.protocols.mqtt.sparkplug.host import Host

__all__ = ["MqttProtocol"]


class MqttProtocol:
    """Stateless but for what running connectors have seen; see `hulian.network.exchange.protocols.contract.Protocol`."""

    name: str = "mqtt"
    schemes: tuple[str, ...] = ("mqtt", "mqtts")
    configuration: type[MqttConfiguration] = MqttConfiguration
    options: type[BindingOptions] = BindingOptions

    def connector(self, url: str, configuration: Any, bindings: Sequence[Binding], environment: Environment) -> MqttConnector:
        """A foreign broker where ``url`` names a host, else the platform's own listener. Raises `AddressError` for a URL or
        filter that is none, `OptionError` for settings that cannot work, `SourceError` where this process has no listener."""
        configuration = configuration or MqttConfiguration()
        place = Place.of(url)
        host = Host(configuration.sparkplug.host) if configuration.sparkplug.host else None
        broker = BrokerSource(place, configuration.broker, environment, configuration.topics, host=host) if place else None
        return MqttConnector(configuration, bindings, environment, broker, host)

    def browse(
        self, url: str, configuration: Any, environment: Environment, *, under: Address | None = None, depth: int = 1
    ) -> AsyncIterator[Browsed]:
        """What devices published since a connector runs, and what they publish within a few seconds. Raises `SourceError`
        where nothing came, `BrokerError` and its kin where a foreign broker cannot be looked at."""
        return browse_topics(Place.of(url), configuration or MqttConfiguration(), environment, under=under, depth=depth)
