"""A batching asyncio client for foreign MQTT brokers, and the `MessageSource` that a connector reads through it.

``place`` is where a broker is and how its connection is secured, ``link`` one connection's bytes and its keep-alive, ``inbox``
what was received and is not acknowledged yet (it survives ``kill -9``), ``outbox`` what was sent and is not acknowledged yet,
``client`` puts them together, ``source`` offers the client to the connector.
"""

from hulian.network.exchange.protocols.mqtt.client.client import Client
from hulian.network.exchange.protocols.mqtt.client.place import Place
from hulian.network.exchange.protocols.mqtt.client.source import BrokerSource

__all__ = ["BrokerSource", "Client", "Place"]
