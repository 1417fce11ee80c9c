"""MQTT 3.1.1 and 5.0 on the wire: bytes in, events out; packets in, bytes out. No I/O, no clock.

Built for batches: one call decodes every packet of a received buffer, a run of PUBLISH packets is one event of columns whose
payloads are views of that buffer, a run of acknowledgements is one event of packet identifiers; and many packets are encoded
into one buffer.
"""

from hulian.network.exchange.protocols.mqtt.codec.decode import Decoder, Event, Limits
from hulian.network.exchange.protocols.mqtt.codec.encode import encode, encode_acks, encode_publishes
from hulian.network.exchange.protocols.mqtt.codec.faults import Fault
from hulian.network.exchange.protocols.mqtt.codec.kinds import PacketType, Version
from hulian.network.exchange.protocols.mqtt.codec.packets import (
    Ack,
    Acks,
    Auth,
    Connack,
    Connect,
    Disconnect,
    Packet,
    Pingreq,
    Pingresp,
    Publish,
    Publishes,
    Suback,
    Subscribe,
    Subscription,
    Unsuback,
    Unsubscribe,
    Will,
)
from hulian.network.exchange.protocols.mqtt.codec.properties import NONE, Properties
from hulian.network.exchange.protocols.mqtt.codec.reasons import Reason, reason_name

__all__ = [
    "NONE",
    "Ack",
    "Acks",
    "Auth",
    "Connack",
    "Connect",
    "Decoder",
    "Disconnect",
    "Event",
    "Fault",
    "Limits",
    "Packet",
    "PacketType",
    "Pingreq",
    "Pingresp",
    "Properties",
    "Publish",
    "Publishes",
    "Reason",
    "Suback",
    "Subscribe",
    "Subscription",
    "Unsuback",
    "Unsubscribe",
    "Version",
    "Will",
    "encode",
    "encode_acks",
    "encode_publishes",
    "reason_name",
]
