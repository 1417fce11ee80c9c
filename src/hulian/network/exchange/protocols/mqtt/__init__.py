"""MQTT: JSON and Sparkplug B payloads of the platform's own listener to columns, and set-points back."""

from hulian.network.exchange.protocols.mqtt.protocol import MqttProtocol

__all__ = ["protocol"]

protocol = MqttProtocol()
