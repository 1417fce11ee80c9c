"""Every way in which bytes can break the standard, by name, with its clause in MQTT 3.1.1 and in MQTT 5.0."""

from __future__ import annotations

from enum import Enum

__all__ = ["Fault"]

_MALFORMED = 0x81
_PROTOCOL = 0x82
_TOPIC = 0x90
_ALIAS = 0x94
_LARGE = 0x95


class Fault(Enum):
    """``text``; ``clauses`` of MQTT 3.1.1 and 5.0 (a number alone is a section); ``reason`` a v5 DISCONNECT would give."""

    # -- the fixed header
    PACKET_TYPE = "a packet type that is reserved", ("2.2.1", "2.1.2"), _MALFORMED
    FLAGS = "flags that are reserved for this packet type", ("MQTT-2.2.2-2", "MQTT-2.1.3-1"), _MALFORMED
    LENGTH = "a variable byte integer of more than four bytes", ("2.2.3", "1.5.5"), _MALFORMED
    LENGTH_PADDED = "a variable byte integer that is longer than it need be", ("2.2.3", "MQTT-1.5.5-1"), _MALFORMED
    TOO_LARGE = "a packet larger than we accept", ("2.2.3", "MQTT-3.1.2-24"), _LARGE
    # -- fields
    SHORT = "a packet that ends inside a field", ("2.3", "2.2"), _MALFORMED
    LONG = "bytes behind the last field", ("2.3", "2.2"), _MALFORMED
    UTF8 = "a string that is not UTF-8", ("MQTT-1.5.3-1", "MQTT-1.5.4-1"), _MALFORMED
    NUL = "a string that holds U+0000", ("MQTT-1.5.3-2", "MQTT-1.5.4-2"), _MALFORMED
    IDENTIFIER = "a packet identifier of zero", ("MQTT-2.3.1-1", "MQTT-2.2.1-3"), _PROTOCOL
    REASON = "a reason code that this packet does not have", ("3.2.2.3", "2.4"), _MALFORMED
    # -- CONNECT and CONNACK
    PROTOCOL_NAME = "a protocol name other than MQTT", ("MQTT-3.1.2-1", "MQTT-3.1.2-1"), 0x84
    PROTOCOL_LEVEL = "a protocol level that is neither 4 nor 5", ("MQTT-3.1.2-2", "MQTT-3.1.2-2"), 0x84
    CONNECT_FLAGS = "the reserved flag of CONNECT is set", ("MQTT-3.1.2-3", "MQTT-3.1.2-3"), _MALFORMED
    WILL_QOS = "a will of QoS 3", ("MQTT-3.1.2-14", "MQTT-3.1.2-12"), _MALFORMED
    WILL_FLAGS = "QoS or retain of a will that is not there", ("MQTT-3.1.2-13", "MQTT-3.1.2-11"), _MALFORMED
    PASSWORD = "a password without a user name", ("MQTT-3.1.2-22", "3.1.2.9"), _MALFORMED
    CONNACK_FLAGS = "reserved flags of CONNACK are set", ("3.2.2.1", "MQTT-3.2.2-1"), _MALFORMED
    SESSION_PRESENT = "a refusal that says a session is present", ("MQTT-3.2.2-4", "MQTT-3.2.2-6"), _PROTOCOL
    # -- PUBLISH
    QOS = "a PUBLISH of QoS 3", ("MQTT-3.3.1-4", "MQTT-3.3.1-4"), _MALFORMED
    DUP = "a PUBLISH of QoS 0 that is marked as repeated", ("MQTT-3.3.1-2", "MQTT-3.3.1-2"), _PROTOCOL
    TOPIC_EMPTY = "an empty topic", ("MQTT-4.7.3-1", "MQTT-4.7.3-1"), _PROTOCOL
    TOPIC_WILDCARD = "a topic that holds a wildcard", ("MQTT-3.3.2-2", "MQTT-3.3.2-2"), _TOPIC
    TOPIC_LENGTH = "a topic longer than we accept", ("4.7.3", "4.7.3"), _TOPIC
    ALIAS_RANGE = "a topic alias of zero or above the maximum that we named", ("", "MQTT-3.3.2-8"), _ALIAS
    ALIAS_UNKNOWN = "a topic alias that no topic was given for", ("", "3.3.4"), _PROTOCOL
    # -- SUBSCRIBE and UNSUBSCRIBE
    NO_FILTER = "no topic filter at all", ("MQTT-3.8.3-3", "MQTT-3.8.3-2"), _PROTOCOL
    FILTER = "a topic filter with a misplaced wildcard", ("MQTT-4.7.1-2", "MQTT-4.7.1-1"), 0x8F
    SHARE = "a shared subscription without a share name or a filter", ("", "MQTT-4.8.2-1"), 0x8F
    OPTIONS = "subscription options with reserved bits or values", ("MQTT-3-8.3-4", "MQTT-3.8.3-5"), _MALFORMED
    NO_LOCAL = "a shared subscription with No Local", ("", "MQTT-3.8.3-4"), _PROTOCOL
    FILTER_COUNT = "more topic filters than we accept", ("3.8.3", "3.8.3"), 0x97
    # -- properties
    PROPERTY_UNKNOWN = "a property that does not exist", ("", "2.2.2.2"), _MALFORMED
    PROPERTY_PLACE = "a property that does not belong into this packet", ("", "2.2.2.2"), _PROTOCOL
    PROPERTY_TWICE = "a property that stands twice", ("", "2.2.2.2"), _PROTOCOL
    PROPERTY_VALUE = "a property with a value that it cannot have", ("", "2.2.2.2"), _PROTOCOL
    PROPERTY_COUNT = "more properties than we accept", ("", "2.2.2"), 0x97
    # -- the order of packets; the codec's users find this
    UNEXPECTED = "a packet that does not belong here", ("4.8", "4.13.1"), _PROTOCOL

    def __init__(self, text: str, clauses: tuple[str, str], reason: int) -> None:
        self.text = text
        self.clauses = clauses
        self.reason = reason

    def clause(self, version: int) -> str:
        """The clause in the standard of protocol level ``version`` (4 or 5)."""
        return self.clauses[version >= 5] or self.clauses[1]
